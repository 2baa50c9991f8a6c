# -*- test-case-name: tests.test_delivery -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
What C{sendMessage} returns: a Deferred that says when a message was handed on.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure


class Delivery(Deferred[None]):
    """
    Fires when a message that had to wait was handed on to the transport; fails when
    it never will be.

    Most senders do not look at it, and a failure that nobody looks at is no error
    here: whoever wants to know adds a callback, or awaits it.

    To cancel it, or a coroutine that awaits it, is to wait no longer: the message is
    sent all the same, since what was sent after it may build upon it.
    """

    def __init__(self) -> None:
        Deferred.__init__(self)
        self._isWatched = False

    def addCallbacks(self, *args: Any, **kw: Any) -> Any:
        """
        See L{Deferred.addCallbacks}.
        """
        self._isWatched = True
        return super().addCallbacks(*args, **kw)

    def addCallback(self, *args: Any, **kw: Any) -> Any:
        """
        See L{Deferred.addCallback}.
        """
        self._isWatched = True
        return super().addCallback(*args, **kw)

    def addErrback(self, *args: Any, **kw: Any) -> Any:
        """
        See L{Deferred.addErrback}.
        """
        self._isWatched = True
        return super().addErrback(*args, **kw)

    def addBoth(self, *args: Any, **kw: Any) -> Any:
        """
        See L{Deferred.addBoth}.
        """
        self._isWatched = True
        return super().addBoth(*args, **kw)

    def cancel(self) -> None:
        """
        Fail with L{CancelledError<twisted.internet.defer.CancelledError>}; nothing else
        changes.
        """
        super().cancel()
        self._quieten()

    def done(self) -> None:
        """
        The message was handed on.
        """
        if not self.called:
            self.callback(None)

    def fail(self, reason: Exception) -> None:
        """
        The message was dropped, or its connection is gone.
        """
        if self.called:
            return
        self.errback(Failure(reason))
        self._quieten()

    def _quieten(self) -> None:
        if self._debugInfo is not None and not self._isWatched:
            # What Twisted would complain of when the Deferred is collected; it
            # sets it anew when a callback is added later and does not handle it.
            self._debugInfo.failResult = None


class _Sent(Deferred[None]):
    """
    A Deferred that has fired and stays as it is, so that all can share one: nothing
    has to be made for a message that did not wait.

    So a callback changes the result of what C{addCallback} returns, not of this: to
    have several follow each other, chain the calls.
    """

    def __init__(self) -> None:
        Deferred.__init__(self)
        self.callback(None)

    def addCallbacks(self, *args: Any, **kw: Any) -> Any:
        """
        @return: another Deferred, with these callbacks.
        """
        return succeed(None).addCallbacks(*args, **kw)

    def addCallback(self, *args: Any, **kw: Any) -> Any:
        """
        @return: another Deferred, with this callback.
        """
        return succeed(None).addCallback(*args, **kw)

    def addErrback(self, *args: Any, **kw: Any) -> Any:
        """
        @return: another Deferred, with this errback.
        """
        return succeed(None).addErrback(*args, **kw)

    def addBoth(self, *args: Any, **kw: Any) -> Any:
        """
        @return: another Deferred, with this callback.
        """
        return succeed(None).addBoth(*args, **kw)

    def chainDeferred(self, d: Deferred[None]) -> Any:
        """
        @return: another Deferred, that fires C{d}.
        """
        return succeed(None).chainDeferred(d)

    def addTimeout(self, *args: Any, **kw: Any) -> Any:
        """
        @return: another Deferred; there is nothing to wait for.
        """
        return succeed(None)

    def pause(self) -> None:
        """
        Nothing is left to be held back.
        """

    def unpause(self) -> None:
        """
        See C{pause}.
        """

    def cancel(self) -> None:
        """
        Nothing is left to be cancelled.
        """

    def __await__(self) -> Generator[Any, Any, None]:
        return iter(())  # type: ignore[return-value]

    __iter__ = __await__


SENT = _Sent()
"""
What is returned for each message that was handed on at once.
"""
