# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
L{twisted_ws.declared.assembly}: from what was declared to what serves it.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import Logger, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from twisted_ws import (
    AllowOrigins,
    MessageReceiver,
    Router,
    ServerConfig,
    Steps,
    UpgradeRejected,
    WebSocketFactory,
)
from twisted_ws.declared.assembly import (
    Assembly,
    CannotStart,
    DeclaredService,
    withBacklog,
)
from twisted_ws.declared.declaration import Declaration, Listener, Logging, Mount
from twisted_ws.declared.faults import Faults, dotted
from twisted_ws.declared.website import LoggingSite
from twisted_ws.testing import MemoryServer, RecordingReceiver

HERE = "tests.test_assembly"


class Receiver(MessageReceiver):
    """
    To be mounted.
    """


def function(request: Any) -> None:
    """
    To be mounted.
    """


aFactory = Factory.forProtocol(Receiver)
nested = Router()
nested.mount("/in/{id:int}", "b.v1", Steps([AllowOrigins()], aFactory))


def mount(name: str = "Receiver", path: str = "/", **more: Any) -> Mount:
    """
    @return: the mount of something of this module.
    """
    return Mount(path=path, application=f"{HERE}.{name}", **more)


class Port:
    """
    A port at an address.
    """

    def __init__(self, address: object) -> None:
        self.getHost = lambda: address
        self.stopListening = lambda: None


class Reactor(MemoryReactorClock):
    """
    A reactor that only notes down what it is told, with ports that know where they
    are.
    """

    def listenTCP(
        self, port: int, factory: Any, backlog: int = 50, interface: str = ""
    ) -> Any:
        MemoryReactorClock.listenTCP(self, port, factory, backlog, interface)
        kind = IPv6Address if ":" in interface else IPv4Address
        return Port(kind("TCP", interface or "0.0.0.0", port))


class AssemblyTests(SynchronousTestCase):
    """
    The base of the tests.
    """

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.directory = os.path.abspath(self.mktemp())
        os.mkdir(self.directory)

    def assemble(self, **declared: Any) -> Assembly:
        """
        @return: what is declared without a fault.
        """
        faults = Faults()
        assembly = Assembly(Declaration(**declared), faults, self.reactor)
        self.assertEqual(faults, [])
        return assembly

    def wrong(self, **declared: Any) -> list[str]:
        """
        @return: what is wrong with what is declared.
        """
        faults = Faults()
        Assembly(Declaration(**declared), faults, self.reactor)
        return [dotted(path) + text for path, text in faults]


class ServiceTests(AssemblyTests):
    """
    What is made.
    """

    def test_webSocketsAlone(self) -> None:
        """
        With nothing but applications, nothing but WebSockets is served.
        """
        service = self.assemble(mount=(mount(),)).makeService()
        self.assertIsInstance(service._site, WebSocketFactory)

    def test_site(self) -> None:
        """
        A demonstration, files, and an access log need a site.
        """
        log = os.path.join(self.directory, "log")
        rows: list[dict[str, Any]] = [
            {},
            {"mount": (mount(),), "web": self.directory},
            {"mount": (), "web": self.directory},
            {"mount": (mount(),), "logging": Logging(access=log)},
        ]
        for declared in rows:
            service = self.assemble(**declared).makeService()
            self.assertIsInstance(service._site, LoggingSite, declared)

    def test_settings(self) -> None:
        """
        The server has the tunables that were declared, and the reactor's clock.
        """
        config = ServerConfig(closeTimeout=1)
        service = self.assemble(mount=(mount(),), server=config).makeService()
        self.assertIs(service._factory.config, config)
        self.assertIs(service._factory.clock, self.reactor)

    def test_nothingIsTouched(self) -> None:
        """
        Until the service starts nothing is listened on, and no file is made.
        """
        log = Logging(
            access=os.path.join(self.directory, "access"),
            file=os.path.join(self.directory, "own"),
        )
        listen = (Listener(endpoint=f"unix:{self.directory}/socket"),)
        self.assemble(logging=log, listen=listen).makeService()
        self.assertEqual(os.listdir(self.directory), [])
        self.assertEqual(self.reactor.unixServers, [])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_currentDirectory(self) -> None:
        """
        Applications are imported out of the current directory, too.
        """
        self.patch(sys, "path", [each for each in sys.path if each != os.getcwd()])
        self.assemble(mount=(mount(),))
        self.assertEqual(sys.path[0], os.getcwd())
        self.assertEqual(sys.path.count(os.getcwd()), 1)
        self.assemble(mount=(mount(),))
        self.assertEqual(sys.path.count(os.getcwd()), 1)

    def test_brokenModule(self) -> None:
        """
        A module that fails in any way when it is imported is a fault of its mount.
        """
        self.patch(sys, "path", [self.directory, *sys.path])
        for name, text, said in [
            ("exits_at_once", "raise SystemExit(3)", "SystemExit: 3"),
            ("is_no_python", "a b", "SyntaxError"),
            ("imports_nothing", "import nothing_at_all", "nothing_at_all"),
            ("divides", "1 / 0", "ZeroDivisionError"),
        ]:
            path = os.path.join(self.directory, f"{name}.py")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            (line,) = self.wrong(mount=(Mount(path="/", application=f"{name}.x"),))
            begin = f"mount[0].application: cannot import {name}.x: "
            self.assertEqual(line[: len(begin)], begin)
            self.assertIn(said, line)

    def test_allWrong(self) -> None:
        """
        All faults are found at once.
        """
        self.assertEqual(
            self.wrong(
                mount=(mount(path="a"), mount(), mount()),
                listen=(Listener(endpoint="x"), Listener(endpoint="tcp:1")),
                web="/no/such",
                logging=Logging(file="/no/such"),
            ),
            [
                "mount[0].path: a path begins with / or is *, unlike 'a'",
                "mount[2].path: there is an application at '/' for '*'",
                "web: No such file or directory: /no/such",
                "listen[0]: x: ValueError: Unknown endpoint type: 'x'",
                "logging.file: there is no directory /no",
            ],
        )


