# -*- test-case-name: tests.test_assembly -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
From what was declared to what serves it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import fields
from ipaddress import ip_address
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IListeningPort,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.python import reflect
from twisted.web.resource import IResource

from ..application import checkApplication
from ..certificates import ServerCertificates
from ..demo import makeDemo
from ..descriptors import raiseDescriptors
from ..limits import LimitConnections
from ..protocol import WebSocketFactory
from ..rates import RateLimit
from ..resource import WebSocketResource
from ..router import Router
from ..service import WebSocketService
from ..steps import AllowOrigins, Step, Steps
from .declaration import Declaration, Listener, Mount
from .faults import Faults
from .logfile import LogFile
from .website import Files, LoggingSite

_BACKLOG = 1024
"""
Connections that may wait to be accepted.
"""


class Assembly:
    """
    A server that can be started: all that its declaration names was found.

    @ivar declaration: what was declared.
    @ivar router: the applications.
    @ivar endpoints: where it will listen.
    """

    def __init__(self, declaration: Declaration, faults: Faults, reactor: Any) -> None:
        """
        Import the applications, make the endpoints, read the certificates, look for
        the directories.  Nothing is listened on, and no file is written.

        @param faults: gets what is wrong; this is of no use then.
        """
        self.declaration = declaration
        self._reactor = reactor
        self._clock = IReactorTime(reactor)
        self._page: IResource | None = None
        if declaration.mount is None:
            self.router, self._page = makeDemo(self._clock)
        else:
            self.router = _route(declaration.mount, faults)
        if declaration.web is not None:
            with faults.at("web"):
                os.scandir(declaration.web).close()
                self._page = Files(declaration.web)
        self.endpoints: list[IStreamServerEndpoint] = []
        for index, listener in enumerate(declaration.listen):
            with faults.at("listen", index):
                self.endpoints.append(_makeEndpoint(listener, reactor))
        for key in ("access", "file"):
            with faults.at("logging", key):
                _checkPlace(getattr(declaration.logging, key))

    def makeService(self) -> DeclaredService:
        """
        @return: the service, ready to be started.
        """
        declaration = self.declaration
        access = declaration.logging.access
        factory = WebSocketFactory(self.router, declaration.server, self._clock)
        site = None
        if self._page is not None or access is not None:
            resource = WebSocketResource(factory, self._page)
            site = LoggingSite(resource, declaration.server, access, self._clock)
        return DeclaredService(
            self.endpoints, factory, site, declaration, self._reactor
        )

    def describe(self) -> Iterator[str]:
        """
        Go over the lines that tell what is served where, and every option that is not
        the default.
        """
        yield "endpoints"
        for listener in self.declaration.listen:
            names = ", ".join(listener.certificates)
            yield f"  {listener.endpoint}" + (f" with TLS: {names}" if names else "")
        yield "routes"
        rows = [
            (route.path, route.protocol or "(none)", _nameOf(route.application))
            for route in self.router.routes()
        ]
        widths = [max(map(len, column)) for column in list(zip(*rows, strict=True))[:2]]
        for path, protocol, name in sorted(rows):
            yield f"  {path:{widths[0]}}  {protocol:{widths[1]}}  {name}"
        if self.declaration.web is not None:
            yield from ("files", f"  {self.declaration.web}")
        options = []
        for table in ("server", "logging"):
            given = getattr(self.declaration, table)
            for option in fields(given):
                value = getattr(given, option.name)
                if value != option.default:
                    value = "none" if value is None else value
                    text = json.dumps(value, default=lambda factory: factory.name)
                    options.append(f"  {table}.{option.name} = {text}")
        if options:
            yield "options"
            yield from options


def _route(mounts: Sequence[Mount], faults: Faults) -> Router:
    here = os.getcwd()
    if here not in sys.path:
        # As "python -m" does, and unlike twistd's own script.
        sys.path.insert(0, here)
    router = Router()
    for index, mount in enumerate(mounts):
        with faults.at("mount", index, "application"):
            application = _findApplication(mount.application)
            steps: list[Step] = []
            if mount.allowedOrigins is not None:
                steps.append(AllowOrigins(mount.allowedOrigins))
            if mount.connectionsPerClient is not None:
                steps.append(LimitConnections(mount.connectionsPerClient))
            if mount.rates:
                steps.append(RateLimit(**mount.rates))
            if steps:
                application = Steps(steps, application)
            with faults.at("mount", index, "path"):
                router.mount(mount.path, mount.protocol or None, application)
    return router


def _findApplication(name: str) -> Any:
    """
    @raise ValueError: when there is no application of that dotted name.
    """
    try:
        application = reflect.namedAny(name)
    except (Exception, SystemExit) as error:
        raise ValueError(
            f"cannot import {name}: {type(error).__name__}: {error}"
        ) from error
    try:
        checkApplication(application)
    except TypeError as error:
        raise ValueError(str(error)) from None
    return application


