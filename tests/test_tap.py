# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The command line, without running it: L{twisted_ws.tap} and
L{twisted_ws.declared.flags}.
"""

from __future__ import annotations

import os
from dataclasses import fields, replace
from typing import Any

from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from twisted_ws import MessageReceiver, PerMessageDeflate, Router, ServerConfig
from twisted_ws.declared.declaration import Declaration, Listener, Logging, Mount
from twisted_ws.tap import Options

HERE = "tests.test_tap"

aRouter = Router()
notAnApplication = 42


class Receiver(MessageReceiver):
    """
    To be mounted.
    """


def anApplication(request: object) -> None:
    """
    To be mounted.
    """


def parse(*arguments: str) -> Options:
    """
    @return: the options that a command line gives.
    """
    options = Options()
    options.parseOptions(list(arguments))
    return options


def declared(*arguments: str) -> Declaration:
    """
    @return: what a command line declares.
    """
    return parse(*arguments).assembly.declaration


class TapTests(SynchronousTestCase):
    """
    The base of the tests.
    """

    def complaint(self, *arguments: str) -> str:
        """
        @return: the line that the process ends with.
        """
        left = self.assertRaises(SystemExit, parse, *arguments)
        self.assertIsInstance(left.code, str)
        line = str(left.code)
        self.assertNotIn("\n", line)
        self.assertTrue(line.startswith("twistd websocket: "), line)
        return line.removeprefix("twistd websocket: ")


class TunableTests(TapTests):
    """
    The tunables on the command line.
    """

    def test_defaults(self) -> None:
        """
        Without options all is as it is by default.
        """
        self.assertEqual(declared(), Declaration())

    def test_everyTunable(self) -> None:
        """
        Every field of L{ServerConfig} has an option that changes it.
        """
        rows: dict[str, tuple[list[str], Any]] = {
            "maxReceivedFrameSize": (["--max-received-frame-size", "10"], 10),
            "maxReceivedMessageSize": (["--max-received-message-size", "11"], 11),
            "maxReceivedFragments": (["--max-received-fragments", "none"], None),
            "assembleFragments": (["--no-assemble-fragments"], False),
            "fragmentOutgoingMessages": (["--no-fragment-outgoing-messages"], False),
            "fragmentationThreshold": (["--fragmentation-threshold", "5"], 5),
            "keepalive": (["--no-keepalive"], False),
            "keepaliveInterval": (["--keepalive-interval", "1.5"], 1.5),
            "keepaliveGracePeriod": (["--keepalive-grace-period", "2"], 2.0),
            "dropConnectionOnKeepaliveTimeout": (
                ["--no-drop-connection-on-keepalive-timeout"],
                False,
            ),
            "useNativeKeepalive": (["--use-native-keepalive"], True),
            "closeTimeout": (["--close-timeout", "3"], 3.0),
            "disableNagleAlgorithm": (["--no-disable-nagle-algorithm"], False),
            "sendHighWater": (["--send-high-water", "131072"], 131072),
            "sendLowWater": (["--send-low-water", "0"], 0),
            "maxSendBuffer": (["--max-send-buffer", "none"], None),
            "slowReaderPolicy": (["--slow-reader-policy", "coalesce"], "coalesce"),
            "pauseWhileCongested": (["--no-pause-while-congested"], False),
            "sendStallTimeout": (["--send-stall-timeout", "none"], None),
            "idleTimeout": (["--idle-timeout", "60"], 60.0),
            "maxPendingMessages": (["--max-pending-messages", "4"], 4),
            "maxPendingBytes": (["--max-pending-bytes", "1000"], 1000),
            "concurrentMessages": (["--concurrent-messages", "4"], 4),
            "framesPerTurn": (["--frames-per-turn", "64"], 64),
            "maxPongRate": (["--max-pong-rate", "5"], 5),
            "handshakeTimeout": (["--handshake-timeout", "4"], 4.0),
            "maxHeaderLine": (["--max-header-line", "100"], 100),
            "maxHeaderLines": (["--max-header-lines", "9"], 9),
            "maxHeaderSize": (["--max-header-size", "1000"], 1000),
            "extensions": (
                ["--extension", "permessage-deflate:lowMemory"],
                (PerMessageDeflate.lowMemory(),),
            ),
            "allowedOrigins": (
                ["--allowed-origin", "https://a.example", "--allowed-origin", "null"],
                ("https://a.example", "null"),
            ),
            "trustedProxies": (
                ["--trusted-proxy", "10.0.0.0/8", "--trusted-proxy", "unix"],
                ("10.0.0.0/8", "unix"),
            ),
            "readForwarded": (["--read-forwarded"], True),
            "protocols": (["--protocol", "a", "--protocol", "b"], ("a", "b")),
            "preferClientProtocols": (["--prefer-client-protocols"], True),
            "maxConnections": (["--max-connections", "100"], 100),
            "maxPendingHandshakes": (["--max-pending-handshakes", "none"], None),
            "retryAfter": (["--retry-after", "60"], 60),
            "maxTotalBuffer": (["--max-total-buffer", "none"], None),
            "drainTime": (["--drain-time", "5"], 5.0),
            "drainTimeout": (["--drain-timeout", "30"], 30.0),
            "drainCode": (["--drain-code", "1012"], 1012),
            "budgetPolicy": (["--budget-policy", "close-this"], "close-this"),
        }
        self.assertEqual(sorted(rows), sorted(f.name for f in fields(ServerConfig)))
        for name, (arguments, value) in rows.items():
            expected = replace(ServerConfig(), **{name: value})
            self.assertEqual(declared(*arguments).server, expected, name)
            self.assertNotEqual(expected, ServerConfig(), name)

    def test_opposites(self) -> None:
        """
        Every switch can be put either way; what is said last counts.
        """
        for option in fields(ServerConfig):
            if option.metadata["kind"] != "flag":
                continue
            flag = "".join("-" + c.lower() if c.isupper() else c for c in option.name)
            rows = [
                ([f"--{flag}"], True),
                ([f"--no-{flag}"], False),
                ([f"--{flag}", f"--no-{flag}"], False),
                ([f"--no-{flag}", f"--{flag}"], True),
            ]
            for arguments, value in rows:
                server = declared(*arguments).server
                self.assertIs(getattr(server, option.name), value, arguments)

    def test_everyOrigin(self) -> None:
        """
        C{*} admits every origin.
        """
        self.assertIn("*", declared("--allowed-origin", "*").server.allowedOrigins)

    def test_wrong(self) -> None:
        """
        A value that makes no sense is one line that names its option and itself.
        """
        rows = [
            (["--close-timeout", "soon"], "--close-timeout must be", "'soon'"),
            (["--close-timeout", "-1"], "--close-timeout must be", "-1.0"),
            (["--close-timeout", "nan"], "--close-timeout must be", "nan"),
            (["--close-timeout", "inf"], "--close-timeout must be", "inf"),
            (["--close-timeout", "none"], "--close-timeout must be", "'none'"),
            (["--close-timeout", ""], "--close-timeout must be", "''"),
            (
                ["--max-received-message-size", "0"],
                "--max-received-message-size must be",
                "0",
            ),
            (
                ["--max-received-message-size", "1e3"],
                "--max-received-message-size must be",
                "'1e3'",
            ),
            (["--max-header-line", "none"], "--max-header-line must be", "'none'"),
            (["--allowed-origin", "example.com"], "--allowed-origin", "'example.com'"),
            (["--trusted-proxy", "x"], "--trusted-proxy", "'x'"),
            (["--protocol", "a b"], "--protocol", "'a b'"),
            (["--web", ""], "--web must not be empty", ""),
            (["--log-level", "all"], "--log-level is one of", "'all'"),
            (["--log-format", "xml"], "--log-format is one of", "'xml'"),
            (["--log-level", "debug"], "--log-level is of use only", "logging.file"),
            (["--access-log", "/no/such/log"], "--access-log: ", "/no/such"),
            (["--log-file", "/"], "--log-file: / is a directory", ""),
        ]
        for arguments, begin, end in rows:
            line = self.complaint(*arguments)
            self.assertEqual(line[: len(begin)], begin, arguments)
            self.assertIn(end, line, arguments)

    def test_noSuchOption(self) -> None:
        """
        An option that there is not is a usage error, as for all of twistd.
        """
        for arguments in (["--nonsense"], ["argument"], ["--close-timeout"]):
            self.assertRaises(UsageError, parse, *arguments)


class MountTests(TapTests):
    """
    C{--mount}.
    """

    def test_mounts(self) -> None:
        """
        The path, the subprotocol and the application are told apart.
        """
        options = parse(
            *["--mount", f"/a/b:chat.v1={HERE}.Receiver"],
            *["-m", f"/a/b={HERE}.anApplication"],
            *["-m", f"*:={HERE}.aRouter"],
        )
        self.assertEqual(
            options.assembly.declaration.mount,
            (
                Mount(path="/a/b", protocol="chat.v1", application=f"{HERE}.Receiver"),
                Mount(path="/a/b", application=f"{HERE}.anApplication"),
                Mount(path="*", protocol="", application=f"{HERE}.aRouter"),
            ),
        )
        router = options.assembly.router
        router.unmount("/a/b", "chat.v1")
        router.unmount("/a/b", "*")
        router.unmount("*", None)
        self.assertRaises(ValueError, router.unmount, "*", None)

    def test_wrong(self) -> None:
        """
        What cannot be mounted is one line that repeats it.
        """
        rows = [
            ("/", "PATH[:SUBPROTOCOL]=DOTTED.NAME"),
            ("=x.y", "PATH[:SUBPROTOCOL]=DOTTED.NAME"),
            ("/=", "PATH[:SUBPROTOCOL]=DOTTED.NAME"),
            ("/=no.such.module", "cannot import no.such.module"),
            ("/=..", "cannot import .."),
            (f"/={HERE}.nothing", f"cannot import {HERE}.nothing"),
            (f"/={HERE}.notAnApplication", "an application is"),
            (f"/={HERE}.Options", "not a MessageReceiver"),
            (f"a={HERE}.Receiver", "begins with /"),
            (f"/*/b={HERE}.Receiver", "only the end"),
            (f"/:a b={HERE}.Receiver", "not a token"),
        ]
        for mount, message in rows:
            line = self.complaint("--mount", mount)
            self.assertEqual(line[: len(mount) + 8], f"--mount {mount}", line)
            self.assertIn(message, line, mount)

    def test_parameters(self) -> None:
        """
        A colon in a parameter of the path does not begin a subprotocol.
        """
        rows = {
            "/{id:int}": ("/{id:int}", "*"),
            "/{id:int}:a": ("/{id:int}", "a"),
            "/{id:int}/b:": ("/{id:int}/b", ""),
            "/{id}/{x:uuid}/*:a": ("/{id}/{x:uuid}/*", "a"),
        }
        for said, (path, protocol) in rows.items():
            mounts = declared("-m", f"{said}={HERE}.Receiver").mount
            expected = Mount(
                path=path, protocol=protocol, application=f"{HERE}.Receiver"
            )
            self.assertEqual(mounts, (expected,))

    def test_twice(self) -> None:
        """
        One place takes one application.
        """
        mount = f"/={HERE}.Receiver"
        line = self.complaint("-m", mount, "-m", mount)
        self.assertIn("there is an application at '/'", line)


class EndpointTests(TapTests):
    """
    C{--listen}.
    """

    def test_several(self) -> None:
        """
        It can be repeated.
        """
        options = parse("-l", "tcp:0", "--listen", "unix:nowhere")
        self.assertEqual(len(options.assembly.endpoints), 2)
        self.assertEqual(
            options.assembly.declaration.listen,
            (Listener(endpoint="tcp:0"), Listener(endpoint="unix:nowhere")),
        )

    def test_wrong(self) -> None:
        """
        What is no endpoint is one line that repeats it.
        """
        for listen in [
            "nonsense",
            "tcp:http:x",
            "carrier-pigeon:1",
            "ssl:0:privateKey=/no/such/file",
            "systemd:domain=INET:name=missing",
            "haproxy:",
            ":",
        ]:
            line = self.complaint("--listen", "tcp:0", "--listen", listen)
            self.assertIn(f"--listen: {listen}: ", line)

    def test_oneLine(self) -> None:
        """
        What is said of it is one line, whatever it is.
        """
        line = self.complaint("--listen", "pigeon:\n\r\n1")
        self.assertIn("--listen: pigeon: 1: ", line)


class PathTests(TapTests):
    """
    Files and directories.
    """

    def test_absolute(self) -> None:
        """
        They are meant as seen from where the command line is, wherever twistd goes
        then.
        """
        os.mkdir(self.mktemp())
        declaration = declared("--web", ".", "--log-file", "a", "--access-log", "./b")
        here = os.getcwd()
        self.assertEqual(declaration.web, here)
        self.assertEqual(
            declaration.logging,
            Logging(file=os.path.join(here, "a"), access=os.path.join(here, "b")),
        )

    def test_noSuchDirectory(self) -> None:
        """
        C{--web} takes a directory.
        """
        line = self.complaint("--web", "/no/such/directory")
        self.assertEqual(line, "--web: No such file or directory: /no/such/directory")
