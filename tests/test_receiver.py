# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.receiver}: C{MessageReceiver} and C{Inbox}.
"""

from __future__ import annotations

from sys import getsizeof

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import BaseProtocol, Factory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.conversation import BOTH, CLOSE_1000, Conversation
from twisted_ws import (
    ClosedAbruptly,
    ClosedCleanly,
    ConnectionNotOpen,
    Frame,
    Inbox,
    MessageReceiver,
)
from twisted_ws._wire.frames import Opcode
from twisted_ws.interfaces import IFrameReceiver, IMessageReceiver
from twisted_ws.testing import MemoryServer


class MessageReceiverTests(SynchronousTestCase):
    """
    The base of applications.
    """

    def test_shape(self):
        """
        It has the shape of a Twisted protocol.
        """
        receiver = MessageReceiver()
        self.assertTrue(verifyObject(IMessageReceiver, receiver))
        self.assertIsInstance(receiver, BaseProtocol)
        self.assertIsNone(receiver.transport)
        self.assertIsNone(receiver.factory)
        transport = object()
        receiver.makeConnection(transport)
        self.assertIs(receiver.transport, transport)
        self.assertTrue(receiver.connected)
        self.assertIsNone(receiver.connectionLost())

    def test_factory(self):
        """
        So C{Factory.forProtocol} makes a factory of it, which it knows.
        """

        class Receiver(MessageReceiver):
            def messageReceived(self, message):
                self.transport.sendMessage(f"{self.factory.greeting} {message}")

        factory = Factory.forProtocol(Receiver)
        factory.greeting = "hello"
        server = MemoryServer(factory)
        inbox = self.successResultOf(server.connect())
        inbox.send("you")
        server.flush()
        self.assertEqual(self.successResultOf(inbox.receive()), "hello you")

    def test_types(self):
        """
        Text is C{str}, binary is C{bytes}.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer)
            c.send((0x81, b"\xc3\xbc"), (0x82, b"\xc3\xbc"), (0x81, b""), (0x82, b""))
            self.assertEqual(c.receiver.messages, ["ü", b"\xc3\xbc", "", b""], role)
            self.assertEqual(
                [type(each) for each in c.receiver.messages], [str, bytes] * 2, role
            )

    def test_notOverridden(self):
        """
        A receiver without C{messageReceived} has failed when a message comes; the error
        names its class.
        """

        class Forgetful(MessageReceiver):
            pass

        c = Conversation(True, Forgetful())
        c.send((0x81, b"hello"))
        (failure,) = self.flushLoggedErrors(NotImplementedError)
        self.assertEqual(str(failure.value), "Forgetful has no messageReceived")
        self.assertEqual(c.take(), [(0x88, b"\x03\xf3internal error")])


