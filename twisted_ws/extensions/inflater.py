# -*- test-case-name: tests.test_inflater -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The receiving half of permessage-deflate: decompresses messages (RFC 7692 section
7.2.2), and trusts nothing that it is told.
"""

from __future__ import annotations

import sys

from .._wire.errors import InvalidPayload, PayloadTooBig
from .._wire.frames import RSV1, Frame
from .implementations import DecompressObject, Implementation

RATIO_FREE = 65536
"""
Decompressed bytes of a message before C{maxRatio} counts.
"""

MAX_FINAL_BLOCKS = 4096
"""
How often one message may end its compressed data and begin anew: each costs the time
of hundreds of ordinary bytes, and two bytes to ask for.  As many as a message may have
frames by default, because that is what a sender does who knows no better way to flush.
"""

_TAIL = b"\x00\x00\xff\xff"
# Empty blocks: they give no output where a block may begin, and change nothing.  In the
# data of a block they give some, or are damage.  Within the head of a block they can
# give none: so they are twice as many as it took to get out of any that was tried.  A
# copy of the decompressor would tell as much, from one block that says it is the last;
# but it takes twice the time, and not every implementation makes copies.
_PROBE = b"\x00\x00\x00\xff\xff" * 64
_END = _TAIL + _PROBE

# What is left behind a final block is copied each time, so it has to be little.
_STEP = 1024
# The libraries take no larger limit.
_MOST = sys.maxsize - 1


class Inflater:
    """
    Decompresses the messages of one connection.

    The decompressor is made when it is first needed, and dropped with the message if
    the peer does not refer to messages before.
    """

    __slots__ = (
        "_bits",
        "_decompressor",
        "_finalBlocks",
        "_forgets",
        "_implementation",
        "_inMessage",
        "_maxRatio",
        "_produced",
        "_received",
    )

    def __init__(
        self,
        implementation: Implementation,
        bits: int,
        forgets: bool,
        maxRatio: int | None,
    ) -> None:
        """
        @param bits: how far back the peer may refer: two to this power bytes.
        @param forgets: whether the peer begins each message without the memory of
            those before.
        @param maxRatio: decompressed bytes for each received byte of a message;
            C{None} for no limit.
        """
        self._implementation = implementation
        self._bits = bits
        self._forgets = forgets
        self._maxRatio = maxRatio
        self._decompressor: DecompressObject | None = None
        self._inMessage = False
        self._received = self._produced = self._finalBlocks = 0

    @property
    def hasContext(self) -> bool:
        """
        Whether there is a decompressor now.
        """
        return self._decompressor is not None

    def stop(self) -> None:
        """
        Drop everything.
        """
        self._decompressor = None

    def decode(self, frame: Frame, maxSize: int) -> Frame:
        """
        Decompress a data frame: a whole message, or a piece of one.

        @raise PayloadTooBig: when there is more in it than C{maxSize} bytes, or than
            C{maxRatio} allows; as soon as that is known.
        @raise InvalidPayload: when it is damaged, or cut off.
        """
        opcode, payload, fin, rsv, _ = frame
        if opcode:
            if not rsv & RSV1:
                self._inMessage = False
                return frame
            rsv &= ~RSV1
            self._inMessage = True
            self._received = self._produced = self._finalBlocks = 0
        elif not self._inMessage:
            return frame
        # What follows is one method, and without min and max, because of their price
        # to a short message.
        limit = maxSize if maxSize < _MOST else _MOST
        self._received += len(payload)
        if self._maxRatio is not None:
            allowed = self._maxRatio * self._received
            if allowed < RATIO_FREE:
                allowed = RATIO_FREE
            allowed -= self._produced
            if allowed < limit:
                limit = allowed
        decompressor = self._decompressor
        if decompressor is None and self._finalBlocks and not payload:
            # Behind a final block nothing has to follow, in whatever frames.
            return Frame(opcode, payload, fin, rsv)
        try:
            if decompressor is None:
                decompressor = self._newDecompressor()
            # One byte more than there may be: without that one, it was all.
            data = decompressor.decompress(payload, limit + 1)
            if decompressor.eof:
                data = self._goOn(payload, data, limit + 1)
            if len(data) > limit:
                raise self._tooBig(limit == maxSize)
            self._produced += len(data)
            if fin:
                self._endMessage()
        except self._implementation.library.error as error:
            raise InvalidPayload(f"compressed data that is damaged: {error}") from None
        return Frame(opcode, data, fin, rsv)

    def _tooBig(self, isTooLong: bool) -> PayloadTooBig:
        if isTooLong:
            return PayloadTooBig(
                "a compressed message that is too long", "maxReceivedMessageSize"
            )
        return PayloadTooBig(
            f"a message over {self._maxRatio} times as long as its compressed data",
            "maxRatio",
        )

    def _goOn(self, payload: bytes, data: bytes, most: int) -> bytes:
        """
        The compressed data ended, with a final block, but more may follow: it begins
        anew behind that (RFC 7692 section 7.2.3.4).

        @param payload: all of the frame.
        @param data: what was decompressed of it.
        @param most: how much may be, before it is time to stop.
        @return: all that was decompressed, C{most} bytes at most.
        """
        parts, left = [data], most - len(data)
        unread = memoryview(payload)
        decompressor = self._decompressor
        assert decompressor is not None
        unread = unread[len(unread) - len(decompressor.unused_data) :]
        while left:
            if decompressor.eof:
                self._finalBlocks += 1
                if self._finalBlocks > MAX_FINAL_BLOCKS:
                    raise InvalidPayload("a message with too many final blocks")
                self._decompressor = None
                if not unread:
                    break
                decompressor = self._newDecompressor()
            elif not unread:
                break
            piece = unread[:_STEP]
            data = decompressor.decompress(piece, left)
            unread = unread[len(piece) - len(decompressor.unused_data) :]
            parts.append(data)
            left -= len(data)
        return b"".join(parts)

    def _endMessage(self) -> None:
        """
        Make sure that the compressed data is complete.

        @raise InvalidPayload: when it is not.
        """
        decompressor = self._decompressor
        # Without one, the data ended with a final block: so it is complete, though
        # RFC 7692 would have an empty block behind that.
        if decompressor is not None:
            if decompressor.decompress(_END, 1):
                raise InvalidPayload("compressed data that is cut off")
            if decompressor.eof:
                # The empty block that was taken off was a final one.
                if decompressor.unused_data != _PROBE:
                    raise InvalidPayload("compressed data that is cut off")
                self._decompressor = None
        if self._forgets:
            self._decompressor = None

    def _newDecompressor(self) -> DecompressObject:
        made = self._decompressor = self._implementation.newDecompressor(self._bits)
        return made
