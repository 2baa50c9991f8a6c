# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
RFC 7692 sections 6 and 7.2, and RFC 6455 section 10.4: compressed messages that are
damaged, or too large, or where none may be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.wire import BINARY, CLOSE, CONTINUES, ENDS, PING, PONG, TEXT, TEXT_BEGINS

from .deflate import (
    CBINARY,
    CBINARY_BEGINS,
    CTEXT,
    CTEXT_BEGINS,
    HELLO,
    NOISE,
    RSV1,
    TAIL,
    Agreement,
    compressed,
    cut,
    finished,
    flushed,
)
from .deflating import DeflateRow
from .parts import Part, Piece, closeFrame, start
from .row import Closed, Fails
from .strict import Ping
from .table import RowTests

BAD = Fails(1002)
DAMAGED = Fails(1007)
BEGUN = (CTEXT_BEGINS, HELLO[:3])
SIZE, FRAME, FRAGMENTS = (
    "maxReceivedMessageSize",
    "maxReceivedFrameSize",
    "maxReceivedFragments",
)
ALLOWANCE = 65536
"""
What a compressed message may have over C{maxReceivedMessageSize}.
"""
NOTHING: Mapping[str, Any] = {}
EMPTY_BLOCK = b"\x00\x00\x00\xff\xff"

BITS = [
    *[
        DeflateRow(
            f"RFC 7692 6 RSV1 on {name}", (*before, start(first | RSV1)), (), BAD
        )
        for name, before, first in (
            ("a continuation", (BEGUN,), CONTINUES),
            ("a last fragment", (BEGUN,), ENDS),
            (
                "a continuation of what is not compressed",
                ((TEXT_BEGINS, b"a"),),
                CONTINUES,
            ),
            ("a continuation of nothing", (), ENDS),
            ("a ping", (), PING),
            ("a ping between fragments", (BEGUN,), PING),
            ("a pong", (), PONG),
            ("a close", (), CLOSE),
            ("a reserved opcode", (), 0x83),
            ("a reserved control opcode", (), 0x8B),
            ("a message within a message", (BEGUN,), TEXT),
        )
    ],
    *[
        DeflateRow(
            f"5.2 reserved bits {bits:03b} and compression",
            (start(0x81 | bits << 4, b"a"),),
            (),
            BAD,
        )
        for bits in (1, 2, 3, 5, 6, 7)
    ],
    DeflateRow(
        "5.2 RSV2 after a compressed message",
        ((CTEXT, HELLO), start(0xA1)),
        ("Hello",),
        BAD,
    ),
    DeflateRow(
        "5.2 RSV3 on a continuation and compression", (BEGUN, start(0x90)), (), BAD
    ),
    DeflateRow(
        "5.4 message that is not compressed within one that is",
        (BEGUN, start(TEXT)),
        (),
        BAD,
    ),
    DeflateRow(
        "5.1 wrong mask bit and compression", (start(CTEXT, wrongMask=True),), (), BAD
    ),
    DeflateRow(
        "5.5 ping of 126 bytes and compression", (start(PING, bytes(126)),), (), BAD
    ),
    DeflateRow("7.4.1 bad close code and compression", (closeFrame(1005),), (), BAD),
]
"""
Bits that no compressed message has there, and what compression does not change.
"""

