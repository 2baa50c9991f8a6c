# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
How connections end: RFC 6455 section 7, and what the application is told of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from twisted.internet.error import (
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
)
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import BOTH, CLOSE_1000, Conversation
from twisted_ws import (
    CloseCode,
    ClosedAbruptly,
    ClosedCleanly,
    ConnectionNotOpen,
    Frame,
    MessageReceiver,
    ProtocolViolation,
)
from twisted_ws._wire.closing import Close
from twisted_ws._wire.frames import Opcode
from twisted_ws._wire.state import State
from twisted_ws.errors import (
    IllegalFrame,
    InvalidPayload,
    PayloadTooBig,
    TooManyFragments,
)
from twisted_ws.testing import RecordingReceiver

SERVER, CLIENT, EITHER = (True,), (False,), (True, False)

Step = Callable[[Conversation], object]


class End(NamedTuple):
    """
    A row of the table of ends.

    @ivar name: what it shows.
    @ivar roles: for which roles of ours it holds.
    @ivar steps: what happens.
    @ivar sent: the Close frame that we send.
    @ivar received: the Close frame that counts as the peer's.
    @ivar begunBy: who began.
    @ivar sentence: C{str()} of the reason.
    @ivar cause: the type of its C{__cause__}.
    @ivar options: of the configuration.
    """

    name: str
    roles: tuple[bool, ...]
    steps: tuple[Step, ...]
    sent: Close | None
    received: Close | None
    begunBy: str | None
    sentence: str
    cause: type[BaseException] | None = None
    options: dict[str, Any] = {}


def peerCloses(code: int | None, reason: bytes = b"") -> Step:
    """
    @return: a step in which the peer sends a Close frame.
    """
    body = b"" if code is None else code.to_bytes(2, "big") + reason
    return lambda c: c.send((0x88, body))


def peerSends(*frames: tuple[int, bytes]) -> Step:
    """
    @return: a step in which the peer sends other frames.
    """
    return lambda c: c.send(*frames)


def weClose(code: int = 1000, reason: str = "") -> Step:
    """
    @return: a step in which our Close frame reaches the peer.
    """

    def step(c: Conversation) -> None:
        c.connection.close(code, reason)
        c.flush()

    return step


def peerDrops(c: Conversation) -> None:
    """
    The peer closes the carrier, if it still stands.
    """
    if not c.peerCarrier.disconnected:
        c.dropCarrier()


def carrierBreaks(c: Conversation) -> None:
    """
    The carrier is reset.
    """
    c.resetCarrier()


def weAbort(c: Conversation) -> None:
    """
    The application has had enough.
    """
    c.connection.abortConnection()
    c.flush()


def timePasses(seconds: float) -> Step:
    """
    @return: a step in which nobody does anything.
    """
    return lambda c: c.advance(seconds)


UNFINISHED = "the peer did not finish within closeTimeout (5 s)"
DROPPED = "the peer dropped the connection without a Close frame"
BROKEN = (
    "the connection was lost: Connection to the other side was lost in a non-clean"
    " fashion."
)

