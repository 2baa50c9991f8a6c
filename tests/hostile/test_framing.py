# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Frames that attackers send, in amounts that attackers send them: by which byte each is
stopped, with which code, what the log says, and what it takes in memory.

Each kind of wrong frame by itself is in L{tests.rows}.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

from tests.handshakes import Echo
from tests.wire import readFrames
from twisted_ws.testing import MemoryCarrier, RecordingReceiver

from .victim import BYTEWISE, MIB, WHOLE, HostileTests, masked, peakOf


class Row(NamedTuple):
    """
    What fails a connection.

    @ivar data: what is sent.
    @ivar stops: by how many of its bytes it has failed.
    @ivar says: what the log says of it, beside the code.
    """

    name: str
    data: bytes
    stops: int
    code: int
    says: str


GIGABYTE = 1 << 30
ROWS = [
    *(
        Row(
            f"a gigabyte of the opcode {opcode:x}",
            masked(0x80 | opcode, form=64, announced=GIGABYTE),
            2,
            1002,
            f"opcode: {opcode}",
        )
        for opcode in (3, 7, 11, 15)
    ),
    *(
        Row(
            f"a gigabyte with the reserved bits {bits:x}",
            masked(0x82 | bits, form=64, announced=GIGABYTE),
            2,
            1002,
            "reserved bit",
        )
        for bits in (0x10, 0x20, 0x40, 0x70)
    ),
    Row("a frame that is not masked", b"\x82\x7f", 2, 1002, "not masked"),
    Row("a ping of 126 bytes", masked(0x89, b"x" * 126), 2, 1002, "control frame"),
    Row("a ping without FIN", masked(0x09, b"x"), 2, 1002, "control frame"),
    Row(
        "a continuation of nothing",
        masked(0x80, form=64, announced=GIGABYTE),
        2,
        1002,
        "continuation",
    ),
    Row(
        "a length of 2 to the 63",
        masked(0x82, form=64, announced=1 << 63),
        10,
        1002,
        "2**63",
    ),
    Row(
        "a length of 2 to the 64 less 1",
        masked(0x82, form=64, announced=(1 << 64) - 1),
        10,
        1002,
        "2**63",
    ),
    Row(
        "a length of 2 to the 63 less 1",
        masked(0x82, form=64, announced=(1 << 63) - 1),
        10,
        1009,
        "(option: maxReceivedMessageSize)",
    ),
    Row(
        "a length of a byte too much",
        masked(0x82, form=64, announced=MIB + 1),
        10,
        1009,
        "(option: maxReceivedMessageSize)",
    ),
    Row(
        "a length in more bytes than it takes",
        masked(0x82, b"x", form=64),
        10,
        1002,
        "minimal",
    ),
    Row(
        "a continuation of a byte too much",
        masked(0x02, b"x") + masked(0x80, form=64, announced=MIB),
        7 + 14,
        1009,
        "(option: maxReceivedMessageSize)",
    ),
    Row(
        "bad text a byte into a long frame",
        masked(0x81, b"\xff", announced=60_000),
        9,
        1007,
        "UTF-8",
    ),
]


