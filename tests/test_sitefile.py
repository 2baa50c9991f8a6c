# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.declared.sitefile}: what a file says, and on which line; and what is
complained of when it is wrong.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_ws.declared import sitefile
from twisted_ws.declared.faults import KeyPath
from twisted_ws.declared.sitefile import MAX_SIZE, SiteFile, SiteFileError
from twisted_ws.tap import Options

try:
    import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
except ImportError:
    skip = "there is no library to read TOML with: tomli is not installed"

# Each row: a file, and what is said of it behind its name.
UNREADABLE: list[tuple[bytes, str]] = [
    (b"a", ":1: Expected '=' after a key in a key/value pair"),
    (
        b"a = 1 2",
        ":1: Expected newline or end of document after a statement (column 7)",
    ),
    (b"\n\r\na = \x01\n", ":3: Invalid value (column 5)"),
    (b"a = [1,\n2\n\nb=3", ":4: Unclosed array (column 1)"),
    (b"# x\n\nb = 1\na = '''x\n\ny = 2\n", ":4: Expected \"'''\""),
    (b"a = 1\n# x\na = 2", ":3: Cannot overwrite a value"),
    (b"a = 1\na = 2\nb = 3\n", ":2: Cannot overwrite a value (column 6)"),
    (b"[a]\nb = 1\n[a]\n", ":3: Cannot declare ('a',) twice (column 3)"),
    (b"[mount]\nb = 1\n\n[[mount]]\n", ":4: Cannot overwrite a value (column 8)"),
    (b"a = 2000-13-01\n", ":1: Expected newline or end of document after a statement"),
    (b"b = 1\na = " + b"[" * 5000, ":2: it is nested too deeply"),
    (b"b = 1\na = " + b"1" * 5000, ":2: Exceeds the limit (4300"),
    (b"b = 1\r\na = '\xe9'\r\n", ":2: it is not UTF-8: 0xe9"),
    (b"\xff\xfea\x00=\x001\x00", ":1: it is not UTF-8: 0xff"),
    (b"\x00", ":1: Invalid statement (column 1)"),
    (b"#" * (MAX_SIZE + 1), f": it has more than {MAX_SIZE} bytes"),
]

# Each row: a file, the way to something in it, and the line of that.
LINES: list[tuple[str, KeyPath, int | None]] = [
    ("a = 1\nb = 2\n", ("a",), 1),
    ("a = 1\nb = 2\n", ("b",), 2),
    ("a = 1\nb = 2", ("b",), 2),
    ("a = 1\nb = 2\n", ("c",), None),
    ("a = 1\nb = 2\n", ("a", "b"), None),
    ("a = 1\nb = 2\n", (), None),
    ("", ("a",), None),
    ("# a = 1\n\n  a = 1\n", ("a",), 3),
    ("\ufeffa = 1\n", ("a",), 1),
    ("# x\r\n\r\na = 1\r\n", ("a",), 3),
    # Tables
    ("[a]\n# x\nb = 1\nc = 2\n", ("a",), 1),
    ("[a]\n# x\nb = 1\nc = 2\n", ("a", "c"), 4),
    ("[x]\nb = 1\n[a]\nb = 1\n", ("a", "b"), 4),
    ("a.b = 1\na.c = 2\n", ("a", "c"), 2),
    ("[a.b]\nc = 1\n[a]\nd = 2\n", ("a", "d"), 4),
    ("[a.b]\nc = 1\n[a]\nd = 2\n", ("a", "b", "c"), 2),
    ("x = 1\na = {b = 1, c = {d = 2}}\n", ("a", "c", "d"), 2),
    ("'a b' = 1\n\"c.d\" = 2\n", ("c.d",), 2),
    # Lists of tables
    ("[[a]]\nb = 1\n\n# x\n\n[[a]]\nc = 1\nb = 2\n", ("a", 0, "b"), 2),
    ("[[a]]\nb = 1\n\n# x\n\n[[a]]\nc = 1\nb = 2\n", ("a", 1), 6),
    ("[[a]]\nb = 1\n\n# x\n\n[[a]]\nc = 1\nb = 2\n", ("a", 1, "b"), 8),
    ("[[a]]\nb = 1\n\n# x\n\n[[a]]\nc = 1\nb = 2\n", ("a", 2), None),
    ("x = 1\na = ['b', 'c']\n", ("a", 1), 2),
    # Values of several lines
    ("x = 1\na = [\n  1, # ]\n  2,\n]\nb = 3\n", ("a",), 2),
    ("x = 1\na = [\n  1, # ]\n  2,\n]\nb = 3\n", ("a", 1), 2),
    ("x = 1\na = [\n  1, # ]\n  2,\n]\nb = 3\n", ("b",), 6),
    ('a = """\nb = 1\n[c]\n"""\nb = 2\n', ("b",), 5),
    ("a = '''\n\n# '\n'''\n\nb = 2\n", ("b",), 6),
    ("a = [\n  [1],\n  ['''\n]\n'''],\n]\nb = 1\n", ("b",), 7),
    ("a = [\n{b = 1},\n{b = 2}]\nc = 1\n", ("c",), 4),
]

