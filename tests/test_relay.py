# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A short run of L{benchmarks.relay}: L{twisted_ws.pipe} between real sockets.
"""

from __future__ import annotations

import sys
from pathlib import Path
from unittest import skipUnless
from xml.etree import ElementTree

from twisted.trial.unittest import TestCase

from tests.processes import run

ROOT = str(Path(__file__).parent.parent)


@skipUnless(Path("/proc/self/statm").exists(), "there is no /proc here")
class RelayTests(TestCase):
    """
    A producer that is fast, and a consumer that stalls.
    """

    timeout = 120

    async def test_short(self) -> None:
        """
        32 MiB arrive as they were sent, the server has needed next to no memory for
        them, and a picture of that is drawn.
        """
        picture = self.mktemp()
        amount = ["--gib=0.03125", "--burst=4", "--stall=0.3", "--bound=12"]
        command = [sys.executable, "-m", "benchmarks.relay", *amount]
        program = run([*command, f"--svg={Path(picture).absolute()}"], ROOT)
        self.addCleanup(program.stop)
        code = await program.ended
        self.assertEqual(code, 0, program.output)
        self.assertIn("32 MiB in", program.output)
        self.assertIn("all is well", program.output)
        self.assertTrue(ElementTree.parse(picture).getroot().tag.endswith("svg"))
