# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Connections over sockets: TCP, TLS and UNIX.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import (
    SSL4ServerEndpoint,
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    UNIXClientEndpoint,
    UNIXServerEndpoint,
    wrapClientTLS,
)
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.protocols.basic import FileSender
from twisted.trial.unittest import SkipTest, TestCase

from tests.conversation import HANDSHAKE, answerTo
from tests.wire import KEY, rawFrame, readFrames
from twisted_ws import (
    ClientConfig,
    ClosedAbruptly,
    ClosedCleanly,
    Inbox,
    MessageReceiver,
    ServerConfig,
    WebSocketClient,
    WebSocketFactory,
)
from twisted_ws._wire.frames import Opcode
from twisted_ws.testing import RecordingReceiver

try:
    import trustme
    from twisted.internet.ssl import (
        Certificate,
        KeyPair,
        PrivateCertificate,
        optionsForClientTLS,
    )
except ImportError:  # pragma: no cover
    trustme = None

TCP, TLS, UNIX = "tcp", "tls", "unix"
SOON = 0.2
"""
A C{closeTimeout} for peers that never answer.
"""


class Certificates:
    """
    An authority, and a certificate of it for C{localhost}; made once.
    """

    _made: Any = None

    @classmethod
    def get(cls) -> Any:
        """
        @return: the server's options and the client's.
        """
        if trustme is None:
            raise SkipTest("trustme, or pyOpenSSL, is not installed")
        if cls._made is None:
            authority = trustme.CA()
            issued = authority.issue_cert("localhost")
            key = KeyPair.load(issued.private_key_pem.bytes(), 1)
            chain = issued.cert_chain_pems[0].bytes()
            certificate = PrivateCertificate.fromCertificateAndKeyPair(
                Certificate.loadPEM(chain), key
            )
            cls._made = (
                certificate.options(),
                Certificate.loadPEM(authority.cert_pem.bytes()),
            )
        return cls._made


class RawPeer(Protocol):
    """
    A client that speaks bytes, or a server that does when it has answered the
    handshake.

    @ivar received: what came after the handshake.
    @ivar lost: fires with the reason when the connection is lost.
    """

    def __init__(self, isServer: bool = False) -> None:
        self.received = b""
        self.lost: Deferred[Any] = Deferred()
        self._isServer = isServer
        self._opened = False
        self._waiting: list[tuple[int, Deferred[Any]]] = []

    def connectionMade(self) -> None:
        if not self._isServer:
            self.transport.write(HANDSHAKE)

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        if not self._opened and b"\r\n\r\n" in self.received:
            self._opened = True
            if self._isServer:
                self.transport.write(answerTo(self.received))
                self.received = b""
            else:
                self.received = self.received.partition(b"\r\n\r\n")[2]
        self._check()

    def connectionLost(self, reason: Any) -> None:
        self.lost.callback(reason.value)

    def drop(self) -> None:
        """
        Have the connection gone, if it is not.
        """
        if not self.lost.called:
            self.transport.abortConnection()

    def has(self, size: int) -> Deferred[Any]:
        """
        @return: a Deferred that fires when that many bytes came.
        """
        waiting: Deferred[Any] = Deferred()
        self._waiting.append((size, waiting))
        self._check()
        return waiting

    def _check(self) -> None:
        if self._opened:
            for size, waiting in list(self._waiting):
                if len(self.received) >= size:
                    self._waiting.remove((size, waiting))
                    waiting.callback(None)

    def send(self, first: int, payload: bytes = b"") -> None:
        """
        Send a frame.
        """
        key = None if self._isServer else KEY
        self.transport.write(rawFrame(first, payload, key))

    def frames(self) -> list[tuple[int, bytes]]:
        """
        @return: the frames that came.
        """
        return [(each.first, each.payload) for each in readFrames(self.received)]


class Flushed:
    """
    A producer that tells when a transport has got rid of all that was written.
    """

    def __init__(self, transport: Any) -> None:
        self.done: Deferred[Any] = Deferred()
        self._transport = transport
        transport.registerProducer(self, True)

    def pauseProducing(self) -> None:
        pass

    def resumeProducing(self) -> None:
        self._transport.unregisterProducer()
        self.done.callback(None)

    def stopProducing(self) -> None:
        if not self.done.called:
            self.done.callback("the connection was lost before")


