# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Drives Chromium, by its DevTools protocol, with our own client::

    browser = await Chromium.start(reactor)
    page = await browser.open("http://127.0.0.1:8080/")
    await page.click("#send")
    print(await page.waitFor("document.querySelector('#answer').textContent"))
    await browser.close()

Everything ends within C{TIMEOUT} seconds, or fails with L{ChromiumError}.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from base64 import b64decode
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from twisted_ws import (
    ClientConfig,
    ConnectionNotOpen,
    MessageReceiver,
    WebSocketClient,
)

TIMEOUT = 60
"""
Seconds; far more than anything here takes, even where much else runs.
"""

PATIENCE = 20
"""
Seconds that Chromium has to end when asked to.
"""

FLAGS = """
    --headless --no-sandbox --disable-gpu --disable-quic --no-first-run
    --disable-background-networking --disable-component-update --disable-sync
    --disable-dev-shm-usage --remote-debugging-port=0 --window-size=1280,900
""".split()

KEYS = {"ArrowRight": 39, "ArrowDown": 40, "Enter": 13, "Space": 32, "Tab": 9}
"""
The keys that can be pressed, with their old key codes.
"""


def findChromium() -> str | None:
    """
    @return: the path of Chromium, C{$CHROMIUM} before what is on the C{PATH}; or
        C{None}.
    """
    names = ("chromium", "chromium-browser", "google-chrome")
    found = (shutil.which(name) for name in names)
    return os.environ.get("CHROMIUM") or next(filter(None, found), None)


WAIT = """
new Promise((resolve) => {
  const observer = new MutationObserver(look);
  function look() {
    const value = (EXPRESSION);
    if (!value) return;
    observer.disconnect();
    resolve(value);
  }
  observer.observe(document, {
    subtree: true, childList: true, characterData: true, attributes: true,
  });
  look();
})
"""
"""
A promise of the value of EXPRESSION, once that is true.
"""


BOX = """
(() => {
  const element = ELEMENT;
  element.scrollIntoView({block: "center", behavior: "instant"});
  const {x, y, width, height} = element.getBoundingClientRect();
  return [x, y, width, height];
})()
"""
"""
Where ELEMENT is in the window, now that it is in view.
"""


def find(selector: str) -> str:
    """
    @return: JavaScript for the first element that C{selector} selects.
    """
    return f"document.querySelector({json.dumps(selector)})"


class ChromiumError(Exception):
    """
    Chromium did not do what it was asked to.
    """


def bounded(
    reactor: Any, deferred: Deferred[Any], what: str, seconds: float = TIMEOUT
) -> Deferred[Any]:
    """
    Wait for C{deferred} no longer than that.
    """

    def expired(result: object, seconds: float) -> None:
        raise ChromiumError(f"{what}: nothing came within {seconds:g} s")

    return deferred.addTimeout(seconds, reactor, expired)


