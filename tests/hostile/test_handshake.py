# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Opening handshakes that should not get anywhere: what answers them, what is logged, and
that the next client is served.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from twisted.internet.defer import Deferred

from tests.handshakes import FIELDS, REFUSED, Echo, handshake, request
from twisted_ws import PerMessageDeflate
from twisted_ws.testing import RawPeer

from .victim import BYTEWISE, MIB, WAYS, WHOLE, HostileTests, masked, peakOf


class Row(NamedTuple):
    """
    A handshake that is refused.

    @ivar says: what the log says of it, beside the status and the peer.
    """

    name: str
    data: bytes
    status: int
    says: str


def _over(size: int) -> bytes:
    """
    @return: a handshake whose lines have C{size} bytes in all, each of them short.
    """
    head = handshake()
    fillers = []
    left = size - len(head)
    while left > 0:
        length = min(left, 4000)
        fillers.append("X: ".ljust(length - 2, "a"))
        left -= length
    return handshake(*fillers)


ROWS = [
    Row(
        "a request line of a byte too much",
        request("/" + "a" * (8193 - len("GET / HTTP/1.1"))),
        414,
        "(option: maxHeaderLine)",
    ),
    Row(
        "a header line of a byte too much",
        handshake("X: " + "a" * 8190),
        431,
        "(option: maxHeaderLine)",
    ),
    Row("a head that is too long", _over(16384 + 20), 431, "(option: maxHeaderSize)"),
    Row(
        "a line too much",
        handshake(*["A: b"] * (129 - len(FIELDS))),
        431,
        "(option: maxHeaderLines)",
    ),
    Row(
        "one short line ten thousand times",
        handshake(*["A: b"] * 10_000),
        431,
        "(option: maxHeaderLines)",
    ),
    Row(
        "a name with the bytes of a colour",
        handshake("X\x1b[31m: a"),
        400,
        "a malformed header field",
    ),
    Row(
        "a target that formats",
        request("/{0}%s{request.__class__}\x1b[2J"),
        400,
        "a malformed request-target",
    ),
    Row(
        "the length of a body behind a space",
        handshake("Content-Length:  5") + b"abcde",
        400,
        "a handshake has no body",
    ),
    Row(
        "both a length and chunks",
        handshake("Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
        400,
        "a handshake has no body",
    ),
    Row(
        "frames for a body",
        handshake("Content-Length: 10") + masked(0x81, b"smug"),
        400,
        "a handshake has no body",
    ),
    Row(
        "a version of before the RFC, with the bytes of its key",
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\n"
        b"Sec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\n\r\n^n:ds[4U",
        426,
        "only WebSocket versions 13 and 8",
    ),
]


class RefusalTests(HostileTests):
    """
    What is no handshake is answered once and logged once, and is gone.
    """

    def test_rows(self) -> None:
        """
        Each row is, however its bytes arrive, with the option that would have let it
        pass if there is one.
        """
        self.serve()
        for name, data, status, says in ROWS:
            for most in WAYS:
                peer = self.server.connectRaw()
                peer.send(data, most)
                response = self.assertRefused(peer, status, name)
                self.assertNotIn(b"\x1b", response, name)
                self.assertLogged(str(status), "192.0.2.1", says)
        self.assertServed()
        self.assertNothingLeft()

    def test_everyRefusalIsOneLine(self) -> None:
        """
        Every handshake that there is a status for leaves one line in the log, of
        characters that can be shown.
        """
        self.serve()
        for name, data, status in REFUSED:
            peer = self.server.connectRaw()
            peer.send(data)
            self.assertRefused(peer, status, name)
            self.assertLogged(f"refused with {status}: ", "192.0.2.1")
        self.assertServed()
        self.assertNothingLeft()

    def test_nothingBehindIsAnswered(self) -> None:
        """
        A request that comes behind one that is refused, which a proxy on the way may
        take for part of a WebSocket, is not looked at, whoever refuses and when.
        """
        second = handshake(line="GET /admin HTTP/1.1")
        for status, data in [
            (400, handshake("Host: a b")),
            (403, handshake("Origin: https://evil.example")),
            (405, handshake(line="POST / HTTP/1.1")),
            (426, handshake(without=["Upgrade"])),
            (431, handshake("X: " + "a" * 9000)),
            (505, handshake(line="GET / HTTP/1.0")),
        ]:
            for most in (WHOLE, BYTEWISE):
                self.serve()
                peer = self.server.connectRaw()
                peer.send(data + second + masked(0x81, b"late"), most)
                self.assertRefused(peer, status, data)
                self.assertServed()
                self.assertNothingLeft()

    def test_bodyIsNotFrames(self) -> None:
        """
        Frames in a body, or behind one, reach nobody: what one side takes for a body
        the other must not take for frames.
        """
        seen: list[Any] = []

        class Spy(Echo):  # type: ignore[misc]
            """
            Tells what it gets.
            """

            def messageReceived(self, message: Any) -> None:
                seen.append(message)
                super().messageReceived(message)

        self.serve(Spy)
        frames = masked(0x81, b"a") * 3
        for fields in (
            [f"Content-Length: {len(frames)}"],
            ["Transfer-Encoding: chunked"],
            ["Transfer-Encoding: gzip, chunked", f"Content-Length: {len(frames)}"],
            ["Content-Length: 0", f"Content-Length: {len(frames)}"],
        ):
            for most in (WHOLE, BYTEWISE):
                peer = self.server.connectRaw()
                peer.send(handshake(*fields) + frames, most)
                self.assertRefused(peer, 400, fields)
        self.assertEqual(seen, [])
        self.assertServed()

    def test_extensionOffers(self) -> None:
        """
        Offers of compression that make no sense, hundreds of them, with parameters that
        there are not, or twice, or out of all range, are declined without a word.
        """
        self.serve(extensions=[PerMessageDeflate()])
        name = "permessage-deflate"
        for offer in [
            *(f"{name}; server_max_window_bits={bits}" for bits in ("7", "16", "1e1")),
            *(f"{name}; server_max_window_bits={bits}" for bits in ("09", "1" * 4000)),
            f"{name}; a; a",
            f"{name}; server_no_context_takeover; server_no_context_takeover",
            f"{name}; __class__=8; __init__",
            "constructor, __class__; __init__=__dict__",
            ", ".join([f"{name}; x"] * 300),
            ";".join([name] + ["x"] * 3000),
        ]:
            for most in (WHOLE, BYTEWISE):
                peer = self.server.connectRaw()
                offered = handshake(f"Sec-WebSocket-Extensions: {offer}")
                peer.send(offered + masked(0x81, b"x"), most)
                head, _, frames = peer.take().partition(b"\r\n\r\n")
                self.assertTrue(head.startswith(b"HTTP/1.1 101 "), (offer, head))
                self.assertNotIn(b"Extensions", head, offer)
                self.assertEqual(frames, b"\x81\x01x", offer)
        self.assertSilent()
        self.assertServed()


class PatienceTests(HostileTests):
    """
    C{handshakeTimeout} is one span of time, from the accepted connection on.
    """

    def test_silence(self) -> None:
        """
        Who says nothing at all is gone when it is over, and is not worth a line.
        """
        self.serve(keepalive=False)
        peer = self.server.connectRaw()
        self.clock.advance(9.9)
        self.server.flush()
        self.assertIsNone(peer.lost)
        self.clock.advance(0.2)
        self.server.flush()
        self.assertIsNotNone(peer.lost)
        self.assertEqual(peer.received, b"")
        self.assertSilent()
        self.assertNothingLeft()

    def test_drip(self) -> None:
        """
        A byte each second wins no time.
        """
        self.serve(keepalive=False)
        peer = self.server.connectRaw()
        for at in range(9):
            peer.send(handshake()[at : at + 1])
            self.clock.advance(1)
        self.server.flush()
        self.assertIsNone(peer.lost)
        self.clock.advance(1)
        self.server.flush()
        self.assertRefused(peer, 408)
        self.assertLogged("408", "192.0.2.1", "(option: handshakeTimeout)")
        self.assertServed()
        self.assertNothingLeft()

    def test_deafAfterwards(self) -> None:
        """
        Who does not read why it is refused is gone C{closeTimeout} later, whatever it
        goes on sending.
        """
        self.serve(keepalive=False)
        peer = self.server.connectRaw()
        peer.transport.pauseProducing()
        peer.send(b"NONSENSE\r\n\r\n")
        for _ in range(49):
            peer.send(b"more" * 1000)
            self.clock.advance(0.1)
        self.assertTrue(self.server.carriers[1][1].outgoing)
        self.assertFalse(self.server.carriers[1][1].disconnected)
        self.clock.advance(0.2)
        self.server.flush()
        self.assertTrue(self.server.carriers[1][1].disconnected)
        self.assertLogged("400")
        self.assertNothingLeft()


class FloodTests(HostileTests):
    """
    A lot of it.
    """

    def test_endless(self) -> None:
        """
        Of 64 MiB of a line, or of lines, no more is held than a head may have, and the
        client can read the status though it goes on sending.
        """
        chunks = {
            "one line": (b"G" * 65536, 414),
            "a header line": (b"GET / HTTP/1.1\r\nX: ".ljust(65536, b"a"), 431),
            "lines": (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 10_000, 431),
        }
        for name, (chunk, status) in chunks.items():
            self.serve(keepalive=False)
            peer = self.server.connectRaw()
            with peakOf() as peak:
                for _ in range(1024):
                    peer.send(chunk)
            # The chunk itself, once in each carrier and once as it is read.
            self.assertLess(peak.size, MIB // 2, name)
            self.assertRefused(peer, status, name)
            self.assertLogged(str(status), "(option: maxHeaderLine")
            self.assertServed()
            self.assertNothingLeft()

    def test_halfHandshakes(self) -> None:
        """
        Those who only begin, two thousand at once, are held for little, and are all
        gone when C{handshakeTimeout} is over; meanwhile others are served.
        """
        self.serve(keepalive=False, maxPendingHandshakes=None)
        half = handshake()[:-2]
        with peakOf() as peak:
            peers = [self.server.connectRaw() for _ in range(2000)]
            for peer in peers:
                peer.transport.write(half)
            self.server.flush()
        # Both ends, the peers and their carriers included.
        self.assertLess(peak.size / len(peers), 4096)
        self.assertServed()
        self.opened().transport.abortConnection()
        self.clock.advance(10)
        self.server.flush()
        self.assertTrue(all(peer.lost is not None for peer in peers))
        for peer in peers:
            self.assertRegex(peer.received, b"^HTTP/1.1 408 ")
        self.assertServed()
        self.assertNothingLeft()


class LeavingTests(HostileTests):
    """
    Who leaves on the way.
    """

    def test_resetAnywhere(self) -> None:
        """
        After each byte of a handshake, and while the application takes its time, the
        carrier can be reset: what waits is cancelled, and nobody is bothered.
        """
        cancelled: list[Deferred[None]] = []

        def slow(request: Any) -> Any:
            if request.path == "/honest":
                return request.accept(Echo())
            return Deferred(cancelled.append)

        self.serve(slow)
        whole = handshake()
        for length in range(len(whole) + 1):
            peer: RawPeer = self.server.connectRaw()
            peer.send(whole[:length])
            peer.transport.abortConnection()
            self.server.flush()
            self.assertTrue(self.server.carriers.pop()[1].disconnected)
        self.assertEqual(len(cancelled), 1)
        self.assertSilent()
        self.assertServed()
        self.assertNothingLeft()
