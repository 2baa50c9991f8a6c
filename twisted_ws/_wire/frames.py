# -*- test-case-name: tests.test_frames -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What a frame is (RFC 6455 section 5.2), and the rules of a single frame and of a
sequence of them.
"""

from __future__ import annotations

import codecs
from enum import IntEnum
from typing import NamedTuple, Protocol

from .errors import IllegalFrame, ProtocolViolation

_utf8Decode = codecs.utf_8_decode


class Opcode(IntEnum):
    """
    What a frame is for (RFC 6455 section 11.8).
    """

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


class Frame(NamedTuple):
    """
    One frame, unmasked.

    @ivar opcode: an L{Opcode}.
    @ivar payload: its bytes; those of text need not end between two characters
        unless C{fin} is true.
    @ivar fin: whether it ends its message.
    @ivar rsv: the reserved bits that are set: an or of L{RSV1}, L{RSV2} and L{RSV3};
        extensions set and clear them.
    @ivar compress: of the first frame of a message that is sent: C{False} if no
        extension may compress it, C{True} if one that would not, because it is short,
        should; C{None} to leave it to them.  C{None} on what is received.
    """

    opcode: int
    payload: bytes = b""
    fin: bool = True
    rsv: int = 0
    compress: bool | None = None


FIN = 0x80
RSV1, RSV2, RSV3 = 0x40, 0x20, 0x10
RESERVED = RSV1 | RSV2 | RSV3
CONTROL = 0x08
"""
The bit that the opcodes of control frames have.
"""

MAX_CONTROL_PAYLOAD = 125


class Settings(Protocol):
    """
    The options of the wire; L{twisted_ws.ServerConfig} documents them.
    """

    @property
    def maxReceivedFrameSize(self) -> int | None: ...
    @property
    def maxReceivedMessageSize(self) -> int | None: ...
    @property
    def maxReceivedFragments(self) -> int | None: ...
    @property
    def fragmentOutgoingMessages(self) -> bool: ...
    @property
    def fragmentationThreshold(self) -> int: ...
    @property
    def assembleFragments(self) -> bool: ...
    @property
    def framesPerTurn(self) -> int: ...


class Utf8Decoder:
    """
    Decodes UTF-8 that comes in pieces, and fails at the first byte that no
    continuation could make good.
    """

    def __init__(self) -> None:
        self._tail = b""

    def decode(self, chunk: bytes, final: bool = False) -> str:
        """
        @return: the characters that are complete with this chunk.
        @raise UnicodeDecodeError: when it is not UTF-8, or C{final} and it ends
            within a character.
        """
        if self._tail:
            chunk = self._tail + chunk
        text, used = _utf8Decode(chunk, "strict", final)
        if used == len(chunk):
            self._tail = b""
            return text
        tail = chunk[used:]
        # The codec waits for the third byte of a surrogate, which is never good.
        if tail[:1] == b"\xed" and tail[1:2] > b"\x9f":
            raise UnicodeDecodeError("utf-8", chunk, used, used + 1, "a surrogate")
        self._tail = tail
        return text


def checkStart(first: int, length: int, inMessage: bool, claimed: int) -> None:
    """
    Judge what the first two bytes of a received frame tell (RFC 6455 sections 5.2,
    5.4 and 5.5).

    @param first: the first byte.
    @param length: the seven bits of length in the second.
    @param inMessage: whether a fragmented message is not complete.
    @param claimed: the reserved bits that a data frame may have here.
    @raise ProtocolViolation: when no such frame may come here.
    """
    opcode = first & 0x0F
    reserved = first & RESERVED
    if reserved and (reserved & ~claimed or opcode & CONTROL):
        raise ProtocolViolation("a reserved bit that no extension claimed")
    if opcode > Opcode.PONG or Opcode.BINARY < opcode < Opcode.CLOSE:
        raise ProtocolViolation(f"an unknown opcode: {opcode}")
    if opcode & CONTROL:
        if not first & FIN:
            raise ProtocolViolation("a fragmented control frame")
        if length > MAX_CONTROL_PAYLOAD:
            raise ProtocolViolation("a control frame of more than 125 bytes")
    elif opcode and inMessage:
        raise ProtocolViolation("a new message within a fragmented one")
    elif not opcode and not inMessage:
        raise ProtocolViolation("a continuation of nothing")


class OutgoingSequence:
    """
    Judges the frames that an application sends one by one.

    @ivar opcode: of the message that is not finished, C{0} if there is none.
    """

    __slots__ = ("_text", "opcode")

    def __init__(self) -> None:
        self.opcode = 0
        self._text: Utf8Decoder | None = None

    def check(self, frame: Frame) -> None:
        """
        @raise IllegalFrame: when RFC 6455 forbids to send C{frame} now; then it
            changes nothing.
        """
        if frame.rsv:
            raise IllegalFrame("a reserved bit that no extension claimed")
        if frame.opcode & CONTROL:
            if frame.opcode not in (Opcode.PING, Opcode.PONG) or not frame.fin:
                raise IllegalFrame(f"no control frame can be {frame!r}")
            if len(frame.payload) > MAX_CONTROL_PAYLOAD:
                raise IllegalFrame("a control frame of more than 125 bytes")
        else:
            self._checkData(*frame[:3])

    def _checkData(self, opcode: int, payload: bytes, fin: bool) -> None:
        if opcode not in (Opcode.CONTINUATION, Opcode.TEXT, Opcode.BINARY):
            raise IllegalFrame(f"unknown opcode {opcode}")
        if opcode and self.opcode:
            raise IllegalFrame("a new message within one that is not finished")
        if not opcode and not self.opcode:
            raise IllegalFrame("a continuation of nothing")
        text = Utf8Decoder() if opcode == Opcode.TEXT else self._text
        if text is not None:
            try:
                text.decode(payload, fin)
            except UnicodeDecodeError as error:
                raise IllegalFrame(f"text that is not UTF-8: {error}") from None
        self.opcode = 0 if fin else opcode or self.opcode
        self._text = None if fin else text


def asBytes(message: object) -> bytes:
    """
    @raise TypeError: when C{message} is neither text nor a buffer.
    """
    try:
        return bytes(memoryview(message))  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(
            f"a message is str, bytes or a buffer, not {type(message).__name__}"
        ) from None
