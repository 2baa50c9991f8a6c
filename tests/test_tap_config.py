# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.tap}: the command line and a file, C{--check}, and the help.
"""

from __future__ import annotations

import os
import sys
from dataclasses import fields
from importlib import import_module
from io import StringIO

from twisted.trial.unittest import SynchronousTestCase

from tests.test_tap import HERE, TapTests, declared, parse
from twisted_ws import PerMessageDeflate, ServerConfig
from twisted_ws.declared.declaration import Declaration, Listener, Logging, Mount
from twisted_ws.declared.flags import FLAGS
from twisted_ws.tap import Options

try:
    import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
except ImportError:
    noTOML: str | None = "there is no library to read TOML with"
else:
    noTOML = None

META = {"config", "check", "version", "help"}


class FileTests(TapTests):
    """
    C{--config}.
    """

    skip = noTOML

    def setUp(self) -> None:
        self.directory = os.path.abspath(self.mktemp())
        os.mkdir(self.directory)
        self.path = os.path.join(self.directory, "site.toml")

    def write(self, *lines: str) -> None:
        """
        Write the file.
        """
        with open(self.path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines))

    def test_same(self) -> None:
        """
        A file and a command line that say the same declare the same.
        """
        self.write(
            "listen = ['tcp:0', 'unix:ws.sock']",
            "web = '.'",
            "[[mount]]",
            "path = '/a'",
            "protocol = 'x'",
            f"application = '{HERE}.Receiver'",
            "[server]",
            "closeTimeout = 2.5",
            "maxReceivedMessageSize = 'none'",
            "keepalive = false",
            "protocols = ['a', 'b']",
            "[logging]",
            "access = 'access.log'",
            "file = 'own.log'",
            "format = 'json'",
            "level = 'debug'",
        )
        said = [
            *["-l", "tcp:0", "-l", "unix:ws.sock", "--web", self.directory],
            *["-m", f"/a:x={HERE}.Receiver", "--close-timeout", "2.5"],
            *["--max-received-message-size", "none", "--no-keepalive"],
            *["--protocol", "a", "--protocol", "b"],
            *["--access-log", f"{self.directory}/access.log"],
            *["--log-file", f"{self.directory}/own.log"],
            *["--log-format", "json", "--log-level", "debug"],
        ]
        self.assertEqual(declared("-c", self.path), declared(*said))

    def test_over(self) -> None:
        """
        What the command line says takes the place of what the file says, wherever the
        option for the file stands; of lists, as a whole.
        """
        self.write(
            "listen = ['tcp:1', 'tcp:2']",
            "web = '.'",
            "[[mount]]",
            "path = '/a'",
            f"application = '{HERE}.Receiver'",
            "[server]",
            "closeTimeout = 2.5",
            "keepalive = false",
            "protocols = ['a', 'b']",
        )
        said = [
            *["-l", "tcp:3", "-m", f"/b={HERE}.Receiver", "--keepalive"],
            *["--protocol", "c"],
        ]
        expected = Declaration(
            listen=(Listener(endpoint="tcp:3"),),
            mount=(Mount(path="/b", application=f"{HERE}.Receiver"),),
            web=self.directory,
            server=ServerConfig(closeTimeout=2.5, protocols=("c",)),
        )
        self.assertEqual(declared("-c", self.path, *said), expected)
        self.assertEqual(declared(*said, "-c", self.path), expected)

    def test_paths(self) -> None:
        """
        Paths on the command line begin where that is, and not at the file.
        """
        self.write("web = '.'")
        self.assertEqual(declared("-c", self.path).web, self.directory)
        self.assertEqual(declared("-c", self.path, "--web", ".").web, os.getcwd())

    def test_empty(self) -> None:
        """
        An empty file declares what no file does.
        """
        self.write("")
        self.assertEqual(declared("-c", self.path), Declaration())

    def test_unreadable(self) -> None:
        """
        Of a file that cannot be read there is one line.
        """
        self.assertEqual(
            self.complaint("--config", self.path),
            f"{self.path}: No such file or directory",
        )
        self.write("a = ")
        self.assertEqual(
            self.complaint("--config", self.path)[: len(self.path) + 4],
            f"{self.path}:1: ",
        )


class CheckTests(TapTests):
    """
    C{--check}.
    """

    def check(self, *arguments: str) -> list[str]:
        """
        @return: the lines that are printed.
        """
        output = StringIO()
        self.patch(sys, "stdout", output)
        left = self.assertRaises(SystemExit, parse, "--check", *arguments)
        self.assertEqual(left.code, 0)
        return output.getvalue().splitlines()

    def test_demo(self) -> None:
        """
        What is served by default is told.
        """
        self.assertEqual(
            self.check(),
            [
                "endpoints",
                "  tcp:8080",
                "routes",
                "  /board    (none)                   twisted_ws.demo.Board",
                "  /board    lws-mirror-protocol      twisted_ws.demo.Board",
                "  /counter  (none)                   twisted_ws.demo.CounterFactory",
                "  /counter  dumb-increment-protocol  twisted_ws.demo.CounterFactory",
                "  /echo     *                        twisted_ws.demo.echo",
            ],
        )

    def test_options(self) -> None:
        """
        What is not as it is by default is told, as a file would have it.
        """
        lines = self.check(
            *["-l", "tcp:0", "-l", "unix:x", "--web", "/", "--no-keepalive"],
            *["--close-timeout", "5", "--keepalive-interval", "7"],
            *["--allowed-origin", "*", "--max-received-message-size", "none"],
            *["--log-file", "/own.log", "-m", f"/a={HERE}.Receiver"],
            *["--extension", "permessage-deflate:best"],
        )
        self.assertEqual(
            lines,
            [
                "endpoints",
                "  tcp:0",
                "  unix:x",
                "routes",
                f"  /a  *  {HERE}.Receiver",
                "files",
                "  /",
                "options",
                '  server.maxReceivedMessageSize = "none"',
                "  server.keepalive = false",
                "  server.keepaliveInterval = 7.0",
                '  server.extensions = ["permessage-deflate"]',
                '  server.allowedOrigins = ["*"]',
                '  logging.file = "/own.log"',
            ],
        )

    def test_extensions(self) -> None:
        """
        Extensions are named one by one; what is none is told.
        """
        (factory,) = declared("--extension", "permessage-deflate").server.extensions
        self.assertEqual(factory, PerMessageDeflate())
        for name, said in (
            ("permessage-inflate", "cannot import permessage-inflate"),
            ("permessage-deflate:x", "permessage-deflate has the presets"),
        ):
            self.assertIn(said, self.complaint("--extension", name))

    def test_wrong(self) -> None:
        """
        What is wrong is told as without it.
        """
        self.assertIn("cannot import a.b", self.complaint("--check", "-m", "/=a.b"))


class KeyTests(SynchronousTestCase):
    """
    The options, and the keys of a file.
    """

    def test_everyOption(self) -> None:
        """
        Every option that says what to serve has its key.
        """
        keys = {"listen", "mount"}
        for flag in FLAGS:
            keys.add(flag.name)
            if flag.opposite is not None:
                keys.add(flag.opposite.name)
        flags = {each.rstrip("=") for each in Options().longOpt}
        self.assertEqual(flags - keys, META)
        self.assertEqual(keys - flags, set())

    def test_everyKey(self) -> None:
        """
        Every key of the tables has its option, and the other way round; but for those
        of listeners and mounts, which are said in one.
        """
        paths: set[tuple[str | int, ...]] = {("web",)}
        for table, kind in (("server", ServerConfig), ("logging", Logging)):
            paths.update((table, option.name) for option in fields(kind))
        self.assertEqual({flag.path for flag in FLAGS}, paths)

    def test_help(self) -> None:
        """
        The help tells of every option and its default, in lines that fit a terminal.
        """
        usage = Options().getUsage()
        for flag in FLAGS:
            self.assertIn(f"\n  --{flag.name}{flag.placeholder}\n", usage)
        for option in ("-c, --config=FILE", "--check", "-l, --listen=ENDPOINT"):
            self.assertIn(f"\n  {option}\n", usage)
        self.assertIn("[default: 1048576]", usage)
        self.assertIn("--log-level=debug|info|warn|error|critical\n", usage)
        self.assertLessEqual(max(map(len, usage.splitlines())), 80)
