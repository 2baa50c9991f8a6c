# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.incoming}: messages that are taken leave nothing behind.
"""

from __future__ import annotations

from weakref import ref

from tests.conversation import BOTH, Conversation
from tests.taking import Sink, Taking
from tests.test_memory import Uncollected, forget
from twisted_ws.testing import RecordingReceiver


class MemoryTests(Uncollected):
    """
    Nothing keeps a connection alive that has ended.
    """

    def test_gone(self):
        """
        Nor do a message, its Deferred and its consumer, which the application keeps,
        whatever became of them.
        """

        def fail(data):
            raise ValueError

        ends = [
            ("done", Sink, lambda c: c.send((0x80, b"b"))),
            ("cut off", Sink, lambda c: None),
            ("cancelled", Sink, lambda c: c.receiver.deferreds[0].cancel()),
            ("paused", Sink, lambda c: c.receiver.sinks[0].producer.pauseProducing()),
            ("failed", lambda: Sink(fail), lambda c: None),
        ]
        for isServer, role in BOTH:
            for name, sink, end in ends:
                c = Conversation(isServer, Taking(sink=sink))
                c.send((0x02, b"a"))
                end(c)
                kept = c.receiver.began, c.receiver.sinks
                # Its callback is the receiver's.
                if not c.carrier.disconnected:
                    c.dropCarrier()
                if not c.carrier.disconnected:
                    c.connection.abortConnection()
                    c.flush()
                forget(c.server)
                self.flushLoggedErrors(ValueError)
                watched = [ref(c.connection), ref(c.receiver)]
                c.connection = c.receiver = None
                self.assertGone(*watched, f"{name}, {role}")
                self.assertEqual((len(kept[0]), c.timers), (1, 0))

    def test_coroutine(self):
        """
        So it is with coroutines that were cut off.
        """

        class Receiver(RecordingReceiver):
            async def messageBegan(self, message):
                await message.deliverTo(Sink())

        c = Conversation(True, Receiver())
        c.send((0x02, b"a"))
        c.dropCarrier()
        forget(c.server)
        watched = [ref(c.connection), ref(c.receiver)]
        c.connection = c.receiver = None
        self.assertGone(*watched, "coroutine")