BROKEN = [
    *[
        DeflateRow(f"RFC 7692 7.2.2 {name}", ((CBINARY, payload),), (), DAMAGED)
        for name, payload in (
            ("reserved block type", b"\x06"),
            ("reserved final block type", b"\x07"),
            ("reserved block type after a block", HELLO[:-1] + b"\x06"),
            (
                "stored block with a wrong complement",
                bytes.fromhex("000500faee48656c6c6f00"),
            ),
            ("stored block cut off", bytes.fromhex("000500faff4865")),
            ("stored block without a length", bytes.fromhex("000500")),
            ("fixed block cut off", HELLO[:3]),
            ("dynamic block cut off", compressed(bytes(range(256)) * 9)[0][:40]),
            ("reference to nothing", bytes.fromhex("f200110000")),
            (
                "reference too far back",
                compressed(NOISE[:300], b"ab" + NOISE[:300])[1],
            ),
            ("bytes that are all ones", b"\xff" * 20),
            ("noise", NOISE[4:200]),
            (
                "text that is not compressed",
                b"Hello, world, this is no compressed data",
            ),
            ("junk behind a final block", finished(b"Hello")[:-1] + b"\xff\xff"),
            ("header of zlib", b"\x78\x9c" + HELLO),
            ("header of gzip", bytes.fromhex("1f8b08000000000000ff") + HELLO),
        )
    ],
    DeflateRow(
        "RFC 7692 7.2.2 damage in the first fragment",
        ((CBINARY_BEGINS, b"\x06"),),
        (),
        DAMAGED,
    ),
    DeflateRow(
        "RFC 7692 7.2.2 damage in the second fragment",
        ((CBINARY_BEGINS, flushed(b"Hello") + TAIL), (CONTINUES, b"\x06")),
        (),
        DAMAGED,
    ),
    DeflateRow(
        "RFC 7692 7.2.2 last fragment missing",
        (*cut(HELLO, 2)[:1], (ENDS, b"")),
        (),
        DAMAGED,
    ),
    DeflateRow(
        "RFC 7692 7.2.2 damage after messages",
        ((CTEXT, HELLO), (PING, b"p"), (TEXT, b"a"), (CTEXT, b"\x06")),
        ("Hello", Ping(b"p"), "a"),
        DAMAGED,
    ),
    DeflateRow(
        "RFC 7692 7.1.1 reference to a message before a final block",
        ((CTEXT, finished(b"Hello")), (CTEXT, bytes.fromhex("f200110000"))),
        ("Hello",),
        DAMAGED,
    ),
    DeflateRow(
        "RFC 7692 7.1.1 reference where the peer forgets",
        tuple((CTEXT, each) for each in (HELLO, bytes.fromhex("f200110000"))),
        ("Hello",),
        DAMAGED,
        agreed=Agreement(theyForget=True),
    ),
    DeflateRow(
        "RFC 7692 7.1.2 reference behind their window of 9 bits",
        tuple((CBINARY, each) for each in compressed(NOISE[:600], NOISE[:80])),
        (NOISE[:600],),
        DAMAGED,
        agreed=Agreement(theirBits=9),
    ),
    DeflateRow(
        "RFC 7692 7.1.2 reference behind their window of 8 bits",
        tuple((CBINARY, each) for each in compressed(NOISE[:300], NOISE[:40])),
        (NOISE[:300],),
        DAMAGED,
        agreed=Agreement(theirBits=8),
    ),
    *[
        DeflateRow(f"8.1 {name} in compressed text", (*pieces,), (), DAMAGED)
        for name, pieces in (
            ("a bad byte", ((CTEXT, compressed(b"abc\xff")[0]),)),
            ("a surrogate", ((CTEXT, compressed(b"\xed\xa0\x80")[0]),)),
            ("an overlong form", ((CTEXT, compressed(b"\xc0\xaf")[0]),)),
            ("a character cut off", ((CTEXT, compressed(b"abc\xe2\x82")[0]),)),
            (
                "a character cut off at the end of fragments",
                cut(compressed(b"abc\xe2\x82")[0], 4),
            ),
            (
                "a bad byte in the first fragment",
                ((CTEXT_BEGINS, flushed(b"abc\xff") + TAIL),),
            ),
            (
                "a surrogate in the first fragment",
                ((CTEXT_BEGINS, flushed(b"abc\xed\xa0") + TAIL),),
            ),
            (
                "a bad byte in the last fragment",
                cut(flushed(b"\xe2", b"A"), len(flushed(b"\xe2") + TAIL)),
            ),
        )
    ],
    DeflateRow("8.1 bad text that is not compressed", ((TEXT, b"\xff"),), (), DAMAGED),
    DeflateRow(
        "8.1 compressed text that is not in the frame after it",
        ((CTEXT, HELLO), (TEXT, HELLO)),
        ("Hello",),
        DAMAGED,
    ),
]
"""
Data that is damaged, and text that is none.
"""


def tooBig(
    name: str,
    pieces: tuple[Piece, ...],
    option: str = SIZE,
    early: int = 0,
    how: Mapping[str, Any] = NOTHING,
    **options: Any,
) -> DeflateRow:
    """
    @return: a row that is refused with 1009.
    """
    end = Fails(1009, option, early)
    return DeflateRow(f"10.4 {name}", pieces, (), end, options, how=how)


