# -*- test-case-name: tests.examples.test_libwebsockets -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The test server of libwebsockets, as WebSocket-Node has it: a number that counts, and a
canvas that all share who look at it::

    python -m examples.libwebsockets_test_server --port=8080

Open http://localhost:8080/ in two windows, and draw; or run
C{examples.libwebsockets_test_client}.  With C{--secure --key=FILE --cert=FILE} it is
https and wss.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from pathlib import Path
from random import randrange
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.task import react
from twisted.logger import Logger
from twisted.python.log import startLogging
from twisted.web.server import Site

from twisted_ws import (
    Cookie,
    Router,
    ServerCertificates,
    WebSocketFactory,
    WebSocketRequest,
    WebSocketResource,
)
from twisted_ws.demo import Board, Counter, CounterFactory, Member, Page

CERTIFICATE = """--secure needs --key and --cert; to make them for localhost:

openssl req -x509 -newkey rsa:2048 -nodes -days 30 -keyout key.pem -out cert.pem \\
  -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1"""

log = Logger()


class Increment(Counter):
    """
    Sends a number every 50 milliseconds; C{"reset\\n"} begins anew.
    """

    def reset(self) -> None:
        """
        Begin anew.
        """
        log.info("increment reset received")
        Counter.reset(self)


class Mirror(Member):
    """
    Sends what one draws to all, itself included; C{"clear;"} empties the canvas.
    """

    def greet(self) -> None:
        """
        Send a newcomer all there is, in one message; if there is nothing, none.
        """
        history = self.factory.drawing
        if history:
            log.info(
                "sending mirror protocol history to client; {peer} : {size} bytes",
                peer=self.transport.request.remoteAddress,
                size=len(history.encode()),
            )
            self.show(history)


def admit(
    request: WebSocketRequest, factory: Any, cookies: Iterable[Cookie] = ()
) -> None:
    """
    Accept a request with what C{factory} makes, if its page is one of ours.
    """
    if not request.isOriginAllowed():
        request.reject(403, "Origin Not Allowed")
        return
    who = {"protocol": request.protocol, "peer": request.remoteAddress}
    log.info(
        "{protocol} connection accepted from {peer} - Protocol Version {version}",
        version=request.webSocketVersion,
        **who,
    )
    connection = request.accept(factory.buildProtocol(request.peer), cookies=cookies)
    connection.whenClosed().addCallback(
        lambda ended: log.info(
            "{protocol} peer {peer} disconnected, code: {code}.",
            code=ended.code,
            **who,
        )
    )


def makeRouter(reactor: Any) -> Router:
    """
    @return: both applications, on any path.
    """
    counter = CounterFactory(reactor)
    counter.protocol = Increment
    board = Board()
    board.protocol = Mirror

    def increment(request: WebSocketRequest) -> None:
        admit(request, counter)

    def mirror(request: WebSocketRequest) -> None:
        cookie = Cookie(
            "TestCookie",
            f"CookieValue{randrange(1000)}",
            path="/",
            maxAge=5000,
            httpOnly=True,
        )
        admit(request, board, [cookie])

    router = Router()
    router.mount("*", "dumb-increment-protocol", increment)
    router.mount("*", "lws-mirror-protocol", mirror)
    return router


async def main(reactor: Any, options: Namespace) -> None:
    """
    Serve until interrupted.
    """
    page = Path(__file__).with_name("libwebsockets_test.html").read_text("utf-8")
    factory = WebSocketFactory(makeRouter(reactor), reactor=reactor)
    site = Site(WebSocketResource(factory, fallback=Page(page)))
    try:
        endpoint = serverFromString(reactor, f"tcp:{options.port}")
        if options.secure:
            certificates = ServerCertificates([options.cert], [options.key])
            endpoint = certificates.wrap(endpoint)
        port = await endpoint.listen(site)
    except (CannotListenError, OverflowError, OSError, ValueError) as error:
        raise SystemExit(f"Cannot listen: {error}") from None
    # Every client gets 1001, Going Away, before the reactor stops.
    reactor.addSystemEventTrigger("before", "shutdown", factory.closeAllConnections)
    number = port.getHost().port
    scheme = "https" if options.secure else "http"
    log.info("Server is listening on port {port}", port=number)
    log.info("Point your browser to {url}", url=f"{scheme}://localhost:{number}/")
    await Deferred()


def parse(arguments: list[str] | None = None) -> Namespace:
    """
    Read the command line.
    """
    parser = ArgumentParser(description="Serve the protocols of libwebsockets' tests.")
    parser.add_argument("--port", type=int, required=True, help="0 for any")
    parser.add_argument("--secure", action="store_true", help="speak TLS")
    parser.add_argument("--key", metavar="FILE", help="its private key, as PEM")
    parser.add_argument("--cert", metavar="FILE", help="its certificate, as PEM")
    options = parser.parse_args(arguments)
    if options.secure and not (options.key and options.cert):
        parser.error(CERTIFICATE)
    if not options.secure and (options.key or options.cert):
        parser.error("--key and --cert are for --secure")
    return options


if __name__ == "__main__":
    options = parse()
    startLogging(sys.stdout, setStdout=False)
    react(main, [options])