ECHO = 'application = "examples.echo.Echo"\n'

# Each row: a declaration, and all that is said of it.
WRONG: list[tuple[str, list[str]]] = [
    ("[server]\nkeepalive = tru\n", ["site.toml:2: Invalid value (column 13)"]),
    (
        "[server]\n\nkeepaliveInterval = 'soon'\n",
        [
            "site.toml:3: server.keepaliveInterval must be a number of seconds over 0,"
            " not 'soon'"
        ],
    ),
    (
        "[server]\nkeepaliveIntervall = 3\n",
        [
            "site.toml:2: server.keepaliveIntervall is no key; did you mean"
            " keepaliveInterval?"
        ],
    ),
    (
        "server.keepalive = true\nserver.closeTimeout = 0\n",
        ["site.toml:2: server.closeTimeout must be a number of seconds over 0, not 0"],
    ),
    (
        "[server]\ntrustedProxies = [\n  '10.0.0.0/8',\n  'proxy',\n]\n",
        [
            "site.toml:2: server.trustedProxies: 'proxy' does not appear to be an IPv4"
            " or IPv6 network"
        ],
    ),
    (
        f"[[mount]]\npath = '/'\n{ECHO}\n[[mount]]\npath = '/'\n{ECHO}",
        ["site.toml:6: mount[1].path: there is an application at '/' for '*'"],
    ),
    (
        f"[[mount]]\npath = '/'\n{ECHO}\n[[mount]]\n# none\n{ECHO}",
        ["site.toml:5: mount[1] has no path"],
    ),
    (
        f"[[mount]]\npath = 'echo'\n{ECHO}",
        ["site.toml:2: mount[0].path: a path begins with / or is *, unlike 'echo'"],
    ),
    (
        "[[mount]]\npath = '/'\napplication = 'no_such.thing'\n",
        [
            "site.toml:3: mount[0].application: cannot import no_such.thing:"
            " ObjectNotFound: 'no_such.thing' does not name an object"
        ],
    ),
    (
        "[[mount]]\npath = '/'\napplication = 'tests.test_sitefile.LINES'\n",
        ["site.toml:3: mount[0].application: an application is a MessageReceiver"],
    ),
    (
        "[[mount]]\npath = '/'\napplication = 'tests.test_sitefile.SiteFile'\n",
        ["site.toml:3: mount[0].application: SiteFile is not a MessageReceiver"],
    ),
    (
        "listen = ['tcp:0', 'tcp:x']\n",
        ["site.toml:1: listen[1]: tcp:x: ValueError: invalid literal"],
    ),
    (
        "[[listen]]\nendpoint = 'tcp:0'\n[[listen]]\nendpoint = 'pigeon:1'\n",
        ["site.toml:3: listen[1]: pigeon:1: ValueError: Unknown endpoint type"],
    ),
    (
        "[[listen]]\nendpoint = 'tcp:0'\nprivateKeys = ['a']\n",
        ["site.toml:1: listen[0]: privateKeys without certificates"],
    ),
    (
        "[[listen]]\nendpoint = 'tcp:0'\nclientAuthority = 'a'\n",
        ["site.toml:1: listen[0]: clientAuthority without certificates"],
    ),
    (
        "[[listen]]\nendpoint = 'tcp:0'\ncertificates = ['no.pem']\n",
        ["site.toml:1: listen[0]: No such file or directory: HERE/no.pem"],
    ),
    ("web = 'no'\n", ["site.toml:1: web: No such file or directory: HERE/no"]),
    ("web = 'site.toml'\n", ["site.toml:1: web: Not a directory: HERE/site.toml"]),
    ('web = "\\u0000"\n', ["site.toml:1: web must not have a null character"]),
    (
        "[logging]\naccess = 'no/access.log'\nfile = '.'\n",
        [
            "site.toml:2: logging.access: there is no directory HERE/no",
            "site.toml:3: logging.file: HERE is a directory",
        ],
    ),
    # All at once, in the order of the lines
    (
        f"mounts = 1\nwep = 2\n[server]\nx = 1\n[[mount]]\n{ECHO}",
        [
            "site.toml:1: mounts is no key; did you mean mount?",
            "site.toml:2: wep is no key; did you mean web?",
            "site.toml:4: server.x is no key",
            "site.toml:5: mount[0] has no path",
        ],
    ),
    (
        "[[mount]]\npath = '/'\napplication = 'a.b'\n[logging]\nfile = 'no/x'\n",
        [
            "site.toml:3: mount[0].application: cannot import a.b:",
            "site.toml:5: logging.file: there is no directory",
        ],
    ),
]


