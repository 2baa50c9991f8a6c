# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What a message costs: the Python functions that are called for it, by name; in the
compiled build there is but that of the application.

Whoever makes a list here longer says why in the commit that does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from twisted_ws import (
    MessageReceiver,
    ServerConfig,
    WebSocketConnection,
    isCompiled,
)
from twisted_ws._wire.sender import encodeFrame
from twisted_ws.testing import MemoryServer, RawPeer


class Echo(MessageReceiver):
    """
    Sends everything back.
    """

    def messageReceived(self, message: str | bytes) -> None:
        self.transport.sendMessage(message)


def callsOf(function: Callable[[], object]) -> list[str]:
    """
    @return: the names of the Python functions that C{function} calls, in order.
    """
    calls: list[str] = []

    def note(frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            calls.append(frame.f_code.co_name)

    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    return calls[1:]


def openConnection() -> tuple[WebSocketConnection, list[bytes]]:
    """
    @return: a server's connection whose writes go to a list, by a method that is no
        Python function.
    """
    server = MemoryServer(Echo, ServerConfig())
    peer: RawPeer = server.connectRaw()
    peer.send(
        b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        b"Sec-WebSocket-Version: 13\r\n\r\n"
    )
    (connection,) = server.factory.connections
    written: list[bytes] = []
    connection._connectWrite(written.append)
    return connection, written


class BudgetTests(SynchronousTestCase):
    """
    The calls per echoed message on a server.

    Each read has one call more than parsing it needs, and each answer too: they gather
    what is sent while a read is handled, which then leaves by one system call.
    """

    READ: ClassVar = ["dataReceived", "_parse"]
    ECHO: ClassVar = [
        "unmasked",
        "messageReceived",
        "sendMessage",
        "wholeFrame",
        "_put",
    ]
    JOINED: ClassVar = ["_writeBuffers"]

    if isCompiled:
        READ, ECHO, JOINED = [], ["messageReceived"], []

    def test_text(self) -> None:
        """
        A text message of 60 bytes is echoed by these calls.
        """
        connection, written = openConnection()
        data = encodeFrame(0x81, b"x" * 60, True)
        calls = callsOf(lambda: connection.dataReceived(data))
        self.assertEqual(calls, [*self.READ, *self.ECHO])
        self.assertEqual(written, [b"\x81\x3c" + b"x" * 60])

    def test_binary(self) -> None:
        """
        So is a binary message.
        """
        connection, written = openConnection()
        data = encodeFrame(0x82, b"x" * 60, True)
        calls = callsOf(lambda: connection.dataReceived(data))
        self.assertEqual(calls, [*self.READ, *self.ECHO])
        self.assertEqual(written, [b"\x82\x3c" + b"x" * 60])

    def test_manyInOneRead(self) -> None:
        """
        Messages that come in one read share the calls of dataReceived.
        """
        connection, _ = openConnection()
        data = encodeFrame(0x81, b"x" * 60, True) * 10
        calls = callsOf(lambda: connection.dataReceived(data))
        self.assertEqual(calls, [*self.READ, *self.ECHO * 10, *self.JOINED])

    def test_noTimer(self) -> None:
        """
        No timer is set, moved or looked at for a message.
        """
        connection, _ = openConnection()
        clock: Any = connection.clock
        before = [(call, call.getTime()) for call in clock.getDelayedCalls()]
        connection.dataReceived(encodeFrame(0x81, b"x", True))
        after = [(call, call.getTime()) for call in clock.getDelayedCalls()]
        self.assertEqual(before, after)
