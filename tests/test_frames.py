# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Tests for L{twisted_ws._wire.frames}: the rules of one frame and of a sequence.
"""

from __future__ import annotations

from array import array
from itertools import product

from twisted.trial.unittest import SynchronousTestCase

from twisted_ws._wire.errors import IllegalFrame, ProtocolViolation
from twisted_ws._wire.frames import (
    RSV1,
    RSV2,
    RSV3,
    Frame,
    Opcode,
    OutgoingSequence,
    Utf8Decoder,
    asBytes,
    checkStart,
)

from .wire import errorOf

# The rows of the grammar of RFC 3629 section 4: a range for each byte.
_TAIL = range(0x80, 0xC0)
_GRAMMAR = (
    (range(0x80),),
    (range(0xC2, 0xE0), _TAIL),
    (range(0xE0, 0xE1), range(0xA0, 0xC0), _TAIL),
    (range(0xE1, 0xED), _TAIL, _TAIL),
    (range(0xED, 0xEE), range(0x80, 0xA0), _TAIL),
    (range(0xEE, 0xF0), _TAIL, _TAIL),
    (range(0xF0, 0xF1), range(0x90, 0xC0), _TAIL, _TAIL),
    (range(0xF1, 0xF4), _TAIL, _TAIL, _TAIL),
    (range(0xF4, 0xF5), range(0x80, 0x90), _TAIL, _TAIL),
)


def firstBadByte(data: bytes) -> int | None:
    """
    Read C{data} by the grammar of RFC 3629.

    @return: the number of the first byte that cannot stand where it stands, the
        first is C{1}; or C{None}.
    """
    rest: tuple[range, ...] = ()
    for at, octet in enumerate(data):
        if rest:
            if octet not in rest[0]:
                return at + 1
            rest = rest[1:]
            continue
        for row in _GRAMMAR:
            if octet in row[0]:
                rest = row[1:]
                break
        else:
            return at + 1
    return None


def decodedBytes(data: bytes) -> int | None:
    """
    Feed a decoder byte by byte.

    @return: the number of the byte at which it failed, or C{None}.
    """
    decoder = Utf8Decoder()
    for at in range(len(data)):
        try:
            decoder.decode(data[at : at + 1])
        except UnicodeDecodeError:
            return at + 1
    return None


class Utf8DecoderTests(SynchronousTestCase):
    """
    RFC 3629, piece by piece.
    """

    def test_twoBytes(self) -> None:
        """
        Every pair of bytes is taken, or refused at its first bad byte.
        """
        wrong = [
            pair.hex()
            for pair in map(bytes, product(range(256), repeat=2))
            if decodedBytes(pair) != firstBadByte(pair)
        ]
        self.assertEqual(wrong, [])

    def test_fourBytes(self) -> None:
        """
        So is every sequence of bytes from the edges of the grammar's ranges.
        """
        leads = b"\xc2\xdf\xe0\xe1\xec\xed\xee\xef\xf0\xf1\xf3\xf4\xf5"
        edges = b"\x00\x7f\x80\x8f\x90\x9f\xa0\xbf\xc2\xff"
        wrong = [
            bytes(four).hex()
            for four in product(leads, edges, edges, edges)
            if decodedBytes(bytes(four)) != firstBadByte(bytes(four))
        ]
        self.assertEqual(wrong, [])

    def test_failsAtOnceInOneChunk(self) -> None:
        """
        A bad byte that is the last of a longer chunk fails that chunk.
        """
        for bad in (b"\x80", b"\xe0\x80", b"\xed\xa0", b"\xf4\x90", b"\xe2\x82\x41"):
            decoder = Utf8Decoder()
            error = errorOf(decoder.decode, b"good " + bad)
            self.assertIsInstance(error, UnicodeDecodeError, bad.hex())

    def test_everyCut(self) -> None:
        """
        A text comes out the same wherever it is cut in three.
        """
        text = "\ufeffa\x00\x7f\u0080\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff"
        data = text.encode("utf-8")
        for first in range(len(data) + 1):
            for second in range(first, len(data) + 1):
                decoder = Utf8Decoder()
                parts = data[:first], data[first:second], data[second:]
                pieces = [decoder.decode(part) for part in parts]
                pieces.append(decoder.decode(b"", True))
                self.assertEqual("".join(pieces), text, (first, second))

    def test_endsWithinCharacter(self) -> None:
        """
        Text may pause within a character, but not end there.
        """
        for cut in (b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98"):
            decoder = Utf8Decoder()
            self.assertEqual(decoder.decode(b"ab" + cut), "ab")
            error = errorOf(decoder.decode, b"", True)
            self.assertIsInstance(error, UnicodeDecodeError, cut.hex())

    def test_failureChangesNothing(self) -> None:
        """
        After a chunk that fails the decoder is where it was.
        """
        for bad in (b"\x41", b"\xff", b"\xac\xff", b"\xac\xed\xa0"):
            decoder = Utf8Decoder()
            decoder.decode(b"\xe2\x82")
            error = errorOf(decoder.decode, bad)
            self.assertIsInstance(error, UnicodeDecodeError, bad.hex())
            self.assertEqual(decoder.decode(b"\xac", True), "\u20ac", bad.hex())


class FrameTests(SynchronousTestCase):
    """
    The values.
    """

    def test_defaults(self) -> None:
        """
        A frame is whole, empty and without reserved bits unless it is told.
        """
        self.assertEqual(Frame(Opcode.PING), (9, b"", True, 0, None))

    def test_opcodes(self) -> None:
        """
        The opcodes are those of RFC 6455 section 11.8.
        """
        self.assertEqual([int(opcode) for opcode in Opcode], [0, 1, 2, 8, 9, 10])


class CheckStartTests(SynchronousTestCase):
    """
    What the first two bytes tell.
    """

    def test_everyFirstByte(self) -> None:
        """
        Exactly those first bytes are taken that RFC 6455 sections 5.2, 5.4 and 5.5
        allow, within a message and between two.
        """
        between = {0x01, 0x02, 0x81, 0x82, 0x88, 0x89, 0x8A}
        within = {0x00, 0x80, 0x88, 0x89, 0x8A}
        for inMessage, allowed in ((False, between), (True, within)):
            taken = set()
            for first in range(256):
                try:
                    checkStart(first, 5, inMessage, 0)
                except ProtocolViolation as violation:
                    self.assertEqual(violation.code, 1002, hex(first))
                else:
                    taken.add(first)
            self.assertEqual(taken, allowed, inMessage)

    def test_claimedBits(self) -> None:
        """
        A data frame may have the reserved bits that are claimed, and no others; a
        control frame may have none (RFC 6455 section 5.2).
        """
        for claimed in range(0, 0x80, 0x10):
            for bits in range(0, 0x80, 0x10):
                for first, inMessage in ((0x81, False), (0x02, False), (0x00, True)):
                    error = errorOf(checkStart, first | bits, 5, inMessage, claimed)
                    self.assertEqual(error is None, bits & ~claimed == 0, hex(bits))
                error = errorOf(checkStart, 0x89 | bits, 5, False, claimed)
                self.assertEqual(error is None, bits == 0)

    def test_controlLength(self) -> None:
        """
        A control frame has at most 125 bytes (RFC 6455 section 5.5); the other two
        values of its seven bits stand for longer ones.
        """
        for first in (0x88, 0x89, 0x8A):
            for inMessage in (False, True):
                checkStart(first, 125, inMessage, 0)
                for length in (126, 127):
                    error = errorOf(checkStart, first, length, inMessage, 0)
                    self.assertIsInstance(error, ProtocolViolation, hex(first))

    def test_says(self) -> None:
        """
        Each refusal says which rule was broken.
        """
        rows = (
            (0xC1, 0, False, "a reserved bit that no extension claimed"),
            (0x83, 0, False, "an unknown opcode: 3"),
            (0x8F, 0, False, "an unknown opcode: 15"),
            (0x09, 0, False, "a fragmented control frame"),
            (0x89, 126, False, "a control frame of more than 125 bytes"),
            (0x81, 0, True, "a new message within a fragmented one"),
            (0x80, 0, False, "a continuation of nothing"),
        )
        for first, length, inMessage, said in rows:
            with self.assertRaises(ProtocolViolation) as caught:
                checkStart(first, length, inMessage, 0)
            self.assertEqual(str(caught.exception), said)


LEGAL = (
    ("5.6 text", [Frame(1, b"hi")]),
    ("5.6 binary", [Frame(2, b"\xff")]),
    ("5.6 two messages", [Frame(1, b"a"), Frame(2, b"b")]),
    ("5.4 fragments", [Frame(1, b"a", False), Frame(0, b"", False), Frame(0)]),
    ("5.4 empty fragments", [Frame(2, b"", False), Frame(0, b"", True)]),
    ("5.4 a ping between", [Frame(1, b"a", False), Frame(9), Frame(0, b"b")]),
    ("5.5 control of 125 bytes", [Frame(9, bytes(125)), Frame(10, bytes(125))]),
    ("5.6 a character cut", [Frame(1, b"\xe2\x82", False), Frame(0, b"\xac")]),
    (
        "5.6 binary is not text",
        [Frame(2, b"\xff", False), Frame(0, b"\xfe")],
    ),
    (
        "5.6 binary after text",
        [Frame(1, b"a", False), Frame(0), Frame(2, b"\xff", False), Frame(0)],
    ),
)
"""
Frames that may be sent one after the other, as names and frames.
"""

ILLEGAL = (
    ("5.2 RSV1", [], Frame(1, b"a", True, RSV1)),
    ("5.2 RSV2", [], Frame(2, b"a", True, RSV2)),
    ("5.2 RSV3 of a ping", [], Frame(9, b"a", True, RSV3)),
    ("5.2 opcode 3", [], Frame(3)),
    ("5.2 opcode 7", [], Frame(7)),
    ("5.2 opcode 11", [], Frame(11)),
    ("5.2 opcode 15", [], Frame(15)),
    ("5.2 opcode 16", [], Frame(16)),
    ("5.2 opcode 0x81", [], Frame(0x81)),
    ("5.2 opcode -1", [], Frame(-1)),
    ("5.4 a continuation of nothing", [], Frame(0, b"a")),
    ("5.4 text within text", [Frame(1, b"a", False)], Frame(1, b"b")),
    ("5.4 binary within text", [Frame(1, b"a", False)], Frame(2, b"b", False)),
    (
        "5.4 a continuation of what ended",
        [Frame(1, b"a", False), Frame(0, b"b")],
        Frame(0, b"c"),
    ),
    ("5.5 a ping of 126 bytes", [], Frame(9, bytes(126))),
    ("5.5 a pong in pieces", [], Frame(10, b"", False)),
    ("5.6 bad text", [], Frame(1, b"\xff")),
    ("5.6 bad text in a fragment", [], Frame(1, b"\xff", False)),
    ("5.6 half a surrogate", [], Frame(1, b"\xed\xa0", False)),
    ("5.6 a character cut at the end", [], Frame(1, b"\xe2\x82")),
    (
        "5.6 a character cut at the end of fragments",
        [Frame(1, b"\xe2", False), Frame(0, b"\x82", False)],
        Frame(0),
    ),
    (
        "5.6 a character that goes on wrongly",
        [Frame(1, b"\xe2", False)],
        Frame(0, b"a"),
    ),
)
"""
Names, frames that may be sent, and one that then must not be.
"""


class OutgoingSequenceTests(SynchronousTestCase):
    """
    The frames that an application may send, one after the other.
    """

    def test_legal(self) -> None:
        """
        What RFC 6455 allows is allowed, and a finished message leaves nothing open.
        """
        for name, frames in LEGAL:
            sequence = OutgoingSequence()
            for frame in frames:
                sequence.check(frame)
            self.assertEqual(sequence.opcode, 0, name)

    def test_illegal(self) -> None:
        """
        What it forbids is refused, and changes nothing: what was open can go on.
        """
        for name, before, frame in ILLEGAL:
            sequence = OutgoingSequence()
            for each in before:
                sequence.check(each)
            opened = sequence.opcode
            error = errorOf(sequence.check, frame)
            self.assertIsInstance(error, IllegalFrame, name)
            self.assertEqual(sequence.opcode, opened, name)

    def test_goesOnAfterRefusal(self) -> None:
        """
        A text whose continuation was refused ends well with a right one.
        """
        for bad in (b"a", b"\x82\xac\xff", b"\x82\xac\xed\xa0"):
            for fin in (False, True):
                sequence = OutgoingSequence()
                sequence.check(Frame(1, b"\xe2", False))
                error = errorOf(sequence.check, Frame(0, bad, fin))
                self.assertIsInstance(error, IllegalFrame, bad.hex())
                sequence.check(Frame(0, b"\x82\xac"))
                self.assertEqual(sequence.opcode, 0, bad.hex())

    def test_openMessage(self) -> None:
        """
        The opcode is that of the message that is not finished; control frames do not
        count.
        """
        sequence = OutgoingSequence()
        seen = []
        for frame in (
            Frame(2, b"a", False),
            Frame(9),
            Frame(0, b"b", False),
            Frame(0, b"c"),
        ):
            sequence.check(frame)
            seen.append(sequence.opcode)
        self.assertEqual(seen, [2, 2, 2, 0])

    def test_illegalIsValueError(self) -> None:
        """
        It is a C{ValueError} for those who do not know our errors.
        """
        with self.assertRaises(ValueError):
            OutgoingSequence().check(Frame(0))


class AsBytesTests(SynchronousTestCase):
    """
    What may be sent as binary.
    """

    def test_buffers(self) -> None:
        """
        Any buffer gives its bytes, whatever the size of its items.
        """
        words = array("H", [0x4142, 0x4344])
        rows = (
            (bytearray(b"abc"), b"abc"),
            (memoryview(b"abc"), b"abc"),
            (memoryview(b"abcdef")[::2], b"ace"),
            (words, words.tobytes()),
            (memoryview(words), words.tobytes()),
        )
        for buffer, expected in rows:
            made = asBytes(buffer)
            self.assertIs(type(made), bytes)
            self.assertEqual(made, expected)

    def test_others(self) -> None:
        """
        Anything else is a C{TypeError} that names its type; a number is not that
        many zeros.
        """
        for thing, name in ((5, "int"), (None, "NoneType"), ([1], "list")):
            with self.assertRaises(TypeError) as caught:
                asBytes(thing)
            self.assertEqual(
                str(caught.exception),
                f"a message is str, bytes or a buffer, not {name}",
            )
