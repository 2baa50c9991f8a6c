cimport cython

cdef class Utf8Decoder:
    cdef bytes _tail

    cpdef decode(self, bytes chunk, bint final=*)

@cython.locals(opcode=int, reserved=int)
cpdef checkStart(int first, int length, bint inMessage, int claimed)

cdef class OutgoingSequence:
    cdef public int opcode
    cdef Utf8Decoder _text
