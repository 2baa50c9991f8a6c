# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
How runs go, with programs that take the place of the suite and of who is tested.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from .install import CannotRun, Suite
from .peers import Peer
from .run import Plan, Run
from .verdict import Verdict, score

SERVER = """
import os, sys
print("arguments", sys.argv[1:])
print("listening on port", os.getpid())
os.read(0, 1)
"""

CLIENT = """
import sys
print("arguments", sys.argv[1:])
"""

FUZZER = """
import json, os, signal, sys
name = sys.argv[sys.argv.index("--spec") + 1]
spec = json.load(open(name))

def report(*ignored):
    entry = {"behavior": "OK", "behaviorClose": "OK", "remoteCloseCode": 1000,
             "duration": 1, "reportfile": "x.json"}
    os.mkdir(spec["outdir"])
    with open(spec["outdir"] + "/index.json", "w") as file:
        json.dump({"tested": dict.fromkeys(spec["cases"], entry)}, file)
    os._exit(0)

signal.signal(signal.SIGTERM, report)
if "servers" not in spec:
    print("listening on port 4711", flush=True)
    os.read(0, 1)
else:
    # The programs that are tested here say their process id.
    peer = int(spec["servers"][0]["url"].rpartition(":")[2])
"""

KILLER = """
os.kill(peer, signal.SIGKILL)
try:
    while True:
        os.kill(peer, 0)
except ProcessLookupError:
    report()
"""


@dataclass(frozen=True)
class FakeSuite(Suite):
    """
    A suite whose program is C{code}.
    """

    code: str = ""

    @property
    def cases(self) -> list[str]:
        """
        Its cases.
        """
        return ["1.1.1", "1.1.2", "1.1.3"]

    @property
    def environment(self) -> dict[str, str]:
        """
        The environment of its program.
        """
        return dict(os.environ)

    def command(self, program: str, *arguments: str) -> list[str]:
        """
        How to run it.
        """
        return [sys.executable, "-c", self.code, *arguments]


@dataclass(frozen=True)
class FakePeer(Peer):
    """
    Who is tested: C{code}.
    """

    code: str = ""

    def command(self, *arguments: str) -> list[str]:
        """
        How to run it.
        """
        return [sys.executable, "-c", self.code, *arguments]


