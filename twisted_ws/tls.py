# -*- test-case-name: tests.test_tls_client -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The TLS of clients: whom to trust, what to show, and the check that a certificate names
the host (RFC 6125).
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any

from OpenSSL import SSL, crypto
from service_identity.hazmat import (
    DNS_ID,
    DNSPattern,
    IPAddress_ID,
    verify_service_identity,
)
from service_identity.pyopenssl import extract_patterns
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.error import VerifyError
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import (
    Certificate,
    PrivateCertificate,
    optionsForClientTLS,
    platformTrust,
    trustRootFromCertificates,
)
from twisted.python.failure import Failure
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from ._context import makeContext

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)


@dataclass(frozen=True)
class Identity:
    """
    What one shows to the peer.

    @ivar certificate: the certificate.
    @ivar chain: those of the authorities between it and one that the peer knows.
    @ivar key: its private key.
    """

    certificate: crypto.X509
    chain: list[crypto.X509]
    key: crypto.PKey

    def options(self) -> dict[str, Any]:
        """
        @return: the arguments for L{makeContext<twisted_ws._context.makeContext>}.
        """
        return {
            "privateKey": self.key,
            "certificate": self.certificate,
            "extraCertChain": self.chain,
        }


def readPEM(pem: bytes) -> tuple[list[crypto.X509], list[crypto.PKey]]:
    """
    Read the certificates and the private keys among other things.

    @raise ValueError: when one cannot be read.
    """
    certificates, keys = [], []
    for block in _BLOCK.finditer(pem):
        label, text = block[1], block[0]
        try:
            if label == b"CERTIFICATE":
                certificates.append(crypto.load_certificate(crypto.FILETYPE_PEM, text))
            elif label.endswith(b"PRIVATE KEY"):
                if label.startswith(b"ENCRYPTED") or b",ENCRYPTED" in text:
                    raise ValueError("the private key is encrypted")
                keys.append(crypto.load_privatekey(crypto.FILETYPE_PEM, text, b""))
        except crypto.Error as error:
            what = label.decode("ascii").lower()
            raise ValueError(f"there is a {what} that cannot be read") from error
    return certificates, keys


def readIdentity(pem: bytes, keys: Iterable[crypto.PKey] = ()) -> Identity:
    """
    Read a certificate, the chain behind it, and its key.

    @param keys: where to look for the key, if C{pem} holds none.
    @raise ValueError: when there is no certificate, or not exactly one key for it.
    """
    certificates, own = readPEM(pem)
    if not certificates:
        raise ValueError("there is no certificate in PEM format")
    if len(own) > 1:
        raise ValueError("there are several private keys")
    certificate, *chain = certificates
    for key in own or keys:
        if publicKey(key) == publicKey(certificate.get_pubkey()):
            return Identity(certificate, chain, key)
    if own:
        raise ValueError("the private key is not that of the first certificate")
    raise ValueError("there is no private key for the certificate")


def publicKey(key: crypto.PKey) -> bytes:
    """
    @return: its public part, as the SubjectPublicKeyInfo of a certificate.
    """
    return crypto.dump_publickey(crypto.FILETYPE_ASN1, key)


def hostNames(certificate: crypto.X509) -> list[str]:
    """
    @return: the names of hosts that a certificate is for, in lower case; one can begin
        with C{*.}.
    @raise ValueError: when they break the rules.
    """
    try:
        patterns = extract_patterns(certificate)
    except Exception as error:
        raise ValueError(f"the certificate has a wrong name: {error}") from error
    names = [each.pattern for each in patterns if isinstance(each, DNSPattern)]
    return [name.decode("ascii", "replace") for name in names]


def pinOf(certificate: Certificate) -> str:
    """
    @return: the pin of a certificate's key, for a L{TLSPolicy}; also what C{curl}
        takes as C{--pinnedpubkey}.
    """
    return _formatPin(_digest(certificate.original))


def _digest(certificate: crypto.X509) -> bytes:
    return sha256(publicKey(certificate.get_pubkey())).digest()


def _formatPin(digest: bytes) -> str:
    return "sha256//" + b64encode(digest).decode("ascii")


def _readPin(pin: str) -> bytes:
    encoded = pin.removeprefix("sha256//")
    try:
        digest = b64decode(encoded, validate=True)
    except ValueError:
        digest = b""
    # The decoder of CPython 3.10 overlooks a superfluous end.
    if len(digest) != 32 or _formatPin(digest) != f"sha256//{encoded}":
        raise ValueError(f"not a pin, sha256// and 32 bytes in base64: {pin!r}")
    return digest


