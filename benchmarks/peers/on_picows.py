# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
An echo server with picows, which knows frames, not messages, and does not compress:
what it sends back has the fragments that came.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
from importlib import import_module
from typing import Any

from . import ask, contextFor, ready

# Type checkers need not have it.
picows: Any = import_module("picows")


class Echo(picows.WSListener):  # type: ignore[misc]
    """
    Sends back what it gets.
    """

    def on_ws_frame(self, transport: Any, frame: Any) -> None:
        kind = frame.msg_type
        if kind == picows.WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        elif kind == picows.WSMsgType.TEXT:
            # As all others, an application gets a str and sends one.
            self.send(transport, kind, frame.get_payload_as_utf8_text().encode(), frame)
        else:
            self.send(transport, kind, frame.get_payload_as_bytes(), frame)

    def send(self, transport: Any, kind: Any, payload: bytes, frame: Any) -> None:
        """
        Send a frame.
        """
        transport.send(kind, payload, frame.fin)


class EchoToAll(Echo):
    """
    Sends what it gets to all.
    """

    everybody: set[Any] = set()

    def on_ws_connected(self, transport: Any) -> None:
        self.everybody.add(transport)

    def on_ws_disconnected(self, transport: Any) -> None:
        self.everybody.discard(transport)

    def send(self, transport: Any, kind: Any, payload: bytes, frame: Any) -> None:
        for each in self.everybody:
            each.send(kind, payload, frame.fin)


async def main(asked: argparse.Namespace) -> None:
    """
    Serve for ever.
    """
    listener = EchoToAll if asked.broadcast else Echo
    server = await picows.ws_create_server(
        lambda request: listener(),
        "127.0.0.1",
        0,
        backlog=1024,
        ssl=contextFor(asked),
    )
    names = ("picows", "uvloop") if asked.uvloop else ("picows",)
    ready(server.sockets[0].getsockname()[1], *names)
    await server.serve_forever()


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    asked = ask()
    if asked.uvloop:
        import_module("uvloop").run(main(asked))
    else:
        asyncio.run(main(asked))
