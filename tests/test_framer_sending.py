# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Tests for L{twisted_ws._wire.framer}: what is sent.
"""

from __future__ import annotations

from array import array
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_ws._wire.errors import IllegalFrame
from twisted_ws._wire.frames import Frame
from twisted_ws._wire.sender import encodeFrame
from twisted_ws._wire.state import State

from .test_frames import ILLEGAL, LEGAL
from .wire import (
    BINARY,
    CONTINUES,
    ENDS,
    PING,
    PONG,
    ROLES,
    TEXT,
    TEXT_BEGINS,
    RecordingFramer,
    errorOf,
    rawFrame,
    readFrames,
)


class EncodeTests(SynchronousTestCase):
    """
    Frames as bytes (RFC 6455 section 5.2).
    """

    def test_layout(self) -> None:
        """
        A frame has the shortest form of length, and a mask if it is a client's.
        """
        for first in (TEXT, BINARY, TEXT_BEGINS, CONTINUES, ENDS, 0x88, PING, PONG):
            for size in (0, 1, 4, 125, 126, 127, 65535, 65536, 70_000):
                payload = bytes(range(251)) * (size // 251 + 1)
                payload = payload[:size]
                plain = encodeFrame(first, payload, False)
                self.assertEqual(plain, rawFrame(first, payload), (first, size))
                masked = encodeFrame(first, payload, True)
                [frame] = readFrames(masked)
                self.assertEqual(frame[:2], (first, payload), (first, size))
                assert frame.key is not None
                self.assertEqual(len(masked), len(plain) + 4)

    def test_freshMasks(self) -> None:
        """
        5.3: no two frames have the same mask, and none tells the next.
        """
        sent = b"".join(encodeFrame(BINARY, b"", True) for _ in range(5000))
        keys = [frame.key or b"" for frame in readFrames(sent)]
        # Of 5000 random numbers of 32 bits two are alike once in 300 runs.
        self.assertTrue(len(set(keys)) > 4990)
        for place in range(4):
            self.assertTrue(len({key[place] for key in keys}) > 200, place)


class SendMessageTests(SynchronousTestCase):
    """
    C{sendMessage}.
    """

    def test_types(self) -> None:
        """
        C{str} is text and any buffer is binary; C{bytes} go to the carrier.
        """

        class Text(str):
            pass

        class Data(bytes):
            pass

        rows: tuple[tuple[Any, int, bytes], ...] = (
            ("", TEXT, b""),
            ("h\u00e9", TEXT, b"h\xc3\xa9"),
            ("\U0001f600\r\n\ufeff", TEXT, b"\xf0\x9f\x98\x80\r\n\xef\xbb\xbf"),
            (Text("x"), TEXT, b"x"),
            (b"", BINARY, b""),
            (b"\xff", BINARY, b"\xff"),
            (Data(b"x"), BINARY, b"x"),
            (bytearray(b"abc"), BINARY, b"abc"),
            (memoryview(b"abcd")[1:3], BINARY, b"bc"),
            (memoryview(b"abcd")[::2], BINARY, b"ac"),
            (array("H", [1, 2]), BINARY, array("H", [1, 2]).tobytes()),
        )
        for role, isServer in ROLES:
            for message, first, payload in rows:
                framer = RecordingFramer(isServer)
                framer.sendMessage(message)
                self.assertEqual(framer.sent, [(first, payload)], (role, message))

    def test_buffersAreCopied(self) -> None:
        """
        What becomes of a buffer afterwards does not matter.
        """
        for isServer in (True, False):
            framer = RecordingFramer(isServer)
            message = bytearray(b"abc")
            framer.sendMessage(message)
            message[:] = b"xyz!"
            self.assertEqual(readFrames(framer.written)[0].payload, b"abc")

    def test_errors(self) -> None:
        """
        What is no message is refused, nothing is sent, and the connection goes on.
        """
        rows: tuple[tuple[Any, type[Exception]], ...] = (
            (5, TypeError),
            (None, TypeError),
            (1.5, TypeError),
            (["x"], TypeError),
            (Frame(1, b"x"), TypeError),
            ("\ud800", UnicodeEncodeError),
            ("ok \udfff", UnicodeEncodeError),
        )
        for role, isServer in ROLES:
            framer = RecordingFramer(isServer)
            for message, error in rows:
                raised = errorOf(framer.sendMessage, message)
                self.assertIsInstance(raised, error, f"{role} {message!r}")
            self.assertEqual((framer.written, framer.state), (b"", State.OPEN))
            framer.sendMessage("next")
            self.assertEqual(framer.sent, [(TEXT, b"next")])

    def test_withinASequence(self) -> None:
        """
        5.4: a message is refused while another is sent frame by frame; afterwards it
        is not.
        """
        for role, isServer in ROLES:
            framer = RecordingFramer(isServer)
            framer.sendFrame(Frame(2, b"1", False))
            for message in ("x", b"x", 5):
                error = errorOf(framer.sendMessage, message)
                self.assertIsInstance(error, IllegalFrame, role)
                said = "a message is being sent piece by piece; finish it first"
                self.assertEqual(str(error), said)
            framer.sendFrame(Frame(0, b"2"))
            framer.sendMessage("x")
            self.assertEqual(framer.sent, [(0x02, b"1"), (ENDS, b"2"), (TEXT, b"x")])


class FragmentationTests(SynchronousTestCase):
    """
    C{fragmentOutgoingMessages} and C{fragmentationThreshold}.
    """

    def test_sizes(self) -> None:
        """
        5.4: a message over the threshold goes in frames of its size, the last of them
        what is left and never empty; in one write, each with a mask of its own.
        """
        rows = (
            (10, 0, [0]),
            (10, 1, [1]),
            (10, 9, [9]),
            (10, 10, [10]),
            (10, 11, [10, 1]),
            (10, 19, [10, 9]),
            (10, 20, [10, 10]),
            (10, 21, [10, 10, 1]),
            (10, 30, [10, 10, 10]),
            (1, 5, [1, 1, 1, 1, 1]),
            (16384, 16384, [16384]),
            (16384, 16385, [16384, 1]),
            (70_000, 200_000, [70_000, 70_000, 60_000]),
        )
        for role, isServer in ROLES:
            for threshold, size, sizes in rows:
                for message in (b"x" * size, "x" * size):
                    framer = RecordingFramer(isServer, fragmentationThreshold=threshold)
                    writes: list[bytes] = []
                    framer._write = writes.append
                    framer.sendMessage(message)
                    name = (role, threshold, size)
                    [written] = writes
                    frames = readFrames(written)
                    self.assertEqual([len(each[1]) for each in frames], sizes, name)
                    opcodes = [1 if isinstance(message, str) else 2]
                    opcodes += [0] * (len(sizes) - 1)
                    opcodes[-1] |= 0x80
                    self.assertEqual([each[0] for each in frames], opcodes, name)
                    if not isServer:
                        keys = {each.key for each in frames}
                        self.assertEqual(len(keys), len(frames), name)

    def test_contents(self) -> None:
        """
        Put together the pieces are the message, wherever they cut its characters.
        """
        text = "a\u00e9\u20ac\U0001f600" * 10
        for threshold in range(1, 12):
            framer = RecordingFramer(fragmentationThreshold=threshold)
            framer.sendMessage(text)
            joined = b"".join(payload for _, payload in framer.sent)
            self.assertEqual(joined.decode("utf-8"), text)
            peer = RecordingFramer(False)
            peer.dataReceived(framer.written)
            self.assertEqual(peer.messages, [text])

    def test_off(self) -> None:
        """
        Without it a message of any size is one frame.
        """
        for role, isServer in ROLES:
            framer = RecordingFramer(
                isServer, fragmentOutgoingMessages=False, fragmentationThreshold=1
            )
            framer.sendMessage(b"x" * 70_000)
            self.assertEqual(framer.sent, [(BINARY, b"x" * 70_000)], role)

    def test_buffers(self) -> None:
        """
        The threshold is one of bytes, not of items or characters.
        """
        framer = RecordingFramer(fragmentationThreshold=4)
        framer.sendMessage(array("H", [1, 2, 3]))
        framer.sendMessage("\u20ac\u20ac")
        sizes = [len(payload) for _, payload in framer.sent]
        self.assertEqual(sizes, [4, 2, 4, 2])

    def test_messagesInARow(self) -> None:
        """
        The fragments of one message are between no others.
        """
        framer = RecordingFramer(fragmentationThreshold=2)
        framer.sendMessage("abc")
        framer.sendMessage(b"de")
        framer.sendMessage("fgh")
        firsts = [first for first, _ in framer.sent]
        self.assertEqual(firsts, [0x01, 0x80, 0x82, 0x01, 0x80])


class SendFrameTests(SynchronousTestCase):
    """
    C{sendFrame}.
    """

    def test_legal(self) -> None:
        """
        A frame that may be sent is sent as it is.
        """
        for role, isServer in ROLES:
            for name, frames in LEGAL:
                framer = RecordingFramer(isServer, fragmentationThreshold=1)
                for frame in frames:
                    framer.sendFrame(frame)
                sent = [
                    (frame.opcode | (0x80 if frame.fin else 0), frame.payload)
                    for frame in frames
                ]
                self.assertEqual(framer.sent, sent, (role, name))

    def test_illegal(self) -> None:
        """
        One that may not is refused, and nothing is written.
        """
        for role, isServer in ROLES:
            for name, before, frame in ILLEGAL:
                framer = RecordingFramer(isServer)
                for each in before:
                    framer.sendFrame(each)
                written = framer.written
                error = errorOf(framer.sendFrame, frame)
                self.assertIsInstance(error, IllegalFrame, f"{role} {name}")
                self.assertEqual(framer.written, written, (role, name))
                self.assertEqual(framer.state, State.OPEN)

    def test_illegalClose(self) -> None:
        """
        5.5: a Close frame in pieces, or with reserved bits, is none.
        """
        for frame in (Frame(8, b"", False), Frame(8, b"", True, 0x40)):
            framer = RecordingFramer()
            self.assertIsInstance(errorOf(framer.sendFrame, frame), IllegalFrame)
            self.assertEqual((framer.written, framer.state), (b"", State.OPEN))

    def test_buffers(self) -> None:
        """
        A payload may be any buffer: its bytes are sent, all of them.
        """
        words = array("H", [0x4142, 0x4344, 0x4546])
        for role, isServer in ROLES:
            for payload in (bytearray(b"abcdef"), memoryview(b"abcdef"), words):
                framer = RecordingFramer(isServer)
                framer.sendFrame(Frame(2, payload))  # type: ignore[arg-type]
                sent = [(BINARY, bytes(memoryview(payload)))]
                self.assertEqual(framer.sent, sent, (role, payload))

    def test_noBytes(self) -> None:
        """
        What is no buffer is a C{TypeError}, and changes nothing.
        """
        payloads: tuple[Any, ...] = ("text", None, 5, [1])
        for role, isServer in ROLES:
            for payload in payloads:
                for opcode in (1, 2, 8, 9):
                    for fin in (True, opcode > 2):
                        framer = RecordingFramer(isServer)
                        error = errorOf(framer.sendFrame, Frame(opcode, payload, fin))
                        name = f"{role}: {opcode} {payload!r}"
                        self.assertIsInstance(error, TypeError, name)
                        framer.sendMessage("next")
                        self.assertEqual(framer.sent, [(TEXT, b"next")])

    def test_controlsBetween(self) -> None:
        """
        5.4: control frames may go between the frames of a message.
        """
        framer = RecordingFramer()
        framer.sendFrame(Frame(1, b"a", False))
        framer.sendFrame(Frame(9, b"?"))
        framer.feed((PING, b"!"))
        framer.sendFrame(Frame(0, b"b"))
        self.assertEqual(
            framer.sent,
            [(TEXT_BEGINS, b"a"), (PING, b"?"), (PONG, b"!"), (ENDS, b"b")],
        )
