# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The receiving half of permessage-deflate (RFC 7692 section 7.2.2): what it reads, and
what it refuses as damaged.
"""

from __future__ import annotations

import zlib
from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.deflating import (
    EMPTY_BLOCK,
    LIMIT,
    TAIL,
    TEXT,
    Stream,
    compressed,
    forEachInstalled,
)
from twisted_ws import Frame
from twisted_ws.errors import InvalidPayload, ProtocolViolation
from twisted_ws.extensions import RSV1, RSV2
from twisted_ws.extensions.implementations import implementationNamed
from twisted_ws.extensions.inflater import MAX_FINAL_BLOCKS, Inflater

HELLO = bytes.fromhex("f248cdc9c90700")
NOISE = Random(3).randbytes(3000)
PROSE = b"the cat sat on the mat, and the hat of the cat on the cat. " * 40
FINAL = bytes.fromhex("f348cdc9c90700")
"""
The word in a block that says that it is the last.
"""


def inflater(
    forgets: bool = False,
    bits: int = 15,
    maxRatio: int | None = None,
    implementation: str = "zlib",
) -> Inflater:
    """
    @return: one that has read nothing.
    """
    return Inflater(implementationNamed(implementation), bits, forgets, maxRatio)


def read(i: Inflater, *payloads: bytes) -> bytes:
    """
    @return: the message whose frames have these payloads.
    """
    parts = []
    last = len(payloads) - 1
    for at, payload in enumerate(payloads):
        decoded = i.decode(compressed(payload, at == last, at == 0), LIMIT)
        assert decoded[2:4] == (at == last, 0), decoded
        parts.append(decoded.payload)
    return b"".join(parts)


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


class DamageTests(SynchronousTestCase):
    """
    What no compressor made.
    """

    def refuse(self, *payloads: bytes, **options: Any) -> str:
        """
        Fail unless this is refused with 1007.

        @return: why.
        """
        error = self.assertRaises(InvalidPayload, read, inflater(**options), *payloads)
        self.assertEqual(error.code, 1007)
        self.assertIsNone(error.option)
        return str(error)

    def test_damaged(self) -> None:
        """
        Impossible data is refused.
        """
        for payload in (
            b"\x06",  # a block of the reserved type
            b"\x07",
            HELLO + TAIL + b"\x07",
            FINAL + b"\x07",
            bytes.fromhex("f200110000"),  # a reference to before the beginning
            bytes.fromhex("000500faf048656c6c6f00"),  # two lengths that differ
            b"\xff" * 50,
            b"Hello, which nobody has compressed",
            NOISE,
        ):
            for forgets in (False, True):
                self.refuse(payload, forgets=forgets)
                self.refuse(*[payload[at : at + 1] for at in range(len(payload))])

    def test_reason(self) -> None:
        """
        It is said what is wrong with it.
        """
        self.assertIn("invalid block type", self.refuse(b"\x07"))
        self.assertIn("too far back", self.refuse(bytes.fromhex("f200110000")))
        self.assertIn("cut off", self.refuse(HELLO[:5]))

    def test_nothing(self) -> None:
        """
        A marked message of no byte at all is not an empty one.
        """
        self.refuse(b"")
        self.refuse(b"", b"")
        i = inflater()
        read(i, HELLO)
        self.assertRaises(InvalidPayload, read, i, b"")

    def test_tailIsThere(self) -> None:
        """
        Nor is one that still has the four bytes which are to be left out; not if it
        ends in an empty frame either.
        """
        self.refuse(HELLO + TAIL)
        self.refuse(HELLO + TAIL, b"")

    def test_junkBehindFinal(self) -> None:
        """
        What is behind a final block has to be blocks.
        """
        for junk in (b"\x01\x02", b"junk", b"\x00\x00", b"\x00" * 4, TAIL, b"\xff"):
            self.refuse(FINAL + junk)
            self.refuse(FINAL, junk)

    def test_junkBehindFinalTail(self) -> None:
        """
        Nothing fits behind a final block whose last bytes were left out.
        """
        self.assertEqual(read(inflater(), HELLO + TAIL + b"\x01"), b"Hello")
        self.refuse(HELLO + TAIL + b"\x01\x00")
        # A final block whose last code ends within the four bytes.
        self.refuse(FINAL[:-1])
        # A final stored block that takes one, two, three bytes of the four for data.
        for size in (1, 2, 3):
            head = b"\x01" + size.to_bytes(2, "little")
            self.refuse(head + (0xFFFF - size).to_bytes(2, "little"))

    @forEachInstalled
    def test_cutOff(self, implementation: str) -> None:
        """
        A message that was cut off is noticed, wherever that was; in messages of all
        kinds of blocks.
        """
        texts = [b"Hello", PROSE[:300], bytes(3000), NOISE[:300], PROSE + NOISE[:40]]
        for text in texts:
            for level, strategy in ((6, 0), (1, 0), (6, 2), (6, 4)):
                whole = Stream(12, level, strategy=strategy).message(text)
                for size in range(len(whole)):
                    # The only one that cannot be told from an empty message.
                    if whole[:size] == b"\x00":
                        continue
                    for forgets in (False, True):
                        self.refuse(
                            whole[:size],
                            forgets=forgets,
                            implementation=implementation,
                        )

    @forEachInstalled
    def test_changed(self, implementation: str) -> None:
        """
        Whatever is changed in a message, it is refused or read as something else: no
        other error comes of it.
        """
        random = Random(5)
        for text in (PROSE, NOISE[:500], b"Hello" * 9):
            whole = Stream().message(text)
            for _ in range(300):
                payload = bytearray(whole)
                for _ in range(random.choice((1, 1, 2, 8))):
                    payload[random.randrange(len(payload))] = random.randrange(256)
                i = inflater(random.random() < 0.5, implementation=implementation)
                try:
                    read(i, bytes(payload))
                except ProtocolViolation as violation:
                    self.assertIn(violation.code, (1007, 1009))

    def test_window(self) -> None:
        """
        A peer that refers back further than was agreed is refused, where it refers to
        what has left the decompressor: another message.
        """
        for bits in range(8, 15):
            first, i = NOISE[: (1 << bits) + 100], inflater(bits=bits)
            if len(first) < (1 << bits) + 100:
                first = Random(bits).randbytes((1 << bits) + 100)
            stream = Stream(bits=15)
            self.assertEqual(read(i, stream.message(first)), first)
            far = stream.message(first[:50])
            self.assertLess(len(far), 20)
            error = self.assertRaises(InvalidPayload, read, i, far)
            self.assertIn("too far back", str(error))

    def test_windowKept(self) -> None:
        """
        One that keeps to it is understood, also with the smallest.
        """
        for bits in range(9, 16):
            i, stream = inflater(bits=bits), Stream(bits=bits)
            for at in range(30):
                data = PROSE[at * 7 :] + NOISE[: at * 50]
                self.assertEqual(read(i, stream.message(data)), data)
