# -*- test-case-name: tests.test_keepalive -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Finding out that a peer is gone (RFC 6455 section 5.5.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ._wire.frames import Frame, Opcode

if TYPE_CHECKING:
    from .connection import WebSocketConnection


class Keepalive:
    """
    Sends a ping to a peer that was silent for a whole interval, and gives it up when
    it stays silent for the grace period too.

    Any received byte is a sign of life, and so is room that the peer makes by reading
    what we queued.  The connection counts its bytes anyway; so a look at that counter
    at each tick is all it costs, and no timer is touched when something is received.
    While the connection is paused nothing is read, which is no silence of the peer's;
    and what came while the reactor was blocked is read before the peer is judged.
    """

    __slots__ = (
        "_askedAt",
        "_clock",
        "_config",
        "_connection",
        "_left",
        "_seen",
        "_timer",
        "_wasBlocked",
    )

    _log = Logger()

    def __init__(self, connection: WebSocketConnection, clock: IReactorTime) -> None:
        self._connection = connection
        self._config = connection.config
        self._clock = clock
        self._seen = connection.signsOfLife
        self._left = connection.bytesLeft
        self._wasBlocked = False
        self._askedAt = 0.0
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
        connection = self._connection
        signs, left = connection.signsOfLife, connection.bytesLeft
        tookSome = left < self._left
        silent = signs == self._seen and not tookSome and not connection.isPaused
        self._seen, self._left = signs, left
        return silent

    def _intervalOver(self) -> None:
        if not self._isSilent():
            if self._connection.isPaused:
                # Nothing is read, but writing finds out that the peer is gone.
                self._ping()
            self._wait()
        else:
            self._wasBlocked = False
            self._beginGrace()

    def _beginGrace(self) -> None:
        self._askedAt = self._clock.seconds()
        self._timer = self._clock.callLater(
            self._config.keepaliveGracePeriod, self._graceOver
        )
        self._ping()

    def _ping(self) -> None:
        if self._connection.canPing:
            self._connection.sendFrame(Frame(Opcode.PING))

    def _graceOver(self) -> None:
        # A process that was busy, or stopped, comes here before it has read what came
        # meanwhile: so it reads once more before the peer is judged.
        self._timer = self._clock.callLater(0, self._judge)

    def _judge(self) -> None:
        self._timer = None
        if not (self._isSilent() and self._config.dropConnectionOnKeepaliveTimeout):
            self._wait()
            return
        blocked = blockedSince(self._clock, self._askedAt)
        # Once: a reactor that is blocked all the time would keep all peers for ever.
        if blocked and not self._wasBlocked:
            self._wasBlocked = True
            self._log.info(
                "{connection!r}: the reactor was blocked for {blocked:.1f} s, so the"
                " peer has keepaliveGracePeriod ({grace:g} s) once more",
                connection=self._connection,
                blocked=blocked,
                grace=self._config.keepaliveGracePeriod,
            )
            self._beginGrace()
            return
        config = self._config
        self._connection.abandon(
            "the peer sent nothing for keepaliveInterval"
            f" ({config.keepaliveInterval:g} s), nor within keepaliveGracePeriod"
            f" ({config.keepaliveGracePeriod:g} s) after a ping",
            "silent",
        )


def blockedSince(clock: Any, moment: float) -> float:
    """
    @return: for how many seconds the reactor was blocked since then, as far as
        C{clock} notices that.
    """
    tell = getattr(clock, "blockedSince", None)
    return 0.0 if tell is None else float(tell(moment))
