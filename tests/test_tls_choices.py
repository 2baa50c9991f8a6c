# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What L{ServerCertificates} can be combined with, several certificates, clients that show
theirs, and how long a server over TLS waits; with sockets.
"""

from __future__ import annotations

import ssl
from socket import create_connection
from typing import Any

from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import (
    SSL4ServerEndpoint,
    UNIXClientEndpoint,
    connectProtocol,
    serverFromString,
    wrapClientTLS,
)
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.protocols.policies import ThrottlingFactory
from twisted.trial.unittest import SkipTest

from twisted_ws import (
    ClosedAbruptly,
    ClosedCleanly,
    TLSPolicy,
    WebSocketClient,
)

from .handshakes import GREETING, HELLO, HELLO_REPLY, handshake
from .sockets import Peer
from .tlspeers import (
    authority,
    issue,
    makeContext,
    pemOf,
    private,
    root,
)
from .tlsservers import TLSServerTests


class EndpointTests(TLSServerTests):
    """
    What certificates can be combined with.
    """

    async def test_extraCertChain(self) -> None:
        """
        An C{ssl:} endpoint takes the authorities behind its certificate from a file of
        their own.
        """
        issued = authority().create_child_ca().issue_cert("localhost")
        key = self.files.write("key.pem", issued.private_key_pem.bytes())
        own, *others = [blob.bytes() for blob in issued.cert_chain_pems]
        certificate = self.files.write("cert.pem", own)
        chain = self.files.write("chain.pem", b"".join(others))
        string = f"ssl:0:privateKey={key}:certKey={certificate}:interface=127.0.0.1"
        for more, isTrusted in (("", False), (f":extraCertChain={chain}", True)):
            endpoint = serverFromString(reactor, string + more)
            await self.listenAt(endpoint, self.makeServer())
            if isTrusted:
                await (await self.connectTo()).close()
            else:
                with self.assertRaises(ClosedAbruptly):
                    await self.connectTo()

    async def test_directory(self) -> None:
        """
        A C{tls:} endpoint, which Twisted has since 26.4, takes a directory of
        certificates with their keys.
        """
        for host in ("localhost", "a.example"):
            self.files.write(f"{host}.pem", pemOf(issue(host)))
        string = f"tls:{self.files.folder}:port=0:interface=127.0.0.1"
        try:
            endpoint = serverFromString(reactor, string)
        except ValueError as error:
            self.assertIn("Unknown endpoint type", str(error))
            raise SkipTest("this Twisted has no tls: endpoints of servers") from error
        await self.listenAt(endpoint, self.makeServer())
        for host in ("localhost", "a.example"):
            inbox = await self.connectTo(host)
            inbox.send(host)
            self.assertEqual(await inbox.receive(), host)
            await inbox.close()

    async def test_listenSSL(self) -> None:
        """
        Certificates can be given to endpoints of Twisted that take options for TLS.
        """
        certificates = self.certificates(issue("localhost"), issue("a.example"))
        endpoint = SSL4ServerEndpoint(reactor, 0, certificates, interface="127.0.0.1")
        await self.listenAt(endpoint, self.makeServer())
        for host in ("localhost", "a.example"):
            await (await self.connectTo(host)).close()

    async def test_unix(self) -> None:
        """
        TLS can be spoken over a UNIX socket.
        """
        path = str(self.files.folder / "socket")
        below = serverFromString(reactor, f"unix:{path}")
        certificates = self.certificates(issue("localhost"))
        await self.listenAt(certificates.wrap(below), self.makeServer())
        creator = TLSPolicy(root()).creatorForNetloc(b"localhost", 443)
        endpoint = wrapClientTLS(creator, UNIXClientEndpoint(reactor, path))
        client = WebSocketClient(reactor, endpoint=endpoint)
        inbox = await client.connect("wss://localhost/")
        inbox.send("hello")
        self.assertEqual(await inbox.receive(), "hello")
        self.assertTrue(self.receivers[0].transport.request.isSecure)
        await inbox.close()

    async def test_wrapped(self) -> None:
        """
        A factory of Twisted's around the server does not keep those out who offer
        protocols, as browsers do.
        """
        limited = ThrottlingFactory(self.makeServer(), maxConnectionCount=9)
        limited.noisy = False
        await self.listenAt(self.over(self.certificates(issue("localhost"))), limited)
        context = makeContext(alpn=(b"h2", b"http/1.1"))
        peer = await self.speak(context, early=handshake() + HELLO)
        await peer.until(HELLO_REPLY)

    async def test_applicationProtocol(self) -> None:
        """
        Of the protocols that a client offers HTTP/1.1 is selected, by SNI or without.
        """
        certificates = self.certificates(issue("a.example"), issue("b.example"))
        await self.listenAt(self.over(certificates), self.makeServer())
        context = makeContext(alpn=(b"h2", b"http/1.1"))
        for name in (None, b"a.example", b"b.example", b"c.example"):
            peer = await self.speak(context, name)
            selected = peer.connection.get_alpn_proto_negotiated()
            self.assertEqual(selected, b"http/1.1", name)


class SNITests(TLSServerTests):
    """
    Several certificates.
    """

    async def serve(self) -> None:
        """
        Listen with three of them.
        """
        await self.listenAt(
            self.over(
                self.certificates(
                    issue("localhost"), issue("a.example"), issue("*.b.example")
                )
            ),
            self.makeServer(),
        )

    async def test_verified(self) -> None:
        """
        Our client finds the name that it connects to in the certificate; and no other
        that is there.
        """
        await self.serve()
        for name in ("localhost", "a.example", "x.b.example"):
            inbox = await self.connectTo(name)
            inbox.send(name)
            self.assertEqual(await inbox.receive(), name)
            await inbox.close()
        for name in ("unknown.example", "b.example", "x.x.b.example"):
            with self.assertRaises(ClosedAbruptly, msg=name):
                await self.connectTo(name)

    async def test_standardLibrary(self) -> None:
        """
        So do the clients of Python's own C{ssl}.
        """
        await self.serve()
        context = ssl.create_default_context()
        authority().configure_trust(context)
        context.check_hostname = False

        def shown(name: str | None) -> list[str]:
            address = ("127.0.0.1", self.address.port)
            with (
                create_connection(address, timeout=30) as socket,
                context.wrap_socket(socket, server_hostname=name) as wrapped,
            ):
                names = wrapped.getpeercert()["subjectAltName"]
            return [value for _, value in names]

        for name, expected in (
            (None, "localhost"),
            ("a.example", "a.example"),
            ("x.b.example", "*.b.example"),
            ("unknown.example", "localhost"),
        ):
            self.assertEqual(await deferToThread(shown, name), [expected], name)

    async def test_reload(self) -> None:
        """
        Connections outlive a reload, and new ones get what is in the files then.
        """
        certificates = self.certificates(issue("a.example"), issue("b.example"))
        await self.listenAt(self.over(certificates), self.makeServer())
        standing = await self.connectTo("b.example")
        self.files.write("1.pem", pemOf(issue("c.example")))
        certificates.reload()
        standing.send("still here")
        self.assertEqual(await standing.receive(), "still here")
        await (await self.connectTo("c.example")).close()
        with self.assertRaises(ClosedAbruptly):
            await self.connectTo("b.example")
        self.assertIsInstance(await standing.close(), ClosedCleanly)


class ClientCertificateTests(TLSServerTests):
    """
    Clients that show a certificate.
    """

    async def serve(self, isRequired: bool) -> None:
        """
        Listen.
        """
        pem = authority().cert_pem.bytes()
        certificates = self.certificates(
            issue("localhost"),
            clientAuthority=self.files.write("authority.pem", pem),
            requireClientCertificate=isRequired,
        )
        await self.listenAt(self.over(certificates), self.makeServer())

    async def test_shown(self) -> None:
        """
        The application gets the certificate that the client has shown, and C{None} from
        who has shown none, if that is allowed.
        """
        own = private(issue("client@example"))
        for isRequired in (True, False):
            await self.serve(isRequired)
            policy = TLSPolicy(root(), own)
            inbox = await self.connectTo(policy=policy)
            request = self.receivers[-1].transport.request
            self.assertEqual(
                request.peerCertificate.get_serial_number(), own.serialNumber()
            )
            await inbox.close()
        inbox = await self.connectTo()
        self.assertIsNone(self.receivers[-1].transport.request.peerCertificate)
        await inbox.close()

    async def test_refused(self) -> None:
        """
        Who shows none where it is required, or one of an unknown authority, or one that
        has expired, does not get to the application, and learns why.
        """
        stranger = TLSPolicy(root(), private(issue("client@example", by="unknown")))
        for isRequired, policy, why in (
            (True, TLSPolicy(root()), "certificate required"),
            (True, stranger, "unknown ca"),
            (False, stranger, "unknown ca"),
        ):
            await self.serve(isRequired)
            with self.assertRaises(ClosedAbruptly) as raised:
                await self.connectTo(policy=policy)
            self.assertIsInstance(raised.exception.__cause__, SSL.Error)
            self.assertIn(why, str(raised.exception))
        self.assertEqual(self.receivers, [])


class PatienceTests(TLSServerTests):
    """
    How long a server waits, by its own clock.
    """

    def setUp(self) -> None:
        TLSServerTests.setUp(self)
        self.clock = Clock()

    async def serve(self, **options: Any) -> None:
        """
        Listen.
        """
        certificates = self.certificates(issue("localhost"))
        await self.listenAt(self.over(certificates), self.makeServer(**options))

    async def silent(self, *sent: bytes) -> Peer:
        """
        Connect somebody who sends some bytes and nothing more.
        """
        peer = await connectProtocol(self.dial(), Peer())
        await self.factory.built.get()
        for data in sent:
            peer.transport.write(data)
        return peer

    def hello(self) -> bytes:
        """
        @return: the first bytes of a client of TLS.
        """
        connection = SSL.Connection(makeContext(), None)
        connection.set_connect_state()
        self.assertRaises(SSL.WantReadError, connection.do_handshake)
        return connection.bio_read(1 << 16)

    async def test_silence(self) -> None:
        """
        Within C{handshakeTimeout} goes who says nothing, or half a ClientHello, or a
        whole one, or does not go on after the TLS handshake, or with a head of a
        request; whatever came meanwhile.
        """
        await self.serve(handshakeTimeout=10)
        hello = self.hello()
        nobody = await self.silent()
        half = await self.silent(hello[:100])
        whole = await self.silent(hello)
        await whole.until(b"\x16\x03\x03")
        established = await self.speak()
        self.clock.advance(9)
        half.transport.write(hello[100:])
        await half.until(b"\x16\x03\x03")
        self.clock.advance(1.1)
        lost = await gatherResults(
            [peer.whenLost for peer in (nobody, half, whole, established)]
        )
        for reason in lost:
            self.assertIsInstance(reason, (ConnectionLost, SSL.Error))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def test_silenceInSite(self) -> None:
        """
        In a Site, it is the Site that does not wait for ever.
        """
        certificates = self.certificates(issue("localhost"))
        site = self.makeServer(inSite=True)
        await self.listenAt(self.over(certificates), site)
        whole = await connectProtocol(self.dial(), Peer())
        whole.transport.write(self.hello())
        await whole.until(b"\x16\x03\x03")
        established = await self.speak()
        self.clock.advance(site.timeOut)
        await gatherResults([whole.whenLost, established.whenLost])

    async def test_partialHead(self) -> None:
        """
        Who has sent a part of the head over TLS is told that it took too long.
        """
        await self.serve(handshakeTimeout=10)
        peer = await self.speak()
        protocol = await self.factory.built.get()
        arrived: Deferred[bytes] = Deferred()
        self.patch(protocol, "headBegan", arrived.callback)
        peer.send(handshake()[:20])
        self.assertEqual(await arrived, b"GET / HTTP/1.1")
        self.clock.advance(10)
        await peer.until(b"HTTP/1.1 408 ")
        self.assertIsInstance(await peer.whenLost, SSL.ZeroReturnError)

    async def test_plainPort(self) -> None:
        """
        Who speaks TLS to a port without it goes within C{handshakeTimeout}.
        """
        endpoint = serverFromString(reactor, "tcp:0:interface=127.0.0.1")
        await self.listenAt(endpoint, self.makeServer(handshakeTimeout=10))
        peer = await self.silent(self.hello())
        self.clock.advance(10)
        await peer.whenLost
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def test_noGoodbye(self) -> None:
        """
        A peer that never answers a goodbye, in TLS or before, is dropped after
        C{closeTimeout}.
        """
        await self.serve(closeTimeout=5)
        peer = await self.speak(early=handshake())
        await peer.until(GREETING)
        server = await self.receiver()
        server.transport.close(1000)
        await peer.until(b"\x88\x02\x03\xe8")
        self.assertFalse(server.whenLost.called)
        self.clock.advance(5)
        self.assertIsInstance(await server.whenLost, ClosedAbruptly)
        await peer.whenLost
        self.assertEqual(self.clock.getDelayedCalls(), [])
