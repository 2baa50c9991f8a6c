# -*- test-case-name: tests.test_race_messages -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Whether a server does what it is measured for: a conversation before its time is taken.
"""

from __future__ import annotations

import hashlib
import socket
import ssl
import struct
import time
import zlib
from base64 import b64encode
from collections.abc import Sequence

from .messages import KEY, Message, frame, requestFor
from .workloads import FRESH, Workload

SECONDS = 10.0
"""
How long a server may take to say anything.
"""

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Wrong(Exception):
    """
    It does not; C{str} of it says what.
    """


class Client:
    """
    A client that looks at everything.

    @ivar workload: what the server is to do.
    """

    def __init__(self, port: int, workload: Workload, isRaw: bool) -> None:
        self._workload = workload
        self._isRaw = isRaw
        plain = socket.create_connection(("127.0.0.1", port), SECONDS)
        self._socket: socket.socket = plain
        if workload.isTLS:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self._socket = context.wrap_socket(plain)
        self._inflate = zlib.decompressobj(-15)
        self._stream = self._socket.makefile("rb")
        if not isRaw:
            self._shakeHands()

    def _shakeHands(self) -> None:
        self._socket.sendall(requestFor(self._workload))
        status, fields = self._stream.readline(), {}
        while line := self._stream.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            fields[name.lower()] = value.strip()
        if not status.startswith(b"HTTP/1.1 101"):
            raise Wrong(f"the answer was {status!r}")
        key = b64encode(hashlib.sha1((KEY + GUID).encode()).digest()).decode()
        if fields.get("sec-websocket-accept") != key:
            raise Wrong("Sec-WebSocket-Accept is not right")
        agreed = fields.get("sec-websocket-extensions", "")
        wanted = "permessage-deflate" if self._workload.offer else ""
        if agreed.partition(";")[0].strip() != wanted:
            raise Wrong(f"its extensions are {agreed!r}")
        isFresh = "server_no_context_takeover" in agreed
        if self._workload.offer and isFresh != (self._workload.offer == FRESH):
            raise Wrong(f"its extensions are {agreed!r}")

    def send(self, data: bytes) -> None:
        """
        Send bytes.
        """
        self._socket.sendall(data)

    def expect(self, message: Message) -> None:
        """
        Take the next message.

        @raise Wrong: if it is not that one.
        """
        if self._isRaw:
            received, first = self._read(len(message.payload)), 0
        else:
            received, first = self._message()
            if first & 15 != (1 if message.isText else 2):
                raise Wrong(f"its opcode is {first & 15}")
            if bool(first & 0x40) != message.isCompressed:
                raise Wrong("compressed or not, it is the other")
        if message.isCompressed:
            if self._workload.offer == FRESH:
                self._inflate = zlib.decompressobj(-15)
            received = self._inflate.decompress(received + b"\0\0\xff\xff")
        if received != message.payload:
            raise Wrong("it is not what was sent")

    def close(self) -> None:
        """
        Close, as the protocol has it.  That the server then is the first to drop the
        connection, only the load that waits for it has to know: there are some that
        do not over TLS.
        """
        if not self._isRaw:
            self.send(frame(0x88, struct.pack("!H", 1000)))
            first, payload = self._frame()
            if first != 0x88 or payload[:2] not in (b"", b"\x03\xe8"):
                raise Wrong(f"a Close frame was answered with {first:x} {payload!r}")
            if self._workload.mode == "churn" and self._stream.read(1):
                raise Wrong("there was more after the Close frame")
        self.abandon()

    def abandon(self) -> None:
        """
        Just go.
        """
        self._stream.close()
        self._socket.close()

    def _read(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) < size:
            raise Wrong("it dropped the connection")
        return data

    def _frame(self) -> tuple[int, bytes]:
        first, size = self._read(2)
        if size & 0x80:
            raise Wrong("it masks")
        if size > 125:
            wide = 2 if size == 126 else 8
            size = int.from_bytes(self._read(wide), "big")
        return first, self._read(size)

    def _message(self) -> tuple[bytes, int]:
        first, payload = self._frame()
        if first & 8:
            raise Wrong(f"a frame {first:x} {payload!r} came")
        isFinal = first & 0x80
        while not isFinal:
            more, part = self._frame()
            if more & 0x7F:
                raise Wrong(f"a frame {more:x} came within a message")
            payload += part
            isFinal = more & 0x80
        return payload, first


def check(
    port: int, workload: Workload, messages: Sequence[Message], isRaw: bool
) -> None:
    """
    Have each message once; a broadcast twice.

    @raise Wrong: if a server does not do what the workload asks for.
    """
    clients: list[Client] = []
    try:
        clients.append(Client(port, workload, isRaw))
        if workload.mode == "broadcast":
            clients.append(Client(port, workload, isRaw))
            # A server may count who is there only after it has answered.
            time.sleep(0.2)
        for message in messages:
            clients[0].send(message.wire)
            for each in clients:
                each.expect(message)
        for each in clients:
            each.close()
    except (OSError, zlib.error) as error:
        raise Wrong(f"{type(error).__name__}: {error}") from None
    finally:
        for each in clients:
            each.abandon()
