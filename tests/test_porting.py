# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The code of C{docs/porting.md}: both sides of each pair are put through the same
conversation, in processes of their own.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase, TestCase

from twisted_ws import (
    MessageReceiver,
    ServerConfig,
    UpgradeRejected,
    WebSocketClient,
    WebSocketFactory,
)

from .handshakes import Echo
from .porting import PAGE, blocks
from .processes import Program, run

ROOT = Path(__file__).parent.parent
PEERS = ROOT / "tests" / "interop" / "peers"

PAIRS = {
    "server": [("websocket-node", "server"), ("twisted_ws", "server")],
    "router": [("websocket-node", "router"), ("twisted_ws", "router")],
    "client": [("websocket-node", "client"), ("twisted_ws", "client")],
    "echo": [("autobahn", "server"), ("twisted_ws", "echo-at-a-path")],
    "simpleClient": [("autobahn", "client"), ("twisted_ws", "simple-client")],
    "reconnecting": [("autobahn", "reconnecting"), ("twisted_ws", "reconnecting")],
    "site": [("twisted.web.websocket", "server"), ("twisted_ws", "in-a-site")],
    "receiverClient": [
        ("twisted.web.websocket", "client"),
        ("twisted_ws", "receiver-client"),
    ],
}
"""
The blocks that do the same.
"""


def missing(library: str) -> str | None:
    """
    @return: what has to be installed to run the blocks of a library; or C{None}.
    """
    if library == "websocket-node":
        there = shutil.which("node") and (PEERS / "node_modules" / "websocket").is_dir()
        return None if there else "run npm install in tests/interop/peers"
    if library == "twisted.web.websocket":
        there = find_spec("wsproto") and find_spec("twisted.web.websocket")
        return None if there else "pip install 'Twisted[websocket]>=26.4'"
    return None if find_spec(library) else f"pip install {library}"


class PageTests(SynchronousTestCase):
    """
    The page.
    """

    def test_everyBlock(self) -> None:
        """
        Each block of code has a name, and is run below.
        """
        run = {block for pair in PAIRS.values() for block in pair}
        self.assertEqual(set(blocks()), run)
        fences = re.findall(r"^```.+$", PAGE.read_text("utf-8"), re.MULTILINE)
        self.assertEqual(len(fences), len(run))


