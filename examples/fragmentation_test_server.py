# -*- test-case-name: tests.examples.test_fragmentation_sizes -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The fragmentation test server of WebSocket-Node: sends messages of the sizes that it is
asked for, in fragments::

    python -m examples.fragmentation_test_server --port=8080 --fragment=16384

C{sendMessage|N} asks for N bytes of text, C{sendBinaryMessage|N} for N random ones.
Open http://localhost:8080/, or run C{examples.fragmentation_test_client}.
"""

from __future__ import annotations

import re
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from random import randbytes
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import connectionDone
from twisted.internet.task import react
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.log import startLogging
from twisted.web.server import Site

from twisted_ws import (
    MessageReceiver,
    Router,
    ServerConfig,
    WebSocketFactory,
    WebSocketResource,
)
from twisted_ws.demo import Page

log = Logger()

LARGEST = 16 << 20
"""
Bytes of the largest message that one may ask for.
"""

LOREM = (
    "  Lorem ipsum dolor sit amet, consectetuer adipiscing elit, sed diam nonummy nibh"
    " euismod tincidunt ut laoreet dolore magna aliquam erat volutpat."
)

COMMAND = re.compile(r"send(Binary)?Message\|([0-9]+)")


class MadeToMeasure(MessageReceiver):
    """
    Sends what it is asked for.
    """

    def connectionMade(self) -> None:
        """
        Read nothing more while the client has not read what it asked for.
        """
        self._peer = self.transport.request.remoteAddress
        log.info("connection accepted from {peer}", peer=self._peer)
        self.transport.registerProducer(self.transport, True)

    def messageReceived(self, message: str | bytes) -> None:
        """
        Send that; what is no command is ignored.
        """
        asked = COMMAND.fullmatch(message) if isinstance(message, str) else None
        if asked is None:
            return
        isBinary, size = asked[1] is not None, int(asked[2])
        if size > LARGEST:
            log.info("{peer} asked for too much: {size}", peer=self._peer, size=size)
            self.transport.close(1008, f"no more than {LARGEST} bytes")
            return
        if isBinary:
            self.transport.sendMessage(randbytes(size))
        else:
            text = LOREM * (size // len(LOREM) + 1)
            self.transport.sendMessage(text[:size])
        log.info(
            "sent {size} byte {kind} message to {peer}",
            size=size,
            kind="binary" if isBinary else "utf-8",
            peer=self._peer,
        )

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The client is gone.
        """
        log.info(
            "peer {peer} disconnected: {reason}", peer=self._peer, reason=reason.value
        )


async def main(reactor: Any, options: Namespace) -> None:
    """
    Serve until interrupted.
    """
    router = Router()
    router.mount("*", "fragmentation-test", MadeToMeasure)
    config = ServerConfig(
        fragmentOutgoingMessages=not options.no_fragmentation,
        fragmentationThreshold=options.fragment,
        # Whatever is longer is no command.
        maxReceivedMessageSize=100,
    )
    factory = WebSocketFactory(router, config, reactor)
    page = Path(__file__).with_name("fragmentation_test_page.html").read_text("utf-8")
    site = Site(WebSocketResource(factory, fallback=Page(page)))
    try:
        endpoint = serverFromString(reactor, f"tcp:{options.port}")
        port = await endpoint.listen(site)
    except (CannotListenError, OverflowError) as error:
        raise SystemExit(f"Cannot listen: {error}") from None
    # Every client gets 1001, Going Away, before the reactor stops.
    reactor.addSystemEventTrigger("before", "shutdown", factory.closeAllConnections)
    number = port.getHost().port
    log.info("Server is listening on port {port}", port=number)
    log.info("Point your browser to http://localhost:{port}/", port=number)
    if options.no_fragmentation:
        log.info("Fragmentation disabled.")
    else:
        log.info("Fragmenting messages at {size} bytes", size=options.fragment)
    await Deferred()


def parse(arguments: list[str] | None = None) -> Namespace:
    """
    Read the command line.
    """
    parser = ArgumentParser(description="Send messages in fragments.")
    parser.add_argument("--port", type=int, default=8080, help="0 for any")
    parser.add_argument("--fragment", type=int, default=16384, help="bytes of each")
    parser.add_argument("--no-fragmentation", action="store_true")
    options = parser.parse_args(arguments)
    if options.fragment < 1:
        parser.error("--fragment is 1 or more")
    return options


if __name__ == "__main__":
    options = parse()
    startLogging(sys.stdout, setStdout=False)
    react(main, [options])
