# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
C{examples/site.toml}: whether it shows every key, and what it serves.
"""

from __future__ import annotations

import re
import sys
from dataclasses import fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.client import Agent, readBody

from tests.processes import TWISTD, run, twistd
from twisted_ws import ServerConfig, UpgradeRejected, WebSocketClient
from twisted_ws.declared.declaration import (
    Declaration,
    Listener,
    Logging,
    Mount,
    declare,
)
from twisted_ws.declared.faults import Faults

try:
    toml: Any = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
except ImportError:
    skip = "there is no library to read TOML with: tomli is not installed"

ROOT = Path(__file__).resolve().parent.parent.parent
SITE = ROOT / "examples" / "site.toml"
TEXT = SITE.read_text("utf-8")

_DEFAULT = re.compile(r"^# ([A-Za-z]+ = .*)$", re.MULTILINE)
_EXAMPLE = re.compile(r"^#: (.*)$", re.MULTILINE)


def read(text: str) -> Declaration:
    """
    @return: what a file declares without a fault.
    """
    faults = Faults()
    declaration = declare(toml.loads(text), faults, str(SITE.parent))
    if faults:
        raise AssertionError(faults)
    return declaration


class KeyTests(SynchronousTestCase):
    """
    The keys.
    """

    def test_every(self) -> None:
        """
        Every key is in the file, in its table: said, as a default, or as an example.
        """
        text = _EXAMPLE.sub(r"\1", _DEFAULT.sub(r"\1", TEXT))
        # It is there twice then: as a list, and as tables.
        everything = toml.loads(text.replace("listen = ", "# listen = "))
        rows: list[tuple[type, list[dict[str, Any]]]] = [
            (Declaration, [everything]),
            (Listener, everything["listen"]),
            (Mount, everything["mount"]),
            (ServerConfig, [everything["server"]]),
            (Logging, [everything["logging"]]),
        ]
        for kind, tables in rows:
            shown = {key for table in tables for key in table}
            self.assertEqual(shown, {option.name for option in fields(kind)})

    def test_defaults(self) -> None:
        """
        A line that shows a default has exactly that: the file declares the same with
        all of them, with any one of them, and with none.
        """
        declaration = read(TEXT)
        self.assertEqual(read(_DEFAULT.sub(r"\1", TEXT)), declaration)
        lines = list(_DEFAULT.finditer(TEXT))
        self.assertGreater(len(lines), len(fields(ServerConfig)))
        for line in lines:
            text = TEXT[: line.start()] + line[1] + TEXT[line.end() :]
            self.assertEqual(read(text), declaration, line[1])
        self.assertEqual(
            replace(declaration, mount=None, web=None),
            Declaration(),
            "what is said in the file is about mounts and files alone",
        )

    def test_shown(self) -> None:
        """
        Every key that has a default is shown with that, not with an example.
        """
        shown = {line[1].split(" ")[0] for line in _DEFAULT.finditer(TEXT)}
        wanted = {option.name for option in fields(ServerConfig)}
        wanted |= {"listen", "protocol", "format", "level"}
        self.assertEqual(shown, wanted)

    def test_examples(self) -> None:
        """
        The examples make sense as they are.
        """
        declaration = read(_EXAMPLE.sub(r"\1", TEXT))
        (listener,) = declaration.listen
        self.assertEqual(len(listener.certificates), 2)
        self.assertEqual(listener.endpoint, "tcp:8443")
        self.assertIsNotNone(declaration.logging.access)
        self.assertIsNotNone(declaration.logging.file)

    def test_width(self) -> None:
        """
        No line is longer than 90 characters.
        """
        self.assertLessEqual(max(map(len, TEXT.splitlines())), 90)


class ServerTests(TestCase):
    """
    What it serves.
    """

    timeout = 120

    async def test_check(self) -> None:
        """
        A check finds nothing wrong, and tells the routes.
        """
        program = run(
            [*TWISTD, "websocket", "--check", "-c", "examples/site.toml"], str(ROOT)
        )
        self.addCleanup(program.stop)
        self.assertEqual(await program.ended, 0, program.output)
        self.assertEqual(
            program.output.splitlines(),
            [
                "endpoints",
                "  tcp:8080",
                "routes",
                "  /echo         *        examples.echo.Echo",
                "  /echo/{name}  echo.v1  examples.echo.Echo"
                " after AllowOrigins, LimitConnections, RateLimit",
                "files",
                f"  {ROOT}/examples/www",
            ],
        )

    async def test_serve(self) -> None:
        """
        It serves its page and its echoes, and what it says about origins holds.
        """
        program = twistd(
            *["websocket", "--config", "examples/site.toml"],
            *["--listen", "tcp:0:interface=127.0.0.1"],
            directory=str(ROOT),
        )
        self.addCleanup(program.stop)
        said = await program.whenSaid(r"WebSockets at IPv4Address\(.*port=(\d+)\)")
        place = f"127.0.0.1:{said[1]}"
        response = await Agent(reactor).request(b"GET", f"http://{place}/".encode())
        self.assertEqual(response.code, 200)
        self.assertIn(b"/echo", await readBody(response))
        client = WebSocketClient(reactor)
        for path, protocols, origin in [
            ("/echo", [], f"http://{place}"),
            ("/echo/a", ["echo.v1"], "https://shop.example.com"),
        ]:
            inbox = await client.connect(
                f"ws://{place}{path}", protocols=protocols, origin=origin
            )
            inbox.send("hello")
            self.assertEqual(await inbox.receive(), "hello")
            await inbox.close()
        for path, protocols, origin, status in [
            ("/echo", [], "https://shop.example.com", 403),
            ("/echo/a", ["echo.v1"], "https://example.com", 403),
            ("/echo/a", [], None, 404),
        ]:
            refused = client.connect(
                f"ws://{place}{path}", protocols=protocols, origin=origin
            )
            rejection = await self.assertFailure(refused, UpgradeRejected)
            self.assertEqual(rejection.status, status, path)
        program.signal("TERM")
        await program.ended
        self.assertNotIn("Traceback", program.output)
