# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Where a client connects to, what its receivers are, and how it goes on:
L{twisted_ws.client}.  What it sends is in C{test_client_request}, how a connect can end
in C{test_client_endings}.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

from twisted.application.internet import ClientService
from twisted.internet.defer import CancelledError, Deferred, TimeoutError, fail, succeed
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.internet.ssl import optionsForClientTLS
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from twisted_ws import (
    ClientConfig,
    ClosedAbruptly,
    ClosedCleanly,
    Inbox,
    TLSPolicy,
    WebSocketClient,
    client,
)
from twisted_ws.testing import MemoryServer, RecordingReceiver, carrierPair

from .fakeserver import Arrive, Drop, FakeResolver, MemoryNetwork, Send
from .responses import head, switch

URL = "ws://server.example/chat"


class RaisingFactory(Factory):
    """
    Makes nothing.
    """

    def buildProtocol(self, addr: object) -> Any:
        raise RuntimeError("no receiver today")


class Unable(RecordingReceiver):
    """
    Cannot be connected.
    """

    def connectionMade(self) -> None:
        super().connectionMade()
        raise RuntimeError("not me")


class Leaving(RecordingReceiver):
    """
    Leaves as soon as it is connected.
    """

    def connectionMade(self) -> None:
        super().connectionMade()
        self.transport.loseConnection()


class ReceiverTests(SynchronousTestCase):
    """
    What may be given as a receiver.
    """

    def setUp(self) -> None:
        self.server = MemoryServer(RecordingReceiver)

    def test_class(self):
        """
        A class is called for each connection.
        """
        receivers = [
            self.successResultOf(self.server.connect("/", RecordingReceiver))
            for _ in range(2)
        ]
        for receiver in receivers:
            self.assertIs(type(receiver), RecordingReceiver)
            self.assertEqual(receiver.made, 1)
        self.assertIsNot(*receivers)

    def test_instance(self):
        """
        A receiver made already is connected itself.
        """
        receiver = RecordingReceiver()
        result = self.successResultOf(self.server.connect("/", receiver))
        self.assertIs(result, receiver)
        self.assertEqual(receiver.made, 1)

    def test_factory(self):
        """
        A factory makes it, for the server's address.
        """
        addresses = []

        class Noting(Factory):
            protocol = RecordingReceiver

            def buildProtocol(self, addr: object) -> Any:
                addresses.append(addr)
                return Factory.buildProtocol(self, addr)

        factory = Noting()
        receiver = self.successResultOf(self.server.connect("/", factory))
        self.assertIs(receiver.factory, factory)
        self.assertEqual(receiver.made, 1)
        self.assertEqual(addresses, [receiver.transport.getPeer()])

    def test_default(self):
        """
        By default it is an Inbox.
        """
        self.assertIs(type(self.successResultOf(self.server.connect("/"))), Inbox)

    def test_noneMade(self):
        """
        A factory that makes none ends the attempt.
        """
        factory = Factory()
        factory.buildProtocol = lambda addr: None
        opened = self.server.connect("/", factory)
        error = self.failureResultOf(opened, ClosedAbruptly).value
        self.assertEqual(str(error), "the factory made no receiver")
        self.assertTrue(self.server.carriers[0][0].disconnected)
        self.assertEqual(self.server.clock.getDelayedCalls(), [])

    def test_factoryFails(self):
        """
        What a factory raises is what the attempt fails with.
        """
        opened = self.server.connect("/", RaisingFactory())
        error = self.failureResultOf(opened, RuntimeError).value
        self.assertEqual(str(error), "no receiver today")
        self.assertTrue(self.server.carriers[0][0].disconnected)
        self.assertEqual(self.server.clock.getDelayedCalls(), [])

    def test_order(self):
        """
        The Deferred fires after C{connectionMade} and before the first message.
        """
        happened = []

        class Noting(RecordingReceiver):
            def connectionMade(self) -> None:
                happened.append("made")

            def messageReceived(self, message: Any) -> None:
                happened.append(message)

        network = MemoryNetwork([Send(switch(after=b"\x81\x05first"))])
        opened = WebSocketClient(network).connect(URL, Noting)
        opened.addCallback(lambda receiver: happened.append("opened"))
        network.settle()
        self.assertEqual(happened, ["made", "opened", "first"])

    def test_leaving(self):
        """
        A receiver that leaves at once was connected.
        """
        receiver = self.successResultOf(self.server.connect("/", Leaving))
        self.assertEqual((receiver.made, receiver.losses), (1, 1))
        self.assertIs(type(receiver.reason), ClosedCleanly)
        self.assertEqual(self.server.clock.getDelayedCalls(), [])

    def test_unable(self):
        """
        A receiver that fails to be connected was connected; it is logged, and the
        connection closes with 1011.
        """
        there = RecordingReceiver()
        server = MemoryServer(Factory.forProtocol(lambda: there))
        receiver = self.successResultOf(server.connect("/", Unable))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual((receiver.made, receiver.losses), (1, 1))
        self.assertEqual(there.reason.code, 1011)
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_cancelWithin(self):
        """
        A receiver that cancels while it is connected is disconnected.
        """
        network = MemoryNetwork([Send(switch())])
        receiver = Cancelling()
        receiver.opened = WebSocketClient(network).connect(URL, receiver)
        network.settle()
        self.failureResultOf(receiver.opened, CancelledError)
        self.assertEqual((receiver.made, receiver.losses), (1, 1))
        self.assertTrue(network.isEmpty())

    def test_cancelLater(self):
        """
        To cancel when it is open does nothing.
        """
        opened = self.server.connect("/", RecordingReceiver)
        receiver = self.successResultOf(opened)
        opened.cancel()
        self.server.flush()
        self.assertEqual(receiver.losses, 0)


