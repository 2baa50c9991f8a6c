"""
Sends back what it gets::

    twistd -n websocket --mount /=examples.echo.Echo
"""

from __future__ import annotations

from twisted_ws import MessageReceiver


class Echo(MessageReceiver):
    """
    An echo for text and binary messages.
    """

    def messageReceived(self, message: str | bytes) -> None:
        self.transport.sendMessage(message)
