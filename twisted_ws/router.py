# -*- test-case-name: tests.test_router -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Applications by path and subprotocol.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

from zope.interface import implementer

from .application import Application, checkApplication, run
from .interfaces import IWebSocketResource
from .request import WebSocketRequest

ANY = "*"
_ANY_PROTOCOL = object()  # no client can ask for it, as it can for "*"


@implementer(IWebSocketResource)
class Router:
    """
    A node of a tree of path segments::

        router = Router()
        router.mount("/chat", "chat.v1", chat)
        router.mount("/chat", "chat.v2", Factory.forProtocol(ChatTwo))
        router.mount("/echo", "*", Echo)
        WebSocketFactory(router)

    A Router is an application, so one can be mounted or put into another; it is then
    asked for what is left of the path.
    """

    isLeaf = False

    def __init__(self) -> None:
        self._children: dict[bytes, Any] = {}
        self._anyPath: Router | None = None
        self._mounts: dict[object, Application] = {}

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

    def mount(self, path: str, protocol: str | None, application: Application) -> None:
        """
        Have requests answered by C{application}.

        @param path: C{"/a/b"}, or C{"*"} for every path that has no mount; a path
            that ends with C{"/*"} likewise, below it.
        @param protocol: a subprotocol; C{None} for requests that ask for none;
            C{"*"} for any, asked for or not.
        @raise ValueError: when the pair is mounted already, or the path is relative.
        @raise TypeError: when it is no application.
        """
        checkApplication(application)
        node = self._nodeFor(path, create=True)
        key = _key(protocol)
        if key in node._mounts:
            raise ValueError(f"there is an application at {path!r} for {protocol!r}")
        node._mounts[key] = application

    def unmount(self, path: str, protocol: str | None) -> None:
        """
        Undo a C{mount}.

        @raise ValueError: when nothing is mounted there.
        """
        node = self._nodeFor(path, create=False)
        if node is None or node._mounts.pop(_key(protocol), None) is None:
            raise ValueError(f"there is no application at {path!r} for {protocol!r}")

    def _nodeFor(self, path: str, create: bool) -> Any:
        if path != ANY and not path.startswith("/"):
            raise ValueError(f"a path begins with / or is *, unlike {path!r}")
        segments = path.lstrip("/").split("/")
        if ANY in segments[:-1]:
            raise ValueError(f"only the end of a path can be *, unlike {path!r}")
        node: Any = self
        for segment in segments:
            node = node._descend(segment, create)
            if node is None:
                return None
        return node

    def _descend(self, segment: str, create: bool) -> Any:
        if segment == ANY:
            if self._anyPath is None and create:
                self._anyPath = Router()
            return self._anyPath
        name = unquote_to_bytes(segment)
        child = self._children.get(name)
        if child is None and create:
            child = self._children[name] = Router()
        if child is not None and not isinstance(child, Router):
            raise ValueError(f"the child {name!r} is not a Router")
        return child

    # Requests

    def requestReceived(self, request: WebSocketRequest) -> object:
        """
        Run what is mounted for the request; refuse it with 404 if nothing is.
        """
        application = self._find(request)
        if application is None:
            request.reject(404, body=b"nothing is mounted here\n")
        else:
            run(application, request)
        return None

    def _find(self, request: WebSocketRequest) -> Application | None:
        """
        Walk down what is left of the path.  On the way back the deepest wildcard is
        taken: so an exact match always goes before it.

        @return: the application, with C{prepath} and C{postpath} set for it; or
            C{None}.
        """
        found: Application | None = None
        if request.postpath:
            name = request.postpath.pop(0)
            request.prepath.append(name)
            child = self.getChildWithDefault(name, request)
            if isinstance(child, Router):
                found = child._find(request)
            elif child is not None:
                found = _walk(child, request)
            if found is None:
                request.postpath.insert(0, request.prepath.pop())
        else:
            found = self._choose(request)
            root = self._children.get(b"")
            if found is None and isinstance(root, Router):
                found = root._choose(request)
        if found is None and self._anyPath is not None:
            found = self._anyPath._choose(request)
        return found

    def _choose(self, request: WebSocketRequest) -> Application | None:
        """
        @return: what is mounted here for the first of the client's subprotocols that
            has a mount, or else for any.
        """
        for protocol in request.requestedProtocols:
            application = self._mounts.get(protocol.lower())
            if application is not None:
                request.protocol = protocol
                return application
        if not request.requestedProtocols and None in self._mounts:
            return self._mounts[None]
        application = self._mounts.get(_ANY_PROTOCOL)
        if application is not None and request.requestedProtocols:
            # Browsers fail a connection whose subprotocols were asked for in vain.
            request.protocol = request.chooseProtocol(
                request.config.protocols, request.config.preferClientProtocols
            )
            request.protocol = request.protocol or request.requestedProtocols[0]
        return application


def _walk(resource: Any, request: WebSocketRequest) -> Any:
    """
    Walk down a tree of somebody else's, as
    L{twisted.web.resource.getChildForRequest} does.
    """
    while (
        request.postpath
        and IWebSocketResource.providedBy(resource)
        and not resource.isLeaf
    ):
        name = request.postpath.pop(0)
        request.prepath.append(name)
        resource = resource.getChildWithDefault(name, request)
    return resource


def _key(protocol: str | None) -> object:
    """
    Subprotocols are matched whatever their case.
    """
    if protocol == ANY:
        return _ANY_PROTOCOL
    return None if protocol is None else protocol.lower()
