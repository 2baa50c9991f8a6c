# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Which pages may connect: L{twisted_ws.origin}.
"""

import re
from functools import partial

from twisted.trial.unittest import SynchronousTestCase

from twisted_ws._wire.headers import Headers
from twisted_ws.origin import SAME_ORIGIN, isAllowed, isOriginRule, parseOrigin

PLAIN, TLS = False, True
SAME = (SAME_ORIGIN,)
GOOD = ("https://good.com",)
BELOW = ("https://*.good.com",)
APP = ("chrome-extension://abcdef",)

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
    ("chrome-extension://abcdef", APP, "good.com", PLAIN, True),
    ("chrome-extension://abcdef", APP, "good.com", TLS, True),
    ("Chrome-Extension://ABCDEF", APP, "good.com", PLAIN, True),
    ("chrome-extension://abcdeg", APP, "good.com", PLAIN, False),
    ("moz-extension://abcdef", APP, "good.com", PLAIN, False),
    ("https://abcdef", APP, "good.com", PLAIN, False),
    ("chrome-extension://abcdef:1", APP, "good.com", PLAIN, False),
    ("file://", ("null",), "good.com", PLAIN, False),
    ("file://good.com", SAME, "good.com", PLAIN, False),
    ("file://good.com", ("*",), "good.com", PLAIN, True),
    ("javascript:alert(1)", SAME, "good.com", PLAIN, False),
    ("data:text/html,x", GOOD, "good.com", PLAIN, False),
    ("blob:https://good.com/x", GOOD, "good.com", PLAIN, False),
    ("about:blank", SAME, "good.com", PLAIN, False),
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
    # Hosts below one.
    ("https://a.good.com", BELOW, "x", TLS, True),
    ("https://a.b.good.com", BELOW, "x", TLS, True),
    ("https://A.GOOD.com:443", BELOW, "x", TLS, True),
    ("https://xn--bcher-kva.good.com", BELOW, "x", TLS, True),
    ("https://good.com", BELOW, "x", TLS, False),
    ("https://.good.com", BELOW, "x", TLS, False),
    ("https://evilgood.com", BELOW, "x", TLS, False),
    ("https://a.good.com.evil", BELOW, "x", TLS, False),
    ("https://a.good.com.", BELOW, "x", TLS, False),
    ("https://a.goodxcom", BELOW, "x", TLS, False),
    ("https://*.good.com", BELOW, "x", TLS, False),
    ("http://a.good.com", BELOW, "x", TLS, False),
    ("https://a.good.com:8443", BELOW, "x", TLS, False),
    ("https://a.good.com:8443", ("https://*.good.com:8443",), "x", TLS, True),
    ("https://a@b.good.com", BELOW, "x", TLS, False),
    ("https://evil/.good.com", BELOW, "x", TLS, False),
    ("https://evil#.good.com", BELOW, "x", TLS, False),
    ("https://evil%2f.good.com", BELOW, "x", TLS, False),
    ("null", BELOW, "x", TLS, False),
    ("https://a.good.com", (*BELOW, "https://c.com"), "x", TLS, True),
    ("https://1.2.3.4", ("https://*.3.4",), "x", TLS, True),  # as it says
    # Look-alikes
    ("http://good.com", ("http://evil.example",), "good.com", PLAIN, False),
    ("http://evil.example", SAME, "good.com", PLAIN, False),
    ("http://good.com.", SAME, "good.com", PLAIN, False),
    ("http://good.com", SAME, "good.com.", PLAIN, False),
    ("http://good.com.", SAME, "good.com.", PLAIN, True),
    ("https://good.com.", GOOD, "x", TLS, False),
    ("http://user@good.com", SAME, "good.com", PLAIN, False),
    ("http://user:pass@good.com", SAME, "good.com", PLAIN, False),
    ("http://good.com/path", SAME, "good.com", PLAIN, False),
    ("http://good.com?x", SAME, "good.com", PLAIN, False),
    (" http://good.com", SAME, "good.com", PLAIN, False),
    ("http://good.com, http://good.com", SAME, "good.com", PLAIN, False),
    ("http://b\xfccher.example", SAME, "b\xfccher.example", PLAIN, False),
    ("http://xn--bcher-kva.example", SAME, "xn--bcher-kva.example", PLAIN, True),
    ("https://good.com:00443", GOOD, "x", TLS, True),
    ("https://good.com:0443x", GOOD, "x", TLS, False),
    ("https://good.com:4430", GOOD, "x", TLS, False),
    ("https://[good.com]", GOOD, "x", TLS, False),
    ("http://[::ffff:1.2.3.4]", SAME, "[::ffff:1.2.3.4]", PLAIN, True),
    ("http://[::1%25lo]", SAME, "[::1%25lo]", PLAIN, False),
    ("http://127.0.0.1", SAME, "localhost", PLAIN, False),
    ("http://0x7f.1", SAME, "127.0.0.1", PLAIN, False),
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
    # A host and those below it are two things.
    ("https://a.good.com", BELOW, "x", TLS, True),
    ("https://A.B.GOOD.com", BELOW, "x", PLAIN, True),
    ("https://a.good.com:443", BELOW, "x", TLS, True),
    ("https://good.com", BELOW, "x", TLS, False),
    ("https://.good.com", BELOW, "x", TLS, False),
    ("https://xgood.com", BELOW, "x", TLS, False),
    ("https://a.good.com.evil", BELOW, "x", TLS, False),
    ("https://a.good.com.", BELOW, "x", TLS, False),
    ("http://a.good.com", BELOW, "x", TLS, False),
    ("https://a.good.com:8443", BELOW, "x", TLS, False),
    ("https://a.good.com:8443", ("https://*.good.com:8443",), "x", TLS, True),
    ("https://*.good.com", BELOW, "x", TLS, False),
    # Patterns match the whole origin.
    ("https://a.com", (re.compile("https://[ab]\\.com"),), "x", TLS, True),
    ("https://a.com.evil", (re.compile("https://[ab]\\.com"),), "x", TLS, False),
    ("xhttps://a.com", (re.compile("https://[ab]\\.com"),), "x", TLS, False),
    ("null", (re.compile("null|https://a"),), "x", TLS, True),
    # Other schemes
    ("chrome-extension://abc", ("chrome-extension://abc",), "x", TLS, True),
    ("chrome-extension://abd", ("chrome-extension://abc",), "x", TLS, False),
    ("moz-extension://abc", ("chrome-extension://abc",), "x", TLS, False),
    ("wss://good.com", ("https://good.com",), "x", TLS, False),
    ("", SAME, "good.com", PLAIN, False),
    ("", GOOD, "good.com", PLAIN, False),
    ("*", SAME, "good.com", PLAIN, False),
    ("same-origin", SAME, "good.com", PLAIN, False),
    # A Host that is none is nobody's origin.
    ("http://good.com", SAME, "good.com:80:80", PLAIN, False),
    ("http://good.com", SAME, "", PLAIN, False),
]


class Request:
    """
    What is to know of a request to judge its origin.
    """

    def __init__(self, origin, host="good.com", isSecure=PLAIN, *sites):
        self.origin = origin
        self.host = host
        self.isSecure = isSecure
        self.headers = Headers((b"Sec-Fetch-Site", site.encode()) for site in sites)


class AllowedTests(SynchronousTestCase):
    """
    The tables.
    """

    def test_rows(self):
        """
        Origins are compared as scheme, host and port, never as text.
        """
        for origin, allowed, host, isSecure, expected in ROWS:
            answer = isAllowed(Request(origin, host, isSecure), allowed)
            self.assertIs(answer, expected, (origin, allowed, host, isSecure))

    def test_anyCollection(self):
        """
        The allowed origins may be any collection.
        """
        for collection in (list, tuple, set, frozenset):
            allowed = collection(GOOD)
            for origin, expected in ((GOOD[0], True), ("https://evil.com", False)):
                self.assertIs(isAllowed(Request(origin), allowed), expected)

    def test_fetchMetadata(self):
        """
        Where a browser says what it is to the server, that decides what the same origin
        is, since a proxy may have changed Host; it adds nothing to other rules.
        """
        page, evil, extension = "https://page.com", "https://evil.com", APP[0]
        for origin, sites, allowed, expected in [
            # A proxy changed Host, which is good.com.
            (page, ["same-origin"], SAME, True),
            (page, [], SAME, False),
            (page, ["same-site"], SAME, False),
            (page, ["cross-site"], SAME, False),
            (page, ["none"], SAME, False),
            (page, ["Same-Origin"], SAME, False),
            (page, ["same-origin, cross-site"], SAME, False),
            (page, ["same-origin", "cross-site"], SAME, False),
            (page, ["cross-site", "same-origin"], SAME, False),
            (page, ["nonsense"], SAME, False),
            (page, [""], SAME, False),
            ("http://good.com", [""], SAME, True),
            ("http://good.com", ["cross-site"], SAME, False),
            ("http://good.com", ["same-site"], SAME, False),
            # What is named is admitted from anywhere, what is not is not.
            (page, ["cross-site"], (page,), True),
            (page, ["same-origin"], GOOD, False),
            (page, ["same-origin"], (), False),
            (evil, ["cross-site"], ("*",), True),
            # What has no origin that could be the same.
            ("null", ["same-origin"], SAME, False),
            ("null", ["cross-site"], ("null",), True),
            (extension, ["same-origin"], SAME, False),
            (extension, ["none"], APP, True),
            ("file://", ["same-origin"], SAME, False),
            ("nonsense", ["same-origin"], SAME, False),
            # No origin, but a browser all the same.
            (None, ["same-origin"], SAME, True),
            (None, ["none"], SAME, True),
            (None, ["cross-site"], SAME, False),
            (None, ["same-site"], SAME, False),
            (None, ["cross-site"], GOOD, False),
            (None, ["none", "cross-site"], SAME, False),
            (None, ["nonsense"], SAME, False),
            (None, [""], SAME, True),
            (None, ["cross-site"], "*", True),
        ]:
            request = Request(origin, "good.com", PLAIN, *sites)
            self.assertIs(
                isAllowed(request, allowed), expected, (origin, sites, allowed)
            )

    def test_patterns(self):
        """
        A pattern has to match the whole origin, as it was sent.
        """
        for pattern, origin, expected in [
            (r"https://[a-z]+\.good\.com", "https://a.good.com", True),
            (r"https://[a-z]+\.good\.com", "https://a.good.com.evil", False),
            (r"https://[a-z]+\.good\.com", "https://a.good.com:1", False),
            (r"https://[a-z]+\.good\.com", "xhttps://a.good.com", False),
            (r"https://[a-z]+\.good\.com", "https://a.good.com\n", False),
            (r"https://[a-z]+\.good\.com", "https://A.good.com", False),
            (r"(?i)https://[a-z]+\.good\.com", "https://A.good.com", True),
            (r"https://good", "https://good.com", False),
            (r"null|file://", "file://", True),
            (r"null|file://", "null", True),
            (r".*", "null", True),
            (r"", "", True),
        ]:
            rules = (re.compile(pattern),)
            self.assertIs(
                isAllowed(Request(origin), rules), expected, (pattern, origin)
            )
            self.assertIs(isAllowed(Request(None), rules), True)

    def test_callables(self):
        """
        A callable is asked with the request, once, if no rule before it has admitted
        the origin; it says yes or no.
        """
        asked = []

        class Rule:
            def __call__(self, request):
                asked.append(request.origin)
                return request.origin.startswith("https://good")

            method = __call__

        rule = Rule()
        for each in (rule, rule.method, partial(Rule.method, rule), lambda r: rule(r)):
            for origin, expected in (("https://good.net", True), ("http://a", False)):
                asked.clear()
                self.assertIs(isAllowed(Request(origin), (*GOOD, each)), expected)
                self.assertEqual(asked, [origin])
        asked.clear()
        self.assertTrue(isAllowed(Request("https://good.com"), (*GOOD, rule)))
        self.assertTrue(isAllowed(Request("x"), (rule, "*")))
        self.assertTrue(isAllowed(Request(None), (rule,)))
        self.assertEqual(asked, [])

    def test_callablesThatDoNotSay(self):
        """
        What is neither yes nor no is an error: a coroutine is true, and would let
        everybody in.
        """
        for answer in (None, 1, 0, "yes", "", [], object(), re.match("a", "a")):
            with self.assertRaisesRegex(TypeError, "True or False"):
                isAllowed(Request("http://a"), (lambda request, a=answer: a,))

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
        A rule is an origin, those below one, one of three words, a pattern, or
        something that can be asked.
        """
        for rule in (
            *("*", "null", "same-origin", "http://a", "https://a:1", "http://[::1]"),
            *("https://*.a.com", "https://*.a.com:8443", "http://*.com", "app://a"),
            *("https://xn--bcher-kva.example", "http://a_b.example", "http://a."),
            *(re.compile("a"), len, lambda request: True, partial(len), "".join),
        ):
            self.assertTrue(isOriginRule(rule), rule)

        async def coroutine(request):
            return True

        for rule in (
            *("a.com", "*.a.com", "https://a.com/", "https://a.com:port", "http://a@b"),
            *("", "NULL", "Same-Origin", "**", "https://", "https://*", "https://*."),
            *("https://*.*.com", "https://a.*.com", "https://a*.com", "*://a.com"),
            *("https://*a.com", "https://b\xfccher.example", "https://a:0", "//a.com"),
            *(
                "https://a:65536",
                "https://a b",
                "https://a\n",
                "wss://a.com",
                "file://",
            ),
            *("https://a.com https://b.com", "https://a.com,https://b.com"),
            *(
                None,
                5,
                b"http://a",
                True,
                re.compile(b"a"),
                ["http://a"],
                bool,
                Request,
            ),
            *(coroutine, object()),
        ):
            self.assertFalse(isOriginRule(rule), rule)
