# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
How permessage-deflate is negotiated (RFC 7692 section 7.1).
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.deflating import pair
from twisted_ws import InvalidUpgrade, PerMessageDeflate
from twisted_ws._wire.headers import parseExtensions, renderExtensions
from twisted_ws.extensions import deflate
from twisted_ws.extensions.implementations import implementationNamed
from twisted_ws.extensions.parameters import DeflateParameters, readAnswer, readOffer

SNCT, CNCT = "server_no_context_takeover", "client_no_context_takeover"
SBITS, CBITS = "server_max_window_bits", "client_max_window_bits"
WIDE = {"clientMaxWindowBits": 15, "windowBits": 15}
"""
Options of a side that wants nothing of the other.
"""

BAD_BITS = [
    *("0", "1", "7", "16", "80", "-1", "-9", "+9", "09", "1e1", "9.0", "0x9", "1_0"),
    *("", " 9", "9 ", "9\n", "8-15", "\u0669", "\u00b9", "\uff19", "\u4e5d"),
    *("1" + "0" * 30, "9" * 5000, "__class__", "None"),
]
"""
What is no number from 8 to 15 as RFC 7692 section 7.1.2 writes it.
"""


def parameters(text: str) -> dict[str, str | None]:
    """
    @return: those of an element of Sec-WebSocket-Extensions.
    """
    if not text:
        return {}
    ((_, pairs),) = parseExtensions([f"permessage-deflate; {text}"])
    return dict(pairs)


def written(read: Any) -> str | None:
    """
    @return: how parameters are written in Sec-WebSocket-Extensions.
    """
    if read is None:
        return None
    name = "permessage-deflate"
    field = renderExtensions([(name, tuple(read.items()))]).decode()
    return field[len(name) + 2 :]


def answerOf(text: str, **options: Any) -> str | None:
    """
    @return: a server's answer to an offer; C{None} if it declines.
    """
    accepted = PerMessageDeflate(**options).accept(parameters(text))
    return None if accepted is None else written(accepted[0])


class GrammarTests(SynchronousTestCase):
    """
    What is read from parameters.
    """

    def test_goodBits(self) -> None:
        """
        A window is a number from 8 to 15.
        """
        for bits in range(8, 16):
            read = readAnswer({SBITS: str(bits), CBITS: str(23 - bits)})
            self.assertEqual(read, DeflateParameters(False, False, bits, 23 - bits))

    def test_badBits(self) -> None:
        """
        Nothing else is: no sign, no leading zero, no digits of other scripts.
        """
        for value in BAD_BITS:
            for name in (SBITS, CBITS):
                for read in (readOffer, readAnswer):
                    error = self.assertRaises(ValueError, read, {name: value})
                    self.assertIn(f"{name} is a number from 8 to 15", str(error))
                    self.assertLess(len(str(error)), 200)

    def test_missingBits(self) -> None:
        """
        Only C{client_max_window_bits} can be without a value, only in an offer; it
        then allows all.
        """
        self.assertEqual(readOffer({CBITS: None}).clientBits, 15)
        self.assertRaises(ValueError, readAnswer, {CBITS: None})
        self.assertRaises(ValueError, readOffer, {SBITS: None})
        self.assertRaises(ValueError, readAnswer, {SBITS: None})

    def test_flags(self) -> None:
        """
        C{no_context_takeover} has no value, not even an empty one.
        """
        read = readAnswer({SNCT: None, CNCT: None})
        self.assertEqual(read, DeflateParameters(True, True, None, None))
        for name in (SNCT, CNCT):
            for value in ("", "1", "true", "15"):
                for reader in (readOffer, readAnswer):
                    error = self.assertRaises(ValueError, reader, {name: value})
                    self.assertIn(f"{name} has no value", str(error))

    def test_unknown(self) -> None:
        """
        Nothing else is a parameter, in whatever case.
        """
        for name in (
            *("", "x", "__class__", "Server_No_Context_Takeover", "serverBits"),
            *(SBITS.upper(), "max_window_bits", "no_context_takeover", "x" * 9000),
        ):
            for read in (readOffer, readAnswer):
                error = self.assertRaises(ValueError, read, {name: None})
                self.assertIn("an unknown parameter", str(error))
                self.assertLess(len(str(error)), 100)


