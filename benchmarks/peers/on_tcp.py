# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A server of Twisted's that sends back bytes, with no protocol over TCP or TLS: what
others are compared with.
"""

from __future__ import annotations

from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from . import ask
from .on_reactor import serve


class Echo(Protocol):
    """
    Sends back what it gets.
    """

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)  # type: ignore[union-attr]


class EchoToAll(Echo):
    """
    Sends what it gets to all.
    """

    everybody: set[EchoToAll] = set()

    def connectionMade(self) -> None:
        Echo.connectionMade(self)
        self.everybody.add(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.everybody.discard(self)

    def dataReceived(self, data: bytes) -> None:
        for each in self.everybody:
            Echo.dataReceived(each, data)


if __name__ == "__main__":
    asked = ask()
    serve(Factory.forProtocol(EchoToAll if asked.broadcast else Echo), asked)
