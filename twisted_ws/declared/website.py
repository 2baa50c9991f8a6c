# -*- test-case-name: tests.test_website -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What a declared server has of L{twisted.web}: files, and a log of accesses.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IReactorTime
from twisted.web.http import combinedLogFormatter
from twisted.web.iweb import IAccessLogFormatter
from twisted.web.resource import IResource
from twisted.web.static import File
from zope.interface import implementer

from .._wire.errors import InvalidUpgrade
from .._wire.forwarded import networks, trace
from .._wire.headers import readFields
from ..config import ServerConfig
from ..site import WebSocketSite
from .logfile import openToAppend

WELL_KNOWN = ".well-known"  # RFC 8615


class Files(File):
    """
    The files of a directory.  Unlike its base it lists no directory, and has nothing
    whose name begins with a dot, but for C{.well-known}.
    """

    def __init__(
        self, path: str, defaultType: str = "application/octet-stream", *rest: Any
    ) -> None:
        File.__init__(self, path, defaultType, *rest)

    def directoryListing(self) -> Any:
        """
        See L{File.directoryListing}: what answers for a directory without an index.
        """
        return self.childNotFound

    def getChild(self, path: bytes, request: Any) -> Any:
        """
        See L{File.getChild}.
        """
        try:
            name = path.decode("utf-8")
        except UnicodeDecodeError:
            return self.childNotFound
        if "\0" in name or (name.startswith(".") and name != WELL_KNOWN):
            return self.childNotFound
        return File.getChild(self, path, request)


class LoggingSite(WebSocketSite):
    """
    A site whose access log tells clients from proxies.
    """

    def __init__(
        self,
        resource: IResource,
        config: ServerConfig,
        logPath: str | None,
        reactor: IReactorTime,
    ) -> None:
        """
        @param config: has the proxies that are trusted.
        @param logPath: of the access log; C{None} to have it in the log of the
            process.
        """
        WebSocketSite.__init__(
            self,
            resource,
            config,
            reactor,
            logPath=logPath,
            logFormatter=_ClientFormatter(config),
        )

    def _openLogFile(self, path: str | bytes) -> Any:
        # Site's own rotates by itself, and keeps all.
        return openToAppend(os.fsdecode(path))


@implementer(IAccessLogFormatter)
class _ClientFormatter:
    """
    Formats a request with the address that C{trustedProxies} tell.
    """

    def __init__(self, config: ServerConfig) -> None:
        self._trusted = networks(tuple(config.trustedProxies))
        self._readForwarded = config.readForwarded

    def __call__(self, timestamp: str, request: Any) -> str:
        line: str = combinedLogFormatter(timestamp, _Seen(request, self._find(request)))
        return line

    def _find(self, request: Any) -> Any:
        peer = request.getClientAddress()
        host = getattr(peer, "host", "")
        try:
            headers = readFields(
                (name, value)
                for name, values in request.requestHeaders.getAllRawHeaders()
                for value in values
            )
        except InvalidUpgrade:
            return peer
        origins = trace(host, False, headers, self._trusted, self._readForwarded)
        client = origins.addresses[0]
        if client in ("", host):
            return peer
        return (IPv6Address if ":" in client else IPv4Address)("TCP", client, 0)


class _Seen:
    """
    A request from another address.
    """

    def __init__(self, request: Any, address: Any) -> None:
        self._request = request
        self._address = address

    def getClientAddress(self) -> Any:
        return self._address

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request, name)
