# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The pair that looks for leaks.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase

from examples import memoryleak_server
from examples.memoryleak_server import LateEchoes, memory
from twisted_ws import Inbox, TLSPolicy, WebSocketClient
from twisted_ws.testing import MemoryServer, RecordingReceiver

from .programs import ExampleTests, Program

SERVER = "memoryleak_server"
CLIENT = "memoryleak_client"
COUNTS = re.compile(
    r"active: (?P<active>\d+), opened: (?P<opened>\d+), sent: (?P<sent>\d+),"
    r" received: (?P<received>\d+), errors: (?P<errors>\d+)(?: \(.+\))?,"
    r" memory: \d+\.\d MiB"
)


class LateEchoTests(SynchronousTestCase):
    """
    The server, in memory.
    """

    def setUp(self) -> None:
        self.echoes = LateEchoes(None)
        self.server = MemoryServer(self.echoes)
        self.echoes.clock = self.clock = self.server.clock

    def join(self) -> RecordingReceiver:
        """
        Connect a client.
        """
        client: RecordingReceiver = self.successResultOf(
            self.server.connect("/", RecordingReceiver())
        )
        return client

    def advance(self, seconds: float) -> None:
        """
        Let time and bytes go by.
        """
        self.server.flush()
        self.clock.advance(seconds)
        self.server.flush()

    def test_late(self) -> None:
        """
        A text comes back after a second, each by itself; binary does not.
        """
        client = self.join()
        client.transport.sendMessage("first")
        self.advance(0.5)
        client.transport.sendMessage(b"binary")
        client.transport.sendMessage("second")
        self.advance(0.499)
        self.assertEqual(client.messages, [])
        self.advance(0.001)
        self.assertEqual(client.messages, ["first"])
        self.advance(0.499)
        self.assertEqual(client.messages, ["first"])
        self.advance(0.001)
        self.assertEqual(client.messages, ["first", "second"])

    def test_leave(self) -> None:
        """
        Nothing is left of a client that left before it got its echoes, whatever the way
        it left.
        """
        for leave in ("close", "abortConnection"):
            client = self.join()
            for _ in range(3):
                client.transport.sendMessage("text")
            self.server.flush()
            getattr(client.transport, leave)()
            self.server.flush()
            self.assertEqual(self.echoes.activeCount, 0)
            self.clock.advance(0)
            keepalives = [
                call for call in self.clock.getDelayedCalls() if call.getTime() < 10
            ]
            self.assertEqual(keepalives, [])
        self.assertEqual(self.echoes.count, 2)

    def test_closing(self) -> None:
        """
        An echo that is due while the connection closes is dropped without a word.
        """
        client = self.join()
        client.transport.sendMessage("text")
        self.server.flush()
        (connection,) = self.server.factory.connections
        connection.close()
        self.clock.advance(1)
        self.server.flush()
        self.assertEqual(client.messages, [])
        self.assertEqual(client.reason.code, 1000)
        self.assertEqual(self.echoes.activeCount, 0)

    def test_count(self) -> None:
        """
        It knows how many clients it has, and how many it had.
        """
        clients = [self.join() for _ in range(5)]
        self.assertEqual((self.echoes.activeCount, self.echoes.count), (5, 5))
        for client in clients[:3]:
            client.transport.close()
        self.server.flush()
        self.assertEqual((self.echoes.activeCount, self.echoes.count), (2, 5))

    def test_tooMany(self) -> None:
        """
        It owes nobody more than 16 echoes at a time.
        """
        client = self.join()
        for _ in range(2):
            for number in range(16):
                client.transport.sendMessage(str(number))
            self.advance(1)
        self.assertEqual(client.messages, [str(number) for number in range(16)] * 2)
        for _ in range(20):
            client.transport.sendMessage("text")
        self.advance(1)
        self.assertEqual(client.reason.code, 1008)
        self.assertEqual(client.reason.reason, "too many messages at once")
        self.assertEqual(len(client.messages), 32)

    def test_slowReader(self) -> None:
        """
        A client that does not read its echoes is not read from.
        """
        client = self.join()
        mine, its = self.server.carriers[-1]
        its.highWater = 1000
        mine.pauseProducing()
        for _ in range(10):
            client.transport.sendMessage("x" * 400)
            self.advance(1)
        self.assertTrue(its.isPaused)
        self.assertLess(len(its.outgoing), 2000)
        mine.resumeProducing()
        self.advance(1)
        self.advance(1)
        self.assertEqual(client.messages, ["x" * 400] * 10)


