# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A server that asks of a client what that of the Autobahn Testsuite asks, with a few
cases of our own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from twisted_ws import Frame, Inbox, WebSocketRequest

LARGE = "x" * (9 << 20)
"""
More than a client takes by default.
"""


class FuzzingServer:
    """
    The server; each case is what it does with an L{Inbox} of frames.

    @ivar log: the paths that were asked for, with their arguments.
    @ivar count: what it says when it is asked for the number of cases.
    @ivar ends: how the cases ended.
    """

    def __init__(self, *cases: Callable[[Inbox], Awaitable[object]]) -> None:
        self._cases = cases
        self.count: str | bytes | None = str(len(cases))
        self.log: list[tuple[str, dict[str, list[str]]]] = []
        self.ends: list[Any] = []

    async def answer(self, request: WebSocketRequest) -> None:
        """
        Answer a request.
        """
        self.log.append((request.path, request.args))
        inbox = Inbox()
        config = replace(request.config, assembleFragments=False)
        request.accept(inbox, config=config)
        if request.path == "/runCase":
            (case,) = request.args["case"]
            try:
                await self._cases[int(case) - 1](inbox)
            except AssertionError:
                inbox.transport.abortConnection()
                raise
            self.ends.append(await inbox.transport.whenClosed())
        else:
            if request.path == "/getCaseCount" and self.count is not None:
                inbox.send(self.count)
            await inbox.close()


async def sameText(inbox: Inbox) -> None:
    """
    Expect a text back.
    """
    inbox.send("h\u00e9")
    assert await inbox.receive() == Frame(1, b"h\xc3\xa9")
    await inbox.close()


async def manyMessages(inbox: Inbox) -> None:
    """
    Expect messages back, in their order, with pings between.
    """
    messages = [b"", "", b"\xff", "a" * 70000]
    for message in messages:
        inbox.send(message)
        await inbox.transport.ping()
    for message in messages:
        opcode, payload = 2, message
        if isinstance(message, str):
            opcode, payload = 1, message.encode()
        assert await inbox.receive() == Frame(opcode, payload)
    await inbox.close()


async def largeMessage(inbox: Inbox) -> None:
    """
    Expect a message of many MiB back in one frame.
    """
    inbox.send(LARGE)
    assert await inbox.receive() == Frame(1, LARGE.encode())
    await inbox.close()


async def smallFrames(inbox: Inbox) -> None:
    """
    Expect what came in thousands of frames back in one.
    """
    message = inbox.transport.beginMessage()
    for _ in range(5000):
        message.write("1234567890")
    message.finish()
    assert await inbox.receive() == Frame(1, b"1234567890" * 5000)
    await inbox.close()


async def vanish(inbox: Inbox) -> None:
    """
    Go without goodbye.
    """
    await inbox.transport.ping()
    inbox.transport.abortConnection()


async def anotherCode(inbox: Inbox) -> None:
    """
    Close with a code of one's own.
    """
    ended = await inbox.close(3000, "why not")
    assert ended.code == 3000
