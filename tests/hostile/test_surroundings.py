# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What may stand between a peer and the server, or around it: wrappers of Twisted's, hosts
by name, a server that refuses again and again.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from twisted.application.internet import ClientService
from twisted.internet.defer import succeed
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.protocols.haproxy import proxyEndpoint
from twisted.protocols.policies import ThrottlingFactory
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.vhost import NameVirtualHost
from zope.interface import implementer

from tests.handshakes import Echo, handshake
from twisted_ws import (
    ServerConfig,
    WebSocketClient,
    WebSocketFactory,
    WebSocketResource,
)
from twisted_ws.testing import MemoryServer, RawPeer, RecordingReceiver

from .victim import masked


def swap(factory: Any, server: MemoryServer) -> RawPeer:
    """
    Have C{factory} serve in the place of the server's own.

    @return: a peer that is connected to it.
    """
    server.factory = factory
    return server.connectRaw()


class WrapperTests(SynchronousTestCase):
    """
    Factories of Twisted's around the server.
    """

    def proxied(self, application: Any) -> MemoryServer:
        """
        Start a server behind Twisted's reader of the PROXY protocol.
        """
        server = MemoryServer(application, ServerConfig(allowedOrigins="*"))
        listened = []

        @implementer(IStreamServerEndpoint)
        class Endpoint:
            """
            Notes what listens.
            """

            def listen(self, factory: Any) -> Any:
                """
                Note it.
                """
                listened.append(factory)
                return succeed(None)

        proxyEndpoint(Endpoint()).listen(server.factory)
        server.factory = listened[0]
        return server

    def test_proxyHeader(self) -> None:
        """
        Behind a header of the PROXY protocol in the same read the handshake is served,
        and the request knows the client that the header names; a frame may follow.
        """
        peers = []

        def note(request: Any) -> None:
            peers.append((request.peer.host, request.remoteAddress))
            request.accept(Echo())

        server = self.proxied(note)
        peer = server.connectRaw()
        line = b"PROXY TCP4 198.51.100.7 192.0.2.2 4000 80\r\n"
        peer.send(line + handshake() + masked(0x81, b"x"))
        self.assertTrue(peer.received.startswith(b"HTTP/1.1 101 "), peer.received)
        self.assertTrue(peer.received.endswith(b"\x81\x01x"))
        self.assertEqual(peers, [("198.51.100.7", "198.51.100.7")])

    def test_proxyHeaderCut(self) -> None:
        """
        Twisted closes where the first read has less than eight bytes of such a header:
        nothing of ours is in its way, and nothing of ours is left.
        """
        server = self.proxied(Echo)
        peer = server.connectRaw()
        peer.send(b"PROXY TCP4 198.51.100.7 192.0.2.2 4000 80\r\n" + handshake(), 1)
        self.assertEqual(peer.received, b"")
        self.assertIsNotNone(peer.lost)
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_policies(self) -> None:
        """
        Twisted's limits of connections and of bytes per second can be put around it.
        """
        for wrap in (
            lambda factory: ThrottlingFactory(factory, readLimit=None),
            lambda factory: ThrottlingFactory(factory, maxConnectionCount=1),
        ):
            server = MemoryServer(Echo)
            peer = swap(wrap(server.factory), server)
            peer.send(handshake() + masked(0x81, b"x"))
            self.assertTrue(peer.received.endswith(b"\x81\x01x"), peer.received)

    def test_hosts(self) -> None:
        """
        Below a resource that parts hosts by their names, each has its own WebSockets; a
        host that there is not has none.
        """
        clock = Clock()
        hosts = NameVirtualHost()
        for name in (b"a.example", b"b.example"):
            root = Resource()
            root.putChild(b"", WebSocketResource(WebSocketFactory(Echo, None, clock)))
            hosts.addHost(name, root)
        for host, status in (("a.example", 101), ("b.example:80", 101), ("c", 404)):
            server = MemoryServer(Echo)
            site = Site(hosts, reactor=clock)
            peer = swap(site, server)
            peer.send(handshake(f"Host: {host}"))
            self.assertRegex(peer.received, b"^HTTP/1.1 %d " % status)


class ReconnectingTests(SynchronousTestCase):
    """
    A client that connects again and again.
    """

    def test_refusedForHours(self) -> None:
        """
        A server that refuses three thousand times is asked less and less often, without
        memory, timers or stack for it; and the client can be stopped.
        """
        asked = []

        def refuse(request: Any) -> None:
            asked.append(server.clock.seconds())
            request.reject(503)

        server = MemoryServer(refuse)
        endpoint = WebSocketClient(server.clock, endpoint=server).endpoint("ws://a/")
        service = ClientService(
            endpoint, Factory.forProtocol(RecordingReceiver), clock=server.clock
        )
        events: list[Any] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        service.startService()
        for _ in range(3000):
            server.flush()
            del server.carriers[:]
            calls = server.clock.getDelayedCalls()
            self.assertLess(len(calls), 4)
            server.clock.advance(max(0.0, calls[0].getTime() - server.clock.seconds()))
        self.assertGreater(len(asked), 900)
        pauses = [after - before for before, after in pairwise(asked)]
        self.assertGreater(min(pauses[-100:]), 10 * pauses[0])
        stopped = service.stopService()
        server.flush()
        self.successResultOf(stopped)
        self.assertEqual(server.clock.getDelayedCalls(), [])