class ServerTests(SynchronousTestCase):
    """
    What a server answers.
    """

    def check(self, rows: list[tuple[str, str | None]], **options: Any) -> None:
        """
        Compare offers and answers.
        """
        for offer, answer in rows:
            self.assertEqual(answerOf(offer, **options), answer, offer)

    def test_wide(self) -> None:
        """
        A server that wants nothing answers what it was asked for: both
        C{no_context_takeover} (without both of them some clients leave), and a
        window of its own.
        """
        self.check(
            [
                ("", ""),
                (SNCT, SNCT),
                (CNCT, CNCT),
                (f"{CNCT}; {SNCT}", f"{SNCT}; {CNCT}"),
                (CBITS, ""),
                (f"{CBITS}=15", ""),
                (f"{CBITS}=9", f"{CBITS}=9"),
                (f"{CBITS}=8", f"{CBITS}=8"),
                (f"{SBITS}=15", f"{SBITS}=15"),
                (f"{SBITS}=10", f"{SBITS}=10"),
                (f"{SBITS}=8", f"{SBITS}=8"),
                (
                    f"{CBITS}=12; {SBITS}=9; {CNCT}; {SNCT}",
                    f"{SNCT}; {CNCT}; {SBITS}=9; {CBITS}=12",
                ),
            ],
            **WIDE,
        )

    def test_default(self) -> None:
        """
        By default it asks for a smaller window of a client that can be asked, and
        tells that its own is smaller where it was asked for.
        """
        self.check(
            [
                ("", ""),
                (CBITS, f"{CBITS}=12"),
                (f"{CBITS}=15", f"{CBITS}=12"),
                (f"{CBITS}=10", f"{CBITS}=10"),
                (f"{SBITS}=15", f"{SBITS}=12"),
                (f"{SBITS}=12", f"{SBITS}=12"),
                (f"{SBITS}=11", f"{SBITS}=11"),
            ]
        )

    def test_ownWindow(self) -> None:
        """
        C{serverMaxWindowBits} below 15 is answered, asked for or not.
        """
        self.check(
            [
                ("", f"{SBITS}=10"),
                (f"{SBITS}=15", f"{SBITS}=10"),
                (f"{SBITS}=10", f"{SBITS}=10"),
                (f"{SBITS}=9", f"{SBITS}=9"),
            ],
            serverMaxWindowBits=10,
        )
        self.assertEqual(answerOf("", serverMaxWindowBits=14), f"{SBITS}=12")

    def test_ownTakeover(self) -> None:
        """
        It may want C{no_context_takeover} of itself and of the client, unasked.
        """
        rows: list[tuple[str, str | None]] = [("", SNCT), (SNCT, SNCT)]
        rows.append((CNCT, f"{SNCT}; {CNCT}"))
        self.check(rows, serverNoContextTakeover=True, **WIDE)
        rows = [("", CNCT), (CNCT, CNCT), (SNCT, f"{SNCT}; {CNCT}")]
        self.check(rows, clientNoContextTakeover=True, **WIDE)

    def test_clientWindowNotOffered(self) -> None:
        """
        It says nothing of the window of a client that has not offered to be asked,
        and decompresses what that may send.
        """
        for bits in range(8, 16):
            accepted = PerMessageDeflate(clientMaxWindowBits=bits).accept({})
            assert accepted is not None
            answer, server = accepted
            self.assertEqual(answer, {})
            self.assertEqual(server._inflater._bits, 15)  # type: ignore[attr-defined]

    def test_declined(self) -> None:
        """
        It declines what is malformed or unknown, whatever else is in the offer.
        """
        for bad in (
            *({name: value} for name in (SBITS, CBITS) for value in BAD_BITS),
            *({name: "1"} for name in (SNCT, CNCT)),
            *({name: None} for name in (SBITS, "x", "__class__", CBITS.upper())),
        ):
            for more in ({}, {SNCT: None}, {CNCT: None}):
                offer: dict[str, str | None] = {**more, **bad}  # type: ignore[dict-item]
                self.assertIsNone(PerMessageDeflate().accept(offer), repr(offer))

    def test_tooSmall(self) -> None:
        """
        A server whose library cannot keep a window of 8 bits declines an offer that
        wants one; every other is fine.
        """
        options = PerMessageDeflate()
        self.assertIsNotNone(options.accept({SBITS: "8"}))
        limited = implementationNamed("zlib")._replace(leastWindowBits=9)
        self.patch(deflate, "implementationNamed", lambda name: limited)
        self.assertIsNone(options.accept({SBITS: "8"}))
        self.assertIsNotNone(options.accept({SBITS: "9"}))
        self.assertIsNotNone(options.accept({CBITS: "8"}))


