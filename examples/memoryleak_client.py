# -*- test-case-name: tests.examples.test_memoryleak -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The client of WebSocket-Node's pair that looks for leaks: N visitors that connect over
TLS, perhaps send something, leave after up to two seconds, and come again, for ever::

    python -m examples.memoryleak_client 100 --ca=FILE

C{examples.memoryleak_server} says which file.  Once a second it tells how many are
connected, and how much memory it has: a number that is to stop growing.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from itertools import repeat
from pathlib import Path
from random import random, randrange
from typing import Any

from twisted.application.internet import backoffPolicy
from twisted.internet.defer import (
    CancelledError,
    Deferred,
    FirstError,
    gatherResults,
)
from twisted.internet.task import LoopingCall, deferLater, react

from twisted_ws import (
    ConnectionNotOpen,
    Inbox,
    TLSPolicy,
    WebSocketClient,
)

from .memoryleak_server import memory

howLongToWait = backoffPolicy(initialDelay=0.5, maxDelay=30)


class Crowd:
    """
    All visitors.

    @ivar active: the connections that are open.
    @ivar opened: how many there were so far; C{sent}, C{received} and C{errors} are
        counted likewise.
    """

    def __init__(self, reactor: Any, options: Namespace, policy: TLSPolicy) -> None:
        self._reactor = reactor
        self.active: set[Any] = set()
        self.opened = self.sent = self.received = self.errors = 0
        self._lastError = ""
        self._url = f"wss://{options.host}:{options.port}/"
        self._client = WebSocketClient(reactor, tlsPolicy=policy)
        self._turns = repeat(None, options.connects)

    def __str__(self) -> str:
        return (
            f"active: {len(self.active)}, opened: {self.opened}, sent: {self.sent},"
            f" received: {self.received}, errors: {self.errors}{self._lastError},"
            f" memory: {memory():.1f} MiB"
        )

    def come(self, size: int) -> Deferred[Any]:
        """
        Have so many visitors come, go, and come again.

        @return: a Deferred that fires when all have left, and fails if not even one
            got in.  Cancel it to have them leave.
        """
        visitors = [Deferred.fromCoroutine(self._visit()) for _ in range(size)]
        for visitor in visitors:
            visitor.addErrback(lambda failure: failure.trap(CancelledError))
        return gatherResults(visitors, consumeErrors=True)

    async def _visit(self) -> None:
        failures = 0
        for _ in self._turns:
            try:
                await self._stay(await self._client.connect(self._url))
                failures = 0
            except CancelledError:
                raise
            except Exception as error:
                self.errors += 1
                self._lastError = f" ({error})"
                if not self.opened:
                    raise
                failures += 1
                await deferLater(self._reactor, howLongToWait(failures))

    async def _stay(self, inbox: Inbox) -> None:
        transport = inbox.transport
        self.active.add(transport)
        self.opened += 1
        later = self._reactor.callLater
        plans = [later(2 * random(), transport.close)]
        number = randrange(101)
        if number < 50:
            plans.append(later(number / 1000, self._send, inbox, "TestData" * number))
        try:
            async for _ in inbox:
                self.received += 1
        except CancelledError:
            await inbox.close(1001)
            raise
        finally:
            self.active.discard(transport)
            for plan in plans:
                if plan.active():
                    plan.cancel()

    def _send(self, inbox: Inbox, text: str) -> None:
        try:
            inbox.send(text)
        except ConnectionNotOpen:
            return  # it is leaving already
        self.sent += 1


async def main(reactor: Any, options: Namespace) -> None:
    """
    Come and go, for ever or as long as the options say.
    """
    try:
        policy = TLSPolicy(Path(options.ca).read_bytes() if options.ca else None)
    except (OSError, ValueError) as error:
        raise SystemExit(f"--ca: {error}") from None
    crowd = Crowd(reactor, options, policy)
    everybody = crowd.come(options.connections)
    if options.seconds is not None:
        everybody.addTimeout(options.seconds, reactor)

    def goodbye() -> Deferred[Any]:
        """
        Have all leave before the reactor stops.
        """
        everybody.cancel()
        return everybody

    reactor.addSystemEventTrigger("before", "shutdown", goodbye)
    meter = LoopingCall(lambda: print(crowd))
    meter.start(1, now=False)
    try:
        await everybody
    except FirstError as error:
        raise SystemExit(f"Connect Error: {error.subFailure.value}") from None
    finally:
        meter.stop()
    print(crowd)
    if crowd.errors:
        raise SystemExit(1)


def parse(arguments: list[str] | None = None) -> Namespace:
    """
    Read the command line.
    """
    parser = ArgumentParser(description="Connect and leave, over and over.")
    parser.add_argument("connections", type=int, help="how many at a time")
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--ca", metavar="FILE", help="whom to trust, as PEM")
    parser.add_argument("--seconds", type=float, help="end after so many seconds")
    parser.add_argument(
        "--connects", type=int, default=sys.maxsize, help="end after so many"
    )
    options = parser.parse_args(arguments)
    for name in ("connections", "seconds", "connects"):
        value = getattr(options, name)
        if value is not None and not 0 < value <= sys.maxsize:
            parser.error(f"{name} is more than 0")
    return options


if __name__ == "__main__":
    react(main, [parse()])
