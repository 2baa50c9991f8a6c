# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.keepalive}: finding out that a peer is gone, and not that one is there.
"""

from __future__ import annotations

from twisted.internet.address import UNIXAddress
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import BOTH, CLOSE_1000, Conversation
from twisted_ws import (
    ClientConfig,
    ClosedAbruptly,
    MessageReceiver,
    WebSocketConnection,
)
from twisted_ws._wire.state import State
from twisted_ws.testing import MemoryCarrier, RecordingReceiver

PING = (0x89, b"")


def watched(isServer: bool = True, receiver=None, **options) -> Conversation:
    """
    @return: a conversation with an interval of 20 seconds and a grace of 10.
    """
    return Conversation(isServer, receiver, **{"keepalive": True, **options})


class SilenceTests(SynchronousTestCase):
    """
    A peer that sends nothing.
    """

    def test_dropped(self):
        """
        After C{keepaliveInterval} it is sent a ping, and C{keepaliveGracePeriod} later
        it is dropped.
        """
        for isServer, role in BOTH:
            c = watched(isServer)
            c.advance(19.75)
            self.assertEqual(c.take(), [], role)
            c.advance(0.25)
            self.assertEqual(c.take(), [PING], role)
            c.advance(9.75)
            self.assertEqual(c.receiver.losses, 0, role)
            c.advance(0.25)
            self.assertEqual(c.receiver.losses, 1, role)
            self.assertIsInstance(c.receiver.reason, ClosedAbruptly, role)
            self.assertEqual(c.take(), [], role)
            self.assertEqual(c.timers, 0, role)

    def test_options(self):
        """
        Both durations can be set.
        """
        c = watched(keepaliveInterval=2, keepaliveGracePeriod=0.5)
        c.advance(2)
        self.assertEqual(c.take(), [PING])
        c.advance(0.5)
        self.assertEqual(
            str(c.receiver.reason),
            "the peer sent nothing for keepaliveInterval (2 s), nor within"
            " keepaliveGracePeriod (0.5 s) after a ping",
        )

    def test_logged(self):
        """
        It is logged why, with the peer's address.
        """
        c = watched()
        peer = str(c.carrier.getPeer())
        with capturedLogs() as logged:
            c.advance(20)
            c.advance(10)
        (text,) = [formatEvent(event) for event in logged]
        self.assertEqual(logged[0]["log_level"], LogLevel.info)
        self.assertIn(peer, text)
        self.assertIn(str(c.receiver.reason), text)

    def test_notDropped(self):
        """
        With C{dropConnectionOnKeepaliveTimeout=False} it is sent a ping each time, and
        nothing else.
        """
        c = watched(dropConnectionOnKeepaliveTimeout=False)
        for _ in range(5):
            c.advance(20)
            self.assertEqual(c.take(), [PING])
            c.advance(10)
            self.assertEqual(c.take(), [])
            self.assertEqual((c.connection.state, c.timers), (State.OPEN, 1))

    def test_serversOnly(self):
        """
        By default servers watch, and clients leave it to them.
        """
        self.assertEqual(Conversation(True).timers, 1)
        self.assertEqual(Conversation(False).timers, 0)

    def test_off(self):
        """
        With C{keepalive=False} there is no timer, and silence is allowed.
        """
        for isServer, role in BOTH:
            c = Conversation(isServer, keepalive=False)
            self.assertEqual(c.timers, 0, role)
            c.advance(1e6)
            self.assertEqual(c.take(), [], role)
            self.assertEqual(c.receiver.losses, 0, role)
            self.assertFalse(c.carrier.keepAlive, role)

    def test_ownTraffic(self):
        """
        What we send is no sign of the peer's life.
        """
        c = watched(receiver=RecordingReceiver())
        for _ in range(29):
            c.advance(1)
            c.connection.sendMessage("are you there?")
        self.assertEqual(c.receiver.losses, 0)
        c.advance(1)
        self.assertEqual(c.receiver.losses, 1)


class LifeTests(SynchronousTestCase):
    """
    A peer that gives a sign of life.
    """

    signs = [
        ("a pong", lambda c: c.frame(0x8A)),
        ("another pong", lambda c: c.frame(0x8A, b"unasked")),
        ("a ping", lambda c: c.frame(0x89)),
        ("a message", lambda c: c.frame(0x81, b"hello")),
        ("an empty message", lambda c: c.frame(0x81)),
        ("a piece of a message", lambda c: c.frame(0x01, b"hel")),
        ("one byte of a frame", lambda c: c.frame(0x81, b"hello")[:1]),
        ("a long frame's header", lambda c: c.frame(0x82, bytes(65536))[:14]),
    ]

    def test_anyByte(self):
        """
        Any byte within the grace period is one, whatever it is part of; the next ping
        comes an interval later.
        """
        for name, sign in self.signs:
            c = watched()
            c.advance(20)
            c.take()
            c.advance(9)
            c.sendBytes(sign(c))
            c.peer.take()
            c.advance(1)
            self.assertEqual(c.receiver.losses, 0, name)
            c.advance(19)
            self.assertEqual(c.take(), [], name)
            c.advance(1)
            self.assertEqual(c.take(), [PING], name)

    def test_noNeedToAsk(self):
        """
        A peer that sent something within an interval is not asked.
        """
        for name, sign in self.signs:
            c = watched()
            c.advance(1)
            c.sendBytes(sign(c))
            c.peer.take()
            c.advance(19)
            self.assertEqual(c.take(), [], name)
            c.advance(20)
            self.assertEqual(c.take(), [PING], name)

    def test_drips(self):
        """
        A large frame that comes in slowly is not silence.
        """
        c = watched(keepaliveInterval=2, keepaliveGracePeriod=1)
        data = c.frame(0x82, bytes(1000))
        for at in range(0, len(data), 10):
            c.sendBytes(data[at : at + 10])
            c.advance(1.5)
        self.assertEqual(c.receiver.messages, [bytes(1000)])
        self.assertEqual(c.take(), [])

    def test_answersForADay(self):
        """
        A peer that does nothing but answer pings stays.
        """
        c = watched()
        for _ in range(24 * 60 * 3):
            c.advance(20)
            if c.take() == [PING]:
                c.send((0x8A, b""))
        self.assertEqual((c.receiver.losses, c.timers), (0, 1))

    def test_noTimerPerRead(self):
        """
        Nothing is scheduled, moved or cancelled when something is received.
        """
        c = watched()
        (timer,) = c.clock.getDelayedCalls()
        for number in range(10):
            c.advance(1)
            c.send((0x81, b"%d" % number))
        self.assertEqual(c.clock.getDelayedCalls(), [timer])
        self.assertEqual(timer.getTime(), 20)


class LateTests(SynchronousTestCase):
    """
    A process that was busy, or stopped, may find a timer that is over before it has
    read what came in meanwhile.
    """

    def test_pongWaits(self):
        """
        A pong that waits in the carrier when the grace period is over is read before
        the peer is judged.
        """
        c = watched()
        c.advance(20)
        c.take()
        c.peer.transport.write(c.frame(0x8A))
        # A reactor that comes back runs its timers first, then reads.
        c.clock.rightNow += 60
        c.turn()
        c.turn()
        self.assertEqual(c.receiver.losses, 0)
        self.assertEqual(c.timers, 1)

    def test_noPong(self):
        """
        A peer that did not answer is dropped all the same, when the reactor runs: it
        is asked once more, and has its time.
        """
        c = watched()
        c.advance(20)
        c.take()
        c.clock.rightNow += 60
        c.turn()
        c.turn()
        self.assertEqual(c.take(), [(0x89, b"")])
        c.advance(9)
        self.assertEqual(c.receiver.losses, 0)
        c.advance(1)
        c.turn()
        self.assertEqual(c.receiver.losses, 1)

    def test_intervalOver(self):
        """
        A long absence between two looks is one silent interval, not several.
        """
        c = watched()
        c.clock.rightNow += 3600
        c.turn()
        self.assertEqual(c.take(), [PING])
        self.assertEqual(c.receiver.losses, 0)
        self.assertEqual(c.clock.getDelayedCalls()[0].getTime(), 3610)


class PauseTests(SynchronousTestCase):
    """
    While the application pauses the connection nothing is read: the silence is ours.
    """

    def test_paused(self):
        """
        A paused connection is not dropped for its silence; but it is pinged, since
        writing is what finds out there that the peer is gone.
        """
        c = watched()
        c.connection.pauseProducing()
        for _ in range(10):
            c.advance(20)
            self.assertEqual(c.take(), [(0x89, b"")])
        self.assertEqual((c.receiver.losses, c.timers), (0, 1))

    def test_pausedInGrace(self):
        """
        Nor when it was asked before.
        """
        c = watched()
        c.advance(20)
        c.connection.pauseProducing()
        c.advance(100)
        self.assertEqual(c.receiver.losses, 0)

    def test_resumed(self):
        """
        When it is resumed the watch goes on: a peer that is gone is found out.
        """
        c = watched()
        c.connection.pauseProducing()
        c.advance(20)
        c.advance(10)
        c.connection.resumeProducing()
        for _ in range(6):
            c.advance(10)
        self.assertEqual(c.receiver.losses, 1)

    def test_resumedJustBefore(self):
        """
        A connection that was paused during most of the grace period, and resumed just
        before its end, has not had the time to read the answer: the peer gets another
        chance.
        """
        c = watched()
        c.advance(20)
        self.assertEqual(c.take(), [PING])
        c.connection.pauseProducing()
        c.peer.transport.write(c.frame(0x8A))
        c.flush()
        c.clock.advance(9.75)
        c.connection.resumeProducing()
        c.clock.advance(0.25)
        c.flush()
        self.assertEqual(c.receiver.losses, 0)
        self.assertEqual(c.connection.state, State.OPEN)

    def test_pausedAllTheTime(self):
        """
        A receiver that pauses after each message, as slow ones do, with a peer that
        has sent more than it takes, does not lose that peer.
        """

        class Receiver(RecordingReceiver):
            def messageReceived(self, message):
                RecordingReceiver.messageReceived(self, message)
                self.transport.pauseProducing()

        c = watched(receiver=Receiver())
        c.send(*[(0x81, b"%d" % number) for number in range(6)])
        for _ in range(6):
            for _ in range(25):
                c.advance(1)
            c.connection.resumeProducing()
        self.assertEqual(len(c.receiver.messages), 6)
        self.assertEqual(c.receiver.losses, 0)


class CongestionTests(SynchronousTestCase):
    """
    A peer that does not read what we send.
    """

    def test_notAsked(self):
        """
        It is not sent a ping on top; it is dropped after interval and grace.
        """
        c = watched()
        c.congest()
        before = len(c.carrier.outgoing)
        c.advance(20)
        self.assertEqual(len(c.carrier.outgoing), before)
        self.assertEqual(c.receiver.losses, 0)
        c.advance(10)
        self.assertEqual(c.receiver.losses, 1)
        self.assertEqual(c.timers, 0)

    def test_readsOn(self):
        """
        That it makes room by reading is a sign of life.
        """
        c = watched()
        for _ in range(10):
            c.congest()
            c.advance(19)
            c.readOn()
        self.assertEqual(c.receiver.losses, 0)

    def test_sendsOnly(self):
        """
        A peer that sends and never reads lives, as far as keepalive goes.
        """
        c = watched(sendStallTimeout=None, pauseWhileCongested=False)
        c.congest()
        for _ in range(10):
            c.advance(15)
            c.send((0x81, b"me me me"))
        self.assertEqual(c.receiver.losses, 0)


class NativeTests(SynchronousTestCase):
    """
    C{useNativeKeepalive}.
    """

    def test_native(self):
        """
        The carrier's own keepalive is set, there are no pings and no timer.
        """
        for isServer, role in BOTH:
            c = watched(isServer, useNativeKeepalive=True)
            self.assertTrue(c.carrier.keepAlive, role)
            self.assertEqual(c.timers, 0, role)
            c.advance(1000)
            self.assertEqual(c.take(), [], role)

    def test_notNative(self):
        """
        Otherwise it is left alone.
        """
        for isServer, role in BOTH:
            self.assertFalse(watched(isServer).carrier.keepAlive, role)

    def test_unixSocket(self):
        """
        On a carrier that is no TCP connection, whatever it claims, nothing of TCP is
        touched.
        """
        carrier = MemoryCarrier(UNIXAddress("a"), UNIXAddress("b"))
        carrier.keepAlive = carrier.noDelay = None
        connection = WebSocketConnection(ClientConfig(useNativeKeepalive=True), Clock())
        connection.connect(carrier, RecordingReceiver())
        self.assertEqual((carrier.keepAlive, carrier.noDelay), (None, None))


class EndTests(SynchronousTestCase):
    """
    The watch ends with the open connection.
    """

    def test_everyEnd(self):
        """
        However a connection ends, and in whichever phase of the watch, no timer of it
        is left.
        """
        ends = [
            ("peer closes", lambda c: c.send(CLOSE_1000)),
            ("we close", lambda c: (c.connection.close(), c.send(CLOSE_1000))),
            ("violation", lambda c: c.send((0x83, b""))),
            ("abort", lambda c: c.connection.abortConnection()),
            ("drop", lambda c: c.dropCarrier()),
            ("reset", lambda c: c.resetCarrier()),
        ]
        for isServer, role in BOTH:
            for name, end in ends:
                for waited in (0, 5, 20, 25):
                    c = watched(isServer)
                    c.advance(waited)
                    end(c)
                    if not c.carrier.disconnected:
                        c.dropCarrier()
                    c.flush()
                    self.assertEqual(c.timers, 0, f"{name} at {waited}, {role}")
                    self.assertEqual(c.receiver.losses, 1, f"{name}, {role}")

    def test_notWhileClosing(self):
        """
        A connection that closes sends no pings; C{closeTimeout} watches it.
        """
        c = watched(closeTimeout=100)
        c.connection.close()
        c.take()
        c.advance(20)
        c.advance(10)
        self.assertEqual(c.take(), [])
        self.assertEqual(c.receiver.losses, 0)

    def test_closeInPingsWake(self):
        """
        A producer that aborts the connection because the ping itself was too much for
        the carrier leaves nothing behind.
        """

        class Producer:
            def pauseProducing(self):
                c.connection.abortConnection()

            def resumeProducing(self):
                pass

            stopProducing = resumeProducing

        c = watched(receiver=MessageReceiver())
        c.connection.registerProducer(Producer(), True)
        c.carrier.highWater = 1
        c.clock.advance(20)
        c.flush()
        self.assertEqual(c.timers, 0)
        self.assertEqual(c.connection.state, State.CLOSED)
