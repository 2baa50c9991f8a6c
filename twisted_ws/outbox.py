# -*- test-case-name: tests.test_outbox -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What waits to be sent, when the carrier has no room.

While the carrier has room nothing comes here.  When its buffer is full it pauses its
producer, an L{Outbox}; from then on messages wait in it, in the order in which they
were sent, until the carrier has sent all that it had.  How much may wait, and what
becomes of more, is C{maxSendBuffer} and C{slowReaderPolicy}.

Messages wait as they are, and are encoded when it is their turn: a message that is
dropped was then never compressed, so no later one refers to it.

Nothing of the application's is called while the carrier may be in the middle of a
write: TLS pauses its producer there, and what is written then would end up within what
is being written.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IDelayedCall, IPushProducer
from zope.interface import implementer

from ._buffered import bufferedIn, pausesBehindWrites
from ._wire.errors import ConnectionNotOpen, TryAgainLater
from ._wire.frames import Frame
from .delivery import Delivery
from .errors import ConnectionClosed, MessageDropped
from .waiting import Item, Waiting

if TYPE_CHECKING:
    from .connection import WebSocketConnection

_CARRIERS = 1 << 16
"""
Bytes that a carrier has, at least, when it says that it has no room.
"""

_MAX_CONTROLS = 1 << 16
"""
Bytes of pings and pongs for a carrier that has no room: they do not wait behind
messages, so only this bounds them.
"""

_Gone = list[tuple[Delivery, MessageDropped]]


