# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Carriers that end or are reset, at each byte of a session.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.logger import LogEvent, LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import BOTH, Conversation
from tests.handshakes import Echo
from tests.wire import rawFrame
from twisted_ws import ClosedAbruptly, ClosedCleanly


class ResetTests(SynchronousTestCase):
    """
    There is one beginning and one end, wherever it is.
    """

    def setUp(self) -> None:
        self.events: list[LogEvent] = []
        globalLogPublisher.addObserver(self._observe)
        self.addCleanup(globalLogPublisher.removeObserver, self._observe)

    def _observe(self, event: LogEvent) -> None:
        if event["log_level"] >= LogLevel.info:
            self.events.append(event)

    def everywhere(self, end: Callable[[Conversation], None]) -> list[Any]:
        """
        Have a session end after each of its bytes.

        @return: the ends that the receiver was told of.
        """
        ends = []
        for isServer, role in BOTH:
            frames = (
                (0x81, b"text"),
                (0x02, b"fragment"),
                (0x89, b"ping"),
                (0x80, bytes(200)),
                (0x82, b""),
                (0x8A, b"pong"),
                (0x88, b"\x03\xe8bye"),
            )
            key = b"mask" if isServer else None
            session = b"".join(rawFrame(*frame, key) for frame in frames)
            for length in range(len(session) + 1):
                c = Conversation(isServer, Echo())
                c.peer.transport.write(session[:length])
                c.flush()
                end(c)
                c.advance(60)
                name = (role, length)
                self.assertEqual((c.receiver.made, c.receiver.losses), (1, 1), name)
                self.assertEqual(c.timers, 0, name)
                self.assertTrue(c.carrier.disconnected, name)
                self.assertEqual(self.events, [], name)
                whole = length == len(session)
                wanted = ClosedCleanly if whole else ClosedAbruptly
                self.assertIsInstance(c.receiver.reason, wanted, name)
                self.assertEqual(c.receiver.reason.code, 1000 if whole else 1006, name)
                ends.append(c.receiver.reason)
        return ends

    def test_reset(self) -> None:
        """
        A reset is a connection lost, not an error, and leaves nothing.
        """
        self.everywhere(Conversation.resetCarrier)

    def test_drop(self) -> None:
        """
        So is a carrier that just ends.
        """
        self.everywhere(Conversation.dropCarrier)

    def test_unread(self) -> None:
        """
        So is a reset by a peer that has read nothing of what was sent to it.
        """

        def reset(c: Conversation) -> None:
            c.stopReading()
            if not c.carrier.disconnected:
                c.connection.state or c.connection.sendMessage("unread")
            c.resetCarrier()

        self.everywhere(reset)
