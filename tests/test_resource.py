# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Where in a tree of L{twisted.web} resources a WebSocket can be, and what is answered
there: L{twisted_ws.WebSocketResource}.
"""

import re

from twisted.web.http import Request
from twisted.web.resource import EncodingResourceWrapper, IResource, Resource
from twisted.web.server import GzipEncoderFactory
from twisted.web.static import Data
from zope.interface.verify import verifyObject

from twisted_ws import Router

from .handshakes import (
    ACCEPTED,
    GOODBYE,
    GREETING,
    HELLO,
    HELLO_REPLY,
    REFUSED,
    Echo,
    handshake,
)
from .sites import PAGE, SiteTests, get, upgrade


class Leaf(Resource):
    """
    A leaf that says what is left of the path for it.
    """

    isLeaf = True

    def render(self, request):
        return b"leaf " + b"|".join(request.postpath) + b" " + request.method


class PlaceTests(SiteTests):
    """
    Where in a tree it can be.
    """

    def test_interface(self):
        """
        It is an C{IResource}.
        """
        self.serve(Echo)
        self.assertTrue(verifyObject(IResource, self.resource))

    def test_inATree(self):
        """
        It upgrades at its path and below, wherever that is.
        """
        self.serve(Echo)
        for target in (
            "/ws",
            "/ws/",
            "/ws?a",
            "/ws/a/b",
            "/deep/er/ws",
            "/deep/er/ws/a",
        ):
            peer = self.connect(upgrade(target))
            self.assertEqual(peer.take(), GREETING, target)
            peer.send(HELLO)
            self.assertEqual(peer.take(), HELLO_REPLY, target)

    def test_elsewhere(self):
        """
        The rest of the tree is untouched.
        """
        self.serve(Echo)
        for target in ("/", "/wsx", "/deep/ws", "/deep/er/wsx"):
            self.assertEqual(self.statuses(self.connect(upgrade(target))), [404])
        self.assertEqual(self.body(PAGE), b"a page")
        self.assertEqual(self.body(upgrade("/page")), b"a page")

    def test_atTheRoot(self):
        """
        It can be the root of a Site.
        """
        self.serve(Echo, atRoot=True)
        for target in ("/", "/a", "/a/b?c"):
            self.assertEqual(self.connect(upgrade(target)).take(), GREETING, target)

    def test_pathForTheApplication(self):
        """
        The application sees what of the path was walked, and what is left.
        """
        self.serve()
        for target, prepath, postpath in [
            ("/ws", [b"ws"], []),
            ("/ws/", [b"ws"], [b""]),
            ("/ws/a%2Fb/c?d", [b"ws"], [b"a/b", b"c"]),
            ("/deep/er/ws/a", [b"deep", b"er", b"ws"], [b"a"]),
        ]:
            self.connect(upgrade(target))
            request = self.requests.pop()
            self.assertEqual(request.prepath, prepath)
            self.assertEqual(request.postpath, postpath)
            self.assertEqual(request.resource, target)

    def test_absoluteForm(self):
        """
        RFC 9112 section 3.2.2: a path may come with scheme and host before it, and is
        the same path.
        """
        self.serve(atRoot=True)
        self.connect(upgrade("http://example.com/a/b?c"))
        (request,) = self.requests
        self.assertEqual((request.resource, request.path), ("/a/b?c", "/a/b"))
        self.assertEqual((request.prepath, request.postpath), ([], [b"a", b"b"]))

    def test_router(self):
        """
        A Router is asked for what is left.
        """
        router = Router()
        router.mount("/", "*", Echo)
        router.mount("/chat", "chat", Echo)
        self.serve(router)
        chat = "Sec-WebSocket-Protocol: chat"
        for target, fields, expected in [
            ("/ws", [], 101),
            ("/ws/", [], 101),
            ("/ws/chat", [chat], 101),
            ("/ws/chat", [], 404),
            ("/ws/other", [], 404),
            ("/deep/er/ws/chat", [chat], 101),
        ]:
            peer = self.connect(upgrade(target, *fields))
            self.assertEqual(self.statuses(peer), [expected], target)

    def test_underAWrapper(self):
        """
        It works below what compresses other resources.
        """
        self.serve(Echo)
        self.site.resource = EncodingResourceWrapper(
            self.site.resource, [GzipEncoderFactory()]
        )
        peer = self.connect(upgrade("/ws", "Accept-Encoding: gzip") + HELLO)
        self.assertEqual(peer.take(), GREETING + HELLO_REPLY)

    def test_httpRequest(self):
        """
        The application may ask the HTTP request, until the verdict.
        """
        self.serve()
        self.connect(upgrade("/ws", "X-A: b"))
        (request,) = self.requests
        self.assertEqual(request.httpRequest.getHeader(b"x-a"), b"b")
        self.assertEqual(request.remoteAddress, "192.0.2.1")
        self.assertFalse(request.isSecure)
        request.accept(Echo())
        self.assertIsNone(request.httpRequest)


class FallbackTests(SiteTests):
    """
    Requests that are for no WebSocket.
    """

    def test_none(self):
        """
        Without a fallback they are refused with 426, which says what would be right.
        """
        self.serve(Echo)
        for target in ("/ws", "/ws/", "/ws/a/b"):
            received = self.connect(get(target)).take()
            self.assertTrue(received.startswith(b"HTTP/1.1 426 Upgrade Required\r\n"))
            head, _, body = received.partition(b"\r\n\r\n")
            fields = {line.lower() for line in head.split(b"\r\n")[1:]}
            self.assertIn(b"upgrade: websocket", fields)
            self.assertIn(b"sec-websocket-version: 13, 8", fields)
            self.assertIn(b"content-type: text/plain; charset=utf-8", fields)
            self.assertIn(b"content-length: %d" % len(body), fields)
            self.assertEqual(body, b"this is a WebSocket server\n")

    def test_connectionOptions(self):
        """
        RFC 9110 section 7.8: who sends Upgrade names it in Connection; RFC 9112 section
        9.6: who closes says so.
        """
        self.serve(Echo)
        received = self.connect(get("/ws")).take().lower()
        options = set()
        for value in re.findall(rb"\r\nconnection: ([^\r]*)", received):
            options.update(value.split(b", "))
        self.assertEqual(options, {b"close", b"upgrade"})

    def test_noneForOtherMethods(self):
        """
        Other methods are refused with 405, which names the right one.
        """
        self.serve(Echo)
        for method in ("POST", "PUT", "OPTIONS", "BREW"):
            data = get("/ws", method, "Content-Length: 0")
            received = self.connect(data).take()
            self.assertTrue(received.startswith(b"HTTP/1.1 405 "), received)
            self.assertIn(b"\r\nallow: get\r\n", received.lower())
        received = self.connect(get("/ws", "HEAD")).take()
        self.assertTrue(received.startswith(b"HTTP/1.1 405 "), received)
        self.assertTrue(received.endswith(b"\r\n\r\n"), received)

    def test_leaf(self):
        """
        A fallback that is a leaf gets them all, with the rest of the path.
        """
        self.serve(Echo, Leaf())
        for target, expected in [
            ("/ws", b"leaf  GET"),
            ("/ws/", b"leaf  GET"),
            ("/ws/a/b", b"leaf a|b GET"),
            ("/deep/er/ws/c?d", b"leaf c GET"),
        ]:
            self.assertEqual(self.body(get(target)), expected, target)
            self.assertEqual(self.connect(upgrade(target)).take(), GREETING)
        self.assertEqual(
            self.body(get("/ws/a", "POST", "Content-Length: 1") + b"x"), b"leaf a POST"
        )

    def test_tree(self):
        """
        A fallback that has children is walked, as if it were in the place of the
        resource.
        """
        fallback = Resource()
        fallback.putChild(b"", Data(b"index", "text/plain"))
        fallback.putChild(b"a", Resource())
        fallback.children[b"a"].putChild(b"b", Data(b"a/b", "text/plain"))
        for atRoot, before in ((False, "/ws"), (True, "")):
            self.serve(Echo, fallback, atRoot)
            for target, expected in [("/", b"index"), ("/a/b", b"a/b")]:
                self.assertEqual(self.body(get(before + target)), expected)
                peer = self.connect(upgrade(before + target))
                self.assertEqual(peer.take(), GREETING)
            for target in ("/c", "/a/c", "/a/b/c"):
                peer = self.connect(get(before + target))
                self.assertEqual(self.statuses(peer), [404], target)

    def test_itself(self):
        """
        At the path of the resource itself the fallback is rendered.
        """
        self.serve(Echo, Data(b"itself", "text/plain"))
        self.assertEqual(self.body(get("/ws")), b"itself")
        self.assertEqual(self.connect(upgrade("/ws")).take(), GREETING)

    def test_otherUpgrades(self):
        """
        A request to upgrade to something else is for the fallback; one that would take
        a WebSocket among others is not.
        """
        for values, expected in [
            (["h2c"], 200),
            (["websocket2"], 200),
            (["xwebsocket"], 200),
            (["h2c, WebSocket"], 101),
            (["websocket, h2c"], 101),
            (["h2c", "websocket"], 101),
            (["websocket", "h2c"], 101),
        ]:
            self.serve(Echo, Leaf())
            peer = self.connect(upgrade("/ws", *(f"Upgrade: {v}" for v in values)))
            self.assertEqual(self.statuses(peer), [expected], values)

    def test_invalidHandshake(self):
        """
        A handshake that is wrong is refused, and is not for the fallback.
        """
        self.serve(Echo, Leaf())
        for data, status in [
            (upgrade("/ws", "Sec-WebSocket-Version: 7"), 426),
            (upgrade("/ws", "Sec-WebSocket-Key: abc"), 400),
            (upgrade("/ws/a", "Connection: close"), 400),
            (handshake(line="POST /ws HTTP/1.1"), 405),
        ]:
            self.assertEqual(self.statuses(self.connect(data)), [status])

    def test_putChild(self):
        """
        Children are the fallback's; without one there are none.
        """
        fallback = Resource()
        self.serve(Echo, fallback)
        self.resource.putChild(b"a", Data(b"child", "text/plain"))
        self.assertEqual(self.body(get("/ws/a")), b"child")
        self.serve(Echo)
        self.assertRaises(ValueError, self.resource.putChild, b"a", Resource())


class GrammarTests(SiteTests):
    """
    One grammar: what a port of our own refuses is not let in here.
    """

    # Twisted reads a folded line as one, as RFC 9112 section 5.2 allows; so did older
    # versions with a line break in a value.  For the whole server it answers itself.
    twisteds = ("obs-fold", "a bare ", "asterisk")

    def test_accepted(self):
        """
        Every valid handshake is accepted.
        """
        for name, data, _ in ACCEPTED:
            self.serve(Echo, atRoot=True, allowedOrigins="*")
            self.assertEqual(self.statuses(self.connect(data)), [101], name)

    def test_refused(self):
        """
        No invalid handshake is; the status is ours or, where Twisted was quicker, 400.
        """
        for name, data, status in REFUSED:
            if any(word in name for word in self.twisteds):
                continue
            self.serve(Echo, atRoot=True, allowedOrigins="*")
            (answered,) = self.statuses(self.connect(data)) or [None]
            self.assertIn(answered, (status, 400), name)
            self.assertEqual(self.factory.connections, set(), name)

    def test_nothingBehindARefusal(self):
        """
        Each ends the connection: a request that comes behind it, which a proxy on the
        way may not have seen, is not answered.
        """
        answered = []
        for name, data, _ in REFUSED:
            if any(word in name for word in self.twisteds):
                continue
            self.serve(Echo, atRoot=True, allowedOrigins="*")
            peer = self.connect(data + PAGE, PAGE)
            if len(self.statuses(peer)) != 1 or peer.lost is None:
                answered.append(name)
        self.assertEqual(answered, [])

    def test_anotherHTTP(self):
        """
        What does not come over an C{HTTPChannel}, as HTTP/2 does not, is refused with
        505.
        """
        self.serve(Echo)
        self.connect(get("/page"))
        channel = self.channel()
        request = Request(channel)
        request.requestHeaders.addRawHeader(b"upgrade", b"websocket")
        request.channel = object()
        body = self.resource.render(request)
        self.assertEqual(request.code, 505)
        self.assertIn(b"HTTP", body)
        types = request.responseHeaders.getRawHeaders(b"content-type")
        self.assertEqual(types, [b"text/plain; charset=utf-8"])


class AccessLogTests(SiteTests):
    """
    Twisted's access log.
    """

    def test_lines(self):
        """
        Every request has one line, with the status that it was answered.
        """
        self.serve(lambda request: request.accept(Echo()) if request.args else None)
        peer = self.connect(PAGE, upgrade("/ws?accept") + HELLO)
        self.assertIn('"GET /page HTTP/1.1" 200 ', self.log.getvalue())
        self.assertIn('"GET /ws?accept HTTP/1.1" 101 ', self.log.getvalue())
        peer.send(GOODBYE)
        self.connect(upgrade("/ws"))
        self.clock.advance(10)
        self.server.flush()
        self.connect(get("/ws"))
        lines = self.log.getvalue().splitlines()
        codes = [re.findall(r'HTTP/1\.1" ([0-9]{3}) ', line)[0] for line in lines]
        self.assertEqual(codes, ["200", "101", "503", "426"])

    def test_withoutALog(self):
        """
        A channel that belongs to no factory has no log to write to.
        """
        self.serve(Echo)
        self.connect()
        self.channel().factory = None
        peer = self.server.carriers[-1][0].protocol
        peer.send(upgrade("/ws"))
        self.assertEqual(peer.take(), GREETING)
