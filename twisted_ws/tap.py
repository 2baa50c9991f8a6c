# -*- test-case-name: tests.test_tap -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
C{twistd websocket}: a server declared on the command line.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
import textwrap
from collections.abc import Callable
from dataclasses import Field, fields
from typing import Any

from twisted.application.service import IService
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReactorTime
from twisted.python import reflect, usage
from twisted.web.resource import IResource
from twisted.web.server import Site
from twisted.web.static import File

from .config import ServerConfig
from .demo import makeDemo
from .protocol import WebSocketFactory
from .resource import WebSocketResource
from .router import ANY, Router
from .service import WebSocketService

DEFAULT_ENDPOINT = "tcp:8080"


class Options(usage.Options):
    """
    The command line.  What it says of the tunables is made from L{ServerConfig}.

    @ivar config: the L{ServerConfig} it asks for.
    @ivar router: the L{Router} of its mounts.
    @ivar endpoints: the endpoints to listen on.
    """

    synopsis = "[options]"
    longdesc = (
        "Serve WebSockets.  With no --mount it serves a demonstration: a page to open\n"
        "in a browser, and three WebSockets behind it.\n"
    )
    config: ServerConfig
    router: Router
    endpoints: list[Any]

    def __init__(self) -> None:
        usage.Options.__init__(self)
        self["listen"] = []
        self["mount"] = []
        self["web"] = None
        self._lists: dict[str, list[str]] = {}

    def opt_listen(self, endpoint: str) -> None:
        """
        Listen on this endpoint: tcp:8080, ssl:8443:privateKey=key.pem:certKey=cert.pem,
        unix:/run/ws.sock, systemd:domain=INET:name=ws ... Can be repeated. [default:
        tcp:8080]
        """
        self["listen"].append(endpoint)

    opt_l = opt_listen

    def opt_mount(self, mount: str) -> None:
        """
        Serve an application, PATH[:SUBPROTOCOL]=DOTTED.NAME: a MessageReceiver class, a
        factory, a callable that takes a request, or a Router. PATH can be * or end with
        /*. Can be repeated.
        """
        self["mount"].append(mount)

    opt_m = opt_mount

    def opt_web(self, directory: str) -> None:
        """
        Serve the files of this directory to requests that ask for no WebSocket.
        """
        self["web"] = directory

    def getUsage(self, width: int | None = None) -> str:
        """
        @return: the help; each option has a line of its own, since the names of
            some are long.
        """
        rows = [
            (head, inspect.getdoc(method) or "")
            for head, method in (
                ("-l, --listen=ENDPOINT", self.opt_listen),
                ("-m, --mount=PATH[:SUBPROTOCOL]=DOTTED.NAME", self.opt_mount),
                ("--web=DIRECTORY", self.opt_web),
            )
        ]
        rows += [
            ("--version", "Show the version of Twisted."),
            ("--help", "Show this."),
        ]
        tunables = [
            (
                f"--{_flagName(option)}{_VALUES[option.metadata['kind']]}",
                _describe(option),
            )
            for option in fields(ServerConfig)
        ]
        sections = [self.longdesc, "Options:", *map(_entry, rows)]
        sections += ["\nTunables, in seconds and bytes:", *map(_entry, tunables)]
        return "\n".join(sections) + "\n"

    def postOptions(self) -> None:
        """
        @raise usage.UsageError: for the first value that does not make sense.
        """
        self.config = self._readConfig()
        self.router = Router()
        for mount in self["mount"]:
            _mount(self.router, mount)
        if self["web"] is not None and not os.path.isdir(self["web"]):
            raise usage.UsageError(f"--web {self['web']}: there is no such directory")
        self.endpoints = [
            _readEndpoint(each) for each in self["listen"] or [DEFAULT_ENDPOINT]
        ]

    def _readConfig(self) -> ServerConfig:
        given: dict[str, Any] = {name: tuple(v) for name, v in self._lists.items()}
        for option in fields(ServerConfig):
            value = self.get(_flagName(option))
            if option.metadata["kind"] == "flag":
                if value:
                    given[option.name] = not option.default
            elif value is not None:
                given[option.name] = _read(option, value)
        try:
            return ServerConfig(**given)
        except ValueError as error:
            raise usage.UsageError(str(error)) from None


def _dashed(name: str) -> str:
    """
    @return: C{"max-header-line"} for C{"maxHeaderLine"}.
    """
    return re.sub("([A-Z])", lambda found: "-" + found[1].lower(), name)


def _flagName(option: Field[Any]) -> str:
    """
    @return: the name of an option of the configuration on the command line.
    """
    name = _dashed(option.name)
    if option.metadata["kind"] == "list":
        return name.removesuffix("s")
    if option.metadata["kind"] == "flag" and option.default:
        return "no-" + name
    return name


