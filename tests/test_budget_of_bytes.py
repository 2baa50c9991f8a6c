# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.budget}: C{maxTotalBuffer}, what all connections of a server hold together.
That the sum is always right is in L{tests.test_budget_properties}.
"""

from __future__ import annotations

from time import process_time
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import HANDSHAKE, Conversation
from tests.wire import KEY, rawFrame, readFrames
from twisted_ws import ConnectionNotOpen, PerMessageDeflate, ServerConfig
from twisted_ws._wire.state import State
from twisted_ws.budget import Budget
from twisted_ws.testing import MemoryCarrier, MemoryServer, RecordingReceiver
from twisted_ws.waiting import COST

CARRIER = MemoryCarrier.highWater


class Working(RecordingReceiver):
    """
    Takes its time over each message.
    """

    def connectionMade(self):
        self.works = []

    def messageReceived(self, message):
        RecordingReceiver.messageReceived(self, message)
        self.works.append(Deferred())
        return self.works[-1]


class Several:
    """
    A server with some connections.

    @ivar connections: the server's ends.
    @ivar peers: those of clients, who speak bytes.
    """

    def __init__(
        self, count: int, receiver: Any = RecordingReceiver, **options: Any
    ) -> None:
        options.setdefault("keepalive", False)
        options.setdefault("maxSendBuffer", None)
        self.connections: list[Any] = []
        self.server = MemoryServer(self._accept, ServerConfig(**options))
        self._receiver = receiver
        self.peers = []
        for _ in range(count):
            peer = self.server.connectRaw()
            peer.send(HANDSHAKE)
            peer.take()
            self.peers.append(peer)
        self.budget = self.server.factory.budget

    def _accept(self, request: Any) -> None:
        self.connections.append(request.accept(self._receiver()))

    def congest(self, *which: int) -> None:
        """
        Have these peers read nothing, and fill their carriers.
        """
        for number in which:
            self.peers[number].transport.pauseProducing()
            self.connections[number].sendMessage(bytes(CARRIER))

    def readOn(self) -> None:
        """
        Have all peers read all.
        """
        for peer in self.peers:
            peer.transport.resumeProducing()
        self.server.flush()

    def codes(self) -> list[int | None]:
        """
        @return: the codes that the connections were closed with.
        """
        closes = [connection.closeSent for connection in self.connections]
        return [close and close.code for close in closes]


class SumTests(SynchronousTestCase):
    """
    What is counted.
    """

    def test_nothing(self):
        """
        Connections that hold nothing cost nothing.
        """
        s = Several(5)
        for each in s.connections:
            each.sendMessage("hello")
        s.peers[0].send(rawFrame(0x81, b"hello", KEY))
        self.assertEqual((s.budget.held, s.budget._holders), (0, {}))

    def test_queued(self):
        """
        What waits is counted, and what a carrier has that is full, of all connections.
        """
        s = Several(3)
        s.congest(0, 1)
        carried = sum(len(pair[1].outgoing) for pair in s.server.carriers)
        self.assertGreater(carried, 2 * CARRIER)
        self.assertEqual(s.budget.held, carried)
        s.connections[0].sendMessage("x" * 100)
        s.connections[1].beginMessage().write(b"x" * 50)
        self.assertEqual(s.budget.held, carried + 150 + 2 * COST)
        s.readOn()
        self.assertEqual((s.budget.held, s.budget._holders), (0, {}))

    def test_handedOn(self):
        """
        When a peer closes, all that waits goes to its carrier, and counts there.
        """
        s = Several(1, pauseWhileCongested=False)
        s.congest(0)
        s.connections[0].sendMessage(bytes(20_000))
        s.peers[0].send(rawFrame(0x88, b"", KEY))
        self.assertEqual(s.budget.held, len(s.server.carriers[0][1].outgoing))
        self.assertGreater(s.budget.held, CARRIER + 20_000)
        s.readOn()
        self.assertEqual(s.budget.held, 0)

    def test_partial(self):
        """
        So is what has come of messages that are not complete, compressed or not.
        """
        s = Several(2)
        for number in (0, 1):
            s.peers[number].send(rawFrame(0x01, b"x" * 100, KEY))
        self.assertEqual(s.budget.held, 200)
        s.peers[0].send(rawFrame(0x00, b"x" * 1000, KEY)[:-500])
        self.assertEqual(s.budget.held, 700)
        s.peers[1].send(rawFrame(0x80, b"", KEY))
        self.assertEqual(s.budget.held, 600)
        s.peers[0].transport.abortConnection()
        s.server.flush()
        self.assertEqual(s.budget.held, 0)

    def test_pending(self):
        """
        So are messages that the application has at work, until it is done, be the
        connection gone or not.
        """
        s = Several(2, Working)
        for number in (0, 1):
            s.peers[number].send(rawFrame(0x82, bytes(1000), KEY))
        self.assertGreaterEqual(s.budget.held, 2000)
        held = s.budget.held
        works = [connection.receiver.works[0] for connection in s.connections]
        works[0].callback(None)
        self.assertEqual(s.budget.held, held // 2)
        s.peers[1].transport.abortConnection()
        s.server.flush()
        self.assertEqual(s.budget.held, held // 2)
        works[1].callback(None)
        self.assertEqual((s.budget.held, s.budget._holders), (0, {}))


class CloseLargestTests(SynchronousTestCase):
    """
    C{budgetPolicy="close-largest"}, the default.
    """

    def test_largest(self):
        """
        When all together hold more, whoever holds most is closed with 1013 and lets go
        of it; the others go on.
        """
        s = Several(3, maxTotalBuffer=6 * CARRIER, closeTimeout=3)
        s.congest(0, 1, 2)
        s.connections[1].sendMessage(bytes(2 * CARRIER))
        before = s.budget.held
        lost = s.connections[1].sendMessage(b"x")
        with capturedLogs() as logged:
            s.connections[2].sendMessage(bytes(CARRIER))
        (text,) = [formatEvent(event) for event in logged]
        self.assertIn("(option: maxTotalBuffer)", text)
        self.assertEqual(s.codes(), [None, 1013, None])
        self.assertLess(s.budget.held, before)
        self.assertEqual(s.budget.counts, {"overBudget": 1})
        s.readOn()
        frames = readFrames(s.peers[1].take())
        self.assertEqual(frames[-1].payload[:2], b"\x03\xf5")
        self.assertNotIn(b"x", [frame.payload for frame in frames])
        s.server.clock.advance(3)
        s.server.flush()
        self.failureResultOf(lost)
        self.assertEqual(s.budget.held, 0)

    def test_limit(self):
        """
        To hold just as much is allowed.
        """
        s = Several(1, maxTotalBuffer=10_000)
        s.peers[0].send(rawFrame(0x02, bytes(10_000), KEY))
        self.assertEqual((s.budget.held, s.codes()), (10_000, [None]))
        s.peers[0].send(rawFrame(0x00, b"x", KEY))
        self.assertEqual((s.budget.held, s.codes()), (0, [1013]))

    def test_aMessageInParts(self):
        """
        A message of which a part came is let go of; what comes of it then is ignored.
        """
        for fields in (b"", b"Sec-WebSocket-Extensions: permessage-deflate\r\n"):
            c = Conversation(
                True,
                fields=tuple(fields.splitlines()),
                extensions=(PerMessageDeflate(),),
                maxTotalBuffer=10_000,
            )
            data = c.frame(0x02, bytes(20_000))
            for at in range(0, len(data), 1000):
                if not c.carrier.disconnected:
                    c.peer.transport.write(data[at : at + 1000])
                    c.flush()
            self.assertEqual(c.connection.closeSent.code, 1013)
            self.assertEqual(c.server.factory.budget.held, 0)
            c.dropCarrier()
            self.assertEqual((c.receiver.messages, c.receiver.losses), ([], 1))

    def test_withinAPiece(self):
        """
        A connection may be closed for what is sent while it takes a message piece by
        piece.
        """

        class Taking(RecordingReceiver):
            def messageBegan(self, message):
                message.deliverTo(self).addErrback(id)

            def write(self, piece):
                self.transport.sendMessage(bytes(2 * CARRIER))

        for first in (0x82, 0x02):
            s = Several(
                1, Taking, maxTotalBuffer=2 * CARRIER, pauseWhileCongested=False
            )
            s.congest(0)
            s.peers[0].send(rawFrame(first, bytes(100), KEY))
            self.assertEqual(s.codes(), [1013])
            self.assertLess(s.budget.held, 2 * CARRIER)
            s.peers[0].transport.abortConnection()
            s.server.clock.advance(9)
            s.server.flush()
            self.assertEqual(s.budget.held, 0)

    def test_carriers(self):
        """
        What a carrier has cannot be taken back: when that is the most of it the
        connection is aborted.
        """
        s = Several(2, maxTotalBuffer=4 * CARRIER)
        s.congest(0)
        s.peers[1].transport.pauseProducing()
        s.connections[1].sendMessage(bytes(9 * CARRIER))
        self.assertEqual(s.codes(), [None, 1013])
        self.assertLess(s.budget.held, 2 * CARRIER)
        s.server.flush()
        self.assertTrue(s.server.carriers[1][1].disconnected)
        self.assertEqual(s.connections[0].state, State.OPEN)

    def test_closingOnes(self):
        """
        Connections that close count too, and let go when there is too much.
        """
        s = Several(2, maxTotalBuffer=4 * CARRIER)
        s.congest(0, 1)
        s.connections[1].sendMessage(bytes(CARRIER))
        s.connections[1].close()
        s.connections[0].sendMessage(bytes(CARRIER // 2))
        self.assertEqual(s.codes(), [None, 1000])
        s.connections[0].sendMessage(bytes(CARRIER))
        self.assertEqual(s.codes(), [1013, 1000])

    def test_atWork(self):
        """
        What applications have at work cannot be taken from them: one connection is
        closed for it at a time, not all of them, and none twice.
        """
        s = Several(5, Working, maxTotalBuffer=10_000)
        for number in range(3):
            s.peers[number].send(rawFrame(0x82, bytes(3000), KEY))
        self.assertEqual(s.codes(), [None] * 5)
        s.peers[3].send(rawFrame(0x82, bytes(3000), KEY))
        self.assertEqual(s.codes().count(1013), 1)
        s.peers[4].send(rawFrame(0x82, bytes(100), KEY))
        self.assertEqual(s.codes().count(1013), 2)
        self.assertEqual(s.budget.counts, {"overBudget": 2})
        for each in s.connections:
            for work in each.receiver.works if each.receiver else ():
                work.callback(None)
        self.assertEqual(s.budget.held, 0)

    def test_goneButAtWork(self):
        """
        So it is when such a connection is gone already.
        """
        s = Several(2, Working, maxTotalBuffer=10_000)
        s.peers[0].send(rawFrame(0x82, bytes(6000), KEY))
        s.peers[0].transport.abortConnection()
        s.server.flush()
        self.assertEqual(s.connections[0].state, State.CLOSED)
        s.peers[1].send(rawFrame(0x82, bytes(5000), KEY))
        self.assertEqual(s.connections[1].state, State.OPEN)
        s.connections[1].sendMessage("x")
        s.server.flush()
        self.assertIn(b"\x81\x01x", s.peers[1].take())

    def test_linear(self):
        """
        To be over the limit for long does not make all else slow.
        """

        def took(count):
            budget = Budget(count)
            clinging = [Clinging(budget) for _ in range(count + 1)]
            for each in clinging:
                budget.holds(each, 1)
            begun = process_time()
            for _ in range(5000):
                budget.holds(clinging[0], 2)
                budget.holds(clinging[0], 1)
            return process_time() - begun

        few = min(took(10) for _ in range(3))
        took(100)
        self.assertLess(took(1000), few * 20 + 0.2)


class Clinging:
    """
    What does not let go.
    """

    def __init__(self, budget):
        self._budget = budget
        self.asked = 0

    def letGo(self, violation):
        self.asked += 1


class CloseThisTests(SynchronousTestCase):
    """
    C{budgetPolicy="close-this"}.
    """

    def test_this(self):
        """
        Whoever needs more is closed, though others hold more.
        """
        s = Several(3, maxTotalBuffer=3 * CARRIER, budgetPolicy="close-this")
        s.congest(0, 1)
        s.connections[1].sendMessage(bytes(CARRIER // 2))
        s.peers[2].send(rawFrame(0x02, bytes(CARRIER), KEY))
        self.assertEqual(s.codes(), [None, None, 1013])
        self.assertLessEqual(s.budget.held, 3 * CARRIER)

    def test_sender(self):
        """
        So is one that sends too much; its message is not sent.
        """
        s = Several(2, maxTotalBuffer=3 * CARRIER, budgetPolicy="close-this")
        s.congest(0, 1)
        lost = s.connections[1].sendMessage(bytes(CARRIER))
        self.assertEqual(s.codes(), [None, 1013])
        self.assertRaises(ConnectionNotOpen, s.connections[1].sendMessage, "x")
        self.assertNoResult(lost)
        s.peers[1].transport.resumeProducing()
        s.server.flush()
        s.peers[1].transport.abortConnection()
        s.server.flush()
        self.failureResultOf(lost)


class NoLimitTests(SynchronousTestCase):
    """
    C{maxTotalBuffer=None}.
    """

    def test_counts(self):
        """
        Then it is counted all the same.
        """
        s = Several(1, maxTotalBuffer=None)
        s.congest(0)
        s.connections[0].sendMessage(bytes(1 << 22))
        self.assertGreater(s.budget.held, 1 << 22)
        self.assertEqual(s.codes(), [None])

    def test_clients(self):
        """
        A client's connections have none in common.
        """
        c = Conversation(False, keepalive=False)
        c.congest()
        c.connection.sendMessage("x")
        self.assertGreater(c.connection._budget.held, CARRIER)
        c.resetCarrier()
        self.assertEqual(c.connection._budget.held, 0)
