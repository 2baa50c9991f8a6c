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
from itertools import zip_longest
from typing import NamedTuple

from .headers import Headers

UNIX = "unix"
"""
What stands for the peers of UNIX sockets, which have no address.
"""

_NODE = re.compile(
    r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::(?:[0-9]{1,5}|_[0-9A-Za-z._\-]+))?"
    r"|([0-9A-Fa-f:.]+)"
)
_PAIR = re.compile(
    r"[ \t]*(?:([!#$%&'*+\-.^_`|~0-9A-Za-z]+)="
    r'(?:"((?:[^"\\]|\\.)*)"|([^";, \t]*)))?[ \t]*(?:;|\Z)'
)
_ESCAPED = re.compile(r"\\(.)")


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
        for rule in given:
            if not isinstance(rule, str):
                # ip_network takes numbers too.
                raise ValueError(f"{rule!r} is no address, and no network")
        self._hasUNIX = UNIX in given
        self._networks = [_network(rule) for rule in given if rule != UNIX]

    def __contains__(self, address: str) -> bool:
        """
        @param address: an IP address; empty for the peer of a UNIX socket.
        """
        if not address:
            return self._hasUNIX
        if not self._networks:
            return False
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
    first = _parse(peer) if ":" in peer else None
    path = [peer if first is None else str(first)]
    if path[0] not in trusted:
        return Origins(path, isSecure)
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


def _network(rule: str) -> IPv4Network | IPv6Network:
    """
    @return: a network; of IPv4 addresses also where they are dressed up as IPv6.
    """
    network = ip_network(rule)
    if isinstance(network, IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return IPv4Network((mapped, network.prefixlen - 96))
    return network


def _node(text: str) -> str | None:
    """
    @return: the address in C{"192.0.2.1"}, C{"192.0.2.1:80"}, C{"[2001:db8::1]:80"}
        and the like.
    """
    found = _NODE.fullmatch(text)
    address = _parse(found[1] or found[2] or found[3]) if found else None
    return None if address is None else str(address)


def _listed(headers: Headers, name: str) -> list[str]:
    """
    @return: the elements of a plain list that is spread over fields, the last first.
    """
    elements = ",".join(headers.getAll(name)).split(",")
    stripped = [element.strip(" \t") for element in reversed(elements)]
    return [element for element in stripped if element]


def _xForwardedFor(headers: Headers) -> Iterator[Hop]:
    """
    X-Forwarded-Proto has one scheme for each address, or just the one that the last
    proxy heard.
    """
    schemes = _listed(headers, "x-forwarded-proto")
    addresses = _listed(headers, "x-forwarded-for")
    for text, scheme in zip_longest(addresses, schemes, fillvalue=""):
        yield Hop(_node(text), scheme.lower())


def _elements(value: str) -> Iterator[str]:
    """
    Go over the elements of a Forwarded field, the last first.

    It is read from its end, so that a quote that a client has left open cannot hide
    what a proxy wrote behind it.  Within quotes one behind a backslash ends nothing:
    proxies quote what clients sent as Host.
    """
    end = at = len(value)
    isQuoted = False
    while at > 0:
        at -= 1
        if value[at] == '"':
            if not isQuoted or value[at - 1 : at] != "\\":
                isQuoted = not isQuoted
        elif value[at] == "," and not isQuoted:
            yield value[at + 1 : end]
            end = at
    yield value[:end]


def _forwarded(headers: Headers) -> Iterator[Hop]:
    for value in reversed(headers.getAll("forwarded")):
        for element in _elements(value):
            text = element.strip(" \t")
            if text:
                said = _pairs(text)
                yield Hop(_node(said.get("for", "")), said.get("proto", "").lower())


def _pairs(element: str) -> dict[str, str]:
    """
    @return: the values in an element of a Forwarded field, by name in lower case;
        nothing if it is malformed (RFC 7239 section 4).
    """
    said: dict[str, str] = {}
    at = 0
    while at < len(element):
        found = _PAIR.match(element, at)
        if found is None:
            return {}
        at = found.end()
        name, quoted, plain = found.groups()
        if name is not None:
            if name.lower() in said:
                return {}
            value = plain if quoted is None else _ESCAPED.sub(r"\1", quoted)
            said[name.lower()] = value
    return said
