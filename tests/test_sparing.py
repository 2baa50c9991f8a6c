# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.sparing}: few lines for a flood.
"""

from twisted.logger import Logger, LogLevel, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from twisted_ws.sparing import SparingLog


class SparingLogTests(SynchronousTestCase):
    """
    Lines that are logged, or left out.
    """

    def setUp(self):
        self.events = []
        self.log = SparingLog(Logger(observer=self.events.append))

    def test_oneInASecond(self):
        """
        One line is logged in a second; the next says how many were not.
        """
        for when in (0, 0, 0.5, 0.99, 1, 1.5, 2.5, 10):
            self.log.info(when, "at {when}", when=when)
        self.assertEqual(
            [formatEvent(event) for event in self.events],
            [
                "at 0",
                "at 1 (and 3 more before)",
                "at 2.5 (and 1 more before)",
                "at 10",
            ],
        )
        for event in self.events:
            self.assertIs(event["log_level"], LogLevel.info)

    def test_flood(self):
        """
        A flood of an hour is as many lines as it has seconds, and all is counted.
        """
        for number in range(36000):
            self.log.info(number / 10, "x")
        self.assertEqual(len(self.events), 3600)
        omitted = sum(event.get("omitted", 0) for event in self.events)
        self.assertEqual(omitted + 3600, 36000 - 9)

    def test_clockPutBack(self):
        """
        A clock that is put back does not silence it.
        """
        self.log.info(1000, "a")
        self.log.info(10, "b")
        self.assertEqual([formatEvent(event) for event in self.events], ["a", "b"])
