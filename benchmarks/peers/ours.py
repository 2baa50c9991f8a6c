# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
An echo server with twisted_ws.
"""

from __future__ import annotations

from twisted_ws import (
    MessageReceiver,
    PerMessageDeflate,
    ServerConfig,
    WebSocketFactory,
    __version__,
    isCompiled,
    keepFreedMemory,
)

from . import ask
from .on_reactor import serve


class Echo(MessageReceiver):
    """
    Sends back what it gets.
    """

    def messageReceived(self, message: str | bytes) -> None:
        self.transport.sendMessage(message)


class EchoToAll(MessageReceiver):
    """
    Sends what it gets to all.
    """

    def messageReceived(self, message: str | bytes) -> None:
        factory.broadcast(message)


if __name__ == "__main__":
    keepFreedMemory()
    asked = ask()
    config = ServerConfig(extensions=() if asked.plain else [PerMessageDeflate()])
    factory = WebSocketFactory(EchoToAll if asked.broadcast else Echo, config)
    kind = "compiled" if isCompiled else "pure Python"
    serve(factory, asked, and_=f"twisted-ws {__version__} ({kind})")
