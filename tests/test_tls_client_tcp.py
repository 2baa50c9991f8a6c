# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Whom a client trusts over TLS, and what it shows, with sockets: L{TLSPolicy}.
Certificates that are refused by default are among the rows of C{test_client_tcp}.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from service_identity import CertificateError, VerificationError
from twisted.internet import reactor
from twisted.internet.endpoints import SSL4ServerEndpoint, serverFromString
from twisted.internet.error import VerifyError
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import (
    Certificate,
    PrivateCertificate,
    trustRootFromCertificates,
)
from twisted.protocols.policies import WrappingFactory
from twisted.web.client import (
    Agent,
    BrowserLikePolicyForHTTPS,
    ResponseFailed,
    readBody,
)
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import Data
from zope.interface import implementer

from twisted_ws import (
    ClosedAbruptly,
    ServerCertificates,
    ServerConfig,
    TLSPolicy,
    WebSocketClient,
    WebSocketFactory,
    WebSocketResource,
)
from twisted_ws.tls import pinOf

from .sockets import Ending
from .test_client_tcp import handmade
from .tlspeers import (
    TLS_1_0,
    TLS_1_1,
    TLS_1_2,
    TLS_1_3,
    Spoken,
    authority,
    issue,
    makeContext,
    pemOf,
    pin,
    private,
    root,
)
from .tlsservers import TLSServerTests

try:
    import priority
except ImportError:
    priority = None


