# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The origin policy of a server at work: L{twisted_ws.origin}.
"""

import re

from twisted.logger import capturedLogs, formatEvent

from twisted_ws import ServerConfig

from .handshakes import GREETING, Echo, ServerTests, handshake, version


class ServedTests(ServerTests):
    """
    The policy at work: for receivers that are mounted as they are.
    """

    def origin(self, origin, host="good.com", make=handshake):
        """
        A handshake of a page.
        """
        return make(f"Origin: {origin}", f"Host: {host}")

    def test_safeDefault(self):
        """
        By default only pages of the same origin, and what is no page, may connect.
        """
        self.serve(Echo)
        self.assertEqual(self.server.factory.config.allowedOrigins, ("same-origin",))
        self.assertEqual(self.connect(handshake()).take(), GREETING)
        self.assertEqual(self.connect(self.origin("http://good.com")).take(), GREETING)
        self.assertStatus(self.connect(self.origin("http://evil.com")), 403)
        self.assertStatus(self.connect(self.origin("null")), 403)
        self.assertStatus(self.connect(self.origin("")), 403)

    def test_version8(self):
        """
        For version 8 it is the origin in the field of that version, or in the new one.
        """
        self.serve(Echo)
        for name in ("Sec-WebSocket-Origin", "Origin"):
            good = version(8, f"{name}: http://good.com", "Host: good.com")
            self.assertEqual(self.connect(good).take(), GREETING, name)
            evil = version(8, f"{name}: http://evil.com", "Host: good.com")
            self.assertStatus(self.connect(evil), 403, name)

    def test_everyone(self):
        """
        C{"*"} lets everyone in.
        """
        for allowed in ("*", ["*"], ["https://good.com", "*"]):
            self.serve(Echo, allowedOrigins=allowed)
            for origin in ("http://evil.com", "null", "", "file://", "nonsense"):
                self.assertEqual(self.connect(self.origin(origin)).take(), GREETING)

    def test_named(self):
        """
        With named origins the own one is not among them.
        """
        self.serve(Echo, allowedOrigins=["https://good.com"])
        self.assertEqual(self.connect(self.origin("https://good.com")).take(), GREETING)
        self.assertStatus(self.connect(self.origin("http://good.com")), 403)

    def test_twoOrigins(self):
        """
        A handshake with two origins is malformed, whoever may connect.
        """
        self.serve(Echo, allowedOrigins="*")
        for names in (("Origin", "Origin"), ("Origin", "Sec-WebSocket-Origin")):
            fields = [f"{name}: http://good.com" for name in names]
            self.assertStatus(self.connect(version(8, *fields)), 400)
        # Version 13 does not know the other field.
        for origin, status in (("http://good.com", 101), ("http://evil.com", 403)):
            self.serve(Echo)
            peer = self.connect(
                handshake(
                    "Host: good.com",
                    f"Origin: {origin}",
                    "Sec-WebSocket-Origin: http://good.com",
                )
            )
            self.assertIn(b" %d " % status, peer.take()[:20])

    def test_proxyThatChangedHost(self):
        """
        A browser's own word admits its page where a proxy has changed Host; the page of
        another cannot say so.
        """
        self.serve(Echo)
        for origin, site, status in [
            ("https://good.com", "same-origin", 101),
            ("https://evil.com", "cross-site", 403),
            ("https://sub.good.com", "same-site", 403),
            ("http://backend:8080", "cross-site", 403),
        ]:
            fields = [f"Origin: {origin}", f"Sec-Fetch-Site: {site}"]
            peer = self.connect(handshake("Host: backend:8080", *fields))
            self.assertIn(b" %d " % status, peer.take()[:20], origin)

    def test_rules(self):
        """
        Patterns and callables are rules of a server too; one that fails, or says
        neither yes nor no, is answered for with 500.
        """

        def fails(request):
            raise ValueError("on purpose")

        for rule, status in [
            (re.compile("http://evil.*"), 101),
            (re.compile("http://e"), 403),
            (lambda request: request.path == "/", 101),
            (lambda request: False, 403),
            (fails, 500),
            (lambda request: None, 500),
        ]:
            self.serve(Echo, allowedOrigins=[rule])
            peer = self.connect(self.origin("http://evil.com"))
            self.assertIn(b" %d " % status, peer.take()[:20])
        self.assertEqual(len(self.flushLoggedErrors(ValueError, TypeError)), 2)

    def test_refusal(self):
        """
        A refusal is logged once, with the origin and the name of the option; what the
        page sent is quoted and cut.
        """
        self.serve(Echo)
        hostile = "http://\xe9{peer}%s" + "a" * 1000
        with capturedLogs() as events:
            peer = self.connect(self.origin(hostile))
        self.assertTrue(peer.take().startswith(b"HTTP/1.1 403 Origin Not Allowed\r\n"))
        self.assertEqual(len(events), 1)
        text = formatEvent(events[0])
        self.assertIn("allowedOrigins", text)
        self.assertIn("http://", text)
        self.assertIn("{peer}%s", text)
        self.assertNotIn("a" * 201, text)
        self.assertQuiet()

    def test_ofTheRequest(self):
        """
        A callable decides for itself, and may ask.
        """
        answers = []

        def application(request):
            answers.append((request.origin, request.isOriginAllowed()))
            request.accept(Echo())

        self.serve(application)
        for origin in ("http://good.com", "http://evil.com"):
            self.assertEqual(self.connect(self.origin(origin)).take(), GREETING)
        self.assertEqual(
            answers, [("http://good.com", True), ("http://evil.com", False)]
        )

    def test_configOfTheServer(self):
        """
        It is the policy of the server that the request carries.
        """
        self.serve(allowedOrigins=["null"])
        self.connect(self.origin("null"))
        self.assertEqual(self.requests[0].config, ServerConfig(allowedOrigins=["null"]))
        self.assertTrue(self.requests[0].isOriginAllowed())
