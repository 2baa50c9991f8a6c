# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A message to many connections that have extensions: it goes through these once for all
that make the same of it.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.conversation import Conversation
from tests.deflating import inflated, installed, pair
from tests.extensions import Marking
from twisted_ws import ClientConfig, PerMessageDeflate, ServerConfig, broadcast
from twisted_ws._wire.chain import Chain
from twisted_ws.extensions import RSV1, RSV2
from twisted_ws.interfaces import IExtensionFactory
from twisted_ws.testing import MemoryServer, RecordingReceiver

NEWS = "news of the day " * 100
FIELD = b"Sec-WebSocket-Extensions: permessage-deflate"


class DeflateTests(SynchronousTestCase):
    """
    permessage-deflate.
    """

    def setUp(self) -> None:
        """
        Count compressors.
        """
        self.made: list[tuple[Any, ...]] = []
        make = zlib.compressobj

        def counting(*arguments: Any) -> Any:
            self.made.append(arguments)
            return make(*arguments)

        self.patch(zlib, "compressobj", counting)

    def serve(self, *factories: PerMessageDeflate, **options: Any) -> list[Any]:
        """
        @param factories: those of the clients.
        @param options: of the server's C{PerMessageDeflate}.
        @return: the clients.
        """
        options.setdefault("serverNoContextTakeover", True)
        config = ServerConfig(extensions=[PerMessageDeflate(**options)])
        self.server = MemoryServer(RecordingReceiver, config)
        clients = []
        for each in factories:
            clients.append(RecordingReceiver())
            asking = ClientConfig(extensions=[each])
            self.successResultOf(self.server.connect("/", clients[-1], asking))
        return clients

    def say(self, message: str | bytes, compress: bool | None = None) -> list[bytes]:
        """
        Broadcast.

        @return: what the server writes, as the objects that are written.
        """
        written: list[bytes] = []
        for connection in self.server.factory.connections:
            write = connection.carrier.write

            def note(data: bytes, write: Any = write) -> None:
                written.append(data)
                write(data)

            connection._connectWrite(note)
        self.server.factory.broadcast(message, compress)
        self.server.flush()
        return written

    def test_once(self) -> None:
        """
        Where the server keeps nothing of the messages before, a message is compressed
        once, and all are written the same; the clients read it.
        """
        clients = self.serve(*[PerMessageDeflate()] * 20)
        for number in range(3):
            written = self.say(f"{number} {NEWS}")
            self.assertEqual(len(self.made), number + 1)
            self.assertEqual(len(written), 20)
            self.assertEqual({id(each) for each in written}, {id(written[0])})
            self.assertLess(len(written[0]), 200)
        wanted = [f"{number} {NEWS}" for number in range(3)]
        self.assertEqual([each.messages for each in clients], [wanted] * 20)

    def test_between(self) -> None:
        """
        What is sent to one alone between is no matter.
        """
        clients = self.serve(*[PerMessageDeflate()] * 3)
        for _ in range(2):
            self.say(NEWS)
            for number, connection in enumerate(self.server.factory.connections):
                connection.sendMessage(f"{number} {NEWS}")
        self.server.flush()
        self.assertEqual(len(self.made), 2 + 6)
        for each in clients:
            self.assertEqual([len(m) for m in each.messages], [1600, 1602] * 2)

    def test_takeover(self) -> None:
        """
        Where it remembers them, each is compressed for itself.
        """
        clients = self.serve(*[PerMessageDeflate()] * 5, serverNoContextTakeover=False)
        for _ in range(2):
            written = self.say(NEWS)
            self.assertEqual(len(self.made), 5)
        self.assertLess(len(written[0]), 20)
        self.assertEqual([each.messages for each in clients], [[NEWS, NEWS]] * 5)

    def test_mixed(self) -> None:
        """
        Those whose client wants nothing remembered share it, each window by itself;
        the others do not.
        """
        forgetful = {"serverNoContextTakeover": True, "clientNoContextTakeover": True}
        clients = self.serve(
            *[PerMessageDeflate(**forgetful)] * 3,
            *[PerMessageDeflate(serverMaxWindowBits=9, **forgetful)] * 3,
            *[PerMessageDeflate()] * 2,
            serverNoContextTakeover=False,
        )
        written = self.say(NEWS)
        self.assertEqual(len(self.made), 1 + 1 + 2)
        self.assertEqual(sorted(made[2] for made in self.made), [-12, -12, -12, -9])
        self.assertEqual(len({id(each) for each in written}), 4)
        self.assertEqual([each.messages for each in clients], [[NEWS]] * 8)

    def test_short(self) -> None:
        """
        Whether it is compressed at all is decided as for a message to one.
        """
        self.serve(*[PerMessageDeflate()] * 3)
        plain, compressed = b"\x81\x05short", 0xC1
        self.assertEqual(self.say("short"), [plain] * 3)
        self.assertEqual(self.say("short", False), [plain] * 3)
        self.assertEqual(self.made, [])
        # Nothing is gained by that, so it is sent as it is.
        self.assertEqual(self.say("short", True), [plain] * 3)
        self.assertEqual(len(self.made), 1)
        self.assertEqual({each[0] for each in self.say("s" * 50, True)}, {compressed})
        self.assertEqual({each[0] for each in self.say(NEWS, False)}, {0x81})
        self.assertEqual({each[0] for each in self.say(NEWS.encode())}, {0xC2})

    def test_thresholds(self) -> None:
        """
        That decision is not shared with those that decide otherwise.
        """
        talks = [self.talk(threshold=each) for each in (10, 1000, 10, 1000)]
        done = broadcast([each.connection for each in talks], "n" * 100)
        self.assertEqual(self.successResultOf(done), 4)
        firsts = [each.take()[0][0] for each in talks]
        self.assertEqual(firsts, [0xC1, 0x81, 0xC1, 0x81])
        self.assertEqual(len(self.made), 1)

    def talk(self, **options: Any) -> Conversation:
        """
        @return: a server's connection that compresses, and its peer.
        """
        more = {
            name: options.pop(name)
            for name in ("fragmentationThreshold",)
            if name in options
        }
        factory = PerMessageDeflate(serverNoContextTakeover=True, **options)
        return Conversation(fields=(FIELD,), extensions=[factory], **more)

    def test_same(self) -> None:
        """
        What members are sent is, byte for byte, what each would be sent alone, and
        what L{zlib} reads: whatever the implementation, the options, and the length of
        fragments.
        """
        for name in installed():
            for options in (
                {},
                {"level": 1},
                {"memLevel": 9},
                {"windowBits": 15},
                {"fragmentationThreshold": 50},
            ):
                for message in ("", NEWS, NEWS.encode(), bytes(range(256)) * 200):
                    talks = [
                        self.talk(implementation=name, **options) for _ in range(3)
                    ]
                    broadcast([each.connection for each in talks[:2]], message, True)
                    talks[2].connection.sendMessage(message, True)
                    first, second, alone = (each.take() for each in talks)
                    self.assertEqual(first, alone, (name, options))
                    self.assertEqual(second, alone)
                    if alone[0][0] & 0x40:
                        (read,) = inflated(b"".join(part for _, part in first))
                        wanted = (
                            message.encode() if isinstance(message, str) else message
                        )
                        self.assertEqual(read, wanted)

    def test_options(self) -> None:
        """
        Whatever changes what is made of a message is part of the key; what does not, is
        not.
        """
        options: list[dict[str, Any]] = [
            {},
            {"level": 9},
            {"windowBits": 9},
            {"memLevel": 1},
            {"strategy": "huffman"},
            {"threshold": 0},
        ]
        options += [{"implementation": name} for name in installed()[1:]]
        keys = set()
        for each in options:
            factory = PerMessageDeflate(serverNoContextTakeover=True, **each)
            keys.add(pair(server=factory)[1].sharedKey)
        self.assertEqual(len(keys), len(options))
        more = PerMessageDeflate(
            serverNoContextTakeover=True, maxRatio=5, clientNoContextTakeover=True
        )
        self.assertIn(pair(server=more)[1].sharedKey, keys)

    def test_slow(self) -> None:
        """
        One for whom it has to wait gets it when it is its turn.
        """
        talks = [self.talk() for _ in range(3)]
        talks[1].congest()
        broadcast([each.connection for each in talks], NEWS)
        self.assertEqual(talks[0].take(), talks[2].take())
        talks[1].readOn()
        self.assertEqual(len(talks[1].take()[-1][1]) < 200, True)


