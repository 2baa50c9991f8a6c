# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
RFC 6455 section 5.5: pings, pongs, and what all control frames have in common.
"""

from __future__ import annotations

from tests.wire import (
    BINARY_BEGINS,
    CLOSE,
    ENDS,
    PING,
    PONG,
    TEXT,
    TEXT_BEGINS,
)

from .parts import Part, closeFrame, start
from .row import Closed, Fails, Row
from .strict import Ping, Pong
from .table import RowTests

BAD = Fails(1002)
ALL = bytes(range(256))
KINDS = (("ping", PING), ("pong", PONG), ("close", CLOSE))

COMMON = [
    *[
        Row(
            f"5.5 {name} of {form} bits of length",
            (Part(first, ALL[:5], form=form, cut=2),),
            (),
            BAD,
        )
        for name, first in KINDS
        for form in (16, 64)
    ],
    *[
        Row(f"5.5 {name} of {size} bytes", (start(first, bytes(size)),), (), BAD)
        for name, first in KINDS
        for size in (126, 127, 65536)
    ],
    *[
        Row(f"5.5 {name} without FIN", (start(first & 0x0F, b"abc"),), (), BAD)
        for name, first in KINDS
    ],
    *[
        Row(
            f"5.5 {name} without FIN in a message",
            ((TEXT_BEGINS, b"a"), start(first & 0x0F)),
            (),
            BAD,
        )
        for name, first in KINDS
    ],
    *[
        Row(
            f"5.5 {name} with the reserved bit {bit}",
            (start(first | 0x80 >> bit, b"abc"),),
            (),
            BAD,
        )
        for name, first in KINDS
        for bit in (1, 2, 3)
    ],
    Row(
        "5.5 ping of 126 bytes after a message",
        ((TEXT, b"a"), start(PING, bytes(126))),
        ("a",),
        BAD,
    ),
    Row(
        "5.5 ping of 126 bytes after a ping",
        ((PING, b"a"), start(PING, bytes(126))),
        (Ping(b"a"),),
        BAD,
    ),
    Row(
        "5.5 two halves of a ping",
        ((TEXT, b"a"), (PING, b"b"), start(0x09, b"c")),
        ("a", Ping(b"b")),
        BAD,
    ),
]
"""
What holds for each of them.
"""

PINGS = [
    *[
        Row(f"5.5.2 ping of {size} bytes", ((PING, ALL[:size]),), (Ping(ALL[:size]),))
        for size in (0, 1, 2, 3, 4, 5, 124, 125)
    ],
    Row(
        "5.5.2 ping of bytes that are no text",
        ((PING, b"\xff\x00\xfe\xc3"),),
        (Ping(b"\xff\x00\xfe\xc3"),),
    ),
    Row(
        "5.5.2 ping that looks like a close",
        ((PING, b"\x88\x02\x03\xe8"),),
        (Ping(b"\x88\x02\x03\xe8"),),
    ),
    Row(
        "5.5.2 ten pings",
        tuple((PING, b"%d" % n) for n in range(10)),
        tuple(Ping(b"%d" % n) for n in range(10)),
    ),
    Row(
        "5.5.2 two pings that are alike",
        ((PING, b"same"), (PING, b"same")),
        (Ping(b"same"), Ping(b"same")),
    ),
    Row(
        "5.5.2 pings and messages in turns",
        ((PING, b"1"), (TEXT, b"a"), (PING, b"2"), (TEXT, b"b")),
        (Ping(b"1"), "a", Ping(b"2"), "b"),
    ),
    Row(
        "5.5.2 ping before a close",
        ((PING, b"1"), closeFrame(1000)),
        (Ping(b"1"),),
        Closed(1000),
    ),
    Row(
        "5.5.2 ping before a violation", ((PING, b"1"), start(0x83)), (Ping(b"1"),), BAD
    ),
    Row(
        "5.5.2 ping within binary",
        ((BINARY_BEGINS, ALL), (PING, b"1"), (ENDS, ALL)),
        (Ping(b"1"), ALL + ALL),
    ),
    *[
        Row(
            f"5.5.3 pong of {size} bytes that nobody asked for",
            ((PONG, ALL[:size]),),
            (Pong(ALL[:size]),),
        )
        for size in (0, 1, 125)
    ],
    Row(
        "5.5.3 pong of bytes that are no text",
        ((PONG, b"\xff\x00"),),
        (Pong(b"\xff\x00"),),
    ),
    Row("5.5.3 pong and ping", ((PONG, b"1"), (PING, b"2")), (Pong(b"1"), Ping(b"2"))),
    Row(
        "5.5.3 ten pongs",
        tuple((PONG, b"%d" % n) for n in range(10)),
        tuple(Pong(b"%d" % n) for n in range(10)),
    ),
    Row(
        "5.5.3 pong before a close",
        ((PONG, b"1"), closeFrame(1000)),
        (Pong(b"1"),),
        Closed(1000),
    ),
]
"""
Sections 5.5.2 and 5.5.3.
"""


class ControlTests(RowTests, rows=[*COMMON, *PINGS], versions=(13, 8)):
    """
    A ping is answered with what it had, a pong with nothing, at once and in order.
    """
