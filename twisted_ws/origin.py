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
from collections.abc import Collection

from ._wire.handshake import splitHost

Origin = tuple[str, str, int]
"""
A scheme, a host in lower case, and a port.
"""

_ORIGIN = re.compile(
    r"([A-Za-z][A-Za-z0-9+.\-]*)://((?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._\-]+)(?::[0-9]+)?)"
)
_PORTS = {"http": 80, "https": 443}

SAME_ORIGIN = "same-origin"


def parseOrigin(text: str) -> Origin | None:
    """
    @return: the parts of C{text}, or C{None} when it is no origin with a known
        port (C{"null"} is none).
    """
    found = _ORIGIN.fullmatch(text)
    authority = splitHost(found[2]) if found else None
    if found is None or authority is None:
        return None
    scheme = found[1].lower()
    host, port = authority
    port = port or _PORTS.get(scheme)
    return None if port is None else (scheme, host, port)


def isOriginRule(rule: object) -> bool:
    """
    Tell whether C{allowedOrigins} can have the element C{rule}.
    """
    if not isinstance(rule, str):
        return False
    return rule in (SAME_ORIGIN, "null", "*") or parseOrigin(rule) is not None


def isAllowed(
    origin: str | None, allowed: str | Collection[str], host: str, secure: bool
) -> bool:
    """
    Tell whether a request may be accepted.

    @param origin: its origin; C{None} when no page of a browser sent it.
    @param allowed: see L{twisted_ws.ServerConfig}.
    @param host: its Host field.
    @param secure: whether it came over TLS to us.
    """
    if origin is None or "*" in allowed:
        return True
    if origin == "null":
        return "null" in allowed
    parts = parseOrigin(origin)
    if parts is None:
        return False
    if SAME_ORIGIN in allowed and _isSame(parts, host, secure):
        return True
    return any(parts == parseOrigin(each) for each in allowed)


def _isSame(origin: Origin, host: str, secure: bool) -> bool:
    """
    A page of plain HTTP is another origin than ours over TLS.  The reverse must
    pass: a proxy may have taken the TLS off.
    """
    scheme, name, port = origin
    authority = splitHost(host)
    if scheme not in _PORTS or authority is None or (secure and scheme != "https"):
        return False
    return (name, port) == (authority[0], authority[1] or _PORTS[scheme])
