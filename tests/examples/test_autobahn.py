# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The server and the client for the Autobahn Testsuite.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import Agent, readBody

import examples
from examples import autobahn_test_client, echo_server
from twisted_ws import (
    ClientConfig,
    Frame,
    Inbox,
    PerMessageDeflate,
    ServerConfig,
    WebSocketClient,
    WebSocketFactory,
    __version__,
)
from twisted_ws.testing import MemoryServer, RecordingReceiver

from ..handshakes import handshake
from ..sockets import Peer
from .fuzzing import (
    LARGE,
    FuzzingServer,
    anotherCode,
    largeMessage,
    manyMessages,
    sameText,
    smallFrames,
    vanish,
)
from .programs import ExampleTests

SERVER = "echo_server"
CLIENT = "autobahn_test_client"
AGENT = f"twisted_ws/{__version__}"


class OptionsTests(SynchronousTestCase):
    """
    What they are run with.
    """

    def test_tunables(self) -> None:
        """
        Both take 64 MiB in one frame or in many small ones, and send messages as they
        are, when the operating system likes; and both speak permessage-deflate.
        """
        for config in (echo_server.CONFIG, autobahn_test_client.CONFIG):
            self.assertEqual(config.maxReceivedFrameSize, 67108864)
            self.assertEqual(config.maxReceivedMessageSize, 67108864)
            self.assertEqual(config.maxReceivedFragments, 131072)
            self.assertIs(config.fragmentOutgoingMessages, False)
            self.assertIs(config.keepalive, False)
            self.assertIs(config.disableNagleAlgorithm, False)
            self.assertEqual(config.extensions, (PerMessageDeflate(),))

    def test_defaults(self) -> None:
        """
        Without options, they use the ports that the suite's files have.
        """
        server = echo_server.parse([])
        self.assertEqual((server.port, server.debug), (8080, False))
        client = autobahn_test_client.parse([])
        self.assertEqual((client.host, client.port), ("localhost", 9000))

    def test_fuzzingClient(self) -> None:
        """
        The file for C{wstest -m fuzzingclient} has all cases, in the latest version,
        and the port of the server.
        """
        file = Path(examples.__file__).parent / "autobahn" / "fuzzingclient.json"
        declared = json.loads(file.read_text())
        self.assertEqual(declared["options"], {"failByDrop": False})
        self.assertEqual(declared["cases"], ["*"])
        self.assertEqual(declared["exclude-cases"], [])
        self.assertEqual(declared["exclude-agent-cases"], {})
        (server,) = declared["servers"]
        self.assertEqual(server["options"], {"version": 18})
        self.assertEqual(urlsplit(server["url"]).port, echo_server.parse([]).port)
        self.assertEqual(server["agent"], "twisted_ws")


class Nowhere:
    """
    A client that never connects.
    """

    def __init__(self) -> None:
        self.urls: list[str] = []

    def connect(self, url: str, receiver: Any) -> Deferred[Any]:
        """
        Wait for ever.
        """
        self.urls.append(url)
        return Deferred()


class SuiteTests(SynchronousTestCase):
    """
    The client, without a network.
    """

    def test_goodbye(self) -> None:
        """
        When it is interrupted it begins nothing more.
        """
        options = autobahn_test_client.parse(["--host=host", "--port=1"])
        suite = autobahn_test_client.Suite(Clock(), options)
        nowhere = Nowhere()
        self.patch(suite, "_client", nowhere)
        self.assertNoResult(Deferred.fromCoroutine(suite.runCase(1)))
        query = f"case=1&agent=twisted_ws%2F{__version__}"
        self.assertEqual(nowhere.urls, [f"ws://host:1/runCase?{query}"])
        self.assertIsNone(suite.goodbye())
        self.assertNoResult(Deferred.fromCoroutine(suite.runCase(2)))
        self.assertEqual(len(nowhere.urls), 1)


