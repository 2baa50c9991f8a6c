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
from typing import NamedTuple

from .errors import HeaderPairs, InvalidUpgrade
from .handshake import acceptHash
from .headers import (
    ExtensionElement,
    Headers,
    checkField,
    checkToken,
    parseExtensions,
    parseFields,
    parseTokens,
    renderExtensions,
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
    @ivar extensions: the extensions offered, the most wanted first.
    @ivar origin: the Origin field, C{None} for none.
    @ivar headers: further fields; a Host among them replaces C{host}.
    @ivar key: 16 random bytes in base64, fresh for each handshake.
    """

    host: str
    target: str
    version: int = 13
    protocols: tuple[str, ...] = ()
    extensions: tuple[ExtensionElement, ...] = ()
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
        if [name.lower() for name, _ in self.headers].count(b"host") > 1:
            raise ValueError("several Host header fields")
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
        if self.extensions:
            offers = renderExtensions(self.extensions)
            pairs.append((b"Sec-WebSocket-Extensions", offers))
        if self.origin is not None:
            name = b"Origin" if self.version == 13 else b"Sec-WebSocket-Origin"
            pairs.append(checkField(name, self.origin))
        pairs += self.headers
        return renderHead(f"GET {self.target} HTTP/1.1".encode("ascii"), pairs)

    def check(self, response: Response) -> Agreement:
        """
        Judge a response with status 101.

        @return: what the server has chosen.
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
        # In a response the field may be there once (RFC 6455 section 11.3.2).
        field = headers.getOnly("sec-websocket-extensions")
        extensions = [] if field is None else parseExtensions([field])
        offered = {name for name, _ in self.extensions}
        for name, _ in extensions:
            if name not in offered:
                raise InvalidUpgrade(f"an extension that was not offered: {name!r}")
        chosen = headers.getOnly("sec-websocket-protocol")
        if chosen is not None and chosen not in self.protocols:
            raise InvalidUpgrade(f"a subprotocol that was not offered: {chosen!r}")
        return Agreement(chosen, tuple(extensions))


class Agreement(NamedTuple):
    """
    What a server chose of an opening handshake.

    @ivar protocol: the subprotocol, or C{None}.
    @ivar extensions: the extensions, in the order of their use; their names were
        offered, the parameters are not judged yet.
    """

    protocol: str | None
    extensions: tuple[ExtensionElement, ...]


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
    The body of a refusal, as far as it is kept (RFC 9112 section 6.3).

    @cvar limit: bytes that are kept.
    """

    limit = 65536

    def __init__(self, response: Response) -> None:
        headers = response.headers
        codings = [value.lower() for value in headers.getAll("transfer-encoding")]
        lengths = set(headers.getAll("content-length"))
        length = lengths.pop() if len(lengths) == 1 else ""
        self._kept = bytearray()
        self._wanted = self.limit
        self._chunks: _Chunks | None = None
        if response.status in (204, 304):
            self._wanted = 0
        elif codings == ["chunked"]:
            self._chunks = _Chunks()
        elif not codings and re.fullmatch("[0-9]{1,18}", length):
            self._wanted = min(int(length), self.limit)

    def dataReceived(self, data: bytes) -> bool:
        """
        @return: whether all that is wanted is here.
        """
        if self._chunks is not None:
            data = self._chunks.decode(data)
        self._kept += data[: self._wanted - len(self._kept)]
        ended = self._chunks is not None and self._chunks.ended
        return ended or len(self._kept) >= self._wanted

    def value(self) -> bytes:
        """
        @return: what came of the body.
        """
        return bytes(self._kept)


class _Chunks:
    """
    Undoes the chunked coding (RFC 9112 section 7.1), as far as it is well formed.

    @ivar ended: whether the last chunk came, or one that is malformed.
    """

    _maxLine = 4096

    def __init__(self) -> None:
        self.ended = False
        self._line = b""
        self._missing = 0  # bytes of the chunk still to come
        self._afterChunk = False
        self._trailer = -1  # bytes of the trailer so far, -1 before it

    def decode(self, data: bytes) -> bytes:
        """
        @return: the content that is complete with C{data}.
        """
        content = []
        at = 0
        while at < len(data) and not self.ended:
            if self._missing:
                chunk = data[at : at + self._missing]
                content.append(chunk)
                self._missing -= len(chunk)
                at += len(chunk)
                self._afterChunk = not self._missing
                continue
            end = data.find(b"\n", at) + 1 or len(data)
            self._line += data[at:end]
            at = end
            if len(self._line) > self._maxLine or (
                self._afterChunk and not b"\r\n".startswith(self._line)
            ):
                self.ended = True
            elif self._line.endswith(b"\n"):
                line, self._line = self._line, b""
                self._lineReceived(line)
        return b"".join(content)

    def _lineReceived(self, line: bytes) -> None:
        size = _SIZE_LINE.fullmatch(line.removesuffix(b"\r\n"))
        if self._afterChunk:
            self._afterChunk = False
        elif self._trailer >= 0:
            self._trailer += len(line)
            self.ended = line == b"\r\n" or self._trailer > self._maxLine
        elif size is None or not line.endswith(b"\r\n"):
            self.ended = True
        elif int(size[1], 16) == 0:
            self._trailer = 0
        else:
            self._missing = int(size[1], 16)
