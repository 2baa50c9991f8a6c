# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
For the tests of servers with real sockets: ports of three kinds, and peers that speak
bytes.
"""

import tempfile
from functools import cache
from shutil import rmtree

from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks, maybeDeferred
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    UNIXClientEndpoint,
    connectProtocol,
    wrapClientTLS,
)
from twisted.internet.protocol import Protocol
from twisted.internet.ssl import (
    Certificate,
    PrivateCertificate,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from twisted.internet.task import deferLater
from twisted.internet.tcp import Connection
from twisted.trial.unittest import TestCase

from twisted_ws import WebSocketClient
from twisted_ws.testing import RecordingReceiver

try:
    import trustme
except ImportError:
    trustme = None


@cache
def certificates():
    """
    @return: a server's certificate for C{localhost}, and who vouches for it.
    """
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    return (
        PrivateCertificate.loadPEM(issued.private_key_and_cert_chain_pem.bytes()),
        Certificate.loadPEM(authority.cert_pem.bytes()),
    )


class Peer(Protocol):
    """
    A client that speaks bytes.

    @ivar received: what came, all of it.
    @ivar whenLost: fires with the exception that is the reason.
    """

    def __init__(self):
        self._chunks = []
        self.whenLost = Deferred()
        self._waiting = []

    @property
    def received(self):
        self._chunks = [b"".join(self._chunks)]
        return self._chunks[0]

    def dataReceived(self, data):
        self._chunks.append(data)
        for waiting in list(self._waiting):
            expected, deferred = waiting
            if expected in self.received:
                self._waiting.remove(waiting)
                deferred.callback(self.received)

    def connectionLost(self, reason):
        for _, waiting in self._waiting:
            waiting.errback(reason)
        self.whenLost.callback(reason.value)

    def until(self, expected):
        """
        @return: a Deferred of all that was received, once C{expected} is in it; it
            fails if the connection ends before.
        """
        deferred = Deferred()
        if expected in self.received:
            deferred.callback(self.received)
            return deferred
        self._waiting.append((expected, deferred))
        return deferred


class Ending(RecordingReceiver):
    """
    Sends back what it gets; tells of its beginning and its end.
    """

    def __init__(self):
        RecordingReceiver.__init__(self)
        self.whenMade = Deferred()
        self.whenLost = Deferred()

    def connectionMade(self):
        RecordingReceiver.connectionMade(self)
        self.whenMade.callback(self)

    def messageReceived(self, message):
        RecordingReceiver.messageReceived(self, message)
        self.transport.sendMessage(message)

    def connectionLost(self, reason=None):
        RecordingReceiver.connectionLost(self, reason)
        self.whenLost.callback(self.reason)


class SocketTests(TestCase):
    """
    The base of the tests: listens with a factory, connects to it, and leaves nothing in
    the reactor.

    @cvar kind: C{"tcp"}, C{"tls"} or C{"unix"}.
    @cvar alpn: what clients offer to speak over TLS.
    """

    timeout = 30
    kind = "tcp"
    alpn = (b"h2", b"http/1.1")

    def setUp(self):
        self.addCleanup(self.noneLeft)

    def listen(self, factory, server=None):
        """
        Listen with a factory.

        @param server: the L{WebSocketFactory} whose connections are to be closed at
            the end, if that is another.
        """
        if self.kind == "unix":
            directory = tempfile.mkdtemp()
            self.addCleanup(rmtree, directory)
            port = reactor.listenUNIX(directory + "/socket", factory)
            self.endpoint = UNIXClientEndpoint(reactor, directory + "/socket")
        else:
            if self.kind == "tls":
                if trustme is None:
                    self.skipTest("trustme is not installed")
                own, _ = certificates()
                port = reactor.listenSSL(
                    0, factory, own.options(), interface="127.0.0.1"
                )
            else:
                port = reactor.listenTCP(0, factory, interface="127.0.0.1")
            self.endpoint = TCP4ClientEndpoint(
                reactor, "127.0.0.1", port.getHost().port
            )
            if self.kind == "tls":
                self.plainEndpoint = self.endpoint
                self.endpoint = self.over(*self.alpn)
        self.addCleanup(maybeDeferred, port.stopListening)
        self.addCleanup((server or factory).closeAllConnections)

    def over(self, *alpn):
        """
        @return: an endpoint that offers to speak these over TLS.
        """
        options = optionsForClientTLS(
            "localhost",
            trustRootFromCertificates([certificates()[1]]),
            acceptableProtocols=list(alpn),
        )
        return wrapClientTLS(options, self.plainEndpoint)

    @inlineCallbacks
    def noneLeft(self):
        """
        Wait until the reactor has seen every connection end.
        """
        while any(isinstance(each, Connection) for each in reactor.getReaders()):
            yield deferLater(reactor, 0.001)

    @inlineCallbacks
    def connect(self, *segments):
        """
        @return: a Deferred of a L{Peer}, that has sent these segments.
        """
        peer = yield connectProtocol(self.endpoint, Peer())
        self.addCleanup(self.drop, peer)
        for segment in segments:
            peer.transport.write(segment)
        return peer

    def drop(self, peer):
        """
        End a peer, if it has not ended.
        """
        if not peer.whenLost.called:
            peer.transport.abortConnection()
        return peer.whenLost

    def client(self, config=None):
        """
        @return: a L{WebSocketClient} that connects here, whatever the URL says.
        """
        return WebSocketClient(reactor, config, endpoint=self.endpoint)
