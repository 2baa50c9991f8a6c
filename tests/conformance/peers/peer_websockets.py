# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
An echo server and an echo client of C{websockets}; see L{common}.

What it takes of fragments is in its environment, see L{tests.conformance.peers}.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from .common import MAX_MESSAGE, PATIENCE, Arguments, begin, say, tour

OPTIONS: dict[str, Any] = {"max_size": MAX_MESSAGE, "compression": "deflate"}


async def echo(connection: ServerConnection | ClientConnection) -> None:
    """
    Send back what comes.
    """
    try:
        async for message in connection:
            await connection.send(message)
    except ConnectionClosed:
        pass  # the suite says what it thinks of that


async def listen(arguments: Arguments) -> None:
    """
    Be the server.
    """
    context = None
    if arguments.files:
        key, certificate = arguments.files
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
    server = await serve(echo, "127.0.0.1", 0, ssl=context, **OPTIONS)
    (socket,) = server.sockets
    say(socket.getsockname()[1])
    await server.serve_forever()


async def visit(arguments: Arguments) -> None:
    """
    Be the client.
    """
    options: dict[str, Any] = {"proxy": None, "open_timeout": PATIENCE, **OPTIONS}
    if arguments.files:
        options["ssl"] = ssl.create_default_context(cafile=arguments.files[0])

    async def fetch(url: str) -> Any:
        async with connect(url, **options) as connection:
            async for message in connection:
                return message
        return None

    async def echoThere(url: str) -> None:
        async with connect(url, **options) as connection:
            await echo(connection)

    await tour(arguments.where, fetch, echoThere)


if __name__ == "__main__":
    arguments = begin()
    asyncio.run((listen if arguments.role == "server" else visit)(arguments))
