# -*- test-case-name: tests.test_state -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
From open to closed: the closing handshake (RFC 6455 sections 5.5.1 and 7), walked
along the table of L{twisted_ws._wire.state}.
"""

from __future__ import annotations

from .closing import Close, packClose, shorten
from .errors import ConnectionNotOpen
from .state import TABLE, Action, Event, State


class Life:
    """
    The state of a connection, and the Close frames that changed it.

    @ivar state: a L{State}.
    @ivar closeSent: the L{Close} we sent, or C{None}.
    @ivar closeReceived: the L{Close} the peer sent, or C{None}.
    @ivar closeBegunBy: C{"us"} or C{"peer"}, by whose Close frame came first, or
        C{None} before any.
    """

    __slots__ = (
        "__weakref__",
        "_halted",
        "closeBegunBy",
        "closeReceived",
        "closeSent",
        "state",
    )

    def __init__(self) -> None:
        self.state: int = State.OPEN
        self.closeSent: Close | None = None
        self.closeReceived: Close | None = None
        self.closeBegunBy: str | None = None
        self._halted = False  # nothing more is to be parsed: paused, or discarding

    def close(self, code: int = 1000, reason: str = "") -> None:
        """
        Send a Close frame and wait, at most C{closeTimeout} seconds, for the peer's;
        then the connection ends.  Does nothing when it is closing already.

        @raise IllegalFrame: when C{code} must not be sent (RFC 6455 section 7.4) or
            C{reason} has more than 123 bytes of UTF-8.
        """
        close = Close(code, reason)
        payload = packClose(close)
        if self._happened(Event.CLOSE) is Action.SEND_CLOSE:
            self._sendClose(close, payload)
            self._closing()

    def _peerCloses(self, close: Close) -> None:
        """
        A Close frame came.
        """
        action = self._happened(Event.CLOSE_RECEIVED)
        if action is Action.NOTHING:
            return
        self.closeReceived = close
        self.closeBegunBy = self.closeBegunBy or "peer"
        if action is Action.ECHO_CLOSE:
            answer = Close(close.code)
            self._sendClose(answer, packClose(answer))
        self._discarding()

    def _fail(self, code: int, reason: str) -> None:
        """
        Fail the connection (RFC 6455 section 7.1.7): say why, listen no more.
        """
        action = self._happened(Event.FAILURE)
        if action is Action.SEND_CLOSE:
            close = Close(code, shorten(reason))
            self._sendClose(close, packClose(close))
        if action is not Action.NOTHING:
            self._discarding()

    def _sendClose(self, close: Close, payload: bytes) -> None:
        self.closeSent = close
        self.closeBegunBy = self.closeBegunBy or "us"
        self._writeClose(payload)

    def _happened(self, event: Event) -> Action:
        """
        Move through the table.

        @return: what is to be done.
        """
        action, self.state = TABLE[event][self.state]
        if self.state >= State.DISCARDING:
            self._halted = True
        return action

    def _refuse(self) -> ConnectionNotOpen:
        """
        @return: what to raise for a call that needs an open connection.
        """
        return ConnectionNotOpen(f"the connection is {State(self.state).name.lower()}")

    # For subclasses

    def _writeClose(self, payload: bytes) -> None:
        """
        Write a Close frame with this body.
        """

    def _closing(self) -> None:
        """
        We sent a Close frame and wait for the peer's.
        """

    def _discarding(self) -> None:
        """
        Nothing that arrives counts any more.
        """
