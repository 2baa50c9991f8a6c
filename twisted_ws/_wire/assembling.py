# -*- test-case-name: tests.test_framer -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Messages that do not come as one frame in one read, and those that extensions have to
decode.

A payload is unmasked and checked as it comes in, so that bad text fails at its first
bad byte and no byte is looked at twice; sizes are judged as soon as they are known, so
that what is not allowed is never buffered.

This file is also meant to be compiled as it stands.
"""

from __future__ import annotations

from typing import Any

from .chain import WIRE_ALLOWANCE, Chain
from .errors import PayloadTooBig, ProtocolViolation, TooManyFragments
from .frames import FIN, RESERVED, Frame, Opcode, Settings, Utf8Decoder
from .gathering import notConnected
from .hooks import Hooks
from .payloads import Collector, unmasked, xorMask
from .sender import UNLIMITED
from .state import State

_FIN, _RESERVED = FIN, RESERVED
_TEXT = int(Opcode.TEXT)
_DISCARDING = int(State.DISCARDING)

_LARGE = 1 << 17
"""
Payload bytes of a frame for which more is read at a time.
"""


class Assembling(Hooks):
    """
    Puts messages together, and hands them to C{_deliver}.
    """

    __slots__ = """
        _assembling _decodedSize _decoder _deliver _encodedWholes _first _firstBits
        _fragments _isLarge _key _keySize _laterBits _maxFragments _maxFrame _maxMessage
        _maxWhole _maxWire _missing _mostStreamed _opcode _reported _settings _sink
        _size _stream _streaming _whole _wholes _wire
    """.split()

    def __init__(
        self, isServer: bool, settings: Settings, chain: Chain | None = None
    ) -> None:
        Hooks.__init__(self, isServer, settings, chain)
        self._deliver: Any = notConnected
        self._settings = settings
        message, frame = settings.maxReceivedMessageSize, settings.maxReceivedFrameSize
        fragments = settings.maxReceivedFragments
        self._maxMessage = UNLIMITED if message is None else message
        allowance = 0 if chain is None else WIRE_ALLOWANCE
        self._maxWire = min(self._maxMessage + allowance, UNLIMITED)
        self._maxFrame = self._maxWire if frame is None else frame
        self._maxWhole = min(self._maxFrame, self._maxWire)
        self._maxFragments = UNLIMITED if fragments is None else fragments
        self._firstBits = 0 if chain is None else chain.firstBits
        self._laterBits = 0 if chain is None else chain.laterBits
        self._assembling = settings.assembleFragments
        self._wholes = self._assembling and chain is None
        self._encodedWholes = self._assembling and chain is not None
        self._streaming = False  # the application may take messages piece by piece

        self._opcode = 0  # of the message being received, 0 between messages
        self._whole = self._wholes  # the next frame may be a message as it is
        self._size = 0  # payload bytes of that message, announced so far
        self._fragments = 0  # its frames so far
        self._decoder: Utf8Decoder | None = None
        self._sink: Collector | None = None  # of it, or of its frame if not assembling
        self._wire: Collector | None = None  # of its frame, for extensions to decode
        self._stream: Any = None  # takes it piece by piece, if anything does
        self._mostStreamed = 0  # payload bytes that it may have then
        self._reported = 0  # what the last report of partial messages said
        self._decodedSize = 0  # payload bytes of that message, decoded so far
        self._first = 0  # the first byte of the frame being received
        self._missing = 0  # payload bytes of that frame still to come
        self._isLarge = False  # it is larger than what is read at a time
        self._key = b""  # its mask, turned to the next byte
        # Clients mask and servers do not (RFC 6455 section 5.1).
        self._keySize = 4 if isServer else 0

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
        # Not as a sum of C's, which what is announced could make overflow.
        size: int = length
        if isPassedOn:
            self._checkStreamed(size + self._size)
            return
        if not first & 0x0F and self._stream is None:
            size = size + self._size
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

    def _frameBegins(self, first: int, length: int) -> None:
        """
        The header of a data frame is complete; C{_frameCame} follows, or
        C{_payloadBegins}.
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
        if self._chain is not None:
            self._wire = Collector()
            self._wire.expect(length)
        if length > self._maxWhole - self._size or self._stream is not None:
            self._checkSize(first, length)
        if self._stream is None:
            if opcode or not self._assembling:
                self._sink = Collector()
            if self._wire is None and self._sink is not None:
                self._sink.expect(length)
        self._size += length
        self._fragments += 1
        if self._fragments > self._maxFragments and self._stream is None:
            raise TooManyFragments(
                f"a message of more than {self._maxFragments} frames",
                "maxReceivedFragments",
            )
        self._first = first

    def _frameCame(self, data: bytes, start: int, stop: int) -> None:
        """
        All of the payload of the frame that begins is here.
        """
        collector = self._sink if self._wire is None else self._wire
        if collector is not None and (self._decoder is None or self._wire is not None):
            if self._keySize:
                collector.takeMasked(data, start, stop)
            else:
                collector.take(data, start, stop, b"")
        elif self._keySize and start < stop:
            self._takeChunk(unmasked(data, start, stop))
        elif start < stop:
            self._takeChunk(data[start:stop])
        self._frameEnds()

    def _takeChunk(self, chunk: bytes) -> None:
        """
        Check text, and hand on what is taken piece by piece.
        """
        if self._decoder is not None:
            self._decoder.decode(chunk)
        if self._stream is not None:
            self._stream.write(chunk)
        elif self._sink is not None:
            self._sink.write(chunk)

    def _payloadBegins(self, length: int, key: bytes) -> None:
        """
        A part of the payload of the frame that begins is still to come.
        """
        self._missing = length
        self._key = key
        # What takes a message piece by piece may stop in the middle: it and we are not
        # to be left with more than a usual read then.
        if length > _LARGE and self._stream is None:
            self._isLarge = True
            self._readMore(length)

    def _payloadContinues(self, data: bytes, position: int) -> int:
        """
        Take as much of the current frame's payload as is here.

        @return: the position after it.
        """
        size = len(data) - position
        if size > self._missing:
            size = self._missing
        stop = position + size
        self._missing -= size
        collector = self._sink if self._wire is None else self._wire
        if collector is not None and (self._decoder is None or self._wire is not None):
            collector.take(data, position, stop, self._key)
        else:
            chunk = data[position:stop]
            self._takeChunk(xorMask(chunk, self._key) if self._keySize else chunk)
        if self._keySize and self._missing and size & 3:
            turn = size & 3
            self._key = self._key[turn:] + self._key[:turn]
        if not self._missing:
            self._frameEnds()
        return stop

    def _frameEnds(self) -> None:
        """
        A data frame is complete: hand on what is complete with it.
        """
        if self._isLarge:
            self._isLarge = False
            self._readMore(0)
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
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.finish()
            return
        assert self._sink is not None
        complete: Any = self._sink.getvalue()
        self._sink = None
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

    def _wholeEncoded(self, first: int, data: bytes, start: int, stop: int) -> None:
        """
        A message came in one frame and one read, for extensions to decode.
        """
        if stop - start > self._maxWhole:
            self._checkSize(first, stop - start)
        if self._keySize:
            payload = unmasked(data, start, stop)
        else:
            payload = data[start:stop]
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
        assert self._wire is not None
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
        self._takeChunk(payload)
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
            decoded = self._chain.decode(frame, maxSize).payload
            return decoded if type(decoded) is bytes else bytes(decoded)
        except ProtocolViolation:
            raise
        except Exception:
            self._extensionFailed()
            return None

    def _reportPartial(self) -> None:
        """
        A read left a message incomplete, or completed one that was reported.
        """
        size = 0 if self._wire is None else self._wire.tell()
        if self._sink is not None:
            size += self._sink.tell()
        if size != self._reported:
            self._reported = size
            self._holdsPartially(size)
