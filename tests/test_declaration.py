# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What can be declared: L{twisted_ws.declared.declaration} and
L{twisted_ws.declared.faults}.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_ws import ServerConfig
from twisted_ws.declared.declaration import (
    Declaration,
    Listener,
    Logging,
    Mount,
    declare,
    merge,
)
from twisted_ws.declared.faults import Faults, dotted

MOUNT = {"path": "/", "application": "shop.Chat"}


def refusal(name: str, value: Any) -> str:
    """
    @return: what L{ServerConfig} says of a value that it cannot have.
    """
    try:
        ServerConfig(**{name: value})
    except ValueError as error:
        return str(error)
    raise AssertionError(f"{name} can be {value!r}")


# Each row: tables, and all that is wrong with them.
WRONG: list[tuple[dict[str, Any], list[str]]] = [
    # Keys
    ({"listne": []}, ["listne is no key; did you mean listen?"]),
    ({"nothing like it": 1}, ["'nothing like it' is no key"]),
    ({"": 1}, ["'' is no key"]),
    ({"a\nb": 1}, ["'a\\nb' is no key"]),
    (
        {"server": {"keepalive_interval": 1}},
        ["server.keepalive_interval is no key; did you mean keepaliveInterval?"],
    ),
    (
        {"keepaliveInterval": 1},
        ["keepaliveInterval is no key; did you mean server.keepaliveInterval?"],
    ),
    (
        {"mount": [{**MOUNT, "protocols": "a"}]},
        ["mount[0].protocols is no key; did you mean protocol?"],
    ),
    ({"mount": [MOUNT, {"path": "/"}]}, ["mount[1] has no application"]),
    ({"mount": [{"application": "a.b"}]}, ["mount[0] has no path"]),
    ({"listen": [{"certificates": []}]}, ["listen[0] has no endpoint"]),
    # Tables
    ({"server": 1}, ["server must be a table, not 1"]),
    ({"server": [{}]}, ["server must be a table, not [{}]"]),
    ({"logging": "a"}, ["logging must be a table, not 'a'"]),
    ({"mount": MOUNT}, [f"mount must be a list of tables, [[mount]], not {MOUNT}"]),
    ({"mount": ["a"]}, ["mount[0] must be a table, not 'a'"]),
    ({"listen": "tcp:1"}, ["listen must be a list of endpoints, not 'tcp:1'"]),
    ({"listen": []}, ["listen must have an endpoint"]),
    ({"listen": ["tcp:1", 2]}, ["listen[1] must be a table, not 2"]),
    # Values
    ({"listen": [""]}, ["listen[0].endpoint must not be empty"]),
    (
        {"listen": [{"endpoint": "tcp:1", "certificates": "a.pem"}]},
        ["listen[0].certificates must be a list of files, not 'a.pem'"],
    ),
    (
        {"listen": [{"endpoint": "tcp:1", "certificates": [1]}]},
        ["listen[0].certificates must be a string, not 1"],
    ),
    (
        {"listen": [{"endpoint": "tcp:1", "requireClientCertificate": 1}]},
        ["listen[0].requireClientCertificate must be true or false, not 1"],
    ),
    ({"web": 1}, ["web must be a string, not 1"]),
    ({"web": ""}, ["web must not be empty"]),
    ({"mount": [{**MOUNT, "path": 1}]}, ["mount[0].path must be a string, not 1"]),
    (
        {"mount": [{**MOUNT, "protocol": 1}]},
        ["mount[0].protocol must be a string, not 1"],
    ),
    (
        {"mount": [{**MOUNT, "protocol": "a b"}]},
        ["mount[0].protocol is not a token: 'a b'"],
    ),
    *(
        (
            {"mount": [{**MOUNT, "allowedOrigins": value}]},
            [f"mount[0].{refusal('allowedOrigins', value)}"],
        )
        for value in ("example.com", ["example.com"], [1], {}, 5)
    ),
    *(
        (
            {"mount": [{**MOUNT, "connectionsPerClient": value}]},
            [
                "mount[0].connectionsPerClient must be a whole number, 1 or more,"
                f" not {value!r}"
            ],
        )
        for value in (0, -1, 1.5, True, "none")
    ),
    *(
        (
            {"mount": [{**MOUNT, name: value}]},
            [
                f"mount[0].{name} must be a rate like {like!r}, per s, m or h,"
                f" not {value!r}"
            ],
        )
        for name, like in (("handshakesPerClient", "50/s"), ("bytesPerClient", "1M/s"))
        for value in ("0/s", "10", "10/d", 10, "", "1G/s", None)
    ),
    *(
        ({"server": {name: value}}, [f"server.{refusal(name, value)}"])
        for name, value in [
            ("closeTimeout", "soon"),
            ("closeTimeout", "none"),
            ("closeTimeout", date(2000, 1, 2)),
            ("closeTimeout", 0),
            ("closeTimeout", True),
            ("closeTimeout", float("nan")),
            ("maxHeaderLine", "none"),
            ("maxReceivedMessageSize", "no"),
            ("maxReceivedMessageSize", 1.5),
            ("keepalive", 1),
            ("protocols", "chat"),
            ("protocols", {"a": 1}),
            ("allowedOrigins", ["example.com"]),
            ("trustedProxies", ["10.0.0.0/8", "proxy"]),
        ]
    ),
    (
        {"server": {"protocols": ["a b"]}},
        ["server.protocols: an element of protocols is not a token: 'a b'"],
    ),
    (
        {"logging": {"level": "all"}},
        ["logging.level is one of debug, info, warn, error, critical, not 'all'"],
    ),
    (
        {"logging": {"file": "a", "format": ["text"]}},
        ["logging.format is one of text, json, not ['text']"],
    ),
    (
        {"logging": {"level": "debug", "format": "json", "access": "a"}},
        [
            "logging.format is of use only with logging.file",
            "logging.level is of use only with logging.file",
        ],
    ),
    # Several
    (
        {"web": 1, "server": {"closeTimeout": 0}, "mount": [MOUNT, 1, {}]},
        [
            "web must be a string, not 1",
            "server.closeTimeout must be a number of seconds over 0, not 0",
            "mount[1] must be a table, not 1",
            "mount[2] has no path",
        ],
    ),
]


