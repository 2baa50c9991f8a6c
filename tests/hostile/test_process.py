# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The most dangerous attacks, on a real server over real sockets: it must not grow by more
than 32 MiB, and an honest client must be served all the while.
"""

from __future__ import annotations

from . import attacks
from .process import ProcessTests


class HandshakeTests(ProcessTests):
    """
    Before there is a WebSocket.
    """

    async def test_headerInBytes(self) -> None:
        """
        A long header line in tiny segments.
        """
        await self.start()
        await self.attack(attacks.headerInBytes, "431", 4)
        await self.assertLogged("refused with 431", "maxHeaderLine")

    async def test_endlessHeader(self) -> None:
        """
        An endless header line.
        """
        await self.start()
        await self.attack(attacks.endlessHeader, "431", 4)
        await self.assertLogged("refused with 431", "maxHeaderLine")

    async def test_manyHeaders(self) -> None:
        """
        A million header lines.
        """
        await self.start()
        await self.attack(attacks.manyHeaders, "431", 4)
        await self.assertLogged("refused with 431", "maxHeaderLines")

    async def test_halfHandshakes(self) -> None:
        """
        Two thousand half handshakes at once.
        """
        await self.start()
        await self.attack(attacks.halfHandshakes, r"held|\d+ of 2000 refused with 503")

    async def test_resets(self) -> None:
        """
        Two thousand connections that are reset.
        """
        await self.start()
        await self.attack(attacks.resets, "accepted")

    async def test_garbage(self) -> None:
        """
        Other protocols, and none: one line for each at most.
        """
        await self.start()
        await self.attack(attacks.garbage, "[a-z0-9, ]+")
        self.assertLess(len(self.logged), 600)


class FrameTests(ProcessTests):
    """
    What is sent as frames.
    """

    async def test_emptyFragments(self) -> None:
        """
        A million fragments of nothing.
        """
        await self.start()
        await self.attack(attacks.emptyFragments, "1008", 4)
        await self.assertLogged("closing with 1008", "maxReceivedFragments")

    async def test_tinyFragments(self) -> None:
        """
        A million fragments of a byte.
        """
        await self.start()
        await self.attack(attacks.tinyFragments, "1008", 4)
        await self.assertLogged("closing with 1008", "maxReceivedFragments")

    async def test_frameInBytes(self) -> None:
        """
        A frame of 1 MiB in tiny segments, which is nothing to complain about.
        """
        await self.start()
        await self.attack(attacks.frameInBytes, "accepted", 8)
        self.assertEqual(self.logged, [])

    async def test_announced(self) -> None:
        """
        A frame that is announced as the longest that there can be.
        """
        await self.start()
        await self.attack(attacks.announced, "1009", 4)
        await self.assertLogged("closing with 1009", "maxReceivedMessageSize")

    async def test_emptyMessages(self) -> None:
        """
        Very many messages of nothing, which is nothing to complain about.
        """
        await self.start()
        await self.attack(attacks.emptyMessages, "accepted")
        self.assertEqual(self.logged, [])

    async def test_bomb(self) -> None:
        """
        A compressed message that would become 512 MiB.
        """
        await self.start("--extension", "permessage-deflate")
        await self.attack(attacks.bomb, "1009", 8)
        await self.assertLogged("closing with 1009", "maxReceivedMessageSize")

    async def test_emptyBlocks(self) -> None:
        """
        A compressed message that becomes nothing, but not soon.
        """
        await self.start("--extension", "permessage-deflate")
        await self.attack(attacks.emptyBlocks, "1009", 8)
        await self.assertLogged("closing with 1009", "maxReceivedMessageSize")


class UnreadTests(ProcessTests):
    """
    Peers that do not read what they are sent.
    """

    async def test_pongs(self) -> None:
        """
        Very many pings, whose answers are not read.
        """
        await self.start()
        await self.attack(attacks.unreadPongs, "held|accepted|1013")

    async def test_echoes(self) -> None:
        """
        Very many messages, whose echoes are not read: the server does not read on
        either, though its application takes no care.
        """
        await self.start()
        await self.attack(attacks.unreadEchoes, "held|reset|1013")

    async def test_crowd(self) -> None:
        """
        Peers that do not read what others say to all: they are closed when too much
        waits for them, and no one else notices.
        """
        await self.start()
        await self.attack(attacks.deafInCrowd, "20 of 20 are gone")

    async def test_slowApplication(self) -> None:
        """
        Messages that come faster than the application works are not taken in.
        """
        await self.start()
        await self.attack(attacks.tooFast, "held|1013", path="/slow")
