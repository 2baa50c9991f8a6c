# -*- test-case-name: tests.test_sparing -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Lines in the log that a flood of their causes must not multiply.
"""

from __future__ import annotations

from twisted.logger import Logger


class SparingLog:
    """
    Logs one line in a second, and with the next one how many it left out.
    """

    __slots__ = ("_log", "_next", "_omitted")

    seconds = 1.0

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._next = float("-inf")
        self._omitted = 0

    def info(self, now: float, format: str, **fields: object) -> None:
        """
        Log a line, if it is time for one.

        @param now: in seconds of one and the same clock.
        @param format: as L{Logger.info<twisted.logger.Logger.info>} has it.
        """
        # A clock that was put back must not silence us.
        if self._next - self.seconds <= now < self._next:
            self._omitted += 1
            return
        omitted, self._omitted = self._omitted, 0
        self._next = now + self.seconds
        if omitted:
            format += " (and {omitted} more before)"
            fields["omitted"] = omitted
        self._log.info(format, **fields)