def read(data: dict[str, Any]) -> tuple[Declaration, list[str]]:
    """
    @return: what is declared, and all that is wrong with it.
    """
    faults = Faults()
    declaration = declare(data, faults, "/base")
    return declaration, [dotted(path) + text for path, text in faults]


class DeclareTests(SynchronousTestCase):
    """
    L{declare}.
    """

    def declared(self, **data: Any) -> Declaration:
        """
        @return: what is declared without a fault.
        """
        declaration, wrong = read(data)
        self.assertEqual(wrong, [])
        return declaration

    def test_nothing(self) -> None:
        """
        What is not declared is as it is by default.
        """
        declaration = self.declared(server={}, logging={})
        self.assertEqual(declaration, Declaration())
        self.assertEqual(declaration.server, ServerConfig())
        self.assertEqual(declaration.listen, (Listener(endpoint="tcp:8080"),))
        self.assertIsNone(declaration.mount)

    def test_noMounts(self) -> None:
        """
        A list of no mounts is not the same as none: there is no demonstration.
        """
        self.assertEqual(self.declared(mount=[]).mount, ())

    def test_listen(self) -> None:
        """
        Endpoints are strings, or tables that have more to say; paths begin at the
        base.
        """
        table = {
            "endpoint": "tcp:2",
            "certificates": ["a.pem", "/etc/b.pem"],
            "privateKeys": ["../key.pem"],
            "clientAuthority": "./c.pem",
            "requireClientCertificate": False,
        }
        self.assertEqual(sorted(table), sorted(each.name for each in fields(Listener)))
        self.assertEqual(
            self.declared(listen=["unix:ws.sock", table]).listen,
            (
                Listener(endpoint="unix:ws.sock"),
                Listener(
                    endpoint="tcp:2",
                    certificates=("/base/a.pem", "/etc/b.pem"),
                    privateKeys=("/key.pem",),
                    clientAuthority="/base/c.pem",
                    requireClientCertificate=False,
                ),
            ),
        )

    def test_mount(self) -> None:
        """
        Mounts have a path and an application, and may have more.
        """
        full = {
            **MOUNT,
            "protocol": "",
            "allowedOrigins": ["null", "https://*.example.com"],
            "connectionsPerClient": 1,
            "handshakesPerClient": "10/m",
            "messagesPerClient": "50/s",
            "bytesPerClient": "1M/s",
            "pingsPerClient": "600/h",
        }
        self.assertEqual(sorted(full), sorted(each.name for each in fields(Mount)))
        self.assertEqual(
            self.declared(mount=[MOUNT, full]).mount,
            (
                Mount(path="/", application="shop.Chat", protocol="*"),
                Mount(
                    path="/",
                    application="shop.Chat",
                    protocol="",
                    allowedOrigins=("null", "https://*.example.com"),
                    connectionsPerClient=1,
                    handshakesPerClient="10/m",
                    messagesPerClient="50/s",
                    bytesPerClient="1M/s",
                    pingsPerClient="600/h",
                ),
            ),
        )

    def test_everybody(self) -> None:
        """
        All origins are C{"*"}, alone or in a list.
        """
        for value, read in (("*", "*"), (["*"], ("*",))):
            declaration = self.declared(
                server={"allowedOrigins": value},
                mount=[{**MOUNT, "allowedOrigins": value}],
            )
            self.assertEqual(declaration.server.allowedOrigins, read)
            assert declaration.mount is not None
            self.assertEqual(declaration.mount[0].allowedOrigins, read)

    def test_server(self) -> None:
        """
        Every tunable can be declared; lists become tuples, C{"none"} is no limit.
        """
        self.assertEqual(
            self.declared(
                server={
                    "maxReceivedMessageSize": "none",
                    "protocols": ["a", "b"],
                    "closeTimeout": 2,
                }
            ).server,
            ServerConfig(
                maxReceivedMessageSize=None, protocols=("a", "b"), closeTimeout=2
            ),
        )
        for option in fields(ServerConfig):
            value = getattr(ServerConfig(), option.name)
            data = "none" if value is None else value
            data = list(data) if isinstance(data, tuple) else data
            declaration = self.declared(server={option.name: data})
            self.assertEqual(declaration, Declaration(), option.name)

    def test_logging(self) -> None:
        """
        Paths of logs begin at the base; the format and the level of a log that there
        is not may be said if they are the default.
        """
        self.assertEqual(
            self.declared(
                logging={
                    "access": "a",
                    "file": "/var/b",
                    "format": "json",
                    "level": "debug",
                }
            ).logging,
            Logging(access="/base/a", file="/var/b", format="json", level="debug"),
        )
        self.assertEqual(
            self.declared(logging={"format": "text", "level": "info"}), Declaration()
        )

    def test_wrong(self) -> None:
        """
        Of all that is wrong it is said where and what.
        """
        for data, expected in WRONG:
            self.assertEqual(read(data)[1], expected, data)


