# -*- test-case-name: tests.test_testing -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Test an application without sockets and without waiting: a real server and real
clients over memory, on a L{Clock}::

    class EchoTests(SynchronousTestCase):
        def test_echo(self):
            server = MemoryServer(Echo)
            inbox = self.successResultOf(server.connect("/"))
            inbox.send("hello")
            server.flush()
            self.assertEqual(self.successResultOf(inbox.receive()), "hello")

Nothing moves by itself: bytes move in C{flush}, time in C{server.clock.advance}.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IProtocolFactory,
    IPushProducer,
    IStreamClientEndpoint,
    ITCPTransport,
)
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from .application import Application
from .client import WebSocketClient
from .config import ClientConfig, ServerConfig
from .interfaces import ICarrier
from .protocol import WebSocketFactory
from .receiver import MessageReceiver

_CLIENT = IPv4Address("TCP", "192.0.2.1", 40000)
_SERVER = IPv4Address("TCP", "192.0.2.2", 80)


@implementer(ICarrier, ITCPTransport, IConsumer, IPushProducer)
class MemoryCarrier:
    """
    One end of a connection in memory; behaves as a TCP transport of Twisted does.

    @cvar highWater: bytes that may wait before the producer is paused.
    @ivar protocol: gets what the other end writes.
    @ivar other: the other end.
    @ivar outgoing: what was written and has not moved yet.
    @ivar disconnecting: whether it closes.
    @ivar disconnected: whether its protocol was told of the end.
    @ivar isPaused: whether it is not read from.
    @ivar noDelay: whether TCP_NODELAY is set.
    @ivar keepAlive: whether TCP keepalive is set.
    """

    highWater = 65536

    def __init__(self, host: IPv4Address, peer: IPv4Address) -> None:
        self.protocol: Any = None
        self.other: MemoryCarrier
        self.outgoing = bytearray()
        self.disconnecting = False
        self.disconnected = False
        self.isPaused = False
        self.noDelay = False
        self.keepAlive = False
        self.producer: Any = None
        self._producerPaused = False
        self._streaming = False
        self._resumed = False
        self._writeEnded = False
        self._writeFinished = False
        self._aborted = False
        self._addresses = host, peer

    def getHost(self) -> IPv4Address:
        """
        See L{ITCPTransport.getHost}.
        """
        return self._addresses[0]

    def getPeer(self) -> IPv4Address:
        """
        See L{ITCPTransport.getPeer}.
        """
        return self._addresses[1]

    @property
    def bufferedAmount(self) -> int:
        """
        Bytes that were written and have not moved yet.
        """
        return len(self.outgoing)

    def write(self, data: bytes) -> None:
        """
        See L{ITransport.write<twisted.internet.interfaces.ITransport.write>}.
        """
        if not isinstance(data, bytes):
            raise TypeError(f"only bytes can be written, not {type(data).__name__}")
        if self.disconnected or self._writeEnded or self._aborted:
            return
        self.outgoing += data
        self._resumed = False
        full = len(self.outgoing) > self.highWater
        if self.producer is not None and self._streaming and full:
            self._producerPaused = True
            self.producer.pauseProducing()

    def writeSequence(self, data: Any) -> None:
        """
        See L{ITransport.writeSequence
        <twisted.internet.interfaces.ITransport.writeSequence>}.
        """
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """
        End the connection when all is written; while a producer is registered, wait
        for it.
        """
        self.disconnecting = True

    def loseWriteConnection(self) -> None:
        """
        End our half of the connection when all is written.
        """
        self._writeEnded = True

    def abortConnection(self) -> None:
        """
        End the connection now.
        """
        self._aborted = True
        self.outgoing.clear()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """
        See L{IConsumer.registerProducer}.
        """
        if self.producer is not None:
            raise RuntimeError(f"{self.producer!r} is registered")
        if self.disconnected:
            producer.stopProducing()
            return
        self.producer = producer
        self._resumed = False
        self._streaming = streaming
        self._producerPaused = False
        if not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """
        See L{IConsumer.unregisterProducer}.
        """
        self.producer = None

    def pauseProducing(self) -> None:
        """
        Do not read.
        """
        self.isPaused = True

    def resumeProducing(self) -> None:
        """
        Read again.
        """
        self.isPaused = False

    def stopProducing(self) -> None:
        """
        See L{IPushProducer.stopProducing}.
        """
        self.loseConnection()

    def getTcpNoDelay(self) -> bool:
        """
        See L{ITCPTransport.getTcpNoDelay}.
        """
        return self.noDelay

    def setTcpNoDelay(self, enabled: bool) -> None:
        """
        See L{ITCPTransport.setTcpNoDelay}.
        """
        self.noDelay = enabled

    def getTcpKeepAlive(self) -> bool:
        """
        See L{ITCPTransport.getTcpKeepAlive}.
        """
        return self.keepAlive

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """
        See L{ITCPTransport.setTcpKeepAlive}.
        """
        self.keepAlive = enabled

    def moveOn(self, most: int) -> bool:
        """
        Let up to C{most} bytes arrive at the other end, or let an end be noticed.

        @return: whether anything moved.
        """
        other = self.other
        if self.disconnected:
            return False
        if self._aborted:
            return self._end(ConnectionAborted(), ConnectionLost())
        gone = other.disconnected or (other._writeFinished and not self.isPaused)
        # A peer that is gone is noticed by reading, and by writing.
        if gone and (self.outgoing or not self.isPaused):
            self._lose(ConnectionLost() if other._aborted else ConnectionDone())
            return True
        deaf = other.isPaused or other.disconnecting or other._aborted
        if self.outgoing and not deaf:
            data = bytes(self.outgoing[:most])
            del self.outgoing[:most]
            other.protocol.dataReceived(data)
            if not self.outgoing:
                self._drained()
            return True
        if self.outgoing and not other.disconnected:
            return False
        if self.disconnecting and (self.producer is None or self._isProducing()):
            return self._end(ConnectionDone(), ConnectionDone())
        if self._writeEnded and not self._writeFinished:
            self._writeFinished = True
            return True
        return False

    def _isProducing(self) -> bool:
        """
        Tell whether the producer does not keep the carrier from closing; one that was
        just resumed does, until it writes or goes.
        """
        return self._streaming and not self._producerPaused and not self._resumed

    def _drained(self) -> None:
        if self.producer is not None and (self._producerPaused or not self._streaming):
            self._producerPaused = False
            self._resumed = True
            self.producer.resumeProducing()

    def _end(self, ours: Exception, theirs: Exception) -> bool:
        self._lose(ours)
        if self.other.outgoing or not self.other.isPaused:
            self.other._lose(theirs)
        return True

    def _lose(self, reason: Exception) -> None:
        if not self.disconnected:
            self.disconnected = True
            producer, self.producer = self.producer, None
            if producer is not None:
                producer.stopProducing()
            self.protocol.connectionLost(Failure(reason))


