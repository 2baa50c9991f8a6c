# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The server and the client of WebSocket-Node's README.
"""

from __future__ import annotations

import re
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

from twisted.internet import reactor
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import Agent, readBody

from examples.simple_client import Numbers
from examples.simple_server import answer
from twisted_ws import (
    Inbox,
    MessageReceiver,
    UpgradeRejected,
    WebSocketClient,
    WebSocketFactory,
)
from twisted_ws.testing import MemoryServer, RecordingReceiver

from .programs import ExampleTests

SERVER = "simple_server"
CLIENT = "simple_client"
SPOKEN = "echo-protocol"
TIME = r"(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S* \[.*\] "


class NumbersTests(SynchronousTestCase):
    """
    The client, in memory.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.server = MemoryServer(RecordingReceiver)
        self.numbers = self.begin(None)

    def begin(self, count: int | None) -> Numbers:
        """
        Connect a client.
        """
        with redirect_stdout(StringIO()):
            numbers: Numbers = self.successResultOf(
                self.server.connect("/", Numbers(self.clock, count))
            )
        return numbers

    def sent(self) -> list[str]:
        """
        @return: what the server has got since the last time.
        """
        self.server.flush()
        (connection,) = self.server.factory.connections
        received = connection.receiver
        sent, received.messages = received.messages, []
        return list(sent)

    def test_pace(self) -> None:
        """
        There is a number at once, and one every second, up to 0xFFFFFF.
        """
        sent = self.sent()
        self.assertEqual(len(sent), 1)
        for _ in range(300):
            self.clock.advance(1)
        sent += self.sent()
        self.assertEqual(len(sent), 301)
        numbers = [int(each) for each in sent]
        self.assertEqual([str(number) for number in numbers], sent)
        self.assertLessEqual(max(numbers), 0xFFFFFF)
        self.assertGreater(max(numbers), 0x800000)
        self.assertGreater(len(set(numbers)), 290)

    def test_slowServer(self) -> None:
        """
        While the server does not read nothing piles up; then it goes on.
        """
        mine, its = self.server.carriers[-1]
        mine.highWater = 100
        its.pauseProducing()
        for _ in range(100):
            self.clock.advance(1)
        self.assertLess(len(mine.outgoing), 200)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        its.resumeProducing()
        self.sent()
        self.clock.advance(1)
        self.assertEqual(len(self.sent()), 1)

    def test_end(self) -> None:
        """
        When the connection begins to close there are no more numbers, and no timer.
        """
        (connection,) = self.server.factory.connections
        with redirect_stdout(StringIO()) as printed:
            connection.close(4000, "enough")
            self.server.flush()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertIn(
            "echo-protocol Connection Closed: the peer closed with 4000: enough",
            printed.getvalue(),
        )

    def test_hostile(self) -> None:
        """
        Whatever a server sends is printed as a literal, in one line that is not long.
        """
        rows: list[tuple[str | bytes, str]] = [
            ("12", "'12'"),
            ("\x1b[2J\r\n", r"'\x1b[2J\r\n'"),
            (b"\xff", r"b'\xff'"),
            ("9" * 1000, repr("9" * 80)),
        ]
        for message, literal in rows:
            with redirect_stdout(StringIO()) as printed:
                self.numbers.messageReceived(message)
            self.assertEqual(printed.getvalue(), f"Received: {literal}\n")


class AnswerTests(SynchronousTestCase):
    """
    What the server answers to a request, in memory.
    """

    def setUp(self) -> None:
        self.server = MemoryServer(answer)

    def test_protocol(self) -> None:
        """
        It speaks C{echo-protocol} with who asks for it, in any case of letters, and
        with others no subprotocol.
        """
        rows: list[tuple[list[str], str | None]] = [
            ([], None),
            (["chat"], None),
            (["chat", SPOKEN], SPOKEN),
            (["Echo-Protocol"], "Echo-Protocol"),
        ]
        for asked, spoken in rows:
            inbox = self.successResultOf(self.server.connect("/", protocols=asked))
            self.assertEqual(inbox.transport.protocol, spoken)

    def test_origin(self) -> None:
        """
        Pages of its own origin may connect, those of others may not.
        """
        for origin, isAllowed in (
            (None, True),
            ("http://192.0.2.2", True),
            ("http://evil.example", False),
            ("null", False),
        ):
            connected = self.server.connect(
                "/", origin=origin, headers={"Host": "192.0.2.2"}
            )
            if isAllowed:
                self.successResultOf(connected)
            else:
                refused = self.failureResultOf(connected, UpgradeRejected)
                self.assertEqual(refused.value.status, 403)

    def test_slowReader(self) -> None:
        """
        A client that does not read its echoes is not read from, so that they do not
        pile up; it loses nothing.
        """
        client = self.successResultOf(self.server.connect("/", RecordingReceiver()))
        mine, its = self.server.carriers[-1]
        mine.pauseProducing()
        messages = [b"%d" % number * 8192 for number in range(40)]
        for message in messages:
            client.transport.sendMessage(message)
        self.server.flush()
        self.assertTrue(its.isPaused)
        self.assertLess(len(its.outgoing), its.highWater + 20000)
        mine.resumeProducing()
        self.server.flush()
        self.assertEqual(client.messages, messages)


class Silent(MessageReceiver):
    """
    Answers nothing.
    """

    def messageReceived(self, message: str | bytes) -> None:
        pass


class Quitter(Protocol):
    """
    Answers nothing either.
    """

    def dataReceived(self, data: bytes) -> None:
        self.transport.abortConnection()


