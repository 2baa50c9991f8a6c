# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Write the names of all cases of the Autobahn Testsuite to standard output, as JSON; for
CPython 2.7.
"""

import json
import sys

from autobahntestsuite.case import CaseBasename, Cases

names = [case.__name__[len(CaseBasename) :].replace("_", ".") for case in Cases]
json.dump(names, sys.stdout)
