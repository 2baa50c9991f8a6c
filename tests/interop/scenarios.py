# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What every peer is put through: a test a scenario, and C{casesOf} to make the test
cases, one of each peer and protocol version.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from twisted_ws import (
    ClosedAbruptly,
    ClosedCleanly,
    UpgradeRejected,
    WebSocketRequest,
)

from .ends import ClientEnd, Ends, Greeter, ServerEnd, Side
from .harness import PEERS, PeerFailed
from .peers.common import REFUSAL, describe, message, payload, pieces

MEBIBYTE = 1 << 20

# Both sides of each border between the forms of a length, and more than a read.
SIZES = (1, 125, 126, 65535, 65536, 200_000)

# Frames of all forms of length, empty ones among them, borders within characters.
PIECES = (7, 0, 1, 126, 65_536, 0, 3)


class Scenarios(Ends):
    """
    A mixin: what does not depend on who is the server.
    """

    # Messages

    async def test_version(self) -> None:
        """
        The handshake is of the version asked for.
        """
        link = await self.link()
        request = link.us.transport.request
        if request is not None:
            self.assertEqual(request.webSocketVersion, self.version)
        else:
            self.assertEqual(link.opened["version"], self.version)

    async def test_text(self) -> None:
        """
        Text of characters of all lengths arrives both ways, whatever its size.
        """
        link = await self.link()
        for size in SIZES:
            await self.exchange(link, "text", size)

    async def test_binary(self) -> None:
        """
        Binary messages arrive both ways, whatever their size.
        """
        link = await self.link()
        for size in SIZES:
            await self.exchange(link, "binary", size)

    async def test_emptyMessages(self) -> None:
        """
        Empty messages are messages, and keep their type.
        """
        link = await self.link()
        await self.exchange(link, "text", 0)
        await self.exchange(link, "binary", 0)

    async def test_oneMebibyteOfBinary(self) -> None:
        """
        A binary message of exactly 1 MiB arrives both ways under default limits.
        """
        link = await self.link()
        await self.exchange(link, "binary", MEBIBYTE)

    async def test_oneMebibyteOfText(self) -> None:
        """
        Text of exactly 1 MiB, most of it not ASCII, arrives both ways under default
        limits.
        """
        link = await self.link()
        await self.exchange(link, "text", MEBIBYTE)

    async def test_manyMessages(self) -> None:
        """
        Many small messages that do not wait for each other arrive in order.
        """
        link = await self.link()
        for size in range(300):
            kind = "text" if size % 2 else "binary"
            link.us.transport.sendMessage(message(kind, size))
            link.them.do("send", kind=kind, size=size)
        for size in range(300):
            kind = "text" if size % 2 else "binary"
            await self.assertTheyGet(link, kind, size)
            await self.assertWeGet(link, kind, size)

    # Fragments

    async def test_weFragment(self) -> None:
        """
        Messages over our C{fragmentationThreshold} arrive whole at the peer.
        """
        link = await self.link(fragmentationThreshold=1000)
        for kind in ("text", "binary"):
            for size in (1000, 1001, 12_345):
                link.us.transport.sendMessage(message(kind, size))
                await self.assertTheyGet(link, kind, size)

    async def test_weStream(self) -> None:
        """
        A message that we send piece by piece arrives whole at the peer, which answers
        a ping between two pieces.
        """
        link = await self.link()
        for kind in ("text", "binary"):
            outgoing = link.us.transport.beginMessage(1 if kind == "text" else 2)
            for piece in pieces(kind, PIECES):
                outgoing.write(piece)
            self.assertGreater(await link.us.transport.ping(), 0)
            outgoing.write(b"tail")
            outgoing.finish()
            whole = payload(kind, sum(PIECES)) + b"tail"
            sent = whole.decode() if kind == "text" else whole
            await self.assertNext(link.them, **describe(sent))

    # Subprotocols

    async def test_subprotocol(self) -> None:
        """
        Of the subprotocols asked for, both sides know the one that was chosen.
        """
        link = await self.link(protocols=["chat.v2", "chat.v1"])
        self.assertEqual(link.us.transport.protocol, "chat.v1")
        self.assertEqual(link.opened["protocol"], "chat.v1")

    async def test_noSubprotocol(self) -> None:
        """
        Where none was asked for there is none.
        """
        link = await self.link()
        self.assertIsNone(link.us.transport.protocol)
        self.assertIsNone(link.opened["protocol"])

    # Pings

    async def test_wePing(self) -> None:
        """
        The peer answers our ping, and its Deferred fires.
        """
        link = await self.link()
        self.assertGreater(await link.us.transport.ping(), 0)
        self.assertGreater(await link.us.transport.ping(b"hello"), 0)

    async def test_theyPing(self) -> None:
        """
        The peer's ping reaches our receiver, and our answer the peer.
        """
        link = await self.link()
        for said in ("hello", "x" * 125):
            link.them.do("ping", payload=said)
            self.assertEqual(await link.us.pings.get(), said.encode())
            await self.assertNext(link.them, "pong", payload=said)

    # Closing

    async def test_weClose(self) -> None:
        """
        The peer sees the code and the reason that we close with; our receiver sees
        that it ended cleanly, and the peer's answer.
        """
        link = await self.link()
        link.us.transport.close(4001, "bye")
        await self.assertNext(link.them, "close", code=4001, reason="bye")
        ended = await link.us.lost
        self.assertIsInstance(ended, ClosedCleanly)
        self.assertEqual(ended.begunBy, "us")
        self.assertEqual((ended.sent.code, ended.sent.reason), (4001, "bye"))
        self.assertEqual(ended.code, self.peer.answersClose or 4001)

    async def test_theyClose(self) -> None:
        """
        Our receiver sees the code and the reason that the peer closes with, and the
        peer that we answered.
        """
        link = await self.link()
        link.them.do("close", code=4002, reason="gone f\u00fcr good")
        ended = await link.us.lost
        self.assertIsInstance(ended, ClosedCleanly)
        self.assertEqual(ended.begunBy, "peer")
        self.assertEqual((ended.code, ended.reason), (4002, "gone f\u00fcr good"))
        self.assertEqual(ended.sent.code, 4002)
        await self.assertNext(link.them, "close", code=4002)

    async def test_tooBig(self) -> None:
        """
        A peer that sends more than we take sees 1009.
        """
        link = await self.link(maxReceivedMessageSize=1000)
        await self.exchange(link, "text", 1000)
        link.them.do("send", kind="text", size=1001)
        await self.assertNext(link.them, "close", code=1009)
        ended = await link.us.lost
        self.assertEqual((ended.begunBy, ended.sent.code), ("us", 1009))

    async def test_weLoseTheConnection(self) -> None:
        """
        C{loseConnection} closes with 1000, after what was sent before it.
        """
        link = await self.link()
        link.us.transport.sendMessage(message("binary", MEBIBYTE))
        link.us.transport.loseConnection()
        await self.assertTheyGet(link, "binary", MEBIBYTE)
        await self.assertNext(link.them, "close", code=1000)
        self.assertIsInstance(await link.us.lost, ClosedCleanly)


