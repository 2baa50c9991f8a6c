# -*- test-case-name: tests.test_keepalive -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Finding out that a peer is gone (RFC 6455 section 5.5.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import IDelayedCall, IReactorTime

if TYPE_CHECKING:
    from .connection import WebSocketConnection


class Keepalive:
    """
    Sends a ping to a peer that was silent for a whole interval, and gives it up when
    it stays silent for the grace period too.

    Any received byte is a sign of life, and so is room that the peer makes by reading
    what we queued.  The connection counts its bytes anyway; so a look at that counter
    at each tick is all it costs, and no timer is touched when something is received.
    While the application pauses the connection nothing is read, which is no silence
    of the peer's.
    """

    def __init__(self, connection: WebSocketConnection, clock: IReactorTime) -> None:
        self._connection = connection
        self._config = connection.config
        self._clock = clock
        self._seen = connection.signsOfLife
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
        self._timer = self._clock.callLater(
            self._config.keepaliveInterval, self._intervalOver
        )

    def _isSilent(self) -> bool:
        """
        Tell whether the peer gave no sign of life since the last look.
        """
        signs = self._connection.signsOfLife
        silent = signs == self._seen and not self._connection.isPaused
        self._seen = signs
        return silent

    def _intervalOver(self) -> None:
        if not self._isSilent():
            self._wait()
            return
        self._timer = self._clock.callLater(
            self._config.keepaliveGracePeriod, self._graceOver
        )
        self._connection.sendKeepalivePing()

    def _graceOver(self) -> None:
        # A process that was busy, or stopped, comes here before it has read what came
        # meanwhile: so it reads once more before the peer is judged.
        self._timer = self._clock.callLater(0, self._judge)

    def _judge(self) -> None:
        self._timer = None
        if self._isSilent() and self._config.dropConnectionOnKeepaliveTimeout:
            self._connection.peerIsSilent()
        else:
            self._wait()
