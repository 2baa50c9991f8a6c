# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.site}: clients of a site that send no request.
"""

from __future__ import annotations

from io import StringIO

from twisted.internet.interfaces import IProtocolNegotiationFactory
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.static import Data

from tests.handshakes import handshake
from twisted_ws import (
    ServerConfig,
    WebSocketFactory,
    WebSocketResource,
    WebSocketSite,
)
from twisted_ws.testing import MemoryServer, RecordingReceiver

PAGE = b"GET /page HTTP/1.1\r\nHost: server.invalid\r\n\r\n"


class SiteTests(SynchronousTestCase):
    """
    A site with a page and a WebSocket.
    """

    def setUp(self) -> None:
        self.events = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def serve(self, **options):
        """
        Start it, on a clock.
        """
        config = ServerConfig(keepalive=False, **options)
        self.server = MemoryServer(RecordingReceiver, config)
        self.clock = self.server.clock
        root = Resource()
        root.putChild(b"page", Data(b"a page", "text/plain"))
        root.putChild(b"ws", WebSocketResource(self.server.factory))
        self.site = WebSocketSite(root, config, self.clock)
        self.site.logFile = StringIO()
        self.server.factory = self.site

    def connect(self, *segments):
        """
        @return: a client that has sent something.
        """
        peer = self.server.connectRaw()
        for segment in segments:
            peer.send(segment)
        return peer

    def told(self):
        """
        @return: what was logged of limits.
        """
        return [
            formatEvent(event)
            for event in self.events
            if "handshake" in (event.get("log_format") or "").lower()
            or "maxPendingHandshakes" in (event.get("log_format") or "")
        ]

    def test_http11(self):
        """
        It speaks HTTP/1.1, also over TLS.
        """
        self.serve()
        self.assertTrue(IProtocolNegotiationFactory.providedBy(self.site))
        self.assertEqual(self.site.acceptableProtocols(), [b"http/1.1"])

    def test_works(self):
        """
        Pages and WebSockets are served, one after the other on one connection; and what
        is open is not bounded by the time for a head.
        """
        self.serve()
        peer = self.connect(PAGE)
        self.assertIn(b"a page", peer.take())
        self.clock.advance(30)
        peer.send(handshake(line="GET /ws HTTP/1.1"))
        self.assertIn(b" 101 ", peer.take())
        self.assertEqual(len(self.site.heads), 0)
        self.clock.pump([1.0] * 100)
        self.server.flush()
        self.assertIsNone(peer.lost)

    def test_drip(self):
        """
        A client that sends a byte each second is told 408 when C{handshakeTimeout} is
        over, not when it pauses; and the log names the option.
        """
        self.serve()
        peer = self.connect(b"GET /page HTTP/1.1\r\n")
        for _ in range(9):
            self.clock.advance(1)
            peer.send(b"a")
        self.assertEqual(peer.take(), b"")
        self.clock.advance(1)
        self.server.flush()
        self.assertIn(b" 408 ", peer.take())
        self.assertEqual(len(self.told()), 1)
        self.assertIn("handshakeTimeout", self.told()[0])
        peer.send(b": b\r\n\r\n")
        self.assertEqual(peer.take(), b"")
        self.clock.advance(5)
        self.server.flush()
        self.assertIsNotNone(peer.lost)
        self.assertEqual(len(self.site.heads), 0)

    def test_silent(self):
        """
        So is one that sends nothing.
        """
        self.serve(handshakeTimeout=2.0, closeTimeout=1.0)
        peer = self.connect()
        self.assertEqual(len(self.site.heads), 1)
        self.clock.advance(2)
        self.server.flush()
        self.assertIn(b" 408 ", peer.take())
        self.clock.advance(1)
        self.server.flush()
        self.assertIsNotNone(peer.lost)

    def test_secondHead(self):
        """
        The second request of a connection has as much time, from its first byte on.
        """
        self.serve()
        peer = self.connect(PAGE)
        peer.take()
        self.clock.advance(20)
        peer.send(b"GET /page")
        self.assertEqual(len(self.site.heads), 1)
        self.clock.advance(9)
        peer.send(b" HT")
        self.assertEqual(peer.take(), b"")
        self.clock.advance(1)
        self.server.flush()
        self.assertIn(b" 408 ", peer.take())

    def test_body(self):
        """
        The body of a request may take longer.
        """
        self.serve()
        head = b"POST /page HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n"
        peer = self.connect(head)
        for _ in range(19):
            self.clock.advance(5)
            peer.send(b"a")
        self.assertEqual(peer.take(), b"")
        peer.send(b"a")
        self.assertIn(b" 405 ", peer.take())

    def test_leaves(self):
        """
        A client that leaves before its head is there leaves nothing behind.
        """
        self.serve()
        peer = self.connect(b"GET")
        peer.transport.loseConnection()
        self.server.flush()
        self.assertEqual(len(self.site.heads), 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_tooMany(self):
        """
        Those that are too many are dropped, with one line in the log that names the
        option; and there is room again when others are done.
        """
        self.serve(maxPendingHandshakes=3)
        waiting = [self.connect(b"GET") for _ in range(3)]
        for _ in range(10):
            dropped = self.connect(b"GET")
            self.server.flush()
            self.assertIsNotNone(dropped.lost)
        self.assertEqual(len(self.told()), 1)
        self.assertIn("maxPendingHandshakes", self.told()[0])
        waiting[0].send(PAGE[3:])
        self.assertIn(b"a page", waiting[0].take())
        self.assertIn(b"a page", self.connect(PAGE).take())

    def test_givesWay(self) -> None:
        """
        After a second the oldest gives way to another.
        """
        self.serve(maxPendingHandshakes=3)
        waiting = [self.connect(b"GET") for _ in range(3)]
        self.clock.advance(1)
        self.assertIn(b"a page", self.connect(PAGE).take())
        self.server.flush()
        self.assertEqual([peer.lost is None for peer in waiting], [False, True, True])
        self.assertEqual(len(self.site.heads), 2)

    def test_defaults(self):
        """
        It has the default tunables and the global reactor, if nothing else is given.
        """
        site = WebSocketSite(WebSocketResource(WebSocketFactory(RecordingReceiver)))
        self.assertEqual(site.config, ServerConfig())
