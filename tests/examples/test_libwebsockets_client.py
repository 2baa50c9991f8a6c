# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The test client of libwebsockets.
"""

from __future__ import annotations

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, readBody

from examples.libwebsockets_test_client import Circles, Numbers
from twisted_ws import Inbox, WebSocketClient
from twisted_ws.testing import MemoryServer, RecordingReceiver

from .programs import ExampleTests

SERVER = "libwebsockets_test_server"
CLIENT = "libwebsockets_test_client"
INCREMENT = "dumb-increment-protocol"
MIRROR = "lws-mirror-protocol"
VERSIONS = (13, 8)

CIRCLE = re.compile(r"c #([89a-f][0-9a-f]{5}) ([0-9]+) ([0-9]+) ([0-9]+);")


class CirclesTests(SynchronousTestCase):
    """
    The half of the client that draws, in memory.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.server = MemoryServer(RecordingReceiver)
        with redirect_stdout(StringIO()):
            opened = self.server.connect("/", Circles(self.clock))
        self.circles = self.successResultOf(opened)

    def drawn(self) -> list[str]:
        """
        @return: what the server got since the last time.
        """
        self.server.flush()
        (connection,) = self.server.factory.connections
        drawn: list[str] = connection.receiver.messages
        connection.receiver.messages = []
        return drawn

    def test_pace(self) -> None:
        """
        There is a circle at once, and one every 10 milliseconds, on the canvas and in a
        bright colour.
        """
        drawn = self.drawn()
        self.assertEqual(len(drawn), 1)
        for _ in range(200):
            self.clock.advance(0.01)
        drawn += self.drawn()
        self.assertEqual(len(drawn), 201)
        circles = [CIRCLE.fullmatch(each) for each in drawn]
        self.assertNotIn(None, circles, drawn)
        for at, most in ((2, 502), (3, 306), (4, 30)):
            numbers = [int(each[at]) for each in circles if each]
            self.assertLessEqual(max(numbers), most)
            self.assertGreater(len(set(numbers)), 10)

    def test_slowServer(self) -> None:
        """
        While the server does not read nothing piles up; then it goes on.
        """
        mine, its = self.server.carriers[-1]
        mine.highWater = 200
        its.pauseProducing()
        for _ in range(100):
            self.clock.advance(0.01)
        self.assertLess(len(mine.outgoing), 300)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        its.resumeProducing()
        self.drawn()
        self.clock.advance(0.01)
        self.assertGreater(len(self.drawn()), 0)

    def test_end(self) -> None:
        """
        When the connection begins to close there are no more circles, and no timer.
        """
        (connection,) = self.server.factory.connections
        with redirect_stdout(StringIO()) as printed:
            connection.close(4000, "enough")
            self.server.flush()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertRegex(
            printed.getvalue(), "^lws-mirror-protocol Connection Closed: .*"
        )


class NumbersTests(SynchronousTestCase):
    """
    The half of the client that prints.
    """

    def test_hostile(self) -> None:
        """
        Whatever a server sends is printed as a literal, in one line that is not long.
        """
        rows: list[tuple[str | bytes, str]] = [
            ("0", "'0'"),
            ("", "''"),
            ("\x1b[2J\r\n", r"'\x1b[2J\r\n'"),
            (b"\xff", r"b'\xff'"),
            ("9" * 1000, repr("9" * 80)),
        ]
        for message, literal in rows:
            with redirect_stdout(StringIO()) as printed:
                Numbers(None).messageReceived(message)
            self.assertEqual(printed.getvalue(), f"Number: {literal}\n")


