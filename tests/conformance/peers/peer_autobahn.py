# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
An echo server and an echo client of Autobahn on Twisted; see L{common}.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from autobahn.twisted.websocket import (
    WebSocketClientFactory,
    WebSocketClientProtocol,
    WebSocketServerFactory,
    WebSocketServerProtocol,
    connectWS,
)
from autobahn.websocket.compress import (
    PerMessageDeflateOffer,
    PerMessageDeflateOfferAccept,
    PerMessageDeflateResponse,
    PerMessageDeflateResponseAccept,
)
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.ssl import Certificate, optionsForClientTLS
from twisted.internet.task import react

from .common import DRAFTS, MAX_MESSAGE, PATIENCE, Arguments, begin, say, tour

OPTIONS: dict[str, Any] = {
    "maxFramePayloadSize": MAX_MESSAGE,
    "maxMessagePayloadSize": MAX_MESSAGE,
    # It would drop connections without a Close frame otherwise; its own tests by the
    # suite have it so.
    "failByDrop": False,
}


def acceptOffer(offers: Iterable[Any]) -> Any:
    """
    Take the first offer of permessage-deflate.
    """
    for offer in offers:
        if isinstance(offer, PerMessageDeflateOffer):
            return PerMessageDeflateOfferAccept(offer)
    return None


def acceptResponse(response: Any) -> Any:
    """
    Take permessage-deflate as the server wants it.
    """
    if isinstance(response, PerMessageDeflateResponse):
        return PerMessageDeflateResponseAccept(response)
    return None


class ServerEcho(WebSocketServerProtocol):
    """
    Sends back what comes.
    """

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """
        Send it back.
        """
        self.sendMessage(payload, isBinary)


class ClientEcho(WebSocketClientProtocol):
    """
    Sends back what comes.
    """

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """
        Send it back.
        """
        self.sendMessage(payload, isBinary)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        """
        It is over.
        """
        self.factory.over.callback(None)


class Fetch(ClientEcho):
    """
    Keeps what comes.
    """

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """
        Keep it.
        """
        self.factory.fetched = payload.decode()


class Visit(WebSocketClientFactory):
    """
    One connection.

    @ivar over: fires when it is over, fails when it never was.
    @ivar fetched: the last message, if it is kept.
    """

    noisy = False
    fetched: str | None = None

    def __init__(self, url: str, protocol: type[ClientEcho], version: int) -> None:
        WebSocketClientFactory.__init__(self, url)
        self.protocol = protocol
        self.over: Deferred[None] = Deferred()
        self.setProtocolOptions(
            version=DRAFTS[version],
            openHandshakeTimeout=PATIENCE,
            perMessageCompressionOffers=[PerMessageDeflateOffer()],
            perMessageCompressionAccept=acceptResponse,
            **OPTIONS,
        )

    def clientConnectionFailed(self, connector: Any, reason: Any) -> None:
        """
        There is no connection.
        """
        self.over.errback(reason)


async def listen(reactor: Any, arguments: Arguments) -> None:
    """
    Be the server.
    """
    factory = WebSocketServerFactory()
    factory.protocol = ServerEcho
    factory.setProtocolOptions(perMessageCompressionAccept=acceptOffer, **OPTIONS)
    description = "tcp:0:interface=127.0.0.1"
    if arguments.files:
        key, certificate = arguments.files
        description = (
            f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}"
        )
    port = await serverFromString(reactor, description).listen(factory)
    say(port.getHost().port)
    await Deferred()


async def visit(reactor: Any, arguments: Arguments) -> None:
    """
    Be the client.
    """
    context = None
    if arguments.files:
        trusted = Certificate.loadPEM(Path(arguments.files[0]).read_bytes())
        context = optionsForClientTLS("127.0.0.1", trustRoot=trusted)

    def open(url: str, protocol: type[ClientEcho]) -> Visit:
        opened = Visit(url, protocol, arguments.version)
        connectWS(opened, context)
        return opened

    async def fetch(url: str) -> str | None:
        opened = open(url, Fetch)
        await opened.over
        return opened.fetched

    async def echo(url: str) -> None:
        await open(url, ClientEcho).over

    await tour(arguments.where, fetch, echo)


async def main(reactor: Any) -> None:
    """
    Do as told.
    """
    arguments = begin()
    await (listen if arguments.role == "server" else visit)(reactor, arguments)


if __name__ == "__main__":
    react(main)
