# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Rows about what a peer sends, and what becomes of it.

Each is run against a connection of either role in memory, above which is an
application that sends back what it gets: so what our side sends tells what it
received, in which order.  What the peer sends arrives in one read, byte by byte, cut in
two at every place, and frame by frame for the application; it makes no difference.

A row that ends a connection ends with the byte that does it: the connection stands
until that byte, and ends with it, however much of a frame is still to come.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import ANY

from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tests.wire import PING, TEXT
from twisted_ws import ClosedAbruptly, ClosedCleanly, ProtocolViolation

from .parts import Piece, closeFrame, render
from .run import Run
from .strict import Closing, Event, Inflate

BOTH = ("server", "client")
LONGEST_CUT = 24
"""
Bytes of input up to which it is cut at every place.
"""


class End:
    """
    How a row leaves the connection.

    @cvar after: what the peer sends behind the last byte, to no effect.
    @cvar logs: how many lines are logged.
    @cvar repeats: whether the connection can be told the same again.
    @ivar closing: the Close frame that our side sends, C{None} if it sends none.
    @ivar early: by how many bytes it may do so before the last one.
    """

    after: tuple[Piece, ...] = ()
    logs = 0
    repeats = False
    early = 0

    @property
    def closing(self) -> Closing | None:
        """
        See above.
        """
        return None

    def finish(self, run: Run) -> None:
        """
        End the connection, and check what its application is told.
        """
        raise NotImplementedError


class Open(End):
    """
    The connection stands: the next message comes through, and it can be closed.
    """

    repeats = True

    def finish(self, run: Run) -> None:
        run.receive(run.conversation.frame(TEXT, b"n"))
        run.expect("n")
        run.receive(run.conversation.frame(*closeFrame(1000)))
        run.expect(closing=Closing(1000))
        run.expectEnded(ClosedCleanly, 1000)


class Unfinished(End):
    """
    The connection stands and waits for the rest of something.
    """

    def finish(self, run: Run) -> None:
        run.expectStanding()
        ended = run.expectEnded(ClosedAbruptly, 1006)
        run.test.assertIs(ended.sent, None, run.way)


@dataclass(frozen=True)
class Fails(End):
    """
    Our side fails the connection (RFC 6455 section 7.1.7).

    @ivar code: that of its Close frame.
    @ivar option: the option that the log names, if there is one to change.
    """

    code: int
    option: str | None = None
    early: int = 0

    after = ((TEXT, b"late"), (PING, b"late"), closeFrame(1000, b"late"))
    logs = 1

    @property
    def closing(self) -> Closing:
        return Closing(self.code, ANY)

    def finish(self, run: Run) -> None:
        run.expectDrop()
        ended = run.expectEnded(ClosedAbruptly, 1006)
        if run.row.weClose is None:
            run.test.assertEqual(ended.sent.code, self.code, run.way)
            run.test.assertNotEqual(ended.sent.reason, "", run.way)
        else:
            run.test.assertEqual(ended.sent, run.row.weClose, run.way)
        run.test.assertIsInstance(ended.__cause__, ProtocolViolation, run.way)
        run.test.assertEqual(ended.__cause__.code, self.code, run.way)
        run.test.assertEqual(ended.__cause__.option, self.option, run.way)


@dataclass(frozen=True)
class Closed(End):
    """
    The peer closed the connection in good order.

    @ivar code: the code in its Close frame, 1005 for none.
    @ivar reason: its reason.
    """

    code: int
    reason: str = ""

    after = ((TEXT, b"late"), (PING, b"late"), closeFrame(4999, b"late"))

    @property
    def closing(self) -> Closing:
        return Closing(self.code)

    def finish(self, run: Run) -> None:
        run.expectDrop()
        ended = run.expectEnded(ClosedCleanly, self.code, self.reason)
        wanted = run.row.weClose or (self.code, "")
        run.test.assertEqual(ended.sent, wanted, run.way)


OPEN = Open()
UNFINISHED = Unfinished()


