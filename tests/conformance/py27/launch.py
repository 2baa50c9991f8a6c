# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
C{wstest} of the Autobahn Testsuite, as it is needed here; for CPython 2.7:

  - its server listens on 127.0.0.1 only, on any free port, and says on which;
  - the reports are written once, when it ends, also when it is told to;
  - it ends with whoever started it.

Its arguments are those of C{wstest}.
"""

import os
import sys
import threading

from autobahntestsuite import wstest  # which chooses the reactor
from twisted.internet import reactor

fuzzing = wstest.fuzzing
listenWS = fuzzing.listenWS
begin = fuzzing.FuzzingFactory.__init__
writeReports = fuzzing.FuzzingFactory.createReports


def listen(factory, contextFactory=None):
    """
    Listen where nobody else can, whatever the port in the URL.
    """
    factory.port = 0
    listening = listenWS(factory, contextFactory, interface="127.0.0.1")
    # It compares the Host of requests with this.
    factory.externalPort = listening.getHost().port
    sys.stdout.write("listening on port " + str(factory.externalPort) + "\n")


def beginWithReports(factory, outdir):
    """
    See to the reports, then begin as always.
    """
    reactor.addSystemEventTrigger("before", "shutdown", writeReports, factory, False)
    begin(factory, outdir)


def endWithParent():
    """
    End when standard input does.
    """
    while os.read(0, 4096):
        pass
    os._exit(3)


fuzzing.listenWS = listen
fuzzing.FuzzingFactory.__init__ = beginWithReports
fuzzing.FuzzingFactory.createReports = lambda factory: None
watch = threading.Thread(target=endWithParent)
watch.daemon = True
watch.start()
wstest.run()
