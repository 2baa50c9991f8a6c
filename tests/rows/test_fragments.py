# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
RFC 6455 sections 5.4, 5.6 and 5.7: messages, and their fragments.
"""

from __future__ import annotations

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

from .parts import closeFrame, start
from .row import UNFINISHED, Closed, Fails, Row
from .strict import Ping, Pong
from .table import RowTests

BAD = Fails(1002)
ALL = bytes(range(256))
LONG = ALL * 259
OPENED = (TEXT_BEGINS, b"a")
"""
The beginning of a message.
"""

FRAGMENTS = [
    Row("5.4 two fragments", (OPENED, (ENDS, b"b")), ("ab",)),
    Row("5.4 three fragments", (OPENED, (CONTINUES, b"b"), (ENDS, b"c")), ("abc",)),
    Row(
        "5.4 two fragments of binary",
        ((BINARY_BEGINS, b"\0\1"), (ENDS, b"\2")),
        (b"\0\1\2",),
    ),
    Row(
        "5.4 fragments of unlike sizes",
        (
            (BINARY_BEGINS, LONG[:1]),
            (CONTINUES, LONG[1:300]),
            (CONTINUES, LONG[300:302]),
            (ENDS, LONG[302:66000]),
        ),
        (LONG[:66000],),
    ),
    Row(
        "5.4 thirty fragments of a byte",
        (
            (BINARY_BEGINS, ALL[:1]),
            *[(CONTINUES, ALL[n : n + 1]) for n in range(1, 29)],
            (ENDS, ALL[29:30]),
        ),
        (ALL[:30],),
    ),
    Row(
        "5.4 all fragments empty",
        ((TEXT_BEGINS, b""), (CONTINUES, b""), (ENDS, b"")),
        ("",),
    ),
    Row(
        "5.4 all fragments of binary empty", ((BINARY_BEGINS, b""), (ENDS, b"")), (b"",)
    ),
    Row("5.4 first fragment empty", ((TEXT_BEGINS, b""), (ENDS, b"a")), ("a",)),
    Row(
        "5.4 middle fragments empty",
        (OPENED, (CONTINUES, b""), (CONTINUES, b""), (ENDS, b"b")),
        ("ab",),
    ),
    Row("5.4 last fragment empty", (OPENED, (ENDS, b"")), ("a",)),
    Row(
        "5.4 two messages in fragments",
        (OPENED, (ENDS, b"b"), (BINARY_BEGINS, b"c"), (ENDS, b"d")),
        ("ab", b"cd"),
    ),
    Row(
        "5.4 whole messages before and after one in fragments",
        ((BINARY, b"1"), OPENED, (ENDS, b"b"), (TEXT, b"2")),
        (b"1", "ab", "2"),
    ),
    Row(
        "5.4 ping between fragments",
        (OPENED, (PING, b"p"), (ENDS, b"b")),
        (Ping(b"p"), "ab"),
    ),
    Row(
        "5.4 ping of 125 bytes between fragments",
        (OPENED, (PING, ALL[:125]), (ENDS, b"b")),
        (Ping(ALL[:125]), "ab"),
    ),
    Row(
        "5.4 pong between fragments",
        (OPENED, (PONG, b"p"), (ENDS, b"b")),
        (Pong(b"p"), "ab"),
    ),
    Row(
        "5.4 pings between all fragments",
        (
            OPENED,
            (PING, b"1"),
            (CONTINUES, b"b"),
            (PING, b"2"),
            (CONTINUES, b"c"),
            (PING, b"3"),
            (ENDS, b"d"),
        ),
        (Ping(b"1"), Ping(b"2"), Ping(b"3"), "abcd"),
    ),
    Row(
        "5.4 many pings between two fragments",
        (OPENED, *[(PING, ALL[:n]) for n in range(9)], (ENDS, b"b")),
        (*[Ping(ALL[:n]) for n in range(9)], "ab"),
    ),
    Row(
        "5.4 ping and pong around empty fragments",
        (
            (PING, b"1"),
            (BINARY_BEGINS, b""),
            (PONG, b"2"),
            (CONTINUES, b""),
            (PING, b"3"),
            (ENDS, b""),
            (PING, b"4"),
        ),
        (Ping(b"1"), Pong(b"2"), Ping(b"3"), b"", Ping(b"4")),
    ),
    Row(
        "5.4 ping within an unfinished message",
        (OPENED, (PING, b"p")),
        (Ping(b"p"),),
        UNFINISHED,
    ),
    Row("5.4 a message without its end", (OPENED, (CONTINUES, b"b")), (), UNFINISHED),
    Row(
        "5.4 close between fragments",
        (OPENED, closeFrame(1001, b"bye")),
        (),
        Closed(1001, "bye"),
    ),
    Row("5.4 last fragment of nothing", (start(ENDS, b"a"),), (), BAD),
    Row("5.4 continuation of nothing", (start(CONTINUES, b"a"),), (), BAD),
    Row("5.4 empty continuation of nothing", (start(ENDS),), (), BAD),
    Row(
        "5.4 continuation after a whole message",
        ((TEXT, b"a"), start(ENDS, b"b")),
        ("a",),
        BAD,
    ),
    Row(
        "5.4 continuation after the last fragment",
        (OPENED, (ENDS, b"b"), start(ENDS, b"c")),
        ("ab",),
        BAD,
    ),
    Row(
        "5.4 continuation without FIN after the last fragment",
        (OPENED, (ENDS, b"b"), start(CONTINUES, b"c")),
        ("ab",),
        BAD,
    ),
    Row(
        "5.4 continuation after a ping",
        ((PING, b"a"), start(CONTINUES, b"b")),
        (Ping(b"a"),),
        BAD,
    ),
    Row("5.4 text within a message", (OPENED, start(TEXT, b"b")), (), BAD),
    Row("5.4 binary within a message", (OPENED, start(BINARY, b"b")), (), BAD),
    Row(
        "5.4 text in fragments within a message",
        (OPENED, start(TEXT_BEGINS, b"b")),
        (),
        BAD,
    ),
    Row(
        "5.4 binary in fragments within a message",
        ((BINARY_BEGINS, b"a"), start(BINARY_BEGINS, b"b")),
        (),
        BAD,
    ),
    Row(
        "5.4 text after a continuation",
        (OPENED, (CONTINUES, b"b"), start(TEXT, b"c")),
        (),
        BAD,
    ),
    Row(
        "5.4 text after a ping within a message",
        (OPENED, (PING, b"p"), start(TEXT, b"c")),
        (Ping(b"p"),),
        BAD,
    ),
    Row(
        "5.4 text within a message that is empty so far",
        ((TEXT_BEGINS, b""), start(TEXT, b"b")),
        (),
        BAD,
    ),
]
"""
Section 5.4.
"""

MESSAGES = [
    Row("5.6 text", ((TEXT, b"hello"),), ("hello",)),
    Row(
        "5.6 text of Unicode",
        ((TEXT, "κόσμε \U0001f600".encode()),),
        ("κόσμε \U0001f600",),
    ),
    Row("5.6 text with a null character", ((TEXT, b"a\0b"),), ("a\0b",)),
    Row("5.6 binary of all bytes", ((BINARY, ALL),), (ALL,)),
    Row(
        "5.6 binary that looks like frames",
        ((BINARY, b"\x81\x01a\x88\x02\x03\xe8"),),
        (b"\x81\x01a\x88\x02\x03\xe8",),
    ),
    Row(
        "5.6 text and binary in turns",
        ((TEXT, b"1"), (BINARY, b"2"), (TEXT, b"3"), (BINARY, b"4")),
        ("1", b"2", "3", b"4"),
    ),
    Row("5.6 twenty empty messages", ((TEXT, b""), (BINARY, b"")) * 10, ("", b"") * 10),
    Row(
        "5.6 a hundred messages",
        tuple((TEXT, b"%d" % n) for n in range(100)),
        tuple(str(n) for n in range(100)),
    ),
    Row(
        "5.7 a single frame",
        (bytes.fromhex("810548656c6c6f"),),
        ("Hello",),
        roles=("client",),
    ),
    Row(
        "5.7 a single frame with a mask",
        (bytes.fromhex("818537fa213d7f9f4d5158"),),
        ("Hello",),
        roles=("server",),
    ),
    Row(
        "5.7 fragments",
        (bytes.fromhex("010348656c80026c6f"),),
        ("Hello",),
        roles=("client",),
    ),
    Row(
        "5.7 a ping",
        (bytes.fromhex("890548656c6c6f"),),
        (Ping(b"Hello"),),
        roles=("client",),
    ),
    Row(
        "5.7 a pong with a mask",
        (bytes.fromhex("8a8537fa213d7f9f4d5158"),),
        (Pong(b"Hello"),),
        roles=("server",),
    ),
    Row("5.7 256 bytes", (bytes.fromhex("827e0100"), ALL), (ALL,), roles=("client",)),
    Row(
        "5.7 64 KiB",
        (bytes.fromhex("827f0000000000010000"), ALL * 256),
        (ALL * 256,),
        roles=("client",),
    ),
    Row(
        "5.7 a single frame without a mask",
        (bytes.fromhex("8105"),),
        (),
        BAD,
        roles=("server",),
    ),
    Row(
        "5.7 a pong with a mask from a server",
        (bytes.fromhex("8a85"),),
        (),
        BAD,
        roles=("client",),
    ),
]
"""
Sections 5.6 and 5.7.
"""


class FragmentTests(RowTests, rows=[*FRAGMENTS, *MESSAGES], versions=(13, 8)):
    """
    Messages arrive whole and in order, however they are cut.
    """
