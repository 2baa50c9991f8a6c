# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Applications that are too slow for what comes, that fail in every way there is, and a
log that fails with them.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import LogEvent, LogLevel, globalLogPublisher

from tests.handshakes import Echo
from twisted_ws import MessageReceiver

from .victim import MIB, HostileTests, masked, peakOf


class Receiver(MessageReceiver):
    """
    Notes the Deferreds that it returns.
    """

    made: list[Any] = []

    def messageReceived(self, message: Any) -> Any:
        if message == "honest":
            self.transport.sendMessage(message)
            return None
        working: Deferred[None] = Deferred()
        self.made.append((message, working))
        return working


class SlowApplicationTests(HostileTests):
    """
    Messages that come faster than the application is done with them.
    """

    def setUp(self) -> None:
        HostileTests.setUp(self)
        Receiver.made = []

    def test_flood(self) -> None:
        """
        Of ten thousand messages one is at work, some wait, and then nothing more is
        read; when the work is done all of them are delivered, in order.
        """
        self.serve(Receiver, keepalive=False)
        peer = self.opened()
        client, _ = self.server.carriers[-1]
        frames = b"".join(masked(0x81, b"%d" % n) for n in range(10_000))
        client.write(frames)
        with peakOf() as peak:
            self.server.flush(4096)
        self.assertEqual([message for message, _ in Receiver.made], ["0"])
        self.assertGreater(len(client.outgoing), len(frames) - 3 * 4096)
        self.assertLess(peak.size, MIB // 4)
        self.assertServed()
        for number, (message, working) in enumerate(Receiver.made):
            self.assertEqual(message, str(number))
            working.callback(None)
            if number % 8 == 0:
                self.server.flush(4096)
        self.assertEqual(len(Receiver.made), 10_000)
        self.assertIsNone(peer.lost)
        self.assertSilent()

    def test_never(self) -> None:
        """
        Work that never ends is cancelled C{closeTimeout} after its peer has left; then
        nothing is left of the connection.
        """
        self.serve(Receiver, keepalive=False)
        peer = self.opened()
        peer.send(masked(0x81, b"never") + masked(0x81, b"waits"))
        peer.transport.abortConnection()
        self.server.flush()
        self.passTime(4.5)
        self.assertFalse(Receiver.made[0][1].called)
        self.passTime(1)
        self.assertTrue(Receiver.made[0][1].called)
        self.assertEqual(len(Receiver.made), 1)
        self.assertServed()
        self.assertNothingLeft()

    def test_fails(self) -> None:
        """
        Work that fails closes the connection with 1011; what waited is not delivered.
        """
        self.serve(Receiver, keepalive=False)
        peer = self.opened()
        peer.send(masked(0x81, b"fails") + masked(0x81, b"waits"))
        Receiver.made[0][1].errback(RuntimeError("after a while"))
        self.server.flush()
        self.assertFailed(peer, 1011)
        self.assertEqual(len(Receiver.made), 1)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.events.clear()
        self.assertServed()
        self.assertNothingLeft()


class FailingTests(HostileTests):
    """
    Applications that fail.
    """

    def test_everyError(self) -> None:
        """
        Whatever a receiver raises when a message comes, at once or later, costs its own
        connection: 1011 for the peer, and one line with the error, which the peer does
        not see.
        """
        for error in (
            MemoryError("secret"),
            RecursionError("secret"),
            CancelledError("secret"),
            SystemExit("secret"),
            KeyboardInterrupt("secret"),
            GeneratorExit("secret"),
            UnicodeDecodeError("utf-8", b"", 0, 1, "secret"),
            StopIteration("secret"),
        ):
            for later in (False, True):

                class Fails(Echo):  # type: ignore[misc]
                    """
                    Fails when it is told to.
                    """

                    def messageReceived(
                        self,
                        message: Any,
                        error: BaseException = error,
                        later: bool = later,
                    ) -> Any:
                        if message != "fail":
                            return Echo.messageReceived(self, message)
                        if not later:
                            raise error
                        working: Deferred[None] = Deferred()
                        self.transport.clock.callLater(1, working.errback, error)
                        return working

                self.serve(Fails)
                peer = self.opened()
                peer.send(masked(0x81, b"fail") + masked(0x81, b"after"))
                self.passTime(2)
                self.assertNotIn(b"secret", peer.received)
                self.assertNotIn(b"after", peer.received)
                self.assertFailed(peer, 1011, error)
                self.assertEqual(len(self.flushLoggedErrors(type(error))), 1)
                self.assertLogged("192.0.2.1", level=LogLevel.critical)
                self.assertServed()
                self.assertNothingLeft()

    def test_logFails(self) -> None:
        """
        An observer of the log that raises has no effect on anybody: what is refused is
        refused, and who is open goes on.
        """

        def broken(event: LogEvent) -> None:
            raise OSError("no space left on the disk")

        globalLogPublisher.addObserver(broken)
        try:
            self.serve()
            peer = self.server.connectRaw()
            peer.send(b"nonsense\r\n\r\n")
            self.assertRefused(peer, 400)
            peer = self.opened()
            peer.send(b"\x82\x7f")
            self.assertFailed(peer, 1002)
            self.assertServed()
            self.assertNothingLeft()
        finally:
            globalLogPublisher.removeObserver(broken)
        self.flushLoggedErrors(OSError)
