# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
For the tests of open connections: a connection of either role in memory, with a
receiver above it and a peer that speaks bytes.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from hashlib import sha1
from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from tests.wire import KEY, RawFrame, rawFrame, readFrames
from twisted_ws import ClientConfig, ServerConfig, WebSocketConnection
from twisted_ws.testing import MemoryCarrier, MemoryServer, RawPeer, RecordingReceiver

CLOSE_1000 = (0x88, b"\x03\xe8")
"""
A Close frame with the code 1000, as first byte and payload.
"""

BOTH = ((True, "server"), (False, "client"))
"""
The roles of a connection.
"""

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: server.invalid\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\n\r\n"
)


def answerTo(handshake: bytes, *fields: bytes) -> bytes:
    """
    @param fields: further header lines of the answer.
    @return: a server's answer to a client's opening handshake.
    """
    key = handshake.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
    digest = sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Accept: "
    ) + b"\r\n".join([b64encode(digest), *fields, b"", b""])


class RawServer(RawPeer):
    """
    Answers the opening handshake, and speaks bytes from then on.  It is its own
    factory.

    @ivar request: that handshake.
    """

    opened = False
    request = b""

    def __init__(self, server: MemoryServer, *fields: bytes) -> None:
        """
        @param fields: further header lines of the answer.
        """
        RawPeer.__init__(self, server)
        self._fields = fields

    def buildProtocol(self, address: object) -> RawServer:
        return self

    def dataReceived(self, data: bytes) -> None:
        RawPeer.dataReceived(self, data)
        if not self.opened and b"\r\n\r\n" in self.received:
            self.opened = True
            self.request = self.take()
            self.transport.write(answerTo(self.request, *self._fields))


class Conversation:
    """
    A connection in memory.

    @ivar isServer: the role of our end.
    @ivar receiver: a L{RecordingReceiver}, unless another was given.
    @ivar connection: ours.
    @ivar peer: the other end.
    @ivar clock: the L{Clock} of our end.
    @ivar server: what both are part of.
    @ivar carrier: our end of the carrier.
    @ivar peerCarrier: the other end.
    """

    connection: WebSocketConnection

    def __init__(
        self,
        isServer: bool = True,
        receiver: Any = None,
        *,
        version: int = 13,
        fields: tuple[bytes, ...] = (),
        **options: Any,
    ) -> None:
        """
        @param version: of the protocol, 13 or 8.
        @param fields: further header lines of the peer's half of the handshake.
        @param options: of the configuration of our end.
        """
        self.isServer = isServer
        self.receiver = RecordingReceiver() if receiver is None else receiver
        self.peer: Any
        if isServer:
            self.server = MemoryServer(self._accept, ServerConfig(**options))
            self.peer = self.server.connectRaw()
            asked = HANDSHAKE[:-2].replace(b"Version: 13", b"Version: %d" % version)
            self.peer.send(
                asked + b"".join(b"%s\r\n" % each for each in fields) + b"\r\n"
            )
            self.peerCarrier, self.carrier = self.server.carriers[0]
            head, _, rest = self.peer.take().partition(b"\r\n\r\n")
            # A receiver that aborts at once takes the answer with it.
            assert head.startswith(b"HTTP/1.1 101 ") or self.peer.lost, head
            self.peer.received = rest
        else:
            self.server = MemoryServer(RecordingReceiver)
            self.peer = RawServer(self.server, *fields)
            self.server.factory = self.peer
            config = ClientConfig(webSocketVersion=version, **options)
            opened = self.server.connect("/", self.receiver, config)
            assert opened.result is self.receiver, opened.result
            self.connection = self.receiver.transport
            self.carrier, self.peerCarrier = self.server.carriers[0]
        self.clock = self.server.clock

    def _accept(self, request: Any) -> None:
        self.connection = request.accept(self.receiver)

    # What the peer does

    def frame(self, first: int, payload: bytes = b"") -> bytes:
        """
        @return: a frame as the peer has to send it.
        """
        return rawFrame(first, payload, KEY if self.isServer else None)

    def send(self, *frames: tuple[int, bytes]) -> None:
        """
        Have the peer send whole frames, first bytes and payloads, in one read.
        """
        self.peer.send(b"".join(self.frame(*each) for each in frames))

    def sendBytes(self, data: bytes) -> None:
        """
        Have the peer send anything at all.
        """
        self.peer.send(data)

    def take(self) -> list[tuple[int, bytes]]:
        """
        @return: the frames that came to the peer since the last C{take}.
        """
        self.flush()
        frames: list[RawFrame] = readFrames(self.peer.take())
        for frame in frames:
            assert (frame.key is None) == self.isServer, "clients mask, servers do not"
        return [(frame.first, frame.payload) for frame in frames]

    def stopReading(self) -> None:
        """
        Have the peer read nothing, until C{readOn}.
        """
        self.peerCarrier.pauseProducing()

    def readOn(self) -> None:
        """
        Have the peer read all that waits.
        """
        self.peerCarrier.resumeProducing()
        self.flush()

    def congest(self) -> None:
        """
        Have the peer read nothing, and send it more than our carrier takes: one
        binary message of C{MemoryCarrier.highWater} bytes.
        """
        self.stopReading()
        self.connection.sendMessage(bytes(MemoryCarrier.highWater))
        self.flush()

    def dropCarrier(self) -> None:
        """
        Have the peer close the carrier.
        """
        self.peer.transport.loseConnection()
        self.flush()

    def resetCarrier(self) -> None:
        """
        Have the peer, or what stands between, reset the carrier.
        """
        self.peer.transport.abortConnection()
        self.flush()

    # What happens to both

    def flush(self) -> None:
        """
        Let bytes move.
        """
        self.server.flush()

    def advance(self, seconds: float) -> None:
        """
        Let time pass, and what it causes move.
        """
        self.clock.advance(seconds)
        self.flush()

    def turn(self) -> None:
        """
        Do what a reactor does in one turn: run the calls that are due, but not those
        that they schedule, and then let bytes move.
        """
        now = self.clock.seconds()
        for call in self.clock.getDelayedCalls():
            if call.active() and call.getTime() <= now:
                self.clock.calls.remove(call)
                call.called = True
                call.func(*call.args, **call.kw)
        self.flush()

    @property
    def timers(self) -> int:
        """
        How many calls are scheduled.
        """
        return len(self.clock.getDelayedCalls())

    def loseNow(self, reason: BaseException | None = None) -> None:
        """
        Tell our end that its carrier is gone, in the middle of whatever happens: no
        transport of Twisted's does that, others might.
        """
        self.connection.connectionLost(Failure(reason or ConnectionLost()))


