# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Cookies: L{twisted_ws._wire.cookies}.
"""

from datetime import date, datetime, time, timedelta, timezone, tzinfo

from twisted.trial.unittest import SynchronousTestCase

from twisted_ws import Cookie
from twisted_ws._wire.cookies import parseCookies

try:
    from hypothesis import given, settings
    from hypothesis import strategies as st
except ImportError:
    given = None


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

    def test_hostile(self):
        """
        A quarter of a megabyte of anything is read; in quadratic time that would not
        end.
        """
        for unit in (
            *('\\"', "a=;", "\xe9=1;=", ";", "=", " ", '"', ", ", '="', "a", "a=1; "),
            *('a="', '";', "\t;", "\\;", "a==;", "%;", "\xa0="),
        ):
            text = unit * ((1 << 18) // len(unit))
            for before, after in (("", ""), ('a="', '"'), ("a=", ";"), (" ", " ")):
                self.assertIsInstance(parseCookies([before + text + after]), dict)
        many = [f"a{number}=1" for number in range(100000)]
        self.assertEqual(len(parseCookies(["; ".join(many)])), 100000)
        self.assertEqual(len(parseCookies(many)), 100000)

    if given is not None:

        @settings(max_examples=300, deadline=None)
        @given(st.lists(st.text() | st.text('a=;" \t\\,'), max_size=4))
        def test_anyText(self, values):
            """
            No text makes anything but cookies: each has a name, none has a semicolon or
            space around it.
            """
            for name, value in parseCookies(values).items():
                self.assertTrue(name)
                for text in (name, value):
                    self.assertNotIn(";", text)
                self.assertEqual(name, name.strip(" \t"))
                self.assertNotIn("=", name)

        @settings(max_examples=300, deadline=None)
        @given(
            st.dictionaries(
                st.text("ab!#$%&'*+-.^_`|~09", min_size=1),
                st.text("".join(map(chr, {*range(0x21, 0x7F), *b"="} - {*b'",;\\'}))),
            )
        )
        def test_whatIsSent(self, cookies):
            """
            Cookies as they have to be written are read as they are meant.
            """
            text = "; ".join(f"{name}={value}" for name, value in cookies.items())
            self.assertEqual(parseCookies([text]), cookies)


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
            partitioned=True,
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
                    "partitioned",
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
            ({"sameSite": "Strict"}, "samesite=Strict"),
            ({"sameSite": "Lax"}, "samesite=Lax"),
        ]:
            cookie = Cookie("a", "b", **options)
            self.assertEqual(attributes(cookie), ("a=b", {expected}))
        for options, expected in [
            ({"sameSite": "None"}, "samesite=None"),
            ({"partitioned": True}, "partitioned"),
        ]:
            cookie = Cookie("a", "b", secure=True, **options)
            self.assertEqual(attributes(cookie), ("a=b", {"secure", expected}))

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

    class Nowhere(tzinfo):
        """
        A zone that does not know where it is.
        """

        def utcoffset(self, moment):
            return None

    early = timezone(timedelta(hours=14))
    late = timezone(timedelta(hours=-12))
    rows = [
        ("no name", {"name": ""}),
        ("a name that is no text", {"name": b"a"}),
        ("a value that is a number", {"value": 5}),
        ("a value that is bytes", {"value": b"a"}),
        ("no value", {"value": None}),
        ("too long", {"value": "x" * 4096}),
        ("empty path", {"path": ""}),
        ("a path without a slash", {"path": "a"}),
        ("a path that is no text", {"path": b"/"}),
        ("a long path", {"path": "/" + "x" * 1024}),
        ("empty domain", {"domain": ""}),
        ("a dot for a domain", {"domain": "."}),
        ("space in the domain", {"domain": "a b.example"}),
        ("a port in the domain", {"domain": "a.example:80"}),
        ("a URL for a domain", {"domain": "https://a.example"}),
        ("empty label in the domain", {"domain": "a..example"}),
        ("a long domain", {"domain": "a." * 512 + "example"}),
        ("a domain that is no text", {"domain": b"a.example"}),
        ("maxAge as a truth", {"maxAge": True}),
        ("expires as a number", {"expires": 1893456000}),
        ("expires as a date", {"expires": date(2030, 1, 1)}),
        ("expires as a time", {"expires": time(1, tzinfo=timezone.utc)}),
        ("expires nowhere", {"expires": datetime(2030, 1, 1, tzinfo=Nowhere())}),
        ("expires before time", {"expires": datetime.min.replace(tzinfo=early)}),
        ("expires after time", {"expires": datetime.max.replace(tzinfo=late)}),
        ("expires in 1600", {"expires": datetime(1600, 1, 1, tzinfo=timezone.utc)}),
        ("an empty sameSite", {"sameSite": ""}),
        ("a sameSite that is no text", {"sameSite": b"Lax"}),
        ("partitioned without secure", {"partitioned": True}),
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
        ("__host- in another case", {"name": "__hOST-a", "secure": True, "path": "/a"}),
        ("__Host- without secure", {"name": "__Host-a", "path": "/"}),
        ("__Host- without a path", {"name": "__Host-a", "secure": True}),
        (
            "__Host- with another path",
            {"name": "__Host-a", "secure": True, "path": "/a"},
        ),
        (
            "__Host- with an empty domain",
            {"name": "__Host-a", "secure": True, "path": "/", "domain": ""},
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

    def test_charactersInEveryPart(self):
        """
        No control character, semicolon, or character beyond ASCII gets into any text of
        a cookie.
        """
        characters = [*map(chr, (*range(0x20), 0x3B, *range(0x7F, 0x100)))]
        characters += ["\u0100", "\u010a", "\u010d", "\u013b", "\u20ac", "\ud800"]
        made = [
            (part, character)
            for part in ("name", "value", "path", "domain", "sameSite", "maxAge")
            for character in characters
            for text in (
                f"/x{character}y",
                f"x{character}y",
                f"x{character}",
                character,
            )
            if not self.isRefused({part: text})
        ]
        self.assertEqual(made, [])

    def test_valueIsASecret(self):
        """
        The error does not repeat the value.
        """
        error = self.assertRaises(ValueError, Cookie, "a", "secret\n")
        self.assertNotIn("secret", str(error))

    def test_taken(self):
        """
        What is at the edge is taken.
        """
        for options in (
            {"value": "x" * 4095},
            {"path": "/"},
            {"path": "/a b,c=d"},
            {"path": "/" + "x" * 1023},
            {"domain": ".example.com"},
            {"domain": "localhost"},
            {"domain": "127.0.0.1"},
            {"domain": "xn--bcher-kva.a_b.example"},
            {"maxAge": 0},
            {"maxAge": -(1 << 63)},
            {"expires": datetime(1601, 1, 1, tzinfo=timezone.utc)},
            {"expires": datetime(9999, 12, 31, tzinfo=self.early)},
        ):
            Cookie(**{"name": "a", "value": "b", **options}).render()

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
