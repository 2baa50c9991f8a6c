# -*- test-case-name: tests.test_state -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The life of an open connection, as one table.

A connection has four states.  C{OPEN}: messages go both ways.  C{CLOSING}: we
sent a Close frame and wait for the peer's; we send nothing more, and what the
peer still sends is delivered (RFC 6455 section 5.5.1 lets it finish).
C{DISCARDING}: nothing that arrives counts any more, and the carrier is on its
way out.  C{CLOSED}: the carrier is gone.

C{DISCARDING} is what other libraries build from flags ("failed by me", "wait
for close response", "received end").  It is entered when both Close frames went
over the wire, when the peer broke the protocol, and when time was up.

There are no other flags.  What else there is to know of an end (which Close
frames were sent and received, who began) are facts recorded on the side; they
never decide what happens next.

L{TABLE} is the machine: a row for each event, a cell for each state, and in a
cell what is to be done and the state that follows.  The C{MESSAGE} and C{SEND}
rows are consulted by the hot path as comparisons of an integer; a test holds
them to the table.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import NamedTuple


class State(IntEnum):
    """
    Where in its life a connection is; a higher number is always later.
    """

    OPEN = 0
    CLOSING = 1
    DISCARDING = 2
    CLOSED = 3


class Event(Enum):
    """
    What can happen to a connection.
    """

    CLOSE = "we close"
    CLOSE_RECEIVED = "a Close frame came"
    FAILURE = "the peer broke the protocol, or the application failed"
    TIMEOUT = "time is up"
    LOST = "the carrier is gone"
    SEND = "the application sends"
    MESSAGE = "a message came"

    # There is one of each; Enum's own is a Python function.
    __hash__ = object.__hash__


class Action(Enum):
    """
    What a cell of the table asks for.
    """

    NOTHING = "nothing"
    SEND_CLOSE = "send a Close frame"
    ECHO_CLOSE = "answer the Close frame with the same code, drop the carrier"
    DROP = "drop the carrier"
    ABORT = "abort the carrier"
    END = "tell the application that the connection ended"
    SEND = "send"
    REFUSE = "raise ConnectionNotOpen"
    DELIVER = "deliver"


class Cell(NamedTuple):
    """
    One cell of L{TABLE}.
    """

    action: Action
    state: State


_OPEN, _CLOSING, _DISCARDING, _CLOSED = State

TABLE: dict[Event, tuple[Cell, Cell, Cell, Cell]] = {
    Event.CLOSE: (
        Cell(Action.SEND_CLOSE, _CLOSING),
        Cell(Action.NOTHING, _CLOSING),
        Cell(Action.NOTHING, _DISCARDING),
        Cell(Action.NOTHING, _CLOSED),
    ),
    Event.CLOSE_RECEIVED: (
        Cell(Action.ECHO_CLOSE, _DISCARDING),
        Cell(Action.DROP, _DISCARDING),
        Cell(Action.NOTHING, _DISCARDING),
        Cell(Action.NOTHING, _CLOSED),
    ),
    Event.FAILURE: (
        Cell(Action.SEND_CLOSE, _DISCARDING),
        Cell(Action.DROP, _DISCARDING),
        Cell(Action.NOTHING, _DISCARDING),
        Cell(Action.NOTHING, _CLOSED),
    ),
    Event.TIMEOUT: (
        Cell(Action.ABORT, _DISCARDING),
        Cell(Action.ABORT, _DISCARDING),
        Cell(Action.ABORT, _DISCARDING),
        Cell(Action.NOTHING, _CLOSED),
    ),
    Event.LOST: (
        Cell(Action.END, _CLOSED),
        Cell(Action.END, _CLOSED),
        Cell(Action.END, _CLOSED),
        Cell(Action.NOTHING, _CLOSED),
    ),
    Event.SEND: (
        Cell(Action.SEND, _OPEN),
        Cell(Action.REFUSE, _CLOSING),
        Cell(Action.REFUSE, _DISCARDING),
        Cell(Action.REFUSE, _CLOSED),
    ),
    Event.MESSAGE: (
        Cell(Action.DELIVER, _OPEN),
        Cell(Action.DELIVER, _CLOSING),
        Cell(Action.NOTHING, _DISCARDING),
        Cell(Action.NOTHING, _CLOSED),
    ),
}
