# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Tests for L{twisted_ws._wire.framer}: pausing, and being called while it calls.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_ws import MessageReceiver, ServerConfig, WebSocketConnection
from twisted_ws._wire.frames import Frame
from twisted_ws._wire.state import Event, State
from twisted_ws.testing import carrierPair

from .wire import (
    BINARY,
    BINARY_BEGINS,
    CLOSE,
    CONTINUES,
    ENDS,
    KEY,
    PING,
    PONG,
    ROLES,
    TEXT,
    TEXT_BEGINS,
    RecordingFramer,
    rawFrame,
    splitBytes,
)

FRAMES = (
    (TEXT, b"1"),
    (PING, b"2"),
    (BINARY, b"3"),
    (TEXT_BEGINS, b"4"),
    (PING, b"5"),
    (CONTINUES, b"6"),
    (ENDS, b"7"),
    (PONG, b"8"),
    (BINARY_BEGINS, b""),
    (ENDS, b""),
    (TEXT, b""),
    (PING, b"9"),
)
"""
A conversation of everything.
"""


def pausing(framer: RecordingFramer) -> RecordingFramer:
    """
    @return: it, now pausing in each delivery.
    """
    framer.react = lambda message: framer._pauseReceipt()
    return framer


class PausingTests(SynchronousTestCase):
    """
    The application wants nothing for now.
    """

    def test_stopsAtOnce(self) -> None:
        """
        Pausing within a delivery: nothing else of the read is looked at, not even a
        ping; resuming goes on after the delivered message.
        """
        for role, isServer in ROLES:
            for assembling in (True, False):
                framer = pausing(
                    RecordingFramer(isServer, assembleFragments=assembling)
                )
                plain = RecordingFramer(isServer, assembleFragments=assembling)
                plain.feed(*FRAMES)
                framer.feed(*FRAMES)
                self.assertEqual(len(framer.calls), 1, role)
                for number in range(1, len(plain.messages) + 1):
                    self.assertEqual(len(framer.messages), number, role)
                    self.assertEqual(framer.calls[-1][0], "message", role)
                    framer._resumeReceipt()
                self.assertEqual(framer.calls, plain.calls, role)
                self.assertEqual(framer.held, 0, role)

    def test_anySplit(self) -> None:
        """
        So it is however the bytes arrive, before, during and after the pause.
        """
        plain = RecordingFramer()
        plain.feed(*FRAMES)
        data = b"".join(plain.frame(*frame) for frame in FRAMES)
        for size in range(1, len(data)):
            for late in (True, False):
                framer = pausing(RecordingFramer())
                for read in splitBytes(data, [size] * (len(data) // size)):
                    framer.dataReceived(read)
                    if not late:
                        framer._resumeReceipt()
                for _ in FRAMES:
                    framer._resumeReceipt()
                self.assertEqual(framer.outcome(), plain.outcome(), (size, late))

    def test_fromOutside(self) -> None:
        """
        Paused between reads, what comes is kept until it is resumed; twice is as once.
        """
        framer = RecordingFramer()
        framer.feed((TEXT, b"1"))
        framer._pauseReceipt()
        framer._pauseReceipt()
        framer.feed((TEXT, b"2"), (PING, b"3"))
        framer.feedBytes(framer.frame(TEXT, b"4"))
        self.assertEqual(framer.calls, [("message", "1")])
        framer._resumeReceipt()
        self.assertEqual(framer.messages, ["1", "2", "4"])
        framer._resumeReceipt()
        framer.feed((TEXT, b"5"))
        self.assertEqual(framer.messages, ["1", "2", "4", "5"])
        self.assertEqual(framer.sent, [(PONG, b"3")])

    def test_withinAFrame(self) -> None:
        """
        A pause in the middle of a frame leaves its beginning where it is.
        """
        for cut in range(1, 20):
            framer = RecordingFramer()
            frame = framer.frame(TEXT, "\u20acuro and \u20acuro".encode())
            framer.dataReceived(frame[:cut])
            framer._pauseReceipt()
            framer.dataReceived(frame[cut:])
            self.assertEqual(framer.calls, [])
            framer._resumeReceipt()
            self.assertEqual(framer.messages, ["\u20acuro and \u20acuro"])

    def test_resumedAtOnce(self) -> None:
        """
        Pausing and resuming within one delivery is as if nothing had been; however
        many messages a read brings, no delivery is within another.
        """
        depth = most = 0

        def react(message: object) -> None:
            nonlocal depth, most
            depth += 1
            most = max(most, depth)
            framer._pauseReceipt()
            framer._resumeReceipt()
            depth -= 1

        framer = RecordingFramer(True, react)
        framer.feed(*[(TEXT, b"%d" % number) for number in range(5000)])
        self.assertEqual(framer.messages, [str(number) for number in range(5000)])
        self.assertEqual(most, 1)

    def test_pausedByControl(self) -> None:
        """
        Pausing because of a ping stops there too.
        """

        class PausedByPing(RecordingFramer):
            def _pinged(self, payload: bytes) -> None:
                RecordingFramer._pinged(self, payload)
                self._pauseReceipt()

        framer = PausedByPing()
        framer.feed((TEXT, b"1"), (PING, b"2"), (TEXT, b"3"), (PING, b"4"))
        self.assertEqual([call[-1] for call in framer.calls], ["1", b"2", b"2"])
        framer._resumeReceipt()
        self.assertEqual(framer.messages, ["1", "3"])
        self.assertEqual(framer.sent, [(PONG, b"2"), (PONG, b"4")])

    def test_copiesNothing(self) -> None:
        """
        Pausing after each message of a read keeps that read and a place in it: the
        same bytes, until they are used up.
        """
        framer = pausing(RecordingFramer())
        framer.feed(*[(TEXT, b"%03d" % number) for number in range(100)])
        read = framer._buffer
        for _ in range(98):
            framer._resumeReceipt()
            self.assertIs(framer._buffer, read)
        framer._resumeReceipt()
        self.assertEqual(framer.held, 0)
        self.assertEqual(len(framer.messages), 100)

    def test_violationWaits(self) -> None:
        """
        What is wrong behind a pause is judged when its turn comes.
        """
        framer = pausing(RecordingFramer())
        framer.feed((TEXT, b"1"), (0x83, b""), (TEXT, b"2"))
        self.assertEqual(framer.calls, [("message", "1")])
        framer._resumeReceipt()
        self.assertEqual(framer.closeCode, 1002)
        self.assertEqual(framer.messages, ["1"])

    def test_closeWaits(self) -> None:
        """
        So is the peer's Close frame: it is answered after what came before it.
        """
        framer = pausing(RecordingFramer())
        framer.feed((TEXT, b"1"), (TEXT, b"2"), (CLOSE, b""))
        self.assertEqual(framer.sent, [])
        framer._resumeReceipt()
        framer._resumeReceipt()
        self.assertEqual(framer.messages, ["1", "2"])
        self.assertEqual(framer.sent, [(CLOSE, b"")])
        self.assertEqual(framer.state, State.DISCARDING)


class ClosingWhilePausedTests(SynchronousTestCase):
    """
    Whoever pauses and closes wants no message more, but the peer's Close frame.
    """

    def test_kept(self) -> None:
        """
        What was kept is dropped, and its Close frame is found.
        """
        for role, isServer in ROLES:
            framer = pausing(RecordingFramer(isServer))
            framer.feed((TEXT, b"1"), (TEXT, b"2"), (PING, b"3"), (CLOSE, b""))
            framer.close()
            self.assertEqual(
                framer.calls,
                [
                    ("message", "1"),
                    ("sent", CLOSE, b"\x03\xe8"),
                    ("closing",),
                    ("ping", b"3"),
                    ("discarding",),
                ],
                role,
            )
            self.assertEqual(framer.held, 0)

    def test_later(self) -> None:
        """
        So is what comes afterwards, also the rest of a message.
        """
        for assembling in (True, False):
            framer = RecordingFramer(assembleFragments=assembling)
            framer.feed((TEXT_BEGINS, b"a"))
            framer.calls.clear()
            framer._pauseReceipt()
            framer.feed((CONTINUES, b"b"))
            framer.close()
            framer.feed((ENDS, b"c"), (TEXT, b"2"))
            framer.feedBytes(framer.frame(CLOSE, b"\x03\xe9"))
            kinds = [call[0] for call in framer.calls]
            self.assertEqual(kinds, ["sent", "closing", "discarding"])

    def test_withinDelivery(self) -> None:
        """
        It does not matter that both happen within one delivery.
        """

        def react(message: object) -> None:
            framer._pauseReceipt()
            framer.close()

        framer = RecordingFramer(True, react)
        framer.feed((TEXT, b"1"), (TEXT, b"2"), (CLOSE, b""), (TEXT, b"3"))
        self.assertEqual(framer.messages, ["1"])
        self.assertEqual(framer.state, State.DISCARDING)

    def test_pausingAfterClosing(self) -> None:
        """
        Nor which comes first.
        """
        for within in (True, False):
            framer = RecordingFramer()
            framer.close()
            if within:
                pausing(framer)
                framer.feed((TEXT, b"1"), (TEXT, b"2"))
            else:
                framer.feed((TEXT, b"1"))
                framer._pauseReceipt()
            framer.feed((TEXT, b"3"), (CLOSE, b""))
            self.assertEqual(framer.messages, ["1"], within)
            self.assertEqual(framer.state, State.DISCARDING)

    def test_resumingAfterwards(self) -> None:
        """
        Resuming what discards wakes nothing.
        """
        framer = pausing(RecordingFramer())
        framer.feed((TEXT, b"1"), (TEXT, b"2"))
        framer.close()
        framer.feed((CLOSE, b""))
        framer._resumeReceipt()
        framer._resumeReceipt()
        framer.feed((TEXT, b"3"))
        self.assertEqual(framer.messages, ["1"])

    def test_resumingWhatIsOver(self) -> None:
        """
        Nor does resuming after time was up, or after the carrier was lost.
        """
        for event in (Event.TIMEOUT, Event.LOST):
            framer = pausing(RecordingFramer())
            framer.feed((TEXT, b"1"), (TEXT, b"2"))
            framer._happened(event)
            framer._resumeReceipt()
            framer.feed((TEXT, b"3"))
            framer._resumeReceipt()
            self.assertEqual(framer.calls, [("message", "1")], event)

    def test_carrierIsRead(self) -> None:
        """
        A connection that discards is read from, whatever its receiver pauses then: or
        the peer's leaving would not be seen.
        """

        class Fails(MessageReceiver):
            def messageReceived(self, message: Any) -> None:
                self.transport.pauseProducing()
                raise RuntimeError

        ours, _ = carrierPair()
        request: Any = SimpleNamespace(
            localAddress=ours.getHost(), connectionEnded=lambda: None
        )
        connection = WebSocketConnection(ServerConfig(), Clock(), None, request)
        connection.connect(ours, Fails())
        connection.dataReceived(rawFrame(TEXT, b"x", KEY))
        self.assertEqual(connection.state, State.DISCARDING)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertFalse(ours.isPaused)
        connection.pauseProducing()
        self.assertFalse(ours.isPaused)
        self.assertFalse(connection.isPaused)


class ReentrancyTests(SynchronousTestCase):
    """
    C{dataReceived} is called from within a delivery.
    """

    def test_order(self) -> None:
        """
        What comes in during a delivery is handed on after what came before it, and
        not within the delivery.
        """
        depth = 0

        def react(message: str) -> None:
            nonlocal depth
            self.assertEqual(depth, 0)
            depth += 1
            if message == "1":
                framer.feed((TEXT, b"4"), (PING, b"5"))
                framer.feedBytes(framer.frame(TEXT, b"6"))
            elif message == "4":
                framer.feed((TEXT, b"7"))
            depth -= 1

        for role, isServer in ROLES:
            for begins in ([(TEXT, b"1")], [(TEXT_BEGINS, b""), (ENDS, b"1")]):
                framer = RecordingFramer(isServer, react)
                framer.feed(*begins, (TEXT, b"2"), (TEXT, b"3"))
                self.assertEqual(framer.messages, ["1", "2", "3", "4", "6", "7"], role)
                self.assertEqual(framer.sent, [(PONG, b"5")])
                self.assertEqual(framer.closeCode, None)

    def test_pieces(self) -> None:
        """
        It may be any piece of a frame, while any piece of another waits.
        """

        def react(message: object) -> None:
            while rest:
                framer.dataReceived(rest.pop(0))

        plain = RecordingFramer()
        data = b"".join(plain.frame(*frame) for frame in FRAMES)
        plain.dataReceived(plain.frame(TEXT, b"0") + data)
        for first in range(len(data)):
            for second in (first, first + 1, first + 2, len(data)):
                rest = [data[first:second], data[second:]]
                framer = RecordingFramer(True, react)
                framer.dataReceived(framer.frame(TEXT, b"0") + data[:first])
                self.assertEqual(framer.outcome(), plain.outcome(), (first, second))

    def test_whilePaused(self) -> None:
        """
        It waits with the rest when the delivery pauses, before or after.
        """

        def react(message: str) -> None:
            if message == "1":
                if before:
                    framer._pauseReceipt()
                framer.feed((TEXT, b"3"))
                if not before:
                    framer._pauseReceipt()

        for before in (True, False):
            framer = RecordingFramer(True, react)
            framer.feed((TEXT, b"1"), (TEXT, b"2"))
            self.assertEqual(framer.messages, ["1"], before)
            framer._resumeReceipt()
            self.assertEqual(framer.messages, ["1", "2", "3"], before)

    def test_resumedWithin(self) -> None:
        """
        A resumption that delivers may bring more reads, and another pause.
        """

        def react(message: str) -> None:
            framer._pauseReceipt()
            framer.feed((TEXT, b"<" + message.encode() + b">"))

        framer = RecordingFramer(True, react)
        framer.feed((TEXT, b"1"), (TEXT, b"2"))
        expected = ["1", "2", "<1>", "<2>", "<<1>>", "<<2>>"]
        for number in range(1, len(expected)):
            self.assertEqual(framer.messages, expected[:number])
            framer._resumeReceipt()

    def test_violation(self) -> None:
        """
        A violation in what came in meanwhile is judged in its turn.
        """
        framer = RecordingFramer()
        framer.react = lambda message: framer.feed((0x83, b""))
        framer.feed((TEXT, b"1"), (TEXT, b"2"))
        self.assertEqual(framer.messages, ["1", "2"])
        self.assertEqual(framer.closeCode, 1002)
        self.assertEqual(framer.held, 0)

    def test_ended(self) -> None:
        """
        What comes in after the end, within the delivery that caused it, is dropped.
        """

        def react(message: object) -> None:
            framer._fail(1011, "")
            framer.feed((TEXT, b"3"))

        framer = RecordingFramer(True, react)
        framer.feed((TEXT, b"1"), (TEXT, b"2"))
        self.assertEqual(framer.messages, ["1"])
        self.assertEqual(framer.held, 0)

    def test_failed(self) -> None:
        """
        So is what came in before the delivery failed.
        """

        def react(message: object) -> None:
            framer.feed((TEXT, b"3"))
            raise RuntimeError

        framer = RecordingFramer(True, react)
        framer.feed((TEXT, b"1"), (TEXT, b"2"))
        self.assertEqual(framer.messages, ["1"])
        self.assertEqual(framer.closeCode, 1011)
        self.assertEqual(framer.held, 0)

    def test_sendingWithinDelivery(self) -> None:
        """
        An application may send whatever it likes from within a delivery.
        """

        def react(message: str) -> None:
            framer.sendMessage(message)
            framer.sendFrame(Frame(2, b"a", False))
            framer.sendFrame(Frame(0, b"b"))

        framer = RecordingFramer(True, react)
        framer.feed((TEXT, b"1"), (PING, b"2"), (TEXT, b"3"))
        pieces = [(BINARY_BEGINS, b"a"), (ENDS, b"b")]
        self.assertEqual(
            framer.sent,
            [(TEXT, b"1"), *pieces, (PONG, b"2"), (TEXT, b"3"), *pieces],
        )
