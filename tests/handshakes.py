# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Opening handshakes, good and bad, and the base of the tests that have a server read
them.
"""

from twisted.trial.unittest import SynchronousTestCase

from twisted_ws import ServerConfig
from twisted_ws.testing import MemoryServer, RecordingReceiver

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""
The example of RFC 6455 section 1.3.
"""
FIELDS = (
    "Host: example.com",
    "Upgrade: websocket",
    "Connection: Upgrade",
    f"Sec-WebSocket-Key: {KEY}",
    "Sec-WebSocket-Version: 13",
)
"""
The least that a client must send.
"""


def handshake(*fields, line="GET / HTTP/1.1", without=()):
    """
    Make a request: an opening handshake with some changes.

    @param fields: header lines; they take the place of those with the same name.
    @param line: its first line.
    @param without: names of fields to leave out.
    @return: bytes; characters are written as Latin-1.
    """
    absent = {name.lower() for name in without}
    absent |= {field.partition(":")[0].lower() for field in fields}
    kept = [f for f in FIELDS if f.partition(":")[0].lower() not in absent]
    return "\r\n".join([line, *kept, *fields, "", ""]).encode("latin-1")


def request(target):
    """
    Make a handshake for a request-target.
    """
    return handshake(line=f"GET {target} HTTP/1.1")


def field(name, *values):
    """
    Make a handshake with these values in fields of one name.
    """
    return handshake(*(f"{name}: {value}" for value in values))


def version(number, *fields):
    """
    Make a handshake for a protocol version.
    """
    return handshake(f"Sec-WebSocket-Version: {number}", *fields)


def backwards():
    """
    Make a handshake with its fields the other way round.
    """
    return "\r\n".join(["GET / HTTP/1.1", *reversed(FIELDS), "", ""]).encode()


FROM_A = {"origin": "http://a"}

