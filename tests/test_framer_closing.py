# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Tests for L{twisted_ws._wire.framer} and L{twisted_ws._wire.life}: Close frames (RFC
6455 sections 5.5.1 and 7), and receivers that fail.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_ws._wire.closing import Close
from twisted_ws._wire.errors import ConnectionNotOpen, IllegalFrame
from twisted_ws._wire.frames import Frame
from twisted_ws._wire.state import State

from .test_closing import SENDABLE
from .wire import (
    BINARY,
    CLOSE,
    CONTINUES,
    ENDS,
    PING,
    PONG,
    ROLES,
    TEXT,
    TEXT_BEGINS,
    RecordingFramer,
    errorOf,
)


def body(code: int, reason: bytes = b"") -> bytes:
    """
    @return: the body of a Close frame.
    """
    return code.to_bytes(2, "big") + reason


class PeerClosesTests(SynchronousTestCase):
    """
    The peer begins.
    """

    def test_everyCode(self) -> None:
        """
        7.4: each code that may be sent is answered with itself, each other one with
        1002; none is answered with what must not be sent.
        """
        for role, isServer in ROLES:
            for code in (*range(5001), 65535):
                framer = RecordingFramer(isServer)
                framer.feed((CLOSE, body(code)))
                if code in SENDABLE:
                    calls = [("sent", CLOSE, body(code)), ("discarding",)]
                    self.assertEqual(framer.calls, calls, (role, code))
                    self.assertEqual(framer.closeReceived, Close(code))
                else:
                    said = f"a Close frame with the code {code}".encode()
                    calls = [
                        ("violation", 1002),
                        ("sent", CLOSE, body(1002, said)),
                        ("discarding",),
                    ]
                    self.assertEqual(framer.calls, calls, (role, code))
                    self.assertIs(framer.closeReceived, None)

    def test_answers(self) -> None:
        """
        5.5.1: the answer has the peer's code and not its reason; a Close without a
        body is answered with such a one.
        """
        rows = (
            ("empty", b"", b"", Close(1005)),
            ("a code", body(1001), body(1001), Close(1001)),
            ("a reason", body(4000, b"bye"), body(4000), Close(4000, "bye")),
            (
                "the longest reason",
                body(1000, b"x" * 123),
                body(1000),
                Close(1000, "x" * 123),
            ),
            (
                "a reason of Unicode",
                body(3000, "\u20ac\U0001f600".encode()),
                body(3000),
                Close(3000, "\u20ac\U0001f600"),
            ),
        )
        for role, isServer in ROLES:
            for bytewise in (False, True):
                for name, received, sent, close in rows:
                    framer = RecordingFramer(isServer)
                    frame = framer.frame(CLOSE, received)
                    if bytewise:
                        self.assertEqual(framer.feedBytes(frame), len(frame))
                    else:
                        framer.dataReceived(frame)
                    calls = [("sent", CLOSE, sent), ("discarding",)]
                    self.assertEqual(framer.calls, calls, (role, name))
                    self.assertEqual(framer.state, State.DISCARDING)
                    self.assertEqual(framer.closeReceived, close, name)
                    self.assertEqual(framer.closeSent, Close(close.code), name)
                    self.assertEqual(framer.closeBegunBy, "peer", name)

    def test_bad(self) -> None:
        """
        5.5.1: a body that is none is refused: half a code with 1002, a reason that is
        not UTF-8 with 1007.
        """
        rows = (
            ("one byte", b"\x03", 1002),
            ("zero", b"\x00", 1002),
            ("bad text", body(1000, b"\xff"), 1007),
            ("a character cut off", body(1000, b"ok\xe2\x82"), 1007),
            ("a surrogate", body(1000, b"\xed\xa0\x80"), 1007),
            ("overlong", body(1000, b"\xc0\xaf"), 1007),
            ("bad text and code", body(1006, b"\xff"), 1002),
        )
        for role, isServer in ROLES:
            for name, received, code in rows:
                framer = RecordingFramer(isServer)
                framer.feed((CLOSE, received))
                self.assertEqual(framer.closeCode, code, (role, name))
                self.assertEqual(framer.closeBegunBy, "us", name)
                self.assertIs(framer.closeReceived, None, name)

    def test_withinAMessage(self) -> None:
        """
        5.4: a Close frame may come between fragments; their message is lost.
        """
        framer = RecordingFramer()
        framer.feed((TEXT_BEGINS, b"a"), (CLOSE, body(1000)), (ENDS, b"b"))
        self.assertEqual(framer.messages, [])
        self.assertEqual(framer.closeCode, 1000)

    def test_afterwards(self) -> None:
        """
        5.5.1: nothing counts that follows a Close frame, in its read or a later one,
        right or wrong; and nothing of it is kept.
        """
        rest = (TEXT, b"x"), (PING, b"y"), (CLOSE, body(1001)), (0x83, b"")
        for role, isServer in ROLES:
            framer = RecordingFramer(isServer)
            framer.feed((TEXT, b"1"), (CLOSE, body(1000)), *rest)
            framer.feed(*rest)
            for each in rest:
                framer.feedBytes(framer.frame(*each))
            framer.dataReceived(bytes(100_000))
            self.assertEqual(
                framer.calls,
                [
                    ("message", "1"),
                    ("sent", CLOSE, body(1000)),
                    ("discarding",),
                ],
                role,
            )
            self.assertEqual(framer.held, 0, role)

    def test_sendingAfterwards(self) -> None:
        """
        Then nothing can be sent, and C{close} does nothing.
        """
        framer = RecordingFramer()
        framer.feed((CLOSE, body(1000)))
        framer.close(4000)
        for send in (
            lambda: framer.sendMessage("x"),
            lambda: framer.sendMessage(b"x"),
            lambda: framer.sendFrame(Frame(PING & 15)),
            lambda: framer.sendFrame(Frame(1, b"", False)),
        ):
            error = errorOf(send)
            self.assertIsInstance(error, ConnectionNotOpen)
            self.assertEqual(str(error), "the connection is discarding")
        self.assertEqual(framer.sent, [(CLOSE, body(1000))])