class ConnectTests(TLSServerTests):
    """
    Connections to servers.
    """

    async def serve(self, *issued: Any, **options: Any) -> None:
        """
        Listen.
        """
        certificates = self.certificates(*issued, **options)
        await self.listenAt(self.over(certificates), self.makeServer())

    async def assertConnects(self, host: str, policy: Any, case: Any = None) -> None:
        """
        Check that a policy takes a server's certificate.
        """
        inbox = await self.connectTo(host, policy)
        inbox.send("hello")
        self.assertEqual(await inbox.receive(), "hello", case)
        await inbox.close()

    async def assertRefuses(
        self, host: str, policy: Any, kind: Any, says: str = "", case: Any = None
    ) -> None:
        """
        Check that a policy does not take it, and that the failure says why.
        """
        count = len(self.receivers)
        with self.assertRaises(ClosedAbruptly, msg=case) as raised:
            await self.connectTo(host, policy)
        self.assertIsInstance(raised.exception.__cause__, kind, case)
        self.assertIn(says, str(raised.exception))
        self.assertEqual(len(self.receivers), count, case)

    async def test_trustRoots(self) -> None:
        """
        Who is trusted can be said in three ways; nobody else is trusted then.
        """
        await self.serve(issue("localhost"))
        pem = [authority(name).cert_pem.bytes() for name in ("known", "unknown")]
        both = trustRootFromCertificates([root("unknown"), root()])
        for trustRoot in (root(), both, pem[0], b"\n".join(reversed(pem))):
            await self.assertConnects("localhost", TLSPolicy(trustRoot), trustRoot)
        for trustRoot in (root("unknown"), pem[1], None):
            await self.assertRefuses(
                "localhost",
                TLSPolicy(trustRoot),
                SSL.Error,
                "certificate verify failed",
                trustRoot,
            )

    async def test_addresses(self) -> None:
        """
        A host that is an address has to be named as one.
        """
        await self.serve(issue("127.0.0.1", "2001:db8::1"))
        policy = TLSPolicy(root())
        for host in ("127.0.0.1", "[2001:db8::1]"):
            await self.assertConnects(host, policy, host)
        for host in ("127.0.0.2", "[2001:db8::2]", "localhost"):
            await self.assertRefuses(host, policy, VerificationError, case=host)
        await self.serve(issue("*.0.0.1.example"))
        await self.assertRefuses("127.0.0.1", policy, VerificationError)

    async def test_names(self) -> None:
        """
        A wildcard stands for one label; a name that was not asked for does not count.
        """
        await self.serve(issue("*.a.example", "xn--bcher-kva.example"))
        policy = TLSPolicy(root())
        for host in ("x.a.example", "xn--bcher-kva.example", "X.A.example"):
            await self.assertConnects(host, policy, host)
        for host in ("a.example", "x.x.a.example", "x.b.example"):
            await self.assertRefuses(host, policy, VerificationError, case=host)

    async def test_pins(self) -> None:
        """
        A certificate that is verified needs a pinned key: the server's, or that of an
        authority in between or at the end; others may be pinned besides.
        """
        between = authority().create_child_ca()
        own = between.issue_cert("localhost")
        await self.serve(own)
        pins = {
            "own": pin(own),
            "between": pinOf(Certificate.loadPEM(between.cert_pem.bytes())),
            "root": pinOf(root()),
            "other": pin(issue("other.example")),
        }
        for names, isRight in (
            (["own"], True),
            (["between"], True),
            (["root"], True),
            (["other", "own"], True),
            (["other", "root"], True),
            (["own", "between", "root"], True),
            (["other"], False),
        ):
            policy = TLSPolicy(root(), pins=[pins[name] for name in names])
            if isRight:
                await self.assertConnects("localhost", policy, names)
                continue
            says = f"of localhost has a key that is pinned; its own has {pins['own']}"
            await self.assertRefuses("localhost", policy, VerifyError, says, names)

    async def test_pinsAreNotEnough(self) -> None:
        """
        A pinned key does not make good a certificate for another host or by another
        authority.
        """
        for issued, kind in (
            (issue("other.example"), VerificationError),
            (issue("localhost", by="unknown"), SSL.Error),
        ):
            await self.serve(issued)
            policy = TLSPolicy(root(), pins=[pin(issued)])
            await self.assertRefuses("localhost", policy, kind)

    async def test_pinBesides(self) -> None:
        """
        A certificate that a server sends along, and that vouches for nothing, is not
        what was pinned.
        """
        stranger = root("unknown")
        pem = pemOf(issue("localhost")) + stranger.dumpPEM()
        certificates = ServerCertificates([self.files.write("both.pem", pem)])
        await self.listenAt(self.over(certificates), self.makeServer())
        peer = await self.speak()
        self.assertEqual(len(peer.connection.get_peer_cert_chain()), 2)
        policy = TLSPolicy(root(), pins=[pinOf(stranger)])
        await self.assertRefuses("localhost", policy, VerifyError)

    async def test_clientCertificate(self) -> None:
        """
        What the client shows can be said in two ways; in PEM format with the
        authorities in between.
        """
        path = self.files.write("authority.pem", authority().cert_pem.bytes())
        await self.serve(issue("localhost"), clientAuthority=path)
        own = issue("client@example")
        below = authority().create_child_ca().issue_cert("client@example")
        for shown in (private(own), pemOf(own), pemOf(below)):
            policy = TLSPolicy(root(), shown)
            await self.assertConnects("localhost", policy)
            certificate = self.receivers[-1].transport.request.peerCertificate
            if isinstance(shown, bytes):
                shown = PrivateCertificate.loadPEM(shown)
            self.assertEqual(certificate.get_serial_number(), shown.serialNumber())
        alone = TLSPolicy(root(), private(below))
        await self.assertRefuses("localhost", alone, SSL.Error, "unknown ca")

    async def spoken(self, version: int) -> list[Spoken]:
        """
        Listen with a server that speaks one version only.

        @return: the ends of its connections, as they come.
        """
        ends: list[Spoken] = []
        context = makeContext(
            issue("localhost"), oldest=version, newest=version, trusts=None
        )

        def build() -> Spoken:
            ends.append(Spoken(context, isServer=True))
            return ends[-1]

        await self.listenPlain(Factory.forProtocol(build))
        return ends

    async def listenPlain(self, factory: Factory) -> None:
        """
        Listen without TLS.
        """
        factory.noisy = False
        self.makeServer()
        endpoint = serverFromString(reactor, "tcp:0:interface=127.0.0.1")
        await self.listenAt(endpoint, factory)

    async def test_oldVersions(self) -> None:
        """
        TLS 1.0 and TLS 1.1 are not offered to servers that speak nothing else.
        """
        for version in (TLS_1_0, TLS_1_1):
            ends = await self.spoken(version)
            # It can do what it claims to.
            await self.speak(makeContext(oldest=version, newest=version))
            await ends.pop().established
            for policy in (TLSPolicy(root()), BrowserLikePolicyForHTTPS(root())):
                await self.assertRefuses(
                    "localhost", policy, SSL.Error, "alert protocol version", version
                )
                await self.assertFailure(ends[-1].established, SSL.Error)
                await ends[-1].whenLost

    async def test_downgrade(self) -> None:
        """
        A server that answers with TLS 1.0 or TLS 1.1 though nobody has offered it is
        refused.
        """
        for minor in (0, 1):
            version = bytes([3, minor])
            hello = version + b"r" * 32 + b"\x00\xc0\x13\x00"
            hello = b"\x02\x00\x00" + bytes([len(hello)]) + hello
            record = b"\x16" + version + b"\x00" + bytes([len(hello)]) + hello

            class Downgrading(Protocol):
                answer = record

                def dataReceived(self, data: bytes) -> None:
                    self.transport.write(self.answer)

            await self.listenPlain(Factory.forProtocol(Downgrading))
            await self.assertRefuses(
                "localhost", TLSPolicy(root()), SSL.Error, "unsupported protocol", minor
            )

    async def test_versions(self) -> None:
        """
        Servers that speak only TLS 1.2, or only TLS 1.3, are fine.
        """

        @implementer(IOpenSSLServerConnectionCreator)
        class Creator:
            def __init__(self, version: int) -> None:
                self.context = makeContext(
                    issue("localhost"), oldest=version, newest=version, trusts=None
                )

            def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
                return SSL.Connection(self.context, None)

        for version in (TLS_1_2, TLS_1_3):
            endpoint = SSL4ServerEndpoint(
                reactor, 0, Creator(version), interface="127.0.0.1"
            )
            await self.listenAt(endpoint, WrappingFactory(self.makeServer()))
            await self.assertConnects("localhost", TLSPolicy(root()), version)

    async def test_foreignPolicy(self) -> None:
        """
        A policy of Twisted's web client is held to names, too.
        """
        policy = BrowserLikePolicyForHTTPS(root())
        ours = WebSocketClient(reactor, tlsPolicy=policy)
        for host, isRight in (("127.0.0.1", True), ("192.0.2.1", False), (None, False)):
            own = PrivateCertificate.loadPEM(handmade(host, authority()))
            endpoint = SSL4ServerEndpoint(
                reactor, 0, own.options(), interface="127.0.0.1"
            )
            await self.listenAt(endpoint, self.makeServer())
            url = f"wss://127.0.0.1:{self.address.port}/"
            if isRight:
                await (await ours.connect(url)).close()
                continue
            with self.assertRaises(ClosedAbruptly, msg=host) as raised:
                await ours.connect(url)
            cause = raised.exception.__cause__
            self.assertIsInstance(cause, (VerificationError, CertificateError), host)


