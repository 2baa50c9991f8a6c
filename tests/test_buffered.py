# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What is read of Twisted's transports without being documented: L{twisted_ws._buffered}.
With real sockets it is in L{tests.test_buffered_tcp}.

Each test of L{TouchedTests} has the name of what it holds Twisted to, so that a Twisted
that changes it fails by that name.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.tcp import Connection
from twisted.internet.testing import StringTransport
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.protocols.tls import (
    BufferingTLSTransport,
    TLSMemoryBIOFactory,
    TLSMemoryBIOProtocol,
)
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.sockets import certificates, trustme
from twisted_ws._buffered import TOUCHED, bufferedIn, pausesBehindWrites
from twisted_ws.testing import carrierPair


class Descriptor(FileDescriptor):
    """
    Takes as many bytes as it is told to.
    """

    bufferSize = 100
    SEND_LIMIT = 50

    def __init__(self) -> None:
        FileDescriptor.__init__(self, reactor=Quiet())  # type: ignore[arg-type]
        self.connected = 1
        self.room = 0
        self.taken = b""

    def writeSomeData(self, data: bytes) -> int:
        data = bytes(data)[: self.room]
        self.room -= len(data)
        self.taken += data
        return len(data)

    def take(self, size: int) -> None:
        """
        Let this many bytes go.
        """
        self.room = size
        while self.room and (self.dataBuffer or self._tempDataLen):
            self.doWrite()


class Quiet:
    """
    A reactor that watches nothing.
    """

    def __getattr__(self, name: str) -> Any:
        return lambda *ignored: None


class Producer:
    """
    Writes down what the carrier holds when it is paused.
    """

    def __init__(self, carrier: Any) -> None:
        self._carrier = carrier
        self.held: list[int] = []

    def pauseProducing(self) -> None:
        self.held.append(bufferedIn(self._carrier))

    def resumeProducing(self) -> None:
        self.held.append(-1)

    def stopProducing(self) -> None:
        pass


def overTLS(below: Any, kind: Any = None) -> tuple[Any, Clock]:
    """
    @return: TLS above a transport, whose handshake waits for the peer; and its clock.
    """
    clock = Clock()
    options = certificates()[0].options()
    factory = TLSMemoryBIOFactory(options, False, Factory.forProtocol(Protocol), clock)
    if kind is not None:
        factory.protocol = kind
    protocol = factory.buildProtocol(None)
    protocol.makeConnection(below)
    return protocol, clock


class TouchedTests(SynchronousTestCase):
    """
    Each name.
    """

    def setUp(self) -> None:
        if trustme is None:
            self.skipTest("trustme is not installed")
        self.carrier = Descriptor()

    def test_everyName(self) -> None:
        """
        Every name has a test here.
        """
        tested = {name[len("test_") :] for name in dir(self) if name.startswith("test")}
        for name in TOUCHED:
            self.assertIn(name.replace(".", "_"), tested)

    def test_FileDescriptor__tempDataLen(self) -> None:
        """
        It is the bytes that were written and that it has not tried to send.
        """
        self.assertEqual(self.carrier._tempDataLen, 0)
        self.carrier.write(b"abc")
        self.carrier.writeSequence([b"d", b"ef"])
        self.assertEqual(self.carrier._tempDataLen, 6)
        self.carrier.doWrite()
        self.assertEqual(self.carrier._tempDataLen, 0)

    def test_FileDescriptor_dataBuffer(self) -> None:
        """
        It is those that it tries to send.
        """
        self.carrier.write(b"abc")
        self.assertEqual(self.carrier.dataBuffer, b"")
        self.carrier.doWrite()
        self.assertEqual(self.carrier.dataBuffer, b"abc")
        self.carrier.take(3)
        self.assertEqual(self.carrier.dataBuffer, b"")

    def test_FileDescriptor_offset(self) -> None:
        """
        It is how many of these the system has taken.
        """
        self.carrier.write(b"abc")
        self.carrier.take(2)
        self.assertEqual((self.carrier.dataBuffer, self.carrier.offset), (b"abc", 2))
        self.carrier.take(1)
        self.assertEqual(self.carrier.offset, 0)

    def test_TLSMemoryBIOProtocol__appSendBuffer(self) -> None:
        """
        It is a list of what cannot be encrypted yet.
        """
        protocol, _ = overTLS(self.carrier, TLSMemoryBIOProtocol)
        self.assertEqual(protocol._appSendBuffer, [])
        protocol.write(b"abc")
        protocol.write(b"de")
        self.assertEqual(protocol._appSendBuffer, [b"abc", b"de"])

    def test_BufferingTLSTransport__aggregator(self) -> None:
        """
        It gathers small writes until the next turn of the reactor, and at once when
        they are many.
        """
        protocol, clock = overTLS(self.carrier, BufferingTLSTransport)
        protocol.write(b"abc")
        self.assertEqual(protocol._appSendBuffer, [])
        clock.advance(0)
        self.assertEqual(protocol._appSendBuffer, [b"abc"])
        protocol.write(bytes(protocol._aggregator.MAX_BUFFER_SIZE))
        protocol.write(b"x")
        self.assertEqual(sum(map(len, protocol._appSendBuffer)), 64_004)

    def test__AggregateSmallWrites__bufferLeft(self) -> None:
        """
        It is the bytes that may still be gathered.
        """
        protocol, clock = overTLS(self.carrier, BufferingTLSTransport)
        most = protocol._aggregator._bufferLeft
        protocol.write(b"abc")
        self.assertEqual(protocol._aggregator._bufferLeft, most - 3)
        clock.advance(0)
        self.assertEqual(protocol._aggregator._bufferLeft, most)

    def test__AggregateSmallWrites_MAX_BUFFER_SIZE(self) -> None:
        """
        It is what may be gathered.
        """
        protocol, _ = overTLS(self.carrier, BufferingTLSTransport)
        aggregator = protocol._aggregator
        self.assertEqual(aggregator.MAX_BUFFER_SIZE, aggregator._bufferLeft)

    def test_Connection_TLS(self) -> None:
        """
        It is whether a socket does TLS itself.
        """
        self.assertIs(Connection.TLS, False)

    def test_Connection_protocol(self) -> None:
        """
        It is what does it, then; there is none before there is a protocol.
        """
        connection: Any = Connection.__new__(Connection)
        Connection.__init__(connection, FakeSocket(), Protocol(), Quiet())
        self.assertIsInstance(connection.protocol, Protocol)
        connection.connected = 1
        connection._tlsClientDefault = False
        connection.startTLS(certificates()[0].options())
        self.assertIs(connection.TLS, True)
        self.assertIsInstance(connection.protocol, TLSMemoryBIOProtocol)
        connection.write(b"abc")
        self.assertEqual(bufferedIn(connection), 3)
        self.assertFalse(pausesBehindWrites(connection))


