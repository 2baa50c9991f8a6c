# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
WebSockets over TLS in Chromium: a real page, a real L{Site}, real certificates.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred, DeferredQueue
from twisted.internet.endpoints import serverFromString
from twisted.trial.unittest import TestCase
from twisted.web.http import H2_ENABLED
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import Data

from tests.browser.chromium import TIMEOUT, Chromium, ChromiumError, Page, findChromium
from tests.browser.test_demo_page import CountingFactory
from tests.sockets import Ending
from tests.tlspeers import Files, issue, pemOf, pin, trustme
from twisted_ws import ServerCertificates, WebSocketFactory, WebSocketResource

reactor: Any = installed

TALK = """
new Promise((resolve) => {
  const socket = new WebSocket("URL");
  const received = [];
  socket.binaryType = "arraybuffer";
  socket.onopen = () => {
    socket.send("Gr\\u00fc\\u00dfe \\u4e16\\u754c");
    socket.send(new Uint8Array(70000).fill(255));
  };
  socket.onmessage = ({data}) => {
    if (typeof data === "string") {
      received.push(data);
    } else {
      const bytes = new Uint8Array(data);
      received.push([bytes.length, bytes.every((byte) => byte === 255)]);
    }
    if (received.length === 2) socket.close(4000, "that was all");
  };
  socket.onclose = ({code, reason, wasClean}) => resolve({
    url: socket.url, page: location.protocol, received, code, reason, wasClean,
  });
})
"""
"""
A promise of what becomes of a WebSocket to URL that sends a text and bytes.
"""

WAIT = """
new Promise((resolve) => {
  const socket = new WebSocket("URL");
  socket.onopen = () => socket.send("here");
  socket.onclose = ({code, reason, wasClean}) => resolve([code, reason, wasClean]);
})
"""
"""
A promise of how a WebSocket ends.
"""

PROTOCOL = "performance.getEntriesByType('navigation')[0].nextHopProtocol"
"""
What the page came by, as ALPN names it.
"""


class Hearing(Ending):
    """
    Sends back what it gets.

    @ivar whenHeard: fires with the first of it.
    """

    def __init__(self) -> None:
        Ending.__init__(self)
        self.whenHeard: Deferred[Any] = Deferred()

    def messageReceived(self, message: Any) -> None:
        """
        Send it back.
        """
        Ending.messageReceived(self, message)
        if not self.whenHeard.called:
            self.whenHeard.callback(message)


class Plainer(Site):
    """
    A Site that does not speak HTTP/2.
    """

    def acceptableProtocols(self) -> list[bytes]:
        """
        See L{Site}.
        """
        return [b"http/1.1"]


class Counted:
    """
    An endpoint whose connections are counted.
    """

    def __init__(self) -> None:
        self._endpoint = serverFromString(reactor, "tcp:0:interface=127.0.0.1")

    def listen(self, factory: Any) -> Any:
        """
        Listen.
        """
        self.factory = CountingFactory(factory)
        return self._endpoint.listen(self.factory)


