# -*- test-case-name: tests.test_web_socket_site -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A site of L{twisted.web} that does not wait for ever for the head of a request.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource
from twisted.web.server import Site

from .admission import Dropped, Heads
from .carrier import endSending
from .config import ServerConfig
from .sparing import SparingLog
from .timers import Timers

_TOO_SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
)


class WebSocketSite(Site):
    """
    A L{Site} that bounds what it gives to clients that send no request: each has
    C{handshakeTimeout} seconds for the head of one, and there may be
    C{maxPendingHandshakes} of them; the oldest gives way to another after a second.

    A L{Site} itself waits for as long as something comes from time to time.  This one
    speaks HTTP/1.1 only, which is what a WebSocket needs.

    @ivar heads: the channels that wait for a head, L{Heads
        <twisted_ws.admission.Heads>}.
    """

    _log = Logger()

    def __init__(
        self,
        resource: IResource,
        config: ServerConfig | None = None,
        reactor: IReactorTime | None = None,
        **options: Any,
    ) -> None:
        """
        @param config: the tunables; the ones of the L{WebSocketFactory
            <twisted_ws.WebSocketFactory>} in it, most simply.
        @param options: what L{Site} takes.
        """
        if reactor is not None:
            options["reactor"] = reactor
        Site.__init__(self, resource, **options)
        self.protocol = _Channel  # type: ignore[assignment]
        self.config = config or ServerConfig()
        self.timers = Timers(self.reactor)
        self.heads = Heads(self.timers)
        self._refusals = SparingLog(self._log)

    def acceptableProtocols(self) -> list[bytes]:
        """
        See L{IProtocolNegotiationFactory
        <twisted.internet.interfaces.IProtocolNegotiationFactory>}.
        """
        return [b"http/1.1"]

    def buildProtocol(self, addr: Any) -> Any:
        """
        See L{IProtocolFactory.buildProtocol
        <twisted.internet.interfaces.IProtocolFactory.buildProtocol>}.
        """
        most = self.config.maxPendingHandshakes
        isFull = most is not None and len(self.heads) >= most
        if isFull and not self.heads.makeRoom():
            self._refusals.info(
                self.timers.seconds(),
                "a client was dropped: too many send no request (option:"
                " maxPendingHandshakes): {peer}",
                peer=addr,
            )
            return Dropped()
        return Site.buildProtocol(self, addr)

    def tooSlow(self, peer: Any) -> None:
        """
        A client did not send a head in time.
        """
        self._refusals.info(
            self.timers.seconds(),
            "{peer} sent no request within handshakeTimeout ({time:g} s)",
            peer=peer,
            time=self.config.handshakeTimeout,
        )


class _Channel(HTTPChannel):
    """
    A connection to a L{WebSocketSite}.
    """

    site: WebSocketSite
    requests: list[Any]
    transport: Any
    _timer: IDelayedCall | None = None
    _heads = 0

    def connectionMade(self) -> None:
        """
        Begin to wait for a head.
        """
        HTTPChannel.connectionMade(self)
        self._waitForHead()

    def dataReceived(self, data: bytes) -> None:
        """
        Something came: after a request was answered, the beginning of another.
        """
        heads = self._heads
        HTTPChannel.dataReceived(self, data)
        # What is not the rest of a request, and not a whole one, begins one.
        isBegun = not self.requests and self._heads == heads
        if isBegun and self._timer is None and not self.transport.disconnecting:
            self._waitForHead()

    def allHeadersReceived(self) -> None:
        """
        The head is there.
        """
        self._heads += 1
        self._stopWaiting()
        HTTPChannel.allHeadersReceived(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The client left.
        """
        self._stopWaiting()
        HTTPChannel.connectionLost(self, reason)

    def giveWay(self) -> None:
        """
        Another needs our place.
        """
        self._stopWaiting()
        self.transport.abortConnection()

    def _waitForHead(self) -> None:
        self.site.heads.add(self)
        config = self.site.config
        self._timer = self.site.timers.callLater(config.handshakeTimeout, self._tooSlow)

    def _stopWaiting(self) -> None:
        self.site.heads.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tooSlow(self) -> None:
        self.site.tooSlow(self.transport.getPeer())
        self.site.heads.discard(self)
        self.transport.write(_TOO_SLOW)
        # TLS would wait for it.
        self.transport.unregisterProducer()
        endSending(self.transport)
        config = self.site.config
        # What it sends from now on is of no interest.
        self.dataReceived = lambda data: None  # type: ignore[method-assign]
        self._timer = self.site.timers.callLater(
            config.closeTimeout, self.transport.abortConnection
        )
