# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What can be mounted and unmounted, and how what is not is refused:
L{twisted_ws.Router}.
"""

import re

from twisted.logger import LogLevel, capturedLogs, formatEvent

from twisted_ws import Router

from .handshakes import Echo, handshake
from .routers import RouterTests


class MountTests(RouterTests):
    """
    Mounting and unmounting.
    """

    places = [
        # what is mounted, a request for it
        ("/a", "p", "/a", "p"),
        ("/a", None, "/a", ""),
        ("/a/b", "*", "/a/b", "x"),
        ("/", "*", "/", ""),
        ("/a/*", "*", "/a/x", ""),
        ("/*", "*", "/x", ""),
        ("*", "P", "/x", "p"),
        ("/{a}", "*", "/x", ""),
        ("/a/{b:int}/c", "p", "/a/1/c", "p"),
        ("/a/{b}/{c:path}", "*", "/a/1/c/d", ""),
        (re.compile("^/a/[0-9]+$"), "p", "/a/1", "p"),
    ]

    def test_twice(self):
        """
        One application for a path and a subprotocol, in any case or encoding, whatever
        parameters are called.
        """
        pairs = [(path, protocol) for path, protocol, _, _ in self.places]
        self.mount(*pairs, ("/caf\xe9", "p"))
        again = [
            ("/a", "P"),
            ("/caf%C3%A9", "p"),
            ("/{other}", "*"),
            ("/a/{x:int}/c", "p"),
            ("/a/{b}/*", "*"),
            (re.compile("^/a/[0-9]+$"), "P"),
        ]
        for path, protocol in [*pairs, *again]:
            with self.assertRaisesRegex(ValueError, "there is an application at") as e:
                self.router.mount(path, protocol, Echo)
            self.assertIn(repr(path), str(e.exception))
        self.assertEqual(self.name("/a", "p"), "/a p")

    def test_others(self):
        """
        What differs in a subprotocol, a kind, a flag or a slash is another mount.
        """
        self.mount(("/a", "p"), ("/a", "q"), ("/a", None), ("/a", "*"), ("/a/", "p"))
        self.mount(("/{a}", "p"), ("/{a:int}", "p"), ("/{a:uuid}", "p"), ("/*", "p"))
        self.mount((re.compile("a"), "p"), (re.compile("a", re.I), "p"), ("*", "p"))
        self.assertEqual(len(list(self.router.routes())), 12)

    def test_badPaths(self):
        """
        A path begins with a slash, only its end can be a wildcard, and it has no query.
        """
        for message, paths in [
            ("a path begins with", ["", "a", "a/*", "./a", "http://a/", "**", "*/a"]),
            ("only the end of a path", ["/*/a", "/a/*/b", "/*/*", "/{a:path}/b"]),
            ("queries do not count", ["/a?b", "/?"]),
            ("is no parameter", ["/{", "/a{b}", "/{b}c", "/{1}", "/{a-b}", "/{a:}"]),
            ("there are int, uuid, str, path", ["/{a:float}", "/{a:any}"]),
            ("the same name", ["/{a}/{a}", "/{a:int}/b/{a:path}"]),
        ]:
            for path in paths:
                with self.assertRaisesRegex(ValueError, message):
                    self.router.mount(path, "*", Echo)
                self.assertRaises(ValueError, self.router.unmount, path, "*")
        for path in (None, 5, b"/a", re.compile(b"/a"), ["/a"], object()):
            with self.assertRaisesRegex(TypeError, "a path is a string"):
                self.router.mount(path, "*", Echo)
            self.assertRaises(TypeError, self.router.unmount, path, "*")
        self.assertEqual(list(self.router.routes()), [])

    def test_badProtocols(self):
        """
        A subprotocol is something that a client can ask for.
        """
        for protocol in ("", "a b", "a,b", "caf\xe9", "a\r\n", "a/b"):
            with self.assertRaisesRegex(ValueError, "a protocol is not a token"):
                self.router.mount("/a", protocol, Echo)
            self.assertRaises(ValueError, self.router.unmount, "/a", protocol)
        for protocol in (5, b"chat", ["chat"], ("a", "b"), True):
            with self.assertRaisesRegex(TypeError, "a protocol is a string or None"):
                self.router.mount("/a", protocol, Echo)
            self.assertRaises(TypeError, self.router.unmount, "/a", protocol)
        self.assertEqual(list(self.router.routes()), [])

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
        What was mounted can be unmounted, and mounted again, and nothing is left of it.
        """
        for path, protocol, target, asked in self.places:
            if isinstance(path, re.Pattern):
                # Equal in text and flags, not the same.
                re.purge()
                path = re.compile(path.pattern)
            for _ in range(2):
                self.mount((path, protocol))
                name = f"{getattr(path, 'pattern', path)} {protocol}"
                self.assertEqual(self.name(target, asked), name)
                self.router.unmount(path, protocol)
                self.assertEqual(self.name(target, asked), 404, path)
        self.assertEqual(list(self.router.routes()), [])
        self.assertEqual(self.router._tree.children, {})
        self.assertEqual(self.router._tree.patterns, {})
        self.router.putChild(b"a", Router())

    def test_unmountAnother(self):
        """
        What was not mounted cannot be unmounted; nothing else is touched.
        """
        places = [(path, protocol) for path, protocol, _, _ in self.places]
        for path, protocol in places:
            with self.assertRaisesRegex(ValueError, "there is no application at") as e:
                self.router.unmount(path, protocol)
            self.assertIn(repr(path), str(e.exception))
        self.mount(("/a/b", "p"), ("/a", "p"))
        for path, protocol in [
            ("/a", "q"),
            ("/a", None),
            ("/a", "*"),
            ("/b", "p"),
            ("/a/c", "p"),
            ("/a/*", "p"),
            ("/{a}", "p"),
            ("*", "p"),
            ("/x/y/z", "p"),
            (re.compile("/a"), "p"),
        ]:
            with self.assertRaisesRegex(ValueError, "there is no application at"):
                self.router.unmount(path, protocol)
        self.router.putChild(b"x", Router())
        self.assertEqual(self.name("/a", "p"), "/a p")
        self.router.unmount("/a", "P")
        self.assertEqual(self.name("/a", "p"), 404)
        self.assertEqual(self.name("/a/b", "p"), "/a/b p")

    def test_unmountAbove(self):
        """
        To unmount leaves what is mounted below, beside and for others alone.
        """
        self.mount(("/a", "p"), ("/a", "q"), ("/a/b", "p"), ("/a/{x}", "p"))
        self.router.unmount("/a", "p")
        self.check([("/a", "p", 404), ("/a", "q", "/a q"), ("/a/b", "p", "/a/b p")])
        self.router.unmount("/a/b", "p")
        self.check([("/a", "q", "/a q"), ("/a/b", "p", "/a/{x} p")])

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

    def test_twoRouters(self):
        """
        Routers share nothing.
        """
        one, other = Router(), Router()
        one.mount("/a", "*", Echo)
        other.mount("/a", "*", Echo)
        one.unmount("/a", "*")
        other.unmount("/a", "*")


