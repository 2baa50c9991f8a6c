# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.admission} over TCP, TLS and UNIX sockets.
"""

from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks
from twisted.internet.interfaces import IReactorUNIX
from twisted.internet.task import deferLater
from twisted.logger import LogLevel, globalLogPublisher

from twisted_ws import ServerConfig, WebSocketFactory

from .handshakes import Echo, handshake
from .sockets import SocketTests


class EveryKindTests:
    """
    What is the same over every kind of socket.
    """

    def serve(self, **options):
        """
        Listen.
        """
        self.factory = WebSocketFactory(Echo, ServerConfig(**options))
        self.listen(self.factory)
        self.events = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    @inlineCallbacks
    def until(self, condition):
        """
        Wait.
        """
        while not condition():
            yield deferLater(reactor, 0.001)

    def assertNoErrors(self):
        """
        Check that nothing worse than information was logged.
        """
        for event in self.events:
            self.assertLessEqual(event["log_level"], LogLevel.info, event)

    @inlineCallbacks
    def test_refused(self):
        """
        A client that is refused at once can read why, also if it sends at the same
        time; when it leaves, nothing is left of it.
        """
        self.serve(maxPendingHandshakes=1)
        yield self.connect()
        yield self.until(lambda: self.factory.admission.heads)
        for sent in (b"", handshake(), handshake() + b"x" * 100_000):
            peer = yield self.connect(sent)
            yield peer.until(b"\r\nRetry-After: 5\r\n")
            yield peer.until(b"\r\n\r\ntoo many handshakes\n")
            peer.transport.loseConnection()
            yield peer.whenLost
            yield self.until(lambda: not self.factory.admission.refused)
        self.assertNoErrors()

    @inlineCallbacks
    def test_dropped(self):
        """
        Clients for whom there is no room at all are dropped, without an error.
        """
        self.serve(maxPendingHandshakes=1)
        yield self.connect()
        yield self.until(lambda: self.factory.admission.heads)
        self.factory.admission.refused.add(object())
        for _ in range(3):
            peer = yield self.connect(handshake())
            yield peer.whenLost
            self.assertEqual(peer.received, b"")
        self.factory.admission.refused.clear()
        self.assertNoErrors()

    @inlineCallbacks
    def test_churn(self):
        """
        Clients that come and go leave nothing counted, however they go.
        """
        self.serve(maxConnections=3, maxPendingHandshakes=3, closeTimeout=0.25)
        peers = []
        for number in range(40):
            peer = yield self.connect((b"", b"x\r\n\r\n", handshake())[number % 3])
            peers.append(peer)
            if number % 2:
                peer.transport.abortConnection()
        for peer in peers:
            yield self.drop(peer)
        yield self.until(lambda: not self.factory.admission.sockets)
        self.assertNoErrors()


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


class UNIXTests(EveryKindTests, SocketTests):
    """
    Over UNIX sockets.
    """

    kind = "unix"
    if not IReactorUNIX.providedBy(reactor):
        skip = "no UNIX sockets here"
