# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Connections that are reset, or half closed, at many places.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import skipUnless

from tests.conversation import CLOSE_1000

from .servers import ECHO, FaultTests, descriptors, frame

LONG = frame(0x82, bytes(100_000))
PLACES = [
    ("nothing sent", b""),
    ("in the request line", ECHO[:10]),
    ("in the header fields", ECHO[:60]),
    ("before the empty line", ECHO[:-2]),
    ("after the handshake", ECHO),
    ("in a header", ECHO + LONG[:1]),
    ("in a length", ECHO + LONG[:6]),
    ("in a mask", ECHO + LONG[:12]),
    ("before a payload", ECHO + LONG[:14]),
    ("in a payload", ECHO + LONG[:50_000]),
    ("before the last byte", ECHO + LONG[:-1]),
    ("between fragments", ECHO + frame(0x01, b"half")),
    ("between messages", ECHO + frame(0x81, b"whole")),
    ("in a Close frame", ECHO + frame(*CLOSE_1000)[:-1]),
    ("after a Close frame", ECHO + frame(*CLOSE_1000)),
]
ANSWERS = {
    "between messages": b"\x81\x05whole",
    "after a Close frame": b"\x88\x02\x03\xe8",
}
"""
What the server answers behind the handshake: nothing, but here.
"""


@skipUnless(Path("/proc/self/fd").is_dir(), "there is no /proc here")
class EndTests(FaultTests):
    """
    Each leaves nothing in the server, and nothing in its log.
    """

    async def begin(self, sent: bytes, name: str, port: int) -> Any:
        """
        @return: a peer that has sent this, and got what there is for it.
        """
        peer = await self.peer(port)
        if sent:
            peer.transport.write(sent)
        if sent.startswith(ECHO):
            await peer.until(b"\r\n\r\n" + ANSWERS.get(name, b""))
        return peer

    async def test_reset(self) -> None:
        """
        A RST, wherever it comes, ends the connection at once.
        """
        program, port = await self.serve("--handshake-timeout=30")
        await self.assertServes(port)
        before = await self.atRest(program)
        for name, sent in PLACES:
            peer = await self.begin(sent, name, port)
            peer.transport.abortConnection()
            await peer.whenLost
        await self.eventually(lambda: descriptors(program) == before)
        await self.assertServes(port)
        self.assertNotIn("Traceback", program.output)
        self.assertNotIn("Unhandled", program.output)

    async def test_halfClose(self) -> None:
        """
        A FIN, wherever it comes, ends the connection at once; what the server had to
        say before that is read by who sent it, and an answer to a Close frame too.
        """
        program, port = await self.serve("--handshake-timeout=30")
        await self.assertServes(port)
        before = await self.atRest(program)
        for name, sent in PLACES:
            peer = await self.begin(sent, name, port)
            if not peer.whenLost.called:
                peer.transport.loseWriteConnection()
            await peer.whenLost
            after = peer.received.partition(b"\r\n\r\n")[2]
            self.assertEqual(after, ANSWERS.get(name, b""), name)
        await self.eventually(lambda: descriptors(program) == before)
        await self.assertServes(port)
        self.assertNotIn("Traceback", program.output)
        self.assertNotIn("Unhandled", program.output)

    async def test_halfCloseWithClose(self) -> None:
        """
        A Close frame and a FIN in one segment are a closing handshake: the server's
        Close frame comes back.
        """
        _, port = await self.serve()
        peer = await self.opened(port)
        peer.transport.write(frame(*CLOSE_1000))
        peer.transport.loseWriteConnection()
        await peer.whenLost
        after = peer.received.partition(b"\r\n\r\n")[2]
        self.assertEqual(after, ANSWERS["after a Close frame"])
