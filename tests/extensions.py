# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Extensions for the tests: they write down what they are asked, and can be told to break
every rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from zope.interface import implementer

from twisted_ws import Frame, InvalidUpgrade
from twisted_ws.extensions import RSV1, Extension
from twisted_ws.interfaces import IExtensionFactory


class Marking(Extension):
    """
    Puts a tag before each payload and sets its bits; takes both off again.

    @ivar calls: what it was asked, in order.
    @ivar onEncode: makes what C{encode} returns of what it would return.
    @ivar onDecode: likewise.
    """

    def __init__(
        self,
        name: str = "x-mark",
        rsv: int = RSV1,
        perMessage: bool = True,
        tag: bytes = b"<",
    ) -> None:
        self.name = name
        self.rsv = rsv
        self.perMessage = perMessage
        self.tag = tag
        self.calls: list[Any] = []
        self.onEncode: Callable[[Frame], Frame] = lambda frame: frame
        self.onDecode: Callable[[Frame], Frame] = lambda frame: frame
        self.onLifeChange: Callable[[], object] = lambda: None

    def connectionMade(self, clock: Any) -> None:
        self.calls.append(("made", clock))
        self.onLifeChange()

    def connectionLost(self) -> None:
        self.calls.append("lost")
        self.onLifeChange()

    def encode(self, frame: Frame) -> Frame:
        self.calls.append(("encode", frame))
        bits = self.rsv if frame.opcode or not self.perMessage else 0
        return self.onEncode(
            frame._replace(payload=self.tag + frame.payload, rsv=frame.rsv | bits)
        )

    def decode(self, frame: Frame, maxSize: int) -> Frame:
        self.calls.append(("decode", frame, maxSize))
        payload = frame.payload.removeprefix(self.tag)
        return self.onDecode(frame._replace(payload=payload, rsv=frame.rsv & ~self.rsv))


@implementer(IExtensionFactory)
class Giving:
    """
    Makes one extension, again and again.

    @ivar answer: the parameters of what a server answers, C{None} to decline.
    @ivar asked: the parameters that it was given.
    """

    def __init__(
        self,
        extension: Marking,
        answer: Mapping[str, str | None] | None = None,
        offers: Sequence[Mapping[str, str | None]] = ({},),
    ) -> None:
        self.name = extension.name
        self.extension = extension
        self.answer = answer
        self._offers = offers
        self.asked: list[Any] = []

    def offers(self) -> Sequence[Mapping[str, str | None]]:
        return self._offers

    def accept(self, parameters: Mapping[str, str | None]) -> Any:
        self.asked.append(parameters)
        if "bad" in parameters:
            return None
        return self.answer or {}, self.extension

    def accepted(self, parameters: Mapping[str, str | None]) -> Any:
        self.asked.append(parameters)
        if "bad" in parameters:
            raise InvalidUpgrade("a bad parameter")
        return self.extension
