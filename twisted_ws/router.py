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

from ._wire.headers import checkToken
from .application import Application, checkApplication, refuseUnknown, run, walk
from .interfaces import IWebSocketResource
from .paths import ANY, EVERYTHING, REST, Found, Node, Place, readPlace
from .request import WebSocketRequest
from .steps import Steps

_ANY_PROTOCOL = object()  # no client can ask for it, as it can for "*"


class Route(NamedTuple):
    """
    What L{Router.routes} tells of a mount.

    @ivar path: as it can be mounted; a pattern is shown as C{"~pattern"}, behind the
        path in whose rest it is searched for.
    @ivar protocol: as it was mounted.
    """

    path: str
    protocol: str | None
    application: Application


class _Mount(NamedTuple):
    """
    @ivar prefix: the path, if the application sees what is below it; or C{None}.
    @ivar names: of the parameters of the path, in order.
    """

    route: Route
    prefix: str | None
    names: tuple[str, ...]


_Mounts = dict[object, _Mount]
"""
What is mounted in one place, by protocol.
"""


@implementer(IWebSocketResource)
class Router:
    """
    Finds the application for a request::

        router = Router()
        router.mount("/chat", "chat.v1", chat)
        router.mount("/chat", "chat.v2", Factory.forProtocol(ChatTwo))
        router.mount("/rooms/{id:int}", "*", room)  # has request.params["id"]
        WebSocketFactory(router)

    A Router is an application, so one can be mounted in another, or be its child; it
    is then asked for what is left of the path, or for C{"/"} if nothing is.

    Of several mounts that a request matches, the one that says most is taken, segment
    by segment: text and children before parameters (C{int}, C{uuid}, C{str}), before
    patterns in the order of their mounts, before C{"/*"} and C{"{rest:path}"}, before
    C{"*"}.  A place where nothing is mounted for the request's subprotocols does not
    count; nor does a child that is a Router and finds nothing.  A Router that is
    mounted has the last word.
    """

    isLeaf = True  # it walks down what is left of the path itself

    def __init__(self) -> None:
        self._children: dict[bytes, Any] = {}
        self._tree = Node()

    # Children

    def putChild(self, name: bytes, child: Any) -> None:
        """
        Have requests whose path begins with this segment answered by a child.

        @param name: the segment, percent-decoded.
        @param child: an application.  To a Router, or another L{IWebSocketResource},
            it is the root for what is left of the path; mounts below the segment go
            to that Router.
        @raise ValueError: when there is a child or a mount already.
        @raise TypeError: when it is no application.
        """
        if not isinstance(name, bytes):
            raise TypeError(f"a segment is bytes, unlike {name!r}")
        checkApplication(child)
        self._checkOutside(child)
        if name in self._children or name in self._tree.children:
            raise ValueError(f"there is a child or a mount at {name!r}")
        self._children[name] = child

    def getChildWithDefault(self, name: bytes, request: Any) -> Any:
        """
        @return: the child for a path segment, or C{None}.
        """
        child = self._children.get(name)
        if child is None and name not in self._tree.children:
            child = self.getChild(name, request)
        return child

    def getChild(self, name: bytes, request: Any) -> Any:
        """
        Make the child for a segment that has neither a child nor a mount; may be
        overridden.

        @param name: the segment, percent-decoded.
        @param request: the L{WebSocketRequest}; C{name} is the last of its
            C{prepath}.
        @return: an application, see L{putChild}; C{None} for none.
        """
        return None

    # Mounts

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
                segment that is not empty, and is in C{request.params}; kinds are
                C{str} (UTF-8), C{int} (one to 20 digits) and C{uuid} (in groups of 8,
                4, 4, 4 and 12);
              - C{"/files/{rest:path}"}, or C{"/files/*"}: everything below, which
                C{request.postpath} has in its segments;
              - C{"*"}: every path;
              - a compiled pattern, searched for in the path: anchor it if the whole
                has to match.  Its groups are in C{request.groups}, those with a name
                also in C{request.params}.  It is searched for in what clients send: one
                that can backtrack without end lets them stop the server.

            A segment, here and in a request, is percent-decoded once.  Queries do not
            count.
        @param protocol: a subprotocol, in any case; C{None} for requests that ask for
            none; C{"*"} for any, asked for or not.
        @raise ValueError: when the pair is mounted already, or the path makes no
            sense, or no client can ask for the subprotocol.
        @raise TypeError: when it is no application, or no path.
        """
        checkApplication(application)
        key = _key(protocol)
        owner, shown, place = self._locate(path)
        owner._checkOutside(application)
        mounts = owner._tree.grow(place.segments).mounts
        if key in mounts:
            raise ValueError(f"there is an application at {path!r} for {protocol!r}")
        isWide = place.segments[-1:] in ((REST,), (EVERYTHING,))
        prefix = shown.rpartition("/")[0] if isWide else None
        mounts[key] = _Mount(Route(shown, protocol, application), prefix, place.names)

    def unmount(self, path: str | re.Pattern[str], protocol: str | None) -> None:
        """
        Undo a C{mount}.  The names of parameters need not be the same.

        @raise ValueError: when nothing is mounted there.
        """
        key = _key(protocol)
        owner, _, place = self._locate(path)
        node = owner._tree.find(place.segments)
        if node is None or node.mounts.pop(key, None) is None:
            raise ValueError(f"there is no application at {path!r} for {protocol!r}")
        owner._tree.prune(place.segments)

    def _locate(self, path: str | re.Pattern[str]) -> tuple[Router, str, Place]:
        """
        Find out whose a mount is: what is below a child is the child's.

        @return: the Router, and the path and the place as seen from there.
        """
        segments, names = readPlace(path)
        shown = path if isinstance(path, str) else f"~{path.pattern}"
        owner = self
        while segments and isinstance(segments[0], bytes):
            child = owner._children.get(segments[0])
            if child is None:
                break
            if not isinstance(child, Router):
                raise ValueError(f"the child {segments[0]!r} is not a Router")
            owner, segments = child, segments[1:]
            shown = "".join(shown[1:].partition("/")[1:])
        return owner, shown, Place(segments, names)

    def _checkOutside(self, application: Application) -> None:
        """
        @raise ValueError: when requests for C{application} could come back here, as
            often as a client likes.
        """
        ahead, seen = [application], set()
        while ahead:
            inner = _behindSteps(ahead.pop())
            if inner is self:
                raise ValueError("a Router cannot be mounted in itself")
            if isinstance(inner, Router) and id(inner) not in seen:
                seen.add(id(inner))
                ahead += (mount.route.application for mount in inner._tree.all())
                ahead += inner._children.values()

    def routes(self) -> Iterator[Route]:
        """
        Go over all mounts and children, and those of the Routers among them.  What
        C{getChild} makes is not known here.
        """
        for mount in list(self._tree.all()):
            path, protocol, application = mount.route
            inner = _behindSteps(application)
            if mount.prefix is None or not isinstance(inner, Router):
                yield mount.route
                continue
            for route in inner.routes():
                # Either of the two decides; if both do, it has to be the same.
                if ANY in (protocol, route.protocol):
                    spoken = route.protocol if protocol == ANY else protocol
                elif _key(protocol) == _key(route.protocol):
                    spoken = protocol
                else:
                    continue
                yield Route(_join(mount.prefix, route.path), spoken, route.application)
        for name, child in list(self._children.items()):
            path = "/" + quote_from_bytes(name, "!$&'()+,;=:@")
            inner = _behindSteps(child)
            if isinstance(inner, Router):
                for route in inner.routes():
                    yield route._replace(path=_join(path, route.path))
            else:
                yield Route(path, ANY, child)

    # Requests

    def requestReceived(self, request: WebSocketRequest) -> object:
        """
        Run what is mounted for the request; refuse it with 404 if nothing is.
        """
        path = [*request.prepath, *request.postpath]
        routers, application = self._descend(request)
        isKnown = False
        while application is None and routers:
            router, depth = routers.pop()
            for found in router._tree.walk(path, depth):
                isKnown = True
                chosen = _choose(found.mounts, request)
                if chosen is not None:
                    application = _settle(request, path, found, *chosen)
                    break
        if application is None:
            refuseUnknown(request, isKnown)
        else:
            run(application, request)
        return None

    def _descend(
        self, request: WebSocketRequest
    ) -> tuple[list[tuple[Router, int]], Application | None]:
        """
        Go down as far as there are children.

        @return: the Routers on the way, with the number of segments before each; and
            the application at its end, if one is there.
        """
        router = self
        routers = [(router, len(request.prepath))]
        while request.postpath:
            name = request.postpath.pop(0)
            request.prepath.append(name)
            child = router.getChildWithDefault(name, request)
            if child is None:
                break
            if not isinstance(child, Router):
                return routers, walk(child, request)
            router = child
            routers.append((router, len(request.prepath)))
        return routers, None


def _key(protocol: object) -> object:
    """
    Subprotocols are matched whatever their case.

    @raise ValueError: when no client can ask for it.
    """
    if protocol is None:
        return None
    if not isinstance(protocol, str):
        raise TypeError(f"a protocol is a string or None, not {protocol!r}")
    if protocol == ANY:
        return _ANY_PROTOCOL
    checkToken(protocol, "a protocol")
    return protocol.lower()


def _choose(
    mounts: _Mounts, request: WebSocketRequest
) -> tuple[_Mount, str | None] | None:
    """
    @return: what is mounted for the first of the client's subprotocols that has a
        mount, or else for any; with the subprotocol.
    """
    possible = request.possibleProtocols
    for protocol in possible:
        mount = mounts.get(protocol.lower())
        if mount is not None:
            return mount, protocol
    mount = None if possible else mounts.get(None)
    if mount is None:
        mount = mounts.get(_ANY_PROTOCOL)
    if mount is None:
        return None
    if not possible:
        return mount, None
    # Browsers fail a connection whose subprotocols were asked for in vain.
    wanted = request.chooseProtocol(
        request.config.protocols, request.config.preferClientProtocols
    )
    return mount, wanted if wanted in possible else possible[0]


def _settle(
    request: WebSocketRequest,
    path: list[bytes],
    found: Found,
    mount: _Mount,
    protocol: str | None,
) -> Application:
    """
    Tell the request what was found for it.

    @return: the application.
    """
    request.prepath = path[: found.depth]
    request.postpath = path[found.depth :]
    if protocol is not None:
        request.protocol = protocol
        if mount.route.protocol != ANY:
            request.possibleProtocols = (protocol,)
    for name, value in zip(mount.names, found.values, strict=True):
        if name:
            request.params[name] = value
    if found.match is not None:
        request.groups = found.match.groups()
        request.params.update(found.match.groupdict())
    return mount.route.application


def _behindSteps(application: Application) -> Application:
    while isinstance(application, Steps):
        application = application.application
    return application


def _join(prefix: str, path: str) -> str:
    """
    @return: a path as seen from above.
    """
    return f"{prefix}/*" if prefix and path == ANY else prefix + path
