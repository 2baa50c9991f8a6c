# -*- test-case-name: tests.test_outgoing -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Sending no faster than the peer reads: the gate that the application's producers and
Deferreds wait at, and messages that are sent piece by piece.

A connection's own C{pauseProducing} means receiving less; what pauses the sending side
is a gate.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import (
    IConsumer,
    IDelayedCall,
    IProducer,
    IReactorTime,
)
from twisted.logger import Logger
from zope.interface import implementer

from ._wire.errors import IllegalFrame
from ._wire.frames import Frame, Opcode, asBytes
from .errors import ConnectionClosed


def nobody() -> None:
    """
    Is told of failures where nobody else is.
    """


class SendGate:
    """
    Open while no more than C{sendHighWater} bytes wait.

    @ivar isOpen: whether it is.
    """

    __slots__ = (
        "_clock",
        "_closed",
        "_failed",
        "_isShut",
        "_producer",
        "_pull",
        "_pulling",
        "_waiting",
        "isOpen",
    )

    _log = Logger()

    def __init__(
        self, clock: IReactorTime, failed: Callable[[], object] = nobody
    ) -> None:
        """
        @param failed: called, while the exception is handled, when the application's
            producer raises one.
        """
        self.isOpen = True
        self._clock = clock
        self._failed = failed
        self._isShut = False
        self._closed: ConnectionClosed | None = None
        # A set with an order, from which any can be taken in no time; made when it is
        # needed.
        self._waiting: OrderedDict[Deferred[None], None] | None = None
        self._producer: Any = None
        self._pulling = False
        self._pull: IDelayedCall | None = None

    def whenWritable(self) -> Deferred[None]:
        """
        See L{IWebSocketTransport.whenWritable
        <twisted_ws.interfaces.IWebSocketTransport.whenWritable>}.
        """
        if self._closed is not None:
            return fail(self._closed.again())
        if self.isOpen:
            return succeed(None)
        if self._waiting is None:
            self._waiting = OrderedDict()
        waiting: Deferred[None] = Deferred(self._waiting.pop)
        self._waiting[waiting] = None
        return waiting

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """
        See L{IConsumer.registerProducer}.

        @raise RuntimeError: when one is registered.
        """
        if self._producer is not None:
            raise RuntimeError(
                f"cannot register {producer!r}: {self._producer!r} was not unregistered"
            )
        self._producer = producer
        self._pulling = not streaming
        if self._isShut:
            self._stopProducer()
        elif self._pulling:
            self._pullSoon()
        elif not self.isOpen:
            self._pause()

    def unregisterProducer(self) -> None:
        """
        See L{IConsumer.unregisterProducer}.
        """
        self._producer = None
        if self._pull is not None:
            self._pull.cancel()
            self._pull = None

    def pauseProducing(self) -> None:
        """
        Enough waits.
        """
        if self.isOpen:
            self.isOpen = False
            if self._producer is not None and not self._pulling:
                self._pause()

    def resumeProducing(self) -> None:
        """
        Little enough waits.
        """
        if self.isOpen or self._isShut:
            return
        self.isOpen = True
        while self._waiting and self.isOpen:
            self._waiting.popitem(last=False)[0].callback(None)
        if self._producer is not None and self.isOpen:
            if self._pulling:
                self._pullSoon()
            else:
                self._resume()

    def shut(self) -> None:
        """
        Nothing more can be sent: tell the application's producer, and each that
        comes later.
        """
        self._isShut = True
        self._stopProducer()

    def _stopProducer(self) -> None:
        producer = self._producer
        if producer is not None:
            self.unregisterProducer()
            try:
                producer.stopProducing()
            except BaseException:
                # Its failure must not keep the connection from ending.
                self._log.failure("{producer!r} failed to stop", producer=producer)

    def end(self, closed: ConnectionClosed) -> None:
        """
        The connection is gone: fail what still waits.
        """
        self._closed = closed
        if not self._isShut:
            self.shut()
        self._failed = nobody
        while self._waiting:
            self._waiting.popitem(last=False)[0].errback(closed.again())

    def _pullSoon(self) -> None:
        if self._pull is None:
            self._pull = self._clock.callLater(0, self._pullOnce)

    def _pullOnce(self) -> None:
        self._pull = None
        producer = self._producer
        if self.isOpen:
            self._resume()
            if self._pulling and self._producer is producer:
                self._pullSoon()

    def _pause(self) -> None:
        try:
            self._producer.pauseProducing()
        except BaseException:
            self._failed()

    def _resume(self) -> None:
        try:
            self._producer.resumeProducing()
        except BaseException:
            self._failed()


@implementer(IConsumer)
class OutgoingMessage:
    """
    A message that is sent as it is written, one frame a piece (RFC 6455 section
    5.4).

    It is an L{IConsumer}: L{twisted.protocols.basic.FileSender} and any other
    producer can write it.  Nothing else but control frames can be sent before
    C{finish}.
    """

    def __init__(
        self,
        sendFrame: Callable[[Frame], Any],
        gate: SendGate,
        opcode: int | None,
        compress: bool | None = None,
    ) -> None:
        self._sendFrame = sendFrame
        self._gate = gate
        self._opcode = opcode
        self._compress = compress
        self._begun = False
        self._finished = False

    def write(self, data: str | bytes) -> None:
        """
        Send a piece; an empty one is not worth a frame.

        @param data: C{str} for text; C{bytes} for binary, or for text that is
            encoded already.
        @raise ConnectionNotOpen: when the connection is closing or closed.
        @raise IllegalFrame: after C{finish}, while another message is being sent,
            or when it is text but not UTF-8.
        @raise TypeError: for text in a binary message.
        """
        if self._finished:
            raise IllegalFrame("the message is finished")
        opcode = Opcode.BINARY
        if isinstance(data, str):
            if self._opcode not in (None, Opcode.TEXT):
                raise TypeError("text cannot be part of a binary message")
            opcode = Opcode.TEXT
            data = data.encode("utf-8")
        elif not isinstance(data, bytes):
            data = asBytes(data)
        if self._opcode is None:
            self._opcode = opcode
        if data:
            self._send(data, fin=False)

    def finish(self) -> None:
        """
        End the message.

        @raise ConnectionNotOpen: when the connection is closing or closed.
        @raise IllegalFrame: when it is finished, or its text ends within a
            character.
        """
        if self._finished:
            raise IllegalFrame("the message is finished")
        self._send(b"", fin=True)

    def _send(self, payload: bytes, fin: bool) -> None:
        opcode = self._opcode if self._opcode is not None else Opcode.TEXT
        before = self._begun
        # What is sent may make the carrier pause a producer, which may come back
        # here.
        self._begun, self._finished = True, fin
        try:
            kind = 0 if before else opcode
            self._sendFrame(Frame(kind, payload, fin, 0, self._compress))
        except BaseException:
            self._begun, self._finished = before, False
            raise

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """
        See L{IConsumer.registerProducer}.
        """
        self._gate.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """
        See L{IConsumer.unregisterProducer}.
        """
        self._gate.unregisterProducer()
