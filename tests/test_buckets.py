# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.buckets}: rates, and who keeps to them.
"""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from twisted_ws.buckets import Buckets, readRate


def buckets(text, *args):
    """
    @return: buckets of a rate.
    """
    return Buckets(readRate(text, "messages"), *args)


class RateTests(SynchronousTestCase):
    """
    Rates as they are written.
    """

    def test_read(self):
        """
        A rate is a number per second, minute or hour.
        """
        for text, count, seconds in [
            ("50/s", 50, 1),
            ("10/m", 10, 60),
            ("600/h", 600, 3600),
            ("1/s", 1, 1),
        ]:
            rate = readRate(text, "messages")
            self.assertEqual((rate.count, rate.seconds), (count, seconds))
            self.assertEqual(str(rate), f"messages='{text}'")

    def test_sizes(self):
        """
        Where bytes are counted, K and M are 1024 and its square.
        """
        for text, count in [("1M/s", 1 << 20), ("10K/s", 10240), ("7/s", 7)]:
            self.assertEqual(readRate(text, "bytes", sizes=True).count, count)

    def test_wrong(self):
        """
        Anything else is refused, with the name of what it is for.
        """
        wrong = ["", "5", "5/", "/s", "0/s", "-1/s", "1.5/s", "5/d", "5 /s", " 5/s"]
        wrong += [
            "5/s\n",
            "5/ss",
            "5k/s",
            "5G/s",
            "KM/s",
            "\u0665/s",
            "9" * 5000 + "/s",
        ]
        wrong += [5, None, b"5/s", 0.5, ("5/s",)]
        for text in wrong:
            for sizes in (False, True):
                with self.assertRaises(ValueError) as caught:
                    readRate(text, "pings", sizes)
                self.assertTrue(str(caught.exception).startswith("pings must be"))
        for text in ("5K/s", "5M/s", "0K/s"):
            self.assertRaises(ValueError, readRate, text, "pings")
        self.assertRaises(ValueError, readRate, "0K/s", "bytes", True)


class TakeTests(SynchronousTestCase):
    """
    L{Buckets.take}: a token, if there is one.
    """

    def test_rate(self):
        """
        All of a rate may come at once, then one at a time; who comes too early is told
        when to come, and does not pay for it.
        """
        b = buckets("10/m")
        self.assertEqual([b.take("a", 100) for _ in range(10)], [0.0] * 10)
        for _ in range(5):
            self.assertAlmostEqual(b.take("a", 100), 6)
        self.assertAlmostEqual(b.take("a", 104), 2)
        self.assertEqual(b.take("a", 106), 0.0)
        self.assertAlmostEqual(b.take("a", 106), 6)
        self.assertEqual([b.take("a", 118) for _ in range(2)], [0.0] * 2)
        self.assertTrue(b.take("a", 118))

    def test_whenTold(self):
        """
        Who comes when told to is let in, whatever adding up has lost.
        """
        for text in ("7/s", "3/s", "11/m", "49/h"):
            b = buckets(text)
            now = 1.7e9
            taken = 0
            for _ in range(500):
                wait = b.take("a", now)
                now += wait
                taken += not wait
            self.assertGreaterEqual(taken, 245, text)

    def test_keys(self):
        """
        Each key has a bucket of its own.
        """
        b = buckets("1/s")
        self.assertEqual([b.take(key, 0) for key in "ab"], [0.0] * 2)
        self.assertTrue(b.take("a", 0))

    def test_burst(self):
        """
        More or fewer may come at once; one always can.
        """
        for burst, count in [(3, 30), (0.5, 5), (0.001, 1)]:
            b = buckets("10/s", burst)
            taken = [not b.take("a", 0) for _ in range(40)]
            self.assertEqual(taken, [True] * count + [False] * (40 - count))

    def test_longRun(self):
        """
        However they come, no more than the rate and the burst pass.
        """
        for seed in range(20):
            random = Random(seed)
            b = buckets("50/s")
            now = passed = 0
            for _ in range(5000):
                now += random.expovariate(100)
                passed += not b.take("a", now)
                self.assertLessEqual(passed, 50 * now + 50 + 1e-6)
            self.assertGreater(passed, 50 * now * 0.9)

    def test_clockPutBack(self):
        """
        When the clock is put back, nobody waits for it.
        """
        b = buckets("10/m")
        for _ in range(10):
            b.take("a", 100000)
        self.assertAlmostEqual(b.take("a", 5), 6)
        self.assertEqual(b.take("a", 11), 0.0)


class ChargeTests(SynchronousTestCase):
    """
    L{Buckets.charge}: tokens for what has come already.
    """

    def test_charge(self):
        """
        What is over is to be waited for; it is paid all the same.
        """
        b = buckets("10/s")
        self.assertEqual(b.charge("a", 10, 0), 0.0)
        self.assertAlmostEqual(b.charge("a", 1, 0), 0.1)
        self.assertAlmostEqual(b.charge("a", 20, 0), 2.1)
        self.assertAlmostEqual(b.charge("a", 1, 2.1), 0.1)
        self.assertEqual(b.charge("a", 1, 2.3), 0.0)

    def test_atTheRate(self):
        """
        Who keeps to the rate never waits.
        """
        b = buckets("10/s")
        for number in range(1000):
            self.assertEqual(b.charge("a", 1, number / 10), 0.0)


class ForgettingTests(SynchronousTestCase):
    """
    What is remembered.
    """

    def test_full(self):
        """
        A bucket that is full again is forgotten.
        """
        b = buckets("1/s")
        for key in range(1000):
            b.take(key, 0)
        self.assertEqual(len(b), 1000)
        for key in range(1000, 1600):
            b.take(key, 10)
        self.assertLessEqual(len(b), 600)

    def test_few(self):
        """
        However many come one after the other, only the last are there.
        """
        b = buckets("10/s")
        for number in range(100000):
            b.charge(number, 1, number / 1000)
            self.assertLess(len(b), 250)

    def test_debtors(self):
        """
        Those who owe for long do not keep those behind them, nor are they forgotten.
        """
        b = buckets("1/s")
        for key in range(10):
            b.charge(-key - 1, 1000, 0)
        for key in range(5000):
            b.take(key, key)
            b.take(key, key)
            if key == 900:
                self.assertTrue(all(b.take(-each - 1, key) for each in range(10)))
            self.assertLess(len(b), 30)

    def test_most(self):
        """
        There are never more keys than that; who is over its rate now stays for as long
        as it comes.
        """
        b = buckets("1/h", 1, 100)
        for key in range(10000):
            b.charge("a", 1, 0)
            b.take(key, 0)
            self.assertLessEqual(len(b), 100)
        self.assertTrue(b.take("a", 0))

    def test_one(self):
        """
        One may be enough.
        """
        b = buckets("1/h", 1, 1)
        for key in "abc":
            self.assertEqual(b.take(key, 0), 0.0)
            self.assertTrue(b.take(key, 0))
            self.assertEqual(len(b), 1)

    def test_nothing(self):
        """
        To be charged nothing leaves nothing behind.
        """
        b = buckets("1/s")
        self.assertEqual(b.charge("a", 0, 0), 0.0)
        self.assertEqual(len(b), 0)
