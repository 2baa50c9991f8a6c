# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The step that judges origins: L{twisted_ws.AllowOrigins}.
"""

from twisted.internet.protocol import Factory
from twisted.logger import LogLevel, capturedLogs, formatEvent

from twisted_ws import AllowOrigins, ServerConfig, Steps

from .handshakes import Echo, handshake
from .steps import Oops, StepTests


class AllowOriginsTests(StepTests):
    """
    L{AllowOrigins}.
    """

    def status(self, origin, *steps, application=Echo, **options):
        """
        @return: the status that a page of this origin is answered.
        """
        self.serve(Steps(steps, application), **options)
        fields = ["Host: good.com"]
        if origin is not None:
            fields.append(f"Origin: {origin}")
        return int(self.connect(handshake(*fields)).take().split(b" ")[1])

    def test_rulesOfTheServer(self):
        """
        Without rules it is C{allowedOrigins} that counts, also for what decides for
        itself.
        """
        for application in (Echo, self.application):
            for origin, options, status in [
                ("http://good.com", {}, 101),
                (None, {}, 101),
                ("http://evil.com", {}, 403),
                ("http://evil.com", {"allowedOrigins": ["http://evil.com"]}, 101),
                ("http://good.com", {"allowedOrigins": []}, 403),
            ]:
                answer = self.status(
                    origin, AllowOrigins(), application=application, **options
                )
                self.assertEqual(answer, status, (origin, options))

    def test_rulesOfItsOwn(self):
        """
        Rules of its own take the place of those; receivers behind it are not asked
        again.
        """
        for rules, origin, status in [
            (["https://a.example"], "https://a.example", 101),
            (["https://a.example"], "http://good.com", 403),
            (["https://*.a.example"], "https://x.a.example", 101),
            ("*", "http://evil.com", 101),
            (["null"], "null", 101),
            ([], "http://good.com", 403),
            ((), None, 101),
            ([lambda request: request.path == "/"], "http://evil.com", 101),
        ]:
            for application in (Echo, Factory.forProtocol(Echo), Steps([], Echo)):
                answer = self.status(
                    origin, AllowOrigins(rules), application=application
                )
                self.assertEqual(answer, status, (rules, origin))

    def test_two(self):
        """
        Of two, both have to admit it.
        """
        two = AllowOrigins(["https://a.example", "null"]), AllowOrigins(["null"])
        self.assertEqual(self.status("null", *two), 101)
        self.assertEqual(self.status("https://a.example", *two), 403)

    def test_refusal(self):
        """
        A refusal is logged once, at level info, with the origin quoted and cut.
        """
        with capturedLogs() as events:
            self.status("http://evil{peer}" + "a" * 1000, AllowOrigins())
        (event,) = events
        self.assertIs(event["log_level"], LogLevel.info)
        self.assertIn("'http://evil{peer}aaa", formatEvent(event))
        self.assertNotIn("a" * 201, formatEvent(event))

    def test_ruleThatFails(self):
        """
        A rule that fails, or does not say yes or no, lets nobody in.
        """

        def failing(request):
            raise Oops

        for rule, error in ((failing, Oops), (lambda request: None, TypeError)):
            self.assertEqual(self.status("http://good.com", AllowOrigins([rule])), 500)
            self.assertEqual(len(self.flushLoggedErrors(error)), 1)

    def test_given(self):
        """
        The rules are those that were given, whatever happens to the list after.
        """
        rules = ["https://a.example"]
        step = AllowOrigins(rules)
        rules.append("*")
        self.assertEqual(self.status("http://evil.com", step), 403)

    def test_wrongRules(self):
        """
        What is no rule is found when it is given, as for the server.
        """
        for rules in (
            "https://a.example",
            "",
            ["a.example"],
            [None],
            5,
            b"*",
            {"*": 1},
        ):
            with self.assertRaisesRegex(ValueError, "allowedOrigins"):
                AllowOrigins(rules)
            with self.assertRaisesRegex(ValueError, "allowedOrigins"):
                ServerConfig(allowedOrigins=rules)
