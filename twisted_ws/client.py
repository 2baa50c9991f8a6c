# -*- test-case-name: tests.test_client -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Connecting to a server.

The Deferred of a connect fires exactly once, whatever the server and the network
do, within C{handshakeTimeout} seconds of the call:

  * with the receiver, when the WebSocket is open;
  * L{UpgradeRejected<twisted_ws.UpgradeRejected>}: the server answered something
    else than C{101}; it has the status, the headers, and up to 64 KiB of the body;
  * L{InvalidUpgrade<twisted_ws.InvalidUpgrade>}: the server's answer breaks the rules;
  * L{ClosedAbruptly<twisted_ws.ClosedAbruptly>}: the connection was lost meanwhile,
    also because of a TLS certificate that could not be verified: C{__cause__} is
    what the carrier said;
  * L{twisted.internet.defer.TimeoutError}: time was up; but if only the end of a
    refusal's body was missing, it is that C{UpgradeRejected};
  * L{twisted.internet.defer.CancelledError}: you cancelled it;
  * what the endpoint fails with when it gets no connection at all, for instance
    L{twisted.internet.error.DNSLookupError} or
    L{twisted.internet.error.ConnectionRefusedError};
  * what your factory of receivers raises.

In every case but the first the carrier is aborted and nothing is left in the reactor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import (
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory
from zope.interface import implementer

from ._wire.cookies import checkPair
from ._wire.headers import checkField
from ._wire.opening import Opening
from .application import receiverFactory
from .attempt import Attempt, WebSocketClientProtocol
from .config import ClientConfig
from .extensions.negotiation import offersOf
from .receiver import Inbox
from .timers import Timers
from .tls import TLSPolicy, insist
from .url import Address, parseURL

HeaderItems = Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]]


class WebSocketClient:
    """
    Makes connections::

        inbox = await WebSocketClient(reactor).connect("wss://example.com/feed")

    @ivar config: the tunables of its connections.
    """

    def __init__(
        self,
        reactor: Any,
        config: ClientConfig | None = None,
        tlsPolicy: Any = None,
        endpoint: IStreamClientEndpoint | None = None,
    ) -> None:
        """
        @param reactor: an L{IReactorTime}, and for C{connect} without an C{endpoint}
            also what L{HostnameEndpoint} needs.
        @param config: the tunables, by default the default ones.
        @param tlsPolicy: how the servers of C{wss} URLs are verified: a
            L{TLSPolicy<twisted_ws.TLSPolicy>}, or another
            L{IPolicyForHTTPS<twisted.web.iweb.IPolicyForHTTPS>}.  By default whoever
            the platform trusts is trusted.
        @param endpoint: where to connect, whatever the URL says; TLS included, if
            there is to be any.
        """
        self.config = config or ClientConfig()
        self._reactor = reactor
        self._timers = Timers(reactor)
        self._tlsPolicy = tlsPolicy
        self._endpoint = endpoint

    def connect(
        self,
        url: str,
        receiver: Any = None,
        *,
        protocols: Iterable[str] = (),
        origin: str | None = None,
        headers: HeaderItems = (),
        cookies: Mapping[str, str] | None = None,
    ) -> Deferred[Any]:
        """
        Connect.

        @param url: C{ws://host[:port]/path?query} or C{wss://...}
        @param receiver: an L{IMessageReceiver
            <twisted_ws.interfaces.IMessageReceiver>}, a class of them, or a factory;
            by default an L{Inbox}.
        @param protocols: the subprotocols to ask for, the most wanted first.
        @param origin: the Origin to claim, if any.
        @param headers: further header fields of the request.
        @param cookies: cookies to send.
        @return: a Deferred of the receiver; see this module for what it can fail
            with.  To cancel it drops the attempt.
        @raise ValueError: when the URL, a subprotocol, a header or a cookie cannot be
            sent.
        """
        address = parseURL(url)
        opening = self._open(
            address, protocols, origin, _fields(headers, cookies or {})
        )
        make = receiverFactory(Inbox if receiver is None else receiver)
        endpoint = self._endpointFor(address)
        attempt = Attempt(self._timers, self.config.handshakeTimeout)
        factory = Factory.forProtocol(
            lambda: WebSocketClientProtocol(
                opening, self.config, self._timers, make, attempt
            )
        )
        factory.noisy = False
        attempt.begin(endpoint, factory)
        return attempt.opened

    def endpoint(
        self,
        url: str,
        *,
        protocols: Iterable[str] = (),
        origin: str | None = None,
        headers: HeaderItems = (),
        cookies: Mapping[str, str] | None = None,
    ) -> IStreamClientEndpoint:
        """
        Make an endpoint that connects a factory of receivers, for whatever takes an
        endpoint::

            ClientService(client.endpoint(url), Factory.forProtocol(Feed))

        @return: an L{IStreamClientEndpoint}; the parameters are those of C{connect}.
        @raise ValueError: when one of them cannot be sent.
        """
        asked, fields = tuple(protocols), _fields(headers, cookies or {})
        self._open(parseURL(url), asked, origin, fields)
        return _Endpoint(
            partial(self.connect, url, protocols=asked, origin=origin, headers=fields)
        )

    def _open(
        self,
        address: Address,
        protocols: Iterable[str],
        origin: str | None,
        headers: tuple[tuple[bytes, bytes], ...],
    ) -> Opening:
        """
        @return: a handshake with a key of its own.
        @raise ValueError: when it cannot be sent.
        """
        if isinstance(protocols, str):
            raise TypeError("protocols is a collection of subprotocols, not one")
        opening = Opening(
            host=address.authority,
            target=address.target,
            version=self.config.webSocketVersion,
            protocols=tuple(protocols),
            extensions=offersOf(self.config.extensions),
            origin=origin,
            headers=headers,
        )
        opening.render()
        return opening

    def _endpointFor(self, address: Address) -> IStreamClientEndpoint:
        if self._endpoint is not None:
            return self._endpoint
        # Its own timeout is later than ours, which says more.
        patience = self.config.handshakeTimeout + 1
        endpoint = HostnameEndpoint(
            self._reactor, address.host, address.port, timeout=patience
        )
        if not address.isSecure:
            return endpoint
        if self._tlsPolicy is None:
            # It is kept: to read whom the platform trusts takes a while.
            self._tlsPolicy = TLSPolicy()
        creator = self._tlsPolicy.creatorForNetloc(
            address.host.encode("ascii"), address.port
        )
        strict = insist(creator, address.host)
        wrapped: IStreamClientEndpoint = wrapClientTLS(strict, endpoint)
        return wrapped


