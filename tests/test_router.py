# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Applications by path and subprotocol: L{twisted_ws.Router}.
"""

from .handshakes import Echo, handshake
from .routers import RouterTests


class PathTests(RouterTests):
    """
    Which path a mount is for.
    """

    def test_exact(self):
        """
        A path is for itself, case and slashes included, whatever the query.
        """
        self.mount(("/", "*"), ("/a", "*"), ("/a/b", "*"), ("/c/", "*"))
        self.mount(("/d", "*"), ("/d/", "*"))
        for target, expected in [
            ("/", "/ *"),
            ("/a", "/a *"),
            ("/a?b", "/a *"),
            ("/a/b", "/a/b *"),
            ("/a/b?/c", "/a/b *"),
            ("/c/", "/c/ *"),
            ("/c", 404),
            ("/c/?a=/b", "/c/ *"),
            ("/d", "/d *"),
            ("/d/", "/d/ *"),
            ("/?a", "/ *"),
            ("/?", "/ *"),
            ("/a?/*", "/a *"),
            ("/a%3Fb", 404),
            ("/A", 404),
            ("/a/", 404),
            ("/a/b/", 404),
            ("/a/b/c", 404),
            ("/b", 404),
            ("//a", 404),
            ("//", 404),
            ("/a//b", 404),
            ("/./a", 404),
            ("/a/../a", 404),
            ("/a%00", 404),
            ("/a;b", 404),
            ("/*", 404),
            ("/__class__", 404),
            ("/_children", 404),
        ]:
            self.assertEqual(self.name(target), expected, target)

    def test_anyPath(self):
        """
        C{"*"} is for every path that has no mount, at any depth.
        """
        self.mount(("*", "*"), ("/a/b", "*"))
        for target, expected in [
            ("/", "* *"),
            ("/x", "* *"),
            ("/x/y/z", "* *"),
            ("/a", "* *"),
            ("/a/x", "* *"),
            ("/a/b/c", "* *"),
            ("/a/b", "/a/b *"),
            ("//", "* *"),
        ]:
            self.assertEqual(self.name(target), expected, target)

    def test_everythingBelow(self):
        """
        C{"/a/*"} is for every path below C{"/a"} that has no mount.
        """
        self.mount(("/a/*", "*"), ("/a/b/c", "*"), ("/a/b/*", "*"), ("/a/x", "*"))
        for target, expected in [
            ("/a/", "/a/* *"),
            ("/a/y", "/a/* *"),
            ("/a/y/z", "/a/* *"),
            ("/a/x", "/a/x *"),
            ("/a/x/y", "/a/* *"),
            ("/a/b/c", "/a/b/c *"),
            ("/a/b/d", "/a/b/* *"),
            ("/a/b/", "/a/b/* *"),
            ("/a/b", "/a/* *"),
            ("/a//", "/a/* *"),
            ("/a", 404),
            ("/a/b/c/d", "/a/b/* *"),
            ("/b", 404),
            ("/", 404),
            ("/ab", 404),
        ]:
            self.assertEqual(self.name(target), expected, target)

    def test_deepestWildcard(self):
        """
        Of several wildcards the deepest goes first; one that does not speak the
        subprotocol leaves it to the next.
        """
        self.mount(("*", "*"), ("/a/*", "p"), ("/a/b/*", "q"))
        self.assertEqual(self.name("/a/b/c", "q"), "/a/b/* q")
        self.assertEqual(self.name("/a/b/c", "p"), "/a/* p")
        self.assertEqual(self.name("/a/b/c", "r"), "* *")
        self.assertEqual(self.name("/a/b/c", "q, p"), "/a/b/* q")
        self.assertEqual(self.name("/a/b/c", "p, q"), "/a/b/* q")

    def test_percentEncoded(self):
        """
        Mounts and requests are compared once decoded; an encoded slash parts nothing.
        """
        self.mount(
            ("/caf\xe9", "*"), ("/a%20b", "*"), ("/x%2Fy", "*"), ("/100%25", "*")
        )
        for target, expected in [
            ("/caf%C3%A9", "/caf\xe9 *"),
            ("/caf%c3%a9", "/caf\xe9 *"),
            ("/%63af%C3%A9", "/caf\xe9 *"),
            ("/a%20b", "/a%20b *"),
            ("/a+b", 404),
            ("/x%2Fy", "/x%2Fy *"),
            ("/x%2fy", "/x%2Fy *"),
            ("/x/y", 404),
            ("/100%25", "/100%25 *"),
            ("/100%", "/100%25 *"),
            ("/100%2525", 404),
            ("/caf%E9", 404),
        ]:
            self.assertEqual(self.name(target), expected, target)

    def test_pathForTheApplication(self):
        """
        The application finds what was matched in C{prepath}, and what a wildcard left
        over in C{postpath}, decoded.
        """
        self.mount(("/a/b", "*"), ("/c/*", "*"), ("*", "x"))
        for target, protocols, prepath, postpath in [
            ("/a/b", "", [b"a", b"b"], []),
            ("/c/d%2Fe/f", "", [b"c"], [b"d/e", b"f"]),
            ("/a/b/c", "x", [], [b"a", b"b", b"c"]),
            ("/a/x", "x", [], [b"a", b"x"]),
            ("/", "x", [], [b""]),
        ]:
            entry = self.ask(target, protocols)
            self.assertEqual(entry[2:], (prepath, postpath), target)

    def test_wildcardAtTheRoot(self):
        """
        C{"/*"} is for every path, C{"/"} included, and goes before C{"*"}.
        """
        self.mount(("/*", "p"), ("*", "*"))
        self.check([("/", "p", "/* p"), ("/a/b", "p", "/* p"), ("/a", "q", "* *")])
        self.assertEqual(self.ask("/a/b", "p")[2:], ([], [b"a", b"b"]))

    def test_wildcardsInTheMiddleAreText(self):
        """
        A star that is not a whole segment, or is percent-encoded, is a star.
        """
        self.mount(("/a*", "*"), ("/%2A", "*"), ("/b/*c", "*"))
        self.check([("/a*", "/a* *"), ("/ab", 404), ("/*", "/%2A *"), ("/x", 404)])
        self.check([("/b/*c", "/b/*c *"), ("/b/xc", 404), ("/b/%2ac", "/b/*c *")])

    def test_hostilePaths(self):
        """
        No path is too strange to be answered 404.
        """
        self.mount(("/a", "*"))
        for target in ("/" * 4000, "/a" * 2000, "/%2f%00%ff%zz", "/" + "%41" * 2000):
            self.assertEqual(self.name(target), 404, target[:20])

    def test_longPaths(self):
        """
        A path of eight thousand segments is looked up like any other, and so is a
        mount of a thousand.
        """
        long = "/a" * 8191
        deep = "/b" * 1000
        self.mount(("/a/*", "p"), ("*", "q"), (deep, "*"), (deep + "/{x}/*", "*"))
        limits = {"maxHeaderLine": 1 << 15, "maxHeaderSize": 1 << 16}
        for target, protocols, expected in [
            (long, "p", ("/a/* p", "p", [b"a"], [b"a"] * 8190)),
            (long, "q", ("* q", "q", [], [b"a"] * 8191)),
            ("/" * 16383, "q", ("* q", "q", [], [b""] * 16383)),
            (long, "r", 404),
            ("/" * 16383, "r", 404),
            (deep, "", (f"{deep} *", None, [b"b"] * 1000, [])),
            (deep + "/" + long, "r", 404),
        ]:
            answer = self.ask(target, protocols, **limits)
            self.assertEqual(answer, expected, (target[:10], protocols))


class ProtocolTests(RouterTests):
    """
    Which subprotocol a mount is for.
    """

    def test_kinds(self):
        """
        A name is for who asks for it, C{None} for who asks for nothing, C{"*"} for
        everyone that no other mount is for: they get the first that they ask for.
        """
        self.mount(("/a", "p"), ("/a", None), ("/a", "*"), ("/b", None), ("/c", "p"))
        self.mount(("/d", "*"))
        for target, protocols, expected in [
            ("/a", "p", ("/a p", "p")),
            ("/a", "", ("/a None", None)),
            ("/a", "q", ("/a *", "q")),
            ("/d", "q, p", ("/d *", "q")),
            ("/d", "", ("/d *", None)),
            ("/b", "", ("/b None", None)),
            ("/b", "p", 404),
            ("/c", "p", ("/c p", "p")),
            ("/c", "", 404),
            ("/c", "q", 404),
        ]:
            answer = self.ask(target, protocols)
            answer = answer if isinstance(answer, int) else answer[:2]
            self.assertEqual(answer, expected, (target, protocols))

    def test_clientsOrder(self):
        """
        Among the mounts of a path the client's order decides, not that of mounting.
        """
        self.mount(("/a", "p"), ("/a", "q"), ("/a", "*"))
        self.assertEqual(self.name("/a", "p, q"), "/a p")
        self.assertEqual(self.name("/a", "q, p"), "/a q")
        self.assertEqual(self.name("/a", "x, q, p"), "/a q")
        self.assertEqual(self.name("/a", "x"), "/a *")

    def test_exactPathBeatsClientsOrder(self):
        """
        An exact path goes before a wildcard, even if that speaks what the client likes
        better.
        """
        self.mount(("*", "*"), ("*", "zz"), ("/a", "p"))
        self.assertEqual(self.name("/a", "zz, p"), "/a p")
        self.assertEqual(self.name("/a", "zz"), "* zz")
        self.assertEqual(self.name("/a"), "* *")

    def test_anyCase(self):
        """
        Case does not count; the client's spelling is chosen.
        """
        self.mount(("/a", "Chat.V1"))
        self.assertEqual(self.ask("/a", "x, CHAT.v1")[:2], ("/a Chat.V1", "CHAT.v1"))

    def test_answered(self):
        """
        The chosen subprotocol is answered without the application's doing.  For C{"*"}
        it is one out of C{protocols}, or the first that is asked for: a browser that
        asks fails a connection without one.
        """
        self.router.mount("/a", "chat", Echo)
        self.router.mount("/b", "*", Echo)
        for target, asked, options, expected in [
            ("/a", "x, Chat", {}, b"Chat"),
            ("/a", "x, Chat", {"protocols": ("x",)}, b"Chat"),
            ("/b", "x, Chat", {}, b"x"),
            ("/b", "x, Chat", {"protocols": ("chat", "x")}, b"Chat"),
            ("/b", "x, Chat", {"protocols": ("z",)}, b"x"),
            (
                "/b",
                "x, Chat",
                {"protocols": ("chat", "x"), "preferClientProtocols": True},
                b"x",
            ),
        ]:
            self.serve(self.router, **options)
            peer = self.connect(
                handshake(
                    f"Sec-WebSocket-Protocol: {asked}", line=f"GET {target} HTTP/1.1"
                )
            )
            line = b"\r\nSec-WebSocket-Protocol: " + expected + b"\r\n"
            self.assertIn(line, peer.take(), (target, asked, options))

    def test_starIsNoName(self):
        """
        A client that asks for a subprotocol called C{*}, which is a token, gets no more
        than others.
        """
        self.mount(("/a", "p"), ("/b", "*"))
        self.assertEqual(self.name("/a", "*"), 404)
        self.assertEqual(self.ask("/b", "*, p")[:2], ("/b *", "*"))
        self.mount(("/b", "p"))
        self.assertEqual(self.ask("/b", "*, p")[:2], ("/b p", "p"))


class AnswerTests(RouterTests):
    """
    What a mounted application can do.
    """

    def test_failure(self):
        """
        A mounted application that fails is answered for with 500.
        """

        def failing(request):
            raise RuntimeError("on purpose")

        self.router.mount("/a", "*", failing)
        self.assertEqual(self.name("/a"), 500)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_coroutine(self):
        """
        It may take its time.
        """

        async def application(request):
            self.answer("late", request)

        self.router.mount("/a", "*", application)
        self.assertEqual(self.name("/a"), "late")

    def test_originPolicy(self):
        """
        A receiver that is mounted is for C{allowedOrigins} only.
        """
        self.router.mount("/", "*", Echo)
        self.serve(self.router)
        self.assertStatus(self.connect(handshake("Origin: http://evil.com")), 403)

    def test_configuredProtocolsComeSecond(self):
        """
        The subprotocol of the mount goes before C{protocols} of the configuration.
        """
        self.router.mount("/", "b", Echo)
        self.serve(self.router, protocols=("a", "b"))
        peer = self.connect(handshake("Sec-WebSocket-Protocol: a, b"))
        self.assertIn(b"\r\nSec-WebSocket-Protocol: b\r\n", peer.take())
