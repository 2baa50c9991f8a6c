# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A message to very many connections, which takes several turns of the reactor:
L{twisted_ws.broadcasting}.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_ws import ServerConfig, WebSocketConnection, broadcast
from twisted_ws.broadcasting import MEMBERS_PER_TURN, MOST_UNDER_WAY
from twisted_ws.draining import Drained
from twisted_ws.testing import MemoryServer, RecordingReceiver


class TenTests(SynchronousTestCase):
    """
    Ten members, of which two are sent to in each turn.
    """

    def setUp(self) -> None:
        self.serve()

    def serve(self, **options: Any) -> None:
        """
        Have ten clients, and know which of them is which connection's.
        """
        self.server = MemoryServer(
            RecordingReceiver, ServerConfig(keepalive=False, **options)
        )
        self.factory = self.server.factory
        self.members: list[WebSocketConnection] = []
        self.clients: dict[WebSocketConnection, RecordingReceiver] = {}
        for _ in range(10):
            self.join()

    def join(self) -> WebSocketConnection:
        """
        @return: the connection of one more client.
        """
        client = RecordingReceiver()
        self.successResultOf(self.server.connect("/", client))
        (connection,) = self.factory.connections - set(self.members)
        self.members.append(connection)
        self.clients[connection] = client
        return connection

    def begin(self, message: str, most: int = 2) -> Deferred[int]:
        """
        Broadcast to all.
        """
        return self.factory.broadcast(message, membersPerTurn=most)

    def turn(self) -> None:
        """
        Do what a reactor does in one turn: what is scheduled by it waits for the next.
        """
        clock = self.server.clock
        for call in [each for each in clock.calls if each.getTime() <= clock.seconds()]:
            clock.calls.remove(call)
            call.called = 1
            call.func(*call.args, **call.kw)

    def messages(self) -> list[list[Any]]:
        """
        @return: what each has got.
        """
        self.server.flush()
        return [self.clients[each].messages for each in self.members]

    def reached(self, message: Any) -> list[WebSocketConnection]:
        """
        @return: those that have got it.
        """
        came = zip(self.members, self.messages(), strict=True)
        return [member for member, messages in came if message in messages]

    def missed(self, message: Any) -> list[WebSocketConnection]:
        """
        @return: those that have not.
        """
        came = self.reached(message)
        return [each for each in self.members if each not in came]

    def assertIdle(self) -> None:
        """
        Fail if anything is scheduled.
        """
        self.assertEqual(self.server.clock.getDelayedCalls(), [])