class OfferTests(SynchronousTestCase):
    """
    What a client offers.
    """

    def test_offers(self) -> None:
        """
        It offers what it is configured for, and always to be asked for a window.
        """
        for options, offer in (
            ({}, f"{CBITS}=12"),
            (WIDE, CBITS),
            ({"clientMaxWindowBits": 9}, f"{CBITS}=9"),
            ({"clientMaxWindowBits": 15, "windowBits": 10}, f"{CBITS}=10"),
            ({**WIDE, "serverMaxWindowBits": 9}, f"{SBITS}=9; {CBITS}"),
            ({**WIDE, "serverNoContextTakeover": True}, f"{SNCT}; {CBITS}"),
            ({**WIDE, "clientNoContextTakeover": True}, f"{CNCT}; {CBITS}"),
        ):
            made = PerMessageDeflate(**options)  # type: ignore[arg-type]
            self.assertEqual([written(each) for each in made.offers()], [offer])

    def test_presets(self) -> None:
        """
        No preset wants a window of the server: not all have one to give.
        """
        for make, offer in (
            (PerMessageDeflate.lowMemory, f"{SNCT}; {CNCT}; {CBITS}=12"),
            (PerMessageDeflate.balanced, f"{CBITS}=12"),
            (PerMessageDeflate.best, CBITS),
        ):
            self.assertEqual([written(each) for each in make().offers()], [offer])


class ClientTests(SynchronousTestCase):
    """
    What a client takes for an answer.
    """

    def accept(self, answer: str, **options: Any) -> Any:
        """
        @return: the extension.
        """
        return PerMessageDeflate(**options).accepted(parameters(answer))

    def refuse(self, answer: str, why: str, **options: Any) -> None:
        """
        Fail if this answer is accepted.
        """
        error = self.assertRaises(InvalidUpgrade, self.accept, answer, **options)
        self.assertIn(why, str(error))
        self.assertTrue(str(error).startswith("permessage-deflate: "))

    def test_malformed(self) -> None:
        """
        What is malformed or unknown fails the handshake.
        """
        for bad in (
            *({name: value} for name in (SBITS, CBITS) for value in BAD_BITS),
            *({name: "1"} for name in (SNCT, CNCT)),
            *({name: None} for name in (SBITS, CBITS, "x", SNCT.upper())),
        ):
            options = PerMessageDeflate()
            self.assertRaises(InvalidUpgrade, options.accepted, bad)

    def test_serverTakeover(self) -> None:
        """
        A server that was asked to forget has to say that it does; one that was not
        asked may.
        """
        self.accept(SNCT, serverNoContextTakeover=True)
        self.accept(SNCT)
        for answer in ("", CNCT):
            self.refuse(answer, SNCT, serverNoContextTakeover=True)

    def test_serverWindow(self) -> None:
        """
        A server that was asked for a window has to agree to it, or to a smaller one;
        one that was not asked may have any.
        """
        for bits in range(8, 16):
            self.accept(f"{SBITS}={bits}")
            for wanted in range(8, 15):
                if bits <= wanted:
                    self.accept(f"{SBITS}={bits}", serverMaxWindowBits=wanted)
                else:
                    self.refuse(
                        f"{SBITS}={bits}",
                        f"{wanted} bits",
                        serverMaxWindowBits=wanted,
                    )
        self.refuse("", "14 bits", serverMaxWindowBits=14)

    def test_clientWindow(self) -> None:
        """
        A client keeps to what it has offered, and to less if the server wants that.
        An answer over the offer changes nothing: some servers say what they have.
        """
        for offered in range(8, 16):
            for bits in range(8, 16):
                for options in (
                    {"clientMaxWindowBits": offered, "windowBits": 15},
                    {"clientMaxWindowBits": 15, "windowBits": offered},
                ):
                    extension = self.accept(f"{CBITS}={bits}", **options)
                    self.assertEqual(extension._deflater._how[1], min(offered, bits))

    def test_tooSmall(self) -> None:
        """
        A client whose library cannot keep a window of 8 bits cannot agree to one.
        """
        limited = implementationNamed("zlib")._replace(leastWindowBits=9)
        self.patch(deflate, "implementationNamed", lambda name: limited)
        self.refuse(f"{CBITS}=8", f"{CBITS}=8")
        self.accept(f"{CBITS}=9")

    def test_serversThatIgnore(self) -> None:
        """
        The answer of servers that say both C{no_context_takeover} whatever was
        offered is accepted, in the default configuration and in each preset.
        """
        for make in (
            PerMessageDeflate,
            PerMessageDeflate.lowMemory,
            PerMessageDeflate.balanced,
            PerMessageDeflate.best,
        ):
            make().accepted(parameters(f"{SNCT}; {CNCT}"))


