# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The step that logs in to a portal, and out again: L{twisted_ws.authentication}.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred, fail
from zope.interface.verify import verifyObject

from twisted_ws.authentication import (
    Basic,
    Bearer,
    ClientCertificate,
    Digest,
    IAuthenticationScheme,
    IAvatar,
    SessionCookie,
)

from .handshakes import GOODBYE, GREETING, HELLO, HELLO_REPLY
from .logins import COOKIE, PASSWORD, TOKEN, LoginTests, basic, certify, digest


@dataclass(frozen=True)
class Way:
    """
    A row: a way to show who one is.

    @ivar scheme: makes the scheme.
    @ivar right: makes the header line of Alice, from a challenge.
    @ivar wrong: that of someone else who says to be Alice.
    @ivar unknown: that of someone who is not known.
    @ivar malformed: that of someone who is not understood; C{None} if there is none.
    @ivar canAsk: whether HTTP has a challenge.
    """

    scheme: Any
    right: Any
    wrong: Any
    unknown: Any
    malformed: Any
    canAsk: bool


def line(text):
    """
    @return: what makes the same line for each challenge.
    """
    return lambda challenge: text


WAYS = [
    Way(
        lambda: Basic("chat"),
        line(basic("alice", PASSWORD)),
        line(basic("alice", "wrong")),
        line(basic("bob", PASSWORD)),
        line("Authorization: Basic ?"),
        True,
    ),
    Way(
        lambda: Digest("chat"),
        digest,
        lambda challenge: digest(challenge, password="wrong"),
        lambda challenge: digest(challenge, user="bob"),
        line("Authorization: Digest ?"),
        True,
    ),
    Way(
        lambda: Bearer("chat"),
        line(f"Authorization: Bearer {TOKEN}"),
        line(f"Authorization: Bearer {TOKEN}="),
        line("Authorization: Bearer unknown"),
        line("Authorization: Bearer ?"),
        True,
    ),
    Way(
        lambda: SessionCookie("session"),
        line(f"Cookie: session={COOKIE}"),
        line(f"Cookie: session={COOKIE}x"),
        line("Cookie: session=unknown"),
        None,
        False,
    ),
    Way(
        ClientCertificate,
        line("X-Certificate: alice's"),
        line("X-Certificate: alice's other"),
        line("X-Certificate: bob's"),
        None,
        False,
    ),
]


