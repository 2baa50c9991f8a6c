# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws._wire.payloads}: masking and collecting, in Python and, where it is built,
in C.
"""

from __future__ import annotations

import random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_ws._wire import _payloads_pure, payloads

from .wire import KEY, naiveMask

try:
    from twisted_ws._wire import _payloads as _compiled
except ImportError:
    _compiled = None  # type: ignore[assignment]


class ChoiceTests(SynchronousTestCase):
    """
    Which of them is used.
    """

    def test_compiled(self) -> None:
        """
        What is compiled, if it is there; all of it or nothing.
        """
        used = _payloads_pure if _compiled is None else _compiled
        self.assertEqual(payloads.isCompiled, _compiled is not None)
        for name in ("Collector", "unmasked", "xorMask"):
            self.assertIs(getattr(payloads, name), getattr(used, name))


class XorMaskMixin:
    """
    RFC 6455 section 5.3.
    """

    ways: Any

    def test_example(self) -> None:
        """
        The example of RFC 6455 section 5.7.
        """
        self.assertEqual(self.ways.xorMask(b"Hello", KEY), bytes.fromhex("7f9f4d5158"))

    def test_everyLength(self) -> None:
        """
        Each length up to 300, and around some powers of two, is masked as the RFC
        says and unmasked by the same.
        """
        payload = random.Random(1).randbytes(3 * 16384)
        lengths = [*range(301)]
        for block in (4096, 8192, 16384, 32768):
            lengths += range(block - 5, block + 6)
        for length in lengths:
            masked = self.ways.xorMask(payload[:length], KEY)
            self.assertEqual(masked, naiveMask(payload[:length], KEY), length)
            self.assertEqual(self.ways.xorMask(masked, KEY), payload[:length], length)

    def test_everyKeyByte(self) -> None:
        """
        Each byte of the key counts where it stands, leading and trailing zeros too.
        """
        payload = bytes(range(7))
        for at in range(4):
            for octet in (0, 1, 0x80, 0xFF):
                key = bytes(octet if place == at else 0 for place in range(4))
                self.assertEqual(
                    self.ways.xorMask(payload, key), naiveMask(payload, key), key
                )

    def test_giantIsWhole(self) -> None:
        """
        A payload of MiB and a rest keeps its length and its end.
        """
        payload = bytes(5 << 20) + b"end"
        masked = self.ways.xorMask(payload, KEY)
        self.assertEqual(len(masked), len(payload))
        self.assertEqual(masked[: 1 << 20], KEY * (1 << 18))
        self.assertEqual(masked[-3:], naiveMask(b"end", KEY))

    def test_unmasked(self) -> None:
        """
        A part of a read is unmasked by the four bytes before it, wherever it stands.
        """
        chance = random.Random(2)
        for size in (0, 1, 2, 3, 4, 7, 8, 9, 125, 4095, 4096, 4097, 4099, 50_001):
            for before in (0, 1, 5):
                key, payload = chance.randbytes(4), chance.randbytes(size)
                data = bytes(before) + key + naiveMask(payload, key) + b"more"
                start = before + 4
                found = self.ways.unmasked(data, start, start + size)
                self.assertEqual(found, payload, (size, before))


class CollectorMixin:
    """
    Payloads that come in parts.
    """

    ways: Any

    def test_parts(self) -> None:
        """
        They are what came, whatever was announced.
        """
        chance = random.Random(3)
        for announced in (None, 0, 1, 1000, 300_000, 1 << 40, (1 << 63) - 1):
            collector = self.ways.Collector()
            if announced is not None:
                collector.expect(announced)
            expected = b""
            for size in (0, 1, 3, 1000, 70_000, 0, 200_000, 300_000, 5):
                part, key = chance.randbytes(size), chance.randbytes(4)
                for way in ("write", "plain", "masked"):
                    if way == "write":
                        collector.write(part)
                    elif way == "plain":
                        collector.take(b"ab" + part + b"c", 2, 2 + size, b"")
                    else:
                        masked = b"ab" + naiveMask(part, key) + b"c"
                        collector.take(masked, 2, 2 + size, key)
                    expected += part
                    self.assertEqual(collector.tell(), len(expected))
            self.assertEqual(collector.getvalue(), expected, announced)

    def test_single(self) -> None:
        """
        A payload of one byte or none is as any other; what is given away is not
        changed by what another collects.
        """
        given = []
        for number in range(256):
            collector = self.ways.Collector()
            collector.expect(1)
            collector.write(bytes([number]))
            given.append(collector.getvalue())
        self.assertEqual(given, [bytes([number]) for number in range(256)])
        self.assertEqual(self.ways.Collector().getvalue(), b"")

    def test_piecesWithAnnouncements(self) -> None:
        """
        Each fragment announces what it brings.
        """
        collector = self.ways.Collector()
        for number in range(1000):
            collector.expect(257)
            collector.write(bytes([number % 256]) * 257)
        value = collector.getvalue()
        self.assertEqual(len(value), 257_000)
        self.assertEqual(value[-1], 999 % 256)


class PureMaskTests(XorMaskMixin, SynchronousTestCase):
    """
    In Python.
    """

    ways = _payloads_pure


class PureCollectorTests(CollectorMixin, SynchronousTestCase):
    """
    In Python.
    """

    ways = _payloads_pure


class CompiledMaskTests(XorMaskMixin, SynchronousTestCase):
    """
    In C.
    """

    ways = _compiled
    if _compiled is None:
        skip = "this build is pure Python"

    def test_noSuchPart(self) -> None:
        """
        Nothing is read that is not there.
        """
        for start, stop in ((3, 5), (4, 9), (5, 4), (-1, 4), (4, 1 << 40)):
            self.assertRaises(ValueError, self.ways.unmasked, b"01234567", start, stop)
        self.assertRaises(ValueError, self.ways.xorMask, b"abc", b"123")
        self.assertRaises(ValueError, self.ways.xorMask, None, b"1234")
        self.assertRaises(TypeError, self.ways.xorMask, bytearray(3), b"1234")


class CompiledCollectorTests(CollectorMixin, SynchronousTestCase):
    """
    In C.
    """

    ways = _compiled
    if _compiled is None:
        skip = "this build is pure Python"

    def test_noSuchPart(self) -> None:
        """
        Nothing is read that is not there, and nothing taken with a key that is none.
        """
        collector = self.ways.Collector()
        for start, stop in ((-1, 4), (4, 9), (5, 4), (0, 1 << 40)):
            self.assertRaises(ValueError, collector.take, b"01234567", start, stop, b"")
        self.assertRaises(ValueError, collector.take, b"01234567", 0, 8, b"123")
        self.assertRaises(TypeError, collector.write, None)
        self.assertEqual(collector.getvalue(), b"")