class ChromiumProcess(ProcessProtocol):
    """
    The browser's process.

    @ivar output: the end of what it wrote into its standard error.
    @ivar isRunning: whether it is there, or anything that it started and that could
        write into its standard error.
    """

    def __init__(self) -> None:
        self.output = b""
        self.isRunning = True
        self._address: Deferred[str] = Deferred()
        self._waiting: list[Deferred[None]] = []

    def whenListening(self) -> Deferred[str]:
        """
        @return: a Deferred of the URL of its DevTools; to be called once.
        """
        return self._address

    def whenEnded(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when it is not running any more.
        """
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        if not self.isRunning:
            waiting.callback(None)
        return waiting

    def errReceived(self, data: bytes) -> None:
        """
        Look for the address.
        """
        self.output = (self.output + data)[-16384:]
        found = re.search(rb"DevTools listening on (ws://\S+)\s", self.output)
        if found and not self._address.called:
            self._address.callback(found[1].decode("ascii"))

    def processEnded(self, reason: Failure) -> None:
        """
        Tell who waits.
        """
        self.isRunning = False
        if not self._address.called:
            output = self.output.decode("utf-8", "replace")
            self._address.errback(ChromiumError(f"{reason.value}\n{output}"))
        for waiting in self._waiting:
            if not waiting.called:
                waiting.callback(None)


class DevTools(MessageReceiver):
    """
    Commands, and their answers, over one WebSocket.

    @ivar events: for each session, what is to be called with the method and the
        parameters of its events.
    """

    def __init__(self, reactor: Any) -> None:
        self.events: dict[str, Callable[[str, Any], object]] = {}
        self._reactor = reactor
        self._answers: dict[int, Deferred[Any]] = {}
        self._last = 0

    def command(
        self, method: str, session: str | None = None, **params: Any
    ) -> Deferred[Any]:
        """
        Ask Chromium for something.

        @return: a Deferred of the answer.
        """
        self._last += 1
        message = {"id": self._last, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        answer = self._answers[self._last] = Deferred()
        self.transport.sendMessage(json.dumps(message))
        return bounded(self._reactor, answer, f"{method} {params}")

    def messageReceived(self, message: str | bytes) -> None:
        """
        An answer or an event.
        """
        parsed = json.loads(message)
        answer = self._answers.pop(parsed.get("id"), None)
        if answer is None:
            heard = self.events.get(parsed.get("sessionId"))
            if heard is not None and "method" in parsed:
                heard(parsed["method"], parsed["params"])
        elif "error" in parsed:
            answer.errback(ChromiumError(parsed["error"]["message"]))
        else:
            answer.callback(parsed["result"])

    def connectionLost(self, reason: Failure | None = None) -> None:
        """
        There will be no answers.
        """
        answers, self._answers = self._answers, {}
        for answer in answers.values():
            answer.errback(
                ChromiumError(f"Chromium is gone: {reason and reason.value}")
            )


class Chromium:
    """
    A browser with a profile of its own, and all its traces in a folder of its own.

    @ivar folder: that folder; C{close} removes it.
    @ivar process: the L{ChromiumProcess}.
    """

    def __init__(self, reactor: Any) -> None:
        self.folder = tempfile.mkdtemp(prefix="chromium-")
        self.process = ChromiumProcess()
        self._reactor = reactor
        self._transport: Any = None
        self._devTools: Any = None

    @classmethod
    async def start(cls, reactor: Any, *flags: str) -> Chromium:
        """
        Start a browser.

        @param flags: further flags for it.
        @raise ChromiumError: when it does not come up; nothing is left of it then.
        """
        browser = cls(reactor)
        try:
            await browser._launch(flags)
        except BaseException:
            await browser.close()
            raise
        return browser

    async def _launch(self, flags: Sequence[str]) -> None:
        path = findChromium()
        if path is None:
            raise ChromiumError("no Chromium is installed")
        environment = dict(os.environ, HOME=self.folder, TMPDIR=self.folder)
        for name in list(environment):
            if name.startswith("XDG_"):
                del environment[name]
        profile = os.path.join(self.folder, "profile")
        own = [f"--user-data-dir={profile}", "about:blank"]
        arguments = [path, *FLAGS, *flags, *own]
        self._transport = self._reactor.spawnProcess(
            self.process, path, arguments, environment
        )
        # If the tests are interrupted, nobody calls close.
        self._trigger = self._reactor.addSystemEventTrigger(
            "before", "shutdown", self._kill
        )
        address = self.process.whenListening()
        url = await bounded(self._reactor, address, "start of Chromium")
        config = ClientConfig(maxReceivedMessageSize=None, handshakeTimeout=TIMEOUT)
        client = WebSocketClient(self._reactor, config)
        self._devTools = await client.connect(url, DevTools(self._reactor))

    async def open(self, url: str) -> Page:
        """
        Open a page, and wait until it is loaded.
        """
        command = self._devTools.command
        target = await command("Target.createTarget", url="about:blank")
        attached = await command("Target.attachToTarget", flatten=True, **target)
        page = Page(self._reactor, self._devTools, attached["sessionId"])
        await page.load(url)
        return page

    async def close(self) -> None:
        """
        End the browser, by force if it does not end by itself, and remove its
        folder.
        """
        try:
            if self._transport is not None:
                await self._end()
        finally:
            shutil.rmtree(self.folder)

    async def _end(self) -> None:
        self._reactor.removeSystemEventTrigger(self._trigger)
        if self._devTools is not None:
            closed = self._devTools.transport.whenClosed()
            try:
                self._devTools.command("Browser.close").addErrback(lambda failure: None)
                await self._whenEnded(PATIENCE)
            except (ChromiumError, ConnectionNotOpen):
                self._kill()
        else:
            self._kill()
            closed = succeed(None)
        await self._whenEnded(TIMEOUT)
        await bounded(self._reactor, closed, "loss of the connection to Chromium")

    def _whenEnded(self, seconds: float) -> Deferred[None]:
        ended = self.process.whenEnded()
        return bounded(self._reactor, ended, "end of Chromium", seconds)

    def _kill(self) -> None:
        try:
            self._transport.signalProcess("KILL")
        except ProcessExitedAlready:
            pass


class Page:
    """
    A page that is open.

    @ivar problems: exceptions nobody caught, and what the browser complains of: of
        what the Content-Security-Policy forbids, or what could not be loaded.
    """

    def __init__(self, reactor: Any, devTools: DevTools, session: str) -> None:
        self.problems: list[str] = []
        self._reactor = reactor
        self._command = partial(devTools.command, session=session)
        self._loaded: Deferred[None] = Deferred()
        devTools.events[session] = self._heard

    def _heard(self, method: str, params: Any) -> None:
        if method == "Page.loadEventFired" and not self._loaded.called:
            self._loaded.callback(None)
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.problems.append(details.get("exception", details)["description"])
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.problems.append(params["entry"]["text"])

    async def load(self, url: str) -> None:
        """
        Go to this URL.
        """
        for domain in ("Log", "Page", "Runtime"):
            await self._command(f"{domain}.enable")
        self._loaded = Deferred()
        answer = await self._command("Page.navigate", url=url)
        if "errorText" in answer:
            raise ChromiumError(f"{url}: {answer['errorText']}")
        await bounded(self._reactor, self._loaded, f"load of {url}")

    async def evaluate(self, expression: str) -> Any:
        """
        Evaluate JavaScript in the page.

        @return: its value, as from JSON; when that is a promise, what it resolves
            to.
        @raise ChromiumError: when it throws, or the promise is rejected.
        """
        answer = await self._command(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
        )
        if "exceptionDetails" in answer:
            thrown = answer["exceptionDetails"]
            raise ChromiumError(f"{expression}: {thrown['exception']['description']}")
        return answer["result"].get("value")

    async def waitFor(self, expression: str) -> Any:
        """
        Wait until an expression is true; it is looked at after each change of the
        document.

        @return: its value.
        """
        return await self.evaluate(WAIT.replace("EXPRESSION", expression))

    async def text(self, selector: str) -> Any:
        """
        @return: the text of the first element that C{selector} finds.
        """
        return await self.evaluate(f"{find(selector)}.textContent")

    async def box(self, selector: str) -> list[float]:
        """
        Scroll to an element.

        @return: where it is in the window: left, top, width, height.
        """
        box: list[float] = await self.evaluate(BOX.replace("ELEMENT", find(selector)))
        return box

    async def click(self, selector: str) -> None:
        """
        Click on an element.
        """
        left, top, width, height = await self.box(selector)
        await self.drag([(left + width / 2, top + height / 2)])

    async def drag(
        self, points: Sequence[tuple[float, float]], button: str = "left"
    ) -> None:
        """
        Press the mouse at the first of these points, move it over the others, and
        release it at the last.

        @param button: which of its buttons, C{"left"} or C{"right"}.
        """
        # A page behind another is not painted, and moves wait for it to be.
        await self._command("Page.bringToFront")
        mouse = partial(self._command, "Input.dispatchMouseEvent", button=button)
        pressed = {"left": 1, "right": 2}[button]
        x, y = points[0]
        await mouse(type="mousePressed", x=x, y=y, clickCount=1)
        for x, y in points[1:]:
            await mouse(type="mouseMoved", x=x, y=y, buttons=pressed)
        await mouse(type="mouseReleased", x=x, y=y, clickCount=1)

    async def move(self, points: Sequence[tuple[float, float]]) -> None:
        """
        Move the mouse over these points, with no button pressed.
        """
        await self._command("Page.bringToFront")
        for x, y in points:
            await self._command("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    async def type(self, text: str) -> None:
        """
        Type a text into the field that has the focus, in place of what it holds.
        """
        await self.evaluate("document.activeElement.select()")
        await self._command("Input.insertText", text=text)

    async def press(self, *keys: str) -> None:
        """
        Press keys and release them, one after the other.
        """
        strike = partial(self._command, "Input.dispatchKeyEvent")
        for name in keys:
            text = {"Enter": "\r", "Space": " "}.get(name, "")
            key = {
                "key": " " if name == "Space" else name,
                "code": name,
                "windowsVirtualKeyCode": KEYS[name],
            }
            await strike(type="keyDown", text=text, **key)
            await strike(type="keyUp", **key)

    async def screenshot(self) -> bytes:
        """
        @return: what the page looks like, as PNG.
        """
        # A page behind another would show what it looked like before.
        await self._command("Page.bringToFront")
        answer = await self._command("Page.captureScreenshot")
        return b64decode(answer["data"])
