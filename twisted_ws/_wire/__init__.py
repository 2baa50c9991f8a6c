# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
RFC 6455 without I/O: what goes over the wire, and nothing that needs a reactor.

Everything here imports the standard library alone.
"""
