cdef class Life:
    cdef object __weakref__
    cdef public bint _halted
    cdef public int state
    cdef public object closeBegunBy
    cdef public object closeReceived
    cdef public object closeSent