class TurnTests(TenTests):
    """
    One, or some that are begun one after the other.
    """

    def test_turns(self) -> None:
        """
        Two are sent it at once, two more in each turn; who has begun it learns when the
        last was sent it, and nothing is left behind.
        """
        done = self.begin("news")
        counts = [len(self.reached("news"))]
        for _ in range(4):
            self.assertNoResult(done)
            self.turn()
            counts.append(len(self.reached("news")))
        self.assertEqual(counts, [2, 4, 6, 8, 10])
        self.assertEqual(self.successResultOf(done), 10)
        self.assertIdle()

    def test_odd(self) -> None:
        """
        The last turn may have fewer.
        """
        done = self.begin("news", 4)
        counts = []
        for _ in range(2):
            self.turn()
            counts.append(len(self.reached("news")))
        self.assertEqual(counts, [8, 10])
        self.assertEqual(self.successResultOf(done), 10)

    def test_few(self) -> None:
        """
        Members that one turn has room for are sent it at once.
        """
        self.assertEqual(self.successResultOf(self.begin("news", 10)), 10)
        self.assertEqual(self.missed("news"), [])
        self.assertIdle()
        self.assertGreaterEqual(MEMBERS_PER_TURN, 100)

    def test_order(self) -> None:
        """
        One to many does not overtake another: all get them in order, and neither is
        sent to more than two in a turn.
        """
        first, second = self.begin("1"), self.begin("2")
        self.assertEqual(self.reached("2"), [])
        before = 2
        while not second.called:
            self.turn()
            now = len(self.reached("1")) + len(self.reached("2"))
            self.assertLessEqual(now - before, 2)
            before = now
        self.assertEqual(self.messages(), [["1", "2"]] * 10)
        self.assertEqual(self.successResultOf(first), 10)
        self.assertEqual(self.successResultOf(second), 10)
        self.assertIdle()

    def test_fewDoNotWait(self) -> None:
        """
        One to few need not wait for two to many: its members get those first, and no
        other does.
        """
        many = [self.begin("1"), self.begin("2")]
        room = self.missed("1")[:2] + self.reached("1")[:1]
        done = broadcast(room, "room", membersPerTurn=3)
        self.assertEqual(self.successResultOf(done), 3)
        for member in room:
            self.server.flush()
            self.assertEqual(self.clients[member].messages, ["1", "2", "room"])
        self.assertEqual(len(self.reached("1")), 4)
        self.assertEqual(len(self.reached("2")), 3)
        self.server.clock.advance(0)
        for member, messages in zip(self.members, self.messages(), strict=True):
            more = ["room"] if member in room else []
            self.assertEqual(messages, ["1", "2", *more])
        self.assertEqual([self.successResultOf(each) for each in many], [10, 10])
        self.assertIdle()

    def test_fewGetTheRest(self) -> None:
        """
        When one to few has brought one to many to its last member, that is over with
        the next turn.
        """
        done = self.begin("many")
        broadcast(self.missed("many"), "few")
        self.assertEqual(self.missed("many"), [])
        self.turn()
        self.assertEqual(self.successResultOf(done), 10)
        self.assertIdle()

    def test_fewThatClose(self) -> None:
        """
        Who is to be sent both, and closes, is left out of both.
        """
        done = self.begin("many")
        closing, other, *_ = self.missed("many")
        closing.close()
        few = broadcast([closing, other], "few")
        self.assertEqual(self.successResultOf(few), 1)
        self.server.clock.advance(0)
        self.assertEqual(self.successResultOf(done), 9)
        self.assertEqual(self.reached("few"), [other])

    def test_direct(self) -> None:
        """
        What is sent to one alone does not wait for a broadcast.
        """
        self.begin("news")
        last = self.missed("news")[-1]
        last.sendMessage("direct")
        self.server.clock.advance(0)
        self.server.flush()
        self.assertEqual(self.clients[last].messages, ["direct", "news"])

    def test_joinAndLeave(self) -> None:
        """
        Who joins after it was begun does not get it; who leaves before his turn, or
        begins to close, is left out and not counted.
        """
        done = self.begin("news")
        left = self.missed("news")
        late = self.join()
        left[0].abortConnection()
        self.server.flush()
        left[1].close()
        left[2].beginMessage().write(b"in the middle")
        self.server.clock.advance(0)
        self.assertEqual(self.successResultOf(done), 7)
        self.assertEqual(len(self.reached("news")), 7)
        for each in (*left[:3], late):
            self.assertNotIn("news", self.clients[each].messages)

    def test_cancel(self) -> None:
        """
        Cancelled, it goes to nobody else; that is no failure.
        """
        done = self.begin("news")
        self.turn()
        done.cancel()
        self.assertEqual(self.successResultOf(done), 4)
        self.assertIdle()
        self.assertEqual(len(self.reached("news")), 4)

    def test_cancelOne(self) -> None:
        """
        Another that waits goes on.
        """
        first, second = self.begin("1"), self.begin("2")
        first.cancel()
        self.server.clock.advance(0)
        self.assertEqual(self.successResultOf(second), 10)
        self.assertEqual(len(self.reached("1")), 2)

    def test_tooMany(self) -> None:
        """
        Who begins more than may be under way pays for it: the earliest is sent to all
        whom it has not reached, at once.
        """
        begun = [self.begin(f"{number}") for number in range(MOST_UNDER_WAY)]
        self.assertEqual([each.called for each in begun], [False] * MOST_UNDER_WAY)
        begun.append(self.begin("more"))
        self.assertEqual(self.successResultOf(begun[0]), 10)
        self.assertEqual(self.missed("0"), [])
        self.assertEqual(self.reached("1"), [])
        self.assertNoResult(begun[1])
        self.server.clock.advance(0)
        order = [*map(str, range(MOST_UNDER_WAY)), "more"]
        self.assertEqual(self.messages(), [order] * 10)
        self.assertEqual([self.successResultOf(each) for each in begun[1:]], [10] * 8)
        self.assertIdle()

    def test_tooMuch(self) -> None:
        """
        The same if their messages are over a MiB together; one may be by itself.
        """
        self.serve(maxSendBuffer=None)
        long = "x" * (1 << 20) + "x"
        first = self.begin(long)
        self.assertNoResult(first)
        second = self.begin("2")
        self.assertEqual(self.successResultOf(first), 10)
        self.assertNoResult(second)
        self.assertEqual(len(self.reached("2")), 2)
        self.server.clock.advance(0)
        self.assertEqual(self.messages(), [[long, "2"]] * 10)

    def test_slowMember(self) -> None:
        """
        One that does not read holds up no other, and C{slowReaderPolicy} is for it
        alone; so is a key.
        """
        self.serve(slowReaderPolicy="coalesce")
        slow = self.members[4]
        carrier = self.server.carriers[4][0]
        carrier.pauseProducing()
        slow.sendMessage(bytes(70_000))
        dones = []
        for number in range(20):
            done = self.factory.broadcast(f"{number}", key="price", membersPerTurn=3)
            dones.append(done)
            if number % 3:
                self.turn()
        self.server.clock.advance(0)
        every = [f"{number}" for number in range(20)]
        for member, messages in zip(self.members, self.messages(), strict=True):
            self.assertEqual(messages, [] if member is slow else every)
        carrier.resumeProducing()
        self.server.flush()
        self.assertEqual(self.clients[slow].messages[1:], ["19"])
        self.assertEqual([self.successResultOf(each) for each in dones], [10] * 20)

    def test_drain(self) -> None:
        """
        A server that goes away still sends it to those that have not begun to close;
        when all are gone it is over, and nothing is left behind.
        """
        done = self.begin("news")
        drained = self.factory.drain(over=0.0)
        self.server.flush()
        self.assertEqual(self.successResultOf(drained), Drained(10, 0, 0))
        self.assertEqual(self.successResultOf(done), 2)
        self.assertIdle()

    def test_drainSlowly(self) -> None:
        """
        Those that are to close later still get it.
        """
        drained = self.factory.drain(over=10.0)
        self.server.clock.advance(1)
        done = self.begin("goodbye")
        self.server.clock.advance(0)
        self.assertEqual(self.successResultOf(done), 8)
        for _ in range(100):
            self.server.clock.advance(0.1)
            self.server.flush()
        self.assertEqual(self.successResultOf(drained), Drained(10, 0, 0))
        self.assertIdle()

    def test_drainAndStart(self) -> None:
        """
        If there are connections again when it has gone away, what goes to these is not
        over.
        """
        drained = self.factory.drain()
        self.server.carriers[0][0].pauseProducing()
        self.server.flush()
        self.factory.doStart()
        new = [self.join() for _ in range(4)]
        done = self.begin("news", 1)
        self.assertNoResult(drained)
        self.server.carriers[0][0].resumeProducing()
        self.server.flush()
        self.assertEqual(self.successResultOf(drained), Drained(10, 0, 0))
        self.assertNoResult(done)
        self.server.clock.advance(0)
        self.assertEqual(self.successResultOf(done), 4)
        self.assertEqual(self.reached("news"), new)

    def test_allGone(self) -> None:
        """
        When all have left by themselves, it comes to its end.
        """
        done = self.begin("news")
        for each in self.members:
            each.abortConnection()
        self.server.flush()
        self.server.clock.advance(0)
        self.assertEqual(self.successResultOf(done), 2)
        self.assertIdle()


