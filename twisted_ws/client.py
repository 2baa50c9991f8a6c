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
    refusal's body was missing, it is that L{UpgradeRejected<twisted_ws.UpgradeRejected>};
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

from twisted.internet.defer import CancelledError, Deferred, TimeoutError, maybeDeferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.internet.ssl import optionsForClientTLS
from twisted.python.failure import Failure
from zope.interface import implementer

from ._wire.cookies import checkPair
from ._wire.errors import InvalidUpgrade, UpgradeRejected
from ._wire.headers import checkField
from ._wire.opening import Body, Opening, Response, readResponse
from .application import receiverFactory
from .config import ClientConfig
from .connection import WebSocketConnection
from .errors import ClosedAbruptly
from .head import HeadReceiver
from .receiver import Inbox
from .tls import insist
from .url import Address, parseURL

HeaderItems = Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]]

_MAX_INTERIM = 10
"""
Interim responses (status 1xx) that a server may send before its answer.
"""


class WebSocketClientProtocol(HeadReceiver):
    """
    The bytes of one connection to a server: lines until the head of its response is
    complete, raw from then on.

    @ivar opened: fires with the receiver once the WebSocket is open.
    """

    transport: Any

    def __init__(
        self,
        opening: Opening,
        config: ClientConfig,
        clock: IReactorTime,
        makeReceiver: Callable[[IAddress], Any],
        attempt: _Attempt,
    ) -> None:
        HeadReceiver.__init__(self, config)
        self.opened: Deferred[Any] = Deferred()
        self._opening = opening
        self._config = config
        self._clock = clock
        self._makeReceiver = makeReceiver
        self._attempt = attempt
        self._interim = 0
        self._response: Response | None = None
        self._body: Body | None = None

    def connectionMade(self) -> None:
        """
        Send the opening handshake; if there is still somebody who wants it: not every
        endpoint can be told to stop.
        """
        if not self._attempt.isPending:
            self.transport.abortConnection()
            return
        self.transport.write(self._opening.render())

    def lineReceived(self, line: bytes) -> None:
        """
        Collect the head; what does not begin as one is not waited for.
        """
        if line and not self._head:
            try:
                readResponse([line])
            except InvalidUpgrade as error:
                self._fail(error)
                return
        HeadReceiver.lineReceived(self, line)

    def headTooLong(self, reason: str, option: str) -> None:
        """
        See L{HeadReceiver.headTooLong}.
        """
        self._fail(InvalidUpgrade(f"{reason} (option: {option})"))

    def headReceived(self, lines: list[bytes]) -> None:
        """
        See L{HeadReceiver.headReceived}.
        """
        try:
            self._responseReceived(readResponse(lines))
        except InvalidUpgrade as error:
            self._fail(error)

    def _responseReceived(self, response: Response) -> None:
        """
        @raise InvalidUpgrade: when the response breaks the rules.
        """
        if response.status == 101:
            self.setRawMode()
            self._upgraded(self._opening.check(response))
        elif response.status < 200:
            self._interim += 1
            if self._interim > _MAX_INTERIM:
                raise InvalidUpgrade(f"more than {_MAX_INTERIM} interim responses")
        else:
            self.setRawMode()
            self._response = response
            self._body = Body(response)
            if self._body.dataReceived(b""):
                self._rejected()

    def rawDataReceived(self, data: bytes) -> None:
        """
        What follows the head: frames, or the body of a refusal.
        """
        if self._connection is not None:
            self._connection.dataReceived(data)
        elif self._body is not None and self._body.dataReceived(data):
            self._rejected()

    def _upgraded(self, protocol: str | None) -> None:
        try:
            receiver = self._makeReceiver(self.transport.getPeer())
            if receiver is None:
                raise ClosedAbruptly("the factory made no receiver")
        except Exception as error:
            self._fail(error)
            return
        connection = WebSocketConnection(self._config, self._clock, protocol)
        self.handOver(connection)
        connection.connect(self.transport, receiver)
        self._fire(receiver)

    def _rejected(self) -> None:
        """
        The server's refusal is here, as far as it is wanted.
        """
        if self._response is not None and self._body is not None:
            self._fail(self._refusal(self._response, self._body))

    def _refusal(self, response: Response, body: Body) -> UpgradeRejected:
        pairs = tuple(response.headers)
        return UpgradeRejected(response.status, response.reason, pairs, body.value())

    def _fail(self, error: Exception) -> None:
        """
        There will be no WebSocket.
        """
        self._body = None
        self.setRawMode()
        self.transport.abortConnection()
        self._fire(Failure(error))

    def _fire(self, result: object) -> None:
        if self._attempt.isPending and not self.opened.called:
            self.opened.callback(result)

    def giveUp(self, error: Exception) -> Exception:
        """
        Time is up, or nobody waits any more.

        @return: C{error}; or the server's refusal, if only the end of its body is
            missing.
        """
        if self._response is not None and self._body is not None:
            error = self._refusal(self._response, self._body)
        self._fail(error)
        return error

    def carrierLost(self, reason: Failure) -> None:
        """
        See L{HeadReceiver.carrierLost}.
        """
        if self._body is not None:
            # A body without a length ends with the carrier.
            self._rejected()
            return
        detail = "the connection was lost before the handshake was complete"
        if not reason.check(ConnectionDone):
            detail += f": {reason.getErrorMessage()}"
        lost = ClosedAbruptly(detail)
        lost.__cause__ = reason.value
        self._fire(Failure(lost))


