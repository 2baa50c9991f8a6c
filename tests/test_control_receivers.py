# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Receivers that are told of pings and pongs too: L{IControlReceiver}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.conversation import BOTH, CLOSE_1000, Conversation
from twisted_ws import Frame, MessageReceiver
from twisted_ws._wire.frames import Opcode
from twisted_ws._wire.state import State
from twisted_ws.interfaces import IControlReceiver
from twisted_ws.testing import RecordingReceiver


@implementer(IControlReceiver)
class ControlReceiver(RecordingReceiver):
    """
    Writes down the order of everything.

    @ivar answer: what C{pingReceived} returns; called, if it can be.
    """

    answer = None

    def __init__(self):
        RecordingReceiver.__init__(self)
        self.order = []

    def messageReceived(self, message):
        self.order.append(("message", message))

    def pingReceived(self, payload):
        self.order.append(("ping", payload))
        return self.answer(payload) if callable(self.answer) else self.answer

    def pongReceived(self, payload):
        self.order.append(("pong", payload))


class PingTests(SynchronousTestCase):
    """
    C{pingReceived}.
    """

    def conversation(self, answer, isServer=True):
        """
        @return: a conversation whose receiver returns C{answer}.
        """
        receiver = ControlReceiver()
        receiver.answer = answer
        return Conversation(isServer, receiver)

    def test_interface(self):
        """
        The receiver of these tests is an L{IControlReceiver}.
        """
        self.assertTrue(verifyObject(IControlReceiver, ControlReceiver()))

    def test_automatic(self):
        """
        Unless it returns C{True} the ping is answered, once, with its payload; what is
        merely true does not count.
        """
        for answer in (None, False, 0, 1, "True", b"", object()):
            for isServer, role in BOTH:
                c = self.conversation(answer, isServer)
                c.send((0x89, b"?"))
                self.assertEqual(c.take(), [(0x8A, b"?")], f"{answer!r}, {role}")
                self.assertEqual(c.receiver.order, [("ping", b"?")], role)

    def test_suppressed(self):
        """
        If it returns C{True} it is not.
        """
        for isServer, role in BOTH:
            c = self.conversation(True, isServer)
            c.send((0x89, b"?"), (0x89, b""))
            self.assertEqual(c.take(), [], role)
            self.assertEqual(c.receiver.order, [("ping", b"?"), ("ping", b"")], role)

    def test_ownAnswer(self):
        """
        The application may answer itself, now or later.
        """
        c = self.conversation(lambda payload: c.connection.pong(b"!" + payload) or True)
        c.send((0x89, b"?"))
        self.assertEqual(c.take(), [(0x8A, b"!?")])
        c.receiver.answer = True
        c.send((0x89, b"later"))
        c.connection.sendMessage("first")
        c.connection.pong(b"later")
        self.assertEqual(c.take(), [(0x81, b"first"), (0x8A, b"later")])

    def test_order(self):
        """
        Pings and messages are told in the order in which they came, also those between
        the pieces of a message.
        """
        c = self.conversation(None)
        c.send((0x81, b"1"), (0x89, b"2"), (0x01, b"4"), (0x89, b"3"), (0x80, b""))
        self.assertEqual(
            c.receiver.order,
            [("message", "1"), ("ping", b"2"), ("ping", b"3"), ("message", "4")],
        )

    def test_closes(self):
        """
        If it closes the connection the ping is not answered any more.
        """
        for call, expected in (("close", [CLOSE_1000]), ("abortConnection", [])):
            c = self.conversation(None)
            act = getattr(c.connection, call)
            c.receiver.answer = lambda payload, act=act: act()
            c.send((0x89, b"?"))
            self.assertEqual(c.take(), expected, call)

    def test_whileClosing(self):
        """
        It is called while the connection closes, but nothing is answered then.
        """
        c = self.conversation(None)
        c.connection.close()
        c.send((0x89, b"?"))
        self.assertEqual(c.take(), [CLOSE_1000])
        self.assertEqual(c.receiver.order, [("ping", b"?")])

    def test_afterwards(self):
        """
        It is not called after a violation or the peer's Close frame.
        """
        for name, frame in (("violation", (0x83, b"")), ("close", CLOSE_1000)):
            c = self.conversation(None)
            c.send(frame, (0x89, b"?"), (0x8A, b"!"))
            self.assertEqual(c.receiver.order, [], name)

    def test_raises(self):
        """
        If it raises, that is logged once and the connection closes with 1011; the ping
        is not answered.
        """
        for isServer, role in BOTH:
            c = self.conversation(lambda payload: 1 / 0, isServer)
            c.send((0x89, b"?"), (0x81, b"more"))
            self.assertEqual(c.take(), [(0x88, b"\x03\xf3internal error")], role)
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1, role)
            self.assertEqual(c.receiver.order, [("ping", b"?")], role)

    def test_pause(self):
        """
        If it pauses the connection, this ping is answered, and the rest waits.
        """
        c = self.conversation(lambda payload: c.connection.pauseProducing())
        c.send((0x89, b"1"), (0x89, b"2"))
        self.assertEqual(c.take(), [(0x8A, b"1")])
        c.connection.resumeProducing()
        self.assertEqual(c.take(), [(0x8A, b"2")])