ENDS = [
    # Section 7.1.4: both Close frames, the peer's first.
    End(
        "7.4.1 the peer closes",
        EITHER,
        (peerCloses(1000), peerDrops),
        Close(1000),
        Close(1000),
        "peer",
        "the peer closed with 1000 (normal)",
    ),
    End(
        "7.1.6 the peer closes with a reason, which is not echoed",
        EITHER,
        (peerCloses(1001, b"bye"), peerDrops),
        Close(1001),
        Close(1001, "bye"),
        "peer",
        "the peer closed with 1001 (going away): bye",
    ),
    End(
        "7.1.5 the peer closes without a code",
        EITHER,
        (peerCloses(None), peerDrops),
        Close(1005),
        Close(1005),
        "peer",
        "the peer closed with 1005 (no status)",
    ),
    End(
        "7.4.2 the peer closes with a code that is not registered",
        EITHER,
        (peerCloses(4321, "ü".encode()), peerDrops),
        Close(4321),
        Close(4321, "ü"),
        "peer",
        "the peer closed with 4321: ü",
    ),
    End(
        "7.1.1 the peer closes and leaves it to the server to drop the carrier",
        SERVER,
        (peerCloses(1000),),
        Close(1000),
        Close(1000),
        "peer",
        "the peer closed with 1000 (normal)",
    ),
    End(
        "7.1.1 a server that closes and never drops the carrier",
        CLIENT,
        (peerCloses(1000), timePasses(5)),
        Close(1000),
        Close(1000),
        "peer",
        f"the peer closed with 1000 (normal); {UNFINISHED}",
        ConnectionAborted,
    ),
    End(
        "a peer that closes and breaks the carrier",
        CLIENT,
        (peerCloses(1000), carrierBreaks),
        Close(1000),
        Close(1000),
        "peer",
        "the peer closed with 1000 (normal)",
        ConnectionLost,
    ),
    # Both, ours first.
    End(
        "7.1.2 we close and the peer answers",
        EITHER,
        (weClose(), peerCloses(1000), peerDrops),
        Close(1000),
        Close(1000),
        "us",
        "we closed with 1000 (normal); the peer answered 1000 (normal)",
    ),
    End(
        "7.1.2 we close with a reason",
        EITHER,
        (weClose(4000, "enough"), peerCloses(4000), peerDrops),
        Close(4000, "enough"),
        Close(4000),
        "us",
        "we closed with 4000: enough; the peer answered 4000",
    ),
    End(
        "7.1.2 we close without a code",
        EITHER,
        (weClose(1005), peerCloses(None), peerDrops),
        Close(1005),
        Close(1005),
        "us",
        "we closed with 1005 (no status); the peer answered 1005 (no status)",
    ),
    End(
        "7.1.5 two Close frames that cross: the peer's code counts",
        EITHER,
        (
            lambda c: c.connection.close(1001),
            peerCloses(3000, b"me too"),
            peerDrops,
        ),
        Close(1001),
        Close(3000, "me too"),
        "us",
        "we closed with 1001 (going away); the peer answered 3000: me too",
    ),
    End(
        "7.1.1 we close, the server answers and never drops the carrier",
        CLIENT,
        (weClose(), peerCloses(1000), timePasses(5)),
        Close(1000),
        Close(1000),
        "us",
        f"we closed with 1000 (normal); the peer answered 1000 (normal); {UNFINISHED}",
        ConnectionAborted,
    ),
    # Only one.
    End(
        "we close and the peer says nothing",
        EITHER,
        (weClose(), timePasses(5)),
        Close(1000),
        None,
        "us",
        f"we closed with 1000 (normal); {UNFINISHED}",
        ConnectionAborted,
    ),
    End(
        "we close and the peer keeps talking of other things",
        EITHER,
        (
            weClose(),
            peerSends((0x81, b"a")),
            timePasses(3),
            peerSends((0x89, b"")),
            timePasses(2),
        ),
        Close(1000),
        None,
        "us",
        f"we closed with 1000 (normal); {UNFINISHED}",
        ConnectionAborted,
    ),
    End(
        "we close and the peer drops the carrier",
        EITHER,
        (weClose(1001), peerDrops),
        Close(1001),
        None,
        "us",
        f"we closed with 1001 (going away); {DROPPED}",
    ),
    End(
        "we close and the carrier breaks",
        EITHER,
        (weClose(), carrierBreaks),
        Close(1000),
        None,
        "us",
        f"we closed with 1000 (normal); {BROKEN}",
        ConnectionLost,
    ),
    End(
        "we close, and abort when it takes too long",
        EITHER,
        (weClose(), weAbort),
        Close(1000),
        None,
        "us",
        "we closed with 1000 (normal); we aborted the connection",
        ConnectionAborted,
    ),
    # None.
    End("the peer drops the carrier", EITHER, (peerDrops,), None, None, None, DROPPED),
    End(
        "the carrier breaks",
        EITHER,
        (carrierBreaks,),
        None,
        None,
        None,
        BROKEN,
        ConnectionLost,
    ),
    End(
        "we abort",
        EITHER,
        (weAbort,),
        None,
        None,
        None,
        "we aborted the connection",
        ConnectionAborted,
    ),
    End(
        "5.5.2 the peer is silent",
        EITHER,
        (timePasses(20), timePasses(10)),
        None,
        None,
        None,
        "the peer sent nothing for keepaliveInterval (20 s), nor within"
        " keepaliveGracePeriod (10 s) after a ping",
        ConnectionAborted,
        {"keepalive": True},
    ),
    # Section 7.1.7: we fail the connection.  A peer is not read from after that, so
    # nothing can be said of what it answers.
    End(
        "5.2 an opcode that there is not",
        EITHER,
        (peerSends((0x83, b"")), peerDrops),
        Close(1002, "an unknown opcode: 3"),
        None,
        "us",
        "we closed with 1002 (protocol error): an unknown opcode: 3",
        ProtocolViolation,
    ),
    End(
        "5.5.1 a Close frame with half a code",
        EITHER,
        (peerSends((0x88, b"\x03")), peerDrops),
        Close(1002, "a Close frame with a body of one byte"),
        None,
        "us",
        "we closed with 1002 (protocol error): a Close frame with a body of one byte",
        ProtocolViolation,
    ),
    End(
        "7.4.1 a Close frame with a code that must not be sent",
        EITHER,
        (peerCloses(1006), peerDrops),
        Close(1002, "a Close frame with the code 1006"),
        None,
        "us",
        "we closed with 1002 (protocol error): a Close frame with the code 1006",
        ProtocolViolation,
    ),
    End(
        "8.1 text that is not UTF-8",
        EITHER,
        (peerSends((0x81, b"\xff")), peerDrops),
        Close(1007, "text that is not UTF-8"),
        None,
        "us",
        "we closed with 1007 (invalid payload): text that is not UTF-8",
        InvalidPayload,
    ),
    End(
        "10.4 a message over the limit",
        EITHER,
        (peerSends((0x82, b"12345678901")), peerDrops),
        Close(1009, "a frame of 11 bytes, over 10"),
        None,
        "us",
        "we closed with 1009 (message too big): a frame of 11 bytes, over 10",
        PayloadTooBig,
        {"maxReceivedMessageSize": 10},
    ),
    End(
        "10.4 a message in too many pieces",
        EITHER,
        (peerSends((0x01, b"a"), (0x00, b"b"), (0x00, b"c")), peerDrops),
        Close(1008, "a message of more than 2 frames"),
        None,
        "us",
        "we closed with 1008 (policy violation): a message of more than 2 frames",
        TooManyFragments,
        {"maxReceivedFragments": 2},
    ),
    End(
        "a peer that breaks the rules and then reads nothing",
        EITHER,
        (Conversation.stopReading, peerSends((0x83, b"")), timePasses(5)),
        Close(1002, "an unknown opcode: 3"),
        None,
        "us",
        "we closed with 1002 (protocol error): an unknown opcode: 3; " + UNFINISHED,
        ProtocolViolation,
    ),
    End(
        "a peer that breaks the rules and answers our Close frame, which is not read",
        CLIENT,
        (peerSends((0x83, b"")), peerCloses(1002), peerDrops),
        Close(1002, "an unknown opcode: 3"),
        None,
        "us",
        "we closed with 1002 (protocol error): an unknown opcode: 3",
        ProtocolViolation,
    ),
]


