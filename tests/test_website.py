# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.declared.website}: the files of a declared server, and its access log.
"""

from __future__ import annotations

import os

from twisted.internet import reactor
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.handshakes import handshake
from tests.sites import get
from tests.sockets import SocketTests
from twisted_ws import (
    MessageReceiver,
    ServerConfig,
    WebSocketFactory,
    WebSocketResource,
)
from twisted_ws.declared.website import Files, LoggingSite

PEER = IPv4Address("TCP", "192.0.2.1", 54321)


def makeSite(
    directory: str,
    log: str | None = None,
    config: ServerConfig | None = None,
    clock: IReactorTime | None = None,
) -> tuple[LoggingSite, WebSocketFactory]:
    """
    @return: a site of the files of a directory, with an access log; and the server of
        its WebSockets.
    """
    config = config or ServerConfig()
    clock = clock or IReactorTime(reactor)
    factory = WebSocketFactory(MessageReceiver, config, clock)
    resource = WebSocketResource(factory, Files(directory))
    return LoggingSite(resource, config, log, clock), factory


class FilesTests(SocketTests):
    """
    L{Files}.
    """

    def setUp(self) -> None:
        SocketTests.setUp(self)
        self.directory = os.path.abspath(self.mktemp())
        os.mkdir(self.directory)
        self.log = self.mktemp()
        self.listen(*makeSite(self.directory, self.log))

    def write(self, path: str, text: str = "text") -> None:
        """
        Write a file.
        """
        path = os.path.join(self.directory, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    async def get(self, target: str) -> bytes:
        """
        @return: what a request for a page is answered.
        """
        peer = await self.connect(get(target, "GET", "Connection: close"))
        await peer.whenLost
        received: bytes = peer.received
        return received

    async def status(self, target: str) -> int:
        """
        @return: the status of what it is answered.
        """
        return int((await self.get(target)).split(b" ", 2)[1])

    async def test_files(self) -> None:
        """
        Files are served, with the type that their names tell; C{index.html} stands
        for its directory, at any depth.
        """
        self.write("index.html", "<p>top")
        self.write("deep/er/index.html", "<p>deep")
        self.write("deep/a b.js", "1")
        for target, text, kind in [
            ("/", b"<p>top", b"text/html"),
            ("/index.html", b"<p>top", b"text/html"),
            ("/deep/er/", b"<p>deep", b"text/html"),
            ("/deep/a%20b.js", b"1", b"javascript"),
        ]:
            answer = await self.get(target)
            self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), (target, answer))
            head, _, body = answer.partition(b"\r\n\r\n")
            self.assertIn(text, body, target)
            self.assertRegex(head.lower(), b"content-type: [^\r]*" + kind, target)
        with open(self.log, encoding="utf-8") as file:
            self.assertIn('"GET / HTTP/1.1" 200 6 "-" "-"\n', file.read())

    async def test_unknownType(self) -> None:
        """
        A file of an unknown type is not taken for a page.
        """
        self.write("README")
        self.write("upload.unknown")
        for target in ("/README", "/upload.unknown"):
            self.assertIn(b"application/octet-stream", await self.get(target), target)

    async def test_noListing(self) -> None:
        """
        A directory without an index is not found; nothing tells what is in it.
        """
        self.write("deep/secret.txt")
        for target in ("/", "/deep/"):
            answer = await self.get(target)
            self.assertTrue(answer.startswith(b"HTTP/1.1 404 "), (target, answer))
            self.assertNotIn(b"secret", answer)

    async def test_hidden(self) -> None:
        """
        What begins with a dot is not found, at any depth and however it is written,
        but for C{.well-known}.
        """
        for path in (".env", ".git/config", "deep/.htpasswd", ".well-known/.x"):
            self.write(path)
        self.write(".well-known/acme-challenge/x")
        rows = {
            "/.env": 404,
            "/%2eenv": 404,
            "/.git/config": 404,
            "/.git/": 404,
            "/deep/.htpasswd": 404,
            "/.well-known/.x": 404,
            "/.well-known/acme-challenge/x": 200,
        }
        for target, status in rows.items():
            self.assertEqual(await self.status(target), status, target)

    async def test_outside(self) -> None:
        """
        No path leads out of the directory, and none makes the server stumble.
        """
        self.write("a.txt")
        with open(f"{self.directory}-x", "w", encoding="utf-8") as file:
            file.write("secret")
        name = os.path.basename(self.directory)
        for target in [
            f"/../{name}-x",
            f"/%2e%2e/{name}-x",
            f"/..%2f{name}-x",
            f"/a.txt/../../{name}-x",
            "//etc/passwd",
            "/%2fetc%2fpasswd",
            "/%00",
            "/a.txt%00",
            "/%ff",
            "/a.txt/b",
            "/" + "x" * 5000,
        ]:
            self.assertEqual(await self.status(target), 404, target)

    async def test_webSocket(self) -> None:
        """
        A request for a WebSocket does not go to the files, wherever it asks for it.
        """
        self.write("index.html")
        peer = await self.connect(handshake())
        await peer.until(b"HTTP/1.1 101 ")


class LogTests(SynchronousTestCase):
    """
    L{LoggingSite}.
    """

    def setUp(self) -> None:
        directory = self.mktemp()
        os.mkdir(directory)
        self.directory = directory
        self.log = self.mktemp()
        self.config = ServerConfig()

    def send(self, request: bytes, peer: IAddress = PEER) -> None:
        """
        Have a request answered, whose answer has no file.
        """
        clock = Clock()
        site, _ = makeSite(self.directory, self.log, self.config, IReactorTime(clock))
        site.doStart()
        channel = site.buildProtocol(peer)
        channel.makeConnection(StringTransport(peerAddress=peer))
        channel.dataReceived(request)
        channel.connectionLost(Failure(ConnectionDone()))
        site.doStop()
        self.assertEqual(clock.getDelayedCalls(), [])

    def lines(self) -> list[str]:
        """
        @return: the lines of the access log.
        """
        with open(self.log, encoding="utf-8") as file:
            return file.read().splitlines()

    def test_combined(self) -> None:
        """
        There is a line for every request, in the combined format; WebSockets and what
        is refused are among them.
        """
        self.send(get("/", "GET", "User-Agent: agent", "Referer: http://a/"))
        self.send(handshake())
        self.send(handshake(without=["Sec-WebSocket-Key"]))
        page, opened, refused = self.lines()
        self.assertRegex(
            page,
            r'^"192\.0\.2\.1" - - \[[^]]+\] "GET / HTTP/1\.1" 404 [0-9]+'
            r' "http://a/" "agent"$',
        )
        self.assertRegex(opened, r'^"192\.0\.2\.1" .*"GET / HTTP/1\.1" 101 - ')
        self.assertRegex(refused, r'^"192\.0\.2\.1" .*"GET / HTTP/1\.1" 400 - ')

    def test_appended(self) -> None:
        """
        The log is appended to, and goes on where it was truncated to.
        """
        with open(self.log, "w", encoding="utf-8") as file:
            file.write("before\n")
        self.send(get("/1"))
        self.send(get("/2"))
        self.assertEqual(len(self.lines()), 3)
        self.assertEqual(self.lines()[0], "before")
        os.truncate(self.log, 0)
        self.send(get("/3"))
        (line,) = self.lines()
        self.assertIn("GET /3 ", line)

    def test_long(self) -> None:
        """
        However long the log is, it stays one file, for others to rotate.
        """
        with open(self.log, "w", encoding="utf-8") as file:
            file.write("x" * 2_000_000 + "\n")
        self.send(get("/1"))
        self.assertEqual(len(self.lines()), 2)
        name = os.path.basename(self.log)
        beside = os.listdir(os.path.dirname(os.path.abspath(self.log)))
        self.assertEqual([each for each in beside if each.startswith(name)], [name])

    def test_hostile(self) -> None:
        """
        What a client writes stays in its line and its place.
        """
        self.send(get('/"x"%0a', "GET", 'User-Agent: a"b\x85\xe9'))
        (line,) = self.lines()
        self.assertTrue(line.isascii())
        self.assertIn('"GET /\\"x\\"%0a HTTP/1.1" 404', line)
        self.assertTrue(line.endswith('"a\\"b\\xc2\\x85\\xc3\\xa9"'), line)

    def address(self, *fields: str, peer: IAddress = PEER) -> str:
        """
        @return: the address in the line of a request.
        """
        self.send(get("/", "GET", *fields), peer)
        return self.lines()[-1].split(" ")[0].strip('"')

    def test_untrusted(self) -> None:
        """
        Whom a client says that it asks for is nowhere, unless it is trusted.
        """
        for fields in (["X-Forwarded-For: 1.2.3.4"], ["Forwarded: for=1.2.3.4"]):
            self.assertEqual(self.address(*fields), "192.0.2.1")

    def test_trusted(self) -> None:
        """
        Of a request through trusted proxies the client's address is written down, as
        C{remoteAddress} has it.
        """
        self.config = ServerConfig(trustedProxies=["192.0.2.0/24", "::1", "unix"])
        rows: list[tuple[list[str], IAddress, str]] = [
            ([], PEER, "192.0.2.1"),
            (["X-Forwarded-For: 9.9.9.9, 1.2.3.4, 192.0.2.7"], PEER, "1.2.3.4"),
            (["X-Forwarded-For: 1.2.3.4", "X-Forwarded-For: 1.2.3.5"], PEER, "1.2.3.5"),
            (["X-Forwarded-For: 2001:db8::1"], PEER, "2001:db8::1"),
            (['X-Forwarded-For: a"b'], PEER, "192.0.2.1"),
            (["Forwarded: for=1.2.3.4"], PEER, "192.0.2.1"),
            (
                ["X-Forwarded-For: 1.2.3.4"],
                IPv6Address("TCP", "::1", 5),
                "1.2.3.4",
            ),
            (["X-Forwarded-For: 1.2.3.4"], IPv4Address("TCP", "9.9.9.9", 5), "9.9.9.9"),
            (["X-Forwarded-For: 1.2.3.4"], UNIXAddress(None), "1.2.3.4"),
            ([], UNIXAddress(None), "-"),
        ]
        for fields, peer, expected in rows:
            self.assertEqual(self.address(*fields, peer=peer), expected, fields)

    def test_forwarded(self) -> None:
        """
        C{readForwarded} counts here too.
        """
        self.config = ServerConfig(trustedProxies=["192.0.2.1"], readForwarded=True)
        self.assertEqual(self.address("Forwarded: for=1.2.3.4"), "1.2.3.4")
        self.assertEqual(self.address("X-Forwarded-For: 1.2.3.4"), "192.0.2.1")
