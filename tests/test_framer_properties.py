# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Properties of L{twisted_ws._wire.framer} that hold for any input, tried with generated
ones.  The same ones in each run; C{TWISTED_WS_EXAMPLES=20} in the environment tries
twenty times as many.
"""

from __future__ import annotations

import os
from random import Random
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_ws._wire.payloads import xorMask
from twisted_ws._wire.state import State

from .wire import KEY, RecordingFramer, naiveMask, rawFrame, splitBytes

FACTOR = int(os.environ.get("TWISTED_WS_EXAMPLES", "1"))


def tried(examples: int) -> settings:
    """
    @return: how to try a property.
    """
    return settings(
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=examples * FACTOR,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


ODD_SETTINGS = st.fixed_dictionaries(
    {
        "maxReceivedFrameSize": st.sampled_from([None, None, 3, 130]),
        "maxReceivedMessageSize": st.sampled_from([None, 1 << 20, 5, 300]),
        "maxReceivedFragments": st.sampled_from([None, 4096, 1, 3]),
        "assembleFragments": st.sampled_from([True, True, False]),
    }
)

SPLITS = st.lists(st.integers(0, 40), max_size=60)

TEXTS = st.text(
    st.one_of(
        st.characters(codec="utf-8"),
        st.sampled_from(
            "\x00\x7f\x80\u07ff\u0800\ud7ff\ue000\uffff\U00010000\ufeff\r\n"
        ),
    ),
    max_size=30,
)

BAD_TEXT = st.sampled_from(
    [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80"]
)

PAYLOADS = st.one_of(
    st.binary(max_size=20),
    TEXTS.map(str.encode),
    BAD_TEXT,
    st.sampled_from([b"", b"x" * 125, b"x" * 126, b"x" * 127, "\u20ac".encode() * 50]),
)


@st.composite
def rightFrames(draw: st.DrawFn, masked: bool) -> list[bytes]:
    """
    The frames of a conversation as RFC 6455 wants it, up to a Close frame or not.
    """
    key = st.binary(min_size=4, max_size=4) if masked else st.none()
    frames: list[bytes] = []

    def control() -> None:
        first = draw(st.sampled_from([0x89, 0x8A]))
        frames.append(rawFrame(first, draw(st.binary(max_size=125)), draw(key)))

    for _ in range(draw(st.integers(0, 4))):
        isText = draw(st.booleans())
        payload = draw(TEXTS).encode() if isText else draw(PAYLOADS)
        pieces = splitBytes(payload, draw(st.lists(st.integers(0, 9), max_size=4)))
        for number, piece in enumerate(pieces):
            first = 0 if number else 1 if isText else 2
            if number == len(pieces) - 1:
                first |= 0x80
            frames.append(rawFrame(first, piece, draw(key)))
            if draw(st.integers(0, 5)) == 0:
                control()
    if draw(st.integers(0, 3)) == 0:
        code = draw(st.sampled_from([1000, 1001, 3000, 4999]))
        reason = draw(TEXTS).encode()[:100].decode("utf-8", "ignore").encode()
        body = draw(st.sampled_from([b"", code.to_bytes(2, "big") + reason]))
        frames.append(rawFrame(0x88, body, draw(key)))
        control()
    return frames


@st.composite
def wrongFrame(draw: st.DrawFn, masked: bool) -> bytes:
    """
    A frame, right or wrong in any way.
    """
    payload = draw(PAYLOADS)
    form = draw(st.sampled_from([None, None, None, 16, 64]))
    announced = None
    if form is not None:
        most = (1 << form) - 1
        announced = draw(
            st.sampled_from([len(payload), 0, 126, 65536, most, most // 2])
        )
        announced = min(announced, most)
    return rawFrame(
        draw(st.integers(0, 255)),
        payload if form is not None else payload[:65535],
        draw(st.sampled_from([KEY, KEY, KEY, None]))
        if masked
        else draw(st.sampled_from([None, None, None, KEY])),
        form=form,
        announced=announced,
    )


@st.composite
def mutated(draw: st.DrawFn, masked: bool) -> bytes:
    """
    A right conversation with some mistakes: a frame that is wrong, missing or there
    twice, a byte that is another, an end that is too early.
    """
    frames = draw(rightFrames(masked))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(frames)))
        kind = draw(st.integers(0, 2))
        if kind == 0:
            frames.insert(at, draw(wrongFrame(masked)))
        elif kind == 1:
            del frames[at : at + 1]
        else:
            frames[at:at] = frames[at : at + 1]
    data = bytearray(b"".join(frames))
    if data and draw(st.integers(0, 2)) == 0:
        at = draw(st.integers(0, len(data) - 1))
        data[at] ^= draw(st.integers(1, 255))
    if data and draw(st.integers(0, 4)) == 0:
        del data[draw(st.integers(0, len(data))) :]
    return bytes(data)


def outcomeOf(
    isServer: bool, options: dict[str, Any], reads: list[bytes]
) -> tuple[Any, ...]:
    """
    @return: what a framer made of these reads.
    """
    framer = RecordingFramer(isServer, **options)
    for read in reads:
        framer.dataReceived(read)
    return framer.outcome()


class ChunkingTests(SynchronousTestCase):
    """
    However a stream is cut into reads, the same comes of it: the same calls with the
    same arguments, the same frames sent, the same state.
    """

    def check(
        self, isServer: bool, options: dict[str, Any], data: bytes, sizes: list[int]
    ) -> None:
        """
        @raise AssertionError: when it matters how C{data} is cut.
        """
        whole = outcomeOf(isServer, options, [data])
        cut = outcomeOf(isServer, options, splitBytes(data, sizes))
        self.assertEqual(cut, whole)
        bytewise = [data[at : at + 1] for at in range(len(data))]
        self.assertEqual(outcomeOf(isServer, options, bytewise), whole)

    @tried(130)
    @given(st.booleans(), ODD_SETTINGS, st.binary(max_size=300), SPLITS)
    @example(True, {}, b"\x81\x82\0\0\0\0\xed\xa0", [8])
    @example(False, {}, b"\x81\x03\xed\xa0\x80", [4])
    def test_anyBytes(
        self, isServer: bool, options: dict[str, Any], data: bytes, sizes: list[int]
    ) -> None:
        """
        Of any bytes.
        """
        self.check(isServer, options, data, sizes)

    @tried(130)
    @given(st.data(), st.booleans(), ODD_SETTINGS, SPLITS)
    def test_conversations(
        self,
        data: st.DataObject,
        isServer: bool,
        options: dict[str, Any],
        sizes: list[int],
    ) -> None:
        """
        Of conversations, right ones and wrong ones.
        """
        self.check(isServer, options, data.draw(mutated(isServer)), sizes)

    @tried(80)
    @given(st.data(), st.booleans(), ODD_SETTINGS, SPLITS, st.integers(1, 3))
    def test_pausing(
        self,
        data: st.DataObject,
        isServer: bool,
        options: dict[str, Any],
        sizes: list[int],
        every: int,
    ) -> None:
        """
        Of conversations with a receiver that pauses, when it is resumed in the end.
        """
        stream = data.draw(mutated(isServer))
        plain = RecordingFramer(isServer, **options)
        plain.dataReceived(stream)

        def react(message: object) -> None:
            if len(framer.messages) % every == 0:
                framer._pauseReceipt()

        framer = RecordingFramer(isServer, react, **options)
        for number, read in enumerate(splitBytes(stream, sizes)):
            framer.dataReceived(read)
            if number % every:
                framer._resumeReceipt()
        while framer._paused and framer.state < State.DISCARDING:
            framer._resumeReceipt()
        self.assertEqual(framer.outcome(), plain.outcome())

    @tried(80)
    @given(st.data(), st.booleans(), ODD_SETTINGS, SPLITS)
    def test_nested(
        self,
        data: st.DataObject,
        isServer: bool,
        options: dict[str, Any],
        sizes: list[int],
    ) -> None:
        """
        Of conversations whose reads come in while their messages are delivered.
        """
        stream = data.draw(mutated(isServer))
        plain = RecordingFramer(isServer, **options)
        plain.dataReceived(stream)
        reads = splitBytes(stream, sizes)

        def react(message: object) -> None:
            for _ in range(min(2, len(reads))):
                framer.dataReceived(reads.pop(0))

        framer = RecordingFramer(isServer, react, **options)
        while reads:
            framer.dataReceived(reads.pop(0))
        self.assertEqual(framer.outcome(), plain.outcome())

    @tried(80)
    @given(st.data(), st.booleans(), ODD_SETTINGS, SPLITS, st.integers(1, 4))
    def test_closing(
        self,
        data: st.DataObject,
        isServer: bool,
        options: dict[str, Any],
        sizes: list[int],
        after: int,
    ) -> None:
        """
        Of conversations that we end within a delivery, by closing or by failing.
        """
        stream = data.draw(mutated(isServer))
        how = data.draw(st.sampled_from(["close", "pause and close", "fail"]))

        def react(message: object) -> None:
            if len(framer.messages) == after:
                if how == "fail":
                    raise RuntimeError
                if how == "pause and close":
                    framer._pauseReceipt()
                framer.close(4000)

        outcomes = []
        for cut in ([], sizes, [1] * len(stream)):
            framer = RecordingFramer(isServer, react, **options)
            for read in splitBytes(stream, cut):
                framer.dataReceived(read)
            outcomes.append(framer.outcome())
        self.assertEqual(outcomes[1], outcomes[0])
        self.assertEqual(outcomes[2], outcomes[0])


class InvariantTests(SynchronousTestCase):
    """
    What may never be.
    """

    @tried(80)
    @given(st.data(), st.booleans(), ODD_SETTINGS, SPLITS)
    def test_bounds(
        self,
        data: st.DataObject,
        isServer: bool,
        options: dict[str, Any],
        sizes: list[int],
    ) -> None:
        """
        Nothing is raised; no more waits than one header and a control frame; no
        message is over a limit; there is one Close frame at most, with a code that
        may be sent, and nothing after it.
        """
        framer = RecordingFramer(isServer, **options)
        for read in splitBytes(data.draw(mutated(isServer)), sizes):
            framer.dataReceived(read)
            self.assertTrue(framer.held <= 2 + 4 + 125, framer.held)
            if framer.state >= State.DISCARDING:
                self.assertEqual(framer.held, 0)
        limit = options["maxReceivedMessageSize"]
        for message in framer.messages:
            if options["assembleFragments"] and limit is not None:
                text = message.encode() if isinstance(message, str) else message
                self.assertTrue(len(text) <= limit)
        self.assertIn(
            framer.closeCode,
            (
                None,
                1000,
                1001,
                1002,
                1003,
                1005,
                *range(1007, 1015),
                *range(3000, 5000),
            ),
        )
        firsts = [first for first, _ in framer.sent]
        self.assertNotIn(0x88, firsts[:-1])


class RoundTripTests(SynchronousTestCase):
    """
    What one framer sends, another receives.
    """

    @tried(130)
    @given(
        st.booleans(),
        st.lists(st.one_of(TEXTS, st.binary(max_size=300)), max_size=6),
        st.integers(1, 50),
        st.sampled_from([True, False]),
        SPLITS,
    )
    def test_echo(
        self,
        isServer: bool,
        messages: list[str | bytes],
        threshold: int,
        fragmenting: bool,
        sizes: list[int],
    ) -> None:
        """
        Any messages arrive at the other side as they were sent, in order, and come
        back, in whatever pieces they travel.
        """
        options = {
            "fragmentOutgoingMessages": fragmenting,
            "fragmentationThreshold": threshold,
        }
        here = RecordingFramer(isServer, **options)
        there = RecordingFramer(not isServer, **options)
        there.react = there.sendMessage
        for message in messages:
            here.sendMessage(message)
        here.close(4000, "done")
        for read in splitBytes(here.written, sizes):
            there.dataReceived(read)
        for read in splitBytes(there.written, sizes[::-1]):
            here.dataReceived(read)
        self.assertEqual(there.messages, messages)
        self.assertEqual(here.messages, messages)
        self.assertEqual([*map(type, here.messages)], [*map(type, messages)])
        for framer in (here, there):
            self.assertEqual(framer.state, State.DISCARDING)
            self.assertEqual(framer.closeReceived and framer.closeReceived[0], 4000)
            self.assertEqual(framer.violations, [])

    @tried(100)
    @given(st.booleans(), st.sampled_from([0, 1, 125, 126, 65535, 65536, 70_000]))
    def test_sizes(self, isServer: bool, size: int) -> None:
        """
        Of any size, with masks that the sender chose.
        """
        here, there = (
            RecordingFramer(role, fragmentOutgoingMessages=False)
            for role in (isServer, not isServer)
        )
        message = bytes(number & 0xFF for number in range(size))
        here.sendMessage(message)
        there.dataReceived(here.written)
        self.assertEqual(there.messages, [message])


class MaskTests(SynchronousTestCase):
    """
    RFC 6455 section 5.3.
    """

    @tried(100)
    @given(
        st.one_of(st.integers(0, 300), st.integers(16384 - 9, 16384 + 9)),
        st.binary(min_size=4, max_size=4),
        st.integers(0, 9),
    )
    def test_mask(self, size: int, key: bytes, seed: int) -> None:
        """
        Masking is what the RFC says, and undoes itself.
        """
        payload = Random(seed).randbytes(size)
        masked = xorMask(payload, key)
        self.assertEqual(masked, naiveMask(payload, key))
        self.assertEqual(xorMask(masked, key), payload)
