# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Requests whose verdict comes late, never, or too late; and what becomes of refused
connections: L{twisted_ws.WebSocketProtocol}.
"""

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs, formatEvent

from twisted_ws import ServerConfig
from twisted_ws.errors import ClosedAbruptly
from twisted_ws.request import Verdict
from twisted_ws.testing import RecordingReceiver

from .handshakes import (
    GREETING,
    HELLO,
    HELLO_REPLY,
    Echo,
    ServerTests,
    handshake,
    version,
)


class HandshakeTimeoutTests(ServerTests):
    """
    C{handshakeTimeout} is absolute.
    """

    def drip(self, data, seconds):
        """
        Send one byte per second.
        """
        peer = self.connect()
        for at in range(seconds):
            peer.send(data[at : at + 1])
            self.clock.advance(1)
        self.server.flush()
        return peer

    def test_silence(self):
        """
        Who says nothing is dropped without a word.
        """
        self.serve(Echo)
        peer = self.connect()
        self.clock.advance(9.9)
        self.server.flush()
        self.assertIsNone(peer.lost)
        self.clock.advance(0.1)
        self.server.flush()
        self.assertEqual(peer.take(), b"")
        self.assertIsNotNone(peer.lost)
        self.assertQuiet()

    def test_slowHeaders(self):
        """
        A byte per second does not keep a connection: 408, and the option is logged.
        """
        self.serve(Echo)
        peer = self.connect(b"GET / HTTP/1.1\r\n")
        with capturedLogs() as events:
            for _ in range(9):
                self.clock.advance(1)
                peer.send(b"a")
            self.assertIsNone(peer.lost)
            self.clock.advance(1)
            self.server.flush()
        self.assertStatus(peer, 408)
        self.assertEqual(len(events), 1)
        self.assertIn("handshakeTimeout", formatEvent(events[0]))
        self.assertQuiet()

    def test_slowRequestLine(self):
        """
        Nor within the request line: who sent anything at all is told 408.
        """
        self.serve(Echo)
        with capturedLogs() as events:
            peer = self.drip(b"GET / HTTP/1.1", 10)
        self.assertStatus(peer, 408)
        self.assertEqual(len(events), 1)
        self.assertIn("handshakeTimeout", formatEvent(events[0]))
        self.assertQuiet()

    def test_inTime(self):
        """
        A verdict in time ends it.
        """
        self.serve(handshakeTimeout=3)
        peer = self.connect(handshake())
        self.clock.advance(2.9)
        self.requests[0].accept(
            RecordingReceiver(), config=ServerConfig(keepalive=False)
        )
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(100)
        self.server.flush()
        self.assertEqual(peer.take(), GREETING)
        self.assertIsNone(peer.lost)

    def test_headAndVerdictTogether(self):
        """
        It is one time for the head and for the verdict.
        """
        self.serve(handshakeTimeout=3)
        peer = self.connect()
        self.clock.advance(2)
        peer.send(handshake())
        self.clock.advance(0.9)
        self.server.flush()
        self.assertEqual(peer.take(), b"")
        self.clock.advance(0.1)
        self.server.flush()
        self.assertStatus(peer, 503)

    def test_pendingVerdict(self):
        """
        A request that is not answered in time is answered 503, the option is logged,
        and the application's Deferred is cancelled.
        """
        cancelled = []
        answers = []

        def application(request):
            answers.append(Deferred(cancelled.append))
            return answers[0]

        self.serve(application)
        peer = self.connect(handshake())
        (request,) = self.server.factory.pendingRequests
        with capturedLogs() as events:
            self.clock.advance(10)
            self.server.flush()
        self.assertStatus(peer, 503)
        self.assertEqual(cancelled, answers)
        self.assertEqual(request.verdict, Verdict.ABANDONED)
        warnings = [e for e in events if e["log_level"] >= LogLevel.warn]
        self.assertEqual(len(warnings), 1)
        self.assertIn("handshakeTimeout", formatEvent(warnings[0]))
        self.assertQuiet()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_verdictAfterTheTimeout(self):
        """
        To accept then does not raise: the receiver sees a connection and its end; to
        reject then does nothing.
        """
        self.serve()
        peer = self.connect(handshake(), b"", HELLO)
        self.connect(handshake())
        self.clock.advance(10)
        self.server.flush()
        peer.take()
        receiver = RecordingReceiver()
        self.requests[0].accept(receiver)
        self.requests[1].reject(403)
        self.server.flush()
        self.assertEqual(peer.take(), b"")
        self.assertEqual((receiver.made, receiver.losses), (1, 1))
        self.assertEqual(receiver.messages, [])
        self.assertQuiet()


class EarlyDataTests(ServerTests):
    """
    A client that does not wait for the verdict.
    """

    def test_accepted(self):
        """
        Its carrier is not read from until the verdict; then nothing is missing.
        """
        self.serve()
        peer = self.connect(handshake() + HELLO)
        server = self.server.carriers[0][1]
        self.assertTrue(server.isPaused)
        peer.send(HELLO)
        self.assertEqual(peer.transport.outgoing, HELLO)
        receiver = Echo()
        self.requests[0].accept(receiver)
        self.assertFalse(server.isPaused)
        self.assertEqual(receiver.messages, ["Hello"])
        self.server.flush()
        self.assertEqual(receiver.messages, ["Hello", "Hello"])
        self.assertEqual(peer.take(), GREETING + HELLO_REPLY * 2)

    def test_nothingEarly(self):
        """
        A client that waits is read from all the while, so that its leaving is noticed.
        """
        self.serve()
        self.connect(handshake())
        server = self.server.carriers[0][1]
        self.assertFalse(server.isPaused)
        self.requests[0].accept(Echo())
        self.assertFalse(server.isPaused)

    def test_inASegmentOfItsOwn(self):
        """
        Data that comes in a segment behind the handshake's is kept likewise.
        """
        self.serve()
        peer = self.connect(handshake())
        peer.send(HELLO[:4])
        self.assertTrue(self.server.carriers[0][1].isPaused)
        receiver = RecordingReceiver()
        self.requests[0].accept(receiver)
        self.assertEqual(receiver.messages, [])
        peer.send(HELLO[4:])
        self.assertEqual(receiver.messages, ["Hello"])

    def test_pausedByTheReceiver(self):
        """
        A receiver that pauses at once gets nothing until it resumes, and the carrier
        stays paused.
        """

        class Paused(RecordingReceiver):
            def connectionMade(self):
                self.transport.pauseProducing()

        self.serve()
        self.connect(handshake() + HELLO)
        receiver = Paused()
        self.requests[0].accept(receiver)
        self.assertTrue(self.server.carriers[0][1].isPaused)
        self.assertEqual(receiver.messages, [])
        receiver.transport.resumeProducing()
        self.assertEqual(receiver.messages, ["Hello"])
        self.assertFalse(self.server.carriers[0][1].isPaused)

    def test_rejected(self):
        """
        After a refusal it is read, so that the refusal can be, and dropped.
        """
        self.serve()
        peer = self.connect(handshake() + HELLO, HELLO)
        self.requests[0].reject()
        self.assertFalse(self.server.carriers[0][1].isPaused)
        self.server.flush()
        self.assertStatus(peer, 403)
        self.assertQuiet()

    def test_timedOut(self):
        """
        Likewise when the time is up.
        """
        self.serve()
        peer = self.connect(handshake() + HELLO, HELLO)
        self.clock.advance(10)
        self.server.flush()
        self.assertStatus(peer, 503)
        self.assertQuiet()


class PeerLeavesTests(ServerTests):
    """
    The peer leaves before the verdict.
    """

    def leave(self, peer, how):
        """
        Have a peer leave in one way or another.
        """
        getattr(peer.transport, how)()
        self.server.flush()

    def test_deferredIsCancelled(self):
        """
        The application's Deferred is cancelled, once, and no error is logged.
        """
        for how in ("loseConnection", "abortConnection"):
            cancelled = []
            self.serve(lambda request, c=cancelled: Deferred(c.append))
            peer = self.connect(handshake())
            self.assertEqual(len(self.server.factory.pendingRequests), 1)
            self.leave(peer, how)
            self.assertEqual(len(cancelled), 1, how)
            self.assertQuiet()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_accept(self):
        """
        To accept then does not raise; the receiver sees exactly one connection, and
        exactly one end, which says what happened.
        """
        for how in ("loseConnection", "abortConnection"):
            self.serve()
            peer = self.connect(handshake())
            self.leave(peer, how)
            receiver = RecordingReceiver()
            connection = self.requests[0].accept(receiver)
            self.assertEqual((receiver.made, receiver.losses), (1, 1), how)
            self.assertIsInstance(receiver.reason, ClosedAbruptly, how)
            self.assertIn("before its request was accepted", str(receiver.reason), how)
            self.assertEqual(receiver.reason.code, 1006, how)
            ended = self.successResultOf(connection.whenClosed())
            self.assertEqual(str(ended), str(receiver.reason), how)
            self.assertEqual(connection.getPeer().host, "192.0.2.1")
            self.assertQuiet()

    def test_reject(self):
        """
        To reject then does nothing.
        """
        self.serve()
        peer = self.connect(handshake())
        self.leave(peer, "loseConnection")
        self.requests[0].reject(403)
        self.assertEqual(peer.take(), b"")
        self.assertQuiet()

    def test_beforeTheHead(self):
        """
        A peer that leaves in the middle of the head leaves nothing behind.
        """
        self.serve(Echo)
        for data in (b"", b"GET", b"GET / HTTP/1.1\r\n", handshake()[:-2]):
            self.leave(self.connect(data), "loseConnection")
            self.assertQuiet()

    def test_whileWeRefuse(self):
        """
        A peer that leaves before it has read its refusal leaves nothing behind.
        """
        self.serve(Echo)
        peer = self.server.connectRaw()
        peer.transport.write(b"nonsense\r\n\r\n")
        self.server.carriers[0][0].moveOn(1 << 30)
        self.assertNotEqual(self.clock.getDelayedCalls(), [])
        peer.transport.abortConnection()
        self.server.flush()
        self.assertQuiet()


class RefusedTests(ServerTests):
    """
    A refused connection.
    """

    def test_pipelinedRequest(self):
        """
        A request behind a refused one is not looked at, in the same segment or in a
        later one.
        """
        for refused in (version(7), b"nonsense\r\n\r\n", handshake(line="GET /a b c")):
            self.serve(Echo)
            self.assertEqual(
                self.connect(refused + handshake()).take().count(b"HTTP/1.1 "), 1
            )
            peer = self.connect()
            client, server = self.server.carriers[-1]
            client.isPaused = True
            peer.send(refused)
            peer.send(handshake())
            peer.send(handshake() + HELLO)
            self.assertEqual(server.outgoing.count(b"HTTP/1.1 "), 1)
            self.assertEqual(server.protocol._buffer, b"")

    def test_pipelinedBehindARejection(self):
        """
        Nor is one behind a request that the application rejects.
        """
        self.serve(lambda request: request.reject(401))
        self.assertStatus(self.connect(handshake() + handshake()), 401)

    def test_body(self):
        """
        A body of frames is not read as frames.
        """
        self.serve(Echo)
        peer = self.connect(handshake(f"Content-Length: {len(HELLO)}") + HELLO)
        self.assertStatus(peer, 400)

    def test_linger(self):
        """
        Who does not read the refusal, nor leaves, is aborted after C{closeTimeout}.
        """
        for data, application in (
            (version(7), Echo),
            (handshake(), lambda request: request.reject(404)),
        ):
            self.serve(application, closeTimeout=2)
            peer = self.connect()
            client, server = self.server.carriers[0]
            client.isPaused = True
            peer.send(data)
            self.clock.advance(1.9)
            self.server.flush()
            self.assertFalse(server.disconnected)
            self.clock.advance(0.1)
            self.server.flush()
            self.assertTrue(server.disconnected)
            self.assertEqual(peer.take(), b"")
            self.assertQuiet()

    def test_lingeringIsNotExtended(self):
        """
        What a refused peer sends does not buy it time.
        """
        self.serve(Echo, closeTimeout=2)
        peer = self.connect()
        client, server = self.server.carriers[0]
        client.isPaused = True
        peer.send(version(7))
        for _ in range(4):
            self.assertFalse(server.disconnected)
            peer.send(handshake())
            self.clock.advance(0.5)
        self.server.flush()
        self.assertTrue(server.disconnected)
        self.assertQuiet()

    def test_halfClosed(self):
        """
        Only our half is closed at first, so that unread input does not reset the
        connection under the refusal.
        """
        self.serve(Echo)
        peer = self.connect()
        client, server = self.server.carriers[0]
        client.isPaused = True
        peer.send(version(7))
        self.assertFalse(server.disconnecting)
        client.isPaused = False
        self.server.flush()
        self.assertStatus(peer, 426)
        self.assertTrue(server.disconnected)
