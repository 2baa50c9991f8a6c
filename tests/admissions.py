# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The base of the tests of L{twisted_ws.admission}.
"""

from .handshakes import ServerTests


class AdmissionTests(ServerTests):
    """
    The base of the tests.
    """

    @property
    def admission(self):
        return self.server.factory.admission

    def connect(self, *segments):
        """
        Connect a raw peer, and let it read what it is told, whatever it sends.
        """
        peer = ServerTests.connect(self, *segments)
        self.server.flush()
        return peer

    def stay(self):
        """
        @return: a raw peer that does not read, so it does not notice any end but its
            being dropped.
        """
        peer = self.server.connectRaw()
        peer.transport.pauseProducing()
        self.server.flush()
        return peer

    def carrier(self):
        """
        @return: the newest end of the server's.
        """
        return self.server.carriers[-1][1]

    def assertRefused(self, peer, after=5):
        """
        Check that a peer was answered 503, and told when to come again.
        """
        self.assertIn(b"\r\nRetry-After: %d\r\n" % after, peer.received)
        self.assertStatus(peer, 503)

    def assertNothingCounted(self):
        """
        Check that there is room for all that there was room for at first.
        """
        self.assertEqual(self.admission.sockets, 0)
        self.assertEqual(len(self.admission.heads), 0)
        self.assertEqual(self.admission.refused, set())
        self.assertQuiet()

    def leave(self, *peers):
        """
        Have peers leave.
        """
        for peer in peers:
            peer.transport.abortConnection()
        self.server.flush()
