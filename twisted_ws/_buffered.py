# -*- test-case-name: tests.test_buffered -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
How much of what was written a transport of Twisted still holds.

Twisted has no public way to ask.  All that is read for it without being documented is
in this file, and L{TOUCHED} names it; C{tests/test_buffered.py} holds Twisted to each
name.  A transport that has none of these holds nothing, as far as we can tell.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.protocols.tls import TLSMemoryBIOProtocol

TOUCHED = (
    "FileDescriptor.dataBuffer",
    "FileDescriptor.offset",
    "FileDescriptor._tempDataLen",
    "TLSMemoryBIOProtocol._appSendBuffer",
    "BufferingTLSTransport._aggregator",
    "_AggregateSmallWrites._bufferLeft",
    "_AggregateSmallWrites.MAX_BUFFER_SIZE",
    "Connection.TLS",
    "Connection.protocol",
)
"""
What this file reads: a socket's two buffers and how much of the first is sent; what TLS
keeps until it can encrypt it, and small writes that it gathers for the next turn of the
reactor; and where a socket that does TLS keeps that.
"""


def bufferedIn(carrier: Any) -> int:
    """
    @return: bytes that were written to C{carrier} and not yet taken by the operating
        system; of TLS, encrypted or not.
    """
    own = getattr(carrier, "bufferedAmount", None)
    if own is not None:
        return int(own)
    if isinstance(carrier, TLSMemoryBIOProtocol):
        return _inTLS(carrier) + bufferedIn(carrier.transport)
    if not isinstance(carrier, FileDescriptor):
        return 0
    size = len(carrier.dataBuffer) - carrier.offset + carrier._tempDataLen
    protocol = getattr(carrier, "protocol", None)
    if getattr(carrier, "TLS", False) and isinstance(protocol, TLSMemoryBIOProtocol):
        size += _inTLS(protocol)
    return size


def _inTLS(protocol: Any) -> int:
    size = sum(map(len, protocol._appSendBuffer))
    aggregator = getattr(protocol, "_aggregator", None)
    left = getattr(aggregator, "_bufferLeft", None)
    if aggregator is not None and left is not None:
        size += aggregator.MAX_BUFFER_SIZE - left
    return int(size)