class MergeTests(SynchronousTestCase):
    """
    L{merge}.
    """

    def test_merge(self) -> None:
        """
        What stands above takes the place of what is below it: values and whole lists;
        of tables, only what it has.
        """
        lower = {
            "listen": ["tcp:1", "tcp:2"],
            "web": "a",
            "server": {"closeTimeout": 1, "protocols": ["a"]},
        }
        upper = {
            "listen": ["tcp:3"],
            "server": {"protocols": ["b"], "keepalive": False},
            "logging": {"file": "f"},
        }
        before = repr((lower, upper))
        self.assertEqual(
            merge(lower, upper),
            {
                "listen": ["tcp:3"],
                "web": "a",
                "server": {"closeTimeout": 1, "protocols": ["b"], "keepalive": False},
                "logging": {"file": "f"},
            },
        )
        self.assertEqual(repr((lower, upper)), before)

    def test_noTable(self) -> None:
        """
        Something that is no table where there should be one is not covered up.
        """
        merged = merge({"server": 5}, {"server": {"keepalive": False}})
        self.assertEqual(read(merged)[1], ["server must be a table, not 5"])


class FaultsTests(SynchronousTestCase):
    """
    L{Faults}.
    """

    def taken(self, error: Exception) -> str:
        """
        @return: what is said of an error at C{mount[1].path}.
        """
        faults = Faults()
        with faults.at("mount", 1, "path"):
            raise error
        ((path, text),) = faults
        return dotted(path) + text

    def test_sentences(self) -> None:
        """
        A sentence about the last key has the whole way in its place; what is no such
        sentence stands behind a colon.
        """
        rows: list[tuple[Exception, str]] = [
            (ValueError("path must be 5"), "mount[1].path must be 5"),
            (ValueError("path: is bad"), "mount[1].path: is bad"),
            (ValueError("pathological"), "mount[1].path: pathological"),
            (ValueError(), "mount[1].path: "),
            (OSError(2, "No such file"), "mount[1].path: No such file"),
            (OSError(2, "No such file", "/x"), "mount[1].path: No such file: /x"),
            (OSError("odd"), "mount[1].path: odd"),
            (UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "bad"), "mount[1].path: 'utf"),
        ]
        for error, expected in rows:
            self.assertIn(expected, self.taken(error))

    def test_others(self) -> None:
        """
        Other exceptions are somebody's mistake, and pass.
        """
        self.assertRaises(ZeroDivisionError, self.taken, ZeroDivisionError())
