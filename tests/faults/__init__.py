# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Processes and networks that fail, with real processes and sockets.
"""
