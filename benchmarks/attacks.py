# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What attacks cost a server: this one, and others::

    python -m benchmarks.attacks [--peer NAME]... [--attack NAME]...

Each of L{tests.hostile.attacks} is carried out against an echo server in a process of
its own, with the limits that its library has by default.  Beside it an honest client
asks for one echo after another.  Printed is a table in Markdown for each attack: what
came of it, MiB of resident memory by which the server grew at its peak, seconds of CPU
that it took, and seconds that the slowest echo of the honest client took.

What came of it is a close code, a status of HTTP, C{reset}, C{dropped}, C{accepted};
C{held} if the server neither read on nor said anything for three seconds; or C{busy} if
it was so for want of time, with three seconds of CPU or more: then it was given up, and
the figures are those of a beginning.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tests.hostile.attacker import PATIENCE, Attacker, frame
from tests.hostile.attacks import ATTACKS

PEERS = {
    "ours": ("twisted_ws", "benchmarks.peers.ours"),
    "autobahn": ("autobahn", "benchmarks.peers.on_autobahn"),
    "twisted.web": ("wsproto", "benchmarks.peers.on_twisted_web"),
    "websockets": ("websockets", "benchmarks.peers.on_websockets"),
}
"""
By name: a module that is there if the library is, and the one to run.
"""

MEMORY = 4 << 30
"""
Bytes of address space that a server may have: some take all that there is.
"""

SLOW = 60.0
"""
Seconds after which an echo is not waited for any longer.
"""


@dataclass
class Result:
    """
    What an attack has cost.

    @ivar ended: what has ended the connection of the honest client, if something has.
    """

    outcome: str
    growth: float
    cpu: float
    slowest: float
    ended: str = ""

    def row(self, peer: str) -> str:
        """
        @return: a row of the table.
        """
        slowest = f"{self.slowest:.2f}" if self.slowest < SLOW else "never"
        if self.ended:
            slowest = f"its connection ended: {self.ended}"
        return (
            f"| {peer} | {self.outcome} | {self.growth:.1f} | {self.cpu:.2f}"
            f" | {slowest} |"
        )


class Server:
    """
    The process of a peer.

    @ivar port: where it listens.
    @ivar versions: of what.
    """

    def __init__(self, peer: str) -> None:
        command = [sys.executable, "-m", PEERS[peer][1]]
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
        )
        assert self._process.stdout is not None
        port, _, self.versions = self._process.stdout.readline().strip().partition(" ")
        self.port = int(port)

    def memory(self, name: str) -> float:
        """
        @return: MiB, or 0 if it has died.
        """
        try:
            text = Path(f"/proc/{self._process.pid}/status").read_text()
            return int(re.findall(rf"{name}:\s+(\d+)", text)[0]) / 1024
        except (OSError, IndexError):
            return 0.0

    def forgetPeak(self) -> None:
        """
        Have VmHWM count anew: the peak of its start is none of an attack.
        """
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")

    def cpu(self) -> float:
        """
        @return: seconds.
        """
        text = Path(f"/proc/{self._process.pid}/stat").read_text()
        user, system = text.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def hasDied(self) -> bool:
        """
        Tell whether it has.
        """
        return self._process.poll() is not None

    def stop(self) -> None:
        """
        Kill it.
        """
        self._process.kill()
        self._process.communicate()


class Honest(threading.Thread):
    """
    A client that does nothing wrong.

    @ivar slowest: seconds that its slowest echo took.
    @ivar ended: what has ended its connection, empty if nothing has.
    """

    def __init__(self, port: int) -> None:
        threading.Thread.__init__(self, daemon=True)
        self.slowest = 0.0
        self.ended = ""
        self._attacker = Attacker(port)
        self._over = threading.Event()

    def run(self) -> None:
        """
        Ask for echoes until it is told to stop.
        """
        size = 0
        while not self._over.is_set():
            began = time.monotonic()
            self._attacker.send([frame(0x82, bytes(100))])
            size += 100
            self._attacker.wait(lambda size=size: self._attacker.messages >= size, SLOW)
            came = self._attacker.messages >= size
            took = time.monotonic() - began if came else SLOW
            self.slowest = max(self.slowest, took)
            if not came:
                self.ended = self._attacker.outcome
                break
            self._over.wait(0.02)

    def stop(self) -> None:
        """
        Have it stop.
        """
        self._over.set()
        self.join()
        self._attacker.__exit__()


@contextmanager
def served(peer: str) -> Iterator[Server]:
    """
    Run a server for a while.
    """
    server = Server(peer)
    try:
        yield server
    finally:
        server.stop()


def measure(peer: str, attack: str) -> tuple[Result, str]:
    """
    Carry an attack out.

    @return: the result, and what it was carried out against.
    """
    with served(peer) as server:
        honest = Honest(server.port)
        honest.start()
        time.sleep(0.2)
        server.forgetPeak()
        memory, cpu = server.memory("VmRSS"), server.cpu()
        outcome = ATTACKS[attack](server.port)
        honest.stop()
        growth = max(0.0, server.memory("VmHWM") - memory)
        took = server.cpu() - cpu
        if server.hasDied():
            outcome = "the server died"
        elif outcome == "held" and took >= PATIENCE:
            # It was at work all the time: that it did not read on was no choice, and
            # what it would have come to was not seen.
            outcome = "busy"
        result = Result(outcome, growth, took, honest.slowest, honest.ended)
        return result, server.versions


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """
    @return: the lists C{peer} and C{attack}.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.attacks",
        description="Attack echo servers, and print what it costs them.",
    )
    for name, known in (("peer", list(PEERS)), ("attack", list(ATTACKS))):
        parser.add_argument(
            f"--{name}",
            action="append",
            choices=known,
            metavar="NAME",
            help=f"one of {', '.join(known)}; can be repeated (default: all)",
        )
    options = parser.parse_args(arguments)
    options.peer = options.peer or [
        peer for peer, (module, _) in PEERS.items() if find_spec(module)
    ]
    options.attack = options.attack or list(ATTACKS)
    return options


def main(arguments: Sequence[str]) -> None:
    """
    Run.
    """
    options = parse(arguments)
    for attack in options.attack:
        told = " ".join((ATTACKS[attack].__doc__ or "").split())
        print(f"\n### {attack}\n\n{told}\n")
        print("| server | outcome | MiB | CPU s | slowest honest echo, s |")
        print("|---|---|---:|---:|---:|", flush=True)
        for peer in options.peer:
            result, versions = measure(peer, attack)
            print(result.row(f"{peer} ({versions})"), flush=True)
    command = " ".join(["python -m benchmarks.attacks", *arguments])
    system = f"Linux {platform.release()}, {os.cpu_count()} CPUs"
    print(f"\n`{command}`, Python {platform.python_version()}, {system}")


if __name__ == "__main__":
    main(sys.argv[1:])
