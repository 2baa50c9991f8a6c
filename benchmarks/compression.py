# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What compression costs and saves, by preset and by implementation::

    python -m benchmarks.compression [CONNECTIONS]

The messages are a feed of events in JSON, 200 bytes to 4 KiB each, the same in each
run and no two alike.  For each preset, with each implementation that is installed, it
prints

  - KiB of resident memory that a server needs for each connection that has sent and
    received the feed: those of the compressor, and those of the decompressor, each
    measured in a process of its own over CONNECTIONS of them (500);
  - how many times smaller the messages got;
  - microseconds of CPU for each message, to compress and to decompress: those of the
    quietest of several rounds.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from random import Random
from time import process_time
from typing import Any

from twisted_ws import Frame
from twisted_ws.extensions.deflate import PerMessageDeflate

PRESETS: dict[str, Callable[..., PerMessageDeflate]] = {
    "lowMemory": PerMessageDeflate.lowMemory,
    "balanced": PerMessageDeflate.balanced,
    "best": PerMessageDeflate.best,
}
IMPLEMENTATIONS = ("zlib", "zlib-ng", "isal")
TEXT = 1
MESSAGES = 400
ROUNDS = 15
LIMIT = 1 << 20

WORDS = (
    "the a to of and we you is it was that have for on with not this be at they can"
    " deploy broken again fixed build server restart please look tomorrow today meeting"
    " review merge branch customer invoice order late early thanks sorry what why when"
    " who knows nobody everybody always never maybe lunch coffee release rollback green"
).split()
SYMBOLS = [f"{a}{b}{c}" for a in "ABFMX" for b in "EORT" for c in "LNSZ"]


def feed(seed: int = 1, messages: int = MESSAGES) -> list[bytes]:
    """
    @return: orders, ticks and chat, mixed.
    """
    random = Random(seed)
    events = [_order, _ticks, _chat]
    made = []
    clock = 1_760_000_000_000
    for number in range(messages):
        clock += random.randrange(1, 900)
        event = random.choices(events, (3, 5, 4))[0](random)
        event |= {"seq": number, "time": clock}
        made.append(json.dumps(event, separators=(",", ":")).encode())
    return made


def _order(random: Random) -> dict[str, Any]:
    return {
        "type": "order",
        "id": f"{random.getrandbits(64):016x}",
        "account": random.randrange(10_000, 99_999),
        "status": random.choice(["new", "filled", "partiallyFilled", "cancelled"]),
        "lines": [
            {
                "symbol": random.choice(SYMBOLS),
                "side": random.choice(["buy", "sell"]),
                "quantity": random.randrange(1, 500) * 10,
                "price": round(random.lognormvariate(4, 1), 2),
                "venue": random.choice(["XNYS", "XNAS", "XETR"]),
            }
            for _ in range(random.choice([1, 1, 2, 3, 5, 8, 20, 48]))
        ],
    }


def _ticks(random: Random) -> dict[str, Any]:
    return {
        "type": "ticks",
        "quotes": {
            symbol: {
                "bid": round(random.lognormvariate(4, 1), 2),
                "ask": round(random.lognormvariate(4, 1), 2),
                "size": random.randrange(100),
            }
            for symbol in random.sample(SYMBOLS, random.choice([4, 4, 5, 8, 16, 70]))
        },
    }


def _chat(random: Random) -> dict[str, Any]:
    return {
        "type": "chat",
        "room": random.choice(["general", "incidents", "random", "trading"]),
        "from": {"id": random.getrandbits(32), "name": random.choice(WORDS).title()},
        "text": " ".join(
            random.choice(WORDS) for _ in range(random.choice([18, 25, 30, 60, 500]))
        ),
        "reactions": dict.fromkeys(random.sample(WORDS, random.randrange(3)), 1),
    }


def pair(options: PerMessageDeflate) -> tuple[Any, Any]:
    """
    @return: a server's and a client's side of a connection.
    """
    accepted = options.accept(options.offers()[0])
    assert accepted is not None
    answer, server = accepted
    return server, options.accepted(answer)


def uncompressed() -> list[Frame]:
    """
    @return: the feed, as the application sends it.
    """
    return [Frame(TEXT, message) for message in feed()]


def compressed(options: PerMessageDeflate) -> list[Frame]:
    """
    @return: the feed, as a client sends it.
    """
    encode = pair(options)[1].encode
    return [encode(frame) for frame in uncompressed()]


def quietest(work: Callable[[], object]) -> float:
    """
    @return: microseconds of CPU for each message.
    """
    rounds = []
    for _ in range(ROUNDS):
        gc.disable()
        begun = process_time()
        work()
        rounds.append((process_time() - begun) / MESSAGES * 1e6)
        gc.enable()
    return min(rounds)


def speed(options: PerMessageDeflate) -> tuple[float, float, float]:
    """
    @return: the ratio, and the microseconds to compress and to decompress.
    """
    messages, frames = uncompressed(), compressed(options)
    before = sum(len(frame.payload) for frame in messages)
    after = sum(len(frame.payload) for frame in frames)

    def compress() -> None:
        encode = pair(options)[0].encode
        for frame in messages:
            encode(frame)

    def decompress() -> None:
        decode = pair(options)[0].decode
        for frame in frames:
            decode(frame, LIMIT)

    return before / after, quietest(compress), quietest(decompress)


def resident() -> int:
    """
    @return: the bytes of memory that this process has now.
    """
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def memory(options: PerMessageDeflate, side: str, connections: int) -> float:
    """
    @return: KiB for each connection of a server that only sends or only receives.
    """
    servers = [pair(options)[0] for _ in range(connections)]
    messages, frames = uncompressed(), compressed(options)
    before = resident()
    for server in servers:
        if side == "compress":
            for frame in messages:
                server.encode(frame)
        else:
            for frame in frames:
                server.decode(frame, LIMIT)
    return (resident() - before) / connections / 1024


def memoryOf(preset: str, implementation: str, side: str, connections: int) -> float:
    """
    Measure it in another process.
    """
    command = [sys.executable, "-m", "benchmarks.compression", str(connections)]
    command += [preset, implementation, side]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def rows(connections: int) -> Iterator[Sequence[Any]]:
    """
    Measure all that there is.
    """
    for implementation in IMPLEMENTATIONS:
        for preset, make in PRESETS.items():
            try:
                options = make(implementation=implementation)
            except ValueError as error:
                print(error)
                break
            sides = (
                memoryOf(preset, implementation, side, connections)
                for side in ("compress", "decompress")
            )
            yield implementation, preset, *sides, *speed(options)


def main(connections: int) -> None:
    """
    Print the table.
    """
    sizes = sorted(len(message) for message in feed())
    print(f"{len(sizes)} messages of {sizes[0]:,} to {sizes[-1]:,} bytes")
    print(f"{'':>17} {'KiB/connection':>20} {'':>6} {'us/message':>20}")
    print(
        f"{'':>7} {'preset':>9} {'compress':>9} {'decompress':>10} {'ratio':>6}"
        f" {'compress':>9} {'decompress':>10}"
    )
    for row in rows(connections):
        print(
            "{:>7} {:>9} {:>9.1f} {:>10.1f} {:>6.2f} {:>9.1f} {:>10.1f}".format(*row),
            flush=True,
        )


if __name__ == "__main__":
    if len(sys.argv) == 5:
        count, preset, implementation, side = sys.argv[1:]
        options = PRESETS[preset](implementation=implementation)
        print(memory(options, side, int(count)))
    else:
        main(*[int(each) for each in sys.argv[1:]] or [500])
