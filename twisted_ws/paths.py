# -*- test-case-name: tests.test_router -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The paths of mounts: what their segments stand for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes
from uuid import UUID

ANY = "*"

_PARAMETER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(?::([a-z]+))?\}")
_INT = re.compile(rb"[0-9]+")


def _readInt(segment: bytes) -> int:
    if not _INT.fullmatch(segment):
        raise ValueError
    return int(segment)


def _readUUID(segment: bytes) -> UUID:
    return UUID(segment.decode("ascii"))


def _readStr(segment: bytes) -> str:
    if not segment:
        raise ValueError
    return segment.decode("utf-8")


CONVERTERS: dict[str, Callable[[bytes], Any]] = {
    "int": _readInt,
    "uuid": _readUUID,
    "str": _readStr,
}
"""
What a segment can be read as, the strictest first; each raises C{ValueError} for a
segment that it is not.
"""

REST = "path"
"""
The kind of a parameter that takes all segments that are left.
"""


@dataclass(frozen=True)
class Place:
    """
    Where in the tree of routers a mount is.

    @ivar segments: the way down to it: of each segment its text, percent-decoded, or
        the kind of the parameter that stands for it.
    @ivar names: the names of the parameters on the way, in order; that of a
        nameless rest is empty.
    @ivar wildcard: C{ANY} for a mount on every path, C{REST} for one on everything
        below, C{""} for any other.
    """

    segments: tuple[bytes | str, ...]
    names: tuple[str, ...] = ()
    wildcard: str = ""


def readPlace(path: str) -> Place:
    """
    Understand the path of a mount.

    @raise ValueError: when it makes no sense.
    """
    if path == ANY:
        return Place((), (), ANY)
    if not path.startswith("/"):
        raise ValueError(f"a path begins with / or is *, unlike {path!r}")
    segments: list[bytes | str] = []
    names: list[str] = []
    texts = path[1:].split("/")
    for index, text in enumerate(texts):
        isLast = index == len(texts) - 1
        found = _PARAMETER.fullmatch(text)
        if found is None and ("{" in text or "}" in text):
            raise ValueError(
                f"{text!r} in {path!r} is no parameter: one is a whole segment,"
                " {name} or {name:kind}"
            )
        if text == ANY or (found is not None and found[2] == REST):
            if not isLast:
                raise ValueError(f"only the end of a path can be {text}: {path!r}")
            names.append("" if found is None else found[1])
            return Place(tuple(segments), _distinct(names, path), REST)
        if found is None:
            segments.append(unquote_to_bytes(text))
            continue
        kind = found[2] or "str"
        if kind not in CONVERTERS:
            kinds = ", ".join([*CONVERTERS, REST])
            raise ValueError(f"{path!r} has a {kind!r}; there are {kinds}")
        segments.append(kind)
        names.append(found[1])
    return Place(tuple(segments), _distinct(names, path))


def _distinct(names: list[str], path: str) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError(f"two parameters of {path!r} have the same name")
    return tuple(names)


def patternSubject(postpath: Sequence[bytes]) -> str:
    """
    @return: what patterns are searched in: the rest of the path, percent-decoded but
        for slashes within its segments.
    """
    segments = (segment.replace(b"/", b"%2F") for segment in postpath)
    return "/" + b"/".join(segments).decode("utf-8", "replace")
