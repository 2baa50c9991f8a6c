# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Peers that do not read, or read very slowly, what they are sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from tests.handshakes import handshake
from tests.wire import readFrames
from twisted_ws import ConnectionNotOpen
from twisted_ws.testing import MemoryCarrier, RawPeer, RecordingReceiver

from .victim import MIB, HostileTests, Repeat, masked, peakOf

CHUNK = bytes(16_000)


class SlowReaderTests(HostileTests):
    """
    The server sends more than its peer reads.
    """

    def sending(self, application: Callable[[Any], object], **options: Any) -> None:
        """
        Start a server whose application sends to who asks for C{/}, as soon as it is
        connected; and connect a peer that reads none of it.

        @param application: takes the connection.
        """

        class Sender(RecordingReceiver):
            """
            Sends at once.
            """

            def connectionMade(self) -> None:
                RecordingReceiver.connectionMade(self)
                if self.transport.request.path == "/":
                    receivers.append(self)
                    application(self.transport)

            def messageReceived(self, message: Any) -> None:
                self.transport.sendMessage(message)

        receivers: list[Any] = []
        self.serve(Sender, **options)
        self.peer: RawPeer = self.server.connectRaw()
        self.peer.transport.pauseProducing()
        self.carrier: MemoryCarrier = self.server.carriers[-1][1]
        with peakOf() as self.peak:
            self.peer.send(handshake())
        self.receiver = receivers[0]

    def test_awaiting(self) -> None:
        """
        A sender that awaits room has one message over the mark, however much it has to
        send; the peer that takes nothing of it is aborted after C{sendStallTimeout},
        and the sender is told.
        """
        sent = []

        def go(connection: Any) -> None:
            async def send() -> None:
                for _ in range(100_000):
                    await connection.whenWritable()
                    connection.sendMessage(CHUNK)
                    sent.append(CHUNK)

            ends.append(Deferred.fromCoroutine(send()))

        ends: list[Deferred[None]] = []
        self.sending(go, keepalive=False)
        self.assertLess(len(sent) * len(CHUNK), 65536 + 2 * len(CHUNK))
        self.assertLess(self.peak.size, MIB)
        self.passTime(29)
        self.assertFalse(self.carrier.disconnected)
        self.assertNoResult(ends[0])
        self.passTime(2)
        self.assertTrue(self.carrier.disconnected)
        self.failureResultOf(ends[0])
        self.assertEqual(self.receiver.reason.code, 1006)
        self.assertLogged("192.0.2.1", "sendStallTimeout (30 s)")
        self.assertServed()
        self.assertNothingLeft()

    def test_notAwaiting(self) -> None:
        """
        A sender that does not has its connection closed with 1013 when C{maxSendBuffer}
        is over, and its next message refused; no more than that was held.
        """
        refused = []

        def go(connection: Any) -> None:
            for _ in range(10_000):
                try:
                    connection.sendMessage(CHUNK)
                except ConnectionNotOpen:
                    refused.append(1)

        self.sending(go)
        self.assertGreater(len(refused), 9900)
        self.assertLess(self.peak.size, 2 * MIB)
        self.assertLess(len(self.carrier.outgoing), 65536 + 2 * len(CHUNK))
        self.assertLogged("closing with 1013", "(option: maxSendBuffer)")
        self.peer.transport.resumeProducing()
        self.server.flush()
        self.assertEqual(
            readFrames(self.peer.take().partition(b"\r\n\r\n")[2])[-1].payload[:2],
            b"\x03\xf5",
        )
        self.passTime(6)
        self.assertTrue(self.carrier.disconnected)
        self.assertServed()
        self.assertNothingLeft()

    def test_oneLongMessage(self) -> None:
        """
        A message that is longer than all limits is sent to a peer that reads a little
        of it every second; C{sendStallTimeout} counts what does not move, not how long
        all of it takes.
        """
        size = 2 * MIB
        self.sending(lambda connection: connection.sendMessage(bytes(size)))
        self.peer.transport.resumeProducing()
        step = size // 120
        for _ in range(130):
            self.clock.advance(0.5)
            self.carrier.moveOn(step)
            self.clock.advance(0.5)
            self.server.carriers[0][0].moveOn(1 << 30)
            self.server.carriers[0][1].moveOn(1 << 30)
            self.assertIsNone(self.receiver.reason)
        frames = readFrames(self.peer.take().partition(b"\r\n\r\n")[2])
        data = [frame for frame in frames if frame.first != 0x89]
        self.assertEqual(sum(len(frame.payload) for frame in data), size)
        self.assertSilent()

    def test_askingWithoutReading(self) -> None:
        """
        A peer that asks and does not read the answers is not read from, before a naive
        application has queued more than the mark; when it reads, it gets them all.
        """
        self.serve(Repeat, keepalive=False)
        peer = self.opened()
        client, server = self.server.carriers[-1]
        client.pauseProducing()
        sent = 0
        with peakOf() as peak:
            while not client.outgoing and sent < 1000:
                peer.send(masked(0x82, b"q" * 1000))
                sent += 1
        self.assertLess(sent, 140)
        self.assertLess(len(server.outgoing), 65536 + 4096)
        self.assertLess(peak.size, MIB)
        for _ in range(50):
            peer.transport.write(masked(0x82, b"q" * 1000))
        client.resumeProducing()
        self.server.flush()
        self.assertEqual(len(readFrames(peer.take())), sent + 50)
        self.assertServed()

    def test_unreadPongs(self) -> None:
        """
        A peer that pings and does not read is gone after C{sendStallTimeout}, though it
        goes on pinging.
        """
        self.serve(keepalive=False, maxPongRate=None, sendStallTimeout=5)
        peer = self.opened()
        client, server = self.server.carriers[-1]
        client.pauseProducing()
        for _ in range(100):
            if not client.outgoing:
                peer.send(masked(0x89, bytes(125)) * 100)
        self.assertNotEqual(client.outgoing, b"")
        for _ in range(4):
            peer.send(masked(0x89, bytes(125)))
            self.passTime(1)
        self.assertFalse(server.disconnected)
        self.passTime(2)
        self.assertTrue(server.disconnected)
        self.assertLogged("192.0.2.1", "sendStallTimeout (5 s)")
        self.assertServed()
        self.assertNothingLeft()


