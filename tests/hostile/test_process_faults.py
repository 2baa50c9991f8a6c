# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What happens to the process of a server: too few descriptors, signals, a log that cannot
be written, garbage where TLS should be.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

from OpenSSL.crypto import FILETYPE_PEM
from twisted.internet.threads import deferToThread

from tests.processes import TWISTD, run
from tests.sockets import certificates, trustme
from twisted_ws import ClosedCleanly

from . import attacks
from .attacker import HANDSHAKE, Attacker, frame
from .process import LOCAL, ROOT, ProcessTests, deferLater, memory, reactor


class DescriptorTests(ProcessTests):
    """
    A process may have so many descriptors.
    """

    async def test_flood(self) -> None:
        """
        More connections than there can be are turned away, those that are open go on,
        and when the flood is over there is room again; the log is not flooded.
        """
        await self.start(descriptors=160)
        honest = await self.connect()
        opened: list[Attacker] = []

        def flood() -> None:
            # Those who are not accepted wait in the kernel: nobody waits for them.
            for _ in range(300):
                opened.append(Attacker(self.port, None))
                opened[-1].send([HANDSHAKE + b"\r\n"])

        def end() -> None:
            for each in opened:
                each.reset()

        flooding = deferToThread(flood)
        while not flooding.called:
            await self.echo(honest)
            await deferLater(reactor, 0.02)
        await self.echo(honest)
        # The flood was quicker than the server may be with its answers.
        for _ in range(100):
            outcomes = {each.wait(lambda: False, 0) for each in opened}
            if "503" in outcomes:
                break
            await deferLater(reactor, 0.05)
        self.assertIn("503", outcomes)
        await deferToThread(end)
        await deferLater(reactor, 0.5)
        await self.echo(honest)
        await self.echo(await self.connect())
        self.assertLess(len(os.listdir(f"/proc/{self.pid}/fd")), 40)
        # Twisted has a line of its own for each that finds no descriptor.
        ours = [line for line in self.logged if "twisted_ws" in line]
        self.assertIn("(option: maxConnections)", "".join(ours))
        self.assertLess(len(ours), 10)
        self.assertNotIn("Traceback", self.program.output)


class LeavingTests(ProcessTests):
    """
    Peers that leave where nobody looks.
    """

    async def test_paused(self) -> None:
        """
        A connection that its application does not read from hides that its peer has
        left, until a ping of keepalive meets nobody; then nothing is left of it.
        """
        await self.start("--keepalive-interval", "1", "--keepalive-grace-period", "1")
        honest = await self.connect()
        await self.echo(honest)
        before = len(os.listdir(f"/proc/{self.pid}/fd"))
        opening = HANDSHAKE.replace(b"GET /", b"GET /paused") + b"\r\n"
        for number in range(20):
            leaving = Attacker(self.port, opening)
            leaving.send([frame(0x82, b"unread")])
            if number % 2:
                leaving.reset()
            else:
                leaving.__exit__()
        await self.echo(honest)
        self.assertGreater(len(os.listdir(f"/proc/{self.pid}/fd")), before + 9)
        await deferLater(reactor, 4)
        self.assertEqual(len(os.listdir(f"/proc/{self.pid}/fd")), before)
        await self.echo(honest)


class SignalTests(ProcessTests):
    """
    Signals.
    """

    async def test_stopped(self) -> None:
        """
        A process that is stopped for longer than its peers may be silent, and then goes
        on, drops none of them.
        """
        await self.start("--keepalive-interval", "1", "--keepalive-grace-period", "0.5")
        clients = [await self.connect() for _ in range(5)]
        os.kill(self.pid, signal.SIGSTOP)
        try:
            await deferLater(reactor, 3)
        finally:
            os.kill(self.pid, signal.SIGCONT)
        await deferLater(reactor, 2)
        for client in clients:
            await self.echo(client)
        await self.program.whenSaid(r"the reactor was blocked for \d")

    async def test_blocked(self) -> None:
        """
        Nor does one that an application of its own blocks for that long.
        """
        await self.start("--keepalive-interval", "1", "--keepalive-grace-period", "0.5")
        honest = await self.connect()
        blocker = await self.connect("/blocking")
        blocker.send("3")
        self.assertEqual(await blocker.receive(), "done")
        await deferLater(reactor, 2)
        await self.echo(honest)
        blocker.send("0")
        self.assertEqual(await blocker.receive(), "done")
        await self.program.whenSaid(r"the reactor was blocked for \d")

    async def test_termination(self) -> None:
        """
        On SIGTERM two hundred clients are told 1001, those that do not answer or are in
        the middle of a message as well, and the process ends in time; a second signal
        on the way makes no difference.
        """
        await self.start("--close-timeout", "2")
        clients = [await self.connect() for _ in range(200)]
        deaf = [Attacker(self.port, reads=False) for _ in range(10)]
        halfway = [Attacker(self.port) for _ in range(10)]
        for each in halfway:
            each.send([frame(0x82, b"half", announced=1000)])
        self.program.signal("TERM")
        await deferLater(reactor, 0.5)
        self.program.signal("TERM")
        ends = await self.gathered(
            *(client.transport.whenClosed() for client in clients)
        )
        for end in ends:
            self.assertIsInstance(end, ClosedCleanly)
            self.assertEqual(end.code, 1001)
        began = reactor.seconds()
        self.assertIn(await self.program.ended, (0, -signal.SIGTERM))
        self.assertLess(reactor.seconds() - began, 5)
        self.assertEqual({each.wait(lambda: False, 1) for each in halfway}, {"1001"})
        for each in deaf + halfway:
            each.__exit__()


