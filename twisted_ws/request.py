# -*- test-case-name: tests.test_request -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
An opening handshake that waits for a verdict.

A request is C{PENDING} until it is accepted, rejected, or abandoned: because the
peer left, or because time was up.  The application may take its time, within
C{handshakeTimeout}; to accept what was abandoned meanwhile is not an error, and the
receiver then sees a connection and its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, unquote, unquote_to_bytes

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.logger import Logger

from ._wire.cookies import Cookie, parseCookies
from ._wire.forwarded import Origins, networks, trace
from ._wire.handshake import (
    SETTLED,
    Offer,
    acceptance,
    checkExtra,
    refusal,
    unavailable,
)
from ._wire.headers import ExtensionElement, Headers
from .carrier import isSecure, peerCertificate
from .config import ServerConfig
from .connection import WebSocketConnection
from .errors import AlreadyAnswered
from .extensions.negotiation import negotiate
from .origin import isAllowed

Fields = list[tuple[str | bytes, str | bytes]]
HeaderItems = Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]]

_TWISTEDS = frozenset({b"server", b"date", b"content-type"})
"""
Fields that Twisted's HTTP server sets for itself, or that tell of its own body.
"""


class Verdict(Enum):
    """
    What became of a request.
    """

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    ABANDONED = "abandoned"


