# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.LimitConnections}.
"""

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent, globalLogPublisher

from twisted_ws import LimitConnections, Steps
from twisted_ws.limits import clientNetwork

from .handshakes import GOODBYE, Echo, ServerTests, handshake


def of(address, *fields):
    """
    Make a handshake that a proxy has handed on for a client.
    """
    return handshake(f"X-Forwarded-For: {address}", *fields)


class LimitConnectionsTests(ServerTests):
    """
    Behind a proxy that is trusted.
    """

    def limit(self, *steps, application=Echo):
        """
        Serve behind steps.
        """
        self.steps = steps
        self.serve(Steps(steps, application), trustedProxies=["192.0.2.1"])

    def assertAll(self, status, *handshakes):
        """
        Check what answers a handshake on a connection of its own.

        @return: the peers.
        """
        peers = []
        for each in handshakes:
            peer = self.connect(each)
            self.assertTrue(peer.received.startswith(b"HTTP/1.1 %d " % status), each)
            peers.append(peer)
        return peers

    def assertNoneHeld(self):
        """
        Check that nothing is counted any more, nor remembered.
        """
        for step in self.steps:
            self.assertEqual(step._held, {})
        self.assertEqual(self.server.factory.connections, set())

    def test_most(self):
        """
        Each client has as many as that, whatever others have; an end makes room.
        """
        self.limit(LimitConnections(2))
        a = self.assertAll(101, of("198.51.100.1"), of("198.51.100.1"))
        self.assertAll(429, of("198.51.100.1"))
        b = self.assertAll(101, of("198.51.100.2"))
        a[0].send(GOODBYE)
        a += self.assertAll(101, of("198.51.100.1"))
        self.assertAll(429, of("198.51.100.1"))
        for peer in a + b:
            peer.transport.abortConnection()
        self.server.flush()
        self.assertNoneHeld()

    def test_spoofing(self):
        """
        What a client writes into X-Forwarded-For itself makes no other client of it.
        """
        self.limit(LimitConnections(1))
        self.assertAll(101, of("198.51.100.1"))
        for number in range(3):
            self.assertAll(429, of(f"203.0.113.{number}, 198.51.100.1"))

    def test_networks(self):
        """
        The addresses of one IPv6 network are one client.
        """
        self.limit(LimitConnections(1))
        self.assertAll(101, of("2001:db8::1"), of("2001:db8:0:1::1"))
        self.assertAll(429, of("2001:db8::ffff:1"), of("2001:db8:0:1:ff::"))

    def test_undecided(self):
        """
        Requests count while they wait for a verdict, until they are refused, or given
        up by their peer or by C{handshakeTimeout}.
        """
        undecided = []

        def application(request):
            undecided.append(request)
            return Deferred()

        self.limit(LimitConnections(3), application=application)
        peers = [self.connect(of("198.51.100.1")) for _ in range(3)]
        self.assertAll(429, of("198.51.100.1"))
        undecided[0].reject(404)
        peers[1].transport.abortConnection()
        self.server.flush()
        self.assertEqual(list(self.steps[0]._held.values()), [1])
        self.clock.advance(10)
        self.server.flush()
        self.assertNoneHeld()

    def test_key(self):
        """
        It can go by whatever the application likes, also once for all.
        """
        byCookie = LimitConnections(1, lambda request: request.cookies.get("user"))
        self.limit(byCookie, LimitConnections(3, lambda request: "all"))
        users = [of("198.51.100.1", f"Cookie: user={name}") for name in "abcd"]
        peers = self.assertAll(101, *users[:3])
        self.assertAll(429, users[0], users[3])
        for peer in peers:
            peer.transport.abortConnection()
        self.server.flush()
        self.assertNoneHeld()

    def test_log(self):
        """
        A refusal is one line in the log, that names the step and its limit.
        """
        self.limit(LimitConnections(1))
        self.assertAll(101, of("198.51.100.1"))
        events = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        (peer,) = self.assertAll(429, of("198.51.100.1"))
        self.assertTrue(peer.received.endswith(b"\r\n\r\ntoo many connections\n"))
        (event,) = events
        self.assertIn("LimitConnections has {most}", event["log_format"])
        self.assertEqual((event["most"], event["key"]), (1, "198.51.100.1"))

    def test_flood(self):
        """
        A flood of refusals is one line in a second.
        """
        self.limit(LimitConnections(1))
        self.assertAll(101, of("198.51.100.1"))
        with capturedLogs() as events:
            self.assertAll(429, *[of("198.51.100.1")] * 20)
            self.clock.advance(1)
            self.assertAll(429, of("198.51.100.1"))
        self.assertEqual(len(events), 2)
        self.assertTrue(formatEvent(events[1]).endswith("(and 19 more before)"))

    def test_retryAfter(self):
        """
        The refused are told when to come again.
        """
        self.limit(LimitConnections(1))
        self.assertAll(101, of("198.51.100.1"))
        (peer,) = self.assertAll(429, of("198.51.100.1"))
        self.assertIn(b"\r\nRetry-After: 5\r\n", peer.received)

    def test_unixPeers(self):
        """
        Peers without an address are one client.
        """

        class Request:
            remoteAddress = ""

        self.assertEqual(clientNetwork(Request()), "")

    def test_wrong(self):
        """
        The limit is a whole number over 0.
        """
        for most in (0, -1, 1.5, True, None, "1"):
            with self.assertRaises(ValueError):
                LimitConnections(most)
