# -*- test-case-name: tests.test_url -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
URLs of WebSockets (RFC 6455 section 3).
"""

from __future__ import annotations

from dataclasses import dataclass

from hyperlink import URL


@dataclass(frozen=True)
class Address:
    """
    What a URL says.
    """

    host: str
    port: int
    isSecure: bool
    authority: str
    target: str


def parseURL(text: str) -> Address:
    """
    @raise ValueError: when C{text} is not the URL of a WebSocket (RFC 6455 section
        3).
    """
    url = URL.from_text(text)
    # Errors do not repeat the URL: it may hold a password.
    if url.scheme.lower() not in ("ws", "wss"):
        raise ValueError("a WebSocket URL begins with ws:// or wss://")
    if not url.host:
        raise ValueError("a WebSocket URL names a host")
    if url.fragment or text.endswith("#"):
        raise ValueError("a WebSocket URL has no fragment")
    if url.userinfo:
        raise ValueError("credentials belong into an Authorization header, not a URL")
    host = url.host
    if ":" in host:
        # An IPv6 address, which URL.to_uri takes for a name.
        authority = f"[{host}]"
        url = url.replace(host="ipv6").to_uri()
    else:
        url = url.to_uri()
        authority = host = url.host
    secure = url.scheme.lower() == "wss"
    standard = 443 if secure else 80
    port = standard if url.port is None else url.port
    if not 0 < port < 65536:
        raise ValueError(f"no port can be {port}")
    if port != standard:
        authority = f"{authority}:{port}"
    rest = url.replace(fragment="").to_text().partition("//")[2]
    target = rest[len(rest.partition("/")[0].partition("?")[0]) :]
    if not target.startswith("/"):
        target = "/" + target
    return Address(host, port, secure, authority, target)
