# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A message to many connections: L{twisted_ws.broadcast}, C{WebSocketFactory.broadcast}
and L{Prepared}.  How it takes turns is in L{tests.test_broadcast_turns}, how it is
compressed in L{tests.test_broadcast_compressed}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import BOTH, Conversation, reassembled
from twisted_ws import (
    ClientConfig,
    ConnectionNotOpen,
    PerMessageDeflate,
    ServerConfig,
    broadcast,
)
from twisted_ws._wire.errors import IllegalFrame
from twisted_ws._wire.frames import Opcode
from twisted_ws._wire.prepared import Prepared
from twisted_ws.testing import MemoryServer, RecordingReceiver


class PreparedTests(SynchronousTestCase):
    """
    C{sendPrepared}, which does as C{sendMessage} does.
    """

    def test_same(self) -> None:
        """
        What comes of it is the same: of text and binary, short and long, in both
        roles, and through extensions.
        """
        offer = (b"Sec-WebSocket-Extensions: permessage-deflate",)
        for isServer, role in BOTH:
            for message in ("", "text \u20ac", b"binary", "x" * 50_000, bytes(50_000)):
                for extensions in ((), (PerMessageDeflate(),)):
                    came = []
                    for send in ("sendMessage", "sendPrepared"):
                        c = Conversation(
                            isServer,
                            fields=offer if extensions else (),
                            extensions=extensions,
                        )
                        given: Any = message
                        if send == "sendPrepared":
                            given = Prepared(message)
                        getattr(c.connection, send)(given)
                        came.append((c.take(), c.connection.messagesSent))
                    self.assertEqual(*came, (role, message[:10], extensions))

    def test_once(self) -> None:
        """
        Servers write what was serialised once, and no copy of it.
        """
        prepared = Prepared("hello")
        written = []
        for _ in range(3):
            c = Conversation()
            c.connection._connectWrite(written.append)
            c.connection.sendPrepared(prepared)
        self.assertTrue(all(each is prepared.frame for each in written))

    def test_waiting(self) -> None:
        """
        Where it has to wait, all share its payload.
        """
        prepared = Prepared("x" * 1000)
        for _ in range(2):
            c = Conversation()
            c.congest()
            sent = c.connection.sendPrepared(prepared)
            self.assertNoResult(sent)
            frame = c.connection._outbox._waiting.next()[1]
            self.assertIs(frame.payload, prepared.payload)
            self.assertEqual(frame.opcode, Opcode.TEXT)

    def test_refused(self) -> None:
        """
        It is refused when a message would be.
        """
        c = Conversation()
        message = c.connection.beginMessage()
        message.write("a")
        self.assertRaises(IllegalFrame, c.connection.sendPrepared, Prepared("b"))
        message.finish()
        c.connection.sendPrepared(Prepared("b"))
        c.connection.close()
        self.assertRaises(ConnectionNotOpen, c.connection.sendPrepared, Prepared("b"))
        for wrong, error in (("\ud800", UnicodeEncodeError), (5, TypeError)):
            self.assertRaises(error, Prepared, wrong)


