# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Cookies: L{twisted_ws._wire.cookies}.
"""

from datetime import datetime, timedelta, timezone
from time import process_time

from twisted.trial.unittest import SynchronousTestCase

from twisted_ws import Cookie
from twisted_ws._wire.cookies import parseCookies


class ParseTests(SynchronousTestCase):
    """
    RFC 6265 section 5.4, read leniently.
    """

    rows = [
        ("no field", [], {}),
        ("one", ["a=1"], {"a": "1"}),
        ("several", ["a=1; b=2"], {"a": "1", "b": "2"}),
        ("no space", ["a=1;b=2"], {"a": "1", "b": "2"}),
        ("much space", ["  a = 1 ;\tb\t=\t2 ; "], {"a": "1", "b": "2"}),
        ("several fields", ["a=1", "b=2"], {"a": "1", "b": "2"}),
        ("the first of a name counts", ["a=1; a=2", "a=3"], {"a": "1"}),
        ("case of names counts", ["a=1; A=2"], {"a": "1", "A": "2"}),
        ("empty value", ["a="], {"a": ""}),
        ("equal signs in the value", ["a=b=c=="], {"a": "b=c=="}),
        ("quoted", ['a="1"'], {"a": "1"}),
        ("quoted and empty", ['a=""'], {"a": ""}),
        ("half a quote", ['a="'], {"a": '"'}),
        ("an open quote", ['a="1'], {"a": '"1'}),
        ("a quote within", ['a=1"2'], {"a": '1"2'}),
        ("escapes mean nothing", [r'a="\"1\073"'], {"a": r"\"1\073"}),
        ("a comma is part of a value", ["a=1,b=2"], {"a": "1,b=2"}),
        ("percent signs are kept", ["a=%31%zz"], {"a": "%31%zz"}),
        ("Latin-1", ["a=\xe9"], {"a": "\xe9"}),
        ("a name without a value", ["a; b=1"], {"b": "1"}),
        ("a value without a name", ["=1; b=1"], {"b": "1"}),
        ("nothing at all", ["", ";;;", "="], {}),
        ("RFC 2965 attributes", ["$Version=1; a=1"], {"$Version": "1", "a": "1"}),
        ("hostile names", ["__class__=1; constructor=2"], None),
    ]

    def test_rows(self):
        """
        What can be a cookie is one, the rest is skipped.
        """
        for name, values, expected in self.rows:
            if expected is None:
                expected = {"__class__": "1", "constructor": "2"}
            self.assertEqual(parseCookies(values), expected, name)

    def test_linear(self):
        """
        Eight times the input does not cost sixty-four times the time.
        """
        for name, unit in [
            ("escaped quotes", '\\"'),
            ("many cookies", "a=;"),
            ("different cookies", "\xe9=1;="),
            ("semicolons", ";"),
            ("equal signs", "="),
            ("spaces", " "),
            ("quotes", '"'),
        ]:
            costs = []
            for size in (1 << 12, 1 << 15):
                text = 'a="' + unit * (size // len(unit))
                times = []
                for _ in range(3):
                    began = process_time()
                    parseCookies([text])
                    times.append(process_time() - began)
                costs.append(max(min(times), 0.0002))
            self.assertLess(costs[1] / costs[0], 32, name)


def attributes(cookie):
    """
    @return: the name and value of a rendered cookie, and the set of its attributes,
        their names in lower case.
    """
    first, *rest = cookie.render().split("; ")
    found = set()
    for attribute in rest:
        name, equals, value = attribute.partition("=")
        found.add(name.lower() + equals + value)
    assert len(found) == len(rest), rest
    return first, found


class RenderTests(SynchronousTestCase):
    """
    RFC 6265 section 4.1: Set-Cookie.
    """

    def test_plain(self):
        """
        A cookie without attributes is a name and a value.
        """
        self.assertEqual(Cookie("a", "b").render(), "a=b")
        self.assertEqual(Cookie("a", "").render(), "a=")

    def test_everyAttribute(self):
        """
        Every attribute is written under its name.
        """
        cookie = Cookie(
            "sid",
            "x1",
            path="/ws",
            domain="Example.COM",
            expires=datetime(2030, 1, 2, 3, 4, 5, tzinfo=timezone.utc),
            maxAge=5000,
            secure=True,
            httpOnly=True,
            sameSite="Strict",
        )
        self.assertEqual(
            attributes(cookie),
            (
                "sid=x1",
                {
                    "path=/ws",
                    "domain=example.com",
                    "expires=Wed, 02 Jan 2030 03:04:05 GMT",
                    "max-age=5000",
                    "secure",
                    "httponly",
                    "samesite=Strict",
                },
            ),
        )

    def test_eachAttributeAlone(self):
        """
        An attribute that is not given is not written.
        """
        for options, expected in [
            ({"path": "/"}, "path=/"),
            ({"domain": "a.example"}, "domain=a.example"),
            ({"maxAge": 1}, "max-age=1"),
            ({"secure": True}, "secure"),
            ({"httpOnly": True}, "httponly"),
            ({"sameSite": "Lax"}, "samesite=Lax"),
        ]:
            cookie = Cookie("a", "b", **options)
            self.assertEqual(attributes(cookie), ("a=b", {expected}))

    def test_deletion(self):
        """
        A C{maxAge} of 0 deletes a cookie, so it is written; a negative one likewise.
        """
        self.assertEqual(attributes(Cookie("a", "", maxAge=0))[1], {"max-age=0"})
        self.assertEqual(attributes(Cookie("a", "", maxAge=-1))[1], {"max-age=-1"})

    def test_expiresInAnotherZone(self):
        """
        The end is given in GMT, whatever zone it was written in.
        """
        zone = timezone(timedelta(hours=2))
        cookie = Cookie("a", "b", expires=datetime(2030, 1, 2, 3, 4, 5, tzinfo=zone))
        self.assertEqual(
            attributes(cookie)[1], {"expires=Wed, 02 Jan 2030 01:04:05 GMT"}
        )

    def test_namesOfAttributes(self):
        """
        RFC 6265 section 4.1.1: any token can name a cookie, also one that is the name
        of an attribute.
        """
        names = ["path", "Version", "comment", "expires", "secure", "domain", "a!#$"]
        for name in names:
            self.assertEqual(Cookie(name, "b").render(), f"{name}=b")

    def test_everyCharacterOfAValue(self):
        """
        RFC 6265 section 4.1.1: of all characters exactly the cookie-octets make a
        value, and they are written as they are.
        """
        octets = {
            0x21,
            *range(0x23, 0x2C),
            *range(0x2D, 0x3B),
            *range(0x3C, 0x5C),
            *range(0x5D, 0x7F),
        }
        taken = set()
        for number in [*range(0x100), 0x20AC, 0xDC80]:
            try:
                cookie = Cookie("a", f"x{chr(number)}y")
            except ValueError:
                continue
            self.assertEqual(cookie.render(), f"a=x{chr(number)}y")
            taken.add(number)
        self.assertEqual(taken, octets)


class RefusalTests(SynchronousTestCase):
    """
    A cookie that would not be taken as it was meant cannot be made.
    """

    aware = datetime(2030, 1, 1, tzinfo=timezone.utc)
    rows = [
        ("no name", {"name": ""}),
        ("space in the name", {"name": "a b"}),
        ("equal sign in the name", {"name": "a=b"}),
        ("semicolon in the name", {"name": "a;b"}),
        ("a name that is not ASCII", {"name": "\xe9"}),
        ("space in the value", {"value": "a b"}),
        ("semicolon in the value", {"value": "a; Domain=evil.example"}),
        ("comma in the value", {"value": "a,b"}),
        ("quote in the value", {"value": '"a"'}),
        ("backslash in the value", {"value": "a\\b"}),
        ("semicolon in the path", {"path": "/; Domain=evil.example"}),
        ("a path that is not ASCII", {"path": "/\xe9"}),
        ("semicolon in the domain", {"domain": "a; Path=/"}),
        ("a domain that is not ASCII", {"domain": "\u20ac.example"}),
        ("semicolon in maxAge", {"maxAge": "5; Domain=evil.example"}),
        ("maxAge as text", {"maxAge": "5"}),
        ("maxAge that is not whole", {"maxAge": 1.5}),
        ("expires without a zone", {"expires": datetime(2030, 1, 1)}),
        ("expires as text", {"expires": "Wed, 02 Jan 2030 03:04:05 GMT"}),
        ("an unknown sameSite", {"sameSite": "lax"}),
        ("semicolon in sameSite", {"sameSite": "Lax; Domain=evil.example"}),
        ("sameSite None without secure", {"sameSite": "None"}),
        ("__Secure- without secure", {"name": "__Secure-a"}),
        ("__secure- in another case", {"name": "__SECURE-a"}),
        ("__Host- without secure", {"name": "__Host-a", "path": "/"}),
        ("__Host- without a path", {"name": "__Host-a", "secure": True}),
        (
            "__Host- with another path",
            {"name": "__Host-a", "secure": True, "path": "/a"},
        ),
        (
            "__Host- with a domain",
            {"name": "__Host-a", "secure": True, "path": "/", "domain": "a.example"},
        ),
    ]

    def isRefused(self, options):
        """
        @return: whether a cookie with these options cannot be made, and is named in
            the error.
        """
        try:
            Cookie(**{"name": "a", "value": "b", **options})
        except ValueError as error:
            return "cookie" in str(error)
        return False

    def test_rows(self):
        """
        Every wrong part is refused when the cookie is made.
        """
        made = [name for name, options in self.rows if not self.isRefused(options)]
        self.assertEqual(made, [])

    def test_controlCharactersInEveryPart(self):
        """
        No control character gets into any text of a cookie.
        """
        made = [
            (part, number)
            for part in ("name", "value", "path", "domain", "sameSite", "maxAge")
            for number in (*range(0x20), 0x7F)
            if not self.isRefused({part: f"x{chr(number)}"})
        ]
        self.assertEqual(made, [])

    def test_prefixesThatArePromisesKept(self):
        """
        RFC 6265bis section 4.1.3: the prefixes are fine with what they promise.
        """
        cookie = Cookie("__Host-a", "b", path="/", secure=True)
        self.assertEqual(attributes(cookie), ("__Host-a=b", {"path=/", "secure"}))
        cookie = Cookie("__Secure-a", "b", secure=True, sameSite="None")
        self.assertEqual(
            attributes(cookie), ("__Secure-a=b", {"secure", "samesite=None"})
        )

    def test_frozen(self):
        """
        A cookie that was checked cannot be changed.
        """
        cookie = Cookie("a", "b")
        self.assertRaises(AttributeError, setattr, cookie, "value", "b\r\n")
