# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What a peer sends, be it right or wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.wire import CLOSE, KEY, rawFrame


@dataclass(frozen=True)
class Part:
    """
    A frame of the peer's that is wrong, unusual, or not sent to its end.

    @ivar first: its first byte.
    @ivar key: its mask, if it has one.
    @ivar form: bits of its length: 7, 16 or 64; by default as few as will do.
    @ivar announced: the length that its header tells, if not the payload's.
    @ivar cut: how many bytes of it are sent, by default all.
    @ivar wrongMask: have it masked if it must not be, and the other way round.
    """

    first: int
    payload: bytes = b""
    key: bytes = KEY
    form: int | None = None
    announced: int | None = None
    cut: int | None = None
    wrongMask: bool = False

    def render(self, toServer: bool) -> bytes:
        """
        @return: the bytes.
        """
        key = self.key if toServer != self.wrongMask else None
        return rawFrame(
            self.first, self.payload, key, form=self.form, announced=self.announced
        )[: self.cut]


Piece = Part | bytes | tuple[int, bytes]
"""
What a peer sends: a part; bytes as they are; or a frame as it should be, as its first
byte and its payload.
"""


def render(pieces: tuple[Piece, ...], toServer: bool) -> bytes:
    """
    @return: the bytes of these pieces.
    """
    parts = [
        each
        if isinstance(each, bytes)
        else (each if isinstance(each, Part) else Part(*each)).render(toServer)
        for each in pieces
    ]
    return b"".join(parts)


def start(first: int, payload: bytes = b"", **layout: Any) -> Part:
    """
    @return: the first two bytes of a frame.
    """
    return Part(first, cut=2, **{"announced": len(payload), **layout})


def closeFrame(code: int, reason: bytes = b"") -> tuple[int, bytes]:
    """
    @return: a Close frame to send.
    """
    return CLOSE, code.to_bytes(2, "big") + reason
