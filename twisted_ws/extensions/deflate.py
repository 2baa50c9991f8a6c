# -*- test-case-name: tests.test_deflate -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Compression of messages, permessage-deflate (RFC 7692)::

    ServerConfig(extensions=(PerMessageDeflate(),))
    ClientConfig(extensions=(PerMessageDeflate.best(),))

It is worth its price for text, such as JSON, of some hundred bytes and more, over links
that are slow or paid for by the byte.  It is not for short messages, nor for what is
compressed already: pictures, sound, archives.  It costs time on both sides, some ten
to thirty times that of sending the message as it is, and memory for each connection,
which the presets bound.

Compression tells about secrets.  Whoever can have text of his own compressed together
with a secret, and sees how long the result is, can guess the secret bit by bit, in
spite of TLS (the attacks CRIME and BREACH; RFC 7692 section 8).  By default that is so
for all messages of a connection, since each may refer to those before it.  Send
messages with secrets by C{sendMessage(message, compress=False)}; they then never enter
the memory of the compressor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, ClassVar

from zope.interface import implementer

from .._wire.errors import InvalidUpgrade
from ..interfaces import IExtension, IExtensionFactory, Parameters
from .deflated import NAME, Deflated
from .deflater import Deflater
from .implementations import implementationNamed
from .inflater import Inflater
from .parameters import MOST_BITS, DeflateParameters, readAnswer, readOffer

_STRATEGIES = {"default": 0, "filtered": 1, "huffman": 2, "rle": 3, "fixed": 4}
"""
By the values of C{zlib.Z_DEFAULT_STRATEGY} and so on, which not every L{zlib} names.
"""


