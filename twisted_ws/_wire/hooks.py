# -*- test-case-name: tests.test_framer -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What happens seldom to what a framer receives.

This file is also meant to be compiled as it stands.
"""

from __future__ import annotations

from typing import Any

from .errors import ProtocolViolation
from .frames import Frame, Opcode
from .sender import Sender
from .state import State


class Hooks(Sender):
    """
    Does what RFC 6455 asks for; for the connection to override.
    """

    __slots__ = ()

    def _pinged(self, payload: bytes) -> None:
        """
        A ping came: answer it (RFC 6455 section 5.5.2).
        """
        if self.state == State.OPEN:
            self.sendFrame(Frame(Opcode.PONG, payload))

    def _ponged(self, payload: bytes) -> None:
        """
        A pong came.
        """

    def _tookLong(self) -> None:
        """
        C{framesPerTurn} frames were handled, and there may be more.
        """

    def _returned(self, message: Any, result: Any) -> None:
        """
        The receiver returned something for a message.
        """

    def _streamFor(self, opcode: int) -> Any:
        """
        A message begins.

        @return: what takes it piece by piece, by C{write} and C{finish}, C{None} to
            have it delivered whole.
        """

    def _holdsPartially(self, size: int) -> None:
        """
        Messages of which a part came take so many bytes now.
        """

    def _readMore(self, size: int) -> None:
        """
        A frame of so many bytes comes, large enough to read more of it at a time than
        usual; or it has come, and this is C{0}.
        """

    def _violated(self, violation: ProtocolViolation) -> None:
        """
        The peer broke the protocol or a limit.
        """
        self._fail(violation.code, str(violation))

    def _receiverFailed(self) -> None:
        """
        The receiver raised; called while that exception is handled.
        """
        self._fail(1011, "internal error")
