# -*- test-case-name: tests.test_declaration -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What C{twistd websocket} can be told to serve, whichever way it is told.

The command line and a file say the same things in the same shape: tables of plain
values, such as C{{"web": "www", "server": {"closeTimeout": 3}}}.  L{declare} reads
them.  The keys of a table are the fields of its dataclass.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import MISSING, Field, dataclass, field, fields
from difflib import get_close_matches
from typing import Any

from twisted.logger import LogLevel

from .._wire.headers import checkToken
from ..buckets import readRate
from ..config import ServerConfig
from ..extensions.naming import extensionNamed
from ..origin import OriginRule
from ..paths import ANY
from .faults import Fault, Faults, KeyPath

FORMATS = ("text", "json")
LEVELS = tuple(level.name for level in LogLevel.iterconstants())


def _key(kind: str, help: str = "", default: Any = MISSING, **more: Any) -> Any:
    return field(default=default, metadata={"kind": kind, "help": help, **more})


@dataclass(frozen=True, kw_only=True)
class Listener:
    """
    Where to listen.

    @ivar endpoint: an endpoint string.
    @ivar certificates: as for L{ServerCertificates
        <twisted_ws.certificates.ServerCertificates>}, like all that follow; with any,
        TLS is spoken here.
    """

    endpoint: str = _key("text")
    certificates: tuple[str, ...] = _key("paths", default=())
    privateKeys: tuple[str, ...] = _key("paths", default=())
    clientAuthority: str | None = _key("path", default=None)
    requireClientCertificate: bool = _key("switch", default=True)


@dataclass(frozen=True, kw_only=True)
class Mount:
    """
    An application, and which requests it gets.

    @ivar path: see L{Router.mount<twisted_ws.Router.mount>}.
    @ivar protocol: a subprotocol; C{"*"} for any, asked for or not; C{""} for requests
        that ask for none.
    @ivar application: its dotted name.
    @ivar allowedOrigins: whose pages may connect here; C{None}: whom the server
        allows.
    @ivar connectionsPerClient: see L{LimitConnections<twisted_ws.LimitConnections>};
        C{None}: no limit.
    @ivar handshakesPerClient: a rate such as C{"10/m"}; this and the others are those
        of a L{RateLimit<twisted_ws.RateLimit>}.  C{None}: no limit.
    @ivar messagesPerClient: likewise.
    @ivar bytesPerClient: likewise; it may have K or M.
    @ivar pingsPerClient: likewise.
    """

    path: str = _key("text")
    protocol: str = _key("protocol", default=ANY)
    application: str = _key("text")
    allowedOrigins: str | Collection[OriginRule] | None = _key("list", default=None)
    connectionsPerClient: int | None = _key("count", default=None)
    handshakesPerClient: str | None = _key("rate", default=None)
    messagesPerClient: str | None = _key("rate", default=None)
    bytesPerClient: str | None = _key("rate", default=None, sizes=True)
    pingsPerClient: str | None = _key("rate", default=None)

    @property
    def rates(self) -> dict[str, Any]:
        """
        Those that there are, as L{RateLimit<twisted_ws.RateLimit>} takes them.
        """
        rates = {
            "handshakes": self.handshakesPerClient,
            "messages": self.messagesPerClient,
            "bytes": self.bytesPerClient,
            "pings": self.pingsPerClient,
        }
        return {name: rate for name, rate in rates.items() if rate is not None}


@dataclass(frozen=True, kw_only=True)
class Logging:
    """
    What is written down, besides the log of twistd.

    @ivar access: a file for a line per request, in the combined format.
    @ivar file: a log of its own.
    @ivar format: of that: C{"text"}, or C{"json"} for one object per line.
    @ivar level: the least that goes into it.
    """

    access: str | None = _key(
        "path",
        "Write a line per request into this file, in the combined log format.",
        default=None,
        flag="access-log",
    )
    file: str | None = _key("path", "Write a log of its own.", default=None)
    format: str = _key(
        "choice", "How that log is written.", default="text", choices=FORMATS
    )
    level: str = _key(
        "choice", "The least that goes into it.", default="info", choices=LEVELS
    )


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """
    A server.

    @ivar listen: where, at least one.
    @ivar mount: the applications; C{None} for the demonstration.
    @ivar web: a directory of files for requests that are for no WebSocket.
    @ivar server: the tunables.
    @ivar logging: what is written down.
    """

    listen: tuple[Listener, ...] = _key(
        "tables", default=(Listener(endpoint="tcp:8080"),), of=Listener
    )
    mount: tuple[Mount, ...] | None = _key("tables", default=None, of=Mount)
    web: str | None = _key(
        "path",
        "Serve the files of this directory to requests that ask for no WebSocket.",
        default=None,
    )
    server: ServerConfig = field(
        default_factory=ServerConfig, metadata={"kind": "table", "of": ServerConfig}
    )
    logging: Logging = field(
        default_factory=Logging, metadata={"kind": "table", "of": Logging}
    )


