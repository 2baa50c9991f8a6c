# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Who may import whom.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import twisted_ws

PACKAGE = Path(twisted_ws.__file__).parent

# Each may import only what stands to its left.
ORDER = """
    _wire memory errors ending origin interfaces config extensions carrier _buffered
    dropping eager delivery budget holds tickets timers pings keepalive watches waiting
    outbox outgoing pongs pending incoming reception transmission connection receiver
    piping request application steps sparing limits buckets rates credentials schemes
    authentication paths router head descriptors admission draining broadcasting
    protocol _channel resource site url _context tls certificates attempt client service
    demo declared tap testing __init__
""".split()

WIRE_ORDER = """
    errors closing state life gathering frames _payloads_pure payloads masks chain
    sender prepared hooks assembling framer headers cookies forwarded handshake opening
    __init__
""".split()

DECLARED_ORDER = """
    faults declaration sitefile flags logfile website assembly
    __init__
""".split()

# Who may import what else, beyond the standard library, Twisted and zope.
ONLY = {
    "twisted.web": {"resource", "site", "tls", "demo", "declared"},
    "hyperlink": {"url"},
    "OpenSSL": {"_context", "tls", "certificates", "eager"},
    "service_identity": {"tls"},
    "h2": set(),
}


def modules(folder: Path) -> Iterator[tuple[str, int, ast.Module]]:
    """
    Go over the modules of a folder, with the level by which they import from it; a
    package in it counts as one.
    """
    for path in sorted(folder.rglob("*.py")):
        inside = path.relative_to(folder).parts
        name = inside[0] if len(inside) > 1 else path.stem
        yield name, len(inside), ast.parse(path.read_text(), str(path))


def imports(tree: ast.AST) -> Iterator[tuple[int, str, list[str]]]:
    """
    Go over the imports of a module: level, module, names.  Those for type checkers
    alone do not count.
    """
    typing = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing:
            continue
        if isinstance(node, ast.ImportFrom):
            yield node.level, node.module or "", [name.name for name in node.names]
        elif isinstance(node, ast.Import):
            for name in node.names:
                yield 0, name.name, []


class LayeringTests(SynchronousTestCase):
    """
    The import order of the package.
    """

    def checkOrder(self, folder: Path, order: list[str]) -> None:
        """
        Fail for an import that goes to the right.
        """
        for name, upwards, tree in modules(folder):
            self.assertIn(name, order, "a new module needs a place in the order")
            for level, module, names in imports(tree):
                if level != upwards:
                    continue
                for target in [module.split(".")[0]] if module else names:
                    if target in order and target != name:
                        self.assertLess(
                            order.index(target),
                            order.index(name),
                            f"{name} must not import {target}",
                        )

    def test_packageOrder(self) -> None:
        """
        No module of the package imports one that stands above it.
        """
        self.checkOrder(PACKAGE, ORDER)

    def test_wireOrder(self) -> None:
        """
        No module of the wire imports one that stands above it.
        """
        self.checkOrder(PACKAGE / "_wire", WIRE_ORDER)

    def test_declaredOrder(self) -> None:
        """
        No module of declared servers imports one that stands above it.
        """
        self.checkOrder(PACKAGE / "declared", DECLARED_ORDER)

    def test_wireIsPure(self) -> None:
        """
        The wire imports the standard library and itself, nothing else.
        """
        for name, _, tree in modules(PACKAGE / "_wire"):
            for level, module, _ in imports(tree):
                if level:
                    self.assertEqual(level, 1, f"_wire.{name} reaches out")
                else:
                    top = module.split(".")[0]
                    self.assertIn(top, sys.stdlib_module_names, f"_wire.{name}")

    def test_foreignImports(self) -> None:
        """
        What not everybody may import is imported by few.
        """
        for name, _, tree in modules(PACKAGE):
            for level, module, _ in imports(tree):
                for foreign, allowed in ONLY.items():
                    if not level and (module + ".").startswith(foreign + "."):
                        self.assertIn(name, allowed, f"{name} imports {module}")

    def test_globalReactor(self) -> None:
        """
        The global reactor is imported inside three functions, nowhere at the top of
        a module.
        """
        found = set()
        for name, _, tree in modules(PACKAGE):
            inFunctions = {
                id(inner): node.name
                for node in ast.walk(tree)
                if isinstance(node, ast.FunctionDef)
                for inner in ast.walk(node)
            }
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom):
                    imported = [each.name for each in node.names]
                    if node.module == "twisted.internet" and "reactor" in imported:
                        found.add((name, inFunctions.get(id(node), "the module")))
        self.assertEqual(
            found,
            {
                ("protocol", "__init__"),
                ("client", "connect"),
                ("tap", "postOptions"),
            },
        )

    def test_sizes(self) -> None:
        """
        No module has more than 500 lines.
        """
        for path in PACKAGE.rglob("*.py"):
            lines = len(path.read_text().splitlines())
            self.assertLessEqual(lines, 500, path.name)
