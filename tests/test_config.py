# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The tunables: L{twisted_ws.config}.
"""

import re
from collections import deque
from dataclasses import FrozenInstanceError, fields, replace

from twisted.trial.unittest import SynchronousTestCase

from twisted_ws import ClientConfig, ServerConfig
from twisted_ws.config import ConnectionConfig

COMMON = {
    "maxReceivedFrameSize": None,
    "maxReceivedMessageSize": 1048576,
    "maxReceivedFragments": 4096,
    "assembleFragments": True,
    "fragmentOutgoingMessages": True,
    "fragmentationThreshold": 16384,
    "keepalive": True,
    "keepaliveInterval": 20.0,
    "keepaliveGracePeriod": 10.0,
    "dropConnectionOnKeepaliveTimeout": True,
    "useNativeKeepalive": False,
    "closeTimeout": 5.0,
    "disableNagleAlgorithm": True,
    "sendHighWater": 65536,
    "sendLowWater": 16384,
    "maxSendBuffer": 1048576,
    "slowReaderPolicy": "close",
    "pauseWhileCongested": False,
    "sendStallTimeout": 30.0,
    "idleTimeout": None,
    "maxPendingMessages": 16,
    "maxPendingBytes": 1048576,
    "concurrentMessages": 1,
    "framesPerTurn": 512,
    "maxPongRate": 50,
    "handshakeTimeout": 10.0,
    "maxHeaderLine": 8192,
    "maxHeaderLines": 128,
    "maxHeaderSize": 16384,
    "extensions": (),
}
SERVER = {
    **COMMON,
    "allowedOrigins": ("same-origin",),
    "trustedProxies": (),
    "readForwarded": False,
    "protocols": (),
    "preferClientProtocols": False,
    "pauseWhileCongested": True,
    "maxConnections": None,
    "maxPendingHandshakes": 1024,
    "retryAfter": 5,
    "maxTotalBuffer": 268435456,
    "budgetPolicy": "close-largest",
    "drainTime": None,
    "drainTimeout": 10.0,
    "drainCode": 1001,
}
CLIENT = {
    **COMMON,
    "maxReceivedMessageSize": 8388608,
    "keepalive": False,
    "webSocketVersion": 13,
}


NO_FLAG = [None, 0, 1, "true", "", [], 1.0]
NO_NUMBER = ["1", "", b"1", [], {}, object()]
NO_SIZE = [*NO_NUMBER, 0, -1, 1.5, 8192.0, True, False, float("inf"), float("nan")]
NO_AMOUNT = [each for each in NO_SIZE if each != 0 or each is False]
NO_CHOICE = [None, "", "no such", 1, True, ["close"], b"close"]
NO_DURATION = [
    *NO_NUMBER,
    None,
    0,
    0.0,
    -1,
    -0.5,
    True,
    False,
    float("inf"),
    float("nan"),
    1j,
]
NO_WAIT = [each for each in NO_DURATION if each is not None]
NO_LIST = [
    *(
        None,
        5,
        1.5,
        True,
        object(),
        {},
        {"a": 1},
        b"",
        b"a",
        bytearray(),
        memoryview(b""),
    ),
    *(iter(["a"]), (each for each in ["a"]), len, str),
]


class Odd:
    """
    Equal to everything, and to be put into no set.
    """

    __hash__ = None

    def __eq__(self, other):
        return True


def yes(request):
    """
    A rule.
    """
    return True


async def later(request):
    """
    No rule.
    """
    return True


WRONG = {
    "maxReceivedFrameSize": NO_SIZE,
    "maxReceivedMessageSize": NO_SIZE,
    "maxReceivedFragments": NO_SIZE,
    "assembleFragments": NO_FLAG,
    "fragmentOutgoingMessages": NO_FLAG,
    "fragmentationThreshold": [*NO_SIZE, None],
    "keepalive": NO_FLAG,
    "keepaliveInterval": NO_DURATION,
    "keepaliveGracePeriod": NO_DURATION,
    "dropConnectionOnKeepaliveTimeout": NO_FLAG,
    "useNativeKeepalive": NO_FLAG,
    "closeTimeout": NO_DURATION,
    "disableNagleAlgorithm": NO_FLAG,
    "sendHighWater": [*NO_AMOUNT, None],
    "sendLowWater": [*NO_AMOUNT, None],
    "maxSendBuffer": NO_SIZE,
    "slowReaderPolicy": NO_CHOICE,
    "pauseWhileCongested": NO_FLAG,
    "sendStallTimeout": NO_WAIT,
    "idleTimeout": NO_WAIT,
    "maxPendingMessages": [*NO_SIZE, None],
    "maxPendingBytes": NO_SIZE,
    "concurrentMessages": [*NO_SIZE, None],
    "framesPerTurn": [*NO_SIZE, None],
    "maxPongRate": NO_SIZE,
    "handshakeTimeout": NO_DURATION,
    "maxHeaderLine": [*NO_SIZE, None, 63],
    "maxHeaderLines": [*NO_SIZE, None, 7],
    "maxHeaderSize": [*NO_SIZE, None, 255],
    "extensions": [
        *NO_LIST,
        "permessage-deflate",
        ["permessage-deflate"],
        [None],
        [dict],
        {},
        set(),
    ],
    "allowedOrigins": [
        *NO_LIST,
        "same-origin",
        "https://example.com",
        "",
        b"*",
        [5],
        [None],
        ["example.com"],
        ["https://example.com/"],
        ["https://a.*.example.com"],
        ["https://example.com:0"],
        [dict],
        {"https://example.com": True},
        bytearray(b"*"),
        [""],
        ["NULL"],
        [b"https://example.com"],
        ["https://example.com", "evil"],
        ["https://*"],
        ["https://*.*.com"],
        ["*.example.com"],
        ["wss://example.com"],
        ["https://b\xfccher.example"],
        [re.compile(b"https://a")],
        [["https://example.com"]],
        [later],
        [Odd],
        [Odd()],
        Odd(),
    ],
    "trustedProxies": [
        *NO_LIST,
        "*",
        "10.0.0.0/8",
        "unix",
        "",
        [5],
        [None],
        [b"10.0.0.1"],
        [b"\x0a\0\0\1"],
        [("10.0.0.0", 8)],
        [""],
        ["*"],
        ["localhost"],
        ["proxy.example"],
        ["10.0.0.1/8"],
        ["10.0.0.0/33"],
        ["10.0.0.1:80"],
        ["[::1]"],
        ["10.0.0.1", "evil"],
        [["10.0.0.1"]],
        [Odd()],
        Odd(),
    ],
    "readForwarded": NO_FLAG,
    "protocols": [
        *NO_LIST,
        "chat",
        "",
        b"chat",
        [5],
        [None],
        [b"chat"],
        [""],
        ["a b"],
        ["a,b"],
        ["a", "b\r\n"],
        ["\xe9"],
        {"chat"},
        frozenset(),
        [["chat"]],
        [Odd()],
        Odd(),
    ],
    "preferClientProtocols": NO_FLAG,
    "maxConnections": NO_SIZE,
    "maxPendingHandshakes": NO_SIZE,
    "retryAfter": [*NO_SIZE, None],
    "maxTotalBuffer": NO_SIZE,
    "budgetPolicy": NO_CHOICE,
    "drainTime": NO_WAIT,
    "drainTimeout": NO_DURATION,
    "drainCode": [*NO_SIZE, None, 999, 1005, 1006, 1015, 2999, 5000],
    "webSocketVersion": [None, 0, 7, 12, 14, -13, "13", b"13", [13], object()],
}
RIGHT = {
    "maxReceivedFrameSize": [1, 1 << 40, None],
    "maxReceivedMessageSize": [1, 1 << 40, None],
    "maxReceivedFragments": [1, None],
    "fragmentationThreshold": [1, 1 << 40],
    "keepaliveInterval": [0.001, 1, 1e6],
    "keepaliveGracePeriod": [0.001, 1],
    "closeTimeout": [0.001, 1],
    "sendHighWater": [16384, 1 << 40],
    "sendLowWater": [0, 65536],
    "maxSendBuffer": [1, None],
    "slowReaderPolicy": ["close", "drop-oldest", "drop-newest", "coalesce"],
    "sendStallTimeout": [0.001, 1, None],
    "idleTimeout": [0.001, 1, None],
    "maxPendingMessages": [1, 1 << 40],
    "maxPendingBytes": [1, None],
    "concurrentMessages": [1, 1 << 40],
    "framesPerTurn": [1, 1 << 40],
    "maxPongRate": [1, None],
    "maxConnections": [1, None],
    "maxPendingHandshakes": [1, None],
    "retryAfter": [1, 86400],
    "maxTotalBuffer": [1, None],
    "budgetPolicy": ["close-largest", "close-this"],
    "drainTime": [0.001, 60, None],
    "drainTimeout": [0.001, 60],
    "drainCode": [1000, 1001, 1012, 4999],
    "handshakeTimeout": [0.001, 1],
    "maxHeaderLine": [64, 1 << 20],
    "maxHeaderLines": [8, 1000],
    "maxHeaderSize": [256, 1 << 20],
    "allowedOrigins": [
        "*",
        (),
        ("*",),
        ("null",),
        frozenset({"same-origin", "null"}),
        frozenset({"https://example.com", "http://example.com:8080"}),
        ("https://[::1]:8443", "https://*.example.com"),
        (re.compile("https://a"), yes, yes.__call__),
    ],
    "trustedProxies": [
        (),
        ("10.0.0.1", "10.0.0.0/8", "::1", "fd00::/8", "unix", "::ffff:10.0.0.1"),
        frozenset({"0.0.0.0/0", "::/0"}),
    ],
    "protocols": [(), ("chat", "chat.v2"), ("__class__",)],
    "webSocketVersion": [8, 13],
}


def defaults(config):
    """
    @return: the options of a configuration by name.
    """
    return {option.name: getattr(config, option.name) for option in fields(config)}


class DefaultTests(SynchronousTestCase):
    """
    What is in force when nothing is said.
    """

    def test_server(self):
        """
        A server's defaults are the ones documented.
        """
        self.assertEqual(defaults(ServerConfig()), SERVER)

    def test_client(self):
        """
        A client takes larger messages and sends no pings.
        """
        self.assertEqual(defaults(ClientConfig()), CLIENT)

    def test_common(self):
        """
        All else is the same for both.
        """
        self.assertEqual(defaults(ConnectionConfig()), COMMON)

    def test_documented(self):
        """
        Every option is described in the docstring of its class, and has a line of help
        for the command line.
        """
        for kind in (ConnectionConfig, ServerConfig, ClientConfig):
            inherited = {f.name for f in fields(ConnectionConfig)}
            for option in fields(kind):
                self.assertTrue(option.metadata["help"].endswith("."), option.name)
                self.assertLess(len(option.metadata["help"]), 80, option.name)
                if kind is ConnectionConfig or option.name not in inherited:
                    self.assertIn(f"@ivar {option.name}:", kind.__doc__)


class ValidationTests(SynchronousTestCase):
    """
    A wrong value is found where it is given.
    """

    def kindFor(self, name):
        """
        @return: the configuration class that has an option.
        """
        return ClientConfig if name == "webSocketVersion" else ServerConfig

    def test_allAreTested(self):
        """
        There is no option without wrong values here.
        """
        self.assertEqual(WRONG.keys(), SERVER.keys() | CLIENT.keys())

    def test_wrong(self):
        """
        Each option refuses values of the wrong kind or out of range, and names itself.
        """
        taken = []
        for name, values in WRONG.items():
            for value in values:
                try:
                    self.kindFor(name)(**{name: value})
                except ValueError as error:
                    self.assertIn(name, str(error), repr(value))
                except Exception as error:
                    taken.append((name, value, error))
                else:
                    taken.append((name, value))
        self.assertEqual(taken, [])

    def test_right(self):
        """
        Each takes the least and the most that makes sense.
        """
        for name, values in RIGHT.items():
            for value in values:
                config = self.kindFor(name)(**{name: value})
                kept = getattr(config, name)
                if isinstance(value, list):
                    kept = list(kept)
                self.assertEqual(kept, value, name)

    def test_whatIsWrong(self):
        """
        The error repeats the element that is wrong.
        """
        for options, element in [
            ({"allowedOrigins": ["null", "example.com"]}, "'example.com'"),
            ({"trustedProxies": ["10.0.0.1", "localhost"]}, "'localhost'"),
            ({"trustedProxies": ["10.0.0.1/8"]}, "10.0.0.1/8"),
            ({"protocols": ["chat", "a b"]}, "'a b'"),
            ({"protocols": ["chat", 5]}, "5"),
        ]:
            error = self.assertRaises(ValueError, ServerConfig, **options)
            self.assertIn(element, str(error))
            self.assertIn(*options, str(error))

    def test_clientRefusesTheSame(self):
        """
        The inherited options are checked on clients too.
        """
        for name in COMMON:
            for value in WRONG[name]:
                with self.assertRaisesRegex(ValueError, name):
                    ClientConfig(**{name: value})

    def test_unknown(self):
        """
        An option that does not exist, and one without its name, are refused.
        """
        self.assertRaises(TypeError, ServerConfig, maxFrameSize=1)
        self.assertRaises(TypeError, ServerConfig, 1)
        self.assertRaises(TypeError, ClientConfig, allowedOrigins="*")


class FrozenTests(SynchronousTestCase):
    """
    A configuration is passed whole, and never changes.
    """

    def test_frozen(self):
        """
        No option can be set, and no other attribute.
        """
        for config in (ServerConfig(), ClientConfig()):
            self.assertRaises(FrozenInstanceError, setattr, config, "closeTimeout", 1)
            self.assertRaises(
                (AttributeError, TypeError), setattr, config, "closetimeout", 1
            )

    def test_ownCopies(self):
        """
        A list that was given may be changed after; the configuration is not.
        """
        given = {
            "allowedOrigins": ["https://example.com"],
            "trustedProxies": ["10.0.0.1"],
            "protocols": ["chat"],
        }
        config = ServerConfig(**given)
        derived = replace(config, closeTimeout=1)
        for value in given.values():
            value.append("*")
        for each in (config, derived):
            self.assertEqual(each.allowedOrigins, ("https://example.com",))
            self.assertEqual(each.trustedProxies, ("10.0.0.1",))
            self.assertEqual(each.protocols, ("chat",))
        rules = {"null"}
        config = ServerConfig(allowedOrigins=rules, trustedProxies={"unix"})
        rules.add("*")
        self.assertEqual(config.allowedOrigins, {"null"})

    def test_anyCollection(self):
        """
        Whatever collection is given: equal ones make equal configurations, which can be
        in a set.
        """
        plain = ServerConfig(allowedOrigins=("null",), protocols=("a", "b"))
        for kind in (list, tuple, deque):
            config = ServerConfig(allowedOrigins=kind(["null"]), protocols=kind("ab"))
            self.assertEqual(config, plain)
            self.assertEqual(len({config, plain}), 1)
        rules = ["null", "same-origin", yes, re.compile("a")]
        one = ServerConfig(allowedOrigins=set(rules))
        self.assertEqual(one, ServerConfig(allowedOrigins=dict.fromkeys(rules).keys()))
        self.assertEqual(len({one, ServerConfig(allowedOrigins=frozenset(rules))}), 1)

    def test_replace(self):
        """
        C{dataclasses.replace} derives one from another, checked like any.
        """
        config = replace(ServerConfig(protocols=("a",)), closeTimeout=1)
        self.assertEqual(config, ServerConfig(protocols=("a",), closeTimeout=1))
        self.assertEqual(defaults(ServerConfig()), SERVER)
        with self.assertRaisesRegex(ValueError, "closeTimeout"):
            replace(config, closeTimeout=0)

    def test_equality(self):
        """
        Two with the same options are equal, and can be in a set.
        """
        self.assertEqual(ServerConfig(), ServerConfig())
        self.assertNotEqual(ServerConfig(), ServerConfig(closeTimeout=1))
        self.assertEqual(len({ServerConfig(), ServerConfig(), ClientConfig()}), 2)
