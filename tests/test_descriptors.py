# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.descriptors}.
"""

from __future__ import annotations

from math import inf

from twisted.internet.selectreactor import SelectReactor
from twisted.trial.unittest import SynchronousTestCase

from twisted_ws import descriptors as module
from twisted_ws.descriptors import descriptors, raiseDescriptors


class DescriptorTests(SynchronousTestCase):
    """
    The limits of a process, which are made up.
    """

    def limits(self, soft: int, hard: int, refuses: bool = False) -> list[int]:
        """
        @return: the limits, soft and hard, as they are changed.
        """
        now = [soft, hard]

        def setLimits(which: int, both: tuple[int, int]) -> None:
            if refuses:
                raise OSError("not here")
            now[:] = both

        self.patch(module, "getrlimit", lambda which: tuple(now))
        self.patch(module, "setrlimit", setLimits)
        return now

    def test_raised(self) -> None:
        """
        The soft limit becomes the hard one.
        """
        now = self.limits(1024, 4096)
        self.assertEqual(descriptors(), 1024)
        self.assertEqual(raiseDescriptors(object()), 4096)
        self.assertEqual(now, [4096, 4096])

    def test_unlimited(self) -> None:
        """
        There may be no limit.
        """
        self.limits(module.RLIM_INFINITY, module.RLIM_INFINITY)
        self.assertEqual(raiseDescriptors(object()), inf)

    def test_refused(self) -> None:
        """
        Where it cannot be raised it stays.
        """
        self.limits(1024, module.RLIM_INFINITY, refuses=True)
        self.assertEqual(raiseDescriptors(object()), 1024)

    def test_select(self) -> None:
        """
        The reactor of C{select} cannot do with more.
        """
        now = self.limits(1024, 4096)
        reactor = SelectReactor.__new__(SelectReactor)
        self.assertEqual(raiseDescriptors(reactor), 1024)
        self.assertEqual(now, [1024, 4096])

    def test_none(self) -> None:
        """
        Where there is no such limit, there is none.
        """
        self.patch(module, "getrlimit", None)
        self.assertEqual(descriptors(), inf)
        self.assertEqual(raiseDescriptors(object()), inf)
