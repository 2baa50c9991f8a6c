# -*- test-case-name: tests.test_race_messages -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The bytes that the load sends, and those that it has to get back.
"""

from __future__ import annotations

import json
import random
import string
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from .workloads import Workload

MASK = b"\x37\xfa\x21\x3d"
"""
The mask of all frames: what it is makes no difference to who takes it off.
"""

KINDS = 8
"""
How many messages there are that take turns: so that one in the place of another is
noticed.
"""

KINDS_OF_JSON = 128
"""
Likewise, where they are compressed: more than any window holds, or with context
takeover one would be found again as a whole, as no application's are.
"""

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


@dataclass(frozen=True)
class Message:
    """
    One of those that take turns.

    @ivar payload: what the server's application gets, and sends.
    @ivar wire: what is sent to the server.
    @ivar isText: text, not binary.
    @ivar isCompressed: whether the payload on the wire is not C{payload}, and that
        which comes back need not be the same.
    """

    payload: bytes
    wire: bytes
    isText: bool = False
    isCompressed: bool = False

    def packed(self) -> bytes:
        """
        @return: how the load reads it from a file: two sizes and the flags first.
        """
        flags = self.isText | self.isCompressed << 1
        sizes = struct.pack("=IIB", len(self.wire), len(self.payload), flags)
        return sizes + self.wire + self.payload


def masked(data: bytes) -> bytes:
    """
    @return: the data with the mask put on, or taken off.
    """
    repeated = MASK * (len(data) // 4 + 1)
    number = int.from_bytes(data, "big") ^ int.from_bytes(repeated[: len(data)], "big")
    return number.to_bytes(len(data), "big")


def frame(first: int, payload: bytes) -> bytes:
    """
    @param first: the first byte of the frame.
    @return: a client's frame.
    """
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", first, 0x80 | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", first, 0xFE, size)
    else:
        head = struct.pack("!BBQ", first, 0xFF, size)
    return head + MASK + masked(payload)


def frames(payload: bytes, isText: bool, isCompressed: bool, count: int) -> bytes:
    """
    @return: a message of so many frames.
    """
    size = -(-len(payload) // count)
    parts = [payload[at : at + size] for at in range(0, len(payload), size)]
    wire = b""
    for number, part in enumerate(parts):
        first = 0x80 if number == len(parts) - 1 else 0
        if number == 0:
            first |= (1 if isText else 2) | (0x40 if isCompressed else 0)
        wire += frame(first, part)
    return wire


def compress(payload: bytes) -> bytes:
    """
    @return: the payload as permessage-deflate has it, with nothing in it that refers to
        messages before: that is right with context takeover and without.
    """
    deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
    data = deflate.compress(payload) + deflate.flush(zlib.Z_SYNC_FLUSH)
    return data.removesuffix(b"\0\0\xff\xff")


def someJSON(size: int, chance: random.Random) -> bytes:
    """
    @return: an object of JSON with so many bytes: what came from a market, say.
    """
    items: list[dict[str, object]] = []
    while len(json.dumps({"type": "update", "items": items})) < size:
        items.append(
            {
                "id": chance.randrange(10**6),
                "symbol": "".join(chance.choices(string.ascii_uppercase, k=4)),
                "price": round(chance.uniform(10, 500), 2),
                "quantity": chance.randrange(1000),
                "side": chance.choice(("buy", "sell")),
            }
        )
    items.pop()
    text = json.dumps({"type": "update", "items": items, "": ""})
    return text.replace('""}', f'"{"-" * (size - len(text))}"}}').encode()[:size]


def payloads(workload: Workload) -> Iterator[bytes]:
    """
    @return: those that take turns; the same each time.
    """
    chance = random.Random(workload.size)
    kinds = KINDS_OF_JSON if workload.isJSON else KINDS
    for _ in range(kinds if workload.size < 1 << 16 else 1):
        if workload.isJSON:
            yield someJSON(workload.size, chance)
        elif workload.isText:
            yield "".join(
                chance.choices(string.ascii_letters, k=workload.size)
            ).encode()
        else:
            yield chance.randbytes(workload.size)


def messagesFor(workload: Workload, isRaw: bool) -> list[Message]:
    """
    @param isRaw: for a server that knows nothing of frames.
    """
    if isRaw:
        return [Message(payload, payload) for payload in payloads(workload)]
    deflated = bool(workload.offer)
    return [
        Message(
            payload,
            frames(
                compress(payload) if deflated else payload,
                workload.isText,
                deflated,
                workload.fragments,
            ),
            workload.isText,
            deflated,
        )
        for payload in payloads(workload)
    ]


def requestFor(workload: Workload) -> bytes:
    """
    @return: the head of the opening handshake.
    """
    lines = [
        "GET / HTTP/1.1",
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {KEY}",
        "Sec-WebSocket-Version: 13",
    ]
    if workload.offer:
        lines.append(f"Sec-WebSocket-Extensions: {workload.offer}")
    return "\r\n".join([*lines, "", ""]).encode()
