# -*- test-case-name: tests.test_framer_sending -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The sending half of a WebSocket: from messages to the bytes of frames (RFC 6455
sections 5.2 to 5.4 and 6.1).

A message that no extension sees and that goes as one frame is serialised by
C{sendMessage} itself; the rest goes the slow way.  So does everything while
C{_direct} is false: it stands for all that can keep a message from being written at
once, so that the hot path asks one question.

This file is also meant to be compiled as it stands.
"""

from __future__ import annotations

import sys
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from .chain import Chain
from .closing import unpackClose
from .errors import ConnectionNotOpen, IllegalFrame, ProtocolViolation
from .frames import CONTROL, FIN, Frame, Opcode, OutgoingSequence, Settings, asBytes
from .gathering import Buffers, Gathering
from .masks import maskKeys
from .payloads import frameHeader, wholeFrame, xorMask
from .state import Action, Event, State

if TYPE_CHECKING:
    from .prepared import Prepared

_FIN, _CONTROL = FIN, CONTROL
_TEXT, _BINARY, _CLOSE = int(Opcode.TEXT), int(Opcode.BINARY), int(Opcode.CLOSE)
_WHOLE_TEXT, _WHOLE_BINARY = _FIN | _TEXT, _FIN | _BINARY
_OPEN = int(State.OPEN)
UNLIMITED = (1 << 63) - 1
"""
What no size exceeds.
"""

_JOINED_UP_TO = 4096
"""
Payload bytes up to which a frame is put together: to copy few bytes costs less than to
hand on a header and a payload by themselves.
"""


def splitFrame(first: int, payload: bytes | memoryview, masked: bool) -> Buffers:
    """
    Serialise a frame, and copy no payload that is not to be masked.

    @param masked: whether to mask it with a fresh key, as clients must.
    @return: what comes before the payload, and the payload.
    """
    header = frameHeader(first, len(payload), masked)
    if not masked:
        return header, payload
    key = maskKeys.take()
    return header + key, xorMask(bytes(payload), key)


def encodeFrame(first: int, payload: bytes, masked: bool) -> bytes:
    """
    Serialise a frame; see L{splitFrame}, and L{wholeFrame
    <twisted_ws._wire._payloads_pure.wholeFrame>}.
    """
    return wholeFrame(first, payload, maskKeys.take() if masked else b"")


class Sender(Gathering):
    """
    Sends messages by C{_write}.

    @ivar messagesSent: messages that were sent, or queued to be sent, so far.
    @ivar piecesSent: frames of messages that were sent frame by frame, likewise.
    """

    __slots__ = (
        "_chain",
        "_direct",
        "_fragmentAbove",
        "_masksSent",
        "_plainUpTo",
        "_queueing",
        "_sent",
        "_sequence",
        "messagesSent",
        "piecesSent",
    )

    def __init__(
        self, isServer: bool, settings: Settings, chain: Chain | None = None
    ) -> None:
        """
        @param chain: the extensions, C{None} for none.
        """
        Gathering.__init__(self)
        self.messagesSent = 0
        self.piecesSent = 0
        self._direct = True  # nothing keeps a message from being written at once
        self._queueing = False  # what is sent has to wait behind what waits
        self._sent: Any = None  # what tells that a message was handed on
        # Clients mask and servers do not (RFC 6455 section 5.1).
        self._masksSent = not isServer
        self._chain = chain
        self._fragmentAbove = (
            settings.fragmentationThreshold
            if settings.fragmentOutgoingMessages
            else sys.maxsize
        )
        # Longer messages go the slow way: all of them, where there are extensions.
        self._plainUpTo = (
            min(self._fragmentAbove, _JOINED_UP_TO) if chain is None else -1
        )
        self._sequence = OutgoingSequence()

    def sendMessage(
        self,
        message: str | bytes,
        compress: bool | None = None,
        key: Hashable = None,
    ) -> Any:
        """
        Send C{str} as text, C{bytes} (or any other buffer) as binary; in several
        frames when it is longer than C{fragmentationThreshold}.

        @param compress: C{False} to keep extensions from compressing it, C{True} to
            have it compressed however short it is.
        @param key: what it is about, for C{slowReaderPolicy="coalesce"}.
        @return: what tells that it was handed on to the carrier.
        @raise ConnectionNotOpen: when the connection is closing or closed.
        @raise IllegalFrame: while a message is being sent piece by piece.
        @raise UnicodeEncodeError: for text with lone surrogates.
        @raise TypeError: for anything else.
        """
        if not self._direct and (self.state != _OPEN or self._sequence.opcode):
            self._refuseMessage()
        if isinstance(message, str):
            payload = message.encode("utf-8")
            first = _WHOLE_TEXT
        else:
            payload = message if type(message) is bytes else asBytes(message)
            first = _WHOLE_BINARY
        self.messagesSent += 1
        if not self._direct:
            return self._enqueue(Frame(first & 0x0F, payload, True, 0, compress), key)
        size = len(payload)
        if size > self._plainUpTo:
            self._putMany(self._encodeMessage(first & 0x0F, payload, compress))
        else:
            key = maskKeys.take() if self._masksSent else b""
            self._put(wholeFrame(first, payload, key))
        return self._sent

    def sendPrepared(
        self,
        prepared: Prepared,
        compress: bool | None = None,
        key: Hashable = None,
    ) -> Any:
        """
        Send a message that others are sent too; see C{sendMessage}.

        @raise ConnectionNotOpen: when the connection is closing or closed.
        @raise IllegalFrame: while a message is being sent piece by piece.
        """
        if not self._direct:
            if self.state != _OPEN or self._sequence.opcode:
                self._refuseMessage()
            self.messagesSent += 1
            return self._enqueue(
                Frame(prepared.opcode, prepared.payload, True, 0, compress), key
            )
        self.messagesSent += 1
        if self._masksSent:
            # With masks of its own.
            self._putMany(
                self._encodeMessage(prepared.opcode, prepared.payload, compress)
            )
        elif prepared.size <= self._plainUpTo:
            self._put(prepared.frame)
        else:
            step = self._fragmentAbove
            self._put(
                prepared.framesBy(self._encodeMessage, self._chain, step, compress)
            )
        return self._sent

    def _encodeMessage(
        self, opcode: int, payload: bytes, compress: bool | None
    ) -> Buffers:
        """
        Serialise a message as frames of C{fragmentationThreshold} bytes, through the
        extensions if there are some.
        """
        chain = self._chain
        if chain is None:
            return self._cut(opcode, payload)
        if chain.perMessage or len(payload) <= self._fragmentAbove:
            frame = self._encoded(chain, Frame(opcode, payload, True, 0, compress))
            if chain.perMessage:
                return self._cut(opcode | frame.rsv, frame.payload)
            return self._serialised(frame)
        # Extensions that change frames are to see those that will be sent.
        step = self._fragmentAbove
        buffers: list[bytes | memoryview] = []
        for at in range(0, len(payload), step):
            fin = at + step >= len(payload)
            frame = Frame(opcode, payload[at : at + step], fin, 0, compress)
            buffers += self._serialised(self._encoded(chain, frame))
            opcode = 0
        return buffers

    def _cut(self, first: int, payload: bytes) -> Buffers:
        """
        Serialise a message as frames of C{fragmentationThreshold} bytes.

        @param first: the opcode and the reserved bits of the first.
        """
        step = self._fragmentAbove
        if len(payload) <= step:
            return splitFrame(_FIN | first, payload, self._masksSent)
        last = (len(payload) - 1) // step * step
        view = memoryview(payload)
        buffers: list[bytes | memoryview] = []
        for at in range(0, last, step):
            buffers += splitFrame(first, view[at : at + step], self._masksSent)
            first = 0
        buffers += splitFrame(_FIN, view[last:], self._masksSent)
        return buffers

    def _encoded(self, chain: Chain, frame: Frame) -> Frame:
        """
        Put a data frame through the extensions.

        @raise ConnectionNotOpen: when one of them fails: the peer's side of it would
            not understand what follows, so the connection is over.
        """
        try:
            return chain.encode(frame)
        except Exception as error:
            self._extensionFailed()
            raise ConnectionNotOpen("an extension failed") from error

    def _serialised(self, frame: Frame) -> Buffers:
        first = frame.opcode | frame.rsv | (_FIN if frame.fin else 0)
        return splitFrame(first, frame.payload, self._masksSent)

    def sendFrame(self, frame: Frame) -> Any:
        """
        Send one frame as it is, but for what extensions do to it; the mask is ours to
        choose.  Control frames do not wait behind messages.

        @return: what tells that it was handed on to the carrier.
        @raise ConnectionNotOpen: when the connection is closing or closed.
        @raise IllegalFrame: when RFC 6455 forbids it here: a wrong opcode, a
            reserved bit, a control frame over 125 bytes or in pieces, a
            continuation of nothing, a message within a message, text that is
            not UTF-8.
        """
        if type(frame.payload) is not bytes:
            frame = frame._replace(payload=asBytes(frame.payload))
        if frame.opcode == _CLOSE and frame.fin and not frame.rsv:
            try:
                self.close(*unpackClose(frame.payload))
            except ProtocolViolation as violation:
                raise IllegalFrame(str(violation)) from None
            return self._sent
        if self.state != _OPEN:
            self._refuseMessage()
        self._sequence.check(frame)
        if frame.opcode & _CONTROL:
            self._writeControl(b"".join(self._serialised(frame)))
            return self._sent
        self.messagesSent += frame.fin
        self.piecesSent += 1
        self._settle()
        if self._queueing:
            return self._enqueue(frame, None, isWhole=False)
        self._putMany(self._encodeFrame(frame))
        return self._sent

    def _encodeFrame(self, frame: Frame) -> Buffers:
        """
        Serialise a data frame, through the extensions if there are some.
        """
        if self._chain is not None:
            frame = self._encoded(self._chain, frame)
        return self._serialised(frame)

    def _settle(self) -> None:
        """
        Something changed that C{_direct} stands for.
        """
        self._direct = (
            self.state == _OPEN and not self._sequence.opcode and not self._queueing
        )

    def _happened(self, event: Event) -> Action:
        action = Gathering._happened(self, event)
        self._settle()
        return action

    def _refuseMessage(self) -> None:
        if self.state != _OPEN:
            raise self._refuse()
        raise IllegalFrame("a message is being sent piece by piece; finish it first")

    def _writeClose(self, payload: bytes) -> None:
        self._put(encodeFrame(_FIN | _CLOSE, payload, self._masksSent))

    # For the connection to override

    def _writeControl(self, data: bytes) -> None:
        """
        Write a ping or a pong.
        """
        self._put(data)

    def _enqueue(self, frame: Frame, key: Hashable, isWhole: bool = True) -> Any:
        """
        Keep a message, or a frame of one, until those before it are written.

        @param frame: it; not encoded, so that one that is dropped leaves no gap in
            what extensions remember of those before.
        """
        raise NotImplementedError("nothing queues here")

    def _extensionFailed(self) -> None:
        """
        An extension raised; called while that exception is handled.
        """
        self._fail(1011, "internal error")
