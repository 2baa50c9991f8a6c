# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{examples.authenticated}.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from typing import Any

from twisted.cred.error import UnauthorizedLogin
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.trial.unittest import TestCase

from examples import authenticated
from tests.examples.programs import ExampleTests
from tests.handshakes import handshake
from tests.sockets import Peer
from twisted_ws import UpgradeRejected, WebSocketClient
from twisted_ws.credentials import UsernamePassword

TOKEN = "RObOt-5up3r-s3cr3t"


def basic(both: str) -> dict[str, str]:
    """
    @return: the header field for a name and a password.
    """
    return {"Authorization": f"Basic {b64encode(both.encode()).decode()}"}


ALICE = basic("alice:looking glass")
BOB = basic("bob:can we fix it")


class PasswordsTests(TestCase):
    """
    Its checker of passwords.
    """

    timeout = 60

    async def test_unknown(self) -> None:
        """
        For a name that is not known the same is done as for a wrong password: one
        hash is made, and compared in constant time.
        """
        done: list[str] = []

        def note(module: Any, name: str) -> None:
            original = getattr(module, name)
            self.patch(module, name, lambda *v: done.append(name) or original(*v))

        note(authenticated, "hashPassword")
        note(hmac, "compare_digest")
        checker = authenticated.Passwords(reactor, {"alice": "sesame"})
        for name, password in [(b"alice", b"wrong"), (b"bob", b"sesame")]:
            done.clear()
            refused = checker.requestAvatarId(UsernamePassword(name, password))
            await self.assertFailure(refused, UnauthorizedLogin)
            self.assertEqual(done, ["hashPassword", "compare_digest"])
        right = UsernamePassword(b"alice", b"sesame")
        self.assertEqual(await checker.requestAvatarId(right), "alice")


class AuthenticatedTests(ExampleTests):
    """
    Real clients of the example.
    """

    async def begin(self) -> None:
        """
        Start it.
        """
        self.program, self.port = await self.serve("authenticated")

    async def come(self, **asked: Any) -> Any:
        """
        @return: the inbox of a client.
        """
        url = f"ws://127.0.0.1:{self.port}/"
        inbox = await WebSocketClient(reactor).connect(url, **asked)
        self.addCleanup(lambda: inbox.close())
        return inbox

    async def refused(self, **asked: Any) -> UpgradeRejected:
        """
        @return: the refusal of a client.
        """
        try:
            await self.come(**asked)
        except UpgradeRejected as error:
            return error
        raise AssertionError(f"{asked} was let in")

    async def test_chat(self) -> None:
        """
        Members come by password and by token, in a header or in a subprotocol; all see
        who says what, and who has left.
        """
        await self.begin()
        alice = await self.come(headers=ALICE)
        self.assertEqual(await alice.receive(), "alice is here")
        bob = await self.come(headers=BOB)
        robot = await self.come(headers={"Authorization": f"bearer {TOKEN}"})
        again = await self.come(protocols=["chat", f"bearer.{TOKEN}"])
        self.assertEqual(again.transport.protocol, "chat")
        for name in ("bob", "robot", "robot"):
            self.assertEqual(await alice.receive(), f"{name} is here")
        bob.send("hello")
        self.assertEqual(await alice.receive(), "bob: hello")
        await robot.close()
        self.assertEqual(await alice.receive(), "robot has left")
        bob.send(b"binary")
        self.assertEqual(await alice.receive(), "bob has left")
        await self.assertEnds(self.program)

    async def test_session(self) -> None:
        """
        Who has come can come back by the cookie that it got, until it gets another.
        """
        await self.begin()
        first = await self.cookieOf(f"Authorization: {ALICE['Authorization']}")
        second = await self.cookieOf(f"Cookie: session={first}")
        self.assertNotEqual(first, second)
        alice = await self.come(cookies={"session": second})
        self.assertEqual(await alice.receive(), "alice is here")
        stale = await self.refused(cookies={"session": first})
        self.assertEqual(stale.status, 401)

    async def cookieOf(self, line: str) -> str:
        """
        @return: the value of the cookie that a client with this header line gets,
            which then leaves.
        """
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self.port)
        peer = await connectProtocol(endpoint, Peer())
        peer.transport.write(handshake(line))
        response = await peer.until(b"\r\n\r\n")
        peer.transport.abortConnection()
        await peer.whenLost
        pattern = rb"Set-Cookie: session=([-\w]{43}); SameSite=Strict; HttpOnly\r\n"
        found = re.search(pattern, response)
        self.assertTrue(found, response)
        return found[1].decode()

    async def test_refused(self) -> None:
        """
        Whoever is no member is asked who it is; what it says is not repeated in the
        log.
        """
        await self.begin()
        for asked in [
            {},
            {"headers": basic("alice:wrong-Pa55word")},
            {"headers": basic("mallory:looking glass")},
            {"headers": basic("no colon")},
            {"headers": {"Authorization": "Bearer unknown-T0ken"}},
            {"cookies": {"session": "unknown-C00kie"}},
            {"protocols": ["chat", "bearer.unknown-T0ken"]},
        ]:
            error = await self.refused(**asked)
            self.assertEqual(error.status, 401, asked)
            self.assertEqual(error.body, b"Unauthorized\n")
            names = [name for name, _ in error.headers]
            self.assertEqual(names.count(b"www-authenticate"), 2)
        foreign = await self.refused(headers=ALICE, origin="https://evil.example")
        self.assertEqual(foreign.status, 403)
        await self.program.whenSaid("refused: Bearer: UnauthorizedLogin")
        for secret in ("wrong-Pa55word", "looking glass", "T0ken", "C00kie", TOKEN):
            self.assertNotIn(secret, self.program.output)
        await self.assertEnds(self.program)
