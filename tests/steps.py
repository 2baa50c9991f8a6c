# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The base of the tests of L{twisted_ws.Steps}.
"""

from twisted_ws import Steps

from .handshakes import Echo, ServerTests, handshake


class Oops(Exception):
    """
    What steps fail with here.
    """


class StepTests(ServerTests):
    """
    The base of the tests: what was run is in C{self.log}.
    """

    def setUp(self):
        self.log = []

    def step(self, name, value=None):
        """
        @return: a step that writes down its name and lets the request pass.
        """

        def step(request):
            self.log.append(name)
            return value() if callable(value) else value

        return step

    def application(self, request):
        """
        Accept.
        """
        self.log.append("application")
        request.accept(Echo())

    def run_(self, *steps, application=None):
        """
        Have a request go through steps.

        @return: the peer.
        """
        self.serve(Steps(steps, application or self.application))
        return self.connect(handshake())
