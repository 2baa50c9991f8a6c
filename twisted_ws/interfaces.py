# -*- test-case-name: tests.test_interfaces -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What you may implement, and what you are given.

You implement L{IMessageReceiver} (most simply as a subclass of
L{twisted_ws.MessageReceiver}), and L{IFrameReceiver} or L{IControlReceiver} for
what lies below messages.  You are given an L{IWebSocketTransport}.  To change what goes
over the wire, implement L{IExtensionFactory} and L{IExtension}.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime, ITransport
from twisted.python.failure import Failure
from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from ._wire.frames import Frame
    from .budget import Budget
    from .connection import WebSocketConnection
    from .errors import ConnectionClosed
    from .incoming import IncomingMessage
    from .outgoing import OutgoingMessage
    from .request import WebSocketRequest


class IMessageReceiver(Interface):
    """
    Gets the messages of one connection.

    It sees exactly one C{makeConnection}, then any number of messages, then exactly
    one C{connectionLost}; even if the peer left before its request was accepted.
    When one of its methods raises, the exception is logged and the connection closes
    with 1011.
    """

    def makeConnection(transport: Any) -> None:
        """
        The connection is open.

        @param transport: an L{IWebSocketTransport}.
        """

    def messageReceived(message: str | bytes) -> object:
        """
        A message came.

        @param message: C{str} if it is text, C{bytes} if it is binary.
        @return: a Deferred, or a coroutine, if it takes time; else anything else.
            While C{concurrentMessages} are at work, the next wait; when there are
            C{maxPendingMessages} or C{maxPendingBytes} of them, the connection is not
            read from.  One that fails counts as a method that raises.  Messages that
            came before the end of the connection are still delivered after it, if the
            peer brought it about; C{connectionLost} follows when they are done, or
            after C{closeTimeout} seconds, when they are cancelled.
        """

    def connectionLost(reason: Failure) -> object:
        """
        The connection is gone.

        @param reason: wraps a L{twisted_ws.ClosedCleanly} or a
            L{twisted_ws.ClosedAbruptly}, which carry the close code.
        """


class IStreamReceiver(IMessageReceiver):
    """
    A receiver that may take messages piece by piece, however long they are.
    """

    def messageBegan(message: IncomingMessage) -> object:
        """
        A message begins.  What C{message.deliverTo} is called for here comes to the
        consumer given to it; another comes to C{messageReceived}, when it is complete.
        It does not wait for messages that are at work still.

        @param message: an L{IncomingMessage<twisted_ws.incoming.IncomingMessage>}.
        @return: a Deferred, or a coroutine, whose failure counts as that of a method
            that raises, but for L{CancelledError
            <twisted.internet.defer.CancelledError>}; else anything else.  A coroutine
            has to take the message before it waits for anything.
        """


class IFrameReceiver(IMessageReceiver):
    """
    Gets data frames instead of messages, under a configuration with
    C{assembleFragments=False}.
    """

    def frameReceived(frame: Frame) -> object:
        """
        A data frame came.  Its order, its sizes and its text were checked as those
        of messages are.

        @param frame: a L{twisted_ws.Frame}; its opcode is 0 if it continues a message
            and C{fin} is true if it ends one.
        """


class IControlReceiver(Interface):
    """
    Is told of pings and pongs too.  Provided by a receiver, or not; that is looked
    up once, when the request is accepted.
    """

    def pingReceived(payload: bytes) -> object:
        """
        A ping came.

        @return: C{True} if the application answers it itself, by
            C{transport.pong(payload)}, or not at all; else it is answered now.
        """

    def pongReceived(payload: bytes) -> object:
        """
        A pong came; also one that answers no ping.
        """


