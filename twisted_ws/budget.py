# -*- test-case-name: tests.test_budget_of_bytes -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What all connections of a server may hold together.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ._wire.errors import TryAgainLater

if TYPE_CHECKING:
    from .connection import WebSocketConnection


class Budget:
    """
    The bytes that connections hold: what waits to be sent, what has come of messages
    that are not complete, and messages that the application has at work.

    @ivar limit: C{maxTotalBuffer}.
    @ivar held: bytes held now.
    @ivar counts: how often what has happened to connections that held too much, or
        that did not read:

          - C{"dropped"}: a message was dropped, as C{slowReaderPolicy} says;
          - C{"coalesced"}: a message took the place of one with the same key;
          - C{"tooSlow"}: a connection was closed for C{maxSendBuffer};
          - C{"stalled"}: one was aborted for C{sendStallTimeout};
          - C{"silent"}: one was aborted for C{keepaliveGracePeriod};
          - C{"overBudget"}: one was closed for C{maxTotalBuffer};
          - C{"idle"}: one was closed for C{idleTimeout}.
    """

    def __init__(self, limit: int | None = None, policy: str = "close-largest") -> None:
        self.limit = limit
        self.held = 0
        self.counts: Counter[str] = Counter()
        self._policy = policy
        self._holders: dict[WebSocketConnection, int] = {}
        # Those that were closed for it, and have not let go of everything yet.
        self._closed: dict[WebSocketConnection, int] = {}

    def holds(self, connection: WebSocketConnection, size: int) -> None:
        """
        A connection holds so many bytes now.
        """
        holders = self._closed if connection in self._closed else self._holders
        before = holders.get(connection, 0)
        if size == before:
            return
        if size:
            holders[connection] = size
        else:
            del holders[connection]
        self.held += size - before
        # One that was closed for it writes its Close frame: no other is to go for that.
        if self.limit is not None and size > before and holders is self._holders:
            while self.held > self.limit and self._relieve(connection):
                pass

    def _relieve(self, connection: WebSocketConnection) -> bool:
        """
        Have a connection closed that lets go of what it holds.

        @return: whether that has changed anything.  What applications have at work
            is held until they are done: others are not to be closed for that.
        """
        if self._policy == "close-largest" and self._holders:
            connection = max(self._holders, key=self._holders.__getitem__)
        size = self._holders.pop(connection, None)
        if size is None:
            return False
        self._closed[connection] = size
        before = self.held
        self.counts["overBudget"] += 1
        connection.letGo(
            TryAgainLater(
                f"all connections hold {before} bytes, over {self.limit}, and this one"
                f" {size}",
                "maxTotalBuffer",
            )
        )
        return self.held < before
