# -*- test-case-name: tests.test_broadcast -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A message for many.
"""

from __future__ import annotations

from .frames import FIN, Opcode, asBytes
from .sender import encodeFrame


class Prepared:
    """
    A message for many connections, which is serialised once for all that send it as it
    is, in one frame.

    @ivar first: the first byte of that frame.
    @ivar payload: its payload.
    @ivar frame: the frame, unmasked.
    """

    __slots__ = ("first", "frame", "payload")

    def __init__(self, message: str | bytes) -> None:
        """
        @raise UnicodeEncodeError: for text with lone surrogates.
        @raise TypeError: for what is no message.
        """
        if isinstance(message, str):
            self.payload = message.encode("utf-8")
            self.first = FIN | Opcode.TEXT
        else:
            self.payload = message if isinstance(message, bytes) else asBytes(message)
            self.first = FIN | Opcode.BINARY
        self.frame = encodeFrame(self.first, self.payload, False)
