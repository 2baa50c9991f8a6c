# -*- test-case-name: tests.test_race -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The passes, one after the other: each server in turn, again and again, so that what the
machine does meanwhile meets all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import sleep

from .check import Wrong, check
from .figures import Pass
from .loading import Loads, run
from .messages import messagesFor
from .processes import Running, running
from .servers import Server
from .workloads import Workload

SETTLE = 0.3
"""
Seconds that a server has to see that its connections have gone, or are there.
"""


@dataclass(frozen=True)
class Race:
    """
    What all passes have in common.

    @ivar python: the interpreter that has the peers.
    @ivar warm: seconds before the time is taken.
    @ivar seconds: those of each pass.
    """

    loads: Loads
    python: str
    pem: Path
    warm: float
    seconds: float

    def passOf(self, server: Server, workload: Workload, round: int) -> Pass:
        """
        Start a server, look whether it is right, measure it, and stop it.
        """
        result = Pass(workload.name, server.name, round)
        try:
            with running(server, workload, self.python, str(self.pem)) as started:
                result.versions = started.versions
                self._measure(result, started, workload, server.isRaw)
        except Wrong as error:
            result.failed = str(error)
        return result

    def _measure(
        self, result: Pass, started: Running, workload: Workload, isRaw: bool
    ) -> None:
        messages = messagesFor(workload, isRaw)
        check(started.port, workload, messages, isRaw)
        sleep(SETTLE)
        before = started.memory()
        held = [before]

        def whenOpen() -> None:
            sleep(SETTLE)
            held.append(started.memory())

        told = run(
            self.loads,
            started,
            workload,
            messages,
            isRaw,
            self.warm,
            self.seconds,
            whenOpen,
        )
        if workload.isOfMemory:
            result.memory = held[-1]
            result.cost = (held[-1] - before) / 1024 / workload.connections
            return
        result.memory = started.memory()
        count, seconds = told["messages"], told["seconds"]
        if not count:
            raise Wrong("no message came back in all that time")
        result.cost = told["cpu"] * 1e6 / count
        result.rate = count / seconds
        result.middle, result.p99 = told["median"], told["p99"]
        result.serverShare = told["cpu"] / seconds
        result.waitedShare = told["waited"] / seconds
        result.loadShare = told["loadCpu"] / seconds
        result.loadWaitedShare = told["loadWaited"] / seconds


def order(
    servers: Sequence[Server], workloads: Sequence[Workload], rounds: int
) -> Iterator[tuple[Server, Workload, int]]:
    """
    @return: who is to be measured when.  Each round begins with another server, so that
        none always comes after the same.
    """
    for workload in workloads:
        able = [server for server in servers if server.suits(workload)]
        for number in range(rounds):
            start = number % len(able) if able else 0
            for server in able[start:] + able[:start]:
                yield server, workload, number


def runAll(
    race: Race,
    servers: Sequence[Server],
    workloads: Sequence[Workload],
    rounds: int,
    tell: Callable[[str], object],
) -> Iterator[Pass]:
    """
    Do all of it.

    @param tell: called with a line about each pass.
    """
    for server, workload, number in order(servers, workloads, rounds):
        done = race.passOf(server, workload, number)
        tell(line(done, workload))
        yield done


def line(done: Pass, workload: Workload) -> str:
    """
    @return: what there is to say about a pass when it is over.
    """
    name = f"{done.workload} round {done.round + 1} {done.server}"
    if done.failed:
        return f"{name}: failed: {done.failed}"
    if workload.isOfMemory:
        return f"{name}: {done.cost:.1f} KiB a connection"
    full = ", LOAD OVER 90 %" if done.isFull else ""
    busy = ", other work in the way" if done.isBusy else ""
    return (
        f"{name}: {done.cost:.2f} us, {done.rate:,.0f}/s; server {done.serverShare:.0%}"
        f" of its core, load {done.loadShare:.0%}{full}{busy}"
    )
