# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Parameters and patterns in the paths of mounts: L{twisted_ws.Router}.
"""

import re
from uuid import UUID

from twisted_ws import Router

from .handshakes import Echo
from .routers import Branch, RouterTests

ID = "01234567-89ab-cdef-0123-456789ABCDEF"


class ParameterTests(RouterTests):
    """
    Parameters.
    """

    def test_values(self):
        """
        A parameter stands for one segment, and is what its kind makes of it.
        """
        self.mount(("/rooms/{name}", "*"), ("/n/{id:int}", "*"), ("/u/{id:uuid}", "*"))
        self.mount(("/s/{text:str}/end", "*"), ("/f/{rest:path}", "*"))
        rooms, number, uuid = "/rooms/{name} *", "/n/{id:int} *", "/u/{id:uuid} *"
        text, rest = "/s/{text:str}/end *", "/f/{rest:path} *"
        self.check(
            [
                ("/rooms/lobby", (rooms, {"name": "lobby"})),
                ("/rooms/lobby?name=x", (rooms, {"name": "lobby"})),
                ("/rooms/a%20b%2Fc", (rooms, {"name": "a b/c"})),
                ("/rooms/%C3%A9", (rooms, {"name": "\xe9"})),
                ("/rooms/%2525", (rooms, {"name": "%25"})),
                ("/rooms/{name}", (rooms, {"name": "{name}"})),
                ("/rooms/..", (rooms, {"name": ".."})),
                ("/rooms/%00", (rooms, {"name": "\0"})),
                ("/rooms/__class__", (rooms, {"name": "__class__"})),
                ("/rooms/" + "a" * 8000, (rooms, {"name": "a" * 8000})),
                ("/rooms/", 404),
                ("/rooms", 404),
                ("/rooms/a/", 404),
                ("/rooms/a/b", 404),
                ("/rooms/%ff", 404),
                ("/rooms/%C3", 404),
                ("/rooms/%ED%A0%80", 404),
                ("/n/0", (number, {"id": 0})),
                ("/n/007", (number, {"id": 7})),
                ("/n/%31", (number, {"id": 1})),
                ("/n/18446744073709551615", (number, {"id": 2**64 - 1})),
                (f"/u/{ID}", (uuid, {"id": UUID(ID)})),
                (f"/u/{ID.lower()}", (uuid, {"id": UUID(ID)})),
                ("/s/x/end", (text, {"text": "x"})),
                ("/s//end", 404),
                ("/s/x/", 404),
                ("/s/x/y/end", 404),
                ("/f/a", (rest, {"rest": "a"})),
                ("/f/a/b/", (rest, {"rest": "a/b/"})),
                ("/f/", (rest, {"rest": ""})),
                ("/f/a%2Fb/c", (rest, {"rest": "a%2Fb/c"})),
                ("/f/..%2F..%2Fetc", (rest, {"rest": "..%2F..%2Fetc"})),
                ("/f/%ff", (rest, {"rest": "\ufffd"})),
                ("/f//", (rest, {"rest": "/"})),
                ("/f", 404),
            ],
            self.params,
        )

    def test_notOfTheKind(self):
        """
        A segment that is not of the kind does not match; none is so strange that it
        would fail.
        """
        self.mount(("/n/{id:int}", "*"), ("/u/{id:uuid}", "*"))
        hexadecimal = ID.replace("-", "")
        for segment in [
            *["", "-1", "+1", "1.0", "1e3", "0x1", "1_000", "%201", "1%20", "1%0A"],
            *["%D9%A1", "%EF%BC%91", "1%00", "a", "NaN", "1,000"],
            *["9" * length for length in (21, 400, 4300, 4301, 8000)],
            *[hexadecimal, f"%7B{ID}%7D", f"urn:uuid:{ID}", ID[:-1], ID + "0"],
            *["0x" + hexadecimal[2:], hexadecimal[:-1] + "_", ID.replace("a", "g")],
            *[
                f"{ID}%0A",
                ID.replace("-", "%E2%80%90"),
                "%ff" * 36,
                ID.replace("0", "_"),
            ],
        ]:
            for place in ("n", "u"):
                self.assertEqual(self.name(f"/{place}/{segment}"), 404, segment[:50])

    def test_strictestFirst(self):
        """
        Text goes before the kinds, the stricter kind before the laxer one, and all
        before what takes the rest.
        """
        self.mount(("/{a}", "*"), ("/{a:path}", "*"), ("/{a:uuid}", "*"))
        self.mount(("/{a:int}", "*"), ("/new", "*"), (re.compile("^/p|1"), "*"))
        self.check(
            [
                ("/new", "/new *"),
                ("/1", "/{a:int} *"),
                (f"/{ID}", "/{a:uuid} *"),
                ("/x", "/{a} *"),
                ("/p", "/{a} *"),
                ("/p/x", "^/p|1 *"),
                ("/x/1", "^/p|1 *"),
                ("/x/y", "/{a:path} *"),
                ("/", "/{a:path} *"),
            ]
        )

    def test_segmentBySegment(self):
        """
        It is the first segment in which two mounts differ that decides.
        """
        self.mount(("/a/{x}/{y}", "*"), ("/{x}/b/c", "*"), ("/{x}/b/{y:int}", "*"))
        self.check(
            [
                ("/a/b/c", ("/a/{x}/{y} *", {"x": "b", "y": "c"})),
                ("/z/b/c", ("/{x}/b/c *", {"x": "z"})),
                ("/z/b/1", ("/{x}/b/{y:int} *", {"x": "z", "y": 1})),
                ("/z/b/d", 404),
            ],
            self.params,
        )

    def test_namesOfTheMount(self):
        """
        Mounts that share a parameter may call it differently.
        """
        self.mount(("/{user}/chat", "*"), ("/{room}/files/{n:int}", "*"))
        self.mount(("/{room}", "p"), ("/{user}", "q"), ("/{x}/files/{file}", "*"))
        self.check(
            [
                ("/a/chat", ("/{user}/chat *", {"user": "a"})),
                ("/a/files/1", ("/{room}/files/{n:int} *", {"room": "a", "n": 1})),
                ("/a/files/b", ("/{x}/files/{file} *", {"x": "a", "file": "b"})),
                ("/a", "p", ("/{room} p", {"room": "a"})),
                ("/a", "q", ("/{user} q", {"user": "a"})),
            ],
            self.params,
        )

    def test_halves(self):
        """
        The segments of parameters are consumed, those of the rest are not.
        """
        self.mount(("/{a}/b", "*"), ("/f/{id:int}/{rest:path}", "*"))
        self.assertEqual(self.ask("/x/b")[2:], ([b"x", b"b"], []))
        self.assertEqual(
            self.ask("/f/1/a%2Fb/%ff")[2:], ([b"f", b"1"], [b"a/b", b"\xff"])
        )

    def test_protocols(self):
        """
        A place that does not speak the subprotocol leaves the request to one that says
        less.
        """
        self.mount(("/1", "p"), ("/{a:int}", "q"), ("/{b}", "r"), ("/{c:path}", "s"))
        self.check(
            [
                ("/1", "p", ("/1 p", {})),
                ("/1", "q", ("/{a:int} q", {"a": 1})),
                ("/1", "r", ("/{b} r", {"b": "1"})),
                ("/1", "s", ("/{c:path} s", {"c": "1"})),
                ("/1", "s, r, q", ("/{a:int} q", {"a": 1})),
                ("/1", "t", 404),
            ],
            self.params,
        )

    def test_nothingOfABranchThatWasLeft(self):
        """
        What was read on a way that led nowhere does not get to the application: no
        parameter, no subprotocol, no half of the path, no group.
        """
        self.mount(("/{a:int}/{b}/x", "p"), ("/1/{c}/x", "p"), ("/1/2/x", "q"))
        self.mount((re.compile("(?P<d>1)"), "q"), (re.compile("(2)"), "r"))
        self.router.putChild(b"3", Branch(a=Branch()))
        self.mount(("/{e}/{f:path}", "*"))
        for target, protocols, entry, params, groups in [
            (
                "/1/2/y",
                "z, x",
                ("/{e}/{f:path} *", "z", [b"1"], [b"2", b"y"]),
                {"e": "1", "f": "2/y"},
                (),
            ),
            ("/12", "r", ("(2) r", "r", [], [b"12"]), {}, ("2",)),
            (
                "/3/a/b/c",
                "",
                ("/{e}/{f:path} *", None, [b"3"], [b"a", b"b", b"c"]),
                {"e": "3", "f": "a/b/c"},
                (),
            ),
            (
                "/1/5/x",
                "p",
                ("/1/{c}/x p", "p", [b"1", b"5", b"x"], []),
                {"c": "5"},
                (),
            ),
        ]:
            self.assertEqual(self.ask(target, protocols), entry, target)
            self.assertEqual(self.asked[-1].params, params, target)
            self.assertEqual(self.asked[-1].groups, groups, target)

    def test_nested(self):
        """
        A mounted Router adds its parameters to those above it; of two with one name
        the inner one counts.
        """
        inner = Router()
        self.mount(("/{id:int}", "*"), ("/{room}/{id}", "*"), router=inner)
        self.router.mount("/users/{user}/*", "*", inner)
        self.router.mount("/ids/{id}/{rest:path}", "*", inner)
        self.check(
            [
                ("/users/a/1", ("/{id:int} *", {"user": "a", "id": 1})),
                (
                    "/users/a/b/c",
                    ("/{room}/{id} *", {"user": "a", "room": "b", "id": "c"}),
                ),
                ("/ids/x/1", ("/{id:int} *", {"id": 1, "rest": "1"})),
                ("/users/a/b", 404),
            ],
            self.params,
        )

    def test_belowAChild(self):
        """
        Parameters below a child are those of its mounts.
        """
        child = Router()
        self.router.putChild(b"a", child)
        self.mount(("/a/{x}/{y:int}", "*"))
        self.mount(("/{z}", "*"), router=child)
        self.check(
            [
                ("/a/b/1", ("/a/{x}/{y:int} *", {"x": "b", "y": 1})),
                ("/a/b", ("/{z} *", {"z": "b"})),
            ],
            self.params,
        )

    def test_everyRequestHasItsOwn(self):
        """
        What one request's application does to its parameters is not seen by the next.
        """
        self.mount(("/{a}", "*"))
        self.ask("/x")
        self.asked[0].params["a"] = "changed"
        self.asked[0].prepath.append(b"changed")
        self.assertEqual(self.params("/x"), ("/{a} *", {"a": "x"}))
        self.assertEqual(self.asked[1].prepath, [b"x"])

    def test_without(self):
        """
        Where there are no parameters there are none.
        """
        self.mount(("/a", "*"))
        self.assertEqual(self.params("/a"), ("/a *", {}))
        self.assertEqual(self.asked[0].groups, ())


class PatternTests(RouterTests):
    """
    Compiled patterns.
    """

    def test_searched(self):
        """
        A pattern is searched for in the path; to match all of it, it is anchored.
        """
        for pattern, target, groups, params in [
            ("b", "/a/b/c", (), {}),
            ("^/a/([^/]+)$", "/a/x", ("x",), {}),
            ("^/a/(?P<n>[0-9]+)(/end)?$", "/a/12", ("12", None), {"n": "12"}),
            ("^/a/(?P<n>[0-9]+)(/end)?$", "/a/1/end", ("1", "/end"), {"n": "1"}),
            ("(?P<no>x)?", "/a", (None,), {"no": None}),
            ("^/$", "/", (), {}),
            ("(?i)^/ROOM$", "/room", (), {}),
            ("^/caf\xe9 (.*)$", "/caf%C3%A9%20a", ("a",), {}),
            ("^/(.*)$", "/a?b", ("a",), {}),
            ("^/(.*)$", "/a/%2F/%252F", ("a/%2F/%2F",), {}),
            ("^/(.*)$", "/%ff", ("\ufffd",), {}),
            ("^/(.)$", "/%00", ("\0",), {}),
            ("^/a/b$", "/a%2Fb", None, None),
            ("^/a$", "/a/", None, None),
            ("a$", "/a%0A", (), {}),
            (r"a\Z", "/a%0A", None, None),
            ("^b", "/a/b", None, None),
        ]:
            self.router = Router()
            self.asked = []
            self.router.mount(re.compile(pattern), "*", self.application("found"))
            if groups is None:
                self.assertEqual(self.name(target), 404, (pattern, target))
                continue
            name, _, prepath, postpath = self.ask(target)
            (request,) = self.asked
            self.assertEqual(request.groups, groups, (pattern, target))
            self.assertEqual(request.params, params, (pattern, target))
            # As for "*", nothing is consumed.
            self.assertEqual((name, prepath), ("found", []))
            self.assertEqual(len(postpath), target.count("/"))

    def test_order(self):
        """
        Patterns come in the order of their mounts, behind text and parameters, before
        what takes the rest.
        """
        self.mount(
            (re.compile("a"), "p"), (re.compile("b"), "*"), (re.compile("a"), "*")
        )
        self.mount(("/ab", "p"), ("/{x}/a", "*"), ("/*", "*"), ("*", "*"))
        self.check(
            [
                ("/ab", "p", "/ab p"),
                ("/ab", "a *"),
                ("/b/a", "/{x}/a *"),
                ("/b/c", "b *"),
                ("/c/d", "/* *"),
                ("/a/x", "p", "a p"),
            ]
        )

    def test_deeperWildcard(self):
        """
        A wildcard that is deeper says more than a pattern for all paths.
        """
        self.mount((re.compile("."), "*"), ("/a/*", "*"))
        self.check([("/a/b", "/a/* *"), ("/a", ". *"), ("/b", ". *")])

    def test_nested(self):
        """
        In a Router that is mounted, or a child, a pattern sees what is left of the
        path; and C{"/"} if nothing is.
        """
        for put in (
            lambda inner: self.router.mount("/api/*", "*", inner),
            lambda inner: self.router.putChild(b"api", inner),
        ):
            self.router, inner = Router(), Router()
            self.mount((re.compile("^/v([0-9])/"), "*"), router=inner)
            put(inner)
            self.assertEqual(
                self.ask("/api/v1/x"),
                ("^/v([0-9])/ *", None, [b"api"], [b"v1", b"x"]),
            )
            self.assertEqual(self.asked[-1].groups, ("1",))
            self.assertEqual(self.name("/v1/x"), 404)
        self.mount((re.compile("^/$"), "p"), router=inner)
        self.check([("/api", "p", "^/$ p"), ("/api/", "p", "^/$ p")])

    def test_routerBehindAPattern(self):
        """
        A Router that is mounted by a pattern is asked for the whole path, too.
        """
        inner = Router()
        self.mount(("/x/{y}", "*"), router=inner)
        self.router.mount(re.compile("^/(x)"), "*", inner)
        self.assertEqual(self.params("/x/1"), ("/x/{y} *", {"y": "1"}))
        self.assertEqual(self.asked[-1].groups, ("x",))
        self.assertEqual(self.name("/x"), 404)

    def test_equal(self):
        """
        Two patterns that are equal in text and flags are one place.
        """
        self.router.mount(re.compile("a"), "p", Echo)
        re.purge()
        with self.assertRaisesRegex(ValueError, "there is an application at"):
            self.router.mount(re.compile("a"), "P", Echo)
        self.router.mount(re.compile("a", re.IGNORECASE), "p", Echo)
        self.router.unmount(re.compile("a"), "p")
        self.assertRaises(ValueError, self.router.unmount, re.compile("a"), "p")
        (route,) = self.router.routes()
        self.assertEqual(route.path, "~a")
