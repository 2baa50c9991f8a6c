# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.pending}: very many messages that take time.
"""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import Conversation
from tests.working import Working, texts, words


class ManyTests(SynchronousTestCase):
    """
    Ten thousand messages at once.
    """

    many = 10_000

    def play(self, receiver, concurrent, most):
        """
        @return: a conversation in which they came.
        """
        c = Conversation(
            True,
            receiver,
            concurrentMessages=concurrent,
            maxPendingMessages=most,
            maxPendingBytes=None,
            keepalive=False,
        )
        texts(c, *range(self.many))
        return c

    def check(self, c):
        """
        Assert that each was delivered, in order, and nothing is left of them.
        """
        self.assertEqual(c.receiver.messages, words(*range(self.many)))
        pending = c.connection._pending
        self.assertEqual((pending.held, len(pending._running)), (0, 0))
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual(c.timers, 0)
        self.assertFalse(c.carrier.isPaused)

    def test_orders(self):
        """
        They may be done the oldest first, the latest first, or in any order; nothing
        is called within itself so often that it fails.
        """
        random = Random(6455)
        orders = [
            lambda work: next(iter(work)),
            lambda work: next(reversed(work)),
            lambda work: random.choice(list(work)) if len(work) < 99 else min(work),
        ]
        for order in orders:
            for concurrent in (1, 50, self.many):
                for most in (16, 2 * self.many):
                    c = self.play(Working(), concurrent, most)
                    while c.receiver.work:
                        c.receiver.finish(order(c.receiver.work))
                        if most < 20:
                            c.flush()
                    self.check(c)

    def test_eachByTheNext(self):
        """
        Each may be done within the delivery of the next one; with a queue of all of
        them it does not recurse either.
        """

        class Chained(Working):
            def messageReceived(self, message):
                self.messages.append(message)
                before = list(self.work)
                done = self.begin(message)
                for each in before:
                    self.finish(each)
                return done

        for concurrent in (2, 3, self.many):
            for most in (16, 2 * self.many):
                c = self.play(Chained(), concurrent, most)
                c.receiver.finishAll()
                self.check(c)

    def test_queued(self):
        """
        So it is when the first two keep all others waiting.
        """

        class Chained(Working):
            def messageReceived(self, message):
                self.messages.append(message)
                before = list(self.work)
                done = self.begin(message)
                if len(self.messages) > 2:
                    for each in before:
                        self.finish(each)
                return done

        c = self.play(Chained(), 2, 2 * self.many)
        self.assertEqual(c.receiver.messages, ["0", "1"])
        c.receiver.finish("0")
        c.receiver.finishAll()
        self.check(c)

    def test_doneAtOnce(self):
        """
        They may wait for one, and then be done at once.
        """

        class First(Working):
            def messageReceived(self, message):
                self.messages.append(message)
                return self.begin(message) if message == "0" else None

        for most in (16, 2 * self.many):
            c = self.play(First(), 1, most)
            self.assertEqual(c.receiver.messages, ["0"])
            c.receiver.finish("0")
            c.flush()
            self.check(c)