class EndTests(SynchronousTestCase):
    """
    The table of ends.
    """

    def conversations(self):
        """
        Bring each row to its end, in each of its roles.
        """
        for end in ENDS:
            for isServer in end.roles:
                options = {"keepalive": False, **end.options}
                conversation = Conversation(isServer, **options)
                told = []
                conversation.connection.whenClosed().addCallback(told.append)
                for step in end.steps:
                    step(conversation)
                name = f"{end.name}, {'server' if isServer else 'client'}"
                yield name, end, conversation, told

    def test_receiver(self):
        """
        The receiver sees one beginning and one end, and C{whenClosed} fires with that
        very end.
        """
        for name, _, c, told in self.conversations():
            self.assertEqual((c.receiver.made, c.receiver.losses), (1, 1), name)
            self.assertEqual(told, [c.receiver.reason], name)
            self.assertIs(told[0], c.receiver.reason, name)

    def test_facts(self):
        """
        Both Close frames, who began and the code are told as they were; the code is
        1006 if the peer sent no Close frame (section 7.1.5).
        """
        for name, end, c, _ in self.conversations():
            reason = c.receiver.reason
            self.assertEqual(
                (reason.sent, reason.received, reason.begunBy),
                (end.sent, end.received, end.begunBy),
                name,
            )
            if end.received is None:
                self.assertEqual((reason.code, reason.reason), (1006, ""), name)
            else:
                self.assertEqual((reason.code, reason.reason), end.received, name)

    def test_sentence(self):
        """
        C{str()} of the reason is a sentence that is true, and tells all.
        """
        for name, end, c, _ in self.conversations():
            self.assertEqual(str(c.receiver.reason), end.sentence, name)

    def test_type(self):
        """
        An end is clean, and a L{ConnectionDone}, exactly if both sent a Close frame;
        otherwise it is a L{ConnectionLost}.
        """
        for name, end, c, _ in self.conversations():
            failure = Failure(c.receiver.reason)
            isClean = end.sent is not None and end.received is not None
            self.assertIs(
                failure.type, ClosedCleanly if isClean else ClosedAbruptly, name
            )
            self.assertIs(
                failure.check(ConnectionDone, ConnectionLost),
                ConnectionDone if isClean else ConnectionLost,
                name,
            )

    def test_cause(self):
        """
        C{__cause__} is the violation or what the carrier said, without the frames
        that it went through.
        """
        for name, end, c, _ in self.conversations():
            cause = c.receiver.reason.__cause__
            self.assertIs(None if cause is None else type(cause), end.cause, name)
            if cause is not None:
                self.assertIsNone(cause.__traceback__, name)

    def test_wire(self):
        """
        We send one Close frame at most, it is the last thing that we send, and what it
        has is what the reason tells.
        """
        for name, end, c, _ in self.conversations():
            expected = []
            if end.sent is not None and Conversation.stopReading not in end.steps:
                code, reason = end.sent
                body = b"" if code == 1005 else code.to_bytes(2, "big")
                expected = [(0x88, body + reason.encode())]
            sent = [frame for frame in c.take() if frame != (0x89, b"")]
            self.assertEqual(sent, expected, name)

    def test_nothingLeft(self):
        """
        The carrier is gone, no call is scheduled, and the connection is closed.
        """
        for name, _, c, _ in self.conversations():
            self.assertTrue(c.carrier.disconnected, name)
            self.assertEqual(c.timers, 0, name)
            self.assertEqual(c.connection.state, State.CLOSED, name)
            self.assertIsNone(c.connection.receiver, name)
            if c.isServer:
                self.assertEqual(c.server.factory.connections, set(), name)


