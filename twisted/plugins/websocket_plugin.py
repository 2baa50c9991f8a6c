# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Makes C{twistd websocket} known.
"""

from twisted.application.service import ServiceMaker

websocket = ServiceMaker(
    "WebSocket server",
    "twisted_ws.tap",
    "Serve WebSockets: your own applications, or a demonstration of some.",
    "websocket",
)