class AgreementTests(SynchronousTestCase):
    """
    Both sides use what was agreed on.
    """

    def check(
        self,
        client: PerMessageDeflate,
        server: PerMessageDeflate,
        clientSends: tuple[int, bool],
        serverSends: tuple[int, bool],
        received: tuple[int, int],
    ) -> None:
        """
        Compare windows and whether they forget.

        @param received: the windows that the server, and the client, read with.
        """
        c, s = pair(client, server)
        for side, other, sends, reads in (
            (c, s, clientSends, received[0]),
            (s, c, serverSends, received[1]),
        ):
            deflater, inflater = side._deflater, other._inflater
            self.assertEqual((deflater._how[1], deflater._forgets), sends)
            self.assertEqual((inflater._bits, inflater._forgets), (reads, sends[1]))
        self.assertEqual(c.agreed, s.agreed)

    def test_default(self) -> None:
        """
        The server's window is smaller than the client was told: that needs no
        agreement.
        """
        plain = PerMessageDeflate()
        self.check(plain, plain, (12, False), (12, False), (12, 15))

    def test_best(self) -> None:
        """
        All windows are as large as they get.
        """
        best = PerMessageDeflate.best()
        self.check(best, best, (15, False), (15, False), (15, 15))
        self.check(best, PerMessageDeflate(), (12, False), (12, False), (12, 15))
        self.check(PerMessageDeflate(), best, (12, False), (15, False), (12, 15))

    def test_lowMemory(self) -> None:
        """
        It is enough that one of both does not want to remember.
        """
        low, plain = PerMessageDeflate.lowMemory(), PerMessageDeflate()
        for client, server in ((low, low), (low, plain), (plain, low)):
            self.check(client, server, (12, True), (12, True), (12, 15))

    def test_windows(self) -> None:
        """
        The smaller one of both counts, for each window.
        """
        for mine in range(8, 15):
            for yours in range(8, 15):
                client = PerMessageDeflate(
                    clientMaxWindowBits=mine, serverMaxWindowBits=yours, windowBits=15
                )
                server = PerMessageDeflate(
                    clientMaxWindowBits=yours, serverMaxWindowBits=mine, windowBits=15
                )
                bits = min(mine, yours)
                self.check(client, server, (bits, False), (bits, False), (bits, bits))

    def test_clientForgetsUnasked(self) -> None:
        """
        A client that has offered to forget does so, though the server, which was
        free to, has not asked it to (RFC 7692 section 7.1.1.2).
        """
        client = PerMessageDeflate(clientNoContextTakeover=True)
        extension: Any = client.accepted({})
        self.assertTrue(extension._deflater._forgets)
        self.assertFalse(extension._inflater._forgets)
