# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
All that can be an application, and all that it can do wrong:
L{twisted_ws.application}.
"""

from twisted.internet.defer import Deferred, fail, inlineCallbacks, succeed
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory
from twisted.logger import capturedLogs
from zope.interface import implementer

from twisted_ws import MessageReceiver
from twisted_ws.application import makeReceiver, receiverFactory
from twisted_ws.interfaces import IMessageReceiver, IWebSocketResource
from twisted_ws.request import Verdict
from twisted_ws.testing import RecordingReceiver

from .handshakes import (
    GREETING,
    HELLO,
    HELLO_REPLY,
    Echo,
    ServerTests,
    field,
    handshake,
)


class Oops(Exception):
    """
    What applications fail with here.
    """


class ApplicationTests(ServerTests):
    """
    The base of the tests.
    """

    def assertEchoes(self):
        """
        Check that a client is accepted, and gets its message back.
        """
        received = self.connect(handshake() + HELLO).take()
        self.assertEqual(received, GREETING + HELLO_REPLY)


class ReceiverClassTests(ApplicationTests):
    """
    An application that is a receiver class or a factory.
    """

    def test_class(self):
        """
        A class is accepted; every connection has an instance of its own.
        """
        self.serve(Echo)
        peers = [self.connect(handshake()) for _ in range(2)]
        for peer in peers:
            peer.send(HELLO)
            self.assertEqual(peer.take(), GREETING + HELLO_REPLY)
        receivers = {c.receiver for c in self.server.factory.connections}
        self.assertEqual(len(receivers), 2)
        self.assertEqual({type(receiver) for receiver in receivers}, {Echo})

    def test_factory(self):
        """
        A factory makes the receivers, knows who connects, and is known to them.
        """
        addresses = []

        class Room(Factory):
            protocol = Echo

            def buildProtocol(self, address):
                addresses.append(address.host)
                return Factory.buildProtocol(self, address)

        room = Room()
        self.serve(room)
        self.assertEqual(self.connect(handshake()).take(), GREETING)
        self.assertEqual(addresses, ["192.0.2.1"])
        (connection,) = self.server.factory.connections
        self.assertIs(connection.receiver.factory, room)

    def test_forProtocol(self):
        """
        Twisted's C{Factory.forProtocol} makes such a factory.
        """
        self.serve(Factory.forProtocol(Echo))
        self.assertEqual(
            self.connect(handshake() + HELLO).take(), GREETING + HELLO_REPLY
        )

    def test_factoryThatIsNoFactory(self):
        """
        Whatever provides C{IProtocolFactory} will do.
        """

        @implementer(IProtocolFactory)
        class Minimal:
            def buildProtocol(self, address):
                return Echo()

        self.serve(Minimal())
        self.assertEqual(self.connect(handshake()).take(), GREETING)

    def test_receiverThatIsNoSubclass(self):
        """
        Whatever class implements C{IMessageReceiver} will do.
        """
        seen = []

        @implementer(IMessageReceiver)
        class Minimal:
            def makeConnection(self, transport):
                seen.append("made")

            def messageReceived(self, message):
                seen.append(message)

            def connectionLost(self, reason):
                seen.append("lost")

        self.serve(Minimal)
        peer = self.connect(handshake() + HELLO)
        peer.transport.loseConnection()
        self.server.flush()
        self.assertEqual(seen, ["made", "Hello", "lost"])

    def test_factoryWantsNone(self):
        """
        A factory that makes no receiver refuses the connection, with 403.
        """

        class Full(Factory):
            def buildProtocol(self, address):
                return None

        self.serve(Full())
        self.assertStatus(self.connect(handshake()), 403)
        self.assertQuiet()

    def test_classThatFails(self):
        """
        A class or a factory that cannot make a receiver is answered for with 500.
        """

        class Picky(MessageReceiver):
            def __init__(self, name):
                self.name = name

        class Broken(Factory):
            def buildProtocol(self, address):
                raise Oops

        for application, error in ((Picky, TypeError), (Broken(), Oops)):
            self.serve(application)
            self.assertStatus(self.connect(handshake()), 500)
            self.assertEqual(len(self.flushLoggedErrors(error)), 1)
            self.assertQuiet()

    def test_receiverThatFails(self):
        """
        A receiver that fails in C{connectionMade} was accepted: it is closed with 1011,
        the failure is logged, and the next one is served.
        """
        fails = [True, False]

        class Unsteady(Echo):
            def connectionMade(self):
                if fails.pop(0):
                    raise Oops

        self.serve(Unsteady)
        peer = self.connect(handshake())
        received = peer.take()
        self.assertTrue(received.startswith(GREETING + b"\x88"), received)
        self.assertEqual(received[len(GREETING) + 2 :][:2], (1011).to_bytes(2, "big"))
        self.assertEqual(len(self.flushLoggedErrors(Oops)), 1)
        self.assertEqual(
            self.connect(handshake() + HELLO).take(), GREETING + HELLO_REPLY
        )

    def test_protocols(self):
        """
        It speaks a subprotocol out of C{protocols}, in the server's order or the
        client's; none, if they have none in common.
        """
        for options, asked, chosen in [
            ({"protocols": ("b", "a")}, "a, b", b"b"),
            ({"protocols": ("b", "a"), "preferClientProtocols": True}, "a, b", b"a"),
            ({"protocols": ("chat",)}, "x, Chat", b"Chat"),
            ({"protocols": ("b",)}, "a", None),
            ({"protocols": ("b",)}, "", None),
            ({}, "a", None),
        ]:
            self.serve(Echo, **options)
            received = self.connect(field("Sec-WebSocket-Protocol", asked)).take()
            if chosen is None:
                self.assertEqual(received, GREETING, (options, asked))
            else:
                line = b"Sec-WebSocket-Protocol: " + chosen + b"\r\n"
                self.assertEqual(received, GREETING[:-2] + line + b"\r\n")

    def test_makeReceiver(self):
        """
        Clients, too, are given classes and factories, and receivers made already.
        """
        receiver = Echo()
        self.assertIs(receiverFactory(receiver)(None), receiver)
        self.assertIsInstance(receiverFactory(Echo)(None), Echo)
        self.assertIsInstance(receiverFactory(Factory.forProtocol(Echo))(None), Echo)
        self.assertIsInstance(makeReceiver(Echo, None), Echo)


class CallableTests(ApplicationTests):
    """
    An application that is called with the request.
    """

    def test_plain(self):
        """
        A function decides at once.
        """

        def application(request):
            if request.path == "/":
                request.accept(Echo())
            else:
                request.reject(404)

        self.serve(application)
        self.assertEqual(self.connect(handshake()).take(), GREETING)
        peer = self.connect(handshake(line="GET /a HTTP/1.1"))
        self.assertStatus(peer, 404)

    def test_methodAndObject(self):
        """
        So does a bound method, or an object that can be called.
        """

        class Door:
            def knock(self, request):
                request.accept(Echo())

            __call__ = knock

        for application in (Door().knock, Door()):
            self.serve(application)
            self.assertEqual(self.connect(handshake()).take(), GREETING)

    def test_valueDoesNotCount(self):
        """
        What it returns, if it is nothing to wait for, does not count.
        """
        for value in (None, 5, "text", object()):
            self.serve(lambda request, value=value: request.accept(Echo()) and value)
            self.assertEqual(self.connect(handshake()).take(), GREETING)

    def test_deferred(self):
        """
        One that returns a Deferred decides later.
        """
        waiting = []

        @inlineCallbacks
        def application(request):
            waiting.append(Deferred())
            yield waiting[-1]
            request.accept(Echo())

        self.serve(application)
        peer = self.connect(handshake() + HELLO)
        self.assertEqual(peer.take(), b"")
        self.assertEqual(len(self.server.factory.pendingRequests), 1)
        waiting[0].callback(None)
        self.server.flush()
        self.assertEqual(peer.take(), GREETING + HELLO_REPLY)
        self.assertEqual(self.server.factory.pendingRequests, set())

    def test_deferredIsKept(self):
        """
        The result of a Deferred is still there for who added to it after.
        """
        later, results = Deferred(), []
        for deferred in (succeed("now"), later):
            self.serve(lambda request, deferred=deferred: deferred)
            self.connect(handshake())
            deferred.addCallback(results.append)
        later.callback("later")
        self.assertEqual(results, ["now", "later"])

    def test_coroutine(self):
        """
        So does a coroutine function.
        """
        waiting = Deferred()

        async def application(request):
            if await waiting:
                request.accept(Echo())

        self.serve(application)
        peer = self.connect(handshake() + HELLO)
        self.assertEqual(peer.take(), b"")
        waiting.callback(True)
        self.server.flush()
        self.assertEqual(peer.take(), GREETING + HELLO_REPLY)

    def test_coroutineAtOnce(self):
        """
        A coroutine need not wait.
        """

        async def application(request):
            request.accept(Echo())

        self.serve(application)
        self.assertEqual(
            self.connect(handshake() + HELLO).take(), GREETING + HELLO_REPLY
        )

    def test_resource(self):
        """
        An C{IWebSocketResource} may answer likewise, at once or later.
        """

        @implementer(IWebSocketResource)
        class Resource:
            isLeaf = True

            def requestReceived(self, request):
                return self.answer(request)

            async def answer(self, request):
                request.reject(418)

        self.serve(Resource())
        self.assertStatus(self.connect(handshake()), 418)

    def test_treeOfSomeoneElse(self):
        """
        One that is no leaf is the root of a tree, which is walked down the path; what
        is at its end may be any application, and where it has no end there is a 404.
        """

        @implementer(IWebSocketResource)
        class Node:
            isLeaf = False

            def getChildWithDefault(self, name, request):
                return {b"here": self, b"echo": Echo}.get(name)

            def requestReceived(self, request):
                request.reject(418)

        for target, status in [
            ("/here", 418),
            ("/here/here", 418),
            ("/here/echo", 101),
            ("/echo", 101),
            ("/echo/here", 101),
            ("/", 404),
            ("/here/gone/here", 404),
        ]:
            self.serve(Node())
            peer = self.connect(handshake(line=f"GET {target} HTTP/1.1"))
            self.assertEqual(peer.take().split(b" ")[1], b"%d" % status, target)


class FailureTests(ServerTests):
    """
    Applications that fail.
    """

    def failing(self):
        """
        All the ways to fail before a verdict.
        """

        def plain(request):
            raise Oops

        def failed(request):
            return fail(Oops())

        def later(request):
            return succeed(None).addCallback(plain)

        async def coroutine(request):
            raise Oops

        async def afterWaiting(request):
            await succeed(None)
            raise Oops

        return [plain, failed, later, coroutine, afterWaiting]

    def test_beforeTheVerdict(self):
        """
        The client is answered 500, the failure is logged once, with its traceback, and
        the next client is served.
        """
        for application in self.failing():
            self.serve(application)
            peer = self.connect(handshake())
            received = peer.take()
            self.assertTrue(received.startswith(b"HTTP/1.1 500 "), application)
            self.assertIn(b"\r\nConnection: close\r\n", received)
            self.assertNotIn(b"Oops", received)
            self.assertIsNotNone(peer.lost)
            failures = self.flushLoggedErrors(Oops)
            self.assertEqual(len(failures), 1, application)
            raised = "raise Oops" in failures[0].getTraceback()
            self.assertEqual(raised, application.__name__ != "failed", application)
            self.assertStatus(self.connect(handshake()), 500)
            self.assertEqual(len(self.flushLoggedErrors(Oops)), 1)
            self.assertQuiet()

    def test_muchLater(self):
        """
        Likewise when it fails after having waited.
        """
        waiting = Deferred()

        async def application(request):
            await waiting

        self.serve(application)
        peer = self.connect(handshake())
        waiting.errback(Oops())
        self.server.flush()
        self.assertStatus(peer, 500)
        self.assertEqual(len(self.flushLoggedErrors(Oops)), 1)
        self.assertQuiet()

    def test_afterAccepting(self):
        """
        An application that fails after it has accepted is logged; the connection is
        its receiver's, and stands.
        """

        def plain(request):
            request.accept(Echo())
            raise Oops

        async def coroutine(request):
            plain(request)

        for application in (plain, coroutine):
            self.serve(application)
            peer = self.connect(handshake() + HELLO)
            self.assertEqual(peer.take(), GREETING + HELLO_REPLY)
            self.assertEqual(len(self.flushLoggedErrors(Oops)), 1)

    def test_afterRejecting(self):
        """
        One that fails after it has rejected is logged, and nothing more is sent.
        """

        def application(request):
            request.reject(404)
            raise Oops

        self.serve(application)
        self.assertStatus(self.connect(handshake()), 404)
        self.assertEqual(len(self.flushLoggedErrors(Oops)), 1)

    def test_systemExit(self):
        """
        Not even C{SystemExit} gets past it: one request does not end the server.
        """
        for error in (SystemExit, KeyboardInterrupt, GeneratorExit):

            def application(request, error=error):
                raise error

            self.serve(application)
            self.assertStatus(self.connect(handshake()), 500)
            self.assertEqual(len(self.flushLoggedErrors(error)), 1)

    def test_wrongArguments(self):
        """
        A callable that does not take a request fails like any other.
        """
        self.serve(lambda: None)
        self.assertStatus(self.connect(handshake()), 500)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_rejectTwice(self):
        """
        A second verdict is an application's failure; the first one counts.
        """

        def application(request):
            request.reject(404)
            request.accept(Echo())

        self.serve(application)
        self.assertStatus(self.connect(handshake()), 404)
        self.assertEqual(len(self.flushLoggedErrors()), 1)


class NoVerdictTests(ServerTests):
    """
    Applications that never answer.
    """

    def test_never(self):
        """
        However it does not answer, the client is answered 503 after
        C{handshakeTimeout}.
        """

        async def finished(request):
            return None

        async def waiting(request):
            await Deferred()

        for application in (
            lambda request: None,
            lambda request: succeed(None),
            lambda request: Deferred(),
            finished,
            waiting,
        ):
            self.serve(application, handshakeTimeout=4)
            peer = self.connect(handshake())
            self.clock.advance(3.9)
            self.server.flush()
            self.assertEqual(peer.take(), b"")
            self.clock.advance(0.1)
            self.server.flush()
            self.assertStatus(peer, 503)
            self.assertQuiet()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_coroutineIsCancelled(self):
        """
        A coroutine can clean up, and what it then fails with is no error of the
        application: nobody was there any more.
        """
        cleaned = []

        async def application(request):
            try:
                await Deferred()
            finally:
                cleaned.append(request.verdict)

        async def failing(request):
            try:
                await Deferred()
            except BaseException:
                cleaned.append(request.verdict)
                raise Oops from None

        for each in (application, failing):
            self.serve(each)
            peer = self.connect(handshake())
            with capturedLogs() as events:
                peer.transport.loseConnection()
                self.server.flush()
            self.assertEqual([e for e in events if "log_failure" in e], [])
        self.assertEqual(cleaned, [Verdict.ABANDONED] * 2)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_verdictWhileCancelled(self):
        """
        An application that answers as it is cancelled is too late, and that is not an
        error.
        """
        receivers = []

        async def application(request):
            try:
                await Deferred()
            finally:
                receivers.append(RecordingReceiver())
                request.accept(receivers[0])

        self.serve(application)
        peer = self.connect(handshake())
        self.clock.advance(10)
        self.server.flush()
        self.assertStatus(peer, 503)
        self.assertEqual((receivers[0].made, receivers[0].losses), (1, 1))
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertQuiet()

    def test_notCancelledAfterTheVerdict(self):
        """
        A coroutine may go on after it has accepted, also when the peer leaves.
        """
        waiting = Deferred(lambda d: self.fail("cancelled"))
        done = []

        async def application(request):
            request.accept(Echo())
            await waiting
            done.append(True)

        self.serve(application)
        peer = self.connect(handshake())
        peer.transport.loseConnection()
        self.server.flush()
        waiting.callback(None)
        self.assertEqual(done, [True])
