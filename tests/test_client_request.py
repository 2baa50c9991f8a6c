# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What a client sends, and refuses to send: L{twisted_ws.client}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase

from twisted import internet
from twisted_ws import (
    ClientConfig,
    ClosedAbruptly,
    Inbox,
    WebSocketClient,
    connect,
)
from twisted_ws._wire import opening

from .fakeserver import Drop, MemoryNetwork

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
"""
The example of RFC 6455 section 1.3.
"""

URL = "ws://server.example/chat"

VERSION_8 = ClientConfig(webSocketVersion=8)


class RequestTests(SynchronousTestCase):
    """
    The request, byte for byte.
    """

    hosts = [
        # URL, Host
        ("ws://example.com/chat", "example.com"),
        ("ws://example.com:80/chat", "example.com"),
        ("ws://example.com:8080/chat", "example.com:8080"),
        ("ws://example.com:443/chat", "example.com:443"),
        ("wss://example.com/chat", "example.com"),
        ("wss://example.com:443/chat", "example.com"),
        ("wss://example.com:80/chat", "example.com:80"),
        ("ws://192.0.2.1:81/chat", "192.0.2.1:81"),
        ("ws://[2001:db8::1]/chat", "[2001:db8::1]"),
        ("ws://[2001:db8::1]:81/chat", "[2001:db8::1]:81"),
        ("ws://b\xfccher.example/chat", "xn--bcher-kva.example"),
    ]

    rows: list[tuple[str, dict[str, Any], list[str]]] = [
        ("nothing more", {}, []),
        (
            "an origin",
            {"origin": "https://example.com"},
            ["Origin: https://example.com"],
        ),
        ("the origin null", {"origin": "null"}, ["Origin: null"]),
        ("a subprotocol", {"protocols": ["a"]}, ["Sec-WebSocket-Protocol: a"]),
        (
            "subprotocols",
            {"protocols": (p for p in ("b", "a"))},
            ["Sec-WebSocket-Protocol: b, a"],
        ),
        (
            "headers as a mapping",
            {"headers": {"X-A": "1", "User-Agent": "x/1 (y)"}},
            ["X-A: 1", "User-Agent: x/1 (y)"],
        ),
        (
            "headers as pairs",
            {"headers": [("X-A", "1"), ("x-a", b"\xe9"), (b"X-A", "\xe9")]},
            ["X-A: 1", "x-a: \xe9", "X-A: \xe9"],
        ),
        ("headers as an iterator", {"headers": iter([("X-A", "1")])}, ["X-A: 1"]),
        ("an empty value", {"headers": {"X-A": ""}}, ["X-A: "]),
        ("a cookie", {"cookies": {"a": "1"}}, ["Cookie: a=1"]),
        ("cookies", {"cookies": {"b": "2", "a": ""}}, ["Cookie: b=2; a="]),
        # RFC 6265bis section 4.1.3 has these prefixes bind the server that sets such
        # a cookie; it comes back as any other does.
        (
            "cookies with prefixes",
            {"cookies": {"__Host-a": "1", "__Secure-b": "2"}},
            ["Cookie: __Host-a=1; __Secure-b=2"],
        ),
        ("a Cookie among the headers", {"headers": {"Cookie": "a=1"}}, ["Cookie: a=1"]),
        (
            "all in order",
            {
                "protocols": ("chat",),
                "origin": "https://example.com",
                "headers": {"Authorization": "Bearer x"},
                "cookies": {"a": "1"},
            },
            [
                "Sec-WebSocket-Protocol: chat",
                "Origin: https://example.com",
                "Authorization: Bearer x",
                "Cookie: a=1",
            ],
        ),
    ]

    def setUp(self) -> None:
        self.patch(opening, "token_bytes", lambda size: b"the sample nonce"[:size])

    def request(
        self, url: str = URL, config: ClientConfig | None = None, **asked: Any
    ) -> str:
        """
        @return: what a server gets.
        """
        network = MemoryNetwork()
        endpoint = HostnameEndpoint(network, "server.example", 80)
        connecting = WebSocketClient(network, config, endpoint=endpoint)
        opened = connecting.connect(url, **asked)
        network.settle()
        opened.cancel()
        self.failureResultOf(opened, CancelledError)
        return network.factory.servers[0].received.decode("latin-1")

    def expected(self, *more: str, host: str = "server.example", version: int = 13):
        """
        @return: the request with some lines at its end.
        """
        lines = [
            "GET /chat HTTP/1.1",
            f"Host: {host}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {KEY}",
            f"Sec-WebSocket-Version: {version}",
        ]
        return "\r\n".join([*lines, *more, "", ""])

    def test_host(self):
        """
        Host has the port unless it is the scheme's own (RFC 6455 section 4.1).
        """
        for url, host in self.hosts:
            self.assertEqual(self.request(url), self.expected(host=host), url)

    def test_target(self):
        """
        The request-target is the path and the query, with a path at least.
        """
        for url, target in (
            ("ws://example.com", "/"),
            ("ws://example.com?a=b", "/?a=b"),
            ("ws://example.com/a%20b?c=%26&d", "/a%20b?c=%26&d"),
            ("ws://example.com/a:b", "/a:b"),
        ):
            line = self.request(url).split("\r\n")[0]
            self.assertEqual(line, f"GET {target} HTTP/1.1", url)

    def test_fields(self):
        """
        What is asked for follows in order.
        """
        for name, asked, lines in self.rows:
            self.assertEqual(self.request(**asked), self.expected(*lines), name)

    def test_version8(self):
        """
        Version 8 calls the origin by another name.
        """
        request = self.request(config=VERSION_8, origin="http://a", protocols=["b"])
        more = ["Sec-WebSocket-Protocol: b", "Sec-WebSocket-Origin: http://a"]
        self.assertEqual(request, self.expected(*more, version=8))

    def test_cookiesTwice(self):
        """
        Cookies given in two ways at once are refused: a request has one Cookie field.
        """
        client = WebSocketClient(MemoryNetwork())
        for name in ("Cookie", "cookie"):
            with self.assertRaisesRegex(ValueError, "cookies in headers already"):
                client.connect(URL, headers={name: "a=1"}, cookies={"b": "2"})

    def test_ownHost(self):
        """
        A Host among the headers replaces the URL's.
        """
        request = self.request(headers={"Host": "other.example"})
        self.assertEqual(request.count("Host:"), 1)
        self.assertIn("\r\nHost: other.example\r\n", request)

    def test_function(self):
        """
        The function C{connect} sends the same as the method, by the global reactor
        unless another is given.
        """
        asked: dict[str, Any] = {
            "protocols": ["a"],
            "origin": "http://b",
            "headers": {"c": "d"},
            "cookies": {"e": "f"},
        }
        expected = self.request(config=VERSION_8, **asked)
        for given in (True, False):
            network = MemoryNetwork()
            if not given:
                self.patch(internet, "reactor", network)
            reactor = network if given else None
            opened = connect(URL, config=VERSION_8, reactor=reactor, **asked)
            network.settle()
            sent = network.factory.servers[0].received.decode("latin-1")
            self.assertEqual(sent, expected, given)
            opened.cancel()
            self.failureResultOf(opened, CancelledError)


