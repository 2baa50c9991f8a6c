# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
An application that raises: it is logged with its Failure, its connection closes with
1011, every other lives on.
"""

from __future__ import annotations

import asyncio

from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import BOTH, CLOSE_1000, HANDSHAKE, Conversation
from tests.wire import readFrames
from twisted_ws import (
    ClosedAbruptly,
    ClosedCleanly,
    ConnectionNotOpen,
    ServerConfig,
)
from twisted_ws._wire.closing import Close
from twisted_ws.testing import MemoryServer, RecordingReceiver


class Interrupted(BaseException):
    """
    As L{KeyboardInterrupt} is: not an L{Exception}.
    """


ERRORS = [ValueError, SystemExit, Interrupted, GeneratorExit, asyncio.CancelledError]
INTERNAL_ERROR = (0x88, b"\x03\xf3internal error")


class Failing(RecordingReceiver):
    """
    Raises at one of its methods; else it echoes.

    @ivar at: the method.
    @ivar error: what it raises; C{None} raises nothing any more.
    """

    def __init__(self, at, error):
        RecordingReceiver.__init__(self)
        self.at = at
        self.error = error

    def _reached(self, name):
        if name == self.at and self.error is not None:
            raise self.error("fault of the application")

    def connectionMade(self):
        RecordingReceiver.connectionMade(self)
        self._reached("connectionMade")

    def messageReceived(self, message):
        RecordingReceiver.messageReceived(self, message)
        self._reached("messageReceived")
        self.transport.sendMessage(message)

    def frameReceived(self, frame):
        RecordingReceiver.frameReceived(self, frame)
        self._reached("frameReceived")
        self.transport.sendFrame(frame)

    def pingReceived(self, payload):
        self._reached("pingReceived")

    def pongReceived(self, payload):
        self._reached("pongReceived")

    def connectionLost(self, reason=None):
        RecordingReceiver.connectionLost(self, reason)
        self._reached("connectionLost")


METHODS = [
    ("connectionMade", (), True),
    ("messageReceived", ((0x81, b"hello"),), True),
    ("messageReceived", ((0x01, b"hel"), (0x80, b"lo")), True),
    ("frameReceived", ((0x81, b"hello"),), False),
    ("frameReceived", ((0x01, b"hello"),), False),
    ("pingReceived", ((0x89, b"?"),), True),
    ("pongReceived", ((0x8A, b"!"),), True),
]


class FailureTests(SynchronousTestCase):
    """
    Each method, each kind of error, both roles.
    """

    def conversations(self):
        """
        Make the receiver fail, in all combinations.
        """
        for at, frames, assembling in METHODS:
            for error in ERRORS:
                for isServer, role in BOTH:
                    receiver = Failing(at, error)
                    c = Conversation(isServer, receiver, assembleFragments=assembling)
                    if frames:
                        c.send(*frames, (0x81, b"more"), (0x89, b"more"))
                    yield f"{error.__name__} in {at}, {role}", error, c

    def test_wire(self):
        """
        The peer gets a Close frame with 1011, that tells nothing of the application,
        and no answer to anything after.
        """
        for name, error, c in self.conversations():
            self.assertEqual(c.take(), [INTERNAL_ERROR], name)
            self.flushLoggedErrors(error)

    def test_log(self):
        """
        The error is logged once, as a Failure with its traceback.
        """
        for name, error, c in self.conversations():
            logged = self.flushLoggedErrors(error)
            self.assertEqual(len(logged), 1, name)
            self.assertEqual(str(logged[0].value), "fault of the application", name)
            self.assertIn("_reached", logged[0].getTraceback(), name)
            if not c.carrier.disconnected:
                c.dropCarrier()
            self.assertEqual(self.flushLoggedErrors(), [], name)

    def test_end(self):
        """
        Nothing more is delivered; the receiver sees one end, not a clean one, whose
        C{__cause__} is the error.
        """
        for name, error, c in self.conversations():
            delivered = list(c.receiver.messages)
            if not c.carrier.disconnected:
                c.send((0x81, b"late"))
            if not c.carrier.disconnected:
                c.dropCarrier()
            self.flushLoggedErrors(error)
            self.assertEqual((c.receiver.made, c.receiver.losses), (1, 1), name)
            self.assertEqual(c.receiver.messages, delivered, name)
            reason = c.receiver.reason
            self.assertIsInstance(reason, ClosedAbruptly, name)
            self.assertIs(type(reason.__cause__), error, name)
            self.assertEqual(
                (reason.sent, reason.received, reason.begunBy),
                (Close(1011, "internal error"), None, "us"),
                name,
            )
            self.assertEqual(c.timers, 0, name)

    def test_connectionLost(self):
        """
        An error in C{connectionLost} is logged once; all the rest happens as if it had
        not been.
        """
        for error in ERRORS:
            for isServer, role in BOTH:
                name = f"{error.__name__}, {role}"
                c = Conversation(isServer, Failing("connectionLost", error))
                told = []
                c.connection.whenClosed().addCallback(told.append)
                c.send(CLOSE_1000)
                if not isServer:
                    c.dropCarrier()
                self.assertEqual(len(self.flushLoggedErrors(error)), 1, name)
                self.assertEqual((c.receiver.losses, c.timers), (1, 0), name)
                self.assertIsInstance(told[0], ClosedCleanly, name)
                if isServer:
                    self.assertEqual(c.server.factory.connections, set(), name)

    def test_whileClosing(self):
        """
        An error while the connection closes is logged; there is no second Close frame,
        and the carrier is dropped.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, Failing("messageReceived", ValueError))
            c.connection.close()
            c.send((0x81, b"hello"))
            self.assertEqual(c.take(), [CLOSE_1000], role)
            if not c.carrier.disconnected:
                c.dropCarrier()
            self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1, role)
            self.assertIsInstance(c.receiver.reason, ClosedAbruptly, role)
            self.assertIsInstance(c.receiver.reason.__cause__, ValueError, role)

    def test_afterClosing(self):
        """
        An error after the receiver has closed or aborted the connection, in the same
        call, is logged likewise.
        """

        class Receiver(RecordingReceiver):
            def messageReceived(self, message):
                getattr(self.transport, message)()
                raise ValueError("fault of the application")

        for call, expected in (("close", [CLOSE_1000]), ("abortConnection", [])):
            c = Conversation(True, Receiver())
            c.send((0x81, call.encode()), (0x81, b"more"))
            self.assertEqual(c.take(), expected, call)
            if not c.carrier.disconnected:
                c.dropCarrier()
            self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1, call)
            self.assertEqual((c.receiver.losses, c.timers), (1, 0), call)

    def test_pausedAndFailed(self):
        """
        A receiver that pauses its connection and then fails does not hide the peer's
        leaving from it.
        """

        class Receiver(RecordingReceiver):
            def messageReceived(self, message):
                self.transport.pauseProducing()
                raise ValueError("fault of the application")

        for isServer, role in BOTH:
            c = Conversation(isServer, Receiver())
            c.send((0x81, b"hello"), (0x81, b"more"))
            self.assertEqual(c.take(), [INTERNAL_ERROR], role)
            self.assertFalse(c.connection.isPaused, role)
            self.assertFalse(c.carrier.isPaused, role)
            if not c.carrier.disconnected:
                c.dropCarrier()
            self.assertEqual((c.receiver.losses, c.timers), (1, 0), role)
            self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1, role)

    def test_notOpenElsewhere(self):
        """
        A receiver that sends on another connection, which is not open any more, has
        failed as with any other error.
        """

        class Receiver(RecordingReceiver):
            def messageReceived(self, message):
                other.connection.sendMessage(message)

        other = Conversation()
        other.connection.close()
        c = Conversation(True, Receiver())
        c.send((0x81, b"hello"))
        self.assertEqual(c.take(), [INTERNAL_ERROR])
        self.assertEqual(len(self.flushLoggedErrors(ConnectionNotOpen)), 1)

    def test_makeConnection(self):
        """
        A receiver that fails in C{makeConnection} itself sees the end all the same.
        """

        class Receiver(RecordingReceiver):
            def makeConnection(self, transport):
                self.made += 1
                raise ValueError("fault of the application")

        c = Conversation(True, Receiver())
        self.assertEqual(c.take(), [INTERNAL_ERROR])
        self.assertEqual((c.receiver.made, c.receiver.losses), (1, 1))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_badRepr(self):
        """
        A receiver that cannot even be shown in the log does no more harm.
        """

        class Receiver(Failing):
            def __repr__(self):
                raise RuntimeError("no repr")

        c = Conversation(True, Receiver("messageReceived", ValueError))
        c.send((0x81, b"hello"))
        self.assertEqual(c.take(), [INTERNAL_ERROR])
        self.assertEqual(c.receiver.losses, 1)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)


