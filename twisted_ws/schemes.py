# -*- test-case-name: tests.test_schemes,tests.test_digest -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The ways in which a client can show who it is: L{Basic}, L{Digest}, L{Bearer},
L{SessionCookie} and L{ClientCertificate}, for
L{Authenticate<twisted_ws.authentication.Authenticate>}.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from typing import Any

from twisted.cred.credentials import DigestCredentialFactory, ICredentials
from twisted.cred.error import LoginFailed
from zope.interface import Interface, implementer

from ._wire.cookies import checkPair
from ._wire.headers import checkToken
from .credentials import (
    BearerToken,
    CertificateCredentials,
    CookieCredentials,
    SecretBytes,
    UsernamePassword,
)
from .errors import InvalidUpgrade
from .request import WebSocketRequest


class IAuthenticationScheme(Interface):
    """
    A way to show who one is.
    """

    def credentials(request: WebSocketRequest) -> ICredentials | None:
        """
        Find what the client shows.

        @return: the credentials; C{None} when there are none of this scheme.
        @raise LoginFailed: when they are malformed.  Its message is logged.
        @raise InvalidUpgrade: when the request cannot be understood; it is answered
            with the error's status.
        """

    def challenge(request: WebSocketRequest, refused: bool) -> str | None:
        """
        Ask for credentials (RFC 9110 section 11.6.1).

        @param refused: whether the client has shown some of this scheme, in vain.
        @return: the value of a WWW-Authenticate field; C{None} when HTTP has none for
            this scheme.
        """


def _authorization(request: WebSocketRequest, scheme: str) -> str | None:
    """
    @return: what the client says by way of C{scheme} (RFC 9110 section 11.6.2), or
        C{None}.
    @raise InvalidUpgrade: when it has several Authorization fields.
    """
    name, _, rest = (request.headers.getOnly("authorization") or "").partition(" ")
    return rest.strip(" ") if name.lower() == scheme.lower() else None


_REALM = re.compile(r"[ !#-\[\]-~]+")


def _checkRealm(realm: str) -> str:
    """
    @raise ValueError: when no realm can be named so.
    """
    if not _REALM.fullmatch(realm):
        raise ValueError(f"a realm is ASCII without quotes and backslashes: {realm!r}")
    return realm


@implementer(IAuthenticationScheme)
class Basic:
    """
    A name and a password (RFC 7617), in UTF-8; the portal gets a
    L{UsernamePassword<twisted_ws.credentials.UsernamePassword>}.  All who see the
    bytes see the password, so use it over TLS.
    """

    _control = re.compile("[\0-\x1f\x7f-\x9f]")

    def __init__(self, realm: str) -> None:
        """
        @param realm: what the password is for, as browsers show it.
        """
        self._realm = _checkRealm(realm)

    def credentials(self, request: WebSocketRequest) -> UsernamePassword | None:
        """
        See L{IAuthenticationScheme.credentials}.
        """
        given = _authorization(request, "Basic")
        if given is None:
            return None
        try:
            decoded = b64decode(given, validate=True)
            text = decoded.decode("utf-8")
        except ValueError:
            text = ""
        # There is one way to write something in base64, and others that are read.
        if b64encode(text.encode()).decode() != given:
            raise LoginFailed("not UTF-8 in base64")
        username, colon, password = text.partition(":")
        if not colon or self._control.search(text):
            raise LoginFailed("not a name, a colon and a password")
        return UsernamePassword(username.encode(), password.encode())

    def challenge(self, request: WebSocketRequest, refused: bool) -> str:
        """
        See L{IAuthenticationScheme.challenge}.
        """
        return f'Basic realm="{self._realm}", charset="UTF-8"'


_PARAMETER = r'[!#$%&\'*+\-.^_`|~0-9A-Za-z]+=(?:[^\s",=]+|"[^"]*")'


@implementer(IAuthenticationScheme)
class Digest:
    """
    A name, and a proof that the client has the password (RFC 7616), as
    L{twisted.cred.credentials} has it; the checker needs the passwords themselves
    (C{IUsernameHashedPassword}) or the digests that RFC 7616 calls A1
    (C{IUsernameDigestHash}).

    A proof is for one request-target, so no proxy on the way may change that.

    A challenge is good for the address it was sent to and for 15 minutes.  Within
    them, who sees a proof can use it again for the same URL from the same address;
    and MD5, which is all that browsers and Twisted have in common, lets passwords be
    guessed from it.  So use it over TLS, too.
    """

    _parameters = re.compile(rf"{_PARAMETER}(?:[ \t]*,[ \t]*{_PARAMETER})*")
    _required = {
        "qop": re.compile(b"auth"),
        "nc": re.compile(b"[0-9A-Fa-f]{8}"),
        "cnonce": re.compile(b".+"),
        "response": re.compile(b"[0-9a-f]+"),
    }

    def __init__(self, realm: str, algorithm: str = "MD5") -> None:
        """
        @param realm: what the password is for; digests that are stored depend on it.
        @param algorithm: C{"MD5"} or C{"SHA"}.
        """
        if algorithm.upper() not in ("MD5", "SHA"):
            raise ValueError(f"algorithm is MD5 or SHA, not {algorithm!r}")
        self._realm = _checkRealm(realm)
        self._algorithm = algorithm.upper()
        self._factory = DigestCredentialFactory(algorithm.encode(), realm.encode())

    def credentials(self, request: WebSocketRequest) -> Any:
        """
        See L{IAuthenticationScheme.credentials}.

        @raise InvalidUpgrade: when they are for another request-target.
        """
        given = _authorization(request, "Digest")
        if given is None:
            return None
        # The pattern that Twisted reads it with takes a second for 8 KiB of nothing
        # but letters; with what this one lets pass it is quick.
        if not self._parameters.fullmatch(given):
            raise LoginFailed("not a list of parameters")
        try:
            credentials = self._factory.decode(
                given.encode("latin-1"), b"GET", request.remoteAddress
            )
        except ValueError:
            raise LoginFailed("not an opaque of ours") from None
        # What Twisted would take the client's word for, or fail on.
        fields = credentials.fields
        for name, pattern in self._required.items():
            if not pattern.fullmatch(fields.get(name, b"")):
                raise LoginFailed(f"no {name}, or not one that was asked for")
        algorithm = fields.get("algorithm", b"MD5").decode("latin-1")
        if algorithm.upper() != self._algorithm:
            raise LoginFailed("not the algorithm that was asked for")
        if fields.get("uri") != request.resource.encode("ascii"):
            raise InvalidUpgrade("a Digest for another request-target")
        fields["response"] = SecretBytes(fields["response"])
        return credentials

    def challenge(self, request: WebSocketRequest, refused: bool) -> str:
        """
        See L{IAuthenticationScheme.challenge}.
        """
        new = self._factory.getChallenge(request.remoteAddress)
        nonce, opaque = new["nonce"].decode("ascii"), new["opaque"].decode("ascii")
        return (
            f'Digest realm="{self._realm}", qop="auth", algorithm={self._algorithm},'
            f' nonce="{nonce}", opaque="{opaque}", charset="UTF-8"'
        )


