# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Fuzzes the frame layer.

The first byte of an input chooses the role and the options of a framer, the second its
extensions and what is compared, the third how the rest, which is what it receives, is
cut into reads and what its receiver does.  The receiver returns something for most
messages, and may take every second one piece by piece.

Checked: nothing is raised; what waits is no more than a header and a control frame, and
one frame of those that extensions decode; it is told how much is kept of a message;
no message is over its limit; one Close frame at most is sent, with a code that may be
sent, and nothing after it.  And one of these: however the reads are cut, whether the
receiver pauses, or whether reads come in while it is called, the same comes of it; or,
what was received is received again when it is sent.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # from any directory
    sys.path[0] = str(Path(__file__).parents[1])

from fuzz.driver import instrumented, main

with instrumented(__name__):
    from fuzz.coders import Flipping, Hexing
    from tests.wire import CLOSE, RecordingFramer, readFrames
    from twisted_ws import Frame
    from twisted_ws._wire.chain import Chain
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
    b"\xc1\x83\0\0\0\0\x12\xab\x0d",
    b"\xc2\x03\x12\xab\x0d",
    b"\xa1\x83\0\0\0\0cba",
    b"\xa0\x03cba",
    b"\x41\x00",
    b"\x61\x00",
    b"\x81\x7e\x00\x7e",
    b"\x82\x7f\0\0\0\0\0\1\0\0",
    b"\x81\xfe\x00\x7e\0\0\0\0",
    b"\xe2\x82\xac",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
)

_SENDABLE = {*range(1000, 1015), *range(3000, 5000)} - {1004, 1006}

CHAINS: tuple[tuple[type[Hexing] | type[Flipping], ...], ...] = (
    (),
    (Hexing,),
    (Flipping,),
    (Hexing, Flipping),
    (Flipping, Hexing),
)


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
        "isTaking": bool(choice & 0x80),
    }


class Stream:
    """
    Takes a message piece by piece.
    """

    def __init__(self, framer: Receiving, opcode: int) -> None:
        self._framer = framer
        self._opcode = opcode
        self.data = b""

    def write(self, piece: bytes) -> None:
        """
        Keep it.
        """
        assert piece or self._framer._chain, "a piece of nothing"
        self.data += piece
        if self._framer.wrote is not None:
            self._framer.wrote()

    def finish(self) -> None:
        """
        Write down what came.
        """
        framer = self._framer
        if self._opcode == 1:
            self.data.decode("utf-8")
        framer.calls.append(("taken", self.data))
        if framer.react is not None:
            try:
                framer.react(self.data)
            except BaseException:
                framer._receiverFailed()


class Receiving(RecordingFramer):
    """
    A framer whose receiver returns something, and may take messages.

    @ivar kept: the bytes that it says are kept of messages.
    @ivar wrote: called when a piece of a message was taken.
    """

    mostTaken = 60

    def __init__(self, isTaking: bool = False, **options: Any) -> None:
        RecordingFramer.__init__(self, **options)
        self.kept = 0
        self.wrote: Callable[[], object] | None = None
        self._streaming = isTaking and self._assembling
        if self._streaming:
            self._whole = self._wholes = self._encodedWholes = False

    @property
    def handled(self) -> int:
        """
        How many messages came, in whichever way.
        """
        return len(self.messages) + len(self.called("taken"))

    def _streamFor(self, opcode: int) -> Stream | None:
        began = len(self.called("began"))
        self.calls.append(("began", opcode))
        self._mostStreamed = self.mostTaken
        return Stream(self, opcode) if began & 1 else None

    def _recordMessage(self, message: Any) -> Any:
        RecordingFramer._recordMessage(self, message)
        return len(self.calls) % 3 or None

    def _returned(self, message: Any, result: Any) -> None:
        assert message is self.messages[-1], "not what was delivered"
        self.calls.append(("returned", result))

    def _holdsPartially(self, size: int) -> None:
        assert size != self.kept, "nothing has changed"
        self.kept = size


class Setup:
    """
    Makes framers that are the same.

    @ivar how: the byte by which reads are cut.
    @ivar stream: what they receive.
    """

    def __init__(self, data: bytes) -> None:
        self.options = options(data[0])
        self.coders = CHAINS[(data[1] >> 3) % len(CHAINS)]
        self.how = data[2]
        self.stream = data[3:]

    def make(self, **others: Any) -> Receiving:
        """
        @param others: what is not as this setup has it.
        """
        chain = Chain([coder() for coder in self.coders]) if self.coders else None
        return Receiving(chain=chain, **{**self.options, **others})

    def cut(self) -> list[bytes]:
        """
        @return: the stream in reads.
        """
        reads = []
        at, how = 0, self.how
        while at < len(self.stream):
            how = (how * 5 + 3) & 0xFF
            size = 1 + (how >> 3) % 13
            reads.append(self.stream[at : at + size])
            at += size
        return reads


def checkKept(framer: Receiving) -> None:
    """
    @raise AssertionError: when more is kept than may be.
    """
    if framer.state >= State.DISCARDING:
        assert framer.held == 0, framer.held
        assert framer._sink is None and framer._wire is None and not framer.kept
        return
    assert framer.held <= 2 + 4 + 125 or framer._paused, framer.held
    kept = 0
    if isinstance(framer._stream, Stream):
        assert len(framer._stream.data) <= framer.mostTaken, "it is over its limit"
    elif framer._sink is not None:
        kept += framer._sink.tell()
        assert kept <= framer._maxMessage, "a message is over its limit"
    if framer._wire is not None:
        kept += framer._wire.tell()
        assert framer._wire.tell() <= framer._maxFrame, "a frame is over its limit"
    assert framer.kept == kept, (framer.kept, kept)


