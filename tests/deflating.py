# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
For the tests of permessage-deflate by itself: its two sides, and streams made by
L{zlib} alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import wraps
from typing import Any

from twisted_ws import Frame, PerMessageDeflate
from twisted_ws.extensions import RSV1
from twisted_ws.extensions.implementations import implementationNamed
from twisted_ws.extensions.inflater import Inflater

TEXT, BINARY = 1, 2
TAIL = b"\x00\x00\xff\xff"
EMPTY_BLOCK = b"\x00" + TAIL
LIMIT = 1 << 20
HELLO = bytes.fromhex("f248cdc9c90700")
"""
The example of RFC 7692 section 7.2.3.1.
"""
FINAL = bytes.fromhex("f348cdc9c90700")
"""
The same word in a block that says that it is the last.
"""
IMPLEMENTATIONS = ("zlib", "zlib-ng", "isal")
FORGETFUL = {"serverNoContextTakeover": True, "clientNoContextTakeover": True}


def pair(
    client: PerMessageDeflate | None = None, server: PerMessageDeflate | None = None
) -> tuple[Any, Any]:
    """
    @return: a client's and a server's side that have agreed.
    """
    client = PerMessageDeflate() if client is None else client
    for offer in client.offers():
        accepted = (client if server is None else server).accept(offer)
        if accepted is not None:
            answer, extension = accepted
            return client.accepted(answer), extension
    raise AssertionError("declined")


def compressed(payload: bytes, fin: bool = True, first: bool = True) -> Frame:
    """
    @return: a frame of a compressed message.
    """
    return Frame(TEXT if first else 0, payload, fin, RSV1 if first else 0)


class Stream:
    """
    What a peer sends, made by L{zlib}.
    """

    def __init__(self, bits: int = 15, level: int = 6, **more: int) -> None:
        self._compressor = zlib.compressobj(level, zlib.DEFLATED, -bits, **more)

    def flushed(self, data: bytes, mode: int = zlib.Z_SYNC_FLUSH) -> bytes:
        """
        @return: C{data} compressed, up to the end of a block.
        """
        return self._compressor.compress(data) + self._compressor.flush(mode)

    def message(self, data: bytes) -> bytes:
        """
        @return: the payload of a message.
        """
        made = self.flushed(data)
        assert made.endswith(TAIL)
        return made[:-4]


def inflated(*payloads: bytes, bits: int = 15) -> list[bytes]:
    """
    @return: what L{zlib} makes of messages, with all of its checks.
    """
    decompressor = zlib.decompressobj(-bits)
    made = []
    for payload in payloads:
        made.append(decompressor.decompress(payload + TAIL))
        assert not decompressor.eof and not decompressor.unconsumed_tail
    return made


def inflater(
    forgets: bool = False,
    bits: int = 15,
    maxRatio: int | None = None,
    implementation: str = "zlib",
) -> Inflater:
    """
    @return: one that has read nothing.
    """
    return Inflater(implementationNamed(implementation), bits, forgets, maxRatio)


def read(i: Inflater, *payloads: bytes) -> bytes:
    """
    @return: the message whose frames have these payloads.
    """
    parts = []
    last = len(payloads) - 1
    for at, payload in enumerate(payloads):
        decoded = i.decode(compressed(payload, at == last, at == 0), LIMIT)
        assert decoded[2:4] == (at == last, 0), decoded
        parts.append(decoded.payload)
    return b"".join(parts)


def installed() -> list[str]:
    """
    @return: the implementations that can be tried.
    """
    names = []
    for name in IMPLEMENTATIONS:
        try:
            implementationNamed(name)
        except ValueError:
            continue
        names.append(name)
    return names


def forEachInstalled(test: Callable[[Any, str], None]) -> Callable[[Any], None]:
    """
    Run a test for each implementation that is installed.  Which are not, is told by
    the tests that are skipped in L{tests.test_deflate_implementations}.
    """

    @wraps(test)
    def tried(self: Any) -> None:
        for name in installed():
            test(self, name)

    return tried
