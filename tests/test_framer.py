# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Tests for L{twisted_ws._wire.framer}: what is received, and what is refused (RFC 6455
section 5).  Rows are named by section.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_ws import isCompiled
from twisted_ws._wire import assembling as assemblingModule
from twisted_ws._wire import framer as framerModule
from twisted_ws._wire.framer import Framer
from twisted_ws._wire.frames import Frame
from twisted_ws._wire.payloads import Collector, unmasked
from twisted_ws._wire.state import State

from .wire import (
    BINARY,
    BINARY_BEGINS,
    CLOSE,
    CONTINUES,
    ENDS,
    KEY,
    PING,
    PONG,
    ROLES,
    TEXT,
    TEXT_BEGINS,
    RecordingFramer,
    WireSettings,
    rawFrame,
    splitBytes,
)

EDGES = (0, 1, 125, 126, 127, 65535, 65536)
"""
Where one form of a length ends and the next begins.
"""


def pattern(size: int) -> bytes:
    """
    @return: bytes of which no two neighbours, nor two blocks, are alike.
    """
    return b"".join(number.to_bytes(4, "big") for number in range(size // 4 + 1))[:size]


class ReceivingTests(SynchronousTestCase):
    """
    What is allowed arrives.
    """

    def test_examples(self) -> None:
        """
        The examples of RFC 6455 section 5.7, byte for byte.
        """
        half = pattern(256)
        full = pattern(65536)
        rows = (
            ("a text", False, "810548656c6c6f", b"", [("message", "Hello")]),
            ("masked", True, "818537fa213d7f9f4d5158", b"", [("message", "Hello")]),
            ("fragments", False, "010348656c80026c6f", b"", [("message", "Hello")]),
            (
                "a ping",
                False,
                "890548656c6c6f",
                b"",
                [("ping", b"Hello"), ("sent", PONG, b"Hello")],
            ),
            ("its pong", True, "8a8537fa213d7f9f4d5158", b"", [("pong", b"Hello")]),
            ("256 bytes", False, "827e0100", half, [("message", half)]),
            ("64 KiB", False, "827f0000000000010000", full, [("message", full)]),
        )
        for name, isServer, header, payload, calls in rows:
            framer = RecordingFramer(isServer)
            framer.dataReceived(bytes.fromhex(header) + payload)
            self.assertEqual(framer.calls, calls, name)

    def test_lengths(self) -> None:
        """
        5.2: each form of a length arrives whole at its edges, in one read, in small
        ones, and cut before and after each byte of its header.
        """
        for role, isServer in ROLES:
            for size in EDGES:
                payload = pattern(size)
                for first, message in (
                    (BINARY, payload),
                    (TEXT, payload.decode("latin-1")),
                ):
                    framer = RecordingFramer(isServer)
                    data = message.encode() if isinstance(message, str) else message
                    frame = framer.frame(first, data)
                    cuts = [[], [*range(1, 16)], [1000] * (len(frame) // 1000)]
                    cuts += [[cut] for cut in range(1, 15)]
                    for cut in cuts:
                        for read in splitBytes(frame, cut):
                            framer.dataReceived(read)
                        name = f"{role}: {size} bytes in reads of {cut}"
                        self.assertEqual(framer.calls, [("message", message)], name)
                        self.assertEqual(framer.held, 0, name)
                        framer.calls.clear()

    def test_masks(self) -> None:
        """
        5.3: whatever the mask, also in fragments that are cut within its four bytes.
        """
        payload = pattern(41)
        for key in (KEY, bytes(4), b"\xff" * 4, b"\0\0\0\1", b"\1\0\0\0"):
            frames = rawFrame(BINARY_BEGINS, payload[:22], key)
            frames += rawFrame(ENDS, payload[22:], key[::-1])
            for size in range(1, len(frames)):
                framer = RecordingFramer()
                for read in splitBytes(frames, [size] * (len(frames) // size)):
                    framer.dataReceived(read)
                self.assertEqual(framer.calls, [("message", payload)], (key, size))

    def test_fragments(self) -> None:
        """
        5.4: a message is its fragments put together, empty ones too, with control
        frames between them.
        """
        rows = (
            ("two", [(TEXT_BEGINS, b"a"), (ENDS, b"b")], "ab"),
            ("all empty", [(TEXT_BEGINS, b""), (CONTINUES, b""), (ENDS, b"")], ""),
            ("empty binary", [(BINARY_BEGINS, b""), (ENDS, b"")], b""),
            ("the first empty", [(BINARY_BEGINS, b""), (ENDS, b"b")], b"b"),
            ("the last empty", [(TEXT_BEGINS, b"a"), (ENDS, b"")], "a"),
            (
                "many",
                [(BINARY_BEGINS, b"0"), *[(CONTINUES, b"1")] * 99, (ENDS, b"2")],
                b"0" + b"1" * 99 + b"2",
            ),
            (
                "control between",
                [
                    (TEXT_BEGINS, b"a"),
                    (PING, b"?"),
                    (CONTINUES, b"b"),
                    (PONG, b"!"),
                    (PING, b""),
                    (ENDS, b"c"),
                ],
                "abc",
            ),
        )
        for role, isServer in ROLES:
            for name, frames, message in rows:
                framer = RecordingFramer(isServer)
                framer.feed(*frames)
                self.assertEqual(framer.messages, [message], (role, name))
                pings = [payload for first, payload in frames if first == PING]
                self.assertEqual(framer.called("ping"), pings, name)
                self.assertEqual(framer.sent, [(PONG, each) for each in pings], name)
                framer.feed((TEXT, b"next"))
                self.assertEqual(framer.messages[1:], ["next"], name)

    def test_order(self) -> None:
        """
        5.4: what one read brings is handed on in its order.
        """
        framer = RecordingFramer()
        framer.feed(
            (TEXT, b"1"),
            (PING, b"2"),
            (BINARY_BEGINS, b"3"),
            (PONG, b"4"),
            (ENDS, b"5"),
            (BINARY, b""),
            (TEXT, b""),
        )
        self.assertEqual(
            framer.calls,
            [
                ("message", "1"),
                ("ping", b"2"),
                ("sent", PONG, b"2"),
                ("pong", b"4"),
                ("message", b"35"),
                ("message", b""),
                ("message", ""),
            ],
        )

    def test_controlOfEveryLength(self) -> None:
        """
        5.5: a ping of each length up to 125 is answered with the same, in one read
        and byte by byte.
        """
        for role, isServer in ROLES:
            for size in range(126):
                for bytewise in (False, True):
                    framer = RecordingFramer(isServer)
                    ping = framer.frame(PING, pattern(size))
                    if bytewise:
                        framer.feedBytes(ping)
                    else:
                        framer.dataReceived(ping)
                    pong = (PONG, pattern(size))
                    self.assertEqual(framer.sent, [pong], (role, size))

    def test_types(self) -> None:
        """
        5.6: text is C{str}, binary is C{bytes}, and nothing like them.
        """
        for bytewise in (False, True):
            for first, kind in ((TEXT, str), (BINARY, bytes)):
                framer = RecordingFramer()
                frame = framer.frame(first, b"x")
                if bytewise:
                    framer.feedBytes(frame)
                else:
                    framer.dataReceived(frame)
                self.assertIs(type(framer.messages[0]), kind)

    def test_bytesReceived(self) -> None:
        """
        Every byte counts, headers and those that are not parsed any more included.
        """
        framer = RecordingFramer()
        framer.feedBytes(framer.frame(TEXT, b"hello"))
        self.assertEqual(framer.bytesReceived, 11)
        framer.feed((CLOSE, b""), (TEXT, b"ignored"))
        self.assertEqual(framer.bytesReceived, 11 + 6 + 13)

    def test_emptyReads(self) -> None:
        """
        A read of nothing does nothing, wherever it comes.
        """
        framer = RecordingFramer()
        for octet in framer.frame(TEXT_BEGINS, b"ab") + framer.frame(ENDS, b"c"):
            framer.dataReceived(b"")
            framer.dataReceived(bytes([octet]))
        self.assertEqual(framer.calls, [("message", "abc")])

    def test_noOtherControlFrames(self):
        """
        What is no control frame cannot be taken for one.
        """
        for opcode in (0, 1, 2, 3, 7, 11, 15):
            framer = RecordingFramer()
            self.assertRaises(AssertionError, framer._controlReceived, opcode, b"")


class FrameLevelTests(SynchronousTestCase):
    """
    C{assembleFragments} is off.
    """

    def test_frames(self) -> None:
        """
        Each data frame is delivered by itself, control frames are not.
        """
        for role, isServer in ROLES:
            for bytewise in (False, True):
                framer = RecordingFramer(isServer, assembleFragments=False)
                data = b"".join(
                    framer.frame(*frame)
                    for frame in (
                        (TEXT, "h\u00e9".encode()),
                        (BINARY_BEGINS, b"1"),
                        (PING, b"?"),
                        (CONTINUES, b""),
                        (ENDS, b"2"),
                        (BINARY, b""),
                        (TEXT_BEGINS, b"\xe2"),
                        (ENDS, b"\x82\xac"),
                    )
                )
                if bytewise:
                    framer.feedBytes(data)
                else:
                    framer.dataReceived(data)
                frames = [
                    Frame(1, b"h\xc3\xa9", True),
                    Frame(2, b"1", False),
                    Frame(0, b"", False),
                    Frame(0, b"2", True),
                    Frame(2, b"", True),
                    Frame(1, b"\xe2", False),
                    Frame(0, b"\x82\xac", True),
                ]
                self.assertEqual(framer.messages, frames, role)
                self.assertEqual({type(each) for each in framer.messages}, {Frame})
                self.assertEqual(framer.sent, [(PONG, b"?")], role)

    def test_namesOpcodes(self) -> None:
        """
        The opcode of a frame says its name.
        """
        framer = RecordingFramer(assembleFragments=False)
        framer.feed((TEXT_BEGINS, b""), (ENDS, b""))
        names = [frame.opcode.name for frame in framer.messages]
        self.assertEqual(names, ["TEXT", "CONTINUATION"])

    def test_checksStayOn(self) -> None:
        """
        Sequence, text and limits are judged as for messages.
        """
        limits = {
            "maxReceivedFrameSize": 10,
            "maxReceivedMessageSize": 15,
            "maxReceivedFragments": 3,
        }
        rows = (
            ("5.4 a continuation of nothing", [(ENDS, b"")], 1002),
            ("5.4 text within text", [(TEXT_BEGINS, b""), (TEXT, b"")], 1002),
            ("5.4 after the end", [(BINARY, b""), (CONTINUES, b"")], 1002),
            ("8.1 bad text", [(TEXT, b"\xff")], 1007),
            ("8.1 across frames", [(TEXT_BEGINS, b"\xe2"), (ENDS, b"a")], 1007),
            ("8.1 cut off", [(TEXT_BEGINS, b"\xe2"), (ENDS, b"\x82")], 1007),
            ("10.4 frame size", [(BINARY, bytes(11))], 1009),
            ("10.4 message size", [(BINARY_BEGINS, bytes(9)), (ENDS, bytes(7))], 1009),
            ("10.4 fragments", [(BINARY_BEGINS, b""), *[(CONTINUES, b"")] * 3], 1008),
        )
        for role, isServer in ROLES:
            for name, frames, code in rows:
                framer = RecordingFramer(isServer, assembleFragments=False, **limits)
                framer.feed(*frames)
                self.assertEqual(framer.closeCode, code, (role, name))
                self.assertEqual(len(framer.messages), len(frames) - 1, name)


class ViolationTests(SynchronousTestCase):
    """
    What is not allowed is refused, and as early as it can be known.
    """

    GIANT = 1 << 30

    def rows(self) -> list[tuple[str, list[tuple[int, bytes]], bytes, int]]:
        """
        @return: names, whole frames that come first, the header of a wrong frame
            without its mask bit, and the number of its bytes that tell.
        """
        data = [(BINARY_BEGINS, b"1")]
        rows = []
        for bit, reserved in (("RSV1", 0x40), ("RSV2", 0x20), ("RSV3", 0x10)):
            for first in (TEXT, BINARY, TEXT_BEGINS, CLOSE, PING, PONG):
                rows.append((f"5.2 {bit} of {first:x}", [], first | reserved))
            for first in (CONTINUES, ENDS, PING):
                rows.append((f"5.2 {bit} of {first:x} within", data, first | reserved))
        for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
            rows.append((f"5.2 opcode {opcode}", [], 0x80 | opcode))
            rows.append((f"5.2 opcode {opcode} begins", [], opcode))
            rows.append((f"5.2 opcode {opcode} within", data, 0x80 | opcode))
        for first in (TEXT, BINARY, TEXT_BEGINS, BINARY_BEGINS):
            rows.append((f"5.4 {first:x} within a message", data, first))
        for first in (CONTINUES, ENDS):
            rows.append((f"5.4 {first:x} of nothing", [], first))
            rows.append((f"5.4 {first:x} after the end", [*data, (ENDS, b"")], first))
        for first in (CLOSE, PING, PONG):
            rows.append((f"5.5 {first:x} in fragments", [], first & 0x7F))
            rows.append((f"5.5 {first:x} in fragments within", data, first & 0x7F))
        judged = [
            (name, before, rawFrame(first, announced=self.GIANT), 2)
            for name, before, first in rows
        ]
        for first in (CLOSE, PING, PONG):
            for form, size in ((16, 126), (16, 65535), (64, 65536), (16, 5), (64, 0)):
                header = rawFrame(first, form=form, announced=size)
                judged.append((f"5.5 {first:x} of {size} by {form}", [], header, 2))
        for form, told, sizes in (
            (16, 4, (0, 1, 125)),
            (64, 10, (0, 125, 126, 65535)),
            (64, 10, (1 << 63, (1 << 63) + 5, (1 << 64) - 1)),
        ):
            for size in sizes:
                for before, first in (
                    ([], TEXT),
                    ([], BINARY),
                    ([], BINARY_BEGINS),
                    (data, CONTINUES),
                    (data, ENDS),
                ):
                    header = rawFrame(first, form=form, announced=size)
                    name = f"5.2 {first:x}: {size} by {form} bits"
                    judged.append((name, before, header, told))
        return judged

    def test_refused(self) -> None:
        """
        Each wrong frame is answered with 1002 at the byte that tells, in both roles,
        byte by byte and in one read; nothing of it is delivered.
        """
        for role, isServer in ROLES:
            bit = 0x80 if isServer else 0
            for name, before, header, told in self.rows():
                header = header[:1] + bytes([header[1] | bit]) + header[2:]
                for bytewise in (True, False):
                    framer = RecordingFramer(isServer, maxReceivedMessageSize=None)
                    framer.feed(*before)
                    framer.calls.clear()
                    if bytewise:
                        self.assertEqual(framer.feedBytes(header), told, (role, name))
                    else:
                        framer.dataReceived(header + bytes(20))
                    self.assertEqual(framer.closeCode, 1002, (role, name))
                    kinds = [call[0] for call in framer.calls]
                    self.assertEqual(kinds, ["violation", "sent", "discarding"], name)
                    self.assertEqual(framer.held, 0, name)

    def test_masking(self) -> None:
        """
        5.1: a server refuses a frame that is not masked, a client one that is, at
        the second byte.
        """
        for role, isServer in ROLES:
            wrong = None if isServer else KEY
            for first in (TEXT, BINARY, TEXT_BEGINS, CLOSE, PING, PONG):
                for size in EDGES:
                    framer = RecordingFramer(isServer)
                    judged = framer.feedBytes(rawFrame(first, bytes(size), wrong)[:20])
                    self.assertEqual(judged, 2, (role, first, size))
                    said = "not masked" if isServer else "masked"
                    self.assertEqual(framer.closeCode, 1002)
                    self.assertEqual(
                        str(framer.violations[0]), f"a frame that is {said}"
                    )

    def test_everyFirstTwoBytes(self) -> None:
        """
        5.2: each of the 65536 pairs is the beginning of a frame or is refused with
        1002; nothing is raised.
        """
        begins = {TEXT, BINARY, TEXT_BEGINS, BINARY_BEGINS, CLOSE, PING, PONG}
        settings = WireSettings()
        for role, isServer in ROLES:
            bit = 0x80 if isServer else 0
            wrong = []
            for first in range(256):
                longest = 125 if first in (CLOSE, PING, PONG) else 127
                for second in range(256):
                    right = first in begins and 0 <= second - bit <= longest
                    # A client's frame may be complete with its header; a Close
                    # without a body is answered with such a one.
                    closed = 1005 if (first, second) == (CLOSE, 0) else None
                    framer = Framer(isServer, settings)
                    framer.dataReceived(bytes((first, second)))
                    sent = framer.closeSent and framer.closeSent.code
                    if sent != (closed if right else 1002):
                        wrong.append((first, second))
            self.assertEqual(wrong, [], role)

    def test_everyFirstByteWithin(self) -> None:
        """
        5.4: within a message each first byte goes on with it, is a control frame, or
        is refused with 1002.
        """
        for role, isServer in ROLES:
            right = set()
            for first in range(256):
                framer = RecordingFramer(isServer)
                framer.feed((TEXT_BEGINS, b"a"), (first, b""))
                if framer.closeCode in (None, 1005):
                    right.add(first)
                else:
                    self.assertEqual(framer.closeCode, 1002, (role, first))
            self.assertEqual(right, {CONTINUES, ENDS, CLOSE, PING, PONG}, role)

    def test_whatCameBefore(self) -> None:
        """
        7.1.7: messages and answers that a read brings before a violation are handed
        on and written before the Close frame; what is behind it is dropped.
        """
        for role, isServer in ROLES:
            framer = RecordingFramer(isServer)
            framer.react = framer.sendMessage
            framer.feed(
                (TEXT, b"1"), (PING, b"2"), (TEXT, b"3"), (0x83, b""), (TEXT, b"4")
            )
            self.assertEqual(
                [call for call in framer.calls if call[0] != "violation"],
                [
                    ("message", "1"),
                    ("sent", TEXT, b"1"),
                    ("ping", b"2"),
                    ("sent", PONG, b"2"),
                    ("message", "3"),
                    ("sent", TEXT, b"3"),
                    ("sent", CLOSE, b"\x03\xeaan unknown opcode: 3"),
                    ("discarding",),
                ],
                role,
            )
            self.assertEqual(framer.state, State.DISCARDING)

    def test_afterwards(self) -> None:
        """
        After a violation nothing that comes is kept or answered.
        """
        framer = RecordingFramer()
        framer.feed((0x83, b""))
        del framer.calls[:]
        framer.feed((TEXT, b"x"), (PING, b"y"), (CLOSE, b""), (0x83, b""))
        framer.dataReceived(bytes(1 << 16))
        self.assertEqual((framer.calls, framer.held), ([], 0))


class LinearTests(SynchronousTestCase):
    """
    No byte is looked at twice, however the reads are cut.
    """

    def test_unmaskedOnce(self) -> None:
        """
        Each payload byte is unmasked once, in the longest pieces that a read allows.
        """
        sizes: list[int] = []

        def countingUnmasked(data: bytes, start: int, stop: int) -> bytes:
            sizes.append(stop - start)
            return unmasked(data, start, stop)

        class CountingCollector(Collector):
            def take(self, data: bytes, start: int, stop: int, key: bytes) -> None:
                sizes.append(stop - start)
                Collector.take(self, data, start, stop, key)

            def takeMasked(self, data: bytes, start: int, stop: int) -> None:
                sizes.append(stop - start)
                Collector.takeMasked(self, data, start, stop)

        self.patch(framerModule, "unmasked", countingUnmasked)
        self.patch(assemblingModule, "Collector", CountingCollector)
        rows = (
            ("one read", 40_008, [40_000]),
            ("reads of 15000", 15_000, [14_992, 15_000, 10_008]),
            ("reads of one", 1, [1] * 40_000),
        )
        for name, step, inAll in rows:
            for first in (BINARY, BINARY_BEGINS):
                # A whole message is unmasked by a call of C's there, which none sees.
                isSeen = not isCompiled or step < 40_008 or first != BINARY
                expected = inAll if isSeen else []
                framer = RecordingFramer()
                frame = framer.frame(first, bytes(40_000))
                sizes.clear()
                for at in range(0, len(frame), step):
                    framer.dataReceived(frame[at : at + step])
                self.assertEqual(sizes, expected, name)

    def test_smallReadsKeepNothing(self) -> None:
        """
        While a large frame comes in byte by byte no more waits than its header: the
        payload is in one place, however many reads it took.
        """
        for first in (BINARY, TEXT, BINARY_BEGINS):
            framer = RecordingFramer()
            most = 0
            payload = b"x" * 70_000
            for octet in framer.frame(first, payload):
                framer.dataReceived(b"%c" % octet)
                most = max(most, framer.held)
            self.assertEqual(most, 13)
            if first == BINARY:
                self.assertEqual(framer.messages, [payload])

    def test_largeReadIsLetGo(self) -> None:
        """
        The first bytes of a header at the end of a read do not keep the read.
        """
        framer = RecordingFramer()
        read = framer.frame(BINARY, bytes(60_000)) + framer.frame(PING, bytes(125))
        framer.dataReceived(read[:-1])
        self.assertEqual(framer.held, 130)
        framer.dataReceived(read[-1:])
        self.assertEqual(framer.sent, [(PONG, bytes(125))])
        self.assertEqual(framer.held, 0)
