# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.incoming}: messages that are taken piece by piece.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import BOTH, Conversation
from tests.taking import Taking
from twisted_ws import ClosedAbruptly, Opcode
from twisted_ws._wire.state import State


class TakingTests(SynchronousTestCase):
    """
    What C{deliverTo} delivers.
    """

    def test_whole(self):
        """
        A message in one frame and one read is one piece; its type and its size are
        told, and the connection goes on.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, Taking())
            c.send((0x81, b"text"), (0x82, b"binary"), (0x82, b""))
            self.assertEqual(
                [sink.pieces for sink in c.receiver.sinks],
                [[b"text"], [b"binary"], []],
                role,
            )
            self.assertEqual(c.receiver.done, [4, 6, 0])
            opcodes = [message.opcode for message in c.receiver.began]
            self.assertEqual(opcodes, [Opcode.TEXT, Opcode.BINARY, Opcode.BINARY])
            self.assertEqual([m.size for m in c.receiver.began], [4, 6, 0])
            self.assertEqual(c.receiver.messages, [])
            self.assertEqual([sink.producer for sink in c.receiver.sinks], [None] * 3)
            self.assertEqual(c.take(), [])

    def test_pieces(self):
        """
        Pieces are written as they come, byte by byte at worst.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, Taking())
            frame = c.frame(0x82, b"abcdef")
            for at in range(len(frame)):
                c.sendBytes(frame[at : at + 1])
                came = max(0, at + 1 - (len(frame) - 6))
                if c.receiver.sinks:
                    expected = [b"a", b"b", b"c", b"d", b"e", b"f"][:came]
                    self.assertEqual(c.receiver.sinks[0].pieces, expected, role)
                self.assertEqual(c.receiver.done, [6] if came == 6 else [])

    def test_fragments(self):
        """
        So are fragments; it is done with the last one, though it be empty.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, Taking())
            c.send((0x01, b"a"), (0x00, b""), (0x00, b"bc"))
            self.assertEqual(c.receiver.sinks[0].pieces, [b"a", b"bc"], role)
            self.assertEqual(c.receiver.done, [])
            self.assertEqual(c.receiver.began[0].size, 3)
            c.send((0x80, b""))
            self.assertEqual(c.receiver.done, [3], role)

    def test_control(self):
        """
        Control frames may come in between.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, Taking())
            c.send((0x02, b"a"), (0x89, b"?"), (0x80, b"b"), (0x82, b"c"))
            self.assertEqual([s.data for s in c.receiver.sinks], [b"ab", b"c"], role)
            self.assertEqual(c.take(), [(0x8A, b"?")])

    def test_some(self):
        """
        A message that is not taken comes whole, in one frame or several, in one read
        or several; taken and others may take turns.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, Taking(lambda message: message.opcode == 2))
            frames = [
                (0x81, b"0"),
                (0x82, b"1"),
                (0x01, b"2"),
                (0x80, b"3"),
                (0x02, b"4"),
                (0x80, b"5"),
                (0x81, b""),
            ]
            c.send(*frames)
            for each in b"".join(c.frame(*frame) for frame in frames):
                c.sendBytes(bytes([each]))
            self.assertEqual(c.receiver.events, ["0", 1, "23", 2, ""] * 2, role)
            taken = [sink.data for sink in c.receiver.sinks]
            self.assertEqual(taken, [b"1", b"45"] * 2)
            self.assertEqual(len(c.receiver.began), 10)

    def test_frames(self):
        """
        With C{assembleFragments=False} there are no messages to be taken.
        """
        c = Conversation(True, Taking(), assembleFragments=False)
        c.send((0x02, b"a"), (0x80, b"b"))
        self.assertEqual(c.receiver.began, [])
        self.assertEqual([f.payload for f in c.receiver.messages], [b"a", b"b"])

    def test_text(self):
        """
        Text is checked as it comes; its pieces may end within a character.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, Taking())
            c.send((0x01, b"\xe2\x82"), (0x80, b"\xac"))
            self.assertEqual(c.receiver.sinks[0].pieces, [b"\xe2\x82", b"\xac"], role)
            self.assertEqual(c.receiver.done, [3])

    def test_badText(self):
        """
        At its first bad byte the connection fails with 1007, and nothing of that piece
        is written.
        """
        for bad in (b"\xff", b"\xed\xa0", b"\xf4\x90", b"\xc0", b"a\x80"):
            for isServer, role in BOTH:
                c = Conversation(isServer, Taking())
                frame = c.frame(0x81, b"good" + bad + b"more")
                bytewise = len(frame) - len(b"more") - len(bad)
                c.sendBytes(frame[:bytewise])
                for at in range(bytewise, bytewise + len(bad)):
                    self.assertEqual(c.connection.state, State.OPEN, (bad, role))
                    c.sendBytes(frame[at : at + 1])
                self.assertEqual(c.take()[0][1][:2], b"\x03\xef", (bad, role))
                self.assertEqual(c.receiver.sinks[0].data, b"good" + bad[:-1])
                if not c.carrier.disconnected:
                    c.dropCarrier()
                ends = [str(each) for each in c.receiver.done]
                self.assertEqual(ends, [str(c.receiver.reason)])

    def test_badEnd(self):
        """
        So it does when text ends within a character.
        """
        c = Conversation(True, Taking())
        c.send((0x81, b"\xe2\x82"))
        self.assertEqual(c.take()[0][1][:2], b"\x03\xef")
        self.assertIsInstance(c.receiver.done[0], ClosedAbruptly)

    def test_large(self):
        """
        However long a message is, nothing of it is kept.
        """
        for isServer, role in BOTH:
            limit = 1 << 16
            c = Conversation(
                isServer,
                Taking(maxSize=None, sink=Counting),
                maxReceivedMessageSize=limit,
            )
            frames = [0x02] + [0x00] * 19 + [0x80]
            for first in frames:
                frame = c.frame(first, bytes(limit // 2))
                for at in range(0, len(frame), 1000):
                    c.sendBytes(frame[at : at + 1000])
                    connection = c.connection
                    held = len(connection._buffer) - connection._kept
                    self.assertTrue(held < 20, role)
                    self.assertEqual(
                        (connection._reported, connection._wire), (0, None)
                    )
                    self.assertIsNone(connection._sink)
            self.assertEqual(c.receiver.done, [21 * limit // 2], role)
            self.assertEqual(c.receiver.sinks[0].size, 21 * limit // 2)

    def test_manyFragments(self):
        """
        C{maxReceivedFragments} does not count for it; for others it does.
        """
        for takes in (True, False):
            c = Conversation(
                True, Taking(lambda _, takes=takes: takes), maxReceivedFragments=3
            )
            c.send((0x02, b"a"), *[(0x00, b"b")] * 9, (0x80, b"c"))
            self.assertEqual(c.receiver.done, [11] if takes else [])
            self.assertEqual(c.connection.state == State.OPEN, takes)


class Counting:
    """
    A consumer that is none by its interface, as a file is.
    """

    def __init__(self):
        self.size = 0

    def write(self, data):
        self.size += len(data)


class SizeTests(SynchronousTestCase):
    """
    C{maxSize}.
    """

    def check(self, sizes, isRefused, maxSize=-1, **options):
        """
        Have fragments of these sizes come.
        """
        for isServer, role in BOTH:
            how = {} if maxSize == -1 else {"maxSize": maxSize}
            c = Conversation(isServer, Taking(**how), **options)
            firsts = [0x02] + [0x00] * (len(sizes) - 1)
            firsts[-1] |= 0x80
            frames = list(zip(firsts, sizes, strict=True))
            for first, size in frames[:-1]:
                c.send((first, bytes(size)))
                self.assertEqual(c.connection.state, State.OPEN, role)
            first, size = frames[-1]
            # The header is enough.
            frame = c.frame(first, bytes(size))
            c.sendBytes(frame[: len(frame) - size])
            sent = c.take()
            if isRefused:
                self.assertEqual(sent[0][1][:2], b"\x03\xf1", (role, sizes))
                self.assertIn("deliverTo(maxSize=...)", self.optionOf(c))
            else:
                c.sendBytes(frame[len(frame) - size :])
                self.assertEqual(sent, [], (role, sizes))
                self.assertEqual(c.receiver.done, [sum(sizes)])

    def optionOf(self, c):
        """
        @return: the option that the end names.
        """
        return c.connection._cause.option

    def test_default(self):
        """
        By default a message may be as long as any other.
        """
        for sizes in ([100], [40, 60], [0, 100, 0]):
            self.check(sizes, False, maxReceivedMessageSize=100)
        for sizes in ([101], [40, 61], [100, 1]):
            self.check(sizes, True, maxReceivedMessageSize=100)

    def test_larger(self):
        """
        It may be allowed more than others: exactly so much.
        """
        for sizes in ([300], [100, 200], [1] * 300):
            self.check(sizes, False, 300, maxReceivedMessageSize=100)
        for sizes in ([301], [100, 201], [300, 1]):
            self.check(sizes, True, 300, maxReceivedMessageSize=100)

    def test_smaller(self):
        """
        Or less; down to nothing.
        """
        self.check([10], False, 10, maxReceivedMessageSize=100)
        self.check([11], True, 10, maxReceivedMessageSize=100)
        self.check([0, 0], False, 0)
        self.check([0, 1], True, 0)

    def test_unlimited(self):
        """
        Or any number: C{None} for one message, or for all.
        """
        self.check([1000, 1000], False, None, maxReceivedMessageSize=100)
        self.check([1000, 1000], False, maxReceivedMessageSize=None)

    def test_frameLimit(self):
        """
        A limit of frames that was set holds for it too.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, Taking(maxSize=None), maxReceivedFrameSize=50)
            c.send((0x02, bytes(50)), (0x00, bytes(50)))
            self.assertEqual(c.connection.state, State.OPEN, role)
            c.send((0x00, bytes(51)))
            self.assertEqual(c.take()[0][1][:2], b"\x03\xf1", role)
            self.assertEqual(self.optionOf(c), "maxReceivedFrameSize")

    def test_others(self):
        """
        A message that is not taken has the limit of all others.
        """
        c = Conversation(True, Taking(lambda _: False), maxReceivedMessageSize=100)
        c.send((0x82, bytes(100)))
        self.assertEqual(len(c.receiver.messages), 1)
        c.send((0x82, bytes(101)))
        self.assertEqual(self.optionOf(c), "maxReceivedMessageSize")
