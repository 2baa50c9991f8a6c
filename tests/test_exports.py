# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The public names.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

import twisted_ws
from twisted_ws import (
    authentication,
    credentials,
    errors,
    extensions,
    interfaces,
    testing,
)

NAMES = """
    AllowOrigins ClientConfig Close CloseCode ClosedAbruptly ClosedCleanly
    ConnectionClosed
    ConnectionNotOpen Cookie Frame Inbox InvalidUpgrade LimitConnections MessageDropped
    MessageReceiver
    Opcode PerMessageDeflate ProtocolViolation RateLimit Router ServerCertificates
    ServerConfig
    Steps TLSPolicy
    UpgradeRejected WebSocketClient
    WebSocketConnection WebSocketError WebSocketFactory WebSocketProtocol
    WebSocketRequest WebSocketResource WebSocketSite broadcast connect isCompiled
    keepFreedMemory pipe
""".split()

ERRORS = """
    AlreadyAnswered ClosedAbruptly ClosedCleanly ConnectionClosed ConnectionNotOpen
    IllegalFrame InvalidPayload InvalidUpgrade MessageDropped PayloadTooBig
    ProtocolViolation TooManyFragments TryAgainLater UpgradeRejected WebSocketError
""".split()

INTERFACES = """
    ICarrier IControlReceiver IExtension IExtensionFactory IFrameReceiver
    IMessageReceiver IStreamReceiver IUpgrader
    IWebSocketResource IWebSocketTransport
""".split()

AUTHENTICATION = """
    Authenticate Basic Bearer ClientCertificate Digest IAuthenticationScheme IAvatar
    SessionCookie
""".split()

CREDENTIALS = """
    BearerToken CertificateCredentials CookieCredentials IBearerToken IClientCertificate
    ISessionCookie TokenChecker UsernamePassword hashToken
""".split()

EXTENSIONS = "Extension PerMessageDeflate RSV1 RSV2 RSV3".split()

TESTING = "MemoryCarrier MemoryServer RawPeer RecordingReceiver carrierPair".split()


class ExportTests(SynchronousTestCase):
    """
    What users may rely on is there, and nothing came in by accident.
    """

    def test_package(self) -> None:
        """
        The package has these names.
        """
        self.assertEqual(sorted(twisted_ws.__all__), sorted(NAMES))
        for name in NAMES:
            self.assertTrue(getattr(twisted_ws, name).__doc__, name)

    def test_errors(self) -> None:
        """
        The module of errors has these names.
        """
        self.assertEqual(sorted(errors.__all__), sorted(ERRORS))
        for name in ERRORS:
            self.assertTrue(getattr(errors, name).__doc__, name)

    def test_interfaces(self) -> None:
        """
        The module of interfaces has these names.
        """
        found = [n for n in vars(interfaces) if n.startswith("I") and n[1].isupper()]
        foreign = {"IAddress", "IReactorTime", "ITransport"}
        self.assertEqual(sorted(set(found) - foreign), sorted(INTERFACES))

    def test_authentication(self) -> None:
        """
        What has to do with C{twisted.cred} has these names.
        """
        self.assertEqual(sorted(authentication.__all__), sorted(AUTHENTICATION))
        for name in AUTHENTICATION:
            self.assertTrue(getattr(authentication, name).__doc__, name)
        for name in CREDENTIALS:
            self.assertTrue(getattr(credentials, name).__doc__, name)

    def test_extensions(self) -> None:
        """
        What has to do with extensions has these names.
        """
        self.assertEqual(sorted(extensions.__all__), sorted(EXTENSIONS))

    def test_testing(self) -> None:
        """
        The test doubles have these names.
        """
        for name in TESTING:
            self.assertTrue(getattr(testing, name).__doc__, name)
