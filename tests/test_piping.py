# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.pipe}.
"""

from __future__ import annotations

from sys import getsizeof
from weakref import ref

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import BOTH, CLOSE_1000, Conversation, reassembled
from tests.test_memory import Uncollected, forget
from twisted_ws import ClosedAbruptly, ClosedCleanly, Inbox, pipe
from twisted_ws._wire.errors import IllegalFrame
from twisted_ws._wire.state import State
from twisted_ws.testing import MemoryCarrier

BIG = MemoryCarrier.highWater


class Pipes:
    """
    Two connections, and pipes from one to the other.

    @ivar source: the first.
    @ivar sink: the second; its receiver is an inbox too.
    @ivar ended: what came of the pipes, in order.
    """

    def __init__(
        self, isServer=True, sinkIsServer=False, both=False, source=(), sink=()
    ):
        self.source = Conversation(isServer, Inbox(), **dict(source))
        self.sink = Conversation(sinkIsServer, Inbox(), **dict(sink))
        self.ended = []
        self.piping = pipe(self.source.receiver, self.sink.connection)
        self.all = [self.piping]
        if both:
            self.all.append(pipe(self.sink.receiver, self.source.connection))
        for each in self.all:
            each.addErrback(lambda failure: failure.value)
            each.addCallback(self.ended.append)

    def flush(self):
        """
        Let bytes move on both.
        """
        for _ in range(3):
            self.source.flush()
            self.sink.flush()

    def finish(self):
        """
        Have the peers of both leave.
        """
        for c in (self.source, self.sink):
            if not c.carrier.disconnected:
                c.dropCarrier()
        self.flush()


ALL_ROLES = [(first, second) for first, _ in BOTH for second, _ in BOTH]


class RelayTests(SynchronousTestCase):
    """
    What goes through.
    """

    def test_messages(self):
        """
        Messages go through in order, text as text and binary as binary.
        """
        for roles in ALL_ROLES:
            p = Pipes(*roles)
            p.source.send((0x81, b"text"), (0x82, b"binary"), (0x81, b""), (0x82, b""))
            p.source.send((0x01, b"in "), (0x80, b"pieces"))
            self.assertEqual(
                p.sink.take(),
                [
                    (0x81, b"text"),
                    (0x82, b"binary"),
                    (0x81, b""),
                    (0x82, b""),
                    (0x81, b"in pieces"),
                ],
                roles,
            )
            self.assertEqual((p.ended, p.source.take()), ([], []))

    def test_both(self):
        """
        Two pipes are for both directions.
        """
        for roles in ALL_ROLES:
            p = Pipes(*roles, both=True)
            p.source.send((0x81, b"ask"))
            self.assertEqual(p.sink.take(), [(0x81, b"ask")])
            p.sink.send((0x82, b"answer"))
            self.assertEqual(p.source.take(), [(0x82, b"answer")])

    def test_early(self):
        """
        What came before the pipe goes first.
        """
        source, sink = Conversation(True, Inbox()), Conversation(False, Inbox())
        source.send((0x81, b"1"), (0x81, b"2"))
        pipe(source.receiver, sink.connection)
        source.send((0x81, b"3"))
        self.assertEqual([payload for _, payload in sink.take()], [b"1", b"2", b"3"])

    def test_frames(self):
        """
        Frames go through one by one, before their message is complete, and however long
        that is.
        """
        frames = {"assembleFragments": False, "maxReceivedMessageSize": None}
        for roles in ALL_ROLES:
            p = Pipes(*roles, source=frames, sink=frames)
            for first in (0x01, 0x00, 0x00):
                p.source.send((first, b"abc"))
                self.assertEqual(p.sink.take(), [(first, b"abc")], roles)
            p.source.send((0x80, b""), (0x82, b"whole"))
            self.assertEqual(p.sink.take(), [(0x80, b""), (0x82, b"whole")], roles)

    def test_droppedMessages(self):
        """
        What the sink's C{slowReaderPolicy} drops is missing, and the rest goes on.
        """
        for policy in ("drop-newest", "drop-oldest"):
            options = {
                "slowReaderPolicy": policy,
                "maxSendBuffer": 1000,
                "pauseWhileCongested": False,
            }
            p = Pipes(sink=options, source={"maxPendingMessages": 100})
            p.sink.congest()
            p.sink.connection.sendMessage(bytes(900))
            for number in range(5):
                p.source.send((0x82, b"%d" % number + bytes(600)))
            p.sink.readOn()
            p.source.send((0x81, b"after"))
            p.flush()
            self.assertTrue(p.sink.connection.messagesDropped > 0)
            received = [payload for _, payload in reassembled(p.sink.take())]
            self.assertEqual(received[-1], b"after", policy)
            self.assertEqual(p.ended, [])


class PressureTests(SynchronousTestCase):
    """
    A sink that does not read.
    """

    def check(self, p, peer, carrier, message, limit):
        """
        Send without end through a pipe whose sink does not read, and assert that the
        source stops at some time; then all arrives.

        @param limit: bytes that may be held between the two carriers.
        """
        p.sink.stopReading()
        sent = 0
        while not p.source.carrier.isPaused:
            peer.sendBytes(message)
            p.sink.flush()
            sent += 1
            self.assertTrue(sent * len(message) < limit + 3 * BIG, "it does not stop")
        for _ in range(10):
            peer.sendBytes(message)
        self.assertTrue(len(p.source.peerCarrier.outgoing) >= 9 * len(message))
        self.assertTrue(p.sink.connection.bufferedAmount < limit)
        p.sink.readOn()
        p.flush()
        self.assertFalse(p.source.carrier.isPaused)
        return sent + 10

    def test_messages(self):
        """
        The source is not read from when C{maxPendingMessages} wait, or
        C{maxPendingBytes}, and is again when the sink reads.
        """
        for roles in ALL_ROLES:
            for options, limit in (
                ({"maxPendingMessages": 4}, 4 * 20000),
                ({"maxPendingMessages": 999, "maxPendingBytes": 60000}, 80000),
            ):
                p = Pipes(*roles, source=options)
                message = p.source.frame(0x82, bytes(20000))
                count = self.check(
                    p, p.source, p.source.carrier, message, limit + 2 * BIG
                )
                received = reassembled(p.sink.take())
                self.assertEqual([len(m) for _, m in received], [20000] * count, roles)

    def test_frames(self):
        """
        So it is with the frames of one message without end.
        """
        options = {
            "assembleFragments": False,
            "maxReceivedMessageSize": None,
            "maxReceivedFrameSize": 1 << 16,
            "maxReceivedFragments": None,
            "maxPendingBytes": 60000,
        }
        for roles in ALL_ROLES:
            p = Pipes(*roles, source=options, sink=options)
            p.source.send((0x02, b""))
            frame = p.source.frame(0x00, bytes(20000))
            count = self.check(p, p.source, p.source.carrier, frame, 80000 + 2 * BIG)
            ((first, received),) = reassembled(p.sink.take())
            self.assertEqual((first, len(received)), (0x02, count * 20000), roles)

    def test_bothDirections(self):
        """
        Two that do not read do not keep each other from going on when they do.
        """
        p = Pipes(both=True, source={"maxPendingMessages": 2}, sink={})
        p.source.stopReading()
        p.sink.stopReading()
        for _ in range(20):
            p.source.sendBytes(p.source.frame(0x82, bytes(20000)))
            p.sink.sendBytes(p.sink.frame(0x82, bytes(20000)))
        for _ in range(50):
            p.source.readOn()
            p.sink.readOn()
        for c in (p.source, p.sink):
            received = [payload for _, payload in reassembled(c.take())]
            self.assertEqual([len(each) for each in received], [20000] * 20)

    def test_held(self):
        """
        No more than C{maxPendingBytes} waits in the source, but for one message.
        """
        size = getsizeof(bytes(1000))
        p = Pipes(source={"maxPendingMessages": 999, "maxPendingBytes": 5 * size})
        p.sink.congest()
        for _ in range(20):
            p.source.sendBytes(p.source.frame(0x82, bytes(1000)))
        self.assertEqual(p.source.receiver._bytes, 5 * size)


class EndTests(SynchronousTestCase):
    """
    One of them ends.
    """

    def test_sourceCloses(self):
        """
        The sink is closed with the code and the reason that the source's peer sent, or
        without a code if it sent none, when it has got all that came before; the
        Deferred fires with that end.
        """
        for roles in ALL_ROLES:
            for close in (CLOSE_1000, (0x88, b"\x0f\xa1because"), (0x88, b"")):
                for both in (True, False):
                    p = Pipes(*roles, both=both)
                    p.source.send((0x81, b"last"), close)
                    p.source.flush()
                    if not p.source.carrier.disconnected:
                        p.source.dropCarrier()
                    self.assertEqual(p.sink.take(), [(0x81, b"last"), close], roles)
                    p.sink.send(close)
                    p.finish()
                    for ended in p.ended:
                        self.assertIsInstance(ended, ClosedCleanly)
                        self.assertEqual(ended.received.reason.encode(), close[1][2:])
                        self.assertEqual(ended.begunBy, "peer")
                    self.assertEqual(len(p.ended), 1 + both)
                    self.assertEqual(p.sink.connection.state, State.CLOSED)

    def test_weCloseSource(self):
        """
        So it is when our application closes the source, and with what our end sends to
        a peer that breaks the rules.
        """
        p = Pipes()
        p.source.connection.close(4000, "enough")
        p.source.send((0x88, b"\x0f\xa0enough"))
        self.assertEqual(p.sink.take(), [(0x88, b"\x0f\xa0enough")])

        p = Pipes()
        p.source.send((0x81, b"\xff"))
        self.assertEqual(p.sink.take()[0][1][:2], b"\x03\xef")
        self.assertIsInstance(p.ended[0], ClosedAbruptly)

    def test_sourceIsLost(self):
        """
        A source that is lost without a Close frame has the sink closed with 1014.
        """
        lost = (0x88, b"\x03\xf6the other side was lost")
        for roles in ALL_ROLES:
            for lose in (Conversation.dropCarrier, Conversation.resetCarrier):
                p = Pipes(*roles)
                lose(p.source)
                self.assertEqual(p.sink.take(), [lost], roles)
                (ended,) = p.ended
                self.assertIsInstance(ended, ClosedAbruptly)

    def test_sinkCloses(self):
        """
        When the sink ends, the source is closed likewise: at once, though nothing comes
        from it that would have to be sent.
        """
        closes = (0x88, b"\x0f\xa1because")
        lost = (0x88, b"\x03\xf6the other side was lost")
        ends = [
            (lambda c: c.send(closes), closes),
            (lambda c: None, lost),
            (lambda c: c.resetCarrier(), lost),
        ]
        for roles in ALL_ROLES:
            for both in (True, False):
                for end, close in ends:
                    p = Pipes(*roles, both=both)
                    end(p.sink)
                    if not p.sink.carrier.disconnected:
                        p.sink.dropCarrier()
                    self.assertEqual(p.source.take(), [close], (roles, both))
                    p.source.send(close)
                    p.finish()
                    self.assertEqual(len(p.ended), 1 + both)
                    for ended in p.ended:
                        self.assertEqual(ended.code, 4001 if close == closes else 1006)

    def test_sinkEndsWhileFull(self):
        """
        So it is when it ends while messages wait for it, and more wait to be taken.
        """
        for roles in ALL_ROLES:
            for both in (True, False):
                p = Pipes(*roles, both=both, source={"maxPendingMessages": 2})
                p.sink.congest()
                p.source.send(*[(0x82, b"x")] * 6)
                self.assertTrue(p.source.connection.isPaused)
                p.sink.resetCarrier()
                p.source.flush()
                lost = (0x88, b"\x03\xf6the other side was lost")
                self.assertEqual(p.source.take(), [lost], roles)
                p.source.send(lost)
                p.finish()
                self.assertEqual(len(p.ended), 1 + both)
                self.assertIsInstance(p.ended[0], ClosedAbruptly)

    def test_sinkIsClosing(self):
        """
        What comes while the sink is closing is not sent, and is no error.
        """
        p = Pipes()
        p.sink.connection.close(4001, "because")
        p.source.send((0x81, b"x"))
        self.assertEqual(p.ended, [])
        p.sink.send((0x88, b"\x0f\xa1because"))
        if not p.sink.carrier.disconnected:
            p.sink.dropCarrier()
        self.assertEqual(p.source.take(), [(0x88, b"\x0f\xa1because")])
        self.assertEqual([ended.code for ended in p.ended], [4001])

    def test_midMessage(self):
        """
        A sink is closed in the middle of a message whose source ends there.
        """
        frames = {"assembleFragments": False}
        p = Pipes(source=frames, sink=frames)
        p.source.send((0x01, b"half"), CLOSE_1000)
        self.assertEqual(p.sink.take(), [(0x01, b"half"), CLOSE_1000])

    def test_closedBefore(self):
        """
        A pipe from, or to, what has ended already has ended.
        """
        for first in (True, False):
            source, sink = Conversation(True, Inbox()), Conversation(True, Inbox())
            over, other = (source, sink) if first else (sink, source)
            over.send(CLOSE_1000)
            piping = pipe(source.receiver, sink.connection)
            self.assertEqual(other.take(), [CLOSE_1000])
            other.send(CLOSE_1000)
            self.assertIsInstance(self.successResultOf(piping), ClosedCleanly)

    def test_cancel(self):
        """
        Cancelling ends the relaying, and nothing else; whatever it waits for.
        """
        for congested in (True, False):
            p = Pipes()
            if congested:
                p.sink.congest()
                p.source.send((0x81, b"x"))
            p.piping.cancel()
            (error,) = p.ended
            self.assertIsInstance(error, CancelledError)
            p.source.send((0x81, b"kept"))
            received = p.source.receiver.receive()
            self.assertEqual(self.successResultOf(received), "kept")
            p.sink.readOn()
            self.assertNotIn((0x81, b"kept"), p.sink.take())
            p.sink.send(CLOSE_1000)
            self.assertEqual(p.source.take(), [])
            self.assertEqual(p.source.connection.state, State.OPEN)

    def test_inUse(self):
        """
        A sink that is sending another message piece by piece is the caller's mistake;
        the Deferred fails with it.
        """
        p = Pipes()
        p.sink.connection.beginMessage().write("half")
        p.source.send((0x81, b"x"))
        (error,) = p.ended
        self.assertIsInstance(error, IllegalFrame)


class MemoryTests(Uncollected):
    """
    Nothing keeps a connection alive that has ended.
    """

    def test_gone(self):
        """
        Nor does a pipe, whichever side ended, in whichever way, and whatever waited.
        """
        ends = [
            ("source closes", lambda p: p.source.send(CLOSE_1000)),
            ("source is lost", lambda p: p.source.resetCarrier()),
            ("sink closes", lambda p: p.sink.send(CLOSE_1000)),
            ("sink is lost", lambda p: p.sink.resetCarrier()),
            ("cancelled", lambda p: [each.cancel() for each in p.all]),
        ]
        for both in (True, False):
            for isFull in (True, False):
                for name, end in ends:
                    p = Pipes(both=both)
                    if isFull:
                        p.sink.congest()
                        p.source.send(*[(0x81, b"x")] * 30)
                    end(p)
                    p.flush()
                    for c in (p.source, p.sink):
                        if not c.carrier.disconnected:
                            c.connection.abortConnection()
                    p.flush()
                    self.assertEqual(len(p.ended), 1 + both, name)
                    watched = []
                    for c in (p.source, p.sink):
                        forget(c.server)
                        watched += [ref(c.connection), ref(c.receiver)]
                        c.connection = c.receiver = None
                        self.assertEqual(c.timers, 0)
                    del p.piping
                    self.assertGone(*watched, f"{name}, {both}, {isFull}")
