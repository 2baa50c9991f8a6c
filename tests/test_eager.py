# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.eager}, and how what is sent while a read is handled leaves in one piece.
"""

from __future__ import annotations

import inspect
import socket
from typing import Any

from twisted.internet import tcp
from twisted.internet.abstract import FileDescriptor
from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import BOTH, CLOSE_1000, Conversation
from twisted_ws import MessageReceiver
from twisted_ws.eager import TOUCHED, eagerly
from twisted_ws.testing import MemoryCarrier


class _Reactor:
    """
    Notes who wants to write.
    """

    def __init__(self) -> None:
        self.writers: set[Any] = set()

    def addWriter(self, writer: Any) -> None:
        self.writers.add(writer)

    removeWriter = addReader = removeReader = lambda self, each: None


class EagerTests(SynchronousTestCase):
    """
    L{eagerly}, with Twisted's own transport on a real socket.
    """

    def setUp(self) -> None:
        ours, self.peer = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(self.peer.close)
        ours.setblocking(False)
        self.peer.setblocking(False)
        self.reactor = _Reactor()
        self.carrier: Any = tcp.Server.__new__(tcp.Server)
        tcp.Connection.__init__(self.carrier, ours, None, self.reactor)  # type: ignore[arg-type]
        self.carrier.connected = 1
        self.write = eagerly(self.carrier)

    def read(self) -> bytes:
        """
        @return: what has come to the peer.
        """
        parts = []
        while True:
            try:
                parts.append(self.peer.recv(1 << 20))
            except BlockingIOError:
                return b"".join(parts)
            if not parts[-1]:
                return b"".join(parts)

    def test_atOnce(self) -> None:
        """
        What the socket takes is gone at once, and the reactor has nothing to do.
        """
        self.write(b"hello")
        self.assertEqual(self.read(), b"hello")
        self.assertEqual(self.reactor.writers, set())

    def test_rest(self) -> None:
        """
        What it does not take waits in the transport, and what comes later behind it:
        all arrives, in order.
        """
        sent = [bytes([number]) * 70_000 for number in range(40)]
        for data in sent:
            self.write(data)
        self.assertEqual(self.reactor.writers, {self.carrier})
        received = self.read()
        while len(received) < 40 * 70_000:
            self.carrier.doWrite()
            received += self.read()
        self.assertEqual(received, b"".join(sent))
        self.write(b"again")
        self.assertEqual(self.read(), b"again")

    def test_full(self) -> None:
        """
        A socket that takes nothing keeps nothing from the transport.
        """
        try:
            while True:
                self.carrier.socket.send(bytes(1 << 16))
        except BlockingIOError:
            pass
        self.write(b"waits")
        self.assertEqual(self.reactor.writers, {self.carrier})
        self.read()
        self.carrier.doWrite()
        self.assertEqual(self.read(), b"waits")

    def test_error(self) -> None:
        """
        An error is left to the reactor, which finds it again.
        """
        self.peer.close()
        self.write(b"lost")
        self.assertEqual(self.reactor.writers, {self.carrier})
        self.assertIsInstance(self.carrier.doWrite(), Exception)

    def test_ending(self) -> None:
        """
        Nothing is written to the socket of a transport that ends, or has ended.
        """
        for name, value in (("disconnecting", True), ("connected", 0)):
            setattr(self.carrier, name, value)
            self.write(b"late")
            self.assertEqual(self.read(), b"", name)
            setattr(self.carrier, name, 1 if name == "connected" else False)

    def test_others(self) -> None:
        """
        Transports that are not Twisted's for plain sockets themselves are written to
        as ever.
        """
        self.carrier.TLS = True
        for carrier in (self.carrier, MemoryCarrier.__new__(MemoryCarrier)):
            self.assertEqual(eagerly(carrier), carrier.write)

        class Own(tcp.Server):
            pass

        own = Own.__new__(Own)
        self.assertEqual(eagerly(own), own.write)


class TouchedTests(SynchronousTestCase):
    """
    What is used of Twisted is there.
    """

    def test_names(self) -> None:
        """
        Each name is what L{TOUCHED} says.
        """
        descriptor = FileDescriptor(reactor=_Reactor())  # type: ignore[arg-type]
        found = {
            "FileDescriptor.dataBuffer": descriptor.dataBuffer == b"",
            "FileDescriptor._tempDataLen": descriptor._tempDataLen == 0,
            "FileDescriptor.connected": descriptor.connected == 0,
            "FileDescriptor.disconnecting": not descriptor.disconnecting,
            "Connection.writeSomeData": list(
                inspect.signature(tcp.Connection.writeSomeData).parameters
            )
            == ["self", "data"],
            "Connection.TLS": hasattr(tcp.Connection, "TLS"),
        }
        self.assertEqual(sorted(found), sorted(TOUCHED))
        for name, isThere in found.items():
            self.assertTrue(isThere, name)

    def test_buffered(self) -> None:
        """
        What is written waits where L{TOUCHED} says, until it is sent.
        """
        descriptor: Any = FileDescriptor(reactor=_Reactor())  # type: ignore[arg-type]
        descriptor.connected = 1
        descriptor.write(b"abc")
        self.assertEqual(descriptor._tempDataLen, 3)
        taken = []
        descriptor.writeSomeData = lambda data: (taken.append(bytes(data)), 1)[1]
        descriptor.doWrite()
        self.assertEqual(taken, [b"abc"])
        self.assertTrue(descriptor._tempDataLen or descriptor.dataBuffer)


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
        c, written = self.converse(
            True, lambda t, m: (t.sendMessage("a"), t.sendMessage(bytes(100_000)))
        )
        c.send((0x81, b""))
        self.assertEqual(written[0], b"\x81\x01a")
        self.assertEqual(len(written), 2)

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
