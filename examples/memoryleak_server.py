# -*- test-case-name: tests.examples.test_memoryleak -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The server of WebSocket-Node's pair that looks for leaks: sends back each text after a
second, over TLS, and tells how many are connected and how much memory it has::

    python -m examples.memoryleak_server --port=8080

Without C{--key} and C{--cert} it makes a certificate for itself, and says where
C{examples.memoryleak_client} finds it.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections import deque
from pathlib import Path
from resource import RUSAGE_SELF, getpagesize, getrusage
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Factory, connectionDone
from twisted.internet.task import react
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.log import startLogging

from twisted_ws import (
    ConnectionNotOpen,
    MessageReceiver,
    ServerCertificates,
    ServerConfig,
    WebSocketFactory,
)

from .selfsigned import makeCertificate

log = Logger()

MOST = 16
"""
Echoes that may be due to one client at a time.
"""


class LateEcho(MessageReceiver):
    """
    Sends back a text after a second.
    """

    def connectionMade(self) -> None:
        """
        A client came.
        """
        self._echoes: deque[IDelayedCall] = deque()
        self._peer = self.transport.request.remoteAddress
        self.factory.count += 1
        self.factory.activeCount += 1
        self.transport.registerProducer(self.transport, True)
        self._tell(f"Opened from {self._peer}")

    def _tell(self, what: str) -> None:
        log.info(
            "{what}; active: {count}, memory: {memory:.1f} MiB",
            what=what,
            count=self.factory.activeCount,
            memory=memory(),
        )

    def messageReceived(self, message: str | bytes) -> None:
        """
        Remember it.  Nobody can have us remember more than a little.
        """
        if not isinstance(message, str):
            return
        log.info("Received Message: {start!r}", start=message[:80])
        if len(self._echoes) == MOST:
            self.transport.close(1008, "too many messages at once")
        else:
            self._echoes.append(self.factory.clock.callLater(1, self._send, message))

    def _send(self, message: str) -> None:
        self._echoes.popleft()
        try:
            self.transport.sendMessage(message)
        except ConnectionNotOpen:
            pass  # it is closing

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        A client went: forget what it was to be sent.
        """
        while self._echoes:
            self._echoes.popleft().cancel()
        self.factory.activeCount -= 1
        self._tell(f"Closed {self._peer}: {reason.value}")


class LateEchoes(Factory):
    """
    Makes them, and counts them.

    @ivar count: how many there were so far.
    @ivar activeCount: how many there are.
    """

    protocol = LateEcho  # type: ignore[assignment]

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.count = 0
        self.activeCount = 0


def memory() -> float:
    """
    @return: what this process has in memory, in MiB; where there is no C{/proc}, the
        most that it ever had.
    """
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
        return getrusage(RUSAGE_SELF).ru_maxrss / unit
    return pages * getpagesize() / (1 << 20)


async def main(reactor: Any, options: Namespace, folder: Path) -> None:
    """
    Serve until interrupted.

    @param folder: for a certificate, if one has to be made; nobody else may read it.
    """
    echoes = LateEchoes(reactor)
    config = ServerConfig(maxReceivedMessageSize=4096)
    factory = WebSocketFactory(echoes, config, reactor)
    key, certificate = options.key, options.cert
    if not key:
        key, certificate = makeCertificate(folder)
        log.info("Its certificate is in {file}", file=certificate)
    try:
        certificates = ServerCertificates([certificate], [key])
        endpoint = serverFromString(reactor, f"tcp:{options.port}")
        port: Any = await certificates.wrap(endpoint).listen(factory)
    except (CannotListenError, OverflowError, OSError, ValueError) as error:
        raise SystemExit(f"Cannot listen: {error}") from None

    def report() -> None:
        """
        Tell what is left, when all are gone.
        """
        log.info(
            "Bye. connections: {count}, active: {active}",
            count=echoes.count,
            active=echoes.activeCount,
        )

    # Every client gets 1001, Going Away, before the reactor stops.
    reactor.addSystemEventTrigger("before", "shutdown", factory.closeAllConnections)
    reactor.addSystemEventTrigger("during", "shutdown", report)
    log.info("Server is listening on port {port} (wss)", port=port.getHost().port)
    await Deferred()


def parse(arguments: list[str] | None = None) -> Namespace:
    """
    Read the command line.
    """
    parser = ArgumentParser(description="Send back each text, late, over TLS.")
    parser.add_argument("--port", type=int, default=8080, help="0 for any")
    parser.add_argument("--key", metavar="FILE", help="its private key, as PEM")
    parser.add_argument("--cert", metavar="FILE", help="its certificate, as PEM")
    options = parser.parse_args(arguments)
    if bool(options.key) != bool(options.cert):
        parser.error("--key and --cert go together")
    return options


if __name__ == "__main__":
    options = parse()
    startLogging(sys.stdout, setStdout=False)
    with TemporaryDirectory() as folder:
        react(main, [options, Path(folder)])
