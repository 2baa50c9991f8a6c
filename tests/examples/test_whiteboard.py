# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The whiteboard.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import Agent, readBody

from examples.whiteboard import CONFIG, Whiteboard, parse, readCommand
from twisted_ws import ClientConfig, Inbox, Router, UpgradeRejected, WebSocketClient
from twisted_ws.testing import MemoryServer, RecordingReceiver

from .programs import ExampleTests

PROTOCOL = "whiteboard-example"
CLEAR = {"msg": "clear"}


def line(*points: Any, **color: Any) -> dict[str, Any]:
    """
    @return: the command to draw a line; C{color} differs from black.
    """
    data = {"color": {"r": 0, "g": 0, "b": 0, **color}, "points": list(points)}
    return {"msg": "drawLine", "data": data}


def initial(*commands: Any) -> dict[str, Any]:
    """
    @return: what a newcomer gets.
    """
    return {"msg": "initCommands", "data": list(commands)}


LINES = [line(1, 2, 3, 4), line(0.5, -1, 3.25, 9999, r=200), line(5, 6, 7, 8, b=255)]


class CommandTests(SynchronousTestCase):
    """
    What is a command, and what is none.
    """

    def test_commands(self) -> None:
        """
        A command is read, however it is written, and comes out in one spelling, without
        what does not belong to it.
        """
        for command in (CLEAR, *LINES):
            spelled = readCommand(json.dumps(command, indent=4))
            self.assertEqual(spelled, json.dumps(command, separators=(",", ":")))
        more = json.dumps({**line(1, 2, 3, 4), "html": "<script>"})
        self.assertEqual(readCommand(more), readCommand(json.dumps(line(1, 2, 3, 4))))
        self.assertEqual(readCommand('{"msg":"clear","data":[1]}'), '{"msg":"clear"}')

    def test_noCommands(self) -> None:
        """
        Whatever else comes is none.
        """
        rows: list[Any] = [
            None,
            True,
            7,
            "clear",
            [],
            ["msg"],
            {},
            {"msg": None},
            {"msg": "Clear"},
            {"msg": ["clear"]},
            {"msg": {"msg": "clear"}},
            {"msg": "drawLine"},
            {"msg": "drawLine", "data": "color"},
            {"msg": "drawLine", "data": [1, 2]},
            {"msg": "drawLine", "data": {"points": [1, 2, 3, 4]}},
            {"msg": "drawLine", "data": {"color": "red", "points": [1, 2, 3, 4]}},
            {**line(1, 2, 3, 4), "msg": "drawline"},
            initial(line(1, 2, 3, 4)),
            {"msg": "drawLine", "data": {**line()["data"], "points": 7}},
            {"msg": "drawLine", "data": {**line()["data"], "points": None}},
            line(),
            line(1, 2, 3),
            line(1, 2, 3, 4, 5),
            line(1, 2, 3, "4"),
            line(1, 2, 3, None),
            line(1, 2, 3, True),
            line(1, 2, 3, [4]),
            line(1, 2, 3, 10001),
            line(1, -10000.5, 3, 4),
            line(1, 2, 3, 4, r=256),
            line(1, 2, 3, 4, g=-1),
            line(1, 2, 3, 4, b=0.5),
            line(1, 2, 3, 4, b=True),
            line(1, 2, 3, 4, b="0"),
            line(1, 2, 3, 4, b=None),
        ]
        texts = [json.dumps(row) for row in rows]
        good = json.dumps(line(1, 2, 3, 4))
        texts += [
            "",
            "\0",
            "{",
            good[:-1],
            good + good,
            good.replace("4]", "NaN]"),
            good.replace("4]", "Infinity]"),
            good.replace("4]", "1e999]"),
            good.replace("[1, 2, 3, 4]", '{"0": 1, "1": 2, "2": 3, "3": 4}'),
            good.replace("[1, 2, 3, 4]", '"1234"'),
            "[" * 100_000,
            '{"msg":' * 100_000,
            "9" * 5000,
        ]
        for text in texts:
            self.assertIsNone(readCommand(text), text[:200])


