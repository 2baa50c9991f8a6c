# -*- test-case-name: tests.test_resource -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
WebSockets in a tree of L{twisted.web} resources.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.iweb import IRequest
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from ._channel import takeOver
from ._wire.errors import InvalidUpgrade
from ._wire.handshake import (
    Offer,
    readHeaders,
    refusal,
    standardPhrase,
    switching,
    withoutBody,
)
from ._wire.headers import readFields
from .carrier import endSending
from .connection import WebSocketConnection
from .interfaces import IUpgrader
from .protocol import WebSocketFactory
from .request import WebSocketRequest


@implementer(IResource)
class WebSocketResource:
    """
    A way into a L{WebSocketFactory} from a L{twisted.web.server.Site}::

        root.putChild(b"ws", WebSocketResource(WebSocketFactory(router)))

    Requests for a WebSocket at its path, or anywhere below, go to the factory, which
    sees the rest of the path.  All others go to C{fallback}, or are refused with 426.
    """

    isLeaf = False
    server: Any = None

    def __init__(
        self, factory: WebSocketFactory, fallback: IResource | None = None
    ) -> None:
        """
        @param factory: the server.
        @param fallback: an L{IResource} for all that is no WebSocket.
        """
        self._factory = factory
        self._fallback: Any = fallback

    def getChildWithDefault(self, name: bytes, request: Any) -> Any:
        """
        See L{IResource.getChildWithDefault}.
        """
        leaf: Any = None
        if _wantsWebSocket(request) or self._fallback is None:
            leaf = _Leaf(self)
        elif self._fallback.isLeaf:
            leaf = self._fallback
        if leaf is None:
            return self._fallback.getChildWithDefault(name, request)
        request.postpath.insert(0, request.prepath.pop())
        return leaf

    def putChild(self, path: bytes, child: IResource) -> None:
        """
        See L{IResource.putChild}: give the fallback a child.

        @raise ValueError: when there is no fallback.
        """
        if self._fallback is None:
            raise ValueError("a WebSocketResource without a fallback has no children")
        self._fallback.putChild(path, child)

    def render(self, request: Any) -> Any:
        """
        See L{IResource.render}.
        """
        if self._fallback is not None and not _wantsWebSocket(request):
            return self._fallback.render(request)
        if not hasattr(request, "channel"):
            # The client is connected to another process.
            return _answerPlainly(
                request, 505, "WebSockets do not pass through twisted.web.distrib"
            )
        if request.channel is None:
            # The client left while a resource above took its time.
            return NOT_DONE_YET
        upgrader = _ChannelUpgrader(request, self._factory)
        try:
            offer = _readOffer(request)
        except InvalidUpgrade as error:
            if not isinstance(request.channel, HTTPChannel):
                return _answerPlainly(request, error.status, str(error))
            body = f"{error}\n".encode()
            response = refusal(error.status, "", error.headers, body)
            isHead = request.method == b"HEAD"
            upgrader.refuse(withoutBody(response) if isHead else response)
        else:
            upgrader.begin(offer)
        return NOT_DONE_YET


class _Leaf(Resource):
    """
    Stops the walk down the tree.
    """

    isLeaf = True

    def __init__(self, parent: WebSocketResource) -> None:
        Resource.__init__(self)
        self._parent = parent

    def render(self, request: Any) -> Any:
        """
        See L{IResource.render}.
        """
        return self._parent.render(request)


def _wantsWebSocket(request: Any) -> bool:
    upgrades = request.requestHeaders.getRawHeaders(b"upgrade", [])
    tokens = b",".join(upgrades).lower().split(b",")
    return b"websocket" in (token.strip() for token in tokens)


def _readOffer(request: Any) -> Offer:
    """
    @raise InvalidUpgrade: when the request is no valid handshake.
    """
    if not isinstance(request.channel, HTTPChannel):
        raise InvalidUpgrade("WebSockets are not spoken over this version of HTTP", 505)
    headers = readFields(
        (name, value)
        for name, values in request.requestHeaders.getAllRawHeaders()
        for value in values
    )
    return readHeaders(request.method, request.uri, request.clientproto, headers)


def _answerPlainly(request: Any, status: int, reason: str) -> bytes:
    """
    Refuse a request that came by another version of HTTP, on a connection that others
    share.
    """
    request.setResponseCode(status, standardPhrase(status).encode("ascii"))
    request.setHeader(b"content-type", b"text/plain; charset=utf-8")
    return f"{reason}\n".encode()


@implementer(IUpgrader)
class _ChannelUpgrader:
    """
    Answers a request on the connection of Twisted's HTTP server that it came by.
    """

    def __init__(self, request: Any, factory: WebSocketFactory) -> None:
        self.clock = factory.timers
        self.budget = factory.budget
        self._factory = factory
        self._httpRequest = request
        self._request: WebSocketRequest | None = None
        self._timer: IDelayedCall | None = None

    def begin(self, offer: Offer) -> None:
        """
        Have the request decided.
        """
        http = self._httpRequest
        request = WebSocketRequest(
            offer, self, self._factory.config, http.channel.transport, IRequest(http)
        )
        if http.uri.startswith(b"/"):
            request.prepath = list(http.prepath)
            request.postpath = list(http.postpath)
        self._request = request
        self._startTimer(self._factory.config.handshakeTimeout, request.expire)
        http.notifyFinish().addBoth(self._gone)
        self._factory.requestReceived(request)

    def _gone(self, reason: object) -> None:
        """
        The client left before the verdict, or was answered over HTTP.
        """
        request, self._request = self._request, None
        if request is not None:
            self._stopTimer()
            request.httpRequest = None
            request.abandon()

    def _startTimer(self, seconds: float, function: Callable[[], object]) -> None:
        self._stopTimer()

        def expired() -> None:
            self._timer = None
            function()

        self._timer = self.clock.callLater(seconds, expired)

    def _stopTimer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _decided(self) -> Any:
        """
        @return: the HTTP request; from here on nothing of ours holds it.
        """
        self._stopTimer()
        http, self._httpRequest = self._httpRequest, None
        if self._request is not None:
            self._request.httpRequest = None
            self._request = None
        return http

    def upgrade(
        self,
        headers: Iterable[tuple[bytes, bytes]],
        connection: WebSocketConnection,
        receiver: Any,
    ) -> None:
        """
        See L{IUpgrader.upgrade}.
        """
        http = self._decided()
        transport, early = takeOver(
            http, 101, connection.dataReceived, connection.connectionLost
        )
        self._factory.connectionAccepted(connection)
        connection.connect(transport, receiver, switching(headers))
        if early:
            connection.dataReceived(early)
        if not connection.isPaused:
            transport.resumeProducing()

    def refuse(self, response: bytes) -> None:
        """
        See L{IUpgrader.refuse}.
        """
        http = self._decided()

        def ignore(data: bytes) -> None:
            """
            A request behind a refused upgrade is not answered: who sent it, and
            whether a proxy saw it, is not known.
            """

        def lost(reason: Failure) -> None:
            self._stopTimer()

        status = int(response.split(b" ", 2)[1])
        transport, _ = takeOver(http, status, ignore, lost)
        transport.write(response)
        transport.resumeProducing()
        self._startTimer(self._factory.config.closeTimeout, transport.abortConnection)
        endSending(transport)
