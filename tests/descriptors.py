# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
For tests of what is done with Twisted's own transports: one on a real socket, with a
reactor that waits for nothing.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import tcp
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase


class NotingReactor(Clock):
    """
    Notes who wants to read and to write.
    """

    def __init__(self) -> None:
        Clock.__init__(self)
        self.readers: set[Any] = set()
        self.writers: set[Any] = set()
        self.addReader = self.readers.add
        self.removeReader = self.readers.discard
        self.addWriter = self.writers.add
        self.removeWriter = self.writers.discard


class DescriptorTests(SynchronousTestCase):
    """
    The base of the tests: C{carrier} is the transport, C{peer} the other end of its
    socket.
    """

    protocol: Any

    def setUp(self) -> None:
        ours, self.peer = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(self.peer.close)
        ours.setblocking(False)
        self.peer.setblocking(False)
        self.reactor = NotingReactor()
        self.protocol = self.makeProtocol()
        self.carrier: Any = tcp.Server.__new__(tcp.Server)
        tcp.Connection.__init__(
            self.carrier,
            ours,
            self.protocol,
            self.reactor,  # type: ignore[arg-type]
        )
        self.carrier.connected = 1
        self.carrier.startReading()

    def makeProtocol(self) -> Any:
        """
        @return: what gets what the transport reads.
        """
        return Protocol()

    def read(self) -> bytes:
        """
        @return: what has come to the peer.
        """
        parts = []
        while True:
            try:
                parts.append(self.peer.recv(1 << 20))
            except BlockingIOError:
                return b"".join(parts)
            if not parts[-1]:
                return b"".join(parts)
