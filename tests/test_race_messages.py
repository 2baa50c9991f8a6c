# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What L{benchmarks.race} sends, and how it looks at what comes back.
"""

from __future__ import annotations

import socket
import struct

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.race import check as checking
from benchmarks.race.check import Wrong, check
from benchmarks.race.messages import (
    KINDS,
    KINDS_OF_JSON,
    Message,
    compress,
    masked,
    messagesFor,
    requestFor,
)
from benchmarks.race.slow import unpack
from benchmarks.race.workloads import FRESH, WORKLOADS
from twisted_ws import MessageReceiver, PerMessageDeflate, ServerConfig
from twisted_ws.testing import MemoryServer

W2, W9, W10 = (WORKLOADS[name] for name in ("W2", "W9", "W10"))
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""
What RFC 6455 section 1.3 has for the key that is sent.
"""

CLOSE = b"\x88\x02\x03\xe8"


class MessagesTests(SynchronousTestCase):
    """
    The bytes that are sent.
    """

    def test_understood(self) -> None:
        """
        Our own server gets from each workload's request and messages the payloads that
        it should, of the size that it should.
        """
        for workload in WORKLOADS.values():
            received: list[str | bytes] = []

            class Keeping(MessageReceiver):
                messageReceived = received.append

            server = MemoryServer(
                Keeping, ServerConfig(extensions=[PerMessageDeflate()])
            )
            peer = server.connectRaw()
            peer.send(requestFor(workload))
            messages = messagesFor(workload, isRaw=False)
            for message in messages:
                peer.send(message.wire)
            expected = [
                each.payload.decode() if workload.isText else each.payload
                for each in messages
            ]
            self.assertEqual(received, expected, workload.name)
            self.assertEqual({len(each) for each in received}, {workload.size})
            agreed = b"permessage-deflate" in peer.received
            self.assertEqual(agreed, bool(workload.offer), workload.name)

    def test_different(self) -> None:
        """
        Messages that take turns differ, so that one in the place of another is noticed;
        they are the same for each server.
        """
        messages = messagesFor(W2, isRaw=False)
        self.assertEqual(len({each.payload for each in messages}), KINDS)
        raw = messagesFor(W2, isRaw=True)
        self.assertEqual(
            [each.wire for each in raw], [each.payload for each in messages]
        )

    def test_differentCompressed(self) -> None:
        """
        Of those that are compressed none is in the largest window of another's
        compressor when its turn comes again.
        """
        payloads = {each.payload for each in messagesFor(WORKLOADS["W10t"], False)}
        self.assertEqual(len(payloads), KINDS_OF_JSON)
        self.assertGreater(sum(map(len, payloads)), 1 << 16)

    def test_fragments(self) -> None:
        """
        A message in four fragments has four frames, the last of them final.
        """
        (message, *_) = messagesFor(WORKLOADS["W11"], isRaw=False)
        size = 4 + 4 + 256
        firsts = [message.wire[at] for at in range(0, len(message.wire), size)]
        self.assertEqual(firsts, [2, 0, 0, 0x80])

    def test_masked(self) -> None:
        """
        To mask what is masked takes the mask off.
        """
        for size in (0, 1, 4, 7):
            data = bytes(range(size))
            self.assertEqual(masked(masked(data)), data)
        self.assertEqual(masked(bytes(5)), b"\x37\xfa\x21\x3d\x37")

    def test_file(self) -> None:
        """
        The load reads from a file what was written to it.
        """
        messages = [*messagesFor(W10, isRaw=False), Message(b"", b"\x82\x80abcd")]
        self.assertEqual(unpack(b"".join(each.packed() for each in messages)), messages)


class CheckTests(SynchronousTestCase):
    """
    The conversation before the time is taken, with a server that has said all at once.
    """

    def setUp(self) -> None:
        self.ours, theirs = socket.socketpair()
        self.addCleanup(self.ours.close)
        theirs.settimeout(checking.SECONDS)
        self.patch(checking.socket, "create_connection", lambda *_: theirs)

    def says(self, *frames: bytes, extensions: str = "", accept: str = ACCEPT) -> None:
        """
        Have the server say this.
        """
        head = ["HTTP/1.1 101 Yes", f"Sec-WebSocket-Accept: {accept}"]
        if extensions:
            head.append(f"Sec-WebSocket-Extensions: {extensions}")
        self.ours.sendall("\r\n".join([*head, "", ""]).encode() + b"".join(frames))
        self.ours.shutdown(socket.SHUT_WR)

    def refuses(self, why: str, *frames: bytes, **said: str) -> None:
        """
        The check fails.
        """
        self.says(*frames, **said)
        messages = [Message(b"hello", b"")]
        wrong = self.assertRaises(Wrong, check, 0, W2, messages, False)
        self.assertIn(why, str(wrong))

    def test_right(self) -> None:
        """
        A server that sends back what it got, in fragments if it likes, is right.
        """
        self.says(b"\x02\x03hel", b"\x80\x02lo", CLOSE)
        check(0, W2, [Message(b"hello", b"")], False)

    def test_raw(self) -> None:
        """
        One without the protocol has to send the bytes.
        """
        self.ours.sendall(b"hello")
        check(0, W2, [Message(b"hello", b"hello")], True)
        self.assertEqual(self.ours.recv(100), b"hello")

    def test_compressed(self) -> None:
        """
        What is compressed is compared when it is not any more.
        """
        data = compress(b"hello " * 9)
        self.says(struct.pack("!BB", 0xC1, len(data)), data, CLOSE, extensions=FRESH)
        check(0, W10, [Message(b"hello " * 9, b"", True, True)], False)

    def test_dropped(self) -> None:
        """
        Where it matters, the server has to drop the connection after closing.
        """
        self.says(CLOSE, b"\x82\x00")
        wrong = self.assertRaises(Wrong, check, 0, W9, [], False)
        self.assertIn("more after the Close", str(wrong))

    def test_wrongPayload(self) -> None:
        """
        Another payload is wrong.
        """
        self.refuses("not what was sent", b"\x82\x05hallo")

    def test_wrongOpcode(self) -> None:
        """
        Text is wrong where the message was binary.
        """
        self.refuses("opcode is 1", b"\x81\x05hello")

    def test_wrongExtensions(self) -> None:
        """
        Compression that nobody asked for is wrong.
        """
        self.refuses("extensions", extensions="permessage-deflate")

    def test_wrongAccept(self) -> None:
        """
        So is a handshake that is not an answer to ours.
        """
        self.refuses("Sec-WebSocket-Accept", accept="x")

    def test_drops(self) -> None:
        """
        So is a server that says nothing more.
        """
        self.refuses("dropped", b"\x82\x05hel")
