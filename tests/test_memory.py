# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What a connection leaves behind: nothing.  It is gone from memory when it has ended,
without the help of the garbage collector; a server that needs it would stop now and
then to collect.
"""

from __future__ import annotations

import gc
from io import BytesIO
from weakref import ref

from twisted.internet.defer import Deferred
from twisted.protocols.basic import FileSender
from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import BOTH, CLOSE_1000, HANDSHAKE, Conversation
from twisted_ws import ClosedAbruptly, Inbox, UpgradeRejected
from twisted_ws.testing import MemoryServer, RecordingReceiver


class Uncollected(SynchronousTestCase):
    """
    Switches the garbage collector off.
    """

    def setUp(self):
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)

    def assertGone(self, *references):
        """
        Assert that nothing refers to these any more.
        """
        *references, name = references
        for each in references:
            left = each()
            if left is not None:
                holders = [type(holder) for holder in gc.get_referrers(left)]
                self.fail(f"{name}: {left!r} is held by {holders}")


class Raising(RecordingReceiver):
    """
    Raises at each message.
    """

    def messageReceived(self, message):
        if message == "context":
            try:
                {}[message]
            except KeyError:
                raise ValueError(message) from None
        if message == "context shown":
            try:
                {}[message]
            except KeyError:
                self.fail(message)
        if message == "cause":
            try:
                {}[message]
            except KeyError as error:
                raise ValueError(message) from error
        raise ValueError(message)

    def fail(self, message):
        raise ValueError(message)


class Echo(RecordingReceiver):
    """
    Sends everything back.
    """

    def messageReceived(self, message):
        self.transport.sendMessage(message)


def finish(c):
    """
    Bring a conversation to its end, whatever that takes.
    """
    if not c.carrier.disconnected:
        c.dropCarrier()
    if not c.carrier.disconnected:
        c.connection.abortConnection()
        c.flush()


def forget(server):
    """
    Have a server's carriers let go of their protocols, as transports of Twisted do when
    they are lost.
    """
    for pair in server.carriers:
        for carrier in pair:
            carrier.protocol = carrier.other = None
    server.carriers.clear()


ENDS = [
    ("the peer closes", lambda c: c.send(CLOSE_1000)),
    ("we close", lambda c: (c.connection.close(), c.send(CLOSE_1000))),
    ("the peer drops", lambda c: c.dropCarrier()),
    ("the carrier breaks", lambda c: c.resetCarrier()),
    ("violation", lambda c: c.send((0x83, b""))),
    ("bad text", lambda c: c.send((0x81, b"\xff"))),
    ("violation while closing", lambda c: (c.connection.close(), c.send((0x83, b"")))),
    ("abort", lambda c: c.connection.abortConnection()),
    ("closeTimeout", lambda c: (c.connection.close(), c.advance(5))),
    ("keepalive", lambda c: (c.advance(20), c.advance(10))),
    ("in the middle of a frame", lambda c: c.sendBytes(c.frame(0x81, b"abc")[:-1])),
    ("in the middle of a message", lambda c: c.send((0x01, b"abc"))),
]

PREPARATIONS = [
    ("idle", lambda c: None),
    ("echoed", lambda c: c.send((0x81, b"hello"), (0x82, b"hello"))),
    ("paused", lambda c: c.connection.pauseProducing()),
    (
        "paused with input",
        lambda c: (
            c.connection.pauseProducing(),
            c.connection.dataReceived(c.frame(0x81, b"waiting")),
        ),
    ),
    ("congested", lambda c: c.congest()),
    ("owing a pong", lambda c: (c.congest(), c.send((0x89, b"?")))),
    ("waiting for a pong", lambda c: c.connection.ping().addErrback(id)),
    (
        "waiting for room",
        lambda c: (c.congest(), c.connection.whenWritable().addErrback(id)),
    ),
    ("waiting for the end", lambda c: c.connection.whenClosed()),
    ("sending a message", lambda c: c.connection.beginMessage().write("half")),
    (
        "sending a file",
        lambda c: (
            FileSender()
            .beginFileTransfer(BytesIO(bytes(1 << 20)), c.connection.beginMessage())
            .addErrback(id)
        ),
    ),
]


class EndTests(Uncollected):
    """
    Every way to end, from every state.
    """

    def check(self, c, name):
        """
        End a conversation, and assert that connection and receiver are gone, though
        the reason is kept.
        """
        finish(c)
        forget(c.server)
        kept = getattr(c.receiver, "reason", None)
        watched = [ref(c.connection), ref(c.receiver)]
        if c.isServer:
            watched.append(ref(c.connection.request))
        c.connection = c.receiver = None
        self.assertGone(*watched, name)
        self.assertEqual(c.timers, 0, name)
        return kept

    def test_ends(self):
        """
        A connection is gone from memory when its receiver was told of the end, however
        it ended and whatever was going on.
        """
        for isServer, role in BOTH:
            for before, prepare in PREPARATIONS:
                for name, end in ENDS:
                    c = Conversation(isServer, Echo(), keepalive=True)
                    prepare(c)
                    end(c)
                    kept = self.check(c, f"{before}, {name}, {role}")
                    self.assertIsNotNone(kept)

    def test_receiverFails(self):
        """
        So it is when the receiver failed, though the error was raised where the
        receiver is a local variable, and though it is the reason's C{__cause__}; also
        with an error that came of another.
        """
        for isServer, role in BOTH:
            for message in ("plain", "context", "context shown", "cause"):
                c = Conversation(isServer, Raising())
                c.send((0x81, message.encode()))
                finish(c)
                self.flushLoggedErrors(ValueError)
                reason = self.check(c, f"{message}, {role}")
                self.assertIsInstance(reason.__cause__, ValueError)

    def test_failsInConnectionLost(self):
        """
        So it is when it failed in C{connectionLost}.
        """

        class Receiver(RecordingReceiver):
            def connectionLost(self, reason):
                raise ValueError

        for isServer, role in BOTH:
            c = Conversation(isServer, Receiver())
            finish(c)
            self.flushLoggedErrors(ValueError)
            self.check(c, role)

    def test_failsInConnectionMade(self):
        """
        So it is when it failed in C{connectionMade}.
        """

        class Receiver(RecordingReceiver):
            def connectionMade(self):
                raise ValueError

        c = Conversation(True, Receiver())
        finish(c)
        self.flushLoggedErrors(ValueError)
        self.check(c, "connectionMade")

    def test_closesInEveryCallback(self):
        """
        So it is when the receiver itself ended it.
        """

        class Receiver(RecordingReceiver):
            def messageReceived(self, message):
                getattr(self.transport, message)()

        for isServer, role in BOTH:
            for call in ("close", "abortConnection"):
                c = Conversation(isServer, Receiver())
                c.send((0x81, call.encode()))
                self.check(c, f"{call}, {role}")

    def test_neverConnected(self):
        """
        So it is when the peer left before the request was accepted.
        """
        requests = []
        server = MemoryServer(lambda request: requests.append(request))
        peer = server.connectRaw()
        peer.send(HANDSHAKE)
        peer.transport.loseConnection()
        server.flush()
        receiver = RecordingReceiver()
        connection = requests[0].accept(receiver)
        watched = [ref(connection), ref(receiver), ref(requests.pop())]
        del connection, receiver
        self.assertGone(*watched, "never connected")

    def test_fromCoroutine(self):
        """
        So it is when it was accepted by a coroutine, which took its time.
        """
        decided = Deferred()
        watched = []

        async def application(request):
            await decided
            receiver = RecordingReceiver()
            connection = request.accept(receiver)
            watched.extend([ref(connection), ref(receiver), ref(request)])

        server = MemoryServer(application)
        peer = server.connectRaw()
        peer.send(HANDSHAKE)
        decided.callback(None)
        self.assertIsNotNone(watched[0]())
        peer.transport.loseConnection()
        server.flush()
        self.assertGone(*watched, "coroutine")


class InboxTests(Uncollected):
    """
    An inbox and its connection.
    """

    def check(self, c, name):
        """
        Assert that both are gone.
        """
        forget(c.server)
        watched = [ref(c.connection), ref(c.receiver)]
        c.connection = c.receiver = None
        self.assertGone(*watched, name)

    def test_waiting(self):
        """
        Who waited for a message keeps nothing alive when it got the end.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, Inbox())
            received = []
            c.receiver.receive().addBoth(received.append)
            c.dropCarrier()
            self.assertTrue(received[0].check(ClosedAbruptly), role)
            self.check(c, role)

    def test_messagesLeft(self):
        """
        Messages that nobody took go with it.
        """
        c = Conversation(True, Inbox())
        c.send((0x81, b"one"), CLOSE_1000)
        self.check(c, "messages left")

    def test_asyncFor(self):
        """
        A coroutine that came to the end of its loop, or was thrown out of it, keeps
        nothing alive.
        """
        ends = [
            ("clean", lambda c: c.send(CLOSE_1000)),
            ("abrupt", lambda c: c.dropCarrier()),
        ]

        async def iterate(inbox):
            try:
                async for _ in inbox:
                    pass
            except ClosedAbruptly:
                pass

        for name, end in ends:
            for late in (False, True):
                c = Conversation(True, Inbox())
                c.send((0x81, b"one"))
                if late:
                    end(c)
                done = Deferred.fromCoroutine(iterate(c.receiver))
                if not late:
                    end(c)
                self.successResultOf(done)
                del done
                self.check(c, f"{name}, {'late' if late else 'in time'}")