class IWebSocketTransport(Interface):
    """
    An open WebSocket, as its receiver sees it.
    """

    request = Attribute("The L{WebSocketRequest}; C{None} on clients.")
    protocol = Attribute("The subprotocol in use, or C{None}.")
    extensions = Attribute("The L{IExtension}s in use, a tuple.")
    config = Attribute("The configuration in force.")
    state = Attribute("An L{int}: C{OPEN}, C{CLOSING}, C{DISCARDING} or C{CLOSED}.")
    isPaused = Attribute("Whether nothing is read: C{pauseProducing}, or a limit.")
    bufferedAmount = Attribute(
        "Bytes that were sent and that the operating system has not taken yet: payload"
        " of messages that wait here, and frames in the buffers of the carrier, those"
        " of TLS included."
    )
    messagesDropped = Attribute("Messages that C{slowReaderPolicy} has dropped.")
    messagesCoalesced = Attribute(
        "Messages whose place a newer one with the same key has taken."
    )

    def sendMessage(
        message: str | bytes, compress: bool | None = None, key: Hashable = None
    ) -> Deferred[None]:
        """
        Send C{str} as text, C{bytes} as binary.  While the peer reads slower than we
        send, messages wait, up to C{maxSendBuffer}; what becomes of more is
        C{slowReaderPolicy}.

        @param compress: C{False} to keep extensions from compressing it: for secrets
            beside what others have written (RFC 7692 section 8), and for what is
            compressed already.  C{True} to compress it however short it is; C{None}
            as they are configured.  Of no effect where nothing compresses.
        @param key: what the message is about, under C{slowReaderPolicy="coalesce"}: it
            takes the place of a message with the same key that still waits.
        @return: a Deferred that fires when the message was handed on to the carrier:
            it has fired already, if nothing waits.  So to await it, or to return it
            from C{messageReceived}, is to send no faster than the peer reads.  That one
            is shared, and gives a new Deferred to each callback: so chain these calls,
            C{sent.addCallback(...).addErrback(...)}.  It fails
            with L{MessageDropped<twisted_ws.errors.MessageDropped>}, or with
            L{twisted_ws.ConnectionClosed} when it cannot be told any more that the
            peer will get it; if nobody looks, that is no error.
        @raise ConnectionNotOpen: when the connection is closing or closed.
        @raise IllegalFrame: while a message is being sent piece by piece.
        """

    def trySend(message: str | bytes, compress: bool | None = None) -> bool:
        """
        Send a message, unless C{sendHighWater} bytes wait already.

        @return: whether it was sent.
        @raise ConnectionNotOpen: when the connection is closing or closed.
        @raise IllegalFrame: while a message is being sent piece by piece.
        """

    def sendFrame(frame: Frame) -> Deferred[None]:
        """
        Send one frame as it is.  Pings and pongs overtake messages that wait.

        @return: as of C{sendMessage}.
        @raise ConnectionNotOpen: when the connection is closing or closed.
        @raise IllegalFrame: when RFC 6455 forbids it.
        """

    def beginMessage(
        opcode: int | None = None, compress: bool | None = None
    ) -> OutgoingMessage:
        """
        Begin a message whose pieces are sent as they are written.

        @param opcode: C{Opcode.TEXT} or C{Opcode.BINARY}; if C{None}, the type of
            the first piece decides.
        @param compress: as of C{sendMessage}.
        """

    def ping(payload: bytes | None = None) -> Deferred[float]:
        """
        Measure the round trip.

        @param payload: at most 125 bytes; if C{None}, four that no other ping has.
        @return: a Deferred of seconds.  It fails with
            L{twisted_ws.ConnectionClosed} if the connection ends first.
        """

    def pong(payload: bytes = b"") -> None:
        """
        Send a pong.
        """

    def close(code: int = 1000, reason: str = "") -> None:
        """
        Close the connection: send a Close frame, wait up to C{closeTimeout} seconds
        for the peer's.  Does nothing when it is closing already.

        @raise IllegalFrame: when code or reason must not be sent.
        """

    def loseConnection() -> None:
        """
        C{close()}, in the words of L{ITransport}.
        """

    def abortConnection() -> None:
        """
        Drop the carrier now, with what it has not sent yet.
        """

    def getPeer() -> IAddress:
        """
        The address of the peer's end of the carrier.
        """

    def getHost() -> IAddress:
        """
        The address of our end of the carrier.
        """

    def pauseProducing() -> None:
        """
        Deliver nothing more for now.  The peer feels it when the operating system's
        buffers are full.
        """

    def resumeProducing() -> None:
        """
        Go on delivering.
        """

    def stopProducing() -> None:
        """
        C{loseConnection()}, in the words of L{IPushProducer}.
        """

    def registerProducer(producer: Any, streaming: bool) -> None:
        """
        Have a producer of messages paused while the peer reads slower than it
        sends.

        @raise RuntimeError: when one is registered.
        """

    def unregisterProducer() -> None:
        """
        The producer has sent all it had.
        """

    def whenWritable() -> Deferred[None]:
        """
        @return: a Deferred that fires when C{sendLowWater} bytes or fewer wait to be
            sent: at once, if C{sendHighWater} was not reached.  It fails with
            L{twisted_ws.ConnectionClosed}.
        """

    def whenClosed() -> Deferred[ConnectionClosed]:
        """
        @return: a Deferred that fires when the connection is gone, with the
            L{twisted_ws.ConnectionClosed} that says how.  It does not fail.
        """


class IWebSocketResource(Interface):
    """
    An application that finds the application for a request; a node of a tree that
    is walked as L{twisted.web.resource.getChildForRequest} does.
    """

    isLeaf = Attribute("Whether to stop here, with path segments left.")

    def getChildWithDefault(name: bytes, request: WebSocketRequest) -> Any:
        """
        @param name: the next path segment, percent-decoded.
        @return: the L{IWebSocketResource} for it.
        """

    def putChild(name: bytes, child: Any) -> None:
        """
        Set the L{IWebSocketResource} for a path segment.
        """

    def requestReceived(request: WebSocketRequest) -> object:
        """
        The path ends here: answer the request, now or later.

        @return: a Deferred or a coroutine that answers it, or anything else.
        """