LIMITS = [
    *[
        DeflateRow(f"10.4 {name}", pieces, events, options=options, how=how)
        for name, pieces, events, options, how in (
            (
                "zeros at the limit",
                ((CBINARY, compressed(bytes(1000))[0]),),
                (bytes(1000),),
                {SIZE: 1000},
                {},
            ),
            (
                "noise at the limit",
                ((CBINARY, compressed(NOISE)[0]),),
                (NOISE,),
                {SIZE: len(NOISE)},
                {},
            ),
            (
                "fragments at the limit",
                cut(compressed(bytes(1000))[0], 3, 3, first=CBINARY_BEGINS),
                (bytes(1000),),
                {SIZE: 1000},
                {},
            ),
            (
                "two messages at the limit",
                ((CBINARY, compressed(bytes(1000))[0]),) * 2,
                (bytes(1000),) * 2,
                {SIZE: 1000},
                {},
            ),
            (
                "not compressed at the limit",
                ((BINARY, bytes(1000)),),
                (bytes(1000),),
                {SIZE: 1000},
                {},
            ),
            (
                "longer on the wire than the limit",
                ((CBINARY, flushed(*[b"x"] * 100)),),
                (b"x" * 100,),
                {SIZE: 100},
                {},
            ),
            (
                "message over the limit of a frame",
                ((CBINARY, compressed(bytes(1000))[0]),),
                (bytes(1000),),
                {FRAME: 100},
                {},
            ),
            (
                "64 KiB have no ratio",
                ((CBINARY, compressed(bytes(65536))[0]),),
                (bytes(65536),),
                {},
                {"maxRatio": 2},
            ),
            (
                "no ratio",
                ((CBINARY, compressed(bytes(200000), level=9)[0]),),
                (bytes(200000),),
                {},
                {"maxRatio": None},
            ),
            (
                "ratio that is kept",
                ((CBINARY, compressed(NOISE[:50] * 1500)[0]),),
                (NOISE[:50] * 1500,),
                {},
                {"maxRatio": 300},
            ),
            (
                "empty blocks within the allowance",
                ((CBINARY, EMPTY_BLOCK * 400 + HELLO),),
                (b"Hello",),
                {SIZE: 10},
                {},
            ),
        )
    ],
    tooBig(
        "one zero over the limit",
        ((CBINARY, compressed(bytes(1001))[0]),),
        **{SIZE: 1000},
    ),
    tooBig(
        "noise one byte over the limit",
        ((CBINARY, compressed(NOISE)[0]),),
        **{SIZE: len(NOISE) - 1},
    ),
    tooBig(
        "a bomb", ((CBINARY, compressed(bytes(1 << 20), level=9)[0]),), **{SIZE: 1000}
    ),
    tooBig(
        "a bomb of text",
        ((CTEXT, compressed(b"a" * (1 << 20), level=9)[0]),),
        **{SIZE: 1000},
    ),
    tooBig(
        "a bomb in its first fragment",
        ((CBINARY_BEGINS, compressed(bytes(1 << 20), level=9)[0]),),
        **{SIZE: 1000},
    ),
    tooBig(
        "second fragment over the limit",
        (
            (CBINARY_BEGINS, flushed(bytes(600)) + TAIL),
            (CONTINUES, compressed(bytes(401))[0]),
        ),
        **{SIZE: 1000},
    ),
    tooBig("not compressed over the limit", ((BINARY, bytes(1001)),), **{SIZE: 1000}),
    tooBig(
        "fragments that are not compressed over the limit",
        ((0x02, bytes(600)), (ENDS, bytes(401))),
        **{SIZE: 1000},
    ),
    tooBig(
        "over the ratio",
        ((CBINARY, compressed(bytes(200000), level=9)[0]),),
        "maxRatio",
        how={"maxRatio": 400},
    ),
    tooBig(
        "over the ratio by one byte",
        ((CBINARY, compressed(bytes(65537))[0]),),
        "maxRatio",
        how={"maxRatio": 2},
    ),
    tooBig(
        "frame over the allowance",
        (Part(CBINARY, announced=1000 + ALLOWANCE + 1, cut=14),),
        early=4,
        **{SIZE: 1000},
    ),
    tooBig(
        "fragment over the allowance",
        (
            (CBINARY_BEGINS, EMPTY_BLOCK * 100),
            Part(CONTINUES, announced=1000 + ALLOWANCE - 499, cut=14),
        ),
        early=4,
        **{SIZE: 1000},
    ),
    tooBig(
        "compressed frame over its limit",
        (Part(CBINARY, announced=10),),
        FRAME,
        early=4,
        **{FRAME: 9},
    ),
    tooBig(
        "compressed frame of 2 to the 63 less 1",
        (Part(CBINARY, announced=(1 << 63) - 1),),
        early=4,
    ),
    DeflateRow(
        "10.4 a bomb after messages",
        ((CTEXT, HELLO), (PING, b"p"), (CBINARY, compressed(bytes(1001))[0])),
        ("Hello", Ping(b"p")),
        Fails(1009, SIZE),
        {SIZE: 1000},
    ),
    DeflateRow(
        "10.4 as many compressed fragments as may be",
        cut(HELLO, 3, 2),
        ("Hello",),
        options={FRAGMENTS: 3},
    ),
    DeflateRow(
        "10.4 one compressed fragment too many",
        (*cut(HELLO, 3, 2, 1)[:3], Part(ENDS, announced=1)),
        (),
        Fails(1008, FRAGMENTS, 4),
        {FRAGMENTS: 3},
    ),
    DeflateRow(
        "10.4 close with a long reason and compression",
        (closeFrame(1000, b"x" * 123),),
        (),
        Closed(1000, "x" * 123),
        {SIZE: 10},
    ),
]
"""
What is too much: counted when it is decompressed, and on the wire.
"""


class CompressionRefusedTests(RowTests, rows=[*BITS, *BROKEN, *LIMITS]):
    """
    What compression cannot make good is refused, and what it could make large is not
    made.
    """
