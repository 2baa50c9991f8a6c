# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.transmission}: what a sender can ask, the marks, and not reading from a
peer that does not read.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import BOTH, CLOSE_1000, Conversation, reassembled
from tests.test_outbox import congested
from twisted_ws import ConnectionClosed, ConnectionNotOpen
from twisted_ws.errors import IllegalFrame
from twisted_ws.testing import MemoryCarrier, RecordingReceiver
from twisted_ws.waiting import COST

CARRIER = MemoryCarrier.highWater


class Echo(RecordingReceiver):
    """
    Sends everything back; never waits.
    """

    def messageReceived(self, message):
        RecordingReceiver.messageReceived(self, message)
        self.transport.sendMessage(message)


class Answering(RecordingReceiver):
    """
    Answers every message with a long one, and waits until it was handed on.
    """

    def messageReceived(self, message):
        RecordingReceiver.messageReceived(self, message)
        return self.transport.sendMessage(bytes(10_000))


class Producer:
    """
    Writes down what happens to it.
    """

    def __init__(self):
        self.calls = []

    def pauseProducing(self):
        self.calls.append("pause")

    def resumeProducing(self):
        self.calls.append("resume")

    def stopProducing(self):
        self.calls.append("stop")


def step(c: Conversation) -> None:
    """
    Let the peer read what the carrier has, and no more.
    """
    c.peerCarrier.resumeProducing()
    c.carrier.moveOn(1 << 30)
    c.stopReading()


class BufferedAmountTests(SynchronousTestCase):
    """
    C{bufferedAmount}.
    """

    def test_amount(self):
        """
        It is what the carrier has and the payload of what waits.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, keepalive=False)
            self.assertEqual(c.connection.bufferedAmount, 0, role)
            c.stopReading()
            c.connection.sendMessage("abc")
            inCarrier = 5 if isServer else 9
            self.assertEqual(c.connection.bufferedAmount, inCarrier, role)
            c.congest()
            before = c.connection.bufferedAmount
            self.assertEqual(before, len(c.carrier.outgoing), role)
            c.connection.sendMessage("abc")
            c.connection.beginMessage().write(b"defg")
            self.assertEqual(c.connection.bufferedAmount, before + 7, role)
            c.readOn()
            self.assertEqual(c.connection.bufferedAmount, 0, role)

    def test_ended(self):
        """
        When the connection has ended it is 0.
        """
        for end in (Conversation.resetCarrier, Conversation.loseNow):
            c = congested()
            c.connection.sendMessage("abc")
            end(c)
            self.assertEqual(c.connection.bufferedAmount, 0)


class TrySendTests(SynchronousTestCase):
    """
    C{trySend}.
    """

    def test_sends(self):
        """
        It sends while there is room, and does nothing when there is not.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, keepalive=False)
            self.assertTrue(c.connection.trySend("one"), role)
            c.take()
            c.congest()
            before = c.connection.bufferedAmount, c.connection.messagesSent
            self.assertFalse(c.connection.trySend("two"), role)
            after = c.connection.bufferedAmount, c.connection.messagesSent
            self.assertEqual(after, before, role)
            c.readOn()
            self.assertTrue(c.connection.trySend(b"three", False), role)
            self.assertEqual(reassembled(c.take())[1:], [(0x82, b"three")], role)

    def test_highWater(self):
        """
        It goes on while less than C{sendHighWater} bytes wait, and never makes more
        wait than that and one message.
        """
        high = 4 * CARRIER
        c = Conversation(keepalive=False, sendHighWater=high)
        c.stopReading()
        while c.connection.trySend(bytes(1000)):
            pass
        self.assertGreater(c.connection.bufferedAmount, CARRIER)
        self.assertGreaterEqual(c.connection._outbox.held, high)
        self.assertLess(c.connection._outbox.held, high + 1000 + COST)

    def test_refused(self):
        """
        It raises where C{sendMessage} does.
        """
        c = Conversation()
        c.connection.beginMessage().write("a")
        self.assertRaises(IllegalFrame, c.connection.trySend, "b")
        c = congested()
        c.connection.close()
        self.assertRaises(ConnectionNotOpen, c.connection.trySend, "b")


