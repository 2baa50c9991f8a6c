# -*- test-case-name: tests.test_cookies -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Cookies of the handshake (RFC 6265 and its revision, 6265bis).

Reading is lenient and linear, writing is strict.  L{http.cookies} is neither: it
reads some values in quadratic time, and does not check the attributes it writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import format_datetime

_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]*")
_PATH = re.compile(r"/[ -:<-~]*")
_DOMAIN = re.compile(r"\.?[0-9A-Za-z_\-]+(?:\.[0-9A-Za-z_\-]+)*")
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_SAME_SITE = ("Strict", "Lax", "None")
# Of more, browsers ignore the cookie or the attribute (RFC 6265bis section 5.6).
_MOST_OF_COOKIE = 4096
_MOST_OF_ATTRIBUTE = 1024


def parseCookies(values: Iterable[str]) -> dict[str, str]:
    """
    Read the Cookie fields of a request.  Never raises: what cannot be a cookie
    is skipped.  Of two cookies with one name the first counts, which is the one
    with the more specific path (RFC 6265 section 5.4).
    """
    cookies: dict[str, str] = {}
    for header in values:
        for pair in header.split(";"):
            name, equals, value = pair.partition("=")
            name = name.strip(" \t")
            value = value.strip(" \t")
            if len(value) > 1 and value[0] == value[-1] == '"':
                value = value[1:-1]
            if equals and name:
                cookies.setdefault(name, value)
    return cookies


def checkPair(name: str, value: str) -> None:
    """
    @raise ValueError: when no cookie can have this name or this value.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"no cookie can be named {name!r}")
    if not isinstance(value, str) or not _VALUE.fullmatch(value):
        # The error is logged, the value may be a secret.
        raise ValueError(f"cookie {name} has a character that a value cannot have")


@dataclass(frozen=True)
class Cookie:
    """
    A cookie to set with the answer to a handshake.

    @ivar name: a token.
    @ivar value: printable ASCII without space, comma, semicolon, backslash and
        double quote.
    @ivar path: the path it is sent back to, C{None} for that of the request.
    @ivar domain: the host that it is sent back to, and those below; C{None} for that
        of the request alone.
    @ivar expires: when it ends, as an aware datetime.
    @ivar maxAge: seconds that it lives; C{0}, or less, deletes it.
    @ivar secure: send it back over TLS only.
    @ivar httpOnly: hide it from scripts.
    @ivar sameSite: C{"Strict"}, C{"Lax"}, or C{"None"}, which needs C{secure}.
    @ivar partitioned: keep one for each site that the page is embedded in, which needs
        C{secure}.
    """

    name: str
    value: str
    path: str | None = None
    domain: str | None = None
    expires: datetime | None = None
    maxAge: int | None = None
    secure: bool = False
    httpOnly: bool = False
    sameSite: str | None = None
    partitioned: bool = False

    def __post_init__(self) -> None:
        """
        @raise ValueError: when a browser would not take the cookie as meant.
        """
        checkPair(self.name, self.value)
        if len(self.name) + len(self.value) > _MOST_OF_COOKIE:
            raise ValueError(f"a cookie has at most {_MOST_OF_COOKIE} characters")
        for attribute, text, grammar in (
            ("path", self.path, _PATH),
            ("domain", self.domain, _DOMAIN),
        ):
            if text is not None and not (
                isinstance(text, str)
                and grammar.fullmatch(text)
                and len(text) <= _MOST_OF_ATTRIBUTE
            ):
                raise ValueError(f"cookie {self.name} cannot have {attribute} {text!r}")
        if self.expires is not None:
            self._renderExpires(self.expires)
        if self.maxAge is not None and type(self.maxAge) is not int:
            raise ValueError(f"cookie {self.name}: maxAge is a whole number of seconds")
        if self.sameSite is not None and self.sameSite not in _SAME_SITE:
            raise ValueError(f"cookie {self.name}: sameSite is one of {_SAME_SITE}")
        if self.sameSite == "None" and not self.secure:
            raise ValueError(f"cookie {self.name}: sameSite None needs secure")
        if self.partitioned and not self.secure:
            raise ValueError(f"cookie {self.name}: partitioned needs secure")
        self._checkPrefix()

    def _checkPrefix(self) -> None:
        """
        Hold C{__Secure-} and C{__Host-} to what they promise (RFC 6265bis section
        4.1.3).
        """
        prefix = self.name.lower()
        if prefix.startswith(("__secure-", "__host-")) and not self.secure:
            raise ValueError(f"cookie {self.name} needs secure")
        if prefix.startswith("__host-") and (self.path, self.domain) != ("/", None):
            raise ValueError(f"cookie {self.name} needs the path / and no domain")

    def _renderExpires(self, expires: datetime) -> str:
        if not isinstance(expires, datetime) or expires.utcoffset() is None:
            raise ValueError(f"cookie {self.name}: expires is a datetime with a zone")
        try:
            utc = expires.astimezone(timezone.utc)
        except OverflowError:
            utc = None
        if utc is None or utc.year < 1601:
            raise ValueError(f"cookie {self.name} cannot expire {expires!r}")
        return format_datetime(utc, usegmt=True)

    def render(self) -> str:
        """
        @return: the value of a Set-Cookie field.
        """
        parts = [f"{self.name}={self.value}"]
        if self.path is not None:
            parts.append(f"Path={self.path}")
        if self.domain is not None:
            parts.append(f"Domain={self.domain.lower()}")
        if self.expires is not None:
            parts.append(f"Expires={self._renderExpires(self.expires)}")
        if self.maxAge is not None:
            parts.append(f"Max-Age={self.maxAge}")
        if self.sameSite is not None:
            parts.append(f"SameSite={self.sameSite}")
        if self.secure:
            parts.append("Secure")
        if self.httpOnly:
            parts.append("HttpOnly")
        if self.partitioned:
            parts.append("Partitioned")
        return "; ".join(parts)
