# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
When nothing is left of a request: L{twisted_ws.WebSocketRequest.whenOver}.
"""

from .handshakes import Echo, ServerTests, handshake


class WhenOverTests(ServerTests):
    """
    L{WebSocketRequest.whenOver}.
    """

    def setUp(self):
        self.serve()
        self.peer = self.connect(handshake())
        (self.request,) = self.requests

    def leave(self):
        """
        Have the peer leave.
        """
        self.peer.transport.loseConnection()
        self.server.flush()

    def check(self, *ends):
        """
        Check that what was asked for before, and what is asked for now, fires with the
        last of these steps and not before.
        """
        over = [self.request.whenOver()]
        for end in ends:
            for each in over:
                self.assertNoResult(each)
            end()
            self.server.flush()
            over.append(self.request.whenOver())
        for each in over:
            self.assertIsNone(self.successResultOf(each))

    def test_rejected(self):
        """
        It is over when it is rejected.
        """
        self.check(lambda: self.request.reject(403))

    def test_abandoned(self):
        """
        It is over when the peer leaves, and stays so whatever is decided after.
        """
        self.check(self.leave)
        self.request.accept(Echo())
        self.assertIsNone(self.successResultOf(self.request.whenOver()))

    def test_late(self):
        """
        It is over when it was not answered in time.
        """
        self.check(lambda: self.clock.advance(10))

    def test_serverCloses(self):
        """
        It is over when the server goes away.
        """
        self.check(lambda: self.server.factory.closeAllConnections())

    def test_accepted(self):
        """
        If it is accepted it is over when the connection has ended, whoever ends it.
        """
        for end in (self.leave, lambda: self.connection.abortConnection()):
            self.setUp()

            def accept():
                self.connection = self.request.accept(Echo())

            self.check(accept, end)

    def test_closingHandshake(self):
        """
        A connection that is only closing has not ended.
        """
        connection = self.request.accept(Echo())
        over = self.request.whenOver()
        connection.close()
        self.server.flush()
        self.assertNoResult(over)
        self.clock.advance(5)
        self.server.flush()
        self.assertIsNone(self.successResultOf(over))

    def test_independent(self):
        """
        Each who asks has a Deferred of its own, which may be cancelled.
        """
        one, other = self.request.whenOver(), self.request.whenOver()
        one.addErrback(lambda reason: None).cancel()
        self.request.accept(Echo())
        self.assertNoResult(other)
        self.leave()
        self.assertIsNone(self.successResultOf(other))
