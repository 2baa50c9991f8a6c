# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Rows about which extensions are offered and accepted (RFC 6455 section 9.1, RFC 7692
sections 5 and 7.1), by real handshakes in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.conversation import RawServer
from tests.handshakes import handshake
from tests.wire import KEY, rawFrame, readFrames
from twisted_ws import ClientConfig, InvalidUpgrade, ServerConfig
from twisted_ws.extensions import PerMessageDeflate
from twisted_ws.testing import MemoryServer

from .deflate import CTEXT, HELLO
from .run import EchoReceiver

NAME = "Sec-WebSocket-Extensions"
Factories = tuple[PerMessageDeflate, ...]
D = "permessage-deflate"
ALL = (
    f"{D}; server_no_context_takeover; client_no_context_takeover;"
    " server_max_window_bits=10; client_max_window_bits=11"
)
"""
An offer, and an answer, with all parameters there are.
"""
BAD_SYNTAX = (
    ("a semicolon at its end", f"{D};"),
    ("two semicolons", f"{D};; x"),
    ("no name", "; x"),
    ("no name of a parameter", f"{D}; =10"),
    ("no value", f"{D}; server_max_window_bits="),
    ("a value of the extension", f"{D}=1"),
    ("two names", f"{D} {D}"),
    ("two values", f"{D}; server_max_window_bits=10 11"),
    ("two signs", f"{D}; server_max_window_bits==10"),
    ("an open quote", f'{D}; server_max_window_bits="10'),
    ("an empty quote", f'{D}; server_max_window_bits=""'),
    ("a space in quotes", f'{D}; server_max_window_bits="1 0"'),
    ("a comma in quotes", f'{D}; x="a,b"'),
    ("a quote in the middle", f'{D}; server_max_window_bits=1"0"'),
    ("a quoted name", f'"{D}"'),
    ("a slash", "permessage/deflate"),
    ("a bracket", f"({D})"),
)
"""
Names, and fields that break the grammar of RFC 6455 section 9.1.
"""


def wanting(**options: Any) -> Factories:
    """
    @return: extensions that want nothing but this.
    """
    wanted = {"clientMaxWindowBits": 15, "windowBits": 15, **options}
    return (PerMessageDeflate(**wanted),)


NOTHING = wanting()


def fieldsOf(head: bytes) -> list[str]:
    """
    @return: the values of Sec-WebSocket-Extensions in the head of a message.
    """
    fields = [line.partition(": ") for line in head.decode("latin-1").split("\r\n")]
    return [value for name, _, value in fields if name.lower() == NAME.lower()]


def words(field: str) -> list[tuple[str, frozenset[str]]]:
    """
    @return: the elements of a field that has only tokens, each as its name and its
        parameters, the order of which means nothing.
    """
    elements = []
    for element in field.split(", "):
        name, *parameters = element.split("; ")
        assert len(set(parameters)) == len(parameters), f"a parameter twice: {field}"
        elements.append((name, frozenset(parameters)))
    return elements


def isCompressing(
    test: SynchronousTestCase, peer: RawServer, receiver: EchoReceiver, isServer: bool
) -> bool:
    """
    Have the peer send a compressed message.

    @return: whether our side has understood it; if not, it has refused it.
    """
    peer.take()
    peer.send(rawFrame(CTEXT, HELLO, KEY if isServer else None))
    frames = readFrames(peer.take())
    if receiver.events:
        test.assertEqual(receiver.events, ["Hello"])
        test.assertEqual([frame.first | 0x40 for frame in frames], [CTEXT])
        return True
    [close] = frames
    test.assertEqual((close.first, close.payload[:2]), (0x88, b"\3\xea"))
    return False


@dataclass(frozen=True)
class OfferRow:
    """
    What a client offers, and what our server makes of it.

    @ivar name: a section, and a few words.
    @ivar offers: the values of the client's fields.
    @ivar answer: the value of the server's field, C{None} if it has none.
    @ivar factories: the extensions of the server.
    @ivar status: that of its answer.
    """

    name: str
    offers: tuple[str, ...]
    answer: str | None
    factories: Factories = NOTHING
    status: int = 101

    roles = ("server",)

    def check(self, test: SynchronousTestCase, isServer: bool, version: int) -> None:
        """
        Run it.
        """
        receiver = EchoReceiver()
        config = ServerConfig(extensions=self.factories)
        server = MemoryServer(lambda request: request.accept(receiver), config)
        peer = server.connectRaw()
        offers = [f"{NAME}: {value}" for value in self.offers]
        peer.send(handshake(f"Sec-WebSocket-Version: {version}", *offers))
        head = peer.received
        test.assertEqual(head[9:12], b"%d" % self.status, head)
        answers = [words(value) for value in fieldsOf(head)]
        wanted = [] if self.answer is None else [words(self.answer)]
        test.assertEqual(answers, wanted)
        if self.status == 101:
            agreed = isCompressing(test, peer, receiver, True)
            test.assertEqual(agreed, self.answer is not None)
            peer.transport.abortConnection()
        server.flush()
        server.clock.advance(60)
        server.flush()
        test.assertEqual(server.clock.getDelayedCalls(), [])


@dataclass(frozen=True)
class AnswerRow:
    """
    What a server answers, and what our client makes of it.

    @ivar name: a section, and a few words.
    @ivar answers: the values of the server's fields.
    @ivar isAccepted: whether the client takes it.
    @ivar factories: the extensions of the client.
    @ivar isUsed: whether messages can be compressed then.
    """

    name: str
    answers: tuple[str, ...]
    isAccepted: bool
    factories: Factories = NOTHING
    isUsed: bool = True

    roles = ("client",)

    def check(self, test: SynchronousTestCase, isServer: bool, version: int) -> None:
        """
        Run it.
        """
        receiver = EchoReceiver()
        server = MemoryServer(EchoReceiver)
        fields = [f"{NAME}: {value}".encode() for value in self.answers]
        peer = RawServer(server, *fields)
        server.factory = peer
        config = ClientConfig(extensions=self.factories, webSocketVersion=version)
        opened = server.connect("/", receiver, config)
        if self.isAccepted:
            test.assertIs(test.successResultOf(opened), receiver)
            used = isCompressing(test, peer, receiver, False)
            test.assertEqual(used, self.isUsed)
            peer.transport.abortConnection()
            server.flush()
        else:
            test.failureResultOf(opened, InvalidUpgrade)
            server.flush()
            test.assertEqual(receiver.made, 0)
            test.assertIsNot(peer.lost, None)
        test.assertEqual(server.clock.getDelayedCalls(), [])


@dataclass(frozen=True)
class OfferedRow:
    """
    What our client offers.

    @ivar name: a section, and a few words.
    @ivar factories: its extensions.
    @ivar field: the value of its field, C{None} if it has none.
    """

    name: str
    factories: Factories
    field: str | None

    roles = ("client",)

    def check(self, test: SynchronousTestCase, isServer: bool, version: int) -> None:
        """
        Run it.
        """
        server = MemoryServer(EchoReceiver)
        peer = RawServer(server)
        server.factory = peer
        config = ClientConfig(extensions=self.factories, webSocketVersion=version)
        test.successResultOf(server.connect("/", EchoReceiver(), config))
        offers = [words(value) for value in fieldsOf(peer.request)]
        test.assertEqual(offers, [] if self.field is None else [words(self.field)])
        peer.transport.abortConnection()
        server.flush()
