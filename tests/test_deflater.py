# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The sending half of permessage-deflate (RFC 7692 section 7.2.1).
"""

from __future__ import annotations

import zlib
from random import Random
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.deflating import BINARY, EMPTY_BLOCK, TAIL, TEXT, inflated
from twisted_ws import Frame
from twisted_ws.extensions import RSV1, RSV2
from twisted_ws.extensions.deflater import Deflater
from twisted_ws.extensions.implementations import implementationNamed

ZLIB = implementationNamed("zlib")
HELLO = bytes.fromhex("f248cdc9c90700")
NOISE = Random(1).randbytes(2000)
PROSE = b"the cat sat on the mat, and the hat of the cat on the cat. " * 8


def deflater(
    forgets: bool = False,
    threshold: int = 0,
    timeout: float | None = 10,
    how: tuple[int, int, int, int] = (6, 15, 8, 0),
) -> Deflater:
    """
    @return: one that has no clock yet.
    """
    return Deflater(ZLIB, how, forgets, threshold, timeout)


class ExampleTests(SynchronousTestCase):
    """
    The examples of RFC 7692 section 7.2.3 that a zlib with a flush makes.
    """

    def test_hello(self) -> None:
        """
        7.2.3.1: a message.
        """
        encoded = deflater().encode(Frame(TEXT, b"Hello"))
        self.assertEqual(encoded[:4], (TEXT, HELLO, True, RSV1))

    def test_fragments(self) -> None:
        """
        7.2.3.1: only the first frame is marked; the peer can put the payloads
        together.
        """
        d = deflater()
        first = d.encode(Frame(TEXT, b"Hel", False))
        last = d.encode(Frame(0, b"lo", True))
        self.assertEqual((first.fin, first.rsv, first.opcode), (False, RSV1, TEXT))
        self.assertEqual((last.fin, last.rsv, last.opcode), (True, 0, 0))
        self.assertEqual(inflated(first.payload + last.payload), [b"Hello"])

    def test_sharing(self) -> None:
        """
        7.2.3.2: a message refers to the one before.
        """
        d = deflater()
        d.encode(Frame(TEXT, b"Hello"))
        again = d.encode(Frame(TEXT, b"Hello"))
        self.assertEqual(again.payload, bytes.fromhex("f200110000"))

    def test_notSharing(self) -> None:
        """
        7.1.1.1: it does not if it has promised not to.
        """
        d = deflater(forgets=True)
        message = Frame(TEXT, PROSE)
        first = d.encode(message)
        self.assertEqual(d.encode(message), first)
        self.assertEqual(inflated(first.payload), [PROSE])
        self.assertFalse(d.hasContext)

    def test_nothing(self) -> None:
        """
        7.2.3.6: a message of nothing is one byte, also after another.
        """
        for forgets in (False, True):
            d = deflater(forgets)
            for _ in range(3):
                first = d.encode(Frame(TEXT, b"", False))
                self.assertIn(first.payload, (b"", EMPTY_BLOCK))
                last = d.encode(Frame(0, b"", True))
                self.assertEqual(last[:4], (0, b"\x00", True, 0))
        encoded = deflater().encode(Frame(TEXT, b""))
        self.assertEqual(encoded[:4], (TEXT, b"\x00", True, RSV1))

    def test_nothingToFlush(self) -> None:
        """
        7.2.3.6: so it is with a library that makes no empty block where there is
        nothing to flush, as zlib does when it is asked for nothing but that.
        """

        class Library:
            """
            Has nothing to say.
            """

            def compressobj(self, *how: int) -> Library:
                """
                It is its own compressor.
                """
                return self

            def compress(self, data: bytes) -> bytes:
                """
                Nothing.
                """
                return b""

            flush = compress

        quiet = Deflater(ZLIB._replace(library=Library()), (6, 9, 8, 0), False, 0, None)
        self.assertEqual(quiet.encode(Frame(TEXT, b""))[1:4], (b"\x00", True, RSV1))


class ChoiceTests(SynchronousTestCase):
    """
    What is compressed.
    """

    def isCompressed(self, frame: Frame, **options: Any) -> bool:
        """
        Tell whether a frame is compressed; it is as it was otherwise.
        """
        encoded = deflater(**options).encode(frame)
        if not encoded.rsv:
            self.assertIs(encoded, frame)
        return encoded.rsv == RSV1

    def test_threshold(self) -> None:
        """
        A whole message is from C{threshold} bytes on.
        """
        for forgets in (False, True):
            options = {"threshold": 100, "forgets": forgets}
            for size, expected in ((0, 0), (1, 0), (99, 0), (100, 1), (101, 1)):
                frame = Frame(BINARY, b"x" * size)
                self.assertEqual(self.isCompressed(frame, **options), expected, size)

    def test_asked(self) -> None:
        """
        The sender can ask for it, however short the message is, or against it, however
        long.
        """
        short, long = b"x" * 50, b"x" * 100000
        for forgets in (False, True):
            options = {"threshold": 100, "forgets": forgets}
            frame = Frame(TEXT, short, compress=True)
            self.assertTrue(self.isCompressed(frame, **options))
            frame = Frame(TEXT, long, compress=False)
            self.assertFalse(self.isCompressed(frame, **options))

    def test_pieces(self) -> None:
        """
        A message in pieces is compressed, unless its first frame says otherwise; what
        the others say does not count.
        """
        for asked, expected in ((None, True), (True, True), (False, False)):
            for later in (None, True, False):
                d = deflater(threshold=100)
                first = d.encode(Frame(TEXT, b"a", False, 0, asked))
                second = d.encode(Frame(0, b"b", False, 0, later))
                last = d.encode(Frame(0, b"c", True, 0, later))
                self.assertEqual(first.rsv, RSV1 if expected else 0)
                if expected:
                    self.assertEqual(second.rsv | last.rsv, 0)
                    whole = first.payload + second.payload + last.payload
                    self.assertEqual(inflated(whole), [b"abc"])
                else:
                    self.assertEqual(first.payload, b"a")
                    self.assertEqual((second.payload, last.payload), (b"b", b"c"))

    def test_mixed(self) -> None:
        """
        A message that is not compressed does not enter the memory of the compressor.
        """
        d = deflater(threshold=20)
        first = d.encode(Frame(TEXT, PROSE))
        secret = b"a secret, which is not to be compressed; " * 3
        for piece in (Frame(TEXT, secret, compress=False), Frame(TEXT, b"short")):
            self.assertIs(d.encode(piece), piece)
        for opcode, fin in ((BINARY, False), (0, False), (0, True)):
            piece = Frame(opcode, secret, fin, 0, False)
            self.assertIs(d.encode(piece), piece)
        second = d.encode(Frame(TEXT, secret))
        fresh = deflater()
        fresh.encode(Frame(TEXT, PROSE))
        self.assertEqual(fresh.encode(Frame(TEXT, secret)), second)
        self.assertEqual(inflated(first.payload, second.payload), [PROSE, secret])

    def test_otherBits(self) -> None:
        """
        Bits that other extensions have set stay.
        """
        for frame in (Frame(TEXT, PROSE, True, RSV2), Frame(TEXT, b"x", False, RSV2)):
            self.assertEqual(deflater().encode(frame).rsv, RSV1 | RSV2)
        d = deflater()
        d.encode(Frame(TEXT, b"x", False))
        self.assertEqual(d.encode(Frame(0, b"x", True, RSV2)).rsv, RSV2)
        frame = Frame(TEXT, b"x", True, RSV2)
        self.assertIs(deflater(threshold=5).encode(frame), frame)

    def test_noise(self) -> None:
        """
        A message that does not get smaller is sent as it is by a compressor that
        forgets.  One that remembers has it in its memory, and sends it compressed, a
        few bytes longer.
        """
        frame = Frame(BINARY, NOISE)
        for asked in (None, True):
            frame = Frame(BINARY, NOISE, compress=asked)
            self.assertFalse(self.isCompressed(frame, forgets=True))
            self.assertTrue(self.isCompressed(frame))
        d = deflater()
        first, second = d.encode(frame), d.encode(frame)
        self.assertLess(len(first.payload), len(NOISE) + 10)
        self.assertLess(len(second.payload), 50)
        self.assertEqual(inflated(first.payload, second.payload), [NOISE, NOISE])

    def test_noiseInPieces(self) -> None:
        """
        What is announced as compressed is compressed: the last piece of a message is
        never sent as it is.
        """
        d = deflater(forgets=True)
        first = d.encode(Frame(BINARY, NOISE[:1000], False))
        last = d.encode(Frame(0, NOISE[1000:], True))
        self.assertEqual(inflated(first.payload + last.payload), [NOISE])

    def test_options(self) -> None:
        """
        The compressor is made as it was told.
        """
        for how in ((1, 9, 1, 0), (9, 15, 9, 0), (6, 12, 5, 3), (6, 12, 5, 4)):
            level, bits, memLevel, strategy = how
            encoded = deflater(how=how).encode(Frame(BINARY, PROSE + NOISE))
            plain = zlib.compressobj(level, 8, -bits, memLevel, strategy)
            expected = plain.compress(PROSE + NOISE) + plain.flush(zlib.Z_SYNC_FLUSH)
            self.assertEqual(encoded.payload + TAIL, expected)

    def test_eachPiece(self) -> None:
        """
        Each piece can be read when it is there.
        """
        d = deflater()
        decompressor = zlib.decompressobj(-15)
        opcode = TEXT
        for number in range(20):
            piece = b"%d, the number of the piece; " % number
            encoded = d.encode(Frame(opcode, piece, False))
            self.assertEqual(decompressor.decompress(encoded.payload), piece)
            opcode = 0


class TimeTests(SynchronousTestCase):
    """
    How long the compressor is kept.
    """

    message = Frame(TEXT, PROSE)

    def started(self, **options: Any) -> tuple[Deflater, Clock]:
        """
        @return: one whose connection is open.
        """
        d, clock = deflater(**options), Clock()
        d.start(clock)
        return d, clock

    def test_lazily(self) -> None:
        """
        Nothing is there before the first message that is compressed.
        """
        d, clock = self.started(threshold=100)
        d.encode(Frame(TEXT, b"short"))
        d.encode(Frame(TEXT, PROSE, compress=False))
        self.assertFalse(d.hasContext)
        self.assertEqual(clock.getDelayedCalls(), [])
        d.encode(self.message)
        self.assertTrue(d.hasContext)
        self.assertEqual(len(clock.getDelayedCalls()), 1)

    def test_idle(self) -> None:
        """
        It is dropped after one to two timeouts without a message, and so is the timer.
        """
        d, clock = self.started()
        d.encode(self.message)
        clock.advance(9.75)
        d.encode(self.message)
        clock.advance(0.25)
        self.assertTrue(d.hasContext)
        clock.advance(9.75)
        self.assertTrue(d.hasContext)
        clock.advance(0.25)
        self.assertFalse(d.hasContext)
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_busy(self) -> None:
        """
        It is kept as long as it is used, with one timer.
        """
        d, clock = self.started()
        small = len(d.encode(self.message).payload) // 2
        for _ in range(100):
            clock.advance(3)
            self.assertLess(len(d.encode(self.message).payload), small)
            self.assertEqual(len(clock.getDelayedCalls()), 1)

    def test_notCompressedIsIdle(self) -> None:
        """
        Messages that are not compressed do not count as use.
        """
        d, clock = self.started()
        d.encode(self.message)
        for _ in range(20):
            clock.advance(1)
            d.encode(Frame(TEXT, PROSE, compress=False))
        self.assertFalse(d.hasContext)

    def test_afterwards(self) -> None:
        """
        What comes after is compressed as if it came first; the peer reads on with its
        own memory.  The time runs anew.
        """
        d, clock = self.started()
        first = d.encode(self.message)
        clock.advance(10)
        clock.advance(10)
        self.assertFalse(d.hasContext)
        second = d.encode(self.message)
        self.assertEqual(second, first)
        third = d.encode(self.message)
        payloads = first.payload, second.payload, third.payload
        self.assertEqual(inflated(*payloads), [PROSE] * 3)
        self.assertEqual(len(clock.getDelayedCalls()), 1)
        clock.advance(10)
        clock.advance(10)
        self.assertFalse(d.hasContext)

    def test_withinMessage(self) -> None:
        """
        It is kept while a message is being sent in pieces, however slowly.
        """
        d, clock = self.started()
        first = d.encode(Frame(TEXT, PROSE, False))
        for _ in range(10):
            clock.advance(10)
        last = d.encode(Frame(0, PROSE, True))
        self.assertEqual(inflated(first.payload + last.payload), [PROSE * 2])
        self.assertLess(len(last.payload), 20)
        clock.advance(10)
        clock.advance(10)
        self.assertFalse(d.hasContext)

    def test_never(self) -> None:
        """
        Without a timeout it is kept, without a timer.
        """
        d, clock = self.started(timeout=None)
        d.encode(self.message)
        self.assertEqual(clock.getDelayedCalls(), [])
        self.assertTrue(d.hasContext)

    def test_forgetful(self) -> None:
        """
        One that forgets needs no timer; it has a compressor within messages only.
        """
        d, clock = self.started(forgets=True)
        d.encode(Frame(TEXT, PROSE, False))
        self.assertTrue(d.hasContext)
        self.assertEqual(clock.getDelayedCalls(), [])
        d.encode(Frame(0, PROSE, True))
        self.assertFalse(d.hasContext)

    def test_stop(self) -> None:
        """
        When the connection is lost, nothing is left; whatever comes then, no timer is
        begun.
        """
        d, clock = self.started()
        d.stop()
        d, clock = self.started()
        d.encode(self.message)
        d.stop()
        self.assertFalse(d.hasContext)
        self.assertEqual(clock.getDelayedCalls(), [])
        d.encode(self.message)
        self.assertEqual(clock.getDelayedCalls(), [])
        d.stop()
        self.assertFalse(d.hasContext)
