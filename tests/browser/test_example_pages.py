# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The pages of the examples in Chromium, served by the examples as programs.

What is drawn on a page is looked at as a person does: in pictures of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

from twisted.internet import reactor as installed

from tests.browser.chromium import TIMEOUT, Chromium, Page, find, findChromium
from tests.examples.programs import ExampleTests
from tests.processes import Program
from twisted_ws import WebSocketClient

try:
    from PIL import Image, ImageChops
except ImportError:
    Image = None

reactor: Any = installed

WHITE = (255, 255, 255)

Box = tuple[int, int, int, int]


def isOpen(status: str) -> str:
    """
    @return: JavaScript that tells whether a line of the page says so of its WebSocket.
    """
    return find(status) + ".dataset.state === 'open'"


def spoiled(picture: Any, before: Any) -> Box | None:
    """
    @return: the box that holds all that is different in two pictures: its left, top,
        right and lower end.
    """
    box: Box | None = ImageChops.difference(picture, before).getbbox()
    return box


def colours(picture: Any) -> set[tuple[int, ...]]:
    """
    @return: the colours that are in a picture.
    """
    return {colour for _, colour in picture.getcolors(1 << 20)}


class PageTests(ExampleTests):
    """
    The base of the tests: what a person does with a page, and sees.

    @cvar name: the example.
    @cvar canvas: the canvas of its page.
    @cvar statuses: the lines that tell how its WebSockets are.
    @cvar clear: the button that clears the drawing.
    """

    timeout = 3 * TIMEOUT
    name = ""
    canvas = ""
    statuses: Sequence[str] = ()
    clear = ""
    if findChromium() is None:
        skip = "no Chromium is installed"
    elif Image is None:
        skip = "Pillow is not installed"

    async def begin(self, *options: str, flags: Sequence[str] = ()) -> Program:
        """
        Serve the example, and start a browser.
        """
        program, self.port = await self.serve(self.name, *options)
        self.browser = await Chromium.start(reactor, *flags)
        self.addCleanup(self.browser.close)
        return program

    async def open(self, scheme: str = "http") -> Page:
        """
        Open the page, and wait until its WebSockets are open.
        """
        page = await self.browser.open(f"{scheme}://localhost:{self.port}/")
        self.addCleanup(lambda: self.assertEqual(page.problems, []))
        for status in self.statuses:
            await page.waitFor(isOpen(status))
        return page

    async def picture(self, page: Page) -> Any:
        """
        @return: what the canvas looks like, without its border.
        """
        left, top, width, height = map(round, await page.box(self.canvas))
        whole = Image.open(BytesIO(await page.screenshot())).convert("RGB")
        return whole.crop((left + 1, top + 1, left + width - 1, top + height - 1))

    async def whenSeen(self, page: Page, isThat: Callable[[Any], bool]) -> Any:
        """
        Look at the canvas until it looks like that.

        @return: what it looks like then.
        """
        while not isThat(picture := await self.picture(page)):
            pass
        return picture

    async def whenLike(self, page: Page, expected: Any) -> None:
        """
        Look at the canvas until it looks like this picture, pixel by pixel.
        """
        await self.whenSeen(page, lambda seen: spoiled(seen, expected) is None)

    async def stroke(self, page: Page, *points: tuple[int, int]) -> None:
        """
        Draw with the mouse: press it at the first of these points of the canvas, move
        it over the others, and release it.
        """
        left, top, *_ = await page.box(self.canvas)
        await page.drag([(left + 1 + x, top + 1 + y) for x, y in points])

    async def choose(self, page: Page) -> tuple[int, int, int]:
        """
        Choose a colour for the pen.

        @return: it.
        """
        raise NotImplementedError

    def assertBox(self, found: Box | None, drawn: Box) -> None:
        """
        Assert that a box is that of what was drawn, but for the breadth of lines.
        """
        self.assertIsNotNone(found)
        for one, other in zip(found or (), drawn, strict=True):
            self.assertLessEqual(abs(one - other), 2, (found, drawn))

    async def assertShared(self, drawing: Page, watching: Page) -> Any:
        """
        Assert that a stroke of the mouse on one page appears on the other.

        @return: what both look like then.
        """
        before = await self.picture(watching)
        self.assertEqual(colours(before), {WHITE})
        colour = await self.choose(drawing)
        await self.stroke(drawing, (40, 60), (140, 60), (240, 60), (240, 200))

        def isWhole(seen: Any) -> bool:
            box = spoiled(seen, before)
            return box is not None and box[3] >= 199

        after = await self.whenSeen(watching, isWhole)
        self.assertBox(spoiled(after, before), (40, 60, 240, 200))
        self.assertIn(colour, colours(after))
        for x, y in ((60, 60), (200, 60), (240, 100), (240, 180)):
            around = after.crop((x - 2, y - 2, x + 3, y + 3))
            self.assertIn(colour, colours(around), (x, y))
        self.assertEqual(colours(after.crop((45, 65, 235, 200))), {WHITE})
        await self.whenLike(drawing, after)
        return after


