# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
RFC 6455 section 9.1, RFC 7692 sections 5 and 7.1: the extensions that clients offer,
and what servers answer them.
"""

from __future__ import annotations

from .negotiating import ALL, BAD_SYNTAX, AnswerRow, D, OfferedRow, wanting
from .table import RowTests

TAKEN = [
    AnswerRow("9.1 no answer", (), True, isUsed=False),
    AnswerRow("9.1 an empty answer", ("",), True, isUsed=False),
    *[
        AnswerRow(f"RFC 7692 7.1 answer with {name}", (answer,), True)
        for name, answer in (
            ("nothing special", D),
            ("all parameters", ALL),
            ("spaces", f" {D} ; server_max_window_bits = 10 "),
            ("a value in quotes", f'{D}; server_max_window_bits="10"'),
            ("an empty element", f"{D},"),
            ("server no context takeover", f"{D}; server_no_context_takeover"),
            ("client no context takeover", f"{D}; client_no_context_takeover"),
            *[
                (f"server bits {n}", f"{D}; server_max_window_bits={n}")
                for n in (8, 9, 15)
            ],
            *[
                (f"client bits {n}", f"{D}; client_max_window_bits={n}")
                for n in (8, 9, 15)
            ],
        )
    ],
    *[
        AnswerRow(
            f"RFC 7692 {section} agreement to {name}",
            (f"{D}; {answer}",),
            True,
            wanting(**options),
        )
        for section, name, answer, options in (
            (
                "7.1.1.1",
                "server no context takeover",
                "server_no_context_takeover",
                {"serverNoContextTakeover": True},
            ),
            (
                "7.1.2.1",
                "server bits 10",
                "server_max_window_bits=10",
                {"serverMaxWindowBits": 10},
            ),
            (
                "7.1.2.1",
                "fewer server bits than 10",
                "server_max_window_bits=9",
                {"serverMaxWindowBits": 10},
            ),
            (
                "7.1.2.2",
                "client bits 10",
                "client_max_window_bits=10",
                {"clientMaxWindowBits": 10},
            ),
            (
                "7.1.2.2",
                "fewer client bits than 10",
                "client_max_window_bits=9",
                {"clientMaxWindowBits": 10},
            ),
        )
    ],
    # Hints: the client does as it has said whether the server agrees or not.
    AnswerRow(
        "RFC 7692 7.1.1.2 no agreement to client no context takeover",
        (D,),
        True,
        wanting(clientNoContextTakeover=True),
    ),
    AnswerRow(
        "RFC 7692 7.1.2.2 more client bits than offered",
        (f"{D}; client_max_window_bits=12",),
        True,
        wanting(clientMaxWindowBits=10),
    ),
    AnswerRow(
        "RFC 7692 7.1.2.2 no agreement to client bits",
        (D,),
        True,
        wanting(clientMaxWindowBits=10),
    ),
]
"""
Answers that a client takes.
"""

REFUSED = [
    AnswerRow("9.1 answer to a client without extensions", (D,), False, ()),
    AnswerRow("9.1 an extension that was not offered", ("x-other",), False),
    AnswerRow(
        "9.1 an extension that was not offered beside one that was",
        (f"{D}, x-other",),
        False,
    ),
    AnswerRow("9.1 a name in capitals in the answer", ("Permessage-Deflate",), False),
    AnswerRow("9.1 an extension that is accepted twice", (f"{D}, {D}",), False),
    AnswerRow("9.1 an extension that is accepted in two fields", (D, D), False),
    *[
        AnswerRow(f"RFC 7692 7.1 refused for {name}", (f"{D}; {parameters}",), False)
        for name, parameters in (
            ("an unknown parameter", "x"),
            ("an unknown parameter among others", "server_no_context_takeover; x=1"),
            ("a parameter in capitals", "SERVER_NO_CONTEXT_TAKEOVER"),
            (
                "a parameter twice",
                "server_no_context_takeover; server_no_context_takeover",
            ),
            ("bits twice", "client_max_window_bits=10; client_max_window_bits=11"),
            ("a value of server no context takeover", "server_no_context_takeover=1"),
            ("a value of client no context takeover", "client_no_context_takeover=1"),
            ("server bits without a value", "server_max_window_bits"),
            ("client bits without a value", "client_max_window_bits"),
        )
    ],
    *[
        AnswerRow(
            f"RFC 7692 7.1.2 refused for {side} bits {name}",
            (f"{D}; {side}_max_window_bits={value}",),
            False,
        )
        for side in ("server", "client")
        for name, value in (
            ("7", "7"),
            ("16", "16"),
            ("0", "0"),
            ("with a leading zero", "08"),
            ("with a sign", "+9"),
            ("that is a word", "ten"),
        )
    ],
    *[
        AnswerRow(
            f"RFC 7692 {section} no agreement to {name}",
            (f"{D}{answer}",),
            False,
            wanting(**options),
        )
        for section, name, answer, options in (
            (
                "7.1.1.1",
                "server no context takeover",
                "",
                {"serverNoContextTakeover": True},
            ),
            ("7.1.2.1", "server bits", "", {"serverMaxWindowBits": 10}),
            (
                "7.1.2.1",
                "so few server bits",
                "; server_max_window_bits=11",
                {"serverMaxWindowBits": 10},
            ),
        )
    ],
]
"""
Answers that a client refuses: there is no connection then.
"""

MALFORMED = [
    *[
        AnswerRow(f"9.1 answer with {name}", (field,), False)
        for name, field in BAD_SYNTAX
    ],
    AnswerRow(
        "9.1 a malformed answer to a client without extensions", (f"{D};",), False, ()
    ),
]
"""
Answers that are malformed.
"""

OFFERED = [
    OfferedRow("9.1 client without extensions", (), None),
    OfferedRow(
        "RFC 7692 7.1 client that wants nothing special",
        wanting(),
        f"{D}; client_max_window_bits",
    ),
    OfferedRow(
        "RFC 7692 7.1.1.1 client that wants a server to forget",
        wanting(serverNoContextTakeover=True),
        f"{D}; server_no_context_takeover; client_max_window_bits",
    ),
    OfferedRow(
        "RFC 7692 7.1.1.2 client that forgets",
        wanting(clientNoContextTakeover=True),
        f"{D}; client_no_context_takeover; client_max_window_bits",
    ),
    OfferedRow(
        "RFC 7692 7.1.2.1 client that wants a small window of the server",
        wanting(serverMaxWindowBits=9),
        f"{D}; server_max_window_bits=9; client_max_window_bits",
    ),
    OfferedRow(
        "RFC 7692 7.1.2.2 client with a small window",
        wanting(clientMaxWindowBits=9),
        f"{D}; client_max_window_bits=9",
    ),
    OfferedRow(
        "RFC 7692 7.1.2.2 client with a small compressor",
        wanting(windowBits=11),
        f"{D}; client_max_window_bits=11",
    ),
    OfferedRow(
        "RFC 7692 7.1 client that wants all of it",
        wanting(
            serverNoContextTakeover=True,
            clientNoContextTakeover=True,
            serverMaxWindowBits=10,
            clientMaxWindowBits=11,
        ),
        ALL,
    ),
]
"""
What clients offer.
"""


class ClientNegotiatingTests(
    RowTests, rows=[*TAKEN, *REFUSED, *MALFORMED, *OFFERED], versions=(13, 8)
):
    """
    A client takes what a server has chosen of its offers, and nothing else.
    """
