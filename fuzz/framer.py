# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Fuzzes the frame layer.

The first byte of an input chooses the role and the options of a framer, the second how
the rest, which is what it receives, is cut into reads and what its receiver does.

Checked: nothing is raised; what waits is no more than a header and a control frame;
no message is over its limit; one Close frame at most is sent, with a code that may be
sent, and nothing after it; and however the reads are cut, whether the receiver pauses,
or whether reads come in while it is called, the same comes of it.
"""

from __future__ import annotations

import sys
from collections.abc import Hashable
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # from any directory
    sys.path[0] = str(Path(__file__).parents[1])

from fuzz.driver import instrumented, main

with instrumented(__name__):
    from tests.wire import CLOSE, RecordingFramer
    from twisted_ws._wire.state import State

TOKENS = (
    b"\x81\x80\0\0\0\0",
    b"\x01\x80\0\0\0\0",
    b"\x80\x80\0\0\0\0",
    b"\x00\x80\0\0\0\0",
    b"\x82\x80\0\0\0\0",
    b"\x89\x80\0\0\0\0",
    b"\x88\x82\0\0\0\0\x03\xe8",
    b"\x81\x00",
    b"\x01\x00",
    b"\x80\x00",
    b"\x89\x00",
    b"\x88\x00",
    b"\x81\x7e\x00\x7e",
    b"\x82\x7f\0\0\0\0\0\1\0\0",
    b"\x81\xfe\x00\x7e\0\0\0\0",
    b"\xe2\x82\xac",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
)

_SENDABLE = {*range(1000, 1015), *range(3000, 5000)} - {1004, 1006}


def options(choice: int) -> dict[str, Any]:
    """
    @return: the role and the options that a byte stands for.
    """
    return {
        "isServer": bool(choice & 1),
        "assembleFragments": not choice & 2,
        "maxReceivedMessageSize": (1 << 20, None, 40, 300)[choice >> 2 & 3],
        "maxReceivedFrameSize": (None, 30)[choice >> 4 & 1],
        "maxReceivedFragments": (4096, 3, None, 1)[choice >> 5 & 3],
    }


def check(framer: RecordingFramer) -> None:
    """
    @raise AssertionError: when something is that may not be.
    """
    limit = framer._maxMessage
    assert framer.held <= 2 + 4 + 125 or framer._paused, framer.held
    if framer.state >= State.DISCARDING:
        assert framer.held == 0, framer.held
    elif framer._sink is not None:
        assert framer._sink.tell() <= limit, "more is collected than is allowed"
    for message in framer.messages if framer._assembling else ():
        size = len(message.encode() if isinstance(message, str) else message)
        assert size <= limit, f"a message of {size} bytes, over {limit}"
    assert framer.closeCode is None or framer.closeCode in _SENDABLE, framer.closeCode
    firsts = [first for first, _ in framer.sent]
    assert CLOSE not in firsts[:-1], "something was sent after a Close frame"


def receive(framer: RecordingFramer, reads: list[bytes]) -> tuple[Any, ...]:
    """
    @return: what came of it.
    """
    for read in reads:
        framer.dataReceived(read)
        check(framer)
    return framer.outcome()


def cut(data: bytes, how: int) -> list[bytes]:
    """
    @return: C{data} in reads of sizes that a byte stands for.
    """
    reads = []
    at = 0
    while at < len(data):
        how = (how * 5 + 3) & 0xFF
        size = 1 + (how >> 3) % 13
        reads.append(data[at : at + size])
        at += size
    return reads


def singly(data: bytes) -> list[bytes]:
    """
    @return: C{data} in reads of one byte.
    """
    return [data[at : at + 1] for at in range(len(data))]


def receivePausing(framer: RecordingFramer, reads: list[bytes]) -> tuple[Any, ...]:
    """
    @return: what comes of it when each message pauses.
    """
    framer.react = lambda message: framer._pauseReceipt()
    for number, read in enumerate(reads):
        framer.dataReceived(read)
        if number & 1:
            framer._resumeReceipt()
    while framer._paused and framer.state < State.DISCARDING:
        framer._resumeReceipt()
    check(framer)
    return framer.outcome()


def receiveNested(framer: RecordingFramer, reads: list[bytes]) -> tuple[Any, ...]:
    """
    @return: what comes of it when reads come in during deliveries.
    """
    reads = list(reads)

    def react(message: object) -> None:
        if reads:
            framer.dataReceived(reads.pop(0))

    framer.react = react
    while reads:
        framer.dataReceived(reads.pop(0))
    check(framer)
    return framer.outcome()


def receiveEnding(choice: dict[str, Any], how: int, data: bytes) -> None:
    """
    The receiver pauses and closes, closes, or fails, at its second message.

    @raise AssertionError: when what comes of it depends on how the reads are cut.
    """
    outcomes = []
    for reads in ([data], cut(data, how)):
        framer = RecordingFramer(**choice)

        def react(message: object, framer: RecordingFramer = framer) -> None:
            if len(framer.messages) == 2:
                if how & 0xC0 == 0xC0:
                    raise RuntimeError
                if how & 0x40:
                    framer._pauseReceipt()
                framer.close(4000)

        framer.react = react
        outcomes.append(receive(framer, reads))
    assert outcomes[0] == outcomes[1], f"{outcomes[0]} != {outcomes[1]}"


def TestOneInput(data: bytes) -> Hashable:
    """
    @return: what kinds of calls there were.
    @raise AssertionError: when the framer breaks its contract.
    """
    if len(data) < 3:
        return None
    choice, how, stream = options(data[0]), data[1], data[2:]
    framer = RecordingFramer(**choice)
    whole = receive(framer, [stream])
    for name, outcome in (
        ("cut", receive(RecordingFramer(**choice), cut(stream, how))),
        ("byte by byte", receive(RecordingFramer(**choice), singly(stream))),
        ("pausing", receivePausing(RecordingFramer(**choice), cut(stream, how))),
        ("nested", receiveNested(RecordingFramer(**choice), cut(stream, how))),
    ):
        assert outcome == whole, f"{name}: {outcome} != {whole}"
    receiveEnding(choice, how, stream)
    said = [str(violation)[:12] for violation in framer.violations]
    kinds = [call[0] if call[0] != "sent" else call[1] for call in framer.calls[:6]]
    return choice["isServer"], tuple(kinds), tuple(said), bool(framer._opcode)


if __name__ == "__main__":
    main(TestOneInput, "framer", TOKENS)
