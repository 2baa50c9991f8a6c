# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
For the tests of messages that are taken piece by piece: receivers and consumers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IConsumer
from zope.interface import implementer

from twisted_ws.testing import RecordingReceiver


@implementer(IConsumer)
class Sink:
    """
    Writes down what is written to it.

    @ivar pieces: that.
    @ivar producer: who writes, while one is registered.
    @ivar registered: how often one was.
    @ivar act: called with each piece.
    """

    def __init__(self, act: Callable[[bytes], object] | None = None) -> None:
        self.pieces: list[bytes] = []
        self.producer: Any = None
        self.registered = 0
        self.act = act

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """
        Keep it.
        """
        assert streaming and self.producer is None
        self.producer = producer
        self.registered += 1

    def unregisterProducer(self) -> None:
        """
        Forget it.
        """
        assert self.producer is not None
        self.producer = None

    def write(self, data: bytes) -> None:
        """
        Keep it.
        """
        assert type(data) is bytes
        self.pieces.append(data)
        if self.act is not None:
            self.act(data)

    @property
    def data(self) -> bytes:
        """
        All that was written.
        """
        return b"".join(self.pieces)


class Taking(RecordingReceiver):
    """
    Takes messages piece by piece.

    @ivar began: the messages that began.
    @ivar sinks: what each that is taken is written to.
    @ivar done: what each C{deliverTo} came to, in order: a number or an exception.
    @ivar events: messages that came whole, what was done, and C{"lost"}.
    """

    def __init__(
        self,
        takes: Callable[[Any], bool] = lambda message: True,
        sink: Callable[[], Any] = Sink,
        **how: Any,
    ) -> None:
        """
        @param takes: whether to take a message.
        @param how: arguments for C{deliverTo}.
        """
        RecordingReceiver.__init__(self)
        self.began: list[Any] = []
        self.sinks: list[Any] = []
        self.done: list[Any] = []
        self.events: list[Any] = []
        self.deferreds: list[Any] = []
        self._takes = takes
        self._sink = sink
        self._how = how

    def messageBegan(self, message: Any) -> None:
        """
        Take it, or not.
        """
        self.began.append(message)
        if self._takes(message):
            self.sinks.append(self._sink())
            done = message.deliverTo(self.sinks[-1], **self._how)
            self.deferreds.append(done)
            done.addErrback(lambda failure: failure.value)
            done.addCallback(self._isDone)

    def _isDone(self, result: Any) -> None:
        self.done.append(result)
        self.events.append(result)

    def messageReceived(self, message: Any) -> None:
        """
        Write it down.
        """
        self.events.append(message)
        RecordingReceiver.messageReceived(self, message)

    def connectionLost(self, reason: Any = None) -> None:
        """
        Write it down.
        """
        self.events.append("lost")
        RecordingReceiver.connectionLost(self, reason)
