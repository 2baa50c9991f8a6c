# -*- test-case-name: tests.conformance.test_run -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Running cases: who is tested and the suite are processes that talk over 127.0.0.1.

The cases can be dealt out to several pairs of such processes that run side by side.
In each pair one leads, and the pair is done when that one ends: the suite when a server
is tested, the client when a client is.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.error import ProcessExitedAlready
from twisted.python.failure import Failure

from examples.selfsigned import makeCertificate

from ..processes import Program
from .cases import select
from .install import CannotRun, Suite
from .peers import Peer
from .peers.common import AGENT, DRAFTS
from .verdict import Verdict, readOutcomes

ROOT = Path(__file__).parent.parent.parent


class Child(Program):
    """
    A process of a pair.

    @ivar log: the file of what it says.
    """

    def __init__(self, log: Path) -> None:
        Program.__init__(self)
        self.log = log

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """
        Keep it, also for later.
        """
        with self.log.open("ab") as file:
            file.write(data)
        Program.childDataReceived(self, childFD, data)

    async def port(self) -> int:
        """
        @return: the port that it says it listens on.
        @raise CannotRun: when it ends without saying so.
        """
        try:
            said = await self.whenSaid(r"listening on port (\d+)")
        except AssertionError:
            raise CannotRun(f"no server came up: see {self.log}") from None
        return int(said[1])

    def end(self, signal: str) -> None:
        """
        Send a signal, if it lives.
        """
        if not self.ended.called:
            try:
                self.signal(signal)
            except ProcessExitedAlready:
                pass  # its end is on its way


@dataclass(frozen=True)
class Plan:
    """
    What to run.

    @ivar peer: who is tested.
    @ivar role: what it is: C{server} or C{client}.
    @ivar cases: the names of the cases, see L{select<tests.conformance.cases.select>}.
    @ivar over: how they talk: C{tcp}, C{tls}, or C{web}, a server in a
        L{twisted.web} site.
    @ivar version: the protocol version that the client speaks.
    """

    peer: Peer
    role: str
    cases: tuple[str, ...]
    over: str = "tcp"
    version: int = 13

    def __str__(self) -> str:
        who = f"{self.peer.name} {self.peer.version}"
        return f"{who} as {self.role} over {self.over}, version {self.version}"


class Run:
    """
    A plan that is carried out.
    """

    def __init__(self, reactor: Any, suite: Suite, plan: Plan, folder: Path) -> None:
        """
        @param reactor: runs the processes.
        @param suite: the suite, installed.
        @param plan: what to run.
        @param folder: where the reports and the logs go; it is there, and empty.
        """
        self._reactor = reactor
        self._suite = suite
        self._plan = plan
        self._folder = folder
        self._files: tuple[str, ...] = ()
        self._problems: list[str] = []

    async def run(self, pairs: int, timeout: float) -> Verdict:
        """
        Run the cases.

        @param pairs: how many pairs of processes run side by side.
        @param timeout: after how many seconds those that still run are ended.
        @raise CannotRun: when one of them does not start.
        @raise ValueError: when the plan names a case that there is not.
        """
        cases = select(self._plan.cases, self._suite.cases)
        if self._plan.over == "tls":
            self._files = makeCertificate(self._folder)
        begun = self._reactor.seconds()
        hands = [cases[number::pairs] for number in range(pairs)]
        folders = [self._folder / str(number) for number in range(pairs)]
        isServer = self._plan.role == "server"
        pair = self._testServer if isServer else self._testClient
        for folder in folders:
            folder.mkdir()
        # Each cleans up behind itself, so all of them have to be done.
        ended = await DeferredList(
            [
                Deferred.fromCoroutine(pair(hand, folder, timeout))
                for hand, folder in zip(hands, folders, strict=True)
                if hand
            ],
            consumeErrors=True,
        )
        for _, result in ended:
            if isinstance(result, Failure):
                result.raiseException()
        return Verdict(
            str(self._plan),
            tuple(readOutcomes([folder / "reports" for folder in folders], cases)),
            self._reactor.seconds() - begun,
            tuple(self._problems),
        )

    async def _testServer(
        self, cases: Sequence[str], folder: Path, timeout: float
    ) -> None:
        files = self._files
        async with self._tested(folder, self._plan.over, *files) as server:
            scheme = "wss" if self._plan.over == "tls" else "ws"
            target = {
                "agent": AGENT,
                "url": f"{scheme}://127.0.0.1:{await server.port()}",
                "options": {"version": DRAFTS[self._plan.version]},
            }
            async with self._fuzzing(
                "fuzzingclient", folder, cases, servers=[target]
            ) as fuzzer:
                await self._lead(fuzzer, timeout, "TERM")
            if server.ended.called:
                self._problems.append(f"the server did not live: see {server.log}")

    async def _testClient(
        self, cases: Sequence[str], folder: Path, timeout: float
    ) -> None:
        spec: dict[str, Any] = {"url": "ws://127.0.0.1:9001"}
        trusted: tuple[str, ...] = ()
        if self._files:
            key, certificate = self._files
            spec = {"url": "wss://127.0.0.1:9001", "key": key, "cert": certificate}
            trusted = (certificate,)
        async with self._fuzzing("fuzzingserver", folder, cases, **spec) as fuzzer:
            scheme = spec["url"].split(":")[0]
            url = f"{scheme}://127.0.0.1:{await fuzzer.port()}"
            async with self._tested(folder, url, *trusted) as client:
                await self._lead(client, timeout, "KILL")
            # It writes the reports then.
            fuzzer.end("TERM")
            await fuzzer.ended

    @asynccontextmanager
    async def _tested(
        self, folder: Path, where: str, *files: str
    ) -> AsyncIterator[Child]:
        """
        Have the program that is tested run.
        """
        command = self._plan.peer.command(
            self._plan.role, where, str(self._plan.version), *files
        )
        environment = {
            **os.environ,
            **dict(self._plan.peer.environment),
            "PYTHONUNBUFFERED": "1",
        }
        child = self._start(folder / "tested.log", command, environment, ROOT)
        try:
            yield child
        finally:
            await child.stop()
        if "Traceback" in child.output:
            self._problems.append(f"there was an exception: see {child.log}")

    @asynccontextmanager
    async def _fuzzing(
        self, mode: str, folder: Path, cases: Sequence[str], **spec: Any
    ) -> AsyncIterator[Child]:
        """
        Have the suite run.
        """
        file = folder / f"{mode}.json"
        file.write_text(json.dumps({"cases": cases, "outdir": "reports", **spec}))
        command = self._suite.command(
            "launch.py", "--mode", mode, "--spec", file.name, "--webport", "0"
        )
        child = self._start(
            folder / "suite.log", command, self._suite.environment, folder
        )
        try:
            yield child
        finally:
            await child.stop()

    async def _lead(self, leader: Child, timeout: float, signal: str) -> None:
        """
        Wait for the end of the one that leads.
        """
        timer = self._reactor.callLater(timeout, self._late, leader, timeout, signal)
        code = await leader.ended
        if timer.active():
            timer.cancel()
            if code:
                self._problems.append(f"exit code {code}: see {leader.log}")

    def _late(self, leader: Child, timeout: float, signal: str) -> None:
        self._problems.append(f"not done after {timeout:g} seconds: see {leader.log}")
        leader.end(signal)

    def _start(
        self, log: Path, command: list[str], environment: dict[str, str], where: Path
    ) -> Child:
        child = Child(log)
        self._reactor.spawnProcess(
            child, command[0], command, environment, path=str(where)
        )
        return child
