# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What a relay needs between a producer that is fast and a consumer that stalls::

    python -m benchmarks.relay [--gib 4] [--svg relay.svg]

A server process has two connections and hands on all messages from one to the other
with L{twisted_ws.pipe}.  The producer, another process, writes messages of 64 KiB as
fast as it can; the consumer, this one, reads in bursts and stops for seconds between
them.  Each message is the next 8,192 numbers, so what comes is compared with what it
has to be, and the checksums of both ends at the end too.

The relay's resident memory is read twice a second, printed as numbers, and drawn.  The
exit code is 0 if all arrived in order and the memory was never more than C{--bound}
over what it was before the first message.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from array import array
from collections.abc import Iterator
from random import Random
from time import monotonic, sleep
from typing import Any
from zlib import crc32

from benchmarks.curve import Curve
from benchmarks.readings import ROOT, Reading, Watch, Watched

SIZE = 1 << 16
NUMBERS = SIZE // 8
MIB = 1 << 20
HEADER = b"\x82\xff" + SIZE.to_bytes(8, "big") + bytes(4)
"""
The header of a client's message, with a mask of zeros: it costs neither end anything.
"""

CLOSE = b"\x88\x82" + bytes(4) + b"\x03\xe8"
PONG = b"\x8a\x80" + bytes(4)


class Relay(Watch):
    """
    The server.
    """

    def __init__(self) -> None:
        from benchmarks.readings import reactor
        from twisted_ws import Inbox, Router, WebSocketFactory

        self._source, self._sink = Inbox(), Inbox()
        self._missing = 2
        self.result = ""
        router = Router()
        router.mount("/source", "*", lambda request: self._take(request, self._source))
        router.mount("/sink", "*", lambda request: self._take(request, self._sink))
        port = reactor.listenTCP(0, WebSocketFactory(router), 50, "127.0.0.1")
        Watch.__init__(self, port=port.getHost().port)
        reactor.run()

    def _take(self, request: Any, receiver: Any) -> None:
        from twisted_ws import pipe

        request.accept(receiver)
        self._missing -= 1
        if not self._missing:
            done = pipe(self._source, self._sink.transport)
            done.addCallbacks(self._done, self._failed)

    def _done(self, ended: Any) -> None:
        self.result = "done" if ended.code == 1000 else str(ended)

    def _failed(self, failure: Any) -> None:
        self.result = failure.getErrorMessage()

    def more(self) -> Reading:
        """
        What became of it.
        """
        return {"result": self.result}


def message(number: int) -> bytes:
    """
    @return: a message's payload.
    """
    first = number * NUMBERS
    return array("Q", range(first, first + NUMBERS)).tobytes()


