"""What a call is to modules that import no Trio."""


class Caller:
    """The base of `From`, by which the pure core of a state machine knows one."""

    __slots__ = ()
