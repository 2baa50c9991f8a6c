# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What a message costs a server: this one and others, see C{benchmarks/README.md}.
"""
