# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.eager} over TLS, with Twisted's own transports on a real socket.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.policies import ProtocolWrapper
from twisted.protocols.tls import TLSMemoryBIOFactory, _AggregateSmallWrites
from twisted.python.failure import Failure

from tests.descriptors import DescriptorTests
from tests.sockets import certificates
from tests.tlspeers import trustme
from twisted_ws._buffered import bufferedIn
from twisted_ws.eager import TOUCHED, eagerly, readMore

TLS_CLASSES = ("BufferingTLSTransport", "TLSMemoryBIOProtocol", "_AggregateSmallWrites")
"""
Those of L{TOUCHED} that are for TLS.
"""


class EagerTLSTests(DescriptorTests):
    """
    L{eagerly}, with TLS.
    """

    if trustme is None:
        skip = "trustme is not installed"

    def setUp(self) -> None:
        DescriptorTests.setUp(self)
        options = certificates()[0].options()
        factory = Factory.forProtocol(Protocol)
        wrapping = TLSMemoryBIOFactory(options, False, factory, self.reactor)
        self.tls: Any = wrapping.buildProtocol(None)
        self.carrier.protocol = self.tls
        self.tls.makeConnection(self.carrier)
        self.write, writeMany = eagerly(self.tls)
        self.assertIsNone(writeMany)
        self.client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
        self.client.set_connect_state()

    def handshake(self) -> None:
        """
        Do it.
        """
        for _ in range(3):
            try:
                self.client.do_handshake()
            except SSL.WantReadError:
                pass
            try:
                self.peer.send(self.client.bio_read(1 << 16))
            except SSL.WantReadError:
                pass
            if self.carrier in self.reactor.readers:
                self.carrier.doRead()
            while self.carrier in self.reactor.writers:
                self.carrier.doWrite()
            answer = self.read()
            if answer:
                self.client.bio_write(answer)
        self.assertTrue(self.tls._handshakeDone)

    def received(self) -> bytes:
        """
        @return: what has come to the peer, decrypted.
        """
        encrypted = self.read()
        if encrypted:
            self.client.bio_write(encrypted)
        parts = []
        while True:
            try:
                parts.append(self.client.recv(1 << 16))
            except SSL.WantReadError:
                return b"".join(parts)

    def all(self, size: int) -> bytes:
        """
        @return: so many bytes that come to the peer, while the reactor does its work.
        """
        received = self.received()
        for _ in range(1000):
            if len(received) >= size:
                return received
            self.reactor.advance(0)
            if self.carrier in self.reactor.writers:
                self.carrier.doWrite()
            received += self.received()
        raise AssertionError(f"no more came than {len(received)} bytes of {size}")

    def test_touched(self) -> None:
        """
        What L{TOUCHED} names of TLS is there, and tells what waits and what is over.
        """
        owners = self.tls, self.tls, self.tls._aggregator
        for name in TOUCHED:
            kind, attribute = name.split(".")
            if kind in TLS_CLASSES:
                owner = owners[TLS_CLASSES.index(kind)]
                self.assertTrue(hasattr(owner, attribute), name)
        tls, aggregator = self.tls, self.tls._aggregator
        self.assertIsInstance(aggregator, _AggregateSmallWrites)
        early = tls._handshakeDone, tls._appSendBuffer, aggregator._buffer
        self.assertEqual(early, (False, [], []))
        tls.write(b"a")
        self.assertEqual((tls._appSendBuffer, aggregator._buffer), ([], [b"a"]))
        self.reactor.advance(0)
        self.assertEqual((tls._appSendBuffer, aggregator._buffer), ([b"a"], []))
        self.handshake()
        self.assertEqual((tls._handshakeDone, tls._appSendBuffer), (True, []))
        self.assertEqual((tls.disconnecting, tls._lostTLSConnection), (False, False))
        tls.loseConnection()
        self.assertTrue(tls.disconnecting)
        self.carrier.connectionLost(Failure(ConnectionDone()))
        self.assertTrue(tls._lostTLSConnection)

    def test_atOnce(self) -> None:
        """
        What the socket takes is encrypted and gone at once, and the reactor has nothing
        to do.
        """
        self.handshake()
        for size in (5, 16384, 16388, 50_000):
            self.write(bytes(size))
            self.assertEqual(self.received(), bytes(size))
            self.assertEqual(self.reactor.writers, set())
            self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_beforeHandshake(self) -> None:
        """
        What is written before there are keys waits for them; what comes later, behind
        it.
        """
        self.write(b"first ")
        self.reactor.advance(0)
        self.write(b"second ")
        self.handshake()
        self.write(b"third")
        self.assertEqual(self.all(18), b"first second third")

    def test_rest(self) -> None:
        """
        What the socket does not take waits, and what comes later waits behind it; none
        is lost from sight.
        """
        self.handshake()
        sent = [bytes([number]) * 70_000 for number in range(40)]
        for data in sent:
            self.write(data)
        self.assertEqual(self.reactor.writers, {self.carrier})
        self.assertGreater(bufferedIn(self.tls), 1_000_000)
        self.assertEqual(self.all(40 * 70_000), b"".join(sent))
        self.assertEqual(bufferedIn(self.tls), 0)

    def test_behindWrites(self) -> None:
        """
        What was written to the transport itself, and waits for the next turn, comes
        first.
        """
        self.handshake()
        self.tls.write(b"first ")
        self.write(b"second")
        self.assertEqual(self.received(), b"")
        self.assertEqual(self.all(12), b"first second")

    def test_behindEncrypted(self) -> None:
        """
        So does what OpenSSL has encrypted already, however long it is.
        """
        self.handshake()
        for size in range(1, 300):
            self.tls.getHandle().send(bytes(size))
            self.write(b"end")
            self.assertEqual(self.received(), bytes(size) + b"end")

    def test_error(self) -> None:
        """
        An error of OpenSSL's is left to the transport, which finds it again and ends.
        """
        self.handshake()
        self.tls.getHandle().shutdown()
        self.write(b"lost")
        self.assertFalse(self.carrier.disconnecting)
        self.reactor.advance(0)
        self.assertTrue(self.carrier.disconnecting)

    def test_wantsToRead(self) -> None:
        """
        When OpenSSL wants to read before it encrypts anything, what was written waits
        in the transport.
        """
        self.handshake()
        handle = self.tls.getHandle()

        class Wanting:
            """
            Takes so many records, and no more.
            """

            left = 1

            def send(self, data: bytes) -> int:
                if not self.left:
                    raise SSL.WantReadError()
                self.left -= 1
                return int(handle.send(data))

            def __getattr__(self, name: str) -> Any:
                return getattr(handle, name)

        self.tls._tlsConnection = Wanting()
        self.write(b"a" * 16384 + b"b" * 100)
        self.assertEqual(self.received(), b"a" * 16384)
        self.reactor.advance(0)
        self.assertEqual(bufferedIn(self.tls), 100)
        self.tls._tlsConnection = handle
        self.write(b"c")
        self.peer.send(self.encrypted(b"go on"))
        self.carrier.doRead()
        self.assertEqual(self.all(101), b"b" * 100 + b"c")

    def encrypted(self, data: bytes) -> bytes:
        """
        @return: what the peer would send.
        """
        self.client.send(data)
        return self.client.bio_read(1 << 16)

    def test_ending(self) -> None:
        """
        Nothing is written when the transport ends, or has ended.
        """
        self.handshake()
        self.tls.disconnecting = True
        self.write(b"late")
        self.assertEqual(self.received(), b"")
        self.tls.disconnecting = False
        self.tls._lostTLSConnection = True
        self.write(b"late")
        self.reactor.advance(0)
        self.assertEqual(self.received(), b"")

    def test_lost(self) -> None:
        """
        Nor when it is gone.
        """
        self.handshake()
        self.peer.close()
        self.carrier.connectionLost(Failure(self.carrier.doRead()))
        self.write(b"late")
        self.reactor.advance(0)  # older versions wait for a turn even then
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(self.reactor.writers, set())

    def test_others(self) -> None:
        """
        What stands before one, or is of a subclass, is written to as ever.
        """
        wrapper = ProtocolWrapper.__new__(ProtocolWrapper)
        wrapper.transport = self.tls
        self.assertEqual(eagerly(wrapper), (wrapper.write, None))

        class Own(type(self.tls)):  # type: ignore[misc]
            pass

        own = Own.__new__(Own)
        own.transport, own.write = self.carrier, len
        self.assertEqual(eagerly(own), (own.write, None))

    def test_readMore(self) -> None:
        """
        The transport below reads more at a time.
        """
        sizes = []
        for more in (0, 1000, 0):
            readMore(self.tls, more)
            sizes.append(self.carrier.bufferSize)
        self.assertGreater(sizes[1], sizes[0])
        self.assertEqual(sizes[2], sizes[0])
