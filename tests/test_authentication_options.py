# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What L{twisted_ws.authentication.Authenticate} says when it refuses, its options, and
schemes of one's own.
"""

from __future__ import annotations

from twisted.cred.credentials import Anonymous
from twisted.cred.error import LoginDenied, LoginFailed, Unauthorized, UnauthorizedLogin
from twisted.cred.portal import Portal
from twisted.internet.defer import fail
from twisted.logger import LogLevel
from zope.interface import Interface, implementer

from twisted_ws import AllowOrigins, InvalidUpgrade
from twisted_ws.authentication import (
    Authenticate,
    Basic,
    Bearer,
    Digest,
    IAuthenticationScheme,
    SessionCookie,
)
from twisted_ws.request import Verdict

from .handshakes import GOODBYE, GREETING, Echo
from .logins import COOKIE, TOKEN, LoginTests


def accept(request):
    request.accept(Echo())


class RefusalTests(LoginTests):
    """
    How L{Authenticate} refuses.
    """

    def test_challenges(self):
        """
        Each scheme that has a challenge gets a field; the error is in the one whose
        credentials were refused.
        """
        schemes = [SessionCookie("s"), Basic("a"), Digest("b"), Bearer("c")]
        self.authenticate(*schemes)
        names = ["Basic realm=", "Digest realm=", "Bearer realm="]
        for fields, error in [
            ((), False),
            (("Authorization: Basic ?",), False),
            (("Authorization: Bearer unknown",), True),
            (("Authorization: Bearer ?",), True),
            (("Authorization: Negotiate abc",), False),
            (("Cookie: s=unknown",), False),
        ]:
            challenges = self.challenge(*fields)
            self.assertEqual([c.partition('"')[0] for c in challenges], names)
            self.assertEqual("error=" in challenges[2], error, fields)

    def test_errors(self):
        """
        Whatever of C{twisted.cred}'s errors a checker or a realm fails with, it is the
        same refusal; its message is neither sent nor logged.
        """
        self.authenticate(Bearer("chat"))
        for error in (LoginFailed, UnauthorizedLogin, LoginDenied, Unauthorized):
            self.checker.answer = lambda c, error=error: fail(error(f"no {TOKEN}"))
            peer = self.ask(f"Authorization: Bearer {TOKEN}")
            self.assertStatus(peer, 401)
            self.assertIn(f"refused: Bearer: {error.__name__}", self.logged())
            self.assertNothingTold()

    def test_unhandled(self):
        """
        Where the portal has no checker, the client is refused, and a warning says
        what is missing.
        """
        self.portal = Portal(self.realm)
        self.authenticate(Bearer("chat"))
        self.assertStatus(self.ask(f"Authorization: Bearer {TOKEN}"), 401)
        levels = [event["log_level"] for event in self.events]
        self.assertEqual(levels.count(LogLevel.warn), 1)
        self.assertIn("IBearerToken", self.logged())
        self.assertNothingTold()

    def test_log(self):
        """
        A refusal is logged with the request, the peer, the scheme and the reason.
        """
        self.authenticate(Basic("chat"))
        self.ask("Authorization: Basic ?")
        self.assertIn("refused: Basic: not UTF-8 in base64", self.logged())
        self.assertIn("192.0.2.1", self.logged())
        self.ask()
        self.assertIn("refused: nothing shows who it is from", self.logged())

    def test_first(self):
        """
        The first credentials found count, in the order of the schemes; if they are
        refused, no others are tried.
        """
        cookie, token = f"Cookie: s={COOKIE}", f"Authorization: Bearer {TOKEN}"
        self.authenticate(SessionCookie("s"), Bearer("chat"))
        self.ask(cookie, token)
        self.assertEqual([c.value for c in self.checker.seen], [COOKIE])
        self.assertStatus(self.ask("Cookie: s=unknown", token), 401)
        self.assertEqual(self.ask(token).take(), GREETING)
        self.authenticate(Bearer("chat"), SessionCookie("s"))
        self.checker.seen.clear()
        self.ask(cookie, token)
        self.assertEqual([c.token for c in self.checker.seen], [TOKEN])


class OptionTests(LoginTests):
    """
    The options of L{Authenticate}, and schemes of one's own.
    """

    def test_optional(self):
        """
        Who shows nothing may be someone anonymous; who shows something has to be
        right.
        """
        self.authenticate(Bearer("chat"), optional=True)
        peer = self.ask()
        self.assertEqual(peer.take(), GREETING)
        self.assertEqual(self.opened().avatar.avatarId, ())
        self.assertIsInstance(self.checker.seen[0], Anonymous)
        peer.send(GOODBYE)
        self.assertEqual(self.realm.logouts, [()])
        for value in ("unknown", "?"):
            self.assertStatus(self.ask(f"Authorization: Bearer {value}"), 401)
        self.assertEqual(
            self.ask(f"Authorization: Bearer {TOKEN}").take(),
            GREETING,
        )

    def test_optionalRefused(self):
        """
        A portal may refuse those.
        """
        self.checker.answer = lambda credentials: fail(UnauthorizedLogin())
        self.authenticate(Bearer("chat"), optional=True)
        self.assertEqual(self.challenge(), ['Bearer realm="chat"'])
        self.portal = Portal(self.realm)
        self.authenticate(SessionCookie("s"), optional=True)
        self.assertStatus(self.ask(), 403)
        self.assertIn("the portal cannot check Anonymous", self.logged())

    def test_interface(self):
        """
        The realm is asked for another interface, if that was asked for.
        """

        class IMember(Interface):
            pass

        self.authenticate(Bearer("chat"), interface=IMember)
        self.ask(f"Authorization: Bearer {TOKEN}")
        self.assertEqual([each for _, each in self.realm.asked], [(IMember,)])

    def test_ownScheme(self):
        """
        A scheme of one's own is asked like the others; what it raises is answered
        for as theirs is, and a mistake of it with 500.
        """

        @implementer(IAuthenticationScheme)
        class Own:
            def credentials(self, request):
                if isinstance(answer, Exception):
                    raise answer
                return answer

            def challenge(self, request, refused):
                return f'Own refused="{refused}"'

        self.authenticate(Own(), Bearer("chat"), optional=True)
        answer = None
        self.assertEqual(self.ask().take(), GREETING)
        answer = Anonymous()
        self.assertEqual(self.ask().take(), GREETING)
        answer = LoginFailed("so")
        self.assertEqual(
            self.challenge(), ['Own refused="True"', 'Bearer realm="chat"']
        )
        answer = InvalidUpgrade("which?", 421, [(b"X-Why", b"this")])
        peer = self.ask()
        self.assertIn(b"\r\nX-Why: this\r\n", peer.received)
        self.assertTrue(peer.received.endswith(b"\r\n\r\nwhich?\n"))
        self.assertStatus(peer, 421)
        answer = ZeroDivisionError("oops")
        self.assertStatus(self.ask(), 500)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_awaited(self):
        """
        An application can await the step by itself.
        """
        step = Authenticate(self.portal, [Bearer("chat")])

        async def application(request):
            await step(request)
            self.assertIs(request.verdict, Verdict.PENDING)
            request.accept(Echo())

        self.serve(application)
        self.assertEqual(self.ask(f"Authorization: Bearer {TOKEN}").take(), GREETING)
        self.assertEqual(self.opened().avatar.avatarId, b"alice")

    def test_withOrigins(self):
        """
        Behind L{AllowOrigins}, a foreign page with Alice's cookie gets nowhere.
        """
        self.authenticate(SessionCookie("s"), before=[AllowOrigins()], then=accept)
        cookie = f"Cookie: s={COOKIE}"
        self.assertStatus(self.ask(cookie, "Origin: https://evil.example"), 403)
        self.assertEqual(self.checker.seen, [])
        peer = self.ask(cookie, "Origin: http://example.com")
        self.assertEqual(peer.take(), GREETING)

    def test_nonsense(self):
        """
        What is no scheme, or none at all, is refused at once.
        """
        for schemes in ([], [Basic], ["Basic"], [None], [object()]):
            self.assertRaises(TypeError, Authenticate, self.portal, schemes)

    def test_once(self):
        """
        Two steps log in twice; the avatar is that of the second, and both are logged
        out.
        """
        cookie, token = f"Cookie: s={COOKIE}", f"Authorization: Bearer {TOKEN}"
        self.checker.known[COOKIE] = b"session"
        second = Authenticate(self.portal, [SessionCookie("s")])
        self.authenticate(Bearer("chat"), after=[second])
        peer = self.ask(cookie, token)
        self.assertEqual(self.opened().avatar.avatarId, b"session")
        peer.send(GOODBYE)
        self.assertEqual(sorted(self.realm.logouts), [b"alice", b"session"])
