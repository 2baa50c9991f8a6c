# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.incoming}: who takes a message pauses, has enough or fails, or the
connection ends.
"""

from __future__ import annotations

from functools import partial

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import BOTH, CLOSE_1000, Conversation
from tests.taking import Sink, Taking
from twisted_ws import ClosedAbruptly, ClosedCleanly
from twisted_ws._wire.errors import TryAgainLater
from twisted_ws._wire.state import State
from twisted_ws.testing import RecordingReceiver

FAILED = (0x88, b"\x03\xf3internal error")


class PausingTests(SynchronousTestCase):
    """
    A consumer that pauses.
    """

    def test_pauses(self):
        """
        It pauses the connection, between two pieces, and resumes it.
        """

        def pause(data):
            sink = c.receiver.sinks[-1]
            if data in (b"b", b"d"):
                sink.producer.pauseProducing()

        for isServer, role in BOTH:
            c = Conversation(isServer, Taking(sink=lambda: Sink(pause)))
            c.send(
                (0x02, b"a"),
                (0x00, b"b"),
                (0x00, b"c"),
                (0x00, b"d"),
                (0x80, b"e"),
                (0x89, b"?"),
            )
            sink = c.receiver.sinks[0]
            self.assertEqual(sink.pieces, [b"a", b"b"], role)
            self.assertTrue(c.carrier.isPaused and c.connection.isPaused)
            sink.producer.resumeProducing()
            self.assertEqual(sink.pieces, [b"a", b"b", b"c", b"d"], role)
            self.assertTrue(c.carrier.isPaused)
            sink.producer.resumeProducing()
            self.assertFalse(c.carrier.isPaused)
            self.assertEqual((sink.data, c.receiver.done), (b"abcde", [5]), role)
            self.assertEqual(c.take(), [(0x8A, b"?")])

    def test_fromTheBeginning(self):
        """
        One that is paused when it is registered gets nothing before it resumes.
        """

        class Full(Sink):
            def registerProducer(self, producer, streaming):
                Sink.registerProducer(self, producer, streaming)
                producer.pauseProducing()

        for isServer, role in BOTH:
            c = Conversation(isServer, Taking(sink=Full))
            c.send((0x82, b"abc"))
            self.assertEqual(c.receiver.sinks[0].pieces, [], role)
            self.assertTrue(c.carrier.isPaused)
            c.receiver.sinks[0].producer.resumeProducing()
            self.assertEqual(c.receiver.done, [3], role)
            self.assertFalse(c.carrier.isPaused)

    def test_atTheEnd(self):
        """
        One that pauses with the last piece does not keep the connection paused, as
        nothing resumes it any more.
        """

        class Pausing(Sink):
            def write(self, data):
                Sink.write(self, data)
                self.producer.pauseProducing()

        for isServer, role in BOTH:
            c = Conversation(isServer, Taking(sink=Pausing))
            c.send((0x82, b"abc"), (0x82, b"def"))
            self.assertEqual(c.receiver.done, [3, 3], role)
            self.assertFalse(c.carrier.isPaused)
            self.assertFalse(c.connection.isPaused)

    def test_twice(self):
        """
        Pausing twice is as pausing once; whoever is not paused resumes nothing, nor
        does one whose message is over.
        """
        c = Conversation(True, Taking())
        c.send((0x02, b"abc"))
        producer = c.receiver.sinks[0].producer
        producer.pauseProducing()
        producer.pauseProducing()
        producer.resumeProducing()
        self.assertFalse(c.connection.isPaused)
        c.connection.pauseProducing()
        producer.resumeProducing()
        self.assertTrue(c.connection.isPaused)
        c.connection.resumeProducing()
        c.send((0x80, b""))
        producer.pauseProducing()
        producer.stopProducing()
        self.assertFalse(c.connection.isPaused)
        self.assertEqual(c.receiver.done, [3])


class EnoughTests(SynchronousTestCase):
    """
    A consumer that wants no more.
    """

    def stops(self, how):
        """
        Have the reading of a message stopped within its second piece, or in between,
        and assert that the rest is dropped and the next message comes.
        """
        receivers = []
        for isServer, role in BOTH:
            for within in (True, False):

                def stop(data, within=within):
                    if within and data == b"b":
                        how(receivers[-1])

                c = Conversation(isServer, Taking(sink=lambda stop=stop: Sink(stop)))
                receivers.append(c.receiver)
                c.send((0x01, b"a"), (0x00, b"b"))
                if not within:
                    how(c.receiver)
                (error,) = c.receiver.done
                self.assertIsInstance(error, CancelledError)
                c.send((0x00, b"c"), (0x80, b"d"), (0x81, b"e"))
                first, second = c.receiver.sinks
                self.assertEqual((first.data, second.data), (b"ab", b"e"), role)
                self.assertIsNone(first.producer)
                self.assertEqual(c.receiver.done[1:], [1])
                self.assertEqual((c.take(), c.receiver.messages), ([], []))

    def test_stopProducing(self):
        """
        It calls C{stopProducing}.
        """
        self.stops(lambda receiver: receiver.sinks[0].producer.stopProducing())

    def test_cancel(self):
        """
        The Deferred is cancelled.
        """
        self.stops(lambda receiver: receiver.deferreds[0].cancel())

    def test_paused(self):
        """
        It may be paused; then the connection is read from again, after the Deferred
        was told.
        """

        def stop(receiver):
            receiver.sinks[0].producer.pauseProducing()
            receiver.sinks[0].producer.stopProducing()

        self.stops(stop)
        c = Conversation(True, Taking())
        c.send((0x02, b"a"))
        producer = c.receiver.sinks[0].producer
        producer.pauseProducing()
        c.connection.dataReceived(c.frame(0x80, b"b") + c.frame(0x82, b"next"))
        producer.stopProducing()
        self.assertIsInstance(c.receiver.events[0], CancelledError)
        self.assertEqual(c.receiver.events[1:], [4])
        self.assertFalse(c.carrier.isPaused)

    def test_atOnce(self):
        """
        It may stop when it is registered, as a transport that is gone does: the message
        is taken all the same, and dropped.
        """

        class Gone(Sink):
            def registerProducer(self, producer, streaming):
                Sink.registerProducer(self, producer, streaming)
                producer.stopProducing()

        for isServer, role in BOTH:
            c = Conversation(isServer, Taking(sink=Gone))
            c.send((0x01, b"abc"), (0x80, b"def"))
            c.send((0x81, b""))
            self.assertEqual(len(c.receiver.done), 2, role)
            self.assertEqual(c.receiver.messages, [])
            self.assertEqual([sink.pieces for sink in c.receiver.sinks], [[], []])

    def test_stillChecked(self):
        """
        What is dropped keeps to the rules still: its text, and its size.
        """
        for bad, code in ((b"\xff", b"\x03\xef"), (bytes(11), b"\x03\xf1")):
            c = Conversation(True, Taking(maxSize=10))
            c.send((0x01, b"a"))
            c.receiver.deferreds[0].cancel()
            c.send((0x00, bad))
            self.assertEqual(c.take()[0][1][:2], code)


class FailingTests(SynchronousTestCase):
    """
    A consumer that raises.
    """

    def test_write(self):
        """
        Its error is logged, once, closes the connection with 1011, and is what the
        Deferred fails with.
        """

        class Oops(Exception):
            pass

        def fail(data):
            if data == b"b":
                raise Oops

        for isServer, role in BOTH:
            for first in (0x82, 0x02):
                c = Conversation(isServer, Taking(sink=lambda: Sink(fail)))
                c.send((0x02, b"a"), (0x80, b"c"), (first, b"b"), (0x89, b""))
                self.assertEqual(c.take()[:1], [FAILED], role)
                self.assertEqual(len(self.flushLoggedErrors(Oops)), 1)
                (error,) = c.receiver.done[1:]
                self.assertIsInstance(error, Oops)
                self.assertIsNone(c.receiver.sinks[1].producer)
                if not c.carrier.disconnected:
                    c.dropCarrier()
                self.assertIs(c.receiver.reason.__cause__, error)
                self.assertEqual(c.receiver.losses, 1)

    def test_coroutine(self):
        """
        It is logged once, too, when a coroutine waits for that.
        """

        def fail(data):
            raise ValueError

        class Receiver(RecordingReceiver):
            async def messageBegan(self, message):
                await message.deliverTo(Sink(fail))

        c = Conversation(True, Receiver())
        c.send((0x82, b"a"))
        self.assertEqual(c.take(), [FAILED])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_unregister(self):
        """
        It is also a failure when it cannot let go of the producer.
        """

        class Clinging(Sink):
            def unregisterProducer(self):
                raise ValueError

        c = Conversation(True, Taking(sink=Clinging))
        c.send((0x82, b"a"), (0x82, b"b"))
        self.assertEqual(c.take(), [FAILED])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(len(c.receiver.began), 1)

    def test_callback(self):
        """
        What callbacks of the Deferred do is their own business.
        """
        errors = []

        class Receiver(RecordingReceiver):
            def messageBegan(self, message):
                done = message.deliverTo(Sink())
                done.addCallback(lambda size: 1 // 0).addErrback(errors.append)

        c = Conversation(True, Receiver())
        c.send((0x82, b"a"))
        self.assertEqual(len(errors), 1)
        self.assertEqual(c.take(), [])


class EndTests(SynchronousTestCase):
    """
    The connection ends in the middle of a message.
    """

    def test_lost(self):
        """
        The Deferred fails with the reason, and then the receiver is told.
        """
        ends = [
            ("drops", lambda c: c.dropCarrier(), ClosedAbruptly),
            ("resets", lambda c: c.resetCarrier(), ClosedAbruptly),
            ("at once", lambda c: c.loseNow(), ClosedAbruptly),
            ("closes", lambda c: c.send(CLOSE_1000), ClosedCleanly),
            ("violates", lambda c: c.send((0x83, b"")), ClosedAbruptly),
            ("we abort", lambda c: c.connection.abortConnection(), ClosedAbruptly),
            (
                "budget",
                lambda c: c.connection.letGo(TryAgainLater("x")),
                ClosedAbruptly,
            ),
        ]
        for isServer, role in BOTH:
            for name, end, kind in ends:
                c = Conversation(isServer, Taking())
                c.send((0x02, b"abc"))
                end(c)
                c.flush()
                if not c.carrier.disconnected:
                    c.dropCarrier()
                error, last = c.receiver.events
                self.assertEqual(last, "lost", (name, role))
                self.assertIsInstance(error, kind)
                self.assertEqual(str(error), str(c.receiver.reason))
                self.assertIsNone(c.receiver.sinks[0].producer)
                self.assertEqual(c.timers, 0)

    def test_withinPiece(self):
        """
        So it is when that happens within a piece, be it the last one.
        """
        conversations = []
        ends = [
            ("abort", lambda c: c.connection.abortConnection()),
            ("lost", lambda c: c.loseNow()),
            ("budget", lambda c: c.connection.letGo(TryAgainLater("x"))),
        ]
        for isServer, role in BOTH:
            for name, end in ends:
                for firsts in ((0x82,), (0x02, 0x80), (0x01, 0x00)):
                    act = partial(lambda end, data: end(conversations[-1]), end)
                    c = Conversation(isServer, Taking(sink=partial(Sink, act)))
                    conversations.append(c)
                    c.send(*[(first, b"a") for first in firsts])
                    if not c.carrier.disconnected:
                        c.dropCarrier()
                    (error,) = c.receiver.done
                    self.assertIsInstance(error, ClosedAbruptly, (name, role))
                    self.assertEqual(c.receiver.sinks[0].pieces, [b"a"])
                    self.assertEqual(c.receiver.losses, 1)

    def test_closing(self):
        """
        While we close, the peer may finish its message.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, Taking())
            c.send((0x02, b"a"))
            c.connection.close()
            c.send((0x80, b"b"), (0x82, b"c"), CLOSE_1000)
            self.assertEqual(c.receiver.done, [2, 1], role)

    def test_closingWhilePaused(self):
        """
        Closing while the consumer is paused reads on to the peer's Close frame; what
        comes before it is dropped, so the message was cut off, and no other one
        begins, though the consumer resumes.
        """
        for isServer, role in BOTH:
            for resumes in (True, False):
                c = Conversation(isServer, Taking())
                c.send((0x02, b"a"))
                producer = c.receiver.sinks[0].producer
                producer.pauseProducing()
                c.connection.close()
                self.assertFalse(c.carrier.isPaused)
                c.send((0x00, b"b"))
                if resumes:
                    producer.resumeProducing()
                c.send((0x80, b"c"), (0x81, b"d"))
                self.assertEqual(c.receiver.done, [], (role, resumes))
                c.send(CLOSE_1000)
                if not c.carrier.disconnected:
                    c.dropCarrier()
                (error,) = c.receiver.done
                self.assertIsInstance(error, ClosedCleanly)
                self.assertEqual(c.receiver.sinks[0].data, b"a")
                self.assertEqual(len(c.receiver.began), 1)
                self.assertEqual(c.receiver.messages, [])

    def test_pausedWhileClosing(self):
        """
        So it is with one that pauses while the connection closes.
        """
        c = Conversation(True, Taking())
        c.connection.close()
        c.send((0x02, b"a"))
        c.receiver.sinks[0].producer.pauseProducing()
        self.assertFalse(c.carrier.isPaused)
        c.send((0x00, b"b"))
        c.receiver.sinks[0].producer.resumeProducing()
        c.send((0x80, b"c"), CLOSE_1000)
        self.assertEqual(c.receiver.sinks[0].data, b"a")
        self.assertIsInstance(c.receiver.done[0], ClosedCleanly)

    def test_pausedConnection(self):
        """
        Closing a connection that the application has paused begins no messages either.
        """
        c = Conversation(True, Taking())
        c.connection.pauseProducing()
        c.connection.dataReceived(c.frame(0x82, b"a"))
        c.connection.close()
        c.send((0x81, b"b"), CLOSE_1000)
        self.assertEqual(c.receiver.events, ["lost"])

    def test_atWork(self):
        """
        A message that is taken does not wait for others that are at work; the end of
        the connection does.
        """

        class Receiver(Taking):
            def messageReceived(self, message):
                Taking.messageReceived(self, message)
                return work

        work = Deferred()
        c = Conversation(True, Receiver(lambda message: message.opcode == 2))
        c.send((0x81, b"1"), (0x81, b"2"), (0x82, b"3"), (0x02, b"4"))
        self.assertEqual(c.receiver.events, ["1", 1])
        c.dropCarrier()
        self.assertEqual(len(c.receiver.events), 3)
        self.assertIsInstance(c.receiver.events[2], ClosedAbruptly)
        work.callback(None)
        self.assertEqual(c.receiver.events[3:], ["2", "lost"])


class StateTests(SynchronousTestCase):
    """
    What C{messageBegan} does to the connection.
    """

    def test_closes(self):
        """
        It may close the connection; the message that begins still comes.
        """

        class Receiver(Taking):
            def messageBegan(self, message):
                self.transport.close(4000)
                Taking.messageBegan(self, message)

        for takes in (True, False):
            c = Conversation(True, Receiver(lambda _, takes=takes: takes))
            c.send((0x02, b"a"), (0x80, b"b"))
            self.assertEqual(c.receiver.events, [2] if takes else [b"ab"])
            self.assertEqual(c.connection.state, State.CLOSING)
