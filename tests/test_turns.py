# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
C{framesPerTurn}: a connection on which much comes lets others have their turn.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import BOTH, CLOSE_1000, Conversation


class TurnTests(SynchronousTestCase):
    """
    Many frames in one read.
    """

    def receive(self, c: Conversation, *frames: tuple[int, bytes]) -> None:
        """
        Have frames come in one read, with no turn of the reactor after it.
        """
        c.connection.dataReceived(b"".join(c.frame(*each) for each in frames))

    def test_slices(self) -> None:
        """
        After so many frames the connection is not read from until the next turn of the
        reactor, and then it goes on where it was, in order.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, framesPerTurn=10)
            before = c.timers
            self.receive(c, *((0x81, b"%d" % number) for number in range(35)))
            self.assertEqual(len(c.receiver.messages), 10, role)
            self.assertTrue(c.carrier.isPaused)
            self.assertTrue(c.connection.isPaused)
            c.clock.advance(0)
            self.assertEqual(c.receiver.messages, [str(n) for n in range(35)], role)
            self.assertFalse(c.carrier.isPaused)
            self.assertEqual(c.timers, before)

    def test_exactly(self) -> None:
        """
        A read of exactly so many frames costs no turn.
        """
        c = Conversation(framesPerTurn=10)
        self.receive(c, *[(0x81, b"x")] * 10)
        self.assertEqual(len(c.receiver.messages), 10)
        self.assertFalse(c.carrier.isPaused)

    def test_everyKind(self) -> None:
        """
        Pieces of messages, pings and pongs count like messages.
        """
        for name, frames in (
            ("pieces", [(0x01, b"a"), *[(0x00, b"b")] * 20, (0x80, b"c")]),
            ("empty pieces", [(0x01, b""), *[(0x00, b"")] * 20, (0x80, b"")]),
            ("pings", [(0x89, b"")] * 22),
            ("pongs", [(0x8A, b"")] * 22),
        ):
            c = Conversation(framesPerTurn=10)
            self.receive(c, *frames)
            self.assertTrue(c.connection.isPaused, name)
            self.assertEqual(c.receiver.messages, [], name)
            c.clock.advance(0)
            self.assertFalse(c.connection.isPaused, name)

    def test_pausedMeanwhile(self) -> None:
        """
        An application that pauses the connection meanwhile keeps it paused.
        """
        c = Conversation(framesPerTurn=10)
        self.receive(c, *[(0x81, b"x")] * 15)
        c.connection.pauseProducing()
        c.clock.advance(0)
        self.assertEqual(len(c.receiver.messages), 10)
        self.assertTrue(c.carrier.isPaused)
        c.connection.resumeProducing()
        self.assertEqual(len(c.receiver.messages), 15)
        self.assertFalse(c.carrier.isPaused)

    def test_closedMeanwhile(self) -> None:
        """
        A close meanwhile goes on at once, since the peer's Close frame has to be found;
        what came before it is delivered, and no timer is left.
        """
        c = Conversation(framesPerTurn=10, keepalive=False)
        self.receive(c, *[(0x81, b"x")] * 15, CLOSE_1000)
        c.connection.close()
        c.flush()
        self.assertEqual(len(c.receiver.messages), 15)
        self.assertEqual((c.receiver.losses, c.timers), (1, 0))

    def test_lostMeanwhile(self) -> None:
        """
        A connection that is aborted meanwhile leaves no timer behind.
        """
        c = Conversation(framesPerTurn=10, keepalive=False)
        self.receive(c, *[(0x81, b"x")] * 15)
        c.connection.abortConnection()
        c.flush()
        self.assertEqual((c.receiver.losses, c.timers), (1, 0))
        self.assertEqual(len(c.receiver.messages), 10)
