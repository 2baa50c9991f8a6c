# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.service}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.trial.unittest import SynchronousTestCase

from twisted_ws import ServerConfig
from twisted_ws.service import WebSocketService
from twisted_ws.testing import MemoryServer, RecordingReceiver


class Port:
    """
    A listening port that stops when it is told to.
    """

    def __init__(self, events: list[str]) -> None:
        self.events = events

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "192.0.2.2", 80)

    def stopListening(self) -> Deferred[None]:
        self.events.append("stopped")
        return succeed(None)


class Endpoint:
    """
    An endpoint that answers what it is told to.
    """

    def __init__(self, answer: Callable[[], Deferred[Any]]) -> None:
        self.answer = answer
        self.factories: list[Any] = []

    def listen(self, factory: Any) -> Deferred[Any]:
        self.factories.append(factory)
        return self.answer()


class ServiceTests(SynchronousTestCase):
    """
    Listening and saying goodbye.
    """

    def setUp(self) -> None:
        self.events: list[str] = []
        self.server = MemoryServer(RecordingReceiver, ServerConfig(closeTimeout=3))
        self.port = Port(self.events)

    def endpoint(self) -> Endpoint:
        return Endpoint(lambda: succeed(self.port))

    def test_listens(self) -> None:
        """
        It listens on every endpoint with the factory, once.
        """
        endpoints = [self.endpoint(), self.endpoint()]
        service = WebSocketService(endpoints, self.server.factory)
        service.privilegedStartService()
        service.startService()
        for endpoint in endpoints:
            self.assertEqual(endpoint.factories, [self.server.factory])

    def test_startWithoutPrivileges(self) -> None:
        """
        C{startService} alone listens too.
        """
        endpoint = self.endpoint()
        WebSocketService([endpoint], self.server.factory).startService()
        self.assertEqual(len(endpoint.factories), 1)

    def test_site(self) -> None:
        """
        It listens with a site, if there is one.
        """
        endpoint, site = self.endpoint(), object()
        service = WebSocketService([endpoint], self.server.factory, site)
        service.startService()
        self.assertEqual(endpoint.factories, [site])

    def test_portInUse(self) -> None:
        """
        An endpoint that fails at once fails the start, and those that listen stop.
        """
        error = CannotListenError("", 80, OSError("in use"))
        endpoints = [self.endpoint(), Endpoint(lambda: fail(error))]
        service = WebSocketService(endpoints, self.server.factory)
        self.assertRaises(CannotListenError, service.privilegedStartService)
        self.assertEqual(self.events, ["stopped"])

    def test_lateFailure(self) -> None:
        """
        An endpoint that fails later is logged.
        """
        listening: Deferred[Any] = Deferred()
        service = WebSocketService([Endpoint(lambda: listening)], self.server.factory)
        service.startService()
        listening.errback(CannotListenError("", 80, OSError("in use")))
        self.assertEqual(len(self.flushLoggedErrors(CannotListenError)), 1)
        self.successResultOf(service.stopService())

    def test_stopWhileStarting(self) -> None:
        """
        An endpoint that does not listen yet is cancelled.
        """
        cancelled: list[object] = []
        listening: Deferred[Any] = Deferred(cancelled.append)
        service = WebSocketService([Endpoint(lambda: listening)], self.server.factory)
        service.startService()
        self.successResultOf(service.stopService())
        self.assertEqual(cancelled, [listening])

    def test_goodbye(self) -> None:
        """
        When it stops, it listens no more, every client gets 1001, and the Deferred
        fires when they are gone.
        """
        service = WebSocketService([self.endpoint()], self.server.factory)
        service.startService()
        clients = [RecordingReceiver() for _ in range(3)]
        for client in clients:
            self.successResultOf(self.server.connect("/", client))
        stopped = service.stopService()
        self.assertEqual(self.events, ["stopped"])
        self.assertNoResult(stopped)
        self.server.flush()
        self.successResultOf(stopped)
        self.assertEqual([client.reason.code for client in clients], [1001] * 3)
        self.assertEqual(self.server.clock.getDelayedCalls(), [])

    def test_silentClient(self) -> None:
        """
        A client that does not answer is dropped after C{closeTimeout}.
        """
        service = WebSocketService([self.endpoint()], self.server.factory)
        service.startService()
        self.successResultOf(self.server.connect("/"))
        _, carrier = self.server.carriers[0]
        stopped = service.stopService()
        carrier.other.pauseProducing()
        self.server.clock.advance(2.9)
        self.server.flush()
        self.assertNoResult(stopped)
        self.server.clock.advance(0.1)
        self.server.flush()
        self.successResultOf(stopped)
        self.assertEqual(self.server.factory.connections, set())
