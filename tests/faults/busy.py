# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Clients that are always at work.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from twisted.internet.defer import Deferred

from twisted_ws import MessageReceiver

from .servers import FaultTests

CLIENTS = 40
AT_ONCE = 8


class Busy(MessageReceiver):
    """
    Has always some messages on their way to the server and back.

    @ivar echoed: how many came back, each as it was sent and when it was due.
    @ivar wrong: what came back else.
    @ivar ended: fires with the L{twisted_ws.ConnectionClosed}.
    """

    def __init__(self) -> None:
        self.echoed = 0
        self.wrong: list[str] = []
        self.ended: Deferred[Any] = Deferred()
        self._due: deque[str] = deque()
        self._sent = 0

    def connectionMade(self) -> None:
        """
        Begin.
        """
        for _ in range(AT_ONCE):
            self._sendNext()

    def _sendNext(self) -> None:
        self._sent += 1
        message = f"{self._sent:08}" * (self._sent * 97 % 5000)
        self._due.append(message)
        self.transport.sendMessage(message)

    def messageReceived(self, message: Any) -> None:
        """
        Compare it, and go on.
        """
        if message != self._due.popleft():
            self.wrong.append(f"{message[:20]!r}, {len(message)} of them")
        self.echoed += 1
        if self.transport.state == 0:
            self._sendNext()

    def connectionLost(self, reason: Any = None) -> None:
        """
        The end.
        """
        self.ended.callback(reason.value)


async def busy(test: FaultTests, port: int) -> list[Busy]:
    """
    @return: clients of a server, at work.
    """
    clients = [Busy() for _ in range(CLIENTS)]
    for client in clients:
        await test.client(port, client)
    await test.eventually(lambda: min(each.echoed for each in clients) > 5, 30)
    return clients
