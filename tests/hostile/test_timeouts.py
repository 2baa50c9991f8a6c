# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Peers and clocks that do not go on.
"""

from __future__ import annotations

from unittest.mock import patch

from tests.wire import readFrames

from .victim import MIB, HostileTests, masked, peakOf


class TimeTests(HostileTests):
    """
    Time is the reactor's, which only goes on.
    """

    def test_wallClockJumps(self) -> None:
        """
        That the time of day is put forward or back by an hour drops nobody, and keeps
        nobody who is due.
        """
        for jump in (3600, -3600):
            self.serve(keepaliveInterval=20, keepaliveGracePeriod=10)
            peer = self.opened()
            silent = self.opened()
            server = self.server.carriers[2][1]
            self.passTime(10)
            with patch("time.time", return_value=1e9 + jump):
                for _ in range(3):
                    peer.send(masked(0x8A))
                    self.server.carriers[0][0].write(masked(0x8A))
                    self.passTime(5)
                    self.assertIsNone(peer.lost)
                    self.assertIsNone(silent.lost)
                self.passTime(30)
            self.assertTrue(server.disconnected)
            self.events.clear()

    def test_everyoneStopsAnswering(self) -> None:
        """
        A network that is cut takes all its peers with it after interval and grace: one
        ping and one line each, and nothing of them is left.
        """
        self.serve(keepaliveInterval=20, keepaliveGracePeriod=10)
        peers = [self.opened() for _ in range(50)]
        self.passTime(31)
        for peer in peers:
            self.assertEqual([f.first for f in readFrames(peer.received)], [0x89])
            self.assertIsNotNone(peer.lost)
        self.assertEqual(len(self.events), len(peers))
        self.assertServed()
        self.assertNothingLeft()


class ChurnTests(HostileTests):
    """
    Connections that come and go.
    """

    def test_timers(self) -> None:
        """
        Two thousand of them, of which each ends in another way, leave no timer and no
        memory.
        """
        self.serve()
        ways = [
            lambda peer: peer.send(masked(0x88, b"\x03\xe8")),
            lambda peer: peer.transport.abortConnection(),
            lambda peer: peer.transport.loseConnection(),
            lambda peer: peer.send(b"\x82\x7f"),
            lambda peer: peer.send(masked(0x81, b"half", announced=100)),
        ]
        with peakOf() as peak:
            for n in range(2000):
                peer = self.opened()
                ways[n % len(ways)](peer)
                peer.transport.abortConnection()
                self.server.flush()
                del self.server.carriers[1:]
                self.events.clear()
        self.assertLess(peak.size, MIB)
        self.assertServed()
        self.assertNothingLeft()

    def test_closeNeverAnswered(self) -> None:
        """
        A server that closes two hundred connections, none of which answers, is rid of
        all of them after C{closeTimeout}.
        """
        self.serve()
        peers = [self.opened() for _ in range(200)]
        gone = self.server.factory.closeAllConnections()
        self.server.flush()
        self.assertNoResult(gone)
        self.clock.advance(5)
        self.server.flush()
        self.successResultOf(gone)
        for peer in peers:
            self.assertEqual(readFrames(peer.received)[-1].payload[:2], b"\x03\xe9")
            self.assertIsNotNone(peer.lost)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class BlockedTests(HostileTests):
    """
    A reactor that did not run for a while.
    """

    def test_minuteAway(self) -> None:
        """
        After a minute in which the process was stopped, what its peers have sent
        meanwhile is read before they are judged; only one that is gone is dropped, and
        the log says that it was the reactor.
        """
        self.serve(keepaliveInterval=20, keepaliveGracePeriod=10)
        peer = self.opened()
        self.passTime(19)
        peer.send(masked(0x8A))
        self.passTime(15)
        self.events.clear()
        for _ in range(3):
            # It wakes: timers first, as in a reactor, what has come only then.
            self.clock.advance(60)
            self.assertIsNone(peer.lost)
            peer.send(masked(0x8A))
            self.server.carriers[0][0].write(masked(0x8A))
            self.server.flush()
            self.passTime(1)
            self.assertIsNone(peer.lost)
        self.assertServed()
        lines = [str(event["log_format"]) for event in self.events]
        self.assertTrue(any("reactor was blocked" in line for line in lines), lines)
        self.assertFalse(any("sent nothing" in line for line in lines), lines)
