cimport cython

from .hooks cimport Hooks

cdef int _FIN, _RESERVED, _TEXT, _DISCARDING, _LARGE

cdef class Assembling(Hooks):
    cdef public bint _assembling
    cdef public object _decodedSize
    cdef public object _decoder
    cdef public object _deliver
    cdef public bint _encodedWholes
    cdef public int _first
    cdef public int _firstBits
    cdef public long long _fragments
    cdef public bint _isLarge
    cdef public bytes _key
    cdef public int _keySize
    cdef public int _laterBits
    cdef public object _maxFragments
    cdef public object _maxFrame
    cdef public object _maxMessage
    cdef public object _maxWhole
    cdef public object _maxWire
    cdef public long long _missing
    cdef public object _mostStreamed
    cdef public int _opcode
    cdef public object _reported
    cdef public object _settings
    cdef public object _sink
    cdef public object _size
    cdef public object _stream
    cdef public bint _streaming
    cdef public bint _whole
    cdef public bint _wholes
    cdef public object _wire

    cpdef _checkSize(self, int first, long long length)

    @cython.locals(opcode=int)
    cpdef _frameBegins(self, int first, long long length, bytes key)

    @cython.locals(stop=Py_ssize_t, size=Py_ssize_t, turn=int, chunk=bytes)
    cpdef Py_ssize_t _payloadContinues(self, bytes data, Py_ssize_t position) except -1

    cpdef _frameEnds(self)
    cpdef _handOver(self, message)
    cpdef _wholeEncoded(self, int first, bytes data, Py_ssize_t start, Py_ssize_t stop)
    cpdef _reportPartial(self)
