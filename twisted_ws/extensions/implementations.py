# -*- test-case-name: tests.test_deflate_implementations -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The libraries that can compress and decompress raw DEFLATE (RFC 1951), each under the
name that C{PerMessageDeflate(implementation=...)} knows it by.

What is not in the standard library is imported when it is asked for, here and nowhere
else.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any, NamedTuple, Protocol

Z_DEFLATED, Z_SYNC_FLUSH = 8, 2
"""
The same numbers in all of them.
"""


class CompressObject(Protocol):
    """
    What C{zlib.compressobj} returns.
    """

    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self, mode: int, /) -> bytes: ...


class DecompressObject(Protocol):
    """
    What C{zlib.decompressobj} returns.
    """

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes | memoryview, maxLength: int, /) -> bytes: ...


class Implementation(NamedTuple):
    """
    A library, and what it can do.

    @ivar library: a module with the names of L{zlib}.
    @ivar levels: the compression levels that compress anything.
    @ivar level: the one that is taken when none is given.
    @ivar bestLevel: the first of those that make messages as small as it gets; those
        after it only take longer.
    @ivar strategies: the values of C{strategy} that it knows.
    @ivar leastWindowBits: the smallest window that its compressor can promise to keep.
    """

    library: Any
    levels: range
    level: int
    bestLevel: int
    strategies: range
    leastWindowBits: int

    def newCompressor(
        self, level: int, windowBits: int, memLevel: int, strategy: int
    ) -> CompressObject:
        """
        @return: a compressor whose references go back no further than the window.
        """
        # None of them makes a raw stream for a window of 256 bytes.  zlib and zlib-ng
        # keep 262 bytes of a window for looking ahead: that of 512 bytes, for which
        # they do, never refers back further than 250.
        bits = max(windowBits, 9)
        made: CompressObject = self.library.compressobj(
            level, Z_DEFLATED, -bits, memLevel, strategy
        )
        return made

    def newDecompressor(self, windowBits: int) -> DecompressObject:
        """
        @return: a decompressor that remembers as much as the window has.
        """
        made: DecompressObject = self.library.decompressobj(-windowBits)
        return made


_IMPLEMENTATIONS: dict[str, tuple[str, str, range, int, int, range, int]] = {
    # The module, the package that has it, and the rest of an Implementation.
    "zlib": ("zlib", "zlib", range(1, 10), 6, 8, range(5), 8),
    "zlib-ng": ("zlib_ng.zlib_ng", "zlib-ng", range(1, 10), 6, 8, range(5), 8),
    # Its compressor goes back 512 bytes in a window of 9 bits, and it knows no
    # strategies.  It compresses on level 0 too.
    "isal": ("isal.isal_zlib", "isal", range(4), 2, 2, range(1), 9),
}


def implementationNamed(name: str) -> Implementation:
    """
    @raise ValueError: when there is none of that name, or it is not installed.
    """
    if not isinstance(name, str) or name not in _IMPLEMENTATIONS:
        names = ", ".join(_IMPLEMENTATIONS)
        raise ValueError(f"implementation must be one of {names}, not {name!r}")
    return _load(name)


@cache
def _load(name: str) -> Implementation:
    module, package, *_ = known = _IMPLEMENTATIONS[name]
    try:
        library = import_module(module)
    except ImportError as error:
        raise ValueError(
            f"implementation {name!r} needs the package {package}, which cannot be"
            f" imported: {error}"
        ) from error
    return Implementation(library, *known[2:])
