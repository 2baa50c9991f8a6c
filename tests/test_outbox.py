# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.outbox}: what waits while the carrier has no room, in which order it goes
out, and what becomes of it when the connection ends.  What happens when there is too
much is in L{tests.test_outbox_policies}, what extensions see in
L{tests.test_outbox_encoding}, calls that come back in L{tests.test_outbox_reentrancy}.
"""

from __future__ import annotations

from twisted.internet.interfaces import IPushProducer
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.conversation import BOTH, CLOSE_1000, Conversation, facts, reassembled
from twisted_ws import (
    ClosedAbruptly,
    ClosedCleanly,
    ConnectionClosed,
    Frame,
)
from twisted_ws._wire.frames import Opcode
from twisted_ws._wire.state import State
from twisted_ws.testing import MemoryCarrier, RecordingReceiver
from twisted_ws.waiting import COST

FULL = (0x82, bytes(MemoryCarrier.highWater))
"""
What C{Conversation.congest} sends, reassembled.
"""


def congested(isServer: bool = True, **options) -> Conversation:
    """
    @return: a conversation whose carrier has no room.
    """
    c = Conversation(isServer, **{"keepalive": False, **options})
    c.congest()
    return c


def texts(c: Conversation) -> list[str]:
    """
    @return: the texts that came to the peer, behind what filled the carrier.
    """
    frames = reassembled(c.take())
    assert frames[0] == FULL, frames[:1]
    return [payload.decode() for first, payload in frames[1:] if first == 0x81]


def noted(failure, order, number):
    """
    Write down that one failed.
    """
    order.append(number)
    return failure


class Raising(RecordingReceiver):
    """
    Raises at each message.
    """

    def messageReceived(self, message):
        raise ZeroDivisionError


class WaitingTests(SynchronousTestCase):
    """
    What waits, and when.
    """

    def test_interface(self):
        """
        It is the carrier's L{IPushProducer}.
        """
        c = Conversation()
        self.assertIs(c.carrier.producer, c.connection._outbox)
        self.assertTrue(verifyObject(IPushProducer, c.connection._outbox))

    def test_room(self):
        """
        While the carrier has room nothing waits here, and nothing is made for it.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer)
            first = c.connection.sendMessage("one")
            self.assertIs(first, c.connection.sendMessage(b"two"), role)
            self.assertIsNone(self.successResultOf(first), role)
            self.assertIsNone(c.connection._outbox._waiting, role)
            self.assertEqual(c.take(), [(0x81, b"one"), (0x82, b"two")], role)

    def test_whatFills(self):
        """
        The message that fills the carrier is handed on itself; the next one waits.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer)
            c.stopReading()
            filling = c.connection.sendMessage(bytes(MemoryCarrier.highWater))
            self.assertTrue(filling.called, role)
            waiting = c.connection.sendMessage("x")
            self.assertNoResult(waiting)
            self.assertEqual(c.connection._outbox.size, 1, role)
            c.readOn()
            self.assertIsNone(self.successResultOf(waiting), role)
            self.assertEqual(texts(c), ["x"], role)
            self.assertTrue(c.connection.sendMessage("y").called, role)

    def test_order(self):
        """
        Messages of all kinds go out in the order in which they were sent, and their
        Deferreds fire in it.
        """
        for isServer, role in BOTH:
            c = congested(isServer)
            sent, fired = [], []
            for number in range(20):
                if number % 5 == 4:
                    message = c.connection.beginMessage()
                    message.write(f"{number}")
                    message.write("!")
                    message.finish()
                    sent.append((0x81, f"{number}!".encode()))
                    continue
                data = f"{number}".encode()
                text = number % 2
                waiting = c.connection.sendMessage(data.decode() if text else data)
                waiting.addCallback(lambda _, fired, n: fired.append(n), fired, number)
                sent.append((0x81 if text else 0x82, data))
            self.assertEqual(fired, [], role)
            c.readOn()
            self.assertEqual(reassembled(c.take()), [FULL, *sent], role)
            self.assertEqual(fired, [n for n in range(20) if n % 5 != 4], role)

    def test_controlsOvertake(self):
        """
        Pings and pongs do not wait; they may come between the frames of a message.
        """
        for isServer, role in BOTH:
            c = congested(isServer)
            message = c.connection.beginMessage()
            message.write("a")
            c.connection.ping(b"?")
            message.write("b")
            c.connection.pong(b"!")
            message.finish()
            c.readOn()
            frames = c.take()[-5:]
            expected = [
                (0x89, b"?"),
                (0x8A, b"!"),
                (0x01, b"a"),
                (0, b"b"),
                (0x80, b""),
            ]
            self.assertEqual(frames, expected, role)

    def test_fullAgain(self):
        """
        No more is handed on than the carrier takes before it is full again.
        """
        c = congested()
        size = MemoryCarrier.highWater // 4
        waiting = [c.connection.sendMessage(bytes(size)) for _ in range(12)]
        done = []
        while c.connection._outbox.size:
            c.peerCarrier.resumeProducing()
            c.carrier.moveOn(1 << 30)
            c.stopReading()
            self.assertLessEqual(
                len(c.carrier.outgoing), MemoryCarrier.highWater + size
            )
            done.append(sum(each.called for each in waiting))
        self.assertEqual(done, [4, 8, 12])

    def test_byteByByte(self):
        """
        However the peer reads, everything arrives as it was sent.
        """
        for isServer, role in BOTH:
            c = congested(isServer)
            c.carrier.highWater = 50
            for number in range(40):
                c.connection.sendMessage(f"{number}")
            c.peerCarrier.resumeProducing()
            c.server.flush(7)
            self.assertEqual(texts(c), [f"{n}" for n in range(40)], role)

    def test_fragmented(self):
        """
        A long message that waited is cut into frames like any other.
        """
        c = congested(fragmentationThreshold=10)
        c.connection.sendMessage("a" * 25)
        c.readOn()
        expected = [(0x01, b"a" * 10), (0, b"a" * 10), (0x80, b"a" * 5)]
        self.assertEqual(c.take()[-3:], expected)

    def test_buffersAreCopied(self):
        """
        A buffer that waits may be used for something else.
        """
        for wrap in (bytearray, memoryview):
            c = congested()
            data = bytearray(b"before")
            c.connection.sendMessage(wrap(data))
            c.connection.sendFrame(Frame(Opcode.BINARY, wrap(data)))
            data[:] = b"behind"
            c.readOn()
            self.assertEqual(c.take()[-2:], [(0x82, b"before")] * 2, wrap)

    def test_refused(self):
        """
        What cannot be sent is refused while messages wait as well, and nothing of it
        is kept.
        """
        c = congested()
        before = c.connection._outbox.held
        self.assertRaises(UnicodeEncodeError, c.connection.sendMessage, "\ud800")
        self.assertRaises(TypeError, c.connection.sendMessage, 5)
        message = c.connection.beginMessage()
        message.write("a")
        self.assertRaises(ValueError, c.connection.sendMessage, "b")
        self.assertEqual(c.connection._outbox.held, before + COST + 1)


class ClosingTests(SynchronousTestCase):
    """
    Messages wait while the connection ends.
    """

    def test_close(self):
        """
        Our Close frame goes out behind them.
        """
        for isServer, role in BOTH:
            c = congested(isServer)
            waiting = [c.connection.sendMessage(each) for each in ("one", "two")]
            c.connection.close()
            self.assertEqual(c.connection.state, State.CLOSING, role)
            c.readOn()
            frames = c.take()
            self.assertEqual(
                frames[-3:], [(0x81, b"one"), (0x81, b"two"), CLOSE_1000], role
            )
            for each in waiting:
                self.assertIsNone(self.successResultOf(each), role)
            c.send(CLOSE_1000)
            if not isServer:
                c.dropCarrier()
            self.assertIsInstance(c.receiver.reason, ClosedCleanly, role)

    def test_closeOnly(self):
        """
        It does not wait where no message does, carrier full or not.
        """
        c = congested()
        c.connection.close()
        c.readOn()
        self.assertEqual(reassembled(c.take()), [FULL, CLOSE_1000])

    def test_closeTimeout(self):
        """
        When the peer takes nothing, C{closeTimeout} ends it, and they fail with the
        end.
        """
        for isServer, role in BOTH:
            c = congested(isServer)
            waiting = c.connection.sendMessage("lost")
            c.connection.close()
            c.advance(5)
            failure = self.failureResultOf(waiting, ClosedAbruptly)
            self.assertEqual(facts(failure.value), facts(c.receiver.reason), role)
            self.assertEqual(c.timers, 0, role)

    def test_peerCloses(self):
        """
        When the peer closes, it gets what waits before our Close frame; whether it
        read that is not known, so the Deferreds fail with the end.
        """
        for isServer, role in BOTH:
            c = congested(isServer, pauseWhileCongested=False)
            waiting = c.connection.sendMessage("one")
            c.send(CLOSE_1000)
            c.readOn()
            self.assertEqual(c.take()[-2:], [(0x81, b"one"), CLOSE_1000], role)
            if not isServer:
                c.dropCarrier()
            self.failureResultOf(waiting, ConnectionClosed)
            self.assertIsInstance(c.receiver.reason, ClosedCleanly, role)

    def test_violation(self):
        """
        So it is when the peer breaks the protocol.
        """
        for isServer, role in BOTH:
            c = congested(isServer, pauseWhileCongested=False)
            c.connection.sendMessage("one")
            c.send((0x83, b""))
            c.readOn()
            self.assertEqual(c.take()[-2][1], b"one", role)
            self.assertEqual(c.connection.closeSent.code, 1002, role)

    def test_otherEnds(self):
        """
        When the carrier ends they fail with the end, in their order, and nothing is
        kept of them; so it is when the receiver fails.
        """
        ends = [
            ("abort", lambda c: c.connection.abortConnection()),
            ("drop", lambda c: c.dropCarrier()),
            ("reset", lambda c: c.resetCarrier()),
            ("now", lambda c: c.loseNow()),
            ("close, then abort", lambda c: (c.connection.close(), c.resetCarrier())),
            ("receiver", lambda c: (c.send((0x81, b"raise")), c.resetCarrier())),
        ]
        for isServer, role in BOTH:
            for name, end in ends:
                c = Conversation(isServer, Raising(), pauseWhileCongested=False)
                c.congest()
                waiting = [c.connection.sendMessage(f"{n}") for n in range(5)]
                order = []
                for number, each in enumerate(waiting):
                    each.addErrback(noted, order, number)
                end(c)
                c.flush()
                self.flushLoggedErrors(ZeroDivisionError)
                for each in waiting:
                    failure = self.failureResultOf(each, ConnectionClosed)
                    same = facts(failure.value) == facts(c.receiver.reason)
                    self.assertTrue(same, f"{name}, {role}")
                self.assertEqual(order, list(range(5)), name)
                outbox = c.connection._outbox
                self.assertEqual((outbox.held, outbox.size, outbox._lost), (0, 0, None))
                self.assertEqual(c.connection.bufferedAmount, 0, name)

    def test_abortDropsAtOnce(self):
        """
        An abort lets go of what waits at once, not when the carrier notices.
        """
        c = congested()
        c.connection.sendMessage(bytes(1000))
        c.connection.abortConnection()
        self.assertEqual(c.connection._outbox.held, 0)
        self.assertEqual(c.server.factory.budget.held, 0)
