# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
How clients show who they are: L{twisted_ws.schemes}.
"""

from __future__ import annotations

from base64 import b64encode

from twisted_ws import Router, Steps
from twisted_ws.schemes import (
    Basic,
    Bearer,
    ClientCertificate,
    Digest,
    SessionCookie,
)

from .handshakes import Echo
from .logins import COOKIE, PASSWORD, TOKEN, SchemeTests, basic, certify


def encoded(text):
    """
    @return: an Authorization line with bytes, or with text in UTF-8.
    """
    raw = text.encode() if isinstance(text, str) else text
    return f"Authorization: Basic {b64encode(raw).decode()}"


class BasicTests(SchemeTests):
    """
    L{Basic}.
    """

    def setUp(self):
        super().setUp()
        self.authenticate(Basic("chat"))

    def test_right(self):
        """
        The right password lets in; the name of the scheme has any case, and any
        number of spaces behind it.
        """
        right = basic("alice", PASSWORD)
        for line in (
            right,
            right.replace("Basic", "basic"),
            right.replace("Basic", "BASIC"),
            right.replace("Basic ", "Basic    "),
        ):
            self.assertAlice(line)

    def test_parts(self):
        """
        The name ends at the first colon; both parts may be empty, and are handed on
        as UTF-8.
        """
        for text, username, password in [
            ("a:b", b"a", b"b"),
            ("a:b:c", b"a", b"b:c"),
            ("a::", b"a", b":"),
            (":b", b"", b"b"),
            ("a:", b"a", b""),
            (":", b"", b""),
            ("a : b ", b"a ", b" b "),
            ("\xe9:\u20ac\U0001f600", "\xe9".encode(), "\u20ac\U0001f600".encode()),
            ("a:" + "b" * 5900, b"a", b"b" * 5900),
        ]:
            self.ask(encoded(text))
            credentials = self.checker.seen.pop()
            self.assertEqual(credentials.username, username)
            self.assertTrue(credentials.password == password, text)

    def test_malformed(self):
        """
        What is not exactly that is refused with 401; no checker sees it.
        """
        for name, line in [
            ("nothing", "Authorization: Basic"),
            ("spaces", "Authorization: Basic   "),
            ("no colon", encoded("alice")),
            ("empty text", "Authorization: Basic ===="),
            ("not base64", "Authorization: Basic ????"),
            ("not ASCII", "Authorization: Basic \xe9\xe9\xe9\xe9"),
            ("no padding", "Authorization: Basic YTpiYg"),
            ("too much padding", "Authorization: Basic YTpi===="),
            ("padding within", "Authorization: Basic YQ==OmI="),
            ("bits after the end", "Authorization: Basic YTpiYh=="),
            ("another alphabet", "Authorization: Basic Pz4_Oj4-"),
            ("a space within", "Authorization: Basic YTpi YmJi"),
            ("a tab within", "Authorization: Basic YTpi\tYmJi"),
            ("two in a list", "Authorization: Basic YTpi, Basic YTpi"),
            ("a parameter", 'Authorization: Basic realm="chat"'),
            ("Latin-1", encoded("\xe9:b".encode("latin-1"))),
            ("a surrogate", encoded(b"a:\xed\xa0\x80")),
            ("NUL", encoded("alice\0:b")),
            ("a line end", encoded("alice:b\r\nX: y")),
            ("DEL", encoded("alice:\x7f")),
            ("a control character of Latin-1", encoded("alice:\x85")),
            ("8 KiB", "Authorization: Basic " + "A" * 8000),
        ]:
            response = self.assertRefused(401, line, name=name)
            self.assertIn(b'WWW-Authenticate: Basic realm="chat"', response)
        self.assertEqual(self.checker.seen, [])

    def test_severalFields(self):
        """
        A request with several Authorization fields could be understood in two ways:
        it is refused with 400.
        """
        right = basic("alice", PASSWORD)
        for fields in [(right, right), (right, "Authorization: Bearer a")]:
            self.assertRefused(400, *fields)
        self.assertEqual(self.checker.seen, [])

    def test_none(self):
        """
        Without credentials for this scheme, the client is asked for some.
        """
        for fields in [
            (),
            ("Authorization: ",),
            ("Authorization: Bearer YTpi",),
            ("Authorization: BasicYTpi",),
            ("Authorization: Basic\tYTpi",),
            ("Proxy-" + basic("alice", PASSWORD),),
        ]:
            self.assertRefused(401, *fields)
        self.assertEqual(self.checker.seen, [])

    def test_challenge(self):
        """
        The challenge has the realm, and asks for UTF-8.
        """
        self.assertEqual(self.challenge(), ['Basic realm="chat", charset="UTF-8"'])

    def test_realms(self):
        """
        A realm that could not be written down plainly is refused at once.
        """
        for scheme in (Basic, Digest, Bearer):
            for realm in ("", 'a"b', "a\\b", "caf\xe9", "a\nb", "a\x7f"):
                with self.assertRaises(ValueError):
                    scheme(realm)
            scheme("Members' room, 2nd floor; ~")


class BearerTests(SchemeTests):
    """
    L{Bearer}.
    """

    def test_right(self):
        """
        A known token lets in, whatever the case of the scheme.
        """
        self.authenticate(Bearer("chat"))
        for name in ("Bearer", "bearer", "BEARER ", "bEaReR"):
            self.assertAlice(f"Authorization: {name} {TOKEN}")

    def test_wrong(self):
        """
        A token that is not known, or cannot be one, is refused as invalid (RFC 6750
        section 3.1).
        """
        self.authenticate(Bearer("chat"))
        for token in [
            "unknown",
            TOKEN + "=",
            TOKEN.lower(),
            "",
            "a b",
            "a,b",
            'realm="chat"',
            "=",
            "a=b",
            "\xe9",
            "a" * 8000,
        ]:
            response = self.assertRefused(401, f"Authorization: Bearer {token}")
            challenge = b'WWW-Authenticate: Bearer realm="chat", error="invalid_token"'
            self.assertIn(challenge, response)
        self.assertEqual(len(self.checker.seen), 4)

    def test_none(self):
        """
        Where there is no token there is no error (RFC 6750 section 3.1).
        """
        self.authenticate(Bearer("chat"))
        self.assertEqual(self.challenge(), ['Bearer realm="chat"'])
        self.assertEqual(
            self.challenge("Authorization: Basic YTpi"), ['Bearer realm="chat"']
        )

    def test_subprotocolIsNotAsked(self):
        """
        A token is not looked for in subprotocols, unless that was asked for.
        """
        self.checker.known["t0ken"] = b"alice"
        self.authenticate(Bearer("chat"))
        self.assertRefused(401, "Sec-WebSocket-Protocol: chat.v1, bearer.t0ken")
        self.assertEqual(self.checker.seen, [])

    def test_subprotocol(self):
        """
        A page can show a token in a subprotocol; the application speaks the other.
        """
        self.checker.known["t0ken-_.~"] = b"alice"
        self.authenticate(Bearer("chat", "bearer."), then=Speaks("chat.v1"))
        for prefix in ("bearer.", "BEARER."):
            asked = f"Sec-WebSocket-Protocol: chat.v1, {prefix}t0ken-_.~"
            response = self.ask(asked).take()
            self.assertIn(b"\r\nSec-WebSocket-Protocol: chat.v1\r\n", response)
            self.assertNotIn(b"t0ken", response)
        self.assertEqual(len(self.checker.seen), 2)
        self.assertNotIn("t0ken-_.~", self.logged())

    def test_subprotocolBehindRouter(self):
        """
        A router finds the application by the other subprotocol.
        """
        self.checker.known["t0ken"] = b"alice"
        self.authenticate(Bearer("chat", "bearer."))
        router = Router()
        router.mount("/", "chat.v1", self.server.factory.application)
        self.serve(Steps([], router))
        asked = "Sec-WebSocket-Protocol: chat.v1, bearer.t0ken"
        response = self.ask(asked).take()
        self.assertIn(b"\r\nSec-WebSocket-Protocol: chat.v1\r\n", response)

    def test_nothingThere(self):
        """
        A token in a subprotocol is not logged where there is nothing for it either.
        """
        router = Router()
        router.mount("/", "chat.v1", Steps([], Echo))
        self.serve(router)
        for target in ("/", "/a"):
            asked = "Sec-WebSocket-Protocol: chat.v2, bearer.t0ken"
            self.assertStatus(self.ask(asked, target=target), 404)
        self.assertNotIn("t0ken", self.logged())

    def test_wrongSubprotocol(self):
        """
        A token in a subprotocol is judged as any other.
        """
        self.authenticate(Bearer("chat", "bearer."))
        for protocol in ("bearer.", "bearer.unknown", "bearer.!#$"):
            response = self.assertRefused(401, f"Sec-WebSocket-Protocol: {protocol}")
            self.assertIn(b'error="invalid_token"', response)

    def test_several(self):
        """
        Several tokens in one request are refused with 400 (RFC 6750 section 2).
        """
        self.authenticate(Bearer("chat", "bearer."))
        field = f"Authorization: Bearer {TOKEN}"
        self.assertRefused(400, field, "Sec-WebSocket-Protocol: bearer.t0ken")
        self.assertRefused(400, "Sec-WebSocket-Protocol: bearer.t0ken, bearer.other")
        self.assertRefused(400, field, field)

    def test_prefix(self):
        """
        A prefix that no subprotocol can have is refused at once.
        """
        for prefix in ("", "bearer/", "a b", "b\xe9"):
            self.assertRaises(ValueError, Bearer, "chat", prefix)


def Speaks(protocol):
    """
    @return: an application that speaks a subprotocol.
    """
    return lambda request: request.accept(Echo(), protocol)


class SessionCookieTests(SchemeTests):
    """
    L{SessionCookie}.
    """

    def setUp(self):
        super().setUp()
        self.authenticate(SessionCookie("session"))

    def test_right(self):
        """
        A known value lets in, also among others, and quoted.
        """
        for line in (
            f"Cookie: session={COOKIE}",
            f"Cookie: a=b; session={COOKIE}; c=d",
            f'Cookie: session="{COOKIE}"',
            f"Cookie: session={COOKIE}; session=later",
        ):
            self.assertAlice(line)

    def test_wrong(self):
        """
        Any other is refused; as HTTP cannot ask for a cookie, with 403.
        """
        for cookie in (
            "session=wrong",
            f"session={COOKIE}x",
            f"session=first; session={COOKIE}",
            "session=" + "a" * 8000,
            "session=\xe9",
        ):
            response = self.assertRefused(403, f"Cookie: {cookie}")
            self.assertNotIn(b"WWW-Authenticate", response)
        self.assertEqual(len(self.checker.seen), 5)

    def test_none(self):
        """
        No cookie, an empty one, or one of another name are no credentials.
        """
        for fields in [
            (),
            ("Cookie: ",),
            ("Cookie: session=",),
            ("Cookie: session",),
            ('Cookie: session=""',),
            (f"Cookie: Session={COOKIE}",),
            (f"Cookie: session2={COOKIE}",),
        ]:
            self.assertRefused(403, *fields)
        self.assertEqual(self.checker.seen, [])

    def test_name(self):
        """
        A name that no cookie can have is refused at once.
        """
        for name in ("", "a b", "a=b", "a;b", "\xe9"):
            self.assertRaises(ValueError, SessionCookie, name)


class ClientCertificateTests(SchemeTests):
    """
    L{ClientCertificate}, where the certificate is there already;
    L{tests.test_authentication_tls} has those of real clients.
    """

    def test_certificates(self):
        """
        A known certificate lets in, any other does not, and none is nobody.
        """
        self.authenticate(ClientCertificate(), before=[certify])
        self.assertAlice("X-Certificate: alice's")
        self.realm.asked.clear()
        self.assertRefused(403, "X-Certificate: bob's")
        self.assertEqual(len(self.checker.seen), 2)
        self.assertRefused(403)
        self.assertEqual(len(self.checker.seen), 2)

    def test_withoutTLS(self):
        """
        Over TCP there is no certificate, whatever a client says.
        """
        self.authenticate(ClientCertificate())
        self.assertRefused(403, "X-Certificate: alice's")
        self.assertEqual(self.checker.seen, [])