class ServerDropsFirstTests(SynchronousTestCase):
    """
    Section 7.1.1: the server closes the carrier first.
    """

    def test_server(self):
        """
        A server drops the carrier as soon as both Close frames were exchanged, whoever
        began.
        """
        for name, begin in (("peer", lambda c: None), ("us", weClose())):
            c = Conversation()
            begin(c)
            self.assertFalse(c.carrier.disconnecting, name)
            c.send(CLOSE_1000)
            self.assertIsNotNone(c.peer.lost.check(ConnectionDone), name)

    def test_client(self):
        """
        A client waits for the server to do so, whoever began.
        """
        for name, begin in (("peer", lambda c: None), ("us", weClose())):
            c = Conversation(False)
            begin(c)
            c.send(CLOSE_1000)
            self.assertIsNone(c.peer.lost, name)
            self.assertFalse(c.carrier.disconnecting, name)
            self.assertEqual(c.connection.state, State.DISCARDING, name)
            c.dropCarrier()
            self.assertEqual(c.receiver.losses, 1, name)

    def test_timeout(self):
        """
        It waits for C{closeTimeout} seconds, from the moment at which the connection
        was not open any more.
        """
        c = Conversation(False, closeTimeout=3)
        c.connection.close()
        c.advance(2)
        c.send(CLOSE_1000)
        c.advance(0.875)
        self.assertEqual(c.receiver.losses, 0)
        c.advance(0.125)
        self.assertIsInstance(c.receiver.reason, ClosedCleanly)
        self.assertIsNotNone(c.peer.lost.check(ConnectionLost))