# Each row: a name with its source, a request, and what is to be read from it.
ACCEPTED = [
    ("RFC 6455 4.2.1 the least", handshake(), {"version": 13, "key": KEY}),
    ("RFC 6455 4.2.1 no origin", handshake(), {"origin": None, "protocols": ()}),
    ("RFC 6455 4.2.1 fields in any order", backwards(), {"host": "example.com"}),
    (
        "RFC 6455 4.2.1 names in any case",
        handshake("HOST: a", "upgrade: websocket", "SEC-WEBSOCKET-KEY: " + KEY),
        {"host": "a", "key": KEY},
    ),
    ("RFC 9112 2.2 an empty line first", b"\r\n" + handshake(), {"target": "/"}),
    # The request-target
    ("RFC 9112 3.2.1 a query", request("/a?b=c?d/e"), {"target": "/a?b=c?d/e"}),
    ("RFC 9112 3.2.1 percent-encoded", request("/%2f%00%zz"), {"target": "/%2f%00%zz"}),
    ("RFC 9112 3.2.1 dots stay", request("/../.."), {"target": "/../.."}),
    ("RFC 9112 3.2.1 two slashes", request("//evil/x"), {"target": "//evil/x"}),
    ("RFC 9112 3.2.2 absolute", request("http://example.com/a?b"), {"target": "/a?b"}),
    ("RFC 9112 3.2.2 without a path", request("http://example.com"), {"target": "/"}),
    ("RFC 9112 3.2.2 a query only", request("http://example.com?a"), {"target": "/?a"}),
    ("RFC 9112 3.2.2 https", request("https://example.com/a"), {"target": "/a"}),
    ("RFC 9112 3.2.2 ws", request("ws://example.com/a"), {"target": "/a"}),
    ("RFC 9110 4.2.3 its case", request("HTTP://EXAMPLE.com/A"), {"target": "/A"}),
    # Host
    (
        "RFC 9110 7.2 a port",
        field("Host", "a.example:8080"),
        {"host": "a.example:8080"},
    ),
    ("RFC 9110 7.2 IPv4", field("Host", "192.0.2.1:1"), {"host": "192.0.2.1:1"}),
    ("RFC 9110 7.2 IPv6", field("Host", "[2001:db8::1]"), {"host": "[2001:db8::1]"}),
    ("RFC 9110 7.2 IPv6, port", field("Host", "[::1]:65535"), {"host": "[::1]:65535"}),
    ("RFC 9110 7.2 underscore", field("Host", "a_b"), {"host": "a_b"}),
    # Bodies
    ("RFC 9112 6 no body", field("Content-Length", "0"), {"target": "/"}),
    # Upgrade and Connection
    ("RFC 6455 4.2.1 any case", field("Upgrade", "WebSocket"), {}),
    ("RFC 9110 7.8 a list", field("Upgrade", "h2c, websocket"), {}),
    ("RFC 9110 7.8 versions", field("Upgrade", "HTTP/2.0, websocket, IRC/6.9"), {}),
    ("RFC 9110 7.8 two fields", field("Upgrade", "h2c", "websocket"), {}),
    ("RFC 6455 4.2.1 any case", field("Connection", "uPGRADE"), {}),
    ("RFC 9110 7.6.1 a list", field("Connection", "keep-alive, Upgrade"), {}),
    ("RFC 9110 7.6.1 two fields", field("Connection", "keep-alive", "Upgrade"), {}),
    ("RFC 9110 5.6.1.2 empty elements", field("Connection", ",, Upgrade,"), {}),
    # Key
    (
        "RFC 6455 4.2.1 space around",
        handshake(f"Sec-WebSocket-Key:  {KEY} \t"),
        {"key": KEY},
    ),
    ("RFC 6455 11.3.1 zeros", field("Sec-WebSocket-Key", "A" * 22 + "=="), {}),
    ("RFC 6455 11.3.1 + and /", field("Sec-WebSocket-Key", "+/" * 11 + "=="), {}),
    # Version
    ("draft 10 version 8", version(8), {"version": 8, "origin": None}),
    ("draft 10 origin", version(8, "Sec-WebSocket-Origin: http://a"), FROM_A),
    ("draft 12 origin", version(8, "Origin: http://a"), FROM_A),
    ("RFC 6455 4.2.1 origin", version(13, "Origin: http://a"), FROM_A),
    ("RFC 6454 7.3 null", version(13, "Origin: null"), {"origin": "null"}),
    (
        "RFC 6455 no old origin",
        version(13, "Sec-WebSocket-Origin: http://a"),
        {"origin": None},
    ),
    # Subprotocols
    (
        "RFC 6455 4.2.1 subprotocols",
        field("Sec-WebSocket-Protocol", "chat.v1, Chat", "super"),
        {"protocols": ("chat.v1", "Chat", "super")},
    ),
    (
        "RFC 9110 5.6.1.2 empty elements",
        field("Sec-WebSocket-Protocol", ", a,\t,b ,"),
        {"protocols": ("a", "b")},
    ),
    ("RFC 9110 5.6.1.2 none", field("Sec-WebSocket-Protocol", ""), {"protocols": ()}),
    (
        "hostile names",
        field("Sec-WebSocket-Protocol", "__class__, __init__, constructor"),
        {"protocols": ("__class__", "__init__", "constructor")},
    ),
    # Extensions
    (
        "RFC 6455 9.1 extensions",
        field("Sec-WebSocket-Extensions", 'a; b="c", d;e', "f"),
        {"extensions": (("a", (("b", "c"),)), ("d", (("e", None),)), ("f", ()))},
    ),
    (
        "RFC 6455 9.1 twice the same",
        field("Sec-WebSocket-Extensions", "a; b; b, a"),
        {"extensions": (("a", (("b", None), ("b", None))), ("a", ()))},
    ),
    # Other fields
    ("RFC 9110 5.5 obs-text", field("Cookie", "a=\x80\xff"), {}),
    ("RFC 9110 5.5 tab", field("User-Agent", "a\tb"), {}),
    ("RFC 9110 5.5 empty", field("User-Agent", ""), {}),
    ("RFC 9110 6.6.2 unknown fields, twice", field("X-Any", "1", "2"), {}),
    ("hostile names", handshake("__class__: 1", "__init__: 2"), {}),
    ("RFC 9110 10.1.1 ignored", field("Expect", "something"), {}),
]

