# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Who connects, by what Chromium shows: L{twisted_ws.authentication}.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.cred.portal import Portal
from twisted.internet import reactor as installed
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import Site

from tests.browser.chromium import TIMEOUT, Chromium, findChromium
from tests.logins import Checker, Realm
from twisted_ws import (
    AllowOrigins,
    MessageReceiver,
    Steps,
    WebSocketFactory,
    WebSocketRequest,
    WebSocketResource,
)
from twisted_ws.authentication import (
    Authenticate,
    Basic,
    Bearer,
    Digest,
    SessionCookie,
)

reactor: Any = installed

TALK = """
new Promise((resolve) => {
  const socket = new WebSocket(URL, PROTOCOLS);
  socket.onmessage = (event) => {
    socket.onclose = () => resolve(`${event.data}, ${socket.protocol}`);
    socket.close();
  };
  socket.onerror = () => resolve("refused");
})
"""


def enter(request: WebSocketRequest) -> None:
    request.accept(Greeting(), request.chooseProtocol(["chat.v1"]))


class Greeting(MessageReceiver):
    """
    Says who is there.
    """

    def connectionMade(self) -> None:
        self.transport.sendMessage(self.transport.avatar.avatarId.decode())


class LoginPage(Resource):
    """
    A page; with a scheme, one that wants a password, any.
    """

    isLeaf = True

    def __init__(self, scheme: Any) -> None:
        Resource.__init__(self)
        self.scheme = scheme

    def render_GET(self, request: Any) -> bytes:
        request.setHeader("Content-Type", "text/html")
        if not (self.scheme is None or request.getHeader("Authorization")):
            request.remoteAddress = request.getClientAddress().host
            request.setResponseCode(401)
            challenge = self.scheme.challenge(request, False)
            request.setHeader("WWW-Authenticate", challenge)
        return b"<!DOCTYPE html><link rel=icon href=data:,><title>Log in</title>"


class BrowserTests(TestCase):
    """
    A page that opens WebSockets.
    """

    timeout = 3 * TIMEOUT
    if findChromium() is None:
        skip = "no Chromium is installed"

    async def begin(self, scheme: Any, userinfo: str = "") -> None:
        """
        Serve, and open the page.
        """
        self.checker, self.realm = Checker(), Realm()
        self.checker.passwords[b"alice"] = b"sesame"
        step = Authenticate(Portal(self.realm, [self.checker]), [scheme])
        factory = WebSocketFactory(Steps([AllowOrigins(), step], enter))
        root = Resource()
        root.putChild(b"login", LoginPage(scheme if userinfo else None))
        root.putChild(b"ws", WebSocketResource(factory))
        port = reactor.listenTCP(0, Site(root), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.addCleanup(factory.closeAllConnections)
        self.host = f"localhost:{port.getHost().port}"
        browser = await Chromium.start(reactor)
        self.addCleanup(browser.close)
        self.page = await browser.open(f"http://{userinfo}{self.host}/login")

    async def talk(self, *protocols: str) -> Any:
        """
        Open a WebSocket.

        @return: what comes of it: who one is there and the subprotocol, or
            C{"refused"}.
        """
        url = json.dumps(f"ws://{self.host}/ws?a=%22")
        script = TALK.replace("URL", url).replace("PROTOCOLS", json.dumps(protocols))
        return await self.page.evaluate(script)

    async def test_basic(self) -> None:
        """
        Where a page has asked for a password, its WebSockets come with it.
        """
        await self.begin(Basic("chat"), "alice:sesame@")
        self.assertEqual(await self.talk(), "alice, ")

    async def test_digest(self) -> None:
        """
        Where a page has asked for a proof, its WebSockets come with proofs of their
        own.
        """
        await self.begin(Digest("chat"), "alice:sesame@")
        self.assertEqual(await self.talk(), "alice, ")
        self.assertEqual(await self.talk("chat.v1"), "alice, chat.v1")
        counts = [each.fields["nc"] for each in self.checker.seen]
        self.assertEqual(counts, [b"00000002", b"00000003"])

    async def test_wrongPassword(self) -> None:
        """
        If that is the wrong password, they are refused.
        """
        for scheme in (Basic("chat"), Digest("chat")):
            await self.begin(scheme, "alice:wrong@")
            self.assertEqual(await self.talk(), "refused")

    async def test_bearer(self) -> None:
        """
        A page can show a token in a subprotocol.
        """
        await self.begin(Bearer("chat", "bearer."))
        self.checker.known["t0ken-_.~"] = b"alice"
        said = await self.talk("chat.v1", "bearer.t0ken-_.~")
        self.assertEqual(said, "alice, chat.v1")
        self.assertEqual(await self.talk("chat.v1", "bearer.unknown"), "refused")
        self.assertEqual(await self.talk("chat.v1"), "refused")

    async def test_cookie(self) -> None:
        """
        A page has its cookies sent.
        """
        await self.begin(SessionCookie("session"))
        self.checker.known["c00kie"] = b"alice"
        self.assertEqual(await self.talk(), "refused")
        await self.page.evaluate("document.cookie = 'session=c00kie'")
        self.assertEqual(await self.talk(), "alice, ")
