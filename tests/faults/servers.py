# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
For the tests of faults: a server in a process of its own, and clients of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet import reactor as _installed
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.conversation import HANDSHAKE
from tests.processes import TWISTD, Program, run
from tests.sockets import Peer
from tests.wire import KEY, rawFrame
from twisted_ws import ClientConfig, WebSocketClient

reactor: Any = _installed

ECHO = HANDSHAKE.replace(b"GET / ", b"GET /echo ")


def frame(first: int, payload: bytes = b"") -> bytes:
    """
    @return: a client's frame.
    """
    return rawFrame(first, payload, KEY)


class FaultTests(TestCase):
    """
    The base of the tests.

    @ivar host: where servers are.
    """

    timeout = 120
    host = "127.0.0.1"

    def start(self, *options: str, within: Sequence[str] = ()) -> Program:
        """
        Start C{twistd websocket}.

        @param within: the command that runs it.
        """
        directory = self.mktemp()
        os.mkdir(directory)
        command = [*within, *TWISTD, "-n", "--pidfile=", "websocket"]
        program = run([*command, *options], directory)
        self.addCleanup(program.stop)
        return program

    def listen(self, port: int = 0) -> str:
        """
        @return: the option for a port.
        """
        return f"--listen=tcp:{port}:interface={self.host}"

    def endpoint(self, port: int) -> Any:
        """
        @return: how clients get there.
        """
        return TCP4ClientEndpoint(reactor, self.host, port, timeout=5)

    async def serve(
        self, *options: str, port: int = 0, within: Sequence[str] = ()
    ) -> tuple[Program, int]:
        """
        Start a server.

        @return: it, and its port.
        """
        program = self.start(self.listen(port), *options, within=within)
        said = await program.whenSaid(r"WebSockets at IPv4Address\(.*port=(\d+)\)")
        return program, int(said[1])

    async def peer(self, port: int, *segments: bytes) -> Peer:
        """
        @return: a client that speaks bytes, and has sent these.
        """
        peer: Peer = await connectProtocol(self.endpoint(port), Peer())
        self.addCleanup(self.drop, peer)
        for segment in segments:
            peer.transport.write(segment)
        return peer

    async def opened(self, port: int) -> Peer:
        """
        @return: one whose handshake is done.
        """
        peer = await self.peer(port, ECHO)
        await peer.until(b"\r\n\r\n")
        self.assertTrue(peer.received.startswith(b"HTTP/1.1 101 "), peer.received)
        return peer

    def drop(self, peer: Peer) -> Any:
        """
        Reset a peer's connection, if there still is one.
        """
        if not peer.whenLost.called:
            peer.transport.abortConnection()
        return peer.whenLost

    async def client(self, port: int, receiver: Any = None, **options: Any) -> Any:
        """
        @return: the receiver of a client of ours.
        """
        client = WebSocketClient(
            reactor, ClientConfig(**options), endpoint=self.endpoint(port)
        )
        opened = await client.connect(f"ws://{self.host}:{port}/echo", receiver)
        self.addCleanup(opened.transport.whenClosed)
        self.addCleanup(opened.transport.abortConnection)
        return opened

    async def assertServes(self, port: int) -> None:
        """
        Check that a new client gets its echo.
        """
        inbox = await self.client(port)
        inbox.send("are you there?")
        self.assertEqual(await inbox.receive(), "are you there?")
        await inbox.close()

    async def atRest(self, program: Program) -> int:
        """
        @return: how many descriptors a server has that has nothing to do: as many as
            it has had for a while.
        """
        counts = [descriptors(program)]
        while len(counts) < 10 or len(set(counts[-10:])) > 1:
            await deferLater(reactor, 0.02)
            counts.append(descriptors(program))
        return counts[-1]

    async def eventually(self, isSo: Callable[[], bool], seconds: float = 5) -> float:
        """
        Wait until something is so.

        @return: how many seconds that took.
        """
        begun = reactor.seconds()
        while not isSo():
            waited = reactor.seconds() - begun
            self.assertLess(waited, seconds, "it never was so")
            await deferLater(reactor, 0.02)
        return float(reactor.seconds() - begun)


def descriptors(program: Program) -> int:
    """
    @return: how many a process has.
    """
    return len(os.listdir(f"/proc/{program.transport.pid}/fd"))


def statistic(program: Program, name: str) -> int:
    """
    @return: the bytes that C{/proc/PID/status} has under this name.
    """
    with open(f"/proc/{program.transport.pid}/status") as file:
        (line,) = (line for line in file if line.startswith(name + ":"))
    return int(line.split()[1]) * 1024
