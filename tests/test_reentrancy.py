# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Calls that come back: whatever a receiver or a callback does to its connection, at
whatever moment, the connection comes to one end, in good order.
"""

from __future__ import annotations

from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import BOTH, CLOSE_1000, Conversation
from twisted_ws import ConnectionNotOpen, Frame
from twisted_ws._wire.frames import Opcode
from twisted_ws._wire.state import State
from twisted_ws.errors import IllegalFrame
from twisted_ws.testing import MemoryServer, RecordingReceiver


class Producer:
    """
    Does nothing.
    """

    def pauseProducing(self):
        pass

    resumeProducing = stopProducing = pauseProducing


class Acting(RecordingReceiver):
    """
    Does something to its connection, once, when a certain moment has come.

    @ivar at: that moment, the name of a method or of a Deferred.
    @ivar act: called with the connection.
    @ivar reached: whether it has come.
    """

    def __init__(self, at, act):
        RecordingReceiver.__init__(self)
        self.at = at
        self.act = act
        self.reached = False

    def reach(self, name, result=None):
        """
        A moment has come.
        """
        if name == self.at and not self.reached:
            self.reached = True
            try:
                self.act(self.transport)
            except (ConnectionNotOpen, IllegalFrame):
                pass

    def connectionMade(self):
        RecordingReceiver.connectionMade(self)
        # What an application waits for, it waits for from the beginning.
        self.wait("ping", self.transport.ping(b"p"))
        self.wait("whenClosed", self.transport.whenClosed())
        self.reach("connectionMade")

    def wait(self, name, deferred):
        """
        Let a Deferred be a moment.
        """
        deferred.addErrback(lambda failure: None)
        deferred.addCallback(lambda result: self.reach(name))

    def messageReceived(self, message):
        RecordingReceiver.messageReceived(self, message)
        self.reach(f"messageReceived {message}")

    def frameReceived(self, frame):
        RecordingReceiver.frameReceived(self, frame)
        self.reach(f"frameReceived {frame.payload.decode()}")

    def pingReceived(self, payload):
        self.reach("pingReceived")

    def pongReceived(self, payload):
        self.reach("pongReceived")

    def connectionLost(self, reason=None):
        RecordingReceiver.connectionLost(self, reason)
        self.reach("connectionLost")


MOMENTS = [
    ("connectionMade", True),
    ("messageReceived one", True),
    ("messageReceived two", True),
    ("messageReceived three", True),
    ("frameReceived one", False),
    ("frameReceived tw", False),
    ("frameReceived o", False),
    ("pingReceived", True),
    ("pongReceived", True),
    ("ping", True),
    ("whenWritable", True),
    ("whenClosed", True),
    ("connectionLost", True),
]


SCRIPT = [
    (0x81, b"one"),
    (0x01, b"tw"),
    (0x89, b"?"),
    (0x80, b"o"),
    (0x8A, b"p"),
    (0x81, b"three"),
]


def wait(t):
    """
    Wait for everything that there is to wait for.
    """
    t.ping().addErrback(lambda failure: None)
    t.whenWritable().addErrback(lambda failure: None)
    t.whenClosed()


def stream(t):
    """
    Send a message piece by piece.
    """
    message = t.beginMessage()
    message.write("pie")
    message.write("ces")
    message.finish()


def produce(t):
    """
    Have a producer for a moment.
    """
    t.registerProducer(Producer(), True)
    t.unregisterProducer()


ACTIONS = [
    ("close", lambda t: t.close()),
    ("close twice", lambda t: (t.close(), t.close(1001))),
    ("loseConnection", lambda t: t.loseConnection()),
    ("abort", lambda t: t.abortConnection()),
    ("abort twice", lambda t: (t.abortConnection(), t.abortConnection())),
    ("close and abort", lambda t: (t.close(), t.abortConnection())),
    ("abort and close", lambda t: (t.abortConnection(), t.close())),
    ("pause", lambda t: t.pauseProducing()),
    ("resume", lambda t: t.resumeProducing()),
    ("pause and resume", lambda t: (t.pauseProducing(), t.resumeProducing())),
    ("pause and close", lambda t: (t.pauseProducing(), t.close())),
    ("close and pause", lambda t: (t.close(), t.pauseProducing())),
    ("pause and abort", lambda t: (t.pauseProducing(), t.abortConnection())),
    ("abort and resume", lambda t: (t.abortConnection(), t.resumeProducing())),
    ("send", lambda t: t.sendMessage("sent")),
    ("send a frame", lambda t: t.sendFrame(Frame(Opcode.BINARY, b"sent"))),
    ("send and close", lambda t: (t.sendMessage("sent"), t.close())),
    ("close and send", lambda t: (t.close(), t.sendMessage("late"))),
    ("stream", stream),
    ("begin and close", lambda t: (t.beginMessage().write("half"), t.close())),
    ("pong", lambda t: t.pong(b"sent")),
    ("wait", wait),
    ("produce", produce),
    ("keep a producer", lambda t: t.registerProducer(Producer(), True)),
    ("keep a pull producer", lambda t: t.registerProducer(Producer(), False)),
]


class MatrixTests(SynchronousTestCase):
    """
    Each action at each moment, in both roles, with input in one read and byte by byte.
    """

    def play(self, isServer, at, assembling, act, slowly=False):
        """
        Hold a conversation in which every moment comes.

        @return: it, and all the frames that the peer got.
        """
        receiver = Acting(at, act)
        c = Conversation(isServer, receiver, assembleFragments=assembling)
        sent = c.take()
        self.send(c, slowly, *SCRIPT)
        sent += c.take()
        if c.connection.state == State.OPEN and not c.connection._sequence.opcode:
            c.congest()
            receiver.wait("whenWritable", c.connection.whenWritable())
            c.readOn()
            sent += c.take()
        c.connection.resumeProducing()
        self.send(c, slowly, CLOSE_1000)
        sent += c.take()
        if not c.carrier.disconnected:
            c.dropCarrier()
        c.turn()
        return c, sent

    def send(self, c, slowly, *frames):
        """
        Have the peer send frames, in one read or byte by byte.
        """
        data = b"".join(c.frame(*each) for each in frames)
        for piece in [bytes([byte]) for byte in data] if slowly else [data]:
            c.peer.transport.write(piece)
            c.flush()

    def check(self, name, c, sent):
        """
        Assert what is true at the end of every conversation.
        """
        self.assertTrue(c.receiver.reached, name)
        self.assertEqual((c.receiver.made, c.receiver.losses), (1, 1), name)
        self.assertEqual(c.connection.state, State.CLOSED, name)
        self.assertEqual(c.timers, 0, name)
        logged = [str(each.value) for each in self.flushLoggedErrors()]
        self.assertEqual(logged, [], name)
        closes = [at for at, (first, _) in enumerate(sent) if first == 0x88]
        self.assertIn(closes, ([], [len(sent) - 1]), name)
        if c.isServer:
            self.assertEqual(c.server.factory.connections, set(), name)

    def test_matrix(self):
        """
        There is one beginning and one end, no timer is left, nothing is logged, what
        the peer gets are whole frames, and if there is a Close frame it is the last.
        """
        for slowly in (False, True):
            for at, assembling in MOMENTS:
                for action, act in ACTIONS:
                    for isServer, role in BOTH:
                        name = f"{action} in {at}, {role}, slowly {slowly}"
                        c, sent = self.play(isServer, at, assembling, act, slowly)
                        self.check(name, c, sent)

    def test_nothingAfterAbort(self):
        """
        After C{abortConnection} nothing more is delivered and nothing is sent.
        """
        for at, assembling in MOMENTS:
            for isServer, role in BOTH:
                after = []

                def act(transport, after=after):
                    transport.abortConnection()
                    after.append(len(transport.receiver.messages))

                if at in ("connectionLost", "whenClosed"):
                    continue
                c, sent = self.play(isServer, at, assembling, act)
                self.check(f"{at}, {role}", c, sent)
                self.assertEqual([len(c.receiver.messages)], after, f"{at}, {role}")
                self.assertNotIn(0x88, [first for first, _ in sent], f"{at}, {role}")

    def test_lostAtOnce(self):
        """
        A carrier that is gone all of a sudden, in the middle of anything, is an end
        like any other.
        """
        for at, assembling in MOMENTS:
            for isServer, role in BOTH:
                c, sent = self.play(
                    isServer,
                    at,
                    assembling,
                    lambda t: t.connectionLost(Failure(ConnectionLost())),
                )
                self.check(f"{at}, {role}", c, sent)


class NestedInputTests(SynchronousTestCase):
    """
    Input that comes while input is being delivered.
    """

    def test_order(self):
        """
        It is delivered when the delivery that it interrupted is over, after the rest of
        that read: in the order in which it came.
        """

        class Receiver(RecordingReceiver):
            depth = 0

            def messageReceived(self, message):
                RecordingReceiver.messageReceived(self, message)
                self.depth += 1
                deepest.append(self.depth)
                if message in ("1", "2"):
                    for nested in ("a", "b"):
                        name = f"{message}{nested}".encode()
                        self.transport.dataReceived(c.frame(0x81, name))
                self.depth -= 1

        for isServer, role in BOTH:
            deepest = []
            c = Conversation(isServer, Receiver())
            c.send((0x81, b"1"), (0x81, b"2"), (0x01, b""), (0x80, b"3"))
            self.assertEqual(
                c.receiver.messages, ["1", "2", "3", "1a", "1b", "2a", "2b"], role
            )
            self.assertEqual(set(deepest), {1}, role)

    def test_byteByByte(self):
        """
        Also when it comes byte by byte, and the connection is paused and resumed on the
        way.
        """

        class Receiver(RecordingReceiver):
            def messageReceived(self, message):
                RecordingReceiver.messageReceived(self, message)
                self.transport.pauseProducing()
                if message == "1":
                    for byte in c.frame(0x81, b"nested") + c.frame(0x01, b"half"):
                        self.transport.dataReceived(bytes([byte]))
                    self.transport.resumeProducing()

        c = Conversation(True, Receiver())
        c.send((0x81, b"1"), (0x81, b"2"))
        self.assertEqual(c.receiver.messages, ["1", "2"])
        for expected in (["nested"], []):
            before = len(c.receiver.messages)
            c.connection.resumeProducing()
            self.assertEqual(c.receiver.messages[before:], expected)
        c.send((0x80, b" more"))
        self.assertEqual(c.receiver.messages[-1], "half more")

    def test_echoChamber(self):
        """
        A server that talks to itself, each message causing the next, needs no more
        stack for more messages.
        """

        class Receiver(RecordingReceiver):
            def messageReceived(self, message):
                RecordingReceiver.messageReceived(self, message)
                if len(self.messages) < 5000:
                    self.transport.dataReceived(c.frame(0x81, message.encode()))

        c = Conversation(True, Receiver())
        c.send((0x81, b"echo"))
        self.assertEqual(c.receiver.messages, ["echo"] * 5000)


class OtherConnectionTests(SynchronousTestCase):
    """
    One connection's callback, another connection.
    """

    def test_partner(self):
        """
        Two receivers that close each other come to one end each.
        """
        pair = []

        class Partner(RecordingReceiver):
            def connectionLost(self, reason=None):
                RecordingReceiver.connectionLost(self, reason)
                for each in pair:
                    each.connection.close(1001)

        pair.extend(Conversation(True, Partner()) for _ in range(2))
        pair[0].dropCarrier()
        self.assertEqual(pair[1].take(), [(0x88, b"\x03\xe9")])
        pair[1].send((0x88, b"\x03\xe9"))
        self.assertEqual([each.receiver.losses for each in pair], [1, 1])
        self.assertEqual([each.timers for each in pair], [0, 0])

    def test_broadcastInConnectionLost(self):
        """
        Who tells all others that it leaves, when it has left, tells all others.
        """

        class Leaver(RecordingReceiver):
            def connectionLost(self, reason=None):
                RecordingReceiver.connectionLost(self, reason)
                server.factory.broadcast("somebody left")

        made = [RecordingReceiver(), Leaver()]
        server = MemoryServer(lambda request: request.accept(made.pop()))
        leaving, staying = (self.successResultOf(server.connect()) for _ in range(2))
        leaving.transport.abortConnection()
        server.flush()
        self.assertEqual(self.successResultOf(staying.receive()), "somebody left")
        self.assertEqual(self.flushLoggedErrors(), [])
