# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A server that is killed, or stopped, while it is at work.
"""

from __future__ import annotations

from signal import SIGCONT
from typing import Any

from twisted.application.internet import ClientService
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater

from twisted_ws import (
    ClientConfig,
    ClosedAbruptly,
    MessageReceiver,
    WebSocketClient,
)

from .busy import AT_ONCE, busy
from .servers import FaultTests, descriptors, reactor


class Reporting(MessageReceiver):
    """
    Tells of its beginning.
    """

    made = 0

    def connectionMade(self) -> None:
        """
        Count it.
        """
        Reporting.made += 1

    def messageReceived(self, message: Any) -> None:
        """
        None is expected.
        """


class SignalTests(FaultTests):
    """
    SIGKILL and SIGSTOP.
    """

    async def test_killedAndRestarted(self) -> None:
        """
        A server that was killed can be started again on its port at once; a client
        that reconnects is there again, others are told C{1006}.
        """
        program, port = await self.serve()
        clients = await busy(self, port)
        client = WebSocketClient(reactor, ClientConfig())
        service = ClientService(
            client.endpoint(f"ws://127.0.0.1:{port}/echo"),
            Factory.forProtocol(Reporting),
            retryPolicy=lambda attempt: 0.1,
        )
        Reporting.made = 0
        service.startService()
        self.addCleanup(service.stopService)
        await self.eventually(lambda: Reporting.made == 1)
        program.signal("KILL")
        for each in clients:
            ended = await each.ended
            self.assertIsInstance(ended, ClosedAbruptly)
            self.assertEqual((ended.code, each.wrong), (1006, []))
        await program.ended
        await self.serve(port=port)
        await self.eventually(lambda: Reporting.made == 2)
        await self.assertServes(port)

    async def test_stopped(self) -> None:
        """
        A server that is stopped is found dead by a client with keepalive; when it goes
        on it serves again, and of the clients that left nothing remains.
        """
        program, port = await self.serve()
        await self.assertServes(port)
        before = await self.atRest(program)
        patience = {"keepalive": True, "keepaliveInterval": 0.4}
        inbox = await self.client(port, keepaliveGracePeriod=0.4, **patience)
        program.signal("STOP")
        ended = await inbox.transport.whenClosed()
        self.assertIsInstance(ended, ClosedAbruptly)
        self.assertIn("keepalive", str(ended))
        program.transport.signalProcess(SIGCONT)
        await self.assertServes(port)
        await self.eventually(lambda: descriptors(program) == before)

    async def test_stoppedShortly(self) -> None:
        """
        Traffic goes on, without a loss, when a server was stopped for less than the
        clients' patience.
        """
        program, port = await self.serve()
        clients = await busy(self, port)
        program.signal("STOP")
        await deferLater(reactor, 0.5)
        program.transport.signalProcess(SIGCONT)
        echoed = [client.echoed for client in clients]
        for client, count in zip(clients, echoed, strict=True):
            await self.eventually(lambda c=client, n=count: c.echoed > n + AT_ONCE, 30)
            self.assertEqual(client.wrong, [])
