# -*- test-case-name: tests.test_timers -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A clock for many timers of few durations, that knows when the reactor was blocked::

    timers = Timers(reactor)
    call = timers.callLater(config.keepaliveInterval, tick)

Timers of the same duration become due in the order in which they were set.  So each
duration has a lane, a queue that sorts itself, and only the first of a lane is known to
the clock below: 50,000 connections cost it a handful of delayed calls, not 50,000.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from math import nextafter
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from .tickets import Lane, Ticket

_MOST_LANES = 64
_MOST_INCIDENTS = 16


@implementer(IReactorTime)
class Timers:
    """
    A clock above another one.  What is set on it is called at the time at which the
    other would call it; a function that raises is logged, and holds up no other.

    @cvar blockedAfter: by how many seconds a call has to be late for the reactor to
        count as blocked.
    """

    blockedAfter = 1.0

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        """
        @param clock: what tells the time, and calls us.
        """
        self._clock = clock
        self._lanes: dict[object, Lane] = {}
        self._incidents: deque[tuple[float, float]] = deque(maxlen=_MOST_INCIDENTS)

    # IReactorTime

    def seconds(self) -> float:
        """
        See L{IReactorTime.seconds}.
        """
        return self._clock.seconds()

    def callLater(
        self,
        delay: float,
        callable: Callable[..., Any],
        *args: object,
        **kwargs: object,
    ) -> IDelayedCall:
        """
        See L{IReactorTime.callLater}.
        """
        if delay not in self._lanes and not self._mayOpen(delay):
            return self._clock.callLater(delay, callable, *args, **kwargs)
        ticket = Ticket(self, callable, args, kwargs or None)
        self.put(ticket, delay)
        return ticket

    def getDelayedCalls(self) -> Sequence[IDelayedCall]:
        """
        See L{IReactorTime.getDelayedCalls}: those that were set on the clock below,
        and ours in place of what we set on it; in no order.
        """
        lanes = list(self._lanes.values())
        own = {id(lane.call) for lane in lanes}
        calls = [each for each in self._clock.getDelayedCalls() if id(each) not in own]
        for lane in lanes:
            calls.extend(lane.living())
        return calls

    # For tickets

    def put(self, ticket: Ticket, delay: float) -> None:
        """
        Have a ticket called.
        """
        lane = self._lanes.get(delay)
        due = self._clock.seconds() + delay
        if lane is None:
            # A ticket that is moved cannot become another clock's call.
            lane = self._open(delay if self._mayOpen(delay) else ticket)
        elif lane.dues and due < lane.dues[-1]:
            # The clock was put back.  Who is in that lane waits longer now, as with
            # any clock, but who comes does not wait for them.
            lane.key = lane
            self._lanes[lane] = lane
            lane = self._open(delay)
        ticket.enter(lane, due)
        if lane.call is None and not lane.isRunning:
            lane.due = due
            lane.call = self._clock.callLater(delay, self._laneDue, lane)

    def _mayOpen(self, delay: float) -> bool:
        """
        Tell whether there may be a lane for C{delay} that has none.
        """
        return delay > 0 and len(self._lanes) < _MOST_LANES

    def _open(self, key: object) -> Lane:
        lane = self._lanes[key] = Lane(key)
        return lane

    def settle(self, lane: Lane) -> None:
        """
        A ticket has left a lane.
        """
        if lane.live:
            lane.dropDead()
        elif not lane.isRunning:
            self._close(lane)

    # Calling

    def _laneDue(self, lane: Lane) -> None:
        lane.call = None
        now = self._clock.seconds()
        self._lookForBlocking(now, lane.due)
        # What is set by the functions is not for this round.
        last = max(now, lane.due)
        lane.isRunning = True
        for _ in range(len(lane.dues)):
            ticket = lane.first()
            if ticket is None or ticket.getTime() > last:
                break
            try:
                ticket.run()
            except BaseException:
                self._log.failure("a timer's function failed")
        lane.isRunning = False
        ticket = lane.first()
        if ticket is None:
            self._close(lane)
        else:
            self._expect(lane, ticket.getTime())

    def _expect(self, lane: Lane, due: float) -> None:
        """
        Have a lane called when its first is due.
        """
        now = self._clock.seconds()
        delay = max(0.0, due - now)
        while delay and now + delay > due:
            # Rounded up: a clock that stops at the very moment would not call.
            delay = nextafter(delay, 0.0)
        lane.due = due
        lane.call = self._clock.callLater(delay, self._laneDue, lane)

    def _close(self, lane: Lane) -> None:
        """
        Nobody is in a lane any more.
        """
        lane.dues.clear()
        lane.tickets.clear()
        call, lane.call = lane.call, None
        if call is not None:
            call.cancel()
        self._lanes.pop(lane.key, None)

    def _lookForBlocking(self, now: float, due: float) -> None:
        """
        Note that a call is late, unless it is part of what was noted before.
        """
        since = max(due, self._incidents[-1][0]) if self._incidents else due
        blocked = now - since
        if blocked >= self.blockedAfter:
            self._incidents.append((now, blocked))
            self._log.warn(
                "the reactor was blocked for {seconds:.1f} s", seconds=blocked
            )

    # Being blocked

    @property
    def lastBlocked(self) -> tuple[float, float] | None:
        """
        When it was last noticed that the reactor had been blocked, in the clock's
        seconds, and for how many; or C{None}.
        """
        return self._incidents[-1] if self._incidents else None

    def blockedSince(self, moment: float) -> float:
        """
        @param moment: in the clock's seconds.
        @return: for how many seconds the reactor has been blocked since, as far as it
            was noticed.  Only that late timers were found tells it: who wants to tell
            a peer's silence from ours asks when a timer of its own is called.
        """
        return sum(
            min(seconds, when - moment)
            for when, seconds in self._incidents
            if when > moment
        )
