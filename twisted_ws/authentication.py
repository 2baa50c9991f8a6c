# -*- test-case-name: tests.test_authentication,tests.test_logout -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Who connects, by L{twisted.cred}::

    members = Steps(
        [
            AllowOrigins(),
            Authenticate(portal, [Basic("chat"), SessionCookie("session")]),
        ],
        Chat,
    )

The avatar is then C{request.avatar}, and C{connection.avatar}.

Cookies, passwords that a browser remembers, and its certificates go with the requests
of foreign pages, too; L{AllowOrigins<twisted_ws.AllowOrigins>}, or an application that
looks at the origin, keeps those out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.cred.credentials import Anonymous
from twisted.cred.error import LoginFailed, Unauthorized, UnhandledCredentials
from twisted.cred.portal import Portal
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import Interface

from .errors import InvalidUpgrade
from .request import Verdict, WebSocketRequest
from .schemes import (
    Basic,
    Bearer,
    ClientCertificate,
    Digest,
    IAuthenticationScheme,
    SessionCookie,
)

__all__ = [
    "Authenticate",
    "Basic",
    "Bearer",
    "ClientCertificate",
    "Digest",
    "IAuthenticationScheme",
    "IAvatar",
    "SessionCookie",
]


class IAvatar(Interface):
    """
    Whom a request is from.  It has no methods: an avatar is whatever the realm gives
    for this interface, or for the one that L{Authenticate} is told to ask for.
    """


class Authenticate:
    """
    A step that logs in to a portal, and out again.

    The schemes are asked in turn, and the first credentials found are those that
    count.  The realm's logout is called once, when nothing is left of the request: it
    was rejected or given up, or the connection that it became has ended and its
    receiver was told.  The login is cancelled when the client leaves, or
    C{handshakeTimeout} is over; one that succeeds all the same is logged out at once.

    Who does not log in gets 401, and the challenges of the schemes; or 403 if none of
    them has one, as a 401 needs one (RFC 9110 section 15.5.2).  The answer is the same
    for a user that is not known and for a wrong password.

    @ivar portal: the L{Portal}.
    @ivar schemes: the L{IAuthenticationScheme}s.
    @ivar interface: what the realm is asked for.
    @ivar optional: whether who shows nothing logs in as
        L{Anonymous<twisted.cred.credentials.Anonymous>}.
    """

    _log = Logger()

    def __init__(
        self,
        portal: Portal,
        schemes: Iterable[IAuthenticationScheme],
        interface: type[Interface] = IAvatar,
        optional: bool = False,
    ) -> None:
        """
        @param portal: its realm gets the request as the C{mind}.
        @param schemes: L{IAuthenticationScheme}s, such as L{Basic}.
        @param interface: what to ask the realm for.
        @param optional: have who shows nothing log in as
            L{Anonymous<twisted.cred.credentials.Anonymous>}; the portal needs a
            checker of L{IAnonymous<twisted.cred.credentials.IAnonymous>} then.
        @raise TypeError: when there is no scheme, or something else among them.
        """
        self.portal = portal
        self.schemes = tuple(schemes)
        self.interface = interface
        self.optional = optional
        for scheme in self.schemes:
            if not IAuthenticationScheme.providedBy(scheme):
                raise TypeError(f"a scheme is an IAuthenticationScheme, not {scheme!r}")
        if not self.schemes:
            raise TypeError("there is no scheme to authenticate by")

    def __call__(self, request: WebSocketRequest) -> Deferred[None] | None:
        """
        Have the request pass if its client is someone.
        """
        for scheme in self.schemes:
            try:
                credentials = scheme.credentials(request)
            except LoginFailed as error:
                self._refuse(request, scheme, str(error))
                return None
            except InvalidUpgrade as error:
                self._noteRefusal(request, scheme, str(error))
                body = f"{error}\n".encode()
                request.reject(error.status, headers=error.headers, body=body)
                return None
            if credentials is not None:
                return self._login(request, scheme, credentials)
        if self.optional:
            return self._login(request, None, Anonymous())
        self._refuse(request, None, "nothing shows who it is from")
        return None

    def _login(
        self, request: WebSocketRequest, scheme: Any, credentials: Any
    ) -> Deferred[None]:
        # With callbacks, not awaited: an awaited Deferred that fails holds the
        # credentials in a cycle of frames.
        return self.portal.login(credentials, request, self.interface).addCallbacks(
            self._loggedIn,
            self._notLoggedIn,
            callbackArgs=(request,),
            errbackArgs=(request, scheme),
        )

    def _loggedIn(
        self, login: tuple[object, Any, Callable[[], object]], request: WebSocketRequest
    ) -> None:
        _, avatar, logout = login
        if request.verdict is Verdict.PENDING:
            request.avatar = avatar
            request.whenOver().addCallback(self._logout, request, logout)
        else:
            self._logout(None, request, logout)

    def _logout(
        self, ignored: None, request: WebSocketRequest, logout: Callable[[], object]
    ) -> None:
        maybeDeferred(logout).addErrback(
            lambda failure: self._log.failure(
                "the logout after {request!r} failed", failure, request=request
            )
        )

    def _notLoggedIn(
        self, failure: Failure, request: WebSocketRequest, scheme: Any
    ) -> Failure | None:
        expected = failure.check(LoginFailed, Unauthorized)
        if request.verdict is not Verdict.PENDING:
            return None if expected or failure.check(CancelledError) else failure
        if not expected:
            return failure
        if failure.check(UnhandledCredentials):
            self._log.warn(
                "the portal cannot check {scheme}: {failure}",
                scheme="Anonymous" if scheme is None else type(scheme).__name__,
                failure=failure.value,
            )
        # Not its message: who knows what a checker puts there.
        self._refuse(request, scheme, type(failure.value).__name__)
        return None

    def _refuse(self, request: WebSocketRequest, scheme: Any, why: str) -> None:
        self._noteRefusal(request, scheme, why)
        challenges = [each.challenge(request, each is scheme) for each in self.schemes]
        fields = [("WWW-Authenticate", each) for each in challenges if each is not None]
        request.reject(401 if fields else 403, headers=fields)

    def _noteRefusal(self, request: WebSocketRequest, scheme: Any, why: str) -> None:
        self._log.info(
            "{request!r} from {peer} refused: {by}{why}",
            request=request,
            peer=request.peer,
            by="" if scheme is None else f"{type(scheme).__name__}: ",
            why=why,
        )
