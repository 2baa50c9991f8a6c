# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
An echo server with aiohttp.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from aiohttp import WSMsgType, web
from aiohttp.http import WebSocketReader

from . import ask, contextFor, ready


async def send(socket: web.WebSocketResponse, message: Any) -> None:
    """
    Send a message of the type that came.
    """
    if message.type is WSMsgType.TEXT:
        await socket.send_str(message.data)
    else:
        await socket.send_bytes(message.data)


class Echo:
    """
    Sends back what it gets, or sends it to all.
    """

    def __init__(self, asked: argparse.Namespace) -> None:
        self._asked = asked
        self._everybody: set[web.WebSocketResponse] = set()

    async def __call__(self, request: web.Request) -> web.WebSocketResponse:
        """
        Serve a connection.
        """
        socket = web.WebSocketResponse(compress=not self._asked.plain)
        await socket.prepare(request)
        if not self._asked.broadcast:
            async for message in socket:
                await send(socket, message)
            return socket
        self._everybody.add(socket)
        try:
            async for message in socket:
                for each in list(self._everybody):
                    await send(each, message)
        finally:
            self._everybody.discard(socket)
        return socket


async def main(asked: argparse.Namespace) -> None:
    """
    Serve for ever.
    """
    application = web.Application()
    application.router.add_get("/", Echo(asked))
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    context = contextFor(asked)
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context, backlog=1024)
    await site.start()
    isFast = "reader_c" in WebSocketReader.__module__
    ready(runner.addresses[0][1], "aiohttp", and_="C" if isFast else "no C")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(ask()))