class BroadcastTests(SynchronousTestCase):
    """
    C{broadcast}.
    """

    def serve(self, count: int, **options: Any) -> list[RecordingReceiver]:
        """
        @return: so many clients.
        """
        self.server = MemoryServer(RecordingReceiver, ServerConfig(**options))
        clients = []
        for _ in range(count):
            clients.append(RecordingReceiver())
            config = ClientConfig(extensions=options.get("extensions", ()))
            self.successResultOf(self.server.connect("/", clients[-1], config))
        return clients

    def written(self) -> list[bytes]:
        """
        @return: what the server writes from now on, to whomever, as the objects that
            are written.
        """
        written: list[bytes] = []
        for connection in self.server.factory.connections:
            connection._connectWrite(written.append)
        return written

    def test_serialisedOnce(self) -> None:
        """
        A message to a hundred clients is serialised once: each is written the same
        object.
        """
        self.serve(100)
        written = self.written()
        done = self.server.factory.broadcast("news")
        self.assertEqual(self.successResultOf(done), 100)
        self.assertEqual(len(written), 100)
        self.assertEqual({id(each) for each in written}, {id(written[0])})
        self.assertEqual(written[0], b"\x81\x04news")

    def test_fragmentedOnce(self) -> None:
        """
        A message that is sent in fragments is cut once.
        """
        clients = self.serve(10, fragmentationThreshold=100)
        self.server.factory.broadcast("n" * 250)
        self.server.flush()
        self.assertEqual([each.messages for each in clients], [["n" * 250]] * 10)
        written = self.written()
        self.server.factory.broadcast(b"n" * 250)
        self.assertEqual({id(each) for each in written}, {id(written[0])})
        self.assertEqual(len(written), 10)
        self.assertEqual(written[0][:2], b"\x02\x64")
        self.assertEqual(len(written[0]), 256)

    def test_differentThresholds(self) -> None:
        """
        Each is sent fragments of the length that is right for it, one message to all.
        """
        conversations = [
            Conversation(fragmentationThreshold=each) for each in (100, 200, 1000, 100)
        ]
        broadcast([each.connection for each in conversations], b"n" * 250)
        frames = [each.take() for each in conversations]
        self.assertEqual([len(each) for each in frames], [3, 2, 1, 3])
        whole = [[(0x82, b"n" * 250)]] * 4
        self.assertEqual([reassembled(each) for each in frames], whole)

    def test_clients(self) -> None:
        """
        Clients can be members as well: they mask it, each for itself.
        """
        conversations = [
            Conversation(isServer, keepalive=False) for isServer, _ in BOTH
        ]
        conversations.append(Conversation(False))
        for message in ("text", bytes(50_000)):
            done = broadcast((each.connection for each in conversations), message)
            self.assertEqual(self.successResultOf(done), 3)
            for each in conversations:
                (whole,) = reassembled(each.take())
                self.assertEqual(len(whole[1]), len(message))

    def test_each(self) -> None:
        """
        A member is sent it once, however often it is named; nobody is no error.
        """
        clients = self.serve(2)
        members = list(self.server.factory.connections)
        self.assertEqual(self.successResultOf(broadcast(members * 3, "news")), 2)
        self.assertEqual(self.successResultOf(broadcast(members[:1], "for one")), 1)
        self.assertEqual(self.successResultOf(broadcast([], "for none")), 0)
        self.server.flush()
        self.assertEqual(
            sorted(each.messages for each in clients), [["news"], ["news", "for one"]]
        )

    def test_wrong(self) -> None:
        """
        What cannot be sent is refused before anybody is sent it.
        """
        clients = self.serve(2)
        members = self.server.factory.connections
        for wrong, error in (("\ud800", UnicodeEncodeError), (5, TypeError)):
            self.assertRaises(error, broadcast, members, wrong)
            self.assertRaises(error, self.server.factory.broadcast, wrong)
        self.assertRaises(TypeError, broadcast, members, "news", key=[])
        for number in (0, -1):
            self.assertRaises(
                ValueError, broadcast, members, "news", membersPerTurn=number
            )
        self.server.flush()
        self.assertEqual([each.messages for each in clients], [[], []])

    def test_skipped(self) -> None:
        """
        Who closes, or is in the middle of a message, is left out and not counted; that
        is nothing to be logged.
        """
        self.serve(5)
        closing, inMiddle, *_ = self.server.factory.connections
        closing.close()
        inMiddle.beginMessage().write("a")
        done = self.server.factory.broadcast("news")
        self.assertEqual(self.successResultOf(done), 3)

    def test_failing(self) -> None:
        """
        A carrier that fails in an unexpected way is no reason to leave others out; it
        is logged once for each broadcast.
        """
        clients = self.serve(5)

        def broken(data: bytes) -> None:
            raise ZeroDivisionError

        for connection in list(self.server.factory.connections)[:2]:
            connection._connectWrite(broken)
        for _ in range(2):
            done = self.server.factory.broadcast("news")
            self.assertEqual(self.successResultOf(done), 3)
            errors = self.flushLoggedErrors(ZeroDivisionError)
            self.assertEqual(len(errors), 1)
        self.server.flush()
        received = sorted(len(each.messages) for each in clients)
        self.assertEqual(received, [0, 0, 2, 2, 2])

    def test_slowReaders(self) -> None:
        """
        Ten of a thousand clients that do not read are closed; what the others get and
        when does not depend on them.
        """
        clients = self.serve(1000, keepalive=False, maxSendBuffer=100_000)
        for client, _ in self.server.carriers[:10]:
            client.pauseProducing()
        news = "n" * 30_000
        for _ in range(10):
            done = self.server.factory.broadcast(news)
            self.assertNoResult(done)
            self.server.clock.advance(0)
            self.assertGreaterEqual(self.successResultOf(done), 990)
            self.server.flush()
        self.assertEqual({len(each.messages) for each in clients[10:]}, {10})
        self.assertEqual(self.server.factory.budget.counts["tooSlow"], 10)
        self.server.clock.advance(5)
        self.server.flush()
        self.assertEqual(len(self.server.factory.connections), 990)
        self.assertEqual(self.server.factory.budget.held, 0)

    def test_key(self) -> None:
        """
        A newer one with the same key takes the place of one that waits.
        """
        (client,) = self.serve(1, slowReaderPolicy="coalesce")
        self.server.carriers[0][0].pauseProducing()
        self.server.factory.broadcast(bytes(70_000))
        for number in range(5):
            self.server.factory.broadcast(f"{number}", key="price")
        self.server.carriers[0][0].resumeProducing()
        self.server.flush()
        self.assertEqual(client.messages[1:], ["4"])
