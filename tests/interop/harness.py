# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The peers: which there are, how their programs are run and talked to, and the
certificates that both sides need.

One process of each program serves all tests of a run, since to start one takes
longer than a test.  Between tests it rests: the reactor does not watch its pipes then,
as trial wants it.  It ends with the reactor; and if that never happens, when its
stdin is closed because this process is gone.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import trustme
from twisted.internet import reactor
from twisted.internet.defer import DeferredQueue
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

PROGRAMS = Path(__file__).parent / "peers"


@dataclass(frozen=True)
class Peer:
    """
    A row of the table.

    @ivar name: what it is installed as, by pip or npm.
    @ivar wanted: what to tell pip, if not just the name.
    @ivar isNode: whether it is one of Node's.
    @ivar serverVersions: the protocol versions that its servers speak.
    @ivar clientVersions: the protocol versions that its clients speak.
    @ivar sendsFragments: whether it can send a message in several frames.
    @ivar endsEmpty: whether an empty frame ends those messages.
    @ivar maxFrame: payload bytes of a frame that its servers take, where a message may
        have more.
    @ivar answersClose: with which code it answers a Close frame; C{None}: with the one
        that it got, as RFC 6455 section 5.5.1 suggests.
    """

    name: str
    isNode: bool = False
    wanted: str = ""
    serverVersions: tuple[int, ...] = (13,)
    clientVersions: tuple[int, ...] = (13,)
    sendsFragments: bool = True
    endsEmpty: bool = False
    maxFrame: int | None = None
    answersClose: int | None = None

    def command(self) -> list[str]:
        """
        @return: how to run its program.
        """
        if self.isNode:
            return [shutil.which("node") or "", str(PROGRAMS / f"peer_{self.name}.js")]
        return [sys.executable, str(PROGRAMS / f"peer_{self.name}.py")]

    def missing(self) -> str | None:
        """
        @return: what has to be installed for its tests; C{None} if nothing.
        """
        if not self.isNode:
            wanted = self.wanted or self.name
            return None if find_spec(self.name) else f"pip install {wanted!r}"
        if shutil.which("node") is None:
            return "install Node.js, then run npm install in tests/interop/peers"
        if not (PROGRAMS / "node_modules" / self.name).is_dir():
            return "run npm install in tests/interop/peers"
        return None


PEERS = (
    Peer("websockets", wanted="websockets>=14", endsEmpty=True),
    Peer(
        "aiohttp",
        serverVersions=(13, 8),
        sendsFragments=False,
        answersClose=1000,
    ),
    Peer("ws", isNode=True, serverVersions=(13, 8), clientVersions=(13, 8)),
    Peer(
        "websocket",
        isNode=True,
        serverVersions=(13, 8),
        clientVersions=(13, 8),
        maxFrame=65536,
        answersClose=1000,
    ),
)


class PeerFailed(Exception):
    """
    A peer's program ended, or told of an error.
    """


class Conversation:
    """
    What is said about one connection.

    @ivar onError: called with a L{PeerFailed} if the peer tells of an error; for who
        waits for something else than the peer's word.
    """

    onError: Callable[[PeerFailed], object] | None = None

    def __init__(self, process: PeerProcess, number: int) -> None:
        self.number = number
        self._process = process
        self._events: DeferredQueue[dict[str, Any]] = DeferredQueue()

    def do(self, what: str, **fields: Any) -> None:
        """
        Give a command.
        """
        self._process.command(do=what, id=self.number, **fields)

    def happened(self, event: dict[str, Any]) -> None:
        """
        The peer told of something.
        """
        self._events.put(event)
        if event["event"] == "error" and self.onError is not None:
            self.onError(PeerFailed(event["message"]))

    async def next(self) -> dict[str, Any]:
        """
        @return: the next event, in which C{event} is its name.
        @raise PeerFailed: if it is an error.
        """
        event = await self._events.get()
        if event["event"] == "error":
            raise PeerFailed(event["message"])
        return event


