# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The base of the tests of certificates in memory.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from OpenSSL import SSL, crypto
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase

from twisted_ws import ServerCertificates

from .tlspeers import (
    Files,
    makeContext,
    pemOf,
    trustme,
)


def pump(*ends: SSL.Connection) -> None:
    """
    Have two ends do their handshake, and hand over what they write, until nothing
    moves.
    """
    first, second = ends
    moved = True
    while moved:
        moved = False
        for end, other in ((first, second), (second, first)):
            try:
                end.do_handshake()
            except SSL.WantReadError:
                pass
            try:
                other.bio_write(end.bio_read(1 << 16))
                moved = True
            except SSL.WantReadError:
                pass


def serial(issued: Any) -> int:
    """
    @return: the serial number of a certificate.
    """
    pem = issued.cert_chain_pems[0].bytes()
    certificate = crypto.load_certificate(crypto.FILETYPE_PEM, pem)
    return certificate.get_serial_number()


class CertificatesTests(SynchronousTestCase):
    """
    The base of the tests.
    """

    if trustme is None:
        skip = "trustme is not installed"

    def setUp(self) -> None:
        self.files = Files(self.mktemp())

    def serve(self, *issued: Any, **options: Any) -> ServerCertificates:
        """
        @return: a server with these certificates, each in a file with its key.
        """
        names = [
            self.files.write(f"{number}.pem", pemOf(each))
            for number, each in enumerate(issued)
        ]
        return ServerCertificates(names, **options)

    def accept(self, server: ServerCertificates, factory: Any = None) -> SSL.Connection:
        """
        @return: the server's end of a connection, for a factory.
        """
        factory = SimpleNamespace(wrappedFactory=factory or Factory())
        connection = server.serverConnectionForTLS(SimpleNamespace(factory=factory))
        connection.set_accept_state()
        return connection

    def dial(self, context: Any = None, name: bytes | None = None) -> SSL.Connection:
        """
        @return: the client's end of one.
        """
        connection = SSL.Connection(context or makeContext(), None)
        connection.set_connect_state()
        if name is not None:
            connection.set_tlsext_host_name(name)
        return connection

    def shown(self, server: ServerCertificates, name: bytes | None = None) -> Any:
        """
        @return: the serial number of the certificate that is shown.
        """
        client = self.dial(name=name)
        pump(client, self.accept(server))
        certificate = client.get_peer_certificate()
        assert certificate is not None
        return certificate.get_serial_number()