class NestedTests(TenTests):
    """
    Who is told that a message of his was dropped may broadcast, in the middle of a
    broadcast.
    """

    def nest(self, what: Any) -> None:
        """
        Have one member for which every broadcast drops a message, and do something in
        that moment, once.
        """
        self.serve(
            slowReaderPolicy="drop-oldest", maxSendBuffer=6000, sendStallTimeout=None
        )
        self.slow = self.members[0]
        self.server.carriers[0][0].pauseProducing()
        self.slow.sendMessage(bytes(70_000))
        sent = self.slow.sendMessage(bytes(3500))
        sent.addErrback(lambda failure: what())
        self.long = "x" * 3000

    def others(self) -> Sequence[list[Any]]:
        """
        @return: what those who read have got.
        """
        return self.messages()[1:]

    def test_few(self) -> None:
        """
        A message to few that is begun meanwhile does not overtake one to few.
        """
        self.nest(lambda: self.begin("inner", 10))
        self.begin(self.long, 10)
        self.assertEqual(self.others(), [[self.long, "inner"]] * 9)
        self.assertIdle()

    def test_fewInMany(self) -> None:
        """
        Nor one to many.
        """
        self.nest(lambda: self.begin("inner", 10))
        done = self.begin(self.long)
        self.server.clock.advance(0)
        self.assertEqual(self.others(), [[self.long, "inner"]] * 9)
        self.assertEqual(self.successResultOf(done), 10)
        self.assertIdle()

    def test_manyInFew(self) -> None:
        """
        One to many that is begun meanwhile comes behind.
        """
        self.nest(lambda: self.begin("inner"))
        self.begin(self.long, 10)
        self.server.clock.advance(0)
        self.assertEqual(self.others(), [[self.long, "inner"]] * 9)
        self.assertIdle()

    def test_tooManyInMany(self) -> None:
        """
        Nor do so many that the one that is being sent has to be brought to its end.
        """

        def most() -> None:
            for number in range(MOST_UNDER_WAY + 1):
                self.begin(f"{number}")

        self.nest(most)
        done = self.begin(self.long)
        self.server.clock.advance(0)
        order = [self.long, *map(str, range(MOST_UNDER_WAY + 1))]
        self.assertEqual(self.others(), [order] * 9)
        self.assertEqual(self.successResultOf(done), 10)
        self.assertIdle()

    def test_cancelled(self) -> None:
        """
        One that is cancelled meanwhile goes to nobody else.
        """
        begun: list[Deferred[int]] = []
        self.nest(lambda: begun[1].cancel())
        # The other waits behind this one, so it is known when it is sent.
        begun.append(self.begin("first"))
        begun.append(self.begin(self.long))
        self.server.clock.advance(0)
        self.assertEqual(self.successResultOf(begun[0]), 10)
        self.assertEqual(
            self.others().count(["first"]), len(self.missed(self.long)) - 1
        )
        self.assertIdle()


class ClockTests(SynchronousTestCase):
    """
    Members of different servers, each with a clock of its own.
    """

    def test_clocks(self) -> None:
        """
        Each server's members are sent to by its clock; who has begun it learns of the
        last.
        """
        servers = [MemoryServer(RecordingReceiver) for _ in range(2)]
        clients = []
        for server in servers:
            for _ in range(3):
                clients.append(RecordingReceiver())
                self.successResultOf(server.connect("/", clients[-1]))
        members = [each for server in servers for each in server.factory.connections]
        for cancelled in (False, True):
            done = broadcast(members, "news", membersPerTurn=1)
            servers[0].clock.advance(0)
            self.assertNoResult(done)
            if cancelled:
                done.cancel()
            servers[1].clock.advance(0)
            self.assertEqual(self.successResultOf(done), 4 if cancelled else 6)
