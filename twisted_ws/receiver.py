# -*- test-case-name: tests.test_receiver -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Receivers: what an application subclasses (L{MessageReceiver}), and one to await
messages from (L{Inbox}).
"""

from __future__ import annotations

from collections import deque
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.protocol import BaseProtocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from ._wire.sender import UNLIMITED
from .errors import ClosedCleanly, ConnectionClosed
from .holds import Hold
from .interfaces import IFrameReceiver, IMessageReceiver
from .pending import sizeOf

_ENDED = object()


@implementer(IMessageReceiver)
class MessageReceiver(BaseProtocol):
    """
    The base of an application::

        class Echo(MessageReceiver):
            def messageReceived(self, message):
                self.transport.sendMessage(message)

    It has the shape of a Twisted protocol, with messages for bytes; so
    L{Factory.forProtocol<twisted.internet.protocol.Factory.forProtocol>} makes a
    factory of it.

    If it has methods C{pingReceived} and C{pongReceived}, they are called as
    L{IControlReceiver<twisted_ws.interfaces.IControlReceiver>} says.

    @ivar transport: an L{IWebSocketTransport
        <twisted_ws.interfaces.IWebSocketTransport>}, set before C{connectionMade}.
    """

    transport: Any = None
    factory: Any = None

    def messageReceived(self, message: Any) -> object:
        """
        A message came; to be overridden.

        @param message: C{str} if it is text, C{bytes} if it is binary.
        """
        raise NotImplementedError(f"{type(self).__name__} has no messageReceived")

    def connectionLost(self, reason: Failure = connectionDone) -> object:
        """
        The connection is gone; may be overridden.

        @param reason: wraps a L{twisted_ws.ClosedCleanly} or a
            L{twisted_ws.ClosedAbruptly}; C{reason.value.code} is the close code.
        """
        return None


@implementer(IFrameReceiver)
class Inbox(MessageReceiver):
    """
    A receiver to pull messages from::

        inbox = await connect("wss://example.com/feed")
        async for message in inbox:
            print(message)

    Messages that nobody has asked for yet wait in the inbox; when there are
    C{maxPendingMessages} of them, or they have C{maxPendingBytes}, the connection is
    paused until half are taken; but once it is closing, what comes after that mark is
    dropped.  Under C{assembleFragments=False} it holds frames.

    @ivar highWater: a number of messages, if not C{maxPendingMessages}; set it on the
        class or the instance.
    """

    highWater: int | None = None

    def __init__(self) -> None:
        self._messages: deque[tuple[Any, int]] = deque()
        self._waiting: deque[Deferred[Any]] = deque()
        self._iterating: set[Deferred[Any]] = set()
        self._bytes = 0
        self._lost: Any = None
        self._paused = False

    def receive(self) -> Deferred[Any]:
        """
        Take the oldest message.

        @return: a Deferred of C{str} or C{bytes}.  When the connection is gone and all
            its messages are taken, it fails with L{twisted_ws.ClosedCleanly} or
            L{twisted_ws.ClosedAbruptly}.
        """
        if self._messages:
            message, size = self._messages.popleft()
            self._bytes -= size
            if self._paused and self._isWithin(2):
                self._paused = False
                self.transport.release(Hold.INBOX)
            return succeed(message)
        if self._lost is not None:
            return fail(self._end())
        waiting: Deferred[Any] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        return waiting

    def send(
        self, message: str | bytes, compress: bool | None = None
    ) -> Deferred[None]:
        """
        Send C{str} as text, C{bytes} as binary.

        @param compress: see L{IWebSocketTransport.sendMessage
            <twisted_ws.interfaces.IWebSocketTransport.sendMessage>}.
        @return: a Deferred that fires when it was handed on; it has fired already, if
            nothing waits.
        @raise ConnectionNotOpen: when the connection is closing or closed.
        """
        sent: Deferred[None] = self.transport.sendMessage(message, compress)
        return sent

    def close(self, code: int = 1000, reason: str = "") -> Deferred[Any]:
        """
        Close the connection.

        @return: a Deferred that fires when it is gone, with the
            L{twisted_ws.ConnectionClosed} that says how.
        """
        self.transport.close(code, reason)
        closed: Deferred[Any] = self.transport.whenClosed()
        return closed

    def _end(self) -> Exception:
        """
        @return: what to raise now that the connection is gone.
        """
        lost: Exception = self._lost
        return lost.again() if isinstance(lost, ConnectionClosed) else lost

    def __aiter__(self) -> Inbox:
        return self

    async def __anext__(self) -> Any:
        """
        Go over the messages up to a clean close; any other end raises
        L{twisted_ws.ClosedAbruptly}.
        """
        if self._lost is None or self._messages:
            waiting = self.receive()
            self._iterating.add(waiting)
            try:
                message = await waiting
            finally:
                self._iterating.discard(waiting)
            if message is not _ENDED:
                return message
        if isinstance(self._lost, ClosedCleanly):
            raise StopAsyncIteration
        raise self._end()

    def messageReceived(self, message: Any) -> None:
        """
        Keep the message, or hand it to who waits for one.
        """
        if self._waiting:
            self._waiting.popleft().callback(message)
            return
        size = sizeOf(message)
        self._messages.append((message, size))
        self._bytes += size
        if not self._paused and not self._isWithin(1):
            self._paused = True
            self.transport.hold(Hold.INBOX)

    def _isWithin(self, part: int) -> bool:
        """
        Tell whether there is less than what there may be, or no more than one
        C{part}th of it.
        """
        config = self.transport.config
        most = (self.highWater or config.maxPendingMessages) // part
        limit = config.maxPendingBytes
        mostBytes = UNLIMITED if limit is None else limit // part
        count = len(self._messages)
        if part == 1:
            return count < most and self._bytes < mostBytes
        return count <= most and self._bytes <= mostBytes

    def frameReceived(self, frame: Any) -> None:
        """
        Keep the frame likewise.
        """
        self.messageReceived(frame)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Fail who still waits.
        """
        self._lost = reason.value
        self._paused = False
        while self._waiting:
            waiting = self._waiting.popleft()
            if waiting in self._iterating:
                # A failed Deferred that is awaited would hold its frames in a cycle.
                waiting.callback(_ENDED)
            else:
                waiting.errback(self._end())
