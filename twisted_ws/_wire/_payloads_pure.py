# -*- test-case-name: tests.test_payloads -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Masking (RFC 6455 section 5.3) as fast as it can be done in Python, by integers of any
length; and collecting.  C{_payloads.pyx} is the same in C.
"""

from __future__ import annotations

from io import BytesIO

_BLOCK = 16384
"""
Bytes that are masked at a time: the working set of one block stays in a
processor's nearest caches.
"""


def xorMask(payload: bytes, key: bytes) -> bytes:
    """
    Mask or unmask a payload of any size with a key of four bytes (RFC 6455
    section 5.3), in linear time.
    """
    size = len(payload)
    if size <= _BLOCK:
        pattern = (key * ((size + 3) >> 2))[:size]
        mixed = int.from_bytes(payload, "little") ^ int.from_bytes(pattern, "little")
        return mixed.to_bytes(size, "little")
    whole = size - size % _BLOCK
    pad = int.from_bytes(key * (_BLOCK >> 2), "little")
    blocks = [
        (int.from_bytes(payload[at : at + _BLOCK], "little") ^ pad).to_bytes(
            _BLOCK, "little"
        )
        for at in range(0, whole, _BLOCK)
    ]
    blocks.append(xorMask(payload[whole:], key))
    return b"".join(blocks)


def unmasked(data: bytes, start: int, stop: int) -> bytes:
    """
    @param start: where the payload of a frame begins: behind its key.
    @param stop: where it ends.
    @return: that payload, unmasked.
    """
    size = stop - start
    payload = data[start:stop]
    key = data[start - 4 : start]
    if size > _BLOCK:
        return xorMask(payload, key)
    # As there, but for a call: this is what most messages go through.
    pattern = (key * ((size + 3) >> 2))[:size]
    mixed = int.from_bytes(payload, "little") ^ int.from_bytes(pattern, "little")
    return mixed.to_bytes(size, "little")


class Collector(BytesIO):
    """
    Puts a payload together, in linear time.
    """

    __slots__ = ()

    def expect(self, size: int) -> None:
        """
        So many bytes more will come, if the peer does as it announced.
        """

    def take(self, data: bytes, start: int, stop: int, key: bytes) -> None:
        """
        Add a part of a read.

        @param key: what it is masked with, empty for nothing.
        """
        part = data[start:stop]
        self.write(xorMask(part, key) if key else part)
