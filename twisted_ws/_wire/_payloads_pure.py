# -*- test-case-name: tests.test_payloads -*-
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Masking (RFC 6455 section 5.3) as fast as it can be done in Python, by integers of any
length or by tables; framing and collecting.  C{_payloads.pyx} is the same in C.
"""

from __future__ import annotations

from io import BytesIO
from struct import Struct

_HEADER = Struct("!BB").pack
_HEADER16 = Struct("!BBH").pack
_HEADER64 = Struct("!BBQ").pack

_number = int.from_bytes

_BY_NUMBER = 4096
"""
Bytes up to which a payload is masked as one number.
"""


def xorMask(payload: bytes, key: bytes) -> bytes:
    """
    Mask or unmask a payload of any size with a key of four bytes (RFC 6455
    section 5.3), in linear time.
    """
    size = len(payload)
    if size > _BY_NUMBER:
        return bytes(_translated(payload, 0, size, key))
    pattern = (key * ((size + 3) >> 2))[:size]
    return (_number(payload, "little") ^ _number(pattern, "little")).to_bytes(
        size, "little"
    )


_OCTETS = bytes(range(256))
_TABLES = tuple(xorMask(_OCTETS, bytes([octet]) * 4) for octet in _OCTETS)
"""
What each octet becomes, by the octet of the key that it meets.
"""


def unmasked(data: bytes, start: int, stop: int) -> bytes:
    """
    @param start: where the payload of a frame begins: behind its key.
    @param stop: where it ends.
    @return: that payload, unmasked.
    """
    size = stop - start
    if size > _BY_NUMBER:
        return bytes(_translated(data, start, stop, data[start - 4 : start]))
    # As there, but for a call: this is what most messages go through.
    pattern = (data[start - 4 : start] * ((size + 3) >> 2))[:size]
    return (_number(data[start:stop], "little") ^ _number(pattern, "little")).to_bytes(
        size, "little"
    )


def _translated(data: bytes, start: int, stop: int, key: bytes) -> bytearray:
    """
    Mask a part of some bytes: every fourth octet of it meets the same one of the key.
    That is faster than by numbers from some KiB on.
    """
    mixed = bytearray(stop - start)
    for turn, octet in enumerate(key):
        mixed[turn::4] = data[start + turn : stop : 4].translate(_TABLES[octet])
    return mixed


def frameHeader(first: int, size: int, masked: bool) -> bytes:
    """
    Serialise what comes before a frame's payload, or before its key if it is masked
    (RFC 6455 section 5.2).

    @param first: its first byte: FIN, reserved bits and opcode.
    @param size: bytes of its payload.
    """
    bit = 0x80 if masked else 0
    if size < 126:
        return _HEADER(first, bit | size)
    if size < 65536:
        return _HEADER16(first, bit | 126, size)
    return _HEADER64(first, bit | 127, size)


def wholeFrame(first: int, payload: bytes, key: bytes) -> bytes:
    """
    Serialise a frame.

    @param key: what to mask it with, empty for nothing.
    """
    size = len(payload)
    if key:
        return frameHeader(first, size, True) + key + xorMask(payload, key)
    if size < 126:  # as there, but for a call
        return _HEADER(first, size) + payload
    return frameHeader(first, size, False) + payload


class Collector(BytesIO):
    """
    Puts a payload together, in linear time.
    """

    __slots__ = ()

    def expect(self, size: int) -> None:
        """
        So many bytes more will come, if the peer does as it announced.
        """

    def take(self, data: bytes, start: int, stop: int, key: bytes) -> None:
        """
        Add a part of a read.

        @param key: what it is masked with, empty for nothing.
        """
        if key and stop - start > _BY_NUMBER:
            self.write(_translated(data, start, stop, key))
        else:
            part = data[start:stop]
            self.write(xorMask(part, key) if key else part)

    def takeMasked(self, data: bytes, start: int, stop: int) -> None:
        """
        Add a part of a read that is the payload of a frame; see L{unmasked}.
        """
        self.write(unmasked(data, start, stop))
