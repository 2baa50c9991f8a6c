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
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from ._buffered import bufferedIn
from ._wire.errors import ConnectionNotOpen, TryAgainLater
from ._wire.frames import Frame
from .delivery import Delivery
from .errors import ConnectionClosed, MessageDropped

if TYPE_CHECKING:
    from .connection import WebSocketConnection

COST = 256
"""
Bytes that it costs to keep a message, however short.
"""

_CARRIERS = 1 << 16
"""
Bytes that a carrier has, at least, when it says that it has no room.
"""

_MAX_CONTROLS = 1 << 16
"""
Bytes of pings and pongs for a carrier that has no room: they do not wait behind
messages, so only this bounds them.
"""


class _Item:
    """
    A message that waits, or a frame of one.
    """

    __slots__ = ("delivery", "frame", "isWhole", "key")

    def __init__(self, frame: Frame, key: Hashable, isWhole: bool) -> None:
        self.frame = frame
        self.key = key
        self.isWhole = isWhole
        self.delivery = Delivery()


@implementer(IPushProducer)
class Outbox:
    """
    The carrier's producer.

    @ivar isFull: whether the carrier has no room.
    @ivar drained: how often it has had room again.
    @ivar size: payload bytes that wait here.
    @ivar dropped: messages that C{slowReaderPolicy} has dropped.
    @ivar coalesced: messages whose place a newer one has taken.
    """

    __slots__ = (
        "_byKey",
        "_close",
        "_connection",
        "_controls",
        "_held",
        "_highWater",
        "_items",
        "_lost",
        "_lowWater",
        "_most",
        "_policy",
        "_pumping",
        "_taken",
        "coalesced",
        "drained",
        "dropped",
        "isFull",
        "size",
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
        self.size = 0
        self.dropped = 0
        self.coalesced = 0
        self._taken = 0  # bytes that the carrier held when it became full
        self._controls = 0  # bytes of control frames written since
        # Made when they are needed: most connections never need them.
        self._items: deque[_Item] | None = None
        self._byKey: dict[Hashable, _Item] | None = None
        self._held = 0  # what keeping the items costs
        self._lost: list[Delivery] = []  # fail when the connection is gone
        self._close: bytes | None = None  # a Close frame, behind all that
        self._pumping = False

    @property
    def held(self) -> int:
        """
        Bytes of memory that what waits costs, here and in a carrier that is full.
        """
        return self._held + self._taken

    # What comes in

    def add(self, frame: Frame, key: Hashable, isWhole: bool) -> Delivery:
        """
        Keep a message, or a frame of one.

        @return: what fires when it was handed on to the carrier.
        """
        if self._policy == "coalesce" and key is not None:
            if self._byKey is None:
                self._byKey = {}
            waiting = self._byKey.get(key)
            if waiting is not None:
                return self._replace(waiting, frame)
        item = _Item(frame, key, isWhole)
        if self._isOver(len(frame.payload) + COST) and not self._makeRoom(item):
            return item.delivery
        if self._items is None:
            self._items = deque()
        self._items.append(item)
        self._count(frame, 1)
        if self._byKey is not None and key is not None:
            self._byKey[key] = item
        self._connection.weigh()
        self.judge()
        return item.delivery

    def _replace(self, waiting: _Item, frame: Frame) -> Delivery:
        old, waiting.delivery = waiting.delivery, Delivery()
        self._count(waiting.frame, -1)
        self._count(frame, 1)
        waiting.frame = frame
        self.coalesced += 1
        self._connection.noted("coalesced")
        old.fail(MessageDropped("a newer message with the same key took its place"))
        self._connection.weigh()
        return waiting.delivery

    def _isOver(self, more: int) -> bool:
        return bool(self._items) and (
            self._most is not None and self._held + more > self._most
        )

    def _makeRoom(self, item: _Item) -> bool:
        """
        What comes next would be too much: do as C{slowReaderPolicy} says.

        @return: whether there is room now.
        """
        if self._policy == "drop-newest" and item.isWhole:
            self._drop(item)
            return False
        if self._policy in ("drop-oldest", "coalesce"):
            more = len(item.frame.payload) + COST
            while self._isOver(more) and self._dropOldest():
                pass
            if not self._isOver(more):
                return True
        # A frame cannot be missing from a message that has begun.
        self._lost.append(item.delivery)
        self.tooSlow(
            f"the peer does not read: {self.size} bytes wait, more would be over"
            f" {self._most}"
        )
        return False

    def _dropOldest(self) -> bool:
        items = self._items or deque()
        for index, item in enumerate(items):
            if item.isWhole:
                del items[index]
                self._forget(item)
                self._drop(item)
                return True
        return False

    def _drop(self, item: _Item) -> None:
        self.dropped += 1
        self._connection.noted("dropped")
        item.delivery.fail(MessageDropped(f"slowReaderPolicy is {self._policy}"))

    def tooSlow(self, why: str) -> None:
        """
        Close the connection of a peer that does not read, and what waits for it is
        not to be sent any more.
        """
        self.discard()
        self._connection.noted("tooSlow")
        self._connection.giveUpOn(TryAgainLater(why, "maxSendBuffer"))

    def writeControl(self, data: bytes) -> None:
        """
        Write a control frame, before all that waits.
        """
        connection = self._connection
        if self.isFull:
            self._controls += len(data)
            if self._controls > _MAX_CONTROLS:
                self.tooSlow("the peer does not read, nor does it stop pinging")
                return
        connection.writeNow(data)

    def writeClose(self, data: bytes) -> None:
        """
        Write a Close frame, behind all that waits.
        """
        if self._items:
            self._close = data
        else:
            self._connection.writeNow(data)

    # What goes out

    def pauseProducing(self) -> None:
        """
        The carrier's buffer is full.
        """
        if not self.isFull and self._connection is not None:
            self.isFull = True
            self._controls = 0
            self._taken = bufferedIn(self._connection.carrier)
            self._connection.outboxWaits(True)
            self._connection.weigh()
            self.judge()

    def resumeProducing(self) -> None:
        """
        The carrier's buffer is empty.
        """
        if not self.isFull or self._connection is None:
            return
        self.isFull = False
        self.drained += 1
        self._taken = 0
        isLow = self.size <= self._lowWater
        self.pump()
        connection = self._connection
        if connection is None:
            return
        if not (self._items or self.isFull):
            connection.outboxWaits(False)
        connection.weigh()
        if isLow:
            connection.congested(False)

    def stopProducing(self) -> None:
        """
        The carrier is gone; C{connectionLost} follows.
        """

    def judge(self) -> None:
        """
        Tell the connection when C{sendHighWater} is reached.
        """
        if self.isFull and max(self._taken, _CARRIERS) + self.size >= self._highWater:
            self._connection.congested(True)

    def pump(self) -> None:
        """
        Hand on what waits, as long as the carrier has room.
        """
        if self._pumping:
            return
        self._pumping = True
        connection = self._connection
        try:
            while self._items and not self.isFull:
                item = self._items.popleft()
                self._forget(item)
                try:
                    data = connection.encodeItem(item.frame, item.isWhole)
                except ConnectionNotOpen:
                    self._lost.append(item.delivery)
                    return
                connection.writeNow(data)
                item.delivery.done()
        finally:
            self._pumping = False
        if self._close is not None and not self._items:
            close, self._close = self._close, None
            connection.writeNow(close)

    def flush(self) -> None:
        """
        Hand on all that waits, room or not: the connection ends.  Whether the peer
        gets it cannot be told any more, so the Deferreds of these messages fail when
        it is gone.
        """
        connection = self._connection
        while self._items:
            item = self._items.popleft()
            self._forget(item)
            self._lost.append(item.delivery)
            try:
                data = connection.encodeItem(item.frame, item.isWhole)
            except ConnectionNotOpen:
                continue
            connection.writeNow(data)
        if self._close is not None:
            close, self._close = self._close, None
            connection.writeNow(close)

    def discard(self) -> None:
        """
        Drop all that waits; its Deferreds fail when the connection is gone.
        """
        self._lost += [item.delivery for item in self._items or ()]
        self._items = self._byKey = None
        self._held = self.size = 0
        self._connection.weigh()

    def end(self, closed: ConnectionClosed) -> None:
        """
        The connection is gone.
        """
        self.discard()
        self._taken = 0
        self._close = None
        # It holds us, and is to be gone when its last user lets go.
        self._connection = None
        lost, self._lost = self._lost, []
        for delivery in lost:
            delivery.fail(closed.again())

    def _forget(self, item: _Item) -> None:
        self._count(item.frame, -1)
        if self._byKey is not None and item.key is not None:
            self._byKey.pop(item.key, None)

    def _count(self, frame: Frame, sign: int) -> None:
        size = len(frame.payload)
        self.size += sign * size
        self._held += sign * (size + COST)
