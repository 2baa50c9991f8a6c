# -*- test-case-name: tests.test_tap -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
C{twistd websocket}: a server declared on the command line, in a file, or in both.
"""

from __future__ import annotations

import inspect
import os
import textwrap
from collections.abc import Callable
from typing import Any

from twisted.application.service import IService
from twisted.python import usage

from .declared.assembly import Assembly
from .declared.declaration import declare, merge
from .declared.faults import Faults, KeyPath, dotted
from .declared.flags import FLAGS, Flag
from .declared.sitefile import SiteFile, SiteFileError

MAX_TEXT = 500
"""
Characters of one complaint.
"""


class Options(usage.Options):
    """
    The command line.  Most of its options are made from the keys that a file can have.

    @ivar assembly: the L{Assembly} of the server that is asked for.
    """

    synopsis = "[options]"
    longdesc = (
        "Serve WebSockets.  With no --mount it serves a demonstration: a page to open\n"
        "in a browser, and three WebSockets behind it.\n\n"
        "An option takes the place of what the file of --config says of the same, and\n"
        "one that can be repeated that of its whole list.\n"
    )
    assembly: Assembly

    def __init__(self) -> None:
        usage.Options.__init__(self)
        self["config"] = None
        self["check"] = False
        self._data: dict[str, Any] = {}
        self._said: dict[KeyPath, str] = {}

    def opt_config(self, file: str) -> None:
        """
        Read what to serve from this TOML file; examples/site.toml shows all of its
        keys. Paths in it begin at its directory.
        """
        self["config"] = file

    opt_c = opt_config

    def opt_check(self) -> None:
        """
        Check everything, print what would be served where, and exit. Nothing is
        listened on.
        """
        self["check"] = True

    def opt_listen(self, endpoint: str) -> None:
        """
        Listen on this endpoint: tcp:8080, ssl:8443:privateKey=key.pem:certKey=cert.pem,
        unix:/run/ws.sock, systemd:domain=INET:name=ws ... Can be repeated. [default:
        tcp:8080]
        """
        self._append(("listen",), endpoint, "--listen")

    opt_l = opt_listen

    def opt_mount(self, mount: str) -> None:
        """
        Serve an application, PATH[:SUBPROTOCOL]=DOTTED.NAME: a MessageReceiver class, a
        factory, a callable that takes a request, or a Router. PATH can be * or end with
        /*. Can be repeated.
        """
        place, equals, name = mount.rpartition("=")
        if not equals or not place or not name:
            raise _leave(
                f"--mount {mount}: not of the form PATH[:SUBPROTOCOL]=DOTTED.NAME"
            )
        # A parameter of the path can have a colon too: {id:int}.
        before, brace, rest = place.rpartition("}")
        end, colon, protocol = rest.partition(":")
        table = {"path": before + brace + end, "application": name}
        if colon:
            table["protocol"] = protocol
        self._append(("mount",), table, f"--mount {mount}")

    opt_m = opt_mount

    def _put(self, path: KeyPath, value: object, said: str) -> None:
        """
        @param said: what of the command line says so.
        """
        table = self._data
        for key in path[:-1]:
            table = table.setdefault(str(key), {})
        table[str(path[-1])] = value
        self._said[path] = said

    def _append(self, path: KeyPath, value: object, said: str) -> None:
        values: Any = self._data
        for key in path:
            values = values.get(key, {})
        values = [*values, value]
        self._put(path, values, said)
        last = (*path, len(values) - 1)
        self._said[last] = said

    def getUsage(self, width: int | None = None) -> str:
        """
        @return: the help; each option has a line of its own, since the names of
            some are long.
        """
        rows = [
            (head, inspect.getdoc(method) or "")
            for head, method in (
                ("-c, --config=FILE", self.opt_config),
                ("--check", self.opt_check),
                ("-l, --listen=ENDPOINT", self.opt_listen),
                ("-m, --mount=PATH[:SUBPROTOCOL]=DOTTED.NAME", self.opt_mount),
            )
        ]
        tunables: list[tuple[str, str]] = []
        for flag in FLAGS:
            table = tunables if flag.path[0] == "server" else rows
            table.append((f"--{flag.name}{flag.placeholder}", flag.help))
        rows += [
            ("--version", "Show the version of Twisted."),
            ("--help", "Show this."),
        ]
        sections = [self.longdesc, "Options:", *map(_entry, rows)]
        sections += [
            "\nTunables, in seconds and bytes.  Those without a value also have their",
            "opposite, with or without no-, to undo what the file says.",
            *map(_entry, tunables),
        ]
        return "\n".join(sections) + "\n"

    # What comes of it

    def postOptions(self) -> None:
        """
        @raise SystemExit: with a line for each value that makes no sense; or after a
            C{--check}.  Not a C{UsageError}, behind whose message twistd prints a page
            of its own options, and with some versions of which it exits as if all
            were well.
        """
        from twisted.internet import reactor

        file, base = None, "."
        if self["config"] is not None:
            try:
                file = SiteFile(self["config"])
            except SiteFileError as error:
                raise _leave(str(error)) from None
            base = os.path.dirname(file.name)
        data = self._data if file is None else merge(file.data, self._data)
        faults = Faults()
        declaration = declare(data, faults, os.path.abspath(base))
        if not faults:
            self.assembly = Assembly(declaration, faults, reactor)
        if faults:
            raise _leave(*self._explain(faults, file))
        if self["check"]:
            print("\n".join(self.assembly.describe()))
            raise SystemExit(0)

    def _explain(self, faults: Faults, file: SiteFile | None) -> list[str]:
        """
        @return: what is wrong, by where in the file it is.
        """
        lines: list[tuple[int, str]] = []
        for path, text in faults:
            said = [self._said.get(path[:end]) for end in range(len(path), 0, -1)]
            name = next(filter(None, said), None)
            if name is None and file is not None:
                line = file.lineOf(path)
                name = f"{file.at(line)}: {dotted(path)}"
                lines.append((line or 0, name + text))
            else:
                lines.append((0, (name or dotted(path)) + text))
        return [text for _, text in sorted(lines)]


def _method(flag: Flag) -> Callable[..., None]:
    """
    @return: the method of L{Options} for a flag.
    """
    said = f"--{flag.name}"

    def switch(self: Options) -> None:
        self._put(flag.path, flag.isOn, said)

    def put(self: Options, text: str) -> None:
        self._put(flag.path, flag.read(text), said)

    def append(self: Options, text: str) -> None:
        self._append(flag.path, text, said)

    method: Callable[..., None] = put
    if flag.kind == "flag":
        method = switch
    elif flag.isRepeated:
        method = append
    method.__doc__ = flag.help
    return method


for _flag in FLAGS:
    for _each in (_flag, _flag.opposite):
        if _each is not None:
            setattr(Options, "opt_" + _each.name.replace("-", "_"), _method(_each))


def _leave(*complaints: str) -> SystemExit:
    """
    @return: an exit with status 1, after a line for each complaint.
    """
    lines = [" ".join(each.split()) for each in complaints]
    return SystemExit(
        "\n".join(
            f"twistd websocket: {line[:MAX_TEXT]}{'...' if line[MAX_TEXT:] else ''}"
            for line in lines
        )
    )


def _entry(row: tuple[str, str]) -> str:
    head, text = row
    body = textwrap.fill(text, 70, break_long_words=False, break_on_hyphens=False)
    return f"  {head}\n{textwrap.indent(body, ' ' * 8)}"


def makeService(options: Options) -> IService:
    """
    See L{IServiceMaker.makeService<twisted.application.service.IServiceMaker>}.
    """
    return options.assembly.makeService()
