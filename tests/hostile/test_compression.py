# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Compressed messages that attackers send to a server that compresses.

Damaged data, and the limits of a decompressor by itself, are in L{tests.rows} and
L{tests.test_inflater_limits}.
"""

from __future__ import annotations

import zlib
from typing import Any
from unittest.mock import patch

from twisted.logger import LogLevel

from tests.handshakes import Echo
from tests.test_inflater_limits import bomb
from tests.wire import readFrames
from twisted_ws import PerMessageDeflate
from twisted_ws.testing import RawPeer

from .victim import BYTEWISE, MIB, WHOLE, HostileTests, Repeat, masked, peakOf

EMPTY_BLOCK = b"\x00\x00\x00\xff\xff"
WHOLE_TEXT, BEGINS = 0xC1, 0x42
"""
First bytes of compressed messages.
"""


def _deflated(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


class CompressedTests(HostileTests):
    """
    The server agrees on compression with everyone.
    """

    def start(self, application: Any = Echo, **options: Any) -> RawPeer:
        """
        Start a server and connect to it.
        """
        self.serve(application, extensions=[PerMessageDeflate()], **options)
        return self.another()

    def another(self) -> RawPeer:
        """
        @return: a further peer that has agreed on compression.
        """
        return self.opened("Sec-WebSocket-Extensions: permessage-deflate")

    def test_bomb(self) -> None:
        """
        Half a MiB that would become 512 MiB is stopped at the limit of a message, in
        one frame, in a thousand, and behind text that was fine.
        """
        data = bomb(512 * MIB)
        step = len(data) // 1000
        cut = [data[at : at + step] for at in range(0, len(data), step)]
        fragments = masked(BEGINS, cut[0])
        fragments += b"".join(masked(0x00, each) for each in cut[1:])
        whole = masked(0xC2, data)
        for attack in (whole, fragments, masked(0x81, b"fine") + whole):
            peer = self.start()
            with peakOf() as peak:
                peer.send(attack, 65536)
            self.assertLess(peak.size, 3 * MIB + 4 * MIB)
            self.assertFailed(peer, 1009)
            self.assertLogged("closing with 1009", "(option: maxReceivedMessageSize)")
            self.assertServed()
            self.assertNothingLeft()

    def test_nothingMuch(self) -> None:
        """
        Three hundred thousand blocks of nothing are too long for a message that they do
        not even become, in one frame or in several; and each in a frame of its own is
        too many fragments.
        """
        blocks = EMPTY_BLOCK * 300_000 + b"\x00"
        half = len(blocks) // 2
        size, count = "maxReceivedMessageSize", "maxReceivedFragments"
        two = masked(BEGINS, blocks[:half]) + masked(0x80, blocks[half:])
        single = masked(BEGINS, EMPTY_BLOCK) + masked(0x00, EMPTY_BLOCK) * 300_000
        for attack, code, option in (
            (masked(0xC2, blocks), 1009, size),
            (two, 1009, size),
            (single, 1008, count),
        ):
            peer = self.start()
            with peakOf() as peak:
                peer.send(attack, 65536)
            # What waits in the carrier, which is the attack itself, included.
            self.assertLess(peak.size, len(attack) + 2 * MIB)
            self.assertFailed(peer, code)
            self.assertLogged(f"closing with {code}", f"(option: {option})")
            self.assertServed()
            self.assertNothingLeft()

    def test_edge(self) -> None:
        """
        A message that becomes exactly as long as it may is fine; one byte more is not.
        """
        for size, fine in ((MIB, True), (MIB + 1, False)):
            peer = self.start()
            compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
            data = compressor.compress(b"a" * size)
            data += compressor.flush(zlib.Z_SYNC_FLUSH)
            peer.send(masked(WHOLE_TEXT, data[:-4]))
            if fine:
                self.assertEqual(peer.received[:1], b"\xc1")
                self.assertSilent()
            else:
                self.assertFailed(peer, 1009)
                self.assertLogged("closing with 1009")
            self.assertServed()

    def test_damage(self) -> None:
        """
        What is no compressed data is 1007 and one line, that says what is wrong with it
        and nothing of the data, however it arrives.
        """
        for name, data in {
            "a reserved kind of block": b"\x07",
            "a distance too far": b"\x02\x02\x00\x00",
            "nothing at all": b"",
            "noise": bytes(range(90, 250)),
            "a stored block of another length": b"\x00\x05\x00\x00\x00hello",
            "what ends within a code": _deflated(b"hello" * 9)[:-3],
            "what becomes bad text": b"\xfa\x0f\x00",
        }.items():
            for most in (WHOLE, BYTEWISE):
                peer = self.start()
                peer.send(masked(WHOLE_TEXT, data), most)
                self.assertFailed(peer, 1007, name)
                self.assertLogged("closing with 1007")
                self.assertServed()
                self.assertNothingLeft()

    def test_noMemory(self) -> None:
        """
        Where there is no memory for a compressor, or a decompressor, one connection is
        closed with 1011, with its error in the log, and the others go on.
        """
        for broken, frame in (
            ("decompressobj", masked(WHOLE_TEXT, b"\x4a\x04\x00")),
            ("compressobj", masked(0x81, b"long enough to be compressed" * 90)),
        ):
            peer = self.start()
            library = patch.object(zlib, broken, side_effect=MemoryError("no memory"))
            with library:
                peer.send(frame)
            self.assertFailed(peer, 1011, broken)
            self.assertLogged("an extension failed", level=LogLevel.critical)
            self.assertEqual(len(self.flushLoggedErrors(MemoryError)), 1)
            self.assertServed()
            self.assertNothingLeft()

    def test_idle(self) -> None:
        """
        Connections that have had a large message each hold none of it when they are
        idle: what is left, once their compressors are dropped, is a decompressor each.
        """
        text = b"idle " * 200_000
        compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
        data = compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH)
        self.start(Repeat, keepalive=False)
        message = masked(WHOLE_TEXT, data[:-4])
        peers = []
        with peakOf() as peak:
            for _ in range(30):
                peer = self.another()
                peer.send(message)
                self.assertNotEqual(readFrames(peer.take()), [])
                peers.append(peer)
            for _ in range(3):
                self.clock.advance(600)
        self.assertLess(peak.left / len(peers), 60 * 1024)
        self.assertServed()
