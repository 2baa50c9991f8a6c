# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Going away: L{twisted_ws.draining}, by way of C{WebSocketFactory.drain}.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_ws import ClosedAbruptly, MessageReceiver, ServerConfig
from twisted_ws.draining import Drained
from twisted_ws.testing import MemoryServer, RecordingReceiver


class DrainTests(SynchronousTestCase):
    """
    C{drain}.
    """

    def serve(self, clients: int, application: Any = RecordingReceiver, **options: Any):
        """
        @return: the receivers of so many clients.
        """
        config = ServerConfig(keepalive=False, **options)
        self.server = MemoryServer(application, config)
        self.receivers = []
        for _ in range(clients):
            receiver = RecordingReceiver()
            self.successResultOf(self.server.connect("/", receiver))
            self.receivers.append(receiver)
        return self.receivers

    def lost(self) -> int:
        """
        @return: how many clients know that they are closed.
        """
        return sum(receiver.losses for receiver in self.receivers)

    def test_thousand(self) -> None:
        """
        A thousand clients are closed over ten seconds: in slices of about the same
        size, none later than that, all with the code that was asked for.
        """
        self.serve(1000)
        done = self.server.factory.drain(over=10.0, timeout=30.0, code=1012)
        counts = [self.lost()]
        for _ in range(100):
            self.server.clock.advance(0.1)
            self.server.flush()
            counts.append(self.lost())
        slices = [after - before for before, after in pairwise(counts)]
        self.assertLessEqual(max(slices), 12)
        self.assertGreaterEqual(min(slices[:99]), 8)
        self.assertEqual(self.lost(), 1000)
        self.assertEqual({r.reason.code for r in self.receivers}, {1012})
        self.assertEqual(self.successResultOf(done), Drained(1000, 0, 0))
        self.assertEqual(self.server.clock.getDelayedCalls(), [])

    def test_defaults(self) -> None:
        """
        C{drainTime} and C{drainCode} are what is used when nothing else is said.
        """
        self.serve(4, drainTime=2.0, drainCode=4000)
        done = self.server.factory.drain(reason="back soon")
        self.server.flush()
        self.assertLess(self.lost(), 2)
        self.server.clock.pump([0.1] * 21)
        self.server.flush()
        self.assertEqual({r.reason.code for r in self.receivers}, {4000})
        self.assertEqual({r.reason.reason for r in self.receivers}, {"back soon"})
        self.assertEqual(self.successResultOf(done), (4, 0, 0))

    def test_refuses(self) -> None:
        """
        Requests without a verdict, and new ones, are refused with 503; those without
        one are counted.
        """
        self.server = MemoryServer(lambda request: Deferred())
        first = self.server.connect("/")
        done = self.server.factory.drain(over=5.0)
        second = self.server.connect("/")
        self.server.flush()
        for each in (first, second):
            refused: Any = self.failureResultOf(each).value
            self.assertEqual(refused.status, 503)
            self.assertIn(b"retry-after", dict(refused.headers))
        self.assertEqual(self.successResultOf(done), (0, 0, 1))

    def test_timeout(self) -> None:
        """
        When C{drainTimeout} is over what is left is aborted: a client that does not
        answer, and those whose turn has not come.
        """
        self.serve(3, closeTimeout=100.0, drainTimeout=4.0, drainTime=6.0)
        for client, _ in self.server.carriers:
            client.pauseProducing()
        done = self.server.factory.drain()
        self.server.clock.pump([0.1] * 39)
        self.server.flush()
        self.assertNoResult(done)
        self.server.clock.advance(0.1)
        self.server.flush()
        self.assertEqual(self.successResultOf(done), (0, 3, 0))
        self.assertEqual(self.server.factory.connections, set())
        self.assertEqual(self.server.clock.getDelayedCalls(), [])

    def test_someLeaveMeanwhile(self) -> None:
        """
        A client that is lost while others are drained is counted as such.
        """
        self.serve(3)
        done = self.server.factory.drain(over=3.0)
        for client, _ in self.server.carriers[:1]:
            client.abortConnection()
        self.server.flush()
        self.server.clock.pump([0.1] * 31)
        self.server.flush()
        self.assertEqual(self.successResultOf(done), (2, 1, 0))

    def test_waitsForReceivers(self) -> None:
        """
        It is done when the receivers are told of the end, and that is when they are
        done with what came before.
        """
        working: list[Deferred[None]] = []
        told = []

        class Slow(MessageReceiver):
            def messageReceived(self, message):
                working.append(Deferred())
                return working[-1]

            def connectionLost(self, reason):
                told.append(reason)

        (client,) = self.serve(1, Slow)
        client.transport.sendMessage("a")
        client.transport.sendMessage("b")
        self.server.flush()
        done = self.server.factory.drain()
        self.server.flush()
        self.assertEqual((client.losses, len(working), told), (1, 1, []))
        self.assertNoResult(done)
        working[0].callback(None)
        self.assertEqual(len(working), 2)
        self.assertNoResult(done)
        working[1].callback(None)
        self.assertEqual(len(told), 1)
        self.assertEqual(self.successResultOf(done), (1, 0, 0))

    def test_receiversThatHang(self) -> None:
        """
        A receiver that is never done is cancelled when time is up.
        """
        cancelled = []

        class Hanging(MessageReceiver):
            def messageReceived(self, message):
                return Deferred(cancelled.append)

        (client,) = self.serve(1, Hanging, closeTimeout=50.0)
        client.transport.sendMessage("a")
        self.server.flush()
        done = self.server.factory.drain(timeout=2.0)
        self.server.flush()
        self.server.clock.advance(1.9)
        self.assertEqual((cancelled, client.losses), ([], 1))
        self.server.clock.advance(0.1)
        self.server.flush()
        self.assertEqual(len(cancelled), 1)
        self.assertEqual(self.successResultOf(done), (1, 0, 0))
        self.assertEqual(self.server.clock.getDelayedCalls(), [])

    def test_cancel(self) -> None:
        """
        Cancelling it aborts what is left at once.
        """
        receivers = self.serve(3)
        done = self.server.factory.drain(over=60.0, timeout=90.0)
        self.server.flush()
        self.server.clock.advance(1)
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.server.flush()
        abrupt = [isinstance(each.reason, ClosedAbruptly) for each in receivers]
        self.assertEqual(sum(abrupt), 2)
        self.assertEqual(self.server.factory.connections, set())
        self.assertEqual(self.server.clock.getDelayedCalls(), [])

    def test_whatWaitsIsSent(self) -> None:
        """
        Messages that wait for a slow client are sent before the Close frame.
        """
        (client,) = self.serve(1)
        (connection,) = self.server.factory.connections
        self.server.carriers[0][0].pauseProducing()
        sent = [connection.sendMessage(bytes(50000)) for _ in range(6)]
        done = self.server.factory.drain()
        self.server.flush()
        self.assertNoResult(sent[-1])
        self.server.carriers[0][0].resumeProducing()
        self.server.flush()
        self.assertEqual(list(map(len, client.messages)), [50000] * 6)
        for each in sent:
            self.successResultOf(each)
        self.assertEqual(self.successResultOf(done), (1, 0, 0))
