# -*- test-case-name: tests.test_exports -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
WebSockets (RFC 6455) for Twisted: servers, clients, and C{twistd websocket}.
"""

from ._wire.closing import Close, CloseCode
from ._wire.cookies import Cookie
from ._wire.frames import Frame, Opcode
from ._wire.payloads import isCompiled
from .broadcasting import broadcast
from .certificates import ServerCertificates
from .client import WebSocketClient, connect
from .config import ClientConfig, ServerConfig
from .connection import WebSocketConnection
from .errors import (
    ClosedAbruptly,
    ClosedCleanly,
    ConnectionClosed,
    ConnectionNotOpen,
    InvalidUpgrade,
    MessageDropped,
    ProtocolViolation,
    UpgradeRejected,
    WebSocketError,
)
from .extensions import PerMessageDeflate
from .limits import LimitConnections
from .memory import keepFreedMemory
from .piping import pipe
from .protocol import WebSocketFactory, WebSocketProtocol
from .rates import RateLimit
from .receiver import Inbox, MessageReceiver
from .request import WebSocketRequest
from .resource import WebSocketResource
from .router import Router
from .site import WebSocketSite
from .steps import AllowOrigins, Steps
from .tls import TLSPolicy

__version__ = "0.1.0.dev0"

__all__ = [
    "AllowOrigins",
    "ClientConfig",
    "Close",
    "CloseCode",
    "ClosedAbruptly",
    "ClosedCleanly",
    "ConnectionClosed",
    "ConnectionNotOpen",
    "Cookie",
    "Frame",
    "Inbox",
    "InvalidUpgrade",
    "LimitConnections",
    "MessageDropped",
    "MessageReceiver",
    "Opcode",
    "PerMessageDeflate",
    "ProtocolViolation",
    "RateLimit",
    "Router",
    "ServerCertificates",
    "ServerConfig",
    "Steps",
    "TLSPolicy",
    "UpgradeRejected",
    "WebSocketClient",
    "WebSocketConnection",
    "WebSocketError",
    "WebSocketFactory",
    "WebSocketProtocol",
    "WebSocketRequest",
    "WebSocketResource",
    "WebSocketSite",
    "broadcast",
    "connect",
    "isCompiled",
    "keepFreedMemory",
    "pipe",
]