@implementer(IExtensionFactory)
@dataclass(frozen=True, kw_only=True, slots=True)
class PerMessageDeflate:
    """
    How to compress messages; for servers and for clients.

    Memory is for each connection that is in use: see C{python -m
    benchmarks.compression}.  A context is made for the first message that needs one.

    @ivar serverNoContextTakeover: the server compresses each message by itself.  It
        then needs no memory between messages, but compresses short ones much worse and
        takes longer.  A client that wants this asks for it, and fails the connection
        if the server does not agree.
    @ivar clientNoContextTakeover: likewise the client.  A server that wants this asks
        for it, and the client has to agree.
    @ivar serverMaxWindowBits: how far back the server may refer within what it has
        sent: two to this power bytes, 8 to 15.  The client then needs no more memory
        than that, and 7 KiB.  A client that wants less than 15 asks for it, and fails
        the connection if the server does not agree; not every server can.
    @ivar clientMaxWindowBits: likewise the client.  A server that wants less than 15
        asks for it, if the client has offered to be asked, as browsers do.
    @ivar windowBits: how far back the compressor at this end refers at most, whatever
        the other would allow.  It takes four times that in memory; a larger window
        only helps if what it reaches is like what is sent.
    @ivar memLevel: 1 to 9, how much memory the compressor has beside its window:
        two to this power, times 512 bytes.  More is slightly faster and smaller.
    @ivar level: 1 (fast) to 9 (small), or 0 to 3 for C{isal}.  C{None} is the middle,
        6, or 2 for C{isal}.
    @ivar strategy: a number like C{zlib.Z_FILTERED}, or its name: C{"default"},
        C{"filtered"}, C{"huffman"}, C{"rle"} or C{"fixed"}.  C{isal} has only the
        default one.
    @ivar threshold: bytes; a shorter message is sent as it is, unless it is sent with
        C{compress=True}.  A message in pieces is compressed whatever its length.
    @ivar maxRatio: how many bytes a received message may have for each byte of its
        compressed data; more fails the connection with 1009.  It counts beyond 64 KiB,
        and beside C{maxReceivedMessageSize}.  C{None} for no limit.
    @ivar contextTimeout: seconds; when nothing was compressed for that long (or up to
        twice that), the memory for it is given back.  What comes next is compressed as
        if it came first.  The memory to decompress is the peer's to release.  C{None}
        to keep it while the connection stands.
    @ivar implementation: the library that does it: C{"zlib"}, which Python has;
        C{"zlib-ng"} or C{"isal"}, which are faster and have to be installed under
        these names.  C{isal} takes more memory, whatever C{memLevel} says; and it
        cannot keep a window of 8 bits: an offer that demands one is declined.
    """

    name: ClassVar[str] = NAME

    serverNoContextTakeover: bool = False
    clientNoContextTakeover: bool = False
    serverMaxWindowBits: int = MOST_BITS
    clientMaxWindowBits: int = 12
    windowBits: int = 12
    memLevel: int = 5
    level: int | None = None
    strategy: int | str = "default"
    threshold: int = 128
    maxRatio: float | None = 400
    contextTimeout: float | None = 60.0
    implementation: str = "zlib"

    @classmethod
    def lowMemory(cls, **changes: Any) -> PerMessageDeflate:
        """
        No memory between messages, on either side.

        @param changes: options that are to be otherwise.
        """
        return cls(
            **{
                "serverNoContextTakeover": True,
                "clientNoContextTakeover": True,
                **changes,
            }
        )

    @classmethod
    def balanced(cls, **changes: Any) -> PerMessageDeflate:
        """
        What there is by default.

        @param changes: options that are to be otherwise.
        """
        return cls(**changes)

    @classmethod
    def best(cls, **changes: Any) -> PerMessageDeflate:
        """
        As small as it gets.

        @param changes: options that are to be otherwise.
        """
        return cls(
            **{
                "clientMaxWindowBits": MOST_BITS,
                "windowBits": MOST_BITS,
                "memLevel": 8,
                "level": 9,
                **changes,
            }
        )

    def __post_init__(self) -> None:
        """
        @raise ValueError: when an option has a value that makes no sense, or the
            implementation is not installed; names it.
        """
        implementation = implementationNamed(self.implementation)
        least, levels = implementation.leastWindowBits, implementation.levels
        for name in ("serverNoContextTakeover", "clientNoContextTakeover"):
            self._check(name, isinstance(getattr(self, name), bool), "true or false")
        for name in ("serverMaxWindowBits", "clientMaxWindowBits", "windowBits"):
            self._checkWhole(name, least, MOST_BITS)
        self._checkWhole("memLevel", 1, 9)
        if self.level is not None:
            self._checkWhole("level", levels[0], levels[-1])
        if isinstance(self.strategy, str):
            names = ", ".join(_STRATEGIES)
            known = self.strategy in _STRATEGIES
            self._check("strategy", known, f"a number, or one of {names}")
            object.__setattr__(self, "strategy", _STRATEGIES[self.strategy])
        self._checkWhole("strategy", 0, implementation.strategies[-1])
        self._checkWhole("threshold", 0, None)
        for name, over in (("maxRatio", 1), ("contextTimeout", 0)):
            value = getattr(self, name)
            right = _isNumber(value) and isfinite(value) and value > over
            self._check(name, right or value is None, f"a number over {over}, or None")

    def _checkWhole(self, name: str, least: int, most: int | None) -> None:
        value = getattr(self, name)
        right = isinstance(value, int) and _isNumber(value) and least <= value
        if most is None:
            wanted = f"a whole number, {least} or more"
        else:
            right = right and value <= most
            wanted = f"a whole number from {least} to {most} for {self.implementation}"
        self._check(name, right, wanted)

    def _check(self, name: str, right: bool, wanted: str) -> None:
        if not right:
            raise ValueError(f"{name} must be {wanted}, not {getattr(self, name)!r}")

    def offers(self) -> Sequence[Parameters]:
        """
        See L{IExtensionFactory.offers<twisted_ws.interfaces.IExtensionFactory>}.
        """
        bits = self.serverMaxWindowBits
        offer = DeflateParameters(
            self.serverNoContextTakeover,
            self.clientNoContextTakeover,
            None if bits == MOST_BITS else bits,
            min(self.clientMaxWindowBits, self.windowBits),
        )
        return (offer.writeOffer(),)

    def accept(self, parameters: Parameters) -> tuple[Parameters, IExtension] | None:
        """
        See L{IExtensionFactory.accept<twisted_ws.interfaces.IExtensionFactory>}.
        """
        try:
            offer = readOffer(parameters)
        except ValueError:
            return None
        asked = offer.serverBits
        ours = min(self.serverMaxWindowBits, self.windowBits, asked or MOST_BITS)
        if ours < implementationNamed(self.implementation).leastWindowBits:
            return None
        # A smaller window is only told of where it was asked for: not every client
        # takes an answer to what it did not ask.
        tell = asked is not None or self.serverMaxWindowBits < MOST_BITS
        # What the client's window is, is not to be said to one that did not offer it.
        theirs = min(self.clientMaxWindowBits, offer.clientBits or MOST_BITS)
        mayTell = offer.clientBits is not None and theirs < MOST_BITS
        answer = DeflateParameters(
            self.serverNoContextTakeover or offer.serverForgets,
            self.clientNoContextTakeover or offer.clientForgets,
            ours if tell else None,
            theirs if mayTell else None,
        )
        extension = self._extension(
            answer, ours, answer.serverForgets, answer.clientBits, answer.clientForgets
        )
        return answer.write(), extension

    def accepted(self, parameters: Parameters) -> IExtension:
        """
        See L{IExtensionFactory.accepted<twisted_ws.interfaces.IExtensionFactory>}.
        """
        try:
            answer = readAnswer(parameters)
            self._checkAnswer(answer)
        except ValueError as error:
            raise InvalidUpgrade(f"{NAME}: {error}") from None
        # A client that has offered to forget does so, also if it was not asked to.
        forgets = self.clientNoContextTakeover or answer.clientForgets
        ours = min(
            self.clientMaxWindowBits, self.windowBits, answer.clientBits or MOST_BITS
        )
        return self._extension(
            answer, ours, forgets, answer.serverBits, answer.serverForgets
        )

    def _checkAnswer(self, answer: DeflateParameters) -> None:
        """
        @raise ValueError: when it does not agree to what was offered.
        """
        if self.serverNoContextTakeover and not answer.serverForgets:
            raise ValueError("the server does not agree to server_no_context_takeover")
        most = self.serverMaxWindowBits
        if most < (answer.serverBits or MOST_BITS):
            raise ValueError(f"the server does not agree to {most} bits of its window")
        bits, most = answer.clientBits, min(self.clientMaxWindowBits, self.windowBits)
        least = implementationNamed(self.implementation).leastWindowBits
        if bits is not None and not least <= bits <= most:
            raise ValueError(
                f"the server wants client_max_window_bits={bits}, not {least} to {most}"
            )

    def _extension(
        self,
        agreed: DeflateParameters,
        ours: int,
        weForget: bool,
        theirs: int | None,
        theyForget: bool,
    ) -> Deflated:
        implementation = implementationNamed(self.implementation)
        level = implementation.level if self.level is None else self.level
        assert isinstance(self.strategy, int)
        how = (level, ours, self.memLevel, self.strategy)
        return Deflated(
            agreed,
            Deflater(
                implementation, how, weForget, self.threshold, self.contextTimeout
            ),
            Inflater(implementation, theirs or MOST_BITS, theyForget, self.maxRatio),
        )


def _isNumber(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
