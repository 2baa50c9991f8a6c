# -*- test-case-name: tests.test_pongs -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Answers to pings (RFC 6455 section 5.5.3), no faster than they are worth: of several
pings only the latest needs one, so a flood of them costs whoever sends it.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Pongs:
    """
    The pongs of one connection; there is one from the first ping.

    C{rate} of them can be sent at once, and then as many in each second.

    @ivar owed: the payload of the ping that waits for its pong, or C{None}.
    """

    __slots__ = (
        "_clock",
        "_hasRoom",
        "_left",
        "_rate",
        "_send",
        "_since",
        "_timer",
        "owed",
    )

    def __init__(
        self,
        rate: int | None,
        clock: IReactorTime,
        send: Callable[[bytes], object],
        hasRoom: Callable[[], bool],
    ) -> None:
        """
        @param rate: pongs per second, C{None} for any number.
        @param send: sends one.
        @param hasRoom: tells whether the carrier has room; C{roomAgain} is to be
            called when it has again.
        """
        self._rate = rate
        self._clock = clock
        self._send = send
        self._hasRoom = hasRoom
        self._left = float(rate or 0)
        self._since = clock.seconds()
        self._timer: IDelayedCall | None = None
        self.owed: bytes | None = None

    def pinged(self, payload: bytes) -> None:
        """
        A ping came.
        """
        self.owed = payload
        self.roomAgain()

    def roomAgain(self) -> None:
        """
        The carrier has room again.
        """
        if self.owed is None or self._timer is not None or not self._hasRoom():
            return
        if self._take():
            owed, self.owed = self.owed, None
            self._send(owed)
        else:
            assert self._rate is not None
            self._timer = self._clock.callLater(1 / self._rate, self._timeForOne)

    def stop(self) -> None:
        """
        No pong is to be sent any more.
        """
        self.owed = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _timeForOne(self) -> None:
        self._timer = None
        self.roomAgain()

    def _take(self) -> bool:
        if self._rate is None:
            return True
        now = self._clock.seconds()
        grown = self._left + (now - self._since) * self._rate
        self._left = min(grown, float(self._rate))
        self._since = now
        # A timer of 1/rate seconds must find one whole, whatever was rounded.
        if self._left < 1 - 1e-6:
            return False
        self._left -= 1
        return True
