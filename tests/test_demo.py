# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The demonstration: its three applications, and its page.
"""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from typing import Any

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Site

from twisted_ws import UpgradeRejected, WebSocketFactory, WebSocketResource
from twisted_ws.demo import Board, makeDemo
from twisted_ws.testing import MemoryCarrier, MemoryServer, RecordingReceiver


class ApplicationTests(SynchronousTestCase):
    """
    What the applications have in common.

    @cvar path: where the application is.
    """

    path = "/"

    def setUp(self) -> None:
        """
        Serve the demonstration.
        """
        self.counting = Clock()
        router, _ = makeDemo(self.counting)
        self.server = MemoryServer(router)

    def tearDown(self) -> None:
        """
        When all connections are closed no timer is left, and nothing went wrong.
        """
        closed = self.server.factory.closeAllConnections()
        self.server.flush()
        self.successResultOf(closed)
        self.assertEqual(self.server.clock.getDelayedCalls(), [])
        self.assertEqual(self.counting.getDelayedCalls(), [])
        self.assertEqual(self.flushLoggedErrors(), [])

    def join(self, **asked: Any) -> RecordingReceiver:
        """
        Connect a client.
        """
        opened = self.server.connect(self.path, RecordingReceiver(), **asked)
        receiver: RecordingReceiver = self.successResultOf(opened)
        return receiver

    def carriers(self) -> tuple[MemoryCarrier, MemoryCarrier]:
        """
        @return: the ends of the latest connection: the client's, the server's.
        """
        return self.server.carriers[-1]

    def send(self, receiver: RecordingReceiver, *messages: str | bytes) -> None:
        """
        Send messages and let them arrive.
        """
        for message in messages:
            receiver.transport.sendMessage(message)
        self.server.flush()

    def take(self, receiver: RecordingReceiver) -> list[str | bytes]:
        """
        @return: the messages since the last time.
        """
        messages, receiver.messages = receiver.messages, []
        return messages


class EchoTests(ApplicationTests):
    """
    C{/echo}
    """

    path = "/echo"

    def test_messages(self) -> None:
        """
        Each message comes back as what it was, text or binary, in order.
        """
        messages: list[str | bytes] = ["", "hello", "é € 😀", b"", bytes(range(256))]
        client = self.join()
        self.send(client, *messages)
        self.assertEqual(self.take(client), messages)
        self.assertEqual([*map(type, messages)], [str, str, str, bytes, bytes])

    def test_anySubprotocol(self) -> None:
        """
        Whatever subprotocols a client asks for, it gets its first: a browser fails a
        connection that is given none of those it asked for.
        """
        client = self.join(protocols=["what.ever", "else"])
        self.assertEqual(client.transport.protocol, "what.ever")
        self.assertIsNone(self.join().transport.protocol)

    def test_slowReader(self) -> None:
        """
        A client that does not read its echoes is not read from, so that they do not
        pile up; it loses nothing.
        """
        client = self.join()
        mine, its = self.carriers()
        mine.pauseProducing()
        messages = [b"%d" % number * 8192 for number in range(40)]
        self.send(client, *messages)
        self.assertTrue(its.isPaused)
        self.assertLess(len(its.outgoing), its.highWater + 20000)
        mine.resumeProducing()
        self.server.flush()
        self.assertFalse(its.isPaused)
        self.assertEqual(self.take(client), messages)

    def test_closing(self) -> None:
        """
        Messages that come while the server closes are nothing to complain about.
        """
        client = self.join()
        client.transport.sendMessage("on its way")
        closed = self.server.factory.closeAllConnections(1001)
        self.server.flush()
        self.successResultOf(closed)
        self.assertEqual(client.reason.code, 1001)
        self.assertEqual(self.take(client), [])
        self.assertEqual(self.flushLoggedErrors(), [])


class CounterTests(ApplicationTests):
    """
    C{/counter}
    """

    path = "/counter"

    def wait(self, intervals: int) -> None:
        """
        Let so many intervals of 50 milliseconds pass.
        """
        for _ in range(intervals):
            self.counting.advance(0.05)
            self.server.flush()

    def test_counts(self) -> None:
        """
        A number comes every 50 milliseconds, from 0 on, to each client its own.
        """
        first = self.join()
        self.assertEqual(self.take(first), [])
        self.counting.advance(0.049)
        self.server.flush()
        self.assertEqual(self.take(first), [])
        self.counting.advance(0.001)
        self.server.flush()
        self.assertEqual(self.take(first), ["0"])
        self.wait(3)
        second = self.join()
        self.wait(2)
        self.assertEqual(self.take(first), ["1", "2", "3", "4", "5"])
        self.assertEqual(self.take(second), ["0", "1"])

    def test_reset(self) -> None:
        """
        The text reset and a line feed sets the number to 0; nothing else does.
        """
        client = self.join()
        self.wait(2)
        for message in ("reset", "RESET\n", b"reset\n", "", "reset\n\n"):
            self.send(client, message)
        self.wait(1)
        self.assertEqual(self.take(client), ["0", "1", "2"])
        self.send(client, "reset\n")
        self.assertEqual(self.take(client), [])
        self.wait(2)
        self.assertEqual(self.take(client), ["0", "1"])

    def test_ends(self) -> None:
        """
        However a connection ends, its timer ends with it.
        """

        def clientCloses(client: RecordingReceiver) -> None:
            client.transport.close()

        def clientAborts(client: RecordingReceiver) -> None:
            client.transport.abortConnection()

        def serverCloses(client: RecordingReceiver) -> None:
            for connection in self.server.factory.connections:
                connection.close()

        def carrierBreaks(client: RecordingReceiver) -> None:
            self.carriers()[0].abortConnection()

        def clientViolates(client: RecordingReceiver) -> None:
            self.carriers()[0].write(b"\xff\xff")

        for end in (
            clientCloses,
            clientAborts,
            serverCloses,
            carrierBreaks,
            clientViolates,
        ):
            client = self.join()
            self.wait(1)
            self.assertEqual(self.take(client), ["0"], end.__name__)
            self.assertEqual(len(self.counting.getDelayedCalls()), 1, end.__name__)
            end(client)
            self.server.flush()
            self.assertEqual(client.losses, 1, end.__name__)
            self.assertEqual(self.counting.getDelayedCalls(), [], end.__name__)

    def test_closing(self) -> None:
        """
        From the moment a connection begins to close there are no more numbers.
        """
        client = self.join()
        (connection,) = self.server.factory.connections
        connection.close()
        self.assertEqual(self.counting.getDelayedCalls(), [])
        self.counting.advance(1)
        self.server.flush()
        self.assertEqual(self.take(client), [])

    def test_slowReader(self) -> None:
        """
        The counter of a client that does not read stands still; it goes on when the
        client does.
        """
        client = self.join()
        mine, its = self.carriers()
        its.highWater = 10
        mine.pauseProducing()
        self.wait(100)
        self.assertEqual(self.counting.getDelayedCalls(), [])
        self.assertEqual(len(its.outgoing), 12)
        mine.resumeProducing()
        self.server.flush()
        self.assertEqual(self.take(client), ["0", "1", "2", "3"])
        self.wait(2)
        self.assertEqual(self.take(client), ["4", "5"])


class BoardTests(ApplicationTests):
    """
    C{/board}
    """

    path = "/board"
    strokes = ("d #ff0000 1 2 3 4;", "c #00ff00 5 6 7;", "d #0000ff 8 9 10 11;")

    def meet(self, count: int) -> list[RecordingReceiver]:
        """
        Connect so many clients to the empty board.
        """
        clients = [self.join() for _ in range(count)]
        for client in clients:
            self.assertEqual(self.take(client), [""])
        return clients

    def test_shared(self) -> None:
        """
        What one draws is sent to all, in order, the sender included.
        """
        first, second = self.meet(2)
        one, two, three = self.strokes
        self.send(first, one)
        self.send(second, two)
        self.send(first, three)
        self.assertEqual(self.take(first), [one, two, three])
        self.assertEqual(self.take(second), [one, two, three])

    def test_newcomer(self) -> None:
        """
        A newcomer first gets one text with all there is, empty when there is nothing.
        """
        first = self.join()
        self.assertEqual(self.take(first), [""])
        self.send(first, *self.strokes)
        self.assertEqual(self.take(self.join()), ["".join(self.strokes)])

    def test_outlives(self) -> None:
        """
        The drawing stays when all have left.
        """
        first = self.join()
        self.send(first, *self.strokes)
        first.transport.close()
        self.server.flush()
        self.assertEqual(self.take(self.join()), ["".join(self.strokes)])

    def test_clear(self) -> None:
        """
        The command to clear is sent to all, and newcomers get an empty board.
        """
        first, second = self.meet(2)
        self.send(first, self.strokes[0], "clear;")
        self.assertEqual(self.take(first), [self.strokes[0], "clear;"])
        self.assertEqual(self.take(second), [self.strokes[0], "clear;"])
        self.assertEqual(self.take(self.join()), [""])
        self.send(first, self.strokes[1])
        self.assertEqual(self.take(self.join()), [self.strokes[1]])

    def test_binary(self) -> None:
        """
        Binary messages are ignored.
        """
        first, second = self.meet(2)
        self.send(first, b"clear;", b"d #ff0000 1 2 3 4;")
        self.assertEqual(self.take(first), [])
        self.assertEqual(self.take(second), [])
        self.assertEqual(self.take(self.join()), [""])

    def test_bounded(self) -> None:
        """
        Of more than its limit the board remembers the latest; a message that is
        longer than that by itself is passed on, not remembered.
        """
        self.patch(Board, "limit", 10)
        first = self.join()
        self.send(first, "aaaa;", "bbbb;")
        self.assertEqual(self.take(self.join()), ["aaaa;bbbb;"])
        self.send(first, "c;")
        self.assertEqual(self.take(self.join()), ["bbbb;c;"])
        self.take(first)
        self.send(first, "d" * 10 + ";")
        self.assertEqual(self.take(first), ["d" * 10 + ";"])
        self.assertEqual(self.take(self.join()), [""])
        self.send(first, "eeee;", "ffff;", "clear;", "gggg;", "hhhh;")
        self.assertEqual(self.take(self.join()), ["gggg;hhhh;"])

    def test_slowReader(self) -> None:
        """
        A client that does not read has nothing piled up for it, and delays nobody;
        when it reads again it is shown the whole board once, and then what comes.
        """
        first, slow = self.meet(2)
        mine, its = self.carriers()
        its.highWater = 50
        mine.pauseProducing()
        strokes = [f"d #ff0000 {number} 2 3 4;" for number in range(100, 200)]
        self.send(first, *strokes)
        self.assertEqual(self.take(first), strokes)
        self.assertLess(len(its.outgoing), 100)
        its.highWater = 65536
        mine.resumeProducing()
        self.server.flush()
        received = self.take(slow)
        self.assertEqual(received[:-1], strokes[: len(received) - 1])
        self.assertEqual(received[-1], "clear;" + "".join(strokes))
        self.send(first, "clear;", self.strokes[0])
        self.assertEqual(self.take(slow), ["clear;", self.strokes[0]])

    def test_slowReaderMissesNothing(self) -> None:
        """
        A client that was slow while nobody drew is sent nothing again.
        """
        first, slow = self.meet(2)
        mine, its = self.carriers()
        its.highWater = 10
        mine.pauseProducing()
        self.send(first, self.strokes[0])
        mine.resumeProducing()
        self.server.flush()
        self.assertEqual(self.take(slow), [self.strokes[0]])

    def test_largeBoard(self) -> None:
        """
        A board larger than what a carrier takes at once is sent to a newcomer once.
        """
        first = self.join()
        stroke = "d #ff0000 1 2 3 4;" * 5000
        self.send(first, stroke, stroke)
        self.assertEqual(self.take(self.join()), [stroke + stroke])

    def test_closing(self) -> None:
        """
        Members that close, or are gone, disturb neither the others nor the log; what
        a member draws while its connection closes still counts.
        """
        connections = []
        clients = []
        for _ in range(3):
            present = set(self.server.factory.connections)
            clients += self.meet(1)
            connections += self.server.factory.connections - present
        stays, closing, gone = clients
        closing.transport.sendMessage(self.strokes[0])
        connections[1].close()
        connections[2].abortConnection()
        self.send(stays, *self.strokes[1:])
        self.assertCountEqual(self.take(stays), self.strokes)
        for client in (closing, gone):
            self.assertEqual(client.losses, 1)
            self.assertEqual(self.take(client), [])


class MountTests(ApplicationTests):
    """
    What of the applications is decided by the request.
    """

    def ask(self, path: str, **asked: Any) -> str | int | None:
        """
        Connect.

        @return: the subprotocol, or the status of a refusal.
        """
        opened = self.server.connect(path, RecordingReceiver(), **asked)
        self.server.flush()
        if isinstance(opened.result, Failure):
            return self.failureResultOf(opened, UpgradeRejected).value.status
        protocol: str | None = self.successResultOf(opened).transport.protocol
        return protocol

    def test_subprotocols(self) -> None:
        """
        The counter and the board go by the names that other libraries' demonstrations
        gave them, and by none.
        """
        for path, name in (
            ("/counter", "dumb-increment-protocol"),
            ("/board", "lws-mirror-protocol"),
        ):
            self.assertEqual(self.ask(path, protocols=["x", name]), name)
            self.assertIsNone(self.ask(path), path)
            self.assertEqual(self.ask(path, protocols=["x"]), 404, path)
        self.assertEqual(self.ask("/"), 404)

    def test_origins(self) -> None:
        """
        Only pages of the server itself may connect.
        """
        for path in ("/echo", "/counter", "/board"):
            ours, theirs = "http://server.invalid", "http://elsewhere.invalid"
            self.assertIsNone(self.ask(path, origin=ours), path)
            self.assertEqual(self.ask(path, origin=theirs), 403, path)


class PageTests(SynchronousTestCase):
    """
    C{/}
    """

    def get(self, target: str, method: str = "GET") -> tuple[str, dict[str, str], str]:
        """
        Ask a site for a page.

        @return: the status line, the headers, and the body of the response.
        """
        clock = Clock()
        router, page = makeDemo(clock)
        resource = WebSocketResource(WebSocketFactory(router, None, clock), page)
        channel = Site(resource, reactor=clock).buildProtocol(None)
        transport = StringTransport()
        channel.makeConnection(transport)
        request = f"{method} {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        channel.dataReceived(request.encode("ascii"))
        head, _, body = transport.value().decode("utf-8").partition("\r\n\r\n")
        status, *lines = head.split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        return status, {name.lower(): headers[name] for name in headers}, body

    def test_page(self) -> None:
        """
        The page is served at the root, and nothing elsewhere.
        """
        status, headers, body = self.get("/")
        self.assertEqual(status, "HTTP/1.1 200 OK")
        self.assertEqual(headers["content-type"], "text/html; charset=utf-8")
        self.assertEqual(headers["x-content-type-options"], "nosniff")
        self.assertEqual(headers["content-length"], str(len(body.encode("utf-8"))))
        self.assertTrue(body.startswith("<!DOCTYPE html>"))
        self.assertTrue(body.endswith("</html>\n"))
        for target in ("/page.html", "/x/", "//", "/echo"):
            status, headers, _ = self.get(target)
            self.assertEqual(status, "HTTP/1.1 404 Not Found", target)

    def test_methods(self) -> None:
        """
        The page can be asked for with HEAD, and with no method that changes things.
        """
        status, headers, body = self.get("/", "HEAD")
        self.assertEqual((status, body), ("HTTP/1.1 200 OK", ""))
        self.assertIn("content-security-policy", headers)
        self.assertEqual(self.get("/", "POST")[0], "HTTP/1.1 405 Method Not Allowed")

    def test_policy(self) -> None:
        """
        The Content-Security-Policy allows the script and the style that are in the
        page, by their hashes, WebSockets, the icon, and nothing else.
        """
        _, headers, body = self.get("/")
        hashes = {}
        for element in ("script", "style"):
            (text,) = re.findall(f"<{element}>(.*?)</{element}>", body, re.DOTALL)
            digest = b64encode(sha256(text.encode("utf-8")).digest()).decode("ascii")
            hashes[element] = f"'sha256-{digest}'"
        self.assertEqual(
            headers["content-security-policy"].split("; "),
            [
                "default-src 'none'",
                f"script-src {hashes['script']}",
                f"style-src {hashes['style']}",
                "img-src data:",
                "connect-src 'self' ws: wss:",
                "base-uri 'none'",
                "form-action 'none'",
                "frame-ancestors 'none'",
                "require-trusted-types-for 'script'",
            ],
        )

    def test_selfContained(self) -> None:
        """
        The page refers to nothing outside of itself, and nowhere turns text into
        markup.
        """
        _, _, body = self.get("/")
        self.assertEqual(re.findall(r"(?:src|href)=[\"'](?!data:)", body), [])
        self.assertEqual(re.findall(r"url\(|@import|\bimport\b", body), [])
        self.assertEqual(
            re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", body),
            [],
        )
        self.assertIn("window.MozWebSocket || window.WebSocket", body)
