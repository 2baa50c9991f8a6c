# -*- test-case-name: tests.test_masks -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Keys for masking that nobody can predict (RFC 6455 section 10.3).
"""

from __future__ import annotations

import os


class MaskKeys:
    """
    Keys from the system's source of randomness, read a page at a time.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """
        Drop what was read and not yet used; a child process must, or it would
        repeat its parent's keys.
        """
        self._pool = b""
        self._used = 0

    def take(self) -> bytes:
        """
        @return: four bytes, never given out before.
        """
        used = self._used
        if used == len(self._pool):
            self._pool = os.urandom(4096)
            used = 0
        self._used = used + 4
        return self._pool[used : used + 4]


maskKeys = MaskKeys()
if hasattr(os, "register_at_fork"):  # pragma: no branch: Windows does not fork
    os.register_at_fork(after_in_child=maskKeys.forget)
