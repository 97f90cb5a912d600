"""A call that is handled in the turn of its caller: no task is woken, there nor back.

A server that waits would do nothing else next than take the message that comes. So its coroutine,
which stands in the loop that takes messages, is resumed where the caller calls, in the context of
the server: the same frames do the same as if Trio had resumed them. It is given back when it has
handled that one call and waits again. Trio has not noticed: to it the task has waited all along.

What may need the task itself, as whatever awaits does, is left to it, see `leave_turn`: Trio lets
a coroutine come back to its task by `reattach_detached_coroutine_object`.

Rules this file keeps:

* A server takes part only while it waits in its loop, as `Process.serves` tells, and for as many
  calls as a burst has; then its own task has to run. So callers delay others no more than ever.
* One call is one turn: what the callback has sent to its own server is left to the task.
* Nothing of the caller shows in the server: not an exception that it handles, nor its depth in the
  stack, which would be missing to the callback. Such a caller waits for the task of the server, and
  so does one whose context is the server's own, since none is entered twice.
* A cancellation that reaches the server's task meanwhile is not taken by its wait, which is not
  one then. `MessageLoop._unpark` refuses, and the task is woken to meet it.
* Turns do not nest, as a `def` callback cannot wait. What makes one wait all the same is kept out:
  a server in a greenlet, which could be left in the middle, has no such turns, and a call whose
  coroutine is resumed by hand is refused.
"""

from __future__ import annotations

import sys
from types import coroutine
from typing import TYPE_CHECKING, Any, Final, NoReturn

from trio.lowlevel import enable_ki_protection, reattach_detached_coroutine_object

if TYPE_CHECKING:
    from collections.abc import Generator

    import trio

    from .process import Process
    from .request import From

DEEP: Final = 200  # frames of a caller, which its server would have less


class Turn:
    """What a server is resumed with in the turn of a caller: an outcome, as Trio has them."""

    __slots__ = ()

    def unwrap(self) -> Turn:
        """Return itself, which tells that it is no turn of its own."""
        return self


TURN: Any = Turn()

if sys.version_info >= (3, 12):  # pragma: no cover - coverage is measured on 3.11

    def is_free(task: trio.lowlevel.Task, server: Process) -> bool:
        """Check whether nothing of what surrounds a caller would show in a server.

        Args:
            task: that of the caller, which runs this.
            server: whom it calls.
        """
        own: Any = server.task
        if sys.exception() is not None or task.context is own.context:
            return False
        return sys._getframemodulename(DEEP) is None

else:
    _depths = [0]  # of the last caller; the next ones are mostly as deep

    def is_free(task: trio.lowlevel.Task, server: Process) -> bool:
        """Check whether nothing of what surrounds a caller would show in a server.

        Args:
            task: that of the caller, which runs this.
            server: whom it calls.
        """
        own: Any = server.task
        if sys.exception() is not None or task.context is own.context:
            return False
        try:
            if sys._getframe(_depths[0]).f_back is None:
                return True
        except ValueError:  # not as deep
            pass
        frame, depth = sys._getframe(), 0
        while depth < DEEP and frame.f_back is not None:
            frame, depth = frame.f_back, depth + 1
        _depths[0] = depth
        return depth < DEEP


def is_in_greenlet() -> bool:
    """Check whether what runs here could be left in the middle, as `greenback.await_` does.

    Nobody is in one unless the package has been imported, which is for the caller to check.
    """
    greenlet: Any = sys.modules["greenlet"]
    return greenlet.getcurrent().parent is not None


def resume(server: Process, call: From[Any]) -> None:
    """Have a server that waits handle a call at once, for nobody who waits for the answer.

    `From._in_turn` does the same for a caller, in its own frame.

    Args:
        server: a server that `is_free` has looked at.
        call: to it.
    """
    runtime, mailbox = server.runtime, server.mailbox
    own: Any
    own, mailbox._waiter, runtime.turn = mailbox._waiter, None, call
    try:
        mailbox.offer(call)
        if own is not None:  # else a `__del__` has woken it since
            own.context.run(own.coro.send, TURN)
    finally:
        runtime.turn = None


async def refuse_nested(turn: From[Any]) -> NoReturn:  # noqa: ASYNC124 - in the place of a wait
    """Refuse a call out of the turn of a caller, where nothing waits: so without a checkpoint.

    Args:
        turn: the call whose callback makes another one.
    """
    raise RuntimeError(
        f"a call in a `def` callback of {turn._server.pid!r}, which cannot wait for the answer: "
        "somebody has resumed its coroutine by hand, as by `otp.call(ref, request).send(None)`. "
        "Make the callback an `async def` and write `await otp.call(ref, request)`, "
        "or ask by `otp.send_request(ref, request)`, which does not wait"
    )


@coroutine
def end_turn() -> Generator[None, Any, Any]:
    """End the turn of a caller; return what the server goes on with: `TURN`, or None in its own."""
    resumed = yield
    return resumed if resumed is TURN else resumed.unwrap()


@enable_ki_protection
async def leave_turn(server: Process) -> None:
    """Go on in the task of the server, which Trio resumes next, if this is a caller's turn."""
    if server.runtime.turn is not None:
        assert server.task is not None
        await reattach_detached_coroutine_object(server.task, None)
        server.serves = False
