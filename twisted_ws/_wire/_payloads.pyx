# cython: language_level=3, boundscheck=False, wraparound=False
# Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

"""
Masking and collecting in C.  C{_payloads_pure.py} is the same in Python, and says what
each thing is for.
"""

from cpython.bytes cimport (
    PyBytes_AS_STRING,
    PyBytes_FromStringAndSize,
    PyBytes_GET_SIZE,
)
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy


cdef extern from "Python.h":
    int _PyBytes_Resize(PyObject **held, Py_ssize_t size) except -1


cdef enum:
    # An announcement beyond this counts as this, so that no sum overflows.
    MOST = 1 << 30
    # Bytes of which there may be four times as many as came.
    SMALL = 1 << 12


cdef void mix(
    const char *source, char *target, Py_ssize_t size, const char *key
) noexcept nogil:
    cdef uint32_t half
    cdef uint64_t pad, word
    cdef Py_ssize_t at = 0
    memcpy(&half, key, 4)
    pad = half
    pad = pad << 32 | pad
    # Nothing is aligned, so it is memcpy, of which compilers make single instructions,
    # and wide ones of the loop.
    while at + 8 <= size:
        memcpy(&word, source + at, 8)
        word = word ^ pad
        memcpy(target + at, &word, 8)
        at += 8
    while at < size:
        target[at] = source[at] ^ key[at & 3]
        at += 1


cpdef bytes xorMask(bytes payload, bytes key):
    if payload is None or key is None or PyBytes_GET_SIZE(key) != 4:
        raise ValueError("a key has four bytes")
    cdef Py_ssize_t size = PyBytes_GET_SIZE(payload)
    cdef bytes mixed = PyBytes_FromStringAndSize(NULL, size)
    cdef const char *source = PyBytes_AS_STRING(payload)
    mix(source, PyBytes_AS_STRING(mixed), size, PyBytes_AS_STRING(key))
    return mixed


cpdef bytes unmasked(bytes data, Py_ssize_t start, Py_ssize_t stop):
    if data is None or not 4 <= start <= stop <= PyBytes_GET_SIZE(data):
        raise ValueError("no such part")
    cdef bytes mixed = PyBytes_FromStringAndSize(NULL, stop - start)
    cdef const char *source = PyBytes_AS_STRING(data) + start
    mix(source, PyBytes_AS_STRING(mixed), stop - start, source - 4)
    return mixed


cdef int headerSize(Py_ssize_t size) noexcept nogil:
    return 2 if size < 126 else 4 if size < 65536 else 10


cdef void writeHeader(char *target, int first, Py_ssize_t size, int bit) noexcept nogil:
    cdef int at
    target[0] = <char>first
    if size < 126:
        target[1] = <char>(bit | size)
    elif size < 65536:
        target[1] = <char>(bit | 126)
        target[2] = <char>(size >> 8)
        target[3] = <char>size
    else:
        target[1] = <char>(bit | 127)
        for at in range(8):
            target[9 - at] = <char>(<uint64_t>size >> 8 * at)


cpdef bytes frameHeader(int first, Py_ssize_t size, bint masked):
    cdef bytes header = PyBytes_FromStringAndSize(NULL, headerSize(size))
    writeHeader(PyBytes_AS_STRING(header), first, size, 0x80 if masked else 0)
    return header


cpdef bytes wholeFrame(int first, bytes payload, bytes key):
    if payload is None or key is None or PyBytes_GET_SIZE(key) not in (0, 4):
        raise ValueError("a key has four bytes")
    cdef Py_ssize_t size = PyBytes_GET_SIZE(payload)
    cdef Py_ssize_t before = headerSize(size) + PyBytes_GET_SIZE(key)
    cdef bytes frame = PyBytes_FromStringAndSize(NULL, before + size)
    cdef char *target = PyBytes_AS_STRING(frame)
    cdef const char *source = PyBytes_AS_STRING(payload)
    if key:
        writeHeader(target, first, size, 0x80)
        memcpy(target + before - 4, PyBytes_AS_STRING(key), 4)
        mix(source, target + before, size, PyBytes_AS_STRING(key))
    else:
        writeHeader(target, first, size, 0)
        memcpy(target + before, source, size)
    return frame


cdef class Collector:
    """
    What is collected is written where it stays: into the C{bytes} that C{getvalue} gives
    away, of which nobody else knows before.
    """

    def __cinit__(self):
        self._held = None
        self._size = 0
        self._expected = 0

    cpdef expect(self, long long size):
        self._expected = self._size + min(size, MOST)

    cdef char *_room(self, Py_ssize_t size) except NULL:
        """
        @return: where C{size} bytes may be written, which are then there.
        """
        cdef Py_ssize_t needed = self._size + size
        cdef Py_ssize_t room = 0 if self._held is None else PyBytes_GET_SIZE(self._held)
        if needed > room:
            # Room is made as bytes come, and not as they are announced: who only
            # announces them costs no memory.
            room = needed * 4
            if room > self._expected and room > SMALL:
                room = max(self._expected, needed + (needed >> 3))
            if self._held is None:
                self._held = PyBytes_FromStringAndSize(NULL, room)
            else:
                self._resize(room)
        cdef char *target = PyBytes_AS_STRING(self._held) + self._size
        self._size = needed
        return target

    cdef _resize(self, Py_ssize_t room):
        # Its one reference goes into C, and comes back as that of another.
        cdef PyObject *held = <PyObject *>self._held
        Py_INCREF(self._held)
        self._held = None
        _PyBytes_Resize(&held, room)
        self._held = <bytes>held
        Py_DECREF(self._held)

    cpdef take(self, bytes data, Py_ssize_t start, Py_ssize_t stop, bytes key):
        if data is None or not 0 <= start <= stop <= PyBytes_GET_SIZE(data):
            raise ValueError("no such part")
        if key and PyBytes_GET_SIZE(key) != 4:
            raise ValueError("a key has four bytes")
        if stop == start:
            return
        cdef char *target = self._room(stop - start)
        cdef const char *source = PyBytes_AS_STRING(data) + start
        if key:
            mix(source, target, stop - start, PyBytes_AS_STRING(key))
        else:
            memcpy(target, source, stop - start)

    cpdef takeMasked(self, bytes data, Py_ssize_t start, Py_ssize_t stop):
        if data is None or not 4 <= start <= stop <= PyBytes_GET_SIZE(data):
            raise ValueError("no such part")
        if stop == start:
            return
        cdef char *target = self._room(stop - start)
        cdef const char *source = PyBytes_AS_STRING(data) + start
        mix(source, target, stop - start, source - 4)

    cpdef write(self, bytes chunk):
        if chunk is None:
            raise TypeError("what is collected is bytes")
        self.take(chunk, 0, PyBytes_GET_SIZE(chunk), b"")

    cpdef Py_ssize_t tell(self):
        return self._size

    cpdef bytes getvalue(self):
        cdef bytes value
        if self._held is None:
            return b""
        if PyBytes_GET_SIZE(self._held) != self._size:
            self._resize(self._size)
        value = self._held
        self._held = None
        self._size = self._expected = 0
        return value
