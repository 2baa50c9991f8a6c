# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What attackers, networks and broken peers do, and what becomes of it: of them, of the
log, of memory, and of an honest client beside them.
"""
