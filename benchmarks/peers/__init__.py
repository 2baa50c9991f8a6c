# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Echo servers, each with the limits that its library has by default; all of them compress
if the library can.  Each prints its port and its version, and serves until it is
killed::

    python -m benchmarks.peers.ours
"""

from __future__ import annotations

from importlib.metadata import version


def ready(port: int, *distributions: str) -> None:
    """
    Tell that a server listens.

    @param distributions: whose versions matter.
    """
    versions = ", ".join(f"{name} {version(name)}" for name in distributions)
    print(f"{port} {versions}", flush=True)
