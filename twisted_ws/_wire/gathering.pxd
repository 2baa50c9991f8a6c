from .life cimport Life

cdef class Gathering(Life):
    cdef public Py_ssize_t _gathered
    cdef public bint _gathers
    cdef public list _parts
    cdef public object _write
    cdef public object _writeMany

    cpdef _put(self, bytes data)
    cpdef _putMany(self, buffers)
    cpdef _flush(self)
    cpdef _writeBuffers(self, buffers)
