# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.dropping}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import tcp
from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.descriptors import DescriptorTests, NotingReactor
from twisted_ws.dropping import TOUCHED, drop
from twisted_ws.testing import MemoryCarrier, carrierPair


class _Ends(Protocol):
    """
    Notes how it ends.
    """

    def __init__(self) -> None:
        self.ends: list[Failure] = []

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.ends.append(reason)


class DropTests(DescriptorTests):
    """
    L{drop}, with Twisted's own transport on a real socket.
    """

    makeProtocol = _Ends

    def test_nothingWaits(self) -> None:
        """
        A socket for which nothing waits is closed at the reactor's next call, without
        being waited for; who has asked for it is not called back meanwhile.
        """
        drop(self.carrier)
        self.assertEqual(self.protocol.ends, [])
        self.reactor.advance(0)
        (reason,) = self.protocol.ends
        self.assertIsInstance(reason.value, ConnectionDone)
        self.assertEqual((self.reactor.readers, self.reactor.writers), (set(), set()))
        self.assertEqual(self.peer.recv(1), b"")

    def test_somethingWaits(self) -> None:
        """
        One for which something waits is closed when it is written.
        """
        self.carrier.write(b"last")
        drop(self.carrier)
        self.reactor.advance(0)
        self.assertEqual(self.protocol.ends, [])
        self.assertEqual(self.reactor.writers, {self.carrier})
        self.assertIsInstance(self.carrier.doWrite(), ConnectionDone)
        self.assertEqual(self.peer.recv(5), b"last")

    def test_alreadyOver(self) -> None:
        """
        One that is gone before its turn comes is not told of it again.
        """
        drop(self.carrier)
        self.carrier.connectionLost(Failure(ConnectionDone()))
        self.reactor.advance(0)
        self.assertEqual(len(self.protocol.ends), 1)

    def test_alreadyEnding(self) -> None:
        """
        One that ends by itself is left to that.
        """
        drop(self.carrier)
        self.carrier.loseConnection()
        self.reactor.advance(0)
        self.assertEqual(self.protocol.ends, [])
        self.assertEqual(self.reactor.writers, {self.carrier})

    def test_others(self) -> None:
        """
        Other transports, and one that speaks TLS by now, are closed in their own way.
        """
        memory, _ = carrierPair()
        drop(memory)
        self.assertIsInstance(memory, MemoryCarrier)
        self.assertTrue(memory.disconnecting)
        calls: list[str] = []
        self.carrier.TLS = True
        self.carrier.loseConnection = lambda: calls.append("lose")
        drop(self.carrier)
        self.assertEqual(calls, ["lose"])
        self.assertEqual(self.reactor.getDelayedCalls(), [])


class TouchedTests(SynchronousTestCase):
    """
    What is used of Twisted is there.
    """

    def test_names(self) -> None:
        """
        Each name is what L{TOUCHED} says.
        """
        reactor: Any = NotingReactor()
        descriptor = FileDescriptor(reactor=reactor)
        found = {
            "FileDescriptor.connected": descriptor.connected == 0,
            "FileDescriptor.disconnecting": not descriptor.disconnecting,
            "FileDescriptor.reactor": descriptor.reactor is reactor,
            "Connection.TLS": hasattr(tcp.Connection, "TLS"),
        }
        self.assertEqual(sorted(found), sorted(TOUCHED))
        for name, isThere in found.items():
            self.assertTrue(isThere, name)