class OthersTests(SynchronousTestCase):
    """
    Another connection of the same factory.
    """

    def test_livesOn(self):
        """
        It echoes before, between and after the failures of the first, whatever fails;
        and so does one that connects afterwards.
        """
        for at, frames, assembling in [*METHODS, ("connectionLost", (), True)]:
            for error in ERRORS:
                name = f"{error.__name__} in {at}"
                made = []

                def application(request, at=at, error=error, made=made):
                    # The first fails, the others do not.
                    receiver = Failing(at, None if made else error)
                    made.append(receiver)
                    request.accept(receiver)

                server = MemoryServer(
                    application, ServerConfig(assembleFragments=assembling)
                )
                failing, other = server.connectRaw(), server.connectRaw()
                failing.send(HANDSHAKE)
                self.echoes(other, HANDSHAKE, name)
                frame = Conversation().frame
                data = b"".join(frame(*each) for each in frames)
                failing.send(data or b"\x88\x80\0\0\0\0")
                self.assertEqual(len(self.flushLoggedErrors(error)), 1, name)
                self.assertIsNotNone(failing.lost, name)
                self.echoes(other, b"", name)
                self.echoes(server.connectRaw(), HANDSHAKE, name)
                self.assertEqual(len(server.factory.connections), 2, name)

    def echoes(self, peer, handshake, name):
        """
        Assert that C{peer} gets its message back.
        """
        if handshake:
            peer.send(handshake)
            self.assertIn(b" 101 ", peer.take(), name)
        peer.send(Conversation().frame(0x81, b"hello"))
        (frame,) = readFrames(peer.take())
        self.assertEqual((frame.first, frame.payload), (0x81, b"hello"), name)