class FileTests(SynchronousTestCase):
    """
    The base of the tests: files in a directory of their own.
    """

    def setUp(self) -> None:
        self.directory = os.path.abspath(self.mktemp())
        os.mkdir(self.directory)

    def write(self, text: str | bytes) -> str:
        """
        Write C{site.toml}.

        @return: its path.
        """
        path = os.path.join(self.directory, "site.toml")
        with open(path, "wb") as file:
            file.write(text.encode("utf-8") if isinstance(text, str) else text)
        return path


class SiteFileTests(FileTests):
    """
    L{SiteFile}.
    """

    def refused(self, path: str) -> str:
        """
        @return: what is said of a file that cannot be read.
        """
        message = str(self.assertRaises(SiteFileError, SiteFile, path))
        self.assertNotIn("\n", message)
        return message

    def test_unreadable(self) -> None:
        """
        Of a file that is not TOML it is said on which line; the rest is what the
        library has to say.
        """
        for data, expected in UNREADABLE:
            path = self.write(data)
            message = self.refused(path)
            self.assertEqual(message[: len(path + expected)], path + expected)

    def test_noFile(self) -> None:
        """
        Of what is no file it is said what it is.
        """
        nowhere = os.path.join(self.directory, "nowhere.toml")
        rows = [
            (nowhere, "No such file or directory"),
            (self.directory, "Is a directory"),
            (self.write("") + "/x", "Not a directory"),
            ("", "No such file or directory"),
            ("a\0b", "embedded null byte"),
        ]
        for path, expected in rows:
            self.assertEqual(self.refused(path), f"{path}: {expected}")

    def test_endless(self) -> None:
        """
        No more is read of a file than it may have.
        """
        self.assertIn(f"more than {MAX_SIZE} bytes", self.refused("/dev/zero"))

    def test_largest(self) -> None:
        """
        A file can have the size that it may have.
        """
        self.assertEqual(SiteFile(self.write("#" * MAX_SIZE)).data, {})

    def test_empty(self) -> None:
        """
        An empty file says nothing; so does one with a byte order mark alone.
        """
        for data in (b"", b"\n", b"# x", b"\xef\xbb\xbf", b"\r\n"):
            self.assertEqual(SiteFile(self.write(data)).data, {})

    def test_data(self) -> None:
        """
        What a file says can be had, a byte order mark and the kind of its line ends
        aside.
        """
        for data in (b"\xef\xbb\xbfa = '\xc3\xa9'\n", b"a = '\xc3\xa9'\r\n[b]\r\n"):
            self.assertEqual(SiteFile(self.write(data)).data["a"], "\xe9")

    def test_lines(self) -> None:
        """
        The line of a value is the first of the statement that it is from.
        """
        for text, path, line in LINES:
            found = SiteFile(self.write(text)).lineOf(path)
            self.assertEqual(found, line, (text, path))

    def test_places(self) -> None:
        """
        A place is the name of the file, and the line if it is known.
        """
        file = SiteFile(self.write(""))
        self.assertEqual(file.at(5), f"{file.name}:5")
        self.assertEqual(file.at(None), file.name)

    def count(self, text: str, path: KeyPath, line: int) -> tuple[int, int]:
        """
        @return: how often something is parsed to find a line, and how many characters
            that are.
        """
        file = SiteFile(self.write(text))
        parse = sitefile._parse
        parsed: list[int] = []

        def counted(text: str) -> dict[str, Any]:
            parsed.append(len(text))
            return parse(text)

        self.patch(sitefile, "_parse", counted)
        self.assertEqual(file.lineOf(path), line)
        return len(parsed), sum(parsed)

    def test_effort(self) -> None:
        """
        To find a line takes a look at every statement, and a look at the whole as
        often as it can be halved: never one at the whole for every line.
        """
        text = "[server]\n" + "".join(f"key{each} = {each}\n" for each in range(1000))
        parses, characters = self.count(text, ("server", "key999"), 1001)
        self.assertLess(parses, 1001 + 12)
        self.assertLess(characters, 13 * len(text))

    def test_effortForLists(self) -> None:
        """
        A list of many lines is not looked at for every one of them.
        """
        text = "a = [\n" + "  '10.0.0.0/8',\n" * 1000 + "]\nb = 1\n"
        parses, _ = self.count(text, ("b",), 1003)
        self.assertLess(parses, 10)

    def test_noLibrary(self) -> None:
        """
        Where there is no library that reads TOML, it is said what to install.
        """

        def nothing(name: str) -> None:
            raise ImportError(name)

        self.patch(sitefile, "import_module", nothing)
        self.assertEqual(
            self.refused(self.write("a = 1")),
            "a configuration file needs the package tomli on this Python:"
            " pip install 'twisted-ws[config]'",
        )


