# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What proxies tell of whom they ask for.
"""

from twisted_ws._wire.forwarded import Networks, trace
from twisted_ws._wire.headers import Headers

PROXY = "10.0.0.1"
TRUSTED = ("10.0.0.0/8", "fd00::/8", "unix")


def trail(*fields, peer=PROXY, trusted=TRUSTED, isSecure=False, readForwarded=False):
    """
    @return: what is found out of a request with these header fields, as pairs.
    """
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in fields]
    return trace(peer, isSecure, Headers(pairs), Networks(trusted), readForwarded)


def xff(*values, **options):
    """
    @return: the addresses for X-Forwarded-For fields.
    """
    return trail(*(("X-Forwarded-For", v) for v in values), **options).addresses


def forwarded(*values, **options):
    """
    @return: the addresses for Forwarded fields.
    """
    fields = (("Forwarded", v) for v in values)
    return trail(*fields, readForwarded=True, **options).addresses
