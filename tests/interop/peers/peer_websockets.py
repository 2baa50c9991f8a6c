# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The peer C{websockets}; see C{common.py}.
"""

import http

from common import (
    REFUSAL,
    SPOKEN,
    Program,
    clientContext,
    describe,
    emit,
    message,
    readTarget,
)
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
)


def compression(factory, deflate):
    """
    @return: keyword arguments for what to do about compression.
    """
    if deflate is None:
        return {}
    extensions = [] if deflate is False else [factory(**deflate)]
    return {"compression": None, "extensions": extensions}


class Link:
    """
    A connection.
    """

    def __init__(self, number, connection):
        self.number = number
        self.connection = connection

    async def send(self, message):
        await self.connection.send(message)

    async def sendFragments(self, kind, pieces):
        # It adds an empty frame to end the message.
        await self.connection.send(pieces, text=kind == "text")

    async def ping(self, payload):
        await (await self.connection.ping(payload))
        emit("pong", id=self.number, payload=payload.decode())

    async def close(self, code, reason):
        await self.connection.close(code, reason)

    async def receive(self):
        """
        Tell of what comes, to the end.
        """
        try:
            while True:
                emit(id=self.number, **describe(await self.connection.recv()))
        except ConnectionClosed as closed:
            received = closed.rcvd
            emit(
                "close",
                id=self.number,
                code=1006 if received is None else received.code,
                reason="" if received is None else received.reason,
            )


class Websockets(Program):
    """
    Both roles.
    """

    async def listen(self, context, deflate):
        server = await serve(
            self.serve,
            "127.0.0.1",
            0,
            ssl=context,
            select_subprotocol=self.choose,
            process_request=self.decide,
            **compression(ServerPerMessageDeflateFactory, deflate),
        )
        return server.sockets[0].getsockname()[1]

    def choose(self, connection, offered):
        # Its own choice would refuse clients that ask for none.
        return SPOKEN if SPOKEN in offered else None

    def decide(self, connection, request):
        if readTarget(request.path)[0] == "/refuse":
            return connection.respond(http.HTTPStatus.FORBIDDEN, REFUSAL)
        return None

    async def serve(self, connection):
        path, number = readTarget(connection.request.path)
        headers = connection.request.headers
        link = self.links[number] = Link(number, connection)
        if path == "/greet":
            await link.send(message("text", 5))
        emit(
            "open",
            id=number,
            protocol=connection.subprotocol,
            version=int(headers["Sec-WebSocket-Version"]),
            origin=headers.get("Origin"),
        )
        await link.receive()

    async def connect(self, command):
        number = command["id"]
        try:
            connection = await connect(
                command["url"],
                origin=command["origin"],
                subprotocols=command["protocols"] or None,
                ssl=clientContext(command),
                **compression(ClientPerMessageDeflateFactory, command["deflate"]),
            )
        except InvalidStatus as refused:
            response = refused.response
            emit(
                "refused",
                id=number,
                status=response.status_code,
                why=response.headers.get("X-Why"),
            )
            return
        link = self.links[number] = Link(number, connection)
        emit("open", id=number, protocol=connection.subprotocol)
        await link.receive()


if __name__ == "__main__":
    Websockets().main()
