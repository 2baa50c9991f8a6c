# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The same over TLS, in both directions.
"""

from .scenarios import casesOf

for ours in ("Server", "Client"):
    globals().update(casesOf(ours, __name__, isSecure=True))
