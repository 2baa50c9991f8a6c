# -*- test-case-name: tests.test_masks -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Masking (RFC 6455 section 5.3), and keys for it that nobody can predict (section
10.3).
"""

from __future__ import annotations

import os

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


class MaskKeys:
    """
    Keys from the system's source of randomness, read a page at a time.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """
        Drop what was read and not yet used; a child process must, or it would
        repeat its parent's keys.
        """
        self._pool = b""
        self._used = 0

    def take(self) -> bytes:
        """
        @return: four bytes, never given out before.
        """
        used = self._used
        if used == len(self._pool):
            self._pool = os.urandom(4096)
            used = 0
        self._used = used + 4
        return self._pool[used : used + 4]


maskKeys = MaskKeys()
if hasattr(os, "register_at_fork"):  # pragma: no branch: Windows does not fork
    os.register_at_fork(after_in_child=maskKeys.forget)
