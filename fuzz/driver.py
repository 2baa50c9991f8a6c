# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Runs a fuzz target: under atheris, or by itself.

A target is a function of C{bytes} that raises when the code under test breaks its
contract.  It returns something hashable that says what kind of thing happened; the
driver goes on from inputs with which something new happened.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from random import Random

Target = Callable[[bytes], Hashable]

CORPUS = Path(__file__).parent / "corpus"
LONGEST = 4096
POOL = 4000


def instrumented(name: str) -> AbstractContextManager[object]:
    """
    What is imported within this is watched by atheris, if it is to run.

    @param name: the C{__name__} of the target's module.
    """
    if name == "__main__" and not _isOurs(sys.argv[1:]):
        import atheris

        context: AbstractContextManager[object] = atheris.instrument_imports(
            include=["twisted_ws._wire", "twisted_ws.extensions"]
        )
        return context
    return nullcontext()


def _isOurs(arguments: Sequence[str]) -> bool:
    """
    Tell whether to run by ourselves: asked to, or for want of atheris.
    """
    if any(each.startswith("--") for each in arguments):
        return True
    try:
        import atheris  # noqa: F401
    except ImportError:
        return True
    return False


def readCorpus(name: str) -> list[bytes]:
    """
    @return: the seed inputs of a target, by their names.
    """
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]


def mutate(
    random: Random, data: bytes, pool: Sequence[bytes], tokens: Sequence[bytes]
) -> bytes:
    """
    @return: something like C{data}.
    """
    made = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 3, 5))):
        at = random.randint(0, len(made))
        span = random.choice((1, 1, 2, 4, 16, 64))
        kind = random.randrange(8)
        if kind == 0 and made:
            made[at - 1] ^= 1 << random.randrange(8)
        elif kind == 1 and made:
            made[at - 1] = random.choice((0, 1, 0x7D, 0x7E, 0x7F, 0x80, 0xFF, 10, 13))
        elif kind == 2:
            made[at:at] = random.randbytes(random.randint(1, 8))
        elif kind == 3:
            del made[at : at + span]
        elif kind == 4:
            made[at:at] = made[at : at + span]
        elif kind == 5:
            made[at : at + random.choice((0, span))] = random.choice(tokens)
        elif kind == 6:
            other = random.choice(pool)
            begin = random.randint(0, len(other))
            made[at:at] = other[begin : begin + 4 * span]
        else:
            other = random.choice(pool)
            made[at:] = other[random.randint(0, len(other)) :]
    return bytes(made[:LONGEST])


def run(
    target: Target,
    corpus: Sequence[bytes],
    tokens: Sequence[bytes],
    runs: int,
    seed: int,
) -> int:
    """
    Try each input of the corpus, then as many others as are left of C{runs}.

    @return: how many kinds of things happened.
    @raise Exception: what the target raised; its input is printed.
    """
    random = Random(seed)
    pool = list(corpus)
    seen: set[Hashable] = set()
    for number in range(runs):
        if number < len(corpus):
            data = corpus[number]
        else:
            data = mutate(random, random.choice(pool), pool, tokens)
        try:
            happened = target(data)
        except BaseException:
            print(f"run {number}, reproduce with --input {data.hex()}", file=sys.stderr)
            raise
        if happened not in seen:
            seen.add(happened)
            if len(pool) < POOL:
                pool.append(data)
    return len(seen)


def main(target: Target, name: str, tokens: Sequence[bytes]) -> None:
    """
    The command line of a target; see README.md.
    """
    if not _isOurs(sys.argv[1:]):
        import atheris

        if not any(not each.startswith("-") for each in sys.argv[1:]):
            sys.argv.append(str(CORPUS / name))
        atheris.Setup(sys.argv, lambda data: target(data) and None)
        atheris.Fuzz()
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--input", type=bytes.fromhex, help="one input, in hex")
    parser.add_argument(
        "--dictionary", action="store_true", help="print one for libFuzzer"
    )
    options = parser.parse_args()
    if options.dictionary:
        for token in tokens:
            print('"' + "".join(f"\\x{octet:02x}" for octet in token) + '"')
        return
    if options.input is not None:
        print(target(options.input))
        return
    kinds = run(target, readCorpus(name), tokens, options.runs, options.seed)
    print(f"{options.runs} runs, {kinds} kinds of outcomes, nothing found")
