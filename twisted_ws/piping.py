# -*- test-case-name: tests.test_piping -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Relaying from one connection to another, no faster than the slower of the two.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from ._wire.closing import CloseCode, isSendable
from ._wire.errors import ConnectionNotOpen
from ._wire.frames import Frame
from .errors import ConnectionClosed, MessageDropped
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
    return Deferred.fromCoroutine(_relay(source, sink))


async def _relay(source: Inbox, sink: Any) -> ConnectionClosed:
    while True:
        try:
            message = await source.receive()
        except ConnectionClosed as ended:
            _close(sink, ended)
            return ended.again()
        try:
            if isinstance(message, Frame):
                await sink.sendFrame(message)
            else:
                await sink.sendMessage(message)
        except MessageDropped:
            # As the sink's slowReaderPolicy says.
            pass
        except (ConnectionClosed, ConnectionNotOpen):
            gone: ConnectionClosed = await sink.whenClosed()
            _close(source.transport, gone)
            return gone


def _close(connection: Any, ended: ConnectionClosed) -> None:
    """
    Close a connection as another one was closed.
    """
    closing = ended.received or ended.sent
    if closing is not None and isSendable(closing.code):
        connection.close(closing.code, closing.reason)
    elif closing is not None:
        connection.close()
    else:
        connection.close(CloseCode.BAD_GATEWAY, "the other side was lost")
