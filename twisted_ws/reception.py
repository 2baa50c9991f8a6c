# -*- test-case-name: tests.test_reception -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What comes in, no faster than the receiver takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ._wire.errors import ProtocolViolation
from ._wire.framer import Framer
from ._wire.gathering import notConnected
from ._wire.sender import UNLIMITED
from ._wire.state import State
from .config import ConnectionConfig
from .delivery import SENT
from .eager import readMore
from .errors import ConnectionClosed, MessageDropped
from .holds import Hold
from .incoming import IncomingMessage
from .pending import Pending, forgetFrames
from .pongs import Pongs

_NONE = Hold(0)


class Reception(Framer):
    """
    The receiving half of a connection.

    @ivar receiver: gets the messages.
    """

    __slots__ = """
        _finished _holds _incoming _isFinished _metered _meters _pauses _pending
        _pingReceived _pongReceived _pongs _rateTimer _toReceiver _turnTimer receiver
    """.split()

    _log = Logger()

    config: ConnectionConfig
    clock: IReactorTime
    carrier: Any

    def _initReception(self) -> None:
        self.receiver: Any = None
        self._toReceiver: Callable[[Any], object] = ignore
        self._pingReceived: Callable[[bytes], object] | None = None
        self._pongReceived: Callable[[bytes], object] | None = None
        self._holds = _NONE
        self._pauses = 0
        self._pongs: Pongs | None = None
        self._pending: Pending | None = None
        self._incoming: IncomingMessage | None = None
        self._meters: tuple[Any, ...] = ()
        self._metered = 0
        self._rateTimer: IDelayedCall | None = None
        self._turnTimer: IDelayedCall | None = None
        self._finished: list[Deferred[None]] | None = None
        self._isFinished = False

    def _bind(self, receiver: Any) -> None:
        """
        Find the methods of a receiver, and begin.
        """
        # Not by interface: what stands in for a receiver, as ClientService's
        # proxy does, hands on its methods but not what it provides.
        self._pingReceived = getattr(receiver, "pingReceived", None)
        self._pongReceived = getattr(receiver, "pongReceived", None)
        whole = self.config.assembleFragments
        wanted = "messageReceived" if whole else "frameReceived"
        deliver = getattr(receiver, wanted, None)
        self._toReceiver = deliver or ignore
        self._deliver = self._meter if self._meters else self._toReceiver
        if whole and getattr(receiver, "messageBegan", None) is not None:
            self._streaming = True
            self._whole = self._wholes = self._encodedWholes = False
        receiver.makeConnection(self)
        if deliver is None:
            raise AttributeError(f"{type(receiver).__name__} has no {wanted}")

    # No faster than the receiver takes it

    @property
    def isPaused(self) -> bool:
        """
        Whether the connection is not read from: because of C{pauseProducing}, or of
        a limit of C{config}.
        """
        return self._paused

    def pauseProducing(self) -> None:
        """
        See L{IWebSocketTransport.pauseProducing}.
        """
        self.hold(Hold.APPLICATION)

    def resumeProducing(self) -> None:
        """
        See L{IWebSocketTransport.resumeProducing}.
        """
        self.release(Hold.APPLICATION)

    def hold(self, why: Hold) -> None:
        """
        Read nothing more until C{release} is called with the same.
        """
        self._pauseReceipt()
        if self._paused:
            if not self._holds:
                self._pauses += 1
                self.carrier.pauseProducing()
            self._holds |= why

    def release(self, why: Hold) -> None:
        """
        Read again, if nothing else keeps us from it.
        """
        self._holds &= ~why
        if not self._holds:
            self._resumeReceipt()
            isGone = self.carrier is None or self.state == State.CLOSED
            if not isGone and not self._paused:
                self.carrier.resumeProducing()

    def _closing(self) -> None:
        dropsMore = self._holds & ~(Hold.CONGESTION | Hold.TURN | Hold.RATE)
        self._holds = Hold(0)
        # A carrier that is not read from hides the peer's Close frame, and its
        # leaving.
        self.carrier.resumeProducing()
        if dropsMore:
            Framer._closing(self)
        else:
            self._resumeReceipt()

    @property
    def waitsForTurn(self) -> bool:
        """
        Whether other connections have their turn, and then this one again.
        """
        return self._turnTimer is not None

    def _tookLong(self) -> None:
        if self.state == State.OPEN:
            self.hold(Hold.TURN)
            self._turnTimer = self.clock.callLater(0, self._turnComes)

    def _turnComes(self) -> None:
        self._turnTimer = None
        self.release(Hold.TURN)

    # Messages that take time

    def _route(self) -> Callable[[Any], object]:
        """
        @return: where a message goes next.
        """
        pending = self._pending
        return self._toReceiver if pending is None or pending.isIdle else pending.put

    def pendingChanged(self) -> None:
        """
        Messages have to wait for others from now on, or need not any more.
        """
        if self._deliver not in (notConnected, ignore) and not self._meters:
            self._deliver = self._route()

    def deliverNow(self, message: Any) -> None:
        """
        Deliver a message that waited.
        """
        try:
            result = self._toReceiver(message)
        except BaseException:
            self._receiverFailed()
        else:
            if result is not None:
                self._returned(message, result)

    def _returned(self, message: Any, result: Any) -> None:
        if result is SENT:
            return
        if isinstance(result, Coroutine):
            result = Deferred.fromCoroutine(result)
        if not isinstance(result, Deferred):
            return
        if hasFired(result) or self.receiver is None:
            result.addErrback(self.laterFailed)
            return
        if self._pending is None:
            self._pending = Pending(self)  # type: ignore[arg-type]
        self._pending.begun(message, result)

    def laterFailed(self, failure: Failure) -> None:
        """
        What the receiver did about a message failed after a while.
        """
        if failure.check(MessageDropped):
            forgetFrames(failure)
        else:
            self._failedWith(failure)

    def _receiverFailed(self) -> None:
        self._failedWith(Failure())

    def _failedWith(self, failure: Failure) -> None:
        """
        The receiver failed, now or later.
        """
        if self._pending is not None:
            self._pending.discard()
        Framer._receiverFailed(self)

    # Messages that are taken piece by piece

    def _streamFor(self, opcode: int) -> IncomingMessage | None:
        if self._deliver is notConnected:
            # It closes, and the receiver wants nothing more.
            return None
        incoming = IncomingMessage(self, opcode)  # type: ignore[arg-type]
        try:
            result = self.receiver.messageBegan(incoming)
        except BaseException:
            self._receiverFailed()
        else:
            if isinstance(result, Coroutine):
                result = Deferred.fromCoroutine(result)
            if isinstance(result, Deferred):
                result.addErrback(self._takingFailed)
        incoming.began()
        if not incoming.isTaken:
            return None
        self._incoming = incoming
        most = incoming.maxSize
        self._mostStreamed = UNLIMITED if most is None else most
        if self._meters:
            self._slowDown("messageReceived")
        return incoming

    def _takingFailed(self, failure: Failure) -> None:
        if failure.check(CancelledError):
            # The rest of the message is dropped, which was asked for.
            forgetFrames(failure)
        else:
            self.laterFailed(failure)

    def pieceCame(self) -> None:
        """
        A piece came of a message that is taken piece by piece.

        @raise ProtocolViolation: when it came too fast.
        """
        if self._meters:
            self._slowDown("bytesReceived")

    def streamFailed(self) -> None:
        """
        What takes a message piece by piece raised; called while that exception is
        handled.
        """
        self._receiverFailed()

    # Messages that come too fast

    def meter(self, meter: Any) -> None:
        """
        Have what comes in counted.  For steps; to be called before there is a
        receiver.

        @param meter: has C{messageReceived}, C{pingReceived} and, for pieces of
            messages, C{bytesReceived}.  They take the bytes that came since the last
            call of any of them, and return for how many seconds the connection is not
            to be read from, mostly C{0.0}; or raise a L{ProtocolViolation} to fail it.
        """
        self._meters += (meter,)

    def _meter(self, message: Any) -> object:
        # A violation must not be taken for a failure of the receiver's.
        try:
            self._slowDown("messageReceived")
        except ProtocolViolation as violation:
            self._violated(violation)
            return None
        return self._route()(message)

    def _slowDown(self, what: str) -> None:
        size = self.bytesReceived - self._metered
        self._metered = self.bytesReceived
        seconds = max(getattr(meter, what)(size) for meter in self._meters)
        if seconds > 0 and self.state == State.OPEN:
            self.hold(Hold.RATE)
            if self._rateTimer is not None:
                self._rateTimer.cancel()
            self._rateTimer = self.clock.callLater(seconds, self._rateIsOver)

    def _rateIsOver(self) -> None:
        self._rateTimer = None
        self.release(Hold.RATE)

    def _readMore(self, size: int) -> None:
        readMore(self.carrier, size)

    # Pings and pongs

    def _pinged(self, payload: bytes) -> None:
        if self._meters:
            self._slowDown("pingReceived")
        if self._pingReceived is not None:
            try:
                if self._pingReceived(payload) is True:
                    return
            except BaseException:
                self._receiverFailed()
        if self.state != State.OPEN:
            return
        if self._pongs is None:
            rate = self.config.maxPongRate
            self._pongs = Pongs(
                rate, self.clock, self._answerPing, lambda: self.hasRoom
            )
        self._pongs.pinged(payload)

    @property
    def hasRoom(self) -> bool:
        """
        Whether the carrier has room.
        """
        raise NotImplementedError

    def _answerPing(self, payload: bytes) -> None:
        Framer._pinged(self, payload)

    # The end

    def _stopReception(self) -> None:
        """
        The connection is not open any more.
        """
        if self._pongs is not None:
            self._pongs.stop()
        for timer in (self._rateTimer, self._turnTimer):
            if timer is not None:
                timer.cancel()
        self._rateTimer = self._turnTimer = None

    def _endReception(self, ended: ConnectionClosed) -> None:
        """
        The carrier is gone: tell the receiver, when it has had what came before.
        """
        self._deliver = ignore
        self._buffer = b""
        self._sink = self._wire = self._stream = None
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            incoming.fail(ended)
        pending = self._pending
        if pending is None:
            self._tellEnd(ended)
        else:
            pending.end(lambda: self._tellEnd(ended))

    def _tellEnd(self, ended: ConnectionClosed) -> None:
        receiver, self.receiver = self.receiver, None
        self._toReceiver = ignore
        self._pingReceived = self._pongReceived = self._pending = self._pongs = None
        try:
            receiver.connectionLost(Failure(ended))
        except BaseException:
            self._log.failure(
                "{receiver!r} failed in connectionLost", receiver=receiver
            )
        self._isFinished = True
        finished, self._finished = self._finished, None
        for each in finished or ():
            each.callback(None)

    def whenFinished(self) -> Deferred[None]:
        """
        @return: a Deferred that fires when the receiver was told of the end, after all
            that it had to be told before.  For factories.
        """
        if self._isFinished:
            return succeed(None)
        finished: Deferred[None] = Deferred()
        if self._finished is None:
            self._finished = []
        self._finished.append(finished)
        return finished

    def stopWaiting(self) -> None:
        """
        Tell the receiver of the end at once, whatever it is at work on.
        """
        if self._pending is not None:
            self._pending.hurry()


def hasFired(deferred: Deferred[Any]) -> bool:
    """
    Tell whether there is nothing left to wait for: a Deferred that was called may be
    waiting for another.
    """
    fired = False

    def note(result: object) -> object:
        nonlocal fired
        fired = True
        return result

    deferred.addBoth(note)
    return fired


def ignore(*ignored: object) -> None:
    """
    Takes the place of the carrier's and the receiver's methods when they are gone.
    """
