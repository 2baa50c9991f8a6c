# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Some thousand runs of each fuzz target, the same ones each time.
"""

from __future__ import annotations

import sys
from io import StringIO
from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from fuzz import deflate, driver, extensions, framer, handshake
from fuzz.plain import Damaged, Plain, TooLong

TARGETS: tuple[tuple[str, Any], ...] = (
    ("handshake", handshake),
    ("framer", framer),
    ("extensions", extensions),
    ("deflate", deflate),
)


class TargetTests(SynchronousTestCase):
    """
    The targets find nothing.
    """

    def kinds(self, target: Any, name: str, runs: int) -> int:
        """
        @return: how many kinds of things happened.
        """
        corpus = driver.readCorpus(name)
        return driver.run(target.TestOneInput, corpus, target.TOKENS, runs, seed=6455)

    def test_framer(self) -> None:
        """
        The frame layer keeps its contract.
        """
        kinds = self.kinds(framer, "framer", 4000)
        # So many different things happened: the inputs are not all refused at once.
        self.assertTrue(kinds > 120, kinds)

    def test_handshake(self) -> None:
        """
        The handshake keeps its contract.
        """
        kinds = self.kinds(handshake, "handshake", 5000)
        self.assertTrue(kinds > 100, kinds)

    def test_extensions(self) -> None:
        """
        What is agreed on about extensions is as it has to be.
        """
        kinds = self.kinds(extensions, "extensions", 2000)
        self.assertTrue(kinds > 40, kinds)

    def test_deflate(self) -> None:
        """
        The compression keeps its contract.
        """
        kinds = self.kinds(deflate, "deflate", 3000)
        self.assertTrue(kinds > 200, kinds)

    def test_seeds(self) -> None:
        """
        The seed inputs are small, and do different things.
        """
        for name, target in TARGETS:
            corpus = driver.readCorpus(name)
            self.assertTrue(len(corpus) > 15, name)
            self.assertTrue(max(map(len, corpus)) < 1024, name)
            kinds = {target.TestOneInput(data) for data in corpus}
            self.assertTrue(len(kinds) > len(corpus) / 2, (name, len(kinds)))

    def test_shortInputs(self) -> None:
        """
        Inputs that are too short for anything are passed over.
        """
        for name, target in TARGETS:
            for size in range(8):
                for first in b"\0\1":
                    target.TestOneInput(bytes([first]) * size)
            self.assertEqual(target.TestOneInput(b""), None, name)

    def test_comparisons(self) -> None:
        """
        The seeds of the frame layer stand each of its comparisons, behind each chain
        of extensions.
        """
        chosen = [
            chain << 3 | comparison
            for chain in range(len(framer.CHAINS))
            for comparison in range(len(framer.COMPARISONS))
        ]
        for data in driver.readCorpus("framer"):
            for choice in chosen:
                framer.TestOneInput(data[:1] + bytes([choice]) + data[2:])


class PlainTests(SynchronousTestCase):
    """
    What compression is compared with knows what is right by itself.
    """

    def read(self, *messages: str, bits: int = 15, forgets: bool = False) -> bytes:
        """
        @return: the last of messages in hexadecimal digits.
        """
        read = b""
        plain = Plain(bits, forgets)
        for message in messages:
            read = plain.read(bytes.fromhex(message), True, 100)
        return read

    def test_examples(self) -> None:
        """
        The examples of RFC 7692 section 7.2.3 are read.
        """
        hello = "f2 48 cd c9 c9 07 00"
        for messages in (
            [hello],
            [hello, "f2 00 11 00 00"],
            ["00 05 00 fa ff 48 65 6c 6c 6f 00"],
            ["f3 48 cd c9 c9 07 00 00"],
            ["f2 48 05 00 00 00 ff ff ca c9 c9 07 00"],
        ):
            self.assertEqual(self.read(*messages), b"Hello", messages)
        self.assertEqual(self.read("00"), b"")

    def test_damaged(self) -> None:
        """
        What is cut off, or refers to what is not there, is refused.
        """
        hello = "f2 48 cd c9 c9 07 00"
        for messages in (
            [hello[:8]],
            ["f2 00 11 00 00"],
            ["04 00"],
            ["07"],
            [""],
            ["f3 48 cd c9 c9 07 00 ff"],
            ["00 05 00 fa ff 48"],
        ):
            self.assertRaises(Damaged, self.read, *messages)
        self.assertRaises(Damaged, self.read, hello, "f2 00 11 00 00", forgets=True)

    def test_tooLong(self) -> None:
        """
        No more is read than was asked for.
        """
        hello = bytes.fromhex("f2 48 cd c9 c9 07 00")
        for step in range(3):
            self.assertRaises(TooLong, Plain(15, True).read, hello, True, 4, step)
            self.assertEqual(Plain(15, True).read(hello, True, 5, step), b"Hello")


class DriverTests(SynchronousTestCase):
    """
    The driver finds what there is to find.
    """

    def test_finds(self) -> None:
        """
        An input that is two steps away is found, since the first step was something
        new; the same seed finds it in the same run, and it is printed.
        """
        found = []
        said = StringIO()
        self.patch(sys, "stderr", said)

        def target(data: bytes) -> int:
            if data.startswith(b"ab"):
                found.append(data)
                raise RuntimeError("found")
            return data.startswith(b"a")

        for _ in range(2):
            with self.assertRaises(RuntimeError):
                driver.run(target, [b"x"], [b"a", b"b"], 20_000, seed=1)
        first, second = said.getvalue().splitlines()
        self.assertEqual(first, second)
        self.assertIn(f"reproduce with --input {found[0].hex()}", first)

    def test_mutations(self) -> None:
        """
        Mutations are short enough, and differ.
        """
        random = Random(1)
        pool = [b"", b"x" * driver.LONGEST, b"abc"]
        made = [
            driver.mutate(random, random.choice(pool), pool, [b"token"])
            for _ in range(500)
        ]
        self.assertEqual(max(map(len, made)), driver.LONGEST)
        self.assertTrue(len(set(made)) > 300)
