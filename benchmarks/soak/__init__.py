# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Whether a server is, after any time of churn and faults, what it was before.
"""
