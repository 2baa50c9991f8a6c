# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
The base of the tests of L{twisted_ws.Router}.
"""

from functools import partial

from zope.interface import implementer

from twisted_ws import Router
from twisted_ws.interfaces import IWebSocketResource

from .handshakes import Echo, ServerTests, handshake


@implementer(IWebSocketResource)
class Branch:
    """
    A tree of somebody else: has the children that it is given.
    """

    isLeaf = False

    def __init__(self, answer=None, **children):
        self.answer = answer
        self.children = {name.encode(): child for name, child in children.items()}

    def getChildWithDefault(self, name, request):
        return self.children.get(name)

    def putChild(self, name, child):
        self.children[name] = child

    def requestReceived(self, request):
        return self.answer(request)


class Leaf(Branch):
    """
    A resource of somebody else that answers for all that is below it, too.
    """

    isLeaf = True


class RouterTests(ServerTests):
    """
    The base of the tests: a router, whose applications write down what they are asked.

    @ivar router: the router.
    @ivar log: a tuple for each request: name, subprotocol, prepath, postpath.
    @ivar requests: the requests that reached an application.
    """

    def setUp(self):
        self.router = Router()
        self.log = []
        self.asked = []

    def application(self, name):
        """
        @return: an application that writes down its name, the chosen subprotocol, and
            the two halves of the path; and accepts.
        """
        return partial(self.answer, name)

    def answer(self, name, request):
        self.asked.append(request)
        self.log.append((name, request.protocol, request.prepath, request.postpath))
        request.accept(Echo())

    def mount(self, *mounts, router=None):
        """
        Mount applications that are named like their mount.
        """
        for path, protocol in mounts:
            name = f"{getattr(path, 'pattern', path)} {protocol}"
            (router or self.router).mount(path, protocol, self.application(name))

    def request(self, target, wanted="", **options):
        """
        Have a request come in.

        @return: the peer.
        """
        self.serve(self.router, **options)
        self.log.clear()
        fields = [f"Sec-WebSocket-Protocol: {wanted}"] if wanted else []
        return self.connect(handshake(*fields, line=f"GET {target} HTTP/1.1"))

    def ask(self, target, wanted="", **options):
        """
        Have a request come in.

        @return: what was written down of it; a status for one that was refused.
        """
        peer = self.request(target, wanted, **options)
        status = int(peer.take().split(b" ")[1])
        if status != 101:
            self.assertEqual(self.log, [])
            return status
        (entry,) = self.log
        return entry

    def name(self, target, wanted=""):
        """
        @return: only the name of the application that was asked, or the status.
        """
        answer = self.ask(target, wanted)
        return answer if isinstance(answer, int) else answer[0]

    def params(self, target, wanted=""):
        """
        @return: the name of the application that was asked and the parameters that it
            was given; or the status.
        """
        answer = self.ask(target, wanted)
        return answer if isinstance(answer, int) else (answer[0], self.asked[-1].params)

    def check(self, rows, ask=None):
        """
        Check a table of targets, with or without the subprotocols asked for, and
        expected answers.
        """
        for target, *wanted, expected in rows:
            answer = (ask or self.name)(target, *wanted)
            self.assertEqual(answer, expected, (target[:80], *wanted))
