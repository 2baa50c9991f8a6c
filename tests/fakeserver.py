# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
For the tests of the client: a server that does to it what it is told, and a network in
memory to meet it on.

A script is a sequence of steps.  The same steps run on a L{MemoryNetwork} and on
sockets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import (
    IHostnameResolver,
    IHostResolution,
    IReactorPluggableNameResolver,
)
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.internet.task import deferLater
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_ws.testing import MemoryCarrier, carrierPair

from .responses import Answer

TURNS = 10
"""
Turns of a reactor after which what was written on one side of a loopback connection
has arrived on the other, TLS or not.
"""

ALL = 1 << 30


@dataclass(frozen=True)
class Send:
    """
    Send bytes.
    """

    data: Answer

    async def do(self, server: FakeServer) -> None:
        server.send(self.data)


@dataclass(frozen=True)
class Drip:
    """
    Send bytes one at a time.

    @ivar every: seconds between them, C{0} for a turn of the reactor.
    """

    data: Answer
    every: float = 1.0

    async def do(self, server: FakeServer) -> None:
        for byte in server.made(self.data):
            server.send(bytes([byte]))
            await server.after(self.every)


@dataclass(frozen=True)
class Flood:
    """
    Send bytes, over and over.
    """

    data: bytes

    async def do(self, server: FakeServer) -> None:
        while True:
            server.send(self.data)
            await server.after(0)


@dataclass(frozen=True)
class Arrive:
    """
    Let what was sent arrive.
    """

    async def do(self, server: FakeServer) -> None:
        for _ in range(TURNS):
            await server.after(0)


@dataclass(frozen=True)
class Drop:
    """
    Close the connection in good order.
    """

    async def do(self, server: FakeServer) -> None:
        server.transport.loseConnection()


@dataclass(frozen=True)
class Reset:
    """
    Abort the connection.
    """

    async def do(self, server: FakeServer) -> None:
        server.transport.abortConnection()


@dataclass(frozen=True)
class HalfClose:
    """
    Close the sending half of the connection.
    """

    async def do(self, server: FakeServer) -> None:
        server.transport.loseWriteConnection()


@dataclass(frozen=True)
class Cancel:
    """
    Have the client cancel.
    """

    async def do(self, server: FakeServer) -> None:
        server.cancel()


Step = Send | Drip | Flood | Arrive | Drop | Reset | HalfClose | Cancel


class FakeServer(Protocol):
    """
    Follows a script, and is silent after it.

    @ivar received: all that the client sent.
    @ivar whenLost: fires when the connection is gone.
    """

    transport: Any

    def __init__(
        self,
        script: Sequence[Step],
        clock: Any,
        cancel: Callable[[], object],
        *,
        readsRequest: bool = True,
        second: float = 1.0,
    ) -> None:
        """
        @param cancel: what L{Cancel} calls.
        @param readsRequest: begin when the client's request is here, not before.
        @param second: how long a second of the script is on C{clock}.
        """
        self.cancel = cancel
        self.received = b""
        self.whenLost: Deferred[None] = Deferred()
        self._script = script
        self._clock = clock
        self._readsRequest = readsRequest
        self._second = second
        self._playing: Deferred[None] | None = None

    def made(self, data: Answer) -> bytes:
        """
        @return: the bytes, made for this client if need be.
        """
        if isinstance(data, bytes):
            return data
        found = re.search(rb"\r\nSec-WebSocket-Key: (.*)\r\n", self.received)
        assert found is not None, self.received
        return data(found[1])

    def send(self, data: Answer) -> None:
        self.transport.write(self.made(data))

    def after(self, seconds: float) -> Deferred[None]:
        """
        @return: a Deferred that fires so much later.
        """
        return deferLater(self._clock, seconds * self._second)

    def connectionMade(self) -> None:
        if not self._readsRequest:
            self._play()

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        if self._playing is None and self.received.endswith(b"\r\n\r\n"):
            self._play()

    def _play(self) -> None:
        self._playing = Deferred.fromCoroutine(self._steps())
        self._playing.addErrback(lambda failure: failure.trap(CancelledError) and None)

    async def _steps(self) -> None:
        for step in self._script:
            await step.do(self)

    def connectionLost(self, reason: object = None) -> None:
        if self._playing is not None:
            self._playing.cancel()
        self.whenLost.callback(None)


class FakeServerFactory(ServerFactory):
    """
    Makes fake servers with one script.

    @ivar servers: those it made.
    @ivar cancel: what L{Cancel} calls; to be set when there is something to cancel.
    """

    noisy = False

    def __init__(self, script: Sequence[Step], clock: Any, **details: Any) -> None:
        self.servers: list[FakeServer] = []
        self.cancel: Callable[[], object] = lambda: None
        self._make = lambda: FakeServer(script, clock, lambda: self.cancel(), **details)

    def buildProtocol(self, addr: object) -> FakeServer:
        server = self._make()
        self.servers.append(server)
        return server


