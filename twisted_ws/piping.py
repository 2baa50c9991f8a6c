# -*- test-case-name: tests.test_piping -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Relaying from one connection to another, no faster than the slower of the two.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ._wire.closing import CloseCode
from ._wire.errors import ConnectionNotOpen
from ._wire.frames import Frame
from .delivery import SENT
from .errors import ConnectionClosed, MessageDropped
from .pending import forgetFrames
from .receiver import Inbox


def pipe(source: Inbox, sink: Any) -> Deferred[ConnectionClosed]:
    """
    Send all that comes into C{source} to C{sink}, until one of them ends; then close
    the other with the same code and reason.  For both directions, call it twice::

        async def relay(request):
            upstream = await connect(url, protocols=request.requestedProtocols)
            downstream = Inbox()
            request.accept(downstream, upstream.transport.protocol)
            pipe(downstream, upstream.transport)
            pipe(upstream, downstream.transport)

    Each message is handed on before the next is taken, and an inbox that is full pauses
    its connection: so however much is relayed, no more is held than C{source}'s
    C{maxPendingBytes} and what the carriers hold.  Under C{assembleFragments=False},
    frames are relayed one by one, and a message may be of any length.

    @param source: an inbox that nothing else takes messages from.
    @param sink: an L{IWebSocketTransport
        <twisted_ws.interfaces.IWebSocketTransport>}.
    @return: a Deferred that fires with the L{ConnectionClosed} of the connection that
        ended first.  Cancelling it ends the relaying, and leaves both connections open.
    """
    return Deferred.fromCoroutine(_relay(source, sink)).addErrback(_failed)


async def _relay(source: Inbox, sink: Any) -> ConnectionClosed:
    # While there is nothing to relay, only this tells that the sink is gone.
    sinkEnded = sink.whenClosed()
    sinkEnded.addCallbacks(partial(_close, source.transport), _ignore)
    try:
        first = None
        while first is None:
            first = await _relayOne(source, sink)
        if sinkEnded.called:
            # So the source was closed by us.
            first = sink
        ended: ConnectionClosed = await first.whenClosed()
    finally:
        sinkEnded.cancel()
    for connection in (source.transport, sink):
        _close(connection, ended)
    return ended


async def _relayOne(source: Inbox, sink: Any) -> Any:
    """
    @return: the connection that is over, if one is.
    """
    try:
        # This one leaves no cycle of frames behind when the connection ends.
        message = await source.__anext__()
    except (StopAsyncIteration, ConnectionClosed):
        return source.transport
    try:
        if isinstance(message, Frame):
            sent = sink.sendFrame(message)
        else:
            sent = sink.sendMessage(message)
    except ConnectionNotOpen:
        return sink
    if sent is SENT:
        return None
    error = await sent.addErrback(_trapped)
    return sink if isinstance(error, ConnectionClosed) else None


def _trapped(failure: Failure) -> Any:
    """
    @return: what is no error for us, to be awaited as a result: as a failure it would
        hold the frames that await it in a cycle.
    """
    # What was dropped was dropped as the sink's slowReaderPolicy says.
    failure.trap(ConnectionClosed, MessageDropped)
    return failure.value


def _failed(failure: Failure) -> Failure:
    """
    What is reported must not keep the connections alive.
    """
    forgetFrames(failure)
    return failure


def _ignore(cancelled: Failure) -> None:
    """
    We wait no longer for the end of a sink.
    """


def _close(connection: Any, ended: ConnectionClosed) -> None:
    """
    Close a connection as another one was closed, if it is open.
    """
    closing = ended.received or ended.sent
    if closing is not None:
        connection.close(closing.code, closing.reason)
    else:
        connection.close(CloseCode.BAD_GATEWAY, "the other side was lost")
