# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Properties of permessage-deflate that hold for any input, tried with generated ones.
The same ones in each run; C{TWISTED_WS_EXAMPLES=20} in the environment tries twenty
times as many.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.deflating import Stream, compressed, inflated, installed, pair
from tests.test_framer_properties import tried
from twisted_ws import Frame, PerMessageDeflate
from twisted_ws.errors import InvalidPayload, PayloadTooBig
from twisted_ws.extensions import RSV1
from twisted_ws.extensions.implementations import implementationNamed
from twisted_ws.extensions.inflater import Inflater

BITS = st.integers(9, 15)
OPTIONS = st.fixed_dictionaries(
    {
        "serverNoContextTakeover": st.booleans(),
        "clientNoContextTakeover": st.booleans(),
        "serverMaxWindowBits": BITS,
        "clientMaxWindowBits": BITS,
        "windowBits": BITS,
        "memLevel": st.integers(1, 9),
        "threshold": st.sampled_from([0, 10, 1000]),
        "implementation": st.sampled_from(installed()),
    }
)

DATA = st.one_of(
    st.binary(max_size=40),
    st.builds(
        lambda part, times: part * times,
        st.binary(max_size=300),
        st.integers(0, 60),
    ),
    st.sampled_from([bytes(70000), b"a" * 258, b"a" * 259, b"ab" * 20000]),
)

# The pieces of a message, and what is asked for it.
MESSAGES = st.lists(
    st.tuples(
        st.lists(DATA, min_size=1, max_size=5),
        st.sampled_from([None, None, True, False]),
    ),
    max_size=5,
)

CUTS = st.lists(st.integers(0, 200), max_size=30)


def cut(payload: bytes, sizes: list[int]) -> list[bytes]:
    """
    @return: pieces of these sizes, and the rest.
    """
    pieces = []
    for size in sizes:
        pieces.append(payload[:size])
        payload = payload[size:]
    return [*pieces, payload]


class RoundTripTests(SynchronousTestCase):
    """
    What is sent is received.
    """

    @tried(150)
    @given(OPTIONS, OPTIONS, MESSAGES, CUTS, st.booleans())
    def test_roundTrip(
        self,
        mine: dict[str, Any],
        yours: dict[str, Any],
        messages: list[tuple[list[bytes], bool | None]],
        cuts: list[int],
        recut: bool,
    ) -> None:
        """
        Whatever both sides are told, in whatever pieces a message is sent, and into
        whatever frames it is cut on the way, it arrives; with a limit of exactly its
        size.  Pieces that are not cut arrive as they were.
        """
        sides = pair(PerMessageDeflate(**mine), PerMessageDeflate(**yours))
        for sender, receiver in (sides, sides[::-1]):
            for pieces, asked in messages:
                last = len(pieces) - 1
                frames = [
                    sender.encode(Frame(0 if at else 2, piece, at == last, 0, asked))
                    for at, piece in enumerate(pieces)
                ]
                rsv = frames[0].rsv
                self.assertIn(rsv, (0, RSV1))
                self.assertEqual([frame.rsv for frame in frames[1:]], [0] * last)
                payloads = [frame.payload for frame in frames]
                if recut:
                    payloads = cut(b"".join(payloads), cuts)
                whole = b"".join(pieces)
                left = len(whole) if rsv else 1 << 20
                received = []
                for at, payload in enumerate(payloads):
                    fin = at == len(payloads) - 1
                    frame = Frame(0 if at else 2, payload, fin, 0 if at else rsv)
                    decoded = receiver.decode(frame, left)
                    self.assertEqual(
                        decoded, frame._replace(payload=decoded.payload, rsv=0)
                    )
                    left -= len(decoded.payload)
                    received.append(decoded.payload)
                self.assertEqual(b"".join(received), whole)
                if not recut:
                    self.assertEqual(received, pieces)

    @tried(60)
    @given(OPTIONS, st.lists(DATA, max_size=5))
    def test_plainZlib(self, options: dict[str, Any], messages: list[bytes]) -> None:
        """
        Plain zlib reads what is sent, and what plain zlib sends is read.
        """
        _, server = pair(PerMessageDeflate(**options))
        bits = server._inflater._bits
        stream = Stream(bits)
        sent = []
        for data in messages:
            if server._inflater._forgets:
                stream = Stream(bits)
            frame = compressed(stream.message(data))
            self.assertEqual(server.decode(frame, len(data)).payload, data)
            sent.append(server.encode(Frame(2, data, True, 0, True)))
        # What was sent as it is did not enter the compressor's memory.
        marked = [
            (frame.payload, data)
            for frame, data in zip(sent, messages, strict=True)
            if frame.rsv
        ]
        if server._deflater._forgets:
            for payload, data in marked:
                self.assertEqual(inflated(payload), [data])
        else:
            read = inflated(*[payload for payload, _ in marked])
            self.assertEqual(read, [data for _, data in marked])


class HostileTests(SynchronousTestCase):
    """
    Whatever is received.
    """

    @tried(200)
    @given(
        st.sampled_from(installed()),
        st.booleans(),
        st.sampled_from([None, 1, 50]),
        st.lists(
            st.one_of(
                st.binary(max_size=60),
                st.sampled_from(
                    [
                        bytes.fromhex("f248cdc9c90700"),
                        bytes.fromhex("f348cdc9c90700"),
                        bytes.fromhex("03000300030000"),
                        b"\x00\x00\x00\xff\xff",
                        b"\x01\x00\x00\xff\xff",
                        Stream().message(bytes(200000)),
                    ]
                ),
            ),
            min_size=1,
            max_size=6,
        ),
        st.integers(0, 3000),
    )
    def test_bounded(
        self,
        implementation: str,
        forgets: bool,
        maxRatio: int | None,
        payloads: list[bytes],
        limit: int,
    ) -> None:
        """
        Nothing but the two errors comes of it, and never more than the limit.
        """
        inflater = Inflater(implementationNamed(implementation), 15, forgets, maxRatio)
        left = limit
        for at, payload in enumerate(payloads):
            frame = compressed(payload, at == len(payloads) - 1, at == 0)
            try:
                decoded = inflater.decode(frame, left)
            except (InvalidPayload, PayloadTooBig):
                return
            left -= len(decoded.payload)
            self.assertGreaterEqual(left, 0)
