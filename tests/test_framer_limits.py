# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Tests for L{twisted_ws._wire.framer}: what is too much (RFC 6455 section 10.4).
"""

from __future__ import annotations

import tracemalloc
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_ws._wire.frames import Frame
from twisted_ws._wire.state import State

from .wire import (
    BINARY,
    BINARY_BEGINS,
    CONTINUES,
    ENDS,
    KEY,
    PING,
    PONG,
    ROLES,
    TEXT,
    TEXT_BEGINS,
    RecordingFramer,
)

HUGE = (1 << 63) - 1
"""
The longest frame that there can be.
"""


class SizeTests(SynchronousTestCase):
    """
    C{maxReceivedFrameSize} and C{maxReceivedMessageSize}.
    """

    def test_accepted(self) -> None:
        """
        A size that is exactly at a limit is taken, in one read and byte by byte.
        """
        rows: tuple[tuple[str, Any, Any, list[tuple[int, bytes]], Any], ...] = (
            ("a frame", 300, 1000, [(BINARY, bytes(300))], bytes(300)),
            ("a text", 300, 1000, [(TEXT, b"x" * 300)], "x" * 300),
            ("frame over message", 1000, 300, [(BINARY, bytes(300))], bytes(300)),
            ("the message's alone", None, 300, [(BINARY, bytes(300))], bytes(300)),
            ("the frame's alone", 300, None, [(BINARY, bytes(300))], bytes(300)),
            (
                "two fragments",
                300,
                500,
                [(BINARY_BEGINS, bytes(300)), (ENDS, bytes(200))],
                bytes(500),
            ),
            (
                "empty fragments at the limit",
                300,
                300,
                [(BINARY_BEGINS, bytes(300)), (CONTINUES, b""), (ENDS, b"")],
                bytes(300),
            ),
            (
                "a frame limit is not of messages",
                1,
                None,
                [(TEXT_BEGINS, b"a"), *[(CONTINUES, b"b")] * 9, (ENDS, b"c")],
                "abbbbbbbbbc",
            ),
            ("of one byte", 1, 1, [(TEXT, b"x")], "x"),
            ("bytes, not characters", 3, 3, [(TEXT, b"\xe2\x82\xac")], "\u20ac"),
        )
        for role, isServer in ROLES:
            for name, frame, message, frames, delivered in rows:
                for bytewise in (False, True):
                    framer = RecordingFramer(
                        isServer,
                        maxReceivedFrameSize=frame,
                        maxReceivedMessageSize=message,
                    )
                    if bytewise:
                        for each in frames:
                            framer.feedBytes(framer.frame(*each))
                    else:
                        framer.feed(*frames)
                    self.assertEqual(framer.calls, [("message", delivered)], name)
                    # And again: each message is measured by itself.
                    framer.feed(*frames)
                    self.assertEqual(framer.messages, [delivered] * 2, (role, name))

    def test_refused(self) -> None:
        """
        One byte more is refused with 1009 when its header tells, before any payload;
        then nothing is kept, and the violation names the option.
        """
        frameOption, messageOption = "maxReceivedFrameSize", "maxReceivedMessageSize"
        first = (BINARY_BEGINS, bytes(300))
        rows: tuple[tuple[str, Any, Any, list[Any], int, int, str], ...] = (
            ("a frame", 300, 1000, [], BINARY, 301, frameOption),
            ("a text", 300, 1000, [], TEXT, 301, frameOption),
            ("a frame, no message limit", 300, None, [], BINARY, 301, frameOption),
            ("a fragment", 300, 1000, [], TEXT_BEGINS, 301, frameOption),
            ("a later fragment", 300, 1000, [first], CONTINUES, 301, frameOption),
            ("both", 300, 300, [], BINARY, 301, frameOption),
            ("a frame over both", 300, 1000, [], BINARY, 1001, frameOption),
            ("a message", None, 300, [], BINARY, 301, messageOption),
            ("a message within a frame", 1000, 300, [], TEXT, 301, messageOption),
            ("the second fragment", None, 400, [first], ENDS, 101, messageOption),
            (
                "the third",
                300,
                400,
                [first, (CONTINUES, bytes(100))],
                CONTINUES,
                1,
                messageOption,
            ),
            (
                "after empty ones",
                None,
                300,
                [first, *[(CONTINUES, b"")] * 5],
                ENDS,
                1,
                messageOption,
            ),
            ("65535 bytes", None, 65534, [], BINARY, 65535, messageOption),
            ("65536 bytes", None, 65535, [], BINARY, 65536, messageOption),
            ("the longest", None, 300, [], BINARY, HUGE, messageOption),
            ("the longest fragment", 300, None, [], TEXT_BEGINS, HUGE, frameOption),
        )
        for role, isServer in ROLES:
            for name, frame, message, before, start, size, option in rows:
                for assembling in (True, False):
                    framer = RecordingFramer(
                        isServer,
                        maxReceivedFrameSize=frame,
                        maxReceivedMessageSize=message,
                        assembleFragments=assembling,
                    )
                    framer.feed(*before)
                    framer.calls.clear()
                    header = framer.frame(start, announced=size)
                    judged = framer.feedBytes(header + bytes(10))
                    assert judged is not None, name
                    self.assertTrue(judged <= len(header), (role, name, judged))
                    self.assertEqual(framer.closeCode, 1009, name)
                    self.assertEqual(framer.messages, [], name)
                    self.assertEqual(framer.violations[0].option, option, name)
                    self.assertEqual(framer.held, 0, name)

    def test_refusedWhole(self) -> None:
        """
        That all of it is there does not help it.
        """
        first = (BINARY_BEGINS, bytes(200))
        rows: tuple[tuple[Any, Any, list[tuple[int, bytes]]], ...] = (
            (300, 1000, [(BINARY, bytes(301))]),
            (1000, 300, [(BINARY, bytes(301))]),
            (1000, 300, [(TEXT, b"x" * 301)]),
            (None, 300, [(TEXT, b"x" * 301)]),
            (300, None, [(BINARY, bytes(301))]),
            (100, None, [(BINARY, bytes(101))]),
            (None, 100, [(BINARY, bytes(101))]),
            (None, 300, [first, (ENDS, bytes(101))]),
            (1000, 300, [first, (CONTINUES, bytes(100)), (ENDS, b"x")]),
        )
        for role, isServer in ROLES:
            for number, (frame, message, frames) in enumerate(rows):
                for assembling in (True, False):
                    framer = RecordingFramer(
                        isServer,
                        maxReceivedFrameSize=frame,
                        maxReceivedMessageSize=message,
                        assembleFragments=assembling,
                    )
                    framer.feed(*frames, (TEXT, b"next"))
                    self.assertEqual(framer.closeCode, 1009, (role, number))
                    fragments = 0 if assembling else len(frames) - 1
                    self.assertEqual(len(framer.messages), fragments, (role, number))

    def test_judgedByLength(self) -> None:
        """
        A whole frame is judged as soon as its length is known, before its mask.
        """
        for size, told in ((101, 2), (126, 4), (65536, 10)):
            for first in (BINARY, TEXT):
                framer = RecordingFramer(maxReceivedMessageSize=100)
                header = framer.frame(first, announced=size)
                self.assertEqual(framer.feedBytes(header), told, size)

    def test_says(self) -> None:
        """
        The peer is told how much is too much.
        """
        rows = (
            (10, 100, [(BINARY, bytes(11))], b"a frame of 11 bytes, over 10"),
            (
                None,
                10,
                [(BINARY_BEGINS, bytes(9)), (ENDS, bytes(2))],
                b"a message of 11 bytes or more, over 10",
            ),
        )
        for frame, message, frames, said in rows:
            framer = RecordingFramer(
                maxReceivedFrameSize=frame, maxReceivedMessageSize=message
            )
            framer.feed(*frames)
            self.assertEqual(framer.sent[-1][1][2:], said)

    def test_noLimits(self) -> None:
        """
        Without limits a message may have any size, and what a header announces takes
        no room before it comes.
        """
        for role, isServer in ROLES:
            unlimited = {"maxReceivedMessageSize": None, "maxReceivedFrameSize": None}
            framer = RecordingFramer(isServer, **unlimited)
            half = bytes(600_000)
            framer.feed((BINARY_BEGINS, half), (ENDS, half))
            self.assertEqual(framer.messages, [half + half], role)
            for first in (BINARY, BINARY_BEGINS, TEXT):
                framer = RecordingFramer(isServer, **unlimited)
                tracemalloc.start()
                try:
                    framer.dataReceived(framer.frame(first, announced=HUGE))
                    framer.dataReceived(KEY * 5 if isServer else bytes(20))
                    _, most = tracemalloc.get_traced_memory()
                finally:
                    tracemalloc.stop()
                self.assertEqual((framer.state, framer.calls), (State.OPEN, []), role)
                self.assertTrue(most < 20_000, most)

    def test_defaultOfFrames(self) -> None:
        """
        Without a limit of its own a frame may be as long as a message.
        """
        framer = RecordingFramer()
        framer.feed((BINARY, bytes(1 << 20)))
        self.assertEqual(len(framer.messages), 1)
        framer.dataReceived(framer.frame(BINARY, announced=(1 << 20) + 1))
        self.assertEqual(framer.closeCode, 1009)

    def test_controlFramesAreNotCounted(self) -> None:
        """
        Control frames have a limit of their own, and no part in a message.
        """
        framer = RecordingFramer(maxReceivedFrameSize=3, maxReceivedMessageSize=3)
        ping = (PING, bytes(125))
        framer.feed((TEXT_BEGINS, b"ab"), ping, ping, (ENDS, b"c"), ping)
        self.assertEqual(framer.messages, ["abc"])
        self.assertEqual(framer.sent, [(PONG, bytes(125))] * 3)


class FragmentsTests(SynchronousTestCase):
    """
    C{maxReceivedFragments}.
    """

    def test_limit(self) -> None:
        """
        A message of as many frames as the limit is taken, the next frame is refused
        with 1008 at its header; empty ones count like others.
        """
        for role, isServer in ROLES:
            for limit in (1, 2, 3, 10):
                for piece in (b"", b"x"):
                    for assembling in (True, False):
                        name = (role, limit, piece, assembling)
                        framer = RecordingFramer(
                            isServer,
                            maxReceivedFragments=limit,
                            assembleFragments=assembling,
                        )
                        most = [(TEXT_BEGINS, piece), *[(CONTINUES, piece)] * limit]
                        if limit > 1:
                            framer.feed(*most[: limit - 1], (ENDS, piece))
                            self.assertEqual(framer.closeCode, None, name)
                        framer.feed(*most[:limit])
                        self.assertEqual(framer.closeCode, None, name)
                        framer.calls.clear()
                        header = framer.frame(ENDS, announced=5)
                        self.assertEqual(framer.feedBytes(header), len(header), name)
                        self.assertEqual(framer.closeCode, 1008, name)
                        self.assertEqual(framer.messages, [], name)
                        [violation] = framer.violations
                        self.assertEqual(violation.option, "maxReceivedFragments")
                        said = f"a message of more than {limit} frames"
                        self.assertEqual(str(violation), said)

    def test_wholeMessages(self) -> None:
        """
        Of messages that are not fragmented there may be any number.
        """
        framer = RecordingFramer(maxReceivedFragments=1)
        framer.feed(*[(TEXT, b"")] * 50)
        framer.feedBytes(framer.frame(BINARY, b"cut") * 50)
        self.assertEqual(framer.messages, [""] * 50 + [b"cut"] * 50)

    def test_controlFramesAreNotCounted(self) -> None:
        """
        Control frames between fragments are none.
        """
        framer = RecordingFramer(maxReceivedFragments=2)
        framer.feed((TEXT_BEGINS, b"a"), *[(PING, b"")] * 50, (ENDS, b"b"))
        self.assertEqual(framer.messages, ["ab"])

    def test_default(self) -> None:
        """
        4096 frames are a message, 4097 are not.
        """
        framer = RecordingFramer()
        framer.feed((BINARY_BEGINS, b"1"), *[(CONTINUES, b"2")] * 4094, (ENDS, b"3"))
        self.assertEqual(framer.messages, [b"1" + b"2" * 4094 + b"3"])
        framer.feed((BINARY_BEGINS, b""), *[(CONTINUES, b"")] * 4095)
        self.assertEqual(framer.closeCode, None)
        framer.feed((CONTINUES, b""))
        self.assertEqual(framer.closeCode, 1008)

    def test_noLimit(self) -> None:
        """
        Without a limit there may be any number of them.
        """
        framer = RecordingFramer(maxReceivedFragments=None)
        framer.feed((TEXT_BEGINS, b""), *[(CONTINUES, b"")] * 20_000, (ENDS, b"x"))
        self.assertEqual(framer.messages, ["x"])


class MemoryTests(SynchronousTestCase):
    """
    What a message costs while it comes in.
    """

    def peak(self, framer: RecordingFramer, reads: list[bytes]) -> int:
        """
        @return: the most bytes that were allocated at one time while C{reads} were
            received.
        """
        tracemalloc.start()
        try:
            for read in reads:
                framer.dataReceived(read)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    def test_smallPieces(self) -> None:
        """
        A message in thousands of pieces takes the room of one in one piece: none of
        the pieces lives on by itself.
        """
        for name, first, piece in (
            ("binary", BINARY_BEGINS, b"1234"),
            ("text", TEXT_BEGINS, b"1234"),
            ("two bytes a character", TEXT_BEGINS, "\u0436\u0436".encode()),
        ):
            framer = RecordingFramer()
            reads = [framer.frame(first, b"")]
            reads += [framer.frame(CONTINUES, piece)] * 3000
            most = self.peak(framer, reads)
            self.assertEqual(framer.state, State.OPEN)
            self.assertTrue(most < 2 * 12_000 + 8000, (name, most))

    def test_smallReads(self) -> None:
        """
        So does a frame that comes in byte by byte.
        """
        for name, first, piece in (
            ("binary", BINARY, b"12"),
            ("text", TEXT, b"12"),
            ("two bytes a character", TEXT, "\u0436".encode()),
        ):
            framer = RecordingFramer()
            frame = framer.frame(first, piece * 6000)
            most = self.peak(framer, [bytes([octet]) for octet in frame[:-1]])
            self.assertEqual(framer.state, State.OPEN)
            self.assertTrue(most < 2 * 12_000 + 8000, (name, most))

    def test_letGo(self) -> None:
        """
        What was delivered is not kept until the next message.
        """
        for assembling in (True, False):
            framer = RecordingFramer(assembleFragments=assembling)
            framer.feed((TEXT_BEGINS, b"a"), (ENDS, b"b"))
            self.assertIs(framer._sink, None)
            framer.feedBytes(framer.frame(BINARY, b"abc"))
            self.assertIs(framer._sink, None)
            self.assertEqual(framer.held, 0)

    def test_frameOfFrames(self) -> None:
        """
        At frame level what was delivered is not kept: only the frame that comes in.
        """
        framer = RecordingFramer(assembleFragments=False)
        sizes: list[int] = []

        def deliver(frame: Frame) -> None:
            sizes.append(len(frame.payload))

        framer._deliver = deliver
        reads = [framer.frame(BINARY_BEGINS, bytes(10_000))]
        reads += [framer.frame(CONTINUES, bytes(10_000))] * 50
        most = self.peak(framer, reads)
        self.assertEqual(sizes, [10_000] * 51)
        self.assertTrue(most < 100_000, most)
