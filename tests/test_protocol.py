# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A server on a port of its own, up to the verdict: L{twisted_ws.WebSocketProtocol}.
"""

from twisted.logger import LogLevel, capturedLogs, formatEvent

from twisted_ws import WebSocketProtocol
from twisted_ws.testing import RecordingReceiver

from .handshakes import (
    GOODBYE,
    GREETING,
    HELLO,
    HELLO_REPLY,
    Echo,
    ServerTests,
    handshake,
    version,
)


class SegmentTests(ServerTests):
    """
    TCP knows nothing of lines.
    """

    def test_oneByteSegments(self):
        """
        A handshake and a frame may come byte by byte.
        """
        self.serve(Echo)
        peer = self.connect()
        peer.send(handshake() + HELLO, 1)
        self.assertEqual(peer.take(), GREETING + HELLO_REPLY)

    def test_anySplit(self):
        """
        A handshake may be split in two anywhere.
        """
        self.serve(Echo)
        data = b"\r\n" + handshake() + HELLO
        for at in range(len(data) + 1):
            peer = self.connect(data[:at], data[at:])
            self.assertEqual(peer.take(), GREETING + HELLO_REPLY, at)

    def test_framesBehindTheHead(self):
        """
        Frames that share the handshake's segment are not lost.
        """
        self.serve(Echo)
        peer = self.connect(handshake() + HELLO * 3 + GOODBYE)
        self.assertEqual(peer.take(), GREETING + HELLO_REPLY * 3 + b"\x88\x02\x03\xe8")
        self.assertIsNotNone(peer.lost)

    def test_manyFramesBehindTheHead(self):
        """
        Nor are 60 KiB of them.
        """
        self.serve(Echo)
        peer = self.connect(handshake() + HELLO * 5000)
        self.assertEqual(peer.take(), GREETING + HELLO_REPLY * 5000)

    def test_halfAFrameBehindTheHead(self):
        """
        A frame may begin in the handshake's segment and end in another.
        """
        self.serve(Echo)
        for at in range(len(HELLO)):
            peer = self.connect(handshake() + HELLO[:at])
            self.assertEqual(peer.take(), GREETING)
            peer.send(HELLO[at:])
            self.assertEqual(peer.take(), HELLO_REPLY, at)

    def test_pausedByTheReceiver(self):
        """
        A receiver that pauses in C{connectionMade} gets the handshake's frames when it
        resumes.
        """

        class Paused(RecordingReceiver):
            def connectionMade(self):
                self.transport.pauseProducing()

        receiver = Paused()
        self.serve(lambda request: request.accept(receiver))
        self.connect(handshake() + HELLO, HELLO)
        self.assertEqual(receiver.messages, [])
        receiver.transport.resumeProducing()
        self.server.flush()
        self.assertEqual(receiver.messages, ["Hello", "Hello"])


class LeadingLineTests(ServerTests):
    """
    RFC 9112 section 2.2: an empty line before the request.
    """

    def test_one(self):
        """
        One is ignored.
        """
        self.serve(Echo)
        self.assertEqual(self.connect(b"\r\n" + handshake()).take(), GREETING)

    def test_two(self):
        """
        Two are no request.
        """
        self.serve(Echo)
        self.assertStatus(self.connect(b"\r\n\r\n" + handshake()), 400)
        peer = self.connect(b"\r\n", b"\r\n")
        self.assertStatus(peer, 400)
        self.assertQuiet()

    def test_aloneIsNoRequest(self):
        """
        What sends one and nothing else is out of time like what sends less.
        """
        self.serve(Echo)
        peer = self.connect(b"\r\n")
        self.clock.advance(10)
        self.server.flush()
        self.assertStatus(peer, 408)


class RebindingTests(ServerTests):
    """
    After the verdict the transport talks to the connection, without a detour.
    """

    def test_accepted(self):
        """
        C{dataReceived} is the connection's own, and there is no other layer.
        """
        self.serve(Echo)
        self.connect()
        protocol = self.protocol()
        self.assertIsInstance(protocol, WebSocketProtocol)
        self.assertNotIn("dataReceived", vars(protocol))
        protocol.transport.other.protocol.send(handshake())
        (connection,) = self.server.factory.connections
        self.assertIs(protocol.dataReceived.__self__, connection)
        self.assertIs(protocol.dataReceived.__func__, type(connection).dataReceived)

    def test_atTheEnd(self):
        """
        The protocol lets go of the connection.
        """
        self.serve(Echo)
        peer = self.connect(handshake())
        protocol = self.protocol()
        self.assertIn("dataReceived", vars(protocol))
        peer.send(GOODBYE)
        self.assertNotIn("dataReceived", vars(protocol))
        self.assertQuiet()

    def test_undecidedAndRefused(self):
        """
        Before a verdict, and after a refusal, it is not rebound.
        """
        self.serve()
        self.connect(handshake())
        self.assertNotIn("dataReceived", vars(self.protocol()))
        self.requests[0].reject()
        self.assertNotIn("dataReceived", vars(self.protocol()))

    def test_hook(self):
        """
        A subclass may look at requests first.
        """
        seen = []

        class Looking(WebSocketProtocol):
            def requestReceived(self, request):
                seen.append(request.resource)
                WebSocketProtocol.requestReceived(self, request)

        self.serve(Echo)
        self.server.factory.buildProtocol = lambda a: Looking(self.server.factory)
        peer = self.connect(handshake(line="GET /a?b HTTP/1.1"))
        self.assertEqual(seen, ["/a?b"])
        self.assertEqual(peer.take(), GREETING)


class LimitTests(ServerTests):
    """
    No head is longer than the options say.
    """

    rows = [
        (
            "a long request line",
            {"maxHeaderLine": 64},
            lambda: handshake(line="GET /" + "a" * 60 + " HTTP/1.1"),
            414,
            "maxHeaderLine",
        ),
        (
            "a long header line",
            {"maxHeaderLine": 64},
            lambda: handshake("X: " + "a" * 62),
            431,
            "maxHeaderLine",
        ),
        (
            "many header lines",
            {"maxHeaderLines": 8},
            lambda: handshake(*["A: b"] * 4),
            431,
            "maxHeaderLines",
        ),
        (
            "a long head",
            {"maxHeaderSize": 256},
            lambda: handshake("X: " + "a" * 200),
            431,
            "maxHeaderSize",
        ),
        ("malformed", {}, lambda: b"GET /\r\n\r\n", 400, None),
        ("another version", {}, lambda: version(7), 426, None),
        ("another method", {}, lambda: handshake(line="PUT / HTTP/1.1"), 405, None),
        ("another HTTP", {}, lambda: handshake(line="GET / HTTP/1.0"), 505, None),
    ]

    def test_rows(self):
        """
        Each is refused with its status, and logged once, with the status and with the
        option that would have let it pass.
        """
        for name, options, make, status, option in self.rows:
            for most in (1 << 30, 1):
                self.serve(Echo, **options)
                peer = self.connect()
                with capturedLogs() as events:
                    peer.send(make(), most)
                self.assertStatus(peer, status, name)
                self.assertIsNotNone(peer.lost, name)
                self.assertEqual(len(events), 1, name)
                text = formatEvent(events[0])
                self.assertIn(str(status), text, name)
                self.assertIn("192.0.2.1", text, name)
                self.assertEqual("option" in text, option is not None, text)
                self.assertIn(option or "", text, name)
                self.assertEqual(events[0]["log_level"], LogLevel.info, name)
                self.assertQuiet()

    def test_exactLimits(self):
        """
        What is just within all limits is accepted; one byte or line more is not.
        """
        head = handshake()
        size = 300 - len(head[:-2])  # what is left under maxHeaderSize=300
        for options, fits, exceeds in [
            (
                {"maxHeaderSize": 300},
                ["X: " + "a" * (size - len("X: \r\n"))],
                ["X: " + "a" * (size - len("X: \r\n") + 1)],
            ),
            ({"maxHeaderLine": 64}, ["X: " + "a" * 61], ["X: " + "a" * 62]),
            ({"maxHeaderLines": 8}, ["A: b"] * 3, ["A: b"] * 4),
        ]:
            self.serve(Echo, **options)
            self.assertEqual(self.connect(handshake(*fits)).take(), GREETING, options)
            self.assertStatus(self.connect(handshake(*exceeds)), 431, options)

    def test_exactRequestLine(self):
        """
        C{maxHeaderLine} goes for the request line likewise.
        """
        self.serve(Echo, maxHeaderLine=64)
        fits = "GET /" + "a" * (64 - len("GET / HTTP/1.1")) + " HTTP/1.1"
        self.assertEqual(self.connect(handshake(line=fits)).take(), GREETING)
        exceeds = fits.replace("a", "aa", 1)
        self.assertStatus(self.connect(handshake(line=exceeds)), 414)

    def test_endlessLine(self):
        """
        Of a line without an end no more is kept than a line may have; what comes behind
        the refusal is not kept at all.
        """
        for first, status in ((b"", 414), (b"GET / HTTP/1.1\r\nX: ", 431)):
            for chunk in (1, 1000, 65536):
                self.serve(Echo)
                peer = self.connect(first)
                protocol = self.protocol()
                sent = 0
                most = 0
                while peer.received == b"" and sent < 100_000:
                    peer.transport.write(b"a" * chunk)
                    self.server.carriers[0][0].moveOn(chunk)
                    sent += chunk
                    most = max(most, len(protocol._buffer))
                    self.server.carriers[0][1].moveOn(1 << 30)
                self.assertStatus(peer, status)
                self.assertLessEqual(sent, 8192 + 2 + chunk)
                self.assertLess(most, 8192 + 2)
                self.assertEqual(protocol.clearLineBuffer(), b"")

    def test_endlessHead(self):
        """
        Of lines without an end no more is kept than a head may have.
        """
        for line in (b"A: b\r\n", b"X: " + b"a" * 8000 + b"\r\n"):
            self.serve(Echo)
            peer = self.connect()
            client, server = self.server.carriers[0]
            client.isPaused = True  # so that the server cannot finish
            peer.send(b"GET / HTTP/1.1\r\n" + line * (1000000 // len(line)), 65536)
            self.assertTrue(server.outgoing.startswith(b"HTTP/1.1 431 "))
            self.assertEqual(server.outgoing.count(b"HTTP/1.1"), 1)
            kept = sum(map(len, server.protocol._head or ()))
            self.assertLess(kept, 16384)
            self.assertEqual(server.protocol.clearLineBuffer(), b"")

    def test_bareLineFeeds(self):
        """
        Lines that end otherwise than with CR LF do not end: it is the request line that
        grows.
        """
        self.serve(Echo)
        data = handshake().replace(b"\r\n", b"\n")
        peer = self.connect(data)
        self.assertEqual(peer.take(), b"")
        peer.send(b"X: a\n" * 2000)
        self.assertStatus(peer, 414)
