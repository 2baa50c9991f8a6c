# -*- test-case-name: tests.examples.test_simple -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The server of WebSocket-Node's README: sends back what it gets, text and binary::

    python -m examples.simple_server

It is a L{twisted.web} site, where every path is a WebSocket and none is a page: a
browser that asks for one gets 404.
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
from twisted.web.pages import notFound
from twisted.web.server import Site

from twisted_ws import (
    MessageReceiver,
    WebSocketFactory,
    WebSocketRequest,
    WebSocketResource,
)

log = Logger()


class Echo(MessageReceiver):
    """
    Sends back what it gets.
    """

    def connectionMade(self) -> None:
        """
        Have nothing received while the client leaves its echoes unread: else they
        would pile up here.
        """
        log.info("Connection accepted.")
        self.transport.registerProducer(self.transport, True)

    def messageReceived(self, message: str | bytes) -> None:
        """
        Send it back.  It may be anything, so what is logged is a literal, cut.
        """
        if isinstance(message, str):
            log.info("Received Message: {start!r}", start=message[:80])
        else:
            log.info("Received Binary Message of {size} bytes", size=len(message))
        self.transport.sendMessage(message)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The client is gone.
        """
        log.info(
            "Peer {peer} disconnected: {reason}",
            peer=self.transport.request.remoteAddress,
            reason=reason.value,
        )


def originIsAllowed(request: WebSocketRequest) -> bool:
    """
    Put the logic here that tells whether pages of C{request.origin} may connect.

    This one asks the C{allowedOrigins} of the server's configuration: by default
    pages of the server's own origin, and programs that are no browsers, have it.
    """
    return request.isOriginAllowed()


def answer(request: WebSocketRequest) -> None:
    """
    Accept a request, or reject it.
    """
    if not originIsAllowed(request):
        log.info("Connection from origin {origin!r} rejected.", origin=request.origin)
        request.reject(403, "Origin Not Allowed")
        return
    # None, which is a WebSocket without a subprotocol, if the client asked for none.
    request.accept(Echo(), request.chooseProtocol(["echo-protocol"]))


async def main(reactor: Any, options: Namespace) -> None:
    """
    Serve until interrupted.
    """
    factory = WebSocketFactory(answer, reactor=reactor)
    site = Site(WebSocketResource(factory, fallback=notFound()))
    try:
        endpoint = serverFromString(reactor, f"tcp:{options.port}")
        port = await endpoint.listen(site)
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
    return parser.parse_args(arguments)


if __name__ == "__main__":
    options = parse()
    startLogging(sys.stdout, setStdout=False)
    react(main, [options])
