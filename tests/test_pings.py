# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.pings}: the round trip of a ping and its pong.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import BOTH, CLOSE_1000, Conversation, facts
from twisted_ws import ClosedAbruptly, ClosedCleanly, ConnectionNotOpen
from twisted_ws._wire.state import State
from twisted_ws.errors import IllegalFrame
from twisted_ws.pings import Pings


def pongTo(ping: tuple[int, bytes]) -> tuple[int, bytes]:
    """
    @return: the pong that answers a ping.
    """
    first, payload = ping
    assert first == 0x89, ping
    return 0x8A, payload


class RoundTripTests(SynchronousTestCase):
    """
    C{ping} of a connection.
    """

    def test_seconds(self):
        """
        The Deferred fires with the seconds between ping and pong.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer)
            answer = c.connection.ping()
            (ping,) = c.take()
            c.advance(0.25)
            self.assertNoResult(answer)
            c.send(pongTo(ping))
            self.assertEqual(self.successResultOf(answer), 0.25, role)

    def test_payloads(self):
        """
        By default each ping has four bytes that no other of its connection has.
        """
        c = Conversation()
        for _ in range(300):
            c.connection.ping()
        payloads = [payload for _, payload in c.take()]
        self.assertEqual(len(set(payloads)), 300)
        self.assertEqual({len(payload) for payload in payloads}, {4})

    def test_ownPayload(self):
        """
        The payload may be one's own, the empty one too, of up to 125 bytes.
        """
        for payload in (b"", b"?", b"x" * 125):
            c = Conversation()
            answer = c.connection.ping(payload)
            self.assertEqual(c.take(), [(0x89, payload)])
            c.send((0x8A, payload))
            self.assertEqual(self.successResultOf(answer), 0)

    def test_tooLong(self):
        """
        One byte more is the caller's error (RFC 6455 section 5.5): nothing is sent,
        nothing waits.
        """
        c = Conversation()
        self.assertRaises(IllegalFrame, c.connection.ping, b"x" * 126)
        self.assertEqual(c.take(), [])
        self.assertEqual(c.connection.state, State.OPEN)

    def test_latestOnly(self):
        """
        A peer may answer only the latest of several pings (section 5.5.3): that answers
        those before it too, each with its own time.
        """
        c = Conversation()
        answers = []
        for _ in range(3):
            answers.append(c.connection.ping())
            c.advance(1)
        pings = c.take()
        later = c.connection.ping()
        c.send(pongTo(pings[2]))
        self.assertEqual([self.successResultOf(each) for each in answers], [3, 2, 1])
        self.assertNoResult(later)
        c.send(pongTo(c.take()[0]))
        self.assertEqual(self.successResultOf(later), 0)

    def test_inOrder(self):
        """
        Pongs that come one by one answer one by one.
        """
        c = Conversation()
        answers = [c.connection.ping() for _ in range(3)]
        for ping, answer in zip(c.take(), answers, strict=True):
            self.assertNoResult(answer)
            c.send(pongTo(ping))
            self.successResultOf(answer)

    def test_unasked(self):
        """
        A pong that answers no ping is ignored (section 5.5.3), before, between and
        after those that do.
        """
        c = Conversation()
        c.send((0x8A, b""), (0x8A, b"unasked"))
        answer = c.connection.ping(b"asked")
        c.send((0x8A, b""), (0x8A, b"unasked"), (0x8A, b"ASKED"), (0x8A, b"asked "))
        self.assertNoResult(answer)
        c.send((0x8A, b"asked"))
        self.successResultOf(answer)
        c.send((0x8A, b"asked"), (0x81, b"hello"))
        self.assertEqual(c.receiver.messages, ["hello"])

    def test_samePayload(self):
        """
        Two pings with one payload are answered by two pongs, the older first.
        """
        c = Conversation()
        first, second = c.connection.ping(b"?"), c.connection.ping(b"?")
        c.send((0x8A, b"?"))
        self.successResultOf(first)
        self.assertNoResult(second)
        c.send((0x8A, b"?"))
        self.successResultOf(second)

    def test_keepalivesPong(self):
        """
        The pong that answers a ping of keepalive answers none of the application's.
        """
        c = Conversation(keepalive=True)
        c.advance(20)
        (keepalive,) = c.take()
        answer = c.connection.ping()
        c.send(pongTo(keepalive))
        self.assertNoResult(answer)
        c.send(pongTo(c.take()[0]))
        self.successResultOf(answer)

    def test_cancel(self):
        """
        One may stop waiting; the pong then answers nobody, and those before it.
        """
        c = Conversation()
        first, second, third = (c.connection.ping() for _ in range(3))
        pings = c.take()
        second.cancel()
        self.failureResultOf(second, CancelledError)
        c.send(pongTo(pings[1]))
        self.successResultOf(first)
        self.assertNoResult(third)
        c.send(pongTo(pings[2]))
        self.successResultOf(third)

    def test_timeout(self):
        """
        C{addTimeout} works on it.
        """
        c = Conversation(keepalive=False)
        answer = c.connection.ping().addTimeout(3, c.clock)
        c.advance(3)
        self.failureResultOf(answer)
        c.send(pongTo(c.take()[0]))
        c.dropCarrier()
        self.assertEqual(c.timers, 0)

    def test_again(self):
        """
        A callback may send the next ping.
        """
        c = Conversation()
        trips = []

        def again(seconds=None):
            trips.append(seconds)
            c.connection.ping().addCallback(again)

        again()
        for _ in range(3):
            c.advance(0.5)
            c.send(pongTo(c.take()[0]))
        self.assertEqual(trips, [None, 0.5, 0.5, 0.5])
        c.connection._madePings._waiting[0].answered.addErrback(lambda failure: None)
        c.dropCarrier()

    def test_failingCallback(self):
        """
        A callback that fails is its Deferred's affair.
        """
        c = Conversation()
        first, second = c.connection.ping(), c.connection.ping()
        first.addCallback(lambda seconds: 1 / 0)
        c.send(pongTo(c.take()[1]))
        self.failureResultOf(first, ZeroDivisionError)
        self.successResultOf(second)
        self.assertEqual(c.connection.state, State.OPEN)


class EndTests(SynchronousTestCase):
    """
    Pings that are not answered.
    """

    def test_end(self):
        """
        They fail with the end of the connection, in order, and so does any later one.
        """
        ends = [
            ("clean", lambda c: c.send(CLOSE_1000), ClosedCleanly),
            ("drop", lambda c: c.dropCarrier(), ClosedAbruptly),
            ("abort", lambda c: c.connection.abortConnection(), ClosedAbruptly),
        ]
        for name, end, expected in ends:
            c = Conversation()
            failed = []
            for number in range(3):
                answer = c.connection.ping()
                answer.addErrback(
                    lambda failure, failed, n: failed.append((n, failure)),
                    failed,
                    number,
                )
            end(c)
            c.flush()
            self.assertEqual([number for number, _ in failed], [0, 1, 2], name)
            for _, failure in failed:
                self.assertEqual(facts(failure.value), facts(c.receiver.reason), name)
            self.failureResultOf(c.connection.ping(), expected)

    def test_closing(self):
        """
        While the connection closes they still wait, but no other can be sent.
        """
        c = Conversation()
        answer = c.connection.ping()
        ping = c.take()[0]
        c.connection.close()
        self.failureResultOf(c.connection.ping(), ConnectionNotOpen)
        self.assertNoResult(answer)
        c.send(pongTo(ping))
        self.successResultOf(answer)

    def test_cancelledBefore(self):
        """
        One that was cancelled is left alone; one that another's failure cancels too.
        """
        c = Conversation()
        first, second, third = (c.connection.ping() for _ in range(3))
        first.cancel()
        self.failureResultOf(first, CancelledError)
        second.addErrback(lambda failure: third.cancel())
        c.dropCarrier()
        self.successResultOf(second)
        self.failureResultOf(third, CancelledError)

    def test_pingInErrback(self):
        """
        A callback that sends another ping at the end fails with the end.
        """
        c = Conversation()
        later = []
        answer = c.connection.ping()
        answer.addErrback(lambda failure: later.append(c.connection.ping()))
        c.dropCarrier()
        self.failureResultOf(later[0], ClosedAbruptly)


class PayloadTests(SynchronousTestCase):
    """
    L{Pings.newPayload}.
    """

    def test_wraps(self):
        """
        After 2**32 pings it begins again.
        """
        pings = Pings(Clock())
        pings._count = 0xFFFFFFFE
        self.assertEqual(
            [pings.newPayload() for _ in range(3)],
            [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\1"],
        )