class _Attempt:
    """
    One attempt to connect, with its deadline.

    @ivar opened: what the caller gets; fires once.
    """

    def __init__(self, clock: IReactorTime, seconds: float) -> None:
        self.opened: Deferred[Any] = Deferred(self._cancelled)
        self._seconds = seconds
        self._timer: IDelayedCall | None = clock.callLater(seconds, self._expired)
        self._connecting: Deferred[Any]
        self._protocol: WebSocketClientProtocol | None = None

    @property
    def isPending(self) -> bool:
        """
        Whether nothing came of it yet.
        """
        return self._timer is not None

    def begin(self, endpoint: IStreamClientEndpoint, factory: IProtocolFactory) -> None:
        """
        Connect.
        """
        self._connecting = maybeDeferred(endpoint.connect, factory)
        self._connecting.addCallbacks(self._connected, self._settle)

    def _connected(self, protocol: WebSocketClientProtocol) -> None:
        if self._timer is not None:
            self._protocol = protocol
            protocol.opened.addBoth(self._settle)

    def _settle(self, result: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = self._protocol = None
            self.opened.callback(result)

    def _expired(self) -> None:
        error = TimeoutError(
            f"no WebSocket within handshakeTimeout ({self._seconds:g} s)"
        )
        self._timer = None
        outcome = self._stop(error)
        self.opened.errback(outcome)

    def _cancelled(self, opened: Deferred[Any]) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._stop(CancelledError())

    def _stop(self, error: Exception) -> Exception:
        """
        Leave nothing behind.

        @return: C{error}, or the refusal that the server has begun to send.
        """
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            return protocol.giveUp(error)
        self._connecting.cancel()
        return error


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
        @param tlsPolicy: an L{IPolicyForHTTPS<twisted.web.iweb.IPolicyForHTTPS>} that
            makes the TLS contexts of C{wss} connections, for instance
            L{BrowserLikePolicyForHTTPS<twisted.web.client.BrowserLikePolicyForHTTPS>}
            with a trust root of your own.  By default the server's certificate has to
            be signed by an authority that the platform trusts and to name the host.
        @param endpoint: where to connect, whatever the URL says; TLS included, if
            there is to be any.
        """
        self.config = config or ClientConfig()
        self._reactor = reactor
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
        attempt = _Attempt(self._reactor, self.config.handshakeTimeout)
        factory = Factory.forProtocol(
            lambda: WebSocketClientProtocol(
                opening, self.config, self._reactor, make, attempt
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
        opening = Opening(
            host=address.authority,
            target=address.target,
            version=self.config.webSocketVersion,
            protocols=tuple(protocols),
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
            creator = optionsForClientTLS(address.host)
        else:
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
    @raise ValueError: when one cannot be sent.
    """
    items = list(headers.items() if isinstance(headers, Mapping) else headers)
    if cookies:
        for name, value in cookies.items():
            checkPair(name, value)
        items.append(("Cookie", "; ".join(f"{n}={v}" for n, v in cookies.items())))
    return tuple(checkField(name, value) for name, value in items)