class MarksTests(SynchronousTestCase):
    """
    C{sendHighWater} and C{sendLowWater}.
    """

    def test_underTheCarriers(self):
        """
        A mark under what a carrier takes counts as that.
        """
        for high, low in ((0, 0), (1, 0), (CARRIER, CARRIER), (CARRIER, 0)):
            c = Conversation(keepalive=False, sendHighWater=high, sendLowWater=low)
            c.stopReading()
            c.connection.sendMessage(bytes(CARRIER // 2))
            self.assertTrue(c.connection.whenWritable().called, high)
            c.connection.sendMessage(bytes(CARRIER // 2))
            waiting = c.connection.whenWritable()
            self.assertFalse(waiting.called, high)
            step(c)
            self.assertTrue(waiting.called, (high, low))

    def test_over(self):
        """
        Over that, senders may fill the queue up to it: only then are they to wait.
        """
        high = 4 * CARRIER
        c = Conversation(keepalive=False, sendHighWater=high, sendLowWater=CARRIER)
        producer = Producer()
        c.connection.registerProducer(producer, True)
        c.congest()
        sent = 0
        while c.connection.whenWritable().called:
            c.connection.sendMessage(bytes(10_000 - COST))
            sent += 1
        taken = len(c.carrier.outgoing)
        self.assertEqual(sent, -(-(high - taken) // 10_000))
        self.assertEqual(producer.calls, ["pause"])

    def test_low(self):
        """
        They go on when no more than C{sendLowWater} bytes are left, not when there is
        just some room.
        """
        high, low = 6 * CARRIER, 2 * CARRIER
        c = Conversation(
            keepalive=False, sendHighWater=high, sendLowWater=low, maxSendBuffer=None
        )
        c.congest()
        producer = Producer()
        c.connection.registerProducer(producer, True)
        while c.connection.whenWritable().called:
            c.connection.sendMessage(bytes(5000))
        waiting = c.connection.whenWritable()
        while c.connection._outbox.held - len(c.carrier.outgoing) > low:
            self.assertFalse(waiting.called)
            self.assertEqual(producer.calls, ["pause"])
            step(c)
        step(c)
        self.assertTrue(waiting.called)
        self.assertEqual(producer.calls, ["pause", "resume"])
        self.assertGreater(c.connection.bufferedAmount, CARRIER)

    def test_allFitsIntoTheCarrier(self):
        """
        When all that is left, more than C{sendLowWater}, finds room in the carrier they
        go on: it will not tell when less is left.
        """
        for low in (0, 1000, 20_000):
            c = congested(sendLowWater=low)
            c.connection.sendMessage(bytes(30_000))
            waiting = c.connection.whenWritable()
            self.assertFalse(waiting.called)
            step(c)
            self.assertTrue(waiting.called, low)
            self.assertTrue(c.connection.trySend("x"))
            self.assertFalse(c.connection.isPaused)

    def test_markIsReachedAtOnce(self):
        """
        Where both marks are the same and all that is left fills the carrier again,
        nobody goes on.
        """
        mark = 2 * CARRIER
        c = congested(
            sendHighWater=mark,
            sendLowWater=mark,
            maxSendBuffer=None,
            # Headers make more of it.
            fragmentationThreshold=10,
        )
        c.connection.sendMessage(bytes(mark - COST))
        waiting = c.connection.whenWritable()
        step(c)
        self.assertFalse(waiting.called)
        step(c)
        self.assertTrue(waiting.called)

    def test_afterAWrite(self):
        """
        A carrier that has more by now than when it was full is looked at anew.
        """
        c = Conversation(keepalive=False, sendHighWater=2 * CARRIER)
        c.congest()
        self.assertTrue(c.connection.whenWritable().called)
        c.carrier.outgoing += bytes(CARRIER)
        self.assertFalse(c.connection.whenWritable().called)
        c = Conversation(keepalive=False, sendHighWater=2 * CARRIER)
        c.congest()
        c.carrier.outgoing += bytes(CARRIER)
        self.assertFalse(c.connection.trySend("x"))

    def test_closing(self):
        """
        When the connection closes nobody goes on any more: who waits gets its end.
        """
        c = congested()
        waiting = c.connection.whenWritable()
        c.connection.close()
        c.readOn()
        self.assertFalse(waiting.called)
        c.send(CLOSE_1000)
        self.failureResultOf(waiting, ConnectionClosed)

    def test_costs(self):
        """
        Empty messages reach a mark as well, before C{maxSendBuffer}.
        """
        c = congested(sendHighWater=CARRIER + 10 * COST)
        sent = 0
        while c.connection.trySend(b""):
            sent += 1
        self.assertLessEqual(sent, 10)


class PauseTests(SynchronousTestCase):
    """
    C{pauseWhileCongested}.
    """

    def test_whenCongested(self):
        """
        Servers do not read from a peer that does not read, until it does; clients do.
        """
        for isServer, role in BOTH:
            c = congested(isServer)
            self.assertEqual(c.carrier.isPaused, isServer, role)
            self.assertEqual(c.connection.isPaused, isServer, role)
            c.send((0x81, b"hello"))
            self.assertEqual(c.receiver.messages, [] if isServer else ["hello"], role)
            c.readOn()
            self.assertFalse(c.carrier.isPaused, role)
            self.assertEqual(c.receiver.messages, ["hello"], role)

    def test_configured(self):
        """
        Either can be told to, or not to.
        """
        for isServer, role in BOTH:
            for pauses in (True, False):
                c = congested(isServer, pauseWhileCongested=pauses)
                self.assertEqual(c.carrier.isPaused, pauses, role)

    def test_flood(self):
        """
        A peer that sends requests and reads no answers makes us hold no more than the
        carrier and one answer, however it sends them.
        """
        for isServer, role in BOTH:
            for receiver, size in ((Echo(), 1000), (Answering(), 10)):
                c = Conversation(
                    isServer, receiver, keepalive=False, pauseWhileCongested=True
                )
                c.stopReading()
                requests = c.frame(0x82, bytes(size)) * 1000
                most = 0
                for at in range(0, len(requests), 5000):
                    c.peer.transport.write(requests[at : at + 5000])
                    c.flush()
                    most = max(most, c.connection.bufferedAmount)
                self.assertLess(most, CARRIER + 11_000, role)
                self.assertEqual(c.connection._outbox.size, 0, role)
                self.assertLess(len(receiver.messages), 100, role)
                answers = 0
                while not c.carrier.disconnected and answers < 1000:
                    step(c)
                    c.flush()
                    c.readOn()
                    answers += len(reassembled(c.take()))
                self.assertEqual((answers, len(receiver.messages)), (1000, 1000), role)
                self.assertEqual(c.connection.state, 0, role)

    def test_floodInOneRead(self):
        """
        So it is when all requests come in one read, and are very small.
        """
        c = Conversation(True, Echo(), keepalive=False)
        c.stopReading()
        c.peer.send(c.frame(0x82, b"") * 100_000)
        # What is sent while a read is handled is gathered first.
        self.assertLessEqual(c.connection.bufferedAmount, 2 * CARRIER + 2)
        self.assertIsNone(c.connection._outbox._waiting)
        c.readOn()
        while len(c.receiver.messages) < 100_000:
            c.readOn()
        self.assertEqual(len(c.take()), 100_000)

    def test_floodToOneThatReads(self):
        """
        Without it the flood ends with C{maxSendBuffer}.
        """
        c = Conversation(True, Echo(), keepalive=False, pauseWhileCongested=False)
        c.stopReading()
        c.peer.send(c.frame(0x82, bytes(1000)) * 3000)
        self.assertEqual(c.connection.closeSent.code, 1013)

    def test_applicationPauses(self):
        """
        The application's own pause is kept apart from it.
        """
        c = congested()
        c.connection.pauseProducing()
        c.readOn()
        self.assertTrue(c.carrier.isPaused)
        c.connection.resumeProducing()
        self.assertFalse(c.carrier.isPaused)
        c.congest()
        c.connection.pauseProducing()
        c.connection.resumeProducing()
        self.assertTrue(c.carrier.isPaused)

    def test_closing(self):
        """
        A connection that closes is read from, so that the peer's Close frame is found.
        """
        c = congested()
        c.connection.close()
        self.assertFalse(c.carrier.isPaused)
        c.send(CLOSE_1000)
        c.readOn()
        self.assertEqual(c.receiver.losses, 1)

    def test_fullAgainWhileClosing(self):
        """
        It is read from though it is full again of what waits, and what the peer had
        sent before it closes is delivered.
        """
        c = congested()
        c.connection.sendMessage(bytes(2 * CARRIER))
        c.connection.sendMessage("x")
        c.connection.close()
        step(c)
        self.assertFalse(c.carrier.isPaused)
        c.send((0x81, b"late"))
        self.assertEqual(c.receiver.messages, ["late"])


class CountTests(SynchronousTestCase):
    """
    What was sent is counted.
    """

    def test_messagesSent(self):
        """
        Messages are counted when they are sent, whether they wait or not; those sent
        piece by piece when they are finished, their frames at once.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, keepalive=False)
            for congest in (False, True):
                if congest:
                    c.congest()
                before = c.connection.messagesSent, c.connection.piecesSent
                c.connection.sendMessage("a")
                message = c.connection.beginMessage()
                message.write("b")
                message.write("c")
                counted = c.connection.messagesSent, c.connection.piecesSent
                self.assertEqual(counted, (before[0] + 1, before[1] + 2), role)
                message.finish()
                self.assertEqual(c.connection.messagesSent, before[0] + 2, role)
                c.connection.ping()
                self.assertEqual(c.connection.messagesSent, before[0] + 2, role)

    def test_keptAfterTheEnd(self):
        """
        The counts are still there when the connection has ended.
        """
        c = congested(slowReaderPolicy="coalesce", maxSendBuffer=2 * COST + 5)
        for number in range(5):
            c.connection.sendMessage("x", key=number % 2)
        c.connection.sendMessage("x" * 4)
        c.resetCarrier()
        counts = c.connection.messagesCoalesced, c.connection.messagesDropped
        self.assertEqual(counts, (3, 1))
