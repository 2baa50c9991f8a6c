# -*- test-case-name: tests.test_demo -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What C{twistd websocket} serves when it is told nothing else: three applications,
and a page that talks to them.

The applications are meant to be read.  Each keeps to the pace of its peer: it is, or
names, the producer of what it sends, which is told to pause while the peer has enough
to read, to resume when it has room, and to stop when the connection begins to close.
"""

from __future__ import annotations

from base64 import b64encode
from collections import deque
from collections.abc import Iterable
from hashlib import sha256
from importlib.resources import files
from re import DOTALL, findall

from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.protocol import Factory
from twisted.internet.task import LoopingCall
from twisted.web.iweb import IRequest
from twisted.web.pages import notFound
from twisted.web.resource import IResource, Resource
from zope.interface import implementer

from ..paths import ANY
from ..receiver import MessageReceiver
from ..request import WebSocketRequest
from ..router import Router


class Echo(MessageReceiver):
    """
    Sends back what it gets, text as text and binary as binary.
    """

    def connectionMade(self) -> None:
        """
        Have nothing received while the peer leaves its echoes unread.
        """
        self.transport.registerProducer(self.transport, True)

    def messageReceived(self, message: str | bytes) -> None:
        """
        Send it back.
        """
        self.transport.sendMessage(message)


def echo(request: WebSocketRequest) -> None:
    """
    Accept with the subprotocol that the client likes best, whatever it is.
    """
    if request.isOriginAllowed():
        request.accept(Echo(), next(iter(request.requestedProtocols), None))
    else:
        request.reject(403, "Origin Not Allowed")


@implementer(IPushProducer)
class Counter(MessageReceiver):
    """
    Sends a number every 50 milliseconds: 0, 1, 2 ...  The text C{"reset\\n"} begins
    anew.
    """

    factory: CounterFactory
    interval = 0.05

    def connectionMade(self) -> None:
        """
        Begin to count.
        """
        self._number = 0
        self._ticks = LoopingCall(self._tick)
        if self.factory.clock is not None:
            self._ticks.clock = self.factory.clock
        self.transport.registerProducer(self, True)
        self.resumeProducing()

    def _tick(self) -> None:
        self.transport.sendMessage(str(self._number))
        self._number += 1

    def messageReceived(self, message: str | bytes) -> None:
        """
        Begin anew if that is what it says.
        """
        if message == "reset\n":
            self.reset()

    def reset(self) -> None:
        """
        Begin anew.
        """
        self._number = 0

    def resumeProducing(self) -> None:
        """
        Count.
        """
        self._ticks.start(self.interval, now=False)

    def pauseProducing(self) -> None:
        """
        Stand still.
        """
        if self._ticks.running:
            self._ticks.stop()

    stopProducing = pauseProducing


class CounterFactory(Factory):
    """
    Makes counters.

    @ivar clock: what they count by; C{None} for the global reactor.
    """

    protocol = Counter  # type: ignore[assignment]

    def __init__(self, clock: IReactorTime | None = None) -> None:
        self.clock = clock


@implementer(IPushProducer)
class Member(MessageReceiver):
    """
    Who looks at a L{Board}, and draws on it.  A member that reads slower than the
    others draw misses what comes meanwhile, and is then shown the whole board.
    """

    factory: Board

    def connectionMade(self) -> None:
        """
        Be shown the board, and what comes.
        """
        self._isPaused = self._hasMissed = False
        self.factory.members.add(self)
        self.transport.registerProducer(self, True)
        self.greet()

    def greet(self) -> None:
        """
        Show a newcomer what there is.
        """
        self.show(self.factory.drawing)

    def messageReceived(self, message: str | bytes) -> None:
        """
        Draw.
        """
        if isinstance(message, str):
            self.factory.draw(message)

    def show(self, commands: str) -> None:
        """
        Send drawing commands, now or later.
        """
        if self._isPaused:
            self._hasMissed = True
        else:
            self.transport.sendMessage(commands)

    def pauseProducing(self) -> None:
        """
        Wait.
        """
        self._isPaused = True

    def resumeProducing(self) -> None:
        """
        Catch up.
        """
        self._isPaused = False
        if self._hasMissed:
            self._hasMissed = False
            self.show(self.factory.drawingAnew)

    def stopProducing(self) -> None:
        """
        Leave.
        """
        self.factory.members.discard(self)


class Board(Factory):
    """
    A drawing board that all its members see.  What they draw are commands:
    C{"d colour x1 y1 x2 y2;"} for a line, C{"c colour x y r;"} for a circle, and
    C{"clear;"}.  It remembers the latest, so that newcomers see the same.

    @ivar members: the L{Member}s.
    @ivar limit: how many characters of commands it remembers.
    @ivar clear: the command that empties it.
    """

    protocol = Member  # type: ignore[assignment]
    limit = 1 << 18
    clear = "clear;"

    def __init__(self) -> None:
        self.members: set[Member] = set()
        self._commands: deque[str] = deque()
        self._size = 0

    def asMessage(self, commands: Iterable[str]) -> str:
        """
        @return: one message for these commands; may be overridden.
        """
        return "".join(commands)

    @property
    def drawing(self) -> str:
        """
        The message that draws the board.
        """
        return self.asMessage(self._commands)

    @property
    def drawingAnew(self) -> str:
        """
        The message that draws it over whatever was there.
        """
        return self.asMessage([self.clear, *self._commands])

    def draw(self, commands: str) -> None:
        """
        Remember the commands of one message, and show them to all members.
        """
        if commands == self.clear:
            self._commands.clear()
            self._size = 0
        elif commands:
            self._commands.append(commands)
            self._size += len(commands)
            while self._size > self.limit:
                self._size -= len(self._commands.popleft())
        for member in list(self.members):
            member.show(commands)


class Page(Resource):
    """
    One page at C{/}, complete in itself.
    """

    def __init__(self, page: str) -> None:
        """
        @param page: as HTML.
        """
        Resource.__init__(self)
        self._page = page.encode("utf-8")
        self._policy = contentSecurityPolicy(page)

    def getChild(self, path: bytes, request: IRequest) -> IResource:
        """
        See L{IResource.getChildWithDefault}: there is nothing but the page.
        """
        if path or request.postpath:
            return notFound()
        return self

    def render_GET(self, request: IRequest) -> bytes:
        """
        Send the page.
        """
        request.setHeader(b"content-type", b"text/html; charset=utf-8")
        request.setHeader(b"content-security-policy", self._policy)
        request.setHeader(b"cache-control", b"no-cache")
        request.setHeader(b"referrer-policy", b"no-referrer")
        request.setHeader(b"x-content-type-options", b"nosniff")
        return self._page


def contentSecurityPolicy(page: str) -> bytes:
    """
    Make a policy under which a browser runs this page as it is and nothing else,
    whatever comes from the network: it may use its own script and style, known by
    their hashes, and may connect to WebSockets.
    """
    sources = {}
    for element in ("script", "style"):
        texts = findall(f"<{element}>(.*?)</{element}>", page, DOTALL)
        digests = [b64encode(sha256(text.encode()).digest()) for text in texts]
        sources[element] = " ".join(f"'sha256-{each.decode()}'" for each in digests)
    rules = (
        "default-src 'none'",
        f"script-src {sources['script']}",
        f"style-src {sources['style']}",
        "img-src data:",
        # To some browsers 'self' does not include WebSockets of the same host.
        "connect-src 'self' ws: wss:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
    return "; ".join(rules).encode("ascii")


def makeDemo(clock: IReactorTime | None = None) -> tuple[Router, IResource]:
    """
    Make the demonstration::

        router, page = makeDemo()
        Site(WebSocketResource(WebSocketFactory(router), fallback=page))

    @param clock: what the counter counts by, by default the global reactor.
    @return: the applications, at C{/echo}, C{/counter} and C{/board}; and the page.
    """
    router = Router()
    router.mount("/echo", ANY, echo)
    counter = CounterFactory(clock)
    board = Board()
    for path, protocol, application in (
        ("/counter", "dumb-increment-protocol", counter),
        ("/board", "lws-mirror-protocol", board),
    ):
        # The names by which the demonstrations of other libraries know them.
        router.mount(path, protocol, application)
        router.mount(path, None, application)
    page = files(__name__).joinpath("page.html").read_text("utf-8")
    return router, Page(page)
