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

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from twisted_ws import ClientConfig, MessageReceiver, WebSocketClient

TIMEOUT = 60
"""
Seconds; far more than anything here takes, even where much else runs.
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


class ChromiumError(Exception):
    """
    Chromium did not do what it was asked to.
    """


def bounded(reactor: Any, deferred: Deferred[Any], what: str) -> Deferred[Any]:
    """
    Wait for C{deferred} no longer than C{TIMEOUT}.
    """

    def expired(result: object, seconds: float) -> None:
        raise ChromiumError(f"{what}: nothing came within {seconds:g} s")

    return deferred.addTimeout(TIMEOUT, reactor, expired)


class ChromiumProcess(ProcessProtocol):
    """
    The browser's process.

    @ivar address: a Deferred of the URL of its DevTools.
    @ivar ended: fires when the process is gone, and all that it started and that
        could write into its standard error.
    @ivar output: the end of what it wrote there.
    """

    def __init__(self) -> None:
        self.address: Deferred[str] = Deferred()
        self.ended: Deferred[None] = Deferred()
        self.output = b""

    def errReceived(self, data: bytes) -> None:
        """
        Look for the address.
        """
        self.output = (self.output + data)[-16384:]
        found = re.search(rb"DevTools listening on (ws://\S+)\s", self.output)
        if found and not self.address.called:
            self.address.callback(found[1].decode("ascii"))

    def processEnded(self, reason: Failure) -> None:
        """
        Tell who waits.
        """
        if not self.address.called:
            output = self.output.decode("utf-8", "replace")
            self.address.errback(ChromiumError(f"{reason.value}\n{output}"))
        self.ended.callback(None)


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
            answer.errback(ChromiumError(f"Chromium is gone: {reason and reason.value}"))


class Chromium:
    """
    A browser with a profile of its own, and all its traces in a folder of its own.

    @ivar folder: that folder; C{close} removes it.
    @ivar process: the L{ChromiumProcess}.
    """

    devTools: DevTools

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self.folder = tempfile.mkdtemp(prefix="chromium-")
        self.process = ChromiumProcess()

    @classmethod
    async def start(cls, reactor: Any) -> Chromium:
        """
        Start a browser.

        @raise ChromiumError: when it does not come up; nothing is left of it then.
        """
        browser = cls(reactor)
        try:
            await browser._launch()
        except BaseException:
            await browser.close()
            raise
        return browser

    async def _launch(self) -> None:
        path = findChromium()
        if path is None:
            raise ChromiumError("no Chromium is installed")
        environment = dict(os.environ, HOME=self.folder, TMPDIR=self.folder)
        for name in list(environment):
            if name.startswith("XDG_"):
                del environment[name]
        profile = os.path.join(self.folder, "profile")
        arguments = [path, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        self._transport = self._reactor.spawnProcess(
            self.process, path, arguments, environment
        )
        # If the tests are interrupted there is no other end.
        self._trigger = self._reactor.addSystemEventTrigger(
            "before", "shutdown", self._kill
        )
        url = await bounded(self._reactor, self.process.address, "start of Chromium")
        config = ClientConfig(maxReceivedMessageSize=None, handshakeTimeout=TIMEOUT)
        client = WebSocketClient(self._reactor, config)
        self.devTools = await client.connect(url, DevTools(self._reactor))

    async def open(self, url: str) -> Page:
        """
        Open a page, and wait until it is loaded.
        """
        command = self.devTools.command
        target = await command("Target.createTarget", url="about:blank")
        attached = await command("Target.attachToTarget", flatten=True, **target)
        page = Page(self._reactor, self.devTools, attached["sessionId"])
        await page.load(url)
        return page

    async def close(self) -> None:
        """
        End the browser, by force if need be, and remove its folder.
        """
        try:
            if getattr(self, "_transport", None) is not None:
                await self._end()
        finally:
            shutil.rmtree(self.folder)

    async def _end(self) -> None:
        try:
            await self.devTools.command("Browser.close")
            await bounded(self._reactor, self.process.ended, "end of Chromium")
        finally:
            self._reactor.removeSystemEventTrigger(self._trigger)
            if not self.process.ended.called:
                self._kill()
                await bounded(self._reactor, self.process.ended, "kill of Chromium")

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
        return await self.evaluate(
            """
            new Promise((resolve) => {
              const observer = new MutationObserver(look);
              function look() {
                const value = (%s);
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
            % expression
        )

    async def text(self, selector: str) -> Any:
        """
        @return: the text of the first element that C{selector} finds.
        """
        return await self.evaluate(f"document.querySelector({selector!r}).textContent")

    async def centre(self, selector: str) -> tuple[float, float]:
        """
        Scroll to an element.

        @return: where its middle is in the window.
        """
        x, y = await self.evaluate(
            f"""
            (() => {{
              const element = document.querySelector({selector!r});
              element.scrollIntoView({{block: "center", behavior: "instant"}});
              const box = element.getBoundingClientRect();
              return [box.x + box.width / 2, box.y + box.height / 2];
            }})()
            """
        )
        return x, y

    async def click(self, selector: str) -> None:
        """
        Click on an element.
        """
        await self.drag([await self.centre(selector)])

    async def drag(self, points: Sequence[tuple[float, float]]) -> None:
        """
        Press the mouse at the first of these points, move it over the others, and
        release it at the last.
        """
        mouse = partial(self._command, "Input.dispatchMouseEvent", button="left")
        x, y = points[0]
        await mouse(type="mousePressed", x=x, y=y, clickCount=1)
        for x, y in points[1:]:
            await mouse(type="mouseMoved", x=x, y=y, buttons=1)
        await mouse(type="mouseReleased", x=x, y=y, clickCount=1)

    async def type(self, text: str) -> None:
        """
        Type a text into what has the focus, in place of what is selected there.
        """
        await self._command("Input.insertText", text=text)

    async def press(self, *keys: str) -> None:
        """
        Press keys and release them, one after the other.
        """
        for name in keys:
            text = {"Enter": "\r", "Space": " "}.get(name, "")
            key = {
                "key": " " if name == "Space" else name,
                "code": name,
                "windowsVirtualKeyCode": KEYS[name],
            }
            await self._command("Input.dispatchKeyEvent", type="keyDown", text=text, **key)
            await self._command("Input.dispatchKeyEvent", type="keyUp", **key)

    async def screenshot(self) -> bytes:
        """
        @return: what the page looks like, as PNG.
        """
        answer = await self._command("Page.captureScreenshot")
        return b64decode(answer["data"])
