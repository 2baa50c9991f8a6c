# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Conversations that nobody would think of: everything that two ends, an application, a
network and time can do, in random order and within each other, followed by what must be
true of every connection.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import Conversation
from tests.wire import readFrames
from twisted_ws import ConnectionNotOpen
from twisted_ws._wire.frames import Opcode
from twisted_ws._wire.state import State
from twisted_ws.errors import IllegalFrame
from twisted_ws.testing import RecordingReceiver

CONVERSATIONS = 150

FRAMES = [
    (0x81, b"text"),
    (0x82, bytes(200)),
    (0x01, b"be"),
    (0x00, b""),
    (0x80, b"gun"),
    (0x89, b"?"),
    (0x8A, b""),
    (0x8A, b"\0\0\0\1"),
    (0x88, b"\x03\xe8"),
    (0x83, b""),
    (0x81, b"\xff"),
]


class Producer:
    """
    Does something whenever it is told something.
    """

    def __init__(self, act: Callable[[], None]) -> None:
        self.pauseProducing = self.resumeProducing = self.stopProducing = act


class Improviser(RecordingReceiver):
    """
    A receiver that does something now and then.
    """

    act: Callable[[], None] = staticmethod(lambda: None)

    def messageReceived(self, message: Any) -> None:
        RecordingReceiver.messageReceived(self, message)
        self.act()

    def pingReceived(self, payload: bytes) -> bool:
        self.act()
        return payload == b"mine"

    def pongReceived(self, payload: bytes) -> None:
        self.act()

    def connectionLost(self, reason: Any = None) -> None:
        RecordingReceiver.connectionLost(self, reason)
        self.act()


class Improvisation:
    """
    A conversation, and one who does at random what can be done in it.

    @ivar steps: what was done, those within others indented.
    @ivar waiting: every Deferred that was given out.
    """

    def __init__(self, seed: int) -> None:
        self._random = random = Random(seed)
        self.steps: list[str] = []
        self.waiting: list[Deferred[Any]] = []
        self._messages: list[Any] = []
        self._depth = 0
        self.receiver = Improviser()
        self.c = Conversation(
            random.random() < 0.5,
            self.receiver,
            keepalive=random.random() < 0.7,
            fragmentationThreshold=random.choice([10, 16384]),
            assembleFragments=random.random() < 0.8,
        )
        self.t = self.c.connection
        self.receiver.act = self.maybeStep

    def maybeStep(self) -> None:
        """
        Do something, with a chance that is smaller the deeper we are.
        """
        if self._depth < 3 and self._random.random() < 0.3:
            self._depth += 1
            self.step()
            self._depth -= 1

    def step(self) -> None:
        """
        Do something.
        """
        names = list(self.WEIGHTS)
        (name,) = self._random.choices(names, list(self.WEIGHTS.values()))
        self.steps.append("  " * self._depth + name)
        try:
            getattr(self, f"do_{name}")()
        except (ConnectionNotOpen, IllegalFrame):
            pass

    WEIGHTS = {
        "peerSends": 6,
        "bytesMove": 6,
        "everythingMoves": 2,
        "timePasses": 1,
        "reactorTurns": 2,
        "peerStopsReading": 2,
        "peerReadsOn": 2,
        "peerDrops": 0.2,
        "peerResets": 0.2,
        "send": 3,
        "sendMuch": 2,
        "begin": 1,
        "goOn": 2,
        "pause": 2,
        "resume": 3,
        "ping": 2,
        "awaitRoom": 2,
        "awaitEnd": 1,
        "cancel": 1,
        "produce": 1,
        "unregister": 1,
        "close": 0.5,
        "abort": 0.3,
    }

    def do_peerSends(self) -> None:
        frames = self._random.choices(FRAMES, k=self._random.randint(1, 4))
        data = b"".join(self.c.frame(*each) for each in frames)
        if self._random.random() < 0.3:
            data = data[: self._random.randint(0, len(data))]
        self.c.peer.transport.write(data)

    def do_bytesMove(self) -> None:
        end = self._random.choice([self.c.carrier, self.c.peerCarrier])
        end.moveOn(self._random.choice([1, 10, 1000, 1 << 20]))

    def do_everythingMoves(self) -> None:
        if not self._depth:
            self.c.flush()

    def do_timePasses(self) -> None:
        self.c.clock.rightNow += self._random.choice([0.5, 3, 10, 20])

    def do_reactorTurns(self) -> None:
        if not self._depth:
            self.c.turn()

    def do_peerStopsReading(self) -> None:
        self.c.peerCarrier.pauseProducing()

    def do_peerReadsOn(self) -> None:
        self.c.peerCarrier.resumeProducing()

    def do_peerDrops(self) -> None:
        self.c.peer.transport.loseConnection()

    def do_peerResets(self) -> None:
        self.c.peer.transport.abortConnection()

    def do_send(self) -> None:
        self.t.sendMessage(self._random.choice(["hi", b"hi", "x" * 30]))

    def do_sendMuch(self) -> None:
        self.t.sendMessage(bytes(70000))

    def do_begin(self) -> None:
        self._messages.append(self.t.beginMessage(Opcode.TEXT))

    def do_goOn(self) -> None:
        if self._messages:
            message = self._random.choice(self._messages)
            self._random.choice([lambda: message.write("more"), message.finish])()

    def do_pause(self) -> None:
        self.t.pauseProducing()

    def do_resume(self) -> None:
        self.t.resumeProducing()

    def do_ping(self) -> None:
        self._wait(self.t.ping())

    def do_awaitRoom(self) -> None:
        self._wait(self.t.whenWritable())

    def do_awaitEnd(self) -> None:
        self._wait(self.t.whenClosed())

    def do_cancel(self) -> None:
        if self.waiting:
            self._random.choice(self.waiting).cancel()

    def do_produce(self) -> None:
        self.t.unregisterProducer()
        streaming = self._random.random() < 0.7
        self.t.registerProducer(Producer(self.maybeStep), streaming)

    def do_unregister(self) -> None:
        self.t.unregisterProducer()

    def do_close(self) -> None:
        self.t.close(self._random.choice([1000, 1001, 1005]))

    def do_abort(self) -> None:
        self.t.abortConnection()

    def _wait(self, deferred: Deferred[Any]) -> None:
        self.waiting.append(deferred)
        deferred.addErrback(lambda failure: None)
        deferred.addCallback(lambda result: self.maybeStep())

    def play(self) -> None:
        """
        Do some things, and then let the peer do what is right, and time pass.
        """
        for _ in range(self._random.randint(1, 60)):
            self.step()
        self._depth = 3
        self.c.peerCarrier.resumeProducing()
        self.t.resumeProducing()
        self.c.flush()
        self.t.close()
        for _ in range(20):
            self.c.clock.rightNow += 1
            self.c.turn()


