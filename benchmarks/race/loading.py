# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The load: the program in C in the folder C{load}, compiled when it is first needed; or
L{benchmarks.race.slow}, where there is no compiler.

Its arguments are C{name=value}: C{port}; C{mode}, C{connections} and C{depth} as in
L{Workload}; C{tls}; C{raw}: without the protocol; C{messages} and C{request}: files;
C{warm} and C{seconds}: how long without and with taking the time; C{pids}: whose CPU is
taken.  It prints one object of JSON, with C{failed} in it if something was not right.
An idle one prints C{open} before, when all connections are there, and waits for a line.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from .check import Wrong
from .messages import Message, requestFor
from .processes import Running, cores, prepared
from .servers import ROOT, cacheFolder
from .workloads import Workload

SOURCES = Path(__file__).parent / "load"
SLOW = [sys.executable, "-m", "benchmarks.race.slow"]
PATIENCE = 30.0
"""
Seconds that it may take to end when it has said all.
"""


@dataclass(frozen=True)
class Loads:
    """
    What there is to make the load with.

    @ivar plain: the command for workloads without TLS.
    @ivar secure: that for those with TLS.
    """

    plain: list[str]
    secure: list[str]

    def command(self, workload: Workload) -> list[str]:
        """
        @return: the one for a workload.
        """
        return self.secure if workload.isTLS else self.plain

    def warnings(self) -> list[str]:
        """
        @return: what to say about figures that are not to be trusted.
        """
        said = []
        if self.plain == SLOW:
            said.append(
                "There is no C compiler here, so the load is made by Python, which is"
                " slower than some of the servers: do not trust these figures."
            )
        elif self.secure == SLOW:
            said.append(
                "OpenSSL's headers are not there, so the load over TLS is made by"
                " Python, which is slower than some of the servers: do not trust the"
                " figures of TLS."
            )
        return said


def loads(forcePython: bool = False) -> Loads:
    """
    Compile the program, unless it is there.

    @param forcePython: act as if there was no compiler.
    """
    compiler = os.environ.get("CC") or "cc"
    if forcePython or shutil.which(compiler) is None:
        return Loads(SLOW, SLOW)
    secure = _compile(compiler, "load-tls", ["-DWITH_TLS"], ["-lssl", "-lcrypto"])
    plain = _compile(compiler, "load", [], []) if secure is None else secure
    return Loads(plain or SLOW, secure or SLOW)


def _compile(
    compiler: str, name: str, options: list[str], libraries: list[str]
) -> list[str] | None:
    """
    @return: the command, if it could be compiled.
    """
    sources = sorted(SOURCES.glob("*.c"))
    texts = b"".join(each.read_bytes() for each in sorted(SOURCES.iterdir()))
    folder = cacheFolder()
    program = folder / f"{name}-{sha256(texts).hexdigest()[:12]}"
    if program.exists():
        return [str(program)]
    folder.mkdir(parents=True, exist_ok=True)
    partial = program.with_suffix(f".{os.getpid()}")
    inputs = [*options, *map(str, sources)]
    command = [compiler, "-O2", *inputs, *libraries, "-o", str(partial)]
    if subprocess.run(command, capture_output=True).returncode:
        return None
    partial.rename(program)
    return [str(program)]


def run(
    loads: Loads,
    running: Running,
    workload: Workload,
    messages: list[Message],
    isRaw: bool,
    warm: float,
    seconds: float,
    whenOpen: Callable[[], object],
) -> dict[str, Any]:
    """
    Load a server.

    @param whenOpen: called when all idle connections are there.
    @return: what was measured.
    @raise Wrong: if something was not right.
    """
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder, "messages")
        packed.write_bytes(b"".join(each.packed() for each in messages))
        request = Path(folder, "request")
        request.write_bytes(requestFor(workload))
        arguments = {
            "port": running.port,
            "mode": workload.mode,
            "connections": workload.connections,
            "depth": workload.depth,
            "tls": int(workload.isTLS),
            "raw": int(isRaw),
            "messages": packed,
            "request": request,
            "warm": warm,
            "seconds": seconds,
            "pids": ",".join(map(str, running.pids())),
        }
        pinned = cores()
        process = subprocess.Popen(
            [
                *loads.command(workload),
                *(f"{name}={value}" for name, value in arguments.items()),
            ],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=prepared(pinned[1] if pinned else None),
        )
        try:
            return _measured(process, whenOpen)
        finally:
            process.kill()
            process.communicate()


def _measured(
    process: subprocess.Popen[str], whenOpen: Callable[[], object]
) -> dict[str, Any]:
    assert process.stdout is not None and process.stdin is not None
    # It gives up by itself when a server says nothing.
    line = process.stdout.readline()
    if line == "open\n":
        whenOpen()
        process.stdin.write("\n")
        process.stdin.flush()
        line = process.stdout.readline()
    try:
        process.wait(PATIENCE)
        told: dict[str, Any] = json.loads(line)
    except (ValueError, subprocess.TimeoutExpired):
        raise Wrong(f"the load ended with {process.returncode}: {line!r}") from None
    if "failed" in told:
        raise Wrong(told["failed"])
    return told