class InboxTests(SynchronousTestCase):
    """
    C{receive}, C{send}, C{close}.
    """

    def test_interface(self):
        """
        An inbox takes messages, or frames.
        """
        self.assertTrue(verifyObject(IFrameReceiver, Inbox()))

    def test_order(self):
        """
        Messages are received in order, be they asked for before or after they came.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, Inbox())
            early = [c.receiver.receive() for _ in range(2)]
            c.send(*[(0x81, b"%d" % number) for number in range(4)])
            late = [c.receiver.receive() for _ in range(3)]
            self.assertEqual(
                [self.successResultOf(each) for each in early + late[:2]],
                ["0", "1", "2", "3"],
                role,
            )
            self.assertNoResult(late[2])
            c.send((0x82, b"4"))
            self.assertEqual(self.successResultOf(late[2]), b"4", role)

    def test_receiveInCallback(self):
        """
        Who gets a message may ask for the next at once: order and number stay, a long
        queue costs no stack.
        """
        c = Conversation(True, Inbox())
        received = []

        def next(message):
            received.append(message)
            c.receiver.receive().addCallback(next)

        c.receiver.receive().addCallback(next)
        c.send(*[(0x81, b"%d" % number) for number in range(3000)])
        self.assertEqual(received, [str(number) for number in range(3000)])

    def test_send(self):
        """
        C{send} sends, and raises when the connection is not open.
        """
        c = Conversation(True, Inbox())
        c.receiver.send("text")
        c.receiver.send(b"binary")
        self.assertEqual(c.take(), [(0x81, b"text"), (0x82, b"binary")])
        c.connection.close()
        self.assertRaises(ConnectionNotOpen, c.receiver.send, "late")

    def test_close(self):
        """
        C{close} closes, and fires with the end when the connection is gone.
        """
        c = Conversation(True, Inbox())
        closed = c.receiver.close(4000, "enough")
        self.assertEqual(c.take(), [(0x88, b"\x0f\xa0enough")])
        self.assertNoResult(closed)
        c.send((0x88, b"\x0f\xa0"))
        ended = self.successResultOf(closed)
        self.assertIsInstance(ended, ClosedCleanly)
        self.assertIs(self.successResultOf(c.receiver.close()), ended)

    def test_closeAbruptly(self):
        """
        C{close} does not fail, even if the end is not clean.
        """
        c = Conversation(True, Inbox())
        closed = c.receiver.close()
        c.advance(5)
        self.assertIsInstance(self.successResultOf(closed), ClosedAbruptly)

    def test_frames(self):
        """
        With C{assembleFragments=False} it holds frames.
        """
        c = Conversation(True, Inbox(), assembleFragments=False)
        c.send((0x01, b"a"), (0x89, b""), (0x00, b"\xc3"), (0x80, b"\xbc"), (0x82, b""))
        received = [self.successResultOf(c.receiver.receive()) for _ in range(4)]
        self.assertEqual(
            received,
            [
                Frame(Opcode.TEXT, b"a", False),
                Frame(Opcode.CONTINUATION, b"\xc3", False),
                Frame(Opcode.CONTINUATION, b"\xbc", True),
                Frame(Opcode.BINARY, b"", True),
            ],
        )


class InboxEndTests(SynchronousTestCase):
    """
    An inbox whose connection is gone.
    """

    def test_messagesBefore(self):
        """
        Messages that came before the end are received after it; then the end is.
        """
        ends = [
            ("clean", lambda c: c.send(CLOSE_1000), ClosedCleanly),
            ("reset", lambda c: c.resetCarrier(), ClosedAbruptly),
        ]
        for name, end, expected in ends:
            c = Conversation(True, Inbox())
            c.send((0x81, b"one"), (0x81, b"two"))
            end(c)
            for message in ("one", "two"):
                self.assertEqual(
                    self.successResultOf(c.receiver.receive()), message, name
                )
            first = self.failureResultOf(c.receiver.receive(), expected)
            second = self.failureResultOf(c.receiver.receive(), expected)
            self.assertEqual(str(first.value), str(second.value), name)

    def test_waiting(self):
        """
        All who wait get the end, in order.
        """
        c = Conversation(True, Inbox())
        order = []
        for number in range(3):
            c.receiver.receive().addErrback(
                lambda failure, number=number: order.append((number, failure.type))
            )
        c.dropCarrier()
        self.assertEqual(order, [(number, ClosedAbruptly) for number in range(3)])

    def test_oneCancelsOthers(self):
        """
        One who gets the end and then cancels the others, as races do, disturbs
        nobody.
        """
        for cancelled in ([1], [2], [1, 2], [2, 3], [1, 2, 3]):
            c = Conversation(True, Inbox())
            waiting = [c.receiver.receive() for _ in range(4)]

            def cancel(failure, waiting=waiting, cancelled=cancelled):
                for number in cancelled:
                    waiting[number].cancel()

            waiting[0].addErrback(cancel)
            c.dropCarrier()
            self.assertEqual(self.flushLoggedErrors(), [], cancelled)
            self.successResultOf(waiting[0])
            for number in (1, 2, 3):
                expected = CancelledError if number in cancelled else ClosedAbruptly
                self.failureResultOf(waiting[number], expected)

    def test_deferredList(self):
        """
        A L{DeferredList} that is cancelled as a whole by its first failure is such a
        race.
        """
        c = Conversation(True, Inbox())
        waiting = [c.receiver.receive() for _ in range(3)]
        race = DeferredList(waiting, fireOnOneErrback=True, consumeErrors=True)
        race.addErrback(lambda failure: [each.cancel() for each in waiting])
        c.dropCarrier()
        self.assertEqual(self.flushLoggedErrors(), [])
        self.successResultOf(race)

    def test_anyReason(self):
        """
        The end may be any Failure: a receiver may be used without a connection of ours,
        as protocols are.
        """
        for arguments in ((), (Failure(ConnectionDone()),)):
            inbox = Inbox()
            waiting = inbox.receive()
            inbox.connectionLost(*arguments)
            self.failureResultOf(waiting, ConnectionDone)
            self.failureResultOf(inbox.receive(), ConnectionDone)

    def test_receiveInErrback(self):
        """
        Who asks again when it gets the end gets the end again.
        """
        c = Conversation(True, Inbox())
        again = []
        c.receiver.receive().addErrback(
            lambda failure: again.append(c.receiver.receive())
        )
        c.dropCarrier()
        self.failureResultOf(again[0], ClosedAbruptly)


class CancelTests(SynchronousTestCase):
    """
    Waiting no longer.
    """

    def test_noMessageLost(self):
        """
        A message that comes after a waiting C{receive} was cancelled goes to the next.
        """
        c = Conversation(True, Inbox())
        first, second, third = (c.receiver.receive() for _ in range(3))
        first.cancel()
        third.cancel()
        self.failureResultOf(first, CancelledError)
        self.failureResultOf(third, CancelledError)
        c.send((0x81, b"one"), (0x81, b"two"))
        self.assertEqual(self.successResultOf(second), "one")
        self.assertEqual(self.successResultOf(c.receiver.receive()), "two")

    def test_timeout(self):
        """
        C{addTimeout} works on it.
        """
        c = Conversation(True, Inbox(), keepalive=False)
        first = c.receiver.receive().addTimeout(1, c.clock)
        c.advance(1)
        self.failureResultOf(first)
        c.send((0x81, b"one"))
        self.assertEqual(self.successResultOf(c.receiver.receive()), "one")

    def test_cancelInCallback(self):
        """
        Who gets a message and cancels the next who waits loses none either.
        """
        c = Conversation(True, Inbox())
        first, second, third = (c.receiver.receive() for _ in range(3))
        first.addCallback(lambda message: second.cancel())
        c.send((0x81, b"one"), (0x81, b"two"))
        self.failureResultOf(second, CancelledError)
        self.assertEqual(self.successResultOf(third), "two")

    def test_coroutine(self):
        """
        So it is with a coroutine that waits.
        """
        c = Conversation(True, Inbox())

        async def wait():
            return await c.receiver.receive()

        cancelled = Deferred.fromCoroutine(wait())
        cancelled.cancel()
        self.failureResultOf(cancelled, CancelledError)
        c.send((0x81, b"one"))
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(wait())), "one")


class HighWaterTests(SynchronousTestCase):
    """
    An inbox that is not emptied pauses its connection.
    """

    def fill(self, count, **options):
        """
        @return: a conversation whose inbox takes 4 messages, after C{count} came in
            one read.
        """
        inbox = Inbox()
        inbox.highWater = 4
        c = Conversation(True, inbox, **options)
        c.send(*[(0x81, b"%d" % number) for number in range(count)])
        return c

    def test_default(self):
        """
        The mark is C{maxPendingMessages} unless it is set.
        """
        self.assertIsNone(Inbox.highWater)
        for most in (1, 3, 16):
            inbox = Inbox()
            c = Conversation(True, inbox, maxPendingMessages=most)
            c.send(*[(0x81, b"x")] * (most - 1))
            self.assertFalse(c.connection.isPaused)
            c.send((0x81, b"x"))
            self.assertTrue(c.connection.isPaused)

    def test_bytes(self):
        """
        So it is when they have C{maxPendingBytes} of memory, exactly; it goes on with
        half of that.
        """
        size = getsizeof(bytes(1000))
        for isServer, role in BOTH:
            for most in (4 * size, 4 * size - 1):
                c = Conversation(isServer, Inbox(), maxPendingBytes=most)
                c.send(*[(0x82, bytes(1000))] * 3)
                self.assertFalse(c.carrier.isPaused, role)
                c.send((0x82, bytes(1000)))
                self.assertTrue(c.carrier.isPaused)
                left = 4
                while c.connection.isPaused:
                    self.successResultOf(c.receiver.receive())
                    left -= 1
                self.assertEqual(left, 2 if most == 4 * size else 1, role)
                for _ in range(left):
                    self.successResultOf(c.receiver.receive())
                self.assertEqual(c.receiver._bytes, 0)

    def test_noLimitOfBytes(self):
        """
        Unless that is C{None}.
        """
        c = Conversation(True, Inbox(), maxPendingBytes=None)
        c.send(*[(0x82, bytes(1 << 20))] * 15)
        self.assertFalse(c.carrier.isPaused)

    def test_bytesOfFrames(self):
        """
        Frames count by their payload.
        """
        c = Conversation(
            True, Inbox(), assembleFragments=False, maxPendingBytes=getsizeof(b"") + 9
        )
        c.send((0x02, bytes(8)))
        self.assertFalse(c.carrier.isPaused)
        self.successResultOf(c.receiver.receive())
        c.send((0x00, bytes(9)))
        self.assertTrue(c.carrier.isPaused)

    def test_waiting(self):
        """
        What is waited for does not count.
        """
        c = Conversation(True, Inbox(), maxPendingMessages=1, maxPendingBytes=1)
        waiting = [c.receiver.receive() for _ in range(5)]
        c.send(*[(0x81, b"x")] * 5)
        self.assertFalse(c.carrier.isPaused)
        self.assertEqual([self.successResultOf(each) for each in waiting], ["x"] * 5)
        self.assertEqual(c.receiver._bytes, 0)

    def test_pauses(self):
        """
        At C{highWater} messages the connection is paused; none is lost.
        """
        c = self.fill(3)
        self.assertFalse(c.connection.isPaused)
        c = self.fill(4)
        self.assertTrue(c.connection.isPaused)
        self.assertTrue(c.carrier.isPaused)
        c = self.fill(20)
        self.assertTrue(c.connection.isPaused)
        self.assertEqual(len(c.receiver._messages), 4)

    def test_resumes(self):
        """
        When half of them are taken it is resumed, and fills up again.
        """
        c = self.fill(20)
        received = []
        for number in range(20):
            message = self.successResultOf(c.receiver.receive())
            received.append(message)
            self.assertEqual(message, str(number))
            self.assertLessEqual(len(c.receiver._messages), 4)
        self.assertFalse(c.connection.isPaused)
        self.assertFalse(c.carrier.isPaused)

    def test_hysteresis(self):
        """
        Not at once: it is not paused and resumed for each message.
        """
        c = self.fill(4)
        self.successResultOf(c.receiver.receive())
        self.assertTrue(c.connection.isPaused)
        self.successResultOf(c.receiver.receive())
        self.assertFalse(c.connection.isPaused)

    def test_notItsPause(self):
        """
        An inbox takes back its own pause, not one of the application's.
        """
        c = self.fill(2)
        c.connection.pauseProducing()
        for _ in range(2):
            self.successResultOf(c.receiver.receive())
        self.assertTrue(c.connection.isPaused)
        c.connection.resumeProducing()
        c.send((0x81, b"more"))
        self.assertEqual(self.successResultOf(c.receiver.receive()), "more")

        c = self.fill(4)
        c.connection.pauseProducing()
        for _ in range(4):
            self.successResultOf(c.receiver.receive())
        self.assertTrue(c.connection.isPaused)
        c.connection.resumeProducing()
        self.assertFalse(c.connection.isPaused)
        c = self.fill(4)
        c.connection.resumeProducing()
        self.assertTrue(c.connection.isPaused)

    def test_waitersFirst(self):
        """
        Messages that somebody waits for do not count.
        """
        inbox = Inbox()
        inbox.highWater = 2
        c = Conversation(True, inbox)
        waiting = [inbox.receive() for _ in range(10)]
        c.send(*[(0x81, b"%d" % number) for number in range(11)])
        self.assertFalse(c.connection.isPaused)
        self.assertEqual(
            [self.successResultOf(each) for each in waiting],
            [str(number) for number in range(10)],
        )

    def test_smallest(self):
        """
        With C{highWater = 1} each message pauses.
        """
        inbox = Inbox()
        inbox.highWater = 1
        c = Conversation(True, inbox)
        c.send((0x81, b"0"), (0x81, b"1"), (0x81, b"2"))
        for number in range(3):
            self.assertTrue(c.connection.isPaused)
            self.assertEqual(len(inbox._messages), 1)
            self.assertEqual(self.successResultOf(inbox.receive()), str(number))
        self.assertFalse(c.connection.isPaused)

    def test_endWhilePaused(self):
        """
        A connection that is lost while it is paused leaves what came before, and the
        inbox can be emptied.
        """
        c = self.fill(4)
        c.loseNow()
        received = [self.successResultOf(c.receiver.receive()) for _ in range(4)]
        self.assertEqual(received, ["0", "1", "2", "3"])
        self.failureResultOf(c.receiver.receive(), ClosedAbruptly)

    def test_peerCloses(self):
        """
        A peer that sends more than the inbox takes, and a Close frame: all messages
        are received, and then a clean end.
        """
        c = self.fill(10)
        c.send(CLOSE_1000)
        received = [self.successResultOf(c.receiver.receive()) for _ in range(10)]
        c.flush()
        self.assertEqual(received, [str(number) for number in range(10)])
        self.failureResultOf(c.receiver.receive(), ClosedCleanly)

    def test_keepalive(self):
        """
        A full inbox does not cost its peer the connection.
        """
        c = self.fill(10, keepalive=True)
        for _ in range(10):
            c.advance(20)
        self.successResultOf(c.receiver.receive())
        self.assertEqual(c.receiver._lost, None)


class IterationTests(SynchronousTestCase):
    """
    C{async for}.
    """

    def iterate(self, c):
        """
        @return: a list that fills with the messages, and a Deferred of its end.
        """
        received = []

        async def iterate():
            async for message in c.receiver:
                received.append(message)

        return received, Deferred.fromCoroutine(iterate())

    def test_clean(self):
        """
        It ends at a clean close.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, Inbox())
            received, done = self.iterate(c)
            c.send((0x81, b"one"))
            self.assertEqual(received, ["one"], role)
            c.send((0x82, b"two"), CLOSE_1000)
            if not isServer:
                c.dropCarrier()
            self.assertIsNone(self.successResultOf(done), role)
            self.assertEqual(received, ["one", b"two"], role)

    def test_abrupt(self):
        """
        It raises at any other end, after the messages before it.
        """
        for name, end in (
            ("drop", lambda c: c.dropCarrier()),
            ("reset", lambda c: c.resetCarrier()),
            ("violation", lambda c: c.send((0x83, b""))),
        ):
            c = Conversation(True, Inbox())
            c.send((0x81, b"one"), (0x81, b"two"))
            end(c)
            received, done = self.iterate(c)
            self.failureResultOf(done, ClosedAbruptly)
            self.assertEqual(received, ["one", "two"], name)

    def test_anyCode(self):
        """
        A clean close is one with both Close frames, whatever their code.
        """
        c = Conversation(True, Inbox())
        _, done = self.iterate(c)
        c.send((0x88, b"\x03\xf3oh dear"))
        self.assertIsNone(self.successResultOf(done))

    def test_afterTheEnd(self):
        """
        It can begin when the connection is gone, and begin again.
        """
        c = Conversation(True, Inbox())
        c.send((0x81, b"one"), CLOSE_1000)
        for expected in (["one"], []):
            received, done = self.iterate(c)
            self.successResultOf(done)
            self.assertEqual(received, expected)

    def test_echo(self):
        """
        A loop that sends and closes on its way comes to its end.
        """
        c = Conversation(True, Inbox())

        async def echo():
            async for message in c.receiver:
                c.receiver.send(message)
                if message == "bye":
                    c.receiver.transport.close()

        done = Deferred.fromCoroutine(echo())
        c.send((0x81, b"hi"), (0x81, b"bye"))
        self.assertEqual(c.take(), [(0x81, b"hi"), (0x81, b"bye"), CLOSE_1000])
        c.send(CLOSE_1000)
        self.successResultOf(done)

    def test_longQueue(self):
        """
        Many messages cost no stack.
        """
        inbox = Inbox()
        inbox.highWater = 10000
        c = Conversation(True, inbox)
        c.send(*[(0x81, b"x")] * 5000, CLOSE_1000)
        received, done = self.iterate(c)
        self.successResultOf(done)
        self.assertEqual(len(received), 5000)
