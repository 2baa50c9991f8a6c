cimport cython

from ._payloads cimport unmasked
from .assembling cimport Assembling

cdef int _FIN, _RESERVED, _CONTROL
cdef int _TEXT, _BINARY, _CLOSE, _PING, _PONG
cdef int _WHOLE_TEXT, _WHOLE_BINARY
cdef int _OPEN, _DISCARDING

cdef class Framer(Assembling):
    cdef public bytes _buffer
    cdef public bint _busy
    cdef public Py_ssize_t _kept
    cdef public int _maskBit
    cdef public bint _paused
    cdef public long long _perTurn
    cdef public long long bytesReceived
    cdef public long long controlBytesReceived

    @cython.locals(parts=list)
    cpdef dataReceived(self, bytes data)

    @cython.locals(
        position=Py_ssize_t,
        end=Py_ssize_t,
        start=Py_ssize_t,
        left=cython.longlong,
        first=int,
        length=cython.longlong,
        whole=bint,
        inMessage=bint,
        claimed=int,
        extra=int,
        isHere=bint,
        payload=bytes,
    )
    cdef _parse(self, bytes data)
    cdef _keep(self, bytes data)
    cpdef _controlReceived(self, int opcode, bytes payload)