@implementer(IPushProducer)
class Outbox:
    """
    The carrier's producer.

    @ivar isFull: whether the carrier has no room.
    @ivar drained: how often it has had room again.
    @ivar dropped: messages that C{slowReaderPolicy} has dropped.
    @ivar coalesced: messages whose place a newer one has taken.
    """

    __slots__ = (
        "_close",
        "_connection",
        "_controls",
        "_highWater",
        "_lost",
        "_lowWater",
        "_most",
        "_notice",
        "_policy",
        "_pumping",
        "_waiting",
        "coalesced",
        "drained",
        "dropped",
        "isFull",
    )

    def __init__(self, connection: WebSocketConnection) -> None:
        config = connection.config
        self._connection: Any = connection
        self._highWater = config.sendHighWater
        self._lowWater = config.sendLowWater
        self._most = config.maxSendBuffer
        self._policy = config.slowReaderPolicy
        self.isFull = False
        self.drained = 0
        self.dropped = 0
        self.coalesced = 0
        self._controls = 0  # bytes of control frames written since it became full
        # Made when it is needed: most connections never need it.
        self._waiting: Waiting | None = None
        # Those that fail when the connection is gone.
        self._lost: list[Delivery] | None = None
        self._close: bytes | None = None  # a Close frame, behind all that
        self._pumping = False
        self._notice: IDelayedCall | None = None

    @property
    def size(self) -> int:
        """
        Payload bytes that wait here.
        """
        return 0 if self._waiting is None else self._waiting.size

    @property
    def held(self) -> int:
        """
        Bytes of memory that what waits costs, here and in a carrier that is full.
        """
        held = 0 if self._waiting is None else self._waiting.held
        return held + self._taken() if self.isFull else held

    @property
    def left(self) -> int:
        """
        Bytes that a carrier that is full still has of what it had when it became
        full; 0 while it is not.  Only the peer makes it less.
        """
        return max(self._taken() - self._controls, 0) if self.isFull else 0

    def _cost(self) -> int:
        return 0 if self._waiting is None else self._waiting.held

    def _taken(self) -> int:
        """
        @return: bytes that a carrier has which is full, as none is after the end.
        """
        return bufferedIn(self._connection.carrier)

    # What comes in

    def add(self, frame: Frame, key: Hashable, isWhole: bool) -> Delivery:
        """
        Keep a message, or a frame of one.

        @return: what fires when it was handed on to the carrier.
        """
        # Who is told that a message was dropped may send others, or end it all: so
        # they are told when everything is in order.
        gone: _Gone = []
        waiting = self._waiting
        if waiting is None:
            coalesces = self._policy == "coalesce"
            drops = coalesces or self._policy == "drop-oldest"
            waiting = self._waiting = Waiting(drops, coalesces)
        item = waiting.find(key)
        if item is None:
            item = Item(frame, key, isWhole)
            waiting.append(item)
        else:
            reason = "a newer message with the same key took its place"
            gone.append((waiting.replace(item, frame), MessageDropped(reason)))
            self.coalesced += 1
            self._connection.noted("coalesced")
        delivery = item.delivery
        if self._isOver(waiting):
            self._makeRoom(waiting, item, gone)
        if self._connection is not None:
            self._connection.weigh()
        self.judge()
        for dropped, dropping in gone:
            dropped.fail(dropping)
        return delivery

    def _isOver(self, waiting: Waiting) -> bool:
        most = self._most
        return most is not None and waiting.held > most and waiting.number > 1

    def _makeRoom(self, waiting: Waiting, newest: Item, gone: _Gone) -> None:
        """
        There is too much: do as C{slowReaderPolicy} says.
        """
        if self._policy == "drop-newest" and newest.isWhole:
            self._drop(waiting, newest, gone)
        while self._isOver(waiting):
            oldest = waiting.oldest(newest)
            if oldest is None:
                # A frame cannot be missing from a message that has begun.
                why = f"the peer does not read: {waiting.held} bytes wait, over"
                self.tooSlow(f"{why} {self._most}", "maxSendBuffer")
                return
            self._drop(waiting, oldest, gone)

    def _drop(self, waiting: Waiting, item: Item, gone: _Gone) -> None:
        self.dropped += 1
        self._connection.noted("dropped")
        reason = f"slowReaderPolicy is {self._policy}"
        gone.append((item.delivery, MessageDropped(reason)))
        waiting.drop(item)

    def tooSlow(self, why: str, option: str | None = None) -> None:
        """
        Close the connection of a peer that does not read, and what waits for it is
        not to be sent any more.

        @param option: the option that would have let it pass.
        """
        self.discard()
        self._connection.noted("tooSlow")
        self._connection.giveUpOn(TryAgainLater(why, option))

    def writeControl(self, data: bytes) -> None:
        """
        Write a control frame, before all that waits.
        """
        connection = self._connection
        if self.isFull:
            self._controls += len(data)
            if self._controls > _MAX_CONTROLS:
                self.tooSlow(
                    "the peer does not read: over"
                    f" {_MAX_CONTROLS} bytes of pings and pongs wait"
                )
                return
        connection.writeSoon(data)

    def writeClose(self, data: bytes) -> None:
        """
        Write a Close frame, behind all that waits.
        """
        if self._waiting is not None and self._waiting.number:
            self._close = data
        else:
            self._connection.writeNow(data)

    # What goes out

    def pauseProducing(self) -> None:
        """
        The carrier's buffer is full.
        """
        connection = self._connection
        if self.isFull or connection is None:
            return
        self.isFull = True
        self._controls = 0
        connection.mustQueue(True)
        if pausesBehindWrites(connection.carrier):
            self._noticed()
        elif self._notice is None:
            self._notice = connection.clock.callLater(0, self._noticed)

    def _noticed(self) -> None:
        """
        The carrier is full, and is not writing.
        """
        self._notice = None
        self._connection.outboxWaits(True)
        self._connection.weigh()
        self.judge()

    def resumeProducing(self) -> None:
        """
        The carrier's buffer is empty.
        """
        connection = self._connection
        if not self.isFull or connection is None:
            return
        self.isFull = False
        self.drained += 1
        if self._pumping:
            return
        isLow = self._cost() <= self._lowWater
        connection.roomAgain()
        self.pump()
        if not self.isFull:
            self._stopNotice()
            connection.mustQueue(False)
            connection.outboxWaits(False)
        connection.weigh()
        # It tells us when it is empty, not when little is left: so what it has taken
        # now, while it has room, does not count.
        if not self.isFull or (isLow and not self._isHigh()):
            connection.congested(False)

    def stopProducing(self) -> None:
        """
        The carrier is gone; C{connectionLost} follows.
        """

    def judge(self) -> None:
        """
        Tell the connection when C{sendHighWater} is reached.
        """
        if self._connection is not None and self._isHigh():
            self._connection.congested(True)

    def _isHigh(self) -> bool:
        if not self.isFull:
            return False
        return max(self._taken(), _CARRIERS) + self._cost() >= self._highWater

    def pump(self) -> None:
        """
        Hand on what waits, as long as the carrier has room.
        """
        self._pumping = True
        connection = self._connection
        try:
            # What is called here may discard all that waits.
            while not self.isFull and (first := self._first()) is not None:
                item, frame = first
                try:
                    data = connection.encodeItem(frame, item.isWhole)
                except ConnectionNotOpen:
                    self._lose([item.delivery])
                    return
                connection.writeNow(data)
                item.delivery.done()
        finally:
            self._pumping = False
        if self._waiting is None or not self._waiting.number:
            self._writeCloseNow(connection)

    def flush(self) -> None:
        """
        Hand on all that waits, room or not: the connection ends.  Whether the peer
        gets it cannot be told any more, so the Deferreds of these messages fail when
        it is gone.
        """
        connection = self._connection
        if self._waiting is None and self._close is None:
            return
        while (first := self._first()) is not None:
            item, frame = first
            self._lose([item.delivery])
            try:
                data = connection.encodeItem(frame, item.isWhole)
            except ConnectionNotOpen:
                continue
            connection.writeNow(data)
        self._writeCloseNow(connection)
        connection.weigh()

    def _first(self) -> tuple[Item, Frame] | None:
        return None if self._waiting is None else self._waiting.next()

    def _writeCloseNow(self, connection: WebSocketConnection) -> None:
        if self._close is not None:
            close, self._close = self._close, None
            connection.writeNow(close)

    def discard(self) -> None:
        """
        Drop all that waits; its Deferreds fail when the connection is gone.
        """
        if self._waiting is not None:
            self._lose(self._waiting.deliveries())
            self._waiting = None
            self._connection.weigh()

    def release(self) -> None:
        """
        The carrier is aborted: it lets go of what it has, and nothing is to be sent.
        """
        wasFull, self.isFull = self.isFull, False
        self._close = None
        if self._notice is not None:
            self._stopNotice()
        self.discard()
        if wasFull:
            self._connection.weigh()

    def end(self, closed: ConnectionClosed) -> None:
        """
        The connection is gone.
        """
        self.release()
        # It holds us, and is to be gone when its last user lets go.
        self._connection = None
        lost, self._lost = self._lost, None
        for delivery in lost or ():
            delivery.fail(closed.again())

    def _lose(self, deliveries: Iterable[Delivery]) -> None:
        if self._lost is None:
            self._lost = []
        self._lost += deliveries

    def _stopNotice(self) -> None:
        if self._notice is not None:
            self._notice.cancel()
            self._notice = None