# Each row: a name with its source, a request, and the status that answers it.
REFUSED = [
    # The request line
    ("RFC 9112 2.2 two empty lines first", b"\r\n\r\n" + handshake(), 400),
    ("RFC 9112 3 no version", handshake(line="GET /"), 400),
    ("RFC 9112 3 nothing but a method", handshake(line="GET"), 400),
    ("RFC 9112 3 two spaces", handshake(line="GET  / HTTP/1.1"), 400),
    ("RFC 9112 3 tab for a space", handshake(line="GET\t/\tHTTP/1.1"), 400),
    ("RFC 9112 3 space at the end", handshake(line="GET / HTTP/1.1 "), 400),
    ("RFC 9112 3 space at the start", handshake(line=" GET / HTTP/1.1"), 400),
    ("RFC 9112 3 space in the target", handshake(line="GET /a b HTTP/1.1"), 400),
    ("RFC 9112 2.2 a bare LF", handshake(line="GET / HTTP/1.1\nX: y"), 400),
    ("RFC 9112 2.2 a bare CR", handshake(line="GET / HTTP/1.1\rX: y"), 400),
    ("RFC 9110 9.1 a method that is no token", handshake(line="G@T / HTTP/1.1"), 400),
    ("RFC 9110 9.1 no method", handshake(line=" / HTTP/1.1"), 400),
    ("RFC 6455 4.2.1 POST", handshake(line="POST / HTTP/1.1"), 405),
    ("RFC 6455 4.2.1 HEAD", handshake(line="HEAD / HTTP/1.1"), 405),
    ("RFC 6455 4.2.1 OPTIONS", handshake(line="OPTIONS / HTTP/1.1"), 405),
    ("RFC 6455 4.2.1 CONNECT", handshake(line="CONNECT / HTTP/1.1"), 405),
    ("RFC 9110 9.1 methods have a case", handshake(line="get / HTTP/1.1"), 405),
    ("hostile names", handshake(line="__class__ / HTTP/1.1"), 405),
    ("RFC 6455 4.2.1 HTTP/1.0", handshake(line="GET / HTTP/1.0"), 505),
    ("RFC 6455 4.2.1 HTTP/0.9", handshake(line="GET / HTTP/0.9"), 505),
    ("RFC 6455 4.2.1 HTTP/2.0", handshake(line="GET / HTTP/2.0"), 505),
    ("RFC 9112 2.3 lower case", handshake(line="GET / http/1.1"), 400),
    ("RFC 9112 2.3 more digits", handshake(line="GET / HTTP/1.10"), 400),
    ("RFC 9112 2.3 fewer digits", handshake(line="GET / HTTP/1"), 400),
    ("RFC 9112 2.3 a letter", handshake(line="GET / HTTP/1.1x"), 400),
    ("RFC 9112 2.3 a sign", handshake(line="GET / HTTP/+1.1"), 400),
    ("RFC 9112 2.3 other digits", handshake(line="GET / HTTP/1.\xb9"), 400),
    # The request-target
    ("RFC 9112 3.2.4 asterisk", request("*"), 400),
    ("RFC 9112 3.2.3 authority", request("example.com:80"), 400),
    ("RFC 9112 3.2.1 relative", request("a/b"), 400),
    ("RFC 3986 3.5 fragment", request("/a#b"), 400),
    ("RFC 9112 3.2 not ASCII", request("/\xe9"), 400),
    ("RFC 9112 3.2.2 another host", request("http://evil.example/"), 400),
    ("RFC 9112 3.2.2 another port", request("http://example.com:81/"), 400),
    ("RFC 9112 3.2.2 userinfo", request("http://a@example.com/"), 400),
    ("RFC 9112 3.2.2 no host", request("http:///a"), 400),
    ("RFC 9112 3.2.2 another scheme", request("ftp://example.com/"), 400),
    # Host
    ("RFC 9112 3.2 no Host", handshake(without=["Host"]), 400),
    ("RFC 9112 3.2 two Hosts", field("Host", "example.com", "example.com"), 400),
    ("RFC 9112 3.2 empty", field("Host", ""), 400),
    ("RFC 9112 3.2 space", field("Host", "example .com"), 400),
    ("RFC 9112 3.2 userinfo", field("Host", "a@example.com"), 400),
    ("RFC 9112 3.2 a path", field("Host", "example.com/a"), 400),
    ("RFC 9112 3.2 a scheme", field("Host", "http://example.com"), 400),
    ("RFC 9112 3.2 no name", field("Host", ":80"), 400),
    ("RFC 9112 3.2 port 0", field("Host", "example.com:0"), 400),
    ("RFC 9112 3.2 port 65536", field("Host", "example.com:65536"), 400),
    ("RFC 9112 3.2 a long port", field("Host", "example.com:" + "1" * 5000), 400),
    ("RFC 9112 3.2 a name for a port", field("Host", "example.com:http"), 400),
    ("RFC 9112 3.2 a sign", field("Host", "example.com:+80"), 400),
    ("RFC 9112 3.2 other digits", field("Host", "example.com:\xb2"), 400),
    ("RFC 9112 3.2 two ports", field("Host", "example.com:80:80"), 400),
    ("RFC 9112 3.2 open bracket", field("Host", "[::1"), 400),
    ("RFC 9112 3.2 IPv6 without brackets", field("Host", "::1"), 400),
    ("RFC 9112 3.2 brackets around a name", field("Host", "[example.com]"), 400),
    ("RFC 9112 3.2 not ASCII", field("Host", "ex\xe4mple.com"), 400),
    ("RFC 9112 3.2 two names", field("Host", "a b.example"), 400),
    # Bodies
    ("RFC 9112 6.3 a body", field("Content-Length", "10") + b"0123456789", 400),
    ("RFC 9112 6.3 lengths twice", field("Content-Length", "0", "0"), 400),
    ("RFC 9112 6.3 lengths in a list", field("Content-Length", "0, 0"), 400),
    ("RFC 9110 8.6 a sign", field("Content-Length", "+0"), 400),
    ("RFC 9110 8.6 underscore", field("Content-Length", "0_0"), 400),
    ("RFC 9110 8.6 hexadecimal", field("Content-Length", "0x0"), 400),
    ("RFC 9110 8.6 negative", field("Content-Length", "-1"), 400),
    ("RFC 9112 6.1 chunked", field("Transfer-Encoding", "chunked") + b"0\r\n\r\n", 400),
    ("RFC 9112 6.1 identity", field("Transfer-Encoding", "identity"), 400),
    (
        "RFC 9112 6.1 both",
        handshake("Transfer-Encoding: chunked", "Content-Length: 0"),
        400,
    ),
    # Upgrade and Connection
    ("RFC 6455 4.2.1 no Upgrade", handshake(without=["Upgrade"]), 426),
    ("a plain GET", handshake(without=["Upgrade", "Connection"]), 426),
    ("RFC 6455 4.2.1 h2c", field("Upgrade", "h2c"), 426),
    ("RFC 6455 4.2.1 websocket2", field("Upgrade", "websocket2"), 426),
    ("RFC 6455 4.2.1 xwebsocket", field("Upgrade", "xwebsocket"), 426),
    ("RFC 9110 7.8 with a version", field("Upgrade", "websocket/13"), 426),
    ("RFC 9110 7.8 no token", field("Upgrade", "web socket"), 400),
    ("RFC 9110 7.8 quoted", field("Upgrade", '"websocket"'), 400),
    ("RFC 6455 4.2.1 no Connection", handshake(without=["Connection"]), 400),
    ("RFC 6455 4.2.1 notupgrade", field("Connection", "notupgrade"), 400),
    ("RFC 6455 4.2.1 upgrade2", field("Connection", "upgrade2"), 400),
    ("RFC 6455 4.2.1 close", field("Connection", "close"), 400),
    ("RFC 9110 7.6.1 no token", field("Connection", "Upgrade; x"), 400),
    # Key
    ("RFC 6455 4.2.1 no key", handshake(without=["Sec-WebSocket-Key"]), 400),
    ("RFC 6455 4.2.1 two keys", field("Sec-WebSocket-Key", KEY, KEY), 400),
    ("RFC 6455 4.2.1 empty", field("Sec-WebSocket-Key", ""), 400),
    ("RFC 6455 4.2.1 abc", field("Sec-WebSocket-Key", "abc"), 400),
    ("RFC 6455 4.2.1 no padding", field("Sec-WebSocket-Key", KEY[:22]), 400),
    ("RFC 6455 4.2.1 half the padding", field("Sec-WebSocket-Key", KEY[:23]), 400),
    ("RFC 6455 4.2.1 more padding", field("Sec-WebSocket-Key", KEY + "="), 400),
    ("RFC 6455 4.2.1 15 bytes", field("Sec-WebSocket-Key", "A" * 20), 400),
    ("RFC 6455 4.2.1 17 bytes", field("Sec-WebSocket-Key", "A" * 23 + "="), 400),
    ("RFC 6455 4.2.1 32 bytes", field("Sec-WebSocket-Key", "A" * 43 + "="), 400),
    (
        "RFC 6455 4.2.1 space within",
        field("Sec-WebSocket-Key", KEY[:9] + " " + KEY[9:]),
        400,
    ),
    (
        "RFC 6455 4.2.1 another alphabet",
        field("Sec-WebSocket-Key", "-_" * 11 + "=="),
        400,
    ),
    ("RFC 6455 4.2.1 no base64", field("Sec-WebSocket-Key", "?" * 22 + "=="), 400),
    ("RFC 6455 4.2.1 not ASCII", field("Sec-WebSocket-Key", "\xe9" * 22 + "=="), 400),
    ("RFC 6455 4.2.1 two in a list", field("Sec-WebSocket-Key", f"{KEY}, {KEY}"), 400),
    ("RFC 6455 4.2.1 8 KiB", field("Sec-WebSocket-Key", "A" * 8000), 400),
    # Version
    ("RFC 6455 4.4 none", handshake(without=["Sec-WebSocket-Version"]), 426),
    ("RFC 6455 4.4 empty", version(""), 426),
    ("RFC 6455 4.4 version 0", version(0), 426),
    ("RFC 6455 4.4 version 7", version(7), 426),
    ("RFC 6455 4.4 version 14", version(14), 426),
    ("RFC 6455 4.4 version 113", version(113), 426),
    ("RFC 6455 4.4 a list", version("13, 8"), 426),
    ("RFC 6455 4.4 leading zero", version("013"), 426),
    ("RFC 6455 4.4 a sign", version("+13"), 426),
    ("RFC 6455 4.4 a point", version("13.0"), 426),
    ("RFC 6455 4.4 other digits", version("\xb9\xb3"), 426),
    ("RFC 6455 4.4 twice", field("Sec-WebSocket-Version", "13", "13"), 400),
    ("RFC 6455 4.4 two", field("Sec-WebSocket-Version", "13", "8"), 400),
    # Origin
    ("RFC 6455 4.2.1 two origins", field("Origin", "http://a", "http://a"), 400),
    (
        "draft 10 two origins",
        version(8, "Sec-WebSocket-Origin: http://a", "Sec-WebSocket-Origin: http://a"),
        400,
    ),
    (
        "draft 10 one origin of each name",
        version(8, "Sec-WebSocket-Origin: http://a", "Origin: http://a"),
        400,
    ),
    # Subprotocols
    ("RFC 6455 4.1 twice", field("Sec-WebSocket-Protocol", "a, b, a"), 400),
    ("RFC 6455 4.1 twice, two fields", field("Sec-WebSocket-Protocol", "a", "a"), 400),
    ("RFC 6455 4.1 no token", field("Sec-WebSocket-Protocol", "a b"), 400),
    ("RFC 6455 4.1 quoted", field("Sec-WebSocket-Protocol", '"a"'), 400),
    ("RFC 6455 4.1 a slash", field("Sec-WebSocket-Protocol", "a/b"), 400),
    ("RFC 6455 4.1 not ASCII", field("Sec-WebSocket-Protocol", "\xe9"), 400),
    # Extensions
    ("RFC 6455 9.1 no parameter", field("Sec-WebSocket-Extensions", "a;"), 400),
    ("RFC 6455 9.1 no value", field("Sec-WebSocket-Extensions", "a; b="), 400),
    ("RFC 6455 9.1 open quote", field("Sec-WebSocket-Extensions", 'a; b="c'), 400),
    ("RFC 6455 9.1 two tokens", field("Sec-WebSocket-Extensions", "a b"), 400),
    ("RFC 6455 9.1 quoted text", field("Sec-WebSocket-Extensions", 'a; b="c d"'), 400),
    ("RFC 6455 9.1 not ASCII", field("Sec-WebSocket-Extensions", "a; b=\xe9"), 400),
    # Header lines
    ("RFC 9112 5 no colon", handshake("X"), 400),
    ("RFC 9112 5.1 space before the colon", handshake("X-Any : a"), 400),
    ("RFC 9112 5.1 space in a name", handshake("X Any: a"), 400),
    ("RFC 9112 5.1 no name", handshake(": a"), 400),
    ("RFC 9112 5.1 a name that is not ASCII", handshake("\xdc: a"), 400),
    ("RFC 9112 5.2 obs-fold", handshake("X: a\r\n b"), 400),
    ("RFC 9112 5.2 obs-fold with a colon", handshake("X: a\r\n\tb: c"), 400),
    ("RFC 9112 5.2 obs-fold first", handshake(line="GET / HTTP/1.1\r\n X: a"), 400),
    ("RFC 9112 2.2 a bare LF", handshake("X: a\nY: b"), 400),
    ("RFC 9112 2.2 a bare CR", handshake("X: a\rY: b"), 400),
]


