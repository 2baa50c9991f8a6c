# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Tests for L{twisted_ws._wire.state} and L{twisted_ws._wire.life}: each cell of the
table is walked, with a framer and with a connection that public input brought into
the cell's state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_ws import ClientConfig, ServerConfig, WebSocketConnection
from twisted_ws._wire.closing import Close
from twisted_ws._wire.errors import ConnectionNotOpen
from twisted_ws._wire.state import TABLE, Action, Cell, Event, State
from twisted_ws.testing import MemoryCarrier, RecordingReceiver

from .wire import (
    CLOSE,
    KEY,
    PING,
    ROLES,
    TEXT,
    RecordingFramer,
    errorOf,
    rawFrame,
    readFrames,
)

OURS, THEIRS, WRONG = 4000, 3000, 1002
"""
The codes that we close with, that the peer closes with, and that answers what it must
not send.
"""


def closeBody(code: int) -> bytes:
    """
    @return: the body of a Close frame.
    """
    return code.to_bytes(2, "big")


class Done(NamedTuple):
    """
    What an event caused.

    @ivar sent: frames, as first bytes and payloads.
    @ivar carrier: what was asked of the carrier.
    @ivar delivered: messages.
    @ivar ended: how often the receiver was told of the end.
    @ivar refused: whether the call raised L{ConnectionNotOpen}.
    """

    sent: list[tuple[int, bytes]]
    carrier: list[str]
    delivered: list[str]
    ended: int
    refused: bool


class TableTests(SynchronousTestCase):
    """
    The table itself.
    """

    def test_complete(self) -> None:
        """
        Each pair of an event and a state has a cell.
        """
        self.assertEqual(set(TABLE), set(Event))
        for event, row in TABLE.items():
            self.assertEqual(len(row), len(State), event)
            for cell in row:
                self.assertIsInstance(cell, Cell)
                self.assertIsInstance(cell.action, Action)
                self.assertIsInstance(cell.state, State)

    def test_neverBack(self) -> None:
        """
        No event leads to an earlier state, and nothing leads out of C{CLOSED} or does
        anything there but refuse.
        """
        self.assertEqual(sorted(State), [0, 1, 2, 3])
        for event, row in TABLE.items():
            for state, cell in zip(State, row, strict=True):
                self.assertTrue(cell.state >= state, (event, state))
            wanted = Action.REFUSE if event is Event.SEND else Action.NOTHING
            self.assertEqual(row[State.CLOSED], (wanted, State.CLOSED), event)

    def test_hotRows(self) -> None:
        """
        Messages, in and out, never change the state: so they need not ask the table.
        """
        for event in (Event.SEND, Event.MESSAGE):
            self.assertEqual([cell.state for cell in TABLE[event]], list(State))

    def test_everyActionIsUsed(self) -> None:
        """
        There is no action that no cell asks for.
        """
        used = {cell.action for row in TABLE.values() for cell in row}
        self.assertEqual(used, set(Action))


class WatchedCarrier(MemoryCarrier):
    """
    Writes down what is asked of it.
    """

    def __init__(self) -> None:
        host, peer = (IPv4Address("TCP", "192.0.2.1", port) for port in (80, 40000))
        MemoryCarrier.__init__(self, host, peer)
        self.written = b""
        self.asked: list[str] = []

    def write(self, data: bytes) -> None:
        self.written += data
        MemoryCarrier.write(self, data)

    def loseConnection(self) -> None:
        self.asked.append("loseConnection")
        MemoryCarrier.loseConnection(self)

    def loseWriteConnection(self) -> None:
        self.asked.append("loseWriteConnection")
        MemoryCarrier.loseWriteConnection(self)

    def abortConnection(self) -> None:
        self.asked.append("abortConnection")
        MemoryCarrier.abortConnection(self)


class FragileReceiver(RecordingReceiver):
    """
    Fails at the message C{"fail"}.
    """

    def messageReceived(self, message: Any) -> None:
        if message == "fail":
            raise RuntimeError("the application failed")
        RecordingReceiver.messageReceived(self, message)


