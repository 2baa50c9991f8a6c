# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What peers can be asked to do about compression, and both ends of a compressed
connection, with what went over the wire.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from zope.interface import implementer

from tests.wire import RawFrame, readFrames
from twisted_ws import ClientConfig, WebSocketClient
from twisted_ws.extensions import PerMessageDeflate

from .ends import ClientEnd, Ends, Link, ServerEnd, Side
from .harness import PEERS, Conversation, Peer

SERVER_FORGETS = "server_no_context_takeover"
CLIENT_FORGETS = "client_no_context_takeover"
SERVER_BITS = "server_max_window_bits"
CLIENT_BITS = "client_max_window_bits"

WINDOWS = [(0, 0), (8, 15), (15, 8), (9, 12), (12, 9), (15, 15)]
"""
Bits of the server's and the client's window that are asked for; 0 if none are.
"""


@dataclass(frozen=True)
class Compressor:
    """
    What a peer can do.

    @ivar peer: the peer.
    @ivar clientAsks: what its clients can ask for, with all values of it.
    @ivar serverAsks: likewise its servers.
    @ivar leastBits: the smallest window that it can promise to keep.
    @ivar leastTold: the smallest window that it takes of the other side.
    @ivar sendsPlain: whether it can send single messages uncompressed.
    @ivar keepsPieces: whether each of its frames, decompressed, is what it was before.
    """

    peer: Peer
    clientAsks: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    serverAsks: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    leastBits: int = 9
    leastTold: int = 8
    sendsPlain: bool = False
    keepsPieces: bool = True


_FLAGS: dict[str, tuple[int, ...]] = {
    SERVER_FORGETS: (False, True),
    CLIENT_FORGETS: (False, True),
}
_USUAL = (0, 9, 12, 15)
_ALL = (0, 8, 9, 12, 15)
_peers = {peer.name: peer for peer in PEERS}

COMPRESSORS = (
    Compressor(
        _peers["websockets"],
        {**_FLAGS, SERVER_BITS: _ALL, CLIENT_BITS: _USUAL},
        {**_FLAGS, SERVER_BITS: _USUAL, CLIENT_BITS: _ALL},
    ),
    Compressor(_peers["aiohttp"], {SERVER_BITS: (0, 9, 12)}),
    Compressor(
        _peers["ws"],
        {**_FLAGS, SERVER_BITS: _ALL, CLIENT_BITS: _ALL},
        {**_FLAGS, SERVER_BITS: _ALL, CLIENT_BITS: _ALL},
        leastBits=8,
        sendsPlain=True,
    ),
    # Its servers can do more, but keep it to themselves.
    Compressor(
        Peer("autobahn"),
        {**_FLAGS, SERVER_BITS: _USUAL},
        {CLIENT_BITS: _USUAL},
        leastTold=9,
        sendsPlain=True,
        keepsPieces=False,
    ),
)
"""
The peers that compress: all but WebSocket-Node.
"""


def askings(possible: Mapping[str, tuple[int, ...]]) -> Iterator[dict[str, Any]]:
    """
    Go over what can be asked for: both flags in all ways, with each of C{WINDOWS}.

    @param possible: the values of each parameter that can be asked for.
    """
    seen: list[dict[str, Any]] = []
    for serverForgets, clientForgets, windows in product(
        (False, True), (False, True), WINDOWS
    ):
        asked: dict[str, Any] = {
            SERVER_FORGETS: serverForgets,
            CLIENT_FORGETS: clientForgets,
            SERVER_BITS: windows[0],
            CLIENT_BITS: windows[1],
        }
        asked = {name: value for name, value in asked.items() if name in possible}
        if asked not in seen and all(
            value in possible[name] for name, value in asked.items()
        ):
            seen.append(asked)
            yield {name: value for name, value in asked.items() if value}


def camelCase(name: str) -> str:
    """
    @return: what C{PerMessageDeflate} calls a parameter.
    """
    first, *others = name.split("_")
    return first + "".join(word.title() for word in others)


