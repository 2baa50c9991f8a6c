# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What answers an opening handshake, byte for byte: L{twisted_ws._wire.handshake} and
L{twisted_ws.WebSocketRequest}.
"""

import re

from twisted.trial.unittest import SynchronousTestCase

from twisted_ws._wire.handshake import (
    acceptance,
    acceptHash,
    checkExtra,
    readRequest,
    refusal,
    standardPhrase,
)
from twisted_ws.testing import MemoryServer, RecordingReceiver

from .handshakes import ACCEPT, KEY, REFUSED, field, handshake, split, version


class AcceptanceTests(SynchronousTestCase):
    """
    What accepts a handshake.
    """

    def respond(self, data, application=RecordingReceiver):
        """
        @return: the exact bytes that a server answers.
        """
        peer = MemoryServer(application).connectRaw()
        peer.send(data)
        return peer.take()

    def test_sample(self):
        """
        RFC 6455 section 1.3: the key of its example gets the accept of its example.
        """
        self.assertEqual(acceptHash(KEY), ACCEPT)

    def test_exactBytes(self):
        """
        Versions 13 and 8 are accepted with the same bytes, and no others.
        """
        expected = (
            b"HTTP/1.1 101 Switching Protocols\r\n"
            b"Upgrade: websocket\r\n"
            b"Connection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
            b"\r\n"
        )
        self.assertEqual(self.respond(handshake()), expected)
        self.assertEqual(self.respond(version(8)), expected)

    def test_subprotocol(self):
        """
        The chosen subprotocol is answered in the spelling of the client.
        """

        def accept(request):
            request.accept(RecordingReceiver(), "SUPERCHAT")

        data = field("Sec-WebSocket-Protocol", "chat, superChat")
        self.assertIn(
            b"\r\nSec-WebSocket-Protocol: superChat\r\n", self.respond(data, accept)
        )

    def test_noSubprotocol(self):
        """
        RFC 6455 section 4.2.2: without a choice there is no field, even if the client
        asked.
        """
        data = field("Sec-WebSocket-Protocol", "chat")
        self.assertNotIn(b"Sec-WebSocket-Protocol", self.respond(data))

    def test_offeredExtensionsAreDeclined(self):
        """
        RFC 6455 section 9.1: extensions that are not taken are not answered.
        """
        data = field("Sec-WebSocket-Extensions", "permessage-deflate")
        self.assertNotIn(b"Extensions", self.respond(data))

    def test_settledFields(self):
        """
        An application cannot send again what the handshake settles.
        """
        offer = readRequest(split(handshake()))
        for name in [
            "Upgrade",
            "connection",
            "Content-Length",
            "Transfer-Encoding",
            "SEC-WEBSOCKET-ACCEPT",
            "Sec-WebSocket-Protocol",
            "Sec-WebSocket-Extensions",
        ]:
            for spelled in (name, name.encode()):
                with self.assertRaisesRegex(ValueError, "settled by the handshake"):
                    acceptance(offer.key, None, [(spelled, "a")])
                self.assertRaises(ValueError, checkExtra, [(spelled, b"a")])

    def test_extraFields(self):
        """
        Other fields come last, in order, also several of one name.
        """
        offer = readRequest(split(handshake()))
        extra = [("X-A", "\xe9"), (b"Set-Cookie", b"a=1"), ("Set-Cookie", "b=2")]
        self.assertEqual(
            acceptance(offer.key, "chat", extra),
            [
                (b"Upgrade", b"websocket"),
                (b"Connection", b"Upgrade"),
                (b"Sec-WebSocket-Accept", ACCEPT),
                (b"Sec-WebSocket-Protocol", b"chat"),
                (b"X-A", b"\xe9"),
                (b"Set-Cookie", b"a=1"),
                (b"Set-Cookie", b"b=2"),
            ],
        )


DATE = re.compile(
    rb"\r\nDate: (Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} [A-Z][a-z]{2} [0-9]{4}"
    rb" [0-9]{2}:[0-9]{2}:[0-9]{2} GMT\r\n"
)


class RefusalTests(SynchronousTestCase):
    """
    What refuses a handshake.
    """

    def dateless(self, response):
        """
        @return: a response without its Date field, which must be one.
        """
        self.assertEqual(len(DATE.findall(response)), 1, response)
        return DATE.sub(b"\r\n", response)

    def test_exactBytes(self):
        """
        A refusal is a whole HTTP response that ends the connection.
        """
        self.assertEqual(
            self.dateless(refusal(403, "")),
            b"HTTP/1.1 403 Forbidden\r\n"
            b"Connection: close\r\n"
            b"Content-Type: text/plain; charset=utf-8\r\n"
            b"Content-Length: 10\r\n"
            b"\r\n"
            b"Forbidden\n",
        )

    def test_everythingGiven(self):
        """
        Phrase, fields and body can be given.
        """
        response = refusal(
            599, "No Way", [(b"Content-Type", b"text/html"), (b"X-A", b"b")], b"<p>"
        )
        self.assertEqual(
            self.dateless(response),
            b"HTTP/1.1 599 No Way\r\n"
            b"Content-Type: text/html\r\n"
            b"X-A: b\r\n"
            b"Connection: close\r\n"
            b"Content-Length: 3\r\n"
            b"\r\n"
            b"<p>",
        )

    def test_upgradeRequired(self):
        """
        RFC 9110 section 7.8: who sends Upgrade names it in Connection.
        """
        peer = MemoryServer(RecordingReceiver).connectRaw()
        peer.send(version(7))
        self.assertEqual(
            self.dateless(peer.take()),
            b"HTTP/1.1 426 Upgrade Required\r\n"
            b"Upgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13, 8\r\n"
            b"Connection: close, Upgrade\r\n"
            b"Content-Type: text/plain; charset=utf-8\r\n"
            b"Content-Length: 49\r\n"
            b"\r\n"
            b"only WebSocket versions 13 and 8 are spoken here\n",
        )

    def test_contentLengths(self):
        """
        The announced length is that of the body, for every refused row that can have
        one.
        """
        for name, data, _ in REFUSED:
            if data.startswith(b"HEAD "):
                continue
            peer = MemoryServer(RecordingReceiver).connectRaw()
            peer.send(data)
            head, _, body = peer.take().partition(b"\r\n\r\n")
            found = re.findall(rb"\r\nContent-Length: ([0-9]+)", head)
            self.assertEqual(found, [b"%d" % len(body)], name)
            self.assertLess(len(body), 100, name)

    def test_head(self):
        """
        RFC 9110 section 9.3.2: what answers HEAD has no body.
        """
        peer = MemoryServer(RecordingReceiver).connectRaw()
        peer.send(handshake(line="HEAD / HTTP/1.1"))
        head, end, body = peer.take().partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 405 Method Not Allowed\r\n"), head)
        self.assertEqual((end, body), (b"\r\n\r\n", b""))

    def test_statusWithoutBody(self):
        """
        RFC 9110 section 8.6: 204 and 304 have neither body nor length.
        """
        for status in (204, 304):
            response = self.dateless(refusal(status, "", body=b"something"))
            phrase = standardPhrase(status).encode()
            self.assertEqual(
                response,
                b"HTTP/1.1 %d %s\r\nConnection: close\r\n\r\n" % (status, phrase),
            )

    def test_unknownStatus(self):
        """
        A status without a registered phrase gets one all the same.
        """
        self.assertTrue(
            refusal(499, "").startswith(b"HTTP/1.1 499 Unregistered Status\r\n")
        )

    def test_wrongStatus(self):
        """
        Only final statuses refuse.
        """
        for status in (0, 100, 101, 199, 600, 1000, -403, "403", 403.0, None):
            with self.assertRaisesRegex(ValueError, "is not the status of a refusal"):
                refusal(status, "")

    def test_anyFinalStatus(self):
        """
        All final statuses do.
        """
        for status in (200, 299, 300, 418, 500, 599):
            self.assertTrue(refusal(status, "").startswith(b"HTTP/1.1 %d " % status))

    def test_latin1Phrase(self):
        """
        A phrase may have Latin-1 (RFC 9112 section 4), the default body says it too.
        """
        response = refusal(403, "D\xe9fendu")
        self.assertTrue(response.startswith(b"HTTP/1.1 403 D\xe9fendu\r\n"))

    def test_wrongPhrase(self):
        """
        A phrase with a line break or beyond Latin-1 cannot be sent.
        """
        for bad in ["\r\nX: y", "a\nb", "a\rb", "\0", "\x7f", "\x1b[1m", "\u20ac"]:
            self.assertRaises(ValueError, refusal, 403, bad)


class InjectionTests(SynchronousTestCase):
    """
    Nothing that an application says can add a line to a response.
    """

    texts = ["\r\nX: y", "a\r\nX: y", "a\nX: y", "a\rX: y", "a\0b", "a\x7f", "\u20ac"]

    def places(self, text):
        """
        Every place of a verdict that takes text.
        """
        receiver = RecordingReceiver()
        raw = text.encode()
        yield "accept value", lambda r: r.accept(receiver, headers=[("X", text)])
        yield "accept name", lambda r: r.accept(receiver, headers=[(text, "a")])
        yield "accept mapping", lambda r: r.accept(receiver, headers={"X": text})
        yield "accept key", lambda r: r.accept(receiver, headers={text: "a"})
        yield "subprotocol", lambda r: r.accept(receiver, text)
        yield "router's subprotocol", lambda r: self.acceptRouted(r, receiver, text)
        yield "reject value", lambda r: r.reject(headers=[("X", text)])
        yield "reject name", lambda r: r.reject(headers=[(text, "a")])
        yield "reject mapping", lambda r: r.reject(headers={"X": text})
        yield "reason", lambda r: r.reject(403, text)
        if text.isascii():
            yield "accept bytes", lambda r: r.accept(receiver, headers=[(b"X", raw)])
            yield "accept raw name", lambda r: r.accept(receiver, headers=[(raw, b"a")])
            yield "reject bytes", lambda r: r.reject(headers=[(b"X", raw)])

    def acceptRouted(self, request, receiver, text):
        """
        Accept with the subprotocol that a router has set.
        """
        request.protocol = text
        request.accept(receiver)

    def test_everyPlace(self):
        """
        A control character, or one beyond Latin-1, raises C{ValueError}; nothing was
        sent and the request is still pending.
        """
        count = len(list(self.places("a")))
        for text in self.texts:
            for index in range(count):
                requests = []
                server = MemoryServer(requests.append)
                peer = server.connectRaw()
                peer.send(field("Sec-WebSocket-Protocol", "chat"))
                (asked,) = requests
                cases = list(self.places(text))
                if index >= len(cases):
                    continue
                name, verdict = cases[index]
                try:
                    verdict(asked)
                except ValueError:
                    pass
                else:
                    self.fail(f"{name} {text!r}: {peer.take()!r}")
                server.flush()
                self.assertEqual(peer.take(), b"", (name, text))
                self.assertEqual(asked.verdict.value, "pending", (name, text))
                asked.reject(403)
                server.flush()
                self.assertTrue(peer.take().startswith(b"HTTP/1.1 403 Forbidden\r\n"))

    def test_uncaught(self):
        """
        An application that does not catch it is answered for with 500.
        """

        def application(request):
            request.reject(403, "a\r\nX-Evil: y")

        peer = MemoryServer(application).connectRaw()
        peer.send(handshake())
        response = peer.take()
        self.assertTrue(response.startswith(b"HTTP/1.1 500 "))
        self.assertNotIn(b"X-Evil", response)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
