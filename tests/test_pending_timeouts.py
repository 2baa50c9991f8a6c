# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.pending}: messages that take too much time when the connection has ended.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred

from tests.conversation import BOTH, Conversation
from tests.working import PEERS_ENDS, EndTestCase, Working, texts, words


class TimeoutTests(EndTestCase):
    """
    What is not done C{closeTimeout} seconds after the end.
    """

    def test_cancelled(self):
        """
        It is cancelled, what waits is dropped, and the end comes.
        """

        class Cancelled(Working):
            def __init__(self):
                Working.__init__(self)
                self.cancelled = []

            def begin(self, message):
                return Deferred(lambda _: self.cancelled.append(message))

        for isServer, role in BOTH:
            for name, end, _ in PEERS_ENDS:
                c = Conversation(
                    isServer, Cancelled(), concurrentMessages=2, closeTimeout=3
                )
                texts(c, *range(4))
                end(c)
                c.advance(2.9)
                self.assertEqual(c.receiver.cancelled, [], (name, role))
                self.assertEqual(c.receiver.losses, 0)
                c.advance(0.1)
                self.assertEqual(c.receiver.cancelled, words(0, 1))
                self.assertOver(c, *words(0, 1))

    def test_notHandled(self):
        """
        That they fail with L{CancelledError} is no failure of the receiver.
        """
        c = Conversation(True, Working(), concurrentMessages=2)
        texts(c, 0, 1)
        c.dropCarrier()
        c.advance(5)
        self.assertOver(c, *words(0, 1))

    def test_coroutine(self):
        """
        A coroutine is cancelled where it waits.
        """
        log = []

        class Slow(Working):
            async def messageReceived(self, message):
                self.events.append(message)
                try:
                    await Deferred()
                finally:
                    log.append(f"{message} cleaned up")

        for isServer, _ in BOTH:
            del log[:]
            c = Conversation(isServer, Slow())
            texts(c, 0, 1)
            c.dropCarrier()
            c.advance(5)
            self.assertEqual(log, ["0 cleaned up"])
            self.assertOver(c, "0")

    def test_hangs(self):
        """
        What does not let itself be cancelled is not waited for.
        """

        class Hanging(Working):
            async def messageReceived(self, message):
                self.events.append(message)
                while True:
                    try:
                        await self.begin(message)
                        return
                    except CancelledError:
                        pass

        c = Conversation(True, Hanging())
        texts(c, 0, 1)
        c.dropCarrier()
        c.advance(5)
        self.assertOver(c, "0")
        c.receiver.finish("0")
        self.assertOver(c, "0")

    def test_failsTooLate(self):
        """
        When it fails after all, that is logged.
        """

        class Stubborn(Working):
            def messageReceived(self, message):
                Working.messageReceived(self, message)
                return self.work[message].addErrback(lambda _: self.begin("late"))

        c = Conversation(True, Stubborn())
        texts(c, 0)
        c.dropCarrier()
        c.advance(5)
        self.assertOver(c, "0")
        c.receiver.work["late"].errback(ValueError())
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_cancellerFails(self):
        """
        A canceller that raises keeps neither the others nor the end back.
        """

        class Raising(Working):
            def begin(self, message):
                def cancel(deferred):
                    raise ValueError(message)

                return Deferred(cancel)

        c = Conversation(True, Raising(), concurrentMessages=2)
        texts(c, 0, 1)
        c.dropCarrier()
        c.advance(5)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)
        self.assertOver(c, *words(0, 1))

    def test_cancelledByEachOther(self):
        """
        Cancelling one may make another done.
        """

        class Entangled(Working):
            def begin(self, message):
                self.work[message] = Deferred(lambda _: self.finish("1"))
                return self.work[message]

        c = Conversation(True, Entangled(), concurrentMessages=2)
        texts(c, 0, 1, 2)
        c.dropCarrier()
        c.advance(5)
        self.assertOver(c, *words(0, 1))

    def test_hurried(self):
        """
        It can be told not to wait at all: before the end, or after it.
        """
        for early in (True, False):
            c = Conversation(True, Working(), concurrentMessages=2)
            texts(c, 0, 1, 2)
            if early:
                c.connection.stopWaiting()
            self.assertEqual(c.receiver.events, words(0, 1))
            c.dropCarrier()
            if not early:
                self.assertEqual(c.receiver.losses, 0)
                c.connection.stopWaiting()
            self.assertOver(c, *words(0, 1))

    def test_doneInTime(self):
        """
        The clock is stopped when all is done in time.
        """
        c = Conversation(True, Working())
        texts(c, 0)
        c.dropCarrier()
        self.assertEqual(c.timers, 1)
        c.receiver.finishAll()
        self.assertOver(c, "0")