class TimeoutTests(SynchronousTestCase):
    """
    C{closeTimeout}.
    """

    def test_oneTimer(self):
        """
        There is one timer from the first step of closing to the last; keepalive has
        ended.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, keepalive=True)
            c.connection.close()
            (timer,) = c.clock.getDelayedCalls()
            self.assertEqual(timer.getTime(), 5, role)
            c.advance(1)
            c.send((0x83, b""))
            self.assertEqual(c.clock.getDelayedCalls(), [timer][: c.timers], role)
            c.connection.close()
            c.connection.abortConnection()
            c.flush()
            self.assertEqual(c.timers, 0, role)

    def test_flood(self):
        """
        A peer that never stops sending does not put the end off, neither after our
        Close frame nor after its own offence.
        """
        for name, begin in (("close", weClose()), ("fail", peerSends((0x83, b"")))):
            c = Conversation(False, closeTimeout=2)
            begin(c)
            for _ in range(8):
                c.advance(0.25)
                if not c.carrier.disconnected:
                    c.send((0x82, b"more"))
            self.assertEqual(c.receiver.losses, 1, name)

    def test_peerReadsNothing(self):
        """
        A peer that does not read what it is sent is not waited for longer, though the
        carrier never got rid of it.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer)
            c.congest()
            c.connection.close()
            c.send(CLOSE_1000)
            c.advance(4.5)
            self.assertEqual(c.receiver.losses, 0, role)
            c.advance(0.5)
            self.assertEqual(c.receiver.losses, 1, role)
            self.assertIsInstance(c.receiver.reason, ClosedCleanly)

    def test_abortAtOnce(self):
        """
        C{abortConnection} drops what is queued, and waits for nothing.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer)
            c.congest()
            c.connection.abortConnection()
            c.flush()
            self.assertEqual(c.receiver.losses, 1, role)
            c.readOn()
            self.assertEqual(c.peer.received, b"", role)
            self.assertEqual(c.timers, 0, role)


class ViolationTests(SynchronousTestCase):
    """
    Section 7.1.7: failing a connection.
    """

    def test_halfClose(self):
        """
        A server closes only its own half of the carrier after a violation: to close it
        all with unread input would reset it, and the peer could not read why.
        """
        c = Conversation()
        c.stopReading()
        c.send((0x83, b""))
        self.assertFalse(c.carrier.disconnecting)
        self.assertFalse(c.carrier.disconnected)
        c.readOn()
        self.assertEqual(c.take(), [(0x88, b"\x03\xeaan unknown opcode: 3")])
        self.assertIsNotNone(c.peer.lost.check(ConnectionDone))

    def test_ignored(self):
        """
        What the peer sends after a violation, in the same read or later, is not
        delivered, not answered and not kept.
        """
        more = [(0x81, b"text"), (0x89, b"ping"), (0x83, b""), CLOSE_1000]
        for isServer, role in BOTH:
            c = Conversation(isServer)
            c.stopReading()
            c.send((0x81, b"before"), (0x83, b""), *more)
            c.send(*more)
            self.assertEqual(c.receiver.messages, ["before"], role)
            self.assertEqual(c.connection._buffer, b"", role)
            c.readOn()
            self.assertEqual(c.take(), [(0x88, b"\x03\xeaan unknown opcode: 3")], role)

    def test_whileClosing(self):
        """
        A peer that breaks the rules after our Close frame gets no second one; the
        reason tells what it did.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer)
            weClose()(c)
            c.send((0x83, b""))
            peerDrops(c)
            self.assertEqual(c.take(), [CLOSE_1000], role)
            reason = c.receiver.reason
            self.assertIsInstance(reason, ClosedAbruptly, role)
            self.assertIsInstance(reason.__cause__, ProtocolViolation, role)
            self.assertEqual(reason.sent, Close(1000), role)
            self.assertIn("we closed with 1000 (normal)", str(reason), role)
            self.assertIn("an unknown opcode: 3", str(reason), role)

    def test_unsendableReason(self):
        """
        A peer's Close frame that is over the top is answered with one that is not.
        """
        c = Conversation()
        c.send((0x88, b"\x03\xe8\xff"))
        self.assertEqual(
            c.take(), [(0x88, b"\x03\xefa close reason that is not UTF-8")]
        )