class KeyTests(SynchronousTestCase):
    """
    Sec-WebSocket-Key.
    """

    def test_fresh(self):
        """
        Each connect has a key of its own, of the same endpoint too.
        """
        network = MemoryNetwork([Drop()])
        connecting = WebSocketClient(network)
        endpoint = connecting.endpoint(URL)
        for _ in range(2):
            for opened in (
                connecting.connect(URL),
                endpoint.connect(Factory.forProtocol(Inbox)),
            ):
                network.settle()
                self.failureResultOf(opened, ClosedAbruptly)
        requests = {server.received for server in network.factory.servers}
        self.assertEqual(len(requests), 4)


class RefusedCallTests(SynchronousTestCase):
    """
    What cannot be sent is refused at the call.
    """

    rows: list[tuple[str, dict[str, Any]]] = [
        *(
            (f"the header {name!r}: {value!r}", {"headers": {name: value}})
            for name, value in (
                ("", "a"),
                ("X Y", "a"),
                ("X:", "a"),
                ("X\r\nY", "a"),
                ("X\0", "a"),
                ("\xe9", "a"),
                (b"X\xe9", "a"),
                ("X", "a\r\nY: b"),
                ("X", "a\rb"),
                ("X", "a\nb"),
                ("X", b"a\nb"),
                ("X", "a\0b"),
                ("X", "a\x7f"),
                ("X", " a"),
                ("X", "a\t"),
                ("X", "\u20ac"),
                ("Upgrade", "h2c"),
                ("connection", "close"),
                ("Content-Length", "1"),
                ("Transfer-Encoding", "chunked"),
                ("Origin", "http://a"),
                ("Sec-WebSocket-Origin", "http://a"),
                ("sec-websocket-key", KEY),
                ("Sec-WebSocket-Version", "13"),
                ("Sec-WebSocket-Protocol", "chat"),
                ("Sec-WebSocket-Extensions", "permessage-deflate"),
            )
        ),
        ("two Hosts", {"headers": [("Host", "a"), ("host", "b")]}),
        *(
            (f"the subprotocols {protocols!r}", {"protocols": protocols})
            for protocols in (
                ("",),
                ("a b",),
                ("a,b",),
                ("a", "b", "a"),
                ("\xe9",),
                ("a\r\n",),
                ("a\0",),
            )
        ),
        *(
            (f"the cookie {name!r}: {value!r}", {"cookies": {name: value}})
            for name, value in (
                ("", "a"),
                ("a b", "c"),
                ("a=b", "c"),
                ("a;b", "c"),
                ("\xe9", "a"),
                ("a", "b c"),
                ("a", "b;c"),
                ("a", "b,c"),
                ("a", 'b"c'),
                ("a", "\xe9"),
                ("a", "b\r\nc: d"),
                ("a", "b\0"),
            )
        ),
        *(
            (f"the origin {origin!r}", {"origin": origin})
            for origin in ("http://a\r\nb: c", "a\nb", "a\0", " a", "http://\u20ac")
        ),
        *(
            (f"the URL {url!r}", {"url": url})
            for url in ("http://a/", "ws://", "ws://a/#b", "ws://a:0/", "ws://a@b/", "")
        ),
    ]

    def test_connect(self):
        """
        C{connect} raises ValueError, and nothing has begun.
        """
        for name, asked in self.rows:
            network = MemoryNetwork()
            connecting = WebSocketClient(network)
            try:
                connecting.connect(**{"url": URL, **asked})
            except ValueError:
                pass
            else:
                self.fail(name)
            self.assertEqual(network.tcpClients, [], name)
            self.assertTrue(network.isEmpty(), name)

    def test_endpoint(self):
        """
        C{endpoint} raises it, not what connects with it: an endpoint's C{connect} fails
        by its Deferred.
        """
        for name, asked in self.rows:
            connecting = WebSocketClient(MemoryNetwork())
            try:
                connecting.endpoint(**{"url": URL, **asked})
            except ValueError:
                pass
            else:
                self.fail(name)
