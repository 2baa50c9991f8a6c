# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
C{bufferedAmount}, and sending no faster than the peer reads, over sockets: TCP, UNIX,
and TLS of both kinds that Twisted has.
"""

from __future__ import annotations

import socket

from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.task import deferLater
from twisted.protocols.tls import TLSMemoryBIOFactory

from tests.conversation import HANDSHAKE
from tests.sockets import SocketTests, certificates
from tests.wire import readFrames
from twisted_ws import ServerConfig, WebSocketFactory
from twisted_ws.testing import RecordingReceiver

LARGE = 8 << 20
"""
Bytes of a message that no system's buffers take.
"""
OVERHEAD = 1.02
"""
By how much TLS makes longer what it encrypts, at most.
"""


class Server(RecordingReceiver):
    """
    Keeps the last that was made.
    """

    last: Server

    def connectionMade(self):
        Server.last = self
        self.reasons = []


class Pinging:
    """
    A producer that pings when it is paused.
    """

    def __init__(self, connection):
        self._connection = connection
        self.pauses = 0

    def pauseProducing(self):
        self.pauses += 1
        self._connection.pong(b"paused")

    def resumeProducing(self):
        pass

    stopProducing = resumeProducing


class TCPTests(SocketTests):
    """
    Over TCP.
    """

    overhead = 1.0

    @inlineCallbacks
    def open(self, **options):
        """
        @return: the peer, and our connection.
        """
        options.setdefault("maxSendBuffer", None)
        self.listen(WebSocketFactory(Server, ServerConfig(**options), reactor))
        peer = yield self.connect(HANDSHAKE)
        yield peer.until(b"\r\n\r\n")
        if self.kind != "unix":
            # Systems make these larger as they like, unless they are told.
            for end, which in (
                (Server.last.transport.carrier, socket.SO_SNDBUF),
                (peer.transport, socket.SO_RCVBUF),
            ):
                below = getattr(end, "transport", end)
                below.socket.setsockopt(socket.SOL_SOCKET, which, 1 << 16)
        return peer, Server.last.transport

    @inlineCallbacks
    def read(self, peer, connection, size):
        """
        Let the peer read until that many payload bytes have come.

        @return: the frames.
        """
        peer.transport.resumeProducing()
        while True:
            data = peer.received.partition(b"\r\n\r\n")[2]
            if len(data) >= size:
                frames = readFrames(data)
                if sum(len(frame.payload) for frame in frames) >= size:
                    return [(frame.first, frame.payload) for frame in frames]
            yield deferLater(reactor, 0.01)

    @inlineCallbacks
    def test_bufferedAmount(self):
        """
        It is what was written, less what the system has taken: nothing of it when the
        peer has all.
        """
        peer, connection = yield self.open()
        yield deferLater(reactor, 0.02)
        self.assertEqual(connection.bufferedAmount, 0)
        peer.transport.pauseProducing()
        connection.sendMessage(bytes(LARGE))
        connection.sendMessage(b"behind")
        before = connection.bufferedAmount
        self.assertGreater(before, LARGE // 2)
        self.assertLess(before, (LARGE + 10000) * self.overhead)
        amounts = []
        for _ in range(20):
            yield deferLater(reactor, 0.005)
            amounts.append(connection.bufferedAmount)
        self.assertEqual(amounts, sorted(amounts, reverse=True))
        self.assertGreater(amounts[-1], LARGE // 4)
        self.assertLess(amounts[-1], LARGE)
        frames = yield self.read(peer, connection, LARGE + 6)
        self.assertEqual(b"".join(p for _, p in frames), bytes(LARGE) + b"behind")
        yield deferLater(reactor, 0.02)
        self.assertEqual(connection.bufferedAmount, 0)
        self.assertTrue(connection._gate.isOpen)

    @inlineCallbacks
    def test_smallWrites(self):
        """
        What a socket takes at once waits nowhere, encrypted or not.
        """
        _, connection = yield self.open()
        yield deferLater(reactor, 0.02)
        for _ in range(5):
            connection.sendMessage("hello")
        self.assertEqual(connection.bufferedAmount, 0)

    @inlineCallbacks
    def test_writtenWhenPaused(self):
        """
        What is sent when a producer is paused does not end up within what is being
        written.
        """
        peer, connection = yield self.open(fragmentOutgoingMessages=False)
        peer.transport.pauseProducing()
        producer = Pinging(connection)
        connection.registerProducer(producer, True)
        for _ in range(3):
            connection.sendMessage(b"x" * (LARGE // 2))
        yield deferLater(reactor, 0.02)
        frames = yield self.read(peer, connection, 3 * LARGE // 2 + 6)
        self.assertGreaterEqual(producer.pauses, 1)
        self.assertIn((0x8A, b"paused"), frames)
        messages = [payload for first, payload in frames if first == 0x82]
        self.assertEqual(messages, [b"x" * (LARGE // 2)] * 3)

    @inlineCallbacks
    def test_slowReader(self):
        """
        A peer that takes some of a long message in each C{sendStallTimeout} gets all of
        it; one that takes nothing is aborted.
        """
        peer, connection = yield self.open(sendStallTimeout=0.3)
        peer.transport.pauseProducing()
        connection.sendMessage(bytes(LARGE))
        begun = reactor.seconds()
        while reactor.seconds() - begun < 1.2:
            # A UNIX socket can be written to again when three quarters of it are empty.
            yield deferLater(reactor, 0.04)
            peer.transport.resumeProducing()
            yield deferLater(reactor, 0)
            peer.transport.pauseProducing()
        self.assertIsNone(Server.last.reason)
        self.assertGreater(connection.bufferedAmount, 0)
        begun = reactor.seconds()
        while Server.last.reason is None:
            yield deferLater(reactor, 0.02)
        self.assertIn("sendStallTimeout", str(Server.last.reason))
        self.assertLess(reactor.seconds() - begun, 1.5)

    @inlineCallbacks
    def test_budget(self):
        """
        All that a carrier has counts for C{maxTotalBuffer}, and is let go of when the
        connection is aborted for it.
        """
        peer, connection = yield self.open(maxTotalBuffer=LARGE // 2)
        peer.transport.pauseProducing()
        connection.sendMessage(bytes(LARGE))
        while Server.last.reason is None:
            yield deferLater(reactor, 0.01)
        budget = connection._budget
        self.assertEqual((budget.held, budget.counts), (0, {"overBudget": 1}))


class UNIXTests(TCPTests):
    """
    Over a UNIX socket.
    """

    kind = "unix"


class TLSTests(TCPTests):
    """
    Over TLS as C{ssl:} endpoints do it.
    """

    kind = "tls"
    overhead = OVERHEAD


class WrappedTLSTests(TLSTests):
    """
    Over TLS that wraps a factory, as C{wrapServerTLS} does it.
    """

    def listen(self, factory, server=None):
        """
        Listen on TCP with the factory wrapped.
        """
        options = certificates()[0].options()
        port = reactor.listenTCP(
            0, TLSMemoryBIOFactory(options, False, factory), interface="127.0.0.1"
        )
        self.plainEndpoint = TCP4ClientEndpoint(
            reactor, "127.0.0.1", port.getHost().port
        )
        self.endpoint = self.over(*self.alpn)
        self.addCleanup(port.stopListening)
        self.addCleanup(factory.closeAllConnections)
