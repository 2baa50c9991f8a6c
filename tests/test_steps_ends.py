# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Every kind of step, and all that can become of a request meanwhile:
L{twisted_ws.Steps}.
"""

import gc
from functools import partial
from itertools import product
from weakref import ref

from twisted.internet.defer import CancelledError, Deferred, inlineCallbacks, succeed
from twisted.logger import LogLevel, capturedLogs

from twisted_ws import Router, Steps

from .handshakes import GREETING, Echo, handshake
from .steps import Oops, StepTests


def kinds(act, waiting):
    """
    @return: steps of every kind that do C{act}, by name; those whose name ends with
        "later" once C{waiting} fires.
    """

    async def coroutine(request):
        return act(request)

    async def coroutineLater(request):
        await waiting
        return act(request)

    async def within(request):
        return await coroutineLater(request)

    @inlineCallbacks
    def generatorLater(request):
        yield waiting
        return act(request)

    class Thing:
        def __call__(self, request):
            return act(request)

        def method(self, request):
            return act(request)

    class ThingLater:
        async def __call__(self, request):
            return await coroutineLater(request)

        def method(self, request):
            return Deferred.fromCoroutine(coroutineLater(request))

    def deferredLater(request):
        return waiting.addCallback(lambda ignored: act(request))

    def chainedLater(request):
        return succeed(None).addCallback(lambda ignored: deferredLater(request))

    return {
        "function": lambda request: act(request),
        "object": Thing(),
        "method": Thing().method,
        "partial": partial(lambda one, request: act(request), 1),
        "Deferred": lambda request: succeed(request).addCallback(act),
        "coroutine": coroutine,
        "Deferred later": deferredLater,
        "chained Deferreds later": chainedLater,
        "coroutine later": coroutineLater,
        "coroutine in a coroutine later": within,
        "inlineCallbacks later": generatorLater,
        "object later": ThingLater(),
        "method later": ThingLater().method,
    }


def fails(request):
    """
    Fail.
    """
    raise Oops


OUTCOMES = {
    # what a step does: how the response begins, what is run after it
    "passes": (lambda request: None, GREETING[:12], ["after", "application"]),
    "accepts": (lambda request: request.accept(Echo()), GREETING[:12], []),
    "refuses": (lambda request: request.reject(402), b"HTTP/1.1 402", []),
    "redirects": (
        lambda request: request.reject(302, headers={"Location": "/b"}),
        b"HTTP/1.1 302",
        [],
    ),
    "returns something": (lambda request: False, b"HTTP/1.1 500", []),
    "fails": (fails, b"HTTP/1.1 500", []),
}


class MatrixTests(StepTests):
    """
    Every kind of step, with every outcome.
    """

    def start(self, kind, act):
        """
        Have a request come to a step of a kind.
        """
        self.log.clear()
        self.waiting = Deferred()
        step = kinds(act, self.waiting)[kind]
        return self.run_(step, self.step("after"))

    def test_outcomes(self):
        """
        Whatever kind of step it is, its outcome is the same.
        """
        for kind, outcome in product(kinds(fails, None), OUTCOMES):
            act, response, after = OUTCOMES[outcome]
            peer = self.start(kind, act)
            if kind.endswith("later"):
                self.assertEqual((self.log, peer.take()), ([], b""), kind)
                self.assertEqual(len(self.server.factory.pendingRequests), 1)
                self.waiting.callback(None)
                self.server.flush()
            self.assertEqual(self.log, after, (kind, outcome))
            self.assertTrue(peer.take().startswith(response), (kind, outcome))
            self.assertEqual(self.server.factory.pendingRequests, set())
            failed = len(self.flushLoggedErrors(Oops, TypeError))
            self.assertEqual(failed, response.endswith(b"500"), (kind, outcome))

    def test_ends(self):
        """
        Where the peer leaves, or time is up, meanwhile, what is awaited is cancelled,
        and nothing is run or left.
        """
        slow = [kind for kind in kinds(fails, None) if kind.endswith("later")]
        for kind, outcome, end in product(slow, OUTCOMES, ("left", "late")):
            peer = self.start(kind, OUTCOMES[outcome][0])
            if end == "left":
                peer.transport.loseConnection()
            else:
                self.clock.advance(10)
            self.server.flush()
            self.assertTrue(self.waiting.called, (kind, outcome, end))
            self.assertEqual(self.log, [], (kind, outcome, end))
            statuses = [] if end == "left" else [b"HTTP/1.1 503"]
            received = peer.take()
            self.assertEqual([received[:12]] if received else [], statuses)
            self.assertQuiet()


class EndTests(StepTests):
    """
    The peer leaves, or time is up, while a step takes its time.
    """

    def cases(self):
        """
        @return: steps that wait for ever, by name; each notes in C{self.log} when it is
            cancelled.
        """

        def note(deferred):
            self.log.append("cancelled")

        async def coroutine(request):
            try:
                await Deferred()
            except CancelledError:
                self.log.append("cancelled")
                raise

        async def deep(request):
            await coroutine(request)

        async def stubborn(request):
            try:
                await Deferred(note)
            except CancelledError:
                pass

        async def failing(request):
            try:
                await Deferred(note)
            finally:
                raise Oops

        return {
            "Deferred": lambda request: Deferred(note),
            "chained": lambda request: succeed(None).addCallback(
                lambda ignored: Deferred(note)
            ),
            "coroutine": coroutine,
            "coroutine in a coroutine": deep,
            "one that goes on": stubborn,
            "one that fails then": failing,
            "Steps": lambda request: Steps([coroutine], Echo).requestReceived(request),
        }

    def wraps(self):
        """
        @return: ways in which steps may stand around a step and an application.
        """
        ready, later = self.step(1), self.step(1, partial(succeed, None))

        def routed(steps, application):
            router = Router()
            router.mount("/", "*", Steps(steps, application))
            return router

        return {
            "alone": lambda steps, application: Steps(steps, application),
            "second": lambda steps, application: Steps([ready, *steps], application),
            "after a Deferred": lambda s, application: Steps([later, *s], application),
            "nested": lambda s, application: Steps(
                [later], Steps([ready, *s], application)
            ),
            "in a Router": routed,
            "before a Router": lambda s, application: Steps(
                [later], routed(s, application)
            ),
        }

    def test_everyWay(self):
        """
        What is awaited is cancelled, once; nothing is run after it, nothing is logged
        as a failure, and nothing is left.
        """
        for name, around, end in product(self.cases(), self.wraps(), ("left", "late")):
            for place in ("step", "application"):
                case, wrap = self.cases()[name], self.wraps()[around]
                self.log.clear()
                if place == "step":
                    application = wrap([case, self.step("after")], self.application)
                else:
                    application = wrap([], case)
                self.serve(application)
                peer = self.connect(handshake())
                self.assertEqual(set(self.log) - {1}, set())
                self.assertEqual(len(self.server.factory.pendingRequests), 1)
                with capturedLogs() as events:
                    if end == "left":
                        peer.transport.loseConnection()
                    else:
                        self.clock.advance(10)
                    self.server.flush()
                what = (name, around, end, place)
                self.assertEqual([e for e in self.log if e != 1], ["cancelled"], what)
                levels = {event["log_level"] for event in events}
                self.assertNotIn(LogLevel.critical, levels, what)
                received = peer.take()
                expected = b"" if end == "left" else b"HTTP/1.1 503 "
                self.assertTrue(received.startswith(expected), what)
                self.assertEqual(received.count(b"HTTP/1.1"), end == "late", what)
                self.assertQuiet()

    def test_nothingIsHeld(self):
        """
        A request that was left, and what was made for it, is not kept.
        """
        made = []

        class Token:
            """
            Something that a request has.
            """

        def step(request):
            request.avatar = Token()
            made.append(ref(request.avatar))
            return Deferred()

        peer = self.run_(self.step(1, partial(succeed, None)), step)
        self.assertIsNotNone(made[0]())
        peer.transport.loseConnection()
        self.server.flush()
        gc.collect()
        self.assertIsNone(made[0]())

    def test_firesLater(self):
        """
        A Deferred that cannot be cancelled, and fires after the peer has left, has no
        consequences.
        """
        waiting = Deferred(lambda deferred: deferred.callback(None))
        peer = self.run_(self.step(1, waiting), self.step(2))
        peer.transport.loseConnection()
        self.server.flush()
        self.assertEqual(self.log, [1])
        self.assertQuiet()

    def test_serverCloses(self):
        """
        A server that goes away refuses what is at a step with 503, and cancels it.
        """
        waiting = Deferred()
        peer = self.run_(self.step(1, waiting), self.step(2))
        self.successResultOf(self.server.factory.closeAllConnections())
        self.server.flush()
        self.assertStatus(peer, 503)
        self.assertTrue(waiting.called)
        self.assertEqual(self.log, [1])

    def test_timeIsShared(self):
        """
        C{handshakeTimeout} is for all steps together.
        """
        waiting = [Deferred(), Deferred()]
        peer = self.run_(*(self.step(n, d) for n, d in enumerate(waiting)))
        self.clock.advance(9)
        waiting[0].callback(None)
        self.assertEqual(self.log, [0, 1])
        self.clock.advance(1)
        self.server.flush()
        self.assertStatus(peer, 503)
        self.assertTrue(waiting[1].called)
        self.assertQuiet()
