# -*- test-case-name: tests.test_router -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Applications by path and subprotocol.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote_from_bytes

from zope.interface import implementer

from .application import Application, checkApplication, refuseUnknown, run, walk
from .interfaces import IWebSocketResource
from .paths import ANY, CONVERTERS, REST, Place, patternSubject, readPlace
from .request import WebSocketRequest
from .steps import Steps

_ANY_PROTOCOL = object()  # no client can ask for it, as it can for "*"


class _Mount(NamedTuple):
    """
    @ivar names: of the parameters of its path.
    """

    application: Application
    names: tuple[str, ...]


class Route(NamedTuple):
    """
    What L{Router.routes} tells of a mount.

    @ivar path: as it can be mounted; a pattern is shown as C{"~pattern"}.
    @ivar protocol: as it was mounted, in lower case.
    """

    path: str
    protocol: str | None
    application: Application


@implementer(IWebSocketResource)
class Router:
    """
    A node of a tree of path segments::

        router = Router()
        router.mount("/chat", "chat.v1", chat)
        router.mount("/chat", "chat.v2", Factory.forProtocol(ChatTwo))
        router.mount("/rooms/{id:int}", "*", room)  # has request.params["id"]
        WebSocketFactory(router)

    A Router is an application, so one can be mounted or put into another; it is then
    asked for what is left of the path.

    Of several mounts that a request matches, the one that says most is taken, segment
    by segment: text before parameters (C{int}, C{uuid}, C{str}), before patterns in
    the order of their mounts, before C{"/*"} and C{"{rest:path}"}, before C{"*"}.  One
    without a mount for the request's subprotocols does not count.
    """

    isLeaf = True  # it walks down what is left of the path itself

    def __init__(self) -> None:
        self._children: dict[bytes, Any] = {}
        self._parameters: dict[str, Router] = {}
        self._patterns: dict[re.Pattern[str], Router] = {}
        self._wildcards: dict[str, Router] = {}
        self._mounts: dict[object, _Mount] = {}

    # The tree

    def putChild(self, name: bytes, child: Any) -> None:
        """
        Set the L{IWebSocketResource} for a path segment.

        @raise ValueError: when there is one.
        """
        if name in self._children:
            raise ValueError(f"there is a child {name!r}")
        self._children[name] = child

    def getChildWithDefault(self, name: bytes, request: Any) -> Any:
        """
        @return: the child for a path segment, or C{None}.
        """
        child = self._children.get(name)
        return self.getChild(name, request) if child is None else child

    def getChild(self, name: bytes, request: Any) -> Any:
        """
        Make the child for a segment that has none; may be overridden.
        """
        return None

    # The mounts

    def mount(
        self,
        path: str | re.Pattern[str],
        protocol: str | None,
        application: Application,
    ) -> None:
        """
        Have requests answered by C{application}.

        @param path: one of

              - C{"/a/b"};
              - C{"/rooms/{name}"} or C{"/rooms/{id:int}"}: a parameter stands for one
                segment, and is in C{request.params}; kinds are C{str}, C{int} (a
                number that is not negative) and C{uuid};
              - C{"/files/{rest:path}"}, or C{"/files/*"}: everything below;
              - C{"*"}: every path;
              - a compiled pattern, searched for in the path: anchor it if the whole
                has to match.  Its groups are in C{request.groups}, those with a name
                also in C{request.params}.
        @param protocol: a subprotocol; C{None} for requests that ask for none;
            C{"*"} for any, asked for or not.
        @raise ValueError: when the pair is mounted already, or the path makes no
            sense.
        @raise TypeError: when it is no application, or no path.
        """
        checkApplication(application)
        place, node = self._nodeFor(path, create=True)
        key = _key(protocol)
        if key in node._mounts:
            raise ValueError(f"there is an application at {path!r} for {protocol!r}")
        node._mounts[key] = _Mount(application, place.names)

    def unmount(self, path: str | re.Pattern[str], protocol: str | None) -> None:
        """
        Undo a C{mount}.

        @raise ValueError: when nothing is mounted there.
        """
        _, node = self._nodeFor(path, create=False)
        if node is None or node._mounts.pop(_key(protocol), None) is None:
            raise ValueError(f"there is no application at {path!r} for {protocol!r}")

    def _nodeFor(self, path: object, create: bool) -> tuple[Place, Any]:
        """
        @return: where the path leads, and the node there; C{None} if there is none.
        """
        if isinstance(path, re.Pattern):
            if not isinstance(path.pattern, str):
                raise TypeError(f"a pattern is for str, unlike {path!r}")
            return Place(()), _grow(self._patterns, path, create)
        if not isinstance(path, str):
            raise TypeError(f"a path is a string or a pattern, not {path!r}")
        place = readPlace(path)
        node: Any = self
        for segment in place.segments:
            if isinstance(segment, str):
                node = _grow(node._parameters, segment, create)
            else:
                node = _grow(node._children, segment, create)
            if node is None:
                return place, None
        if place.wildcard:
            node = _grow(node._wildcards, place.wildcard, create)
        return place, node

    def routes(self) -> Iterator[Route]:
        """
        Go over all mounts, those of nested routers included.
        """
        yield from self._routes(())

    def _routes(self, above: _Way) -> Iterator[Route]:
        for key, mount in self._mounts.items():
            way = _fill(above, mount.names)
            inner = mount.application
            while isinstance(inner, Steps):
                inner = inner.application
            if isinstance(inner, Router):
                wild = way[-1:] == (ANY,)
                yield from inner._routes(way[:-1] if wild else way)
            else:
                protocol: Any = ANY if key is _ANY_PROTOCOL else key
                yield Route(_render(way), protocol, mount.application)
        for name, child in self._children.items():
            step = (quote_from_bytes(name),)
            if isinstance(child, Router):
                yield from child._routes(above + step)
            else:
                yield Route(_render(above + step), ANY, child)
        for kind, node in self._parameters.items():
            yield from node._routes((*above, _Kind(kind)))
        for pattern, node in self._patterns.items():
            yield from node._routes((*above, f"~{pattern.pattern}"))
        for wildcard, node in self._wildcards.items():
            yield from node._routes((*above, ANY if wildcard == ANY else _Kind(REST)))

    # Requests

    def requestReceived(self, request: WebSocketRequest) -> object:
        """
        Run what is mounted for the request; refuse it with 404 if nothing is.
        """
        application = self._find(request, [])
        if application is None:
            refuseUnknown(request)
        else:
            run(application, request)
        return None

    def _find(self, request: WebSocketRequest, values: list[Any]) -> Application | None:
        """
        Walk down what is left of the path; where nothing is found, try what says
        less on the way back.

        @param values: of the parameters so far.
        @return: the application, with C{prepath}, C{postpath} and C{params} set for
            it; or C{None}.
        """
        found: Application | None = None
        if request.postpath:
            found = self._findBelow(request, values)
            if found is None:
                found = self._findPattern(request, values)
            rest = self._wildcards.get(REST)
            if found is None and rest is not None:
                subject = patternSubject(request.postpath)[1:]
                found = rest._choose(request, [*values, subject])
        else:
            found = self._choose(request, values)
            root = self._children.get(b"")
            if found is None and isinstance(root, Router):
                found = root._choose(request, values)
        if found is None and ANY in self._wildcards:
            found = self._wildcards[ANY]._choose(request, values)
        return found

    def _findBelow(
        self, request: WebSocketRequest, values: list[Any]
    ) -> Application | None:
        """
        Go one segment down, to the child of that name or to a parameter.
        """
        found: Application | None = None
        name = request.postpath.pop(0)
        request.prepath.append(name)
        child = self.getChildWithDefault(name, request)
        if isinstance(child, Router):
            found = child._find(request, values)
        elif child is not None:
            found = walk(child, request)
        if found is None and self._parameters:
            for kind, convert in CONVERTERS.items():
                node = self._parameters.get(kind)
                if node is None:
                    continue
                try:
                    value = convert(name)
                except ValueError:
                    continue
                found = node._find(request, [*values, value])
                if found is not None:
                    break
        if found is None:
            request.postpath.insert(0, request.prepath.pop())
        return found

    def _findPattern(
        self, request: WebSocketRequest, values: list[Any]
    ) -> Application | None:
        if not self._patterns:
            return None
        subject = patternSubject(request.postpath)
        for pattern, node in self._patterns.items():
            match = pattern.search(subject)
            if match is not None:
                application = node._choose(request, values)
                if application is not None:
                    request.groups = match.groups()
                    request.params.update(match.groupdict())
                    return application
        return None

    def _choose(
        self, request: WebSocketRequest, values: list[Any]
    ) -> Application | None:
        """
        @return: what is mounted here for the first of the client's subprotocols that
            has a mount, or else for any.
        """
        mount: _Mount | None = None
        for protocol in request.requestedProtocols:
            mount = self._mounts.get(protocol.lower())
            if mount is not None:
                request.protocol = protocol
                break
        if mount is None and not request.requestedProtocols:
            mount = self._mounts.get(None)
        if mount is None:
            mount = self._mounts.get(_ANY_PROTOCOL)
            if mount is not None and request.requestedProtocols:
                # Browsers fail a connection whose subprotocols were asked for in
                # vain.
                request.protocol = request.chooseProtocol(
                    request.config.protocols, request.config.preferClientProtocols
                )
                request.protocol = request.protocol or request.requestedProtocols[0]
        if mount is None:
            return None
        if mount.names:
            own = values[-len(mount.names) :]
            request.params.update(
                (name, value)
                for name, value in zip(mount.names, own, strict=True)
                if name
            )
        return mount.application


