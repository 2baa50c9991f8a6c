# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Extensions for the targets: two of their own, small, with a state, a rule that a peer
can break, and a fault; and what there is to compress with.
"""

from __future__ import annotations

from importlib.util import find_spec

from twisted_ws import Frame
from twisted_ws._wire.errors import InvalidPayload, PayloadTooBig
from twisted_ws.extensions import RSV1, RSV2, Extension

IMPLEMENTATIONS = ("zlib", "zlib")
"""
What L{PerMessageDeflate<twisted_ws.extensions.PerMessageDeflate>} can use here.
"""
for _name, _module in (("zlib-ng", "zlib_ng"), ("isal", "isal")):
    if find_spec(_module) is not None:
        IMPLEMENTATIONS += (_name,)


class Misused(BaseException):
    """
    An extension was asked for what it never has to see.
    """


def checkAsked(extension: Extension, frame: Frame, mayBe: int) -> None:
    """
    @param mayBe: the reserved bits that the frame may have.
    @raise Misused: for a control frame, or bits that are none of the extension's.
    """
    if frame.opcode > 2 or frame.rsv & ~mayBe or not isinstance(frame.payload, bytes):
        raise Misused(f"{extension.name} was asked for {frame}")


class Hexing(Extension):
    """
    Sends messages that are hexadecimal digits as the bytes they stand for; so what it
    decodes is twice as long, however its frames are cut.  Two 0xFF in a row break
    its rules.
    """

    name = "x-hex"
    rsv = RSV1
    perMessage = True

    def __init__(self) -> None:
        self._marked = False

    def encode(self, frame: Frame) -> Frame:
        checkAsked(self, frame, RSV2)
        if not frame.opcode or not frame.fin:
            return frame
        try:
            packed = bytes.fromhex(frame.payload.decode("ascii"))
        except ValueError:
            return frame
        if b"\xff\xff" in packed or packed.hex().encode() != frame.payload:
            return frame
        return frame._replace(payload=packed, rsv=frame.rsv | RSV1)

    def decode(self, frame: Frame, maxSize: int) -> Frame:
        checkAsked(self, frame, RSV1 | RSV2 if frame.opcode else RSV2)
        if frame.opcode:
            self._marked = bool(frame.rsv & RSV1)
        if not self._marked:
            return frame
        if b"\xff\xff" in frame.payload:
            raise InvalidPayload("not to be written in digits")
        if 2 * len(frame.payload) > maxSize:
            raise PayloadTooBig("too many digits", "maxReceivedMessageSize")
        digits = frame.payload.hex().encode()
        return frame._replace(payload=digits, rsv=frame.rsv & ~RSV1)


class Flipping(Extension):
    """
    Turns frames around.  It does not mind C{maxSize}, and fails at a frame that ends
    with two zeros.
    """

    name = "x-flip"
    rsv = RSV2
    perMessage = False

    def encode(self, frame: Frame) -> Frame:
        checkAsked(self, frame, RSV1)
        if frame.payload[:2] == b"\0\0":
            return frame
        return frame._replace(payload=frame.payload[::-1], rsv=frame.rsv | RSV2)

    def decode(self, frame: Frame, maxSize: int) -> Frame:
        checkAsked(self, frame, RSV1 | RSV2 if frame.opcode else RSV2)
        if not frame.rsv & RSV2:
            return frame
        if frame.payload[-2:] == b"\0\0":
            raise RuntimeError("a fault")
        return frame._replace(payload=frame.payload[::-1], rsv=frame.rsv & ~RSV2)
