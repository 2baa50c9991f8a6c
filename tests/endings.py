# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
A table of what a server or a network does to a client, and of what becomes of its
connect.
"""

from __future__ import annotations

from OpenSSL import SSL
from service_identity import CertificateError, VerificationError
from twisted.internet.error import (
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    DNSLookupError,
)

from twisted_ws import ClosedAbruptly, ClosedCleanly, ProtocolViolation

from .fakeserver import (
    Arrive,
    Cancel,
    Drip,
    Drop,
    Flood,
    HalfClose,
    Reset,
    Send,
)
from .outcomes import (
    CANCELLED,
    TIMED_OUT,
    Ending,
    Failed,
    Invalid,
    Lost,
    Opened,
    Refused,
)
from .refusals import REFUSALS
from .responses import acceptOf, cut, head, switch
from .wire import BINARY, CLOSE, TEXT, rawFrame

OPENINGS = [
    Ending("A valid answer", (Send(switch()),), Opened()),
    Ending("A valid answer, byte by byte", (Drip(switch(), 0),), Opened()),
    Ending(
        "The first frames in the segment of the 101",
        (Send(switch(after=rawFrame(TEXT, b"hello") + rawFrame(BINARY, b"\x00\xff"))),),
        Opened(messages=("hello", b"\x00\xff")),
    ),
    Ending(
        "A Close frame in the segment of the 101",
        (Send(switch(after=rawFrame(CLOSE, b"\x03\xe9bye"))), Drop()),
        Opened(ended=ClosedCleanly, code=1001),
    ),
    Ending(
        "Garbage in the segment of the 101",
        (Send(switch(after=b"\xff\xff\xff\xff")), Drop()),
        Opened(ended=ClosedAbruptly, cause=ProtocolViolation),
    ),
    Ending(
        "A 101 and the end of the connection",
        (Send(switch()), Drop()),
        Opened(ended=ClosedAbruptly),
    ),
    Ending(
        "A 101 and half the end of the connection",
        (Send(switch()), HalfClose()),
        Opened(ended=ClosedAbruptly),
    ),
    Ending(
        "A 101 and a reset",
        (Send(switch()), Arrive(), Reset()),
        Opened(ended=ClosedAbruptly, cause=ConnectionLost),
    ),
    Ending(
        "Interim responses before the 101",
        (
            Send(
                switch(
                    before=head("HTTP/1.1 100 Continue")
                    + head("HTTP/1.1 103 Early Hints", "Link: </a.css>; rel=preload")
                )
            ),
        ),
        Opened(),
    ),
    Ending(
        "Ten interim responses",
        (Send(switch(before=head("HTTP/1.1 102 Processing") * 10)),),
        Opened(),
    ),
    Ending(
        "Connection: keep-alive, Upgrade",
        (Send(switch(connection="Connection: keep-alive, Upgrade")),),
        Opened(),
    ),
    Ending(
        "Two Connection fields", (Send(switch("Connection: keep-alive")),), Opened()
    ),
    Ending(
        "Names and values in other case",
        (
            Send(
                switch(
                    upgrade="UPGRADE:WebSocket",
                    connection="connection:\tuPGRADE ",
                    accept="SEC-WEBSOCKET-ACCEPT:   {}  ",
                )
            ),
        ),
        Opened(),
    ),
    Ending(
        "A 101 without a reason phrase",
        (Send(switch("Server: x", "X-Latin: \xe9", start="HTTP/1.1 101")),),
        Opened(),
    ),
    Ending(
        "A subprotocol that was asked for",
        (Send(switch("Sec-WebSocket-Protocol: b")),),
        Opened(protocol="b"),
        protocols=("a", "b"),
    ),
    Ending(
        "None of the subprotocols asked for",
        (Send(switch()),),
        Opened(),
        protocols=("a", "b"),
    ),
    Ending(
        "An empty Sec-WebSocket-Extensions",
        (Send(switch("Sec-WebSocket-Extensions: ")),),
        Opened(),
    ),
    Ending(
        "As many header lines as may be", (Send(switch(*["X: y"] * 125)),), Opened()
    ),
    Ending(
        "A header line as long as may be",
        (Send(switch("X: ".ljust(8192, "y"))),),
        Opened(),
    ),
]

DROPS = [
    Ending(
        "A drop before the request is read",
        (Drop(),),
        Lost((ConnectionDone, ConnectionLost)),
        readsRequest=False,
    ),
    Ending("A drop before any byte", (Drop(),), Lost()),
    Ending("A reset before any byte", (Reset(),), Lost(ConnectionLost)),
    Ending("Half a drop before any byte", (HalfClose(),), Lost()),
    Ending("A drop within the status line", (Send(b"HTTP/1.1 1"), Drop()), Lost()),
    Ending(
        "A drop within the headers",
        (Send(b"HTTP/1.1 101 Switching\r\nUpgrade: webs"), Drop()),
        Lost(),
    ),
    Ending(
        "A reset within the headers",
        (Send(b"HTTP/1.1 101 Switching\r\nUpgrade: webs"), Arrive(), Reset()),
        Lost(ConnectionLost),
    ),
    Ending("A drop before the empty line", (Send(cut(switch(), -2)), Drop()), Lost()),
    Ending(
        "A drop after an interim response",
        (Send(head("HTTP/1.1 100 Continue")), Drop()),
        Lost(),
    ),
]

SILENCES = [
    Ending(
        "Silence from the start", (), TIMED_OUT, atDeadline=True, readsRequest=False
    ),
    Ending("Silence after the request", (), TIMED_OUT, atDeadline=True),
    Ending(
        "Silence within the head",
        (Send(b"HTTP/1.1 101 Switching\r\nUpgrade: webs"),),
        TIMED_OUT,
        atDeadline=True,
    ),
    Ending(
        "Silence after an interim response",
        (Send(head("HTTP/1.1 100 Continue")),),
        TIMED_OUT,
        atDeadline=True,
    ),
    Ending("A byte a second", (Drip(switch()),), TIMED_OUT, atDeadline=True),
]

GARBAGE = [
    Ending("A body without a head", (Send(b"<p>Hello</p>\n"), Drop()), Lost()),
    Ending(
        "Another protocol's greeting",
        (Send(b"SSH-2.0-OpenSSH_9.2\r\n"),),
        Invalid("a malformed status line"),
    ),
    Ending(
        "Binary garbage",
        (Send(bytes(range(256)) * 64),),
        Invalid("a line of the head is too long (option: maxHeaderLine)"),
    ),
    Ending(
        "An empty line",
        (Send(b"\r\n" + head("HTTP/1.1 200 OK")),),
        Invalid("a malformed status line"),
    ),
    Ending(
        "The preface of HTTP/2",
        (Send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),),
        Invalid("a malformed status line"),
    ),
    Ending(
        "A 101 of HTTP/2",
        (Send(switch(start="HTTP/2 101 Switching Protocols")),),
        Invalid("a malformed status line"),
    ),
    Ending(
        "A status of two digits",
        (Send(switch(start="HTTP/1.1 10 Switching Protocols")),),
        Invalid("a malformed status line"),
    ),
    Ending(
        "NUL in the status line",
        (Send(switch(start="HTTP/1.1 101 Switching\0Protocols")),),
        Invalid("a malformed status line"),
    ),
    Ending(
        "Bare line feeds only",
        (Send(lambda key: switch()(key).replace(b"\r\n", b"\n")),),
        TIMED_OUT,
        atDeadline=True,
    ),
    *(
        Ending(name, (Send(switch(line)),), Invalid(message))
        for name, line, message in (
            ("A bare line feed", "X: y\nZ: z", "a malformed header field"),
            ("A bare carriage return", "X: y\rz", "a malformed header field"),
            ("NUL in a header", "X: y\0z", "a malformed header field"),
            ("DEL in a header", "X: y\x7fz", "a malformed header field"),
            ("Space before a colon", "X : y", "a malformed header field"),
            ("A header without a name", ": y", "a malformed header field"),
            ("A name that is no token", "X\xe9: y", "a malformed header field"),
            ("A folded header", "X: y\r\n z", "a header line without a colon"),
            (
                "A folded header with a colon",
                "X: y\r\n z: a",
                "a malformed header field",
            ),
        )
    ),
]

VIOLATIONS = [
    Ending(name, (Send(answer),), Invalid(message), protocols=("chat",))
    for name, answer, message in (
        (
            "A wrong accept",
            switch(accept="Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            "a wrong Sec-WebSocket-Accept in the response",
        ),
        (
            "An accept in other case",
            lambda key: switch(
                accept=f"Sec-WebSocket-Accept: {acceptOf(key).swapcase()}"
            )(key),
            "a wrong Sec-WebSocket-Accept in the response",
        ),
        (
            "No accept",
            switch(accept=None),
            "a wrong Sec-WebSocket-Accept in the response",
        ),
        (
            "Two accepts",
            switch("Sec-WebSocket-Accept: x"),
            "2 sec-websocket-accept header fields",
        ),
        (
            "The right accept twice",
            switch(accept="Sec-WebSocket-Accept: {0}\r\nSec-WebSocket-Accept: {0}"),
            "2 sec-websocket-accept header fields",
        ),
        ("No Upgrade", switch(upgrade=None), "no Upgrade: websocket in the response"),
        (
            "Upgrade: h2c",
            switch(upgrade="Upgrade: h2c"),
            "no Upgrade: websocket in the response",
        ),
        ("Two Upgrades", switch("Upgrade: websocket"), "2 upgrade header fields"),
        (
            "Connection: keep-alive",
            switch(connection="Connection: keep-alive"),
            "no Connection: Upgrade in the response",
        ),
        (
            "No Connection",
            switch(connection=None),
            "no Connection: Upgrade in the response",
        ),
        (
            "A Connection that is no list of tokens",
            switch(connection='Connection: Upgrade, "x"'),
            "Connection has an element that is not a token",
        ),
        (
            "A subprotocol that was not offered",
            switch("Sec-WebSocket-Protocol: other"),
            "a subprotocol that was not offered: 'other'",
        ),
        (
            "A subprotocol in other case",
            switch("Sec-WebSocket-Protocol: CHAT"),
            "a subprotocol that was not offered: 'CHAT'",
        ),
        (
            "An empty subprotocol",
            switch("Sec-WebSocket-Protocol: "),
            "a subprotocol that was not offered: ''",
        ),
        (
            "Two subprotocols",
            switch("Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: chat"),
            "2 sec-websocket-protocol header fields",
        ),
        (
            "A list of subprotocols",
            switch("Sec-WebSocket-Protocol: chat, other"),
            "a subprotocol that was not offered: 'chat, other'",
        ),
        (
            "An extension that was not offered",
            switch("Sec-WebSocket-Extensions: permessage-deflate"),
            "an extension that was not offered: 'permessage-deflate'",
        ),
        (
            "A 101 of HTTP/1.0",
            switch(start="HTTP/1.0 101 Switching Protocols"),
            "an upgrade by HTTP/1.0",
        ),
    )
] + [
    Ending(
        "A subprotocol when none was offered",
        (Send(switch("Sec-WebSocket-Protocol: chat")),),
        Invalid("a subprotocol that was not offered: 'chat'"),
    )
]

LIMITS = [
    Ending(name, script, Invalid(message))
    for name, script, message in (
        (
            "A header line over 8 KiB",
            (Send(switch("X: ".ljust(8193, "y"))),),
            "a line of the head is too long (option: maxHeaderLine)",
        ),
        (
            "A header line without end",
            (Send(b"HTTP/1.1 101 Switching\r\nX: "), Flood(b"y" * 4096)),
            "a line of the head is too long (option: maxHeaderLine)",
        ),
        (
            "A status line without end",
            (Flood(b"HTTP/1.1 101 "),),
            "a line of the head is too long (option: maxHeaderLine)",
        ),
        (
            "129 header lines",
            (Send(switch(*["X: y"] * 126)),),
            "too many header lines (option: maxHeaderLines)",
        ),
        (
            "Header lines without end",
            (Send(b"HTTP/1.1 101 Switching\r\n"), Flood(b"X: y\r\n")),
            "too many header lines (option: maxHeaderLines)",
        ),
        (
            "A head over 16 KiB",
            (Send(switch(*["X: ".ljust(4096, "y")] * 4)),),
            "the head is too long (option: maxHeaderSize)",
        ),
        (
            "Interim responses over 16 KiB",
            (Send(head("HTTP/1.1 103 Hints", "X: ".ljust(4096, "y")) * 4),),
            "the head is too long (option: maxHeaderSize)",
        ),
        (
            "Eleven interim responses",
            (Send(switch(before=head("HTTP/1.1 102 Processing") * 11)),),
            "more than 10 interim responses",
        ),
        (
            "Interim responses without end",
            (Flood(head("HTTP/1.1 100 Continue")),),
            "more than 10 interim responses",
        ),
    )
]

CANCELLATIONS = [
    Ending(
        "Cancelled while the name resolves",
        (),
        CANCELLED,
        network="unresolved",
        cancelled=True,
    ),
    Ending("Cancelled while connecting", (), CANCELLED, cancelled=True),
    Ending("Cancelled before any byte", (Cancel(),), CANCELLED),
    Ending(
        "Cancelled within the head",
        (Send(b"HTTP/1.1 101 Switching\r\nUpgrade: webs"), Arrive(), Cancel()),
        CANCELLED,
    ),
    Ending(
        "Cancelled within the body of a refusal",
        (
            Send(head("HTTP/1.1 403 No", "Content-Length: 9") + b"Forb"),
            Arrive(),
            Cancel(),
        ),
        CANCELLED,
    ),
    Ending("Cancelled when it is open", (Send(switch()), Arrive(), Cancel()), Opened()),
]

NETWORK = [
    Ending(
        "A connection refused",
        (),
        Failed(ConnectionRefusedError),
        # HostnameEndpoint waits before it finds that there is no further address.
        takes=0.5,
        network="refuses",
    ),
    Ending("A connection ignored", (), TIMED_OUT, atDeadline=True, network="ignores"),
    Ending("A host unknown", (), Failed(DNSLookupError), network="unknown"),
    Ending(
        "A name that does not resolve",
        (),
        TIMED_OUT,
        atDeadline=True,
        network="unresolved",
    ),
]

_NOT_VERIFIED = "certificate verify failed"

TLS = [
    Ending(name, script, expected, isSecure=True, certificate=certificate, **more)
    for name, certificate, script, expected, more in (
        ("TLS, a valid answer", "good", (Send(switch()),), Opened(), {}),
        (
            "TLS, the first frames in the segment of the 101",
            "good",
            (Send(switch(after=rawFrame(TEXT, b"hello"))),),
            Opened(messages=("hello",)),
            {},
        ),
        (
            "TLS, a refusal",
            "good",
            (Send(head("HTTP/1.1 403 No", "Content-Length: 2") + b"No"),),
            Refused(403, "No", ("Content-Length: 2",), b"No"),
            {},
        ),
        (
            "TLS, a refusal that ends with the connection",
            "good",
            (Send(head("HTTP/1.1 403 No") + b"Forbidden"), Drop()),
            Refused(403, "No", (), b"Forbidden"),
            {},
        ),
        (
            "TLS, a refusal that is reset",
            "good",
            (Send(head("HTTP/1.1 403 No") + b"Forb"), Arrive(), Reset()),
            Refused(403, "No", (), b"Forb"),
            {},
        ),
        ("TLS, a drop", "good", (Drop(),), Lost(), {}),
        ("TLS, a reset", "good", (Reset(),), Lost(ConnectionLost), {}),
        ("TLS, silence", "good", (), TIMED_OUT, {"atDeadline": True}),
        ("TLS, cancelled", "good", (Cancel(),), CANCELLED, {}),
        (
            "A certificate for another host",
            "other host",
            (),
            Lost(VerificationError, "127.0.0.1"),
            {},
        ),
        (
            "A certificate for no host",
            "no host",
            (Send(switch()),),
            Lost((VerificationError, CertificateError)),
            {},
        ),
        ("An expired certificate", "expired", (), Lost(SSL.Error, _NOT_VERIFIED), {}),
        (
            "A certificate of an unknown authority",
            "unknown authority",
            (),
            Lost(SSL.Error, _NOT_VERIFIED),
            {},
        ),
        (
            "A certificate signed by itself",
            "self-signed",
            (),
            Lost(SSL.Error, _NOT_VERIFIED),
            {},
        ),
        (
            "Plain HTTP where TLS should be",
            None,
            (Send(head("HTTP/1.1 400 Bad Request") + b"TLS is required"), Drop()),
            Lost(SSL.Error, "SSL routines"),
            {"readsRequest": False},
        ),
        (
            "A drop instead of a TLS handshake",
            None,
            (Arrive(), Drop()),
            Lost(ConnectionLost),
            {"readsRequest": False},
        ),
        (
            "Silence instead of a TLS handshake",
            None,
            (),
            TIMED_OUT,
            {"readsRequest": False, "atDeadline": True},
        ),
        (
            "Cancelled within the TLS handshake",
            None,
            (Arrive(), Cancel()),
            CANCELLED,
            {"readsRequest": False},
        ),
    )
]

PLAIN = (
    OPENINGS
    + REFUSALS
    + DROPS
    + SILENCES
    + GARBAGE
    + VIOLATIONS
    + LIMITS
    + CANCELLATIONS
    + NETWORK
)
