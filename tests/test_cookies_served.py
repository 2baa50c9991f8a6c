# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Cookies in handshakes and their answers: L{twisted_ws._wire.cookies}.
"""

from datetime import datetime, timezone

from twisted_ws import Cookie

from .handshakes import Echo, ServerTests, handshake


class ServedTests(ServerTests):
    """
    Cookies that are set with the answer to a handshake.
    """

    def lines(self, cookies, verdict):
        """
        @return: the Set-Cookie lines that a client gets.
        """
        if verdict == "accept":
            self.serve(lambda request: request.accept(Echo(), cookies=cookies))
        else:
            self.serve(lambda request: request.reject(401, cookies=cookies))
        head, _, _ = self.connect(handshake()).take().partition(b"\r\n\r\n")
        self.assertIn({"accept": b" 101 ", "reject": b" 401 "}[verdict], head)
        return [line for line in head.split(b"\r\n") if line.startswith(b"Set-Cookie:")]

    def test_bothVerdicts(self):
        """
        They are sent with an acceptance and with a refusal, each in a line of its own,
        in order, with all that they have.
        """
        moment = datetime(2030, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
        cookies = [
            Cookie("__Host-sid", "x", path="/", secure=True, sameSite="None"),
            Cookie("a", "b", "/c", "d.example", moment, 60, True, True, "Lax", True),
            Cookie("gone", "", maxAge=0),
        ]
        for verdict in ("accept", "reject"):
            self.assertEqual(
                self.lines(cookies, verdict),
                [
                    b"Set-Cookie: __Host-sid=x; Path=/; SameSite=None; Secure",
                    b"Set-Cookie: a=b; Path=/c; Domain=d.example;"
                    b" Expires=Wed, 02 Jan 2030 03:04:05 GMT; Max-Age=60; SameSite=Lax;"
                    b" Secure; HttpOnly; Partitioned",
                    b"Set-Cookie: gone=; Max-Age=0",
                ],
            )
            self.assertEqual(self.lines([], verdict), [])

    def test_wrongOne(self):
        """
        An application that makes a cookie that cannot be is answered for with 500, and
        sends nothing of it.
        """
        for wrong in (
            lambda: Cookie("a", "b\r\nX-Evil: 1"),
            lambda: Cookie("a", "b", path="/\r\n\r\nevil"),
            lambda: Cookie("a", "b", domain="a; Secure"),
            lambda: Cookie("__Host-a", "b"),
        ):
            for verdict in ("accept", "reject"):
                self.serve(
                    lambda request, v=verdict, wrong=wrong: (
                        request.accept(Echo(), cookies=[wrong()])
                        if v == "accept"
                        else request.reject(401, cookies=[wrong()])
                    )
                )
                received = self.connect(handshake()).take()
                self.assertTrue(received.startswith(b"HTTP/1.1 500 "))
                self.assertNotIn(b"vil", received)
                self.assertNotIn(b"Set-Cookie", received)
                self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_read(self):
        """
        The cookies of a request are there, however they came.
        """
        self.serve()
        self.connect(handshake('Cookie: a="1"; b', "Cookie: c=\xe9; a=2", "cookie: d="))
        (request,) = self.requests
        self.assertEqual(request.cookies, {"a": "1", "c": "\xe9", "d": ""})
