# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
RFC 7692 sections 6 and 7 the other way: the compressed messages that our side sends.
"""

from __future__ import annotations

from operator import methodcaller as do

from tests.wire import BINARY_BEGINS, CLOSE, CONTINUES, ENDS, PING, PONG, TEXT
from twisted_ws import Frame
from twisted_ws.errors import IllegalFrame

from .deflate import (
    CBINARY,
    CBINARY_BEGINS,
    CTEXT,
    CTEXT_BEGINS,
    HELLO,
    NOISE,
    PROSE,
    RSV1,
    Agreement,
    many,
)
from .deflating import DeflateSendRow
from .sending import pieces, ping
from .strict import Closing, Ping, Pong
from .table import RowTests

SENT = [
    DeflateSendRow(
        "RFC 7692 6 text is compressed", (do("sendMessage", PROSE),), (CTEXT,), (PROSE,)
    ),
    DeflateSendRow(
        "RFC 7692 6 binary is compressed",
        (do("sendMessage", bytes(500)),),
        (CBINARY,),
        (bytes(500),),
    ),
    DeflateSendRow(
        "RFC 7692 7.2.3.6 empty text",
        (do("sendMessage", "", compress=True),),
        (CTEXT,),
        ("",),
    ),
    DeflateSendRow(
        "RFC 7692 7.2.3.6 empty text over and over",
        (do("sendMessage", "", compress=True),) * 3,
        (CTEXT,) * 3,
        ("",) * 3,
    ),
    DeflateSendRow(
        "RFC 7692 6 under the threshold",
        (do("sendMessage", "x" * 127),),
        (TEXT,),
        ("x" * 127,),
        how={"threshold": 128},
    ),
    DeflateSendRow(
        "RFC 7692 6 at the threshold",
        (do("sendMessage", "x" * 128),),
        (CTEXT,),
        ("x" * 128,),
        how={"threshold": 128},
    ),
    DeflateSendRow(
        "RFC 7692 6 under the threshold but asked for",
        (do("sendMessage", "x", compress=True),),
        (CTEXT,),
        ("x",),
        how={"threshold": 128},
    ),
    DeflateSendRow(
        "RFC 7692 6 asked not to",
        (do("sendMessage", PROSE, compress=False),),
        (TEXT,),
        (PROSE,),
    ),
    DeflateSendRow(
        "RFC 7692 8 a secret between",
        (
            do("sendMessage", PROSE),
            do("sendMessage", PROSE, compress=False),
            do("sendMessage", PROSE),
        ),
        (CTEXT, TEXT, CTEXT),
        (PROSE,) * 3,
    ),
    DeflateSendRow(
        "RFC 7692 6.1 fragments",
        (do("sendMessage", NOISE[:1000]),),
        (CBINARY_BEGINS, CONTINUES, ENDS),
        (NOISE[:1000],),
        options={"fragmentationThreshold": 400},
    ),
    DeflateSendRow(
        "RFC 7692 6.1 one fragment when it is small",
        (do("sendMessage", bytes(1000)),),
        (CBINARY,),
        (bytes(1000),),
        options={"fragmentationThreshold": 400},
    ),
    DeflateSendRow(
        "RFC 7692 6.1 fragments that are not compressed",
        (do("sendMessage", bytes(1000), compress=False),),
        (BINARY_BEGINS, CONTINUES, ENDS),
        (bytes(1000),),
        options={"fragmentationThreshold": 400},
    ),
    DeflateSendRow(
        "RFC 7692 6.1 pieces",
        (pieces("Hel", "lo"),),
        (CTEXT_BEGINS, CONTINUES, ENDS),
        ("Hello",),
    ),
    DeflateSendRow("RFC 7692 6.1 no pieces", (pieces(opcode=2),), (CBINARY,), (b"",)),
    DeflateSendRow(
        "RFC 7692 6.1 pieces within a character",
        (pieces(b"\xe2", b"\x82\xac", opcode=1),),
        (CTEXT_BEGINS, CONTINUES, ENDS),
        ("\u20ac",),
    ),
    DeflateSendRow(
        "RFC 7692 6.1 frames one by one",
        (
            do("sendFrame", Frame(1, b"Hel", False)),
            do("sendFrame", Frame(0, b"", False)),
            do("sendFrame", Frame(0, b"lo")),
        ),
        (CTEXT_BEGINS, CONTINUES, ENDS),
        ("Hello",),
    ),
    DeflateSendRow(
        "RFC 7692 6.1 a ping between",
        (
            do("sendFrame", Frame(1, b"Hel", False)),
            ping(b"p"),
            do("sendFrame", Frame(0, b"lo")),
        ),
        (CTEXT_BEGINS, PING, ENDS),
        (Ping(b"p"), "Hello"),
    ),
    DeflateSendRow(
        "RFC 7692 6.1 control frames are not compressed",
        (ping(bytes(125)), do("pong", bytes(125)), do("close", 1000, "x" * 123)),
        (PING, PONG, CLOSE),
        (Ping(bytes(125)), Pong(bytes(125)), Closing(1000, "x" * 123)),
    ),
    DeflateSendRow(
        "RFC 7692 6 the application sets no bit",
        (do("sendMessage", "a"), do("sendFrame", Frame(1, HELLO, rsv=RSV1))),
        (CTEXT,),
        ("a",),
        IllegalFrame,
    ),
    DeflateSendRow(
        "RFC 7692 7.2.1 noise",
        (do("sendMessage", NOISE), do("sendMessage", NOISE)),
        (CBINARY,) * 2,
        (NOISE, NOISE),
    ),
    DeflateSendRow(
        "RFC 7692 7.1.1 many messages",
        tuple(do("sendMessage", each) for each in many(40)),
        (CTEXT,) * 40,
        tuple(many(40)),
    ),
    DeflateSendRow(
        "RFC 7692 7.1.1 many messages that are forgotten",
        tuple(do("sendMessage", PROSE) for _ in range(3)),
        (CTEXT,) * 3,
        (PROSE,) * 3,
        agreed=Agreement(weForget=True),
    ),
    DeflateSendRow(
        "RFC 7692 7.1.2 small window",
        (do("sendMessage", NOISE * 3),),
        (CBINARY,),
        (NOISE * 3,),
        agreed=Agreement(ourBits=8),
    ),
    DeflateSendRow(
        "RFC 7692 7.1.2 small window and level 9",
        (do("sendMessage", PROSE * 3),),
        (CTEXT,),
        (PROSE * 3,),
        agreed=Agreement(ourBits=9),
        how={"level": 9},
    ),
]
"""
What our side sends.
"""


class CompressionSendingTests(RowTests, rows=SENT):
    """
    What is sent is compressed where it is to be, and in a way that was agreed on.
    """