class WayTests(LoginTests):
    """
    What is the same for all schemes.
    """

    def each(self, **options):
        """
        Serve with each of the schemes.
        """
        for way in WAYS:
            self.realm.asked.clear()
            self.realm.logouts.clear()
            self.checker.seen.clear()
            self.checker.answer = None
            self.scheme = way.scheme()
            self.name = type(self.scheme).__name__
            self.authenticate(self.scheme, before=[certify], **options)
            yield way

    def show(self, shown):
        """
        Connect with a line that may need a challenge.
        """
        if self.name == "Digest":
            return self.ask(shown(self.challenge()[0]))
        return self.ask(shown(None))

    def assertRefused(self, way, peer):
        """
        Check that a peer is refused and nothing is left.

        @return: the response.
        """
        response = peer.received.decode("latin-1")
        self.assertStatus(peer, 401 if way.canAsk else 403, self.name)
        self.assertEqual(response.count("\r\nWWW-Authenticate: "), int(way.canAsk))
        body = "Unauthorized\n" if way.canAsk else "Forbidden\n"
        self.assertTrue(response.endswith("\r\n\r\n" + body), response)
        self.assertEqual(self.realm.asked, [], self.name)
        self.assertQuiet()
        self.assertNothingTold()
        return response

    def test_interface(self):
        """
        They provide the interface of schemes.
        """
        for way in WAYS:
            verifyObject(IAuthenticationScheme, way.scheme())

    def test_right(self):
        """
        Who shows the right thing is let in: the request and the connection have the
        avatar, and the realm had the request as its mind.
        """
        for way in self.each():
            peer = self.show(way.right)
            peer.send(HELLO)
            self.assertEqual(peer.take(), GREETING + HELLO_REPLY, self.name)
            connection = self.opened()
            self.assertEqual(connection.avatar.avatarId, b"alice")
            self.assertIs(connection.avatar, connection.request.avatar)
            self.assertEqual(self.realm.asked, [(connection.request, (IAvatar,))])
            self.assertEqual(self.realm.logouts, [])
            peer.send(GOODBYE)
            self.assertEqual(self.realm.logouts, [b"alice"], self.name)
            self.assertQuiet()
            self.assertNothingTold()

    def test_none(self):
        """
        Who shows nothing is refused; the portal is not asked.
        """
        for way in self.each():
            self.assertRefused(way, self.ask())
            self.assertEqual(self.checker.seen, [])

    def test_wrong(self):
        """
        Who shows the wrong thing is refused.
        """
        for way in self.each():
            self.assertRefused(way, self.show(way.wrong))
            self.assertEqual(len(self.checker.seen), 1, self.name)

    def test_unknown(self):
        """
        A user that is not known is refused, and cannot tell that from a wrong
        password: only nonces and the date differ.
        """
        for way in self.each():
            answers = []
            for shown in (way.unknown, way.wrong):
                response = self.assertRefused(way, self.show(shown))
                kept = [
                    part
                    for part in response.replace(", ", "\r\n").split("\r\n")
                    if not part.startswith(("nonce=", "opaque=", "Date", " "))
                    and " nonce=" not in part
                    and " GMT" not in part
                ]
                answers.append(kept)
            self.assertEqual(*answers)
            self.assertGreater(len(answers[0]), 5)

    def test_malformed(self):
        """
        What is not understood is refused; the portal is not asked.
        """
        for way in self.each():
            if way.malformed is not None:
                self.assertRefused(way, self.show(way.malformed))
                self.assertEqual(self.checker.seen, [])

    def test_slowThenRight(self):
        """
        The portal may take its time.
        """
        for way in self.each():
            checking = Deferred()
            self.checker.answer = lambda credentials, checking=checking: checking
            peer = self.show(way.right)
            self.clock.advance(9)
            self.server.flush()
            self.assertEqual(peer.take(), b"", self.name)
            checking.callback(b"alice")
            self.server.flush()
            self.assertEqual(peer.take(), GREETING, self.name)
            self.assertEqual(self.opened().avatar.avatarId, b"alice")

    def waiting(self, way):
        """
        Have a client wait for a portal.

        @return: the peer, and a list in which it is noted that the login was
            cancelled.
        """
        cancelled = []
        self.checker.answer = lambda credentials: Deferred(cancelled.append)
        peer = self.show(way.right)
        self.assertEqual(peer.take(), b"", self.name)
        self.assertEqual(cancelled, [])
        return peer, cancelled

    def test_peerLeaves(self):
        """
        The login is cancelled when the client leaves.
        """
        for way in self.each():
            peer, cancelled = self.waiting(way)
            peer.transport.loseConnection()
            self.server.flush()
            self.assertEqual(len(cancelled), 1, self.name)
            self.assertEqual(self.realm.asked, [])
            self.assertQuiet()
            self.assertNothingTold()

    def test_timeout(self):
        """
        The login is cancelled when C{handshakeTimeout} is over; that is answered with
        503.
        """
        for way in self.each():
            peer, cancelled = self.waiting(way)
            self.clock.advance(10)
            self.server.flush()
            self.assertEqual(len(cancelled), 1, self.name)
            self.assertStatus(peer, 503, self.name)
            self.assertQuiet()
            self.assertNothingTold()

    def test_serverCloses(self):
        """
        The login is cancelled when the server closes.
        """
        for way in self.each():
            peer, cancelled = self.waiting(way)
            self.server.factory.closeAllConnections()
            self.server.flush()
            self.assertEqual(len(cancelled), 1, self.name)
            self.assertStatus(peer, 503, self.name)
            self.assertQuiet()

    def test_checkerRaises(self):
        """
        A checker that fails is answered for with 500, and logged without what the
        client has shown, though it says what it was given.
        """

        def lookUp(credentials):
            shown = [vars(credentials), credentials]
            for name in ("password", "token", "value"):
                shown.append(getattr(credentials, name, None))
            raise KeyError(shown, *shown)

        for way in self.each():
            for answer in (lookUp, lambda c: fail(ValueError(f"oops {c!r}"))):
                self.checker.answer = answer
                peer = self.show(way.right)
                self.assertStatus(peer, 500, self.name)
                self.assertEqual(len(self.flushLoggedErrors(KeyError, ValueError)), 1)
                self.assertQuiet()
            self.assertNothingTold()
