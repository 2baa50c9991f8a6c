# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Programs that tests run and talk to.
"""

from __future__ import annotations

import os
import re
import sys
from itertools import islice
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import (
    ProcessDone,
    ProcessExitedAlready,
    ProcessTerminated,
)
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

TWISTD = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]


class Program(ProcessProtocol):
    """
    A child process.

    @ivar output: what it wrote to its standard output and error so far.
    @ivar ended: fires with its exit code, or the negative number of the signal that
        ended it.
    """

    def __init__(self) -> None:
        self.output = ""
        self.ended: Deferred[int] = Deferred()
        self._awaited: list[tuple[re.Pattern[str], int, Deferred[Any]]] = []

    def whenSaid(self, pattern: str, times: int = 1) -> Deferred[re.Match[str]]:
        """
        @return: a Deferred of a match of C{pattern} in the output, once there are so
            many: of the last of these.  It fails when the program ends without saying
            that.
        """
        said: Deferred[Any] = Deferred()
        self._awaited.append((re.compile(pattern), times, said))
        self._look()
        return said

    def signal(self, name: str) -> None:
        """
        Send a signal.
        """
        self.transport.signalProcess(name)

    def stop(self) -> Deferred[int]:
        """
        Kill it, if it lives.
        """
        if not self.ended.called:
            try:
                self.signal("KILL")
            except ProcessExitedAlready:
                pass  # its end is on its way
        return self.ended

    def _look(self) -> None:
        for each in list(self._awaited):
            pattern, times, said = each
            found = next(islice(pattern.finditer(self.output), times - 1, None), None)
            if found:
                self._awaited.remove(each)
                said.callback(found)

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        self.output += data.decode("utf-8", "replace")
        self._look()

    def processEnded(self, reason: Failure) -> None:
        awaited, self._awaited = self._awaited, []
        for pattern, _, said in awaited:
            said.errback(AssertionError(f"no {pattern.pattern!r} in {self.output}"))
        reason.trap(ProcessDone, ProcessTerminated)
        if reason.value.signal is not None:
            self.ended.callback(-reason.value.signal)
        else:
            self.ended.callback(reason.value.exitCode)


def run(arguments: list[str], directory: str = ".") -> Program:
    """
    Start a program.
    """
    program = Program()
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    reactor.spawnProcess(  # type: ignore[attr-defined]
        program, arguments[0], arguments, environment, path=directory
    )
    return program


def twistd(*arguments: str, directory: str = ".") -> Program:
    """
    Start twistd in the foreground, without a file for its process id.
    """
    return run([*TWISTD, "-n", "--pidfile=", *arguments], directory)
