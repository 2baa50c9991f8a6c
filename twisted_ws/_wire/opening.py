# -*- test-case-name: tests.test_opening -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The client's half of the opening handshake (RFC 6455 section 4.1), for protocol
versions 13 and 8.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from secrets import token_bytes

from .errors import HeaderPairs, InvalidUpgrade
from .handshake import acceptHash
from .headers import (
    Headers,
    checkField,
    checkToken,
    parseFields,
    parseTokens,
    renderHead,
)

_STATUS_LINE = re.compile(
    rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?"
)
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?")
_TARGET = re.compile(r"/[!-\"$-~]*")
_OWN = frozenset(
    {
        b"upgrade",
        b"connection",
        b"content-length",
        b"transfer-encoding",
        b"origin",
        b"sec-websocket-origin",
        b"sec-websocket-key",
        b"sec-websocket-version",
        b"sec-websocket-protocol",
        b"sec-websocket-extensions",
    }
)


def _newKey() -> str:
    return b64encode(token_bytes(16)).decode("ascii")


@dataclass(frozen=True)
class Opening:
    """
    An opening handshake to send.

    @ivar host: the Host field.
    @ivar target: the request-target, percent-encoded, with its query.
    @ivar version: C{13} or C{8}.
    @ivar protocols: the subprotocols asked for, the most wanted first.
    @ivar origin: the Origin field, C{None} for none.
    @ivar headers: further fields; a Host among them replaces C{host}.
    @ivar key: 16 random bytes in base64, fresh for each handshake.
    """

    host: str
    target: str
    version: int = 13
    protocols: tuple[str, ...] = ()
    origin: str | None = None
    headers: HeaderPairs = ()
    key: str = field(default_factory=_newKey)

    def __post_init__(self) -> None:
        """
        @raise ValueError: when a part cannot be sent.
        """
        if not _TARGET.fullmatch(self.target):
            raise ValueError(f"no request-target can be {self.target!r}")
        for protocol in self.protocols:
            checkToken(protocol, "a subprotocol")
        if len(set(self.protocols)) != len(self.protocols):
            raise ValueError("a subprotocol is asked for twice")
        for name, _ in self.headers:
            if name.lower() in _OWN:
                raise ValueError(f"{name.decode()} is settled by the handshake")

    def render(self) -> bytes:
        """
        @return: the request.
        @raise ValueError: when a part cannot be sent.
        """
        pairs = []
        if not any(name.lower() == b"host" for name, _ in self.headers):
            pairs.append((b"Host", self.host.encode("ascii")))
        pairs += [
            (b"Upgrade", b"websocket"),
            (b"Connection", b"Upgrade"),
            (b"Sec-WebSocket-Key", self.key.encode("ascii")),
            (b"Sec-WebSocket-Version", b"%d" % self.version),
        ]
        if self.protocols:
            offered = ", ".join(self.protocols).encode("ascii")
            pairs.append((b"Sec-WebSocket-Protocol", offered))
        if self.origin is not None:
            name = b"Origin" if self.version == 13 else b"Sec-WebSocket-Origin"
            pairs.append(checkField(name, self.origin))
        pairs += self.headers
        return renderHead(f"GET {self.target} HTTP/1.1".encode("ascii"), pairs)

    def check(self, response: Response) -> str | None:
        """
        Judge a response with status 101.

        @return: the subprotocol that the server chose, or C{None}.
        @raise InvalidUpgrade: when it does not answer this handshake.
        """
        headers = response.headers
        if response.minorVersion != 1:
            raise InvalidUpgrade("an upgrade by HTTP/1.0")
        if (headers.getOnly("upgrade") or "").lower() != "websocket":
            raise InvalidUpgrade("no Upgrade: websocket in the response")
        options = parseTokens(headers.getAll("connection"), "Connection")
        if "upgrade" not in (option.lower() for option in options):
            raise InvalidUpgrade("no Connection: Upgrade in the response")
        if headers.getOnly("sec-websocket-accept") != acceptHash(self.key).decode():
            raise InvalidUpgrade("a wrong Sec-WebSocket-Accept in the response")
        if any(value for value in headers.getAll("sec-websocket-extensions")):
            raise InvalidUpgrade("an extension that was not offered")
        chosen = headers.getOnly("sec-websocket-protocol")
        if chosen is not None and chosen not in self.protocols:
            raise InvalidUpgrade(f"a subprotocol that was not offered: {chosen!r}")
        return chosen


@dataclass(frozen=True)
class Response:
    """
    The head of an HTTP response.
    """

    minorVersion: int
    status: int
    reason: str
    headers: Headers


def readResponse(lines: Sequence[bytes]) -> Response:
    """
    Read the head of a response.

    @param lines: the status line and the header lines, without line ends.
    @raise InvalidUpgrade: when it is malformed.
    """
    found = _STATUS_LINE.fullmatch(lines[0]) if lines else None
    if found is None:
        raise InvalidUpgrade("a malformed status line")
    minor, status, reason = found.groups()
    text = (reason or b"").decode("latin-1")
    return Response(int(minor), int(status), text, parseFields(lines[1:]))


class Body:
    """
    The body of a refusal, as far as it is kept.

    @cvar limit: bytes that are kept.
    """

    limit = 65536

    def __init__(self, headers: Headers) -> None:
        codings = [value.lower() for value in headers.getAll("transfer-encoding")]
        self._chunked = codings == ["chunked"]
        lengths = set(headers.getAll("content-length"))
        length = lengths.pop() if len(lengths) == 1 else ""
        sized = not codings and re.fullmatch("[0-9]{1,18}", length)
        self._wanted = min(int(length), self.limit) if sized else self.limit
        self._raw = bytearray()

    def dataReceived(self, data: bytes) -> bool:
        """
        @return: whether all that is wanted is here.
        """
        self._raw += data[: self._wanted - len(self._raw)]
        if len(self._raw) >= self._wanted:
            return True
        return self._chunked and (b"\r\n" + self._raw).endswith(b"\r\n0\r\n\r\n")

    def value(self) -> bytes:
        """
        @return: what came of the body.
        """
        raw = bytes(self._raw)
        return _joinChunks(raw) if self._chunked else raw


def _joinChunks(raw: bytes) -> bytes:
    """
    Decode as much of a chunked body as is well formed (RFC 9112 section 7.1).
    """
    chunks: list[bytes] = []
    at = 0
    while True:
        end = raw.find(b"\r\n", at)
        size = _SIZE_LINE.fullmatch(raw, at, end) if end >= 0 else None
        if size is None or int(size[1], 16) == 0:
            return b"".join(chunks)
        at = end + 2
        stop = at + int(size[1], 16)
        chunks.append(raw[at:stop])
        at = stop + 2
