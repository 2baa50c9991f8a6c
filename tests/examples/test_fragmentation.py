# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The server and the client that test fragmentation, as programs.
"""

from __future__ import annotations

import re

from twisted.internet import reactor
from twisted.web.client import Agent, readBody

from twisted_ws import (
    ConnectionClosed,
    Inbox,
    MessageReceiver,
    ServerConfig,
    UpgradeRejected,
    WebSocketClient,
    WebSocketFactory,
)

from .programs import ExampleTests, Program

SERVER = "fragmentation_test_server"
CLIENT = "fragmentation_test_client"
SPOKEN = "fragmentation-test"


class Giant(MessageReceiver):
    """
    Answers with more than there may be in a frame.
    """

    def messageReceived(self, message: str | bytes) -> None:
        """
        Answer, whatever it was.
        """
        self.transport.sendMessage(bytes((1 << 20) + 1))


class ProgramTests(ExampleTests):
    """
    Both, mostly against each other.
    """

    async def converse(self, port: int, *options: str) -> list[str]:
        """
        Have a client talk to the server, to its end.

        @return: the lines it printed, but for those of throughput.
        """
        program = self.start(CLIENT, f"--port={port}", *options)
        self.assertEqual(await program.ended, 0, program.output)
        lines = program.output.splitlines()
        self.assertRegex(lines[-1], "^Connection Closed: we closed with 1000")
        self.assertEqual(lines[1:3], ["Connecting", "Connected"])
        return [line for line in lines if "Throughput" not in line]

    def sizes(self, lines: list[str], pattern: str) -> list[int]:
        """
        @return: the numbers in the lines that match C{pattern}.
        """
        found = [re.fullmatch(pattern, line) for line in lines]
        return [int(each[1]) for each in found if each]

    async def test_messages(self) -> None:
        """
        The client gets messages, text or binary, that grow.
        """
        server, port = await self.serve(SERVER)
        await server.whenSaid(f"http://localhost:{port}/")
        await server.whenSaid("Fragmenting messages at 16384 bytes\n")
        for option, pattern, logged in (
            ((), r"Received utf-8 message of (\d+) characters\.", "utf-8"),
            (("--binary",), r"Received binary message of (\d+) bytes\.", "binary"),
        ):
            lines = await self.converse(port, "--count=60", *option)
            self.assertEqual(
                lines[0], "Maximum aggregate message size: 134217728 bytes."
            )
            sizes = self.sizes(lines, pattern)
            self.assertEqual((sizes[0], len(sizes)), (100, 60))
            self.assertEqual(sizes, sorted(set(sizes)))
            self.assertLess(sizes[-1], 100 + 60 * 1024)
            await server.whenSaid(
                f"sent {sizes[-1]} byte {logged} message to 127.0.0.1\n"
            )
        await server.whenSaid(
            "(?s)(peer 127.0.0.1 disconnected: the peer closed with 1000.*){2}"
        )

    async def test_frames(self) -> None:
        """
        The client prints the frames, which are as large as the server was told.
        """
        rows: list[tuple[tuple[str, ...], int]] = [
            ((), 16384),
            (("--fragment=1000",), 1000),
            (("--fragment=1000", "--no-fragmentation"), 1 << 20),
        ]
        pattern = r"Frame: 0x([0-9a-f]); (\d+) bytes; Flags: (\[FIN\]|---)"
        for options, fragment in rows:
            server, port = await self.serve(SERVER, *options)
            lines = await self.converse(port, "--no-defragment", "--count=50")
            self.assertIn("Not automatically re-assembling", lines[0])
            total, frames, isLast = 0, 0, False
            for line in lines[3:-1]:
                frame = re.fullmatch(pattern, line)
                if frame is None:
                    self.assertEqual(line, f"Total message size: {total} bytes.")
                    self.assertEqual(frames, -(-total // fragment))
                    self.assertTrue(isLast)
                    total = frames = 0
                    continue
                self.assertEqual(frame[1], "0" if frames else "1")
                total += int(frame[2])
                frames += 1
                isLast = frame[3] == "[FIN]"
                if not isLast:
                    self.assertEqual(int(frame[2]), fragment)
            self.assertEqual(lines.count("Connected"), 1)
            self.assertEqual(len(self.sizes(lines, r"Total .*: (\d+) bytes\.")), 50)
            if fragment > 16384:
                await server.whenSaid("Fragmentation disabled.\n")

    async def test_throughput(self) -> None:
        """
        The client prints how fast it is.
        """
        _, port = await self.serve(SERVER)
        program = self.start(CLIENT, f"--port={port}")
        await program.whenSaid(r"(?m)^ +Throughput: [1-9]\d* KBps$")
        await self.assertEnds(program)

    async def test_page(self) -> None:
        """
        The page is at C{/}, and nothing is elsewhere.
        """
        _, port = await self.serve(SERVER)
        for path, status in (("/", 200), ("/x", 404), (f"/{SERVER}.py", 404)):
            url = f"http://127.0.0.1:{port}{path}".encode()
            response = await Agent(reactor).request(b"GET", url)
            body = await readBody(response)
            self.assertEqual(response.code, status, path)
            if status == 200:
                self.assertIn(b"<title>Fragmentation test</title>", body)

    async def test_limits(self) -> None:
        """
        Whoever sends more than a command is, asks for too much, or speaks another
        subprotocol gets a clear answer.
        """
        server, port = await self.serve(SERVER)
        client, url = WebSocketClient(reactor), f"ws://127.0.0.1:{port}/"
        with self.assertRaises(UpgradeRejected) as refused:
            await client.connect(url, protocols=["chat"])
        self.assertEqual(refused.exception.status, 404)
        for message, code, reason in (
            ("x" * 101, 1009, ""),
            ("sendMessage|16777217", 1008, "no more than 16777216 bytes"),
        ):
            inbox: Inbox = await client.connect(url, protocols=[SPOKEN])
            inbox.send(message)
            with self.assertRaises(ConnectionClosed) as closed:
                await inbox.receive()
            self.assertEqual(closed.exception.code, code)
            self.assertIn(reason, closed.exception.reason)
        await server.whenSaid("127.0.0.1 asked for too much: 16777217\n")

    async def test_interrupted(self) -> None:
        """
        When one of them is interrupted or terminated the connection is closed with
        1001, and both know; that is no failure.
        """

        async def begin() -> tuple[Program, Program]:
            server, port = await self.serve(SERVER)
            client = self.start(CLIENT, f"--port={port}")
            await client.whenSaid("Received")
            return server, client

        for signal in ("INT", "TERM"):
            server, client = await begin()
            await self.assertEnds(client, signal)
            self.assertIn("we closed with 1001", client.output)
            await server.whenSaid("disconnected: the peer closed with 1001")
            server, client = await begin()
            await self.assertEnds(server, signal)
            self.assertEqual(await client.ended, 0, client.output)
            self.assertIn("the peer closed with 1001", client.output)

    async def test_tooLargeFrame(self) -> None:
        """
        A frame of more than 1 MiB is refused with 1009, and exit code 1.
        """
        factory = WebSocketFactory(
            Giant,
            ServerConfig(fragmentOutgoingMessages=False, protocols=(SPOKEN,)),
        )
        port = self.listen(factory)
        self.addCleanup(factory.closeAllConnections)
        client = self.start(CLIENT, f"--port={port}")
        self.assertEqual(await client.ended, 1, client.output)
        self.assertIn("Connection Closed: we closed with 1009", client.output)

    async def test_serverVanishes(self) -> None:
        """
        An end without goodbye is exit code 1.
        """
        server, port = await self.serve(SERVER)
        client = self.start(CLIENT, f"--port={port}")
        await client.whenSaid("Received")
        await server.stop()
        self.assertEqual(await client.ended, 1, client.output)
        self.assertIn("Connection Closed: ", client.output)

    async def test_wrongOptions(self) -> None:
        """
        Sizes and numbers of nothing are refused; and where nothing listens there is one
        line that says so.
        """
        await self.assertRefuses(SERVER, "--fragment=0", named="--fragment")
        await self.assertRefuses(CLIENT, "--count=0", named="--count")
        client = self.start(CLIENT, "--port=1")
        self.assertEqual(await client.ended, 1, client.output)
        self.assertRegex(client.output, r"(?m)^Connect Error: .*refused.*$")
