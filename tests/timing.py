# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The base of the tests of L{twisted_ws.timers}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_ws.timers import Timers


class TimersTestCase(SynchronousTestCase):
    """
    The base of the tests.

    @ivar called: what was called, in order, with the time.
    """

    def setUp(self):
        self.clock = Clock()
        self.timers = Timers(self.clock)
        self.called = []

    def set(self, delay, name=""):
        """
        Set a timer that writes down its name.
        """
        return self.timers.callLater(delay, self.note, name)

    def note(self, name):
        """
        Write down a name.
        """
        self.called.append((self.clock.seconds(), name))

    def assertNothingLeft(self):
        """
        Check that nothing is left of any timer.
        """
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.timers._lanes, {})
