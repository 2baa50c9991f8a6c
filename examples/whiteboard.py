# -*- test-case-name: tests.examples.test_whiteboard -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The whiteboard of WebSocket-Node: a drawing that all share who look at it, on the port
of a L{twisted.web} site::

    python -m examples.whiteboard

Open http://localhost:8080/ in two windows, and draw.

What is said is JSON: C{{"msg": "drawLine", "data": {"color": {"r": 0, "g": 0, "b": 0},
"points": [x1, y1, x2, y2]}}} and C{{"msg": "clear"}}, which go to all; and
C{{"msg": "initCommands", "data": [...]}}, by which a newcomer gets those since the last
C{clear}.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import connectionDone
from twisted.internet.task import react
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.log import startLogging
from twisted.web.server import Site

from twisted_ws import Router, ServerConfig, WebSocketFactory, WebSocketResource
from twisted_ws.demo import Board, Member, Page

log = Logger()

CONFIG = ServerConfig(
    # A line takes a tenth of that.
    maxReceivedMessageSize=2048,
    fragmentOutgoingMessages=False,
)

encode = json.JSONEncoder(separators=(",", ":")).encode

CLEAR = encode({"msg": "clear"})

FARTHEST = 10_000
"""
The largest coordinate, in pixels.
"""


def readCommand(text: str) -> str | None:
    """
    Read what a client sent; it may be anything.

    @return: the command, always in the same spelling; C{None} if it is none.
    """
    try:
        command = json.loads(text)
        if command["msg"] == "clear":
            return CLEAR
        color = {part: command["data"]["color"][part] for part in "rgb"}
        points = command["data"]["points"]
        isLine = command["msg"] == "drawLine"
    except (ValueError, TypeError, LookupError, RecursionError):
        return None
    if not (
        isLine
        and all(type(each) is int and 0 <= each <= 255 for each in color.values())
        and isinstance(points, list)
        and len(points) == 4
        and all(type(each) in (int, float) for each in points)
        and all(abs(each) <= FARTHEST for each in points)
    ):
        return None
    return encode({"msg": "drawLine", "data": {"color": color, "points": points}})


class Guest(Member):
    """
    Who draws on the whiteboard.  One that reads slower than the others draw misses what
    comes meanwhile, and is then shown all of it anew.
    """

    def connectionMade(self) -> None:
        """
        Come.
        """
        log.info("{peer} connected", peer=self.transport.request.remoteAddress)
        Member.connectionMade(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Leave.
        """
        log.info("{peer} disconnected", peer=self.transport.request.remoteAddress)


class Whiteboard(Board):
    """
    Remembers the latest commands, and shows each new one to all guests.
    """

    protocol = Guest
    clear = CLEAR

    def asMessage(self, commands: Iterable[str]) -> str:
        """
        @return: one message for many commands.
        """
        return f'{{"msg":"initCommands","data":[{",".join(commands)}]}}'

    def draw(self, text: str) -> None:
        """
        Take what a guest sends; if it is no command, nothing happens.
        """
        command = readCommand(text)
        if command is not None:
            Board.draw(self, command)


async def main(reactor: Any, options: Namespace) -> None:
    """
    Serve until interrupted.
    """
    router = Router()
    router.mount("*", "whiteboard-example", Whiteboard())
    factory = WebSocketFactory(router, CONFIG, reactor)
    page = Path(__file__).with_name("whiteboard.html").read_text("utf-8")
    site = Site(WebSocketResource(factory, fallback=Page(page)))
    try:
        endpoint = serverFromString(reactor, f"tcp:{options.port}")
        port = await endpoint.listen(site)
    except (CannotListenError, OverflowError) as error:
        raise SystemExit(f"Cannot listen: {error}") from None
    # Every guest gets 1001, Going Away, before the reactor stops.
    reactor.addSystemEventTrigger("before", "shutdown", factory.closeAllConnections)
    number = port.getHost().port
    log.info("Server is listening on port {port}", port=number)
    log.info("Whiteboard test app ready: http://localhost:{port}/", port=number)
    await Deferred()


def parse(arguments: list[str] | None = None) -> Namespace:
    """
    Read the command line.
    """
    parser = ArgumentParser(description="Serve a whiteboard.")
    parser.add_argument("--port", type=int, default=8080, help="0 for any")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    options = parse()
    startLogging(sys.stdout, setStdout=False)
    react(main, [options])
