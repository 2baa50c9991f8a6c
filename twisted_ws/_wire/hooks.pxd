from .sender cimport Sender

cdef class Hooks(Sender):
    pass
