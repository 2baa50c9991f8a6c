# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The closing handshake: RFC 6455 section 7.  The table of all ends is in
L{tests.test_ends}.
"""

from __future__ import annotations

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import (
    BOTH,
    CLOSE_1000,
    Conversation,
    facts,
    peerDrops,
    peerSends,
    weAbort,
    weClose,
)
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
from twisted_ws.errors import IllegalFrame
from twisted_ws.testing import RecordingReceiver

CLIENT, EITHER = (False,), (True, False)


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

    def test_saysTheViolation(self):
        """
        What a peer does wrong while we close says more of the end than that it then
        does not leave.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, closeTimeout=3)
            c.stopReading()
            c.connection.close()
            c.send((0x83, b""))
            self.assertEqual(c.connection.state, State.DISCARDING, role)
            c.advance(3)
            self.assertIn("an unknown opcode: 3", str(c.receiver.reason), role)
            self.assertNotIn("closeTimeout", str(c.receiver.reason), role)
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

    def test_logged(self):
        """
        It is logged, with the option that would have let the peer's frame pass.
        """
        rows = [
            ((0x83, b""), "closing with 1002: an unknown opcode: 3"),
            (
                (0x82, bytes(11)),
                "closing with 1009: a frame of 11 bytes, over 10"
                " (option: maxReceivedMessageSize)",
            ),
        ]
        for frame, expected in rows:
            c = Conversation(maxReceivedMessageSize=10)
            with capturedLogs() as logged:
                c.send(frame, frame)
            (text,) = [formatEvent(event) for event in logged]
            self.assertIn(str(c.carrier.getPeer()), text)
            self.assertTrue(text.endswith(f">: {expected}"), text)
            self.assertEqual(logged[0]["log_level"], LogLevel.info)

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
        self.assertEqual(facts(told), facts(c.receiver.reason))

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
        kinds = [isinstance(each, ClosedAbruptly) for each in told]
        self.assertEqual(kinds, [False, True, False, True, True])

    def test_failingCallback(self):
        """
        A callback that fails does not keep the others from theirs.
        """
        c = Conversation()
        first, second = c.connection.whenClosed(), c.connection.whenClosed()
        first.addCallback(lambda ended: 1 / 0)
        c.dropCarrier()
        self.assertIsInstance(self.successResultOf(second), ClosedAbruptly)
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
