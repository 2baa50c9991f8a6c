# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The client's half of the opening handshake: L{twisted_ws._wire.opening}.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_ws import InvalidUpgrade
from twisted_ws._wire.headers import Headers
from twisted_ws._wire.opening import Body, Opening, Response, readResponse

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""
The example of RFC 6455 section 1.3.
"""


def fieldsOf(*lines: str) -> list[tuple[bytes, bytes]]:
    """
    @return: header lines as pairs.
    """
    pairs = (line.encode("latin-1").split(b": ", 1) for line in lines)
    return [(name, value) for name, value in pairs]


class RenderTests(SynchronousTestCase):
    """
    L{Opening.render}: RFC 6455 section 4.1.
    """

    rows: list[tuple[str, dict[str, Any], list[str]]] = [
        (
            "the least",
            {},
            [
                "GET /chat HTTP/1.1",
                "Host: example.com",
                "Upgrade: websocket",
                "Connection: Upgrade",
                f"Sec-WebSocket-Key: {KEY}",
                "Sec-WebSocket-Version: 13",
            ],
        ),
        (
            "all",
            {
                "protocols": ("a", "b"),
                "origin": "https://example.com",
                "headers": ((b"X-A", b"1"), (b"x-a", b"\xe9")),
            },
            [
                "GET /chat HTTP/1.1",
                "Host: example.com",
                "Upgrade: websocket",
                "Connection: Upgrade",
                f"Sec-WebSocket-Key: {KEY}",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Protocol: a, b",
                "Origin: https://example.com",
                "X-A: 1",
                "x-a: \xe9",
            ],
        ),
        (
            "version 8",
            {"version": 8, "origin": "https://example.com"},
            [
                "GET /chat HTTP/1.1",
                "Host: example.com",
                "Upgrade: websocket",
                "Connection: Upgrade",
                f"Sec-WebSocket-Key: {KEY}",
                "Sec-WebSocket-Version: 8",
                "Sec-WebSocket-Origin: https://example.com",
            ],
        ),
        (
            "a Host of one's own",
            {"headers": ((b"hOST", b"other.example"),)},
            [
                "GET /chat HTTP/1.1",
                "Upgrade: websocket",
                "Connection: Upgrade",
                f"Sec-WebSocket-Key: {KEY}",
                "Sec-WebSocket-Version: 13",
                "hOST: other.example",
            ],
        ),
    ]

    refused: list[tuple[str, dict[str, Any]]] = [
        ("no target", {"target": ""}),
        ("a target without a slash", {"target": "chat"}),
        ("a fragment", {"target": "/a#b"}),
        ("space in the target", {"target": "/a b"}),
        ("a line end in the target", {"target": "/a\r\nb"}),
        ("a character beyond ASCII in the target", {"target": "/\xfc"}),
        ("a line end in the host", {"host": "a\r\nb"}),
        ("a host beyond ASCII", {"host": "b\xfccher.example"}),
        ("an empty subprotocol", {"protocols": ("",)}),
        ("a subprotocol with a comma", {"protocols": ("a,b",)}),
        ("a subprotocol with space", {"protocols": ("a b",)}),
        ("a subprotocol with a line end", {"protocols": ("a\r\n",)}),
        ("a subprotocol beyond ASCII", {"protocols": ("\xe9",)}),
        ("a subprotocol twice", {"protocols": ("a", "b", "a")}),
        ("a line end in the origin", {"origin": "http://a\r\nX: y"}),
        ("NUL in the origin", {"origin": "http://a\0"}),
        ("an origin beyond Latin-1", {"origin": "http://\u20ac"}),
        ("a name that is no token", {"headers": ((b"a b", b""),)}),
        ("an empty name", {"headers": ((b"", b""),)}),
        ("a colon in a name", {"headers": ((b"a:", b""),)}),
        ("a line end in a value", {"headers": ((b"a", b"b\r\nc: d"),)}),
        ("a line feed in a value", {"headers": ((b"a", b"b\nc"),)}),
        ("NUL in a value", {"headers": ((b"a", b"b\0"),)}),
        ("space around a value", {"headers": ((b"a", b" b"),)}),
        # RFC 9112 section 3.2
        ("two Hosts", {"headers": ((b"Host", b"a"), (b"host", b"b"))}),
        *(
            (f"a second {name}", {"headers": ((name.encode("ascii"), b"x"),)})
            for name in (
                "Upgrade",
                "connection",
                "Content-Length",
                "transfer-encoding",
                "Origin",
                "sec-websocket-origin",
                "Sec-WebSocket-Key",
                "SEC-WEBSOCKET-VERSION",
                "Sec-WebSocket-Protocol",
                "Sec-WebSocket-Extensions",
            )
        ),
    ]

    def opening(self, **parts: Any) -> Opening:
        """
        @return: the example of RFC 6455 with other parts.
        """
        return Opening(
            **{"host": "example.com", "target": "/chat", "key": KEY, **parts}
        )

    def test_rendered(self):
        """
        A request is these lines and an empty one.
        """
        for name, parts, lines in self.rows:
            expected = "\r\n".join([*lines, "", ""]).encode("latin-1")
            self.assertEqual(self.opening(**parts).render(), expected, name)

    def test_refused(self):
        """
        What cannot be sent is a ValueError.
        """
        for name, parts in self.refused:
            try:
                rendered = self.opening(**parts).render()
            except ValueError:
                pass
            else:
                self.fail(f"{name}: {rendered!r}")

    def test_key(self):
        """
        Each handshake has a key of its own, 16 bytes in base64.
        """
        keys = {Opening("example.com", "/").key for _ in range(100)}
        self.assertEqual(len(keys), 100)
        for key in keys:
            self.assertEqual(len(b64decode(key, validate=True)), 16)


class CheckTests(SynchronousTestCase):
    """
    L{Opening.check}: RFC 6455 section 4.1, the client's validation.
    """

    fields = (
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {ACCEPT}",
    )

    valid = [
        # name, lines in place of those of the same name, subprotocol
        ("the least", (), None),
        ("case of Upgrade", ("Upgrade: WebSocket",), None),
        ("case of Connection", ("Connection: uPGRADE",), None),
        ("a list", ("Connection: keep-alive ,Upgrade",), None),
        ("lists", ("Connection: close", "Connection: ,, Upgrade,"), None),
        ("a subprotocol", ("Sec-WebSocket-Protocol: b",), "b"),
        ("an empty extension field", ("Sec-WebSocket-Extensions: ",), None),
        ("others", ("Server: x", "Set-Cookie: a=1", "Set-Cookie: b=2"), None),
    ]

    invalid = [
        ("an empty Upgrade", ("Upgrade: ",), "no Upgrade: websocket in the response"),
        ("h2c", ("Upgrade: h2c",), "no Upgrade: websocket in the response"),
        (
            "Upgrade with a version",
            ("Upgrade: websocket/13",),
            "no Upgrade: websocket in the response",
        ),
        (
            "two Upgrades",
            ("Upgrade: websocket", "Upgrade: websocket"),
            "2 upgrade header fields",
        ),
        (
            "keep-alive",
            ("Connection: keep-alive",),
            "no Connection: Upgrade in the response",
        ),
        (
            "an empty Connection",
            ("Connection: ",),
            "no Connection: Upgrade in the response",
        ),
        (
            "part of a token",
            ("Connection: Upgraded",),
            "no Connection: Upgrade in the response",
        ),
        (
            "no tokens",
            ("Connection: Upgrade, a b",),
            "Connection has an element that is not a token",
        ),
        (
            "an empty accept",
            ("Sec-WebSocket-Accept: ",),
            "a wrong Sec-WebSocket-Accept in the response",
        ),
        (
            "the accept of the example in section 4.2.2",
            ("Sec-WebSocket-Accept: HSmrc0sMlYUkAGmm5OPpG2HaGWk=",),
            "a wrong Sec-WebSocket-Accept in the response",
        ),
        (
            "the key for an accept",
            (f"Sec-WebSocket-Accept: {KEY}",),
            "a wrong Sec-WebSocket-Accept in the response",
        ),
        (
            "a subprotocol that was not offered",
            ("Sec-WebSocket-Protocol: c",),
            "a subprotocol that was not offered: 'c'",
        ),
        (
            "an extension",
            ("Sec-WebSocket-Extensions: x",),
            "an extension that was not offered: 'x'",
        ),
        (
            "RFC 6455 11.3.2 two fields of extensions",
            ("Sec-WebSocket-Extensions: ", "Sec-WebSocket-Extensions: "),
            "2 sec-websocket-extensions header fields",
        ),
    ]

    opening = Opening("example.com", "/", protocols=("a", "b"), key=KEY)

    def response(self, instead: tuple[str, ...], minor: int = 1) -> Response:
        """
        @return: a valid response but for some lines.
        """
        names = {line.split(":")[0] for line in instead}
        lines = [line for line in self.fields if line.split(":")[0] not in names]
        return Response(minor, 101, "", Headers(fieldsOf(*lines, *instead)))

    def test_valid(self):
        """
        A valid response says which subprotocol was chosen, if one was.
        """
        for name, instead, protocol in self.valid:
            agreement = self.opening.check(self.response(instead))
            self.assertEqual(agreement, (protocol, ()), name)

    def test_invalid(self):
        """
        A response that does not answer this handshake is invalid.
        """
        for name, instead, message in self.invalid:
            try:
                self.opening.check(self.response(instead))
            except InvalidUpgrade as error:
                self.assertEqual(str(error), message, name)
            else:
                self.fail(name)

    def test_missing(self):
        """
        None of the three fields may be missing.
        """
        for line in self.fields:
            rest = [other for other in self.fields if other != line]
            response = Response(1, 101, "", Headers(fieldsOf(*rest)))
            self.assertRaises(InvalidUpgrade, self.opening.check, response)

    def test_oldHTTP(self):
        """
        HTTP/1.0 knows of no upgrade.
        """
        response = self.response((), minor=0)
        error = self.assertRaises(InvalidUpgrade, self.opening.check, response)
        self.assertEqual(str(error), "an upgrade by HTTP/1.0")


class ReadResponseTests(SynchronousTestCase):
    """
    L{readResponse}: RFC 9112 section 4.
    """

    valid = [
        # status line, minor version, status, reason
        (b"HTTP/1.1 200 OK", 1, 200, "OK"),
        (b"HTTP/1.0 404 Not Found", 0, 404, "Not Found"),
        (b"HTTP/1.1 101", 1, 101, ""),
        (b"HTTP/1.1 500 ", 1, 500, ""),
        (b"HTTP/1.1 599 \tso  so ", 1, 599, "\tso  so "),
        (b"HTTP/1.1 100 \xe9", 1, 100, "\xe9"),
    ]

    invalid = [
        b"",
        b" HTTP/1.1 200 OK",
        b"http/1.1 200 OK",
        b"HTTP/1.2 200 OK",
        b"HTTP/2 200 OK",
        b"HTTP/2.0 200 OK",
        b"HTTP/01.1 200 OK",
        b"HTTP/1.1  200 OK",
        b"HTTP/1.1\t200 OK",
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1 2000 OK",
        b"HTTP/1.1 +20 OK",
        b"HTTP/1.1 000 OK",
        b"HTTP/1.1 099 OK",
        b"HTTP/1.1 600 OK",
        b"HTTP/1.1 200OK",
        b"HTTP/1.1 \xb2\xb2\xb2 OK",
        b"HTTP/1.1 200 O\0K",
        b"HTTP/1.1 200 O\rK",
        b"HTTP/1.1 200 O\nK",
        b"HTTP/1.1 200 O\x7fK",
        b"HTTP/1.1 200 OK\n",
        b"ICY 200 OK",
        b"GET / HTTP/1.1",
    ]

    def test_valid(self):
        """
        A status line has a version, a status and perhaps a reason.
        """
        for line, *parts in self.valid:
            response = readResponse([line])
            found = [response.minorVersion, response.status, response.reason]
            self.assertEqual(found, parts, line)
            self.assertEqual(list(response.headers), [], line)

    def test_invalid(self):
        """
        What is no status line makes the response invalid.
        """
        for line in self.invalid:
            error = self.assertRaises(InvalidUpgrade, readResponse, [line])
            self.assertEqual(str(error), "a malformed status line", line)
        self.assertRaises(InvalidUpgrade, readResponse, [])

    def test_headers(self):
        """
        The other lines are header fields, in order, with their names in lower case.
        """
        response = readResponse([b"HTTP/1.1 200 OK", b"B: 1", b"a:2\t", b"b: \xe9"])
        expected = [(b"b", b"1"), (b"a", b"2"), (b"b", b"\xe9")]
        self.assertEqual(list(response.headers), expected)

    def test_malformedHeaders(self):
        """
        A malformed header line makes the response invalid.
        """
        for line in (
            b"a",
            b" a: b",
            b"a : b",
            b": b",
            b"a: \0",
            b"a: b\rc",
            b"a: b\nc",
        ):
            lines = [b"HTTP/1.1 200 OK", line]
            self.assertRaises(InvalidUpgrade, readResponse, lines)


class BodyTests(SynchronousTestCase):
    """
    L{Body}: RFC 9112 sections 6 and 7.
    """

    limit = 65536

    chunked = ("Transfer-Encoding: chunked",)

    rows: list[tuple[str, tuple[str, ...], bytes, int | None, bytes]] = [
        # name, fields, bytes, how many at most complete it (None: the end does), body
        ("a length", ("Content-Length: 5",), b"hello", 5, b"hello"),
        ("no body", ("Content-Length: 0",), b"", 0, b""),
        ("more than the length", ("Content-Length: 5",), b"hello!", 5, b"hello"),
        ("less than the length", ("Content-Length: 5",), b"hell", None, b"hell"),
        ("zeros before a length", ("Content-Length: 0005",), b"hello!", 5, b"hello"),
        ("a length twice", ("Content-Length: 2",) * 2, b"hello", 2, b"he"),
        (
            "two lengths",
            ("Content-Length: 2", "Content-Length: 3"),
            b"hello",
            None,
            b"hello",
        ),
        ("a list of lengths", ("Content-Length: 2, 2",), b"hello", None, b"hello"),
        ("a negative length", ("Content-Length: -2",), b"hello", None, b"hello"),
        ("a length with a sign", ("Content-Length: +2",), b"hello", None, b"hello"),
        ("a length in words", ("Content-Length: a",), b"hello", None, b"hello"),
        ("an empty length", ("Content-Length: ",), b"hello", None, b"hello"),
        ("other digits", ("Content-Length: \xb2",), b"hello", None, b"hello"),
        ("a huge length", (f"Content-Length: {'9' * 5000}",), b"hello", None, b"hello"),
        ("neither", (), b"hello", None, b"hello"),
        ("chunks", chunked, b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", 20, b"abcde"),
        ("no chunk", chunked, b"0\r\n\r\n", 5, b""),
        ("case", ("Transfer-Encoding: Chunked",), b"1\r\na\r\n0\r\n\r\n", 11, b"a"),
        ("hexadecimal", chunked, b"0a\r\n0123456789\r\n0\r\n\r\n", 21, b"0123456789"),
        ("upper case", chunked, b"A\r\n0123456789\r\n0\r\n\r\n", 20, b"0123456789"),
        ("zeros before a size", chunked, b"0001\r\na\r\n000\r\n\r\n", 16, b"a"),
        ("an extension", chunked, b'1;a="b"\r\na\r\n0;c\r\n\r\n', 19, b"a"),
        ("space before an extension", chunked, b"1 ;a\r\na\r\n0\t\r\n\r\n", 15, b"a"),
        ("trailer fields", chunked, b"1\r\na\r\n0\r\nb: c\r\nd: e\r\n\r\n", 23, b"a"),
        ("more than the chunks", chunked, b"1\r\na\r\n0\r\n\r\nmore", 11, b"a"),
        (
            "the end of chunks within one",
            chunked,
            b"7\r\n\r\n0\r\n\r\n\r\n1\r\na\r\n0\r\n\r\n",
            23,
            b"\r\n0\r\n\r\na",
        ),
        ("unfinished chunks", chunked, b"3\r\nabc\r\n2\r\nd", None, b"abcd"),
        ("an unfinished size", chunked, b"3\r\nabc\r\n2", None, b"abc"),
        ("a chunk without its line end", chunked, b"3\r\nabcd", 7, b"abc"),
        ("half a line end", chunked, b"3\r\nabc\rd", 8, b"abc"),
        (
            "a chunk with another line end",
            chunked,
            b"3\r\nabcXX2\r\nde\r\n0\r\n\r\n",
            7,
            b"abc",
        ),
        ("no size", chunked, b"3\r\nabc\r\n\r\n", 10, b"abc"),
        ("a size that is no number", chunked, b"3\r\nabc\r\nxyz\r\n", 13, b"abc"),
        ("a negative size", chunked, b"3\r\nabc\r\n-1\r\n", 12, b"abc"),
        ("a size with a prefix", chunked, b"3\r\nabc\r\n0x1\r\na\r\n", 13, b"abc"),
        ("a size with a bare line feed", chunked, b"3\nabc\n0\n\n\r\n", 11, b""),
        (
            "chunks and a length",
            ("Content-Length: 1", *chunked),
            b"2\r\nab\r\n0\r\n\r\n",
            12,
            b"ab",
        ),
        ("another coding", ("Transfer-Encoding: gzip",), b"hello", None, b"hello"),
        (
            "another coding and a length",
            ("Transfer-Encoding: gzip", "Content-Length: 1"),
            b"hello",
            None,
            b"hello",
        ),
    ]  # fmt: skip

    def body(self, fields: tuple[str, ...]) -> Body:
        """
        @return: the body of a response with such fields.
        """
        return Body(Response(1, 403, "", Headers(fieldsOf(*fields))))

    def test_bodiless(self):
        """
        A 204 and a 304 have no body, whatever their fields say.
        """
        for status in (204, 304):
            for fields in ((), ("Content-Length: 5",), self.chunked):
                headers = Headers(fieldsOf(*fields))
                body = Body(Response(1, status, "", headers))
                self.assertTrue(body.dataReceived(b""), (status, fields))
                self.assertTrue(body.dataReceived(b"hello"), (status, fields))
                self.assertEqual(body.value(), b"", (status, fields))

    def test_whole(self):
        """
        A body that comes at once is complete if all of it is here.
        """
        for name, fields, wire, needed, expected in self.rows:
            body = self.body(fields)
            complete = body.dataReceived(b"") or body.dataReceived(wire)
            self.assertEqual(body.value(), expected, name)
            self.assertEqual(complete, needed is not None, name)

    def test_bytewise(self):
        """
        A body that comes byte by byte is the same, and complete with its last byte at
        the latest or, where it is malformed, with the one that shows it.
        """
        for name, fields, wire, needed, expected in self.rows:
            body = self.body(fields)
            came = 0
            complete = body.dataReceived(b"")
            while not complete and came < len(wire):
                complete = body.dataReceived(wire[came : came + 1])
                came += 1
            self.assertEqual(body.value(), expected, name)
            self.assertEqual(complete, needed is not None, name)
            if needed is not None:
                self.assertLessEqual(came, needed, name)

    def test_everyCut(self):
        """
        It does not matter where a body is cut in two.
        """
        for name, fields, wire, needed, expected in self.rows:
            for at in range(len(wire)):
                body = self.body(fields)
                complete = body.dataReceived(b"")
                for part in (wire[:at], wire[at:]):
                    complete = complete or body.dataReceived(part)
                self.assertEqual(body.value(), expected, (name, at))
                self.assertEqual(complete, needed is not None, (name, at))

    def test_limit(self):
        """
        64 KiB are kept, and are enough, however the body ends.
        """
        wanted = b"0123456789abcdef" * (self.limit // 16)
        chunks = b"".join(
            b"10\r\n%b\r\n" % wanted[at : at + 16] for at in range(0, self.limit, 16)
        )
        for name, fields, wire in (
            ("no length", (), wanted),
            ("a length", ("Content-Length: 1000000",), wanted),
            (
                "a length of more than 18 digits",
                (f"Content-Length: {'9' * 19}",),
                wanted,
            ),
            ("one chunk", self.chunked, b"fffffff\r\n" + wanted),
            ("many chunks", self.chunked, chunks[:-2]),
        ):
            body = self.body(fields)
            self.assertFalse(body.dataReceived(wire[:-1]), name)
            self.assertEqual(len(body.value()), self.limit - 1, name)
            self.assertTrue(body.dataReceived(wire[-1:] + b"more"), name)
            self.assertTrue(body.value() == wanted, name)

    def test_endlessFraming(self):
        """
        What surrounds chunks is bounded too.
        """
        for name, wire in (
            ("a size without end", b"0" * self.limit * 2),
            ("an extension without end", b"1;" + b"a" * self.limit * 2),
            ("trailer fields without end", b"0\r\n" + b"a: b\r\n" * self.limit),
        ):
            body = self.body(self.chunked)
            self.assertTrue(body.dataReceived(wire), name)
            self.assertEqual(body.value(), b"", name)
