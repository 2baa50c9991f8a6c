# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
An echo server with Autobahn|Python on Twisted.
"""

from __future__ import annotations

from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.compress import (
    PerMessageDeflateOffer,
    PerMessageDeflateOfferAccept,
)
from twisted.internet import reactor as _installed

from . import ready

reactor: Any = _installed


class Echo(WebSocketServerProtocol):  # type: ignore[misc]
    """
    Sends back what it gets.
    """

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.sendMessage(payload, isBinary)


def accept(offers: Any) -> Any:
    """
    @return: compression, if it is offered.
    """
    for offer in offers:
        if isinstance(offer, PerMessageDeflateOffer):
            return PerMessageDeflateOfferAccept(offer)
    return None


if __name__ == "__main__":
    factory = WebSocketServerFactory()
    factory.protocol = Echo
    factory.setProtocolOptions(perMessageCompressionAccept=accept)
    port = reactor.listenTCP(0, factory, backlog=1024, interface="127.0.0.1")
    reactor.callWhenRunning(ready, port.getHost().port, "autobahn", "Twisted")
    reactor.run()