class PongTests(SynchronousTestCase):
    """
    C{pongReceived}.
    """

    def test_every(self):
        """
        It is told of each pong: of those that answer a ping, after the Deferred of that
        has fired, and of those that do not.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, ControlReceiver())
            answer = c.connection.ping(b"?")
            answer.addCallback(lambda _, c=c: c.receiver.order.append("answered"))
            c.send((0x8A, b"unasked"), (0x8A, b"?"), (0x8A, b""))
            self.assertEqual(
                c.receiver.order,
                [("pong", b"unasked"), "answered", ("pong", b"?"), ("pong", b"")],
                role,
            )
            self.successResultOf(answer)

    def test_raises(self):
        """
        If it raises, that is logged once and the connection closes with 1011.
        """

        class Receiver(MessageReceiver):
            def pongReceived(self, payload):
                raise ZeroDivisionError

        c = Conversation(True, Receiver())
        answer = c.connection.ping(b"?")
        c.take()
        c.send((0x8A, b"?"), (0x8A, b"?"))
        self.successResultOf(answer)
        self.assertEqual(c.take(), [(0x88, b"\x03\xf3internal error")])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class ProbeTests(SynchronousTestCase):
    """
    Who is told.
    """

    def test_neither(self):
        """
        A receiver without these methods is not asked: pings are answered, pongs are
        counted.
        """
        c = Conversation(True, RecordingReceiver())
        c.send((0x89, b"?"), (0x8A, b"!"))
        self.assertEqual(c.take(), [(0x8A, b"?")])
        self.assertEqual(c.connection.state, State.OPEN)

    def test_one(self):
        """
        It may have one of them.
        """

        class PingReceiver(MessageReceiver):
            def pingReceived(self, payload):
                return True

        class PongReceiver(MessageReceiver):
            def pongReceived(self, payload):
                self.payload = payload

        c = Conversation(True, PingReceiver())
        c.send((0x89, b"?"), (0x8A, b"!"))
        self.assertEqual(c.take(), [])
        c = Conversation(True, PongReceiver())
        c.send((0x89, b"?"), (0x8A, b"!"))
        self.assertEqual(c.take(), [(0x8A, b"?")])
        self.assertEqual(c.receiver.payload, b"!")

    def test_once(self):
        """
        That is looked up once, when the connection begins: a method that appears later
        does not count.
        """
        c = Conversation(True, RecordingReceiver())
        c.receiver.pingReceived = lambda payload: True
        c.send((0x89, b"?"))
        self.assertEqual(c.take(), [(0x8A, b"?")])

    def test_inConnectionMade(self):
        """
        A payload is C{bytes}, and its own: it does not change when the next comes.
        """
        c = Conversation(True, ControlReceiver())
        c.send((0x89, b"one"), (0x89, b"two"))
        payloads = [payload for _, payload in c.receiver.order]
        self.assertEqual(payloads, [b"one", b"two"])
        self.assertEqual([type(payload) for payload in payloads], [bytes, bytes])


class FrameReceiverTests(SynchronousTestCase):
    """
    With C{assembleFragments=False} control frames are told likewise, and are never
    given to C{frameReceived}.
    """

    def test_frames(self):
        """
        Data frames come to C{frameReceived} as they are.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, ControlReceiver(), assembleFragments=False)
            c.send((0x01, b"a"), (0x89, b"?"), (0x80, b"b"), (0x82, b"c"))
            self.assertEqual(
                c.receiver.messages,
                [
                    Frame(Opcode.TEXT, b"a", False),
                    Frame(Opcode.CONTINUATION, b"b", True),
                    Frame(Opcode.BINARY, b"c", True),
                ],
                role,
            )
            self.assertEqual(c.receiver.order, [("ping", b"?")], role)
            self.assertEqual(c.take(), [(0x8A, b"?")], role)

    def test_checked(self):
        """
        All checks stay on: order, sizes, text.
        """
        rows = [
            ("5.4 continuation", [(0x80, b"")], 1002),
            ("5.4 new message", [(0x01, b""), (0x81, b"")], 1002),
            ("8.1 text", [(0x01, b"\xc3"), (0x80, b"a")], 1007),
            ("8.1 text, at its end", [(0x01, b"\xc3"), (0x80, b"")], 1007),
            ("size", [(0x02, bytes(6)), (0x80, bytes(5))], 1009),
            ("number", [(0x02, b""), (0x00, b""), (0x00, b""), (0x00, b"")], 1008),
        ]
        for name, frames, code in rows:
            c = Conversation(
                True,
                assembleFragments=False,
                maxReceivedMessageSize=10,
                maxReceivedFragments=3,
            )
            c.send(*frames)
            self.assertEqual(c.receiver.reason.sent[0], code, name)
            self.assertEqual(len(c.receiver.messages), len(frames) - 1, name)
