# -*- test-case-name: tests.test_deflater -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The sending half of permessage-deflate: compresses messages (RFC 7692 section 7.2.1).
"""

from __future__ import annotations

from sys import intern

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from .._wire.frames import RSV1, Frame
from .implementations import Z_SYNC_FLUSH, CompressObject, Implementation


class Deflater:
    """
    Compresses the messages of one connection.

    The compressor is made when it is first needed.  If messages may refer to those
    before them, it is kept, but not for ever: a sender is always free to forget (RFC
    7692 section 7.1.1).  It is dropped when nothing was compressed from one tick of a
    timer to the next; so what a message pays for that is one attribute being set.
    """

    __slots__ = (
        "_clock",
        "_compressor",
        "_forgets",
        "_how",
        "_implementation",
        "_inMessage",
        "_isUsed",
        "_threshold",
        "_timeout",
        "_timer",
    )

    def __init__(
        self,
        implementation: Implementation,
        how: tuple[int, int, int, int],
        forgets: bool,
        threshold: int,
        timeout: float | None,
    ) -> None:
        """
        @param how: the arguments of L{Implementation.newCompressor}.
        @param forgets: whether each message begins without the memory of those before.
        @param threshold: bytes; a shorter message is sent as it is.
        @param timeout: seconds without a message after which the compressor is
            dropped; C{None} for never.
        """
        self._implementation = implementation
        self._how = how
        self._forgets = forgets
        self._threshold = threshold
        # One that forgets drops its compressor after each message anyway.
        self._timeout = None if forgets else timeout
        self._clock: IReactorTime | None = None
        self._timer: IDelayedCall | None = None
        self._compressor: CompressObject | None = None
        self._inMessage = False
        self._isUsed = False

    @property
    def hasContext(self) -> bool:
        """
        Whether there is a compressor now.
        """
        return self._compressor is not None

    @property
    def sharedKey(self) -> str | None:
        """
        What is equal for those that make the same of each whole message; C{None} if it
        depends on the messages before.  A string, because that knows its hash.
        """
        if not self._forgets:
            return None
        library = self._implementation.library.__name__
        return intern(f"{library} {self._how} {self._threshold}")

    def start(self, clock: IReactorTime) -> None:
        """
        Watch the time from now on.
        """
        self._clock = clock

    def stop(self) -> None:
        """
        Drop everything.
        """
        self._clock = self._compressor = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def encode(self, frame: Frame) -> Frame:
        """
        Compress a data frame: a whole message, or a piece of one.  The peer can
        decompress each piece when it has it.
        """
        opcode, payload, fin, rsv, compress = frame
        if opcode:
            # How long a message in pieces will get is not known.
            isLong = len(payload) >= self._threshold or not fin
            self._inMessage = isLong if compress is None else compress
            rsv |= RSV1
        if not self._inMessage:
            return frame
        compressor = self._compressor
        if compressor is None:
            compressor = self._newCompressor()
        self._isUsed = True
        data = compressor.compress(payload) + compressor.flush(Z_SYNC_FLUSH)
        if fin:
            self._inMessage = False
            # It ends in an empty stored block, of which four bytes go; unless there
            # was nothing to flush since the last one (RFC 7692 section 7.2.3.6).
            data = data[:-4] or b"\x00"
            if self._forgets:
                self._compressor = None
                if opcode and len(data) >= len(payload):
                    return frame
            # A compressor that remembers has the message in its memory now, so the
            # peer needs it in its own: it is sent compressed even if that is longer.
            # That costs at most a few bytes in a thousand; to copy the compressor
            # before each message, to have it back, would cost as much time as to
            # compress a short one.
        return Frame(opcode, data, fin, rsv, compress)

    def _newCompressor(self) -> CompressObject:
        made = self._compressor = self._implementation.newCompressor(*self._how)
        self._wait()
        return made

    def _wait(self) -> None:
        if self._clock is not None and self._timeout is not None:
            self._timer = self._clock.callLater(self._timeout, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if self._isUsed or self._inMessage:
            self._isUsed = False
            self._wait()
        else:
            self._compressor = None
