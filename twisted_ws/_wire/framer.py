# -*- test-case-name: tests.test_framer -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Frames and messages (RFC 6455 sections 5 to 8), without I/O.

A L{Framer} takes bytes by C{dataReceived} and calls C{_deliver} with messages;
it takes messages by C{sendMessage} and calls C{_write} with bytes.  Everything
that happens seldom is a method of L{Hooks<twisted_ws._wire.hooks.Hooks>} that
L{twisted_ws.WebSocketConnection} overrides.

How a read is parsed.  One loop walks over it.  A whole, unfragmented text or
binary frame, which is what nearly all traffic is, leaves the loop as a message
with no object made on its way.  Everything else (fragments, frames that end in
a later read, control frames) takes the slow way round through C{_frameBegins},
C{_payloadContinues} and C{_frameEnds}; there the payload is unmasked and checked
as it comes in, so that bad text fails at its first bad byte and no byte is
looked at twice.  Rules that the first two bytes decide are judged on the first
two bytes, sizes as soon as the length is known: a frame that is not allowed is
never buffered.

This file is also meant to be compiled as it stands; so it names its types and keeps
to plain attributes.
"""

from __future__ import annotations

from typing import Any

from .assembling import Assembling
from .chain import Chain
from .closing import unpackClose
from .errors import InvalidPayload, ProtocolViolation
from .frames import CONTROL, FIN, RESERVED, Settings, checkStart
from .gathering import notConnected
from .payloads import unmasked
from .state import State

_FIN, _RESERVED, _CONTROL = FIN, RESERVED, CONTROL
_TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x1, 0x2, 0x8, 0x9, 0xA
_WHOLE_TEXT, _WHOLE_BINARY = _FIN | _TEXT, _FIN | _BINARY
_OPEN, _DISCARDING = int(State.OPEN), int(State.DISCARDING)


class Framer(Assembling):
    """
    One side of a WebSocket after its handshake.

    @ivar bytesReceived: bytes taken in so far, headers included.
    @ivar controlBytesReceived: those of them that were control frames.
    """

    __slots__ = """
        _buffer _busy _kept _maskBit _paused _perTurn bytesReceived controlBytesReceived
    """.split()

    def __init__(
        self, isServer: bool, settings: Settings, chain: Chain | None = None
    ) -> None:
        """
        @param chain: the extensions, C{None} for none.
        """
        Assembling.__init__(self, isServer, settings, chain)
        self.bytesReceived = 0
        self.controlBytesReceived = 0
        self._perTurn = settings.framesPerTurn
        # Clients mask and servers do not (RFC 6455 section 5.1).
        self._maskBit = 0x80 if isServer else 0
        self._buffer = b""  # what waits for a later read, or for a resumption
        self._kept = 0  # where in it that begins
        self._busy = False  # the loop is running
        self._paused = False  # the application wants nothing for now

    # Receiving

    def dataReceived(self, data: bytes) -> None:
        """
        Take in what the carrier received.  Never raises.
        """
        self.bytesReceived += len(data)
        if self._halted or self._busy:
            if self.state < _DISCARDING:
                self._keep(data)
            return
        if not self._gathers:
            self._parse(data)
            return
        self._parts = []
        self._gathered = 0
        try:
            self._parse(data)
        finally:
            parts = self._parts
            self._parts = None
            if parts is None:  # the carrier is gone
                pass
            elif len(parts) == 1:
                self._write(parts[0])
            elif parts:
                self._writeBuffers(parts, self._gathered)

    def _parse(self, data: bytes) -> None:
        """
        Go over what came, and what waited for it.
        """
        position = 0
        if self._buffer:
            if data:
                self._keep(data)
            data = self._buffer
            position = self._kept
            self._buffer = b""
        end = len(data)
        left = self._perTurn
        self._busy = True
        try:
            while not self._halted:
                if not left:
                    left = self._perTurn
                    if position < end or self._buffer:
                        self._tookLong()
                        continue
                left -= 1
                if self._buffer:  # came in while the application was called
                    data = data[position:] + self._buffer
                    self._buffer = b""
                    position = 0
                    end = len(data)
                if self._missing:
                    if position == end:
                        break
                    position = self._payloadContinues(data, position)
                    continue
                start = position + 2
                if start > end:
                    break
                first = data[position]
                length = data[position + 1] ^ self._maskBit
                if length > 127:
                    raise ProtocolViolation(
                        "a frame that is not masked"
                        if self._maskBit
                        else "a frame that is masked"
                    )
                whole = self._whole and first in (0x81, 0x82)
                if not whole and (first & 0x7F or not self._opcode):
                    inMessage = self._opcode != 0
                    claimed = self._laterBits if inMessage else self._firstBits
                    checkStart(first, length, inMessage, claimed)
                if length > 125:
                    extra = 2 if length == 126 else 8
                    if start + extra > end:
                        break
                    if extra == 2:
                        length = data[start] << 8 | data[start + 1]
                    elif data[start] > 127:
                        raise ProtocolViolation("a length of 2**63 or more")
                    else:
                        length = int.from_bytes(data[start : start + 8], "big")
                    start += extra
                    if length < (126 if extra == 2 else 65536):
                        raise ProtocolViolation("a length that is not minimal")
                if whole and length > self._maxWhole:
                    self._checkSize(first, length)
                start += self._keySize
                isHere = length <= end - start
                if not isHere:
                    if start > end or first & _CONTROL:
                        break
                    whole = False
                if not whole and not first & _CONTROL:
                    if self._encodedWholes and isHere and first & _FIN and first & 0x0F:
                        position = start + length
                        self._wholeEncoded(first, data, start, position)
                        continue
                    position = start
                    self._frameBegins(first, length)
                    if self.state >= _DISCARDING:
                        continue
                    if isHere and (not self._halted or not length):
                        position = start + length
                        self._frameCame(data, start, position)
                    else:
                        key = data[start - self._keySize : start]
                        self._payloadBegins(length, key)
                    continue
                position = start + length
                if self._keySize:
                    payload = unmasked(data, start, position)
                else:
                    payload = data[start:position]
                if first == _WHOLE_BINARY:
                    message: Any = payload
                elif first == _WHOLE_TEXT:
                    message = payload.decode("utf-8")
                else:
                    self._controlReceived(first & 0x0F, payload)
                    continue
                # As C{_handOver}, but for a call.
                try:
                    result = self._deliver(message)
                except BaseException:
                    self._receiverFailed()
                else:
                    if result is not None:
                        self._returned(message, result)
        except ProtocolViolation as violation:
            self._violated(violation)
        except UnicodeDecodeError:
            self._violated(InvalidPayload("text that is not UTF-8"))
        finally:
            self._busy = False
        if self.state >= _DISCARDING:
            self._buffer = b""
            self._sink = self._wire = self._stream = None
        elif self._buffer:
            self._buffer = data[position:] + self._buffer
        elif position < end:
            # A pause keeps the read and a place in it, so that pausing after
            # each message copies nothing; the start of a frame, a few bytes, is
            # not worth keeping a whole read alive for.
            self._kept = position if self._paused else 0
            self._buffer = data if self._paused else data[position:]
        if self._opcode or self._reported:
            self._reportPartial()

    def _keep(self, data: bytes) -> None:
        """
        Add to what waits to be parsed.
        """
        self._buffer = self._buffer[self._kept :] + data
        self._kept = 0

    def _controlReceived(self, opcode: int, payload: bytes) -> None:
        """
        A whole control frame came (RFC 6455 section 5.5).
        """
        self.controlBytesReceived += 2 + self._keySize + len(payload)
        if opcode == _PING:
            self._pinged(payload)
        elif opcode == _PONG:
            self._ponged(payload)
        elif opcode == _CLOSE:
            self._peerCloses(unpackClose(payload))
        else:
            raise AssertionError(f"opcode {opcode} was not refused")

    def _pauseReceipt(self) -> None:
        """
        Stop after the message that is being delivered.  While closing, the
        peer's Close frame must still be found: so what comes before it is
        dropped instead.
        """
        if self.state == _OPEN:
            self._paused = self._halted = True
        else:
            self._deliver = notConnected

    def _resumeReceipt(self) -> None:
        """
        Go on, with what came in meanwhile first.
        """
        if self._paused:
            self._paused = False
            self._halted = self.state >= _DISCARDING
            if not self._busy:
                self.dataReceived(b"")

    def _closing(self) -> None:
        if self._paused:
            # The peer's Close frame must be found, and the application asked for
            # nothing more: so what comes before it is dropped.
            self._deliver = notConnected
            self._resumeReceipt()

    def _discarding(self) -> None:
        self._paused = False
