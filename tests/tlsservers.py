# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The base of the tests of servers over TLS, with sockets.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import DeferredQueue
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    connectProtocol,
    serverFromString,
    wrapClientTLS,
)
from twisted.internet.task import Clock
from twisted.web.resource import Resource
from twisted.web.server import Site

from twisted_ws import (
    Inbox,
    ServerCertificates,
    ServerConfig,
    TLSPolicy,
    WebSocketClient,
    WebSocketFactory,
    WebSocketResource,
)

from .sockets import Ending, SocketTests
from .tlspeers import (
    Files,
    Spoken,
    makeContext,
    pemOf,
    root,
    trustme,
)


class BuildingFactory(WebSocketFactory):
    """
    @ivar built: the protocols, as they are built.
    """

    def __init__(self, *arguments: Any) -> None:
        WebSocketFactory.__init__(self, *arguments)
        self.built: DeferredQueue[Any] = DeferredQueue()

    def buildProtocol(self, address: Any) -> Any:
        built = WebSocketFactory.buildProtocol(self, address)
        self.built.put(built)
        return built


class TLSServerTests(SocketTests):
    """
    The base of the tests: a server, and clients of two kinds.

    @ivar accepted: fires with each receiver of the server, one after the other.
    """

    if trustme is None:
        skip = "trustme is not installed"
    timeout = 60

    def setUp(self) -> None:
        SocketTests.setUp(self)
        self.files = Files(self.mktemp())
        self.receivers: list[Ending] = []
        self.clock: Clock | None = None

    def makeServer(self, inSite: bool = False, **options: Any) -> Any:
        """
        Make a server that sends back what it gets, also as what is at C{/} in a Site.

        @return: what is to listen.
        """

        def receiver(request: Any) -> None:
            self.receivers.append(Ending())
            request.accept(self.receivers[-1])

        config = ServerConfig(**options)
        self.factory = BuildingFactory(receiver, config, self.clock)
        if not inSite:
            return self.factory
        root = Resource()
        root.putChild(b"", WebSocketResource(self.factory))
        site = Site(root, reactor=self.clock or reactor)
        site.noisy = False
        return site

    async def listenAt(self, endpoint: Any, factory: Any) -> None:
        """
        Listen.
        """
        port = await endpoint.listen(factory)
        self.addCleanup(port.stopListening)
        self.addCleanup(self.factory.closeAllConnections)
        self.address = port.getHost()

    def certificates(self, *issued: Any, **options: Any) -> ServerCertificates:
        """
        @return: a server's certificates, each in a file with its key.
        """
        names = [
            self.files.write(f"{number}.pem", pemOf(each))
            for number, each in enumerate(issued)
        ]
        return ServerCertificates(names, **options)

    def over(self, certificates: ServerCertificates) -> Any:
        """
        @return: an endpoint that has them, at any port.
        """
        return certificates.wrap(serverFromString(reactor, "tcp:0:interface=127.0.0.1"))

    def dial(self) -> Any:
        """
        @return: an endpoint that connects there, over TCP.
        """
        return TCP4ClientEndpoint(reactor, "127.0.0.1", self.address.port)

    async def speak(
        self, context: Any = None, name: bytes | None = None, early: bytes = b""
    ) -> Spoken:
        """
        Connect a peer whose TLS is in our hands, and wait for its handshake.
        """
        peer = Spoken(context or makeContext(), name)
        await connectProtocol(self.dial(), peer)
        self.addCleanup(self.drop, peer)
        await peer.established
        if early:
            peer.send(early)
        return peer

    async def connectTo(
        self, name: str = "localhost", policy: Any = None, config: Any = None
    ) -> Inbox:
        """
        Connect our client, as to a host of that name.
        """
        policy = policy or TLSPolicy(root())
        netloc = name.strip("[]").encode()
        creator = policy.creatorForNetloc(netloc, self.address.port)
        endpoint = wrapClientTLS(creator, self.dial())
        client = WebSocketClient(reactor, config, endpoint=endpoint)
        return await client.connect(f"wss://{name}/")

    async def receiver(self) -> Ending:
        """
        @return: the server's newest receiver, connected.
        """
        return await self.receivers[-1].whenMade
