# -*- test-case-name: tests.test_connection -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
An open WebSocket: the L{Framer<twisted_ws._wire.framer.Framer>} with a carrier
below it, a receiver above it, and a clock beside it.

What comes in is the business of L{twisted_ws.reception}, what goes out that of
L{twisted_ws.transmission}; how it begins and ends is here.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ._wire.chain import Chain
from ._wire.errors import ConnectionNotOpen, ProtocolViolation
from ._wire.framer import Framer
from ._wire.state import Action, Event, State
from .budget import Budget
from .carrier import endSending, isTCP
from .config import ConnectionConfig
from .dropping import drop
from .eager import eagerly, readMore
from .ending import explain
from .errors import ConnectionClosed
from .interfaces import IExtension, IWebSocketTransport
from .pending import forgetFrames
from .reception import ignore
from .transmission import Transmission
from .watches import Watches

if TYPE_CHECKING:
    from .request import WebSocketRequest


@implementer(IWebSocketTransport)
class WebSocketConnection(Transmission):
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
    @ivar messagesSent: messages sent, or queued to be sent.
    """

    __slots__ = """
        __dict__ _budget _cause _closeTimer _detail _ended _isProducing _isServer
        _listedIn _waiting _watches carrier clock config extensions protocol request
    """.split()

    _log = Logger()

    def __init__(
        self,
        config: ConnectionConfig,
        clock: IReactorTime,
        protocol: str | None = None,
        request: WebSocketRequest | None = None,
        extensions: tuple[IExtension, ...] = (),
        budget: Budget | None = None,
    ) -> None:
        self._isServer = request is not None
        chain = Chain(extensions) if extensions else None
        Framer.__init__(self, self._isServer, config, chain)
        self.config = config
        self.clock = clock
        self.carrier: Any = None
        self._initReception()
        self.request = request
        self.protocol = protocol
        self.extensions = extensions
        self._initTransmission()
        self._budget = budget or Budget()
        self._isProducing = False
        self._watches: Watches | None = None
        self._closeTimer: IDelayedCall | None = None
        self._detail = ""
        self._cause: BaseException | None = None
        self._ended: ConnectionClosed | None = None
        self._waiting: list[Deferred[ConnectionClosed]] | None = None
        self._listedIn: set[WebSocketConnection] | None = None

    def __repr__(self) -> str:
        peer = None if self.carrier is None else self.carrier.getPeer()
        return f"<WebSocketConnection {State(self.state).name} {peer}>"

    # Beginning

    def connect(self, carrier: Any, receiver: Any, answer: bytes = b"") -> None:
        """
        Begin.  For upgraders: the handshake is done and C{carrier} is ours.

        @param carrier: an L{ICarrier<twisted_ws.interfaces.ICarrier>}; what it
            receives from now on goes to C{dataReceived}, its loss to
            C{connectionLost}.
        @param receiver: an L{IMessageReceiver
            <twisted_ws.interfaces.IMessageReceiver>}.
        @param answer: what ends the handshake; written before all else.
        """
        self.carrier = carrier
        self._connectWrite(*eagerly(carrier))
        readMore(carrier, 0)
        if answer:
            self._write(answer)
        carrier.registerProducer(self._outbox, True)
        self._isProducing = True
        if isTCP(carrier, self.getHost()):
            carrier.setTcpNoDelay(self.config.disableNagleAlgorithm)
            if self.config.useNativeKeepalive:
                carrier.setTcpKeepAlive(True)
        self._watches = Watches(self)
        self._attach(receiver)

    def _attach(self, receiver: Any) -> None:
        self.receiver = receiver
        try:
            for extension in self.extensions:
                extension.connectionMade(self.clock)
        except Exception:
            self._extensionFailed()
        try:
            self._bind(receiver)
        except BaseException:
            self._receiverFailed()

    def neverConnected(self, receiver: Any) -> None:
        """
        End before beginning.  For requests that are accepted after their peer left:
        the receiver sees a connection, and its end.
        """
        self.state = State.DISCARDING
        self._halted = True
        self._settle()
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
        if self.carrier is None and self.request is not None:
            return self.request.peer
        address: IAddress = self.carrier.getPeer()
        return address

    def getHost(self) -> IAddress:
        """
        See L{IWebSocketTransport.getHost}.
        """
        if self.request is not None:
            # A transport asks the system each time.
            return self.request.localAddress
        address: IAddress = self.carrier.getHost()
        return address

    # Limits

    def noted(self, what: str) -> None:
        """
        Something happened that is counted; see L{Budget}.
        """
        self._budget.counts[what] += 1

    def weigh(self) -> None:
        """
        What the connection holds has changed.
        """
        self._budget.holds(self, self._weight)

    @property
    def _weight(self) -> int:
        pending = 0 if self._pending is None else self._pending.held
        return self._outbox.held + self._reported + pending

    def _holdsPartially(self, size: int) -> None:
        self.weigh()

    def letGo(self, violation: ProtocolViolation) -> None:
        """
        Close the connection, and hold nothing more for it.
        """
        before = self._weight
        self._outbox.discard()
        if self.state < State.DISCARDING:
            self._violated(violation)
        if self._pending is not None:
            self._pending.discard()
        if self._stream is None:
            self._sink = self._wire = None
        self._reported = 0
        self.weigh()
        if self._outbox.held > before // 2:
            # What the carrier has it keeps, until the peer takes it.
            self.abortConnection()

    @property
    def signsOfLife(self) -> int:
        """
        A number that has grown if the peer is alive: it sent something, or it made
        room for what we send; or if that cannot be told, as nothing was read from it.
        """
        return self.bytesReceived + self._outbox.drained + self._pauses

    @property
    def timesDrained(self) -> int:
        """
        How often the carrier has become empty after it was full.
        """
        return self._outbox.drained

    @property
    def bytesLeft(self) -> int:
        """
        Bytes that a carrier without room still has of those it had when it became
        full.
        """
        return self._outbox.left

    def idle(self, why: str) -> None:
        """
        There were no messages for C{idleTimeout}.
        """
        self.noted("idle")
        self._log.info("{connection!r}: {why}", connection=self, why=why)
        self.close(1001, why)

    def giveUpOn(self, violation: ProtocolViolation) -> None:
        """
        Fail the connection of a peer for which more waits than it may.
        """
        self._violated(violation)

    @property
    def canPing(self) -> bool:
        """
        Whether a ping would not wait.
        """
        return self.isWritable

    def abandon(self, detail: str, what: str) -> None:
        """
        A watch found that it is no use to wait any longer.

        @param what: as what it counts, see L{Budget}.
        """
        self._detail = detail
        self.noted(what)
        self._log.info("{connection!r}: {detail}", connection=self, detail=detail)
        self.abortConnection()

    # Ending

    def stopProducing(self) -> None:
        """
        See L{IWebSocketTransport.stopProducing}.
        """
        self.close()

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
            if self._pending is not None:
                self._pending.discard()
            self._leaveOpen()
            self._abortCarrier()

    def whenClosed(self) -> Deferred[ConnectionClosed]:
        """
        See L{IWebSocketTransport.whenClosed}.
        """
        if self._ended is not None:
            return succeed(self._ended)

        if self._waiting is None:
            self._waiting = []
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
            self._closeTimer = self.clock.callLater(
                self.config.closeTimeout, self._closeTimedOut
            )
        self._stopWatching()
        if self._madeGate is not None:
            self._madeGate.shut()

    def _stopWatching(self) -> None:
        self._stopReception()
        if self._watches is not None:
            self._watches.stop()
            self._watches = None

    def _closing(self) -> None:
        self._leaveOpen()
        Transmission._closing(self)

    def _discarding(self) -> None:
        self._leaveOpen()
        Transmission._discarding(self)
        if self._holds:
            self.carrier.resumeProducing()
        self._flush()
        self._outbox.flush()
        self._stopProducing()
        if not self._isServer:
            # The server drops the carrier first (RFC 6455 section 7.1.1).
            return
        if self.closeReceived is None:
            endSending(self.carrier)
        else:
            drop(self.carrier)

    def _closeTimedOut(self) -> None:
        self._closeTimer = None
        if not self._detail:
            waited = f"closeTimeout ({self.config.closeTimeout:g} s)"
            self._detail = f"the peer did not finish within {waited}"
        self._happened(Event.TIMEOUT)
        self._abortCarrier()

    def _stopProducing(self) -> None:
        """
        A carrier with a producer waits for it before it lets go; TLS for ever.
        """
        if self._isProducing:
            self._isProducing = False
            self.carrier.unregisterProducer()

    def _abortCarrier(self) -> None:
        if self.carrier is not None:
            self._stopProducing()
            self._outbox.release()
            self.carrier.abortConnection()

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
        Transmission._violated(self, violation)

    def _failedWith(self, failure: Failure) -> None:
        error = failure.value
        if error is self._cause:
            # What was raised to us may come by a Deferred too.
            return
        quiet = isinstance(error, (ConnectionNotOpen, ConnectionClosed))
        if quiet and self.state != State.OPEN:
            # It answered what came while the connection was closing already.
            self._log.debug("{connection!r}: {error}", connection=self, error=error)
            forgetFrames(failure)
            return
        self._log.failure(
            "{connection!r}: {receiver!r} failed",
            failure=failure,
            connection=self,
            receiver=self.receiver,
        )
        if self._cause is None and self._ended is None:
            self._cause = error
        else:
            forgetFrames(failure)
        Transmission._failedWith(self, failure)

    def _extensionFailed(self) -> None:
        self._log.failure("{connection!r}: an extension failed", connection=self)
        self._cause = self._cause or sys.exc_info()[1]
        Transmission._extensionFailed(self)

    def connectionLost(self, reason: Failure) -> None:
        """
        The carrier is gone.  For upgraders.
        """
        if self._happened(Event.LOST) is not Action.END:
            return
        if self._closeTimer is None:
            self._stopWatching()
        else:
            # It was set when watching ended.
            self._closeTimer.cancel()
            self._closeTimer = None
        self._connectWrite(ignore)
        for extension in self.extensions:
            try:
                extension.connectionLost()
            except Exception:
                self._log.failure(
                    "{extension} failed in connectionLost", extension=extension.name
                )
        self._ended = ended = explain(self, self._detail, self._cause, reason)
        self._outbox.end(ended)
        if self._madeGate is not None:
            self._madeGate.end(ended)
        if self._madePings is not None:
            self._madePings.end(ended)
        self._reported = 0
        self._endReception(ended)
        self.weigh()
        if self._listedIn is not None:
            self._listedIn.discard(self)
        if self.request is not None:
            self.request.connectionEnded()
        while self._waiting:
            self._waiting.pop(0).callback(ended)
