# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A server that runs out of descriptors.
"""

from __future__ import annotations

from pathlib import Path
from unittest import skipUnless

from twisted.internet.task import deferLater

from .servers import ECHO, FaultTests, frame, reactor

LIMIT = 48


def limited(descriptors: int) -> list[str]:
    """
    @return: the command that runs another with so few descriptors.
    """
    return ["sh", "-c", 'ulimit -n "$0"; exec "$@"', f"{descriptors}"]


def cpuTicks(pid: int) -> int:
    """
    @return: how much of the CPU a process has used.
    """
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


@skipUnless(Path("/proc/self/fd").is_dir(), "there is no /proc here")
class DescriptorTests(FaultTests):
    """
    As many connections as there may be are not all that want to be.
    """

    async def test_exhausted(self) -> None:
        """
        Without descriptors the server drops who connects, serves those that are
        there, and does not spin; when some have left, others can come.
        """
        program, port = await self.serve(
            "--max-connections=1000", within=limited(LIMIT)
        )
        peers = [await self.peer(port) for _ in range(LIMIT + 20)]
        await self.eventually(lambda: sum(p.whenLost.called for p in peers) >= 20)
        await deferLater(reactor, 0.5)
        held = [peer for peer in peers if not peer.whenLost.called]
        self.assertGreater(len(held), LIMIT // 2)
        self.assertEqual({peer.received for peer in peers}, {b""})
        for peer in held:
            peer.transport.write(ECHO)
            await peer.until(b"\r\n\r\n")
            self.assertTrue(peer.received.startswith(b"HTTP/1.1 101 "))
        for peer in held:
            peer.transport.write(frame(0x81, b"still here"))
            await peer.until(b"still here")
        before = cpuTicks(program.transport.pid)
        await deferLater(reactor, 0.5)
        self.assertLess(cpuTicks(program.transport.pid) - before, 25)
        for peer in held[:5]:
            peer.transport.abortConnection()
            await peer.whenLost
        for _ in range(3):
            await self.assertServes(port)
        self.assertNotIn("Traceback", program.output)

    async def test_fromAllowance(self) -> None:
        """
        By default there are as many connections as descriptors allow, less a reserve:
        who comes then is refused with 503, and none is dropped without a word.
        """
        _, port = await self.serve(within=limited(110))
        held = [await self.opened(port) for _ in range(10)]
        refused = await self.peer(port, ECHO)
        await refused.until(b"\r\n\r\n")
        self.assertTrue(refused.received.startswith(b"HTTP/1.1 503 "))
        self.assertIn(b"\r\nRetry-After: ", refused.received)
        held[0].transport.abortConnection()
        await held[0].whenLost
        await self.assertServes(port)
