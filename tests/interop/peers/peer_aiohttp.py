# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The peer C{aiohttp}; see C{common.py}.
"""

import asyncio
from functools import partial

from aiohttp import ClientSession, WSMsgType, WSServerHandshakeError, web
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


class Link:
    """
    A connection.
    """

    def __init__(self, number, socket, isServer):
        self.number = number
        self.socket = socket
        self.isServer = isServer
        self.receiving = None
        self.closed = asyncio.Event()

    async def send(self, message):
        if isinstance(message, str):
            await self.socket.send_str(message)
        else:
            await self.socket.send_bytes(message)

    async def sendFragments(self, kind, pieces):
        raise NotImplementedError("aiohttp sends no fragments")

    async def ping(self, payload):
        await self.socket.ping(payload)

    async def close(self, code, reason):
        # Closing while another task receives is well with aiohttp's clients, but makes
        # its servers drop the connection without waiting for an answer.  To cancel
        # that task is well with its servers, but makes its clients do the same.
        if self.isServer:
            self.receiving.cancel()
            await asyncio.wait([self.receiving])
        await self.socket.close(code=code, message=reason.encode())
        await asyncio.wait([self.receiving])
        emit("close", id=self.number, code=self.socket.close_code, reason="")
        self.closed.set()

    async def receive(self):
        """
        Tell of what comes, to the end.
        """
        self.receiving = asyncio.ensure_future(self._receive())
        await asyncio.wait([self.receiving])
        if self.receiving.cancelled() or self.receiving.result() is None:
            await self.closed.wait()
        else:
            code, reason = self.receiving.result()
            emit("close", id=self.number, code=code, reason=reason)

    async def _receive(self):
        while True:
            received = await self.socket.receive()
            if received.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                emit(id=self.number, **describe(received.data))
            elif received.type is WSMsgType.PING:
                await self.socket.pong(received.data)
            elif received.type is WSMsgType.PONG:
                emit("pong", id=self.number, payload=bytes(received.data).decode())
            elif received.type is WSMsgType.CLOSE:
                return received.data, received.extra
            elif received.type is WSMsgType.CLOSING:
                return None
            else:
                return 1006, ""


class Aiohttp(Program):
    """
    Both roles.  Pings are answered by the program: else aiohttp shows it no pongs.
    """

    async def listen(self, context, deflate):
        app = web.Application()
        serve = partial(self.serve, deflate is not False)
        app.router.add_get("/{path:.*}", serve)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        return site._server.sockets[0].getsockname()[1]

    async def serve(self, compress, request):
        path, number = readTarget(request.path_qs)
        if path == "/refuse":
            return web.Response(status=403, text=REFUSAL)
        socket = web.WebSocketResponse(
            protocols=[SPOKEN], autoping=False, compress=compress
        )
        await socket.prepare(request)
        link = self.links[number] = Link(number, socket, True)
        if path == "/greet":
            await link.send(message("text", 5))
        version = int(request.headers["Sec-WebSocket-Version"])
        name = "Origin" if version == 13 else "Sec-WebSocket-Origin"
        emit(
            "open",
            id=number,
            protocol=socket.ws_protocol,
            version=version,
            origin=request.headers.get(name),
        )
        await link.receive()
        return socket

    async def connect(self, command):
        number, deflate = command["id"], command["deflate"]
        # It can only ask for the server's window, and not for one of all bits.
        bits = 15 if deflate == {} else (deflate or {}).get("server_max_window_bits", 0)
        async with ClientSession() as session:
            try:
                socket = await session.ws_connect(
                    command["url"],
                    protocols=command["protocols"],
                    origin=command["origin"],
                    ssl=clientContext(command) or True,
                    autoping=False,
                    compress=bits,
                )
            except WSServerHandshakeError as refused:
                emit(
                    "refused",
                    id=number,
                    status=refused.status,
                    why=refused.headers.get("X-Why"),
                )
                return
            link = self.links[number] = Link(number, socket, False)
            emit("open", id=number, protocol=socket.protocol)
            await link.receive()


if __name__ == "__main__":
    Aiohttp().main()
