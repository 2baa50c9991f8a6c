# -*- test-case-name: tests.test_exports -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Extensions (RFC 6455 section 9): L{PerMessageDeflate}, which compresses messages, and
what your own are made of::

    ServerConfig(extensions=(PerMessageDeflate(),))

An extension is an L{IExtensionFactory<twisted_ws.interfaces.IExtensionFactory>}, which
negotiates, and makes an L{IExtension<twisted_ws.interfaces.IExtension>} for each
connection that is to have it, most simply as a subclass of L{Extension}.
"""

from .._wire.frames import RSV1, RSV2, RSV3
from .base import Extension
from .deflate import PerMessageDeflate

__all__ = ["RSV1", "RSV2", "RSV3", "Extension", "PerMessageDeflate"]
