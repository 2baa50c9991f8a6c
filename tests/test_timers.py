# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.timers}: many timers, of few durations.
"""

from __future__ import annotations

from random import Random
from unittest import mock

from twisted.internet.error import AlreadyCalled
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import Clock, LoopingCall
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_ws.tickets import Lane, Ticket
from twisted_ws.timers import Timers

from .timing import TimersTestCase


class CallingTests(TimersTestCase):
    """
    What is set is called.
    """

    def test_interfaces(self):
        """
        It can be used where a reactor's time is wanted.
        """
        self.assertTrue(verifyObject(IReactorTime, self.timers))
        self.assertTrue(verifyObject(IDelayedCall, self.set(20)))

    def test_exact(self):
        """
        A timer is called at its time, not before.
        """
        ticket = self.set(20, "a")
        self.assertEqual(ticket.getTime(), 20)
        self.clock.advance(19.999)
        self.assertEqual(self.called, [])
        self.assertTrue(ticket.active())
        self.clock.advance(20 - self.clock.seconds())
        self.assertEqual(self.called, [(20, "a")])
        self.assertFalse(ticket.active())
        self.assertNothingLeft()

    def test_arguments(self):
        """
        Functions get the arguments that were given with them.
        """
        got = []

        def function(*args, **keywords):
            got.append((args, keywords))

        self.timers.callLater(1, function, 1, 2, key=3)
        self.timers.callLater(1, function)
        self.clock.advance(1)
        self.assertEqual(got, [((1, 2), {"key": 3}), ((), {})])

    def test_order(self):
        """
        Of timers that are due together, the one set first is called first.
        """
        for name in "abc":
            self.set(2, name)
        self.clock.advance(2)
        self.assertEqual(self.called, [(2, "a"), (2, "b"), (2, "c")])

    def test_oneCallForEachDuration(self):
        """
        The clock below has one call for all timers of one duration, however many.
        """
        for number in range(100):
            self.set(20)
            self.set(5)
            self.clock.advance(0.01)
            self.assertEqual(len(self.clock.getDelayedCalls()), 2, number)

    def test_awkwardTimes(self):
        """
        Times that are no multiples of anything are met all the same by a clock that
        stops at them, or a rounding before.
        """
        random = Random(7)
        expected = []
        for _ in range(200):
            delay = random.choice([0.1, 0.3, 1 / 3, 2.7, 19.9])
            expected.append(self.set(delay))
            self.clock.advance(random.random() / 100)
        for due in sorted(ticket.getTime() for ticket in expected):
            while self.clock.seconds() < due:
                self.clock.advance(due - self.clock.seconds())
            late = [t for t in expected if t.active() and t.getTime() <= due]
            self.assertEqual(late, [], due)
        for when, _ in self.called:
            self.assertLess(when, 60)
        self.assertEqual(len(self.called), 200)
        self.assertNothingLeft()

    def test_roundedUp(self):
        """
        Where the seconds that are left come out too long, a clock that stops at the
        very moment calls all the same.
        """
        now, due = 9.6, 29.8
        self.assertGreater(now + (due - now), due)
        lane = Lane(20)
        self.clock.rightNow = now
        self.timers._expect(lane, due)
        self.assertLessEqual(lane.call.getTime(), due)
        self.assertAlmostEqual(lane.call.getTime(), due, 12)

    def test_atOnce(self):
        """
        What is to be called in the next turn has nothing to do with lanes.
        """
        call = self.set(0, "a")
        self.assertNotIsInstance(call, Ticket)
        self.assertEqual(self.timers._lanes, {})
        self.clock.advance(0)
        self.assertEqual(self.called, [(0, "a")])

    def test_manyDurations(self):
        """
        More durations than there are lanes are the clock's own affair.
        """
        calls = [self.set(delay, delay) for delay in range(1, 101)]
        tickets = [call for call in calls if isinstance(call, Ticket)]
        self.assertEqual(len(tickets), 64)
        self.assertEqual(tickets, calls[:64])
        for _ in range(100):
            self.clock.advance(1)
        self.assertEqual(self.called, [(delay, delay) for delay in range(1, 101)])
        self.assertNothingLeft()

    def test_failures(self):
        """
        A function that raises is logged and holds up nobody.
        """
        self.timers.callLater(1, lambda: 1 / 0)
        self.set(1, "a")
        self.set(2, "b")
        self.clock.advance(1)
        self.clock.advance(1)
        self.assertEqual(self.called, [(1, "a"), (2, "b")])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertNothingLeft()

    def test_clockPutBack(self):
        """
        When the clock is put back, a timer that is set then does not wait for those
        that were set before.
        """
        self.clock.advance(1000)
        old = self.set(10, "old")
        self.clock.rightNow = 500.0
        self.set(10, "new")
        self.clock.advance(10)
        self.assertEqual(self.called, [(510, "new")])
        self.assertTrue(old.active())
        self.clock.advance(500)
        self.assertEqual(self.called[1:], [(1010, "old")])
        self.assertNothingLeft()


class ReentrancyTests(TimersTestCase):
    """
    Functions that set and cancel timers.
    """

    def test_setAgain(self):
        """
        A function may set itself again, in the lane that it is called from.
        """

        def again():
            self.note("")
            if len(self.called) < 5:
                self.timers.callLater(2, again)

        self.timers.callLater(2, again)
        for _ in range(20):
            self.clock.advance(1)
        self.assertEqual([when for when, _ in self.called], [2, 4, 6, 8, 10])
        self.assertNothingLeft()

    def test_neverTwiceInOneTurn(self):
        """
        A function that sets itself again is not called before the clock's next turn,
        however short its duration.
        """
        self.clock.advance(2.0**60)

        def again():
            self.note("")
            self.timers.callLater(1, again)

        self.timers.callLater(1, again)
        with mock.patch.object(self.clock, "callLater") as callLater:
            self.timers._laneDue(self.timers._lanes[1])
        self.assertEqual(len(self.called), 1)
        self.assertEqual(callLater.call_count, 1)

    def test_cancelNext(self):
        """
        A function may cancel one that would be called next.
        """
        self.timers.callLater(1, lambda: later.cancel())
        later = self.set(1, "a")
        self.set(1, "b")
        self.clock.advance(1)
        self.assertEqual(self.called, [(1, "b")])
        self.assertNothingLeft()

    def test_cancelAll(self):
        """
        A function may cancel all others, and set one.
        """

        def function():
            for each in others:
                each.cancel()
            self.set(1, "new")

        self.timers.callLater(1, function)
        others = [self.set(1, "old") for _ in range(100)]
        self.clock.advance(1)
        self.assertEqual(self.called, [])
        self.clock.advance(1)
        self.assertEqual(self.called, [(2, "new")])
        self.assertNothingLeft()

    def test_cancelItself(self):
        """
        While a function is called it cannot be cancelled any more.
        """
        errors = []

        def function():
            try:
                ticket.cancel()
            except AlreadyCalled as error:
                errors.append(error)

        ticket = self.timers.callLater(1, function)
        self.clock.advance(1)
        self.assertEqual(len(errors), 1)
        self.assertNothingLeft()

    def test_loopingCall(self):
        """
        Twisted's own users of clocks work with it.
        """
        loop = LoopingCall(self.note, "loop")
        loop.clock = self.timers
        done = loop.start(3, now=False)
        self.clock.pump([1] * 7)
        loop.stop()
        self.successResultOf(done)
        self.assertEqual([when for when, _ in self.called], [3, 6])
        self.assertNothingLeft()


class RandomTests(SynchronousTestCase):
    """
    Against a clock without lanes.
    """

    def run_(self, seed, useTimers):
        """
        Do what a seed says.

        @return: the names of the timers that were called, by time.
        """
        random = Random(seed)
        clock = Clock()
        timers = Timers(clock) if useTimers else clock
        called = {}
        calls = []

        def function(name):
            called.setdefault(clock.seconds(), set()).add(name)

        for name in range(300):
            act = random.randrange(4)
            pending = [call for call in calls if call.active()]
            if act == 0 and pending:
                random.choice(pending).cancel()
            elif act == 1 and pending:
                random.choice(pending).reset(random.choice([1, 2, 4.5]))
            else:
                delay = random.choice([0, 0.5, 1, 2, 4.5])
                calls.append(timers.callLater(delay, function, name))
            if random.randrange(3) == 0:
                clock.advance(random.choice([0, 0.25, 0.5]))
        clock.pump([0.25] * 100)
        self.assertEqual(clock.getDelayedCalls(), [])
        return called

    def test_same(self):
        """
        The same timers are called at the same times.
        """
        for seed in range(100):
            self.assertEqual(self.run_(seed, True), self.run_(seed, False), seed)


class BlockedTests(TimersTestCase):
    """
    Calls that come late.
    """

    def advance(self, seconds):
        """
        Advance the clock.

        @return: what was logged.
        """
        with capturedLogs() as events:
            self.clock.advance(seconds)
        for event in events:
            self.assertEqual(event["log_level"], LogLevel.warn)
        return [formatEvent(event) for event in events]

    def test_onTime(self):
        """
        A call that is less than a second late is nothing to speak of.
        """
        self.set(10)
        self.assertEqual(self.advance(10.99), [])
        self.assertIsNone(self.timers.lastBlocked)
        self.assertEqual(self.timers.blockedSince(0), 0.0)

    def test_blocked(self):
        """
        One that is later is logged and remembered, however many are.
        """
        for delay in (10, 10, 11, 12.5, 0.5):
            self.set(delay)
        self.advance(1)
        self.assertEqual(self.advance(12), ["the reactor was blocked for 3.0 s"])
        self.assertEqual(self.timers.lastBlocked, (13, 3))
        self.assertEqual(len(self.called), 5)

    def test_since(self):
        """
        It can be asked how long the reactor was blocked since a moment.
        """
        for delay in (10, 20):
            self.set(delay)
        self.advance(14)
        self.advance(9)
        self.assertEqual(self.timers.lastBlocked, (23, 3))
        since = self.timers.blockedSince
        self.assertEqual([since(0), since(12), since(14), since(22)], [7, 5, 3, 1])
        self.assertEqual(since(23), 0.0)

    def test_blockedByATimer(self):
        """
        A function that takes its time blocks those behind it; the time is counted
        once.
        """
        self.timers.callLater(1, self.clock.advance, 5)
        self.set(1, "a")
        self.set(2, "b")
        self.assertEqual(self.advance(1), ["the reactor was blocked for 4.0 s"])
        self.assertEqual(self.called, [(6, "b"), (6, "a")])
        self.assertEqual(self.timers.blockedSince(0), 4)

    def test_knownToWhoIsCalled(self):
        """
        Who is called late can ask whether it is.
        """
        answers = []

        def ask():
            answers.append(self.timers.blockedSince(0))

        self.timers.callLater(10, ask)
        self.advance(15)
        self.assertEqual(answers, [5])

    def test_cancelledFirst(self):
        """
        That a lane looks after its first when that was cancelled is not late.
        """
        first = self.set(10)
        self.advance(5)
        self.set(10, "a")
        first.cancel()
        self.assertEqual(self.advance(5) + self.advance(5), [])
        self.assertEqual(self.called, [(15, "a")])

    def test_setting(self):
        """
        How late is late can be set.
        """
        self.timers.blockedAfter = 0.5
        self.set(10)
        self.assertEqual(self.advance(10.5), ["the reactor was blocked for 0.5 s"])

    def test_bounded(self):
        """
        Only the last incidents are remembered.
        """
        for _ in range(100):
            self.set(1)
            self.advance(3)
        self.assertEqual(self.timers.blockedSince(0), 32)
