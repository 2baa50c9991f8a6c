# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.admission}: clients for whom there is no room.
"""

from random import Random

from twisted.logger import capturedLogs, formatEvent

from twisted_ws import admission

from .admissions import AdmissionTests
from .handshakes import GOODBYE, HELLO, HELLO_REPLY, Echo, handshake


class ConnectionTests(AdmissionTests):
    """
    C{maxConnections}.
    """

    def test_most(self):
        """
        There are as many connections as that; an end makes room for one.
        """
        self.serve(Echo, maxConnections=2)
        peers = [self.connect(handshake()) for _ in range(2)]
        refused = self.connect(handshake())
        self.assertTrue(refused.received.endswith(b"\r\n\r\ntoo many connections\n"))
        self.assertRefused(refused)
        for peer in peers:
            peer.take()
            peer.send(HELLO)
            self.assertEqual(peer.take(), HELLO_REPLY)
        peers[0].send(GOODBYE)
        peers.append(self.connect(handshake()))
        self.assertTrue(peers[-1].received.startswith(b"HTTP/1.1 101 "))
        self.assertRefused(self.connect(handshake()))
        for peer in peers:
            self.leave(peer)
        self.clock.advance(5)
        self.server.flush()
        self.assertNothingCounted()

    def test_closing(self):
        """
        A connection counts until it is gone.
        """
        self.serve(Echo, maxConnections=1)
        peer = self.connect(handshake())
        (connection,) = self.server.factory.connections
        connection.close()
        self.server.flush()
        self.assertRefused(self.connect(handshake()))
        peer.send(GOODBYE)
        self.assertEqual(self.connect(handshake()).take()[:13], b"HTTP/1.1 101 ")

    def test_undecided(self):
        """
        Who is not accepted yet does not count; so those that were let in together may
        become more, and are connections then.
        """
        self.serve(maxConnections=1)
        for _ in range(2):
            self.connect(handshake())
        for request in self.requests:
            request.accept(Echo())
        self.assertEqual(len(self.server.factory.connections), 2)
        self.assertRefused(self.connect(handshake()))

    def test_reentrancy(self):
        """
        A connection counts before its receiver hears of it.
        """

        class Counting(Echo):
            def connectionMade(receiver):
                counts.append(self.admission.sockets)

        counts = []
        self.serve(Counting)
        self.connect(handshake())
        self.connect(handshake())
        self.assertEqual(counts, [1, 2])

    def test_retryAfter(self):
        """
        C{retryAfter} is what they are told.
        """
        self.serve(Echo, maxConnections=1, retryAfter=77)
        self.connect(handshake())
        self.assertRefused(self.connect(handshake()), 77)

    def test_log(self):
        """
        A flood is one line in a second, that names the option.
        """
        self.serve(Echo, maxConnections=1)
        self.connect(handshake())
        with capturedLogs() as events:
            for _ in range(20):
                self.connect(handshake())
            self.clock.advance(1)
            self.connect(handshake())
        lines = [formatEvent(event) for event in events]
        self.assertEqual(len(lines), 2)
        for line in lines:
            self.assertTrue(
                line.startswith(
                    "a client was refused with 503: too many connections"
                    " (option: maxConnections): IPv4Address("
                ),
                line,
            )
        self.assertTrue(lines[1].endswith(" (and 19 more before)"))


class HandshakeTests(AdmissionTests):
    """
    C{maxPendingHandshakes}.
    """

    def test_requests(self):
        """
        Requests without a verdict are no more than that; a verdict makes room.
        """
        self.serve(maxPendingHandshakes=2)
        peers = [self.connect(handshake()) for _ in range(2)]
        self.assertRefused(self.connect(handshake()))
        self.requests[0].accept(Echo())
        self.requests[1].reject(404)
        peers += [self.connect(handshake()) for _ in range(2)]
        self.assertEqual(len(self.requests), 4)
        self.assertRefused(self.connect(handshake()))
        self.leave(*peers)
        self.clock.advance(5)
        self.server.flush()
        self.assertNothingCounted()

    def test_heads(self):
        """
        Sockets that have not sent their head count too.
        """
        self.serve(maxPendingHandshakes=3)
        slow = [self.connect(handshake()[:10]), self.connect()]
        self.connect(handshake())
        refused = self.connect()
        self.assertTrue(refused.received.endswith(b"\r\n\r\ntoo many handshakes\n"))
        self.assertRefused(refused)
        self.leave(slow[0])
        slow[1].send(handshake())
        self.assertEqual(len(self.requests), 2)
        self.connect()
        self.assertRefused(self.connect(handshake()))

    def test_givesWay(self):
        """
        A socket that has sent no request for a second gives way to another, the oldest
        first; so silent sockets keep nobody out.
        """
        self.serve(maxPendingHandshakes=2)
        silent = [self.connect(), self.connect(handshake()[:10])]
        self.clock.advance(0.75)
        self.assertRefused(self.connect(handshake()))
        self.clock.advance(0.25)
        self.connect(handshake())
        self.assertEqual(len(self.requests), 1)
        self.server.flush()
        self.assertEqual([peer.lost is None for peer in silent], [False, True])
        self.connect(handshake())
        self.assertEqual(len(self.requests), 2)
        # Requests give way to nobody.
        self.clock.advance(5)
        self.assertRefused(self.connect(handshake()))

    def test_letIn(self):
        """
        Whose socket was let in is not refused for that when its head is there.
        """
        self.serve(maxPendingHandshakes=3)
        peers = [self.connect() for _ in range(3)]
        self.assertRefused(self.connect())
        for peer in peers:
            peer.send(handshake())
        self.assertEqual(len(self.requests), 3)

    def test_unread(self):
        """
        A client that is refused at once can send its handshake, and more, and still
        read why; nothing of it is looked at.
        """
        self.serve(maxPendingHandshakes=1)
        self.connect()
        peer = self.connect()
        peer.send(handshake() + HELLO * 1000 + b"x" * 100000)
        self.assertRefused(peer)
        self.assertEqual(self.requests, [])
        peer.transport.loseConnection()
        self.server.flush()
        self.assertIsNotNone(peer.lost)
        self.assertEqual(self.admission.refused, set())

    def test_staying(self):
        """
        One that does not leave is dropped after C{closeTimeout}.
        """
        self.serve(maxPendingHandshakes=1, closeTimeout=3)
        self.connect()
        self.stay()
        self.clock.advance(2.75)
        self.server.flush()
        self.assertFalse(self.carrier().disconnected)
        self.assertEqual(len(self.admission.refused), 1)
        self.clock.advance(0.25)
        self.server.flush()
        self.assertTrue(self.carrier().disconnected)
        self.assertEqual(self.admission.refused, set())

    def test_refusedAreBounded(self):
        """
        There are as many refused sockets as that, too; more are dropped without a
        word.
        """
        self.serve(maxPendingHandshakes=3)
        self.admission.heads.patience = 100
        for _ in range(3):
            self.connect()
        for _ in range(3):
            self.stay()
            self.assertTrue(self.carrier().outgoing.startswith(b"HTTP/1.1 503 "))
        with capturedLogs() as events:
            self.clock.advance(1)
            for _ in range(10):
                peer = self.connect()
                self.assertEqual(peer.received, b"")
                self.assertIsNotNone(peer.lost)
        (line,) = [formatEvent(event) for event in events]
        self.assertIn("a client was dropped", line)
        self.assertIn("(option: maxPendingHandshakes)", line)
        self.assertEqual(self.admission.sockets, 6)
        self.clock.advance(4)
        self.server.flush()
        self.assertRefused(self.connect())

    def test_allSockets(self):
        """
        All sockets together are no more than C{maxConnections} and twice
        C{maxPendingHandshakes}, whatever their clients do.
        """
        peaks = set()
        for seed in range(20):
            random = Random(seed)
            self.serve(Echo, maxConnections=5, maxPendingHandshakes=3)
            self.admission.heads.patience = 100
            for _ in range(100):
                peer = self.stay()
                peer.send(random.choice([b"", b"GET", b"GET\r\n\r\n", handshake()]))
                peaks.add(self.admission.sockets)
                ends = [server for _, server in self.server.carriers]
                alive = [server for server in ends if not server.disconnected]
                self.assertLessEqual(len(alive), 11)
                self.assertEqual(len(alive), self.admission.sockets)
                self.clock.advance(random.choice([0, 0.125, 1]))
                self.server.flush()
        self.assertEqual(max(peaks), 11)

    def test_unlimited(self):
        """
        C{None} is no limit.
        """
        self.serve(maxPendingHandshakes=None, maxConnections=10)
        for _ in range(500):
            self.connect()
        self.connect(handshake())
        self.assertEqual(len(self.requests), 1)
        self.assertEqual(self.admission.sockets, 501)


class DescriptorTests(AdmissionTests):
    """
    What the process may have.
    """

    def limit(self, most):
        """
        Have the process have no more descriptors than that.
        """
        self.patch(admission, "descriptors", lambda: most)

    def test_default(self):
        """
        Without C{maxConnections} there are 100 connections fewer than descriptors.
        """
        self.limit(103)
        self.serve(Echo)
        peers = [self.connect(handshake()) for _ in range(3)]
        self.assertRefused(self.connect(handshake()))
        self.leave(*peers)
        self.assertEqual(self.connect(handshake()).take()[:13], b"HTTP/1.1 101 ")

    def test_few(self):
        """
        Where there are hardly any, one connection can be had.
        """
        self.limit(20)
        self.serve(Echo)
        self.assertEqual(self.admission.maxConnections, 1)
        self.assertEqual(self.connect(handshake()).take()[:13], b"HTTP/1.1 101 ")
        peer = self.connect(handshake())
        self.assertIsNotNone(peer.lost)

    def test_sockets(self):
        """
        50 descriptors are left to others whatever the options say.
        """
        self.limit(60)
        self.serve(Echo, maxConnections=1000, maxPendingHandshakes=None)
        for _ in range(30):
            self.connect()
        self.assertEqual(self.admission.sockets, 10)
