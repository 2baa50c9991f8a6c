# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Compressed WebSockets in Chromium: a real page, a real L{Site}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import DeferredQueue
from twisted.internet.endpoints import serverFromString
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import Data

from tests.browser.chromium import TIMEOUT, Chromium, Page, findChromium
from tests.browser.test_demo_page import CountingFactory
from tests.sockets import Ending
from twisted_ws import ServerConfig, WebSocketFactory, WebSocketResource
from twisted_ws.extensions import PerMessageDeflate

reactor: Any = installed

TALK = """
new Promise((resolve) => {
  const socket = new WebSocket("URL", ["chat.v2", "chat.v1"]);
  socket.binaryType = "arraybuffer";
  const text = "Gr\\u00fc\\u00dfe \\u4e16\\u754c, again and again. ".repeat(4000);
  const bytes = Uint8Array.from({length: 200000}, (_, at) => at % 199);
  const sent = [text, bytes, "short", text, bytes];
  const intact = [];
  let extensions, protocol;
  socket.onopen = () => {
    ({extensions, protocol} = socket);
    for (const each of sent) socket.send(each);
  };
  socket.onmessage = ({data}) => {
    const expected = sent[intact.length];
    if (typeof data === "string") {
      intact.push(data === expected);
    } else {
      const came = new Uint8Array(data);
      intact.push(came.length === expected.length
        && came.every((byte, at) => byte === expected[at]));
    }
    if (intact.length === sent.length) socket.close(4000, "that was all");
  };
  socket.onclose = ({code, wasClean}) => resolve({
    extensions, protocol, intact, code, wasClean,
  });
})
"""
"""
A promise of what becomes of a WebSocket to URL that sends texts and bytes.
"""


SENT = 2 * (4000 * len("Grüße 世界, again and again. ".encode()) + 200_000)
"""
The bytes in these messages, about.
"""


class CompressionPageTests(TestCase):
    """
    What a page sees.
    """

    timeout = 3 * TIMEOUT
    if findChromium() is None:
        skip = "no Chromium is installed"

    def setUp(self) -> None:
        self.accepted: DeferredQueue[Ending] = DeferredQueue()

    async def serve(self, *extensions: Any) -> str:
        """
        Serve a page and a WebSocket that sends back what it gets.

        @return: where, as C{//HOST:PORT/}
        """

        def application(request: Any) -> None:
            receiver = Ending()
            self.accepted.put(receiver)
            request.accept(receiver, protocol="chat.v1")

        config = ServerConfig(extensions=extensions)
        root = Resource()
        root.putChild(b"", Data(b"<!doctype html><title>t</title>", "text/html"))
        root.putChild(b"favicon.ico", Data(b"", "image/png"))
        root.putChild(b"ws", WebSocketResource(WebSocketFactory(application, config)))
        factory = CountingFactory(Site(root))
        endpoint = serverFromString(reactor, "tcp:0:interface=127.0.0.1")
        port = await endpoint.listen(factory)
        self.addCleanup(factory.whenIdle)
        self.addCleanup(port.stopListening)
        return f"//127.0.0.1:{port.getHost().port}/"

    async def assertIntact(self, page: Page, url: str, extensions: str) -> Any:
        """
        Assert that all that a page sends comes back as it was, and that the page has
        been told of the subprotocol and of these extensions.

        @return: our end, closed.
        """
        expected = {
            "extensions": extensions,
            "protocol": "chat.v1",
            "intact": [True] * 5,
            "code": 4000,
            "wasClean": True,
        }
        self.assertEqual(await page.evaluate(TALK.replace("URL", url)), expected)
        self.assertEqual(page.problems, [])
        receiver = await self.accepted.get()
        ended = await receiver.whenLost
        self.assertEqual((ended.code, ended.reason), (4000, "that was all"))
        return receiver.transport

    async def test_echo(self) -> None:
        """
        Text and bytes, larger than a frame, arrive compressed and come back intact,
        whatever our side asks for; and uncompressed if it does not compress.
        """
        rows = [
            ((PerMessageDeflate(),), "permessage-deflate; client_max_window_bits=12"),
            ((PerMessageDeflate.best(),), "permessage-deflate"),
            (
                (PerMessageDeflate.lowMemory(serverMaxWindowBits=9),),
                "permessage-deflate; server_no_context_takeover;"
                " client_no_context_takeover; server_max_window_bits=9;"
                " client_max_window_bits=12",
            ),
            ((), ""),
        ]
        places = [await self.serve(*extensions) for extensions, _ in rows]
        browser = await Chromium.start(reactor)
        self.addCleanup(browser.close)
        for place, (_, answer) in zip(places, rows, strict=True):
            page = await browser.open("http:" + place)
            ours = await self.assertIntact(page, f"ws:{place}ws", answer)
            if answer:
                (extension,) = ours.extensions
                self.assertEqual(extension.name, "permessage-deflate")
                self.assertLess(ours.bytesReceived, SENT // 10)
            else:
                self.assertEqual(ours.extensions, ())
                self.assertGreater(ours.bytesReceived, SENT)
