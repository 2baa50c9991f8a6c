# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What L{twisted_ws.admission} counts when things end in all ways, and by all ways in.
"""

from random import Random

from twisted.internet.defer import Deferred

from twisted_ws import WebSocketProtocol

from .admissions import AdmissionTests
from .handshakes import GOODBYE, HELLO, Echo, handshake
from .sites import SiteTests, upgrade


class EndingTests(AdmissionTests):
    """
    The other 503s, and counts when things fail.
    """

    def test_goingAway(self):
        """
        Who is refused because the server goes away is told when to come again.
        """
        self.serve(retryAfter=9)
        waiting, slow = self.connect(handshake()), self.connect()
        self.server.factory.closeAllConnections()
        self.server.flush()
        self.assertRefused(waiting, 9)
        slow.send(handshake())
        self.assertRefused(slow, 9)

    def test_notAnswered(self):
        """
        So is who is not answered in time.
        """
        self.serve(lambda request: Deferred())
        peer = self.connect(handshake())
        self.clock.advance(10)
        self.server.flush()
        self.assertRefused(peer)

    def test_hookFails(self):
        """
        A protocol of a subclass whose hook raises counts no more than others.
        """

        class Failing(WebSocketProtocol):
            def requestReceived(self, request):
                raise ZeroDivisionError

        self.serve(Echo)
        factory = self.server.factory
        self.patch(factory, "buildProtocol", lambda address: Failing(factory))
        self.assertRaises(ZeroDivisionError, self.connect, handshake())
        for client, _ in self.server.carriers:
            client.abortConnection()
        self.server.flush()
        self.assertNothingCounted()

    def test_churn(self):
        """
        However clients come and go, and whatever becomes of their requests, nothing
        is counted in the end, and there is room for all in between.
        """

        random = Random()

        def later(request):
            deferreds.append(Deferred())
            return deferreds[-1].addCallback(lambda _: request.accept(Echo()))

        acts = [
            lambda request: request.reject(404),
            lambda request: 1 / 0,
            lambda request: Deferred(),
            lambda request: request.accept(Failing()),
            lambda request: request.accept(Echo()),
            later,
        ]

        class Failing(Echo):
            def connectionMade(self):
                raise ZeroDivisionError

        for seed in range(30):
            random.seed(seed)
            deferreds = []
            self.serve(
                lambda r: random.choice(acts)(r),
                maxConnections=4,
                maxPendingHandshakes=3,
            )
            factory = self.server.factory
            peers = []
            for _ in range(100):
                act = random.randrange(5)
                if act == 0 and peers:
                    self.leave(random.choice(peers))
                elif act == 1 and deferreds:
                    deferreds.pop(random.randrange(len(deferreds))).callback(None)
                elif act == 2 and peers:
                    random.choice(peers).send(
                        random.choice([GOODBYE, HELLO, b"\x00", b"\r\n"])
                    )
                else:
                    sent = random.choice(
                        [handshake(), handshake()[:9], b"\r\n\r\n\r\n"]
                    )
                    peers.append(self.connect(sent))
                self.clock.advance(random.choice([0, 0, 0.25, 2]))
                self.server.flush()
                self.assertLessEqual(len(factory.pendingRequests), 3)
            self.leave(*peers)
            self.clock.pump([5] * 8)
            self.server.flush()
            self.assertNothingCounted()
        self.flushLoggedErrors(ZeroDivisionError)


class SiteAdmissionTests(SiteTests):
    """
    By way of L{twisted.web}.
    """

    def test_connections(self):
        """
        C{maxConnections} counts the connections of all ways in.
        """
        self.serve(Echo, maxConnections=1)
        first = self.connect(upgrade("/ws"))
        peer = self.connect(upgrade("/deep/er/ws"))
        self.assertIn(b"\r\nRetry-After: 5\r\n", peer.received)
        self.assertTrue(peer.received.endswith(b"too many connections\n"))
        self.assertEqual(self.statuses(peer), [503])
        first.transport.abortConnection()
        self.server.flush()
        self.assertEqual(self.statuses(self.connect(upgrade("/ws"))), [101])

    def test_requests(self):
        """
        So does C{maxPendingHandshakes}; pages are served all the same.
        """
        self.serve(maxPendingHandshakes=2)
        for _ in range(2):
            self.connect(upgrade("/ws"))
        self.assertEqual(self.statuses(self.connect(upgrade("/ws"))), [503])
        self.assertEqual(self.body(b"GET /page HTTP/1.1\r\nHost: a\r\n\r\n"), b"a page")
        self.requests[0].reject(404)
        self.connect(upgrade("/ws"))
        self.assertEqual(len(self.requests), 3)
        for client, _ in self.server.carriers:
            client.abortConnection()
        self.server.flush()
        self.clock.advance(60)
        self.assertEqual(self.factory.admission.sockets, 0)
