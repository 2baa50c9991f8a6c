# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
RFC 6455 sections 5.1 to 5.3 and 5.8: frames.
"""

from __future__ import annotations

from tests.wire import (
    BINARY,
    BINARY_BEGINS,
    CLOSE,
    CONTINUES,
    ENDS,
    PING,
    PONG,
    TEXT,
    TEXT_BEGINS,
)

from .parts import Part, start
from .row import UNFINISHED, Fails, Row
from .strict import Ping
from .table import RowTests

BAD = Fails(1002)
ALL = bytes(range(256))
LONG = ALL * 259
EDGES = (0, 1, 2, 124, 125, 126, 127, 128, 65535, 65536, 65537)
"""
Lengths about where one form of a length ends and the next begins.
"""

OPENED = (TEXT_BEGINS, b"a")
"""
The beginning of a message.
"""

MASKS = [
    *[
        Row(
            f"5.1 wrong mask bit on {name}",
            (*before, start(first, payload, wrongMask=True)),
            (),
            BAD,
        )
        for name, before, first, payload in (
            ("text", (), TEXT, b"a"),
            ("binary", (), BINARY, b"a"),
            ("an empty text", (), TEXT, b""),
            ("a ping", (), PING, b"a"),
            ("an empty pong", (), PONG, b""),
            ("a close", (), CLOSE, b"\3\xe8"),
            ("a first fragment", (), TEXT_BEGINS, b"a"),
            ("a continuation", (OPENED,), CONTINUES, b"b"),
            ("a last fragment", (OPENED,), ENDS, b"b"),
            ("a length of 16 bits", (), BINARY, bytes(126)),
            ("a length of 64 bits", (), BINARY, bytes(65536)),
        )
    ],
    Row(
        "5.1 wrong mask bit after a message",
        ((TEXT, b"a"), start(TEXT, b"b", wrongMask=True)),
        ("a",),
        BAD,
    ),
    Row(
        "5.1 wrong mask bit after a ping",
        ((PING, b"a"), start(TEXT, b"b", wrongMask=True)),
        (Ping(b"a"),),
        BAD,
    ),
    Row("5.3 mask of zeros", (Part(TEXT, b"hello", key=bytes(4)),), ("hello",)),
    Row("5.3 mask of ones", (Part(TEXT, b"hello", key=b"\xff" * 4),), ("hello",)),
    Row(
        "5.3 mask that is the payload",
        (Part(BINARY, b"maskmaskma", key=b"mask"),),
        (b"maskmaskma",),
    ),
    Row(
        "5.3 mask with one bit in the first byte",
        (Part(BINARY, ALL[:9], key=b"\1\0\0\0"),),
        (ALL[:9],),
    ),
    Row(
        "5.3 mask with one bit in the last byte",
        (Part(BINARY, ALL[:9], key=b"\0\0\0\1"),),
        (ALL[:9],),
    ),
    Row(
        "5.3 another mask for each frame",
        tuple(Part(BINARY, ALL[:5], key=bytes([n] * 4)) for n in range(5)),
        (ALL[:5],) * 5,
    ),
    Row(
        "5.3 another mask for each fragment",
        (
            Part(BINARY_BEGINS, ALL[:7], key=b"abcd"),
            Part(CONTINUES, ALL[7:10], key=b"efgh"),
            Part(ENDS, ALL[10:19], key=b"ijkl"),
        ),
        (ALL[:19],),
    ),
    Row(
        "5.3 another mask for a ping between",
        (
            Part(TEXT_BEGINS, b"abcde", key=b"0123"),
            Part(PING, b"fgh", key=b"4567"),
            Part(ENDS, b"ijk", key=b"89ab"),
        ),
        (Ping(b"fgh"), "abcdeijk"),
    ),
    *[
        Row(f"5.3 mask over {size} bytes", ((BINARY, ALL[:size]),), (ALL[:size],))
        for size in (3, 4, 5, 6, 7, 8, 15, 16, 17)
    ],
]
"""
Sections 5.1 and 5.3.
"""

BITS = [
    *[
        Row(
            f"5.2 reserved bits {bits:03b}",
            (start(0x81 | bits << 4, b"a"),),
            (),
            BAD,
        )
        for bits in range(1, 8)
    ],
    *[
        Row(
            f"5.2 reserved bit {bit} on {name}",
            (*before, start(first | 0x80 >> bit)),
            (),
            BAD,
        )
        for bit in (1, 2, 3)
        for name, before, first in (
            ("binary", (), BINARY),
            ("the first fragment", (), TEXT_BEGINS),
            ("a continuation", (OPENED,), CONTINUES),
            ("the last fragment", (OPENED,), ENDS),
        )
    ],
    Row(
        "5.2 reserved bit after a message",
        ((TEXT, b"a"), start(0xC1, b"b")),
        ("a",),
        BAD,
    ),
    Row(
        "5.2 reserved bit after a ping",
        ((PING, b"a"), start(0x91, b"b")),
        (Ping(b"a"),),
        BAD,
    ),
    Row("5.2 reserved bit between fragments", (OPENED, start(0xA9)), (), BAD),
    Row("5.8 no extension and all of its bits", (start(0xFF, LONG),), (), BAD),
]
"""
Section 5.2: the reserved bits.
"""

OPCODES = [
    *[
        Row(f"5.2 opcode {opcode:x}", (start(0x80 | opcode, b"a"),), (), BAD)
        for opcode in (*range(3, 8), *range(11, 16))
    ],
    *[
        Row(f"5.2 opcode {opcode:x} without FIN", (start(opcode),), (), BAD)
        for opcode in (3, 7, 11, 15)
    ],
    *[
        Row(
            f"5.2 opcode {opcode:x} between fragments",
            (OPENED, start(0x80 | opcode)),
            (),
            BAD,
        )
        for opcode in (3, 7, 11, 15)
    ],
    *[
        Row(
            f"5.2 opcode {opcode:x} after messages",
            ((TEXT, b"a"), (PING, b""), (BINARY, b"b"), start(0x80 | opcode)),
            ("a", Ping(), b"b"),
            BAD,
        )
        for opcode in (4, 12)
    ],
    Row(
        "5.2 opcode 5 with a gigabyte announced",
        (start(0x85, announced=1 << 30),),
        (),
        BAD,
    ),
    Row(
        "5.2 opcode d with a gigabyte announced",
        (start(0x8D, announced=1 << 30),),
        (),
        BAD,
    ),
    Row("5.2 HTTP instead of frames", (b"GE",), (), BAD),
]
"""
Section 5.2: the opcodes.
"""

LENGTHS = [
    *[
        Row(f"5.2 {size} bytes of binary", ((BINARY, LONG[:size]),), (LONG[:size],))
        for size in EDGES
    ],
    *[
        Row(f"5.2 {size} bytes of text", ((TEXT, b"~" * size),), ("~" * size,))
        for size in EDGES
    ],
    *[
        Row(
            f"5.2 fragments of {size} bytes",
            ((BINARY_BEGINS, LONG[:size]), (ENDS, LONG[:size])),
            (LONG[:size] * 2,),
        )
        for size in (126, 127, 65535, 65536)
    ],
    *[
        Row(
            f"5.2 16 bits for a length of {size}",
            (Part(BINARY, ALL[:size], form=16, cut=4),),
            (),
            BAD,
        )
        for size in (0, 1, 124, 125)
    ],
    *[
        Row(
            f"5.2 64 bits for a length of {size}",
            (Part(BINARY, announced=size, form=64, cut=10),),
            (),
            BAD,
        )
        for size in (0, 1, 125, 126, 65534, 65535)
    ],
    Row(
        "5.2 16 bits for a text of 5", (Part(TEXT, b"hello", form=16, cut=4),), (), BAD
    ),
    Row(
        "5.2 64 bits for a text of 5", (Part(TEXT, b"hello", form=64, cut=10),), (), BAD
    ),
    Row(
        "5.2 16 bits for a fragment of 5",
        (Part(TEXT_BEGINS, b"hello", form=16, cut=4),),
        (),
        BAD,
    ),
    Row(
        "5.2 64 bits for a fragment of 300",
        (Part(BINARY_BEGINS, ALL, announced=300, form=64, cut=10),),
        (),
        BAD,
    ),
    Row(
        "5.2 16 bits for a last fragment of 5",
        (OPENED, Part(ENDS, b"hello", form=16, cut=4)),
        (),
        BAD,
    ),
    Row(
        "5.2 64 bits for an empty continuation",
        (OPENED, Part(CONTINUES, form=64, cut=10)),
        (),
        BAD,
    ),
    Row(
        "5.2 a length not minimal after a message",
        ((TEXT, b"a"), Part(TEXT, b"b", form=16, cut=4)),
        ("a",),
        BAD,
    ),
    *[
        Row(
            f"5.2 a length of {name}",
            (Part(BINARY, announced=size, cut=10),),
            (),
            BAD,
            {"maxReceivedMessageSize": None},
        )
        for name, size in (
            ("2 to the 63", 1 << 63),
            ("2 to the 63 and 1", (1 << 63) + 1),
            ("2 to the 63 and 65536", (1 << 63) + 65536),
            ("2 to the 64 less 1", (1 << 64) - 1),
        )
    ],
    Row("5.2 a text of 2 to the 63", (Part(TEXT, announced=1 << 63, cut=10),), (), BAD),
    Row(
        "5.2 a fragment of 2 to the 63",
        (Part(BINARY_BEGINS, announced=1 << 63, cut=10),),
        (),
        BAD,
    ),
    Row(
        "5.2 a continuation of 2 to the 63",
        (OPENED, Part(CONTINUES, announced=1 << 63, cut=10)),
        (),
        BAD,
    ),
    Row(
        "5.2 a length of 2 to the 63 less 1",
        (Part(BINARY, b"abc", announced=(1 << 63) - 1),),
        (),
        UNFINISHED,
        {"maxReceivedMessageSize": None},
    ),
]
"""
Section 5.2: the payload's length.
"""

PARTS = [
    Row("5.2 one byte of a header", (b"\x81",), (), UNFINISHED),
    Row("5.2 two bytes of a header", (start(TEXT, b"abc"),), (), UNFINISHED),
    Row(
        "5.2 half of a length of 16 bits",
        (Part(BINARY, LONG[:300], cut=3),),
        (),
        UNFINISHED,
    ),
    Row(
        "5.2 half of a length of 64 bits", (Part(BINARY, LONG, cut=6),), (), UNFINISHED
    ),
    Row(
        "5.2 half of a mask",
        (Part(BINARY, LONG, cut=12),),
        (),
        UNFINISHED,
        roles=("server",),
    ),
    Row(
        "5.2 a header without its payload",
        (Part(BINARY, announced=300),),
        (),
        UNFINISHED,
    ),
    Row("5.2 half of a payload", (Part(TEXT, b"half", announced=8),), (), UNFINISHED),
    Row(
        "5.2 half of a ping",
        ((TEXT, b"a"), Part(PING, b"half", announced=8)),
        ("a",),
        UNFINISHED,
    ),
    Row("5.2 half of a close", (Part(CLOSE, b"\3", announced=2),), (), UNFINISHED),
]
"""
Section 5.2: frames that are not complete.
"""


class FramingTests(
    RowTests,
    rows=[*MASKS, *BITS, *OPCODES, *LENGTHS, *PARTS],
    versions=(13, 8),
):
    """
    Frames of each kind arrive, and those that are not as they should be are refused.
    """
