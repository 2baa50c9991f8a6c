# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Our server, and the clients of others.
"""

from .scenarios import casesOf

globals().update(casesOf("Server", __name__))