Step = Callable[[Conversation], object]
"""
What happens next in a conversation.
"""


def peerCloses(code: int | None, reason: bytes = b"") -> Step:
    """
    @return: a step in which the peer sends a Close frame.
    """
    body = b"" if code is None else code.to_bytes(2, "big") + reason
    return lambda c: c.send((0x88, body))


def peerSends(*frames: tuple[int, bytes]) -> Step:
    """
    @return: a step in which the peer sends other frames.
    """
    return lambda c: c.send(*frames)


def weClose(code: int = 1000, reason: str = "") -> Step:
    """
    @return: a step in which our Close frame reaches the peer.
    """

    def step(c: Conversation) -> None:
        c.connection.close(code, reason)
        c.flush()

    return step


def peerDrops(c: Conversation) -> None:
    """
    The peer closes the carrier, if it still stands.
    """
    if not c.peerCarrier.disconnected:
        c.dropCarrier()


def carrierBreaks(c: Conversation) -> None:
    """
    The carrier is reset.
    """
    c.resetCarrier()


def weAbort(c: Conversation) -> None:
    """
    The application has had enough.
    """
    c.connection.abortConnection()
    c.flush()


def timePasses(seconds: float) -> Step:
    """
    @return: a step in which nobody does anything.
    """
    return lambda c: c.advance(seconds)


def facts(ended: Any) -> tuple[Any, ...]:
    """
    @return: all that an end says; for comparing, as each who waits may get a copy.
    """
    return type(ended), str(ended), ended.sent, ended.received, ended.begunBy


def reassembled(frames: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """
    @return: the frames, fragments of a message joined.
    """
    whole: list[tuple[int, bytes]] = []
    for first, payload in frames:
        if first & 0x0F:
            whole.append((first, payload))
        else:
            opcode, before = whole.pop()
            whole.append((opcode | first, before + payload))
    return whole