class ServerTests(ExampleTests):
    """
    The server, as a program.
    """

    async def connect(self, port: int, **options: Any) -> Inbox:
        """
        Connect to the server.
        """
        client = WebSocketClient(reactor)
        inbox: Inbox = await client.connect(f"ws://127.0.0.1:{port}/", **options)
        self.addCleanup(inbox.close)
        return inbox

    async def test_echo(self) -> None:
        """
        Text and binary come back as they were sent, whatever they are; what they were
        is logged with the time, as a literal in one line, and so are the beginning and
        the end.
        """
        program, port = await self.serve(SERVER)
        await program.whenSaid(TIME + "Server is listening on port")
        inbox = await self.connect(port, protocols=[SPOKEN])
        await program.whenSaid(TIME + "Connection accepted.")
        for message in ("text", "", "\x1b[2J\r\nfake", "é" * 1000, b"\x00\xff", b""):
            inbox.send(message)
            self.assertEqual(await inbox.receive(), message)
        await inbox.close()
        await program.whenSaid(
            TIME + "Peer 127.0.0.1 disconnected: the peer closed with 1000"
        )
        for logged in (
            "Received Message: 'text'\n",
            "Received Message: '\\x1b[2J\\r\\nfake'\n",
            f"Received Message: {'é' * 80!r}\n",
            "Received Binary Message of 2 bytes\n",
        ):
            self.assertIn(logged, program.output)

    async def test_notFound(self) -> None:
        """
        There are no pages, on no path and with no method.
        """
        _, port = await self.serve(SERVER)
        agent = Agent(reactor)
        for method, path in ((b"GET", "/"), (b"GET", "/a/b?c"), (b"POST", "/")):
            url = f"http://127.0.0.1:{port}{path}".encode()
            response = await agent.request(method, url)
            await readBody(response)
            self.assertEqual(response.code, 404)

    async def test_rejected(self) -> None:
        """
        That a page was rejected is logged, with its origin as a literal.
        """
        program, port = await self.serve(SERVER)
        with self.assertRaises(UpgradeRejected):
            await self.connect(port, origin="http://evil.example")
        await program.whenSaid(
            TIME + "Connection from origin 'http://evil.example' rejected."
        )

    async def test_interrupted(self) -> None:
        """
        When it is interrupted or terminated its clients get 1001, and it ends.
        """
        for signal in ("INT", "TERM"):
            program, port = await self.serve(SERVER)
            inboxes = [await self.connect(port) for _ in range(3)]
            await self.assertEnds(program, signal)
            for inbox in inboxes:
                ended = await inbox.transport.whenClosed()
                self.assertEqual((ended.code, ended.begunBy), (1001, "peer"))


class ClientTests(ExampleTests):
    """
    The client, as a program.
    """

    async def test_conversation(self) -> None:
        """
        It asks for C{echo-protocol}, and prints what comes back; it ends when it has
        had enough.
        """
        server, port = await self.serve(SERVER)
        program = self.start(CLIENT, f"ws://127.0.0.1:{port}/", "--count=2")
        self.assertEqual(await program.ended, 0, program.output)
        lines = program.output.splitlines()
        self.assertEqual(lines[0], "WebSocket client connected")
        for line in lines[1:3]:
            self.assertRegex(line, r"^Received: '\d{1,8}'$")
            logged = line.replace("Received", "Received Message")
            await server.whenSaid(re.escape(logged))
        self.assertRegex(lines[3], "^echo-protocol Connection Closed: we closed with")
        self.assertEqual(len(lines), 4)

    async def test_serverLeaves(self) -> None:
        """
        When the server says goodbye it says so, and ends; when it vanishes, with exit
        code 1.
        """
        for signal, code, said in (
            ("TERM", 0, "the peer closed with 1001"),
            ("KILL", 1, "without a Close frame"),
        ):
            server, port = await self.serve(SERVER)
            program = self.start(CLIENT, f"ws://127.0.0.1:{port}/")
            await program.whenSaid("Received: ")
            server.signal(signal)
            self.assertEqual(await program.ended, code, program.output)
            self.assertRegex(
                program.output, f"echo-protocol Connection Closed: .*{said}"
            )
            await server.ended

    async def test_interrupted(self) -> None:
        """
        When it is interrupted or terminated it closes the connection with 1001; also
        one on which nothing came.
        """
        served = WebSocketFactory(Silent)
        silent = self.listen(served)
        self.addCleanup(served.closeAllConnections)
        server, port = await self.serve(SERVER)
        for number, signal in ((port, "INT"), (port, "TERM"), (silent, "INT")):
            program = self.start(CLIENT, f"ws://127.0.0.1:{number}/")
            await program.whenSaid("connected")
            await self.assertEnds(program, signal)
            self.assertIn("Connection Closed: we closed with 1001", program.output)
        await server.whenSaid(
            "(?s)(127.0.0.1 disconnected: the peer closed with 1001.*){2}"
        )

    async def test_noConnection(self) -> None:
        """
        Where nothing listens, where something else does, and where no URL leads, it
        gets no connection: one line that says why, and exit code 1.
        """
        quitter = self.listen(ServerFactory.forProtocol(Quitter))
        for url, named in (
            ("ws://127.0.0.1:1/", "refused"),
            (f"ws://127.0.0.1:{quitter}/", "lost"),
            ("http://127.0.0.1/", "ws://"),
        ):
            program = self.start(CLIENT, url)
            self.assertEqual(await program.ended, 1, program.output)
            self.assertRegex(program.output, rf"^Connect Error: .*{named}.*\n$")
