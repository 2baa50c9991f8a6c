# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A C{WebSocketResource} behind L{twisted.web.distrib}, where the client is connected to
another process than the one that serves.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor as _installed
from twisted.internet.defer import Deferred
from twisted.spread.pb import PBServerFactory
from twisted.trial.unittest import TestCase
from twisted.web.distrib import ResourcePublisher, ResourceSubscription
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import Data

from twisted_ws import (
    MessageReceiver,
    UpgradeRejected,
    WebSocketClient,
    WebSocketFactory,
    WebSocketResource,
)

reactor: Any = _installed


class DistribTests(TestCase):
    """
    Two sites, one of which gets its requests from the other.
    """

    async def test_refused(self) -> None:
        """
        A request for a WebSocket is answered with 505 and a reason, and none is made.
        """
        factory = WebSocketFactory(MessageReceiver)
        root = Resource()
        root.putChild(b"ws", WebSocketResource(factory, Data(b"page", "text/plain")))
        publisher: Any = ResourcePublisher(Site(root))
        behind = reactor.listenTCP(0, PBServerFactory(publisher), interface="127.0.0.1")
        self.addCleanup(behind.stopListening)
        subscription = ResourceSubscription("127.0.0.1", behind.getHost().port)
        front = reactor.listenTCP(0, Site(subscription), interface="127.0.0.1")
        self.addCleanup(front.stopListening)
        url = f"ws://127.0.0.1:{front.getHost().port}/ws"
        connecting: Deferred[Any] = WebSocketClient(reactor).connect(url)
        with self.assertRaises(UpgradeRejected) as refused:
            await connecting
        self.assertEqual(refused.exception.status, 505)
        self.assertIn(b"twisted.web.distrib", refused.exception.body)
        self.assertEqual(factory.connections, set())
        subscription.publisher.broker.transport.loseConnection()
        gone: Deferred[None] = Deferred()
        subscription.publisher.notifyOnDisconnect(lambda reference: gone.callback(None))
        await gone
