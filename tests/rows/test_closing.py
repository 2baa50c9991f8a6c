# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
RFC 6455 sections 5.5.1 and 7: how connections are closed, and how they fail.
"""

from __future__ import annotations

from tests.wire import (
    BINARY,
    CLOSE,
    CONTINUES,
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
BAD_TEXT = Fails(1007)
OURS = (4000, "ours")

BODIES = [
    *[
        Row(f"7.4.1 code {code}", (closeFrame(code),), (), Closed(code))
        for code in (*range(1000, 1004), *range(1007, 1015))
    ],
    *[
        Row(f"7.4.2 code {code}", (closeFrame(code),), (), Closed(code))
        for code in (3000, 3001, 3999, 4000, 4001, 4999)
    ],
    *[
        Row(f"7.4.1 code {code} that is not to be sent", (closeFrame(code),), (), BAD)
        for code in (1004, 1005, 1006, 1015)
    ],
    *[
        Row(f"7.4.2 code {code} that is not registered", (closeFrame(code),), (), BAD)
        for code in (
            0,
            1,
            500,
            999,
            1016,
            1100,
            1999,
            2000,
            2999,
            5000,
            10000,
            32768,
            65535,
        )
    ],
    Row("7.4.2 bad code with a reason", (closeFrame(1005, b"bye"),), (), BAD),
    Row("5.5.1 close without a body", ((CLOSE, b""),), (), Closed(1005)),
    Row("5.5.1 close with a body of one byte", ((CLOSE, b"\x03"),), (), BAD),
    Row("5.5.1 close with a body of one null", ((CLOSE, b"\x00"),), (), BAD),
    Row(
        "5.5.1 close with a reason",
        (closeFrame(1000, b"bye"),),
        (),
        Closed(1000, "bye"),
    ),
    Row(
        "5.5.1 close with a reason of one byte",
        (closeFrame(1001, b"b"),),
        (),
        Closed(1001, "b"),
    ),
    Row(
        "5.5.1 close with a reason of 123 bytes",
        (closeFrame(4999, b"x" * 123),),
        (),
        Closed(4999, "x" * 123),
    ),
    Row(
        "5.5.1 close with a reason of 124 bytes",
        (Part(CLOSE, b"\3\xe8" + b"x" * 124, cut=2),),
        (),
        BAD,
    ),
    Row(
        "5.5.1 close with a reason of Unicode",
        (closeFrame(3000, "\u20ac\U0001f600".encode()),),
        (),
        Closed(3000, "\u20ac\U0001f600"),
    ),
    Row(
        "5.5.1 close with a reason of 41 Euro signs",
        (closeFrame(3000, b"\xe2\x82\xac" * 41),),
        (),
        Closed(3000, "\u20ac" * 41),
    ),
    Row(
        "5.5.1 close with a null in its reason",
        (closeFrame(1000, b"a\0b"),),
        (),
        Closed(1000, "a\0b"),
    ),
    *[
        Row(f"8.1 close reason with {name}", (closeFrame(1000, reason),), (), BAD_TEXT)
        for name, reason in (
            ("a bad byte", b"\xff"),
            ("a bad byte after text", b"bye\xfe"),
            ("a character cut off", b"ok\xe2\x82"),
            ("a surrogate", b"\xed\xa0\x80"),
            ("an overlong form", b"\xc0\xaf"),
            ("a code point that is too large", b"\xf4\x90\x80\x80"),
        )
    ],
]
"""
What a Close frame can have.
"""

COURSES = [
    Row(
        "1.4 close after a message",
        ((TEXT, b"a"), closeFrame(1000)),
        ("a",),
        Closed(1000),
    ),
    Row(
        "1.4 close after many messages",
        (*[(BINARY, b"%d" % n) for n in range(20)], closeFrame(1001)),
        tuple(b"%d" % n for n in range(20)),
        Closed(1001),
    ),
    Row(
        "5.4 close within a message",
        ((TEXT_BEGINS, b"a"), (CONTINUES, b"b"), closeFrame(1000)),
        (),
        Closed(1000),
    ),
    Row(
        "5.5.1 close within a character",
        ((TEXT_BEGINS, b"\xe2\x82"), closeFrame(1000)),
        (),
        Closed(1000),
    ),
    Row(
        "5.5.1 close after a ping and a pong",
        ((PING, b"1"), (PONG, b"2"), closeFrame(1000)),
        (Ping(b"1"), Pong(b"2")),
        Closed(1000),
    ),
    Row("5.5.1 bad close after a message", ((TEXT, b"a"), (CLOSE, b"\1")), ("a",), BAD),
    Row(
        "5.5.1 first of two Close frames counts",
        (closeFrame(1000, b"first"),),
        (),
        Closed(1000, "first"),
    ),
    # Ours first
    Row("7.1.2 answer to ours", (closeFrame(4000),), (), Closed(4000), weClose=OURS),
    Row(
        "7.1.2 answer to ours without a body",
        ((CLOSE, b""),),
        (),
        Closed(1005),
        weClose=OURS,
    ),
    Row(
        "7.1.2 answer to ours with another code",
        (closeFrame(4001, b"theirs"),),
        (),
        Closed(4001, "theirs"),
        weClose=OURS,
    ),
    Row(
        "7.1.2 answer to ours that had no code",
        (closeFrame(1000),),
        (),
        Closed(1000),
        weClose=(1005, ""),
    ),
    Row(
        "7.1.2 answer to ours of 123 bytes",
        (closeFrame(1000),),
        (),
        Closed(1000),
        weClose=(1000, "x" * 123),
    ),
    Row(
        "5.5.1 messages after ours",
        ((TEXT, b"a"), (BINARY, b"b"), closeFrame(4000)),
        ("a", b"b"),
        Closed(4000),
        weClose=OURS,
    ),
    Row(
        "5.5.1 fragments after ours",
        ((TEXT_BEGINS, b"a"), (ENDS, b"b"), closeFrame(4000)),
        ("ab",),
        Closed(4000),
        weClose=OURS,
    ),
    Row(
        "5.5.1 ping after ours has no answer",
        ((PING, b"1"), closeFrame(4000)),
        (Ping(b"1"),),
        Closed(4000),
        weClose=OURS,
    ),
    Row(
        "5.5.1 pong after ours",
        ((PONG, b"1"), closeFrame(4000)),
        (Pong(b"1"),),
        Closed(4000),
        weClose=OURS,
    ),
    *[
        Row(f"7.1.7 {name} after ours", pieces, events, end, weClose=OURS)
        for name, pieces, events, end in (
            ("reserved opcode", (start(0x83),), (), BAD),
            ("reserved bit", ((TEXT, b"a"), start(0xC1)), ("a",), BAD),
            ("wrong mask bit", (start(TEXT, wrongMask=True),), (), BAD),
            ("bad text", (Part(TEXT, b"\xff", announced=9),), (), BAD_TEXT),
            ("bad close", (closeFrame(1006),), (), BAD),
            ("half a close code", ((CLOSE, b"\1"),), (), BAD),
            ("bad close reason", (closeFrame(1000, b"\xff"),), (), BAD_TEXT),
        )
    ],
]
"""
What comes before a Close frame, and after it.
"""

SEVERAL = (
    (TEXT, b"one"),
    (PING, b"p"),
    (BINARY, b"two"),
    (TEXT_BEGINS, b"th"),
    (ENDS, b"ree"),
)
TOLD = ("one", Ping(b"p"), b"two", "three")

ORDER = [
    Row(f"7.1.7 all before {name} is answered", (*SEVERAL, *pieces), TOLD, end, options)
    for name, pieces, end, options in (
        ("a close", (closeFrame(1000),), Closed(1000), {}),
        ("a wrong mask bit", (start(TEXT, wrongMask=True),), BAD, {}),
        ("a reserved bit", (start(0xA1),), BAD, {}),
        ("a reserved opcode", (start(0x8B),), BAD, {}),
        ("a long ping", (start(PING, bytes(126)),), BAD, {}),
        ("a ping without FIN", (start(0x09),), BAD, {}),
        ("a continuation of nothing", (start(ENDS),), BAD, {}),
        ("a message within one", ((TEXT_BEGINS, b"a"), start(TEXT)), BAD, {}),
        ("a length not minimal", (Part(TEXT, b"a", form=16, cut=4),), BAD, {}),
        ("a length of 2 to the 63", (Part(TEXT, announced=1 << 63, cut=10),), BAD, {}),
        ("bad text", ((TEXT, b"\xff"),), BAD_TEXT, {}),
        (
            "bad text in a fragment",
            ((TEXT_BEGINS, b"a"), (ENDS, b"\xff")),
            BAD_TEXT,
            {},
        ),
        ("half a close code", ((CLOSE, b"\1"),), BAD, {}),
        ("a bad close code", (closeFrame(1005),), BAD, {}),
        ("a bad close reason", (closeFrame(1000, b"\xff"),), BAD_TEXT, {}),
        (
            "a long frame",
            (Part(BINARY, bytes(6), announced=6, cut=2),),
            Fails(1009, "maxReceivedFrameSize"),
            {"maxReceivedFrameSize": 5},
        ),
        (
            "a long message",
            (Part(BINARY, announced=6, cut=2),),
            Fails(1009, "maxReceivedMessageSize"),
            {"maxReceivedMessageSize": 5},
        ),
        (
            "one fragment more",
            ((TEXT_BEGINS, b""), (CONTINUES, b""), Part(ENDS)),
            Fails(1008, "maxReceivedFragments", early=4),
            {"maxReceivedFragments": 2},
        ),
    )
]
"""
An echo server has answered what came before a violation when it says why it fails the
connection, even if all of it came in one read.
"""


class ClosingTests(RowTests, rows=[*BODIES, *COURSES, *ORDER]):
    """
    A Close frame is answered with its code, once; what is wrong is answered with why.
    """
