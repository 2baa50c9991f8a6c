# -*- test-case-name: tests.test_deflate -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Compression of messages, permessage-deflate (RFC 7692)::

    ServerConfig(extensions=(PerMessageDeflate(),))
    ClientConfig(extensions=(PerMessageDeflate.best(),))

It is worth its price for text, such as JSON, of some hundred bytes and more, over links
that are slow or paid for by the byte.  It is not for short messages, nor for what is
compressed already: pictures, sound, archives.  It costs time on both sides, some 40
microseconds to compress a KiB of JSON and ten to decompress it, and memory for each
connection that is in use.  Presets are a choice among these: L{lowMemory
<PerMessageDeflate.lowMemory>}, L{balanced<PerMessageDeflate.balanced>} and L{best
<PerMessageDeflate.best>}.

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
from math import inf
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

    A connection needs memory from the first message that is compressed on.  How much,
    and what it gives, is measured by C{python -m benchmarks.compression}.

    @ivar serverNoContextTakeover: the server compresses each message by itself.  It
        then needs no memory between messages, but compresses short ones much worse and
        takes longer; but a L{broadcast<twisted_ws.broadcast>} is then compressed once
        for all.  A client that wants this asks for it, and fails the connection if the
        server does not agree.
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
        two to this power, times 512 bytes.  More makes messages smaller by less than a
        hundredth.
    @ivar level: 1 (fast) to 9 (small), or 0 to 3 for C{isal}.  C{None} is the middle:
        6, or 2 for C{isal}.
    @ivar strategy: a number like C{zlib.Z_FILTERED}, or its name: C{"default"},
        C{"filtered"}, C{"huffman"}, C{"rle"} or C{"fixed"}.  C{isal} has only the
        default one.
    @ivar threshold: bytes; a shorter message is sent as it is, unless it is sent with
        C{compress=True}.  A message in pieces is compressed whatever its length.
    @ivar maxRatio: how many bytes a received message may have for each byte of its
        compressed data; more fails the connection with 1009.  It counts beyond the
        first 64 KiB of a message, and beside C{maxReceivedMessageSize}, which bounds
        memory whatever the ratio.  C{None} for no limit.  That is the default, since
        honest messages reach every ratio that DEFLATE can express, which ends at 1032:
        an empty canvas, written as a list of zeros, has 1010.  But your messages may
        not: events seldom exceed 20, and lists of records that are all alike but for
        their number 150.
    @ivar contextTimeout: seconds; when nothing was compressed for that long (or up to
        twice that), the memory for it is given back.  What comes next is compressed as
        if it came first.  The memory to decompress is the peer's to release.  C{None}
        to keep it while the connection stands.
    @ivar implementation: the library that does it: C{"zlib"}, which Python has;
        C{"zlib-ng"} or C{"isal"}, which have to be installed under these names.
        C{isal} compresses in half the time or less, a little worse; C{zlib-ng} is
        faster on high levels.  Both take 120 KiB and more for each compressor, whatever
        C{memLevel} says.  C{isal} cannot keep a window of 8 bits: a server declines an
        offer that demands one, a client fails the handshake with a server that does.
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
    maxRatio: int | None = None
    contextTimeout: float | None = 60.0
    implementation: str = "zlib"

    @classmethod
    def lowMemory(cls, **changes: Any) -> PerMessageDeflate:
        """
        No memory between messages, on either side: for very many connections that are
        seldom used.  Events in JSON get 2.5 times smaller.

        @param changes: options that are to be otherwise.
        """
        forget = {"serverNoContextTakeover": True, "clientNoContextTakeover": True}
        return cls(**{**forget, **changes})

    @classmethod
    def balanced(cls, **changes: Any) -> PerMessageDeflate:
        """
        What there is by default: a server needs about 50 KiB for each connection in
        use.  Events in JSON get 3.4 times smaller.

        @param changes: options that are to be otherwise.
        """
        return cls(**changes)

    @classmethod
    def best(cls, **changes: Any) -> PerMessageDeflate:
        """
        As small as it gets: about 200 KiB for each connection in use, and twice the
        time to compress.  Events in JSON get 4 times smaller.

        @param changes: options that are to be otherwise.
        """
        name = changes.get("implementation", "zlib")
        thorough = {
            "clientMaxWindowBits": MOST_BITS,
            "windowBits": MOST_BITS,
            "memLevel": 6,
            "level": implementationNamed(name).bestLevel,
        }
        return cls(**{**thorough, **changes})

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
        if self.maxRatio is not None:
            self._checkWhole("maxRatio", 1, None)
        timeout = self.contextTimeout
        right = timeout is None or (_isNumber(timeout) and 0 < timeout < inf)
        self._check("contextTimeout", right, "a number of seconds over 0, or None")

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
        # An answer over the offer is none of ours to mind: what a client offers is a
        # hint (RFC 7692 section 7.1.2.2), and some servers answer what they have.
        bits = answer.clientBits or MOST_BITS
        if bits < implementationNamed(self.implementation).leastWindowBits:
            raise ValueError(f"the server wants client_max_window_bits={bits}")

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
