# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
An echo server with Twisted's own L{twisted.web.websocket}, which does not compress.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor as _installed
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.websocket import WebSocketResource

from . import ready

reactor: Any = _installed


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


if __name__ == "__main__":
    root = Resource()
    root.putChild(b"", WebSocketResource(Echo))
    port = reactor.listenTCP(0, Site(root), backlog=1024, interface="127.0.0.1")
    reactor.callWhenRunning(ready, port.getHost().port, "Twisted", "wsproto")
    reactor.run()
