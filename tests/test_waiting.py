# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.waiting}: messages that wait, and what they cost.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from random import Random
from time import process_time

from twisted.trial.unittest import SynchronousTestCase

from twisted_ws import Frame
from twisted_ws._wire.frames import Opcode
from twisted_ws.waiting import COST, Item, Waiting


def made(payload: bytes, key: object = None, isWhole: bool = True) -> Item:
    """
    @return: one that does not wait yet.
    """
    return Item(Frame(Opcode.BINARY, payload), key, isWhole)


def payloads(waiting: Waiting) -> list[bytes]:
    """
    @return: the payloads of all, which are taken out.
    """
    taken = []
    while (first := waiting.next()) is not None:
        taken.append(first[1].payload)
    return taken


class WaitingTests(SynchronousTestCase):
    """
    L{Waiting}.
    """

    def test_order(self) -> None:
        """
        They are taken out in the order in which they were put in; then there are none.
        """
        waiting = Waiting(True, True)
        for number in range(5):
            waiting.append(made(b"%d" % number, isWhole=number % 2 == 0))
        self.assertEqual((waiting.number, waiting.size), (5, 5))
        self.assertEqual(waiting.held, 5 + 5 * COST)
        self.assertEqual(payloads(waiting), [b"0", b"1", b"2", b"3", b"4"])
        self.assertIsNone(waiting.next())
        self.assertEqual((waiting.number, waiting.size, waiting.held), (0, 0, 0))

    def test_oldest(self) -> None:
        """
        The oldest whole message can be found and dropped, but for the one that is being
        put in.
        """
        waiting = Waiting(True, False)
        items = [made(b"%d" % n, isWhole=n not in (0, 2)) for n in range(5)]
        for each in items:
            waiting.append(each)
        self.assertIs(waiting.oldest(items[4]), items[1])
        self.assertIs(waiting.oldest(items[1]), items[3])
        waiting.drop(items[3])
        waiting.drop(items[1])
        self.assertIsNone(waiting.oldest(items[4]))
        self.assertEqual(payloads(waiting), [b"0", b"2", b"4"])

    def test_replace(self) -> None:
        """
        One with a key can be found until it is taken out or dropped, and another
        message be put into its place.
        """
        waiting = Waiting(True, True)
        items = [made(b"%d" % number, key=number) for number in range(3)]
        for each in items:
            waiting.append(each)
        waiting.append(made(b"-"))
        self.assertIsNone(waiting.find(None))
        self.assertIs(waiting.find(1), items[1])
        old = items[1].delivery
        self.assertIs(waiting.replace(items[1], Frame(Opcode.TEXT, b"new")), old)
        self.assertIsNot(items[1].delivery, old)
        self.assertEqual((waiting.number, waiting.size), (4, 6))
        waiting.drop(items[0])
        self.assertIsNone(waiting.find(0))
        self.assertEqual(waiting.next(), (items[1], Frame(Opcode.TEXT, b"new")))
        self.assertIsNone(waiting.find(1))
        self.assertEqual(payloads(waiting), [b"2", b"-"])

    def test_neither(self) -> None:
        """
        Where none are dropped or replaced nothing is kept for that.
        """
        waiting = Waiting(False, False)
        waiting.append(made(b"x", key="a"))
        self.assertIsNone(waiting.find("a"))
        self.assertIsNone(waiting.oldest(made(b"")))

    def test_deliveries(self) -> None:
        """
        It tells of what the senders have of all that was not dropped.
        """
        waiting = Waiting(False, False)
        items = [made(b"%d" % number) for number in range(3)]
        for each in items:
            waiting.append(each)
        waiting.drop(items[1])
        expected = [items[0].delivery, items[2].delivery]
        self.assertEqual(waiting.deliveries(), expected)

    def test_model(self) -> None:
        """
        Whatever is done, it is as with a list.
        """
        for seed in range(200):
            random = Random(seed)
            waiting = Waiting(True, True)
            model: list[Item] = []
            for _ in range(60):
                what = random.random()
                if what < 0.5:
                    key = random.choice([None, 1, 2, 3])
                    item = waiting.find(key)
                    known = [each for each in model if each.key == key is not None]
                    self.assertEqual([] if item is None else [item], known)
                    if item is None:
                        whole = key is not None or random.random() < 0.7
                        item = made(bytes(random.randrange(9)), key, whole)
                        waiting.append(item)
                        model.append(item)
                    else:
                        waiting.replace(item, Frame(2, bytes(random.randrange(9))))
                elif what < 0.8:
                    but = random.choice([*model, made(b"")])
                    wholes = [each for each in model if each.isWhole]
                    expected = next((each for each in wholes if each is not but), None)
                    oldest = waiting.oldest(but)
                    # Only the first of all is ever left out.
                    if but is (wholes or [None])[0] or but not in wholes:
                        self.assertIs(oldest, expected)
                    if oldest is not None:
                        waiting.drop(oldest)
                        model.remove(oldest)
                else:
                    first = waiting.next()
                    taken = None if first is None else first[0]
                    self.assertIs(taken, model.pop(0) if model else None)
                sizes = [len(each.frame.payload) for each in model if each.frame]
                self.assertEqual(waiting.number, len(model))
                self.assertEqual(waiting.size, sum(sizes))
                self.assertEqual(waiting.held, sum(sizes) + COST * len(model))


class CostTests(SynchronousTestCase):
    """
    What they cost.
    """

    def test_cost(self) -> None:
        """
        L{COST} is no less than the memory that one takes.
        """
        waiting = Waiting(True, True)
        count = 2000
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        before, _ = tracemalloc.get_traced_memory()
        for number in range(count):
            waiting.append(made(b"%d" % number, key=number))
        after, _ = tracemalloc.get_traced_memory()
        self.assertLess((after - before) / count, COST)

    def best(self, count: int, act: Callable[[Waiting, Item], object]) -> float:
        """
        @return: the seconds for doing something a thousand times with so many that
            wait, frames before whole messages.
        """
        times = []
        for _ in range(3):
            waiting = Waiting(True, True)
            for _ in range(count):
                waiting.append(made(b"", isWhole=False))
            for number in range(count):
                waiting.append(made(b"", key=number))
            newest = made(b"")
            waiting.append(newest)
            begun = process_time()
            for _ in range(1000):
                act(waiting, newest)
            times.append(process_time() - begun)
            self.assertLess(len(waiting._items), 5 * count)
        return min(times)

    def test_drop(self) -> None:
        """
        To drop the oldest takes no longer when there are more, and does not leave more
        and more behind.
        """

        def act(waiting: Waiting, newest: Item) -> None:
            oldest = waiting.oldest(newest)
            assert oldest is not None
            waiting.drop(oldest)
            waiting.append(made(b""))

        self.best(20, act)
        few, many = self.best(2000, act), self.best(50_000, act)
        self.assertLess(many, few * 5 + 0.05)

    def test_next(self) -> None:
        """
        Nor does it to take one out, and to put one in.
        """

        def act(waiting: Waiting, newest: Item) -> None:
            waiting.next()
            waiting.append(made(b""))

        few, many = self.best(2000, act), self.best(50_000, act)
        self.assertLess(many, few * 5 + 0.05)