class LoudEchoTests(SynchronousTestCase):
    """
    The server with C{--debug}, in memory.
    """

    def test_slowReader(self) -> None:
        """
        A client that does not read its echoes is not read from, so that they do not
        pile up; it loses nothing.
        """
        server = MemoryServer(echo_server.LoudEcho)
        client = self.successResultOf(server.connect("/", RecordingReceiver()))
        mine, its = server.carriers[-1]
        mine.pauseProducing()
        messages = [b"%d" % number * 8192 for number in range(40)]
        for message in messages:
            client.transport.sendMessage(message)
        server.flush()
        self.assertTrue(its.isPaused)
        self.assertLess(len(its.outgoing), its.highWater + 20000)
        mine.resumeProducing()
        server.flush()
        self.assertEqual(client.messages, messages)


class ServerTests(ExampleTests):
    """
    The server, as a program.
    """

    async def connect(self, port: int, **options: Any) -> Inbox:
        """
        Connect to the server.
        """
        client = WebSocketClient(reactor, options.pop("config", None))
        inbox: Inbox = await client.connect(f"ws://127.0.0.1:{port}/", **options)
        self.addCleanup(inbox.close)
        return inbox

    async def test_whoever(self) -> None:
        """
        It accepts whoever asks, on any path, with the first of the subprotocols; a page
        it has not.
        """
        _, port = await self.serve(SERVER)
        for asked in ([], ["a"], ["b", "a"]):
            inbox = await self.connect(
                port, origin="http://evil.example", protocols=asked
            )
            self.assertEqual(inbox.transport.protocol, next(iter(asked), None))
            inbox.send("text")
            self.assertEqual(await inbox.receive(), "text")
        response = await Agent(reactor).request(
            b"GET", f"http://127.0.0.1:{port}/".encode()
        )
        await readBody(response)
        self.assertEqual(response.code, 426)

    async def test_large(self) -> None:
        """
        A message of many MiB, or in thousands of frames, comes back in one frame.
        """
        _, port = await self.serve(SERVER)
        config = ClientConfig(
            assembleFragments=False,
            maxReceivedMessageSize=None,
            fragmentOutgoingMessages=False,
        )
        inbox = await self.connect(port, config=config)
        inbox.send(LARGE)
        self.assertEqual(await inbox.receive(), Frame(1, LARGE.encode()))
        message = inbox.transport.beginMessage()
        for _ in range(5000):
            message.write(b"1234567890")
        message.finish()
        self.assertEqual(await inbox.receive(), Frame(2, b"1234567890" * 5000))

    async def test_tooLarge(self) -> None:
        """
        Of a frame of a byte more than 64 MiB, the head is refused.
        """
        _, port = await self.serve(SERVER)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        peer = await connectProtocol(endpoint, Peer())
        peer.transport.write(handshake())
        await peer.until(b"\r\n\r\n")
        peer.transport.write(b"\x82\xff" + (0x4000001).to_bytes(8, "big"))
        await peer.until((1009).to_bytes(2, "big"))
        peer.transport.loseConnection()
        await peer.whenLost

    async def test_debug(self) -> None:
        """
        With C{--debug} it tells what it does, without it nothing.
        """
        for options in ((), ("--debug",)):
            program, port = await self.serve(SERVER, *options)
            config = ClientConfig(webSocketVersion=8)
            inbox = await self.connect(port, config=config)
            for message in ("text", b"four", ""):
                inbox.send(message)
                self.assertEqual(await inbox.receive(), message)
            await inbox.close()
            if options:
                for line in (
                    "Connection accepted - Protocol Version 8",
                    "Received utf-8 message of 4 characters",
                    "Received Binary Message of 4 bytes",
                    "Received utf-8 message of 0 characters",
                    "Peer 127.0.0.1 disconnected: the peer closed with 1000",
                ):
                    await program.whenSaid(line)
            await self.assertEnds(program)
            self.assertEqual("eceived utf-8" in program.output, bool(options))

    async def test_interrupted(self) -> None:
        """
        When it is interrupted or terminated its clients get 1001, and it ends.
        """
        for signal in ("INT", "TERM"):
            program, port = await self.serve(SERVER)
            inbox = await self.connect(port)
            await self.assertEnds(program, signal)
            ended = await inbox.transport.whenClosed()
            self.assertEqual((ended.code, ended.begunBy), (1001, "peer"))


