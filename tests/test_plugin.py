# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
C{twistd websocket}, run as users run it.
"""

from __future__ import annotations

import os
import sys
from dataclasses import fields
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase
from twisted.web.client import Agent, readBody

from tests.processes import TWISTD, Program, run, twistd
from twisted_ws import ServerConfig, WebSocketClient
from twisted_ws.testing import RecordingReceiver

ROOT = str(Path(__file__).parent.parent)
LOCAL = "tcp:0:interface=127.0.0.1"
ACTIVATE = """
import os, socket, sys
listening = socket.create_server(("127.0.0.1", 0))
os.dup2(listening.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="ws")
os.execv(sys.argv[1], sys.argv[1:])
"""


class PluginTests(TestCase):
    """
    The plugin in a process of its own.
    """

    timeout = 60

    def start(self, *arguments: str) -> Program:
        """
        Start a server.
        """
        directory = self.mktemp()
        os.mkdir(directory)
        program = twistd("websocket", *arguments, directory=directory)
        self.addCleanup(program.stop)
        return program

    async def started(self, *arguments: str) -> tuple[Program, int]:
        """
        Start a server on a free port.
        """
        program = self.start("--listen", LOCAL, *arguments)
        said = await program.whenSaid(r"WebSockets at IPv4Address\(.*port=(\d+)\)")
        return program, int(said[1])

    async def test_listed(self) -> None:
        """
        C{twistd --help} lists it.
        """
        program = run([*TWISTD, "--help"], ROOT)
        self.assertEqual(await program.ended, 0)
        self.assertRegex(program.output, r"(?m)^ +websocket +Serve WebSockets")

    async def test_help(self) -> None:
        """
        C{twistd websocket --help} names every option, in lines that fit a terminal.
        """
        program = run([*TWISTD, "websocket", "--help"], ROOT)
        self.assertEqual(await program.ended, 0)
        for option in ["--listen=", "--mount=", "--web=", "--config=", "--check"]:
            self.assertIn(option, program.output)
        for field in fields(ServerConfig):
            words = "".join("-" + c.lower() if c.isupper() else c for c in field.name)
            stem = words.removesuffix("s").removesuffix("ie")
            self.assertIn(stem, program.output)

    async def test_demo(self) -> None:
        """
        Alone it serves a page, and the WebSockets behind it.
        """
        _, port = await self.started()
        url = f"http://127.0.0.1:{port}/"
        response = await Agent(reactor).request(b"GET", url.encode())
        self.assertEqual(response.code, 200)
        self.assertIn(b"WebSocket", await readBody(response))
        client = WebSocketClient(reactor)
        echo = await client.connect(f"ws://127.0.0.1:{port}/echo")
        for message in ["text", b"binary"]:
            echo.send(message)
            self.assertEqual(await echo.receive(), message)
        await echo.close()
        counter = await client.connect(f"ws://127.0.0.1:{port}/counter")
        self.assertEqual(await counter.receive(), "0")
        self.assertEqual(await counter.receive(), "1")
        await counter.close()

    async def test_ownApplication(self) -> None:
        """
        It serves a user's own application out of the current directory.
        """
        directory = self.mktemp()
        os.mkdir(directory)
        Path(directory, "shop.py").write_text(
            "from twisted_ws import MessageReceiver\n"
            "class Shout(MessageReceiver):\n"
            "    def messageReceived(self, message):\n"
            "        self.transport.sendMessage(message.upper())\n"
        )
        program = twistd(
            *["websocket", "-l", LOCAL, "-m", "/shout:loud=shop.Shout"],
            *["--max-received-message-size", "10"],
            directory=directory,
        )
        self.addCleanup(program.stop)
        said = await program.whenSaid(r"WebSockets at IPv4Address\(.*port=(\d+)\)")
        url = f"ws://127.0.0.1:{said[1]}/shout"
        client = WebSocketClient(reactor)
        inbox = await client.connect(url, protocols=["loud"])
        self.assertEqual(inbox.transport.protocol, "loud")
        inbox.send("hello")
        self.assertEqual(await inbox.receive(), "HELLO")
        inbox.send("hello, hello")
        ended = await inbox.transport.whenClosed()
        self.assertEqual(ended.code, 1009)
        await program.whenSaid(r"option: maxReceivedMessageSize")

    async def test_unix(self) -> None:
        """
        It serves on a UNIX socket.
        """
        directory = self.mktemp()
        os.mkdir(directory)
        program = twistd("websocket", "-l", "unix:ws.sock", directory=directory)
        self.addCleanup(program.stop)
        await program.whenSaid(r"WebSockets at UNIXAddress")
        self.assertTrue(Path(directory, "ws.sock").is_socket())

    async def test_systemd(self) -> None:
        """
        It serves on a socket that systemd has opened, and passes on as its protocol
        says: as descriptor 3, named in the environment.
        """
        directory = self.mktemp()
        os.mkdir(directory)
        listen = "systemd:domain=INET:name=ws"
        arguments = [*TWISTD, "-n", "--pidfile=", "websocket", "--listen", listen]
        program = run([sys.executable, "-c", ACTIVATE, *arguments], directory)
        self.addCleanup(program.stop)
        said = await program.whenSaid(r"WebSockets at IPv4Address\(.*port=(\d+)\)")
        url = f"ws://127.0.0.1:{said[1]}/echo"
        inbox = await WebSocketClient(reactor).connect(url)
        inbox.send("text")
        self.assertEqual(await inbox.receive(), "text")
        await inbox.close()

    async def test_termination(self) -> None:
        """
        On SIGTERM every client gets 1001 and the process ends, within the close
        timeout, though one of them does not answer.
        """
        program, port = await self.started("--close-timeout", "1")
        client = WebSocketClient(reactor)
        receivers = [RecordingReceiver() for _ in range(5)]
        ended = []
        for receiver in receivers:
            await client.connect(f"ws://127.0.0.1:{port}/echo", receiver)
            ended.append(receiver.transport.whenClosed())
        silent = await client.connect(f"ws://127.0.0.1:{port}/echo")
        silent.transport.carrier.pauseProducing()
        before = reactor.seconds()  # type: ignore[attr-defined]
        program.signal("TERM")
        for each in ended:
            self.assertEqual((await each).code, 1001)
        await program.ended
        elapsed = reactor.seconds() - before  # type: ignore[attr-defined]
        self.assertLess(elapsed, 10)
        self.assertNotIn("Traceback", program.output)
        self.assertIn("closing 6 WebSockets", program.output)
        silent.transport.carrier.resumeProducing()
        await silent.transport.whenClosed()

    async def test_wrongInput(self) -> None:
        """
        Wrong input is one line that names it, and exit code 1, whatever code this
        twistd has for wrong usage (the oldest say 0).
        """
        rows = [
            (["--mount", "/=no.such.thing"], "no.such.thing"),
            (["--listen", "tcp:nonsense"], "tcp:nonsense"),
            (["--close-timeout", "never"], "close-timeout"),
            (["--check", "--close-timeout", "never"], "close-timeout"),
            (["--config", "no-such.toml"], "no-such.toml"),
        ]
        programs = [(self.start(*arguments), named) for arguments, named in rows]
        for program, named in programs:
            self.assertEqual(await program.ended, 1, program.output)
            (line,) = program.output.splitlines()
            self.assertIn(named, line)

    async def test_wrongUsage(self) -> None:
        """
        An option that there is not ends as it does for all of twistd.
        """
        usual = await run([*TWISTD, "--nonsense"]).ended
        program = self.start("--nonsense")
        self.assertEqual(await program.ended, usual)
        self.assertIn("nonsense", program.output.strip().splitlines()[-1])

    async def test_portInUse(self) -> None:
        """
        A port in use is one line that names it, and exit code 1.
        """
        _, port = await self.started()
        second = self.start("--listen", f"tcp:{port}:interface=127.0.0.1")
        self.assertEqual(await second.ended, 1)
        self.assertNotIn("Traceback", second.output)
        self.assertIn(f"127.0.0.1:{port}", second.output)

    def test_idle(self) -> Deferred[int]:
        """
        A server without clients ends at once on SIGTERM.
        """
        program = self.start("--listen", LOCAL)
        said = program.whenSaid("WebSockets at")
        said.addCallback(lambda ignored: program.signal("TERM"))
        return said.addCallback(lambda ignored: program.ended)
