# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
permessage-deflate (RFC 7692) by L{zlib} alone: what a peer makes of messages, what it
reads of ours, and what it agrees on.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.wire import BINARY, BINARY_BEGINS, CONTINUES, ENDS, TEXT, TEXT_BEGINS
from twisted_ws.extensions import PerMessageDeflate

from .strict import Inflate

RSV1 = 0x40
TAIL = b"\x00\x00\xff\xff"
"""
What is left out at the end of a message.
"""
FINAL_BLOCK = b"\x01\x00\x00\xff\xff"
"""
An empty block that ends compressed data.
"""
CTEXT, CBINARY = TEXT | RSV1, BINARY | RSV1
CTEXT_BEGINS, CBINARY_BEGINS = TEXT_BEGINS | RSV1, BINARY_BEGINS | RSV1
"""
First bytes of compressed frames.
"""

HELLO = bytes.fromhex("f248cdc9c90700")
"""
The example of RFC 7692 section 7.2.3.1.
"""
NOISE = Random(7692).randbytes(1200)
"""
What cannot be compressed.
"""
PROSE = (
    "Thrice the brinded cat hath mew'd. Thrice, and once the hedge-pig whined. " * 40
)
EURO = "\u20ac\U0001f600"


_STEP = 16


class Compressor:
    """
    What a peer compresses its messages with (RFC 7692 section 7.2.1).
    """

    def __init__(self, bits: int = 15, level: int = 6, strategy: int = 0) -> None:
        self._compressor = zlib.compressobj(level, zlib.DEFLATED, -bits, 8, strategy)

    def flush(self, data: bytes, mode: int = zlib.Z_SYNC_FLUSH) -> bytes:
        """
        @return: C{data}, compressed as far as it goes.
        """
        return self._compressor.compress(data) + self._compressor.flush(mode)

    def message(self, data: bytes) -> bytes:
        """
        @return: a whole message.
        """
        compressed = self.flush(data)
        assert compressed.endswith(TAIL)
        return compressed[:-4]


def compressed(*messages: bytes, **how: int) -> list[bytes]:
    """
    @return: these messages, each of which may refer to those before.
    """
    compressor = Compressor(**how)
    return [compressor.message(each) for each in messages]


class StrictInflater:
    """
    Decompresses what our side sends (RFC 7692 section 7.2.2), and remembers no more
    than was agreed on.
    """

    def __init__(self, bits: int, forgets: bool) -> None:
        self._bits = bits
        self._forgets = forgets
        self._decompressor = zlib.decompressobj(-bits)

    def inflate(self, payload: bytes) -> bytes:
        """
        @raise AssertionError: when it is not as RFC 7692 has it.
        """
        assert payload, "7.2.3.6: an empty message has one byte at least"
        decompressor = self._decompressor
        data = []
        # In small steps: zlib can refer to all that it gives out in one.
        rest = payload + TAIL
        while True:
            data.append(decompressor.decompress(rest, _STEP))
            rest = decompressor.unconsumed_tail
            if not rest and not data[-1]:
                break
        assert not decompressor.eof, "7.2.1: a final block"
        ending = decompressor.copy()
        ending.decompress(FINAL_BLOCK)
        assert ending.eof and not ending.unused_data, "7.2.1: no end of a block"
        if self._forgets:
            self._decompressor = zlib.decompressobj(-self._bits)
        return b"".join(data)


@dataclass(frozen=True)
class Agreement:
    """
    What both sides have agreed on.

    @ivar ourBits: how far back our side refers: two to this power bytes.
    @ivar theirBits: likewise the peer.
    @ivar weForget: whether our side begins each message without those before.
    @ivar theyForget: likewise the peer.
    """

    ourBits: int = 15
    theirBits: int = 15
    weForget: bool = False
    theyForget: bool = False

    def field(self, isServer: bool) -> bytes:
        """
        @return: a header line with this, as it is offered and as it is answered.
        """
        us, them = ("server", "client") if isServer else ("client", "server")
        words = ["permessage-deflate"]
        for side, bits, forgets in (
            (us, self.ourBits, self.weForget),
            (them, self.theirBits, self.theyForget),
        ):
            if forgets:
                words.append(f"{side}_no_context_takeover")
            if bits < 15:
                words.append(f"{side}_max_window_bits={bits}")
        return f"Sec-WebSocket-Extensions: {'; '.join(words)}".encode()

    def options(self, isServer: bool, how: Mapping[str, Any]) -> dict[str, Any]:
        """
        @param how: more that our side's compression is told.
        @return: what has our side agree.
        """
        ours, theirs = ("server", "client") if isServer else ("client", "server")
        agreed = {
            f"{ours}MaxWindowBits": self.ourBits,
            f"{theirs}MaxWindowBits": self.theirBits,
            f"{ours}NoContextTakeover": self.weForget,
            f"{theirs}NoContextTakeover": self.theyForget,
            "windowBits": 15,
            "memLevel": 8,
            "threshold": 0,
        }
        return {"extensions": (PerMessageDeflate(**{**agreed, **how}),)}

    def inflater(self) -> Inflate:
        """
        @return: what undoes our side's compression.
        """
        return StrictInflater(self.ourBits, self.weForget).inflate


NOTHING_SPECIAL = Agreement()


def hexed(*frames: tuple[int, str]) -> tuple[tuple[int, bytes], ...]:
    """
    @return: frames whose payload is written in hexadecimal.
    """
    return tuple((first, bytes.fromhex(payload)) for first, payload in frames)


def cut(
    payload: bytes, *sizes: int, first: int = CTEXT_BEGINS
) -> tuple[tuple[int, bytes], ...]:
    """
    @return: a message in fragments of these sizes, and one with the rest.
    """
    frames = []
    for size in sizes:
        frames.append((first, payload[:size]))
        first, payload = CONTINUES, payload[size:]
    return (*frames, (ENDS | first, payload))


def flushed(*parts: bytes, mode: int = zlib.Z_SYNC_FLUSH) -> bytes:
    """
    @return: a message whose compression was flushed after each of these parts.
    """
    compressor = Compressor()
    return b"".join(compressor.flush(each, mode) for each in parts).removesuffix(TAIL)


def finished(data: bytes) -> bytes:
    """
    @return: a message that ends with a final block.
    """
    return Compressor().flush(data, zlib.Z_FINISH) + b"\x00"


def many(count: int) -> list[str]:
    """
    @return: so many messages that are like each other.
    """
    return [f'{{"event": "tick", "number": {n}}}' for n in range(count)]
