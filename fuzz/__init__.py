# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Fuzz targets; see README.md beside this file.
"""
