# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The peer C{autobahn}, on asyncio as the others; see C{common.py}.
"""

import asyncio
from urllib.parse import urlsplit

from autobahn.asyncio.websocket import (
    WebSocketClientFactory,
    WebSocketClientProtocol,
    WebSocketServerFactory,
    WebSocketServerProtocol,
)
from autobahn.websocket.compress import (
    PerMessageDeflateOffer,
    PerMessageDeflateOfferAccept,
    PerMessageDeflateResponseAccept,
)
from common import SPOKEN, Program, describe, emit, readTarget


class Link:
    """
    A connection.
    """

    def __init__(self, socket):
        self.socket = socket

    async def send(self, message):
        self._send(message)

    async def sendPlain(self, message):
        self._send(message, doNotCompress=True)

    def _send(self, message, **options):
        isBinary = isinstance(message, bytes)
        data = message if isBinary else message.encode()
        self.socket.sendMessage(data, isBinary, **options)

    async def sendFragments(self, kind, pieces):
        # Compressed, the borders of its frames are anywhere.
        self.socket.beginMessage(kind != "text")
        for piece in pieces:
            self.socket.sendMessageFrame(piece)
        self.socket.endMessage()

    async def ping(self, payload):
        self.socket.sendPing(payload)

    async def close(self, code, reason):
        self.socket.sendClose(code, reason)


class Telling:
    """
    A mixin: tells of what comes.
    """

    number = None

    def onOpen(self):
        program = self.factory.program
        program.links[self.number] = Link(self)
        emit("open", id=self.number, protocol=self.websocket_protocol_in_use)

    def onMessage(self, payload, isBinary):
        emit(id=self.number, **describe(payload if isBinary else payload.decode()))

    def onPong(self, payload):
        emit("pong", id=self.number, payload=payload.decode())

    def onClose(self, wasClean, code, reason):
        emit("close", id=self.number, code=code, reason=reason or "")


class ServerSocket(Telling, WebSocketServerProtocol):
    """
    An accepted connection.
    """

    def onConnect(self, request):
        _, self.number = readTarget(self.http_request_uri)
        return SPOKEN if SPOKEN in request.protocols else None


class ClientSocket(Telling, WebSocketClientProtocol):
    """
    A connection of the client.
    """


def acceptOffer(deflate, offers):
    """
    @return: how a server that asks for C{deflate} accepts an offer.
    """
    return PerMessageDeflateOfferAccept(
        offers[0], request_max_window_bits=deflate.get("client_max_window_bits", 0)
    )


class Autobahn(Program):
    """
    Both roles.  It knows no compression unless it is told to.
    """

    async def listen(self, context, deflate):
        loop = asyncio.get_running_loop()
        factory = WebSocketServerFactory(loop=loop)
        factory.program = self
        factory.protocol = ServerSocket
        if isinstance(deflate, dict):
            factory.setProtocolOptions(
                perMessageCompressionAccept=lambda offers: acceptOffer(deflate, offers)
            )
        server = await loop.create_server(factory, "127.0.0.1", 0, ssl=context)
        return server.sockets[0].getsockname()[1]

    async def connect(self, command):
        loop = asyncio.get_running_loop()
        deflate = command["deflate"]
        factory = WebSocketClientFactory(command["url"], loop=loop)
        factory.program = self
        factory.protocol = ClientSocket
        if isinstance(deflate, dict):
            offer = PerMessageDeflateOffer(
                accept_no_context_takeover="client_no_context_takeover" in deflate,
                request_no_context_takeover="server_no_context_takeover" in deflate,
                request_max_window_bits=deflate.get("server_max_window_bits", 0),
            )
            factory.setProtocolOptions(
                perMessageCompressionOffers=[offer],
                perMessageCompressionAccept=PerMessageDeflateResponseAccept,
            )
        where = urlsplit(command["url"])
        _, socket = await loop.create_connection(factory, where.hostname, where.port)
        socket.number = command["id"]


if __name__ == "__main__":
    Autobahn().main()
