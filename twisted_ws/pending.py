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
from twisted.python.failure import Failure

from .holds import Hold

if TYPE_CHECKING:
    from .connection import WebSocketConnection


class Pending:
    """
    The messages of one connection that are at work, and those that wait for that.

    There is one from the first message that takes time; while none does, messages go
    past it.

    @ivar held: bytes of memory of these messages.
    """

    def __init__(self, connection: WebSocketConnection) -> None:
        config = connection.config
        self._connection = connection
        self._most = config.maxPendingMessages
        self._mostBytes = config.maxPendingBytes
        self._concurrent = config.concurrentMessages
        self.held = 0
        self._running: dict[Deferred[Any], int] = {}
        self._queue: deque[Any] = deque()
        self._isOver = False
        self._isHurried = False
        self._ended: Callable[[], object] | None = None
        self._deadline: IDelayedCall | None = None

    @property
    def isIdle(self) -> bool:
        """
        Whether the next message can go past.
        """
        return not self._queue and len(self._running) < self._concurrent

    def begun(self, message: Any, deferred: Deferred[Any]) -> None:
        """
        The application works on a message.

        @param deferred: fires when it is done.
        """
        size = getsizeof(message)
        self._running[deferred] = size
        self._connection.pendingChanged()
        self._held(size)
        deferred.addCallbacks(
            self._done, self._failed, (deferred,), errbackArgs=(deferred,)
        )

    def put(self, message: Any) -> None:
        """
        A message came: it waits for its turn, or goes past.
        """
        if self.isIdle:
            self._connection.deliverNow(message)
        else:
            self._queue.append(message)
            self._held(getsizeof(message))

    def _held(self, change: int) -> None:
        self.held += change
        count = len(self._running) + len(self._queue)
        most = self._mostBytes
        if not self._isOver:
            if count >= self._most or (most is not None and self.held >= most):
                self._isOver = True
                self._connection.hold(Hold.PENDING)
        elif count <= self._most // 2 and (most is None or self.held <= most // 2):
            self._isOver = False
            self._connection.release(Hold.PENDING)
        self._connection.weigh()

    def _done(self, ignored: object, deferred: Deferred[Any]) -> None:
        size = self._running.pop(deferred, None)
        if size is not None:
            self._next()
            self._connection.pendingChanged()
            self._held(-size)
            self._endIfDone()

    def _failed(self, failure: Failure, deferred: Deferred[Any]) -> None:
        if deferred in self._running:
            isCancelled = self._ended is not None and failure.check(CancelledError)
            if not isCancelled:
                self._connection.laterFailed(failure)
        self._done(None, deferred)

    def _next(self) -> None:
        """
        Deliver what waits, as far as the application does not take time over it.
        """
        while self._queue and len(self._running) < self._concurrent:
            message = self._queue.popleft()
            self._connection.deliverNow(message)
            self._held(-getsizeof(message))

    def discard(self) -> None:
        """
        We gave the connection up: what waits is not to be delivered.
        """
        dropped = sum(map(getsizeof, self._queue))
        self._queue.clear()
        self._held(-dropped)

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
        for deferred in list(self._running):
            deferred.cancel()
        for deferred in list(self._running):
            # It does not let itself be cancelled.
            self._done(None, deferred)
        self._endIfDone()

    def _endIfDone(self) -> None:
        if self._ended is None or self._running or self._queue:
            return
        self._stopClock()
        ended, self._ended = self._ended, None
        ended()

    def _stopClock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
