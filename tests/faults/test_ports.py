# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Ports that another process has.
"""

from __future__ import annotations

from .servers import FaultTests


class PortTests(FaultTests):
    """
    A server that cannot have what it was told to take.
    """

    async def test_second(self) -> None:
        """
        If the second of two ports is taken, the server ends with exit code 1 and one
        line that names it; who has it is not disturbed.
        """
        first, port = await self.serve()
        inbox = await self.client(port)
        second = self.start(self.listen(), self.listen(port))
        self.assertEqual(await second.ended, 1)
        lines = [line for line in second.output.splitlines() if f":{port}" in line]
        self.assertEqual(len(lines), 1, second.output)
        self.assertEqual(lines, second.output.splitlines()[-1:])
        self.assertNotIn("Traceback", second.output)
        inbox.send("still here")
        self.assertEqual(await inbox.receive(), "still here")
        self.assertFalse(first.ended.called)
