# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
RFC 6455 section 9.1, RFC 7692 sections 5 and 7.1: the extensions that clients offer to
our servers.
"""

from __future__ import annotations

from .negotiating import ALL, BAD_SYNTAX, D, OfferRow, wanting
from .table import RowTests

ACCEPTED = [
    OfferRow(f"RFC 7692 {section} {name}", offers, answer)
    for section, name, offers, answer in (
        ("5.1", "nothing special", (D,), D),
        (
            "7.1.1.1",
            "server no context takeover",
            (f"{D}; server_no_context_takeover",),
            f"{D}; server_no_context_takeover",
        ),
        (
            "7.1.1.2",
            "client no context takeover",
            (f"{D}; client_no_context_takeover",),
            f"{D}; client_no_context_takeover",
        ),
        (
            "7.1.2.1",
            "server bits 8",
            (f"{D}; server_max_window_bits=8",),
            f"{D}; server_max_window_bits=8",
        ),
        (
            "7.1.2.1",
            "server bits 10",
            (f"{D}; server_max_window_bits=10",),
            f"{D}; server_max_window_bits=10",
        ),
        (
            "7.1.2.1",
            "server bits 15",
            (f"{D}; server_max_window_bits=15",),
            f"{D}; server_max_window_bits=15",
        ),
        (
            "7.1.2.2",
            "client bits without a value",
            (f"{D}; client_max_window_bits",),
            D,
        ),
        (
            "7.1.2.2",
            "client bits 10",
            (f"{D}; client_max_window_bits=10",),
            f"{D}; client_max_window_bits=10",
        ),
        (
            "7.1.2.2",
            "client bits 8",
            (f"{D}; client_max_window_bits=8",),
            f"{D}; client_max_window_bits=8",
        ),
        ("7.1", "all parameters", (ALL,), ALL),
        (
            "7.1",
            "all parameters the other way round",
            (f"{D}; {'; '.join(ALL.split('; ')[:0:-1])}",),
            ALL,
        ),
        (
            "7.1.2.1",
            "value in quotes",
            (f'{D}; server_max_window_bits="10"',),
            f"{D}; server_max_window_bits=10",
        ),
        (
            "7.1.2.1",
            "value in quotes with an escape",
            (f'{D}; server_max_window_bits="1\\0"',),
            f"{D}; server_max_window_bits=10",
        ),
        (
            "5.1",
            "spaces and tabs",
            (f" {D} \t;\tserver_max_window_bits\t= 10 ",),
            f"{D}; server_max_window_bits=10",
        ),
        ("5.1", "empty elements", (f", ,{D},,",), D),
        ("5.1", "another extension before it", (f"x-other; a=b; c, {D}",), D),
        ("5.1", "another extension behind it", (f"{D}, x-other",), D),
        (
            "5.1",
            "old extensions before it",
            (f"deflate-stream, x-webkit-deflate-frame, {D}",),
            D,
        ),
        (
            "5.2",
            "first of two offers",
            (f"{D}; server_max_window_bits=10, {D}",),
            f"{D}; server_max_window_bits=10",
        ),
        (
            "5.2",
            "first of two fields",
            (f"{D}; server_max_window_bits=10", D),
            f"{D}; server_max_window_bits=10",
        ),
        (
            "5.2",
            "second where the first has an unknown parameter",
            (f"{D}; x, {D}; server_max_window_bits=9",),
            f"{D}; server_max_window_bits=9",
        ),
        (
            "5.2",
            "second where the first has a bad value",
            (f"{D}; server_max_window_bits=16, {D}",),
            D,
        ),
        ("5.2", "second field where the first is declined", (f"{D}; x", D), D),
        (
            "5.2",
            "third where two are declined",
            (f"{D}; x, {D}; y, {D}; client_no_context_takeover",),
            f"{D}; client_no_context_takeover",
        ),
    )
]
"""
Offers that a server without wishes of its own accepts.
"""

WISHES = [
    OfferRow(
        f"RFC 7692 {section} server wants {name}", (offer,), answer, wanting(**options)
    )
    for section, name, offer, answer, options in (
        (
            "7.1.1.1",
            "to forget",
            D,
            f"{D}; server_no_context_takeover",
            {"serverNoContextTakeover": True},
        ),
        (
            "7.1.1.1",
            "to forget as it is asked",
            f"{D}; server_no_context_takeover",
            f"{D}; server_no_context_takeover",
            {"serverNoContextTakeover": True},
        ),
        (
            "7.1.1.2",
            "the client to forget",
            D,
            f"{D}; client_no_context_takeover",
            {"clientNoContextTakeover": True},
        ),
        (
            "7.1.2.1",
            "a small window of its own",
            D,
            f"{D}; server_max_window_bits=10",
            {"serverMaxWindowBits": 10},
        ),
        (
            "7.1.2.1",
            "a smaller window than it is asked for",
            f"{D}; server_max_window_bits=12",
            f"{D}; server_max_window_bits=10",
            {"serverMaxWindowBits": 10},
        ),
        (
            "7.1.2.1",
            "a larger window than it is asked for",
            f"{D}; server_max_window_bits=9",
            f"{D}; server_max_window_bits=9",
            {"serverMaxWindowBits": 10},
        ),
        (
            "7.1.2.2",
            "a small window of the client",
            f"{D}; client_max_window_bits",
            f"{D}; client_max_window_bits=10",
            {"clientMaxWindowBits": 10},
        ),
        (
            "7.1.2.2",
            "a smaller window than the client",
            f"{D}; client_max_window_bits=12",
            f"{D}; client_max_window_bits=10",
            {"clientMaxWindowBits": 10},
        ),
        (
            "7.1.2.2",
            "a larger window than the client",
            f"{D}; client_max_window_bits=9",
            f"{D}; client_max_window_bits=9",
            {"clientMaxWindowBits": 10},
        ),
        (
            "7.1.2.2",
            "a small window of a client that cannot",
            D,
            D,
            {"clientMaxWindowBits": 10},
        ),
        (
            "7.1",
            "all of it",
            f"{D}; client_max_window_bits",
            ALL,
            {
                "serverNoContextTakeover": True,
                "clientNoContextTakeover": True,
                "serverMaxWindowBits": 10,
                "clientMaxWindowBits": 11,
            },
        ),
    )
]
"""
Servers with wishes of their own.
"""

DECLINED = [
    *[
        OfferRow(f"RFC 7692 7.1 declined for {name}", (f"{D}; {parameters}",), None)
        for name, parameters in (
            ("an unknown parameter", "x"),
            (
                "an unknown parameter among others",
                "server_no_context_takeover; x=1; client_max_window_bits",
            ),
            ("the name of a parameter in capitals", "SERVER_NO_CONTEXT_TAKEOVER"),
            (
                "a parameter twice",
                "server_no_context_takeover; server_no_context_takeover",
            ),
            ("bits twice", "server_max_window_bits=10; server_max_window_bits=10"),
            (
                "bits twice with and without a value",
                "client_max_window_bits; client_max_window_bits=10",
            ),
        )
    ],
    *[
        OfferRow(
            f"RFC 7692 7.1.1 declined for {side} no context takeover {name}",
            (f"{D}; {side}_no_context_takeover={value}",),
            None,
        )
        for side in ("server", "client")
        for name, value in (("of 1", "1"), ("of true", "true"), ("of 15", "15"))
    ],
    OfferRow(
        "RFC 7692 7.1.2.1 declined for server bits without a value",
        (f"{D}; server_max_window_bits",),
        None,
    ),
    *[
        OfferRow(
            f"RFC 7692 7.1.2 declined for {side} bits {name}",
            (f"{D}; {side}_max_window_bits={value}",),
            None,
        )
        for side in ("server", "client")
        for name, value in (
            ("7", "7"),
            ("16", "16"),
            ("0", "0"),
            ("with a leading zero", "08"),
            ("with a sign", "+9"),
            ("below zero", "-9"),
            ("with a fraction", "9.0"),
            ("in hexadecimal", "0x9"),
            ("that is a word", "ten"),
            ("of many digits", "9" * 100),
        )
    ],
    OfferRow("9.1 no offers", (), None),
    OfferRow("9.1 an empty field", ("",), None),
    OfferRow("9.1 commas alone", (", ,",), None),
    OfferRow("9.1 an extension that nobody knows", ("x-other; a=b",), None),
    OfferRow("9.1 a name in capitals", ("Permessage-Deflate",), None),
    OfferRow("9.1 a name that goes on", (f"{D}r, x{D}",), None),
    OfferRow(
        "9.1 other compression",
        ("permessage-bzip2, deflate-frame, x-webkit-deflate-frame, deflate-stream",),
        None,
    ),
    OfferRow(
        "9.1 a server without extensions", (f"{D}; client_max_window_bits",), None, ()
    ),
]
"""
Offers that are declined: the connection has no compression then.
"""

MALFORMED = [
    *[
        OfferRow(f"9.1 offer with {name}", (field,), None, status=400)
        for name, field in BAD_SYNTAX
    ],
    OfferRow(
        "9.1 a good offer and one that is malformed", (D, f"{D};"), None, status=400
    ),
    OfferRow(
        "9.1 a malformed offer for a server without extensions",
        (f"{D};",),
        None,
        (),
        400,
    ),
]
"""
Offers that are malformed.
"""


class ServerNegotiatingTests(
    RowTests, rows=[*ACCEPTED, *WISHES, *DECLINED, *MALFORMED], versions=(13, 8)
):
    """
    An extension is in use exactly if the server has told that it accepts an offer.
    """
