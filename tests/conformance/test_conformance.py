# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The cases that are chosen, what a client does, the verdict; and a handful of cases where
the suite is installed.
"""

from __future__ import annotations

import json
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase

from .cases import select
from .install import NoPython27, Suite, cacheFolder, findSuite
from .peers import PEERS
from .peers.common import tour
from .run import Plan, Run
from .verdict import Outcome, Verdict, readOutcomes, score

CASES = "1.1.1 1.1.2 2.10 2.9 6.4.1 7.5.1 9.1.1 10.1.1 12.1.1 12.1.2 13.7.5".split()


class SelectTests(SynchronousTestCase):
    """
    Which cases are meant.
    """

    def test_groups(self) -> None:
        """
        A group has the cases of its sections.
        """
        core = "1.1.1 1.1.2 2.9 2.10 6.4.1 7.5.1 10.1.1".split()
        for name, expected in {
            "core": core,
            "limits": ["9.1.1"],
            "deflate": ["12.1.1", "12.1.2", "13.7.5"],
            "quick": [*core, "12.1.2", "13.7.5"],
            "all": sorted(CASES, key=lambda case: [int(n) for n in case.split(".")]),
        }.items():
            self.assertEqual(select([name], CASES), expected, name)

    def test_patterns(self) -> None:
        """
        A pattern means what it matches as a whole, a case itself; what is meant twice
        is there once; the order is that of the numbers.
        """
        for names, expected in {
            ("1.*",): ["1.1.1", "1.1.2"],
            ("2.1",): None,
            ("2.10", "2.9"): ["2.9", "2.10"],
            ("*.1.1", "1.*"): ["1.1.1", "1.1.2", "9.1.1", "10.1.1", "12.1.1"],
            ("limits", "9.1.1"): ["9.1.1"],
        }.items():
            if expected is None:
                self.assertRaises(ValueError, select, names, CASES)
            else:
                self.assertEqual(select(names, CASES), expected, names)

    def test_unknown(self) -> None:
        """
        A name that means nothing is refused by name, also beside one that means
        something.
        """
        for name in ("fast", "14.*", "1.1.9", "", "1"):
            error = self.assertRaises(ValueError, select, ["core", name], CASES)
            self.assertIn(repr(name), str(error))


class OutcomeTests(SynchronousTestCase):
    """
    What is acceptable.
    """

    def test_acceptable(self) -> None:
        """
        Only what is OK or informational in both respects.
        """
        good = ("OK", "INFORMATIONAL")
        bad = ("NON-STRICT", "UNIMPLEMENTED", "FAILED", "MISSING", "ok", "")
        closes = (*good, "UNCLEAN", "WRONG CODE", "FAILED BY CLIENT", "FAILED")
        for behavior in (*good, *bad):
            for close in closes:
                self.assertEqual(
                    Outcome("1.1.1", behavior, close).isAcceptable,
                    behavior in good and close in good,
                    (behavior, close),
                )
        self.assertFalse(Outcome("1.1.1").isAcceptable)

    def test_read(self) -> None:
        """
        Reports of several folders are put together, in the order of the cases; what
        they do not have is missing, and so is what cannot be read.
        """
        folder = Path(self.mktemp())
        for name, text in {
            "one": json.dumps({"tested": {"1.1.1": entry()}}),
            "two": json.dumps({"tested": {"2.9": entry("NON-STRICT", "UNCLEAN")}}),
            "half": '{"tested": {"1.1.2"',
        }.items():
            (folder / name).mkdir(parents=True)
            (folder / name / "index.json").write_text(text)
        folders = [folder / name for name in ("one", "half", "absent", "two")]
        self.assertEqual(
            readOutcomes(folders, ["1.1.1", "1.1.2", "2.9"]),
            [
                Outcome("1.1.1", "OK", "OK", 1000, 0.5, f"{folder}/one/case.json"),
                Outcome("1.1.2"),
                Outcome(
                    "2.9", "NON-STRICT", "UNCLEAN", 1000, 0.5, f"{folder}/two/case.json"
                ),
            ],
        )


def entry(behavior: str = "OK", close: str = "OK") -> dict[str, Any]:
    """
    Make what the suite says of a case.
    """
    return {
        "behavior": behavior,
        "behaviorClose": close,
        "remoteCloseCode": 1000,
        "duration": 500,
        "reportfile": "case.json",
    }


MIXED = (
    Outcome("1.1.1", "OK", "OK", 1000, 0.25),
    Outcome("1.1.2", "INFORMATIONAL", "INFORMATIONAL", None, 0.5),
    Outcome("6.4.1", "NON-STRICT", "OK", 1007, 1.0, "6.json"),
    Outcome("6.4.2", "NON-STRICT", "OK", 1007, 1.0),
    Outcome("7.1.1", "OK", "UNCLEAN", None, 2.0),
    Outcome("9.1.1", "WONDERFUL", "OK", 1000, 0.0),
    Outcome("9.1.2"),
)


class VerdictTests(SynchronousTestCase):
    """
    What is told of a run.
    """

    def test_acceptable(self) -> None:
        """
        A run is acceptable when all its cases are, and nothing else was wrong.
        """
        self.assertTrue(Verdict("it", MIXED[:2]).isAcceptable)
        self.assertFalse(Verdict("it", MIXED[:3]).isAcceptable)
        problem = Verdict("it", MIXED[:2], problems=("it fell over",))
        self.assertFalse(problem.isAcceptable)
        self.assertIn("it fell over", problem.lines())

    def test_score(self) -> None:
        """
        The last line counts the cases of all runs.
        """
        verdicts = [Verdict("one", MIXED), Verdict("other", MIXED[:3])]
        self.assertEqual(score(verdicts), "4 passed, 6 failed")

    def test_lines(self) -> None:
        """
        The table counts by section, a word that it has no column for as a failure; each
        case that is not acceptable is named under what came of it.
        """
        title, *table = Verdict("it", MIXED, 12.34).lines()
        self.assertEqual(title, "it: 7 cases in 12.3 s")
        self.assertEqual(
            [line.split() for line in table[:6]],
            [
                "section cases OK NON-STRICT INFORMATIONAL UNIMPLEMENTED FAILED "
                "MISSING seconds".split(),
                "1 2 1 0 1 0 0 0 0.8".split(),
                "6 2 0 2 0 0 0 0 2.0".split(),
                "7 1 1 0 0 0 0 0 2.0".split(),
                "9 2 0 0 0 0 1 1 0.0".split(),
                "total 7 2 2 1 0 1 1 4.8".split(),
            ],
        )
        self.assertEqual(
            table[6:],
            [
                "closed: OK 4, INFORMATIONAL 1, UNCLEAN 1, MISSING 1",
                "close codes: none 3, 1000 2, 1007 2",
                "  NON-STRICT (2): 6.4.1 6.4.2",
                "  OK, closed UNCLEAN (1): 7.1.1",
                "  WONDERFUL (1): 9.1.1",
                "  MISSING (1): 9.1.2",
            ],
        )

    def test_json(self) -> None:
        """
        For programs there is all of it, with the reports of what is not acceptable.
        """
        told = json.loads(json.dumps(Verdict("it", MIXED, 3.0, ("oh",)).asJSON()))
        self.assertEqual((told["passed"], told["failed"]), (2, 5))
        self.assertEqual(told["problems"], ["oh"])
        self.assertEqual(told["behaviors"]["NON-STRICT"], 2)
        self.assertEqual(told["closes"]["UNCLEAN"], 1)
        self.assertEqual(list(told["cases"]), [each.case for each in MIXED])
        self.assertEqual(told["cases"]["6.4.1"]["report"], "6.json")
        self.assertEqual(told["cases"]["6.4.1"]["code"], 1007)


class TourTests(SynchronousTestCase):
    """
    What a client does.
    """

    def test_tour(self) -> None:
        """
        It asks for the number of cases, goes through them, whatever happens in one of
        them, and has the reports written.
        """
        urls = []

        async def fetch(url: str) -> str | None:
            urls.append(url)
            return "3" if url.endswith("Count") else None

        async def echo(url: str) -> None:
            urls.append(url)
            if "=2" in url:
                raise ConnectionError("gone")

        said = StringIO()
        with redirect_stderr(said):
            done = Deferred.fromCoroutine(tour("ws://host:1", fetch, echo))
        self.assertIsNone(self.successResultOf(done))
        self.assertIn("ConnectionError: gone", said.getvalue())
        self.assertEqual(
            [url.removeprefix("ws://host:1/") for url in urls],
            [
                "getCaseCount",
                *(f"runCase?case={case}&agent=tested" for case in (1, 2, 3)),
                "updateReports?agent=tested",
            ],
        )


def installed() -> Suite:
    """
    @return: the suite.
    @raise SkipTest: when it is not there; nothing is installed for a test.
    """
    try:
        suite = findSuite(cacheFolder())
    except NoPython27 as error:
        raise SkipTest(f"{error} is installed") from None
    if not suite.isInstalled:
        raise SkipTest("python -m tests.conformance install has not been run")
    return suite


class SuiteTests(TestCase):
    """
    The suite itself.
    """

    timeout = 300

    def test_groups(self) -> None:
        """
        The groups are as large as they should be.
        """
        cases = installed().cases
        for name, size in {
            "core": 247,
            "limits": 54,
            "deflate": 216,
            "quick": 295,
            "all": 517,
        }.items():
            self.assertEqual(len(select([name], cases)), size, name)

    async def check(self, role: str, over: str, version: int = 13) -> None:
        """
        Run a handful of cases.
        """
        suite = installed()
        cases = ("1.1.2", "2.10", "5.4", "6.4.1", "7.3.2", "7.7.1", "12.1.1", "13.5.1")
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        plan = Plan(PEERS["twisted_ws"], role, cases, over, version)
        verdict = await Run(reactor, suite, plan, folder).run(2, 250)
        self.assertTrue(verdict.isAcceptable, "\n".join(verdict.lines()))
        self.assertEqual(score([verdict]), f"{len(cases)} passed, 0 failed")

    async def test_server(self) -> None:
        """
        The server passes, over TCP.
        """
        await self.check("server", "tcp")

    async def test_secureServer(self) -> None:
        """
        The server passes, over TLS.
        """
        await self.check("server", "tls")

    async def test_site(self) -> None:
        """
        The server passes, in a site.
        """
        await self.check("server", "web", 8)

    async def test_client(self) -> None:
        """
        The client passes, over TCP.
        """
        await self.check("client", "tcp", 8)

    async def test_secureClient(self) -> None:
        """
        The client passes, over TLS.
        """
        await self.check("client", "tls")
