# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
An echo server with Autobahn|Python on Twisted.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from . import ask
from .on_reactor import serve

# Its types are those of some versions only.
websocket: Any = import_module("autobahn.websocket")
onTwisted: Any = import_module("autobahn.twisted.websocket")
compress: Any = import_module("autobahn.websocket.compress")


class Echo(onTwisted.WebSocketServerProtocol):  # type: ignore[misc]
    """
    Sends back what it gets.
    """

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.sendMessage(payload, isBinary)


class EchoToAll(onTwisted.WebSocketServerProtocol):  # type: ignore[misc]
    """
    Sends what it gets to all.
    """

    everybody: set[EchoToAll] = set()

    def onOpen(self) -> None:
        self.everybody.add(self)

    def onClose(self, wasClean: bool, code: int, reason: str) -> None:
        self.everybody.discard(self)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        prepared = self.factory.prepareMessage(payload, isBinary)
        for each in self.everybody:
            each.sendPreparedMessage(prepared)


def accept(offers: Any) -> Any:
    """
    @return: compression, if it is offered.
    """
    for offer in offers:
        if isinstance(offer, compress.PerMessageDeflateOffer):
            return compress.PerMessageDeflateOfferAccept(offer)
    return None


if __name__ == "__main__":
    asked = ask()
    factory = onTwisted.WebSocketServerFactory()
    factory.protocol = EchoToAll if asked.broadcast else Echo
    if not asked.plain:
        factory.setProtocolOptions(perMessageCompressionAccept=accept)
    isFast = getattr(websocket, "USES_NVX", False)
    serve(factory, asked, "autobahn", and_="NVX" if isFast else "no NVX")