class RefusalTests(RouterTests):
    """
    Requests that nothing is mounted for.
    """

    nothing = b"nothing is mounted at this path\n"
    another = (
        b"what is mounted at this path speaks none of the subprotocols asked for\n"
    )
    none = b"what is mounted at this path wants to be asked for a subprotocol\n"

    def test_reasons(self):
        """
        The answer is 404, and says whether it is the path or the subprotocol; never
        what there is.
        """
        self.mount(("/secret", "hidden"), ("/{x}/secret", "hidden"), ("/w/*", "hidden"))
        self.mount((re.compile("^/pattern"), "hidden"))
        child = Router()
        self.mount(("/secret", "hidden"), router=child)
        self.router.putChild(b"child", child)
        for target, protocols, body in [
            ("/", "", self.nothing),
            ("/other", "hidden", self.nothing),
            ("/secret/", "hidden", self.nothing),
            ("/secret", "other", self.another),
            ("/secret", "", self.none),
            ("/1/secret", "other", self.another),
            ("/1/other", "other", self.nothing),
            ("/w/1", "", self.none),
            ("/w", "", self.nothing),
            ("/pattern", "a, b", self.another),
            ("/child/secret", "other", self.another),
            ("/child/other", "hidden", self.nothing),
            ("/child", "hidden", self.nothing),
        ]:
            received = self.request(target, protocols).take()
            self.assertTrue(received.startswith(b"HTTP/1.1 404 Not Found\r\n"), target)
            self.assertEqual(received.partition(b"\r\n\r\n")[2], body, target)
            self.assertNotIn(b"hidden", received)
            self.assertQuiet()

    def test_logged(self):
        """
        There is one line in the log, at level info: who asked for what, and why it was
        refused.  Neither the query nor the subprotocols are in it: pages show tokens in
        them, for want of header fields.
        """
        self.mount(("/a", "p"))
        with capturedLogs() as events:
            self.request("/a", "q, secret")
            self.request("/b?token=secret")
        self.assertEqual([e["log_level"] for e in events], [LogLevel.info] * 2)
        lines = [formatEvent(event) for event in events]
        for word in ("'/a'", "192.0.2.1", self.another.decode().strip()):
            self.assertIn(word, lines[0])
        for word in ("'/b'", "192.0.2.1", self.nothing.decode().strip()):
            self.assertIn(word, lines[1])
        self.assertNotIn("secret", "".join(lines))

    def test_loggedHostile(self):
        """
        What the client sent is cut, and cannot make up lines of its own.
        """
        with capturedLogs() as events:
            self.request("/{peer}%s%0A%0D" + "a" * 4000, "p%s")
            self.request("/a", ", ".join(f"p{n}" for n in range(400)))
        for event in events:
            self.assertLess(len(formatEvent(event)), 600)
            self.assertNotIn("\n", formatEvent(event))
        self.assertIn("/{peer}%s", formatEvent(events[0]))
