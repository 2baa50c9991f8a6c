# -*- test-case-name: tests.test_race_servers -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Which servers there are, and how they are run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .workloads import FRESH, Workload

ROOT = Path(__file__).parent.parent.parent
PEERS = ROOT / "benchmarks" / "peers"
NODE_MODULES = ROOT / "tests" / "interop" / "peers" / "node_modules"

FIRST, LAST = "first", "last"

LAUNCH = (
    "import runpy, sys; place, root, module = sys.argv[1:4]; del sys.argv[1:4]; "
    "rest = [each for each in sys.path if each]; "
    f"sys.path[:] = [root, *rest] if place == {FIRST!r} else [*rest, root]; "
    "runpy.run_module(module, run_name='__main__', alter_sys=True)"
)
"""
Runs a module of C{benchmarks.peers}.  With C{-m} this folder would come first, and hide
a twisted_ws that is installed.
"""


def cacheFolder() -> Path:
    """
    @return: where what is installed and compiled is kept.
    """
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "twisted_ws" / "race"


def peersPython() -> str:
    """
    @return: the interpreter that has the peers: that of C{--install}, else this one.
    """
    installed = cacheFolder() / "python" / "bin" / "python"
    return str(installed) if installed.exists() else sys.executable


@dataclass(frozen=True)
class Server:
    """
    One of those that are measured.

    @ivar name: how it is asked for.
    @ivar title: how it is called in tables.
    @ivar program: a module of C{benchmarks.peers}, or a file there for Node.
    @ivar needs: the modules, or for Node the packages, that have to be there.
    @ivar options: for the program.
    @ivar python: an interpreter of its own, that has twisted_ws installed.
    @ivar environment: what is added to the environment.
    @ivar compresses: whether it can.
    @ivar forgets: whether it can without context takeover, when it is asked for that.
    @ivar isRaw: whether it knows nothing of WebSockets.
    @ivar overTLS: whether it is for workloads over TLS only, or only for others;
        C{None}: for all.
    """

    name: str
    title: str
    program: str
    needs: tuple[str, ...]
    options: tuple[str, ...] = ()
    python: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    compresses: bool = True
    forgets: bool = True
    isRaw: bool = False
    overTLS: bool | None = None

    @property
    def isNode(self) -> bool:
        """
        Whether it runs on Node.
        """
        return self.program.endswith(".js")

    def suits(self, workload: Workload) -> bool:
        """
        Tell whether it can do that.  What sends back bytes is there for comparison
        with all, so it gets the messages as they are where others have to compress.
        """
        if self.overTLS not in (None, workload.isTLS):
            return False
        if self.isRaw or not workload.offer:
            return True
        return self.compresses and (self.forgets or workload.offer != FRESH)

    def command(self, python: str, workload: Workload, pem: str) -> list[str]:
        """
        @param python: the interpreter for those that have none of their own.
        @param pem: a file with a key and a certificate.
        """
        options = [*self.options]
        if not workload.offer:
            options.append("--plain")
        if workload.mode == "broadcast":
            options.append("--broadcast")
        if workload.isTLS:
            options += ["--tls", pem]
        if self.isNode:
            return [shutil.which("node") or "node", str(PEERS / self.program), *options]
        place = FIRST if self.python is None else LAST
        module = f"benchmarks.peers.{self.program}"
        program = ["-c", LAUNCH, place, str(ROOT), module]
        return [self.python or python, *program, *options]

    def variables(self) -> dict[str, str]:
        """
        @return: its environment.
        """
        variables = {**os.environ, **self.environment}
        if self.isNode:
            variables["NODE_PATH"] = os.pathsep.join(map(str, nodeFolders()))
        return variables


OURS = Server("ours", "twisted_ws", "ours", ("twisted", "OpenSSL"))

SERVERS = {
    each.name: each
    for each in (
        Server(
            "plain-tcp",
            "plain Twisted TCP echo",
            "on_tcp",
            ("twisted",),
            isRaw=True,
            overTLS=False,
        ),
        Server(
            "plain-tls",
            "plain Twisted TLS echo",
            "on_tcp",
            ("twisted", "OpenSSL"),
            isRaw=True,
            overTLS=True,
        ),
        OURS,
        Server("autobahn", "Autobahn", "on_autobahn", ("autobahn", "twisted")),
        Server(
            "twisted.web",
            "twisted.web.websocket",
            "on_twisted_web",
            ("twisted", "wsproto", "twisted.web.websocket"),
            compresses=False,
        ),
        Server("websockets", "websockets", "on_websockets", ("websockets",)),
        Server("aiohttp", "aiohttp", "on_aiohttp", ("aiohttp",)),
        Server("tornado", "tornado", "on_tornado", ("tornado",), forgets=False),
        Server("picows", "picows, asyncio", "on_picows", ("picows",), compresses=False),
        Server(
            "picows-uvloop",
            "picows, uvloop",
            "on_picows",
            ("picows", "uvloop"),
            ("--uvloop",),
            compresses=False,
        ),
        Server("ws", "Node ws", "on_ws.js", ("ws", "bufferutil")),
        Server(
            "node-websocket",
            "Node websocket",
            "on_websocket.js",
            ("websocket", "bufferutil"),
            compresses=False,
        ),
    )
}
"""
By name, in the order in which they take turns.
"""


def oursWith(name: str, python: str) -> Server:
    """
    @return: twisted_ws as another interpreter has it installed.
    """
    return Server(name, f"twisted_ws ({name})", "ours", OURS.needs, python=python)


def baselineFor(workload: Workload) -> str:
    """
    @return: the name of the server that others are compared with.
    """
    return "plain-tls" if workload.isTLS else "plain-tcp"


def nodeFolders() -> list[Path]:
    """
    @return: where packages for Node are looked for.
    """
    return [cacheFolder() / "node" / "node_modules", NODE_MODULES]


def missing(servers: Iterable[Server], python: str) -> dict[str, str]:
    """
    @return: what the servers that cannot be run are in want of, by name.
    """
    servers, found = list(servers), {}
    for interpreter in {each.python or python for each in servers if not each.isNode}:
        needs = {
            need
            for each in servers
            if not each.isNode and (each.python or python) == interpreter
            for need in each.needs
        }
        found[interpreter] = _without(interpreter, sorted(needs))
    lacks = {}
    for each in servers:
        if each.isNode:
            wanted = [need for need in each.needs if not _hasPackage(need)]
            if shutil.which("node") is None:
                wanted = ["node"]
        else:
            absent = found[each.python or python]
            wanted = [need for need in each.needs if need in absent]
        if wanted:
            lacks[each.name] = ", ".join(wanted)
    return lacks


def _hasPackage(name: str) -> bool:
    return any((folder / name / "package.json").exists() for folder in nodeFolders())


def _without(python: str, modules: list[str]) -> set[str]:
    """
    @return: those of the modules that an interpreter cannot import.
    """
    program = (
        "import importlib, json, sys\nabsent = []\n"
        "sys.path[:] = [each for each in sys.path if each]\n"
        "for name in sys.argv[1:]:\n"
        "    try: importlib.import_module(name)\n"
        "    except ImportError: absent.append(name)\n"
        "print(json.dumps(absent))"
    )
    try:
        told = subprocess.run(
            [python, "-c", program, *modules],
            capture_output=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return set(modules)
    return set(json.loads(told.stdout.splitlines()[-1]))
