# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws._wire.framer}: what receivers return, messages that are taken piece by
piece, and what it tells of its memory; without a connection.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from fuzz.coders import Hexing
from twisted_ws._wire.chain import Chain
from twisted_ws._wire.framer import Framer
from twisted_ws._wire.frames import Frame
from twisted_ws._wire.state import State

from .wire import (
    BINARY,
    BINARY_BEGINS,
    CLOSE,
    CONTINUES,
    ENDS,
    PING,
    PONG,
    ROLES,
    TEXT,
    TEXT_BEGINS,
    RecordingFramer,
)


class Stream:
    """
    Takes a message.
    """

    def __init__(self, framer: StreamingFramer) -> None:
        self.pieces: list[bytes] = []
        self.isFinished = False
        self._framer = framer

    def write(self, piece: bytes) -> None:
        """
        Keep it.
        """
        assert not self.isFinished
        self.pieces.append(piece)
        self._framer.wrote(self)

    def finish(self) -> None:
        """
        Note it.
        """
        assert not self.isFinished
        self.isFinished = True


class StreamingFramer(RecordingFramer):
    """
    Has binary messages taken piece by piece.

    @ivar streams: by what.
    @ivar reports: what C{_holdsPartially} told.
    @ivar reads: what C{_readMore} told.
    @ivar returned: what C{_returned} was told.
    @ivar limit: the size that a message may have then.
    """

    limit = 1 << 20

    def __init__(self, isServer: bool = True, **settings: Any) -> None:
        RecordingFramer.__init__(self, isServer, **settings)
        self.streams: list[Stream] = []
        self.reports: list[int] = []
        self.reads: list[int] = []
        self.returned: list[tuple[Any, Any]] = []
        self.result: Any = None
        self._streaming = True
        self._whole = self._wholes = self._encodedWholes = False

    def wrote(self, stream: Stream) -> None:
        """
        A piece was written; to be overridden.
        """

    def _recordMessage(self, message: Any) -> Any:
        RecordingFramer._recordMessage(self, message)
        return self.result

    def _readMore(self, size: int) -> None:
        self.reads.append(size)

    def _streamFor(self, opcode: int) -> Stream | None:
        if opcode != 2:
            return None
        self._mostStreamed = self.limit
        self.streams.append(Stream(self))
        return self.streams[-1]

    def _returned(self, message: Any, result: Any) -> None:
        self.returned.append((message, result))

    def _holdsPartially(self, size: int) -> None:
        self.reports.append(size)


class ReadMoreTests(SynchronousTestCase):
    """
    What is told of frames for which it is worth reading more at a time.
    """

    def test_large(self) -> None:
        """
        A large frame is told of when it comes, and when it has come; it is not when it
        came in one read, nor is a smaller one.
        """
        for size, expected in ((200_000, [200_000, 0]), (100_000, [])):
            framer = StreamingFramer()
            framer._streaming = False
            for first in (BINARY, TEXT):
                frame = framer.frame(first, bytes(size))
                framer.dataReceived(frame)
                self.assertEqual(framer.reads, [])
                framer.dataReceived(frame[:20])
                self.assertEqual(framer.reads, expected[:1])
                framer.dataReceived(frame[20:])
                self.assertEqual(framer.reads, expected)
                framer.reads.clear()

    def test_pieces(self) -> None:
        """
        One of a message that is taken piece by piece never is: what takes it may
        pause, and no more than a usual read is to be waiting then.
        """
        framer = StreamingFramer()
        frame = framer.frame(BINARY, bytes(200_000))
        framer.dataReceived(frame[:20])
        framer.dataReceived(frame[20:])
        self.assertTrue(framer.streams[0].isFinished)
        self.assertEqual(framer.reads, [])