class LogTests(ProcessTests):
    """
    A log that cannot be written.
    """

    async def test_unwritable(self) -> None:
        """
        On a full disk, and without any standard output or error, it serves.
        """
        for redirected in (">/dev/full 2>&1", ">&- 2>&-"):
            with socket.create_server(("127.0.0.1", 0)) as free:
                self.port = free.getsockname()[1]
            listen = f"tcp:{self.port}:interface=127.0.0.1"
            command = [*TWISTD, "-n", "--pidfile=", "websocket", "--listen", listen]
            command += ["--mount", "*=tests.hostile.applications.everything"]
            shell = ["/bin/sh", "-c", f'exec "$@" {redirected}', "sh", *command]
            self.program = run(shell, ROOT)
            self.addCleanup(self.program.stop)
            for _ in range(100):
                await deferLater(reactor, 0.1)
                if Attacker(self.port, None).outcome != "refused":
                    break
            honest = await self.connect()
            await self.echo(honest)
            outcome = await deferToThread(attacks.announced, self.port)
            self.assertEqual(outcome, "1009", redirected)
            await self.echo(honest)


class TLSTests(ProcessTests):
    """
    A port with TLS.
    """

    def handshake(self) -> bytes:
        """
        @return: what an honest client is answered.
        """
        context = ssl.create_default_context(cadata=self.authority)
        plain = socket.create_connection(("127.0.0.1", self.port), 5)
        with context.wrap_socket(plain, server_hostname="localhost") as secure:
            secure.sendall(HANDSHAKE + b"\r\n")
            return secure.recv(12)

    async def startTLS(self) -> None:
        """
        Start the server.
        """
        if trustme is None:
            self.skipTest("trustme is not installed")
        own, authority = certificates()
        self.authority = authority.dumpPEM().decode()
        pem = Path(self.mktemp()).absolute()
        pem.write_bytes(own.privateKey.dump(FILETYPE_PEM) + own.dumpPEM())
        listen = LOCAL.replace("tcp:", "ssl:") + f":privateKey={pem}:certKey={pem}"
        await self.start(listen=listen)

    async def test_keyUpdates(self) -> None:
        """
        A client that asks for new keys (RFC 8446 section 4.6.3) over and over, and
        reads nothing, costs no memory, and others are served.
        """
        program = shutil.which("openssl")
        if program is None:
            self.skipTest("there is no openssl")
        await self.startTLS()
        self.assertEqual(await deferToThread(self.handshake), b"HTTP/1.1 101")
        before = memory(self.pid)["VmRSS"]
        command = [program, "s_client", "-tls1_3", "-connect", f"127.0.0.1:{self.port}"]
        client = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(client.wait)
        self.addCleanup(client.kill)
        assert client.stdin is not None and client.stdout is not None
        self.addCleanup(client.stdout.close)
        self.addCleanup(client.stdin.close)
        client.stdin.write(HANDSHAKE + b"\r\n")
        client.stdin.flush()

        def ask() -> None:
            assert client.stdin is not None and client.stdout is not None
            while b"HTTP/1.1 101" not in client.stdout.readline():
                pass
            # A read that begins with this letter is what has it ask; so one at a time.
            for _ in range(500):
                client.stdin.write(b"K\n")
                client.stdin.flush()
                time.sleep(0.004)

        asking = deferToThread(ask)
        while not asking.called:
            self.assertEqual(await deferToThread(self.handshake), b"HTTP/1.1 101")
        await asking
        self.assertIsNone(client.poll())
        self.assertLess(memory(self.pid)["VmHWM"] - before, 32)
        self.assertNotIn("Traceback", self.program.output)

    async def test_garbage(self) -> None:
        """
        What is no TLS is dropped, and memory is none the worse for it; clients that
        speak TLS are served.
        """
        await self.startTLS()
        self.assertEqual(await deferToThread(self.handshake), b"HTTP/1.1 101")
        before = memory(self.pid)["VmRSS"]
        outcome = await deferToThread(attacks.garbage, self.port)
        self.assertRegex(outcome, "^[a-z, ]+$")
        self.assertEqual(await deferToThread(self.handshake), b"HTTP/1.1 101")
        self.assertLess(memory(self.pid)["VmRSS"] - before, 32)
        self.assertNotIn("Traceback", self.program.output)
        self.assertLess(len(self.logged), 600)
