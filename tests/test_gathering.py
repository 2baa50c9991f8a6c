# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
How what is sent while a read is handled leaves in one piece.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import BOTH, CLOSE_1000, Conversation
from twisted_ws import MessageReceiver


class Answering(MessageReceiver):
    """
    Answers each message by what it is told to do.
    """

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def messageReceived(self, message: Any) -> None:
        self.answer(self.transport, message)

    def connectionLost(self, reason: Any = None) -> None:
        pass


class GatheringTests(SynchronousTestCase):
    """
    One read, one write.
    """

    def converse(self, isServer: bool, answer: Any) -> tuple[Conversation, list[bytes]]:
        """
        @return: a connection, and what it writes.
        """
        c = Conversation(isServer, Answering(answer))
        written: list[bytes] = []
        write = c.carrier.write

        def note(data: bytes) -> None:
            written.append(data)
            write(data)

        c.connection._connectWrite(note)
        return c, written

    def test_answers(self) -> None:
        """
        The answers to all messages of one read leave in one write, in order, pongs
        among them.
        """
        for isServer, role in BOTH:
            c, written = self.converse(isServer, lambda t, m: t.sendMessage(m))
            c.send((0x81, b"a"), (0x89, b"b"), (0x82, b"c"), (0x81, b"d"))
            self.assertEqual(len(written), 1, role)
            answers = [(0x81, b"a"), (0x8A, b"b"), (0x82, b"c"), (0x81, b"d")]
            self.assertEqual(c.take(), answers, role)

    def test_otherwise(self) -> None:
        """
        What is sent at another time leaves at once, each by itself.
        """
        c, written = self.converse(True, None)
        c.connection.sendMessage("a")
        c.connection.sendMessage("b")
        self.assertEqual(written, [b"\x81\x01a", b"\x81\x01b"])

    def test_much(self) -> None:
        """
        No more than 64 KiB are gathered, so the carrier can say in time that it is
        full.
        """
        most = []

        def answer(transport: Any, message: Any) -> None:
            for _ in range(100):
                transport.sendMessage(bytes(5000))
                most.append(transport._gathered)

        c, written = self.converse(True, answer)
        c.stopReading()
        c.send((0x81, b""))
        self.assertLess(max(most), 1 << 16)
        self.assertLess(len(c.carrier.outgoing), 150_000)
        self.assertEqual(c.connection._outbox.size % 5000, 0)
        c.readOn()
        self.assertEqual(len(c.take()), 100)
        self.assertGreater(len(written), 1)

    def test_large(self) -> None:
        """
        A large message goes behind what was gathered, and is not copied for it.
        """
        payload = bytes(100_000)
        c, _ = self.converse(
            True, lambda t, m: (t.sendMessage("a"), t.sendMessage(payload))
        )
        written: list[Any] = []
        c.connection._connectWrite(
            c.carrier.write, lambda buffers, size: written.append((buffers, size))
        )
        c.send((0x81, b""))
        [(buffers, size)] = written
        self.assertEqual(size, sum(map(len, buffers)))
        self.assertEqual(buffers[0], b"\x81\x01a")
        views = [each for each in buffers if isinstance(each, memoryview)]
        self.assertEqual(len(views), 7)
        for each in views:
            self.assertIs(each.obj, payload)

    def test_order(self) -> None:
        """
        What is written in several buffers, and what in one, leaves in order, within a
        read and out of it, with and without a way to write several.
        """
        for isServer, role in BOTH:
            for many in (False, True):
                sizes = (0, 125, 126, 4096, 4097, 16384, 16385, 70_000)
                c, _ = self.converse(isServer, None)
                if many:
                    write = c.carrier.write

                    def writeMany(buffers: Any, size: int, write: Any = write) -> None:
                        self.assertEqual(size, sum(map(len, buffers)))
                        write(b"".join(buffers))

                    c.connection._connectWrite(write, writeMany)

                def answer(transport: Any, message: Any, sizes: Any = sizes) -> None:
                    for size in sizes:
                        transport.sendMessage(b"%c" % (size % 251) * size)

                c.connection.receiver.answer = answer
                answer(c.connection, None)
                c.send((0x81, b""))
                found: list[bytes] = []
                parts = b""
                for first, payload in c.take():
                    parts += payload
                    if first & 0x80:
                        found.append(parts)
                        parts = b""
                expected = [b"%c" % (size % 251) * size for size in sizes]
                self.assertEqual(found, expected * 2, (role, many))

    def test_close(self) -> None:
        """
        What was sent before the connection closes is sent before its Close frame, and
        that before the carrier is let go.
        """
        for isServer, role in BOTH:
            c, _ = self.converse(isServer, lambda t, m: t.sendMessage(m))
            c.send((0x81, b"a"), CLOSE_1000)
            self.assertEqual(c.take(), [(0x81, b"a"), CLOSE_1000], role)
            c, _ = self.converse(isServer, lambda t, m: (t.sendMessage(m), t.close()))
            c.send((0x81, b"a"))
            self.assertEqual(c.take(), [(0x81, b"a"), CLOSE_1000], role)

    def test_violation(self) -> None:
        """
        So is what was sent before a violation.
        """
        for isServer, role in BOTH:
            c, _ = self.converse(isServer, lambda t, m: t.sendMessage(m))
            c.send((0x81, b"a"), (0x83, b""))
            first, close = c.take()
            self.assertEqual(first, (0x81, b"a"), role)
            self.assertEqual(close[1][:2], b"\x03\xea", role)

    def test_abort(self) -> None:
        """
        An abort drops it.
        """
        c, _ = self.converse(True, lambda t, m: (t.sendMessage(m), t.abortConnection()))
        c.send((0x81, b"a"))
        self.assertEqual(c.take(), [])

    def test_bufferedAmount(self) -> None:
        """
        What is gathered counts as buffered.
        """
        amounts = []
        c, _ = self.converse(
            True,
            lambda t, m: (t.sendMessage("abc"), amounts.append(t.bufferedAmount)),
        )
        c.send((0x81, b""), (0x81, b""))
        self.assertEqual(amounts, [5, 10])

    def test_readWithinARead(self) -> None:
        """
        A read that comes in while another is handled is gathered with it.
        """

        def answer(transport: Any, message: Any) -> None:
            transport.sendMessage(message)
            if message == "a":
                transport.dataReceived(c.frame(0x81, b"b"))

        c, written = self.converse(True, answer)
        c.send((0x81, b"a"))
        self.assertEqual(c.take(), [(0x81, b"a"), (0x81, b"b")])
        self.assertEqual(len(written), 1)
