# -*- test-case-name: tests.test_ends -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
How a connection ended, in a sentence and as facts.
"""

from __future__ import annotations

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from ._wire.life import Life
from .errors import ClosedAbruptly, ClosedCleanly, ConnectionClosed


def explain(
    life: Life, detail: str, cause: BaseException | None, reason: Failure
) -> ConnectionClosed:
    """
    Put together what is known.

    @param life: the connection.
    @param detail: what we did about it, if anything.
    @param cause: the violation or the application's exception that ended it.
    @param reason: what the carrier said.
    """
    dropped = isinstance(reason.value, ConnectionDone)
    clean = life.closeSent is not None and life.closeReceived is not None
    if not clean and not detail and cause is None:
        detail = (
            "the peer dropped the connection without a Close frame"
            if dropped
            else f"the connection was lost: {reason.getErrorMessage()}"
        )
    ended = (ClosedCleanly if clean else ClosedAbruptly)(
        detail, life.closeSent, life.closeReceived, life.closeBegunBy
    )
    if cause is None and not dropped:
        cause = reason.value
    if cause is not None:
        ended.__cause__ = _alone(cause)
    return ended


def _alone(error: BaseException) -> BaseException:
    """
    Have an exception, which was logged, forget where it came from: the frames and the
    exceptions on its way hold the connection, which would outlive its end.
    """
    error.__traceback__ = error.__context__ = error.__cause__ = None
    return error
