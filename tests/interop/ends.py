# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Both ends of a connection: ours and the peer's, and how it is opened in either
direction.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredQueue
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.python.failure import Failure
from twisted.web.client import BrowserLikePolicyForHTTPS

from twisted_ws import (
    ClientConfig,
    MessageReceiver,
    ServerConfig,
    WebSocketClient,
    WebSocketFactory,
    WebSocketProtocol,
)

from .harness import Conversation, Peer, certificates, peerProcess
from .peers.common import describe, message


class Side(MessageReceiver):
    """
    Our end of a connection.

    @ivar pings: the payloads of the pings that came.
    @ivar lost: fires with how the connection ended.
    """

    greeting: str | None = None

    def __init__(self) -> None:
        self._received: DeferredQueue[Any] = DeferredQueue()
        self.pings: DeferredQueue[bytes] = DeferredQueue()
        self.lost: Deferred[Any] = Deferred()

    def connectionMade(self) -> None:
        if self.greeting is not None:
            self.transport.sendMessage(self.greeting)

    def messageReceived(self, message: Any) -> None:
        self._received.put(message)

    def frameReceived(self, frame: Any) -> None:
        self._received.put(frame)

    async def next(self) -> Any:
        """
        @return: the next message or frame.
        @raise Exception: the reason, if none will come.
        """
        received = await self._received.get()
        if isinstance(received, Exception):
            raise received
        return received

    def pingReceived(self, payload: bytes) -> None:
        self.pings.put(payload)

    def fail(self, error: Exception) -> None:
        """
        Nothing more will come.
        """
        self._received.put(error)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self.fail(reason.value)
        self.lost.callback(reason.value)


class Greeter(Side):
    """
    Speaks first.
    """

    greeting = message("text", 5)


@dataclass
class Link:
    """
    A connection, seen from both ends.

    @ivar us: our end.
    @ivar them: the peer's end.
    @ivar opened: the event by which the peer told that it is open.
    @ivar url: where the client connected to.
    """

    us: Side
    them: Conversation
    opened: dict[str, Any]
    url: str


class Ends:
    """
    A mixin: the base of both directions.

    @cvar peer: the row of the table.
    @cvar version: the protocol version.
    @cvar isSecure: whether it goes over TLS.
    """

    timeout = 60
    peer: Peer
    version: int
    isSecure: bool

    def setUp(self) -> None:
        self.process = peerProcess(self.peer)
        # The first to be added is the last to be done.
        self.addCleanup(self.process.rest)

    async def link(
        self,
        receiver: type[Side] = Side,
        *,
        path: str = "/",
        protocols: Iterable[str] = (),
        origin: str | None = None,
        deflate: Any = None,
        **options: Any,
    ) -> Link:
        """
        Open a connection.

        @param receiver: what our end is.
        @param path: what is asked for, by whom the client is.
        @param protocols: the subprotocols asked for, likewise.
        @param origin: the origin claimed, likewise.
        @param deflate: what the peer does about compression, as in C{common.py}.
        @param options: of our configuration.
        """
        raise NotImplementedError

    def carry(self, factory: Any) -> Any:
        """
        @return: what our server is to listen with, in place of its factory.
        """
        return factory

    async def hangUp(self, us: Side) -> None:
        """
        End a connection, if its test did not.
        """
        us.transport.close()
        await us.transport.whenClosed()

    async def assertNext(
        self, them: Conversation, event: str, **fields: Any
    ) -> dict[str, Any]:
        """
        Assert what the peer tells next.
        """
        told = await them.next()
        wanted = {"event": event, **fields}
        self.assertEqual({name: told.get(name) for name in wanted}, wanted)
        return told

    async def assertTheyGet(self, link: Link, kind: str, size: int) -> None:
        """
        Assert that the message which was sent has arrived.
        """
        await self.assertNext(link.them, **describe(message(kind, size)))

    async def assertWeGet(self, link: Link, kind: str, size: int) -> None:
        """
        Assert that the message which the peer sent has arrived.
        """
        received = await link.us.next()
        self.assertEqual(describe(received), describe(message(kind, size)))

    async def exchange(self, link: Link, kind: str, size: int) -> None:
        """
        Send a message there, and one of the same kind and size back.
        """
        link.us.transport.sendMessage(message(kind, size))
        await self.assertTheyGet(link, kind, size)
        link.them.do("send", kind=kind, size=size)
        await self.assertWeGet(link, kind, size)


class CountedProtocol(WebSocketProtocol):
    """
    Tells its factory when its carrier is gone.
    """

    factory: CountingFactory

    def connectionMade(self) -> None:
        self.factory.carriers.add(self)
        super().connectionMade()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        super().connectionLost(reason)
        self.factory.carriers.remove(self)
        if not self.factory.carriers:
            self.factory.idle.callback(None)
            self.factory.idle = Deferred()