def openSocket(port: int, path: str) -> socket.socket:
    """
    @return: a socket whose handshake is done.
    """
    opened = socket.create_connection(("127.0.0.1", port))
    opened.sendall(
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        # Byte by byte, since frames may follow.
        byte = opened.recv(1)
        if not byte:
            break
        answer += byte
    if not answer.startswith(b"HTTP/1.1 101 "):
        raise ConnectionError(f"the relay answered {answer!r}")
    return opened


def produce(port: int, count: int) -> None:
    """
    The producer: prints its checksum.
    """
    source = openSocket(port, "/source")
    checksum = 0
    for number in range(count):
        payload = message(number)
        checksum = crc32(payload, checksum)
        source.sendall(HEADER + payload)
    source.sendall(CLOSE)
    while source.recv(4096):
        pass
    print(checksum)


class Consumer:
    """
    The consumer.

    @ivar count: how many messages came, all of them right.
    @ivar checksum: theirs.
    @ivar stalled: for how many seconds it read nothing.
    """

    def __init__(self, port: int, burst: int, stall: float) -> None:
        """
        @param burst: bytes, about, that it reads before it stops.
        @param stall: seconds, at most, that it does.
        """
        self.count = self.checksum = 0
        self.stalled = 0.0
        self._random = Random(1)
        self._burst, self._stall = burst, stall
        self._socket = openSocket(port, "/sink")
        self._file = self._socket.makefile("rb", MIB)

    def consume(self) -> None:
        """
        Read to the end.

        @raise ValueError: when something else came than should.
        """
        left = self._burst
        for payload in self._messages():
            if payload != message(self.count):
                raise ValueError(f"message {self.count:,} is not as it was sent")
            self.checksum = crc32(payload, self.checksum)
            self.count += 1
            left -= len(payload)
            if left <= 0:
                left = self._random.randrange(self._burst // 2, self._burst * 3 // 2)
                pause = self._random.uniform(0, self._stall)
                self.stalled += pause
                sleep(pause)

    def _messages(self) -> Iterator[bytes]:
        parts: list[bytes] = []
        while True:
            header = self._file.read(2)
            if len(header) < 2:
                raise ValueError("the relay left without a Close frame")
            length = header[1]
            if length > 125:
                size = 2 if length == 126 else 8
                length = int.from_bytes(self._file.read(size), "big")
            payload = self._file.read(length)
            opcode = header[0] & 0x0F
            if opcode == 8:
                self._socket.sendall(CLOSE)
                if payload[:2] != b"\x03\xe8":
                    raise ValueError(f"the relay closed with {payload!r}")
                return
            if opcode == 9:
                self._socket.sendall(PONG)
                continue
            parts.append(payload)
            if header[0] & 0x80:
                yield b"".join(parts)
                parts.clear()


def relay(asked: Namespace) -> bool:
    """
    Run it, and print.

    @return: whether all was well.
    """
    count = int(asked.gib * (1 << 30)) // SIZE
    server = Watched("benchmarks.relay")
    port = server.said["port"]
    consumer = Consumer(port, int(asked.burst * MIB), asked.stall)
    before = server.reading()["rss"]
    curve, begun = Curve(server.pid), monotonic()
    curve.start()
    command = [sys.executable, "-m", "benchmarks.relay", "produce", f"{port}"]
    producer = subprocess.Popen(
        [*command, f"{count}"], stdout=subprocess.PIPE, cwd=ROOT
    )
    wrong = []
    try:
        consumer.consume()
    except (OSError, ValueError) as error:
        wrong.append(str(error))
        producer.kill()
    took = monotonic() - begun
    curve.end()
    sent = producer.communicate()[0].decode().strip()
    reading = server.reading()
    server.stop()
    print("\n".join(curve.lines()))
    if asked.svg:
        with open(asked.svg, "w") as file:
            file.write(curve.svg())
    most = max(size for _, size in curve.points)
    received = consumer.count * SIZE / MIB
    print(
        f"{received:,.0f} MiB in {took:.0f} s, of which the consumer stalled"
        f" {consumer.stalled:.0f} s: {received / took:,.0f} MiB/s"
    )
    print(f"checksums: sent {sent}, received {consumer.checksum}")
    print(
        f"memory: {before / MIB:.1f} MiB before, {most / MIB:.1f} MiB at most,"
        f" {reading['rss'] / MIB:.1f} MiB after"
    )
    if sent != str(consumer.checksum) or consumer.count != count:
        wrong.append(f"{consumer.count:,} of {count:,} messages came")
    if reading["result"] != "done":
        wrong.append(f"the pipe ended so: {reading['result']!r}")
    if most - before > asked.bound * MIB:
        wrong.append(f"{(most - before) / MIB:.1f} MiB more, over {asked.bound:g}")
    if reading["critical"]:
        wrong += reading["first"]
    print("\n".join(wrong) or "all is well")
    return not wrong


def main() -> bool:
    """
    @return: whether all was well.
    """
    parser = ArgumentParser(prog="python -m benchmarks.relay")
    parser.add_argument("--gib", type=float, default=4)
    parser.add_argument("--burst", type=float, default=32, help="MiB, about")
    parser.add_argument(
        "--stall", type=float, default=3, help="seconds at most, under 5"
    )
    parser.add_argument("--bound", type=float, default=16, help="MiB of memory more")
    parser.add_argument("--svg", help="draw the curve into this file")
    return relay(parser.parse_args())


if __name__ == "__main__":
    if sys.argv[1:2] == ["produce"]:
        produce(int(sys.argv[2]), int(sys.argv[3]))
    elif len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        Relay()
    else:
        sys.exit(not main())
