# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What the Python peers have in common: the payloads, and the conversation with the
tests over stdin and stdout, a JSON object a line.

Commands (C{do}), to a connection unless marked with *:

  * C{listen}*: serve on 127.0.0.1; C{tls} is C{null}, or the C{key} and C{certificate}
    files to use; C{deflate} is what to do about compression: C{null}: what the library
    does when it is told nothing; C{false}: without; otherwise, what to ask for, by the
    names of RFC 7692, such as C{{"server_max_window_bits": 9}};
  * C{connect}*: open the connection C{id} to C{url}, with C{version}, C{protocols},
    C{origin}, C{deflate}; C{ca} is the file of the authority to trust, C{alpn} what to
    offer in the TLS handshake;
  * C{send}: one message of a C{kind} and a C{size}: C{text} or C{binary}; or binary
    too, C{noise}, which does not get shorter by compression, and C{zeros}, which do;
  * C{plain}: the same, but not compressed; not all peers can;
  * C{fragments}: one message in frames of C{sizes};
  * C{ping}: with a C{payload};
  * C{close}: with a C{code} and a C{reason}.

Events (C{event}), of a connection unless marked with *:

  * C{listening}*: C{port};
  * C{open}: C{protocol}, and on servers C{version} and C{origin} as asked for;
  * C{refused}: the C{status} and the C{why} (a header field) of an HTTP response;
  * C{text}, C{binary}: C{length} in bytes and C{sha256};
  * C{pong}: C{payload};
  * C{close}: C{code} and C{reason};
  * C{error}: C{message}; of none if it was not a connection's.

The tests choose the C{id} of a connection; a client of theirs puts it into its URL, as
C{?id=}.  A server refuses C{/refuse} with 403 and the text C{not for you}; on
C{/greet} it sends five bytes of text as soon as it can; of subprotocols it speaks
C{chat.v1}.  A program ends when its stdin does.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import ssl
import sys
import traceback
from urllib.parse import parse_qs, urlsplit

SPOKEN = "chat.v1"
REFUSAL = "not for you"

_PATTERNS = {
    # A prime number of bytes, so that no part of a payload looks like another.
    "binary": bytes(range(251)),
    # Characters of one to four bytes.
    "text": "a\u00e9\u20ac\U0001f600".encode(),
    "noise": b"".join(hashlib.sha256(b"%d" % at).digest() for at in range(640)),
    "zeros": b"\0",
}


def payload(kind, size):
    """
    @return: the payload of a message of C{size} bytes, as bytes.
    """
    pattern = _PATTERNS[kind]
    whole, rest = divmod(size, len(pattern))
    return pattern * whole + (b"a" * rest if kind == "text" else pattern[:rest])


def message(kind, size):
    """
    @return: that message, C{str} or C{bytes}.
    """
    data = payload(kind, size)
    return data.decode() if kind == "text" else data


def pieces(kind, sizes):
    """
    @return: the payloads of its frames; what is text may end within a character.
    """
    data, at = payload(kind, sum(sizes)), 0
    for size in sizes:
        yield data[at : at + size]
        at += size


def describe(received):
    """
    @return: the event that a message is, as a C{dict}.
    """
    text = isinstance(received, str)
    data = received.encode() if text else bytes(received)
    return {
        "event": "text" if text else "binary",
        "length": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def emit(event, **fields):
    """
    Tell the tests.
    """
    print(json.dumps({"event": event, **fields}), flush=True)


def readTarget(target):
    """
    @return: the path of a request, and the id in it.
    """
    parts = urlsplit(target)
    return parts.path, int(parse_qs(parts.query).get("id", ["0"])[0])


def serverContext(tls):
    """
    @return: the L{ssl.SSLContext} of a C{listen} command, or C{None}.
    """
    if tls is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tls["certificate"], tls["key"])
    return context


def clientContext(command):
    """
    @return: the L{ssl.SSLContext} of a C{connect} command, or C{None}.
    """
    if command["ca"] is None:
        return None
    context = ssl.create_default_context(cafile=command["ca"])
    if command["alpn"]:
        context.set_alpn_protocols(command["alpn"])
    return context


class Program:
    """
    The base of a peer's program, which has coroutine methods C{listen(tls, deflate)}
    and C{connect(command)}.  The links in C{self.links}, by id, have C{send(message)},
    C{sendFragments(kind, pieces)}, C{ping(payload)} and C{close(code, reason)}; and
    C{sendPlain(message)}, where that is possible.
    """

    def __init__(self):
        self.links = {}
        self._tasks = set()

    def spawn(self, coroutine):
        """
        Run something beside the conversation; what fails in it is told.
        """
        task = asyncio.ensure_future(self._guarded(coroutine))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, coroutine, **fields):
        try:
            await coroutine
        except Exception:
            emit("error", message=traceback.format_exc(), **fields)

    async def converse(self):
        """
        Obey until stdin ends.
        """
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        while line := await reader.readline():
            command = json.loads(line)
            what, number = command.pop("do"), command.get("id")
            if what == "listen":
                await self._guarded(self._listen(**command))
            elif what == "connect":
                self.spawn(self._guarded(self.connect(command), id=number))
            else:
                await self._guarded(self._obey(what, command), id=number)

    async def _listen(self, tls, deflate):
        emit("listening", port=await self.listen(serverContext(tls), deflate))

    async def _obey(self, what, command):
        link = self.links[command["id"]]
        if what == "send":
            await link.send(message(command["kind"], command["size"]))
        elif what == "plain":
            await link.sendPlain(message(command["kind"], command["size"]))
        elif what == "fragments":
            kind = command["kind"]
            await link.sendFragments(kind, pieces(kind, command["sizes"]))
        elif what == "ping":
            self.spawn(link.ping(command["payload"].encode()))
        elif what == "close":
            self.spawn(link.close(command["code"], command["reason"]))
        else:
            raise ValueError(f"no such command: {what}")

    def main(self):
        """
        Run.
        """
        asyncio.run(self.converse())