class WebTests(TLSServerTests):
    """
    Beside HTTP.
    """

    async def serve(self) -> None:
        """
        Listen with a Site that has a page, and a WebSocket.
        """
        self.factory = WebSocketFactory(Ending, ServerConfig())
        tree = Resource()
        tree.putChild(b"", WebSocketResource(self.factory))
        tree.putChild(b"page", Data(b"a page", "text/plain"))
        site = Site(tree)
        site.noisy = False
        await self.listenAt(self.over(self.certificates(issue("localhost"))), site)

    async def test_preferringHTTP2(self) -> None:
        """
        A server that would prefer HTTP/2 speaks HTTP/1.1 with our client.
        """
        if priority is None:
            self.skipTest("h2 and priority are not installed")
        await self.serve()
        peer = await self.speak(makeContext(alpn=(b"http/1.1", b"h2")))
        self.assertEqual(peer.connection.get_alpn_proto_negotiated(), b"h2")
        inbox = await self.connectTo()
        inbox.send("hello")
        self.assertEqual(await inbox.receive(), "hello")
        await inbox.close()

    async def test_agent(self) -> None:
        """
        Twisted's HTTP client takes the same policy.
        """
        await self.serve()
        url = f"https://localhost:{self.address.port}/page".encode()
        right = TLSPolicy(root(), pins=[pin(issue("localhost"))])
        response = await Agent(reactor, right).request(b"GET", url)
        self.assertEqual(await readBody(response), b"a page")
        wrong = TLSPolicy(root(), pins=[pin(issue("other.example"))])
        with self.assertRaises(ResponseFailed) as raised:
            await Agent(reactor, wrong).request(b"GET", url)
        (reason,) = raised.exception.reasons
        self.assertIsInstance(reason.value, VerifyError)
