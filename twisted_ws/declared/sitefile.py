# -*- test-case-name: tests.test_sitefile -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A TOML file: what it says, and on which line.

The libraries that read TOML do not tell the lines of keys.  They are found out with
such a library all the same, and only when there is something to say of one: it is
given the file a line at a time to find where statements begin and end, and then more
and less of these to find the one that has the key.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable
from functools import cached_property
from importlib import import_module
from typing import Any

from .faults import KeyPath

MAX_SIZE = 1 << 20
"""
Bytes of the largest file that is read.
"""

_POSITION = re.compile(r" \(at (?:line ([0-9]+), column ([0-9]+)|end of document)\)$")

# What the last line of a statement has if it takes several.
_CLOSES = re.compile(r"""[\]}]|\"{3}|'{3}""")


class SiteFileError(Exception):
    """
    A file cannot be read.  Its message names it, and the line.
    """


class SiteFile:
    """
    A TOML file that was read.

    @ivar name: its path, as it was given.
    @ivar data: its tables.
    """

    def __init__(self, name: str) -> None:
        """
        @raise SiteFileError: when it cannot be read.
        """
        self.name = name
        text = _readText(name)
        # As the library has it, so that its lines are these.
        self._lines = text.replace("\r\n", "\n").split("\n")
        try:
            self.data = _parse(text)
        except ValueError as error:
            message = str(error)
            position = _POSITION.search(message)
            line = self._find(lambda data: False)
            if position is not None:
                message = message[: position.start()]
                if position[1]:
                    line = int(position[1])
                    message += f" (column {position[2]})"
            raise SiteFileError(f"{self.at(line)}: {message}") from None

    def at(self, line: int | None) -> str:
        """
        @return: the name of a place in the file.
        """
        return self.name if line is None else f"{self.name}:{line}"

    def lineOf(self, path: KeyPath) -> int | None:
        """
        @return: the first line of the statement that has a value, or the header of
            its table; C{None} when it is nowhere.
        """
        return self._find(lambda data: _has(data, path)) if path else None

    def _find(self, isThere: Callable[[dict[str, Any]], bool]) -> int | None:
        """
        @return: the first line of the first statement behind which C{isThere}, or
            that makes the file invalid.
        """
        starts = self._starts

        def isBehind(index: int) -> bool:
            try:
                return isThere(_parse("\n".join(self._lines[: starts[index + 1]])))
            except ValueError:
                return True

        index = bisect_left(range(len(starts) - 1), True, key=isBehind)
        return starts[index] + 1 if index < len(starts) - 1 else None

    @cached_property
    def _starts(self) -> list[int]:
        """
        The indexes of the lines that statements begin on, and the number of lines.
        """
        starts: list[int] = []
        pending: list[str] = []
        for index, line in enumerate(self._lines):
            if not pending:
                if not line.strip(" \t") or line.lstrip(" \t").startswith("#"):
                    continue
                starts.append(index)
            pending.append(line)
            if len(pending) > 1 and not _CLOSES.search(line):
                continue
            try:
                _parse("\n".join(pending))
            except ValueError:
                continue
            pending = []
        return [*starts, len(self._lines)]


def _readText(name: str) -> str:
    """
    @raise SiteFileError: when it cannot be read, or is not text.
    """
    try:
        with open(name, "rb") as file:
            data = file.read(MAX_SIZE + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SiteFileError(f"{name}: {reason}") from None
    if len(data) > MAX_SIZE:
        raise SiteFileError(f"{name}: it has more than {MAX_SIZE} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SiteFileError(
            f"{name}:{line}: it is not UTF-8: {error.object[error.start]:#04x}"
        ) from None


def _parse(text: str) -> dict[str, Any]:
    """
    @raise ValueError: when C{text} is not TOML.
    @raise SiteFileError: when there is nothing to read it with.
    """
    library: Any = None
    for name in ("tomllib", "tomli"):
        try:
            library = import_module(name)
            break
        except ImportError:
            pass
    if library is None:
        raise SiteFileError(
            "a configuration file needs the package tomli on this Python:"
            " pip install 'twisted-ws[config]'"
        )
    try:
        tables: dict[str, Any] = library.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return tables


def _has(data: Any, path: KeyPath) -> bool:
    for key in path:
        try:
            data = data[key]
        except (LookupError, TypeError):
            return False
    return True