class RejectionTests(Uncollected):
    """
    Requests that became no connection.
    """

    def test_rejected(self):
        """
        A request is gone when it was rejected and its carrier has ended; so is the
        protocol that read it.
        """
        watched = []

        def application(request):
            watched.append(ref(request))
            request.reject(403)

        server = MemoryServer(application)
        peer = server.connectRaw()
        watched.append(ref(server.carriers[0][1].protocol))
        peer.send(HANDSHAKE)
        self.assertIsNotNone(peer.lost)
        forget(server)
        self.assertGone(*watched, "rejected")
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_malformed(self):
        """
        So is the protocol that read no valid request, or none at all.
        """
        for name, sent in (("garbage", b"garbage\r\n\r\n"), ("nothing", b"")):
            server = MemoryServer(RecordingReceiver)
            peer = server.connectRaw()
            watched = ref(server.carriers[0][1].protocol)
            peer.send(sent)
            if peer.lost is None:
                peer.transport.loseConnection()
                server.flush()
            forget(server)
            self.assertGone(watched, name)
            self.assertEqual(server.clock.getDelayedCalls(), [], name)

    def test_client(self):
        """
        So is all of a client whose connection was refused.
        """
        server = MemoryServer(lambda request: request.reject(403))
        receiver = RecordingReceiver()
        opened = server.connect("/", receiver)
        self.failureResultOf(opened, UpgradeRejected)
        watched = [ref(receiver), ref(server.carriers[0][0].protocol)]
        forget(server)
        del opened, receiver
        self.assertGone(*watched, "refused")
        self.assertEqual(server.clock.getDelayedCalls(), [])


