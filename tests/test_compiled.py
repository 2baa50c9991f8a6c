# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The compiled build: that it is whole and fresh, that the source runs without it, and
that C{setup.py} says in a line why it makes none.  See docs/compiled.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path
from shutil import copy, copytree, ignore_patterns

from twisted.trial.unittest import SkipTest, SynchronousTestCase

import twisted_ws
from twisted_ws._wire import framer

WIRE = Path(twisted_ws.__file__).parent / "_wire"
ROOT = Path(__file__).parent.parent
SUFFIXES = tuple(EXTENSION_SUFFIXES)

TYPED = [path for path in WIRE.glob("*.pxd") if path.with_suffix(".py").exists()]
COMPILABLE = sorted(path.stem for path in [*TYPED, *WIRE.glob("*.pyx")])
"""
Names of the modules that a compiled build compiles.
"""

FROM_SOURCE = """
import sys
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader
wire = sys.argv[1]
sys.path_importer_cache[wire] = FileFinder(wire, (SourceFileLoader, SOURCE_SUFFIXES))
import twisted_ws
wires = [m for name, m in sys.modules.items() if name.startswith("twisted_ws._wire.")]
print([m.__file__ for m in wires if not m.__file__.endswith(".py")])
"""
"""
Prints which modules of the wire are not imported from source where nothing else is
looked for in their folder, as docs/compiled.md has it.
"""

INITIALISED = """
import setuptools
from distutils.core import run_setup
made = run_setup("setup.py", ["--version"], stop_after="init")
print(*sorted(module.name for module in made.ext_modules or []))
"""
"""
Prints the names of the modules that C{setup.py} would compile.
"""