_VALUES = {
    "flag": "",
    "size": "=N",
    "limit": "=N|none",
    "duration": "=SECONDS",
    "list": "=VALUE",
}


def _entry(row: tuple[str, str]) -> str:
    head, text = row
    body = textwrap.fill(text, 70, break_long_words=False, break_on_hyphens=False)
    return f"  {head}\n{textwrap.indent(body, ' ' * 8)}"


def _read(option: Field[Any], text: str) -> Any:
    """
    @raise usage.UsageError: when C{text} is not of the option's kind.
    """
    kind = option.metadata["kind"]
    try:
        if kind == "limit" and text == "none":
            return None
        return float(text) if kind == "duration" else int(text)
    except ValueError:
        wanted = "a number of seconds" if kind == "duration" else "a whole number"
        raise usage.UsageError(
            f"--{_flagName(option)} takes {wanted}, not {text!r}"
        ) from None


def _describe(option: Field[Any]) -> str:
    """
    @return: what the help says of an option of the configuration.
    """
    kind, text = option.metadata["kind"], str(option.metadata["help"])
    if kind == "flag":
        return f"Do not {text[0].lower()}{text[1:]}" if option.default else text
    if kind == "list":
        return f"{text} Can be repeated."
    return text if option.default is None else f"{text} [default: {option.default}]"


def _declareTunables() -> None:
    """
    Give L{Options} an option for each field of L{ServerConfig}.
    """
    flags: list[list[str | None]] = []
    parameters: list[list[str | None]] = []
    for option in fields(ServerConfig):
        name, text = _flagName(option), _describe(option)
        if option.metadata["kind"] == "flag":
            flags.append([name, None, text])
        elif option.metadata["kind"] == "list":
            method = "opt_" + name.replace("-", "_")
            setattr(Options, method, _repeatable(option.name, text))
        else:
            parameters.append([name, None, None, text])
    Options.optFlags = flags  # type: ignore[attr-defined]
    Options.optParameters = parameters  # type: ignore[attr-defined]


def _repeatable(name: str, help: str) -> Callable[[Options, str], None]:
    def opt(self: Options, value: str) -> None:
        self._lists.setdefault(name, []).append(value)

    opt.__doc__ = help
    return opt


_declareTunables()


def _mount(router: Router, mount: str) -> None:
    """
    @raise usage.UsageError: when a C{--mount} does not make sense.
    """
    place, equals, name = mount.rpartition("=")
    if not equals or not place or not name:
        raise usage.UsageError(
            f"--mount {mount}: not of the form PATH[:SUBPROTOCOL]=DOTTED.NAME"
        )
    path, colon, protocol = place.partition(":")
    wanted = protocol or None if colon else ANY
    here = os.getcwd()
    if here not in sys.path:
        # As "python -m" does, and unlike twistd's own script.
        sys.path.insert(0, here)
    try:
        application = reflect.namedAny(name)
    except Exception as error:
        raise usage.UsageError(
            f"--mount {mount}: cannot import {name}: {type(error).__name__}: {error}"
        ) from error
    try:
        router.mount(path, wanted, application)
    except (TypeError, ValueError) as error:
        raise usage.UsageError(f"--mount {mount}: {error}") from None


def _readEndpoint(description: str) -> Any:
    """
    @raise usage.UsageError: when C{description} is no endpoint that can be made.
    """
    from twisted.internet import reactor

    try:
        return serverFromString(reactor, description)
    except Exception as error:
        # Endpoints raise whatever they come across: a bad number, a missing file, a
        # broken certificate.
        raise usage.UsageError(
            f"--listen {description}: {type(error).__name__}: {error}"
        ) from error


class _Server(WebSocketService):
    """
    Ends the process with one line if it cannot listen.
    """

    def privilegedStartService(self) -> None:
        try:
            WebSocketService.privilegedStartService(self)
        except CannotListenError as error:
            raise SystemExit(f"twistd websocket: {error}") from None


def makeService(options: Options) -> IService:
    """
    See L{IServiceMaker.makeService<twisted.application.service.IServiceMaker>}.
    """
    from twisted.internet import reactor

    router = options.router
    fallback: IResource | None = None
    if not options["mount"]:
        router, fallback = makeDemo()
    if options["web"] is not None:
        fallback = File(options["web"])
    factory = WebSocketFactory(router, options.config, IReactorTime(reactor))
    site = None if fallback is None else Site(WebSocketResource(factory, fallback))
    return _Server(options.endpoints, factory, site)