class MemoryTests(SynchronousTestCase):
    """
    How much memory a process has.
    """

    def test_memory(self) -> None:
        """
        It is a number of MiB that grows with what is there.
        """
        before = memory()
        self.assertGreater(before, 5)
        ballast = b"x" * (64 << 20)
        self.assertGreater(memory() - before, 48)
        self.assertEqual(len(ballast), 64 << 20)

    def test_withoutProc(self) -> None:
        """
        Where there is no C{/proc} it is what the process had at most.
        """
        before = memory()
        self.patch(memoryleak_server, "Path", lambda name: Path(f"/nowhere{name}"))
        self.assertGreaterEqual(memory(), before - 1)
        self.assertLess(memory(), before + 4096)


class ProgramTests(ExampleTests):
    """
    Both, as programs.
    """

    def setUp(self) -> None:
        self.keepTemporaryFiles()

    async def begin(self, *options: str) -> tuple[Program, int, str]:
        """
        Start the server.

        @return: it, its port, and the file of its certificate.
        """
        server, port = await self.serve(SERVER, *options)
        said = re.search(r"Its certificate is in (\S+)\n", server.output)
        return server, port, said[1] if said else ""

    def counts(self, program: Program) -> list[dict[str, int]]:
        """
        @return: what a client has told, line by line.
        """
        lines = [COUNTS.fullmatch(line) for line in program.output.splitlines()]
        self.assertNotIn(None, lines, program.output)
        return [
            {name: int(number) for name, number in line.groupdict().items()}
            for line in lines
            if line
        ]

    async def ends(self, server: Program, count: int) -> set[str]:
        """
        Wait until the server has seen so many connections end that clients closed, and
        nobody is left.  What it did not see open, because a client left meanwhile, is
        not counted.

        @return: the codes with which they were closed.
        """
        closed = r"Closed 127\.0\.0\.1: the peer closed with (\d+) "
        await server.whenSaid(closed, count)
        await server.whenSaid(r"; active: 0,[^\n]*\n\Z")
        return set(re.findall(closed, server.output))

    async def test_crowd(self) -> None:
        """
        As many visits as were asked for are made, by a crowd of that size; afterwards
        the server has nobody left, and knows of no visit that ended badly.
        """
        server, port, file = await self.begin()
        client = self.start(
            CLIENT, "8", f"--port={port}", f"--ca={file}", "--connects=24"
        )
        self.assertEqual(await client.ended, 0, client.output)
        told = self.counts(client)
        opened = [each["opened"] for each in told]
        self.assertEqual(opened, sorted(opened))
        self.assertLessEqual(max(each["active"] for each in told), 8)
        last = told[-1]
        self.assertEqual(
            (last["active"], last["opened"], last["errors"]), (0, 24, 0), last
        )
        self.assertLessEqual(last["received"], last["sent"])
        self.assertEqual(await self.ends(server, 24), {"1000"})
        await self.assertEnds(server)
        self.assertIn("Bye. connections: 24, active: 0\n", server.output)
        self.assertEqual(server.output.count("Opened from 127.0.0.1; "), 24)

    async def test_echo(self) -> None:
        """
        The server sends a text back, over TLS with a certificate of its own, which is
        gone when the server is.
        """
        server, port, file = await self.begin()
        folder = Path(file).parent
        self.assertEqual(os.stat(folder).st_mode & 0o777, 0o700)
        client = WebSocketClient(reactor, tlsPolicy=TLSPolicy(Path(file).read_bytes()))
        for host in ("localhost", "127.0.0.1"):
            inbox: Inbox = await client.connect(f"wss://{host}:{port}/")
            inbox.send("TestData\x1b")
            self.assertEqual(await inbox.receive(), "TestData\x1b")
            await inbox.close()
        await server.whenSaid(r"Received Message: 'TestData\\x1b'")
        await self.assertEnds(server, "TERM")
        self.assertFalse(folder.exists())

    async def test_seconds(self) -> None:
        """
        When its time is up the client closes all connections, with 1001, and ends.
        """
        server, port, file = await self.begin()
        client = self.start(
            CLIENT, "20", f"--port={port}", f"--ca={file}", "--seconds=1"
        )
        self.assertEqual(await client.ended, 0, client.output)
        last = self.counts(client)[-1]
        self.assertEqual((last["active"], last["errors"]), (0, 0))
        self.assertIn("1001", await self.ends(server, last["opened"]))

    async def test_interrupted(self) -> None:
        """
        So it does when it is interrupted or terminated.
        """
        for signal in ("INT", "TERM"):
            server, port, file = await self.begin()
            client = self.start(CLIENT, "20", f"--port={port}", f"--ca={file}")
            await client.whenSaid("opened: [1-9]")
            await self.assertEnds(client, signal)
            last = self.counts(client)[-1]
            self.assertEqual((last["active"], last["errors"]), (0, 0))
            self.assertIn("1001", await self.ends(server, last["opened"]))

    async def test_comeAgain(self) -> None:
        """
        When the server vanishes the client says so, and tries again until there is one;
        this server says goodbye.
        """
        files = self.certificates()
        own = [f"--key={files['key']}", f"--cert={files['cert']}"]
        server, port, _ = await self.begin(*own)
        client = self.start(CLIENT, "5", f"--port={port}", f"--ca={files['ca']}")
        await client.whenSaid("opened: [1-9]")
        await server.stop()
        await client.whenSaid(r"errors: [1-9]\d* \(.*refused.*\)")
        again = self.start(SERVER, f"--port={port}", *own)
        await again.whenSaid("Opened")
        await self.assertEnds(again)
        self.assertIn("active: 0\n", again.output)
        self.assertIn("Closed 127.0.0.1: we closed with 1001", again.output)
        # That there were errors is its exit code.
        client.signal("INT")
        self.assertEqual(await client.ended, 1, client.output)

    async def test_noConnection(self) -> None:
        """
        Where nothing listens, or one that nobody vouches for, or of another name, there
        is one line that says so, and exit code 1.
        """
        _, port, file = await self.begin()
        rows: list[tuple[list[str], str]] = [
            (["--port=1"], "refused"),
            ([f"--port={port}"], "certificate verify failed"),
            ([f"--port={port}", f"--ca={file}", "--host=127.0.0.2"], "127.0.0.2"),
            (["--ca=no.pem"], "no.pem"),
            ([f"--ca={__file__}"], "no certificate"),
        ]
        for options, named in rows:
            client = self.start(CLIENT, "3", *options)
            self.assertEqual(await client.ended, 1, client.output)
            (line,) = client.output.splitlines()
            self.assertRegex(line, f"^(Connect Error|--ca): .*{named}")

    async def test_cannotListen(self) -> None:
        """
        Where the port is in use, or a file does not hold what it should, there is one
        line that says so, and exit code 1.
        """
        _, port, _ = await self.begin()
        files = self.certificates()
        rows: list[tuple[list[str], str]] = [
            ([f"--port={port}"], "in use"),
            (["--port=0", "--key=no.pem", f"--cert={files['cert']}"], "no.pem"),
            (["--port=0", f"--key={files['cert']}", f"--cert={files['cert']}"], "key"),
        ]
        for options, named in rows:
            server = self.start(SERVER, *options)
            self.assertEqual(await server.ended, 1, server.output)
            self.assertRegex(server.output, rf"(?m)^Cannot listen: .*{named}.*$")

    async def test_wrongOptions(self) -> None:
        """
        Without what they need they say how they are used.
        """
        rows: list[tuple[Any, ...]] = [
            (SERVER, ["--key=a"], "--cert"),
            (SERVER, ["--cert=a"], "--key"),
            (CLIENT, [], "connections"),
            (CLIENT, ["0"], "connections"),
            (CLIENT, ["1", "--seconds=nan"], "seconds"),
            (CLIENT, ["1", "--seconds=inf"], "seconds"),
            (CLIENT, ["1", "--connects=0"], "connects"),
        ]
        for name, options, named in rows:
            await self.assertRefuses(name, *options, named=named)
