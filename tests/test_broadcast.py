# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A message to all connections: C{WebSocketFactory.broadcast} and L{Prepared}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import BOTH, Conversation
from twisted_ws import ClientConfig, ConnectionNotOpen, PerMessageDeflate, ServerConfig
from twisted_ws._wire import sender
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

    def test_serialisedOnce(self) -> None:
        """
        A message to a hundred clients is serialised once.
        """
        clients = self.serve(100)
        calls = []
        encode = sender.encodeFrame

        def counting(*arguments: Any) -> bytes:
            calls.append(arguments)
            return encode(*arguments)

        self.patch(sender, "encodeFrame", counting)
        self.server.factory.broadcast("news")
        self.assertEqual(len(calls), 1)
        self.server.flush()
        self.assertEqual([client.messages for client in clients], [["news"]] * 100)

    def test_compressed(self) -> None:
        """
        Clients that compress get it compressed.
        """
        clients = self.serve(3, extensions=(PerMessageDeflate(),))
        self.server.factory.broadcast("news " * 1000)
        self.assertLess(len(self.server.carriers[0][1].outgoing), 500)
        self.server.flush()
        self.assertEqual([each.messages for each in clients], [["news " * 1000]] * 3)

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
            self.server.factory.broadcast(news)
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
