# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Every way in which a connection can end, as one table: what is sent, and what the
application is told.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import (
    Conversation,
    Step,
    carrierBreaks,
    facts,
    peerCloses,
    peerDrops,
    peerSends,
    timePasses,
    weAbort,
    weClose,
)
from twisted_ws import ClosedAbruptly, ClosedCleanly, ProtocolViolation
from twisted_ws._wire.closing import Close
from twisted_ws._wire.state import State
from twisted_ws.errors import InvalidPayload, PayloadTooBig, TooManyFragments

SERVER, CLIENT, EITHER = (True,), (False,), (True, False)


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
            (ended,) = told
            self.assertEqual(facts(ended), facts(c.receiver.reason), name)

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
