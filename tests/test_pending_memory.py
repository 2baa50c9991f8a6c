# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.pending}: messages that take time leave nothing behind.
"""

from __future__ import annotations

from weakref import ref

from twisted.internet.defer import Deferred

from tests.conversation import BOTH, Conversation
from tests.test_memory import Uncollected, forget
from tests.working import Working, texts


class MemoryTests(Uncollected):
    """
    Nothing keeps a connection alive that has ended.
    """

    def check(self, receiver, end):
        """
        Let messages be at work and wait, end the connection, and assert that it and
        the receiver are gone.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, receiver(), concurrentMessages=2)
            texts(c, *range(5))
            work = getattr(c.receiver, "work", None)
            end(c)
            forget(c.server)
            self.flushLoggedErrors(ValueError)
            watched = [ref(c.connection), ref(c.receiver)]
            self.assertEqual(c.receiver.losses, 1, role)
            self.assertEqual(c.timers, 0)
            c.connection = c.receiver = None
            self.assertGone(*watched, role)
            # Whoever keeps the Deferreds does not keep the connection.
            del work

    def test_done(self):
        """
        The messages are done after the end.
        """
        self.check(Working, lambda c: (c.dropCarrier(), c.receiver.finishAll()))

    def test_cancelled(self):
        """
        They are cancelled.
        """
        self.check(Working, lambda c: (c.dropCarrier(), c.advance(5)))

    def test_failed(self):
        """
        They fail after the end.
        """

        def fails(c):
            c.dropCarrier()
            for each in list(c.receiver.work.values()):
                each.errback(ValueError())

        self.check(Working, fails)

    def test_coroutine(self):
        """
        They are coroutines that are cancelled.
        """

        class Slow(Working):
            async def messageReceived(self, message):
                await Deferred()

        self.check(Slow, lambda c: (c.dropCarrier(), c.advance(5)))

    def test_coroutineFails(self):
        """
        They are coroutines that fail because the connection ended.
        """

        class Slow(Working):
            async def messageReceived(self, message):
                await self.begin(message)
                self.transport.sendMessage(message)

        self.check(Slow, lambda c: (c.dropCarrier(), c.receiver.finishAll()))

    def test_hangs(self):
        """
        They never let themselves be cancelled, and the application keeps them.
        """
        kept = []

        class Hanging(Working):
            def messageReceived(self, message):
                kept.append(Deferred(lambda _: None))
                done = Deferred()
                done.addErrback(lambda _: kept[-1])
                return done

        self.check(Hanging, lambda c: (c.dropCarrier(), c.advance(5)))
        self.assertEqual(len(kept), 4)
