# -*- test-case-name: tests.test_head -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What servers and clients have in common before a WebSocket is open: an HTTP head that
is read line by line, and a connection that then takes the bytes over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure

from .config import ConnectionConfig
from .connection import WebSocketConnection


class HeadReceiver(LineReceiver):
    """
    In line mode until the head is complete, in raw mode from then on.
    """

    delimiter = b"\r\n"

    if TYPE_CHECKING:  # Twisted does not annotate it

        def setRawMode(self) -> None: ...

    def __init__(self, config: ConnectionConfig) -> None:
        self.MAX_LENGTH = config.maxHeaderLine
        self._config = config
        self._head: list[bytes] | None = None
        self._headSize = 0
        self._connection: WebSocketConnection | None = None

    # For subclasses

    def headBegan(self, line: bytes) -> None:
        """
        The first line of a head came.  One that is enough to refuse it need not be
        followed by others.
        """

    def headReceived(self, lines: list[bytes]) -> None:
        """
        A head is complete.

        @param lines: its lines without their ends; none if an empty line came first.
        """
        raise NotImplementedError

    def headTooLong(self, reason: str, option: str) -> None:
        """
        A head is over a limit; nothing more of it is wanted.

        @param option: its name.
        """
        raise NotImplementedError

    def carrierLost(self, reason: Failure) -> None:
        """
        The carrier is gone before a connection took it over.
        """
        raise NotImplementedError

    # From LineReceiver

    def lineReceived(self, line: bytes) -> None:
        """
        Collect the head; at its empty line, hand it on.
        """
        self._headSize += len(line) + 2
        head = self._head
        if head is None:
            head = self._head = []
        if not line:
            self._head = None
            self.headReceived(head)
        elif self._headSize > self._config.maxHeaderSize:
            self.headTooLong("the head is too long", "maxHeaderSize")
        elif len(head) > self._config.maxHeaderLines:
            self.headTooLong("too many header lines", "maxHeaderLines")
        else:
            head.append(line)
            if len(head) == 1:
                self.headBegan(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        """
        A line of the head is over its limit.
        """
        self.headTooLong("a line of the head is too long", "maxHeaderLine")

    def handOver(self, connection: WebSocketConnection) -> None:
        """
        Let C{connection} have what the transport receives from now on: the transport
        calls it directly, nothing of this class stands on the way of a message.
        """
        self._connection = connection
        self.dataReceived = connection.dataReceived  # type: ignore[method-assign]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The carrier is gone: tell whose it was.
        """
        connection, self._connection = self._connection, None
        if connection is None:
            self.carrierLost(reason)
        else:
            del self.dataReceived
            connection.connectionLost(reason)
