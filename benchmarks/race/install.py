# -*- test-case-name: tests.test_race_servers -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
How the peers get there: those in Python into an environment of their own, with the
Twisted that is used here; those for Node beside it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from .servers import cacheFolder

PYTHON = ("autobahn", "websockets", "aiohttp", "tornado", "picows", "uvloop", "wsproto")
NODE = {"bufferutil": "^4", "websocket": "~1.0.35", "ws": "^8.18.0"}


class CannotInstall(Exception):
    """
    C{str} of it says why.
    """


def steps(folder: Path, hasNode: bool) -> list[list[str]]:
    """
    @return: the commands that install what there is to be installed.
    """
    python = folder / "python"
    pip = [str(python / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    twisted = f"twisted[tls,websocket]=={version('twisted')}"
    commands = [
        [sys.executable, "-m", "venv", "--clear", str(python)],
        [*pip, "--upgrade", twisted, *PYTHON],
    ]
    if hasNode:
        npm = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"]
        commands.append([*npm, "--prefix", str(folder / "node")])
    return commands


def install(
    tell: Callable[[str], object] = print,
    run: Callable[[Sequence[str]], object] | None = None,
) -> None:
    """
    Install them, also if they are there: then they may be newer.

    @param tell: called with a line about what takes long.
    @param run: runs a command.
    @raise CannotInstall: when a command fails.
    """
    folder = cacheFolder()
    hasNode = shutil.which("npm") is not None
    node = folder / "node"
    node.mkdir(parents=True, exist_ok=True)
    description = {"private": True, "dependencies": NODE}
    (node / "package.json").write_text(json.dumps(description, indent=2))
    if not hasNode:
        tell("there is no npm here: without the peers for Node")
    for command in steps(folder, hasNode):
        tell(" ".join(command))
        (run or _run)(command)


def _run(command: Sequence[str]) -> None:
    # What is meant for this interpreter is not for the other.
    variables = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    try:
        ended = subprocess.run(command, env=variables, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise CannotInstall(f"{command[0]}: {error}") from None
    if ended.returncode:
        raise CannotInstall(f"{' '.join(command)} failed: {ended.returncode}")
