# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The server and the client that test fragmentation, in memory.
"""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from examples.fragmentation_test_client import Requests, renderFlags
from examples.fragmentation_test_server import LARGEST, LOREM, MadeToMeasure
from twisted_ws import ClientConfig, Frame
from twisted_ws.testing import MemoryServer, RecordingReceiver


class MadeToMeasureTests(SynchronousTestCase):
    """
    The server, in memory.
    """

    def setUp(self) -> None:
        self.server = MemoryServer(MadeToMeasure)
        self.client = self.successResultOf(
            self.server.connect(
                "/",
                RecordingReceiver(),
                config=ClientConfig(maxReceivedMessageSize=None),
            )
        )

    def ask(self, *commands: str | bytes) -> list[Any]:
        """
        @return: what the server answers to these.
        """
        for command in commands:
            self.client.transport.sendMessage(command)
        self.server.flush()
        answers, self.client.messages = self.client.messages, []
        return list(answers)

    def test_text(self) -> None:
        """
        It sends as many bytes of text as it is asked for, always the same.
        """
        self.assertEqual(len(LOREM), 146)
        self.assertTrue(LOREM.isascii() and LOREM.startswith("  Lorem ipsum"))
        for size in (0, 1, 100, 145, 146, 147, 292, 16384, 16385, 1 << 20, LARGEST):
            (text,) = self.ask(f"sendMessage|{size}")
            self.assertEqual(len(text), size)
            self.assertTrue(text == (LOREM * (size // 146 + 1))[:size], size)
        self.assertEqual(self.ask("sendMessage|007"), [LOREM[:7]])

    def test_binary(self) -> None:
        """
        It sends as many bytes as it is asked for, different ones each time.
        """
        for size in (0, 1, 100, 16385, LARGEST):
            (data,) = self.ask(f"sendBinaryMessage|{size}")
            self.assertIsInstance(data, bytes)
            self.assertEqual(len(data), size)
        first, second = self.ask(*["sendBinaryMessage|100000"] * 2)
        self.assertNotEqual(first, second)
        self.assertEqual(len(set(first)), 256)

    def test_noCommand(self) -> None:
        """
        What is no command is ignored.
        """
        for message in (
            "",
            "sendMessage",
            "sendMessage|",
            "sendMessage|-1",
            "sendMessage|1.5",
            "sendMessage|1\n",
            " sendMessage|1",
            "sendMessage|\u0661",
            "sendBinaryMessage|0x10",
            "SENDMESSAGE|1",
            b"sendMessage|1",
            b"\xff",
        ):
            self.assertEqual(self.ask(message), [], message)
        self.assertEqual(self.ask("sendMessage|2"), ["  "])

    def test_tooLarge(self) -> None:
        """
        Whoever asks for too much is told how much is not, and gets nothing.
        """
        for size in (str(LARGEST + 1), "9" * 80):
            for command in ("sendMessage", "sendBinaryMessage"):
                self.setUp()
                self.assertEqual(self.ask(f"{command}|{size}", "sendMessage|1"), [])
                ended = self.client.reason
                self.assertEqual(ended.code, 1008)
                self.assertEqual(ended.reason, "no more than 16777216 bytes")

    def test_slowReader(self) -> None:
        """
        A client that does not read what it asked for is not read from, so that it does
        not pile up; it loses nothing.
        """
        mine, its = self.server.carriers[-1]
        mine.pauseProducing()
        self.ask(*["sendMessage|20000"] * 500)
        self.assertTrue(its.isPaused)
        self.assertLess(len(its.outgoing), its.highWater + 30000)
        mine.resumeProducing()
        self.assertEqual(list(map(len, self.ask())), [20000] * 500)


class RequestsTests(SynchronousTestCase):
    """
    The client, in memory.
    """

    def begin(
        self, command: str = "sendMessage", count: int | None = None, **options: Any
    ) -> None:
        """
        Connect a client.
        """
        self.clock = Clock()
        self.server = MemoryServer(RecordingReceiver)
        self.printed = StringIO()
        with redirect_stdout(self.printed):
            opened = self.server.connect(
                "/",
                Requests(self.clock, command, count),
                config=ClientConfig(maxReceivedMessageSize=None, **options),
            )
        self.successResultOf(opened)
        (self.connection,) = self.server.factory.connections

    def lines(self) -> list[str]:
        """
        @return: what it printed since the last time.
        """
        lines = self.printed.getvalue().splitlines()
        self.printed.seek(0)
        self.printed.truncate()
        return lines

    def asked(self) -> list[str]:
        """
        @return: what it has asked for since the last time.
        """
        with redirect_stdout(self.printed):
            self.server.flush()
        receiver = self.connection.receiver
        if receiver is None:
            return []
        messages, receiver.messages = receiver.messages, []
        return list(messages)

    def test_sizes(self) -> None:
        """
        It asks for 100 bytes, and after each answer for 1 to 1024 more.
        """
        for command, unit in (("sendMessage", "a"), ("sendBinaryMessage", b"a")):
            self.begin(command)
            self.assertEqual(self.asked(), [f"{command}|100"])
            size, steps = 100, set()
            for _ in range(200):
                self.connection.sendMessage(unit * size)
                (asked,) = self.asked()
                name, _, number = asked.partition("|")
                self.assertEqual(name, command)
                steps.add(int(number) - size)
                size = int(number)
            self.assertGreaterEqual(min(steps), 1)
            self.assertLessEqual(max(steps), 1024)
            self.assertLess(min(steps), 124)
            self.assertGreater(max(steps), 900)

    def test_printed(self) -> None:
        """
        It prints the size of each message.
        """
        self.begin()
        self.asked()
        self.assertEqual(self.lines(), ["Connected"])
        self.connection.sendMessage("x" * 100)
        self.asked()
        self.assertEqual(self.lines(), ["Received utf-8 message of 100 characters."])
        self.begin("sendBinaryMessage")
        self.connection.sendMessage(b"x" * 100)
        self.asked()
        self.assertEqual(self.lines()[1:], ["Received binary message of 100 bytes."])

    def test_frames(self) -> None:
        """
        Without assembly it prints each frame, and asks for more when a message is
        complete.
        """
        self.begin(assembleFragments=False)
        self.asked()
        self.lines()
        for frame, line in (
            (Frame(1, b"x" * 60, False), "Frame: 0x1; 60 bytes; Flags: ---"),
            (Frame(0, b"", False), "Frame: 0x0; 0 bytes; Flags: ---"),
            (Frame(0, b"x" * 40), "Frame: 0x0; 40 bytes; Flags: [FIN]"),
        ):
            self.connection.sendFrame(frame)
            asked = self.asked()
            lines = self.lines()
            self.assertEqual(lines.pop(0), line)
            if frame.fin:
                self.assertEqual(lines, ["Total message size: 100 bytes."])
                (command,) = asked
                self.assertRegex(command, r"^sendMessage\|\d+$")
            else:
                self.assertEqual((lines, asked), ([], []))

    def test_flags(self) -> None:
        """
        The bits of a frame have the names of RFC 6455 section 5.2.
        """
        for frame, flags in (
            (Frame(1), "[FIN]"),
            (Frame(1, fin=False), "---"),
            (Frame(1, rsv=0x40), "[FIN] [RSV1]"),
            (Frame(1, fin=False, rsv=0x30), "[RSV2] [RSV3]"),
        ):
            self.assertEqual(renderFlags(frame), flags)

    def test_wrongSize(self) -> None:
        """
        A message of another size ends it, with the reason, whether whole or in frames.
        """
        for whole in (True, False):
            for size in (0, 99, 101):
                self.begin(assembleFragments=whole)
                self.asked()
                receiver = self.connection.receiver
                self.connection.sendMessage(b"x" * size)
                self.asked()
                self.assertIn("That is wrong: 100 were asked for.", self.lines())
                self.assertEqual(receiver.reason.code, 1008)
                self.assertEqual(receiver.messages, [])

    def test_throughput(self) -> None:
        """
        Every second it prints how many KiB came in it; after the end, nothing.
        """
        self.begin()
        self.asked()
        self.connection.sendMessage("x" * 100)
        size = int(self.asked()[0].partition("|")[2])
        self.connection.sendMessage("x" * size)
        (asked,) = self.asked()
        for expected in (round((100 + size) / 1024), 0):
            self.lines()
            with redirect_stdout(self.printed):
                self.clock.advance(0.5)
                self.assertEqual(self.lines(), [])
                self.clock.advance(0.5)
            (line,) = self.lines()
            self.assertEqual(line.strip(), f"Throughput: {expected} KBps")
        self.connection.sendMessage("x" * int(asked.partition("|")[2]))
        self.asked()
        self.lines()
        with redirect_stdout(self.printed):
            # A busy process is late.
            self.clock.advance(64)
        (line,) = self.lines()
        self.assertEqual(line.strip(), "Throughput: 0 KBps")
        with redirect_stdout(self.printed):
            self.connection.close()
            self.server.flush()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_count(self) -> None:
        """
        It closes the connection after as many messages as it is told.
        """
        self.begin(count=2)
        receiver = self.connection.receiver
        for _ in range(2):
            (asked,) = self.asked()
            self.connection.sendMessage("x" * int(asked.partition("|")[2]))
        self.assertEqual(self.asked(), [])
        self.assertEqual(receiver.reason.code, 1000)
