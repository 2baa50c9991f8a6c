# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Who connects, by the TLS certificates of real clients:
L{twisted_ws.authentication.ClientCertificate}.
"""

from __future__ import annotations

from functools import cache

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import Portal
from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.endpoints import TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    PrivateCertificate,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from twisted.web.resource import Resource
from twisted.web.server import Site
from zope.interface import implementer

from twisted_ws import (
    ClosedAbruptly,
    Steps,
    UpgradeRejected,
    WebSocketClient,
    WebSocketFactory,
    WebSocketResource,
)
from twisted_ws.authentication import Authenticate, Basic, ClientCertificate
from twisted_ws.credentials import IClientCertificate
from twisted_ws.testing import RecordingReceiver

from .logins import Avatar
from .sockets import SocketTests, certificates, trustme


class Clients:
    """
    An authority for the certificates of clients.
    """

    def __init__(self):
        self._authority = trustme.CA()
        self.certificate = Certificate.loadPEM(self._authority.cert_pem.bytes())

    def issue(self, name):
        """
        @return: a certificate with its key.
        """
        issued = self._authority.issue_cert(f"{name}@example.com", common_name=name)
        return PrivateCertificate.loadPEM(issued.private_key_and_cert_chain_pem.bytes())


@cache
def clients():
    """
    @return: the authority that the server knows, and another.
    """
    return Clients(), Clients()


@implementer(ICredentialsChecker)
class Names:
    """
    Knows Alice by the name in her certificate.
    """

    credentialInterfaces = (IClientCertificate,)

    def requestAvatarId(self, credentials):
        name = credentials.certificate.get_subject().CN
        return succeed(name) if name == "alice" else fail(UnauthorizedLogin())


class Realm:
    """
    Tells when someone is logged out.
    """

    def __init__(self):
        self.whenOut = Deferred()

    def requestAvatar(self, avatarId, mind, *interfaces):
        avatar = Avatar(avatarId)
        return interfaces[0], avatar, lambda: self.whenOut.callback(avatar)


class Greeting(RecordingReceiver):
    """
    Says who is there.
    """

    def connectionMade(self):
        avatar = self.transport.avatar
        self.transport.sendMessage(f"hello, {avatar.avatarId}")


class CertificateTests(SocketTests):
    """
    A server that asks its clients for certificates.
    """

    kind = "tls"

    def serve(self, isRequired, *more, isSite=False):
        """
        Start a server.

        @param isRequired: whether TLS fails without a certificate.
        @param more: schemes besides certificates.
        @param isSite: whether it is a resource of a site.
        """
        if trustme is None:
            self.skipTest("trustme is not installed")
        own, _ = certificates()
        self.realm = Realm()
        step = Authenticate(Portal(self.realm, [Names()]), [ClientCertificate(), *more])
        self.requests = []
        self.factory = WebSocketFactory(Steps([self.requests.append, step], Greeting))
        listening = self.factory
        if isSite:
            root = Resource()
            root.putChild(b"", WebSocketResource(self.factory))
            listening = Site(root)
        authority = clients()[0].certificate
        if isRequired:
            verification = {"trustRoot": trustRootFromCertificates([authority])}
        else:
            verification = {
                "verify": True,
                "caCerts": [authority.original],
                "requireCertificate": False,
            }
        options = CertificateOptions(
            own.privateKey.original, own.original, **verification
        )
        port = reactor.listenSSL(0, listening, options, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.addCleanup(self.factory.closeAllConnections)
        self.port = port.getHost().port

    def come(self, certificate=None):
        """
        Connect a client.

        @param certificate: what it shows.
        @return: a Deferred of its receiver.
        """
        options = optionsForClientTLS(
            "localhost",
            trustRootFromCertificates([certificates()[1]]),
            clientCertificate=certificate,
        )
        endpoint = wrapClientTLS(
            options, TCP4ClientEndpoint(reactor, "127.0.0.1", self.port)
        )
        return WebSocketClient(reactor, endpoint=endpoint).connect("wss://localhost/")

    async def checkAlice(self):
        """
        Check that Alice gets in, is known on the connection, and is logged out when
        it ends.
        """
        inbox = await self.come(clients()[0].issue("alice"))
        self.assertEqual(await inbox.receive(), "hello, alice")
        (connection,) = self.factory.connections
        self.assertEqual(connection.avatar.avatarId, "alice")
        self.assertIs(connection.avatar, self.requests[0].avatar)
        self.assertFalse(self.realm.whenOut.called)
        await inbox.close()
        self.assertIs(await self.realm.whenOut, connection.avatar)

    async def checkStatus(self, status, certificate=None):
        """
        Check that a client is refused with a status.
        """
        error = await self.assertFailure(self.come(certificate), UpgradeRejected)
        self.assertEqual(error.status, status)

    async def checkNoTLS(self, certificate=None):
        """
        Check that a client gets no TLS, and the server no request.
        """
        await self.assertFailure(self.come(certificate), ClosedAbruptly)
        self.assertEqual(self.requests, [])

    async def test_right(self):
        """
        A client with a certificate that names a user is that user.
        """
        self.serve(isRequired=True)
        await self.checkAlice()

    async def test_site(self):
        """
        So it is in a site of C{twisted.web}.
        """
        self.serve(isRequired=True, isSite=True)
        await self.checkAlice()

    async def test_unknown(self):
        """
        A certificate of the right authority that names no user is refused with 403.
        """
        self.serve(isRequired=True)
        await self.checkStatus(403, clients()[0].issue("bob"))

    async def test_none(self):
        """
        Where a certificate is required, none is refused by TLS already.
        """
        self.serve(isRequired=True)
        await self.checkNoTLS()

    async def test_otherAuthority(self):
        """
        A certificate of an authority that the server does not know is refused by TLS
        already, whether one is required or not.
        """
        stranger = clients()[1].issue("alice")
        for isRequired in (True, False):
            self.serve(isRequired)
            await self.checkNoTLS(stranger)

    async def test_optional(self):
        """
        Where a certificate is optional, one lets in, and without one the next scheme
        is asked.
        """
        self.serve(False, Basic("chat"))
        await self.checkAlice()
        await self.checkStatus(401)

    async def test_optionalAlone(self):
        """
        If there is no other scheme, who has none is refused with 403.
        """
        self.serve(False)
        await self.checkStatus(403)
