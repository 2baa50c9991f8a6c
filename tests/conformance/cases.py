# -*- test-case-name: tests.conformance.test_conformance -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Which cases of the suite are run, by the names of groups or by patterns.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

CORE = ("1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*")
DEFLATE = ("12.*", "13.*")

# Of each kind of data and of each set of parameters: 64 bytes, 4096, 64 KiB that come
# and go whole, and 8 KiB in frames of 256 bytes.
SOME_DEFLATE = tuple(
    f"{part}.{number}"
    for part in (*(f"12.{n}" for n in range(1, 6)), *(f"13.{n}" for n in range(1, 8)))
    for number in (2, 5, 9, 11)
)

GROUPS = {
    "core": CORE,
    "limits": ("9.*",),
    "deflate": DEFLATE,
    "quick": (*CORE, *SOME_DEFLATE),
    "all": ("*",),
}
"""
The patterns of each group: C{core} is all but speed and compression, C{limits} is
large and many messages, C{quick} is core and some of the compression.
"""


def inOrder(case: str) -> tuple[int, ...]:
    """
    The key to sort cases by.
    """
    return tuple(int(part) for part in case.split("."))


def select(names: Iterable[str], available: Iterable[str]) -> list[str]:
    """
    Choose cases.

    @param names: groups, cases, and patterns of cases such as C{7.*}.
    @param available: the cases that there are.
    @return: each that is meant once, in the order of their numbers.
    @raise ValueError: when a name means none of them.
    """
    known, chosen = set(available), set()
    for name in names:
        matching = {
            case
            for pattern in GROUPS.get(name, (name,))
            for case in known
            if fnmatchcase(case, pattern)
        }
        if not matching:
            raise ValueError(f"no case is called {name!r}")
        chosen |= matching
    return sorted(chosen, key=inOrder)
