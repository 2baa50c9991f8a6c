# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The same endings as in memory, over TCP and over TLS: L{twisted_ws.client} with the real
reactor.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from socket import socket
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults, inlineCallbacks
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.ssl import Certificate, PrivateCertificate
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from twisted.web.client import BrowserLikePolicyForHTTPS

from twisted_ws import ClientConfig, WebSocketClient, connect
from twisted_ws.testing import RecordingReceiver

from .endings import PLAIN, TLS
from .fakeserver import TURNS, FakeResolver, FakeServerFactory, Send
from .outcomes import TIMED_OUT, Ending, Lost, Opened, testEach
from .responses import switch

try:
    import trustme
except ImportError:
    trustme = None

SHORT = ClientConfig(handshakeTimeout=0.4)
"""
For endings at the deadline that come whatever else has happened by then.
"""

LESS_SHORT = ClientConfig(handshakeTimeout=1)
"""
For those before which something has to happen.
"""

SECOND = 0.02
"""
How long a second of a script is here.
"""


DAY = timedelta(days=1)


def handmade(host: str | None, authority: Any = None) -> bytes:
    """
    Make a certificate that trustme would not.

    @param host: the IP address that it names, C{None} for none.
    @param authority: what signs it, by default it does itself.
    @return: it and its key.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    issuer, issuerKey = name, key
    if authority is not None:
        signer = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
        issuer = signer.subject
        issuerKey = load_pem_private_key(authority.private_key_pem.bytes(), None)
    now = datetime.now(timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
    )
    if host is not None:
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))])
        builder = builder.add_extension(names, critical=False)
    made = builder.sign(issuerKey, hashes.SHA256())
    return made.public_bytes(Encoding.PEM) + key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )


class _Receiver(RecordingReceiver):
    """
    @ivar whenLost: fires when the connection is gone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.whenLost: Deferred[None] = Deferred()

    def connectionLost(self, reason: Any = None) -> None:
        super().connectionLost(reason)
        self.whenLost.callback(None)


def contents() -> set[Any]:
    """
    @return: what is in the reactor.
    """
    return {
        *reactor.getReaders(),
        *reactor.getWriters(),
        *reactor.getDelayedCalls(),
    }


class _Endings(TestCase):
    """
    Plays rows.  What it finds left in the reactor it reports with the row's name;
    trial itself would fail a test that leaves something, too.
    """

    timeout = 120
    port: Any = None
    tlsPolicy: Any = None

    def options(self, certificate: str) -> Any:
        """
        @return: the TLS options of a server that has a certificate.
        """
        raise NotImplementedError

    def place(self, row: Ending, server: FakeServerFactory) -> str:
        """
        Set up what the row says.

        @return: the URL to connect to.
        """
        scheme = "wss" if row.isSecure else "ws"
        if row.network in ("unknown", "unresolved"):
            resolver = FakeResolver(isSilent=row.network == "unresolved")
            former = reactor.installNameResolver(resolver)
            self.addCleanup(reactor.installNameResolver, former)
            return f"{scheme}://server.invalid/"
        if row.network == "ignores" or row.cancelled:
            return f"{scheme}://127.0.0.1:{self.deafPort()}/"
        if row.certificate is None:
            port = reactor.listenTCP(0, server, interface="127.0.0.1")
        else:
            options = self.options(row.certificate)
            port = reactor.listenSSL(0, server, options, interface="127.0.0.1")
        self.port = port
        if row.network == "refuses":
            port.stopListening()
        return f"{scheme}://127.0.0.1:{port.getHost().port}/"

    def deafPort(self) -> int:
        """
        @return: the number of a port that lets connections wait for ever: its queue is
            full.
        """
        listening = socket()
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        address = listening.getsockname()
        self.addCleanup(listening.close)
        for _ in range(3):
            waiting = socket()
            waiting.setblocking(False)
            waiting.connect_ex(address)
            self.addCleanup(waiting.close)
        return int(address[1])

    @inlineCallbacks
    def play(self, row: Ending) -> Iterator[Any]:
        yield self.turn()
        before = contents()
        server = FakeServerFactory(
            row.script, reactor, readsRequest=row.readsRequest, second=SECOND
        )
        self.addCleanup(self.clean, server)
        url = self.place(row, server)
        config = None
        if row.atDeadline:
            config = SHORT if row.expected is TIMED_OUT else LESS_SHORT
        client = WebSocketClient(reactor, config, self.tlsPolicy)
        receiver = _Receiver()
        results: list[Any] = []
        ended: Deferred[None] = Deferred()
        opened = client.connect(url, receiver, protocols=row.protocols)
        opened.addBoth(results.append)
        opened.addCallback(ended.callback)
        server.cancel = opened.cancel
        if row.cancelled:
            opened.cancel()

        yield ended
        yield self.turn()
        row.expected.check(self, row.name, results[0], receiver)
        if isinstance(row.expected, Opened):
            if row.expected.ended is None:
                row.expected.checkReceiver(self, row.name, receiver)
                receiver.transport.abortConnection()
            yield receiver.whenLost
            if row.expected.ended is not None:
                row.expected.checkReceiver(self, row.name, receiver)
        # The servers do nothing for it: the client has to let go of them.
        yield gatherResults([each.whenLost for each in server.servers])
        if self.port is not None:
            yield self.port.stopListening()
        yield self.turn()
        self.assertEqual(contents() - before, set(), row.name)
        self.assertEqual(len(results), 1, row.name)
        self.assertEqual(receiver.losses, receiver.made, row.name)

    @inlineCallbacks
    def turn(self) -> Iterator[Any]:
        """
        Let the reactor do what is to be done.
        """
        for _ in range(TURNS):
            yield deferLater(reactor, 0)

    @inlineCallbacks
    def clean(self, server: FakeServerFactory) -> Iterator[Any]:
        """
        Leave nothing of a test that failed.
        """
        if self.port is not None:
            yield self.port.stopListening()
        for each in server.servers:
            if not each.whenLost.called:
                each.transport.abortConnection()
        yield self.turn()


