# -*- test-case-name: tests.test_origin -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Which pages may connect (RFC 6455 section 10.2).

A browser sends cookies along whatever page opens the WebSocket, and names that
page's origin in the handshake: so the origin is what stands between a user's
session and any page of the web.  Origins are compared as (scheme, host, port),
never as text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from functools import lru_cache
from inspect import iscoroutinefunction
from typing import Any

from ._wire.handshake import splitHost

Origin = tuple[str, str, int]
"""
A scheme, a host in lower case, and a port; C{0} where the scheme has none.
"""

OriginRule = str | re.Pattern[str] | Callable[[Any], bool]
"""
An element of C{allowedOrigins}, see L{twisted_ws.ServerConfig}.
"""

_ORIGIN = re.compile(
    r"([A-Za-z][A-Za-z0-9+.\-]*)://((?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._\-]+)(?::[0-9]+)?)"
)
_PORTS = {"http": 80, "https": 443}
_NO_PAGES = ("ws", "wss", "file")

SAME_ORIGIN = "same-origin"


def parseOrigin(text: str) -> Origin | None:
    """
    @return: the parts of C{text}, or C{None} when it is not the origin of any page
        (C{"null"} is none).
    """
    found = _ORIGIN.fullmatch(text)
    authority = splitHost(found[2]) if found else None
    if found is None or authority is None:
        return None
    scheme = found[1].lower()
    if scheme in _NO_PAGES:
        return None
    host, port = authority
    return scheme, host, port or _PORTS.get(scheme, 0)


@lru_cache(maxsize=1024)
def _parseRule(rule: str) -> tuple[Origin, bool] | None:
    """
    @return: an origin, and whether it stands for the hosts below its own.
    """
    scheme, separator, rest = rule.partition("://")
    below = rest.startswith("*.")
    parts = parseOrigin(scheme + separator + rest[2:] if below else rule)
    return None if parts is None else (parts, below)


def isOriginRule(rule: object) -> bool:
    """
    Tell whether C{allowedOrigins} can have the element C{rule}.
    """
    if isinstance(rule, str):
        return rule in (SAME_ORIGIN, "null", "*") or _parseRule(rule) is not None
    if isinstance(rule, re.Pattern):
        return isinstance(rule.pattern, str)
    # A class, or a coroutine function, returns something whatever it is asked.
    makes = isinstance(rule, type) or iscoroutinefunction(rule)
    return callable(rule) and not makes


def isAllowed(request: Any, allowed: str | Collection[OriginRule]) -> bool:
    """
    Tell whether a request may be accepted.

    @param request: a L{WebSocketRequest<twisted_ws.WebSocketRequest>}.
    @param allowed: see L{twisted_ws.ServerConfig}.
    @raise TypeError: when a rule of somebody's own says neither yes nor no.
    """
    origin = request.origin
    rules = (allowed,) if isinstance(allowed, str) else allowed
    if "*" in rules:
        return True
    # What browsers say of the two (Fetch Metadata); no page can forge it.
    site = ", ".join(request.headers.getAll("sec-fetch-site"))
    if origin is None:
        return site in ("", "none", "same-origin")
    parts = parseOrigin(origin)
    if SAME_ORIGIN in rules and _isSame(parts, site, request):
        return True
    return any(_matches(rule, origin, parts, request) for rule in rules)


def _isSame(origin: Origin | None, site: str, request: Any) -> bool:
    """
    A page of plain HTTP is another origin than ours over TLS.  The reverse must
    pass: a proxy may have taken the TLS off.
    """
    if origin is None or origin[0] not in _PORTS:
        return False
    if site:
        # Knows better than Host, which a proxy may have changed.
        return site == "same-origin"
    scheme, name, port = origin
    authority = splitHost(request.host)
    if authority is None or (request.isSecure and scheme != "https"):
        return False
    return (name, port) == (authority[0], authority[1] or _PORTS[scheme])


def _matches(rule: OriginRule, origin: str, parts: Origin | None, request: Any) -> bool:
    if isinstance(rule, re.Pattern):
        return rule.fullmatch(origin) is not None
    if not isinstance(rule, str):
        answer = rule(request)
        if not isinstance(answer, bool):
            # A coroutine, or a Deferred, would let everybody in.
            raise TypeError(
                f"a rule of allowedOrigins has to return True or False, not {answer!r}"
            )
        return answer
    if rule == "null" or parts is None:
        return rule == origin == "null"
    wanted = _parseRule(rule)
    if wanted is None:
        return False
    (scheme, host, port), below = wanted
    if below:
        label = parts[1].removesuffix("." + host)
        return (scheme, port) == (parts[0], parts[2]) and label not in ("", parts[1])
    return (scheme, host, port) == parts