async def turns(number: int = 20) -> None:
    """
    Let the reactor turn.
    """
    for _ in range(number):
        await deferLater(reactor, 0, lambda: None)


class SocketTestCase(TestCase):
    """
    Servers and clients on sockets of each kind.
    """

    timeout = 60

    async def listen(self, kind: str, factory: Any) -> Any:
        """
        @return: a client's endpoint for a port on which C{factory} listens now.
        """
        if kind == UNIX:
            path = self.mktemp()
            if len(path) > 90:
                raise SkipTest("the path of the test's directory is too long")
            server: Any = UNIXServerEndpoint(reactor, path)
        elif kind == TLS:
            options, _ = Certificates.get()
            server = SSL4ServerEndpoint(reactor, 0, options, interface="127.0.0.1")
        else:
            server = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        port = await server.listen(factory)
        self.addCleanup(lambda: maybeDeferred(port.stopListening))
        if kind == UNIX:
            return UNIXClientEndpoint(reactor, path)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
        if kind == TLS:
            root = Certificates.get()[1]
            return wrapClientTLS(optionsForClientTLS("localhost", root), endpoint)
        return endpoint

    async def serve(
        self, kind: str, receiver: Any, **options: Any
    ) -> tuple[WebSocketFactory, Any]:
        """
        @return: a server of ours whose only connection is C{receiver}'s, and an
            endpoint for it.
        """
        factory = WebSocketFactory(
            lambda request: request.accept(receiver), ServerConfig(**options)
        )
        self.addCleanup(factory.closeAllConnections)
        return factory, await self.listen(kind, factory)

    async def connect(self, endpoint: Any, receiver: Any, **options: Any) -> Any:
        """
        Connect a client of ours.
        """
        client = WebSocketClient(reactor, ClientConfig(**options), endpoint=endpoint)
        await client.connect("ws://localhost/", receiver)
        self.addCleanup(receiver.transport.whenClosed)
        self.addCleanup(receiver.transport.abortConnection)
        return receiver.transport

    async def connectRaw(self, endpoint: Any) -> RawPeer:
        """
        Connect a client that speaks bytes.
        """
        peer = await endpoint.connect(Factory.forProtocol(RawPeer))
        self.addCleanup(lambda: peer.lost)
        self.addCleanup(peer.drop)
        await peer.has(0)
        return peer

    async def serveRaw(self, kind: str) -> tuple[RawPeer, Any]:
        """
        @return: a server that speaks bytes, to one client, and an endpoint for it.
        """
        peer = RawPeer(isServer=True)
        factory = Factory()
        factory.noisy = False
        factory.buildProtocol = lambda address: peer  # type: ignore[method-assign]
        endpoint = await self.listen(kind, factory)
        self.addCleanup(lambda: peer.lost)
        self.addCleanup(peer.drop)
        return peer, endpoint


class Echo(RecordingReceiver):
    """
    Sends everything back.
    """

    def messageReceived(self, message):
        RecordingReceiver.messageReceived(self, message)
        self.transport.sendMessage(message)


class OptionTests(SocketTestCase):
    """
    Options of TCP.
    """

    async def test_noDelay(self):
        """
        TCP_NODELAY is set on both ends unless C{disableNagleAlgorithm} is false, over
        TLS too.
        """
        for kind in (TCP, TLS):
            for wanted in (True, False):
                receiver = RecordingReceiver()
                _, endpoint = await self.serve(
                    kind, receiver, disableNagleAlgorithm=wanted
                )
                client = await self.connect(
                    endpoint, Inbox(), disableNagleAlgorithm=wanted
                )
                for transport in (receiver.transport, client):
                    handle = transport.carrier.getHandle()
                    if kind == TLS:
                        handle = transport.carrier.transport.getHandle()
                    value = handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                    self.assertEqual(bool(value), wanted, kind)

    async def test_keepAlive(self):
        """
        SO_KEEPALIVE is set with C{useNativeKeepalive} only.
        """
        for wanted in (True, False):
            receiver = RecordingReceiver()
            _, endpoint = await self.serve(TCP, receiver, useNativeKeepalive=wanted)
            client = await self.connect(endpoint, Inbox(), useNativeKeepalive=wanted)
            for transport in (receiver.transport, client):
                handle = transport.carrier.getHandle()
                value = handle.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                self.assertEqual(bool(value), wanted)

    async def test_unix(self):
        """
        On a UNIX socket nothing of TCP is touched.
        """
        receiver = RecordingReceiver()
        _, endpoint = await self.serve(UNIX, receiver, useNativeKeepalive=True)
        client = await self.connect(endpoint, Inbox(), useNativeKeepalive=True)
        self.assertEqual(client.state, 0)
        self.assertEqual(receiver.transport.state, 0)


