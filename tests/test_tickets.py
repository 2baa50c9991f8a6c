# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.tickets}: timers that are cancelled and moved.
"""

from __future__ import annotations

from weakref import ref

from twisted.internet.error import AlreadyCalled, AlreadyCancelled

from .timing import TimersTestCase


class CancellingTests(TimersTestCase):
    """
    What is cancelled is gone.
    """

    def test_cancel(self):
        """
        A cancelled timer is not called; when it was the only one, the clock below has
        nothing more to do.
        """
        ticket = self.set(20)
        ticket.cancel()
        self.assertFalse(ticket.active())
        self.assertNothingLeft()
        self.clock.advance(20)
        self.assertEqual(self.called, [])

    def test_over(self):
        """
        A timer that is over cannot be cancelled or moved, and says why.
        """
        called, cancelled = self.set(1), self.set(1)
        cancelled.cancel()
        self.clock.advance(1)
        for ticket, error in [(called, AlreadyCalled), (cancelled, AlreadyCancelled)]:
            self.assertRaises(error, ticket.cancel)
            self.assertRaises(error, ticket.reset, 1)
            self.assertRaises(error, ticket.delay, 1)
            self.assertIn(error.__name__, repr(ticket))
        self.assertNothingLeft()

    def test_letGo(self):
        """
        A cancelled timer holds nothing of what it was set with, though its entry may
        be there still.
        """

        class Thing:
            def method(self, other, key):
                pass

        things = [Thing(), Thing(), Thing()]
        first = self.set(20)
        ticket = self.timers.callLater(20, things[0].method, things[1], key=things[2])
        watched = [ref(thing) for thing in things]
        del things
        ticket.cancel()
        self.assertEqual([each() for each in watched], [None] * 3)
        first.cancel()

    def test_churn(self):
        """
        Timers that are set and cancelled for ever, beside one that stays, take no
        memory.
        """
        self.set(20, "stays")
        for _ in range(10000):
            self.set(20).cancel()
        (lane,) = self.timers._lanes.values()
        self.assertLess(len(lane.dues), 50)
        self.assertEqual(len(lane.dues), len(lane.tickets))
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(20)
        self.assertEqual(self.called, [(20, "stays")])
        self.assertNothingLeft()

    def test_cancelFirst(self):
        """
        The others of a lane are called at their own time when the first is cancelled.
        """
        first = self.set(20, "a")
        self.clock.advance(5)
        self.set(20, "b")
        first.cancel()
        self.clock.advance(15)
        self.assertEqual(self.called, [])
        self.clock.advance(5)
        self.assertEqual(self.called, [(25, "b")])
        self.assertNothingLeft()


class MovingTests(TimersTestCase):
    """
    C{reset} and C{delay}.
    """

    def test_reset(self):
        """
        A timer can be moved to another time from now, of the same duration or not.
        """
        for seconds in (0, 2, 10, 11):
            ticket = self.set(10, seconds)
            self.clock.advance(3)
            ticket.reset(seconds)
            due = self.clock.seconds() + seconds
            self.assertEqual(ticket.getTime(), due)
            self.clock.advance(seconds)
            self.assertEqual(self.called.pop(), (due, seconds))
            self.clock.advance(20)
            self.assertEqual(self.called, [])
            self.assertNothingLeft()

    def test_delay(self):
        """
        A timer can be moved by some seconds, also to the past.
        """
        ticket = self.set(10, "a")
        ticket.delay(5)
        self.assertEqual(ticket.getTime(), 15)
        ticket.delay(-20)
        self.clock.advance(0)
        self.assertEqual(self.called, [(0, "a")])
        self.assertNothingLeft()

    def test_churn(self):
        """
        A timer that is moved for ever takes no memory.
        """
        ticket = self.set(10, "a")
        for _ in range(10000):
            self.clock.advance(0.25)
            ticket.reset(10)
        (lane,) = self.timers._lanes.values()
        self.assertLess(len(lane.dues), 50)
        self.clock.advance(10)
        self.assertEqual(self.called, [(2510, "a")])
        self.assertNothingLeft()

    def test_atOneMoment(self):
        """
        Nor does one that is moved to and fro while the clock stands still.
        """
        self.set(5, "b")
        ticket = self.set(10, "a")
        for _ in range(10000):
            ticket.reset(5)
            ticket.reset(10)
        for lane in self.timers._lanes.values():
            self.assertLess(len(lane.dues), 50)
        self.clock.pump([5, 5])
        self.assertEqual(self.called, [(5, "b"), (10, "a")])
        self.assertNothingLeft()

    def test_manyDurations(self):
        """
        A timer can be moved when there are no lanes left.
        """
        tickets = [self.set(100, "a") for _ in range(200)]
        for number, ticket in enumerate(tickets):
            ticket.reset(number + 1)
        self.clock.pump([1] * 200)
        self.assertEqual([when for when, _ in self.called], list(range(1, 201)))
        self.assertNothingLeft()


class ListTests(TimersTestCase):
    """
    C{getDelayedCalls}.
    """

    def test_all(self):
        """
        All calls that are to come are listed, once each, and no others.
        """
        calls = [self.set(delay) for delay in (0, 5, 5, 20, 20)]
        other = self.clock.callLater(7, int)
        calls[1].cancel()
        calls[2].reset(5)
        listed = self.timers.getDelayedCalls()
        self.assertCountEqual(listed, [calls[0], *calls[2:], other])
