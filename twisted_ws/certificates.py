# -*- test-case-name: tests.test_certificates -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The TLS of servers: certificates in files, chosen by the name that a client asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from os import PathLike, fspath
from pathlib import Path
from typing import Any, TypeVar

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IListeningPort,
    IOpenSSLServerConnectionCreator,
    IProtocolFactory,
    IProtocolNegotiationFactory,
    IStreamServerEndpoint,
)
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from ._context import Context, makeContext
from .tls import Identity, hostNames, publicKey, readIdentity, readPEM

T = TypeVar("T")
FileName = str | PathLike[str]


@implementer(IOpenSSLServerConnectionCreator)
class ServerCertificates:
    """
    The certificates of a server, on any endpoint::

        certificates = ServerCertificates(["example.org.pem", "example.net.pem"])
        endpoint = certificates.wrap(serverFromString(reactor, "tcp:8443"))
        endpoint.listen(factory)

    A client gets the one with the name that it asks for (SNI, RFC 6066 section 3), an
    exact name before a wildcard; a wildcard stands for one label.  TLS before 1.2 is
    not spoken, and nothing is renegotiated.
    """

    _default: SSL.Context

    def __init__(
        self,
        certificates: Iterable[FileName],
        privateKeys: Iterable[FileName] = (),
        clientAuthority: FileName | None = None,
        requireClientCertificate: bool = True,
    ) -> None:
        """
        @param certificates: PEM files.  Each holds a certificate, then those of the
            authorities between it and one that clients know, and, if it is not in one
            of C{privateKeys}, its key.  The first file is for clients that ask for no
            name, or for one that no certificate has.
        @param privateKeys: PEM files with one key each, in any order.
        @param clientAuthority: a PEM file of the authorities that vouch for clients;
            by default clients are not asked for a certificate.
        @param requireClientCertificate: with a C{clientAuthority}, whether clients
            that show no certificate are refused.  One that is shown has to be valid
            in any case.
        @raise OSError: when a file cannot be read.
        @raise ValueError: when a file does not hold what it should; the message names
            the file.
        """
        if isinstance(certificates, str) or isinstance(privateKeys, str):
            raise TypeError("certificates and privateKeys are collections of files")
        self._certificates = tuple(certificates)
        self._privateKeys = tuple(privateKeys)
        self._clientAuthority = clientAuthority
        self._requireClientCertificate = requireClientCertificate
        if not self._certificates:
            raise ValueError("a server needs a certificate")
        self.reload()

    def reload(self) -> None:
        """
        Read all files again.  Connections that stand keep what they have, new ones get
        what is in the files now.

        @raise OSError: when a file cannot be read; nothing is changed then.
        @raise ValueError: when a file does not hold what it should; nothing is
            changed then.
        """
        identities = self._readIdentities()
        verification = self._readAuthority()
        contexts: dict[str, SSL.Context] = {}
        choosing = partial(_ServerContext, partial(_choose, contexts))
        made: list[SSL.Context] = []
        for file, identity in identities:
            names = set(_said(file, hostNames, identity.certificate)) - set(contexts)
            if made and not names:
                raise ValueError(
                    f"{file}: the certificate has no name that none before it has"
                )
            make = partial(makeContext, choosing, **identity.options(), **verification)
            made.append(_said(file, make))
            contexts.update(dict.fromkeys(names, made[-1]))
        self._default = made[0]

    def _readIdentities(self) -> list[tuple[str, Identity]]:
        """
        @return: what to show, by file.
        """
        keys = {}
        for name in self._privateKeys:
            found = _said(name, readPEM, Path(name).read_bytes())[1]
            if len(found) != 1:
                raise ValueError(f"{fspath(name)}: there is not one private key")
            keys[fspath(name)] = found[0]
        identities = []
        for name in self._certificates:
            pem = Path(name).read_bytes()
            identity = _said(name, readIdentity, pem, keys.values())
            identities.append((fspath(name), identity))
        used = {publicKey(identity.key) for _, identity in identities}
        for file, key in keys.items():
            if publicKey(key) not in used:
                raise ValueError(f"{file}: the private key is for no certificate")
        return identities

    def _readAuthority(self) -> dict[str, Any]:
        """
        @return: how clients are verified, as arguments for L{makeContext}.
        """
        name = self._clientAuthority
        if name is None:
            return {}
        authorities, _ = _said(name, readPEM, Path(name).read_bytes())
        if not authorities:
            raise ValueError(f"{fspath(name)}: there is no certificate in PEM format")
        return {
            "verify": True,
            "caCerts": authorities,
            "requireCertificate": self._requireClientCertificate,
        }

    def wrap(self, endpoint: IStreamServerEndpoint) -> IStreamServerEndpoint:
        """
        @return: an endpoint that speaks TLS with these certificates over
            C{endpoint}.
        """
        return _Endpoint(endpoint, self)

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """
        See L{IOpenSSLServerConnectionCreator.serverConnectionForTLS}.
        """
        connection = SSL.Connection(self._default, None)
        connection.set_app_data(tlsProtocol)
        return connection