class WSSTests(TestCase):
    """
    What a page sees, in a browser that trusts one key, and no other that it would not
    trust anyway.
    """

    timeout = 3 * TIMEOUT
    if findChromium() is None:
        skip = "no Chromium is installed"
    elif trustme is None:
        skip = "trustme is not installed"

    def setUp(self) -> None:
        self.files = Files(self.mktemp())
        self.requests: list[Any] = []
        self.accepted: DeferredQueue[Hearing] = DeferredQueue()
        self.browser: Chromium | None = None

    async def open(self, url: str) -> Page:
        """
        Open a page, in a browser that is closed before the servers are.
        """
        if self.browser is None:
            trusted = pin(issue("localhost")).removeprefix("sha256//")
            flag = f"--ignore-certificate-errors-spki-list={trusted}"
            self.browser = await Chromium.start(reactor, flag)
            self.addCleanup(self.browser.close)
        return await self.browser.open(url)

    async def serve(
        self, kind: type[Site] = Site, issued: Any = None, isSecure: bool = True
    ) -> str:
        """
        Serve a page and a WebSocket that sends back what it gets.

        @return: where, as C{//HOST:PORT/}
        """

        def application(request: Any) -> None:
            version = request.httpRequest.clientproto
            self.requests.append((request.isSecure, request.origin, version))
            if request.isOriginAllowed():
                receiver = Hearing()
                self.accepted.put(receiver)
                request.accept(receiver)
            else:
                request.reject(403)

        self.factory = WebSocketFactory(application)
        root = Resource()
        root.putChild(b"", Data(b"<!doctype html><title>t</title>", "text/html"))
        root.putChild(b"favicon.ico", Data(b"", "image/png"))
        root.putChild(b"ws", WebSocketResource(self.factory))
        site = kind(root)
        site.noisy = False
        below = Counted()
        endpoint: Any = below
        if isSecure:
            pem = pemOf(issued or issue("localhost"))
            file = self.files.write("certificate.pem", pem)
            endpoint = ServerCertificates([file]).wrap(below)
        port = await endpoint.listen(site)
        self.addCleanup(below.factory.whenIdle)
        self.addCleanup(port.stopListening)
        return f"//localhost:{port.getHost().port}/"

    async def talk(self, page: Page, url: str) -> Any:
        """
        @return: what became of a WebSocket that sends a text and bytes.
        """
        return await page.evaluate(TALK.replace("URL", url))

    def expected(self, url: str) -> dict[str, Any]:
        """
        @return: what is to become of it.
        """
        return {
            "url": url,
            "page": "https:",
            "received": ["Grüße 世界", [70000, True]],
            "code": 4000,
            "reason": "",
            "wasClean": True,
        }

    async def test_http1(self) -> None:
        """
        A page that came by HTTPS has a WebSocket by wss, from its own origin; text and
        bytes come back, and both sides have the close code.
        """
        place = await self.serve(Plainer)
        page = await self.open("https:" + place)
        self.assertEqual(await page.evaluate(PROTOCOL), "http/1.1")
        url = f"wss:{place}ws"
        self.assertEqual(await self.talk(page, url), self.expected(url))
        receiver = await self.accepted.get()
        ended = await receiver.whenLost
        self.assertEqual((ended.code, ended.reason), (4000, "that was all"))
        origin = "https:" + place[:-1]
        self.assertEqual(self.requests, [(True, origin, b"HTTP/1.1")])
        self.assertEqual(page.problems, [])

    async def test_http2(self) -> None:
        """
        Where the page comes by HTTP/2, the WebSocket has a connection of its own by
        HTTP/1.1.
        """
        if not H2_ENABLED:
            self.skipTest("h2 and priority are not installed")
        place = await self.serve()
        page = await self.open("https:" + place)
        self.assertEqual(await page.evaluate(PROTOCOL), "h2")
        url = f"wss:{place}ws"
        self.assertEqual(await self.talk(page, url), self.expected(url))
        origin = "https:" + place[:-1]
        self.assertEqual(self.requests, [(True, origin, b"HTTP/1.1")])
        self.assertEqual(page.problems, [])

    async def test_goingAway(self) -> None:
        """
        When the server goes away, the page learns it cleanly.
        """
        place = await self.serve(Plainer)
        page = await self.open("https:" + place)
        waiting = page.evaluate(WAIT.replace("URL", f"wss:{place}ws"))
        ended = Deferred.fromCoroutine(waiting)
        receiver = await self.accepted.get()
        await receiver.whenHeard
        await self.factory.closeAllConnections(1001, "bye")
        self.assertEqual(await ended, [1001, "bye", True])

    async def test_otherOrigin(self) -> None:
        """
        A page of the same host that came by HTTP is of another origin, and refused.
        """
        secure = await self.serve(Plainer)
        plain = await self.serve(Plainer, isSecure=False)
        page = await self.open("http:" + plain)
        answer = await self.talk(page, f"wss:{secure}ws")
        self.assertEqual((answer["code"], answer["received"]), (1006, []))
        self.assertEqual(self.requests, [(True, "http:" + plain[:-1], b"HTTP/1.1")])
        (problem,) = page.problems
        self.assertIn("403", problem)

    async def test_otherKey(self) -> None:
        """
        A certificate that the browser does not trust gets neither page nor WebSocket:
        the tests above do not pass for want of a check.
        """
        trusted = await self.serve(Plainer)
        other = await self.serve(Plainer, issue("localhost", by="unknown"))
        with self.assertRaises(ChromiumError) as raised:
            await self.open("https:" + other)
        self.assertIn("ERR_CERT_AUTHORITY_INVALID", str(raised.exception))
        page = await self.open("https:" + trusted)
        answer = await self.talk(page, f"wss:{other}ws")
        self.assertEqual((answer["code"], answer["received"]), (1006, []))
        self.assertEqual(self.requests, [])
