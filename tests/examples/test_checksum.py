# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The extension of one's own.
"""

from __future__ import annotations

from zlib import adler32, crc32

from twisted.trial.unittest import SynchronousTestCase

from examples.checksum import Checksum, ChecksumFactory
from tests.conversation import BOTH, Conversation
from twisted_ws import Frame, InvalidUpgrade
from twisted_ws.extensions import RSV2

from .programs import ExampleTests


def summed(payload: bytes) -> bytes:
    """
    @return: a payload and its checksum.
    """
    return payload + crc32(payload).to_bytes(4, "big")


class ChecksumTests(SynchronousTestCase):
    """
    The extension, in memory.
    """

    def begin(self, isServer: bool) -> Conversation:
        """
        @return: a connection that has it.
        """
        field = b"Sec-WebSocket-Extensions: x-checksum; algorithm=crc32"
        return Conversation(isServer, fields=(field,), extensions=(ChecksumFactory(),))

    def test_sends(self) -> None:
        """
        Each frame that has a payload gets a checksum and a mark.
        """
        for isServer, role in BOTH:
            c = self.begin(isServer)
            c.connection.sendMessage("hello")
            c.connection.sendMessage("")
            c.connection.sendFrame(Frame(2, b"a", False))
            c.connection.sendFrame(Frame(0, b"b"))
            frames = [
                (0xA1, summed(b"hello")),
                (0x81, b""),
                (0x22, summed(b"a")),
                (0xA0, summed(b"b")),
            ]
            self.assertEqual(c.take(), frames, role)

    def test_receives(self) -> None:
        """
        It is checked and taken off.
        """
        for isServer, role in BOTH:
            c = self.begin(isServer)
            c.send((0xA1, summed(b"hello")), (0x81, b"plain"))
            self.assertEqual(c.receiver.messages, ["hello", "plain"], role)

    def test_wrong(self) -> None:
        """
        A wrong one ends the connection.
        """
        wrong = (b"", b"abc", b"abcd", summed(b"hello")[:-1], b"!" + summed(b"hello"))
        for isServer, role in BOTH:
            for payload in wrong:
                c = self.begin(isServer)
                c.send((0xA1, payload))
                frames = [(0x88, b"\x03\xefa frame whose checksum is wrong")]
                self.assertEqual(c.take(), frames, (role, payload))

    def test_negotiation(self) -> None:
        """
        A server takes an algorithm that it knows; a client only what it has offered.
        """
        factory = ChecksumFactory("adler32")
        self.assertEqual(factory.offers(), [{"algorithm": "adler32"}])
        accepted = factory.accept({"algorithm": "adler32"})
        assert accepted is not None
        answer, extension = accepted
        self.assertEqual(answer, {"algorithm": "adler32"})
        assert isinstance(extension, Checksum)
        self.assertEqual(extension.encode(Frame(1, b"x")).rsv, RSV2)
        payload = b"x" + adler32(b"x").to_bytes(4, "big")
        self.assertEqual(extension.encode(Frame(1, b"x")).payload, payload)
        for parameters in (
            {},
            {"algorithm": "crc32"},
            {"algorithm": None},
            {"algorithm": "adler32", "x": None},
        ):
            self.assertIsNone(factory.accept(parameters))
            self.assertRaises(InvalidUpgrade, factory.accepted, parameters)


class ProgramTests(ExampleTests):
    """
    The program.
    """

    async def test_run(self) -> None:
        """
        It tells what is in use and what was received.
        """
        program = self.start("checksum")
        self.assertEqual(await program.ended, 0)
        lines = program.output.splitlines()
        self.assertEqual(lines[0], "In use: permessage-deflate ")
        self.assertEqual(lines[1], "In use: x-checksum adler32")
        self.assertEqual(
            lines[2], "Received: 1200 characters, 'a sentence, a sentence, '..."
        )
        # Compressed, marked and summed up: a fraction of what it was.
        count = int(lines[3].removeprefix("Bytes received: "))
        self.assertLess(count, 100)
