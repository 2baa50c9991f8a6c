# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
An echo server with websockets, on asyncio.
"""

from __future__ import annotations

import argparse
import asyncio
from importlib.util import find_spec
from typing import Any

from websockets.asyncio.server import broadcast, serve

from . import ask, contextFor, ready


async def echo(connection: Any) -> None:
    """
    Send back what comes.
    """
    async for message in connection:
        await connection.send(message)


async def echoToAll(connection: Any) -> None:
    """
    Send what comes to all.
    """
    async for message in connection:
        broadcast(connection.server.connections, message)


async def main(asked: argparse.Namespace) -> None:
    """
    Serve for ever.
    """
    async with serve(
        echoToAll if asked.broadcast else echo,
        "127.0.0.1",
        0,
        backlog=1024,
        ssl=contextFor(asked),
        compression=None if asked.plain else "deflate",
    ) as server:
        isFast = find_spec("websockets.speedups") is not None
        port = next(iter(server.sockets)).getsockname()[1]
        ready(port, "websockets", and_="C" if isFast else "no C")
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(ask()))
