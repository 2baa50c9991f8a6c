# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.outbox}: what waits is encoded when it is its turn, so that extensions
never see what is dropped.
"""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import BOTH, CLOSE_1000, Conversation, reassembled
from tests.deflating import inflated
from tests.extensions import Giving, Marking
from twisted_ws import ClosedAbruptly, Frame, PerMessageDeflate
from twisted_ws._wire.frames import Opcode
from twisted_ws.waiting import COST

FIELD = b"Sec-WebSocket-Extensions: "
CLOSE_1011 = (0x88, b"\x03\xf3internal error")


def congested(isServer: bool, *extensions, **options) -> Conversation:
    """
    @return: a conversation that speaks them, whose carrier has no room for more than
        one empty message.
    """
    names = ", ".join(each.name for each in extensions)
    c = Conversation(
        isServer,
        fields=(FIELD + names.encode(),),
        extensions=extensions,
        keepalive=False,
        **options,
    )
    c.carrier.highWater = 1
    c.stopReading()
    c.connection.sendMessage(b"")
    return c


class DroppedTests(SynchronousTestCase):
    """
    Messages are dropped from among those that wait.
    """

    def test_contextTakeover(self):
        """
        The peer decodes all that it gets, with one compression for all of them.
        """
        common = Random(7).randbytes(100).hex()
        texts = [f"{number:03}{common}" for number in range(20)]
        size = COST + len(texts[0])
        for isServer, role in BOTH:
            for policy, first in (("drop-oldest", 13), ("drop-newest", 0)):
                c = congested(
                    isServer,
                    PerMessageDeflate(threshold=0),
                    slowReaderPolicy=policy,
                    maxSendBuffer=7 * size,
                )
                for each in texts:
                    c.connection.sendMessage(each)
                self.assertEqual(c.connection.messagesDropped, 13, role)
                c.readOn()
                frames = reassembled(c.take())[1:]
                self.assertEqual({first for first, _ in frames}, {0xC1}, role)
                payloads = [payload for _, payload in frames]
                # The later ones are short because they refer to those before.
                self.assertLess(len(payloads[-1]), len(payloads[0]) // 2, role)
                expected = [each.encode() for each in texts[first : first + 7]]
                self.assertEqual(inflated(*payloads), expected, (role, policy))

    def test_replaced(self):
        """
        So it does when one has taken the place of another.
        """
        c = congested(True, PerMessageDeflate(threshold=0), slowReaderPolicy="coalesce")
        for number in range(9):
            c.connection.sendMessage(f"{number}" * 50, key=number % 2)
        c.readOn()
        payloads = [payload for _, payload in c.take()[1:]]
        self.assertEqual(inflated(*payloads), [b"8" * 50, b"7" * 50])

    def test_notSeen(self):
        """
        An extension is not asked about one that is dropped, nor before its turn.
        """
        marking = Marking()
        c = congested(
            True,
            Giving(marking),
            slowReaderPolicy="drop-newest",
            maxSendBuffer=COST + 1,
        )
        c.connection.sendMessage("a")
        c.connection.sendMessage("b")
        seen = [call[1].payload for call in marking.calls if call[0] == "encode"]
        self.assertEqual(seen, [b""])
        c.readOn()
        seen = [call[1].payload for call in marking.calls if call[0] == "encode"]
        self.assertEqual(seen, [b"", b"a"])

    def test_compress(self):
        """
        Whether a message is to be compressed is known when it is its turn.
        """
        c = congested(True, PerMessageDeflate())
        for compress in (False, True):
            c.connection.sendMessage("lorem" * 9, compress)
            c.connection.beginMessage(Opcode.TEXT, compress).write("lorem" * 9)
            c.connection.sendFrame(Frame(0, b"", True))
        c.readOn()
        firsts = [first for first, _ in c.take()[1:]]
        self.assertEqual(firsts, [0x81, 0x01, 0x80, 0xC1, 0x41, 0x80])


class FailingTests(SynchronousTestCase):
    """
    An extension fails with one that has waited.
    """

    def failing(self, isServer, payload, perMessage=True, **options):
        """
        @return: a conversation in which it fails with this payload.
        """
        marking = Marking(perMessage=perMessage)

        def encode(frame):
            if frame.payload == b"<" + payload:
                raise ZeroDivisionError
            return frame

        marking.onEncode = encode
        return congested(isServer, Giving(marking), **options)

    def test_message(self):
        """
        The connection is closed with 1011.  That message and those behind it are not
        sent, and their Deferreds fail with its end.
        """
        for isServer, role in BOTH:
            for perMessage in (True, False):
                c = self.failing(isServer, b"1", perMessage)
                waiting = [c.connection.sendMessage(f"{n}") for n in range(4)]
                c.readOn()
                c.readOn()
                c.dropCarrier()
                self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
                self.assertEqual(c.take()[1:], [(0xC1, b"<0"), CLOSE_1011], role)
                self.assertIsNone(self.successResultOf(waiting[0]), role)
                for each in waiting[1:]:
                    self.failureResultOf(each, ClosedAbruptly)
                self.assertEqual((c.receiver.losses, c.timers), (1, 0), role)

    def test_frame(self):
        """
        So it is with a frame of a message that was begun.
        """
        c = self.failing(True, b"1", perMessage=False)
        message = c.connection.beginMessage()
        for each in ("0", "1", "2"):
            message.write(each)
        c.readOn()
        c.readOn()
        c.dropCarrier()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(c.take()[1:], [(0x41, b"<0"), CLOSE_1011])

    def test_whileClosing(self):
        """
        When we are closing, our Close frame takes the place of what waited.
        """
        c = self.failing(True, b"0")
        waiting = [c.connection.sendMessage(f"{n}") for n in range(2)]
        c.connection.close()
        c.readOn()
        c.dropCarrier()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(c.take()[1:], [CLOSE_1000])
        for each in waiting:
            self.failureResultOf(each)

    def test_whenThePeerCloses(self):
        """
        So it does when the peer closes, and all that waits is handed on.
        """
        c = self.failing(True, b"1", pauseWhileCongested=False)
        waiting = [c.connection.sendMessage(f"{n}") for n in range(3)]
        c.send(CLOSE_1000)
        c.readOn()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(c.take()[1:], [(0xC1, b"<0"), CLOSE_1000])
        for each in waiting:
            self.failureResultOf(each)
