# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
RFC 6455 section 8.1, and RFC 3629: what is UTF-8 and what is not.

Bad text is sent in frames that have more bytes to come; so each row shows that it is
refused at the first byte that no other byte could make good.
"""

from __future__ import annotations

from tests.wire import BINARY, BINARY_BEGINS, CONTINUES, ENDS, PING, TEXT, TEXT_BEGINS

from .parts import Part
from .row import UNFINISHED, Fails, Row
from .strict import Ping
from .table import RowTests

BAD = Fails(1007)

# Names, and characters at the edges of each row of the grammar of RFC 3629 section 4.
CHARACTERS = (
    ("U 0000", "\0"),
    ("U 007F", "\x7f"),
    ("U 0080", "\x80"),
    ("U 07FF", "\u07ff"),
    ("U 0800", "\u0800"),
    ("U 0FFF", "\u0fff"),
    ("U 1000", "\u1000"),
    ("U CFFF", "\ucfff"),
    ("U D000", "\ud000"),
    ("U D7FF", "\ud7ff"),
    ("U E000", "\ue000"),
    ("U FFFD", "\ufffd"),
    ("U FFFE", "\ufffe"),
    ("U FFFF", "\uffff"),
    ("U 10000", "\U00010000"),
    ("U 3FFFF", "\U0003ffff"),
    ("U 40000", "\U00040000"),
    ("U FFFFF", "\U000fffff"),
    ("U 100000", "\U00100000"),
    ("U 10FFFF", "\U0010ffff"),
    ("a byte order mark", "\ufeff"),
    ("a byte order mark within", "a\ufeffb"),
    ("a combining mark alone", "\u0301"),
    ("Greek", "κόσμε"),
    ("one of each size", "$\xa2\u20ac\U00010348"),
)

# Names, and sequences that are wrong with their last byte.
MALFORMED = (
    ("a continuation 80", "80"),
    ("a continuation BF", "bf"),
    ("a continuation after ASCII", "6180"),
    ("a continuation after a character", "c3a980"),
    ("a continuation after three bytes", "e282ac82"),
    ("a continuation after four bytes", "f09f988080"),
    ("the byte C0", "c0"),
    ("the byte C1", "c1"),
    ("the byte F5", "f5"),
    ("the byte F8 of five", "f8"),
    ("the byte FC of six", "fc"),
    ("the byte FE", "fe"),
    ("the byte FF", "ff"),
    ("the byte FF after text", "48656c6c6fff"),
    ("overlong null of three", "e080"),
    ("overlong slash of three", "e09f"),
    ("overlong null of four", "f080"),
    ("overlong U FFFF of four", "f08f"),
    ("surrogate D800", "eda0"),
    ("surrogate DB7F", "edad"),
    ("surrogate DC00", "edb0"),
    ("surrogate DFFF", "edbf"),
    ("a pair of surrogates", "eda0bdedb880"[:4]),
    ("U 110000", "f490"),
    ("U 13FFFF", "f4bf"),
    ("two bytes with a letter for the second", "c341"),
    ("two bytes with a start for the second", "c3c3"),
    ("three bytes with a letter for the second", "e241"),
    ("three bytes with a letter for the third", "e28241"),
    ("three bytes with a start for the third", "e282e2"),
    ("E0 with a letter for the third", "e0a041"),
    ("ED with a letter for the third", "ed9f41"),
    ("four bytes with a letter for the second", "f141"),
    ("four bytes with a letter for the third", "f18041"),
    ("four bytes with a letter for the fourth", "f1808041"),
    ("four bytes with a start for the fourth", "f09f98f0"),
    ("F0 with a letter for the third", "f09041"),
    ("F4 with a letter for the fourth", "f48f8041"),
    ("a byte order mark of UTF 16", "fe"),
    ("Greek and a surrogate", "cebae1bdb9cf83cebcceb5eda0"),
)

# Names, and beginnings of characters.
CUT_OFF = (
    ("one byte of two", "c3"),
    ("one byte of three", "e2"),
    ("two bytes of three", "e282"),
    ("one byte of four", "f0"),
    ("two bytes of four", "f09f"),
    ("three bytes of four", "f09f98"),
    ("two bytes of U D7FF", "ed9f"),
    ("two bytes of U 10FFFF", "f48f"),
)

VALID = [
    *[
        Row(f"RFC 3629 4 {name}", ((TEXT, text.encode()),), (text,))
        for name, text in CHARACTERS
    ],
    *[
        Row(
            f"8.1 a character of {size} bytes cut after {at}",
            ((TEXT_BEGINS, b"a" + text[:at]), (ENDS, text[at:] + b"b")),
            (f"a{text.decode()}b",),
        )
        for size, text in (
            (2, b"\xc3\xa9"),
            (3, b"\xed\x9f\xbf"),
            (4, b"\xf4\x8f\xbf\xbf"),
        )
        for at in range(1, size)
    ],
    Row(
        "8.1 each byte of a text in a fragment",
        (
            (TEXT_BEGINS, b"\xe2"),
            (CONTINUES, b"\x82"),
            (CONTINUES, b"\xac"),
            (CONTINUES, b"\xf0"),
            (CONTINUES, b"\x9f"),
            (CONTINUES, b"\x98"),
            (ENDS, b"\x80"),
        ),
        ("\u20ac\U0001f600",),
    ),
    Row(
        "8.1 empty fragments within a character",
        (
            (TEXT_BEGINS, b"\xe2"),
            (CONTINUES, b""),
            (CONTINUES, b"\x82"),
            (CONTINUES, b""),
            (ENDS, b"\xac"),
        ),
        ("\u20ac",),
    ),
    Row(
        "8.1 ping within a character",
        ((TEXT_BEGINS, b"\xe2"), (PING, b"\xff"), (ENDS, b"\x82\xac")),
        (Ping(b"\xff"), "\u20ac"),
    ),
    Row(
        "8.1 a long text of many sizes",
        ((TEXT, "$\xa2\u20ac\U00010348".encode() * 2000),),
        ("$\xa2\u20ac\U00010348" * 2000,),
    ),
    Row(
        "8.1 an unfinished character in an unfinished frame",
        (Part(TEXT, b"ab\xe2\x82", announced=9),),
        (),
        UNFINISHED,
    ),
    Row(
        "8.1 an unfinished character in an unfinished message",
        ((TEXT_BEGINS, b"ab\xf0\x9f\x98"),),
        (),
        UNFINISHED,
    ),
    Row(
        "8.1 binary that is not UTF-8",
        ((BINARY, b"\xff\xc0\xaf\xed\xa0\x80"),),
        (b"\xff\xc0\xaf\xed\xa0\x80",),
    ),
    Row(
        "8.1 binary fragments that are not UTF-8",
        ((BINARY_BEGINS, b"\xff"), (ENDS, b"\xc0")),
        (b"\xff\xc0",),
    ),
    Row(
        "8.1 text and binary are not mixed up",
        ((TEXT, b"\xc3\xa9"), (BINARY, b"\xc3"), (TEXT, b"\xc3\xa8")),
        ("\xe9", b"\xc3", "\xe8"),
    ),
]
"""
What is UTF-8, and what need not be.
"""

INVALID = [
    *[
        Row(
            f"RFC 3629 3 {name}",
            (Part(TEXT, bytes.fromhex(sequence), announced=100),),
            (),
            BAD,
        )
        for name, sequence in MALFORMED
    ],
    *[
        Row(f"8.1 {name} in a text", ((TEXT, b"a" + bytes.fromhex(sequence)),), (), BAD)
        for name, sequence in CUT_OFF
    ],
    *[
        Row(
            f"8.1 {name} in the last fragment",
            ((TEXT_BEGINS, b"a"), (ENDS, bytes.fromhex(sequence))),
            (),
            BAD,
        )
        for name, sequence in CUT_OFF[:6]
    ],
    *[
        Row(
            f"8.1 {name} and an empty last fragment",
            ((TEXT_BEGINS, bytes.fromhex(sequence)), (ENDS, b"")),
            (),
            BAD,
        )
        for name, sequence in CUT_OFF[:6]
    ],
    Row(
        "8.1 a bad byte in the first fragment",
        (Part(TEXT_BEGINS, b"abc\xff", announced=50),),
        (),
        BAD,
    ),
    Row(
        "8.1 a bad byte at the end of the first fragment",
        ((TEXT_BEGINS, b"abc\xff"),),
        (),
        BAD,
    ),
    Row(
        "8.1 a bad byte in a continuation",
        ((TEXT_BEGINS, b"a"), Part(CONTINUES, b"b\xff", announced=50)),
        (),
        BAD,
    ),
    Row(
        "8.1 a bad byte in the last fragment",
        ((TEXT_BEGINS, b"a"), (CONTINUES, b"b"), Part(ENDS, b"c\xff", announced=50)),
        (),
        BAD,
    ),
    Row(
        "8.1 a bad byte after a character that was cut",
        ((TEXT_BEGINS, b"\xe2"), (CONTINUES, b"\x82"), Part(ENDS, b"A", announced=50)),
        (),
        BAD,
    ),
    Row(
        "8.1 a surrogate cut in the middle",
        ((TEXT_BEGINS, b"\xed"), Part(ENDS, b"\xa0", announced=2)),
        (),
        BAD,
    ),
    Row(
        "8.1 an overlong form cut in the middle",
        ((TEXT_BEGINS, b"\xf0"), Part(ENDS, b"\x8f", announced=3)),
        (),
        BAD,
    ),
    Row(
        "8.1 a bad byte after a ping",
        ((TEXT_BEGINS, b"\xe2"), (PING, b"\x82\xac"), Part(ENDS, b"A", announced=50)),
        (Ping(b"\x82\xac"),),
        BAD,
    ),
    Row(
        "8.1 a bad byte after a message",
        ((TEXT, b"a"), Part(TEXT, b"\xff", announced=50)),
        ("a",),
        BAD,
    ),
    Row(
        "8.1 a bad byte after binary",
        ((BINARY, b"\xff"), Part(TEXT, b"\xff", announced=50)),
        (b"\xff",),
        BAD,
    ),
    Row(
        "8.1 a bad byte 1000 bytes into 60000",
        (Part(TEXT, b"x" * 999 + b"\xff", announced=60000),),
        (),
        BAD,
    ),
    Row("8.1 a bad byte at the end of a whole text", ((TEXT, b"abc\xff"),), (), BAD),
]
"""
What is not.
"""


class TextTests(RowTests, rows=[*VALID, *INVALID]):
    """
    Text is UTF-8, and fails at the first byte that shows that it is not.
    """