@implementer(IExtensionFactory)
class Making:
    """
    Makes an extension for each connection.

    @ivar made: all of them.
    """

    def __init__(self, name: str, rsv: int, key: Any = None) -> None:
        self.name = name
        self.made: list[Marking] = []
        self._rsv = rsv
        self._key = key

    def offers(self) -> list[Mapping[str, str | None]]:
        return [{}]

    def accept(self, parameters: Mapping[str, str | None]) -> Any:
        made = Marking(self.name, self._rsv)
        if self._key is not None:
            made.sharedKey = self._key
        self.made.append(made)
        return {}, made

    def accepted(self, parameters: Mapping[str, str | None]) -> Any:
        return Marking(self.name, self._rsv)

    @property
    def encoded(self) -> int:
        """
        How many messages they were given.
        """
        return sum(call[0] == "encode" for each in self.made for call in each.calls)


class OtherTests(SynchronousTestCase):
    """
    Extensions of others.
    """

    def serve(self, *factories: Making) -> list[RecordingReceiver]:
        """
        @return: five clients.
        """
        extensions: Any = factories
        config = ServerConfig(extensions=extensions)
        self.server = MemoryServer(RecordingReceiver, config)
        clients = []
        for _ in range(5):
            clients.append(RecordingReceiver())
            asking = ClientConfig(extensions=extensions)
            self.successResultOf(self.server.connect("/", clients[-1], asking))
        return clients

    def test_without(self) -> None:
        """
        One that knows nothing of C{sharedKey} is given the message on each connection.
        """
        making = Making("x-mark", RSV1)
        clients = self.serve(making)
        self.server.factory.broadcast("news")
        self.server.flush()
        self.assertEqual(making.encoded, 5)
        self.assertEqual([each.messages for each in clients], [["news"]] * 5)

    def test_shared(self) -> None:
        """
        One that has such a key is given it once.
        """
        making = Making("x-mark", RSV1, "key")
        clients = self.serve(making)
        self.server.factory.broadcast("news")
        self.server.flush()
        self.assertEqual(making.encoded, 1)
        self.assertEqual([each.messages for each in clients], [["news"]] * 5)

    def test_chain(self) -> None:
        """
        Of several, all need one.
        """
        for keys, count in ((("a", "b"), 1), (("a", None), 5), ((None, "b"), 5)):
            first, second = (
                Making(f"x-{bit}", bit, key)
                for bit, key in zip((RSV1, RSV2), keys, strict=True)
            )
            clients = self.serve(first, second)
            self.server.factory.broadcast("news")
            self.server.flush()
            self.assertEqual((first.encoded, second.encoded), (count, count))
            self.assertEqual([each.messages for each in clients], [["news"]] * 5)

    def test_foreign(self) -> None:
        """
        An extension that is no L{Extension} need not have the attribute at all.
        """

        class Foreign:
            name, rsv, perMessage = "x-foreign", 0, True
            encode: Any = None
            decode: Any = None

        self.assertIsNone(Chain([Foreign()]).sharedKey)
        self.assertIsNotNone(Chain([]).sharedKey)

    def test_fails(self) -> None:
        """
        One that fails ends its connection, and no other; nothing of it is shared.
        """
        making = Making("x-mark", RSV1, "key")
        clients = self.serve(making)
        first = next(iter(set(self.server.factory.connections)))
        (broken,) = first.extensions
        broken.onEncode = lambda frame: frame._replace(payload=b"%d" % (1 // 0))
        done = self.server.factory.broadcast("news")
        self.assertEqual(self.successResultOf(done), 4)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.server.flush()
        self.assertEqual(sum(each.messages == ["news"] for each in clients), 4)
