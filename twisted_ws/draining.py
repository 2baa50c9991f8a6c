# -*- test-case-name: tests.test_draining -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Closing all connections of a server, so that their clients do not come back all at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil
from typing import NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from .connection import WebSocketConnection
from .errors import ClosedCleanly, ConnectionClosed

_STEP = 0.1
"""
Seconds from one slice of connections to the next.
"""


class Drained(NamedTuple):
    """
    What became of the connections of a server that went away.

    @ivar cleanly: connections whose clients answered the Close frame.
    @ivar abruptly: connections that were lost before that, or aborted since time was
        up.
    @ivar refused: requests without a verdict that were refused.
    """

    cleanly: int
    abruptly: int
    refused: int


class Drain:
    """
    Closes connections, a slice at a time.

    @ivar done: a Deferred that fires with L{Drained} when all are gone and their
        receivers know it; cancelling it aborts the rest at once.
    """

    def __init__(
        self,
        connections: Iterable[WebSocketConnection],
        clock: IReactorTime,
        refused: int,
    ) -> None:
        self.done: Deferred[Drained] = Deferred(lambda ignored: self._abort())
        self._open = list(connections)
        self._left = set(self._open)
        self._total = len(self._open)
        self._clock = clock
        self._refused = refused
        self._cleanly = 0
        self._timers: list[IDelayedCall] = []

    def begin(self, over: float, timeout: float, code: int, reason: str) -> None:
        """
        @param over: seconds over which the Close frames are spread.
        @param timeout: seconds after which what is left is aborted.
        @param code: the close code.
        """
        for connection in self._open:
            closed = connection.whenClosed().addCallback(self._count, connection)
            closed.addCallback(self._finished, connection)
        self._timers.append(self._clock.callLater(timeout, self._abort))
        began = self._clock.seconds()

        def closeSlice() -> None:
            passed = self._clock.seconds() - began
            isLast = passed >= over
            due = 0 if isLast else ceil(self._total * (1 - passed / over)) - 1
            while len(self._open) > max(due, 0):
                self._open.pop().close(code, reason)
            if self._open:
                self._timers.append(self._clock.callLater(_STEP, closeSlice))
                del self._timers[1:-1]

        closeSlice()
        self._endIfDone()

    def _count(
        self, ended: ConnectionClosed, connection: WebSocketConnection
    ) -> Deferred[None]:
        self._cleanly += isinstance(ended, ClosedCleanly)
        return connection.whenFinished()

    def _finished(self, ignored: None, connection: WebSocketConnection) -> None:
        self._left.discard(connection)
        self._endIfDone()

    def _endIfDone(self) -> None:
        if not self._left and not self.done.called:
            self._stopTimers()
            abruptly = self._total - self._cleanly
            self.done.callback(Drained(self._cleanly, abruptly, self._refused))

    def _abort(self) -> None:
        self._stopTimers()
        self._open = []
        for connection in list(self._left):
            connection.abortConnection()
            connection.stopWaiting()

    def _stopTimers(self) -> None:
        timers, self._timers = self._timers, []
        for timer in timers:
            if timer.active():
                timer.cancel()
