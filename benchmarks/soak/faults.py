# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The lives of clients that do not keep to the rules, or whose network does not.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.protocol import Factory, Protocol

from benchmarks.readings import reactor
from benchmarks.soak.clients import Clients, Life, NotAsExpected

MASK = b"\x00\x00\x00\x00"
REQUEST = (
    b"GET %b HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\n%b\r\n"
)
DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
BAD_FRAMES = (
    (b"\x83\x80" + MASK, 1002),  # an unknown opcode
    (b"\xd1\x80" + MASK, 1002),  # RSV1 and an unknown opcode
    (b"\x81\x01a", 1002),  # not masked
    (b"\x80\x81" + MASK + b"a", 1002),  # continues nothing
    (b"\x09\x80" + MASK, 1002),  # a ping in fragments
    (b"\x88\x81" + MASK + b"\x03", 1002),  # half a close code
    (b"\x81\x82" + MASK + b"\xc3\x28", 1007),  # not UTF-8
    (b"\x82\xff" + b"\x00\x00\x00\x00\x7f\xff\xff\xff" + MASK, 1009),  # too long
)
BAD_REQUESTS = (
    b"\x16\x03\x01 nonsense\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\r\n",
    b"GET /" + b"a" * 20_000,
    b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello",
)


class Raw(Protocol):
    """
    A client that speaks bytes.

    @ivar received: how many came.
    @ivar head: the first of them.
    @ivar opened: fires when the server's answer to the handshake is there, or when
        the connection is lost.
    @ivar lost: fires when it is.
    """

    transport: Any

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self.received = 0
        self.head = b""
        self.opened: Deferred[None] = Deferred()
        self.lost: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        """
        It may be cut short from now on.
        """
        self._clients.carriers.add(self.transport)

    def dataReceived(self, data: bytes) -> None:
        """
        Keep as much as will be looked at.
        """
        self.received += len(data)
        if len(self.head) < 4096:
            self.head += data
        if b"\r\n\r\n" in self.head and not self.opened.called:
            self.opened.callback(None)

    def connectionLost(self, reason: Any = None) -> None:
        """
        The end.
        """
        self._clients.carriers.discard(self.transport)
        for waiting in (self.opened, self.lost):
            if not waiting.called:
                waiting.callback(None)

    async def ended(self) -> None:
        """
        Wait for the server to end it.

        @raise NotAsExpected: when it does not.
        """
        patience = self._clients.patience * 6 + 20
        over: Deferred[None] = Deferred()
        self.lost.chainDeferred(over)
        try:
            await over.addTimeout(patience, reactor)
        except DeferredTimeout:
            self.transport.abortConnection()
            raise NotAsExpected(f"the server kept it for {patience} s") from None


async def _begin(clients: Clients, endpoint: Any = None) -> Raw:
    factory = Factory()
    factory.noisy = False
    factory.buildProtocol = lambda address: Raw(clients)  # type: ignore[method-assign,assignment]
    peer: Raw = await (endpoint or clients.endpoint()).connect(factory)
    return peer


async def _open(clients: Clients, path: bytes = b"/echo") -> Raw:
    peer = await _begin(clients)
    deflate = DEFLATE if clients.random.random() < 0.5 else b""
    peer.transport.write(REQUEST % (path, deflate))
    await peer.opened
    clients.expect(peer.head.startswith(b"HTTP/1.1 101 "), f"{peer.head[:80]!r}")
    return peer


def _frame(payload: bytes) -> bytes:
    return b"\x82\xff" + len(payload).to_bytes(8, "big") + MASK + payload


def _part(clients: Clients) -> bytes:
    """
    @return: a message that is not all there: cut in its header, its mask or payload.
    """
    frame = _frame(bytes(100_000))
    return frame[: clients.random.choice((1, 5, 12, 14, 15, 50_000, 100_013))]


