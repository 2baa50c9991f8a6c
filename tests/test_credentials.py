# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What clients show, and who looks at it: L{twisted_ws.credentials}.
"""

from __future__ import annotations

import hmac

from twisted.cred.checkers import (
    FilePasswordDB,
    ICredentialsChecker,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from twisted.cred.credentials import IUsernameHashedPassword, IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import Portal
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from twisted_ws.credentials import (
    BearerToken,
    CertificateCredentials,
    CookieCredentials,
    IBearerToken,
    IClientCertificate,
    ISessionCookie,
    SecretBytes,
    SecretText,
    TokenChecker,
    UsernamePassword,
    hashToken,
)

from .logins import Realm


class Counting(SynchronousTestCase):
    """
    The base of the tests: counts what is compared in constant time.
    """

    def setUp(self):
        self.compared = []
        compare = hmac.compare_digest

        def counted(a, b):
            self.compared.append((bytes(a), bytes(b)))
            return compare(a, b)

        self.patch(hmac, "compare_digest", counted)


class SecretTests(Counting):
    """
    Values that are not shown.
    """

    def test_text(self):
        """
        Secret text is text, but C{repr} hides it, and so does the C{KeyError} of who
        looks it up.
        """
        secret = SecretText("sesame")
        self.assertEqual(secret, "sesame")
        self.assertEqual({"sesame": 1}[secret], 1)
        self.assertNotIn("sesame", repr(secret))
        self.assertNotIn("sesame", repr([secret]))
        error = self.assertRaises(KeyError, {}.__getitem__, secret)
        self.assertNotIn("sesame", str(error))

    def test_bytes(self):
        """
        Secret bytes are bytes, but neither C{repr}, C{str} nor formatting shows them.
        """
        secret = SecretBytes(b"sesame")
        self.assertEqual({b"sesame": 1}[secret], 1)
        error = self.assertRaises(KeyError, {}.__getitem__, secret)
        shown = [repr(secret), str(secret), f"{secret}", f"{secret!r}", str(error)]
        shown.append("{}".format(secret))  # noqa: UP032
        self.assertNotIn("sesame", " ".join(shown))

    def test_comparison(self):
        """
        Secret bytes are compared in constant time, whoever is asked and whatever the
        length.
        """
        secret = SecretBytes(b"sesame")
        for other, isEqual in [(b"sesame", True), (b"Sesame", False), (b"", False)]:
            self.assertIs(secret == other, isEqual, other)
            self.assertIs(other == secret, isEqual, other)
            self.assertIs(secret != other, not isEqual, other)
            self.assertIs(other != secret, not isEqual, other)
        self.assertEqual(len(self.compared), 12)
        self.assertNotEqual(secret, "sesame")
        self.assertNotEqual(secret, None)


class PasswordTests(Counting):
    """
    L{UsernamePassword}, and the checkers of Twisted.
    """

    def test_interfaces(self):
        """
        It is all that a checker of passwords can ask for, in bytes.
        """
        credentials = UsernamePassword(b"alice", b"sesame")
        verifyObject(IUsernamePassword, credentials)
        verifyObject(IUsernameHashedPassword, credentials)
        self.assertEqual(credentials.username, b"alice")
        self.assertEqual(credentials.password, b"sesame")

    def test_checkPassword(self):
        """
        A password is compared in constant time, as bytes or as text.
        """
        credentials = UsernamePassword(b"alice", "s\xe9same".encode())
        for right in ("s\xe9same", "s\xe9same".encode()):
            self.assertTrue(credentials.checkPassword(right))
        for wrong in ("sesame", b"s\xe9same", b"", "", "s\xe9same "):
            self.assertFalse(credentials.checkPassword(wrong))
        self.assertEqual(len(self.compared), 7)

    def test_repr(self):
        """
        The representation has the name, not too much of it, and no password.
        """
        self.assertEqual(
            repr(UsernamePassword(b"alice", b"sesame")), "<UsernamePassword b'alice'>"
        )
        self.assertLess(len(repr(UsernamePassword(b"a" * 9000, b""))), 250)

    def login(self, checker, username, password):
        """
        @return: the Deferred of a login.
        """
        credentials = UsernamePassword(username, password)
        portal = Portal(Realm(), [checker])
        return portal.login(credentials, None, None)

    def checkChecker(self, checker):
        """
        Check that a checker lets Alice in by her password and nobody else, and that
        passwords are compared in constant time.
        """
        _, avatar, _ = self.successResultOf(self.login(checker, b"alice", b"sesame"))
        self.assertEqual(avatar.avatarId, b"alice")
        self.assertEqual(self.compared, [(b"sesame", b"sesame")])
        wrong = self.login(checker, b"alice", b"Sesame")
        self.failureResultOf(wrong, UnauthorizedLogin)
        self.assertEqual(self.compared[1:], [(b"Sesame", b"sesame")])
        unknown = self.login(checker, b"bob", b"sesame")
        self.failureResultOf(unknown, UnauthorizedLogin)

    def test_inMemory(self):
        """
        Twisted's checker with a dictionary takes it.
        """
        self.checkChecker(InMemoryUsernamePasswordDatabaseDontUse(alice=b"sesame"))

    def file(self):
        """
        @return: the name of a file of passwords.
        """
        name = self.mktemp()
        with open(name, "wb") as file:
            file.write(b"carol:open\nalice:sesame\n")
        return name

    def test_file(self):
        """
        Twisted's checker with a file takes it.
        """
        self.checkChecker(FilePasswordDB(self.file()))

    def test_fileOfHashes(self):
        """
        Twisted's checker with a file of hashes takes it.
        """
        seen = []

        def hash(username, password, stored):
            seen.append((username, password))
            return password

        checker = FilePasswordDB(self.file(), hash=hash)
        self.checkChecker(checker)
        self.assertEqual(seen, [(b"alice", b"sesame"), (b"alice", b"Sesame")])

    def test_hashedPassword(self):
        """
        A checker that was made for C{IUsernameHashedPassword} alone takes it.
        """

        @implementer(ICredentialsChecker)
        class Hashed(InMemoryUsernamePasswordDatabaseDontUse):
            credentialInterfaces = (IUsernameHashedPassword,)

        self.checkChecker(Hashed(alice=b"sesame"))


class TokenTests(SynchronousTestCase):
    """
    The other credentials, and L{TokenChecker}.
    """

    def test_interfaces(self):
        """
        Each provides its interface.
        """
        certificate = object()
        for interface, credentials, attributes in [
            (IBearerToken, BearerToken("t"), {"token": "t"}),
            (ISessionCookie, CookieCredentials("n", "v"), {"name": "n", "value": "v"}),
            (
                IClientCertificate,
                CertificateCredentials(certificate),
                {"certificate": certificate},
            ),
        ]:
            verifyObject(interface, credentials)
            for name, value in attributes.items():
                self.assertEqual(getattr(credentials, name), value)

    def test_repr(self):
        """
        No representation has the secret.
        """
        for credentials in (BearerToken("s3cret"), CookieCredentials("n", "s3cret")):
            self.assertNotIn("s3cret", repr(credentials))
            self.assertNotIn("s3cret", repr(vars(credentials)))

    def test_checker(self):
        """
        A token is known by its hash alone.
        """
        verifyObject(ICredentialsChecker, TokenChecker({}))
        tokens = {hashToken("t0ken"): b"alice"}
        checker = TokenChecker(tokens)
        known = checker.requestAvatarId(BearerToken("t0ken"))
        self.assertEqual(self.successResultOf(known), b"alice")
        for wrong in ("T0ken", "t0ke", "", hashToken("t0ken")):
            refused = checker.requestAvatarId(BearerToken(wrong))
            self.failureResultOf(refused, UnauthorizedLogin)
        tokens.clear()
        revoked = checker.requestAvatarId(BearerToken("t0ken"))
        self.failureResultOf(revoked, UnauthorizedLogin)

    def test_hash(self):
        """
        The hash is SHA-256, so that anything can make it.
        """
        self.assertEqual(
            hashToken("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        )
