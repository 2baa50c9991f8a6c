# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Whatever a server or a network does, a connect ends once, in time, and leaves nothing:
L{twisted_ws.client} in memory, on a clock.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, TimeoutError
from twisted.trial.unittest import SynchronousTestCase

from twisted_ws import ClosedAbruptly, UpgradeRejected, WebSocketClient
from twisted_ws.testing import RecordingReceiver

from .endings import PLAIN
from .fakeserver import ALL, Arrive, Cancel, Drop, FakeResolver, MemoryNetwork, Send
from .outcomes import Ending, Opened, testEach
from .responses import cut, switch

DEADLINE = 10
"""
The default handshakeTimeout.
"""


class Attempt:
    """
    A connect in memory.

    @ivar results: what its Deferred fired with.
    """

    def __init__(self, network: MemoryNetwork, protocols: tuple[str, ...] = ()) -> None:
        self.network = network
        self.receiver = RecordingReceiver()
        self.results: list[Any] = []
        client = WebSocketClient(network)
        self.opened = client.connect(
            "ws://server.example/", self.receiver, protocols=protocols
        )
        self.opened.addBoth(self.results.append)
        network.factory.cancel = self.opened.cancel


def networkOf(row: Ending) -> MemoryNetwork:
    """
    Make the network that a row describes.
    """
    network = MemoryNetwork(
        row.script,
        readsRequest=row.readsRequest,
        refuses=row.network == "refuses",
        ignores=row.network == "ignores",
    )
    if row.network == "unknown":
        network.nameResolver = FakeResolver()
    elif row.network == "unresolved":
        network.nameResolver = FakeResolver(isSilent=True)
    return network


class _Playing:
    """
    Plays a row.

    @cvar most: how many bytes arrive at a time.
    """

    most = ALL

    def play(self: Any, row: Ending) -> None:
        network = networkOf(row)
        attempt = Attempt(network, row.protocols)
        if row.cancelled:
            attempt.opened.cancel()
        network.settle(self.most)
        if row.atDeadline:
            network.wait(DEADLINE - 0.5, self.most)
            self.assertEqual(attempt.results, [], row.name)
            network.wait(0.5, self.most)
        network.wait(row.takes)

        receiver = attempt.receiver
        self.assertEqual(len(attempt.results), 1, row.name)
        row.expected.check(self, row.name, attempt.results[0], receiver)
        if isinstance(row.expected, Opened):
            row.expected.checkReceiver(self, row.name, receiver)
            if row.expected.ended is None:
                self.assertEqual(network.getDelayedCalls(), [], row.name)
                self.assertFalse(network.carriers[0][0].disconnected, row.name)
                receiver.transport.abortConnection()
                network.settle()
        self.assertEqual(network.getDelayedCalls(), [], row.name)
        self.assertTrue(network.isEmpty(), row.name)
        self.assertEqual(receiver.losses, receiver.made, row.name)

        network.wait(60)
        self.assertEqual(len(attempt.results), 1, row.name)
        self.assertEqual(receiver.losses, receiver.made, row.name)


@testEach(PLAIN)
class EndingsTests(_Playing, SynchronousTestCase):
    """
    Each row, with bytes that arrive together.
    """


@testEach(PLAIN)
class BytewiseEndingsTests(_Playing, SynchronousTestCase):
    """
    Each row, with bytes that arrive one at a time.
    """

    most = 1


class AnyPointTests(SynchronousTestCase):
    """
    The ends that can come at any point, at each point.
    """

    refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nForbidden"
    headSize = len(refusal) - 9

    def attempt(self, *script: Any) -> Attempt:
        """
        Connect to a server that follows C{script}.
        """
        attempt = Attempt(MemoryNetwork(script))
        attempt.network.settle()
        return attempt

    def end(self, attempt: Attempt, at: int) -> Any:
        """
        @return: the one thing that the attempt ended with.
        """
        attempt.network.settle()
        self.assertEqual(len(attempt.results), 1, at)
        self.assertTrue(attempt.network.isEmpty(), at)
        self.assertEqual(attempt.receiver.losses, attempt.receiver.made, at)
        return attempt.results[0]

    def test_dropBeforeOpen(self):
        """
        A drop after any number of bytes of a 101 is a connection lost.
        """
        size = len(switch()(b""))
        for at in range(size):
            result = self.end(self.attempt(Send(cut(switch(), at)), Drop()), at)
            self.assertIs(result.type, ClosedAbruptly, at)
        attempt = self.attempt(Send(switch()), Drop())
        self.assertIs(self.end(attempt, size), attempt.receiver)

    def test_dropWithinRefusal(self):
        """
        A drop after any number of bytes of a refusal is a connection lost up to the end
        of the head, and from there on the refusal with what came of its body.
        """
        for at in range(len(self.refusal) + 1):
            result = self.end(self.attempt(Send(self.refusal[:at]), Drop()), at)
            if at < self.headSize:
                self.assertIs(result.type, ClosedAbruptly, at)
            else:
                self.assertIs(result.type, UpgradeRejected, at)
                self.assertEqual(result.value.body, self.refusal[self.headSize : at])

    def test_cancel(self):
        """
        To cancel after any number of bytes of a refusal cancels.
        """
        for at in range(len(self.refusal)):
            script = (Send(self.refusal[:at]), Arrive(), Cancel())
            result = self.end(self.attempt(*script), at)
            self.assertIs(result.type, CancelledError, at)

    def test_silence(self):
        """
        Silence after any number of bytes of a refusal lasts until the deadline, and is
        a timeout up to the end of the head, and from there on the refusal.
        """
        for at in range(len(self.refusal)):
            attempt = self.attempt(Send(self.refusal[:at]))
            attempt.network.wait(DEADLINE - 0.5)
            self.assertEqual(attempt.results, [], at)
            attempt.network.wait(0.5)
            result = self.end(attempt, at)
            if at < self.headSize:
                self.assertIs(result.type, TimeoutError, at)
            else:
                self.assertIs(result.type, UpgradeRejected, at)
                self.assertEqual(result.value.body, self.refusal[self.headSize : at])
