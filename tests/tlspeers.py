# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
For the tests of TLS: authorities, files, and peers whose TLS is in the hands of the
test.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.internet.ssl import Certificate, PrivateCertificate

from twisted_ws.tls import pinOf

try:
    import trustme
except ImportError:
    trustme = None

TLS_1_0, TLS_1_1 = SSL.TLS1_VERSION, SSL.TLS1_1_VERSION
TLS_1_2, TLS_1_3 = SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION


@cache
def _authority(name: str) -> Any:
    return trustme.CA()


def authority(name: str = "known") -> Any:
    """
    @return: a C{trustme.CA}, the same one for the same name.
    """
    return _authority(name)


@cache
def issue(*hosts: str, by: str = "known", **more: Any) -> Any:
    """
    @return: a certificate of C{trustme} for these hosts.
    """
    return authority(by).issue_cert(*hosts, **more)


def pemOf(issued: Any) -> bytes:
    """
    @return: the key, the certificate and its chain.
    """
    return bytes(issued.private_key_and_cert_chain_pem.bytes())


def root(name: str = "known") -> Certificate:
    """
    @return: the certificate of an authority.
    """
    return Certificate.loadPEM(authority(name).cert_pem.bytes())


def private(issued: Any) -> PrivateCertificate:
    """
    @return: Twisted's object for a certificate and its key.
    """
    return PrivateCertificate.loadPEM(pemOf(issued))


def pin(issued: Any) -> str:
    """
    @return: the pin of a certificate of C{trustme}.
    """
    return pinOf(private(issued))


class Files:
    """
    Writes files into a folder.
    """

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.folder.mkdir()

    def write(self, name: str, content: bytes) -> str:
        """
        @return: the path of the file.
        """
        path = self.folder / name
        path.write_bytes(content)
        return str(path)


def makeContext(
    issued: Any = None,
    *,
    oldest: int = TLS_1_2,
    newest: int = TLS_1_3,
    trusts: str | None = "known",
    alpn: tuple[bytes, ...] = (),
) -> SSL.Context:
    """
    Make a context that does what it is told, old protocols included.

    @param issued: the certificate that it shows.
    @param trusts: the name of the authority that the peer has to have its certificate
        from; by C{None}, anything is good enough.
    """
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(oldest)
    context.set_max_proto_version(newest)
    if issued is not None:
        own = private(issued)
        context.use_certificate(own.original)
        context.use_privatekey(own.privateKey.original)
        for blob in issued.cert_chain_pems[1:]:
            context.add_extra_chain_cert(Certificate.loadPEM(blob.bytes()).original)
    if trusts is not None:
        context.get_cert_store().add_cert(root(trusts).original)
        context.set_verify(SSL.VERIFY_PEER)
    if alpn:
        context.set_alpn_protos(list(alpn))
    # Below that level, OpenSSL does not speak the old protocols at all.
    context.set_cipher_list(b"ALL:@SECLEVEL=0")
    return context


class Spoken(Protocol):
    """
    A peer over TCP that does TLS by itself.

    @ivar connection: its TLS.
    @ivar established: fires when the handshake is done, or fails with what ended it.
    @ivar received: what came so far.
    @ivar whenLost: fires with the exception that ended it: of TLS, or else of TCP.
    """

    transport: Any

    def __init__(
        self, context: SSL.Context, name: bytes | None = None, isServer: bool = False
    ) -> None:
        self.connection = SSL.Connection(context, None)
        if isServer:
            self.connection.set_accept_state()
        else:
            self.connection.set_connect_state()
        if name is not None:
            self.connection.set_tlsext_host_name(name)
        self.established: Deferred[Spoken] = Deferred()
        self.whenLost: Deferred[Exception] = Deferred()
        self.received = b""
        self._error: Exception | None = None
        self._awaited: list[tuple[bytes, Deferred[bytes]]] = []

    def until(self, expected: bytes) -> Deferred[bytes]:
        """
        @return: a Deferred of all that was received, once C{expected} is in it; it
            fails if the connection ends before.
        """
        self._awaited.append((expected, Deferred()))
        found = self._awaited[-1][1]
        self._look()
        return found

    def _look(self) -> None:
        for each in list(self._awaited):
            if each[0] in self.received:
                self._awaited.remove(each)
                each[1].callback(self.received)

    def connectionMade(self) -> None:
        self.step()

    def dataReceived(self, data: bytes) -> None:
        self.connection.bio_write(data)
        self.step()

    def step(self) -> None:
        """
        Go on with the handshake, or read what is there.
        """
        try:
            if not self.established.called:
                self.connection.do_handshake()
                self.flush()
                self.established.callback(self)
            while True:
                self.received += self.connection.recv(1 << 16)
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            self._error = error
            if not self.established.called:
                self.established.errback(error)
            self.flush()
            self.transport.loseConnection()
        self.flush()
        self._look()

    def flush(self) -> None:
        """
        Send what TLS has to send.
        """
        try:
            while True:
                self.transport.write(self.connection.bio_read(1 << 16))
        except SSL.WantReadError:
            pass

    def send(self, data: bytes) -> None:
        """
        Send something over TLS.
        """
        while data:
            data = data[self.connection.send(data[: 1 << 14]) :]
        self.flush()

    def renegotiate(self) -> None:
        """
        Ask for another handshake.
        """
        self.connection.renegotiate()
        try:
            self.connection.do_handshake()
        except SSL.WantReadError:
            self.flush()

    def connectionLost(self, reason: Any = None) -> None:
        lost = self._error or reason.value
        for _, waiting in self._awaited:
            waiting.errback(lost)
        if not self.established.called:
            self.established.errback(lost)
        self.whenLost.callback(lost)
