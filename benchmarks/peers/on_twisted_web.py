# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
An echo server with Twisted's own L{twisted.web.websocket}, which does not compress.
"""

from __future__ import annotations

from typing import Any

from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.websocket import WebSocketResource

from . import ask
from .on_reactor import serve


class Echo:
    """
    Sends back what it gets.
    """

    @classmethod
    def buildProtocol(cls, request: Any) -> Echo:
        """
        See L{twisted.web.websocket.WebSocketServerFactory}.
        """
        return cls()

    def negotiationStarted(self, transport: Any) -> None:
        """
        See L{twisted.web.websocket.WebSocketProtocol}, also for the others.
        """
        self.transport = transport

    def negotiationFinished(self) -> None:
        """
        It is open.
        """

    def bytesMessageReceived(self, data: bytes) -> None:
        """
        A binary message came.
        """
        self.transport.sendBytesMessage(data)

    def textMessageReceived(self, message: str) -> None:
        """
        A text came.
        """
        self.transport.sendTextMessage(message)

    def pongReceived(self, payload: bytes) -> None:
        """
        A pong came.
        """

    def connectionLost(self, reason: Any) -> None:
        """
        It is over.
        """


class EchoToAll(Echo):
    """
    Sends what it gets to all.
    """

    everybody: set[EchoToAll] = set()

    def negotiationFinished(self) -> None:
        self.everybody.add(self)

    def bytesMessageReceived(self, data: bytes) -> None:
        for each in self.everybody:
            each.transport.sendBytesMessage(data)

    def textMessageReceived(self, message: str) -> None:
        for each in self.everybody:
            each.transport.sendTextMessage(message)

    def connectionLost(self, reason: Any) -> None:
        self.everybody.discard(self)


if __name__ == "__main__":
    asked = ask()
    root = Resource()
    factory: Any = EchoToAll if asked.broadcast else Echo
    root.putChild(b"", WebSocketResource(factory))
    serve(Site(root), asked, "wsproto")