class StepTests(AssemblyTests):
    """
    What stands before an application.
    """

    def ask(self, server: MemoryServer, path: str, origin: str) -> int:
        """
        @return: the status that a client is answered with.
        """
        opened = server.connect(path, RecordingReceiver(), origin=origin)
        server.flush()
        if hasattr(opened.result, "value"):
            return self.failureResultOf(opened, UpgradeRejected).value.status
        self.successResultOf(opened)
        return 101

    def test_origins(self) -> None:
        """
        The origins of a mount take the place of the server's.
        """
        assembly = self.assemble(
            mount=(
                mount(path="/a", allowedOrigins=("https://a.example",)),
                mount(path="/b"),
            ),
            server=ServerConfig(allowedOrigins=["https://b.example"]),
        )
        server = MemoryServer(assembly.router, assembly.declaration.server)
        rows = {("/a", "a"): 101, ("/a", "b"): 403, ("/b", "a"): 403, ("/b", "b"): 101}
        for (path, name), status in rows.items():
            answered = self.ask(server, path, f"https://{name}.example")
            self.assertEqual(answered, status, (path, name))

    def test_connectionsPerClient(self) -> None:
        """
        A client can have as many connections to a mount as that says, and to each
        mount by itself.
        """
        assembly = self.assemble(
            mount=(
                mount(path="/a", connectionsPerClient=2, allowedOrigins="*"),
                mount(path="/b", connectionsPerClient=1, allowedOrigins="*"),
            )
        )
        server = MemoryServer(assembly.router)
        answers = [self.ask(server, path, "https://a") for path in ("/a",) * 3]
        self.assertEqual(answers, [101, 101, 429])
        answers = [self.ask(server, path, "https://a") for path in ("/b",) * 2]
        self.assertEqual(answers, [101, 429])

    def test_rates(self) -> None:
        """
        A client can ask a mount as often as that says.
        """
        assembly = self.assemble(
            mount=(mount(path="/a", handshakesPerClient="2/m", allowedOrigins="*"),)
        )
        server = MemoryServer(assembly.router)
        answers = [self.ask(server, "/a", "https://a") for _ in range(3)]
        self.assertEqual(answers, [101, 101, 429])
        server.clock.advance(30)
        self.assertEqual(self.ask(server, "/a", "https://a"), 101)


class BacklogTests(SynchronousTestCase):
    """
    L{withBacklog}.
    """

    def test_given(self) -> None:
        """
        TCP and TLS endpoints get one that do not say theirs; others stay as they are.
        """
        for endpoint, expected in (
            ("tcp:80", "tcp:80:backlog=1024"),
            ("ssl:443:privateKey=a.pem", "ssl:443:privateKey=a.pem:backlog=1024"),
            ("tcp:80:backlog=5", None),
            ("tcp:backlog=5:port=80", None),
            ("unix:/a", None),
            ("systemd:domain=INET:index=0", None),
            ("nonsense", None),
        ):
            self.assertEqual(withBacklog(endpoint), expected or endpoint)


class DescribeTests(AssemblyTests):
    """
    L{Assembly.describe}.
    """

    def test_routes(self) -> None:
        """
        The routes are those of the router, with those of nested ones; their names are
        those that a declaration would have, and the steps before them.
        """
        assembly = self.assemble(
            listen=(Listener(endpoint="tcp:1"),),
            mount=(
                mount("function", "*", protocol=""),
                mount(path="/b/{name}", protocol="chat.v1", connectionsPerClient=3),
                mount("nested", "/a/*"),
                mount("aFactory", "/c", allowedOrigins=("null",)),
            ),
        )
        made = "twisted.internet.protocol.Factory after AllowOrigins"
        self.assertEqual(
            list(assembly.describe()),
            [
                "endpoints",
                "  tcp:1",
                "routes",
                f"  *               (none)   {HERE}.function",
                f"  /a/in/{{id:int}}  b.v1     {made}",
                f"  /b/{{name}}       chat.v1  {HERE}.Receiver after LimitConnections",
                f"  /c              *        {made}",
            ],
        )

    def test_none(self) -> None:
        """
        Without applications there are no routes.
        """
        self.assertEqual(
            list(self.assemble(mount=(), web="/").describe()),
            ["endpoints", "  tcp:8080", "routes", "files", "  /"],
        )


