# -*- test-case-name: tests.test_framer -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The errors of the wire, sorted by whose fault they are.

::

    WebSocketError
      the peer's    InvalidUpgrade       a handshake that breaks the rules
                    UpgradeRejected      a handshake that the server refused
                    ProtocolViolation    a frame that breaks the rules (1002)
                      InvalidPayload       text that is not UTF-8 (1007)
                      PayloadTooBig        a frame or message over a limit (1009)
                      TooManyFragments     a message in too many pieces (1008)
                      TryAgainLater        more than we hold for one peer (1013)
      the caller's  ConnectionNotOpen    sending on a connection that closes
                    IllegalFrame         a frame that must not be sent
                    AlreadyAnswered      a second verdict on one request
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

HeaderPairs = Sequence[tuple[bytes, bytes]]


class WebSocketError(Exception):
    """
    The base of every error that this package raises or errbacks on its own.
    """


class InvalidUpgrade(WebSocketError):
    """
    The peer's half of the opening handshake breaks RFC 6455 section 4.

    @ivar status: the HTTP status that a server answers it with.
    @ivar headers: further header fields of that answer.
    """

    def __init__(
        self, message: str, status: int = 400, headers: HeaderPairs = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


class UpgradeRejected(WebSocketError):
    """
    The server answered the opening handshake with an HTTP response other than
    C{101 Switching Protocols}.

    @ivar status: its status code, for instance C{403}.
    @ivar reason: its reason phrase.
    @ivar headers: its header fields, in order, as pairs of bytes; names are in
        lower case.
    @ivar body: at most the first 64 KiB of its body.
    """

    def __init__(
        self, status: int, reason: str, headers: HeaderPairs = (), body: bytes = b""
    ) -> None:
        super().__init__(f"the server refused the WebSocket: {status} {reason}")
        self.status = status
        self.reason = reason
        self.headers = headers
        self.body = body


class ProtocolViolation(WebSocketError):
    """
    The peer sent what RFC 6455 forbids or what a limit of ours does not allow.

    @cvar code: the close code that answers it (RFC 6455 section 7.4.1).
    @ivar option: the name of the configuration option that would have let it
        pass, or C{None}.
    """

    code: ClassVar[int] = 1002

    def __init__(self, message: str, option: str | None = None) -> None:
        super().__init__(message)
        self.option = option


class InvalidPayload(ProtocolViolation):
    """
    Text, or the reason of a close, that is not UTF-8 (RFC 6455 section 8.1).
    """

    code = 1007


class PayloadTooBig(ProtocolViolation):
    """
    A frame or a message over its limit (RFC 6455 section 10.4).
    """

    code = 1009


class TooManyFragments(ProtocolViolation):
    """
    A message in more pieces than C{maxReceivedFragments}.
    """

    code = 1008


class TryAgainLater(ProtocolViolation):
    """
    A peer that does not read, or for which we would have to hold more than a limit of
    ours allows.
    """

    code = 1013


class ConnectionNotOpen(WebSocketError):
    """
    The connection is closing or closed: nothing was sent.
    """


class IllegalFrame(WebSocketError, ValueError):
    """
    RFC 6455 forbids what was to be sent: nothing was sent.
    """


class AlreadyAnswered(WebSocketError):
    """
    The request was accepted or rejected before; both can be done once.
    """
