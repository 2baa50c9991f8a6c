# -*- test-case-name: tests.examples.test_fragmentation_sizes -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The fragmentation test client of WebSocket-Node: asks for one message after the other,
each up to 1024 bytes longer than the last::

    python -m examples.fragmentation_test_client --host=127.0.0.1 --port=8080

With C{--no-defragment} it gets the frames of which they are made.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from random import randint
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone
from twisted.internet.task import LoopingCall, react
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_ws import ClientConfig, Frame, MessageReceiver, WebSocketClient
from twisted_ws.interfaces import IFrameReceiver


@implementer(IFrameReceiver)
class Requests(MessageReceiver):
    """
    Asks, measures the answer, and asks for more.

    Of C{messageReceived} and C{frameReceived}, one is called: C{assembleFragments} of
    the configuration says which.
    """

    def __init__(self, reactor: Any, command: str, count: int | None) -> None:
        """
        @param command: what it sends, before the number of bytes.
        @param count: after how many messages it closes the connection; C{None} for
            never.
        """
        self._command = command
        self._left = count
        self._clock = reactor
        self._wanted = 0
        self._next = 100
        self._messageSize = 0
        self._bytes = 0
        self._meter = LoopingCall(self._logThroughput)
        self._meter.clock = reactor

    def connectionMade(self) -> None:
        """
        Begin.
        """
        print("Connected")
        self._since = self._clock.seconds()
        self._meter.start(1, now=False)
        self._ask()

    def _ask(self) -> None:
        self._wanted = self._next
        self._next += randint(1, 1024)
        self.transport.sendMessage(f"{self._command}|{self._wanted}")

    def messageReceived(self, message: str | bytes) -> None:
        """
        A message came.
        """
        size = len(message)
        if isinstance(message, str):
            print(f"Received utf-8 message of {size} characters.")
        else:
            print(f"Received binary message of {size} bytes.")
        self._bytes += size
        self._measured(size)

    def frameReceived(self, frame: Frame) -> None:
        """
        A frame of a message came.
        """
        size = len(frame.payload)
        print(f"Frame: 0x{frame.opcode:x}; {size} bytes; Flags: {renderFlags(frame)}")
        self._bytes += size
        self._messageSize += size
        if frame.fin:
            whole, self._messageSize = self._messageSize, 0
            print(f"Total message size: {whole} bytes.")
            self._measured(whole)

    def _measured(self, size: int) -> None:
        if size != self._wanted:
            print(f"That is wrong: {self._wanted} were asked for.")
            self.transport.close(1008, "a message of the wrong size")
            return
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                self.transport.close()
                return
        self._ask()

    def _logThroughput(self) -> None:
        now = self._clock.seconds()
        rate = self._bytes / 1024 / (now - self._since)
        print(f"{'':36} Throughput: {rate:.0f} KBps")
        self._since, self._bytes = now, 0

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        It is over.
        """
        print(f"Connection Closed: {reason.value}")
        self._meter.stop()


def renderFlags(frame: Frame) -> str:
    """
    @return: the flags of a frame.  That of the mask is not among them: a client gets
        no masked frame.
    """
    flags = ["[FIN]"] if frame.fin else []
    for number, bit in enumerate((0x40, 0x20, 0x10), 1):
        if frame.rsv & bit:
            flags.append(f"[RSV{number}]")
    return " ".join(flags) or "---"


async def main(reactor: Any, options: Namespace) -> None:
    """
    Talk until the connection ends.
    """
    config = ClientConfig(
        maxReceivedMessageSize=128 << 20,
        maxReceivedFrameSize=1 << 20,
        # The server may make them as small as it likes.
        maxReceivedFragments=None,
        assembleFragments=not options.no_defragment,
    )
    if options.no_defragment:
        print("Not automatically re-assembling fragmented messages.")
    else:
        size = config.maxReceivedMessageSize
        print(f"Maximum aggregate message size: {size} bytes.")
    print("Connecting")
    command = "sendBinaryMessage" if options.binary else "sendMessage"
    try:
        requests = await WebSocketClient(reactor, config).connect(
            f"ws://{options.host}:{options.port}/",
            Requests(reactor, command, options.count),
            protocols=["fragmentation-test"],
        )
    except Exception as error:
        # Whatever it was, the caller wants one line.
        raise SystemExit(f"Connect Error: {error}") from None
    transport = requests.transport

    def goodbye() -> Deferred[Any]:
        """
        Close the connection before the reactor stops.
        """
        transport.close(1001)
        closed: Deferred[Any] = transport.whenClosed()
        return closed

    reactor.addSystemEventTrigger("before", "shutdown", goodbye)
    ended = await transport.whenClosed()
    if ended.code not in (1000, 1001):
        raise SystemExit(1)


def parse(arguments: list[str] | None = None) -> Namespace:
    """
    Read the command line.
    """
    parser = ArgumentParser(description="Receive messages in fragments.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--no-defragment", action="store_true", help="print frames")
    parser.add_argument("--binary", action="store_true", help="ask for random bytes")
    parser.add_argument("--count", type=int, help="end after so many messages")
    options = parser.parse_args(arguments)
    if options.count is not None and options.count < 1:
        parser.error("--count is 1 or more")
    return options


if __name__ == "__main__":
    react(main, [parse()])
