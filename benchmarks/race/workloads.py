# -*- test-case-name: tests.test_race -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What the servers are made to do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

FRESH = "permessage-deflate; client_no_context_takeover; server_no_context_takeover"
KEPT = "permessage-deflate"


@dataclass(frozen=True)
class Workload:
    """
    A row of the table.

    @ivar name: how it is asked for.
    @ivar title: what it is, in few words.
    @ivar mode: C{"echo"}: messages are sent back; C{"broadcast"}: those of one client
        are sent to all; C{"churn"}: connections are opened and closed; C{"idle"}: they
        get one echo each, and stay.
    @ivar connections: how many there are at a time.
    @ivar depth: messages in flight, of each connection, or of the one that broadcasts.
    @ivar size: payload bytes of a message.
    @ivar isText: text, not binary.
    @ivar isJSON: a text that can be compressed as well as what applications send.
    @ivar fragments: frames of each message.
    @ivar isTLS: over TLS.
    @ivar offer: the extensions that are asked for.
    """

    name: str
    title: str
    mode: str = "echo"
    connections: int = 1
    depth: int = 1
    size: int = 125
    isText: bool = False
    isJSON: bool = False
    fragments: int = 1
    isTLS: bool = False
    offer: str = ""

    @property
    def unit(self) -> str:
        """
        What is counted.
        """
        units = {"broadcast": "delivery", "churn": "connection", "idle": "connection"}
        return units.get(self.mode, "message")

    @property
    def isOfMemory(self) -> bool:
        """
        Whether its figure is KiB for each connection, and not CPU.
        """
        return self.mode == "idle"

    def overTLS(self) -> Workload:
        """
        @return: the same over TLS.
        """
        return replace(
            self, name=f"{self.name}s", title=f"TLS: {self.title}", isTLS=True
        )


_W1 = Workload("W1", "1 connection, 32 B", size=32)
_W2 = Workload("W2", "100 connections, 125 B", connections=100)
_W3 = Workload(
    "W3", "10 connections, 64 in flight, 64 B", connections=10, depth=64, size=64
)
_W4 = Workload(
    "W4", "10 connections, 4 in flight, 16 KiB", connections=10, depth=4, size=1 << 14
)
_W5 = Workload(
    "W5", "4 connections, 2 in flight, 1 MiB", connections=4, depth=2, size=1 << 20
)
_W6 = Workload(
    "W6",
    "50 connections, 4 in flight, 1 KiB of text",
    connections=50,
    depth=4,
    size=1024,
    isText=True,
)
_W7 = Workload("W7", "5,000 idle connections", mode="idle", connections=5000)
_W8 = Workload(
    "W8",
    "broadcasts to 1,000 connections, 2 in flight, 125 B",
    mode="broadcast",
    connections=1000,
    depth=2,
)
_W9 = Workload(
    "W9", "opening and closing, 8 connections at a time", mode="churn", connections=8
)
_W10 = replace(
    _W6,
    name="W10",
    title="50 connections, 4 in flight, 1 KiB of JSON, compressed one by one",
    isJSON=True,
    offer=FRESH,
)
_W11 = Workload(
    "W11",
    "10 connections, 16 in flight, 1 KiB in 4 fragments",
    connections=10,
    depth=16,
    size=1024,
    fragments=4,
)

WORKLOADS = {
    each.name: each
    for each in (
        *(_W1, _W2, _W3, _W4, _W5, _W6, _W7),
        replace(_W7, connections=2000, title="2,000 idle connections").overTLS(),
        replace(
            _W7,
            name="W7d",
            title="2,000 idle connections that compress",
            connections=2000,
            isText=True,
            isJSON=True,
            size=1024,
            offer=KEPT,
        ),
        *(_W8, _W9, _W10),
        replace(
            _W10,
            name="W10t",
            title="50 connections, 4 in flight, 1 KiB of JSON, with context takeover",
            offer=KEPT,
        ),
        _W11,
        *(each.overTLS() for each in (_W2, _W3, _W4)),
    )
}
"""
By name.
"""