def declare(data: dict[str, Any], faults: Faults, base: str) -> Declaration:
    """
    Read a declaration.

    @param data: its tables.
    @param faults: gets what is wrong; what is returned is of no use then.
    @param base: the directory that relative paths begin at.
    """
    given = _Reader(faults, base).table(Declaration, data, ())
    declaration: Declaration = Declaration() if given is None else given
    log = declaration.logging
    for key in ("format", "level"):
        if log.file is None and getattr(log, key) != getattr(Logging, key):
            faults.append(Fault(("logging", key), " is of use only with logging.file"))
    return declaration


def merge(lower: dict[str, Any], upper: dict[str, Any]) -> dict[str, Any]:
    """
    @return: the tables of one declaration, with what another says in place of the
        same there.
    """
    merged = dict(lower)
    for key, value in upper.items():
        below = lower.get(key, {})
        if not isinstance(value, dict):
            merged[key] = value
        elif isinstance(below, dict):
            merged[key] = {**below, **value}
    return merged


class _Reader:
    def __init__(self, faults: Faults, base: str) -> None:
        self._faults = faults
        self._base = base

    def table(self, kind: type, data: object, path: KeyPath) -> Any:
        """
        @return: an instance of the dataclass C{kind}; C{None} if something is wrong.
        """
        if not isinstance(data, dict):
            wrong = f" must be a table, not {data!r}"
            self._faults.append(Fault(path, wrong))
            return None
        before = len(self._faults)
        options = {option.name: option for option in fields(kind)}
        given: dict[str, Any] = {}
        for key, value in data.items():
            if key in options:
                with self._faults.at(*path, key):
                    given[key] = self._read(options[key], value, (*path, key))
            else:
                self._faults.append(Fault((*path, key), _unknown(key, options)))
        if len(self._faults) > before:
            return None
        for option in options.values():
            isNeeded = option.default is option.default_factory is MISSING
            if isNeeded and option.name not in given:
                self._faults.append(Fault(path, f" has no {option.name}"))
                return None
        return kind(**given)

    def _read(self, option: Field[Any], value: object, path: KeyPath) -> Any:
        """
        @raise ValueError: when the value is not of the option's kind.
        """
        name, kind = option.name, option.metadata["kind"]
        if kind == "table":
            return self.table(option.metadata["of"], value, path)
        if kind == "tables":
            return self._readTables(option, value, path)
        if kind == "choice":
            choices = option.metadata["choices"]
            if value not in choices:
                wanted = ", ".join(choices)
                raise ValueError(f"{name} is one of {wanted}, not {value!r}")
        elif kind == "paths":
            if not isinstance(value, list):
                raise ValueError(f"{name} must be a list of files, not {value!r}")
            return tuple(self._readPath(name, each) for each in value)
        elif kind == "path":
            return self._readPath(name, value)
        elif kind == "protocol":
            if not isinstance(value, str):
                raise ValueError(f"{name} must be a string, not {value!r}")
            if value:
                checkToken(value, name)
        elif kind == "switch":
            if not isinstance(value, bool):
                raise ValueError(f"{name} must be true or false, not {value!r}")
        elif kind == "count":
            if not isinstance(value, int) or value is True or value < 1:
                raise ValueError(
                    f"{name} must be a whole number, 1 or more, not {value!r}"
                )
        elif kind == "rate":
            readRate(value, name, option.metadata.get("sizes", False))
        elif kind == "text":
            _checkText(name, value)
        else:
            if kind in ("limit", "wait") and value == "none":
                return None
            tunable: dict[str, Any] = {name: value}
            if isinstance(value, list):
                isNamed = kind == "extensions"
                tunable[name] = tuple(map(extensionNamed, value) if isNamed else value)
            return getattr(ServerConfig(**tunable), name)
        return value

    def _readTables(
        self, option: Field[Any], value: object, path: KeyPath
    ) -> tuple[Any, ...]:
        name, of = option.name, option.metadata["of"]
        if not isinstance(value, list):
            wanted = "endpoints" if of is Listener else f"tables, [[{name}]]"
            raise ValueError(f"{name} must be a list of {wanted}, not {value!r}")
        if of is Listener and not value:
            raise ValueError(f"{name} must have an endpoint")
        items = []
        for index, item in enumerate(value):
            if of is Listener and isinstance(item, str):
                item = {"endpoint": item}
            items.append(self.table(of, item, (*path, index)))
        return tuple(items)

    def _readPath(self, name: str, value: object) -> str:
        path = _checkText(name, value)
        if "\0" in path:
            raise ValueError(f"{name} must not have a null character")
        return os.path.normpath(os.path.join(self._base, path))


def _checkText(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a string, not {value!r}")
    if not value:
        raise ValueError(f"{name} must not be empty")
    return value


def _unknown(key: str, options: dict[str, Field[Any]]) -> str:
    """
    @return: what is wrong with a key that is none; with the one that is meant, if
        that can be told.
    """
    close = get_close_matches(key, options, 1)
    if not close:
        elsewhere = {
            inner.name: f"{outer.name}.{inner.name}"
            for outer in fields(Declaration)
            if "of" in outer.metadata
            for inner in fields(outer.metadata["of"])
        }
        close = [elsewhere[name] for name in get_close_matches(key, elsewhere, 1)]
    return " is no key" + (f"; did you mean {close[0]}?" if close else "")
