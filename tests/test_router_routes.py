# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What a Router tells of its mounts: L{Router.routes}.
"""

import re

from twisted_ws import Router, Steps
from twisted_ws.router import Route

from .handshakes import Echo
from .routers import RouterTests


class RoutesTests(RouterTests):
    """
    L{Router.routes}.
    """

    def routes(self):
        """
        @return: the paths and subprotocols of all routes.
        """
        return sorted((r.path, str(r.protocol)) for r in self.router.routes())

    def test_everyShape(self):
        """
        Every mount is told, as it was mounted.
        """
        mounts = [
            ("/", "*"),
            ("/a/b", "Chat.V1"),
            ("/a/b", None),
            ("/a/", "*"),
            ("/caf%C3%A9/100%25", "p"),
            ("/{a}/{b:int}/c", "*"),
            ("/{other}/x", "*"),
            ("/f/{rest:path}", "*"),
            ("/g/*", "p"),
            ("/*", "p"),
            ("*", "q"),
        ]
        self.mount(*mounts)
        pattern = re.compile("^/x/*$")
        self.router.mount(pattern, "*", Echo)
        self.assertEqual(
            set(self.routes()),
            {(path, str(protocol)) for path, protocol in [*mounts, ("~^/x/*$", "*")]},
        )
        self.assertIn(Route("~^/x/*$", "*", Echo), list(self.router.routes()))

    def test_nested(self):
        """
        Those of the Routers in it are told where they are; each with the one
        subprotocol by which it can be reached.
        """
        inner, child = Router(), Router()
        inner.mount("/x/{n:int}", "*", Echo)
        inner.mount("/", "p", Echo)
        inner.mount("*", "q", Echo)
        inner.mount(re.compile("^/y"), None, Echo)
        child.mount("/", "*", Echo)
        child.mount("*", "p", Echo)
        child.putChild(b"a*{b}/c", Echo)
        self.router.mount("/api/*", "*", inner)
        self.router.mount("/v2/{a}/{rest:path}", "P", Steps([], inner))
        self.router.putChild(b"child", child)
        self.router.putChild(b"steps", Steps([], child))
        self.mount(("/child/z", "*"))
        self.assertEqual(
            self.routes(),
            sorted(
                [
                    ("/api/x/{n:int}", "*"),
                    ("/api/", "p"),
                    ("/api/*", "q"),
                    ("/api~^/y", "None"),
                    ("/v2/{a}/x/{n:int}", "P"),
                    ("/v2/{a}/", "P"),
                    *(
                        (f"/{name}{path}", protocol)
                        for name in ("child", "steps")
                        for path, protocol in [
                            ("/", "*"),
                            ("/*", "p"),
                            ("/a%2A%7Bb%7D%2Fc", "*"),
                            ("/z", "*"),
                        ]
                    ),
                ]
            ),
        )

    def test_everywhere(self):
        """
        A Router at C{"*"} has its own paths.
        """
        inner = Router()
        inner.mount("/a", "p", Echo)
        inner.mount("*", "q", Echo)
        self.router.mount("*", "*", inner)
        self.assertEqual(self.routes(), [("*", "q"), ("/a", "p")])

    def test_notExpanded(self):
        """
        A Router that sees nothing below it is told as what it is.
        """
        inner = Router()
        inner.mount("/a", "*", Echo)
        pattern = re.compile("^/b/*")
        self.router.mount("/at", "*", inner)
        self.router.mount(pattern, "*", inner)
        self.assertEqual(
            sorted(self.router.routes()),
            [Route("/at", "*", inner), Route("~^/b/*", "*", inner)],
        )

    def test_canBeMounted(self):
        """
        What is told of paths can be mounted in an empty Router, which then tells the
        same.
        """
        inner = Router()
        inner.mount("/x/{n:int}", "*", Echo)
        inner.mount("*", "q", Echo)
        inner.putChild(b"*", Echo)
        self.router.mount("/{a:uuid}/*", "*", inner)
        self.router.putChild(b"{b}%2F/", inner)
        routes = list(self.router.routes())
        copy = Router()
        for route in routes:
            copy.mount(*route)
        self.assertEqual(sorted(copy.routes(), key=str), sorted(routes, key=str))

    def test_mountsMeanwhile(self):
        """
        Going over the routes is not disturbed by who mounts and unmounts.
        """
        self.mount(("/a", "*"), ("/b", "*"), ("/c", "*"))
        seen = []
        for route in self.router.routes():
            seen.append(route.path)
            self.router.unmount(route.path, "*")
            self.mount((f"{route.path}/x", "*"))
        self.assertEqual(seen, ["/a", "/b", "/c"])
