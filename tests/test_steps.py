# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What a request has to pass before an application sees it: L{twisted_ws.Steps}.
"""

from functools import partial

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.protocol import Factory
from zope.interface.verify import verifyObject

from twisted_ws import AllowOrigins, Cookie, Router, Steps
from twisted_ws.interfaces import IWebSocketResource
from twisted_ws.request import Verdict

from .handshakes import GREETING, HELLO, HELLO_REPLY, Echo, handshake
from .steps import Oops, StepTests


class OrderTests(StepTests):
    """
    Which steps are run, and when.
    """

    def test_interface(self):
        """
        Steps are an C{IWebSocketResource}: a leaf without children.
        """
        steps = Steps([], Echo)
        self.assertTrue(verifyObject(IWebSocketResource, steps))
        self.assertTrue(steps.isLeaf)
        self.assertIsNone(steps.getChildWithDefault(b"a", None))
        self.assertRaises(ValueError, steps.putChild, b"a", Echo)

    def test_inOrder(self):
        """
        Steps are run in order, each once for a request, and then the application.
        """
        self.run_(*map(self.step, range(5)))
        self.assertEqual(self.log, [0, 1, 2, 3, 4, "application"])
        self.connect(handshake())
        self.assertEqual(self.log, [0, 1, 2, 3, 4, "application"] * 2)

    def test_none(self):
        """
        Without steps it is the application alone.
        """
        self.assertEqual(self.run_().take(), GREETING)

    def test_many(self):
        """
        There may be more steps than calls may nest.
        """
        peer = self.run_(*map(self.step, range(5000)))
        self.assertEqual(peer.take(), GREETING)
        self.assertEqual(len(self.log), 5001)

    def test_eachWaits(self):
        """
        Each step waits for the one before it, however that takes its time.
        """
        waiting = [Deferred() for _ in range(3)]

        async def coroutine(request):
            self.log.append("coroutine")
            await waiting[1]

        class Step:
            async def __call__(inner, request):
                self.log.append("object")
                await waiting[2]

        peer = self.run_(
            self.step("deferred", waiting[0]),
            coroutine,
            Step(),
            self.step("ready", partial(succeed, None)),
        )
        for number, expected in enumerate(["deferred", "coroutine", "object"]):
            self.assertEqual(self.log[number:], [expected])
            self.assertEqual(peer.take(), b"")
            waiting[number].callback(None)
        self.assertEqual(self.log[3:], ["ready", "application"])
        self.server.flush()
        self.assertEqual(peer.take(), GREETING)

    def test_everyApplication(self):
        """
        Behind them may be whatever is an application.
        """
        router = Router()
        router.mount("/", "*", Echo)

        async def coroutine(request):
            request.accept(Echo())

        for application in (
            Echo,
            Factory.forProtocol(Echo),
            coroutine,
            router,
            Steps([self.step(1)], Echo),
        ):
            self.assertEqual(self.run_(application=application).take(), GREETING)

    def test_nested(self):
        """
        Steps nest, and wait for those within.
        """
        waiting = Deferred()
        inner = Steps([self.step("b", waiting), self.step("c")], self.application)
        peer = self.run_(self.step("a", partial(succeed, None)), application=inner)
        self.assertEqual(self.log, ["a", "b"])
        waiting.callback(None)
        self.server.flush()
        self.assertEqual(self.log, ["a", "b", "c", "application"])
        self.assertEqual(peer.take(), GREETING)

    def test_stepThatIsSteps(self):
        """
        What a step sees is what those before it have set.
        """

        def first(request):
            request.avatar = "alice"

        def second(request):
            self.log.append(request.avatar)

        self.run_(first, second)
        self.assertEqual(self.log, ["alice", "application"])

    def test_given(self):
        """
        The steps are those that were given, whatever happens to the list after.
        """
        given = [self.step(1)]
        steps = Steps(given, Echo)
        given.clear()
        self.assertEqual(len(steps.steps), 1)
        self.assertIs(steps.application, Echo)
        self.assertEqual(len(Steps(iter([self.step(1)]), Echo).steps), 1)

    def test_noSteps(self):
        """
        What is no step, and what is no application, is found when they are put
        together.
        """
        for step in (None, 5, "step", Router(), AllowOrigins, Echo, [self.step(1)]):
            with self.assertRaisesRegex(TypeError, "a step takes a request, unlike"):
                Steps([self.step(1), step], Echo)
        for steps in (None, self.step(1), 5, "steps"):
            self.assertRaises(TypeError, Steps, steps, Echo)
        for application in (None, 5, Echo(), object):
            self.assertRaises(TypeError, Steps, [], application)


class AnswerTests(StepTests):
    """
    Steps that answer the request themselves.
    """

    def answered(self, answer):
        """
        @return: what a client gets from a step that answers so, at once or later, in
            the middle of others.
        """
        responses = []
        for later in (False, True):
            self.log.clear()
            waiting = Deferred().addCallback(lambda ignored: answer(self.requests[0]))
            self.serve()

            def step(request, later=later, waiting=waiting):
                self.requests.append(request)
                return waiting if later else answer(request)

            steps = [self.step("before"), step, self.step("after")]
            self.server.factory.application = Steps(steps, self.application)
            peer = self.connect(handshake())
            waiting.callback(None) if later else None
            self.server.flush()
            self.assertEqual(self.log, ["before"])
            responses.append(peer.take())
        date = b"Date: "
        one, other = (
            [line for line in each.split(b"\r\n") if not line.startswith(date)]
            for each in responses
        )
        self.assertEqual(one, other)
        return responses[0]

    def test_accepts(self):
        """
        One may accept; what it returns does not count then.
        """
        for answer in (
            lambda request: request.accept(Echo()),
            lambda request: bool(request.accept(Echo())),
        ):
            self.assertEqual(self.answered(answer), GREETING)

    def test_refuses(self):
        """
        One may refuse with a whole HTTP response.
        """
        response = self.answered(
            lambda request: request.reject(
                429,
                "Slow Down",
                headers={"Retry-After": "60", "Content-Type": "application/json"},
                cookies=[Cookie("seen", "1", path="/")],
                body=b'{"wait": 60}',
            )
        )
        head, _, body = response.partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 429 Slow Down\r\n"))
        for line in (
            b"Retry-After: 60",
            b"Content-Type: application/json",
            b"Set-Cookie: seen=1; Path=/",
            b"Content-Length: 12",
            b"Connection: close",
        ):
            self.assertIn(line, head.split(b"\r\n"))
        self.assertEqual(body, b'{"wait": 60}')

    def test_redirects(self):
        """
        One may send the client elsewhere.
        """
        response = self.answered(
            lambda request: request.reject(
                302, headers={"Location": "wss://b.example/"}
            )
        )
        self.assertTrue(response.startswith(b"HTTP/1.1 302 Found\r\n"))
        self.assertIn(b"\r\nLocation: wss://b.example/\r\n", response)

    def test_goesOnAfterwards(self):
        """
        One that has answered may still be at work; nothing is run after it.
        """
        waiting = Deferred()

        async def step(request):
            request.accept(Echo())
            await waiting
            self.log.append("done")

        peer = self.run_(step, self.step("after"))
        peer.send(HELLO)
        self.assertEqual(peer.take(), GREETING + HELLO_REPLY)
        waiting.callback(False)
        self.assertEqual(self.log, ["done"])


class FailureTests(StepTests):
    """
    Steps that fail.
    """

    def test_fails(self):
        """
        A step that fails, in any way, is logged once and answered for with 500; nothing
        is run after it.
        """

        def plain(request):
            raise Oops

        async def coroutine(request):
            raise Oops

        async def later(request):
            await succeed(None)
            raise Oops

        for step in (plain, coroutine, later, lambda request: fail(Oops())):
            self.log.clear()
            peer = self.run_(self.step(1), step, self.step(2))
            self.assertStatus(peer, 500)
            self.assertEqual(len(self.flushLoggedErrors(Oops)), 1)
            self.assertEqual(self.log, [1])
            self.assertQuiet()

    def test_exits(self):
        """
        Not even C{SystemExit} gets past it.
        """
        for error in (SystemExit, KeyboardInterrupt, GeneratorExit, CancelledError):

            def step(request, error=error):
                raise error

            self.assertStatus(self.run_(step), 500)
            self.assertEqual(len(self.flushLoggedErrors(error)), 1)

    def test_returns(self):
        """
        A step that returns anything but C{None} means something by it, which is not
        that the request may pass: it is refused with 500, at once or later.
        """
        for value in (
            True,
            False,
            0,
            "",
            "no",
            (),
            [],
            Echo,
            object(),
            Verdict.PENDING,
        ):
            for step in (
                lambda request, value=value: value,
                lambda request, value=value: succeed(value),
            ):
                self.log.clear()
                peer = self.run_(step, self.step("after"))
                self.assertStatus(peer, 500)
                (failure,) = self.flushLoggedErrors(TypeError)
                self.assertIn("to let it pass", str(failure.value))
                self.assertEqual(self.log, [])

    def test_applicationFails(self):
        """
        An application behind steps that fails is logged once.
        """

        async def application(request):
            raise Oops

        self.assertStatus(self.run_(self.step(1), application=application), 500)
        self.assertEqual(len(self.flushLoggedErrors(Oops)), 1)

    def test_afterItsAnswer(self):
        """
        One that fails after it has answered is logged; the answer stands.
        """

        def step(request):
            request.reject(418)
            raise Oops

        self.assertStatus(self.run_(step, self.step(1)), 418)
        self.assertEqual(len(self.flushLoggedErrors(Oops)), 1)
        self.assertEqual(self.log, [])
