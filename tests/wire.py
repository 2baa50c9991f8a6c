# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
For the tests of the frame layer: frames that are built and read without the code
under test, and a framer that writes down what happens to it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import cycle
from operator import xor
from typing import Any, NamedTuple

from twisted_ws._wire.chain import Chain
from twisted_ws._wire.errors import ProtocolViolation
from twisted_ws._wire.framer import Framer
from twisted_ws._wire.state import State

KEY = b"\x37\xfa\x21\x3d"
"""
The mask of the examples of RFC 6455 section 5.7.
"""

TEXT, BINARY, CLOSE, PING, PONG = 0x81, 0x82, 0x88, 0x89, 0x8A
"""
First bytes of whole frames.
"""

TEXT_BEGINS, BINARY_BEGINS, CONTINUES, ENDS = 0x01, 0x02, 0x00, 0x80
"""
First bytes of fragments.
"""

ROLES = (("server", True), ("client", False))


def naiveMask(payload: bytes, key: bytes) -> bytes:
    """
    RFC 6455 section 5.3, letter for letter.
    """
    return bytes(map(xor, payload, cycle(key)))


def rawFrame(
    first: int,
    payload: bytes = b"",
    key: bytes | None = None,
    *,
    form: int | None = None,
    announced: int | None = None,
) -> bytes:
    """
    Lay out a frame (RFC 6455 section 5.2), be it right or wrong.

    @param first: its first byte.
    @param key: its mask, C{None} for none.
    @param form: bits of its length: 7, 16 or 64; by default as few as will do.
    @param announced: the length that its header tells, if not the payload's.
    """
    length = len(payload) if announced is None else announced
    if form is None:
        form = 7 if length < 126 else 16 if length < 1 << 16 else 64
    bit = 0 if key is None else 0x80
    if form == 7:
        header = bytes([first, bit | length])
    else:
        code = 126 if form == 16 else 127
        header = bytes([first, bit | code]) + length.to_bytes(form // 8, "big")
    if key is None:
        return header + payload
    return header + key + naiveMask(payload, key)


class RawFrame(NamedTuple):
    """
    A frame as it was read.
    """

    first: int
    payload: bytes
    key: bytes | None


def readFrames(data: bytes) -> list[RawFrame]:
    """
    Read whole frames.

    @raise AssertionError: when one is not complete, or its length is not minimal.
    """
    frames = []
    at = 0
    while at < len(data):
        first, second = data[at], data[at + 1]
        length = second & 0x7F
        at += 2
        if length > 125:
            size = 2 if length == 126 else 8
            length = int.from_bytes(data[at : at + size], "big")
            assert length >= (126 if size == 2 else 1 << 16), "not minimal"
            at += size
        key = None
        if second & 0x80:
            key = data[at : at + 4]
            at += 4
        payload = data[at : at + length]
        assert len(payload) == length, "a frame is cut off"
        at += length
        frames.append(
            RawFrame(first, payload if key is None else naiveMask(payload, key), key)
        )
    return frames


@dataclass
class WireSettings:
    """
    What a framer asks of its configuration.
    """

    maxReceivedFrameSize: int | None = None
    maxReceivedMessageSize: int | None = 1 << 20
    maxReceivedFragments: int | None = 4096
    fragmentOutgoingMessages: bool = True
    fragmentationThreshold: int = 1 << 14
    framesPerTurn: int = 1 << 30
    assembleFragments: bool = True


class RecordingFramer(Framer):
    """
    A framer without a connection.

    @ivar calls: what happened, in order, as tuples that begin with what it was:
        C{message}, C{sent} (with the first byte and the payload of a frame),
        C{ping}, C{pong}, C{closing}, C{discarding}, C{violation} (with the close
        code), C{failed} (with the exception's type).
    @ivar written: the bytes that were written.
    @ivar violations: the violations, as they were raised.
    @ivar react: called with each message that is delivered.
    """

    def __init__(
        self,
        isServer: bool = True,
        react: Callable[[Any], object] | None = None,
        chain: Chain | None = None,
        **settings: Any,
    ) -> None:
        Framer.__init__(self, isServer, WireSettings(**settings), chain)
        self.isServer = isServer
        self.react = react
        self.calls: list[tuple[Any, ...]] = []
        self.written = b""
        self.violations: list[ProtocolViolation] = []
        self._write = self._recordWrite
        self._deliver = self._recordMessage

    # What the peer does

    def frame(self, first: int, payload: bytes = b"", **layout: Any) -> bytes:
        """
        @return: a frame as this framer's peer has to send it; see L{rawFrame}.
        """
        return rawFrame(first, payload, KEY if self.isServer else None, **layout)

    def feed(self, *frames: tuple[int, bytes]) -> None:
        """
        Receive whole frames, first bytes and payloads, in one read.
        """
        self.dataReceived(b"".join(self.frame(*frame) for frame in frames))

    def feedBytes(self, data: bytes) -> int | None:
        """
        Receive bytes one by one, up to the one that makes the framer discard.

        @return: the number of that byte, the first is C{1}; or C{None}.
        """
        for at in range(len(data)):
            self.dataReceived(data[at : at + 1])
            if self.state >= State.DISCARDING:
                return at + 1
        return None

    # What came of it

    def called(self, name: str) -> list[Any]:
        """
        @return: the argument of each call with that name.
        """
        return [call[1] for call in self.calls if call[0] == name]

    @property
    def messages(self) -> list[Any]:
        """
        The messages that were delivered.
        """
        return self.called("message")

    @property
    def sent(self) -> list[tuple[int, bytes]]:
        """
        The frames that were sent, as first bytes and payloads.
        """
        return [call[1:] for call in self.calls if call[0] == "sent"]

    @property
    def closeCode(self) -> int | None:
        """
        The code of the one Close frame that was sent, 1005 if it had none; or
        C{None}.
        """
        payloads = [payload for first, payload in self.sent if first == CLOSE]
        assert len(payloads) < 2, "more than one Close frame was sent"
        if not payloads:
            return None
        return int.from_bytes(payloads[0][:2], "big") if payloads[0] else 1005

    @property
    def held(self) -> int:
        """
        Bytes of input that wait to be parsed.
        """
        return len(self._buffer)

    def outcome(self) -> tuple[Any, ...]:
        """
        @return: all that may be observed, for comparing two framers.
        """
        # Where the parse stands decides what happens next, unless nothing will.
        place: tuple[Any, ...] = ()
        if self.state < State.DISCARDING:
            place = (
                self._buffer[self._kept :],
                self._paused,
                self._opcode,
                (self._size, self._fragments) if self._opcode else None,
                self._missing,
                self._key if self._missing else b"",
            )
        return (
            self.calls,
            self.written if self.isServer else len(self.written),
            self.state,
            self.bytesReceived,
            self.closeSent,
            self.closeReceived,
            self.closeBegunBy,
            [str(violation) for violation in self.violations],
            place,
        )

    # From Framer

    def _recordWrite(self, data: bytes) -> None:
        assert type(data) is bytes, f"carriers take bytes alone, not {type(data)}"
        self.written += data
        for frame in readFrames(data):
            assert (frame.key is None) == self.isServer, "clients mask, servers do not"
            self.calls.append(("sent", frame.first, frame.payload))

    def _recordMessage(self, message: Any) -> None:
        self.calls.append(("message", message))
        if self.react is not None:
            self.react(message)

    def _pinged(self, payload: bytes) -> None:
        self.calls.append(("ping", payload))
        Framer._pinged(self, payload)

    def _ponged(self, payload: bytes) -> None:
        self.calls.append(("pong", payload))
        Framer._ponged(self, payload)

    def _closing(self) -> None:
        self.calls.append(("closing",))
        Framer._closing(self)

    def _discarding(self) -> None:
        self.calls.append(("discarding",))
        Framer._discarding(self)

    def _violated(self, violation: ProtocolViolation) -> None:
        self.calls.append(("violation", violation.code))
        self.violations.append(violation)
        Framer._violated(self, violation)

    def _receiverFailed(self) -> None:
        self.calls.append(("failed", sys.exc_info()[0]))
        Framer._receiverFailed(self)


def errorOf(call: Callable[..., object], *arguments: Any) -> Exception | None:
    """
    @return: what the call raises, C{None} if nothing.
    """
    try:
        call(*arguments)
    except Exception as error:
        return error
    return None


def splitBytes(data: bytes, sizes: Iterable[int]) -> list[bytes]:
    """
    Cut C{data} into reads of these sizes; what is left is one more.
    """
    reads = []
    at = 0
    for size in sizes:
        reads.append(data[at : at + size])
        at += size
    reads.append(data[at:])
    return reads
