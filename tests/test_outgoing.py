# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.outgoing}: sending no faster than the peer reads.  Messages that are sent
piece by piece are in L{tests.test_outgoing_messages}.
"""

from __future__ import annotations

from twisted.internet.interfaces import IPushProducer
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.conversation import BOTH, CLOSE_1000, Conversation, facts, reassembled
from twisted_ws import ClosedAbruptly, ClosedCleanly, MessageReceiver
from twisted_ws._wire.frames import Opcode
from twisted_ws.testing import MemoryCarrier

FULL = (0x82, bytes(MemoryCarrier.highWater))
"""
What C{Conversation.congest} sends, reassembled.
"""


class Producer:
    """
    A push producer that writes down what happens to it.
    """

    def __init__(self, act=None):
        self.calls = []
        self._act = act or {}

    def pauseProducing(self):
        self._called("pause")

    def resumeProducing(self):
        self._called("resume")

    def stopProducing(self):
        self._called("stop")

    def _called(self, name):
        self.calls.append(name)
        if name in self._act:
            self._act[name]()


class WhenWritableTests(SynchronousTestCase):
    """
    C{whenWritable}.
    """

    def test_interface(self):
        """
        What the carrier pauses is an L{IPushProducer}, and is not the connection.
        """
        c = Conversation()
        self.assertTrue(verifyObject(IPushProducer, c.carrier.producer))
        self.assertIsNot(c.carrier.producer, c.connection)

    def test_room(self):
        """
        It has fired when the carrier has room.
        """
        c = Conversation()
        self.assertIsNone(self.successResultOf(c.connection.whenWritable()))
        c.connection.sendMessage("a")
        self.assertIsNone(self.successResultOf(c.connection.whenWritable()))

    def test_noRoom(self):
        """
        Otherwise it fires when all that waited was read; who waited first is served
        first.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer)
            c.congest()
            order = []
            for number in range(3):
                waiting = c.connection.whenWritable()
                waiting.addCallback(lambda _, order, n: order.append(n), order, number)
            self.assertEqual(order, [], role)
            c.readOn()
            self.assertEqual(order, [0, 1, 2], role)
            self.assertEqual(reassembled(c.take()), [FULL], role)

    def test_fullAgain(self):
        """
        When one who waited fills the carrier again the others go on waiting.
        """
        c = Conversation()
        c.congest()
        order = []

        def fill(result, number):
            order.append(number)
            c.connection.sendMessage(bytes(MemoryCarrier.highWater))

        for number in range(3):
            c.connection.whenWritable().addCallback(fill, number)
        for expected in range(1, 4):
            c.peerCarrier.resumeProducing()
            c.carrier.moveOn(1 << 30)
            self.assertEqual(order, list(range(expected)))
            c.stopReading()

    def test_loop(self):
        """
        A sender that awaits room after each message never has more than one message
        over the mark in the carrier, and needs no more stack for more messages.
        """
        c = Conversation(keepalive=False)
        c.stopReading()
        sent = []
        size = MemoryCarrier.highWater // 2

        def send(result=None):
            while len(sent) < 50:
                sent.append(len(c.carrier.outgoing))
                c.connection.sendMessage(bytes(size))
                waiting = c.connection.whenWritable()
                if not waiting.called:
                    waiting.addCallback(send)
                    return

        send()
        self.assertLess(len(sent), 4)
        while len(sent) < 50:
            c.peerCarrier.resumeProducing()
            c.carrier.moveOn(1 << 30)
            c.stopReading()
        self.assertLessEqual(max(sent), MemoryCarrier.highWater)

    def test_cancel(self):
        """
        One that is cancelled waits no more; the others do.
        """
        c = Conversation()
        c.congest()
        first, second, third = (c.connection.whenWritable() for _ in range(3))
        second.cancel()
        self.failureResultOf(second)
        first.addCallback(lambda result: third.cancel())
        c.readOn()
        self.successResultOf(first)
        self.failureResultOf(third)
        c.dropCarrier()

    def test_end(self):
        """
        It fails with the end of the connection, for those who wait, whoever they
        cancel then, and for who asks later.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer)
            c.congest()
            first, second, third, fourth = (
                c.connection.whenWritable() for _ in range(4)
            )
            first.addErrback(lambda failure, one: (one.cancel(), failure)[1], third)
            c.resetCarrier()
            for each in (first, second, fourth, c.connection.whenWritable()):
                failure = self.failureResultOf(each, ClosedAbruptly)
                self.assertEqual(facts(failure.value), facts(c.receiver.reason), role)
            self.assertIsNone(self.failureResultOf(third).check(ClosedAbruptly))

    def test_closing(self):
        """
        When the connection closes, who waits is told at its end at the latest.
        """
        c = Conversation(pauseWhileCongested=False)
        c.congest()
        waiting = c.connection.whenWritable()
        c.send(CLOSE_1000)
        c.advance(5)
        self.failureResultOf(waiting, ClosedCleanly)


class PushProducerTests(SynchronousTestCase):
    """
    C{registerProducer} with C{streaming}.
    """

    def test_pausedAndResumed(self):
        """
        It is paused once when the carrier is full, however often it writes then, and
        resumed once when it is empty.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer)
            producer = Producer()
            c.connection.registerProducer(producer, True)
            c.connection.sendMessage(bytes(1000))
            self.assertEqual(producer.calls, [], role)
            c.congest()
            c.connection.sendMessage("more")
            c.connection.ping()
            self.assertEqual(producer.calls, ["pause"], role)
            c.readOn()
            self.assertEqual(producer.calls, ["pause", "resume"], role)
            c.congest()
            self.assertEqual(producer.calls, ["pause", "resume", "pause"], role)

    def test_registeredLate(self):
        """
        One that is registered while the carrier is full is paused at once.
        """
        c = Conversation()
        c.congest()
        producer = Producer()
        c.connection.registerProducer(producer, True)
        self.assertEqual(producer.calls, ["pause"])
        c.readOn()
        self.assertEqual(producer.calls, ["pause", "resume"])

    def test_fullAgain(self):
        """
        When one who waited for room has filled the carrier again, the producer stays
        paused, of either kind.
        """
        for streaming in (True, False):
            c = Conversation(keepalive=False)
            producer = Producer()
            c.congest()
            c.connection.registerProducer(producer, streaming)
            filling = bytes(MemoryCarrier.highWater)
            c.connection.whenWritable().addCallback(
                lambda _, t, data: t.sendMessage(data), c.connection, filling
            )
            c.peerCarrier.resumeProducing()
            c.carrier.moveOn(1 << 30)
            c.stopReading()
            c.turn()
            self.assertNotIn("resume", producer.calls, f"streaming {streaming}")
            c.readOn()
            c.turn()
            self.assertEqual(producer.calls[-1], "resume", f"streaming {streaming}")

    def test_unregistered(self):
        """
        When it is unregistered it hears no more, not even of the end.
        """
        c = Conversation()
        producer = Producer()
        c.connection.registerProducer(producer, True)
        c.connection.unregisterProducer()
        c.congest()
        c.readOn()
        c.dropCarrier()
        self.assertEqual(producer.calls, [])

    def test_twice(self):
        """
        A second one is refused while there is one; the first stays.
        """
        c = Conversation()
        first, second = Producer(), Producer()
        c.connection.registerProducer(first, True)
        for streaming in (True, False):
            error = self.assertRaises(
                RuntimeError, c.connection.registerProducer, second, streaming
            )
            self.assertIn(repr(first), str(error))
        self.assertRaises(
            RuntimeError, c.connection.beginMessage().registerProducer, second, True
        )
        c.congest()
        self.assertEqual((first.calls, second.calls), (["pause"], []))
        c.connection.unregisterProducer()
        c.connection.registerProducer(second, True)
        self.assertEqual(second.calls, ["pause"])

    def test_unregisterNone(self):
        """
        To unregister when there is none does nothing.
        """
        c = Conversation()
        c.connection.unregisterProducer()
        c.dropCarrier()
        c.connection.unregisterProducer()

    def test_stopped(self):
        """
        It is stopped once, as soon as nothing can be sent any more.
        """
        ends = [
            ("we close", lambda c: c.connection.close()),
            ("peer closes", lambda c: c.send(CLOSE_1000)),
            ("violation", lambda c: c.send((0x83, b""))),
            ("abort", lambda c: c.connection.abortConnection()),
            ("drop", lambda c: c.dropCarrier()),
            ("reset", lambda c: c.resetCarrier()),
        ]
        for isServer, role in BOTH:
            for name, end in ends:
                c = Conversation(isServer)
                producer = Producer()
                c.connection.registerProducer(producer, True)
                end(c)
                self.assertEqual(producer.calls, ["stop"], f"{name}, {role}")
                c.flush()
                c.advance(5)
                self.assertEqual(producer.calls, ["stop"], f"{name}, {role}")
                self.assertEqual(c.receiver.losses, 1, f"{name}, {role}")

    def test_registeredTooLate(self):
        """
        One that is registered when nothing can be sent any more is stopped at once.
        """
        stages = [
            ("closing", lambda c: c.connection.close()),
            ("failed", lambda c: (c.stopReading(), c.send((0x83, b"")))),
            ("aborted", lambda c: c.connection.abortConnection()),
            ("closed", lambda c: c.dropCarrier()),
        ]
        for stage, reach in stages:
            for streaming in (True, False):
                c = Conversation()
                reach(c)
                producer = Producer()
                c.connection.registerProducer(producer, streaming)
                self.assertEqual(producer.calls, ["stop"], stage)
                c.turn()
                c.advance(5)
                self.assertEqual(producer.calls, ["stop"], stage)
                self.assertEqual(c.timers, 0, stage)

    def test_closeIsNotHeldUp(self):
        """
        A producer that is paused and never unregistered does not keep the carrier from
        ending.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer)
            c.connection.registerProducer(Producer(), True)
            c.congest()
            c.connection.close()
            c.send(CLOSE_1000)
            self.assertIsNone(c.carrier.producer, role)
            c.readOn()
            if not isServer:
                c.dropCarrier()
            self.assertIsInstance(c.receiver.reason, ClosedCleanly, role)


class PullProducerTests(SynchronousTestCase):
    """
    C{registerProducer} without C{streaming}.
    """

    def test_pulled(self):
        """
        It is asked once a turn of the reactor while the carrier has room, from the turn
        after it was registered.
        """
        c = Conversation(keepalive=False, sendStallTimeout=None)
        producer = Producer()
        c.connection.registerProducer(producer, False)
        self.assertEqual(producer.calls, [])
        for turn in range(1, 4):
            c.turn()
            self.assertEqual(producer.calls, ["resume"] * turn)
        c.congest()
        c.turn()
        c.turn()
        self.assertEqual(producer.calls, ["resume"] * 3)
        self.assertEqual(c.timers, 0)
        c.readOn()
        c.turn()
        self.assertEqual(producer.calls, ["resume"] * 4)
        c.connection.unregisterProducer()
        c.turn()
        self.assertEqual(producer.calls, ["resume"] * 4)
        self.assertEqual(c.timers, 0)

    def test_registeredLate(self):
        """
        While the carrier is full it is not asked.
        """
        c = Conversation(keepalive=False)
        c.congest()
        producer = Producer()
        c.connection.registerProducer(producer, False)
        c.turn()
        self.assertEqual(producer.calls, [])
        c.readOn()
        c.turn()
        self.assertEqual(producer.calls, ["resume"])

    def test_unregistersItself(self):
        """
        One that is done unregisters in C{resumeProducing}, and is asked no more.
        """
        c = Conversation(keepalive=False)
        producer = Producer({"resume": lambda: c.connection.unregisterProducer()})
        c.connection.registerProducer(producer, False)
        c.turn()
        self.assertEqual((producer.calls, c.timers), (["resume"], 0))

    def test_nextOne(self):
        """
        It may be followed by another in the same call, of either kind: a push producer
        is left alone then, a pull producer is asked.
        """
        for streaming, expected in ((True, []), (False, ["resume"] * 3)):
            c = Conversation(keepalive=False)
            following = Producer()

            def hand(c=c, following=following, streaming=streaming):
                c.connection.unregisterProducer()
                c.connection.registerProducer(following, streaming)

            c.connection.registerProducer(Producer({"resume": hand}), False)
            for _ in range(4):
                c.turn()
            self.assertEqual(following.calls, expected, f"streaming {streaming}")
            self.assertEqual(c.timers, len(expected) // 3, f"streaming {streaming}")

    def test_stopped(self):
        """
        It is stopped at the end, and no turn is scheduled any more.
        """
        for name, end in (
            ("close", lambda c: c.connection.close()),
            ("drop", lambda c: c.dropCarrier()),
        ):
            c = Conversation(keepalive=False)
            producer = Producer()
            c.connection.registerProducer(producer, False)
            end(c)
            self.assertEqual(producer.calls, ["stop"], name)
            c.turn()
            self.assertEqual(producer.calls, ["stop"], name)
            self.assertEqual(c.timers, int(name == "close"), name)


class FailingProducerTests(SynchronousTestCase):
    """
    A producer belongs to the application: when it fails that is logged, its connection
    closes with 1011, and no other suffers.
    """

    def check(self, c, name):
        """
        Assert that the connection ended as it should.
        """
        c.readOn()
        if not c.carrier.disconnected:
            c.dropCarrier()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1, name)
        self.assertEqual((c.receiver.made, c.receiver.losses), (1, 1), name)
        self.assertEqual(c.receiver.reason.sent[0], 1011, name)
        self.assertIsInstance(c.receiver.reason.__cause__, ZeroDivisionError, name)
        self.assertEqual(c.timers, 0, name)

    def test_pause(self):
        """
        In C{pauseProducing}; whoever was sending does not see it.
        """
        c = Conversation()
        c.connection.registerProducer(Producer({"pause": lambda: 1 / 0}), True)
        c.congest()
        self.check(c, "pause")

    def test_resume(self):
        """
        In C{resumeProducing}; the carrier does not see it.
        """
        c = Conversation()
        c.connection.registerProducer(Producer({"resume": lambda: 1 / 0}), True)
        c.congest()
        c.readOn()
        self.check(c, "resume")

    def test_pull(self):
        """
        In C{resumeProducing} of a pull producer; the reactor does not see it.
        """
        c = Conversation()
        c.connection.registerProducer(Producer({"resume": lambda: 1 / 0}), False)
        c.turn()
        self.check(c, "pull")

    def test_stop(self):
        """
        In C{stopProducing}, which is called because the connection ends: that it goes
        on to its end is all there is to do; it is logged.
        """
        ends = [
            ("we close", lambda c: (c.connection.close(), c.send(CLOSE_1000))),
            ("peer closes", lambda c: c.send(CLOSE_1000)),
            ("violation", lambda c: c.send((0x83, b""))),
            ("abort", lambda c: c.connection.abortConnection()),
            ("reset", lambda c: c.resetCarrier()),
        ]
        for name, end in ends:
            c = Conversation()
            producer = Producer({"stop": lambda: 1 / 0})
            c.connection.registerProducer(producer, True)
            waiting = c.connection.whenClosed()
            end(c)
            c.flush()
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1, name)
            self.assertEqual(producer.calls, ["stop"], name)
            self.assertEqual((c.receiver.losses, c.timers), (1, 0), name)
            self.successResultOf(waiting)
            self.assertEqual(c.server.factory.connections, set(), name)


class SynchronousProducerTests(SynchronousTestCase):
    """
    A producer that does something to the connection within its own methods, which are
    called in the middle of a write.
    """

    def test_pause(self):
        """
        Whatever C{pauseProducing} does, the frame that was being written is whole, and
        what is sent meanwhile follows it.
        """
        rows = [
            ("send", lambda t: t.sendMessage("more"), [(0x81, b"more")]),
            ("ping", lambda t: t.ping(b"?"), [(0x89, b"?")]),
            ("close", lambda t: t.close(), [CLOSE_1000]),
            ("unregister", lambda t: t.unregisterProducer(), []),
            ("pause", lambda t: t.pauseProducing(), []),
        ]
        for isServer, role in BOTH:
            for name, act, expected in rows:
                c = Conversation(isServer, keepalive=False)
                producer = Producer({"pause": lambda c=c, act=act: act(c.connection)})
                c.connection.registerProducer(producer, True)
                c.congest()
                c.readOn()
                sent = reassembled(c.take())
                self.assertEqual(sent, [FULL, *expected], f"{name}, {role}")
                self.assertEqual(producer.calls[0], "pause", f"{name}, {role}")

    def test_abort(self):
        """
        It may abort the connection.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer)
            c.connection.registerProducer(
                Producer({"pause": lambda c=c: c.connection.abortConnection()}), True
            )
            c.congest()
            self.assertEqual((c.receiver.losses, c.timers), (1, 0), role)

    def test_abortInClose(self):
        """
        It may do so in the middle of C{close}.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer)
            c.stopReading()
            c.connection.sendMessage(bytes(MemoryCarrier.highWater - 20))
            c.flush()
            producer = Producer({"pause": lambda c=c: c.connection.abortConnection()})
            c.connection.registerProducer(producer, True)
            c.carrier.highWater = 10
            c.connection.close()
            self.assertEqual(producer.calls, ["pause", "stop"], role)
            c.flush()
            self.assertEqual((c.receiver.losses, c.timers), (1, 0), role)

    def test_resume(self):
        """
        C{resumeProducing} that fills the carrier again is paused again, without
        nesting.
        """
        c = Conversation(keepalive=False)
        producer = Producer(
            {"resume": lambda: c.connection.sendMessage(bytes(MemoryCarrier.highWater))}
        )
        c.connection.registerProducer(producer, True)
        c.congest()
        for _ in range(5):
            c.peerCarrier.resumeProducing()
            c.carrier.moveOn(1 << 30)
            c.stopReading()
        self.assertEqual(producer.calls, ["pause", "resume"] * 5 + ["pause"])

    def test_stop(self):
        """
        C{stopProducing} may close, abort, unregister, and try to go on.
        """
        rows = [
            ("close", lambda t: t.close()),
            ("abort", lambda t: t.abortConnection()),
            ("unregister", lambda t: t.unregisterProducer()),
            ("another", lambda t: t.registerProducer(following, True)),
            ("wait", lambda t: t.whenWritable().addErrback(lambda failure: None)),
        ]
        for name, act in rows:
            c = Conversation(keepalive=False)
            following = Producer()
            producer = Producer({"stop": lambda c=c, act=act: act(c.connection)})
            c.connection.registerProducer(producer, True)
            c.send(CLOSE_1000)
            c.advance(5)
            self.assertEqual(producer.calls, ["stop"], name)
            expected = ["stop"] if name == "another" else []
            self.assertEqual(following.calls, expected, name)
            self.assertEqual((c.receiver.losses, c.timers), (1, 0), name)

    def test_writeAtOnce(self):
        """
        A producer of a message that writes another piece, or finishes, when it is told
        to pause, sends what it says, in that order.
        """
        rows = [
            ("piece", lambda m: m.write(b"!"), [(0x00, b"!")]),
            ("end", lambda m: m.finish(), [(0x80, b"")]),
        ]
        for name, act, expected in rows:
            c = Conversation(keepalive=False)
            message = c.connection.beginMessage()
            done = []
            producer = Producer(
                {"pause": lambda m=message, act=act, d=done: d or d.append(act(m))}
            )
            message.registerProducer(producer, True)
            c.stopReading()
            first = bytes(MemoryCarrier.highWater + 1)
            message.write(first)
            c.readOn()
            self.assertEqual(c.take(), [(0x02, first), *expected], name)


class OwedPongTests(SynchronousTestCase):
    """
    Pings of a peer that does not read the answers.
    """

    def test_newestOnly(self):
        """
        Of all pings that come while the carrier is full only the newest is answered
        (section 5.5.3), when there is room; memory does not grow.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, pauseWhileCongested=False)
            c.congest()
            before = len(c.carrier.outgoing)
            for number in range(1000):
                c.send((0x89, number.to_bytes(2, "big")))
            self.assertEqual(len(c.carrier.outgoing), before, role)
            c.readOn()
            self.assertEqual(reassembled(c.take()), [FULL, (0x8A, b"\x03\xe7")], role)
            c.send((0x89, b"next"))
            self.assertEqual(c.take(), [(0x8A, b"next")], role)

    def test_againAndAgain(self):
        """
        Each time that the carrier was full one pong is owed; in between each ping is
        answered at once.
        """
        c = Conversation(pauseWhileCongested=False)
        for number in range(3):
            c.send((0x89, b"1"), (0x89, b"2"))
            self.assertEqual(c.take(), [(0x8A, b"1"), (0x8A, b"2")])
            c.congest()
            c.send((0x89, b"lost"), (0x89, b"%d" % number))
            c.readOn()
            self.assertEqual(reassembled(c.take()), [FULL, (0x8A, b"%d" % number)])

    def test_betweenPieces(self):
        """
        It may go between the pieces of a message.
        """
        c = Conversation(pauseWhileCongested=False)
        message = c.connection.beginMessage(Opcode.BINARY)
        c.stopReading()
        piece = bytes(MemoryCarrier.highWater)
        message.write(piece)
        c.send((0x89, b"?"))
        c.readOn()
        message.finish()
        self.assertEqual(c.take(), [(0x02, piece), (0x8A, b"?"), (0x80, b"")])

    def test_notAfterClose(self):
        """
        It is not sent when the connection has begun to close: a Close frame is the
        last frame that one sends.
        """
        for name, begin in (
            ("us", lambda c: c.connection.close()),
            ("peer", lambda c: c.send(CLOSE_1000)),
        ):
            c = Conversation(pauseWhileCongested=False)
            c.congest()
            c.send((0x89, b"?"))
            begin(c)
            c.readOn()
            self.assertEqual(reassembled(c.take()), [FULL, CLOSE_1000], name)

    def test_connectionLost(self):
        """
        At the end of the connection it is forgotten, without a trace in the log.
        """
        c = Conversation(True, MessageReceiver(), pauseWhileCongested=False)
        c.congest()
        c.send((0x89, b"?"))
        c.resetCarrier()
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual(c.timers, 0)

    def test_handled(self):
        """
        A ping that the application answers is not owed.
        """

        class Receiver(MessageReceiver):
            def pingReceived(self, payload):
                return True

        c = Conversation(True, Receiver(), pauseWhileCongested=False)
        c.congest()
        c.send((0x89, b"?"))
        c.readOn()
        self.assertEqual(reassembled(c.take()), [FULL])
