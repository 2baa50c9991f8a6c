# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Proofs that a client has a password: L{twisted_ws.schemes.Digest}.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from hashlib import md5

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import DigestCredentialFactory, IUsernameDigestHash
from twisted.cred.portal import Portal
from twisted.internet.defer import succeed
from zope.interface import implementer

from twisted_ws.schemes import Digest

from . import logins
from .logins import PASSWORD, SchemeTests, digest, digestProof


class DigestTests(SchemeTests):
    """
    L{Digest}.
    """

    def setUp(self):
        super().setUp()
        self.scheme = Digest("chat")
        self.authenticate(self.scheme)

    def answer(self, *fields, **changes):
        """
        @return: an Authorization line that answers a new challenge.
        """
        return digest(self.challenge(*fields)[0], **changes)

    def test_example(self):
        """
        The proofs of these tests are those of the RFC (2617 section 3.5).
        """
        fields = {
            "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            "uri": "/dir/index.html",
            "qop": "auth",
            "nc": "00000001",
            "cnonce": "0a4f113b",
        }
        who = ("Mufasa", "testrealm@host.com", "Circle Of Life")
        self.assertEqual(
            digestProof("md5", *who, fields), "6629fae49393a05397450978507c4ef1"
        )

    def test_challenge(self):
        """
        Each challenge has a nonce of its own.
        """
        pattern = (
            r'^Digest realm="chat", qop="auth", algorithm=MD5,'
            r' nonce="[0-9a-f]{24}", opaque="[-0-9A-Za-z+/=]+", charset="UTF-8"$'
        )
        challenges = {self.challenge()[0] for _ in range(3)}
        self.assertEqual(len(challenges), 3)
        for challenge in challenges:
            self.assertRegex(challenge, pattern)

    def test_right(self):
        """
        The right proof lets in, for the target with its query; more than once, as a
        browser counts on.
        """
        for target in ("/", "/a%20b?c=d,e&f=%22"):
            self.assertAlice(self.answer(uri=target), target=target)
        challenge = self.challenge()[0]
        for nc in ("00000001", "00000002", "0000000a", "0000000B"):
            self.assertAlice(digest(challenge, nc=nc))

    def test_spelling(self):
        """
        A client may leave out what is the default, quote what need not be quoted, and
        leave out spaces.
        """
        self.assertAlice(self.answer(algorithm=None))
        self.assertAlice(self.answer(algorithm="md5"))
        self.assertAlice(self.answer().replace("qop=auth", 'qop="auth"'))
        self.assertAlice(self.answer().replace(", ", ","))
        self.assertAlice(self.answer().replace("Digest", "DIGEST  "))

    def test_sha(self):
        """
        SHA-1 may be used instead; a client cannot choose another algorithm.
        """
        self.authenticate(Digest("chat", "SHA"))
        self.assertIn("algorithm=SHA,", self.challenge()[0])
        self.assertAlice(self.answer(hash="sha1"))
        self.realm.asked.clear()
        for algorithm in ("MD5", None):
            self.assertRefused(401, self.answer(hash="md5", algorithm=algorithm))
        self.assertRaises(ValueError, Digest, "chat", "MD5-sess")
        self.assertRaises(ValueError, Digest, "chat", "SHA-256")

    def test_withoutQop(self):
        """
        A proof as it was before C{qop} (RFC 2069), which does not depend on the
        client's nonce, is refused.
        """
        self.patch(logins, "digestProof", self.oldProof)
        line = self.answer(qop=None, nc=None, cnonce=None)
        self.assertRefused(401, line)

    def oldProof(self, *given):
        """
        @return: the proof for these, less the C{qop}.
        """
        *who, fields = given
        fields = {name: value for name, value in fields.items() if name != "qop"}
        return digestProof(*who, fields)

    def test_wrong(self):
        """
        A wrong password and an unknown user get a new challenge.
        """
        for changes in ({"password": "wrong"}, {"user": "bob"}):
            response = self.assertRefused(401, self.answer(**changes))
            self.assertIn(b"\r\nWWW-Authenticate: Digest ", response)
        self.assertEqual(len(self.checker.seen), 2)

    def test_malformed(self):
        """
        What is not an answer to a challenge as it was made gets a new one; no checker
        sees it.
        """
        for changes in [
            {"username": None},
            {"nonce": None},
            {"nonce": "0123456789abcdef01234567"},
            {"opaque": None},
            {"opaque": ""},
            {"opaque": "-"},
            {"opaque": "a-b-c"},
            {"opaque": "0-a"},
            {"opaque": "0-\xe9"},
            {"opaque": "0-" + b64encode(b"a,b,c").decode()},
            {"opaque": "0" * 6000},
            {"qop": None},
            {"qop": "auth-int"},
            {"qop": "other"},
            {"nc": None},
            {"nc": "1"},
            {"nc": "0000000g"},
            {"cnonce": None},
            {"cnonce": ""},
            {"response": None},
            {"response": ""},
            {"response": "\xe9"},
            {"algorithm": "MD5-sess"},
            {"algorithm": "SHA-256"},
            {"algorithm": "SHA"},
            {"algorithm": "\xe9"},
        ]:
            line = self.answer(**changes)
            response = self.assertRefused(401, line, name=str(changes)[:80])
            self.assertIn(b"\r\nWWW-Authenticate: Digest ", response)
        self.assertEqual(self.checker.seen, [])

    def test_grammar(self):
        """
        What is no list of parameters never comes to the pattern that Twisted reads it
        with, which takes the square of its length.
        """
        self.patch(self.scheme._factory, "decode", lambda *given: self.fail("read"))
        for value in [
            "",
            "a",
            "a" * 8000,
            "a" * 4000 + '="' + "b" * 3000,
            'a="b',
            'a="b"c',
            'a="b" c="d"',
            'a="\\"b"',
            "a=",
            "=b",
            "a=b,,c=d",
            "a=b,",
            ",a=b",
            "a =b",
            "a=b c",
            "\xe9=b",
            "a=b; c=d",
            "a=b" + " " * 8000 + ";",
            "a=b," * 2000,
            "dXNlcjpwYXNz",
        ]:
            self.assertRefused(401, f"Authorization: Digest {value}", name=value[:80])

    def test_otherTarget(self):
        """
        A proof for another request-target is refused with 400, also when the proof
        itself is right.
        """
        for uri, target in [
            ("/", "/a"),
            ("/a", "/"),
            ("/?a", "/"),
            ("/", "/?a"),
            ("", "/"),
            ("/%61", "/a"),
            ("http://example.com/", "/"),
            (None, "/"),
        ]:
            line = self.answer(uri=uri)
            self.assertRefused(400, line, target=target, name=(uri, target))
        self.assertEqual(self.checker.seen, [])

    def test_lifetime(self):
        """
        After 15 minutes the same proof is refused with a new challenge.
        """
        now = [1000.5]
        self.patch(DigestCredentialFactory, "_getTime", lambda factory: now[0])
        line = self.answer()
        now[0] += 15 * 60
        self.assertAlice(line)
        self.realm.asked.clear()
        now[0] += 1
        response = self.assertRefused(401, line)
        fresh = response.decode().partition("WWW-Authenticate: ")[2]
        self.assertAlice(digest(fresh.partition("\r\n")[0]))

    def test_otherServer(self):
        """
        A challenge of another server is none of ours.
        """
        line = self.answer()
        self.authenticate(Digest("chat"))
        self.assertRefused(401, line)

    def test_address(self):
        """
        Behind a proxy, a challenge is for the client's address.
        """
        self.authenticateBehindProxy()
        ours, another = "X-Forwarded-For: 203.0.113.7", "X-Forwarded-For: 2001:db8::7"
        self.assertAlice(self.answer(ours), ours)
        self.assertAlice(self.answer(another), another)
        self.realm.asked.clear()
        self.assertRefused(401, self.answer(ours), another)
        self.assertRefused(401, self.answer(ours))

    def authenticateBehindProxy(self):
        """
        Serve behind a proxy that is trusted.
        """
        application = self.server.factory.application
        self.serve(application, trustedProxies=["192.0.2.1"])

    def test_spoofedAddress(self):
        """
        Without a trusted proxy, what a client says of its address does not count.
        """
        spoofed = "X-Forwarded-For: 203.0.113.7"
        self.assertAlice(self.answer(spoofed))

    def test_constantTime(self):
        """
        Proofs are compared in constant time.
        """
        compared = []
        compare = hmac.compare_digest

        def counted(a, b):
            compared.append((a, b))
            return compare(a, b)

        self.patch(hmac, "compare_digest", counted)
        self.assertAlice(self.answer())
        self.assertEqual(len(compared), 1)
        self.realm.asked.clear()
        self.assertRefused(401, self.answer(password="wrong"))
        self.assertEqual(len(compared), 2)

    def test_storedDigest(self):
        """
        A checker that has only digests of passwords, as Apache's htdigest makes them,
        can check a proof.
        """

        @implementer(ICredentialsChecker)
        class Stored:
            credentialInterfaces = (IUsernameDigestHash,)

            def requestAvatarId(self, credentials):
                stored = md5(f"alice:chat:{PASSWORD}".encode()).hexdigest()
                assert credentials.checkHash(stored.encode())
                return succeed(b"alice")

        self.portal = Portal(self.realm, [Stored()])
        self.authenticate(Digest("chat"))
        self.assertAlice(self.answer())
