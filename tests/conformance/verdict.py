# -*- test-case-name: tests.conformance.test_conformance -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What came of a run: which cases are acceptable, and the table that tells of them.

A case is acceptable when what happened in it and how its connection closed are both
C{OK} or C{INFORMATIONAL}.  C{NON-STRICT}, which the suite calls still conformant, is
not, and neither is a case that was not run.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

ACCEPTABLE = ("OK", "INFORMATIONAL")
MISSING = "MISSING"
COLUMNS = ("OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED", "FAILED", MISSING)


@dataclass(frozen=True)
class Outcome:
    """
    What came of a case.

    @ivar case: its name.
    @ivar behavior: what the suite says of what happened; C{MISSING} if it says nothing.
    @ivar close: what it says of how the connection closed.
    @ivar code: the close code that the suite received, if any.
    @ivar seconds: how long it took.
    @ivar report: the file that tells all of it, if there is one.
    """

    case: str
    behavior: str = MISSING
    close: str = MISSING
    code: int | None = None
    seconds: float = 0.0
    report: str | None = None

    @property
    def isAcceptable(self) -> bool:
        """
        Whether it is as it should be.
        """
        return self.behavior in ACCEPTABLE and self.close in ACCEPTABLE

    @property
    def section(self) -> str:
        """
        The section of the suite that it belongs to.
        """
        return self.case.split(".")[0]


def readOutcomes(folders: Iterable[Path], cases: Iterable[str]) -> list[Outcome]:
    """
    Read what the suite reports.

    @param folders: where it reports to.  A folder without reports is like one in which
        no case was run.
    @param cases: the cases that should have been run.
    @return: of each, what came of it.
    """
    found: dict[str, Outcome] = {}
    for folder in folders:
        try:
            index = json.loads((folder / "index.json").read_text())
        except (OSError, ValueError):
            continue
        for agent in index.values():
            for case, entry in agent.items():
                found[case] = _outcome(case, entry, folder)
    return [found.get(case, Outcome(case)) for case in cases]


def _outcome(case: str, entry: Mapping[str, Any], folder: Path) -> Outcome:
    return Outcome(
        case,
        entry["behavior"],
        entry["behaviorClose"],
        entry["remoteCloseCode"],
        entry["duration"] / 1000,
        str(folder / entry["reportfile"]),
    )


@dataclass(frozen=True)
class Verdict:
    """
    What came of a run.

    @ivar title: what was run.
    @ivar outcomes: what came of each case, in their order.
    @ivar seconds: how long it took.
    @ivar problems: what else was wrong, a line each.
    """

    title: str
    outcomes: tuple[Outcome, ...]
    seconds: float = 0.0
    problems: tuple[str, ...] = ()

    @property
    def refused(self) -> list[Outcome]:
        """
        The cases that are not acceptable.
        """
        return [each for each in self.outcomes if not each.isAcceptable]

    @property
    def isAcceptable(self) -> bool:
        """
        Whether all is as it should be.
        """
        return not self.refused and not self.problems

    @property
    def score(self) -> tuple[int, int]:
        """
        How many cases passed, and how many did not.
        """
        failed = len(self.refused)
        return len(self.outcomes) - failed, failed

    def lines(self) -> list[str]:
        """
        Tell of it, for people.
        """
        count = len(self.outcomes)
        told = [f"{self.title}: {count} cases in {self.seconds:.1f} s", *self._table()]
        closes = Counter(each.close for each in self.outcomes)
        codes = Counter(str(each.code or "none") for each in self.outcomes)
        told.append(f"closed: {_counts(closes)}")
        told.append(f"close codes: {_counts(codes)}")
        groups: dict[str, list[str]] = {}
        for each in self.refused:
            kind = each.behavior
            if each.close not in ACCEPTABLE and each.close != kind:
                kind += f", closed {each.close}"
            groups.setdefault(kind, []).append(each.case)
        for kind, cases in groups.items():
            told.append(
                fill(
                    f"{kind} ({len(cases)}): {' '.join(cases)}",
                    100,
                    initial_indent="  ",
                    subsequent_indent="    ",
                )
            )
        return [*told, *self.problems]

    def _table(self) -> list[str]:
        sections: dict[str, list[Outcome]] = {}
        for each in self.outcomes:
            sections.setdefault(each.section, []).append(each)
        heads = " ".join(f"{column:>13}" for column in COLUMNS)
        return [
            f"{'section':8}{'cases':>6} {heads}{'seconds':>10}",
            *(_row(name, outcomes) for name, outcomes in sections.items()),
            _row("total", self.outcomes),
        ]

    def asJSON(self) -> dict[str, Any]:
        """
        Tell of it, for programs; with the reports of what is not acceptable.
        """
        passed, failed = self.score
        return {
            "title": self.title,
            "seconds": round(self.seconds, 1),
            "passed": passed,
            "failed": failed,
            "problems": list(self.problems),
            "behaviors": dict(Counter(each.behavior for each in self.outcomes)),
            "closes": dict(Counter(each.close for each in self.outcomes)),
            "cases": {
                each.case: {
                    "behavior": each.behavior,
                    "close": each.close,
                    "code": each.code,
                    "seconds": each.seconds,
                    "report": None if each.isAcceptable else each.report,
                }
                for each in self.outcomes
            },
        }


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counter.most_common())


def _row(name: str, outcomes: Iterable[Outcome]) -> str:
    behaviors: Counter[str] = Counter()
    seconds = 0.0
    for each in outcomes:
        # What the suite may yet come to say counts as a failure.
        known = each.behavior in COLUMNS
        behaviors[each.behavior if known else "FAILED"] += 1
        seconds += each.seconds
    cells = " ".join(f"{behaviors[column]:13}" for column in COLUMNS)
    return f"{name:8}{behaviors.total():6} {cells}{seconds:10.1f}"


def score(verdicts: Iterable[Verdict]) -> str:
    """
    The last line.
    """
    scores = [verdict.score for verdict in verdicts]
    passed, failed = (sum(column) for column in zip(*scores, strict=True))
    return f"{passed} passed, {failed} failed"
