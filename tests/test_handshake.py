# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
How a server reads opening handshakes, by pure functions and as a whole:
L{twisted_ws._wire.handshake}.
"""

import re
from time import process_time

from twisted.trial.unittest import SynchronousTestCase

from twisted_ws import ServerConfig
from twisted_ws._wire.errors import InvalidUpgrade
from twisted_ws._wire.handshake import readRequest, splitHost, standardPhrase
from twisted_ws.testing import MemoryServer, RecordingReceiver

from .handshakes import (
    ACCEPTED,
    KEY,
    REFUSED,
    field,
    handshake,
    request,
    split,
    version,
)

STATUS = re.compile(rb"HTTP/1\.1 [0-9]{3} ")
ANSWER = re.compile(rb"\AHTTP/1\.1 (101|400|403|426|431) ")


class TableTests(SynchronousTestCase):
    """
    The tables, against the pure function and against a whole server.
    """

    def test_size(self):
        """
        The rows have different names or requests, and there are enough of them.
        """
        rows = {(name, data) for name, data, _ in ACCEPTED + REFUSED}
        self.assertEqual(len(rows), len(ACCEPTED) + len(REFUSED))
        self.assertGreater(len(rows), 80)

    def test_readAccepted(self):
        """
        A valid handshake is read into an Offer.
        """
        for name, data, row in ACCEPTED:
            offer = readRequest(split(data))
            for attribute, value in row.items():
                self.assertEqual(getattr(offer, attribute), value, name)

    def test_readRefused(self):
        """
        An invalid handshake is refused with its status.
        """
        for name, data, status in REFUSED:
            try:
                offer = readRequest(split(data))
            except InvalidUpgrade as error:
                self.assertEqual(error.status, status, f"{name}: {error}")
            else:
                self.fail(f"{name}: read as {offer}")

    def answer(self, data):
        """
        What a server answers, and whether it has connected its application.
        """
        server = MemoryServer(RecordingReceiver, ServerConfig(allowedOrigins="*"))
        peer = server.connectRaw()
        peer.send(data)
        return peer.take(), len(server.factory.connections), peer.lost

    def test_servedAccepted(self):
        """
        A server answers each valid handshake with 101, and the connection stands.
        """
        for name, data, _ in ACCEPTED:
            response, connections, lost = self.answer(data)
            self.assertTrue(response.startswith(b"HTTP/1.1 101 "), (name, response))
            self.assertEqual(len(STATUS.findall(response)), 1, name)
            self.assertEqual((connections, lost), (1, None), name)

    def test_servedRefused(self):
        """
        A server answers each invalid handshake once, with its status and
        C{Connection: close}, and closes the connection.
        """
        for name, data, status in REFUSED:
            response, connections, lost = self.answer(data)
            first = b"HTTP/1.1 %d %s\r\n" % (status, standardPhrase(status).encode())
            self.assertTrue(response.startswith(first), (name, response))
            self.assertEqual(len(STATUS.findall(response)), 1, name)
            self.assertIn(b"\r\nConnection: close", response, name)
            self.assertEqual(connections, 0, name)
            self.assertIsNotNone(lost, name)

    def test_headersOfRefusals(self):
        """
        405 says which method is right, 426 which protocol and which versions.
        """
        for name, data, status in REFUSED:
            response, _, _ = self.answer(data)
            self.assertEqual(b"\r\nAllow: GET\r\n" in response, status == 405, name)
            for line in (
                b"\r\nUpgrade: websocket\r\n",
                b"\r\nSec-WebSocket-Version: 13, 8\r\n",
            ):
                self.assertEqual(line in response, status == 426, name)


class EveryByteTests(SynchronousTestCase):
    """
    One strange byte at a time, everywhere.
    """

    def refusedBytes(self, make):
        """
        @return: the bytes with which a request is refused.
        """
        refused = set()
        for byte in range(256):
            try:
                readRequest(split(make(chr(byte))))
            except InvalidUpgrade as error:
                if error.status == 400:
                    refused.add(byte)
        return refused

    def test_controlCharacters(self):
        """
        A control character is refused wherever it stands; only the tab may be in the
        value of a field that nobody here reads.
        """
        places = [
            ("method", lambda c: handshake(line=f"G{c}T / HTTP/1.1")),
            ("target", lambda c: handshake(line=f"GET /{c} HTTP/1.1")),
            ("query", lambda c: handshake(line=f"GET /?{c} HTTP/1.1")),
            ("version", lambda c: handshake(line=f"GET / HTTP/1.1{c}")),
            ("end of a name", lambda c: handshake(f"X{c}: a")),
            ("start of a name", lambda c: handshake(f"{c}X: a")),
            ("value", lambda c: handshake(f"X: a{c}b")),
            ("Host", lambda c: handshake(f"Host: a{c}b")),
            ("Upgrade", lambda c: handshake(f"Upgrade: web{c}socket")),
            ("Connection", lambda c: handshake(f"Connection: Up{c}grade")),
            ("key", lambda c: handshake(f"Sec-WebSocket-Key: {KEY[:9]}{c}{KEY[9:]}")),
            ("Origin", lambda c: handshake(f"Origin: http://a{c}b")),
            ("subprotocol", lambda c: handshake(f"Sec-WebSocket-Protocol: a{c}b")),
            ("extension", lambda c: handshake(f"Sec-WebSocket-Extensions: a{c}b")),
            ("length", lambda c: handshake(f"Content-Length: 0{c}0")),
        ]
        control = {*range(0x20), 0x7F}
        for name, make in places:
            missing = control - self.refusedBytes(make)
            allowed = {0x09} if name in ("value", "Origin") else set()
            self.assertEqual(missing, allowed, name)

    def test_beyondASCII(self):
        """
        Bytes beyond ASCII are refused in all but the values of fields that nobody here
        reads, and in the origin, which is judged by who may connect.
        """
        beyond = set(range(0x80, 0x100))
        for name, make, expected in [
            ("target", lambda c: handshake(line=f"GET /{c} HTTP/1.1"), beyond),
            ("name", lambda c: handshake(f"X{c}: a"), beyond),
            ("value", lambda c: handshake(f"X: {c}"), set()),
            ("Host", lambda c: handshake(f"Host: a{c}b"), beyond),
            ("Upgrade", lambda c: handshake(f"Upgrade: websocket, {c}"), beyond),
            ("Connection", lambda c: handshake(f"Connection: Upgrade, {c}"), beyond),
            (
                "subprotocol",
                lambda c: handshake(f"Sec-WebSocket-Protocol: {c}"),
                beyond,
            ),
            (
                "extension",
                lambda c: handshake(f"Sec-WebSocket-Extensions: {c}"),
                beyond,
            ),
            ("length", lambda c: handshake(f"Content-Length: {c}"), beyond),
            ("Origin", lambda c: handshake(f"Origin: http://a{c}b"), set()),
        ]:
            self.assertEqual(self.refusedBytes(make) & beyond, expected, name)

    def test_versionBeyondASCII(self):
        """
        A protocol version beyond ASCII is none that is spoken.
        """
        for byte in range(0x80, 0x100):
            with self.assertRaises(InvalidUpgrade) as caught:
                readRequest(split(version(chr(byte))))
            self.assertEqual(caught.exception.status, 426)


class LinearTests(SynchronousTestCase):
    """
    No handshake costs more than its length.
    """

    def inputs(self, size):
        """
        What has made other servers stall, in about C{size} bytes.
        """
        protocol, extensions = "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"
        return [
            ("spaces", field(protocol, "b" + " " * size + "x")),
            ("tokens", field(protocol, ",".join(f"a{n}" for n in range(size // 6)))),
            ("commas", field(protocol, "," * size)),
            ("open quote", field(extensions, 'a; b="' + "\\c" * (size // 2))),
            ("offers", field(extensions, ",".join(["a"] * (size // 2)))),
            ("parameters", field(extensions, "a" + ";b" * (size // 2))),
            ("Connection", field("Connection", "b" + " " * size + "x")),
            ("Upgrade", field("Upgrade", "a/" * (size // 2))),
            ("Host", field("Host", "a." * (size // 2) + "@")),
            ("target", request("/" + "%" * size)),
            ("absolute target", request("http://" + "a" * size)),
            ("Cookie", field("Cookie", '\\"' * (size // 2))),
            ("Origin", field("Origin", "a" * size + "://")),
            ("many fields", handshake(*[f"X{n % 7}: a" for n in range(size // 8)])),
            ("one field again and again", handshake(*["A: b"] * (size // 6))),
            ("key", field("Sec-WebSocket-Key", "=" * size)),
        ]

    def cost(self, lines):
        """
        CPU time of the quickest of a few readings.
        """
        times = []
        for _ in range(3):
            began = process_time()
            try:
                readRequest(lines)
            except InvalidUpgrade:
                pass
            times.append(process_time() - began)
        return min(times)

    def test_linear(self):
        """
        Eight times the input does not cost sixty-four times the time.
        """
        rows = zip(self.inputs(1 << 12), self.inputs(1 << 15), strict=True)
        for (name, small), (_, large) in rows:
            once = max(self.cost(split(small)), 0.0002)
            self.assertLess(self.cost(split(large)) / once, 32, name)

    def test_served(self):
        """
        A server with its default limits answers every one of them, also when it comes
        byte by byte.
        """
        for size in (4000, 8000):
            for name, data in self.inputs(size):
                server = MemoryServer(RecordingReceiver)
                peer = server.connectRaw()
                peer.send(data)
                self.assertRegex(peer.take(), ANSWER, name)
                peer = server.connectRaw()
                peer.send(data, 997)
                self.assertRegex(peer.take(), ANSWER, name)


class SplitHostTests(SynchronousTestCase):
    """
    L{splitHost}.
    """

    rows = [
        ("Example.COM", ("example.com", None)),
        ("example.com:80", ("example.com", 80)),
        ("example.com:00080", ("example.com", 80)),
        ("[2001:DB8::1]", ("[2001:db8::1]", None)),
        ("[::1]:65535", ("[::1]", 65535)),
        ("xn--bcher-kva.example", ("xn--bcher-kva.example", None)),
        ("a\n", None),
        ("a:80\n", None),
        ("a:", None),
        ("", None),
        ("a:1:2", None),
        ("a:\u0661", None),
    ]

    def test_rows(self):
        """
        A name comes in lower case, a port as a number.
        """
        for host, expected in self.rows:
            self.assertEqual(splitHost(host), expected, host)
