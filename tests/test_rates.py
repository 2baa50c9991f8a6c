# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.rates.RateLimit}.
"""

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from twisted_ws import Steps
from twisted_ws.buckets import Buckets, readRate
from twisted_ws.rates import Meter, RateExceeded, RateLimit

from .handshakes import GOODBYE, HELLO, HELLO_REPLY, Echo, ServerTests, handshake

PING = bytes.fromhex("898000000000")
PONG = b"\x8a\x00"


class RateTests(ServerTests):
    """
    The base of the tests: clients behind a proxy that is trusted.
    """

    def limit(self, *before, application=Echo, options=(), **limits):
        """
        Serve behind a L{RateLimit}, and steps before it.
        """
        self.step = RateLimit(**limits)
        self.serve(
            Steps([*before, self.step], application),
            trustedProxies=["192.0.2.1"],
            **{"keepalive": False, **dict(options)},
        )

    def ask(self, address="198.51.100.1", *fields):
        """
        Have a client ask for a WebSocket.

        @return: its peer.
        """
        return self.connect(handshake(f"X-Forwarded-For: {address}", *fields))

    def open(self, address="198.51.100.1", *fields):
        """
        Have a client get one.

        @return: its peer.
        """
        peer = self.ask(address, *fields)
        self.assertTrue(peer.take().startswith(b"HTTP/1.1 101 "))
        return peer

    def wait(self, seconds):
        """
        Let time pass, and what waits for it move.
        """
        self.clock.advance(seconds)
        self.server.flush()

    def assertGone(self):
        """
        Check that no connection is left when their clients leave, nor anything that
        waits; a carrier that is not read from tells of it when it is again.
        """
        for client, _ in self.server.carriers:
            client.abortConnection()
        for _ in range(20):
            self.wait(0.5)
        self.assertQuiet()


class HandshakeTests(RateTests):
    """
    How often a client may ask.
    """

    def test_refused(self):
        """
        Who asks too often is refused with 429, and told when to come again.
        """
        self.limit(handshakes="3/m")
        for _ in range(3):
            self.open()
        peer = self.ask()
        self.assertIn(b"\r\nRetry-After: 20\r\n", peer.received)
        self.assertTrue(peer.received.endswith(b"\r\n\r\ntoo many handshakes\n"))
        self.assertStatus(peer, 429)
        self.wait(19.5)
        peer = self.ask()
        self.assertIn(b"\r\nRetry-After: 1\r\n", peer.received)
        self.assertStatus(peer, 429)
        self.wait(0.5)
        self.open()
        self.assertStatus(self.ask(), 429)
        self.wait(60)
        self.assertGone()

    def test_clients(self):
        """
        Clients are told apart by their network; what they write into
        X-Forwarded-For makes no other client of them.
        """
        self.limit(handshakes="1/m")
        for address in ("198.51.100.1", "198.51.100.2", "2001:db8::1"):
            self.open(address)
        for address in (
            "198.51.100.1",
            "203.0.113.1, 198.51.100.1",
            "2001:db8::2",
            "2001:db8::ffff:0:0:1",
        ):
            self.assertStatus(self.ask(address), 429, address)
        self.open("2001:db8:0:1::1")

    def test_key(self):
        """
        Clients can be told apart by anything.
        """

        def login(request):
            request.avatar = request.cookies["user"]

        self.limit(login, handshakes="1/m", key=lambda request: request.avatar)
        self.open("198.51.100.1", "Cookie: user=a")
        self.open("198.51.100.1", "Cookie: user=b")
        self.assertStatus(self.ask("198.51.100.2", "Cookie: user=a"), 429)

    def test_log(self):
        """
        Refusals are logged, one in a second, with the step and its argument.
        """
        self.limit(handshakes="1/m")
        self.open()
        with capturedLogs() as events:
            for _ in range(50):
                self.ask()
            self.wait(1)
            self.ask()
        lines = [formatEvent(event) for event in events]
        self.assertEqual(len(lines), 2)
        for line in lines:
            self.assertIn("'198.51.100.1' is over RateLimit(handshakes='1/m')", line)
        self.assertTrue(lines[1].endswith("(and 49 more before)"))

    def test_bounded(self):
        """
        However many clients ask, few are remembered.
        """
        self.limit(handshakes="1/h", mostKeys=10)
        for number in range(30):
            self.open(f"198.51.100.{number}")
        self.assertEqual(len(self.step._handshakes), 10)
        self.wait(3600)
        for number in range(5):
            self.open(f"198.51.100.{number}")
        self.assertEqual(len(self.step._handshakes), 5)


class PauseTests(RateTests):
    """
    Connections that are not read from for a while.
    """

    def test_messages(self):
        """
        As many messages as the rate says come at once, one more makes the client wait;
        in the end all have come, in order, as fast as the rate says.
        """
        self.limit(messages="4/s")
        peer = self.open()
        peer.send(HELLO * 20)
        came = [len(peer.take()) // len(HELLO_REPLY)]
        for _ in range(20):
            self.wait(0.25)
            came.append(len(peer.take()) // len(HELLO_REPLY))
        self.assertEqual(came, [5] + [1] * 15 + [0] * 5)
        self.assertGone()

    def test_reading(self):
        """
        While it waits, the carrier is not read from; then it is again.
        """
        self.limit(messages="5/s")
        peer = self.open()
        carrier = self.server.carriers[0][1]
        peer.send(HELLO * 5)
        self.assertFalse(carrier.isPaused)
        peer.send(HELLO)
        self.assertTrue(carrier.isPaused)
        self.wait(0.2)
        self.assertFalse(carrier.isPaused)
        self.assertGone()

    def test_segments(self):
        """
        Nothing is lost of what comes in small pieces.
        """
        self.limit(messages="5/s")
        peer = self.open()
        peer.send(HELLO * 10, 1)
        for _ in range(10):
            self.wait(0.2)
        self.assertEqual(peer.take(), HELLO_REPLY * 10)

    def test_bytes(self):
        """
        Bytes are what came over the wire: 11 for the Hello of RFC 6455.
        """
        self.limit(bytes="110/s")
        peer = self.open()
        for _ in range(10):
            peer.send(HELLO)
        self.assertEqual(peer.take(), HELLO_REPLY * 10)
        self.assertFalse(self.server.carriers[0][1].isPaused)
        peer.send(HELLO)
        self.assertTrue(self.server.carriers[0][1].isPaused)
        peer.send(HELLO)
        peer.take()
        self.wait(0.09)
        self.assertEqual(peer.take(), b"")
        self.wait(0.02)
        self.assertEqual(peer.take(), HELLO_REPLY)
        self.assertGone()

    def test_pings(self):
        """
        Pings have a rate of their own.
        """
        self.limit(pings="2/s", options={"maxPongRate": None})
        peer = self.open()
        peer.send(HELLO * 50)
        self.assertEqual(peer.take(), HELLO_REPLY * 50)
        peer.send(PING * 5)
        came = [len(peer.take()) // len(PONG)]
        for _ in range(4):
            self.wait(0.5)
            came.append(len(peer.take()) // len(PONG))
        self.assertEqual(came, [3, 1, 1, 0, 0])
        self.assertGone()

    def test_shared(self):
        """
        All connections of one client share its rate; others do not.
        """
        self.limit(messages="10/s")
        peers = [self.open() for _ in range(5)]
        other = self.open("198.51.100.2")
        for peer in peers:
            peer.send(HELLO * 20)
        for _ in range(20):
            self.wait(0.2)
        came = sum(len(peer.take()) // len(HELLO_REPLY) for peer in peers)
        self.assertTrue(45 <= came <= 55, came)
        other.send(HELLO * 10)
        self.assertEqual(other.take(), HELLO_REPLY * 10)
        self.assertGone()

    def test_reconnecting(self):
        """
        A new connection does not make a new client.
        """
        self.limit(messages="5/s")
        for _ in range(3):
            peer = self.open()
            peer.send(HELLO * 6)
            peer.transport.abortConnection()
            self.server.flush()
        peer = self.open()
        peer.send(HELLO * 2)
        self.assertEqual(peer.take(), HELLO_REPLY)
        self.assertGone()

    def test_ending(self):
        """
        A connection that waits can be closed, and leaves nothing behind.
        """
        self.limit(messages="1/m")
        peer = self.open()
        peer.send(HELLO * 5)
        peer.take()
        (connection,) = self.server.factory.connections
        connection.close()
        self.server.flush()
        self.assertEqual(peer.take(), b"\x88\x02\x03\xe8")
        peer.send(GOODBYE)
        self.assertIsNotNone(peer.lost)
        self.assertQuiet()

    def test_two(self):
        """
        Of two steps, the stricter holds.
        """
        self.limit(RateLimit(messages="2/s"), messages="50/s")
        peer = self.open()
        peer.send(HELLO * 10)
        self.assertEqual(peer.take(), HELLO_REPLY * 3)
        self.assertGone()

    def test_log(self):
        """
        That a connection is read from more slowly is logged, once.
        """
        self.limit(messages="1/s", bytes="1K/s")
        peer = self.open()
        with capturedLogs() as events:
            for _ in range(5):
                peer.send(HELLO * 3)
                for _ in range(10):
                    self.wait(0.5)
        (line,) = [formatEvent(event) for event in events]
        self.assertIn("over RateLimit(messages='1/s')", line)

    def test_unlimited(self):
        """
        What has no rate is not counted: connections of which only the handshakes are
        cost nothing more.
        """
        self.limit(handshakes="5/s")
        peer = self.open()
        (connection,) = self.server.factory.connections
        self.assertEqual(connection._meters, ())
        peer.send(HELLO * 1000)
        self.assertEqual(peer.take(), HELLO_REPLY * 1000)


class MeterTests(SynchronousTestCase):
    """
    L{Meter}, without a connection.
    """

    def test_parts(self):
        """
        Parts of messages count for the bytes alone; who owes some waits for that
        whatever comes next.
        """
        clock = Clock()
        overs = []
        messages, sizes = (
            Buckets(readRate("1/s", "messages")),
            Buckets(readRate("10/s", "bytes", True)),
        )
        meter = Meter("key", clock, messages, sizes, None, overs.append)
        self.assertEqual(meter.bytesReceived(10), 0.0)
        self.assertEqual(overs, [])
        self.assertAlmostEqual(meter.bytesReceived(20), 2)
        self.assertAlmostEqual(meter.messageReceived(0), 2)
        self.assertAlmostEqual(meter.pingReceived(0), 2)
        clock.advance(1.5)
        self.assertAlmostEqual(meter.pingReceived(10), 1.5)
        self.assertEqual(overs, [sizes.rate] * 4)


class CloseTests(RateTests):
    """
    Connections that are closed.
    """

    def check(self, what, *data, **limits):
        """
        Check that a connection is closed with 1008, because of C{what}.
        """
        self.limit(policy="close", application=self.accept, **limits)
        peer = self.open()
        with capturedLogs() as events:
            for each in data:
                self.assertIsNone(self.receiver.reason)
                peer.send(each)
        self.assertIn(b"\x03\xf0", peer.received)
        (line,) = [formatEvent(event) for event in events]
        self.assertIn("closing with 1008", line)
        self.assertTrue(line.endswith(f"(option: RateLimit({what}))"), line)
        peer.transport.abortConnection()
        self.server.flush()
        self.assertIsInstance(self.receiver.reason.__cause__, RateExceeded)
        self.assertGone()
        return self.receiver.messages

    def accept(self, request):
        """
        Accept.
        """
        self.receiver = Echo()
        request.accept(self.receiver)

    def test_messages(self):
        """
        One message too many closes the connection; it is not delivered.
        """
        got = self.check("messages='5/s'", HELLO * 5, HELLO * 5, messages="5/s")
        self.assertEqual(got, ["Hello"] * 5)

    def test_bytes(self):
        """
        So does one byte too many.
        """
        got = self.check("bytes='21/s'", HELLO, HELLO, bytes="21/s")
        self.assertEqual(got, ["Hello"])

    def test_pings(self):
        """
        So does one ping too many.
        """
        self.check("pings='5/s'", PING * 5, PING, pings="5/s")


class OptionTests(RateTests):
    """
    The arguments.
    """

    def test_wrong(self):
        """
        One that makes no sense is refused by name.
        """
        for name, values in {
            "handshakes": ("10", "", 10, "5K/s"),
            "messages": ("10/d", "1M/s"),
            "bytes": ("1G/s", "0/s", 5),
            "pings": ("/s", True),
            "policy": ("drop", None),
            "burst": (0, -1, True, "2", None, float("inf"), float("nan")),
            "mostKeys": (0, -1, 1.5, True, None),
        }.items():
            for value in values:
                with self.assertRaises(ValueError) as caught:
                    RateLimit(**{"messages": "5/s", name: value})
                self.assertIn(name, str(caught.exception))

    def test_none(self):
        """
        A step without any rate lets everything pass.
        """
        self.limit()
        peer = self.open()
        peer.send(HELLO * 100)
        self.assertEqual(peer.take(), HELLO_REPLY * 100)

    def test_burst(self):
        """
        More can be let in at once.
        """
        self.limit(messages="2/s", burst=5)
        peer = self.open()
        peer.send(HELLO * 20)
        self.assertEqual(peer.take(), HELLO_REPLY * 11)
        self.assertGone()
