# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What is touched of Twisted without being documented: L{twisted_ws._channel}.

Each test has the name of what it holds Twisted to, so that a Twisted that changes it
fails by that name.
"""

from __future__ import annotations

import ast
import re
from importlib import import_module
from io import BytesIO
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import HTTPChannel, HTTPFactory, Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

import twisted_ws
from twisted_ws._channel import TOUCHED

SLOW = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Slow(Resource):
    """
    Answers no request.
    """

    isLeaf = True

    def render(self, request: Any) -> int:
        """
        Keep the request.
        """
        self.request = request
        return NOT_DONE_YET


class TouchedTests(SynchronousTestCase):
    """
    A Site in memory, that is handling a request.
    """

    def setUp(self) -> None:
        """
        Send it one.
        """
        self.clock = Clock()
        self.root = Slow()
        self.logged: list[Any] = []
        site = Site(self.root, reactor=self.clock)
        site.log = self.logged.append  # type: ignore[method-assign]
        self.protocol = site.buildProtocol(None)
        self.transport = StringTransport()
        self.protocol.makeConnection(self.transport)
        self.protocol.dataReceived(SLOW)
        self.channel = self.root.request.channel

    def test_everyName(self) -> None:
        """
        Every name has a test here.
        """
        tested = {name[len("test_") :] for name in dir(self) if name.startswith("test")}
        for name in TOUCHED:
            self.assertIn(name.replace(".", "_"), tested)

    def test_HTTPChannel__dataBuffer(self) -> None:
        """
        It is a list of the bytes that came while a request is being handled.
        """
        self.assertEqual(self.channel._dataBuffer, [])
        self.protocol.dataReceived(b"be")
        self.protocol.dataReceived(b"hind")
        self.assertEqual(self.channel._dataBuffer, [b"be", b"hind"])

    def test_HTTPChannel_requests(self) -> None:
        """
        It is a list of the requests that are being handled.
        """
        self.assertEqual(self.channel.requests, [self.root.request])
        self.root.request.finish()
        self.assertEqual(self.channel.requests, [])

    def test_HTTPChannel_dataReceived(self) -> None:
        """
        Once it is set on the instance, that is what the transport's bytes go to.
        """
        received: list[bytes] = []
        self.channel.dataReceived = received.append
        self.protocol.dataReceived(b"bytes")
        self.assertEqual(received, [b"bytes"])
        del self.channel.dataReceived

    def test_HTTPChannel_connectionLost(self) -> None:
        """
        Once it is set on the instance, that is what is told of the end.
        """
        lost: list[Failure] = []
        reason = Failure(ConnectionError())
        self.channel.connectionLost = lost.append
        self.protocol.connectionLost(reason)
        self.assertEqual(lost, [reason])
        del self.channel.connectionLost

    def test_HTTPChannel_clearLineBuffer(self) -> None:
        """
        It takes the bytes out that were not read when a request was handled at once.
        """
        taken: list[bytes] = []

        def render(request: Any) -> int:
            taken.append(request.channel.clearLineBuffer())
            return NOT_DONE_YET

        self.root.request.finish()
        self.root.render = render  # type: ignore[method-assign]
        self.protocol.dataReceived(SLOW + b"behind")
        self.assertEqual(taken, [b"behind"])

    def test_HTTPChannel_setTimeout(self) -> None:
        """
        It ends the idle timeout, which begins anew behind a response.
        """
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.root.request.finish()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.channel.setTimeout(None)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_HTTPChannel_transport(self) -> None:
        """
        It is the transport, whose only producer is the channel.
        """
        self.assertIs(self.channel.transport, self.transport)
        self.assertIs(self.transport.producer, self.channel)
        self.transport.unregisterProducer()
        self.assertIsNone(self.transport.producer)

    def test_HTTPChannel_factory(self) -> None:
        """
        It is what logs a request; or C{None}.
        """
        self.assertIsNone(HTTPChannel().factory)
        self.channel.factory.log(self.root.request)
        self.assertEqual(self.logged, [self.root.request])

    def test_HTTPFactory_log(self) -> None:
        """
        It writes one line into the access log.
        """
        factory = HTTPFactory(reactor=self.clock)
        self.assertIsNone(factory.log(self.root.request))

    def test_Request_channel(self) -> None:
        """
        It is the channel, and can be taken away.
        """
        self.assertIsInstance(self.channel, HTTPChannel)
        self.root.request.channel = None

    def test_Request_code(self) -> None:
        """
        It is the status.
        """
        self.assertEqual(self.root.request.code, 200)

    def test_Request_content(self) -> None:
        """
        It is a file of the body, that can be closed.
        """
        self.assertIsInstance(self.root.request.content, BytesIO)
        self.root.request.content.close()

    def test_Request_notifications(self) -> None:
        """
        It is a list of the Deferreds of C{notifyFinish}.
        """
        request = Request(self.channel)
        self.assertEqual(request.notifications, [])
        waiting = request.notifyFinish()
        self.assertEqual(request.notifications, [waiting])


OWN = re.compile(r"_[a-z]")


def foreignPrivates(tree: ast.AST) -> set[str]:
    """
    @return: the private attributes that a module uses of what is not its own: of
        anything but C{self}, C{cls}, and names of the class or module.
    """
    defined = {
        name
        for node in ast.walk(tree)
        for name in (
            [node.name]
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
            else [node.attr]
            if isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and isinstance(node.value, ast.Name)
            and node.value.id == "self"
            else [node.id]
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            else []
        )
    }
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and OWN.match(node.attr)
        and node.attr not in defined
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
        and not (
            isinstance(node.value, ast.Call)
            and isinstance(node.value.func, ast.Name)
            and node.value.func.id == "super"
        )
    }


def privateOverrides(module: Any) -> set[str]:
    """
    @return: the private names of classes of Twisted's that classes of C{module} define
        anew.
    """
    found = set()
    for kind in vars(module).values():
        if not isinstance(kind, type) or kind.__module__ != module.__name__:
            continue
        for base in kind.__mro__[1:]:
            if base.__module__.startswith("twisted."):
                both = set(vars(kind)) & set(vars(base))
                found |= {f"{base.__name__}.{name}" for name in both if OWN.match(name)}
    return found


class OneFileTests(SynchronousTestCase):
    """
    The rest of the package.
    """

    def test_overrides(self) -> None:
        """
        No class has a private name of a base that is Twisted's, but for the one that
        Twisted documents to be overridden.
        """
        documented = {"HTTPFactory._openLogFile", "Site._openLogFile"}
        documented.add("Deferred._abc_impl")  # what L{abc} gives each class
        package = twisted_ws.__path__, "twisted_ws."
        for found in walk_packages(*package):
            module = import_module(found.name)
            self.assertLessEqual(privateOverrides(module), documented, found.name)

    def test_privates(self) -> None:
        """
        No other module than this, C{_context}, C{_buffered} and C{eager} uses a private
        attribute of what is not its own, but for the connection, which calls those of
        its base.
        """
        package = Path(twisted_ws.__file__).parent
        used = {}
        for path in package.rglob("*.py"):
            foreign = foreignPrivates(ast.parse(path.read_text()))
            foreign.discard("_replace")  # a public method of every NamedTuple
            if foreign:
                used[path.name] = foreign
        framers = used.pop("connection.py", set())
        self.assertLessEqual(framers, set(dir(twisted_ws.WebSocketConnection)))
        expected = {
            "_buffered.py": {"_appSendBuffer", "_tempDataLen"},
            "_channel.py": {"_dataBuffer"},
            "_context.py": {"_contextFactory"},
            "eager.py": {
                "_aggregator",
                "_appSendBuffer",
                "_buffer",
                "_handshakeDone",
                "_lostTLSConnection",
                "_tempDataLen",
            },
        }
        self.assertEqual(used, expected)
