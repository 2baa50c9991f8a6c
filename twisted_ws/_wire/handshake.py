# -*- test-case-name: tests.test_handshake -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The server's half of the opening handshake (RFC 6455 section 4.2), for protocol
versions 13 and 8.

However a request came to us, it is judged by L{readHeaders} and nothing else;
what is answered is rendered by L{acceptance} and L{refusal}.

Version 8 is that of the drafts 08 to 12: it differs in the header field that
carries the origin.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from email.utils import formatdate
from hashlib import sha1
from http import HTTPStatus
from typing import NamedTuple

from .errors import HeaderPairs, InvalidUpgrade
from .headers import (
    ExtensionElement,
    Headers,
    checkField,
    isToken,
    joinHead,
    onlyOne,
    parseExtensions,
    parseFields,
    parseTokens,
    renderExtensions,
    renderHead,
)

VERSIONS = (13, 8)

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_VERSION_LIST = (b"Sec-WebSocket-Version", b"13, 8")
_HTTP_VERSION = re.compile(rb"HTTP/[0-9]\.[0-9]")
_TARGET = re.compile(rb"[!-\"$-~]+")
_ABSOLUTE = re.compile(rb"(?:https?|wss?)://([^/?]*)(.*)", re.IGNORECASE)
_HOST = re.compile(
    r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~%!$&'()*+,;=]+)(?::(?P<port>[0-9]{1,5}))?"
)
# What 16 bytes are in base64.
_KEY = re.compile(r"[A-Za-z0-9+/]{22}==")
SETTLED = frozenset(
    {
        b"upgrade",
        b"connection",
        b"content-length",
        b"transfer-encoding",
        b"sec-websocket-accept",
        b"sec-websocket-protocol",
        b"sec-websocket-extensions",
    }
)
"""
Names of header fields that no application adds to a response.
"""


class Offer(NamedTuple):
    """
    A valid opening handshake, as the client sent it.

    @ivar target: the request-target, with its query, percent-encoded.
    @ivar host: the Host field, with its port if it has one.
    @ivar key: the Sec-WebSocket-Key field.
    @ivar version: C{13} or C{8}.
    @ivar origin: the origin of the page that connects, or C{None}.
    @ivar protocols: the subprotocols asked for, in the client's order and
        spelling.
    @ivar extensions: the extensions offered, see
        L{parseExtensions<twisted_ws._wire.headers.parseExtensions>}.
    @ivar headers: all header fields.
    """

    target: str
    host: str
    key: str
    version: int
    origin: str | None
    protocols: tuple[str, ...]
    extensions: tuple[ExtensionElement, ...]
    headers: Headers


def readRequest(lines: Sequence[bytes]) -> Offer:
    """
    Read an opening handshake.

    @param lines: the request line and the header lines, without line ends.
    @raise InvalidUpgrade: with the HTTP status that answers it.
    """
    parts = lines[0].split(b" ") if lines else []
    if len(parts) != 3 or not isToken(parts[0]):
        raise InvalidUpgrade("a malformed request line")
    method, target, version = parts
    return readHeaders(method, target, version, parseFields(lines[1:]))


def readHeaders(
    method: bytes, target: bytes, version: bytes, headers: Headers
) -> Offer:
    """
    Judge a request that was split into its parts.

    @raise InvalidUpgrade: with the HTTP status that answers it.
    """
    if not _HTTP_VERSION.fullmatch(version):
        raise InvalidUpgrade("a malformed HTTP version")
    if version != b"HTTP/1.1":
        raise InvalidUpgrade("only HTTP/1.1 can be upgraded", 505)
    if method != b"GET":
        raise InvalidUpgrade("only GET can be upgraded", 405, [(b"Allow", b"GET")])
    fields = headers.grouped()
    host = _only(fields, "host")
    if host is None or splitHost(host) is None:
        raise InvalidUpgrade("no Host header field, or a malformed one")
    local = _localTarget(target, host)
    length = _only(fields, "content-length")
    if length not in (None, "0") or "transfer-encoding" in fields:
        raise InvalidUpgrade("a handshake has no body")
    upgrades = parseTokens(
        [value.replace("/", ".") for value in fields.get("upgrade", ())], "Upgrade"
    )
    if "websocket" not in [upgrade.lower() for upgrade in upgrades]:
        raise _upgradeRequired("this is a WebSocket server")
    connection = parseTokens(fields.get("connection", ()), "Connection")
    if "upgrade" not in [option.lower() for option in connection]:
        raise InvalidUpgrade("no Connection: Upgrade")
    number = _only(fields, "sec-websocket-version")
    if number not in ("13", "8"):
        raise _upgradeRequired("only WebSocket versions 13 and 8 are spoken here")
    protocols = parseTokens(
        fields.get("sec-websocket-protocol", ()), "Sec-WebSocket-Protocol"
    )
    if len(set(protocols)) != len(protocols):
        raise InvalidUpgrade("a subprotocol is asked for twice")
    return Offer(
        target=local.decode("ascii"),
        host=host,
        key=_readKey(fields),
        version=int(number),
        origin=_readOrigin(fields, number),
        protocols=tuple(protocols),
        extensions=tuple(parseExtensions(fields.get("sec-websocket-extensions", ()))),
        headers=headers,
    )


def _only(fields: Mapping[str, Sequence[str]], name: str) -> str | None:
    values = fields.get(name)
    return None if values is None else onlyOne(name, values)


def _upgradeRequired(message: str) -> InvalidUpgrade:
    return InvalidUpgrade(message, 426, [(b"Upgrade", b"websocket"), _VERSION_LIST])


