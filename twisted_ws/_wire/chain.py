# -*- test-case-name: tests.test_chain -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The extensions of a connection, one behind the other (RFC 6455 section 9.1): what is
sent goes through them from the first to the last, what is received from the last to
the first.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Protocol

from .errors import PayloadTooBig
from .frames import RESERVED, Frame

WIRE_ALLOWANCE = 65536
"""
Bytes that a message may have on the wire over C{maxReceivedMessageSize}, for what
extensions add: a message that cannot be compressed grows when one tries to.
"""


class Coder(Protocol):
    """
    What of an L{IExtension<twisted_ws.interfaces.IExtension>} concerns frames.
    """

    @property
    def name(self) -> str: ...
    @property
    def rsv(self) -> int: ...
    @property
    def perMessage(self) -> bool: ...
    def encode(self, frame: Frame) -> Frame: ...
    def decode(self, frame: Frame, maxSize: int) -> Frame: ...


class Chain:
    """
    @ivar firstBits: the reserved bits that the first frame of a message may have.
    @ivar laterBits: those that its other frames may have.
    @ivar perMessage: whether all of the extensions change messages, not frames.
    @ivar sharedKey: what is equal for chains that make the same of a whole message,
        whatever came before it; C{None} if that matters.
    """

    def __init__(self, coders: Sequence[Coder]) -> None:
        """
        @raise ValueError: when two claim one reserved bit, or one claims what is none.
        """
        self._coders = tuple(coders)
        self._backwards = self._coders[::-1]
        self.firstBits = self.laterBits = 0
        self.perMessage = True
        for coder in self._coders:
            if coder.rsv & ~RESERVED:
                raise ValueError(f"{coder.name} claims {coder.rsv:#x}")
            if coder.rsv & self.firstBits:
                raise ValueError(f"{coder.name} claims a bit that another has claimed")
            self.firstBits |= coder.rsv
            if not coder.perMessage:
                self.laterBits |= coder.rsv
                self.perMessage = False
        # Not every extension tells.
        keys = tuple(getattr(coder, "sharedKey", None) for coder in self._coders)
        self.sharedKey: Hashable = None if None in keys else keys

    def encode(self, frame: Frame) -> Frame:
        """
        @raise ValueError: when an extension has made what it may not make.
        """
        for coder in self._coders:
            before = frame
            frame = coder.encode(before)
            bits = coder.rsv if before.opcode or not coder.perMessage else 0
            if (
                frame.rsv & ~bits != before.rsv
                or frame.opcode != before.opcode
                or frame.fin != before.fin
            ):
                raise ValueError(f"{coder.name} made {frame[2:4]} of {before[2:4]}")
        return frame

    def decode(self, frame: Frame, maxSize: int) -> Frame:
        """
        @param maxSize: the bytes that the payload may have when all are done.
        @raise ProtocolViolation: when the peer breaks a rule or a limit.
        @raise ValueError: when an extension has made what it may not make.
        """
        last = self._coders[0]
        for coder in self._backwards:
            before = frame
            limit = maxSize if coder is last else maxSize + WIRE_ALLOWANCE
            frame = coder.decode(before, limit)
            if len(frame.payload) > limit:
                raise PayloadTooBig(
                    f"{len(frame.payload)} bytes by {coder.name}, over {limit}",
                    "maxReceivedMessageSize",
                )
            if (
                frame.rsv != before.rsv & ~coder.rsv
                or frame.opcode != before.opcode
                or frame.fin != before.fin
            ):
                raise ValueError(f"{coder.name} made {frame[2:4]} of {before[2:4]}")
        return frame
