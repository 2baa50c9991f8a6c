# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A server that is told to end while it is at work.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.ssl import optionsForClientTLS, trustRootFromCertificates
from twisted.trial.unittest import SkipTest

from tests.sockets import certificates, trustme
from twisted_ws import ClosedCleanly

from .busy import CLIENTS, busy
from .servers import FaultTests, reactor

CLOSE_TIMEOUT = 3
SLACK = 3


class TerminationTests(FaultTests):
    """
    SIGTERM, with connections on TCP.
    """

    async def test_termination(self) -> None:
        """
        On SIGTERM in the middle of traffic each client gets 1001, behind whole
        messages alone, and the process is gone within C{closeTimeout}.
        """
        program, port = await self.serve(f"--close-timeout={CLOSE_TIMEOUT}")
        clients = await busy(self, port)
        before = reactor.seconds()
        program.signal("TERM")
        for client in clients:
            ended = await client.ended
            self.assertIsInstance(ended, ClosedCleanly)
            self.assertEqual((ended.code, client.wrong), (1001, []))
        await program.ended
        self.assertLess(reactor.seconds() - before, CLOSE_TIMEOUT + SLACK)
        self.assertNotIn("Traceback", program.output)
        self.assertIn(f"closing {CLIENTS} WebSockets", program.output)


class TLSTerminationTests(TerminationTests):
    """
    The same on TLS.
    """

    def setUp(self) -> None:
        if trustme is None:
            raise SkipTest("trustme is not installed")
        own, self.root = certificates()
        self.file = self.mktemp()
        with open(self.file, "wb") as file:
            file.write(own.privateKey.dump(1) + own.dump(1))

    def listen(self, port: int = 0) -> str:
        """
        @return: the option for a port.
        """
        file = os.path.abspath(self.file)
        keys = f"privateKey={file}:certKey={file}"
        return f"--listen=ssl:{port}:interface={self.host}:{keys}"

    def endpoint(self, port: int) -> Any:
        """
        @return: how to get there.
        """
        options = optionsForClientTLS(
            "localhost", trustRootFromCertificates([self.root])
        )
        return wrapClientTLS(options, TCP4ClientEndpoint(reactor, self.host, port))
