# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Who connects, by what curl and aiohttp show: L{twisted_ws.authentication}.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from typing import Any

from twisted.cred.portal import Portal
from twisted.internet import reactor as installed
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.handshakes import FIELDS
from tests.logins import PASSWORD, TOKEN, Checker, Realm
from tests.processes import run
from twisted_ws import MessageReceiver, ServerConfig, Steps, WebSocketFactory
from twisted_ws.authentication import Authenticate, Basic, Bearer, Digest

try:
    import aiohttp
except ImportError:
    aiohttp = None  # type: ignore[assignment]

reactor: Any = installed
CURL = shutil.which("curl")


class Greeting(MessageReceiver):
    """
    Says who is there, and closes.
    """

    def connectionMade(self) -> None:
        self.transport.sendMessage(self.transport.avatar.avatarId.decode())
        self.transport.close()


class ClientTests(TestCase):
    """
    Clients of others.
    """

    timeout = 60

    def serve(self, *schemes: Any) -> str:
        """
        @return: the URL of a server, without its scheme.
        """
        portal = Portal(Realm(), [Checker()])
        # Curl knows nothing of closing.
        config = ServerConfig(closeTimeout=0.1)
        step = Authenticate(portal, schemes)
        factory = WebSocketFactory(Steps([step], Greeting), config)
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.addCleanup(factory.closeAllConnections)
        return f"127.0.0.1:{port.getHost().port}/a%20b?c=%22,d=e"

    async def curl(self, url: str, *options: str) -> list[int]:
        """
        @return: the statuses that curl got.
        """
        if CURL is None:
            self.skipTest("no curl is installed")
        fields = [part for field in FIELDS[1:] for part in ("-H", field)]
        arguments = ["-sS", "--http1.1", "-i", "-m", "20", *fields, *options]
        program = run([CURL, *arguments, f"http://{url}"])
        self.addCleanup(program.stop)
        await program.ended
        found = re.findall(r"^HTTP/1.1 (\d+)", program.output, re.MULTILINE)
        return [int(status) for status in found]

    async def test_curl(self) -> None:
        """
        Curl's passwords, proofs and tokens are understood, and refused when they are
        wrong.
        """
        right, wrong = f"alice:{PASSWORD}", f"alice:{PASSWORD}x"
        url = self.serve(Digest("chat"), Basic("chat"), Bearer("chat"))
        for options, statuses in [
            ([], [401]),
            (["--basic", "-u", right], [101]),
            (["--basic", "-u", wrong], [401]),
            (["--digest", "-u", right], [401, 101]),
            (["--digest", "-u", wrong], [401, 401]),
            (["--anyauth", "-u", right], [401, 101]),
            (["--oauth2-bearer", TOKEN], [101]),
            (["--oauth2-bearer", TOKEN + "="], [401]),
        ]:
            self.assertEqual(await self.curl(url, *options), statuses, options)

    async def test_aiohttp(self) -> None:
        """
        The proofs and passwords of aiohttp are understood.
        """
        proof = getattr(aiohttp, "DigestAuthMiddleware", None)
        if proof is None:
            self.skipTest("no aiohttp that knows Digest is installed")

        async def talk(url: str, **options: Any) -> str:
            async with (
                aiohttp.ClientSession(**options) as session,
                session.ws_connect(f"ws://{url}") as socket,
            ):
                return await socket.receive_str(timeout=20)

        for scheme, options in [
            (Digest("chat"), {"middlewares": [proof("alice", PASSWORD)]}),
            (Digest("chat", "SHA"), {"middlewares": [proof("alice", PASSWORD)]}),
            (Basic("chat"), {"auth": aiohttp.BasicAuth("alice", PASSWORD, "utf-8")}),
        ]:
            talking = talk(self.serve(scheme), **options)
            said = await deferToThread(asyncio.run, talking)
            self.assertEqual(said, "alice")