class ClientTests(ExampleTests):
    """
    The client, as a program; mostly against the server.
    """

    async def converse(self, version: int) -> None:
        """
        Have the client talk to the server in this version.
        """
        server, port = await self.serve(SERVER)
        observer: Inbox = await WebSocketClient(reactor).connect(
            f"ws://127.0.0.1:{port}/", protocols=[MIRROR]
        )
        program = self.start(
            *[CLIENT, "--host=127.0.0.1", f"--port={port}"],
            *["--count=5", f"--version={version}"],
        )
        for _ in range(2):
            self.assertRegex(await observer.receive(), CIRCLE)
        self.assertEqual(await program.ended, 0, program.output)
        await observer.close()
        lines = program.output.splitlines()
        self.assertCountEqual(
            lines[:2], [f"{each} connected" for each in (MIRROR, INCREMENT)]
        )
        self.assertEqual(lines[2:7], [f"Number: '{number}'" for number in range(5)])
        self.assertRegex(
            lines[7], f"^{INCREMENT} Connection Closed: we closed with 1000"
        )
        self.assertRegex(lines[8], f"^{MIRROR} Connection Closed: we closed with 1000")
        self.assertEqual(len(lines), 9)
        for each in (MIRROR, INCREMENT):
            await server.whenSaid(
                f"{each} connection accepted from 127.0.0.1"
                f" - Protocol Version {version}\n"
            )

    async def test_version13(self) -> None:
        """
        It draws circles, prints the numbers, and ends when it has had enough of them.
        """
        await self.converse(13)

    async def test_version8(self) -> None:
        """
        So it does in version 8.
        """
        await self.converse(8)

    async def test_secure(self) -> None:
        """
        So it does over TLS, with a server that its authority vouches for; and the page
        is there over TLS as well.  It does not talk to one that nobody vouches for, or
        that has another name.
        """
        files = self.certificates()
        _, port = await self.serve(
            SERVER, "--secure", f"--key={files['key']}", f"--cert={files['cert']}"
        )
        secure = [CLIENT, f"--port={port}", "--count=3", "--secure"]
        trusting = [*secure, f"--ca={files['ca']}"]
        for version in VERSIONS:
            program = self.start(*trusting, "--host=localhost", f"--version={version}")
            self.assertEqual(await program.ended, 0, program.output)
            self.assertIn("Number: '2'", program.output)
        for options in ([*secure, "--host=localhost"], [*trusting, "--host=127.0.0.1"]):
            program = self.start(*options)
            self.assertEqual(await program.ended, 1, program.output)
            self.assertRegex(program.output, r"^Connect Error: .+\n$")

        authority = Certificate.loadPEM(Path(files["ca"]).read_bytes())
        policy = BrowserLikePolicyForHTTPS(trustRootFromCertificates([authority]))
        url = f"https://localhost:{port}/".encode()
        response = await Agent(reactor, policy).request(b"GET", url)
        self.assertIn(b"<canvas", await readBody(response))

    async def test_serverLeaves(self) -> None:
        """
        When the server says goodbye it says how the connections ended, and ends.
        """
        server, port = await self.serve(SERVER)
        program = self.start(CLIENT, "--host=127.0.0.1", f"--port={port}")
        await program.whenSaid("Number: '3'")
        await self.assertEnds(server)
        self.assertEqual(await program.ended, 0, program.output)
        for each in (MIRROR, INCREMENT):
            self.assertRegex(
                program.output, f"{each} Connection Closed: the peer closed with 1001"
            )

    async def test_serverVanishes(self) -> None:
        """
        An end without goodbye is exit code 1.
        """
        server, port = await self.serve(SERVER)
        program = self.start(CLIENT, "--host=127.0.0.1", f"--port={port}")
        await program.whenSaid("Number: '3'")
        await server.stop()
        self.assertEqual(await program.ended, 1, program.output)
        self.assertIn(f"{INCREMENT} Connection Closed: ", program.output)

    async def test_interrupted(self) -> None:
        """
        When it is interrupted or terminated it closes both connections with 1001.
        """
        server, port = await self.serve(SERVER)
        for signal in ("INT", "TERM"):
            program = self.start(CLIENT, "--host=127.0.0.1", f"--port={port}")
            await program.whenSaid("Number: '3'")
            await self.assertEnds(program, signal)
            self.assertIn("Connection Closed: we closed with 1001", program.output)
        for each in (MIRROR, INCREMENT):
            await server.whenSaid(
                f"(?s)({each} peer 127.0.0.1 disconnected, code: 1001.*){{2}}"
            )

    async def test_noConnection(self) -> None:
        """
        Where nothing listens, where something else does, and where no port can be, it
        gets no connection: one line that says why, and exit code 1.
        """
        port = reactor.listenTCP(  # type: ignore[attr-defined]
            0, ServerFactory.forProtocol(Quitter), interface="127.0.0.1"
        )
        quitter = port.getHost().port
        self.addCleanup(port.stopListening)
        _, whiteboard = await self.serve("whiteboard")
        rows = [
            (1, "refused"),
            (quitter, "lost"),
            (whiteboard, "404"),
            (99999, "99999"),
        ]
        for number, named in rows:
            program = self.start(CLIENT, "--host=127.0.0.1", f"--port={number}")
            self.assertEqual(await program.ended, 1, program.output)
            self.assertRegex(program.output, rf"^Connect Error: .*{named}.*\n$")

    async def test_wrongAuthority(self) -> None:
        """
        An authority that is none is one line that names the file, and exit code 1.
        """
        for file in ("no.pem", __file__):
            options = ["--host=127.0.0.1", "--port=1", "--secure", f"--ca={file}"]
            program = self.start(CLIENT, *options)
            self.assertEqual(await program.ended, 1, program.output)
            self.assertRegex(program.output, rf"^Cannot trust {file}: .+\n$")

    async def test_wrongOptions(self) -> None:
        """
        Without what it needs it says how it is used.
        """
        needed = ["--host=127.0.0.1", "--port=80"]
        for options, named in (
            (["--host=127.0.0.1"], "--port"),
            (["--port=80"], "--host"),
            ([*needed, "--version=7"], "--version"),
            ([*needed, "--ca=ca.pem"], "--secure"),
            ([*needed, "--count=0"], "--count"),
        ):
            await self.assertRefuses(CLIENT, *options, named=named)


class Quitter(Protocol):
    """
    Answers nothing.
    """

    def dataReceived(self, data: bytes) -> None:
        self.transport.abortConnection()
