# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Compression, C{permessage-deflate}, between us and others, in both directions.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from twisted_ws import ClosedCleanly
from twisted_ws.extensions import PerMessageDeflate

from .compression import (
    CLIENT_BITS,
    CLIENT_FORGETS,
    COMPRESSORS,
    SERVER_BITS,
    SERVER_FORGETS,
    CompressedClient,
    CompressedEnds,
    CompressedServer,
    askings,
    camelCase,
)
from .ends import Link
from .peers.common import describe, message
from .scenarios import MEBIBYTE, PIECES, Scenarios, TheirFragments

# The first tells by its second coming whether the sender remembers: it is within the
# smallest window.  The second would go too far back where the window was not kept.
PLOT = [
    ("noise", 150),
    ("noise", 150),
    ("noise", 5000),
    ("noise", 5000),
    ("text", 1000),
    ("text", 1000),
]

COMPRESSED = 0x40
"""
RSV1, in the first byte of a frame.
"""


class Messages(CompressedEnds):
    """
    A mixin: what has to work as well as it does without compression.
    """

    test_text = Scenarios.test_text
    test_binary = Scenarios.test_binary
    test_emptyMessages = Scenarios.test_emptyMessages
    test_manyMessages = Scenarios.test_manyMessages
    test_weFragment = Scenarios.test_weFragment
    test_weStream = Scenarios.test_weStream
    test_theyPing = Scenarios.test_theyPing
    test_tooBig = Scenarios.test_tooBig
    test_weLoseTheConnection = Scenarios.test_weLoseTheConnection

    async def test_size(self) -> None:
        """
        What goes over the wire is compressed, in both directions, and much less than
        the messages are.
        """
        link = await self.link()
        await self.exchange(link, "text", MEBIBYTE)
        ours, theirs = self.frames()
        for frames in (ours, theirs):
            self.assertTrue(frames[0].first & COMPRESSED)
            self.assertLess(sum(len(each.payload) for each in frames), MEBIBYTE // 50)
        self.assertLess(link.us.transport.bytesReceived, MEBIBYTE // 50)

    async def test_pingBetween(self) -> None:
        """
        Pings between the pieces of a message, and its answers, are not compressed and
        disturb nothing; the peer has each piece when it was sent.
        """
        link = await self.link()
        for _ in range(2):
            outgoing = link.us.transport.beginMessage(1)
            for _ in range(3):
                outgoing.write(b"piece by piece, ")
                self.assertGreater(await link.us.transport.ping(b"still?"), 0)
            outgoing.finish()
            await self.assertNext(link.them, **describe("piece by piece, " * 3))
        ours, _ = self.frames()
        firsts = [each.first for each in ours]
        self.assertEqual(firsts, [0x41, 0x89, 0x00, 0x89, 0x00, 0x89, 0x80] * 2)
        pings = [each.payload for each in ours if each.first == 0x89]
        self.assertEqual(pings, [b"still?"] * 6)

    async def test_weSendPlain(self) -> None:
        """
        A message of ours that is not to be compressed is not, and leaves no trace in
        those after it.
        """
        link = await self.link()
        sent = link.us.transport
        for compress in (True, False, True):
            sent.sendMessage(message("noise", 150), compress=compress)
            await self.assertTheyGet(link, "noise", 150)
        outgoing = sent.beginMessage(1, compress=False)
        outgoing.write(b"in the clear")
        outgoing.finish()
        await self.assertNext(link.them, **describe("in the clear"))
        ours, _ = self.frames()
        firsts = [each.first for each in ours]
        self.assertEqual(firsts, [0xC2, 0x82, 0xC2, 0x01, 0x80])
        self.assertEqual(ours[1].payload, message("noise", 150))
        self.assertLess(len(ours[2].payload), 50)
        self.assertEqual(ours[3].payload, b"in the clear")

    async def test_bomb(self) -> None:
        """
        A peer that sends us much more than we take, in little, sees 1009; whether it
        is our limit of size or that of the ratio that is passed first.
        """
        for maxRatio in (None, 400):
            extension = PerMessageDeflate(maxRatio=maxRatio)
            link = await self.link(
                extensions=(extension,), maxReceivedMessageSize=MEBIBYTE
            )
            link.them.do("send", kind="zeros", size=4 * MEBIBYTE)
            await self.assertNext(link.them, "close", code=1009)
            ended = await link.us.lost
            self.assertEqual((ended.begunBy, ended.sent.code), ("us", 1009))
            self.assertLess(link.us.transport.bytesReceived, MEBIBYTE)

    async def exchangePlain(self, link: Link) -> None:
        """
        Assert that messages come and go, uncompressed.
        """
        self.assertIsNone(self.answer())
        for _ in range(2):
            await self.exchange(link, "text", 2000)
        for frames in self.frames():
            self.assertEqual([each.first for each in frames], [0x81, 0x81])
            self.assertEqual([len(each.payload) for each in frames], [2000, 2000])

    async def test_theyDoNot(self) -> None:
        """
        With a peer that does not compress, we do not.
        """
        await self.exchangePlain(await self.link(deflate=False))

    async def test_weDoNot(self) -> None:
        """
        A peer that would compress does not when we do not.
        """
        await self.exchangePlain(await self.link(extensions=()))


class TheirPlain(CompressedEnds):
    """
    A mixin: for peers that can send single messages uncompressed.
    """

    async def test_theySendPlain(self) -> None:
        """
        A message that the peer does not compress arrives, and those after it.
        """
        link = await self.link()
        for what in ("send", "plain", "send"):
            link.them.do(what, kind="noise", size=150)
            await self.assertWeGet(link, "noise", 150)
        _, theirs = self.frames()
        self.assertEqual([each.first for each in theirs], [0xC2, 0x82, 0xC2])
        self.assertLess(len(theirs[2].payload), 50)


class TheirPieces(CompressedEnds):
    """
    A mixin: for peers whose frames are not what they were before compression.
    """

    test_theyFragment = TheirFragments.test_theyFragment

    async def test_theirPieces(self) -> None:
        """
        With C{assembleFragments=False} their frames arrive with whatever is in them.
        """
        link = await self.link(assembleFragments=False)
        link.them.do("fragments", kind="noise", sizes=PIECES)
        data, frame = b"", None
        while frame is None or not frame.fin:
            frame = await link.us.next()
            data += frame.payload
        self.assertEqual(data, message("noise", sum(PIECES)))


class Agreements(CompressedEnds):
    """
    A mixin: all that can be asked for.
    """

    async def converse(self, link: Link, weForget: bool, theyForget: bool) -> None:
        """
        Assert that messages arrive, several times in a row; and that those forget who
        are said to, and nobody else.
        """
        for kind, size in PLOT:
            link.us.transport.sendMessage(message(kind, size))
            link.them.do("send", kind=kind, size=size)
        for kind, size in PLOT:
            await self.assertTheyGet(link, kind, size)
            await self.assertWeGet(link, kind, size)
        for frames, forgets in zip(self.frames(), (weForget, theyForget), strict=True):
            sizes = [len(each.payload) for each in frames]
            self.assertEqual(len(sizes), len(PLOT))
            self.assertGreater(sizes[0], 140)
            if forgets:
                self.assertGreater(sizes[1], 140)
                self.assertGreater(sizes[3], 4900)
            else:
                self.assertLess(sizes[1], 50)
            for each in frames[4:]:
                self.assertTrue(each.first & COMPRESSED)
                self.assertLess(len(each.payload), 100)
        await self.hangUp(link.us)

    def ourAskings(self) -> list[dict[str, Any]]:
        """
        @return: what we can ask the peer for.
        """
        of = self.compressor
        kept, told = of.leastBits, of.leastTold
        server, client = (told, kept) if self.weServe else (kept, told)
        possible: dict[str, tuple[int, ...]] = {
            SERVER_FORGETS: (False, True),
            CLIENT_FORGETS: (False, True),
            SERVER_BITS: (0, *range(server, 16)),
            CLIENT_BITS: (0, *range(client, 16)),
        }
        return list(askings(possible))

    def memory(self, agreed: Any, clientForgets: bool) -> tuple[bool, bool]:
        """
        @param clientForgets: whether the client does, though that is not agreed on.
        @return: whether we forget, and whether they do.
        """
        server = SERVER_FORGETS in agreed
        client = CLIENT_FORGETS in agreed or clientForgets
        return (server, client) if self.weServe else (client, server)

    async def test_weAsk(self) -> None:
        """
        What we ask for is agreed on, and kept.
        """
        for asked in self.ourAskings():
            options = {camelCase(name): value for name, value in asked.items()}
            link = await self.link(extensions=(PerMessageDeflate.best(**options),))
            agreed = self.agreed()
            (extension,) = link.us.transport.extensions
            self.assertEqual(
                {
                    name: int(value or 1)
                    for name, value in extension.agreed.write().items()
                },
                agreed,
            )
            # A window of 15 bits is what there is anyway.
            wanted = {name: value for name, value in asked.items() if value != 15}
            if not self.weServe:
                # A client promises what is its own; it need not be confirmed.
                for name in (CLIENT_FORGETS, CLIENT_BITS):
                    if name not in agreed:
                        wanted.pop(name, None)
            self.assertEqual(agreed, wanted, asked)
            forgets = not self.weServe and CLIENT_FORGETS in asked
            await self.converse(link, *self.memory(agreed, forgets))

    async def test_theyAsk(self) -> None:
        """
        What the peer asks for is agreed on, and kept.
        """
        possible = (
            self.compressor.clientAsks if self.weServe else self.compressor.serverAsks
        )
        everything = list(askings(possible))
        for name, values in possible.items():
            # Nothing that the peer could ask for was left out.
            self.assertEqual({each.get(name, 0) for each in everything}, {*values})
        for asked in everything:
            link = await self.link(
                deflate=asked, extensions=(PerMessageDeflate.best(),)
            )
            wanted = dict(asked)
            if self.weServe and wanted.get(CLIENT_BITS) == 15:
                del wanted[CLIENT_BITS]
            self.assertEqual(self.agreed(), wanted, asked)
            await self.converse(link, *self.memory(wanted, False))


class SecureTests(CompressedServer, TestCase):
    """
    Over TLS.
    """

    compressor = COMPRESSORS[0]
    peer = compressor.peer
    version = 13
    isSecure = True
    if peer.missing() is not None:
        skip = f"{peer.name} is not installed: {peer.missing()}"

    test_size = Messages.test_size
    test_text = Scenarios.test_text


class SecureClientTests(CompressedClient, TestCase):
    """
    Our client over TLS.
    """

    compressor = COMPRESSORS[0]
    peer = compressor.peer
    version = 13
    isSecure = True
    if peer.missing() is not None:
        skip = f"{peer.name} is not installed: {peer.missing()}"

    async def test_size(self) -> None:
        """
        Messages arrive, and what comes is less than they are.
        """
        link = await self.link()
        for _ in range(2):
            await self.exchange(link, "text", MEBIBYTE)
        self.assertLess(link.us.transport.bytesReceived, MEBIBYTE // 50)
        link.us.transport.close()
        self.assertIsInstance(await link.us.lost, ClosedCleanly)


def casesOf(end: type, name: str) -> dict[str, type]:
    """
    @return: the test cases of a direction, by name.
    """
    cases = {}
    for compressor in COMPRESSORS:
        peer = compressor.peer
        mixins: list[type] = [Messages, Agreements]
        if compressor.sendsPlain:
            mixins.append(TheirPlain)
        if peer.sendsFragments:
            mixins.append(TheirFragments if compressor.keepsPieces else TheirPieces)
        content: dict[str, Any] = {
            "__module__": __name__,
            "__doc__": f"{peer.name}.",
            "compressor": compressor,
            "peer": peer,
            "version": 13,
            "isSecure": False,
        }
        missing = peer.missing()
        if missing is not None:
            content["skip"] = f"{peer.name} is not installed: {missing}"
        title = f"{name}Of{peer.name.title()}Tests"
        cases[title] = type(title, (*mixins, end, TestCase), content)
    return cases


globals().update(casesOf(CompressedServer, "Server"))
globals().update(casesOf(CompressedClient, "Client"))
