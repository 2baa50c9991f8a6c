# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The server that is soaked: it listens on TCP and on TLS, and tells what it holds; run
by L{benchmarks.readings.Watched}.
"""

from __future__ import annotations

import sys
from typing import Any

import trustme
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.ssl import PrivateCertificate
from twisted.protocols.basic import FileSender
from twisted.python.failure import Failure

from benchmarks.readings import Reading, Watch, reactor
from twisted_ws import (
    ConnectionClosed,
    ConnectionNotOpen,
    Inbox,
    MessageReceiver,
    PerMessageDeflate,
    Router,
    ServerConfig,
    WebSocketFactory,
)

NEWS = "news: "
"""
How a message begins that was sent to all.
"""


def config(patience: float) -> ServerConfig:
    """
    @param patience: seconds that a peer's faults are put up with.
    """
    return ServerConfig(
        extensions=(PerMessageDeflate(),),
        keepaliveInterval=patience,
        keepaliveGracePeriod=patience,
        closeTimeout=patience / 2,
        handshakeTimeout=patience,
        sendStallTimeout=patience,
    )


class Echo(MessageReceiver):
    """
    Sends everything back; but closes when it is told so.
    """

    def messageReceived(self, message: Any) -> Any:
        """
        The Deferred keeps a peer that does not read from sending more.
        """
        if message == "close":
            return self.transport.close(1000, "as you wish")
        try:
            return self.transport.sendMessage(message)
        except ConnectionNotOpen:
            return None


class Pulled(Inbox):
    """
    Sends everything back too, as a coroutine does it.
    """

    def connectionMade(self) -> None:
        """
        Begin.
        """
        ensureDeferred(self._echo())

    async def _echo(self) -> None:
        try:
            async for message in self:
                self.send(message)
                await self.transport.whenWritable()
        except (ConnectionClosed, ConnectionNotOpen):
            pass


class Zeros:
    """
    A file of zeros.
    """

    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, size: int) -> bytes:
        """
        As files do.
        """
        size = min(size, self._left)
        self._left -= size
        return bytes(size)


class Download(MessageReceiver):
    """
    Sends as many bytes as it is asked for, as a producer does it.
    """

    def messageReceived(self, message: Any) -> None:
        """
        One at a time.
        """
        outgoing = self.transport.beginMessage(compress=False)
        sent: Deferred[Any] = FileSender().beginFileTransfer(
            Zeros(int(message)), outgoing
        )
        sent.addCallbacks(lambda last: outgoing.finish(), self._interrupted)

    def _interrupted(self, failure: Failure) -> None:
        """
        The peer has left, which is no news here: C{connectionLost} tells it.
        """


class News(MessageReceiver):
    """
    Sends what it gets to all connections of the server.
    """

    def __init__(self, factory: Any) -> None:
        self._factory = factory

    def messageReceived(self, message: Any) -> None:
        """
        To all, its sender included.
        """
        self._factory.broadcast(NEWS + message)


def application(server: Soaked) -> Router:
    """
    @return: what is served.
    """
    router = Router()
    router.mount("/echo", "*", Echo)
    router.mount("/pulled", "*", Pulled)
    router.mount("/download", "*", Download)
    router.mount("/news", "*", lambda request: request.accept(News(server.factory)))
    router.mount("/refused", "*", lambda request: request.reject(403))
    router.mount("/undecided", "*", lambda request: None)
    return router


class Soaked(Watch):
    """
    The server.
    """

    def __init__(self, patience: float) -> None:
        self.factory = WebSocketFactory(application(self), config(patience))
        issued = trustme.CA().issue_cert("localhost")
        pem = issued.private_key_and_cert_chain_pem.bytes()
        options = PrivateCertificate.loadPEM(pem).options()
        tcp = reactor.listenTCP(0, self.factory, 1024, "127.0.0.1")
        tls = reactor.listenSSL(0, self.factory, options, 1024, "127.0.0.1")
        Watch.__init__(self, tcp=tcp.getHost().port, tls=tls.getHost().port)

    def more(self) -> Reading:
        """
        How many are connected.
        """
        return {
            "connections": len(self.factory.connections),
            "pending": len(self.factory.pendingRequests),
        }


if __name__ == "__main__":
    Soaked(float(sys.argv[2]))
    reactor.run()
