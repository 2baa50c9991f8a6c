# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What the processes serve that are attacked: applications that take no care of anything.
"""

from __future__ import annotations

import time
from typing import Any

from twisted.internet import reactor as _installed
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from twisted_ws import ConnectionNotOpen, MessageReceiver, Router

reactor: Any = _installed

members: set[MessageReceiver] = set()


class Echo(MessageReceiver):
    """
    Sends back what it gets.
    """

    def messageReceived(self, message: Any) -> None:
        self.transport.sendMessage(message)


class Crowd(MessageReceiver):
    """
    Sends what it gets to everyone.
    """

    def connectionMade(self) -> None:
        members.add(self)

    def messageReceived(self, message: Any) -> None:
        for member in list(members):
            try:
                member.transport.sendMessage(message)
            except ConnectionNotOpen:
                pass

    def connectionLost(self, reason: Any = None) -> None:
        members.discard(self)


class Paused(MessageReceiver):
    """
    Does not read, from the beginning.
    """

    def connectionMade(self) -> None:
        self.transport.pauseProducing()


class Slow(MessageReceiver):
    """
    Takes a hundredth of a second for a message, and then sends it back.
    """

    def messageReceived(self, message: Any) -> Deferred[None]:
        later: Deferred[None] = deferLater(reactor, 0.01)
        return later.addCallback(lambda ignored: self.transport.sendMessage(message))


class Blocking(MessageReceiver):
    """
    Has nothing else happen for as many seconds as it is told.
    """

    def messageReceived(self, message: Any) -> None:
        time.sleep(float(message))
        self.transport.sendMessage("done")


def application() -> Router:
    """
    @return: all of them.
    """
    router = Router()
    router.mount("/", None, Echo)
    router.mount("/crowd", None, Crowd)
    router.mount("/paused", None, Paused)
    router.mount("/slow", None, Slow)
    router.mount("/blocking", None, Blocking)
    return router


everything = application()
