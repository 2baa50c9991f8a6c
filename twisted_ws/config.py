# -*- test-case-name: tests.test_config -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The tunables, as frozen dataclasses that are passed whole.

Durations are in seconds, sizes in bytes.  C{dataclasses.replace} derives one
configuration from another::

    factory = WebSocketFactory(Echo, ServerConfig(keepaliveInterval=30))
    request.accept(receiver, config=replace(request.config, closeTimeout=1))
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import Field, dataclass, field, fields
from math import isfinite
from typing import Any

from ._wire.closing import isSendable
from ._wire.forwarded import Networks
from ._wire.handshake import VERSIONS
from ._wire.headers import checkToken
from .interfaces import IExtensionFactory
from .origin import OriginRule, isOriginRule


def _size(default: int, help: str, least: int = 1) -> Any:
    return field(
        default=default, metadata={"kind": "size", "least": least, "help": help}
    )


def _limit(default: int | None, help: str) -> Any:
    return field(default=default, metadata={"kind": "limit", "least": 1, "help": help})


def _duration(default: float, help: str) -> Any:
    return field(default=default, metadata={"kind": "duration", "help": help})


def _wait(default: float | None, help: str) -> Any:
    return field(default=default, metadata={"kind": "wait", "help": help})


def _choice(default: str, choices: tuple[str, ...], help: str) -> Any:
    return field(
        default=default, metadata={"kind": "choice", "choices": choices, "help": help}
    )


def _flag(default: bool, help: str) -> Any:
    return field(default=default, metadata={"kind": "flag", "help": help})


def _extensions(help: str) -> Any:
    return field(default=(), metadata={"kind": "extensions", "help": help})


def _list(default: tuple[str, ...], help: str, word: str | None = None) -> Any:
    return field(default=default, metadata={"kind": "list", "help": help, "word": word})


SLOW_READER_POLICIES = ("close", "drop-oldest", "drop-newest", "coalesce")
"""
What may happen to a message that finds C{maxSendBuffer} bytes waiting before it.
"""

BUDGET_POLICIES = ("close-largest", "close-this")
"""
Whose connection is closed when all together hold C{maxTotalBuffer} bytes.
"""

