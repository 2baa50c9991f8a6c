# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Servers that are declared, on the command line of C{twistd websocket} or in a file:
C{declaration} is what can be said, C{sitefile} and C{flags} two ways to say it,
C{faults} what is wrong with it, and C{assembly} makes a server of it, with a C{website}
and a C{logfile} if they are wanted.
"""