@implementer(IStreamClientEndpoint)
class _Endpoint:
    """
    Connects receivers as other endpoints connect protocols.
    """

    def __init__(self, connect: Callable[[Any], Deferred[Any]]) -> None:
        self._connect = connect

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """
        See L{IStreamClientEndpoint.connect}.
        """
        return self._connect(protocolFactory)


def connect(
    url: str,
    receiver: Any = None,
    *,
    reactor: Any = None,
    config: ClientConfig | None = None,
    protocols: Iterable[str] = (),
    origin: str | None = None,
    headers: HeaderItems = (),
    cookies: Mapping[str, str] | None = None,
) -> Deferred[Any]:
    """
    Connect, with the global reactor unless another is given; otherwise
    L{WebSocketClient.connect}.
    """
    if reactor is None:
        from twisted.internet import reactor
    return WebSocketClient(reactor, config).connect(
        url,
        receiver,
        protocols=protocols,
        origin=origin,
        headers=headers,
        cookies=cookies,
    )


def _fields(
    headers: HeaderItems, cookies: Mapping[str, str]
) -> tuple[tuple[bytes, bytes], ...]:
    """
    @return: the header fields as bytes, the Cookie last.
    @raise ValueError: when one cannot be sent, or cookies are given in both ways: a
        request has one Cookie field (RFC 6265 section 5.4).
    """
    items = list(headers.items() if isinstance(headers, Mapping) else headers)
    fields = [checkField(name, value) for name, value in items]
    if cookies:
        if any(name.lower() == b"cookie" for name, _ in fields):
            raise ValueError("there are cookies in headers already")
        for name, value in cookies.items():
            checkPair(name, value)
        pairs = "; ".join(f"{name}={value}" for name, value in cookies.items())
        fields.append(checkField("Cookie", pairs))
    return tuple(fields)
