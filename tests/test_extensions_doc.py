# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The code of docs/extensions.md, run.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from zlib import crc32

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from twisted_ws import (
    ClientConfig,
    Inbox,
    InvalidUpgrade,
    PerMessageDeflate,
    ServerConfig,
)
from twisted_ws.errors import InvalidPayload
from twisted_ws.extensions import RSV2, Extension
from twisted_ws.interfaces import IExtensionFactory
from twisted_ws.testing import MemoryServer

DOCUMENT = Path(__file__).parent.parent / "docs" / "extensions.md"
BLOCKS = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)


class DocumentTests(SynchronousTestCase):
    """
    The blocks of code.
    """

    def exchange(self, factory: Any, name: str) -> None:
        """
        Have both sides use an extension.
        """
        server = MemoryServer(Inbox, ServerConfig(extensions=(factory,)))
        config = ClientConfig(extensions=(factory,))
        inbox = self.successResultOf(server.connect("/", config=config))
        (connection,) = server.factory.connections
        self.assertEqual([each.name for each in connection.extensions], [name])
        for _ in range(2):
            inbox.send("hello " * 100)
            server.flush()
            received = self.successResultOf(connection.receiver.receive())
            self.assertEqual(received, "hello " * 100)

    def test_compression(self) -> None:
        """
        These are configurations.
        """
        for line in (BLOCKS[0] + BLOCKS[1]).splitlines():
            names = {
                "ServerConfig": ServerConfig,
                "ClientConfig": ClientConfig,
                "PerMessageDeflate": PerMessageDeflate,
            }
            (factory,) = eval(line, names).extensions
            self.exchange(factory, "permessage-deflate")

    def test_checksum(self) -> None:
        """
        The extension works.
        """
        names: dict[str, Any] = {
            "Extension": Extension,
            "IExtensionFactory": IExtensionFactory,
            "InvalidPayload": InvalidPayload,
            "InvalidUpgrade": InvalidUpgrade,
            "RSV2": RSV2,
            "crc32": crc32,
            "implementer": implementer,
        }
        exec(compile(BLOCKS[2], str(DOCUMENT), "exec"), names)
        self.assertEqual(len(BLOCKS), 3)
        self.exchange(names["ChecksumFactory"](), "x-checksum")