class ReturnedTests(SynchronousTestCase):
    """
    What a receiver returned is handed to C{_returned}.
    """

    def test_returned(self) -> None:
        """
        With its message; C{None} is not.  It is so in every way that a message can
        come.
        """
        for role, isServer in ROLES:
            for assembling in (True, False):
                for chain in (None, Chain([Hexing()])):
                    for result in (None, 0, "x"):
                        framer = StreamingFramer(
                            isServer, chain=chain, assembleFragments=assembling
                        )
                        framer._streaming = False
                        framer.result = result
                        framer.feed((TEXT, b"a"), (TEXT_BEGINS, b"b"), (ENDS, b"c"))
                        framer.feedBytes(framer.frame(TEXT, b"d"))
                        for complete in framer.messages:
                            self.assertNotEqual(complete, None)
                        self.assertEqual(len(framer.messages), 3 if assembling else 4)
                        expected = [(message, result) for message in framer.messages]
                        if result is None:
                            expected = []
                        self.assertEqual(framer.returned, expected, role)

    def test_wholes(self) -> None:
        """
        Also where nothing can be taken piece by piece: the short way.
        """
        for payload in (b"a", bytes(200), bytes(70000)):
            for whole, chain in ((True, None), (False, Chain([Hexing()]))):
                framer = StreamingFramer(chain=chain)
                framer._streaming = False
                framer._whole = framer._wholes = whole
                framer._encodedWholes = not whole
                framer.result = 5
                framer.feed((BINARY, payload), (TEXT, payload))
                expected = [(payload, 5), (payload.decode(), 5)]
                self.assertEqual(framer.returned, expected)

    def test_raises(self) -> None:
        """
        A receiver that raises returns nothing.
        """

        def react(message: object) -> None:
            raise RuntimeError

        framer = StreamingFramer(react=react)
        framer.result = 5
        framer.feed((TEXT, b"a"), (TEXT, b"b"))
        self.assertEqual((framer.returned, framer.closeCode), ([], 1011))


