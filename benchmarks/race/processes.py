# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The processes of servers: how they are started, each on its core, and what they hold.
"""

from __future__ import annotations

import os
import resource
import select
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from benchmarks.readings import resident

from .check import Wrong
from .servers import Server
from .workloads import Workload

SECONDS = 30.0
"""
How long a server may take to start.
"""


def cores() -> tuple[int, int] | None:
    """
    @return: the core for the server and that for the load; C{None} if there are not two
        of them.
    """
    allowed = sorted(os.sched_getaffinity(0))
    return (allowed[0], allowed[-1]) if len(allowed) > 1 else None


def prepared(core: int | None) -> Callable[[], None]:
    """
    @return: what a process is to do before it becomes another: stay on a core, and
        have as many descriptors as it may have.
    """

    def prepare() -> None:
        if core is not None:
            os.sched_setaffinity(0, {core})
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    return prepare


class Running:
    """
    A server that runs.

    @ivar port: where it listens.
    @ivar versions: of what.
    """

    def __init__(self, process: subprocess.Popen[str], log: IO[bytes]) -> None:
        self._process = process
        self._log = log
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], SECONDS)
        line = process.stdout.readline() if ready else ""
        port, _, self.versions = line.strip().partition(" ")
        if not port.isdigit():
            raise Wrong(f"it did not start: {self.said() or line}")
        self.port = int(port)

    def said(self) -> str:
        """
        @return: the last line that it wrote to stderr.
        """
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    def pids(self) -> list[int]:
        """
        @return: the process and all below it.
        """
        parents: dict[int, list[int]] = {}
        for each in Path("/proc").iterdir():
            if each.name.isdigit():
                try:
                    fields = (each / "stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                parents.setdefault(int(fields[1]), []).append(int(each.name))
        found = [self._process.pid]
        for pid in found:
            found += parents.get(pid, [])
        return found

    def memory(self) -> int:
        """
        @return: bytes of resident memory, of all of them.
        """
        return sum(map(resident, self.pids()))


@contextmanager
def running(
    server: Server, workload: Workload, python: str, pem: str
) -> Iterator[Running]:
    """
    Have a server for as long as it is used.

    @raise Wrong: if it does not start.
    """
    pinned = cores()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            server.command(python, workload, pem),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=tempfile.gettempdir(),
            env=server.variables(),
            preexec_fn=prepared(pinned[0] if pinned else None),
        )
        try:
            yield Running(process, log)
        finally:
            process.kill()
            process.communicate()
