# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What a process holds, told by itself: L{take} reads it, L{Watch} answers it over a
UNIX socket, and L{Watched} runs a process that does and asks it::

    server = Watched("benchmarks.soak.server")
    print(server.said["tcp"], server.reading()["rss"])
    server.stop()
"""

from __future__ import annotations

import gc
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from shutil import rmtree
from time import process_time
from typing import Any

from twisted.internet import reactor as _installed
from twisted.logger import (
    ILogObserver,
    LogLevel,
    globalLogBeginner,
    globalLogPublisher,
)
from twisted.protocols.basic import LineReceiver
from zope.interface import implementer

reactor: Any = _installed

Reading = dict[str, Any]

OF_TWISTED = (
    "twisted.internet.defer.Deferred",
    "twisted.internet.tcp.Client",
    "twisted.internet.tcp.Server",
    "twisted.protocols.tls.TLSMemoryBIOProtocol",
    "twisted.python.failure.Failure",
)
"""
What is counted beside the types of twisted_ws.
"""

ROOT = str(Path(__file__).parent.parent)
PAGE = resource.getpagesize()


@implementer(ILogObserver)
class CriticalEvents:
    """
    An observer of the log that counts what should never be there.

    @ivar count: the critical events.
    @ivar unhandled: those of them that are failures that no Deferred handled.
    @ivar first: the texts of the first of them.
    """

    def __init__(self) -> None:
        self.count = self.unhandled = 0
        self.first: list[str] = []

    def __call__(self, event: Any) -> None:
        """
        See L{ILogObserver}.
        """
        if event.get("log_level") is not LogLevel.critical:
            return
        text = str(event.get("log_format"))
        self.count += 1
        self.unhandled += "Unhandled error in Deferred" in text
        if len(self.first) < 5:
            failure = event.get("log_failure")
            trace = "" if failure is None else failure.getTraceback()
            self.first.append(f"{text}\n{trace}")

    def begin(self) -> None:
        """
        Be the only observer of a process.  The log's own buffer would hold what its
        events name.
        """
        globalLogBeginner.beginLoggingTo(
            [self], redirectStandardIO=False, discardBuffer=True
        )

    def join(self) -> None:
        """
        Observe beside others.
        """
        globalLogPublisher.addObserver(self)

    def leave(self) -> None:
        """
        Observe no more.
        """
        globalLogPublisher.removeObserver(self)


def resident(process: int | str = "self") -> int:
    """
    @return: the bytes of memory that a process has now.
    """
    with open(f"/proc/{process}/statm") as file:
        return int(file.read().split()[1]) * PAGE


def cpuSeconds(process: int) -> float:
    """
    @return: the seconds of CPU that a process has used.
    """
    with open(f"/proc/{process}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def objects() -> dict[str, int]:
    """
    @return: how many objects there are, of each type of twisted_ws, and of those in
        L{OF_TWISTED}.
    """
    counts: Counter[str] = Counter()
    for kind, number in Counter(map(type, gc.get_objects())).items():
        name = f"{kind.__module__}.{kind.__qualname__}"
        if name.startswith("twisted_ws.") or name in OF_TWISTED:
            counts[name] += number
    return dict(counts)


def take(critical: CriticalEvents) -> Reading:
    """
    @return: what this process holds; all but C{uncollected} after a round of the
        garbage collector.
    """
    uncollected = sum(objects().values())
    gc.collect()
    return {
        "rss": resident(),
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "objects": objects(),
        "uncollected": uncollected,
        "delayedCalls": len(reactor.getDelayedCalls()),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "readers": len(reactor.getReaders()),
        "writers": len(reactor.getWriters()),
        "garbage": len(gc.garbage),
        "critical": critical.count,
        "unhandled": critical.unhandled,
        "first": critical.first,
        "cpu": process_time(),
    }


class _Answer(LineReceiver):
    transport: Any
    delimiter = b"\n"

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def lineReceived(self, line: bytes) -> None:
        """
        Whatever is asked, it is for a reading.
        """
        before = self._watch.before()
        reading = before | take(self._watch.critical) | self._watch.more()
        self.transport.write(json.dumps(reading).encode() + b"\n")

    def connectionLost(self, reason: Any = None) -> None:
        """
        Who asked has gone, so there is no use for this process.
        """
        reactor.stop()


class Watch:
    """
    The side of the process that is watched: answers on a UNIX socket, for as long as
    somebody is connected to it.
    """

    def __init__(self, **said: Any) -> None:
        """
        @param said: what the other side has to know.
        """
        from twisted.internet.protocol import Factory

        self.critical = CriticalEvents()
        self.critical.begin()
        factory = Factory()
        factory.noisy = False
        factory.buildProtocol = lambda address: _Answer(self)  # type: ignore[method-assign,assignment]
        reactor.listenUNIX(sys.argv[1], factory)
        print(json.dumps(said), flush=True)

    def before(self) -> Reading:
        """
        What a reading is to have that it would change; to be overridden.
        """
        return {}

    def more(self) -> Reading:
        """
        What else a reading is to have; to be overridden.
        """
        return {}


class Watched:
    """
    A process that is watched.

    @ivar said: what it said of itself.
    @ivar pid: its number.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        self._directory = tempfile.mkdtemp()
        path = os.path.join(self._directory, "readings")
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, path, *arguments],
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        self.pid = self._process.pid
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            rmtree(self._directory)
            raise RuntimeError(f"{module} did not start: {self._process.wait()}")
        self.said: dict[str, Any] = json.loads(line)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._lines = self._socket.makefile("r")

    def reading(self) -> Reading:
        """
        @return: what it holds now.
        """
        self._socket.sendall(b"?\n")
        reading: Reading = json.loads(self._lines.readline())
        return reading

    def stop(self) -> int:
        """
        End it.

        @return: its exit code.
        """
        self._lines.close()
        self._socket.close()
        code = self._process.wait(30)
        assert self._process.stdout is not None
        self._process.stdout.close()
        rmtree(self._directory)
        return code