class StreamTests(SynchronousTestCase):
    """
    What C{_streamFor} gives takes a message.
    """

    def test_pieces(self) -> None:
        """
        By C{write}, what each read brings of it, and C{finish}; others are delivered.
        """
        for role, isServer in ROLES:
            framer = StreamingFramer(isServer)
            framer.feed((BINARY, b"ab"), (TEXT, b"text"), (BINARY_BEGINS, b"c"))
            framer.feedBytes(framer.frame(CONTINUES, b"de"))
            framer.feed((PING, b"?"), (ENDS, b""), (BINARY, b""))
            pieces = [stream.pieces for stream in framer.streams]
            self.assertEqual(pieces, [[b"ab"], [b"c", b"d", b"e"], []], role)
            self.assertTrue(all(stream.isFinished for stream in framer.streams))
            self.assertEqual(framer.messages, ["text"])
            self.assertEqual(framer.sent, [(PONG, b"?")])
            self.assertEqual(framer.held, 0)
            self.assertIsNone(framer._sink)
            self.assertIsNone(framer._stream)

    def test_pauses(self) -> None:
        """
        A pause within C{write} stops behind that piece.
        """

        class Pausing(StreamingFramer):
            def wrote(self, stream: Stream) -> None:
                self._pauseReceipt()

        for _, isServer in ROLES:
            framer = Pausing(isServer)
            framer.feed((BINARY_BEGINS, b"a"), (CONTINUES, b"b"), (ENDS, b"c"))
            for expected in ([b"a"], [b"a", b"b"], [b"a", b"b", b"c"]):
                self.assertEqual(framer.streams[0].pieces, expected)
                framer._resumeReceipt()
            self.assertTrue(framer.streams[0].isFinished)

    def test_ends(self) -> None:
        """
        When a piece ends the connection, be it the last one, nothing follows.
        """

        class Ending(StreamingFramer):
            number = 0
            forgets = False

            def wrote(self, stream: Stream) -> None:
                if len(stream.pieces) == self.number:
                    self._fail(4000, "x")
                    if self.forgets:
                        # As at the end of a connection.
                        self._sink = self._wire = self._stream = None

        for forgets in (True, False):
            for chained in (True, False):
                for number in (1, 2, 3):
                    chain = Chain([Hexing()]) if chained else None
                    framer = Ending(chain=chain)
                    framer.number, framer.forgets = number, forgets
                    framer.feed(
                        (BINARY_BEGINS, b"a"),
                        (CONTINUES, b"b"),
                        (ENDS, b"c"),
                        (BINARY, b"d"),
                    )
                    (stream,) = framer.streams
                    self.assertEqual(stream.pieces, [b"a", b"b", b"c"][:number])
                    self.assertFalse(stream.isFinished)
                    self.assertEqual(framer.violations, [])
                    self.assertIsNone(framer._sink)

    def test_endsAtOnce(self) -> None:
        """
        So it is when C{_streamFor} ends it, whether that gives something or not, and
        whatever size the message has.
        """

        class Ending(StreamingFramer):
            def _streamFor(self, opcode: int) -> Stream | None:
                self._fail(4000, "x")
                return StreamingFramer._streamFor(self, opcode)

        for first in (TEXT, BINARY, TEXT_BEGINS):
            for payload in (b"", b"a", bytes(101)):
                framer = Ending(maxReceivedMessageSize=100)
                framer.limit = 100
                framer.feed((first, payload), (TEXT, b"b"))
                self.assertEqual((framer.messages, framer.violations), ([], []))
                for stream in framer.streams:
                    self.assertEqual((stream.pieces, stream.isFinished), ([], False))

    def test_limits(self) -> None:
        """
        The limit of such a message is C{_mostStreamed}, judged by what its headers
        announce; C{maxReceivedFrameSize} holds if it is set.
        """
        for fragments, code in (
            ([300], None),
            ([301], 1009),
            ([200, 100], None),
            ([200, 101], 1009),
        ):
            framer = StreamingFramer(maxReceivedMessageSize=100)
            framer.limit = 300
            first = BINARY_BEGINS
            for size in fragments:
                frame = framer.frame(first, bytes(size))
                framer.dataReceived(frame[: len(frame) - size])
                self.assertEqual(framer.closeCode, code if size in (301, 101) else None)
                framer.dataReceived(frame[len(frame) - size :])
                first = CONTINUES
        framer = StreamingFramer(maxReceivedFrameSize=50)
        framer.feed((BINARY_BEGINS, bytes(50)), (ENDS, bytes(51)))
        self.assertEqual(framer.closeCode, 1009)
        self.assertEqual(framer.violations[0].option, "maxReceivedFrameSize")

    def test_decoded(self) -> None:
        """
        Behind extensions that limit is of what they decode.
        """
        for parts, code in (
            ([b"a" * 50], None),
            ([b"a" * 51], 1009),
            ([b"a" * 40, b"a" * 10], None),
            ([b"a" * 50, b"a"], 1009),
        ):
            framer = StreamingFramer(chain=Chain([Hexing()]))
            framer.limit = 100
            firsts = [0x42] + [0x00] * (len(parts) - 1)
            firsts[-1] |= 0x80
            framer.feed(*zip(firsts, parts, strict=True))
            self.assertEqual(framer.closeCode, code)
            if code is None:
                self.assertEqual(sum(map(len, framer.streams[0].pieces)), 100)
            else:
                option = framer.violations[0].option
                self.assertEqual(option, "deliverTo(maxSize=...)")


