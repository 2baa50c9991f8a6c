# -*- test-case-name: tests.test_limits -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A step before an application that bounds how much of it one client can have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from ipaddress import ip_address, ip_network

from twisted.logger import Logger

from .request import WebSocketRequest
from .sparing import SparingLog


def clientNetwork(request: WebSocketRequest) -> str:
    """
    @return: what stands for one client: its IPv4 address, or the 64 bits of its IPv6
        address that are its network's; a household has as many addresses below them
        as it likes.  Empty for all peers of UNIX sockets, unless C{trustedProxies}
        tell them apart.
    """
    address = request.remoteAddress
    try:
        isIPv6 = ip_address(address).version == 6
    except ValueError:
        return address
    return str(ip_network((address, 64), strict=False)) if isIPv6 else address


class LimitConnections:
    """
    A step that refuses with 429 (RFC 6585 section 4) who has C{most} requests and
    connections already that have passed it, and tells it to come again after the
    C{retryAfter} of L{ServerConfig<twisted_ws.ServerConfig>}::

        Steps([LimitConnections(20), authenticate, LimitConnections(5, byUser)], Chat)

    One step may stand before several applications, which then share it.  A request
    counts from this step until it is refused, or its connection has ended.

    @ivar most: a number of connections.
    """

    _log = Logger()

    def __init__(
        self,
        most: int,
        key: Callable[[WebSocketRequest], Hashable] = clientNetwork,
    ) -> None:
        """
        @param key: tells whose a request is; by default L{clientNetwork}.  Whatever
            is hashable will do: the C{avatar}, or a constant for all together.
        @raise ValueError: when C{most} is no whole number over 0.
        """
        if not isinstance(most, int) or isinstance(most, bool) or most < 1:
            raise ValueError(f"most is a whole number, 1 or more, not {most!r}")
        self.most = most
        self._key = key
        self._held: Counter[Hashable] = Counter()
        self._refusals = SparingLog(self._log)

    def __call__(self, request: WebSocketRequest) -> None:
        """
        Count the request, or refuse it.
        """
        key = self._key(request)
        if self._held[key] >= self.most:
            self._refusals.info(
                request.clock.seconds(),
                "{request!r} from {peer} refused: LimitConnections has {most} of"
                " {key!r} already",
                request=request,
                peer=request.peer,
                most=self.most,
                key=str(key)[:200],
            )
            request.reject(
                429,
                headers=[("Retry-After", str(request.config.retryAfter))],
                body=b"too many connections\n",
            )
            return
        self._held[key] += 1
        request.whenOver().addCallback(self._release, key)

    def _release(self, ignored: None, key: Hashable) -> None:
        self._held[key] -= 1
        if not self._held[key]:
            del self._held[key]
