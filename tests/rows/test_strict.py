# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Tests of what judges in the other tests here: that it does judge.
"""

from __future__ import annotations

import zlib

from twisted.trial.unittest import SynchronousTestCase

from tests.wire import (
    BINARY,
    CLOSE,
    CONTINUES,
    ENDS,
    KEY,
    PING,
    PONG,
    TEXT,
    TEXT_BEGINS,
    rawFrame,
)

from .deflate import CTEXT, HELLO, NOISE, TAIL, StrictInflater, compressed
from .parts import Piece, closeFrame, render
from .row import BOTH, OPEN, Closed, End, Fails, Row
from .strict import Closing, Ping, Pong, StrictReader, checkSame
from .table import RowTests, identifier


class ReaderTests(SynchronousTestCase):
    """
    L{StrictReader}.
    """

    def read(self, data: bytes, isFromClient: bool = False, inflates: bool = False):
        """
        @return: what it tells.
        """
        inflate = StrictInflater(15, False).inflate if inflates else None
        reader = StrictReader(isFromClient, inflate)
        events = reader.read(data)
        reader.checkEnd()
        return events

    def test_right(self) -> None:
        """
        What may be sent is told as what it is.
        """
        pieces: tuple[Piece, ...] = (
            (TEXT, b"a"),
            (TEXT_BEGINS, b"\xe2"),
            (PING, b"p"),
            (CONTINUES, b""),
            (ENDS, b"\x82\xac"),
            (BINARY, bytes(126)),
            (PONG, b""),
            closeFrame(1000, b"bye"),
        )
        events = ["a", Ping(b"p"), "\u20ac", bytes(126), Pong(), Closing(1000, "bye")]
        for toServer in (False, True):
            self.assertEqual(self.read(render(pieces, toServer), toServer), events)
        self.assertEqual(self.read(rawFrame(CLOSE)), [Closing(1005)])
        self.assertEqual(self.read(rawFrame(CTEXT, HELLO), inflates=True), ["Hello"])

    def test_wrong(self) -> None:
        """
        What may not be sent is an error.
        """
        begun = rawFrame(TEXT_BEGINS, b"a")
        for name, data, isFromClient, inflates in (
            ("no mask", rawFrame(TEXT, b"a"), True, False),
            ("a mask", rawFrame(TEXT, b"a", KEY), False, False),
            ("RSV1", rawFrame(CTEXT, HELLO), False, False),
            ("RSV2", rawFrame(0xA1, b"a"), False, True),
            ("RSV3", rawFrame(0x91, b"a"), False, True),
            ("RSV1 of a ping", rawFrame(0xC9, b"a"), False, True),
            ("RSV1 of a fragment", begun + rawFrame(0xC0, HELLO), False, True),
            ("opcode 3", rawFrame(0x83), False, False),
            ("opcode 11", rawFrame(0x8B), False, False),
            ("16 bits", rawFrame(TEXT, b"a", form=16), False, False),
            ("64 bits", rawFrame(TEXT, bytes(126), form=64), False, False),
            ("cut off", rawFrame(TEXT, b"a", announced=2), False, False),
            ("ping of 126", rawFrame(PING, bytes(126)), False, False),
            ("half a ping", rawFrame(0x09), False, False),
            ("text within text", begun + rawFrame(TEXT, b"a"), False, False),
            ("continuation", rawFrame(ENDS, b"a"), False, False),
            ("no end", begun, False, False),
            ("bad text", rawFrame(TEXT, b"\xff"), False, False),
            ("half a code", rawFrame(CLOSE, b"\3"), False, False),
            ("code 1005", rawFrame(*closeFrame(1005)), False, False),
            ("bad reason", rawFrame(*closeFrame(1000, b"\xff")), False, False),
            ("after a close", rawFrame(CLOSE) + rawFrame(PING), False, False),
            ("empty payload", rawFrame(CTEXT), False, True),
            ("damage", rawFrame(CTEXT, b"\x06"), False, True),
        ):
            with self.assertRaises(
                (AssertionError, UnicodeDecodeError, zlib.error), msg=name
            ):
                self.read(data, isFromClient, inflates)


class InflaterTests(SynchronousTestCase):
    """
    L{StrictInflater}.
    """

    def test_window(self) -> None:
        """
        It remembers as much as was agreed on, within a message and over messages.
        """
        within = compressed(NOISE[:700] * 2)[0]
        first, second = compressed(NOISE[:700], NOISE[:700])
        self.assertEqual(StrictInflater(10, False).inflate(within), NOISE[:700] * 2)
        self.assertRaises(zlib.error, StrictInflater(9, False).inflate, within)
        for bits, forgets, isGood in (
            (10, False, True),
            (9, False, False),
            (10, True, False),
        ):
            inflater = StrictInflater(bits, forgets)
            self.assertEqual(inflater.inflate(first), NOISE[:700])
            if isGood:
                self.assertEqual(inflater.inflate(second), NOISE[:700])
            else:
                self.assertRaises(zlib.error, inflater.inflate, second)

    def test_tail(self) -> None:
        """
        What should have been left out at the end is an error, and so is less than that.
        """
        for payload in (HELLO + TAIL, HELLO[:-1], HELLO[:-1] + b"\1", b""):
            with self.assertRaises((AssertionError, zlib.error), msg=payload.hex()):
                StrictInflater(15, False).inflate(payload)


class TableTests(SynchronousTestCase):
    """
    Rows, and what is made of them.
    """

    def test_wrongRows(self) -> None:
        """
        A row whose expectations are wrong fails.
        """
        hello: tuple[Piece, ...] = ((TEXT, b"hello"),)
        ping: tuple[Piece, ...] = ((PING, b"p"),)
        good: tuple[Piece, ...] = (*hello, closeFrame(1000, b"bye"))
        bad: tuple[Piece, ...] = (*hello, (0x83, b"abc"))
        for name, sends, events, end in (
            ("another message", hello, ("hullo",), OPEN),
            ("no message", hello, (), OPEN),
            ("one more", hello, ("hello", "hello"), OPEN),
            ("bytes for text", hello, (b"hello",), OPEN),
            ("another ping", ping, (Ping(b"q"),), OPEN),
            ("a pong for a ping", ping, (Pong(b"p"),), OPEN),
            ("open", good, ("hello",), OPEN),
            ("another code", good, ("hello",), Closed(1001, "bye")),
            ("another reason", good, ("hello",), Closed(1000)),
            ("closed", bad, ("hello",), Closed(1002)),
            ("failed", good, ("hello",), Fails(1000)),
            ("failed later", bad, ("hello",), Fails(1002)),
            ("no failure", hello, ("hello",), Fails(1002)),
        ):
            row = Row(f"1 {name}", sends, events, end)
            for isServer in (True, False):
                with self.assertRaises(AssertionError, msg=name):
                    row.check(self, isServer, 13)

    def test_names(self) -> None:
        """
        A row's name is in that of its methods; two rows of one name are an error.
        """
        self.assertEqual(identifier("5.5.1 close of 1 byte"), "5_5_1_closeOf1Byte")
        self.assertEqual(identifier("RFC 7692 7.1 RSV1 on"), "rfc7692_7_1_RSV1On")
        self.assertRaises(AssertionError, identifier, "close")
        row = Row("1 a", ())

        class Some(RowTests, rows=[row], versions=(13, 8)):
            pass

        names = {f"test_{role}{version}_1_a" for role in BOTH for version in ("", "8")}
        self.assertEqual({name for name in vars(Some) if "test_" in name}, names)
        with self.assertRaises(AssertionError):

            class Same(RowTests, rows=[row, row]):
                pass

    def test_long(self) -> None:
        """
        To compare long payloads does not make a long message.
        """
        self.assertRaises(AssertionError, checkSame, self, [bytes(99999)], [b""], "")
        like = [bytes(99999) + b"a"], [bytes(99999) + b"b"]
        error = self.assertRaises(AssertionError, checkSame, self, *like, "here")
        self.assertTrue(len(str(error)) < 1000)
        checkSame(self, [b"a"], (b"a",), "")
        self.assertIsInstance(OPEN, End)
