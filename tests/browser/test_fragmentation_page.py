# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The page of the fragmentation test in Chromium, with the server as a program.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from twisted.internet import reactor as installed
from twisted.trial.unittest import TestCase

from tests.browser.chromium import TIMEOUT, Chromium, Page, find, findChromium
from tests.examples.programs import example

reactor: Any = installed

STATE = find("#status") + ".dataset.state"


def value(name: str) -> str:
    """
    @return: JavaScript for a number that the page shows.
    """
    return f"Number({find('#' + name)}.value)"


class FragmentationPageTests(TestCase):
    """
    What a person does with the page.
    """

    timeout = 3 * TIMEOUT
    if findChromium() is None:
        skip = "no Chromium is installed"

    async def setUp(self) -> None:
        """
        Start the server, with small fragments, and a browser.
        """
        self.program = example(
            "fragmentation_test_server", "--port=0", "--fragment=500"
        )
        self.addCleanup(self.program.stop)
        said = await self.program.whenSaid(r"listening on port (\d+)")
        self.url = f"http://127.0.0.1:{said[1]}/"
        self.browser = await Chromium.start(reactor)
        self.addCleanup(self.browser.close)

    async def open(self) -> Page:
        """
        Open the page.
        """
        page = await self.browser.open(self.url)
        self.addCleanup(self.check, page)
        return page

    def check(self, page: Page) -> None:
        """
        Assert that the browser has nothing to complain about.
        """
        self.assertEqual(page.problems, [])

    async def stop(self, page: Page) -> list[int]:
        """
        Disconnect.

        @return: the sizes in the page's log, the oldest first.
        """
        await page.click("#disconnect")
        await page.waitFor(f"{STATE} === 'closed'")
        self.assertEqual(await page.text("#status"), "Closed, 1005.")
        sizes = re.findall(r"(?m)^Received (\d+) ", await page.text("#log"))
        return [int(size) for size in sizes]

    async def test_text(self) -> None:
        """
        It asks for texts that grow, as soon as one is there; each has its size, as the
        server sent it.
        """
        page = await self.open()
        await page.click("#connect")
        await page.waitFor(f"{value('count')} >= 30")
        sizes = await self.stop(page)
        count, received, wrong = [
            await page.evaluate(value(name)) for name in ("count", "bytes", "wrong")
        ]
        self.assertEqual((count, received, wrong), (len(sizes), sum(sizes), 0))
        self.assertEqual(sizes[0], 100)
        for before, after in pairwise(sizes):
            self.assertIn(after - before, range(1, 1025))
        log = await page.text("#log")
        self.assertTrue(log.startswith("Socket opened.\nReceived 100 characters"), log)
        self.assertTrue(log.endswith("Socket closed.\n"), log)
        await self.program.whenSaid("disconnected: ")
        sent = re.findall(r"sent (\d+) byte utf-8 message", self.program.output)
        self.assertEqual([int(size) for size in sent][: len(sizes)], sizes)

    async def test_binary(self) -> None:
        """
        With the box checked it asks for binary messages.
        """
        page = await self.open()
        await page.click("#binary")
        await page.click("#connect")
        await page.waitFor(f"{value('count')} >= 10")
        sizes = await self.stop(page)
        self.assertEqual(await page.evaluate(value("wrong")), 0)
        self.assertEqual(sizes[0], 100)
        log = await page.text("#log")
        self.assertIn("Received 100 bytes.\n", log)
        self.assertNotIn("characters", log)
        await self.program.whenSaid(f"sent {sizes[-1]} byte binary message")

    async def test_again(self) -> None:
        """
        It can be disconnected and connected again, and begins anew; the log can be
        cleared, and goes on.
        """
        page = await self.open()
        await page.click("#connect")
        await page.waitFor(f"{value('count')} >= 5")
        await self.stop(page)
        await page.click("#clear")
        self.assertEqual(await page.text("#log"), "")
        await page.click("#connect")
        # Once more is once.
        await page.click("#connect")
        await page.waitFor(f"{value('count')} >= 5")
        sizes = await self.stop(page)
        self.assertEqual(
            (sizes[0], len(sizes)), (100, await page.evaluate(value("count")))
        )
        log = await page.text("#log")
        self.assertEqual(log.count("Socket opened."), 1)

    async def test_longLog(self) -> None:
        """
        Of the log the latest 500 lines are kept.
        """
        page = await self.open()
        await page.click("#connect")
        await page.waitFor(f"{value('count')} >= 600")
        sizes = await self.stop(page)
        self.assertEqual(len(sizes), 499)
        self.assertGreater(sizes[0], 700)

    async def test_goingAway(self) -> None:
        """
        When the server shuts down the page says so; and also when it is not there.
        """
        page = await self.open()
        await page.click("#connect")
        await page.waitFor(f"{value('count')} >= 5")
        self.program.signal("TERM")
        await page.waitFor(f"{STATE} === 'closed'")
        self.assertEqual(await page.text("#status"), "Closed, 1001.")
        await self.program.ended
        await page.click("#connect")
        await page.waitFor(f"{find('#status')}.textContent === 'Closed, 1006.'")
        self.assertTrue(
            (await page.text("#log")).endswith("Socket error.\nSocket closed.\n")
        )
        # The browser complains of that, too.
        (problem,) = page.problems
        self.assertIn("ERR_CONNECTION_REFUSED", problem)
        page.problems.clear()
