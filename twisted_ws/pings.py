# -*- test-case-name: tests.test_pings -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Pings that wait for their pongs (RFC 6455 sections 5.5.2 and 5.5.3).
"""

from __future__ import annotations

from collections import deque

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from .errors import ConnectionClosed


class _Ping:
    """
    One of them.
    """

    __slots__ = ("answered", "payload", "sentAt")

    def __init__(self, payload: bytes, sentAt: float) -> None:
        self.payload = payload
        self.sentAt = sentAt
        self.answered: Deferred[float] = Deferred()


class Pings:
    """
    The pings of one connection, the oldest first.
    """

    __slots__ = ("_clock", "_count", "_waiting")

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._count = 0
        self._waiting: deque[_Ping] | None = None

    def newPayload(self) -> bytes:
        """
        @return: a payload that no other ping of this connection has.
        """
        self._count = (self._count + 1) & 0xFFFFFFFF
        return self._count.to_bytes(4, "big")

    def sent(self, payload: bytes) -> Deferred[float]:
        """
        A ping was sent.

        @return: a Deferred of the seconds until its pong.
        """
        if self._waiting is None:
            self._waiting = deque()
        ping = _Ping(payload, self._clock.seconds())
        self._waiting.append(ping)
        return ping.answered

    def answered(self, payload: bytes) -> None:
        """
        A pong came.  It may answer only the latest of several pings, so it answers
        those before it too; one that answers none is ignored.
        """
        waiting = self._waiting
        if waiting is None or all(ping.payload != payload for ping in waiting):
            return
        now = self._clock.seconds()
        found = False
        while not found:
            ping = waiting.popleft()
            found = ping.payload == payload
            if not ping.answered.called:
                ping.answered.callback(now - ping.sentAt)

    def end(self, closed: ConnectionClosed) -> None:
        """
        The connection is gone: no pong will come.
        """
        waiting, self._waiting = self._waiting, None
        for ping in waiting or ():
            if not ping.answered.called:
                ping.answered.errback(closed.again())
