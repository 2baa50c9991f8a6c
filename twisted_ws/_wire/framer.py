# -*- test-case-name: tests.test_framer -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Frames and messages (RFC 6455 sections 5 to 8), without I/O.

A L{Framer} takes bytes by C{dataReceived} and calls C{_deliver} with messages;
it takes messages by C{sendMessage} and calls C{_write} with bytes.  Everything
that happens seldom is a method that L{twisted_ws.WebSocketConnection} overrides.

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

from collections.abc import Callable
from io import BytesIO
from struct import Struct
from typing import Any

from .closing import unpackClose
from .errors import (
    IllegalFrame,
    InvalidPayload,
    PayloadTooBig,
    ProtocolViolation,
    TooManyFragments,
)
from .frames import (
    CONTROL,
    FIN,
    Frame,
    Opcode,
    OutgoingSequence,
    Settings,
    Utf8Decoder,
    asBytes,
    checkStart,
)
from .life import Life
from .masks import maskKeys, xorMask
from .state import State

_FIN, _CONTROL = FIN, CONTROL
_TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x1, 0x2, 0x8, 0x9, 0xA
_WHOLE_TEXT, _WHOLE_BINARY = _FIN | _TEXT, _FIN | _BINARY
_WHOLE = (_WHOLE_TEXT, _WHOLE_BINARY)
_OPEN, _DISCARDING = int(State.OPEN), int(State.DISCARDING)
_UNLIMITED = 1 << 63

_HEADER = Struct("!BB").pack
_HEADER16 = Struct("!BBH").pack
_HEADER64 = Struct("!BBQ").pack


def encodeFrame(first: int, payload: bytes, masked: bool) -> bytes:
    """
    Serialise a frame.

    @param first: its first byte: FIN, reserved bits and opcode.
    @param masked: whether to mask it with a fresh key, as clients must.
    """
    size = len(payload)
    bit = 0x80 if masked else 0
    if size < 126:
        header = _HEADER(first, bit | size)
    elif size < 65536:
        header = _HEADER16(first, bit | 126, size)
    else:
        header = _HEADER64(first, bit | 127, size)
    if not masked:
        return header + payload
    key = maskKeys.take()
    return header + key + xorMask(payload, key)


def _notConnected(*ignored: object) -> None:
    """
    Stands in for the carrier and the receiver where there is none.
    """