def check(framer: Receiving) -> None:
    """
    @raise AssertionError: when something happened that may not.
    """
    checkKept(framer)
    for message in framer.messages if framer._assembling else ():
        size = len(message.encode() if isinstance(message, str) else message)
        assert size <= framer._maxMessage, f"a message of {size} bytes"
    for taken in framer.called("taken"):
        assert len(taken) <= framer.mostTaken, f"{len(taken)} bytes were taken"
    code = framer.closeCode
    assert code is None or code in _SENDABLE, code
    firsts = [first for first, _ in framer.sent]
    assert CLOSE not in firsts[:-1], "something was sent after a Close frame"


def receive(framer: Receiving, reads: list[bytes]) -> Receiving:
    """
    @return: C{framer}, when it has received that.
    """
    for read in reads:
        framer.dataReceived(read)
        checkKept(framer)
    check(framer)
    return framer


def compare(framer: Receiving, other: Receiving) -> None:
    """
    @raise AssertionError: when not the same came of it.
    """
    assert framer.outcome() == other.outcome(), (
        f"{framer.outcome()} != {other.outcome()}"
    )
    assert framer.controlBytesReceived == other.controlBytesReceived


def cut(setup: Setup, whole: Receiving) -> None:
    """
    It comes in reads of some sizes.
    """
    compare(receive(setup.make(), setup.cut()), whole)


def byteByByte(setup: Setup, whole: Receiving) -> None:
    """
    It comes in reads of one byte.
    """
    stream = setup.stream
    reads = [stream[at : at + 1] for at in range(len(stream))]
    compare(receive(setup.make(), reads), whole)


def pausing(setup: Setup, whole: Receiving) -> None:
    """
    Each message pauses, and each piece.
    """
    framer = setup.make()
    framer.react = lambda message: framer._pauseReceipt()
    framer.wrote = framer._pauseReceipt
    for number, read in enumerate(setup.cut()):
        framer.dataReceived(read)
        if number & 1:
            framer._resumeReceipt()
    while framer._paused and framer.state < State.DISCARDING:
        framer._resumeReceipt()
    check(framer)
    compare(framer, whole)


def nested(setup: Setup, whole: Receiving) -> None:
    """
    Reads come in during deliveries.
    """
    framer = setup.make()
    reads = setup.cut()

    def react(message: object = None) -> None:
        if reads:
            framer.dataReceived(reads.pop(0))

    framer.react = framer.wrote = react
    while reads:
        framer.dataReceived(reads.pop(0))
    check(framer)
    compare(framer, whole)


def ending(setup: Setup, whole: Receiving) -> None:
    """
    The receiver pauses and closes, closes, or fails, at its second message: what comes
    of it does not depend on how the reads are cut.
    """
    framers = []
    for reads in ([setup.stream], setup.cut()):
        framer = setup.make()

        def react(message: object, framer: Receiving = framer) -> None:
            if framer.handled == 2:
                if setup.how & 0xC0 == 0xC0:
                    raise RuntimeError
                if setup.how & 0x40:
                    framer._pauseReceipt()
                framer.close(4000)

        framer.react = react
        framers.append(receive(framer, reads))
    compare(*framers)


def sent(setup: Setup, whole: Receiving) -> None:
    """
    What was received is sent by a framer of the peer's role to another one.
    """
    threshold = 1 + setup.how % 40
    sender = setup.make(isServer=not whole.isServer, fragmentationThreshold=threshold)
    for message in whole.messages:
        if isinstance(message, Frame):
            sender.sendFrame(message)
        else:
            sender.sendMessage(message)
    assert sender.state == State.OPEN, sender.closeSent
    if whole._assembling:
        # Neither of the extensions makes anything longer.
        sizes = [len(frame.payload) for frame in readFrames(sender.written)]
        assert max(sizes, default=0) <= threshold, sizes
    again = setup.make(
        maxReceivedMessageSize=None,
        maxReceivedFrameSize=None,
        maxReceivedFragments=None,
        isTaking=False,
    )
    receive(again, [sender.written])
    assert again.messages == whole.messages, f"{again.messages} != {whole.messages}"


COMPARISONS: tuple[Callable[[Setup, Receiving], None], ...] = (
    cut,
    byteByByte,
    pausing,
    nested,
    ending,
    sent,
)


def TestOneInput(data: bytes) -> Hashable:
    """
    @return: what kinds of calls there were.
    @raise AssertionError: when the framer breaks its contract.
    """
    if len(data) < 4:
        return None
    setup = Setup(data)
    whole = receive(setup.make(), [setup.stream])
    COMPARISONS[(data[1] & 7) % len(COMPARISONS)](setup, whole)
    said = [str(violation)[:12] for violation in whole.violations]
    kinds = [call[0] if call[0] != "sent" else call[1] for call in whole.calls[:6]]
    return (
        whole.isServer,
        tuple(kinds),
        tuple(said),
        bool(whole._opcode),
        whole._streaming,
    )


if __name__ == "__main__":
    main(TestOneInput, "framer", TOKENS)
