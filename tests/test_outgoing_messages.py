# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Messages that are sent piece by piece: C{beginMessage} and what may write them.
"""

from __future__ import annotations

from array import array
from io import BytesIO

from twisted.internet.interfaces import IConsumer
from twisted.protocols.basic import FileSender
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.conversation import BOTH, CLOSE_1000, Conversation, reassembled
from twisted_ws import ConnectionNotOpen, Frame
from twisted_ws._wire.frames import Opcode
from twisted_ws.errors import IllegalFrame
from twisted_ws.testing import MemoryCarrier


class OutgoingMessageTests(SynchronousTestCase):
    """
    C{beginMessage}.
    """

    def test_interface(self):
        """
        It is an L{IConsumer}.
        """
        c = Conversation()
        self.assertTrue(verifyObject(IConsumer, c.connection.beginMessage()))

    def test_pieces(self):
        """
        Each piece is a frame (RFC 6455 section 5.4), sent when it is written; the type
        is the one that was asked for, or that of the first piece.
        """
        text, binary = Opcode.TEXT, Opcode.BINARY
        rows = [
            ("text", None, ["a", "ü"], [(0x01, b"a"), (0x00, b"\xc3\xbc")]),
            ("binary", None, [b"a", b"\xff"], [(0x02, b"a"), (0x00, b"\xff")]),
            ("text asked for", text, ["a"], [(0x01, b"a")]),
            ("encoded text", text, [b"a", "b"], [(0x01, b"a"), (0x00, b"b")]),
            (
                "within a character",
                text,
                [b"\xf0\x9f", b"\x98", b"\x80"],
                [(0x01, b"\xf0\x9f"), (0x00, b"\x98"), (0x00, b"\x80")],
            ),
            ("binary asked for", binary, [b"a"], [(0x02, b"a")]),
            ("bytes after text", None, ["a", b"b"], [(0x01, b"a"), (0x00, b"b")]),
            ("empty pieces", None, ["", "a", ""], [(0x01, b"a")]),
            ("empty first", None, [b"", b"a"], [(0x02, b"a")]),
            ("bytearray", None, [bytearray(b"a")], [(0x02, b"a")]),
            ("array", None, [array("B", [97, 98])], [(0x02, b"ab")]),
            ("words", None, [array("H", [0, 0])], [(0x02, bytes(4))]),
        ]
        for isServer, role in BOTH:
            for name, opcode, pieces, frames in rows:
                c = Conversation(isServer)
                message = c.connection.beginMessage(opcode)
                self.assertEqual(c.take(), [], name)
                for piece in pieces:
                    message.write(piece)
                self.assertEqual(c.take(), frames, f"{name}, {role}")
                message.finish()
                self.assertEqual(c.take(), [(0x80, b"")], f"{name}, {role}")

    def test_empty(self):
        """
        A message without pieces is an empty one: text, unless binary was asked for or
        an empty piece of bytes was written.
        """
        rows = [
            ("nothing", None, [], 0x81),
            ("text", Opcode.TEXT, [], 0x81),
            ("binary", Opcode.BINARY, [], 0x82),
            ("empty text", None, [""], 0x81),
            ("empty bytes", None, [b""], 0x82),
        ]
        for name, opcode, pieces, first in rows:
            c = Conversation()
            message = c.connection.beginMessage(opcode)
            for piece in pieces:
                message.write(piece)
            message.finish()
            self.assertEqual(c.take(), [(first, b"")], name)

    def test_refused(self):
        """
        A piece that does not fit is refused, and changes nothing: the message can go
        on.
        """
        text, binary = Opcode.TEXT, Opcode.BINARY
        rows = [
            ("text in binary", binary, b"a", "b", TypeError),
            ("text after bytes", None, b"a", "b", TypeError),
            ("8.1 bad UTF-8", text, b"a", b"\xff", IllegalFrame),
            ("8.1 a surrogate", text, b"a", b"\xed\xa0\x80", IllegalFrame),
            ("8.1 bad continuation", text, b"\xc3", b"a", IllegalFrame),
            ("lone surrogate", text, "a", "\ud800", UnicodeEncodeError),
            ("a number", None, b"a", 7, TypeError),
            ("None", None, b"a", None, TypeError),
            ("a list", None, b"a", [1], TypeError),
        ]
        for isServer, role in BOTH:
            for name, opcode, first, second, error in rows:
                c = Conversation(isServer)
                message = c.connection.beginMessage(opcode)
                message.write(first)
                c.take()
                self.assertRaises(error, message.write, second)
                self.assertEqual(c.take(), [], f"{name}, {role}")
                last = b"\xbc" if first == b"\xc3" else first
                message.write(last)
                message.finish()
                last = last.encode() if isinstance(last, str) else last
                self.assertEqual(
                    c.take(), [(0x00, last), (0x80, b"")], f"{name}, {role}"
                )

    def test_refusedFirst(self):
        """
        So it is with the first piece; the connection is as free as before.
        """
        rows = [
            ("a number", None, 7, TypeError),
            ("text in binary", Opcode.BINARY, "a", TypeError),
            ("bad UTF-8", Opcode.TEXT, b"\xff", IllegalFrame),
            ("bad opcode", 3, b"a", IllegalFrame),
            ("control", Opcode.PING, b"a", IllegalFrame),
            ("close", Opcode.CLOSE, b"\x03\xe8", IllegalFrame),
        ]
        for isServer, role in BOTH:
            for name, opcode, piece, error in rows:
                c = Conversation(isServer)
                message = c.connection.beginMessage(opcode)
                self.assertRaises(error, message.write, piece)
                c.connection.sendMessage("free")
                self.assertEqual(c.take(), [(0x81, b"free")], f"{name}, {role}")

    def test_endWithinCharacter(self):
        """
        Text cannot end within a character (section 8.1); it can be completed.
        """
        c = Conversation()
        message = c.connection.beginMessage(Opcode.TEXT)
        message.write(b"\xe2\x82")
        self.assertRaises(IllegalFrame, message.finish)
        message.write(b"\xac")
        message.finish()
        self.assertEqual(c.take(), [(0x01, b"\xe2\x82"), (0x00, b"\xac"), (0x80, b"")])

    def test_finished(self):
        """
        A finished message takes nothing more.
        """
        c = Conversation()
        message = c.connection.beginMessage()
        message.finish()
        self.assertRaises(IllegalFrame, message.write, "a")
        self.assertRaises(IllegalFrame, message.write, "")
        self.assertRaises(IllegalFrame, message.finish)
        self.assertEqual(c.take(), [(0x81, b"")])

    def test_two(self):
        """
        Messages are not mixed (section 5.4): while one is being sent another cannot
        begin, and one that was begun before has to wait.
        """
        c = Conversation()
        first, second = c.connection.beginMessage(), c.connection.beginMessage()
        first.write("a")
        self.assertRaises(IllegalFrame, second.write, b"b")
        self.assertRaises(IllegalFrame, second.finish)
        self.assertRaises(IllegalFrame, c.connection.beginMessage)
        self.assertRaises(IllegalFrame, c.connection.sendMessage, "c")
        first.finish()
        second.write(b"b")
        second.finish()
        self.assertEqual(
            c.take(), [(0x01, b"a"), (0x80, b""), (0x02, b"b"), (0x80, b"")]
        )

    def test_begunAndForgotten(self):
        """
        A message that was begun, and nothing written of it, stands in nobody's way.
        """
        c = Conversation()
        c.connection.beginMessage()
        c.connection.sendMessage("a")
        self.assertEqual(c.take(), [(0x81, b"a")])

    def test_controlFrames(self):
        """
        Control frames go between the pieces (section 5.5): pings, pongs, the answer to
        the peer's ping, keepalive's, and Close.
        """
        c = Conversation(keepalive=True)
        message = c.connection.beginMessage()
        message.write("a")
        c.connection.sendFrame(Frame(Opcode.PING, b"1"))
        c.connection.pong(b"2")
        message.write("b")
        c.send((0x89, b"3"))
        c.advance(20)
        c.advance(20)
        c.connection.close()
        self.assertEqual(
            c.take(),
            [
                (0x01, b"a"),
                (0x89, b"1"),
                (0x8A, b"2"),
                (0x00, b"b"),
                (0x8A, b"3"),
                (0x89, b""),
                CLOSE_1000,
            ],
        )

    def test_notOpen(self):
        """
        On a connection that is not open every call raises L{ConnectionNotOpen}.
        """
        for name, end in (
            ("close", lambda c: c.connection.close()),
            ("abort", lambda c: c.connection.abortConnection()),
            ("drop", lambda c: c.dropCarrier()),
        ):
            c = Conversation()
            message = c.connection.beginMessage()
            message.write("a")
            fresh = Conversation().connection.beginMessage()
            end(c)
            before = bytes(c.carrier.outgoing)
            self.assertRaises(ConnectionNotOpen, message.write, "b")
            self.assertRaises(ConnectionNotOpen, message.finish)
            self.assertRaises(ConnectionNotOpen, c.connection.beginMessage)
            self.assertEqual(bytes(c.carrier.outgoing), before, name)
            fresh.write("elsewhere all is well")


class FileSenderTests(SynchronousTestCase):
    """
    L{FileSender}, the stock pull producer, writing a message.
    """

    content = bytes(range(256)) * 1000

    def send(self, c):
        """
        @return: the message, and the Deferred of the sender.
        """
        message = c.connection.beginMessage(Opcode.BINARY)
        return message, FileSender().beginFileTransfer(BytesIO(self.content), message)

    def test_whole(self):
        """
        The file arrives as one message.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, keepalive=False)
            message, sending = self.send(c)
            sending.addCallback(lambda last, message=message: message.finish())
            while c.timers:
                c.turn()
            self.assertIsNone(self.successResultOf(sending), role)
            self.assertEqual(reassembled(c.take()), [(0x82, self.content)], role)
            c.connection.sendMessage("next")
            self.assertEqual(c.take(), [(0x81, b"next")], role)

    def test_slowReader(self):
        """
        The sender stops while the peer does not read: no more of the file is queued
        than the carrier takes, and one piece.
        """
        c = Conversation(keepalive=False, sendStallTimeout=None)
        c.stopReading()
        _, sending = self.send(c)
        for _ in range(50):
            c.turn()
        self.assertLessEqual(
            len(c.carrier.outgoing), MemoryCarrier.highWater + FileSender.CHUNK_SIZE
        )
        self.assertEqual(c.timers, 0)
        self.assertNoResult(sending)
        c.readOn()
        while c.timers:
            c.turn()
        self.successResultOf(sending)

    def test_followed(self):
        """
        When it is done another may follow, from its callback, on a new message.
        """
        c = Conversation(keepalive=False)
        message, sending = self.send(c)

        def again(last):
            message.finish()
            following, more = self.send(c)
            return more.addCallback(lambda last: following.finish())

        sending.addCallback(again)
        for _ in range(40):
            c.turn()
        self.successResultOf(sending)
        self.assertEqual(reassembled(c.take()), [(0x82, self.content)] * 2)
        self.assertEqual(c.timers, 0)

    def test_ended(self):
        """
        When the connection ends on the way the sender fails, and reads no more.
        """
        ends = [
            ("we close", lambda c: c.connection.close()),
            ("peer closes", lambda c: c.send(CLOSE_1000)),
            ("violation", lambda c: c.send((0x83, b""))),
            ("abort", lambda c: c.connection.abortConnection()),
            ("drop", lambda c: c.dropCarrier()),
        ]
        for isServer, role in BOTH:
            for name, end in ends:
                c = Conversation(isServer, keepalive=False)
                _, sending = self.send(c)
                c.turn()
                end(c)
                self.failureResultOf(sending)
                c.turn()
                c.advance(5)
                self.assertEqual(c.timers, 0, f"{name}, {role}")
                self.assertEqual(c.receiver.losses, 1, f"{name}, {role}")

    def test_tooLate(self):
        """
        One that begins when the connection closes already fails at once, and nothing
        is raised into the reactor.
        """
        c = Conversation(keepalive=False)
        message = c.connection.beginMessage(Opcode.BINARY)
        c.connection.close()
        sending = FileSender().beginFileTransfer(BytesIO(self.content), message)
        self.failureResultOf(sending)
        c.turn()
        self.assertEqual(c.take(), [CLOSE_1000])
