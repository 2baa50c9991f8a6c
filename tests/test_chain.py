# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Extensions one behind the other.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.extensions import Marking
from twisted_ws import Frame
from twisted_ws._wire.chain import WIRE_ALLOWANCE, Chain
from twisted_ws.errors import PayloadTooBig
from twisted_ws.extensions import RSV1, RSV2, RSV3, Extension


class ClaimTests(SynchronousTestCase):
    """
    Who has which reserved bit.
    """

    def test_bits(self) -> None:
        """
        The bits of extensions that change messages are on first frames, those of
        extensions that change frames on all.
        """
        chain = Chain([Marking("a", RSV1), Marking("b", RSV2 | RSV3, False)])
        self.assertEqual(chain.firstBits, RSV1 | RSV2 | RSV3)
        self.assertEqual(chain.laterBits, RSV2 | RSV3)
        self.assertFalse(chain.perMessage)

    def test_perMessage(self) -> None:
        """
        A chain changes messages if each of its extensions does.
        """
        self.assertTrue(Chain([Marking("a", RSV1), Marking("b", RSV2)]).perMessage)
        self.assertFalse(Chain([Marking("a", 0, False)]).perMessage)

    def test_twoOwners(self) -> None:
        """
        One bit has one owner.
        """
        for second in (RSV1, RSV1 | RSV2):
            with self.assertRaises(ValueError) as caught:
                Chain([Marking("a", RSV1), Marking("b", second)])
            said = "b claims a bit that another has claimed"
            self.assertEqual(str(caught.exception), said)

    def test_noBits(self) -> None:
        """
        What is no reserved bit cannot be claimed.
        """
        for rsv in (0x80, 0x08, 0x01, RSV1 | 0x80):
            with self.assertRaises(ValueError) as caught:
                Chain([Marking("a", rsv)])
            self.assertEqual(str(caught.exception), f"a claims {rsv:#x}")

    def test_nothingClaimed(self) -> None:
        """
        Any number of extensions can do without bits.
        """
        chain = Chain([Marking("a", 0), Marking("b", 0)])
        self.assertEqual((chain.firstBits, chain.laterBits), (0, 0))


class OrderTests(SynchronousTestCase):
    """
    What comes first (RFC 6455 section 9.1).
    """

    def setUp(self) -> None:
        self.first = Marking("a", RSV1, tag=b"a:")
        self.second = Marking("b", RSV2, tag=b"b:")
        self.chain = Chain([self.first, self.second])

    def test_encode(self) -> None:
        """
        The first extension is given what is sent first.
        """
        frame = self.chain.encode(Frame(1, b"x"))
        self.assertEqual(frame, Frame(1, b"b:a:x", True, RSV1 | RSV2))

    def test_decode(self) -> None:
        """
        The last one is given what is received first.
        """
        frame = self.chain.decode(Frame(1, b"b:a:x", True, RSV1 | RSV2), 100)
        self.assertEqual(frame, Frame(1, b"x"))

    def test_limits(self) -> None:
        """
        The one that decodes last is told the limit; the others may exceed it by what
        it may take away.
        """
        self.chain.decode(Frame(1, b"b:a:x", True, RSV1 | RSV2), 100)
        self.assertEqual(self.first.calls[0][2], 100)
        self.assertEqual(self.second.calls[0][2], 100 + WIRE_ALLOWANCE)

    def test_overLimit(self) -> None:
        """
        An extension that does not look at its limit is stopped all the same.
        """
        for size, isTaken in ((100, True), (101, False)):
            self.first.onDecode = lambda frame, n=size: frame._replace(payload=b"." * n)
            try:
                self.chain.decode(Frame(1), 100)
            except PayloadTooBig as error:
                self.assertEqual(str(error), "101 bytes by a, over 100")
                self.assertEqual(error.option, "maxReceivedMessageSize")
                self.assertFalse(isTaken)
            else:
                self.assertTrue(isTaken)

    def test_innerOverLimit(self) -> None:
        """
        So is one whose output goes to another.
        """
        big = bytes(WIRE_ALLOWANCE + 101)
        self.second.onDecode = lambda frame: frame._replace(payload=big)
        self.assertRaises(PayloadTooBig, self.chain.decode, Frame(1), 100)


