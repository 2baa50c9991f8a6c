# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.testing}: the public test doubles are worth what they have in common with
the real thing.

The rules of producers are checked against Twisted's own code: each conversation with a
L{MemoryCarrier} is also held with a L{FileDescriptor} whose socket is a list.
"""

from __future__ import annotations

from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred
from twisted.internet.error import (
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
)
from twisted.internet.interfaces import (
    IConsumer,
    IPushProducer,
    IStreamClientEndpoint,
    ITCPTransport,
)
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_ws import (
    ClientConfig,
    ClosedCleanly,
    Inbox,
    MessageReceiver,
    ServerConfig,
    UpgradeRejected,
)
from twisted_ws.interfaces import ICarrier, IFrameReceiver
from twisted_ws.testing import (
    MemoryCarrier,
    MemoryServer,
    RecordingReceiver,
    carrierPair,
)

FULL = bytes(MemoryCarrier.highWater + 1)


class Recorder(Protocol):
    """
    Writes down what a transport tells it.
    """

    def __init__(self):
        self.received = b""
        self.calls = []

    def dataReceived(self, data):
        self.received += data
        self.calls.append("data")

    def connectionLost(self, reason):
        self.calls.append(reason.type)


def pair():
    """
    @return: two carriers and the protocols on them.
    """
    carriers = carrierPair()
    for each in carriers:
        each.protocol = Recorder()
        each.protocol.makeConnection(each)
    return (*carriers, carriers[0].protocol, carriers[1].protocol)


def move(*carriers, most=1 << 30):
    """
    Let everything move.
    """
    moved = True
    while moved:
        moved = False
        for each in carriers:
            moved = each.moveOn(most) or moved


class NullReactor(Clock):
    """
    A reactor for descriptors that are read and written by hand.

    @ivar writers: those that want to write.
    """

    def __init__(self):
        Clock.__init__(self)
        self.writers = set()

    def addReader(self, descriptor):
        pass

    removeReader = addReader

    def addWriter(self, descriptor):
        self.writers.add(descriptor)

    def removeWriter(self, descriptor):
        self.writers.discard(descriptor)


class TwistedTransport(FileDescriptor):
    """
    The half of a TCP transport that writes.

    @ivar sent: what was sent.
    """

    connected = True

    def __init__(self):
        FileDescriptor.__init__(self, NullReactor())
        self.sent = []

    def writeSomeData(self, data):
        self.sent.append(bytes(data))
        return len(data)

    def drain(self):
        while self in self.reactor.writers:
            result = self.doWrite()
            if result is CONNECTION_DONE:
                self.connectionLost(Failure(result))

    def end(self):
        """
        The socket is gone.
        """
        self.connectionLost(Failure(ConnectionLost()))


class MemoryTransport(MemoryCarrier):
    """
    A carrier whose other end reads all that it is sent.
    """

    def __init__(self):
        _, self.other = carrierPair()
        MemoryCarrier.__init__(self, *self.other._addresses)
        self.other.other = self
        self.protocol, self.other.protocol = Recorder(), Recorder()

    def drain(self):
        move(self, self.other)

    def end(self):
        """
        The other end resets the connection.
        """
        self.other.abortConnection()
        move(self.other)
        move(self)


class Producer:
    """
    Writes down what a consumer tells it.
    """

    def __init__(self, transport, onResume=None):
        self.transport = transport
        self.onResume = onResume
        self.calls = []

    def pauseProducing(self):
        self.calls.append("pause")

    def resumeProducing(self):
        self.calls.append("resume")
        if self.onResume is not None:
            self.onResume(self.transport)

    def stopProducing(self):
        self.calls.append("stop")


def unregister(transport):
    transport.unregisterProducer()


def writeOnce(transport):
    transport.write(b"more")
    transport.unregisterProducer()


class ProducerTests(SynchronousTestCase):
    """
    Producers on a L{MemoryCarrier} fare as on a transport of Twisted.
    """

    # Name, streaming, what resumeProducing does, and the steps: a number of bytes is
    # written, a string is a method of the transport.
    rows = [
        ("little", True, None, [10, "drain"]),
        ("at the mark", True, None, [65536, "drain"]),
        ("over the mark", True, None, [65537, "drain"]),
        ("in two", True, None, [40000, 40000, "drain"]),
        ("each write pauses", True, None, [65537, 1, 1, "drain", 1]),
        ("again", True, None, [65537, "drain", 65537, "drain"]),
        ("never paused, never resumed", True, None, ["drain", 1, "drain", "drain"]),
        ("writes when resumed", True, writeOnce, [65537, "drain"]),
        ("unregistered", True, None, [65537, "unregisterProducer", "drain", 65537]),
        ("lost", True, None, ["end"]),
        ("lost when paused", True, None, [65537, "end"]),
        ("lost twice", True, None, ["end", "end"]),
        ("write after the end", True, None, ["end", 65537, "drain"]),
        ("close", True, None, ["loseConnection", "drain"]),
        ("close when not paused", True, None, [10, "loseConnection", "drain"]),
        ("close when paused", True, None, [65537, "loseConnection", "drain"]),
        (
            "close when paused, unregistered",
            True,
            None,
            [65537, "loseConnection", "drain", "unregisterProducer", "drain"],
        ),
        (
            "close when paused, unregisters itself",
            True,
            unregister,
            [65537, "loseConnection", "drain"],
        ),
        (
            "close when paused, writes on",
            True,
            writeOnce,
            [65537, "loseConnection", "drain"],
        ),
        ("write after close", True, None, ["loseConnection", 10, "drain"]),
        ("pull", False, unregister, ["drain"]),
        ("pull, writes", False, writeOnce, ["drain"]),
        ("pull, is not paused", False, None, [65537, 65537]),
        ("pull, lost", False, None, ["end"]),
    ]

    def play(self, transport, streaming, onResume, steps):
        """
        @return: what the producer saw after each step, and whether the transport stood
            then.
        """
        producer = Producer(transport, onResume)
        transport.registerProducer(producer, streaming)
        seen = [list(producer.calls)]
        for step in steps:
            if isinstance(step, int):
                transport.write(bytes(step))
            elif not (step == "end" and transport.disconnected):
                getattr(transport, step)()
            seen.append((list(producer.calls), bool(transport.disconnected)))
        return seen

    def test_rows(self):
        """
        They are paused, resumed and stopped at the same steps, and the transport ends
        at the same step.
        """
        wrong = []
        for name, streaming, onResume, steps in self.rows:
            expected = self.play(TwistedTransport(), streaming, onResume, steps)
            seen = self.play(MemoryTransport(), streaming, onResume, steps)
            if seen != expected:
                wrong.append(f"{name}: {seen}, on TCP {expected}")
        self.assertEqual(wrong, [], "\n".join(wrong))

    def test_registration(self):
        """
        A second producer is refused; one that comes too late is stopped; any may be
        unregistered when there is none.
        """
        for make in (TwistedTransport, MemoryTransport):
            transport = make()
            transport.unregisterProducer()
            first, second = Producer(transport), Producer(transport)
            transport.registerProducer(first, True)
            self.assertRaises(RuntimeError, transport.registerProducer, second, True)
            transport.unregisterProducer()
            transport.registerProducer(second, True)
            transport.end()
            transport.registerProducer(first, True)
            self.assertEqual(
                (first.calls, second.calls), (["stop"], ["stop"]), make.__name__
            )

    def test_notBytes(self):
        """
        Text cannot be written.
        """
        for make in (TwistedTransport, MemoryTransport):
            transport = make()
            self.assertRaises(TypeError, transport.write, "text")
            self.assertRaises(TypeError, transport.writeSequence, ["text"])


class CarrierTests(SynchronousTestCase):
    """
    L{MemoryCarrier}: a connection over TCP, without the network.
    """

    def test_interfaces(self):
        """
        It provides what it says.
        """
        client, server, *_ = pair()
        for carrier in (client, server):
            for interface in (ICarrier, ITCPTransport, IConsumer, IPushProducer):
                self.assertTrue(verifyObject(interface, carrier), interface)

    def test_bytes(self):
        """
        What is written at one end arrives at the other, in order, once it is moved.
        """
        client, server, clientSide, serverSide = pair()
        client.write(b"one")
        client.writeSequence([b"two", b"three"])
        server.write(b"four")
        self.assertEqual(serverSide.received, b"")
        move(client, server)
        self.assertEqual(serverSide.received, b"onetwothree")
        self.assertEqual(clientSide.received, b"four")

    def test_pieces(self):
        """
        It arrives in pieces of any size.
        """
        client, server, _, serverSide = pair()
        client.write(b"abc")
        move(client, server, most=1)
        self.assertEqual(serverSide.received, b"abc")
        self.assertEqual(serverSide.calls, ["data"] * 3)

    def test_addresses(self):
        """
        One end's host is the other's peer.
        """
        client, server, *_ = pair()
        self.assertEqual(client.getHost(), server.getPeer())
        self.assertEqual(server.getHost(), client.getPeer())
        self.assertNotEqual(client.getHost(), server.getHost())

    def test_options(self):
        """
        TCP's options are off until they are set.
        """
        client, *_ = pair()
        self.assertFalse(client.getTcpNoDelay())
        self.assertFalse(client.getTcpKeepAlive())
        client.setTcpNoDelay(True)
        client.setTcpKeepAlive(True)
        self.assertTrue(client.getTcpNoDelay())
        self.assertTrue(client.getTcpKeepAlive())

    def test_paused(self):
        """
        An end that does not read gets nothing, and the other end's bytes wait.
        """
        client, server, _, serverSide = pair()
        server.pauseProducing()
        client.write(b"abc")
        move(client, server)
        self.assertEqual(serverSide.received, b"")
        server.resumeProducing()
        move(client, server)
        self.assertEqual(serverSide.received, b"abc")

    def test_loseConnection(self):
        """
        C{loseConnection} ends both when all is written; each protocol is told once, and
        in good order.
        """
        client, server, clientSide, serverSide = pair()
        client.write(b"last words")
        client.loseConnection()
        client.loseConnection()
        self.assertEqual(clientSide.calls, [])
        move(client, server)
        self.assertEqual(serverSide.received, b"last words")
        self.assertEqual(serverSide.calls, ["data", ConnectionDone])
        self.assertEqual(clientSide.calls, [ConnectionDone])
        move(client, server)
        self.assertEqual(clientSide.calls, [ConnectionDone])

    def test_loseConnectionStopsReading(self):
        """
        After C{loseConnection} nothing is read any more, as on TCP.
        """
        client, server, _, serverSide = pair()
        client.pauseProducing()
        server.write(b"waits for its reader")
        server.loseConnection()
        client.write(b"too late")
        move(client, server)
        self.assertEqual(serverSide.received, b"")
        client.resumeProducing()
        move(client, server)
        self.assertEqual(serverSide.calls, [ConnectionDone])

    def test_silentReader(self):
        """
        C{loseConnection} with a peer that does not read waits for ever;
        C{abortConnection} does not.
        """
        client, server, clientSide, serverSide = pair()
        client.pauseProducing()
        server.write(b"unread")
        server.loseConnection()
        move(client, server)
        self.assertEqual(serverSide.calls, [])
        server.abortConnection()
        move(client, server)
        self.assertEqual(serverSide.calls, [ConnectionAborted])
        self.assertEqual(clientSide.received, b"")

    def test_pauseHidesTheEnd(self):
        """
        An end that does not read does not notice that the other is gone until it reads
        again, as on TCP.
        """
        for name, end, expected in (
            ("close", "loseConnection", ConnectionDone),
            ("reset", "abortConnection", ConnectionLost),
        ):
            client, server, _, serverSide = pair()
            server.pauseProducing()
            getattr(client, end)()
            move(client, server)
            self.assertEqual(serverSide.calls, [], name)
            server.resumeProducing()
            move(client, server)
            self.assertEqual(serverSide.calls, [expected], name)

    def test_abort(self):
        """
        C{abortConnection} drops what was written, and tells the one end that it
        aborted, the other that the connection was lost.
        """
        client, server, clientSide, serverSide = pair()
        client.write(b"dropped")
        client.abortConnection()
        client.abortConnection()
        client.write(b"dropped")
        self.assertEqual(clientSide.calls, [])
        self.assertEqual(bytes(client.outgoing), b"")
        move(client, server)
        client.write(b"dropped")
        self.assertEqual(bytes(client.outgoing), b"")
        self.assertEqual(clientSide.calls, [ConnectionAborted])
        self.assertEqual(serverSide.calls, [ConnectionLost])
        self.assertEqual(serverSide.received, b"")

    def test_halfClose(self):
        """
        C{loseWriteConnection} ends our half when all is written; a peer that knows
        nothing of half-closed connections, as most, then closes the other.
        """
        client, server, clientSide, serverSide = pair()
        server.write(b"last words")
        server.loseWriteConnection()
        move(client, server)
        self.assertEqual(clientSide.received, b"last words")
        self.assertEqual(clientSide.calls, ["data", ConnectionDone])
        self.assertEqual(serverSide.calls, [ConnectionDone])

    def test_halfCloseReadsOn(self):
        """
        Until then what the peer sends is still read.
        """
        client, server, _, serverSide = pair()
        client.pauseProducing()
        server.loseWriteConnection()
        client.write(b"in the middle of something")
        move(client, server)
        self.assertEqual(serverSide.received, b"in the middle of something")
        self.assertEqual(serverSide.calls, ["data"])

    def test_writesAfterwards(self):
        """
        What is written after the end, or after our half is closed, is dropped.
        """
        client, server, _, serverSide = pair()
        server.pauseProducing()
        client.loseWriteConnection()
        move(client, server)
        client.write(b"late")
        server.resumeProducing()
        move(client, server)
        client.write(b"later")
        self.assertEqual(serverSide.received, b"")
        self.assertEqual(bytes(client.outgoing), b"")

    def test_stopProducing(self):
        """
        C{stopProducing} is C{loseConnection}.
        """
        client, *_ = pair()
        client.stopProducing()
        self.assertTrue(client.disconnecting)

    def test_stopBeforeLost(self):
        """
        A producer is stopped before its protocol is told of the end.
        """
        client, server, clientSide, _ = pair()

        class Last:
            def stopProducing(self):
                clientSide.calls.append("stop")

        client.registerProducer(Last(), True)
        server.abortConnection()
        move(client, server)
        self.assertEqual(clientSide.calls, ["stop", ConnectionLost])


class Echo(MessageReceiver):
    """
    Sends everything back.
    """

    def messageReceived(self, message):
        self.transport.sendMessage(message)


class MemoryServerTests(SynchronousTestCase):
    """
    L{MemoryServer}.
    """

    def test_docstring(self):
        """
        The example of the module's docstring works.
        """
        server = MemoryServer(Echo)
        inbox = self.successResultOf(server.connect("/"))
        inbox.send("hello")
        server.flush()
        self.assertEqual(self.successResultOf(inbox.receive()), "hello")

    def test_connect(self):
        """
        C{connect} takes a path and query, a receiver of any kind, a configuration, and
        whatever a client can ask for.
        """
        requests = []

        def application(request):
            requests.append(request)
            request.accept(Echo(), request.requestedProtocols[0])

        server = MemoryServer(application)
        receiver = RecordingReceiver()
        opened = server.connect(
            "/a?b=c",
            receiver,
            ClientConfig(closeTimeout=1),
            protocols=["x"],
            origin="https://example.com",
            headers={"X-Y": "z"},
            cookies={"k": "v"},
        )
        self.assertIs(self.successResultOf(opened), receiver)
        (request,) = requests
        self.assertEqual(
            (request.path, request.args, request.origin, request.cookies),
            ("/a", {"b": ["c"]}, "https://example.com", {"k": "v"}),
        )
        self.assertEqual(request.headers.get("x-y"), "z")
        self.assertEqual(receiver.transport.config.closeTimeout, 1)
        self.assertEqual(receiver.transport.protocol, "x")

    def test_refused(self):
        """
        What the server refuses fails.
        """
        server = MemoryServer(lambda request: request.reject(404))
        failure = self.failureResultOf(server.connect(), UpgradeRejected)
        self.assertEqual(failure.value.status, 404)
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_undecided(self):
        """
        What the server has not decided waits; time can be made to pass.
        """
        server = MemoryServer(lambda request: Deferred())
        opened = server.connect()
        self.assertNoResult(opened)
        server.clock.advance(10)
        server.flush()
        self.failureResultOf(opened)
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_endpoint(self):
        """
        It is an endpoint, for byte-level protocols.
        """
        server = MemoryServer(Echo)
        self.assertTrue(IStreamClientEndpoint.providedBy(server))
        protocol = self.successResultOf(server.connect(Factory.forProtocol(Recorder)))
        self.assertIsInstance(protocol, Recorder)
        protocol.transport.write(b"garbage\r\n\r\n")
        server.flush()
        self.assertIn(b"HTTP/1.1 400 ", protocol.received)

    def test_two(self):
        """
        Clients do not hear each other; all connections are known to the factory.
        """
        server = MemoryServer(Echo)
        first, second = (self.successResultOf(server.connect()) for _ in range(2))
        self.assertEqual(len(server.factory.connections), 2)
        self.assertEqual(len(server.carriers), 2)
        first.send("hello")
        server.flush()
        self.assertEqual(self.successResultOf(first.receive()), "hello")
        self.assertNoResult(second.receive())

    def test_slowly(self):
        """
        C{flush(1)} is the worst of networks.
        """
        server = MemoryServer(Echo)
        inbox = self.successResultOf(server.connect())
        inbox.send("hello")
        server.flush(1)
        self.assertEqual(self.successResultOf(inbox.receive()), "hello")

    def test_close(self):
        """
        A client's close comes to its end without time passing.
        """
        server = MemoryServer(Echo, ServerConfig(closeTimeout=1))
        inbox = self.successResultOf(server.connect())
        closed = inbox.close(4000, "enough")
        server.flush()
        ended = self.successResultOf(closed)
        self.assertIsInstance(ended, ClosedCleanly)
        self.assertEqual(ended.sent, (4000, "enough"))
        self.assertEqual(server.clock.getDelayedCalls(), [])
        self.assertEqual(server.factory.connections, set())

    def test_raw(self):
        """
        C{connectRaw} gives a client that speaks bytes.
        """
        server = MemoryServer(Echo)
        peer = server.connectRaw()
        peer.send(b"GET / HTTP/1.1\r\n", 1)
        self.assertEqual(peer.take(), b"")
        peer.send(b"\r\n")
        self.assertIn(b"HTTP/1.1 400 ", peer.received)
        self.assertTrue(peer.lost.check(ConnectionDone))


class RecordingReceiverTests(SynchronousTestCase):
    """
    L{RecordingReceiver}.
    """

    def test_records(self):
        """
        It keeps messages and the reason, and counts beginnings and ends.
        """
        receiver = RecordingReceiver()
        self.assertTrue(verifyObject(IFrameReceiver, receiver, tentative=True))
        self.assertEqual(
            (receiver.messages, receiver.reason, receiver.made, receiver.losses),
            ([], None, 0, 0),
        )
        server = MemoryServer(lambda request: request.accept(receiver))
        inbox = self.successResultOf(server.connect())
        self.assertIsInstance(inbox, Inbox)
        inbox.send("hello")
        inbox.close(4000)
        server.flush()
        self.assertEqual((receiver.made, receiver.losses), (1, 1))
        self.assertEqual(receiver.messages, ["hello"])
        self.assertIsInstance(receiver.reason, ClosedCleanly)
        self.assertEqual(receiver.reason.code, 4000)
