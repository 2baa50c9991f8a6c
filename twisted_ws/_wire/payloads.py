# -*- test-case-name: tests.test_payloads -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
All that touches each byte of a payload, in C where that is built.
"""

from __future__ import annotations

isCompiled = True
try:
    from ._payloads import Collector, frameHeader, unmasked, wholeFrame, xorMask
except ImportError:
    from ._payloads_pure import (  # type: ignore[assignment]
        Collector,
        frameHeader,
        unmasked,
        wholeFrame,
        xorMask,
    )

    isCompiled = False

__all__ = [
    "Collector",
    "frameHeader",
    "isCompiled",
    "unmasked",
    "wholeFrame",
    "xorMask",
]
