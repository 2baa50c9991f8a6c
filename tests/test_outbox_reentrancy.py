# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.outbox}: whatever is called when messages are handed on, dropped or lost
may send, close and abort.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import BOTH, CLOSE_1000, Conversation, reassembled
from tests.test_outbox import congested, texts
from twisted_ws import outbox
from twisted_ws._wire.state import State
from twisted_ws.errors import ConnectionClosed, ConnectionNotOpen, MessageDropped
from twisted_ws.testing import MemoryCarrier
from twisted_ws.waiting import COST

MANY = 10_000


class Producer:
    """
    Does something, once, when it is paused or resumed.
    """

    def __init__(self, at, act):
        self._at = at
        self._act = act
        self.reached = 0

    def _reach(self, name):
        if name == self._at and not self.reached:
            self.reached = 1
            self._act()

    def pauseProducing(self):
        self._reach("pause")

    def resumeProducing(self):
        self._reach("resume")

    def stopProducing(self):
        pass


ACTS = [
    ("send", lambda c: c.connection.sendMessage("more")),
    ("send much", lambda c: c.connection.sendMessage("m" * 70000)),
    ("ping", lambda c: c.connection.ping(b"ping").addErrback(id)),
    ("try", lambda c: c.connection.trySend("more")),
    ("close", lambda c: c.connection.close()),
    ("abort", lambda c: c.connection.abortConnection()),
    ("lose", lambda c: c.loseNow()),
    ("pause", lambda c: c.connection.pauseProducing()),
    ("piecewise", lambda c: c.connection.beginMessage().write("piece")),
    ("raise", lambda c: 1 // 0),
]


class ActTests(SynchronousTestCase):
    """
    Everything that can be done, at each moment.
    """

    def check(self, name, c, waiting):
        """
        Let the peer read, end it, and assert that all came to an end, once.
        """
        c.readOn()
        c.readOn()
        frames = reassembled([each for each in c.take() if not each[0] & 8])
        received = [payload for first, payload in frames if first == 0x81]
        numbers = [each for each in received if each.isdigit()]
        self.assertEqual(numbers, sorted(numbers, key=int), name)
        if not c.carrier.disconnected:
            c.connection.resumeProducing()
            c.resetCarrier()
        c.flush()
        self.flushLoggedErrors(ZeroDivisionError)
        for each in waiting:
            self.assertTrue(each.called, name)
        self.assertEqual((c.receiver.losses, c.timers), (1, 0), name)
        left = c.connection._outbox
        self.assertEqual((left.held, left._waiting, left._lost), (0, None, None), name)
        self.assertEqual(c.server.factory.budget.held if c.isServer else 0, 0, name)

    def test_delivered(self):
        """
        When a message was handed on.
        """
        for isServer, role in BOTH:
            for name, act in ACTS:
                c = congested(isServer)
                waiting = [c.connection.sendMessage(f"{n}") for n in range(4)]
                waiting[1].addCallback(lambda _, act, c: act(c) and None, act, c)
                for each in waiting:
                    each.addErrback(id)
                self.check(f"{name}, {role}", c, waiting)

    def test_dropped(self):
        """
        When one was dropped: the one that it was dropped for is in its place before.
        """
        for policy in ("drop-oldest", "coalesce"):
            for isServer, role in BOTH:
                for name, act in ACTS:
                    c = congested(
                        isServer, slowReaderPolicy=policy, maxSendBuffer=2 * (COST + 1)
                    )
                    waiting = [
                        c.connection.sendMessage(f"{n}", key=n) for n in range(2)
                    ]
                    waiting[0].addErrback(lambda _, act, c: act(c) and None, act, c)
                    waiting += [c.connection.sendMessage("2", key=2)]
                    for each in waiting:
                        each.addErrback(id)
                    self.check(f"{name}, {policy}, {role}", c, waiting)

    def test_lost(self):
        """
        When one was lost with the connection.
        """
        for name, act in ACTS:
            c = congested()
            waiting = [c.connection.sendMessage(f"{n}") for n in range(4)]
            waiting[1].addErrback(lambda _, act, c: act(c) and None, act, c)
            c.resetCarrier()
            for each in waiting:
                each.addErrback(
                    lambda f: f.trap(
                        ConnectionClosed, ConnectionNotOpen, ZeroDivisionError
                    )
                )
            self.check(name, c, waiting)

    def test_producer(self):
        """
        When a producer is paused, and when it is resumed.
        """
        for at in ("pause", "resume"):
            for isServer, role in BOTH:
                for name, act in ACTS:
                    c = Conversation(isServer, keepalive=False)
                    producer = Producer(at, lambda act=act, c=c: act(c))
                    c.connection.registerProducer(producer, True)
                    c.congest()
                    waiting = []
                    if c.connection.state == State.OPEN and name != "piecewise":
                        waiting = [c.connection.sendMessage(f"{n}") for n in range(2)]
                    for each in waiting:
                        each.addErrback(id)
                    self.check(f"{name}, {at}, {role}", c, waiting)
                    self.assertTrue(producer.reached, f"{name}, {at}, {role}")

    def test_writable(self):
        """
        When there is room again.
        """
        for isServer, role in BOTH:
            for name, act in ACTS:
                c = congested(isServer)
                waiting = [c.connection.whenWritable() for _ in range(3)]
                waiting[1].addCallback(lambda _, act, c: act(c) and None, act, c)
                for each in waiting:
                    each.addErrback(id)
                self.check(f"{name}, {role}", c, waiting)


class OrderTests(SynchronousTestCase):
    """
    What is sent within other things has its place.
    """

    def test_withinADrop(self):
        """
        What is sent when a message is dropped comes behind the one it was dropped for.
        """
        c = congested(slowReaderPolicy="drop-oldest", maxSendBuffer=2 * (COST + 1))
        first = c.connection.sendMessage("1")
        c.connection.sendMessage("2")
        first.addErrback(lambda _: c.connection.sendMessage("4") and None)
        c.connection.sendMessage("3")
        c.readOn()
        self.assertEqual(texts(c), ["3", "4"])

    def test_withinAReplacement(self):
        """
        When the one that was replaced sends a newer one, the Deferred of the one
        between says that it was replaced too.
        """
        c = congested(slowReaderPolicy="coalesce")
        first = c.connection.sendMessage("1", key="a")
        first.addErrback(lambda _: c.connection.sendMessage("3", key="a") and None)
        second = c.connection.sendMessage("2", key="a")
        self.failureResultOf(second, MessageDropped)
        c.readOn()
        self.assertEqual(texts(c), ["3"])

    def test_withinADelivery(self):
        """
        What is sent when a message was handed on comes behind what waits.
        """
        c = congested()
        first = c.connection.sendMessage("1")
        c.connection.sendMessage("2")
        first.addCallback(lambda _: c.connection.sendMessage("3") and None)
        c.readOn()
        self.assertEqual(texts(c), ["1", "2", "3"])

    def test_closeWithinADelivery(self):
        """
        So does our Close frame.
        """
        c = congested()
        first = c.connection.sendMessage("1")
        c.connection.sendMessage("2")
        first.addCallback(lambda _: c.connection.close())
        c.readOn()
        self.assertEqual(c.take()[-2:], [(0x81, b"2"), CLOSE_1000])

    def test_congestedAgain(self):
        """
        When who waited for room has filled the carrier again, the peer is not read
        from either.
        """
        c = congested()
        c.connection.whenWritable().addCallback(
            lambda _: c.connection.sendMessage(bytes(MemoryCarrier.highWater)) and None
        )
        c.peerCarrier.resumeProducing()
        c.carrier.moveOn(1 << 30)
        c.stopReading()
        self.assertTrue(c.connection.isPaused)
        self.assertTrue(c.carrier.isPaused)
        c.readOn()
        self.assertFalse(c.connection.isPaused)


class WithinAWriteTests(SynchronousTestCase):
    """
    A carrier that pauses its producer within a write, as TLS does.
    """

    def setUp(self):
        self.patch(outbox, "pausesBehindWrites", lambda carrier: False)

    def test_notWithin(self):
        """
        Messages wait from then on, but nobody is told before the write is over.
        """
        c = Conversation(keepalive=False)
        producer = Producer("pause", lambda: None)
        c.connection.registerProducer(producer, True)
        c.congest()
        self.assertEqual((producer.reached, c.timers), (0, 1))
        self.assertFalse(c.connection.isPaused)
        c.turn()
        self.assertTrue(producer.reached)
        self.assertTrue(c.connection.isPaused)
        self.assertFalse(c.connection.sendMessage("x").called)
        # From now on C{sendStallTimeout} runs.
        self.assertEqual(c.timers, 1)

    def test_roomBefore(self):
        """
        When it has room again before that, there is nothing to tell.
        """
        c = Conversation(keepalive=False)
        producer = Producer("pause", lambda: None)
        c.connection.registerProducer(producer, True)
        c.congest()
        c.readOn()
        self.assertEqual(c.timers, 0)
        c.turn()
        self.assertFalse(producer.reached)
        self.assertTrue(c.connection.sendMessage("x").called)

    def test_endBefore(self):
        """
        When it ends before that no timer is left.
        """
        ends = [
            lambda c: c.connection.abortConnection(),
            lambda c: c.resetCarrier(),
            lambda c: c.loseNow(),
        ]
        for isServer, role in BOTH:
            for end in ends:
                c = Conversation(isServer, keepalive=False)
                c.congest()
                end(c)
                c.flush()
                self.assertEqual((c.timers, c.receiver.losses), (0, 1), role)


class DepthTests(SynchronousTestCase):
    """
    Whatever is sent from within callbacks needs no more stack for more of it.
    """

    def test_deliveries(self):
        """
        Each message is sent when the one before was handed on.
        """
        c = congested(maxSendBuffer=None)
        sent = []

        def send(result=None):
            if len(sent) < MANY:
                sent.append(f"{len(sent)}")
                waiting = c.connection.sendMessage(sent[-1])
                waiting.addCallback(send)

        send()
        c.readOn()
        self.assertEqual(len(sent), MANY)
        self.assertEqual(texts(c), sent)

    def test_waiters(self):
        """
        Each of many who wait for room sends; who waits longest sends first.
        """
        c = congested(maxSendBuffer=None)
        for number in range(MANY):
            waiting = c.connection.whenWritable()
            waiting.addCallback(
                lambda _, t, text: t.sendMessage(text) and None,
                c.connection,
                f"{number}",
            )
        while not c.connection._gate.isOpen:
            c.readOn()
        self.assertEqual(texts(c), [f"{number}" for number in range(MANY)])

    def test_dropped(self):
        """
        Each message that is dropped sends another.
        """
        c = congested(slowReaderPolicy="drop-newest", maxSendBuffer=COST)
        c.connection.sendMessage("")
        left = [MANY]

        def send(failure=None):
            left[0] -= 1
            if left[0]:
                c.clock.callLater(
                    0, lambda: c.connection.sendMessage("x").addErrback(send)
                )

        send()
        while left[0]:
            c.turn()
        self.assertEqual(c.connection.messagesDropped, MANY - 1)

    def test_oneCarrierAfterTheOther(self):
        """
        A carrier that has room for one message at a time, and says so while it is
        written to, is served message by message.
        """
        c = congested(maxSendBuffer=None)
        c.carrier.highWater = 0
        for number in range(MANY):
            c.connection.sendMessage(f"{number}")
        written = []

        def write(data):
            written.append(data)
            c.connection._outbox.pauseProducing()
            c.connection._outbox.resumeProducing()

        c.connection._connectWrite(write)
        c.connection._outbox.resumeProducing()
        self.assertEqual(len(written), MANY)
        self.assertEqual(c.connection._outbox.held, 0)
        self.assertTrue(c.connection._gate.isOpen)
        c.connection.sendMessage("last")
        self.assertEqual(len(written), MANY + 1)