class Wire(ProtocolWrapper):
    """
    Keeps what goes over a connection; over TLS, what it protects.

    @ivar came: what our end received.
    @ivar went: what it sent.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.came = bytearray()
        self.went = bytearray()

    def dataReceived(self, data: bytes) -> None:
        self.came += data
        super().dataReceived(data)

    def write(self, data: bytes) -> None:
        self.went += data
        super().write(data)

    def writeSequence(self, data: Any) -> None:
        self.write(b"".join(data))


class Wired(WrappingFactory):
    """
    A factory whose connections are kept.
    """

    protocol = Wire
    noisy = False

    def __init__(self, factory: Any, wires: list[Wire]) -> None:
        super().__init__(factory)
        self._wires = wires

    def buildProtocol(self, addr: Any) -> Any:
        wire = super().buildProtocol(addr)
        self._wires.append(wire)
        return wire


@implementer(IStreamClientEndpoint)
class WiredEndpoint:
    """
    An endpoint whose connections are kept.
    """

    def __init__(self, endpoint: Any, wires: list[Wire]) -> None:
        self._endpoint = endpoint
        self._wires = wires

    def connect(self, factory: Any) -> Any:
        """
        Connect.
        """
        connecting = self._endpoint.connect(Wired(factory, self._wires))
        return connecting.addCallback(lambda wire: wire.wrappedProtocol)


class CompressedEnds(Ends):
    """
    A mixin: a connection that is compressed in both directions.

    @cvar compressor: what the peer can do.
    @ivar wires: the connections, the newest last.
    """

    compressor: Compressor
    weServe: bool

    def setUp(self) -> None:
        self.wires: list[Wire] = []
        super().setUp()

    async def link(
        self, receiver: type[Side] = Side, *, deflate: Any = None, **options: Any
    ) -> Link:
        """
        See L{Ends.link}.

        @param deflate: what the peer asks for; by default, whatever it does when it
            compresses at all.
        """
        options.setdefault("extensions", (PerMessageDeflate(),))
        wanted = {} if deflate is None else deflate
        link = await super().link(receiver, deflate=wanted, **options)
        names = [extension.name for extension in link.us.transport.extensions]
        isOn = bool(options["extensions"]) and wanted is not False
        self.assertEqual(names, ["permessage-deflate"] * isOn)
        return link

    def answer(self) -> str | None:
        """
        @return: what the server has answered about extensions, as it stands in the
            newest handshake.
        """
        wire = self.wires[-1]
        head = bytes(wire.went if self.weServe else wire.came).partition(b"\r\n\r\n")[0]
        for line in head.decode().split("\r\n"):
            name, _, value = line.partition(":")
            if name.lower() == "sec-websocket-extensions":
                return value.strip()
        return None

    def agreed(self) -> dict[str, Any]:
        """
        @return: the parameters that were agreed on, as the server has answered them.
        """
        answer = self.answer()
        self.assertIsNotNone(answer)
        name, *parameters = answer.replace(" ", "").split(";")
        self.assertEqual(name, "permessage-deflate")
        return {
            name: int(value) if value else True
            for name, _, value in (each.partition("=") for each in parameters)
        }

    def frames(self) -> tuple[list[RawFrame], list[RawFrame]]:
        """
        @return: all frames of the newest connection, that we and that the peer sent.
        """
        wire = self.wires[-1]
        ours, theirs = [
            readFrames(bytes(each).partition(b"\r\n\r\n")[2])
            for each in (wire.went, wire.came)
        ]
        return ours, theirs


class CompressedServer(CompressedEnds, ServerEnd):
    """
    A mixin: the peer is the client.
    """

    weServe = True

    def carry(self, factory: Any) -> Any:
        """
        See L{Ends.carry}.
        """
        return Wired(factory, self.wires)


class CompressedClient(CompressedEnds, ClientEnd):
    """
    A mixin: the peer is the server.
    """

    weServe = False

    async def urlFor(
        self,
        them: Conversation,
        path: str = "/",
        host: str = "127.0.0.1",
        deflate: Any = None,
    ) -> str:
        """
        See L{ClientEnd.urlFor}.
        """
        self._port = await self.process.port(self.isSecure, deflate)
        return await super().urlFor(them, path, host, deflate)

    def client(self, isTrusting: bool = True, **options: Any) -> WebSocketClient:
        """
        See L{ClientEnd.client}.
        """
        if self.isSecure:
            return super().client(isTrusting, **options)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self._port)
        wired = WiredEndpoint(endpoint, self.wires)
        return WebSocketClient(reactor, ClientConfig(**options), endpoint=wired)
