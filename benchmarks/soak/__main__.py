# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The soak::

    python -m benchmarks.soak [--minutes 20] [--connections 200] [--round 60]

A server process listens on TCP and on TLS; clients come and go in this process, half
of them with permessage-deflate, and about half of them break the rules or have a
network that does: see L{benchmarks.soak.lives} and L{benchmarks.soak.faults}.
After each round all of them are gone, and what the server then holds is read.  The
first round is to warm up.  At the end the readings after the first and after the last
round are compared; the exit code is 0 if the server, and the clients, hold as many
objects, calls and descriptors as then, no memory over C{--bound} more, nothing
critical was logged, and no client saw anything that was not right.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from typing import Any

from twisted.internet.defer import ensureDeferred

from benchmarks.readings import reactor
from benchmarks.soak.rounds import Soak


def arguments() -> Namespace:
    """
    @return: what was asked for.
    """
    parser = ArgumentParser(prog="python -m benchmarks.soak")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--connections", type=int, default=200)
    parser.add_argument("--round", type=float, default=60, help="seconds of each")
    parser.add_argument("--patience", type=float, default=3, help="the server's, in s")
    parser.add_argument("--bound", type=float, default=16, help="MiB of memory more")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


async def main(asked: Namespace) -> int:
    """
    @return: an exit code.
    """
    soak = Soak(asked.patience, asked.seed)
    try:
        until = reactor.seconds() + asked.minutes * 60
        while len(soak.readings) < 3 or reactor.seconds() < until:
            await soak.round(asked.connections, asked.round)
            print(soak.line(), flush=True)
    finally:
        soak.stop()
    print(soak.table(asked.bound))
    return 1 if soak.differences(asked.bound) else 0


if __name__ == "__main__":
    codes: list[int] = []

    def end(result: Any) -> None:
        """
        Keep the exit code, or tell why there is none.
        """
        codes.append(result if isinstance(result, int) else 2)
        if not isinstance(result, int):
            print(result.getTraceback(), file=sys.stderr)
        reactor.stop()

    asked = arguments()
    reactor.callWhenRunning(lambda: ensureDeferred(main(asked)).addCallbacks(end, end))
    reactor.run()
    sys.exit(codes[0])
