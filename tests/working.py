# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
For the tests of messages that take time: a receiver that takes its time, and the end of
its connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import CLOSE_1000, Conversation
from twisted_ws import ClosedAbruptly, ClosedCleanly
from twisted_ws.testing import RecordingReceiver


class Working(RecordingReceiver):
    """
    Returns a Deferred for each message.

    @ivar work: these Deferreds, by the messages.
    @ivar most: how many were at work at once, at most.
    @ivar events: the messages as they came, and C{"lost"} at the end.
    """

    def __init__(self) -> None:
        RecordingReceiver.__init__(self)
        self.work: dict[Any, Deferred[Any]] = {}
        self.most = 0
        self.events: list[Any] = []

    def messageReceived(self, message: Any) -> Any:
        """
        Begin to work on it.
        """
        self.messages.append(message)
        self.events.append(message)
        return self.begin(message)

    def frameReceived(self, frame: Any) -> Any:
        """
        Begin to work on its payload.
        """
        return self.messageReceived(frame.payload)

    def begin(self, message: Any) -> Deferred[Any]:
        """
        @return: a Deferred that C{finish} fires.
        """
        done: Deferred[Any] = Deferred()
        self.work[message] = done
        self.most = max(self.most, len(self.work))
        return done

    def finish(self, message: Any, result: Any = None) -> None:
        """
        The work on a message is done.
        """
        self.work.pop(message).callback(result)

    def finishAll(self) -> None:
        """
        All work is done, and all that comes of it, the oldest first.
        """
        while self.work:
            self.finish(next(iter(self.work)))

    def connectionLost(self, reason: Failure | None = None) -> None:
        """
        Write it down.
        """
        self.events.append("lost")
        RecordingReceiver.connectionLost(self, reason)


def texts(c: Conversation, *numbers: int) -> None:
    """
    Have the peer send numbers, in one read.
    """
    c.send(*[(0x81, b"%d" % number) for number in numbers])


def words(*numbers: int) -> list[str]:
    """
    @return: the messages of C{texts}.
    """
    return [str(number) for number in numbers]


def drop(c: Conversation) -> None:
    """
    The peer drops the carrier.
    """
    if not c.carrier.disconnected:
        c.dropCarrier()


PEERS_ENDS: list[tuple[str, Callable[[Conversation], object], type]] = [
    ("closes", lambda c: (c.send(CLOSE_1000), drop(c)), ClosedCleanly),
    ("drops", lambda c: c.dropCarrier(), ClosedAbruptly),
    ("resets", lambda c: c.resetCarrier(), ClosedAbruptly),
    ("violates", lambda c: (c.send((0x83, b"")), drop(c)), ClosedAbruptly),
    ("at once", lambda c: c.loseNow(), ClosedAbruptly),
]
"""
How the peer ends a connection.
"""


class EndTestCase(SynchronousTestCase):
    """
    The base of the tests.
    """

    def assertOver(self, c: Conversation, *events: object) -> None:
        """
        Assert that these events were all, then the end, once; and that nothing is left.
        """
        self.assertEqual(c.receiver.events, [*events, "lost"])
        self.assertEqual(c.receiver.losses, 1)
        self.assertEqual(c.timers, 0)
        self.assertIsNone(c.connection._pending)
        self.assertIsNone(c.connection.receiver)
        self.assertEqual(c.connection._budget.held, 0)
        self.assertEqual(self.flushLoggedErrors(), [])
