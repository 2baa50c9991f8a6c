# -*- test-case-name: tests.test_dropping -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Ending a socket that has nothing left to say, after the closing handshake.

A transport of Twisted's waits until its socket can be written to before it closes it,
in case something is left to be written: four system calls and a turn of the reactor
more than it takes.  So one for which nothing waits is told that its connection is over,
as C{abortConnection} does it: by a call of the reactor's, so that nothing of the
application's is called while it is at work.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.main import CONNECTION_DONE
from twisted.python.failure import Failure

from ._buffered import bufferedIn
from .carrier import isPlainSocket

TOUCHED = (
    "FileDescriptor.connected",
    "FileDescriptor.disconnecting",
    "FileDescriptor.reactor",
    "Connection.TLS",
)
"""
What this file uses that Twisted does not document.  What
C{connectionLost} does is documented by L{IFileDescriptor
<twisted.internet.interfaces.IFileDescriptor>}.
"""

_DONE = Failure(CONNECTION_DONE)
"""
As with a reactor's own, one does for all.
"""


def drop(carrier: Any) -> None:
    """
    Have a server's carrier closed when all is written.
    """
    if isPlainSocket(carrier):
        carrier.reactor.callLater(0, _end, carrier)
    else:
        carrier.loseConnection()


def _end(carrier: Any) -> None:
    if bufferedIn(carrier) or carrier.disconnecting or not carrier.connected:
        carrier.loseConnection()
    else:
        carrier.connectionLost(_DONE)
