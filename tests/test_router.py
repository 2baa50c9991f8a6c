# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Applications by path and subprotocol: L{twisted_ws.Router}.
"""

from functools import partial

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from twisted_ws import Router
from twisted_ws.interfaces import IWebSocketResource

from .handshakes import Echo, ServerTests, handshake


class RouterTests(ServerTests):
    """
    The base of the tests.
    """

    def setUp(self):
        self.router = Router()
        self.log = []

    def application(self, name):
        """
        @return: an application that writes down its name, the chosen subprotocol, and
            the two halves of the path; and accepts.
        """
        return partial(self.answer, name)

    def answer(self, name, request):
        self.log.append((name, request.protocol, request.prepath, request.postpath))
        request.accept(Echo())

    def mount(self, *mounts, router=None):
        """
        Mount applications that are named like their mount.
        """
        for path, protocol in mounts:
            name = f"{path} {protocol}"
            (router or self.router).mount(path, protocol, self.application(name))

    def ask(self, target, protocols=""):
        """
        Have a request come in.

        @return: what was written down of it; a status for one that was refused.
        """
        self.serve(self.router)
        self.log.clear()
        fields = [f"Sec-WebSocket-Protocol: {protocols}"] if protocols else []
        peer = self.connect(handshake(*fields, line=f"GET {target} HTTP/1.1"))
        status = int(peer.take().split(b" ")[1])
        if status != 101:
            self.assertEqual(self.log, [])
            return status
        (entry,) = self.log
        return entry

    def name(self, target, protocols=""):
        """
        @return: only the name of the application that was asked, or the status.
        """
        answer = self.ask(target, protocols)
        return answer if isinstance(answer, int) else answer[0]


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
            ("/d", "/d *"),
            ("/d/", "/d/ *"),
            ("/?a", "/ *"),
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

    def test_hostilePaths(self):
        """
        No path is too strange to be answered 404.
        """
        self.mount(("/a", "*"))
        for target in ("/" * 4000, "/a" * 2000, "/%2f%00%ff%zz", "/" + "%41" * 2000):
            self.assertEqual(self.name(target), 404, target[:20])


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


class MountTests(RouterTests):
    """
    Mounting and unmounting.
    """

    def test_twice(self):
        """
        One application for a path and a subprotocol, in any case or encoding.
        """
        pairs = [("/a", "p"), ("/a", None), ("/a", "*"), ("*", "*"), ("/a/*", "*")]
        self.mount(*pairs, ("/caf\xe9", "p"))
        for path, protocol in [*pairs, ("/a", "P"), ("/caf%C3%A9", "p")]:
            with self.assertRaisesRegex(ValueError, "there is an application at"):
                self.router.mount(path, protocol, Echo)
        self.assertEqual(self.name("/a", "p"), "/a p")

    def test_badPaths(self):
        """
        A path begins with a slash, and only its end can be a wildcard.
        """
        for path in ("", "a", "a/*", "./a", "http://a/", "**", "*/a"):
            with self.assertRaisesRegex(ValueError, "a path begins with"):
                self.router.mount(path, "*", Echo)
        for path in ("/*/a", "/a/*/b", "/*/*"):
            with self.assertRaisesRegex(ValueError, "only the end of a path"):
                self.router.mount(path, "*", Echo)
        for path in ("a", "/*/a"):
            self.assertRaises(ValueError, self.router.unmount, path, "*")

    def test_badApplications(self):
        """
        What is no application cannot be mounted.
        """
        for application in (None, 5, Echo(), object):
            self.assertRaises(TypeError, self.router.mount, "/a", "*", application)
        self.assertEqual(self.name("/a"), 404)
        self.router.mount("/a", "*", Echo)

    def test_unmount(self):
        """
        What was mounted can be unmounted, and mounted again.
        """
        for path, protocol, target, asked in [
            ("/a", "p", "/a", "p"),
            ("/a", None, "/a", ""),
            ("/a/b", "*", "/a/b", "x"),
            ("/a/*", "*", "/a/x", ""),
            ("*", "P", "/x", "p"),
        ]:
            self.mount((path, protocol))
            self.assertEqual(self.name(target, asked), f"{path} {protocol}")
            self.router.unmount(path, protocol)
            self.assertEqual(self.name(target, asked), 404)
            self.mount((path, protocol))
            self.assertEqual(self.name(target, asked), f"{path} {protocol}")
            self.router.unmount(path, protocol)

    def test_unmountAnother(self):
        """
        What was not mounted cannot be unmounted; nothing else is touched.
        """
        self.mount(("/a", "p"))
        for path, protocol in [
            ("/a", "q"),
            ("/a", None),
            ("/a", "*"),
            ("/b", "p"),
            ("/a/b", "p"),
            ("/a/*", "p"),
            ("*", "p"),
            ("/x/y/z", "p"),
        ]:
            with self.assertRaisesRegex(ValueError, "there is no application at"):
                self.router.unmount(path, protocol)
        self.router.putChild(b"x", Router())
        self.assertEqual(self.name("/a", "p"), "/a p")
        self.router.unmount("/a", "P")
        self.assertEqual(self.name("/a", "p"), 404)

    def test_liveConnections(self):
        """
        Unmounting leaves open connections alone.
        """
        self.router.mount("/a", "*", Echo)
        self.serve(self.router)
        peer = self.connect(handshake(line="GET /a HTTP/1.1"))
        self.router.unmount("/a", "*")
        self.server.flush()
        self.assertIsNone(peer.lost)
        self.assertEqual(len(self.server.factory.connections), 1)

    def test_refusal(self):
        """
        What nothing is mounted for is answered 404, and logged as no failure.
        """
        self.serve(self.router)
        peer = self.connect(handshake())
        received = peer.take()
        self.assertTrue(received.startswith(b"HTTP/1.1 404 Not Found\r\n"))
        self.assertTrue(received.endswith(b"\r\n\r\nnothing is mounted here\n"))
        self.assertQuiet()


class TreeTests(RouterTests):
    """
    Routers in routers.
    """

    def test_interface(self):
        """
        A Router is an C{IWebSocketResource}.
        """
        self.assertTrue(verifyObject(IWebSocketResource, self.router))

    def test_mountedBelow(self):
        """
        A Router at C{"/api/*"} is asked for what is left of the path.
        """
        inner = Router()
        self.mount(("/v1/chat", "p"), ("*", "q"), router=inner)
        self.router.mount("/api/*", "*", inner)
        self.assertEqual(
            self.ask("/api/v1/chat", "p"),
            ("/v1/chat p", "p", [b"api", b"v1", b"chat"], []),
        )
        self.assertEqual(
            self.ask("/api/x/y", "q"), ("* q", "q", [b"api"], [b"x", b"y"])
        )
        self.assertEqual(self.name("/api/v1/chat", "r"), 404)
        self.assertEqual(self.name("/v1/chat", "p"), 404)

    def test_mountedAt(self):
        """
        A Router at C{"/api"} is asked for its C{"/"} there.
        """
        inner = Router()
        self.mount(("/", "*"), ("/x", "*"), router=inner)
        self.router.mount("/api", "*", inner)
        self.assertEqual(self.ask("/api"), ("/ *", None, [b"api"], []))
        self.assertEqual(self.name("/api/x"), 404)

    def test_child(self):
        """
        A Router that is put into another is a part of its tree, for all that is below.
        """
        inner = Router()
        self.mount(("/x", "*"), ("/", "*"), router=inner)
        self.mount(("*", "*"))
        self.router.putChild(b"api", inner)
        self.assertEqual(self.ask("/api/x"), ("/x *", None, [b"api", b"x"], []))
        self.assertEqual(self.name("/api/"), "/ *")
        self.assertEqual(self.name("/api"), "/ *")
        self.assertEqual(self.ask("/api/y"), ("* *", None, [], [b"api", b"y"]))
        self.assertEqual(self.name("/x"), "* *")

    def test_mountThroughAChild(self):
        """
        Mounting below a child mounts in it.
        """
        inner = Router()
        self.router.putChild(b"api", inner)
        self.mount(("/api/x", "*"))
        self.assertEqual(self.name("/api/x"), "/api/x *")
        inner.unmount("/x", "*")
        self.assertEqual(self.name("/api/x"), 404)

    def test_childTwice(self):
        """
        A segment has one child.
        """
        self.router.putChild(b"a", Router())
        self.assertRaises(ValueError, self.router.putChild, b"a", Router())
        self.mount(("/b/c", "*"))
        self.assertRaises(ValueError, self.router.putChild, b"b", Router())

    def test_childThatIsAnApplication(self):
        """
        A child may be an application; it finds the rest of the path in C{postpath}.
        """
        self.router.putChild(b"room", self.application("room"))
        self.assertEqual(self.ask("/room"), ("room", None, [b"room"], []))
        self.assertEqual(self.ask("/room/1/2"), ("room", None, [b"room"], [b"1", b"2"]))
        with self.assertRaisesRegex(ValueError, "not a Router"):
            self.router.mount("/room/1", "*", Echo)

    def test_getChild(self):
        """
        A subclass may make children as they are asked for; those that were put go
        first.
        """
        asked = []
        test = self

        class Rooms(Router):
            def getChild(self, name, request):
                asked.append((name, request.resource))
                return None if name == b"closed" else test.application(name.decode())

        self.router.putChild(b"rooms", Rooms())
        self.mount(("/rooms/lobby", "*"))
        self.assertEqual(
            self.ask("/rooms/blue/1"), ("blue", None, [b"rooms", b"blue"], [b"1"])
        )
        self.assertEqual(self.name("/rooms/lobby"), "/rooms/lobby *")
        self.assertEqual(self.name("/rooms/closed"), 404)
        self.assertEqual(
            asked, [(b"blue", "/rooms/blue/1"), (b"closed", "/rooms/closed")]
        )

    def test_getChildThatFails(self):
        """
        A C{getChild} that fails is an application that fails.
        """

        class Broken(Router):
            def getChild(self, name, request):
                raise RuntimeError("on purpose")

        self.router = Broken()
        self.assertEqual(self.name("/a"), 500)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_getChildWithDefault(self):
        """
        Children are found by their decoded name; there may be none.
        """
        inner = Router()
        self.router.putChild(b"a", inner)
        self.assertIs(self.router.getChildWithDefault(b"a", None), inner)
        self.assertIsNone(self.router.getChildWithDefault(b"b", None))

    def test_resourceOfSomeoneElse(self):
        """
        An C{IWebSocketResource} that is no Router is a node of the tree: it is walked
        until the path or its C{isLeaf} ends it.
        """
        test = self

        @implementer(IWebSocketResource)
        class Node:
            def __init__(self, name, isLeaf, child=None):
                self.name, self.isLeaf, self.child = name, isLeaf, child

            def getChildWithDefault(self, name, request):
                return self.child

            def putChild(self, name, child):
                raise NotImplementedError

            def requestReceived(self, request):
                test.answer(self.name, request)

        leaf = Node("leaf", True)
        self.router.putChild(b"tree", Node("tree", False, leaf))
        self.router.putChild(b"leaf", leaf)
        self.assertEqual(self.ask("/leaf/a"), ("leaf", None, [b"leaf"], [b"a"]))
        self.assertEqual(self.ask("/tree"), ("tree", None, [b"tree"], []))
        self.assertEqual(self.ask("/tree/a/b"), ("leaf", None, [b"tree", b"a"], [b"b"]))


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


class IsolationTests(SynchronousTestCase):
    """
    Routers share nothing.
    """

    def test_twoRouters(self):
        """
        A mount in one is not in another.
        """
        one, other = Router(), Router()
        one.mount("/a", "*", Echo)
        other.mount("/a", "*", Echo)
        one.unmount("/a", "*")
        other.unmount("/a", "*")
