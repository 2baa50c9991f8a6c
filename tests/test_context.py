# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What is touched of Twisted's TLS without being documented: L{twisted_ws._context}.
"""

from __future__ import annotations

from OpenSSL import SSL
from twisted.internet.ssl import CertificateOptions
from twisted.trial.unittest import SynchronousTestCase

from twisted_ws._context import TOUCHED, Context, makeContext


class TouchedTests(SynchronousTestCase):
    """
    Each test has the name of what it holds Twisted to.
    """

    def test_everyName(self) -> None:
        """
        Every name has a test here.
        """
        for name in TOUCHED:
            self.assertTrue(hasattr(self, "test_" + name.replace(".", "_")), name)

    def test_CertificateOptions__contextFactory(self) -> None:
        """
        It makes the context that C{getContext} sets up.
        """
        self.assertIs(CertificateOptions._contextFactory, SSL.Context)
        made = []

        def factory(method: int) -> Context:
            made.append(Context(method))
            return made[-1]

        self.assertEqual([makeContext(factory)], made)

    def test_byDefault(self) -> None:
        """
        Contexts are of our own kind.
        """
        self.assertIsInstance(makeContext(), Context)
