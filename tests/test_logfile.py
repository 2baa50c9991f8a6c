# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.declared.logfile}: a log in a file of its own.
"""

from __future__ import annotations

import json
import os

from twisted.logger import Logger, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from twisted_ws.declared.logfile import LogFile, openToAppend


class LogFileTests(SynchronousTestCase):
    """
    L{LogFile}.
    """

    def setUp(self) -> None:
        self.path = self.mktemp()
        self.log = Logger("tests")
        self.before = list(globalLogPublisher._observers)

    def start(self, *arguments: str) -> LogFile:
        """
        Begin to write.
        """
        file = LogFile(self.path, *arguments)
        file.open()
        self.addCleanup(file.close)
        return file

    def read(self) -> list[str]:
        """
        @return: the lines that were written.
        """
        with open(self.path, encoding="utf-8") as file:
            return file.read().splitlines()

    def test_text(self) -> None:
        """
        As text there is a line for each event, with the time, and who says it.
        """
        self.start()
        self.log.info("hello {name!r}", name="a\nb")
        (line,) = self.read()
        self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\S+ \[tests#info\] hello 'a\\nb'$")

    def test_json(self) -> None:
        """
        As JSON there is an object for each event, with what was said as text, and
        each of its fields.
        """
        self.start("json")
        self.log.warn("hello {name!r}", name="a\n\u2028b", peer=b"\xff", other=self)
        self.log.info("\xe9")
        first, second = (json.loads(line) for line in self.read())
        self.assertEqual(first["text"], "hello 'a\\n\\u2028b'")
        self.assertEqual(first["name"], "a\n\u2028b")
        self.assertEqual(first["log_level"]["name"], "warn")
        self.assertEqual(first["log_namespace"], "tests")
        self.assertEqual(second["text"], "\xe9")

    def test_failure(self) -> None:
        """
        Of an exception the traceback is written, and not what was in the variables.
        """
        for kind in ("text", "json"):
            file = self.start(kind)
            secret = "hunter" + "2"
            try:
                raise ZeroDivisionError(secret[:3])
            except ZeroDivisionError:
                self.log.failure("it failed")
            self.flushLoggedErrors(ZeroDivisionError)
            file.close()
            written = "\n".join(self.read())
            self.assertIn("it failed", written)
            self.assertIn("ZeroDivisionError: hun", written)
            self.assertNotIn(secret, written)
            os.remove(self.path)

    def test_levels(self) -> None:
        """
        What is below the level is not written.
        """
        names = ["debug", "info", "warn", "error", "critical"]
        for index, level in enumerate(names):
            file = self.start("text", level)
            self.log.debug("it is debug")
            self.log.info("it is info")
            self.log.warn("it is warn")
            self.log.error("it is error")
            self.log.critical("it is critical")
            file.close()
            self.assertEqual([line.split()[-1] for line in self.read()], names[index:])
            os.remove(self.path)

    def test_encoding(self) -> None:
        """
        Nothing is too odd to be written.
        """
        with openToAppend(self.path) as file:
            file.write("\ud800 \u20ac \x00\n")
        self.assertEqual(self.read(), ["\\ud800 \u20ac \x00"])

    def test_appended(self) -> None:
        """
        The file is appended to, and goes on where it was truncated to.
        """
        with open(self.path, "w", encoding="utf-8") as file:
            file.write("before\n")
        self.start()
        self.log.info("one")
        self.assertEqual(len(self.read()), 2)
        os.truncate(self.path, 0)
        self.log.info("two")
        (line,) = self.read()
        self.assertTrue(line.endswith("two"), line)

    def test_close(self) -> None:
        """
        When it has ended, which it can more than once, nothing is written, and nothing
        observes the log that did not before.
        """
        file = self.start()
        file.close()
        file.close()
        self.log.info("hello")
        self.assertEqual(self.read(), [])
        self.assertEqual(list(globalLogPublisher._observers), self.before)

    def test_again(self) -> None:
        """
        It can be begun again.
        """
        file = self.start()
        file.close()
        file.open()
        self.log.info("hello")
        self.assertEqual(len(self.read()), 1)

    def test_nowhere(self) -> None:
        """
        A file that cannot be opened is an C{OSError}, and nothing observes the log.
        """
        for path in (self.path + "/no", "/"):
            self.assertRaises(OSError, LogFile(path).open)
        self.assertEqual(list(globalLogPublisher._observers), self.before)
