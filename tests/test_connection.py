# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.WebSocketConnection}: beginning, receiving, pausing, sending.  Its end has
a module of its own, L{tests.test_closing_handshake}.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IConsumer, IPushProducer
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.conversation import BOTH, CLOSE_1000, HANDSHAKE, Conversation, facts
from twisted_ws import (
    ClosedAbruptly,
    ClosedCleanly,
    ConnectionNotOpen,
    Frame,
    MessageReceiver,
    ServerConfig,
)
from twisted_ws._wire.frames import Opcode
from twisted_ws._wire.state import State
from twisted_ws.errors import IllegalFrame
from twisted_ws.interfaces import IWebSocketTransport
from twisted_ws.testing import MemoryServer, RecordingReceiver


class BeginTests(SynchronousTestCase):
    """
    What a receiver is given.
    """

    def test_interface(self):
        """
        A connection is an L{IWebSocketTransport}, open or closed.
        """
        for isServer, _ in BOTH:
            c = Conversation(isServer)
            self.assertTrue(verifyObject(IWebSocketTransport, c.connection))
            c.dropCarrier()
            self.assertTrue(verifyObject(IWebSocketTransport, c.connection))

    def test_twistedInterfaces(self):
        """
        It has the methods of Twisted's L{IConsumer}, but for C{write}, and of
        L{IPushProducer}.
        """
        names = set(IConsumer.names()) | set(IPushProducer.names())
        for name in names - {"write"}:
            self.assertTrue(callable(getattr(Conversation().connection, name)), name)

    def test_receiver(self):
        """
        The receiver's C{transport} is the connection, before C{connectionMade}.
        """
        seen = []

        class Receiver(MessageReceiver):
            def connectionMade(self):
                seen.append((self.transport, self.transport.state))

        for isServer, role in BOTH:
            c = Conversation(isServer, Receiver())
            self.assertEqual(seen, [(c.connection, State.OPEN)], role)
            seen.clear()

    def test_attributes(self):
        """
        C{request}, C{protocol}, C{config} and C{state} are what was agreed on.
        """
        c = Conversation(closeTimeout=2)
        self.assertIs(c.connection.config, c.server.factory.config)
        self.assertEqual(c.connection.request.path, "/")
        self.assertIsNone(c.connection.protocol)
        self.assertEqual(c.connection.state, 0)
        c = Conversation(False, closeTimeout=3)
        self.assertIsNone(c.connection.request)
        self.assertEqual(c.connection.config.closeTimeout, 3)
        self.assertIsNone(c.connection.protocol)

    def test_protocol(self):
        """
        The subprotocol is known to both.
        """
        server = MemoryServer(RecordingReceiver, ServerConfig(protocols=("b", "a")))
        receiver = self.successResultOf(server.connect("/", protocols=["a", "b"]))
        (connection,) = server.factory.connections
        self.assertEqual((receiver.transport.protocol, connection.protocol), ("b", "b"))

    def test_ownConfig(self):
        """
        A request may be accepted with a configuration of its own.
        """
        server = MemoryServer(
            lambda request: request.accept(
                RecordingReceiver(), config=replace(request.config, closeTimeout=1)
            )
        )
        self.successResultOf(server.connect())
        (connection,) = server.factory.connections
        self.assertEqual(connection.config.closeTimeout, 1)
        connection.close()
        self.assertEqual(
            sorted(call.getTime() for call in server.clock.getDelayedCalls()), [1]
        )

    def test_addresses(self):
        """
        C{getPeer} and C{getHost} are the carrier's, also after the end.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer)
            for _ in range(2):
                self.assertIs(c.connection.getPeer(), c.carrier.getPeer(), role)
                self.assertIs(c.connection.getHost(), c.carrier.getHost(), role)
                c.resetCarrier()

    def test_repr(self):
        """
        C{repr()} tells the state and the peer.
        """
        c = Conversation()
        self.assertEqual(
            repr(c.connection), f"<WebSocketConnection OPEN {c.carrier.getPeer()}>"
        )
        c.connection.close()
        self.assertEqual(
            repr(c.connection), f"<WebSocketConnection CLOSING {c.carrier.getPeer()}>"
        )

    def test_nagle(self):
        """
        C{disableNagleAlgorithm} sets TCP_NODELAY, or not.
        """
        for isServer, role in BOTH:
            for wanted in (True, False):
                c = Conversation(isServer, disableNagleAlgorithm=wanted)
                self.assertIs(c.carrier.noDelay, wanted, role)
            self.assertIs(Conversation(isServer).carrier.noDelay, True, role)

    def test_listed(self):
        """
        A server's connection is in its factory's C{connections} until it is gone.
        """
        c = Conversation()
        self.assertEqual(c.server.factory.connections, {c.connection})
        c.connection.close()
        c.send(CLOSE_1000)
        self.assertEqual(c.server.factory.connections, set())

    def test_earlyFrames(self):
        """
        Frames that share the segment of the handshake are delivered, after
        C{connectionMade}.
        """
        order = []

        class Receiver(MessageReceiver):
            def connectionMade(self):
                order.append("made")

            def messageReceived(self, message):
                order.append(message)

        server = MemoryServer(Receiver)
        c = Conversation()
        peer = server.connectRaw()
        peer.send(HANDSHAKE + c.frame(0x81, b"early") + c.frame(0x81, b"bird"))
        self.assertEqual(order, ["made", "early", "bird"])


class HalfReceiver:
    """
    Has some methods of a receiver.

    @ivar calls: the names of those that were called.
    """

    def __init__(self):
        self.calls = []

    def makeConnection(self, transport):
        self.transport = transport
        self.calls.append("makeConnection")

    def connectionLost(self, reason):
        self.calls.append("connectionLost")


class Frameless(HalfReceiver):
    """
    Has no C{frameReceived}.
    """

    def messageReceived(self, message):
        self.calls.append("messageReceived")


class OneMakeConnectionTests(SynchronousTestCase):
    """
    A receiver sees exactly one C{makeConnection} and one C{connectionLost}.
    """

    def test_incomplete(self):
        """
        Also one that lacks the method that its configuration asks for; that is logged,
        and the connection closes with 1011.
        """
        rows = [
            ("no messageReceived", HalfReceiver(), {}),
            ("no frameReceived", Frameless(), {"assembleFragments": False}),
        ]
        for name, receiver, options in rows:
            c = Conversation(True, receiver, **options)
            self.assertEqual(c.take(), [(0x88, b"\x03\xf3internal error")], name)
            self.assertEqual(receiver.calls, ["makeConnection", "connectionLost"], name)
            self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 1, name)

    def test_carrierTwiceLost(self):
        """
        A carrier that tells twice that it is gone does no harm.
        """
        c = Conversation()
        c.loseNow()
        reason = c.receiver.reason
        c.loseNow(ConnectionDone())
        c.flush()
        self.assertEqual(c.receiver.losses, 1)
        self.assertIs(c.receiver.reason, reason)

    def test_lostMeanwhile(self):
        """
        A carrier that is lost while a message is delivered: the message is the last,
        and the rest of its read is dropped.
        """

        class Receiver(RecordingReceiver):
            def messageReceived(self, message):
                RecordingReceiver.messageReceived(self, message)
                c.loseNow()
                order.append(self.losses)

        for isServer, role in BOTH:
            order = []
            c = Conversation(isServer, Receiver())
            c.send((0x81, b"one"), (0x01, b"two"), (0x80, b""), CLOSE_1000)
            self.assertEqual(c.receiver.messages, ["one"], role)
            self.assertEqual(order, [1], role)
            self.assertEqual(c.timers, 0, role)
            self.assertEqual(c.connection._buffer, b"", role)

    def test_lostWithinFragments(self):
        """
        So it is when the message came in pieces.
        """

        class Receiver(RecordingReceiver):
            def messageReceived(self, message):
                RecordingReceiver.messageReceived(self, message)
                c.loseNow()

        c = Conversation(True, Receiver())
        c.send((0x01, b"o"), (0x80, b"ne"), (0x81, b"two"))
        self.assertEqual(c.receiver.messages, ["one"])
        self.assertEqual(c.receiver.losses, 1)


class LateReceiver(RecordingReceiver):
    """
    Does something as soon as it is connected.

    @ivar error: what that raised.
    """

    def __init__(self, act):
        RecordingReceiver.__init__(self)
        self._act = act
        self.error = None

    def connectionMade(self):
        RecordingReceiver.connectionMade(self)
        try:
            self._act(self.transport)
        except Exception as error:
            self.error = error


class NeverConnectedTests(SynchronousTestCase):
    """
    A request that is accepted when its peer has left already.
    """

    def accept(self, receiver):
        """
        @return: the connection of a request that is accepted too late.
        """
        requests = []
        server = MemoryServer(lambda request: requests.append(request))
        peer = server.connectRaw()
        peer.send(HANDSHAKE)
        peer.transport.loseConnection()
        server.flush()
        (request,) = requests
        connection = request.accept(receiver)
        self.assertEqual(server.clock.getDelayedCalls(), [])
        self.assertEqual(server.factory.connections, set())
        return connection

    def test_beginningAndEnd(self):
        """
        The receiver sees a connection, and its end.
        """
        receiver = RecordingReceiver()
        connection = self.accept(receiver)
        self.assertEqual((receiver.made, receiver.losses), (1, 1))
        self.assertIs(receiver.transport, connection)
        self.assertIsInstance(receiver.reason, ClosedAbruptly)
        self.assertEqual(receiver.reason.code, 1006)
        self.assertEqual(
            str(receiver.reason), "the peer left before its request was accepted"
        )
        ended = self.successResultOf(connection.whenClosed())
        self.assertEqual(facts(ended), facts(receiver.reason))

    def test_calls(self):
        """
        Whatever the receiver does to it in C{connectionMade} does what it does on a
        connection that is about to end: it raises L{ConnectionNotOpen} or nothing.
        """
        rows = [
            ("sendMessage", lambda t: t.sendMessage("hello"), ConnectionNotOpen),
            ("beginMessage", lambda t: t.beginMessage(), ConnectionNotOpen),
            ("pong", lambda t: t.pong(), ConnectionNotOpen),
            ("close", lambda t: t.close(), None),
            ("loseConnection", lambda t: t.loseConnection(), None),
            ("stopProducing", lambda t: t.stopProducing(), None),
            ("abortConnection", lambda t: t.abortConnection(), None),
            ("pauseProducing", lambda t: t.pauseProducing(), None),
            ("resumeProducing", lambda t: t.resumeProducing(), None),
            ("unregisterProducer", lambda t: t.unregisterProducer(), None),
            ("whenClosed", lambda t: t.whenClosed(), None),
            ("getPeer", lambda t: t.getPeer().host, None),
            ("getHost", lambda t: t.getHost().host, None),
            ("repr", lambda t: repr(t), None),
        ]
        for name, act, expected in rows:
            receiver = LateReceiver(act)
            self.accept(receiver)
            self.assertIs(
                receiver.error if expected is None else type(receiver.error),
                expected,
                name,
            )
            self.assertEqual((receiver.made, receiver.losses), (1, 1), name)

    def test_waiting(self):
        """
        What waits for something fails with the end.
        """
        waiting = []

        def act(transport):
            waiting.append(transport.ping())
            waiting.append(transport.whenWritable())

        receiver = LateReceiver(act)
        connection = self.accept(receiver)
        self.failureResultOf(waiting[0], ConnectionNotOpen)
        self.failureResultOf(connection.whenWritable(), ClosedAbruptly)
        self.failureResultOf(connection.ping(), ClosedAbruptly)

    def test_greeting(self):
        """
        A receiver that greets its peer in C{connectionMade} has not failed when the
        peer is gone: nothing is logged.
        """

        class Greeter(RecordingReceiver):
            def connectionMade(self):
                RecordingReceiver.connectionMade(self)
                self.transport.sendMessage("hello")

        receiver = Greeter()
        self.accept(receiver)
        logged = self.flushLoggedErrors()
        self.assertEqual([str(each.value) for each in logged], [])
        self.assertEqual((receiver.made, receiver.losses), (1, 1))


class PausingReceiver(RecordingReceiver):
    """
    Pauses at certain messages, and resumes at others.
    """

    def messageReceived(self, message):
        RecordingReceiver.messageReceived(self, message)
        for order in message.split():
            getattr(self.transport, f"{order}Producing", int)()


class PauseTests(SynchronousTestCase):
    """
    C{pauseProducing} and C{resumeProducing}: receiving.
    """

    def test_carrier(self):
        """
        A paused connection does not read from its carrier; a resumed one does.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer)
            self.assertFalse(c.connection.isPaused, role)
            c.connection.pauseProducing()
            self.assertTrue(c.carrier.isPaused, role)
            self.assertTrue(c.connection.isPaused, role)
            c.send((0x81, b"one"))
            self.assertEqual(c.receiver.messages, [], role)
            c.connection.resumeProducing()
            self.assertFalse(c.carrier.isPaused, role)
            self.assertFalse(c.connection.isPaused, role)
            c.flush()
            self.assertEqual(c.receiver.messages, ["one"], role)

    def test_midRead(self):
        """
        Pausing takes effect after the message that is being delivered, even in the
        middle of a read; resuming goes on where it stopped.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, PausingReceiver())
            c.send((0x81, b"1"), (0x81, b"pause"), (0x81, b"2"), (0x81, b"3"))
            self.assertEqual(c.receiver.messages, ["1", "pause"], role)
            c.connection.resumeProducing()
            self.assertEqual(c.receiver.messages, ["1", "pause", "2", "3"], role)

    def test_midFragments(self):
        """
        Messages that come in pieces stop and go on likewise.
        """
        c = Conversation(True, PausingReceiver())
        c.send((0x01, b"pau"), (0x89, b"?"), (0x80, b"se"), (0x01, b"2"), (0x80, b""))
        self.assertEqual(c.receiver.messages, ["pause"])
        c.connection.resumeProducing()
        self.assertEqual(c.receiver.messages, ["pause", "2"])

    def test_moreWhilePaused(self):
        """
        What a carrier hands over though it was paused, as TLS does, is kept, in order.
        """
        c = Conversation(True, PausingReceiver())
        c.send((0x81, b"pause"), (0x81, b"1"))
        data = b"".join(c.frame(0x81, b"%d" % number) for number in range(2, 9))
        for at in range(0, len(data), 5):
            c.connection.dataReceived(data[at : at + 5])
        self.assertEqual(c.receiver.messages, ["pause"])
        c.connection.resumeProducing()
        self.assertEqual(c.receiver.messages, ["pause", *"12345678"])

    def test_controlFrames(self):
        """
        Control frames wait too: they are not more urgent than what came before.
        """
        c = Conversation(True, PausingReceiver())
        c.send((0x81, b"pause"), (0x89, b"?"))
        self.assertEqual(c.take(), [])
        c.connection.resumeProducing()
        self.assertEqual(c.take(), [(0x8A, b"?")])

    def test_resumeWithin(self):
        """
        Resuming within the delivery that paused takes the pause back.
        """
        c = Conversation(True, PausingReceiver())
        c.send((0x81, b"pause resume"), (0x81, b"2"))
        self.assertEqual(c.receiver.messages, ["pause resume", "2"])
        self.assertFalse(c.carrier.isPaused)

    def test_pauseAfterEach(self):
        """
        A receiver that pauses after each message gets one for each resumption, and the
        carrier stays paused until all that was read is delivered.
        """
        c = Conversation(True, PausingReceiver())
        c.send(*[(0x81, b"pause %d" % number) for number in range(5)])
        for number in range(1, 5):
            self.assertEqual(len(c.receiver.messages), number)
            self.assertTrue(c.carrier.isPaused)
            c.connection.resumeProducing()
        self.assertEqual(len(c.receiver.messages), 5)
        c.connection.resumeProducing()
        self.assertFalse(c.carrier.isPaused)

    def test_resumeInOrder(self):
        """
        Resuming within a delivery that a resumption caused does not nest: a long queue
        costs no stack, and the order stays.
        """
        depths = []

        class Receiver(RecordingReceiver):
            depth = 0

            def messageReceived(self, message):
                self.depth += 1
                depths.append(self.depth)
                RecordingReceiver.messageReceived(self, message)
                self.transport.pauseProducing()
                self.transport.resumeProducing()
                self.depth -= 1

        c = Conversation(True, Receiver(), framesPerTurn=1 << 20)
        c.connection.pauseProducing()
        c.connection.dataReceived(
            b"".join(c.frame(0x82, number.to_bytes(2, "big")) for number in range(3000))
        )
        c.connection.resumeProducing()
        self.assertEqual(max(depths), 1)
        self.assertEqual(
            [int.from_bytes(each, "big") for each in c.receiver.messages],
            list(range(3000)),
        )

    def test_idempotent(self):
        """
        To pause or resume twice is to do it once.
        """
        c = Conversation(True)
        c.connection.resumeProducing()
        c.connection.pauseProducing()
        c.connection.pauseProducing()
        c.connection.resumeProducing()
        self.assertFalse(c.carrier.isPaused)
        c.send((0x81, b"one"))
        c.connection.resumeProducing()
        self.assertEqual(c.receiver.messages, ["one"])

    def test_inConnectionMade(self):
        """
        A connection that is paused from its very beginning delivers nothing, not even
        what came with the handshake.
        """

        class Receiver(RecordingReceiver):
            def connectionMade(self):
                self.transport.pauseProducing()

        receiver = Receiver()
        server = MemoryServer(lambda request: request.accept(receiver))
        peer = server.connectRaw()
        peer.send(HANDSHAKE + Conversation().frame(0x81, b"early"))
        peer.send(Conversation().frame(0x81, b"later"))
        self.assertEqual(receiver.messages, [])
        self.assertTrue(server.carriers[0][1].isPaused)
        receiver.transport.resumeProducing()
        server.flush()
        self.assertEqual(receiver.messages, ["early", "later"])

    def test_sendingGoesOn(self):
        """
        A paused connection sends.
        """
        c = Conversation()
        c.connection.pauseProducing()
        c.connection.sendMessage("hello")
        self.assertEqual(c.take(), [(0x81, b"hello")])

    def test_violationIsNotHurried(self):
        """
        A violation that waits behind a pause is found when it is its turn.
        """
        c = Conversation(True, PausingReceiver())
        c.send((0x81, b"pause"), (0x81, b"2"), (0x83, b""))
        self.assertEqual(c.connection.state, State.OPEN)
        c.connection.resumeProducing()
        self.assertEqual(c.receiver.messages, ["pause", "2"])
        self.assertEqual(c.take(), [(0x88, b"\x03\xeaan unknown opcode: 3")])


class SendTests(SynchronousTestCase):
    """
    The calls that send, as they reach the wire.
    """

    def test_calls(self):
        """
        Each call is one frame, masked by clients and not by servers.
        """
        rows = [
            ("text", lambda t: t.sendMessage("ü"), [(0x81, b"\xc3\xbc")]),
            ("binary", lambda t: t.sendMessage(b"\xff"), [(0x82, b"\xff")]),
            ("bytearray", lambda t: t.sendMessage(bytearray(b"a")), [(0x82, b"a")]),
            ("memoryview", lambda t: t.sendMessage(memoryview(b"a")), [(0x82, b"a")]),
            ("empty text", lambda t: t.sendMessage(""), [(0x81, b"")]),
            ("empty binary", lambda t: t.sendMessage(b""), [(0x82, b"")]),
            ("ping", lambda t: t.ping(b"?"), [(0x89, b"?")]),
            ("pong", lambda t: t.pong(), [(0x8A, b"")]),
            ("pong, payload", lambda t: t.pong(b"!"), [(0x8A, b"!")]),
            (
                "frames",
                lambda t: (
                    t.sendFrame(Frame(Opcode.TEXT, b"a", fin=False)),
                    t.sendFrame(Frame(Opcode.CONTINUATION, b"b")),
                ),
                [(0x01, b"a"), (0x80, b"b")],
            ),
            (
                "long message",
                lambda t: t.sendMessage("x" * 20),
                [(0x01, b"x" * 8), (0x00, b"x" * 8), (0x80, b"x" * 4)],
            ),
        ]
        for isServer, role in BOTH:
            for name, call, expected in rows:
                c = Conversation(isServer, fragmentationThreshold=8)
                call(c.connection)
                self.assertEqual(c.take(), expected, f"{name}, {role}")

    def test_refused(self):
        """
        What cannot be sent is refused at the call; the connection stays as it was.
        """
        rows = [
            ("a number", lambda t: t.sendMessage(1), TypeError),
            ("None", lambda t: t.sendMessage(None), TypeError),
            ("surrogate", lambda t: t.sendMessage("\ud800"), UnicodeEncodeError),
            ("long ping", lambda t: t.ping(b"x" * 126), IllegalFrame),
            ("long pong", lambda t: t.pong(b"x" * 126), IllegalFrame),
            ("text as ping", lambda t: t.ping("text"), TypeError),
            ("opcode", lambda t: t.sendFrame(Frame(3)), IllegalFrame),
            ("continuation", lambda t: t.sendFrame(Frame(0)), IllegalFrame),
            ("text frame", lambda t: t.sendFrame(Frame(1, "text")), TypeError),
            (
                "text as binary, unfinished",
                lambda t: t.sendFrame(Frame(2, "text", fin=False)),
                TypeError,
            ),
            (
                "a number, unfinished",
                lambda t: t.sendFrame(Frame(2, 5, fin=False)),
                TypeError,
            ),
            ("bad UTF-8", lambda t: t.sendFrame(Frame(1, b"\xff")), IllegalFrame),
        ]
        for isServer, role in BOTH:
            for name, call, expected in rows:
                c = Conversation(isServer)
                self.assertRaises(expected, call, c.connection)
                self.assertEqual(c.take(), [], f"{name}, {role}")
                c.connection.sendMessage("fine")
                self.assertEqual(c.take(), [(0x81, b"fine")], f"{name}, {role}")

    def test_buffers(self):
        """
        A frame's payload may be any buffer; its length is counted in bytes.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer)
            words = memoryview(bytes(range(8))).cast("H")
            c.connection.sendFrame(Frame(Opcode.BINARY, words))
            c.connection.sendFrame(Frame(Opcode.TEXT, bytearray(b"abc")))
            self.assertEqual(c.take(), [(0x82, bytes(range(8))), (0x81, b"abc")], role)

    def test_whileMessageIsSent(self):
        """
        While a message is sent piece by piece no other can be; control frames can
        (RFC 6455 section 5.4).
        """
        c = Conversation()
        message = c.connection.beginMessage()
        message.write("a")
        self.assertRaises(IllegalFrame, c.connection.sendMessage, "other")
        self.assertRaises(IllegalFrame, c.connection.beginMessage)
        c.connection.ping(b"?")
        c.connection.pong(b"!")
        message.finish()
        c.connection.sendMessage("other")
        self.assertEqual(
            c.take(),
            [
                (0x01, b"a"),
                (0x89, b"?"),
                (0x8A, b"!"),
                (0x80, b""),
                (0x81, b"other"),
            ],
        )

    def test_stalePointers(self):
        """
        When the carrier is gone nothing reaches it, nor the receiver, any more.
        """
        c = Conversation()
        c.dropCarrier()
        c.connection.dataReceived(c.frame(0x81, b"late"))
        c.connection._write(b"late")
        self.assertEqual(c.receiver.messages, [])
        self.assertEqual(bytes(c.carrier.outgoing), b"")


