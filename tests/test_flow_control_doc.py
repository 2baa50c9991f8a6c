# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The code of docs/flow-control.md, run.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase

import twisted_ws
from twisted_ws import ServerConfig
from twisted_ws.testing import MemoryServer, RecordingReceiver

DOCUMENT = Path(__file__).parent.parent / "docs" / "flow-control.md"
TEXT = DOCUMENT.read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


class DocumentTests(SynchronousTestCase):
    """
    Its blocks of code.
    """

    def setUp(self) -> None:
        self.names: dict[str, Any] = {
            name: getattr(twisted_ws, name) for name in twisted_ws.__all__
        }
        for block in BLOCKS:
            exec(compile(block, str(DOCUMENT), "exec"), self.names)

    def serve(self, application: Any, config: ServerConfig | None = None) -> Any:
        """
        @return: a client's receiver, and the server's connection.
        """
        self.server = MemoryServer(application, config)
        client = RecordingReceiver()
        self.successResultOf(self.server.connect("/", client))
        (connection,) = self.server.factory.connections
        return client, connection

    def test_sending(self) -> None:
        """
        Each way to send stops where the client does not read, and goes on when it
        does.
        """
        rows = ["x" * 20000] * 30
        for way in (
            lambda feed: ensureDeferred(feed.stream(rows)),
            lambda feed: ensureDeferred(feed.inBatches([rows[:15], rows[15:]])),
        ):
            client, connection = self.serve(self.names["Feed"])
            self.server.carriers[0][0].pauseProducing()
            sending = way(connection.receiver)
            self.server.flush()
            self.assertNoResult(sending)
            self.assertLess(connection.bufferedAmount, 400_000)
            self.server.carriers[0][0].resumeProducing()
            self.server.flush()
            self.assertIsNone(self.successResultOf(sending))
            self.assertEqual(client.messages, rows)

    def test_skipping(self) -> None:
        """
        C{tick} counts what it does not send.
        """
        client, connection = self.serve(self.names["Feed"])
        feed = connection.receiver
        feed.skipped = 0
        self.server.carriers[0][0].pauseProducing()
        for _ in range(10):
            feed.tick("x" * 20000)
        self.assertEqual(feed.skipped, 6)
        self.server.carriers[0][0].resumeProducing()
        self.server.flush()
        self.assertEqual(len(client.messages), 4)

    def test_coalescing(self) -> None:
        """
        A client that does not read gets the latest price when it does.
        """
        client, connection = self.serve(RecordingReceiver, self.names["quotes"])
        self.server.carriers[0][0].pauseProducing()
        connection.sendMessage(bytes(70000))
        for price in range(1000):
            for symbol in ("A", "B"):
                self.names["publish"]([connection], symbol, price)
        self.server.carriers[0][0].resumeProducing()
        self.server.flush()
        self.assertEqual(client.messages[1:], ["A 999", "B 999"])
        self.assertEqual(connection.messagesCoalesced, 1998)

    def test_room(self) -> None:
        """
        In C{Chat} all get what one says, until they leave.
        """
        factory: Any = Factory.forProtocol(self.names["Chat"])
        factory.room = set()
        first, _ = self.serve(factory)
        others = [RecordingReceiver() for _ in range(2)]
        for each in others:
            self.successResultOf(self.server.connect("/", each))
        first.transport.sendMessage("hello")
        self.server.flush()
        others[0].transport.close()
        self.server.flush()
        first.transport.sendMessage("still there?")
        self.server.flush()
        self.assertEqual(others[0].messages, ["hello"])
        for each in (first, others[1]):
            self.assertEqual(each.messages, ["hello", "still there?"])
        self.assertEqual(len(factory.room), 2)

    def test_working(self) -> None:
        """
        C{Lookup} answers in order, whatever the database does.
        """
        asked: dict[str, Deferred[str]] = {}

        class Database:
            def find(self, message: str) -> Deferred[str]:
                asked[message] = Deferred()
                return asked[message]

        factory: Any = Factory.forProtocol(self.names["Lookup"])
        factory.database = Database()
        client, _ = self.serve(factory)
        client.transport.sendMessage("a")
        client.transport.sendMessage("b")
        self.server.flush()
        self.assertEqual(list(asked), ["a"])
        asked["a"].callback("A")
        self.assertEqual(list(asked), ["a", "b"])
        asked["b"].callback("B")
        self.server.flush()
        self.assertEqual(client.messages, ["A", "B"])

    def test_uploading(self) -> None:
        """
        C{Upload} writes a message over the limit of messages into a file.
        """
        factory: Any = Factory.forProtocol(self.names["Upload"])
        factory.path = self.mktemp()
        client, _ = self.serve(factory)
        pieces = [bytes([number]) * 50000 for number in range(60)]
        message = client.transport.beginMessage()
        for piece in pieces:
            message.write(piece)
            self.server.flush()
        message.finish()
        self.server.flush()
        self.assertEqual(Path(factory.path).read_bytes(), b"".join(pieces))

    def test_piping(self) -> None:
        """
        C{proxy} relays both ways, and closes both.
        """
        upstream = RecordingReceiver()
        far = MemoryServer(lambda request: request.accept(upstream))
        self.names["connect"] = far.connect

        async def proxy(request: Any) -> None:
            request.params["url"] = "/"
            await self.names["proxy"](request)

        client, _ = self.serve(proxy)
        client.transport.sendMessage("there")
        upstream.transport.sendMessage(b"back")
        for _ in range(3):
            self.server.flush()
            far.flush()
        self.assertEqual(upstream.messages, ["there"])
        self.assertEqual(client.messages, [b"back"])
        upstream.transport.close(4001, "done")
        for _ in range(3):
            far.flush()
            self.server.flush()
        self.assertEqual((client.reason.code, client.reason.reason), (4001, "done"))

    def test_guarded(self) -> None:
        """
        The steps are an application.
        """
        self.serve(self.names["guarded"])

    def test_limits(self) -> None:
        """
        What the tables say are the defaults.
        """
        config = ServerConfig()
        self.assertEqual(config.maxSendBuffer, 1 << 20)
        self.assertEqual(config.maxTotalBuffer, 256 << 20)
        for name, value in re.findall(r"^\| `([a-zA-Z]+)` \| (\d+) ", TEXT, re.M):
            if name != "maxTotalBuffer":
                self.assertEqual(getattr(config, name), int(value), name)
