# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Fuzzes what reads and writes the opening handshake.

The first byte of an input chooses what the rest is: a request, a response and its
body, Sec-WebSocket-Extensions fields, Cookie fields, or header fields to send.  What is
agreed on about extensions is in C{extensions.py}.

Checked: what the peer sends raises L{InvalidUpgrade} and nothing else, and then there
is an answer to it; what is accepted can be answered; nothing that is written has a
line that was not asked for; what was read reads the same once it is written again.
"""

from __future__ import annotations

import sys
from collections.abc import Hashable
from pathlib import Path

if __name__ == "__main__":  # from any directory
    sys.path[0] = str(Path(__file__).parents[1])

from fuzz.driver import instrumented, main

with instrumented(__name__):
    from twisted_ws._wire.cookies import Cookie, parseCookies
    from twisted_ws._wire.errors import InvalidUpgrade
    from twisted_ws._wire.handshake import (
        VERSIONS,
        acceptance,
        readRequest,
        refusal,
        switching,
    )
    from twisted_ws._wire.headers import (
        checkField,
        parseExtensions,
        renderExtensions,
        renderHead,
    )
    from twisted_ws._wire.opening import Body, Opening, readResponse

TOKENS = (
    b"\r\n",
    b"\r\n\r\n",
    b": ",
    b", ",
    b"; ",
    b'="',
    b'"',
    b"\\",
    b"\0",
    b"\n",
    b"\t",
    b"\xff",
    b"Host: ",
    b"Upgrade: websocket\r\n",
    b"Connection: keep-alive, Upgrade\r\n",
    b"Content-Length: 0\r\n",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Sec-WebSocket-Protocol: chat\r\n",
    b"Sec-WebSocket-Extensions: ",
    b"Sec-WebSocket-Version: 8\r\n",
    b"Sec-WebSocket-Origin: http://h\r\n",
    b"Origin: null\r\n",
    b"Cookie: a=b\r\n",
    b"HTTP/1.0",
    b"HTTP/1.1 101 ",
    b"http://h/",
    b"[::1]:80",
    b"0\r\n\r\n",
    b"3\r\nabc\r\n",
    b"permessage-deflate",
    b"client_max_window_bits",
)

OPENING = Opening(
    host="h",
    target="/",
    protocols=("chat", "superchat"),
    extensions=(("permessage-deflate", (("client_max_window_bits", None),)),),
    origin="http://h",
    key="dGhlIHNhbXBsZSBub25jZQ==",
)


def checkHead(head: bytes, lines: int) -> None:
    """
    @raise AssertionError: unless C{head} has that many lines and its empty one.
    """
    rows = head.split(b"\r\n")
    assert len(rows) == lines + 2 and rows[-2:] == [b"", b""], head
    assert not any(control in row for row in rows for control in b"\r\n\0"), head


def fuzzRequest(data: bytes) -> Hashable:
    """
    A client sends C{data}.
    """
    lines = data.split(b"\r\n\r\n")[0].split(b"\r\n")
    try:
        offer = readRequest(lines)
    except InvalidUpgrade as error:
        answer = refusal(error.status, "", error.headers)
        head = answer[: answer.index(b"\r\n\r\n") + 4]
        checkHead(head, head.count(b"\r\n") - 1)
        assert str(error).isprintable(), str(error)
        return error.status, str(error)
    assert offer.target.startswith("/") and offer.target.isascii(), offer.target
    assert offer.version in VERSIONS
    chosen = offer.protocols[0] if offer.protocols else None
    pairs = acceptance(offer.key, chosen, extensions=offer.extensions)
    checkHead(switching(pairs), len(pairs) + 1)
    # Whoever asks like that is understood.
    again = Opening(
        offer.host, offer.target, offer.version, offer.protocols, offer.extensions
    )
    reread = readRequest(again.render().split(b"\r\n")[:-2])
    assert (reread.host, reread.target) == (offer.host, offer.target)
    assert reread.protocols == offer.protocols
    assert reread.extensions == offer.extensions
    return offer.version, bool(chosen), len(offer.extensions), offer.origin is None


def fuzzResponse(data: bytes) -> Hashable:
    """
    A server answers C{data}.
    """
    head, _, rest = data.partition(b"\r\n\r\n")
    try:
        response = readResponse(head.split(b"\r\n"))
        assert 100 <= response.status <= 599
        if response.status == 101:
            chosen, extensions = OPENING.check(response)
            assert chosen in (None, *OPENING.protocols), chosen
            assert {name for name, _ in extensions} <= {"permessage-deflate"}
            renderExtensions(extensions)
            return chosen, min(len(extensions), 2)
    except InvalidUpgrade as error:
        assert str(error).isprintable(), str(error)
        return str(error)[:30]
    values = []
    for size in (len(rest) + 1, 1, 3):
        body = Body(response)
        done = body.dataReceived(b"")
        for at in range(0, len(rest), size):
            if done:
                break
            done = body.dataReceived(rest[at : at + size])
        values.append((body.value(), done))
        assert len(values[0][0]) <= Body.limit
    assert values[0] == values[1] == values[2], values
    return response.status // 100, values[0][1], min(len(values[0][0]), 2)


def fuzzExtensions(data: bytes) -> Hashable:
    """
    A peer offers the extensions C{data}.
    """
    try:
        extensions = parseExtensions(data.decode("latin-1").split("\n"))
    except InvalidUpgrade:
        return None
    written = renderExtensions(extensions).decode("ascii")
    assert parseExtensions([written]) == extensions, written
    return tuple(len(parameters) for _, parameters in extensions)


def fuzzCookies(data: bytes) -> Hashable:
    """
    A client sends the cookies C{data}.
    """
    cookies = parseCookies(data.decode("latin-1").split("\n"))
    kept = 0
    for name, value in cookies.items():
        assert name and "=" not in name and ";" not in name + value, (name, value)
        try:
            cookie = Cookie(name, value)
        except ValueError:
            continue
        assert parseCookies([cookie.render()])[name] == value, (name, value)
        kept += 1
    return len(cookies), kept


def fuzzFields(data: bytes) -> Hashable:
    """
    An application sends the fields C{data}.
    """
    pairs = []
    for line in data.split(b"\x1e"):
        name, _, value = line.partition(b"\x1f")
        try:
            pairs.append(checkField(name, value))
            same = checkField(name.decode("latin-1"), value.decode("latin-1"))
            assert same == pairs[-1], same
        except ValueError:
            pass
    checkHead(renderHead(b"HTTP/1.1 200 OK", pairs), len(pairs) + 1)
    return len(pairs)


PARTS = (fuzzRequest, fuzzResponse, fuzzExtensions, fuzzCookies, fuzzFields)


def TestOneInput(data: bytes) -> Hashable:
    """
    @return: what happened.
    @raise Exception: when the handshake breaks its contract.
    """
    if not data:
        return None
    # "0" to "4", so that the seeds can be read.
    number = data[0] % 16 % len(PARTS)
    return number, PARTS[number](data[1:])


if __name__ == "__main__":
    main(TestOneInput, "handshake", TOKENS)
