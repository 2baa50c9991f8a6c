# -*- test-case-name: tests.test_client_tcp -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The verification of a server's certificate (RFC 6125).
"""

from __future__ import annotations

from functools import cache
from typing import Any

from OpenSSL import SSL
from service_identity.hazmat import DNS_ID, IPAddress_ID, verify_service_identity
from service_identity.pyopenssl import extract_patterns
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import optionsForClientTLS
from twisted.python.failure import Failure
from zope.interface import implementer


@cache
def _verifyingKind() -> type:
    return type(optionsForClientTLS("localhost"))


def insist(creator: Any, host: str) -> Any:
    """
    Have Twisted's own creators of TLS connections insist on a certificate that names
    the host; one of somebody's own may have its reasons not to.

    @return: C{creator}, or one that makes its connections stricter.
    """
    if isinstance(creator, _verifyingKind()):
        return NamedCreator(creator, host)
    return creator


@implementer(IOpenSSLClientConnectionCreator)
class NamedCreator:
    """
    Insists on a certificate that names the host.

    Of one that names none at all, service-identity says that with a
    C{CertificateError}; Twisted 26.10 logs it, and takes the certificate.
    """

    def __init__(self, creator: Any, host: str) -> None:
        self._creator = creator
        isAddress = isIPAddress(host) or isIPv6Address(host)
        self._wanted = (IPAddress_ID if isAddress else DNS_ID)(host)

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """
        See L{IOpenSSLClientConnectionCreator.clientConnectionForTLS}.
        """
        connection: SSL.Connection = self._creator.clientConnectionForTLS(tlsProtocol)

        def verify(
            connection: Any, certificate: Any, error: int, depth: int, isValid: int
        ) -> bool:
            if not isValid or depth:
                return bool(isValid)
            try:
                patterns = extract_patterns(certificate)
                verify_service_identity(patterns, [self._wanted], [])
            except Exception:
                connection.get_app_data().failVerification(Failure())
                return False
            return True

        connection.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, verify)
        return connection