class WeCloseTests(SynchronousTestCase):
    """
    We begin.
    """

    def test_close(self) -> None:
        """
        A Close frame is sent once, with code and reason; a second call does nothing.
        """
        rows: tuple[tuple[tuple[Any, ...], bytes], ...] = (
            ((1000,), body(1000)),
            ((1001,), body(1001)),
            ((4999, "bye \u20ac"), body(4999, "bye \u20ac".encode())),
            ((1011, "x" * 123), body(1011, b"x" * 123)),
            ((1005,), b""),
        )
        for role, isServer in ROLES:
            for arguments, sent in rows:
                framer = RecordingFramer(isServer)
                framer.close(*arguments)
                framer.close(1003, "again")
                calls = [("sent", CLOSE, sent), ("closing",)]
                self.assertEqual(framer.calls, calls, (role, arguments))
                self.assertEqual(framer.state, State.CLOSING)
                self.assertEqual(framer.closeSent, Close(*arguments))
                self.assertEqual(framer.closeBegunBy, "us")

    def test_default(self) -> None:
        """
        Unless told otherwise we close with 1000 and without a reason.
        """
        framer = RecordingFramer()
        framer.close()
        self.assertEqual(framer.sent, [(CLOSE, body(1000))])

    def test_illegal(self) -> None:
        """
        Codes and reasons that must not be sent are refused in every state, and then
        nothing has changed.
        """
        rows: tuple[tuple[Any, ...], ...] = (
            (999,),
            (1004,),
            (1005, "why"),
            (1006,),
            (1015,),
            (1016,),
            (2999,),
            (5000,),
            (65536,),
            (-1,),
            (None,),
            ("1000",),
            (1000, "x" * 124),
            (1000, b"bytes"),
            (1000, None),
            (1000, "\ud800"),
        )
        for into in (
            lambda framer: None,
            lambda framer: framer.close(),
            lambda framer: framer.feed((CLOSE, b"")),
        ):
            framer = RecordingFramer()
            into(framer)
            before = list(framer.calls), framer.state, framer.closeSent
            for row in rows:
                error = errorOf(framer.close, *row)
                self.assertIsInstance(error, IllegalFrame, f"{row}")
            after = framer.calls, framer.state, framer.closeSent
            self.assertEqual(after, before)

    def test_closing(self) -> None:
        """
        5.5.1: until the peer's Close frame comes, its messages are delivered, and its
        pings are not answered.
        """
        for role, isServer in ROLES:
            framer = RecordingFramer(isServer)
            framer.feed((TEXT_BEGINS, b"a"))
            framer.close()
            framer.calls.clear()
            framer.feed(
                (PING, b"?"),
                (ENDS, b"b"),
                (BINARY, b"c"),
                (PONG, b"!"),
                (CLOSE, body(1001, b"too")),
                (TEXT, b"d"),
            )
            self.assertEqual(
                framer.calls,
                [
                    ("ping", b"?"),
                    ("message", "ab"),
                    ("message", b"c"),
                    ("pong", b"!"),
                    ("discarding",),
                ],
                role,
            )
            self.assertEqual(framer.closeReceived, Close(1001, "too"))
            self.assertEqual(framer.closeBegunBy, "us")

    def test_violationWhileClosing(self) -> None:
        """
        7.1.7: one Close frame is all that is sent, whatever comes instead of its
        answer.
        """
        rows = (
            ("5.2 RSV1", (0xC1, b""), 1002),
            ("8.1 bad text", (TEXT, b"\xff"), 1007),
            ("10.4 too big", (BINARY, bytes(11)), 1009),
            ("7.4 a bad code", (CLOSE, body(1005)), 1002),
        )
        for role, isServer in ROLES:
            for name, frame, code in rows:
                framer = RecordingFramer(isServer, maxReceivedMessageSize=10)
                framer.close(4000)
                framer.feed(frame, (TEXT, b"next"))
                self.assertEqual(
                    framer.calls[1:],
                    [("closing",), ("violation", code), ("discarding",)],
                    (role, name),
                )
                self.assertEqual(framer.closeCode, 4000, name)
                self.assertIs(framer.closeReceived, None, name)

    def test_failing(self) -> None:
        """
        7.1.7: whatever the reason for which a connection fails, as much of it is sent
        as fits.
        """
        euro = "\u20ac"
        rows = ("x" * 200, b"x" * 123), (euro * 50, euro.encode() * 41)
        for reason, sent in rows:
            framer = RecordingFramer()
            framer._fail(1008, reason)
            self.assertEqual(framer.sent, [(CLOSE, body(1008, sent))])
            self.assertEqual(framer.state, State.DISCARDING)

    def test_crossing(self) -> None:
        """
        When both close at once neither answers the other.
        """
        one, other = RecordingFramer(True), RecordingFramer(False)
        one.close(4001)
        other.close(4002)
        sent = one.written, other.written
        one.dataReceived(sent[1])
        other.dataReceived(sent[0])
        self.assertEqual((one.written, other.written), sent)
        for framer, theirs in ((one, 4002), (other, 4001)):
            self.assertEqual(framer.state, State.DISCARDING)
            self.assertEqual(framer.closeReceived, Close(theirs))
            self.assertEqual(framer.closeBegunBy, "us")

    def test_closeWithinDelivery(self) -> None:
        """
        Closing from within a delivery: what the read brings besides is delivered up
        to the peer's Close frame.
        """
        for first, last in ((TEXT, TEXT), (TEXT_BEGINS, ENDS)):
            framer = RecordingFramer()
            framer.react = lambda message, framer=framer: framer.close(4000)
            frames = [(first, b"1")] if first == last else [(first, b""), (last, b"1")]
            framer.feed(*frames, (TEXT, b"2"), (PING, b""), (CLOSE, b""), (TEXT, b"3"))
            self.assertEqual(
                framer.calls,
                [
                    ("message", "1"),
                    ("sent", CLOSE, body(4000)),
                    ("closing",),
                    ("message", "2"),
                    ("ping", b""),
                    ("discarding",),
                ],
            )

    def test_closeByFrame(self) -> None:
        """
        A Close frame that the application sends as a frame is C{close}.
        """
        rows = (
            (b"", b"", Close(1005)),
            (body(1000), body(1000), Close(1000)),
            (body(4000, b"bye"), body(4000, b"bye"), Close(4000, "bye")),
        )
        for payload, sent, close in rows:
            framer = RecordingFramer()
            framer.sendFrame(Frame(8, payload))
            self.assertEqual(framer.calls, [("sent", CLOSE, sent), ("closing",)])
            self.assertEqual(framer.closeSent, close)
            self.assertEqual(framer.state, State.CLOSING)

    def test_illegalCloseByFrame(self) -> None:
        """
        Its body is checked as that of C{close}.
        """
        for payload in (
            b"\x03",
            body(1005),
            body(1006),
            body(999),
            body(1000, b"\xff"),
            body(1000, bytes(124)),
        ):
            framer = RecordingFramer()
            error = errorOf(framer.sendFrame, Frame(8, payload))
            self.assertIsInstance(error, IllegalFrame, f"{payload!r}")
            self.assertEqual((framer.calls, framer.state), ([], State.OPEN))

    def test_withinAnOutgoingMessage(self) -> None:
        """
        5.4: a message that is being sent frame by frame does not keep us from closing
        or from answering.
        """
        for act in (
            lambda framer: framer.close(),
            lambda framer: framer.feed((CLOSE, body(1000))),
        ):
            framer = RecordingFramer()
            framer.sendFrame(Frame(1, b"a", False))
            act(framer)
            self.assertEqual(framer.sent, [(TEXT_BEGINS, b"a"), (CLOSE, body(1000))])
            with self.assertRaises(ConnectionNotOpen):
                framer.sendFrame(Frame(0, b"b"))


