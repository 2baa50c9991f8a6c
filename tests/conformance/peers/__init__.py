# -*- test-case-name: tests.conformance.test_conformance -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Who can be tested: twisted_ws, and others to compare with.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from .common import MAX_FRAGMENTS


@dataclass(frozen=True)
class Peer:
    """
    Who is tested.

    @ivar name: what it is called, and installed as.
    @ivar module: its program; see L{tests.conformance.peers.common}.
    @ivar over: what it can be tested over, in each role.
    @ivar versions: the protocol versions that it speaks.
    @ivar environment: what its program finds there.
    """

    name: str
    module: str
    over: Mapping[str, tuple[str, ...]]
    versions: tuple[int, ...] = (13, 8)
    environment: tuple[tuple[str, str], ...] = ()

    def command(self, *arguments: str) -> list[str]:
        """
        @return: how to run its program.
        """
        return [sys.executable, "-m", f"tests.conformance.{self.module}", *arguments]

    @property
    def isInstalled(self) -> bool:
        """
        Whether it can be imported.
        """
        return find_spec(self.name) is not None

    @property
    def version(self) -> str:
        """
        Its version, as far as it is known.
        """
        try:
            return version(self.name)
        except PackageNotFoundError:
            return "of unknown version"


TCP_AND_TLS = {"server": ("tcp", "tls"), "client": ("tcp", "tls")}

PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            "twisted_ws",
            "echo",
            {"server": ("tcp", "tls", "web"), "client": ("tcp", "tls")},
        ),
        Peer("autobahn", "peers.peer_autobahn", TCP_AND_TLS),
        Peer(
            "websockets",
            "peers.peer_websockets",
            TCP_AND_TLS,
            (13,),
            # It refuses a message of so many.
            (("WEBSOCKETS_MAX_FRAGMENTS", f"{MAX_FRAGMENTS + 1}"),),
        ),
    )
}