class PeerProcess(ProcessProtocol):
    """
    A peer's program.
    """

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self._obituary: dict[str, Any] | None = None
        self._partial = b""
        self._errors = b""
        self._numbers = 0
        self._conversations: dict[int, Conversation] = {}
        self._ports: dict[tuple[bool, str], int] = {}
        self._resting: list[Any] = []

    # Its life

    @property
    def hasEnded(self) -> bool:
        """
        Whether it is gone.
        """
        return self._obituary is not None

    def start(self) -> None:
        """
        Start it, out of reach of any proxy.
        """
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.lower().endswith("_proxy")
        }
        environment["PYTHONUTF8"] = "1"
        command = self.peer.command()
        reactor.spawnProcess(self, command[0], command, environment)
        reactor.addSystemEventTrigger("before", "shutdown", self._stop)

    def rest(self) -> None:
        """
        Be out of the reactor's sight, until C{wake}.
        """
        self._conversations.clear()
        for pipe in self.transport.pipes.values():
            if pipe in reactor.getReaders():
                reactor.removeReader(pipe)
                self._resting.append(pipe)
            reactor.removeWriter(pipe)

    def wake(self) -> None:
        """
        Be watched again.
        """
        resting, self._resting = self._resting, []
        for pipe in resting:
            reactor.addReader(pipe)

    def _stop(self) -> None:
        # Nobody waits for its end: after an interrupted test the reactor might not
        # notice it.
        try:
            self.transport.signalProcess("KILL")
        except ProcessExitedAlready:
            pass

    def errReceived(self, data: bytes) -> None:
        """
        Keep what explains an end.
        """
        self._errors = (self._errors + data)[-8192:]

    def processEnded(self, reason: Failure) -> None:
        """
        It is gone: whoever waits for it need not.
        """
        said = self._errors.decode(errors="replace")
        message = f"{self.peer.name}: {reason.getErrorMessage()}\n{said}"
        self._obituary = {"event": "error", "message": message}
        for conversation in list(self._conversations.values()):
            conversation.happened(self._obituary)

    # What is said

    def command(self, **fields: Any) -> None:
        """
        Give a command.
        """
        self.transport.write(json.dumps(fields).encode() + b"\n")

    def outReceived(self, data: bytes) -> None:
        """
        Hand events to whom they concern.  One about a connection of an earlier test
        concerns nobody.
        """
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            event = json.loads(line)
            conversation = self._conversations.get(event.pop("id", 0))
            if conversation is not None:
                conversation.happened(event)

    def converse(self) -> Conversation:
        """
        Begin to talk about a new connection.
        """
        self._numbers += 1
        return self._talkAbout(self._numbers)

    def _talkAbout(self, number: int) -> Conversation:
        conversation = Conversation(self, number)
        self._conversations[number] = conversation
        if self._obituary is not None:
            conversation.happened(self._obituary)
        return conversation

    async def port(self, isSecure: bool, deflate: Any = None) -> int:
        """
        @param deflate: what the server does about compression, as in C{common.py}.
        @return: the port that its server listens on.
        """
        key = isSecure, json.dumps(deflate)
        if key not in self._ports:
            server = self._talkAbout(0)
            files = certificates().files if isSecure else None
            self.command(do="listen", tls=files, deflate=deflate)
            self._ports[key] = (await server.next())["port"]
        return self._ports[key]


_running: dict[str, PeerProcess] = {}


def peerProcess(peer: Peer) -> PeerProcess:
    """
    @return: the process of a peer's program, awake.
    """
    process = _running.get(peer.name)
    if process is None or process.hasEnded:
        process = _running[peer.name] = PeerProcess(peer)
        process.start()
    else:
        process.wake()
    return process


class Certificates:
    """
    An authority, and a certificate of it for 127.0.0.1.

    @ivar files: the C{key} and the C{certificate}.
    @ivar authority: the file of the authority's certificate.
    @ivar stranger: that of an authority that issued neither.
    @ivar trusted: the authority's certificate itself, as PEM.
    """

    def __init__(self, directory: Path) -> None:
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1")
        key, certificate = directory / "key.pem", directory / "certificate.pem"
        issued.private_key_pem.write_to_path(key)
        issued.cert_chain_pems[0].write_to_path(certificate)
        self.files = {"key": str(key), "certificate": str(certificate)}
        self.authority = str(directory / "authority.pem")
        authority.cert_pem.write_to_path(self.authority)
        self.stranger = str(directory / "stranger.pem")
        trustme.CA().cert_pem.write_to_path(self.stranger)
        self.trusted = authority.cert_pem.bytes()


@cache
def certificates() -> Certificates:
    """
    @return: those of this run, in trial's temporary directory.
    """
    return Certificates(Path(tempfile.mkdtemp(dir=os.getcwd())))
