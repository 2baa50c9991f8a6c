# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.budget}: whatever happens, the sum is right.
"""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.test_budget_of_bytes import Several, Working
from tests.wire import KEY, rawFrame
from twisted_ws import ConnectionNotOpen
from twisted_ws.errors import IllegalFrame

LOST = Failure(ConnectionLost())

OFTEN = ["send", "sendMuch", "stop", "partial", "message"]
NOW_AND_THEN = ["piece", "work", "read", "readAll", "ping", "time", "pause", "resume"]
SELDOM = ["close", "abort", "reset", "drop", "lose", "peerCloses", "bad"]
STEPS = st.lists(
    st.tuples(
        st.integers(0, 2), st.sampled_from(OFTEN * 8 + NOW_AND_THEN * 3 + SELDOM)
    ),
    min_size=30,
    max_size=60,
)
"""
What happens, and to which of three connections.
"""


class PropertyTests(SynchronousTestCase):
    """
    Whatever happens.
    """

    def act(self, s: Several, number: int, what: str) -> None:
        """
        Take a step.
        """
        connection, peer = s.connections[number], s.peers[number]
        frame = None
        try:
            if what in ("send", "sendMuch"):
                size = 300 if what == "send" else 2000
                connection.sendMessage(bytes(size), key=size).addErrback(id)
            elif what == "piece":
                connection.beginMessage().write(bytes(100))
            elif what == "ping":
                connection.ping().addErrback(id)
            elif what == "close":
                connection.close()
            elif what == "abort":
                connection.abortConnection()
            elif what == "lose":
                connection.connectionLost(LOST)
            elif what == "pause":
                connection.pauseProducing()
            elif what == "resume":
                connection.resumeProducing()
            elif what == "work" and connection.receiver and connection.receiver.works:
                connection.receiver.works.pop().callback(None)
        except (ConnectionNotOpen, IllegalFrame):
            pass
        frame = {
            "partial": rawFrame(0x00, bytes(400), KEY)[:300],
            "message": rawFrame(0x82, bytes(500), KEY),
            "peerCloses": rawFrame(0x88, b"", KEY),
            "bad": rawFrame(0x83, b"", KEY),
        }.get(what)
        if frame is not None:
            peer.transport.write(frame)
        elif what == "stop":
            peer.transport.pauseProducing()
        elif what in ("read", "readAll"):
            peer.transport.resumeProducing()
            s.server.flush() if what == "readAll" else peer.transport.other.moveOn(700)
        elif what == "time":
            s.server.clock.advance(1)
        elif what in ("reset", "drop"):
            end = "abortConnection" if what == "reset" else "loseConnection"
            getattr(peer.transport, end)()
        s.server.flush(64)

    def check(self, s: Several) -> None:
        """
        The sum is that of its parts; none is negative, and no connection is kept that
        holds nothing.
        """
        weights = [connection._weight for connection in s.connections]
        self.assertGreaterEqual(min(weights), 0)
        known = {**s.budget._holders, **s.budget._closed}
        self.assertEqual(s.budget.held, sum(known.values()))
        self.assertNotIn(0, known.values())

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        STEPS,
        st.sampled_from(["close", "drop-oldest", "drop-newest", "coalesce"]),
        st.sampled_from(["close-largest", "close-this"]),
        st.sampled_from([None, 3000, 20_000]),
    )
    def test_sum(self, steps, policy, budgetPolicy, limit):
        """
        The sum is right at every moment; and exactly 0 when all have ended.
        """
        s = Several(
            3,
            Working,
            slowReaderPolicy=policy,
            budgetPolicy=budgetPolicy,
            maxTotalBuffer=limit,
            maxSendBuffer=6000,
            sendHighWater=5000,
            sendLowWater=1000,
        )
        for pair in s.server.carriers:
            pair[1].highWater = 1000
        for number, what in steps:
            self.act(s, number, what)
            self.check(s)
        for number in range(3):
            connection = s.connections[number]
            works = connection.receiver.works if connection.receiver else []
            if number % 2:
                connection.abortConnection()
            else:
                connection.connectionLost(LOST)
            for work in works:
                if not work.called:
                    work.callback(None)
        s.server.flush()
        s.server.clock.advance(100)
        s.server.flush()
        self.assertEqual(
            (s.budget.held, s.budget._holders, s.budget._closed), (0, {}, {})
        )
        self.assertEqual(s.server.clock.getDelayedCalls(), [])
