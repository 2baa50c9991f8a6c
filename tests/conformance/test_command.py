# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The command line.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from contextlib import redirect_stderr
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.processes import run

from . import __main__ as program
from .install import CannotRun, Suite
from .peers import PEERS
from .run import ROOT, Plan
from .verdict import Outcome, Verdict

GOOD = Verdict("good", (Outcome("1.1.1", "OK", "OK"), Outcome("2.10", "OK", "OK")))
BAD = Verdict("bad", (*GOOD.outcomes, Outcome("7.1.1", "NON-STRICT", "OK")))
PROBLEM = Verdict("problem", GOOD.outcomes, problems=("oh",))


class FakeRun:
    """
    Comes to the verdict that it is told.
    """

    result: Any = None

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    async def run(self, pairs: int, timeout: float) -> Any:
        """
        Be done at once.
        """
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


class CommandLineTests(SynchronousTestCase):
    """
    The command line.
    """

    def refuse(self, *arguments: str) -> str:
        """
        Give a command line that is refused.

        @return: what is said.
        """
        said = StringIO()
        with redirect_stderr(said):
            refused = self.assertRaises(SystemExit, program.parse, list(arguments))
        self.assertEqual(refused.code, 2)
        return said.getvalue()

    def carryOut(self, result: Any, *arguments: str) -> tuple[int, list[str]]:
        """
        Carry out a command line whose runs have a result.

        @return: the exit status, and what is said.
        """
        said: list[str] = []
        self.patch(program, "tell", said.append)
        self.patch(program, "Run", FakeRun)
        self.patch(FakeRun, "result", result)
        suite = Suite("python", Path("nowhere"))
        options = program.parse(list(arguments))
        done = Deferred.fromCoroutine(program.carryOut(reactor, suite, options))
        return self.successResultOf(done), said

    def test_plans(self) -> None:
        """
        A command is a plan; that for continuous integration is two.
        """
        ours = PEERS["twisted_ws"]
        for line, expected in {
            "server": [Plan(ours, "server", ("all",))],
            "server --over web --version 8 1.* core": [
                Plan(ours, "server", ("1.*", "core"), "web", 8)
            ],
            "client --over tls": [Plan(ours, "client", ("all",), "tls")],
            "ci": [
                Plan(ours, "server", ("quick", "limits")),
                Plan(ours, "client", ("quick", "limits")),
            ],
        }.items():
            self.assertEqual(program.plans(program.parse(line.split())), expected)

    def test_refused(self) -> None:
        """
        What cannot be run is refused with the reason.
        """
        # The others count as installed then.
        others = {name: replace(PEERS[name], name="json") for name in PEERS}
        others["twisted_ws"] = PEERS["twisted_ws"]
        others["absent"] = replace(PEERS["autobahn"], name="absent")
        self.patch(program, "PEERS", others)
        for line, reason in {
            "": "required",
            "client --over web": "web",
            "server --over web --peer autobahn": "over web",
            "server --peer websockets --version 8": "version 8",
            "server --jobs 0": "--jobs",
            "server --peer nobody": "nobody",
            "client --peer absent": "not installed",
        }.items():
            self.assertIn(reason, self.refuse(*line.split()), line)

    def test_status(self) -> None:
        """
        The exit status is 0 when all is acceptable, 1 when something is not, 2 when
        nothing could be run; the last line counts, or says why.
        """
        for result, status, last in (
            (GOOD, 0, "2 passed, 0 failed"),
            (BAD, 1, "2 passed, 1 failed"),
            (PROBLEM, 1, "2 passed, 0 failed"),
            (CannotRun("no luck"), 2, "CONFORMANCE NOT RUN: no luck"),
            (ValueError("no case"), 2, "CONFORMANCE NOT RUN: no case"),
        ):
            arguments = ["server", "--reports", self.mktemp()]
            got, said = self.carryOut(result, *arguments)
            self.assertEqual((got, said[-1]), (status, last))

    def test_files(self) -> None:
        """
        The verdict is written as JSON where it is asked for.  Reports go to a new
        folder only; a temporary one is removed if nobody needs it.
        """
        file, reports = self.mktemp(), self.mktemp()
        arguments = ["ci", "--json", file, "--reports", reports]
        status, said = self.carryOut(GOOD, *arguments)
        self.assertEqual((status, said[-1]), (0, "4 passed, 0 failed"))
        self.assertEqual(json.loads(Path(file).read_text()), [GOOD.asJSON()] * 2)
        self.assertTrue(os.path.isdir(reports))
        status, said = self.carryOut(GOOD, *arguments)
        self.assertEqual(status, 2)
        self.assertIn(reports, said[-1])
        made = self.mktemp()
        self.patch(tempfile, "mkdtemp", lambda prefix: made)
        status, said = self.carryOut(GOOD, "server")
        self.assertFalse(os.path.exists(made))
        status, said = self.carryOut(BAD, "server")
        self.assertEqual(said[-2], f"reports: {made}")
        self.assertTrue(os.path.isdir(made))


class ProgramTests(TestCase):
    """
    The program, on a machine without CPython 2.7.
    """

    timeout = 120

    async def test_noPython27(self) -> None:
        """
        It says so in one line.  For continuous integration this is no failure, for
        who asks for a run it is.
        """
        nowhere = Path(self.mktemp()).absolute()
        self.patch(
            os, "environ", {"PATH": str(nowhere), "HOME": str(nowhere), "PYTHON27": ""}
        )
        for command, status in (("ci", 0), ("server", 2), ("install", 2)):
            process = run(
                [sys.executable, "-m", "tests.conformance", command], str(ROOT)
            )
            self.addCleanup(process.stop)
            self.assertEqual(await process.ended, status, process.output)
            self.assertEqual(
                process.output, "CONFORMANCE NOT RUN: no CPython 2.7\n", command
            )
        self.assertFalse(nowhere.exists())