class IUpgrader(Interface):
    """
    Answers a request on the carrier it came by.
    """

    clock: IReactorTime = Attribute("The L{IReactorTime} of the connection.")
    budget: Budget = Attribute("What all connections of the server may hold.")

    def upgrade(
        headers: Iterable[tuple[bytes, bytes]],
        connection: WebSocketConnection,
        receiver: Any,
    ) -> None:
        """
        Send C{101 Switching Protocols} with these header fields, hand the carrier to
        the connection, and the connection to the receiver.
        """

    def refuse(response: bytes) -> None:
        """
        Send a whole HTTP response and end the carrier.
        """


class ICarrier(ITransport):
    """
    What carries the bytes of a WebSocket: a TCP, TLS or UNIX transport, or whatever
    has these methods of theirs.
    """

    def abortConnection() -> None:
        """
        See L{twisted.internet.interfaces.ITCPTransport.abortConnection}.
        """

    def registerProducer(producer: Any, streaming: bool) -> None:
        """
        See L{twisted.internet.interfaces.IConsumer.registerProducer}.
        """

    def unregisterProducer() -> None:
        """
        See L{twisted.internet.interfaces.IConsumer.unregisterProducer}.
        """

    def pauseProducing() -> None:
        """
        See L{twisted.internet.interfaces.IPushProducer.pauseProducing}.
        """

    def resumeProducing() -> None:
        """
        See L{twisted.internet.interfaces.IPushProducer.resumeProducing}.
        """


Parameters = Mapping[str, "str | None"]
"""
The parameters of an extension (RFC 6455 section 9.1) by name: C{None} for one without
a value; a value is a token, without quotes.
"""


class IExtensionFactory(Interface):
    """
    Negotiates an extension (RFC 6455 section 9), for both roles and any number of
    connections.

    What it is asked for comes from the peer: each name once, since an element that
    repeats one is refused before; but nothing else is known of it.
    """

    name = Attribute("What it is called in Sec-WebSocket-Extensions: a token.")

    def offers() -> Sequence[Parameters]:
        """
        For clients: what to offer.

        @return: the parameters of each offer, the most wanted first.
        """

    def accept(parameters: Parameters) -> tuple[Parameters, IExtension] | None:
        """
        For servers: judge one offer.

        @return: the parameters of the answer, and the extension; or C{None} to
            decline, because the offer breaks the extension's rules or is not wanted:
            then the client's next offer of that name is asked for.
        """

    def accepted(parameters: Parameters) -> IExtension:
        """
        For clients: a server has accepted one of C{offers}.

        @raise InvalidUpgrade: when it may not answer so.
        """


class IExtension(Interface):
    """
    One side of an extension in use on one connection: it changes the payloads of data
    frames, and marks those that it has changed by reserved bits.  It never sees a
    control frame; these come between the frames of a message.

    An exception that is no L{twisted_ws.ProtocolViolation} is logged and closes the
    connection with 1011.

    It may have one attribute more, C{sharedKey}, which is read once: something hashable
    that is equal for all extensions of its name that make the same of the same whole
    message, whatever they were given before.  Then C{encode} need not be called for a
    message that another of them was given.  C{None}, or none, is right for all others.
    """

    name = Attribute("That of its factory.")
    rsv = Attribute(
        "The reserved bits that it claims: an or of C{RSV1}, C{RSV2} and C{RSV3}; 0 for"
        " none.  Two extensions that claim one bit are not used together."
    )
    perMessage = Attribute(
        "True if it changes messages (as RFC 7692 has it): its bits are on the first"
        " frame of a message only, and what it made of one may be cut into other"
        " frames.  False if it changes frames, each of which may have its bits."
    )

    def connectionMade(clock: IReactorTime) -> None:
        """
        The connection is open; called once, before any frame.
        """

    def encode(frame: Frame) -> Frame:
        """
        Change a data frame that is to be sent.

        @param frame: a whole message if C{fin} is true and its opcode is not 0.
        @return: the frame with another payload, and more of the bits in C{rsv}; else
            as it was.
        """

    def decode(frame: Frame, maxSize: int) -> Frame:
        """
        Change a data frame that came back to what the peer's C{encode} was given.

        @param maxSize: the bytes that its payload may have then.
        @return: the frame with another payload, and without the bits in C{rsv}; else
            as it was.
        @raise PayloadTooBig: when the payload would be longer than C{maxSize}; to
            find out must not take more memory than that.
        @raise ProtocolViolation: when the peer breaks the extension's rules.
        """

    def connectionLost() -> None:
        """
        The connection is gone; called once.  Nothing may be left behind.
        """
