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

from collections.abc import Callable
from io import BytesIO
from typing import Any

from .chain import WIRE_ALLOWANCE, Chain
from .closing import unpackClose
from .errors import (
    InvalidPayload,
    PayloadTooBig,
    ProtocolViolation,
    TooManyFragments,
)
from .frames import (
    CONTROL,
    FIN,
    RESERVED,
    Frame,
    Opcode,
    Settings,
    Utf8Decoder,
    checkStart,
)
from .hooks import Hooks
from .masks import xorMask
from .sender import UNLIMITED, notConnected
from .state import State

_FIN, _RESERVED, _CONTROL = FIN, RESERVED, CONTROL
_TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x1, 0x2, 0x8, 0x9, 0xA
_WHOLE_TEXT, _WHOLE_BINARY = _FIN | _TEXT, _FIN | _BINARY
_WHOLE = (_WHOLE_TEXT, _WHOLE_BINARY)
_OPEN, _DISCARDING = int(State.OPEN), int(State.DISCARDING)


class Framer(Hooks):
    """
    One side of a WebSocket after its handshake.

    @ivar bytesReceived: bytes taken in so far, headers included.
    @ivar controlBytesReceived: those of them that were control frames.
    """

    __slots__ = """
        _assembling _buffer _busy _decodedSize _decoder _deliver _encodedWholes _first
        _firstBits _fragments _kept _key _keySize _laterBits _maskBit _maxFrame
        _maxMessage _maxWhole _maxWire _missing _mostStreamed _opcode _paused _perTurn
        _reported _settings _sink _size _stream _streaming _whole _wholes _wire
        bytesReceived controlBytesReceived
    """.split()

    def __init__(
        self, isServer: bool, settings: Settings, chain: Chain | None = None
    ) -> None:
        """
        @param chain: the extensions, C{None} for none.
        """
        Hooks.__init__(self, isServer, settings, chain)
        self.bytesReceived = 0
        self.controlBytesReceived = 0
        self._deliver: Callable[[Any], object] = notConnected

        self._settings = settings
        message, frame = settings.maxReceivedMessageSize, settings.maxReceivedFrameSize
        self._maxMessage = UNLIMITED if message is None else message
        self._maxWire = self._maxMessage
        if chain is not None:
            self._maxWire += WIRE_ALLOWANCE
        self._maxFrame = self._maxWire if frame is None else frame
        self._maxWhole = min(self._maxFrame, self._maxWire)
        self._firstBits = 0 if chain is None else chain.firstBits
        self._laterBits = 0 if chain is None else chain.laterBits
        self._perTurn = settings.framesPerTurn
        self._assembling = settings.assembleFragments
        self._wholes = self._assembling and chain is None
        self._encodedWholes = self._assembling and chain is not None
        self._streaming = False  # the application may take messages piece by piece

        # Clients mask and servers do not (RFC 6455 section 5.1).
        self._maskBit, self._keySize = (0x80, 4) if isServer else (0, 0)

        self._buffer = b""  # what waits for a later read, or for a resumption
        self._kept = 0  # where in it that begins
        self._busy = False  # the loop is running
        self._paused = False  # the application wants nothing for now

        self._opcode = 0  # of the message being received, 0 between messages
        self._whole = self._wholes  # the next frame may be a message as it is
        self._size = 0  # payload bytes of that message, announced so far
        self._fragments = 0  # its frames so far
        self._decoder: Utf8Decoder | None = None
        self._sink: Any = None  # collects it, or its frame if not assembling
        self._wire: Any = None  # collects its frame, for extensions to decode
        self._stream: Any = None  # takes it piece by piece, if anything does
        self._mostStreamed = 0  # payload bytes that it may have then
        self._reported = 0  # what the last report of partial messages said
        self._decodedSize = 0  # payload bytes of that message, decoded so far
        self._first = 0  # the first byte of the frame being received
        self._missing = 0  # payload bytes of that frame still to come
        self._key = b""  # its mask, turned to the next byte

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
                whole = self._whole and first in _WHOLE
                if not whole:
                    inMessage = self._opcode != 0
                    claimed = self._laterBits if inMessage else self._firstBits
                    checkStart(first, length, inMessage, claimed)
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
                    if (
                        self._encodedWholes
                        and stop <= end
                        and first & ~_RESERVED in _WHOLE
                    ):
                        position = stop
                        self._wholeEncoded(
                            first, data[start:stop], data[start - 4 : start]
                        )
                        continue
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

    def _checkSize(self, first: int, length: int) -> None:
        """
        Refuse a data frame over a limit, before any of it is buffered.
        """
        named = self._settings.maxReceivedFrameSize is not None
        isPassedOn = self._stream is not None and self._wire is None
        if length > self._maxFrame and (named or not isPassedOn):
            raise PayloadTooBig(
                f"a frame of {length} bytes, over {self._maxFrame}",
                "maxReceivedFrameSize" if named else "maxReceivedMessageSize",
            )
        if isPassedOn:
            self._checkStreamed(self._size + length)
            return
        alone = first & 0x0F or self._stream is not None
        size = length if alone else self._size + length
        if size > self._maxWire:
            raise PayloadTooBig(
                f"a message of {size} bytes or more, over {self._maxWire}",
                "maxReceivedMessageSize",
            )

    def _checkStreamed(self, size: int) -> None:
        if size > self._mostStreamed:
            raise PayloadTooBig(
                f"a message of {size} bytes or more, over {self._mostStreamed}",
                "deliverTo(maxSize=...)",
            )

    def _frameBegins(self, first: int, length: int, key: bytes) -> None:
        """
        The header of a data frame is complete, its payload follows.
        """
        opcode = first & 0x0F
        if opcode:
            self._opcode = opcode
            self._whole = False
            self._size = self._decodedSize = self._fragments = 0
            self._decoder = Utf8Decoder() if opcode == _TEXT else None
            self._stream = self._streamFor(opcode) if self._streaming else None
            if self.state >= _DISCARDING:
                return
        self._wire = None if self._chain is None else BytesIO()
        self._checkSize(first, length)
        if self._stream is not None:
            self._sink = self._stream
        elif opcode or not self._assembling:
            self._sink = BytesIO()
        self._size += length
        self._fragments += 1
        limit = self._settings.maxReceivedFragments
        if limit is not None and self._fragments > limit and self._stream is None:
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
        if self._wire is not None:
            self._wire.write(chunk)
        else:
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
        if self._wire is not None and not self._decodeFrame():
            return
        if self.state >= _DISCARDING:  # because of what took a piece
            return
        fin = self._first & _FIN
        if fin:
            self._opcode = 0
            self._whole = self._wholes
            if self._decoder is not None:
                self._decoder.decode(b"", True)
        elif self._assembling:
            return
        sink, self._sink = self._sink, None
        if self._stream is not None:
            self._stream = None
            sink.finish()
            return
        complete: Any = sink.getvalue()
        if not self._assembling:
            complete = Frame(Opcode(self._first & 0x0F), complete, bool(fin))
        elif self._decoder is not None:
            complete = complete.decode("utf-8")
        if self._reported:
            self._reportPartial()
        self._handOver(complete)

    def _handOver(self, message: Any) -> None:
        """
        Deliver a message that did not come in one frame and one read.
        """
        try:
            result = self._deliver(message)
        except BaseException:
            self._receiverFailed()
        else:
            if result is not None:
                self._returned(message, result)

    def _wholeEncoded(self, first: int, payload: bytes, key: bytes) -> None:
        """
        A message came in one frame and one read, for extensions to decode.
        """
        self._checkSize(first, len(payload))
        if self._keySize:
            payload = xorMask(payload, key)
        decoded: Any = self._decode(first, payload, self._maxMessage)
        if decoded is None:
            return
        if first & 0x0F == _TEXT:
            decoded = decoded.decode("utf-8")
        self._handOver(decoded)

    def _decodeFrame(self) -> bool:
        """
        Have the extensions decode the frame that is complete.

        @return: whether they have.
        """
        encoded = self._wire.getvalue()
        self._wire = None
        left = self._maxMessage
        if self._stream is None:
            left -= self._decodedSize
        else:
            left = min(left, self._mostStreamed - self._decodedSize)
        try:
            payload = self._decode(self._first, encoded, left)
        except PayloadTooBig as error:
            named = error.option == "maxReceivedMessageSize"
            if self._stream is not None and named and left < self._maxMessage:
                self._checkStreamed(self._mostStreamed + 1)
            raise
        if payload is None:
            return False
        self._decodedSize += len(payload)
        if self._decoder is not None:
            self._decoder.decode(payload)
        self._sink.write(payload)
        return True

    def _decode(self, first: int, payload: bytes, maxSize: int) -> bytes | None:
        """
        @return: what the extensions make of a payload; C{None} when one of them has
            failed.
        """
        fin = first & _FIN != 0
        frame = Frame(first & 0x0F, payload, fin, first & _RESERVED)
        assert self._chain is not None
        try:
            return self._chain.decode(frame, maxSize).payload
        except ProtocolViolation:
            raise
        except Exception:
            self._extensionFailed()
            return None

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

    def _reportPartial(self) -> None:
        """
        A read left a message incomplete, or completed one that was reported.
        """
        size = 0 if self._wire is None else self._wire.tell()
        size += 0 if self._sink in (None, self._stream) else self._sink.tell()
        if size != self._reported:
            self._reported = size
            self._holdsPartially(size)

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
