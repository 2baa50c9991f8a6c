# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
For the tests of authentication: a realm and a checker that write down what happens to
them, what clients show, and all that is logged meanwhile.
"""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import md5, new

from twisted.cred.checkers import ANONYMOUS, ICredentialsChecker
from twisted.cred.credentials import (
    IAnonymous,
    IUsernameHashedPassword,
    IUsernamePassword,
)
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import fail, maybeDeferred, succeed
from twisted.logger import eventAsJSON, eventAsText, globalLogPublisher
from zope.interface import implementer

from twisted_ws import Steps
from twisted_ws.authentication import Authenticate
from twisted_ws.credentials import IBearerToken, IClientCertificate, ISessionCookie

from .handshakes import Echo, ServerTests, handshake

PASSWORD = "Open, Sesame: \u20ac"
TOKEN = "kT-3.x_9~token+/Zq=="
COOKIE = "c00kie.Value/77"
SECRETS = (PASSWORD, "Sesame", TOKEN, COOKIE)


class Avatar:
    """
    Whom a realm makes of an avatar id.
    """

    def __init__(self, avatarId):
        self.avatarId = avatarId


@implementer(IRealm)
class Realm:
    """
    Lets everyone in.

    @ivar asked: the mind and the interfaces of each login.
    @ivar logouts: the avatars that were logged out, in order.
    """

    def __init__(self):
        self.asked = []
        self.logouts = []

    def requestAvatar(self, avatarId, mind, *interfaces):
        """
        Log in.
        """
        avatar = Avatar(avatarId)
        self.asked.append((mind, interfaces))
        return interfaces[0], avatar, lambda: self.logouts.append(avatar.avatarId)


@implementer(ICredentialsChecker)
class Checker:
    """
    Knows Alice, by all that she can show.

    @ivar seen: all credentials so far.
    @ivar answer: what to do instead of looking at them.
    """

    credentialInterfaces = (
        IUsernamePassword,
        IUsernameHashedPassword,
        IBearerToken,
        ISessionCookie,
        IClientCertificate,
        IAnonymous,
    )

    def __init__(self):
        self.seen = []
        self.answer = None
        self.passwords = {b"alice": PASSWORD.encode()}
        self.known = {TOKEN: b"alice", COOKIE: b"alice", "alice's": b"alice"}

    def requestAvatarId(self, credentials):
        """
        Check.
        """
        self.seen.append(credentials)
        if self.answer is not None:
            return maybeDeferred(self.answer, credentials)
        if IAnonymous.providedBy(credentials):
            return succeed(ANONYMOUS)
        if hasattr(credentials, "checkPassword"):
            password = self.passwords.get(credentials.username)
            isRight = password is not None and credentials.checkPassword(password)
            avatarId = credentials.username if isRight else None
        else:
            avatarId = self.known.get(shown(credentials))
        return fail(UnauthorizedLogin()) if avatarId is None else succeed(avatarId)


def shown(credentials):
    """
    @return: what there is to look up of credentials that are no password.
    """
    for name in ("token", "value", "certificate"):
        if hasattr(credentials, name):
            return getattr(credentials, name)
    return None


def basic(username, password):
    """
    @return: an Authorization line.
    """
    both = b64encode(f"{username}:{password}".encode()).decode()
    return f"Authorization: Basic {both}"


def digestProof(hash, user, realm, password, fields):
    """
    The proof of RFC 7616 section 3.4.1, or that of RFC 2069 without a C{qop}; not by
    the code under test.
    """

    def H(*parts):
        return new(hash, ":".join(parts).encode()).hexdigest()

    more = [fields[name] for name in ("nc", "cnonce", "qop") if "qop" in fields]
    return H(H(user, realm, password), fields["nonce"], *more, H("GET", fields["uri"]))


def digest(challenge, user="alice", password=PASSWORD, hash="md5", **changes):
    """
    Answer a challenge.

    @param challenge: the value of its WWW-Authenticate field.
    @param changes: parameters to send instead of those that the proof was made from;
        C{None} leaves one out.
    @return: an Authorization line.
    """
    asked = dict(re.findall(r'(\w+)="?([^",]*)', challenge.partition(" ")[2]))
    fields = {
        "username": user,
        "realm": asked["realm"],
        "nonce": asked["nonce"],
        "opaque": asked["opaque"],
        "uri": changes.get("uri") or "/",
        "algorithm": asked["algorithm"],
        "nc": changes.get("nc") or "00000001",
        "cnonce": "0a4f113b",
        "qop": "auth",
    }
    fields["response"] = digestProof(hash, user, asked["realm"], password, fields)
    fields.update(changes)
    bare = ("algorithm", "nc", "qop")
    return "Authorization: Digest " + ", ".join(
        f"{name}={given}" if name in bare else f'{name}="{given}"'
        for name, given in fields.items()
        if given is not None
    )


def certify(request):
    """
    A step that has the request come with a certificate, as over TLS.
    """
    request.peerCertificate = request.headers.get("x-certificate")


class LoginTests(ServerTests):
    """
    The base of the tests.

    @ivar realm: the L{Realm} of the server.
    @ivar checker: its L{Checker}.
    @ivar events: all that was logged.
    """

    def setUp(self):
        self.events = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)
        self.realm = Realm()
        self.checker = Checker()
        self.portal = Portal(self.realm, [self.checker])

    def authenticate(self, *schemes, before=(), after=(), then=Echo, **options):
        """
        Serve with an L{Authenticate} step.

        @param before: steps before it.
        @param after: steps after it.
        @param then: the application.
        @param options: of L{Authenticate}.
        """
        step = Authenticate(self.portal, schemes, **options)
        return self.serve(Steps([*before, step, *after], then))

    def ask(self, *fields, target="/", **options):
        """
        Connect with header lines.

        @return: the peer.
        """
        line = f"GET {target} HTTP/1.1"
        return self.connect(handshake(*fields, line=line, **options))

    def challenge(self, *fields):
        """
        @return: the values of the WWW-Authenticate fields that answer these.
        """
        response = self.ask(*fields).take().decode("latin-1")
        return re.findall(r"\r\nWWW-Authenticate: ([^\r]*)", response)

    def opened(self):
        """
        @return: the only connection there is.
        """
        (connection,) = self.server.factory.connections
        return connection

    def logged(self):
        """
        @return: the text of all that was logged, with the tracebacks, and whatever
            of it can be stored.
        """
        texts = [eventAsText(event) for event in self.events]
        return "\n".join(texts + [eventAsJSON(event) for event in self.events])

    def assertNothingTold(self):
        """
        Check that no secret was logged, as it is nor in base64.
        """
        told = self.logged()
        for secret in SECRETS:
            self.assertNotIn(secret, told)
            self.assertNotIn(repr(secret.encode()), told)
        self.assertNotIn(basic("alice", PASSWORD).split()[-1], told)
        self.assertNotIn(md5(PASSWORD.encode()).hexdigest(), told)


class SchemeTests(LoginTests):
    """
    The base of the tests.
    """

    def assertAlice(self, *fields, **options):
        """
        Check that a client with these header lines is Alice.
        """
        peer = self.ask(*fields, **options)
        self.assertTrue(peer.take().startswith(b"HTTP/1.1 101 "), fields)
        self.assertEqual(self.opened().avatar.avatarId, b"alice")
        peer.transport.loseConnection()
        self.server.flush()
        self.assertQuiet()

    def assertRefused(self, status, *fields, name=None, **options):
        """
        Check that a client with these header lines is refused, and that nothing of
        it went wrong or was told.

        @return: the response.
        """
        peer = self.ask(*fields, **options)
        response = peer.received
        self.assertStatus(peer, status, name or fields)
        self.assertQuiet()
        self.assertEqual(self.realm.asked, [], name)
        self.assertNothingTold()
        return response
