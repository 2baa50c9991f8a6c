# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Networks that stop to carry anything, without telling either side.
"""

from __future__ import annotations

import os
import subprocess
from itertools import count
from pathlib import Path
from shutil import which
from typing import Any
from unittest import skipUnless

from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater

from tests.processes import Program
from twisted_ws import ClosedAbruptly

from .servers import FaultTests, descriptors, reactor

PATIENCE = 0.5
SHORT = 0.6
"""
Seconds of a cut that nobody's patience is too short for.
"""

KEEPALIVE = (
    f"--keepalive-interval={PATIENCE}",
    f"--keepalive-grace-period={PATIENCE}",
)
OURS = {
    "keepalive": True,
    "keepaliveInterval": PATIENCE,
    "keepaliveGracePeriod": PATIENCE,
}


class _End(Protocol):
    """
    One side of a connection through a L{Relay}.
    """

    other: Any = None

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def connectionMade(self) -> None:
        self._relay.ends.add(self)
        if self._relay.isCut:
            self.transport.pauseProducing()

    def dataReceived(self, data: bytes) -> None:
        self.other.transport.write(data)

    def connectionLost(self, reason: Any = None) -> None:
        self._relay.ends.discard(self)
        if self.other is not None:
            self.other.transport.loseConnection()


class Relay(Factory):
    """
    A network that can be cut: it carries bytes to a port of 127.0.0.1, and ends of
    connections.

    @ivar ends: those there are, two for each connection.
    @ivar isCut: whether it carries nothing.
    """

    noisy = False

    def __init__(self, port: int) -> None:
        self.isCut = False
        self.ends: set[_End] = set()
        self._port = port

    def buildProtocol(self, address: Any) -> Any:
        """
        A connection from a client: the server has one with us.
        """
        near, far = _End(self), _End(self)
        near.other, far.other = far, near
        connected = connectProtocol(
            TCP4ClientEndpoint(reactor, "127.0.0.1", self._port), far
        )
        # What comes before is kept by the operating system.
        connected.addCallback(lambda far: near.transport.resumeProducing())
        reactor.callLater(
            0, lambda: connected.called or near.transport.pauseProducing()
        )
        return near

    def cut(self) -> None:
        """
        Carry nothing, neither bytes nor ends.
        """
        self.isCut = True
        for end in self.ends:
            end.transport.pauseProducing()

    def mend(self) -> None:
        """
        Carry all that came meanwhile.
        """
        self.isCut = False
        for end in list(self.ends):
            end.transport.resumeProducing()


class CutMixin:
    """
    What has to hold, however the network is cut.
    """

    async def test_long(self: Any) -> None:
        """
        Both sides find out by themselves, by their keepalive, and nothing is left of
        the connections on the server while the network is still cut; when it is
        mended, there are new ones.
        """
        program = await self.begin(*KEEPALIVE)
        await self.assertServes(self.port)
        before = await self.atRest(program)
        clients = [await self.client(self.port, **OURS) for _ in range(5)]
        self.assertEqual(descriptors(program), before + 5)
        self.cut()
        for client in clients:
            ended = await client.transport.whenClosed()
            self.assertIsInstance(ended, ClosedAbruptly)
            self.assertIn("keepalive", str(ended))
        await program.whenSaid("keepaliveInterval", 5)
        await self.eventually(lambda: descriptors(program) == before)
        self.mend()
        await self.assertServes(self.port)
        self.assertNotIn("Traceback", program.output)

    async def test_short(self: Any) -> None:
        """
        A cut that is shorter than anybody's patience loses nothing.
        """
        await self.begin("--keepalive-interval=5", "--keepalive-grace-period=5")
        client = await self.client(self.port)
        client.send("before")
        self.assertEqual(await client.receive(), "before")
        self.cut()
        for number in range(20):
            client.send(f"{number}" * 1000)
        answer = client.receive()
        await deferLater(reactor, SHORT)
        self.assertFalse(answer.called)
        self.mend()
        self.assertEqual(await answer, "0" * 1000)
        for number in range(1, 20):
            self.assertEqual(await client.receive(), f"{number}" * 1000)
        await client.close()

    async def test_whileClosing(self: Any) -> None:
        """
        A client that closes meanwhile waits for C{closeTimeout}, no longer; so does the
        server, when it is told to end.
        """
        program = await self.begin("--close-timeout=1")
        leaving = await self.client(self.port, closeTimeout=0.3)
        staying = await self.client(self.port)
        self.cut()
        ended = await leaving.close()
        self.assertIsInstance(ended, ClosedAbruptly)
        self.assertIn("closeTimeout", str(ended))
        program.signal("TERM")
        before = reactor.seconds()
        await program.ended
        self.assertLess(reactor.seconds() - before, 4)
        self.assertIn("closing 2 WebSockets", program.output)
        self.mend()
        staying.transport.abortConnection()


@skipUnless(Path("/proc/self/fd").is_dir(), "there is no /proc here")
class RelayTests(CutMixin, FaultTests):
    """
    A cut by a relay that stops: nothing is sent, but the operating systems of both
    sides still acknowledge what they are sent.
    """

    async def begin(self, *options: str) -> Program:
        """
        Start a server, and a relay to it.
        """
        program, port = await self.serve(*options)
        self.relay = Relay(port)
        listening = reactor.listenTCP(0, self.relay, interface="127.0.0.1")
        self.port = listening.getHost().port
        self.addCleanup(self.endRelay)
        self.addCleanup(listening.stopListening)
        return program

    async def endRelay(self) -> None:
        """
        Leave no connection behind.
        """
        for end in list(self.relay.ends):
            end.transport.abortConnection()
        await self.eventually(lambda: not self.relay.ends)

    def cut(self) -> None:
        """
        Have it stop.
        """
        self.relay.cut()

    def mend(self) -> None:
        """
        Have it go on.
        """
        self.relay.mend()


def ip(*arguments: str) -> None:
    """
    Run C{ip}.

    @raise subprocess.CalledProcessError: when it fails.
    """
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def canHaveNetworks() -> bool:
    """
    @return: whether this process may have networks of its own.
    """
    if which("ip") is None or os.geteuid():
        return False
    name = f"try{os.getpid()}"
    try:
        ip("netns", "add", name)
        ip("netns", "delete", name)
    except subprocess.CalledProcessError:
        return False
    return True


@skipUnless(canHaveNetworks(), "this process may not have networks of its own")
class NamespaceTests(CutMixin, FaultTests):
    """
    A cut of a link between two networks: packets are lost.
    """

    # Of the addresses for tests of networks (RFC 2544).
    host = "198.18.77.2"
    _count = count()

    async def begin(self, *options: str) -> Program:
        """
        Start a server in a network of its own.
        """
        # Each has names of its own, as links are slow to go.
        unique = f"{os.getpid()}-{next(self._count)}"
        self.namespace, near, self.far = f"ws{unique}", f"n{unique}", f"f{unique}"
        ip("netns", "add", self.namespace)
        self.addCleanup(self.unplug, near)
        ip("link", "add", near, "type", "veth", "peer", "name", self.far)
        ip("link", "set", self.far, "netns", self.namespace)
        ip("address", "add", "198.18.77.1/30", "dev", near)
        ip("link", "set", near, "up")
        ip("-n", self.namespace, "address", "add", "198.18.77.2/30", "dev", self.far)
        ip("-n", self.namespace, "link", "set", self.far, "up")
        within = ("ip", "netns", "exec", self.namespace)
        program, self.port = await self.serve(*options, within=within)
        return program

    def unplug(self, near: str) -> None:
        """
        Leave nothing of it.
        """
        subprocess.run(["ip", "link", "delete", near], capture_output=True)
        ip("netns", "delete", self.namespace)

    def cut(self) -> None:
        """
        Unplug it.
        """
        ip("-n", self.namespace, "link", "set", self.far, "down")

    def mend(self) -> None:
        """
        Plug it in.
        """
        ip("-n", self.namespace, "link", "set", self.far, "up")
