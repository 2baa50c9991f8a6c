# -*- test-case-name: tests.test_eager -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Writing at once what a socket would take at once.

Twisted's transports keep what is written until the reactor says that the socket can be
written to: three system calls and a turn of the reactor for each answer, where one
system call would do, since a socket with nothing before it nearly always takes it.  So
the socket is tried first, and the transport gets what is left.

What is read for that without being documented is named in L{TOUCHED};
C{tests/test_eager.py} holds Twisted to each name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import tcp

try:
    from twisted.internet import unix
except ImportError:  # pragma: no cover: Windows has none.
    unix = None  # type: ignore[assignment]

TOUCHED = (
    "FileDescriptor.dataBuffer",
    "FileDescriptor._tempDataLen",
    "FileDescriptor.connected",
    "FileDescriptor.disconnecting",
    "Connection.writeSomeData",
    "Connection.TLS",
)
"""
What this file uses: what tells that nothing waits in a transport and that it is open,
and the method by which the transport itself writes to its socket, which returns how
many bytes that took, or an exception.
"""

_SOCKETS: tuple[type, ...] = (tcp.Server, tcp.Client)
if unix is not None:  # pragma: no branch
    _SOCKETS += (unix.Server, unix.Client)

Write = Callable[[bytes], object]


def eagerly(carrier: Any) -> Write:
    """
    @return: what writes to C{carrier}; at once as far as possible, if it is one of
        Twisted's transports for plain sockets itself, and not what stands before one.
    """
    write: Write = carrier.write
    if type(carrier) not in _SOCKETS or getattr(carrier, "TLS", False):
        return write
    send = carrier.writeSomeData

    def writeNow(data: bytes) -> None:
        if (
            carrier._tempDataLen
            or carrier.dataBuffer
            or carrier.disconnecting
            or not carrier.connected
        ):
            write(data)
            return
        sent = send(data)
        if sent == len(data):
            return
        # An error is found again by the reactor, which ends the connection.
        write(data[sent:] if isinstance(sent, int) and sent > 0 else data)

    return writeNow
