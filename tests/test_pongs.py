# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.pongs}: pings are answered, no faster than C{maxPongRate}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import BOTH, CLOSE_1000, Conversation
from tests.test_outbox import congested
from twisted_ws.pongs import Pongs
from twisted_ws.testing import RecordingReceiver


class PongsTestCase(SynchronousTestCase):
    """
    L{Pongs} by itself.
    """

    def setUp(self):
        self.clock = Clock()
        self.sent = []
        self.hasRoom = True

    def pongs(self, rate):
        """
        @return: one that writes down what it sends.
        """
        return Pongs(rate, self.clock, self.sent.append, lambda: self.hasRoom)


class RateTests(PongsTestCase):
    """
    How many are sent.
    """

    def test_burst(self):
        """
        As many as may be sent in a second are sent at once; of more, the newest, when
        its time has come.
        """
        pongs = self.pongs(5)
        for number in range(9):
            pongs.pinged(b"%d" % number)
        self.assertEqual(self.sent, [b"0", b"1", b"2", b"3", b"4"])
        self.assertEqual(pongs.owed, b"8")
        self.clock.advance(0.1875)
        self.assertEqual(len(self.sent), 5)
        self.clock.advance(0.0125)
        self.assertEqual(self.sent[5:], [b"8"])
        self.assertIsNone(pongs.owed)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_longRun(self):
        """
        In the long run there are as many in each second, and never two seconds' worth
        within one second.
        """
        for rate in (1, 3, 7, 50):
            self.setUp()
            pongs = self.pongs(rate)
            times = []
            pongs._send = lambda payload, t=times: t.append(self.clock.seconds())
            for _ in range(10_000):
                pongs.pinged(b"x")
                self.clock.advance(1 / 1000)
            self.assertLessEqual(len(times), 11 * rate)
            self.assertGreaterEqual(len(times), 10 * rate)
            for first, last in zip(times, times[2 * rate :], strict=False):
                self.assertGreater(last - first, 1 - 1e-6)
            pongs.stop()

    def test_saved(self):
        """
        A quiet while saves up no more than one second's worth.
        """
        pongs = self.pongs(3)
        self.clock.advance(1000)
        for number in range(9):
            pongs.pinged(b"%d" % number)
        self.assertEqual(self.sent, [b"0", b"1", b"2"])
        pongs.stop()

    def test_slow(self):
        """
        Pings that come no faster than that are all answered at once.
        """
        pongs = self.pongs(10)
        for number in range(500):
            pongs.pinged(b"%d" % number)
            self.assertEqual(len(self.sent), number + 1)
            self.clock.advance(0.1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_all(self):
        """
        With C{None} all are.
        """
        pongs = self.pongs(None)
        for number in range(1000):
            pongs.pinged(b"%d" % number)
        self.assertEqual(len(self.sent), 1000)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class RoomTests(PongsTestCase):
    """
    A carrier without room.
    """

    def test_owed(self):
        """
        Of those that came meanwhile the newest is answered, when there is room.
        """
        for rate in (None, 5):
            self.setUp()
            pongs = self.pongs(rate)
            self.hasRoom = False
            for number in range(9):
                pongs.pinged(b"%d" % number)
            self.assertEqual((self.sent, pongs.owed), ([], b"8"))
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.hasRoom = True
            pongs.roomAgain()
            self.assertEqual((self.sent, pongs.owed), ([b"8"], None))
            pongs.roomAgain()
            self.assertEqual(self.sent, [b"8"])

    def test_fullWhenItsTimeHasCome(self):
        """
        One that waits for its time, and then for room, is sent when there is both.
        """
        pongs = self.pongs(1)
        pongs.pinged(b"0")
        pongs.pinged(b"1")
        self.hasRoom = False
        self.clock.advance(1)
        self.assertEqual((self.sent, pongs.owed), ([b"0"], b"1"))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.hasRoom = True
        pongs.roomAgain()
        self.assertEqual(self.sent, [b"0", b"1"])

    def test_roomBeforeItsTime(self):
        """
        Room alone does not do.
        """
        pongs = self.pongs(1)
        pongs.pinged(b"0")
        pongs.pinged(b"1")
        pongs.roomAgain()
        self.assertEqual(self.sent, [b"0"])
        self.clock.advance(1)
        self.assertEqual(self.sent, [b"0", b"1"])

    def test_stop(self):
        """
        When it is stopped nothing is sent, and no timer is left.
        """
        pongs = self.pongs(1)
        pongs.pinged(b"0")
        pongs.pinged(b"1")
        pongs.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        pongs.roomAgain()
        self.clock.advance(10)
        self.assertEqual((self.sent, pongs.owed), ([b"0"], None))

    def test_withinTheSending(self):
        """
        A ping that comes while a pong is sent is not lost.
        """
        pongs = self.pongs(2)

        def send(payload):
            self.sent.append(payload)
            if len(self.sent) < 4:
                pongs.pinged(b"%d" % len(self.sent))

        pongs._send = send
        pongs.pinged(b"0")
        self.assertEqual(self.sent, [b"0", b"1"])
        self.clock.advance(0.5)
        self.assertEqual(self.sent, [b"0", b"1", b"2"])
        self.clock.advance(0.5)
        self.assertEqual(self.sent, [b"0", b"1", b"2", b"3"])


class ConnectionTests(SynchronousTestCase):
    """
    The pongs of a connection.
    """

    def pings(self, c, *numbers):
        """
        Have the peer send pings.
        """
        c.send(*[(0x89, b"%d" % number) for number in numbers])

    def test_rate(self):
        """
        It answers C{maxPongRate} pings a second.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, keepalive=False, maxPongRate=2)
            self.pings(c, *range(9))
            self.assertEqual(c.take(), [(0x8A, b"0"), (0x8A, b"1")], role)
            c.advance(0.5)
            self.assertEqual(c.take(), [(0x8A, b"8")], role)
            self.assertEqual(c.timers, 0, role)

    def test_default(self):
        """
        By default that is 50.
        """
        c = Conversation(keepalive=False)
        self.pings(c, *range(99))
        self.assertEqual(len(c.take()), 50)

    def test_congested(self):
        """
        A peer that does not read makes no pong wait in the carrier, however many pings
        it sends; when it reads, the newest is answered, before what waits.
        """
        for isServer, role in BOTH:
            c = congested(isServer, pauseWhileCongested=False)
            c.connection.sendMessage("behind")
            before = len(c.carrier.outgoing)
            for number in range(2000):
                self.pings(c, number)
            self.assertEqual(len(c.carrier.outgoing), before, role)
            c.readOn()
            self.assertEqual(c.take()[-2:], [(0x8A, b"1999"), (0x81, b"behind")], role)

    def test_congestedUnderTheMark(self):
        """
        So it is when senders need not wait yet, and when much is left.
        """
        c = congested(sendHighWater=1 << 20, sendLowWater=0, pauseWhileCongested=False)
        for _ in range(20):
            c.connection.sendMessage(bytes(10_000))
        self.pings(c, 1)
        c.peerCarrier.resumeProducing()
        c.carrier.moveOn(1 << 30)
        c.stopReading()
        self.assertEqual(c.carrier.outgoing[:3], b"\x8a\x011")
        c.readOn()

    def test_fullWhenItsTimeHasCome(self):
        """
        A pong whose time has come does not go to a carrier that is full by then.
        """
        c = Conversation(keepalive=False, maxPongRate=1, pauseWhileCongested=False)
        self.pings(c, 1, 2)
        c.congest()
        before = len(c.carrier.outgoing)
        c.advance(1)
        self.assertEqual(len(c.carrier.outgoing), before)
        c.readOn()
        self.assertEqual(c.take()[-1], (0x8A, b"2"))

    def test_nothingLeft(self):
        """
        However the connection ends, no timer is left and no pong comes any more.
        """
        ends = [
            lambda c: c.connection.close(),
            lambda c: c.send(CLOSE_1000),
            lambda c: c.send((0x83, b"")),
            lambda c: c.connection.abortConnection(),
            lambda c: c.resetCarrier(),
            lambda c: c.loseNow(),
        ]
        for isServer, role in BOTH:
            for number, end in enumerate(ends):
                c = Conversation(isServer, keepalive=False, maxPongRate=1)
                self.pings(c, 1, 2)
                c.take()
                self.assertEqual(c.timers, 1, role)
                end(c)
                c.advance(10)
                self.assertNotIn((0x8A, b"2"), c.take(), (number, role))
                if not c.carrier.disconnected:
                    c.resetCarrier()
                self.assertEqual(c.timers, 0, (number, role))

    def test_ownPongs(self):
        """
        Pongs that the application sends itself are its own business.
        """

        class Receiver(RecordingReceiver):
            def pingReceived(self, payload):
                return True

        c = Conversation(True, Receiver(), keepalive=False, maxPongRate=1)
        for number in range(5):
            self.pings(c, number)
            c.connection.pong(b"own")
        self.assertEqual(c.take(), [(0x8A, b"own")] * 5)