def carrierPair() -> tuple[MemoryCarrier, MemoryCarrier]:
    """
    @return: the client's and the server's end of a connection in memory.
    """
    client = MemoryCarrier(_CLIENT, _SERVER)
    server = MemoryCarrier(_SERVER, _CLIENT)
    client.other, server.other = server, client
    return client, server


@implementer(IStreamClientEndpoint)
class MemoryServer:
    """
    A L{WebSocketFactory} without a port.  It is also a client's endpoint.

    @ivar clock: the L{Clock} of the server and its clients.
    @ivar factory: the L{WebSocketFactory}.
    @ivar carriers: the ends of all connections so far, as pairs of the client's and
        the server's.
    """

    def __init__(
        self, application: Application, config: ServerConfig | None = None
    ) -> None:
        self.clock = Clock()
        self.factory = WebSocketFactory(application, config, self.clock)
        self._served = self.factory.connections
        self.carriers: list[tuple[MemoryCarrier, MemoryCarrier]] = []

    def connect(  # type: ignore[override]
        self,
        target: str | IProtocolFactory = "/",
        receiver: Any = None,
        config: ClientConfig | None = None,
        **asked: Any,
    ) -> Deferred[Any]:
        """
        Connect a client, and let the bytes of its handshake move.

        @param target: path and query; an L{IProtocolFactory} connects its protocol
            instead, which makes the server an L{IStreamClientEndpoint}.
        @param receiver: see L{WebSocketClient.connect<twisted_ws.WebSocketClient>},
            also for C{asked}.
        @param config: the tunables of the client.
        @return: a Deferred of the receiver.
        """
        if not isinstance(target, str):
            return succeed(self.join(target.buildProtocol(_SERVER)))
        client = WebSocketClient(self.clock, config, endpoint=self)
        opened = client.connect(f"ws://server.invalid{target}", receiver, **asked)
        self.flush()
        return opened

    def join(self, protocol: Any) -> Any:
        """
        Connect a byte-level protocol.

        @return: it.
        """
        client, server = carrierPair()
        self.carriers.append((client, server))
        server.protocol = self.factory.buildProtocol(_CLIENT)
        client.protocol = protocol
        server.protocol.makeConnection(server)
        protocol.makeConnection(client)
        return protocol

    def connectRaw(self) -> RawPeer:
        """
        @return: a client that speaks bytes.
        """
        peer = RawPeer(self)
        self.join(peer)
        return peer

    def flush(self, most: int = 1 << 30) -> None:
        """
        Let bytes move until none can; connections that have let others have their
        turn, as C{framesPerTurn} says, go on meanwhile.

        @param most: how many to move at a time, C{1} for the worst of networks.
        """
        moved = True
        while moved:
            moved = False
            for pair in list(self.carriers):
                for carrier in pair:
                    moved = carrier.moveOn(most) or moved
            if not moved and self._hasTurns():
                self.clock.advance(0)
                moved = True

    def _hasTurns(self) -> bool:
        ends = (getattr(end.protocol, "_connection", None) for end in self._ends())
        # In a site, what a carrier has is no protocol of ours.
        connections = (*self._served, *(each for each in ends if each is not None))
        return any(each.waitsForTurn for each in connections)

    def _ends(self) -> Iterator[MemoryCarrier]:
        for pair in self.carriers:
            yield from pair


