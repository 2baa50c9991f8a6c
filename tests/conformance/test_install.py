# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Finding and installing the suite, with shell scripts that take the place of CPython 2.7.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from . import install as module
from .install import (
    CannotRun,
    NoPython27,
    cacheFolder,
    findPython27,
    findSuite,
    install,
)

SCRIPT = """\
#!/bin/sh
echo "$@" >> "$0.log"
case "$*" in
*version_info*) printf '{version}' ;;
*"-m pip --version"*) test "$PIP" != no ;;
*" install "*)
    echo "$PYTHONUSERBASE|$PYTHONPATH" >> "$0.log"
    touch "$PYTHONUSERBASE/packages"
    if [ "$BREAK" = yes ]; then echo no network >&2; exit 1; fi ;;
*list_cases*) echo '["1.1.1", "2.10"]' ;;
esac
"""


class InstallTests(SynchronousTestCase):
    """
    Where nothing is installed.
    """

    def setUp(self) -> None:
        self.home = Path(self.mktemp()).absolute()
        self.home.mkdir()
        self.cache = self.home / "cache"
        self.said: list[str] = []
        self.given({})

    def given(self, variables: dict[str, str]) -> None:
        """
        Have an environment, in which C{sh} is found.
        """
        base = {"HOME": str(self.home), "PATH": os.defpath + ":" + str(self.home)}
        self.patch(os, "environ", {**base, **variables})

    def python(self, name: str, version: str = "CPython 2.7") -> str:
        """
        Make an interpreter.
        """
        file = self.home / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(SCRIPT.replace("{version}", version))
        file.chmod(0o755)
        return str(file)

    def install(self) -> module.Suite:
        """
        Install.
        """
        return install(self.cache, self.said.append)

    def test_candidates(self) -> None:
        """
        The interpreter that is named is taken first, then the latest of pyenv, then
        that on the PATH; what is not CPython 2.7, or cannot be run, is passed over.
        """
        self.patch(os, "defpath", "/nowhere")
        self.given({})
        self.assertRaises(NoPython27, findPython27)
        onPath = self.python("python2")
        self.assertEqual(findPython27(), onPath)
        early = self.python(".pyenv/versions/2.7.13/bin/python2.7")
        self.assertEqual(findPython27(), early)
        late = self.python(".pyenv/versions/2.7.18/bin/python2.7")
        self.assertEqual(findPython27(), late)
        named = self.python("named")
        self.given({"PYTHON27": named})
        self.assertEqual(findPython27(), named)
        for version in ("CPython 3.12", "PyPy 2.7", ""):
            self.python("named", version)
            self.assertEqual(findPython27(), late)
        self.given({"PYTHON27": str(self.home / "absent")})
        self.assertEqual(findPython27(), late)

    def test_cacheFolder(self) -> None:
        """
        It is where programs of the user keep what they can get again.
        """
        self.assertEqual(cacheFolder(), self.home / ".cache" / "twisted_ws")
        self.given({"XDG_CACHE_HOME": "/elsewhere"})
        self.assertEqual(cacheFolder(), Path("/elsewhere/twisted_ws"))

    def test_install(self) -> None:
        """
        It is installed once, into a folder of its own, with nothing in the way that is
        meant for another Python.
        """
        python = self.python("python2.7")
        self.given({"PYTHON27": python, "PYTHONPATH": "/ours"})
        self.assertFalse(findSuite(self.cache).isInstalled)
        self.assertFalse(self.cache.exists())
        suite = self.install()
        self.assertEqual(suite, findSuite(self.cache))
        self.assertTrue(suite.isInstalled)
        self.assertEqual(suite.cases, ["1.1.1", "2.10"])
        self.assertTrue((suite.folder / "packages").is_file())
        self.assertNotIn("PYTHONPATH", suite.environment)
        self.assertEqual(suite.environment["PYTHONUSERBASE"], str(suite.folder))
        log = Path(python + ".log").read_text()
        self.assertRegex(log, rf"(?m)^{self.cache}/partial-\w+\|$")
        self.assertNotIn("ensurepip", log)
        self.assertEqual(len(self.said), 1)
        self.assertEqual(os.listdir(self.cache), [suite.folder.name])
        self.assertEqual(self.install(), suite)
        again = Path(python + ".log").read_text().removeprefix(log)
        self.assertRegex(again, r"^-c import sys;.*\n$")

    def test_noPip(self) -> None:
        """
        An interpreter without pip gets its own.
        """
        python = self.python("python2.7")
        self.given({"PYTHON27": python, "PIP": "no"})
        self.assertTrue(self.install().isInstalled)
        self.assertIn("ensurepip --user", Path(python + ".log").read_text())

    def test_broken(self) -> None:
        """
        An installation that fails says why, leaves nothing, and can be tried again.
        """
        self.given({"PYTHON27": self.python("python2.7"), "BREAK": "yes"})
        error = self.assertRaises(CannotRun, self.install)
        self.assertIn("no network", str(error))
        self.assertEqual(os.listdir(self.cache), [])
        self.given({"PYTHON27": self.python("python2.7")})
        self.assertTrue(self.install().isInstalled)

    def test_race(self) -> None:
        """
        Of two that install at once, the later one takes what the earlier one made.
        """
        self.given({"PYTHON27": self.python("python2.7")})
        fill = module._fill

        def fillTwice(suite: module.Suite) -> None:
            self.patch(module, "_fill", fill)
            self.first = self.install()
            fill(suite)

        self.patch(module, "_fill", fillTwice)
        self.assertEqual(self.install(), self.first)
        self.assertEqual(os.listdir(self.cache), [self.first.folder.name])

    def test_requirements(self) -> None:
        """
        Other requirements, or another interpreter, are another suite.
        """
        self.given({"PYTHON27": self.python("python2.7")})
        first = findSuite(self.cache)
        self.given({"PYTHON27": self.python("another")})
        second = findSuite(self.cache)
        other = self.home / "requirements.txt"
        other.write_text("autobahntestsuite==25.10.1\n")
        self.patch(module, "REQUIREMENTS", other)
        third = findSuite(self.cache)
        self.assertEqual(len({first.folder, second.folder, third.folder}), 3)

    def test_pinned(self) -> None:
        """
        Every package is wanted in one version.
        """
        lines = module.REQUIREMENTS.read_text().splitlines()
        wanted = [line for line in lines if not line.startswith("#")]
        self.assertIn("autobahntestsuite==25.10.1", wanted)
        for line in wanted:
            self.assertRegex(line, r"^[\w.-]+==[0-9][0-9.]*$")
