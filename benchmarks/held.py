# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
How many idle connections a server process holds, and what they cost::

    python -m benchmarks.held [--connections 10000] [--seconds 60] [--tls]

The server is a process of its own with the default options, that is with a ping after
20 seconds of silence.  The clients are sockets of this process that do nothing but
answer these.  It prints what each connection takes of the server's resident memory and
of the kernel's, and the seconds of CPU that the server uses in a minute when nothing
but its pings and their answers is on the wire, and what its garbage collector does
meanwhile.  The exit code is 0 if all connections
are still there at the end.

Both processes need a descriptor for each connection, so the limit of C{ulimit -Hn} is
how many there can be.
"""

from __future__ import annotations

import gc
import resource
import socket
import ssl
import sys
from argparse import ArgumentParser, Namespace
from select import EPOLLIN, epoll
from time import monotonic, perf_counter
from typing import Any

from benchmarks.readings import Reading, Watch, Watched, cpuSeconds, resident

PER_ADDRESS = 5_000
"""
Connections of one source address: some of what there are ports for, since those of an
earlier run may not be free yet.
"""

PING = b"\x89\x00"
PONG = b"\x8a\x80\x00\x00\x00\x00"
REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\n\r\n"
)


def allDescriptors() -> int:
    """
    Have as many descriptors as this process may have.

    @return: how many.
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class Collections:
    """
    The rounds of the garbage collector, since the last time that they were asked for.
    """

    def __init__(self) -> None:
        self._rounds, self._seconds, self._begun = 0, 0.0, 0.0
        gc.callbacks.append(self._called)

    def _called(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._begun = perf_counter()
        else:
            self._rounds += 1
            self._seconds += perf_counter() - self._begun

    def take(self) -> Reading:
        """
        Their number and the seconds that they took.
        """
        taken = {"rounds": self._rounds, "collecting": self._seconds}
        self._rounds, self._seconds = 0, 0.0
        return taken


class Holding(Watch):
    """
    The server.
    """

    def __init__(self, isSecure: bool) -> None:
        from benchmarks.readings import reactor
        from twisted_ws import MessageReceiver, ServerConfig, WebSocketFactory

        allDescriptors()
        config = ServerConfig(maxConnections=1_000_000)
        self.factory = WebSocketFactory(MessageReceiver, config)
        if isSecure:
            import trustme
            from twisted.internet.ssl import PrivateCertificate

            issued = trustme.CA().issue_cert("localhost")
            pem = issued.private_key_and_cert_chain_pem.bytes()
            options = PrivateCertificate.loadPEM(pem).options()
            port = reactor.listenSSL(0, self.factory, options, 1024, "127.0.0.1")
        else:
            port = reactor.listenTCP(0, self.factory, 1024, "127.0.0.1")
        self.collections = Collections()
        Watch.__init__(self, port=port.getHost().port)
        reactor.run()

    def before(self) -> Reading:
        """
        What the garbage collector has done since the last reading.
        """
        return self.collections.take()

    def more(self) -> Reading:
        """
        How many are connected.
        """
        self.collections.take()
        return {"connections": len(self.factory.connections)}


class Holders:
    """
    The clients.

    @ivar pongs: how many pings they have answered.
    @ivar lost: how many connections the server has ended.
    """

    def __init__(self, port: int, isSecure: bool) -> None:
        self.pongs = self.lost = 0
        self._port = port
        self._epoll = epoll()
        self._sockets: dict[int, Any] = {}
        self._context: ssl.SSLContext | None = None
        if isSecure:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self._context.check_hostname = False
            self._context.verify_mode = ssl.CERT_NONE

    def connect(self) -> None:
        """
        Make one more connection.
        """
        source = f"127.0.0.{1 + len(self._sockets) // PER_ADDRESS}"
        client: Any = socket.create_connection(
            ("127.0.0.1", self._port), 30, (source, 0)
        )
        if self._context is not None:
            client = self._context.wrap_socket(client)
        client.sendall(REQUEST)
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            data = client.recv(4096)
            if not data:
                raise ConnectionError(f"the server answered {answer!r}")
            answer += data
        if b" 101 " not in answer.split(b"\r\n")[0]:
            raise ConnectionError(f"the server answered {answer!r}")
        client.setblocking(False)
        self._sockets[client.fileno()] = client
        self._epoll.register(client.fileno(), EPOLLIN)

    def answer(self, until: float) -> None:
        """
        Answer pings until then.
        """
        while True:
            ready = self._epoll.poll(max(0, until - monotonic()), 1000)
            for descriptor, _ in ready:
                self._read(descriptor)
            if not ready and monotonic() >= until:
                return

    def _read(self, descriptor: int) -> None:
        client = self._sockets[descriptor]
        try:
            data = client.recv(4096)
        except (BlockingIOError, ssl.SSLWantReadError):
            return  # a TLS session ticket, say
        except OSError:
            data = b""
        if data == PING:
            self.pongs += 1
            client.sendall(PONG)
            return
        if data:
            print(f"the server sent {data!r}", file=sys.stderr)
        self.lost += 1
        self._epoll.unregister(descriptor)
        self._sockets.pop(descriptor).close()

    def close(self) -> None:
        """
        Leave, all at once.
        """
        for client in self._sockets.values():
            client.close()
        self._sockets.clear()
        self._epoll.close()


def kernel() -> dict[str, int]:
    """
    @return: the bytes that the kernel uses for the buffers of TCP, and for all of its
        objects; of both ends of each connection.
    """
    with open("/proc/net/sockstat") as file:
        (line,) = (line for line in file if line.startswith("TCP:"))
    with open("/proc/meminfo") as meminfo:
        (slab,) = (each for each in meminfo if each.startswith("Slab:"))
    words = line.split()
    pages = int(words[words.index("mem") + 1])
    return {
        "buffers": pages * resource.getpagesize(),
        "slab": int(slab.split()[1]) * 1024,
    }


def hold(asked: Namespace) -> bool:
    """
    Connect, wait, and print.

    @return: whether all of them were held.
    """
    server = Watched("benchmarks.held", *(["tls"] if asked.tls else []))
    holders = Holders(server.said["port"], asked.tls)
    before, kernelBefore = server.reading(), kernel()
    begun, cpu = monotonic(), cpuSeconds(server.pid)
    count = asked.connections
    for number in range(count):
        holders.connect()
        if number % 200 == 0:
            holders.answer(monotonic())
    took, cpu = monotonic() - begun, cpuSeconds(server.pid) - cpu
    print(f"{count:,} connections in {took:.1f} s, {cpu:.1f} s of the server's CPU")
    fresh = resident(server.pid)
    print(f"memory when they are there: {_each(fresh - before['rss'], count)}")
    # The first pings of all.
    holders.answer(monotonic() + 2 * 20)
    server.reading()
    pongs, begun, cpu = holders.pongs, monotonic(), cpuSeconds(server.pid)
    holders.answer(begun + asked.seconds)
    minutes = (monotonic() - begun) / 60
    cpu = (cpuSeconds(server.pid) - cpu) / minutes
    rate = (holders.pongs - pongs) / minutes
    after = server.reading()
    print(f"memory when they were idle: {_each(after['rss'] - before['rss'], count)}")
    for name, size in kernel().items():
        both = _each((size - kernelBefore[name]) / 2, count)
        print(f"the kernel's {name}, half of both ends: {both}")
    print(f"idle: {cpu:.2f} s of CPU a minute, for {rate:,.0f} pings")
    print(
        f"rounds of the garbage collector meanwhile: {after['rounds']},"
        f" {after['collecting']:.3f} s"
    )
    print(
        f"{after['connections']:,} held, {holders.lost:,} lost,"
        f" {after['critical']} critical events"
    )
    begun = monotonic()
    holders.close()
    while server.reading()["connections"] and monotonic() < begun + 60:
        pass
    print(f"gone {monotonic() - begun:.1f} s after the clients")
    server.stop()
    return bool(after["connections"] == count and not after["critical"])


def _each(size: float, count: int) -> str:
    return f"{size / (1 << 20):.1f} MiB, {size / count:,.0f} bytes each"


def main() -> bool:
    """
    @return: whether all were held.
    """
    parser = ArgumentParser(prog="python -m benchmarks.held")
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60, help="of idling")
    parser.add_argument("--tls", action="store_true")
    asked = parser.parse_args()
    most = allDescriptors() - 50
    if asked.connections > most:
        parser.error(f"there are descriptors for {most:,} connections here")
    return hold(asked)


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        Holding(isSecure="tls" in sys.argv)
    else:
        sys.exit(not main())