class CrowdTests(HostileTests):
    """
    What is sent to all.
    """

    def test_someDeaf(self) -> None:
        """
        Of a hundred who are told 16 MiB, ten do not read: these are closed, and the
        others miss nothing.
        """
        self.serve(RecordingReceiver, keepalive=False)
        peers = [self.opened() for _ in range(100)]
        carriers = [pair[0] for pair in self.server.carriers[1:]]
        for carrier in carriers[::10]:
            carrier.pauseProducing()
        counts = [0] * 100
        with peakOf() as peak:
            for _ in range(256):
                self.server.factory.broadcast(bytes(65536))
                self.server.flush()
                for number, peer in enumerate(peers):
                    counts[number] += len(peer.take())
                self.successResultOf(self.honest.receive())
        self.assertLess(peak.size, 10 * 2 * MIB + 8 * MIB)
        for number, count in enumerate(counts):
            if number % 10:
                self.assertEqual(count, 256 * (65536 + 4 * 4))
        self.assertEqual(len(self.events), 10)
        self.events.clear()
        self.passTime(6)
        self.assertEqual(len(self.server.factory.connections), 91)
        self.assertSilent()

    def test_budget(self) -> None:
        """
        Many who hold little each hold too much together: then who holds the most is
        closed, and not the honest one.
        """
        total = 4 * MIB
        self.serve(Repeat, maxTotalBuffer=total, keepalive=False)
        peers = [self.opened() for _ in range(20)]
        with peakOf() as peak:
            for number, peer in enumerate(peers):
                size = 900_000 if number == 7 else 400_000
                peer.send(masked(0x82, bytes(size), announced=MIB))
        self.assertLess(peak.size, 3 * total)
        self.assertFailed(peers[7], 1013)
        self.assertIn("maxTotalBuffer", str(self.events[0]))
        self.assertServed()
