# -*- test-case-name: tests.test_tickets -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What L{Timers<twisted_ws.timers.Timers>} has: timers that were set, in lanes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.internet.interfaces import IDelayedCall
from zope.interface import implementer

if TYPE_CHECKING:
    from .timers import Timers

_SPARE = 16


class Lane:
    """
    The timers of one duration.

    @ivar key: what Timers have it by: the duration, or whatever else.
    @ivar dues: when each entry was due, in order.
    @ivar tickets: whose entry it is.  One is dead when its ticket was called or
        cancelled, or is due at another time by now; it is dropped when it comes to the
        front, or when most are dead.
    @ivar live: how many are not.
    @ivar due: when C{call} is due.
    @ivar call: of the clock below, or C{None}.
    @ivar isRunning: whether functions are being called.
    """

    __slots__ = ("call", "due", "dues", "isRunning", "key", "live", "tickets")

    def __init__(self, key: object) -> None:
        self.key = key
        self.dues: deque[float] = deque()
        self.tickets: deque[Ticket] = deque()
        self.live = 0
        self.due = 0.0
        self.call: IDelayedCall | None = None
        self.isRunning = False

    def first(self) -> Ticket | None:
        """
        @return: who is due next, once the dead before it are dropped.
        """
        dues, tickets = self.dues, self.tickets
        while dues:
            if tickets[0].isAt(self, dues[0]):
                return tickets[0]
            dues.popleft()
            tickets.popleft()
        return None

    def living(self) -> dict[Ticket, float]:
        """
        @return: who is in the lane, in order, and when each is due.
        """
        entries = zip(self.dues, self.tickets, strict=True)
        return {ticket: due for due, ticket in entries if ticket.isAt(self, due)}

    def dropDead(self) -> None:
        """
        Drop the dead entries, if they are most of all.
        """
        if len(self.dues) > 2 * self.live + _SPARE:
            living = self.living()
            self.dues = deque(living.values())
            self.tickets = deque(living)


@implementer(IDelayedCall)
class Ticket:
    """
    A timer that was set.

    @ivar _function: what to call; when that is over, the error that says so.
    """

    __slots__ = ("_args", "_due", "_function", "_keywords", "_lane", "_timers")

    def __init__(
        self,
        timers: Timers,
        function: Callable[..., object],
        args: tuple[object, ...],
        keywords: dict[str, object] | None,
    ) -> None:
        self._timers = timers
        self._function: Callable[..., Any] = function
        self._args = args
        self._keywords = keywords
        self._due = 0.0
        self._lane: Lane | None = None

    def __repr__(self) -> str:
        return f"<Ticket {self._due:.3f} {self._function!r}>"

    # For Timers

    def isAt(self, lane: Lane, due: float) -> bool:
        """
        Tell whether an entry of a lane is still ours.
        """
        return self._lane is lane and self._due == due

    def enter(self, lane: Lane, due: float) -> None:
        """
        Be the last of a lane.
        """
        self._lane = lane
        self._due = due
        lane.dues.append(due)
        lane.tickets.append(self)
        lane.live += 1

    def leave(self, why: type[Exception] | None = None) -> Lane:
        """
        Be in no lane.

        @param why: the error that says that it is over, if it is: then it lets go of
            the function and its arguments.
        @return: the lane it was in.
        @raise AlreadyCalled: when the function was called before.
        @raise AlreadyCancelled: when the ticket was cancelled before.
        """
        lane = self._lane
        if lane is None:
            raise self._function()
        self._lane = None
        lane.live -= 1
        if why is not None:
            self._function, self._args, self._keywords = why, (), None
        return lane

    def run(self) -> None:
        """
        Call the function.
        """
        function, args, keywords = self._function, self._args, self._keywords
        self.leave(AlreadyCalled)
        function(*args, **(keywords or {}))

    # IDelayedCall

    def active(self) -> bool:
        """
        See L{IDelayedCall.active}.
        """
        return self._lane is not None

    def getTime(self) -> float:
        """
        See L{IDelayedCall.getTime}.
        """
        return self._due

    def cancel(self) -> None:
        """
        See L{IDelayedCall.cancel}.
        """
        self._timers.settle(self.leave(AlreadyCancelled))

    def reset(self, secondsFromNow: float) -> None:
        """
        See L{IDelayedCall.reset}.
        """
        lane = self.leave()
        self._timers.put(self, max(0.0, secondsFromNow))
        self._timers.settle(lane)

    def delay(self, secondsLater: float) -> None:
        """
        See L{IDelayedCall.delay}.
        """
        left = self._due - self._timers.seconds()
        self.reset(left + secondsLater)
