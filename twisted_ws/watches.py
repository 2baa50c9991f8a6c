# -*- test-case-name: tests.test_watches -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What watches over an open connection: for a peer that is gone, one that does not read,
and one with which nothing is talked about any more.

None of them costs anything per message: each looks at counters at the end of its time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import IDelayedCall

from .keepalive import Keepalive

if TYPE_CHECKING:
    from .connection import WebSocketConnection


class Watches:
    """
    All of them for one connection.
    """

    __slots__ = ("_connection", "_idle", "_keepalive", "_stall")

    def __init__(self, connection: WebSocketConnection) -> None:
        config = connection.config
        self._connection = connection
        self._stall: StallWatch | None = None
        self._keepalive: Keepalive | None = None
        self._idle: IdleWatch | None = None
        if config.keepalive and not config.useNativeKeepalive:
            self._keepalive = Keepalive(connection, connection.clock)
        if config.idleTimeout is not None:
            self._idle = IdleWatch(connection, config.idleTimeout)

    def outboxWaits(self, isWaiting: bool) -> None:
        """
        The peer has something to read, or has read all.
        """
        if self._stall is not None:
            self._stall.stop()
            self._stall = None
        timeout = self._connection.config.sendStallTimeout
        if isWaiting and timeout is not None:
            self._stall = StallWatch(self._connection, timeout)

    def stop(self) -> None:
        """
        The connection is not open any more.
        """
        for watch in (self._stall, self._keepalive, self._idle):
            if watch is not None:
                watch.stop()
        self._stall = self._keepalive = self._idle = None


class _Watch:
    """
    Looks at something every so many seconds.
    """

    __slots__ = ("_connection", "_seconds", "_seen", "_timer")

    def __init__(self, connection: WebSocketConnection, seconds: float) -> None:
        self._connection = connection
        self._seconds = seconds
        self._seen = self._look()
        self._timer: IDelayedCall | None = None
        self._wait()

    def stop(self) -> None:
        """
        Stop watching.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        self._timer = self._connection.clock.callLater(self._seconds, self._over)

    def _over(self) -> None:
        self._timer = None
        seen = self._look()
        if self._isChanged(seen):
            self._seen = seen
            self._wait()
        else:
            self._unchanged()

    def _look(self) -> tuple[int, ...]:
        raise NotImplementedError

    def _isChanged(self, seen: tuple[int, ...]) -> bool:
        return seen != self._seen

    def _unchanged(self) -> None:
        raise NotImplementedError


class StallWatch(_Watch):
    """
    Aborts the connection of a peer that takes nothing of what waits for it, at the end
    of a period in which it took nothing.
    """

    __slots__ = ()

    def _look(self) -> tuple[int, ...]:
        connection = self._connection
        return connection.timesDrained, connection.bytesLeft

    def _isChanged(self, seen: tuple[int, ...]) -> bool:
        # TLS makes what it encrypts longer; only less is of the peer's doing.
        return seen[0] != self._seen[0] or seen[1] < self._seen[1]

    def _unchanged(self) -> None:
        self._connection.abandon(
            f"the peer took nothing of {self._connection.bufferedAmount} bytes for"
            f" sendStallTimeout ({self._seconds:g} s)",
            "stalled",
        )


class IdleWatch(_Watch):
    """
    Closes a connection without messages, at the end of a period in which there were
    none: so after one to two of them.  A message that the peer still takes, and one
    that is sent piece by piece, is not over yet.
    """

    __slots__ = ()

    def _look(self) -> tuple[int, ...]:
        connection = self._connection
        received = connection.bytesReceived - connection.controlBytesReceived
        sent = connection.messagesSent + connection.piecesSent
        return sent, received, connection.timesDrained, connection.bytesLeft

    def _unchanged(self) -> None:
        self._connection.idle(f"no message for idleTimeout ({self._seconds:g} s)")