class Subject:
    """
    A connection that things can happen to.
    """

    def __init__(self, isServer: bool) -> None:
        self.isServer = isServer
        self.clock = Clock()
        self.carrier = WatchedCarrier()
        self.receiver = FragileReceiver()
        config = (ServerConfig if isServer else ClientConfig)(keepalive=False)
        host = SimpleNamespace(
            localAddress=self.carrier.getHost(), connectionEnded=lambda: None
        )
        request: Any = host if isServer else None
        self.connection = WebSocketConnection(config, self.clock, None, request)
        self.carrier.protocol = self.connection
        self.connection.connect(self.carrier, self.receiver)

    def receive(self, first: int, payload: bytes = b"") -> None:
        """
        A frame arrives.
        """
        key = KEY if self.isServer else None
        self.connection.dataReceived(rawFrame(first, payload, key))

    def what(self, happens: Callable[[Subject], object]) -> Done:
        """
        Let something happen.

        @return: what it caused.
        """
        written, asked = len(self.carrier.written), len(self.carrier.asked)
        messages, losses = len(self.receiver.messages), self.receiver.losses
        refused = False
        try:
            happens(self)
        except ConnectionNotOpen:
            refused = True
        return Done(
            [frame[:2] for frame in readFrames(self.carrier.written[written:])],
            self.carrier.asked[asked:],
            self.receiver.messages[messages:],
            self.receiver.losses - losses,
            refused,
        )

    def end(self) -> None:
        """
        The carrier goes away.
        """
        self.connection.connectionLost(Failure(ConnectionLost()))


Step = tuple[str, Callable[[Subject], object]]

INTO: dict[State, list[Step]] = {
    State.OPEN: [("open", lambda subject: None)],
    State.CLOSING: [
        ("we closed", lambda subject: subject.connection.close(1001)),
        ("loseConnection", lambda subject: subject.connection.loseConnection()),
        ("stopProducing", lambda subject: subject.connection.stopProducing()),
    ],
    State.DISCARDING: [
        ("the peer closed", lambda subject: subject.receive(CLOSE, closeBody(1000))),
        ("a violation", lambda subject: subject.receive(0xF1)),
        ("we aborted", lambda subject: subject.connection.abortConnection()),
    ],
    State.CLOSED: [("the carrier is gone", Subject.end)],
}
"""
The ways into a state.
"""

HAPPENINGS: dict[Event, list[Step]] = {
    Event.CLOSE: [
        ("close", lambda subject: subject.connection.close(OURS)),
    ],
    Event.CLOSE_RECEIVED: [
        ("Close", lambda subject: subject.receive(CLOSE, closeBody(THEIRS))),
    ],
    Event.FAILURE: [
        ("RSV1", lambda subject: subject.receive(0xC1, b"hi")),
        ("not UTF-8", lambda subject: subject.receive(TEXT, b"\xff")),
        ("the application", lambda subject: subject.receive(TEXT, b"fail")),
    ],
    Event.TIMEOUT: [
        ("abort", lambda subject: subject.connection.abortConnection()),
        ("silence", lambda subject: subject.connection.abandon("silence", "silent")),
    ],
    Event.LOST: [
        ("loss", Subject.end),
        (
            "clean loss",
            lambda subject: subject.connection.connectionLost(
                Failure(ConnectionDone())
            ),
        ),
    ],
    Event.SEND: [
        ("sendMessage", lambda subject: subject.connection.sendMessage("hi")),
    ],
    Event.MESSAGE: [
        ("text", lambda subject: subject.receive(TEXT, b"hi")),
    ],
}
"""
What can happen, by each of its causes.
"""

FAILURE_CODES = {"RSV1": 1002, "not UTF-8": 1007, "the application": 1011}


def expected(subject: Subject, event: Event, cell: Cell, cause: str) -> Done:
    """
    @return: what the cell of the table stands for.
    """
    sent: list[tuple[int, bytes]] = []
    carrier: list[str] = []
    if cell.action is Action.SEND_CLOSE and event is Event.CLOSE:
        sent = [(CLOSE, closeBody(OURS))]
    elif cell.action is Action.ECHO_CLOSE:
        sent = [(CLOSE, closeBody(THEIRS))]
    elif cell.action is Action.SEND:
        sent = [(TEXT, b"hi")]
    elif cell.action is Action.ABORT:
        carrier = ["abortConnection"]
    # A server drops the carrier; its client leaves that to it.  A peer that has more
    # to say would make dropping a reset: so only our half is closed.
    if subject.isServer and cell.action in (Action.ECHO_CLOSE, Action.DROP):
        carrier = ["loseConnection"]
    failed = event is Event.FAILURE and cell.action is not Action.NOTHING
    if subject.isServer and failed:
        carrier = ["loseWriteConnection"]
    return Done(
        sent,
        carrier,
        ["hi"] if cell.action is Action.DELIVER else [],
        1 if cell.action is Action.END else 0,
        cell.action is Action.REFUSE,
    )


