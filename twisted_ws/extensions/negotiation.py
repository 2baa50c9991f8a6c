# -*- test-case-name: tests.test_negotiation -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Which extensions a connection has (RFC 6455 section 9.1).

Servers choose in their own order of preference: so the extensions of
C{ServerConfig.extensions} are asked one after the other which of the client's offers
they accept.  Clients take what the server has chosen among their offers, or nothing of
the handshake.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .._wire.chain import Chain
from .._wire.errors import InvalidUpgrade
from .._wire.headers import ExtensionElement, renderExtensions
from ..interfaces import IExtension, IExtensionFactory, Parameters

Elements = Sequence[ExtensionElement]


class Agreed(NamedTuple):
    """
    What a server accepts.

    @ivar elements: the answer.
    @ivar extensions: those in use, in the order of the answer.
    """

    elements: tuple[ExtensionElement, ...]
    extensions: tuple[IExtension, ...]


_NOTHING = Agreed((), ())


def negotiate(offers: Elements, factories: Iterable[IExtensionFactory]) -> Agreed:
    """
    Choose among a client's offers.

    @param offers: as they came, the most wanted first.
    @param factories: the most wanted first; one whose extension claims a reserved bit
        that an earlier one has is passed over.
    """
    if not offers:
        return _NOTHING
    elements: list[ExtensionElement] = []
    extensions: list[IExtension] = []
    claimed = 0
    for factory in factories:
        for name, pairs in offers:
            if name != factory.name:
                continue
            parameters = _unique(pairs)
            if parameters is None:
                continue
            accepted = factory.accept(parameters)
            if accepted is None:
                continue
            answer, extension = accepted
            if not extension.rsv & claimed:
                claimed |= extension.rsv
                elements.append((name, tuple(answer.items())))
                extensions.append(extension)
            break
    return Agreed(tuple(elements), tuple(extensions))


def offersOf(factories: Iterable[IExtensionFactory]) -> tuple[ExtensionElement, ...]:
    """
    @return: what a client offers, the most wanted first.
    @raise ValueError: when it cannot be sent.
    """
    elements = tuple(
        (factory.name, tuple(parameters.items()))
        for factory in factories
        for parameters in factory.offers()
    )
    renderExtensions(elements)
    return elements


def confirm(
    answers: Elements, factories: Iterable[IExtensionFactory]
) -> tuple[IExtension, ...]:
    """
    Judge what a server has chosen.

    @param answers: as they came; all of them have the name of a factory.
    @return: the extensions in use, in the order of the answer.
    @raise InvalidUpgrade: when it may not choose so.
    """
    known = {factory.name: factory for factory in factories}
    extensions: list[IExtension] = []
    for name, pairs in answers:
        factory = known.pop(name, None)
        if factory is None:
            raise InvalidUpgrade(f"an extension that was accepted twice: {name!r}")
        parameters = _unique(pairs)
        if parameters is None:
            raise InvalidUpgrade(f"a parameter of {name} that is given twice")
        extensions.append(factory.accepted(parameters))
    try:
        Chain(extensions)
    except ValueError as error:
        raise InvalidUpgrade(f"extensions that do not go together: {error}") from None
    return tuple(extensions)


def _unique(pairs: Sequence[tuple[str, str | None]]) -> Parameters | None:
    """
    @return: the parameters by name; C{None} when one is given twice.
    """
    parameters = dict(pairs)
    return parameters if len(parameters) == len(pairs) else None
