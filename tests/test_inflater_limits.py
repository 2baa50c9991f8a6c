# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What bounds the receiving half of permessage-deflate.
"""

from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Iterable
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.deflating import EMPTY_BLOCK, LIMIT, Stream, compressed, forEachInstalled
from twisted_ws.errors import PayloadTooBig
from twisted_ws.extensions.implementations import implementationNamed
from twisted_ws.extensions.inflater import RATIO_FREE, Inflater

MIB = 1 << 20
PROSE = b"the cat sat on the mat, and the hat of the cat on the cat. "


def inflater(maxRatio: int | None = None, implementation: str = "zlib") -> Inflater:
    """
    @return: one that has read nothing.
    """
    return Inflater(implementationNamed(implementation), 15, False, maxRatio)


def receive(i: Inflater, payloads: Iterable[bytes], maxSize: int) -> int:
    """
    Receive these fragments as a connection does, which knows how much of the message
    is left; forget what is in them.

    @return: the size of the message.
    """
    before: bytes | None = None
    left = maxSize
    first = True
    for payload in payloads:
        if before is not None:
            left -= len(i.decode(compressed(before, False, first), left).payload)
            first = False
        before = payload
    assert before is not None
    left -= len(i.decode(compressed(before, True, first), left).payload)
    return maxSize - left


def bomb(size: int) -> bytes:
    """
    @return: a message of C{size} zeros, about a thousandth of that.
    """
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    chunk = bytes(MIB)
    parts = [compressor.compress(chunk) for _ in range(size // MIB)]
    return b"".join([*parts, compressor.flush(zlib.Z_SYNC_FLUSH)])[:-4]


class SizeTests(SynchronousTestCase):
    """
    C{maxReceivedMessageSize}.
    """

    @forEachInstalled
    def test_edge(self, implementation: str) -> None:
        """
        A message of exactly the limit passes, whole and in fragments; one more byte
        does not, wherever it is.  Nothing of it is delivered.
        """
        noise = Random(1).randbytes(70000)
        for limit in (0, 1, 5, 257, 258, 259, 4096, 16384, 32768, 65536, 70000):
            for data in (bytes(limit), noise[:limit], (PROSE * 2000)[:limit]):
                fits, over = Stream().message(data), Stream().message(data + b"x")
                for cut in (1, 2, 7):
                    step = len(over) // cut + 1
                    for payload, isFine in ((fits, True), (over, False)):
                        i = inflater(implementation=implementation)
                        parts = [
                            payload[at : at + step]
                            for at in range(0, len(payload), step)
                        ]
                        if isFine:
                            self.assertEqual(receive(i, parts, limit), limit)
                            continue
                        error = self.assertRaises(
                            PayloadTooBig, receive, i, parts, limit
                        )
                        self.assertEqual(error.option, "maxReceivedMessageSize")
                        self.assertEqual(error.code, 1009)

    def test_edgeOfFinalBlocks(self) -> None:
        """
        So it is where the compressed data begins anew.
        """
        parts = [Random(2).randbytes(3000), bytes(5000), b"abc"]
        payload = b"".join(Stream().flushed(part, zlib.Z_FINISH) for part in parts)
        for size in (len(payload) + 1, 1000, 10):
            cut = [payload[at : at + size] for at in range(0, len(payload), size)]
            self.assertEqual(receive(inflater(), cut, 8003), 8003)
            for limit in (8002, 8000, 7999, 3001, 3000, 2999, 0):
                error = self.assertRaises(
                    PayloadTooBig, receive, inflater(), cut, limit
                )
                self.assertEqual(error.option, "maxReceivedMessageSize")

    @forEachInstalled
    def test_noLimit(self, implementation: str) -> None:
        """
        Without a limit everything passes.
        """
        for maxRatio in (None, 2000):
            i = inflater(maxRatio, implementation)
            for limit in (1 << 63, (1 << 63) - 1, (1 << 63) + 65536):
                self.assertEqual(receive(i, [bomb(4 * MIB)], limit), 4 * MIB)

    def test_perMessage(self) -> None:
        """
        Each message has the whole of it.
        """
        i, stream = inflater(), Stream()
        for _ in range(50):
            data = stream.message(PROSE)
            self.assertEqual(receive(i, [data], len(PROSE)), len(PROSE))

    def checkPeak(self, i: Inflater, payloads: list[bytes], option: str) -> None:
        """
        Fail if a bomb takes more than three times the limit and 4 MiB.
        """
        tracemalloc.start()
        try:
            error = self.assertRaises(PayloadTooBig, receive, i, payloads, LIMIT)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        self.assertEqual(error.option, option)
        self.assertLess(peak, 3 * LIMIT + 4 * MIB)

    def test_bomb(self) -> None:
        """
        Half a MiB that would be 512 MiB never takes more than the limit and what it
        takes to find out; in one frame, and in a thousand.
        """
        payload = bomb(512 * MIB)
        self.assertLess(len(payload), MIB * 0.6)
        option = "maxReceivedMessageSize"
        self.checkPeak(inflater(), [payload], option)
        step = len(payload) // 1000
        cut = [payload[at : at + step] for at in range(0, len(payload), step)]
        self.checkPeak(inflater(), cut, option)
        self.checkPeak(inflater(1), [payload], "maxRatio")

    def test_finalBomb(self) -> None:
        """
        Nor does it behind a final block.
        """
        payload = Stream().flushed(b"x", zlib.Z_FINISH) + bomb(64 * MIB)
        self.checkPeak(inflater(), [payload], "maxReceivedMessageSize")
        self.checkPeak(inflater(1), [payload], "maxRatio")


class NoOutputTests(SynchronousTestCase):
    """
    Data that decompresses to nothing.  The connection bounds how much of it there can
    be; here it must not cost more than its size.
    """

    def test_blocks(self) -> None:
        """
        300,000 blocks of nothing, in one frame, and each in a frame of its own.
        """
        payload = EMPTY_BLOCK * 300_000 + b"\x00"
        self.assertEqual(receive(inflater(), [payload], 0), 0)
        frames = [EMPTY_BLOCK] * 300_000 + [b"\x00"]
        self.assertEqual(receive(inflater(), frames, 0), 0)

    def test_emptyFrames(self) -> None:
        """
        Frames of nothing.
        """
        frames = [b""] * 100_000 + [b"\x00"]
        self.assertEqual(receive(inflater(), frames, 0), 0)

    def test_finalBlocksAreLinear(self) -> None:
        """
        What is behind a final block is not copied as a whole for each of them.
        """
        copied = []

        class Counting:
            """
            A decompressor that notes how much it is given.
            """

            def __init__(self, made: object) -> None:
                self.made = made

            def decompress(self, data: bytes, size: int) -> bytes:
                """
                Note it.
                """
                copied.append(len(data))
                return self.made.decompress(data, size)  # type: ignore[attr-defined]

            def __getattr__(self, name: str) -> object:
                return getattr(self.made, name)

        class Library:
            """
            Makes these.
            """

            error = zlib.error

            @staticmethod
            def decompressobj(wbits: int) -> Counting:
                """
                Make one.
                """
                return Counting(zlib.decompressobj(wbits))

        implementation = implementationNamed("zlib")._replace(library=Library)
        i = Inflater(implementation, 15, False, None)
        noise = Random(3).randbytes(1_000_000)
        payload = b"\x03\x00" * 4000 + Stream(level=0).message(noise)
        self.assertEqual(receive(i, [payload], len(noise)), len(noise))
        given = sum(copied[1:])
        self.assertLess(given, len(payload) + 4000 * 1024 + 1000)


class RatioTests(SynchronousTestCase):
    """
    C{maxRatio}.
    """

    def test_free(self) -> None:
        """
        It does not count up to 64 KiB.
        """
        payload = Stream().message(bytes(RATIO_FREE))
        self.assertEqual(receive(inflater(1), [payload], LIMIT), RATIO_FREE)
        payload = Stream().message(bytes(RATIO_FREE + 1))
        error = self.assertRaises(PayloadTooBig, receive, inflater(1), [payload], LIMIT)
        self.assertEqual(error.option, "maxRatio")
        self.assertEqual(error.code, 1009)
        self.assertIn("1 times", str(error))

    def atTheEdge(self, ratio: int) -> tuple[bytes, bytes, int]:
        """
        @return: a message exactly C{ratio} times as long as its compressed data, one
            that is a byte longer with as much of that, and the length of the first.
        """
        size = 3 * RATIO_FREE
        while True:
            zeros = Stream().message(bytes(size))
            # As many bytes that are not compressed as it takes: a stored block, with
            # five bytes of its own.
            plain, rest = divmod(size - ratio * (5 + len(zeros)), ratio - 1)
            more = Stream().message(bytes(size + 1))
            if not rest and len(more) == len(zeros):
                break
            size += 1
        head = b"\x00" + plain.to_bytes(2, "little")
        head += (0xFFFF - plain).to_bytes(2, "little") + b"x" * plain
        self.assertEqual(plain + size, ratio * len(head + zeros))
        return head + zeros, head + more, plain + size

    def test_edge(self) -> None:
        """
        Beyond that, as many times the received bytes as it says are fine, and not one
        byte more.
        """
        for ratio in (20, 100, 300):
            fits, over, size = self.atTheEdge(ratio)
            self.assertEqual(receive(inflater(ratio), [fits], LIMIT), size)
            error = self.assertRaises(
                PayloadTooBig, receive, inflater(ratio), [over], LIMIT
            )
            self.assertEqual(error.option, "maxRatio")
            self.assertEqual(receive(inflater(ratio + 1), [over], LIMIT), size + 1)

    def test_overTheMessage(self) -> None:
        """
        It is one of the whole message: all that was received of it so far counts.
        """
        noise = Random(5).randbytes(3 * RATIO_FREE)
        stream = Stream()
        frames = [stream.flushed(noise), stream.flushed(bytes(RATIO_FREE)), b"\x00"]
        self.assertEqual(receive(inflater(2), frames, LIMIT), 4 * RATIO_FREE)
        frames = [*frames[:2], stream.flushed(bytes(3 * RATIO_FREE)), b"\x00"]
        self.assertRaises(PayloadTooBig, receive, inflater(2), frames, LIMIT)

    def test_perMessage(self) -> None:
        """
        What other messages were like does not count.
        """
        noise, zeros = Random(6).randbytes(4 * RATIO_FREE), bytes(2 * RATIO_FREE)
        for first, second in ((noise, zeros), (zeros[:RATIO_FREE], zeros)):
            i, stream = inflater(2), Stream()
            self.assertEqual(receive(i, [stream.message(first)], LIMIT), len(first))
            frames = [stream.message(second)]
            self.assertRaises(PayloadTooBig, receive, i, frames, LIMIT)
        i, stream = inflater(2), Stream()
        for _ in range(100):
            receive(i, [stream.message(zeros[:RATIO_FREE])], LIMIT)

    def test_smallerLimitIsNamed(self) -> None:
        """
        Where both are exceeded, the one that is reached first is named.
        """
        payload = bomb(4 * MIB)
        for limit, option in (
            (RATIO_FREE, "maxReceivedMessageSize"),
            (MIB, "maxRatio"),
        ):
            error = self.assertRaises(
                PayloadTooBig, receive, inflater(20), [payload], limit
            )
            self.assertEqual(error.option, option)

    def test_none(self) -> None:
        """
        Without it there is none.
        """
        self.assertEqual(receive(inflater(), [bomb(MIB)], MIB), MIB)