class WebSocketRequest:
    """
    A valid opening handshake (RFC 6455 section 4.2.1).

    @ivar resource: the request-target as sent, with its query.
    @ivar host: the Host field, with its port if it has one.
    @ivar key: the Sec-WebSocket-Key field.
    @ivar webSocketVersion: C{13} or C{8}.
    @ivar origin: the origin of the page that connects, or C{None}.
    @ivar headers: all header fields, as L{Headers<twisted_ws._wire.headers.Headers>}.
    @ivar requestedProtocols: the subprotocols asked for, in the client's order and
        spelling.
    @ivar requestedExtensions: the extensions offered, as pairs of a name and its
        parameters.
    @ivar peer: the address of the other end of the carrier, an L{IAddress}: of the
        client, or of the last proxy.
    @ivar localAddress: the address of our end, an L{IAddress}.
    @ivar peerCertificate: the client's TLS certificate, an
        L{X509<OpenSSL.crypto.X509>}, or C{None}.
    @ivar httpRequest: the L{twisted.web.server.Request} it came in, until there is a
        verdict; or C{None}.  Cookies and header fields that are set on it, as by its
        C{getSession}, are sent with the verdict.
    @ivar clock: the clock of the server.
    @ivar config: the configuration of the server.
    @ivar protocol: the subprotocol that a router chose, or C{None}.
    @ivar possibleProtocols: those of C{requestedProtocols} that routers have left to
        choose from: all, or the one by which a mount was chosen.
    @ivar groups: the groups of the pattern by which a router has found its
        application.
    @ivar avatar: whom the request was authenticated as, or C{None}; for steps to
        set.
    @ivar isOriginJudged: whether a step has admitted the origin already.
    @ivar verdict: a L{Verdict}.
    @ivar isAbandoned: whether the peer left, or time was up, before the verdict.
    """

    __slots__ = """
        __dict__ __weakref__ _answering _connection _isCarrierSecure _onVerdict
        _upgrader _whenAccepted _whenOver avatar clock config groups headers host
        httpRequest isAbandoned isOriginJudged key localAddress origin peer
        peerCertificate possibleProtocols protocol requestedExtensions
        requestedProtocols resource verdict webSocketVersion
    """.split()

    _log = Logger()

    def __init__(
        self,
        offer: Offer,
        upgrader: Any,
        config: ServerConfig,
        carrier: Any,
        httpRequest: Any = None,
    ) -> None:
        self._upgrader = upgrader
        self.clock: IReactorTime = upgrader.clock
        self.config = config
        self.peer: IAddress = carrier.getPeer()
        self.localAddress: IAddress = carrier.getHost()
        self._isCarrierSecure = isSecure(carrier)
        self.peerCertificate = peerCertificate(carrier, self._isCarrierSecure)
        self.httpRequest = httpRequest

        self.resource: str = offer.target
        self.host: str = offer.host
        self.key: str = offer.key
        self.webSocketVersion: int = offer.version
        self.origin: str | None = offer.origin
        self.headers: Headers = offer.headers
        self.requestedProtocols: tuple[str, ...] = offer.protocols
        self.requestedExtensions: tuple[ExtensionElement, ...] = offer.extensions

        self.protocol: str | None = None
        self.possibleProtocols = self.requestedProtocols
        self.groups: tuple[str | None, ...] = ()
        self.avatar: Any = None
        self.isOriginJudged = False
        self.verdict = Verdict.PENDING
        self.isAbandoned = False
        self._answering: Deferred[Any] | None = None
        self._onVerdict: Callable[[], object] | None = None
        self._connection: WebSocketConnection | None = None  # until it has ended
        self._whenOver: tuple[Deferred[None], ...] = ()
        self._whenAccepted: tuple[Callable[[WebSocketConnection], object], ...] = ()

    def __repr__(self) -> str:
        # For the log; so without the query, where tokens are, since pages cannot set
        # header fields.
        path = self.resource.partition("?")[0]
        return f"<WebSocketRequest {self.verdict.value} {path[:200]!r}>"

    # What was asked for; what few applications ask for is made when they do.

    @cached_property
    def prepath(self) -> list[bytes]:
        """
        The segments of the path that routers have consumed, as bytes,
        percent-decoded.
        """
        return []

    @cached_property
    def postpath(self) -> list[bytes]:
        """
        The segments still to consume.
        """
        path = self.resource.partition("?")[0]
        return [unquote_to_bytes(segment) for segment in path[1:].split("/")]

    @cached_property
    def params(self) -> dict[str, Any]:
        """
        What routers have read out of the path, by name.
        """
        return {}

    @property
    def path(self) -> str:
        """
        The path, percent-decoded once.
        """
        return unquote(self.resource.partition("?")[0])

    @cached_property
    def args(self) -> dict[str, list[str]]:
        """
        The values of each parameter of the query, percent-decoded.
        """
        return parse_qs(self.resource.partition("?")[2], keep_blank_values=True)

    @cached_property
    def cookies(self) -> dict[str, str]:
        """
        The cookies that came with the request, as they came.
        """
        return parseCookies(self.headers.getAll("cookie"))

    @cached_property
    def _origins(self) -> Origins:
        host = getattr(self.peer, "host", "")
        return trace(
            host if isinstance(host, str) else "",
            self._isCarrierSecure,
            self.headers,
            networks(tuple(self.config.trustedProxies)),
            self.config.readForwarded,
        )

    @property
    def remoteAddress(self) -> str:
        """
        The IP address of the client, as far as C{trustedProxies} tell it; empty for
        the peer of a UNIX socket.
        """
        return self._origins.addresses[0]

    @property
    def remoteAddresses(self) -> list[str]:
        """
        The addresses that the request came through: the client's first, then those
        of C{trustedProxies}.
        """
        return list(self._origins.addresses)

    @property
    def isSecure(self) -> bool:
        """
        Whether the request came over TLS: to us, or to one of C{trustedProxies}
        that says so.
        """
        return self._origins.isSecure

    def isOriginAllowed(self) -> bool:
        """
        Tell whether C{allowedOrigins} admits the origin of the request.
        """
        return isAllowed(self, self.config.allowedOrigins)

    def chooseProtocol(
        self, spoken: Iterable[str], preferClient: bool = False
    ) -> str | None:
        """
        Choose a subprotocol.

        @param spoken: what the application speaks, in its order of preference.
        @param preferClient: take the client's order instead.
        @return: one that both speak, in the client's spelling; or C{None}.
        """
        if not self.requestedProtocols:
            return None
        ours = [protocol.lower() for protocol in spoken]
        theirs = {each.lower(): each for each in self.requestedProtocols}
        order = list(theirs) if preferClient else ours
        for protocol in order:
            if protocol in ours and protocol in theirs:
                return theirs[protocol]
        return None

    # The verdict

    def accept(
        self,
        receiver: Any,
        protocol: str | None = None,
        *,
        headers: HeaderItems = (),
        cookies: Iterable[Cookie] = (),
        config: ServerConfig | None = None,
    ) -> WebSocketConnection:
        """
        Accept the request: the WebSocket is open.

        @param receiver: an L{IMessageReceiver
            <twisted_ws.interfaces.IMessageReceiver>} for its messages.
        @param protocol: the subprotocol to speak, one of those requested in any case
            of letters; by default the one that a router chose, if one did.
        @param headers: further header fields of the response.
        @param cookies: cookies to set, L{twisted_ws.Cookie}.
        @param config: the tunables of this connection, if not those of the server.
        @return: the connection.
        @raise AlreadyAnswered: when the request was accepted or rejected before.
        @raise ValueError: when the subprotocol was not requested, or a header or a
            cookie cannot be sent; the request is still pending then.
        """
        self._checkPending()
        wanted = self.protocol if protocol is None else protocol
        chosen = None if wanted is None else self.chooseProtocol([wanted])
        if wanted is not None and chosen is None:
            raise ValueError(f"the client did not ask for {wanted!r}")
        fields = self._addHTTP(_fields(headers, cookies))
        config = config or self.config
        agreed = negotiate(self.requestedExtensions, config.extensions)
        response = acceptance(self.key, chosen, fields, agreed.elements)
        connection = WebSocketConnection(
            config, self.clock, chosen, self, agreed.extensions, self._upgrader.budget
        )
        whenAccepted, self._whenAccepted = self._whenAccepted, ()
        for tell in whenAccepted:
            tell(connection)
        if self.isAbandoned:
            self.verdict = Verdict.ACCEPTED
            connection.neverConnected(receiver)
        else:
            self._connection = connection
            self._decide(Verdict.ACCEPTED)
            self._upgrader.upgrade(response, connection, receiver)
        return connection

    def reject(
        self,
        status: int = 403,
        reason: str = "",
        *,
        headers: HeaderItems = (),
        cookies: Iterable[Cookie] = (),
        body: bytes = b"",
    ) -> None:
        """
        Refuse the request with an HTTP response and close the carrier.  Does nothing
        when the peer has left.

        @param status: 200 to 599.
        @param reason: the reason phrase; by default the standard one.
        @param headers: further header fields of the response.
        @param cookies: cookies to set, L{twisted_ws.Cookie}.
        @param body: by default the reason, as plain text.
        @raise AlreadyAnswered: when the request was accepted or rejected before.
        @raise ValueError: when the response cannot be sent; the request is still
            pending then.
        """
        self._checkPending()
        checked = checkExtra(self._addHTTP(_fields(headers, cookies)))
        response = refusal(status, reason, checked, body)
        if self.verdict is Verdict.PENDING:
            self._decide(Verdict.REJECTED)
            self._upgrader.refuse(response)

    def _addHTTP(self, fields: Fields) -> Fields:
        """
        @return: the header fields, and those that were set on C{httpRequest}: its
            session's cookie, for one.
        """
        if self.httpRequest is None:
            return fields
        given = {_lower(name) for name, _ in fields} | _TWISTEDS | SETTLED
        http: Fields = [
            (name, value)
            for name, values in self.httpRequest.responseHeaders.getAllRawHeaders()
            for value in values
            if name.lower() not in given
        ]
        http += [("Set-Cookie", cookie) for cookie in self.httpRequest.cookies]
        return http + fields

    def _checkPending(self) -> None:
        if self.verdict in (Verdict.ACCEPTED, Verdict.REJECTED):
            raise AlreadyAnswered(f"the request was {self.verdict.value} before")

    def _decide(self, verdict: Verdict) -> None:
        self.verdict = verdict
        self._answering = None
        if self._onVerdict is not None:
            self._onVerdict()
            self._onVerdict = None
        waiting, self._whenOver = self._whenOver, ()
        for each in waiting:
            self.whenOver().chainDeferred(each)

    def whenOver(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when nothing of the request is left: once it is
            rejected or abandoned, or the connection that it became has ended.
        """
        if self.verdict is Verdict.PENDING:
            waiting: Deferred[None] = Deferred()
            self._whenOver += (waiting,)
            return waiting
        if self._connection is None:
            return succeed(None)
        return self._connection.whenClosed().addCallback(lambda ended: None)

    def connectionEnded(self) -> None:
        """
        The connection that it became has ended.
        """
        # Each has the other, which would be a cycle.
        self._connection = None

    def whenAccepted(self, tell: Callable[[WebSocketConnection], object]) -> None:
        """
        Have C{tell} called with the connection, before its receiver gets it, if the
        request is accepted.  For steps.
        """
        self._whenAccepted += (tell,)

    def abandon(self) -> None:
        """
        There is no use in a verdict any more.  For upgraders: the carrier is gone.
        """
        if self.verdict is Verdict.PENDING:
            answering = self._answering
            self.isAbandoned = True
            self._decide(Verdict.ABANDONED)
            if answering is not None:
                answering.cancel()

    def expire(self) -> None:
        """
        C{handshakeTimeout} is over.  For upgraders.
        """
        if self.verdict is Verdict.PENDING:
            self._log.warn(
                "{request!r} was not answered within handshakeTimeout ({time:g} s)",
                request=self,
                time=self.config.handshakeTimeout,
            )
            self.giveUp("not answered in time")

    def giveUp(self, reason: str) -> None:
        """
        Answer 503 in the application's place, if it has not answered.
        """
        if self.verdict is Verdict.PENDING:
            self._upgrader.refuse(unavailable(reason, self.config.retryAfter))
            self.abandon()

    def watch(
        self, answering: Deferred[Any] | None, onVerdict: Callable[[], object] | None
    ) -> None:
        """
        Note who is to be told.

        @param answering: cancelled when the request is abandoned.
        @param onVerdict: called once the request is not pending any more.
        """
        if self.verdict is Verdict.PENDING:
            self._answering = answering or self._answering
            self._onVerdict = onVerdict or self._onVerdict
        elif onVerdict is not None:
            onVerdict()


def _lower(name: str | bytes) -> bytes:
    return (name.encode("latin-1") if isinstance(name, str) else name).lower()


def _fields(headers: HeaderItems, cookies: Iterable[Cookie]) -> Fields:
    """
    @return: the header fields, those that set cookies last.
    @raise ValueError: when a cookie is set twice.
    """
    if not (headers or cookies):
        return []
    items = headers.items() if isinstance(headers, Mapping) else headers
    fields: Fields = list(items)
    seen = set()
    for cookie in cookies:
        identity = (cookie.name, cookie.domain, cookie.path)
        if identity in seen:
            raise ValueError(f"cookie {cookie.name} is set twice")
        seen.add(identity)
        fields.append(("Set-Cookie", cookie.render()))
    return fields