class EchoMixin:
    """
    Tests for each kind of socket.
    """

    kind: str

    async def test_echo(self):
        """
        Messages of any size come back as they were.
        """
        _, endpoint = await self.serve(self.kind, Echo())
        inbox = Inbox()
        await self.connect(endpoint, inbox)
        messages = ["text", b"binary", "", b"", "ü" * 1000, bytes(range(256)) * 4096]
        for message in messages:
            inbox.send(message)
        for message in messages:
            self.assertEqual(await inbox.receive(), message)

    async def test_weClose(self):
        """
        A server's close comes to a clean end on both sides, and at once.
        """
        receiver = RecordingReceiver()
        factory, endpoint = await self.serve(self.kind, receiver)
        client = await self.connect(endpoint, RecordingReceiver())
        receiver.transport.close(4000, "enough")
        for transport in (receiver.transport, client):
            ended = await transport.whenClosed()
            self.assertIsInstance(ended, ClosedCleanly)
            self.assertIsNone(ended.__cause__)
        self.assertEqual(ended.received, (4000, "enough"))
        self.assertEqual(factory.connections, set())

    async def test_peerCloses(self):
        """
        So does a client's.
        """
        receiver = RecordingReceiver()
        _, endpoint = await self.serve(self.kind, receiver)
        client = await self.connect(endpoint, RecordingReceiver())
        server = receiver.transport
        client.close(4000, "enough")
        for transport in (server, client):
            ended = await transport.whenClosed()
            self.assertIsInstance(ended, ClosedCleanly)
            self.assertIsNone(ended.__cause__)
        self.assertEqual(ended.sent, (4000, "enough"))

    async def test_bothClose(self):
        """
        So do two that cross.
        """
        receiver = RecordingReceiver()
        _, endpoint = await self.serve(self.kind, receiver)
        client = await self.connect(endpoint, RecordingReceiver())
        server = receiver.transport
        client.close(4000)
        server.close(4001)
        for transport in (server, client):
            self.assertIsInstance(await transport.whenClosed(), ClosedCleanly)

    async def test_drop(self):
        """
        A peer that drops the connection in the middle of a frame, or resets it, is an
        abrupt end.
        """
        for call in ("loseConnection", "abortConnection"):
            receiver = RecordingReceiver()
            _, endpoint = await self.serve(self.kind, receiver)
            peer = await self.connectRaw(endpoint)
            server = receiver.transport
            peer.transport.write(rawFrame(0x81, b"hello", KEY)[:-1])
            await turns()
            getattr(peer.transport, call)()
            ended = await server.whenClosed()
            self.assertIsInstance(ended, ClosedAbruptly)
            self.assertEqual((ended.code, receiver.losses), (1006, 1), call)

    async def test_noAnswer(self):
        """
        A client that never answers a Close frame is dropped after C{closeTimeout}.
        """
        receiver = RecordingReceiver()
        _, endpoint = await self.serve(self.kind, receiver, closeTimeout=SOON)
        peer = await self.connectRaw(endpoint)
        server = receiver.transport
        server.close()
        ended = await server.whenClosed()
        self.assertIsInstance(ended, ClosedAbruptly)
        self.assertEqual(
            str(ended),
            "we closed with 1000 (normal); the peer did not finish within closeTimeout"
            " (0.2 s)",
        )
        await peer.lost
        self.assertEqual(peer.frames(), [(0x88, b"\x03\xe8")])

    async def test_silentPeer(self):
        """
        So is one that has stopped to read altogether, be the handshake over or not, and
        whatever was queued for it.
        """
        for queued in (0, 8 << 20):
            for answers in (False, True):
                receiver = RecordingReceiver()
                _, endpoint = await self.serve(self.kind, receiver, closeTimeout=SOON)
                peer = await self.connectRaw(endpoint)
                server = receiver.transport
                peer.transport.pauseProducing()
                server.sendMessage(bytes(queued))
                server.close()
                if answers:
                    peer.send(0x88, b"\x03\xe8")
                ended = await server.whenClosed()
                self.assertEqual(isinstance(ended, ClosedCleanly), answers)
                self.assertEqual(receiver.losses, 1)
                peer.drop()

    async def test_serverStays(self):
        """
        A server that answers a Close frame and does not drop the connection is dropped
        by the client after C{closeTimeout}.
        """
        peer, endpoint = await self.serveRaw(self.kind)
        receiver = RecordingReceiver()
        client = await self.connect(endpoint, receiver, closeTimeout=SOON)
        client.close()
        await peer.has(8)
        peer.send(0x88, b"\x03\xe8")
        ended = await client.whenClosed()
        self.assertIsInstance(ended, ClosedCleanly)
        self.assertIn("closeTimeout (0.2 s)", str(ended))
        await peer.lost

    async def test_pausedAndClosed(self):
        """
        A connection that was paused when its peer closed notices when it is closed
        itself.
        """
        receiver = RecordingReceiver()
        _, endpoint = await self.serve(self.kind, receiver)
        peer = await self.connectRaw(endpoint)
        server = receiver.transport
        server.pauseProducing()
        peer.send(0x81, b"unwanted")
        peer.send(0x88, b"\x03\xe8")
        await turns()
        self.assertEqual(receiver.losses, 0)
        server.close()
        ended = await server.whenClosed()
        self.assertIsInstance(ended, ClosedCleanly)
        self.assertEqual(receiver.messages, [])

    async def test_congestedAndClosed(self):
        """
        A connection whose peer reads slowly, and closes on the way, comes to a clean
        end when the peer has read all.
        """
        receiver = RecordingReceiver()
        _, endpoint = await self.serve(self.kind, receiver)
        peer = await self.connectRaw(endpoint)
        server = receiver.transport
        peer.transport.pauseProducing()
        message = bytes(8 << 20)
        server.sendMessage(message)
        self.assertFalse(server.whenWritable().addErrback(lambda _: None).called)
        peer.send(0x88, b"\x03\xe8")
        await turns()
        peer.transport.resumeProducing()
        self.assertIsInstance(await server.whenClosed(), ClosedCleanly)
        await peer.lost
        frames = peer.frames()
        self.assertEqual(frames[-1], (0x88, b"\x03\xe8"))
        self.assertEqual(sum(len(payload) for _, payload in frames[:-1]), len(message))

    async def test_abort(self):
        """
        C{abortConnection} ends the connection in the next turn, with 8 MiB queued.
        """
        receiver = RecordingReceiver()
        _, endpoint = await self.serve(self.kind, receiver)
        peer = await self.connectRaw(endpoint)
        peer.transport.pauseProducing()
        server = receiver.transport
        server.sendMessage(bytes(8 << 20))
        server.abortConnection()
        await turns(2)
        self.assertEqual(receiver.losses, 1)
        self.assertEqual(str(receiver.reason), "we aborted the connection")

    async def test_violationInUpload(self):
        """
        A client that is in the middle of sending 5 MiB when it is found to send too
        much, and reads nothing until all is sent, then reads why, and no reset.
        """
        receiver = RecordingReceiver()
        _, endpoint = await self.serve(self.kind, receiver)
        peer = await self.connectRaw(endpoint)
        server = receiver.transport
        peer.transport.pauseProducing()
        flushed = Flushed(peer.transport)
        peer.send(0x82, bytes(5 << 20))
        self.assertIsNone(await flushed.done)
        peer.transport.resumeProducing()
        reason = await peer.lost
        self.assertIsInstance(reason, ConnectionDone)
        expected = b"a frame of 5242880 bytes, over 1048576"
        self.assertEqual(peer.frames(), [(0x88, b"\x03\xf1" + expected)])
        ended = await server.whenClosed()
        self.assertEqual(ended.sent, (1009, expected.decode()))
        self.assertEqual(receiver.messages, [])

    async def test_backpressure(self):
        """
        A paused connection is felt by its peer: C{whenWritable} there fires no more,
        and what is queued is bounded.  When it is resumed everything arrives, in order.
        """
        receiver = RecordingReceiver()
        _, endpoint = await self.serve(self.kind, receiver, keepalive=False)
        client = await self.connect(endpoint, RecordingReceiver())
        receiver.transport.pauseProducing()
        sent = 0
        size = 64 << 10
        while True:
            client.sendMessage(sent.to_bytes(4, "big") + bytes(size))
            sent += 1
            writable = client.whenWritable()
            for _ in range(100):
                if writable.called:
                    break
                await turns(1)
            else:
                break
            self.assertLess(sent * size, 64 << 20)
        self.assertEqual(receiver.messages, [])
        receiver.transport.resumeProducing()
        await writable
        client.sendMessage("last")
        client.close()
        self.assertIsInstance(await client.whenClosed(), ClosedCleanly)
        *numbered, last = receiver.messages
        self.assertEqual(last, "last")
        self.assertEqual(
            [int.from_bytes(each[:4], "big") for each in numbered], list(range(sent))
        )
        self.assertEqual({len(each) for each in numbered}, {4 + size})

    async def test_fileSender(self):
        """
        A file that is streamed to a peer that reads slowly is read no faster than it,
        and arrives whole.
        """

        class File:
            left = 8 << 20

            def read(self, size):
                size = min(size, self.left)
                self.left -= size
                return bytes(size)

        receiver = RecordingReceiver()
        _, endpoint = await self.serve(self.kind, receiver, keepalive=False)
        inbox = Inbox()
        client = await self.connect(
            endpoint, inbox, maxReceivedMessageSize=8 << 20, maxReceivedFragments=None
        )
        client.pauseProducing()
        message = receiver.transport.beginMessage(Opcode.BINARY)
        source = File()
        sending = FileSender().beginFileTransfer(source, message)
        before = None
        while before != source.left:
            before = source.left
            await turns(100)
        self.assertGreater(source.left, 0)
        client.resumeProducing()
        await sending
        message.finish()
        self.assertEqual(len(await inbox.receive()), 8 << 20)

    async def test_keepalive(self):
        """
        A peer that neither sends nor reads is dropped after interval and grace, one
        that answers is not.
        """
        receiver = RecordingReceiver()
        _, endpoint = await self.serve(
            self.kind, receiver, keepaliveInterval=0.05, keepaliveGracePeriod=0.05
        )
        peer = await self.connectRaw(endpoint)
        for number in range(1, 4):
            await peer.has(2 * number)
            peer.send(0x8A)
        self.assertEqual(receiver.losses, 0)
        ended = await receiver.transport.whenClosed()
        self.assertIn("keepaliveInterval", str(ended))
        await peer.lost

    async def test_failure(self):
        """
        A receiver that fails closes its connection with 1011, which the peer reads.
        """

        class Failing(MessageReceiver):
            def messageReceived(self, message):
                raise ValueError("fault of the application")

        receiver = Failing()
        _, endpoint = await self.serve(self.kind, receiver)
        inbox = Inbox()
        client = await self.connect(endpoint, inbox)
        inbox.send("hello")
        ended = await client.whenClosed()
        self.assertEqual(ended.received, (1011, "internal error"))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)


