# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The demonstration in Chromium: a real page, a real L{Site}, real WebSockets.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.protocols.policies import WrappingFactory
from twisted.trial.unittest import TestCase
from twisted.web.server import Site

from tests.browser.chromium import (
    TIMEOUT,
    Chromium,
    Page,
    bounded,
    find,
    findChromium,
)
from twisted_ws import WebSocketFactory, WebSocketResource
from twisted_ws.demo import makeDemo

reactor: Any = installed


class CountingFactory(WrappingFactory):
    """
    Tells when no connection of a server is left.
    """

    noisy = False
    waiting: Deferred[None] | None = None

    def unregisterProtocol(self, p: Any) -> None:
        """
        See L{WrappingFactory}.
        """
        WrappingFactory.unregisterProtocol(self, p)
        if self.waiting is not None and not self.protocols:
            self.waiting.callback(None)

    def whenIdle(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when the last connection is gone.
        """
        self.waiting = Deferred()
        if not self.protocols:
            self.waiting.callback(None)
        return bounded(reactor, self.waiting, "end of all connections")


CONTEXT = find("#board-canvas") + ".getContext('2d')"

COUNT = find("#board-count") + ".textContent"

PAINTED = """
(() => {
  const {data, width} = CONTEXT.getImageData(0, 0, 960, 600);
  const painted = [];
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3]) {
      const at = i / 4;
      painted.push([at % width, Math.floor(at / width), ...data.slice(i, i + 4)]);
    }
  }
  return painted;
})()
""".replace("CONTEXT", CONTEXT)
"""
What is painted on the board's canvas: of each pixel that is not transparent its x, its
y, and its colour.
"""


def inState(state: str, count: int) -> str:
    """
    @return: JavaScript that tells whether so many of the WebSockets are in this state.
    """
    return f"document.querySelectorAll('[data-state={state}]').length === {count}"


class DemoPageTests(TestCase):
    """
    What a person does with the page.
    """

    timeout = 3 * TIMEOUT
    if findChromium() is None:
        skip = "no Chromium is installed"

    async def setUp(self) -> None:
        """
        Serve the demonstration, and start a browser.
        """
        router, page = makeDemo()
        self.factory = WebSocketFactory(router)
        site = Site(WebSocketResource(self.factory, fallback=page))
        server = CountingFactory(site)
        port = reactor.listenTCP(0, server, interface="127.0.0.1")
        self.url = f"http://127.0.0.1:{port.getHost().port}/"
        self.addCleanup(server.whenIdle)
        self.addCleanup(port.stopListening)
        self.browser = await Chromium.start(reactor)
        self.addCleanup(self.browser.close)

    async def open(self) -> Page:
        """
        Open the page, and wait until its WebSockets are open.
        """
        page = await self.browser.open(self.url)
        self.addCleanup(self.check, page)
        await page.waitFor(inState("open", 3))
        return page

    async def check(self, page: Page) -> None:
        """
        Nothing went wrong on the page.  Its picture is left in the folder that
        C{$SCREENSHOTS} names, if that is set.
        """
        self.assertEqual(page.problems, [])
        if "SCREENSHOTS" in os.environ:
            picture = Path(os.environ["SCREENSHOTS"], f"{self._testMethodName}.png")
            picture.write_bytes(await page.screenshot())

    async def received(self, page: Page, count: int) -> list[str]:
        """
        Wait until so many texts have come back.

        @return: these texts.
        """
        found = "Array.from(document.querySelectorAll('#echo-log .received .what'))"
        texts: list[str] = await page.waitFor(
            f"{found}.length >= {count} && {found}.map((each) => each.textContent)"
        )
        return texts

    async def test_text(self) -> None:
        """
        A text that is typed and sent comes back, by a click or by Enter; markup in it
        is shown as it was typed.
        """
        page = await self.open()
        texts = ["Grüße, 世界 🌍", "<img src=x><b>bold</b>"]
        await page.click("#echo-text")
        await page.type(texts[0])
        await page.click("#echo-send")
        self.assertEqual(await self.received(page, 1), texts[:1])
        await page.click("#echo-text")
        await page.type(texts[1])
        await page.press("Enter")
        self.assertEqual(await self.received(page, 2), texts)
        self.assertTrue(await page.evaluate(find("#echo-log b, img") + " === null"))

    async def test_binary(self) -> None:
        """
        Random bytes come back equal, whatever form their length takes in a frame.
        """
        page = await self.open()
        result = find("#binary-result") + ".textContent"
        for size in (0, 125, 126, 65535, 65536, 1048576):
            await page.click("#binary-size")
            await page.type(str(size))
            await page.click("#binary-send")
            came = f"{result}.startsWith('{size} bytes came back')"
            text = await page.waitFor(f"{came} && {result}")
            self.assertRegex(text, rf"^{size} bytes came back equal after [\d.]+ ms\.$")

    async def test_counter(self) -> None:
        """
        The number grows; Reset makes it small again, and it goes on growing.
        """
        page = await self.open()
        number = f"Number({find('#counter-value')}.textContent)"
        first = await page.waitFor(number)
        later = await page.waitFor(f"{number} >= {first + 10} && {number}")
        await page.click("#counter-reset")
        (again,) = await page.waitFor(f"{number} < {later} && [{number}]")
        await page.waitFor(f"{number} > {again}")

    async def places(
        self, page: Page, points: list[tuple[int, int]]
    ) -> list[tuple[float, float]]:
        """
        @return: where in the window these points of the board are.
        """
        left, top, width, _ = await page.box("#board-canvas")
        scale = width / 480
        return [(left + x * scale, top + y * scale) for x, y in points]

    async def whenDrawn(self, page: Page, x: int, y: int) -> str:
        """
        Wait until something is drawn at this point of the board.

        @return: how many commands were drawn, as the page has it.
        """
        pixel = f"{CONTEXT}.getImageData({2 * x}, {2 * y}, 1, 1)"
        count: str = await page.waitFor(f"{pixel}.data[3] === 255 && {COUNT}")
        return count

    async def whenCounted(self, page: Page, count: str) -> list[list[int]]:
        """
        Wait until so many commands were drawn.

        @return: what is painted then.
        """
        await page.waitFor(f"{COUNT} === {json.dumps(count)}")
        painted: list[list[int]] = await page.evaluate(PAINTED)
        return painted

    async def test_board(self) -> None:
        """
        A stroke that is drawn on one page appears on another that is open, and on one
        that is opened later, pixel by pixel; and Clear clears all.
        """
        drawing, watching = await self.open(), await self.open()
        await drawing.evaluate(find("#board-colour") + ".value = '#123456'")
        stroke = [(100, 50), (200, 50), (200, 150)]
        await drawing.drag(await self.places(drawing, stroke))
        count = await self.whenDrawn(drawing, 200, 150)
        expected = await self.whenCounted(drawing, count)
        for pixel in ([200, 100], [300, 100], [400, 100], [400, 300]):
            self.assertIn([*pixel, 0x12, 0x34, 0x56, 255], expected)
        self.assertEqual(await self.whenCounted(watching, count), expected)
        newcomer = await self.open()
        self.assertEqual(await self.whenCounted(newcomer, count), expected)

        await newcomer.click("#board-clear")
        for page in (drawing, watching, newcomer):
            self.assertEqual(await self.whenCounted(page, "0 commands"), [])

    async def test_keyboard(self) -> None:
        """
        The keyboard draws, too: lines, and circles.
        """
        page = await self.open()
        focus = find("#board-canvas") + ".focus()"
        await page.evaluate(focus)
        await page.press("Space", "ArrowRight", "ArrowRight", "ArrowDown", "Space")
        painted = await self.whenCounted(page, "4 commands")
        drawn = {(x, y) for x, y, *_ in painted}
        self.assertLessEqual({(480, 300), (500, 300), (520, 300), (520, 320)}, drawn)
        self.assertEqual({(522, 340), (540, 300)} & drawn, set())

        await page.click("#board-circle")
        await page.evaluate(focus)
        await page.press("Space", "ArrowRight", "ArrowRight", "Space")
        painted = await self.whenCounted(page, "5 commands")
        drawn = {(x, y) for x, y, *_ in painted}
        self.assertLessEqual({(560, 320), (480, 320), (520, 360), (520, 280)}, drawn)
        self.assertEqual({(540, 330), (500, 330)} & drawn, set())

    async def test_disconnect(self) -> None:
        """
        Disconnect closes a WebSocket, Reconnect opens it again, and it works.
        """
        page = await self.open()
        state = find("#echo") + ".dataset.state"
        disabled = find("#echo-send") + ".matches(':disabled')"
        await page.click("#echo-toggle")
        await page.waitFor(f"{state} === 'closed'")
        self.assertEqual(await page.text("#echo-status"), "closed, 1005")
        self.assertEqual(await page.text("#echo-toggle"), "Reconnect")
        self.assertTrue(await page.evaluate(disabled))
        await page.click("#echo-toggle")
        await page.waitFor(f"{state} === 'open'")
        await page.click("#echo-send")
        self.assertEqual(await self.received(page, 1), ["Hello, WebSocket"])

    async def test_goingAway(self) -> None:
        """
        When the server shuts down the page says so.
        """
        page = await self.open()
        await self.factory.closeAllConnections(1001, "bye")
        await page.waitFor(inState("closed", 3))
        for name in ("echo", "counter", "board"):
            self.assertEqual(await page.text(f"#{name}-status"), "closed, 1001 bye")
