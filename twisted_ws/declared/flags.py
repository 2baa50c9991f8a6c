# -*- test-case-name: tests.test_tap -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The options of the command line that are made from keys of a declaration.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import Field, dataclass, fields
from typing import Any

from ..config import ServerConfig
from .declaration import Declaration, Logging
from .faults import KeyPath

_PLACEHOLDERS = {
    "flag": "",
    "size": "=N",
    "limit": "=N|none",
    "duration": "=SECONDS",
    "wait": "=SECONDS|none",
    "list": "=VALUE",
    "extensions": "=NAME",
    "path": "=PATH",
}
_REPEATED = ("list", "extensions")


@dataclass(frozen=True)
class Flag:
    """
    An option of the command line.

    @ivar path: the key that it stands for.
    @ivar kind: what its value can be, see L{twisted_ws.config}.
    @ivar isOn: what it says, if its kind is C{"flag"}.
    @ivar opposite: what says the opposite, if that makes sense.
    """

    name: str
    placeholder: str
    help: str
    path: KeyPath
    kind: str
    isOn: bool = True
    opposite: Flag | None = None

    @property
    def isRepeated(self) -> bool:
        """
        Whether each time it is given adds something.
        """
        return self.kind in _REPEATED

    def read(self, text: str) -> object:
        """
        @return: the value that C{text} is for; or itself if it is none, to be
            complained of where it is known what the value should be.
        """
        if self.kind == "path" and text:
            return os.path.abspath(text)
        if self.kind in ("size", "limit", "duration", "wait"):
            isTime = self.kind in ("duration", "wait")
            try:
                return float(text) if isTime else int(text)
            except ValueError:
                pass
        return text


def _make(field: Field[Any], path: KeyPath, camelCase: str) -> Flag:
    kind, help = field.metadata["kind"], str(field.metadata["help"])
    name = re.sub("([A-Z])", lambda found: "-" + found[1].lower(), camelCase)
    if kind == "flag":
        negated = f"Do not {help[0].lower()}{help[1:]}"
        on = Flag(name, "", help, path, kind)
        off = Flag(f"no-{name}", "", negated, path, kind, False)
        one, other = (off, on) if field.default else (on, off)
        return Flag(one.name, "", one.help, path, kind, one.isOn, other)
    if kind in _REPEATED:
        name = re.sub("s$", "", re.sub("ies$", "y", name))
        help = f"{help} Can be repeated."
    elif field.default is not None:
        help = f"{help} [default: {field.default}]"
    placeholder = _PLACEHOLDERS.get(kind)
    if placeholder is None:
        placeholder = "=" + "|".join(field.metadata["choices"])
    return Flag(name, placeholder, help, path, kind)


def _makeAll() -> Iterator[Flag]:
    (web,) = (field for field in fields(Declaration) if field.name == "web")
    yield _make(web, ("web",), "web")
    for field in fields(Logging):
        name = field.metadata.get("flag", "log" + field.name.capitalize())
        yield _make(field, ("logging", field.name), name)
    for field in fields(ServerConfig):
        yield _make(field, ("server", field.name), field.name)


FLAGS = tuple(_makeAll())
"""
All of them, in the order in which help should tell of them.
"""
