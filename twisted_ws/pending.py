# -*- test-case-name: tests.test_pending -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Messages that the application takes its time over: their C{messageReceived} returned a
Deferred that has not fired, or is a coroutine that has not ended.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from sys import getsizeof
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ._wire.frames import Frame
from .holds import Hold

if TYPE_CHECKING:
    from .connection import WebSocketConnection


class _Work:
    """
    A message at work.  One Deferred may stand for several of them.
    """

    __slots__ = ("deferred", "size")

    def __init__(self, deferred: Deferred[Any], size: int) -> None:
        self.deferred = deferred
        self.size = size


class Pending:
    """
    The messages of one connection that are at work, and those that wait for that.

    There is one from the first message that takes time; while none does, messages go
    past it.

    @ivar held: bytes of memory of these messages.
    """

    _log = Logger()

    def __init__(self, connection: WebSocketConnection) -> None:
        config = connection.config
        self._connection: Any = connection
        self._most = config.maxPendingMessages
        self._mostBytes = config.maxPendingBytes
        self._concurrent = config.concurrentMessages
        self.held = 0
        self._running: dict[_Work, None] = {}
        # With their sizes: that of a message may change while it waits, as text
        # can come to remember how it is encoded.
        self._queue: deque[tuple[Any, int]] = deque()
        self._isDelivering = False
        self._isOver = False
        self._isHurried = False
        self._ended: Callable[[], object] | None = None
        self._deadline: IDelayedCall | None = None

    @property
    def isIdle(self) -> bool:
        """
        Whether the next message can go past.
        """
        return not (
            self._queue or self._isDelivering or len(self._running) >= self._concurrent
        )

    def begun(self, message: Any, deferred: Deferred[Any]) -> None:
        """
        The application works on a message.

        @param deferred: fires when it is done.
        """
        work = _Work(deferred, sizeOf(message))
        self._running[work] = None
        self.held += work.size
        deferred.addCallbacks(self._done, self._failed, (work,), errbackArgs=(work,))
        self._connection.pendingChanged()
        self._judge()

    def put(self, message: Any) -> None:
        """
        A message came that cannot go past: it waits for its turn.
        """
        size = sizeOf(message)
        self._queue.append((message, size))
        self.held += size
        self._judge()

    def _judge(self) -> None:
        """
        Pause the connection when there is enough, resume it when half is done.
        """
        count = len(self._running) + len(self._queue)
        most = self._mostBytes
        if not self._isOver:
            if count >= self._most or (most is not None and self.held >= most):
                self._isOver = True
                self._connection.hold(Hold.PENDING)
        elif count <= self._most // 2 and (most is None or self.held <= most // 2):
            self._isOver = False
            self._connection.release(Hold.PENDING)
        if self._connection is not None:
            self._connection.weigh()

    def _done(self, ignored: object, work: _Work) -> None:
        if work in self._running:
            del self._running[work]
            self.held -= work.size
            # Within a delivery, the loop that delivers goes on with it: messages are
            # not delivered within each other, however many there are.
            if not self._isDelivering:
                self._goOn()

    def _failed(self, failure: Failure, work: _Work) -> None:
        isOver = self._ended is not None or self._connection is None
        if isOver and failure.check(CancelledError):
            forgetFrames(failure)
        elif work in self._running:
            self._connection.laterFailed(failure)
        else:
            self._log.failure("what was not waited for any longer failed", failure)
        self._done(None, work)

    def _goOn(self) -> None:
        """
        Deliver what waits, as far as the application does not take time over it.
        """
        self._isDelivering = True
        try:
            while self._queue and len(self._running) < self._concurrent:
                message, size = self._queue.popleft()
                self.held -= size
                self._connection.deliverNow(message)
        finally:
            self._isDelivering = False
        self._connection.pendingChanged()
        self._judge()
        self._endIfDone()

    def discard(self) -> None:
        """
        We gave the connection up: what waits is not to be delivered, and nothing is
        to be read to take its place.
        """
        self.held -= sum(size for _, size in self._queue)
        self._queue.clear()
        self._connection.weigh()

    def end(self, ended: Callable[[], object]) -> None:
        """
        The connection is gone.  What came before is still delivered, for at most
        C{closeTimeout} seconds; then what is at work is cancelled.

        @param ended: called when nothing is left.
        """
        self._ended = ended
        if self._isHurried:
            self._timedOut()
        elif self._running or self._queue:
            self._deadline = self._connection.clock.callLater(
                self._connection.config.closeTimeout, self._timedOut
            )
        self._endIfDone()

    def hurry(self) -> None:
        """
        Cancel what is at work and drop what waits; the connection is going.
        """
        self._isHurried = True
        if self._ended is not None:
            self._stopClock()
            self._timedOut()

    def _timedOut(self) -> None:
        self._deadline = None
        self.discard()
        for work in list(self._running):
            if work in self._running:
                try:
                    work.deferred.cancel()
                except Exception:
                    self._log.failure("{deferred!r} failed", deferred=work.deferred)
        for work in list(self._running):
            # It does not let itself be cancelled.
            self._done(None, work)
        self._endIfDone()

    def _endIfDone(self) -> None:
        isBusy = self._running or self._queue or self._isDelivering
        if self._ended is None or isBusy:
            return
        self._stopClock()
        ended, self._ended = self._ended, None
        # What is not done yet has a hold of us, and never may be.
        self._connection = None
        ended()

    def _stopClock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def sizeOf(message: Any) -> int:
    """
    @return: bytes of memory of a message, or of a frame's payload.
    """
    return getsizeof(message.payload if isinstance(message, Frame) else message)


def forgetFrames(failure: Failure) -> None:
    """
    A failure that was dealt with does not keep alive where it happened: an exception
    that was thrown into a coroutine holds its frames, and they hold it.
    """
    failure.cleanFailure()
    error: Any = failure.value
    error.__context__ = None
