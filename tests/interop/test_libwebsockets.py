# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The examples for libwebsockets' protocols, against WebSocket-Node's own client and
server.
"""

from __future__ import annotations

import json
from typing import Any

from tests.examples.programs import ExampleTests
from tests.processes import Program, run

from .harness import PEERS, PROGRAMS, certificates

INCREMENT = "dumb-increment-protocol"
MIRROR = "lws-mirror-protocol"
COOKIE = r"TestCookie=CookieValue\d{1,3}; Path=/; Max-Age=5000; HttpOnly"
STROKES = ["d #ff0000 1 2 3 4;", "c #00ff00 5 6 7;", "d #0000ff 8 9 10 11;"]

(original,) = (peer for peer in PEERS if peer.name == "websocket")


class LibwebsocketsTests(ExampleTests):
    """
    Ours and theirs.
    """

    if original.missing() is not None:
        skip = original.missing()

    def node(self, name: str, *arguments: str) -> Program:
        """
        Start a program of theirs.
        """
        node = original.command()[0]
        program = run([node, str(PROGRAMS / f"{name}.js"), *arguments])
        self.addCleanup(program.stop)
        return program

    def told(self, program: Program) -> list[dict[str, Any]]:
        """
        @return: what a program of theirs tells of.
        """
        return [json.loads(line) for line in program.output.splitlines()]

    async def serveNode(self, version: int, *arguments: str) -> None:
        """
        Have their client talk to our server, and look at all it got.
        """
        program, port = await self.serve("libwebsockets_test_server", *arguments)
        url, authority = f"ws://127.0.0.1:{port}/", []
        if arguments:
            url, authority = url.replace("ws:", "wss:"), [certificates().authority]
        client = self.node("lws_client", url, str(version), *authority)
        self.assertEqual(await client.ended, 0, client.output)
        told = self.told(client)

        opened = {each["name"]: each for each in told if each["event"] == "open"}
        self.assertEqual(opened["counter"]["protocol"], INCREMENT)
        self.assertEqual(opened["counter"]["cookies"], [])
        for name in ("first", "second", "third"):
            self.assertEqual(opened[name]["protocol"], MIRROR)
            (cookie,) = opened[name]["cookies"]
            self.assertRegex(cookie, f"^{COOKIE}$")

        received: dict[str, list[str]] = {name: [] for name in opened}
        for each in told:
            if each["event"] == "message":
                self.assertEqual(each["type"], "utf8")
                received[each["name"]].append(each["text"])
        numbers = [int(text) for text in received["counter"]]
        again = numbers.index(0, 1)
        self.assertGreaterEqual(again, 5)
        self.assertEqual(numbers, [*range(again), 0, 1, 2])
        self.assertEqual(received["first"], [*STROKES, "clear;", STROKES[0]])
        self.assertEqual(received["second"], ["".join(STROKES), "clear;", STROKES[0]])
        self.assertEqual(received["third"], [STROKES[0]])

        codes = {
            each["name"]: each["code"] for each in told if each["event"] == "close"
        }
        self.assertEqual(codes, dict.fromkeys(opened, 1000))
        for protocol in (MIRROR, INCREMENT):
            await program.whenSaid(f"{protocol} .* - Protocol Version {version}\n")

    async def test_client13(self) -> None:
        """
        Their client gets from our server what it would get from theirs: numbers, from 0
        again after a reset; its own strokes; all there is as a newcomer, if there is
        anything; and a cookie.
        """
        await self.serveNode(13)

    async def test_client8(self) -> None:
        """
        So it does in version 8.
        """
        await self.serveNode(8)

    async def test_clientSecure(self) -> None:
        """
        So it does over TLS.
        """
        files = certificates().files
        secure = ["--secure", f"--key={files['key']}", f"--cert={files['certificate']}"]
        await self.serveNode(13, *secure)

    async def askNode(self, version: int, isSecure: bool = False) -> None:
        """
        Have our client talk to their server, and look at what either tells.
        """
        files = certificates().files
        server = self.node("lws_server", *(files.values() if isSecure else ()))
        (port,) = (await server.whenSaid(r'"port":(\d+)')).groups()
        options = ["--host=127.0.0.1", f"--port={port}", f"--version={version}"]
        if isSecure:
            options += ["--secure", f"--ca={certificates().authority}"]
        client = self.start("libwebsockets_test_client", *options, "--count=20")
        self.assertEqual(await client.ended, 0, client.output)
        lines = client.output.splitlines()
        self.assertCountEqual(
            lines[:2], [f"{each} connected" for each in (MIRROR, INCREMENT)]
        )
        self.assertEqual(lines[2:22], [f"Number: '{number}'" for number in range(20)])
        for line, protocol in zip(lines[22:], (INCREMENT, MIRROR), strict=True):
            self.assertRegex(
                line, f"^{protocol} Connection Closed: we closed with 1000"
            )

        for protocol in (MIRROR, INCREMENT):
            await server.whenSaid(f'"closed","protocol":"{protocol}","code":1000')
        told = self.told(server)
        accepted = {
            each["protocol"]: each["version"]
            for each in told
            if each["event"] == "accepted"
        }
        self.assertEqual(accepted, {MIRROR: version, INCREMENT: version})
        drawn = [each for each in told if each["event"] == "drawn"]
        self.assertGreater(len(drawn), 1)
        for each in drawn:
            self.assertEqual(each["type"], "utf8")
            self.assertRegex(each["text"], r"^c #[89a-f][0-9a-f]{5} \d+ \d+ \d+;$")

    async def test_server13(self) -> None:
        """
        Our client prints the numbers of their server and draws circles there.
        """
        await self.askNode(13)

    async def test_server8(self) -> None:
        """
        So it does in version 8.
        """
        await self.askNode(8)

    async def test_serverSecure(self) -> None:
        """
        So it does over TLS.
        """
        await self.askNode(13, isSecure=True)