class Framer(Life):
    """
    One side of a WebSocket after its handshake.

    @ivar bytesReceived: bytes taken in so far, headers included.
    """

    def __init__(self, isServer: bool, settings: Settings) -> None:
        Life.__init__(self)
        self.bytesReceived = 0

        self._write: Callable[[bytes], object] = _notConnected
        self._deliver: Callable[[Any], object] = _notConnected

        self._settings = settings
        message, frame = settings.maxReceivedMessageSize, settings.maxReceivedFrameSize
        self._maxMessage = _UNLIMITED if message is None else message
        self._maxFrame = self._maxMessage if frame is None else frame
        self._maxWhole = min(self._maxFrame, self._maxMessage)
        self._fragmentAbove = (
            settings.fragmentationThreshold
            if settings.fragmentOutgoingMessages
            else _UNLIMITED
        )
        self._assembling = settings.assembleFragments

        # Clients mask and servers do not (RFC 6455 section 5.1), both ways.
        self._masksSent = not isServer
        self._maskBit = 0x80 if isServer else 0
        self._keySize = 4 if isServer else 0

        self._buffer = b""  # what waits for a later read, or for a resumption
        self._kept = 0  # where in it that begins
        self._busy = False  # the loop is running
        self._paused = False  # the application wants nothing for now

        self._opcode = 0  # of the message being received, 0 between messages
        self._whole = self._assembling  # the next frame may be a whole message
        self._size = 0  # payload bytes of that message, announced so far
        self._fragments = 0  # its frames so far
        self._decoder: Utf8Decoder | None = None
        self._sink: Any = None  # collects it, or its frame if not assembling
        self._first = 0  # the first byte of the frame being received
        self._missing = 0  # payload bytes of that frame still to come
        self._key = b""  # its mask, turned to the next byte

        self._sequence = OutgoingSequence()

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
        position = 0
        if self._buffer:
            if data:
                self._keep(data)
            data = self._buffer
            position = self._kept
            self._buffer = b""
        end = len(data)
        self._busy = True
        try:
            while not self._halted:
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
                whole = self._whole and first in _WHOLE
                if not whole:
                    checkStart(first, length, self._opcode != 0)
                if length > 125:
                    extra = 2 if length == 126 else 8
                    if start + extra > end:
                        break
                    length = int.from_bytes(data[start : start + extra], "big")
                    start += extra
                    if length < (126 if extra == 2 else 65536):
                        raise ProtocolViolation("a length that is not minimal")
                    if length > 0x7FFFFFFFFFFFFFFF:
                        raise ProtocolViolation("a length of 2**63 or more")
                if whole and length > self._maxWhole:
                    self._checkSize(first, length)
                start += self._keySize
                stop = start + length
                if stop > end:
                    if start > end or first & _CONTROL:
                        break
                    whole = False
                if not whole and not first & _CONTROL:
                    position = start
                    self._frameBegins(
                        first, length, data[start - self._keySize : start]
                    )
                    continue
                payload = data[start:stop]
                if self._keySize:
                    payload = xorMask(payload, data[start - 4 : start])
                position = stop
                if first == _WHOLE_BINARY:
                    message: Any = payload
                elif first == _WHOLE_TEXT:
                    message = payload.decode("utf-8")
                else:
                    self._controlReceived(first & 0x0F, payload)
                    continue
                try:
                    self._deliver(message)
                except BaseException:
                    self._receiverFailed()
        except ProtocolViolation as violation:
            self._violated(violation)
        except UnicodeDecodeError:
            self._violated(InvalidPayload("text that is not UTF-8"))
        finally:
            self._busy = False
        if self.state >= _DISCARDING:
            self._buffer = b""
        elif self._buffer:
            self._buffer = data[position:] + self._buffer
        elif position < end:
            # A pause keeps the read and a place in it, so that pausing after
            # each message copies nothing; the start of a frame, a few bytes, is
            # not worth keeping a whole read alive for.
            self._kept = position if self._paused else 0
            self._buffer = data if self._paused else data[position:]

    def _keep(self, data: bytes) -> None:
        """
        Add to what waits to be parsed.
        """
        self._buffer = self._buffer[self._kept :] + data
        self._kept = 0

    def _checkSize(self, first: int, length: int) -> None:
        """
        Refuse a data frame over a limit, before any of it is buffered.
        """
        if length > self._maxFrame:
            named = self._settings.maxReceivedFrameSize is not None
            raise PayloadTooBig(
                f"a frame of {length} bytes, over {self._maxFrame}",
                "maxReceivedFrameSize" if named else "maxReceivedMessageSize",
            )
        size = length if first & 0x0F else self._size + length
        if size > self._maxMessage:
            raise PayloadTooBig(
                f"a message of {size} bytes or more, over {self._maxMessage}",
                "maxReceivedMessageSize",
            )

    def _frameBegins(self, first: int, length: int, key: bytes) -> None:
        """
        The header of a data frame is complete, its payload follows.
        """
        self._checkSize(first, length)
        opcode = first & 0x0F
        if opcode:
            self._opcode = opcode
            self._whole = False
            self._size = 0
            self._fragments = 0
            self._decoder = Utf8Decoder() if opcode == _TEXT else None
        if opcode or not self._assembling:
            self._sink = BytesIO()
        self._size += length
        self._fragments += 1
        limit = self._settings.maxReceivedFragments
        if limit is not None and self._fragments > limit:
            raise TooManyFragments(
                f"a message of more than {limit} frames", "maxReceivedFragments"
            )
        self._first = first
        self._missing = length
        self._key = key
        if not length:
            self._frameEnds()

    def _payloadContinues(self, data: bytes, position: int) -> int:
        """
        Take as much of the current frame's payload as is here.

        @return: the position after it.
        """
        stop = min(position + self._missing, len(data))
        chunk = data[position:stop]
        size = stop - position
        if self._key:
            chunk = xorMask(chunk, self._key)
            turn = size & 3
            self._key = self._key[turn:] + self._key[:turn]
        if self._decoder is not None:
            self._decoder.decode(chunk)
        self._sink.write(chunk)
        self._missing -= size
        if not self._missing:
            self._frameEnds()
        return stop

    def _frameEnds(self) -> None:
        """
        A data frame is complete: hand on what is complete with it.
        """
        fin = self._first & _FIN
        if fin:
            self._opcode = 0
            self._whole = self._assembling
            if self._decoder is not None:
                self._decoder.decode(b"", True)
        elif self._assembling:
            return
        complete: Any = self._sink.getvalue()
        self._sink = None
        if not self._assembling:
            complete = Frame(Opcode(self._first & 0x0F), complete, bool(fin))
        elif self._decoder is not None:
            complete = complete.decode("utf-8")
        try:
            self._deliver(complete)
        except BaseException:
            self._receiverFailed()

    def _controlReceived(self, opcode: int, payload: bytes) -> None:
        """
        A whole control frame came (RFC 6455 section 5.5).
        """
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
            self._deliver = _notConnected

    def _resumeReceipt(self) -> None:
        """
        Go on, with what came in meanwhile first.
        """
        if self._paused:
            self._paused = False
            self._halted = self.state >= _DISCARDING
            if not self._busy:
                self.dataReceived(b"")

    # Sending

    def sendMessage(self, message: str | bytes) -> None:
        """
        Send C{str} as text, C{bytes} (or any other buffer) as binary; in several
        frames when it is longer than C{fragmentationThreshold}.

        @raise ConnectionNotOpen: when the connection is closing or closed.
        @raise IllegalFrame: while a message is being sent piece by piece.
        @raise UnicodeEncodeError: for text with lone surrogates.
        @raise TypeError: for anything else.
        """
        if self.state != _OPEN or self._sequence.opcode:
            self._refuseMessage()
        if isinstance(message, str):
            payload = message.encode("utf-8")
            first = _WHOLE_TEXT
        else:
            payload = message if isinstance(message, bytes) else asBytes(message)
            first = _WHOLE_BINARY
        if len(payload) > self._fragmentAbove:
            self._write(self._encodeFragments(first, payload))
        else:
            self._write(encodeFrame(first, payload, self._masksSent))

    def _encodeFragments(self, first: int, payload: bytes) -> bytes:
        """
        Serialise a message as frames of C{fragmentationThreshold} bytes.
        """
        step = self._fragmentAbove
        last = (len(payload) - 1) // step * step
        frames = []
        opcode = first & 0x0F
        for at in range(0, last, step):
            frames.append(encodeFrame(opcode, payload[at : at + step], self._masksSent))
            opcode = 0
        frames.append(encodeFrame(_FIN, payload[last:], self._masksSent))
        return b"".join(frames)

    def sendFrame(self, frame: Frame) -> None:
        """
        Send one frame as it is; the mask is ours to choose.

        @raise ConnectionNotOpen: when the connection is closing or closed.
        @raise IllegalFrame: when RFC 6455 forbids it here: a wrong opcode, a
            reserved bit, a control frame over 125 bytes or in pieces, a
            continuation of nothing, a message within a message, text that is
            not UTF-8.
        """
        if not isinstance(frame.payload, bytes):
            frame = frame._replace(payload=asBytes(frame.payload))
        if frame.opcode == _CLOSE and frame.fin and not frame.rsv:
            try:
                self.close(*unpackClose(frame.payload))
            except ProtocolViolation as violation:
                raise IllegalFrame(str(violation)) from None
            return
        if self.state != _OPEN:
            self._refuseMessage()
        self._sequence.check(frame)
        first = frame.opcode | (_FIN if frame.fin else 0)
        self._write(encodeFrame(first, frame.payload, self._masksSent))

    def _refuseMessage(self) -> None:
        if self.state != _OPEN:
            raise self._refuse()
        raise IllegalFrame("a message is being sent piece by piece; finish it first")

    def _writeClose(self, payload: bytes) -> None:
        self._write(encodeFrame(_FIN | _CLOSE, payload, self._masksSent))

    def _closing(self) -> None:
        if self._paused:
            # The peer's Close frame must be found, and the application asked for
            # nothing more: so what comes before it is dropped.
            self._deliver = _notConnected
            self._resumeReceipt()

    def _discarding(self) -> None:
        self._paused = False

    # What happens seldom, for the connection to override

    def _pinged(self, payload: bytes) -> None:
        """
        A ping came: answer it (RFC 6455 section 5.5.2).
        """
        if self.state == _OPEN:
            self.sendFrame(Frame(_PONG, payload))

    def _ponged(self, payload: bytes) -> None:
        """
        A pong came.
        """

    def _violated(self, violation: ProtocolViolation) -> None:
        """
        The peer broke the protocol or a limit.
        """
        self._fail(violation.code, str(violation))

    def _receiverFailed(self) -> None:
        """
        The receiver raised; called while that exception is handled.
        """
        self._fail(1011, "internal error")