@implementer(IStreamServerEndpoint)
class _Endpoint:
    """
    Speaks TLS over another endpoint.
    """

    def __init__(
        self, endpoint: IStreamServerEndpoint, certificates: ServerCertificates
    ) -> None:
        self._endpoint = endpoint
        self._certificates = certificates

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """
        See L{IStreamServerEndpoint.listen}.
        """
        factory = TLSMemoryBIOFactory(self._certificates, False, protocolFactory)
        return self._endpoint.listen(factory)


class _ServerContext(Context):
    """
    Chooses the certificate by SNI and the protocol by ALPN.

    Twisted would do the latter in its own way.  Since 26.4, with a factory that does
    not say what it accepts, for instance one that wraps another, it fails every client
    that offers anything, as browsers do; before, it changed the context for each
    connection, which pyOpenSSL since 26.2 lets nobody do.
    """

    def __init__(self, choose: Callable[[SSL.Connection], None], method: int) -> None:
        Context.__init__(self, method)
        self.set_tlsext_servername_callback(choose)
        Context.set_alpn_select_callback(self, _selectProtocol)

    def set_alpn_select_callback(self, callback: object) -> None:
        """
        Ignore Twisted's way.
        """

    def set_alpn_protos(self, protos: object) -> None:
        """
        Ignore Twisted's way.
        """


def _choose(contexts: dict[str, SSL.Context], connection: SSL.Connection) -> None:
    """
    Give a client the certificate that it asks for, if there is one.
    """
    name = (connection.get_servername() or b"").decode("ascii", "replace").lower()
    context = contexts.get(name) or contexts.get("*." + name.partition(".")[2])
    if context is not None:
        connection.set_context(context)


def _selectProtocol(connection: SSL.Connection, offered: list[bytes]) -> Any:
    """
    Select a protocol of those that a client offers (RFC 7301 section 3.2).

    @raise SSL.Error: when none is acceptable, which ends the handshake.
    """
    factory = connection.get_app_data().factory.wrappedFactory
    negotiating = IProtocolNegotiationFactory(factory, None)
    if negotiating is None:
        return SSL.NO_OVERLAPPING_PROTOCOLS
    for protocol in negotiating.acceptableProtocols():
        if protocol in offered:
            return protocol
    raise SSL.Error([("", "", "no protocol that the client offers is acceptable")])


def _said(file: FileName, function: Callable[..., T], *arguments: Any) -> T:
    """
    Call a function.

    @raise ValueError: when it raises one or an C{SSL.Error}; with the name of
        C{file}.
    """
    try:
        return function(*arguments)
    except (ValueError, SSL.Error) as error:
        raise ValueError(f"{fspath(file)}: {error}") from error
