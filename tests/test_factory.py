# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The server as an object: L{twisted_ws.WebSocketFactory}.
"""

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_ws import MessageReceiver, Router, ServerConfig, WebSocketFactory
from twisted_ws.errors import ClosedAbruptly, ClosedCleanly
from twisted_ws.request import Verdict
from twisted_ws.testing import RecordingReceiver

from .handshakes import GOODBYE, GREETING, HELLO, Echo, ServerTests, handshake

GOING_AWAY = b"\x88\x02\x03\xe9"
ANSWER = bytes.fromhex("88820000000003e9")
"""
A masked Close frame with the code 1001.
"""


class ConstructionTests(SynchronousTestCase):
    """
    What a factory is made of.
    """

    def test_applications(self):
        """
        Everything that L{twisted_ws.application} lists can be an application.
        """

        async def coroutine(request):
            raise NotImplementedError

        for application in [
            MessageReceiver,
            RecordingReceiver,
            Factory.forProtocol(RecordingReceiver),
            lambda request: None,
            coroutine,
            print,
            Router(),
        ]:
            factory = WebSocketFactory(application, reactor=Clock())
            self.assertIs(factory.application, application)

    def test_badApplications(self):
        """
        Everything else is refused at once, also what is nearly right.
        """
        for application in [None, 5, "echo", object(), MessageReceiver()]:
            with self.assertRaisesRegex(TypeError, "MessageReceiver"):
                WebSocketFactory(application, reactor=Clock())
        for application in [Protocol, object, Factory, dict]:
            with self.assertRaisesRegex(TypeError, "is not a MessageReceiver"):
                WebSocketFactory(application, reactor=Clock())

    def test_protocolIsNotTaken(self):
        """
        Who sets C{protocol}, as other factories want it, is told what to do instead.
        """
        for protocol in (Protocol, RecordingReceiver, lambda: None):
            factory = WebSocketFactory(RecordingReceiver, reactor=Clock())
            factory.protocol = protocol
            with self.assertRaisesRegex(TypeError, "MessageReceiver"):
                factory.buildProtocol(None)
        subclass = type("Wrong", (WebSocketFactory,), {"protocol": Protocol})
        with self.assertRaisesRegex(TypeError, "MessageReceiver"):
            subclass(RecordingReceiver, reactor=Clock()).buildProtocol(None)

    def test_defaults(self):
        """
        By default it has the default tunables and the reactor that is installed.
        """
        from twisted.internet import reactor

        factory = WebSocketFactory(RecordingReceiver)
        self.assertEqual(factory.config, ServerConfig())
        self.assertIs(factory.clock, reactor)
        self.assertEqual(factory.connections, set())
        self.assertEqual(factory.pendingRequests, set())
        self.assertTrue(verifyObject(IProtocolFactory, factory))
        self.assertFalse(factory.noisy)


class BookkeepingTests(ServerTests):
    """
    C{connections} and C{pendingRequests}.
    """

    def test_accepted(self):
        """
        A request is pending until it is accepted; its connection then counts until it
        is gone.
        """
        self.serve()
        factory = self.server.factory
        peer = self.connect(handshake())
        self.assertEqual(factory.pendingRequests, {self.requests[0]})
        self.assertEqual(factory.connections, set())
        connection = self.requests[0].accept(RecordingReceiver())
        self.assertEqual(factory.pendingRequests, set())
        self.assertEqual(factory.connections, {connection})
        peer.send(HELLO)
        peer.send(GOODBYE)
        self.assertQuiet()

    def test_sync(self):
        """
        What is decided at once is never left pending.
        """
        pending = []

        def application(request):
            request.accept(RecordingReceiver())
            pending.extend(self.server.factory.pendingRequests)

        self.serve(application)
        self.connect(handshake())
        self.assertEqual(self.server.factory.pendingRequests, set())
        self.assertEqual(len(self.server.factory.connections), 1)

    def test_otherEnds(self):
        """
        Nor is what is rejected, fails, or is left by its peer.
        """

        def failing(request):
            raise RuntimeError("on purpose")

        for application in (lambda request: request.reject(), failing):
            self.serve(application)
            self.connect(handshake())
            self.assertQuiet()
        self.serve()
        self.connect(handshake()).transport.loseConnection()
        self.server.flush()
        self.assertQuiet()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_several(self):
        """
        Each of several is counted for itself.
        """
        self.serve(Echo)
        peers = [self.connect(handshake()) for _ in range(3)]
        self.assertEqual(len(self.server.factory.connections), 3)
        peers[1].transport.abortConnection()
        self.server.flush()
        self.assertEqual(len(self.server.factory.connections), 2)

    def test_broadcast(self):
        """
        A broadcast goes to all that are open, and leaves out those that close.
        """
        self.serve(Echo)
        peers = [self.connect(handshake()) for _ in range(3)]
        next(iter(self.server.factory.connections)).close()
        self.server.factory.broadcast("Hello")
        self.server.flush()
        received = sorted(peer.take().removeprefix(GREETING) for peer in peers)
        self.assertEqual(
            received, [b"\x81\x05Hello", b"\x81\x05Hello", b"\x88\x02\x03\xe8"]
        )

    def test_broadcastInTheMiddle(self):
        """
        A broadcast leaves out who is in the middle of a message that is sent piece by
        piece, and reaches all others.
        """
        self.serve(Echo)
        peers = [self.connect(handshake()) for _ in range(3)]
        message = next(iter(self.server.factory.connections)).beginMessage()
        message.write("Hel")
        self.server.factory.broadcast("Hello")
        message.write("lo")
        message.finish()
        self.server.flush()
        received = sorted(peer.take().removeprefix(GREETING) for peer in peers)
        pieces = b"\x01\x03Hel\x00\x02lo\x80\x00"
        self.assertEqual(received, [pieces, b"\x81\x05Hello", b"\x81\x05Hello"])


class CloseAllTests(ServerTests):
    """
    L{WebSocketFactory.closeAllConnections}.
    """

    def test_nothingThere(self):
        """
        Without connections it is done at once.
        """
        self.serve(Echo)
        gone = self.server.factory.closeAllConnections()
        self.assertEqual(self.successResultOf(gone), (0, 0, 0))

    def test_goingAway(self):
        """
        Every peer is told 1001, and the Deferred fires when the last one is gone.
        """
        receivers = []

        class Kept(RecordingReceiver):
            def connectionMade(self):
                receivers.append(self)

        self.serve(Kept)
        peers = [self.connect(handshake()) for _ in range(3)]
        gone = self.server.factory.closeAllConnections()
        self.server.flush()
        for peer in peers:
            self.assertEqual(peer.take(), GREETING + GOING_AWAY)
            self.assertNoResult(gone)
            peer.send(ANSWER)
        self.assertEqual(self.successResultOf(gone), (3, 0, 0))
        for receiver in receivers:
            self.assertIsInstance(receiver.reason, ClosedCleanly)
            self.assertEqual(receiver.reason.sent.code, 1001)
            self.assertEqual(receiver.losses, 1)
        self.assertQuiet()

    def test_codeAndReason(self):
        """
        Another code and a reason can be given.
        """
        self.serve(Echo)
        peer = self.connect(handshake())
        self.server.factory.closeAllConnections(1012, "back soon")
        self.server.flush()
        self.assertEqual(peer.take(), GREETING + b"\x88\x0b\x03\xf4back soon")

    def test_silentPeers(self):
        """
        It takes C{closeTimeout} at the most, whatever the peers do.
        """
        self.serve(Echo, closeTimeout=3)
        peers = [self.connect(handshake()) for _ in range(3)]
        self.server.carriers[1][0].isPaused = True
        gone = self.server.factory.closeAllConnections()
        self.clock.advance(2.9)
        self.server.flush()
        self.assertNoResult(gone)
        self.clock.advance(0.1)
        self.server.flush()
        self.assertEqual(self.successResultOf(gone), (0, 3, 0))
        self.server.carriers[1][0].isPaused = False
        self.server.flush()
        self.assertTrue(all(peer.lost for peer in peers))
        self.assertQuiet()

    def test_closingAlready(self):
        """
        Connections that close already are waited for, too.
        """
        self.serve(Echo)
        peer = self.connect(handshake())
        (connection,) = self.server.factory.connections
        connection.close(4000)
        gone = self.server.factory.closeAllConnections()
        self.server.flush()
        self.assertEqual(peer.take(), GREETING + b"\x88\x02\x0f\xa0")
        self.assertNoResult(gone)
        peer.send(bytes.fromhex("8882000000000fa0"))
        self.assertEqual(self.successResultOf(gone), (1, 0, 0))

    def test_pendingRequests(self):
        """
        Requests without a verdict are answered 503, and their Deferreds cancelled; to
        accept them later does not raise.
        """
        cancelled = []
        self.serve(lambda request: Deferred(cancelled.append))
        peer = self.connect(handshake())
        (request,) = self.server.factory.pendingRequests
        gone = self.server.factory.closeAllConnections()
        self.assertEqual(self.successResultOf(gone), (0, 0, 1))
        self.server.flush()
        self.assertStatus(peer, 503)
        self.assertEqual(len(cancelled), 1)
        self.assertEqual(request.verdict, Verdict.ABANDONED)
        receiver = RecordingReceiver()
        request.accept(receiver)
        self.assertEqual((receiver.made, receiver.losses), (1, 1))
        self.assertIsInstance(receiver.reason, ClosedAbruptly)
        self.assertQuiet()

    def test_newcomers(self):
        """
        From then on every request is answered 503, and the application is not asked.
        """
        self.serve()
        half = self.connect(handshake()[:30])
        self.server.factory.closeAllConnections()
        half.send(handshake()[30:])
        self.assertStatus(half, 503)
        self.assertStatus(self.connect(handshake()), 503)
        self.assertEqual(self.requests, [])
        self.assertQuiet()

    def test_listeningAgain(self):
        """
        A factory that is given a new port is open again.
        """
        self.serve(Echo)
        factory = self.server.factory
        factory.doStart()
        factory.closeAllConnections()
        factory.doStop()
        factory.doStart()
        self.assertEqual(factory.numPorts, 1)
        self.assertEqual(self.connect(handshake()).take(), GREETING)

    def test_twice(self):
        """
        It can be called again while it runs.
        """
        self.serve(Echo)
        peer = self.connect(handshake())
        first = self.server.factory.closeAllConnections()
        second = self.server.factory.closeAllConnections()
        self.server.flush()
        peer.send(ANSWER)
        self.assertEqual(self.successResultOf(first), (1, 0, 0))
        self.assertEqual(self.successResultOf(second), (1, 0, 0))

    def test_receiverThatFails(self):
        """
        A receiver that fails in C{connectionLost} does not hold the others up.
        """

        class Failing(RecordingReceiver):
            def connectionLost(self, reason):
                raise RuntimeError("on purpose")

        self.serve(Failing)
        peers = [self.connect(handshake()) for _ in range(2)]
        gone = self.server.factory.closeAllConnections()
        self.server.flush()
        for peer in peers:
            peer.send(ANSWER)
        self.assertEqual(self.successResultOf(gone), (2, 0, 0))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)
        self.assertQuiet()
