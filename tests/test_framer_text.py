# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Tests for L{twisted_ws._wire.framer}: text (RFC 6455 sections 5.6 and 8.1, RFC 3629).
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_ws._wire.frames import Frame
from twisted_ws._wire.state import State

from .wire import (
    BINARY,
    CONTINUES,
    ENDS,
    PING,
    ROLES,
    TEXT,
    TEXT_BEGINS,
    RecordingFramer,
    splitBytes,
)

VALID = (
    ("empty", ""),
    ("the first and the last of one byte", "\x00\x7f"),
    ("of two", "\u0080\u07ff"),
    ("of three", "\u0800\uffff"),
    ("of four", "\U00010000\U0010ffff"),
    ("around the surrogates", "\ud7ff\ue000"),
    ("no characters, but code points", "\ufffe\uffff\ufdd0\U0001fffe\U0010fffe"),
    ("a byte order mark is text", "\ufeffa\ufeff"),
    ("a byte order mark alone", "\ufeff"),
    ("line ends are kept", "a\r\nb\nc\rd\u2028e\x85f\r\n"),
    ("combining", "e\u0301\U0001f469\u200d\U0001f4bb"),
    ("greek", "\u03ba\u1f79\u03c3\u03bc\u03b5"),
)

BAD = (
    # The sequences of section 3 and 4 of RFC 3629, with the number of the first byte
    # that cannot stand where it stands.
    ("a continuation", b"\x80", 1),
    ("the last continuation", b"\xbf", 1),
    ("two continuations", b"\x80\xbf", 1),
    ("overlong in two, C0", b"\xc0\x80", 1),
    ("overlong in two, C1", b"\xc1\xbf", 1),
    ("overlong in three", b"\xe0\x80\xaf", 2),
    ("the longest overlong in three", b"\xe0\x9f\xbf", 2),
    ("overlong in four", b"\xf0\x80\x80\xaf", 2),
    ("the longest overlong in four", b"\xf0\x8f\xbf\xbf", 2),
    ("overlong in five", b"\xf8\x80\x80\x80\xaf", 1),
    ("overlong in six", b"\xfc\x80\x80\x80\x80\xaf", 1),
    ("the first surrogate", b"\xed\xa0\x80", 2),
    ("the last high surrogate", b"\xed\xaf\xbf", 2),
    ("the first low surrogate", b"\xed\xb0\x80", 2),
    ("the last surrogate", b"\xed\xbf\xbf", 2),
    ("a pair of surrogates", b"\xed\xa0\x80\xed\xb0\x80", 2),
    ("over U+10FFFF", b"\xf4\x90\x80\x80", 2),
    ("far over it", b"\xf5\x80\x80\x80", 1),
    ("F7", b"\xf7\xbf\xbf\xbf", 1),
    ("five bytes", b"\xf8\x88\x80\x80\x80", 1),
    ("six bytes", b"\xfc\x84\x80\x80\x80\x80", 1),
    ("FE", b"\xfe", 1),
    ("FF", b"\xff", 1),
    ("two, then ASCII", b"\xc3a", 2),
    ("two, then a lead", b"\xc3\xc3", 2),
    ("three, then ASCII", b"\xe2a", 2),
    ("three, then a lead", b"\xe2\x82\xe2", 3),
    ("three, then ASCII after two", b"\xe2\x82a", 3),
    ("four, then ASCII", b"\xf0\x9f\x98a", 4),
    ("four, then a lead after two", b"\xf0\x9f\xf0", 3),
)

CUT_OFF = (b"\xc3", b"\xe2", b"\xe2\x82", b"\xf0", b"\xf0\x9f", b"\xf0\x9f\x98")


