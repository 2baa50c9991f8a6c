# -*- test-case-name: tests.test_declaration -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What is wrong with a declaration, and where.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

KeyPath = tuple[str | int, ...]
"""
The way to a value: keys of tables, and indexes of lists.
"""


def dotted(path: KeyPath) -> str:
    """
    @return: C{"mount[1].path"} for C{("mount", 1, "path")}.
    """
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            isBare = re.fullmatch("[A-Za-z0-9_-]+", key)
            text += ("." if text else "") + (key if isBare else repr(key))
    return text


class Fault(NamedTuple):
    """
    Something that is wrong with a declaration.

    @ivar path: where.
    @ivar text: what, to be put behind the name of that.
    """

    path: KeyPath
    text: str


class Faults(list[Fault]):
    """
    All that is wrong with a declaration.
    """

    @contextmanager
    def at(self, *path: str | int) -> Iterator[None]:
        """
        Take down a C{ValueError} or an C{OSError} that is raised within.
        """
        try:
            yield
        except ValueError as error:
            text, name = str(error), str(path[-1])
            if text.startswith((f"{name} ", f"{name}: ")):
                text = text[len(name) :]
            else:
                text = f": {text}"
            self.append(Fault(path, text))
        except OSError as error:
            name = "" if error.filename is None else f": {error.filename}"
            self.append(Fault(path, f": {error.strerror or error}{name}"))
