# -*- test-case-name: tests.test_buckets -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Rates, and token buckets that hold many to one, each by its key.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

_RATE = re.compile(r"([0-9]{1,15})([KM]?)/([smh])", re.ASCII)
_FACTORS = {"": 1, "K": 1 << 10, "M": 1 << 20}
_SECONDS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, slots=True)
class Rate:
    """
    So many of something in so many seconds.

    @ivar name: of what.
    @ivar text: as it was written.
    """

    count: int
    seconds: int
    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.name}={self.text!r}"


def readRate(text: object, name: str, sizes: bool = False) -> Rate:
    """
    Read a rate such as C{"50/s"}, C{"10/m"} or C{"600/h"}.

    @param name: what it is for, for the error.
    @param sizes: take also K and M, for 1024 and its square: C{"1M/s"}.
    @raise ValueError: when it is none.
    """
    match = _RATE.fullmatch(text) if isinstance(text, str) else None
    if match is None or int(match[1]) == 0 or (match[2] and not sizes):
        example = "1M/s" if sizes else "50/s"
        raise ValueError(
            f"{name} must be a rate like {example!r}, per s, m or h, not {text!r}"
        )
    return Rate(int(match[1]) * _FACTORS[match[2]], _SECONDS[match[3]], name, match[0])


class Buckets:
    """
    A token bucket for each key.

    A bucket is full at first, and is filled again at the rate.  All there is to know
    of one is when it will be full; who has a full one is forgotten.

    @ivar rate: the L{Rate}.
    """

    __slots__ = ("_ahead", "_fill", "_fullAt", "_last", "_most", "_refill", "rate")

    def __init__(self, rate: Rate, burst: float = 1.0, most: int = 1 << 16) -> None:
        """
        @param burst: tokens in a full bucket, in parts of what the rate has in its
            seconds; one at least is there.
        @param most: keys that are remembered.  When there are more, one that has not
            come for long is forgotten: no rate for each key holds who has that many.
        """
        self.rate = rate
        self._refill = rate.seconds / rate.count
        self._fill = max(1.0, rate.count * burst) * self._refill
        self._most = most
        self._fullAt: OrderedDict[Hashable, float] = OrderedDict()
        self._last = float("-inf")
        self._ahead = 0.0

    def __len__(self) -> int:
        return len(self._fullAt)

    def take(self, key: Hashable, now: float) -> float:
        """
        Take a token, if there is one.

        @param now: in seconds of one and the same clock.
        @return: seconds until there is one; C{0.0} when it was taken.
        """
        now = self._time(now)
        fullAt = max(now, self._fullAt.get(key, now)) + self._refill
        missing = fullAt - now - self._fill
        # A nanosecond, for what adding up has lost.
        if missing > 1e-9:
            return missing
        self._put(key, fullAt, now)
        return 0.0

    def charge(self, key: Hashable, tokens: int, now: float) -> float:
        """
        Take tokens, also those that are not there yet.

        @param now: in seconds of one and the same clock.
        @return: seconds until none is missing; C{0.0} when none was.
        """
        now = self._time(now)
        fullAt = max(now, self._fullAt.get(key, now)) + tokens * self._refill
        self._put(key, fullAt, now)
        missing = fullAt - now - self._fill
        return missing if missing > 1e-9 else 0.0

    def _time(self, now: float) -> float:
        """
        @return: the time, which goes on when the clock is put back; or many would wait
            for all that time.
        """
        if now < self._last:
            self._ahead += self._last - now
        self._last = now
        return now + self._ahead

    def _put(self, key: Hashable, fullAt: float, now: float) -> None:
        buckets = self._fullAt
        buckets[key] = fullAt
        buckets.move_to_end(key)
        # Two are looked at for each that comes: so no full one stays for long.
        for _ in range(2):
            if not buckets:
                break
            oldest = next(iter(buckets))
            if buckets[oldest] <= now or len(buckets) > self._most:
                del buckets[oldest]
            else:
                buckets.move_to_end(oldest)
