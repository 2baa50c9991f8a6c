# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.carrier}: telling transports apart.
"""

from __future__ import annotations

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import (
    ISSLTransport,
    ITCPTransport,
    ITransport,
    IUNIXTransport,
)
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from twisted_ws.carrier import endSending, isSecure, isTCP, peerCertificate


class Transport:
    """
    Writes down how it is closed.
    """

    def __init__(self, host):
        self.host = host
        self.calls = []

    def getHost(self):
        return self.host

    def loseConnection(self):
        self.calls.append("loseConnection")

    def loseWriteConnection(self):
        self.calls.append("loseWriteConnection")


@implementer(ITCPTransport)
class TCP(Transport):
    """
    As L{twisted.internet.tcp.Connection}.
    """


@implementer(ISSLTransport)
class TLS(Transport):
    """
    As L{twisted.protocols.tls.TLSMemoryBIOProtocol}.
    """

    certificate = None

    def getPeerCertificate(self):
        return self.certificate


@implementer(IUNIXTransport, ITCPTransport)
class UNIX(Transport):
    """
    As L{twisted.internet.unix.Server}, which claims to be TCP.
    """

    def getPeerCertificate(self):
        raise AssertionError("there is none")


@implementer(ITransport)
class Stream(Transport):
    """
    As any other, such as a stream of HTTP/2.
    """

    loseWriteConnection = None


V4 = IPv4Address("TCP", "192.0.2.1", 80)
V6 = IPv6Address("TCP", "2001:db8::1", 80)
PATH = UNIXAddress("/run/ws.sock")

HALF, WHOLE = "loseWriteConnection", "loseConnection"


class CarrierTests(SynchronousTestCase):
    """
    Every kind of transport there is.
    """

    rows = [
        # name, transport, is it TCP, is it secure, how it ends
        ("TCP over IPv4", TCP(V4), True, False, HALF),
        ("TCP over IPv6", TCP(V6), True, False, HALF),
        ("TLS over IPv4", TLS(V4), True, True, WHOLE),
        ("TLS over IPv6", TLS(V6), True, True, WHOLE),
        ("TLS over UNIX", TLS(PATH), False, True, WHOLE),
        ("UNIX", UNIX(PATH), False, False, HALF),
        ("HTTP/2", Stream(V4), False, False, WHOLE),
    ]

    def test_isTCP(self):
        """
        Only what has TCP's options is TCP.
        """
        for name, transport, expected, _, _ in self.rows:
            self.assertIs(isTCP(transport, transport.getHost()), expected, name)

    def test_isSecure(self):
        """
        Only TLS is secure.
        """
        for name, transport, _, expected, _ in self.rows:
            self.assertIs(isSecure(transport), expected, name)

    def test_peerCertificate(self):
        """
        Only a peer over TLS has a certificate, if it has shown one.
        """
        for name, transport, _, _, _ in self.rows:
            self.assertIsNone(peerCertificate(transport, False), name)
        transport = TLS(V4)
        transport.certificate = object()
        self.assertIs(peerCertificate(transport, True), transport.certificate)

    def test_endSending(self):
        """
        Where a transport can close half of itself, that is what ends our sending.
        """
        for name, transport, _, _, expected in self.rows:
            transport.calls.clear()
            endSending(transport)
            self.assertEqual(transport.calls, [expected], name)
