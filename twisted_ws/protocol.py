# -*- test-case-name: tests.test_protocol -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A server on a port of its own: L{WebSocketFactory} and L{WebSocketProtocol}.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IProtocolNegotiationFactory,
    IReactorTime,
)
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ._wire.errors import InvalidUpgrade
from ._wire.handshake import readRequest, refusal, switching, withoutBody
from .admission import Admission
from .application import Application, checkApplication, run
from .broadcasting import MEMBERS_PER_TURN, begin, lineOf
from .budget import Budget
from .carrier import endSending
from .config import ServerConfig
from .connection import WebSocketConnection
from .draining import Drain, Drained
from .head import HeadReceiver
from .interfaces import IUpgrader
from .request import WebSocketRequest
from .timers import Timers


@implementer(IUpgrader)
class WebSocketProtocol(HeadReceiver):
    """
    The bytes of one connection to a port: lines until the handshake's head is
    complete, raw from then on.  While the request is undecided the carrier is not
    read from; when it is accepted the L{WebSocketConnection} takes C{dataReceived}
    over, and this class is out of the way.

    Applications do not subclass this: what they write is a
    L{MessageReceiver<twisted_ws.MessageReceiver>}.
    """

    factory: WebSocketFactory
    transport: Any
    _log = Logger()

    def __init__(self, factory: WebSocketFactory) -> None:
        HeadReceiver.__init__(self, factory.config)
        self.factory = factory
        self.clock = factory.timers
        self.budget = factory.budget
        self._admission = factory.admission
        self._timer: IDelayedCall | None = None
        self._request: WebSocketRequest | None = None
        self._early = b""
        self._refused = False

    # Reading the head

    def connectionMade(self) -> None:
        """
        Begin to wait for the head.
        """
        option = self._admission.refusesSockets()
        if option is None:
            self._admission.heads.add(self)
            self._timer = self.clock.callLater(
                self._config.handshakeTimeout, self._timeIsUp
            )
        else:
            self.refuse(self._admission.refusal(option, self.transport.getPeer()))

    def giveWay(self) -> None:
        """
        Another needs our place.
        """
        self._refused = True
        self._stopTimer()
        self.transport.abortConnection()

    def headTooLong(self, reason: str, option: str) -> None:
        """
        See L{HeadReceiver.headTooLong}.
        """
        self._refuse(431 if self._head else 414, reason, option)

    def headReceived(self, lines: list[bytes]) -> None:
        """
        See L{HeadReceiver.headReceived}.
        """
        if not lines and self._headSize == 2:
            # One empty line before a request is to be ignored (RFC 9112 section
            # 2.2).
            return
        self.setRawMode()
        try:
            offer = readRequest(lines)
        except InvalidUpgrade as error:
            self._refuse(
                error.status,
                str(error),
                headers=error.headers,
                isHead=bool(lines) and lines[0].startswith(b"HEAD "),
            )
            return
        self._admission.heads.discard(self)
        self._request = WebSocketRequest(
            offer, self, self.factory.config, self.transport
        )
        self.requestReceived(self._request)

    def requestReceived(self, request: WebSocketRequest) -> None:
        """
        A valid handshake was read; the one hook to override here.
        """
        self.factory.requestReceived(request)

    def rawDataReceived(self, data: bytes) -> None:
        """
        Bytes after the head.  Those that shared its segment are the connection's; a
        client that does not wait for the verdict is not read from until it is there;
        and what follows a refused request is of no interest.
        """
        if self._connection is not None:
            self._connection.dataReceived(data)
        elif not self._refused:
            self._early += data
            self.transport.pauseProducing()

    # The verdict

    def upgrade(
        self,
        headers: Iterable[tuple[bytes, bytes]],
        connection: WebSocketConnection,
        receiver: Any,
    ) -> None:
        """
        See L{IUpgrader.upgrade}.
        """
        self._stopTimer()
        self._request = None
        self.handOver(connection)
        self.factory.connectionAccepted(connection)
        connection.connect(self.transport, receiver, switching(headers))
        if self._early:
            early, self._early = self._early, b""
            connection.dataReceived(early)
            if not connection.isPaused:
                self.transport.resumeProducing()

    def refuse(self, response: bytes) -> None:
        """
        See L{IUpgrader.refuse}.
        """
        self._refused = True
        self._admission.heads.discard(self)
        self._admission.refused.add(self)
        self._request = None
        self._early = b""
        self.setRawMode()
        self.transport.write(response)
        self.transport.resumeProducing()
        self._startTimer(self._config.closeTimeout)
        endSending(self.transport)

    def _refuse(
        self,
        status: int,
        reason: str,
        option: str | None = None,
        headers: Iterable[tuple[bytes, bytes]] = (),
        isHead: bool = False,
    ) -> None:
        """
        Refuse what is not a valid handshake.
        """
        self._log.info(
            "a handshake from {peer} was refused with {status}: {reason}{hint}",
            peer=self.transport.getPeer(),
            status=status,
            reason=reason,
            hint="" if option is None else f" (option: {option})",
        )
        body = f"{reason}\n".encode()
        response = refusal(status, "", list(headers), body)
        self.refuse(withoutBody(response) if isHead else response)

    # The end

    def _startTimer(self, seconds: float) -> None:
        self._stopTimer()
        self._timer = self.clock.callLater(seconds, self._timeIsUp)

    def _stopTimer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _timeIsUp(self) -> None:
        """
        Time is up: for the head, for the verdict, or for the client to read a
        refusal.
        """
        self._timer = None
        if self._refused:
            self.transport.abortConnection()
        elif self._request is not None:
            self._request.expire()
        elif self._headSize or self.clearLineBuffer():  # type: ignore[no-untyped-call]
            self._refuse(408, "the handshake took too long", "handshakeTimeout")
        else:
            self.transport.abortConnection()

    def carrierLost(self, reason: Failure) -> None:
        """
        See L{HeadReceiver.carrierLost}.
        """
        self._stopTimer()
        self._admission.heads.discard(self)
        self._admission.refused.discard(self)
        request, self._request = self._request, None
        if request is not None:
            request.abandon()


