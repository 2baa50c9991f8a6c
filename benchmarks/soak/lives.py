# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The lives of clients that keep to the rules.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout

from benchmarks.readings import reactor
from benchmarks.soak.clients import Clients, Life, NotAsExpected
from benchmarks.soak.server import NEWS
from twisted_ws import (
    ConnectionClosed,
    ConnectionNotOpen,
    Inbox,
    UpgradeRejected,
    WebSocketClient,
)

ANSWER_WITHIN = 30
"""
Seconds that a message may take to come back, on a machine that is busy.
"""


async def _receive(inbox: Inbox) -> Any:
    """
    @return: the next message that is not news.
    """
    while True:
        try:
            message = await inbox.receive().addTimeout(ANSWER_WITHIN, reactor)
        except DeferredTimeout:
            raise NotAsExpected(f"no answer in {ANSWER_WITHIN} s") from None
        if not (isinstance(message, str) and message.startswith(NEWS)):
            return message


async def _echo(clients: Clients, path: str) -> None:
    inbox = await clients.connect(path)
    for _ in range(clients.random.randrange(1, 12)):
        message = clients.message()
        if clients.random.random() < 0.3:
            await _sendInPieces(clients, inbox.transport, message)
        else:
            inbox.send(message)
        clients.expect(await _receive(inbox) == message, "another message came back")
    ended = await inbox.close()
    clients.expect(ended.code == 1000, f"it ended with {ended}")


async def _sendInPieces(clients: Clients, transport: Any, message: Any) -> None:
    outgoing = transport.beginMessage(1 if isinstance(message, str) else 2)
    at = 0
    while at < len(message):
        size = clients.random.choice((1, 100, 10_000, 100_000))
        outgoing.write(message[at : at + size])
        at += size
        await transport.whenWritable()
    outgoing.finish()


async def echo(clients: Clients) -> None:
    """
    Send messages of all kinds, and compare what comes back.
    """
    await _echo(clients, "/echo")


async def pulled(clients: Clients) -> None:
    """
    The same, with a server that pulls.
    """
    await _echo(clients, "/pulled")


async def burst(clients: Clients) -> None:
    """
    Send many messages at once, then compare what comes back.
    """
    inbox = await clients.connect("/echo")
    messages = [f"number {number}" for number in range(200)]
    for message in messages:
        inbox.send(message)
    for message in messages:
        clients.expect(await _receive(inbox) == message, "another message came back")
    await inbox.close()


async def news(clients: Clients) -> None:
    """
    Have something sent to all, and wait for it.
    """
    inbox = await clients.connect("/news")
    own = f"{clients.random.random()}"
    inbox.send(own)
    waiting = True
    while waiting:
        message = await inbox.receive().addTimeout(ANSWER_WITHIN, reactor)
        waiting = message != NEWS + own
    await inbox.close()


async def download(clients: Clients) -> None:
    """
    Read what a producer sends.
    """
    inbox = await clients.connect("/download")
    size = clients.random.choice((1 << 10, 1 << 18, 1 << 21))
    inbox.send(str(size))
    clients.expect(len(await _receive(inbox)) == size, "not all was sent")
    await inbox.close()


async def toldToClose(clients: Clients) -> None:
    """
    Have the server close.
    """
    inbox = await clients.connect("/echo")
    inbox.send("close")
    ended = await inbox.transport.whenClosed()
    clients.expect(ended.reason == "as you wish", f"it ended with {ended}")


async def bothClose(clients: Clients) -> None:
    """
    Close while the server does.
    """
    inbox = await clients.connect("/echo")
    inbox.send("close")
    ended = await inbox.close(1001)
    clients.expect(ended.code in (1000, 1001), f"it ended with {ended}")


async def leaveInTheMiddle(clients: Clients) -> None:
    """
    Close, or drop, while messages are on their way in both directions.
    """
    inbox = await clients.connect("/echo")
    try:
        for _ in range(clients.random.randrange(1, 5)):
            inbox.send(clients.message())
    except ConnectionNotOpen:
        pass
    if clients.random.random() < 0.5:
        inbox.transport.abortConnection()
    else:
        await clients.pause(clients.random.random() / 20)
        await inbox.close()


async def pings(clients: Clients) -> None:
    """
    Measure some round trips.
    """
    inbox = await clients.connect("/echo")
    for _ in range(5):
        await inbox.transport.ping()
    await inbox.close()


async def refused(clients: Clients) -> None:
    """
    Ask for what is not allowed, or not there.
    """
    path, status = clients.random.choice((("/refused", 403), ("/none", 404)))
    try:
        await clients.connect(path)
    except UpgradeRejected as error:
        clients.expect(error.status == status, f"refused with {error.status}")
    else:
        raise NotAsExpected("it was not refused")


async def impatient(clients: Clients) -> None:
    """
    Give up while the request is undecided; or wait until the server does.
    """
    client = WebSocketClient(reactor, endpoint=clients.endpoint())
    opening: Deferred[Any] = client.connect("ws://localhost/undecided")
    if clients.random.random() < 0.7:
        await clients.pause(clients.random.random() * clients.patience / 2)
        opening.addErrback(lambda failure: None)
        opening.cancel()
        return
    try:
        await opening
    except (UpgradeRejected, ConnectionClosed):
        return
    raise NotAsExpected("it was accepted")


LIVES: list[Life] = [
    echo,
    echo,
    pulled,
    burst,
    news,
    download,
    toldToClose,
    bothClose,
    leaveInTheMiddle,
    pings,
    refused,
    impatient,
]
