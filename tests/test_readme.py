# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The README's code, run.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from shutil import copytree
from typing import Any
from unittest import TestResult

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from twisted_ws import (
    ClientConfig,
    MessageReceiver,
    ServerConfig,
    WebSocketClient,
    WebSocketFactory,
)
from twisted_ws.testing import MemoryServer, RecordingReceiver

from .processes import twistd
from .sockets import certificates

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


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


def hasPaid(session: str | None) -> Deferred[bool]:
    """
    What the README leaves to the reader.
    """
    return succeed(session == "s3cret")


def runBlocks() -> dict[str, Any]:
    """
    @return: the names that the README's code defines.
    """
    names: dict[str, Any] = {
        "Chat": Chat,
        "lookUpSession": lookUpSession,
        "hasPaid": hasPaid,
    }
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

    def test_premium(self) -> None:
        """
        Who has paid gets in, of the right origin; nobody else does.
        """
        server = MemoryServer(self.names["premium"])
        paid = {"cookies": {"session": "s3cret"}}
        self.successResultOf(server.connect("/", **paid))
        for asked, status in (
            ({}, 402),
            ({**paid, "origin": "https://evil.example"}, 403),
            ({**paid, "origin": "https://a.example.com"}, None),
        ):
            connecting = server.connect("/", **asked)
            if status is None:
                self.successResultOf(connecting)
            else:
                self.assertEqual(self.failureResultOf(connecting).value.status, status)

    def test_onlyMembers(self) -> None:
        """
        Who logs in is the connection's avatar.
        """

        @implementer(IRealm)
        class Realm:
            def requestAvatar(self, avatarId: Any, mind: Any, *wanted: Any) -> Any:
                return wanted[0], avatarId, lambda: None

        checker = InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")
        portal = Portal(Realm(), [checker])
        server = MemoryServer(self.names["onlyMembers"](portal, RecordingReceiver))
        refused = self.failureResultOf(server.connect("/"))
        self.assertEqual(refused.value.status, 401)
        login = b64encode(b"alice:secret").decode()
        self.successResultOf(
            server.connect("/", headers={"Authorization": f"Basic {login}"})
        )
        (connection,) = server.factory.connections
        self.assertEqual(connection.avatar, b"alice")

    def test_behindProxy(self) -> None:
        """
        It is a configuration.
        """
        config = self.names["behindProxy"]
        self.assertEqual(list(config.trustedProxies), ["10.0.0.0/8", "::1"])

    def test_router(self) -> None:
        """
        The router's factory serves all its paths.
        """
        factory = self.names["makeFactory"](Clock())
        server = MemoryServer(factory.application, factory.config)
        echo = self.successResultOf(server.connect("/echo"))
        echo.send(b"1")
        server.flush()
        self.assertEqual(self.successResultOf(echo.receive()), b"1")
        self.assertEqual(factory.config.keepaliveInterval, 30)
        self.failureResultOf(server.connect("/chat"))
        room = self.successResultOf(server.connect("/rooms/7"))
        self.assertEqual(self.successResultOf(room.receive()), "hello, room 7")
        self.failureResultOf(server.connect("/rooms/seven"))

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

    def test_announce(self) -> None:
        """
        All get it, and some get it again.
        """
        server = MemoryServer(RecordingReceiver)
        clients = [RecordingReceiver() for _ in range(3)]
        for each in clients:
            self.successResultOf(server.connect("/", each))
        room = list(server.factory.connections)[:1]
        self.names["announce"](server.factory, room, "news")
        server.flush()
        received = sorted(each.messages for each in clients)
        self.assertEqual(received, [["news"], ["news"], ["news", "news"]])

    def test_compression(self) -> None:
        """
        What is long is compressed, what is secret is not.
        """
        server = MemoryServer(RecordingReceiver, self.names["compressing"])
        asking = self.names["asking"]
        inbox = self.successResultOf(server.connect("/", config=asking))
        (connection,) = server.factory.connections
        tell = self.names["tell"]
        for news, secret, least, most in (
            ("n" * 10_000, "", 0, 100),
            ("", "s" * 10_000, 10_000, 10_100),
        ):
            before = connection.bytesReceived
            tell(inbox.transport, news, secret)
            server.flush()
            received = connection.bytesReceived - before
            self.assertTrue(least <= received < most, received)
            self.assertEqual(connection.receiver.messages[-2:], [news, secret])

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
        words = r"`([a-z]+[A-Z][A-Za-z]+|keepalive|protocols|extensions)`"
        named = set(re.findall(words, table))
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

    async def test_tls(self) -> None:
        """
        The server and the client of the README talk over TLS.
        """
        if find_spec("trustme") is None:
            self.skipTest("trustme is not installed")
        names = runBlocks()
        own, authority = certificates()
        file = self.mktemp()
        Path(file).write_bytes(own.dumpPEM())
        factory = WebSocketFactory(names["Echo"])
        port = await names["serveTLS"](reactor, [file], factory)
        self.addCleanup(port.stopListening)
        client = names["makeClient"](reactor, authority)
        inbox = await client.connect(f"wss://localhost:{port.getHost().port}/")
        inbox.send("hello")
        self.assertEqual(await inbox.receive(), "hello")
        await inbox.close()

    async def test_declared(self) -> None:
        """
        The file of the README is right; a wrong key is told as the README says.
        """
        directory = Path(self.mktemp())
        (directory / "www").mkdir(parents=True)
        copytree(ROOT / "examples", directory / "examples")
        (text,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
        (said,) = re.findall(r"^twistd websocket: site\.toml.*$", README, re.MULTILINE)
        for content, code, expected in (
            (text, 0, "/echo  \\*  examples.echo.Echo"),
            (text.replace("Interval ", "Intervall "), 1, re.escape(said)),
        ):
            (directory / "site.toml").write_text(content)
            program = twistd(
                "websocket",
                "--config",
                "site.toml",
                "--check",
                directory=str(directory),
            )
            await program.whenSaid(expected)
            self.assertEqual(await program.ended, code)

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
