# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
RFC 7692 section 7.2.2 once more, by L{zlib} alone, a whole message at a time: it need
not be fast, nor bounded by anything but what is asked for.
"""

from __future__ import annotations

import zlib
from typing import Any

TAIL = b"\x00\x00\xff\xff"


class Damaged(Exception):
    """
    No message has such data.
    """


class TooLong(Exception):
    """
    There is more in it than was asked for.
    """


class Plain:
    """
    Decompresses the messages of one side.

    @ivar forgets: whether each message is by itself.
    """

    def __init__(self, bits: int, forgets: bool) -> None:
        """
        @param bits: the size of the window.
        @param forgets: whether each message is by itself.
        """
        self._bits = -bits
        self.forgets = forgets
        self._memory: Any = None

    def read(self, encoded: bytes, fin: bool, most: int, step: int = 0) -> bytes:
        """
        @param encoded: the payload of a message; of its first frames, unless C{fin}.
        @param most: bytes, how long it may be.
        @param step: how much is decompressed at once: what was before is in the
            window, or nowhere.  0 for all.
        @return: the message.
        @raise Damaged: when it is not one, or, if C{fin}, not a whole one.
        """
        try:
            made, message = self._begin(encoded, most, step)
            if fin:
                made = self._end(made)
                self._memory = None if self.forgets else made
        except zlib.error as error:
            raise Damaged(str(error)) from None
        return message

    def _begin(self, rest: bytes, most: int, step: int) -> tuple[Any, bytes]:
        """
        @return: what is to go on, C{None} behind a final block; and the message.
        """
        made = self._memory.copy() if self._memory else self._new()
        message = b""
        while True:
            wanted = most + 1 - len(message)
            wanted = min(wanted, step) if step else wanted
            data = made.decompress(rest, wanted)
            message += data
            if len(message) > most:
                raise TooLong
            if made.eof:
                rest = made.unused_data
                if not rest:
                    return None, message
                made = self._new()
            else:
                rest = made.unconsumed_tail
                if not rest and len(data) < wanted:
                    return made, message

    def _new(self) -> Any:
        return zlib.decompressobj(self._bits)

    @staticmethod
    def _end(made: Any) -> Any:
        """
        @return: what reads the next message; C{None} if that is one of no memory.
        @raise Damaged: when the message was cut off.
        """
        if made is None:
            return None
        if made.decompress(TAIL):
            raise Damaged("cut off, since its end is data")
        if made.eof:
            if made.unused_data:
                raise Damaged("cut off, since it ends before its end")
            return None
        again = made.copy()
        if again.decompress(b"\x01\x00\x00\xff\xff"):
            raise Damaged("cut off, since a block would be data")
        if not again.eof or again.unused_data:
            raise Damaged("cut off")
        return made