class ConnectionWalkTests(SynchronousTestCase):
    """
    Each cell, walked by a connection.
    """

    def walk(self) -> Iterator[tuple[str, Subject, Event, Cell, Step]]:
        """
        Make a connection in the state of each cell.
        """
        for role, isServer in ROLES:
            for event, row in TABLE.items():
                for state, cell in zip(State, row, strict=True):
                    for way, goThere in INTO[state]:
                        for step in HAPPENINGS[event]:
                            subject = Subject(isServer)
                            goThere(subject)
                            name = f"{role} {state.name} ({way}): {event.name} {step}"
                            self.assertEqual(subject.connection.state, state, name)
                            yield name, subject, event, cell, step

    def test_cells(self) -> None:
        """
        Each event does in each state what the table says, and leads where it says.
        """
        walked = 0
        for name, subject, event, cell, (cause, happens) in self.walk():
            done = subject.what(happens)
            if event is Event.FAILURE and cell.action is Action.SEND_CLOSE:
                [(first, body)] = done.sent
                code = (CLOSE, closeBody(FAILURE_CODES[cause]))
                self.assertEqual((first, body[:2]), code, name)
                done = done._replace(sent=[])
            self.assertEqual(done, expected(subject, event, cell, cause), name)
            self.assertEqual(subject.connection.state, cell.state, name)
            walked += 1
            subject.end()
            self.assertEqual(subject.clock.getDelayedCalls(), [], name)
            self.assertEqual(subject.receiver.losses, 1, name)
        self.flushLoggedErrors(RuntimeError)
        self.assertTrue(walked > 2 * 28, walked)

    def test_everySendIsRefused(self) -> None:
        """
        Whatever way of sending: outside of C{OPEN} nothing is written.
        """
        ways: list[Callable[[WebSocketConnection], object]] = [
            lambda connection: connection.sendMessage("hi"),
            lambda connection: connection.sendMessage(b"hi"),
            lambda connection: connection.beginMessage(),
            lambda connection: connection.pong(),
        ]
        for role, isServer in ROLES:
            for state in (State.CLOSING, State.DISCARDING, State.CLOSED):
                for way, goThere in INTO[state]:
                    for send in ways:
                        subject = Subject(isServer)
                        goThere(subject)
                        written = subject.carrier.written
                        error = errorOf(send, subject.connection)
                        self.assertIsInstance(error, ConnectionNotOpen, f"{role} {way}")
                        self.assertEqual(subject.carrier.written, written)

    def test_closeTimeout(self) -> None:
        """
        Time is up C{closeTimeout} seconds after C{OPEN} was left, by the clock.
        """
        for role, isServer in ROLES:
            for state in (State.CLOSING, State.DISCARDING):
                for way, goThere in INTO[state]:
                    if way == "we aborted":
                        continue
                    subject = Subject(isServer)
                    goThere(subject)
                    subject.clock.advance(4.9)
                    self.assertNotIn("abortConnection", subject.carrier.asked)
                    done = subject.what(lambda subject: subject.clock.advance(0.2))
                    name = (role, state, way)
                    self.assertEqual(done.carrier, ["abortConnection"], name)
                    self.assertEqual(done.sent, [], name)
                    self.assertEqual(subject.connection.state, State.DISCARDING)
                    self.assertEqual(subject.clock.getDelayedCalls(), [], name)

    def test_closingRunsOneClock(self) -> None:
        """
        The peer's answer does not start the time anew.
        """
        subject = Subject(False)
        subject.connection.close()
        subject.clock.advance(3)
        subject.receive(CLOSE, closeBody(1000))
        self.assertEqual(subject.connection.state, State.DISCARDING)
        subject.clock.advance(1.9)
        self.assertEqual(subject.carrier.asked, [])
        subject.clock.advance(0.2)
        self.assertEqual(subject.carrier.asked, ["abortConnection"])


