# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Our client, and the servers of others.
"""

from .scenarios import casesOf

globals().update(casesOf("Client", __name__))