class RawPeer:
    """
    A peer that sends what it is told to.

    @ivar received: what came, all of it.
    @ivar lost: why the connection was lost, or C{None}.
    """

    def __init__(self, server: MemoryServer) -> None:
        self._server = server
        self.received = b""
        self.lost: Failure | None = None
        self.transport: Any = None

    def makeConnection(self, transport: Any) -> None:
        """
        See L{IProtocol.makeConnection
        <twisted.internet.interfaces.IProtocol.makeConnection>}.
        """
        self.transport = transport

    def dataReceived(self, data: bytes) -> None:
        """
        Keep what came.
        """
        self.received += data

    def connectionLost(self, reason: Failure) -> None:
        """
        Note the end.
        """
        self.lost = reason

    def send(self, data: bytes, most: int = 1 << 30) -> None:
        """
        Send bytes, and let them and what they cause move.

        @param most: see L{MemoryServer.flush}.
        """
        self.transport.write(data)
        self._server.flush(most)

    def take(self) -> bytes:
        """
        @return: what came since the last C{take}.
        """
        received, self.received = self.received, b""
        return received


class RecordingReceiver(MessageReceiver):
    """
    Writes down what happens to it.

    @ivar messages: the messages, and frames, that came.
    @ivar reason: why the connection was lost, a L{twisted_ws.ConnectionClosed}; or
        C{None}.
    @ivar made: how often C{connectionMade} was called.
    @ivar losses: how often C{connectionLost} was called.
    """

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.reason: Any = None
        self.made = 0
        self.losses = 0

    def connectionMade(self) -> None:
        """
        Count it.
        """
        self.made += 1

    def messageReceived(self, message: Any) -> None:
        """
        Keep it.
        """
        self.messages.append(message)

    def frameReceived(self, frame: Any) -> None:
        """
        Keep it.
        """
        self.messages.append(frame)

    def connectionLost(self, reason: Failure | None = None) -> None:
        """
        Keep it.
        """
        self.losses += 1
        self.reason = reason and reason.value
