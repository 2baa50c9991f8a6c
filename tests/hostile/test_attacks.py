# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Tests for the attacks themselves, and for the command line of the benchmark that carries
them out against others, L{benchmarks.attacks}.
"""

from __future__ import annotations

import contextlib
import io

from twisted.trial.unittest import SynchronousTestCase

from tests.wire import KEY, rawFrame, readFrames

from .attacker import chunked, frame
from .attacks import ATTACKS

try:
    from benchmarks import attacks
except ImportError:  # An installed package is tested without them.
    attacks = None  # type: ignore[assignment]


class AttackTests(SynchronousTestCase):
    """
    What attackers send is what it is meant to be.
    """

    def test_frames(self) -> None:
        """
        A frame is what a server has to understand, with a mask that changes nothing.
        """
        for size in (0, 5, 125, 126, 65535, 65536):
            (read,) = readFrames(frame(0x82, bytes(size)))
            self.assertEqual(read, (0x82, bytes(size), bytes(4)))
        announced = frame(0x82, b"x", announced=1 << 40)
        wanted = rawFrame(0x82, b"x", KEY, announced=1 << 40)
        self.assertEqual(announced, wanted[:10] + bytes(4) + b"x")

    def test_chunks(self) -> None:
        """
        As many pieces as were asked for come, in chunks of the size of a read.
        """
        for many in (0, 1, 9361, 9362, 9363, 100_000):
            chunks = list(chunked(b"0123456", many))
            self.assertEqual(b"".join(chunks), b"0123456" * many)
            self.assertLessEqual(max(map(len, chunks)), 1 << 16)


class ArgumentTests(SynchronousTestCase):
    """
    C{python -m benchmarks.attacks}.
    """

    if attacks is None:
        skip = "the benchmarks are not here"

    def test_default(self) -> None:
        """
        Without arguments every attack is carried out, against us at least.
        """
        options = attacks.parse([])
        self.assertEqual(options.attack, list(ATTACKS))
        self.assertEqual(options.peer[0], "ours")

    def test_chosen(self) -> None:
        """
        Both can be chosen, more than one of them, in an order.
        """
        options = attacks.parse(
            ["--peer", "websockets", "--peer", "ours", "--attack", "bomb"]
        )
        self.assertEqual(options.peer, ["websockets", "ours"])
        self.assertEqual(options.attack, ["bomb"])

    def test_wrong(self) -> None:
        """
        What there is not is refused, with what there is.
        """
        for arguments in (["--peer", "x"], ["--attack", "x"], ["x"], ["--peer"]):
            said = io.StringIO()
            with contextlib.redirect_stderr(said):
                self.assertRaises(SystemExit, attacks.parse, arguments)
            self.assertIn("usage: python -m benchmarks.attacks", said.getvalue())

    def test_rows(self) -> None:
        """
        A result is a row of a table in Markdown; an echo that never came says so, and
        so does the end of an honest client's connection.
        """
        result = attacks.Result("1009", 0.04, 0.006, 0.5)
        self.assertEqual(result.row("ours 1"), "| ours 1 | 1009 | 0.0 | 0.01 | 0.50 |")
        never = attacks.Result("held", 1.0, 2.0, attacks.SLOW)
        self.assertTrue(never.row("x").endswith("| never |"))
        ended = attacks.Result("held", 1.0, 2.0, attacks.SLOW, "1011")
        self.assertTrue(ended.row("x").endswith("| its connection ended: 1011 |"))
