# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The Autobahn Testsuite against twisted_ws, as a server and as a client; see README.md.
"""
