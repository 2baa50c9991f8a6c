# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The public names, used as users do; checked by mypy, never run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_ws import (
    AllowOrigins,
    ClientConfig,
    ConnectionClosed,
    Cookie,
    Inbox,
    MessageReceiver,
    Router,
    ServerConfig,
    Steps,
    WebSocketClient,
    WebSocketConnection,
    WebSocketFactory,
    WebSocketRequest,
    broadcast,
    connect,
)
from twisted_ws.interfaces import (
    IControlReceiver,
    IMessageReceiver,
    IWebSocketResource,
)
from twisted_ws.router import Route
from twisted_ws.steps import Step


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


def plainStep(request: WebSocketRequest) -> None:
    if request.remoteAddress not in request.remoteAddresses or not request.isSecure:
        request.reject(302, headers={"Location": "https://example.com/"})
    request.avatar = request.params["name"], request.groups, request.prepath


async def slowStep(request: WebSocketRequest) -> None:
    await Deferred.fromCoroutine(aiming(request))


async def aiming(request: WebSocketRequest) -> str:
    return request.protocol or ""


def deferredStep(request: WebSocketRequest) -> Deferred[None]:
    cookie = Cookie("__Host-a", "b", path="/", secure=True, partitioned=True)
    request.reject(401, cookies=[cookie])
    return Deferred()


def isStaff(request: WebSocketRequest) -> bool:
    return request.path == "/staff"


class Rooms(Router):
    def getChild(self, name: bytes, request: WebSocketRequest) -> object:
        return Echo if name else None


given: list[Step] = [plainStep, slowStep, deferredStep, AllowOrigins()]
given.append(AllowOrigins("*"))
given.append(AllowOrigins(["https://*.example.com", re.compile("app://.*"), isStaff]))

router = Router()
router.mount("/", None, Echo)
router.mount("/decide", "*", decide)
router.mount("/rooms/{id:int}/*", "chat.v1", Steps(given, Rooms()))
router.mount(re.compile("^/x"), "*", Factory.forProtocol(Echo))
router.unmount(re.compile("^/x"), "*")
router.putChild(b"rooms", Rooms())
routes: Iterable[Route] = router.routes()
paths: list[tuple[str, str | None]] = [(each.path, each.protocol) for each in routes]
resource: IWebSocketResource = router
steps: IWebSocketResource = Steps(iter(given), router)
proxied = ServerConfig(
    trustedProxies={"10.0.0.0/8", "unix"},
    readForwarded=True,
    allowedOrigins=["same-origin", re.compile("null"), isStaff],
)
factory = WebSocketFactory(router, ServerConfig(keepaliveInterval=30), Clock())
told: Deferred[int] = factory.broadcast("news", key="news")
told = broadcast((each for each in factory.connections), b"news", membersPerTurn=50)
client = WebSocketClient(Clock(), ClientConfig(webSocketVersion=8))
endpoint: IStreamClientEndpoint = client.endpoint("ws://example.com/")
endpoint.connect(Factory.forProtocol(Echo))  # type: ignore[type-var]
connect("ws://example.com/", Echo)