class _Kind(NamedTuple):
    """
    A parameter on the way to a mount, whose name only the mount knows.
    """

    kind: str


_Way = tuple[str | _Kind, ...]


def _fill(way: _Way, names: tuple[str, ...]) -> _Way:
    """
    Give the last parameters on the way their names.
    """
    left = list(names)
    filled: list[str | _Kind] = []
    for segment in reversed(way):
        if isinstance(segment, _Kind) and left:
            name = left.pop()
            suffix = "" if segment.kind == "str" else f":{segment.kind}"
            segment = f"{{{name}{suffix}}}" if name else ANY
        filled.append(segment)
    return tuple(reversed(filled))


def _render(way: _Way) -> str:
    """
    @return: the way as the path of a mount.
    """
    if way == (ANY,):
        return ANY
    texts = [
        segment if isinstance(segment, str) else f"{{{segment.kind}}}"
        for segment in way
    ]
    return "/" + "/".join(texts)


def _grow(nodes: dict[Any, Any], key: object, create: bool) -> Any:
    """
    @return: the node for C{key}; C{None} if there is none and none is to be made.
    """
    node = nodes.get(key)
    if node is None and create:
        node = nodes[key] = Router()
    if node is not None and not isinstance(node, Router):
        raise ValueError(f"the child {key!r} is not a Router")
    return node


def _key(protocol: str | None) -> object:
    """
    Subprotocols are matched whatever their case.
    """
    if protocol == ANY:
        return _ANY_PROTOCOL
    return None if protocol is None else protocol.lower()
