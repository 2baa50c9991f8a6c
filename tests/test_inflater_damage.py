# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What the receiving half of permessage-deflate refuses as damaged.
"""

from __future__ import annotations

import zlib
from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.deflating import (
    FINAL,
    HELLO,
    TAIL,
    Stream,
    forEachInstalled,
    inflater,
    installed,
    read,
)
from twisted_ws.errors import InvalidPayload, ProtocolViolation
from twisted_ws.extensions.implementations import implementationNamed

NOISE = Random(3).randbytes(3000)
PROSE = b"the cat sat on the mat, and the hat of the cat on the cat. " * 40


class DamageTests(SynchronousTestCase):
    """
    What no compressor made.
    """

    def refuse(self, *payloads: bytes, **options: Any) -> str:
        """
        Fail unless this is refused with 1007.

        @return: why.
        """
        error = self.assertRaises(InvalidPayload, read, inflater(**options), *payloads)
        self.assertEqual(error.code, 1007)
        self.assertIsNone(error.option)
        return str(error)

    def test_damaged(self) -> None:
        """
        Impossible data is refused.
        """
        for payload in (
            b"\x06",  # a block of the reserved type
            b"\x07",
            HELLO + TAIL + b"\x07",
            FINAL + b"\x07",
            bytes.fromhex("f200110000"),  # a reference to before the beginning
            bytes.fromhex("000500faf048656c6c6f00"),  # two lengths that differ
            b"\xff" * 50,
            b"Hello, which nobody has compressed",
            NOISE,
        ):
            for forgets in (False, True):
                self.refuse(payload, forgets=forgets)
                self.refuse(*[payload[at : at + 1] for at in range(len(payload))])

    def test_reason(self) -> None:
        """
        It is said what is wrong with it.
        """
        self.assertIn("invalid block type", self.refuse(b"\x07"))
        self.assertIn("too far back", self.refuse(bytes.fromhex("f200110000")))
        self.assertIn("cut off", self.refuse(HELLO[:5]))

    def test_nothing(self) -> None:
        """
        A marked message of no byte at all is not an empty one.
        """
        self.refuse(b"")
        self.refuse(b"", b"")
        i = inflater()
        read(i, HELLO)
        self.assertRaises(InvalidPayload, read, i, b"")

    def test_tailIsThere(self) -> None:
        """
        Nor is one that still has the four bytes which are to be left out; not if it
        ends in an empty frame either.
        """
        self.refuse(HELLO + TAIL)
        self.refuse(HELLO + TAIL, b"")

    def test_junkBehindFinal(self) -> None:
        """
        What is behind a final block has to be blocks.
        """
        for junk in (b"\x01\x02", b"junk", b"\x00\x00", b"\x00" * 4, TAIL, b"\xff"):
            self.refuse(FINAL + junk)
            self.refuse(FINAL, junk)

    def test_junkBehindFinalTail(self) -> None:
        """
        Nothing fits behind a final block whose last bytes were left out.
        """
        self.assertEqual(read(inflater(), HELLO + TAIL + b"\x01"), b"Hello")
        self.refuse(HELLO + TAIL + b"\x01\x00")
        # A final block whose last code ends within the four bytes.
        self.refuse(FINAL[:-1])
        # A final stored block that takes one, two, three bytes of the four for data.
        for size in (1, 2, 3):
            head = b"\x01" + size.to_bytes(2, "little")
            self.refuse(head + (0xFFFF - size).to_bytes(2, "little"))

    @forEachInstalled
    def test_cutOff(self, implementation: str) -> None:
        """
        A message that was cut off is noticed, wherever that was; in messages of all
        kinds of blocks.
        """
        random = Random(7)
        # The codes of the last one take long to describe.
        skewed = bytes(
            random.randrange(256) & random.randrange(256) for _ in range(999)
        )
        texts = [b"Hello", PROSE[:300], bytes(3000), NOISE[:300], skewed]
        for maker in installed():
            made = implementationNamed(maker)
            for level in (made.levels[0], made.level):
                for strategy in {0, 2, 4}.intersection(made.strategies):
                    for text in texts:
                        compressor = made.newCompressor(level, 12, 5, strategy)
                        whole = compressor.compress(text)
                        whole += compressor.flush(zlib.Z_SYNC_FLUSH)
                        self.checkCutOff(whole[:-4], implementation)

    def checkCutOff(self, whole: bytes, implementation: str) -> None:
        """
        Cut it off everywhere.
        """
        for size in range(len(whole)):
            # The only one that cannot be told from an empty message.
            if whole[:size] != b"\x00":
                self.refuse(whole[:size], implementation=implementation)
                self.refuse(whole[:size], forgets=True, implementation=implementation)

    @forEachInstalled
    def test_changed(self, implementation: str) -> None:
        """
        Whatever is changed in a message, it is refused or read as something else: no
        other error comes of it.
        """
        random = Random(5)
        for text in (PROSE, NOISE[:500], b"Hello" * 9):
            whole = Stream().message(text)
            for _ in range(300):
                payload = bytearray(whole)
                for _ in range(random.choice((1, 1, 2, 8))):
                    payload[random.randrange(len(payload))] = random.randrange(256)
                i = inflater(random.random() < 0.5, implementation=implementation)
                try:
                    read(i, bytes(payload))
                except ProtocolViolation as violation:
                    self.assertIn(violation.code, (1007, 1009))

    def test_window(self) -> None:
        """
        A peer that refers back further than was agreed is refused, where it refers to
        what has left the decompressor: another message.
        """
        for bits in range(8, 15):
            first, i = NOISE[: (1 << bits) + 100], inflater(bits=bits)
            if len(first) < (1 << bits) + 100:
                first = Random(bits).randbytes((1 << bits) + 100)
            stream = Stream(bits=15)
            self.assertEqual(read(i, stream.message(first)), first)
            far = stream.message(first[:50])
            self.assertLess(len(far), 20)
            error = self.assertRaises(InvalidPayload, read, i, far)
            self.assertIn("too far back", str(error))

    def test_windowKept(self) -> None:
        """
        One that keeps to it is understood, also with the smallest.
        """
        for bits in range(9, 16):
            i, stream = inflater(bits=bits), Stream(bits=bits)
            for at in range(30):
                data = PROSE[at * 7 :] + NOISE[: at * 50]
                self.assertEqual(read(i, stream.message(data)), data)