def splitHost(host: str) -> tuple[str, int | None] | None:
    """
    Split a Host field or the authority of an origin.

    @return: the name in lower case and the port, C{None} if it gives none; or
        C{None} when it is malformed.
    """
    found = _HOST.fullmatch(host)
    if found is None:
        return None
    port = None if found["port"] is None else int(found["port"])
    if port is not None and not 0 < port < 65536:
        return None
    return found["name"].lower(), port


def _localTarget(target: bytes, host: str) -> bytes:
    """
    @return: the request-target, made local if it was absolute (RFC 9112 section
        3.2.2).
    """
    if _TARGET.fullmatch(target):
        if target.startswith(b"/"):
            return target
        absolute = _ABSOLUTE.fullmatch(target)
        if absolute and absolute[1].lower() == host.lower().encode("latin-1"):
            local = absolute[2]
            return local if local.startswith(b"/") else b"/" + local
    raise InvalidUpgrade("a malformed request-target")


def _readKey(fields: Mapping[str, Sequence[str]]) -> str:
    key = _only(fields, "sec-websocket-key")
    if key is not None and _KEY.fullmatch(key):
        return key
    raise InvalidUpgrade("Sec-WebSocket-Key is not 16 bytes in base64")


def _readOrigin(fields: Mapping[str, Sequence[str]], version: str) -> str | None:
    """
    Drafts 11 and 12 are version 8 too and already call the field Origin; so
    version 8 may use either name, but not both.
    """
    origin = _only(fields, "origin")
    if version == "8":
        old = _only(fields, "sec-websocket-origin")
        if old is not None and origin is not None:
            raise InvalidUpgrade("both Origin and Sec-WebSocket-Origin")
        return old if origin is None else origin
    return origin


def acceptHash(key: str) -> bytes:
    """
    @return: the Sec-WebSocket-Accept that proves that C{key} was read (RFC 6455
        section 4.2.2).
    """
    return b64encode(sha1(key.encode("ascii") + _GUID).digest())


def acceptance(
    key: str,
    protocol: str | None,
    extra: Iterable[tuple[str | bytes, str | bytes]] = (),
    extensions: Sequence[ExtensionElement] = (),
) -> list[tuple[bytes, bytes]]:
    """
    Make the header fields of the response that accepts an offer.

    @param key: its C{key}.
    @param protocol: the subprotocol chosen among the offered ones.
    @param extra: the application's own fields.
    @param extensions: those in use, with the parameters of the answer.
    @raise ValueError: when one of those is malformed or is settled by the
        handshake itself.
    """
    pairs = [
        (b"Upgrade", b"websocket"),
        (b"Connection", b"Upgrade"),
        (b"Sec-WebSocket-Accept", acceptHash(key)),
    ]
    if protocol is not None:
        pairs.append((b"Sec-WebSocket-Protocol", protocol.encode("ascii")))
    if extensions:
        pairs.append((b"Sec-WebSocket-Extensions", renderExtensions(extensions)))
    return pairs + checkExtra(extra)


def switching(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """
    Render the response that accepts an offer.

    @param headers: as L{acceptance} made them, so checked.
    """
    return joinHead(b"HTTP/1.1 101 Switching Protocols", headers)


def checkExtra(
    extra: Iterable[tuple[str | bytes, str | bytes]],
) -> list[tuple[bytes, bytes]]:
    """
    Check header fields that the application adds to a response.

    @return: them as bytes.
    @raise ValueError: when one is malformed or is settled by the handshake.
    """
    checked = [checkField(name, value) for name, value in extra]
    for name, _ in checked:
        if name.lower() in SETTLED:
            raise ValueError(f"{name.decode()} is settled by the handshake")
    return checked


def refusal(
    status: int, reason: str, headers: HeaderPairs = (), body: bytes = b""
) -> bytes:
    """
    Render an HTTP response that ends the connection.

    @param reason: a phrase for its first line; by default the standard one.
    @param headers: further fields, checked already.
    @param body: by default the phrase, as plain text.
    @raise ValueError: when C{status} is no final status or C{reason} cannot be a
        phrase.
    """
    if not isinstance(status, int) or not 200 <= status <= 599:
        raise ValueError(f"{status!r} is not the status of a refusal")
    phrase = reason or standardPhrase(status)
    names = {name.lower() for name, _ in headers}
    pairs = [(b"Date", formatdate(usegmt=True).encode("ascii")), *headers]
    options = b"close, Upgrade" if b"upgrade" in names else b"close"
    pairs.append((b"Connection", options))
    if status in (204, 304):
        body = b""
    else:
        if not body:
            body = phrase.encode("latin-1", "replace") + b"\n"
        if b"content-type" not in names:
            pairs.append((b"Content-Type", b"text/plain; charset=utf-8"))
        pairs.append((b"Content-Length", b"%d" % len(body)))
    try:
        line = f"HTTP/1.1 {status} {phrase}".encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError(f"no reason phrase can be {reason!r}") from None
    return renderHead(line, pairs) + body


def unavailable(reason: str, retryAfter: int) -> bytes:
    """
    Render a refusal with 503.

    @param retryAfter: seconds after which the client may come again.
    """
    headers = [(b"Retry-After", b"%d" % retryAfter)]
    return refusal(503, "", headers, f"{reason}\n".encode())


def withoutBody(response: bytes) -> bytes:
    """
    @return: what of a response answers a HEAD request.
    """
    return response[: response.index(b"\r\n\r\n") + 4]


def standardPhrase(status: int) -> str:
    """
    @return: the registered reason phrase of an HTTP status.
    """
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unregistered Status"
