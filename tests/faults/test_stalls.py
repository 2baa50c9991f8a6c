# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Readers that stall.
"""

from __future__ import annotations

from pathlib import Path
from unittest import skipUnless

from twisted.internet.task import deferLater

from tests.wire import readFrames

from .servers import FaultTests, descriptors, frame, reactor, statistic

SIZE = 60_000
MANY = 600
MIB = 1 << 20


@skipUnless(Path("/proc/self/fd").is_dir(), "there is no /proc here")
class StallTests(FaultTests):
    """
    A peer that sends but does not read.
    """

    async def test_readsAgain(self) -> None:
        """
        While it stalls, the server needs no more memory and serves others; when it
        reads again, all that it asked for is there, in order.
        """
        program, port = await self.serve("--send-stall-timeout=20")
        await self.assertServes(port)
        peer = await self.opened(port)
        before = statistic(program, "VmRSS")
        peer.transport.pauseProducing()
        messages = [number.to_bytes(4, "big") * (SIZE // 4) for number in range(MANY)]
        for message in messages:
            peer.transport.write(frame(0x82, message))
        for _ in range(5):
            await deferLater(reactor, 0.2)
            await self.assertServes(port)
        self.assertLess(statistic(program, "VmRSS") - before, 12 * MIB)
        peer.transport.resumeProducing()
        size = (SIZE + 4) * MANY
        head = peer.received.index(b"\r\n\r\n") + 4
        await self.eventually(lambda: len(peer.received) - head >= size, 60)
        parts, whole = [], []
        for each in readFrames(peer.received[head:]):
            parts.append(each.payload)
            if each.first & 0x80:
                whole.append(b"".join(parts))
                parts.clear()
        self.assertEqual(len(whole), MANY)
        self.assertTrue(whole == messages, "not as they were sent")

    async def test_forGood(self) -> None:
        """
        Who takes nothing for C{sendStallTimeout} is dropped, and nothing of it is
        left.
        """
        program, port = await self.serve("--send-stall-timeout=1", "--no-keepalive")
        await self.assertServes(port)
        before = await self.atRest(program)
        peer = await self.opened(port)
        peer.transport.pauseProducing()
        for _ in range(MANY):
            peer.transport.write(frame(0x82, bytes(SIZE)))
        await self.eventually(lambda: descriptors(program) == before, 20)
        await program.whenSaid("sendStallTimeout")
        await self.assertServes(port)
        peer.transport.resumeProducing()
        await peer.whenLost
