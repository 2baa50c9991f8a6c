# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Attacks on a WebSocket server on a port of this machine, as an attacker carries them
out: with sockets that block, and nothing but the standard library.

Each of L{ATTACKS} takes a port on which a server echoes messages at C{/}, and returns
what came of it in a few words: a close code, a status of HTTP, C{reset}, C{dropped},
C{accepted}, or C{held} if the server just does not read on.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat

from .attacker import (
    DEFLATE,
    HANDSHAKE,
    MIB,
    PATIENCE,
    READ,
    Attacker,
    chunked,
    frame,
)

# The opening handshake


def headerInBytes(port: int) -> str:
    """
    A header line of 200 kB, a segment for each byte.
    """
    with Attacker(port, None) as a:
        a.send([b"GET / HTTP/1.1\r\nX: "])
        a.send(repeat(b"a", 200_000))
        return a.wait(lambda: False) or "held"


def endlessHeader(port: int) -> str:
    """
    A header line of 64 MiB.
    """
    with Attacker(port, None) as a:
        a.send([b"GET / HTTP/1.1\r\nX: "])
        a.send(chunked(b"a", 64 * MIB))
        return a.wait(lambda: False) or "held"


def manyHeaders(port: int) -> str:
    """
    The same header line a million times.
    """
    with Attacker(port, None) as a:
        a.send([b"GET / HTTP/1.1\r\n"])
        a.send(chunked(b"A: b\r\n", 1_000_000))
        return a.wait(lambda: False) or "held"


def halfHandshakes(port: int, many: int = 2000) -> str:
    """
    Two thousand connections that send half of a handshake, at once.
    """
    attackers: list[Attacker] = []
    try:
        for _ in range(many):
            attackers.append(Attacker(port, None))
            attackers[-1].send([HANDSHAKE])
        time.sleep(0.5)
        for a in attackers:
            a.wait(lambda: False, 0)
        refused = [a.outcome for a in attackers if a.outcome]
        if not refused:
            return "held"
        return f"{len(refused)} of {many} refused with {refused[0]}"
    finally:
        for a in attackers:
            a.__exit__()


def resets(port: int, many: int = 2000) -> str:
    """
    Two thousand connections that are reset: before, within and behind their
    handshakes.
    """
    for number in range(many):
        a = Attacker(port, None)
        whole = HANDSHAKE + b"\r\n" + frame(0x81, b"hello")
        a.send([whole[: number * 7 % (len(whole) + 1)]])
        a.reset()
    return "accepted"


def garbage(port: int, many: int = 500) -> str:
    """
    Five hundred connections that speak something else: TLS, SSH, HTTP/2, or nothing
    known.
    """
    outcomes = set()
    for number in range(many):
        data = (
            bytes.fromhex("16030100c8010000c40303") + bytes(190),
            b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            bytes(range(256)) * 40,
        )[number % 4]
        with Attacker(port, None) as a:
            a.send([data])
            if number < 4:
                outcomes.add(a.wait(lambda: False, 1) or "held")
            else:
                a.reset()
    return ", ".join(sorted(outcomes))


# Frames


def _flood(port: int, chunks: Iterable[bytes], patience: float = PATIENCE) -> str:
    with Attacker(port) as a:
        return a.send(chunks) or a.judge(patience)


def emptyFragments(port: int) -> str:
    """
    A message of a million fragments with nothing in them.
    """

    def chunks() -> Iterator[bytes]:
        yield frame(0x02)
        yield from chunked(frame(0x00), 1_000_000)

    return _flood(port, chunks(), 30)


def tinyFragments(port: int) -> str:
    """
    A message of a million fragments of a byte.
    """

    def chunks() -> Iterator[bytes]:
        yield frame(0x02, b"x")
        yield from chunked(frame(0x00, b"x"), 1_000_000)

    return _flood(port, chunks(), 30)


def frameInBytes(port: int) -> str:
    """
    A message of 1 MiB, a segment for each of its last 200,000 bytes.
    """
    data = frame(0x82, bytes(MIB))
    cut = len(data) - 200_000
    with Attacker(port) as a:
        a.send([data[:cut]])
        a.send(data[at : at + 1] for at in range(cut, len(data)))
        a.wait(lambda: a.messages >= MIB, 10)
        return a.judge()


