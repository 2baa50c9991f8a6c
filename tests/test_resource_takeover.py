# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A connection that changes hands, from Twisted's HTTP server to a WebSocket:
L{twisted_ws.resource}.
"""

import gc
import re
import weakref

from twisted.internet.defer import Deferred
from twisted.web.static import Data

from twisted_ws.errors import ClosedAbruptly
from twisted_ws.request import Verdict
from twisted_ws.testing import RecordingReceiver

from .handshakes import GOODBYE, GREETING, HELLO, HELLO_REPLY, Echo
from .sites import PAGE, STATUS, SiteTests, get, upgrade


class TakeOverTests(SiteTests):
    """
    The connection changes hands.
    """

    def test_framesBehindTheHead(self):
        """
        Bytes right behind the request survive.
        """
        self.serve(Echo)
        for count in (1, 3, 6000):
            peer = self.connect(upgrade("/ws") + HELLO * count)
            self.assertEqual(peer.take(), GREETING + HELLO_REPLY * count)
        for at in range(len(HELLO)):
            peer = self.connect(upgrade("/ws") + HELLO[:at], HELLO[at:])
            self.assertEqual(peer.take(), GREETING + HELLO_REPLY, at)

    def test_oneByteSegments(self):
        """
        Everything may come byte by byte.
        """
        self.serve(Echo)
        peer = self.connect()
        peer.send(upgrade("/ws") + HELLO, 1)
        self.assertEqual(peer.take(), GREETING + HELLO_REPLY)

    def test_earlyData(self):
        """
        So do bytes that come before a late verdict, in the segment of the request and
        in others, few or many.
        """
        for first, later in [
            (HELLO, []),
            (b"", [HELLO]),
            (HELLO[:3], [HELLO[3:5], HELLO[5:]]),
            (HELLO * 3000, [HELLO * 3000] * 3),
        ]:
            self.serve()
            peer = self.connect(upgrade("/ws") + first, *later)
            self.assertEqual(peer.take(), b"")
            receiver = Echo()
            self.requests[0].accept(receiver)
            self.server.flush()
            count = len(first + b"".join(later)) // len(HELLO)
            self.assertEqual(peer.take(), GREETING + HELLO_REPLY * count)
            peer.send(HELLO)
            self.assertEqual(peer.take(), HELLO_REPLY)

    def test_earlyDataIsBounded(self):
        """
        A client that does not wait is not read from without end.
        """
        self.serve()
        peer = self.connect(upgrade("/ws"))
        peer.send(HELLO * 100_000, 65536)
        kept = len(HELLO * 100_000) - len(peer.transport.outgoing)
        self.assertLessEqual(kept, 2 * 65536)

    def test_pausedByTheReceiver(self):
        """
        A receiver that pauses at once gets nothing until it resumes.
        """

        class Paused(RecordingReceiver):
            def connectionMade(self):
                self.transport.pauseProducing()

        for late in (False, True):
            receiver = Paused()
            if late:
                self.serve()
            else:
                self.serve(lambda request, r=receiver: request.accept(r))
            peer = self.connect(upgrade("/ws") + HELLO, HELLO)
            if late:
                self.requests[0].accept(receiver)
            peer.send(HELLO)
            self.assertEqual(receiver.messages, [])
            self.assertTrue(self.server.carriers[-1][1].isPaused)
            receiver.transport.resumeProducing()
            self.server.flush()
            self.assertEqual(receiver.messages, ["Hello"] * 3)

    def test_keepAlive(self):
        """
        A connection may have carried pages before, one by one or at once.
        """
        for segments in (
            [PAGE, PAGE, upgrade("/ws") + HELLO],
            [PAGE * 2 + upgrade("/ws") + HELLO],
            [PAGE + upgrade("/ws"), HELLO],
        ):
            self.serve(Echo)
            received = self.connect(*segments).take()
            pages = sum(segment.count(PAGE) for segment in segments)
            self.assertEqual(received.count(b"a page"), pages)
            self.assertTrue(received.endswith(GREETING + HELLO_REPLY), received)

    def test_behindALargePage(self):
        """
        An upgrade behind a page that is still being sent waits for nothing, and what is
        sent then is paced.
        """
        self.serve(Echo, pauseWhileCongested=False)
        self.site.resource.putChild(b"large", Data(b"a" * 200_000, "text/plain"))
        peer = self.connect()
        client, server = self.server.carriers[0]
        client.isPaused = True
        peer.send(get("/large"))
        self.assertGreater(len(server.outgoing), 200_000)
        peer.send(upgrade("/ws") + HELLO)
        self.assertFalse(server.isPaused)
        peer.send(HELLO)
        client.isPaused = False
        self.server.flush()
        self.assertTrue(peer.take().endswith(GREETING + HELLO_REPLY * 2))
        (connection,) = self.factory.connections
        self.successResultOf(connection.whenWritable())

    def test_noTimeoutOfTheSite(self):
        """
        The Site's timeout does not count for an idle WebSocket.
        """
        self.serve(Echo, keepalive=False)
        peer = self.connect(upgrade("/ws"))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(100_000)
        self.server.flush()
        self.assertIsNone(peer.lost)
        peer.send(HELLO)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(peer.take(), GREETING + HELLO_REPLY)

    def test_rebound(self):
        """
        The channel hands its bytes to the connection without a detour, and lets go of
        it at the end.
        """
        self.serve(Echo)
        peer = self.connect(upgrade("/ws"))
        (connection,) = self.factory.connections
        channel = self.channel()
        self.assertIs(channel.dataReceived.__self__, connection)
        self.assertEqual(channel.requests, [])
        peer.send(GOODBYE)
        self.assertIsNotNone(peer.lost)
        self.assertNotIn("dataReceived", vars(channel))
        self.assertNotIn("connectionLost", vars(channel))
        self.assertQuiet()

    def test_releasesTheRequest(self):
        """
        The HTTP request is let go of with the verdict: an idle WebSocket does not hold
        it.
        """
        held = []

        def accept(request):
            held.append(weakref.ref(request.httpRequest))
            request.accept(Echo())

        def reject(request):
            held.append(weakref.ref(request.httpRequest))
            request.reject()

        for application in (accept, reject):
            self.serve(application)
            peer = self.connect()
            self.server.carriers[0][0].isPaused = True
            peer.send(upgrade("/ws"))
            gc.collect()
            self.assertIsNone(held.pop()(), application)

    def test_notifyFinish(self):
        """
        Who waits for the HTTP request to finish is told at the end of the connection,
        with its reason; not before.
        """
        for verdict in ("accept", "reject"):
            finished = []
            self.serve()
            peer = self.connect()
            client, _ = self.server.carriers[0]
            client.isPaused = True
            peer.send(upgrade("/ws"))
            (request,) = self.requests
            request.httpRequest.notifyFinish().addBoth(finished.append)
            if verdict == "accept":
                request.accept(Echo())
            else:
                request.reject()
            self.server.flush()
            self.assertEqual(finished, [], verdict)
            peer.transport.abortConnection()
            self.server.flush()
            self.assertEqual(len(finished), 1, verdict)
            self.assertIn("lost", finished[0].getErrorMessage())
            self.assertQuiet()

    def test_producers(self):
        """
        The connection paces producers: Twisted's HTTP server is none of the transport
        any more.
        """
        calls = []

        class Producer:
            def pauseProducing(self):
                calls.append("pause")

            def resumeProducing(self):
                calls.append("resume")

            def stopProducing(self):
                calls.append("stop")

        self.serve(Echo)
        peer = self.connect(upgrade("/ws"))
        (connection,) = self.factory.connections
        connection.registerProducer(Producer(), True)
        client, _ = self.server.carriers[0]
        client.isPaused = True
        connection.sendMessage(b"a" * 100_000)
        self.assertEqual(calls, ["pause"])
        waiting = connection.whenWritable()
        self.assertNoResult(waiting)
        client.isPaused = False
        self.server.flush()
        self.assertEqual(calls, ["pause", "resume"])
        self.successResultOf(waiting)
        self.assertGreater(len(peer.take()), 100_000)

    def test_closeAllConnections(self):
        """
        The factory's connections and requests are those that came in here, too.
        """
        self.serve(
            lambda request: request.accept(Echo()) if request.args else Deferred()
        )
        peer = self.connect(upgrade("/ws?accept"))
        other = self.connect(upgrade("/ws"))
        self.assertEqual(len(self.factory.connections), 1)
        self.assertEqual(len(self.factory.pendingRequests), 1)
        gone = self.factory.closeAllConnections()
        self.server.flush()
        self.assertEqual(peer.take(), GREETING + b"\x88\x02\x03\xe9")
        self.assertEqual(self.statuses(other), [503])
        self.assertEqual(self.statuses(self.connect(upgrade("/ws"))), [503])
        self.assertNoResult(gone)
        peer.send(bytes.fromhex("88820000000003e9"))
        self.successResultOf(gone)
        self.assertQuiet()


class VerdictTests(SiteTests):
    """
    Verdicts other than at once.
    """

    def test_late(self):
        """
        A verdict may take its time, within C{handshakeTimeout}, but over the Site's.
        """
        self.serve(handshakeTimeout=100)
        peer = self.connect(upgrade("/ws"))
        self.clock.advance(99)
        self.server.flush()
        self.assertIsNone(peer.lost)
        self.requests[0].accept(Echo())
        self.server.flush()
        self.assertEqual(peer.take(), GREETING)

    def test_never(self):
        """
        After C{handshakeTimeout} the client is answered 503, and the application's
        Deferred is cancelled.
        """
        cancelled = []
        self.serve(lambda request: Deferred(cancelled.append), handshakeTimeout=3)
        peer = self.connect(upgrade("/ws") + HELLO)
        self.clock.advance(2.9)
        self.assertEqual(cancelled, [])
        self.clock.advance(0.1)
        self.server.flush()
        self.assertEqual(self.statuses(peer), [503])
        self.assertEqual(len(cancelled), 1)
        self.assertQuiet()

    def test_peerLeaves(self):
        """
        When the peer leaves before the verdict the Deferred is cancelled; to accept or
        reject then does not raise, and a receiver sees one connection and its end.
        """
        for how in ("loseConnection", "abortConnection"):
            for verdict in ("accept", "reject"):
                cancelled = []
                requests = []

                def application(request, requests=requests, cancelled=cancelled):
                    requests.append(request)
                    return Deferred(cancelled.append)

                self.serve(application)
                peer = self.connect(upgrade("/ws"))
                getattr(peer.transport, how)()
                self.server.flush()
                self.assertEqual(len(cancelled), 1)
                (request,) = requests
                self.assertIs(request.verdict, Verdict.ABANDONED)
                self.assertIsNone(request.httpRequest)
                if verdict == "reject":
                    request.reject(404)
                else:
                    receiver = RecordingReceiver()
                    request.accept(receiver)
                    self.assertEqual((receiver.made, receiver.losses), (1, 1))
                    self.assertIsInstance(receiver.reason, ClosedAbruptly)
                self.assertQuiet()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_answeredOverHTTP(self):
        """
        An application may answer the HTTP request itself: there is no use in a verdict
        then, and nothing is left to happen.
        """
        requests = []

        def application(request):
            requests.append(request)
            request.httpRequest.redirect(b"https://example.com/")
            request.httpRequest.finish()

        self.serve(application)
        peer = self.connect(upgrade("/ws"))
        self.assertEqual(self.statuses(peer), [302])
        self.assertIs(requests[0].verdict, Verdict.ABANDONED)
        self.assertIsNone(requests[0].httpRequest)
        self.assertEqual(self.factory.pendingRequests, set())
        peer.send(PAGE)
        self.assertEqual(self.statuses(peer), [200])
        peer.transport.loseConnection()
        self.server.flush()
        self.assertQuiet()

    def test_failure(self):
        """
        An application that fails is answered for with 500, once.
        """

        async def coroutine(request):
            raise RuntimeError("on purpose")

        def function(request):
            raise RuntimeError("on purpose")

        for application in (coroutine, function):
            self.serve(application)
            peer = self.connect(upgrade("/ws") + PAGE)
            received = peer.take()
            self.assertTrue(
                received.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
            )
            self.assertEqual(len(STATUS.findall(received)), 1)
            self.assertNotIn(b"on purpose", received)
            self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
            self.assertQuiet()

    def test_failureAfterAccepting(self):
        """
        One that fails after it has accepted is logged; the connection stands.
        """

        def application(request):
            request.accept(Echo())
            raise RuntimeError("on purpose")

        self.serve(application)
        peer = self.connect(upgrade("/ws") + HELLO)
        self.assertEqual(peer.take(), GREETING + HELLO_REPLY)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_rejected(self):
        """
        A rejection is the same bytes as on a port of our own, nothing behind it is
        answered, and the connection ends.
        """

        def application(request):
            request.reject(401, headers={"WWW-Authenticate": "Basic"}, body=b"Who?")

        for segments in ([upgrade("/ws") + PAGE], [upgrade("/ws"), PAGE]):
            self.serve(application)
            peer = self.connect(*segments)
            received = re.sub(rb"\r\nDate: [^\r]*", b"", peer.take())
            self.assertEqual(
                received,
                b"HTTP/1.1 401 Unauthorized\r\n"
                b"WWW-Authenticate: Basic\r\n"
                b"Connection: close\r\n"
                b"Content-Type: text/plain; charset=utf-8\r\n"
                b"Content-Length: 4\r\n"
                b"\r\n"
                b"Who?",
            )
            self.assertIsNotNone(peer.lost)
            self.assertQuiet()

    def test_rejectedInFullFlow(self):
        """
        A client that was not read from any more, because it sent too much too early, is
        read from again, so that it can read the rejection.
        """
        self.serve()
        peer = self.connect(upgrade("/ws"))
        peer.send(HELLO * 100_000, 65536)
        server = self.server.carriers[0][1]
        self.assertTrue(server.isPaused)
        self.requests[0].reject()
        self.assertFalse(server.isPaused)
        self.server.flush()
        self.assertEqual(self.statuses(peer), [403])
        self.assertEqual(peer.transport.outgoing, b"")
        self.assertQuiet()

    def test_linger(self):
        """
        Who does not read a rejection, nor leaves, is aborted after C{closeTimeout}.
        """
        self.serve(closeTimeout=2)
        peer = self.connect(upgrade("/ws"))
        client, server = self.server.carriers[0]
        client.isPaused = True
        self.requests[0].reject()
        peer.send(PAGE)
        self.clock.advance(1.9)
        self.server.flush()
        self.assertFalse(server.disconnected)
        self.assertEqual(len(STATUS.findall(server.outgoing)), 1)
        self.clock.advance(0.1)
        self.server.flush()
        self.assertTrue(server.disconnected)
        self.assertQuiet()

    def test_originPolicy(self):
        """
        The safe default goes here as well.
        """
        self.serve(Echo)
        peer = self.connect(upgrade("/ws", "Origin: http://evil.com"))
        self.assertEqual(self.statuses(peer), [403])
        peer = self.connect(upgrade("/ws", "Origin: http://example.com"))
        self.assertEqual(self.statuses(peer), [101])
