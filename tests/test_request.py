# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What an application is told of a handshake, and what it can answer:
L{twisted_ws.WebSocketRequest}.
"""

from dataclasses import replace

from twisted.internet.address import IPv6Address, UNIXAddress
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides

from twisted_ws import Cookie, ServerConfig, WebSocketConnection, WebSocketRequest
from twisted_ws._wire.handshake import readRequest
from twisted_ws.errors import AlreadyAnswered
from twisted_ws.request import Verdict
from twisted_ws.testing import RecordingReceiver

from .handshakes import (
    GREETING,
    HELLO,
    KEY,
    ServerTests,
    field,
    handshake,
    split,
    version,
)
from .handshakes import request as handshakeFor


class Upgrader:
    """
    Writes down how a request is answered.
    """

    def __init__(self):
        self.clock = Clock()
        self.answers = []

    def upgrade(self, headers, connection, receiver):
        self.answers.append((101, headers, connection, receiver))

    def refuse(self, response):
        self.answers.append(response)


class Carrier:
    """
    As much of a transport as a request looks at.
    """

    def __init__(self, peer):
        self._peer = peer

    def getPeer(self):
        return self._peer

    def getHost(self):
        return UNIXAddress("/server")

    def getPeerCertificate(self):
        return "a certificate"


def makeRequest(data, peer=None, isSecure=False, **options):
    """
    @return: a request as an upgrader makes it, with the upgrader.
    """
    carrier = Carrier(peer or UNIXAddress("/client"))
    if isSecure:
        directlyProvides(carrier, ISSLTransport)
    return WebSocketRequest(
        readRequest(split(data)), Upgrader(), ServerConfig(**options), carrier
    )


class FieldTests(SynchronousTestCase):
    """
    What a request says.
    """

    def test_everything(self):
        """
        Everything that the client sent is there, by name.
        """
        request = makeRequest(
            handshake(
                "Host: Example.com:8080",
                "Origin: http://Page.example",
                "Cookie: a=1; b=2",
                "Sec-WebSocket-Protocol: chat.V1, b",
                'Sec-WebSocket-Extensions: foo; x="1"; y',
                line="GET /a%20b/c?x=1&y=%41&x= HTTP/1.1",
            )
        )
        self.assertEqual(request.resource, "/a%20b/c?x=1&y=%41&x=")
        self.assertEqual(request.path, "/a b/c")
        self.assertEqual(request.args, {"x": ["1", ""], "y": ["A"]})
        self.assertEqual(request.host, "Example.com:8080")
        self.assertEqual(request.key, KEY)
        self.assertEqual(request.webSocketVersion, 13)
        self.assertEqual(request.origin, "http://Page.example")
        self.assertEqual(request.headers.get("host"), "Example.com:8080")
        self.assertEqual(request.headers.getAll(b"upgrade"), [b"websocket"])
        self.assertEqual(request.cookies, {"a": "1", "b": "2"})
        self.assertEqual(request.requestedProtocols, ("chat.V1", "b"))
        self.assertEqual(
            request.requestedExtensions, (("foo", (("x", "1"), ("y", None))),)
        )
        self.assertEqual(request.prepath, [])
        self.assertEqual(request.postpath, [b"a b", b"c"])
        self.assertIs(request.verdict, Verdict.PENDING)
        self.assertIsNone(request.protocol)
        self.assertEqual(request.possibleProtocols, ("chat.V1", "b"))
        self.assertEqual((request.params, request.groups), ({}, ()))
        self.assertIsNone(request.avatar)
        self.assertIs(request.isOriginJudged, False)
        self.assertIsNone(request.httpRequest)
        self.assertEqual(request.config, ServerConfig())

    def test_nothing(self):
        """
        What the client did not send is absent.
        """
        request = makeRequest(version(8))
        self.assertEqual(request.webSocketVersion, 8)
        self.assertIsNone(request.origin)
        self.assertEqual(request.args, {})
        self.assertEqual(request.cookies, {})
        self.assertEqual(request.requestedProtocols, ())
        self.assertEqual(request.requestedExtensions, ())
        self.assertEqual(request.path, "/")
        self.assertEqual(request.postpath, [b""])

    def test_path(self):
        """
        The path is decoded once, as UTF-8, and stays out of the query's way.
        """
        for target, path, postpath in [
            ("/", "/", [b""]),
            ("/a/", "/a/", [b"a", b""]),
            ("/?a/b", "/", [b""]),
            ("/a%2Fb/c", "/a/b/c", [b"a/b", b"c"]),
            ("/%2525", "/%25", [b"%25"]),
            ("/caf%C3%A9", "/caf\xe9", ["caf\xe9".encode()]),
            ("/%ff", "/\ufffd", [b"\xff"]),
            ("/%00", "/\0", [b"\0"]),
            ("/%zz%", "/%zz%", [b"%zz%"]),
            ("/a+b", "/a+b", [b"a+b"]),
            ("/../a", "/../a", [b"..", b"a"]),
            ("//a", "//a", [b"", b"a"]),
            ("/%3Fa?b", "/?a", [b"?a"]),
        ]:
            request = makeRequest(handshakeFor(target))
            self.assertEqual(request.path, path, target)
            self.assertEqual(request.postpath, postpath, target)
            self.assertEqual(request.resource, target)

    def test_args(self):
        """
        Every value of every parameter of the query is kept, decoded, in order.
        """
        for query, args in [
            ("", {}),
            ("a=1&b=2&a=3", {"a": ["1", "3"], "b": ["2"]}),
            ("a", {"a": [""]}),
            ("a=", {"a": [""]}),
            ("=1", {"": ["1"]}),
            ("a=b=c", {"a": ["b=c"]}),
            ("a=x+y%2B", {"a": ["x y+"]}),
            ("a=%C3%A9", {"a": ["\xe9"]}),
            ("a=%ff", {"a": ["\ufffd"]}),
            ("a=1;b=2", {"a": ["1;b=2"]}),
            ("a=1?b=2", {"a": ["1?b=2"]}),
            ("__class__=1", {"__class__": ["1"]}),
            ("&&", {}),
        ]:
            request = makeRequest(handshakeFor(f"/?{query}"))
            self.assertEqual(request.args, args, query)

    def test_addresses(self):
        """
        The peer is known by its address; that of a UNIX socket has no text.
        """
        request = makeRequest(handshake(), IPv6Address("TCP", "2001:db8::1", 40000))
        self.assertEqual(request.peer, IPv6Address("TCP", "2001:db8::1", 40000))
        self.assertEqual(request.localAddress, UNIXAddress("/server"))
        self.assertEqual(request.remoteAddress, "2001:db8::1")
        self.assertEqual(request.remoteAddresses, ["2001:db8::1"])
        for name in ("/client", "", None):
            request = makeRequest(handshake(), UNIXAddress(name))
            self.assertEqual(request.remoteAddress, "", name)

    def test_forwardedFor(self):
        """
        Who the client says that it is does not count.
        """
        request = makeRequest(
            handshake("X-Forwarded-For: 203.0.113.1", "Forwarded: for=203.0.113.1"),
            IPv6Address("TCP", "::1", 1),
        )
        self.assertEqual(request.remoteAddress, "::1")
        self.assertEqual(request.remoteAddresses, ["::1"])

    def test_isSecure(self):
        """
        Whether the request came over TLS is the carrier's word.
        """
        self.assertFalse(makeRequest(handshake("X-Forwarded-Proto: https")).isSecure)
        self.assertTrue(makeRequest(handshake(), isSecure=True).isSecure)

    def test_peerCertificate(self):
        """
        The client's certificate is that of the carrier, if it is TLS.
        """
        self.assertIsNone(makeRequest(handshake()).peerCertificate)
        request = makeRequest(handshake(), isSecure=True)
        self.assertEqual(request.peerCertificate, "a certificate")

    def test_repr(self):
        """
        The representation says what was asked for and what became of it, in a line that
        is not too long, and without the query, where secrets may be.
        """
        request = makeRequest(handshakeFor("/a?token=1"))
        self.assertEqual(repr(request), "<WebSocketRequest pending '/a'>")
        request.reject()
        self.assertIn("rejected", repr(request))
        self.assertLess(len(repr(makeRequest(handshakeFor("/" + "a" * 8000)))), 300)


class ChooseProtocolTests(SynchronousTestCase):
    """
    L{WebSocketRequest.chooseProtocol}.
    """

    rows = [
        ("none asked", [], ["a"], None, None),
        ("none spoken", ["a"], [], None, None),
        ("none in common", ["a", "b"], ["c"], None, None),
        ("one in common", ["a", "b"], ["b", "c"], "b", "b"),
        ("two orders", ["a", "b", "c"], ["c", "b"], "c", "b"),
        ("any case", ["Chat.V1"], ["chat.v1"], "Chat.V1", "Chat.V1"),
        ("our case", ["chat.v1"], ["CHAT.V1"], "chat.v1", "chat.v1"),
        ("any case, two orders", ["A", "B"], ["b", "a"], "B", "A"),
        ("hostile names", ["__class__"], ["__class__"], "__class__", "__class__"),
    ]

    def test_rows(self):
        """
        The server's order or the client's decides, whatever the case; the answer is in
        the client's spelling.
        """
        for name, asked, spoken, server, client in self.rows:
            request = makeRequest(field("Sec-WebSocket-Protocol", ", ".join(asked)))
            self.assertEqual(request.chooseProtocol(spoken), server, name)
            self.assertEqual(request.chooseProtocol(tuple(spoken), True), client, name)
            chosen = request.chooseProtocol(iter(spoken), preferClient=True)
            self.assertEqual(chosen, client, name)


class AcceptTests(ServerTests):
    """
    L{WebSocketRequest.accept}.
    """

    def asked(self, *fields):
        """
        Have a request come in.

        @return: it, and its peer.
        """
        self.serve()
        peer = self.connect(handshake(*fields))
        return self.requests[0], peer

    def test_connection(self):
        """
        It returns the connection that the receiver gets as its transport.
        """
        request, peer = self.asked()
        receiver = RecordingReceiver()
        connection = request.accept(receiver)
        self.assertIsInstance(connection, WebSocketConnection)
        self.assertIs(receiver.transport, connection)
        self.assertIs(connection.receiver, receiver)
        self.assertIs(connection.request, request)
        self.assertIs(connection.config, request.config)
        self.assertIsNone(connection.protocol)
        self.assertIs(request.verdict, Verdict.ACCEPTED)
        self.server.flush()
        self.assertEqual(peer.take(), GREETING)

    def test_protocol(self):
        """
        A subprotocol that was asked for, in any case, is spoken and answered in the
        client's spelling.
        """
        for given in ("Chat.V1", "chat.v1", "CHAT.V1"):
            request, peer = self.asked("Sec-WebSocket-Protocol: a, Chat.V1")
            connection = request.accept(RecordingReceiver(), given)
            self.assertEqual(connection.protocol, "Chat.V1")
            self.server.flush()
            self.assertIn(b"\r\nSec-WebSocket-Protocol: Chat.V1\r\n", peer.take())

    def test_protocolOfARouter(self):
        """
        By default it is the one that a router has chosen.
        """
        request, peer = self.asked("Sec-WebSocket-Protocol: a, b")
        request.protocol = "b"
        self.assertEqual(request.accept(RecordingReceiver()).protocol, "b")
        self.server.flush()
        self.assertIn(b"\r\nSec-WebSocket-Protocol: b\r\n", peer.take())

    def test_protocolNotAskedFor(self):
        """
        RFC 6455 section 4.1: a subprotocol that was not asked for would fail the
        connection, so it cannot be answered.
        """
        request, _ = self.asked("Sec-WebSocket-Protocol: a")
        for bad in ("b", "", "a, a", "a\r\n", "\xe9"):
            with self.assertRaisesRegex(ValueError, "did not ask for"):
                request.accept(RecordingReceiver(), bad)
            self.assertIs(request.verdict, Verdict.PENDING)
        request.protocol = "b"
        self.assertRaises(ValueError, request.accept, RecordingReceiver())
        self.assertIs(request.verdict, Verdict.PENDING)

    def test_headersAndCookies(self):
        """
        Further fields and cookies are sent, in order, cookies last.
        """
        for headers in (
            {"X-A": "1", "X-B": "\xe9"},
            [("X-A", "1"), (b"X-B", b"\xe9")],
            iter([(b"X-A", "1"), ("X-B", b"\xe9")]),
        ):
            request, peer = self.asked()
            request.accept(
                RecordingReceiver(),
                headers=headers,
                cookies=[Cookie("a", "1"), Cookie("b", "2", path="/")],
            )
            self.server.flush()
            self.assertEqual(
                peer.take(),
                GREETING[:-2] + b"X-A: 1\r\nX-B: \xe9\r\n"
                b"Set-Cookie: a=1\r\nSet-Cookie: b=2; Path=/\r\n\r\n",
            )

    def test_cookieTwice(self):
        """
        The same cookie cannot be set twice; those of one name for two paths are two.
        """
        twice = [Cookie("a", "1"), Cookie("a", "2")]
        request, peer = self.asked()
        for answer in (request.reject, lambda **k: request.accept(None, **k)):
            with self.assertRaisesRegex(ValueError, "cookie a is set twice"):
                answer(cookies=twice)
        request.accept(
            RecordingReceiver(), cookies=[Cookie("a", "1"), Cookie("a", "2", path="/b")]
        )
        self.server.flush()
        self.assertEqual(peer.take().count(b"Set-Cookie: a="), 2)

    def test_config(self):
        """
        One connection can have other tunables than the server.
        """
        request, peer = self.asked()
        config = replace(request.config, closeTimeout=1, maxReceivedMessageSize=4)
        connection = request.accept(RecordingReceiver(), config=config)
        self.assertIs(connection.config, config)
        self.server.flush()
        peer.take()
        peer.send(HELLO)
        self.assertEqual(peer.take()[2:4], (1009).to_bytes(2, "big"))
        self.assertNotEqual(self.server.factory.config, config)

    def test_once(self):
        """
        A request is answered once, in one way.
        """
        for first in ("accept", "reject"):
            for second in ("accept", "reject"):
                request, peer = self.asked()
                answers = {
                    "accept": lambda r=request: r.accept(RecordingReceiver()),
                    "reject": lambda r=request: r.reject(),
                }
                answers[first]()
                self.server.flush()
                peer.take()
                with self.assertRaisesRegex(AlreadyAnswered, f"{first}ed before"):
                    answers[second]()
                self.server.flush()
                self.assertEqual(peer.take(), b"", (first, second))

    def test_nothingOvertakesAVerdict(self):
        """
        What would end an undecided request does nothing to one that is decided.
        """
        for verdict in (lambda r: r.accept(RecordingReceiver()), lambda r: r.reject()):
            request, peer = self.asked()
            verdict(request)
            self.server.flush()
            peer.take()
            decided = request.verdict
            request.expire()
            request.giveUp("the server is going away")
            request.abandon()
            self.server.flush()
            self.assertEqual(peer.take(), b"")
            self.assertIs(request.verdict, decided)

    def test_onceAlsoWhenThePeerHasLeft(self):
        """
        Also when nobody is there any more: a receiver sees one connection.
        """
        request, peer = self.asked()
        peer.transport.loseConnection()
        self.server.flush()
        receiver = RecordingReceiver()
        request.accept(receiver)
        self.assertRaises(AlreadyAnswered, request.accept, receiver)
        self.assertRaises(AlreadyAnswered, request.reject)
        self.assertEqual((receiver.made, receiver.losses), (1, 1))

    def test_errorsLeaveItPending(self):
        """
        What cannot be sent raises, nothing is sent, and the request can still be
        answered.
        """
        request, peer = self.asked()
        for attempt in [
            lambda: request.accept(RecordingReceiver(), "not-asked-for"),
            lambda: request.accept(RecordingReceiver(), headers={"Upgrade": "x"}),
            lambda: request.accept(RecordingReceiver(), headers={"X": "a\r\nb"}),
            lambda: request.accept(RecordingReceiver(), headers={"X Y": "a"}),
            lambda: request.reject(101),
            lambda: request.reject(200, "a\nb"),
            lambda: request.reject(headers={"Content-Length": "0"}),
            lambda: request.reject(headers={"X": "\u20ac"}),
        ]:
            self.assertRaises(ValueError, attempt)
            self.server.flush()
            self.assertEqual(peer.take(), b"")
            self.assertIs(request.verdict, Verdict.PENDING)
            self.assertEqual(self.server.factory.pendingRequests, {request})
        request.accept(RecordingReceiver())
        self.server.flush()
        self.assertEqual(peer.take(), GREETING)


class RejectTests(ServerTests):
    """
    L{WebSocketRequest.reject}.
    """

    def rejected(self, *given, **options):
        """
        @return: the response to a request that is rejected so.
        """
        self.serve(lambda request: request.reject(*given, **options))
        peer = self.connect(handshake())
        self.assertIsNotNone(peer.lost)
        self.assertQuiet()
        return peer.take()

    def test_default(self):
        """
        By default it is 403, with its phrase as the body.
        """
        response = self.rejected()
        self.assertTrue(response.startswith(b"HTTP/1.1 403 Forbidden\r\n"))
        self.assertIn(b"\r\nConnection: close\r\n", response)
        self.assertIn(b"\r\nContent-Length: 10\r\n", response)
        self.assertTrue(response.endswith(b"\r\n\r\nForbidden\n"))

    def test_reason(self):
        """
        A reason takes the place of the phrase, and is the body.
        """
        response = self.rejected(401, "Who Are You")
        self.assertTrue(response.startswith(b"HTTP/1.1 401 Who Are You\r\n"))
        self.assertTrue(response.endswith(b"\r\n\r\nWho Are You\n"))

    def test_everything(self):
        """
        Fields, cookies and a body can be given.
        """
        response = self.rejected(
            302,
            headers={"Location": "https://example.com/", "content-type": "text/html"},
            cookies=[Cookie("a", "", maxAge=0)],
            body=b"<p>Elsewhere</p>",
        )
        self.assertTrue(response.startswith(b"HTTP/1.1 302 Found\r\n"))
        self.assertIn(b"\r\nLocation: https://example.com/\r\n", response)
        self.assertIn(b"\r\nSet-Cookie: a=; Max-Age=0\r\n", response)
        self.assertEqual(response.lower().count(b"content-type"), 1)
        self.assertTrue(response.endswith(b"\r\n\r\n<p>Elsewhere</p>"))

    def test_later(self):
        """
        The verdict may come any time within C{handshakeTimeout}.
        """
        self.serve()
        peer = self.connect(handshake())
        self.clock.advance(5)
        self.server.flush()
        self.assertEqual(peer.take(), b"")
        self.requests[0].reject(404)
        self.server.flush()
        self.assertStatus(peer, 404)
        self.assertIs(self.requests[0].verdict, Verdict.REJECTED)
        self.assertQuiet()
