"""
What is in the distribution; the tools are configured in pyproject.toml, and the
compiled build is in compiling.py.
"""

import re
import sys
from pathlib import Path
from typing import Any

from setuptools import find_packages, setup

here = Path(__file__).parent
# Those who build the distribution do not put it there.
sys.path.insert(0, str(here))

from compiling import (  # noqa: E402
    CompileWire,
    NotCompiled,
    extensions,
    removeCompiled,
    sayPure,
    whyPure,
)

source = (here / "twisted_ws" / "__init__.py").read_text()
found = re.search(r'^__version__ = "(.+)"$', source, re.MULTILINE)
assert found is not None

# CPython 3.11 brings its own.
config = ['tomli>=2; python_version < "3.11"']
# Faster than the standard library's zlib, by PerMessageDeflate(implementation=...).
zlibNG = ["zlib-ng>=0.5"]
isal = ["isal>=1.6"]
# What an interoperability test needs; each is skipped without its peer.
interop = [
    "websockets>=14",
    "aiohttp>=3.9",
    "autobahn>=24",
    "wsproto>=1.2",
    "h2>=4",
    "priority>=2",
]
test = [
    *["hypothesis>=6.100", "trustme>=1.1", "pillow>=10"],
    *[*config, *zlibNG, *isal, *interop],
]
lint = ["mypy>=1.11", "mypy-zope>=1.0", "ruff>=0.6"]
# To compile in place, and for what is tested of that.
build = ["setuptools>=64", "Cython>=3.1"]


def distribute(**compiled: Any) -> None:
    """
    Do what the command line says.

    @param compiled: what is to be said of compiled modules.
    """
    setup(
        name="twisted-ws",
        version=found.group(1),
        description="WebSockets for Twisted: servers, clients, and twistd websocket",
        long_description=(here / "README.md").read_text(),
        long_description_content_type="text/markdown",
        license="Apache-2.0",
        python_requires=">=3.10",
        # An editable install is a plain path entry only with a package_dir; without one
        # its import hook hides twisted/plugins from twistd.
        package_dir={"": "."},
        # find_packages would skip twisted/, which rightly has no __init__.py.
        packages=[*find_packages(include=["twisted_ws*"]), "twisted.plugins"],
        package_data={
            "twisted_ws": ["py.typed", "demo/*.html"],
            "twisted_ws._wire": ["*.pxd", "*.pyx", "*.pyi"],
        },
        zip_safe=False,
        install_requires=["Twisted>=24.7", "pyOpenSSL>=24", "service-identity>=24.1"],
        extras_require={
            "config": config,
            "zlib-ng": zlibNG,
            "isal": isal,
            "test": test,
            "dev": [*test, *lint, *build, "coverage"],
        },
        classifiers=[
            "Development Status :: 3 - Alpha",
            "Framework :: Twisted",
            "Intended Audience :: Developers",
            "License :: OSI Approved :: Apache Software License",
            "Programming Language :: Python :: 3 :: Only",
            "Programming Language :: Python :: 3.10",
            "Programming Language :: Python :: 3.11",
            "Programming Language :: Python :: 3.12",
            "Programming Language :: Python :: 3.13",
            "Topic :: Internet :: WWW/HTTP",
            "Typing :: Typed",
        ],
        **compiled,
    )


if {"editable_wheel", "develop", "--inplace", "-i"} & set(sys.argv):
    removeCompiled()
reason = whyPure()
if reason is None:
    try:
        distribute(ext_modules=extensions(), cmdclass={"build_ext": CompileWire})
    except NotCompiled as failure:
        reason = str(failure)
if reason is not None:
    sayPure(reason)
    distribute()