class PairTests(TestCase):
    """
    The pairs.
    """

    timeout = 120

    def begin(self, block: tuple[str, str], *command: str) -> Program:
        """
        Start a block.
        """
        library, _ = block
        if library == "websocket-node":
            node = shutil.which("node") or ""
            program = run([node, str(PEERS / "porting.js"), *command])
            program.transport.write(blocks()[block].encode())
            program.transport.closeStdin()
        else:
            program = run(
                [sys.executable, "-m", "tests.porting", *block, *command], str(ROOT)
            )
        self.addCleanup(program.stop)
        return program

    async def served(self, block: tuple[str, str], rows: list[Any]) -> Program:
        """
        Start a server, and have a client go through the rows: of a path, of what it
        asks for, and of what it is to get in turn for nothing, and for each message;
        or of the status of a refusal.
        """
        program = self.begin(block, "serve")
        port = (await program.whenSaid(r"port ([0-9]+)\n"))[1]
        for path, asked, expected in rows:
            opening = WebSocketClient(reactor).connect(
                f"ws://127.0.0.1:{port}{path}", **asked
            )
            if isinstance(expected, int):
                refused = await self.assertFailure(opening, UpgradeRejected)
                self.assertEqual(refused.status, expected, (block, path, asked))
                continue
            inbox = await opening
            protocol, *messages = expected
            self.assertEqual(inbox.transport.protocol, protocol, (block, path))
            for sent, received in messages:
                if sent is not None:
                    inbox.send(sent)
                self.assertEqual(await inbox.receive(), received, (block, path))
            await inbox.close(1000, "enough")
        return program

    async def both(self, name: str, rows: list[Any], said: str = "") -> None:
        """
        Run a pair of servers; C{said} is what they write at the end of a connection.
        """
        for block in PAIRS[name]:
            if missing(block[0]) is None:
                program = await self.served(block, rows)
                if said:
                    await program.whenSaid(said)
        self.skipHalf(name)

    def skipHalf(self, name: str) -> None:
        """
        Say what was not run.
        """
        for library, _ in PAIRS[name]:
            why = missing(library)
            if why is not None:
                self.skipTest(f"only ours was run: {why}")

    async def clients(self, name: str, expected: Any, server: Any) -> None:
        """
        Run a pair of clients against a server of ours.
        """
        endpoint = serverFromString(reactor, "tcp:0:interface=127.0.0.1")
        factory = WebSocketFactory(
            server, ServerConfig(allowedOrigins="*", protocols=("echo-protocol",))
        )
        port = await endpoint.listen(factory)
        self.addCleanup(port.stopListening)
        self.addCleanup(factory.closeAllConnections)
        url = f"ws://127.0.0.1:{port.getHost().port}/"
        for block in PAIRS[name]:
            if missing(block[0]) is None:
                program = self.begin(block, "talk", url)
                answer = json.loads((await program.whenSaid(r"answer (.*)\n"))[1])
                self.assertEqual(answer, expected, block)
        self.skipHalf(name)

    async def test_server(self) -> None:
        """
        One origin is let in, to exchange text and binary.
        """
        right = {"protocols": ["echo-protocol"], "origin": "https://example.com"}
        wrong = {"protocols": ["echo-protocol"], "origin": "https://evil.example"}
        echoes = [("text", "text"), (b"\x00\xff", b"\x00\xff"), ("\u20ac", "\u20ac")]
        rows = [
            ("/", wrong, 403),
            ("/", {"protocols": ["echo-protocol"]}, 403),
            ("/", right, ["echo-protocol", *echoes]),
        ]
        await self.both("server", rows, "1000 enough")

    async def test_router(self) -> None:
        """
        Two routes are found, with what stands in the path; others are not.
        """
        rows = [
            (
                "/chat",
                {"protocols": ["x", "chat.v1"]},
                ["chat.v1", (None, "version 1")],
            ),
            ("/room/41", {}, [None, (None, "room 42")]),
            ("/room/41?a=b", {"protocols": ["y"]}, ["y", (None, "room 42")]),
            ("/chat", {}, 404),
            ("/room/next", {}, 404),
            ("/", {}, 404),
        ]
        await self.both("router", rows)

    async def test_echo(self) -> None:
        """
        At one path there is an echo, with a subprotocol or without.
        """
        echoes = [("text", "text"), (b"\x00\xff", b"\x00\xff")]
        rows = [
            ("/echo", {"protocols": ["chat.v1"]}, ["chat.v1", *echoes]),
            ("/echo", {}, [None, *echoes]),
            ("/elsewhere", {}, 404),
        ]
        await self.both("echo", rows, "True 1000 enough")

    async def test_site(self) -> None:
        """
        In a Site, it welcomes who comes, and echoes.
        """
        rows = [("/echo", {}, [None, (None, "welcome"), ("a", "a"), (b"b", b"b")])]
        await self.both("site", rows, "gone")

    async def test_client(self) -> None:
        """
        Both clients get their message back, and ask for what they should.
        """
        asked = []

        def application(request: Any) -> None:
            asked.append((request.origin, request.requestedProtocols))
            request.accept(Echo(), "echo-protocol")

        try:
            await self.clients("client", "hello", application)
        finally:
            expected = ("https://example.com", ("echo-protocol",))
            self.assertEqual(set(asked), {expected})

    async def test_simpleClient(self) -> None:
        """
        Both clients get their message back.
        """
        await self.clients("simpleClient", "hello", Echo)

    async def test_receiverClient(self) -> None:
        """
        Both clients get their message back.
        """
        await self.clients("receiverClient", "hello", Echo)

    async def test_reconnecting(self) -> None:
        """
        Both clients come back until they have three answers, of three connections.
        """

        class Counting(MessageReceiver):
            number = 0

            def connectionMade(self) -> None:
                Counting.number += 1

            def messageReceived(self, message: Any) -> None:
                self.transport.sendMessage(f"{message} {(self.number - 1) % 3}")

        expected = ["hello 0", "hello 1", "hello 2"]
        await self.clients("reconnecting", expected, Factory.forProtocol(Counting))
