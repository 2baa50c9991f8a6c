# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The libraries behind permessage-deflate.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from random import Random

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.deflating import (
    FORGETFUL,
    LIMIT,
    TAIL,
    TEXT,
    forEachInstalled,
    installed,
    pair,
)
from twisted_ws import Frame, PerMessageDeflate
from twisted_ws.extensions import implementations
from twisted_ws.extensions.implementations import Z_SYNC_FLUSH, implementationNamed

PROSE = b"the cat sat on the mat, and the hat of the cat on the cat. " * 30


def inflateInSteps(data: bytes, bits: int) -> bytes:
    """
    Decompress with so little room for output that references go to the window.
    """
    decompressor = zlib.decompressobj(-bits)
    room = (1 << bits) // 64
    parts = []
    part = decompressor.decompress(data, room)
    while part:
        parts.append(part)
        part = decompressor.decompress(decompressor.unconsumed_tail, room)
    return b"".join(parts)


def temptations(bits: int) -> list[bytes]:
    """
    @return: data that it pays to refer far back in: what repeats itself after about as
        many bytes as a window has.
    """
    random = Random(8)
    size = 1 << bits
    made = [PROSE]
    for less in (size // 2, 263, 262, 20, 8, 7, 6, 5, 4, 1, 0, -1, -100, -size // 2):
        if size > less:
            made.append(random.randbytes(size - less) * 3)
    return made


class NameTests(SynchronousTestCase):
    """
    How they are found.
    """

    def test_zlib(self) -> None:
        """
        The one that Python has is always there.
        """
        self.assertIs(implementationNamed("zlib").library, zlib)
        self.assertIs(implementationNamed("zlib"), implementationNamed("zlib"))
        self.assertEqual(Z_SYNC_FLUSH, zlib.Z_SYNC_FLUSH)
        self.assertEqual(implementations.Z_DEFLATED, zlib.DEFLATED)

    def test_unknown(self) -> None:
        """
        There is no other; what there is, is said.
        """
        for name in ("", "ZLIB", "gzip", "os", "zlib_ng", "brotli", None, 5, ["zlib"]):
            error = self.assertRaises(ValueError, implementationNamed, name)
            self.assertIn("one of zlib, zlib-ng, isal", str(error))
            self.assertIn(repr(name), str(error))

    def test_missing(self) -> None:
        """
        One that is not installed is said to be missing, and which package it is in;
        and it is looked for again the next time.
        """
        known = implementations._IMPLEMENTATIONS
        missing = ("no_such_package.zlib", "no-such-package", *known["zlib"][2:])
        self.patch(implementations, "_IMPLEMENTATIONS", {"missing": missing})
        for _ in range(2):
            error = self.assertRaises(
                ValueError, PerMessageDeflate, implementation="missing"
            )
            self.assertIn("needs the package no-such-package", str(error))
        self.patch(implementations, "_IMPLEMENTATIONS", {"missing": known["zlib"]})
        self.addCleanup(implementations._load.cache_clear)
        self.assertIs(implementationNamed("missing").library, zlib)

    def test_lazily(self) -> None:
        """
        A library is imported when it is asked for.
        """
        source = Path(implementations.__file__).read_text()
        self.assertNotIn("import zlib_ng", source)
        self.assertNotIn("import isal", source)


class InstalledTests(SynchronousTestCase):
    """
    Those that Python does not have.  The tests here and of the two halves try all that
    are installed.
    """

    def check(self, name: str) -> None:
        """
        Skip a test if one is not installed.
        """
        if name not in installed():
            raise SkipTest(f"{name} is not installed")
        library = implementationNamed(name).library
        self.assertIsNot(library, zlib)
        self.assertEqual(library.Z_SYNC_FLUSH, Z_SYNC_FLUSH)
        self.assertEqual(library.DEFLATED, implementations.Z_DEFLATED)

    def test_zlibNg(self) -> None:
        """
        zlib-ng.
        """
        self.check("zlib-ng")

    def test_isal(self) -> None:
        """
        isal.
        """
        self.check("isal")


class WindowTests(SynchronousTestCase):
    """
    No reference goes back further than the window, on any level.
    """

    @forEachInstalled
    def test_kept(self, name: str) -> None:
        """
        What is made for a window is decompressed with that window: also for 8 bits,
        for which the libraries make none, where it is promised.
        """
        implementation = implementationNamed(name)
        for bits in (8, 9, 12):
            if bits < implementation.leastWindowBits:
                continue
            data = temptations(bits)
            for level in implementation.levels:
                # The other strategies refer back one byte, or not at all.
                for strategy in {0, 1, 4}.intersection(implementation.strategies):
                    compressor = implementation.newCompressor(level, bits, 8, strategy)
                    made = [
                        compressor.compress(each) + compressor.flush(Z_SYNC_FLUSH)
                        for each in data
                    ]
                    read = inflateInSteps(b"".join(made), bits)
                    self.assertTrue(
                        read == b"".join(data), (name, bits, level, strategy)
                    )

    @forEachInstalled
    def test_notPromised(self, name: str) -> None:
        """
        8 bits are not promised where the references go back further: so the test
        above would notice.
        """
        implementation = implementationNamed(name)
        if implementation.leastWindowBits == 8:
            return
        far = Random(1).randbytes(400) * 3
        compressor = implementation.newCompressor(implementation.level, 9, 8, 0)
        made = compressor.compress(far) + compressor.flush(Z_SYNC_FLUSH)
        self.assertEqual(inflateInSteps(made, 9), far)
        self.assertRaises(zlib.error, inflateInSteps, made, 8)

    @forEachInstalled
    def test_smallest(self, name: str) -> None:
        """
        Whatever can be compressed, a window of 8 bits can be decompressed.
        """
        implementation = implementationNamed(name)
        decompressor = implementation.newDecompressor(8)
        compressor = implementationNamed("zlib").newCompressor(9, 8, 9, 0)
        for data in temptations(8):
            made = compressor.compress(data) + compressor.flush(Z_SYNC_FLUSH)
            self.assertEqual(decompressor.decompress(made, LIMIT), data)


class LevelTests(SynchronousTestCase):
    """
    The levels, and what else there is to choose.
    """

    @forEachInstalled
    def test_all(self, name: str) -> None:
        """
        Each that is allowed works, and makes something smaller.
        """
        implementation = implementationNamed(name)
        self.assertIn(implementation.level, implementation.levels)
        self.assertIn(implementation.bestLevel, implementation.levels)
        for level in implementation.levels:
            for memLevel in range(1, 10):
                for strategy in implementation.strategies:
                    compressor = implementation.newCompressor(
                        level, 12, memLevel, strategy
                    )
                    made = compressor.compress(PROSE) + compressor.flush(Z_SYNC_FLUSH)
                    self.assertLess(len(made), len(PROSE))
                    self.assertTrue(made.endswith(TAIL))

    def test_range(self) -> None:
        """
        Levels have a range of their own for each, which the error names.
        """
        for name, bad, said in (
            ("zlib", (0, -1, 10, True, 6.0, "6"), "from 1 to 9 for zlib"),
            ("zlib-ng", (0, 10), "from 1 to 9 for zlib-ng"),
            ("isal", (-1, 4, 6), "from 0 to 3 for isal"),
        ):
            if name not in installed():
                continue
            for level in bad:
                error = self.assertRaises(
                    ValueError, PerMessageDeflate, implementation=name, level=level
                )
                self.assertIn(f"level must be a whole number {said}", str(error))

    @forEachInstalled
    def test_presets(self, name: str) -> None:
        """
        Each preset is there with each of them.
        """
        for make in (
            PerMessageDeflate.lowMemory,
            PerMessageDeflate.balanced,
            PerMessageDeflate.best,
        ):
            client, server = pair(make(implementation=name))
            encoded = client.encode(Frame(TEXT, PROSE))
            self.assertEqual(server.decode(encoded, LIMIT).payload, PROSE)

    @forEachInstalled
    def test_limits(self, name: str) -> None:
        """
        What one of them cannot do is refused when it is configured.
        """
        implementation = implementationNamed(name)
        least = implementation.leastWindowBits
        for option in ("serverMaxWindowBits", "clientMaxWindowBits", "windowBits"):
            PerMessageDeflate(implementation=name, **{option: least})
            for bad in (least - 1, 7, 16, True):
                error = self.assertRaises(
                    ValueError, PerMessageDeflate, implementation=name, **{option: bad}
                )
                self.assertIn(f"{option} must be", str(error))
        last = implementation.strategies[-1]
        PerMessageDeflate(implementation=name, strategy=last)
        self.assertRaises(
            ValueError, PerMessageDeflate, implementation=name, strategy=last + 1
        )


class TogetherTests(SynchronousTestCase):
    """
    All of them speak the same language.
    """

    @forEachInstalled
    def test_each(self, name: str) -> None:
        """
        What one has compressed the others decompress, message after message, in
        pieces and cut into frames.
        """
        random = Random(9)
        messages = [PROSE, random.randbytes(5000), b"", bytes(100000), b"x", PROSE * 9]
        for other in installed():
            for forget in ({}, FORGETFUL):
                client, server = pair(
                    PerMessageDeflate(implementation=name, threshold=0, **forget),
                    PerMessageDeflate(implementation=other),
                )
                for message in messages * 3:
                    half = len(message) // 2
                    pieces = [
                        client.encode(Frame(TEXT, message[:half], False)),
                        client.encode(Frame(0, message[half:], True)),
                    ]
                    read = [server.decode(piece, LIMIT).payload for piece in pieces]
                    self.assertEqual(read, [message[:half], message[half:]])
                    whole = server.decode(client.encode(Frame(TEXT, message)), LIMIT)
                    self.assertEqual(whole[:4], (TEXT, message, True, 0))
