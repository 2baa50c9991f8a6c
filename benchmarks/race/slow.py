# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The load where there is no compiler for the one in C.  It takes the same arguments, see
L{benchmarks.race.loading}, and looks at what comes back likewise; but it is slower than
many of the servers.
"""

from __future__ import annotations

import json
import os
import resource
import select
import socket
import ssl
import struct
import sys
from pathlib import Path
from time import monotonic, process_time
from typing import Any

from .messages import Message

PENDING = 64
ADDRESSES = 50
PATIENCE = 10.0
CLOSE = b"\x88\x82" + bytes(4) + b"\x03\xe8"


class Failed(Exception):
    """
    Something was not right; C{str} of it says what.
    """


def unpack(data: bytes) -> list[Message]:
    """
    @return: the messages of a file, see L{Message.packed}.
    """
    messages, at = [], 0
    while at < len(data):
        wireSize, size, flags = struct.unpack_from("=IIB", data, at)
        wire = data[at + 9 : at + 9 + wireSize]
        at += 9 + wireSize
        messages.append(
            Message(data[at : at + size], wire, bool(flags & 1), bool(flags & 2))
        )
        at += size
    return messages


class Load:
    """
    All connections.
    """

    def __init__(self, arguments: dict[str, str]) -> None:
        self.mode = arguments["mode"]
        self.port = int(arguments["port"])
        self.count = int(arguments["connections"])
        self.depth = int(arguments["depth"])
        self.isRaw = arguments["raw"] == "1"
        self.messages = unpack(Path(arguments["messages"]).read_bytes())
        self.request = Path(arguments["request"]).read_bytes()
        self.pids = [each for each in arguments["pids"].split(",") if each]
        self.context: ssl.SSLContext | None = None
        if arguments["tls"] == "1":
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self.context.check_hostname = False
            self.context.verify_mode = ssl.CERT_NONE
        self.epoll = select.epoll()
        self.links: dict[int, Link] = {}
        self.made = self.opened = self.done = 0
        self.now = self.heard = monotonic()
        self.times: list[float] = []
        self.sentAt: list[float] = []
        self.missing: list[int] = []
        self.first: Link | None = None

    def connect(self) -> None:
        """
        Make one more connection.
        """
        link = Link(self, f"127.0.0.{1 + self.made % ADDRESSES}")
        self.made += 1
        self.first = self.first or link
        self.links[link.socket.fileno()] = link
        self.epoll.register(link.socket.fileno(), select.EPOLLIN)
        link.flush()

    def turn(self) -> None:
        """
        Wait for something, and see to it.
        """
        ready = self.epoll.poll(0.1)
        self.now = monotonic()
        for descriptor, _ in ready:
            self.links[descriptor].happened()
        if self.now > self.heard + PATIENCE:
            raise Failed(f"nothing came for {PATIENCE:.0f} seconds")

    def runFor(self, seconds: float) -> None:
        """
        Go on for that long.
        """
        end = monotonic() + seconds
        while self.now < end:
            self.turn()

    def begin(self) -> None:
        """
        Have all connections, and their first messages.
        """
        while self.opened < self.count:
            while self.made < self.count and self.made - self.opened < PENDING:
                self.connect()
            self.turn()
            if self.mode == "churn":
                return
        links = list(self.links.values())
        if self.mode == "broadcast":
            self.runFor(0.5)
            links = links[:1]
        for link in links:
            for _ in range(1 if self.mode == "idle" else self.depth):
                link.post()
            link.flush()

    def usage(self) -> tuple[float, float, float, float]:
        """
        @return: seconds: the time; the server's CPU; how long it waited for a core; and
            our CPU.
        """
        cpu = waited = 0.0
        for pid in self.pids:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            cpu += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
            try:
                schedule = Path(f"/proc/{pid}/schedstat").read_text().split()
            except OSError:
                continue
            waited += int(schedule[1]) / 1e9
        return monotonic(), cpu, waited, process_time()

    def measure(self, warm: float, seconds: float) -> dict[str, Any]:
        """
        @return: what has been measured.
        """
        self.begin()
        self.runFor(warm)
        self.times.clear()
        before, first = self.done, self.usage()
        self.runFor(seconds)
        done, last = self.done - before, self.usage()
        elapsed, cpu, waited, own = (b - a for a, b in zip(first, last, strict=True))
        times = sorted(self.times) or [0.0]
        return {
            "messages": done,
            "seconds": elapsed,
            "cpu": cpu,
            "waited": waited,
            "loadCpu": own,
            "loadWaited": 0.0,
            "median": times[len(times) // 2] * 1e6,
            "p99": times[len(times) * 99 // 100] * 1e6,
        }

    def rest(self) -> dict[str, Any]:
        """
        Have each connection get an echo, and wait.
        """
        self.begin()
        while self.done < self.count:
            self.turn()
        print("open", flush=True)
        sys.stdin.readline()
        return {"messages": self.done}


class Link:
    """
    A connection.
    """

    def __init__(self, load: Load, source: str) -> None:
        self.load = load
        self.begun = load.now
        address = ("127.0.0.1", load.port)
        self.socket: Any = socket.create_connection(address, PATIENCE, (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if load.context is not None:
            self.socket = load.context.wrap_socket(self.socket)
        self.socket.setblocking(False)
        self.received = bytearray()
        self.payload = b""
        self.isInside = self.isOpen = self.isClosed = False
        self.sent = self.got = 0
        self.times: list[float] = []
        self.waiting = bytearray()
        if load.isRaw:
            self.opened()
        else:
            self.waiting += load.request

    def opened(self) -> None:
        """
        The handshake is over.
        """
        self.isOpen = True
        self.load.opened += 1
        if self.load.mode == "churn":
            if self.load.isRaw:
                self.post()
            else:
                self.waiting += CLOSE

    def post(self) -> None:
        """
        Send the next message.
        """
        load = self.load
        self.waiting += load.messages[self.sent % len(load.messages)].wire
        self.sent += 1
        if load.mode == "broadcast":
            load.sentAt.append(load.now)
            load.missing.append(load.count)
        else:
            self.times.append(load.now)

    def flush(self) -> None:
        """
        Send what waits, as far as it goes.
        """
        try:
            while self.waiting:
                del self.waiting[: self.socket.send(self.waiting)]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        out = select.EPOLLOUT if self.waiting else 0
        self.load.epoll.modify(self.socket.fileno(), select.EPOLLIN | out)

    def happened(self) -> None:
        """
        There is something to read, or room to write.
        """
        try:
            while True:
                data = self.socket.recv(1 << 18)
                self.load.heard = self.load.now
                if not data:
                    self.ended()
                    return
                self.received += data
                self.look()
                if self.load.mode == "churn" and self.load.isRaw and self.got:
                    self.ended()
                    return
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        self.flush()

    def ended(self) -> None:
        """
        The connection is over.
        """
        load = self.load
        if load.mode != "churn" or not (self.isClosed or self.got):
            raise Failed("the server dropped a connection")
        load.times.append(load.now - self.begun)
        load.done += not load.isRaw
        load.opened -= 1
        del load.links[self.socket.fileno()]
        self.socket.close()
        load.connect()

    def look(self) -> None:
        """
        Take what is complete of what came.
        """
        if not self.isOpen:
            head, found, rest = self.received.partition(b"\r\n\r\n")
            if not found:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                raise Failed(f"the answer was {bytes(head[:12])!r}")
            self.received = rest
            self.opened()
        if self.load.isRaw:
            while self.received:
                size = len(self.expected().payload)
                if len(self.received) < size:
                    return
                self.complete(bytes(self.received[:size]))
                del self.received[:size]
        while len(self.received) >= 2:
            size, start = self.received[1], 2
            if size > 127:
                raise Failed("the server masks")
            if size > 125:
                start += 2 if size == 126 else 8
                size = int.from_bytes(self.received[2:start], "big")
            if len(self.received) < start + size:
                return
            first = self.received[0]
            payload = bytes(self.received[start : start + size])
            del self.received[: start + size]
            self.frame(first, payload)

    def expected(self) -> Message:
        """
        @return: what has to come next.
        """
        return self.load.messages[self.got % len(self.load.messages)]

    def frame(self, first: int, payload: bytes) -> None:
        """
        A frame came.
        """
        if first == 0x89:
            self.waiting += bytes((0x8A, 0x80 | len(payload))) + bytes(4) + payload
            return
        if first == 0x88:
            if self.load.mode != "churn":
                raise Failed(f"the server closed: {payload!r}")
            self.isClosed = True
            return
        message = self.expected()
        kind = (1 if message.isText else 2) | (0x40 if message.isCompressed else 0)
        if first & 0x7F != (0 if self.isInside else kind):
            raise Failed(f"a frame {first:x} was not expected")
        self.payload += payload
        self.isInside = not first & 0x80
        if not self.isInside:
            whole, self.payload = self.payload, b""
            self.complete(whole)

    def complete(self, payload: bytes) -> None:
        """
        A message came.
        """
        load, message = self.load, self.expected()
        if not message.isCompressed and payload != message.payload:
            raise Failed("a message is not what was sent")
        number = self.got
        self.got += 1
        load.done += 1
        if load.mode == "broadcast":
            load.times.append(load.now - load.sentAt[number])
            load.missing[number] -= 1
            if not load.missing[number] and load.first is not None:
                load.first.post()
                load.first.flush()
        elif load.mode == "echo":
            load.times.append(load.now - self.times.pop(0))
            self.post()


def main() -> int:
    """
    Run.

    @return: the exit code.
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    arguments = dict(each.split("=", 1) for each in sys.argv[1:])
    try:
        load = Load(arguments)
        if load.mode == "idle":
            result = load.rest()
        else:
            seconds = float(arguments["seconds"])
            result = load.measure(float(arguments["warm"]), seconds)
    except (Failed, OSError) as error:
        print(json.dumps({"failed": str(error)}))
        return 1
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
