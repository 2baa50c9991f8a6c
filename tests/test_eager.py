# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.eager}: writing at once, and reading much.
"""

from __future__ import annotations

import inspect
import socket
from io import BytesIO
from typing import Any

from twisted.internet import tcp
from twisted.internet.abstract import FileDescriptor
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.descriptors import DescriptorTests, NotingReactor
from tests.test_eager_tls import TLS_CLASSES
from tests.wire import rawFrame
from twisted_ws import ClientConfig, WebSocketConnection
from twisted_ws.eager import TOUCHED, eagerly, readMore
from twisted_ws.testing import MemoryCarrier, RecordingReceiver


class EagerTests(DescriptorTests):
    """
    L{eagerly}, with Twisted's own transport on a real socket.
    """

    def setUp(self) -> None:
        DescriptorTests.setUp(self)
        self.write, self.writeMany = eagerly(self.carrier)

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
            self.assertEqual(eagerly(carrier), (carrier.write, None))
            readMore(carrier, 1)
            self.assertNotIn("bufferSize", vars(carrier))

        class Own(tcp.Server):
            pass

        own = Own.__new__(Own)
        self.assertEqual(eagerly(own), (own.write, None))

    def many(self, buffers: Any) -> None:
        """
        Write several, as far as this system can.
        """
        if self.writeMany is None:
            raise SkipTest("this system cannot write several buffers at once")
        self.writeMany(buffers, sum(map(len, buffers)))

    def test_many(self) -> None:
        """
        Several buffers leave at once and in order: few bytes put together, many as they
        are, and more buffers than the system takes in one call.
        """
        rows: tuple[list[bytes | memoryview], ...] = (
            [b"a", b"b"],
            [b"head", memoryview(bytes(50_000))[1:], b"next", b"x" * 9000],
            [b"%05d" % number for number in range(3000)],
        )
        for buffers in rows:
            self.many(buffers)
            self.assertEqual(self.read(), b"".join(buffers))
            self.assertEqual(self.reactor.writers, set())

    def test_manyRest(self) -> None:
        """
        What the socket does not take of them waits in the transport, wherever it ends,
        and what comes later waits behind it.
        """
        sent = b""
        for size in (70_001, 300_007, 1, 1_000_003, 5):
            buffers = [b"head", bytes([size % 256]) * size, b"", memoryview(b"tail")]
            self.many(buffers)
            sent += b"".join(buffers)
        self.assertEqual(self.reactor.writers, {self.carrier})
        received = self.read()
        while len(received) < len(sent):
            self.carrier.doWrite()
            received += self.read()
        self.assertEqual(received, sent)

    def test_manyErrors(self) -> None:
        """
        An error is left to the reactor, which finds it again.
        """
        self.peer.close()
        self.many([b"lost", bytes(10_000)])
        self.assertEqual(self.reactor.writers, {self.carrier})
        self.assertIsInstance(self.carrier.doWrite(), Exception)

    def test_manyEnding(self) -> None:
        """
        Nothing is written to the socket of a transport that ends, or has ended.
        """
        for name, value in (("disconnecting", True), ("connected", 0)):
            setattr(self.carrier, name, value)
            self.many([b"late", bytes(10_000)])
            self.assertEqual(self.read(), b"", name)
            setattr(self.carrier, name, 1 if name == "connected" else False)

    def test_readMore(self) -> None:
        """
        A transport reads more at a time when it is told to, until it is told not to.
        """
        sizes: list[int] = []

        class Protocol:
            def dataReceived(self, data: bytes) -> None:
                sizes.append(len(data))

        self.carrier.protocol = Protocol()
        readMore(self.carrier, 0)
        usual = self.carrier.bufferSize
        self.assertGreater(usual, 4 * (8 + 16384))
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        for more in (0, 1000, 0):
            readMore(self.carrier, more)
            self.peer.send(bytes(usual + 1000))
            self.carrier.doRead()
            if not more:
                self.carrier.doRead()
        self.assertEqual(sizes, [usual, 1000, usual + 1000, usual, 1000])
        readMore(self.carrier, 1 << 62)
        self.assertEqual(self.carrier.bufferSize, 1 << 20)
        readMore(self.carrier, 0)
        self.assertEqual(self.carrier.bufferSize, usual)


class LargeFrameTests(DescriptorTests):
    """
    A connection reads as its frames need it.
    """

    def test_large(self) -> None:
        """
        While a large frame comes its carrier reads as much of it as there is, and then
        as usual again; what is taken piece by piece is read as usual.
        """

        class Streams(RecordingReceiver):
            def messageBegan(self, message: Any) -> None:
                message.deliverTo(BytesIO())

        self.carrier.getHost = lambda: None  # this socket has no address
        for receiver, most in ((RecordingReceiver(), 1 << 20), (Streams(), None)):
            connection = WebSocketConnection(ClientConfig(), self.reactor)
            connection.connect(self.carrier, receiver)
            usual = self.carrier.bufferSize
            frame = rawFrame(0x82, bytes(1_000_000))
            connection.dataReceived(frame[:100])
            self.assertEqual(self.carrier.bufferSize, most or usual)
            connection.dataReceived(frame[100:])
            self.assertEqual(self.carrier.bufferSize, usual)
            self.carrier.unregisterProducer()


class TouchedTests(SynchronousTestCase):
    """
    What is used of Twisted is there.
    """

    def test_names(self) -> None:
        """
        Each name is what L{TOUCHED} says.  Those of TLS are in
        L{tests.test_eager_tls}.
        """
        descriptor = FileDescriptor(reactor=NotingReactor())  # type: ignore[arg-type]
        found = {
            "FileDescriptor.dataBuffer": descriptor.dataBuffer == b"",
            "FileDescriptor._tempDataLen": descriptor._tempDataLen == 0,
            "FileDescriptor.connected": descriptor.connected == 0,
            "FileDescriptor.disconnecting": not descriptor.disconnecting,
            "FileDescriptor.bufferSize": FileDescriptor.bufferSize == 1 << 16,
            "Connection.socket": "self.socket.recv(self.bufferSize)"
            in inspect.getsource(tcp.Connection.doRead),
            "Connection.TLS": hasattr(tcp.Connection, "TLS"),
        }
        names = [name for name in TOUCHED if name.split(".")[0] not in TLS_CLASSES]
        self.assertEqual(sorted(found), sorted(names))
        for name, isThere in found.items():
            self.assertTrue(isThere, name)

    def test_buffered(self) -> None:
        """
        What is written waits where L{TOUCHED} says, until it is sent.
        """
        descriptor: Any = FileDescriptor(reactor=NotingReactor())  # type: ignore[arg-type]
        descriptor.connected = 1
        descriptor.write(b"abc")
        self.assertEqual(descriptor._tempDataLen, 3)
        taken = []
        descriptor.writeSomeData = lambda data: (taken.append(bytes(data)), 1)[1]
        descriptor.doWrite()
        self.assertEqual(taken, [b"abc"])
        self.assertTrue(descriptor._tempDataLen or descriptor.dataBuffer)
