# -*- test-case-name: tests.test_service -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A server as a service: listens while it runs, and says goodbye when it stops.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.logger import Logger
from twisted.python.failure import Failure

from .draining import Drained
from .protocol import WebSocketFactory


class WebSocketService(Service):
    """
    Serves a L{WebSocketFactory} on any number of endpoints.

    When it stops it listens no more, refuses requests without a verdict with 503, and
    closes all connections as C{drainTime} and C{drainCode} say; the Deferred of
    C{stopService} fires when they are gone, within C{drainTimeout} seconds.
    """

    _log = Logger()

    def __init__(
        self,
        endpoints: Sequence[IStreamServerEndpoint],
        factory: WebSocketFactory,
        site: IProtocolFactory | None = None,
    ) -> None:
        """
        @param endpoints: where to listen.
        @param factory: the server.
        @param site: what to listen with, if not the factory itself: a
            L{twisted.web.server.Site} that has it in a L{WebSocketResource
            <twisted_ws.WebSocketResource>}.
        """
        self._endpoints = list(endpoints)
        self._factory = factory
        self._site: Any = factory if site is None else site
        self._ports: list[Deferred[IListeningPort | None]] = []

    def privilegedStartService(self) -> None:
        """
        Listen.

        @raise Exception: what an endpoint fails with, if it fails at once, as when
            its port is in use; those that listen already are stopped again.
        """
        Service.privilegedStartService(self)
        for endpoint in self._endpoints:
            listening: Deferred[Any] = endpoint.listen(self._site)
            self._ports.append(listening)
            failures: list[Failure] = []
            listening.addCallbacks(self._listens, failures.append)
            if failures:
                self._stopListening()
                failures[0].raiseException()
            listening.addCallback(self._reportFailure, failures)

    def _listens(self, port: IListeningPort) -> IListeningPort:
        self._log.info("WebSockets at {address}", address=port.getHost())
        return port

    def _reportFailure(self, port: Any, failures: list[Failure]) -> Any:
        """
        An endpoint may also fail later, with nobody to raise it to.
        """
        for failure in failures:
            if not failure.check(CancelledError):
                self._log.failure("cannot listen", failure)
        return port

    def startService(self) -> None:
        """
        Listen, if C{privilegedStartService} did not.
        """
        Service.startService(self)
        if not self._ports:
            self.privilegedStartService()

    def _stopListening(self) -> Deferred[Any]:
        ports, self._ports = self._ports, []
        for port in ports:
            port.cancel()
            port.addCallback(
                lambda port: None if port is None else port.stopListening()
            )
        return DeferredList(ports)

    def stopService(self) -> Deferred[Any]:
        """
        Say goodbye.

        @return: a Deferred that fires with L{Drained<twisted_ws.draining.Drained>} when
            all connections are gone.
        """
        Service.stopService(self)
        connected = len(self._factory.connections)
        if connected:
            self._log.info("closing {count} WebSockets", count=connected)
        drained = self._factory.drain()
        drained.addCallback(self._report)
        stopped = DeferredList([self._stopListening(), drained])
        return stopped.addCallback(lambda results: results[1][1])

    def _report(self, drained: Drained) -> Drained:
        if any(drained):
            self._log.info(
                "{cleanly} WebSockets were closed, {abruptly} were lost or aborted,"
                " {refused} requests were refused",
                cleanly=drained.cleanly,
                abruptly=drained.abruptly,
                refused=drained.refused,
            )
        return drained