class ReportTests(SynchronousTestCase):
    """
    C{_holdsPartially}.
    """

    def test_reports(self) -> None:
        """
        It is told the bytes that are kept of a message that is not complete after each
        read that changes them, and of none when the message is delivered, before that.
        """
        for role, isServer in ROLES:
            framer = StreamingFramer(isServer)
            at = []
            framer.react = lambda message, framer=framer, at=at: at.append(
                list(framer.reports)
            )
            framer.feed((TEXT_BEGINS, b"abc"))
            framer.feed((CONTINUES, b"de"), (CONTINUES, b"f"))
            framer.feed((PING, b""))
            framer.dataReceived(framer.frame(CONTINUES, b"ghi")[:-1])
            framer.dataReceived(framer.frame(CONTINUES, b"ghi")[-1:])
            framer.feed((ENDS, b"j"), (TEXT, b"k"))
            self.assertEqual(framer.reports, [3, 6, 8, 9, 0], role)
            self.assertEqual(at, [[3, 6, 8, 9, 0]] * 2)
            framer.feed((TEXT, b"l"), (TEXT_BEGINS, b""), (ENDS, b""))
            self.assertEqual(framer.reports, [3, 6, 8, 9, 0], role)

    def test_nothing(self) -> None:
        """
        Of messages that come whole in a read, and of those that are taken piece by
        piece, nothing is kept.
        """
        framer = StreamingFramer()
        framer.feed((TEXT, b"a"), (TEXT_BEGINS, b"b"), (ENDS, b"c"))
        framer.feed((BINARY_BEGINS, b"a"))
        framer.feedBytes(framer.frame(ENDS, b"abc"))
        self.assertEqual(framer.reports, [])

    def test_encoded(self) -> None:
        """
        What extensions are to decode counts as it came, and then as they made it.
        """
        framer = StreamingFramer(chain=Chain([Hexing()]))
        frame = framer.frame(0x41, b"abcd")
        framer.dataReceived(frame[:-1])
        framer.dataReceived(frame[-1:])
        framer.feed((ENDS, b"e"))
        self.assertEqual(framer.reports, [3, 8, 0])
        framer = StreamingFramer(chain=Chain([Hexing()]))
        framer.dataReceived(framer.frame(0x42, b"abcd")[:-1])
        framer.dataReceived(framer.frame(0x42, b"abcd")[-1:])
        framer.feed((ENDS, b"e"))
        self.assertEqual(framer.reports, [3, 0])

    def test_frames(self) -> None:
        """
        Where frames are delivered, it is what came of one.
        """
        framer = StreamingFramer(assembleFragments=False)
        framer._streaming = False
        framer.feed((TEXT_BEGINS, b"abc"))
        framer.dataReceived(framer.frame(ENDS, b"def")[:-1])
        framer.dataReceived(framer.frame(ENDS, b"def")[-1:])
        self.assertEqual(framer.reports, [2, 0])

    def test_violation(self) -> None:
        """
        When the connection fails, nothing is kept.
        """
        framer = StreamingFramer()
        framer.feed((TEXT_BEGINS, b"abc"))
        framer.feed((CONTINUES, b"def"), (CONTINUES, b"\xff"))
        self.assertEqual(framer.closeCode, 1007)
        self.assertEqual(framer.reports, [3, 0])
        self.assertIsNone(framer._sink)
        self.assertEqual(framer.state, State.DISCARDING)


class ControlBytesTests(SynchronousTestCase):
    """
    C{controlBytesReceived}.
    """

    def test_exact(self) -> None:
        """
        It counts control frames, with their headers, when they are complete; nothing
        else.
        """
        for role, isServer in ROLES:
            framer = Framer(isServer, StreamingFramer(isServer)._settings)
            frames = StreamingFramer(isServer)
            overhead = 6 if isServer else 2
            total = 0
            for first, payload in (
                (PING, b""),
                (TEXT, b"abc"),
                (PONG, b"abc"),
                (BINARY_BEGINS, bytes(200)),
                (PING, bytes(125)),
                (ENDS, bytes(70000)),
                (CLOSE, b"\x03\xe8"),
            ):
                frame = frames.frame(first, payload)
                framer.dataReceived(frame[:-1])
                self.assertEqual(framer.controlBytesReceived, total, role)
                framer.dataReceived(frame[-1:])
                if first & 0x08:
                    total += overhead + len(payload)
                self.assertEqual(framer.controlBytesReceived, total, (role, first))

    def test_together(self) -> None:
        """
        So it is when they come in one read, between other frames.
        """
        framer = RecordingFramer()
        framer.feed((PING, b"a"), (TEXT, b"b"), (PONG, b"cd"), (PING, b""))
        self.assertEqual(framer.controlBytesReceived, 7 + 8 + 6)
        self.assertEqual(framer.bytesReceived, 7 + 7 + 8 + 6)


class EndsWhileDecodingTests(SynchronousTestCase):
    """
    An extension that ends the connection while it decodes.
    """

    def test_ends(self) -> None:
        """
        What it decodes goes nowhere, and nothing is raised.
        """

        class Leaving(Hexing):
            def decode(self, frame: Frame, maxSize: int) -> Frame:
                framer._fail(1011, "over")
                framer._sink = framer._stream = None
                return frame

        for isServer in (True, False):
            framer = RecordingFramer(isServer, chain=Chain([Leaving()]))
            framer.feed((0x01, b"a"), (0x80, b"b"))
            self.assertEqual((framer.messages, framer.closeCode), ([], 1011))