@implementer(IAuthenticationScheme)
class Bearer:
    """
    A token (RFC 6750); the portal gets a
    L{BearerToken<twisted_ws.credentials.BearerToken>}.  All who see the bytes see
    the token, so use it over TLS.

    A page cannot set the Authorization field of a WebSocket.  It can ask for a
    subprotocol that holds the token, after the one that it is to speak::

        new WebSocket(url, ["chat.v1", "bearer." + token])  // Bearer(..., "bearer.")

    The token must not have the characters C{/} and C{=} then.  Unlike in a URL, it is
    not in the logs of servers and in histories.
    """

    _token = re.compile(r"[A-Za-z0-9\-._~+/]+=*")

    def __init__(self, realm: str, subprotocolPrefix: str | None = None) -> None:
        """
        @param realm: what the token is for.
        @param subprotocolPrefix: what comes before the token in a subprotocol; by
            default none is looked for there.
        """
        self._realm = _checkRealm(realm)
        self._prefix = subprotocolPrefix
        if subprotocolPrefix is not None:
            checkToken(subprotocolPrefix, "subprotocolPrefix")

    def credentials(self, request: WebSocketRequest) -> BearerToken | None:
        """
        See L{IAuthenticationScheme.credentials}.

        @raise InvalidUpgrade: when there are several tokens (RFC 6750 section 2).
        """
        given = _authorization(request, "Bearer")
        tokens = [] if given is None else [given]
        if self._prefix is not None:
            tokens += [
                protocol[len(self._prefix) :]
                for protocol in request.requestedProtocols
                if protocol.lower().startswith(self._prefix.lower())
            ]
        if not tokens:
            return None
        if len(tokens) > 1:
            raise InvalidUpgrade("several bearer tokens")
        if not self._token.fullmatch(tokens[0]):
            raise LoginFailed("not a token")
        return BearerToken(tokens[0])

    def challenge(self, request: WebSocketRequest, refused: bool) -> str:
        """
        See L{IAuthenticationScheme.challenge}.
        """
        error = ', error="invalid_token"' if refused else ""
        return f'Bearer realm="{self._realm}"{error}'


@implementer(IAuthenticationScheme)
class SessionCookie:
    """
    A cookie that names a session; the portal gets a
    L{CookieCredentials<twisted_ws.credentials.CookieCredentials>}.

    For the sessions of a L{twisted.web.server.Site} the name is C{TWISTED_SESSION}
    (C{TWISTED_SECURE_SESSION} over TLS), and the checker finds the value in
    C{site.sessions}.
    """

    def __init__(self, name: str) -> None:
        """
        @param name: of the cookie.
        """
        checkPair(name, "")
        self._name = name

    def credentials(self, request: WebSocketRequest) -> CookieCredentials | None:
        """
        See L{IAuthenticationScheme.credentials}.
        """
        value = request.cookies.get(self._name)
        return CookieCredentials(self._name, value) if value else None

    def challenge(self, request: WebSocketRequest, refused: bool) -> None:
        """
        There is none: a session begins elsewhere.
        """


@implementer(IAuthenticationScheme)
class ClientCertificate:
    """
    A TLS certificate; the portal gets a
    L{CertificateCredentials<twisted_ws.credentials.CertificateCredentials>}.

    The server's endpoint has to ask for it and to verify it, as do
    L{ServerCertificates<twisted_ws.ServerCertificates>} with a C{clientAuthority}, and
    Twisted's own options with a C{trustRoot}::

        CertificateOptions(key, certificate, trustRoot=trustRootFromCertificates([ca]))

    Where an OpenSSL context takes any certificate unverified, one proves nothing.
    Behind a proxy that ends TLS there is none.
    """

    def credentials(self, request: WebSocketRequest) -> CertificateCredentials | None:
        """
        See L{IAuthenticationScheme.credentials}.
        """
        certificate = request.peerCertificate
        return None if certificate is None else CertificateCredentials(certificate)

    def challenge(self, request: WebSocketRequest, refused: bool) -> None:
        """
        There is none: TLS has asked already.
        """
