# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.errors}: one tree, sorted by fault, and what an end says of itself.
"""

from __future__ import annotations

import copy
import pickle
import re

from twisted.internet import error as twistedErrors
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

import twisted_ws
from twisted_ws import errors
from twisted_ws._wire import errors as wireErrors
from twisted_ws._wire.closing import Close
from twisted_ws.errors import (
    AlreadyAnswered,
    ClosedAbruptly,
    ClosedCleanly,
    ConnectionClosed,
    ConnectionNotOpen,
    IllegalFrame,
    InvalidPayload,
    InvalidUpgrade,
    PayloadTooBig,
    ProtocolViolation,
    TooManyFragments,
    UpgradeRejected,
    WebSocketError,
)


class TreeTests(SynchronousTestCase):
    """
    Who is whose subclass.
    """

    def test_oneBase(self):
        """
        Every error is a L{WebSocketError}.
        """
        for name in errors.__all__:
            self.assertTrue(issubclass(getattr(errors, name), WebSocketError), name)

    def test_all(self):
        """
        C{__all__} has every error there is, in order.
        """
        found = {
            name
            for name, value in vars(errors).items()
            if isinstance(value, type) and issubclass(value, WebSocketError)
        }
        self.assertEqual(errors.__all__, sorted(found))

    def test_wire(self):
        """
        The errors of the wire are these very classes, and each of them is here.
        """
        for name, value in vars(wireErrors).items():
            if isinstance(value, type) and issubclass(value, Exception):
                self.assertIs(getattr(errors, name), value, name)

    def test_documented(self):
        """
        The tree in the docstring names them all.
        """
        words = set(re.findall(r"[A-Z]\w+", errors.__doc__))
        self.assertEqual(set(errors.__all__) - words, set())

    def test_public(self):
        """
        Those that the package exports are these.
        """
        for name in set(errors.__all__) & set(twisted_ws.__all__):
            self.assertIs(getattr(twisted_ws, name), getattr(errors, name), name)

    def test_faults(self):
        """
        The peer's violations have their close codes; a frame that must not be sent is
        a L{ValueError} too; ends are Twisted's.
        """
        rows = [
            (ProtocolViolation, WebSocketError, 1002),
            (InvalidPayload, ProtocolViolation, 1007),
            (PayloadTooBig, ProtocolViolation, 1009),
            (TooManyFragments, ProtocolViolation, 1008),
        ]
        for kind, base, code in rows:
            self.assertTrue(issubclass(kind, base), kind)
            self.assertEqual(kind("").code, code, kind)
        self.assertTrue(issubclass(IllegalFrame, ValueError))
        self.assertFalse(issubclass(ConnectionNotOpen, ValueError))
        self.assertFalse(issubclass(ConnectionNotOpen, ConnectionClosed))
        self.assertTrue(issubclass(ClosedCleanly, twistedErrors.ConnectionDone))
        self.assertFalse(issubclass(ClosedCleanly, twistedErrors.ConnectionLost))
        self.assertTrue(issubclass(ClosedAbruptly, twistedErrors.ConnectionLost))
        self.assertFalse(issubclass(ClosedAbruptly, twistedErrors.ConnectionDone))
        for kind in (ClosedCleanly, ClosedAbruptly):
            self.assertTrue(issubclass(kind, ConnectionClosed), kind)

    def test_data(self):
        """
        Errors carry data, not only text.
        """
        invalid = InvalidUpgrade("no", 426, [(b"upgrade", b"websocket")])
        self.assertEqual((str(invalid), invalid.status), ("no", 426))
        self.assertEqual(list(invalid.headers), [(b"upgrade", b"websocket")])
        self.assertEqual(InvalidUpgrade("no").status, 400)
        rejected = UpgradeRejected(403, "Forbidden", [(b"a", b"b")], b"body")
        self.assertEqual(
            str(rejected), "the server refused the WebSocket: 403 Forbidden"
        )
        self.assertEqual(
            (rejected.status, rejected.reason, rejected.headers, rejected.body),
            (403, "Forbidden", [(b"a", b"b")], b"body"),
        )
        self.assertIsNone(ProtocolViolation("no").option)
        self.assertEqual(PayloadTooBig("no", "maxReceivedFrameSize").option[:3], "max")
        self.assertEqual(str(AlreadyAnswered("twice")), "twice")


class ConnectionClosedTests(SynchronousTestCase):
    """
    What an end says.
    """

    rows = [
        ((), 1006, "", "the connection was lost"),
        (("it broke",), 1006, "", "it broke"),
        (
            ("", Close(1000), Close(1000), "us"),
            1000,
            "",
            "we closed with 1000 (normal); the peer answered 1000 (normal)",
        ),
        (
            ("", Close(1000), Close(1001, "bye"), "peer"),
            1001,
            "bye",
            "the peer closed with 1001 (going away): bye",
        ),
        (
            ("", Close(1005), Close(1005), "peer"),
            1005,
            "",
            "the peer closed with 1005 (no status)",
        ),
        (
            ("it broke", Close(1011, "oops"), None, "us"),
            1006,
            "",
            "we closed with 1011 (internal error): oops; it broke",
        ),
        (
            ("it broke", Close(4999), Close(4999), "us"),
            4999,
            "",
            "we closed with 4999; the peer answered 4999; it broke",
        ),
    ]

    def test_rows(self):
        """
        C{code} and C{reason} are the peer's; C{str()} is a sentence.
        """
        for arguments, code, reason, sentence in self.rows:
            for kind in (ConnectionClosed, ClosedCleanly, ClosedAbruptly):
                ended = kind(*arguments)
                self.assertEqual(
                    (ended.code, ended.reason, str(ended)), (code, reason, sentence)
                )

    def test_defaults(self):
        """
        Without arguments nothing is known.
        """
        ended = ClosedAbruptly()
        self.assertEqual(
            (ended.sent, ended.received, ended.begunBy), (None, None, None)
        )

    def test_failure(self):
        """
        A L{Failure} of it can be checked for Twisted's errors and for ours, and shows
        the sentence.
        """
        failure = Failure(ClosedCleanly("", Close(1000), Close(1000), "us"))
        for kind in (ClosedCleanly, ConnectionClosed, twistedErrors.ConnectionDone):
            self.assertIs(failure.check(kind), kind)
        self.assertIsNone(failure.check(twistedErrors.ConnectionLost, ClosedAbruptly))
        self.assertEqual(
            failure.getErrorMessage(),
            "we closed with 1000 (normal); the peer answered 1000 (normal)",
        )

    def test_copies(self):
        """
        It survives being copied and pickled.
        """
        for arguments, code, reason, sentence in self.rows:
            for kind in (ConnectionClosed, ClosedCleanly, ClosedAbruptly):
                ended = kind(*arguments)
                for twin in (copy.copy(ended), pickle.loads(pickle.dumps(ended))):
                    self.assertIs(type(twin), kind)
                    self.assertEqual(
                        (twin.code, twin.reason, str(twin)), (code, reason, sentence)
                    )
                    self.assertEqual(
                        (twin.sent, twin.received, twin.begunBy),
                        (ended.sent, ended.received, ended.begunBy),
                    )

    def test_again(self):
        """
        C{again} is a copy to be raised: it says the same, and the original does not
        get to know of where it was raised.
        """
        for arguments, code, reason, sentence in self.rows:
            for kind in (ConnectionClosed, ClosedCleanly, ClosedAbruptly):
                ended = kind(*arguments)
                ended.__cause__ = ValueError("why")
                twin = ended.again()
                self.assertIsNot(twin, ended)
                self.assertIs(type(twin), kind)
                self.assertEqual(
                    (twin.code, twin.reason, str(twin)), (code, reason, sentence)
                )
                self.assertEqual(
                    (twin.sent, twin.received, twin.begunBy),
                    (ended.sent, ended.received, ended.begunBy),
                )
                self.assertIs(twin.__cause__, ended.__cause__)
                self.assertEqual(twin.args, ended.args)
                try:
                    raise twin
                except kind:
                    self.assertIsNone(ended.__traceback__)

    def test_repr(self):
        """
        C{repr()} names its class.
        """
        self.assertEqual(repr(ClosedAbruptly("it broke")), "ClosedAbruptly('it broke')")

    def test_hostileReason(self):
        """
        A reason is only text: it is not taken for a format.
        """
        ended = ClosedCleanly("", Close(1000), Close(1000, "{0} %s"), "peer")
        self.assertEqual(str(ended), "the peer closed with 1000 (normal): {0} %s")
