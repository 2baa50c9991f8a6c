# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Rows about what an application asks our side to send, and what comes to the peer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import Conversation
from tests.wire import readFrames
from twisted_ws import ClosedAbruptly

from .row import BOTH
from .strict import StrictReader, checkSame

Act = Callable[[Any], object]
"""
What is done with a connection.
"""


def pieces(*parts: str | bytes, opcode: int | None = None) -> Act:
    """
    @return: the sending of a message piece by piece.
    """

    def act(connection: Any) -> None:
        message = connection.beginMessage(opcode)
        for each in parts:
            message.write(each)
        message.finish()

    return act


def ping(payload: bytes) -> Act:
    """
    @return: the sending of a ping, whose answer never comes.
    """

    def act(connection: Any) -> None:
        connection.ping(payload).addErrback(
            lambda failure: failure.trap(ClosedAbruptly)
        )

    return act


@dataclass(frozen=True)
class SendRow:
    """
    What an application does, and what is sent.

    @ivar name: a section, and a few words.
    @ivar acts: what it does, one after the other.
    @ivar frames: what is sent, as first bytes and payloads.
    @ivar raises: what the last act raises, which sends nothing then.
    @ivar options: of the configuration of our side.
    @ivar isWhole: whether what is sent ends with the end of a message.
    """

    name: str
    acts: tuple[Act, ...]
    frames: tuple[tuple[int, bytes], ...] = ()
    raises: type[Exception] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    roles: tuple[str, ...] = BOTH
    isWhole: bool = True

    def check(self, test: SynchronousTestCase, isServer: bool, version: int) -> None:
        """
        Run it.
        """
        conversation = Conversation(isServer, version=version, **self.options)
        connection = conversation.connection
        for act in self.acts[:-1]:
            act(connection)
        if self.raises is None:
            self.acts[-1](connection)
        else:
            error = test.assertRaises(self.raises, self.acts[-1], connection)
            # Not a subclass: that is another error.
            test.assertIs(type(error), self.raises)
        conversation.flush()
        frames = readFrames(conversation.peer.take())
        sent = [(frame.first, frame.payload) for frame in frames]
        checkSame(test, sent, self.frames, "sent")
        reader = StrictReader(isFromClient=not isServer)
        for frame in frames:
            reader.take(frame)
        if self.isWhole:
            reader.checkEnd()
        connection.abortConnection()
        conversation.flush()
        test.assertEqual(conversation.timers, 0)
