# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The grammar of header fields: L{twisted_ws._wire.headers}.
"""

from time import process_time

from twisted.trial.unittest import SynchronousTestCase

from twisted_ws._wire.errors import InvalidUpgrade
from twisted_ws._wire.headers import (
    Headers,
    checkField,
    checkToken,
    isToken,
    parseExtensions,
    parseFields,
    parseTokens,
    renderHead,
)

TCHAR = frozenset(
    b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)
HOSTILE_NAMES = ("__class__", "__init__", "__dict__", "constructor", "__proto__")


class HeadersTests(SynchronousTestCase):
    """
    Looking fields up.
    """

    def setUp(self):
        self.headers = Headers(
            [(b"Host", b"example.com"), (b"Cookie", b"a=1"), (b"COOKIE", b"b=\xe9")]
        )

    def test_nameInAnyCase(self):
        """
        The case of a name counts neither in the field nor in the question.
        """
        self.assertEqual(self.headers.get("hOsT"), "example.com")
        self.assertEqual(self.headers.get(b"HOST"), b"example.com")
        self.assertIn("Cookie", self.headers)
        self.assertNotIn("Origin", self.headers)

    def test_answeredInTheTypeOfTheQuestion(self):
        """
        C{str} is answered with C{str} in Latin-1, C{bytes} with the bytes that came.
        """
        self.assertEqual(self.headers.getAll("cookie"), ["a=1", "b=\xe9"])
        self.assertEqual(self.headers.getAll(b"cookie"), [b"a=1", b"b=\xe9"])

    def test_firstOfSeveral(self):
        """
        C{get} gives the first field of a name, C{None} if there is none.
        """
        self.assertEqual(self.headers.get("cookie"), "a=1")
        self.assertIsNone(self.headers.get("origin"))
        self.assertIsNone(self.headers.get(b"origin"))

    def test_absent(self):
        """
        C{getAll} of a name that is not there is empty, also of one that cannot be.
        """
        self.assertEqual(self.headers.getAll("origin"), [])
        self.assertEqual(self.headers.getAll("\u20ac"), [])
        self.assertEqual(self.headers.getAll("\xe9"), [])

    def test_onlyOne(self):
        """
        C{getOnly} refuses what comes twice: two readers could understand it in two
        ways.
        """
        self.assertEqual(self.headers.getOnly("Host"), "example.com")
        self.assertIsNone(self.headers.getOnly("Origin"))
        with self.assertRaisesRegex(InvalidUpgrade, "2 Cookie header fields"):
            self.headers.getOnly("Cookie")

    def test_iteration(self):
        """
        Going over the fields gives them in the order they came, names in lower case.
        """
        self.assertEqual(
            list(self.headers),
            [(b"host", b"example.com"), (b"cookie", b"a=1"), (b"cookie", b"b=\xe9")],
        )
        self.assertEqual(len(self.headers), 3)

    def test_lineFeed(self):
        """
        No field has a line feed, wherever it is made.
        """
        for pair in ((b"a\nb", b"c"), (b"a", b"b\nc: d")):
            self.assertRaises(ValueError, Headers, [(b"x", b"y"), pair])

    def test_reprHasNoValues(self):
        """
        The representation names the fields and keeps their values, which may be
        secrets.
        """
        self.assertEqual(repr(self.headers), "<Headers cookie, host>")

    def test_hostileNames(self):
        """
        A peer can name a field like an attribute of Python's objects.
        """
        for name in HOSTILE_NAMES:
            headers = parseFields([name.encode() + b": x"])
            self.assertEqual(headers.get(name), "x", name)
            self.assertNotIn(name, Headers(), name)


class FieldLineTests(SynchronousTestCase):
    """
    RFC 9112 section 5: what a header line may be.
    """

    good = [
        ("5 field-line", b"Host: a", (b"host", b"a")),
        ("5 no space after the colon", b"Host:a", (b"host", b"a")),
        ("5 space around the value", b"Host: \t a\t ", (b"host", b"a")),
        ("5.1 colons in the value", b"Host: [::1]:80", (b"host", b"[::1]:80")),
        ("5.5 empty value", b"X:", (b"x", b"")),
        ("5.5 a value of spaces", b"X:  \t ", (b"x", b"")),
        ("5.5 tab within the value", b"X: a\tb", (b"x", b"a\tb")),
        ("5.5 obs-text in the value", b"X: \x80\xff", (b"x", b"\x80\xff")),
        ("5.6.2 every tchar", bytes(sorted(TCHAR)) + b": 1", None),
    ]
    bad = [
        ("5 no colon", b"Host"),
        ("5 an empty line", b""),
        ("5 empty name", b": a"),
        ("5.1 space before the colon", b"Host : a"),
        ("5.1 tab before the colon", b"Host\t: a"),
        ("5.2 obs-fold", b" folded"),
        ("5.2 obs-fold with a colon", b" folded: a"),
        ("5.2 obs-fold with a tab", b"\tfolded: a"),
        ("5.1 space in the name", b"Ho st: a"),
        ("5.1 separators in the name", b"Ho(st): a"),
        ("5.1 obs-text in the name", b"H\xf6st: a"),
    ]

    def test_good(self):
        """
        A name, a colon and a value are a field; space around the value is not its
        part.
        """
        for name, line, expected in self.good:
            pairs = list(parseFields([line]))
            expected = expected or (bytes(sorted(TCHAR)).lower(), b"1")
            self.assertEqual(pairs, [expected], name)

    def test_bad(self):
        """
        Anything else is refused, with 400.
        """
        for name, line in self.bad:
            try:
                fields = parseFields([b"A: b", line])
            except InvalidUpgrade as error:
                self.assertEqual(error.status, 400, name)
            else:
                self.fail(f"{name}: read as {list(fields)}")

    def test_everyByteOfAName(self):
        """
        RFC 9110 section 5.6.2: of the 256 bytes exactly the tchars make a name.
        """
        taken = set()
        for byte in range(256):
            try:
                fields = parseFields([b"x%cx: a" % byte])
            except InvalidUpgrade:
                continue
            if next(iter(fields))[0] == (b"x%cx" % byte).lower():
                taken.add(byte)
        self.assertEqual(taken, TCHAR)

    def test_everyByteOfAValue(self):
        """
        RFC 9110 section 5.5: no control character but the tab is in a value.
        """
        taken = set()
        for byte in range(256):
            try:
                parseFields([b"x: a%cb" % byte])
            except InvalidUpgrade:
                continue
            taken.add(byte)
        self.assertEqual(taken, {0x09, *range(0x20, 0x7F), *range(0x80, 0x100)})

    def test_lineBreaksAtTheEdgesOfAValue(self):
        """
        Only space and tab are stripped: a line break at either end is refused.
        """
        for value in (b"\na", b"a\n", b"\ra", b"a\r", b"a\x0b", b"\x0ca", b"\x1fa"):
            self.assertRaises(InvalidUpgrade, parseFields, [b"x:" + value])
        self.assertEqual(parseFields([b"x:\xa0a\x85"]).get(b"x"), b"\xa0a\x85")


class TokenListTests(SynchronousTestCase):
    """
    RFC 9110 section 5.6.1: comma-separated lists.
    """

    good = [
        ("one", ["a"], ["a"]),
        ("several", ["a, b,c"], ["a", "b", "c"]),
        ("over several fields", ["a", "b, c"], ["a", "b", "c"]),
        ("5.6.1.2 empty elements", [",a, ,\t,b,"], ["a", "b"]),
        ("nothing", [""], []),
        ("no field", [], []),
        ("commas only", [",,,"], []),
        ("case is kept", ["Keep-Alive, UPGRADE"], ["Keep-Alive", "UPGRADE"]),
        ("twice is left to the caller", ["a, a"], ["a", "a"]),
        ("hostile names", [", ".join(HOSTILE_NAMES)], list(HOSTILE_NAMES)),
    ]
    bad = ["a b", "a, b c", '"a"', "a;q=1", "a/b", "\xe9", "a,\xff", "a\x00", "(a)"]

    def test_good(self):
        """
        Tokens are read in order, over all fields, whatever the space between them.
        """
        for name, values, expected in self.good:
            self.assertEqual(parseTokens(values, "X"), expected, name)

    def test_bad(self):
        """
        An element that is no token is refused, with the name of the field.
        """
        for value in self.bad:
            with self.assertRaisesRegex(InvalidUpgrade, "^X-Y has an element"):
                parseTokens([value], "X-Y")

    def test_isToken(self):
        """
        A token is one tchar or more, and ends where it ends.
        """
        self.assertTrue(isToken(b"websocket"))
        for value in (b"", b"a\n", b"a ", b"\na", b"a,b"):
            self.assertFalse(isToken(value), value)


TEN_AND_BAR = [("foo", (("x", "10"), ("y", None))), ("bar", ())]


class ExtensionTests(SynchronousTestCase):
    """
    RFC 6455 section 9.1: Sec-WebSocket-Extensions.
    """

    good = [
        ("no field", [], []),
        ("empty", [""], []),
        ("one", ["foo"], [("foo", ())]),
        ("several", ["foo, bar"], [("foo", ()), ("bar", ())]),
        ("over several fields", ["foo", "bar"], [("foo", ()), ("bar", ())]),
        ("empty elements", [", foo,,\tbar ,"], [("foo", ()), ("bar", ())]),
        ("a flag", ["foo; x"], [("foo", (("x", None),))]),
        ("a value", ["foo; x=10"], [("foo", (("x", "10"),))]),
        ("a quoted value", ['foo; x="10"'], [("foo", (("x", "10"),))]),
        ("an escape in it", [r'foo; x="1\0"'], [("foo", (("x", "10"),))]),
        ("space behind it", ['foo; x="10" ; y , bar'], TEN_AND_BAR),
        ("no space at all", ["foo;x=1;y,bar"], None),
        ("space everywhere", [" foo \t; x = 1 ;\ty , bar "], None),
        ("the same twice", ["foo; x; x"], [("foo", (("x", None), ("x", None)))]),
        (
            "RFC 7692 section 7.1",
            ["permessage-deflate; client_max_window_bits; server_max_window_bits=10"],
            [
                (
                    "permessage-deflate",
                    (
                        ("client_max_window_bits", None),
                        ("server_max_window_bits", "10"),
                    ),
                )
            ],
        ),
        (
            "a fallback offer",
            ["foo; x=1, foo"],
            [("foo", (("x", "1"),)), ("foo", ())],
        ),
        (
            "hostile names",
            ["__class__; __init__=__dict__"],
            [("__class__", (("__init__", "__dict__"),))],
        ),
    ]
    bad = [
        ("two tokens", "foo bar"),
        ("no name", "; x"),
        ("no parameter", "foo;"),
        ("no parameter, another follows", "foo;; x"),
        ("no parameter, an extension follows", "foo; , bar"),
        ("no parameter name", "foo; =x"),
        ("no value", "foo; x="),
        ("no value, another follows", "foo; x=; y"),
        ("two equal signs", "foo; x==1"),
        ("a name in quotes", '"foo"'),
        ("a parameter in quotes", 'foo; "x"'),
        ("an open quote", 'foo; x="1'),
        ("an open quote after an escape", 'foo; x="1\\"'),
        ("a backslash at the end", 'foo; x="1\\'),
        ("9.1 a quoted value that is no token", 'foo; x="a b"'),
        ("9.1 an empty quoted value", 'foo; x=""'),
        ("9.1 a quoted comma", 'foo; x="a,b"'),
        ("9.1 an escaped quote", r'foo; x="a\"b"'),
        ("text behind the quote", 'foo; x="a"b'),
        ("single quotes around two tokens", "foo; x='a b'"),
        ("not ASCII", "f\xf6o"),
        ("a value that is not ASCII", "foo; x=\xe9"),
        ("a quoted value that is not ASCII", 'foo; x="\xe9"'),
        ("a separator", "foo(bar)"),
        ("an equal sign without a parameter", "foo=1"),
    ]

    def test_good(self):
        """
        Offers are read in order, with their parameters in order, quoted or not.
        """
        spaced = [("foo", (("x", "1"), ("y", None))), ("bar", ())]
        for name, values, expected in self.good:
            expected = spaced if expected is None else expected
            self.assertEqual(parseExtensions(values), expected, name)

    def test_bad(self):
        """
        Anything else is refused, with the name of the field.
        """
        for name, value in self.bad:
            try:
                extensions = parseExtensions([value])
            except InvalidUpgrade as error:
                self.assertIn("Sec-WebSocket-Extensions", str(error), name)
            else:
                self.fail(f"{name}: read as {extensions}")


class LinearTests(SynchronousTestCase):
    """
    No input costs more than its length.
    """

    def inputs(self, size):
        """
        What has made other parsers stall, in about C{size} characters.
        """
        return [
            ("spaces in a list", parseTokens, "b" + " " * size + "x"),
            ("commas", parseTokens, "," * size),
            ("comma and space", parseTokens, ", " * (size // 2) + "\x80"),
            ("tabs and spaces", parseTokens, "\t " * (size // 2) + "\x80"),
            ("one long token", parseTokens, "a" * size + "\x80"),
            ("open quote", parseExtensions, 'a; b="' + "\\c" * (size // 2)),
            ("open quote, plain", parseExtensions, 'a; b="' + "c" * size),
            ("backslashes", parseExtensions, 'a; b="' + "\\" * size),
            ("many open quotes", parseExtensions, 'a; b="' + '\\"' * (size // 2)),
            ("commas", parseExtensions, "," * size),
            ("spaces", parseExtensions, "a" + " " * size + "b"),
            ("semicolons", parseExtensions, "a" + ";" * size),
            ("parameters", parseExtensions, "a" + "; b=c" * (size // 5)),
            ("quoted parameters", parseExtensions, "a" + ';b="c"' * (size // 6) + "="),
            ("offers", parseExtensions, "a," * (size // 2) + "="),
        ]

    def cost(self, parse, text):
        """
        CPU time of the quickest of a few parses.
        """
        times = []
        for _ in range(3):
            began = process_time()
            try:
                if parse is parseTokens:
                    parse([text], "X")
                else:
                    parse([text])
            except InvalidUpgrade:
                pass
            times.append(process_time() - began)
        return min(times)

    def test_hostileInputs(self):
        """
        Eight times the input does not cost sixty-four times the time.
        """
        small, large = self.inputs(1 << 12), self.inputs(1 << 15)
        for (name, parse, short), (_, _, long) in zip(small, large, strict=True):
            once = max(self.cost(parse, short), 0.0002)
            ratio = self.cost(parse, long) / once
            self.assertLess(ratio, 32, f"{name}, {parse.__name__}: {ratio:.0f} times")

    def test_repeatedFields(self):
        """
        A list over very many fields is read like one in one field.
        """
        self.assertEqual(parseTokens(["a, b"] * 5000, "X"), ["a", "b"] * 5000)
        self.assertEqual(len(parseExtensions(["a; b=1"] * 5000)), 5000)


class WritingTests(SynchronousTestCase):
    """
    What may be written into a head.
    """

    unprintable = ["\r", "\n", "\r\n", "\0", "\x7f", "\x1b", "\x0b"]

    def test_checkToken(self):
        """
        A token comes back as bytes; nothing else does.
        """
        self.assertEqual(checkToken("chat.v1", "a subprotocol"), b"chat.v1")
        for bad in ["", "a b", "a,b", "\xe9", "\u20ac", "a\n", "a/b", '"a"', "\udc80"]:
            with self.assertRaisesRegex(ValueError, "^a subprotocol is not a token"):
                checkToken(bad, "a subprotocol")

    def test_checkField(self):
        """
        A field comes back as bytes, text as Latin-1.
        """
        self.assertEqual(checkField("X-A", "b"), (b"X-A", b"b"))
        self.assertEqual(checkField(b"X-A", b"b"), (b"X-A", b"b"))
        self.assertEqual(checkField("X-A", "\xe9"), (b"X-A", b"\xe9"))
        self.assertEqual(checkField("X-A", ""), (b"X-A", b""))
        self.assertEqual(checkField("X-A", "b\tc d"), (b"X-A", b"b\tc d"))

    def test_checkFieldRefusesControlCharacters(self):
        """
        No control character gets into a name or a value, wherever it stands.
        """
        for bad in self.unprintable:
            for text in (bad, bad + "a", "a" + bad, "a" + bad + "b"):
                for value in (text, text.encode()):
                    self.assertRaises(ValueError, checkField, "X-A", value)
                    self.assertRaises(ValueError, checkField, value, "b")

    def test_checkFieldRefusesEveryOtherCharacter(self):
        """
        Names are tokens and values are Latin-1 without space around them.
        """
        names = ["", " X", "X ", "X:", "X Y", "\xe9", "\u20ac", b"\xe9", b""]
        for name in names:
            self.assertRaises(ValueError, checkField, name, "b")
        values = ["\u20ac", "\udc80", " b", "b ", "\tb", "b\t", " ", b" b"]
        for value in values:
            self.assertRaises(ValueError, checkField, "X", value)

    def test_renderHead(self):
        """
        A head is its first line, its fields, and an empty line.
        """
        self.assertEqual(
            renderHead(b"GET / HTTP/1.1", [(b"Host", b"a"), (b"X", b"\xe9")]),
            b"GET / HTTP/1.1\r\nHost: a\r\nX: \xe9\r\n\r\n",
        )
        self.assertEqual(renderHead(b"a", []), b"a\r\n\r\n")

    def test_renderHeadChecksEverything(self):
        """
        Nothing gets into a head unchecked, the first line included.
        """
        for bad in self.unprintable:
            raw = b"a" + bad.encode() + b"b"
            self.assertRaises(ValueError, renderHead, raw, [])
            self.assertRaises(ValueError, renderHead, b"a", [(raw, b"b")])
            self.assertRaises(ValueError, renderHead, b"a", [(b"b", raw)])