class WhiteboardTests(SynchronousTestCase):
    """
    The whiteboard in memory.
    """

    def setUp(self) -> None:
        router = Router()
        router.mount("*", PROTOCOL, Whiteboard())
        self.server = MemoryServer(router, CONFIG)

    def join(self) -> RecordingReceiver:
        """
        Connect a client.
        """
        receiver = RecordingReceiver()
        self.successResultOf(self.server.connect("/", receiver, protocols=[PROTOCOL]))
        return receiver

    def send(self, receiver: RecordingReceiver, *commands: Any) -> None:
        """
        Send commands as JSON, and anything else as it is, and let them arrive.
        """
        for each in commands:
            message = json.dumps(each) if isinstance(each, dict) else each
            receiver.transport.sendMessage(message)
        self.server.flush()

    def take(self, receiver: RecordingReceiver) -> list[Any]:
        """
        @return: the commands that came since the last time.
        """
        messages, receiver.messages = receiver.messages, []
        return [json.loads(message) for message in messages]

    def test_shared(self) -> None:
        """
        A newcomer gets all commands, also if there are none; each new one goes to all,
        in order, the sender included.
        """
        first, second = self.join(), self.join()
        for each in (first, second):
            self.assertEqual(self.take(each), [initial()])
        self.send(first, *LINES[:2])
        self.send(second, LINES[2])
        for each in (first, second):
            self.assertEqual(self.take(each), LINES)
        self.assertEqual(self.take(self.join()), [initial(*LINES)])

    def test_clear(self) -> None:
        """
        C{clear} goes to all, and newcomers get what came since.
        """
        first = self.join()
        self.send(first, LINES[0], CLEAR, LINES[1])
        self.assertEqual(self.take(first)[1:], [LINES[0], CLEAR, LINES[1]])
        self.assertEqual(self.take(self.join()), [initial(LINES[1])])

    def test_ignored(self) -> None:
        """
        What is no command reaches nobody, and harms nobody.
        """
        first, second = self.join(), self.join()
        self.send(first, "{", "[]", initial(LINES[0]), b'{"msg":"clear"}', "[" * 2000)
        self.send(first, LINES[0])
        self.assertEqual(self.take(second), [initial(), LINES[0]])
        self.assertEqual(self.take(self.join()), [initial(LINES[0])])

    def test_tooLong(self) -> None:
        """
        Who sends more than a command can be is closed with 1009.
        """
        first = self.join()
        self.send(first, '{"msg":"clear","data":"' + "a" * 2048 + '"}')
        self.assertEqual(first.reason.code, 1009)

    def test_subprotocol(self) -> None:
        """
        Who does not speak the subprotocol is refused.
        """
        for protocols in ([], ["chat"]):
            opened = self.server.connect("/", protocols=protocols)
            error = self.failureResultOf(opened, UpgradeRejected).value
            self.assertEqual(error.status, 404)

    def test_bounded(self) -> None:
        """
        Of more than its limit it remembers the latest.
        """
        self.patch(Whiteboard, "limit", 1000)
        first = self.join()
        lines = [line(number, 2, 3, 4) for number in range(100, 200)]
        self.send(first, *lines)
        self.assertEqual(self.take(first), [initial(), *lines])
        (shown,) = self.take(self.join())
        self.assertGreater(len(shown["data"]), 5)
        self.assertLess(len(json.dumps(shown["data"])), 1300)
        self.assertEqual(shown["data"], lines[-len(shown["data"]) :])

    def test_slowReader(self) -> None:
        """
        For a client that does not read nothing piles up; when it reads again it is
        shown the whiteboard once, over whatever it had, and then what comes.
        """
        first, slow = self.join(), self.join()
        mine, its = self.server.carriers[-1]
        its.highWater = 200
        mine.pauseProducing()
        lines = [line(number, 2, 3, 4) for number in range(100, 200)]
        self.send(first, *lines[:50], CLEAR, *lines[50:])
        self.assertLess(len(its.outgoing), 400)
        its.highWater = 65536
        mine.resumeProducing()
        self.server.flush()
        received = self.take(slow)
        self.assertEqual(received[1:-1], lines[: len(received) - 2])
        self.assertEqual(received[-1], initial(CLEAR, *lines[50:]))
        self.send(first, LINES[0])
        self.assertEqual(self.take(slow), [LINES[0]])

    def test_notFragmented(self) -> None:
        """
        What it sends is one frame, however long.
        """
        first = self.join()
        self.send(first, *[LINES[1]] * 1000)
        frames = Inbox()
        config = ClientConfig(assembleFragments=False)
        opened = self.server.connect("/", frames, config, protocols=[PROTOCOL])
        self.successResultOf(opened)
        frame = self.successResultOf(frames.receive())
        self.assertTrue(frame.fin)
        self.assertGreater(len(frame.payload), 65536)


class ProgramTests(ExampleTests):
    """
    The whiteboard, as a program.
    """

    async def connect(self, port: int, version: int = 13) -> Inbox:
        """
        Connect to it.
        """
        client = WebSocketClient(reactor, ClientConfig(webSocketVersion=version))
        url = f"ws://127.0.0.1:{port}/"
        inbox: Inbox = await client.connect(url, protocols=[PROTOCOL])
        self.addCleanup(inbox.close)
        return inbox

    async def test_page(self) -> None:
        """
        The page is at C{/}, and nothing is elsewhere.
        """
        _, port = await self.serve("whiteboard")
        for path, status in (("/", 200), ("/whiteboard.html", 404)):
            url = f"http://127.0.0.1:{port}{path}".encode()
            response = await Agent(reactor).request(b"GET", url)
            body = await readBody(response)
            self.assertEqual(response.code, status, path)
            isPage = b'<canvas id="whiteboard" width="800" height="450">' in body
            self.assertEqual(isPage, status == 200)

    async def test_whiteboard(self) -> None:
        """
        What is drawn reaches all, in both versions, and who comes later.
        """
        program, port = await self.serve("whiteboard")
        inboxes = []
        for number, version in enumerate((13, 8, 13)):
            inboxes.append(await self.connect(port, version))
            received = json.loads(await inboxes[-1].receive())
            self.assertEqual(received, initial(*LINES[:number]))
            inboxes[-1].send(json.dumps(LINES[number]))
            for each in inboxes:
                self.assertEqual(json.loads(await each.receive()), LINES[number])
        await inboxes[0].close()
        await program.whenSaid("(?s)(127.0.0.1 connected.*){3}127.0.0.1 disconnected")

    async def test_interrupted(self) -> None:
        """
        When it is interrupted or terminated its guests get 1001, and it ends.
        """
        for signal in ("INT", "TERM"):
            program, port = await self.serve("whiteboard")
            inbox = await self.connect(port)
            await self.assertEnds(program, signal)
            ended = await inbox.transport.whenClosed()
            self.assertEqual((ended.code, ended.begunBy), (1001, "peer"))

    async def test_options(self) -> None:
        """
        Its port is 8080, unless another is given; wrong options are told of.
        """
        self.assertEqual(parse([]).port, 8080)
        await self.assertRefuses("whiteboard", "--port=x", named="--port")
        await self.assertRefuses("whiteboard", "--secure", named="--secure")
        _, port = await self.serve("whiteboard")
        program = self.start("whiteboard", f"--port={port}")
        self.assertEqual(await program.ended, 1)
        self.assertRegex(program.output, r"(?m)^Cannot listen: .+$")
