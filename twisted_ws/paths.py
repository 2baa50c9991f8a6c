# -*- test-case-name: tests.test_paths -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The paths of mounts: what their segments stand for, and the tree of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes
from uuid import UUID

ANY = "*"
"""
The path of a mount for every path, and the protocol of one for every protocol.
"""

_PARAMETER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(?::([a-z]+))?\}")
_INT = re.compile(rb"[0-9]{1,20}")
_UUID = re.compile(rb"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def _readInt(segment: bytes) -> int:
    """
    Of at most 20 digits, as any number of 64 bits has: what is read here is often
    asked of a database, and C{int} itself refuses, or is slow with, thousands.
    """
    if _INT.fullmatch(segment) is None:
        raise ValueError
    return int(segment)


def _readUUID(segment: bytes) -> UUID:
    """
    In the form of RFC 9562 alone: C{UUID} also takes braces, prefixes and more, so
    that one thing would have many paths.
    """
    if _UUID.fullmatch(segment) is None:
        raise ValueError
    return UUID(segment.decode("ascii"))


def _readStr(segment: bytes) -> str:
    if not segment:
        raise ValueError
    return segment.decode("utf-8")


class Kind:
    """
    What stands in a tree for segments of any text.

    @ivar name: as it is written in the path of a mount.
    @ivar read: makes a value of a segment; raises C{ValueError} for one that is not of
        this kind.
    """

    __slots__ = ("name", "read")

    def __init__(self, name: str, read: Callable[[bytes], Any] = bytes) -> None:
        self.name = name
        self.read = read

    def __repr__(self) -> str:
        return f"<Kind {self.name}>"


PARAMETERS = (Kind("int", _readInt), Kind("uuid", _readUUID), Kind("str", _readStr))
"""
The kinds of one segment, the strictest first.
"""

REST = Kind("path")
"""
The kind of all segments that are left, one at least.
"""

EVERYTHING = Kind(ANY)
"""
What stands for every path.
"""

_KINDS = {kind.name: kind for kind in (*PARAMETERS, REST)}

Segment = bytes | Kind | re.Pattern[str]
"""
A step down a tree: the text of a segment, percent-decoded; or what stands for any text;
or a pattern for all that is left.
"""


class Place(NamedTuple):
    """
    Where in a tree a mount is.

    @ivar segments: the way down to it.
    @ivar names: the names of the parameters on the way, in order; that of a C{"*"} at
        the end of a path is empty.
    """

    segments: tuple[Segment, ...]
    names: tuple[str, ...] = ()


def readPlace(path: object) -> Place:
    """
    Understand the path of a mount.

    @param path: see L{Router.mount<twisted_ws.Router.mount>}.
    @raise ValueError: when it makes no sense.
    @raise TypeError: when it is neither text nor a pattern for text.
    """
    if isinstance(path, re.Pattern) and isinstance(path.pattern, str):
        return Place((path,))
    if not isinstance(path, str):
        raise TypeError(f"a path is a string, or a pattern of one, not {path!r}")
    if path == ANY:
        return Place((EVERYTHING,))
    if not path.startswith("/"):
        raise ValueError(f"a path begins with / or is *, unlike {path!r}")
    if "?" in path:
        raise ValueError(f"queries do not count (and ? is %3F): {path!r}")
    segments: list[Segment] = []
    names: list[str] = []
    for text in path[1:].split("/"):
        if segments[-1:] == [REST]:
            raise ValueError(f"only the end of a path can take the rest: {path!r}")
        found = _PARAMETER.fullmatch(text)
        if text == ANY:
            segments.append(REST)
            names.append("")
        elif found is not None:
            name = found[2] or "str"
            if name not in _KINDS:
                kinds = ", ".join(_KINDS)
                raise ValueError(f"{path!r} has a {name!r}; there are {kinds}")
            segments.append(_KINDS[name])
            names.append(found[1])
        elif "{" in text or "}" in text:
            raise ValueError(
                f"{text!r} in {path!r} is no parameter: one is a whole segment,"
                " {name} or {name:kind}"
            )
        else:
            segments.append(unquote_to_bytes(text))
    if len(set(names)) < len(names):
        raise ValueError(f"two parameters of {path!r} have the same name")
    return Place(tuple(segments), tuple(names))


def pathText(segments: Sequence[bytes]) -> str:
    """
    @return: segments as text, percent-decoded but for slashes within them; what is no
        UTF-8 is replaced.
    """
    kept = [segment.replace(b"/", b"%2F") for segment in segments]
    return b"/".join(kept).decode("utf-8", "replace")


class Found(NamedTuple):
    """
    A place in a tree that a path leads to.

    @ivar mounts: what is mounted there, by protocol.
    @ivar depth: how many segments of the path were consumed on the way.
    @ivar values: of the parameters on the way, in order.
    @ivar match: of the pattern, if it is the place of one.
    """

    mounts: dict[Any, Any]
    depth: int
    values: tuple[Any, ...]
    match: re.Match[str] | None


class Node:
    """
    A place in a tree.

    @ivar children: the places below it of segments with a text.
    @ivar kinds: those of segments of any text.
    @ivar patterns: those of patterns.
    @ivar mounts: what is mounted here, by protocol.
    """

    __slots__ = ("children", "kinds", "mounts", "patterns")

    def __init__(self) -> None:
        self.children: dict[bytes, Node] = {}
        self.kinds: dict[Kind, Node] = {}
        self.patterns: dict[re.Pattern[str], Node] = {}
        self.mounts: dict[Any, Any] = {}

    def _below(self, segment: Segment) -> dict[Any, Node]:
        if isinstance(segment, bytes):
            return self.children
        return self.kinds if isinstance(segment, Kind) else self.patterns

    def grow(self, segments: Sequence[Segment]) -> Node:
        """
        @return: the place at the end of a way down, made if there is none.
        """
        node = self
        for segment in segments:
            node = node._below(segment).setdefault(segment, Node())
        return node

    def find(self, segments: Sequence[Segment]) -> Node | None:
        """
        @return: the place at the end of a way down, if there is one.
        """
        node: Node | None = self
        for segment in segments:
            if node is not None:
                node = node._below(segment).get(segment)
        return node

    def prune(self, segments: Sequence[Segment]) -> None:
        """
        Take away those places on a way down that lead nowhere any more.
        """
        way = [self]
        for segment in segments:
            way.append(way[-1]._below(segment)[segment])
        for segment in reversed(segments):
            node = way.pop()
            if node.children or node.kinds or node.patterns or node.mounts:
                return
            del way[-1]._below(segment)[segment]

    def all(self) -> Iterator[Any]:
        """
        Go over all that is mounted in the tree.
        """
        ahead = [self]
        while ahead:
            node = ahead.pop()
            yield from node.mounts.values()
            below = (node.children, node.kinds, node.patterns)
            ahead += reversed([each for places in below for each in places.values()])

    def walk(self, path: Sequence[bytes], depth: int) -> Iterator[Found]:
        """
        Go over all places where something is mounted that a path leads to, that which
        says most first: segment by segment, text before parameters in the order of
        L{PARAMETERS}, before patterns in the order of their mounts, before L{REST},
        before L{EVERYTHING}.

        No place is visited twice, and none that is deeper than the path.

        @param depth: how many segments of the path were consumed on the way to here;
            if all, what is found for one more that is empty counts too.
        """
        if depth == len(path):
            if self.mounts:
                yield Found(self.mounts, depth, (), None)
            path = [*path, b""]
        # What is still to visit, the next one last.
        ahead: list[tuple[Node, int, tuple[Any, ...], Segment]] = []
        ahead.append((self, depth, (), b""))
        text = ""
        while ahead:
            node, depth, values, last = ahead.pop()
            match = None
            if isinstance(last, re.Pattern):
                # They are all next to the root, so they search in the same.
                text = text or "/" + pathText(path[depth:])
                match = last.search(text)
                if match is None:
                    continue
            elif last is REST:
                values = (*values, pathText(path[depth:]))
            elif last is not EVERYTHING and depth < len(path):
                ahead += node._next(path[depth], depth, values)
                continue
            if node.mounts:
                yield Found(node.mounts, depth, values, match)

    def _next(
        self, segment: bytes, depth: int, values: tuple[Any, ...]
    ) -> Iterator[tuple[Node, int, tuple[Any, ...], Segment]]:
        """
        Go over the places below that a segment leads to, that which says most last.
        """
        for wide in (EVERYTHING, REST) if self.kinds else ():
            below = self.kinds.get(wide)
            if below is not None:
                yield below, depth, values, wide
        for pattern in reversed(self.patterns):
            yield self.patterns[pattern], depth, values, pattern
        for kind in _LEAST_FIRST if self.kinds else ():
            below = self.kinds.get(kind)
            if below is not None:
                try:
                    value = kind.read(segment)
                except ValueError:
                    continue
                yield below, depth + 1, (*values, value), kind
        below = self.children.get(segment)
        if below is not None:
            yield below, depth + 1, values, segment


_LEAST_FIRST = PARAMETERS[::-1]
