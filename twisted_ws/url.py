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
    url = URL.from_text(text).to_uri()
    if url.scheme not in ("ws", "wss"):
        # The URL is not repeated: it may hold a password.
        raise ValueError(f"a WebSocket URL is of ws or wss, not of {url.scheme!r}")
    if not url.host:
        raise ValueError("a WebSocket URL names a host")
    if url.fragment or text.endswith("#"):
        raise ValueError("a WebSocket URL has no fragment")
    if url.userinfo:
        raise ValueError("credentials belong into an Authorization header, not a URL")
    secure = url.scheme == "wss"
    standard = 443 if secure else 80
    port = standard if url.port is None else url.port
    if not 0 < port < 65536:
        raise ValueError(f"no port can be {port}")
    host = f"[{url.host}]" if ":" in url.host else url.host
    authority = host if port == standard else f"{host}:{port}"
    rest = url.replace(fragment="").to_text().partition("//")[2]
    target = rest[len(rest.partition("/")[0].partition("?")[0]) :]
    if not target.startswith("/"):
        target = "/" + target
    return Address(url.host, port, secure, authority, target)
