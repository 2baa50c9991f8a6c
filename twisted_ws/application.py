# -*- test-case-name: tests.test_application -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What may be an application, and how one is run.

An application is one of

  * an L{IMessageReceiver<twisted_ws.interfaces.IMessageReceiver>} class, or an
    L{IProtocolFactory} of receivers: accepted for any origin that C{allowedOrigins}
    admits, with a subprotocol out of C{protocols};
  * a callable that takes the L{WebSocketRequest<twisted_ws.WebSocketRequest>} and
    accepts or rejects it, at once or later, as a plain function, one that returns a
    Deferred, or a coroutine function; it decides about origins itself;
  * an L{IWebSocketResource<twisted_ws.interfaces.IWebSocketResource>}, such as a
    L{Router<twisted_ws.Router>}.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IProtocolFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from .interfaces import IMessageReceiver, IWebSocketResource
from .reception import hasFired
from .request import Verdict, WebSocketRequest

_log = Logger()

Application = Any


def checkApplication(application: Application) -> None:
    """
    @raise TypeError: when C{application} is none.
    """
    if not (
        _isReceiverMaker(application)
        or IWebSocketResource.providedBy(application)
        or callable(application)
    ):
        raise TypeError(
            "an application is a MessageReceiver class, a factory, a callable that"
            f" takes a request, or a Router; not {application!r}"
        )
    if isinstance(application, type) and not _isReceiverMaker(application):
        raise TypeError(f"{application.__name__} is not a MessageReceiver")


def _isReceiverMaker(application: Application) -> bool:
    if isinstance(application, type):
        return bool(IMessageReceiver.implementedBy(application))
    return bool(IProtocolFactory.providedBy(application))


def makeReceiver(maker: Any, address: IAddress) -> Any:
    """
    Make a receiver for a connection.

    @param maker: a receiver class or an L{IProtocolFactory}.
    @param address: of the peer.
    @return: the receiver; C{None} when a factory wants no connection.
    """
    if isinstance(maker, type):
        return maker()
    return maker.buildProtocol(address)


def run(application: Application, request: WebSocketRequest) -> None:
    """
    Have C{request} answered.  Never raises: an application that fails is logged, and
    answered for with 500.
    """
    try:
        if _isReceiverMaker(application):
            _acceptAutomatically(application, request)
            return
        if not IWebSocketResource.providedBy(application):
            _follow(application(request), request)
            return
        found = walk(application, request)
        if found is None:
            refuseUnknown(request)
        elif IWebSocketResource.providedBy(found):
            _follow(found.requestReceived(request), request)
        else:
            run(found, request)
    except BaseException:
        _failed(Failure(), request)


def walk(resource: Any, request: WebSocketRequest) -> Any:
    """
    Walk down a tree of resources, as L{twisted.web.resource.getChildForRequest} does.

    @return: the application at the end of the path, or C{None}.
    """
    while (
        request.postpath
        and IWebSocketResource.providedBy(resource)
        and not resource.isLeaf
    ):
        name = request.postpath.pop(0)
        request.prepath.append(name)
        resource = resource.getChildWithDefault(name, request)
    return resource


def refuseUnknown(request: WebSocketRequest, isPathKnown: bool = False) -> None:
    """
    Refuse a request that nothing is mounted for.

    @param isPathKnown: whether something is at its path, but not for the subprotocols
        that it asks for.
    """
    if not isPathKnown:
        why = "nothing is mounted at this path"
    elif request.requestedProtocols:
        why = "what is mounted at this path speaks none of the subprotocols asked for"
    else:
        why = "what is mounted at this path wants to be asked for a subprotocol"
    # Not the subprotocols: a page may show a token in one.
    _log.info(
        "{path!r} from {peer} refused: {why}",
        path=request.resource.partition("?")[0][:200],
        peer=request.peer,
        why=why,
    )
    request.reject(404, body=f"{why}\n".encode("ascii"))


def _follow(answer: object, request: WebSocketRequest) -> None:
    """
    Wait for an application that takes its time.
    """
    if isinstance(answer, Coroutine):
        answer = Deferred.fromCoroutine(answer)
    if isinstance(answer, Deferred):
        answer.addErrback(_failed, request)
        if not hasFired(answer):
            request.watch(answer, None)


def _failed(failure: Failure, request: WebSocketRequest) -> None:
    if request.isAbandoned:
        # Whatever it tried, the peer was gone, or the Deferred was cancelled.
        _log.debug("{request!r}: {failure}", request=request, failure=failure.value)
        return
    _log.failure("the application failed on {request!r}", failure, request=request)
    if request.verdict is Verdict.PENDING:
        try:
            request.reject(500)
        except ValueError:
            # What was set on the request of twisted.web cannot be sent.
            request.giveUp("the application failed")


def refuseOrigin(request: WebSocketRequest) -> None:
    """
    Refuse a request of a page that may not connect.
    """
    _log.info(
        "{request!r} from {peer} refused: its origin {origin!r} is not in"
        " allowedOrigins",
        request=request,
        peer=request.peer,
        origin=(request.origin or "")[:200],
    )
    request.reject(403, "Origin Not Allowed")


def _acceptAutomatically(maker: Any, request: WebSocketRequest) -> None:
    if not (request.isOriginJudged or request.isOriginAllowed()):
        refuseOrigin(request)
        return
    receiver = makeReceiver(maker, request.peer)
    if receiver is None:
        request.reject(403)
        return
    protocol = request.protocol or request.chooseProtocol(
        request.config.protocols, request.config.preferClientProtocols
    )
    request.accept(receiver, protocol)


def receiverFactory(wanted: Any) -> Callable[[IAddress], Any]:
    """
    Understand what a client may give as a receiver: a class, a factory, or a
    receiver made already.
    """
    if _isReceiverMaker(wanted):
        return lambda address: makeReceiver(wanted, address)
    return lambda address: wanted
