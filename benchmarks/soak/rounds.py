# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Rounds of churn, readings between them, and what they tell.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import deferLater

from benchmarks.readings import CriticalEvents, Reading, Watched, reactor, take
from benchmarks.soak.clients import Clients
from benchmarks.soak.faults import FAULTS
from benchmarks.soak.lives import LIVES

COUNTS = ("delayedCalls", "descriptors", "readers", "writers", "garbage")
NONE = ("critical", "unhandled", "connections", "pending")
"""
What there must never be any of in a quiet server.
"""

QUIET = 3
"""
Seconds that the server has, after all its patience, to become quiet.
"""

MIB = 1 << 20


class Soak:
    """
    A server and its clients.

    @ivar clients: the L{Clients}.
    @ivar readings: of each round, those of the server and of the clients.
    """

    def __init__(self, patience: float, seed: int = 1) -> None:
        """
        Start the server.

        @param patience: see L{benchmarks.soak.server.config}.
        """
        self._critical = CriticalEvents()
        self._critical.join()
        self._server = Watched("benchmarks.soak.server", str(patience))
        said = self._server.said
        self.clients = Clients(said["tcp"], said["tls"], patience, seed)
        self.readings: list[tuple[Reading, Reading]] = []
        self._begun = reactor.seconds()
        self._unused = self._server.reading()

    def stop(self) -> None:
        """
        Stop the server.

        @raise RuntimeError: when it does not end as it should.
        """
        self._critical.leave()
        code = self._server.stop()
        if code:
            raise RuntimeError(f"the server ended with {code}")

    async def round(self, connections: int, seconds: float) -> None:
        """
        Churn, wait until the server is quiet, and read what it holds.
        """
        await self.clients.churn(LIVES + FAULTS, connections, seconds)
        until = reactor.seconds() + self.clients.patience * 3 + QUIET
        quiet = self._server.reading()
        while reactor.seconds() < until and not self._isQuiet(quiet):
            await deferLater(reactor, 0.25)
            quiet = self._server.reading()
        self.readings.append((quiet, take(self._critical)))

    def _isQuiet(self, reading: Reading) -> bool:
        return all(reading[name] == self._unused[name] for name in COUNTS)

    def differences(self, bound: float) -> list[str]:
        """
        @param bound: MiB of resident memory.
        @return: in what the last reading is not as the first one, and what else was
            not as it had to be; empty if all is well.
        """
        found = [f"a client: {failure}" for failure in self.clients.failures]
        (first, firstOurs), (last, lastOurs) = self.readings[0], self.readings[-1]
        for who, before, after in (
            ("server", first, last),
            ("clients", firstOurs, lastOurs),
        ):
            for name in COUNTS:
                if before[name] != after[name]:
                    found.append(f"{who}: {name}: {before[name]}, then {after[name]}")
            for name in NONE:
                if after.get(name):
                    found.append(f"{who}: {name}: {after[name]}")
            found += [f"{who}: {text}" for text in after["first"]]
            for name in sorted(before["objects"].keys() | after["objects"].keys()):
                numbers = [each["objects"].get(name, 0) for each in (before, after)]
                if numbers[0] != numbers[1]:
                    found.append(f"{who}: {name}: {numbers[0]}, then {numbers[1]}")
        grown = (last["rss"] - first["rss"]) / MIB
        if grown > bound:
            found.append(f"server: {grown:.1f} MiB more, over {bound:g}")
        return found

    def line(self) -> str:
        """
        @return: the last round in one line.
        """
        server, ours = self.readings[-1]
        return (
            f"{reactor.seconds() - self._begun:6.0f} s"
            f" {sum(self.clients.lives.values()):8,} lives"
            f" {server['rss'] / MIB:7.1f} MiB"
            f" {sum(server['objects'].values()):6,} objects"
            f" {server['delayedCalls']:3} calls"
            f" {server['descriptors']:4} descriptors"
            f" {server['critical']:3} critical"
            f" {server['cpu']:7.1f} s of CPU"
            f" | clients {ours['rss'] / MIB:6.1f} MiB"
            f" {sum(ours['objects'].values()):5,} objects"
            f" {len(self.clients.failures):3} failures"
        )

    def table(self, bound: float) -> str:
        """
        @return: the first and the last reading, and what differs.
        """
        lines = [
            f"{'':24} {'server: first':>14} {'last':>10} {'clients: first':>16}"
            f" {'last':>10}"
        ]
        rows: list[tuple[str, Any]] = [
            ("memory, MiB", lambda each: f"{each['rss'] / MIB:.1f}"),
            ("the most so far", lambda each: f"{each['peak'] / MIB:.1f}"),
            ("objects", lambda each: sum(each["objects"].values())),
            ("before collection", lambda each: each["uncollected"]),
            *((name, _column(name)) for name in (*COUNTS, *NONE)),
        ]
        first, last = self.readings[0], self.readings[-1]
        for name, column in rows:
            cells = [column(each) for each in (first[0], last[0], first[1], last[1])]
            lines.append("{:24} {:>14} {:>10} {:>16} {:>10}".format(name, *cells))
        lives = sorted(self.clients.lives.items())
        lines.append(", ".join(f"{name} {number:,}" for name, number in lives))
        lines.append(f"{self.clients.cut:,} lives were cut short by the end of a round")
        return "\n".join([*lines, *(self.differences(bound) or ["all is well"])])


def _column(name: str) -> Any:
    return lambda each: each.get(name, "")