@implementer(IProtocolNegotiationFactory)
class WebSocketFactory(Factory):
    """
    A server: it owns the application, the tunables, the clock and what is alive::

        serverFromString(reactor, "tcp:8080").listen(WebSocketFactory(Echo))

    @ivar config: a L{ServerConfig}.
    @ivar clock: the L{IReactorTime} that everything of this server uses.
    @ivar timers: what it uses it through, an L{IReactorTime} too.
    @ivar budget: what all connections hold, and what happened to those that held too
        much: a L{Budget<twisted_ws.budget.Budget>}.
    @ivar connections: the open L{WebSocketConnection}s, a set.
    @ivar pendingRequests: the requests without a verdict, a set.
    @ivar admission: what refuses clients when there are too many.
    """

    noisy = False

    def __init__(
        self,
        application: Application,
        config: ServerConfig | None = None,
        reactor: IReactorTime | None = None,
    ) -> None:
        """
        @param application: see L{twisted_ws.application}.
        @param config: the tunables, by default the default ones.
        @param reactor: by default the global reactor.
        @raise TypeError: when C{application} is none.
        """
        checkApplication(application)
        self.application = application
        self.config = config or ServerConfig()
        if reactor is None:
            from twisted.internet import reactor as installed

            reactor = IReactorTime(installed)
        self.clock = reactor
        self.timers = Timers(reactor)
        self.budget = Budget(self.config.maxTotalBuffer, self.config.budgetPolicy)
        self.connections: set[WebSocketConnection] = set()
        self.pendingRequests: set[WebSocketRequest] = set()
        self.admission = Admission(
            self.config, self.clock, self.connections, self.pendingRequests
        )
        self._closing = False

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """
        See L{IProtocolFactory.buildProtocol
        <twisted.internet.interfaces.IProtocolFactory.buildProtocol>}.

        @raise TypeError: when C{protocol} was set, as other factories want it.
        """
        if self.protocol is not None:
            raise TypeError(
                "a WebSocketFactory takes no protocol: give it a MessageReceiver"
                " subclass as its application"
            )
        option = self.admission.dropsSockets()
        if option is not None:
            return self.admission.drop(option, addr)
        return WebSocketProtocol(self)

    def acceptableProtocols(self) -> list[bytes]:
        """
        See L{IProtocolNegotiationFactory}: over TLS, only HTTP/1.1 is spoken here.
        """
        return [b"http/1.1"]

    def requestReceived(self, request: WebSocketRequest) -> None:
        """
        A valid handshake came in by any of the ways into this server.
        """
        if self._closing:
            request.giveUp("the server is going away")
            return
        if self.admission.refuse(request):
            return
        self.pendingRequests.add(request)
        request.watch(None, lambda: self.pendingRequests.discard(request))
        run(self.application, request)

    def connectionAccepted(self, connection: WebSocketConnection) -> None:
        """
        A request was accepted.  For upgraders.
        """
        connection.listIn(self.connections)

    def broadcast(
        self,
        message: str | bytes,
        compress: bool | None = None,
        key: Hashable = None,
        membersPerTurn: int = MEMBERS_PER_TURN,
    ) -> Deferred[int]:
        """
        L{broadcast<twisted_ws.broadcast>} a message to all connections.  When the last
        of them is gone after a C{drain}, what is under way ends.
        """
        members = [(self.timers, set(self.connections))]
        return begin(members, message, compress, key, membersPerTurn)[0]

    def drain(
        self,
        over: float | None = None,
        timeout: float | None = None,
        code: int | None = None,
        reason: str = "",
    ) -> Deferred[Drained]:
        """
        Go away: refuse all requests without a verdict, and from now on all new ones,
        with 503; and close all connections.

        @param over: seconds over which the Close frames are spread; by default
            C{drainTime}.
        @param timeout: seconds after which what is left is aborted; by default
            C{drainTimeout}.
        @param code: the close code, by default C{drainCode}.
        @return: a Deferred that fires with L{Drained<twisted_ws.draining.Drained>} when
            all are gone.  Cancelling it aborts what is left.
        """
        config = self.config
        self._closing = True
        refused = len(self.pendingRequests)
        for request in list(self.pendingRequests):
            request.giveUp("the server is going away")
        drain = Drain(self.connections, self.timers, refused)
        drain.begin(
            (config.drainTime or 0.0) if over is None else over,
            config.drainTimeout if timeout is None else timeout,
            config.drainCode if code is None else code,
            reason,
        )
        return drain.done.addCallback(self._drained)

    def _drained(self, drained: Drained) -> Drained:
        if not self.connections:
            lineOf(self.timers).endAll()
        return drained

    def closeAllConnections(
        self, code: int = 1001, reason: str = ""
    ) -> Deferred[Drained]:
        """
        L{drain} all at once.
        """
        return self.drain(0.0, None, code, reason)

    def doStart(self) -> None:
        """
        A port listens: be open for requests, also after a
        C{closeAllConnections}.
        """
        self._closing = False
        super().doStart()  # type: ignore[no-untyped-call]
