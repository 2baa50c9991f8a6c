# -*- test-case-name: tests.test_incoming -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Receiving a message piece by piece, as it comes in, however long it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IConsumer, IPushProducer
from zope.interface import implementer

from ._wire.frames import Opcode
from ._wire.state import State
from .errors import ConnectionClosed
from .holds import Hold

if TYPE_CHECKING:
    from .connection import WebSocketConnection


@implementer(IPushProducer)
class IncomingMessage:
    """
    A message that begins; given to a receiver's C{messageBegan}::

        class Uploads(MessageReceiver):
            def messageBegan(self, message):
                target = open("upload", "wb")
                done = message.deliverTo(target, maxSize=1 << 40)
                done.addBoth(lambda result: target.close())

    A message that is not taken there comes to C{messageReceived}, whole.

    @ivar opcode: C{Opcode.TEXT} or C{Opcode.BINARY}.
    @ivar size: payload bytes that were handed on so far.
    @ivar isTaken: whether C{deliverTo} was called.
    @ivar maxSize: the payload bytes that it may then have, C{None} for any number.
    """

    def __init__(self, connection: WebSocketConnection, opcode: int) -> None:
        self._connection: Any = connection
        self.opcode = Opcode(opcode)
        self.size = 0
        self.isTaken = False
        self.maxSize: int | None = None
        self._consumer: Any = None
        self._isConsumer = False
        self._isOver = False
        self._isPaused = False
        self._isCut = False
        self._done: Any = None
        self._canBeTaken = True

    def deliverTo(self, consumer: Any, maxSize: int | None = -1) -> Deferred[int]:
        """
        Have the pieces of the payload written to C{consumer} as they come; text as
        UTF-8, which is checked first.  To be called in C{messageBegan}.

        @param consumer: an L{IConsumer}, whose C{pauseProducing} pauses the
            connection; or whatever has C{write}, such as a file.
        @param maxSize: the payload bytes that the message may have; more fail the
            connection with 1009.  By default C{maxReceivedMessageSize}; C{None} for no
            limit.  C{maxReceivedFragments} does not count, C{maxReceivedFrameSize}
            does if it is set.  What extensions decode counts as they decoded it; a
            frame of it is bounded by C{maxReceivedMessageSize} too.
        @return: a Deferred that fires with the bytes of the whole message; it fails
            with L{ConnectionClosed<twisted_ws.ConnectionClosed>} when the connection
            ends before that, or with what C{consumer} raised.  Cancelling it drops the
            rest of the message.
        @raise RuntimeError: when it is too late, or was called before.
        """
        if not self._canBeTaken or self.isTaken:
            raise RuntimeError("a message can be taken once, in messageBegan")
        if maxSize == -1:
            maxSize = self._connection.config.maxReceivedMessageSize
        done: Deferred[int] = Deferred(self._cancelled)
        self.isTaken = True
        self.maxSize = maxSize
        self._consumer = consumer
        self._done = done
        self._isConsumer = IConsumer.providedBy(consumer)
        if self._isConsumer:
            try:
                consumer.registerProducer(self, True)
            except BaseException:
                self.isTaken = self._isConsumer = False
                self._consumer = self._done = None
                self.resumeProducing()
                raise
        return done

    def began(self) -> None:
        """
        It is too late to take it now.
        """
        self._canBeTaken = False

    def write(self, piece: bytes) -> None:
        """
        A piece came.  For the framer.
        """
        connection = self._connection
        if self._isOver:
            return
        if self._isPaused and connection.state != State.OPEN:
            # A connection that closes is read from, to find the peer's Close frame.
            # What would follow a piece that was dropped is no part of a message.
            self._isCut = True
        if self._isCut:
            return
        connection.pieceCame()
        self.size += len(piece)
        try:
            self._consumer.write(piece)
        except BaseException:
            self._end(lambda done: done.errback())
            connection.streamFailed()

    def finish(self) -> None:
        """
        The message is complete.  For the framer.
        """
        if not self._isCut:
            self._end(lambda done: done.callback(self.size))

    def fail(self, closed: ConnectionClosed) -> None:
        """
        The connection is gone.
        """
        self._end(lambda done: done.errback(closed.again()))

    def pauseProducing(self) -> None:
        """
        See L{IPushProducer.pauseProducing}.
        """
        if self._isOver or self._isPaused:
            return
        self._isPaused = True
        if self._connection.state == State.OPEN:
            self._connection.hold(Hold.STREAM)

    def resumeProducing(self) -> None:
        """
        See L{IPushProducer.resumeProducing}.
        """
        if self._isPaused:
            self._isPaused = False
            self._connection.release(Hold.STREAM)

    def stopProducing(self) -> None:
        """
        The consumer wants no more: the rest of the message is dropped, and the
        Deferred of C{deliverTo} is cancelled.
        """
        if self._done is not None:
            self._done.cancel()

    def _cancelled(self, done: Deferred[int]) -> None:
        self._end(lambda done: done.errback(CancelledError()))

    def _end(self, tell: Callable[[Deferred[int]], object]) -> None:
        if self._isOver:
            return
        self._isOver = True
        consumer, self._consumer = self._consumer, None
        done, self._done = self._done, None
        if self._isConsumer:
            try:
                consumer.unregisterProducer()
            except BaseException:
                self._connection.streamFailed()
        tell(done)
        # Last, as the next message may come with it.
        self.resumeProducing()
        # Who keeps this is not to keep the connection.
        self._connection = None
