# -*- test-case-name: tests.test_descriptors -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
How many descriptors, and so connections, a process may have.
"""

from __future__ import annotations

from math import inf
from typing import Any

from twisted.internet.selectreactor import SelectReactor

try:
    from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit, setrlimit
except ImportError:  # Windows has no such limit.
    getrlimit = None  # type: ignore[assignment]


def descriptors() -> float:
    """
    @return: how many descriptors the process may have.
    """
    if getrlimit is None:
        return inf
    soft, _ = getrlimit(RLIMIT_NOFILE)
    return inf if soft == RLIM_INFINITY else soft


def raiseDescriptors(reactor: Any) -> float:
    """
    Have as many descriptors as the process may give itself: the soft limit is low by
    default for the sake of C{select}, which cannot do with more.

    @param reactor: if it is the one of C{select}, nothing is changed.
    @return: how many the process may have now.
    """
    if getrlimit is not None and not isinstance(reactor, SelectReactor):
        soft, hard = getrlimit(RLIMIT_NOFILE)
        if soft != hard:
            try:
                setrlimit(RLIMIT_NOFILE, (hard, hard))
            except (OSError, ValueError):
                # Where the system allows less than it says, it stays as it is.
                pass
    return descriptors()
