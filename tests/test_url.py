# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
URLs: L{twisted_ws.url}.
"""

from twisted.trial.unittest import SynchronousTestCase

from twisted_ws.url import Address, parseURL


class ParseTests(SynchronousTestCase):
    """
    RFC 6455 section 3, and RFC 3986 for what it leaves open.
    """

    valid = [
        # name, URL, host, port, isSecure, authority, target
        ("all", "ws://h:8080/a?b", "h", 8080, False, "h:8080", "/a?b"),
        ("no port", "ws://h/a", "h", 80, False, "h", "/a"),
        ("no port, TLS", "wss://h/a", "h", 443, True, "h", "/a"),
        ("its own port", "ws://h:80/a", "h", 80, False, "h", "/a"),
        ("its own port, TLS", "wss://h:443/a", "h", 443, True, "h", "/a"),
        ("the other's port", "ws://h:443/a", "h", 443, False, "h:443", "/a"),
        ("the other's port, TLS", "wss://h:80/a", "h", 80, True, "h:80", "/a"),
        ("the first port", "ws://h:1/", "h", 1, False, "h:1", "/"),
        ("the last port", "ws://h:65535/", "h", 65535, False, "h:65535", "/"),
        ("no path", "ws://h", "h", 80, False, "h", "/"),
        ("no path, a port", "wss://h:8443", "h", 8443, True, "h:8443", "/"),
        ("no path, a query", "ws://h?a=b", "h", 80, False, "h", "/?a=b"),
        ("an empty query", "ws://h/a?", "h", 80, False, "h", "/a"),
        ("scheme in upper case", "WS://h/", "h", 80, False, "h", "/"),
        ("scheme in mixed case", "Wss://h/", "h", 443, True, "h", "/"),
        (
            "host in upper case",
            "ws://EXAMPLE.com/A",
            "example.com",
            80,
            False,
            "example.com",
            "/A",
        ),
        ("a trailing dot", "ws://a.b./", "a.b.", 80, False, "a.b.", "/"),
        ("IPv4", "ws://192.0.2.1/", "192.0.2.1", 80, False, "192.0.2.1", "/"),
        ("IPv6", "ws://[::1]/a", "::1", 80, False, "[::1]", "/a"),
        (
            "IPv6, a port",
            "wss://[2001:db8::1]:8443/a?b",
            "2001:db8::1",
            8443,
            True,
            "[2001:db8::1]:8443",
            "/a?b",
        ),
        (
            "a host beyond ASCII",
            "ws://b\xfccher.example:81/",
            "xn--bcher-kva.example",
            81,
            False,
            "xn--bcher-kva.example:81",
            "/",
        ),
    ]

    targets = [
        # name, what follows the host, target
        ("a deep path", "/a/b/c", "/a/b/c"),
        ("empty segments", "//a//b/", "//a//b/"),
        ("dot segments", "/a/./b/../c", "/a/./b/../c"),
        ("unreserved characters", "/A-z_0.9~", "/A-z_0.9~"),
        ("a colon", "/a:b/c:d", "/a:b/c:d"),
        ("a colon in the first segment", "/a:b", "/a:b"),
        ("a colon first", "/:a", "/:a"),
        ("reserved characters", "/a@b!$&'()*+,;=c", "/a@b!$&'()*+,;=c"),
        ("percent signs", "/a%2Fb%20c%25", "/a%2Fb%20c%25"),
        ("percent signs in lower case", "/%c3%bc", "/%c3%bc"),
        ("percent signs in the query", "/?a=%26%3D%23%2B", "/?a=%26%3D%23%2B"),
        ("no values", "/?a&b=&=c&&d", "/?a&b=&=c&&d"),
        ("several equal signs", "/?a=b=c", "/?a=b=c"),
        ("plus signs", "/a+b?c+d", "/a+b?c+d"),
        ("a URL in the query", "/?a=http://b/c?d:e@f", "/?a=http://b/c?d:e@f"),
        ("characters beyond ASCII", "/\xfc?\xfc=\u20ac", "/%C3%BC?%C3%BC=%E2%82%AC"),
        ("space", "/a b?c d", "/a%20b?c%20d"),
        ("line ends", "/a\r\nb", "/a%0D%0Ab"),
        ("quotes and brackets", "/\"<>\\^`{|}", "/%22%3C%3E%5C%5E%60%7B%7C%7D"),
    ]  # fmt: skip

    invalid = [
        # name, URL, what the error says
        ("nothing", "", "begins with ws:// or wss://"),
        ("no scheme", "example.com/chat", "begins with ws:// or wss://"),
        ("a network path", "//example.com/", "begins with ws:// or wss://"),
        ("http", "http://example.com/", "begins with ws:// or wss://"),
        ("https", "https://example.com/", "begins with ws:// or wss://"),
        ("no host", "ws:///chat", "names a host"),
        ("no host, a port", "ws://:80/", "names a host"),
        ("an opaque URL", "ws:example.com", "names a host"),
        ("a fragment", "ws://h/a#b", "has no fragment"),
        ("an empty fragment", "ws://h/a#", "has no fragment"),
        ("a user", "ws://user@h/", "Authorization"),
        ("a user and a password", "ws://user:secret@h/", "Authorization"),
        ("port 0", "ws://h:0/", "no port can be 0"),
        ("port 65536", "ws://h:65536/", "no port can be 65536"),
        ("a negative port", "ws://h:-1/", ""),
        ("a port that is no number", "ws://h:http/", ""),
        ("an open bracket", "ws://[::1/", ""),
        ("space in the host", "ws://a b/", ""),
        ("a line end in the host", "ws://a\r\nb/", ""),
        ("NUL in the host", "ws://a\0b/", ""),
        ("a label too long", f"ws://{'a' * 64}.example/", ""),
    ]

    def test_valid(self):
        """
        Each part is found, with its default.
        """
        for name, url, *parts in self.valid:
            self.assertEqual(parseURL(url), Address(*parts), name)

    def test_targets(self):
        """
        The path and the query are sent as they are written, as far as HTTP lets them.
        """
        for scheme in ("ws", "wss"):
            for name, text, target in self.targets:
                address = parseURL(f"{scheme}://example.com:1234{text}")
                self.assertEqual(address.target, target, name)
                self.assertEqual(address.authority, "example.com:1234", name)

    def test_invalid(self):
        """
        What is not the URL of a WebSocket is a ValueError.
        """
        for name, url, says in self.invalid:
            try:
                parsed = parseURL(url)
            except ValueError as error:
                self.assertIn(says, str(error), name)
            else:
                self.fail(f"{name}: {parsed}")

    def test_secrets(self):
        """
        An error does not repeat a password.
        """
        for url in ("ws://user:secret@h/", "http://user:secret@h/"):
            error = self.assertRaises(ValueError, parseURL, url)
            self.assertNotIn("secret", str(error))