class RunTests(TestCase):
    """
    Runs of three cases.
    """

    timeout = 60

    async def go(
        self,
        role: str,
        peer: str,
        fuzzer: str,
        *,
        pairs: int = 1,
        timeout: float = 50,
        **options: Any,
    ) -> Verdict:
        """
        Run them.
        """
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        plan = Plan(
            FakePeer("fake", "nowhere", {}, code=peer), role, ("all",), **options
        )
        suite = FakeSuite("", Path(), code=fuzzer)
        return await Run(reactor, suite, plan, self.folder).run(pairs, timeout)

    def read(self, name: str, pair: int = 0) -> str:
        """
        Read one of the files.
        """
        return (self.folder / str(pair) / name).read_text()

    def assertProblem(self, verdict: Verdict, what: str) -> None:
        """
        Assert that there was this problem, and no other.
        """
        (problem,) = verdict.problems
        self.assertIn(what, problem)
        self.assertFalse(verdict.isAcceptable)

    async def test_server(self) -> None:
        """
        The suite is told where the server is, and the version to speak; the server,
        what to listen on; all that they say is kept.
        """
        verdict = await self.go(
            "server", SERVER, FUZZER + "print('hello'); report()", version=8
        )
        self.assertEqual(verdict.problems, ())
        self.assertEqual(score([verdict]), "3 passed, 0 failed")
        spec = json.loads(self.read("fuzzingclient.json"))
        (target,) = spec["servers"]
        self.assertRegex(target["url"], r"^ws://127\.0\.0\.1:\d+$")
        self.assertEqual(target["options"], {"version": 10})
        self.assertIn("arguments ['server', 'tcp', '8']", self.read("tested.log"))
        self.assertEqual(self.read("suite.log"), "hello\n")

    async def test_pairs(self) -> None:
        """
        The cases are dealt out to pairs of processes; of more pairs than cases, some
        are not needed.
        """
        for pairs in (2, 5):
            verdict = await self.go("server", SERVER, FUZZER + "report()", pairs=pairs)
            self.assertEqual(score([verdict]), "3 passed, 0 failed")
            hands = [
                json.loads(path.read_text())["cases"]
                for path in sorted(self.folder.glob("*/fuzzingclient.json"))
            ]
            self.assertEqual(len(hands), min(pairs, 3))
            dealt = sorted(case for hand in hands for case in hand)
            self.assertEqual(dealt, ["1.1.1", "1.1.2", "1.1.3"])

    async def test_client(self) -> None:
        """
        The client is told where the suite is; when it is done, so is the suite, which
        reports then.
        """
        verdict = await self.go("client", CLIENT, FUZZER)
        self.assertEqual(verdict.problems, ())
        self.assertEqual(score([verdict]), "3 passed, 0 failed")
        self.assertIn(
            "arguments ['client', 'ws://127.0.0.1:4711', '13']", self.read("tested.log")
        )

    async def test_tls(self) -> None:
        """
        Over TLS the server is given a key and a certificate, and the client the
        certificate.
        """
        await self.go("server", SERVER, FUZZER + "report()", over="tls")
        arguments = self.read("tested.log")
        self.assertIn("['server', 'tls', '13', ", arguments)
        for name in ("key.pem", "cert.pem"):
            file = self.folder / name
            self.assertIn(f"{str(file)!r}", arguments)
            self.assertTrue(file.is_file())
        spec = json.loads(self.read("fuzzingclient.json"))
        self.assertRegex(spec["servers"][0]["url"], "^wss://")
        await self.go("client", CLIENT, FUZZER, over="tls")
        certificate = str(self.folder / "cert.pem")
        self.assertIn(
            f"['client', 'wss://127.0.0.1:4711', '13', {certificate!r}]",
            self.read("tested.log"),
        )
        spec = json.loads(self.read("fuzzingserver.json"))
        self.assertEqual(spec["cert"], certificate)
        self.assertEqual(spec["key"], str(self.folder / "key.pem"))

    async def test_noServer(self) -> None:
        """
        When a server does not come up nothing can be run.
        """
        for role, peer, fuzzer in (
            ("server", "print('no')", FUZZER),
            ("client", CLIENT, "print('no')"),
        ):
            with self.assertRaises(CannotRun) as raised:
                await self.go(role, peer, fuzzer, pairs=2)
            self.assertIn("no server came up", str(raised.exception))

    async def test_serverDies(self) -> None:
        """
        A server that does not live to the end is a problem, whatever the suite says.
        """
        verdict = await self.go("server", SERVER, FUZZER + KILLER)
        self.assertProblem(verdict, "the server did not live")
        self.assertEqual(score([verdict]), "3 passed, 0 failed")

    async def test_late(self) -> None:
        """
        What is not done in time is ended; the suite reports what it has.
        """
        verdict = await self.go("server", SERVER, FUZZER + "os.read(0, 1)", timeout=1)
        self.assertProblem(verdict, "not done after 1 seconds")
        self.assertEqual(score([verdict]), "3 passed, 0 failed")
        verdict = await self.go(
            "client", CLIENT + "sys.stdin.read()", FUZZER, timeout=1
        )
        self.assertProblem(verdict, "not done after 1 seconds")

    async def test_failed(self) -> None:
        """
        That the one which leads fails is a problem; cases that it does not report are
        missing.
        """
        verdict = await self.go("server", SERVER, FUZZER + "os._exit(4)")
        self.assertProblem(verdict, "exit code 4: see")
        self.assertEqual(score([verdict]), "0 passed, 3 failed")
        verdict = await self.go("client", "raise SystemExit(5)", FUZZER)
        self.assertProblem(verdict, "exit code 5: see")

    async def test_exception(self) -> None:
        """
        That who is tested tells of an exception is a problem.
        """
        loud = "print('Traceback (most recent call last):')\n"
        verdict = await self.go("server", loud + SERVER, FUZZER + "report()")
        self.assertProblem(verdict, "there was an exception")
        verdict = await self.go("client", loud + CLIENT, FUZZER)
        self.assertProblem(verdict, "there was an exception")

    async def test_noCase(self) -> None:
        """
        A case that there is not is refused before anything is started.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        plan = Plan(FakePeer("fake", "nowhere", {}), "server", ("9.9.9",))
        run = Run(reactor, FakeSuite("", Path()), plan, folder)
        with self.assertRaises(ValueError):
            await run.run(1, 1)
        self.assertEqual(os.listdir(folder), [])
