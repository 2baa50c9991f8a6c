# -*- test-case-name: tests.examples.test_checksum -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
An extension of one's own: a checksum behind the payload of every frame.

Run it to see a server and a client agree on it, on top of compression::

    python -m examples.checksum [--algorithm=crc32|adler32]

What it shows: how the two sides agree on a parameter (the algorithm), how frames are
changed both ways and marked by a reserved bit, and how a peer that breaks the rules is
refused.  It changes frames, not messages, so C{perMessage} is false.  The order of
C{extensions} is that in which they change what is sent: so the checksum here is that
of the compressed bytes.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from typing import Any
from zlib import adler32, crc32

from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.task import react
from zope.interface import implementer

from twisted_ws import (
    ClientConfig,
    Frame,
    InvalidUpgrade,
    MessageReceiver,
    PerMessageDeflate,
    ServerConfig,
    WebSocketClient,
    WebSocketFactory,
)
from twisted_ws.errors import InvalidPayload
from twisted_ws.extensions import RSV2, Extension
from twisted_ws.interfaces import IExtension, IExtensionFactory, Parameters

ALGORITHMS: dict[str, Callable[[bytes], int]] = {
    "crc32": crc32,
    "adler32": adler32,
}
SIZE = 4


class Checksum(Extension):
    """
    The extension on one connection.

    @ivar algorithm: the name of its checksum.
    """

    name = "x-checksum"
    rsv = RSV2
    perMessage = False

    def __init__(self, algorithm: str) -> None:
        self.algorithm = algorithm
        self._sum = ALGORITHMS[algorithm]

    def encode(self, frame: Frame) -> Frame:
        """
        Add a checksum; to a frame that has something to be wrong.
        """
        if not frame.payload:
            return frame
        checksum = self._sum(frame.payload).to_bytes(SIZE, "big")
        return frame._replace(payload=frame.payload + checksum, rsv=frame.rsv | RSV2)

    def decode(self, frame: Frame, maxSize: int) -> Frame:
        """
        Check it and take it off.  What comes out is shorter than what came in, so
        that C{maxSize} needs no thought.
        """
        if not frame.rsv & RSV2:
            return frame
        payload, checksum = frame.payload[:-SIZE], frame.payload[-SIZE:]
        if self._sum(payload).to_bytes(SIZE, "big") != checksum:
            raise InvalidPayload("a frame whose checksum is wrong")
        return frame._replace(payload=payload, rsv=frame.rsv & ~RSV2)


@implementer(IExtensionFactory)
class ChecksumFactory:
    """
    Negotiates it.

    @ivar algorithms: the checksums that are good, the best first.
    """

    name = Checksum.name

    def __init__(self, *algorithms: str) -> None:
        self.algorithms = algorithms or ("crc32", "adler32")

    def offers(self) -> Sequence[Parameters]:
        """
        A client offers the extension once for each algorithm.
        """
        return [{"algorithm": algorithm} for algorithm in self.algorithms]

    def accept(self, parameters: Parameters) -> tuple[Parameters, IExtension] | None:
        """
        A server takes the first offer that it can; one with anything unknown in it
        is declined.
        """
        algorithm = parameters.get("algorithm")
        if algorithm not in self.algorithms or len(parameters) != 1:
            return None
        return parameters, Checksum(algorithm)

    def accepted(self, parameters: Parameters) -> IExtension:
        """
        A client takes no answer that it did not ask for.
        """
        algorithm = parameters.get("algorithm")
        if algorithm not in self.algorithms or len(parameters) != 1:
            raise InvalidUpgrade(f"an answer that was not offered: {parameters!r}")
        return Checksum(algorithm)


class Echo(MessageReceiver):
    """
    Sends everything back.
    """

    def messageReceived(self, message: str | bytes) -> None:
        """
        Send it back.
        """
        self.transport.sendMessage(message)


def parse(arguments: list[str] | None = None) -> Namespace:
    """
    Read the command line.
    """
    parser = ArgumentParser("checksum", description="A checksum on every frame.")
    parser.add_argument(
        "--algorithm",
        choices=list(ALGORITHMS),
        default="adler32",
        help="what the server knows (default: %(default)s); the client knows all",
    )
    return parser.parse_args(arguments)


async def main(reactor: Any, options: Namespace) -> None:
    """
    A server and a client.
    """
    known = ChecksumFactory(options.algorithm)
    ours = ServerConfig(extensions=(PerMessageDeflate(), known))
    theirs = ClientConfig(extensions=(PerMessageDeflate(), ChecksumFactory()))
    server = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
    port = await server.listen(WebSocketFactory(Echo, ours, reactor))
    client = WebSocketClient(reactor, theirs)
    inbox = await client.connect(f"ws://127.0.0.1:{port.getHost().port}/")
    for extension in inbox.transport.extensions:
        print("In use:", extension.name, getattr(extension, "algorithm", ""))
    inbox.send("a sentence, " * 100)
    echo = await inbox.receive()
    print(f"Received: {len(echo)} characters, {echo[:24]!r}...")
    print(f"Bytes received: {inbox.transport.bytesReceived}")
    await inbox.close()
    await port.stopListening()


if __name__ == "__main__":
    react(main, [parse()])
