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

from collections import deque
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IDelayedCall, IPushProducer
from zope.interface import implementer

from ._buffered import bufferedIn, pausesBehindWrites
from ._wire.errors import ConnectionNotOpen, TryAgainLater
from ._wire.frames import Frame
from .delivery import Delivery
from .errors import ConnectionClosed, MessageDropped

if TYPE_CHECKING:
    from .connection import WebSocketConnection

COST = 512
"""
Bytes that it costs to keep a message, however short.  The marks and C{maxSendBuffer}
count it too, so that a flood of empty messages is one.
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

_Gone = list[tuple[Delivery, MessageDropped]]


class _Item:
    """
    A message that waits, or a frame of one.

    @ivar frame: it; C{None} when it was dropped.
    """

    __slots__ = ("delivery", "frame", "isWhole", "key")

    frame: Frame | None

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

    __slots__ = """
        _byKey _close _connection _controls _dead _held _highWater _items _lost
        _lowWater _most _notice _number _policy _pumping _wholes coalesced drained
        dropped isFull size
    """.split()

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
        self._controls = 0  # bytes of control frames written since it became full
        # Made when they are needed: most connections never need them.
        self._items: deque[_Item] | None = None
        self._wholes: deque[_Item] | None = None  # those that may be dropped
        self._byKey: dict[Hashable, _Item] | None = None
        self._number = 0  # of items, without the dropped ones
        self._dead = 0  # those
        self._held = 0  # what keeping the items costs
        self._lost: list[Delivery] = []  # fail when the connection is gone
        self._close: bytes | None = None  # a Close frame, behind all that
        self._pumping = False
        self._notice: IDelayedCall | None = None

    @property
    def held(self) -> int:
        """
        Bytes of memory that what waits costs, here and in a carrier that is full.
        """
        return self._held + self._taken()

    @property
    def left(self) -> int:
        """
        Bytes that a carrier that is full still has of what it had when it became
        full; 0 while it is not.  Only the peer makes it less.
        """
        return max(self._taken() - self._controls, 0)

    def _taken(self) -> int:
        if not self.isFull or self._connection is None:
            return 0
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
        item = None
        if self._policy == "coalesce" and key is not None and self._byKey is not None:
            item = self._byKey.get(key)
        if item is None:
            item = _Item(frame, key, isWhole)
            self._append(item)
        else:
            self._replace(item, frame, gone)
        delivery = item.delivery
        if self._isOver():
            self._makeRoom(item, gone)
        if self._connection is not None:
            self._connection.weigh()
        self.judge()
        for dropped, reason in gone:
            dropped.fail(reason)
        return delivery

    def _append(self, item: _Item) -> None:
        if self._items is None:
            self._items = deque()
        self._items.append(item)
        self._count(item, 1)
        if self._policy not in ("drop-oldest", "coalesce") or not item.isWhole:
            return
        if self._wholes is None:
            self._wholes = deque()
        self._wholes.append(item)
        if self._policy == "coalesce" and item.key is not None:
            if self._byKey is None:
                self._byKey = {}
            self._byKey[item.key] = item

    def _replace(self, item: _Item, frame: Frame, gone: _Gone) -> None:
        reason = "a newer message with the same key took its place"
        gone.append((item.delivery, MessageDropped(reason)))
        self._count(item, -1)
        item.frame = frame
        item.delivery = Delivery()
        self._count(item, 1)
        self.coalesced += 1
        self._connection.noted("coalesced")

    def _isOver(self) -> bool:
        return self._most is not None and self._held > self._most and self._number > 1

    def _makeRoom(self, newest: _Item, gone: _Gone) -> None:
        """
        There is too much: do as C{slowReaderPolicy} says.
        """
        wholes = self._wholes
        if wholes is not None:
            # One that has just taken the place of another may be the oldest.
            at = 0
            while self._isOver() and at < len(wholes):
                if wholes[at] is newest:
                    at += 1
                    continue
                oldest = wholes[at]
                del wholes[at]
                self._drop(oldest, gone)
        elif self._policy == "drop-newest" and newest.isWhole:
            self._drop(newest, gone)
        if self._isOver():
            # A frame cannot be missing from a message that has begun.
            self.tooSlow(
                f"the peer does not read: {self._held} bytes wait, over {self._most}",
                "maxSendBuffer",
            )

    def _drop(self, item: _Item, gone: _Gone) -> None:
        self.dropped += 1
        self._connection.noted("dropped")
        reason = f"slowReaderPolicy is {self._policy}"
        gone.append((item.delivery, MessageDropped(reason)))
        self._forget(item)
        item.frame = None
        self._dead += 1
        # To take each out of the middle would take the time of all before it.
        if self._items is not None and self._dead > self._number:
            self._items = deque(each for each in self._items if each.frame is not None)
            self._dead = 0

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
        connection.writeNow(data)

    def writeClose(self, data: bytes) -> None:
        """
        Write a Close frame, behind all that waits.
        """
        if self._number:
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
        if self.isFull and self._connection is not None:
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
        isLow = self._held <= self._lowWater
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
        return max(self._taken(), _CARRIERS) + self._held >= self._highWater

    def pump(self) -> None:
        """
        Hand on what waits, as long as the carrier has room.
        """
        self._pumping = True
        connection = self._connection
        try:
            while self._items and not self.isFull:
                item = self._items.popleft()
                if item.frame is None:
                    self._dead -= 1
                    continue
                frame = self._sends(item)
                try:
                    data = connection.encodeItem(frame, item.isWhole)
                except ConnectionNotOpen:
                    self._lost.append(item.delivery)
                    return
                connection.writeNow(data)
                item.delivery.done()
        finally:
            self._pumping = False
        if self._close is not None and not self._number:
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
            if item.frame is None:
                continue
            frame = self._sends(item)
            self._lost.append(item.delivery)
            try:
                data = connection.encodeItem(frame, item.isWhole)
            except ConnectionNotOpen:
                continue
            connection.writeNow(data)
        if self._close is not None:
            close, self._close = self._close, None
            connection.writeNow(close)
        connection.weigh()

    def discard(self) -> None:
        """
        Drop all that waits; its Deferreds fail when the connection is gone.
        """
        items = self._items or ()
        self._lost += [each.delivery for each in items if each.frame is not None]
        self._items = self._wholes = self._byKey = None
        self._number = self._dead = self._held = self.size = 0
        if self._connection is not None:
            self._connection.weigh()

    def release(self) -> None:
        """
        The carrier is aborted: it lets go of what it has, and nothing is to be sent.
        """
        self.isFull = False
        self._close = None
        self._stopNotice()
        self.discard()

    def end(self, closed: ConnectionClosed) -> None:
        """
        The connection is gone.
        """
        self.release()
        # It holds us, and is to be gone when its last user lets go.
        self._connection = None
        lost, self._lost = self._lost, []
        for delivery in lost:
            delivery.fail(closed.again())

    def _stopNotice(self) -> None:
        if self._notice is not None:
            self._notice.cancel()
            self._notice = None

    def _sends(self, item: _Item) -> Frame:
        """
        Let go of the oldest item.
        """
        frame = item.frame
        assert frame is not None
        if self._wholes and self._wholes[0] is item:
            self._wholes.popleft()
        self._forget(item)
        return frame

    def _forget(self, item: _Item) -> None:
        self._count(item, -1)
        if self._byKey is not None and item.key is not None:
            self._byKey.pop(item.key, None)

    def _count(self, item: _Item, sign: int) -> None:
        assert item.frame is not None
        size = len(item.frame.payload)
        self.size += sign * size
        self._held += sign * (size + COST)
        self._number += sign
