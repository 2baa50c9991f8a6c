# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.pending}: messages that take time, when the connection ends.
"""

from __future__ import annotations

from tests.conversation import BOTH, CLOSE_1000, Conversation
from tests.working import PEERS_ENDS, EndTestCase, Working, drop, texts, words
from twisted_ws import ClosedCleanly
from twisted_ws._wire.errors import TryAgainLater
from twisted_ws._wire.state import State


class Sending(Working):
    """
    Sends each message back, which it cannot always.
    """

    def messageReceived(self, message):
        done = Working.messageReceived(self, message)
        return done.addCallback(lambda _: self.transport.sendMessage(message))


class PeerEndsTests(EndTestCase):
    """
    The peer ends the connection.
    """

    def test_delivered(self):
        """
        What came before is delivered, one after the other; the end comes last.
        """
        for isServer, role in BOTH:
            for name, end, kind in PEERS_ENDS:
                for receiver in (Working, Sending):
                    c = Conversation(isServer, receiver())
                    texts(c, *range(5))
                    end(c)
                    self.assertEqual(c.connection.state, State.CLOSED, (name, role))
                    for number in range(5):
                        expected = words(*range(number + 1))
                        self.assertEqual(c.receiver.events, expected, (name, role))
                        c.receiver.finish(str(number))
                    self.assertOver(c, *words(*range(5)))
                    self.assertIsInstance(c.receiver.reason, kind)

    def test_nothingLeft(self):
        """
        When nothing is at work, the end comes at once.
        """
        for isServer, _ in BOTH:
            for _, end, _ in PEERS_ENDS:
                c = Conversation(isServer, Working())
                texts(c, 0, 1)
                c.receiver.finishAll()
                end(c)
                self.assertOver(c, *words(0, 1))

    def test_several(self):
        """
        Several may be at work; the end comes after the last of them, in whichever
        order they are done.
        """
        for order in ("012", "210", "102"):
            c = Conversation(True, Working(), concurrentMessages=3)
            texts(c, 0, 1, 2)
            c.dropCarrier()
            for number in order:
                self.assertNotIn("lost", c.receiver.events)
                c.receiver.finish(number)
            self.assertOver(c, *words(0, 1, 2))

    def test_notWithinDelivery(self):
        """
        The end does not come within the last delivery, though that makes all others
        done; it waits for what this one began.
        """

        class Chained(Working):
            def messageReceived(self, message):
                if message == "2":
                    self.finish("1")
                done = Working.messageReceived(self, message)
                self.events.append(f"{message} delivered")
                return done

        c = Conversation(True, Chained(), concurrentMessages=2)
        texts(c, 0, 1, 2)
        c.dropCarrier()
        c.receiver.finish("0")
        delivered = [each for n in words(0, 1, 2) for each in (n, f"{n} delivered")]
        self.assertEqual(c.receiver.events, delivered)
        c.receiver.finish("2")
        self.assertOver(c, *delivered)

    def test_lostWithinDelivery(self):
        """
        Where a carrier is lost within a delivery, the receiver is told then; what it
        returns afterwards is not waited for, but its failure is logged.
        """

        class Losing(Working):
            def messageReceived(self, message):
                c.loseNow()
                return Working.messageReceived(self, message)

        c = Conversation(True, Losing())
        texts(c, 0, 1)
        self.assertEqual(c.receiver.events, ["lost", "0"])
        c.receiver.work["0"].errback(ValueError())
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(c.receiver.losses, 1)
        self.assertEqual((c.timers, c.connection._budget.held), (0, 0))

    def test_lostWhenReadAgain(self):
        """
        So it is when that happens as the connection is read from again.
        """

        class Losing(Working):
            def messageReceived(self, message):
                if message == "1":
                    c.loseNow()
                return Working.messageReceived(self, message)

        c = Conversation(True, Losing(), maxPendingMessages=1)
        texts(c, 0, 1, 2)
        c.receiver.finish("0")
        self.assertEqual(c.receiver.events, ["0", "lost", "1"])
        self.assertEqual((c.timers, c.connection._budget.held), (0, 0))

    def test_failsAfterwards(self):
        """
        A message that fails after the end of the connection is logged, and what waits
        behind it is not delivered.
        """
        for isServer, _ in BOTH:
            c = Conversation(isServer, Working())
            texts(c, 0, 1, 2)
            c.dropCarrier()
            c.receiver.work.pop("0").errback(ValueError())
            self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
            self.assertOver(c, "0")
            self.assertIsNone(c.receiver.reason.__cause__)

    def test_notRead(self):
        """
        What the peer sent, but the application did not take in yet, as it has
        C{maxPendingMessages} at work, is delivered before the peer's Close frame is
        answered.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, Working(), maxPendingMessages=2)
            c.send(*[(0x81, b"%d" % number) for number in range(6)], CLOSE_1000)
            self.assertEqual(c.take(), [], role)
            c.receiver.finishAll()
            self.assertEqual(c.take(), [CLOSE_1000], role)
            drop(c)
            self.assertOver(c, *words(*range(6)))