async def reset(clients: Clients) -> None:
    """
    Leave in the middle of a frame, by a RST.
    """
    peer = await _open(clients)
    peer.transport.write(_part(clients))
    await clients.pause(clients.random.choice((0, 0.01, 0.1)))
    peer.transport.abortConnection()
    await peer.ended()


async def resetInHandshake(clients: Clients) -> None:
    """
    Leave in the middle of the handshake.
    """
    peer = await _begin(clients)
    peer.transport.write(REQUEST[: clients.random.randrange(1, 90)])
    await clients.pause(clients.random.choice((0, 0.01)))
    peer.transport.abortConnection()
    await peer.ended()


async def halfClose(clients: Clients) -> None:
    """
    Send a FIN in the middle of a frame, under TLS too, and read on.
    """
    peer = await _open(clients)
    peer.transport.write(_part(clients))
    tcp = getattr(peer.transport, "transport", peer.transport)
    if tcp is peer.transport:
        tcp.loseWriteConnection()
    else:
        # TLS has no half-close; what its close_notify does is another matter.
        tcp.loseConnection()
    await peer.ended()


async def slow(clients: Clients) -> None:
    """
    Read a little now and then.
    """
    peer = await _open(clients, b"/download")
    peer.transport.write(_text(str(clients.random.choice((1 << 18, 1 << 22)))))
    for _ in range(clients.random.randrange(5, 30)):
        peer.transport.pauseProducing()
        await clients.pause(0.05)
        peer.transport.resumeProducing()
        await clients.pause(0.002)
        if peer.lost.called:
            return
    peer.transport.abortConnection()
    await peer.ended()


def _text(text: str) -> bytes:
    return bytes([0x81, 0x80 | len(text)]) + MASK + text.encode()


async def stalled(clients: Clients) -> None:
    """
    Read nothing of what is sent back, until the server has had enough.
    """
    peer = await _open(clients)
    peer.transport.pauseProducing()
    frame = _frame(bytes(100_000))
    for _ in range(clients.random.choice((1, 10, 60))):
        peer.transport.write(frame)
    await clients.pause(clients.patience * 3)
    if not peer.lost.called:
        # Who does not read does not see the end either.
        peer.transport.resumeProducing()
    await peer.ended()


async def badFrame(clients: Clients) -> None:
    """
    Break the rules, and look at the Close frame.
    """
    peer = await _open(clients)
    frame, code = clients.random.choice(BAD_FRAMES)
    peer.transport.write(frame)
    await peer.ended()
    after = peer.head.partition(b"\r\n\r\n")[2]
    closed = b"\x88" in after and code.to_bytes(2, "big") in after
    clients.expect(closed or b"news" in after, f"{code}: {after[:80]!r}")


async def badRequest(clients: Clients) -> None:
    """
    Send what is no handshake.
    """
    peer = await _begin(clients)
    peer.transport.write(clients.random.choice(BAD_REQUESTS))
    await peer.ended()
    clients.expect(peer.head.startswith(b"HTTP/1.1 4"), f"{peer.head[:80]!r}")


async def silent(clients: Clients) -> None:
    """
    Send nothing: not even TLS's greeting, or not the handshake, or nothing after it,
    pongs included.
    """
    choice = clients.random.randrange(3)
    if choice == 0:
        peer = await _begin(clients, clients.underTLS)
    elif choice == 1:
        peer = await _begin(clients)
    else:
        peer = await _open(clients)
    await peer.ended()


async def undecided(clients: Clients) -> None:
    """
    Leave while the request is undecided.
    """
    peer = await _begin(clients)
    peer.transport.write(REQUEST % (b"/undecided", b""))
    await clients.pause(clients.random.random() * clients.patience / 2)
    peer.transport.abortConnection()
    await peer.ended()


FAULTS: list[Life] = [
    reset,
    reset,
    resetInHandshake,
    halfClose,
    slow,
    stalled,
    badFrame,
    badRequest,
    silent,
    undecided,
]
