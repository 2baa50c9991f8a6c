# -*- test-case-name: tests.examples.test_authenticated -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A chat whose members are known, by L{twisted.cred}::

    python -m examples.authenticated

C{alice} comes with the password C{looking glass}, C{bob} with C{can we fix it}, and a
program with the token C{RObOt-5up3r-s3cr3t}::

    headers = {"Authorization": "Basic " + b64encode(b"alice:looking glass").decode()}
    inbox = await connect("ws://localhost:8080/", headers=headers)

    new WebSocket("ws://localhost:8080/", ["chat", "bearer.RObOt-5up3r-s3cr3t"])

Who comes is given a cookie to come back with, in place of a password.  Served to more
than this machine, it has to be over TLS.
"""

from __future__ import annotations

import hmac
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from hashlib import scrypt
from secrets import token_bytes, token_urlsafe
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.task import react
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.log import startLogging
from zope.interface import implementer

from twisted_ws import (
    AllowOrigins,
    Cookie,
    MessageReceiver,
    Steps,
    WebSocketFactory,
    WebSocketRequest,
)
from twisted_ws.authentication import (
    Authenticate,
    Basic,
    Bearer,
    IAvatar,
    SessionCookie,
)
from twisted_ws.credentials import ISessionCookie, TokenChecker, hashToken

log = Logger()

PASSWORDS = {"alice": "looking glass", "bob": "can we fix it"}
TOKENS = {"robot": "RObOt-5up3r-s3cr3t"}


def hashPassword(password: bytes, salt: bytes) -> bytes:
    """
    Hash a password so that to guess it from its hash takes long.
    """
    return scrypt(password, salt=salt, n=2**14, r=8, p=1)


@implementer(ICredentialsChecker)
class Passwords:
    """
    Knows members by their passwords, of which it has only the hashes.
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, reactor: Any, passwords: dict[str, str]) -> None:
        self._reactor = reactor
        self._hashes = {}
        for name, password in passwords.items():
            salt = token_bytes(16)
            self._hashes[name.encode()] = salt, hashPassword(password.encode(), salt)
        self._nobody = token_bytes(16), token_bytes(64)

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        """
        Hash the password, for a member and for anybody else alike: the time it takes
        shall not tell who is one.  It takes so long that a thread does it.
        """
        salt, right = self._hashes.get(credentials.username, self._nobody)

        def check(hash: bytes) -> str:
            if not hmac.compare_digest(hash, right):
                raise UnauthorizedLogin
            return credentials.username.decode()

        threads = self._reactor.getThreadPool()
        return deferToThreadPool(
            self._reactor, threads, hashPassword, credentials.password, salt
        ).addCallback(check)


@implementer(ICredentialsChecker)
class Sessions:
    """
    Knows members by the cookie that they were given last.
    """

    credentialInterfaces = (ISessionCookie,)

    def __init__(self) -> None:
        self._hashes: dict[str, str] = {}

    def begin(self, name: str) -> str:
        """
        @return: a value for the cookie of a member.
        """
        value = token_urlsafe()
        self._hashes[name] = hashToken(value)
        return value

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        """
        Look the session up.
        """
        hash = hashToken(credentials.value)
        for name, each in self._hashes.items():
            if hmac.compare_digest(hash, each):
                return succeed(name)
        return fail(UnauthorizedLogin())


class Member:
    """
    Whom a connection is from.
    """

    def __init__(self, name: str) -> None:
        self.name = name


@implementer(IRealm)
class Room:
    """
    Makes a L{Member} of each name, and tells all when one has left.
    """

    def __init__(self) -> None:
        self.say: Callable[[str], None] = log.info

    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
        """
        See L{IRealm}.
        """
        if IAvatar not in interfaces:
            raise NotImplementedError(f"there are only members here: {interfaces}")
        member = Member(avatarId)
        return IAvatar, member, lambda: self.say(f"{member.name} has left")


class Chat(MessageReceiver):
    """
    Tells all what one says.
    """

    def __init__(self, room: Room) -> None:
        self.room = room

    def connectionMade(self) -> None:
        """
        Come.
        """
        self.room.say(f"{self.transport.avatar.name} is here")

    def messageReceived(self, message: str | bytes) -> None:
        """
        Pass it on.
        """
        if isinstance(message, str):
            self.room.say(f"{self.transport.avatar.name}: {message}")
        else:
            self.transport.close(1003, "only text here")


def makeFactory(reactor: Any) -> WebSocketFactory:
    """
    Put it together.
    """
    room, sessions = Room(), Sessions()
    known = TokenChecker({hashToken(token): name for name, token in TOKENS.items()})
    portal = Portal(room, [Passwords(reactor, PASSWORDS), known, sessions])

    def enter(request: WebSocketRequest) -> None:
        cookie = Cookie(
            "session",
            sessions.begin(request.avatar.name),
            httpOnly=True,
            sameSite="Strict",
            secure=request.isSecure,
        )
        protocol = request.chooseProtocol(["chat"])
        request.accept(Chat(room), protocol, cookies=[cookie])

    schemes = [SessionCookie("session"), Basic("chat"), Bearer("chat", "bearer.")]
    steps = [AllowOrigins(), Authenticate(portal, schemes)]
    factory = WebSocketFactory(Steps(steps, enter), reactor=reactor)
    room.say = factory.broadcast
    return factory


async def main(reactor: Any, options: Namespace) -> None:
    """
    Serve until interrupted.
    """
    factory = makeFactory(reactor)
    try:
        endpoint = serverFromString(reactor, f"tcp:{options.port}")
        port = await endpoint.listen(factory)
    except (CannotListenError, OverflowError) as error:
        raise SystemExit(f"Cannot listen: {error}") from None
    # Every member gets 1001, Going Away, before the reactor stops.
    reactor.addSystemEventTrigger("before", "shutdown", factory.closeAllConnections)
    log.info("Server is listening on port {port}", port=port.getHost().port)
    await Deferred()


def parse(arguments: list[str] | None = None) -> Namespace:
    """
    Read the command line.
    """
    parser = ArgumentParser(description="Serve a chat to its members.")
    parser.add_argument("--port", type=int, default=8080, help="0 for any")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    options = parse()
    startLogging(sys.stdout, setStdout=False)
    react(main, [options])
