# -*- test-case-name: tests.examples.test_autobahn -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The server to be tested by the Autobahn Testsuite: sends back all it gets, up to 64
MiB, to whoever asks::

    python -m examples.echo_server --port=8080
    wstest -m fuzzingclient -s examples/autobahn/fuzzingclient.json

Its options are those that WebSocket-Node is tested with.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import connectionDone
from twisted.internet.task import react
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.log import startLogging

from twisted_ws import (
    PerMessageDeflate,
    ServerConfig,
    WebSocketFactory,
    WebSocketRequest,
)
from twisted_ws.demo import Echo

log = Logger()

CONFIG = ServerConfig(
    maxReceivedFrameSize=64 << 20,
    maxReceivedMessageSize=64 << 20,
    # Some of the cases are 4 MiB in frames of 64 bytes.
    maxReceivedFragments=1 << 17,
    fragmentOutgoingMessages=False,
    keepalive=False,
    disableNagleAlgorithm=False,
    extensions=(PerMessageDeflate(),),
)


class LoudEcho(Echo):
    """
    An echo that tells what it does.
    """

    def connectionMade(self) -> None:
        """
        A client came.
        """
        version = self.transport.request.webSocketVersion
        log.info("Connection accepted - Protocol Version {version}", version=version)
        Echo.connectionMade(self)

    def messageReceived(self, message: str | bytes) -> None:
        """
        A message came.
        """
        isText = isinstance(message, str)
        log.info(
            "Received {kind} of {size} {unit}",
            kind="utf-8 message" if isText else "Binary Message",
            size=len(message),
            unit="characters" if isText else "bytes",
        )
        Echo.messageReceived(self, message)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        A client went.
        """
        log.info(
            "Peer {peer} disconnected: {reason}",
            peer=self.transport.request.remoteAddress,
            reason=reason.value,
        )


async def main(reactor: Any, options: Namespace) -> None:
    """
    Serve until interrupted.
    """
    receiver = LoudEcho if options.debug else Echo

    def acceptAll(request: WebSocketRequest) -> None:
        """
        Accept whoever asks, with the subprotocol that it likes best.  Only a test
        server may do that: see C{originIsAllowed} in C{examples.simple_server}.
        """
        request.accept(receiver(), next(iter(request.requestedProtocols), None))

    factory = WebSocketFactory(acceptAll, CONFIG, reactor)
    try:
        endpoint = serverFromString(reactor, f"tcp:{options.port}")
        port = await endpoint.listen(factory)
    except (CannotListenError, OverflowError) as error:
        raise SystemExit(f"Cannot listen: {error}") from None
    # Every client gets 1001, Going Away, before the reactor stops.
    reactor.addSystemEventTrigger("before", "shutdown", factory.closeAllConnections)
    log.info("Server is listening on port {port}", port=port.getHost().port)
    await Deferred()


def parse(arguments: list[str] | None = None) -> Namespace:
    """
    Read the command line.
    """
    parser = ArgumentParser(description="Send back what is received.")
    parser.add_argument("--port", type=int, default=8080, help="0 for any")
    parser.add_argument("--debug", action="store_true", help="tell of each message")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    options = parse()
    startLogging(sys.stdout, setStdout=False)
    react(main, [options])
