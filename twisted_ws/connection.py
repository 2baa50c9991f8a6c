# -*- test-case-name: tests.test_connection -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
An open WebSocket: the L{Framer<twisted_ws._wire.framer.Framer>} with a carrier
below it, a receiver above it, and a clock beside it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ._wire.chain import Chain
from ._wire.errors import ConnectionNotOpen, ProtocolViolation
from ._wire.framer import Framer
from ._wire.frames import Frame, Opcode
from ._wire.state import Action, Event, State
from .carrier import endSending, isTCP
from .config import ConnectionConfig
from .ending import explain
from .errors import ConnectionClosed
from .interfaces import IExtension, IWebSocketTransport
from .keepalive import Keepalive
from .outgoing import OutgoingMessage, SendGate
from .pings import Pings

if TYPE_CHECKING:
    from .request import WebSocketRequest


def _ignore(*ignored: object) -> None:
    """
    Takes the place of the carrier's and the receiver's methods when they are gone.
    """


@implementer(IWebSocketTransport)
class WebSocketConnection(Framer):
    """
    Made when a request is accepted, or when a server accepted ours; given to the
    receiver as its C{transport}.

    @ivar request: the L{WebSocketRequest}, or C{None} on clients.
    @ivar protocol: the subprotocol in use, or C{None}.
    @ivar extensions: the L{IExtension<twisted_ws.interfaces.IExtension>}s in use, in
        the order in which they change what is sent.
    @ivar config: the configuration in force.
    @ivar receiver: gets the messages.
    @ivar state: a L{State<twisted_ws._wire.state.State>}; C{0} is open.
    @ivar bytesReceived: bytes received after the handshake.
    """

    _log = Logger()

    def __init__(
        self,
        config: ConnectionConfig,
        clock: IReactorTime,
        protocol: str | None = None,
        request: WebSocketRequest | None = None,
        extensions: tuple[IExtension, ...] = (),
    ) -> None:
        self._isServer = request is not None
        chain = Chain(extensions) if extensions else None
        Framer.__init__(self, self._isServer, config, chain)
        self.config = config
        self.request = request
        self.protocol = protocol
        self.extensions = extensions
        self.receiver: Any = None
        self._clock = clock
        self._carrier: Any = None
        self._pingReceived: Callable[[bytes], object] | None = None
        self._pongReceived: Callable[[bytes], object] | None = None
        self._gate = SendGate(clock, self._receiverFailed)
        self._gateRegistered = False
        self._keepalive: Keepalive | None = None
        self._closeTimer: IDelayedCall | None = None
        self._pings = Pings(clock)
        self._pauses = 0
        self._owedPong: bytes | None = None
        self._detail = ""
        self._cause: BaseException | None = None
        self._ended: ConnectionClosed | None = None
        self._waiting: list[Deferred[ConnectionClosed]] = []
        self._listedIn: set[WebSocketConnection] | None = None

    def __repr__(self) -> str:
        peer = None if self._carrier is None else self._carrier.getPeer()
        return f"<WebSocketConnection {State(self.state).name} {peer}>"

    # Beginning

    def connect(self, carrier: Any, receiver: Any) -> None:
        """
        Begin.  For upgraders: the handshake is done and C{carrier} is ours.

        @param carrier: an L{ICarrier<twisted_ws.interfaces.ICarrier>}; what it
            receives from now on goes to C{dataReceived}, its loss to
            C{connectionLost}.
        @param receiver: an L{IMessageReceiver
            <twisted_ws.interfaces.IMessageReceiver>}.
        """
        self._carrier = carrier
        self._write = carrier.write
        carrier.registerProducer(self._gate, True)
        self._gateRegistered = True
        native = self.config.useNativeKeepalive
        if isTCP(carrier):
            carrier.setTcpNoDelay(self.config.disableNagleAlgorithm)
            if native:
                carrier.setTcpKeepAlive(True)
        if self.config.keepalive and not native:
            self._keepalive = Keepalive(self, self._clock)
        self._attach(receiver)

    def _attach(self, receiver: Any) -> None:
        self.receiver = receiver
        try:
            for extension in self.extensions:
                extension.connectionMade(self._clock)
        except Exception:
            self._extensionFailed()
        try:
            # Not by interface: what stands in for a receiver, as ClientService's
            # proxy does, hands on its methods but not what it provides.
            self._pingReceived = getattr(receiver, "pingReceived", None)
            self._pongReceived = getattr(receiver, "pongReceived", None)
            whole = self.config.assembleFragments
            wanted = "messageReceived" if whole else "frameReceived"
            deliver = getattr(receiver, wanted, None)
            self._deliver = deliver or _ignore
            receiver.makeConnection(self)
            if deliver is None:
                raise AttributeError(f"{type(receiver).__name__} has no {wanted}")
            if iscoroutinefunction(deliver):
                # It would never run, and each message would be lost without a word.
                raise TypeError(
                    f"{type(receiver).__name__}.{wanted} is a coroutine function;"
                    " to await messages, use an Inbox"
                )
        except BaseException:
            self._receiverFailed()

    def neverConnected(self, receiver: Any) -> None:
        """
        End before beginning.  For requests that are accepted after their peer left:
        the receiver sees a connection, and its end.
        """
        self.state = State.DISCARDING
        self._halted = True
        self._detail = "the peer left before its request was accepted"
        self._attach(receiver)
        self.connectionLost(Failure(ConnectionDone()))

    @property
    def avatar(self) -> Any:
        """
        Whom the request was authenticated as, or C{None}.
        """
        return None if self.request is None else self.request.avatar

    # Addresses

    def getPeer(self) -> IAddress:
        """
        See L{IWebSocketTransport.getPeer}.
        """
        if self._carrier is None and self.request is not None:
            return self.request.peer
        address: IAddress = self._carrier.getPeer()
        return address

    def getHost(self) -> IAddress:
        """
        See L{IWebSocketTransport.getHost}.
        """
        if self._carrier is None and self.request is not None:
            return self.request.localAddress
        address: IAddress = self._carrier.getHost()
        return address

    # Sending

    def beginMessage(
        self, opcode: int | None = None, compress: bool | None = None
    ) -> OutgoingMessage:
        """
        See L{IWebSocketTransport.beginMessage}.

        @raise ConnectionNotOpen: when the connection is closing or closed.
        """
        if self.state != State.OPEN or self._sequence.opcode:
            self._refuseMessage()
        return OutgoingMessage(self.sendFrame, self._gate, opcode, compress)

    def ping(self, payload: bytes | None = None) -> Deferred[float]:
        """
        See L{IWebSocketTransport.ping}.

        @raise IllegalFrame: when C{payload} is longer than 125 bytes.
        """
        if self._ended is not None:
            return fail(self._ended.again())
        if payload is None:
            payload = self._pings.newPayload()
        try:
            self.sendFrame(Frame(Opcode.PING, payload))
        except ConnectionNotOpen as error:
            return fail(error)
        return self._pings.sent(payload)

    def pong(self, payload: bytes = b"") -> None:
        """
        See L{IWebSocketTransport.pong}.
        """
        self.sendFrame(Frame(Opcode.PONG, payload))

    def whenWritable(self) -> Deferred[None]:
        """
        See L{IWebSocketTransport.whenWritable}.
        """
        return self._gate.whenWritable()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """
        See L{IWebSocketTransport.registerProducer}.
        """
        self._gate.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """
        See L{IWebSocketTransport.unregisterProducer}.
        """
        self._gate.unregisterProducer()

    # Receiving

    @property
    def isPaused(self) -> bool:
        """
        Whether C{pauseProducing} is in force.
        """
        return self._paused

    @property
    def signsOfLife(self) -> int:
        """
        A number that has grown if the peer is alive: it sent something, or it made
        room for what we send; or if that cannot be told, as nothing was read from it.
        """
        return self.bytesReceived + self._gate.drained + self._pauses

    def pauseProducing(self) -> None:
        """
        See L{IWebSocketTransport.pauseProducing}.
        """
        self._pauseReceipt()
        if self._paused:
            self._pauses += 1
            self._carrier.pauseProducing()

    def resumeProducing(self) -> None:
        """
        See L{IWebSocketTransport.resumeProducing}.
        """
        self._resumeReceipt()
        if self._carrier is not None and not self._paused:
            self._carrier.resumeProducing()

    def stopProducing(self) -> None:
        """
        See L{IWebSocketTransport.stopProducing}.
        """
        self.loseConnection()

    def _pinged(self, payload: bytes) -> None:
        if self._pingReceived is not None:
            try:
                if self._pingReceived(payload) is True:
                    return
            except BaseException:
                self._receiverFailed()
        if self._gate.isOpen:
            Framer._pinged(self, payload)
            return
        # The peer does not read what we send it: of all its pings only the latest
        # needs an answer (RFC 6455 section 5.5.3).
        if self._owedPong is None:
            self._gate.whenWritable().addCallbacks(self._sendOwedPong, _ignore)
        self._owedPong = payload

    def _sendOwedPong(self, ignored: None) -> None:
        payload, self._owedPong = self._owedPong, None
        Framer._pinged(self, payload or b"")

    def _ponged(self, payload: bytes) -> None:
        self._pings.answered(payload)
        if self._pongReceived is not None:
            try:
                self._pongReceived(payload)
            except BaseException:
                self._receiverFailed()

    # Keepalive

    def sendKeepalivePing(self) -> None:
        """
        The peer was silent for C{keepaliveInterval}.
        """
        if self._gate.isOpen:
            self.sendFrame(Frame(Opcode.PING))

    def peerIsSilent(self) -> None:
        """
        The peer was silent for C{keepaliveGracePeriod} after a ping, too.
        """
        config = self.config
        self._detail = (
            "the peer sent nothing for keepaliveInterval"
            f" ({config.keepaliveInterval:g} s), nor within keepaliveGracePeriod"
            f" ({config.keepaliveGracePeriod:g} s) after a ping"
        )
        self._log.info("{connection!r}: {detail}", connection=self, detail=self._detail)
        self.abortConnection()

    # Ending

    def loseConnection(self) -> None:
        """
        See L{IWebSocketTransport.loseConnection}.
        """
        self.close()

    def abortConnection(self) -> None:
        """
        See L{IWebSocketTransport.abortConnection}.
        """
        if self._happened(Event.TIMEOUT) is Action.ABORT:
            self._detail = self._detail or "we aborted the connection"
            self._leaveOpen()
            self._abortCarrier()

    def whenClosed(self) -> Deferred[ConnectionClosed]:
        """
        See L{IWebSocketTransport.whenClosed}.
        """
        if self._ended is not None:
            return succeed(self._ended)

        waiting: Deferred[ConnectionClosed] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        return waiting

    def listIn(self, connections: set[WebSocketConnection]) -> None:
        """
        Be in a set until the connection is gone.  For factories.
        """
        connections.add(self)
        self._listedIn = connections

    def _leaveOpen(self) -> None:
        """
        The connection is not open any more: from now on a clock runs.
        """
        if self._closeTimer is None:
            self._closeTimer = self._clock.callLater(
                self.config.closeTimeout, self._closeTimedOut
            )
        if self._keepalive is not None:
            self._keepalive.stop()
            self._keepalive = None
        self._gate.shut()

    def _closing(self) -> None:
        self._leaveOpen()
        # A carrier that is not read from hides the peer's Close frame, and its
        # leaving.
        self._carrier.resumeProducing()
        Framer._closing(self)

    def _discarding(self) -> None:
        self._leaveOpen()
        Framer._discarding(self)
        self._carrier.resumeProducing()
        self._unregisterGate()
        if not self._isServer:
            # The server drops the carrier first (RFC 6455 section 7.1.1).
            return
        if self.closeReceived is None:
            endSending(self._carrier)
        else:
            self._carrier.loseConnection()

    def _closeTimedOut(self) -> None:
        self._closeTimer = None
        if not self._detail:
            waited = f"closeTimeout ({self.config.closeTimeout:g} s)"
            self._detail = f"the peer did not finish within {waited}"
        self._happened(Event.TIMEOUT)
        self._abortCarrier()

    def _unregisterGate(self) -> None:
        """
        A carrier with a producer waits for it before it lets go; TLS for ever.
        """
        if self._gateRegistered:
            self._gateRegistered = False
            self._carrier.unregisterProducer()

    def _abortCarrier(self) -> None:
        if self._carrier is not None:
            self._unregisterGate()
            self._carrier.abortConnection()

    def _violated(self, violation: ProtocolViolation) -> None:
        self._cause = violation
        if self.closeSent is not None:
            self._detail = str(violation)
        hint = "" if violation.option is None else f" (option: {violation.option})"
        self._log.info(
            "{connection!r}: closing with {code}: {violation}{hint}",
            connection=self,
            code=violation.code,
            violation=violation,
            hint=hint,
        )
        Framer._violated(self, violation)

    def _receiverFailed(self) -> None:
        error = sys.exc_info()[1]
        if isinstance(error, ConnectionNotOpen) and self.state != State.OPEN:
            # It answered what came while the connection was closing already.
            self._log.debug("{connection!r}: {error}", connection=self, error=error)
            return
        self._log.failure(
            "{connection!r}: {receiver!r} failed",
            connection=self,
            receiver=self.receiver,
        )
        self._cause = self._cause or error
        Framer._receiverFailed(self)

    def _extensionFailed(self) -> None:
        self._log.failure("{connection!r}: an extension failed", connection=self)
        self._cause = self._cause or sys.exc_info()[1]
        Framer._extensionFailed(self)

    def connectionLost(self, reason: Failure) -> None:
        """
        The carrier is gone.  For upgraders.
        """
        if self._happened(Event.LOST) is not Action.END:
            return
        if self._closeTimer is not None:
            self._closeTimer.cancel()
            self._closeTimer = None
        if self._keepalive is not None:
            self._keepalive.stop()
            self._keepalive = None
        self._write = self._deliver = _ignore
        self._buffer = b""
        self._sink = self._wire = None
        self._endExtensions()
        self._ended = ended = explain(self, self._detail, self._cause, reason)
        self._gate.end(ended)
        self._pings.end(ended)
        try:
            self.receiver.connectionLost(Failure(ended))
        except BaseException:
            self._log.failure(
                "{receiver!r} failed in connectionLost", receiver=self.receiver
            )
        if self._listedIn is not None:
            self._listedIn.discard(self)
        while self._waiting:
            self._waiting.pop(0).callback(ended)
        self.receiver = self._pingReceived = self._pongReceived = None

    def _endExtensions(self) -> None:
        for extension in self.extensions:
            try:
                extension.connectionLost()
            except Exception:
                self._log.failure(
                    "{extension} failed in connectionLost", extension=extension.name
                )
