cpdef bytes xorMask(bytes payload, bytes key)
cpdef bytes unmasked(bytes data, Py_ssize_t start, Py_ssize_t stop)

cpdef bytes frameHeader(int first, Py_ssize_t size, bint masked)
cpdef bytes wholeFrame(int first, bytes payload, bytes key)

cdef class Collector:
    cdef bytes _held
    cdef Py_ssize_t _size
    cdef Py_ssize_t _expected

    cpdef expect(self, long long size)
    cpdef take(self, bytes data, Py_ssize_t start, Py_ssize_t stop, bytes key)
    cpdef takeMasked(self, bytes data, Py_ssize_t start, Py_ssize_t stop)
    cpdef write(self, bytes chunk)
    cpdef Py_ssize_t tell(self)
    cpdef bytes getvalue(self)
    cdef char *_room(self, Py_ssize_t size) except NULL
    cdef _resize(self, Py_ssize_t room)
