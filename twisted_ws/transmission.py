# -*- test-case-name: tests.test_transmission -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What goes out, no faster than the peer takes it.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from twisted.internet.defer import Deferred, fail

from ._buffered import bufferedIn
from ._wire.errors import ConnectionNotOpen
from ._wire.frames import Frame, Opcode
from ._wire.state import State
from .delivery import SENT
from .errors import ConnectionClosed
from .holds import Hold
from .outbox import Outbox
from .outgoing import OutgoingMessage, SendGate
from .pings import Pings
from .reception import Reception
from .watches import Watches


class Transmission(Reception):
    """
    The sending half of a connection.
    """

    __slots__ = ("_madeGate", "_madePings", "_outbox")

    _ended: ConnectionClosed | None
    _watches: Watches | None

    def _initTransmission(self) -> None:
        self._sent = SENT
        self._outbox = Outbox(self)  # type: ignore[arg-type]
        # Made when they are needed: most connections never need them.
        self._madeGate: SendGate | None = None
        self._madePings: Pings | None = None

    @property
    def _gate(self) -> SendGate:
        gate = self._madeGate
        if gate is None:
            gate = self._madeGate = SendGate(self.clock, self._receiverFailed)
            if self._ended is not None:
                gate.end(self._ended)
            elif self.state != State.OPEN:
                gate.shut()
        return gate

    @property
    def isWritable(self) -> bool:
        """
        Whether no more than C{sendHighWater} bytes wait.
        """
        return self._madeGate is None or self._madeGate.isOpen

    # Sending

    def trySend(self, message: str | bytes, compress: bool | None = None) -> bool:
        """
        See L{IWebSocketTransport.trySend}.
        """
        if self.state == State.OPEN:
            self._outbox.judge()
            if not self.isWritable:
                return False
        self.sendMessage(message, compress)
        return True

    def beginMessage(
        self, opcode: int | None = None, compress: bool | None = None
    ) -> OutgoingMessage:
        """
        See L{IWebSocketTransport.beginMessage}.

        @raise ConnectionNotOpen: when the connection is closing or closed.
        """
        if self.state != State.OPEN or self._sequence.opcode:
            self._refuseMessage()
        return OutgoingMessage(self.sendFrame, self._gate, opcode, compress)

    def ping(self, payload: bytes | None = None) -> Deferred[float]:
        """
        See L{IWebSocketTransport.ping}.

        @raise IllegalFrame: when C{payload} is longer than 125 bytes.
        """
        if self._ended is not None:
            return fail(self._ended.again())
        pings = self._madePings
        if pings is None:
            pings = self._madePings = Pings(self.clock)
        if payload is None:
            payload = pings.newPayload()
        try:
            self.sendFrame(Frame(Opcode.PING, payload))
        except ConnectionNotOpen as error:
            return fail(error)
        return pings.sent(payload)

    def pong(self, payload: bytes = b"") -> None:
        """
        See L{IWebSocketTransport.pong}.
        """
        self.sendFrame(Frame(Opcode.PONG, payload))

    def _ponged(self, payload: bytes) -> None:
        if self._madePings is not None:
            self._madePings.answered(payload)
        if self._pongReceived is not None:
            try:
                self._pongReceived(payload)
            except BaseException:
                self._receiverFailed()

    @property
    def bufferedAmount(self) -> int:
        """
        See L{IWebSocketTransport.bufferedAmount}.
        """
        if self._ended is not None or self.carrier is None:
            return 0
        gathered = self._gathered if self._parts else 0
        return self._outbox.size + gathered + bufferedIn(self.carrier)

    @property
    def messagesDropped(self) -> int:
        """
        Messages that C{slowReaderPolicy} has dropped.
        """
        return self._outbox.dropped

    @property
    def messagesCoalesced(self) -> int:
        """
        Messages whose place a newer one with the same key has taken.
        """
        return self._outbox.coalesced

    def whenWritable(self) -> Deferred[None]:
        """
        See L{IWebSocketTransport.whenWritable}.
        """
        # What the carrier has may have become more since it was full.
        self._outbox.judge()
        return self._gate.whenWritable()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """
        See L{IWebSocketTransport.registerProducer}.
        """
        self._gate.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """
        See L{IWebSocketTransport.unregisterProducer}.
        """
        self._gate.unregisterProducer()

    # What waits to be sent; for the outbox

    def _enqueue(self, frame: Frame, key: Hashable, isWhole: bool = True) -> Any:
        return self._outbox.add(frame, key, isWhole)

    def _writeControl(self, data: bytes) -> None:
        self._outbox.writeControl(data)

    def writeNow(self, data: bytes) -> None:
        """
        Write to the carrier, which may say at once that it is full, or be told to close
        next.
        """
        self._flush()
        self._write(data)

    def writeSoon(self, data: bytes) -> None:
        """
        Write to the carrier when the read is handled that is being handled, if any.
        """
        Reception._writeControl(self, data)

    def encodeItem(self, frame: Frame, isWhole: bool) -> bytes:
        """
        Serialise what has waited.

        @raise ConnectionNotOpen: when an extension fails.
        """
        if isWhole:
            buffers = self._encodeMessage(frame.opcode, frame.payload, frame.compress)
        else:
            buffers = self._encodeFrame(frame)
        return b"".join(buffers)

    def mustQueue(self, isQueueing: bool) -> None:
        """
        From now on messages have to wait, or need not any more.
        """
        self._queueing = isQueueing
        self._settle()

    def outboxWaits(self, isWaiting: bool) -> None:
        """
        The peer has something to take, or has taken all.
        """
        if self._watches is not None:
            self._watches.outboxWaits(isWaiting)

    def congested(self, isCongested: bool) -> None:
        """
        C{sendHighWater} was reached, or C{sendLowWater}.
        """
        if not isCongested:
            if self._madeGate is not None:
                self._madeGate.resumeProducing()
            # Who was told of it may have filled the carrier again.
            if self.isWritable and self._holds & Hold.CONGESTION:
                self.release(Hold.CONGESTION)
            return
        self._gate.pauseProducing()
        if self.config.pauseWhileCongested and self.state == State.OPEN:
            self.hold(Hold.CONGESTION)

    def roomAgain(self) -> None:
        """
        The carrier is empty.
        """
        if self._pongs is not None:
            self._pongs.roomAgain()

    @property
    def hasRoom(self) -> bool:
        """
        Whether the carrier has room.
        """
        return not self._outbox.isFull

    def _writeClose(self, payload: bytes) -> None:
        frame = self._serialised(Frame(Opcode.CLOSE, payload))
        self._outbox.writeClose(b"".join(frame))

    def _extensionFailed(self) -> None:
        # What waits could not be encoded either.
        self._outbox.discard()
        Reception._extensionFailed(self)