class ReceiverFailsTests(SynchronousTestCase):
    """
    The application raises.
    """

    ways = (
        ("a whole message", True, [(TEXT, b"1")]),
        ("fragments", True, [(TEXT_BEGINS, b""), (CONTINUES, b"1"), (ENDS, b"")]),
        ("an empty message", True, [(BINARY, b"")]),
        ("a frame", False, [(TEXT, b"1")]),
        ("a fragment", False, [(TEXT_BEGINS, b"1")]),
    )

    def test_fails(self) -> None:
        """
        7.4.1: the connection closes with 1011, says nothing of why, and nothing more
        is delivered.
        """
        for role, isServer in ROLES:
            for name, assembling, frames in self.ways:
                for error in (RuntimeError, KeyboardInterrupt, GeneratorExit):
                    for bytewise in (False, True):

                        def fail(message: object, error: Any = error) -> None:
                            raise error("a secret")

                        framer = RecordingFramer(
                            isServer, fail, assembleFragments=assembling
                        )
                        all = [*frames, (ENDS, b"2"), (PING, b"3"), (CLOSE, b"")]
                        data = b"".join(framer.frame(*frame) for frame in all)
                        if bytewise:
                            framer.feedBytes(data)
                        else:
                            framer.dataReceived(data)
                        self.assertEqual(
                            framer.calls[1:],
                            [
                                ("failed", error),
                                ("sent", CLOSE, body(1011, b"internal error")),
                                ("discarding",),
                            ],
                            (role, name),
                        )
                        self.assertEqual(len(framer.messages), 1, name)
                        self.assertEqual(framer.held, 0, name)

    def test_failsLikeTheWire(self) -> None:
        """
        An application's own errors are not taken for the peer's.
        """
        for error in (
            UnicodeDecodeError("utf-8", b"x", 0, 1, "mine"),
            IllegalFrame("mine"),
            ConnectionNotOpen("mine"),
        ):

            def fail(message: object, error: Exception = error) -> None:
                raise error

            framer = RecordingFramer(True, fail)
            framer.feed((TEXT, b"1"))
            self.assertEqual(framer.closeCode, 1011)
            self.assertEqual(framer.violations, [])

    def test_failsWhileClosing(self) -> None:
        """
        After our Close frame there is no other.
        """

        def fail(message: object) -> None:
            framer.close(4000)
            raise RuntimeError

        framer = RecordingFramer(True, fail)
        framer.feed((TEXT, b"1"), (TEXT, b"2"), (CLOSE, b""))
        self.assertEqual(
            framer.calls,
            [
                ("message", "1"),
                ("sent", CLOSE, body(4000)),
                ("closing",),
                ("failed", RuntimeError),
                ("discarding",),
            ],
        )

    def test_failsAfterPausing(self) -> None:
        """
        A receiver that pauses and then fails is not delivered to again.
        """

        def fail(message: object) -> None:
            framer._pauseReceipt()
            raise RuntimeError

        framer = RecordingFramer(True, fail)
        framer.feed((TEXT, b"1"), (TEXT, b"2"))
        framer._resumeReceipt()
        framer.feed((TEXT, b"3"))
        self.assertEqual(framer.messages, ["1"])
        self.assertEqual(framer.closeCode, 1011)
        self.assertEqual(framer.held, 0)
