# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Tests for L{twisted_ws._wire.closing}: close codes and the bodies of Close frames.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_ws._wire.closing import (
    Close,
    CloseCode,
    isSendable,
    packClose,
    shorten,
    unpackClose,
)
from twisted_ws._wire.errors import IllegalFrame, InvalidPayload, ProtocolViolation

from .wire import errorOf

SENDABLE = {
    *(1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011),
    *(1012, 1013, 1014),
    *range(3000, 5000),
}
"""
RFC 6455 section 7.4, and what IANA registered since.
"""


class CodeTests(SynchronousTestCase):
    """
    Which codes are what.
    """

    def test_sendable(self) -> None:
        """
        Exactly the registered codes that are not reserved, and those from 3000 to
        4999, may be in a frame (RFC 6455 section 7.4).
        """
        sendable = {code for code in range(65536) if isSendable(code)}
        self.assertEqual(sendable, SENDABLE)
        self.assertFalse(isSendable(-1))
        self.assertFalse(isSendable(1 << 16))

    def test_names(self) -> None:
        """
        The names are those of the registry; 1004 has none.
        """
        self.assertEqual(
            {int(code) for code in CloseCode}, {*range(1000, 1016)} - {1004}
        )
        self.assertEqual(CloseCode(1001).name, "GOING_AWAY")

    def test_text(self) -> None:
        """
        A L{Close} reads as its code, what the code means, and its reason.
        """
        rows = (
            (Close(1000), "1000 (normal)"),
            (Close(1001, "deploy"), "1001 (going away): deploy"),
            (Close(1005), "1005 (no status)"),
            (Close(4001), "4001"),
            (Close(4001, "bye"), "4001: bye"),
        )
        for close, text in rows:
            self.assertEqual(str(close), text)


class PackTests(SynchronousTestCase):
    """
    Bodies that we send.
    """

    def test_bodies(self) -> None:
        """
        A body is the code in two bytes, then the reason in UTF-8; without a code it
        is empty.
        """
        rows = (
            (Close(1000), b"\x03\xe8"),
            (Close(1000, "bye"), b"\x03\xe8bye"),
            (Close(4999, "\u20ac"), b"\x13\x87\xe2\x82\xac"),
            (Close(CloseCode.GOING_AWAY), b"\x03\xe9"),
            (Close(1005), b""),
            (Close(1000, "x" * 123), b"\x03\xe8" + b"x" * 123),
            (Close(1000, "\u20ac" * 41), b"\x03\xe8" + b"\xe2\x82\xac" * 41),
        )
        for close, body in rows:
            self.assertEqual(packClose(close), body, close)

    def test_everyCode(self) -> None:
        """
        What is packed is what is unpacked, for each code that may be sent; the
        others are refused.
        """
        for code in (*range(5001), 65535, 65536, -1):
            close = Close(code, "why")
            if code in SENDABLE:
                self.assertEqual(unpackClose(packClose(close)), close)
            else:
                error = errorOf(packClose, close)
                self.assertIsInstance(error, IllegalFrame, str(code))

    def test_refused(self) -> None:
        """
        Values that are no code or no reason are refused by name.
        """
        rows = (
            (Close(1005, "why"), "close code 1005 must not be sent"),
            (Close(True), "close code True must not be sent"),
            (Close(1000.0), "close code 1000.0 must not be sent"),  # type: ignore
            (Close(None), "close code None must not be sent"),  # type: ignore
            (Close("1000"), "close code '1000' must not be sent"),  # type: ignore
            (Close(1000, b"x"), "a close reason must be str, not b'x'"),  # type: ignore
            (Close(1000, None), "a close reason must be str, not None"),  # type: ignore
            (Close(1000, "x" * 124), "the close reason has 124 bytes, over 123"),
            (Close(1000, "\u20ac" * 42), "the close reason has 126 bytes, over 123"),
        )
        for close, said in rows:
            with self.assertRaises(IllegalFrame) as caught:
                packClose(close)
            self.assertEqual(str(caught.exception), said)

    def test_surrogate(self) -> None:
        """
        Half a character cannot be encoded.
        """
        with self.assertRaises(IllegalFrame) as caught:
            packClose(Close(1000, "\ud800"))
        self.assertIn("the close reason is not Unicode text", str(caught.exception))


class UnpackTests(SynchronousTestCase):
    """
    Bodies that we receive.
    """

    def test_bodies(self) -> None:
        """
        An empty body stands for 1005 (RFC 6455 section 7.1.5).
        """
        rows = (
            (b"", Close(1005)),
            (b"\x03\xe8", Close(1000)),
            (b"\x03\xf4bye", Close(1012, "bye")),
            (b"\x0b\xb8\xe2\x82\xac", Close(3000, "\u20ac")),
            (b"\x03\xe8\xef\xbb\xbfx", Close(1000, "\ufeffx")),
        )
        for body, close in rows:
            self.assertEqual(unpackClose(body), close)

    def test_oneByte(self) -> None:
        """
        One byte is half a code (RFC 6455 section 5.5.1).
        """
        for octet in range(256):
            with self.assertRaises(ProtocolViolation) as caught:
                unpackClose(bytes([octet]))
            self.assertEqual(caught.exception.code, 1002)
            said = "a Close frame with a body of one byte"
            self.assertEqual(str(caught.exception), said)

    def test_codes(self) -> None:
        """
        Exactly the codes that may be sent are taken.
        """
        taken = set()
        for code in range(65536):
            try:
                taken.add(unpackClose(code.to_bytes(2, "big")).code)
            except ProtocolViolation as violation:
                self.assertEqual(violation.code, 1002)
        self.assertEqual(taken, SENDABLE)

    def test_reasons(self) -> None:
        """
        A reason that is not UTF-8 is an invalid payload, 1007.
        """
        for reason in (b"\xff", b"ok\xc3", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90"):
            error = errorOf(unpackClose, b"\x03\xe8" + reason)
            self.assertIsInstance(error, InvalidPayload, reason.hex())
            self.assertEqual(InvalidPayload.code, 1007)

    def test_codeFirst(self) -> None:
        """
        When both are wrong the code is what is complained of.
        """
        with self.assertRaises(ProtocolViolation) as caught:
            unpackClose(b"\x03\xed\xff")
        self.assertEqual(caught.exception.code, 1002)


class ShortenTests(SynchronousTestCase):
    """
    Reasons that were not made to fit.
    """

    def test_shorten(self) -> None:
        """
        A reason is cut to 123 bytes between characters; what has no encoding becomes
        a question mark.
        """
        rows = (
            ("", ""),
            ("x" * 123, "x" * 123),
            ("x" * 124, "x" * 123),
            ("x" * 122 + "\u20ac", "x" * 122),
            ("x" * 120 + "\u20ac", "x" * 120 + "\u20ac"),
            ("x" * 121 + "\U0001f600", "x" * 121),
            ("\U0001f600" * 50, "\U0001f600" * 30),
            ("a\ud800b", "a?b"),
        )
        for reason, cut in rows:
            self.assertEqual(shorten(reason), cut)
            self.assertEqual(packClose(Close(1000, cut))[2:], cut.encode("utf-8"))
