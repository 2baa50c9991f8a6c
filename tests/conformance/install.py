# -*- test-case-name: tests.conformance.test_install -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Where the Autobahn Testsuite is, and how it gets there.

The suite is a CPython 2.7 program.  No container and no virtualenv is needed for it:
its packages are installed from PyPI, in pinned versions, into a folder of their own
that only this interpreter is told of, as its C{PYTHONUSERBASE}.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

PROGRAMS = Path(__file__).parent / "py27"
REQUIREMENTS = PROGRAMS / "requirements.txt"


class CannotRun(Exception):
    """
    The suite cannot be run here; C{str} of it says why.
    """


class NoPython27(CannotRun):
    """
    There is no CPython 2.7.
    """

    def __init__(self) -> None:
        CannotRun.__init__(self, "no CPython 2.7")


def cacheFolder() -> Path:
    """
    @return: where the suite is kept by default.
    """
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "twisted_ws"


def findPython27() -> str:
    """
    Look for an interpreter: the one that C{PYTHON27} names, those of pyenv, those on
    the C{PATH}.

    @raise NoPython27: when there is none.
    """
    for candidate in _candidates():
        program = "import sys; sys.stdout.write('%s %d.%d' % "
        program += "((sys.subversion[0],) + sys.version_info[:2]))"
        try:
            said = subprocess.run(
                [candidate, "-c", program], capture_output=True, timeout=30
            )
        except (OSError, subprocess.SubprocessError):
            continue
        if said.stdout == b"CPython 2.7":
            return candidate
    raise NoPython27


def _candidates() -> Iterator[str]:
    named = os.environ.get("PYTHON27")
    if named:
        yield named
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from map(str, sorted(pyenv.glob("versions/2.7*/bin/python2.7"), reverse=True))
    for name in ("python2.7", "python2"):
        found = shutil.which(name)
        if found:
            yield found


@dataclass(frozen=True)
class Suite:
    """
    The suite, installed or to be installed.

    @ivar python: the interpreter.
    @ivar folder: where its packages are.
    """

    python: str
    folder: Path

    @property
    def isInstalled(self) -> bool:
        """
        Whether it is there: a folder appears under its name when it is complete.
        """
        return self._list.is_file()

    @property
    def cases(self) -> list[str]:
        """
        The names of all its cases.
        """
        names: list[str] = json.loads(self._list.read_text())
        return names

    @property
    def _list(self) -> Path:
        return self.folder / "cases.json"

    @property
    def environment(self) -> dict[str, str]:
        """
        The environment of its programs: nothing that is meant for another Python.
        """
        ours = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("PYTHON") and name != "VIRTUAL_ENV"
        }
        return {**ours, "PYTHONUSERBASE": str(self.folder), "PYTHONUNBUFFERED": "1"}

    def command(self, program: str, *arguments: str) -> list[str]:
        """
        @return: how to run one of the programs in C{py27}.
        """
        return [self.python, str(PROGRAMS / program), *arguments]


def findSuite(cache: Path) -> Suite:
    """
    @param cache: where suites are kept, one for each interpreter and each set of
        requirements.
    @return: the one that would be used; look whether it C{isInstalled}.
    @raise NoPython27: when there is no interpreter for it.
    """
    python = findPython27()
    wanted = python.encode() + b"\n" + REQUIREMENTS.read_bytes()
    return Suite(python, cache / f"autobahntestsuite-{sha256(wanted).hexdigest()[:12]}")


def install(cache: Path, tell: Callable[[str], object] = print) -> Suite:
    """
    Install the suite, unless it is there.  What fails half way leaves nothing behind;
    two that install at once do not disturb each other.

    @param cache: see L{findSuite}.
    @param tell: called with a line about what takes long.
    @raise CannotRun: when that is not possible.
    """
    suite = findSuite(cache)
    if suite.isInstalled:
        return suite
    tell(f"installing the Autobahn Testsuite into {suite.folder}")
    cache.mkdir(parents=True, exist_ok=True)
    partial = Suite(suite.python, Path(tempfile.mkdtemp(prefix="partial-", dir=cache)))
    try:
        _fill(partial)
        try:
            partial.folder.rename(suite.folder)
        except OSError as error:
            if not suite.isInstalled:
                raise CannotRun(f"cannot make {suite.folder}: {error}") from None
    finally:
        shutil.rmtree(partial.folder, ignore_errors=True)
    return suite


def _fill(suite: Suite) -> None:
    pip = [suite.python, "-m", "pip"]
    try:
        _check(suite, [*pip, "--version"])
    except CannotRun:
        _check(suite, [suite.python, "-m", "ensurepip", "--user"])
    options = "--user --ignore-installed --no-deps --no-warn-script-location".split()
    _check(suite, [*pip, "install", *options, "-r", str(REQUIREMENTS)])
    _check(suite, [suite.python, "-c", "import autobahntestsuite.wstest"])
    listed = _check(suite, suite.command("list_cases.py"))
    (suite.folder / "cases.json").write_bytes(listed)


def _check(suite: Suite, command: list[str]) -> bytes:
    """
    Run a command.

    @return: its standard output.
    @raise CannotRun: when it fails; with the last that it said.
    """
    ended = subprocess.run(
        command,
        cwd=suite.folder,
        env=suite.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    if ended.returncode:
        said = (ended.stdout + ended.stderr).decode(errors="replace")[-2000:]
        raise CannotRun(f"{' '.join(command[:4])} failed: {said}")
    return ended.stdout
