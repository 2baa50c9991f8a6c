# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Fuzzes permessage-deflate.

The first byte of an input chooses what is done: frames are received, whatever is in
them; or two sides that have agreed send each other messages.

Checked: what a peer sends raises L{ProtocolViolation} and nothing else; no more comes
out of a message than its limits allow; what comes out is what plain L{zlib} makes of
it, and what plain L{zlib} refuses is refused; what one side sends the other receives,
in whatever pieces it was sent and to whatever frames it was cut, and plain L{zlib} too,
with no larger window than was agreed on; and nothing is left when the connection is
lost.
"""

from __future__ import annotations

import sys
from collections.abc import Hashable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock

if __name__ == "__main__":  # from any directory
    sys.path[0] = str(Path(__file__).parents[1])

from fuzz.driver import instrumented, main

with instrumented(__name__):
    from fuzz.coders import IMPLEMENTATIONS
    from fuzz.plain import Damaged, Plain, TooLong
    from twisted_ws import Frame
    from twisted_ws._wire.errors import InvalidPayload, PayloadTooBig
    from twisted_ws.extensions import RSV1, PerMessageDeflate
    from twisted_ws.extensions.inflater import RATIO_FREE

CLIENT_BITS = "client_max_window_bits"
HELLO = b"\xf2\x48\xcd\xc9\xc9\x07\x00"

TOKENS = (
    b"\xc7" + HELLO,
    HELLO,
    b"\xc5\xf2\x00\x11\x00\x00",
    b"\xcb\x00\x05\x00\xfa\xffHello\x00",
    b"\xc8\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
    b"\xcd\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
    b"\x00\x00\x00\xff\xff",
    b"\x01\x00\x00\xff\xff",
    b"\x02\x00",
    b"\x03\x00",
    b"\x01",
    b"\x07",
    b"\xc1\x00",
    b"\xc1\x01",
    b"\x43",
    b"\x83",
    b"\x80",
    b"\x00\x01\x00\xfe\xffx",
    b"\x4b\x4c\x84\x00",
    b"\xed\xc1\x01\x01\x00\x00\x00\x80\x90\xfe\xaf\xee\x08\x0a",
)

LIMITS = (0, 1, 5, 100, 1000, 5000, 65537, 150_000)
MOST_SENT = 4096


@cache
def configured(choice: int, other: int, implementation: str) -> PerMessageDeflate:
    """
    @return: one that is configured as two bytes say.
    """
    least = 9 if implementation == "isal" else 8
    return PerMessageDeflate(
        serverNoContextTakeover=bool(choice & 1),
        clientNoContextTakeover=bool(choice & 2),
        serverMaxWindowBits=max(least, 15 - (choice >> 2 & 7)),
        clientMaxWindowBits=max(least, 15 - (choice >> 5 & 7)),
        windowBits=max(least, 15 - (other & 7)),
        memLevel=(1, 5)[other >> 3 & 1],
        level=(1, 3)[other >> 4 & 1],
        strategy="default" if implementation == "isal" else other >> 5 & 3,
        threshold=(0, 64)[other >> 7],
        maxRatio=(None, 2)[other >> 2 & 1],
        contextTimeout=(10, None)[other >> 4 & 1],
        implementation=implementation,
    )


class Pair:
    """
    Two sides that have agreed.

    @ivar sides: server and client.
    @ivar factories: what made them.
    """

    def __init__(self, data: bytes) -> None:
        """
        @param data: begins with four bytes that say how they are configured.
        """
        others = (data[3], data[3] ^ data[2])
        choices = (data[2] >> 4 & 7, data[2] & 7)
        libraries = [IMPLEMENTATIONS[each % len(IMPLEMENTATIONS)] for each in choices]
        for names in libraries, ("zlib", "zlib"):
            self.factories = server, client = [
                configured(*each) for each in zip(data, others, names, strict=False)
            ]
            accepted: Any = server.accept(client.offers()[0])
            # There is a library that cannot do a window of 8 bits.
            if accepted and (
                client.implementation != "isal" or accepted[0].get(CLIENT_BITS) != "8"
            ):
                break
        answer, extension = accepted
        self.sides: tuple[Any, Any] = (extension, client.accepted(answer))

    def plain(self, number: int) -> Plain:
        """
        @return: what reads the messages that a side sends.
        """
        agreed = self.sides[0].agreed
        assert agreed == self.sides[1].agreed
        bits = (agreed.serverBits, agreed.clientBits)[number] or 15
        return Plain(bits, (agreed.serverForgets, agreed.clientForgets)[number])


def frames(data: bytes) -> Iterator[Frame]:
    """
    Go over the frames in an input.  Each has a byte with FIN, RSV1 and six bits of
    length.
    """
    at, opcode = 0, 2
    while at < len(data):
        first = data[at]
        size = first & 0x3F
        payload = data[at + 1 : at + 1 + size]
        fin = bool(first & 0x80)
        yield Frame(opcode, payload, fin, first & RSV1 if opcode else 0)
        opcode = 2 if fin else 0
        at += 1 + size


def received(data: bytes) -> Hashable:
    """
    A peer sends frames.
    """
    if len(data) < 5:
        return None
    pair, number = Pair(data), data[4] & 1
    receiver, factory = pair.sides[number], pair.factories[number]
    limit = LIMITS[data[4] >> 1 & 7]
    plain = pair.plain(1 - number)
    happened = []
    encoded, decoded, isCompressed = b"", b"", False
    for frame in frames(data[5:]):
        if frame.opcode:
            encoded, decoded, isCompressed = b"", b"", bool(frame.rsv)
        encoded += frame.payload
        left = limit - len(decoded)
        if len(frame.payload) > left and not isCompressed:
            break  # the chain refuses it
        try:
            made = receiver.decode(frame, left)
        except PayloadTooBig as error:
            checkTooBig(factory, plain, encoded, limit)
            return (*happened, error.option)
        except InvalidPayload as error:
            if factory.implementation == "zlib":
                checkDamaged(plain, encoded, limit, frame.fin)
            return (*happened, str(error)[:45])
        assert made[::2] == (frame.opcode, frame.fin, None) and not made.rsv, made
        assert len(made.payload) <= left, f"{len(made.payload)} bytes, over {left}"
        decoded += made.payload
        if isCompressed and factory.maxRatio is not None:
            allowed = max(RATIO_FREE, len(encoded) * factory.maxRatio)
            assert len(decoded) <= allowed, f"{len(decoded)} bytes of {len(encoded)}"
        happened.append((frame.fin, isCompressed, len(made.payload).bit_length()))
        if not isCompressed:
            assert made.payload == frame.payload
        elif frame.fin:
            if not checkRight(factory, plain, encoded, decoded):
                return (*happened, "cut off")
            assert not plain.forgets or not receiver.contexts
    receiver.connectionLost()
    assert not receiver.contexts
    return tuple(happened[:6])


def checkTooBig(
    factory: PerMessageDeflate, plain: Plain, encoded: bytes, limit: int
) -> None:
    """
    @raise AssertionError: unless there is more in a message than it may have.
    """
    if factory.maxRatio is not None:
        limit = min(limit, max(RATIO_FREE, len(encoded) * factory.maxRatio))
    try:
        data = plain.read(encoded, False, limit)
    except TooLong:
        return
    except Damaged as error:
        raise AssertionError(f"it is damaged rather than too long: {error}") from None
    raise AssertionError(f"{len(data)} bytes are not too many")


def checkDamaged(plain: Plain, encoded: bytes, limit: int, fin: bool) -> None:
    """
    @raise AssertionError: unless a message is damaged.
    """
    for step in (0, 1):
        try:
            data = plain.read(encoded, fin, limit, step)
        except Damaged:
            return
        except TooLong:
            raise AssertionError("it is too long rather than damaged") from None
        # What goes back further than the window is only told where the frames end.
    raise AssertionError(f"it is not damaged, but {len(data)} bytes")


def checkRight(
    factory: PerMessageDeflate, plain: Plain, encoded: bytes, decoded: bytes
) -> bool:
    """
    @return: whether to go on: C{isal} cannot tell every message that is cut off.
    @raise AssertionError: unless that is what there is in a message.
    """
    try:
        data = plain.read(encoded, True, len(decoded))
    except Damaged as error:
        if factory.implementation == "isal" and str(error).startswith("cut off"):
            return False
        raise AssertionError(
            f"it is damaged: {error}, not {len(decoded)} bytes"
        ) from None
    except TooLong:
        raise AssertionError(f"it is longer than {len(decoded)} bytes") from None
    assert data == decoded, f"{data!r} != {decoded!r}"
    return True


class Conversation:
    """
    Two sides, and plain L{zlib} that listens to both.

    @ivar sides: server and client.
    """

    def __init__(self, data: bytes) -> None:
        self.clock = Clock()
        pair = Pair(data)
        self.sides = pair.sides
        for side in self.sides:
            side.connectionMade(self.clock)
        self._plain = (pair.plain(0), pair.plain(1))

    def send(self, number: int, pieces: list[bytes], compress: Any, cut: int) -> bool:
        """
        A side sends a message.

        @param cut: the size of the frames that it is cut to, 0 for as it was sent.
        @return: whether it was sent compressed.
        @raise AssertionError: when something else is received.
        """
        sender, receiver = self.sides[number], self.sides[1 - number]
        last = len(pieces) - 1
        sent = []
        for at, piece in enumerate(pieces):
            frame = Frame(0 if at else 2, piece, at == last, 0, compress)
            made = sender.encode(frame)
            assert (made.opcode, made.fin) == (frame.opcode, frame.fin), made
            assert made.rsv in ((0, RSV1) if not at else (0,)), made
            sent.append(made)
        isCompressed = bool(sent[0].rsv)
        assert not (isCompressed and compress is False)
        if not isCompressed:
            assert [frame.payload for frame in sent] == pieces
        whole, message = b"".join(frame.payload for frame in sent), b"".join(pieces)
        if cut:
            sent = [
                Frame(0 if at else 2, whole[at : at + cut], False, 0)
                for at in range(0, len(whole) or 1, cut)
            ]
            sent[0] = sent[0]._replace(rsv=RSV1 if isCompressed else 0)
            sent[-1] = sent[-1]._replace(fin=True)
        left = len(message)
        got = []
        for frame in sent:
            got.append(receiver.decode(frame._replace(compress=None), left).payload)
            left -= len(got[-1])
        assert b"".join(got) == message, f"{got} != {pieces}"
        if not cut:
            assert got == pieces, f"{got} != {pieces}, piece by piece"
        if isCompressed:
            assert whole, "an empty message has one byte (section 7.2.3.6)"
            heard = self._plain[number].read(whole, True, len(message), step=64)
            assert heard == message, f"{heard!r} != {message!r}"
            grown = len(message) * 1.1 + 16 * len(pieces)
            assert len(whole) <= grown, f"{len(whole)} bytes of {len(message)}"
        return isCompressed

    def end(self) -> None:
        """
        @raise AssertionError: when something is left.
        """
        for side in self.sides:
            side.connectionLost()
            assert not side.contexts
        assert not self.clock.getDelayedCalls()


def conversed(data: bytes) -> Hashable:
    """
    Two sides send each other messages.  For each there are: a byte with who it is,
    C{compress}, the number of pieces and how often to repeat them; one with what it is
    cut to; one with the length of what follows.
    """
    if len(data) < 4:
        return None
    conversation = Conversation(data)
    happened = []
    at, total = 4, 0
    while at + 3 <= len(data) and total < MOST_SENT and len(happened) < 8:
        kind, cut, size = data[at : at + 3]
        text = data[at + 3 : at + 3 + size] * (1 << (kind >> 5))
        at += 3 + size
        total += len(text)
        if kind & 0x1E == 0x1E:
            conversation.clock.advance(5)
            continue
        count = 1 + (kind >> 3 & 3)
        step = len(text) // count + 1
        pieces = [text[step * each : step * (each + 1)] for each in range(count)]
        compress = (None, True, False, None)[kind >> 1 & 3]
        isCompressed = conversation.send(kind & 1, pieces, compress, cut)
        happened.append((kind & 1, count, isCompressed, cut > 0))
    conversation.end()
    return tuple(happened[:4])


PARTS = (received, conversed)


def TestOneInput(data: bytes) -> Hashable:
    """
    @return: what happened.
    @raise Exception: when the extension breaks its contract.
    """
    if not data:
        return None
    number = data[0] & 1
    return number, PARTS[number](data[1:])


if __name__ == "__main__":
    main(TestOneInput, "deflate", TOKENS)
