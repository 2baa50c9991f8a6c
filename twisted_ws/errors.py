# -*- test-case-name: tests.test_errors -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Every error of this package, and what the end of a connection says.

::

    WebSocketError
      the peer's    InvalidUpgrade  UpgradeRejected
                    ProtocolViolation  InvalidPayload  PayloadTooBig  TooManyFragments
                    TryAgainLater
      the caller's  ConnectionNotOpen  IllegalFrame  AlreadyAnswered
      nobody's      MessageDropped
                    ConnectionClosed
                      ClosedCleanly    also a twisted.internet.error.ConnectionDone
                      ClosedAbruptly   also a twisted.internet.error.ConnectionLost

The fault decides how an error reaches you.  The peer's ends the handshake or the
connection; the caller's is raised by the call, and nothing is sent; nobody's comes to
the Deferreds that were waiting, and the last two as the reason of C{connectionLost}.
"""

from __future__ import annotations

from twisted.internet.error import ConnectionDone, ConnectionLost

from ._wire.closing import Close, CloseCode
from ._wire.errors import (
    AlreadyAnswered,
    ConnectionNotOpen,
    IllegalFrame,
    InvalidPayload,
    InvalidUpgrade,
    PayloadTooBig,
    ProtocolViolation,
    TooManyFragments,
    TryAgainLater,
    UpgradeRejected,
    WebSocketError,
)

__all__ = [
    "AlreadyAnswered",
    "ClosedAbruptly",
    "ClosedCleanly",
    "ConnectionClosed",
    "ConnectionNotOpen",
    "IllegalFrame",
    "InvalidPayload",
    "InvalidUpgrade",
    "MessageDropped",
    "PayloadTooBig",
    "ProtocolViolation",
    "TooManyFragments",
    "TryAgainLater",
    "UpgradeRejected",
    "WebSocketError",
]


class MessageDropped(WebSocketError):
    """
    A message that waited for a peer that does not read was dropped, as
    C{slowReaderPolicy} says.
    """


class ConnectionClosed(WebSocketError):
    """
    A WebSocket ended.  C{str()} of it is a sentence that says how.

    C{__cause__} is the L{ProtocolViolation} or the carrier's error that ended it,
    if one did.

    @ivar sent: the L{Close} that we sent, or C{None}.
    @ivar received: the L{Close} that the peer sent, or C{None}.
    @ivar begunBy: C{"us"} or C{"peer"}, whose Close frame came first; C{None} when
        there was none.
    """

    def __init__(
        self,
        detail: str = "",
        sent: Close | None = None,
        received: Close | None = None,
        begunBy: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.sent = sent
        self.received = received
        self.begunBy = begunBy
        self._detail = detail

    @property
    def code(self) -> int:
        """
        The close code in the sense of RFC 6455 section 7.1.5: what the peer sent,
        1005 when its Close frame had none, 1006 when it sent no Close frame.
        """
        return CloseCode.ABNORMAL if self.received is None else self.received.code

    @property
    def reason(self) -> str:
        """
        The text that the peer sent with its close code.
        """
        return "" if self.received is None else self.received.reason

    def __str__(self) -> str:
        parts = []
        if self.begunBy == "peer":
            parts.append(f"the peer closed with {self.received}")
        elif self.begunBy == "us":
            parts.append(f"we closed with {self.sent}")
            if self.received is not None:
                parts.append(f"the peer answered {self.received}")
        if self._detail:
            parts.append(self._detail)
        return "; ".join(parts) or "the connection was lost"

    def again(self) -> ConnectionClosed:
        """
        @return: a copy to be raised.  An exception that was raised holds the frames it
            went through, and they hold what holds it.
        """
        copy = type(self)(self._detail, self.sent, self.received, self.begunBy)
        copy.__cause__ = self.__cause__
        return copy


class ClosedCleanly(ConnectionClosed, ConnectionDone):
    """
    Both sides sent a Close frame.
    """


class ClosedAbruptly(ConnectionClosed, ConnectionLost):
    """
    The carrier went away before both sides had sent a Close frame.
    """
