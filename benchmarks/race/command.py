# -*- test-case-name: tests.test_race -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The command line of C{python -m benchmarks}.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from .figures import Pass
from .install import CannotInstall, install
from .loading import Loads, loads
from .plot import plot
from .processes import cores
from .rounds import Race, runAll
from .servers import SERVERS, Server, missing, oursWith, peersPython
from .table import report
from .workloads import WORKLOADS


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """
    @return: what is asked for; of it C{servers} and C{workloads} are lists of
        L{Server} and L{Workload}.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure what a message costs a server.",
    )
    several = "can be repeated (default: all)"
    parser.add_argument(
        "--workload",
        action="append",
        choices=list(WORKLOADS),
        metavar="NAME",
        help=f"one of {', '.join(WORKLOADS)}; {several}",
    )
    parser.add_argument(
        "--server",
        action="append",
        default=[],
        metavar="NAME",
        help=f"one of {', '.join(SERVERS)}; {several}.  The plain echo, with which"
        " others are compared, is always there, and so are those of --ours",
    )
    parser.add_argument(
        "--ours",
        action="append",
        default=[],
        metavar="NAME=PYTHON",
        help="add a server NAME: twisted_ws as the interpreter PYTHON has it installed",
    )
    parser.add_argument(
        "--python",
        default=None,
        help="the interpreter that has the peers (default: that of --install, if it"
        " was, else this one)",
    )
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    parser.add_argument(
        "--seconds", type=float, default=3.0, help="of each pass (default: 3)"
    )
    parser.add_argument(
        "--warm", type=float, default=0.5, help="seconds before it (default: 0.5)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw the ratios")
    parser.add_argument(
        "--read",
        type=Path,
        metavar="FILE",
        help="measure nothing, but print and draw what --json has written: of the"
        " workloads and servers that are asked for",
    )
    parser.add_argument(
        "--install", action="store_true", help="install the peers, and nothing else"
    )
    parser.add_argument(
        "--slow-load", action="store_true", help="make the load with Python, not C"
    )
    parser.add_argument(
        "--list", action="store_true", help="print what servers and workloads there are"
    )
    asked = parser.parse_args(arguments)
    if asked.rounds < 1 or asked.seconds <= 0 or asked.warm < 0:
        parser.error("there must be a round and some time for it")
    asked.workloads = [
        each
        for name, each in WORKLOADS.items()
        if asked.workload is None or name in asked.workload
    ]
    known = dict(SERVERS)
    for each in asked.ours:
        name, found, python = each.partition("=")
        if not found or not name or not python or name in known:
            parser.error(f"--ours takes NAME=PYTHON with a new name, not {each}")
        known[name] = oursWith(name, python)
    for name in asked.server:
        if name not in known:
            parser.error(f"there is no server {name}")
    always = {"plain-tcp", "plain-tls", *(set(known) - set(SERVERS))}
    wanted = {*asked.server, *always} if asked.server else set(known)
    asked.servers = [each for name, each in known.items() if name in wanted]
    return asked


def certificate(folder: Path) -> Path:
    """
    @return: a file with a key, on the curve that most have, and its certificate.
    """
    import trustme

    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    issued = authority.issue_cert("localhost", key_type=trustme.KeyType.ECDSA)
    path = folder / "localhost.pem"
    path.write_bytes(issued.private_key_and_cert_chain_pem.bytes())
    return path


def systemOf(arguments: Sequence[str], found: Loads) -> dict[str, str]:
    """
    @return: what there is to say of the machine and the run.
    """
    pinned = cores()
    where = "one core, with all else"
    if pinned:
        where = f"servers on core {pinned[0]}, the load on core {pinned[1]}"
    system = {
        "command": " ".join(["python -m benchmarks", *arguments]),
        "day": date.today().isoformat(),
        "system": f"{platform.system()} {platform.release()}, {_processor()},"
        f" {os.cpu_count()} CPUs; {where}",
        "Python": platform.python_version(),
    }
    for said in found.warnings():
        system["NOTE"] = said
    return system


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()


def write(
    path: Path,
    passes: Sequence[Pass],
    system: Mapping[str, str],
    skipped: Mapping[str, str],
) -> None:
    """
    Write a file that L{read} reads.
    """
    told = {
        "system": dict(system),
        "skipped": dict(skipped),
        "passes": [asdict(each) for each in passes],
    }
    path.write_text(json.dumps(told, indent=1) + "\n")


def read(path: Path) -> tuple[list[Pass], dict[str, str], dict[str, str]]:
    """
    @return: what L{write} was given.
    """
    told: dict[str, Any] = json.loads(path.read_text())
    return [Pass(**each) for each in told["passes"]], told["system"], told["skipped"]


def chosen(passes: Sequence[Pass], asked: argparse.Namespace) -> list[Pass]:
    """
    @return: those of the passes that are asked for.
    """
    workloads = {each.name for each in asked.workloads}
    servers = {each.name for each in asked.servers}
    return [
        each
        for each in passes
        if each.workload in workloads and (not asked.server or each.server in servers)
    ]


def tell(text: str) -> None:
    """
    Say what goes on: beside what is printed.
    """
    print(text, file=sys.stderr, flush=True)


def measure(
    asked: argparse.Namespace, arguments: Sequence[str]
) -> tuple[list[Pass], dict[str, str], dict[str, str]]:
    """
    @return: the passes, what there is to say of the run, and what servers that were
        left out are in want of.
    """
    python = asked.python or peersPython()
    skipped = missing(asked.servers, python)
    for name, wanted in skipped.items():
        tell(f"{name} is left out, without {wanted}; see --install")
    servers: list[Server] = [each for each in asked.servers if each.name not in skipped]
    found = loads(asked.slow_load)
    for said in found.warnings():
        tell(said)
    system = systemOf(arguments, found)
    passes: list[Pass] = []
    with tempfile.TemporaryDirectory() as folder:
        pem = certificate(Path(folder))
        race = Race(found, python, pem, asked.warm, asked.seconds)
        try:
            for each in runAll(race, servers, asked.workloads, asked.rounds, tell):
                passes.append(each)
        except KeyboardInterrupt:
            tell("interrupted: these are the figures so far")
    return passes, system, skipped


def main(arguments: Sequence[str]) -> int:
    """
    Run.

    @return: the exit code: 0 if all was measured.
    """
    asked = parse(arguments)
    if asked.install:
        try:
            install(tell)
        except CannotInstall as error:
            tell(str(error))
            return 1
        return 0
    if asked.list:
        for server in asked.servers:
            print(f"{server.name:16} {server.title}")
        for workload in asked.workloads:
            print(f"{workload.name:16} {workload.title}")
        return 0
    if asked.read:
        passes, system, skipped = read(asked.read)
        passes = chosen(passes, asked)
    else:
        passes, system, skipped = measure(asked, arguments)
    if asked.json:
        write(asked.json, passes, system, skipped)
    print(report(passes, system, skipped))
    if asked.plot:
        asked.plot.write_text(plot(passes))
    return int(any(each.failed for each in passes))
