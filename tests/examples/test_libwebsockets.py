# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The test server of libwebsockets.
"""

from __future__ import annotations

import re
from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.web.client import Agent, readBody

from twisted_ws import ClientConfig, Inbox, WebSocketClient

from ..handshakes import handshake
from ..sockets import Peer
from .programs import ExampleTests

SERVER = "libwebsockets_test_server"
INCREMENT = "dumb-increment-protocol"
MIRROR = "lws-mirror-protocol"
VERSIONS = (13, 8)

STROKES = ["d #ff0000 1 2 3 4;", "c #00ff00 5 6 7;", "d #0000ff 8 9 10 11;"]


class ServerTests(ExampleTests):
    """
    The server, as a program.
    """

    async def connect(
        self, port: int, protocol: str, version: int = 13, path: str = "/"
    ) -> Inbox:
        """
        Connect to the server.
        """
        client = WebSocketClient(reactor, ClientConfig(webSocketVersion=version))
        inbox: Inbox = await client.connect(
            f"ws://127.0.0.1:{port}{path}", protocols=[protocol]
        )
        self.addCleanup(inbox.close)
        return inbox

    async def take(self, inbox: Inbox, count: int) -> list[Any]:
        """
        @return: the next so many messages.
        """
        return [await inbox.receive() for _ in range(count)]

    async def test_page(self) -> None:
        """
        The page is at C{/}, and nothing is elsewhere.
        """
        _, port = await self.serve(SERVER)
        agent = Agent(reactor)
        for path, status in (("/", 200), ("/x", 404), ("//", 404), (f"/{SERVER}", 404)):
            url = f"http://127.0.0.1:{port}{path}".encode()
            response = await agent.request(b"GET", url)
            body = await readBody(response)
            self.assertEqual(response.code, status, path)
            if status == 200:
                (kind,) = response.headers.getRawHeaders(b"content-type")
                self.assertEqual(kind, b"text/html; charset=utf-8")
                self.assertIn(b'<canvas id="canvas" width="480" height="300">', body)
                self.assertIn(b"window.MozWebSocket || window.WebSocket", body)

    async def test_increment(self) -> None:
        """
        It counts from 0, for each client by itself, on any path and in both versions;
        C{"reset\\n"} begins anew, and nothing else does.
        """
        program, port = await self.serve(SERVER)
        for version, path in ((13, "/"), (8, "/any/where?x")):
            inbox = await self.connect(port, INCREMENT, version, path)
            self.assertEqual(inbox.transport.protocol, INCREMENT)
            self.assertEqual(await self.take(inbox, 4), ["0", "1", "2", "3"])
            inbox.send("reset")
            inbox.send(b"reset\n")
            self.assertEqual(await self.take(inbox, 2), ["4", "5"])
            inbox.send("reset\n")
            number = 6
            while (received := int(await inbox.receive())) != 0:
                self.assertEqual(received, number)
                number += 1
            self.assertEqual(await inbox.receive(), "1")
            await inbox.close()
            await program.whenSaid(
                f"{INCREMENT} connection accepted from 127.0.0.1"
                f" - Protocol Version {version}\n"
            )
        await program.whenSaid("(?s)(increment reset received.*){2}")
        await program.whenSaid(
            f"(?s)({INCREMENT} peer 127.0.0.1 disconnected, code: 1000.*){{2}}"
        )

    async def test_mirror(self) -> None:
        """
        What one draws is sent to all, itself included; a newcomer first gets all there
        is in one message, and nothing when there is nothing; binary is ignored.
        """
        _, port = await self.serve(SERVER)
        first = await self.connect(port, MIRROR, 13)
        second = await self.connect(port, MIRROR, 8, "/else")
        # An answer to a ping says that all that was sent before it is here.
        await second.transport.ping()
        first.send(b"d #ffffff 1 1 1 1;")
        for stroke in STROKES:
            first.send(stroke)
        for each in (first, second):
            self.assertEqual(await self.take(each, 3), STROKES)
        for version in VERSIONS:
            newcomer = await self.connect(port, MIRROR, version)
            self.assertEqual(await newcomer.receive(), "".join(STROKES))

        second.send("clear;")
        for each in (first, second, newcomer):
            self.assertEqual(await each.receive(), "clear;")
        late = await self.connect(port, MIRROR)
        await late.transport.ping()
        late.send(STROKES[0])
        self.assertEqual(await late.receive(), STROKES[0])

    async def handshake(self, port: int, *fields: str) -> str:
        """
        @return: the head of the answer to a handshake.
        """
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        peer = await connectProtocol(endpoint, Peer())
        peer.transport.write(handshake(*fields))
        received = await peer.until(b"\r\n\r\n")
        peer.transport.abortConnection()
        await peer.whenLost
        head: str = received.partition(b"\r\n\r\n")[0].decode("latin-1")
        return head

    async def test_cookie(self) -> None:
        """
        The mirror sets a cookie, with a number that is drawn anew each time; the
        counter sets none.
        """
        _, port = await self.serve(SERVER)
        values = set()
        for _ in range(8):
            head = await self.handshake(port, f"Sec-WebSocket-Protocol: {MIRROR}")
            cookies = re.findall(r"(?im)^set-cookie: (.*)\r?$", head)
            self.assertEqual(len(cookies), 1, head)
            found = re.fullmatch(
                r"TestCookie=CookieValue(\d{1,3}); Path=/; Max-Age=5000; HttpOnly\r?",
                cookies[0],
            )
            self.assertIsNotNone(found, head)
            values.add(found and found[1])
        self.assertGreater(len(values), 1)
        head = await self.handshake(port, f"Sec-WebSocket-Protocol: {INCREMENT}")
        self.assertIn(" 101 ", head)
        self.assertNotIn("cookie", head.lower())

    async def test_refused(self) -> None:
        """
        Other subprotocols, none, and the pages of other sites are refused.
        """
        _, port = await self.serve(SERVER)
        for fields, status in (
            ((), 404),
            (("Sec-WebSocket-Protocol: chat",), 404),
            ((f"Sec-WebSocket-Protocol: {MIRROR}", "Origin: http://evil.example"), 403),
            ((f"Sec-WebSocket-Protocol: {INCREMENT}", "Origin: null"), 403),
        ):
            head = await self.handshake(port, *fields)
            self.assertIn(f" {status} ", head.splitlines()[0])

    async def test_interrupted(self) -> None:
        """
        When it is interrupted or terminated its clients get 1001, and it ends.
        """
        for signal in ("INT", "TERM"):
            program, port = await self.serve(SERVER)
            inboxes = [await self.connect(port, each) for each in (MIRROR, INCREMENT)]
            await self.assertEnds(program, signal)
            for inbox in inboxes:
                ended = await inbox.transport.whenClosed()
                self.assertEqual((ended.code, ended.begunBy), (1001, "peer"))

    async def test_portInUse(self) -> None:
        """
        A port that is in use, or is none, is one line and exit code 1.
        """
        _, port = await self.serve(SERVER)
        for number in (port, 99999):
            program = self.start(SERVER, f"--port={number}")
            self.assertEqual(await program.ended, 1)
            self.assertRegex(program.output, r"(?m)^Cannot listen: .+$")

    async def test_wrongCertificate(self) -> None:
        """
        A key or a certificate that is none is one line that names the file, and exit
        code 1.
        """
        files = self.certificates()
        for key, cert in ((files["key"], "no.pem"), (files["key"], files["key"])):
            secure = ["--port=0", "--secure", f"--key={key}", f"--cert={cert}"]
            program = self.start(SERVER, *secure)
            self.assertEqual(await program.ended, 1, program.output)
            self.assertRegex(program.output, rf"(?m)^Cannot listen: .*{cert}")

    async def test_wrongOptions(self) -> None:
        """
        Without what it needs it says how it is used; and of C{--secure} alone, how to
        make a certificate.
        """
        await self.assertRefuses(SERVER, named="--port")
        await self.assertRefuses(SERVER, "--port=http", named="--port")
        await self.assertRefuses(SERVER, "--port=0", "--nonsense", named="--nonsense")
        await self.assertRefuses(SERVER, "--port=0", "--key=a", named="--secure")
        await self.assertRefuses(
            SERVER, "--port=0", "--secure", "--key=a", named="subjectAltName"
        )
