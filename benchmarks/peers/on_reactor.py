# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What the servers on Twisted have in common.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _installed

from . import ready

reactor: Any = _installed


def serve(
    factory: Any, asked: argparse.Namespace, *distributions: str, and_: str = ""
) -> None:
    """
    Listen, tell so, and run.
    """
    if asked.tls is None:
        port = reactor.listenTCP(0, factory, backlog=1024, interface="127.0.0.1")
    else:
        from twisted.internet.ssl import PrivateCertificate

        options = PrivateCertificate.loadPEM(Path(asked.tls).read_bytes()).options()
        port = reactor.listenSSL(0, factory, options, 1024, "127.0.0.1")
    told = (*distributions, "Twisted")
    reactor.callWhenRunning(ready, port.getHost().port, *told, and_=and_)
    reactor.run()
