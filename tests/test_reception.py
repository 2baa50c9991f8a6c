# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.reception}: why a connection is not read from, and until when.
"""

from __future__ import annotations

from itertools import combinations

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import BOTH, CLOSE_1000, Conversation
from tests.taking import Sink
from tests.working import Working
from twisted_ws import Inbox
from twisted_ws._wire.errors import ProtocolViolation
from twisted_ws._wire.state import State
from twisted_ws.holds import Hold
from twisted_ws.reception import hasFired
from twisted_ws.testing import RecordingReceiver


class Everything(Working):
    """
    A receiver that is at work on text and takes what is binary piece by piece.
    """

    def __init__(self):
        Working.__init__(self)
        self.sink = Sink()

    def messageBegan(self, message):
        self.stream = message
        if message.opcode == 2:
            message.deliverTo(self.sink).addErrback(lambda failure: None)


class Meter:
    """
    Tells to wait for some seconds, or raises an exception, at each call.
    """

    def __init__(self, answer=0.0):
        self.answer = answer
        self.calls = []

    def messageReceived(self, size):
        self.calls.append(size)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    pingReceived = bytesReceived = messageReceived


class Metered(Conversation):
    """
    A conversation of a server that counts.

    @ivar meters: what counts.
    """

    def __init__(self, *meters, receiver=None, **options):
        self.meters = meters or (Meter(),)
        Conversation.__init__(
            self, True, receiver or Everything(), keepalive=False, **options
        )

    def _accept(self, request):
        def begin(connection):
            for meter in self.meters:
                connection.meter(meter)

        request.whenAccepted(begin)
        Conversation._accept(self, request)


def meterOn(c):
    """
    Have the next message cost two seconds.
    """
    c.meters[0].answer = 2.0
    c.send((0x89, b""))
    c.meters[0].answer = 0.0


REASONS = {
    Hold.APPLICATION: (
        lambda c: c.connection.pauseProducing(),
        lambda c: c.connection.resumeProducing(),
    ),
    Hold.CONGESTION: (lambda c: c.congest(), lambda c: c.readOn()),
    Hold.PENDING: (
        lambda c: c.connection.dataReceived(c.frame(0x81, b"x")),
        lambda c: c.receiver.finishAll(),
    ),
    Hold.STREAM: (
        lambda c: c.receiver.stream.pauseProducing(),
        lambda c: c.receiver.stream.resumeProducing(),
    ),
    Hold.RATE: (meterOn, lambda c: c.advance(2)),
    Hold.TURN: (
        lambda c: c.connection._tookLong(),
        lambda c: c.turn(),
    ),
}
"""
How each reason comes about and goes.
"""

DROPS = Hold.APPLICATION | Hold.PENDING | Hold.STREAM | Hold.INBOX


class HoldTests(SynchronousTestCase):
    """
    The reasons.
    """

    def test_distinct(self):
        """
        Each is a bit of its own.
        """
        self.assertEqual(len(Hold), 7)
        for first, second in combinations(Hold, 2):
            self.assertFalse(first & second)

    def test_each(self):
        """
        Each comes about by itself and keeps the connection from being read; when it
        goes, that goes on, with what came meanwhile.
        """
        for why, (come, go) in REASONS.items():
            c = Metered(maxPendingMessages=1, sendHighWater=0, sendLowWater=0)
            if why != Hold.PENDING:
                c.send((0x02, b"a"))
            self.assertFalse(c.connection.isPaused, why)
            come(c)
            self.assertEqual(c.connection._holds, why)
            self.assertTrue(c.connection.isPaused, why)
            self.assertTrue(c.carrier.isPaused, why)
            counted = len(c.meters[0].calls)
            c.connection.dataReceived(c.frame(0x89, b"?"))
            self.assertEqual(len(c.meters[0].calls), counted, why)
            go(c)
            self.assertEqual(c.connection._holds, Hold(0), why)
            self.assertFalse(c.connection.isPaused, why)
            self.assertFalse(c.carrier.isPaused, why)
            self.assertIn((0x8A, b"?"), c.take(), why)

    def test_together(self):
        """
        Whichever two or three come about, the connection is read from when the last of
        them has gone, in whatever order they go.
        """
        for count in (2, 3):
            for whys in combinations(Hold, count):
                for isServer, role in BOTH:
                    c = Conversation(isServer, keepalive=False)
                    for why in whys:
                        c.connection.hold(why)
                        c.connection.hold(why)
                    for first in range(count):
                        order = whys[first:] + whys[:first]
                        for why in order[:-1]:
                            c.connection.release(why)
                            self.assertTrue(c.connection.isPaused, (whys, role))
                            self.assertTrue(c.carrier.isPaused, (whys, role))
                        c.connection.release(order[-1])
                        self.assertFalse(c.connection.isPaused, (whys, role))
                        self.assertFalse(c.carrier.isPaused, (whys, role))
                        for why in whys:
                            c.connection.hold(why)
                    self.assertEqual(c.connection._pauses, count + 1)

    def test_releaseWithoutHold(self):
        """
        To release what was not held changes nothing.
        """
        c = Conversation()
        c.connection.hold(Hold.STREAM)
        for why in Hold:
            if why != Hold.STREAM:
                c.connection.release(why)
        self.assertTrue(c.connection.isPaused)
        c.connection.release(Hold.STREAM)
        self.assertFalse(c.connection.isPaused)

    def test_realTogether(self):
        """
        So it is with those that come about by themselves together.
        """
        whys = [Hold.STREAM, Hold.CONGESTION, Hold.APPLICATION]
        for first in whys:
            c = Metered(maxPendingMessages=1, sendHighWater=0, sendLowWater=0)
            c.send((0x02, b"a"))
            for why in whys:
                REASONS[why][0](c)
            self.assertEqual(c.connection._holds, sum(whys))
            order = sorted(whys, key=lambda why, first=first: why == first)
            for why in order[:-1]:
                REASONS[why][1](c)
                self.assertTrue(c.carrier.isPaused, (first, why))
            REASONS[order[-1]][1](c)
            self.assertFalse(c.carrier.isPaused, first)

    def test_afterTheEnd(self):
        """
        Nothing holds a connection that discards or is gone, and nothing of its carrier
        is touched then.
        """
        for isServer, _ in BOTH:
            for why in Hold:
                c = Conversation(isServer, keepalive=False)
                c.connection.hold(why)
                c.loseNow()
                c.carrier.resumeProducing = None
                c.carrier.pauseProducing = None
                c.connection.release(why)
                c.connection.hold(why)
                self.assertEqual(c.connection.state, State.CLOSED)


class CloseTests(SynchronousTestCase):
    """
    Closing what is held.
    """

    def test_each(self):
        """
        Closing reads on to the peer's Close frame, whatever held the connection.  What
        comes before it is delivered, unless it was the application that wanted
        nothing.
        """
        for why in Hold:
            for isServer, role in BOTH:
                c = Conversation(isServer, RecordingReceiver(), keepalive=False)
                c.connection.hold(why)
                c.connection.dataReceived(c.frame(0x81, b"kept"))
                self.assertEqual(c.receiver.messages, [])
                c.connection.close()
                self.assertFalse(c.connection.isPaused, (why, role))
                self.assertFalse(c.carrier.isPaused)
                expected = [] if why & DROPS else ["kept"]
                self.assertEqual(c.receiver.messages, expected, (why, role))
                c.send((0x81, b"later"), CLOSE_1000)
                expected = [] if why & DROPS else ["kept", "later"]
                self.assertEqual(c.receiver.messages, expected, (why, role))
                if not c.carrier.disconnected:
                    c.dropCarrier()
                self.assertEqual(c.receiver.reason.code, 1000)
                self.assertEqual(c.timers, 0)

    def test_byThemselves(self):
        """
        No timer is left of those that came about by themselves, however it ends.
        """
        ends = [
            lambda c: (c.connection.close(), c.send(CLOSE_1000)),
            lambda c: c.connection.abortConnection(),
            lambda c: c.resetCarrier(),
            lambda c: c.connection.letGo(ProtocolViolation("x")),
        ]
        for why, (come, go) in REASONS.items():
            for number, end in enumerate(ends):
                c = Metered(maxPendingMessages=1, sendHighWater=0, sendLowWater=0)
                if why != Hold.PENDING:
                    c.send((0x02, b"a"))
                come(c)
                end(c)
                c.flush()
                go(c)
                if not c.carrier.disconnected:
                    c.connection.abortConnection()
                    c.flush()
                c.receiver.finishAll()
                self.assertEqual(c.receiver.losses, 1, (why, number))
                self.assertEqual(c.timers, 0, (why, number))
                self.assertEqual(c.connection._budget.held, 0)

    def test_closedMeanwhile(self):
        """
        A reason that goes when the connection closes already resumes nothing that the
        closing had dropped.
        """
        for why in Hold:
            c = Conversation(True, RecordingReceiver(), keepalive=False)
            c.connection.hold(why)
            c.connection.hold(Hold.APPLICATION)
            c.connection.close()
            c.connection.release(why)
            c.send((0x81, b"later"), CLOSE_1000)
            self.assertEqual(c.receiver.messages, [], why)
            self.assertEqual(c.receiver.losses, 1)

    def test_inbox(self):
        """
        An inbox that is full when the connection closes keeps what it has.
        """
        c = Conversation(True, Inbox(), maxPendingMessages=2)
        c.send(*[(0x81, b"%d" % number) for number in range(5)])
        c.connection.close()
        c.send((0x81, b"later"), CLOSE_1000)
        received = [self.successResultOf(c.receiver.receive()) for _ in range(2)]
        self.assertEqual(received, ["0", "1"])
        self.failureResultOf(c.receiver.receive())


class MeterTests(SynchronousTestCase):
    """
    C{meter}.
    """

    def test_sizes(self):
        """
        It is told of the bytes since the last call.
        """
        c = Metered(receiver=RecordingReceiver())
        c.send((0x81, b"abc"))
        c.send((0x89, b"defg"))
        c.send((0x01, b"h"))
        c.send((0x8A, b""))
        c.send((0x80, b""))
        (meter,) = c.meters
        self.assertEqual(meter.calls, [9, 10, 7 + 6 + 6])
        self.assertEqual(c.receiver.messages, ["abc", "h"])

    def test_pauses(self):
        """
        The message is delivered, and the next one after so many seconds; the longest
        time of several counts.
        """
        c = Metered(Meter(1.0), Meter(3.0), Meter(), receiver=RecordingReceiver())
        c.send((0x81, b"1"), (0x81, b"2"))
        for messages in (["1"], ["1", "2"]):
            self.assertEqual(c.receiver.messages, messages)
            self.assertTrue(c.carrier.isPaused)
            c.advance(2.9)
            self.assertEqual(c.receiver.messages, messages)
            c.advance(0.1)
        self.assertFalse(c.carrier.isPaused)
        self.assertEqual(c.timers, 0)

    def test_latest(self):
        """
        While it is paused for that, a later answer counts from its own time: where one
        read brings a ping and the application's deliveries go on.
        """
        c = Metered(Meter(2.0), receiver=RecordingReceiver())
        c.send((0x81, b"1"))
        c.advance(1)
        c.connection._slowDown("messageReceived")
        self.assertEqual(c.timers, 1)
        c.advance(1.9)
        self.assertTrue(c.connection.isPaused)
        c.advance(0.1)
        self.assertFalse(c.connection.isPaused)

    def test_violation(self):
        """
        A violation closes the connection with its code; the message is not delivered,
        and the receiver has not failed.
        """
        for first in (0x81, 0x89):
            c = Metered(Meter(ProtocolViolation("fast")), receiver=RecordingReceiver())
            c.send((first, b"1"), (0x81, b"2"))
            self.assertEqual(c.take(), [(0x88, b"\x03\xeafast")])
            self.assertEqual(c.receiver.messages, [])
            self.assertEqual(c.receiver.losses, 1)
            self.assertEqual(c.timers, 0)

    def test_withPending(self):
        """
        Messages that take time are counted too, when they come.
        """
        c = Metered(receiver=Working(), maxPendingMessages=5)
        c.send((0x81, b"1"), (0x81, b"2"), (0x81, b"3"))
        self.assertEqual(len(c.meters[0].calls), 3)
        self.assertEqual(c.receiver.messages, ["1"])
        c.receiver.finishAll()
        self.assertEqual(c.receiver.messages, ["1", "2", "3"])
        self.assertEqual(len(c.meters[0].calls), 3)

    def test_whileClosing(self):
        """
        Nothing is paused any more while the connection closes; nor is a message
        delivered that closing has dropped.
        """
        c = Metered(Meter(5.0), receiver=RecordingReceiver())
        c.connection.close()
        c.send((0x81, b"1"), (0x81, b"2"))
        self.assertFalse(c.carrier.isPaused)
        self.assertEqual(c.receiver.messages, ["1", "2"])
        c.connection.pauseProducing()
        c.send((0x81, b"3"), CLOSE_1000)
        self.assertEqual(c.receiver.messages, ["1", "2"])


class HasFiredTests(SynchronousTestCase):
    """
    L{hasFired}.
    """

    def test_hasFired(self):
        """
        It tells whether a Deferred has its result, and leaves that as it is.
        """
        inner = Deferred()
        waiting = succeed(None).addCallback(lambda ignored: inner)
        self.assertFalse(hasFired(waiting))
        inner.callback(5)
        self.assertTrue(hasFired(waiting))
        self.assertEqual(self.successResultOf(waiting), 5)
        self.assertFalse(hasFired(Deferred()))
        failed = fail(ValueError())
        self.assertTrue(hasFired(failed))
        self.failureResultOf(failed, ValueError)
