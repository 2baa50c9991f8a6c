# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Tests for L{twisted_ws._wire.masks}: keys that nobody can predict.
"""

from __future__ import annotations

import os
import random
import warnings

from twisted.trial.unittest import SynchronousTestCase

from twisted_ws._wire.masks import MaskKeys
from twisted_ws._wire.sender import encodeFrame

from .wire import TEXT, readFrames


class MaskKeysTests(SynchronousTestCase):
    """
    RFC 6455 section 10.3.
    """

    def test_onceOnly(self) -> None:
        """
        Each four bytes of the system's randomness are given out once, in order.
        """
        pages: list[bytes] = []

        def urandom(size: int) -> bytes:
            pages.append(random.Random(len(pages)).randbytes(size))
            return pages[-1]

        self.patch(os, "urandom", urandom)
        keys = MaskKeys()
        given = [keys.take() for _ in range(3000)]
        self.assertEqual({len(key) for key in given}, {4})
        self.assertEqual(b"".join(given), b"".join(pages)[:12000])
        self.assertTrue(len(pages) < 30, "the system is asked for each key")

    def test_forget(self) -> None:
        """
        What was read and not given out is forgotten.
        """
        pages = [b"AAAA" * 1024, b"BBBB" * 1024]
        self.patch(os, "urandom", lambda size: pages.pop(0)[:size])
        keys = MaskKeys()
        self.assertEqual(keys.take(), b"AAAA")
        keys.forget()
        self.assertEqual(keys.take(), b"BBBB")

    def test_seedDoesNotCount(self) -> None:
        """
        Whoever seeds Python's own generator learns nothing of our keys.
        """
        self.addCleanup(random.setstate, random.getstate())
        given = []
        for _ in range(2):
            random.seed(0)
            sent = b"".join(encodeFrame(TEXT, b"", True) for _ in range(2000))
            given.append([frame.key for frame in readFrames(sent)])
        self.assertEqual(len({*given[0], *given[1]}), 4000)

    def test_fork(self) -> None:
        """
        A child process does not repeat the keys of its parent.
        """
        if not hasattr(os, "fork"):
            raise self.skipTest("this system does not fork")
        encodeFrame(TEXT, b"", True)  # so that a page is in use
        reading, writing = os.pipe()
        with warnings.catch_warnings():
            # Of threads that other tests left: this child does without them.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if not child:
            try:
                os.write(writing, encodeFrame(TEXT, bytes(64), True))
            finally:
                os._exit(0)
        os.close(writing)
        with open(reading, "rb") as pipe:
            [theirs] = readFrames(pipe.read())
        os.waitpid(child, 0)
        [ours] = readFrames(encodeFrame(TEXT, bytes(64), True))
        self.assertEqual(theirs.payload, ours.payload)
        self.assertNotEqual(theirs.key, ours.key)