def _makeEndpoint(listener: Listener, reactor: Any) -> IStreamServerEndpoint:
    """
    @raise OSError: when a file cannot be read.
    @raise ValueError: when an endpoint cannot be made.
    """
    try:
        text = withBacklog(listener.endpoint)
        endpoint: IStreamServerEndpoint = serverFromString(reactor, text)
    except Exception as error:
        # They raise whatever they come across: a bad number, a missing file, a broken
        # certificate.
        raise ValueError(
            f"{listener.endpoint}: {type(error).__name__}: {error}"
        ) from error
    if not listener.certificates:
        for name in ("privateKeys", "clientAuthority"):
            if getattr(listener, name):
                raise ValueError(f"{name} without certificates")
        return endpoint
    return ServerCertificates(
        listener.certificates,
        listener.privateKeys,
        listener.clientAuthority,
        listener.requireClientCertificate,
    ).wrap(endpoint)


def withBacklog(endpoint: str) -> str:
    """
    Have as many clients wait to be accepted as may come back at once, in place of the
    50 that are Twisted's default, if C{endpoint} does not say how many.
    """
    isTCP = endpoint.startswith(("tcp:", "ssl:"))
    if isTCP and ":backlog=" not in endpoint:
        return f"{endpoint}:backlog={_BACKLOG}"
    return endpoint


def _checkPlace(path: str | None) -> None:
    """
    @raise ValueError: when there cannot be a file there.
    """
    if path is not None:
        directory = os.path.dirname(path)
        if not os.path.isdir(directory):
            raise ValueError(f"there is no directory {directory}")
        if os.path.isdir(path):
            raise ValueError(f"{path} is a directory")


def _nameOf(application: Any) -> str:
    """
    @return: a name by which a reader of the declaration knows it, and the steps
        before it.
    """
    steps: list[Any] = []
    while isinstance(application, Steps):
        steps += application.steps
        application = application.application
    name, *before = (
        each if hasattr(each, "__qualname__") else type(each)
        for each in (application, *steps)
    )
    text = f"{name.__module__}.{name.__qualname__}"
    return (
        text
        + (" after " if before else "")
        + ", ".join(each.__qualname__ for each in before)
    )


class CannotStart(SystemExit, Exception):
    """
    Ends the process with one line.

    It is an C{Exception} too, since twistd looks for these alone: to remove its file
    with the process id, and to tell the process that waits for a daemon to start,
    which would wait forever otherwise.
    """


class DeclaredService(WebSocketService):
    """
    A server, and its log.  It gives the process as many descriptors as it may have, and
    ends it with one line if it cannot start.
    """

    def __init__(
        self,
        endpoints: Sequence[IStreamServerEndpoint],
        factory: WebSocketFactory,
        site: LoggingSite | None,
        declaration: Declaration,
        reactor: Any,
    ) -> None:
        """
        @param declaration: what the others were made from.
        """
        WebSocketService.__init__(self, endpoints, factory, site)
        self._reactor = reactor
        log = declaration.logging
        self._logFile = (
            None if log.file is None else LogFile(log.file, log.format, log.level)
        )
        rules = [each.allowedOrigins for each in declaration.mount or ()]
        rules.append(declaration.server.allowedOrigins)
        self._isOpenToAll = any("*" in (each or ()) for each in rules)

    def privilegedStartService(self) -> None:
        """
        Listen.

        @raise CannotStart: when the log cannot be written, or a port is in use.
        """
        try:
            if self._logFile is not None:
                self._logFile.open()
            raiseDescriptors(self._reactor)
            WebSocketService.privilegedStartService(self)
        except (CannotListenError, OSError) as error:
            if self._logFile is not None:
                self._log.critical("cannot start: {reason}", reason=str(error))
            self._endLog()
            raise CannotStart(f"twistd websocket: {error}") from None

    def _listens(self, port: IListeningPort) -> IListeningPort:
        address = port.getHost()
        if self._isOpenToAll and _isPublic(address):
            self._log.warn(
                "pages of every origin may connect to {address}"
                " (option: allowedOrigins)",
                address=address,
            )
        return WebSocketService._listens(self, port)

    def _endLog(self, result: object = None) -> object:
        if self._logFile is not None:
            self._logFile.close()
        return result

    def stopService(self) -> Deferred[Any]:
        """
        Say goodbye, and end the log after that.
        """
        return WebSocketService.stopService(self).addBoth(self._endLog)


def _isPublic(address: Any) -> bool:
    if not isinstance(address, (IPv4Address, IPv6Address)):
        return False
    return not ip_address(address.host).is_loopback
