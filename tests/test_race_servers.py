# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Which servers L{benchmarks.race} has, and how they get there.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.race.install import CannotInstall, install
from benchmarks.race.servers import (
    SERVERS,
    Server,
    baselineFor,
    cacheFolder,
    missing,
    oursWith,
    peersPython,
)
from benchmarks.race.workloads import WORKLOADS

W2, W10 = WORKLOADS["W2"], WORKLOADS["W10"]


class ServersTests(SynchronousTestCase):
    """
    Which servers there are.
    """

    def test_suits(self) -> None:
        """
        Each plain echo is for its kind of workload; those that do not compress are for
        none that does; one that cannot forget its context is for those that keep it.
        """
        able = {
            name: [each.name for each in SERVERS.values() if each.suits(workload)]
            for name, workload in WORKLOADS.items()
        }
        self.assertNotIn("plain-tls", able["W2"])
        self.assertNotIn("plain-tcp", able["W2s"])
        self.assertEqual(set(able["W2"]) ^ set(able["W2s"]), {"plain-tcp", "plain-tls"})
        compressing = ["plain-tcp", "ours", "autobahn", "websockets", "aiohttp"]
        self.assertEqual(able["W10"], [*compressing, "ws"])
        self.assertEqual(able["W10t"], [*compressing, "tornado", "ws"])
        for name, workload in WORKLOADS.items():
            self.assertIn(baselineFor(workload), able[name])

    def test_command(self) -> None:
        """
        A server is told of compression, broadcasts and TLS what a workload needs.
        """
        ours = SERVERS["ours"]
        self.assertEqual(ours.command("/python", W10, "a.pem")[0], "/python")
        options = {
            name: ours.command("/python", WORKLOADS[name], "a.pem")[6:]
            for name in ("W2", "W2s", "W8", "W10")
        }
        self.assertEqual(
            options,
            {
                "W2": ["--plain"],
                "W2s": ["--plain", "--tls", "a.pem"],
                "W8": ["--plain", "--broadcast"],
                "W10": [],
            },
        )

    def test_interpreter(self) -> None:
        """
        Another build of ours runs with its own interpreter, and finds what that has
        installed before what is here.
        """
        command = oursWith("fast", "/fast").command("/python", W2, "a.pem")
        ours = SERVERS["ours"].command("/python", W2, "a.pem")
        self.assertEqual((command[0], command[3]), ("/fast", "last"))
        self.assertEqual(ours[3], "first")
        self.assertEqual(command[4:], ours[4:])

    def test_missing(self) -> None:
        """
        It is said what servers are in want of; an interpreter that is not there has
        nothing.
        """
        servers = [
            Server("here", "", "", ("json",)),
            Server("gone", "", "", ("json", "no_such_module", "nor_this")),
            replace(oursWith("fast", "/no/such/python"), needs=("json",)),
            Server("node", "", "on_x.js", ("no-such-package",)),
        ]
        lacks = missing(servers, sys.executable)
        self.assertEqual(lacks.pop("gone"), "no_such_module, nor_this")
        self.assertEqual(lacks.pop("fast"), "json")
        self.assertIn(lacks.pop("node"), ("no-such-package", "node"))
        self.assertEqual(lacks, {})


class InstallTests(SynchronousTestCase):
    """
    The installation of peers, without any.
    """

    def setUp(self) -> None:
        self.home = Path(self.mktemp()).absolute()
        self.home.mkdir()
        variables = {"XDG_CACHE_HOME": str(self.home), "PATH": str(self.home)}
        self.patch(os, "environ", variables)
        self.said: list[str] = []

    def test_steps(self) -> None:
        """
        Python's peers go into an environment of their own, Node's beside it.
        """
        npm = self.home / "npm"
        npm.write_text("#!/bin/sh\n")
        npm.chmod(0o755)
        ran: list[list[str]] = []
        install(self.said.append, lambda command: ran.append([*command]))
        made, filled, node = ran
        folder = cacheFolder()
        self.assertEqual(made[:3], [sys.executable, "-m", "venv"])
        self.assertEqual(filled[0], str(folder / "python" / "bin" / "python"))
        self.assertIn("picows", filled)
        self.assertEqual(node[-2:], ["--prefix", str(folder / "node")])
        wanted = json.loads((folder / "node" / "package.json").read_text())
        self.assertEqual({*wanted["dependencies"]}, {"bufferutil", "websocket", "ws"})
        self.assertEqual(self.said, [" ".join(each) for each in ran])

    def test_withoutNode(self) -> None:
        """
        Without npm, only the peers in Python are installed, and it is said.
        """
        ran: list[object] = []
        install(self.said.append, ran.append)
        self.assertEqual(len(ran), 2)
        self.assertIn("no npm", self.said[0])

    def test_fails(self) -> None:
        """
        A step that fails is the last.
        """
        self.patch(sys, "executable", "/no/such/python")
        error = self.assertRaises(CannotInstall, install, self.said.append)
        self.assertIn("/no/such/python", str(error))

    def test_peersPython(self) -> None:
        """
        Its interpreter is used if it is there, else this one.
        """
        self.assertEqual(peersPython(), sys.executable)
        python = cacheFolder() / "python" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.touch()
        self.assertEqual(peersPython(), str(python))
