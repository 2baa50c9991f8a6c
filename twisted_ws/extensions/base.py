# -*- test-case-name: tests.test_extension_base -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What most extensions have in common.
"""

from __future__ import annotations

from collections.abc import Hashable

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from .._wire.frames import Frame
from ..interfaces import IExtension


@implementer(IExtension)
class Extension:
    """
    An L{IExtension<twisted_ws.interfaces.IExtension>} that changes nothing, claims
    nothing and needs no clock, to be subclassed.

    @cvar name: see L{IExtension<twisted_ws.interfaces.IExtension>}; to be set.
    @cvar sharedKey: likewise; to be set by one that can tell.
    """

    __slots__ = ()

    name: str
    rsv: int = 0
    perMessage: bool = True
    sharedKey: Hashable = None

    def connectionMade(self, clock: IReactorTime) -> None:
        """
        See L{IExtension.connectionMade<twisted_ws.interfaces.IExtension>}.
        """

    def encode(self, frame: Frame) -> Frame:
        """
        See L{IExtension.encode<twisted_ws.interfaces.IExtension>}.
        """
        return frame

    def decode(self, frame: Frame, maxSize: int) -> Frame:
        """
        See L{IExtension.decode<twisted_ws.interfaces.IExtension>}.
        """
        return frame

    def connectionLost(self) -> None:
        """
        See L{IExtension.connectionLost<twisted_ws.interfaces.IExtension>}.
        """
