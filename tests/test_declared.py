# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
C{twistd websocket --config}, run as users run it.
"""

from __future__ import annotations

import json
import os
import re
import sys
from importlib import import_module
from shutil import rmtree
from socket import AF_UNIX, socket
from tempfile import mkdtemp
from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    UNIXClientEndpoint,
    connectProtocol,
    wrapClientTLS,
)
from twisted.internet.ssl import (
    Certificate,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from twisted.trial.unittest import TestCase

from tests.handshakes import GOODBYE, handshake
from tests.processes import TWISTD, Program, run, twistd
from tests.sites import get
from tests.sockets import Peer, trustme
from twisted_ws import WebSocketClient
from twisted_ws.errors import ClosedAbruptly

try:
    import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
except ImportError:
    skip = "there is no library to read TOML with: tomli is not installed"

SHOP = """
from twisted_ws import MessageReceiver

class Echo(MessageReceiver):
    def messageReceived(self, message):
        self.transport.sendMessage(message)

def who(request):
    class Who(MessageReceiver):
        def connectionMade(self):
            self.transport.sendMessage(request.remoteAddress)
    request.accept(Who())
"""
MOUNTS = """
[[mount]]
path = "/echo"
application = "shop.Echo"
[[mount]]
path = "/who"
application = "shop.who"
"""
LOCAL = "tcp:0:interface=127.0.0.1"


class DeclaredTests(TestCase):
    """
    The base of the tests: a directory with an application, and servers that are run
    there.
    """

    timeout = 120

    def setUp(self) -> None:
        # Not in trial's own, whose path can be too long for UNIX sockets.
        self.directory = mkdtemp()
        self.addCleanup(rmtree, self.directory)
        self.write("shop.py", SHOP)

    def write(self, path: str, text: str) -> None:
        """
        Write a file into the directory.
        """
        path = os.path.join(self.directory, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def read(self, path: str) -> str:
        """
        @return: a file of the directory.
        """
        with open(os.path.join(self.directory, path), encoding="utf-8") as file:
            return file.read()

    def start(self, text: str, *arguments: str) -> Program:
        """
        Start the server that a file declares.
        """
        self.write("site.toml", text)
        program = twistd(
            *["websocket", "--config", "site.toml", *arguments],
            directory=self.directory,
        )
        self.addCleanup(program.stop)
        return program

    async def serve(self, text: str, *arguments: str) -> list[int]:
        """
        Start the server that a file declares.

        @return: the ports that it listens on.
        """
        count = text.count("tcp:0")
        self.program = self.start(text, *arguments)
        pattern = r"WebSockets at IPv4Address\(.*port=(\d+)\)"
        await self.program.whenSaid(rf"(?s)({pattern}.*){{{count}}}")
        return [int(port) for port in re.findall(pattern, self.program.output)]

    async def peer(self, port: int, *segments: bytes) -> Peer:
        """
        @return: a client that speaks bytes, and has sent these.
        """
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        peer = await connectProtocol(endpoint, Peer())
        self.addCleanup(lambda: peer.whenLost)
        self.addCleanup(lambda: peer.transport.abortConnection())
        for segment in segments:
            peer.transport.write(segment)
        return peer

    async def assertEchoes(self, client: WebSocketClient, url: str) -> None:
        """
        Assert that what is sent comes back.
        """
        inbox = await client.connect(url)
        inbox.send("hello")
        self.assertEqual(await inbox.receive(), "hello")
        await inbox.close()


class ServerTests(DeclaredTests):
    """
    What is served.
    """

    async def test_both(self) -> None:
        """
        One port has files and WebSockets, both with paths that begin at the directory
        of the file; a line of the access log tells of each.
        """
        self.write("etc/www/index.html", "<p>index")
        self.write("etc/log/.keep", "")
        self.write(
            "etc/site.toml",
            f'listen = ["{LOCAL}"]\nweb = "www"\n{MOUNTS}\n'
            '[logging]\naccess = "log/access.log"\n',
        )
        program = twistd("websocket", "-c", "etc/site.toml", directory=self.directory)
        self.addCleanup(program.stop)
        said = await program.whenSaid(r"WebSockets at IPv4Address\(.*port=(\d+)\)")
        port = int(said[1])
        page = await self.peer(port, get("/", "GET", "Connection: close"))
        await page.whenLost
        self.assertIn(b"<p>index", page.received)
        await self.assertEchoes(WebSocketClient(reactor), f"ws://127.0.0.1:{port}/echo")
        missing = await self.peer(port, get("/echo", "GET", "Connection: close"))
        await missing.whenLost
        self.assertIn(b" 404 ", missing.received)
        statuses = re.findall(
            r'"127\.0\.0\.1" - - \[.*\] "GET (\S+) HTTP/1\.1" (\d+)',
            self.read("etc/log/access.log"),
        )
        self.assertEqual(statuses, [("/", "200"), ("/echo", "101"), ("/echo", "404")])

    async def test_tls(self) -> None:
        """
        TLS is spoken where there are certificates, beside a port without; which one is
        shown depends on the name that is asked for.
        """
        if trustme is None:
            self.skipTest("trustme is not installed")
        authority = trustme.CA()
        for name in ("one.example", "two.example"):
            issued = authority.issue_cert(name)
            path = os.path.join(self.directory, f"{name}.pem")
            issued.private_key_and_cert_chain_pem.write_to_path(path)
        plain, secure = await self.serve(
            f'[[listen]]\nendpoint = "{LOCAL}"\n'
            f'[[listen]]\nendpoint = "{LOCAL}"\n'
            'certificates = ["one.example.pem", "two.example.pem"]\n' + MOUNTS
        )
        await self.assertEchoes(
            WebSocketClient(reactor), f"ws://127.0.0.1:{plain}/echo"
        )
        for name in ("one.example", "two.example"):
            client = self.tlsClient(authority, name, secure)
            await self.assertEchoes(client, f"wss://{name}/echo")
        client = self.tlsClient(authority, "three.example", secure)
        refused = client.connect("wss://three.example/echo")
        await self.assertFailure(refused, ClosedAbruptly)

    def tlsClient(self, authority: Any, name: str, port: int) -> WebSocketClient:
        """
        @return: a client that trusts an authority, and connects to a port that it
            takes for that of a host.
        """
        trusted = Certificate.loadPEM(authority.cert_pem.bytes())
        options = optionsForClientTLS(name, trustRootFromCertificates([trusted]))
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        return WebSocketClient(reactor, endpoint=wrapClientTLS(options, endpoint))

    async def test_clientAuthority(self) -> None:
        """
        Where there is an authority for clients, one without a certificate is refused.
        """
        if trustme is None:
            self.skipTest("trustme is not installed")
        authority = trustme.CA()
        issued = authority.issue_cert("one.example")
        path = os.path.join(self.directory, "one.pem")
        issued.private_key_and_cert_chain_pem.write_to_path(path)
        authority.cert_pem.write_to_path(os.path.join(self.directory, "ca.pem"))
        table = (
            f'[[listen]]\nendpoint = "{LOCAL}"\n'
            'certificates = ["one.pem"]\nclientAuthority = "ca.pem"\n'
        )
        strict, lenient = await self.serve(
            f"{table}{table}requireClientCertificate = false\n{MOUNTS}"
        )
        client = self.tlsClient(authority, "one.example", lenient)
        await self.assertEchoes(client, "wss://one.example/echo")
        client = self.tlsClient(authority, "one.example", strict)
        refused = client.connect("wss://one.example/echo")
        await self.assertFailure(refused, ClosedAbruptly)

    async def who(self, port: int, before: bytes, *fields: str) -> bytes:
        """
        @return: the address that the server takes a client for.
        """
        request = handshake(*fields, line="GET /who HTTP/1.1")
        peer = await self.peer(port, before + request + GOODBYE)
        # The server's answer to that comes last.
        received = await peer.until(b"\x88\x02\x03\xe8")
        message = received.partition(b"\r\n\r\n\x81")[2]
        return bytes(message[1 : 1 + message[0]])

    async def test_haproxy(self) -> None:
        """
        Where the PROXY protocol is expected, a client's address is what that says, in
        both of its versions.
        """
        (port,) = await self.serve(
            'listen = ["haproxy:tcp:0:interface=127.0.0.1"]\n' + MOUNTS
        )
        first = b"PROXY TCP4 192.0.2.7 127.0.0.1 5000 80\r\n"
        self.assertEqual(await self.who(port, first), b"192.0.2.7")
        second = (
            b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c"
            b"\xc0\x00\x02\x08\x7f\x00\x00\x01\x13\x88\x00\x50"
        )
        self.assertEqual(await self.who(port, second), b"192.0.2.8")

    async def test_trustedProxies(self) -> None:
        """
        Of proxies that are trusted, a client's address is what they say.
        """
        (port,) = await self.serve(
            f'listen = ["{LOCAL}"]\n{MOUNTS}'
            '[server]\ntrustedProxies = ["127.0.0.0/8"]\n'
        )
        field = "X-Forwarded-For: 9.9.9.9, 192.0.2.9"
        self.assertEqual(await self.who(port, b"", field), b"192.0.2.9")
        self.assertEqual(await self.who(port, b""), b"127.0.0.1")

    async def test_unix(self) -> None:
        """
        UNIX sockets are listened on, with the mode that is declared.
        """
        program = self.start(f'listen = ["unix:ws.sock:mode=600"]\n{MOUNTS}')
        await program.whenSaid(r"WebSockets at UNIXAddress")
        path = os.path.join(self.directory, "ws.sock")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        endpoint = UNIXClientEndpoint(reactor, path)
        client = WebSocketClient(reactor, endpoint=endpoint)
        await self.assertEchoes(client, "ws://localhost/echo")

    async def test_commandLine(self) -> None:
        """
        What the command line says takes the place of what the file says.
        """
        program = self.start(
            f'listen = ["tcp:1:interface=192.0.2.1"]\n{MOUNTS}', "--listen", LOCAL
        )
        said = await program.whenSaid(r"WebSockets at IPv4Address\(.*port=(\d+)\)")
        url = f"ws://127.0.0.1:{said[1]}/echo"
        await self.assertEchoes(WebSocketClient(reactor), url)

    async def test_log(self) -> None:
        """
        The log is there from the start until all is said, at its level, and twistd's
        own says the same.
        """
        (port,) = await self.serve(
            f'listen = ["{LOCAL}"]\n{MOUNTS}'
            '[logging]\nfile = "own.log"\nformat = "json"\nlevel = "info"\n'
            '[server]\nallowedOrigins = ["*"]\n'
        )
        inbox = await WebSocketClient(reactor).connect(f"ws://127.0.0.1:{port}/echo")
        self.program.signal("TERM")
        ended = await inbox.transport.whenClosed()
        self.assertEqual(ended.code, 1001)
        await self.program.ended
        self.assertNotIn("Traceback", self.program.output)
        texts = [json.loads(line)["text"] for line in self.read("own.log").splitlines()]
        self.assertTrue(any("WebSockets at" in text for text in texts), texts)
        self.assertIn("closing 1 WebSockets", texts)
        for text in texts:
            self.assertIn(text, self.program.output)


class EndTests(DeclaredTests):
    """
    What is not served.
    """

    async def assertEnds(self, program: Program, *said: str) -> None:
        """
        Assert that a program ends with status 1, and that these are the lines that it
        has written, or parts of them.
        """
        self.assertEqual(await program.ended, 1, program.output)
        lines = program.output.splitlines()
        self.assertEqual(len(lines), len(said), program.output)
        for line, part in zip(lines, said, strict=True):
            self.assertIn(part, line)

    async def test_wrong(self) -> None:
        """
        What is wrong is a line each, with the file, the line and the key.
        """
        program = self.start(f"[server]\ncloseTimeout = 0\nx = 1\n{MOUNTS}")
        await self.assertEnds(
            program,
            "twistd websocket: site.toml:2: server.closeTimeout must be",
            "twistd websocket: site.toml:3: server.x is no key",
        )

    async def test_portInUse(self) -> None:
        """
        A port in use is one line that names it, also in the log; no file with the
        process id is left behind.
        """
        (port,) = await self.serve(f'listen = ["{LOCAL}"]\n{MOUNTS}')
        program = run(
            [
                *[*TWISTD, "-n", "--pidfile=twistd.pid"],
                *["websocket", "-l", f"tcp:{port}:interface=127.0.0.1"],
                *["--log-file", "own.log"],
            ],
            self.directory,
        )
        self.addCleanup(program.stop)
        self.assertEqual(await program.ended, 1)
        self.assertNotIn("twistd.pid", os.listdir(self.directory))
        self.assertNotIn("Traceback", program.output)
        self.assertIn(f"listen on 127.0.0.1:{port}", program.output.splitlines()[-1])
        self.assertIn(f"listen on 127.0.0.1:{port}", self.read("own.log"))

    async def test_portInUseByDaemon(self) -> None:
        """
        A daemon that finds its port in use tells the process that waits for it.
        """
        (port,) = await self.serve(f'listen = ["{LOCAL}"]\n{MOUNTS}')
        program = run(
            [
                *[*TWISTD, "--pidfile=twistd.pid", "--logfile=twistd.log"],
                *["websocket", "-l", f"tcp:{port}:interface=127.0.0.1"],
            ],
            self.directory,
        )
        self.addCleanup(program.stop)
        self.assertEqual(await program.ended, 1)
        self.assertIn(f"listen on 127.0.0.1:{port}", program.output)
        self.assertNotIn("Traceback", program.output)

    async def test_unwritableLogs(self) -> None:
        """
        A log that cannot be written is one line that names it.
        """
        for key in ("access", "file"):
            text = f'listen = ["{LOCAL}"]\n{MOUNTS}[logging]\n{key} = "x/log"\n'
            os.makedirs(os.path.join(self.directory, "x"), exist_ok=True)
            socket(AF_UNIX).bind(os.path.join(self.directory, "x", "log"))
            program = self.start(text)
            self.assertEqual(await program.ended, 1, program.output)
            self.assertNotIn("Traceback", program.output)
            last = program.output.splitlines()[-1]
            self.assertIn("twistd websocket: ", last)
            self.assertIn(os.path.join(self.directory, "x", "log"), last)
            os.remove(os.path.join(self.directory, "x", "log"))

    async def test_check(self) -> None:
        """
        A check tells what would be served, and leaves nothing behind: no socket, no
        log, no file with a process id, no process in the background.
        """
        self.write(
            "site.toml",
            f'listen = ["unix:ws.sock", "{LOCAL}"]\n{MOUNTS}'
            "[server]\nkeepalive = false\n"
            '[logging]\naccess = "a.log"\nfile = "b.log"\n',
        )
        before = set(os.listdir(self.directory))
        program = run(
            [*TWISTD, "websocket", "--check", "-c", "site.toml"], self.directory
        )
        self.addCleanup(program.stop)
        self.assertEqual(await program.ended, 0, program.output)
        self.assertEqual(
            program.output.splitlines(),
            [
                "endpoints",
                "  unix:ws.sock",
                f"  {LOCAL}",
                "routes",
                "  /echo  *  shop.Echo",
                "  /who   *  shop.who",
                "options",
                "  server.keepalive = false",
                f'  logging.access = "{self.directory}/a.log"',
                f'  logging.file = "{self.directory}/b.log"',
            ],
        )
        after = set(os.listdir(self.directory)) - {"__pycache__"}
        self.assertEqual(after, before)

    async def test_checkWrong(self) -> None:
        """
        A check of what is wrong is one line and status 1.
        """
        await self.assertEnds(
            self.start(f"listen = ['tcp:x']\n{MOUNTS}", "--check"),
            "twistd websocket: site.toml:1: listen[0]: tcp:x: ",
        )