class OurEndTests(EndTestCase):
    """
    We end the connection.
    """

    def test_abort(self):
        """
        Aborting drops what waits; the end comes when what is at work is done.
        """
        for isServer, _ in BOTH:
            c = Conversation(isServer, Working())
            texts(c, 0, 1, 2)
            c.connection.abortConnection()
            c.flush()
            c.receiver.finish("0")
            self.assertOver(c, "0")

    def test_failure(self):
        """
        So does a failure, also of what is at work beside others; and nothing that was
        not read yet takes the place of what is dropped.
        """
        for isServer, role in BOTH:
            for most in (3, 8, 100):
                c = Conversation(
                    isServer,
                    Working(),
                    concurrentMessages=2,
                    maxPendingMessages=most,
                )
                texts(c, *range(20))
                c.receiver.work.pop("1").errback(ValueError())
                self.assertEqual(c.connection.state, State.DISCARDING, role)
                c.receiver.finish("0")
                drop(c)
                self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
                self.assertOver(c, *words(0, 1))

    def test_close(self):
        """
        Closing delivers what waits, and what comes before the peer's Close frame.
        """
        for isServer, _ in BOTH:
            c = Conversation(isServer, Working())
            texts(c, 0, 1)
            c.connection.close()
            c.send((0x81, b"2"), CLOSE_1000)
            drop(c)
            c.receiver.finishAll()
            self.assertOver(c, *words(0, 1, 2))

    def test_closeWhileFull(self):
        """
        Closing while there are C{maxPendingMessages} finds the peer's Close frame, and
        delivers those; what was not read yet is dropped.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, Working(), maxPendingMessages=3)
            texts(c, *range(9))
            self.assertTrue(c.connection.isPaused)
            c.connection.close()
            self.assertFalse(c.carrier.isPaused, role)
            texts(c, 9)
            c.send(CLOSE_1000)
            drop(c)
            c.receiver.finishAll()
            self.assertOver(c, *words(0, 1, 2))
            self.assertIsInstance(c.receiver.reason, ClosedCleanly)

    def test_fullWhileClosing(self):
        """
        Of what comes while the connection closes, C{maxPendingMessages} are kept; what
        comes behind them is dropped up to the peer's Close frame, though some of
        them are done meanwhile.
        """
        for isServer, _ in BOTH:
            c = Conversation(isServer, Working(), maxPendingMessages=3)
            texts(c, 0)
            c.connection.close()
            texts(c, 1, 2, 3)
            c.receiver.finish("0")
            c.receiver.finish("1")
            texts(c, 4)
            c.send(CLOSE_1000)
            drop(c)
            c.receiver.finishAll()
            self.assertOver(c, *words(0, 1, 2))

    def test_budget(self):
        """
        A connection that lets go of what it holds drops what waits, and reads nothing
        in its place.
        """
        c = Conversation(True, Working(), maxPendingMessages=3)
        texts(c, *range(9))
        c.connection.letGo(TryAgainLater("too much"))
        self.assertEqual(c.take(), [(0x88, b"\x03\xf5too much")])
        c.receiver.finishAll()
        drop(c)
        self.assertOver(c, "0")

    def test_withinDelivery(self):
        """
        A receiver may end the connection from within a message that waited.
        """
        expected = {
            "close": words(0, 1, 2),
            "abortConnection": words(0, 1),
            "loseConnection": words(0, 1, 2),
        }
        for isServer, role in BOTH:
            for call, events in expected.items():

                class Ending(Working):
                    call = ""

                    def messageReceived(self, message):
                        if message == "1":
                            getattr(self.transport, self.call)()
                        return Working.messageReceived(self, message)

                c = Conversation(isServer, Ending())
                c.receiver.call = call
                texts(c, 0, 1, 2)
                c.receiver.finishAll()
                c.flush()
                if not c.carrier.disconnected:
                    c.send(CLOSE_1000)
                    drop(c)
                self.assertEqual(c.receiver.events, [*events, "lost"], (call, role))
                self.assertOver(c, *events)

    def test_pauseWithinDelivery(self):
        """
        It may pause from within one: what came before is still delivered, as it is at
        work already, but nothing more is read.
        """

        class Pausing(Working):
            def messageReceived(self, message):
                if message == "0":
                    self.transport.pauseProducing()
                return Working.messageReceived(self, message)

        c = Conversation(True, Pausing())
        texts(c, 0, 1, 2)
        c.receiver.finishAll()
        self.assertEqual(c.receiver.events, ["0"])
        c.connection.resumeProducing()
        c.receiver.finishAll()
        self.assertEqual(c.receiver.events, words(0, 1, 2))