class CountingFactory(WebSocketFactory):
    """
    Knows all its carriers: also those of clients that it refused, which live on until
    the client closes them.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.carriers: set[CountedProtocol] = set()
        self.idle: Deferred[None] = Deferred()

    def buildProtocol(self, addr: Any) -> CountedProtocol:
        return CountedProtocol(self)

    async def stop(self) -> None:
        """
        Wait for all of them, within C{closeTimeout}.
        """
        await self.closeAllConnections()
        if self.carriers:
            await self.idle


class ServerEnd(Ends):
    """
    A mixin: the peer is the client.
    """

    async def listen(self, application: Any, **options: Any) -> str:
        """
        Serve.

        @return: the URL, without a path.
        """
        factory = CountingFactory(
            application, ServerConfig(protocols=("chat.v1",), **options)
        )
        kind = "ssl" if self.isSecure else "tcp"
        description = f"{kind}:0:interface=127.0.0.1"
        if self.isSecure:
            files = certificates().files
            description += f":privateKey={files['key']}:certKey={files['certificate']}"
        port = await serverFromString(reactor, description).listen(self.carry(factory))
        self.addCleanup(port.stopListening)
        self.addCleanup(factory.stop)
        scheme = "wss" if self.isSecure else "ws"
        return f"{scheme}://127.0.0.1:{port.getHost().port}"

    def callUp(
        self,
        url: str,
        protocols: Iterable[str] = (),
        origin: str | None = None,
        *,
        isTrusting: bool = True,
        alpn: Iterable[str] = (),
        deflate: Any = None,
    ) -> Conversation:
        """
        Have the peer connect.

        @param isTrusting: whether it trusts the authority of our certificate.
        @param alpn: the protocols that it offers in the TLS handshake.
        @param deflate: what it does about compression, as in C{common.py}.
        """
        authority = None
        if self.isSecure:
            known = certificates()
            authority = known.authority if isTrusting else known.stranger
        them = self.process.converse()
        them.do(
            "connect",
            url=url,
            version=self.version,
            protocols=list(protocols),
            origin=origin,
            ca=authority,
            alpn=list(alpn),
            deflate=deflate,
        )
        return them

    async def link(
        self,
        receiver: type[Side] = Side,
        *,
        path: str = "/",
        protocols: Iterable[str] = (),
        origin: str | None = None,
        deflate: Any = None,
        **options: Any,
    ) -> Link:
        """
        See L{Ends.link}.
        """
        us = receiver()
        url = await self.listen(Factory.forProtocol(lambda: us), **options) + path
        them = self.callUp(url, protocols, origin, deflate=deflate)
        them.onError = us.fail
        opened = await self.assertNext(them, "open")
        self.addCleanup(self.hangUp, us)
        return Link(us, them, opened, url)


class ClientEnd(Ends):
    """
    A mixin: the peer is the server.
    """

    async def urlFor(
        self,
        them: Conversation,
        path: str = "/",
        host: str = "127.0.0.1",
        deflate: Any = None,
    ) -> str:
        """
        @param deflate: what the server does about compression, as in C{common.py}.
        @return: where to connect to.
        """
        scheme = "wss" if self.isSecure else "ws"
        port = await self.process.port(self.isSecure, deflate)
        return f"{scheme}://{host}:{port}{path}?id={them.number}"

    def client(self, isTrusting: bool = True, **options: Any) -> WebSocketClient:
        """
        Make a client of ours.

        @param isTrusting: whether it trusts the authority of the peer's certificate.
        """
        policy = None
        if self.isSecure and isTrusting:
            trusted = Certificate.loadPEM(certificates().trusted)
            policy = BrowserLikePolicyForHTTPS(trustRootFromCertificates([trusted]))
        config = ClientConfig(**{"webSocketVersion": self.version, **options})
        return WebSocketClient(reactor, config, policy)

    async def link(
        self,
        receiver: type[Side] = Side,
        *,
        path: str = "/",
        protocols: Iterable[str] = (),
        origin: str | None = None,
        deflate: Any = None,
        **options: Any,
    ) -> Link:
        """
        See L{Ends.link}.
        """
        them = self.process.converse()
        url = await self.urlFor(them, path, deflate=deflate)
        us = await self.client(**options).connect(
            url, receiver(), protocols=protocols, origin=origin
        )
        self.addCleanup(self.hangUp, us)
        them.onError = us.fail
        opened = await self.assertNext(them, "open")
        return Link(us, them, opened, url)

    async def assertNotConnected(
        self,
        client: WebSocketClient,
        expected: type[Exception],
        path: str = "/",
        host: str = "127.0.0.1",
    ) -> Any:
        """
        Assert that C{client} does not get connected.

        @return: why.
        """
        url = await self.urlFor(self.process.converse(), path, host)
        return await self.assertFailure(client.connect(url, Side()), expected)