_NO_LISTS = (str, bytes, bytearray, memoryview, Mapping)


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionConfig:
    """
    What servers and clients have in common.

    @ivar maxReceivedFrameSize: payload bytes of one received frame; more fails the
        connection with 1009.  C{None}: as much as a message may have.
    @ivar maxReceivedMessageSize: payload bytes of one received message, over all its
        frames; more fails the connection with 1009.  C{None}: no limit.
    @ivar maxReceivedFragments: frames of one received message, empty ones counted;
        more fail the connection with 1008.  C{None}: no limit.
    @ivar assembleFragments: deliver whole messages.  If false, the receiver is an
        L{IFrameReceiver<twisted_ws.interfaces.IFrameReceiver>} and gets each data
        frame by itself; all checks stay on.
    @ivar fragmentOutgoingMessages: send messages over C{fragmentationThreshold} in
        several frames.
    @ivar fragmentationThreshold: payload bytes of each of those frames.
    @ivar keepalive: watch for a silent peer.
    @ivar keepaliveInterval: after how many seconds without a received byte the peer
        is sent a ping.  Silence is noticed at the end of such an interval: so after
        one to two of them.
    @ivar keepaliveGracePeriod: seconds that the peer then has to send anything at all.
    @ivar dropConnectionOnKeepaliveTimeout: abort the connection of a peer that does
        not; if false, go on sending pings.
    @ivar useNativeKeepalive: let the operating system's TCP keepalive do it instead of
        pings; the options above do not count then.
    @ivar closeTimeout: seconds from the moment a connection leaves the open state
        until it is aborted if it still stands.
    @ivar disableNagleAlgorithm: set TCP_NODELAY.
    @ivar sendHighWater: bytes that may wait to be sent before senders are asked to
        wait: before C{whenWritable} and the Deferreds of C{sendMessage} wait and
        producers are paused.  A carrier takes 64 KiB (TLS 128 KiB) before it tells us;
        a lower mark counts as that.
    @ivar sendLowWater: how few bytes must be left before they are told to go on.  For
        both marks, and for C{maxSendBuffer}, a message that waits counts 640 bytes more
        than it has: what it costs to keep it.
    @ivar maxSendBuffer: bytes that may wait behind what the carrier has taken.  A
        message that would make it more meets C{slowReaderPolicy}; but where none
        waits, one is taken however long it is.  C{None}: no limit.
    @ivar slowReaderPolicy: what becomes of it: C{"close"} fails the connection with
        1013; C{"drop-newest"} drops it; C{"drop-oldest"} drops messages that wait, the
        oldest first, until it fits; C{"coalesce"} does that too, but a message with a
        C{key} takes the place of the one with the same key that waits, at any time.
    @ivar pauseWhileCongested: do not read from a peer while more than
        C{sendHighWater} bytes wait for it, so that whoever sends requests without
        reading the answers cannot make us hold them.  By default only servers do: if
        both sides did, both could wait for the other for ever.
    @ivar sendStallTimeout: seconds that a peer may take nothing of what waits for it;
        then its connection is aborted.  Any byte taken counts; so a peer that stops
        after it took some is noticed after one to two of these.  C{None}: no limit.
    @ivar idleTimeout: seconds without a message in either direction, after which the
        connection is closed with 1001; pings and pongs do not count.  C{None}: no
        limit.
    @ivar maxPendingMessages: received messages that the application may have at work,
        the Deferreds of its C{messageReceived} not fired yet, or waiting for that; when
        there are as many, the connection is not read from.  It counts for an
        L{Inbox<twisted_ws.Inbox>} too.
    @ivar maxPendingBytes: bytes of memory of these messages, likewise.  C{None}: no
        limit.
    @ivar concurrentMessages: how many of them may be at work at the same time; with 1,
        the next is delivered when the one before is done.
    @ivar framesPerTurn: frames of one connection that are handled before others have
        their turn.
    @ivar maxPongRate: pings per second that are answered; of more, only the latest.
        C{None}: all.
    @ivar handshakeTimeout: seconds for the whole opening handshake: on servers from
        the accepted connection to the verdict, on clients from C{connect} to the open
        connection, name resolution and TLS included.
    @ivar maxHeaderLine: bytes of one line of the handshake.
    @ivar maxHeaderLines: header lines of the handshake.
    @ivar maxHeaderSize: bytes of all lines of the handshake.
    @ivar extensions: the extensions that are spoken, each an L{IExtensionFactory
        <twisted_ws.interfaces.IExtensionFactory>} such as L{PerMessageDeflate
        <twisted_ws.PerMessageDeflate>}, the most wanted first; it is also the first to
        change what is sent.  They are used on connections whose other side speaks them
        too.
    """

    maxReceivedFrameSize: int | None = _limit(
        None, "Payload bytes of one received frame (default: of a message)."
    )
    maxReceivedMessageSize: int | None = _limit(
        1 << 20, "Payload bytes of one received message."
    )
    maxReceivedFragments: int | None = _limit(4096, "Frames of one received message.")
    assembleFragments: bool = _flag(True, "Put the fragments of a message together.")
    fragmentOutgoingMessages: bool = _flag(
        True, "Send long messages in several frames."
    )
    fragmentationThreshold: int = _size(1 << 14, "Payload bytes of each such frame.")
    keepalive: bool = _flag(True, "Send a ping to a silent peer.")
    keepaliveInterval: float = _duration(20.0, "Seconds of silence before the ping.")
    keepaliveGracePeriod: float = _duration(
        10.0, "Seconds that the peer has to answer it."
    )
    dropConnectionOnKeepaliveTimeout: bool = _flag(
        True, "Drop a peer that does not answer it."
    )
    useNativeKeepalive: bool = _flag(False, "Use TCP keepalive instead of pings.")
    closeTimeout: float = _duration(5.0, "Seconds that closing may take.")
    disableNagleAlgorithm: bool = _flag(True, "Set TCP_NODELAY.")
    sendHighWater: int = _size(
        1 << 16, "Bytes that may wait to be sent before senders are to wait.", 0
    )
    sendLowWater: int = _size(
        1 << 14, "Bytes left of them when senders are to go on.", 0
    )
    maxSendBuffer: int | None = _limit(
        1 << 20, "Bytes that may wait behind what the transport has taken."
    )
    slowReaderPolicy: str = _choice(
        "close", SLOW_READER_POLICIES, "What happens to a message over that."
    )
    pauseWhileCongested: bool = _flag(
        False, "Read nothing from a peer that does not read."
    )
    sendStallTimeout: float | None = _wait(
        30.0, "Seconds that a peer may take nothing of what waits for it."
    )
    idleTimeout: float | None = _wait(
        None, "Seconds without a message after which a connection is closed."
    )
    maxPendingMessages: int = _size(
        16, "Received messages that the application may have at work."
    )
    maxPendingBytes: int | None = _limit(1 << 20, "Bytes of these messages.")
    concurrentMessages: int = _size(
        1, "How many of them may be at work at the same time."
    )
    framesPerTurn: int = _size(
        512, "Frames of one connection before others have their turn."
    )
    maxPongRate: int | None = _limit(50, "Pings per second that are answered.")
    handshakeTimeout: float = _duration(10.0, "Seconds that the handshake may take.")
    maxHeaderLine: int = _size(8192, "Bytes of one line of the handshake.", 64)
    maxHeaderLines: int = _size(128, "Header lines of the handshake.", 8)
    maxHeaderSize: int = _size(16384, "Bytes of all lines of the handshake.", 256)
    extensions: Sequence[IExtensionFactory] = _extensions(
        "An extension that is spoken: permessage-deflate, or the dotted name of one."
    )

    def __post_init__(self) -> None:
        """
        @raise ValueError: when an option has a value that makes no sense; names it.
        """
        for option in fields(self):
            _check(option, getattr(self, option.name))
        object.__setattr__(self, "extensions", tuple(self.extensions))
        names = set()
        for factory in self.extensions:
            if not IExtensionFactory.providedBy(factory):
                raise ValueError(f"extensions cannot have {factory!r}")
            checkToken(factory.name, "the name of one of extensions")
            if factory.name in names:
                raise ValueError(f"extensions has {factory.name} twice")
            names.add(factory.name)
        if self.sendLowWater > self.sendHighWater:
            raise ValueError(
                f"sendLowWater ({self.sendLowWater}) must not be over sendHighWater"
                f" ({self.sendHighWater})"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerConfig(ConnectionConfig):
    """
    The tunables of a server.

    @ivar allowedOrigins: the origins whose pages may connect to a receiver that is
        mounted as a class or a factory: C{"*"} for all, or a collection of

          - C{"same-origin"}: the host that the request names, or what the browser
            calls so in C{Sec-Fetch-Site};
          - C{"https://example.com"}, C{"chrome-extension://abcdef"} and the like;
          - C{"https://*.example.com"}: the hosts below it, not itself;
          - C{"null"}: pages without an origin, such as sandboxed frames;
          - a compiled pattern that the whole origin has to match;
          - a callable that takes the L{WebSocketRequest<twisted_ws.WebSocketRequest>}
            and returns whether its origin may connect.

        A request without an origin is not from a browser's page and may connect,
        unless C{Sec-Fetch-Site} says that it is from a page of another origin.  A
        callable application decides for itself.
    @ivar trustedProxies: whom to believe when it says for whom it asks: addresses,
        networks such as C{"10.0.0.0/8"}, and C{"unix"} for the peers of UNIX sockets.
        The client is then the last of the addresses in X-Forwarded-For that is none
        of these; X-Forwarded-Proto is believed likewise.
    @ivar readForwarded: read the Forwarded field (RFC 7239) in place of those two.
        The proxies have to write the one that is read: the other may be the client's.
    @ivar protocols: the subprotocols that such a receiver speaks, in the server's
        order of preference.
    @ivar preferClientProtocols: take the client's order instead.
    @ivar maxConnections: connections at a time; more are refused with 503.  C{None}:
        as many as the process may have descriptors, less 100.
    @ivar maxPendingHandshakes: connections without a verdict at a time; more are
        refused with 503.  But if one has sent no request for a second, the oldest of
        these gives way.  C{None}: no limit.
    @ivar retryAfter: seconds after which the refused may come again, as C{Retry-After}
        tells them.
    @ivar maxTotalBuffer: bytes that all connections together may hold: what waits to
        be sent, messages received in part, and those that the application has at
        work.  C{None}: no limit.
    @ivar drainTime: seconds over which the Close frames are spread when the server goes
        away, so that the clients do not come back all at once.  C{None}: all at once.
    @ivar drainTimeout: seconds after which the connections that are left then are
        aborted.
    @ivar drainCode: the close code then: 1001 for a server that goes away, 1012 for
        one that comes back.
    @ivar budgetPolicy: whose connection is closed with 1013 when it is more:
        C{"close-largest"}, that of whoever holds the most, or C{"close-this"}, that
        of whoever needs more.
    """

    allowedOrigins: str | Collection[OriginRule] = _list(
        ("same-origin",), "An origin whose pages may connect, or *.", word="*"
    )
    trustedProxies: Collection[str] = _list(
        (), "An address or network of proxies whose X-Forwarded-For is believed."
    )
    readForwarded: bool = _flag(
        False, "Read Forwarded of those proxies, not X-Forwarded-For."
    )
    protocols: tuple[str, ...] = _list((), "A subprotocol that is spoken.")
    preferClientProtocols: bool = _flag(
        False, "Choose subprotocols in the client's order."
    )
    pauseWhileCongested: bool = _flag(
        True, "Read nothing from a peer that does not read."
    )
    maxConnections: int | None = _limit(
        None, "Connections at a time (default: what descriptors allow)."
    )
    maxPendingHandshakes: int | None = _limit(
        1024, "Connections without a verdict at a time."
    )
    retryAfter: int = _size(5, "Seconds after which the refused may come again.")
    maxTotalBuffer: int | None = _limit(
        1 << 28, "Bytes that all connections together may hold."
    )
    budgetPolicy: str = _choice(
        "close-largest", BUDGET_POLICIES, "Whose connection is closed over that."
    )
    drainTime: float | None = _wait(
        None, "Seconds over which connections are closed when the server stops."
    )
    drainTimeout: float = _duration(
        10.0, "Seconds after which the rest is dropped then."
    )
    drainCode: int = _size(1001, "The close code then.", 1000)

    def __post_init__(self) -> None:
        """
        @raise ValueError: when an option has a value that makes no sense; names it.
        """
        ConnectionConfig.__post_init__(self)
        if not isSendable(self.drainCode):
            raise ValueError(f"drainCode must be a close code, not {self.drainCode!r}")
        if isinstance(self.protocols, Set):
            raise ValueError(f"protocols must have an order, unlike {self.protocols!r}")
        for name in ("allowedOrigins", "trustedProxies", "protocols"):
            given = getattr(self, name)
            if not isinstance(given, str):
                # A copy, since whoever gave it may go on changing it.
                own = frozenset(given) if isinstance(given, Set) else tuple(given)
                object.__setattr__(self, name, own)
        for rule in self.allowedOrigins:
            if not isOriginRule(rule):
                raise ValueError(f"allowedOrigins cannot have {rule!r}")
        try:
            Networks(self.trustedProxies)
        except ValueError as error:
            raise ValueError(f"trustedProxies: {error}") from None
        for protocol in self.protocols:
            if not isinstance(protocol, str):
                raise ValueError(f"protocols cannot have {protocol!r}")
            checkToken(protocol, "an element of protocols")


@dataclass(frozen=True, kw_only=True, slots=True)
class ClientConfig(ConnectionConfig):
    """
    The tunables of a client.  By default it takes larger messages than a server and
    leaves it to the server to find out that a connection is dead.

    @ivar webSocketVersion: the version to ask for, 13 (RFC 6455) or 8 (its drafts 08
        to 12).
    """

    maxReceivedMessageSize: int | None = _limit(
        8 << 20, "Payload bytes of one received message."
    )
    keepalive: bool = _flag(False, "Send a ping to a silent peer.")
    webSocketVersion: int = field(
        default=13, metadata={"kind": "version", "help": "Protocol version, 13 or 8."}
    )


def _check(option: Field[Any], value: object) -> None:
    """
    @raise ValueError: when C{value} is not of the option's kind.
    """
    kind = option.metadata["kind"]
    if kind == "flag":
        right, wanted = isinstance(value, bool), "true or false"
    elif kind in ("size", "limit"):
        least = option.metadata["least"]
        isWhole = isinstance(value, int) and not isinstance(value, bool)
        right = isWhole and value >= least
        wanted = f"a whole number, {least} or more"
        if kind == "limit":
            right = right or value is None
            wanted += ", or None"
    elif kind in ("duration", "wait"):
        right = (
            isinstance(value, (int, float))
            and not isinstance(value, bool)
            and isfinite(value)
            and value > 0
        )
        wanted = "a number of seconds over 0"
        if kind == "wait":
            right = right or value is None
            wanted += ", or None"
    elif kind == "choice":
        choices = option.metadata["choices"]
        right, wanted = value in choices, "one of " + ", ".join(choices)
    elif kind == "version":
        right, wanted = value in VERSIONS, f"one of {VERSIONS}"
    elif kind == "extensions":
        right = isinstance(value, Sequence) and not isinstance(value, _NO_LISTS)
        wanted = "a list of extensions, the most wanted first"
    elif kind == "list":
        word = option.metadata["word"]
        right = isinstance(value, Collection) and not isinstance(value, _NO_LISTS)
        wanted = "a collection"
        if word is not None:
            right = right or (isinstance(value, str) and value == word)
            wanted += f", or {word}"
    else:
        raise AssertionError(f"an option of unknown kind {kind}")
    if not right:
        raise ValueError(f"{option.name} must be {wanted}, not {value!r}")
