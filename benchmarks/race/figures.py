# -*- test-case-name: tests.test_race -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What is made of the passes: medians, ranges, ratios.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from .servers import baselineFor
from .workloads import WORKLOADS, Workload

FULL = 0.9
"""
The share of its core over which the load may have been what was measured.
"""

BUSY = 0.1
"""
The share of the time for which a server may have waited for its core.
"""


@dataclass
class Pass:
    """
    One server under one workload in one round.

    @ivar failed: why there are no figures, else empty.
    @ivar cost: microseconds of the server's CPU for each message; of idle connections,
        KiB of its memory for each.
    @ivar rate: messages a second.
    @ivar middle: the median of latencies, in microseconds.
    @ivar p99: what 99 of 100 were not over.
    @ivar memory: bytes of resident memory of the server at the end.
    @ivar serverShare: the server's CPU, as a share of one core.
    @ivar waitedShare: for how much of the time the server was ready, but something else
        had its core.
    @ivar loadShare: the CPU of the load, as a share of one core.
    @ivar loadWaitedShare: for how much of the time the load was ready, likewise.
    """

    workload: str
    server: str
    round: int
    versions: str = ""
    failed: str = ""
    cost: float = 0.0
    rate: float = 0.0
    middle: float = 0.0
    p99: float = 0.0
    memory: float = 0.0
    serverShare: float = 0.0
    waitedShare: float = 0.0
    loadShare: float = 0.0
    loadWaitedShare: float = 0.0

    @property
    def isFull(self) -> bool:
        """
        Whether the load may have been what was measured.
        """
        return self.loadShare > FULL

    @property
    def isBusy(self) -> bool:
        """
        Whether other work was in the way.
        """
        return self.waitedShare > BUSY or self.loadWaitedShare > BUSY


@dataclass(frozen=True)
class Figure:
    """
    A median and its range.
    """

    middle: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Figure:
        """
        @param values: at least one.
        """
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True)
class Row:
    """
    One server under one workload.

    @ivar failed: why there are no figures, else empty.
    @ivar ratio: its cost to that of the server that others are compared with; C{None}
        if that was not measured.
    @ivar full: in how many rounds the load had more than 90 % of its core.
    @ivar busy: in how many rounds other work was in the way.
    """

    server: str
    passes: Sequence[Pass]
    failed: str
    ratio: float | None

    def figure(self, of: Callable[[Pass], float]) -> Figure:
        """
        @return: that of the passes that did not fail.
        """
        return Figure.of([of(each) for each in self.passes if not each.failed])

    @property
    def full(self) -> int:
        """
        How many.
        """
        return sum(each.isFull for each in self.passes)

    @property
    def busy(self) -> int:
        """
        How many.
        """
        return sum(each.isBusy for each in self.passes)


def workloadsOf(passes: Sequence[Pass]) -> list[Workload]:
    """
    @return: those of the passes, in their own order.
    """
    named = {each.workload for each in passes}
    return [workload for name, workload in WORKLOADS.items() if name in named]


def rowsOf(passes: Sequence[Pass], workload: Workload) -> list[Row]:
    """
    @return: a row for each server under that workload, the cheapest first, those that
        failed in all rounds last.
    """
    byServer: dict[str, list[Pass]] = {}
    for each in passes:
        if each.workload == workload.name:
            byServer.setdefault(each.server, []).append(each)
    costs = {
        server: median(costs)
        for server, own in byServer.items()
        if (costs := [each.cost for each in own if not each.failed])
    }
    baseline = costs.get(baselineFor(workload))
    rows = []
    for server, own in byServer.items():
        failures = [each.failed for each in own if each.failed]
        # One that failed in some rounds has figures, but it is said that it did.
        failed = ""
        if failures:
            failed = f"failed in {len(failures)} of {len(own)} rounds: {failures[0]}"
        ratio = costs[server] / baseline if baseline and server in costs else None
        rows.append(Row(server, own, failed, ratio))
    return sorted(rows, key=lambda row: costs.get(row.server, float("inf")))