class AsynchronousReceiverTests(SynchronousTestCase):
    """
    Work that is done later.
    """

    def test_backpressure(self):
        """
        A receiver that pauses while it works and resumes when it is done gets one
        message at a time, and a clean end.
        """
        work = []

        class Receiver(RecordingReceiver):
            def messageReceived(self, message):
                RecordingReceiver.messageReceived(self, message)
                self.transport.pauseProducing()
                done = Deferred()
                done.addCallback(lambda ignored: self.transport.resumeProducing())
                work.append(done)

        c = Conversation(True, Receiver())
        c.send((0x81, b"one"), (0x81, b"two"), CLOSE_1000)
        self.assertEqual(c.receiver.messages, ["one"])
        work.pop().callback(None)
        self.assertEqual(c.receiver.messages, ["one", "two"])
        work.pop().callback(None)
        c.flush()
        self.assertIsInstance(c.receiver.reason, ClosedCleanly)

    def test_lateReason(self):
        """
        The reason of C{connectionLost} is a L{Failure}, and stays what it is.
        """
        reasons = []

        class Receiver(MessageReceiver):
            def connectionLost(self, reason):
                reasons.append(reason)

        c = Conversation(True, Receiver())
        c.dropCarrier()
        (reason,) = reasons
        self.assertIsInstance(reason, Failure)
        ended = self.successResultOf(c.connection.whenClosed())
        self.assertEqual(facts(reason.value), facts(ended))
