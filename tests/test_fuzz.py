# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Some thousand runs of each fuzz target, the same ones each time.
"""

from __future__ import annotations

import sys
from io import StringIO
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from fuzz import driver, framer, handshake


class TargetTests(SynchronousTestCase):
    """
    The targets find nothing.
    """

    def test_framer(self) -> None:
        """
        The frame layer keeps its contract.
        """
        corpus = driver.readCorpus("framer")
        kinds = driver.run(framer.TestOneInput, corpus, framer.TOKENS, 1000, seed=6455)
        # So many different things happened: the inputs are not all refused at once.
        self.assertTrue(kinds > 80, kinds)

    def test_handshake(self) -> None:
        """
        The handshake keeps its contract.
        """
        corpus = driver.readCorpus("handshake")
        kinds = driver.run(
            handshake.TestOneInput, corpus, handshake.TOKENS, 5000, seed=6455
        )
        self.assertTrue(kinds > 100, kinds)

    def test_seeds(self) -> None:
        """
        The seed inputs are small, and do different things.
        """
        for name, target in (
            ("handshake", handshake.TestOneInput),
            ("framer", framer.TestOneInput),
        ):
            corpus = driver.readCorpus(name)
            self.assertTrue(len(corpus) > 15, name)
            self.assertTrue(max(map(len, corpus)) < 1024, name)
            kinds = {target(data) for data in corpus}
            self.assertTrue(len(kinds) > len(corpus) / 2, (name, len(kinds)))


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
