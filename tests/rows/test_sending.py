# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
RFC 6455 sections 5 to 7 the other way: what our side sends, and what it refuses to.
"""

from __future__ import annotations

from operator import methodcaller as do

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
from twisted_ws import ConnectionNotOpen, Frame
from twisted_ws.errors import IllegalFrame

from .sending import SendRow, pieces, ping
from .table import RowTests

ALL = bytes(range(256))
LONG = ALL * 260
WHOLE = {"fragmentOutgoingMessages": False}
BY_FOUR = {"fragmentationThreshold": 4}
CLOSE_1000 = (CLOSE, b"\3\xe8")
EDGES = (0, 1, 124, 125, 126, 127, 65534, 65535, 65536, 65537)

MESSAGES = [
    *[
        SendRow(
            f"5.2 {size} bytes of binary",
            (do("sendMessage", LONG[:size]),),
            ((BINARY, LONG[:size]),),
            options=WHOLE,
        )
        for size in EDGES
    ],
    *[
        SendRow(
            f"5.2 {size} bytes of text",
            (do("sendMessage", "~" * size),),
            ((TEXT, b"~" * size),),
            options=WHOLE,
        )
        for size in (0, 125, 126, 65535, 65536)
    ],
    SendRow(
        "5.6 text of Unicode",
        (do("sendMessage", "\u20ac\U0001f600"),),
        ((TEXT, "\u20ac\U0001f600".encode()),),
    ),
    SendRow(
        "5.6 text with a null character",
        (do("sendMessage", "a\0b"),),
        ((TEXT, b"a\0b"),),
    ),
    SendRow(
        "5.6 length of Unicode in bytes",
        (do("sendMessage", "\u20ac" * 42),),
        ((TEXT, b"\xe2\x82\xac" * 42),),
    ),
    SendRow(
        "5.6 bytearray",
        (do("sendMessage", bytearray(b"\xff\0")),),
        ((BINARY, b"\xff\0"),),
    ),
    SendRow(
        "5.6 memoryview",
        (do("sendMessage", memoryview(ALL)[::2]),),
        ((BINARY, ALL[::2]),),
    ),
    SendRow(
        "5.6 several messages",
        (do("sendMessage", "a"), do("sendMessage", b"b"), do("sendMessage", "")),
        ((TEXT, b"a"), (BINARY, b"b"), (TEXT, b"")),
    ),
    SendRow(
        "5.6 text with a lone surrogate",
        (do("sendMessage", "\ud800"),),
        raises=UnicodeEncodeError,
    ),
    SendRow("5.6 no message but a number", (do("sendMessage", 5),), raises=TypeError),
    SendRow("5.6 no message but nothing", (do("sendMessage", None),), raises=TypeError),
    *[
        SendRow(
            f"5.4 {size} bytes by four",
            (do("sendMessage", ALL[:size]),),
            frames,
            options=BY_FOUR,
        )
        for size, frames in (
            (0, ((BINARY, b""),)),
            (3, ((BINARY, ALL[:3]),)),
            (4, ((BINARY, ALL[:4]),)),
            (5, ((BINARY_BEGINS, ALL[:4]), (ENDS, ALL[4:5]))),
            (8, ((BINARY_BEGINS, ALL[:4]), (ENDS, ALL[4:8]))),
            (9, ((BINARY_BEGINS, ALL[:4]), (CONTINUES, ALL[4:8]), (ENDS, ALL[8:9]))),
        )
    ],
    SendRow(
        "5.4 text by four",
        (do("sendMessage", "abcdefghi"),),
        ((TEXT_BEGINS, b"abcd"), (CONTINUES, b"efgh"), (ENDS, b"i")),
        options=BY_FOUR,
    ),
    SendRow(
        "5.4 text by four within characters",
        (do("sendMessage", "\u20ac\u20ac\u20ac"),),
        (
            (TEXT_BEGINS, b"\xe2\x82\xac\xe2"),
            (CONTINUES, b"\x82\xac\xe2\x82"),
            (ENDS, b"\xac"),
        ),
        options=BY_FOUR,
    ),
    SendRow(
        "5.4 a long message by 16 KiB",
        (do("sendMessage", LONG),),
        (
            (BINARY_BEGINS, LONG[:16384]),
            *[(CONTINUES, LONG[at : at + 16384]) for at in (16384, 32768, 49152)],
            (ENDS, LONG[65536:]),
        ),
    ),
    SendRow(
        "5.4 pieces of text",
        (pieces("a", "b"),),
        ((TEXT_BEGINS, b"a"), (CONTINUES, b"b"), (ENDS, b"")),
    ),
    SendRow(
        "5.4 pieces of binary",
        (pieces(b"a", b"b"),),
        ((BINARY_BEGINS, b"a"), (CONTINUES, b"b"), (ENDS, b"")),
    ),
    SendRow(
        "5.4 pieces of text as bytes",
        (pieces(b"\xe2\x82", b"\xac", opcode=1),),
        ((TEXT_BEGINS, b"\xe2\x82"), (CONTINUES, b"\xac"), (ENDS, b"")),
    ),
    SendRow("5.4 no pieces of text", (pieces(opcode=1),), ((TEXT, b""),)),
    SendRow("5.4 no pieces of binary", (pieces(opcode=2),), ((BINARY, b""),)),
    SendRow(
        "5.4 pieces that end within a character",
        (pieces(b"\xe2\x82", opcode=1),),
        ((TEXT_BEGINS, b"\xe2\x82"),),
        IllegalFrame,
        isWhole=False,
    ),
    SendRow(
        "5.4 message within pieces",
        (lambda c: c.beginMessage().write("a"), do("sendMessage", "b")),
        ((TEXT_BEGINS, b"a"),),
        IllegalFrame,
        isWhole=False,
    ),
    SendRow(
        "5.4 pieces within pieces",
        (lambda c: c.beginMessage().write("a"), pieces("b")),
        ((TEXT_BEGINS, b"a"),),
        IllegalFrame,
        isWhole=False,
    ),
    SendRow(
        "5.4 ping within pieces",
        (
            lambda c: c.beginMessage().write("a"),
            ping(b"p"),
            do("sendFrame", Frame(0, b"b")),
        ),
        ((TEXT_BEGINS, b"a"), (PING, b"p"), (ENDS, b"b")),
    ),
    SendRow(
        "5.4 close within pieces",
        (lambda c: c.beginMessage().write("a"), do("close")),
        ((TEXT_BEGINS, b"a"), CLOSE_1000),
        isWhole=False,
    ),
]
"""
Messages.
"""

FRAMES = [
    SendRow(
        "5.2 frames one by one",
        (
            do("sendFrame", Frame(1, b"a", False)),
            do("sendFrame", Frame(0, b"", False)),
            do("sendFrame", Frame(0, b"b")),
        ),
        ((TEXT_BEGINS, b"a"), (CONTINUES, b""), (ENDS, b"b")),
    ),
    SendRow(
        "5.2 whole frames",
        (do("sendFrame", Frame(1, b"a")), do("sendFrame", Frame(2, b"\xff"))),
        ((TEXT, b"a"), (BINARY, b"\xff")),
    ),
    *[
        SendRow(
            f"5.2 no frame of opcode {opcode:x}",
            (do("sendFrame", Frame(opcode, b"a")),),
            raises=IllegalFrame,
        )
        for opcode in (*range(3, 8), *range(11, 16))
    ],
    *[
        SendRow(
            f"5.2 no frame with the reserved bits {rsv >> 4:03b}",
            (do("sendFrame", Frame(1, b"a", rsv=rsv)),),
            raises=IllegalFrame,
        )
        for rsv in (0x40, 0x20, 0x10, 0x70)
    ],
    SendRow(
        "5.2 no ping with a reserved bit",
        (do("sendFrame", Frame(9, rsv=0x40)),),
        raises=IllegalFrame,
    ),
    SendRow(
        "5.4 no continuation of nothing",
        (do("sendFrame", Frame(0, b"a")),),
        raises=IllegalFrame,
    ),
    SendRow(
        "5.4 no continuation of what has ended",
        (do("sendMessage", "a"), do("sendFrame", Frame(0, b"b"))),
        ((TEXT, b"a"),),
        IllegalFrame,
    ),
    SendRow(
        "5.4 no text within text",
        (do("sendFrame", Frame(1, b"a", False)), do("sendFrame", Frame(1, b"b"))),
        ((TEXT_BEGINS, b"a"),),
        IllegalFrame,
        isWhole=False,
    ),
    SendRow(
        "5.4 no binary within text",
        (
            do("sendFrame", Frame(1, b"a", False)),
            do("sendFrame", Frame(2, b"b", False)),
        ),
        ((TEXT_BEGINS, b"a"),),
        IllegalFrame,
        isWhole=False,
    ),
    SendRow(
        "5.5 no ping of 126 bytes",
        (do("sendFrame", Frame(9, bytes(126))),),
        raises=IllegalFrame,
    ),
    SendRow(
        "5.5 no ping in fragments",
        (do("sendFrame", Frame(9, b"a", False)),),
        raises=IllegalFrame,
    ),
    SendRow(
        "5.5 no close in fragments",
        (do("sendFrame", Frame(8, b"\3\xe8", False)),),
        raises=IllegalFrame,
    ),
    SendRow("5.5.2 ping", (ping(b"a"),), ((PING, b"a"),)),
    SendRow("5.5.2 ping of nothing", (ping(b""),), ((PING, b""),)),
    SendRow("5.5.2 ping of 125 bytes", (ping(ALL[:125]),), ((PING, ALL[:125]),)),
    SendRow(
        "5.5.2 no ping of 126 bytes", (do("ping", ALL[:126]),), raises=IllegalFrame
    ),
    SendRow("5.5.3 pong", (do("pong", b"a"),), ((PONG, b"a"),)),
    SendRow("5.5.3 pong of 125 bytes", (do("pong", ALL[:125]),), ((PONG, ALL[:125]),)),
    SendRow(
        "5.5.3 no pong of 126 bytes", (do("pong", ALL[:126]),), raises=IllegalFrame
    ),
    SendRow(
        "8.1 no text that is not UTF 8",
        (do("sendFrame", Frame(1, b"\xff")),),
        raises=IllegalFrame,
    ),
    SendRow(
        "8.1 no text that ends within a character",
        (do("sendFrame", Frame(1, b"\xe2\x82")),),
        raises=IllegalFrame,
    ),
    SendRow(
        "8.1 no fragment that goes on wrongly",
        (do("sendFrame", Frame(1, b"\xe2", False)), do("sendFrame", Frame(0, b"a"))),
        ((TEXT_BEGINS, b"\xe2"),),
        IllegalFrame,
        isWhole=False,
    ),
]
"""
Frames.
"""

CLOSES = [
    SendRow("5.5.1 close", (do("close"),), (CLOSE_1000,)),
    SendRow(
        "5.5.1 close with a reason",
        (do("close", 4000, "bye \u20ac"),),
        ((CLOSE, b"\x0f\xa0bye \xe2\x82\xac"),),
    ),
    SendRow(
        "5.5.1 close with a reason of 123 bytes",
        (do("close", 1001, "x" * 123),),
        ((CLOSE, b"\3\xe9" + b"x" * 123),),
    ),
    SendRow(
        "5.5.1 no close with a reason of 124 bytes",
        (do("close", 1001, "x" * 124),),
        raises=IllegalFrame,
    ),
    SendRow(
        "5.5.1 no close with 42 Euro signs",
        (do("close", 1001, "\u20ac" * 42),),
        raises=IllegalFrame,
    ),
    SendRow(
        "5.5.1 no close with a lone surrogate",
        (do("close", 1000, "\udfff"),),
        raises=IllegalFrame,
    ),
    SendRow("5.5.1 close without a code", (do("close", 1005),), ((CLOSE, b""),)),
    SendRow(
        "5.5.1 no close without a code but with a reason",
        (do("close", 1005, "bye"),),
        raises=IllegalFrame,
    ),
    SendRow(
        "5.5.1 close only once",
        (do("close", 4000), do("close", 4001)),
        ((CLOSE, b"\x0f\xa0"),),
    ),
    SendRow(
        "5.5.1 close after a message",
        (do("sendMessage", "a"), do("close")),
        ((TEXT, b"a"), CLOSE_1000),
    ),
    *[
        SendRow(
            f"7.4 close with the code {code}",
            (do("close", code),),
            ((CLOSE, code.to_bytes(2, "big")),),
        )
        for code in (1001, 1002, 1003, 1007, 1011, 1014, 3000, 4999)
    ],
    *[
        SendRow(
            f"7.4 no close with the code {code}",
            (do("close", code),),
            raises=IllegalFrame,
        )
        for code in (-1, 0, 999, 1004, 1006, 1015, 1016, 2999, 5000, 65536)
    ],
    *[
        SendRow(
            f"5.5.1 no {name} after a close",
            (do("close"), act),
            (CLOSE_1000,),
            ConnectionNotOpen,
        )
        for name, act in (
            ("message", do("sendMessage", "a")),
            ("frame", do("sendFrame", Frame(1, b"a"))),
            ("pong", do("pong")),
            ("pieces", pieces("a")),
        )
    ],
]
"""
Close frames.
"""


class SendingTests(RowTests, rows=[*MESSAGES, *FRAMES, *CLOSES]):
    """
    All that is sent is as the RFC has it, and what is not is refused and sends nothing.
    """
