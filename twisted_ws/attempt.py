# -*- test-case-name: tests.test_client_endings -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
One attempt of a client to connect: from its first byte to the open WebSocket, a
failure, or the deadline.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError, maybeDeferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.python.failure import Failure

from ._wire.errors import InvalidUpgrade, UpgradeRejected
from ._wire.opening import Body, Opening, Response, readResponse
from .config import ClientConfig
from .connection import WebSocketConnection
from .errors import ClosedAbruptly
from .extensions.negotiation import confirm
from .head import HeadReceiver
from .interfaces import IExtension

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
        attempt: Attempt,
    ) -> None:
        HeadReceiver.__init__(self, config)
        self.opened: Deferred[Any] = Deferred()
        self._opening = opening
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

    def headBegan(self, line: bytes) -> None:
        """
        What does not begin as a head is not waited for.
        """
        try:
            readResponse([line])
        except InvalidUpgrade as error:
            self._fail(error)

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
            agreement = self._opening.check(response)
            extensions = confirm(agreement.extensions, self._config.extensions)
            self._upgraded(agreement.protocol, extensions)
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

    def _upgraded(
        self, protocol: str | None, extensions: tuple[IExtension, ...]
    ) -> None:
        try:
            receiver = self._makeReceiver(self.transport.getPeer())
            if receiver is None:
                raise ClosedAbruptly("the factory made no receiver")
        except Exception as error:
            self._fail(error)
            return
        connection = WebSocketConnection(
            self._config, self._clock, protocol, extensions=extensions
        )
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


class Attempt:
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
        self._connecting.addCallback(self._connected).addErrback(self._settle)

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
