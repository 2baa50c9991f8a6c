# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A server on a port of its own, over TCP, TLS and UNIX sockets.
"""

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults, inlineCallbacks
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorUNIX
from twisted.internet.task import Clock, deferLater

from twisted_ws import ServerConfig, WebSocketFactory
from twisted_ws.errors import ClosedAbruptly, ClosedCleanly, UpgradeRejected

from .handshakes import GOODBYE, GREETING, HELLO, HELLO_REPLY, handshake, version
from .sockets import Ending, SocketTests

CLOSED = b"\x88\x02\x03\xe8"


class EveryKindTests:
    """
    What is the same over every kind of socket.  Only the sockets are real: the server's
    time is a L{Clock}.
    """

    def serve(self, application=None, **options):
        """
        Listen; by default the application leaves all requests to C{self.next}.
        """
        self.requests = []
        self.waiting = []
        self.clock = Clock()
        self.factory = WebSocketFactory(
            application or self.requestReceived, ServerConfig(**options), self.clock
        )
        self.listen(self.factory)

    def requestReceived(self, request):
        """
        Keep a request, or hand it to who waits for one.
        """
        if self.waiting:
            self.waiting.pop().callback(request)
        else:
            self.requests.append(request)

    @inlineCallbacks
    def accepted(self):
        """
        Wait until the server has seen a connection.
        """
        while not self.clock.getDelayedCalls():
            yield deferLater(reactor, 0.001)

    def next(self):
        """
        @return: a Deferred of the next request.
        """
        waiting = Deferred()
        if self.requests:
            waiting.callback(self.requests.pop())
        else:
            self.waiting.append(waiting)
        return waiting

    @inlineCallbacks
    def test_echo(self):
        """
        Our client and our server exchange text and binary of all sizes, and close.
        """
        self.serve(Ending)
        inbox = yield self.client().connect("ws://localhost/")
        for message in (
            "Hello",
            b"\0\xff",
            "",
            b"",
            "\u20ac" * 40_000,
            b"a" * 1_000_000,
        ):
            inbox.send(message)
            self.assertEqual((yield inbox.receive()), message)
        ended = yield inbox.close()
        self.assertIsInstance(ended, ClosedCleanly)

    @inlineCallbacks
    def test_bytes(self):
        """
        Handshake, frame and Close may come in one write, and are answered in order.
        """
        self.serve(Ending)
        peer = yield self.connect(handshake() + HELLO * 3 + GOODBYE)
        reason = yield peer.whenLost
        self.assertEqual(peer.received, GREETING + HELLO_REPLY * 3 + CLOSED)
        self.assertIsInstance(reason, ConnectionDone)

    @inlineCallbacks
    def test_weClose(self):
        """
        A close that the server begins ends for both, in order.
        """
        receiver = Ending()
        self.serve(lambda request: request.accept(receiver))
        inbox = yield self.client().connect("ws://localhost/")
        receiver.transport.close(4000, "enough")
        ended = yield receiver.whenLost
        self.assertIsInstance(ended, ClosedCleanly)
        self.assertEqual((ended.sent.code, ended.code), (4000, 4000))
        reason = yield inbox.transport.whenClosed()
        self.assertIsInstance(reason, ClosedCleanly)
        self.assertEqual((reason.code, reason.reason), (4000, "enough"))

    @inlineCallbacks
    def test_theyLeave(self):
        """
        A peer that drops the connection ends it for the receiver, once.
        """
        receiver = Ending()
        self.serve(lambda request: request.accept(receiver))
        peer = yield self.connect(handshake())
        yield receiver.whenMade
        peer.transport.abortConnection()
        ended = yield receiver.whenLost
        self.assertIsInstance(ended, ClosedAbruptly)
        self.assertEqual(ended.code, 1006)
        self.assertEqual(receiver.losses, 1)

    @inlineCallbacks
    def test_earlyData(self):
        """
        What comes before a late verdict is not lost, however much it is.
        """
        self.serve(framesPerTurn=1 << 20)
        peer = yield self.connect(handshake() + HELLO, *[HELLO * 1000] * 50)
        request = yield self.next()
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
        peer = yield self.connect(handshake())
        request = yield received
        peer.transport.abortConnection()
        yield cancelled
        receiver = Ending()
        request.accept(receiver)
        ended = yield receiver.whenLost
        self.assertIsInstance(ended, ClosedAbruptly)
        self.assertEqual(self.factory.pendingRequests, set())

    @inlineCallbacks
    def test_refusalCanBeRead(self):
        """
        A client that is still sending when it is refused reads the refusal all the
        same: the connection is not reset under it.
        """
        self.serve(Ending)
        for data in (version(7), b"nonsense\r\n\r\n", b"GET /" + b"a" * 20_000):
            peer = yield self.connect(data, *[b"b" * 65536] * 16)
            reason = yield peer.whenLost
            self.assertIsInstance(reason, ConnectionDone)
            head, _, body = peer.received.partition(b"\r\n\r\n")
            self.assertRegex(head, rb"\AHTTP/1.1 4[0-9]{2} ")
            self.assertIn(b"Content-Length: %d" % len(body), head)
            self.assertNotEqual(body, b"")

    @inlineCallbacks
    def test_rejected(self):
        """
        Our client is told everything that a rejection says.
        """
        self.serve(lambda r: r.reject(429, "Slow Down", headers={"Retry-After": "5"}))
        error = yield self.assertFailure(
            self.client().connect("ws://localhost/"), UpgradeRejected
        )
        self.assertEqual((error.status, error.reason), (429, "Slow Down"))
        self.assertEqual(error.body, b"Slow Down\n")
        self.assertIn((b"retry-after", b"5"), error.headers)

    @inlineCallbacks
    def test_handshakeTimeout(self):
        """
        Who says nothing is dropped.
        """
        self.serve(Ending)
        peer = yield self.connect()
        yield self.accepted()
        self.clock.advance(10)
        yield peer.whenLost
        self.assertEqual(peer.received, b"")

    @inlineCallbacks
    def test_lingerEnds(self):
        """
        Who does not leave after a refusal is aborted after C{closeTimeout}.
        """
        self.serve(Ending)
        peer = yield self.connect(version(7))
        yield peer.until(b"HTTP/1.1 426 ")
        peer.transport.pauseProducing()  # so that it does not notice the end
        self.clock.advance(5)
        yield self.noneLeft()
        peer.transport.resumeProducing()
        yield peer.whenLost

    @inlineCallbacks
    def test_closeAllConnections(self):
        """
        All are told 1001, and when the Deferred fires they are gone.
        """
        self.serve(Ending)
        inboxes = yield gatherResults(
            self.client().connect("ws://localhost/") for _ in range(3)
        )
        ends = [inbox.transport.whenClosed() for inbox in inboxes]
        yield self.factory.closeAllConnections()
        self.assertEqual(self.factory.connections, set())
        for ended in (yield gatherResults(ends)):
            self.assertEqual(ended.code, 1001)

    @inlineCallbacks
    def test_request(self):
        """
        The request knows the carrier that it came by.
        """
        self.serve()
        peer = yield self.connect(handshake())
        request = yield self.next()
        self.assertEqual(request.isSecure, self.kind == "tls")
        if self.kind == "unix":
            self.assertEqual(request.remoteAddress, "")
        else:
            host = peer.transport.getHost()
            self.assertEqual(request.remoteAddress, "127.0.0.1")
            self.assertEqual(request.peer.port, host.port)
            self.assertEqual(request.localAddress.port, peer.transport.getPeer().port)

    @inlineCallbacks
    def test_nagle(self):
        """
        C{disableNagleAlgorithm} is what the socket is told; a UNIX socket has no such
        thing.
        """
        for disabled in (True, False):
            receiver = Ending()
            self.serve(
                lambda request, receiver=receiver: request.accept(receiver),
                disableNagleAlgorithm=disabled,
            )
            yield self.connect(handshake())
            yield receiver.whenMade
            if self.kind != "unix":
                carrier = receiver.transport.carrier
                self.assertEqual(carrier.getTcpNoDelay(), disabled)


class TCPTests(EveryKindTests, SocketTests):
    """
    Over TCP.
    """


class UNIXTests(EveryKindTests, SocketTests):
    """
    Over UNIX sockets.
    """

    kind = "unix"
    if not IReactorUNIX.providedBy(reactor):
        skip = "there are no UNIX sockets here"


class TLSTests(EveryKindTests, SocketTests):
    """
    Over TLS.
    """

    kind = "tls"

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
            peer = yield self.connect(handshake(f"Origin: {origin}", "Host: localhost"))
            received = yield peer.until(b"\r\n\r\n")
            self.assertEqual(received.split(b" ")[1], expected, origin)

    @inlineCallbacks
    def test_applicationProtocol(self):
        """
        A client that would rather speak HTTP/2 is told that HTTP/1.1 is spoken here.
        """
        self.serve(Ending)
        peer = yield self.connect(handshake())
        yield peer.until(b"\r\n\r\n")
        self.assertEqual(peer.transport.negotiatedProtocol, b"http/1.1")

    @inlineCallbacks
    def test_silentInTLS(self):
        """
        Who says nothing of TLS either is dropped likewise.
        """
        self.serve(Ending)
        self.endpoint = self.endpoint._wrappedEndpoint
        peer = yield self.connect()
        yield self.accepted()
        self.clock.advance(10)
        yield peer.whenLost
