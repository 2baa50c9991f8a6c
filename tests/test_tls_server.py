# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What is true of each way to serve over TLS, with sockets: C{ssl:} endpoints of Twisted,
and L{ServerCertificates}, each with a port of its own and in a Site.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.endpoints import (
    connectProtocol,
    serverFromString,
)
from twisted.internet.error import ConnectionDone, ConnectionLost

from twisted_ws import (
    ClosedAbruptly,
    ClosedCleanly,
    TLSPolicy,
    WebSocketClient,
)

from .handshakes import GOODBYE, GREETING, HELLO, HELLO_REPLY, handshake
from .sockets import Peer
from .tlspeers import (
    TLS_1_0,
    TLS_1_1,
    TLS_1_2,
    TLS_1_3,
    issue,
    makeContext,
    root,
)
from .tlsservers import TLSServerTests

MiB = 1 << 20


class WaysMixin:
    """
    What is true of each way to listen.
    """

    inSite = False

    def endpoint(self) -> Any:
        """
        @return: an endpoint that has a certificate for C{localhost}.
        """
        raise NotImplementedError

    async def serve(self, **options: Any) -> None:
        """
        Listen.
        """
        await self.listenAt(self.endpoint(), self.makeServer(self.inSite, **options))

    async def test_echo(self) -> None:
        """
        Our client and our server talk, and both end cleanly.
        """
        await self.serve()
        client = WebSocketClient(reactor, tlsPolicy=TLSPolicy(root()))
        url = f"wss://localhost:{self.address.port}/"
        inbox = await client.connect(url, origin=url[:-1].replace("wss", "https"))
        for message in ("text", b"bytes", "", b"\x00" * 70_000):
            inbox.send(message)
            self.assertEqual(await inbox.receive(), message)
        server = await self.receiver()
        self.assertTrue(server.transport.request.isSecure)
        ended = await inbox.close(1000, "that was all")
        self.assertIsInstance(ended, ClosedCleanly)
        self.assertIsInstance(await server.whenLost, ClosedCleanly)

    async def test_versions(self) -> None:
        """
        TLS 1.2 and TLS 1.3 are spoken.
        """
        await self.serve()
        for version in (TLS_1_2, TLS_1_3):
            context = makeContext(oldest=version, newest=version)
            peer = await self.speak(context, early=handshake() + HELLO)
            await peer.until(GREETING + HELLO_REPLY)
            self.assertEqual(peer.connection.get_protocol_version(), version)

    async def test_oldVersions(self) -> None:
        """
        TLS 1.0 and TLS 1.1 are refused, for what they are.
        """
        await self.serve()
        for version in (TLS_1_0, TLS_1_1):
            context = makeContext(oldest=version, newest=version)
            with self.assertRaises(SSL.Error) as raised:
                await self.speak(context)
            self.assertIn("alert protocol version", str(raised.exception))
        self.assertEqual(self.receivers, [])

    async def test_renegotiation(self) -> None:
        """
        A client that asks for another handshake gets none, and ends the connection for
        that.
        """
        await self.serve()
        context = makeContext(newest=TLS_1_2)
        peer = await self.speak(context, early=handshake() + HELLO)
        await peer.until(HELLO_REPLY)
        peer.renegotiate()
        self.assertIn("no renegotiation", str(await peer.whenLost))
        server = await self.receiver()
        self.assertIsInstance(await server.whenLost, ClosedAbruptly)

    async def test_earlyData(self) -> None:
        """
        Frames in the same TLS record as the head are not lost.
        """
        await self.serve()
        peer = await self.speak(early=handshake() + HELLO * 3 + GOODBYE)
        await peer.until(GREETING + HELLO_REPLY * 3 + b"\x88\x02\x03\xe8")
        server = await self.receiver()
        self.assertIsInstance(await server.whenLost, ClosedCleanly)
        self.assertEqual(server.messages, ["Hello"] * 3)

    async def test_tinyRecords(self) -> None:
        """
        Each byte can come in a TLS record of its own.
        """
        await self.serve()
        peer = await self.speak()
        for byte in handshake() + HELLO:
            peer.send(bytes([byte]))
        await peer.until(GREETING + HELLO_REPLY)

    async def test_large(self) -> None:
        """
        Messages of 8 MiB go both ways.
        """
        await self.serve(maxReceivedMessageSize=8 * MiB)
        inbox = await self.connectTo()
        for message in (b"\x5a" * (8 * MiB), "ü" * (4 * MiB)):
            inbox.send(message)
            self.assertTrue(message == await inbox.receive())
        self.assertIsInstance(await inbox.close(), ClosedCleanly)

    async def test_weClose(self) -> None:
        """
        When the server has closed, it says goodbye in TLS, too.
        """
        await self.serve()
        peer = await self.speak(early=handshake())
        await peer.until(GREETING)
        server = await self.receiver()
        server.transport.close(1000)
        await peer.until(b"\x88\x02\x03\xe8")
        peer.send(GOODBYE)
        self.assertIsInstance(await peer.whenLost, SSL.ZeroReturnError)
        self.assertIsInstance(await server.whenLost, ClosedCleanly)

    async def test_theyClose(self) -> None:
        """
        So it does when the client has closed.
        """
        await self.serve()
        peer = await self.speak(early=handshake() + GOODBYE)
        self.assertIsInstance(await peer.whenLost, SSL.ZeroReturnError)
        server = await self.receiver()
        self.assertIsInstance(await server.whenLost, ClosedCleanly)

    async def test_closeNotify(self) -> None:
        """
        A peer that says goodbye in TLS, and not before that as a WebSocket, has gone
        away.
        """
        await self.serve()
        peer = await self.speak(early=handshake())
        await peer.until(GREETING)
        peer.connection.shutdown()
        peer.flush()
        server = await self.receiver()
        self.assertIsInstance(await server.whenLost, ClosedAbruptly)
        await peer.whenLost

    async def test_vanishing(self) -> None:
        """
        So has a peer whose TCP connection ends or is reset; none of it is an error in
        the log.
        """
        await self.serve()
        for leave in ("loseConnection", "abortConnection"):
            peer = await self.speak(early=handshake())
            await peer.until(GREETING)
            server = await self.receiver()
            getattr(peer.transport, leave)()
            ended = await server.whenLost
            self.assertIsInstance(ended, ClosedAbruptly, leave)
            self.assertEqual(ended.code, 1006)

    async def test_plainHTTP(self) -> None:
        """
        Who speaks HTTP without TLS is sent away at once, and nothing is in the log.
        """
        await self.serve()
        for said in (handshake(), b"GET / HTTP/1.0\r\n\r\n", b"\x00" * 100):
            peer = await connectProtocol(self.dial(), Peer())
            peer.transport.write(said)
            ended = await peer.whenLost
            self.assertIsInstance(ended, (ConnectionDone, ConnectionLost), said)
            self.assertNotIn(b"HTTP", peer.received)


class StringTests(WaysMixin, TLSServerTests):
    """
    An C{ssl:} endpoint, from a string.
    """

    def endpoint(self) -> Any:
        issued = issue("localhost")
        key = self.files.write("key.pem", issued.private_key_pem.bytes())
        certificate = self.files.write("cert.pem", issued.cert_chain_pems[0].bytes())
        return serverFromString(
            reactor,
            f"ssl:0:privateKey={key}:certKey={certificate}:interface=127.0.0.1",
        )


class StringSiteTests(StringTests):
    """
    A Site there.
    """

    inSite = True


class CertificatesTests(WaysMixin, TLSServerTests):
    """
    L{ServerCertificates}.
    """

    def endpoint(self) -> Any:
        return self.over(self.certificates(issue("localhost")))


class CertificatesSiteTests(CertificatesTests):
    """
    A Site there.
    """

    inSite = True
