# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
One process of a server takes over from another, and many connections beside pages.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _installed
from twisted.internet.defer import gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase
from twisted.web.client import Agent, readBody

from tests.processes import TWISTD, Program, twistd
from twisted_ws import WebSocketClient
from twisted_ws.testing import RecordingReceiver

reactor: Any = _installed

ROOT = str(Path(__file__).parent.parent.parent)
INHERITED = """
import os, sys
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="ws")
os.execv(sys.argv[1], sys.argv[1:])
"""
HANDSHAKE = (
    b"GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\n\r\n"
)


class HandoverTests(TestCase):
    """
    A socket that systemd, or whoever else, has opened for both processes.
    """

    timeout = 60

    async def begin(self, listening: socket.socket) -> Program:
        """
        @return: a server that accepts on that socket.
        """
        program = Program()
        arguments = [sys.executable, "-c", INHERITED, *TWISTD, "-n", "--pidfile="]
        arguments += ["websocket", "--listen", "systemd:domain=INET:name=ws"]
        arguments += ["--drain-time", "1"]
        reactor.spawnProcess(
            program,
            arguments[0],
            arguments,
            {**os.environ, "PYTHONUNBUFFERED": "1"},
            path=ROOT,
            childFDs={0: "w", 1: "r", 2: "r", 3: listening.fileno()},
        )
        self.addCleanup(program.stop)
        await program.whenSaid("WebSockets at IPv4Address")
        return program

    async def test_handover(self) -> None:
        """
        While the old process says goodbye to its clients, the new one accepts; nobody
        who connects is turned away.
        """
        listening = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.addCleanup(listening.close)
        url = f"ws://127.0.0.1:{listening.getsockname()[1]}/echo"
        client = WebSocketClient(reactor)
        old = await self.begin(listening)
        receivers = [RecordingReceiver() for _ in range(20)]
        for receiver in receivers:
            await client.connect(url, receiver)
        ended = [receiver.transport.whenClosed() for receiver in receivers]
        await self.begin(listening)
        old.signal("TERM")
        connected = 0
        while not old.ended.called:
            inbox = await client.connect(url)
            inbox.send("hello")
            # One that was accepted by the old one just before may get its goodbye.
            await gatherResults([inbox.receive().addErrback(lambda failure: None)])
            await inbox.close()
            connected += 1
            await deferLater(reactor, 0.01)
        self.assertGreater(connected, 10)
        codes = {each.code for each in await gatherResults(ended)}
        self.assertEqual(codes, {1001})
        inbox = await client.connect(url)
        inbox.send("hello")
        self.assertEqual(await inbox.receive(), "hello")
        await inbox.close()
        self.assertNotIn("Traceback", old.output)


class BesideTests(TestCase):
    """
    Pages beside many WebSockets.
    """

    timeout = 90

    async def test_pages(self) -> None:
        """
        With a thousand WebSockets open that all talk, a page of the same server comes
        within a second.
        """
        program = twistd("websocket", "--listen", "tcp:0:interface=127.0.0.1")
        self.addCleanup(program.stop)
        said = await program.whenSaid(r"WebSockets at IPv4Address\(.*port=(\d+)\)")
        port = int(said[1])
        sockets: list[socket.socket] = []

        def connect() -> None:
            for _ in range(1000):
                each = socket.create_connection(("127.0.0.1", port), 10)
                sockets.append(each)
                each.sendall(HANDSHAKE)
                answer = b""
                while not answer.endswith(b"\r\n\r\n"):
                    answer += each.recv(4096)

        def talk() -> None:
            for each in sockets:
                each.sendall(b"\x81\x85" + bytes(4) + b"hello")
            for each in sockets:
                each.recv(4096)

        def leave() -> None:
            for each in sockets:
                each.close()

        self.addCleanup(leave)
        await deferToThread(connect)
        agent = Agent(reactor)
        for _ in range(3):
            talking = deferToThread(talk)
            while not talking.called:
                began = reactor.seconds()
                page = await agent.request(b"GET", f"http://127.0.0.1:{port}/".encode())
                self.assertEqual(page.code, 200)
                await readBody(page)
                self.assertLess(reactor.seconds() - began, 1)
            await talking