def announced(port: int) -> str:
    """
    A frame that is announced as one of 2**63 - 1 bytes, and 64 MiB of it.
    """

    def chunks() -> Iterator[bytes]:
        yield frame(0x82, announced=(1 << 63) - 1)
        yield from repeat(bytes(READ), 1024)

    with Attacker(port) as a:
        return a.send(chunks()) or a.wait(lambda: False, 1) or "accepted"


def emptyMessages(port: int) -> str:
    """
    Three hundred thousand messages with nothing in them.
    """
    return _flood(port, chunked(frame(0x81), 300_000), 30)


# What is not read


def unreadPongs(port: int) -> str:
    """
    Three hundred thousand pings of 125 bytes, whose answers are not read.
    """
    with Attacker(port, reads=False, buffer=4096) as a:
        return a.send(chunked(frame(0x89, bytes(125)), 300_000)) or "accepted"


def unreadEchoes(port: int) -> str:
    """
    128 MiB of messages, whose echoes are not read.
    """
    with Attacker(port, reads=False, buffer=4096) as a:
        return a.send(chunked(frame(0x82, bytes(16_000)), 8400)) or "accepted"


def deafInCrowd(port: int, many: int = 20) -> str:
    """
    Twenty members of a crowd at C{/crowd} who do not read, while another tells everyone
    16 MiB.
    """
    opening = HANDSHAKE.replace(b"GET /", b"GET /crowd") + b"\r\n"
    deaf = [Attacker(port, opening, reads=False, buffer=4096) for _ in range(many)]
    try:
        with Attacker(port, opening) as speaker:
            for _ in range(256):
                before = speaker.messages
                speaker.send([frame(0x82, bytes(READ))])
                speaker.wait(lambda before=before: speaker.messages > before)
            if speaker.outcome:
                return f"the speaker: {speaker.outcome}"
        gone = [a.judge(8) != "accepted" for a in deaf]
        return f"{sum(gone)} of {many} are gone"
    finally:
        for a in deaf:
            a.__exit__()


def tooFast(port: int, seconds: float = 3.0) -> str:
    """
    Small messages for three seconds to C{/slow}, which takes a hundredth of a second
    for each.
    """
    opening = HANDSHAKE.replace(b"GET /", b"GET /slow") + b"\r\n"
    end = time.monotonic() + seconds

    def chunks() -> Iterator[bytes]:
        for chunk in chunked(frame(0x82, bytes(1000)), 64_000):
            if time.monotonic() > end:
                a.outcome = "held"
                return
            yield chunk

    with Attacker(port, opening) as a:
        return a.send(chunks()) or "accepted"


# Compression


def bomb(port: int) -> str:
    """
    A compressed message of half a MiB that would become 512 MiB.
    """
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros = bytes(MIB)
    data = b"".join(compressor.compress(zeros) for _ in range(512))
    data = (data + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]
    return _compressed(port, [frame(0xC2, data)])


def emptyBlocks(port: int) -> str:
    """
    A compressed message of three hundred thousand blocks with nothing in them.
    """
    data = b"\x00\x00\x00\xff\xff" * 300_000 + b"\x00"
    half = len(data) // 2
    return _compressed(port, [frame(0x42, data[:half]), frame(0x80, data[half:])])


def _compressed(port: int, chunks: Iterable[bytes]) -> str:
    with Attacker(port, HANDSHAKE + DEFLATE + b"\r\n") as a:
        if not a.agreed:
            return "does not compress"
        a.send(chunks)
        a.wait(lambda: a.messages, 10)
        return a.judge()


Attack = Callable[[int], str]
ATTACKS: dict[str, Attack] = {
    attack.__name__: attack
    for attack in (
        headerInBytes,
        endlessHeader,
        manyHeaders,
        halfHandshakes,
        resets,
        garbage,
        emptyFragments,
        tinyFragments,
        frameInBytes,
        announced,
        emptyMessages,
        unreadPongs,
        unreadEchoes,
        bomb,
        emptyBlocks,
    )
}
"""
Every attack by its name.
"""
