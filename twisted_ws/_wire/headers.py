# -*- test-case-name: tests.test_headers -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Header fields: one strict grammar for all that is read, one check for all that is
written (RFC 9110 section 5, RFC 9112 section 5).

Every function here is linear in its input: no regular expression has nested or
adjacent quantifiers over the same characters, and nothing is joined piecemeal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import AnyStr

from .errors import InvalidUpgrade

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TEXT_TOKEN = re.compile(_TOKEN.pattern.decode("ascii"))
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")


class Headers:
    """
    The header fields of a request or a response, in the order they came.

    Names are matched whatever their case.  Ask with C{str} to be answered with
    C{str} (Latin-1), with C{bytes} for C{bytes}, as with
    L{twisted.web.http_headers.Headers}.
    """

    __slots__ = ("_text",)

    def __init__(self, pairs: Iterable[tuple[bytes, bytes]] = ()) -> None:
        """
        @raise ValueError: for a line feed, which no field has.
        """
        parts: list[bytes] = []
        for name, value in pairs:
            parts += name.lower(), value
        # Each open connection has them, and they are seldom asked for: so as one text.
        self._text = b"\n".join(parts)
        if parts and self._text.count(b"\n") != len(parts) - 1:
            raise ValueError("a line feed in a header field")

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        """
        Go over the fields as pairs of bytes, names in lower case.
        """
        parts = self._text.split(b"\n")
        return zip(parts[::2], parts[1::2], strict=False)

    def __len__(self) -> int:
        return (self._text.count(b"\n") + 1) >> 1

    def __contains__(self, name: str) -> bool:
        return bool(self.getAll(name))

    def __repr__(self) -> str:
        return f"<Headers {', '.join(sorted({n.decode('latin-1') for n, _ in self}))}>"

    def getAll(self, name: AnyStr) -> list[AnyStr]:
        """
        @return: the values of all fields of that name, in order.
        """
        if isinstance(name, str):
            wanted = name.lower().encode("latin-1", "replace")
            return [value.decode("latin-1") for value in self._valuesOf(wanted)]
        return self._valuesOf(name.lower())

    def _valuesOf(self, wanted: bytes) -> list[bytes]:
        return [value for name, value in self if name == wanted]

    def grouped(self) -> dict[str, list[str]]:
        """
        @return: the values of all fields by name, to look up many.
        """
        groups: dict[str, list[str]] = {}
        for name, value in self:
            groups.setdefault(name.decode("latin-1"), []).append(
                value.decode("latin-1")
            )
        return groups

    def get(self, name: AnyStr) -> AnyStr | None:
        """
        @return: the value of the first field of that name, or C{None}.
        """
        values = self.getAll(name)
        return values[0] if values else None

    def getOnly(self, name: str) -> str | None:
        """
        @return: the value of the only field of that name, or C{None}.
        @raise InvalidUpgrade: when there are several, which could be understood
            in two ways.
        """
        return onlyOne(name, self.getAll(name))


def onlyOne(name: str, values: Sequence[str]) -> str | None:
    """
    @param name: of a field, for the error.
    @return: the only one of its values, or C{None} if there is none.
    @raise InvalidUpgrade: when there are several, which could be understood in two
        ways.
    """
    if len(values) > 1:
        raise InvalidUpgrade(f"{len(values)} {name} header fields")
    return values[0] if values else None


def isToken(value: bytes) -> bool:
    """
    Tell whether C{value} is a token (RFC 9110 section 5.6.2).
    """
    return _TOKEN.fullmatch(value) is not None


def parseFields(lines: Sequence[bytes]) -> Headers:
    """
    Read header lines, without their line ends.

    @raise InvalidUpgrade: at the first line that is not exactly a name, a colon
        and a value: no folded lines, no space before the colon, no control
        characters.
    """
    pairs = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon:
            raise InvalidUpgrade("a header line without a colon")
        pairs.append((name, value))
    return readFields(pairs)


def readFields(pairs: Iterable[tuple[bytes, bytes]]) -> Headers:
    """
    Judge header fields that were split into names and values.

    @raise InvalidUpgrade: when one is malformed.
    """
    fields = [(name, value.strip(b" \t")) for name, value in pairs]
    if fields:
        names, values = zip(*fields, strict=True)
        # All at once: what is in one of them is in all of them together.
        if not (
            all(names)
            and _TOKEN.fullmatch(b"".join(names))
            and _VALUE.fullmatch(b"".join(values))
        ):
            raise InvalidUpgrade("a malformed header field")
    return Headers(fields)


def parseTokens(values: Iterable[str], what: str) -> list[str]:
    """
    Read a comma-separated list of tokens, spread over any number of fields;
    empty elements are skipped (RFC 9110 section 5.6.1).

    @param what: the name of the field, for the error.
    @raise InvalidUpgrade: when an element is not a token.
    """
    tokens = []
    for value in values:
        for element in value.split(","):
            token = element.strip(" \t")
            if token:
                if not _TEXT_TOKEN.fullmatch(token):
                    raise InvalidUpgrade(f"{what} has an element that is not a token")
                tokens.append(token)
    return tokens


