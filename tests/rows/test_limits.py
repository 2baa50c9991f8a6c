# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
RFC 6455 section 10.4: limits, here all of a few bytes.  What is too long is refused by
its header, before its payload.
"""

from __future__ import annotations

from typing import Any

from tests.wire import (
    BINARY,
    BINARY_BEGINS,
    CONTINUES,
    ENDS,
    PING,
    PONG,
    TEXT,
    TEXT_BEGINS,
)

from .parts import Part, Piece, closeFrame
from .row import Closed, Fails, Row
from .strict import Ping, Pong
from .table import RowTests

FRAME, MESSAGE, FRAGMENTS = (
    "maxReceivedFrameSize",
    "maxReceivedMessageSize",
    "maxReceivedFragments",
)


def header(first: int, size: int) -> Part:
    """
    @return: a frame of C{size} bytes, without its payload.
    """
    return Part(first, announced=size)


def tooBig(
    name: str, pieces: tuple[Piece, ...], option: str, early: int = 4, **options: Any
) -> Row:
    """
    @return: a row that is refused with 1009; at the latest with the last byte of the
        header, which on servers has four of a mask.
    """
    return Row(f"10.4 {name}", pieces, (), Fails(1009, option, early), options)


SIZES = [
    Row(
        "10.4 message at its limit",
        ((BINARY, bytes(9)),),
        (bytes(9),),
        options={MESSAGE: 9},
    ),
    Row(
        "10.4 text at the limit of a message",
        ((TEXT, b"x" * 9),),
        ("x" * 9,),
        options={MESSAGE: 9},
    ),
    Row(
        "10.4 bytes and not characters are counted",
        ((TEXT, b"\xe2\x82\xac"),),
        ("\u20ac",),
        options={MESSAGE: 3},
    ),
    Row(
        "10.4 frame at its limit",
        ((BINARY, bytes(9)),),
        (bytes(9),),
        options={FRAME: 9},
    ),
    Row(
        "10.4 message of 300 at its limit",
        ((BINARY, bytes(300)),),
        (bytes(300),),
        options={MESSAGE: 300},
    ),
    Row(
        "10.4 message of 65536 at its limit",
        ((BINARY, bytes(65536)),),
        (bytes(65536),),
        options={MESSAGE: 65536},
    ),
    Row(
        "10.4 fragments at the limit of a message",
        ((BINARY_BEGINS, bytes(4)), (CONTINUES, bytes(3)), (ENDS, bytes(2))),
        (bytes(9),),
        options={MESSAGE: 9},
    ),
    Row(
        "10.4 fragments at the limit of a frame",
        ((BINARY_BEGINS, bytes(9)), (CONTINUES, bytes(9)), (ENDS, bytes(9))),
        (bytes(27),),
        options={FRAME: 9},
    ),
    Row(
        "10.4 empty fragments behind the limit",
        ((BINARY_BEGINS, bytes(9)), (CONTINUES, b""), (ENDS, b"")),
        (bytes(9),),
        options={MESSAGE: 9},
    ),
    Row(
        "10.4 two messages at their limit",
        ((BINARY, bytes(9)), (TEXT, b"x" * 9)),
        (bytes(9), "x" * 9),
        options={MESSAGE: 9},
    ),
    Row(
        "10.4 two messages in fragments at their limit",
        ((BINARY_BEGINS, bytes(5)), (ENDS, bytes(4))) * 2,
        (bytes(9),) * 2,
        options={MESSAGE: 9},
    ),
    Row(
        "10.4 control frames have no limit but their own",
        ((PING, bytes(125)), (PONG, bytes(125))),
        (Ping(bytes(125)), Pong(bytes(125))),
        options={MESSAGE: 9, FRAME: 9},
    ),
    Row(
        "10.4 pings do not count for the message around them",
        ((BINARY_BEGINS, bytes(5)), (PING, bytes(99)), (ENDS, bytes(4))),
        (Ping(bytes(99)), bytes(9)),
        options={MESSAGE: 9},
    ),
    Row(
        "10.4 reason of a close over the limit",
        (closeFrame(1000, b"too long?"),),
        (),
        Closed(1000, "too long?"),
        {MESSAGE: 2, FRAME: 2},
    ),
    Row(
        "10.4 no limit",
        ((BINARY, bytes((1 << 20) + 1)),),
        (bytes((1 << 20) + 1),),
        options={MESSAGE: None, "fragmentOutgoingMessages": False},
    ),
    tooBig(
        "message over its limit",
        (Part(BINARY, announced=10, cut=2),),
        MESSAGE,
        0,
        **{MESSAGE: 9},
    ),
    tooBig(
        "text over the limit of a message",
        (Part(TEXT, announced=10, cut=2),),
        MESSAGE,
        0,
        **{MESSAGE: 9},
    ),
    tooBig(
        "frame over its limit",
        (Part(BINARY, announced=10, cut=2),),
        FRAME,
        0,
        **{FRAME: 9},
    ),
    tooBig(
        "frame over both limits", (header(BINARY, 10),), FRAME, **{FRAME: 5, MESSAGE: 9}
    ),
    tooBig(
        "message over its limit in a frame that is not",
        (header(BINARY, 10),),
        MESSAGE,
        **{FRAME: 20, MESSAGE: 9},
    ),
    tooBig(
        "first fragment over the limit of a message",
        (header(TEXT_BEGINS, 10),),
        MESSAGE,
        **{MESSAGE: 9},
    ),
    tooBig(
        "first fragment over the limit of a frame",
        (header(TEXT_BEGINS, 10),),
        FRAME,
        **{FRAME: 9},
    ),
    tooBig(
        "second fragment over the limit of a message",
        ((TEXT_BEGINS, b"x" * 5), header(ENDS, 5)),
        MESSAGE,
        **{MESSAGE: 9},
    ),
    tooBig(
        "third fragment over the limit of a message",
        ((BINARY_BEGINS, bytes(5)), (CONTINUES, bytes(4)), header(CONTINUES, 1)),
        MESSAGE,
        **{MESSAGE: 9},
    ),
    tooBig(
        "fragment over the limit of a frame",
        ((BINARY_BEGINS, bytes(5)), header(ENDS, 10)),
        FRAME,
        **{FRAME: 9},
    ),
    Row(
        "10.4 fragment over what is left, after a ping",
        ((BINARY_BEGINS, bytes(5)), (PING, bytes(9)), header(ENDS, 5)),
        (Ping(bytes(9)),),
        Fails(1009, MESSAGE, 4),
        {MESSAGE: 9},
    ),
    tooBig(
        "126 over a limit of 125",
        (Part(BINARY, announced=126, cut=4),),
        MESSAGE,
        0,
        **{MESSAGE: 125},
    ),
    tooBig(
        "65536 over a limit of 65535",
        (Part(BINARY, announced=65536, cut=10),),
        MESSAGE,
        0,
        **{MESSAGE: 65535},
    ),
    tooBig("a gigabyte", (Part(BINARY, announced=1 << 30, cut=10),), MESSAGE, 0),
    tooBig("a gigabyte of text", (Part(TEXT, announced=1 << 30, cut=10),), MESSAGE, 0),
    tooBig("2 to the 32", (Part(BINARY, announced=1 << 32, cut=10),), MESSAGE, 0),
    tooBig(
        "2 to the 63 less 1",
        (Part(BINARY, announced=(1 << 63) - 1, cut=10),),
        MESSAGE,
        0,
    ),
    tooBig(
        "fragment of 2 to the 63 less 1",
        (header(BINARY_BEGINS, (1 << 63) - 1),),
        MESSAGE,
    ),
    tooBig(
        "continuation of 2 to the 63 less 1",
        ((BINARY_BEGINS, b"a"), header(ENDS, (1 << 63) - 1)),
        MESSAGE,
    ),
    tooBig(
        "frame of 2 to the 63 less 1 and no limit for messages",
        (Part(BINARY, announced=(1 << 63) - 1, cut=10),),
        FRAME,
        0,
        **{FRAME: 9, MESSAGE: None},
    ),
    Row(
        "10.4 message over its limit after one that is not",
        ((TEXT, b"x" * 9), header(TEXT, 10)),
        ("x" * 9,),
        Fails(1009, MESSAGE, 4),
        {MESSAGE: 9},
    ),
]
"""
How long frames and messages may be.
"""

NUMBERS = [
    Row(
        "10.4 as many fragments as may be",
        ((TEXT_BEGINS, b"a"), (CONTINUES, b"b"), (ENDS, b"c")),
        ("abc",),
        options={FRAGMENTS: 3},
    ),
    Row(
        "10.4 as many empty fragments as may be",
        ((TEXT_BEGINS, b""), (CONTINUES, b""), (ENDS, b"")),
        ("",),
        options={FRAGMENTS: 3},
    ),
    Row(
        "10.4 fragments are counted for each message",
        ((TEXT_BEGINS, b"a"), (CONTINUES, b"b"), (ENDS, b"c")) * 2,
        ("abc",) * 2,
        options={FRAGMENTS: 3},
    ),
    Row(
        "10.4 pings are no fragments",
        ((TEXT_BEGINS, b"a"), (PING, b"1"), (PING, b"2"), (PING, b"3"), (ENDS, b"b")),
        (Ping(b"1"), Ping(b"2"), Ping(b"3"), "ab"),
        options={FRAGMENTS: 2},
    ),
    Row(
        "10.4 messages are no fragments",
        ((TEXT, b"a"),) * 5,
        ("a",) * 5,
        options={FRAGMENTS: 1},
    ),
    Row(
        "10.4 two hundred fragments and no limit",
        ((BINARY_BEGINS, b"a"), *[(CONTINUES, b"b")] * 198, (ENDS, b"c")),
        (b"a" + b"b" * 198 + b"c",),
        options={FRAGMENTS: None},
    ),
    Row(
        "10.4 one fragment too many",
        ((TEXT_BEGINS, b"a"), (CONTINUES, b"b"), (CONTINUES, b"c"), header(ENDS, 1)),
        (),
        Fails(1008, FRAGMENTS, 4),
        {FRAGMENTS: 3},
    ),
    Row(
        "10.4 one empty fragment too many",
        ((BINARY_BEGINS, b""), (CONTINUES, b""), (CONTINUES, b""), header(ENDS, 0)),
        (),
        Fails(1008, FRAGMENTS, 4),
        {FRAGMENTS: 3},
    ),
    Row(
        "10.4 one fragment too many with pings between",
        (
            (TEXT_BEGINS, b"a"),
            (PING, b"1"),
            (CONTINUES, b"b"),
            (PING, b"2"),
            header(CONTINUES, 1),
        ),
        (Ping(b"1"), Ping(b"2")),
        Fails(1008, FRAGMENTS, 4),
        {FRAGMENTS: 2},
    ),
    Row(
        "10.4 second fragment where one may be",
        ((TEXT_BEGINS, b"a"), header(ENDS, 1)),
        (),
        Fails(1008, FRAGMENTS, 4),
        {FRAGMENTS: 1},
    ),
    Row(
        "10.4 4097 empty fragments",
        ((BINARY_BEGINS, b""), *[(CONTINUES, b"")] * 4095, header(CONTINUES, 0)),
        (),
        Fails(1008, FRAGMENTS, 4),
    ),
]
"""
In how many fragments a message may come.
"""


class LimitTests(RowTests, rows=[*SIZES, *NUMBERS]):
    """
    What is at a limit is taken, what is over it is refused, and the log says by which.
    """
