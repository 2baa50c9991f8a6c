# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The compiled build: what is compiled, how, and what may stand in its way.  See
docs/compiled.md.

Everything is relative to the folder of setup.py, where a build runs.
"""

from __future__ import annotations

import os
import platform
import sys
import sysconfig
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from setuptools import Distribution, Extension
from setuptools.command.build_ext import build_ext

WIRE = Path("twisted_ws", "_wire")
"""
The folder whose modules are compiled.
"""

DIRECTIVES = {"language_level": 3, "annotation_typing": False}
"""
Annotations are for people and mypy; what is typed in C is in the .pxd files alone.
"""

PROBE = """
#include <Python.h>
PyMODINIT_FUNC PyInit_probe(void) { return NULL; }
"""


class NotCompiled(SystemExit):
    """
    A module did not compile.  Raised through setuptools, which makes a page of any
    other exception; a build that does not catch it ends with its message.
    """


def extensions() -> list[Extension]:
    """
    List the modules to compile: each Python module that has a .pxd beside it, and each
    .pyx.
    """
    typed = [path.with_suffix(".py") for path in WIRE.glob("*.pxd")]
    sources = [*filter(Path.exists, typed), *WIRE.glob("*.pyx")]
    return [
        Extension(".".join(path.with_suffix("").parts), [path.as_posix()])
        for path in sorted(sources)
    ]


def whyPure() -> str | None:
    """
    Say why nothing can, or shall, be compiled here.

    It has to be known before setuptools asks whether there are extension modules: the
    tag of a wheel follows from that.

    @return: L{None} if nothing stands in the way.
    """
    if os.environ.get("TWISTED_WS_PURE") == "1":
        return "TWISTED_WS_PURE=1 is set"
    if platform.python_implementation() != "CPython":
        return f"{platform.python_implementation()} runs the Python source best"
    try:
        from Cython import __version__ as cython
    except ImportError:
        return "Cython is not installed"
    if tuple(map(int, cython.split(".")[:2])) < (3, 1):
        return f"Cython {cython} is older than 3.1"
    try:
        _probe()
    except Exception as failure:
        # Whatever it is: setuptools has its own exceptions for each compiler.
        return f"no C compiler that finds Python.h: {failure}"
    return None


def sayPure(reason: str) -> None:
    """
    Say why nothing is compiled, in a line.

    @raise SystemExit: if the environment does not allow that.
    """
    line = textwrap.shorten(reason, 250)
    if os.environ.get("TWISTED_WS_COMPILED") == "1":
        sys.exit(f"twisted_ws: TWISTED_WS_COMPILED=1 is set, but: {line}")
    print(f"twisted_ws: pure Python, not compiled: {line}", file=sys.stderr)


def _probe() -> None:
    """
    Compile and link next to nothing, as the modules will be.
    """
    with TemporaryDirectory() as folder, _silence():
        source = Path(folder, "probe.c")
        source.write_text(PROBE)
        probe = Extension("probe", [str(source)])
        command = build_ext(Distribution({"ext_modules": [probe]}))
        command.build_lib = command.build_temp = folder
        command.ensure_finalized()
        command.run()


@contextmanager
def _silence() -> Iterator[None]:
    """
    Keep to oneself what compilers, which are processes, print.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [(stream, os.dup(stream)) for stream in (1, 2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for stream, _ in kept:
            os.dup2(nowhere, stream)
        yield
    finally:
        for stream, copy in kept:
            os.dup2(copy, stream)
            os.close(copy)
        os.close(nowhere)


def removeCompiled() -> None:
    """
    Remove what an earlier build in place has left for this interpreter, which would
    be imported before the source.
    """
    for path in WIRE.glob(f"*{sysconfig.get_config_var('EXT_SUFFIX')}"):
        path.unlink()


class CompileWire(build_ext):
    """
    Translates the modules to C, out of the source tree, and compiles them.
    """

    def initialize_options(self) -> None:
        """
        Use all cores.
        """
        super().initialize_options()
        self.parallel = True

    def build_extensions(self) -> None:
        """
        Compile all of them.

        @raise NotCompiled: if one does not compile.
        """
        try:
            self._translate()
            super().build_extensions()
        except Exception as failure:
            # Cython's, or one of setuptools' own for a compiler or a linker.
            raise NotCompiled(f"a module does not compile: {failure}") from failure

    def _translate(self) -> None:
        """
        Put C in the place of each source.
        """
        from Cython.Build import cythonize

        translated: list[Any] = cythonize(
            self.extensions,
            build_dir=os.path.join(self.build_temp, "c"),
            compiler_directives=DIRECTIVES,
            # One from another version of Cython may lie there.
            force=True,
            quiet=True,
        )
        sources = {extension.name: extension.sources for extension in translated}
        for extension in self.extensions:
            extension.sources = sources[extension.name]
            # No warnings: they are about what Cython writes.
            if self.compiler.compiler_type == "msvc":
                extension.extra_compile_args = ["/O2", "/w"]
            else:
                extension.extra_compile_args = ["-O3", "-g0", "-w"]