class ClientTests(ExampleTests):
    """
    The client, as a program, with a server of our own.
    """

    def fuzz(self, server: FuzzingServer) -> list[str]:
        """
        Serve.

        @return: the options by which the client finds it.
        """
        factory = WebSocketFactory(
            server.answer, ServerConfig(maxReceivedMessageSize=None)
        )
        port = self.listen(factory)
        self.addCleanup(factory.closeAllConnections)
        return ["--host=127.0.0.1", f"--port={port}"]

    async def test_run(self) -> None:
        """
        It asks for the number of cases, for each case in turn, and for the reports,
        with its name; in each it sends back what it gets; no end is too rude for it.
        """
        cases = [
            *(sameText, vanish, manyMessages, largeMessage, smallFrames),
            *(anotherCode, sameText),
        ]
        server = FuzzingServer(*cases)
        program = self.start(CLIENT, *self.fuzz(server))
        self.assertEqual(await program.ended, 0, program.output)
        agent = {"agent": [AGENT]}
        self.assertEqual(
            server.log,
            [
                ("/getCaseCount", {}),
                *(("/runCase", {"case": [f"{n}"], **agent}) for n in range(1, 8)),
                ("/updateReports", agent),
            ],
        )
        self.assertEqual(
            program.output.splitlines(),
            [
                "Starting test run.",
                "Got case count: 7",
                *(f"Running test {number} of 7" for number in range(1, 8)),
                "Test suite complete, generating report.",
                "Report generated.",
            ],
        )
        codes = [ended.code for ended in server.ends]
        self.assertEqual(codes, [1000, 1006, 1000, 1000, 1000, 3000, 1000])

    async def test_noCases(self) -> None:
        """
        Of no cases it has the reports written all the same.
        """
        server = FuzzingServer()
        program = self.start(CLIENT, *self.fuzz(server))
        self.assertEqual(await program.ended, 0, program.output)
        paths = [path for path, _ in server.log]
        self.assertEqual(paths, ["/getCaseCount", "/updateReports"])

    async def test_noCount(self) -> None:
        """
        A server that does not say how many cases it has is one line that says so, and
        exit code 1.
        """
        for count in (None, "", "many", b"\xff", "9" * 10000):
            server = FuzzingServer()
            server.count = count
            program = self.start(CLIENT, *self.fuzz(server))
            self.assertEqual(await program.ended, 1, program.output)
            self.assertRegex(
                program.output, r"^Starting test run\.\nNo number of cases: .+\n$"
            )
            self.assertEqual(len(server.log), 1)

    async def test_interrupted(self) -> None:
        """
        When it is interrupted or terminated it closes its connection with 1001, and
        begins nothing more.
        """
        for signal in ("INT", "TERM"):
            begun: Deferred[None] = Deferred()

            async def wait(inbox: Inbox, begun: Deferred[None] = begun) -> None:
                await inbox.transport.ping()
                begun.callback(None)

            server = FuzzingServer(wait, sameText)
            program = self.start(CLIENT, *self.fuzz(server))
            await begun
            await self.assertEnds(program, signal)
            self.assertEqual(len(server.log), 2)
            (ended,) = server.ends
            self.assertEqual((ended.code, ended.begunBy), (1001, "peer"))

    async def test_noConnection(self) -> None:
        """
        Where nothing listens there is one line that says so, and exit code 1.
        """
        program = self.start(CLIENT, "--port=1")
        self.assertEqual(await program.ended, 1, program.output)
        self.assertRegex(
            program.output, r"(?m)^Connect Error: /getCaseCount: .*refused.*$"
        )