@testEach(PLAIN)
class TCPTests(_Endings):
    """
    Each row, over TCP.
    """

    @inlineCallbacks
    def test_connecting(self):
        """
        To cancel an endpoint of TCP while it connects cancels.
        """
        yield self.turn()
        before = contents()
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self.deafPort())
        client = WebSocketClient(reactor, endpoint=endpoint)
        opened = client.connect("ws://server.example/")
        results: list[Any] = []
        opened.addErrback(results.append)
        yield self.turn()
        self.assertEqual(results, [])
        opened.cancel()
        self.assertEqual(len(results), 1)
        yield self.turn()
        self.assertEqual(contents() - before, set())

    @inlineCallbacks
    def test_globalReactor(self):
        """
        The function C{connect} connects with the global reactor by default.
        """
        server = FakeServerFactory([Send(switch())], reactor)
        port = reactor.listenTCP(0, server, interface="127.0.0.1")
        receiver = _Receiver()
        url = f"ws://127.0.0.1:{port.getHost().port}/"
        self.assertIs((yield connect(url, receiver)), receiver)
        receiver.transport.abortConnection()
        yield receiver.whenLost
        yield server.servers[0].whenLost
        yield port.stopListening()


@testEach(TLS)
class TLSTests(_Endings):
    """
    The rows about TLS, on a platform that trusts one authority.
    """

    if trustme is None:
        skip = "trustme is not installed"

    _authority: Any = None

    def setUp(self) -> None:
        if TLSTests._authority is None:
            TLSTests._authority = trustme.CA()
        self.authority = TLSTests._authority
        path = self.mktemp()
        self.authority.cert_pem.write_to_path(path)
        self.trust(path)

    def trust(self, path: str) -> None:
        """
        Have OpenSSL trust the authorities in a file, and no other.
        """
        for name, value in (("SSL_CERT_FILE", path), ("SSL_CERT_DIR", self.mktemp())):
            former = os.environ.get(name)
            os.environ[name] = value
            if former is None:
                self.addCleanup(os.environ.pop, name)
            else:
                self.addCleanup(os.environ.__setitem__, name, former)

    def options(self, certificate: str) -> Any:
        if certificate == "self-signed":
            pem = handmade("127.0.0.1")
        elif certificate == "no host":
            pem = handmade(None, self.authority)
        else:
            now = datetime.now(timezone.utc)
            authority, host, times = {
                "good": (self.authority, "127.0.0.1", {}),
                "unknown authority": (trustme.CA(), "127.0.0.1", {}),
                "other host": (self.authority, "other.example", {}),
                "expired": (
                    self.authority,
                    "127.0.0.1",
                    {"not_before": now - 2 * DAY, "not_after": now - DAY},
                ),
            }[certificate]
            made = authority.issue_cert(host, **times)
            pem = made.private_key_and_cert_chain_pem.bytes()
        return PrivateCertificate.loadPEM(pem).options()

    def test_ownPolicy(self):
        """
        A TLS policy of one's own trusts whom it trusts, not whom the platform does.
        """
        self.trust(os.devnull)
        root = Certificate.loadPEM(self.authority.cert_pem.bytes())
        self.tlsPolicy = BrowserLikePolicyForHTTPS(trustRoot=root)
        return self.play(next(row for row in TLS if row.certificate == "good"))

    def test_platformTrust(self):
        """
        An authority that the platform does not trust is not trusted.
        """
        self.trust(os.devnull)
        return self.play(
            Ending(
                "A private authority",
                (),
                Lost(SSL.Error, "certificate verify failed"),
                isSecure=True,
                certificate="good",
            )
        )