class FakeSocket:
    """
    A socket that does nothing.
    """

    def fileno(self) -> int:
        return -1

    def setblocking(self, blocking: bool) -> None:
        pass


class BufferedTests(SynchronousTestCase):
    """
    What is made of it.
    """

    def setUp(self) -> None:
        if trustme is None:
            self.skipTest("trustme is not installed")

    def test_descriptor(self) -> None:
        """
        Of a socket it is what was written, less what the system took, at every moment.
        """
        carrier = Descriptor()
        written = 0
        for size in (1, 49, 200, 3, 0, 70):
            carrier.write(bytes(size))
            written += size
            self.assertEqual(bufferedIn(carrier), written - len(carrier.taken))
            carrier.take(size // 2)
            self.assertEqual(bufferedIn(carrier), written - len(carrier.taken))
        carrier.take(1000)
        self.assertEqual((bufferedIn(carrier), len(carrier.taken)), (0, written))

    def test_paused(self) -> None:
        """
        When it pauses its producer it has all of what was written; so something else
        can be written then, and comes behind it.
        """
        carrier = Descriptor()
        producer = Producer(carrier)
        carrier.registerProducer(producer, True)
        carrier.write(bytes(101))
        self.assertEqual(producer.held, [101])
        self.assertTrue(pausesBehindWrites(carrier))

    def test_memory(self) -> None:
        """
        A carrier that says itself what it has is believed.
        """
        carrier, _ = carrierPair()
        carrier.write(b"abc")
        self.assertEqual(bufferedIn(carrier), 3)
        self.assertTrue(pausesBehindWrites(carrier))

    def test_foreign(self) -> None:
        """
        Of any other nothing is known, nor whether it can be written to while it pauses
        its producer.
        """
        carrier = StringTransport()
        carrier.write(b"abc")
        self.assertEqual(bufferedIn(carrier), 0)
        self.assertFalse(pausesBehindWrites(carrier))
        self.assertEqual(bufferedIn(None), 0)

    def test_wrapped(self) -> None:
        """
        What is only a wrapper, as of PROXY, has what its transport has.
        """
        carrier = Descriptor()
        outer = ProtocolWrapper(WrappingFactory(Factory()), Protocol())
        inner = ProtocolWrapper(WrappingFactory(Factory()), outer)
        inner.makeConnection(carrier)
        self.assertIs(outer.transport, inner)
        outer.write(b"abc")
        self.assertEqual(bufferedIn(outer), 3)
        self.assertTrue(pausesBehindWrites(outer))

    def test_TLS(self) -> None:
        """
        TLS has what it cannot encrypt yet, what it gathers, and what its transport has,
        whether that knows this itself or not.
        """
        memory, _ = carrierPair()
        for below in (Descriptor(), memory):
            protocol, clock = overTLS(below)
            self.assertEqual(bufferedIn(protocol), bufferedIn(below))
            protocol.write(b"abc")
            clock.advance(0)
            protocol.write(b"de")
            below.write(b"handshake")
            self.assertEqual(bufferedIn(protocol), bufferedIn(below) + 5)
            self.assertFalse(pausesBehindWrites(protocol))

    def test_wrappedTLS(self) -> None:
        """
        So it is when TLS is below a wrapper, or above one.
        """
        carrier = Descriptor()
        outer = ProtocolWrapper(WrappingFactory(Factory()), Protocol())
        outer.makeConnection(carrier)
        protocol, clock = overTLS(outer)
        protocol.write(b"abc")
        self.assertEqual(bufferedIn(protocol), 3 + bufferedIn(carrier))
        above = ProtocolWrapper(WrappingFactory(Factory()), Protocol())
        above.makeConnection(protocol)
        self.assertEqual(bufferedIn(above), 3 + bufferedIn(carrier))
        self.assertFalse(pausesBehindWrites(above))
        clock.advance(0)

    def test_lostTLS(self) -> None:
        """
        When TLS is gone it can still be asked.
        """
        protocol, clock = overTLS(Descriptor())
        protocol.write(b"abc")
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertIsInstance(bufferedIn(protocol), int)
        # Twisted 24.7 leaves a call of its own behind.
        clock.advance(0)
        self.assertEqual(clock.getDelayedCalls(), [])
