# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
One run of a row: our connection, an application that sends back what it gets, and a
peer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import Conversation
from twisted_ws.testing import RecordingReceiver

from .strict import Closing, Event, Ping, Pong, StrictReader, checkSame

if TYPE_CHECKING:
    from .row import Row


class EchoReceiver(RecordingReceiver):
    """
    Sends back what it gets, and writes down what that was.

    @ivar events: that.
    """

    def __init__(self) -> None:
        RecordingReceiver.__init__(self)
        self.events: list[Event] = []
        self._fragments: list[Any] = []

    def messageReceived(self, message: Any) -> None:
        self.events.append(message)
        self.transport.sendMessage(message)

    def frameReceived(self, frame: Any) -> None:
        """
        Put messages together, and send them back.
        """
        self._fragments.append(frame)
        if frame.fin:
            frames, self._fragments = self._fragments, []
            assert all(not later.opcode for later in frames[1:]), frames
            message = b"".join(each.payload for each in frames)
            isText = frames[0].opcode == 1
            self.messageReceived(message.decode("utf-8") if isText else message)

    def pingReceived(self, payload: bytes) -> None:
        self.events.append(Ping(payload))

    def pongReceived(self, payload: bytes) -> None:
        self.events.append(Pong(payload))


def echoes(events: tuple[Event, ...]) -> list[Event]:
    """
    @return: what an open connection under an L{EchoReceiver} sends for these.
    """
    answers: list[Event] = []
    for event in events:
        if isinstance(event, Ping):
            answers.append(Pong(event.payload))
        elif not isinstance(event, Pong):
            answers.append(event)
    return answers


class Run:
    """
    One run of a row.

    @ivar test: the test that it is part of.
    @ivar row: the row.
    @ivar receiver: the application.
    @ivar conversation: our connection, and its peer.
    @ivar way: what to call it if it fails.
    """

    def __init__(
        self,
        test: SynchronousTestCase,
        row: Row,
        isServer: bool,
        version: int,
        way: str,
        **options: Any,
    ) -> None:
        self.test = test
        self.row = row
        self.way = way
        self.receiver = EchoReceiver()
        self.conversation = Conversation(
            isServer,
            self.receiver,
            version=version,
            fields=row.handshake(isServer),
            **{"maxPongRate": None, **row.configuration(isServer), **options},
        )
        self._events: list[Event] = []
        self._sent: list[Event] = []
        self._reader = StrictReader(not isServer, row.inflater(isServer))
        if row.weClose is not None:
            self.conversation.connection.close(*row.weClose)
            self._sent.append(Closing(*row.weClose))

    def receive(self, data: bytes) -> None:
        """
        The peer sends something.
        """
        self.conversation.sendBytes(data)

    def expect(self, *events: Event, closing: Closing | None = None) -> None:
        """
        Check that these were received, and that all was sent that answers them.

        @param closing: the Close frame that was sent after that, if one was.
        """
        self._events += events
        if self.row.weClose is None:
            self._sent += echoes(events)
        if closing is not None:
            self._sent.append(closing)
        checkSame(
            self.test, self.receiver.events, self._events, f"{self.way}: received"
        )
        checkSame(self.test, self.sent(), self._sent, f"{self.way}: sent")

    def sent(self) -> list[Event]:
        """
        @return: what our side has sent so far.
        """
        self.conversation.flush()
        self._reader.read(self.conversation.peer.take())
        self._reader.checkEnd()
        return self._reader.events

    def expectStanding(self) -> None:
        """
        Check that our side has not said that the connection ends.
        """
        closings = [event for event in self.sent() if isinstance(event, Closing)]
        wanted = [] if self.row.weClose is None else [Closing(*self.row.weClose)]
        self.test.assertEqual(closings, wanted, f"{self.way}: too early")
        self.test.assertIs(self.conversation.peer.lost, None, self.way)

    def expectDrop(self) -> None:
        """
        Check that our side has dropped the carrier if it is a server, and only then:
        the server does it first (RFC 6455 section 7.1.1).
        """
        dropped = self.conversation.peer.lost is not None
        self.test.assertEqual(dropped, self.conversation.isServer, self.way)

    def expectEnded(self, error: type[Exception], code: int, reason: str = "") -> Any:
        """
        Have the peer drop the carrier if our side has not, and check that the
        receiver was told of it once, and that nothing is left.

        @return: what it was told.
        """
        if not self.conversation.peerCarrier.disconnected:
            self.conversation.dropCarrier()
        ended = self.receiver.reason
        self.test.assertIs(type(ended), error, f"{self.way}: {ended}")
        self.test.assertEqual((ended.code, ended.reason), (code, reason), self.way)
        self.test.assertEqual(self.receiver.losses, 1, self.way)
        self.test.assertEqual(self.conversation.timers, 0, self.way)
        return ended
