# -*- test-case-name: tests.test_broadcast -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A message for many.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .frames import FIN, Opcode, asBytes
from .sender import encodeFrame

if TYPE_CHECKING:
    from .chain import Chain
    from .gathering import Buffers


class Prepared:
    """
    A message for many connections, which is serialised once for all to which it goes
    in the same way: as it is, in one frame or in frames of the same length, or through
    extensions that make the same of it.

    @ivar opcode: what it is, text or binary.
    @ivar payload: its payload.
    @ivar size: the bytes of that.
    @ivar frame: it as it is in one frame, unmasked.
    """

    __slots__ = ("_made", "frame", "opcode", "payload", "size")

    def __init__(self, message: str | bytes) -> None:
        """
        @raise UnicodeEncodeError: for text with lone surrogates.
        @raise TypeError: for what is no message.
        """
        if isinstance(message, str):
            self.payload = message.encode("utf-8")
            self.opcode = int(Opcode.TEXT)
        else:
            self.payload = message if type(message) is bytes else asBytes(message)
            self.opcode = int(Opcode.BINARY)
        self.size = len(self.payload)
        self.frame = encodeFrame(FIN | self.opcode, self.payload, False)
        self._made: dict[object, bytes] = {}

    def framesBy(
        self,
        encode: Callable[[int, bytes, bool | None], Buffers],
        chain: Chain | None,
        step: int,
        compress: bool | None,
    ) -> bytes:
        """
        Serialise it for one that does not send it as it is in one frame.

        @param encode: does so.
        @param chain: the extensions by which that does.
        @param step: the most bytes that it puts into a frame.
        @param compress: what it tells the extensions.
        @return: what C{encode} makes, or made for another.
        """
        key: Any = step
        if chain is not None:
            if chain.sharedKey is None:
                return b"".join(encode(self.opcode, self.payload, compress))
            key = step, chain.sharedKey, compress
        made = self._made.get(key)
        if made is None:
            made = b"".join(encode(self.opcode, self.payload, compress))
            self._made[key] = made
        return made