class ValidTests(SynchronousTestCase):
    """
    What is text.
    """

    def test_oneFrame(self) -> None:
        """
        Text arrives as it was sent, in one read and byte by byte.
        """
        for role, isServer in ROLES:
            for name, text in VALID:
                for bytewise in (False, True):
                    framer = RecordingFramer(isServer)
                    frame = framer.frame(TEXT, text.encode("utf-8"))
                    if bytewise:
                        framer.feedBytes(frame)
                    else:
                        framer.dataReceived(frame)
                    self.assertEqual(framer.calls, [("message", text)], (role, name))

    def test_everyCut(self) -> None:
        """
        5.6: characters may be cut anywhere: by the ends of frames, and of reads.
        """
        for isServer in (True, False):
            for name, text in VALID:
                data = text.encode("utf-8")
                for cut in range(len(data) + 1):
                    framer = RecordingFramer(isServer)
                    frames = framer.frame(TEXT_BEGINS, data[:cut])
                    frames += framer.frame(PING, b"")
                    frames += framer.frame(ENDS, data[cut:])
                    for size in (1, 2, 3, 7, len(frames)):
                        for read in splitBytes(frames, [size] * (len(frames) // size)):
                            framer.dataReceived(read)
                        self.assertEqual(framer.messages, [text], (name, cut, size))
                        framer.calls.clear()

    def test_aFrameForEachByte(self) -> None:
        """
        Every byte may be a frame of its own.
        """
        for name, text in VALID:
            framer = RecordingFramer()
            framer.feed(
                (TEXT_BEGINS, b""),
                *[(CONTINUES, bytes([octet])) for octet in text.encode("utf-8")],
                (ENDS, b""),
            )
            self.assertEqual(framer.messages, [text], name)

    def test_nextMessageIsAnew(self) -> None:
        """
        What one message ended with does not count in the next.
        """
        framer = RecordingFramer()
        framer.feed(
            (TEXT_BEGINS, b"\xe2\x82"),
            (ENDS, b"\xac"),
            (0x02, b"\xe2"),
            (ENDS, b"\x82"),
            (TEXT_BEGINS, b"a"),
            (ENDS, b"b"),
            (TEXT, b"c"),
        )
        self.assertEqual(framer.messages, ["\u20ac", b"\xe2\x82", "ab", "c"])

    def test_binaryIsNotText(self) -> None:
        """
        Binary messages may have any bytes, whole and in fragments.
        """
        for name, bad, _ in BAD:
            framer = RecordingFramer()
            framer.feed((BINARY, bad), (0x02, bad[:1]), (ENDS, bad[1:]))
            framer.feedBytes(framer.frame(BINARY, bad))
            self.assertEqual(framer.messages, [bad] * 3, name)


class BadTests(SynchronousTestCase):
    """
    What is not text fails at once, with 1007.
    """

    GOOD = "ok \u20ac ".encode()
    ANNOUNCED = 60_000

    def test_withinAFrame(self) -> None:
        """
        8.1: bad text fails at its first bad byte, though its frame is far from
        complete, whole or a fragment.
        """
        for role, isServer in ROLES:
            for assembling in (True, False):
                for start in (TEXT, TEXT_BEGINS):
                    for name, bad, number in BAD:
                        framer = RecordingFramer(isServer, assembleFragments=assembling)
                        payload = self.GOOD + bad
                        frame = framer.frame(start, payload, announced=self.ANNOUNCED)
                        header = len(frame) - len(payload)
                        judged = framer.feedBytes(frame + bytes(20))
                        told = header + len(self.GOOD) + number
                        self.assertEqual(judged, told, (role, start, name))
                        self.assertEqual(framer.closeCode, 1007, name)
                        self.assertEqual(framer.messages, [], name)

    def test_withinAContinuation(self) -> None:
        """
        8.1: so does bad text in a later frame, also where a character was cut.
        """
        for role, isServer in ROLES:
            for start in (CONTINUES, ENDS):
                for name, bad, number in BAD:
                    for cut in range(number):
                        framer = RecordingFramer(isServer)
                        framer.feed((TEXT_BEGINS, self.GOOD + bad[:cut]), (PING, b""))
                        self.assertEqual(framer.closeCode, None, name)
                        frame = framer.frame(start, bad[cut:], announced=self.ANNOUNCED)
                        header = len(frame) - len(bad[cut:])
                        judged = framer.feedBytes(frame + bytes(20))
                        self.assertEqual(judged, header + number - cut, (role, name))
                        self.assertEqual(framer.closeCode, 1007, name)

    def test_oneRead(self) -> None:
        """
        8.1: in one read it fails too, whole, unfinished and in fragments; what came
        before is delivered, what comes after is not.
        """
        for role, isServer in ROLES:
            for name, bad, _ in BAD:
                framers = [RecordingFramer(isServer) for _ in range(3)]
                whole, unfinished, fragments = framers
                whole.feed((TEXT, b"1"), (TEXT, bad), (TEXT, b"2"))
                unfinished.feed((TEXT, b"1"))
                unfinished.dataReceived(unfinished.frame(TEXT, bad, announced=999))
                fragments.feed((TEXT, b"1"), (TEXT_BEGINS, bad), (ENDS, b""))
                for framer in framers:
                    self.assertEqual(framer.messages, ["1"], (role, name))
                    self.assertEqual(framer.closeCode, 1007, (role, name))

    def test_cutOff(self) -> None:
        """
        8.1: a message that ends within a character fails at its last byte; if its
        last frame is empty, with the header of that.
        """
        for role, isServer in ROLES:
            for assembling in (True, False):
                for rest in CUT_OFF:
                    for last in (TEXT, ENDS):
                        for bytewise in (True, False):
                            framer = RecordingFramer(
                                isServer, assembleFragments=assembling
                            )
                            if last == ENDS:
                                framer.feed((TEXT_BEGINS, b"a"))
                                framer.calls.clear()
                            data = framer.frame(last, self.GOOD + rest)
                            if bytewise:
                                self.assertEqual(framer.feedBytes(data), len(data))
                            else:
                                framer.dataReceived(data)
                            name = (role, rest, last)
                            self.assertEqual(framer.closeCode, 1007, name)
                            self.assertEqual(framer.messages, [], name)
                    framer = RecordingFramer(isServer)
                    framer.feed((TEXT_BEGINS, rest))
                    header = framer.frame(ENDS)
                    self.assertEqual(framer.feedBytes(header), len(header), rest)
                    self.assertEqual(framer.closeCode, 1007, rest)

    def test_cutOffIsNoFault(self) -> None:
        """
        A character may wait for its end as long as its message goes on.
        """
        for rest in CUT_OFF:
            framer = RecordingFramer()
            framer.feed((TEXT_BEGINS, rest), (CONTINUES, b""), (PING, b""))
            self.assertEqual(framer.state, State.OPEN, rest)
            self.assertEqual(framer.messages, [])

    def test_framesBeforeAreDelivered(self) -> None:
        """
        At frame level the good frames of a bad message were delivered when they came.
        """
        framer = RecordingFramer(assembleFragments=False)
        framer.feed((TEXT_BEGINS, b"a\xe2"), (CONTINUES, b"\x82"), (ENDS, b"b"))
        self.assertEqual(
            framer.messages, [Frame(1, b"a\xe2", False), Frame(0, b"\x82", False)]
        )
        self.assertEqual(framer.closeCode, 1007)

    def test_says(self) -> None:
        """
        The peer is told what was wrong, in the same words however it was read.
        """
        for _, bad, _ in BAD:
            for reads in (1, 1000):
                framer = RecordingFramer()
                frame = framer.frame(TEXT, bad)
                for read in splitBytes(frame, [reads] * len(frame)):
                    framer.dataReceived(read)
                said = b"\x03\xeftext that is not UTF-8"
                self.assertEqual(framer.sent, [(0x88, said)], bad.hex())
