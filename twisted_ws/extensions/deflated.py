# -*- test-case-name: tests.test_deflate -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
permessage-deflate in use.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from .._wire.frames import RSV1, Frame
from .base import Extension
from .deflater import Deflater
from .inflater import Inflater
from .parameters import DeflateParameters

NAME = "permessage-deflate"


class Deflated(Extension):
    """
    One side of one connection: its two halves know nothing of each other.

    @ivar agreed: what both sides have agreed on.
    """

    __slots__ = ("_deflater", "_inflater", "agreed")

    name = NAME
    rsv = RSV1
    perMessage = True

    def __init__(
        self, agreed: DeflateParameters, deflater: Deflater, inflater: Inflater
    ) -> None:
        self.agreed = agreed
        self._deflater = deflater
        self._inflater = inflater

    def __repr__(self) -> str:
        return f"<{self.name} {self.agreed.write()}>"

    @property
    def contexts(self) -> int:
        """
        How many contexts, of two, take memory now: one to compress, one to decompress.
        """
        return self._deflater.hasContext + self._inflater.hasContext

    @property
    def sharedKey(self) -> str | None:  # type: ignore[override]
        """
        See L{IExtension<twisted_ws.interfaces.IExtension>}.
        """
        return self._deflater.sharedKey

    def connectionMade(self, clock: IReactorTime) -> None:
        """
        See L{IExtension.connectionMade<twisted_ws.interfaces.IExtension>}.
        """
        self._deflater.start(clock)

    def encode(self, frame: Frame) -> Frame:
        """
        See L{IExtension.encode<twisted_ws.interfaces.IExtension>}.
        """
        return self._deflater.encode(frame)

    def decode(self, frame: Frame, maxSize: int) -> Frame:
        """
        See L{IExtension.decode<twisted_ws.interfaces.IExtension>}.
        """
        return self._inflater.decode(frame, maxSize)

    def connectionLost(self) -> None:
        """
        See L{IExtension.connectionLost<twisted_ws.interfaces.IExtension>}.
        """
        self._deflater.stop()
        self._inflater.stop()
