# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What a connection that floods an echo server with tiny messages does to the others::

    python -m benchmarks.fairness [--connections 1000] [--seconds 10]

The others send one message of 32 bytes at a time, each 20 times in 10 seconds, and the
time until its echo is what is printed: without the flood, and with it, once as the
server is and once without C{framesPerTurn}.  The flood comes from a process of its own
that sends frames of 2 bytes as fast as it can and reads their echoes.
"""

from __future__ import annotations

import random
import socket
import sys
from argparse import ArgumentParser
from multiprocessing import Event, Process
from select import EPOLLIN, epoll
from time import monotonic
from typing import Any

from benchmarks.held import REQUEST, allDescriptors
from benchmarks.readings import Watch, Watched

MESSAGE = b"\x82\xa0" + bytes(36)
ECHO = len(MESSAGE) - 4
TINY = (b"\x82\x82" + bytes(6)) * 8192


def serve() -> None:
    """
    Be the server.
    """
    from benchmarks.peers.ours import Echo
    from benchmarks.readings import reactor
    from twisted_ws import ServerConfig, WebSocketFactory

    allDescriptors()
    config = ServerConfig(
        maxConnections=1_000_000, keepalive=False, framesPerTurn=int(sys.argv[2])
    )
    port = reactor.listenTCP(0, WebSocketFactory(Echo, config), 1024, "127.0.0.1")
    Watch(port=port.getHost().port)
    reactor.run()


def connect(port: int) -> socket.socket:
    """
    @return: a connection that is open.
    """
    client = socket.create_connection(("127.0.0.1", port), 30)
    client.sendall(REQUEST)
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += client.recv(4096)
    return client


def flood(port: int, begun: Any) -> None:
    """
    Send tiny messages for ever, and read what comes back.
    """
    client = connect(port)
    client.setblocking(False)
    waiting = b""
    begun.set()
    while True:
        try:
            waiting = waiting or TINY
            waiting = waiting[client.send(waiting) :]
        except BlockingIOError:
            pass
        try:
            client.recv(1 << 18)
        except BlockingIOError:
            pass


def measure(clients: dict[int, socket.socket], seconds: float) -> list[float]:
    """
    Have clients talk, one message at a time each.

    @return: the seconds from each message to its echo, sorted.
    """
    poll = epoll()
    for each in clients:
        poll.register(each, EPOLLIN)
    chance = random.Random(1)
    begun = monotonic()
    due = sorted((begun + chance.random() * seconds, each) for each in clients)
    due = sorted(due * max(1, int(seconds * 2)))
    moments = [begun + chance.random() * seconds for _ in due]
    queue = sorted(zip(moments, (each for _, each in due), strict=True), reverse=True)
    sent: dict[int, float] = {}
    took: list[float] = []
    while queue or sent:
        now = monotonic()
        if now > begun + seconds + 30:
            break
        while queue and queue[-1][0] <= now:
            _, each = queue.pop()
            if each not in sent:
                clients[each].sendall(MESSAGE)
                sent[each] = monotonic()
        wait = 0.01 if not queue else max(0.0, min(0.01, queue[-1][0] - now))
        for each, _ in poll.poll(wait):
            if len(clients[each].recv(4096)) == ECHO:
                took.append(monotonic() - sent.pop(each))
    return sorted(took)


def report(what: str, took: list[float]) -> None:
    """
    Print a line of the table.
    """
    parts = (0.5, 0.99, 1)
    times = [took[min(len(took) - 1, int(part * len(took)))] * 1000 for part in parts]
    print(f"| {what} | {len(took):,} |" + "".join(f" {each:.1f} |" for each in times))


def main() -> None:
    """
    Run the benchmark.
    """
    parser = ArgumentParser(prog="python -m benchmarks.fairness")
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10.0)
    asked = parser.parse_args()
    allDescriptors()
    print("| | echoes | median ms | 99 % | longest |\n|---|---|---|---|---|")
    for what, frames, isFlooded in (
        ("quiet", 512, False),
        ("flooded", 512, True),
        ("flooded, without `framesPerTurn`", 1 << 40, True),
    ):
        server = Watched("benchmarks.fairness", str(frames))
        begun = Event()
        port = server.said["port"]
        flooding = Process(target=flood, args=(port, begun))
        made = [connect(port) for _ in range(asked.connections)]
        clients = {client.fileno(): client for client in made}
        if isFlooded:
            flooding.start()
            begun.wait()
        report(what, measure(clients, asked.seconds))
        if isFlooded:
            flooding.kill()
        for client in made:
            client.close()
        server.stop()


if __name__ == "__main__":
    if len(sys.argv) > 2 and sys.argv[1].startswith("/"):
        serve()
    else:
        main()