class ComplaintTests(FileTests):
    """
    What is said of a declaration in a file that cannot be served.
    """

    def complaints(self, *arguments: str) -> list[str]:
        """
        @return: the lines that the process ends with.
        """
        options = Options()
        left = self.assertRaises(SystemExit, options.parseOptions, arguments)
        lines = str(left.code).splitlines()
        for line in lines:
            self.assertTrue(line.startswith("twistd websocket: "), line)
        return [line.removeprefix("twistd websocket: ") for line in lines]

    def test_wrong(self) -> None:
        """
        The file, the line and the key are named.
        """
        for text, expected in WRONG:
            path = self.write(text)
            said = self.complaints("--config", path)
            self.assertEqual(len(said), len(expected), said)
            for line, begin in zip(said, expected, strict=True):
                line = line.replace(self.directory + "/site.toml:", "site.toml:", 1)
                line = line.replace(self.directory, "HERE")
                self.assertEqual(line[: len(begin)], begin, said)

    def test_long(self) -> None:
        """
        However long a value is, one line is said of it, of a length that can be
        read.
        """
        path = self.write(f"[server]\nkeepalive = 1\nprotocols = '{'x' * 100_000}'\n")
        said = self.complaints("--config", path)
        self.assertEqual(len(said), 2)
        self.assertLess(len(said[1]), 1000)
        self.assertTrue(said[1].endswith("xxx..."), said[1])

    def test_both(self) -> None:
        """
        What is wrong on the command line is named as it is there, though a file has
        the same key, right.
        """
        path = self.write("listen = ['tcp:0']\n[server]\ncloseTimeout = 3\n\nx = 1\n")
        said = self.complaints("-c", path, "--close-timeout", "soon", "-l", "")
        self.assertEqual(
            said,
            [
                "--close-timeout must be a number of seconds over 0, not 'soon'",
                "--listen must not be empty",
                f"{path}:5: server.x is no key",
            ],
        )

    def test_covered(self) -> None:
        """
        What the command line takes the place of does not have to be right.
        """
        path = self.write("listen = ['tcp:x']\n[server]\ncloseTimeout = 'soon'\n")
        options = Options()
        options.parseOptions(["-c", path, "-l", "tcp:0", "--close-timeout", "1"])
        self.assertEqual(options.assembly.declaration.server.closeTimeout, 1)
