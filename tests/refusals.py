# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A table of refusals: of the ways in which a body can end, or not.
"""

from __future__ import annotations

from typing import Any

from .fakeserver import Arrive, Drip, Drop, Flood, HalfClose, Reset, Send, Step
from .outcomes import Ending, Refused
from .responses import Answer, head

MEGABYTES = b"0123456789abcdef" * (10 << 16)
"""
Ten of them.
"""

KEPT = MEGABYTES[:65536]
"""
What is kept of such a body.
"""


def _refusal(
    name: str,
    status: str,
    fields: tuple[str, ...],
    wire: Answer,
    body: bytes,
    *then: Step,
    version: str = "1.1",
    **details: Any,
) -> Ending:
    """
    @param wire: what follows the head.
    @param body: what comes of it.
    @param then: what the server does after that.
    """
    code, _, reason = status.partition(" ")
    sent = head(f"HTTP/{version} {status}", *fields)
    script = (Send(sent), Send(wire), *then)
    expected = Refused(int(code), reason, fields, body)
    return Ending(name, script, expected, **details)


CHUNKED = ("Transfer-Encoding: chunked",)
HTML = "Content-Type: text/html"

REFUSALS = [
    _refusal(
        "A 403 with a Content-Length",
        "403 Forbidden",
        (HTML, "Content-Length: 9"),
        b"Forbidden",
        b"Forbidden",
    ),
    _refusal("A 200", "200 OK", (HTML, "Content-Length: 2"), b"OK", b"OK"),
    _refusal(
        "A 301",
        "301 Moved Permanently",
        ("Location: wss://elsewhere.example/", "Content-Length: 0"),
        b"",
        b"",
    ),
    _refusal(
        "A 401 that ends with the connection",
        "401 Unauthorized",
        ('WWW-Authenticate: Basic realm="x"', "Set-Cookie: a=1", "Set-Cookie: b=2"),
        b"Who are you?",
        b"Who are you?",
        Drop(),
    ),
    _refusal(
        "A 426 of HTTP/1.0 that ends with half the connection",
        "426 Upgrade Required",
        ("Sec-WebSocket-Version: 8",),
        b"8 it is",
        b"8 it is",
        HalfClose(),
        version="1.0",
    ),
    _refusal(
        "A 500 without a reason phrase, reset",
        "500 ",
        (),
        b"Oops",
        b"Oops",
        Arrive(),
        Reset(),
    ),
    _refusal("A 204 without a body", "204 No Content", (), b"", b""),
    _refusal(
        "A 304 without a body", "304 Not Modified", ("Content-Length: 9",), b"", b""
    ),
    _refusal(
        "A body longer than announced",
        "404 Not Found",
        ("Content-Length: 3",),
        b"No. HTTP/1.1 200 OK",
        b"No.",
    ),
    _refusal(
        "A body shorter than announced, and the end",
        "404 Not Found",
        ("Content-Length: 30",),
        b"Not Fou",
        b"Not Fou",
        Drop(),
    ),
    _refusal(
        "A body shorter than announced, and silence",
        "404 Not Found",
        ("Content-Length: 30",),
        b"Not Fou",
        b"Not Fou",
        atDeadline=True,
    ),
    _refusal(
        "A body that never ends",
        "404 Not Found",
        (),
        b"",
        b"x" * 4,
        Drip(b"x" * 4),
        atDeadline=True,
    ),
    _refusal(
        "Two lengths, and the end",
        "400 Bad Request",
        ("Content-Length: 3", "Content-Length: 4"),
        b"12345",
        b"12345",
        Drop(),
    ),
    _refusal(
        "A length and chunks",
        "400 Bad Request",
        ("Content-Length: 3", *CHUNKED),
        b"5\r\nhello\r\n0\r\n\r\n",
        b"hello",
    ),
    _refusal(
        "Ten megabytes",
        "503 Service Unavailable",
        (f"Content-Length: {len(MEGABYTES)}",),
        MEGABYTES,
        KEPT,
    ),
    _refusal(
        "Ten megabytes without a length", "503 Service Unavailable", (), MEGABYTES, KEPT
    ),
    _refusal(
        "Ten megabytes in chunks",
        "503 Service Unavailable",
        CHUNKED,
        lambda key: b"".join(
            b"2000\r\n%b\r\n" % MEGABYTES[at : at + 8192]
            for at in range(0, len(MEGABYTES), 8192)
        ),
        KEPT,
    ),
    _refusal(
        "A flood", "503 Service Unavailable", (), b"", KEPT, Flood(MEGABYTES[:4096])
    ),
    _refusal(
        "Chunks",
        "404 Not Found",
        CHUNKED,
        b"4\r\nNot \r\n5\r\nFound\r\n0\r\n\r\n",
        b"Not Found",
    ),
    _refusal(
        "Chunks with extensions",
        "404 Not Found",
        CHUNKED,
        b'9;a=b;c="d"\r\nNot Found\r\n000;e\r\n\r\n',
        b"Not Found",
    ),
    _refusal(
        "Chunks with trailer fields",
        "404 Not Found",
        CHUNKED,
        b"9\r\nNot Found\r\n0\r\nX-Sum: 1\r\nX-Sum: 2\r\n\r\n",
        b"Not Found",
    ),
    _refusal(
        "Chunks that hold what ends chunks",
        "404 Not Found",
        CHUNKED,
        b"B\r\nNot\r\n0\r\n\r\nF\r\n4\r\nound\r\n0\r\n\r\n",
        b"Not\r\n0\r\n\r\nFound",
    ),
    _refusal(
        "Chunks, and more than that",
        "404 Not Found",
        CHUNKED,
        b"9\r\nNot Found\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n",
        b"Not Found",
    ),
    _refusal(
        "Malformed chunks",
        "404 Not Found",
        CHUNKED,
        b"4\r\nNot \r\nxyz\r\nFound\r\n",
        b"Not ",
    ),
    _refusal(
        "A chunk that is longer than its size",
        "404 Not Found",
        CHUNKED,
        b"3\r\nNot Found\r\n0\r\n\r\n",
        b"Not",
    ),
    _refusal(
        "Chunks that break off",
        "404 Not Found",
        CHUNKED,
        b"4\r\nNot \r\n5\r\nFou",
        b"Not Fou",
        Drop(),
    ),
    _refusal(
        "Chunks that stop",
        "404 Not Found",
        CHUNKED,
        b"4\r\nNot \r\n5\r\nFou",
        b"Not Fou",
        atDeadline=True,
    ),
    Ending(
        "A refusal after an interim response",
        (
            Send(
                head("HTTP/1.1 100 Continue")
                + head("HTTP/1.1 403 No", "Content-Length: 0")
            ),
        ),
        Refused(403, "No", ("Content-Length: 0",)),
    ),
]
