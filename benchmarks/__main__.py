# -*- test-case-name: tests.test_race -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What a message costs a server: this one and others::

    python -m benchmarks [--workload NAME]... [--server NAME]... [--rounds N]

C{README.md} beside it says what is measured and how.
"""

from __future__ import annotations

import sys

from .race.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
