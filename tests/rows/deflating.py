# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Rows about what is sent where both sides have agreed on permessage-deflate (RFC 7692).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import Conversation
from tests.wire import readFrames

from .deflate import NOTHING_SPECIAL, Agreement
from .row import BOTH, Row
from .sending import Act
from .strict import Event, Inflate, StrictReader, checkSame


@dataclass(frozen=True)
class DeflateRow(Row):
    """
    What a peer sends that has agreed on compression.

    @ivar agreed: what was agreed on.
    @ivar how: more that our side's compression is told.
    """

    agreed: Agreement = NOTHING_SPECIAL
    how: Mapping[str, Any] = field(default_factory=dict)

    def configuration(self, isServer: bool) -> Mapping[str, Any]:
        return {**self.options, **self.agreed.options(isServer, self.how)}

    def handshake(self, isServer: bool) -> tuple[bytes, ...]:
        return (self.agreed.field(isServer),)

    def inflater(self, isServer: bool) -> Inflate:
        return self.agreed.inflater()


@dataclass(frozen=True)
class DeflateSendRow:
    """
    What an application does, and what is sent where compression was agreed on.

    @ivar name: a section, and a few words.
    @ivar acts: what it does, one after the other.
    @ivar firsts: the first bytes of the frames that are sent.
    @ivar events: what they tell.
    @ivar raises: what the last act raises, which sends nothing then.
    @ivar agreed: what was agreed on.
    @ivar how: more that our side's compression is told.
    @ivar options: of the configuration of our side.
    """

    name: str
    acts: tuple[Act, ...]
    firsts: tuple[int, ...]
    events: tuple[Event, ...]
    raises: type[Exception] | None = None
    agreed: Agreement = NOTHING_SPECIAL
    how: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    roles: tuple[str, ...] = BOTH

    def check(self, test: SynchronousTestCase, isServer: bool, version: int) -> None:
        """
        Run it.
        """
        conversation = Conversation(
            isServer,
            version=version,
            fields=(self.agreed.field(isServer),),
            **{**self.options, **self.agreed.options(isServer, self.how)},
        )
        connection = conversation.connection
        for act in self.acts[:-1]:
            act(connection)
        if self.raises is None:
            self.acts[-1](connection)
        else:
            test.assertRaises(self.raises, self.acts[-1], connection)
        conversation.flush()
        data = conversation.peer.take()
        firsts = tuple(frame.first for frame in readFrames(data))
        test.assertEqual([hex(n) for n in firsts], [hex(n) for n in self.firsts])
        reader = StrictReader(not isServer, self.agreed.inflater())
        checkSame(test, reader.read(data), self.events, "sent")
        reader.checkEnd()
        connection.abortConnection()
        conversation.flush()
        test.assertEqual(conversation.timers, 0)
