# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A server in a process of its own that is attacked, with an honest client beside it and a
look at its memory and its log.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _installed
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.processes import TWISTD, Program, run
from twisted_ws import ClientConfig, Inbox, WebSocketClient

reactor: Any = _installed

ROOT = str(Path(__file__).parent.parent.parent)
LOCAL = "tcp:0:interface=127.0.0.1:backlog=1024"
LIMITED = """
import os, resource, sys
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
os.execv(sys.argv[2], sys.argv[2:])
"""
LATEST = 5.0
"""
Seconds within which an honest client has to have its echo, whatever happens; an echo
takes a thousandth of one, but machines that run tests may be busy.
"""


def memory(pid: int) -> dict[str, float]:
    """
    @return: what C{/proc} tells of the memory of a process, in MiB.
    """
    text = Path(f"/proc/{pid}/status").read_text()
    found = re.findall(r"(Vm\w+):\s+(\d+) kB", text)
    return {name: int(size) / 1024 for name, size in found}


class ProcessTests(TestCase):
    """
    The base of the tests.

    @ivar program: the server.
    @ivar port: where it listens.
    """

    timeout = 90
    if not Path("/proc/self/status").exists():
        skip = "there is no /proc to read"

    async def start(
        self, *options: str, listen: str = LOCAL, descriptors: int | None = None
    ) -> None:
        """
        Start the server.

        @param descriptors: how many it may have.
        """
        command = [*TWISTD, "-n", "--pidfile=", "websocket", "--listen", listen]
        mount = "*=tests.hostile.applications.everything"
        command += ["--mount", mount, *options]
        if descriptors is not None:
            command = [sys.executable, "-c", LIMITED, str(descriptors), *command]
        self.program: Program = run(command, ROOT)
        self.addCleanup(self.program.stop)
        said = await self.program.whenSaid(r"WebSockets at \w+\(.*port=(\d+)\)")
        self.port = int(said[1])
        self._started = len(self.program.output[: said.end()].splitlines())

    @property
    def pid(self) -> int:
        """
        The process id of the server.
        """
        transport: Any = self.program.transport
        pid: int = transport.pid
        return pid

    @property
    def logged(self) -> list[str]:
        """
        The lines that the server has logged since it listens.
        """
        return self.program.output.splitlines()[self._started :]

    async def connect(self, path: str = "/") -> Inbox:
        """
        @return: an honest client.
        """
        client = WebSocketClient(reactor, ClientConfig(handshakeTimeout=30))
        inbox: Inbox = await client.connect(f"ws://127.0.0.1:{self.port}{path}")
        self.addCleanup(inbox.close)
        return inbox

    async def echo(self, client: Inbox, message: str = "honest") -> float:
        """
        @return: seconds until an echo comes.
        """
        began = reactor.seconds()
        client.send(message)
        received: Deferred[Any] = client.receive()
        self.assertEqual(await received.addTimeout(LATEST, reactor), message)
        took: float = reactor.seconds() - began
        return took

    async def attack(
        self,
        attack: Callable[[int], str],
        outcome: str,
        growth: float = 32,
        path: str = "/",
    ) -> None:
        """
        Carry an attack out, while an honest client has its echoes.

        @param outcome: what may come of it, a pattern.
        @param growth: MiB that the server may grow by, at any moment.
        """
        honest = await self.connect(path)
        await self.echo(honest)
        before = memory(self.pid)["VmRSS"]
        # So that its peak is that of the attack.
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        attacking: Deferred[str] = deferToThread(attack, self.port)
        while not attacking.called:
            await self.echo(honest)
            await deferLater(reactor, 0.02)
        self.assertRegex(await attacking, f"^(?:{outcome})$")
        await self.echo(honest)
        await self.echo(await self.connect(path))
        self.assertLess(memory(self.pid)["VmHWM"] - before, growth)
        self.assertNotIn("Traceback", self.program.output)

    async def assertLogged(self, *says: str) -> None:
        """
        Check that one line was logged, that has these in it.
        """
        await self.program.whenSaid(re.escape(says[0]))
        self.assertEqual(len(self.logged), 1, self.logged)
        for each in says:
            self.assertIn(each, self.logged[0])

    async def gathered(self, *waiting: Deferred[Any]) -> list[Any]:
        """
        @return: the results of all of them.
        """
        results: list[Any] = await gatherResults(waiting, consumeErrors=True)
        return results