class RandomTests(SynchronousTestCase):
    """
    What is true of every connection.
    """

    def test_conversations(self):
        """
        There is one beginning and one end; no timer, no Deferred and nobody in the log
        is left; and what the peer got are messages in order, with nothing after a Close
        frame.
        """
        for seed in range(CONVERSATIONS):
            improvised = Improvisation(seed)
            improvised.play()
            c = improvised.c
            name = f"seed {seed}: {improvised.steps}"
            self.assertEqual((c.receiver.made, c.receiver.losses), (1, 1), name)
            self.assertTrue(str(c.receiver.reason), name)
            self.assertEqual(c.connection.state, State.CLOSED, name)
            self.assertEqual(c.clock.getDelayedCalls(), [], name)
            self.assertEqual(
                [each for each in improvised.waiting if not each.called], [], name
            )
            logged = [str(each.value) for each in self.flushLoggedErrors()]
            self.assertEqual(logged, [], name)
            self.checkFrames(self.wholeFrames(c.peer.received), name)

    def wholeFrames(self, data):
        """
        @return: the frames, but for the last if an abort has cut it off.
        """
        frames = []
        at = 0
        while at + 2 <= len(data):
            second = data[at + 1]
            extra = {126: 2, 127: 8}.get(second & 0x7F, 0)
            start = at + 2 + extra
            length = int.from_bytes(data[at + 2 : start], "big")
            length = length if extra else second & 0x7F
            stop = start + (4 if second & 0x80 else 0) + length
            if stop > len(data):
                break
            frames += readFrames(data[at:stop])
            at = stop
        return frames

    def checkFrames(self, frames, name):
        """
        Assert that these frames may follow each other.
        """
        within = False
        for at, frame in enumerate(frames):
            opcode = frame.first & 0x0F
            if opcode == Opcode.CLOSE:
                self.assertEqual(at, len(frames) - 1, name)
            elif opcode < Opcode.CLOSE:
                self.assertEqual(opcode == 0, within, name)
                within = not frame.first & 0x80
