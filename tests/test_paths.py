# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What the paths of mounts stand for, and the tree of them: L{twisted_ws.paths}.
"""

import re
from uuid import UUID

from twisted.trial.unittest import SynchronousTestCase

from twisted_ws.paths import (
    EVERYTHING,
    PARAMETERS,
    REST,
    Node,
    Place,
    pathText,
    readPlace,
)

try:
    from hypothesis import given, settings
    from hypothesis import strategies as st
except ImportError:
    given = None

INT, ID, STR = PARAMETERS


class PlaceTests(SynchronousTestCase):
    """
    L{readPlace}.
    """

    def test_rows(self):
        """
        A path is split at its slashes, and decoded after; names go apart.
        """
        pattern = re.compile("a")
        for path, segments, names in [
            ("/", [b""], []),
            ("//", [b"", b""], []),
            ("/a", [b"a"], []),
            ("/a/", [b"a", b""], []),
            ("/A/b", [b"A", b"b"], []),
            ("/a%2Fb", [b"a/b"], []),
            ("/a%2fb%", [b"a/b%"], []),
            ("/%7Ba%7D", [b"{a}"], []),
            ("/%2A", [b"*"], []),
            ("/%3F", [b"?"], []),
            ("/caf\xe9", ["caf\xe9".encode()], []),
            ("/%FF", [b"\xff"], []),
            ("/a*", [b"a*"], []),
            ("/.", [b"."], []),
            ("/#", [b"#"], []),
            ("/int", [b"int"], []),
            ("*", [EVERYTHING], []),
            ("/*", [REST], [""]),
            ("/a/*", [b"a", REST], [""]),
            ("/{a}", [STR], ["a"]),
            ("/{a:str}", [STR], ["a"]),
            ("/{_A1}", [STR], ["_A1"]),
            ("/{a:int}/{b:uuid}/{c:path}", [INT, ID, REST], ["a", "b", "c"]),
            ("/{a}/*", [STR, REST], ["a", ""]),
            (pattern, [pattern], []),
        ]:
            expected = Place(tuple(segments), tuple(names))
            self.assertEqual(readPlace(path), expected, path)

    def test_bad(self):
        """
        What makes no sense raises C{ValueError}, and repeats it; what is no path raises
        C{TypeError}.
        """
        for path in (
            *("", "a", "**", "a/*", " /a", "\n/a", "~a", "http://a/b"),
            *("/a?b", "/{a}?", "/*/a", "/*/", "/{a:path}/", "/{a:path}/*"),
            *("/{", "/}", "/{}", "/{:int}", "/{a:}", "/{a:INT}", "/{a:int8}", "/{a b}"),
            *("/{a}{b}", "/a{b}", "/{a}.json", "/{{a}}", "/{a\n}", "/{\xe9}", "/{1a}"),
            *("/{a}/{a}", "/{a:int}/x/{a}"),
        ):
            error = self.assertRaises(ValueError, readPlace, path)
            self.assertIn(repr(path), str(error))
        self.assertRaises(ValueError, readPlace, "/\ud800")
        for path in (None, b"/a", 5, ["/a"], re.compile(b"a")):
            self.assertRaises(TypeError, readPlace, path)


class KindTests(SynchronousTestCase):
    """
    The kinds of parameters.
    """

    rows = [
        (b"0", {INT: 0, STR: "0"}),
        (b"00", {INT: 0, STR: "00"}),
        (b"12345678901234567890", {INT: 12345678901234567890}),
        (b"123456789012345678901", {STR: "123456789012345678901"}),
        (b"", {}),
        (b"-1", {STR: "-1"}),
        (b"1\n", {STR: "1\n"}),
        (b"1_0", {STR: "1_0"}),
        ("\u0661".encode(), {STR: "\u0661"}),
        (b"9" * 5000, {STR: "9" * 5000}),
        (b"\xff", {}),
        (b"\xed\xa0\x80", {}),
        (b"/", {STR: "/"}),
        (b"0" * 32, {STR: "0" * 32}),
        (b"00000000-0000-0000-0000-000000000000", {ID: UUID(int=0)}),
        (b"{00000000-0000-0000-0000-000000000000}", {ID: None}),
        (b"00000000-0000-0000-0000-00000000000\n", {ID: None}),
        (b"FFFFFFFF-ffff-FFFF-ffff-FFFFFFFFFFFF", {ID: UUID(int=(1 << 128) - 1)}),
    ]

    def test_rows(self):
        """
        A segment is of a kind, or is not; then that raises C{ValueError}.
        """
        for segment, values in self.rows:
            for kind in PARAMETERS:
                try:
                    value = kind.read(segment)
                except ValueError:
                    value = None
                if kind in values or kind is not STR:
                    self.assertEqual(value, values.get(kind), (segment[:40], kind))

    def test_repr(self):
        """
        A kind is shown by its name.
        """
        self.assertEqual(repr(INT), "<Kind int>")

    if given is not None:

        @settings(max_examples=300, deadline=None)
        @given(st.binary(max_size=50))
        def test_anyBytes(self, segment):
            """
            No segment makes anything but a value or a C{ValueError}.
            """
            for kind in PARAMETERS:
                try:
                    kind.read(segment)
                except ValueError:
                    pass


class TextTests(SynchronousTestCase):
    """
    L{pathText}.
    """

    def test_rows(self):
        """
        A slash within a segment stays percent-encoded; what is no UTF-8 is replaced.
        """
        for segments, text in [
            ([], ""),
            ([b""], ""),
            ([b"a", b"b"], "a/b"),
            ([b"a/b", b""], "a%2Fb/"),
            ([b"caf\xc3\xa9", b"\xff"], "caf\xe9/\ufffd"),
        ]:
            self.assertEqual(pathText(segments), text)


class CountingNode(Node):
    """
    Counts how often it and those below it are asked what is next.
    """

    __slots__ = ()
    visits = 0

    def _next(self, segment, depth, values):
        CountingNode.visits += 1
        return super()._next(segment, depth, values)


class TreeTests(SynchronousTestCase):
    """
    L{Node}.
    """

    def tree(self, *paths):
        """
        @return: a tree where each path is mounted under its own name.
        """
        root = Node()
        for path in paths:
            root.grow(readPlace(path).segments).mounts["p"] = path
        return root

    def walked(self, root, *segments, depth=0):
        """
        @return: what a path leads to, in order, and how much of it was consumed.
        """
        return [
            (found.mounts["p"], found.depth, found.values)
            for found in root.walk(segments, depth)
        ]

    def test_order(self):
        """
        All places that a path leads to are found, that which says most first.
        """
        pattern, another = re.compile("/1"), re.compile("[0-9]")
        root = self.tree("*", "/*", another, "/{a}", "/{a:int}", "/1", pattern, "/1/2")
        self.assertEqual(
            self.walked(root, b"1"),
            [
                ("/1", 1, ()),
                ("/{a:int}", 1, (1,)),
                ("/{a}", 1, ("1",)),
                (another, 0, ()),
                (pattern, 0, ()),
                ("/*", 0, ("1",)),
                ("*", 0, ()),
            ],
        )

    def test_depth(self):
        """
        A walk may begin further down the path; if nothing is left of it, what is at the
        root is found, and then what is for C{"/"}.
        """
        root = self.tree("/", "/*", "/{a}", "*", re.compile("^/$"))
        root.mounts["p"] = "itself"
        self.assertEqual(
            self.walked(root, b"x", b"y", depth=2),
            [
                ("itself", 2, ()),
                ("/", 3, ()),
                (re.compile("^/$"), 2, ()),
                ("/*", 2, ("",)),
                ("*", 2, ()),
            ],
        )
        self.assertEqual(
            [name for name, _, _ in self.walked(root, b"x", b"y", depth=1)],
            ["/{a}", "/*", "*"],
        )

    def test_kindsAreNoText(self):
        """
        No text of a path is taken for a kind.
        """
        root = self.tree("/{a:int}", "/{b:path}", "*")
        for text in (b"int", b"path", b"*", b"str", b"p"):
            names = [name for name, _, _ in self.walked(root, text)]
            self.assertEqual(names, ["/{b:path}", "*"], text)

    def test_find(self):
        """
        A place is found if it was grown, and only then.
        """
        root = self.tree("/a/{b}/*", "*")
        for path, isThere in [
            ("/a/{x}/*", True),
            ("/a/{x}", True),
            ("*", True),
            ("/a/{x:int}/*", False),
            ("/a/b/c/d", False),
            (re.compile("a"), False),
        ]:
            found = root.find(readPlace(path).segments)
            self.assertIs(found is not None, isThere, path)

    def test_prune(self):
        """
        What leads nowhere is taken away, and nothing else.
        """
        paths = ["/a", "/a/b/c", "/a/b/{d}", "/{a}/*", "*", re.compile("a")]
        root = self.tree(*paths)
        for number, path in enumerate(paths):
            segments = readPlace(path).segments
            root.prune(segments)
            self.assertEqual(list(root.all()), paths[number:])
            root.find(segments).mounts.clear()
            root.prune(segments)
            self.assertEqual(list(root.all()), paths[number + 1 :])
        self.assertEqual((root.children, root.kinds, root.patterns), ({}, {}, {}))

    def test_all(self):
        """
        All that is mounted is told, depth first, in the order of mounting.
        """
        paths = ["/a", "/a/b", "/a/{c}/d", "/e", "*", re.compile("a")]
        self.assertEqual(list(self.tree(*paths).all()), paths)

    def test_deep(self):
        """
        A tree may be as deep as it likes.
        """
        path = "/a" * 5000
        root = self.tree(path)
        self.assertEqual(len(self.walked(root, *[b"a"] * 5000)), 1)
        self.assertEqual(list(root.all()), [path])
        segments = readPlace(path).segments
        root.find(segments).mounts.clear()
        root.prune(segments)
        self.assertEqual(root.children, {})


class CostTests(SynchronousTestCase):
    """
    What a walk costs, counted.
    """

    def visits(self, root, path):
        """
        @return: how many places are visited for a path.
        """
        CountingNode.visits = 0
        for _ in root.walk(path, 0):
            pass
        return CountingNode.visits

    def grow(self, *paths):
        """
        @return: a tree that counts.
        """
        root = CountingNode()
        for path in paths:
            node = root
            for segment in readPlace(path).segments:
                node = node._below(segment).setdefault(segment, CountingNode())
            node.mounts["p"] = path
        return root

    def test_manyRoutes(self):
        """
        The number of text routes does not count, nor of those with parameters.
        """
        for count in (10, 1000, 20000):
            root = self.grow(*(f"/a/{n}/b" for n in range(count)))
            self.assertEqual(self.visits(root, [b"a", b"7", b"b"]), 3)
            root = self.grow(*(f"/{n}/{{x:int}}/{{y}}" for n in range(count)))
            self.assertEqual(self.visits(root, [b"7", b"1", b"b"]), 3)
            self.assertEqual(self.visits(root, [b"x", b"1", b"b"]), 1)

    def test_longPaths(self):
        """
        The length of the path does not count beyond the depth of the tree.
        """
        root = self.grow("/{a}/{b}/*", "/*", "*", "/a/a/a", "/a/{x}/a")
        costs = {self.visits(root, [b"a"] * length) for length in (10, 1000, 8000)}
        self.assertEqual(len(costs), 1)
        self.assertLess(costs.pop(), 10)

    def test_manyWays(self):
        """
        Where every segment can be read in several ways no place is visited twice: the
        cost is the size of the tree, at most.
        """
        deep = self.grow("/{a}" + "/x" * 50, "/x" * 50, "/x/{a}" + "/x" * 50)
        self.assertLessEqual(self.visits(deep, [b"x"] * 60), 160)
        ways = [""]
        for name in "abcdefgh":
            ways = [way + step for way in ways for step in ("/1", f"/{{{name}:int}}")]
        root = self.grow(*ways)
        places = sum(2**depth for depth in range(9))
        self.assertEqual(self.visits(root, [b"1"] * 9), places)
        self.assertEqual(self.visits(root, [b"1"] * 8), places - 2**8)
        self.assertEqual(self.visits(root, [b"2"] * 9), 9)

    if given is not None:

        @settings(max_examples=200, deadline=None)
        @given(
            st.lists(
                st.lists(st.sampled_from(["a", "b", "", "{x}", "{x:int}"]), max_size=4),
                max_size=12,
            ),
            st.lists(st.sampled_from([b"a", b"b", b"", b"1", b"\xff"]), max_size=5),
        )
        def test_anyTree(self, mounts, path):
            """
            Whatever is mounted: a walk finds each place once, those that match and no
            others, in the order of what they say.
            """
            path = path or [b""]
            paths = {}
            for number, segments in enumerate(mounts):
                named = [
                    s.replace("x", f"x{i}") for i, s in enumerate(segments or [""])
                ]
                paths.setdefault(readPlace("/" + "/".join(named)).segments, number)
            root = Node()
            for segments, number in paths.items():
                root.grow(segments).mounts["p"] = number

            def fits(kind, segment):
                if isinstance(kind, bytes):
                    return kind == segment
                try:
                    kind.read(segment)
                except ValueError:
                    return False
                return True

            rank = {INT: 1, ID: 2, STR: 3}
            expected = sorted(
                (
                    [rank.get(kind, 0) for kind in segments]
                    for segments in paths
                    if len(segments) == len(path) and all(map(fits, segments, path))
                ),
            )
            found = [found.mounts["p"] for found in root.walk(path, 0)]
            numbers = {number: segments for segments, number in paths.items()}
            self.assertEqual(
                [[rank.get(kind, 0) for kind in numbers[n]] for n in found], expected
            )