class RunTests(AssemblyTests):
    """
    L{DeclaredService}.
    """

    def start(self, **declared: Any) -> DeclaredService:
        """
        Start a service.
        """
        service = self.assemble(**{"mount": (mount(),), **declared}).makeService()
        service.privilegedStartService()
        service.startService()
        return service

    def stop(self, service: DeclaredService) -> None:
        """
        Stop it.
        """
        stopped = service.stopService()
        self.reactor.advance(10)
        self.successResultOf(stopped)

    def test_log(self) -> None:
        """
        The log has all from before the service listens until all connections are gone,
        and nothing after that.
        """
        path = os.path.join(self.directory, "own.log")
        before = list(globalLogPublisher._observers)
        service = self.start(logging=Logging(file=path))
        server = MemoryServer(service._factory.application)
        server.factory = service._factory
        receiver = RecordingReceiver()
        server.connect("/", receiver)
        server.flush()
        stopped = service.stopService()
        Logger("tests").info("while it closes")
        self.assertNoResult(stopped)
        server.flush()
        self.reactor.advance(10)
        self.successResultOf(stopped)
        Logger("tests").info("after that")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for said in ("WebSockets at", "closing 1 WebSockets", "while it closes"):
            self.assertIn(said, text)
        self.assertNotIn("after that", text)
        self.assertEqual(list(globalLogPublisher._observers), before)

    def test_cannotListen(self) -> None:
        """
        If a port is in use, the process ends with one line; the log has it too, and is
        ended.
        """

        def listenTCP(*arguments: object, **more: object) -> None:
            raise CannotListenError("127.0.0.1", 80, OSError(98, "in use"))

        self.reactor.listenTCP = listenTCP
        path = os.path.join(self.directory, "own.log")
        before = list(globalLogPublisher._observers)
        left = self.assertRaises(CannotStart, self.start, logging=Logging(file=path))
        self.assertRegex(
            str(left.code), r"^twistd websocket: Couldn't listen on 127\.0\.0\.1:80: .*"
        )
        self.assertNotIn("\n", str(left.code))
        with open(path, encoding="utf-8") as file:
            self.assertIn("cannot start: Couldn't listen on 127.0.0.1", file.read())
        self.assertEqual(list(globalLogPublisher._observers), before)

    def test_cannotWrite(self) -> None:
        """
        If a log cannot be written, the process ends with one line, before it listens.
        """
        path = os.path.join(self.directory, "own.log")
        service = self.assemble(logging=Logging(file=path)).makeService()
        os.mkdir(path)
        left = self.assertRaises(CannotStart, service.privilegedStartService)
        self.assertIn(f"Is a directory: '{path}'", str(left.code))
        self.assertEqual(self.reactor.tcpServers, [])

    def warnings(self, **declared: Any) -> list[str]:
        """
        @return: what is warned of at the start, about origins.
        """
        events: list[Any] = []
        globalLogPublisher.addObserver(events.append)
        try:
            self.stop(self.start(**declared))
        finally:
            globalLogPublisher.removeObserver(events.append)
        return [
            str(event["address"].host)
            for event in events
            if "every origin" in str(event.get("log_format"))
        ]

    def test_openToAll(self) -> None:
        """
        There is a warning for each address that others can reach, if pages of every
        origin may connect there.
        """
        everybody = ServerConfig(allowedOrigins="*")
        for listen, expected in [
            (["tcp:1"], ["0.0.0.0"]),
            (["tcp:1:interface=127.0.0.1"], []),
            (["tcp:1:interface=127.0.0.5"], []),
            (["tcp6:1:interface=\\:\\:1"], []),
            (["unix:socket"], []),
            (["tcp:1:interface=192.0.2.1", "haproxy:tcp:2"], ["192.0.2.1", "0.0.0.0"]),
        ]:
            listeners = tuple(Listener(endpoint=each) for each in listen)
            warned = self.warnings(listen=listeners, server=everybody)
            self.assertEqual(warned, expected, listen)
            self.assertEqual(self.warnings(listen=listeners), [], listen)

    def test_openMount(self) -> None:
        """
        One mount is enough for that.
        """
        for rules in ("*", ("*",), ("null", "*")):
            mounts = (mount(), mount(path="/a", allowedOrigins=rules))
            self.assertEqual(self.warnings(mount=mounts), ["0.0.0.0"], rules)
