# -*- test-case-name: tests.test_context -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The TLS contexts of both sides: Twisted's choice of protocols, ciphers and everything
else, in contexts of our own kind.

Twisted has no public way to that.  What is touched for it without being documented is
in this file, and L{TOUCHED} names it; C{tests/test_context.py} holds Twisted to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from OpenSSL import SSL
from twisted.internet.ssl import CertificateOptions

TOUCHED = ("CertificateOptions._contextFactory",)
"""
It makes the context that Twisted then sets up.  To change one that Twisted has made
would be too late: with several versions of pyOpenSSL it counts as used by then.
"""


class Context(SSL.Context):
    """
    A context whose connections negotiate once: in TLS 1.2, a new handshake on an old
    connection costs the one who is asked for it much more than the one who asks.
    """

    def __init__(self, method: int) -> None:
        SSL.Context.__init__(self, method)
        self.set_options(SSL.OP_NO_RENEGOTIATION)


def makeContext(
    contextFactory: Callable[[int], SSL.Context] = Context, **options: Any
) -> SSL.Context:
    """
    @param contextFactory: makes a L{Context} for a method of OpenSSL.
    @param options: the arguments for a L{CertificateOptions}.
    @raise SSL.Error: when a certificate and its key do not fit.
    """
    made: Any = CertificateOptions(**options)
    made._contextFactory = contextFactory
    context: SSL.Context = made.getContext()
    return context
