# -*- test-case-name: tests.test_admission -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Whether a server has room for another connection.

A socket on a port of its own is first one that sends its head, then a request, then a
connection, or one that was refused and may read that for C{closeTimeout} seconds.  Each
of these is bounded, so that none of them can take all descriptors.
"""

from __future__ import annotations

from collections.abc import Sized
from math import inf
from typing import Any

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Protocol
from twisted.logger import Logger

from ._wire.handshake import unavailable
from .config import ServerConfig
from .descriptors import descriptors
from .request import WebSocketRequest
from .sparing import SparingLog

_SPARE = 100
_REASONS = {
    "maxConnections": "too many connections",
    "maxPendingHandshakes": "too many handshakes",
}


class Heads(dict[Any, float]):
    """
    The sockets that have not sent the head of a request yet, the oldest first, and
    since when.
    """

    patience = 1.0
    """
    Seconds that each has in any case; for most clients it is more than they need.
    """

    def __init__(self, clock: IReactorTime) -> None:
        dict.__init__(self)
        self._clock = clock

    def add(self, protocol: Any) -> None:
        """
        One more.

        @param protocol: has C{giveWay}, which drops its connection.
        """
        self[protocol] = self._clock.seconds()

    def discard(self, protocol: Any) -> None:
        """
        One less, if it is here.
        """
        self.pop(protocol, None)

    def makeRoom(self) -> bool:
        """
        Drop the oldest, if it has had its C{patience}: so that sockets that send
        nothing do not keep those out that would.

        @return: whether there is room now.
        """
        for protocol, since in self.items():
            if self._clock.seconds() - since < self.patience:
                return False
            del self[protocol]
            protocol.giveWay()
            return True
        return False


class Admission:
    """
    Counts what a server has, and refuses what is too much.

    @ivar heads: the protocols that read a head, L{Heads}.
    @ivar refused: those that have refused their client, which has not left yet.
    @ivar maxPending: C{maxPendingHandshakes}.
    """

    _log = Logger()

    def __init__(
        self,
        config: ServerConfig,
        clock: IReactorTime,
        connections: Sized,
        requests: Sized,
    ) -> None:
        """
        @param connections: those that are open or closing.
        @param requests: those that have no verdict.
        """
        self.heads = Heads(clock)
        self.refused: set[Any] = set()
        most = config.maxPendingHandshakes
        self.maxPending = inf if most is None else most
        self._config = config
        self._clock = clock
        self._connections = connections
        self._requests = requests
        self._logs = {option: SparingLog(self._log) for option in _REASONS}

    @property
    def maxConnections(self) -> float:
        """
        The option, or what stands for it where it is C{None}.
        """
        if self._config.maxConnections is not None:
            return self._config.maxConnections
        return max(1, descriptors() - _SPARE)

    @property
    def sockets(self) -> int:
        """
        How many there are that we know of.
        """
        pending = len(self.heads) + len(self._requests)
        return len(self._connections) + pending + len(self.refused)

    @property
    def _pending(self) -> int:
        return len(self.heads) + len(self._requests)

    def refusesSockets(self) -> str | None:
        """
        @return: the option that leaves no room for another socket; C{None} when one
            may send its head, for which another may have had to go.
        """
        if self._pending >= self.maxPending and not self.heads.makeRoom():
            return "maxPendingHandshakes"
        sockets, most = self.sockets, self.maxPending
        # The system is not asked for its limit before that can matter.
        if sockets >= most and sockets >= self.maxConnections + most:
            return "maxConnections"
        return None

    def dropsSockets(self) -> str | None:
        """
        @return: the option that leaves no room even to refuse a socket; C{None} when
            there is.
        """
        if self.sockets >= max(1, descriptors() - _SPARE / 2):
            return "maxConnections"
        tooMany = len(self.refused) >= self.maxPending
        return self.refusesSockets() if tooMany else None

    def drop(self, option: str, peer: IAddress | None) -> Dropped:
        """
        @param option: because of what.
        @return: a protocol for a socket that there is no room for.
        """
        self._note(option, "dropped", peer)
        return Dropped()

    def refusal(self, option: str, peer: IAddress) -> bytes:
        """
        Log that a client is refused.

        @param option: because of what.
        @return: the response.
        """
        self._note(option, "refused with 503", peer)
        return unavailable(_REASONS[option], self._config.retryAfter)

    def refuse(self, request: WebSocketRequest) -> bool:
        """
        Refuse a request if there is no room for it.

        @return: whether it was refused.
        """
        if len(self._connections) >= self.maxConnections:
            option = "maxConnections"
        elif self._pending >= self.maxPending:
            option = "maxPendingHandshakes"
        else:
            return False
        self._note(option, "refused with 503", request.peer)
        request.giveUp(_REASONS[option])
        return True

    def _note(self, option: str, what: str, peer: IAddress | None) -> None:
        self._logs[option].info(
            self._clock.seconds(),
            "a client was {what}: {reason} (option: {option}): {peer}",
            what=what,
            reason=_REASONS[option],
            option=option,
            peer=peer,
        )


class Dropped(Protocol):
    """
    Drops its connection.

    There is a protocol for that because what wraps factories, as TLS does, cannot do
    without one.
    """

    transport: Any

    def connectionMade(self) -> None:
        """
        Drop it.
        """
        self.transport.abortConnection()
