# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A reader of what our side sends that forgives nothing: written from RFC 6455, it shares
no code with what it judges.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from twisted.trial.unittest import SynchronousTestCase

from tests.wire import RawFrame, readFrames

Inflate = Callable[[bytes], bytes]
"""
Undoes a compressed message of one peer, which may need those before it.
"""


class Ping(NamedTuple):
    """
    A ping.
    """

    payload: bytes = b""


class Pong(NamedTuple):
    """
    A pong.
    """

    payload: bytes = b""


class Closing(NamedTuple):
    """
    A Close frame; 1005 is the code of an empty one.
    """

    code: int
    reason: str = ""


Event = str | bytes | Ping | Pong | Closing
"""
What one side tells the other: C{str} is a text and C{bytes} a binary message.
"""


def checkSame(
    test: SynchronousTestCase, got: Sequence[Any], wanted: Sequence[Any], what: str
) -> None:
    """
    Check that two lists are equal, and show briefly where they are not: to compare long
    payloads for the message of a failure could take minutes.
    """
    if list(got) != list(wanted):
        briefly = [[_briefly(each) for each in items] for items in (got, wanted)]
        test.assertEqual(*briefly, what)
        test.fail(f"{what}: payloads differ in their middle: {briefly[0]}")


def _briefly(item: object) -> str:
    text = repr(item)
    return text if len(text) < 100 else f"{text[:80]}... ({len(text)} characters)"


def mayBeSent(code: int) -> bool:
    """
    Tell whether a Close frame may have this code (RFC 6455 section 7.4, and what was
    registered since).
    """
    return (
        code in (1000, 1001, 1002, 1003)
        or 1007 <= code <= 1014
        or code // 1000 in (3, 4)
    )


class StrictReader:
    """
    Judges frames, one after the other.

    @ivar events: what they told.
    """

    def __init__(self, isFromClient: bool, inflate: Inflate | None = None) -> None:
        """
        @param inflate: what undoes compressed messages, if compression was agreed upon.
        """
        self.events: list[Event] = []
        self._isFromClient = isFromClient
        self._inflate = inflate
        self._first: int | None = None  # of the message that is not complete
        self._payload = b""
        self._closed = False

    def take(self, frame: RawFrame) -> None:
        """
        @raise AssertionError: when this frame may not be sent now.
        """
        first, payload, key = frame
        assert not self._closed, f"5.5.1: {frame} after a Close frame"
        assert (key is not None) == self._isFromClient, (
            "5.1: clients mask, servers do not"
        )
        fin, rsv, opcode = first & 0x80, first & 0x70, first & 0x0F
        assert opcode in (0, 1, 2, 8, 9, 10), f"5.2: the opcode {opcode} is reserved"
        if opcode >= 8:
            assert not rsv, f"5.2, 7692 6.1: a control frame with {rsv:#x}"
            assert fin, "5.5: a control frame in fragments"
            assert len(payload) <= 125, f"5.5: a control frame of {len(payload)} bytes"
            self._controlTaken(opcode, payload)
            return
        if opcode:
            assert self._first is None, "5.4: a message within a message"
            assert rsv in ((0, 0x40) if self._inflate else (0,)), f"5.2: {rsv:#x}"
            self._first, self._payload = first, b""
        else:
            assert self._first is not None, "5.4: a continuation of nothing"
            assert not rsv, f"7692 6.1: a continuation with {rsv:#x}"
        self._payload += payload
        if fin:
            self._messageTaken(self._first or 0, self._payload)
            self._first = None

    def _messageTaken(self, first: int, payload: bytes) -> None:
        if first & 0x40:
            assert self._inflate is not None
            payload = self._inflate(payload)
        self.events.append(payload.decode("utf-8") if first & 0x0F == 1 else payload)

    def _controlTaken(self, opcode: int, payload: bytes) -> None:
        if opcode == 9:
            self.events.append(Ping(payload))
        elif opcode == 10:
            self.events.append(Pong(payload))
        else:
            self._closed = True
            code = 1005
            if payload:
                assert len(payload) > 1, "5.5.1: half a close code"
                code = int.from_bytes(payload[:2], "big")
                assert mayBeSent(code), f"7.4: the close code {code}"
            self.events.append(Closing(code, payload[2:].decode("utf-8")))

    def read(self, data: bytes) -> list[Event]:
        """
        @return: what these frames tell.
        @raise AssertionError: when they break a rule, or the last is not complete.
        """
        before = len(self.events)
        for frame in readFrames(data):
            self.take(frame)
        return self.events[before:]

    def checkEnd(self) -> None:
        """
        @raise AssertionError: when a message is not complete.
        """
        assert self._first is None, "5.4: a message without an end"