@implementer(IHostResolution)
class _Resolution:
    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None:
        """
        There is nothing to cancel.
        """


@implementer(IHostnameResolver)
class FakeResolver:
    """
    Resolves every name to some addresses.

    @ivar names: those that were asked for.
    """

    def __init__(self, *addresses: str, isSilent: bool = False) -> None:
        """
        @param isSilent: give no answer at all.
        """
        self.names: list[str] = []
        self._addresses = addresses
        self._isSilent = isSilent

    def resolveHostName(
        self,
        resolutionReceiver: Any,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Any = None,
        transportSemantics: str = "TCP",
    ) -> Any:
        self.names.append(hostName)
        resolution = _Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        if not self._isSilent:
            for address in self._addresses:
                resolutionReceiver.addressResolved(
                    IPv4Address("TCP", address, portNumber)
                )
            resolutionReceiver.resolutionComplete()
        return resolution


@implementer(IReactorPluggableNameResolver)
class MemoryNetwork(MemoryReactorClock):
    """
    A reactor that is also a clock.  Names resolve at once; a TCP connection comes about
    in C{settle}, to a protocol of C{factory}.

    @ivar factory: makes the servers, by default of a script.
    @ivar carriers: the ends of all connections so far, as pairs of the client's and
        the server's.
    @ivar dialling: the connections to come, as pairs of a factory and a connector.
    """

    def __init__(
        self,
        script: Sequence[Step] = (),
        *,
        refuses: bool = False,
        ignores: bool = False,
        **details: Any,
    ) -> None:
        """
        @param refuses: refuse connections.
        @param ignores: leave who connects without an answer.
        @param details: see L{FakeServer}.
        """
        super().__init__()
        self.nameResolver = FakeResolver("192.0.2.2")
        self.factory: Any = FakeServerFactory(script, self, **details)
        self.carriers: list[tuple[MemoryCarrier, MemoryCarrier]] = []
        self._refuses = refuses
        self._ignores = ignores
        self.dialling: list[tuple[Any, Any]] = []

    def connectTCP(self, *args: Any, **kwargs: Any) -> Any:
        connector = super().connectTCP(*args, **kwargs)
        self.dialling.append((self.tcpClients[-1][2], connector))
        return connector

    def advance(self, amount: float) -> None:
        """
        See L{Clock.advance<twisted.internet.task.Clock.advance>}; but what becomes due
        meanwhile has to wait for the next turn, as in a real reactor.
        """
        self.rightNow += amount
        due = [call for call in self.calls if call.getTime() <= self.rightNow]
        for call in due:
            if call.active():
                self.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)

    def settle(self, most: int = ALL) -> None:
        """
        Let happen what can without time passing.

        @param most: how many bytes move at a time.
        """
        for _ in range(1000):
            happened = self._pickUp()
            for pair in self.carriers:
                for carrier in pair:
                    # In turns: an end that aborts is to be heard.
                    for _ in range(1024):
                        if not carrier.moveOn(most):
                            break
                        happened = True
            if any(call.getTime() <= self.seconds() for call in self.getDelayedCalls()):
                happened = True
                self.advance(0)
            if not happened:
                return
        raise AssertionError("the network does not settle")

    def wait(self, seconds: float, most: int = ALL) -> None:
        """
        Let time pass, half a second at a time.
        """
        for _ in range(round(seconds * 2)):
            self.advance(0.5)
            self.settle(most)

    def _pickUp(self) -> bool:
        """
        Connect who dials.
        """
        if self._ignores or not self.dialling:
            return False
        dialling, self.dialling = self.dialling, []
        for factory, connector in dialling:
            if connector.stoppedConnecting:
                continue
            if self._refuses:
                reason = Failure(ConnectionRefusedError())
                factory.clientConnectionFailed(connector, reason)
                continue
            client, server = carrierPair()
            client.protocol = factory.buildProtocol(server.getHost())
            if client.protocol is None:
                continue
            server.protocol = self.factory.buildProtocol(client.getHost())
            self.carriers.append((client, server))
            server.protocol.makeConnection(server)
            client.protocol.makeConnection(client)
        return True

    def isEmpty(self) -> bool:
        """
        Tell whether nothing is left: no connection, none to come, no timer.
        """
        return (
            not self.getDelayedCalls()
            and all(client.disconnected for client, _ in self.carriers)
            and all(connector.stoppedConnecting for _, connector in self.dialling)
        )