class WrongFrameTests(HostileTests):
    """
    What is not allowed is stopped where it shows.
    """

    def test_rows(self) -> None:
        """
        Each is by the byte that shows it, whether the rest comes or not, and is one
        line in the log; nothing of it is held.
        """
        self.serve()
        for name, data, stops, code, says in ROWS:
            for most in (WHOLE, BYTEWISE):
                peer = self.opened()
                held = self.server.carriers[-1][1].protocol._connection
                peer.send(data[: stops - 1], most)
                self.assertEqual(peer.received, b"", name)
                peer.send(data[stops - 1 : stops], most)
                self.assertEqual(held._buffer, b"", name)
                self.assertFailed(peer, code, name)
                self.assertLogged(f"closing with {code}", "192.0.2.1", says)
        self.assertServed()
        self.assertNothingLeft()

    def test_floodBehind(self) -> None:
        """
        64 MiB behind a wrong frame are dropped as they come, and the end comes in time
        though the peer goes on.
        """
        self.serve(keepalive=False)
        peer = self.opened()
        server = self.server.carriers[-1][1]
        with peakOf() as peak:
            peer.send(b"\x82\x7f")
            for _ in range(1024):
                peer.send(bytes(65536))
        self.assertLess(peak.size, MIB // 2)
        self.assertFailed(peer, 1002)
        self.assertLogged("closing with 1002")
        self.clock.advance(5)
        self.server.flush()
        self.assertTrue(server.disconnected)
        self.assertServed()
        self.assertNothingLeft()


def reads(frame: bytes, times: int) -> Iterator[bytes]:
    """
    @return: many times the same frame, in reads as a socket makes them.
    """
    each = 65536 // len(frame)
    for _ in range(times // each):
        yield frame * each
    yield frame * (times % each)


class FragmentTests(HostileTests):
    """
    Messages in very many pieces.
    """

    def test_floods(self) -> None:
        """
        A million fragments of nothing, or of a byte, end at the 4097th, for 1008, and
        what comes behind is not held.
        """
        for payload in (b"", b"x"):
            self.serve()
            peer = self.opened()
            with peakOf() as peak:
                peer.send(masked(0x02, payload))
                for read in reads(masked(0x00, payload), 1_000_000):
                    peer.send(read)
            self.assertLess(peak.size, MIB, payload)
            self.assertFailed(peer, 1008, payload)
            self.assertLogged("closing with 1008", "(option: maxReceivedFragments)")
            self.assertServed()
            self.assertNothingLeft()

    def test_allowed(self) -> None:
        """
        Where they are allowed, a hundred thousand fragments take what their message
        takes: the bytes, and a copy when they are put together.
        """
        size = 100_000
        self.serve(RecordingReceiver, maxReceivedFragments=None)
        peer = self.opened()
        with peakOf() as peak:
            peer.send(masked(0x02))
            for read in reads(masked(0x00, b"x"), size):
                peer.send(read)
            peer.send(masked(0x80))
        self.assertLess(peak.size, 2 * size + MIB // 2)
        connection = self.server.carriers[-1][1].protocol._connection
        self.assertEqual(connection.receiver.messages, [b"x" * size])

    def test_smallReads(self) -> None:
        """
        A frame of 256 KiB that comes byte by byte takes what it takes in one piece.
        """
        size = 1 << 18
        self.serve()
        peer = self.opened()
        connection = self.server.carriers[-1][1].protocol._connection
        data = masked(0x82, bytes(size))
        with peakOf() as peak:
            for at in range(len(data)):
                connection.dataReceived(data[at : at + 1])
        # It, what it grows in, and its echo.
        self.assertLess(peak.size, 4 * size)
        self.server.flush()
        self.assertEqual(len(peer.received), size + 4 * (size // 16384))


class MessageTests(HostileTests):
    """
    Very many messages.
    """

    def test_empty(self) -> None:
        """
        Fifty thousand messages of nothing in a few reads are delivered, and hold nobody
        else up for longer than one read takes.
        """
        counted = []
        turns = []

        class Count(Echo):  # type: ignore[misc]
            """
            Counts what is nothing, and echoes the rest.
            """

            def messageReceived(self, message: Any) -> None:
                if message:
                    turns.append(len(counted))
                    super().messageReceived(message)
                else:
                    counted.append(message)

        self.serve(Count)
        peer = self.opened()
        for read in reads(masked(0x81), 50_000):
            peer.transport.write(read)
            self.honest.send("still there?")
            self.server.flush(65536)
        self.assertEqual(len(counted), 50_000)
        gaps = [after - before for before, after in pairwise(turns)]
        self.assertLessEqual(max(gaps), 65536 // 6 + 1)

    def test_halfAFrame(self) -> None:
        """
        A frame that is announced, and sent but for its last byte, is held once; it does
        not keep a peer alive that is silent then.
        """
        self.serve(keepaliveInterval=20, keepaliveGracePeriod=10)
        peer = self.opened()
        server = self.server.carriers[-1][1]
        with peakOf() as peak:
            peer.send(masked(0x82, announced=MIB))
            for _ in range(15):
                peer.send(bytes(65536))
            peer.send(bytes(65535))
        self.assertLess(peak.size, 2.5 * MIB)
        self.passTime(51)
        self.assertTrue(server.disconnected)
        self.assertLogged("the peer sent nothing for keepaliveInterval")


class PingTests(HostileTests):
    """
    Very many pings.
    """

    def test_neverRead(self) -> None:
        """
        Of the answers to a hundred thousand pings that a peer does not read, no more is
        held than its carrier takes and one, whether the server reads on or not.
        """
        for pauses in (True, False):
            self.serve(keepalive=False, maxPongRate=None, pauseWhileCongested=pauses)
            peer = self.opened()
            client, server = self.server.carriers[-1]
            client.pauseProducing()
            with peakOf() as peak:
                for read in reads(masked(0x89, b"p" * 125), 100_000):
                    peer.send(read)
                    if client.outgoing:
                        break
            # Who reads has read all; who does not has stopped.
            self.assertEqual(bool(client.outgoing), pauses)
            # What the carrier takes, and what was gathered while one read was handled.
            most = MemoryCarrier.highWater + (1 << 16)
            self.assertLess(len(server.outgoing), most + 2 * 127)
            self.assertLess(peak.size, MIB, pauses)
            self.assertSilent()
            self.assertServed()

    def test_read(self) -> None:
        """
        Of more than C{maxPongRate} pings a second, with a peer that reads, only the
        latest is answered; all others get no answer ever, and nothing waits for them.
        """
        self.serve(keepalive=False)
        peer = self.opened()
        for second in range(3):
            for n in range(1000):
                peer.transport.write(masked(0x89, b"%d" % (second * 1000 + n)))
            self.server.flush()
            self.passTime(1)
        pongs = readFrames(peer.take())
        self.assertEqual({pong.first for pong in pongs}, {0x8A})
        self.assertLess(len(pongs), 3 * 51 + 50)
        self.assertEqual(pongs[-1].payload, b"2999")
        numbers = [int(pong.payload) for pong in pongs]
        self.assertEqual(numbers, sorted(numbers))
        self.assertServed()
        peer.transport.abortConnection()
        self.server.flush()
        self.assertNothingLeft()
