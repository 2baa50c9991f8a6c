cimport cython

from .gathering cimport Gathering

cdef int _FIN, _CONTROL, _TEXT, _BINARY, _CLOSE, _WHOLE_TEXT, _WHOLE_BINARY, _OPEN
cdef object _HEADER, _HEADER16, _HEADER64

@cython.locals(bit=int)
cpdef bytes frameHeader(int first, Py_ssize_t size, bint masked)

cpdef splitFrame(int first, payload, bint masked)

cpdef bytes encodeFrame(int first, payload, bint masked)

cdef class Sender(Gathering):
    cdef public object _chain
    cdef public bint _direct
    cdef public object _fragmentAbove
    cdef public bint _masksSent
    cdef public object _plainUpTo
    cdef public bint _queueing
    cdef public object _sent
    cdef public object _sequence
    cdef public long long messagesSent
    cdef public long long piecesSent

    @cython.locals(payload=bytes, first=int)
    cpdef sendMessage(self, message, compress=*, key=*)

    cpdef _encodeMessage(self, int opcode, bytes payload, compress)

    @cython.locals(at=Py_ssize_t, step=Py_ssize_t, last=Py_ssize_t)
    cpdef _cut(self, int first, bytes payload)
