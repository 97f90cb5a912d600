"""What is raised when the kit itself is used in a wrong way.

What a test finds wrong is an AssertionError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._exits.call_errors import NoProcess
from .._exits.errors import OtpError
from .._process.names import find_living
from .._process.runtime import runtime
from .._util.bounded import bounded
from .._util.checks import ends_of
from .._util.public import public_in

if TYPE_CHECKING:
    from .._process.process import Process


@public_in("testing")
class UnknownServer(NoProcess):
    """Nobody is behind the reference that the kit was given; the text says which names there are.

    Args:
        what: the function it was given to.
        server: the reference.
    """

    def __init__(self, what: str, server: object) -> None:
        super().__init__(server)
        names = ", ".join(map(bounded, ends_of(runtime().names))) or "none"
        text = f"{what}: no process behind {bounded(server)}; names in use: {names}"
        self.args: tuple[Any, ...] = (text,)


@public_in("testing")
class UsedAfterTest(OtpError, RuntimeError):
    """A probe, or something else that belongs to a test, was used after the end of that test.

    Args:
        what: what was used.
        test: the test.
    """

    def __init__(self, what: str, test: str) -> None:
        super().__init__(f"{what} was used after the end of {test}, to which it belongs")


def pid_of(ref: Any) -> Any:
    """Return the pid of a handle that has one; any other reference as it is."""
    return getattr(ref, "pid", ref)


def need_server(what: str, ref: Any) -> Process:
    """Return the living process behind a reference, or raise `UnknownServer`."""
    process = find_living(ref)
    if process is None:
        raise UnknownServer(what, ref)
    return process
