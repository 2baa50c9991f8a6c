# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Offers of compression as certain clients send them, byte for byte, and what our server
answers to these: what it must not, because they would leave, and what they need.
"""

from __future__ import annotations

import zlib
from typing import Any

from twisted.internet.defer import inlineCallbacks
from twisted.web.resource import Resource
from twisted.web.server import Site

from tests.handshakes import handshake
from tests.sockets import Ending, SocketTests
from tests.wire import BINARY, KEY, TEXT, rawFrame, readFrames
from twisted_ws import ServerConfig, WebSocketFactory, WebSocketResource
from twisted_ws.extensions import PerMessageDeflate

DEFLATE = "permessage-deflate"
GORILLA = f"{DEFLATE}; server_no_context_takeover; client_no_context_takeover"
CHROMIUM = f"{DEFLATE}; client_max_window_bits"
COMPRESSED = 0x40

balanced, low, best = (
    PerMessageDeflate.balanced(),
    PerMessageDeflate.lowMemory(),
    PerMessageDeflate.best(),
)
BOTH = "server_no_context_takeover; client_no_context_takeover"

# Each row: who offers, our extension, the offer, the whole answer; None if there is to
# be none.
OFFERS = [
    # They leave if the answer lacks either flag, whatever the server would like.
    ("gorilla", balanced, GORILLA, GORILLA),
    ("gorilla", low, GORILLA, GORILLA),
    ("gorilla", best, GORILLA, GORILLA),
    ("chromium", balanced, CHROMIUM, f"{DEFLATE}; client_max_window_bits=12"),
    ("chromium", low, CHROMIUM, f"{DEFLATE}; {BOTH}; client_max_window_bits=12"),
    ("chromium", best, CHROMIUM, DEFLATE),
    # They leave if the answer tells them their window, which they did not offer.
    ("firefox", balanced, DEFLATE, DEFLATE),
    ("firefox", low, DEFLATE, f"{DEFLATE}; {BOTH}"),
    ("firefox", best, DEFLATE, DEFLATE),
    ("old Safari", balanced, "x-webkit-deflate-frame", None),
    ("Safari", balanced, f"x-webkit-deflate-frame, {DEFLATE}", DEFLATE),
    ("Safari", balanced, f"{DEFLATE}, x-webkit-deflate-frame", DEFLATE),
    ("nobody", balanced, None, None),
]


def deflated(payload: bytes) -> bytes:
    """
    Compress a message by itself (RFC 7692 section 7.2.1).
    """
    compressor = zlib.compressobj(wbits=-15)
    data = compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)
    return data[:-4]


def inflated(data: bytes) -> bytes:
    """
    Decompress a message by itself, as who remembers none before it.
    """
    return zlib.decompressobj(wbits=-15).decompress(data + b"\x00\x00\xff\xff")


class OfferTests(SocketTests):
    """
    Handshakes over TCP.
    """

    def serve(self, extension: PerMessageDeflate) -> None:
        """
        Echo, with this extension.
        """
        config = ServerConfig(extensions=(extension,), closeTimeout=1)
        self.listen(WebSocketFactory(Ending, config))

    @inlineCallbacks
    def ask(self, offer: str | None) -> Any:
        """
        Offer something.

        @return: a Deferred of the client, and of the fields of the answer that are
            about extensions.
        """
        fields = [] if offer is None else [f"Sec-WebSocket-Extensions: {offer}"]
        peer = yield self.connect(handshake(*fields))
        received = yield peer.until(b"\r\n\r\n")
        status, *lines = received.partition(b"\r\n\r\n")[0].decode().split("\r\n")
        self.assertTrue(status.startswith("HTTP/1.1 101 "), status)
        pairs = [line.split(": ", 1) for line in lines]
        name = "sec-websocket-extensions"
        return peer, [value for field, value in pairs if field.lower() == name]

    @inlineCallbacks
    def talk(self, peer: Any, frames: list[bytes], last: bytes) -> Any:
        """
        Send frames.

        @param last: what the end of the answer to the last looks like.
        @return: a Deferred of the frames that come back.
        """
        for each in frames:
            peer.transport.write(each)
        received = yield peer.until(last)
        return readFrames(received.partition(b"\r\n\r\n")[2])

    @inlineCallbacks
    def test_answers(self) -> Any:
        """
        Each gets the answer that it can take.
        """
        for name, extension, offer, expected in OFFERS:
            self.serve(extension)
            _, answer = yield self.ask(offer)
            wanted = [] if expected is None else [expected]
            self.assertEqual(answer, wanted, (name, extension))

    @inlineCallbacks
    def test_strict(self) -> Any:
        """
        Whoever asked for no memory on either side can read each of our messages by
        itself, and we each of theirs.
        """
        self.serve(best)
        peer, answer = yield self.ask(GORILLA)
        self.assertEqual(answer, [GORILLA])
        texts = [b"over and over again " * 20 + b"%d" % at for at in range(3)]
        sent = [rawFrame(TEXT | COMPRESSED, deflated(text), KEY) for text in texts]
        sent.append(rawFrame(BINARY, b"the end", KEY))
        frames = yield self.talk(peer, sent, b"the end")
        self.assertEqual([each.first for each in frames], [0xC1] * 3 + [0x82])
        self.assertEqual([inflated(each.payload) for each in frames[:3]], texts)

    @inlineCallbacks
    def test_remembering(self) -> Any:
        """
        Chromium does not ask for that, and gets messages that only follow from those
        before them: the test above does not pass for want of memory.
        """
        self.serve(best)
        peer, answer = yield self.ask(CHROMIUM)
        self.assertEqual(answer, [DEFLATE])
        text = bytes(range(32, 127)) * 2
        sent = [rawFrame(TEXT | COMPRESSED, deflated(text), KEY)] * 2
        sent.append(rawFrame(BINARY, b"the end", KEY))
        frames = yield self.talk(peer, sent, b"the end")
        self.assertEqual([each.first for each in frames], [0xC1, 0xC1, 0x82])
        decompressor = zlib.decompressobj(wbits=-15)
        for each in frames[:2]:
            data = each.payload + b"\x00\x00\xff\xff"
            self.assertEqual(decompressor.decompress(data), text)
        self.assertLess(len(frames[1].payload), 20)
        with self.assertRaises(zlib.error):
            inflated(frames[1].payload)

    @inlineCallbacks
    def test_declined(self) -> Any:
        """
        Where nothing was agreed on, a compressed message is a violation: 1002.
        """
        self.serve(balanced)
        peer, answer = yield self.ask("x-webkit-deflate-frame")
        self.assertEqual(answer, [])
        sent = [rawFrame(TEXT | COMPRESSED, deflated(b"hello"), KEY)]
        frames = yield self.talk(peer, sent, b"\x03\xea")
        self.assertEqual(frames[0].first, 0x88)

    @inlineCallbacks
    def test_site(self) -> Any:
        """
        In a tree of C{twisted.web} the answer and the messages are the same.
        """
        config = ServerConfig(extensions=(balanced,), closeTimeout=1)
        factory = WebSocketFactory(Ending, config)
        root = Resource()
        root.putChild(b"", WebSocketResource(factory))
        self.listen(Site(root), factory)
        peer, answer = yield self.ask(GORILLA)
        self.assertEqual(answer, [GORILLA])
        text = b"over and over again " * 20
        sent = [rawFrame(TEXT | COMPRESSED, deflated(text), KEY)] * 2
        sent.append(rawFrame(BINARY, b"the end", KEY))
        frames = yield self.talk(peer, sent, b"the end")
        self.assertEqual([each.first for each in frames], [0xC1, 0xC1, 0x82])
        self.assertEqual([inflated(each.payload) for each in frames[:2]], [text] * 2)
