# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The code of C{docs/porting.md}; as a program it runs a block of it::

    python -m tests.porting LIBRARY NAME serve
    python -m tests.porting LIBRARY NAME talk URL

The first says on which port it listens, the second what came of it, as JSON.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from twisted.internet import task
from twisted.internet.defer import Deferred, maybeDeferred

PAGE = Path(__file__).parent.parent / "docs" / "porting.md"

_BLOCK = re.compile(r"^```(\w+) (\S+) (\S+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks() -> dict[tuple[str, str], str]:
    """
    @return: the code of each block, by its library and its name.
    """
    found = _BLOCK.findall(PAGE.read_text("utf-8"))
    code = {(library, name): text for _, library, name, text in found}
    assert len(code) == len(found), "two blocks have the same name"
    return code


async def main(reactor: Any, library: str, name: str, what: str, *rest: str) -> None:
    """
    Run a block.
    """
    names: dict[str, Any] = {"__name__": "block"}
    exec(compile(blocks()[library, name], f"{library} {name}", "exec"), names)
    if what == "serve":
        port = await maybeDeferred(names["serve"], reactor, 0)
        print(f"port {port.getHost().port}", flush=True)
        await Deferred()
    else:
        answer = await maybeDeferred(names["talk"], reactor, *rest)
        print(f"answer {json.dumps(answer)}", flush=True)


if __name__ == "__main__":
    task.react(main, sys.argv[1:])
