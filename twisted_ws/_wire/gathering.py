# -*- test-case-name: tests.test_gathering -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The way to the carrier: what is written while one read is handled leaves in one piece.

This file is also meant to be compiled as it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .life import Life

Buffers = Sequence[bytes | memoryview]
WriteMany = Callable[[Buffers, int], object]

_MOST_GATHERED = 1 << 16
"""
Bytes that are gathered while one read is handled, at most; so the carrier can say in
time that it is full.
"""

_COPIED_UP_TO = 1 << 13
"""
Bytes that are rather copied together than handed to the system one by one.
"""


def notConnected(*ignored: object) -> None:
    """
    Stands in for the carrier and the receiver where there is none.
    """


class Gathering(Life):
    """
    Writes by C{_write}; gathers while C{_parts} is a list.
    """

    __slots__ = ("_gathered", "_gathers", "_parts", "_write", "_writeMany")

    def __init__(self) -> None:
        Life.__init__(self)
        self._write: Callable[[bytes], object] = notConnected
        self._writeMany: WriteMany | None = None
        self._gathers = False  # there is a carrier
        self._parts: list[Any] | None = None
        self._gathered = 0  # bytes in it

    def _connectWrite(
        self,
        write: Callable[[bytes], object],
        writeMany: WriteMany | None = None,
    ) -> None:
        """
        From now on, write by this.

        @param writeMany: writes several buffers, one behind the other, as one; it is
            told how many bytes that is.
        """
        self._write = write
        self._writeMany = writeMany
        self._gathers = True
        self._parts = None

    def _put(self, data: bytes) -> None:
        """
        Write, when the read is handled that is being handled, if any.
        """
        if self._parts is None:
            self._write(data)
            return
        self._gathered += len(data)
        self._parts.append(data)
        if self._gathered >= _MOST_GATHERED:
            self._flush()

    def _putMany(self, buffers: Buffers) -> None:
        """
        Likewise, several buffers that nothing may come between.
        """
        size = 0
        for each in buffers:
            size += len(each)
        if self._parts is None:
            self._writeBuffers(buffers, size)
            return
        self._gathered += size
        self._parts += buffers
        if self._gathered >= _MOST_GATHERED:
            self._flush()

    def _flush(self) -> None:
        """
        Write what was gathered, and gather anew.
        """
        if self._parts:
            parts = self._parts
            size = self._gathered
            self._parts = []
            self._gathered = 0
            self._writeBuffers(parts, size)

    def _writeBuffers(self, buffers: Buffers, size: int) -> None:
        if self._writeMany is None or size <= _COPIED_UP_TO:
            self._write(b"".join(buffers))
        else:
            self._writeMany(buffers, size)
