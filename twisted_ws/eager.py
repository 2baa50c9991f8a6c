# -*- test-case-name: tests.test_eager -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Writing at once what a socket would take at once.

Twisted's transports keep what is written until the reactor says that the socket can be
written to: three system calls and a turn of the reactor for each answer, where one
system call would do, since a socket with nothing before it nearly always takes it.  So
the socket is tried first, and the transport gets what is left.  Those for TLS keep it
for a turn more, before they encrypt it.

What is read for that without being documented is named in L{TOUCHED};
C{tests/test_eager.py} and C{tests/test_eager_tls.py} hold Twisted to each name.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from OpenSSL.SSL import Error, WantReadError
from twisted.protocols.tls import BufferingTLSTransport

from ._wire.gathering import Buffers, WriteMany
from .carrier import isPlainSocket

TOUCHED = (
    "FileDescriptor.dataBuffer",
    "FileDescriptor._tempDataLen",
    "FileDescriptor.connected",
    "FileDescriptor.disconnecting",
    "FileDescriptor.bufferSize",
    "Connection.socket",
    "Connection.TLS",
    "BufferingTLSTransport._aggregator",
    "_AggregateSmallWrites._buffer",
    "TLSMemoryBIOProtocol._appSendBuffer",
    "TLSMemoryBIOProtocol._handshakeDone",
    "TLSMemoryBIOProtocol._lostTLSConnection",
    "TLSMemoryBIOProtocol.disconnecting",
)
"""
What this file uses: what tells that nothing waits in a transport and that it is open,
how much it reads at a time, and its socket; and of TLS, the same.
"""

_CAN_WRITE_MANY = hasattr(socket.socket, "sendmsg")

_USUAL, _MOST_READ = (1 << 16) + (1 << 10), 1 << 20
"""
Bytes that are read at a time: 64 KiB of payload with the headers, so that messages of
some KiB are not cut where a read ends; and at most, while a large frame comes.
"""

_RECORD_OVERHEAD = 128
"""
Bytes by which a record of TLS is longer than what is in it, at most.
"""

_MOST_BUFFERS = 512
"""
Buffers that the system takes in one call: Linux and macOS take 1,024.
"""

Write = Callable[[bytes], object]


class _Eager:
    """
    Writes to one of Twisted's transports for plain sockets.  By its socket, and not by
    C{writeSomeData}: that costs as much again, and sends no more than 128 KiB at a
    time.
    """

    __slots__ = ("_carrier",)

    def __init__(self, carrier: Any) -> None:
        self._carrier = carrier

    def write(self, data: bytes) -> None:
        carrier = self._carrier
        if (
            carrier._tempDataLen
            or carrier.dataBuffer
            or carrier.disconnecting
            or not carrier.connected
        ):
            carrier.write(data)
            return
        try:
            sent = carrier.socket.send(data)
        except OSError:  # is found again by the reactor, which ends the connection
            sent = 0
        if sent < len(data):
            carrier.write(data[sent:])

    def writeMany(self, buffers: Buffers, size: int) -> None:
        carrier = self._carrier
        if len(buffers) > _MOST_BUFFERS:
            self.write(b"".join(buffers))
            return
        # As there: a function for it would be a call for each write.
        if (
            carrier._tempDataLen
            or carrier.dataBuffer
            or carrier.disconnecting
            or not carrier.connected
        ):
            carrier.write(b"".join(buffers))
            return
        try:
            sent = carrier.socket.sendmsg(buffers)
        except OSError:
            sent = 0
        if sent < size:
            carrier.write(_after(buffers, sent))


class _EagerTLS:
    """
    Writes to one of Twisted's transports for TLS above one for plain sockets: encrypts
    at once, and sends what comes of it as eagerly.
    """

    __slots__ = ("_carrier", "_send")

    def __init__(self, carrier: Any) -> None:
        self._carrier = carrier
        self._send = _Eager(carrier.transport).write

    def write(self, data: bytes) -> None:
        carrier = self._carrier
        if (
            carrier._lostTLSConnection
            or carrier.disconnecting
            or not carrier._handshakeDone
            or carrier._appSendBuffer
            or carrier._aggregator._buffer
        ):
            carrier.write(data)
            return
        encrypter = carrier.getHandle()
        size, sent, room = len(data), 0, 0
        try:
            while sent < size:
                # One record, whatever is there for it.
                rest = memoryview(data)[sent:] if sent else data
                sent += encrypter.send(rest)
                room += _RECORD_OVERHEAD
        except Error:  # is found again by the transport, which knows what to do then
            pass
        if sent:
            self._sendEncrypted(encrypter, sent + room)
        if sent < size:
            carrier.write(data[sent:])

    def _sendEncrypted(self, encrypter: Any, most: int) -> None:
        """
        @param most: bytes that there should be, at most.
        """
        try:
            while True:
                encrypted = encrypter.bio_read(most + 1)
                self._send(encrypted)
                if len(encrypted) <= most:
                    return
        except WantReadError:  # there was nothing more
            return


def eagerly(carrier: Any) -> tuple[Write, WriteMany | None]:
    """
    @return: what writes to C{carrier}, and what writes several buffers to it if there
        is a better way than to put them together; at once as far as possible, if it is
        one of Twisted's transports for plain sockets itself, or for TLS right above
        one, and nothing else that stands before one.
    """
    if _socketBelow(carrier) is not carrier:
        return _EagerTLS(carrier).write, None
    if not isPlainSocket(carrier):
        return carrier.write, None
    eager = _Eager(carrier)
    return eager.write, eager.writeMany if _CAN_WRITE_MANY else None


def readMore(carrier: Any, size: int) -> None:
    """
    Have a transport read so many bytes more at a time than usual, but no more than
    C{_MOST_READ} in all; if it is one of Twisted's for plain sockets, or for TLS above
    one.
    """
    carrier = _socketBelow(carrier)
    if isPlainSocket(carrier):
        carrier.bufferSize = min(_USUAL + size, _MOST_READ)


def _socketBelow(carrier: Any) -> Any:
    """
    @return: the transport for a plain socket below one that does TLS; else C{carrier}.
    """
    if type(carrier) is BufferingTLSTransport and isPlainSocket(carrier.transport):
        return carrier.transport
    return carrier


def _after(buffers: Buffers, sent: int) -> bytes:
    """
    @return: what is left when so many bytes are sent.
    """
    rest: list[bytes | memoryview] = []
    for each in buffers:
        if sent >= len(each):
            sent -= len(each)
        else:
            rest.append(memoryview(each)[sent:])
            sent = 0
    return b"".join(rest)