class Cancelling(RecordingReceiver):
    """
    Cancels as soon as it is connected.

    @ivar opened: what it cancels.
    """

    opened: Any

    def connectionMade(self) -> None:
        super().connectionMade()
        self.opened.cancel()


@implementer(IStreamClientEndpoint)
class StubbornEndpoint:
    """
    Connects even when it was cancelled.
    """

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        self.factory = protocolFactory
        self.connected: Deferred[Any] = Deferred()
        return self.connected


class EndpointTests(SynchronousTestCase):
    """
    Where a client connects to.
    """

    def setUp(self) -> None:
        self.creators: list[str] = []

        class Noting(TLSPolicy):
            def creatorForNetloc(policy, hostname: bytes, port: int) -> Any:
                self.creators.append(hostname.decode())
                return TLSPolicy.creatorForNetloc(policy, hostname, port)

        self.patch(client, "TLSPolicy", Noting)

    def dial(self, url: str, **given: Any) -> MemoryNetwork:
        """
        @return: a network on which a client has connected to C{url}, up to TCP.
        """
        network = MemoryNetwork(ignores=True)
        opened = WebSocketClient(network, **given).connect(url)
        network.settle()
        self.assertEqual(len(network.tcpClients), 1, url)
        self.addCleanup(self.leave, opened, network)
        return network

    def leave(self, opened: Deferred[Any], network: MemoryNetwork) -> None:
        """
        Cancel; nothing is left.
        """
        opened.cancel()
        self.failureResultOf(opened, CancelledError)
        self.assertTrue(network.isEmpty())

    def test_address(self):
        """
        The URL says which host to look up and which port to connect to.
        """
        for url, name, port in (
            ("ws://server.example/", "server.example", 80),
            ("ws://server.example:81/", "server.example", 81),
            ("wss://server.example/", "server.example", 443),
            ("wss://server.example:80/", "server.example", 80),
            ("ws://b\xfccher.example/", "b\xfccher.example", 80),
            ("ws://192.0.2.7:82/", "192.0.2.7", 82),
            ("ws://[2001:db8::1]:83/", "2001:db8::1", 83),
        ):
            network = self.dial(url)
            names = [n.encode("idna") for n in network.nameResolver.names]
            self.assertEqual(names, [name.encode("idna")], url)
            self.assertEqual(network.tcpClients[0][:2], ("192.0.2.2", port), url)

    def test_severalAddresses(self):
        """
        Of the addresses of a host, one that answers is enough.
        """
        network = MemoryNetwork([Send(switch())])
        network.nameResolver = FakeResolver("192.0.2.2", "192.0.2.3")
        opened = WebSocketClient(network).connect("ws://server.example/")
        deaf, network.dialling = network.dialling, []
        network.settle()
        self.assertNoResult(opened)
        network.wait(0.5)
        receiver = self.successResultOf(opened)
        self.assertTrue(deaf[0][1].stoppedConnecting)
        self.assertEqual(network.getDelayedCalls(), [])
        receiver.transport.abortConnection()
        network.settle()
        self.assertTrue(network.isEmpty())

    def test_onlyOneDeadline(self):
        """
        Connecting has no deadline of its own that comes before C{handshakeTimeout}.
        """
        network = self.dial(URL, config=ClientConfig(handshakeTimeout=60))
        self.assertGreater(network.tcpClients[0][3], 60)

    def test_defaultPolicy(self):
        """
        TLS is verified for the host of the URL.
        """
        self.dial("wss://server.example:8443/")
        self.dial("wss://192.0.2.7/")
        self.dial("wss://b\xfccher.example/")
        self.assertEqual(
            self.creators, ["server.example", "192.0.2.7", "xn--bcher-kva.example"]
        )

    def test_noTLS(self):
        """
        No TLS, no policy.
        """
        self.dial("ws://server.example/", tlsPolicy=object())
        self.assertEqual(self.creators, [])

    def test_policy(self):
        """
        A TLS policy of one's own takes the place of the default one.
        """
        asked = []
        made = optionsForClientTLS("server.example")

        @implementer(IPolicyForHTTPS)
        class Policy:
            def creatorForNetloc(self, hostname: bytes, port: int) -> Any:
                asked.append((hostname, port))
                return made

        self.assertTrue(IOpenSSLClientConnectionCreator.providedBy(made))
        self.dial("wss://server.example/", tlsPolicy=Policy())
        self.dial("wss://b\xfccher.example:8443/", tlsPolicy=Policy())
        self.assertEqual(
            asked, [(b"server.example", 443), (b"xn--bcher-kva.example", 8443)]
        )
        self.assertEqual(self.creators, [])

    def test_ownEndpoint(self):
        """
        An endpoint of one's own is used whatever the URL says.
        """
        for url, host in (
            ("ws://elsewhere.example:81/", b"elsewhere.example:81"),
            ("wss://elsewhere.example/", b"elsewhere.example"),
        ):
            network = MemoryNetwork([Send(switch())])
            endpoint = HostnameEndpoint(network, "server.example", 8080)
            connecting = WebSocketClient(network, endpoint=endpoint)
            opened = connecting.connect(url, RecordingReceiver)
            network.settle()
            receiver = self.successResultOf(opened)
            self.assertEqual(network.nameResolver.names, ["server.example"], url)
            self.assertEqual(network.tcpClients[0][1], 8080, url)
            request = network.factory.servers[0].received
            self.assertIn(b"\r\nHost: %b\r\n" % host, request, url)
            self.assertEqual(self.creators, [], url)
            receiver.transport.abortConnection()
            network.settle()
            self.assertTrue(network.isEmpty(), url)

    def test_policyFails(self):
        """
        What a TLS policy raises is raised, and nothing is left.
        """

        @implementer(IPolicyForHTTPS)
        class Policy:
            def creatorForNetloc(self, hostname: bytes, port: int) -> Any:
                raise RuntimeError("no TLS today")

        network = MemoryNetwork()
        connecting = WebSocketClient(network, tlsPolicy=Policy())
        self.assertRaises(RuntimeError, connecting.connect, "wss://server.example/")
        self.assertTrue(network.isEmpty())

    def test_endpointFails(self):
        """
        What an endpoint raises, or fails with at once, is what the attempt fails with,
        and nothing is left.
        """

        @implementer(IStreamClientEndpoint)
        class Raising:
            def connect(self, protocolFactory: Any) -> Deferred[Any]:
                raise RuntimeError("no connection today")

        @implementer(IStreamClientEndpoint)
        class Failing:
            def connect(self, protocolFactory: Any) -> Deferred[Any]:
                return fail(RuntimeError("no connection today"))

        for endpoint in (Raising(), Failing()):
            network = MemoryNetwork()
            opened = WebSocketClient(network, endpoint=endpoint).connect(URL)
            self.failureResultOf(opened, RuntimeError)
            self.assertTrue(network.isEmpty())

    def test_notTheProtocol(self):
        """
        An endpoint that connects something else than what the factory has made fails
        the attempt, and nothing is left.
        """

        @implementer(IStreamClientEndpoint)
        class Wrapping:
            def connect(self, protocolFactory: Any) -> Deferred[Any]:
                return succeed(object())

        network = MemoryNetwork()
        opened = WebSocketClient(network, endpoint=Wrapping()).connect(URL)
        failure = self.failureResultOf(opened, AttributeError)
        self.assertIn("opened", failure.getErrorMessage())
        self.assertEqual(network.getDelayedCalls(), [])

    def test_stubborn(self):
        """
        What an endpoint connects when nobody waits any more is dropped.
        """
        for end in ("deadline", "cancel"):
            network = MemoryNetwork()
            endpoint = StubbornEndpoint()
            opened = WebSocketClient(network, endpoint=endpoint).connect(URL)
            if end == "cancel":
                opened.cancel()
                self.failureResultOf(opened, CancelledError)
            else:
                network.wait(10)
                self.failureResultOf(opened, TimeoutError)
            carrier, other = carrierPair()
            protocol = endpoint.factory.buildProtocol(other.getHost())
            if protocol is not None:
                server = network.factory.buildProtocol(carrier.getHost())
                carrier.protocol, other.protocol = protocol, server
                network.carriers.append((carrier, other))
                server.makeConnection(other)
                protocol.makeConnection(carrier)
                endpoint.connected.callback(protocol)
                network.settle()
                self.assertTrue(carrier.disconnected, end)
                self.assertEqual(server.received, b"", end)
            self.assertEqual(network.getDelayedCalls(), [], end)
            # Nor is there a Deferred that failed and that nobody heard of.
            del protocol, endpoint, opened
            gc.collect()
            self.assertEqual(self.flushLoggedErrors(), [], end)


