# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Connections with extensions, in both roles.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import BOTH, CLOSE_1000, HANDSHAKE, Conversation, RawServer
from tests.extensions import Giving, Marking
from twisted_ws import (
    ClientConfig,
    ConnectionNotOpen,
    Frame,
    Inbox,
    InvalidUpgrade,
    ServerConfig,
)
from twisted_ws._wire.chain import WIRE_ALLOWANCE
from twisted_ws.errors import InvalidPayload
from twisted_ws.extensions import RSV1, RSV2
from twisted_ws.testing import MemoryServer, RecordingReceiver

FIELD = b"Sec-WebSocket-Extensions: "


class Frames(RecordingReceiver):
    """
    Gets frames.
    """

    def frameReceived(self, frame: Frame) -> None:
        """
        Note it.
        """
        self.messages.append(frame)  # type: ignore[arg-type]


def begin(isServer: bool, *extensions: Marking, **options: Any) -> Conversation:
    """
    @return: a connection that uses these extensions.
    """
    names = ", ".join(each.name for each in extensions).encode()
    factories = tuple(Giving(each) for each in extensions)
    return Conversation(
        isServer, fields=(FIELD + names,), extensions=factories, **options
    )


class HandshakeTests(SynchronousTestCase):
    """
    How they get into use.
    """

    def ask(self, config: ServerConfig, field: bytes) -> bytes:
        """
        @return: how a server answers a handshake with this field.
        """
        server = MemoryServer(RecordingReceiver, config)
        peer = server.connectRaw()
        peer.send(HANDSHAKE[:-2] + FIELD + field + b"\r\n\r\n")
        return peer.take()

    def test_inUse(self) -> None:
        """
        A connection tells which extensions it has.
        """
        for isServer, role in BOTH:
            first, second = Marking("a", RSV1), Marking("b", RSV2)
            c = begin(isServer, first, second)
            self.assertEqual(c.connection.extensions, (first, second), role)

    def test_none(self) -> None:
        """
        It has none if its peer wants none.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, extensions=(Giving(Marking()),))
            self.assertEqual(c.connection.extensions, (), role)
            c.connection.sendMessage("x")
            self.assertEqual(c.take(), [(0x81, b"x")], role)

    def test_serverAnswers(self) -> None:
        """
        A server's answer has one field, with the extensions that it accepts and
        their parameters.
        """
        extensions = (
            Giving(Marking("a", RSV1), {"x": None, "y": "7"}),
            Giving(Marking("b", RSV2)),
        )
        config = ServerConfig(extensions=extensions)
        head = self.ask(config, b"b, c, a;y=7")
        self.assertIn(b"\r\n" + FIELD + b"a; x; y=7, b\r\n", head)
        self.assertNotIn(FIELD, self.ask(config, b"c, a;bad"))
        self.assertNotIn(FIELD, self.ask(ServerConfig(), b"a, b"))

    def test_clientOffers(self) -> None:
        """
        A client's request has one field, with what it offers.
        """
        server = MemoryServer(RecordingReceiver)
        server.factory = raw = RawServer(server)
        extensions = (
            Giving(Marking("b"), offers=({"x": "1"}, {"x": None})),
            Giving(Marking("a", RSV2)),
        )
        config = ClientConfig(extensions=extensions)
        server.connect("/", RecordingReceiver(), config)
        self.assertIn(b"\r\n" + FIELD + b"b; x=1, b; x, a\r\n", raw.request)
        server.factory = plain = RawServer(server)
        server.connect("/", RecordingReceiver())
        self.assertNotIn(FIELD, plain.request)

    def test_clientRefuses(self) -> None:
        """
        A client fails the handshake on whatever it did not offer, and on what its
        extensions refuse.
        """
        for field, said in (
            (b"b", "an extension that was not offered: 'b'"),
            (b"a, b", "an extension that was not offered: 'b'"),
            (b"A", "an extension that was not offered: 'A'"),
            (b"a;bad", "a bad parameter"),
            (b"a, a", "an extension that was accepted twice: 'a'"),
            (b"a;", "a malformed Sec-WebSocket-Extensions"),
        ):
            server = MemoryServer(RecordingReceiver)
            server.factory = RawServer(server, FIELD + field)
            config = ClientConfig(extensions=(Giving(Marking("a")),))
            opened = server.connect("/", RecordingReceiver(), config)
            failure = self.failureResultOf(opened, InvalidUpgrade)
            self.assertEqual(failure.getErrorMessage(), said)
            self.assertTrue(server.carriers[0][0].disconnected, field)
            self.assertEqual(server.clock.getDelayedCalls(), [], field)

    def test_ofOneRequest(self) -> None:
        """
        The configuration that a request is accepted with decides.
        """
        config = ServerConfig(extensions=(Giving(Marking("a")),))

        def accept(request: Any) -> None:
            self.assertEqual(request.requestedExtensions, (("a", ()),))
            own = replace(config, extensions=()) if without else None
            request.accept(RecordingReceiver(), config=own)

        for without in (True, False):
            server = MemoryServer(accept, config)
            peer = server.connectRaw()
            peer.send(HANDSHAKE[:-2] + FIELD + b"a\r\n\r\n")
            self.assertEqual(FIELD in peer.take(), not without)

    def test_config(self) -> None:
        """
        A configuration has extension factories of different names, in an order.
        """
        for extensions, said in (
            ((Marking(),), "extensions cannot have <"),
            (("a",), "extensions cannot have 'a'"),
            ((Giving(Marking("a")), Giving(Marking("a"))), "extensions has a twice"),
            ((Giving(Marking("a b")),), "the name of one of extensions is not a token"),
            ("permessage-deflate", "extensions must be a list of extensions"),
            (None, "extensions must be a list of extensions"),
            ({Giving(Marking("a"))}, "extensions must be a list of extensions"),
        ):
            for make in (ServerConfig, ClientConfig):
                with self.assertRaises(ValueError) as caught:
                    make(extensions=extensions)  # type: ignore[arg-type]
                self.assertTrue(str(caught.exception).startswith(said), said)

    def test_configCopies(self) -> None:
        """
        A list that changes later does not change the configuration.
        """
        extensions: list[Any] = [Giving(Marking("a"))]
        config = ServerConfig(extensions=extensions)
        extensions.clear()
        self.assertEqual(len(config.extensions), 1)


class LifeTests(SynchronousTestCase):
    """
    The beginning and the end.
    """

    def test_once(self) -> None:
        """
        An extension is told of each once, with the clock of the connection.
        """
        for isServer, role in BOTH:
            extension = Marking()
            c = begin(isServer, extension)
            self.assertEqual(extension.calls, [("made", c.connection.clock)], role)
            c.send(CLOSE_1000)
            c.dropCarrier()
            self.assertEqual(extension.calls[1:], ["lost"], role)

    def test_abandoned(self) -> None:
        """
        Also when the peer had left before its request was accepted.
        """
        extension = Marking()
        requests: list[Any] = []
        config = ServerConfig(extensions=(Giving(extension),))
        server = MemoryServer(requests.append, config)
        peer = server.connectRaw()
        peer.send(HANDSHAKE[:-2] + FIELD + b"x-mark\r\n\r\n")
        peer.transport.loseConnection()
        server.flush()
        requests[0].accept(RecordingReceiver())
        self.assertEqual(extension.calls, [("made", server.factory.timers), "lost"])

    def test_failsToBegin(self) -> None:
        """
        One that cannot begin ends the connection; the receiver sees its beginning and
        its end all the same.
        """
        for isServer, role in BOTH:
            extension = Marking()
            extension.onLifeChange = lambda: 1 // 0
            c = begin(isServer, extension)
            self.assertEqual(c.take(), [(0x88, b"\x03\xf3internal error")], role)
            c.dropCarrier()
            self.assertEqual(c.receiver.reason.sent.code, 1011, role)
            # One failure of connectionMade, one of connectionLost.
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2, role)

    def test_failsToEnd(self) -> None:
        """
        One that cannot end keeps nobody from being told of the end.
        """
        for isServer, role in BOTH:
            first, second = Marking("a", RSV1), Marking("b", RSV2)
            c = begin(isServer, first, second)
            first.onLifeChange = lambda: 1 // 0
            c.send(CLOSE_1000)
            c.dropCarrier()
            self.assertEqual(second.calls[-1], "lost", role)
            self.assertEqual(c.receiver.reason.code, 1000, role)
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1, role)


class SendTests(SynchronousTestCase):
    """
    What goes out.
    """

    def test_whole(self) -> None:
        """
        A message goes through the extensions.
        """
        for isServer, role in BOTH:
            extension = Marking()
            c = begin(isServer, extension)
            c.connection.sendMessage("hi")
            c.connection.sendMessage(b"\xff")
            self.assertEqual(c.take(), [(0xC1, b"<hi"), (0xC2, b"<\xff")], role)
            whole = [("encode", Frame(1, b"hi")), ("encode", Frame(2, b"\xff"))]
            self.assertEqual(extension.calls[1:], whole, role)

    def test_cutAfter(self) -> None:
        """
        Extensions that change messages see the whole of a long one; its bits are on
        its first frame.
        """
        for isServer, role in BOTH:
            extension = Marking()
            c = begin(isServer, extension, fragmentationThreshold=4)
            c.connection.sendMessage(b"abcdefgh")
            frames = [(0x42, b"<abc"), (0x00, b"defg"), (0x80, b"h")]
            self.assertEqual(c.take(), frames, role)
            self.assertEqual(len(extension.calls), 2, role)
            # What fits once it is encoded is one frame, what does not is not.
            c.connection.sendMessage(b"abc")
            c.connection.sendMessage(b"abcd")
            frames = [(0xC2, b"<abc"), (0x42, b"<abc"), (0x80, b"d")]
            self.assertEqual(c.take(), frames, role)

    def test_cutBefore(self) -> None:
        """
        Extensions that change frames see those that will be sent.
        """
        for isServer, role in BOTH:
            extension = Marking("a", RSV2, False)
            c = begin(isServer, extension, fragmentationThreshold=4)
            c.connection.sendMessage("abcdefgh")
            self.assertEqual(c.take(), [(0x21, b"<abcd"), (0xA0, b"<efgh")], role)
            c.connection.sendMessage("abc")
            self.assertEqual(c.take(), [(0xA1, b"<abc")], role)
            c.connection.sendMessage("")
            self.assertEqual(c.take(), [(0xA1, b"<")], role)

    def test_neverCut(self) -> None:
        """
        Nothing is cut if that is not wanted.
        """
        for perMessage in (True, False):
            extension = Marking("a", RSV1, perMessage)
            c = begin(True, extension, fragmentOutgoingMessages=False)
            c.connection.sendMessage(bytes(100_000))
            self.assertEqual(c.take(), [(0xC2, b"<" + bytes(100_000))])

    def test_pieces(self) -> None:
        """
        Each piece of a message that is sent piece by piece goes through them, the
        control frames between do not.
        """
        for isServer, role in BOTH:
            extension = Marking("a", RSV1)
            each = Marking("b", RSV2, False, b"[")
            c = begin(isServer, extension, each)
            message = c.connection.beginMessage()
            message.write("ab")
            c.connection.ping(b"p").addErrback(lambda failure: None)
            message.write("cd")
            message.finish()
            frames = [(0x61, b"[<ab"), (0x89, b"p"), (0x20, b"[<cd"), (0xA0, b"[<")]
            self.assertEqual(c.take(), frames, role)

    def test_frames(self) -> None:
        """
        So do single frames; the application sets no reserved bit itself.
        """
        for isServer, role in BOTH:
            c = begin(isServer, Marking())
            c.connection.sendFrame(Frame(2, b"a", False))
            c.connection.pong(b"p")
            c.connection.sendFrame(Frame(0, b"b"))
            frames = [(0x42, b"<a"), (0x8A, b"p"), (0x80, b"<b")]
            self.assertEqual(c.take(), frames, role)
            frame = Frame(2, b"a", True, RSV1)
            self.assertRaises(ValueError, c.connection.sendFrame, frame)

    def test_compress(self) -> None:
        """
        Whether a message may be compressed reaches the extensions, however it is
        sent.
        """
        for compress in (None, True, False):
            extension = Marking()
            c = begin(True, extension)
            c.connection.sendMessage("x", compress)
            c.connection.sendMessage("x", compress=compress)
            message = c.connection.beginMessage(compress=compress)
            message.write(b"x")
            message.finish()
            c.connection.sendFrame(Frame(2, b"x", compress=compress))
            c.server.factory.broadcast("x", compress)
            inbox = Inbox()
            inbox.makeConnection(c.connection)
            inbox.send("x", compress)
            wanted = [call[1].compress for call in extension.calls[1:]]
            self.assertEqual(wanted, [compress] * 7)

    def test_fails(self) -> None:
        """
        An extension that fails ends its connection with 1011; nothing that it half
        made is sent, and no other connection notices.
        """
        for isServer, role in BOTH:
            extension = Marking()
            c, other = begin(isServer, extension), begin(isServer, Marking())
            extension.onEncode = lambda frame: frame._replace(payload=b"%d" % (1 // 0))
            send, sendFrame = c.connection.sendMessage, c.connection.sendFrame
            error = self.assertRaises(ConnectionNotOpen, send, "x")
            self.assertEqual(str(error), "an extension failed", role)
            self.assertRaises(ConnectionNotOpen, sendFrame, Frame(1, b"x"))
            self.assertEqual(c.take(), [(0x88, b"\x03\xf3internal error")], role)
            c.dropCarrier()
            reason = c.receiver.reason
            self.assertEqual(reason.sent.code, 1011, role)
            self.assertIsInstance(reason.__cause__, ZeroDivisionError)
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1, role)
            other.connection.sendMessage("x")
            self.assertEqual(other.take(), [(0xC1, b"<x")], role)

    def test_failsInAnswer(self) -> None:
        """
        An application that answers by way of one that fails is not blamed for it.
        """

        class Echo(RecordingReceiver):
            def messageReceived(self, message: Any) -> None:
                self.transport.sendMessage(message)

        extension = Marking()
        extension.onEncode = lambda frame: frame._replace(rsv=0x80)
        c = Conversation(
            receiver=Echo(),
            fields=(FIELD + b"x-mark",),
            extensions=(Giving(extension),),
        )
        c.send((0xC1, b"<x"))
        self.assertEqual(c.take(), [(0x88, b"\x03\xf3internal error")])
        (failure,) = self.flushLoggedErrors()
        self.assertEqual(failure.getErrorMessage()[:14], "x-mark made (T")


class ReceiveTests(SynchronousTestCase):
    """
    What comes in.
    """

    def test_messages(self) -> None:
        """
        Each data frame goes through the extensions, and a message is put together
        of what they make of them.
        """
        for isServer, role in BOTH:
            extension = Marking()
            c = begin(isServer, extension)
            c.send((0xC1, b"<hi"), (0x41, b"<a"), (0x89, b"p"), (0x80, b"<b"))
            self.assertEqual(c.receiver.messages, ["hi", "ab"], role)
            self.assertEqual(c.take(), [(0x8A, b"p")], role)
            seen = [call[1] for call in extension.calls[1:]]
            wanted = [
                Frame(1, b"<hi", True, RSV1),
                Frame(1, b"<a", False, RSV1),
                Frame(0, b"<b", True),
            ]
            self.assertEqual(seen, wanted, role)

    def test_byteByByte(self) -> None:
        """
        However the bytes come.
        """
        for isServer, role in BOTH:
            c = begin(isServer, Marking(), Marking("b", RSV2, False, b"["))
            frames = ((0x61, b"[<ab"), (0x89, b"p"), (0x00, b"[<cd"), (0xA0, b"[<"))
            for octet in b"".join(c.frame(*each) for each in frames):
                c.sendBytes(bytes([octet]))
            self.assertEqual(c.receiver.messages, ["abcd"], role)

    def test_withoutBits(self) -> None:
        """
        Extensions see messages without their bits, too.
        """
        extension = Marking()
        c = begin(True, extension)
        c.send((0x82, b"a"), (0x81, b""))
        self.assertEqual(c.receiver.messages, [b"a", ""])
        frames = [call[1] for call in extension.calls[1:]]
        self.assertEqual(frames, [Frame(2, b"a"), Frame(1, b"")])

    def test_frames(self) -> None:
        """
        A receiver of frames gets them as they were before they were encoded.
        """
        for isServer, role in BOTH:
            extension = Marking()
            c = Conversation(
                isServer,
                Frames(),
                fields=(FIELD + b"x-mark",),
                extensions=(Giving(extension),),
                assembleFragments=False,
                maxReceivedMessageSize=3,
            )
            c.send((0x41, b"<a"), (0x89, b""), (0x00, b"<bc"), (0x80, b"<"))
            wanted = [Frame(1, b"a", False), Frame(0, b"bc", False), Frame(0)]
            self.assertEqual(c.receiver.messages, wanted, role)
            limits = [call[2] for call in extension.calls[1:]]
            self.assertEqual(limits, [3, 2, 0], role)

    def test_bits(self) -> None:
        """
        A bit that is not claimed where it is breaks the protocol.
        """
        for isServer, role in BOTH:
            for frames in (
                ((0xA1, b""),),
                ((0x91, b""),),
                ((0xC9, b""),),
                ((0xC8, b""),),
                ((0x41, b""), (0xC0, b"")),
                ((0x01, b""), (0x40, b"")),
            ):
                c = begin(isServer, Marking("a", RSV1))
                c.send(*frames)
                ((first, payload),) = c.take()
                self.assertEqual((first, payload[:2]), (0x88, b"\x03\xea"), frames)
                self.assertEqual(c.receiver.messages, [], role)

    def test_text(self) -> None:
        """
        It is what they make of a frame that has to be UTF-8.
        """
        for isServer, role in BOTH:
            c = begin(isServer, Marking(tag=b"\xff"))
            c.send((0x41, b"\xff\xe2\x82"), (0x80, b"\xff\xac"), (0x81, b"\xff\xffa"))
            self.assertEqual(c.receiver.messages, ["\u20ac"], role)
            ((first, payload),) = c.take()
            self.assertEqual((first, payload[:2]), (0x88, b"\x03\xef"), role)

    def test_limit(self) -> None:
        """
        The limit of messages is that of what they make of them.
        """
        for isServer, role in BOTH:
            c = begin(isServer, Marking(tag=b"<<<<"), maxReceivedMessageSize=4)
            c.send((0xC2, b"<<<<abcd"), (0x42, b"<<<<ab"), (0x80, b"<<<<cd"))
            self.assertEqual(c.receiver.messages, [b"abcd", b"abcd"], role)
            c.send((0x42, b"<<<<ab"), (0x00, b"<<<<cd"), (0x80, b"<<<<e"))
            ((first, payload),) = c.take()
            self.assertEqual((first, payload[:2]), (0x88, b"\x03\xf1"), role)

    def test_wireLimit(self) -> None:
        """
        What comes over the wire for it is limited as well, before it is kept.
        """
        for isServer, role in BOTH:
            for frames, isTaken in (
                (((0xC2, bytes(WIRE_ALLOWANCE + 4)),), True),
                (((0xC2, bytes(WIRE_ALLOWANCE + 5)),), False),
                (((0x42, bytes(WIRE_ALLOWANCE)), (0x80, bytes(5))), False),
            ):
                extension = Marking()
                extension.onDecode = lambda frame: frame._replace(payload=b"")
                c = begin(isServer, extension, maxReceivedMessageSize=4)
                c.send(*frames)
                self.assertEqual(c.receiver.messages, [b""] if isTaken else [], role)
                codes = [payload[:2] for _, payload in c.take()]
                self.assertEqual(codes, [] if isTaken else [b"\x03\xf1"], role)

    def test_frameLimit(self) -> None:
        """
        C{maxReceivedFrameSize} is that of frames as they come over the wire.
        """
        c = begin(True, Marking(), maxReceivedFrameSize=4)
        c.send((0xC2, b"<abc"), (0xC2, b"<abcd"))
        self.assertEqual(c.receiver.messages, [b"abc"])
        self.assertEqual([payload[:2] for _, payload in c.take()], [b"\x03\xf1"])

    def test_violation(self) -> None:
        """
        An extension can find that the peer breaks its rules.
        """

        def refuse(frame: Frame) -> Frame:
            raise InvalidPayload("nonsense", "anOption")

        for isServer, role in BOTH:
            extension = Marking()
            extension.onDecode = refuse
            c = begin(isServer, extension)
            c.send((0xC1, b"<x"), (0xC1, b"<y"))
            self.assertEqual(c.take(), [(0x88, b"\x03\xefnonsense")], role)
            decoded = [each for each in extension.calls if each[0] == "decode"]
            self.assertEqual(len(decoded), 1, role)

    def test_fails(self) -> None:
        """
        If it fails itself, that ends the connection with 1011.
        """
        for isServer, role in BOTH:
            for error in (
                ZeroDivisionError(),
                MemoryError(),
                UnicodeDecodeError("utf-8", b"", 0, 1, ""),
            ):

                def fail(frame: Frame, error: Exception = error) -> Frame:
                    raise error

                extension = Marking()
                extension.onDecode = fail
                c = begin(isServer, extension)
                c.send((0xC1, b"<x"), (0xC1, b"<y"))
                self.assertEqual(c.take(), [(0x88, b"\x03\xf3internal error")], role)
                self.assertEqual(c.receiver.messages, [], role)
                c.dropCarrier()
                self.assertIs(c.receiver.reason.__cause__, error)
                self.assertEqual(len(self.flushLoggedErrors(type(error))), 1, role)

    def test_failsInPieces(self) -> None:
        """
        Also at a frame that came in several reads, and at a fragment.
        """
        for isServer, role in BOTH:
            for frame in ((0xC1, b"<x"), (0x41, b"<x")):
                extension = Marking()
                extension.onDecode = lambda frame: frame._replace(payload=1 // 0)
                c = begin(isServer, extension)
                for octet in c.frame(*frame):
                    c.sendBytes(bytes([octet]))
                self.assertEqual(c.take(), [(0x88, b"\x03\xf3internal error")], role)
                self.assertEqual(c.receiver.messages, [], role)
                self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_lostWithin(self) -> None:
        """
        A connection that ends within a frame lets go of it.
        """
        c = begin(True, Marking())
        c.sendBytes(c.frame(0xC2, bytes(1000))[:500])
        c.resetCarrier()
        self.assertIsNone(c.connection._wire)
        self.assertIsNone(c.connection._sink)


class AwaitedTests(SynchronousTestCase):
    """
    Both sides of the package at once.
    """

    def test_bothSides(self) -> None:
        """
        What one side encodes the other decodes.
        """
        ours, theirs = Marking(), Marking()
        server = MemoryServer(Inbox, ServerConfig(extensions=(Giving(ours),)))
        config = ClientConfig(extensions=(Giving(theirs),))
        inbox = self.successResultOf(server.connect("/", config=config))
        inbox.send("x" * 100_000)
        server.flush()
        (connection,) = server.factory.connections
        received = self.successResultOf(connection.receiver.receive())
        self.assertEqual(received, "x" * 100_000)
        connection.sendMessage(b"y")
        server.flush()
        self.assertEqual(self.successResultOf(inbox.receive()), b"y")
        self.assertEqual(len(ours.calls), 9)
