# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.watches}: C{sendStallTimeout} and C{idleTimeout}.  Keepalive is in
L{tests.test_keepalive}.
"""

from __future__ import annotations

from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import BOTH, CLOSE_1000, Conversation
from tests.test_outbox import congested
from twisted_ws import ClosedAbruptly
from twisted_ws._wire.state import State
from twisted_ws.testing import MemoryCarrier


def takes(c: Conversation, size: int) -> None:
    """
    Have the peer take this many bytes, and no more.
    """
    c.peerCarrier.resumeProducing()
    c.carrier.moveOn(size)
    c.stopReading()


def writes(c: Conversation) -> None:
    """
    Have us write to the full carrier, if we still can.
    """
    for _ in range(10):
        if c.connection.state == State.OPEN:
            c.connection.pong(b"x" * 100)


ENDS = [
    lambda c: c.connection.close(),
    lambda c: c.send(CLOSE_1000),
    lambda c: c.send((0x83, b"")),
    lambda c: c.connection.abortConnection(),
    lambda c: c.resetCarrier(),
    lambda c: c.dropCarrier(),
    lambda c: c.loseNow(),
]


class StallTests(SynchronousTestCase):
    """
    C{sendStallTimeout}.
    """

    def test_exactTime(self):
        """
        A peer that takes nothing for that long is aborted then, whatever it sends.
        """
        for isServer, role in BOTH:
            c = congested(isServer, pauseWhileCongested=False)
            for _ in range(119):
                c.advance(0.25)
                c.send((0x81, b"me"), (0x89, b""))
                self.assertEqual(c.receiver.losses, 0, role)
            c.advance(0.25)
            self.assertEqual(c.receiver.losses, 1, role)
            self.assertIsInstance(c.receiver.reason, ClosedAbruptly, role)
            self.assertEqual(c.timers, 0, role)

    def test_configured(self):
        """
        The time can be set, and set to none.
        """
        c = congested(sendStallTimeout=2.5)
        c.advance(2.25)
        self.assertEqual(c.receiver.losses, 0)
        c.advance(0.25)
        self.assertEqual(c.receiver.losses, 1)
        c = congested(sendStallTimeout=None)
        self.assertEqual(c.timers, 0)
        c.advance(1e6)
        self.assertEqual(c.receiver.losses, 0)

    def test_logged(self):
        """
        It is logged once, with the bytes and the option; and counted.
        """
        c = congested()
        c.connection.sendMessage("x")
        waiting = c.connection.bufferedAmount
        with capturedLogs() as logged:
            c.advance(30)
        (text,) = [formatEvent(event) for event in logged]
        self.assertEqual(logged[0]["log_level"], LogLevel.info)
        self.assertIn(f"{waiting} bytes for sendStallTimeout (30 s)", text)
        self.assertIn(str(c.receiver.reason), text)
        self.assertEqual(c.server.factory.budget.counts, {"stalled": 1})

    def test_anyByte(self):
        """
        One byte in each period will do, however much waits.
        """
        for isServer, role in BOTH:
            c = congested(isServer)
            c.connection.sendMessage("x" * 10_000)
            for _ in range(20):
                c.advance(29)
                takes(c, 1)
                c.advance(1)
            self.assertEqual(c.receiver.losses, 0, role)
            c.advance(30)
            self.assertEqual(c.receiver.losses, 1, role)

    def test_writtenMeanwhile(self):
        """
        Pings that are written meanwhile neither hide what the peer takes nor look like
        it.
        """
        for reads in (True, False):
            c = congested(pauseWhileCongested=False)
            for _ in range(3):
                if reads:
                    takes(c, 3)
                writes(c)
                c.advance(30)
            self.assertEqual(c.receiver.losses, 0 if reads else 1)

    def test_grows(self):
        """
        What makes the bytes in the carrier more, as encryption does, is not of the
        peer's doing.
        """
        c = congested()
        for _ in range(3):
            c.advance(10)
            c.carrier.outgoing += b"record"
        self.assertEqual(c.receiver.losses, 1)

    def test_drained(self):
        """
        A peer that takes all, and is sent as much again, is not mistaken for one that
        took nothing.
        """
        c = congested()
        for _ in range(5):
            c.advance(29)
            c.readOn()
            c.congest()
        self.assertEqual(c.receiver.losses, 0)
        c.advance(29)
        self.assertEqual(c.receiver.losses, 0)
        c.advance(1)
        self.assertEqual(c.receiver.losses, 1)

    def test_nothingWaits(self):
        """
        While nothing waits nothing is watched.
        """
        c = Conversation(keepalive=False)
        c.stopReading()
        c.connection.sendMessage(bytes(MemoryCarrier.highWater // 2))
        self.assertEqual(c.timers, 0)
        c.congest()
        self.assertEqual(c.timers, 1)
        c.readOn()
        self.assertEqual(c.timers, 0)
        c.advance(1e6)
        self.assertEqual(c.receiver.losses, 0)

    def test_halfDrained(self):
        """
        When the carrier is full again of what waited, it is watched anew; and then no
        more.
        """
        c = congested(maxSendBuffer=None)
        c.connection.sendMessage(bytes(2 * MemoryCarrier.highWater))
        for expected in (1, 0):
            takes(c, 1 << 30)
            self.assertEqual(c.timers, expected)

    def test_noTimerLeft(self):
        """
        However the connection ends, no timer is left.
        """
        for isServer, role in BOTH:
            for number, end in enumerate(ENDS):
                c = congested(isServer, pauseWhileCongested=False)
                self.assertEqual(c.timers, 1, role)
                end(c)
                c.advance(5)
                if not c.carrier.disconnected:
                    c.resetCarrier()
                self.assertEqual(c.timers, 0, (number, role))
                self.assertEqual(c.receiver.losses, 1, (number, role))

    def test_whileClosing(self):
        """
        While the connection closes C{closeTimeout} watches, not this.
        """
        c = congested(closeTimeout=100)
        c.connection.close()
        c.advance(99)
        self.assertEqual(c.receiver.losses, 0)
        c.advance(1)
        self.assertIn("closeTimeout", str(c.receiver.reason))


class IdleTests(SynchronousTestCase):
    """
    C{idleTimeout}.
    """

    def test_closed(self):
        """
        A connection without messages is closed with 1001.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, keepalive=False, idleTimeout=60)
            c.advance(59)
            self.assertEqual((c.take(), c.timers), ([], 1), role)
            with capturedLogs() as logged:
                c.advance(1)
            ((first, payload),) = c.take()
            self.assertEqual((first, payload[:2]), (0x88, b"\x03\xe9"), role)
            self.assertIn(b"idleTimeout (60 s)", payload, role)
            (text,) = [formatEvent(event) for event in logged]
            self.assertIn("idleTimeout (60 s)", text)
            c.send((0x88, b"\x03\xe9"))
            if not isServer:
                c.dropCarrier()
            self.assertEqual((c.receiver.losses, c.timers), (1, 0), role)
            if isServer:
                self.assertEqual(c.server.factory.budget.counts, {"idle": 1})

    def test_default(self):
        """
        By default there is no limit, and no timer.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, keepalive=False)
            self.assertEqual(c.timers, 0, role)

    def test_messages(self):
        """
        Messages keep it open, in either direction, whole or in pieces, empty or not.
        """
        kinds = [
            ("received", lambda c: c.send((0x81, b"x"))),
            ("received empty", lambda c: c.send((0x81, b""))),
            ("received byte by byte", lambda c: c.sendBytes(c.next())),
            ("sent", lambda c: c.connection.sendMessage("x")),
            ("sent empty", lambda c: c.connection.sendMessage("")),
            ("sent in pieces", lambda c: c.message.write("x")),
        ]
        for isServer, role in BOTH:
            for name, act in kinds:
                c = Conversation(isServer, keepalive=False, idleTimeout=60)
                c.message = c.connection.beginMessage() if "pieces" in name else None
                long = c.frame(0x81, b"x" * 99)
                c.next = iter([long[at : at + 1] for at in range(99)]).__next__
                for _ in range(6):
                    c.advance(55)
                    act(c)
                self.assertEqual(c.connection.state, State.OPEN, f"{name}, {role}")
                c.advance(60)
                c.advance(60)
                self.assertEqual(c.connection.closeSent.code, 1001, f"{name}, {role}")

    def test_controls(self):
        """
        Pings and pongs, theirs and ours, do not.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, keepalive=True, idleTimeout=60)
            for number in range(12):
                c.advance(5)
                c.send((0x89, b"%d" % number), (0x8A, b""))
                if c.connection.state == State.OPEN:
                    c.connection.ping().addErrback(id)
                    c.connection.pong()
            self.assertEqual(c.connection.closeSent.code, 1001, role)

    def test_slowReader(self):
        """
        A message that the peer still takes is not over; when it takes nothing of it any
        more the connection is idle.
        """
        c = congested(sendStallTimeout=None, idleTimeout=60)
        for _ in range(10):
            c.advance(55)
            takes(c, 5)
        self.assertEqual(c.connection.state, State.OPEN)
        for _ in range(12):
            c.advance(10)
            writes(c)
        self.assertEqual(c.connection.closeSent.code, 1001)

    def test_noTimerLeft(self):
        """
        However the connection ends, no timer is left.
        """
        for isServer, role in BOTH:
            for number, end in enumerate(ENDS):
                c = Conversation(isServer, idleTimeout=60, keepalive=True)
                self.assertEqual(c.timers, 2, role)
                end(c)
                c.advance(5)
                if not c.carrier.disconnected:
                    c.resetCarrier()
                self.assertEqual(c.timers, 0, (number, role))

    def test_native(self):
        """
        C{useNativeKeepalive} takes the place of pings only.
        """
        c = Conversation(keepalive=True, useNativeKeepalive=True, idleTimeout=60)
        self.assertTrue(c.carrier.keepAlive)
        self.assertEqual(c.timers, 1)
        c.congest()
        self.assertEqual(c.timers, 2)
        c.advance(30)
        self.assertIn("sendStallTimeout", str(c.receiver.reason))
        self.assertEqual(c.timers, 0)
