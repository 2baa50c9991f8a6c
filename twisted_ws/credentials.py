# -*- test-case-name: tests.test_credentials -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What a client can show to prove who it is, for the checkers of a L{twisted.cred}
portal, beyond what L{twisted.cred.credentials} has; and a checker of bearer tokens.

A checker says by its C{credentialInterfaces} which of them it takes.  What it raises
is logged, so secrets are of types that C{repr} does not show: neither does then the
C{KeyError} of a checker that looks one up.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import (
    ICredentials,
    IUsernameHashedPassword,
    IUsernamePassword,
)
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import Attribute, implementer

if TYPE_CHECKING:
    from OpenSSL.crypto import X509


class SecretText(str):
    """
    A C{str} that C{repr} does not show.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "<secret>"


class SecretBytes(bytes):
    """
    C{bytes} that C{repr} and C{str} do not show, and that are compared in constant
    time.
    """

    def __repr__(self) -> str:
        return "<secret>"

    __str__ = __repr__
    __hash__ = bytes.__hash__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, bytes) and hmac.compare_digest(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other


class IBearerToken(ICredentials):
    """
    A bearer token (RFC 6750): whoever has it is who it was given to.
    """

    token: str = Attribute("The token.")


class ISessionCookie(ICredentials):
    """
    A cookie that names a session.  A browser sends it with the requests of foreign
    pages, too.
    """

    name: str = Attribute("The name of the cookie.")
    value: str = Attribute("Its value, as it came.")


class IClientCertificate(ICredentials):
    """
    A TLS certificate whose private key the client has.  That it was issued by a
    trusted authority was verified by OpenSSL in the TLS handshake, as the endpoint
    demanded; a checker has to find out whom it names.
    """

    certificate: X509 = Attribute("The certificate, an L{X509<OpenSSL.crypto.X509>}.")


@implementer(IUsernamePassword, IUsernameHashedPassword)
class UsernamePassword:
    """
    A name and a password, in UTF-8, that is compared in constant time.

    The checkers of L{twisted.cred.checkers} take it; so does one that is made for
    L{IUsernameHashedPassword} alone.  A checker that hashes slowly should do so for
    users that it does not know, too: else the time it takes tells who is a user.
    """

    username: bytes
    password: bytes

    def __init__(self, username: bytes, password: bytes) -> None:
        self.username = username
        self.password = SecretBytes(password)

    def __repr__(self) -> str:
        return f"<UsernamePassword {self.username[:200]!r}>"

    def checkPassword(self, password: bytes | str) -> bool:
        """
        Compare.

        @param password: the right one; C{str} is encoded as UTF-8.
        """
        right = password.encode() if isinstance(password, str) else password
        return self.password == right


@implementer(IBearerToken)
class BearerToken:
    """
    See L{IBearerToken}.
    """

    token: str

    def __init__(self, token: str) -> None:
        self.token = SecretText(token)


@implementer(ISessionCookie)
class CookieCredentials:
    """
    See L{ISessionCookie}.
    """

    name: str
    value: str

    def __init__(self, name: str, value: str) -> None:
        self.name = name
        self.value = SecretText(value)

    def __repr__(self) -> str:
        return f"<CookieCredentials {self.name}>"


@implementer(IClientCertificate)
class CertificateCredentials:
    """
    See L{IClientCertificate}.
    """

    certificate: X509

    def __init__(self, certificate: X509) -> None:
        self.certificate = certificate


@implementer(ICredentialsChecker)
class TokenChecker:
    """
    Checks bearer tokens.  It has only their hashes, so who reads these has no token;
    and as a token is looked up by its hash, the time that takes tells nothing of
    others.  That is right for long random tokens, as L{secrets.token_urlsafe} makes
    them, not for passwords.
    """

    credentialInterfaces = (IBearerToken,)

    def __init__(self, tokens: Mapping[str, Any]) -> None:
        """
        @param tokens: the avatar ids, by C{hashToken(token)}.  It is looked into at
            each login, so it may change.
        """
        self._tokens = tokens

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        """
        See L{ICredentialsChecker.requestAvatarId}.
        """
        avatarId = self._tokens.get(hashToken(credentials.token))
        return fail(UnauthorizedLogin()) if avatarId is None else succeed(avatarId)


def hashToken(token: str) -> str:
    """
    @return: the SHA-256 of a token, in hexadecimal.
    """
    return sha256(token.encode()).hexdigest()
