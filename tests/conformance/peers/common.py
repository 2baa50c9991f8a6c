# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What the programs under test have in common.  They are run as::

    PROGRAM server OVER VERSION [KEY CERTIFICATE]
    PROGRAM client URL VERSION [CERTIFICATE]

A server listens on any free port of 127.0.0.1, says C{listening on port N}, and sends
back what it gets.  A client asks the fuzzing server at the URL for the number of its
cases, goes through them, has the reports written, and ends.  Both take messages of 16
MiB in 65,537 frames, offer or accept permessage-deflate, and are otherwise as their
users find them; both end when standard input does.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

AGENT = "tested"
"""
What the suite calls who is tested.
"""

DRAFTS = {8: 10, 13: 18}
"""
What the suite, and Autobahn, call the protocol versions: drafts that had them.
"""

MAX_MESSAGE = 16 << 20
"""
The largest messages of the suite have 16 MiB.
"""

MAX_FRAGMENTS = (1 << 16) + 1
"""
It sends messages of 4 MiB in frames of 64 bytes, and then an empty one.
"""

PATIENCE = 60.0
"""
What a client waits for the handshake, in seconds: in some cases the fuzzing server
makes all of those frames before it answers.
"""


@dataclass(frozen=True)
class Arguments:
    """
    How a program is run.

    @ivar role: C{server} or C{client}.
    @ivar where: of a server what it listens on, C{tcp}, C{tls} or C{web}; of a client
        the URL of the fuzzing server.
    @ivar version: the protocol version.
    @ivar files: the files in PEM format: of a server its key and certificate, of a
        client the certificate to trust.
    """

    role: str
    where: str
    version: int
    files: tuple[str, ...]


def begin(arguments: list[str] | None = None) -> Arguments:
    """
    Read the command line, and watch standard input from now on.
    """
    role, where, version, *files = sys.argv[1:] if arguments is None else arguments
    threading.Thread(target=_endWithParent, daemon=True).start()
    return Arguments(role, where, int(version), tuple(files))


def _endWithParent() -> None:
    # The reads go around sys.stdin, whose lock would be held at the end otherwise.
    while os.read(0, 4096):
        pass
    os._exit(3)


def say(port: int) -> None:
    """
    Say where a server listens.
    """
    print(f"listening on port {port}", flush=True)


async def tour(
    base: str,
    fetch: Callable[[str], Awaitable[str | None]],
    echo: Callable[[str], Awaitable[object]],
) -> None:
    """
    Go through all cases of a fuzzing server.

    @param base: its URL.
    @param fetch: called with a URL, returns the one message that is sent there.
    @param echo: called with a URL, sends back what comes there, to the end.
    """
    count = int(await fetch(f"{base}/getCaseCount") or "")
    for case in range(1, count + 1):
        try:
            await echo(f"{base}/runCase?case={case}&agent={AGENT}")
        except Exception:
            # The next may do better.
            traceback.print_exc()
    await fetch(f"{base}/updateReports?agent={AGENT}")
