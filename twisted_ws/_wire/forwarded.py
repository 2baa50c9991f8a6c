# -*- test-case-name: tests.test_forwarded -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Who is behind a proxy: the Forwarded field (RFC 7239), and X-Forwarded-For.

Each proxy writes down whom it got the request from, behind what the request had
already; the client can have written anything before that.  So the list is read from
its end, and only as far as the addresses on it are those of proxies that are trusted:
the first that is not is the client's.  What cannot be read ends the list too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import NamedTuple

from .headers import Headers

UNIX = "unix"
"""
What stands for the peers of UNIX sockets, which have no address.
"""

_NODE = re.compile(
    r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::[0-9]{1,5})?|([0-9A-Fa-f:.]+)"
)

# One element of a list, its text reversed: quotes need not be balanced in what a
# client wrote before.
_LAST = re.compile(r'((?:[^",]|"[^"]*(?:"|\Z))*)(?:,|\Z)')


class Hop(NamedTuple):
    """
    What one proxy said of whom it got the request from.

    @ivar address: an IP address; C{None} when it did not say one.
    @ivar scheme: such as C{"https"}; C{""} when it did not say.
    """

    address: str | None
    scheme: str


class Origins(NamedTuple):
    """
    Where a request came from.

    @ivar addresses: the client's first, the peer's last.
    @ivar isSecure: whether the client came over TLS.
    """

    addresses: list[str]
    isSecure: bool


class Networks:
    """
    Networks of IP addresses; the peers of UNIX sockets may be among them.
    """

    def __init__(self, rules: Iterable[str]) -> None:
        """
        @param rules: addresses, networks in CIDR notation, and C{"unix"}.
        @raise ValueError: when one is neither.
        """
        given = list(rules)
        self._hasUNIX = UNIX in given
        self._networks: list[IPv4Network | IPv6Network] = [
            ip_network(rule) for rule in given if rule != UNIX
        ]

    def __contains__(self, address: str) -> bool:
        """
        @param address: an IP address; empty for the peer of a UNIX socket.
        """
        if not address:
            return self._hasUNIX
        parsed = _parse(address)
        return parsed is not None and any(parsed in each for each in self._networks)


@lru_cache(maxsize=64)
def networks(rules: tuple[str, ...]) -> Networks:
    """
    Make L{Networks}, or those that were made of the same rules before.
    """
    return Networks(rules)


def trace(
    peer: str,
    isSecure: bool,
    headers: Headers,
    trusted: Networks,
    readForwarded: bool,
) -> Origins:
    """
    Find out where a request came from.

    @param peer: the address that the carrier tells, empty for a UNIX socket.
    @param isSecure: whether the carrier is TLS.
    @param headers: of the request.
    @param trusted: the proxies to believe.
    @param readForwarded: read Forwarded in place of X-Forwarded-For.  Never both:
        a proxy hands on the one that it does not write, as the client sent it.
    """
    first = _parse(peer)
    path = [peer if first is None else str(first)]
    hops = _forwarded(headers) if readForwarded else _xForwardedFor(headers)
    for hop in hops:
        if path[-1] not in trusted:
            break
        if hop.scheme:
            isSecure = hop.scheme in ("https", "wss")
        if hop.address is None:
            break
        path.append(hop.address)
    return Origins(path[::-1], isSecure)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """
    @return: an address; an IPv4 one also where it is dressed up as IPv6, as sockets
        of both families have it.
    """
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _node(text: str) -> str | None:
    """
    @return: the address in C{"192.0.2.1"}, C{"192.0.2.1:80"}, C{"[2001:db8::1]:80"}
        and the like.
    """
    found = _NODE.fullmatch(text)
    address = _parse(found[1] or found[2] or found[3]) if found else None
    return None if address is None else str(address)


def _fromTheEnd(values: list[str]) -> Iterator[str]:
    """
    Go over the elements of a list that is spread over fields, the last first.
    """
    for value in reversed(values):
        for element in _LAST.finditer(value[::-1]):
            text = element[1][::-1].strip(" \t")
            if text:
                yield text


def _xForwardedFor(headers: Headers) -> Iterator[Hop]:
    """
    X-Forwarded-Proto has one scheme for each address, or just the one that the last
    proxy heard.
    """
    schemes = list(_fromTheEnd(headers.getAll("x-forwarded-proto")))
    for index, text in enumerate(_fromTheEnd(headers.getAll("x-forwarded-for"))):
        scheme = schemes[index].lower() if index < len(schemes) else ""
        yield Hop(_node(text), scheme)


def _forwarded(headers: Headers) -> Iterator[Hop]:
    for element in _fromTheEnd(headers.getAll("forwarded")):
        said: dict[str, str] = {}
        for pair in element.split(";"):
            name, _, value = pair.strip(" \t").partition("=")
            if len(value) > 1 and value[0] == value[-1] == '"':
                value = value[1:-1]
            said.setdefault(name.lower(), value)
        yield Hop(_node(said.get("for", "")), said.get("proto", "").lower())
