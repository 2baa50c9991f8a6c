# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A connection that came and went leaves nothing that the garbage collector has to find:
reference cycles cost memory until it runs, and a pause when it does.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from itertools import chain
from types import FunctionType, MethodType
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.handshakes import handshake, version
from tests.wire import KEY, rawFrame
from twisted_ws import (
    Inbox,
    MessageReceiver,
    PerMessageDeflate,
    Router,
    ServerConfig,
    WebSocketRequest,
)
from twisted_ws.testing import MemoryServer, RawPeer

CLOSE = rawFrame(0x88, b"\x03\xe8", KEY)
TEXT = rawFrame(0x81, b"a", KEY)


class Echo(MessageReceiver):
    """
    Sends everything back.
    """

    def messageReceived(self, message: str | bytes) -> None:
        self.transport.sendMessage(message)


class Farewell(Echo):
    """
    Closes as soon as it is connected.
    """

    def connectionMade(self) -> None:
        self.transport.close()


class Waiting(Echo):
    """
    Waits for everything that there is to wait for.
    """

    def connectionMade(self) -> None:
        self.ends: list[Deferred[Any]] = [
            self.transport.whenClosed(),
            self.transport.whenWritable(),
            self.transport.ping().addErrback(lambda failure: None),
        ]


async def later(request: WebSocketRequest) -> None:
    """
    An application that is a coroutine.
    """
    request.accept(Echo())


def refusing(request: WebSocketRequest) -> None:
    """
    An application that rejects.
    """
    request.reject(403)


def routed() -> Router:
    """
    A Router with one application.
    """
    router = Router()
    router.mount("*", "*", Echo)
    return router


class CycleTests(SynchronousTestCase):
    """
    Connections in memory, while the collector is off.
    """

    def cyclesOf(
        self,
        application: Any,
        talk: Callable[[RawPeer], object],
        request: bytes | None = None,
        **options: Any,
    ) -> list[object]:
        """
        Have some connections come and go.

        @param talk: what the client does after its request.
        @return: what of ours, and which functions and methods, the collector finds.
        """
        server = MemoryServer(application, ServerConfig(**options))

        def connection() -> None:
            peer = server.connectRaw()
            peer.send(handshake() if request is None else request)
            talk(peer)
            server.flush()
            # Twisted's transports let go of their protocols when they are gone.
            for carrier in chain(*server.carriers):
                self.assertTrue(carrier.disconnected)
                carrier.protocol = carrier.other = None
            del server.carriers[:]

        connection()  # what is made once
        gc.collect()
        gc.disable()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            for _ in range(5):
                connection()
            gc.collect()
            found = [each for each in gc.garbage if isOurs(each)]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
        self.assertEqual(len(server.factory.connections), 0)
        return found

    def test_closedByThePeer(self) -> None:
        """
        The usual life: some messages, and a Close frame of the peer's.
        """
        for application in (Echo, Inbox, later, routed(), Waiting):
            found = self.cyclesOf(application, lambda peer: peer.send(TEXT * 3 + CLOSE))
            self.assertEqual(found, [], application)

    def test_closedByUs(self) -> None:
        """
        One that we close.
        """
        found = self.cyclesOf(Farewell, lambda peer: peer.send(CLOSE))
        self.assertEqual(found, [])

    def test_dropped(self) -> None:
        """
        One that is lost without a Close frame, or aborted.
        """
        for drop in ("loseConnection", "abortConnection"):
            found = self.cyclesOf(
                Echo, lambda peer, drop=drop: getattr(peer.transport, drop)()
            )
            self.assertEqual(found, [], drop)

    def test_compressed(self) -> None:
        """
        One with an extension.
        """
        request = handshake("Sec-WebSocket-Extensions: permessage-deflate")
        found = self.cyclesOf(
            Echo,
            lambda peer: peer.send(TEXT + CLOSE),
            request,
            extensions=[PerMessageDeflate()],
        )
        self.assertEqual(found, [])

    def test_violation(self) -> None:
        """
        One that breaks the protocol.
        """

        def violate(peer: RawPeer) -> None:
            peer.send(b"\xff\xff")
            peer.transport.loseConnection()

        self.assertEqual(self.cyclesOf(Echo, violate), [])

    def test_refused(self) -> None:
        """
        One that is refused, by the application or before it.
        """
        for name, application, request in (
            ("rejected", refusing, None),
            ("malformed", Echo, b"nonsense\r\n\r\n"),
            ("version", Echo, version(7)),
        ):
            found = self.cyclesOf(
                application, lambda peer: peer.transport.loseConnection(), request
            )
            self.assertEqual(found, [], name)

    def test_silent(self) -> None:
        """
        One that goes before it has sent its head.
        """
        found = self.cyclesOf(
            Echo, lambda peer: peer.transport.loseConnection(), b"GET / HT"
        )
        self.assertEqual(found, [])

    def test_notVacuous(self) -> None:
        """
        What is held by a cycle is found.
        """

        class Holding(Echo):
            def connectionLost(self, reason: Any = None) -> None:
                self.itself = self

        found = self.cyclesOf(Holding, lambda peer: peer.send(CLOSE))
        self.assertEqual(len([each for each in found if type(each) is Holding]), 5)


def isOurs(thing: object) -> bool:
    """
    Tell whether it is made by this package, or here.
    """
    if isinstance(thing, MethodType):
        return isOurs(thing.__self__)
    if isinstance(thing, FunctionType):
        kind: Any = thing
    else:
        kind = type(thing)
    return (getattr(kind, "__module__", None) or "").startswith(("twisted_ws", "tests"))