class TheirFragments(Ends):
    """
    A mixin: for peers that can send a message in several frames.
    """

    async def test_theyFragment(self) -> None:
        """
        A message that the peer sends in several frames arrives whole.
        """
        link = await self.link()
        for kind in ("text", "binary"):
            link.them.do("fragments", kind=kind, sizes=PIECES)
            await self.assertWeGet(link, kind, sum(PIECES))

    async def test_theirFragmentsAsFrames(self) -> None:
        """
        With C{assembleFragments=False} each frame of the peer's arrives as it was
        sent.
        """
        link = await self.link(assembleFragments=False)
        sent = list(PIECES) + [0] * self.peer.endsEmpty
        for kind in ("text", "binary"):
            link.them.do("fragments", kind=kind, sizes=PIECES)
            frames = [await link.us.next() for _ in sent]
            opcode = 1 if kind == "text" else 2
            last = len(sent) - 1
            self.assertEqual(
                [(frame.opcode, len(frame.payload), frame.fin) for frame in frames],
                [
                    (0 if index else opcode, size, index == last)
                    for index, size in enumerate(sent)
                ],
            )
            self.assertEqual(
                b"".join(frame.payload for frame in frames),
                payload(kind, sum(PIECES)),
                kind,
            )


class OurServer(ServerEnd, Scenarios):
    """
    A mixin: the peer is the client.
    """

    async def test_theyGreet(self) -> None:
        """
        What we send as soon as we are connected reaches the peer.
        """
        link = await self.link(Greeter)
        await self.assertTheyGet(link, "text", 5)

    async def test_origin(self) -> None:
        """
        A page from an origin that we allow may connect, and we know the origin.
        """
        origin = "https://example.com"
        link = await self.link(origin=origin, allowedOrigins=(origin,))
        self.assertEqual(link.us.transport.request.origin, origin)

    async def test_foreignOrigin(self) -> None:
        """
        A page from any other site is refused with 403 by default.
        """
        them = self.callUp(await self.listen(Side), origin="https://example.com")
        await self.assertNext(them, "refused", status=403)

    async def test_rejected(self) -> None:
        """
        The peer sees the status and the headers that we refuse it with.
        """

        def refuse(request: WebSocketRequest) -> None:
            request.reject(403, "Not Today", headers={"X-Why": "closed on Sundays"})

        them = self.callUp(await self.listen(refuse))
        await self.assertNext(them, "refused", status=403, why="closed on Sundays")


