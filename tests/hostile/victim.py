# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A server in memory that is attacked, with an honest client beside, and a look at its
log, its memory and what is left of it.
"""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tests.handshakes import Echo, handshake
from tests.wire import KEY, rawFrame, readFrames
from twisted_ws import MessageReceiver, ServerConfig
from twisted_ws.testing import MemoryServer, RawPeer

MIB = 1 << 20
WHOLE, BYTEWISE = 1 << 30, 1
STATUS = re.compile(rb"(?m)^HTTP/1\.1 [0-9]")
WAYS = (WHOLE, BYTEWISE, 3, 997)
"""
Bytes of an attack that arrive in one read.
"""


class Repeat(MessageReceiver):
    """
    Sends back what it gets, and keeps nothing.
    """

    def messageReceived(self, message: Any) -> None:
        self.transport.sendMessage(message)


class Peak:
    """
    @ivar size: bytes that were allocated at the worst moment, beyond what was before.
    @ivar left: how many of them there still are at the end.
    """

    size = left = 0


@contextmanager
def peakOf() -> Iterator[Peak]:
    """
    Measure the memory that a block takes for a while; what it has made before it begins
    does not count.
    """
    peak = Peak()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        yield peak
        after, worst = tracemalloc.get_traced_memory()
        peak.size, peak.left = worst - before, after - before
    finally:
        tracemalloc.stop()


class HostileTests(SynchronousTestCase):
    """
    The base of the tests.

    @ivar server: the L{MemoryServer}.
    @ivar clock: its L{twisted.internet.task.Clock}.
    @ivar honest: the L{twisted_ws.Inbox} of a client that does nothing wrong.
    @ivar events: what was logged at level info or above.
    """

    def setUp(self) -> None:
        self.events: list[LogEvent] = []
        globalLogPublisher.addObserver(self._observe)
        self.addCleanup(globalLogPublisher.removeObserver, self._observe)

    def _observe(self, event: LogEvent) -> None:
        if event["log_level"] >= LogLevel.info:
            self.events.append(event)

    def serve(self, application: Any = Echo, **options: Any) -> MemoryServer:
        """
        Start a server, and connect the honest client.
        """
        self.server = MemoryServer(application, ServerConfig(**options))
        self.clock = self.server.clock
        self.honest = self.successResultOf(self.server.connect("/honest"))
        self._timers = len(self.clock.getDelayedCalls())
        return self.server

    def opened(self, *fields: str) -> RawPeer:
        """
        @param fields: of the handshake.
        @return: a peer that speaks bytes, and is connected.
        """
        peer = self.server.connectRaw()
        peer.send(handshake(*fields))
        self.assertTrue(peer.received.startswith(b"HTTP/1.1 101 "), peer.received)
        peer.received = peer.received.partition(b"\r\n\r\n")[2]
        return peer

    def passTime(self, seconds: float) -> None:
        """
        Let time pass as it does for a reactor that is not busy, and bytes move.
        """
        for _ in range(round(seconds * 4)):
            self.clock.advance(0.25)
            self.server.flush()

    def assertServed(self) -> None:
        """
        Check that the honest client gets its echo.
        """
        self.honest.send("honest")
        self.server.flush()
        self.assertEqual(self.successResultOf(self.honest.receive()), "honest")

    def assertRefused(self, peer: RawPeer, status: int, name: object = None) -> bytes:
        """
        Check that exactly one response came, and then the end.

        @return: the response.
        """
        response = peer.take()
        self.assertRegex(response, b"^HTTP/1.1 %d " % status, name)
        self.assertEqual(len(STATUS.findall(response)), 1, name)
        self.assertIn(b"\r\nConnection: close", response, name)
        self.assertIsNotNone(peer.lost, name)
        return response

    def assertFailed(self, peer: RawPeer, code: int, name: object = None) -> None:
        """
        Check that one Close frame came, and behind it the end.
        """
        *_, last = readFrames(peer.take())
        self.assertEqual(last.first, 0x88, name)
        self.assertEqual(int.from_bytes(last.payload[:2], "big"), code, name)
        self.assertIsNotNone(peer.lost, name)

    def assertLogged(self, *says: str, level: Any = LogLevel.info) -> None:
        """
        Check that one line was logged since the last time: a single one, of printable
        characters, that has all of these in it.
        """
        events, self.events = self.events, []
        lines = [formatEvent(event) for event in events]
        self.assertEqual(len(lines), 1, lines)
        self.assertIs(events[0]["log_level"], level, lines)
        self.assertTrue(lines[0].isprintable(), repr(lines[0]))
        self.assertLess(len(lines[0]), 1000)
        for each in says:
            self.assertIn(each, lines[0])

    def assertSilent(self) -> None:
        """
        Check that nothing was logged since the last time.
        """
        events, self.events = self.events, []
        self.assertEqual([formatEvent(event) for event in events], [])

    def assertNothingLeft(self) -> None:
        """
        Check that of all attackers nothing is left: no connection, no request, no
        timer.
        """
        self.assertEqual(len(self.server.factory.connections), 1)
        self.assertEqual(self.server.factory.pendingRequests, set())
        self.assertEqual(len(self.clock.getDelayedCalls()), self._timers)


def masked(first: int, payload: bytes = b"", **layout: Any) -> bytes:
    """
    @return: a frame of a client, see L{rawFrame}.
    """
    return rawFrame(first, payload, KEY, **layout)