def split(data):
    """
    @return: the lines of a head that ends with its empty line, as a protocol hands
        them on.
    """
    head, _, _ = data.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    return head.split(b"\r\n") if head else []


HELLO = bytes.fromhex("818537fa213d7f9f4d5158")
"""
The masked text frame of RFC 6455 section 5.7.
"""

HELLO_REPLY = b"\x81\x05Hello"
"""
The unmasked one.
"""

GOODBYE = bytes.fromhex("88820000000003e8")
"""
A masked Close frame with the code 1000.
"""

GREETING = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + ACCEPT + b"\r\n\r\n"
)
"""
What answers a handshake without anything optional.
"""


class Echo(RecordingReceiver):
    """
    Sends back what it writes down.
    """

    def messageReceived(self, message):
        RecordingReceiver.messageReceived(self, message)
        self.transport.sendMessage(message)


class ServerTests(SynchronousTestCase):
    """
    The base of the tests: a server, its undecided requests, and raw peers.
    """

    def serve(self, application=None, **options):
        """
        Start a server; by default its application leaves all requests undecided, in
        C{self.requests}.
        """
        self.requests = []
        self.server = MemoryServer(
            application or self.requests.append, ServerConfig(**options)
        )
        self.clock = self.server.clock
        return self.server

    def connect(self, *segments):
        """
        Connect a raw peer, and have it send segments.
        """
        peer = self.server.connectRaw()
        for segment in segments:
            peer.send(segment)
        return peer

    def protocol(self, index=-1):
        """
        @return: the server's end of a connection.
        """
        return self.server.carriers[index][1].protocol

    def assertStatus(self, peer, status, name=None):
        """
        Check that exactly one response came, with this status.
        """
        received = peer.take()
        right = received.startswith(b"HTTP/1.1 %d " % status)
        self.assertTrue(right, (name, status, received))
        self.assertEqual(received.count(b"Content-Length:"), 1, (name, received))

    def assertQuiet(self):
        """
        Check that nothing is left to happen.
        """
        self.assertEqual(self.server.clock.getDelayedCalls(), [])
        self.assertEqual(self.server.factory.connections, set())
        self.assertEqual(self.server.factory.pendingRequests, set())
