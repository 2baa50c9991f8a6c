cimport cython

from ._payloads cimport Collector as CompiledCollector, unmasked, xorMask
from .frames cimport Utf8Decoder as CompiledDecoder
from .hooks cimport Hooks

cdef int _FIN, _RESERVED, _TEXT, _DISCARDING, _LARGE

cdef class Assembling(Hooks):
    cdef public bint _assembling
    cdef public long long _decodedSize
    cdef public CompiledDecoder _decoder
    cdef public object _deliver
    cdef public bint _encodedWholes
    cdef public int _first
    cdef public int _firstBits
    cdef public long long _fragments
    cdef public bint _isLarge
    cdef public bytes _key
    cdef public int _keySize
    cdef public int _laterBits
    cdef public long long _maxFragments
    cdef public long long _maxFrame
    cdef public long long _maxMessage
    cdef public long long _maxWhole
    cdef public long long _maxWire
    cdef public long long _missing
    cdef public object _mostStreamed
    cdef public int _opcode
    cdef public long long _reported
    cdef public object _settings
    cdef public CompiledCollector _sink
    cdef public long long _size
    cdef public object _stream
    cdef public bint _streaming
    cdef public bint _whole
    cdef public bint _wholes
    cdef public CompiledCollector _wire

    @cython.locals(size=object)
    cdef _checkSize(self, int first, long long length)

    @cython.locals(opcode=int)
    cdef _frameBegins(self, int first, long long length)

    @cython.locals(collector=CompiledCollector)
    cdef _frameCame(self, bytes data, Py_ssize_t start, Py_ssize_t stop)

    cdef _takeChunk(self, bytes chunk)

    cdef _payloadBegins(self, long long length, bytes key)

    @cython.locals(
        stop=Py_ssize_t,
        size=Py_ssize_t,
        turn=int,
        chunk=bytes,
        collector=CompiledCollector,
    )
    cdef Py_ssize_t _payloadContinues(self, bytes data, Py_ssize_t position) except -1

    cdef _frameEnds(self)
    cdef _handOver(self, message)
    cdef _wholeEncoded(self, int first, bytes data, Py_ssize_t start, Py_ssize_t stop)
    @cython.locals(size=cython.longlong)
    cdef _reportPartial(self)
