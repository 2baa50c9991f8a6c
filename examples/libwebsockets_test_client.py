# -*- test-case-name: tests.examples.test_libwebsockets_client -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The test client of libwebsockets, as WebSocket-Node has it: draws circles on the canvas
that all share, and prints the number that counts::

    python -m examples.libwebsockets_test_client --host=127.0.0.1 --port=8080

C{--version=8} speaks the last draft before RFC 6455.  C{--secure} verifies the server's
certificate; C{--ca=FILE} trusts an authority of your own for that, or a certificate
that signed itself.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from random import randint
from typing import Any

from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import connectionDone
from twisted.internet.task import LoopingCall, react
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_ws import (
    ClientConfig,
    ClosedAbruptly,
    MessageReceiver,
    TLSPolicy,
    WebSocketClient,
)


class Talker(MessageReceiver):
    """
    Tells of its beginning and its end.

    @cvar speaks: the subprotocol.
    """

    speaks = ""

    def connectionMade(self) -> None:
        """
        It is open.
        """
        print(f"{self.speaks} connected")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        It is gone.
        """
        print(f"{self.speaks} Connection Closed: {reason.value}")


@implementer(IPushProducer)
class Circles(Talker):
    """
    Sends a circle every 10 milliseconds; but none while the server has enough to read,
    or when the connection begins to close.
    """

    speaks = "lws-mirror-protocol"

    def __init__(self, reactor: Any) -> None:
        self._loop = LoopingCall(self._draw)
        self._loop.clock = reactor

    def connectionMade(self) -> None:
        """
        Begin to draw.
        """
        Talker.connectionMade(self)
        self.transport.registerProducer(self, True)
        self.resumeProducing()

    def _draw(self) -> None:
        colour = randint(0x800000, 0xFFFFFF)
        x, y, radius = randint(0, 502), randint(0, 306), randint(0, 30)
        self.transport.sendMessage(f"c #{colour:06x} {x} {y} {radius};")

    def messageReceived(self, message: str | bytes) -> None:
        """
        A drawing, of ours or of another; there is no canvas here.
        """

    def resumeProducing(self) -> None:
        """
        Draw.
        """
        self._loop.start(0.01)

    def pauseProducing(self) -> None:
        """
        Wait.
        """
        if self._loop.running:
            self._loop.stop()

    stopProducing = pauseProducing


class Numbers(Talker):
    """
    Prints what comes.
    """

    speaks = "dumb-increment-protocol"

    def __init__(self, count: int | None) -> None:
        """
        @param count: after how many it closes the connection; C{None} for never.
        """
        self._left = count

    def messageReceived(self, message: str | bytes) -> None:
        """
        Print the number; what a server sends may be anything, so as a literal, cut.
        """
        print(f"Number: {message[:80]!r}")
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                self.transport.close()


async def main(reactor: Any, options: Namespace) -> None:
    """
    Open both connections, and wait for their end.
    """
    try:
        policy = TLSPolicy(Path(options.ca).read_bytes()) if options.ca else None
    except (OSError, ValueError) as error:
        raise SystemExit(f"Cannot trust {options.ca}: {error}") from None
    config = ClientConfig(webSocketVersion=options.version)
    client = WebSocketClient(reactor, config, policy)
    scheme = "wss" if options.secure else "ws"
    url = f"{scheme}://{options.host}:{options.port}/"
    circles, numbers = Circles(reactor), Numbers(options.count)

    def goodbye() -> Deferred[Any]:
        """
        Close what is open, before the reactor stops.
        """
        opened = [each.transport for each in (circles, numbers) if each.transport]
        for transport in opened:
            transport.close(1001)
        return gatherResults([transport.whenClosed() for transport in opened])

    reactor.addSystemEventTrigger("before", "shutdown", goodbye)
    try:
        await gatherResults(
            [
                client.connect(url, each, protocols=[each.speaks])
                for each in (circles, numbers)
            ],
            consumeErrors=True,
        )
    except FirstError as error:
        raise SystemExit(f"Connect Error: {error.subFailure.value}") from None
    except ValueError as error:
        raise SystemExit(f"Connect Error: {error}") from None

    ends = [await numbers.transport.whenClosed()]
    if options.count is not None:
        circles.transport.close()
    ends.append(await circles.transport.whenClosed())
    if any(isinstance(end, ClosedAbruptly) for end in ends):
        raise SystemExit(1)


def parse(arguments: list[str] | None = None) -> Namespace:
    """
    Read the command line.
    """
    parser = ArgumentParser(description="Talk to libwebsockets-test-server.")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--version", type=int, choices=(8, 13), default=13)
    parser.add_argument("--secure", action="store_true", help="speak TLS")
    parser.add_argument("--ca", metavar="FILE", help="whom to trust, as PEM")
    parser.add_argument("--count", type=int, help="end after so many numbers")
    options = parser.parse_args(arguments)
    if options.ca and not options.secure:
        parser.error("--ca is for --secure")
    if options.count is not None and options.count < 1:
        parser.error("--count is 1 or more")
    return options


if __name__ == "__main__":
    react(main, [parse()])
