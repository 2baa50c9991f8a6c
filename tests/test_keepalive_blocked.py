# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.keepalive}: silence that is ours, because the reactor was blocked, or
because we do not read; and peers that do nothing but read.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import BOTH, Conversation
from tests.test_keepalive import PING, watched
from twisted_ws.keepalive import blockedSince
from twisted_ws.timers import Timers


def block(c: Conversation, seconds: float) -> None:
    """
    Let time pass in which the reactor does nothing, and then what it does at once.
    """
    c.clock.rightNow += seconds
    c.turn()
    c.turn()


class BlockedTests(SynchronousTestCase):
    """
    The reactor is blocked while a peer has its grace.
    """

    def test_onceMore(self):
        """
        The peer is asked once more, and has as long as before to answer.
        """
        for isServer, role in BOTH:
            c = watched(isServer)
            c.advance(20)
            c.take()
            block(c, 15)
            self.assertEqual(c.take(), [PING], role)
            c.advance(9.75)
            self.assertEqual(c.receiver.losses, 0, role)
            c.send((0x8A, b""))
            c.advance(0.25)
            self.assertEqual((c.receiver.losses, c.timers), (0, 1), role)

    def test_logged(self):
        """
        It is logged for how long the reactor was blocked, and how long the peer has
        now.
        """
        c = watched()
        c.advance(20)
        with capturedLogs() as logged:
            block(c, 15)
        own = [event for event in logged if "grace" in event]
        (text,) = [formatEvent(event) for event in own]
        self.assertEqual(own[0]["log_level"], LogLevel.info)
        self.assertIn("was blocked for 5.0 s", text)
        self.assertIn("keepaliveGracePeriod (10 s) once more", text)
        self.assertIn(str(c.carrier.getPeer()), text)

    def test_onlyOnce(self):
        """
        A reactor that is blocked again and again does not keep a peer that is gone.
        """
        for isServer, role in BOTH:
            c = watched(isServer)
            c.advance(20)
            block(c, 12)
            self.assertEqual(c.receiver.losses, 0, role)
            block(c, 12)
            self.assertEqual((c.receiver.losses, c.timers), (1, 0), role)

    def test_anotherTime(self):
        """
        A peer that gave a sign of life meanwhile has that chance anew.
        """
        c = watched()
        for _ in range(3):
            c.advance(20)
            block(c, 12)
            self.assertEqual(c.receiver.losses, 0)
            c.send((0x8A, b""))
            c.advance(10)
            c.advance(0)

    def test_before(self):
        """
        What was blocked before the peer was asked does not count.
        """
        c = watched()
        block(c, 40)
        self.assertEqual(c.take(), [PING])
        c.advance(10)
        self.assertEqual(c.receiver.losses, 1)

    def test_notDropped(self):
        """
        Where silent peers are not dropped they need no more time.
        """
        c = watched(dropConnectionOnKeepaliveTimeout=False)
        c.advance(20)
        c.take()
        block(c, 15)
        self.assertEqual(c.take(), [])

    def test_blockedSince(self):
        """
        Clocks that do not notice say that it was not blocked.
        """
        clock = Clock()
        self.assertEqual(blockedSince(clock, 0.0), 0.0)
        timers = Timers(clock)
        timers.callLater(1, int)
        clock.advance(6)
        self.assertEqual(blockedSince(timers, 0.0), 5.0)


class ReadingTests(SynchronousTestCase):
    """
    A peer that sends nothing, but takes what we send.
    """

    def takes(self, c, size):
        """
        Have it take so many bytes.
        """
        c.peerCarrier.resumeProducing()
        c.carrier.moveOn(size)
        c.stopReading()

    def test_slowly(self):
        """
        That it takes some of a long message is a sign of life, though it is far from
        having all.
        """
        for isServer, role in BOTH:
            c = watched(isServer, pauseWhileCongested=False, sendStallTimeout=None)
            c.stopReading()
            c.connection.sendMessage(bytes(1 << 20))
            for _ in range(20):
                c.advance(9)
                self.takes(c, 100)
            self.assertEqual(c.receiver.losses, 0, role)
            for _ in range(5):
                c.advance(10)
            self.assertEqual((c.receiver.losses, c.timers), (1, 0), role)

    def test_ownWrites(self):
        """
        What we write to a carrier that is full is none.
        """
        c = watched(pauseWhileCongested=False, sendStallTimeout=None)
        c.congest()
        for _ in range(3):
            c.connection.pong(b"x")
            c.advance(10)
        self.assertEqual(c.receiver.losses, 1)

    def test_pausedForIt(self):
        """
        While we do not read because the peer does not either, it is not dropped for its
        silence, nor asked: that is left to C{sendStallTimeout}.
        """
        c = watched(sendStallTimeout=None)
        c.congest()
        before = len(c.carrier.outgoing)
        for _ in range(20):
            c.advance(10)
        self.assertEqual(len(c.carrier.outgoing), before)
        self.assertEqual((c.receiver.losses, c.timers), (0, 1))
        c = watched()
        c.congest()
        c.advance(20)
        c.advance(10)
        self.assertIn("sendStallTimeout", str(c.receiver.reason))


class PausedTests(SynchronousTestCase):
    """
    The application does not read.
    """

    def test_pinged(self):
        """
        The peer is sent a ping in each interval, since writing finds out that it is
        gone.
        """
        for isServer, role in BOTH:
            c = watched(isServer)
            c.connection.pauseProducing()
            for _ in range(3):
                c.advance(20)
                self.assertEqual(c.take(), [PING], role)
            c.peer.transport.abortConnection()
            c.flush()
            self.assertEqual(c.receiver.losses, 0, role)
            c.advance(20)
            self.assertEqual((c.receiver.losses, c.timers), (1, 0), role)

    def test_countsOnce(self):
        """
        These pings do not wait for pongs that nobody reads: the connection stays as
        long as it is paused.
        """
        c = watched(keepaliveInterval=1, keepaliveGracePeriod=1)
        c.connection.pauseProducing()
        for _ in range(1000):
            c.advance(1)
            c.peer.take()
        self.assertEqual((c.receiver.losses, c.timers), (0, 1))