class SharedTests:
    """
    A mixin: what is true of both pages.
    """

    async def test_stroke(self: Any) -> None:
        """
        A stroke that is drawn with the mouse on one page appears on another that is
        open, and on one that is opened later; what one page clears is cleared on all.
        """
        await self.begin()
        drawing, watching = await self.open(), await self.open()
        blank = await self.picture(drawing)
        drawn = await self.assertShared(drawing, watching)
        newcomer = await self.open()
        await self.whenLike(newcomer, drawn)
        await watching.click(self.clear)
        for page in (drawing, watching, newcomer, await self.open()):
            await self.whenLike(page, blank)

    async def test_lifted(self: Any) -> None:
        """
        A mouse that is not pressed on the canvas draws nothing: before, after, or with
        another button than the first.
        """
        await self.begin()
        page = await self.open()
        blank = await self.picture(page)
        left, top, *_ = await page.box(self.canvas)
        places = [(left + x, top + 100) for x in (50, 100, 150)]
        await page.move(places)
        await page.drag([(left - 20, top - 5), (left - 10, top - 5)])
        await page.drag(places, button="right")
        await page.move(places)
        await self.stroke(page, (10, 20), (30, 20))
        await page.move(places)
        seen = await self.whenSeen(page, lambda seen: spoiled(seen, blank) is not None)
        self.assertBox(spoiled(seen, blank), (10, 20, 30, 20))

    async def test_goingAway(self: Any) -> None:
        """
        When the server shuts down the page says so.
        """
        program = await self.begin()
        page = await self.open()
        await self.assertEnds(program)
        for status in self.statuses:
            state = f"{find(status)}.dataset.state"
            await page.waitFor(f"{state} === 'closed'")
            self.assertIn("closed, 1001", await page.text(status))


class LibwebsocketsTests(SharedTests, PageTests):
    """
    The page of the test server of libwebsockets.
    """

    name = "libwebsockets_test_server"
    canvas = "#canvas"
    statuses = ("#increment-status", "#mirror-status")
    clear = "#clear"

    async def choose(self, page: Page) -> tuple[int, int, int]:
        """
        See L{PageTests.choose}.
        """
        await page.evaluate(find("#colour") + ".value = '#c2255c'")
        return (0xC2, 0x25, 0x5C)

    async def test_number(self) -> None:
        """
        The number grows; Reset makes it small again, and it goes on growing until
        Disconnect; the canvas stays connected then.
        """
        await self.begin()
        page = await self.open()
        number = f"Number({find('#number')}.textContent)"
        first = await page.waitFor(number)
        later = await page.waitFor(f"{number} >= {first + 10} && {number}")
        await page.click("#reset")
        (again,) = await page.waitFor(f"{number} < {later} && [{number}]")
        await page.waitFor(f"{number} > {again}")
        await page.click("#disconnect")
        status = find("#increment-status")
        await page.waitFor(f"{status}.dataset.state === 'closed'")
        self.assertEqual(await page.text("#increment-status"), "closed, 1005")
        self.assertEqual(await page.text("#mirror-status"), "open")
        await page.click("#reset")

    async def test_circles(self) -> None:
        """
        The circles of the test client appear.
        """
        await self.begin()
        page = await self.open()
        client = "libwebsockets_test_client"
        self.start(client, "--host=127.0.0.1", f"--port={self.port}")
        await self.whenSeen(page, lambda seen: len(colours(seen)) > 100)

    async def test_hostile(self) -> None:
        """
        Whatever another client sends, the page draws what is a command, and nothing
        else.
        """
        await self.begin()
        page = await self.open()
        blank = await self.picture(page)
        mirror = await WebSocketClient(reactor).connect(
            f"ws://127.0.0.1:{self.port}/", protocols=["lws-mirror-protocol"]
        )
        self.addCleanup(mirror.close)
        for text in (
            "",
            ";;; ;",
            "<img src=x onerror=alert(1)>",
            "d red 0 0 400 200;",
            "d #00000 0 0 400 200;",
            "d #000000 0 0 400;",
            "d #000000 0 0 400 200 0;",
            "d #000000 0 0 NaN 200;",
            "d #000000 0 0 4e2 200;",
            "d #000000 0 0 0x190 200;",
            "d #000000 0 0 400  200;",
            "d #000000,url(//x) 0 0 400 200;",
            "c #000000 100 100 -50;",
            "c #000000 100 100 50 50;",
            "e #000000 0 0 400 200;",
            "__proto__ #000000 0 0 400 200;",
            "d #000000 0 0 " + "9" * 400 + " 200;",
        ):
            mirror.send(text)
        mirror.send("d #123456 10 10 50 10; c #123456 30 20 5;")
        seen = await self.whenSeen(page, lambda seen: spoiled(seen, blank) is not None)
        self.assertBox(spoiled(seen, blank), (10, 10, 50, 25))

    async def test_secure(self) -> None:
        """
        Over https the page uses wss.
        """
        files = self.certificates()
        secure = ["--secure", f"--key={files['key']}", f"--cert={files['cert']}"]
        await self.begin(*secure, flags=["--ignore-certificate-errors"])
        drawing, watching = await self.open("https"), await self.open("https")
        await self.assertShared(drawing, watching)


