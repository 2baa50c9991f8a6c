from .life cimport Life

cdef class Gathering(Life):
    cdef public Py_ssize_t _gathered
    cdef public bint _gathers
    cdef public list _parts
    cdef public object _write
    cdef public object _writeMany

    cdef _put(self, bytes data)
    cdef _putMany(self, buffers)
    cpdef _flush(self)
    cdef _writeBuffers(self, buffers)
