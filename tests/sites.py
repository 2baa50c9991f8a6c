# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
For the tests of what runs inside L{twisted.web}: a Site in memory.
"""

import re
from io import StringIO

from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import Data

from twisted_ws import WebSocketResource

from .handshakes import ServerTests, handshake

PAGE = b"GET /page HTTP/1.1\r\nHost: example.com\r\n\r\n"
STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3}) ")


def get(target, method="GET", *fields):
    """
    Make a request that is for no WebSocket.
    """
    lines = [f"{method} {target} HTTP/1.1", "Host: example.com", *fields, "", ""]
    return "\r\n".join(lines).encode()


def upgrade(target, *fields):
    """
    Make a handshake for a path.
    """
    return handshake(*fields, line=f"GET {target} HTTP/1.1")


class SiteTests(ServerTests):
    """
    The base of the tests: a Site with a page at C{/page} and a C{WebSocketResource} at
    C{/ws} and C{/deep/er/ws}.
    """

    def serve(self, application=None, fallback=None, atRoot=False, **options):
        """
        Start a Site, on the clock of C{self.server}.
        """
        ServerTests.serve(self, application, **options)
        self.factory = self.server.factory
        self.resource = WebSocketResource(self.factory, fallback)
        root = Resource()
        root.putChild(b"page", Data(b"a page", "text/plain"))
        root.putChild(b"ws", self.resource)
        root.putChild(b"deep", Resource())
        root.children[b"deep"].putChild(b"er", Resource())
        root.children[b"deep"].children[b"er"].putChild(b"ws", self.resource)
        self.site = Site(self.resource if atRoot else root, reactor=self.clock)
        self.log = StringIO()
        self.site.logFile = self.log
        # What is connected to the server is connected to the Site.
        self.server.factory = self.site
        return self.server

    def channel(self):
        """
        @return: the C{HTTPChannel} of the newest connection.
        """
        return self.protocol()._channel

    def statuses(self, peer):
        """
        @return: the statuses of all that a peer was answered.
        """
        return [int(status) for status in STATUS.findall(peer.take())]

    def body(self, *segments):
        """
        @return: the body of the only response to a request.
        """
        received = self.connect(*segments).take()
        self.assertEqual(len(STATUS.findall(received)), 1, received)
        return received.partition(b"\r\n\r\n")[2]

    def assertQuiet(self):
        """
        Check that nothing is left to happen.
        """
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.factory.connections, set())
        self.assertEqual(self.factory.pendingRequests, set())
