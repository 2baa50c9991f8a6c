# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
For the tests of the client: what servers say, built without the code under test.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from hashlib import sha1

Answer = bytes | Callable[[bytes], bytes]
"""
What a server sends: bytes, or a function that makes them from the client's key.
"""


def head(start: str, *fields: str) -> bytes:
    return "\r\n".join([start, *fields, "", ""]).encode("latin-1")


def acceptOf(key: bytes) -> str:
    """
    RFC 6455 section 4.2.2, 5.4.
    """
    guid = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    return b64encode(sha1(key + guid).digest()).decode("ascii")


def switch(
    *more: str,
    start: str = "HTTP/1.1 101 Switching Protocols",
    upgrade: str | None = "Upgrade: websocket",
    connection: str | None = "Connection: Upgrade",
    accept: str | None = "Sec-WebSocket-Accept: {}",
    before: bytes = b"",
    after: bytes = b"",
) -> Callable[[bytes], bytes]:
    """
    @return: what makes the answer that opens a WebSocket, or one that is nearly that.
    """

    def made(key: bytes) -> bytes:
        fields = [line for line in (upgrade, connection) if line is not None]
        if accept is not None:
            fields.append(accept.format(acceptOf(key)))
        return before + head(start, *fields, *more) + after

    return made


def cut(data: Answer, stop: int) -> Answer:
    """
    @return: what C{data} begins with.
    """
    return data[:stop] if isinstance(data, bytes) else lambda key: data(key)[:stop]
