# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Echo servers, each with the limits that its library has by default.  Each prints its
port and its version, and serves until it is killed::

    python -m benchmarks.peers.ours

All of them compress if the library can, unless they are asked not to, see L{ask}.
"""

from __future__ import annotations

import argparse
import ssl
from importlib.metadata import version


def ask() -> argparse.Namespace:
    """
    @return: what the command line asks for: C{plain}: no compression; C{broadcast}:
        send each message to all, not only back; C{tls}: a file with a key and a
        certificate, or C{None}; C{uvloop}: that event loop, for those on asyncio.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--broadcast", action="store_true")
    parser.add_argument("--tls")
    parser.add_argument("--uvloop", action="store_true")
    return parser.parse_args()


def contextFor(asked: argparse.Namespace) -> ssl.SSLContext | None:
    """
    @return: what a server on asyncio needs for TLS, if it is asked for.
    """
    if asked.tls is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(asked.tls)
    return context


def ready(port: int, *distributions: str, and_: str = "") -> None:
    """
    Tell that a server listens.

    @param distributions: whose versions matter.
    @param and_: what else does.
    """
    told = [f"{name} {version(name)}" for name in distributions]
    print(port, ", ".join([*told, and_] if and_ else told), flush=True)
