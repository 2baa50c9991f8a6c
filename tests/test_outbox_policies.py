# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.outbox}: what becomes of a message when more would wait than
C{maxSendBuffer}, under each C{slowReaderPolicy}.
"""

from __future__ import annotations

from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import BOTH, Conversation, reassembled
from tests.test_outbox import congested, texts
from twisted_ws import ClosedAbruptly, ConnectionNotOpen
from twisted_ws._wire.state import State
from twisted_ws.errors import MessageDropped, TryAgainLater
from twisted_ws.waiting import COST

DROPPING = ("drop-oldest", "drop-newest", "coalesce")


def limited(
    policy: str, messages: int, isServer: bool = True, size: int = 10, **options
) -> Conversation:
    """
    @return: a congested conversation in which so many messages of this size may wait.
    """
    return congested(
        isServer,
        slowReaderPolicy=policy,
        maxSendBuffer=messages * (COST + size),
        **options,
    )


class CloseTests(SynchronousTestCase):
    """
    C{slowReaderPolicy="close"}, the default.
    """

    def test_bounds(self):
        """
        Up to C{maxSendBuffer} bytes may wait; one more closes the connection with 1013,
        and what waited is not sent.
        """
        for isServer, role in BOTH:
            for size, fits in ((10, True), (11, False)):
                c = limited("close", 3, isServer)
                waiting = [c.connection.sendMessage("x" * 10) for _ in range(2)]
                waiting.append(c.connection.sendMessage("y" * size))
                self.assertEqual(c.connection.state == State.OPEN, fits, role)
                if fits:
                    c.readOn()
                    self.assertEqual(len(texts(c)), 3, role)
                    continue
                c.readOn()
                (close,) = reassembled(c.take())[1:]
                self.assertEqual((close[0], close[1][:2]), (0x88, b"\x03\xf5"), role)
                c.dropCarrier()
                for each in waiting:
                    self.failureResultOf(each, ClosedAbruptly)
                self.assertIsInstance(c.receiver.reason.__cause__, TryAgainLater, role)

    def test_oneMore(self):
        """
        One message more than fit is too many, though it is empty.
        """
        c = limited("close", 3, size=0)
        for _ in range(3):
            c.connection.sendMessage(b"")
        self.assertEqual(c.connection.state, State.OPEN)
        c.connection.sendMessage(b"")
        self.assertEqual(c.connection.closeSent.code, 1013)

    def test_logged(self):
        """
        One line is logged, which names the option; it is counted.
        """
        c = limited("close", 1)
        c.connection.sendMessage("x")
        with capturedLogs() as logged:
            c.connection.sendMessage("x" * 100)
            c.advance(5)
        (text,) = [formatEvent(event) for event in logged]
        self.assertEqual(logged[0]["log_level"], LogLevel.info)
        self.assertIn("(option: maxSendBuffer)", text)
        self.assertIn(f"over {COST + 10}", text)
        self.assertEqual(c.server.factory.budget.counts, {"tooSlow": 1})
        self.assertEqual((c.receiver.losses, c.timers), (1, 0))

    def test_refusedThen(self):
        """
        The message that is too much has a Deferred that fails; the next one is refused.
        """
        c = limited("close", 1)
        c.connection.sendMessage("x")
        tooMuch = c.connection.sendMessage("x" * 100)
        self.assertNoResult(tooMuch)
        self.assertRaises(ConnectionNotOpen, c.connection.sendMessage, "y")
        c.resetCarrier()
        self.failureResultOf(tooMuch, ClosedAbruptly)

    def test_controls(self):
        """
        Pings and pongs that wait in a full carrier are bounded too.
        """
        c = congested()
        for _ in range((1 << 16) // 127):
            c.connection.pong(bytes(125))
        self.assertEqual(c.connection.state, State.OPEN)
        with capturedLogs() as logged:
            c.connection.pong(bytes(125))
        (text,) = [formatEvent(event) for event in logged]
        self.assertIn("pings and pongs", text)
        self.assertNotIn("option", text)
        self.assertEqual(c.connection.closeSent.code, 1013)

    def test_controlsAgain(self):
        """
        A carrier that was empty meanwhile has room for as many again.
        """
        c = congested()
        for _ in range(2):
            for _ in range((1 << 16) // 127):
                c.connection.pong(bytes(125))
            self.assertEqual(c.connection.state, State.OPEN)
            c.readOn()
            c.congest()


class AnyPolicyTests(SynchronousTestCase):
    """
    What all of them have in common.
    """

    def test_oneIsTaken(self):
        """
        Where none waits, one is taken however long it is.
        """
        for policy in ("close", *DROPPING):
            c = limited(policy, 1)
            waiting = c.connection.sendMessage("x" * 100_000)
            self.assertEqual(c.connection.messagesDropped, 0, policy)
            c.readOn()
            self.assertIsNone(self.successResultOf(waiting))
            self.assertEqual(texts(c), ["x" * 100_000], policy)

    def test_noLimit(self):
        """
        With C{maxSendBuffer=None} everything waits.
        """
        for policy in ("close", *DROPPING):
            c = congested(slowReaderPolicy=policy, maxSendBuffer=None)
            for number in range(10_000):
                c.connection.sendMessage(f"{number}")
            self.assertEqual(c.connection._outbox._waiting.number, 10_000, policy)
            c.readOn()
            self.assertEqual(len(texts(c)), 10_000, policy)

    def test_beginFrames(self):
        """
        A frame of a message that has begun cannot be dropped: one too many closes the
        connection with 1013.
        """
        for policy in ("close", *DROPPING):
            c = limited(policy, 3)
            message = c.connection.beginMessage()
            for _ in range(3):
                message.write("x" * 10)
            self.assertEqual(c.connection.state, State.OPEN, policy)
            message.write("y")
            self.assertEqual(c.connection.closeSent.code, 1013, policy)
            self.assertEqual(c.connection.messagesDropped, 0, policy)
            self.assertRaises(ConnectionNotOpen, message.finish)

    def test_accounts(self):
        """
        When everything was sent nothing is counted, or kept, any more.
        """
        for policy in ("close", *DROPPING):
            c = limited(policy, 5)
            for number in range(5 if policy == "close" else 50):
                c.connection.sendMessage("x" * (number % 11), key=number % 7)
            c.readOn()
            outbox = c.connection._outbox
            self.assertEqual((outbox.size, outbox.held), (0, 0), policy)
            self.assertEqual(list(outbox._waiting._items), [], policy)
            self.assertEqual(c.server.factory.budget.held, 0, policy)


class DropNewestTests(SynchronousTestCase):
    """
    C{slowReaderPolicy="drop-newest"}.
    """

    def test_bounds(self):
        """
        What would be too much is dropped, and its Deferred says so; a shorter one may
        still fit.
        """
        for isServer, role in BOTH:
            c = limited("drop-newest", 2, isServer)
            first = c.connection.sendMessage("a" * 9)
            dropped = c.connection.sendMessage("b" * 12)
            failure = self.failureResultOf(dropped, MessageDropped)
            self.assertIn("drop-newest", failure.getErrorMessage())
            c.connection.sendMessage("c" * 11)
            self.assertEqual(c.connection.messagesDropped, 1, role)
            self.assertEqual(c.connection._outbox.size, 20, role)
            c.readOn()
            self.assertEqual(texts(c), ["a" * 9, "c" * 11], role)
            self.assertIsNone(self.successResultOf(first), role)

    def test_counts(self):
        """
        They are counted, for the connection and for all.
        """
        c = limited("drop-newest", 1)
        for _ in range(6):
            c.connection.sendMessage("x" * 10)
        self.assertEqual(c.connection.messagesDropped, 5)
        self.assertEqual(c.server.factory.budget.counts, {"dropped": 5})


class DropOldestTests(SynchronousTestCase):
    """
    C{slowReaderPolicy="drop-oldest"}.
    """

    def test_oldestFirst(self):
        """
        The oldest are dropped, as many as it takes.
        """
        for isServer, role in BOTH:
            c = limited("drop-oldest", 3, isServer)
            waiting = [c.connection.sendMessage(each * 10) for each in "abc"]
            waiting.append(c.connection.sendMessage("d" * 10))
            self.failureResultOf(waiting[0], MessageDropped)
            self.assertNoResult(waiting[1])
            waiting.append(c.connection.sendMessage("e" * (COST + 20)))
            self.assertEqual(c.connection.messagesDropped, 3, role)
            c.readOn()
            self.assertEqual(texts(c), ["d" * 10, "e" * (COST + 20)], role)
            self.failureResultOf(waiting[1], MessageDropped)
            self.failureResultOf(waiting[2], MessageDropped)
            for each in waiting[3:]:
                self.assertIsNone(self.successResultOf(each), role)

    def test_longerThanAll(self):
        """
        For one that is longer than all may be, all others go.
        """
        c = limited("drop-oldest", 3)
        for each in "abc":
            c.connection.sendMessage(each)
        c.connection.sendMessage("d" * 9999)
        c.readOn()
        self.assertEqual(texts(c), ["d" * 9999])

    def test_begunMessages(self):
        """
        Whole messages are dropped from around the frames of one that was begun, never
        those frames; if that does not do, the connection is closed.
        """
        c = limited("drop-oldest", 4)
        c.connection.sendMessage("a" * 10)
        message = c.connection.beginMessage()
        message.write("b" * 10)
        message.finish()
        c.connection.sendMessage("c" * 10)
        dropped = [c.connection.sendMessage(each * 10) for each in "def"]
        self.assertEqual(c.connection.messagesDropped, 3)
        c.readOn()
        self.assertEqual(texts(c), ["b" * 10, "e" * 10, "f" * 10])
        self.failureResultOf(dropped[0], MessageDropped)
        c.congest()
        message = c.connection.beginMessage()
        for _ in range(4):
            message.write("x" * 10)
        message.finish()
        self.assertEqual(c.connection.closeSent.code, 1013)


class CoalesceTests(SynchronousTestCase):
    """
    C{slowReaderPolicy="coalesce"}.
    """

    def test_inPlace(self):
        """
        A message takes the place of the one with its key, though there is room for
        both; that one's Deferred says so.
        """
        for isServer, role in BOTH:
            c = limited("coalesce", 100, isServer)
            waiting = [
                c.connection.sendMessage(text, key=key)
                for text, key in (("a1", "a"), ("b1", "b"), ("-", None), ("a2", "a"))
            ]
            c.connection.sendMessage("-", key=None)
            failure = self.failureResultOf(waiting[0], MessageDropped)
            self.assertIn("a newer message", failure.getErrorMessage())
            self.assertEqual(c.connection.messagesCoalesced, 1, role)
            self.assertEqual(c.connection.messagesDropped, 0, role)
            self.assertEqual(c.connection._outbox.size, 6, role)
            c.readOn()
            self.assertEqual(texts(c), ["a2", "b1", "-", "-"], role)
            self.assertIsNone(self.successResultOf(waiting[3]), role)

    def test_whatWasSent(self):
        """
        One that was handed on has no place to take.
        """
        c = limited("coalesce", 100)
        c.connection.sendMessage("1", key="a")
        c.readOn()
        c.congest()
        c.connection.sendMessage("2", key="a")
        c.connection.sendMessage("3", key="a")
        c.readOn()
        received = [
            payload for first, payload in reassembled(c.take()) if first == 0x81
        ]
        self.assertEqual(received, [b"1", b"3"])
        self.assertEqual(c.connection.messagesCoalesced, 1)

    def test_dropsOldest(self):
        """
        When there is too much the oldest are dropped, with and without a key; the next
        message with that key has a place of its own.
        """
        c = limited("coalesce", 3)
        for text, key in (("a", "a"), ("-", None), ("b", "b"), ("c", "c")):
            c.connection.sendMessage(text * 10, key=key)
        c.connection.sendMessage("A" * 10, key="a")
        c.connection.sendMessage("B" * 10, key="b")
        self.assertEqual(c.connection.messagesDropped, 2)
        self.assertEqual(c.connection.messagesCoalesced, 1)
        c.readOn()
        self.assertEqual(texts(c), ["B" * 10, "c" * 10, "A" * 10])

    def test_replacedByLonger(self):
        """
        C{maxSendBuffer} counts for one that takes a place as well: others are dropped
        for it, and it is not.
        """
        c = limited("coalesce", 3)
        for each in "abc":
            c.connection.sendMessage(each * 10, key=each)
        c.connection.sendMessage("A" * (COST + 20), key="a")
        self.assertEqual(c.connection.messagesDropped, 1)
        self.assertEqual(c.connection._outbox._waiting.held, 3 * (COST + 10))
        c.connection.sendMessage("A" * 9999, key="a")
        self.assertEqual(c.connection.messagesDropped, 2)
        c.readOn()
        self.assertEqual(texts(c), ["A" * 9999])

    def test_fewKeys(self):
        """
        Any number of messages with few keys need the memory of few.
        """
        c = limited("coalesce", 100)
        for number in range(20_000):
            c.connection.sendMessage(f"{number}", key=number % 10)
        self.assertEqual(len(c.connection._outbox._waiting._items), 10)
        c.readOn()
        self.assertEqual(texts(c), [f"{19_990 + number}" for number in range(10)])

    def test_otherPolicies(self):
        """
        Under the others a key means nothing.
        """
        for policy in ("close", "drop-oldest", "drop-newest"):
            c = limited(policy, 5)
            c.connection.sendMessage("1", key="a")
            c.connection.sendMessage("2", key="a")
            c.readOn()
            self.assertEqual(texts(c), ["1", "2"], policy)
