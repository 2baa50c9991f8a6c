# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What a L{TLSPolicy} is made from, and what it does in a handshake; in memory.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from OpenSSL import SSL
from twisted.internet.defer import CancelledError
from twisted.internet.ssl import (
    optionsForClientTLS,
)
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface.verify import verifyObject

from twisted_ws import (
    TLSPolicy,
    WebSocketClient,
    client,
)
from twisted_ws.tls import insist, pinOf

from .fakeserver import MemoryNetwork
from .tlsmemory import pump
from .tlspeers import (
    TLS_1_2,
    issue,
    makeContext,
    pin,
    private,
    root,
    trustme,
)

ALERT = 21
"""
The type of a TLS record that holds an alert (RFC 5246 section 6.2.1).
"""


class PolicyTests(SynchronousTestCase):
    """
    What a policy is made from.
    """

    if trustme is None:
        skip = "trustme is not installed"

    def test_interface(self) -> None:
        """
        It is what Twisted's HTTP clients take, too.
        """
        verifyObject(IPolicyForHTTPS, TLSPolicy())

    def test_pinOf(self) -> None:
        """
        A pin is the SHA-256 digest of the SubjectPublicKeyInfo, in base64.
        """
        for kind in trustme.KeyType:
            certificate = private(issue("a.example", key_type=kind))
            key = certificate.original.to_cryptography().public_key()
            spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            expected = b64encode(sha256(spki).digest()).decode()
            self.assertEqual(pinOf(certificate), f"sha256//{expected}")

    def test_pins(self) -> None:
        """
        A pin that cannot be one is refused at once, and so is one that is no collection
        of them.
        """
        right = pin(issue("a.example"))
        digest = right.removeprefix("sha256//")
        TLSPolicy(pins=[right, digest])
        TLSPolicy(pins=iter({right}))
        for wrong in (
            "",
            "sha256//",
            right[:-1],
            right + "=",
            right + "A",
            " " + right,
            right + "\n",
            right[:20] + " " + right[20:],
            "sha256/" + digest,
            "sha1//" + digest,
            "sha256//sha256//" + digest,
            "sha256//" + b64encode(b"x" * 20).decode(),
            "sha256//" + b64encode(b"x" * 33).decode(),
            "sha256//" + "é" * 44,
            f"{right};{right}",
            sha256(b"").hexdigest(),
        ):
            error = self.assertRaises(ValueError, TLSPolicy, pins=[wrong])
            self.assertIn(repr(wrong), str(error))
        self.assertRaises(TypeError, TLSPolicy, pins=right)

    def test_unusable(self) -> None:
        """
        PEM text that does not hold what it should is refused at once.
        """
        issued = issue("client@example")
        bare, key = issued.cert_chain_pems[0].bytes(), issued.private_key_pem.bytes()
        otherKey = issue("b@example").private_key_pem.bytes()
        for says, arguments in (
            ("no certificate", {"trustRoot": b""}),
            ("no certificate", {"trustRoot": key}),
            ("no certificate", {"clientCertificate": key}),
            ("no private key", {"clientCertificate": bare}),
            ("several private keys", {"clientCertificate": bare + key + key}),
            ("not that of the first", {"clientCertificate": otherKey + bare}),
        ):
            error = self.assertRaises(ValueError, TLSPolicy, **arguments)
            self.assertIn(says, str(error))

    def meet(self, context: Any, host: str = "localhost") -> Any:
        """
        Have a client of ours do its handshake with a server, in memory.

        @return: both ends.
        """
        creator = TLSPolicy(root()).creatorForNetloc(host.encode("ascii"), 443)
        ours = creator.clientConnectionForTLS(object())
        ours.set_connect_state()
        theirs = SSL.Connection(context, None)
        theirs.set_accept_state()
        pump(ours, theirs)
        return ours, theirs

    def test_serverName(self) -> None:
        """
        The server is told the name, but not an address (RFC 6066 section 3).
        """
        hosts = ("localhost", "xn--bcher-kva.example", "192.0.2.1", "2001:db8::1")
        for host in hosts:
            context = makeContext(issue(*hosts), trusts=None)
            expected = host.encode() if host in hosts[:2] else None
            self.assertEqual(self.meet(context, host)[1].get_servername(), expected)

    def test_noProtocol(self) -> None:
        """
        No protocol is offered by ALPN: what is not asked for is HTTP/1.1.
        """
        offered: list[Any] = []
        context = makeContext(issue("localhost"), trusts=None)

        def select(connection: Any, protocols: list[bytes]) -> Any:
            offered.extend(protocols)
            return SSL.NO_OVERLAPPING_PROTOCOLS

        context.set_alpn_select_callback(select)
        self.meet(context)
        self.assertEqual(offered, [])

    def test_renegotiation(self) -> None:
        """
        A server that asks for another handshake gets none.
        """
        context = makeContext(issue("localhost"), newest=TLS_1_2, trusts=None)
        ours, theirs = self.meet(context)
        theirs.renegotiate()
        theirs.do_handshake()
        ours.bio_write(theirs.bio_read(1 << 16))
        self.assertRaises(SSL.WantReadError, ours.recv, 1)
        answer = ours.bio_read(1 << 16)
        self.assertEqual(answer[0], ALERT)
        theirs.bio_write(answer)
        error = self.assertRaises(SSL.Error, theirs.recv, 1)
        self.assertIn("no renegotiation", str(error))
        self.assertEqual(ours.total_renegotiations(), 0)

    def test_onlyTwisteds(self) -> None:
        """
        A creator of one's own is left alone.
        """
        own = object()
        self.assertIs(insist(own, "localhost"), own)
        theirs = optionsForClientTLS("localhost")
        self.assertIsNot(insist(theirs, "localhost"), theirs)

    def test_default(self) -> None:
        """
        Without a policy, a client makes one with its first secure connection, and keeps
        it.
        """
        made = []

        class Noted(TLSPolicy):
            def __init__(self, *arguments: Any) -> None:
                TLSPolicy.__init__(self, *arguments)
                made.append(self)

        self.patch(client, "TLSPolicy", Noted)
        network = MemoryNetwork(ignores=True)
        ours = WebSocketClient(network)
        for url, count in (
            ("ws://server.example/", 0),
            ("wss://server.example/", 1),
            ("wss://other.example/", 1),
        ):
            opened = ours.connect(url)
            self.assertEqual(len(made), count, url)
            opened.cancel()
            self.failureResultOf(opened, CancelledError)
