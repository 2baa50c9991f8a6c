# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A short soak: what L{benchmarks.soak} does for as long as one likes, for some seconds.
"""

from __future__ import annotations

from pathlib import Path
from unittest import skipUnless

from twisted.trial.unittest import TestCase

try:
    from benchmarks.soak.rounds import Soak
except ImportError:
    Soak = None  # type: ignore[assignment,misc]

CONNECTIONS = 30
PATIENCE = 1
SECONDS = 2
BOUND = 24
"""
MiB that the server may have more after a round than after the first.  It is much, as
these rounds are too short for its memory to have settled.
"""


@skipUnless(Soak, "trustme, or pyOpenSSL, is not installed")
@skipUnless(Path("/proc/self/fd").is_dir(), "there is no /proc here")
class SoakTests(TestCase):
    """
    A server among clients that come and go, half of which break the rules.
    """

    timeout = 120

    async def test_nothingLeft(self) -> None:
        """
        After a round the server holds as many objects, calls and descriptors as after
        the round before, and so do the clients; nothing critical was logged, and each
        client saw what it should.
        """
        soak = Soak(PATIENCE)
        self.addCleanup(soak.stop)
        for _ in range(2):
            await soak.round(CONNECTIONS, SECONDS)
        self.assertEqual(soak.differences(BOUND), [])
        self.assertGreater(sum(soak.clients.lives.values()), 2 * CONNECTIONS)

    async def test_differences(self) -> None:
        """
        What is not as it was, is told.
        """
        soak = Soak(PATIENCE)
        self.addCleanup(soak.stop)
        await soak.round(1, 0.1)
        await soak.round(1, 0.1)
        first, last = (reading for reading, _ in soak.readings)
        self.assertEqual(soak.differences(BOUND), [])
        name = "twisted_ws.connection.WebSocketConnection"
        last["objects"][name] = 2
        last["descriptors"] += 1
        last["critical"] = 1
        last["rss"] = first["rss"] + (25 << 20)
        soak.clients.failures.append("echo: oh")
        self.assertEqual(
            soak.differences(BOUND),
            [
                "a client: echo: oh",
                f"server: descriptors: {first['descriptors']}, then"
                f" {last['descriptors']}",
                "server: critical: 1",
                f"server: {name}: 0, then 2",
                "server: 25.0 MiB more, over 24",
            ],
        )
