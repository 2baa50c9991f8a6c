# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.tap}: the command line, without running it.
"""

from __future__ import annotations

from dataclasses import fields, replace

from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Site

from twisted_ws import MessageReceiver, Router, ServerConfig, WebSocketFactory
from twisted_ws.service import WebSocketService
from twisted_ws.tap import Options, makeService

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
    options.parseOptions(["--listen", "tcp:0", *arguments])
    return options


class TunableTests(SynchronousTestCase):
    """
    The tunables on the command line.
    """

    def test_defaults(self) -> None:
        """
        Without options the configuration is the default one.
        """
        self.assertEqual(parse().config, ServerConfig())

    def test_everyTunable(self) -> None:
        """
        Every field of L{ServerConfig} has an option that changes it.
        """
        rows = {
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
            "handshakeTimeout": (["--handshake-timeout", "4"], 4.0),
            "maxHeaderLine": (["--max-header-line", "100"], 100),
            "maxHeaderLines": (["--max-header-lines", "9"], 9),
            "maxHeaderSize": (["--max-header-size", "1000"], 1000),
            "allowedOrigins": (
                ["--allowed-origin", "https://a.example", "--allowed-origin", "null"],
                ("https://a.example", "null"),
            ),
            "protocols": (["--protocol", "a", "--protocol", "b"], ("a", "b")),
            "preferClientProtocols": (["--prefer-client-protocols"], True),
        }
        self.assertEqual(sorted(rows), sorted(f.name for f in fields(ServerConfig)))
        for name, (arguments, value) in rows.items():
            expected = replace(ServerConfig(), **{name: value})
            self.assertEqual(parse(*arguments).config, expected, name)
            self.assertNotEqual(expected, ServerConfig(), name)

    def test_everyOrigin(self) -> None:
        """
        C{*} admits every origin.
        """
        self.assertIn("*", parse("--allowed-origin", "*").config.allowedOrigins)

    def test_wrong(self) -> None:
        """
        A value that makes no sense is a usage error that names its option.
        """
        rows = [
            (["--close-timeout", "soon"], "close-timeout"),
            (["--close-timeout", "-1"], "closeTimeout"),
            (["--close-timeout", "nan"], "closeTimeout"),
            (["--close-timeout", "inf"], "closeTimeout"),
            (["--close-timeout", "none"], "close-timeout"),
            (["--max-received-message-size", "0"], "maxReceivedMessageSize"),
            (["--max-received-message-size", "1e3"], "max-received-message-size"),
            (["--max-header-line", "none"], "max-header-line"),
            (["--allowed-origin", "example.com"], "example.com"),
            (["--protocol", "a b"], "a b"),
            (["--nonsense"], "nonsense"),
        ]
        for arguments, named in rows:
            error = self.assertRaises(UsageError, parse, *arguments)
            self.assertIn(named, str(error), arguments)
            self.assertNotIn("\n", str(error), arguments)


class MountTests(SynchronousTestCase):
    """
    C{--mount}.
    """

    def test_mounts(self) -> None:
        """
        The path, the subprotocol and the application are told apart.
        """
        here = "tests.test_tap"
        router = parse(
            "--mount",
            f"/a/b:chat.v1={here}.Receiver",
            "-m",
            f"/a/b={here}.anApplication",
            "-m",
            f"*:={here}.aRouter",
        ).router
        router.unmount("/a/b", "chat.v1")
        router.unmount("/a/b", "*")
        router.unmount("*", None)
        self.assertRaises(ValueError, router.unmount, "*", None)

    def test_wrong(self) -> None:
        """
        What cannot be mounted is a usage error that repeats it.
        """
        rows = [
            ("/", "PATH[:SUBPROTOCOL]=DOTTED.NAME"),
            ("=x.y", "PATH[:SUBPROTOCOL]=DOTTED.NAME"),
            ("/=", "PATH[:SUBPROTOCOL]=DOTTED.NAME"),
            ("/=no.such.module", "cannot import no.such.module"),
            ("/=tests.test_tap.nothing", "cannot import tests.test_tap.nothing"),
            ("/=tests.test_tap.notAnApplication", "an application is"),
            ("/=tests.test_tap.Options", "not a MessageReceiver"),
            ("a=tests.test_tap.Receiver", "begins with /"),
            ("/*/b=tests.test_tap.Receiver", "only the end"),
        ]
        for mount, message in rows:
            error = self.assertRaises(UsageError, parse, "--mount", mount)
            self.assertIn(f"--mount {mount}: ", str(error))
            self.assertIn(message, str(error), mount)

    def test_twice(self) -> None:
        """
        One place takes one application.
        """
        mount = "/=tests.test_tap.Receiver"
        error = self.assertRaises(UsageError, parse, "-m", mount, "-m", mount)
        self.assertIn("there is an application at '/'", str(error))


class EndpointTests(SynchronousTestCase):
    """
    C{--listen}.
    """

    def test_several(self) -> None:
        """
        It can be repeated.
        """
        self.assertEqual(len(parse("-l", "tcp:0", "-l", "unix:nowhere").endpoints), 3)

    def test_wrong(self) -> None:
        """
        What is no endpoint is a usage error that repeats it.
        """
        for listen in [
            "nonsense",
            "tcp:http:x",
            "carrier-pigeon:1",
            "ssl:0:privateKey=/no/such/file",
            "systemd:domain=INET:name=missing",
        ]:
            error = self.assertRaises(UsageError, parse, "--listen", listen)
            self.assertIn(f"--listen {listen}: ", str(error))


class ServiceTests(SynchronousTestCase):
    """
    The service that is made.
    """

    def test_ownApplication(self) -> None:
        """
        With a mount it serves WebSockets and nothing else.
        """
        service = makeService(parse("-m", "/=tests.test_tap.Receiver"))
        assert isinstance(service, WebSocketService)
        self.assertIsInstance(service._site, WebSocketFactory)

    def test_demo(self) -> None:
        """
        Without a mount it serves the demonstration, in a site.
        """
        service = makeService(parse())
        assert isinstance(service, WebSocketService)
        self.assertIsInstance(service._site, Site)

    def test_web(self) -> None:
        """
        With C{--web} it serves files too.
        """
        service = makeService(parse("-m", "/=tests.test_tap.Receiver", "--web", "/"))
        assert isinstance(service, WebSocketService)
        self.assertIsInstance(service._site, Site)

    def test_noSuchDirectory(self) -> None:
        """
        C{--web} takes a directory.
        """
        error = self.assertRaises(UsageError, parse, "--web", "/no/such/directory")
        self.assertIn("/no/such/directory", str(error))