class TCPTests(EchoMixin, SocketTestCase):
    """
    Over TCP.
    """

    kind = TCP

    async def test_halfClose(self):
        """
        A client that closes its half of the connection has left.
        """
        receiver = RecordingReceiver()
        _, endpoint = await self.serve(TCP, receiver)
        peer = await self.connectRaw(endpoint)
        peer.send(0x81, b"last words")
        peer.transport.loseWriteConnection()
        ended = await receiver.transport.whenClosed()
        self.assertEqual(receiver.messages, ["last words"])
        self.assertIsInstance(ended, ClosedAbruptly)


class TLSTests(EchoMixin, SocketTestCase):
    """
    Over TLS.
    """

    kind = TLS

    async def test_isSecure(self):
        """
        The request knows that it came over TLS.
        """
        receiver = RecordingReceiver()
        _, endpoint = await self.serve(TLS, receiver)
        await self.connect(endpoint, RecordingReceiver())
        self.assertTrue(receiver.transport.request.isSecure)

    async def test_noCloseNotify(self):
        """
        A peer whose TCP connection ends without TLS's own goodbye is an abrupt end, and
        no error in the log.
        """
        receiver = RecordingReceiver()
        _, endpoint = await self.serve(TLS, receiver)
        peer = await self.connectRaw(endpoint)
        server = receiver.transport
        peer.transport.transport.loseConnection()
        self.assertIsInstance(await server.whenClosed(), ClosedAbruptly)
        self.assertEqual(self.flushLoggedErrors(), [])


class UNIXTests(EchoMixin, SocketTestCase):
    """
    Over UNIX sockets.
    """

    kind = UNIX
