# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
WebSockets inside a L{twisted.web} Site, over TCP and TLS.
"""

from io import StringIO

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults, inlineCallbacks
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock, deferLater
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import Data, File

from twisted_ws import ServerConfig, WebSocketFactory, WebSocketResource
from twisted_ws.errors import ClosedAbruptly, ClosedCleanly, UpgradeRejected

from .handshakes import GOODBYE, GREETING, HELLO, HELLO_REPLY, handshake
from .sites import PAGE, STATUS, get, upgrade
from .sockets import Ending, SocketTests

CLOSED = b"\x88\x02\x03\xe8"
URL = "ws://localhost/ws"


class EveryKindTests:
    """
    What is the same over every kind of socket.  Only the sockets are real: the time of
    the Site and of the server is a L{Clock}.
    """

    def serve(self, application, fallback=None, **options):
        """
        Listen with a Site that has a page and a C{WebSocketResource}.
        """
        self.clock = Clock()
        self.factory = WebSocketFactory(
            application, ServerConfig(**options), self.clock
        )
        root = Resource()
        root.putChild(b"page", Data(b"a page", "text/plain"))
        root.putChild(b"ws", WebSocketResource(self.factory, fallback))
        self.site = Site(root, reactor=self.clock)
        self.listen(self.site, self.factory)
        self.log = StringIO()
        self.site.logFile = self.log

    @inlineCallbacks
    def test_echo(self):
        """
        Our client exchanges text and binary of all sizes with a Site, and closes.
        """
        self.serve(Ending)
        inbox = yield self.client().connect(URL)
        sent = ["Hello", b"\0\xff", "", b"", "\u20ac" * 40_000, b"a" * 1_000_000]
        for message in sent:
            inbox.send(message)
            self.assertEqual((yield inbox.receive()), message)
        ended = yield inbox.close()
        self.assertIsInstance(ended, ClosedCleanly)
        self.assertIn('"GET /ws HTTP/1.1" 101 ', self.log.getvalue())

    @inlineCallbacks
    def test_weClose(self):
        """
        A close that the server begins ends for both: nothing of the HTTP server holds
        the connection, over TLS neither.
        """
        receiver = Ending()
        self.serve(lambda request: request.accept(receiver))
        inbox = yield self.client().connect(URL)
        receiver.transport.close(4000, "enough")
        ended = yield receiver.whenLost
        self.assertIsInstance(ended, ClosedCleanly)
        self.assertEqual((ended.sent.code, ended.code), (4000, 4000))
        reason = yield inbox.transport.whenClosed()
        self.assertIsInstance(reason, ClosedCleanly)
        self.assertEqual(self.clock.getDelayedCalls()[1:], [])

    @inlineCallbacks
    def test_theyClose(self):
        """
        So does one that the client begins, with everything in one write.
        """
        self.serve(Ending)
        peer = yield self.connect(upgrade("/ws") + HELLO * 3 + GOODBYE)
        reason = yield peer.whenLost
        self.assertEqual(peer.received, GREETING + HELLO_REPLY * 3 + CLOSED)
        self.assertIsInstance(reason, ConnectionDone)

    @inlineCallbacks
    def test_theyLeave(self):
        """
        A peer that drops the connection ends it for the receiver, once.
        """
        receiver = Ending()
        self.serve(lambda request: request.accept(receiver))
        peer = yield self.connect(upgrade("/ws"))
        yield receiver.whenMade
        peer.transport.abortConnection()
        ended = yield receiver.whenLost
        self.assertIsInstance(ended, ClosedAbruptly)
        self.assertEqual(receiver.losses, 1)

    @inlineCallbacks
    def test_silentPeer(self):
        """
        A peer that answers no Close is aborted after C{closeTimeout}.
        """
        receiver = Ending()
        self.serve(lambda request: request.accept(receiver))
        peer = yield self.connect(upgrade("/ws"))
        yield receiver.whenMade
        receiver.transport.close()
        yield peer.until(GREETING + CLOSED)
        self.clock.advance(5)
        ended = yield receiver.whenLost
        self.assertIsInstance(ended, ClosedAbruptly)
        self.assertEqual(ended.sent.code, 1000)
        yield peer.whenLost

    @inlineCallbacks
    def test_earlyData(self):
        """
        What comes before a late verdict is not lost, however much it is.
        """
        received = Deferred()
        self.serve(received.callback, framesPerTurn=1 << 20)
        peer = yield self.connect(upgrade("/ws") + HELLO, *[HELLO * 1000] * 50)
        request = yield received
        request.accept(Ending())
        peer.transport.write(GOODBYE)
        yield peer.whenLost
        self.assertEqual(peer.received, GREETING + HELLO_REPLY * 50_001 + CLOSED)

    @inlineCallbacks
    def test_peerLeavesUndecided(self):
        """
        When the peer leaves before the verdict, the application's Deferred is
        cancelled.
        """
        received, cancelled = Deferred(), Deferred()

        def application(request):
            received.callback(request)
            return Deferred(lambda waiting: cancelled.callback(None))

        self.serve(application)
        peer = yield self.connect(upgrade("/ws"))
        yield received
        peer.transport.abortConnection()
        yield cancelled
        self.assertEqual(self.factory.pendingRequests, set())

    @inlineCallbacks
    def test_keepAlive(self):
        """
        A connection that has carried a page can be upgraded; then the Site's timeout
        does not count any more.
        """
        self.serve(Ending, keepalive=False)
        peer = yield self.connect(PAGE)
        yield peer.until(b"a page")
        peer.transport.write(upgrade("/ws"))
        yield peer.until(GREETING)
        self.clock.advance(1)
        self.clock.pump([59] * 100)
        peer.transport.write(HELLO)
        received = yield peer.until(HELLO_REPLY)
        self.assertEqual([int(each) for each in STATUS.findall(received)], [200, 101])

    @inlineCallbacks
    def test_pacing(self):
        """
        A receiver that sends more than its peer reads is told, and goes on when there
        is room: nothing is sent into memory without end.
        """

        class Sender(Ending):
            sent = 0

            def connectionMade(self):
                self.finished = self.send()
                Ending.connectionMade(self)

            @inlineCallbacks
            def send(self):
                while self.sent < 400:
                    yield self.transport.whenWritable()
                    self.transport.sendMessage(b"a" * 50_000)
                    self.sent += 1
                self.transport.close()

        receiver = Sender()
        self.serve(lambda request: request.accept(receiver))
        peer = yield self.connect(upgrade("/ws"))
        yield receiver.whenMade
        peer.transport.pauseProducing()
        before = -1
        while receiver.sent > before:
            before = receiver.sent
            yield deferLater(reactor, 0.01)
        self.assertLess(receiver.sent, 400)
        peer.transport.resumeProducing()
        yield receiver.finished
        peer.transport.write(GOODBYE)
        yield peer.whenLost
        self.assertGreater(len(peer.received), 400 * 50_000)
        self.assertTrue(peer.received.endswith(CLOSED))

    @inlineCallbacks
    def test_rejected(self):
        """
        Our client is told everything that a rejection says, and the connection ends.
        """
        self.serve(lambda r: r.reject(429, "Slow Down", headers={"Retry-After": "5"}))
        error = yield self.assertFailure(self.client().connect(URL), UpgradeRejected)
        self.assertEqual((error.status, error.reason), (429, "Slow Down"))
        self.assertEqual(error.body, b"Slow Down\n")
        self.assertIn((b"retry-after", b"5"), error.headers)
        self.assertIn('"GET /ws HTTP/1.1" 429 ', self.log.getvalue())

    @inlineCallbacks
    def test_refusalsEndTheConnection(self):
        """
        A handshake that is wrong, and a request that is none, are answered once, and
        what comes behind them is not.
        """
        self.serve(Ending)
        bad = handshake("Sec-WebSocket-Version: 7", line="GET /ws HTTP/1.1")
        for data in (bad, get("/ws"), upgrade("/ws", "Sec-WebSocket-Key: abc")):
            peer = yield self.connect(data + PAGE)
            yield peer.until(b"\r\n\r\n")
            peer.transport.write(PAGE)
            yield peer.whenLost
            self.assertEqual(len(STATUS.findall(peer.received)), 1, peer.received)

    @inlineCallbacks
    def test_refusalCanBeRead(self):
        """
        A client that is still sending when it is rejected reads the rejection all the
        same: the connection is not reset under it.
        """
        self.serve(lambda request: request.reject(401, "Who Are You"))
        peer = yield self.connect(upgrade("/ws"), *[b"b" * 65536] * 16)
        reason = yield peer.whenLost
        self.assertIsInstance(reason, ConnectionDone)
        self.assertTrue(peer.received.startswith(b"HTTP/1.1 401 Who Are You\r\n"))
        self.assertTrue(peer.received.endswith(b"\r\n\r\nWho Are You\n"))

    @inlineCallbacks
    def test_files(self):
        """
        A directory of files is a fallback, on the same connection before an upgrade.
        """
        directory = File(self.mktemp())
        directory.makedirs()
        directory.child("index.html").setContent(b"<p>Hello</p>")
        self.serve(Ending, directory)
        peer = yield self.connect(get("/ws/") + get("/ws/index.html") + upgrade("/ws/"))
        received = yield peer.until(GREETING)
        self.assertEqual(received.count(b"<p>Hello</p>"), 2)
        self.assertEqual(len(STATUS.findall(received)), 3)

    @inlineCallbacks
    def test_closeAllConnections(self):
        """
        All are told 1001, and when the Deferred fires they are gone.
        """
        self.serve(Ending)
        inboxes = yield gatherResults(self.client().connect(URL) for _ in range(3))
        ends = [inbox.transport.whenClosed() for inbox in inboxes]
        yield self.factory.closeAllConnections()
        self.assertEqual(self.factory.connections, set())
        for ended in (yield gatherResults(ends)):
            self.assertEqual(ended.code, 1001)

    @inlineCallbacks
    def test_failure(self):
        """
        An application that fails is answered for with 500; the next one is served.
        """

        async def application(request):
            if not request.args:
                raise RuntimeError("on purpose")
            request.accept(Ending())

        self.serve(application)
        error = yield self.assertFailure(self.client().connect(URL), UpgradeRejected)
        self.assertEqual(error.status, 500)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        inbox = yield self.client().connect(URL + "?right")
        yield inbox.close()


class TCPTests(EveryKindTests, SocketTests):
    """
    Over TCP.
    """


class TLSTests(EveryKindTests, SocketTests):
    """
    Over TLS.
    """

    kind = "tls"
    alpn = (b"http/1.1",)

    @inlineCallbacks
    def test_isSecure(self):
        """
        The request knows that it came over TLS, and by which address.
        """
        received = Deferred()
        self.serve(received.callback)
        peer = yield self.connect(upgrade("/ws"))
        request = yield received
        self.assertTrue(request.isSecure)
        self.assertEqual(request.remoteAddress, "127.0.0.1")
        self.assertEqual(request.localAddress.port, peer.transport.getPeer().port)

    @inlineCallbacks
    def test_origin(self):
        """
        Over TLS a page of plain HTTP is of another origin.
        """
        self.serve(Ending)
        for origin, expected in [
            ("https://localhost", b"101"),
            ("http://localhost", b"403"),
        ]:
            data = upgrade("/ws", f"Origin: {origin}", "Host: localhost")
            peer = yield self.connect(data)
            received = yield peer.until(b"\r\n\r\n")
            self.assertEqual(received.split(b" ")[1], expected, origin)
