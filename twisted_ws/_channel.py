# -*- test-case-name: tests.test_channel -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Taking a connection over from Twisted's HTTP server.

Twisted has no public way to do that.  All that is touched for it without being
documented is in this file, and L{TOUCHED} names it; C{tests/test_channel.py} holds
Twisted to each name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.python.failure import Failure

TOUCHED = (
    "HTTPChannel._dataBuffer",
    "HTTPChannel.requests",
    "HTTPChannel.dataReceived",
    "HTTPChannel.connectionLost",
    "HTTPChannel.clearLineBuffer",
    "HTTPChannel.setTimeout",
    "HTTPChannel.transport",
    "HTTPChannel.factory",
    "HTTPFactory.log",
    "Request.channel",
    "Request.code",
    "Request.content",
    "Request.notifications",
)
"""
What this file uses, of which Twisted's documentation does not say that it can be used
like this: C{_dataBuffer} are the bytes that came after the request while that is being
handled, C{requests} those that are being handled, C{notifications} the Deferreds of
C{notifyFinish}; C{dataReceived} and C{connectionLost} are set on the instance, and
called from there by what Twisted has put between it and its transport.
"""


def takeOver(
    request: Any,
    status: int,
    dataReceived: Callable[[bytes], object],
    connectionLost: Callable[[Failure], object],
) -> tuple[Any, bytes]:
    """
    Take a connection over from Twisted's HTTP server, at any time while it handles a
    request.

    @param request: a L{twisted.web.http.Request} on an L{HTTPChannel
        <twisted.web.http.HTTPChannel>}.
    @param status: what to write into its access log.
    @param dataReceived: gets what comes from now on.
    @param connectionLost: is told of the end.
    @return: the transport, without a producer; and the bytes that came after the
        request.
    """
    channel = request.channel
    transport = channel.transport
    channel.setTimeout(None)
    transport.unregisterProducer()
    early = b"".join(channel._dataBuffer) + channel.clearLineBuffer()
    channel._dataBuffer = []
    channel.requests.remove(request)
    request.code = status
    if channel.factory is not None:
        channel.factory.log(request)
    notifications, request.notifications = request.notifications, []
    request.content.close()
    request.channel = None

    def lost(reason: Failure) -> None:
        connectionLost(reason)
        # The transport lets go of the channel, but it would hold itself.
        del channel.dataReceived, channel.connectionLost
        channel.setTimeout(None)
        for each in notifications:
            each.errback(reason)

    channel.dataReceived = dataReceived
    channel.connectionLost = lost
    return transport, early
