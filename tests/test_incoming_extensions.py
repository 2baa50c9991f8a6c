# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.incoming}: messages that are taken behind extensions, or are counted.
"""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import BOTH, Conversation
from tests.deflating import Stream
from tests.taking import Taking
from twisted_ws import PerMessageDeflate
from twisted_ws._wire.errors import ProtocolViolation
from twisted_ws._wire.state import State
from twisted_ws.testing import RecordingReceiver

DEFLATE = (b"Sec-WebSocket-Extensions: permessage-deflate",)


def deflating(isServer, receiver, **options):
    """
    @return: a conversation with permessage-deflate.
    """
    extensions = [PerMessageDeflate(maxRatio=None)]
    return Conversation(
        isServer, receiver, fields=DEFLATE, extensions=extensions, **options
    )


class DeflateTests(SynchronousTestCase):
    """
    Compressed messages.
    """

    def fragments(self, *parts):
        """
        @return: the frames of one compressed message, a part each.
        """
        stream = Stream()
        frames = []
        for number, part in enumerate(parts):
            last = number == len(parts) - 1
            payload = stream.flushed(part)
            first = (0xC0 if number == 0 else 0x80) & (0xFF if last else 0x7F)
            opcode = 2 if number == 0 else 0
            frames.append((first | opcode, payload[:-4] if last else payload))
        return frames

    def test_pieces(self):
        """
        A frame is a piece, decompressed; in whatever reads it comes.
        """
        parts = [b"first " * 100, b"second " * 100, b"", b"third"]
        for isServer, role in BOTH:
            for step in (1, 7, 10000):
                c = deflating(isServer, Taking())
                frames = self.fragments(*parts)
                data = b"".join(c.frame(*frame) for frame in frames)
                for at in range(0, len(data), step):
                    c.sendBytes(data[at : at + step])
                pieces = [piece for piece in c.receiver.sinks[0].pieces if piece]
                self.assertEqual(pieces, [part for part in parts if part], role)
                self.assertEqual(c.receiver.done, [len(b"".join(parts))])

    def test_turns(self):
        """
        Messages that are taken, that are not, and that are not compressed can share a
        connection, and its window.
        """
        for isServer, role in BOTH:
            c = deflating(isServer, Taking(lambda message: message.opcode == 2))
            stream = Stream()
            c.send(
                (0xC1, stream.message(b"hello hello")),
                (0xC2, stream.message(b"hello hello hello")),
                (0x82, b"plain"),
                (0x81, b"plain"),
                (0x42, stream.flushed(b"hello")),
                (0x80, stream.message(b" hello")),
            )
            events = ["hello hello", 17, 5, "plain", 11]
            self.assertEqual(c.receiver.events, events, role)

    def test_larger(self):
        """
        A message may be longer than C{maxReceivedMessageSize}, if no frame of it is,
        compressed or not; nothing of it is kept.
        """
        limit = 1 << 17
        parts = [Random(number).randbytes(limit) for number in range(12)]
        for isServer, role in BOTH:
            c = deflating(isServer, Taking(maxSize=None), maxReceivedMessageSize=limit)
            for frame in self.fragments(*parts):
                c.send(frame)
                self.assertEqual(c.connection._reported, 0)
            self.assertEqual(c.receiver.done, [12 * limit], role)
            self.assertEqual(c.receiver.sinks[0].data, b"".join(parts))
            c.send(*self.fragments(bytes(limit + 1)))
            self.assertEqual(c.take()[0][1][:2], b"\x03\xf1", role)
            self.assertEqual(c.connection._cause.option, "maxReceivedMessageSize")

    def test_exact(self):
        """
        C{maxSize} is of what is decompressed: exactly so much may come, though it be
        longer compressed.
        """
        noise = Random(1).randbytes(1000)
        for isServer, role in BOTH:
            for parts in ([noise], [noise[:500], noise[500:]], [noise, b""]):
                c = deflating(isServer, Taking(maxSize=1000))
                frames = self.fragments(*parts)
                self.assertTrue(sum(len(p) for _, p in frames) > 1000)
                c.send(*frames)
                self.assertEqual(c.receiver.done, [1000], (role, len(parts)))

    def test_exceeded(self):
        """
        More fails the connection with 1009, however short it is compressed, and is not
        decompressed, though there be no other limit.
        """
        for isServer, role in BOTH:
            for limit in (1 << 20, 1001, None):
                for parts in (
                    [bytes(1001)],
                    [bytes(500), bytes(501)],
                    [bytes(1000), b"1"],
                    [bytes(1 << 20)],
                ):
                    c = deflating(
                        isServer, Taking(maxSize=1000), maxReceivedMessageSize=limit
                    )
                    c.send(*self.fragments(*parts))
                    name = role, limit, len(parts)
                    self.assertEqual(c.take()[0][1][:2], b"\x03\xf1", name)
                    cause = c.connection._cause.option
                    self.assertEqual(cause, "deliverTo(maxSize=...)", name)
                    self.assertTrue(len(c.receiver.sinks[0].data) <= 1000)

    def test_ratio(self):
        """
        The limit of the ratio is named when it is that.
        """
        c = Conversation(
            True,
            Taking(maxSize=10 << 20),
            fields=DEFLATE,
            extensions=[PerMessageDeflate(maxRatio=10)],
            maxReceivedMessageSize=None,
        )
        c.send(*self.fragments(bytes(1 << 20)))
        self.assertEqual(c.connection._cause.option, "maxRatio")

    def test_abortsWithinPiece(self):
        """
        A connection that is aborted by what took a piece is over at once.
        """

        class Aborting(Taking):
            def messageBegan(self, message):
                Taking.messageBegan(self, message)
                self.sinks[-1].act = lambda data: self.transport.letGo(
                    ProtocolViolation("x")
                )

        for isServer, role in BOTH:
            c = deflating(isServer, Aborting())
            c.send(*self.fragments(b"a", b"b"), (0x81, b"c"))
            self.assertEqual(c.receiver.sinks[0].pieces, [b"a"], role)
            self.assertEqual(c.receiver.messages, [])


class Meter:
    """
    Counts what it is told of.
    """

    def __init__(self, seconds=0.0):
        self.calls = []
        self.seconds = seconds

    def messageReceived(self, size):
        return self.count("message", size)

    def pingReceived(self, size):
        return self.count("ping", size)

    def bytesReceived(self, size):
        return self.count("bytes", size)

    def count(self, what, size):
        self.calls.append((what, size))
        if isinstance(self.seconds, ProtocolViolation):
            raise self.seconds
        return self.seconds


class MeterTests(SynchronousTestCase):
    """
    Messages that are counted, see L{Reception.meter
    <twisted_ws.reception.Reception.meter>}.
    """

    def connect(self, meter, receiver=None):
        """
        @return: a conversation that is counted.
        """

        class Metered(Conversation):
            def _accept(self, request):
                request.whenAccepted(lambda connection: connection.meter(meter))
                Conversation._accept(self, request)

        return Metered(True, receiver or Taking(), keepalive=False)

    def test_counted(self):
        """
        Each message counts once, as it begins if it is taken; each byte counts, as it
        comes.
        """
        meter = Meter()
        c = self.connect(meter, Taking(lambda message: message.opcode == 2))
        c.send((0x02, b"a"))
        c.send((0x00, b"bc"))
        c.send((0x80, b"def"))
        c.send((0x81, b"text"))
        self.assertEqual(c.receiver.events, [6, "text"])
        self.assertEqual(
            meter.calls,
            [("message", 7), ("bytes", 0), ("bytes", 8), ("bytes", 9), ("message", 10)],
        )
        self.assertEqual(
            sum(size for _, size in meter.calls), c.connection.bytesReceived
        )

    def test_paused(self):
        """
        The connection is not read from for as long as it says.
        """
        meter = Meter(2.0)
        c = self.connect(meter)
        c.send((0x02, b"a"))
        sink = []
        for seconds in (2, 2, 2):
            self.assertTrue(c.carrier.isPaused)
            c.advance(seconds / 2)
            c.send((0x00, b"b"))
            self.assertTrue(c.carrier.isPaused)
            c.advance(seconds / 2)
            sink.append(c.receiver.sinks[0].data)
        self.assertEqual(sink, [b"a", b"ab", b"abb"])
        self.assertEqual(c.receiver.done, [])
        c.connection.abortConnection()
        c.flush()
        self.assertEqual(c.timers, 0)

    def test_closed(self):
        """
        Or it is closed, at the beginning of a message or in the middle.
        """
        violation = ProtocolViolation("too fast")
        for early in (True, False):
            meter = Meter()
            c = self.connect(meter)
            if early:
                meter.seconds = violation
            c.send((0x02, b"a"))
            meter.seconds = violation
            c.send((0x00, b"b"))
            self.assertEqual(c.take(), [(0x88, b"\x03\xeatoo fast")])
            self.assertEqual(c.receiver.sinks[0].data, b"" if early else b"a")
            self.assertEqual(len(c.receiver.done), 1)
            self.assertEqual(c.connection.state, State.CLOSED)

    def test_whole(self):
        """
        A message that is not taken counts when it is complete.
        """
        meter = Meter()
        c = self.connect(meter, RecordingReceiver())
        c.send((0x02, b"a"))
        self.assertEqual(meter.calls, [])
        c.send((0x80, b"b"))
        self.assertEqual(meter.calls, [("message", 14)])
