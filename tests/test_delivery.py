# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.delivery}: what C{sendMessage} returns.
"""

from __future__ import annotations

import asyncio
import gc

from twisted.internet.defer import (
    CancelledError,
    Deferred,
    DeferredList,
    gatherResults,
    inlineCallbacks,
    maybeDeferred,
)
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.test_outbox import congested, texts
from twisted_ws.delivery import SENT, Delivery
from twisted_ws.errors import ConnectionClosed, MessageDropped

MANY = 10_000


class Lost(Exception):
    """
    Why a message was not handed on.
    """


class SentTests(SynchronousTestCase):
    """
    L{SENT}, which all share.
    """

    def tearDown(self):
        """
        It is as it was, whatever was done with it.
        """
        self.assertTrue(SENT.called)
        self.assertIsNone(SENT.result)
        # Their name has changed in Twisted 25.5.
        left = {name: vars(SENT).get(name) for name in ("callbacks", "_callbacks")}
        self.assertIn([], left.values())
        self.assertNotIn(True, [bool(each) for each in left.values()])
        self.assertFalse(SENT.paused)
        self.assertIsNone(SENT._debugInfo)
        self.assertIsNone(SENT._chainedTo)

    def test_callbacks(self):
        """
        Each callback is called at once, with C{None}, and what it returns is the result
        of another Deferred.
        """
        for add in (
            lambda call: SENT.addCallback(call, "a", b="b"),
            lambda call: SENT.addBoth(call, "a", b="b"),
            lambda call: SENT.addCallbacks(call, self.fail, ("a",), {"b": "b"}),
        ):
            got = []
            added = add(lambda *a, got=got, **k: got.append((a, k)) or 7)
            self.assertEqual(got, [((None, "a"), {"b": "b"})])
            self.assertIsNot(added, SENT)
            self.assertEqual(self.successResultOf(added), 7)
        self.assertIsNone(self.successResultOf(SENT.addErrback(self.fail)))

    def test_raising(self):
        """
        What a callback raises is the failure of that other one; nobody else sees it.
        """
        self.failureResultOf(SENT.addCallback(lambda _: 1 // 0), ZeroDivisionError)
        self.assertIsNone(self.successResultOf(SENT.addCallback(lambda _: None)))

    def test_waits(self):
        """
        A callback may return a Deferred that has not fired.
        """
        later: Deferred[str] = Deferred()
        added = SENT.addCallback(lambda _: later)
        self.assertNoResult(added)
        later.callback("x")
        self.assertEqual(self.successResultOf(added), "x")

    def test_returned(self):
        """
        It may be returned from callbacks, any number of times.
        """
        for _ in range(3):
            outer: Deferred[None] = Deferred()
            outer.addCallback(lambda _: SENT)
            outer.callback(None)
            self.assertIsNone(self.successResultOf(outer))
        self.assertIs(maybeDeferred(lambda: SENT), SENT)

    def test_chain(self):
        """
        It fires what is chained to it.
        """
        for _ in range(2):
            other: Deferred[None] = Deferred()
            SENT.chainDeferred(other)
            self.assertIsNone(self.successResultOf(other))

    def test_await(self):
        """
        Coroutines and generators go on at once, however often they await it, with no
        more stack for more.
        """

        async def awaiting():
            return [await SENT for _ in range(MANY)]

        @inlineCallbacks
        def yielding():
            results = []
            for _ in range(MANY):
                results.append((yield SENT))
            results.append((yield from SENT))
            return results

        done = Deferred.fromCoroutine(awaiting())
        self.assertEqual(self.successResultOf(done), [None] * MANY)
        self.assertEqual(self.successResultOf(yielding()), [None] * (MANY + 1))

    def test_lists(self):
        """
        It may be in a list of Deferreds, more than once.
        """
        both = DeferredList([SENT, SENT], consumeErrors=True)
        self.assertEqual(self.successResultOf(both), [(True, None)] * 2)
        self.assertEqual(self.successResultOf(gatherResults([SENT] * 3)), [None] * 3)

    def test_cancel(self):
        """
        To cancel it, alone or with what waits for it, does nothing to it.
        """
        SENT.cancel()
        later: Deferred[None] = Deferred()
        added = SENT.addCallback(lambda _: later)
        added.cancel()
        self.failureResultOf(added, CancelledError)
        DeferredList([SENT, Deferred()], consumeErrors=True).cancel()

    def test_timeout(self):
        """
        A timeout on it leaves no timer.
        """
        clock = Clock()
        self.assertIsNone(self.successResultOf(SENT.addTimeout(1, clock)))
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_pause(self):
        """
        It cannot be paused.
        """
        SENT.pause()
        self.assertIsNone(self.successResultOf(SENT.addCallback(lambda _: None)))
        SENT.unpause()

    def test_future(self):
        """
        It can be made a Future.
        """
        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)
        future = SENT.asFuture(loop)
        self.assertIsNone(loop.run_until_complete(future))


class DeliveryTests(SynchronousTestCase):
    """
    L{Delivery}.
    """

    def collect(self):
        """
        @return: the errors that are logged when what nobody refers to is collected.
        """
        gc.collect()
        return self.flushLoggedErrors()

    def test_once(self):
        """
        It fires, or fails, once; the rest is ignored.
        """
        delivery = Delivery()
        delivery.done()
        delivery.done()
        delivery.fail(Lost())
        self.assertIsNone(self.successResultOf(delivery))
        delivery = Delivery()
        delivery.fail(Lost())
        delivery.fail(ValueError())
        delivery.done()
        self.failureResultOf(delivery, Lost)

    def test_unwatched(self):
        """
        A failure that nobody looks at is not logged.
        """
        for end in (lambda d: d.fail(Lost()), lambda d: d.cancel()):
            delivery = Delivery()
            end(delivery)
            del delivery
            self.assertEqual(self.collect(), [])

    def test_watched(self):
        """
        One that somebody looks at and does not handle is logged, whether the callback
        was added before or after.
        """
        adds = [
            lambda d: d.addCallback(id),
            lambda d: d.addErrback(lambda failure: failure),
            lambda d: d.addBoth(lambda result: result),
            lambda d: d.addCallbacks(id, lambda failure: failure),
        ]
        for end in (lambda d: d.fail(Lost()), lambda d: d.cancel()):
            for add in adds:
                for steps in ((add, end), (end, add)):
                    delivery = Delivery()
                    for step in steps:
                        step(delivery)
                    del delivery
                    self.assertEqual(len(self.collect()), 1)

    def test_handled(self):
        """
        One that is handled is not.
        """
        for steps in (
            (lambda d: d.addErrback(id), lambda d: d.fail(Lost())),
            (lambda d: d.fail(Lost()), lambda d: d.addErrback(id)),
        ):
            delivery = Delivery()
            for step in steps:
                step(delivery)
            del delivery
            self.assertEqual(self.collect(), [])

    def test_awaited(self):
        """
        Who awaits it gets the failure, before or after it happens, and it is that of
        the coroutine then.
        """

        async def send(delivery):
            await delivery

        for early in (True, False):
            delivery = Delivery()
            if early:
                delivery.fail(Lost())
            done = Deferred.fromCoroutine(send(delivery))
            if not early:
                delivery.fail(Lost())
            del delivery
            self.failureResultOf(done, Lost)
            self.assertEqual(self.collect(), [])

    def test_returned(self):
        """
        A Deferred that waits for it gets the failure too; it is logged once if nobody
        handles it there.
        """
        for early in (True, False):
            delivery = Delivery()
            outer: Deferred[None] = Deferred()
            if early:
                delivery.fail(Lost())
            outer.addCallback(lambda _, d: d, delivery)
            outer.callback(None)
            if not early:
                delivery.fail(Lost())
            del delivery, outer
            self.assertEqual(len(self.collect()), 1)

    def test_debug(self):
        """
        All of that holds when Deferreds are debugged.
        """
        self.patch(Deferred, "debug", True)
        self.test_unwatched()
        self.test_watched()
        self.test_handled()

    def test_cancel(self):
        """
        To cancel it changes nothing but the Deferred: the message is sent.
        """
        c = congested()
        waiting = c.connection.sendMessage("sent")
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        c.readOn()
        self.assertEqual(texts(c), ["sent"])

    def test_timeout(self):
        """
        So it is with one that took too long, and no timer is left of one that did not.
        """
        c = congested(sendStallTimeout=None)
        waiting = c.connection.sendMessage("sent")
        waiting.addTimeout(3, c.clock)
        c.advance(3)
        self.failureResultOf(waiting)
        waiting = c.connection.sendMessage("in time").addTimeout(3, c.clock)
        c.readOn()
        self.assertIsNone(self.successResultOf(waiting))
        self.assertEqual((texts(c), c.timers), (["sent", "in time"], 0))

    def test_cancelledAndLost(self):
        """
        One that was cancelled does not mind the end of the connection.
        """
        c = congested(slowReaderPolicy="drop-oldest", maxSendBuffer=1)
        for end in (lambda: c.connection.sendMessage("b"), c.resetCarrier):
            waiting = c.connection.sendMessage("a")
            waiting.cancel()
            end()
            self.failureResultOf(waiting, CancelledError)

    def test_ofConnections(self):
        """
        Messages that are dropped, or lost, and that nobody asked about, are not logged.
        """
        c = congested(slowReaderPolicy="drop-newest", maxSendBuffer=1)
        for _ in range(5):
            c.connection.sendMessage("x")
        c.resetCarrier()
        self.assertEqual(self.collect(), [])
        c = congested(slowReaderPolicy="drop-newest", maxSendBuffer=1)
        lost = c.connection.sendMessage("x")
        self.failureResultOf(c.connection.sendMessage("x"), MessageDropped)
        c.resetCarrier()
        self.failureResultOf(lost, ConnectionClosed)
