# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The receiving half of permessage-deflate (RFC 7692 section 7.2.2): what it reads.
"""

from __future__ import annotations

import zlib
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.deflating import (
    EMPTY_BLOCK,
    FINAL,
    HELLO,
    LIMIT,
    TAIL,
    TEXT,
    Stream,
    compressed,
    inflater,
    read,
)
from twisted_ws import Frame
from twisted_ws.errors import InvalidPayload
from twisted_ws.extensions import RSV1, RSV2
from twisted_ws.extensions.inflater import MAX_FINAL_BLOCKS

NOISE = Random(3).randbytes(3000)
PROSE = b"the cat sat on the mat, and the hat of the cat on the cat. " * 40


def finished(*parts: bytes) -> bytes:
    """
    @return: these, each ended by a final block.
    """
    return b"".join(Stream().flushed(part, zlib.Z_FINISH) for part in parts)


class ExampleTests(SynchronousTestCase):
    """
    The examples of RFC 7692 section 7.2.3.
    """

    def test_one(self) -> None:
        """
        7.2.3.1: one message, in one frame and in two.
        """
        for forgets in (False, True):
            self.assertEqual(read(inflater(forgets), HELLO), b"Hello")
            self.assertEqual(read(inflater(forgets), HELLO[:3], HELLO[3:]), b"Hello")

    def test_sharing(self) -> None:
        """
        7.2.3.2: a second message may refer to the first; or not, as was agreed.
        """
        second = bytes.fromhex("f200110000")
        i = inflater()
        self.assertEqual([read(i, HELLO), read(i, second)], [b"Hello", b"Hello"])
        i = inflater(forgets=True)
        self.assertEqual([read(i, HELLO), read(i, HELLO)], [b"Hello", b"Hello"])
        self.assertRaises(InvalidPayload, read, i, second)

    def test_stored(self) -> None:
        """
        7.2.3.3: a block that is not compressed.
        """
        stored = bytes.fromhex("000500faff48656c6c6f00")
        self.assertEqual(read(inflater(), stored), b"Hello")

    def test_final(self) -> None:
        """
        7.2.3.4: a block that says that it is the last.
        """
        for forgets in (False, True):
            i = inflater(forgets)
            for _ in range(3):
                self.assertEqual(read(i, FINAL + b"\x00"), b"Hello")
                self.assertEqual(read(i, HELLO), b"Hello")

    def test_twoBlocks(self) -> None:
        """
        7.2.3.5: two blocks in one message.
        """
        blocks = bytes.fromhex("f248050000 00ffffcac9c90700")
        self.assertEqual(read(inflater(), blocks), b"Hello")

    def test_empty(self) -> None:
        """
        7.2.3.6: nothing, in one byte.
        """
        for forgets in (False, True):
            i = inflater(forgets)
            for _ in range(3):
                self.assertEqual(read(i, b"\x00"), b"")
            self.assertEqual(read(i, b"", b"", b"\x00"), b"")


class FrameTests(SynchronousTestCase):
    """
    What is decompressed.
    """

    def test_plain(self) -> None:
        """
        A message whose first frame is not marked is as it is, however many frames it
        has.
        """
        i = inflater()
        for message in (
            [Frame(TEXT, HELLO)],
            [Frame(TEXT, HELLO, False), Frame(0, HELLO, False), Frame(0, HELLO)],
        ):
            for frame in message:
                self.assertIs(i.decode(frame, LIMIT), frame)
            self.assertFalse(i.hasContext)
            self.assertEqual(read(i, HELLO), b"Hello")
            i.stop()

    def test_mixed(self) -> None:
        """
        Messages that are not compressed may come between those that are.
        """
        i, stream = inflater(), Stream()
        for _ in range(3):
            for frame in (Frame(TEXT, b"x"), Frame(2, b"x", False), Frame(0, b"x")):
                self.assertIs(i.decode(frame, LIMIT), frame)
            self.assertEqual(read(i, stream.message(PROSE)), PROSE)

    def test_otherBits(self) -> None:
        """
        Bits of other extensions stay.
        """
        decoded = inflater().decode(Frame(2, HELLO, True, RSV1 | RSV2), LIMIT)
        self.assertEqual(decoded, Frame(2, b"Hello", True, RSV2))
        i = inflater()
        i.decode(compressed(b"", False), LIMIT)
        decoded = i.decode(Frame(0, HELLO, True, RSV2), LIMIT)
        self.assertEqual(decoded, Frame(0, b"Hello", True, RSV2))

    def test_context(self) -> None:
        """
        There is a decompressor from the first compressed message on; between messages
        only if the peer may refer to those before; and none when the connection is
        lost.
        """
        for forgets in (False, True):
            i = inflater(forgets)
            self.assertFalse(i.hasContext)
            i.decode(compressed(HELLO[:3], False), LIMIT)
            self.assertTrue(i.hasContext)
            i.decode(compressed(HELLO[3:], True, False), LIMIT)
            self.assertEqual(i.hasContext, not forgets)
            i.stop()
            self.assertFalse(i.hasContext)

    def test_atOnce(self) -> None:
        """
        What is in a frame is there when the frame is there.
        """
        i, stream = inflater(), Stream()
        for number in range(50):
            data = b"%d pieces" % number
            frame = compressed(stream.flushed(data), False, number == 0)
            self.assertEqual(i.decode(frame, LIMIT).payload, data)

    def test_byteByByte(self) -> None:
        """
        Frames may be cut anywhere.
        """
        i, stream = inflater(), Stream()
        for data in (PROSE, NOISE, b"", PROSE):
            payload = stream.message(data)
            cut = [payload[at : at + 1] for at in range(len(payload))]
            self.assertEqual(read(i, *cut), data)


class BlockTests(SynchronousTestCase):
    """
    Forms that are rare, and right.
    """

    def test_tails(self) -> None:
        """
        Any empty blocks may stand at the end, if the last is a stored one; its
        padding is not looked at.
        """
        block = HELLO + TAIL
        for tail in (
            EMPTY_BLOCK,
            EMPTY_BLOCK * 3,
            b"\x02\x00" + TAIL,  # an empty block with fixed codes before it
            b"\x02\x08\x00" + TAIL,  # two of them
            b"\xf8" + TAIL,
            b"\x01" + TAIL,  # the last one is a final one
            EMPTY_BLOCK + b"\xf9" + TAIL,
        ):
            payload = (block + tail)[:-4]
            for forgets in (False, True):
                i = inflater(forgets)
                for _ in range(2):
                    self.assertEqual(read(i, payload), b"Hello", tail)
                cut = [payload[at : at + 1] for at in range(len(payload))]
                self.assertEqual(read(i, *cut), b"Hello", tail)
                self.assertEqual(read(i, HELLO), b"Hello", tail)

    def test_finalBlocks(self) -> None:
        """
        The data may end with a final block, and begin anew, as often as it likes to,
        within frames and between them.
        """
        parts = [b"one", b"", PROSE, NOISE, b"two", NOISE * 3, b""]
        payload = finished(*parts) + b"\x00"
        whole = b"".join(parts)
        for forgets in (False, True):
            for size in (1, 2, 3, 100, 1023, 1024, 1025, 5000, len(payload)):
                i = inflater(forgets)
                cut = [payload[at : at + size] for at in range(0, len(payload), size)]
                self.assertEqual(read(i, *cut), whole, size)
                self.assertEqual(read(i, HELLO), b"Hello", size)
            frames = [finished(part) for part in parts]
            self.assertEqual(read(inflater(forgets), *frames, b"\x00"), whole)

    def test_finalAndMore(self) -> None:
        """
        Behind a final block other blocks may follow.
        """
        i = inflater()
        self.assertEqual(read(i, FINAL + HELLO), b"HelloHello")
        self.assertEqual(read(i, HELLO + TAIL + FINAL + HELLO), b"Hello" * 3)
        self.assertEqual(read(i, bytes.fromhex("f200110000")), b"Hello")

    def test_finalAtTheEnd(self) -> None:
        """
        A message may end right there, though RFC 7692 would have a byte more: nothing
        is missing.
        """
        for forgets in (False, True):
            i = inflater(forgets)
            for payloads in ((FINAL,), (HELLO + TAIL, FINAL), (FINAL, FINAL)):
                self.assertEqual(read(i, *payloads), b"Hello" * len(payloads))
                self.assertEqual(read(i, HELLO), b"Hello")
            for at in range(len(FINAL) + 1):
                # However it is cut into frames, empty ones among them.
                payloads = (FINAL[:at], b"", FINAL[at:], b"", b"")
                self.assertEqual(read(i, *payloads), b"Hello", at)
                self.assertEqual(read(i, HELLO), b"Hello")

    def test_finalAndNoContext(self) -> None:
        """
        Whatever the peer may refer to, after a final block at the end there is nothing
        to remember.
        """
        i = inflater()
        for payload in (FINAL, HELLO + TAIL + b"\x01"):
            self.assertEqual(read(i, HELLO), b"Hello")
            self.assertTrue(i.hasContext)
            read(i, payload)
            self.assertFalse(i.hasContext)

    def test_finalForgets(self) -> None:
        """
        After a final block nothing refers to what was before it.
        """
        i = inflater()
        read(i, FINAL + b"\x00")
        self.assertRaises(InvalidPayload, read, i, bytes.fromhex("f200110000"))

    def test_tooManyFinalBlocks(self) -> None:
        """
        There is a limit to final blocks, over all frames of a message, because each
        costs far more than its two bytes.  It is one of the message.
        """
        block = b"\x03\x00"
        most = block * MAX_FINAL_BLOCKS + b"\x00"
        i = inflater()
        self.assertEqual(read(i, most), b"")
        self.assertEqual(read(i, most[:5], most[5:3000], most[3000:]), b"")
        more = block + most
        for payloads in ((more,), (more[:4000], more[4000:])):
            error = self.assertRaises(InvalidPayload, read, inflater(), *payloads)
            self.assertIn("final blocks", str(error))
        i = inflater()
        for _ in range(MAX_FINAL_BLOCKS):
            first = i._finalBlocks == 0
            i.decode(compressed(block, False, first), LIMIT)
        frame = compressed(block, False, False)
        self.assertRaises(InvalidPayload, i.decode, frame, LIMIT)
