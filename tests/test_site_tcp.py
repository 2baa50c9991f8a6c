# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What can stand beside WebSockets in one Site: files, WSGI, HTTP/2.
"""

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults, inlineCallbacks
from twisted.internet.endpoints import connectProtocol
from twisted.internet.protocol import Protocol
from twisted.python.threadpool import ThreadPool
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import Data, File
from twisted.web.wsgi import WSGIResource

from twisted_ws import ServerConfig, WebSocketFactory, WebSocketResource

from .handshakes import GOODBYE, GREETING, HELLO, HELLO_REPLY
from .sites import STATUS, get, upgrade
from .sockets import Ending, SocketTests

try:
    import priority
    from h2.config import H2Configuration
    from h2.connection import H2Connection
    from h2.events import (
        ConnectionTerminated,
        DataReceived,
        ResponseReceived,
        StreamEnded,
        StreamReset,
    )
except ImportError:
    priority = None

URL = "ws://localhost/ws"


def wsgi(environment, start_response):
    """
    An application that says what it was asked for.
    """
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"wsgi at " + environment["PATH_INFO"].encode()]


class BesideTests:
    """
    A Site with files at its root, WSGI at C{/app}, and WebSockets at C{/ws}.
    """

    def setUp(self):
        SocketTests.setUp(self)
        files = File(self.mktemp())
        files.makedirs()
        files.child("index.html").setContent(b"<p>index</p>")
        files.child("large").setContent(b"x" * 300_000)
        pool = ThreadPool(0, 2)
        pool.start()
        self.addCleanup(pool.stop)
        self.factory = WebSocketFactory(Ending, ServerConfig())
        files.putChild(b"app", WSGIResource(reactor, pool, wsgi))
        files.putChild(b"ws", WebSocketResource(self.factory))
        site = Site(files)
        site.noisy = False
        self.listen(site, self.factory)

    @inlineCallbacks
    def test_eachOther(self):
        """
        All are served on one connection, one after the other, and then it is a
        WebSocket.
        """
        peer = yield self.connect(get("/") + get("/large") + get("/app/x"))
        received = yield peer.until(b"wsgi at /x")
        self.assertEqual(STATUS.findall(received), [b"200"] * 3)
        self.assertIn(b"<p>index</p>", received)
        self.assertEqual(received.count(b"x" * 300_000), 1)
        peer.transport.write(upgrade("/ws") + HELLO + GOODBYE)
        received = yield peer.until(GREETING + HELLO_REPLY)
        yield peer.whenLost

    @inlineCallbacks
    def test_pipelined(self):
        """
        They can be asked for all at once, the WebSocket and its first frame behind
        them.
        """
        everything = get("/app/1") + get("/") + upgrade("/ws") + HELLO
        peer = yield self.connect(everything)
        received = yield peer.until(HELLO_REPLY)
        self.assertEqual(STATUS.findall(received), [b"200", b"200", b"101"])

    @inlineCallbacks
    def test_atTheSameTime(self):
        """
        WebSockets stay open while the others are served.
        """
        inboxes = yield gatherResults(self.client().connect(URL) for _ in range(3))
        for path in ("/", "/app/y", "/large", "/nowhere", "/ws"):
            peer = yield self.connect(get(path, "GET", "Connection: close"))
            yield peer.whenLost
        for inbox in inboxes:
            inbox.send(path)
            self.assertEqual((yield inbox.receive()), path)
            yield inbox.close()


class TCPTests(BesideTests, SocketTests):
    """
    Over TCP.
    """


class TLSTests(BesideTests, SocketTests):
    """
    Over TLS.
    """

    kind = "tls"
    alpn = (b"http/1.1",)


class H2Client(Protocol):
    """
    A client of HTTP/2, as far as it is needed.

    @ivar answers: by stream, the header fields and the body that answered it.
    @ivar whenLost: fires with the reason when the connection is gone.
    """

    def __init__(self, **validation):
        configuration = H2Configuration(client_side=True, **validation)
        self._h2 = H2Connection(configuration)
        self.answers = {}
        self._waiting = {}
        self.whenLost = Deferred()

    def connectionMade(self):
        self.negotiated = None
        self._h2.initiate_connection()
        self._flush()

    def _flush(self):
        self.transport.write(self._h2.data_to_send())

    def ask(self, path, method="GET", *fields, goesOn=False):
        """
        @param goesOn: whether more is to follow the request.
        @return: a Deferred of the status and the body that answer a request; of
            C{None} if the stream or the connection was ended instead.
        """
        stream = self._h2.get_next_available_stream_id()
        pseudo = [
            (":method", method),
            (":scheme", "https"),
            (":authority", "localhost"),
            (":path", path),
        ]
        self._h2.send_headers(stream, [*pseudo, *fields], end_stream=not goesOn)
        self.answers[stream] = [None, b""]
        self._waiting[stream] = Deferred()
        self._flush()
        return self._waiting[stream]

    def dataReceived(self, data):
        self.negotiated = self.transport.negotiatedProtocol
        for event in self._h2.receive_data(data):
            if isinstance(event, ResponseReceived):
                self.answers[event.stream_id][0] = int(dict(event.headers)[b":status"])
            elif isinstance(event, DataReceived):
                self.answers[event.stream_id][1] += event.data
            elif isinstance(event, StreamEnded):
                answer = tuple(self.answers[event.stream_id])
                self._waiting.pop(event.stream_id).callback(answer)
            elif isinstance(event, StreamReset):
                self._waiting.pop(event.stream_id).callback(None)
            elif isinstance(event, ConnectionTerminated):
                self.transport.loseConnection()
        self._flush()

    def connectionLost(self, reason):
        while self._waiting:
            self._waiting.popitem()[1].callback(None)
        self.whenLost.callback(reason.value)


class HTTP2Tests(SocketTests):
    """
    A Site that negotiates HTTP/2 over TLS.
    """

    kind = "tls"
    if priority is None:
        skip = "h2 and priority are not installed"

    def setUp(self):
        SocketTests.setUp(self)
        self.factory = WebSocketFactory(Ending, ServerConfig())
        root = Resource()
        root.putChild(b"page", Data(b"a page", "text/plain"))
        root.putChild(b"ws", WebSocketResource(self.factory))
        fallback = Data(b"fallback", "text/plain")
        root.putChild(b"both", WebSocketResource(self.factory, fallback))
        site = Site(root)
        site.noisy = False
        self.listen(site, self.factory)

    @inlineCallbacks
    def h2(self, **validation):
        """
        @return: a Deferred of a client, connected.
        """
        client = yield connectProtocol(self.endpoint, H2Client(**validation))
        self.addCleanup(self.drop, client)
        return client

    @inlineCallbacks
    def test_plain(self):
        """
        What is no WebSocket is served as ever; at a WebSocket's place without a
        fallback, the answer says what is the matter, and the connection goes on.
        """
        client = yield self.h2()
        status, body = yield client.ask("/ws")
        self.assertEqual(client.negotiated, b"h2")
        self.assertEqual(status, 505)
        self.assertIn(b"WebSockets are not spoken over this version", body)
        self.assertEqual((yield client.ask("/page")), (200, b"a page"))
        self.assertEqual((yield client.ask("/both")), (200, b"fallback"))
        status, _ = yield client.ask("/ws", "POST")
        self.assertEqual(status, 505)

    @inlineCallbacks
    def test_upgrade(self):
        """
        An Upgrade field, which HTTP/2 forbids, gets no WebSocket; others are served.
        """
        client = yield self.h2(
            validate_outbound_headers=False, normalize_outbound_headers=False
        )
        fields = [
            ("upgrade", "websocket"),
            ("connection", "upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ]
        answer = yield client.ask("/ws", "GET", *fields)
        self.assertTrue(answer is None or answer[0] in (400, 505), answer)
        self.assertEqual(self.factory.connections, set())
        other = yield self.h2()
        self.assertEqual((yield other.ask("/page")), (200, b"a page"))

    @inlineCallbacks
    def test_extendedConnect(self):
        """
        An extended CONNECT (RFC 8441), which Twisted does not tell us of, gets no
        WebSocket; the other streams of its connection are served.
        """
        client = yield self.h2(
            validate_outbound_headers=False, normalize_outbound_headers=False
        )
        connecting = client.ask(
            "/ws",
            "CONNECT",
            (":protocol", "websocket"),
            ("sec-websocket-version", "13"),
            goesOn=True,
        )
        for _ in range(3):
            self.assertEqual((yield client.ask("/page")), (200, b"a page"))
        self.assertEqual(self.factory.connections, set())
        self.assertEqual(self.factory.pendingRequests, set())
        client.transport.loseConnection()
        answer = yield connecting
        self.assertTrue(answer is None or answer[0] >= 400, answer)

    @inlineCallbacks
    def test_beside(self):
        """
        A client that wants a WebSocket asks for HTTP/1.1, as browsers do, and gets it
        beside the connection with HTTP/2.
        """
        client = yield self.h2()
        self.assertEqual((yield client.ask("/page")), (200, b"a page"))
        self.endpoint = self.over(b"http/1.1")
        inbox = yield self.client().connect(URL)
        inbox.send("text")
        self.assertEqual((yield inbox.receive()), "text")
        self.assertEqual((yield client.ask("/page")), (200, b"a page"))
        yield inbox.close()
