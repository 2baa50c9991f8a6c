# -*- test-case-name: tests.test_broadcast -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A message to many connections::

    broadcast(room, "somebody came in")

Up to C{membersPerTurn} members are sent to at once, more in so many turns of the
reactor, so that others are served meanwhile.

Each member gets what is broadcast in the order in which that was begun: one that is to
get a message while an earlier one has not reached it yet is sent that first.  So a
message to few never waits for one to many.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ._wire.errors import ConnectionNotOpen, IllegalFrame
from ._wire.prepared import Prepared

if TYPE_CHECKING:
    from .connection import WebSocketConnection

MEMBERS_PER_TURN = 128
"""
Members that one turn of the reactor sends to: one or two milliseconds, most of them
spent in the operating system.
"""

MOST_UNDER_WAY = 8
"""
Broadcasts that may be under way on one clock.
"""

MOST_BYTES = 1 << 20
"""
Bytes that the messages of those may have together, unless there is but one.
"""


class Broadcast:
    """
    A message on its way.

    @ivar done: a Deferred, see L{broadcast}.
    @ivar size: the bytes of its payload.
    @ivar left: those that were not sent it yet.
    @ivar most: C{membersPerTurn}.
    """

    __slots__ = (
        "_args",
        "_hasFailed",
        "_members",
        "_refusals",
        "done",
        "left",
        "most",
        "size",
    )

    _log = Logger()

    def __init__(
        self,
        left: set[WebSocketConnection],
        most: int,
        prepared: Prepared,
        compress: bool | None,
        key: Hashable,
    ) -> None:
        self.left = left
        self.most = most
        self.size = prepared.size
        self.done: Deferred[int]
        self._args = prepared, compress, key
        self._members = len(left)
        self._refusals = 0
        self._hasFailed = False

    @property
    def handed(self) -> int:
        """
        To how many it was handed so far.
        """
        return self._members - len(self.left) - self._refusals

    def send(self, most: int) -> None:
        """
        Send it to so many.  What that calls may send it to others of them, or end it.
        """
        left, (prepared, compress, key) = self.left, self._args
        while left and most:
            most -= 1
            connection = left.pop()
            try:
                connection.sendPrepared(prepared, compress, key)
            except Exception as error:
                self._refused(connection, error)

    def sendTo(self, connection: WebSocketConnection) -> None:
        """
        Send it to one, if that was not sent it yet.
        """
        if connection in self.left:
            self.left.remove(connection)
            try:
                connection.sendPrepared(*self._args)
            except Exception as error:
                self._refused(connection, error)

    def _refused(self, connection: WebSocketConnection, error: Exception) -> None:
        """
        One did not take it: it has begun to close, or is in the middle of a message.
        Whatever else it may be is no reason to leave others out; nor to say so for
        each of them.
        """
        self._refusals += 1
        expected = isinstance(error, (ConnectionNotOpen, IllegalFrame))
        if not expected and not self._hasFailed:
            self._hasFailed = True
            self._log.failure(
                "a broadcast failed for {connection!r}", connection=connection
            )


class Line:
    """
    The broadcasts that are under way on one clock, the earliest first.
    """

    def __init__(self) -> None:
        self._underWay: list[Broadcast] = []
        self._call: IDelayedCall | None = None

    def begin(self, broadcast: Broadcast, clock: IReactorTime) -> Deferred[int]:
        """
        @return: its C{done}.
        """
        done = broadcast.done = Deferred(lambda ignored: self.end(broadcast))
        earlier = self._underWay[:]
        self._underWay.append(broadcast)
        if len(broadcast.left) <= broadcast.most:
            if earlier:
                for connection in list(broadcast.left):
                    for each in earlier:
                        each.sendTo(connection)
                    broadcast.sendTo(connection)
            else:
                broadcast.send(broadcast.most)
            self.end(broadcast)
            return done
        while self._areTooMany():
            # Who sends faster than is delivered takes the time for it.
            first = self._underWay[0]
            first.send(len(first.left))
            self.end(first)
        if self._underWay[:1] == [broadcast]:
            broadcast.send(broadcast.most)
        self._goOn(clock)
        return done

    def _areTooMany(self) -> bool:
        number = len(self._underWay)
        size = sum(each.size for each in self._underWay)
        return number > MOST_UNDER_WAY or (size > MOST_BYTES and number > 1)

    def _goOn(self, clock: IReactorTime) -> None:
        if self._underWay and self._call is None:
            self._call = clock.callLater(0, self._turn, clock)

    def _turn(self, clock: IReactorTime) -> None:
        self._call = None
        first = self._underWay[0]
        first.send(first.most)
        if not first.left:
            self.end(first)
        self._goOn(clock)

    def end(self, broadcast: Broadcast) -> None:
        """
        Send it to nobody else.
        """
        handed = broadcast.handed
        broadcast.left.clear()
        if broadcast in self._underWay:
            self._underWay.remove(broadcast)
            if not self._underWay and self._call is not None:
                self._call.cancel()
                self._call = None
            broadcast.done.callback(handed)

    def endAll(self) -> None:
        """
        End those that are under way.
        """
        for each in self._underWay[:]:
            self.end(each)


