# -*- test-case-name: tests.test_waiting -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Messages that wait, in the order in which they were sent, and what they cost.

Everything here takes the same time however many there are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable

from ._wire.frames import Frame
from .delivery import Delivery

COST = 640
"""
Bytes that it costs to keep a message, however short.  The marks and C{maxSendBuffer}
count it too, so that a flood of empty messages is one.
"""


class Item:
    """
    A message that waits, or a frame of one.

    @ivar frame: it; C{None} when it was dropped.
    @ivar key: what it is about, or C{None}.
    @ivar isWhole: whether it is a whole message, which may be dropped.
    @ivar delivery: what its sender was given.
    """

    __slots__ = ("delivery", "frame", "isWhole", "key")

    frame: Frame | None

    def __init__(self, frame: Frame, key: Hashable, isWhole: bool) -> None:
        self.frame = frame
        self.key = key
        self.isWhole = isWhole
        self.delivery = Delivery()


class Waiting:
    """
    All that waits.

    @ivar number: how many.
    @ivar size: their payload bytes.
    @ivar held: the bytes that it costs to keep them.
    """

    __slots__ = ("_byKey", "_dead", "_items", "_wholes", "held", "number", "size")

    def __init__(self, drops: bool, replaces: bool) -> None:
        """
        @param drops: whether C{oldest} is to be asked for.
        @param replaces: whether C{find} is.
        """
        self._items: deque[Item] = deque()
        self._wholes: deque[Item] | None = deque() if drops else None
        self._byKey: dict[Hashable, Item] | None = {} if replaces else None
        self._dead = 0  # items of those above that were dropped
        self.number = 0
        self.size = 0
        self.held = 0

    def find(self, key: Hashable) -> Item | None:
        """
        @return: the one with this key.
        """
        if key is None or self._byKey is None:
            return None
        return self._byKey.get(key)

    def append(self, item: Item) -> None:
        """
        Add one, behind all others.
        """
        self._items.append(item)
        self._count(item, 1)
        if item.isWhole:
            if self._wholes is not None:
                self._wholes.append(item)
            if self._byKey is not None and item.key is not None:
                self._byKey[item.key] = item

    def replace(self, item: Item, frame: Frame) -> Delivery:
        """
        Put another message into the place of one.

        @return: what the sender of that one was given.
        """
        old, item.delivery = item.delivery, Delivery()
        self._count(item, -1)
        item.frame = frame
        self._count(item, 1)
        return old

    def oldest(self, newest: Item) -> Item | None:
        """
        @return: the oldest whole message but C{newest}, which may be in the place of
            an old one.
        """
        wholes = self._wholes or ()
        for item in wholes:
            if item is not newest:
                return item
        return None

    def drop(self, item: Item) -> None:
        """
        Take out a whole message: the one that C{oldest} told of, or the newest.
        """
        wholes = self._wholes
        if wholes:
            # The first, or the second.
            wholes.remove(item)
        self._forget(item)
        item.frame = None
        self._dead += 1
        # To take each out of the middle would take the time of all before it.
        if self._dead > self.number:
            self._items = deque(each for each in self._items if each.frame is not None)
            self._dead = 0

    def next(self) -> tuple[Item, Frame] | None:
        """
        Take out the first.

        @return: it and its frame; C{None} when there is none.
        """
        while self._items:
            item = self._items.popleft()
            frame = item.frame
            if frame is None:
                self._dead -= 1
                continue
            if self._wholes and self._wholes[0] is item:
                self._wholes.popleft()
            self._forget(item)
            return item, frame
        return None

    def deliveries(self) -> list[Delivery]:
        """
        @return: what the senders of all were given.
        """
        return [each.delivery for each in self._items if each.frame is not None]

    def _forget(self, item: Item) -> None:
        self._count(item, -1)
        if self._byKey is not None and item.key is not None:
            self._byKey.pop(item.key, None)

    def _count(self, item: Item, sign: int) -> None:
        assert item.frame is not None
        size = len(item.frame.payload)
        self.number += sign
        self.size += sign * size
        self.held += sign * (size + COST)
