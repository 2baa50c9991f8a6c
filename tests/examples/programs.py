# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The examples, run as their readers run them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.interfaces import IProtocolFactory
from twisted.trial.unittest import TestCase

from tests.processes import Program, run

try:
    import trustme
except ImportError:
    trustme = None  # type: ignore[assignment]

ROOT = str(Path(__file__).parent.parent.parent)


def example(name: str, *options: str) -> Program:
    """
    Start C{python -m examples.NAME} with these options.
    """
    return run([sys.executable, "-m", f"examples.{name}", *options], ROOT)


class ExampleTests(TestCase):
    """
    The base of their tests: what it starts is gone at the end of the test, and said
    nothing of an exception.
    """

    timeout = 120

    def start(self, name: str, *options: str) -> Program:
        """
        Start an example.
        """
        program = example(name, *options)
        self.addCleanup(self._end, program)
        return program

    def keepTemporaryFiles(self) -> None:
        """
        Have examples make their temporary files in the folder of the test: those that
        are killed leave them there.
        """
        folder = Path(self.mktemp()).absolute()
        os.mkdir(folder)
        self.patch(os, "environ", {**os.environ, "TMPDIR": str(folder)})

    async def _end(self, program: Program) -> None:
        await program.stop()
        self.assertNotIn("Traceback", program.output)

    async def serve(self, name: str, *options: str) -> tuple[Program, int]:
        """
        Start an example that is a server, on a free port.

        @return: it, and the port that it says it listens on.
        """
        program = self.start(name, "--port=0", *options)
        said = await program.whenSaid(r"listening on port (\d+)")
        return program, int(said[1])

    def listen(self, factory: IProtocolFactory) -> int:
        """
        Listen, for an example that is a client.

        @return: the port.
        """
        port = reactor.listenTCP(  # type: ignore[attr-defined]
            0, factory, interface="127.0.0.1"
        )
        self.addCleanup(port.stopListening)
        number: int = port.getHost().port
        return number

    async def assertEnds(self, program: Program, signal: str = "INT") -> None:
        """
        Assert that a signal ends an example, as Ctrl-C does, and that it takes this
        for success.
        """
        program.signal(signal)
        self.assertEqual(await program.ended, 0, program.output)

    async def assertRefuses(self, name: str, *options: str, named: str) -> None:
        """
        Assert that an example does not run with these options: it says how it is
        used, and C{named} is in its last line.
        """
        program = self.start(name, *options)
        self.assertEqual(await program.ended, 2, program.output)
        lines = program.output.strip().splitlines()
        self.assertRegex(lines[0], rf"^usage: .*{name}")
        self.assertIn(named, lines[-1])

    def certificates(self, name: str = "localhost") -> dict[str, str]:
        """
        Make an authority, and a certificate of it for C{name}.

        @return: the files of the C{key}, the C{cert}ificate, and the C{ca}.
        """
        if trustme is None:
            self.skipTest("trustme is not installed")
        authority = trustme.CA()
        issued = authority.issue_cert(name)
        folder = Path(self.mktemp()).absolute()
        os.mkdir(folder)
        pems = {
            "key": issued.private_key_pem,
            "cert": issued.cert_chain_pems[0],
            "ca": authority.cert_pem,
        }
        for part, pem in pems.items():
            pem.write_to_path(folder / f"{part}.pem")
        return {part: str(folder / f"{part}.pem") for part in pems}
