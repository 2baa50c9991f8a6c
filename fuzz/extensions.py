# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Fuzzes what is agreed on about extensions.

The first byte of an input chooses what is done, the next three how the server and the
client are configured.  The rest is Sec-WebSocket-Extensions fields that a server gets,
or a client; or it is a message, that our client and our server exchange when they have
agreed.

Checked: of what a client sends nothing is raised but by the parser; of what a server
sends nothing but L{InvalidUpgrade}; whatever is answered can be written, and reads the
same; permessage-deflate is answered as RFC 7692 section 7.1 has it, and an answer is
accepted if and only if it is one of these; our client accepts what our server answers
it, and each reads what the other writes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Hashable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from zope.interface import implementer

if __name__ == "__main__":  # from any directory
    sys.path[0] = str(Path(__file__).parents[1])

from fuzz.driver import instrumented, main

with instrumented(__name__):
    from fuzz.coders import IMPLEMENTATIONS, Flipping, Hexing
    from twisted_ws import Frame, InvalidUpgrade
    from twisted_ws._wire.chain import Chain
    from twisted_ws._wire.headers import parseExtensions, renderExtensions
    from twisted_ws.extensions import PerMessageDeflate
    from twisted_ws.extensions.negotiation import confirm, negotiate, offersOf
    from twisted_ws.interfaces import IExtensionFactory, Parameters

NAME = "permessage-deflate"

TOKENS = (
    b"permessage-deflate",
    b"server_no_context_takeover",
    b"client_no_context_takeover",
    b"server_max_window_bits",
    b"client_max_window_bits",
    b"server_max_window_bits=8",
    b"client_max_window_bits=15",
    b"; ",
    b", ",
    b"=",
    b'="10"',
    b'="\\1\\0"',
    b"=8",
    b"=15",
    b"=16",
    b"=7",
    b"=08",
    b"x-hex",
    b"x-flip",
    b"x-flip; speed=3",
    b"\n",
)

SERVER_FORGETS, CLIENT_FORGETS = TOKENS[1].decode(), TOKENS[2].decode()
SERVER_BITS, CLIENT_BITS = TOKENS[3].decode(), TOKENS[4].decode()

_BITS = re.compile("[89]|1[0-5]")
LONGEST = 1024


@implementer(IExtensionFactory)
class Made:
    """
    An extension of our own: it has one parameter, a speed of at most 5.
    """

    def __init__(self, coder: type[Hexing] | type[Flipping]) -> None:
        self.name = coder.name
        self.coder = coder

    def offers(self) -> Sequence[Parameters]:
        return {"speed": "4"}, {}

    def accept(self, parameters: Parameters) -> Any:
        if not self.isRight(parameters):
            return None
        return parameters, self.coder()

    def accepted(self, parameters: Parameters) -> Any:
        if not self.isRight(parameters):
            raise InvalidUpgrade("a wrong speed")
        return self.coder()

    @staticmethod
    def isRight(parameters: Parameters) -> bool:
        return parameters in ({}, *({"speed": str(speed)} for speed in range(6)))


@cache
def deflate(choice: int, other: int) -> PerMessageDeflate:
    """
    @return: one that is configured as two bytes say.
    """
    implementation = IMPLEMENTATIONS[(other >> 6) % len(IMPLEMENTATIONS)]
    least = 9 if implementation == "isal" else 8
    return PerMessageDeflate(
        serverNoContextTakeover=bool(choice & 1),
        clientNoContextTakeover=bool(choice & 2),
        serverMaxWindowBits=max(least, 15 - (choice >> 2 & 7)),
        clientMaxWindowBits=max(least, 15 - (choice >> 5 & 7)),
        windowBits=max(least, 15 - (other & 7)),
        memLevel=1,
        threshold=0,
        implementation=implementation,
    )


@cache
def configured(choice: int, other: int) -> tuple[IExtensionFactory, ...]:
    """
    @return: the extensions of one side.  Two of them claim the same bit.
    """
    ours, hexing, flipping = deflate(choice, other), Made(Hexing), Made(Flipping)
    return (
        (ours,),
        (flipping, ours),
        (ours, hexing, flipping),
        (hexing, ours),
        (ours, flipping),
        (),
        (flipping,),
        (flipping, hexing, ours),
    )[other >> 3 & 7]


def isRight(parameters: dict[str, str | None], inOffer: bool) -> bool:
    """
    Tell whether RFC 7692 section 7.1 knows parameters like these.
    """
    for name, value in parameters.items():
        if name in (SERVER_FORGETS, CLIENT_FORGETS):
            right = value is None
        elif name in (SERVER_BITS, CLIENT_BITS):
            right = value is not None and bool(_BITS.fullmatch(value))
            right = right or (value is None and inOffer and name == CLIENT_BITS)
        else:
            right = False
        if not right:
            return False
    return True


def bits(parameters: dict[str, str | None], name: str) -> int:
    """
    @return: the window that a parameter allows.
    """
    return int(parameters.get(name) or 15)


def agrees(offer: dict[str, str | None], answer: dict[str, str | None]) -> bool:
    """
    Tell whether a server may answer that offer so.
    """
    return (
        isRight(answer, False)
        and (SERVER_FORGETS not in offer or SERVER_FORGETS in answer)
        and (CLIENT_BITS not in answer or CLIENT_BITS in offer)
        and bits(answer, SERVER_BITS) <= bits(offer, SERVER_BITS)
    )


def parameters(pairs: Sequence[tuple[str, str | None]]) -> dict[str, str | None]:
    """
    @return: the parameters by name; a wrong one, if one is there twice.
    """
    return dict(pairs) if len(dict(pairs)) == len(pairs) else {"twice": None}


