cimport cython

from ._payloads cimport frameHeader, wholeFrame, xorMask
from .gathering cimport Gathering

cdef int _FIN, _CONTROL, _TEXT, _BINARY, _CLOSE, _WHOLE_TEXT, _WHOLE_BINARY, _OPEN

cpdef splitFrame(int first, payload, bint masked)

cpdef bytes encodeFrame(int first, bytes payload, bint masked)

cdef class Sender(Gathering):
    cdef public object _chain
    cdef public bint _direct
    cdef public long long _fragmentAbove
    cdef public bint _masksSent
    cdef public long long _plainUpTo
    cdef public bint _queueing
    cdef public object _sent
    cdef public object _sequence
    cdef public long long messagesSent
    cdef public long long piecesSent

    @cython.locals(payload=bytes, first=int, size=Py_ssize_t)
    cpdef sendMessage(self, message, compress=*, key=*)

    cpdef _encodeMessage(self, int opcode, bytes payload, compress)

    @cython.locals(at=Py_ssize_t, step=Py_ssize_t, last=Py_ssize_t)
    cdef _cut(self, int first, bytes payload)
