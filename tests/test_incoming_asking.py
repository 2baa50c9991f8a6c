# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.incoming}: asking for a message piece by piece.
"""

from __future__ import annotations

import os
from io import BytesIO

from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport
from twisted.protocols.ftp import FileConsumer
from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import BOTH, CLOSE_1000, Conversation
from tests.taking import Sink
from twisted_ws._wire.state import State
from twisted_ws.testing import MemoryServer, RecordingReceiver

FAILED = (0x88, b"\x03\xf3internal error")


class AskingTests(SynchronousTestCase):
    """
    When C{deliverTo} may be called, and with what.
    """

    def began(self, act):
        """
        @return: a conversation whose receiver does something with the message that
            begins.
        """

        class Receiver(RecordingReceiver):
            def messageBegan(self, message):
                return act(message)

        c = Conversation(True, Receiver())
        c.send((0x82, b"hello"))
        return c

    def test_twice(self):
        """
        A message can be taken once.
        """

        def act(message):
            message.deliverTo(sink)
            self.assertRaises(RuntimeError, message.deliverTo, sink)

        sink = Sink()
        self.began(act)
        self.assertEqual(sink.data, b"hello")

    def test_tooLate(self):
        """
        Only while it begins.
        """
        kept = []
        c = self.began(kept.append)
        self.assertEqual(c.receiver.messages, [b"hello"])
        self.assertRaises(RuntimeError, kept[0].deliverTo, BytesIO())

    def test_raises(self):
        """
        A receiver that raises in C{messageBegan} has failed; nothing is delivered to
        it, not even an empty message.
        """

        class Receiver(RecordingReceiver):
            def messageBegan(self, message):
                if message.opcode == takes:
                    message.deliverTo(sink).addErrback(ends.append)
                raise ValueError

        for isServer, role in BOTH:
            for takes in (1, 2):
                for payload in (b"hello", b"", bytes(2 << 20)):
                    sink, ends = Sink(), []
                    c = Conversation(
                        isServer, Receiver(), maxReceivedMessageSize=1 << 20
                    )
                    c.send((0x82, payload))
                    self.assertEqual(c.take()[:1], [FAILED], role)
                    self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
                    if not c.carrier.disconnected:
                        c.dropCarrier()
                    self.assertEqual((c.receiver.messages, sink.pieces), ([], []))
                    self.assertEqual(len(ends), takes - 1)
                    self.assertIsInstance(c.receiver.reason.__cause__, ValueError)

    def test_aborts(self):
        """
        Nor is anything delivered to one that aborts there.
        """
        for payload in (b"hello", b""):

            class Receiver(RecordingReceiver):
                def messageBegan(self, message):
                    self.transport.abortConnection()

            c = Conversation(True, Receiver())
            c.send((0x81, payload))
            self.assertEqual((c.receiver.messages, c.receiver.losses), ([], 1))

    def test_coroutine(self):
        """
        C{messageBegan} may be a coroutine that takes the message before it waits for
        anything.
        """
        sizes = []

        class Receiver(RecordingReceiver):
            async def messageBegan(self, message):
                sizes.append(await message.deliverTo(Sink()))

        for isServer, _ in BOTH:
            c = Conversation(isServer, Receiver())
            c.send((0x02, b"hel"))
            c.send((0x80, b"lo"))
        self.assertEqual(sizes, [5, 5])

    def test_coroutineFails(self):
        """
        When it fails, the receiver has failed; but not when the message it waits for
        was cut off or cancelled.
        """

        class Receiver(RecordingReceiver):
            async def messageBegan(self, message):
                self.done = message.deliverTo(Sink())
                raise ValueError(await self.done)

        c = Conversation(True, Receiver())
        c.send((0x82, b"hello"))
        self.assertEqual(c.take(), [FAILED])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

        c = Conversation(True, Receiver())
        c.send((0x02, b"hello"))
        c.receiver.done.cancel()
        self.assertEqual(c.take(), [])
        c.send((0x80, b""))
        c.send((0x02, b"hello"))
        c.dropCarrier()
        self.assertEqual(c.receiver.losses, 1)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_file(self):
        """
        Whatever can be written to will do, such as a file.
        """
        name = self.mktemp()
        with open(name, "wb") as file:
            c = self.began(lambda message: message.deliverTo(file) and None)
        with open(name, "rb") as file:
            self.assertEqual(file.read(), b"hello")
        self.assertEqual(os.path.getsize(name), 5)
        self.assertEqual(c.receiver.messages, [])

    def test_fileConsumer(self):
        """
        So will a consumer of Twisted's own; this one closes its file at the end.
        """
        file = BytesIO()
        file.close, closed = lambda: closed.append(file.getvalue()), []
        self.began(lambda message: message.deliverTo(FileConsumer(file)) and None)
        self.assertEqual(closed, [b"hello"])

    def test_transport(self):
        """
        And a transport.
        """
        transport = StringTransport()
        c = self.began(lambda message: message.deliverTo(transport) and None)
        self.assertEqual(transport.value(), b"hello")
        self.assertIsNone(transport.producer)
        self.assertEqual(c.connection.state, State.OPEN)

    def test_otherMessage(self):
        """
        And a message that another connection sends.
        """
        received = []

        class Relay(RecordingReceiver):
            def messageBegan(self, message):
                out = outgoing.transport.beginMessage(message.opcode)
                message.deliverTo(out).addCallback(lambda size: out.finish())

        class Upstream(RecordingReceiver):
            def messageReceived(self, message):
                received.append(message)

        upstream = MemoryServer(Upstream)
        outgoing = self.successResultOf(upstream.connect("/"))
        c = Conversation(True, Relay())
        for each in ((0x01, b"hel"), (0x80, b"lo"), (0x82, b"you")):
            c.send(each)
            upstream.flush()
        self.assertEqual(received, ["hello", b"you"])

    def test_registrationFails(self):
        """
        Where a consumer takes no producer, the error is raised, and the message is not
        taken.
        """

        class Busy(Sink):
            def registerProducer(self, producer, streaming):
                producer.pauseProducing()
                raise RuntimeError("busy")

        def act(message):
            self.assertRaises(RuntimeError, message.deliverTo, Busy())

        c = self.began(act)
        self.assertEqual(c.receiver.messages, [b"hello"])
        self.assertFalse(c.carrier.isPaused)
        c.send(CLOSE_1000)
        self.assertEqual(c.receiver.losses, 1)

    def test_otherResults(self):
        """
        What C{messageBegan} returns is of no account otherwise; a Deferred does not
        keep messages back.
        """
        for result in (5, Deferred()):
            c = self.began(lambda message, result=result: result)
            c.send((0x81, b"x"))
            self.assertEqual(c.receiver.messages, [b"hello", "x"])
