# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
RFC 7692 sections 6 and 7.2: compressed messages that are as they should be.
"""

from __future__ import annotations

import zlib

from tests.wire import BINARY, CONTINUES, ENDS, PING, PONG, TEXT, TEXT_BEGINS

from .deflate import (
    CBINARY,
    CBINARY_BEGINS,
    CTEXT,
    CTEXT_BEGINS,
    EURO,
    HELLO,
    NOISE,
    PROSE,
    Agreement,
    compressed,
    cut,
    finished,
    flushed,
    hexed,
    many,
)
from .deflating import DeflateRow
from .parts import closeFrame
from .row import Closed
from .strict import Ping, Pong
from .table import RowTests

EXAMPLES = [
    DeflateRow("RFC 7692 7.2.3.1 one block", ((CTEXT, HELLO),), ("Hello",)),
    DeflateRow(
        "RFC 7692 7.2.3.1 one block in two fragments",
        hexed((CTEXT_BEGINS, "f248cd"), (ENDS, "c9c90700")),
        ("Hello",),
    ),
    DeflateRow(
        "RFC 7692 7.2.3.2 shared window",
        hexed((CTEXT, "f248cdc9c90700"), (CTEXT, "f200110000")),
        ("Hello", "Hello"),
    ),
    DeflateRow(
        "RFC 7692 7.2.3.2 window that could be shared",
        ((CTEXT, HELLO), (CTEXT, HELLO)),
        ("Hello", "Hello"),
    ),
    DeflateRow(
        "RFC 7692 7.2.3.3 no compression",
        hexed((CTEXT, "000500faff48656c6c6f00")),
        ("Hello",),
    ),
    DeflateRow(
        "RFC 7692 7.2.3.4 final block", hexed((CTEXT, "f348cdc9c9070000")), ("Hello",)
    ),
    DeflateRow(
        "RFC 7692 7.2.3.4 final block and another message",
        (*hexed((CTEXT, "f348cdc9c9070000")), (CTEXT, HELLO)),
        ("Hello", "Hello"),
    ),
    DeflateRow(
        "RFC 7692 7.2.3.4 final block in fragments",
        hexed((CTEXT_BEGINS, "f348"), (CONTINUES, "cdc9c907"), (ENDS, "0000")),
        ("Hello",),
    ),
    DeflateRow(
        "RFC 7692 7.2.3.5 two blocks",
        hexed((CTEXT, "f248050000 00ffffcac9c90700")),
        ("Hello",),
    ),
    DeflateRow(
        "RFC 7692 7.2.3.5 two blocks in fragments",
        hexed((CTEXT_BEGINS, "f24805000000ffff"), (ENDS, "cac9c90700")),
        ("Hello",),
    ),
    DeflateRow("RFC 7692 7.2.3.6 empty", hexed((CTEXT, "00")), ("",)),
    DeflateRow("RFC 7692 7.2.3.6 empty binary", hexed((CBINARY, "00")), (b"",)),
    DeflateRow("RFC 7692 7.2.3.6 empty fixed block", hexed((CTEXT, "0200")), ("",)),
    DeflateRow(
        "RFC 7692 7.2.3.6 empty in fragments",
        hexed((CTEXT_BEGINS, ""), (ENDS, "00")),
        ("",),
    ),
]
"""
Section 7.2.3.
"""

FRAMES = [
    DeflateRow(
        "RFC 7692 6 not compressed",
        ((TEXT, b"Hello"), (BINARY, b"\xff")),
        ("Hello", b"\xff"),
    ),
    DeflateRow(
        "RFC 7692 6 not compressed in fragments",
        ((TEXT_BEGINS, b"He"), (CONTINUES, b""), (ENDS, b"llo")),
        ("Hello",),
    ),
    DeflateRow(
        "RFC 7692 6 compressed and not in turns",
        (
            (CTEXT, HELLO),
            (TEXT, b"a"),
            *hexed((CTEXT, "f200110000")),
            (BINARY, b"b"),
            (CTEXT, HELLO),
        ),
        ("Hello", "a", "Hello", b"b", "Hello"),
    ),
    DeflateRow(
        "RFC 7692 6.1 a fragment for each byte", cut(HELLO, *[1] * 6), ("Hello",)
    ),
    DeflateRow("RFC 7692 6.1 first fragment empty", cut(HELLO, 0), ("Hello",)),
    DeflateRow(
        "RFC 7692 6.1 middle fragments empty", cut(HELLO, 3, 0, 0, 2), ("Hello",)
    ),
    DeflateRow("RFC 7692 6.1 last fragment empty", cut(HELLO, 7), ("Hello",)),
    DeflateRow(
        "RFC 7692 6.1 all fragments empty but one", cut(HELLO, 0, 0, 7, 0), ("Hello",)
    ),
    DeflateRow(
        "RFC 7692 6.1 two messages in fragments",
        (*cut(HELLO, 2), *cut(HELLO, 5)),
        ("Hello", "Hello"),
    ),
    DeflateRow(
        "RFC 7692 6.1 ping between fragments",
        (cut(HELLO, 3)[0], (PING, b"p"), cut(HELLO, 3)[1]),
        (Ping(b"p"), "Hello"),
    ),
    DeflateRow(
        "RFC 7692 6.1 control between all fragments",
        (
            (CTEXT_BEGINS, HELLO[:1]),
            (PING, b"1"),
            (CONTINUES, HELLO[1:4]),
            (PONG, b"2"),
            (CONTINUES, b""),
            (PING, b"3"),
            (ENDS, HELLO[4:]),
        ),
        (Ping(b"1"), Pong(b"2"), Ping(b"3"), "Hello"),
    ),
    DeflateRow(
        "RFC 7692 6.1 close between fragments",
        (cut(HELLO, 3)[0], closeFrame(1000, b"bye")),
        (),
        Closed(1000, "bye"),
    ),
    DeflateRow(
        "RFC 7692 6.1 ping that looks compressed", ((PING, HELLO),), (Ping(HELLO),)
    ),
    DeflateRow(
        "RFC 7692 6.1 close after a message",
        ((CTEXT, HELLO), closeFrame(1001)),
        ("Hello",),
        Closed(1001),
    ),
]
"""
Section 6.
"""

DATA = [
    *[
        DeflateRow(f"RFC 7692 7.2.1 {name}", ((first, payload),), (message,))
        for name, first, payload, message in (
            ("long text", CTEXT, compressed(PROSE.encode())[0], PROSE),
            ("text of Unicode", CTEXT, compressed(EURO.encode() * 50)[0], EURO * 50),
            ("what cannot be compressed", CBINARY, compressed(NOISE)[0], NOISE),
            ("zeros", CBINARY, compressed(bytes(60000))[0], bytes(60000)),
            ("all bytes", CBINARY, compressed(bytes(range(256)))[0], bytes(range(256))),
            ("level 1", CTEXT, compressed(PROSE.encode(), level=1)[0], PROSE),
            ("level 9", CTEXT, compressed(PROSE.encode(), level=9)[0], PROSE),
            ("level 0", CTEXT, compressed(PROSE.encode(), level=0)[0], PROSE),
            (
                "Huffman codes alone",
                CTEXT,
                compressed(PROSE.encode(), strategy=zlib.Z_HUFFMAN_ONLY)[0],
                PROSE,
            ),
            (
                "runs alone",
                CTEXT,
                compressed(PROSE.encode(), strategy=zlib.Z_RLE)[0],
                PROSE,
            ),
            (
                "fixed codes",
                CTEXT,
                compressed(PROSE.encode(), strategy=zlib.Z_FIXED)[0],
                PROSE,
            ),
            ("small window", CTEXT, compressed(PROSE.encode(), bits=9)[0], PROSE),
            ("flush within", CTEXT, flushed(b"one", b"two", b"three"), "onetwothree"),
            (
                "full flush within",
                CTEXT,
                flushed(b"one", b"one", b"one", mode=zlib.Z_FULL_FLUSH),
                "oneoneone",
            ),
            (
                "flush of nothing within",
                CTEXT,
                flushed(b"one", b"", b"", b"one"),
                "oneone",
            ),
            ("final block of long text", CTEXT, finished(PROSE.encode()), PROSE),
            (
                "two final blocks",
                CTEXT,
                finished(b"one")[:-1] + finished(b"two"),
                "onetwo",
            ),
            (
                "final block and one that is not",
                CTEXT,
                finished(b"one")[:-1] + compressed(b"two")[0],
                "onetwo",
            ),
        )
    ],
    DeflateRow(
        "RFC 7692 7.2.1 long text in fragments",
        cut(compressed(PROSE.encode())[0], 20, 1, 30),
        (PROSE,),
    ),
    DeflateRow(
        "RFC 7692 7.2.1 noise in fragments",
        cut(compressed(NOISE)[0], 400, 400, first=CBINARY_BEGINS),
        (NOISE,),
    ),
    DeflateRow(
        "8.1 character in two fragments",
        cut(flushed(b"\xe2", b"\x82\xac"), len(flushed(b"\xe2"))),
        ("\u20ac",),
    ),
    DeflateRow(
        "8.1 character in two flushes",
        ((CTEXT, flushed(b"\xf0\x9f", b"\x98", b"\x80")),),
        ("\U0001f600",),
    ),
    DeflateRow(
        "8.1 binary that is not UTF 8",
        ((CBINARY, compressed(b"\xff\xfe")[0]),),
        (b"\xff\xfe",),
    ),
]
"""
Section 7.2.1: ways to compress.
"""

FORGETFUL = Agreement(weForget=True, theyForget=True)
CONTEXTS = [
    DeflateRow(
        "RFC 7692 7.1.1 fifty messages in one context",
        tuple((CTEXT, each) for each in compressed(*[m.encode() for m in many(50)])),
        tuple(many(50)),
    ),
    DeflateRow(
        "RFC 7692 7.1.1 context that is not used",
        tuple((CTEXT, compressed(m.encode())[0]) for m in many(5)),
        tuple(many(5)),
    ),
    DeflateRow(
        "RFC 7692 7.1.1 context over plain messages and pings",
        ((CTEXT, HELLO), (TEXT, b"a"), (PING, b"b"), *hexed((CTEXT, "f200110000"))),
        ("Hello", "a", Ping(b"b"), "Hello"),
    ),
    DeflateRow(
        "RFC 7692 7.1.1.1 nobody remembers",
        tuple((CTEXT, compressed(m.encode())[0]) for m in many(5)),
        tuple(many(5)),
        agreed=FORGETFUL,
    ),
    DeflateRow(
        "RFC 7692 7.1.1.1 final blocks where nobody remembers",
        ((CTEXT, finished(b"one")), (CTEXT, finished(b"two"))),
        ("one", "two"),
        agreed=FORGETFUL,
    ),
    DeflateRow(
        "RFC 7692 7.1.1.1 our side forgets",
        tuple((CTEXT, each) for each in compressed(*[m.encode() for m in many(5)])),
        tuple(many(5)),
        agreed=Agreement(weForget=True),
    ),
    DeflateRow(
        "RFC 7692 7.1.1.2 the peer forgets",
        tuple((CTEXT, compressed(m.encode())[0]) for m in many(5)),
        tuple(many(5)),
        agreed=Agreement(theyForget=True),
    ),
    *[
        DeflateRow(
            f"RFC 7692 7.1.2 our window of {bits} bits",
            ((CBINARY, compressed(NOISE + NOISE)[0]),),
            (NOISE + NOISE,),
            agreed=Agreement(ourBits=bits),
        )
        for bits in (8, 9, 10, 15)
    ],
    DeflateRow(
        "RFC 7692 7.1.2 our window of 9 bits over messages",
        ((BINARY, NOISE[:600]), (BINARY, NOISE[:600])),
        (NOISE[:600],) * 2,
        agreed=Agreement(ourBits=9),
    ),
    DeflateRow(
        "RFC 7692 7.1.2 our window of 8 bits over messages",
        ((BINARY, NOISE[:300]), (BINARY, NOISE[:300])),
        (NOISE[:300],) * 2,
        agreed=Agreement(ourBits=8),
    ),
    DeflateRow(
        "RFC 7692 7.1.2 their window of 9 bits",
        tuple((CBINARY, each) for each in compressed(NOISE[:400], NOISE[:400], bits=9)),
        (NOISE[:400],) * 2,
        agreed=Agreement(theirBits=9),
    ),
    DeflateRow(
        "RFC 7692 7.1.2 their window of 10 bits",
        tuple(
            (CBINARY, each) for each in compressed(NOISE[:800], NOISE[:700], bits=10)
        ),
        (NOISE[:800], NOISE[:700]),
        agreed=Agreement(theirBits=10),
    ),
    DeflateRow(
        "RFC 7692 7.1.2 their window of 15 bits",
        tuple((CBINARY, each) for each in compressed(NOISE * 20, NOISE[:100])),
        (NOISE * 20, NOISE[:100]),
    ),
    DeflateRow(
        "RFC 7692 7.1 all parameters",
        tuple((CBINARY, compressed(NOISE[:400], bits=9)[0]) for _ in range(2)),
        (NOISE[:400],) * 2,
        agreed=Agreement(9, 9, True, True),
    ),
]
"""
Section 7.1: contexts, and the size of windows.
"""


class CompressionTests(RowTests, rows=[*EXAMPLES, *FRAMES, *DATA, *CONTEXTS]):
    """
    Compressed messages arrive as what they were, and are sent as they are agreed on.
    """
