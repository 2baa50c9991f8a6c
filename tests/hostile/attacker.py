# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
One connection of an attacker: a socket that blocks, and nothing but the standard
library.
"""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
)
DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
MIB = 1 << 20
READ = 1 << 16
PATIENCE = 3.0
"""
Seconds in which a server has to take another byte, or say something.
"""


def frame(first: int, payload: bytes = b"", announced: int | None = None) -> bytes:
    """
    @param announced: the length that the header tells, if not the payload's.
    @return: a frame under the mask of zeros, which changes nothing.
    """
    length = len(payload) if announced is None else announced
    if length < 126:
        header = struct.pack("!BB", first, 0x80 | length)
    elif length < 1 << 16:
        header = struct.pack("!BBH", first, 0xFE, length)
    else:
        header = struct.pack("!BBQ", first, 0xFF, length)
    return header + bytes(4) + payload


def chunked(piece: bytes, times: int) -> Iterator[bytes]:
    """
    @return: many times the same, in chunks of about 64 KiB.
    """
    each = max(1, READ // len(piece))
    yield from repeat(piece * each, times // each)
    yield piece * (times % each)


class Attacker:
    """
    One connection.

    @ivar outcome: what the server has done about it, empty while it does nothing.
    @ivar agreed: whether it compresses.
    @ivar messages: bytes of payload that came.
    """

    def __init__(
        self,
        port: int,
        opening: bytes | None = HANDSHAKE + b"\r\n",
        reads: bool = True,
        buffer: int | None = None,
    ) -> None:
        """
        @param opening: what is sent, and answered with 101 before anything else; or
            C{None}.
        @param reads: whether it reads anything behind that.
        @param buffer: bytes that the kernel keeps for it, about.
        """
        self.outcome = ""
        self.messages = 0
        self.agreed = False
        self._opened = False
        self._reads = True
        self._input = b""
        self._skip = 0
        self._socket = socket.socket()
        if buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self._socket.settimeout(PATIENCE)
        try:
            self._socket.connect(("127.0.0.1", port))
        except OSError:
            self.outcome = "refused"
            return
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        if opening is not None:
            self.send([opening])
            self.wait(lambda: self._opened)
        self._reads = reads

    def __enter__(self) -> Attacker:
        return self

    def __exit__(self, *ignored: object) -> None:
        self._socket.close()

    def reset(self) -> None:
        """
        End the connection with a RST.
        """
        linger = struct.pack("ii", 1, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._socket.close()

    def send(self, chunks: Iterable[bytes]) -> str:
        """
        Send until all is sent, or the server has had enough.

        @return: the outcome so far.
        """
        for chunk in chunks:
            view = memoryview(chunk)
            while view and not self.outcome:
                readable, writable = self._ready(True)
                if readable:
                    self._receive()
                if writable:
                    try:
                        view = view[self._socket.send(view) :]
                    except BlockingIOError:
                        pass
                    except OSError:
                        self._receive()
                        self.outcome = self.outcome or "reset"
                elif not readable:
                    self.outcome = "held"
            if self.outcome:
                break
        return self.outcome

    def wait(self, done: Callable[[], object], patience: float = PATIENCE) -> str:
        """
        Receive until something is so, the server has had enough, or says no more.

        @return: the outcome so far.
        """
        while not done() and not self.outcome:
            readable, _ = self._ready(False, patience)
            if not readable:
                break
            self._receive()
        return self.outcome

    def judge(self, patience: float = PATIENCE) -> str:
        """
        Ask the server whether it still serves us, and close.

        @return: the outcome.
        """
        self._reads = True
        self.send([frame(0x88, b"\x03\xe8")])
        self.wait(lambda: False, patience)
        if self.outcome in ("", "1000", "1005"):
            self.outcome = "accepted"
        return self.outcome

    def _ready(self, sending: bool, patience: float = PATIENCE) -> tuple[bool, bool]:
        # Not select.select, which knows no descriptor over 1023.
        wanted = select.POLLIN if self._reads else 0
        waiting = select.poll()
        waiting.register(self._socket, wanted | (select.POLLOUT if sending else 0))
        events = dict(waiting.poll(patience * 1000))
        found = events.get(self._socket.fileno(), 0)
        ended = found & (select.POLLERR | select.POLLHUP)
        return bool(found & select.POLLIN or ended), bool(found & select.POLLOUT)

    def _receive(self) -> None:
        try:
            data = self._socket.recv(READ)
        except BlockingIOError:
            return
        except OSError:
            self.outcome = self.outcome or "reset"
            return
        if not data:
            self.outcome = self.outcome or "dropped"
            return
        if not self._opened:
            self._input += data
            head, end, data = self._input.partition(b"\r\n\r\n")
            if not end:
                return
            self._input = b""
            if head.startswith(b"HTTP/1.1 101"):
                self._opened = True
                self.agreed = b"permessage-deflate" in head
            else:
                self.outcome = head[9:12].decode("latin-1")
                return
        self._parse(data)

    def _parse(self, data: bytes) -> None:
        """
        Count messages, and note a Close frame.
        """
        data = self._input + data
        at = 0
        while at < len(data):
            if self._skip:
                taken = min(self._skip, len(data) - at)
                self._skip -= taken
                self.messages += taken
                at += taken
                continue
            if at + 2 > len(data):
                break
            first, length = data[at], data[at + 1] & 0x7F
            size = {126: 2, 127: 8}.get(length, 0)
            start = at + 2 + size
            if start > len(data):
                break
            if size:
                length = int.from_bytes(data[at + 2 : start], "big")
            if first & 0x0F == 8:
                if start + length > len(data):
                    break
                code = data[start : start + 2]
                self.outcome = str(int.from_bytes(code, "big")) if code else "1005"
                break
            at = start
            self._skip = length
        self._input = data[at:]