class WhiteboardTests(SharedTests, PageTests):
    """
    The page of the whiteboard.
    """

    name = "whiteboard"
    canvas = "#whiteboard"
    statuses = ("#status",)
    clear = "#erase"

    async def choose(self, page: Page) -> tuple[int, int, int]:
        """
        See L{PageTests.choose}.
        """
        await page.click("#red")
        return (200, 0, 0)

    async def test_colours(self) -> None:
        """
        Each button gives its colour to the pen; at first it is black.
        """
        await self.begin()
        page = await self.open()
        await self.stroke(page, (10, 20), (100, 20))
        expected = [(0, 0, 0)]
        for name, colour in (
            ("red", (200, 0, 0)),
            ("green", (0, 128, 0)),
            ("blue", (0, 0, 255)),
            ("black", (0, 0, 0)),
        ):
            await page.click(f"#{name}")
            height = 20 * (len(expected) + 1)
            await self.stroke(page, (10, height), (100, height))
            expected.append(colour)

        def lines(picture: Any) -> list[tuple[int, ...]]:
            column = [picture.getpixel((50, y)) for y in range(picture.height)]
            return [colour for colour in column if colour != WHITE]

        await self.whenSeen(page, lambda seen: lines(seen) == expected)

    async def test_hostile(self) -> None:
        """
        Whatever the server sends, the page draws what is a command, and nothing else.
        """
        await self.begin()
        page = await self.open()
        blank = await self.picture(page)
        line = {"color": {"r": 0, "g": 0, "b": 0}, "points": [0, 0, 400, 200]}
        initial = {"msg": "initCommands", "data": [{"msg": "drawLine", "data": line}]}
        commands: list[Any] = [
            None,
            7,
            "clear",
            [],
            {},
            {"msg": "constructor"},
            {"msg": "initCommands"},
            {"msg": "initCommands", "data": "drawLine"},
            {"msg": "initCommands", "data": [None, 7, []]},
            {"msg": "initCommands", "data": [initial]},
            {"msg": "drawLine"},
            {"msg": "drawLine", "data": None},
            {"msg": "drawLine", "data": {**line, "color": None}},
            {"msg": "drawLine", "data": {**line, "color": "red"}},
            {"msg": "drawLine", "data": {**line, "color": {"r": "0", "g": 0, "b": 0}}},
            {"msg": "drawLine", "data": {**line, "color": {"r": 256, "g": 0, "b": 0}}},
            {"msg": "drawLine", "data": {**line, "points": None}},
            {"msg": "drawLine", "data": {**line, "points": [0, 0, 400]}},
            {"msg": "drawLine", "data": {**line, "points": [0, 0, 400, 200, 0]}},
            {"msg": "drawLine", "data": {**line, "points": [0, 0, 400, "200"]}},
            {"msg": "drawLine", "data": {**line, "points": [0, 0, 400, None]}},
            {"msg": "drawLine", "data": {**line, "points": [0, 0, 400, 1e5]}},
        ]
        for text in ("", "{", "\0", *map(json.dumps, commands)):
            await page.evaluate(f"socket.onmessage({{data: {json.dumps(text)}}})")
        self.assertIsNone(spoiled(await self.picture(page), blank))
        good = json.dumps(initial)
        await page.evaluate(f"socket.onmessage({{data: {json.dumps(good)}}})")
        self.assertIsNotNone(spoiled(await self.picture(page), blank))
