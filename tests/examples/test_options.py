# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What all examples have in common.
"""

from __future__ import annotations

import re
from pathlib import Path

from twisted.internet.defer import gatherResults
from twisted.trial.unittest import SynchronousTestCase

import examples

from .programs import ExampleTests

FOLDER = Path(examples.__file__).parent
SOURCES = {
    path.stem: path.read_text("utf-8")
    for path in sorted(FOLDER.glob("*.py"))
    if path.stem != "__init__"
}
PROGRAMS = [name for name, text in SOURCES.items() if "__main__" in text]
SERVERS = [name for name in PROGRAMS if "Server is listening" in SOURCES[name]]
README = (FOLDER / "README.md").read_text("utf-8")


class ProgramTests(ExampleTests):
    """
    How they take options.
    """

    def setUp(self) -> None:
        self.keepTemporaryFiles()

    async def test_help(self) -> None:
        """
        Each says how it is used, and lists every option.
        """
        for name in PROGRAMS:
            program = self.start(name, "--help")
            self.assertEqual(await program.ended, 0, program.output)
            self.assertRegex(program.output, rf"^usage: .*{name}")
            for option in re.findall(r'add_argument\(\s*"(--[^"]+)"', SOURCES[name]):
                self.assertIn(f"\n  {option}", program.output)

    async def test_unknownOption(self) -> None:
        """
        None takes an option that it does not know.
        """
        for name in PROGRAMS:
            program = self.start(name, "--nonsense=1")
            self.assertEqual(await program.ended, 2, program.output)
            self.assertRegex(program.output, rf"^usage: .*{name}")

    async def test_portInUse(self) -> None:
        """
        A server that cannot listen, as the port is in use or is none, says so in one
        line, and ends with exit code 1.
        """
        _, port = await self.serve("echo_server")
        for name in SERVERS:
            for number in (port, 99999):
                server = self.start(name, f"--port={number}")
                self.assertEqual(await server.ended, 1, server.output)
                said = re.findall(r"(?m)^Cannot listen: .+$", server.output)
                self.assertEqual(len(said), 1, server.output)

    async def test_manyPorts(self) -> None:
        """
        On port 0 each server finds a port by itself, and says which.
        """
        served = await gatherResults(
            [self.start(name, "--port=0").whenSaid(r"port (\d+)") for name in SERVERS]
        )
        ports = {int(said[1]) for said in served}
        self.assertEqual(len(ports), len(SERVERS))
        self.assertNotIn(0, ports)


class ReadmeTests(SynchronousTestCase):
    """
    What F{examples/README.md} says of them.
    """

    def test_programs(self) -> None:
        """
        There are some of each kind.
        """
        self.assertGreaterEqual(len(PROGRAMS), 11)
        self.assertGreaterEqual(len(SERVERS), 6)
        self.assertNotIn("echo", PROGRAMS)

    def test_complete(self) -> None:
        """
        It mentions every file, and no program that is not there.
        """
        mentioned = set(re.findall(r"`([a-z_]+)", README))
        self.assertLessEqual(set(SOURCES), mentioned)
        for path in FOLDER.iterdir():
            if path.suffix not in (".py", ".md") and path.name[0] not in "._":
                self.assertIn(path.name, README)
        rows = re.findall(r"(?m)^\| `([a-z_]+)", README)
        self.assertLessEqual({*PROGRAMS, "echo"}, set(rows))
        self.assertLessEqual(set(rows) - {"site"}, set(SOURCES))

    def test_options(self) -> None:
        """
        It mentions the options of each program, and no others.
        """
        for name in PROGRAMS:
            (row,) = re.findall(rf"(?m)^\| `{name}([^`]*)`", README)
            mentioned = re.findall(r"--[a-z-]+", row)
            options = re.findall(r'add_argument\(\s*"(--[^"]+)"', SOURCES[name])
            self.assertEqual(sorted(mentioned), sorted(options), name)
