# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The clients of the soak: what they have in common, and how they come and go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from twisted.internet.defer import DeferredList, ensureDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import deferLater

from benchmarks.readings import reactor
from twisted_ws import ClientConfig, PerMessageDeflate, WebSocketClient

SIZES = (0, 1, 125, 126, 1000, 4096, 65535, 65536, 100_000, 1 << 18)
BINARY = Random(0).randbytes(1 << 16) + bytes(range(256)) * 768
TEXT = "".join(map(chr, range(0x400, 0x500))) * 512


class NotAsExpected(Exception):
    """
    The server did something else than it had to.
    """


Life = Callable[["Clients"], Awaitable[None]]


class Clients:
    """
    Clients that come and go.

    @ivar patience: that of the server, see L{benchmarks.soak.server.config}.
    @ivar random: decides for them.
    @ivar lives: how many have been lived, by name.
    @ivar failures: what was not as expected.
    @ivar cut: how many lives were cut short since the round was over.
    @ivar carriers: what to abort when it is.
    """

    def __init__(self, tcp: int, tls: int, patience: float, seed: int) -> None:
        self.patience = patience
        self.random = Random(seed)
        self.lives: Counter[str] = Counter()
        self.failures: list[str] = []
        self.cut = 0
        self.carriers: set[Any] = set()
        self.plain = TCP4ClientEndpoint(reactor, "127.0.0.1", tcp)
        # Whether the certificate is right is not what is measured.
        self.underTLS = TCP4ClientEndpoint(reactor, "127.0.0.1", tls)
        self.tls = wrapClientTLS(_TrustAll(), self.underTLS)
        self._over = False

    # For the lives

    def endpoint(self) -> Any:
        """
        @return: one of the two ways to the server.
        """
        return self.random.choice((self.plain, self.tls))

    async def connect(self, path: str, receiver: Any = None) -> Any:
        """
        @return: an open connection's receiver; half of them compress.
        """
        deflate = (PerMessageDeflate(),) if self.random.random() < 0.5 else ()
        config = ClientConfig(extensions=deflate, closeTimeout=self.patience * 4)
        client = WebSocketClient(reactor, config, endpoint=self.endpoint())
        opened = await client.connect(f"ws://localhost{path}", receiver)
        transport = opened.transport
        self.carriers.add(transport)
        transport.whenClosed().addCallback(
            lambda ended: self.carriers.discard(transport)
        )
        return opened

    async def pause(self, seconds: float) -> None:
        """
        Wait.
        """
        await deferLater(reactor, seconds)

    def message(self) -> str | bytes:
        """
        @return: a message.
        """
        size = self.random.choice(SIZES)
        if self.random.random() < 0.5:
            at = self.random.randrange(len(BINARY) - size + 1)
            return BINARY[at : at + size]
        at = self.random.randrange(len(TEXT) - size // 2 + 1)
        return TEXT[at : at + size // 2] + "." * (size % 2)

    def expect(self, isSo: bool, what: str) -> None:
        """
        @raise NotAsExpected: if it is not.
        """
        if not isSo:
            raise NotAsExpected(what)

    # Rounds

    async def churn(self, lives: list[Life], connections: int, seconds: float) -> None:
        """
        Keep that many lives going for that long; then let them end, and cut short
        those that do not within C{patience}.
        """
        self._over = False
        until = reactor.seconds() + seconds
        slots = [ensureDeferred(self._liveOn(lives, until)) for _ in range(connections)]
        ended = DeferredList(slots, consumeErrors=True)
        cutting = reactor.callLater(seconds + self.patience, self._cut)
        results: Any = await ended
        if cutting.active():
            cutting.cancel()
        for succeeded, failure in results:
            if not succeeded:
                self.failures.append(failure.getTraceback())

    def _cut(self) -> None:
        self._over = True
        for carrier in list(self.carriers):
            carrier.abortConnection()

    async def _liveOn(self, lives: list[Life], until: float) -> None:
        # Not all at once.
        await self.pause(self.random.random() * min(1, self.patience))
        while reactor.seconds() < until:
            life = self.random.choice(lives)
            name = life.__name__
            self.lives[name] += 1
            try:
                await life(self)
            except Exception as error:
                if self._over:
                    self.cut += 1
                else:
                    self.failures.append(f"{name}: {error!r}")


class _TrustAll(CertificateOptions):
    """
    A client's side of TLS that asks for no certificate.
    """

    def clientConnectionForTLS(self, protocol: Any) -> Any:
        """
        See L{IOpenSSLClientConnectionCreator}.
        """
        from OpenSSL.SSL import Connection

        return Connection(self.getContext(), None)
