# -*- test-case-name: tests.examples.test_autobahn -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The client to be tested by the Autobahn Testsuite: asks for the number of its cases,
sends back what it gets in each of them, and has the reports written::

    wstest -m fuzzingserver
    python -m examples.autobahn_test_client --host=localhost --port=9000
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any
from urllib.parse import urlencode

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from twisted_ws import (
    ClientConfig,
    ConnectionClosed,
    Inbox,
    PerMessageDeflate,
    WebSocketClient,
    __version__,
)
from twisted_ws.demo import Echo

AGENT = f"twisted_ws/{__version__}"
"""
The name in the reports.
"""

CONFIG = ClientConfig(
    maxReceivedFrameSize=64 << 20,
    maxReceivedMessageSize=64 << 20,
    # Some of the cases are 4 MiB in frames of 64 bytes.
    maxReceivedFragments=1 << 17,
    fragmentOutgoingMessages=False,
    keepalive=False,
    disableNagleAlgorithm=False,
    extensions=(PerMessageDeflate(),),
)


class Suite:
    """
    A fuzzing server, asked for one thing after the other.
    """

    def __init__(self, reactor: Any, options: Namespace) -> None:
        self._client = WebSocketClient(reactor, CONFIG)
        self._base = f"ws://{options.host}:{options.port}"
        self._transport: Any = None
        self._isOver = False

    async def _open(self, path: str, receiver: Any, **arguments: object) -> Any:
        query = f"?{urlencode(arguments)}" if arguments else ""
        url = f"{self._base}{path}{query}"
        try:
            if not self._isOver:
                opened = await self._client.connect(url, receiver)
                self._transport = opened.transport
                return opened
        except Exception as error:
            # Whatever it was, the caller wants one line.
            if not self._isOver:
                raise SystemExit(f"Connect Error: {path}: {error}") from None
        return await Deferred()  # which is never: the reactor stops

    async def countCases(self) -> int:
        """
        @return: how many cases there are.
        """
        inbox = await self._open("/getCaseCount", Inbox)
        try:
            count = int(await inbox.receive())
        except (ConnectionClosed, ValueError) as error:
            raise SystemExit(f"No number of cases: {error}") from None
        await inbox.close()
        return count

    async def runCase(self, case: int) -> None:
        """
        Send back what comes, until the server ends it: some cases do so in ways that
        no connection should end.
        """
        echo = await self._open("/runCase", Echo, case=case, agent=AGENT)
        await echo.transport.whenClosed()

    async def updateReports(self) -> None:
        """
        Have the reports written.
        """
        inbox = await self._open("/updateReports", Inbox, agent=AGENT)
        await inbox.transport.whenClosed()

    def goodbye(self) -> Deferred[Any] | None:
        """
        Close the connection, if there is one, before the reactor stops.
        """
        self._isOver = True
        if self._transport is None:
            return None
        self._transport.close(1001)
        closed: Deferred[Any] = self._transport.whenClosed()
        return closed


async def main(reactor: Any, options: Namespace) -> None:
    """
    Run all cases.
    """
    suite = Suite(reactor, options)
    reactor.addSystemEventTrigger("before", "shutdown", suite.goodbye)
    print("Starting test run.")
    count = await suite.countCases()
    print(f"Got case count: {count}")
    for case in range(1, count + 1):
        print(f"Running test {case} of {count}")
        await suite.runCase(case)
    print("Test suite complete, generating report.")
    await suite.updateReports()
    print("Report generated.")


def parse(arguments: list[str] | None = None) -> Namespace:
    """
    Read the command line.
    """
    parser = ArgumentParser(description="Be tested by the Autobahn Testsuite.")
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=int, default=9000)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    react(main, [parse()])
