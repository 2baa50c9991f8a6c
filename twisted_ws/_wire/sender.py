# -*- test-case-name: tests.test_framer_sending -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The sending half of a WebSocket: from messages to the bytes of frames (RFC 6455
sections 5.2 to 5.4 and 6.1).

A message that no extension sees and that goes as one frame is serialised by
C{sendMessage} itself; the rest goes the slow way.

This file is also meant to be compiled as it stands.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

from .chain import Chain
from .closing import unpackClose
from .errors import ConnectionNotOpen, IllegalFrame, ProtocolViolation
from .frames import CONTROL, FIN, Frame, Opcode, OutgoingSequence, Settings, asBytes
from .life import Life
from .masks import maskKeys, xorMask
from .state import State

_FIN, _CONTROL = FIN, CONTROL
_TEXT, _BINARY, _CLOSE = int(Opcode.TEXT), int(Opcode.BINARY), int(Opcode.CLOSE)
_WHOLE_TEXT, _WHOLE_BINARY = _FIN | _TEXT, _FIN | _BINARY
_OPEN = int(State.OPEN)
UNLIMITED = 1 << 63
"""
What no size exceeds.
"""

_HEADER = Struct("!BB").pack
_HEADER16 = Struct("!BBH").pack
_HEADER64 = Struct("!BBQ").pack


def encodeFrame(first: int, payload: bytes, masked: bool) -> bytes:
    """
    Serialise a frame.

    @param first: its first byte: FIN, reserved bits and opcode.
    @param masked: whether to mask it with a fresh key, as clients must.
    """
    size = len(payload)
    bit = 0x80 if masked else 0
    if size < 126:
        header = _HEADER(first, bit | size)
    elif size < 65536:
        header = _HEADER16(first, bit | 126, size)
    else:
        header = _HEADER64(first, bit | 127, size)
    if not masked:
        return header + payload
    key = maskKeys.take()
    return header + key + xorMask(payload, key)


def notConnected(*ignored: object) -> None:
    """
    Stands in for the carrier and the receiver where there is none.
    """


class Sender(Life):
    """
    Sends messages by C{_write}.
    """

    def __init__(
        self, isServer: bool, settings: Settings, chain: Chain | None = None
    ) -> None:
        """
        @param chain: the extensions, C{None} for none.
        """
        Life.__init__(self)
        self._write: Callable[[bytes], object] = notConnected
        # Clients mask and servers do not (RFC 6455 section 5.1).
        self._masksSent = not isServer
        self._chain = chain
        self._fragmentAbove = (
            settings.fragmentationThreshold
            if settings.fragmentOutgoingMessages
            else UNLIMITED
        )
        # Longer messages go the slow way: all of them, where there are extensions.
        self._plainUpTo = self._fragmentAbove if chain is None else -1
        self._sequence = OutgoingSequence()

    def sendMessage(self, message: str | bytes, compress: bool | None = None) -> None:
        """
        Send C{str} as text, C{bytes} (or any other buffer) as binary; in several
        frames when it is longer than C{fragmentationThreshold}.

        @param compress: C{False} to keep extensions from compressing it, C{True} to
            have it compressed however short it is.
        @raise ConnectionNotOpen: when the connection is closing or closed.
        @raise IllegalFrame: while a message is being sent piece by piece.
        @raise UnicodeEncodeError: for text with lone surrogates.
        @raise TypeError: for anything else.
        """
        if self.state != _OPEN or self._sequence.opcode:
            self._refuseMessage()
        if isinstance(message, str):
            payload = message.encode("utf-8")
            first = _WHOLE_TEXT
        else:
            payload = message if isinstance(message, bytes) else asBytes(message)
            first = _WHOLE_BINARY
        if len(payload) > self._plainUpTo:
            self._write(self._encodeMessage(first & 0x0F, payload, compress))
        else:
            self._write(encodeFrame(first, payload, self._masksSent))

    def _encodeMessage(
        self, opcode: int, payload: bytes, compress: bool | None
    ) -> bytes:
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
        frames = []
        for at in range(0, len(payload), step):
            fin = at + step >= len(payload)
            frame = Frame(opcode, payload[at : at + step], fin, 0, compress)
            frames.append(self._serialised(self._encoded(chain, frame)))
            opcode = 0
        return b"".join(frames)

    def _cut(self, first: int, payload: bytes) -> bytes:
        """
        Serialise a message as frames of C{fragmentationThreshold} bytes.

        @param first: the opcode and the reserved bits of the first.
        """
        step = self._fragmentAbove
        if len(payload) <= step:
            return encodeFrame(_FIN | first, payload, self._masksSent)
        last = (len(payload) - 1) // step * step
        frames = []
        for at in range(0, last, step):
            frames.append(encodeFrame(first, payload[at : at + step], self._masksSent))
            first = 0
        frames.append(encodeFrame(_FIN, payload[last:], self._masksSent))
        return b"".join(frames)

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

    def _serialised(self, frame: Frame) -> bytes:
        first = frame.opcode | frame.rsv | (_FIN if frame.fin else 0)
        return encodeFrame(first, frame.payload, self._masksSent)

    def sendFrame(self, frame: Frame) -> None:
        """
        Send one frame as it is, but for what extensions do to it; the mask is ours to
        choose.

        @raise ConnectionNotOpen: when the connection is closing or closed.
        @raise IllegalFrame: when RFC 6455 forbids it here: a wrong opcode, a
            reserved bit, a control frame over 125 bytes or in pieces, a
            continuation of nothing, a message within a message, text that is
            not UTF-8.
        """
        if not isinstance(frame.payload, bytes):
            frame = frame._replace(payload=asBytes(frame.payload))
        if frame.opcode == _CLOSE and frame.fin and not frame.rsv:
            try:
                self.close(*unpackClose(frame.payload))
            except ProtocolViolation as violation:
                raise IllegalFrame(str(violation)) from None
            return
        if self.state != _OPEN:
            self._refuseMessage()
        self._sequence.check(frame)
        if self._chain is not None and not frame.opcode & _CONTROL:
            frame = self._encoded(self._chain, frame)
        self._write(self._serialised(frame))

    def _refuseMessage(self) -> None:
        if self.state != _OPEN:
            raise self._refuse()
        raise IllegalFrame("a message is being sent piece by piece; finish it first")

    def _writeClose(self, payload: bytes) -> None:
        self._write(encodeFrame(_FIN | _CLOSE, payload, self._masksSent))

    def _extensionFailed(self) -> None:
        """
        An extension raised; called while that exception is handled.
        """
        self._fail(1011, "internal error")
