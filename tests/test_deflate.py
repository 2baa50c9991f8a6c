# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
permessage-deflate: its options, and connections that use it.
"""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.deflating import FORGETFUL, LIMIT, TEXT, Stream, compressed, inflated, pair
from twisted_ws import ClientConfig, Frame, Inbox, PerMessageDeflate, ServerConfig
from twisted_ws.extensions import RSV1
from twisted_ws.interfaces import IExtension, IExtensionFactory
from twisted_ws.testing import MemoryServer

PROSE = "the cat sat on the mat, and the hat of the cat on the cat. " * 10
PRESETS = (
    PerMessageDeflate.lowMemory,
    PerMessageDeflate.balanced,
    PerMessageDeflate.best,
)


class OptionTests(SynchronousTestCase):
    """
    What can be configured.
    """

    def refuse(self, option: str, *values: Any) -> None:
        """
        Fail if one of these values is taken, or the error does not name the option
        and the value.
        """
        for value in values:
            error = self.assertRaises(ValueError, PerMessageDeflate, **{option: value})
            self.assertTrue(str(error).startswith(f"{option} must be "), str(error))
            self.assertTrue(str(error).endswith(f", not {value!r}"), str(error))

    def accept(self, option: str, *values: Any) -> None:
        """
        Fail if one of these values is not taken.
        """
        for value in values:
            made = PerMessageDeflate(**{option: value})
            self.assertEqual(getattr(made, option), value)

    def test_flags(self) -> None:
        """
        Whether to remember is yes or no.
        """
        for option in FORGETFUL:
            self.accept(option, True, False)
            self.refuse(option, None, 0, 1, "true")

    def test_windows(self) -> None:
        """
        A window has 8 to 15 bits.
        """
        for option in ("serverMaxWindowBits", "clientMaxWindowBits", "windowBits"):
            self.accept(option, *range(8, 16))
            self.refuse(option, 7, 16, 0, -12, True, None, 12.0, "12")

    def test_memory(self) -> None:
        """
        C{memLevel} is 1 to 9.
        """
        self.accept("memLevel", *range(1, 10))
        self.refuse("memLevel", 0, 10, -1, False, None, 5.0, "5")

    def test_level(self) -> None:
        """
        C{level} is 1 to 9, or left to the implementation.
        """
        self.accept("level", None, *range(1, 10))
        self.refuse("level", 0, 10, -1, False, 5.0, "5")

    def test_strategy(self) -> None:
        """
        C{strategy} is one of zlib's, by number or by name.
        """
        self.accept("strategy", *range(5))
        self.refuse("strategy", -1, 5, True, None, 2.0, "", "Z_RLE", "RLE")
        names = ["default", "filtered", "huffman", "rle", "fixed"]
        for number, name in enumerate(names):
            self.assertEqual(PerMessageDeflate(strategy=name).strategy, number)

    def test_threshold(self) -> None:
        """
        C{threshold} is a size.
        """
        self.accept("threshold", 0, 1, 1 << 40)
        self.refuse("threshold", -1, None, True, 1.5, "100")

    def test_ratio(self) -> None:
        """
        C{maxRatio} is a whole number, or nothing.
        """
        self.accept("maxRatio", None, 1, 100, 1 << 40)
        self.refuse("maxRatio", 0, -1, True, 1.5, "100", float("inf"))

    def test_timeout(self) -> None:
        """
        C{contextTimeout} is a duration, or nothing.
        """
        self.accept("contextTimeout", None, 1, 0.5, 86400)
        bad = (0, -1, True, "1", float("inf"), float("nan"))
        self.refuse("contextTimeout", *bad)

    def test_frozen(self) -> None:
        """
        One that is in use does not change; it is compared by its options, and others
        are made of it.
        """
        made = PerMessageDeflate()
        error = FrozenInstanceError
        self.assertRaises(error, setattr, made, "threshold", 5)
        self.assertRaises((AttributeError, TypeError), setattr, made, "treshold", 5)
        self.assertEqual(made, PerMessageDeflate())
        self.assertEqual(len({made, PerMessageDeflate()}), 1)
        other = replace(made, threshold=5, strategy="rle")
        self.assertEqual((other.threshold, other.strategy), (5, 3))
        self.assertEqual(replace(other), other)
        self.assertRaises(ValueError, replace, other, threshold=-5)
        self.assertRaises(TypeError, PerMessageDeflate, True)

    def test_documented(self) -> None:
        """
        Each option is documented.
        """
        document = PerMessageDeflate.__doc__ or ""
        for option in fields(PerMessageDeflate):
            self.assertIn(f"@ivar {option.name}: ", document)

    def test_presets(self) -> None:
        """
        The default is balanced.  Of each preset, everything can be changed.
        """
        self.assertEqual(PerMessageDeflate.balanced(), PerMessageDeflate())
        self.assertEqual(len({make() for make in PRESETS}), 3)
        for make in PRESETS:
            for option, value in (
                ("level", 1),
                ("windowBits", 9),
                ("clientMaxWindowBits", 10),
                ("serverMaxWindowBits", 10),
                ("memLevel", 2),
                ("serverNoContextTakeover", False),
                ("clientNoContextTakeover", True),
                ("threshold", 7),
                ("implementation", "zlib"),
            ):
                self.assertEqual(getattr(make(**{option: value}), option), value)
            self.assertRaises(ValueError, make, implementation="gzip")
            self.assertRaises(TypeError, make, treshold=5)

    def test_presetsDiffer(self) -> None:
        """
        They compress better the more memory they may take.
        """
        sizes = []
        for make in PRESETS:
            _, server = pair(make())
            size = 0
            for number in range(300):
                text = (
                    f'{{"number": {number}, "mod": {number % 70}, "text": "{PROSE}"}}'
                )
                size += len(server.encode(Frame(TEXT, text.encode())).payload)
            sizes.append(size)
        self.assertEqual(sizes, sorted(sizes, reverse=True))

    def test_lowMemory(self) -> None:
        """
        Between messages it needs none.
        """
        for side, other in (pair(PerMessageDeflate.lowMemory()),):
            for sender, receiver in ((side, other), (other, side)):
                encoded = sender.encode(Frame(TEXT, PROSE.encode()))
                self.assertEqual(
                    receiver.decode(encoded, LIMIT).payload, PROSE.encode()
                )
                self.assertEqual((sender.contexts, receiver.contexts), (0, 0))


class ExtensionTests(SynchronousTestCase):
    """
    One side of a connection.
    """

    def test_interfaces(self) -> None:
        """
        Factory and extension are what their interfaces say.
        """
        verifyObject(IExtensionFactory, PerMessageDeflate())
        for side in pair():
            verifyObject(IExtension, side)
            self.assertEqual(side.name, PerMessageDeflate.name)
            self.assertEqual((side.rsv, side.perMessage), (RSV1, True))

    def test_small(self) -> None:
        """
        What every connection has is small: it has no dictionaries.
        """
        for side in pair():
            for each in (side, side._deflater, side._inflater):
                self.assertFalse(hasattr(each, "__dict__"), each)

    def test_repr(self) -> None:
        """
        It shows what was agreed on.
        """
        client, server = pair(PerMessageDeflate(serverMaxWindowBits=10))
        shown = (
            "<permessage-deflate"
            " {'server_max_window_bits': '10', 'client_max_window_bits': '12'}>"
        )
        self.assertEqual((repr(client), repr(server)), (shown, shown))

    def test_bothWays(self) -> None:
        """
        Its two halves have nothing to do with each other.
        """
        for options in (PerMessageDeflate(), PerMessageDeflate.lowMemory()):
            client, server = pair(options)
            for number in range(5):
                for sender, receiver in ((client, server), (server, client)):
                    text = f"{number} {PROSE}".encode()
                    first = sender.encode(Frame(TEXT, text, False))
                    self.assertEqual(receiver.decode(first, LIMIT).payload, text)
                    last = sender.encode(Frame(0, text, True))
                    self.assertEqual(receiver.decode(last, LIMIT).payload, text)

    def test_options(self) -> None:
        """
        The options arrive where they belong.
        """
        client, server = pair(
            PerMessageDeflate(threshold=300, maxRatio=77, contextTimeout=5, level=3)
        )
        for side in (client, server):
            self.assertEqual(side._deflater._threshold, 300)
            self.assertEqual(side._deflater._timeout, 5)
            self.assertEqual(side._deflater._how, (3, 12, 5, 0))
            self.assertEqual(side._inflater._maxRatio, 77)
        how = [pair(make())[1]._deflater._how for make in PRESETS]
        self.assertEqual(how, [(6, 12, 5, 0), (6, 12, 5, 0), (8, 15, 6, 0)])

    def test_shared(self) -> None:
        """
        A factory serves any number of connections, which share no memory.
        """
        factory = PerMessageDeflate()
        first, second = pair(factory), pair(factory)
        message = Frame(TEXT, PROSE.encode())
        encoded = first[0].encode(message)
        self.assertEqual(second[0].encode(message), encoded)
        self.assertEqual(inflated(encoded.payload), [PROSE.encode()])
        self.assertEqual(first[1].contexts + second[1].contexts, 0)


class ConnectionTests(SynchronousTestCase):
    """
    Connections in memory.
    """

    def connect(self, **options: Any) -> None:
        """
        Open a connection that compresses, of C{self.inbox} and C{self.theirs}.
        """
        factory = PerMessageDeflate(**options)
        self.server = MemoryServer(Inbox, ServerConfig(extensions=(factory,)))
        config = ClientConfig(extensions=(factory,))
        self.inbox = self.successResultOf(self.server.connect("/", config=config))
        (self.connection,) = self.server.factory.connections
        self.theirs = self.connection.receiver

    def extension(self) -> Any:
        """
        @return: that of the server.
        """
        (extension,) = self.connection.extensions
        return extension

    def exchange(self, message: str) -> None:
        """
        Send a message forth and back.
        """
        self.inbox.send(message)
        self.server.flush()
        self.assertEqual(self.successResultOf(self.theirs.receive()), message)
        self.theirs.send(message)
        self.server.flush()
        self.assertEqual(self.successResultOf(self.inbox.receive()), message)

    def test_exchange(self) -> None:
        """
        Messages arrive as they were sent, compressed or not.
        """
        for options in ({}, FORGETFUL, {"threshold": 0}):
            self.connect(**options)
            for message in (PROSE, "short", "", PROSE * 1000, "\u20ac\U0001f600" * 99):
                self.exchange(message)

    def test_idle(self) -> None:
        """
        Before the first message there is no context; the compressor is dropped when
        nothing is sent for a while; and at the end there is none, nor a timer.
        """
        self.connect(contextTimeout=5)
        extension = self.extension()
        self.assertEqual(extension.contexts, 0)
        self.exchange(PROSE)
        self.assertEqual(extension.contexts, 2)
        self.server.clock.advance(5)
        self.server.clock.advance(5)
        self.assertEqual(extension.contexts, 1)
        self.exchange(PROSE)
        self.assertEqual(extension.contexts, 2)
        self.inbox.close()
        self.server.flush()
        self.server.clock.advance(60)
        self.server.flush()
        self.assertEqual(extension.contexts, 0)
        self.assertEqual(self.server.clock.getDelayedCalls(), [])

    def test_abort(self) -> None:
        """
        Nothing is left of an aborted connection either.
        """
        self.connect()
        self.exchange(PROSE)
        extension = self.extension()
        self.connection.abortConnection()
        self.server.flush()
        self.assertEqual(extension.contexts, 0)
        self.assertEqual(self.server.clock.getDelayedCalls(), [])

    def test_wire(self) -> None:
        """
        The two sides of an extension speak plain DEFLATE.
        """
        _, server = pair(PerMessageDeflate.best())
        stream, text = Stream(), PROSE.encode()
        for _ in range(3):
            frame = compressed(stream.message(text))
            self.assertEqual(server.decode(frame, LIMIT).payload, text)
        payloads = [server.encode(Frame(TEXT, text)).payload for _ in range(3)]
        self.assertEqual(inflated(*payloads), [text] * 3)
