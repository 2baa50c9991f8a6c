# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The public names, used as users do; checked by mypy, never run.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_ws import (
    ClientConfig,
    ConnectionClosed,
    Cookie,
    Inbox,
    MessageReceiver,
    Router,
    ServerConfig,
    WebSocketClient,
    WebSocketConnection,
    WebSocketFactory,
    WebSocketRequest,
    connect,
)
from twisted_ws.interfaces import IControlReceiver, IMessageReceiver


class Echo(MessageReceiver):
    def messageReceived(self, message: str | bytes) -> None:
        self.transport.sendMessage(message)

    def connectionLost(self, reason: Failure | None = None) -> None:
        pass


@implementer(IMessageReceiver, IControlReceiver)
class Bare:
    def makeConnection(self, transport: object) -> None:
        pass

    def messageReceived(self, message: str | bytes) -> None:
        pass

    def connectionLost(self, reason: Failure) -> None:
        pass

    def pingReceived(self, payload: bytes) -> bool:
        return True

    def pongReceived(self, payload: bytes) -> None:
        pass


def decide(request: WebSocketRequest) -> None:
    if request.origin is None:
        request.reject(403, "no origin", headers={"X-Why": "rules"})
        return
    config = replace(request.config, closeTimeout=1)
    connection: WebSocketConnection = request.accept(
        Echo(), cookies=[Cookie("a", "b", sameSite="Lax")], config=config
    )
    rtt: Deferred[float] = connection.ping()
    rtt.addCallback(lambda seconds: seconds * 1000)
    ended: Deferred[ConnectionClosed] = connection.whenClosed()
    ended.addCallback(lambda closed: closed.code)


async def talk(client: WebSocketClient) -> int:
    inbox: Inbox = await client.connect("wss://example.com/", protocols=["chat"])
    async for message in inbox:
        inbox.send(message)
    ended: ConnectionClosed = await inbox.close(1000, "done")
    return ended.code


router = Router()
router.mount("/", None, Echo)
router.mount("/decide", "*", decide)
factory = WebSocketFactory(router, ServerConfig(keepaliveInterval=30), Clock())
client = WebSocketClient(Clock(), ClientConfig(webSocketVersion=8))
endpoint: IStreamClientEndpoint = client.endpoint("ws://example.com/")
endpoint.connect(Factory.forProtocol(Echo))  # type: ignore[type-var]
connect("ws://example.com/", Echo)
