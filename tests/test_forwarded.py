# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Who is behind a proxy: L{twisted_ws._wire.forwarded}.
"""

from twisted.trial.unittest import SynchronousTestCase

from twisted_ws._wire.forwarded import Networks, Origins, networks

from .proxies import PROXY, TRUSTED, forwarded, trail, xff


class NetworksTests(SynchronousTestCase):
    """
    L{Networks}.
    """

    def test_rows(self):
        """
        An address is in a network, whatever way both are written.
        """
        for rules, inside, outside in [
            ([], [], ["10.0.0.1", "::1", ""]),
            (
                ["10.0.0.1"],
                ["10.0.0.1", "::ffff:10.0.0.1"],
                ["10.0.0.2", "::a00:1", ""],
            ),
            (
                ["10.0.0.0/8"],
                ["10.255.0.1", "::FFFF:a00:1"],
                ["11.0.0.1", "::10.0.0.1"],
            ),
            (["::ffff:10.0.0.1"], ["10.0.0.1", "::ffff:10.0.0.1"], ["10.0.0.2"]),
            (["::ffff:10.0.0.0/104"], ["10.1.2.3"], ["11.0.0.1", "::1"]),
            (["::1"], ["::1", "0:0:0:0:0:0:0:1", "::1%lo"], ["127.0.0.1", "::2"]),
            (["fe80::/10"], ["fe80::1", "fe80::1%eth0", "FEBF::"], ["fec0::"]),
            (["fe80::1%eth0"], ["fe80::1", "fe80::1%eth1"], ["fe80::2"]),
            (["unix"], [""], ["10.0.0.1", "unix"]),
            (["unix", "::1"], ["", "::1"], ["10.0.0.1"]),
            (["0.0.0.0/0"], ["1.2.3.4"], ["::1", ""]),
            (["::/0"], ["::1"], ["1.2.3.4", "::ffff:1.2.3.4", ""]),
        ]:
            found = Networks(rules)
            for address in inside:
                self.assertIn(address, found, rules)
            for address in (*outside, "localhost", "10.0.0", "10.0.0.1.", "[::1]", "x"):
                self.assertNotIn(address, found, rules)

    def test_wrong(self):
        """
        What is neither an address nor a network is refused: also one with bits outside
        of its mask, and a number.
        """
        for rule in (
            *("", "localhost", "10.0.0", "10.0.0.1/8", "10.0.0.0/33", "*", "UNIX"),
            *(
                "010.0.0.1",
                "[::1]",
                "::1/129",
                "10.0.0.1:80",
                "10.0.0.0-10.0.0.9",
                " ::1",
            ),
            *(5, None, b"\x0a\0\0\1", b"10.0.0.1", ("10.0.0.0", 8), 10.1),
        ):
            self.assertRaises(ValueError, Networks, ["::1", rule])

    def test_cached(self):
        """
        The same rules are understood once.
        """
        self.assertIs(networks(("10.0.0.1",)), networks(("10.0.0.1",)))
        self.assertIsNot(networks(("10.0.0.1",)), networks(("10.0.0.2",)))


class XForwardedForTests(SynchronousTestCase):
    """
    X-Forwarded-For.
    """

    rows = [
        # fields, addresses before the proxy's
        ([], []),
        (["192.0.2.1"], ["192.0.2.1"]),
        (["2001:db8::1"], ["2001:db8::1"]),
        (["2001:DB8:0::1"], ["2001:db8::1"]),
        (["[2001:db8::1]"], ["2001:db8::1"]),
        (["[2001:db8::1]:443"], ["2001:db8::1"]),
        (["192.0.2.1:443"], ["192.0.2.1"]),
        (["192.0.2.1:0"], ["192.0.2.1"]),
        (["::ffff:192.0.2.1"], ["192.0.2.1"]),
        (["[::ffff:192.0.2.1]:1"], ["192.0.2.1"]),
        (["  192.0.2.1\t"], ["192.0.2.1"]),
        # Proxies that are trusted, in a row, over several fields.
        (["192.0.2.1, 10.0.0.3, 10.0.0.2"], ["192.0.2.1", "10.0.0.3", "10.0.0.2"]),
        (["192.0.2.1", "10.0.0.3,10.0.0.2"], ["192.0.2.1", "10.0.0.3", "10.0.0.2"]),
        (["192.0.2.1, fd00::2"], ["192.0.2.1", "fd00::2"]),
        (["192.0.2.1, ::ffff:10.0.0.2"], ["192.0.2.1", "10.0.0.2"]),
        (["10.0.0.3, 10.0.0.2"], ["10.0.0.3", "10.0.0.2"]),
        # What a client has written stands to the left of what its proxy wrote.
        (["203.0.113.1, 192.0.2.1"], ["192.0.2.1"]),
        (["10.0.0.9, 192.0.2.1"], ["192.0.2.1"]),
        (["127.0.0.1", "::1", "192.0.2.1"], ["192.0.2.1"]),
        (["203.0.113.1, 192.0.2.1, 10.0.0.2"], ["192.0.2.1", "10.0.0.2"]),
        (['"203.0.113.1, 192.0.2.1'], ["192.0.2.1"]),
        (['"', "192.0.2.1"], ["192.0.2.1"]),
        (["for=203.0.113.1, 192.0.2.1"], ["192.0.2.1"]),
        ([", ".join(["10.0.0.9"] * 100) + ", 192.0.2.1"], ["192.0.2.1"]),
        # Empty elements do not count (RFC 9110 section 5.6.1).
        ([""], []),
        ([",", ", ,"], []),
        ([",192.0.2.1,, ", ""], ["192.0.2.1"]),
        # What cannot be read ends it.
        (["unknown"], []),
        (["192.0.2.1, unknown"], []),
        (["192.0.2.1, _hidden, 10.0.0.2"], ["10.0.0.2"]),
        (["192.0.2.1, x"], []),
        (["192.0.2.1 10.0.0.2"], []),
        (['"192.0.2.1"'], []),
        (["192.0.2.1;10.0.0.2"], []),
        (["localhost"], []),
        (["192.0.2"], []),
        (["192.0.2.256"], []),
        (["192.000.002.001"], []),
        (["0xc0.0.2.1"], []),
        (["3221225985"], []),
        (["192.0.2.1/32"], []),
        (["192.0.2.1:"], []),
        (["192.0.2.1:123456"], []),
        (["192.0.2.1:80:80"], []),
        (["[192.0.2.1"], []),
        (["2001:db8::1]"], []),
        (["[2001:db8::1"], []),
        (["[2001:db8::1]80"], []),
        (["[]"], []),
        (["fe80::1%eth0"], []),
        (["[fe80::1%25eth0]"], []),
        (["::1::"], []),
        (["\xb9\xb2.0.2.1"], []),
        (["192.0.2.1\xa0"], []),
        (["<script>"], []),
    ]

    def test_rows(self):
        """
        The client is the last address that is not of a proxy that is trusted.
        """
        for values, expected in self.rows:
            self.assertEqual(xff(*values), [*expected, PROXY], values)

    def test_hundred(self):
        """
        A hundred proxies in a row are gone through, if all are trusted.
        """
        chain = [f"10.0.0.{number}" for number in range(100)]
        self.assertEqual(xff(", ".join(chain)), [*chain, PROXY])
        self.assertEqual(xff(*chain), [*chain, PROXY])
        chain[50] = "192.0.2.1"
        self.assertEqual(xff(", ".join(chain)), [*chain[50:], PROXY])

    def test_untrustedPeer(self):
        """
        Who is not trusted is not listened to.
        """
        for peer, trusted in [
            (PROXY, ()),
            ("192.0.2.9", TRUSTED),
            ("2001:db8::9", TRUSTED),
            ("", ("10.0.0.0/8", "::1")),
            ("10.0.0.1.example", TRUSTED),
        ]:
            self.assertEqual(xff("192.0.2.1", peer=peer, trusted=trusted), [peer])

    def test_peers(self):
        """
        The peer may be a UNIX socket, or an IPv4 address dressed up as IPv6; then it is
        told as what it is.
        """
        for peer, told in [
            ("", ""),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("fd00::1%eth0", "fd00::1"),
            ("FD00::0:1", "fd00::1"),
        ]:
            self.assertEqual(xff("192.0.2.1", peer=peer), ["192.0.2.1", told])
        self.assertEqual(xff(peer="::ffff:192.0.2.1"), ["192.0.2.1"])

    def test_otherField(self):
        """
        Forwarded, which the proxy hands on as the client sent it, is not read.
        """
        fields = ("Forwarded", "for=203.0.113.1;proto=https")
        self.assertEqual(trail(fields), Origins([PROXY], False))
        self.assertEqual(
            trail(("X-Forwarded-For", "192.0.2.1"), fields),
            Origins(["192.0.2.1", PROXY], False),
        )


class ForwardedTests(SynchronousTestCase):
    """
    RFC 7239: Forwarded.
    """

    rows = [
        ([], []),
        (["for=192.0.2.1"], ["192.0.2.1"]),
        (["FOR=192.0.2.1"], ["192.0.2.1"]),
        (['for="192.0.2.1"'], ["192.0.2.1"]),
        (['for="192.0.2.1:80"'], ["192.0.2.1"]),
        (["for=192.0.2.1:80"], ["192.0.2.1"]),
        (['for="192.0.2.1:_port"'], ["192.0.2.1"]),
        (['for="[2001:db8::1]"'], ["2001:db8::1"]),
        (['for="[2001:db8::1]:4711"'], ["2001:db8::1"]),
        (['for="[2001:db8::1]:_x.y-z"'], ["2001:db8::1"]),
        (["for=[2001:db8::1]"], ["2001:db8::1"]),
        (['for="2001:db8::1"'], ["2001:db8::1"]),
        (['for="\\192.0.2.1"'], ["192.0.2.1"]),
        (["for=192.0.2.1;proto=http;by=203.0.113.43"], ["192.0.2.1"]),
        (["by=203.0.113.43 ; for=192.0.2.1;"], ["192.0.2.1"]),
        ([";;for=192.0.2.1;;proto=http"], ["192.0.2.1"]),
        (["for=192.0.2.1, for=10.0.0.2"], ["192.0.2.1", "10.0.0.2"]),
        (["for=192.0.2.1", "for=10.0.0.2"], ["192.0.2.1", "10.0.0.2"]),
        (['for=192.0.2.1, for="10.0.0.2:80";host="a,b"'], ["192.0.2.1", "10.0.0.2"]),
        # What a client has written stands to the left.
        (["for=203.0.113.1, for=192.0.2.1"], ["192.0.2.1"]),
        (["for=10.0.0.9, for=192.0.2.1"], ["192.0.2.1"]),
        (['for="203.0.113.1, for=192.0.2.1'], ["192.0.2.1"]),
        (['for="203.0.113.1', "for=192.0.2.1"], ["192.0.2.1"]),
        (['x="\\, for="[2001:db8::1]:80"'], ["2001:db8::1"]),
        (['", for=192.0.2.1;host="a"'], ["192.0.2.1"]),
        (['\\", for=192.0.2.1;host="a"'], ["192.0.2.1"]),
        (["for=203.0.113.1;, for=192.0.2.1"], ["192.0.2.1"]),
        ([";=,===, for=192.0.2.1"], ["192.0.2.1"]),
        # What a proxy quotes is what the client sent as Host: it says nothing.
        (['for=192.0.2.1;host="x, for=203.0.113.1"'], ["192.0.2.1"]),
        (['host="x, for=203.0.113.1";for=192.0.2.1'], ["192.0.2.1"]),
        (['host="x;for=203.0.113.1;y";for=192.0.2.1'], ["192.0.2.1"]),
        (['host="x\\";for=203.0.113.1;\\"y";for=192.0.2.1'], ["192.0.2.1"]),
        (['for=192.0.2.1;host="x\\", for=203.0.113.1;by=\\"y"'], ["192.0.2.1"]),
        (['for=192.0.2.1;host="x\\\\\\", for=203.0.113.1;by=\\"y"'], ["192.0.2.1"]),
        (['for=192.0.2.1;host="x\\\\"'], ["192.0.2.1"]),
        (['for=203.0.113.1, for=192.0.2.1;host="x\\\\"'], ["192.0.2.1"]),
        (['for=192.0.2.1;host=""'], ["192.0.2.1"]),
        # What cannot be read ends it.
        (["for=unknown"], []),
        (["for=192.0.2.1, for=unknown"], []),
        (["for=192.0.2.1, for=_hidden"], []),
        (['for=192.0.2.1, for="_hidden", for=10.0.0.2'], ["10.0.0.2"]),
        (["for=192.0.2.1, by=10.0.0.2"], []),
        (["for=192.0.2.1, proto=https"], []),
        (["for=192.0.2.1;for=192.0.2.2"], []),
        (["for=192.0.2.1;FOR=192.0.2.2"], []),
        (["for=192.0.2.1;proto=http;proto=https"], []),
        (["for=192.0.2.1 proto=http"], []),
        (["for =192.0.2.1"], []),
        (["for= 192.0.2.1"], []),
        (["for"], []),
        (["for="], []),
        (['for=""'], []),
        (["192.0.2.1"], []),
        (['for="192.0.2.1'], []),
        (['for=192.0.2.1"'], []),
        (['for="192.0.2.1"x'], []),
        (['for="192.0.2.1"";proto=http'], []),
        (["for=192.0.2.1;b\xe9=c"], []),
        (["for='192.0.2.1'"], []),
        ([""], []),
        (["", ",", " , "], []),
        ([",for=192.0.2.1,"], ["192.0.2.1"]),
    ]

    def test_rows(self):
        """
        The client is the last address that is not of a proxy that is trusted; what
        stands in quotes hides nothing and adds nothing.
        """
        for values, expected in self.rows:
            self.assertEqual(forwarded(*values), [*expected, PROXY], values)

    def test_otherField(self):
        """
        X-Forwarded-For and X-Forwarded-Proto, which the proxy hands on as the client
        sent them, are not read.
        """
        fields = [("X-Forwarded-For", "203.0.113.1"), ("X-Forwarded-Proto", "https")]
        self.assertEqual(trail(*fields, readForwarded=True), Origins([PROXY], False))
        self.assertEqual(
            trail(*fields, ("Forwarded", "for=192.0.2.1"), readForwarded=True),
            Origins(["192.0.2.1", PROXY], False),
        )

    def test_untrustedPeer(self):
        """
        Who is not trusted is not listened to.
        """
        for value in ("for=192.0.2.1", "for=192.0.2.1;proto=https"):
            answer = trail(("Forwarded", value), peer="192.0.2.9", readForwarded=True)
            self.assertEqual(answer, Origins(["192.0.2.9"], False))


class SecureTests(SynchronousTestCase):
    """
    Whether the client came over TLS.
    """

    def check(self, rows, readForwarded):
        """
        Check a table of fields, and whether the carrier and the client are secure.
        """
        for fields, isSecure, expected in rows:
            found = trail(*fields, isSecure=isSecure, readForwarded=readForwarded)
            self.assertIs(found.isSecure, expected, (fields, isSecure))

    def test_xForwardedProto(self):
        """
        X-Forwarded-Proto is believed as far as the addresses are: one scheme for each,
        or one from the last proxy.
        """
        client, inner = "192.0.2.1", "10.0.0.2"

        def fields(addresses, *schemes):
            return [
                *([("X-Forwarded-For", addresses)] if addresses else []),
                *(("X-Forwarded-Proto", each) for each in schemes),
            ]

        rows = [
            (fields(client), False, False),
            (fields(client), True, True),
            (fields(client, "https"), False, True),
            (fields(client, "HTTPS"), False, True),
            (fields(client, "wss"), False, True),
            (fields(client, "http"), True, False),
            (fields(client, "ws"), True, False),
            (fields(client, ""), True, True),
            (fields(client, "gopher"), True, False),
            # Without an address, too.
            (fields("", "https"), False, True),
            (fields("unknown", "https"), False, True),
            # Each proxy adds its own.
            (fields(f"{client}, {inner}", "https, http"), False, True),
            (fields(f"{client}, {inner}", "http, https"), False, False),
            (fields(f"{client}, {inner}", "https", "http"), False, True),
            # The first one's is handed on.
            (fields(f"{client}, {inner}", "https"), False, True),
            (fields(f"{client}, {inner}", "http"), True, False),
            # The client has written one before.
            (fields(client, "https, http"), False, False),
            (fields(client, "https", "http"), False, False),
            (fields(f"10.0.0.9, {client}", "https, http"), False, False),
            (fields(f"10.0.0.9, {client}, {inner}", "https, http, http"), False, False),
        ]
        self.check(rows, False)

    def test_untrusted(self):
        """
        A client that says that it came over TLS, or a proxy that is not trusted, is not
        believed.
        """
        for peer, trusted in [("192.0.2.9", TRUSTED), (PROXY, ()), ("", ("::1",))]:
            for fields, readForwarded in [
                ([("X-Forwarded-Proto", "https")], False),
                ([("X-Forwarded-For", PROXY), ("X-Forwarded-Proto", "https")], False),
                ([("Forwarded", "proto=https")], True),
                ([("Forwarded", f"for={PROXY};proto=https")], True),
            ]:
                for isSecure in (False, True):
                    found = trail(
                        *fields,
                        peer=peer,
                        trusted=trusted,
                        isSecure=isSecure,
                        readForwarded=readForwarded,
                    )
                    self.assertEqual(found, Origins([peer], isSecure))

    def test_forwarded(self):
        """
        In Forwarded each proxy says it for itself.
        """
        rows = [
            ([("Forwarded", value)], isSecure, expected)
            for value, isSecure, expected in [
                ("for=192.0.2.1", False, False),
                ("for=192.0.2.1", True, True),
                ("for=192.0.2.1;proto=https", False, True),
                ('for=192.0.2.1;proto="HTTPS"', False, True),
                ("for=192.0.2.1;proto=http", True, False),
                ("for=192.0.2.1;proto=https;proto=https", False, False),
                ("proto=https", False, True),
                ("for=unknown;proto=https", False, True),
                ("for=192.0.2.1;proto=https, for=10.0.0.2;proto=http", False, True),
                ("for=192.0.2.1;proto=http, for=10.0.0.2;proto=https", True, False),
                ("for=192.0.2.1;proto=https, for=10.0.0.2", False, True),
                ("for=10.0.0.9;proto=https, for=192.0.2.1;proto=http", False, False),
                ("for=10.0.0.9;proto=https, for=192.0.2.1", False, False),
                ('host="a;proto=https";for=192.0.2.1', False, False),
                ('for=192.0.2.1;host="a, proto=https"', False, False),
            ]
        ]
        self.check(rows, True)
