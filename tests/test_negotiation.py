# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Which extensions are used.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.extensions import Giving, Marking
from twisted_ws import InvalidUpgrade
from twisted_ws._wire.headers import parseExtensions, renderExtensions
from twisted_ws.extensions import RSV1, RSV2
from twisted_ws.extensions.negotiation import confirm, negotiate, offersOf


def parsed(field: str) -> Any:
    """
    @return: a Sec-WebSocket-Extensions that was read.
    """
    return parseExtensions([field])


class NegotiateTests(SynchronousTestCase):
    """
    A server's choice.
    """

    def setUp(self) -> None:
        self.a = Giving(Marking("a", RSV1))
        self.b = Giving(Marking("b", RSV2))

    def names(self, field: str, *factories: Giving) -> list[str]:
        """
        @return: the names of what is chosen.
        """
        agreed = negotiate(parsed(field), factories)
        names = [name for name, _ in agreed.elements]
        self.assertEqual([each.name for each in agreed.extensions], names)
        return names

    def test_order(self) -> None:
        """
        The server's order is that of its configuration, whatever the client's is.
        """
        for field in ("a, b", "b, a", "c, b, d, a"):
            self.assertEqual(self.names(field, self.a, self.b), ["a", "b"], field)
            self.assertEqual(self.names(field, self.b, self.a), ["b", "a"], field)

    def test_unknown(self) -> None:
        """
        What it does not speak, or was not offered, is not used.
        """
        self.assertEqual(self.names("c", self.a, self.b), [])
        self.assertEqual(self.names("", self.a, self.b), [])
        self.assertEqual(self.names("A", self.a), [])
        self.assertEqual(self.names("a"), [])
        self.assertEqual(self.names("c, b", self.a, self.b), ["b"])

    def test_fallback(self) -> None:
        """
        Of the client's offers of one extension the first that is accepted counts.
        """
        agreed = negotiate(parsed("a; bad, a; x=1, a; x=2"), [self.a])
        self.assertEqual(len(agreed.extensions), 1)
        self.assertEqual(self.a.asked, [{"bad": None}, {"x": "1"}])

    def test_allDeclined(self) -> None:
        """
        If none is, the extension is not used.
        """
        self.assertEqual(self.names("a; bad, b, a; bad=2", self.a, self.b), ["b"])

    def test_duplicateParameter(self) -> None:
        """
        An offer with a parameter twice is declined unseen.
        """
        self.assertEqual(self.names("a; x; x", self.a), [])
        self.assertEqual(self.names("a; x=1; y; x=2, a; y", self.a), ["a"])
        self.assertEqual(self.a.asked, [{"y": None}])

    def test_quoted(self) -> None:
        """
        A quoted value is that without its quotes.
        """
        negotiate(parsed('a; x="10"; y="\\1\\2"'), [self.a])
        self.assertEqual(self.a.asked, [{"x": "10", "y": "12"}])

    def test_answer(self) -> None:
        """
        The answer has the parameters that the extension says, in its order.
        """
        self.a.answer = {"z": None, "y": "8"}
        agreed = negotiate(parsed("a; q"), [self.a])
        self.assertEqual(agreed.elements, (("a", (("z", None), ("y", "8"))),))
        self.assertEqual(renderExtensions(agreed.elements), b"a; z; y=8")

    def test_oneBit(self) -> None:
        """
        Of two extensions that claim one bit the server has the one that it wants
        more.
        """
        rival = Giving(Marking("c", RSV1 | RSV2))
        self.assertEqual(self.names("c, a", self.a, rival, self.b), ["a"])
        self.assertEqual(self.names("a, b, c", self.a, rival, self.b), ["a", "b"])
        self.assertEqual(self.names("a, b, c", rival, self.a, self.b), ["c"])


class OfferTests(SynchronousTestCase):
    """
    A client's offers.
    """

    def test_order(self) -> None:
        """
        They are those of the extensions in their order, each with its own order.
        """
        factories = [
            Giving(Marking("b"), offers=({"x": "1"}, {"x": None, "y": "2"})),
            Giving(Marking("none"), offers=()),
            Giving(Marking("a")),
        ]
        rendered = renderExtensions(offersOf(factories))
        self.assertEqual(rendered, b"b; x=1, b; x; y=2, a")

    def test_cannotBeSent(self) -> None:
        """
        What is no token is not offered.
        """
        for name, parameters in (
            ("a b", {}),
            ("a", {"x\r\ny": "1"}),
            ("a", {"x": ""}),
            ("a", {"x": 'y"'}),
            ("a", {"x": "\u0661"}),
        ):
            factory = Giving(Marking(name), offers=(parameters,))
            self.assertRaises(ValueError, offersOf, [factory])


class ConfirmTests(SynchronousTestCase):
    """
    What a client takes.
    """

    def setUp(self) -> None:
        self.a = Giving(Marking("a", RSV1))
        self.b = Giving(Marking("b", RSV2))
        self.rival = Giving(Marking("c", RSV1))
        self.factories = [self.a, self.b, self.rival]

    def test_serversOrder(self) -> None:
        """
        The order is the server's.
        """
        extensions = confirm(parsed("b; x=1, a"), self.factories)
        self.assertEqual(extensions, (self.b.extension, self.a.extension))
        self.assertEqual(self.b.asked, [{"x": "1"}])

    def test_none(self) -> None:
        """
        A server need not take any.
        """
        self.assertEqual(confirm([], self.factories), ())

    def test_refused(self) -> None:
        """
        A server may not answer so.
        """
        for field, said in (
            ("a, b, a", "an extension that was accepted twice: 'a'"),
            ("a; x; x", "a parameter of a that is given twice"),
            ("b, a; bad", "a bad parameter"),
            (
                "a, c",
                "extensions that do not go together:"
                " c claims a bit that another has claimed",
            ),
        ):
            with self.assertRaises(InvalidUpgrade) as caught:
                confirm(parsed(field), self.factories)
            self.assertEqual(str(caught.exception), said)
