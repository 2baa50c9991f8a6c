# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
An echo server with tornado.
"""

from __future__ import annotations

import argparse
import asyncio
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from . import ask, contextFor, ready

# Type checkers need not have it.
tornado: Any = import_module("tornado")
for name in ("httpserver", "netutil", "web", "websocket"):
    import_module(f"tornado.{name}")


class Echo(tornado.websocket.WebSocketHandler):  # type: ignore[misc]
    """
    Sends back what it gets.
    """

    def open(self, *arguments: str, **named: str) -> None:
        # Its documentation recommends it.
        self.set_nodelay(True)

    def on_message(self, message: str | bytes) -> None:
        self.write_message(message, isinstance(message, bytes))

    def get_compression_options(self) -> dict[str, Any] | None:
        return None if asked.plain else {}


class EchoToAll(Echo):
    """
    Sends what it gets to all.
    """

    everybody: set[EchoToAll] = set()

    def open(self, *arguments: str, **named: str) -> None:
        Echo.open(self)
        self.everybody.add(self)

    def on_close(self) -> None:
        self.everybody.discard(self)

    def on_message(self, message: str | bytes) -> None:
        for each in self.everybody:
            each.write_message(message, isinstance(message, bytes))


async def main(asked: argparse.Namespace) -> None:
    """
    Serve for ever.
    """
    application = tornado.web.Application(
        [("/", EchoToAll if asked.broadcast else Echo)],
        log_function=lambda handler: None,
    )
    server = tornado.httpserver.HTTPServer(application, ssl_options=contextFor(asked))
    sockets = tornado.netutil.bind_sockets(0, "127.0.0.1", backlog=1024)
    server.add_sockets(sockets)
    isFast = find_spec("tornado.speedups") is not None
    ready(sockets[0].getsockname()[1], "tornado", and_="C" if isFast else "no C")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asked = ask()
    asyncio.run(main(asked))
