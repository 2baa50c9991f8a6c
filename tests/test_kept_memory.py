# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.keepFreedMemory}.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from twisted_ws import keepFreedMemory

CHURN = """
import resource, sys
from twisted_ws import keepFreedMemory

if sys.argv[1] == "kept":
    assert keepFreedMemory()


def churn(times):
    for _ in range(times):
        held = [b"x" * (1 << 20) for _ in range(8)]
        del held


churn(10)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
churn(50)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
"""
Prints how many page faults large messages cost: there are 256 pages in each.
"""


class KeepFreedMemoryTests(SynchronousTestCase):
    """
    In a process of its own, since it is set for all of one.
    """

    def faults(self, how: str) -> int:
        """
        @return: what L{CHURN} prints.
        """
        command = [sys.executable, "-c", CHURN, how]
        return int(subprocess.run(command, capture_output=True, check=True).stdout)

    def test_kept(self) -> None:
        """
        Memory that was freed is used again without a fault for each page.
        """
        if sys.platform == "win32" or not hasattr(ctypes.CDLL(None), "mallopt"):
            raise self.skipTest("this C library has no mallopt")
        without, kept = self.faults("not kept"), self.faults("kept")
        self.assertLess(kept, 1000)
        self.assertLess(kept, without / 10)

    def test_otherLibraries(self) -> None:
        """
        Where the C library cannot be told, nothing happens.
        """
        for error in (AttributeError, OSError, TypeError):

            class Other:
                def __init__(self, name: None, error: type = error) -> None:
                    raise error

            self.patch(ctypes, "CDLL", Other)
            self.assertFalse(keepFreedMemory())

    def test_wrong(self) -> None:
        """
        What is no number of bytes for it is refused.
        """
        for size in (-1, 1 << 31):
            self.assertRaises(ValueError, keepFreedMemory, size)