class IdleTests(Uncollected):
    """
    A connection that does nothing.
    """

    def test_delayedCalls(self):
        """
        It costs one timer if it is watched, and none otherwise.
        """
        for isServer, role in BOTH:
            for watched in (True, False):
                c = Conversation(isServer, keepalive=watched)
                self.assertEqual(c.timers, int(watched), role)
                for _ in range(100):
                    c.advance(20)
                    if watched:
                        c.send((0x8A, b""))
                self.assertEqual(c.timers, int(watched), role)

    def test_buffers(self):
        """
        Nothing of what was received and delivered is kept.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, Echo())
            data = bytes(100000)
            c.sendBytes(c.frame(0x82, data))
            for at in range(0, 100014, 1000):
                c.sendBytes(c.frame(0x82, data)[at : at + 1000])
            c.take()
            self.assertEqual(c.connection._buffer, b"", role)
            self.assertIsNone(c.connection._sink, role)
            self.assertEqual(bytes(c.carrier.outgoing), b"", role)

    def test_keptAfterTheEnd(self):
        """
        A connection that the application keeps when it has ended keeps nothing of what
        was not delivered.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer)
            c.connection.pauseProducing()
            c.connection.dataReceived(c.frame(0x82, bytes(1000)))
            c.loseNow()
            self.assertEqual(c.connection._buffer, b"", role)
            c = Conversation(isServer)
            c.sendBytes(c.frame(0x02, bytes(1000))[:-1])
            c.loseNow()
            self.assertIsNone(c.connection._sink, role)

    def test_many(self):
        """
        Two hundred connections that came and went leave no object of ours behind.
        """
        server = MemoryServer(Echo)
        frame = Conversation().frame(0x81, b"hello")
        close = Conversation().frame(*CLOSE_1000)

        def visit():
            peer = server.connectRaw()
            peer.send(HANDSHAKE + frame + close)
            self.assertIsNotNone(peer.lost)
            forget(server)

        def count():
            kinds = [type(each) for each in gc.get_objects()]
            return sum(str(kind).startswith("<class 'twisted_ws.") for kind in kinds)

        visit()
        gc.collect()
        before = count()
        for _ in range(200):
            visit()
        self.assertEqual(count(), before)
        self.assertEqual(server.clock.getDelayedCalls(), [])


class SlotTests(SynchronousTestCase):
    """
    What there is one of for each connection has slots.
    """

    def test_nothingElse(self):
        """
        A connection and its request have no attribute beside their slots; one may be
        set on them.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer)
            c.send((0x89, b""), (0x81, b"x"))
            c.connection.sendMessage("x")
            self.assertEqual(vars(c.connection), {}, role)
            c.connection.mine = 1
            self.assertEqual(vars(c.connection), {"mine": 1}, role)
            if isServer:
                self.assertEqual(vars(c.connection.request), {})
