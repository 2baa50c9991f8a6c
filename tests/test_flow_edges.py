# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Flow control where things happen at the same moment.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import Conversation
from twisted_ws import ClosedAbruptly, MessageReceiver, outbox
from twisted_ws.budget import Budget
from twisted_ws.testing import RecordingReceiver


class SendingEdges(SynchronousTestCase):
    """
    What is sent.
    """

    def test_lostWhileTooSlow(self) -> None:
        """
        A carrier that is gone as soon as it is told to close ends all in order, when it
        is closed for what waits.
        """
        c = Conversation(maxSendBuffer=1000)
        c.congest()
        first = c.connection.sendMessage(bytes(900))
        c.carrier.loseWriteConnection = lambda: c.connection.connectionLost(
            Failure(ConnectionDone())
        )
        second = c.connection.sendMessage(bytes(900))
        for each in (first, second):
            self.failureResultOf(each, ClosedAbruptly)
        self.assertEqual(c.receiver.losses, 1)
        self.assertEqual(c.timers, 0)

    def test_fullAgainBeforeTheTurn(self) -> None:
        """
        A carrier that says in the middle of a write that it is full, and has room and
        is full again before the reactor's next turn, is told about once.
        """
        self.patch(outbox, "pausesBehindWrites", lambda carrier: False)
        c = Conversation(keepalive=False)
        c.congest()
        sent = [c.connection.sendMessage(bytes(70_000)) for _ in range(3)]
        before = c.timers
        c.carrier.outgoing.clear()
        c.carrier.producer.resumeProducing()
        self.assertEqual([each.called for each in sent], [True, False, False])
        self.assertEqual(c.timers, before)
        c.clock.advance(0)
        self.assertFalse(c.connection._gate.isOpen)
        c.readOn()
        self.assertTrue(all(each.called for each in sent))


class BudgetEdges(SynchronousTestCase):
    """
    L{Budget}.
    """

    def test_nothingIsLetGo(self) -> None:
        """
        A connection that lets nothing go is closed once, and no other for it.
        """
        for policy in ("close-largest", "close-this"):
            closed = []

            class Holding:
                def letGo(self, violation: object) -> None:
                    closed.append(self)  # noqa: B023

            budget = Budget(100, policy)
            one, other = Holding(), Holding()
            budget.holds(other, 40)  # type: ignore[arg-type]
            budget.holds(one, 90)  # type: ignore[arg-type]
            budget.holds(one, 95)  # type: ignore[arg-type]
            self.assertEqual(closed, [one], policy)
            self.assertEqual(budget.counts["overBudget"], 1)

    def test_lessIsLetGo(self) -> None:
        """
        Nor is it closed again when it lets go of too little.
        """
        closed = []

        class Holding:
            def letGo(self, violation: object) -> None:
                closed.append(self)
                budget.holds(self, 45)  # type: ignore[arg-type]

        budget = Budget(10, "close-this")
        budget.holds(Holding(), 50)  # type: ignore[arg-type]
        self.assertEqual(len(closed), 1)
        self.assertEqual(budget.held, 45)


class ReceivingEdges(SynchronousTestCase):
    """
    What is received.
    """

    def test_turnsWhileClosing(self) -> None:
        """
        A connection that closes takes no turns: it looks for the peer's Close frame.
        """
        c = Conversation(framesPerTurn=10, keepalive=False)
        c.connection.close()
        c.flush()
        c.connection.dataReceived(b"".join(c.frame(0x81, b"x") for _ in range(35)))
        self.assertEqual(len(c.receiver.messages), 35)
        self.assertFalse(c.connection.isPaused)

    def test_waitsAndIsDone(self) -> None:
        """
        A message that waited for one that takes time may be done at once.
        """
        working: list[Deferred[None]] = [Deferred()]
        messages = []

        class Receiver(RecordingReceiver):
            def messageReceived(self, message):
                messages.append(message)
                return working.pop() if working else None

        c = Conversation(True, Receiver())
        (first,) = working
        c.send((0x81, b"a"), (0x81, b"b"), (0x81, b"c"))
        self.assertEqual(messages, ["a"])
        first.callback(None)
        self.assertEqual(messages, ["a", "b", "c"])

    def test_finished(self) -> None:
        """
        C{whenFinished} can be asked any number of times, before and after.
        """
        c = Conversation(True, MessageReceiver())
        both = [c.connection.whenFinished() for _ in range(2)]
        self.assertNoResult(both[0])
        c.connection.abortConnection()
        c.flush()
        for each in (*both, c.connection.whenFinished()):
            self.assertIsNone(self.successResultOf(each))

    def test_finishedMeanwhile(self) -> None:
        """
        So it can be while the receiver is being told; and a drain that begins then
        ends.
        """
        asked = []

        class Receiver(MessageReceiver):
            def connectionLost(self, reason=None):
                asked.append(c.connection.whenFinished())
                asked.append(c.server.factory.drain())

        c = Conversation(True, Receiver())
        c.connection.abortConnection()
        c.flush()
        self.assertIsNone(self.successResultOf(asked[0]))
        self.assertEqual(self.successResultOf(asked[1]), (0, 1, 0))