@dataclass(frozen=True)
class Row:
    """
    What a peer sends, and what becomes of it.

    @ivar name: a section, and a few words.
    @ivar sends: what the peer sends.
    @ivar events: what is received of it, in order.
    @ivar end: how that leaves the connection.
    @ivar options: of the configuration of our side.
    @ivar roles: those of our side that it is about.
    @ivar weClose: with what our side closes the connection before, if it does.
    """

    name: str
    sends: tuple[Piece, ...]
    events: tuple[Event, ...] = ()
    end: End = OPEN
    options: Mapping[str, Any] = field(default_factory=dict)
    roles: tuple[str, ...] = BOTH
    weClose: tuple[int, str] | None = None

    def configuration(self, isServer: bool) -> Mapping[str, Any]:
        """
        @return: the options of our side.
        """
        return self.options

    def handshake(self, isServer: bool) -> tuple[bytes, ...]:
        """
        @return: header lines that the peer's half of the handshake has besides the
            usual ones.
        """
        return ()

    def inflater(self, isServer: bool) -> Inflate | None:
        """
        @return: what undoes the compression of what our side sends.
        """
        return None

    def check(self, test: SynchronousTestCase, isServer: bool, version: int) -> None:
        """
        Run it in every way, or in two for other versions.
        """
        data = render(self.sends, isServer)

        def run(way: str, **options: Any) -> Run:
            return Run(test, self, isServer, version, way, **options)

        logged: list[LogEvent] = []
        # capturedLogs would go on when a row fails.
        observer = logged.append
        globalLogPublisher.addObserver(observer)
        try:
            self._checkReads(run("in one read"), [data])
        finally:
            globalLogPublisher.removeObserver(observer)
        self._checkLog(test, logged)
        self._checkBytes(run("byte by byte"), data)
        if version != 13:
            # No more is different than what the handshake says.
            return
        self._checkReads(run("frames", assembleFragments=False), [data])
        if 2 < len(data) <= LONGEST_CUT:
            self._checkCuts(run, data)

    def _checkReads(self, run: Run, reads: list[bytes]) -> None:
        """
        Have the input arrive in these reads, and what must not count in the last one.
        """
        for each in reads[:-1]:
            run.receive(each)
        run.receive(reads[-1] + render(self.end.after, run.conversation.isServer))
        run.expect(*self.events, closing=self._closing())
        self.end.finish(run)

    def _closing(self) -> Closing | None:
        """
        @return: the Close frame that ends what our side sends; C{None} if it has sent
            it before, or none.
        """
        return self.end.closing if self.weClose is None else None

    def _checkBytes(self, run: Run, data: bytes) -> None:
        """
        Have the input arrive byte by byte, if it is long only where it begins and ends.
        """
        reads = list(_bytes(data))
        ends = self.end.closing is not None
        last = len(reads) - 1 - self.end.early
        for each in reads[:last]:
            run.receive(each)
        if ends:
            run.expectStanding()
        for each in reads[last:]:
            run.receive(each)
        run.expect(*self.events, closing=self._closing())
        for each in _bytes(render(self.end.after, run.conversation.isServer)):
            run.receive(each)
        run.expect()
        self.end.finish(run)

    def _checkCuts(self, run: Any, data: bytes) -> None:
        """
        Have the input arrive in two reads, cut everywhere.
        """
        if not self.end.repeats or self.weClose is not None:
            for at in range(1, len(data)):
                self._checkReads(run(f"cut at {at}"), [data[:at], data[at:]])
            return
        # A connection that stands can be told the same again.
        again = run("")
        for at in range(1, len(data)):
            again.way = f"cut at {at}"
            again.receive(data[:at])
            again.receive(data[at:])
            again.expect(*self.events)
        self.end.finish(again)

    def _checkLog(self, test: SynchronousTestCase, logged: Any) -> None:
        """
        Check that a violation is logged once, and that nothing else is.
        """
        lines = [
            formatEvent(event)
            for event in logged
            if event["log_level"] >= LogLevel.info
        ]
        test.assertEqual(len(lines), self.end.logs, lines)
        if isinstance(self.end, Fails):
            test.assertIn(f": closing with {self.end.code}: ", lines[0])
            hint = self.end.option and f"(option: {self.end.option})"
            test.assertEqual(lines[0].endswith(")"), bool(hint), lines)
            test.assertIn(hint or "", lines[0])


def _bytes(data: bytes) -> Iterator[bytes]:
    """
    Go over the reads that C{data} is cut into: single bytes, but for the middle of what
    is long.
    """
    start, end = (0, 0) if len(data) < 600 else (40, len(data) - 40)
    for at in range(start):
        yield data[at : at + 1]
    for at in range(start, end, 997):
        yield data[at : min(at + 997, end)]
    for at in range(end, len(data)):
        yield data[at : at + 1]
