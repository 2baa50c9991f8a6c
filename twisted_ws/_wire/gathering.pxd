cimport cython

from .life cimport Life

cdef Py_ssize_t _MOST_GATHERED, _COPIED_UP_TO

cdef class Gathering(Life):
    cdef public Py_ssize_t _gathered
    cdef public bint _gathers
    cdef public list _parts
    cdef public object _write
    cdef public object _writeMany

    cdef _put(self, bytes data)

    @cython.locals(size=Py_ssize_t)
    cdef _putMany(self, buffers)

    @cython.locals(size=Py_ssize_t)
    cpdef _flush(self)

    cdef _writeBuffers(self, buffers, Py_ssize_t size)
