# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What it costs to find a route, by the number of routes::

    python -m benchmarks.routes [ROUTES ...]

For each number of exact routes, C{/rooms/0/chat} and so on, it prints microseconds of
CPU per lookup: for the first and the last route that was mounted, for one that is not
there, and for a parameter beside them.  Each is the median of several rounds, without
the garbage collector: its rounds get longer with all that there is, not with lookups.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from statistics import median
from time import process_time
from types import SimpleNamespace
from typing import Any

from twisted_ws import MessageReceiver, Router, ServerConfig

ROUNDS = 9
LOOKUPS = 2000


class Request(SimpleNamespace):
    """
    As much of a request as a router looks at.
    """

    def __init__(self, path: str) -> None:
        SimpleNamespace.__init__(
            self,
            prepath=[],
            postpath=[each.encode() for each in path[1:].split("/")],
            requestedProtocols=("chat",),
            possibleProtocols=("chat",),
            config=ServerConfig(),
            params={},
            protocol=None,
            resource=path,
            peer=None,
        )

    def chooseProtocol(self, spoken: object, preferClient: bool = False) -> None:
        """
        There is none.
        """

    def reject(self, status: int, **response: Any) -> None:
        """
        Nothing was found.
        """


def makeRouter(size: int) -> Router:
    """
    @return: a router with that many exact routes, and one with a parameter.
    """

    def application(request: Any) -> None:
        """
        Answers nothing: it is only to be found.
        """

    router = Router()
    for number in range(size):
        router.mount(f"/rooms/{number}/chat", "chat", application)
    router.mount("/users/{name}/chat", "chat", application)
    router.mount("/echo", "*", MessageReceiver)
    return router


def measure(router: Router, path: str) -> float:
    """
    @return: microseconds of CPU per lookup.
    """
    rounds = []
    for _ in range(ROUNDS):
        requests = [Request(path) for _ in range(LOOKUPS)]
        gc.disable()
        begun = process_time()
        for request in requests:
            router.requestReceived(request)  # type: ignore[arg-type]
        rounds.append((process_time() - begun) / LOOKUPS * 1e6)
        gc.enable()
    return median(rounds)


def main(sizes: Sequence[int]) -> None:
    """
    Print the table.
    """
    print(f"{'routes':>8} {'first':>7} {'last':>7} {'none':>7} {'parameter':>10}")
    for size in sizes:
        router = makeRouter(size)
        figures = [
            measure(router, path)
            for path in (
                "/rooms/0/chat",
                f"/rooms/{size - 1}/chat",
                f"/rooms/{size}/chat",
                "/users/alice/chat",
            )
        ]
        first, last, none, parameter = figures
        print(
            f"{size:>8,} {first:>7.2f} {last:>7.2f} {none:>7.2f} {parameter:>10.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [10, 1_000, 100_000])