def read(data: bytes) -> Any:
    """
    @return: what a peer sends; C{None} if it is malformed.
    """
    try:
        return parseExtensions(data.decode("latin-1").split("\n"))
    except InvalidUpgrade:
        return None


def reread(elements: Any) -> Any:
    """
    @return: C{elements} when they were written and read.
    @raise AssertionError: when they are others then.
    """
    again = parseExtensions([renderExtensions(elements).decode("ascii")])
    assert again == list(elements), f"{again} != {elements}"
    return again


def checkDeflated(
    extension: Any, answer: dict[str, str | None], isServer: bool
) -> None:
    """
    @raise AssertionError: when an extension does not do what was agreed on.
    """
    ours, theirs = (SERVER_BITS, CLIENT_BITS)[:: 1 if isServer else -1]
    weForget = (SERVER_FORGETS, CLIENT_FORGETS)[not isServer] in answer
    theyForget = (SERVER_FORGETS, CLIENT_FORGETS)[isServer] in answer
    deflater, inflater = extension._deflater, extension._inflater
    assert deflater._how[1] <= bits(answer, ours), "a larger window than was agreed on"
    assert inflater._bits >= bits(answer, theirs), "a smaller window than was agreed on"
    assert deflater._forgets or not weForget
    assert theyForget or not inflater._forgets


def served(choices: bytes, data: bytes) -> Hashable:
    """
    A client offers C{data}.
    """
    offers = read(data)
    if offers is None:
        return None
    factories = configured(choices[0], choices[1])
    agreed = negotiate(offers, factories)
    reread(agreed.elements)
    Chain(agreed.extensions)
    names = [name for name, _ in agreed.elements]
    assert names == [extension.name for extension in agreed.extensions]
    wanted = [factory.name for factory in factories if factory.name in names]
    assert names == wanted, f"{names} in another order than {wanted}"
    ours = deflate(choices[0], choices[1])
    least = 9 if ours.implementation == "isal" else 8
    possible = [
        offer
        for offer in (parameters(pairs) for name, pairs in offers if name == NAME)
        if isRight(offer, True) and bits(offer, SERVER_BITS) >= least
    ]
    if NAME in names:
        at = names.index(NAME)
        answer = dict(agreed.elements[at][1])
        assert possible and agrees(possible[0], answer), f"{answer} to {offers}"
        if CLIENT_BITS in answer:
            # To a client that is a hint; but what is over it serves nobody.
            assert bits(answer, CLIENT_BITS) <= bits(possible[0], CLIENT_BITS), answer
        checkDeflated(agreed.extensions[at], answer, isServer=True)
    elif ours in factories and Hexing.name not in names:
        assert not possible, f"{possible[0]} was declined"
    return agreed.elements


def confirmed(choices: bytes, data: bytes) -> Hashable:
    """
    A server answers C{data}.
    """
    answered = read(data)
    if answered is None:
        return None
    factories = configured(choices[1], choices[2])
    offered = {name: parameters(pairs) for name, pairs in reversed(offersOf(factories))}
    names = [name for name, _ in answered]
    right = (
        len(set(names)) == len(names)
        and set(names) <= set(offered)
        and not {NAME, Hexing.name} <= set(names)
    )
    for name, pairs in answered:
        answer = parameters(pairs)
        if name == NAME:
            right = right and agrees(offered[name], answer)
        else:
            right = right and Made.isRight(answer)
    try:
        extensions = confirm(answered, factories)
    except InvalidUpgrade as error:
        assert str(error).isprintable(), str(error)
        assert not right or _isTooSmall(choices, answered), f"{answered}: {error}"
        return str(error)[:30]
    assert right, answered
    reread(answered)
    assert [extension.name for extension in extensions] == names
    for (name, pairs), extension in zip(answered, extensions, strict=True):
        if name == NAME:
            checkDeflated(extension, dict(pairs), isServer=False)
    return tuple(answered)


def _isTooSmall(choices: bytes, answered: Any) -> bool:
    """
    Tell whether a window is one that the client's library cannot keep.
    """
    if deflate(choices[1], choices[2]).implementation != "isal":
        return False
    return any(pair == (CLIENT_BITS, "8") for _, pairs in answered for pair in pairs)


def agreed(choices: bytes, data: bytes) -> Hashable:
    """
    Our client and our server agree, and each sends C{data}.
    """
    asking = configured(choices[1], choices[2])
    answering = configured(choices[0], choices[2] >> 1 | (choices[1] & 1) << 7)
    offers = reread(offersOf(asking))
    answer, servers = negotiate(offers, answering)
    try:
        clients = confirm(reread(answer), asking)
    except InvalidUpgrade as error:
        assert _isTooSmall(choices, answer), f"{answer}: {error}"
        return str(error)
    server, client = Chain(servers), Chain(clients)
    sender, receiver = (client, server) if choices[0] & 1 else (server, client)
    for number in range(2) if servers else ():
        # The second may refer to the first, at any distance that is agreed on.
        message = Frame(2, data + bytes(600 * number) + data)
        decoded = receiver.decode(sender.encode(message), len(message.payload))
        assert decoded.payload == message.payload, "something else was read"
    return answer


PARTS = (served, confirmed, agreed)


def TestOneInput(data: bytes) -> Hashable:
    """
    @return: what happened.
    @raise Exception: when the extensions break their contract.
    """
    if len(data) < 4:
        return None
    number, choices, rest = data[0] % 16 % len(PARTS), data[1:4], data[4:]
    if data[0] in (0xF0, 0xF1):
        # What takes the square of its length would be noticed.
        rest = b",".join([rest] * (LONGEST // (len(rest) + 1)))
    return number, PARTS[number](choices, rest)


if __name__ == "__main__":
    main(TestOneInput, "extensions", TOKENS)