class CompiledTests(SynchronousTestCase):
    """
    The build that the tests are run on.
    """

    def compiled(self) -> dict[str, Path]:
        """
        @return: where each module is that is compiled, by name.
        """
        found = {}
        for name in COMPILABLE:
            spec = find_spec(f"twisted_ws._wire.{name}")
            if spec is not None and str(spec.origin).endswith(SUFFIXES):
                found[name] = Path(str(spec.origin))
        return found

    def test_allOrNone(self) -> None:
        """
        All modules that can be compiled are, or none is, and the framer tells which:
        between a compiled class and one from source, attributes would not fit.
        """
        compiled = framer.__file__.endswith(SUFFIXES)
        self.assertEqual(sorted(self.compiled()), COMPILABLE if compiled else [])

    def test_fresh(self) -> None:
        """
        In a checkout, what is compiled in place is not older than its source.
        """
        compiled = self.compiled()
        if not compiled or not (WIRE.parent.parent / "setup.py").exists():
            raise SkipTest("nothing is compiled in place")
        shared = list(WIRE.glob("*.pxd"))
        for name, path in compiled.items():
            sources = [*WIRE.glob(f"{name}.py"), *WIRE.glob(f"{name}.pyx"), *shared]
            newest = max(sources, key=lambda source: source.stat().st_mtime)
            self.assertGreaterEqual(
                path.stat().st_mtime,
                newest.stat().st_mtime,
                f"{path.name} is older than {newest.name}: pip install -e . compiles "
                "it anew, TWISTED_WS_PURE=1 pip install -e . removes it",
            )

    def test_fromSource(self) -> None:
        """
        The source is there beside what is compiled of it, and can be imported.
        """
        ran = subprocess.run(
            [sys.executable, "-c", FROM_SOURCE, str(WIRE)],
            env={**os.environ, "PYTHONPATH": str(WIRE.parent.parent)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertEqual((ran.stdout, ran.stderr), ("[]\n", ""))


class SetupTests(SynchronousTestCase):
    """
    C{setup.py} in a copy of the checkout, with tools that are there or not.
    """

    def setUp(self) -> None:
        """
        Copy what it reads.
        """
        if not (ROOT / "setup.py").exists():
            raise SkipTest("not in a checkout")
        if find_spec("setuptools") is None:
            raise SkipTest("no setuptools")
        self.folder = Path(self.mktemp())
        ignored = ignore_patterns("__pycache__", *(f"*{end}" for end in SUFFIXES))
        for name in ("twisted_ws", "twisted"):
            copytree(ROOT / name, self.folder / name, ignore=ignored)
        for name in ("setup.py", "compiling.py", "pyproject.toml", "README.md"):
            copy(ROOT / name, self.folder)

    def run_(self, *arguments: str, **environment: str) -> tuple[int, str, list[str]]:
        """
        Run Python in the copy.

        @return: its exit status, what it printed, and the lines among its complaints
            that are the project's own.
        """
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TWISTED_WS_")}
        ran = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env={**clean, **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )
        said = [line for line in ran.stderr.splitlines() if "twisted_ws:" in line]
        return ran.returncode, ran.stdout, said

    def cython(self, code: str) -> str:
        """
        Make a package that stands in for Cython.

        @return: what PYTHONPATH has to be.
        """
        package = self.folder / "fakes" / "Cython"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(code)
        return str(package.parent.absolute())

    def assertPure(self, reason: str, **environment: str) -> None:
        """
        Fail unless nothing would be compiled, and one line says why.
        """
        _, names, said = self.run_("-c", INITIALISED, **environment)
        self.assertEqual(names, "\n")
        self.assertEqual(len(said), 1, said)
        self.assertIn(f"twisted_ws: pure Python, not compiled: {reason}", said[0])

    def test_askedForPure(self) -> None:
        """
        With TWISTED_WS_PURE=1 nothing is compiled.
        """
        self.assertPure("TWISTED_WS_PURE=1 is set", TWISTED_WS_PURE="1")

    def test_askedForCompiled(self) -> None:
        """
        With TWISTED_WS_COMPILED=1 a build that cannot compile fails, and says why.
        """
        status, _, said = self.run_(
            *("setup.py", "--version"),
            PYTHONPATH=self.cython("raise ImportError"),
            TWISTED_WS_COMPILED="1",
        )
        self.assertEqual((status, len(said)), (1, 1), said)
        self.assertIn("Cython is not installed", said[0])

    def test_noCython(self) -> None:
        """
        Without Cython nothing is compiled.
        """
        path = self.cython("raise ImportError")
        self.assertPure("Cython is not installed", PYTHONPATH=path)

    def test_oldCython(self) -> None:
        """
        A Cython that is too old is as none.
        """
        path = self.cython("__version__ = '3.0.12'")
        self.assertPure("Cython 3.0.12 is older than 3.1", PYTHONPATH=path)

    def test_noCompiler(self) -> None:
        """
        Without a C compiler that works nothing is compiled.
        """
        if os.name == "nt":
            raise SkipTest("CC is not asked here")
        path = self.cython("__version__ = '3.1.0'")
        self.assertPure("no C compiler", PYTHONPATH=path, CC="false")

    def needCompiler(self, **environment: str) -> None:
        """
        Skip the test where nothing is compiled.
        """
        _, names, said = self.run_("-c", INITIALISED, **environment)
        if names == "\n":
            raise SkipTest(said[0])

    def test_everythingFound(self) -> None:
        """
        With the tools, each module with a .pxd and each .pyx is compiled, and nothing
        is said.
        """
        path = self.cython("__version__ = '3.1.0'")
        self.needCompiler(PYTHONPATH=path)
        _, names, said = self.run_("-c", INITIALISED, PYTHONPATH=path)
        self.assertEqual(names.split(), [f"twisted_ws._wire.{n}" for n in COMPILABLE])
        self.assertEqual(said, [])

    def test_doesNotCompile(self) -> None:
        """
        If a module does not compile, the build is pure and says so in a line, or fails
        where compiled modules were asked for.
        """
        self.needCompiler()
        wire = self.folder / "twisted_ws" / "_wire"
        for path in [*wire.glob("*.pxd"), *wire.glob("*.pyx")]:
            path.unlink()
        (wire / "broken.pyx").write_text("cdef int f(:\n")
        reason = "a module does not compile"
        status, _, said = self.run_("setup.py", "build")
        self.assertEqual((status, len(said)), (0, 1), said)
        self.assertIn(f"twisted_ws: pure Python, not compiled: {reason}", said[0])
        self.assertTrue((self.folder / "build/lib/twisted_ws/_wire/framer.py").exists())
        status, _, said = self.run_("setup.py", "build", TWISTED_WS_COMPILED="1")
        self.assertEqual((status, len(said)), (1, 1), said)
        self.assertIn(reason, said[0])
