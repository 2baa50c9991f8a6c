# -*- test-case-name: tests.examples.test_simple -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The client of WebSocket-Node's README: sends a random number every second, and prints
what comes back::

    python -m examples.simple_client ws://localhost:8080/
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from random import randint
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import connectionDone
from twisted.internet.task import LoopingCall, react
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_ws import ClosedAbruptly, MessageReceiver, WebSocketClient


@implementer(IPushProducer)
class Numbers(MessageReceiver):
    """
    Sends numbers, and prints the replies.

    It is the producer of what it sends: it is told to pause while the server does
    not read, and to stop when the connection begins to close.
    """

    def __init__(self, reactor: Any, count: int | None) -> None:
        """
        @param count: after how many replies it closes the connection; C{None} for
            never.
        """
        self._left = count
        self._loop = LoopingCall(self._sendNumber)
        self._loop.clock = reactor

    def connectionMade(self) -> None:
        """
        Begin to send.
        """
        print("WebSocket client connected")
        self.transport.registerProducer(self, True)
        self.resumeProducing()

    def _sendNumber(self) -> None:
        self.transport.sendMessage(str(randint(0, 0xFFFFFF)))

    def messageReceived(self, message: str | bytes) -> None:
        """
        Print it; what a server sends may be anything, so as a literal, cut.
        """
        print(f"Received: {message[:80]!r}")
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                self.transport.close()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        It is over.
        """
        print(f"echo-protocol Connection Closed: {reason.value}")

    def resumeProducing(self) -> None:
        """
        Send.
        """
        self._loop.start(1)

    def pauseProducing(self) -> None:
        """
        Wait.
        """
        if self._loop.running:
            self._loop.stop()

    stopProducing = pauseProducing


async def main(reactor: Any, options: Namespace) -> None:
    """
    Talk until the connection ends.
    """
    try:
        numbers = await WebSocketClient(reactor).connect(
            options.url,
            Numbers(reactor, options.count),
            protocols=["echo-protocol"],
        )
    except Exception as error:
        # Whatever it was, the caller wants one line.
        raise SystemExit(f"Connect Error: {error}") from None
    transport = numbers.transport

    def goodbye() -> Deferred[Any]:
        """
        Close the connection before the reactor stops.
        """
        transport.close(1001)
        closed: Deferred[Any] = transport.whenClosed()
        return closed

    reactor.addSystemEventTrigger("before", "shutdown", goodbye)
    if isinstance(await transport.whenClosed(), ClosedAbruptly):
        raise SystemExit(1)


def parse(arguments: list[str] | None = None) -> Namespace:
    """
    Read the command line.
    """
    parser = ArgumentParser(description="Send numbers to an echo server.")
    parser.add_argument("url", nargs="?", default="ws://localhost:8080/")
    parser.add_argument("--count", type=int, help="end after so many replies")
    options = parser.parse_args(arguments)
    if options.count is not None and options.count < 1:
        parser.error("--count is 1 or more")
    return options


if __name__ == "__main__":
    react(main, [parse()])
