# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Routers in routers, and in trees of others: L{twisted_ws.Router}.
"""

import re
from itertools import pairwise

from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from twisted_ws import AllowOrigins, Router, Steps
from twisted_ws.interfaces import IWebSocketResource

from .handshakes import Echo, handshake
from .routers import Branch, Leaf, RouterTests


class NestedTests(RouterTests):
    """
    Routers that are mounted in a Router.
    """

    def test_interface(self):
        """
        A Router is an C{IWebSocketResource}, and a leaf: it walks by itself.
        """
        self.assertTrue(verifyObject(IWebSocketResource, self.router))
        self.assertTrue(self.router.isLeaf)

    def test_below(self):
        """
        A Router at C{"/api/*"} is asked for what is left of the path.
        """
        inner = Router()
        self.mount(("/v1/chat", "p"), ("*", "q"), ("/", "*"), router=inner)
        self.router.mount("/api/*", "*", inner)
        self.assertEqual(
            self.ask("/api/v1/chat", "p"),
            ("/v1/chat p", "p", [b"api", b"v1", b"chat"], []),
        )
        self.assertEqual(
            self.ask("/api/x/y", "q"), ("* q", "q", [b"api"], [b"x", b"y"])
        )
        self.assertEqual(self.ask("/api/"), ("/ *", None, [b"api", b""], []))
        self.check([("/api/v1/chat", "r", 404), ("/v1/chat", "p", 404), ("/api", 404)])

    def test_at(self):
        """
        A Router at C{"/api"} is asked for its C{"/"} there, and for nothing below.
        """
        inner = Router()
        self.mount(("/", "*"), ("/x", "*"), router=inner)
        self.router.mount("/api", "*", inner)
        self.assertEqual(self.ask("/api"), ("/ *", None, [b"api"], []))
        self.check([("/api/x", 404), ("/api/", 404)])

    def test_whatIsForNothingLeft(self):
        """
        A Router that is asked for nothing more finds what it has for C{"/"}.
        """
        for path in ("/", "/*", "/{rest:path}", "*", re.compile("^/$")):
            for protocol in ("*", "p"):
                self.router, inner = Router(), Router()
                self.mount((path, protocol), router=inner)
                self.router.mount("/api", "*", inner)
                prepath, postpath = self.ask("/api", "p")[2:]
                self.assertEqual((prepath, postpath), ([b"api"], []), path)
        self.router, inner = Router(), Router()
        self.mount(("/{a}", "*"), ("/{a:int}", "*"), ("/x", "*"), router=inner)
        self.router.mount("/api", "*", inner)
        self.assertEqual(self.name("/api"), 404)

    def test_everywhere(self):
        """
        A Router at C{"*"} is asked for the whole path.
        """
        inner = Router()
        self.mount(("/a/b", "*"), ("/", "*"), router=inner)
        self.mount(("/a/c", "*"))
        self.router.mount("*", "*", inner)
        self.assertEqual(self.ask("/a/b"), ("/a/b *", None, [b"a", b"b"], []))
        self.check([("/a/c", "/a/c *"), ("/", "/ *"), ("/a", 404)])

    def test_threeDeep(self):
        """
        Routers nest to any depth.
        """
        innermost = Router()
        self.mount(("/end", "*"), ("*", "p"), router=innermost)
        router = innermost
        for _ in range(40):
            outer = Router()
            outer.mount("/a/*", "*", router)
            router = outer
        self.router = router
        self.assertEqual(
            self.ask("/a" * 40 + "/end"), ("/end *", None, [b"a"] * 40 + [b"end"], [])
        )
        self.assertEqual(
            self.ask("/a" * 40 + "/x", "p"), ("* p", "p", [b"a"] * 40, [b"x"])
        )

    def test_hasTheLastWord(self):
        """
        A Router that is mounted and finds nothing refuses: what else is mounted above
        is not for its paths.
        """
        inner = Router()
        self.mount(("/x", "p"), router=inner)
        self.router.mount("/api/*", "*", inner)
        self.mount(("*", "*"))
        self.check([("/api/y", 404), ("/api/x", "q", 404), ("/other", "* *")])

    def test_protocolOfTheMount(self):
        """
        A Router that is mounted for a subprotocol is asked for that one alone, however
        the client orders them.
        """
        inner = Router()
        self.mount(("/any", "*"), ("/p", "P"), ("/q", "q"), ("/n", None), router=inner)
        self.router.mount("/api/*", "p", inner)
        for target, protocols, expected in [
            ("/api/any", "zz, P", ("/any *", "P")),
            ("/api/p", "q, p", ("/p P", "p")),
            ("/api/q", "q, p", 404),
            ("/api/n", "p", 404),
            ("/api/n", "", 404),
            ("/api/any", "q", 404),
        ]:
            for options in ({}, {"protocols": ("zz", "q")}):
                answer = self.ask(target, protocols, **options)
                answer = answer if isinstance(answer, int) else answer[:2]
                self.assertEqual(answer, expected, (target, protocols))

    def test_anyProtocolOfTheMount(self):
        """
        One that is mounted for any chooses as if it were not nested.
        """
        inner = Router()
        self.mount(("/a", "p"), ("/a", "q"), ("/b", "*"), ("/c", None), router=inner)
        self.router.mount("/api/*", "*", inner)
        for target, protocols, expected in [
            ("/api/a", "zz, q, p", ("/a q", "q")),
            ("/api/a", "zz, p, q", ("/a p", "p")),
            ("/api/b", "zz, q", ("/b *", "q")),
            ("/api/b", "zz", ("/b *", "zz")),
            ("/api/c", "", ("/c None", None)),
            ("/api/c", "p", 404),
        ]:
            answer = self.ask(target, protocols, protocols=("q",))
            answer = answer if isinstance(answer, int) else answer[:2]
            self.assertEqual(answer, expected, (target, protocols))

    def test_inItself(self):
        """
        A Router cannot be mounted in itself, however many are between: a client could
        send the request round as often as it likes.
        """
        other, third = Router(), Router()
        self.router.mount("/a/*", "*", Steps([], other))
        other.putChild(b"b", third)
        for router, application in [
            (self.router, self.router),
            (other, self.router),
            (third, self.router),
            (third, Steps([], Steps([], self.router))),
            (third, other),
            (other, other),
        ]:
            for attempt in (
                lambda r, a: r.mount("/c/*", "*", a),
                lambda r, a: r.mount("*", "p", a),
                lambda r, a: r.putChild(b"d", a),
            ):
                with self.assertRaisesRegex(ValueError, "mounted in itself"):
                    attempt(router, application)
        with self.assertRaisesRegex(ValueError, "mounted in itself"):
            other.mount("/b/c", "*", self.router)
        # Twice is not within itself.
        self.router.mount("/e/*", "*", other)
        self.router.putChild(b"f", other)


class ChildTests(RouterTests):
    """
    C{putChild}.
    """

    def test_router(self):
        """
        A Router that is put into another is a part of its tree, for all that is below;
        if it finds nothing, what says less is taken.
        """
        inner = Router()
        self.mount(("/x", "*"), ("/", "*"), ("/{n:int}", "p"), router=inner)
        self.mount(("*", "*"), ("/{a}/{b}", "p"))
        self.router.putChild(b"api", inner)
        self.assertEqual(self.ask("/api/x"), ("/x *", None, [b"api", b"x"], []))
        self.assertEqual(self.ask("/api/"), ("/ *", None, [b"api", b""], []))
        self.assertEqual(self.ask("/api"), ("/ *", None, [b"api"], []))
        self.assertEqual(self.ask("/api/y"), ("* *", None, [], [b"api", b"y"]))
        self.assertEqual(self.ask("/api/1", "p")[0], "/{n:int} p")
        self.assertEqual(
            self.params("/api/1x", "p"), ("/{a}/{b} p", {"a": "api", "b": "1x"})
        )
        self.assertEqual(self.name("/x"), "* *")

    def test_routersInARow(self):
        """
        The deepest goes first, and each has its say on the way back.
        """
        routers = [self.router, Router(), Router(), Router()]
        for outer, inner in pairwise(routers):
            outer.putChild(b"a", inner)
        for number, router in enumerate(routers):
            router.mount("*", f"p{number}", self.application(number))
        for number in range(4):
            for depth in range(number, 4):
                answer = self.ask("/a" * depth + "/x", f"p{number}")
                expected = [b"a"] * number, [b"a"] * (depth - number) + [b"x"]
                self.assertEqual(answer, (number, f"p{number}", *expected))
        self.assertEqual(self.name("/a/a/a/a/x", "p3, p1"), 3)
        self.assertEqual(self.name("/a/x", "p3"), 404)

    def test_mountThrough(self):
        """
        To mount below a child is to mount in it.
        """
        inner = Router()
        self.router.putChild(b"a pi", inner)
        for path, own in [
            ("/a%20pi/x", "/x"),
            ("/a%20pi/", "/"),
            ("/a%20pi/*", "/*"),
            ("/a%20pi/{n:int}/b", "/{n:int}/b"),
        ]:
            self.mount((path, "*"))
            self.assertEqual([route.path for route in inner.routes()], [own])
            with self.assertRaisesRegex(ValueError, f"at '{re.escape(path)}'"):
                self.mount((path, "*"))
            inner.unmount(own, "*")
            with self.assertRaisesRegex(ValueError, f"at '{re.escape(path)}'"):
                self.router.unmount(path, "*")
            inner.mount(own, "*", Echo)
            self.router.unmount(path, "*")
        self.assertEqual(list(self.router.routes()), [])

    def test_mountAtAChild(self):
        """
        What is mounted at the very segment of a child goes before its C{"/"}.
        """
        inner = Router()
        self.mount(("/", "*"), router=inner)
        self.router.putChild(b"api", inner)
        self.mount(("/api", "p"))
        self.check([("/api", "p", "/api p"), ("/api/", "p", "/ *"), ("/api", "/ *")])
        self.assertEqual(self.ask("/api", "p"), ("/api p", "p", [b"api"], []))
        self.assertIn("/api", [route.path for route in self.router.routes()])
        self.router.unmount("/api", "p")
        self.assertEqual(self.name("/api", "p"), "/ *")

    def test_taken(self):
        """
        A segment has one child, or mounts; once they are unmounted it is free.
        """
        self.router.putChild(b"a", Router())
        self.mount(("/b/c", "*"), ("/d", "*"))
        for name in (b"a", b"b", b"d"):
            with self.assertRaisesRegex(ValueError, "a child or a mount"):
                self.router.putChild(name, Router())
        self.router.unmount("/b/c", "*")
        self.router.unmount("/d", "*")
        self.router.putChild(b"b", Router())
        self.router.putChild(b"d", Router())

    def test_application(self):
        """
        A child may be any application; it finds the rest of the path in C{postpath}.
        """
        self.router.putChild(b"room", self.application("room"))
        self.router.putChild(b"echo", Echo)
        self.router.putChild(b"a/b", Echo)
        self.assertEqual(self.ask("/room"), ("room", None, [b"room"], []))
        self.assertEqual(self.ask("/room/1/2"), ("room", None, [b"room"], [b"1", b"2"]))
        for target in ("/echo", "/echo/x", "/a%2Fb"):
            self.assertIn(b" 101 ", self.request(target).take(), target)
        for path in ("/room", "/room/1", "/room/*"):
            with self.assertRaisesRegex(ValueError, "not a Router"):
                self.router.mount(path, "*", Echo)
            self.assertRaises(ValueError, self.router.unmount, path, "*")

    def test_noChild(self):
        """
        What is no application, or no segment, cannot be put.
        """
        for child in (None, 5, object(), Echo()):
            self.assertRaises(TypeError, self.router.putChild, b"a", child)
        for name in ("a", None, 5):
            self.assertRaises(TypeError, self.router.putChild, name, Echo)
        self.router.putChild(b"a", Echo)

    def test_getChildWithDefault(self):
        """
        Children are found by their decoded name; there may be none.
        """
        inner = Router()
        self.router.putChild(b"a", inner)
        self.assertIs(self.router.getChildWithDefault(b"a", None), inner)
        self.assertIsNone(self.router.getChildWithDefault(b"b", None))


class MadeTests(RouterTests):
    """
    C{getChild}, overridden to make children as they are asked for.
    """

    def made(self, make):
        """
        @return: a Router that makes its children so; what it was asked is in
            C{self.names}.
        """
        self.names = []

        class Making(Router):
            def getChild(inner, name, request):
                self.names.append((name, list(request.prepath), list(request.postpath)))
                return make(name)

        return Making()

    def test_made(self):
        """
        It is asked for each segment that has neither a child nor a mount, with the
        request as far as it was walked.
        """
        rooms = self.made(
            lambda name: None if name == b"closed" else self.application(name.decode())
        )
        self.router.putChild(b"rooms", rooms)
        rooms.putChild(b"put", self.application("put"))
        self.mount(("/rooms/lobby", "*"), ("/rooms/{id:int}/x", "*"))
        self.assertEqual(
            self.ask("/rooms/bl%75e/1"), ("blue", None, [b"rooms", b"blue"], [b"1"])
        )
        self.check([("/rooms/lobby", "/rooms/lobby *"), ("/rooms/put", "put")])
        self.check([("/rooms/closed", 404), ("/rooms/lobby/x", 404)])
        self.assertEqual(
            self.names,
            [
                (b"blue", [b"rooms", b"blue"], [b"1"]),
                (b"closed", [b"rooms", b"closed"], []),
            ],
        )

    def test_none(self):
        """
        Where it makes nothing, parameters and wildcards have their turn.
        """
        self.router = self.made(lambda name: None)
        self.mount(("/{a}/b", "*"), ("*", "*"))
        self.assertEqual(self.ask("/x/b"), ("/{a}/b *", None, [b"x", b"b"], []))
        self.assertEqual(self.ask("/x/c"), ("* *", None, [], [b"x", b"c"]))

    def test_endless(self):
        """
        A tree that never ends is walked as deep as the path, once for each segment.
        """

        class Endless(Router):
            def getChild(inner, name, request):
                self.names.append(name)
                return inner

        self.router = Endless()
        limits = {"maxHeaderLine": 1 << 15, "maxHeaderSize": 1 << 16}
        for depth in (100, 1000, 8000):
            self.names = []
            self.assertEqual(self.ask("/a" * depth, **limits), 404)
            self.assertEqual(len(self.names), depth)
        self.mount(("*", "p"), ("/{x:int}/b", "p"), ("/{x}/b", "*"))
        self.assertEqual(
            self.ask("/a" * 8000, "p", **limits), ("* p", "p", [b"a"] * 8000, [])
        )
        self.assertEqual(
            self.ask("/1/b", **limits), ("/{x}/b *", None, [b"1", b"b"], [])
        )

    def test_fails(self):
        """
        A C{getChild} that fails is an application that fails; so is one that makes what
        is none.
        """

        def failing(name):
            raise RuntimeError("on purpose")

        for make, error in ((failing, RuntimeError), (lambda name: 5, TypeError)):
            self.router = self.made(make)
            self.mount(("*", "*"))
            self.assertEqual(self.name("/a"), 500)
            self.assertEqual(len(self.flushLoggedErrors(error)), 1)

    def test_mountsWhileAsked(self):
        """
        It may mount and unmount meanwhile.
        """

        def make(name):
            self.router.unmount("/{a}", "*")
            self.mount(("/{b}/c", "*"))

        self.router = self.made(make)
        self.mount(("/{a}", "*"))
        self.assertEqual(self.params("/x/c"), ("/{b}/c *", {"b": "x"}))


class ForeignTests(RouterTests):
    """
    Resources of somebody else, in a Router and around one.
    """

    def test_child(self):
        """
        An C{IWebSocketResource} that is no Router is walked until the path or its
        C{isLeaf} ends it.
        """
        leaf = Leaf(self.application("leaf"))
        tree = Branch(self.application("tree"), a=leaf)
        self.router.putChild(b"tree", tree)
        self.router.putChild(b"leaf", leaf)
        self.router.mount("/at/*", "*", leaf)
        self.router.mount("/exact", "*", tree)
        for target, entry in [
            ("/leaf/a", ("leaf", None, [b"leaf"], [b"a"])),
            ("/tree", ("tree", None, [b"tree"], [])),
            ("/tree/a/b", ("leaf", None, [b"tree", b"a"], [b"b"])),
            ("/at/x/y", ("leaf", None, [b"at"], [b"x", b"y"])),
            ("/exact", ("tree", None, [b"exact"], [])),
            ("/exact/a", 404),
            ("/tree/b", 404),
        ]:
            self.assertEqual(self.ask(target), entry, target)

    def test_childWithoutAnEnd(self):
        """
        A child that is walked and has nothing there leaves the request, as it was, to
        what says less.
        """
        self.router.putChild(b"tree", Branch(a=Branch(b=Branch())))
        self.mount(("/{x}/{y}/{z}/q", "*"), ("*", "*"))
        self.assertEqual(
            self.ask("/tree/a/b/c/d"),
            ("* *", None, [], [b"tree", b"a", b"b", b"c", b"d"]),
        )
        self.assertEqual(
            self.ask("/tree/a/c/q"),
            ("/{x}/{y}/{z}/q *", None, [b"tree", b"a", b"c", b"q"], []),
        )

    def test_mountedWithoutAnEnd(self):
        """
        One that is mounted, like a Router, has the last word.
        """
        self.router.mount("/tree/*", "*", Branch(a=Branch()))
        self.mount(("*", "*"))
        self.check([("/tree/b", 404), ("/tree/a/b", 404), ("/x", "* *")])

    def test_around(self):
        """
        A Router in somebody else's tree is asked for what is left there.
        """
        self.mount(("/x/{n:int}", "p"), ("/", "*"))
        inner = self.router
        self.router = Branch(ws=inner, deep=Branch(er=Steps([], inner)))
        for target, protocols, entry in [
            ("/ws/x/1", "p", ("/x/{n:int} p", "p", [b"ws", b"x", b"1"], [])),
            (
                "/deep/er/x/1",
                "q, p",
                ("/x/{n:int} p", "p", [b"deep", b"er", b"x", b"1"], []),
            ),
            ("/ws", "", ("/ *", None, [b"ws"], [])),
            ("/ws/y", "p", 404),
            ("/y", "", 404),
        ]:
            self.assertEqual(self.ask(target, protocols), entry, target)


class StepsTests(RouterTests):
    """
    Steps before Routers, and in them.
    """

    def test_inARouter(self):
        """
        Steps, mounted or a child, see what is left of the path, and hand it on.
        """
        inner = Router()
        self.mount(("/x/{n:int}", "*"), ("/", "*"), router=inner)
        seen = []

        def step(request):
            seen.append((request.params.copy(), list(request.postpath)))

        self.router.mount("/{a}/*", "*", Steps([step], inner))
        self.router.putChild(b"b", Steps([step], Steps([step], inner)))
        self.assertEqual(self.params("/a/x/1"), ("/x/{n:int} *", {"a": "a", "n": 1}))
        self.assertEqual(self.ask("/b/x/1")[2:], ([b"b", b"x", b"1"], []))
        self.assertEqual(self.ask("/b")[2:], ([b"b"], []))
        self.assertEqual(self.name("/b/y"), 404)
        self.assertEqual(seen[0], ({"a": "a"}, [b"x", b"1"]))
        self.assertEqual(seen[1:3], [({}, [b"x", b"1"])] * 2)

    def test_beforeARouter(self):
        """
        A Router behind steps that take their time finds its way all the same.
        """
        waiting = Deferred()
        self.mount(("/a/{b}", "p"))
        inner, self.router = self.router, Steps([lambda request: waiting], self.router)
        peer = self.request("/a/x", "zz, p")
        self.assertEqual(self.log, [])
        waiting.callback(None)
        self.server.flush()
        self.assertIn(b"\r\nSec-WebSocket-Protocol: p\r\n", peer.take())
        self.assertEqual(self.asked[0].params, {"b": "x"})
        self.router = Steps([], inner)
        self.assertEqual(self.name("/b"), 404)

    def test_origins(self):
        """
        Steps that judge the origin do it for all that is behind them.
        """
        inner = Router()
        inner.mount("/echo", "*", Echo)
        self.router.mount("/open/*", "*", Steps([AllowOrigins("*")], inner))
        self.router.mount("/shut/*", "*", inner)
        self.serve(self.router)
        for place, status in (("open", b" 101 "), ("shut", b" 403 ")):
            line = f"GET /{place}/echo HTTP/1.1"
            peer = self.connect(handshake("Origin: http://evil.example", line=line))
            self.assertIn(status, peer.take())
