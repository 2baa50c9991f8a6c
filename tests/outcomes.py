# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
For the tests of the client: what can become of a connect, and a row of a table of
that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import NoneType
from typing import Any

from twisted.internet.defer import CancelledError, TimeoutError
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from twisted_ws import ClosedAbruptly, InvalidUpgrade, UpgradeRejected

from .fakeserver import Step

# What the Deferred fires with


@dataclass(frozen=True)
class Opened:
    """
    The receiver.

    @ivar messages: what it has received a moment later.
    @ivar ended: the type of what it is told when the connection ends by itself; C{None}
        if it stands.
    @ivar cause: the type of that error's cause.
    """

    messages: tuple[str | bytes, ...] = ()
    protocol: str | None = None
    ended: type[Exception] | None = None
    code: int = 1006
    cause: type[object] = NoneType

    def check(self, test: Any, name: str, result: Any, receiver: Any) -> None:
        test.assertIs(result, receiver, name)
        test.assertEqual(receiver.made, 1, name)
        test.assertEqual(receiver.transport.protocol, self.protocol, name)

    def checkReceiver(self, test: Any, name: str, receiver: Any) -> None:
        """
        Check what followed.
        """
        test.assertEqual(receiver.messages, list(self.messages), name)
        if self.ended is None:
            test.assertEqual(receiver.losses, 0, name)
            return
        test.assertEqual(receiver.losses, 1, name)
        test.assertIs(type(receiver.reason), self.ended, name)
        test.assertEqual(receiver.reason.code, self.code, name)
        test.assertIsInstance(receiver.reason.__cause__, self.cause, name)


class _Failed:
    """
    An error.
    """

    error: type[BaseException]

    def check(self, test: Any, name: str, result: Any, receiver: Any) -> None:
        test.assertIsInstance(result, Failure, name)
        test.assertIs(result.type, self.error, f"{name}: {result}")
        test.assertEqual(receiver.made, 0, name)
        self.checkError(test, name, result.value)

    def checkError(self, test: Any, name: str, error: Any) -> None:
        """
        Check what the error says.
        """


@dataclass(frozen=True)
class Refused(_Failed):
    """
    The server's refusal.

    @ivar fields: its header lines.
    """

    status: int
    reason: str
    fields: tuple[str, ...] = ()
    body: bytes = b""
    error = UpgradeRejected

    def checkError(self, test: Any, name: str, error: Any) -> None:
        pairs = (line.split(": ", 1) for line in self.fields)
        headers = tuple((n.lower().encode(), v.encode()) for n, v in pairs)
        test.assertEqual(error.status, self.status, name)
        test.assertEqual(error.reason, self.reason, name)
        test.assertEqual(error.headers, headers, name)
        test.assertEqual(len(error.body), len(self.body), name)
        test.assertTrue(error.body == self.body, name)


@dataclass(frozen=True)
class Invalid(_Failed):
    """
    The rule that the server's answer breaks.
    """

    message: str
    error = InvalidUpgrade

    def checkError(self, test: Any, name: str, error: Any) -> None:
        test.assertEqual(str(error), self.message, name)


@dataclass(frozen=True)
class Lost(_Failed):
    """
    The loss of the connection.

    @ivar cause: the type of what the carrier says, or several.
    @ivar says: a part of that.
    """

    cause: Any = ConnectionDone
    says: str = ""
    error = ClosedAbruptly

    def checkError(self, test: Any, name: str, error: Any) -> None:
        cause = error.__cause__
        test.assertIsInstance(cause, self.cause, name)
        expected = "the connection was lost before the handshake was complete"
        if not isinstance(cause, ConnectionDone):
            expected += f": {Failure(cause).getErrorMessage()}"
        test.assertEqual(str(error), expected, name)
        test.assertIn(self.says, str(cause), f"{name}: {cause}")
        test.assertEqual((error.code, error.reason), (1006, ""), name)
        test.assertEqual((error.sent, error.received), (None, None), name)


@dataclass(frozen=True)
class Failed(_Failed):
    """
    An error without anything to look at.
    """

    error: type[BaseException]


TIMED_OUT = Failed(TimeoutError)
CANCELLED = Failed(CancelledError)

Expected = Opened | Refused | Invalid | Lost | Failed


# What leads to it


@dataclass(frozen=True)
class Ending:
    """
    A row.

    @ivar script: what the server does.
    @ivar expected: what the Deferred fires with.
    @ivar atDeadline: it does not fire before the deadline.
    @ivar takes: seconds that it takes if it does.
    @ivar protocols: the subprotocols that the client asks for.
    @ivar readsRequest: the script begins when the server has the request, not before.
    @ivar network: what the network does to the client: C{"refuses"} or C{"ignores"} the
        connection, does not know the host (C{"unknown"}), or does not resolve its name
        (C{"unresolved"}).
    @ivar cancelled: cancel as soon as C{connect} has returned.
    @ivar isSecure: the URL is C{wss}.
    @ivar certificate: which certificate the server has, C{None} if it has none and
        knows nothing of TLS.
    """

    name: str
    script: tuple[Step, ...]
    expected: Expected
    atDeadline: bool = False
    takes: float = 0
    protocols: tuple[str, ...] = ()
    readsRequest: bool = True
    network: str = ""
    cancelled: bool = False
    isSecure: bool = False
    certificate: str | None = None

    @property
    def identifier(self) -> str:
        """
        The name, as the end of a method's.
        """
        words = re.findall("[0-9A-Za-z]+", self.name.replace("'", ""))
        return words[0] + "".join(word[0].upper() + word[1:] for word in words[1:])


def testEach(
    rows: Iterable[Ending], play: str = "play"
) -> Callable[[type[Any]], type[Any]]:
    """
    @return: a class decorator that adds a test method for each row, which calls the
        method C{play} of the class with the row.
    """

    def decorate(case: type[Any]) -> type[Any]:
        for row in rows:

            def test(self: Any, row: Ending = row) -> object:
                return getattr(self, play)(row)

            test.__name__ = f"test_{row.identifier}"
            test.__doc__ = f"{row.name}: {row.expected}"[:300]
            assert not hasattr(case, test.__name__), row.name
            setattr(case, test.__name__, test)
        return case

    return decorate
