# -*- test-case-name: tests.test_rates -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A step before an application that bounds how fast one client can go.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from math import ceil, isfinite
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from .buckets import Buckets, Rate, readRate
from .errors import ProtocolViolation
from .limits import clientNetwork
from .request import WebSocketRequest
from .sparing import SparingLog

RATE_POLICIES = ("pause", "close")
"""
What happens to the connection of a client that sends more than it may.
"""


class RateExceeded(ProtocolViolation):
    """
    A peer that sends more than a L{RateLimit} with the policy C{"close"} allows.
    """

    code = 1008


class RateLimit:
    """
    A step that bounds how often a client may ask for a WebSocket, and how much it may
    send on those that it gets::

        Steps([RateLimit(handshakes="10/m", messages="50/s", bytes="1M/s")], Chat)

    A rate is so many per second, minute or hour: C{/s}, C{/m} or C{/h}.  That many may
    come at once; from then on they may come as fast as the rate says.

    Requests over C{handshakes} are refused with 429 (RFC 6585 section 4), with the
    seconds after which one would pass.  The other rates count what comes on all
    connections of one client together.  One step may stand before several
    applications, which then share it.
    """

    _log = Logger()

    def __init__(
        self,
        *,
        handshakes: str | None = None,
        messages: str | None = None,
        bytes: str | None = None,
        pings: str | None = None,
        key: Callable[[WebSocketRequest], Hashable] = clientNetwork,
        policy: str = "pause",
        burst: float = 1,
        mostKeys: int = 1 << 16,
    ) -> None:
        """
        @param handshakes: requests that may pass.
        @param messages: messages that may be received.
        @param bytes: bytes that may be received; the rate may have K or M, for 1024
            and its square.
        @param pings: pings that may be received.
        @param key: tells whose a request is; by default L{clientNetwork
            <twisted_ws.limits.clientNetwork>}.  Whatever is hashable will do: the
            C{avatar}, or a constant for all together.
        @param policy: C{"pause"}: do not read from a connection until what it sent may
            have come, so that nothing is lost.  C{"close"}: close it with 1008.
        @param burst: by what to multiply the number of those that may come at once.
        @param mostKeys: of how many clients something is remembered; of more, those
            are forgotten that have not been heard of for long.
        @raise ValueError: when an argument makes no sense; names it.
        """
        if policy not in RATE_POLICIES:
            wanted = " or ".join(RATE_POLICIES)
            raise ValueError(f"policy must be {wanted}, not {policy!r}")
        if not _isNumber(burst, (int, float)) or not isfinite(burst) or burst <= 0:
            raise ValueError(f"burst must be a number over 0, not {burst!r}")
        if not _isNumber(mostKeys, (int,)) or mostKeys < 1:
            raise ValueError(f"mostKeys must be a whole number over 0: {mostKeys!r}")

        def buckets(name: str, rate: str | None, sizes: bool = False) -> Buckets | None:
            if rate is None:
                return None
            return Buckets(readRate(rate, name, sizes), burst, mostKeys)

        self._key = key
        self._closes = policy == "close"
        self._handshakes = buckets("handshakes", handshakes)
        self._messages = buckets("messages", messages)
        self._bytes = buckets("bytes", bytes, True)
        self._pings = buckets("pings", pings)
        self._refusals = SparingLog(self._log)
        self._pauses = SparingLog(self._log)

    def __call__(self, request: WebSocketRequest) -> None:
        """
        Count the request, or refuse it.
        """
        key = self._key(request)
        clock = request.clock
        if self._handshakes is not None:
            seconds = self._handshakes.take(key, clock.seconds())
            if seconds:
                self._refuse(request, key, seconds, self._handshakes.rate)
                return

        kinds = (self._messages, self._bytes, self._pings)
        if any(buckets is not None for buckets in kinds):
            request.whenAccepted(
                lambda connection: connection.meter(
                    Meter(key, clock, *kinds, self._over(connection, clock))
                )
            )

    def _refuse(
        self, request: WebSocketRequest, key: Hashable, seconds: float, rate: Rate
    ) -> None:
        self._refusals.info(
            request.clock.seconds(),
            "{request!r} from {peer} refused: {key!r} is over RateLimit({rate})",
            request=request,
            peer=request.peer,
            key=str(key)[:200],
            rate=rate,
        )
        request.reject(
            429,
            headers=[("Retry-After", str(ceil(seconds)))],
            body=b"too many handshakes\n",
        )

    def _over(self, connection: Any, clock: IReactorTime) -> Callable[[Rate], None]:
        """
        @return: what to call when a connection is over a rate.
        """
        told = False

        def over(rate: Rate) -> None:
            nonlocal told
            if self._closes:
                text = f"more {rate.name} than {rate.text}"
                raise RateExceeded(text, f"RateLimit({rate})")
            if not told:
                told = True
                self._pauses.info(
                    clock.seconds(),
                    "{connection!r} is not read from so fast: its peer is over"
                    " RateLimit({rate})",
                    connection=connection,
                    rate=rate,
                )

        return over


class Meter:
    """
    What a connection tells of what it receives.
    """

    __slots__ = ("_bytes", "_clock", "_key", "_messages", "_over", "_pings")

    def __init__(
        self,
        key: Hashable,
        clock: IReactorTime,
        messages: Buckets | None,
        bytes: Buckets | None,
        pings: Buckets | None,
        over: Callable[[Rate], object],
    ) -> None:
        """
        @param over: called with a L{Rate} that the connection is over.
        """
        self._key = key
        self._clock = clock
        self._messages = messages
        self._bytes = bytes
        self._pings = pings
        self._over = over

    def messageReceived(self, size: int) -> float:
        """
        A message was received.

        @param size: bytes received since the last call.
        @return: seconds for which nothing is to be read; C{0.0}, mostly.
        @raise RateExceeded: when the connection is to be closed.
        """
        return self._received(self._messages, size)

    def pingReceived(self, size: int) -> float:
        """
        A ping was received.

        @param size: bytes received since the last call.
        @return: seconds for which nothing is to be read; C{0.0}, mostly.
        @raise RateExceeded: when the connection is to be closed.
        """
        return self._received(self._pings, size)

    def bytesReceived(self, size: int) -> float:
        """
        A part of a message was received.

        @param size: bytes received since the last call.
        @return: seconds for which nothing is to be read; C{0.0}, mostly.
        @raise RateExceeded: when the connection is to be closed.
        """
        return self._received(None, size)

    def _received(self, buckets: Buckets | None, size: int) -> float:
        now = self._clock.seconds()
        longest = 0.0
        for each, tokens in ((buckets, 1), (self._bytes, size)):
            if each is not None:
                seconds = each.charge(self._key, tokens, now)
                if seconds:
                    self._over(each.rate)
                longest = max(longest, seconds)
        return longest


def _isNumber(value: object, types: tuple[type, ...]) -> bool:
    return isinstance(value, types) and not isinstance(value, bool)
