# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.pending}: messages that take time, while the connection is open.
"""

from __future__ import annotations

import contextlib
from datetime import datetime
from random import Random
from sys import getsizeof

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import BOTH, Conversation
from tests.working import Working, texts, words
from twisted_ws import ConnectionNotOpen
from twisted_ws.errors import MessageDropped
from twisted_ws.testing import MemoryCarrier, RecordingReceiver


class Echo(RecordingReceiver):
    """
    Returns what C{sendMessage} returns.
    """

    def messageReceived(self, message):
        self.messages.append(message)
        return self.transport.sendMessage(message)


FAILED = (0x88, b"\x03\xf3internal error")
"""
The Close frame of a receiver that failed.
"""


class Returning(RecordingReceiver):
    """
    Returns what a function makes of each message.
    """

    def __init__(self, make):
        RecordingReceiver.__init__(self)
        self.make = make

    def messageReceived(self, message):
        self.messages.append(message)
        return self.make(message)


class ReturnedTests(SynchronousTestCase):
    """
    What C{messageReceived} returns.
    """

    def test_nothingToWaitFor(self):
        """
        Deferreds that have fired, what C{sendMessage} returns when nothing waits, and
        values of all other kinds are nothing to wait for, and nothing is remembered.
        """
        makes = [
            lambda message: None,
            lambda message: message,
            lambda message: 0,
            lambda message: succeed(message),
            lambda message: succeed(None).addCallback(lambda ignored: succeed(1)),
            lambda message: c.connection.sendMessage(message),
        ]
        for isServer, role in BOTH:
            for number, make in enumerate(makes):
                c = Conversation(isServer, Returning(make), maxPendingMessages=1)
                texts(c, *range(20))
                self.assertEqual(c.receiver.messages, words(*range(20)), (role, number))
                self.assertIsNone(c.connection._pending)
                self.assertFalse(c.carrier.isPaused)

    def test_waits(self):
        """
        While one is at work the next waits; so it is with each of them.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, Working())
            texts(c, 0, 1, 2)
            for number in range(3):
                self.assertEqual(c.receiver.messages, words(*range(number + 1)), role)
                c.receiver.finish(str(number))
            texts(c, 3)
            self.assertEqual(c.receiver.messages, words(0, 1, 2, 3), role)

    def test_idleAgain(self):
        """
        When nothing is at work any more, messages go past again.
        """
        c = Conversation(True, Working())
        texts(c, 0, 1)
        c.receiver.finishAll()
        self.assertEqual(c.connection._deliver, c.receiver.messageReceived)
        self.assertEqual(c.connection._pending.held, 0)

    def test_coroutine(self):
        """
        A coroutine is at work until it ends.
        """
        for isServer, role in BOTH:
            waiting = []
            log = []

            async def work(message, waiting=waiting, log=log):
                log.append(f"{message} began")
                waiting.append(Deferred())
                log.append(f"{message} {await waiting[-1]}")

            c = Conversation(isServer, Returning(work))
            texts(c, 0, 1)
            self.assertEqual(log, ["0 began"], role)
            waiting[0].callback("done")
            self.assertEqual(log, ["0 began", "0 done", "1 began"], role)
            waiting[1].callback("done")
            self.assertEqual(log[3:], ["1 done"], role)

    def test_coroutineAtOnce(self):
        """
        One that awaits nothing is done at once.
        """

        async def work(message):
            c.connection.sendMessage(message)

        c = Conversation(True, Returning(work))
        texts(c, 0, 1)
        self.assertEqual(c.take(), [(0x81, b"0"), (0x81, b"1")])
        self.assertIsNone(c.connection._pending)

    def test_firedAndWaiting(self):
        """
        A Deferred that was called, and waits for another one, is at work.
        """
        inner = Deferred()
        c = Conversation(
            True,
            Returning(lambda m: succeed(None).addCallback(lambda ignored: inner)),
        )
        texts(c, 0, 1)
        self.assertEqual(c.receiver.messages, ["0"])
        inner.callback(None)
        self.assertEqual(c.receiver.messages, ["0", "1"])

    def test_oneForSeveral(self):
        """
        One Deferred may stand for several messages: each of them counts, and none of
        them any more when it has fired.
        """
        ready = Deferred()
        c = Conversation(
            True,
            Returning(lambda message: ready),
            concurrentMessages=3,
            maxPendingMessages=3,
        )
        texts(c, 0, 1, 2, 3, 4)
        self.assertEqual(c.receiver.messages, words(0, 1, 2))
        ready.callback(None)
        self.assertEqual(c.receiver.messages, words(0, 1, 2, 3, 4))
        self.assertEqual(c.connection._pending.held, 0)
        self.assertFalse(c.connection.isPaused)

    def test_fails(self):
        """
        One that fails, be it at once or later, is logged once and closes the
        connection with 1011; what waits behind it is not delivered.
        """

        async def raising(message):
            raise ValueError(message)

        async def raisingLater(message):
            await later
            raise ValueError(message)

        makes = [
            lambda message: fail(ValueError(message)),
            raising,
            lambda message: later,
            raisingLater,
        ]
        for isServer, role in BOTH:
            for number, make in enumerate(makes):
                later = Deferred()
                c = Conversation(isServer, Returning(make))
                texts(c, 0, 1, 2)
                if number == 2:
                    later.errback(ValueError("0"))
                elif number == 3:
                    later.callback(None)
                self.assertEqual(c.take()[:1], [FAILED], (role, number))
                (failure,) = self.flushLoggedErrors()
                self.assertEqual(str(failure.value), "0")
                c.dropCarrier()
                self.assertEqual(c.receiver.messages, ["0"])
                self.assertIs(c.receiver.reason.__cause__, failure.value)
                self.assertEqual(c.receiver.losses, 1)

    def test_raises(self):
        """
        So it is with one that waited and whose delivery raises.
        """

        class Raising(Working):
            def messageReceived(self, message):
                if message == "1":
                    raise ValueError(message)
                return Working.messageReceived(self, message)

        for isServer, role in BOTH:
            c = Conversation(isServer, Raising())
            texts(c, 0, 1, 2)
            c.receiver.finish("0")
            self.assertEqual(c.take()[:1], [FAILED], role)
            self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
            c.dropCarrier()
            self.assertEqual(c.receiver.events, ["0", "lost"])

    def test_dropped(self):
        """
        That a message was dropped, as C{slowReaderPolicy} says, is no failure of who
        returned its Deferred; nor is that the connection is not open any more.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, Working())
            texts(c, 0, 1)
            c.receiver.work["0"].errback(MessageDropped("x"))
            self.assertEqual(c.take(), [], role)
            c.connection.close()
            c.receiver.work["1"].errback(ConnectionNotOpen("x"))
            self.assertEqual(c.take(), [(0x88, b"\x03\xe8")], role)

    def test_echo(self):
        """
        To return what C{sendMessage} returns is to receive no faster than the peer
        reads.
        """
        big = bytes(MemoryCarrier.highWater)
        for isServer, role in BOTH:
            c = Conversation(
                isServer,
                Echo(),
                maxPendingMessages=4,
                pauseWhileCongested=False,
                maxSendBuffer=None,
            )
            c.stopReading()
            for _ in range(10):
                c.sendBytes(c.frame(0x82, big))
            # The first went out, and the carrier was full; the others wait.
            self.assertEqual(len(c.receiver.messages), 2, role)
            self.assertTrue(c.connection.isPaused)
            c.readOn()
            self.assertEqual(len(c.receiver.messages), 10, role)
            payloads = [payload for _, payload in c.take()]
            self.assertEqual(sum(map(len, payloads)), 10 * len(big), role)


class LimitTests(SynchronousTestCase):
    """
    How many there may be.
    """

    def test_concurrent(self):
        """
        No more than C{concurrentMessages} are at work at a time, and they begin in
        order, whatever the order in which they are done.
        """
        random = Random(6455)
        for isServer, role in BOTH:
            for concurrent in (1, 2, 3, 7):
                c = Conversation(isServer, Working(), concurrentMessages=concurrent)
                numbers = iter(range(200))
                receiver = c.receiver
                for number in numbers:
                    texts(c, number)
                    if random.randrange(3):
                        receiver.finish(random.choice(list(receiver.work)))
                while receiver.work:
                    receiver.finish(random.choice(list(receiver.work)))
                    c.flush()
                self.assertEqual(receiver.messages, words(*range(200)), role)
                self.assertEqual(receiver.most, concurrent, role)

    def test_messages(self):
        """
        When there are C{maxPendingMessages}, at work or waiting, the connection is not
        read from, from exactly the last of them on; when half of them are left, it is
        again.
        """
        for isServer, role in BOTH:
            for most, concurrent in ((1, 1), (2, 1), (5, 2), (5, 5), (4, 9), (16, 1)):
                c = Conversation(
                    isServer,
                    Working(),
                    maxPendingMessages=most,
                    concurrentMessages=concurrent,
                )
                name = role, most, concurrent
                texts(c, *range(most - 1))
                self.assertFalse(c.carrier.isPaused, name)
                texts(c, most - 1, *range(most, 3 * most))
                self.assertTrue(c.carrier.isPaused, name)
                pending = c.connection._pending
                self.assertEqual(len(pending._running) + len(pending._queue), most)
                for done in range(most - most // 2):
                    self.assertTrue(c.connection.isPaused, (name, done))
                    self.assertNotIn(str(most), c.receiver.messages)
                    c.receiver.finish(str(done))
                    if done < most - most // 2 - 1:
                        left = len(pending._running) + len(pending._queue)
                        self.assertEqual(left, most - done - 1, name)
                c.receiver.finishAll()
                self.assertFalse(c.carrier.isPaused)
                self.assertEqual(c.receiver.messages, words(*range(3 * most)), name)

    def test_bytes(self):
        """
        Nor may they have more than C{maxPendingBytes} of memory.
        """
        size = getsizeof(bytes(1000))
        for isServer, role in BOTH:
            c = Conversation(
                isServer,
                Working(),
                maxPendingMessages=1000,
                maxPendingBytes=4 * size,
            )
            for number in range(3):
                c.send((0x82, b"%04d" % number + bytes(996)))
                self.assertFalse(c.carrier.isPaused, role)
            c.send(*[(0x82, b"%04d" % number + bytes(996)) for number in range(3, 9)])
            self.assertTrue(c.carrier.isPaused, role)
            self.assertEqual(c.connection._pending.held, 4 * size)
            for _ in (3, 2):
                self.assertTrue(c.connection.isPaused, role)
                c.receiver.finish(c.receiver.messages[-1])
            # It was read from again, and is full again.
            self.assertEqual(c.connection._pending.held, 4 * size, role)
            c.receiver.finishAll()
            self.assertEqual(len(c.receiver.messages), 9, role)
            self.assertEqual(c.connection._pending.held, 0)

    def test_noBytesLimit(self):
        """
        C{None} is no limit.
        """
        c = Conversation(True, Working(), maxPendingBytes=None)
        for number in range(15):
            c.send((0x82, b"%d" % number + bytes(1 << 20)))
        self.assertFalse(c.connection.isPaused)

    def test_oneThatIsTooBig(self):
        """
        A message that alone has more is delivered, and nothing with it.
        """
        c = Conversation(True, Working(), maxPendingBytes=10)
        texts(c, 0, 1)
        self.assertTrue(c.connection.isPaused)
        c.receiver.finish("0")
        self.assertEqual(c.receiver.messages, ["0", "1"])

    def test_frames(self):
        """
        So it is with frames, by their payloads.
        """
        for isServer, role in BOTH:
            c = Conversation(
                isServer,
                Working(),
                assembleFragments=False,
                maxPendingBytes=2 * getsizeof(bytes(5000)),
            )
            c.send((0x02, b"a" * 5000))
            self.assertFalse(c.connection.isPaused, role)
            c.send((0x00, b"b" * 5000), (0x80, b"c" * 5000), (0x81, b"d"))
            self.assertTrue(c.connection.isPaused, role)
            self.assertEqual(c.receiver.messages, [b"a" * 5000])
            c.receiver.finishAll()
            self.assertEqual(
                [m[:1] for m in c.receiver.messages], [b"a", b"b", b"c", b"d"]
            )
            self.assertEqual(c.connection._pending.held, 0)

    def test_sizeThatChanges(self):
        """
        Text that grows in memory while it waits or is at work, because something asked
        for its UTF-8, is counted as it came.
        """
        text = "\u20ac" * 100
        kept = []

        class Encoding(Working):
            def messageReceived(self, message):
                before = getsizeof(message)
                with contextlib.suppress(ValueError):
                    datetime.fromisoformat(message)
                kept.append(getsizeof(message) - before)
                return self.begin(len(kept))

        c = Conversation(True, Encoding())
        c.send(*[(0x81, text.encode())] * 3)
        c.receiver.finishAll()
        self.assertEqual(len(kept), 3)
        self.assertTrue(min(kept) > 0, "nothing grew, so this tests nothing")
        self.assertEqual(c.connection._pending.held, 0)

    def test_pings(self):
        """
        While messages are at work, and there may be more, pings are answered.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, Working())
            texts(c, 0, 1)
            c.send((0x89, b"?"))
            self.assertEqual(c.take(), [(0x8A, b"?")], role)

    def test_finishedWithinDelivery(self):
        """
        A message whose delivery makes the one before it done is not delivered within
        it, and is at work after it.
        """

        class Chained(Working):
            depth = 0

            def messageReceived(self, message):
                test.assertEqual(self.depth, 0)
                self.depth += 1
                self.messages.append(message)
                if self.work:
                    self.finishAll()
                self.depth -= 1
                return self.begin(message)

        test = self
        for concurrent in (1, 2, 3):
            c = Conversation(True, Chained(), concurrentMessages=concurrent)
            texts(c, *range(10))
            while c.receiver.work:
                c.receiver.finishAll()
            self.assertEqual(c.receiver.messages, words(*range(10)), concurrent)
            self.assertTrue(c.receiver.most <= concurrent)

    def test_resumedWithinDelivery(self):
        """
        Nor is what a delivery reads by pausing and resuming.
        """

        class Resuming(Working):
            depth = 0

            def messageReceived(self, message):
                test.assertEqual(self.depth, 0)
                self.depth += 1
                self.transport.pauseProducing()
                self.transport.resumeProducing()
                self.depth -= 1
                return Working.messageReceived(self, message)

        test = self
        c = Conversation(True, Resuming(), maxPendingMessages=3)
        texts(c, *range(10))
        c.receiver.finishAll()
        self.assertEqual(c.receiver.messages, words(*range(10)))