ExtensionElement = tuple[str, tuple[tuple[str, str | None], ...]]
"""
An element of Sec-WebSocket-Extensions: the name of an extension, and its parameters
with their values in order; C{None} for a parameter without one.
"""


def parseExtensions(values: Iterable[str]) -> list[ExtensionElement]:
    """
    Read Sec-WebSocket-Extensions (RFC 6455 section 9.1).

    @raise InvalidUpgrade: when it is malformed.
    """
    extensions: list[ExtensionElement] = []
    for value in values:
        scanner = _Scanner(value)
        while not scanner.atEnd():
            if scanner.take(","):
                continue
            name = scanner.token()
            parameters: list[tuple[str, str | None]] = []
            while scanner.take(";"):
                parameter = scanner.token()
                given = scanner.tokenOrQuoted() if scanner.take("=") else None
                parameters.append((parameter, given))
            extensions.append((name, tuple(parameters)))
            if not scanner.atEnd() and not scanner.take(","):
                raise scanner.malformed()
    return extensions


def renderExtensions(elements: Iterable[ExtensionElement]) -> bytes:
    """
    Make a Sec-WebSocket-Extensions field; what is a token needs no quotes.

    @raise ValueError: when a name or a value is none.
    """
    rendered = []
    for name, parameters in elements:
        parts = [checkToken(name, "the name of an extension")]
        for parameter, value in parameters:
            part = checkToken(parameter, f"a parameter of {name}")
            if value is not None:
                part += b"=" + checkToken(value, f"the value of {name}'s {parameter}")
            parts.append(part)
        rendered.append(b"; ".join(parts))
    return b", ".join(rendered)


class _Scanner:
    """
    Walks over one value of Sec-WebSocket-Extensions, once, from left to right.
    """

    _token = _TEXT_TOKEN
    _quoted = re.compile(r'"((?:[^"\\]|\\.)*)"')
    _escape = re.compile(r"\\(.)")

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._skipSpace()

    def _skipSpace(self) -> None:
        while self._text.startswith((" ", "\t"), self._at):
            self._at += 1

    def atEnd(self) -> bool:
        return self._at == len(self._text)

    def take(self, character: str) -> bool:
        """
        Step over C{character}, if it is next.
        """
        if not self._text.startswith(character, self._at):
            return False
        self._at += 1
        self._skipSpace()
        return True

    def token(self) -> str:
        """
        @raise InvalidUpgrade: when no token is next.
        """
        found = self._token.match(self._text, self._at)
        if found is None:
            raise self.malformed()
        self._at = found.end()
        self._skipSpace()
        return found.group()

    def tokenOrQuoted(self) -> str:
        """
        A quoted value must be a token once it is unquoted (RFC 6455 section
        9.1).

        @raise InvalidUpgrade: when neither is next.
        """
        found = self._quoted.match(self._text, self._at)
        if found is None:
            return self.token()
        self._at = found.end()
        self._skipSpace()
        value = self._escape.sub(r"\1", found.group(1))
        if not isToken(value.encode("latin-1", "replace")):
            raise self.malformed()
        return value

    def malformed(self) -> InvalidUpgrade:
        return InvalidUpgrade("a malformed Sec-WebSocket-Extensions")


def checkToken(value: str, what: str) -> bytes:
    """
    @return: C{value} as bytes.
    @raise ValueError: when it is not a token.
    """
    encoded = value.encode("ascii", "replace")
    if not value.isascii() or not isToken(encoded):
        raise ValueError(f"{what} is not a token: {value!r}")
    return encoded


def checkField(name: str | bytes, value: str | bytes) -> tuple[bytes, bytes]:
    """
    Check a header field that the application wants sent, so that none can hide
    another.

    @return: the pair as bytes.
    @raise ValueError: when the name is no token, or the value has control
        characters, characters beyond Latin-1, or space around it.
    """
    rawName = name if isinstance(name, bytes) else name.encode("ascii", "replace")
    if not isToken(rawName):
        raise ValueError(f"no header field can be named {name!r}")
    try:
        rawValue = value if isinstance(value, bytes) else value.encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError(f"{name!r} cannot have the value {value!r}") from None
    if not _VALUE.fullmatch(rawValue) or rawValue != rawValue.strip(b" \t"):
        raise ValueError(f"{name!r} cannot have the value {value!r}")
    return rawName, rawValue


def renderHead(startLine: bytes, pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    """
    Serialise a head, up to and with its empty line; every field is checked.

    @raise ValueError: when one must not be sent.
    """
    if not _VALUE.fullmatch(startLine):
        raise ValueError(f"no first line can be {startLine!r}")
    return joinHead(startLine, [checkField(name, value) for name, value in pairs])


def joinHead(startLine: bytes, pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    """
    Serialise a head of which everything is checked already.
    """
    lines = [startLine, *[b"%b: %b" % pair for pair in pairs], b"", b""]
    return b"\r\n".join(lines)