class ClientServiceTests(SynchronousTestCase):
    """
    L{WebSocketClient.endpoint} below L{ClientService}.
    """

    def service(self, connecting: WebSocketClient, clock: Any, **asked: Any) -> Any:
        """
        @return: a service that tries again after a second.
        """
        return ClientService(
            connecting.endpoint("ws://server.example/", **asked),
            Factory.forProtocol(RecordingReceiver),
            retryPolicy=lambda attempts: 1.0,
            clock=clock,
        )

    def start(self, network: MemoryNetwork) -> Any:
        """
        @return: a service that has started on a network.
        """
        service = self.service(WebSocketClient(network), network)
        service.startService()
        network.settle()
        return service

    def test_reconnects(self):
        """
        A lost connection is made anew, with a receiver of its own.
        """
        server = MemoryServer(RecordingReceiver)
        clock = server.clock
        connecting = WebSocketClient(clock, endpoint=server)
        service = self.service(connecting, clock)
        service.startService()
        server.flush()
        first = self.successResultOf(service.whenConnected())
        self.assertIs(type(first), RecordingReceiver)
        self.assertEqual(first.made, 1)

        server.carriers[0][1].abortConnection()
        server.flush()
        self.assertEqual(first.losses, 1)
        self.assertIs(type(first.reason), ClosedAbruptly)
        connected = service.whenConnected()
        self.assertNoResult(connected)
        clock.advance(1)
        server.flush()
        second = self.successResultOf(connected)
        self.assertIsNot(second, first)
        self.assertEqual((second.made, second.losses), (1, 0))

        stopped = service.stopService()
        server.flush()
        self.successResultOf(stopped)
        self.assertIs(type(second.reason), ClosedCleanly)
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_messages(self):
        """
        Messages reach the receiver.
        """
        there = RecordingReceiver()
        server = MemoryServer(Factory.forProtocol(lambda: there))
        service = self.service(WebSocketClient(server.clock, endpoint=server), None)
        service.startService()
        server.flush()
        here = self.successResultOf(service.whenConnected())
        there.transport.sendMessage("down")
        here.transport.sendMessage(b"up")
        server.flush()
        self.assertEqual((here.messages, there.messages), (["down"], [b"up"]))
        service.stopService()
        server.flush()
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_refused(self):
        """
        A refusal is tried again, with the same request but for its key.
        """
        network = MemoryNetwork([Send(head("HTTP/1.1 503 No", "Content-Length: 0"))])
        asked: dict[str, Iterator[Any]] = {
            "protocols": iter(["chat"]),
            "headers": iter([("X-A", "1")]),
        }
        service = self.service(WebSocketClient(network), network, **asked)
        service.startService()
        network.settle()
        network.wait(3)
        servers = network.factory.servers
        self.assertEqual(len(servers), 4)
        for server in servers:
            self.assertIn(b"\r\nX-A: 1\r\n", server.received)
            self.assertIn(b"\r\nSec-WebSocket-Protocol: chat\r\n", server.received)
        self.successResultOf(service.stopService())
        self.assertTrue(network.isEmpty())

    def test_stop(self):
        """
        To stop in any phase of a connect stops at once and leaves nothing.
        """
        silent = MemoryNetwork()
        silent.nameResolver = FakeResolver(isSilent=True)
        refusal = head("HTTP/1.1 503 No", "Content-Length: 9")
        for phase, network in (
            ("resolving", silent),
            ("connecting", MemoryNetwork(ignores=True)),
            ("handshaking", MemoryNetwork()),
            ("within the head", MemoryNetwork([Send(b"HTTP/1.1 101")])),
            ("within a refusal", MemoryNetwork([Send(refusal), Arrive()])),
            ("between two attempts", MemoryNetwork([Drop()])),
        ):
            service = self.start(network)
            self.assertFalse(network.isEmpty(), phase)
            stopped = service.stopService()
            network.settle()
            self.successResultOf(stopped)
            self.assertTrue(network.isEmpty(), phase)
            attempts = len(network.tcpClients)
            network.wait(60)
            self.assertEqual(len(network.tcpClients), attempts, phase)
            self.assertTrue(network.isEmpty(), phase)

    def test_deadline(self):
        """
        An attempt that meets silence ends at the deadline, and another follows.
        """
        network = MemoryNetwork()
        service = self.start(network)
        network.wait(9.5)
        self.assertEqual(len(network.factory.servers), 1)
        network.wait(1.5)
        self.assertEqual(len(network.factory.servers), 2)
        self.assertTrue(network.carriers[0][0].disconnected)
        self.assertFalse(network.carriers[1][0].disconnected)
        stopped = service.stopService()
        network.settle()
        self.successResultOf(stopped)
        self.assertTrue(network.isEmpty())
