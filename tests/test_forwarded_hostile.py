# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Who is behind a proxy, when somebody lies: what it costs to find out, and what requests
tell: L{twisted_ws._wire.forwarded}.
"""

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from twisted_ws._wire import forwarded as forwardedModule
from twisted_ws._wire.forwarded import _elements, _node, _pairs

from .handshakes import Echo, ServerTests, handshake
from .proxies import PROXY, forwarded, xff

try:
    from hypothesis import given, settings
    from hypothesis import strategies as st
except ImportError:
    given = None


class Text(str):
    """
    Counts how often one of its characters is looked at.
    """

    __slots__ = ()
    looks = 0

    def __getitem__(self, key):
        found = str.__getitem__(self, key)
        Text.looks += len(found)
        return found


class CostTests(SynchronousTestCase):
    """
    Reading is linear in the size of a field.
    """

    hostile = [
        '"', ",", ":", ";", "=", "\\", '\\"', '"\\', '",', ',"', "a=", 'a="', '="', "[",
        ".", "1", "a", " ", ", ", '";"', 'a="b";', "for=1.1.1.1,", "for=10.0.0.9, ",
        "10.0.0.9, ", "10.0.0.9:1", "_", "::", "1:", "\xe9", '\\\\"', "[::1],", "%",
    ]  # fmt: skip

    def test_scanner(self):
        """
        Each character of Forwarded is looked at a few times at most.
        """
        for unit in self.hostile:
            for size in (1 << 8, 1 << 12):
                text = unit * (size // len(unit))
                for value in (text, text + '"', '"' + text, f'"{text}"'):
                    Text.looks = 0
                    parts = list(_elements(Text(value)))
                    self.assertEqual(",".join(reversed(parts)), value)
                    self.assertLessEqual(Text.looks, 5 * len(value), unit)

    def test_expressions(self):
        """
        A hundred thousand characters and more are judged; with an expression that tries
        the same again and again that would not end.
        """
        for unit in self.hostile:
            text = unit * ((1 << 17) // len(unit))
            for before, after in (("", ""), ('a="', ""), ("a=", "; ,"), ('a="', '"x')):
                self.assertIsInstance(_pairs(before + text + after), dict)
            self.assertIsNone(_node(text))
            self.assertIsNone(_node(f"[{text}]:x"))

    def test_pairs(self):
        """
        The expression is asked once for each pair.
        """
        asked = []

        class Counting:
            def match(self, text, at):
                asked.append(at)
                return found.match(text, at)

        found = forwardedModule._PAIR
        self.patch(forwardedModule, "_PAIR", Counting())
        for count in (1, 100, 1000):
            asked.clear()
            said = _pairs(";".join(f'a{n}="{n}"' for n in range(count)))
            self.assertEqual((len(said), len(asked)), (count, count))
            asked.clear()
            self.assertEqual(
                _pairs(";".join(["a=1"] * count)), {"a": "1"} if count == 1 else {}
            )
            self.assertLessEqual(len(asked), 2)

    def test_hostile(self):
        """
        Sixteen thousand characters of anything are read to the end, and what the proxy
        wrote behind them counts.
        """
        for unit in self.hostile:
            text = unit * ((1 << 14) // len(unit))
            self.assertEqual(xff(f"{text}, 192.0.2.1"), ["192.0.2.1", PROXY], unit)
            self.assertEqual(
                forwarded(f"{text}, for=192.0.2.1"), ["192.0.2.1", PROXY], unit
            )
            for read in (xff, forwarded):
                self.assertEqual(read(text)[-1], PROXY)
                self.assertEqual(read(f'"{text}')[-1], PROXY)

    if given is not None:

        @settings(max_examples=300, deadline=None)
        @given(
            st.text(
                st.characters(
                    min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"
                ),
                max_size=60,
            )
            | st.text('",;=\\ for:[].10', max_size=60)
        )
        def test_anyText(self, text):
            """
            Nothing that a client writes raises, or changes what stands behind it.
            """
            self.assertEqual(xff(f"{text}, 192.0.2.1"), ["192.0.2.1", PROXY])
            for last in ("for=192.0.2.1", 'host="a,\\"";for="192.0.2.1:80"'):
                self.assertEqual(forwarded(f"{text}, {last}"), ["192.0.2.1", PROXY])
                self.assertEqual(forwarded(text, last), ["192.0.2.1", PROXY])
            for read in (xff, forwarded):
                self.assertEqual(read(text)[-1], PROXY)

        @settings(max_examples=300, deadline=None)
        @given(
            st.text('",;= a\\b', max_size=20),
            st.lists(
                st.sampled_from(["for=192.0.2.1", "by=a"]), max_size=2, unique=True
            ),
        )
        def test_anyHost(self, host, others):
            """
            Nothing that a proxy quotes as it should changes what it says besides.
            """
            escaped = host.replace("\\", "\\\\").replace('"', '\\"')
            pairs = [*others, f'host="{escaped}"']
            expected = ["192.0.2.1"] if "for=192.0.2.1" in others else []
            for element in (";".join(pairs), ";".join(reversed(pairs))):
                read = forwarded(f"for=10.0.0.9, {element}")
                self.assertEqual(read, [*expected, PROXY])


class RequestTests(ServerTests):
    """
    What requests tell of it.
    """

    def ask(self, *fields, peer=None, **options):
        """
        @return: the request of a peer with this address.
        """
        self.serve(**options)
        raw = self.server.connectRaw()
        if peer is not None:
            self.server.carriers[0][1].getPeer = lambda: peer
        raw.send(handshake(*fields))
        (request,) = self.requests
        return request

    def test_default(self):
        """
        By default nobody is believed.
        """
        request = self.ask(
            "X-Forwarded-For: 203.0.113.1",
            "X-Forwarded-Proto: https",
            "Forwarded: for=203.0.113.1;proto=https",
            "X-Real-IP: 203.0.113.1",
            "True-Client-IP: 203.0.113.1",
        )
        self.assertEqual(request.remoteAddress, "192.0.2.1")
        self.assertEqual(request.remoteAddresses, ["192.0.2.1"])
        self.assertFalse(request.isSecure)

    def test_trusted(self):
        """
        C{trustedProxies} are; C{peer} stays what the carrier says.
        """
        request = self.ask(
            "X-Forwarded-For: 203.0.113.1, 198.51.100.7",
            "X-Forwarded-Proto: https",
            "Forwarded: for=203.0.113.2;proto=http",
            trustedProxies=["192.0.2.1"],
        )
        self.assertEqual(request.remoteAddress, "198.51.100.7")
        self.assertEqual(request.remoteAddresses, ["198.51.100.7", "192.0.2.1"])
        self.assertTrue(request.isSecure)
        self.assertEqual(request.peer.host, "192.0.2.1")

    def test_readForwarded(self):
        """
        With C{readForwarded} the other field is.
        """
        request = self.ask(
            "X-Forwarded-For: 203.0.113.1",
            "X-Forwarded-Proto: https",
            'Forwarded: for="[2001:db8::1]:80";proto=http',
            trustedProxies=["192.0.2.0/24"],
            readForwarded=True,
        )
        self.assertEqual(request.remoteAddress, "2001:db8::1")
        self.assertFalse(request.isSecure)

    def test_peers(self):
        """
        Every kind of peer has an address, if only an empty one.
        """
        for peer, address in [
            (IPv4Address("TCP", "198.51.100.1", 1), "198.51.100.1"),
            (IPv6Address("TCP", "2001:db8::1", 1), "2001:db8::1"),
            (IPv6Address("TCP", "::ffff:198.51.100.1", 1), "198.51.100.1"),
            (IPv6Address("TCP", "fe80::1%eth0", 1), "fe80::1"),
            (UNIXAddress("/run/proxy.sock"), ""),
            (UNIXAddress(None), ""),
            (object(), ""),
        ]:
            fields = ["X-Forwarded-For: 203.0.113.1", "X-Forwarded-Proto: https"]
            request = self.ask(*fields, peer=peer)
            self.assertEqual(request.remoteAddress, address)
            self.assertEqual(request.remoteAddresses, [address])
            self.assertFalse(request.isSecure)
            trusted = [address or "unix"]
            request = self.ask(*fields, peer=peer, trustedProxies=trusted)
            self.assertEqual(request.remoteAddresses, ["203.0.113.1", address])
            self.assertTrue(request.isSecure)

    def test_ownList(self):
        """
        The list of addresses is the caller's to change.
        """
        request = self.ask()
        request.remoteAddresses.append("x")
        self.assertEqual(request.remoteAddresses, ["192.0.2.1"])

    def test_sameOrigin(self):
        """
        A page of plain HTTP is another origin than ours over TLS, also where a proxy
        takes the TLS off and says so.
        """
        for options, fields, status in [
            ({}, [], b" 101 "),
            ({}, ["X-Forwarded-Proto: https"], b" 101 "),
            ({"trustedProxies": ["192.0.2.1"]}, ["X-Forwarded-Proto: https"], b" 403 "),
            ({"trustedProxies": ["192.0.2.1"]}, ["X-Forwarded-Proto: http"], b" 101 "),
        ]:
            self.serve(Echo, **options)
            peer = self.connect(handshake("Origin: http://example.com", *fields))
            self.assertIn(status, peer.take()[:20], (options, fields))
