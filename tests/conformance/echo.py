# -*- test-case-name: tests.conformance.test_conformance -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What is tested: an echo server and an echo client of twisted_ws; see
L{tests.conformance.peers.common} for how it is run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.interfaces import IProtocolFactory, IStreamServerEndpoint
from twisted.internet.task import react
from twisted.web.server import Site

from twisted_ws import (
    ClientConfig,
    ConnectionClosed,
    ServerCertificates,
    ServerConfig,
    TLSPolicy,
    WebSocketClient,
    WebSocketFactory,
    WebSocketResource,
)
from twisted_ws.demo import Echo
from twisted_ws.extensions import PerMessageDeflate

from .peers.common import (
    MAX_FRAGMENTS,
    MAX_MESSAGE,
    PATIENCE,
    Arguments,
    begin,
    say,
    tour,
)

OPTIONS: dict[str, Any] = {
    "maxReceivedMessageSize": MAX_MESSAGE,
    "maxReceivedFragments": MAX_FRAGMENTS,
    "extensions": (PerMessageDeflate(),),
}
"""
All that is not as it is by default.
"""


async def serve(reactor: Any, arguments: Arguments) -> None:
    """
    Send back what comes.
    """
    echo = WebSocketFactory(Echo, ServerConfig(**OPTIONS), reactor)
    factory: IProtocolFactory = echo
    if arguments.where == "web":
        factory = Site(WebSocketResource(echo), reactor=reactor)
    endpoint: IStreamServerEndpoint = TCP4ServerEndpoint(
        reactor, 0, interface="127.0.0.1"
    )
    if arguments.where == "tls":
        key, certificate = arguments.files
        endpoint = ServerCertificates([certificate], [key]).wrap(endpoint)
    port: Any = await endpoint.listen(factory)
    say(port.getHost().port)
    await Deferred()


async def visit(reactor: Any, arguments: Arguments) -> None:
    """
    Go through the cases of a fuzzing server.
    """
    policy = None
    if arguments.files:
        policy = TLSPolicy(Path(arguments.files[0]).read_bytes())
    config = ClientConfig(
        webSocketVersion=arguments.version, handshakeTimeout=PATIENCE, **OPTIONS
    )
    client = WebSocketClient(reactor, config, policy)

    async def fetch(url: str) -> Any:
        inbox = await client.connect(url)
        try:
            message = await inbox.receive()
        except ConnectionClosed:
            message = None
        await inbox.transport.whenClosed()
        return message

    async def echo(url: str) -> None:
        receiver = await client.connect(url, Echo)
        await receiver.transport.whenClosed()

    await tour(arguments.where, fetch, echo)


async def main(reactor: Any) -> None:
    """
    Do as told.
    """
    arguments = begin()
    await (serve if arguments.role == "server" else visit)(reactor, arguments)


if __name__ == "__main__":
    react(main)
