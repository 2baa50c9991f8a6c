# -*- test-case-name: tests.test_closing -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Close codes, and the body of a Close frame (RFC 6455 sections 5.5.1 and 7.4).
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from .errors import IllegalFrame, InvalidPayload, ProtocolViolation


class CloseCode(IntEnum):
    """
    The registered close codes.

    C{NO_STATUS}, C{ABNORMAL} and C{TLS_FAILED} describe an end; they are never
    sent, and a peer that sends one breaks the protocol.
    """

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    NO_STATUS = 1005
    ABNORMAL = 1006
    INVALID_PAYLOAD = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    MANDATORY_EXTENSION = 1010
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_GATEWAY = 1014
    TLS_FAILED = 1015


class Close(NamedTuple):
    """
    What one Close frame said.

    @ivar code: the close code; C{CloseCode.NO_STATUS} when the frame was empty.
    @ivar reason: its text, at most 123 bytes of UTF-8.
    """

    code: int
    reason: str = ""

    def __str__(self) -> str:
        name = _NAMES.get(self.code)
        text = f"{self.code} ({name})" if name else str(self.code)
        return f"{text}: {self.reason}" if self.reason else text


MAX_REASON = 123
"""
Bytes that a reason may have: a control frame's 125 less two for the code.
"""

_NAMES = {int(code): code.name.lower().replace("_", " ") for code in CloseCode}
_SENDABLE = frozenset(_NAMES) - {
    CloseCode.NO_STATUS,
    CloseCode.ABNORMAL,
    CloseCode.TLS_FAILED,
}


def isSendable(code: int) -> bool:
    """
    Tell whether a Close frame may carry C{code} (RFC 6455 section 7.4.2): a
    registered code that is not reserved, or one of 3000 to 4999.
    """
    return code in _SENDABLE or 3000 <= code <= 4999


def packClose(close: Close) -> bytes:
    """
    Make the body of a Close frame; that of C{NO_STATUS} without a reason is
    empty.

    @raise IllegalFrame: when the code must not be sent, or the reason is longer
        than 123 bytes or cannot be encoded.
    """
    code, reason = close
    if not isinstance(reason, str):
        raise IllegalFrame(f"a close reason must be str, not {reason!r}")
    if code == CloseCode.NO_STATUS and not reason:
        return b""
    if not isinstance(code, int) or not isSendable(code):
        raise IllegalFrame(f"close code {code!r} must not be sent")
    try:
        text = reason.encode("utf-8")
    except UnicodeEncodeError as error:
        raise IllegalFrame(f"the close reason is not Unicode text: {error}") from None
    if len(text) > MAX_REASON:
        raise IllegalFrame(f"the close reason has {len(text)} bytes, over {MAX_REASON}")
    return code.to_bytes(2, "big") + text


def unpackClose(payload: bytes) -> Close:
    """
    Read the body of a Close frame.

    @raise ProtocolViolation: when it is one byte long or has a code that must
        not be sent.
    @raise InvalidPayload: when the reason is not UTF-8.
    """
    if not payload:
        return Close(CloseCode.NO_STATUS)
    if len(payload) == 1:
        raise ProtocolViolation("a Close frame with a body of one byte")
    code = int.from_bytes(payload[:2], "big")
    if not isSendable(code):
        raise ProtocolViolation(f"a Close frame with the code {code}")
    try:
        return Close(code, payload[2:].decode("utf-8"))
    except UnicodeDecodeError:
        raise InvalidPayload("a close reason that is not UTF-8") from None


def shorten(reason: str) -> str:
    """
    Cut a reason to the 123 bytes that fit, between characters.
    """
    return reason.encode("utf-8", "replace")[:MAX_REASON].decode("utf-8", "ignore")
