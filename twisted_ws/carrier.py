# -*- test-case-name: tests.test_carrier -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What has to be known of the transports below a WebSocket.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import tcp
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, ISSLTransport, ITCPTransport

try:
    from twisted.internet import unix
except ImportError:  # pragma: no cover: Windows has none.
    unix = None  # type: ignore[assignment]

_SOCKETS: tuple[type, ...] = (tcp.Server, tcp.Client)
if unix is not None:  # pragma: no branch
    _SOCKETS += (unix.Server, unix.Client)


def isPlainSocket(carrier: Any) -> bool:
    """
    Tell whether C{carrier} is one of Twisted's transports for plain sockets itself: not
    of a subclass, nothing that stands before one, no TLS.
    """
    return type(carrier) in _SOCKETS and not getattr(carrier, "TLS", False)


def isSecure(carrier: Any) -> bool:
    """
    Tell whether C{carrier} is TLS.
    """
    return bool(ISSLTransport.providedBy(carrier))


def peerCertificate(carrier: Any, isSecure: bool) -> Any:
    """
    @param isSecure: whether it is TLS.
    @return: the certificate by which the peer authenticated itself, an
        L{X509<OpenSSL.crypto.X509>}; C{None} when it did not.
    """
    return carrier.getPeerCertificate() if isSecure else None


def isTCP(carrier: Any, host: IAddress) -> bool:
    """
    Tell whether C{carrier} has TCP's options; a UNIX socket claims to.

    @param host: its own address, which costs a system call to ask for.
    """
    isInternet = isinstance(host, (IPv4Address, IPv6Address))
    return isInternet and bool(ITCPTransport.providedBy(carrier))


def endSending(carrier: Any) -> None:
    """
    Say goodbye to a peer that may be in the middle of something.

    To close a socket with unread bytes resets it, and the peer would never see the
    last thing that we sent: why we close.  So only our half is closed, and the peer
    is left to close the other; the caller sees to it that it does in time.  TLS does
    so by itself.
    """
    if ITCPTransport.providedBy(carrier) and not isSecure(carrier):
        carrier.loseWriteConnection()
    else:
        carrier.loseConnection()
