# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Which pages may connect: L{twisted_ws.origin}.
"""

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from twisted_ws import ServerConfig
from twisted_ws.origin import SAME_ORIGIN, isAllowed, isOriginRule, parseOrigin

from .handshakes import GREETING, Echo, ServerTests, handshake, version

PLAIN, TLS = False, True
SAME = (SAME_ORIGIN,)
GOOD = ("https://good.com",)

# Each row: origin, allowedOrigins, Host, whether TLS, whether it may connect.
ROWS = [
    # No origin: no page of a browser.
    (None, SAME, "good.com", PLAIN, True),
    (None, (), "good.com", PLAIN, True),
    (None, GOOD, "evil.com", TLS, True),
    # Same origin, as the default has it.
    ("http://good.com", SAME, "good.com", PLAIN, True),
    ("https://good.com", SAME, "good.com", TLS, True),
    ("https://good.com", SAME, "good.com", PLAIN, True),  # a proxy took the TLS off
    ("http://good.com", SAME, "good.com", TLS, False),
    ("http://evil.com", SAME, "good.com", PLAIN, False),
    ("https://evil.com", SAME, "good.com", TLS, False),
    ("http://sub.good.com", SAME, "good.com", PLAIN, False),
    ("http://good.com", SAME, "sub.good.com", PLAIN, False),
    # Ports
    ("http://good.com:80", SAME, "good.com", PLAIN, True),
    ("http://good.com", SAME, "good.com:80", PLAIN, True),
    ("https://good.com:443", SAME, "good.com", TLS, True),
    ("https://good.com", SAME, "good.com:443", TLS, True),
    ("http://good.com:8080", SAME, "good.com:8080", PLAIN, True),
    ("http://good.com:8080", SAME, "good.com", PLAIN, False),
    ("http://good.com", SAME, "good.com:8080", PLAIN, False),
    ("http://good.com:443", SAME, "good.com", PLAIN, False),
    ("http://good.com:443", SAME, "good.com", TLS, False),
    ("https://good.com:80", SAME, "good.com", TLS, False),
    ("http://good.com:0", SAME, "good.com", PLAIN, False),
    ("http://good.com:65616", SAME, "good.com", PLAIN, False),
    ("http://good.com:", SAME, "good.com", PLAIN, False),
    ("http://good.com:80x", SAME, "good.com", PLAIN, False),
    ("http://good.com:\u0668\u0660", SAME, "good.com", PLAIN, False),
    # Case
    ("HTTP://GOOD.com", SAME, "good.COM", PLAIN, True),
    ("HTTPS://GOOD.com", GOOD, "other.com", TLS, True),
    # IPv6
    ("http://[::1]", SAME, "[::1]", PLAIN, True),
    ("http://[::1]:8080", SAME, "[::1]:8080", PLAIN, True),
    ("http://[2001:DB8::1]", SAME, "[2001:db8::1]", PLAIN, True),
    ("http://[::1]:8080", SAME, "[::1]:8081", PLAIN, False),
    ("http://[::2]", SAME, "[::1]", PLAIN, False),
    ("http://::1", SAME, "[::1]", PLAIN, False),
    ("http://[::1", SAME, "[::1]", PLAIN, False),
    ("http://1", SAME, "[::1]", PLAIN, False),
    # Schemes
    ("ws://good.com", SAME, "good.com", PLAIN, False),
    ("ftp://good.com", SAME, "good.com", PLAIN, False),
    ("file://", SAME, "good.com", PLAIN, False),
    ("file:///", SAME, "good.com", PLAIN, False),
    ("chrome-extension://good.com", SAME, "good.com", PLAIN, False),
    ("good.com", SAME, "good.com", PLAIN, False),
    ("//good.com", SAME, "good.com", PLAIN, False),
    (":good.com", SAME, "good.com", PLAIN, False),
    # RFC 6454 section 7.1: null
    ("null", SAME, "good.com", PLAIN, False),
    ("null", SAME, "null", PLAIN, False),
    ("null", GOOD, "good.com", TLS, False),
    ("null", ("null",), "good.com", PLAIN, True),
    ("null", ("*",), "good.com", PLAIN, True),
    ("null", "*", "good.com", PLAIN, True),
    ("NULL", ("null",), "good.com", PLAIN, False),
    ("null null", ("null",), "good.com", PLAIN, False),
    ("http://null", ("null",), "good.com", PLAIN, False),
    # Named origins
    ("https://good.com", GOOD, "other.com", TLS, True),
    ("https://good.com", GOOD, "other.com", PLAIN, True),
    ("https://good.com:443", GOOD, "other.com", TLS, True),
    ("http://good.com", GOOD, "other.com", PLAIN, False),
    ("https://good.com:8443", GOOD, "other.com", TLS, False),
    ("https://good.com", ("https://good.com:443",), "other.com", TLS, True),
    ("https://good.com", ("https://a.com", "https://good.com"), "x", TLS, True),
    ("https://other.com", GOOD, "other.com", TLS, False),  # same origin is not named
    ("https://other.com", (*GOOD, SAME_ORIGIN), "other.com", TLS, True),
    ("https://evil.com", (), "evil.com", TLS, False),
    ("https://evil.com", ("*",), "good.com", TLS, True),
    ("https://evil.com", "*", "good.com", TLS, True),
    ("nonsense", "*", "good.com", TLS, True),
    # Look-alikes
    ("https://good.com.evil", GOOD, "x", TLS, False),
    ("https://good.com@evil", GOOD, "x", TLS, False),
    ("https://good.com:443@evil", GOOD, "x", TLS, False),
    ("https://evil/https://good.com", GOOD, "x", TLS, False),
    ("https://evil?https://good.com", GOOD, "x", TLS, False),
    ("https://evil#https://good.com", GOOD, "x", TLS, False),
    ("https://evil https://good.com", GOOD, "x", TLS, False),
    ("https://good.com https://evil", GOOD, "x", TLS, False),
    ("https://good.com,https://evil", GOOD, "x", TLS, False),
    ("https://xgood.com", GOOD, "x", TLS, False),
    ("https://goodxcom", GOOD, "x", TLS, False),
    ("https://good.com/", GOOD, "x", TLS, False),
    ("https://good.com\\.evil", GOOD, "x", TLS, False),
    ("https://good.com\n", GOOD, "x", TLS, False),
    ("https://good.com\0", GOOD, "x", TLS, False),
    ("https://good.com%00.evil", GOOD, "x", TLS, False),
    ("https://\uff47ood.com", GOOD, "x", TLS, False),
    ("https://good\u3002com", GOOD, "x", TLS, False),
    ("xhttps://good.com", GOOD, "x", TLS, False),
    ("http://evil.com", SAME, "good.com.evil.com", PLAIN, False),
    ("http://good.com", SAME, "good.com.evil.com", PLAIN, False),
    ("", SAME, "good.com", PLAIN, False),
    ("", GOOD, "good.com", PLAIN, False),
    ("*", SAME, "good.com", PLAIN, False),
    ("same-origin", SAME, "good.com", PLAIN, False),
    # A Host that is none is nobody's origin.
    ("http://good.com", SAME, "good.com:80:80", PLAIN, False),
    ("http://good.com", SAME, "", PLAIN, False),
]


class AllowedTests(SynchronousTestCase):
    """
    The table.
    """

    def test_rows(self):
        """
        Origins are compared as scheme, host and port, never as text.
        """
        for row in ROWS:
            self.assertIs(isAllowed(*row[:4]), row[4], row)

    def test_anyCollection(self):
        """
        The allowed origins may be any collection.
        """
        for collection in (list, tuple, set, frozenset):
            allowed = collection(GOOD)
            self.assertTrue(isAllowed("https://good.com", allowed, "x", TLS))
            self.assertFalse(isAllowed("https://evil.com", allowed, "x", TLS))

    def test_parseOrigin(self):
        """
        An origin has a scheme, a host in lower case, and a port that may be implied.
        """
        for text, expected in [
            ("http://a.Com", ("http", "a.com", 80)),
            ("HTTPS://a.com", ("https", "a.com", 443)),
            ("http://a.com:8080", ("http", "a.com", 8080)),
            ("http://[::A]:1", ("http", "[::a]", 1)),
            ("app://a.com:1", ("app", "a.com", 1)),
            ("null", None),
            ("http://a.com/b", None),
            ("http://", None),
            ("", None),
        ]:
            self.assertEqual(parseOrigin(text), expected, text)

    def test_isOriginRule(self):
        """
        A rule is an origin or one of three words.
        """
        for rule in (
            "*",
            "null",
            "same-origin",
            "http://a",
            "https://a:1",
            "http://[::1]",
        ):
            self.assertTrue(isOriginRule(rule), rule)
        for rule in (
            "a.com",
            "*.a.com",
            "https://*.a.com",
            "https://a.com/",
            "https://a.com:port",
            "http://a@b",
            "",
            "NULL",
            None,
            5,
            b"http://a",
        ):
            self.assertFalse(isOriginRule(rule), rule)


class ServedTests(ServerTests):
    """
    The policy at work: for receivers that are mounted as they are.
    """

    def origin(self, origin, host="good.com", make=handshake):
        """
        A handshake of a page.
        """
        return make(f"Origin: {origin}", f"Host: {host}")

    def test_safeDefault(self):
        """
        By default only pages of the same origin, and what is no page, may connect.
        """
        self.serve(Echo)
        self.assertEqual(self.server.factory.config.allowedOrigins, ("same-origin",))
        self.assertEqual(self.connect(handshake()).take(), GREETING)
        self.assertEqual(self.connect(self.origin("http://good.com")).take(), GREETING)
        self.assertStatus(self.connect(self.origin("http://evil.com")), 403)
        self.assertStatus(self.connect(self.origin("null")), 403)
        self.assertStatus(self.connect(self.origin("")), 403)

    def test_version8(self):
        """
        For version 8 it is the origin in the field of that version, or in the new one.
        """
        self.serve(Echo)
        for name in ("Sec-WebSocket-Origin", "Origin"):
            good = version(8, f"{name}: http://good.com", "Host: good.com")
            self.assertEqual(self.connect(good).take(), GREETING, name)
            evil = version(8, f"{name}: http://evil.com", "Host: good.com")
            self.assertStatus(self.connect(evil), 403, name)

    def test_everyone(self):
        """
        C{"*"} lets everyone in.
        """
        for allowed in ("*", ["*"]):
            self.serve(Echo, allowedOrigins=allowed)
            for origin in ("http://evil.com", "null", "", "file://", "nonsense"):
                self.assertEqual(self.connect(self.origin(origin)).take(), GREETING)

    def test_named(self):
        """
        With named origins the own one is not among them.
        """
        self.serve(Echo, allowedOrigins=["https://good.com"])
        self.assertEqual(self.connect(self.origin("https://good.com")).take(), GREETING)
        self.assertStatus(self.connect(self.origin("http://good.com")), 403)

    def test_refusal(self):
        """
        A refusal is logged once, with the origin and the name of the option; what the
        page sent is quoted and cut.
        """
        self.serve(Echo)
        hostile = "http://\xe9{peer}%s" + "a" * 1000
        with capturedLogs() as events:
            peer = self.connect(self.origin(hostile))
        self.assertTrue(peer.take().startswith(b"HTTP/1.1 403 Origin Not Allowed\r\n"))
        self.assertEqual(len(events), 1)
        text = formatEvent(events[0])
        self.assertIn("allowedOrigins", text)
        self.assertIn("http://", text)
        self.assertIn("{peer}%s", text)
        self.assertNotIn("a" * 201, text)
        self.assertQuiet()

    def test_ofTheRequest(self):
        """
        A callable decides for itself, and may ask.
        """
        answers = []

        def application(request):
            answers.append((request.origin, request.isOriginAllowed()))
            request.accept(Echo())

        self.serve(application)
        for origin in ("http://good.com", "http://evil.com"):
            self.assertEqual(self.connect(self.origin(origin)).take(), GREETING)
        self.assertEqual(
            answers, [("http://good.com", True), ("http://evil.com", False)]
        )

    def test_configOfTheServer(self):
        """
        It is the policy of the server that the request carries.
        """
        self.serve(allowedOrigins=["null"])
        self.connect(self.origin("null"))
        self.assertEqual(self.requests[0].config, ServerConfig(allowedOrigins=["null"]))
        self.assertTrue(self.requests[0].isOriginAllowed())
