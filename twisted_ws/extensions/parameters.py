# -*- test-case-name: tests.test_deflate_negotiation -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The parameters of permessage-deflate (RFC 7692 section 7.1), read and written.
"""

from __future__ import annotations

from typing import NamedTuple

from ..interfaces import Parameters

MOST_BITS = 15
_BITS = {str(bits): bits for bits in range(8, MOST_BITS + 1)}

_SERVER_FORGETS = "server_no_context_takeover"
_CLIENT_FORGETS = "client_no_context_takeover"
_SERVER_BITS = "server_max_window_bits"
_CLIENT_BITS = "client_max_window_bits"


class DeflateParameters(NamedTuple):
    """
    What one offer or one answer says.

    @ivar serverForgets: whether the server begins each message it sends without the
        memory of those before (C{server_no_context_takeover}).
    @ivar clientForgets: likewise the client.
    @ivar serverBits: how far back the server refers: two to this power bytes
        (C{server_max_window_bits}).  C{None} if nothing is said, which allows 15.
    @ivar clientBits: likewise the client.
    """

    serverForgets: bool = False
    clientForgets: bool = False
    serverBits: int | None = None
    clientBits: int | None = None

    def write(self) -> dict[str, str | None]:
        """
        @return: an answer; an offer also, if it gives C{clientBits}.
        """
        written: dict[str, str | None] = {}
        if self.serverForgets:
            written[_SERVER_FORGETS] = None
        if self.clientForgets:
            written[_CLIENT_FORGETS] = None
        if self.serverBits is not None:
            written[_SERVER_BITS] = str(self.serverBits)
        if self.clientBits is not None:
            written[_CLIENT_BITS] = str(self.clientBits)
        return written

    def writeOffer(self) -> dict[str, str | None]:
        """
        @return: an offer.  It always has C{client_max_window_bits}, without which a
            server could not ask for a smaller window.
        """
        written = self.write()
        if self.clientBits in (None, MOST_BITS):
            written[_CLIENT_BITS] = None
        return written


def readOffer(parameters: Parameters) -> DeflateParameters:
    """
    @raise ValueError: when no client may offer this.
    """
    if parameters.get(_CLIENT_BITS, "") is None:
        parameters = {**parameters, _CLIENT_BITS: str(MOST_BITS)}
    return readAnswer(parameters)


def readAnswer(parameters: Parameters) -> DeflateParameters:
    """
    @raise ValueError: when no server may answer this, whatever was offered.
    """
    read = DeflateParameters()
    for name, value in parameters.items():
        if name == _SERVER_FORGETS:
            read = read._replace(serverForgets=_flag(name, value))
        elif name == _CLIENT_FORGETS:
            read = read._replace(clientForgets=_flag(name, value))
        elif name == _SERVER_BITS:
            read = read._replace(serverBits=_bits(name, value))
        elif name == _CLIENT_BITS:
            read = read._replace(clientBits=_bits(name, value))
        else:
            raise ValueError(f"an unknown parameter: {_shown(name)}")
    return read


def _flag(name: str, value: str | None) -> bool:
    if value is not None:
        raise ValueError(f"{name} has no value, but was given {_shown(value)}")
    return True


def _bits(name: str, value: str | None) -> int:
    bits = None if value is None else _BITS.get(value)
    if bits is None:
        raise ValueError(f"{name} is a number from 8 to 15, not {_shown(value)}")
    return bits


def _shown(value: str | None) -> str:
    # A peer may send as much as the header has room for.
    return repr(value if value is None else value[:40])
