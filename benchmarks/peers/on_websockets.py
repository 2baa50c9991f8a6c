# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
An echo server with websockets, on asyncio.
"""

from __future__ import annotations

import asyncio
from typing import Any

from websockets.asyncio.server import serve

from . import ready


async def echo(connection: Any) -> None:
    """
    Send back what comes.
    """
    async for message in connection:
        await connection.send(message)


async def main() -> None:
    """
    Serve for ever.
    """
    async with serve(echo, "127.0.0.1", 0, backlog=1024) as server:
        ready(server.sockets[0].getsockname()[1], "websockets")
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
