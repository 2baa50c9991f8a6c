# -*- test-case-name: tests.test_kept_memory -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What a process does with memory that it has freed.
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's mallopt(3)
_MOST_FROM_HEAP = 1 << 25
"""
The largest C{M_MMAP_THRESHOLD} that glibc takes on 64 bits.
"""


def keepFreedMemory(size: int = 1 << 26) -> bool:
    """
    Have this process keep memory that it has freed for what it needs next.

    GNU's C library gives freed memory back to the system as soon as there are some
    hundred KiB of it; the next large message then costs a page fault for each 4 KiB,
    which is more than all that is done with it.  For servers of large messages; call it
    once, at the start.  It changes the whole process.

    @param size: bytes of it to keep, at most.
    @return: whether that could be set: C{False} where the C library is another.
    @raise ValueError: for less than 0 or more than 2**31 - 1.
    """
    if not 0 <= size < 1 << 31:
        raise ValueError(f"not a number of bytes that can be kept: {size}")
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl, macOS; Windows
        return False
    kept = mallopt(_TRIM_THRESHOLD, size)
    heap = mallopt(_MMAP_THRESHOLD, min(size, _MOST_FROM_HEAP))
    return bool(kept and heap)