class CallTests(SynchronousTestCase):
    """
    C{close} and its kin, when and how often one likes.
    """

    def test_closeTwice(self):
        """
        The first C{close} counts; another does nothing, in every state.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer)
            c.connection.close(1000)
            c.connection.close(1001, "again")
            c.connection.loseConnection()
            c.connection.stopProducing()
            c.connection.sendFrame(Frame(Opcode.CLOSE, b"\x03\xe9"))
            self.assertEqual(c.take(), [CLOSE_1000], role)
            c.send(CLOSE_1000)
            c.connection.close(1001)
            peerDrops(c)
            c.connection.close(1001)
            c.connection.abortConnection()
            c.connection.loseConnection()
            self.assertEqual(c.take(), [], role)
            self.assertEqual((c.receiver.losses, c.timers), (1, 0), role)
            self.assertEqual(c.receiver.reason.sent, Close(1000), role)

    def test_spellings(self):
        """
        C{loseConnection}, C{stopProducing} and a Close frame given to C{sendFrame} all
        are C{close}.
        """
        rows = [
            ("close", lambda c: c.close(), b"\x03\xe8"),
            ("close, keywords", lambda c: c.close(code=3000, reason="x"), b"\x0b\xb8x"),
            ("close, enum", lambda c: c.close(CloseCode.GOING_AWAY), b"\x03\xe9"),
            ("loseConnection", lambda c: c.loseConnection(), b"\x03\xe8"),
            ("stopProducing", lambda c: c.stopProducing(), b"\x03\xe8"),
            (
                "sendFrame",
                lambda c: c.sendFrame(Frame(Opcode.CLOSE, b"\x03\xe9bye")),
                b"\x03\xe9bye",
            ),
            ("sendFrame, empty", lambda c: c.sendFrame(Frame(Opcode.CLOSE)), b""),
        ]
        for name, call, body in rows:
            c = Conversation()
            call(c.connection)
            self.assertEqual(c.connection.state, State.CLOSING, name)
            self.assertEqual(c.take(), [(0x88, body)], name)

    def test_refused(self):
        """
        Section 7.4: a code or reason that must not be sent is the caller's error; the
        connection stays open and nothing is sent.
        """
        rows = [
            ("7.4.1 reserved", 1004, ""),
            ("7.4.1 no status with a reason", 1005, "reason"),
            ("7.4.1 abnormal", 1006, ""),
            ("7.4.1 TLS", 1015, ""),
            ("7.4.2 0-999", 999, ""),
            ("7.4.2 1016-2999", 1016, ""),
            ("7.4.2 5000", 5000, ""),
            ("negative", -1, ""),
            ("not a number", "1000", ""),
            ("true", True, ""),
            ("a float", 1000.0, ""),
            ("5.5 reason of 124 bytes", 1000, "x" * 124),
            ("5.5 reason of 62 times two bytes", 1000, "ü" * 62),
            ("reason in bytes", 1000, b"bye"),
            ("no reason", 1000, None),
            ("lone surrogate", 1000, "\ud800"),
        ]
        c = Conversation(keepalive=False)
        for name, code, reason in rows:
            error = self.assertRaises(IllegalFrame, c.connection.close, code, reason)
            self.assertIsInstance(error, ValueError, name)
            self.assertEqual(c.connection.state, State.OPEN, name)
            self.assertEqual(c.take(), [], name)
            self.assertEqual(c.timers, 0, name)
        c.connection.close(1000, "ü" * 61 + "x")
        self.assertEqual(c.take(), [(0x88, b"\x03\xe8" + "ü".encode() * 61 + b"x")])

    def test_refusedFrames(self):
        """
        A Close frame that a peer would have to refuse is refused here.
        """
        rows = [
            ("one byte", Frame(Opcode.CLOSE, b"\x03")),
            ("bad code", Frame(Opcode.CLOSE, b"\x03\xee")),
            ("bad reason", Frame(Opcode.CLOSE, b"\x03\xe8\xff")),
            ("too long", Frame(Opcode.CLOSE, b"\x03\xe8" + b"x" * 124)),
            ("in pieces", Frame(Opcode.CLOSE, b"\x03\xe8", fin=False)),
            ("reserved bit", Frame(Opcode.CLOSE, b"\x03\xe8", rsv=0x40)),
        ]
        c = Conversation(keepalive=False)
        for name, frame in rows:
            self.assertRaises(IllegalFrame, c.connection.sendFrame, frame)
            self.assertEqual(c.connection.state, State.OPEN, name)
            self.assertEqual(c.take(), [], name)

    def test_sendAfterwards(self):
        """
        After C{close} every way to send raises L{ConnectionNotOpen}, or has its
        Deferred fail with it, and writes nothing.
        """
        ways = [
            ("sendMessage", lambda c: c.sendMessage("late")),
            ("bytes", lambda c: c.sendMessage(b"late")),
            ("sendFrame", lambda c: c.sendFrame(Frame(Opcode.TEXT, b"late"))),
            ("beginMessage", lambda c: c.beginMessage()),
            ("pong", lambda c: c.pong(b"late")),
        ]
        stages = [
            ("closing", weClose(), EITHER),
            ("discarding", lambda c: (weClose()(c), c.send(CLOSE_1000)), CLIENT),
            ("failed", lambda c: (c.stopReading(), c.send((0x83, b""))), EITHER),
            ("aborted", lambda c: c.connection.abortConnection(), EITHER),
            ("closed", lambda c: c.dropCarrier(), EITHER),
        ]
        for stage, reach, roles in stages:
            for isServer in roles:
                c = Conversation(isServer)
                reach(c)
                before = bytes(c.carrier.outgoing)
                for way, send in ways:
                    name = f"{stage}, {way}"
                    error = self.assertRaises(ConnectionNotOpen, send, c.connection)
                    self.assertRegex(
                        str(error),
                        r"^the connection is (closing|discarding|closed)$",
                        name,
                    )
                ping = c.connection.ping()
                expected = ClosedAbruptly if stage == "closed" else ConnectionNotOpen
                self.failureResultOf(ping, expected)
                self.assertEqual(bytes(c.carrier.outgoing), before, stage)

    def test_midMessage(self):
        """
        C{close} may be called between the pieces of a message; the rest of it cannot
        be sent.
        """
        c = Conversation()
        message = c.connection.beginMessage()
        message.write("half")
        c.connection.close()
        self.assertRaises(ConnectionNotOpen, message.write, "more")
        self.assertRaises(ConnectionNotOpen, message.finish)
        self.assertEqual(c.take(), [(0x01, b"half"), CLOSE_1000])


class MeanwhileTests(SynchronousTestCase):
    """
    What still arrives between our Close frame and the peer's (section 5.5.1).
    """

    def test_delivered(self):
        """
        Messages are delivered up to the peer's Close frame.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer)
            c.connection.close()
            c.send((0x81, b"one"), (0x02, b"t"))
            c.send((0x80, b"wo"), CLOSE_1000, (0x81, b"three"))
            peerDrops(c)
            self.assertEqual(c.receiver.messages, ["one", b"two"], role)
            self.assertIsInstance(c.receiver.reason, ClosedCleanly, role)

    def test_pings(self):
        """
        Pings are not answered: a Close frame is the last frame that one sends.
        """
        c = Conversation()
        c.connection.close()
        c.send((0x89, b"?"))
        self.assertEqual(c.take(), [CLOSE_1000])

    def test_answerWhileClosing(self):
        """
        A receiver that answers a message while the connection closes has not failed:
        it could not know.  Nothing is logged, and the end is clean.
        """

        class Echo(RecordingReceiver):
            def messageReceived(self, message):
                RecordingReceiver.messageReceived(self, message)
                self.transport.sendMessage(message)

        for isServer, role in BOTH:
            c = Conversation(isServer, Echo())
            c.connection.close(1001)
            c.send((0x81, b"hello"), (0x81, b"again"), (0x88, b"\x03\xe9"))
            peerDrops(c)
            logged = self.flushLoggedErrors()
            self.assertEqual([str(each.value) for each in logged], [], role)
            self.assertEqual(c.receiver.messages, ["hello", "again"], role)
            self.assertIsInstance(c.receiver.reason, ClosedCleanly, role)


