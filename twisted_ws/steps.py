# -*- test-case-name: tests.test_steps -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What a request has to pass before an application sees it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from .application import Application, checkApplication, refuseOrigin, run
from .config import ServerConfig
from .interfaces import IWebSocketResource
from .origin import OriginRule, isAllowed
from .request import Verdict, WebSocketRequest

Step = Callable[[WebSocketRequest], Awaitable[None] | None]
"""
Takes a request and rejects it, accepts it, or lets it pass by doing neither; at once,
or when the Deferred or the coroutine that it returns is done.
"""


@implementer(IWebSocketResource)
class Steps:
    """
    An application with steps before it::

        router.mount("/chat", "chat.v1", Steps([AllowOrigins(), authenticate], Chat))

    The steps are run in order; each waits for the one before it, and none is run
    after one that has answered the request.  One that fails is logged, and answered
    for with 500.  When the client leaves meanwhile, what is awaited is cancelled.

    @ivar steps: the steps.
    @ivar application: what is run when all of them have let the request pass.
    """

    isLeaf = True

    def __init__(self, steps: Iterable[Step], application: Application) -> None:
        """
        @raise TypeError: when a step cannot be called, or the application is none.
        """
        self.steps = tuple(steps)
        self.application = application
        for step in self.steps:
            if not callable(step) or isinstance(step, type):
                raise TypeError(f"a step takes a request, unlike {step!r}")
        checkApplication(application)

    def getChildWithDefault(self, name: bytes, request: Any) -> Any:
        """
        See L{IWebSocketResource}: there are none.
        """
        return None

    def putChild(self, name: bytes, child: Any) -> None:
        """
        See L{IWebSocketResource}.

        @raise ValueError: always; put it into the Router behind the steps.
        """
        raise ValueError("steps have no children")

    def requestReceived(self, request: WebSocketRequest) -> object:
        """
        Have the request go through the steps.
        """
        return Deferred.fromCoroutine(self._go(request))

    async def _go(self, request: WebSocketRequest) -> None:
        for step in self.steps:
            answer: object = step(request)
            if isinstance(answer, Awaitable):
                answer = await answer
            if request.verdict is not Verdict.PENDING:
                return
            if answer is not None:
                # Whoever returns False means something by it, which a step that
                # lets the request pass does not.
                raise TypeError(
                    f"the step {step!r} returned {answer!r}; a step rejects the"
                    " request, or returns None to let it pass"
                )
        run(self.application, request)


class AllowOrigins:
    """
    A step that refuses pages of origins that are not allowed, with 403.  Receivers
    mounted as classes or factories behind it are not asked again.
    """

    def __init__(self, rules: str | Collection[OriginRule] | None = None) -> None:
        """
        @param rules: as C{allowedOrigins} of L{ServerConfig<twisted_ws.ServerConfig>};
            by default that of the server.
        @raise ValueError: when there cannot be such a rule.
        """
        if rules is not None:
            rules = ServerConfig(allowedOrigins=rules).allowedOrigins
        self._rules = rules

    def __call__(self, request: WebSocketRequest) -> None:
        """
        Judge the request.
        """
        rules = request.config.allowedOrigins if self._rules is None else self._rules
        if isAllowed(request, rules):
            request.isOriginJudged = True
        else:
            refuseOrigin(request)