class RuleTests(SynchronousTestCase):
    """
    What an extension may do to a frame.
    """

    broken: tuple[tuple[str, Any], ...] = (
        ("the opcode", lambda frame: frame._replace(opcode=2)),
        ("an opcode for a continuation", lambda frame: frame._replace(opcode=0)),
        ("the end", lambda frame: frame._replace(fin=False)),
        ("a bit of nobody", lambda frame: frame._replace(rsv=frame.rsv | RSV3)),
        ("a bit of another", lambda frame: frame._replace(rsv=frame.rsv | RSV2)),
        ("no bit at all", lambda frame: frame._replace(rsv=frame.rsv | 0x01)),
    )

    def test_encode(self) -> None:
        """
        It may change the payload and set its bits.
        """
        for what, change in self.broken:
            extension = Marking("a", RSV1)
            chain = Chain([extension, Marking("b", RSV2)])
            chain.encode(Frame(1, b"x"))
            extension.onEncode = change
            with self.assertRaises(ValueError, msg=what) as caught:
                chain.encode(Frame(1, b"x"))
            self.assertTrue(str(caught.exception).startswith("a made "), what)

    def test_encodeTakesBits(self) -> None:
        """
        It may not clear the bits of another.
        """
        extension = Marking("b", RSV2)
        extension.onEncode = lambda frame: frame._replace(rsv=RSV2)
        chain = Chain([Marking("a", RSV1), extension])
        self.assertRaises(ValueError, chain.encode, Frame(1))

    def test_bitOnContinuation(self) -> None:
        """
        One that changes messages sets no bit on a continuation; one that changes
        frames may.
        """
        for perMessage in (True, False):
            extension = Marking("a", RSV1, perMessage)
            extension.onEncode = lambda frame: frame._replace(rsv=RSV1)
            chain = Chain([extension])
            try:
                frame = chain.encode(Frame(0, b"x"))
            except ValueError:
                self.assertTrue(perMessage)
            else:
                self.assertFalse(perMessage)
                self.assertEqual(frame.rsv, RSV1)

    def test_decode(self) -> None:
        """
        It changes the payload and clears its bits.
        """
        for what, change in self.broken:
            extension = Marking("a", RSV1)
            chain = Chain([extension, Marking("b", RSV2)])
            chain.decode(Frame(1, b"x", True, RSV1 | RSV2), 9)
            extension.onDecode = change
            with self.assertRaises(ValueError, msg=what) as caught:
                chain.decode(Frame(1, b"x"), 9)
            self.assertTrue(str(caught.exception).startswith("a made "), what)

    def test_decodeLeavesBits(self) -> None:
        """
        It may leave none of its own.
        """
        extension = Marking("a", RSV1 | RSV3)
        extension.onDecode = lambda frame: frame._replace(rsv=RSV3)
        chain = Chain([extension])
        self.assertRaises(ValueError, chain.decode, Frame(1, b"", True, RSV3), 9)

    def test_bitOfNobody(self) -> None:
        """
        A bit that none of them has is left as it was: the framer lets none through.
        """
        chain = Chain([Marking("a", RSV1)])
        frame = chain.decode(Frame(1, b"", True, RSV1 | RSV2), 9)
        self.assertEqual(frame.rsv, RSV2)


class ExtensionTests(SynchronousTestCase):
    """
    The base class.
    """

    def test_changesNothing(self) -> None:
        """
        It changes and claims nothing.
        """

        class Nothing(Extension):
            name = "x-nothing"

        extension = Nothing()
        chain = Chain([extension])
        self.assertEqual((chain.firstBits, chain.perMessage), (0, True))
        frame = Frame(1, b"x", False)
        self.assertIs(chain.encode(frame), frame)
        self.assertIs(chain.decode(frame, 1), frame)
        self.assertIsNone(extension.connectionMade(None))
        self.assertIsNone(extension.connectionLost())
