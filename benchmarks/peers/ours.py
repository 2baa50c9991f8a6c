# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
An echo server with twisted_ws.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor as _installed

from twisted_ws import (
    MessageReceiver,
    PerMessageDeflate,
    ServerConfig,
    WebSocketFactory,
)

from . import ready

reactor: Any = _installed


class Echo(MessageReceiver):
    """
    Sends back what it gets.
    """

    def messageReceived(self, message: str | bytes) -> None:
        self.transport.sendMessage(message)


if __name__ == "__main__":
    factory = WebSocketFactory(Echo, ServerConfig(extensions=[PerMessageDeflate()]))
    port = reactor.listenTCP(0, factory, backlog=1024, interface="127.0.0.1")
    reactor.callWhenRunning(ready, port.getHost().port, "twisted-ws", "Twisted")
    reactor.run()