@implementer(IPolicyForHTTPS)
class TLSPolicy:
    """
    How a client verifies servers, and what it shows to them::

        policy = TLSPolicy(Path("authority.pem").read_bytes())
        WebSocketClient(reactor, tlsPolicy=policy).connect("wss://example.com/")

    A server's certificate has to be valid, to be signed by somebody who is trusted,
    and to name the host of the URL.  TLS before 1.2 is not spoken.  No protocol is
    offered by ALPN (RFC 7301): a server that would prefer HTTP/2 speaks HTTP/1.1 then.
    """

    def __init__(
        self,
        trustRoot: Any = None,
        clientCertificate: PrivateCertificate | bytes | None = None,
        pins: Iterable[str] = (),
    ) -> None:
        """
        @param trustRoot: who is trusted to sign certificates, in place of those whom
            the platform trusts: a L{Certificate}, what
            L{trustRootFromCertificates<twisted.internet.ssl.trustRootFromCertificates>}
            returns, or certificates in PEM format, as C{bytes}.
        @param clientCertificate: what to show to a server that asks for it: a
            L{PrivateCertificate}; or, in PEM format, a certificate, those of the
            authorities between it and one that servers know, and its key.
        @param pins: if there are any, a certificate has to have one of these keys, the
            server's own or that of an authority which vouches for it (RFC 7469 section
            2.6).  Each is the SHA-256 digest of a SubjectPublicKeyInfo,
            C{"sha256//BASE64"}, see L{pinOf}.  Give more than one, or a lost key locks
            you out.
        @raise ValueError: when a pin or PEM text does not hold what it should.
        """
        if isinstance(pins, str):
            raise TypeError("pins is a collection of pins, not one")
        self._pins = frozenset(map(_readPin, pins))
        shown: dict[str, Any] = {}
        if isinstance(clientCertificate, bytes):
            shown = readIdentity(clientCertificate).options()
        elif clientCertificate is not None:
            key = clientCertificate.privateKey.original
            shown = Identity(clientCertificate.original, [], key).options()
        if isinstance(trustRoot, bytes):
            authorities, _ = readPEM(trustRoot)
            if not authorities:
                raise ValueError("trustRoot holds no certificate in PEM format")
            trustRoot = trustRootFromCertificates(map(Certificate, authorities))
        elif trustRoot is None:
            trustRoot = platformTrust()
        self._context = makeContext(trustRoot=trustRoot, **shown)

    def creatorForNetloc(self, hostname: bytes, port: int) -> NamedCreator:
        """
        See L{IPolicyForHTTPS.creatorForNetloc}.
        """
        return NamedCreator(self._connection, hostname.decode("ascii"), self._pins)

    def _connection(self, tlsProtocol: Any) -> SSL.Connection:
        connection = SSL.Connection(self._context, None)
        connection.set_app_data(tlsProtocol)
        return connection


@cache
def _verifyingKind() -> type:
    return type(optionsForClientTLS("localhost"))


def insist(creator: Any, host: str) -> Any:
    """
    Have Twisted's own creators of TLS connections insist on a certificate that names
    the host; one of somebody's own may have its reasons not to.

    @return: C{creator}, or one that makes its connections stricter.
    """
    isTheirs = isinstance(creator, _verifyingKind())
    return NamedCreator(creator.clientConnectionForTLS, host) if isTheirs else creator


@implementer(IOpenSSLClientConnectionCreator)
class NamedCreator:
    """
    Insists on a certificate that names the host.

    Of a certificate that names no host at all, service-identity says that with a
    C{CertificateError}; Twisted 26.10 logs it, and takes the certificate.
    """

    def __init__(
        self,
        connect: Callable[[Any], SSL.Connection],
        host: str,
        pins: frozenset[bytes] = frozenset(),
    ) -> None:
        """
        @param connect: makes a connection, with the
            L{TLSMemoryBIOProtocol<twisted.protocols.tls.TLSMemoryBIOProtocol>} that it
            is given for application data.
        @param pins: the digests of keys of which one has to be among those of the
            verified certificates, if there are any.
        """
        self._connect = connect
        self._host = host
        self._pins = pins
        self._isAddress = isIPAddress(host) or isIPv6Address(host)
        self._wanted = (IPAddress_ID if self._isAddress else DNS_ID)(host)

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """
        See L{IOpenSSLClientConnectionCreator.clientConnectionForTLS}.
        """
        connection = self._connect(tlsProtocol)
        if not self._isAddress:
            connection.set_tlsext_host_name(self._host.encode("ascii"))
        keys: list[bytes] = []

        def verify(
            connection: Any, certificate: Any, error: int, depth: int, isValid: int
        ) -> bool:
            # It is called for the authority first, and for the server's last.
            if not isValid:
                return False
            try:
                if self._pins:
                    keys.append(_digest(certificate))
                if depth == 0:
                    self._check(certificate, keys)
            except Exception:
                connection.get_app_data().failVerification(Failure())
                return False
            return True

        connection.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, verify)
        return connection

    def _check(self, certificate: crypto.X509, keys: list[bytes]) -> None:
        """
        Check what OpenSSL does not.

        @param keys: the digests of the keys of all certificates, the server's last.
        @raise Exception: when C{certificate} is not good enough.
        """
        patterns = extract_patterns(certificate)
        verify_service_identity(patterns, [self._wanted], [])
        if self._pins and self._pins.isdisjoint(keys):
            raise VerifyError(
                f"no certificate of {self._host} has a key that is pinned; its own has"
                f" {_formatPin(keys[-1])}"
            )
