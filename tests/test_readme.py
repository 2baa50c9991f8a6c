# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The README's code, run.
"""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any
from unittest import TestResult

from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from twisted_ws import ClientConfig, MessageReceiver, ServerConfig, WebSocketClient
from twisted_ws.testing import MemoryServer, RecordingReceiver

README = (Path(__file__).parent.parent / "README.md").read_text()


class Chat(MessageReceiver):
    """
    What the README leaves to the reader.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def connectionMade(self) -> None:
        self.transport.sendMessage(f"hello, {self.name}")


def lookUpSession(session: str | None) -> Deferred[str | None]:
    """
    What the README leaves to the reader.
    """
    return succeed("alice" if session == "s3cret" else None)


def runBlocks() -> dict[str, Any]:
    """
    @return: the names that the README's code defines.
    """
    names: dict[str, Any] = {"Chat": Chat, "lookUpSession": lookUpSession}
    for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        block = block.replace('"tcp:8080"', '"tcp:0:interface=127.0.0.1"')
        exec(compile(block, "README.md", "exec"), names)
    return names


class MemoryTests(SynchronousTestCase):
    """
    What needs no sockets.
    """

    def setUp(self) -> None:
        self.names = runBlocks()

    def test_members(self) -> None:
        """
        The member is accepted, the stranger is refused.
        """
        server = MemoryServer(self.names["members"])
        inbox = self.successResultOf(
            server.connect("/", protocols=["chat.v1"], cookies={"session": "s3cret"})
        )
        server.flush()
        self.assertEqual(self.successResultOf(inbox.receive()), "hello, alice")
        stranger = server.connect("/", protocols=["chat.v1"])
        self.assertEqual(self.failureResultOf(stranger).value.status, 401)

    def test_router(self) -> None:
        """
        The router's factory serves both paths.
        """
        factory = self.names["makeFactory"](Clock())
        server = MemoryServer(factory.application, factory.config)
        echo = self.successResultOf(server.connect("/echo"))
        echo.send(b"1")
        server.flush()
        self.assertEqual(self.successResultOf(echo.receive()), b"1")
        self.assertEqual(factory.config.keepaliveInterval, 30)
        self.failureResultOf(server.connect("/chat"))

    def test_sendRows(self) -> None:
        """
        The rows arrive as one message.
        """
        server = MemoryServer(RecordingReceiver)
        inbox = self.successResultOf(server.connect("/"))
        rows = self.names["sendRows"](inbox.transport, ["a", "b", "c"])
        self.successResultOf(Deferred.fromCoroutine(rows))
        server.flush()
        (connection,) = server.factory.connections
        self.assertEqual(connection.receiver.messages, ["abc"])

    def test_ownTests(self) -> None:
        """
        The README's test passes.
        """
        result = TestResult()
        self.names["EchoTests"]("test_echo").run(result)
        self.assertEqual((result.testsRun, result.wasSuccessful()), (1, True))

    def test_follow(self) -> None:
        """
        The service starts and stops.
        """
        service = self.names["follow"](reactor, "ws://127.0.0.1:1/", RecordingReceiver)
        self.assertFalse(service.running)

    def test_tunables(self) -> None:
        """
        The table names every tunable, and no other.
        """
        table = README.partition("## Tunables")[2].partition("##")[0]
        named = set(re.findall(r"`([a-z]+[A-Z][A-Za-z]+|keepalive|protocols)`", table))
        known = {f.name for f in (*fields(ServerConfig), *fields(ClientConfig))}
        self.assertEqual(named, known)


class SocketTests(TestCase):
    """
    What needs sockets.
    """

    timeout = 30

    async def test_serveAndTalk(self) -> None:
        """
        The server and the client of the README talk to each other.
        """
        names = runBlocks()
        port = await names["serve"](reactor)
        self.addCleanup(port.stopListening)
        url = f"ws://127.0.0.1:{port.getHost().port}/"
        said = await names["talk"](url)
        self.assertTrue(said.startswith("hello; we closed with 1000"), said)

    async def test_site(self) -> None:
        """
        The site of the README serves a WebSocket below its path.
        """
        names = runBlocks()
        site = names["makeSite"](reactor)
        port = reactor.listenTCP(0, site, interface="127.0.0.1")  # type: ignore[attr-defined]
        self.addCleanup(port.stopListening)
        url = f"ws://127.0.0.1:{port.getHost().port}/ws/echo"
        inbox = await WebSocketClient(reactor).connect(url)
        inbox.send("text")
        self.assertEqual(await inbox.receive(), "text")
        await inbox.close()
        refused = await names["talk"](url.replace("echo", "nowhere"))
        self.assertIn("refused with 404", refused)
