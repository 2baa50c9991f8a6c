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
from twisted.protocols.policies import ProtocolWrapper
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
    # A wrapper hands on every attribute that it lacks, so it is asked first.
    if isinstance(carrier, ProtocolWrapper):
        return _inTLS(carrier) + bufferedIn(carrier.transport)
    own = getattr(carrier, "bufferedAmount", None)
    if own is not None:
        return int(own)
    if not isinstance(carrier, FileDescriptor):
        return 0
    size = len(carrier.dataBuffer) - carrier.offset + carrier._tempDataLen
    if _isTLS(carrier):
        size += _inTLS(getattr(carrier, "protocol", None))
    return size


def pausesBehindWrites(carrier: Any) -> bool:
    """
    Tell whether C{carrier} has taken in all of a write when it pauses its producer
    because of it, so that something else can be written then.  TLS has not.
    """
    if isinstance(carrier, TLSMemoryBIOProtocol):
        return False
    if isinstance(carrier, ProtocolWrapper):
        return pausesBehindWrites(carrier.transport)
    if isinstance(carrier, FileDescriptor):
        return not _isTLS(carrier)
    return getattr(carrier, "bufferedAmount", None) is not None


def _isTLS(carrier: Any) -> bool:
    return bool(getattr(carrier, "TLS", False))


def _inTLS(protocol: Any) -> int:
    """
    @return: what TLS keeps itself, if that is what C{protocol} does.
    """
    if not isinstance(protocol, TLSMemoryBIOProtocol):
        return 0
    size = sum(map(len, protocol._appSendBuffer))
    aggregator = getattr(protocol, "_aggregator", None)
    # When the connection is lost something else takes its place.
    left = getattr(aggregator, "_bufferLeft", None)
    if aggregator is not None and left is not None:
        size += aggregator.MAX_BUFFER_SIZE - left
    return int(size)