class PauseTests(SynchronousTestCase):
    """
    Closing and pausing: a carrier that is not read from hides the peer's Close frame.
    """

    def test_closeWhilePaused(self):
        """
        A connection that is closed while it is paused reads on, drops what the
        application did not want, and finds the peer's Close frame.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer)
            c.connection.pauseProducing()
            c.peer.transport.write(c.frame(0x81, b"unwanted"))
            c.connection.close()
            self.assertFalse(c.carrier.isPaused, role)
            self.assertFalse(c.connection.isPaused, role)
            c.send((0x81, b"unwanted"), CLOSE_1000)
            peerDrops(c)
            self.assertEqual(c.receiver.messages, [], role)
            self.assertIsInstance(c.receiver.reason, ClosedCleanly, role)

    def test_closeFrameWaits(self):
        """
        So it is when the peer's Close frame was received before and waits behind
        messages.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, Once())
            c.send((0x81, b"one"), (0x81, b"two"), CLOSE_1000)
            self.assertEqual(c.receiver.messages, ["one"], role)
            c.connection.close(1001)
            self.assertEqual(c.take(), [(0x88, b"\x03\xe9")], role)
            peerDrops(c)
            self.assertEqual(c.receiver.messages, ["one"], role)
            self.assertEqual(c.receiver.reason.received, Close(1000), role)

    def test_pauseWhileClosing(self):
        """
        A connection that is paused while it closes delivers nothing more, and ends in
        time all the same; to resume it then changes nothing.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer)
            c.connection.close()
            c.send((0x81, b"wanted"))
            c.connection.pauseProducing()
            self.assertFalse(c.carrier.isPaused, role)
            c.send((0x81, b"unwanted"))
            c.connection.resumeProducing()
            c.send((0x81, b"unwanted"), CLOSE_1000)
            peerDrops(c)
            self.assertEqual(c.receiver.messages, ["wanted"], role)
            self.assertIsInstance(c.receiver.reason, ClosedCleanly, role)

    def test_pausedAndAborted(self):
        """
        A paused connection can be aborted.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer)
            c.connection.pauseProducing()
            c.peer.transport.write(c.frame(0x81, b"unwanted"))
            c.connection.abortConnection()
            c.flush()
            c.connection.resumeProducing()
            self.assertEqual((c.receiver.losses, c.timers), (1, 0), role)
            self.assertEqual(c.receiver.messages, [], role)

    def test_peerCloses(self):
        """
        The peer's Close frame is found when a paused connection is resumed, after the
        messages before it.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, Once())
            c.send((0x81, b"one"), (0x81, b"two"), CLOSE_1000)
            self.assertEqual(c.connection.state, State.OPEN, role)
            self.assertEqual(c.take(), [], role)
            c.connection.resumeProducing()
            self.assertEqual(c.receiver.messages, ["one", "two"], role)
            self.assertEqual(c.connection.state, State.OPEN, role)
            c.connection.resumeProducing()
            self.assertEqual(c.connection.state, State.DISCARDING, role)
            self.assertEqual(c.take(), [CLOSE_1000], role)
            peerDrops(c)
            self.assertEqual(c.timers, 0, role)


class Once(RecordingReceiver):
    """
    Pauses after each message.
    """

    def messageReceived(self, message):
        RecordingReceiver.messageReceived(self, message)
        self.transport.pauseProducing()


class WhenClosedTests(SynchronousTestCase):
    """
    C{whenClosed}.
    """

    def test_afterwards(self):
        """
        It has fired already when the connection is gone.
        """
        c = Conversation()
        c.dropCarrier()
        told = self.successResultOf(c.connection.whenClosed())
        self.assertIs(told, c.receiver.reason)

    def test_many(self):
        """
        Each call has its own Deferred; they fire in order, after C{connectionLost}.
        """
        order = []

        class Receiver(MessageReceiver):
            def connectionLost(self, reason):
                order.append("receiver")

        c = Conversation(True, Receiver())
        for number in range(3):
            waiting = c.connection.whenClosed()
            waiting.addCallback(lambda ended, number=number: order.append(number))
        c.dropCarrier()
        self.assertEqual(order, ["receiver", 0, 1, 2])

    def test_cancel(self):
        """
        One that is cancelled fires no more, and disturbs no other; also when it is
        cancelled while they fire.
        """
        c = Conversation()
        told = []
        waiting = [c.connection.whenClosed() for _ in range(5)]
        for each in waiting:
            each.addBoth(told.append)
        waiting[1].cancel()
        waiting[0].addCallback(lambda ignored: waiting[3].cancel())
        c.dropCarrier()
        ended = c.receiver.reason
        kinds = [each is ended for each in told]
        self.assertEqual(kinds, [False, True, False, True, True])

    def test_failingCallback(self):
        """
        A callback that fails does not keep the others from theirs.
        """
        c = Conversation()
        first, second = c.connection.whenClosed(), c.connection.whenClosed()
        first.addCallback(lambda ended: 1 / 0)
        c.dropCarrier()
        self.assertIs(self.successResultOf(second), c.receiver.reason)
        self.failureResultOf(first, ZeroDivisionError)

    def test_violationLogged(self):
        """
        It fires for every end, and does not fail.
        """
        for _, begin in (("fail", peerSends((0x83, b""))), ("abort", weAbort)):
            c = Conversation()
            waiting = c.connection.whenClosed()
            self.assertNoResult(waiting)
            begin(c)
            self.assertIsInstance(self.successResultOf(waiting), ClosedAbruptly)
