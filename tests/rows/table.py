# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Tables of rows as tests: each row is a test method for each role, and for each version
of the protocol, that has its name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from twisted.trial.unittest import SynchronousTestCase


class AnyRow(Protocol):
    """
    What a row of a table has.
    """

    @property
    def name(self) -> str:
        """
        A section of the RFC, and a few words; C{"RFC 7692 7.2.3.1 one block"} if it is
        not RFC 6455.
        """

    @property
    def roles(self) -> Sequence[str]:
        """
        C{"server"}, C{"client"} or both: those of our side.
        """

    def check(self, test: SynchronousTestCase, isServer: bool, version: int) -> None:
        """
        Run it.
        """


def identifier(name: str) -> str:
    """
    @return: the name of a row as it stands in the name of a method, for instance
        C{"5_5_1_closeOfOneByte"}.
    """
    found = re.fullmatch(r"(?:RFC (\d+) )?(\d+(?:\.\d+)*) (.+)", name)
    assert found is not None, f"{name!r} does not begin with a section"
    rfc, section, rest = found.groups()
    head, *tail = re.findall(r"[0-9A-Za-z]+", rest)
    if not head[:2].isupper():
        head = head[0].lower() + head[1:]
    words = head + "".join(word[0].upper() + word[1:] for word in tail)
    prefix = f"rfc{rfc}_" if rfc else ""
    return f"{prefix}{section.replace('.', '_')}_{words}"


class RowTests(SynchronousTestCase):
    """
    The base of tests that are made of a table.
    """

    def __init_subclass__(
        cls,
        rows: Sequence[AnyRow] = (),
        versions: Sequence[int] = (13,),
        **others: Any,
    ) -> None:
        """
        @param versions: of the protocol, under which each row is run.
        """
        super().__init_subclass__(**others)
        for row in rows:
            for role in row.roles:
                for version in versions:
                    prefix = role if version == 13 else f"{role}{version}"
                    name = f"test_{prefix}_{identifier(row.name)}"
                    assert name not in vars(cls), f"two rows are named {row.name!r}"
                    setattr(cls, name, _method(row, role, version))


def _method(row: AnyRow, role: str, version: int) -> Callable[[RowTests], None]:
    def method(self: RowTests) -> None:
        row.check(self, role == "server", version)

    method.__doc__ = f"{row.name}: as {role}, version {version}."
    return method