# For members of several rooms, whoever sends to these.
_lines: WeakKeyDictionary[IReactorTime, Line] = WeakKeyDictionary()


def lineOf(clock: IReactorTime) -> Line:
    """
    @return: what is under way to connections with that clock.
    """
    line = _lines.get(clock)
    if line is None:
        line = _lines[clock] = Line()
    return line


def broadcast(
    connections: Iterable[WebSocketConnection],
    message: str | bytes,
    compress: bool | None = None,
    key: Hashable = None,
    membersPerTurn: int = MEMBERS_PER_TURN,
) -> Deferred[int]:
    """
    Send a message to many connections, once to each: to those that are members now,
    and still open when it is their turn.  Left out is who is in the middle of a message
    that is sent piece by piece.

    It is serialised once.  It is compressed once for all whose extensions have a
    C{sharedKey}, as C{PerMessageDeflate(serverNoContextTakeover=True)} has on servers.

    If there are more than C{membersPerTurn}, the rest is sent to in later turns of the
    reactor.  What is broadcast keeps its order for each member; what is sent to one
    member alone meanwhile may come before it.  When over eight messages to more than
    C{membersPerTurn} are under way, or over a MiB of them, the earliest is sent to all
    that it has not reached before this returns.

    A member that reads slowly holds up no other: its message waits, or not, as
    C{slowReaderPolicy} says.

    @param compress: see L{IWebSocketTransport.sendMessage
        <twisted_ws.interfaces.IWebSocketTransport.sendMessage>}.
    @param key: likewise.
    @param membersPerTurn: how many to send to at a time.
    @return: a Deferred that fires when it was handed to the last, with the number of
        members that took it: it has fired already if these were not more than
        C{membersPerTurn}.  It does not fail.  Cancelling it ends the broadcast, and
        fires it.
    @raise UnicodeEncodeError: for text with lone surrogates.
    @raise TypeError: for what is no message, and for a key that cannot be hashed.
    @raise ValueError: when C{membersPerTurn} is less than 1.
    """
    byClock: dict[IReactorTime, set[WebSocketConnection]] = {}
    for connection in connections:
        byClock.setdefault(connection.clock, set()).add(connection)
    begun = begin(byClock.items(), message, compress, key, membersPerTurn)
    if len(begun) == 1:
        return begun[0]
    return gatherResults(begun).addCallback(sum)


def begin(
    members: Iterable[tuple[IReactorTime, set[WebSocketConnection]]],
    message: str | bytes,
    compress: bool | None,
    key: Hashable,
    membersPerTurn: int,
) -> list[Deferred[int]]:
    """
    See L{broadcast}.

    @param members: by their clocks; the sets become ours.
    @return: a Deferred for each clock.
    """
    if membersPerTurn < 1:
        raise ValueError(f"membersPerTurn must be 1 or more, not {membersPerTurn!r}")
    hash(key)
    prepared = Prepared(message)
    return [
        lineOf(clock).begin(
            Broadcast(those, membersPerTurn, prepared, compress, key), clock
        )
        for clock, those in members
    ]
