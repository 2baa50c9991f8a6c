# -*- test-case-name: tests.conformance.test_command -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The command line; see README.md.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from twisted.internet.task import react

from .cases import GROUPS
from .install import CannotRun, NoPython27, Suite, cacheFolder, install
from .peers import PEERS
from .run import Plan, Run
from .verdict import score


def tell(line: str) -> None:
    """
    Say something at once.
    """
    print(line, flush=True)


def parse(arguments: list[str] | None = None) -> Namespace:
    """
    Read the command line.
    """
    parser = ArgumentParser(
        "python -m tests.conformance",
        description="Run the Autobahn Testsuite against an echo server or client.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    everywhere = ArgumentParser(add_help=False)
    everywhere.add_argument(
        "--cache", type=Path, default=cacheFolder(), help="where the suite is kept"
    )
    running = ArgumentParser(add_help=False, parents=[everywhere])
    running.add_argument(
        "--jobs",
        type=int,
        default=min(2, os.cpu_count() or 1),
        help="how many pairs of processes share the cases (default: %(default)s)",
    )
    running.add_argument(
        "--timeout",
        type=float,
        default=7200.0,
        help="seconds for a run (default: %(default)g)",
    )
    running.add_argument(
        "--reports",
        type=Path,
        help="a new folder for the reports (default: a temporary one, which is "
        "removed when all is well)",
    )
    running.add_argument("--json", type=Path, help="write what came of it there")
    for role in ("server", "client"):
        command = commands.add_parser(role, parents=[running], help=f"test a {role}")
        command.add_argument(
            "cases",
            nargs="*",
            default=["all"],
            metavar="CASE",
            help=f"a group ({', '.join(GROUPS)}), a case, or a pattern of cases",
        )
        command.add_argument("--peer", choices=PEERS, default="twisted_ws")
        over = ["tcp", "tls", "web"] if role == "server" else ["tcp", "tls"]
        command.add_argument("--over", choices=over, default="tcp")
        command.add_argument("--version", type=int, choices=[13, 8], default=13)
    commands.add_parser(
        "ci",
        parents=[running],
        help="the groups quick and limits, both roles, over TCP; where there is no "
        "CPython 2.7, nothing",
    )
    commands.add_parser("install", parents=[everywhere], help="install the suite")
    options = parser.parse_args(arguments)
    if options.command in ("server", "client"):
        peer = PEERS[options.peer]
        if not peer.isInstalled:
            parser.error(f"{peer.name} is not installed")
        if options.over not in peer.over[options.command]:
            parser.error(f"{peer.name} cannot be tested over {options.over} here")
        if options.version not in peer.versions:
            parser.error(f"{peer.name} does not speak version {options.version}")
    if getattr(options, "jobs", 1) < 1:
        parser.error("--jobs is a number over 0")
    return options


def plans(options: Namespace) -> list[Plan]:
    """
    @return: what the command line asks for.
    """
    if options.command == "ci":
        ours = PEERS["twisted_ws"]
        return [Plan(ours, role, ("quick", "limits")) for role in ("server", "client")]
    return [
        Plan(
            PEERS[options.peer],
            options.command,
            tuple(options.cases),
            options.over,
            options.version,
        )
    ]


async def carryOut(reactor: Any, suite: Suite, options: Namespace) -> int:
    """
    Run what is asked for, and tell of it.

    @return: the exit status.
    """
    base = options.reports
    if base is None:
        base = Path(tempfile.mkdtemp(prefix="conformance-"))
    verdicts = []
    try:
        for plan in plans(options):
            folder = base / plan.role
            folder.mkdir(parents=True)
            run = Run(reactor, suite, plan, folder)
            verdicts.append(await run.run(options.jobs, options.timeout))
            tell("\n".join([*verdicts[-1].lines(), ""]))
        if options.json:
            told = [verdict.asJSON() for verdict in verdicts]
            options.json.write_text(json.dumps(told, indent=1) + "\n")
    except (CannotRun, OSError, ValueError) as error:
        tell(f"CONFORMANCE NOT RUN: {error}")
        return 2
    isAcceptable = all(verdict.isAcceptable for verdict in verdicts)
    if isAcceptable and options.reports is None:
        shutil.rmtree(base)
    else:
        tell(f"reports: {base}")
    tell(score(verdicts))
    return 0 if isAcceptable else 1


async def main(reactor: Any, suite: Suite, options: Namespace) -> None:
    """
    Be the program, with a suite.
    """
    raise SystemExit(await carryOut(reactor, suite, options))


def start() -> None:
    """
    Be the program.
    """
    options = parse()
    try:
        suite = install(options.cache, tell)
    except CannotRun as error:
        tell(f"CONFORMANCE NOT RUN: {error}")
        # A machine without it is not a machine where something is wrong.
        isExpected = options.command == "ci" and isinstance(error, NoPython27)
        sys.exit(0 if isExpected else 2)
    if options.command == "install":
        tell(f"the Autobahn Testsuite is in {suite.folder}")
    else:
        react(main, [suite, options])


if __name__ == "__main__":
    start()