class FramerWalkTests(SynchronousTestCase):
    """
    Each cell, walked by a framer alone.
    """

    def framerIn(self, state: State, isServer: bool) -> RecordingFramer:
        framer = RecordingFramer(isServer)
        if state is State.CLOSING:
            framer.close(1001)
        elif state is State.DISCARDING:
            framer.feed((CLOSE, closeBody(1000)))
        elif state is State.CLOSED:
            framer._happened(Event.LOST)
        self.assertEqual(framer.state, state)
        framer.calls.clear()
        return framer

    def happen(self, framer: RecordingFramer, event: Event) -> object:
        """
        @return: the action that the framer leaves to its connection, if it does.
        """
        if event is Event.CLOSE:
            framer.close(OURS)
        elif event is Event.CLOSE_RECEIVED:
            framer.feed((CLOSE, closeBody(THEIRS)))
        elif event is Event.FAILURE:
            framer.feed((0x83, b""))
        elif event is Event.MESSAGE:
            framer.feed((TEXT, b"hi"))
        elif event is Event.SEND:
            framer.sendMessage("hi")
        else:
            return framer._happened(event)
        return None

    def test_cells(self) -> None:
        """
        Each event does in each state what the table says, and leads where it says.
        """
        said = b"an unknown opcode: 3"
        calls: dict[Action, list[tuple[Any, ...]]] = {
            Action.NOTHING: [],
            Action.REFUSE: [],
            Action.ABORT: [],
            Action.END: [],
            Action.ECHO_CLOSE: [("sent", CLOSE, closeBody(THEIRS)), ("discarding",)],
            Action.DROP: [("discarding",)],
            Action.SEND: [("sent", TEXT, b"hi")],
            Action.DELIVER: [("message", "hi")],
        }
        for role, isServer in ROLES:
            for event, row in TABLE.items():
                for state, cell in zip(State, row, strict=True):
                    name = f"{role} {state.name}: {event.name}"
                    framer = self.framerIn(state, isServer)
                    if cell.action is Action.REFUSE:
                        error = errorOf(self.happen, framer, event)
                        self.assertIsInstance(error, ConnectionNotOpen, name)
                        why = f"the connection is {state.name.lower()}"
                        self.assertEqual(str(error), why)
                    else:
                        action = self.happen(framer, event)
                        if event in (Event.TIMEOUT, Event.LOST):
                            self.assertIs(action, cell.action, name)
                    if cell.action is not Action.SEND_CLOSE:
                        wanted = calls[cell.action]
                    elif event is Event.CLOSE:
                        wanted = [("sent", CLOSE, closeBody(OURS)), ("closing",)]
                    else:
                        body = closeBody(WRONG) + said
                        wanted = [("sent", CLOSE, body), ("discarding",)]
                    made = [call for call in framer.calls if call[0] != "violation"]
                    self.assertEqual(made, wanted, name)
                    self.assertEqual(framer.state, cell.state, name)

    def test_facts(self) -> None:
        """
        What was said, and by whom first, is recorded as it happens.
        """
        wrong = (WRONG, "an unknown opcode: 3")
        rows: tuple[tuple[str, str, Any, Any, Any], ...] = (
            ("nothing", "", None, None, None),
            ("we close", "c", (4000, ""), None, "us"),
            ("the peer closes", "p", (3000, ""), (3000, "why"), "peer"),
            ("we close and it answers", "cp", (4000, ""), (3000, "why"), "us"),
            ("it closes, then we", "pc", (3000, ""), (3000, "why"), "peer"),
            ("it closes twice", "pp", (3000, ""), (3000, "why"), "peer"),
            ("a violation", "v", wrong, None, "us"),
            ("we close, a violation", "cv", (4000, ""), None, "us"),
            (
                "a violation, it closes",
                "vp",
                (1002, "an unknown opcode: 3"),
                None,
                "us",
            ),
            ("time is up", "t", None, None, None),
            ("time is up, it closes", "tp", None, None, None),
            ("the carrier is lost, we close", "lc", None, None, None),
        )
        for role, isServer in ROLES:
            for name, events, sent, received, begunBy in rows:
                framer = RecordingFramer(isServer)
                for event in events:
                    if event == "c":
                        framer.close(OURS)
                    elif event == "p":
                        framer.feed((CLOSE, closeBody(THEIRS) + b"why"))
                    elif event == "v":
                        framer.feed((0x83, b""))
                    else:
                        framer._happened(Event.TIMEOUT if event == "t" else Event.LOST)
                facts = framer.closeSent, framer.closeReceived, framer.closeBegunBy
                self.assertEqual(facts, (sent, received, begunBy), (role, name))

    def test_tooLate(self) -> None:
        """
        A failure or a Close frame that is noticed when all is over does nothing: for
        instance, an application that aborts and then fails.
        """
        for role, isServer in ROLES:
            for state in (State.DISCARDING, State.CLOSED):
                framer = self.framerIn(state, isServer)
                facts = framer.closeSent, framer.closeReceived, framer.closeBegunBy
                framer._fail(1011, "too late")
                framer._peerCloses(Close(4000))
                self.assertEqual(framer.calls, [], (role, state))
                self.assertEqual(framer.state, state)
                now = framer.closeSent, framer.closeReceived, framer.closeBegunBy
                self.assertEqual(now, facts, (role, state))

    def test_pingsWhileNotOpen(self) -> None:
        """
        A ping is answered in C{OPEN} alone (RFC 6455 section 5.5.2).
        """
        for role, isServer in ROLES:
            for state in State:
                framer = self.framerIn(state, isServer)
                framer.feed((PING, b"?"))
                answers = [(0x8A, b"?")] if state is State.OPEN else []
                self.assertEqual(framer.sent, answers, (role, state))
