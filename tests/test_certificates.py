# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Which certificate a server shows, and what it asks clients for:
L{twisted_ws.certificates}, in memory.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.interfaces import (
    IOpenSSLServerConnectionCreator,
    IProtocolNegotiationFactory,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactor
from twisted.protocols.policies import WrappingFactory
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer
from zope.interface.verify import verifyObject

from twisted_ws import ServerCertificates

from .tlsmemory import CertificatesTests, pump, serial
from .tlspeers import (
    TLS_1_2,
    TLS_1_3,
    authority,
    issue,
    makeContext,
    pemOf,
    trustme,
)

OP_ALLOW_CLIENT_RENEGOTIATION = 1 << 8
"""
An option of OpenSSL 3, which pyOpenSSL has no name for.
"""


@implementer(IProtocolNegotiationFactory)
class Negotiating(Factory):
    """
    Accepts these protocols, the first of them first.
    """

    def __init__(self, *accepted: bytes) -> None:
        self.accepted = accepted

    def acceptableProtocols(self) -> list[bytes]:
        return list(self.accepted)


class ChoiceTests(CertificatesTests):
    """
    The certificate is chosen by SNI, the protocol by ALPN.
    """

    def test_interface(self) -> None:
        """
        It is what Twisted takes for the TLS of a server.
        """
        server = self.serve(issue("a.example"))
        verifyObject(IOpenSSLServerConnectionCreator, server)
        endpoint = TCP4ServerEndpoint(MemoryReactor(), 0)
        verifyObject(IStreamServerEndpoint, server.wrap(endpoint))

    def test_names(self) -> None:
        """
        A client gets the certificate with the name that it asks for, an exact name
        before a wildcard, which stands for one label; or the first one.
        """
        first = issue("a.example", "www.a.example", "192.0.2.1")
        wild = issue("*.b.example", "b.example")
        exact = issue("exact.b.example")
        inner = issue("*.c.b.example", "a.example")
        server = self.serve(first, wild, exact, inner)
        for name, expected in (
            (None, first),
            (b"a.example", first),
            (b"www.a.example", first),
            (b"b.example", wild),
            (b"any.b.example", wild),
            (b"ANY.B.Example", wild),
            (b"*.b.example", wild),
            (b"exact.b.example", exact),
            (b"EXACT.b.example", exact),
            (b"x.exact.b.example", first),
            (b"x.any.b.example", first),
            (b"x.c.b.example", inner),
            (b"c.b.example", wild),
            (b".b.example", wild),
            (b"unknown.example", first),
            (b"example", first),
            (b"192.0.2.1", first),
            (b"b.example.", first),
            (b"xn--bcher-kva.b.example", wild),
            (b"b\xfccher.example", first),
            (b"a" * 255, first),
            (b"../../etc/passwd", first),
        ):
            self.assertEqual(self.shown(server, name), serial(expected), name)

    def test_onlyOne(self) -> None:
        """
        One certificate without any name is for everybody.
        """
        nameless = issue("someone@example.com")
        server = self.serve(nameless)
        for name in (None, b"a.example"):
            self.assertEqual(self.shown(server, name), serial(nameless))

    def test_chain(self) -> None:
        """
        What stands behind a certificate in its file is sent along.
        """
        below = authority().create_child_ca()
        first, second = issue("a.example"), below.issue_cert("b.example")
        self.assertEqual(len(second.cert_chain_pems), 2)
        server = self.serve(first, second)
        client = self.dial(name=b"b.example")
        pump(client, self.accept(server))
        chain = client.get_peer_cert_chain()
        self.assertEqual(len(chain), 2)
        self.assertEqual(chain[0].get_serial_number(), serial(second))

    def test_kinds(self) -> None:
        """
        Keys of RSA and of elliptic curves stand beside each other, in TLS 1.2 and 1.3.
        """
        kinds = (trustme.KeyType.RSA, trustme.KeyType.ECDSA)
        issued = [
            issue(f"{number}.example", key_type=kind)
            for number, kind in enumerate(kinds)
        ]
        server = self.serve(*issued)
        for version in (TLS_1_2, TLS_1_3):
            for number, each in enumerate(issued):
                client = self.dial(
                    makeContext(oldest=version, newest=version), b"%d.example" % number
                )
                pump(client, self.accept(server))
                certificate = client.get_peer_certificate()
                self.assertEqual(certificate.get_serial_number(), serial(each))
                self.assertEqual(client.get_protocol_version(), version)

    def test_protocols(self) -> None:
        """
        The protocol that the factory likes best is selected, whichever certificate is
        shown; none if a client offers none, or if the factory does not care.
        """
        server = self.serve(issue("a.example"), issue("b.example"))
        h1, h2 = b"http/1.1", b"h2"
        for factory, offered, expected in (
            (Negotiating(h1), (h1,), h1),
            (Negotiating(h1), (h2, h1), h1),
            (Negotiating(h1), (), b""),
            (Negotiating(h2, h1), (h1, h2), h2),
            (Negotiating(h2, h1), (h1,), h1),
            (Factory(), (h2, h1), b""),
            (WrappingFactory(Negotiating(h1)), (h1,), b""),
        ):
            for name in (None, b"a.example", b"b.example"):
                client = self.dial(makeContext(alpn=offered), name)
                pump(client, self.accept(server, factory))
                found = client.get_alpn_proto_negotiated()
                self.assertEqual(found, expected, (factory, offered, name))

    def test_noProtocol(self) -> None:
        """
        A client that offers only what the factory does not accept is told so.
        """
        server = self.serve(issue("a.example"), issue("b.example"))
        for name in (None, b"b.example"):
            client = self.dial(makeContext(alpn=(b"h2", b"smtp")), name)
            end = self.accept(server, Negotiating(b"http/1.1"))
            error = self.assertRaises(SSL.Error, pump, client, end)
            self.assertIn("no protocol that the client offers", str(error))
            client.bio_write(end.bio_read(1 << 16))
            error = self.assertRaises(SSL.Error, client.do_handshake)
            self.assertIn("no application protocol", str(error))

    def test_twoFactories(self) -> None:
        """
        Two ports can have the same certificates and accept different protocols.
        """
        server = self.serve(issue("a.example"))
        pairs = []
        for protocol in (b"h2", b"http/1.1"):
            client = self.dial(makeContext(alpn=(b"h2", b"http/1.1")))
            pairs.append((client, self.accept(server, Negotiating(protocol)), protocol))
        for client, end, protocol in pairs:
            pump(client, end)
            self.assertEqual(client.get_alpn_proto_negotiated(), protocol)

    def test_renegotiation(self) -> None:
        """
        A client that asks for another handshake is told no, also where OpenSSL itself
        would let it.
        """
        original = SSL.Context.__init__

        def willing(context: SSL.Context, method: int) -> None:
            original(context, method)
            context.set_options(OP_ALLOW_CLIENT_RENEGOTIATION)

        self.patch(SSL.Context, "__init__", willing)
        server = self.serve(issue("a.example"), issue("b.example"))
        for name in (b"a.example", b"b.example"):
            client = self.dial(makeContext(newest=TLS_1_2), name)
            end = self.accept(server)
            pump(client, end)
            client.renegotiate()
            self.assertRaises(SSL.WantReadError, client.do_handshake)
            end.bio_write(client.bio_read(1 << 16))
            self.assertRaises(SSL.WantReadError, end.recv, 1)
            client.bio_write(end.bio_read(1 << 16))
            error = self.assertRaises(SSL.Error, client.do_handshake)
            self.assertIn("no renegotiation", str(error))
            self.assertEqual(end.total_renegotiations(), 0)


class ClientAuthorityTests(CertificatesTests):
    """
    Clients can be asked for a certificate.
    """

    def authorityFile(self, *names: str) -> str:
        """
        @return: the path of a file with the certificates of these authorities.
        """
        pems = [authority(name).cert_pem.bytes() for name in names]
        return self.files.write("authority.pem", b"".join(pems))

    def meet(self, server: ServerCertificates, context: Any, name: Any) -> Any:
        """
        @return: the certificate that the server got from a client.
        """
        end = self.accept(server)
        pump(self.dial(context, name), end)
        return end.get_peer_certificate()

    def test_matrix(self) -> None:
        """
        A client is asked only if there is an authority; who shows none is refused if
        one is required; who shows a wrong one is refused in any case; whichever
        certificate the server shows.
        """
        issued = (issue("a.example"), issue("b.example"))
        known, unknown = issue("client@example"), issue("client@example", by="unknown")
        path = self.authorityFile("known")
        refused = object()
        for options, shows, expected in (
            ({}, None, None),
            ({}, known, None),
            ({}, unknown, None),
            ({"requireClientCertificate": True}, None, None),
            ({"clientAuthority": path}, None, refused),
            ({"clientAuthority": path}, known, known),
            ({"clientAuthority": path}, unknown, refused),
            (
                {"clientAuthority": path, "requireClientCertificate": False},
                None,
                None,
            ),
            (
                {"clientAuthority": path, "requireClientCertificate": False},
                known,
                known,
            ),
            (
                {"clientAuthority": path, "requireClientCertificate": False},
                unknown,
                refused,
            ),
        ):
            server = self.serve(*issued, **options)
            for version in (TLS_1_2, TLS_1_3):
                for name in (None, b"b.example"):
                    context = makeContext(shows, oldest=version, newest=version)
                    case = (options, shows, version, name)
                    if expected is refused:
                        with self.assertRaises(SSL.Error, msg=case):
                            self.meet(server, context, name)
                        continue
                    got = self.meet(server, context, name)
                    if expected is None:
                        self.assertIsNone(got, case)
                    else:
                        number = got.get_serial_number()
                        self.assertEqual(number, serial(expected), case)

    def test_severalAuthorities(self) -> None:
        """
        The file can hold several authorities.
        """
        path = self.authorityFile("known", "other")
        server = self.serve(issue("a.example"), clientAuthority=path)
        for name in ("known", "other"):
            shown = issue("client@example", by=name)
            got = self.meet(server, makeContext(shown), None)
            self.assertEqual(got.get_serial_number(), serial(shown))

    def test_reload(self) -> None:
        """
        The authority is read again, too.
        """
        path = self.authorityFile("known")
        server = self.serve(issue("a.example"), clientAuthority=path)
        context = makeContext(issue("client@example", by="other"))
        self.assertRaises(SSL.Error, self.meet, server, context, None)
        self.authorityFile("other")
        server.reload()
        self.assertIsNotNone(self.meet(server, context, None))


class ReloadTests(CertificatesTests):
    """
    Files are read again.
    """

    def test_renewed(self) -> None:
        """
        After a reload new connections get the new certificate, also one for a name that
        was unknown; those that stand, or are about to, have the old one.
        """
        old = issue("a.example")
        server = self.serve(old, issue("b.example"))
        context = makeContext()
        standing, end = self.dial(context), self.accept(server)
        pump(standing, end)
        early = self.accept(server)

        new = authority().issue_cert("c.example", "a.example")
        self.files.write("0.pem", pemOf(new))
        self.assertEqual(self.shown(server, b"c.example"), serial(old))
        server.reload()
        self.assertEqual(self.shown(server), serial(new))
        self.assertEqual(self.shown(server, b"c.example"), serial(new))
        self.assertEqual(self.shown(server, b"b.example"), serial(issue("b.example")))

        late = self.dial(context, b"a.example")
        pump(late, early)
        self.assertEqual(late.get_peer_certificate().get_serial_number(), serial(old))
        standing.send(b"hello")
        end.bio_write(standing.bio_read(1 << 16))
        self.assertEqual(end.recv(100), b"hello")

    def test_broken(self) -> None:
        """
        When a file is broken, or gone, all stays as it was.
        """
        issued = [issue(f"{name}.example") for name in "abc"]
        server = self.serve(*issued)
        self.files.write("0.pem", pemOf(issue("d.example")))
        self.files.write("1.pem", b"half a certifica")
        self.assertRaises(ValueError, server.reload)
        (self.files.folder / "1.pem").unlink()
        self.assertRaises(OSError, server.reload)
        for name, each in zip("abc", issued, strict=True):
            host = f"{name}.example".encode()
            self.assertEqual(self.shown(server, host), serial(each))
        self.assertEqual(self.shown(server, b"d.example"), serial(issued[0]))


class EndpointTests(CertificatesTests):
    """
    L{ServerCertificates.wrap}.
    """

    def test_listen(self) -> None:
        """
        The other endpoint listens, with TLS in between; what it comes to is handed on.
        """
        listened = []

        class Endpoint:
            def listen(self, factory: Any) -> str:
                listened.append(factory)
                return "what comes of it"

        factory = Factory()
        wrapped = self.serve(issue("a.example")).wrap(Endpoint())
        self.assertEqual(wrapped.listen(factory), "what comes of it")
        (between,) = listened
        self.assertIsInstance(between, TLSMemoryBIOFactory)
        self.assertIs(between.wrappedFactory, factory)