class OurClient(ClientEnd, Scenarios):
    """
    A mixin: the peer is the server.
    """

    async def test_theyGreet(self) -> None:
        """
        What the peer sends as soon as it is connected reaches us.
        """
        link = await self.link(path="/greet")
        await self.assertWeGet(link, "text", 5)

    async def test_origin(self) -> None:
        """
        The peer knows the origin that we claim.
        """
        origin = "https://example.com"
        link = await self.link(origin=origin)
        self.assertEqual(link.opened["origin"], origin)

    async def test_refused(self) -> None:
        """
        The peer's refusal fails our connecting, with its status and what it says.
        """
        refused = await self.assertNotConnected(
            self.client(), UpgradeRejected, "/refuse"
        )
        self.assertEqual(refused.status, 403)
        # In the body, or in a header.
        self.assertIn(REFUSAL, f"{refused.headers} {refused.body}")


class OnlyNewVersion(ClientEnd):
    """
    A mixin: for servers that do not speak version 8.
    """

    async def test_refusedVersion(self) -> None:
        """
        A server that does not speak the version asked for refuses it.
        """
        refused = await self.assertNotConnected(
            self.client(webSocketVersion=8), UpgradeRejected
        )
        # RFC 6455 section 4.4 wants 426.
        self.assertIn(refused.status, (400, 426))


class SmallFrames(ClientEnd):
    """
    A mixin: for servers whose limit of a frame is lower than that of a message.
    """

    async def test_unfragmented(self) -> None:
        """
        A frame over the server's limit is refused with 1009; so it is because we
        fragment messages that larger ones come through.
        """
        size = self.peer.maxFrame + 1
        link = await self.link()
        link.us.transport.sendMessage(message("binary", size))
        await self.assertTheyGet(link, "binary", size)
        link = await self.link(fragmentOutgoingMessages=False)
        link.us.transport.sendMessage(message("binary", size))
        ended = await link.us.lost
        self.assertEqual((ended.begunBy, ended.code), ("peer", 1009))


class SecureServer(ServerEnd):
    """
    A mixin: our server over TLS.
    """

    async def test_alpn(self) -> None:
        """
        A peer may offer HTTP/1.1 in the TLS handshake, as browsers do.
        """
        them = self.callUp(await self.listen(Side), alpn=["http/1.1"])
        await self.assertNext(them, "open")
        them.do("close", code=4002, reason="")
        await self.assertNext(them, "close", code=4002)

    async def test_weAreNotTrusted(self) -> None:
        """
        A peer that does not know our authority does not connect, which is of no
        concern to one that does.
        """
        link = await self.link()
        them = self.callUp(link.url, isTrusting=False)
        with self.assertRaises(PeerFailed) as caught:
            await them.next()
        self.assertIn("certificate", str(caught.exception))
        await self.exchange(link, "text", 5)


class SecureClient(ClientEnd):
    """
    A mixin: our client over TLS.
    """

    async def test_theyAreNotTrusted(self) -> None:
        """
        We do not connect to a peer whose authority we do not know.
        """
        lost = await self.assertNotConnected(
            self.client(isTrusting=False), ClosedAbruptly
        )
        self.assertIn("certificate verify failed", str(lost))

    async def test_theyAreSomebodyElse(self) -> None:
        """
        We do not connect to a peer whose certificate names another host.
        """
        lost = await self.assertNotConnected(
            self.client(), ClosedAbruptly, host="localhost"
        )
        self.assertIn("VerificationError", str(lost))


def casesOf(ours: str, module: str, isSecure: bool = False) -> dict[str, type]:
    """
    Make the test cases of a direction.

    @param ours: what we are, C{Server} or C{Client}.
    @param module: the name of the module that they are to be in.
    @return: the test cases by name, such as C{ClientOfWs13Tests}: our client, a server
        made with C{ws}, version 13.
    """
    cases = {}
    for peer in PEERS:
        missing = peer.missing()
        mixins: list[type] = [TheirFragments] if peer.sendsFragments else []
        if ours == "Server":
            versions = peer.clientVersions
            mixins += [OurServer, *[SecureServer] * isSecure]
        else:
            versions = peer.serverVersions
            mixins += [OurClient, *[SecureClient] * isSecure]
            mixins += [SmallFrames] if peer.maxFrame is not None else []
            mixins += [OnlyNewVersion] if 8 not in versions else []
        for version in versions:
            name = f"{ours}Of{peer.name.title()}{version}Tests"
            content: dict[str, Any] = {
                "__module__": module,
                "__doc__": f"{peer.name}, protocol version {version}.",
                "peer": peer,
                "version": version,
                "isSecure": isSecure,
            }
            if missing is not None:
                content["skip"] = f"{peer.name} is not installed: {missing}"
            cases[name] = type(name, (*mixins, TestCase), content)
    return cases
